/* SPDX-License-Identifier: MIT */
/* Sizes: does an array fit memory, does a window fit its input. */
#include "textbook/tb_check.h"

#include <limits.h>

fv_status fvi_tb_array(const char *who, const char *array, int rank, const int *size)
{
    const size_t limit = (size_t)PTRDIFF_MAX / sizeof(double);
    size_t count = 1;
    /* The batch comes last, so that an image too large is found even when there are 0 of them. */
    for (int k = rank - 1; k >= 0; k--) {
        const size_t factor = (size_t)size[k];
        if (factor != 0 && count > limit / factor)
            return fvi_fail(FV_E_SHAPE,
                            "%s: %s has more elements than memory can hold; at most %zu are "
                            "expected; use smaller sizes",
                            who, array, limit);
        count *= factor;
    }
    return FV_OK;
}

fv_status fvi_tb_axis(int *out, const char *who, const char *axis, int n, int kernel, int stride,
                      int before, int after, int dilation)
{
    if (n < 1 || kernel < 1 || stride < 1 || dilation < 1)
        return fvi_fail(FV_E_SHAPE,
                        "%s: along the %s the input is %d, the kernel %d, the stride %d, the "
                        "dilation %d; each is expected to be at least 1",
                        who, axis, n, kernel, stride, dilation);
    if (before < 0 || after < 0)
        return fvi_fail(FV_E_SHAPE,
                        "%s: along the %s the pads are %d and %d; at least 0 is expected", who,
                        axis, before, after);
    const int64_t padded = (int64_t)n + before + after;
    const int64_t extent = (int64_t)(kernel - 1) * dilation + 1;
    if (padded > INT_MAX)
        return fvi_fail(FV_E_SHAPE,
                        "%s: along the %s the padded input is %lld; at most %d is expected", who,
                        axis, (long long)padded, INT_MAX);
    if (extent > padded)
        return fvi_fail(FV_E_SHAPE,
                        "%s: along the %s a kernel that spans %lld does not fit a padded input of "
                        "%lld; use a smaller kernel or more padding",
                        who, axis, (long long)extent, (long long)padded);
    *out = (int)((padded - extent) / stride) + 1;
    return FV_OK;
}

void fvi_tb_zero(double *array, ptrdiff_t count)
{
    if (array == NULL) return;
    for (ptrdiff_t k = 0; k < count; k++)
        array[k] = 0.0;
}
