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
#define GROUPS_NEAR 12288      /* floats of x and dy that are spread at once */
#define GROUPS_HIGH 8          /* most rows that are summed over at once */
#define GROUPS_SHARD 1024      /* fewest pixels worth a shard of the weight gradient */
#define GROUPS_COPIES 262144   /* most floats of all shards' copies */

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

/* All windows of a row of out lie inside the source, but for the first tap of the first and the last
   of the last. */
static bool groups_fits_row(ptrdiff_t pad, ptrdiff_t out, ptrdiff_t source)
{
    return pad <= 1 && out - pad < source;
}

static bool groups_is_direct(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t size = s->C / s->groups;
    return size * s->groups == s->F && k->depthwise->lanes % size == 0 && s->KW == 3 &&
           s->KH <= FVI_GROUP_ROWS && s->SH == 1 && s->SW == 1 && s->DH == 1 && s->DW == 1 &&
           groups_fits_row(s->pad_left, s->OW, s->W) &&
           groups_fits_row(2 - s->pad_left, s->W, s->OW);
}

static size_t groups_direct_weights(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->depthwise->lanes, blocks = (s->F - 1) / lanes + 1;
    return (size_t)(blocks * s->KH * s->C / s->groups * 3 * lanes);
}

/* [block][kernel row][channel of the source's group][3][lane], zeros behind the last lane; turned
   about: from filters to channels, the last tap first. */
