/* SPDX-License-Identifier: MIT */
/* Transposes a matrix of weights into a panel. */
#include "kernels/conv_internal.h"

typedef float transpose_quad __attribute__((vector_size(16), aligned(4), may_alias));

/* to[d * width + c] = from[c * depth + d] for 4 c, 4 d. */
static inline void transpose_square(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth)
{
    const transpose_quad a = *(const transpose_quad *)from,
                         b = *(const transpose_quad *)(from + depth);
    const transpose_quad c = *(const transpose_quad *)(from + 2 * depth);
    const transpose_quad d = *(const transpose_quad *)(from + 3 * depth);
    const transpose_quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const transpose_quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const transpose_quad ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const transpose_quad cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(transpose_quad *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(transpose_quad *)(to + width) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(transpose_quad *)(to + 2 * width) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(transpose_quad *)(to + 3 * width) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

/* to[d * width + c] = from[c * depth + d]; whole cache lines are read at a time, since rows that
   lie a power of two apart drive each other out of the cache. */
void fvi_conv_transpose(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth,
                        ptrdiff_t columns)
{
    ptrdiff_t d0 = 0;
    for (; d0 + 16 <= depth; d0 += 16) {
        for (ptrdiff_t c = 0; c + 4 <= columns; c += 4) {
            for (ptrdiff_t d = d0; d < d0 + 16; d += 4)
                transpose_square(to + d * width + c, width, from + c * depth + d, depth);
        }
    }
    const ptrdiff_t square = columns - columns % 4;
    for (ptrdiff_t c = 0; c < columns; ++c) {
        for (ptrdiff_t d = c < square ? d0 : 0; d < depth; ++d)
            to[d * width + c] = from[c * depth + d];
    }
}
