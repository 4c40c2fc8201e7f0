/* SPDX-License-Identifier: MIT */
/* Pictures with labels in memory: made from arrays, looked at, laid into batches. */
#include "data/data_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- making and freeing ---- */

/* Frees what a data set owns, but not the struct itself. */
static void dataset_release(fv_dataset *d)
{
    fvi_free(d->name);
    fvi_free(d->x);
    fvi_free(d->label);
    fvi_free(d->target);
    for (int i = 0; d->class_name && i < d->classes; i++) {
        fvi_free(d->class_name[i]);
    }
    fvi_free(d->class_name);
}

void fv_dataset_free(fv_dataset *dataset)
{
    if (!dataset) return;
    dataset_release(dataset);
    fvi_free(dataset);
}

fv_status fvi_dataset_name_classes(fv_dataset *d, const char *const *names)
{
    char number[16];
    char **fresh = fvi_alloc((size_t)d->classes, sizeof *fresh, "names of classes");
    bool ok = fresh != NULL;
    for (int i = 0; ok && i < d->classes; i++) {
        snprintf(number, sizeof number, "%d", i);
        fresh[i] = fvi_strdup(names ? names[i] : number);
        ok = fresh[i] != NULL;
    }
    for (int i = 0; i < d->classes; i++) { /* what is not kept: the old names, or half of the new */
        if (ok && d->class_name) fvi_free(d->class_name[i]);
        if (!ok && fresh) fvi_free(fresh[i]);
    }
    fvi_free(ok ? d->class_name : fresh);
    if (ok) d->class_name = fresh;
    return ok ? FV_OK : FV_E_MEMORY;
}

/* Publish: content has everything but names, and is taken whatever happens. */
static fv_status dataset_publish(fv_dataset **dataset, fv_dataset content, const char *name,
                                 const char *const *classes)
{
    *dataset = NULL;
    fv_dataset *d = fvi_alloc(1, sizeof *d, "a data set");
    if (!d) {
        dataset_release(&content);
        return FV_E_MEMORY;
    }
    *d = content;
    d->name = fvi_strdup(name);
    if (!d->name || fvi_dataset_name_classes(d, classes) != FV_OK) {
        fv_dataset_free(d);
        return FV_E_MEMORY;
    }
    *dataset = d;
    return FV_OK;
}

fv_status fvi_dataset_make(fv_dataset **dataset, const char *name, fv_shape shape, fv_dtype dtype,
                           void *x, int32_t *label, int count, int classes)
{
    fv_dataset content = {
        .count = count, .classes = classes, .shape = shape, .dtype = dtype, .x = x, .label = label};
    return dataset_publish(dataset, content, name, NULL);
}

/* ---- labels and pixels checked ---- */

bool fvi_is_integer(fv_dtype dtype)
{
    return dtype != FV_FLOAT32 && dtype != FV_FLOAT64 && dtype != FV_FLOAT16 &&
           fv_dtype_size(dtype) > 0;
}

int64_t fvi_integer_at(const fv_tensor *integers, size_t i)
{
    const void *data = integers->data;
    switch (integers->dtype) {
    case FV_INT8:
        return ((const int8_t *)data)[i];
    case FV_UINT16:
        return ((const uint16_t *)data)[i];
    case FV_INT16:
        return ((const int16_t *)data)[i];
    case FV_UINT32:
        return ((const uint32_t *)data)[i];
    case FV_INT32:
        return ((const int32_t *)data)[i];
    case FV_INT64:
        return ((const int64_t *)data)[i];
    case FV_UINT64:
        return ((const uint64_t *)data)[i] > INT64_MAX ? INT64_MAX : ((const int64_t *)data)[i];
    default: /* FV_UINT8, FV_BOOL */
        return ((const uint8_t *)data)[i];
    }
}

