/* SPDX-License-Identifier: MIT */
/* Grouped convolution: each group is a convolution of its slice of channels. */

/* Small groups would leave vectors half empty, so several of them are taken as one convolution whose
   weights are zero between them. (Where the input is not finite, the zeros carry it over to the
   neighbours.) The weights of such a block of groups are copied together; everything else stays
   where it is, with pixels as far apart as all channels are wide. */

#include "kernels/conv_internal.h"

#include <string.h>

/* One block of groups as a convolution of its own, the b-th. */
typedef struct groups_block {
    fvi_conv_shape s;
    ptrdiff_t count;  /* groups in it */
    ptrdiff_t C, F;   /* channels and filters of one group */
    ptrdiff_t c0, f0; /* its first channel and filter */
} groups_block;

/* As many groups as fill a vector with filters, and with channels for the input gradient; these cost
   no more products than the groups alone. */
static ptrdiff_t groups_each(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t C = s->C / s->groups, F = s->F / s->groups, wide = C > F ? C : F;
    const ptrdiff_t most = k->tiles->lanes / wide;
    return most < 1 ? 1 : most < s->groups ? most : s->groups;
}

static groups_block groups_at(const fvi_kernels *k, const fvi_conv_shape *s, ptrdiff_t b)
{
    const ptrdiff_t each = groups_each(k, s), left = s->groups - b * each;
    groups_block block = {.s = *s, .C = s->C / s->groups, .F = s->F / s->groups};
    block.count = left < each ? left : each;
    block.c0 = b * each * block.C;
    block.f0 = b * each * block.F;
    block.s.C = block.count * block.C;
    block.s.F = block.count * block.F;
    block.s.groups = 1;
    return block;
}

static ptrdiff_t groups_blocks(const fvi_kernels *k, const fvi_conv_shape *s)
{
    return (s->groups - 1) / groups_each(k, s) + 1;
}

static ptrdiff_t groups_weights(const groups_block *block)
{
    return block->s.KH * block->s.KW * block->s.C * block->s.F;
}

/* Row c of group i in tap t: of w [taps][C][all filters], of the block's own weights. */
static ptrdiff_t groups_row(const groups_block *block, ptrdiff_t i, ptrdiff_t row)
{
    return row * block->s.y_pitch + block->f0 + i * block->F;
}

static ptrdiff_t groups_block_row(const groups_block *block, ptrdiff_t i, ptrdiff_t row)
{
    const ptrdiff_t t = row / block->C, c = row % block->C;
    return ((t * block->count + i) * block->C + c) * block->s.F + i * block->F;
}

static void groups_pack(float *to, const groups_block *block, const float *w)
{
    const ptrdiff_t rows = block->s.KH * block->s.KW * block->C;
    memset(to, 0, (size_t)groups_weights(block) * sizeof *to);
    for (ptrdiff_t i = 0; i < block->count; ++i) {
        for (ptrdiff_t row = 0; row < rows; ++row)
            memcpy(to + groups_block_row(block, i, row), w + groups_row(block, i, row),
                   (size_t)block->F * sizeof *to);
    }
}

static void groups_unpack(float *dw, const groups_block *block, const float *from)
{
    const ptrdiff_t rows = block->s.KH * block->s.KW * block->C;
    for (ptrdiff_t i = 0; i < block->count; ++i) {
        for (ptrdiff_t row = 0; row < rows; ++row)
            memcpy(dw + groups_row(block, i, row), from + groups_block_row(block, i, row),
                   (size_t)block->F * sizeof *dw);
    }
}

bool fvi_groups_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv_shape *s)
{
    const groups_block block = groups_at(k, s, 0);
    const size_t taps = (size_t)(s->KH * s->KW), C = (size_t)block.s.C, F = (size_t)block.s.F;
    const size_t weights = taps * C * F;
    size_t forward, back, sums;
    if (!fvi_gather_scratch(&forward, k, taps, C, F) || !fvi_gather_scratch(&back, k, taps, F, C) ||
        !fvi_conv_weights_scratch(&sums, k, &block.s))
        return false;
    *floats = forward > back ? forward : back;
    if (sums > *floats) *floats = sums;
    return fvi_sum(floats, *floats, weights);
}

void fvi_groups_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                        float *y, const float *x, const float *w, const float *b, bool is_clipped,
                        float *scratch)
{
    for (ptrdiff_t i = 0; i < groups_blocks(k, s); ++i) {
        const groups_block block = groups_at(k, s, i);
        groups_pack(scratch, &block, w);
        fvi_conv_slice(k, threads, &block.s, y + block.f0, x + block.c0, scratch,
                       b ? b + block.f0 : NULL, is_clipped, scratch + groups_weights(&block));
    }
}

void fvi_groups_back(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dx,
                     const float *dy, const float *w, bool is_added, const float *mask,
                     float *scratch)
{
    for (ptrdiff_t i = 0; i < groups_blocks(k, s); ++i) {
        const groups_block block = groups_at(k, s, i);
        groups_pack(scratch, &block, w);
        fvi_conv_slice_back(k, threads, &block.s, dx + block.c0, dy + block.f0, scratch, is_added,
                            mask ? mask + block.c0 : NULL, scratch + groups_weights(&block));
    }
}

void fvi_groups_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                        float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    for (ptrdiff_t i = 0; i < groups_blocks(k, s); ++i) {
        const groups_block block = groups_at(k, s, i);
        fvi_conv_weights(k, threads, &block.s, scratch, db ? db + block.f0 : NULL, x + block.c0,
                         dy + block.f0, scratch + groups_weights(&block));
        groups_unpack(dw, &block, scratch);
    }
}
