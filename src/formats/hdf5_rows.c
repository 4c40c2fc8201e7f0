/* SPDX-License-Identifier: MIT */
/* Rows of an HDF5 data set. It stays open between calls, so that a chunk is checked once and not
   inflated again for each of its rows. */
#ifdef FVI_WITH_HDF5

#include "formats/hdf5_lib.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define ROWS_OPEN 4
#define ROWS_CACHE ((size_t)32 << 20)
#define ROWS_MAX_CACHE ((size_t)128 << 20)

typedef struct rows_set {
    char *name; /* NULL: nothing is open here */
    fvi_hdf5_set set;
    fv_dtype dtype;
    hid_t native;
    unsigned char *seen; /* a bit for each chunk that was looked into */
} rows_set;

struct fvi_hdf5_rows {
    rows_set open[ROWS_OPEN];
    unsigned opened; /* how many so far: the next takes the place of the one opened first */
};

static void rows_close(rows_set *r)
{
    if (r->name != NULL) {
        H5Tclose(r->native);
        fvi_hdf5_set_close(&r->set);
    }
    fvi_free(r->name);
    fvi_free(r->seen);
    *r = (rows_set){0};
}

fv_status fvi_hdf5_rows_new(fvi_hdf5_rows **rows)
{
    *rows = fvi_alloc(1, sizeof **rows, "rows of an HDF5 file");
    return *rows != NULL ? FV_OK : FV_E_MEMORY;
}

void fvi_hdf5_rows_free(fvi_hdf5_rows *rows)
{
    for (int i = 0; rows != NULL && i < ROWS_OPEN; i++)
        rows_close(&rows->open[i]);
    fvi_free(rows);
}

/* What the cache must hold so that rows in order inflate each chunk once: all chunks that have a
   part of one row. */
static fv_status rows_cache(size_t *bytes, const fvi_hdf5_set *d)
{
    *bytes = d->chunk_bytes;
    if (d->chunk_bytes > ROWS_MAX_CACHE)
        return fvi_fail(FV_E_MEMORY, "HDF5 \"%s\": chunks of %zu bytes, the limit for rows is %zu",
                        d->name, d->chunk_bytes, ROWS_MAX_CACHE);
    for (int i = 1; i < d->shape.rank; i++)
        if (!fvi_mul(bytes, *bytes, d->chunks[i]) || *bytes > ROWS_MAX_CACHE)
            *bytes = ROWS_MAX_CACHE;
    return FV_OK;
}

static fv_status rows_open_set(fvi_hdf5_set *d, const fvi_hdf5 *file, const char *name)
{
    size_t bytes;
    FVI_TRY(fvi_hdf5_set_open(d, file, name, ROWS_CACHE));
    fv_status status = fvi_hdf5_set_check_claim(d);
    if (status == FV_OK && d->shape.rank == 0)
        status = fvi_fail(FV_E_SHAPE, "HDF5 \"%s\": one number, which has no rows", d->name);
    if (status == FV_OK) status = rows_cache(&bytes, d);
    if (status == FV_OK && bytes > ROWS_CACHE) {
        fvi_hdf5_set_close(d);
        FVI_TRY(fvi_hdf5_set_open(d, file, name, bytes));
        status = fvi_hdf5_set_check_claim(d);
    }
    if (status != FV_OK) fvi_hdf5_set_close(d);
    return status;
}

static fv_status rows_open(rows_set *r, const fvi_hdf5 *file, const char *name)
{
    FVI_TRY(rows_open_set(&r->set, file, name));
    size_t chunks = 1; /* at most the bytes of the file */
    for (int i = 0; r->set.chunk_bytes > 0 && i < r->set.shape.rank; i++)
        chunks *= r->set.chunks[i];
    fv_status status = fvi_hdf5_set_type(&r->set, &r->dtype, &r->native);
    if (status != FV_OK) {
        fvi_hdf5_set_close(&r->set);
        return status;
    }
    r->name = fvi_strdup(name);
    r->seen = r->name == NULL ? NULL : fvi_alloc(chunks / 8 + 1, 1, "a check of HDF5 chunks");
    if (r->seen != NULL) return FV_OK;
    H5Tclose(r->native);
    fvi_hdf5_set_close(&r->set);
    fvi_free(r->name);
    *r = (rows_set){0};
    return FV_E_MEMORY;
}