static fv_status dataset_check_label_shape(const fv_tensor *y, int count)
{
    char shape[FVI_SHAPE_TEXT];
    const int *dim = y->shape.dim;
    int found = y->shape.rank == 1                  ? dim[0]
                : y->shape.rank == 2 && dim[1] == 1 ? dim[0]
                : y->shape.rank == 2 && dim[0] == 1 ? dim[1]
                                                    : -1;
    if (found < 0)
        return fvi_fail(FV_E_SHAPE, "labels are %s, expected one for each of %d pictures: %d",
                        fvi_shape_text(shape, &y->shape), count, count);
    if (found != count)
        return fvi_fail(FV_E_SHAPE, "%d labels for %d pictures, expected as many", found, count);
    return FV_OK;
}

fv_status fvi_dataset_labels(int32_t **label, int *classes, const fv_tensor *y, int count)
{
    *label = NULL;
    FVI_TRY(dataset_check_label_shape(y, count));
    if (!fvi_is_integer(y->dtype))
        return fvi_fail(FV_E_FORMAT, "labels are %s, expected integers", fv_dtype_name(y->dtype));
    int64_t largest = 0, below = *classes > 0 ? *classes : FVI_MAX_CLASSES;
    for (int i = 0; i < count; i++) {
        int64_t value = fvi_integer_at(y, (size_t)i);
        if (value < 0 || value >= below)
            return fvi_fail(FV_E_FORMAT, "label %" PRId64 " of sample %d, expected 0 to %" PRId64,
                            value, i, below - 1);
        if (value > largest) largest = value;
    }
    int32_t *copy = fvi_alloc((size_t)count, sizeof *copy, "labels");
    if (!copy) return FV_E_MEMORY;
    for (int i = 0; i < count; i++) {
        copy[i] = (int32_t)fvi_integer_at(y, (size_t)i);
    }
    if (*classes <= 0) *classes = (int)largest + 1;
    *label = copy;
    return FV_OK;
}

fv_status fvi_dataset_check_finite(const float *values, int count, size_t each, const char *what)
{
    for (int i = 0; i < count; i++) {
        const float *row = values + (size_t)i * each;
        for (size_t k = 0; k < each; k++) {
            if (!isfinite(row[k]))
                return fvi_fail(FV_E_FORMAT, "%s: sample %d holds %s at %zu, expected numbers",
                                what, i, isnan(row[k]) ? "NaN" : "infinity", k);
        }
    }
    return FV_OK;
}

/* ---- from arrays ---- */

/* x must be [N,H,W,C] or [N,D], nothing empty. */
static fv_status dataset_check_x(fv_shape *shape, size_t *each, const fv_tensor *x)
{
    char text[FVI_SHAPE_TEXT];
    size_t all;
    int rank = x->shape.rank;
    if (x->dtype != FV_UINT8 && x->dtype != FV_FLOAT32)
        return fvi_fail(FV_E_ARG, "x is %s, expected uint8 or float32", fv_dtype_name(x->dtype));
    if (rank != 2 && rank != 4)
        return fvi_fail(FV_E_SHAPE, "x has %d dimensions, expected [N,H,W,C] or [N,D]", rank);
    FVI_TRY(fvi_shape_count(&all, &x->shape));
    if (all == 0)
        return fvi_fail(FV_E_SHAPE, "x is %s: it is empty, expected at least one picture",
                        fvi_shape_text(text, &x->shape));
    if (!x->data) return fvi_fail(FV_E_ARG, "x has no data");
    *shape = fvi_shape_of(rank - 1, x->shape.dim + 1);
    return fvi_shape_count(each, shape);
}

static fv_status dataset_check_classes(const char *const *classes, int n_classes)
{
    if (n_classes < 0 || n_classes > FVI_MAX_CLASSES)
        return fvi_fail(FV_E_ARG, "%d classes, expected 0 to %d", n_classes, FVI_MAX_CLASSES);
    for (int i = 0; classes && i < n_classes; i++) {
        if (!classes[i]) return fvi_fail(FV_E_ARG, "the name of class %d is NULL", i);
    }
    return FV_OK;
}

