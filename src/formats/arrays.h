/* SPDX-License-Identifier: MIT */
/* What hdf5.c needs of zlib, which only arrays.c includes. */
#ifndef FVI_ARRAYS_H
#define FVI_ARRAYS_H

#include "base/base_internal.h"

/* The bytes that a zlib stream inflates to, counted without keeping them. FV_E_FORMAT: cut,
   damaged, or more than limit. */
fv_status fvi_zlib_size(size_t *inflated, const unsigned char *bytes, size_t size, size_t limit);

#endif
