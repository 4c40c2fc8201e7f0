/* SPDX-License-Identifier: MIT */
/* Pictures with labels in memory: made from arrays, looked at, laid into batches. */
#include "data/data_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DATASET_MEMORY ((size_t)256 << 20) /* of pictures that are kept, unless told otherwise */

/* ---- making and freeing ---- */

void fvi_dataset_release(fv_dataset *d)
{
    fvi_free(d->name);
    fvi_store_drop(d->store);
    fvi_free(d->index);
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
    fvi_dataset_release(dataset);
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

fv_status fvi_dataset_publish(fv_dataset **dataset, fv_dataset content, const char *name,
                              const char *const *classes)
{
    *dataset = NULL;
    fv_dataset *d = fvi_alloc(1, sizeof *d, "a data set");
    if (!d) {
        fvi_dataset_release(&content);
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

fv_status fvi_dataset_make(fv_dataset **dataset, const char *name, fvi_store *store, int32_t *label,
                           int count, int classes)
{
    fv_dataset content = {.count = count, .classes = classes, .store = store, .label = label};
    return fvi_dataset_publish(dataset, content, name, NULL);
}

/* What fvi_store_keep left out leaves its label and target, too. */
static void dataset_close_up(fv_dataset *d, const int *kept, int n)
{
    size_t row = (size_t)d->classes;
    for (int i = 0; i < n; i++) {
        if (d->label) d->label[i] = d->label[kept[i]];
        if (d->target)
            memmove(d->target + (size_t)i * row, d->target + (size_t)kept[i] * row,
                    row * sizeof *d->target);
    }
    fvi_free(d->index);
    d->index = NULL;
    d->count = n;
}

size_t fvi_memory_budget(const fv_dataset_config *config)
{
    size_t most = config->memory_bytes > 0 ? config->memory_bytes : DATASET_MEMORY;
    size_t limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit();
    return most < limit ? most : limit;
}

fv_status fvi_dataset_keep(fv_dataset *d, const fv_dataset_config *config)
{
    size_t all;
    if (d->store->memory || !fvi_mul(&all, d->store->bytes, (size_t)d->count) ||
        all > fvi_memory_budget(config))
        return FV_OK;
    fvi_store *store;
    int *kept, n;
    FVI_TRY(fvi_store_keep(&store, &kept, &n, fvi_store_hold(d->store), d->index, d->count,
                           config->threads));
    const char *why = fvi_store_skip_text(store, 0);
    fv_status status = n > 0 || d->count == 0 ? FV_OK
                                              : fvi_fail(FV_E_FORMAT,
                                                         "none of %d pictures can be read; the "
                                                         "first: %s",
                                                         d->count, why ? why : "no reason");
    if (status == FV_OK) {
        dataset_close_up(d, kept, n);
        fvi_store_drop(d->store);
        d->store = fvi_store_hold(store);
    }
    fvi_store_drop(store);
    fvi_free(kept);
    return status;
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

/* Labels or targets of d->count pictures, and the names of the classes checked. */
static fv_status dataset_take_y(fv_dataset *d, const fv_tensor *y, const char *const *classes,
                                int n_classes)
{
    FVI_TRY(dataset_check_classes(classes, n_classes));
    if (!y->data) return fvi_fail(FV_E_ARG, "y has no data");
    d->classes = n_classes;
    if (fvi_is_integer(y->dtype))
        FVI_TRY(fvi_dataset_labels(&d->label, &d->classes, y, d->count));
    else
        FVI_TRY(dataset_take_targets(d, y));
    return classes ? dataset_check_classes(classes, d->classes) : FV_OK;
}

/* x copied into memory of its own. */
static fv_status dataset_take_x(fv_dataset *d, const fv_tensor *x, const fv_shape *shape,
                                size_t each)
{
    size_t bytes;
    if (x->dtype == FV_FLOAT32) FVI_TRY(fvi_dataset_check_finite(x->data, d->count, each, "x"));
    if (!fvi_mul(&bytes, (size_t)d->count * each, fv_dtype_size(x->dtype)))
        return fvi_fail(FV_E_MEMORY, "x is larger than memory");
    void *copy = fvi_copy(x->data, bytes, "pictures");
    return copy ? fvi_store_memory(&d->store, *shape, x->dtype, d->count, copy) : FV_E_MEMORY;
}

fv_status fv_dataset_from_arrays(fv_dataset **dataset, const fv_tensor *x, const fv_tensor *y,
                                 const char *const *classes, int n_classes)
{
    if (!dataset) return fvi_fail(FV_E_ARG, "fv_dataset_from_arrays: dataset is NULL");
    *dataset = NULL;
    if (!x || !y) return fvi_fail(FV_E_ARG, "fv_dataset_from_arrays: %s is NULL", x ? "y" : "x");
    fv_shape shape;
    size_t each;
    FVI_TRY(dataset_check_x(&shape, &each, x));
    fv_dataset d = {.count = x->shape.dim[0]};
    fv_status status = dataset_take_y(&d, y, classes, n_classes);
    if (status == FV_OK) status = dataset_take_x(&d, x, &shape, each);
    if (status != FV_OK) {
        fvi_dataset_release(&d);
        return status;
    }
    return fvi_dataset_publish(dataset, d, "arrays", classes);
}

/* ---- from a function ---- */

typedef struct dataset_source_store {
    fvi_store head;
    fv_dataset_source source;
} dataset_source_store;

static fv_status dataset_source_read(fvi_store *store, void *out, int i, uint32_t epoch)
{
    const fv_dataset_source *source = &((dataset_source_store *)store)->source;
    const char *why = NULL;
    (void)epoch;
    if (source->read(source->user, out, i, &why)) return FV_OK;
    return fvi_fail(FV_E_FORMAT, "%s", why ? why : "the source cannot read a picture");
}

static void dataset_source_free(fvi_store *store)
{
    const fv_dataset_source *source = &((dataset_source_store *)store)->source;
    if (source->free) source->free(source->user);
}

static const fvi_store_kind dataset_source_kind = {.read = dataset_source_read,
                                                   .free = dataset_source_free};

static fv_status dataset_check_source(const fv_dataset_source *source)
{
    size_t each;
    if (!source->read) return fvi_fail(FV_E_ARG, "fv_dataset_from_source: read is NULL");
    if (source->dtype != FV_UINT8 && source->dtype != FV_FLOAT32)
        return fvi_fail(FV_E_ARG, "pictures of a source are %s, expected uint8 or float32",
                        fv_dtype_name(source->dtype));
    FVI_TRY(fvi_shape_count(&each, &source->shape));
    if ((source->shape.rank != 1 && source->shape.rank != 3) || each == 0 || source->count < 1)
        return fvi_fail(FV_E_SHAPE,
                        "a source of %d pictures of rank %d, expected at least one of [H,W,C] or "
                        "[D], nothing empty",
                        source->count, source->shape.rank);
    return FV_OK;
}

fv_status fv_dataset_from_source(fv_dataset **dataset, const fv_dataset_source *source,
                                 const fv_tensor *y, const char *const *classes, int n_classes)
{
    if (!dataset || !source || !y)
        return fvi_fail(FV_E_ARG, "fv_dataset_from_source: %s is NULL",
                        !dataset ? "dataset"
                        : source ? "y"
                                 : "source");
    *dataset = NULL;
    fv_dataset d = {.count = source->count};
    dataset_source_store *s = NULL;
    fv_status status = dataset_check_source(source);
    if (status == FV_OK) {
        s = fvi_store_new(sizeof *s, &dataset_source_kind, source->shape, source->dtype,
                          source->count, NULL);
        status = s ? FV_OK : FV_E_MEMORY;
    }
    if (!s) {
        if (source->free) source->free(source->user);
        return status;
    }
    s->source = *source;
    s->head.is_serial = !source->is_parallel;
    s->head.is_tolerant = !source->strict;
    d.store = &s->head;
    status = dataset_take_y(&d, y, classes, n_classes);
    if (status == FV_OK) return fvi_dataset_publish(dataset, d, "source", classes);
    fvi_dataset_release(&d);
    return status;
}

/* ---- opening: made or files ---- */

fv_status fv_dataset_open(fv_dataset **dataset, const char *path, fv_split split,
                          const fv_dataset_config *config)
{
    const fv_dataset_config all_default = {0};
    if (!dataset) return fvi_fail(FV_E_ARG, "fv_dataset_open: dataset is NULL");
    *dataset = NULL;
    if (!path) return fvi_fail(FV_E_ARG, "fv_dataset_open: path is NULL");
    if (split != FV_TRAIN && split != FV_TEST && split != FV_VALIDATION)
        return fvi_fail(FV_E_ARG,
                        "fv_dataset_open: split is %d, expected FV_TRAIN, FV_TEST or FV_VALIDATION",
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
    return dataset ? dataset->store->shape : (fv_shape){0};
}

int fv_dataset_classes(const fv_dataset *dataset)
{
    return dataset ? dataset->classes : 0;
}

const char *fv_dataset_class(const fv_dataset *dataset, int i)
{
    return dataset && i >= 0 && i < dataset->classes ? dataset->class_name[i] : NULL;
}

fv_dtype fv_dataset_dtype(const fv_dataset *dataset)
{
    return dataset ? dataset->store->dtype : FV_UINT8;
}

bool fv_dataset_is_in_memory(const fv_dataset *dataset)
{
    return dataset && dataset->store->memory;
}

fv_tensor fv_dataset_x(const fv_dataset *dataset)
{
    if (!dataset) return (fv_tensor){0};
    const fvi_store *store = dataset->store;
    fv_tensor x = {.dtype = store->dtype, .shape.rank = store->shape.rank + 1};
    /* a tensor is a view that may be written; of these pictures the header says: read only */
    if (!dataset->index) x.data = store->memory;
    x.shape.dim[0] = dataset->count;
    for (int i = 0; i < store->shape.rank; i++) {
        x.shape.dim[i + 1] = store->shape.dim[i];
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

int fvi_dataset_at(const fv_dataset *dataset, int i)
{
    return dataset->index ? dataset->index[i] : i;
}

fv_status fv_dataset_read(const fv_dataset *dataset, void *out, int i)
{
    if (!dataset || !out)
        return fvi_fail(FV_E_ARG, "fv_dataset_read: %s is NULL", dataset ? "out" : "dataset");
    if (i < 0 || i >= dataset->count)
        return fvi_fail(FV_E_ARG, "fv_dataset_read: picture %d, expected 0 to %d", i,
                        dataset->count - 1);
    return fvi_store_read(dataset->store, out, fvi_dataset_at(dataset, i), 0);
}

const char *fv_dataset_path(const fv_dataset *dataset, int i)
{
    if (!dataset || i < 0 || i >= dataset->count || !dataset->store->kind->path) return NULL;
    return dataset->store->kind->path(dataset->store, fvi_dataset_at(dataset, i));
}

int fv_dataset_boxes(const fv_dataset *dataset, int i, fv_box *boxes, int room)
{
    if (!dataset || i < 0 || i >= dataset->count || (!boxes && room > 0)) return 0;
    const fvi_store *store = dataset->store;
    return store->kind->boxes ? store->kind->boxes(store, boxes, room, fvi_dataset_at(dataset, i))
                              : 0;
}

int fv_dataset_skipped(const fv_dataset *dataset)
{
    return dataset ? fvi_store_skips(dataset->store) : 0;
}

const char *fv_dataset_skipped_text(const fv_dataset *dataset, int i)
{
    return dataset && i >= 0 ? fvi_store_skip_text(dataset->store, i) : NULL;
}

fv_resize fv_dataset_resize(const fv_dataset *dataset)
{
    return dataset ? dataset->resize : FV_RESIZE_STRETCH;
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
