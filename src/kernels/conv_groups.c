/* SPDX-License-Identifier: MIT */
/* Grouped convolution: each group is a convolution of its slice of channels. */

/* Groups that fill a vector side by side have kernels of their own, kernels_groups.h, where the kernel
   is 3 wide without strides or gaps. Other small groups would leave vectors half empty, so several of
   them are taken as one convolution whose weights are zero between them. (Where the input is not
   finite, the zeros carry it over to the neighbours.) The weights of such a block of groups are
   copied together; everything else stays where it is, with pixels as far apart as all channels are
   wide. */

#include "kernels/conv_internal.h"
#include "kernels/depthwise.h"

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

/* ---- groups that fill a vector side by side ---- */

#define GROUPS_ROW (FVI_GROUP_LANES / 2 * (FVI_GROUP_OUTS_MAX + 2) * FVI_GROUP_LANES)
#define GROUPS_BAND 131072     /* floats of a task's input and output */
#define GROUPS_TASKS 16        /* fewest tasks, where there are rows enough */
#define GROUPS_ALONE 1000000.0 /* multiply-adds below which no thread is woken */

/* Forward, or the input gradient, which is the same with the kernel turned about. */
typedef struct groups_direct {
    const fvi_depthwise_table *table;
    const float *source, *weights, *start, *mask;
    float *out;
    ptrdiff_t N, source_h, source_w, out_h, out_w, pad_top, pad_left;
    ptrdiff_t KH, size, channels; /* of a group, of all */
    ptrdiff_t blocks, bands, source_pitch, out_pitch;
    bool is_added, is_clipped;
} groups_direct;

static bool groups_is_direct(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t size = s->C / s->groups;
    return size * s->groups == s->F && k->depthwise->lanes % size == 0 && s->KW == 3 &&
           s->KH <= FVI_GROUP_ROWS && s->SH == 1 && s->SW == 1 && s->DH == 1 && s->DW == 1 &&
           fvi_conv_fits_row(s->pad_left, s->OW, s->W) &&
           fvi_conv_fits_row(2 - s->pad_left, s->W, s->OW);
}

static size_t groups_direct_weights(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->depthwise->lanes, blocks = (s->F - 1) / lanes + 1;
    return (size_t)(blocks * s->KH * s->C / s->groups * 3 * lanes);
}

/* Kernel row i of n filters, the first of which w is at: [channel of the group][3][lane]. */
static void groups_pack_row(float *to, const fvi_kernels *k, const fvi_conv_shape *s,
                            const float *w, ptrdiff_t i, ptrdiff_t n)
{
    const ptrdiff_t lanes = k->depthwise->lanes, size = s->C / s->groups;
    for (ptrdiff_t j = 0; j < 3; ++j)
        k->tiles->narrow(to + j * lanes, 3 * lanes, w + (i * 3 + j) * size * s->F, s->F, size, n);
}

/* The same turned about: from filters to channels, the last tap first. */
static void groups_pack_turned(float *to, const fvi_kernels *k, const fvi_conv_shape *s,
                               const float *w, ptrdiff_t i, ptrdiff_t n)
{
    const ptrdiff_t lanes = k->depthwise->lanes, size = s->C / s->groups;
    for (ptrdiff_t j = 0; j < 3; ++j) {
        const float *tap = w + ((s->KH - 1 - i) * 3 + 2 - j) * size * s->F;
        for (ptrdiff_t lane = 0; lane < n; lane += size, tap += size) {
            for (ptrdiff_t channel = 0; channel < size; ++channel) {
                for (ptrdiff_t c = 0; c < size; ++c)
                    to[(c * 3 + j) * lanes + lane + channel] = tap[channel * s->F + c];
            }
        }
    }
}

