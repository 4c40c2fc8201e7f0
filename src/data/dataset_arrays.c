/* SPDX-License-Identifier: MIT */
/* Data sets in arrays of files: checked and made; NPY, IDX and CIFAR. HDF5 and NPZ are next door. */
#include "data/data_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARRAYS_HEAD FVI_NPY_HEAD /* enough of a file for its head, whatever it is */

/* ---- arrays to a data set ---- */

static fv_status arrays_check_x(fv_shape *shape, const fvi_array *x)
{
    char text[FVI_SHAPE_TEXT];
    size_t all;
    if (x->shape.rank != 3 && x->shape.rank != 4)
        return fvi_fail(FV_E_SHAPE, "shape is %s, expected [N,H,W,C] or [N,H,W]",
                        fvi_shape_text(text, &x->shape));
    if (x->dtype != FV_UINT8 && x->dtype != FV_FLOAT32 && x->dtype != FV_FLOAT64)
        return fvi_fail(FV_E_FORMAT, "pixels are %s, expected uint8, float32 or float64",
                        fv_dtype_name(x->dtype));
    FVI_TRY(fvi_shape_count(&all, &x->shape));
    if (all == 0)
        return fvi_fail(FV_E_SHAPE, "shape is %s: it is empty, expected at least one picture",
                        fvi_shape_text(text, &x->shape));
    *shape = fvi_shape_of(x->shape.rank - 1, x->shape.dim + 1);
    if (shape->rank == 2) {
        shape->rank = 3;
        shape->dim[2] = 1;
    }
    return FV_OK;
}

/* float64 pixels become float32. */
static fv_status arrays_narrow(fvi_array *x)
{
    size_t count;
    if (x->dtype != FV_FLOAT64) return FV_OK;
    FVI_TRY(fvi_shape_count(&count, &x->shape));
    float *narrow = fvi_alloc(count, sizeof *narrow, "pictures");
    if (!narrow) return FV_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        narrow[i] = (float)((const double *)x->data)[i];
    }
    fvi_free(x->data);
    x->data = narrow;
    x->dtype = FV_FLOAT32;
    return FV_OK;
}

/* The store of the pictures; of rows that stay in their file only the shape is checked here. */
static fv_status arrays_store(fvi_store **store, fvi_raw *raw)
{
    size_t each;
    fv_shape shape;
    int count = raw->x.shape.rank > 0 ? raw->x.shape.dim[0] : 0;
    *store = NULL;
    FVI_TRY(arrays_check_x(&shape, &raw->x));
    if (raw->rows.reader || raw->rows.hdf5) return fvi_rows_open(store, &raw->rows, shape, count);
    FVI_TRY(arrays_narrow(&raw->x));
    FVI_TRY(fvi_shape_count(&each, &shape));
    if (raw->x.dtype == FV_FLOAT32)
        FVI_TRY(fvi_dataset_check_finite(raw->x.data, count, each, "pixels"));
    void *x = raw->x.data;
    raw->x.data = NULL;
    return fvi_store_memory(store, shape, raw->x.dtype, count, x);
}

fv_status fvi_arrays_make(fv_dataset **dataset, const char *name, fvi_raw *raw)
{
    char path[FVI_SAFE_TEXT], array[FVI_SAFE_TEXT];
    fvi_store *store;
    int32_t *label = NULL;
    const fv_tensor y = {raw->y.shape, raw->y.dtype, raw->y.data};
    const char *at = raw->x_name;
    *dataset = NULL;
    fv_status status = arrays_store(&store, raw);
    if (status == FV_OK) {
        at = raw->y_name;
        status = fvi_dataset_labels(&label, &raw->classes, &y, store->count);
    }
    if (status != FV_OK) {
        status =
            fvi_fail_in(status, "\"%s\": %s", fvi_path_text(path, raw->path), fvi_safe(array, at));
        fvi_store_drop(store);
    } else {
        status = fvi_dataset_make(dataset, name, store, label, store->count, raw->classes);
    }
    fvi_raw_free(raw);
    return status;
}

void fvi_raw_free(fvi_raw *raw)
{
    fvi_array_free(&raw->x);
    fvi_array_free(&raw->y);
    fvi_rows_close(&raw->rows);
}

bool fvi_arrays_fit(const fv_shape *shape, fv_dtype dtype, const fv_dataset_config *config)
{
    size_t count, bytes;
    if (fvi_shape_count(&count, shape) != FV_OK) return true; /* reading will say why not */
    return fvi_mul(&bytes, count, fv_dtype_size(dtype)) && bytes <= fvi_memory_budget(config);
}

/* ---- names of classes ---- */