static void groups_direct_pack(float *to, const fvi_kernels *k, const fvi_conv_shape *s,
                               const float *w, bool is_turned)
{
    const ptrdiff_t lanes = k->depthwise->lanes, size = s->C / s->groups, taps = s->KH * 3;
    for (ptrdiff_t c0 = 0; c0 < s->F; c0 += lanes) {
        const ptrdiff_t n = fvi_min(lanes, s->F - c0);
        for (ptrdiff_t row = 0; row < taps * size; ++row, to += lanes) {
            const ptrdiff_t i = row / (3 * size), c = row / 3 % size, j = row % 3;
            const ptrdiff_t t = is_turned ? taps - 1 - (i * 3 + j) : i * 3 + j;
            if (n < lanes) memset(to, 0, (size_t)lanes * sizeof *to);
            if (!is_turned) memcpy(to, w + (t * size + c) * s->F + c0, (size_t)n * sizeof *to);
            const float *from = w + t * size * s->F + c0 + c;
            for (ptrdiff_t first = 0; is_turned && first < n; first += size) {
                for (ptrdiff_t channel = 0; channel < size; ++channel)
                    to[first + channel] = from[channel * s->F + first];
            }
        }
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
    ptrdiff_t next = fvi_max(0, h0 - d->pad_top);
    for (ptrdiff_t h = h0; h < h1; ++h) {
        const ptrdiff_t first = h - d->pad_top, i0 = fvi_max(0, -first);
        const ptrdiff_t i1 = fvi_min(d->KH, d->source_h - first);
        for (; next < first + i1; ++next) {
            const ptrdiff_t row = (image * d->source_h + next) * d->source_w + left + q0;
            const ptrdiff_t far = ((block * d->out_w + o) * (h1 - h0) + (h - h0) * outs) * lanes;
            spread.to = ring + next % kept * GROUPS_ROW + q0 * lanes;
            spread.from = d->source + row * d->source_pitch + c0;
            spread.x_far = (const char *)(x_far + far);
            spread.y_far = (const char *)(y_far + far);
            d->table->spread(&spread);
        }
        call.taps_h = fvi_max(0, i1 - i0);
        for (ptrdiff_t i = 0; i < call.taps_h; ++i)
            call.rows[i] = ring + (first + i0 + i) % kept * GROUPS_ROW;
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

/* ---- their weight gradient ---- */

/* Images are cut into shards by geometry and batch alone, each with its own dw [block][kernel row]
   [channel of a group][3][lane] and db [block][lane]; these are added in order. A block of channels
   is summed over a few rows at a time. */
typedef struct groups_sum {
    const fvi_depthwise_table *table;
    const fvi_conv_shape *s;
    const float *x, *dy;
    fvi_tile_sums_fn *sums;
    float *copies;
    ptrdiff_t size, blocks, bands, tiles; /* channels of a group; blocks of channels */
    ptrdiff_t shards, parts;              /* each part of the blocks is a task */
} groups_sum;

static bool groups_has_sums(const fvi_kernels *k, const fvi_conv_shape *s)
{
    return s->OW > 1 && groups_is_direct(k, s);
}

static ptrdiff_t groups_shards(const fvi_conv_shape *s)
{
    const ptrdiff_t most = GROUPS_COPIES / ((s->KH * 3 * (s->C / s->groups) + 1) * s->F);
    const ptrdiff_t worth = fvi_min(s->N, s->N * s->OH * s->OW / GROUPS_SHARD);
    return fvi_max(1, fvi_min(fvi_min(most, worth), FVI_CONV_SHARDS));
}

/* Floats of one shard's copy: of dw, and of db. */
static ptrdiff_t groups_copy(const groups_sum *sum)
{
    const ptrdiff_t lanes = sum->table->lanes;
    return sum->blocks * lanes * (sum->s->KH * 3 * sum->size + 1);
}

static groups_sum groups_sum_of(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->depthwise->lanes, size = s->C / s->groups;
    groups_sum sum = {.table = k->depthwise, .s = s, .size = size, .parts = 1};
    sum.sums = k->tiles->sums;
    sum.blocks = (s->F - 1) / lanes + 1;
    sum.tiles = (s->OW - 1) / sum.table->group_outs + 1;
    sum.shards = groups_shards(s);
    return sum;
}

/* A tile of outputs: columns [o, o + outs) of rows [h0, h1) of an image, and where it lies. */
typedef struct groups_area {
    ptrdiff_t image, h0, h1, o, outs, block;
    float *near; /* its rows, spread */
} groups_area;

static ptrdiff_t groups_x_row(const groups_sum *sum)
{
    const ptrdiff_t lanes = sum->table->lanes;
    return (sum->table->group_outs + 2) * (sum->size < lanes ? sum->size : 1) * lanes;
}

/* Kernel row i. */
static void groups_sum_row(const groups_sum *sum, const groups_area *a, ptrdiff_t i,
                           fvi_group_sums *call)
{
    const fvi_conv_shape *s = sum->s;
    const float *x = call->x, *dy = call->dy;
    const ptrdiff_t first = fvi_max(0, a->h0 - s->pad_top); /* row of x, of those copied */
    const ptrdiff_t from = fvi_max(a->h0, s->pad_top - i);
    const ptrdiff_t to = fvi_min(a->h1, s->H + s->pad_top - i);
    if (from >= to) return;
    call->rows = to - from;
    call->x = x + (from - s->pad_top + i - first) * call->x_row;
    call->dy = dy + (from - a->h0) * call->dy_row;
    sum->table->group_sums(call);
    call->x = x;
    call->dy = dy;
}

/* Where a group does not fill a vector: what the kernels want of rows of x, and of those of dy, whose
   last vector may be in part. */
static void groups_sum_spread(const groups_sum *sum, const groups_area *a, fvi_group_sums *call,
                              ptrdiff_t first, ptrdiff_t places, ptrdiff_t rows)
{
    const ptrdiff_t lanes = sum->table->lanes;
    fvi_group_spread spread = {
        .to = a->near + first * lanes,
        .from = call->x + first * call->x_pixel,
        .rows = rows,
        .from_row = call->x_row,
        .to_row = groups_x_row(sum),
        .pixel = call->x_pixel,
        .places = places,
        .size = sum->size,
        .ahead = call->x_row,
        .n = (int)fvi_min(lanes, sum->s->F - a->block * lanes),
        .x_far = (const char *)sum->x, /* nothing: the sums fetch it */
        .y_far = (const char *)sum->x,
    };
    sum->table->spread(&spread);
    call->x = a->near;
    call->x_row = spread.to_row;
    spread.to = a->near + fvi_max(0, rows) * spread.to_row;
    spread.from = call->dy;
    spread.rows = a->h1 - a->h0;
    spread.from_row = spread.ahead = call->dy_row;
    spread.to_row = a->outs * lanes;
    spread.pixel = call->dy_pixel;
    spread.places = a->outs;
    spread.size = lanes;
    sum->table->spread(&spread);
    call->dy = spread.to;
    call->dy_row = spread.to_row;
    call->dy_pixel = lanes;
}

static void groups_sum_tile(const groups_sum *sum, const groups_area *a, float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t lanes = sum->table->lanes, c0 = a->block * lanes, left = a->o - s->pad_left;
    const ptrdiff_t q0 = fvi_max(0, -left), q1 = fvi_min(a->outs + 2, s->W - left);
    const ptrdiff_t x0 = fvi_max(0, a->h0 - s->pad_top);
    const ptrdiff_t x1 = fvi_min(s->H, a->h1 - 1 - s->pad_top + s->KH);
    const ptrdiff_t rows = a->h1 - a->h0, bytes = lanes * (ptrdiff_t)sizeof *dw;
    fvi_group_sums call = {
        .x = sum->x + ((a->image * s->H + x0) * s->W + left) * s->x_pitch + c0,
        .x_row = s->W * s->x_pitch,
        .x_pixel = s->x_pitch,
        .dy = sum->dy + ((a->image * s->OH + a->h0) * s->OW + a->o) * s->y_pitch + c0,
        .dy_row = s->OW * s->y_pitch,
        .dy_pixel = s->y_pitch,
        .outs = a->outs,
        .size = sum->size,
        .dw = dw,
        .has_left = q0 == 0,
        .has_right = q1 == a->outs + 2,
    };
    /* this tile's share of the next rows */
    const ptrdiff_t far = (a->block * s->OW + a->o) * rows * bytes, share = rows * a->outs * bytes;
    call.x_far = (const char *)(sum->x + (a->image * s->H + x1) * call.x_row) + far;
    call.y_far = (const char *)(sum->dy + (a->image * s->OH + a->h1) * call.dy_row) + far;
    call.far_step = bytes / (s->KH * fvi_max(1, sum->size / sum->table->group_each));
    if (sum->size < lanes) groups_sum_spread(sum, a, &call, q0, q1 - q0, x1 - x0);
    for (ptrdiff_t r = 0; r < rows; ++r)
        sum->sums(call.dy + r * call.dy_row, (size_t)call.dy_pixel, (size_t)a->outs, db, (int)lanes,
                  true);
    for (ptrdiff_t i = 0; i < s->KH; ++i, call.dw += sum->size * 3 * lanes) {
        groups_sum_row(sum, a, i, &call);
        call.x_far += share / s->KH;
        call.y_far += share / s->KH;
    }
}

/* A shard of images, a part of the blocks. */
static void groups_sum_task(void *context, size_t task)
{
    const groups_sum *sum = context;
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t shard = (ptrdiff_t)task / sum->parts, part = (ptrdiff_t)task % sum->parts;
    const ptrdiff_t b0 = sum->blocks * part / sum->parts;
    const ptrdiff_t b1 = sum->blocks * (part + 1) / sum->parts;
    const ptrdiff_t lanes = sum->table->lanes, each = s->KH * 3 * sum->size * lanes;
    float near[GROUPS_NEAR];
    float *dw = sum->copies + shard * groups_copy(sum), *db = dw + sum->blocks * each;
    memset(dw + b0 * each, 0, (size_t)((b1 - b0) * each) * sizeof *dw);
    memset(db + b0 * lanes, 0, (size_t)((b1 - b0) * lanes) * sizeof *db);
    groups_area a = {.near = near};
    for (a.image = s->N * shard / sum->shards; a.image < s->N * (shard + 1) / sum->shards;
         ++a.image) {
        for (ptrdiff_t band = 0; band < sum->bands; ++band) {
            a.h0 = s->OH * band / sum->bands;
            a.h1 = s->OH * (band + 1) / sum->bands;
            for (a.block = b0; a.block < b1; ++a.block) {
                for (ptrdiff_t t = 0; t < sum->tiles; ++t) {
                    a.o = s->OW * t / sum->tiles;
                    a.outs = s->OW * (t + 1) / sum->tiles - a.o;
                    groups_sum_tile(sum, &a, dw + a.block * each, db + a.block * lanes);
                }
            }
        }
    }
}

/* All shards' copies, added up: where they belong. */
static void groups_sum_all(const groups_sum *sum, float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t lanes = sum->table->lanes, rows = s->KH * sum->size * 3, F = s->F;
    const ptrdiff_t copy = groups_copy(sum);
    const float *from = sum->copies, *from_db = from + sum->blocks * rows * lanes;
    for (ptrdiff_t shard = 1; shard < sum->shards; ++shard) {
        for (ptrdiff_t i = 0; i < copy; ++i)
            sum->copies[i] += sum->copies[shard * copy + i];
    }
    for (ptrdiff_t c0 = 0; c0 < F; c0 += lanes) {
        const size_t n = (size_t)fvi_min(lanes, F - c0) * sizeof *dw;
        for (ptrdiff_t row = 0; row < rows; ++row, from += lanes) {
            const ptrdiff_t i = row / (3 * sum->size), c = row / 3 % sum->size;
            memcpy(dw + (((i * 3 + row % 3) * sum->size + c) * F + c0), from, n);
        }
    }
    if (db) memcpy(db, from_db, (size_t)F * sizeof *db);
}

static void groups_sum_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                           float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    groups_sum sum = groups_sum_of(k, s);
    const ptrdiff_t lanes = sum.table->lanes, x_row = groups_x_row(&sum);
    const ptrdiff_t near = GROUPS_NEAR - (s->KH - 1) * x_row;
    const ptrdiff_t rows = near / (x_row + sum.table->group_outs * lanes);
    sum.bands = (s->OH - 1) / fvi_min(rows, GROUPS_HIGH) + 1;
    sum.x = x;
    sum.dy = dy;
    sum.copies = scratch;
    const double work = (double)(s->N * s->OH * s->OW * s->F) * (double)(s->KH * 3 * sum.size);
    if (work < GROUPS_ALONE) threads = NULL;
    const ptrdiff_t wanted = 2 * fvi_threads_count(threads) / sum.shards;
    if (fvi_threads_count(threads) > 1) sum.parts = fvi_max(1, fvi_min(wanted, sum.blocks));
    fvi_parallel_for(threads, (size_t)(sum.shards * sum.parts), groups_sum_task, &sum);
    groups_sum_all(&sum, dw, db);
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
    if (!groups_has_sums(k, s)) return true;
    const groups_sum sum = groups_sum_of(k, s);
    const size_t copies = (size_t)(sum.shards * groups_copy(&sum));
    if (copies > *floats) *floats = copies;
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
    if (groups_has_sums(k, s)) {
        groups_sum_run(k, threads, s, dw, db, x, dy, scratch);
        return;
    }
    for (ptrdiff_t i = 0; i < groups_blocks(k, s); ++i) {
        const groups_block block = groups_at(k, s, i);
        fvi_conv_weights(k, threads, &block.s, scratch, db ? db + block.f0 : NULL, x + block.c0,
                         dy + block.f0, scratch + groups_weights(&block));
        groups_unpack(dw, &block, scratch);
    }
}
