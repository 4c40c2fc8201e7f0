/* SPDX-License-Identifier: MIT */
/* Pictures that are the rows of an array in a file, read one at a time. */
#include "data/data_internal.h"

#include <math.h>

typedef struct rows_store {
    fvi_store head;
    fvi_rows rows;
    size_t each; /* elements of a picture */
} rows_store;

/* size bytes, as they lie there but in this machine's byte order. */
static fv_status rows_fetch(const rows_store *s, void *out, int i)
{
    const fvi_rows *r = &s->rows;
    size_t width = fv_dtype_size(r->dtype), size = s->each * width;
    if (r->hdf5) return fvi_hdf5_read_rows(r->hdf5, r->name, i, 1, out, r->dtype);
    FVI_TRY(fvi_reader_at(r->reader, out, size, r->offset + (uint64_t)i * size));
    if (r->is_swapped) fvi_swap_bytes(out, s->each, width);
    return FV_OK;
}

static fv_status rows_read(fvi_store *store, void *out, int i, uint32_t epoch)
{
    const rows_store *s = (const rows_store *)store;
    float *x = out;
    (void)epoch;
    if (s->rows.dtype != FV_FLOAT64) {
        FVI_TRY(rows_fetch(s, out, i));
    } else {
        double *wide = fvi_alloc(s->each, sizeof *wide, "a picture");
        if (!wide) return FV_E_MEMORY;
        fv_status status = rows_fetch(s, wide, i);
        for (size_t k = 0; status == FV_OK && k < s->each; k++) {
            x[k] = (float)wide[k];
        }
        fvi_free(wide);
        FVI_TRY(status);
    }
    for (size_t k = 0; store->dtype == FV_FLOAT32 && k < s->each; k++) {
        if (!isfinite(x[k]))
            return fvi_fail(FV_E_FORMAT, "sample %d holds %s at %zu, expected numbers", i,
                            isnan(x[k]) ? "NaN" : "infinity", k);
    }
    return FV_OK;
}

static void rows_free(fvi_store *store)
{
    fvi_rows_close(&((rows_store *)store)->rows);
}

static const fvi_store_kind rows_kind = {.read = rows_read, .free = rows_free};

void fvi_rows_close(fvi_rows *rows)
{
    fvi_reader_close(rows->reader);
    fvi_hdf5_close(rows->hdf5);
    fvi_free(rows->name);
    *rows = (fvi_rows){0};
}

fv_status fvi_rows_open(fvi_store **store, fvi_rows *rows, fv_shape shape, int count)
{
    size_t each;
    *store = NULL;
    fv_status status = fvi_shape_count(&each, &shape);
    fv_dtype dtype = rows->dtype == FV_UINT8 ? FV_UINT8 : FV_FLOAT32;
    rows_store *s = NULL;
    if (status == FV_OK) {
        s = fvi_store_new(sizeof *s, &rows_kind, shape, dtype, count, NULL);
        if (!s) status = FV_E_MEMORY;
    }
    if (status != FV_OK) {
        fvi_rows_close(rows);
        return status;
    }
    s->rows = *rows;
    s->each = each;
    s->head.is_serial = rows->hdf5 != NULL; /* libhdf5 is not made for threads */
    *rows = (fvi_rows){0};
    *store = &s->head;
    return FV_OK;
}