/* [block][kernel row][channel of the source's group][3][lane], zeros behind the last lane. */
static void groups_direct_pack(float *to, const fvi_kernels *k, const fvi_conv_shape *s,
                               const float *w, bool is_turned)
{
    const ptrdiff_t lanes = k->depthwise->lanes, size = s->C / s->groups;
    for (ptrdiff_t c0 = 0; c0 < s->F; c0 += lanes) {
        const ptrdiff_t n = fvi_min(lanes, s->F - c0);
        if (n < lanes) memset(to, 0, (size_t)(s->KH * size * 3 * lanes) * sizeof *to);
        for (ptrdiff_t i = 0; i < s->KH; ++i, to += size * 3 * lanes)
            (is_turned ? groups_pack_turned : groups_pack_row)(to, k, s, w + c0, i, n);
    }
}

/* Outputs [o, o + outs) of rows [h0, h1), of one block of channels. Each row of the source is spread
   once for all kernel rows; as many as these are kept. */
static void groups_direct_tile(const groups_direct *d, ptrdiff_t image, ptrdiff_t block,
                               ptrdiff_t o, ptrdiff_t outs, ptrdiff_t h0, ptrdiff_t h1)
{
    float ring[FVI_GROUP_ROWS * GROUPS_ROW];
    const ptrdiff_t lanes = d->table->lanes, c0 = block * lanes, left = o - d->pad_left;
    const ptrdiff_t q0 = fvi_max(0, -left), q1 = fvi_min(outs + 2, d->source_w - left);
    fvi_group_rows_fn *run = d->table->groups[d->size < lanes][outs - 1];
    fvi_group_rows call = {
        .size = d->size,
        .out_step = d->out_pitch,
        .start = d->start ? d->start + c0 : NULL,
        .n = (int)fvi_min(lanes, d->channels - c0),
        .has_left = q0 == 0,
        .has_right = q1 == outs + 2,
        .is_added = d->is_added,
        .is_clipped = d->is_clipped,
        .far_step = outs * lanes * (ptrdiff_t)sizeof(float) / fvi_max(1, d->KH * d->size) + 1,
    };
    fvi_group_spread spread = {
        .rows = 1,
        .pixel = d->source_pitch,
        .places = q1 - q0,
        .size = d->size,
        .ahead = d->source_w * d->source_pitch,
        .n = call.n,
    };
    /* the next band's rows, a piece with each row of this one */
    const ptrdiff_t below = image * d->source_h + h1 - d->pad_top + d->KH - 1;
    const float *x_far = d->source + below * d->source_w * d->source_pitch;
    const float *y_far = d->out + (image * d->out_h + h1) * d->out_w * d->out_pitch;
    const ptrdiff_t kept = fvi_max(1, d->KH); /* rows in the ring */
    ptrdiff_t next = fvi_max(0, h0 - d->pad_top), slot = 0;
    for (ptrdiff_t h = h0; h < h1; ++h) {
        const ptrdiff_t first = h - d->pad_top, i0 = fvi_max(0, -first);
        const ptrdiff_t i1 = fvi_min(d->KH, d->source_h - first);
        for (; next < first + i1; ++next, slot = slot + 1 < kept ? slot + 1 : 0) {
            const ptrdiff_t row = (image * d->source_h + next) * d->source_w + left + q0;
            spread.to = ring + slot * GROUPS_ROW + q0 * lanes;
            spread.from = d->source + row * d->source_pitch + c0;
            d->table->spread(&spread);
        }
        call.taps_h = fvi_max(0, i1 - i0);
        const ptrdiff_t far = ((block * d->out_w + o) * (h1 - h0) + (h - h0) * outs) * lanes;
        call.x_far = (const char *)(x_far + far);
        call.y_far = (const char *)(y_far + far);
        ptrdiff_t at_slot = slot - (next - first - i0);
        at_slot += at_slot < 0 ? kept : 0;
        for (ptrdiff_t i = 0; i < call.taps_h; ++i, at_slot = at_slot + 1 < kept ? at_slot + 1 : 0)
            call.rows[i] = ring + at_slot * GROUPS_ROW;
        call.weights = d->weights + (block * d->KH + i0) * d->size * 3 * lanes;
        const ptrdiff_t at = ((image * d->out_h + h) * d->out_w + o) * d->out_pitch + c0;
        call.out = d->out + at;
        call.mask = d->mask ? d->mask + at : NULL;
        run(&call);
    }
}

