/* SPDX-License-Identifier: MIT */
/* The inside of hdf5*.c; the only place that includes libhdf5. */
#ifndef FVI_HDF5_LIB_H
#define FVI_HDF5_LIB_H

#include "formats/formats.h"

#define H5_USE_110_API
#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h> /* H5FD_class_t */
#endif

typedef struct fvi_hdf5_rows fvi_hdf5_rows;

struct fvi_hdf5 {
    hid_t file;
    fvi_reader *reader;  /* of the same file */
    uint64_t bytes;      /* of the whole file */
    fvi_hdf5_rows *rows; /* hdf5_rows.c: what stays open between calls */
};

/* The library's own state, put back by fvi_hdf5_end: silent, without plugins, used by one thread at
   a time. */
typedef struct fvi_hdf5_guard {
    H5E_auto2_t print;
    void *print_data;
    unsigned plugins;
} fvi_hdf5_guard;

/* Every call of libhdf5 happens between these two; end passes status through. */
fvi_hdf5_guard fvi_hdf5_begin(void);
fv_status fvi_hdf5_end(fvi_hdf5_guard guard, fv_status status);
/* What went wrong deepest inside the call of libhdf5 that just failed. Returns reason. */
const char *fvi_hdf5_reason(char reason[FVI_SAFE_TEXT]);
/* fvi_hdf5_list for a caller that is inside begin and end already. */
fv_status fvi_hdf5_names(const fvi_hdf5 *file, fvi_value **names);

/* ---- hdf5_set.c: one data set that is open ---- */

#define FVI_HDF5_MAX_FILTERS 16

typedef struct fvi_hdf5_set {
    const fvi_hdf5 *file;
    char name[FVI_SAFE_TEXT]; /* made safe, for messages */
    hid_t set, plist, type, space;
    bool met_external;
    H5D_layout_t layout;
    int filters;
    H5Z_filter_t filter[FVI_HDF5_MAX_FILTERS];
    bool deflated;
    fv_shape shape;
    size_t width, bytes; /* of one element in the file; of all */
    /* Of the chunked layout, set by a check: elements of a chunk along each axis, their bytes. */
    size_t chunk[FV_MAX_RANK], chunk_bytes;
    size_t chunks[FV_MAX_RANK]; /* how many along each axis */
    uint64_t stored;            /* bytes of all of them in the file */
} fvi_hdf5_set;

/* Open and look at it: layout, filters, shape. cache_bytes: of chunks that libhdf5 may keep; 0: its
   own idea. After FV_OK the caller closes it. */
fv_status fvi_hdf5_set_open(fvi_hdf5_set *d, const fvi_hdf5 *file, const char *name,
                            size_t cache_bytes);
void fvi_hdf5_set_close(fvi_hdf5_set *d);
/* Can the file hold what the data set claims, and is it within the limit? Everything that can be
   said before memory for the elements is taken. */
fv_status fvi_hdf5_set_check(fvi_hdf5_set *d, size_t limit_bytes);
/* The same without a limit and without looking into chunks, and then into those that hold the rows
   first .. end - 1. seen: a bit for each chunk that was found good and is not looked at again;
   NULL: look at all. */
fv_status fvi_hdf5_set_check_claim(fvi_hdf5_set *d);
fv_status fvi_hdf5_set_check_rows(const fvi_hdf5_set *d, int first, int end, unsigned char *seen);
/* hdf5_read.c: the dtype, and the type in native order to read it as, which the caller closes. */
fv_status fvi_hdf5_set_type(const fvi_hdf5_set *d, fv_dtype *dtype, hid_t *native);

/* hdf5_heap.c: strings of varying length lie in heaps, whose sizes libhdf5 believes. Of contiguous
   sets (others are rare) every string must be in a heap that is whole: FV_E_FORMAT. */
fv_status fvi_hdf5_set_check_heap(const fvi_hdf5_set *d);

/* ---- hdf5_rows.c ---- */

fv_status fvi_hdf5_rows_new(fvi_hdf5_rows **rows);
void fvi_hdf5_rows_free(fvi_hdf5_rows *rows); /* inside begin and end; NULL allowed */

#endif
