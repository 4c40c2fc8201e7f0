/* SPDX-License-Identifier: MIT */
/* The inside of hdf5.c, hdf5_set.c and hdf5_read.c; the only place that includes libhdf5. */
#ifndef FVI_HDF5_LIB_H
#define FVI_HDF5_LIB_H

#include "formats/formats.h"

#define H5_USE_110_API
#include <hdf5.h>

struct fvi_hdf5 {
    hid_t file;
    uint64_t bytes; /* of the whole file */
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
} fvi_hdf5_set;

/* Open and look at it: layout, filters, shape. After FV_OK the caller closes it. */
fv_status fvi_hdf5_set_open(fvi_hdf5_set *d, const fvi_hdf5 *file, const char *name);
void fvi_hdf5_set_close(fvi_hdf5_set *d);
/* Can the file hold what the data set claims, and is it within the limit? Everything that can be
   said before memory for the elements is taken. */
fv_status fvi_hdf5_set_check(const fvi_hdf5_set *d, size_t limit_bytes);

#endif