static void groups_direct_task(void *context, size_t task)
{
    const groups_direct *d = context;
    const ptrdiff_t image = (ptrdiff_t)task / d->bands, band = (ptrdiff_t)task % d->bands;
    const ptrdiff_t h0 = d->out_h * band / d->bands, h1 = d->out_h * (band + 1) / d->bands;
    const ptrdiff_t tiles = (d->out_w - 1) / d->table->group_outs + 1;
    for (ptrdiff_t block = 0; block < d->blocks; ++block) {
        for (ptrdiff_t t = 0; t < tiles; ++t) {
            const ptrdiff_t o = d->out_w * t / tiles, end = d->out_w * (t + 1) / tiles;
            groups_direct_tile(d, image, block, o, end - o, h0, h1);
        }
    }
}

static void groups_direct_run(const fvi_kernels *k, fvi_threads *threads, groups_direct *d)
{
    const ptrdiff_t lanes = k->depthwise->lanes;
    const ptrdiff_t floats = d->source_h * d->source_w * d->channels;
    d->table = k->depthwise;
    d->blocks = (d->channels - 1) / lanes + 1;
    d->bands = fvi_max(2 * floats / GROUPS_BAND, GROUPS_TASKS / fvi_max(1, d->N));
    d->bands = fvi_max(1, fvi_min(d->bands, d->out_h / 4));
    const double work = (double)(d->N * floats) * (double)(d->KH * 3 * d->size);
    if (work < GROUPS_ALONE) threads = NULL;
    fvi_parallel_for(threads, (size_t)(d->N * d->bands), groups_direct_task, d);
}

/* ---- all groups ---- */

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
    if (!fvi_sum(floats, *floats, weights)) return false;
    if (groups_is_direct(k, s) && groups_direct_weights(k, s) > *floats)
        *floats = groups_direct_weights(k, s);
    return true;
}

void fvi_groups_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                        float *y, const float *x, const float *w, const float *b, bool is_clipped,
                        float *scratch)
{
    if (groups_is_direct(k, s)) {
        groups_direct d = {.source = x,
                           .weights = scratch,
                           .start = b,
                           .out = y,
                           .N = s->N,
                           .source_h = s->H,
                           .source_w = s->W,
                           .out_h = s->OH,
                           .out_w = s->OW,
                           .pad_top = s->pad_top,
                           .pad_left = s->pad_left,
                           .KH = s->KH,
                           .size = s->C / s->groups,
                           .channels = s->C,
                           .source_pitch = s->x_pitch,
                           .out_pitch = s->y_pitch,
                           .is_clipped = is_clipped};
        groups_direct_pack(scratch, k, s, w, false);
        groups_direct_run(k, threads, &d);
        return;
    }
    for (ptrdiff_t i = 0; i < groups_blocks(k, s); ++i) {
        const groups_block block = groups_at(k, s, i);
        groups_pack(scratch, &block, w);
        const fvi_conv_end end = {.bias = b ? b + block.f0 : NULL, .is_clipped = is_clipped};
        fvi_conv_slice(k, threads, &block.s, y + block.f0, x + block.c0, scratch, &end,
                       scratch + groups_weights(&block));
    }
}

void fvi_groups_back(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dx,
                     const float *dy, const float *w, bool is_added, const float *mask,
                     float *scratch)
{
    if (groups_is_direct(k, s)) {
        groups_direct d = {.source = dy,
                           .weights = scratch,
                           .mask = mask,
                           .out = dx,
                           .N = s->N,
                           .source_h = s->OH,
                           .source_w = s->OW,
                           .out_h = s->H,
                           .out_w = s->W,
                           .pad_top = s->KH - 1 - s->pad_top,
                           .pad_left = 2 - s->pad_left,
                           .KH = s->KH,
                           .size = s->C / s->groups,
                           .channels = s->C,
                           .source_pitch = s->y_pitch,
                           .out_pitch = s->x_pitch,
                           .is_added = is_added};
        groups_direct_pack(scratch, k, s, w, true);
        groups_direct_run(k, threads, &d);
        return;
    }
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
