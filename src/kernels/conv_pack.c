/* SPDX-License-Identifier: MIT */
/* Copies for convolution: rows of pixels with their padding, weights into panels. */
#include "kernels/conv_internal.h"

#include <string.h>

void fvi_conv_copy(float *to_row, const float *row, ptrdiff_t from, ptrdiff_t to, ptrdiff_t W,
                   ptrdiff_t C)
{
    const ptrdiff_t first = from < 0 ? 0 : from, last = to > W ? W : to;
    const size_t all = (size_t)((to - from) * C) * sizeof *row;
    memset(to_row, 0, all);
    if (first < last)
        memcpy(to_row + (first - from) * C, row + first * C,
               (size_t)((last - first) * C) * sizeof *row);
}

void fvi_gather_pack(const fvi_tile_table *tiles, float *to, ptrdiff_t width, const fvi_gather *g,
                     ptrdiff_t c0)
{
    const ptrdiff_t left = g->columns - c0, columns = width < left ? width : left;
    for (ptrdiff_t i = 0; i < g->h.taps; ++i) {
        for (ptrdiff_t j = 0; j < g->w.taps; ++j, to += g->depth * width) {
            const ptrdiff_t kh = g->h.kernel_first + i * g->h.kernel_step;
            const ptrdiff_t kw = g->w.kernel_first + j * g->w.kernel_step;
            const float *from = g->weights + (kh * g->kernel_w + kw) * g->depth * g->columns;
            if (g->is_transposed)
                tiles->transpose(to, width, from + c0 * g->depth, g->depth, columns);
            else
                tiles->copy(to, width, from + c0, g->columns, g->depth, columns);
        }
    }
}
