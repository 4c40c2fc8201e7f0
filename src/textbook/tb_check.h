/* SPDX-License-Identifier: MIT */
/* What every textbook function does before its loops: look at its arguments. */
#ifndef FVI_TB_CHECK_H
#define FVI_TB_CHECK_H

#include "base/base_internal.h"

/* who is the public function's name. */
#define FVI_TB_NEED(who, pointer)                                                                  \
    do {                                                                                           \
        if ((pointer) == NULL)                                                                     \
            return fvi_fail(FV_E_ARG, "%s: %s is NULL; a pointer is expected", who, #pointer);     \
    } while (0)

#define FVI_TB_LEAST(who, size, least)                                                             \
    do {                                                                                           \
        if ((size) < (least))                                                                      \
            return fvi_fail(FV_E_SHAPE, "%s: %s is %d; at least %d is expected", who, #size, size, \
                            least);                                                                \
    } while (0)

/* Pass an error of fv_tb_out_size up with the axis it is about. */
#define FVI_TB_TRY_AXIS(who, axis, call)                                                           \
    do {                                                                                           \
        fv_status fvi_tb_status = (call);                                                          \
        if (fvi_tb_status != FV_OK) return fvi_fail_in(fvi_tb_status, "%s, %s", who, axis);        \
    } while (0)

/* Is an array of doubles [size[0], ..., size[rank-1]] one that memory can hold? size[0], the batch,
   may be 0; the others are >= 1. After this no index into the array can overflow a ptrdiff_t. */
fv_status fvi_tb_array(const char *who, const char *array, int rank, const int *size);

/* Output size along one axis of a general window: its extent, (kernel - 1)*dilation + 1, must fit
   n + before + after. */
fv_status fvi_tb_axis(int *out, const char *who, const char *axis, int n, int kernel, int stride,
                      int before, int after, int dilation);

/* Set count doubles to 0: what the sums of a backward function start from. NULL does nothing. */
void fvi_tb_zero(double *array, ptrdiff_t count);

#endif