/* The set of this name, opened unless it is. */
static fv_status rows_find(rows_set **found, const fvi_hdf5 *file, const char *name)
{
    fvi_hdf5_rows *rows = file->rows;
    for (int i = 0; name != NULL && i < ROWS_OPEN; i++)
        if (rows->open[i].name != NULL && strcmp(rows->open[i].name, name) == 0) {
            *found = &rows->open[i];
            return FV_OK;
        }
    rows_set *place = &rows->open[rows->opened % ROWS_OPEN];
    rows_close(place);
    FVI_TRY(rows_open(place, file, name));
    rows->opened++;
    *found = place;
    return FV_OK;
}

static fv_status rows_select(const rows_set *r, hid_t memory, hsize_t first, const hsize_t *size,
                             void *out)
{
    char reason[FVI_SAFE_TEXT];
    hsize_t start[FV_MAX_RANK] = {first};
    if (memory < 0 ||
        H5Sselect_hyperslab(r->set.space, H5S_SELECT_SET, start, NULL, size, NULL) < 0)
        return fvi_fail(FV_E_MEMORY, "HDF5 \"%s\": %s", r->set.name, fvi_hdf5_reason(reason));
    if (H5Dread(r->set.set, r->native, memory, r->set.space, H5P_DEFAULT, out) < 0)
        return fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": cannot read rows from %" PRIu64 ": %s",
                        r->set.name, (uint64_t)first, fvi_hdf5_reason(reason));
    return FV_OK;
}

static fv_status rows_read(const rows_set *r, int first, int count, void *out)
{
    const fv_shape *shape = &r->set.shape;
    hsize_t size[FV_MAX_RANK] = {(hsize_t)count};
    size_t elements = (size_t)count;
    for (int i = 1; i < shape->rank; i++) {
        size[i] = (hsize_t)shape->dim[i];
        elements *= (size_t)shape->dim[i]; /* at most all, and those were counted */
    }
    if (elements == 0) return FV_OK;
    FVI_TRY(fvi_hdf5_set_check_rows(&r->set, first, first + count, r->seen));
    hid_t memory = H5Screate_simple(shape->rank, size, NULL);
    fv_status status = rows_select(r, memory, (hsize_t)first, size, out);
    if (memory >= 0) H5Sclose(memory);
    unsigned char *flag = out;
    for (size_t i = 0; status == FV_OK && r->dtype == FV_BOOL && i < elements; i++)
        flag[i] = flag[i] != 0;
    return status;
}

static fv_status rows_read_some(const fvi_hdf5 *file, const char *name, int first, int count,
                                void *out, fv_dtype dtype)
{
    rows_set *r;
    FVI_TRY(rows_find(&r, file, name));
    if (dtype != r->dtype)
        return fvi_fail(FV_E_ARG, "HDF5 \"%s\": holds %s, not %s", r->set.name,
                        fv_dtype_name(r->dtype), fv_dtype_name(dtype));
    int rows = r->set.shape.dim[0];
    if (first < 0 || count < 0 || first > rows || count > rows - first)
        return fvi_fail(FV_E_ARG, "HDF5 \"%s\": %d rows from %d, it has %d", r->set.name, count,
                        first, rows);
    return rows_read(r, first, count, out);
}

fv_status fvi_hdf5_read_rows(const fvi_hdf5 *file, const char *name, int first, int count,
                             void *out, fv_dtype dtype)
{
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, rows_read_some(file, name, first, count, out, dtype));
}

static fv_status rows_of_chunk(const fvi_hdf5 *file, const char *name, int *rows)
{
    rows_set *r;
    FVI_TRY(rows_find(&r, file, name));
    size_t along = r->set.chunk_bytes > 0 ? r->set.chunk[0] : 1;
    *rows = along > INT_MAX ? INT_MAX : (int)along;
    return FV_OK;
}

fv_status fvi_hdf5_chunk_rows(const fvi_hdf5 *file, const char *name, int *rows)
{
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, rows_of_chunk(file, name, rows));
}

#else

typedef int rows_nothing; /* built without HDF5: hdf5.c says so */

#endif