fv_status fvi_classes_of_numbers(fvi_value **classes, const fvi_array *numbers, const char *name)
{
    char text[24];
    const fv_tensor all = {numbers->shape, numbers->dtype, numbers->data};
    *classes = NULL;
    if (!fvi_is_integer(all.dtype))
        return fvi_fail(FV_E_FORMAT, "%s is %s, expected integers or strings", name,
                        fv_dtype_name(all.dtype));
    fvi_value *list = fvi_value_list();
    fv_status status = list ? FV_OK : FV_E_MEMORY;
    for (int i = 0; status == FV_OK && i < all.shape.dim[0]; i++) {
        snprintf(text, sizeof text, "%" PRId64, fvi_integer_at(&all, (size_t)i));
        status = fvi_value_push(list, fvi_value_string(text));
    }
    if (status == FV_OK) {
        *classes = list;
        return FV_OK;
    }
    fvi_value_free(list);
    return status;
}

fv_status fvi_dataset_take_names(fv_dataset *dataset, const fvi_value *classes)
{
    const char **names = fvi_alloc(classes->count, sizeof *names, "names of classes");
    if (!names) return FV_E_MEMORY;
    for (size_t i = 0; i < classes->count; i++) {
        names[i] = classes->item[i]->string;
    }
    fv_status status = fvi_dataset_name_classes(dataset, names);
    fvi_free((void *)names);
    return status;
}

/* ---- one file with one array: NPY, or IDX, plain or gzipped ---- */

static fv_status arrays_read_whole(fvi_array *array, const char *path, size_t limit)
{
    unsigned char *bytes, *inflated = NULL;
    size_t size;
    FVI_TRY(fvi_file_read(&bytes, &size, path, limit));
    fv_status status = FV_OK;
    if (fvi_gzip_is(bytes, size)) {
        status = fvi_gzip_read(&inflated, &size, bytes, size, limit);
        fvi_free(bytes);
        bytes = inflated;
    }
    if (status == FV_OK)
        status = fvi_npy_is(bytes, size) ? fvi_npy_read(array, bytes, size)
                                         : fvi_idx_read(array, bytes, size);
    fvi_free(bytes);
    return status;
}

/* Rows of a plain file that is too large to be kept: *is_rows, and what its head says. */
static fv_status arrays_try_rows(bool *is_rows, fvi_raw *raw, const char *path,
                                 const fv_dataset_config *config)
{
    fvi_reader *reader;
    *is_rows = false;
    FVI_TRY(fvi_reader_open(&reader, path));
    uint64_t file_size = fvi_reader_size(reader);
    size_t size = file_size < ARRAYS_HEAD ? (size_t)file_size : ARRAYS_HEAD;
    unsigned char *head = NULL;
    fv_status status = FV_OK;
    if (file_size > fvi_memory_budget(config)) {
        head = fvi_alloc(size, 1, "the head of a file");
        status = head ? fvi_reader_at(reader, head, size, 0) : FV_E_MEMORY;
    }
    if (head && status == FV_OK && fvi_npy_is(head, size)) {
        fvi_npy_head npy;
        status = fvi_npy_head_read(&npy, head, size, file_size);
        *is_rows = status == FV_OK && !npy.is_fortran;
        raw->x = (fvi_array){npy.shape, npy.dtype, NULL};
        raw->rows =
            (fvi_rows){.offset = npy.data_offset, .is_swapped = npy.is_swapped, .dtype = npy.dtype};
    } else if (head && status == FV_OK && !fvi_gzip_is(head, size)) {
        fvi_idx_head idx;
        status = fvi_idx_head_read(&idx, head, size, file_size);
        *is_rows = status == FV_OK;
        raw->x = (fvi_array){idx.shape, idx.dtype, NULL};
        raw->rows =
            (fvi_rows){.offset = idx.data_offset, .is_swapped = idx.is_swapped, .dtype = idx.dtype};
    }
    fvi_free(head);
    if (*is_rows)
        raw->rows.reader = reader;
    else
        fvi_reader_close(reader);
    return status;
}