/* y as targets: [N,K] float32. */
static fv_status dataset_take_targets(fv_dataset *d, const fv_tensor *y)
{
    char text[FVI_SHAPE_TEXT];
    if (y->dtype != FV_FLOAT32 || y->shape.rank != 2)
        return fvi_fail(FV_E_ARG, "y is %s of %s, expected integers [N] or float32 [N,K]",
                        fvi_shape_text(text, &y->shape), fv_dtype_name(y->dtype));
    int n = y->shape.dim[0], k = y->shape.dim[1];
    if (n != d->count)
        return fvi_fail(FV_E_SHAPE, "y has %d rows, x has %d pictures, expected as many", n,
                        d->count);
    if (k < 1 || k > FVI_MAX_CLASSES || (d->classes > 0 && k != d->classes))
        return fvi_fail(FV_E_SHAPE, "y has %d columns, expected one for each of %d classes", k,
                        d->classes);
    d->classes = k;
    FVI_TRY(fvi_dataset_check_finite(y->data, n, (size_t)k, "y"));
    size_t bytes;
    FVI_TRY(fvi_shape_count(&bytes, &y->shape));
    if (!fvi_mul(&bytes, bytes, sizeof(float)))
        return fvi_fail(FV_E_MEMORY, "y is larger than memory");
    d->target = fvi_copy(y->data, bytes, "targets");
    return d->target ? FV_OK : FV_E_MEMORY;
}

fv_status fv_dataset_from_arrays(fv_dataset **dataset, const fv_tensor *x, const fv_tensor *y,
                                 const char *const *classes, int n_classes)
{
    if (!dataset) return fvi_fail(FV_E_ARG, "fv_dataset_from_arrays: dataset is NULL");
    *dataset = NULL;
    if (!x || !y) return fvi_fail(FV_E_ARG, "fv_dataset_from_arrays: %s is NULL", x ? "y" : "x");
    fv_dataset d = {.classes = n_classes, .dtype = x->dtype};
    size_t each, bytes;
    FVI_TRY(dataset_check_classes(classes, n_classes));
    FVI_TRY(dataset_check_x(&d.shape, &each, x));
    d.count = x->shape.dim[0];
    if (!y->data) return fvi_fail(FV_E_ARG, "y has no data");
    if (x->dtype == FV_FLOAT32) FVI_TRY(fvi_dataset_check_finite(x->data, d.count, each, "x"));
    if (!fvi_mul(&bytes, (size_t)d.count * each, fv_dtype_size(x->dtype)))
        return fvi_fail(FV_E_MEMORY, "x is larger than memory");
    fv_status status = fvi_is_integer(y->dtype)
                           ? fvi_dataset_labels(&d.label, &d.classes, y, d.count)
                           : dataset_take_targets(&d, y);
    if (status == FV_OK && classes) status = dataset_check_classes(classes, d.classes);
    if (status == FV_OK) {
        d.x = fvi_copy(x->data, bytes, "pictures");
        if (!d.x) status = FV_E_MEMORY;
    }
    if (status != FV_OK) {
        dataset_release(&d);
        return status;
    }
    return dataset_publish(dataset, d, "arrays", classes);
}

/* ---- opening: made or files ---- */

fv_status fv_dataset_open(fv_dataset **dataset, const char *path, fv_split split,
                          const fv_dataset_config *config)
{
    const fv_dataset_config all_default = {0};
    if (!dataset) return fvi_fail(FV_E_ARG, "fv_dataset_open: dataset is NULL");
    *dataset = NULL;
    if (!path) return fvi_fail(FV_E_ARG, "fv_dataset_open: path is NULL");
    if (split != FV_TRAIN && split != FV_TEST)
        return fvi_fail(FV_E_ARG, "fv_dataset_open: split is %d, expected FV_TRAIN or FV_TEST",
                        (int)split);
    if (!config) config = &all_default;
    if (strncmp(path, FVI_MADE_PREFIX, strlen(FVI_MADE_PREFIX)) == 0)
        return fvi_made_open(dataset, path + strlen(FVI_MADE_PREFIX), split, config);
    return fvi_files_open(dataset, path, split, config);
}

