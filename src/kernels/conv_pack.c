/* SPDX-License-Identifier: MIT */
/* Copies for convolution: rows of pixels with their padding, weights into panels. */
#include "kernels/conv_internal.h"

#include <string.h>

typedef float pack_quad __attribute__((vector_size(16), aligned(4), may_alias));

/* to[d * width + c] = from[c * depth + d] for 4 c, 4 d. */
static inline void pack_square(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth)
{
    const pack_quad a = *(const pack_quad *)from, b = *(const pack_quad *)(from + depth);
    const pack_quad c = *(const pack_quad *)(from + 2 * depth);
    const pack_quad d = *(const pack_quad *)(from + 3 * depth);
    const pack_quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const pack_quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const pack_quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const pack_quad cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(pack_quad *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(pack_quad *)(to + width) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(pack_quad *)(to + 2 * width) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(pack_quad *)(to + 3 * width) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

/* to[d * width + c] = from[c * depth + d]: whole cache lines are read at a time, since rows that
   lie a power of two apart drive each other out of the cache. */
static void pack_transpose(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth,
                           ptrdiff_t columns)
{
    ptrdiff_t d0 = 0;
    for (; d0 + 16 <= depth; d0 += 16) {
        for (ptrdiff_t c = 0; c + 4 <= columns; c += 4) {
            for (ptrdiff_t d = d0; d < d0 + 16; d += 4)
                pack_square(to + d * width + c, width, from + c * depth + d, depth);
        }
    }
    const ptrdiff_t square = columns - columns % 4;
    for (ptrdiff_t c = 0; c < columns; ++c) {
        for (ptrdiff_t d = c < square ? d0 : 0; d < depth; ++d)
            to[d * width + c] = from[c * depth + d];
    }
}

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

/* Columns [c0, c0 + columns) of one tap's [depth][columns] matrix, stored plain or transposed. */
static void pack_tap(float *to, ptrdiff_t width, const float *from, const fvi_gather *g,
                     ptrdiff_t c0, ptrdiff_t columns)
{
    if (g->is_transposed) pack_transpose(to, width, from + c0 * g->depth, g->depth, columns);
    for (ptrdiff_t d = 0; d < g->depth; ++d, to += width) {
        if (!g->is_transposed) memcpy(to, from + d * g->columns + c0, (size_t)columns * sizeof *to);
        for (ptrdiff_t c = columns; c < width; ++c)
            to[c] = 0;
    }
}

void fvi_gather_pack(float *to, ptrdiff_t width, const fvi_gather *g, ptrdiff_t c0)
{
    const ptrdiff_t left = g->columns - c0, columns = width < left ? width : left;
    for (ptrdiff_t i = 0; i < g->h.taps; ++i) {
        for (ptrdiff_t j = 0; j < g->w.taps; ++j, to += g->depth * width) {
            const ptrdiff_t kh = g->h.kernel_first + i * g->h.kernel_step;
            const ptrdiff_t kw = g->w.kernel_first + j * g->w.kernel_step;
            const float *from = g->weights + (kh * g->kernel_w + kw) * g->depth * g->columns;
            pack_tap(to, width, from, g, c0, columns);
        }
    }
}