fv_status fvi_arrays_open(fv_dataset **dataset, const char *folder, const char *x_name,
                          const char *y_name, const fv_dataset_config *config)
{
    char safe[FVI_SAFE_TEXT];
    size_t limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit();
    fvi_raw raw = {.path = folder, .x_name = x_name, .y_name = y_name};
    char *x = fvi_path_join(folder, x_name), *y = x ? fvi_path_join(folder, y_name) : NULL;
    bool is_rows = false;
    *dataset = NULL;
    fv_status status = y ? arrays_try_rows(&is_rows, &raw, x, config) : FV_E_MEMORY;
    if (status == FV_OK && !is_rows) status = arrays_read_whole(&raw.x, x, limit);
    if (status != FV_OK && y && status != FV_E_IO)
        status = fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, x));
    if (status == FV_OK) {
        status = arrays_read_whole(&raw.y, y, limit);
        if (status != FV_OK && status != FV_E_IO)
            status = fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, y));
    }
    if (status == FV_OK) status = fvi_arrays_make(dataset, x, &raw);
    fvi_raw_free(&raw);
    fvi_free(x);
    fvi_free(y);
    return status;
}

/* ---- CIFAR: several files, one after the other ---- */

/* Append the pictures and labels of one file. */
static fv_status arrays_add_cifar(fvi_raw *raw, int *classes, const char *path, size_t limit)
{
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes;
    size_t size;
    fvi_array x = {0}, y = {0};
    FVI_TRY(fvi_file_read(&bytes, &size, path, limit));
    int found = *classes ? *classes : fvi_cifar_classes(bytes, size, size);
    *classes = found ? found : 10;
    fv_status status = fvi_cifar_read(&x, &y, bytes, size, *classes);
    fvi_free(bytes);
    if (status != FV_OK) return fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
    size_t old = (size_t)(raw->x.data ? raw->x.shape.dim[0] : 0), more = (size_t)x.shape.dim[0];
    size_t each = (size_t)3072;
    unsigned char *all_x = NULL, *all_y = NULL;
    if (!raw->x.data) {
        raw->x = x;
        raw->y = y;
        return FV_OK;
    }
    if (old + more > INT32_MAX / each)
        status = fvi_fail(FV_E_MEMORY, "more pictures than a set of CIFAR has");
    if (status == FV_OK) {
        all_x = fvi_grow(raw->x.data, old * each, (old + more) * each, 1, "pictures");
        if (all_x) raw->x.data = all_x;
        all_y = all_x ? fvi_grow(raw->y.data, old, old + more, 1, "labels") : NULL;
        if (all_y) raw->y.data = all_y;
        status = all_y ? FV_OK : FV_E_MEMORY;
    }
    if (status == FV_OK) {
        memcpy(all_x + old * each, x.data, more * each);
        memcpy(all_y + old, y.data, more);
        raw->x.shape.dim[0] = raw->y.shape.dim[0] = (int)(old + more);
    }
    fvi_array_free(&x);
    fvi_array_free(&y);
    return status;
}

/* batches.meta.txt, fine_label_names.txt: a name a line. No such file, or another number of them:
   the numbers stay. */
static fv_status arrays_name_cifar(fv_dataset *dataset, const char *folder)
{
    const char *file = dataset->classes == 10 ? "batches.meta.txt" : "fine_label_names.txt";
    const char *names[128];
    unsigned char *bytes = NULL;
    size_t size;
    int count = 0;
    char *path = fvi_path_join(folder, file), *rest = NULL;
    if (!path) return FV_E_MEMORY;
    fv_status status =
        fvi_file_exists(path) ? fvi_file_read(&bytes, &size, path, 1 << 16) : FV_E_IO;
    fvi_free(path);
    if (status != FV_OK) return status == FV_E_MEMORY && fvi_is_out_of_memory() ? status : FV_OK;
    for (char *name = strtok_r((char *)bytes, "\r\n", &rest); name && count < (int)FVI_COUNT(names);
         name = strtok_r(NULL, "\r\n", &rest)) {
        names[count++] = name;
    }
    if (count == dataset->classes) status = fvi_dataset_name_classes(dataset, names);
    fvi_free(bytes);
    return status;
}

fv_status fvi_cifar_open(fv_dataset **dataset, const char *folder, const fvi_value *files,
                         const fv_dataset_config *config)
{
    size_t limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit();
    fvi_raw raw = {.path = folder, .x_name = "pictures", .y_name = "labels"};
    int classes = 0;
    fv_status status = FV_OK;
    *dataset = NULL;
    for (size_t i = 0; status == FV_OK && i < files->count; i++) {
        char *path = fvi_path_join(folder, files->item[i]->string);
        status = path ? arrays_add_cifar(&raw, &classes, path, limit) : FV_E_MEMORY;
        fvi_free(path);
    }
    raw.classes = classes;
    if (status == FV_OK) status = fvi_arrays_make(dataset, folder, &raw);
    fvi_raw_free(&raw);
    if (status == FV_OK) status = arrays_name_cifar(*dataset, folder);
    if (status == FV_OK) return FV_OK;
    fv_dataset_free(*dataset);
    *dataset = NULL;
    return status;
}