/* ---- looking ---- */

int fv_dataset_count(const fv_dataset *dataset)
{
    return dataset ? dataset->count : 0;
}

fv_shape fv_dataset_shape(const fv_dataset *dataset)
{
    return dataset ? dataset->shape : (fv_shape){0};
}

int fv_dataset_classes(const fv_dataset *dataset)
{
    return dataset ? dataset->classes : 0;
}

const char *fv_dataset_class(const fv_dataset *dataset, int i)
{
    return dataset && i >= 0 && i < dataset->classes ? dataset->class_name[i] : NULL;
}

fv_tensor fv_dataset_x(const fv_dataset *dataset)
{
    if (!dataset) return (fv_tensor){0};
    fv_tensor x = {.dtype = dataset->dtype, .data = dataset->x};
    x.shape.rank = dataset->shape.rank + 1;
    x.shape.dim[0] = dataset->count;
    for (int i = 0; i < dataset->shape.rank; i++) {
        x.shape.dim[i + 1] = dataset->shape.dim[i];
    }
    return x;
}

fv_tensor fv_dataset_y(const fv_dataset *dataset)
{
    if (!dataset) return (fv_tensor){0};
    const int dim[] = {dataset->count, dataset->classes};
    if (dataset->label) return (fv_tensor){fvi_shape_of(1, dim), FV_INT32, dataset->label};
    return (fv_tensor){fvi_shape_of(2, dim), FV_FLOAT32, dataset->target};
}

int fv_dataset_label(const fv_dataset *dataset, int i)
{
    if (!dataset || i < 0 || i >= dataset->count) return -1;
    if (dataset->label) return dataset->label[i];
    const float *row = dataset->target + (size_t)i * (size_t)dataset->classes;
    int best = 0;
    for (int k = 1; k < dataset->classes; k++) {
        if (row[k] > row[best]) best = k;
    }
    return best;
}

const char *fv_dataset_name(const fv_dataset *dataset)
{
    return dataset ? dataset->name : NULL;
}

fv_status fv_dataset_set_name(fv_dataset *dataset, const char *name)
{
    if (!dataset || !name)
        return fvi_fail(FV_E_ARG, "fv_dataset_set_name: %s is NULL", dataset ? "name" : "dataset");
    char *copy = fvi_strdup(name);
    if (!copy) return FV_E_MEMORY;
    fvi_free(dataset->name);
    dataset->name = copy;
    return FV_OK;
}

/* ---- batches ---- */

/* 8-bit pixels to floats; a loop of its own so that the compiler turns it into vectors. */
static void dataset_scale(float *restrict x, const uint8_t *restrict pixels, size_t count,
                          float scale, float offset)
{
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)pixels[i] * scale + offset;
    }
}

fv_status fv_dataset_batch(const fv_dataset *dataset, float *x, const int *indexes, int first,
                           int n, float scale, float offset)
{
    if (!dataset || (!x && n > 0))
        return fvi_fail(FV_E_ARG, "fv_dataset_batch: %s is NULL", dataset ? "x" : "dataset");
    if (n < 0 || (!indexes && (first < 0 || first > dataset->count - n)))
        return fvi_fail(FV_E_ARG, "a batch of %d pictures from number %d, the data set has %d", n,
                        first, dataset->count);
    for (int i = 0; indexes && i < n; i++) {
        if (indexes[i] < 0 || indexes[i] >= dataset->count)
            return fvi_fail(FV_E_ARG, "picture %d in a batch, expected 0 to %d", indexes[i],
                            dataset->count - 1);
    }
    size_t each;
    FVI_TRY(fvi_shape_count(&each, &dataset->shape));
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)(indexes ? indexes[i] : first + i) * each;
        float *row = x + (size_t)i * each;
        if (dataset->dtype == FV_UINT8)
            dataset_scale(row, (const uint8_t *)dataset->x + at, each, scale, offset);
        else
            memcpy(row, (const float *)dataset->x + at, each * sizeof *row);
    }
    return FV_OK;
}
