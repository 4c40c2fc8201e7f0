/* SPDX-License-Identifier: MIT */
/* Weight and bias gradient under a kernel 3 wide, without strides or gaps. */

/* An input meets the 3 outputs of a row whose windows hold it, under one tap each. So 8 channels and 3
   taps of a vector of filters are summed in registers over rows of pixels: 9 loads for 24 products, and
   nothing of x or dy is copied. Where groups are smaller than a vector, several lie side by side in it, and
   their inputs are spread first. Sums over a few rows begin with zero and are added to dw, which keeps
   rounding small. Images are cut into shards by geometry and batch alone, each with its own dw, and these
   are added in order: so threads cannot change a bit. */

#include "kernels/conv_internal.h"
#include "kernels/depthwise.h"

#include <string.h>

#define SUMS_ALONE 1000000.0 /* multiply-adds below which no thread is woken */
#define SUMS_NEAR 12288      /* floats of x and dy that are spread at once */
#define SUMS_HIGH 8          /* and most rows of them */
#define SUMS_PIXELS 448      /* that are summed over at once where they lie, at most, */
#define SUMS_WIDE 64         /* and of a row; */
#define SUMS_BAND 131072     /* floats of their rows, of all channels */
#define SUMS_WEIGHTS 40  /* weights for each pixel of an image and lane: with more, adding shows; */
#define SUMS_MOST 262144 /* and these stay in the second-level cache */
#define SUMS_LANES 8     /* of vectors that are worth it: with 4 other tiles are as fast */
#define SUMS_SHARD 1024  /* fewest pixels worth a shard */
#define SUMS_COPIES 524288 /* most floats of all shards' copies */

typedef struct sums_plan {
    const fvi_depthwise_table *table;
    const fvi_conv_shape *s;
    const float *x, *dy;
    float *dw, *db, *copies; /* db NULL: not wanted */
    fvi_tile_sums_fn *sums;
    ptrdiff_t size, blocks;  /* channels that meet a filter; vectors of filters */
    ptrdiff_t each, copy;    /* floats of dw of a vector of filters; of all of dw and db */
    ptrdiff_t bands, tiles;  /* of the rows, and of each */
    ptrdiff_t shards, parts; /* each part of the blocks is a task */
    bool is_spread;
} sums_plan;

bool fvi_sums_pays(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->depthwise->lanes, size = s->C / s->groups;
    if (s->KW != 3 || s->SH != 1 || s->SW != 1 || s->DH != 1 || s->DW != 1 || s->OW < 2 ||
        !fvi_conv_fits_row(s->pad_left, s->OW, s->W))
        return false;
    if (s->groups > 1)
        return s->C == s->F && lanes % size == 0 && (size == lanes || s->KH <= FVI_GROUP_ROWS);
    const ptrdiff_t weights = s->KH * 3 * s->C * s->F;
    return lanes >= SUMS_LANES && s->F % lanes == 0 && s->C % k->depthwise->group_each == 0 &&
           weights <= SUMS_MOST && weights / (SUMS_WEIGHTS * lanes) <= s->OH * s->OW;
}

static ptrdiff_t sums_shards(const fvi_conv_shape *s, ptrdiff_t copy)
{
    const ptrdiff_t worth = fvi_min(s->N, s->N * s->OH * s->OW / SUMS_SHARD);
    ptrdiff_t shards = fvi_min(fvi_min(SUMS_COPIES / copy, worth), FVI_CONV_SHARDS);
    while (shards > 1 && (shards & (shards - 1)) != 0)
        --shards;
    return fvi_max(1, shards);
}

/* Floats of a row of x as spread makes it. */
static ptrdiff_t sums_x_row(const sums_plan *plan)
{
    return (plan->table->group_outs + 2) * plan->size * plan->table->lanes;
}

static sums_plan sums_plan_of(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->depthwise->lanes;
    sums_plan plan = {.table = k->depthwise, .s = s, .size = s->C / s->groups, .parts = 1};
    plan.sums = k->tiles->sums;
    plan.is_spread = s->groups > 1 && plan.size < lanes;
    plan.blocks = fvi_ceil(s->F, lanes);
    plan.each = s->KH * plan.size * 3 * lanes;
    plan.copy = plan.blocks * (plan.each + lanes);
    plan.shards = sums_shards(s, plan.copy);
    ptrdiff_t rows;
    if (plan.is_spread) {
        const ptrdiff_t near = SUMS_NEAR - (s->KH - 1) * sums_x_row(&plan);
        plan.tiles = fvi_ceil(s->OW, plan.table->group_outs);
        rows = fvi_min(near / (sums_x_row(&plan) + plan.table->group_outs * lanes), SUMS_HIGH);
    } else {
        plan.tiles = fvi_ceil(s->OW, SUMS_WIDE);
        rows = fvi_min(SUMS_PIXELS / fvi_min(s->OW, SUMS_WIDE),
                       SUMS_BAND / (s->OW * (s->x_pitch + s->y_pitch)));
    }
    plan.bands = fvi_ceil(s->OH, fvi_max(1, rows));
    return plan;
}

size_t fvi_sums_scratch(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const sums_plan plan = sums_plan_of(k, s);
    return (size_t)(plan.shards * plan.copy);
}

/* Columns [o, o + outs) of rows [h0, h1) of an image, a vector of filters, and where its sums go. */
typedef struct sums_area {
    ptrdiff_t image, h0, h1, o, outs, block;
    float *dw, *db;
    float *near; /* its rows, spread */
} sums_area;

/* Kernel row i. */
static void sums_row(const sums_plan *plan, const sums_area *a, ptrdiff_t i, fvi_group_sums *call)
{
    const fvi_conv_shape *s = plan->s;
    const float *x = call->x, *dy = call->dy;
    const ptrdiff_t first = fvi_max(0, a->h0 - s->pad_top); /* row of x that call->x is at */
    const ptrdiff_t from = fvi_max(a->h0, s->pad_top - i);
    const ptrdiff_t to = fvi_min(a->h1, s->H + s->pad_top - i);
    if (from >= to) return;
    call->rows = to - from;
    call->x = x + (from - s->pad_top + i - first) * call->x_row;
    call->dy = dy + (from - a->h0) * call->dy_row;
    plan->table->group_sums(call);
    call->x = x;
    call->dy = dy;
}

/* Rows of x as the kernels want them of groups, and those of dy, whose last vector may be in part. */
static void sums_spread(const sums_plan *plan, const sums_area *a, fvi_group_sums *call,
                        ptrdiff_t first, ptrdiff_t places, ptrdiff_t rows)
{
    const ptrdiff_t lanes = plan->table->lanes;
    fvi_group_spread spread = {
        .to = a->near + first * lanes,
        .from = call->x + first * call->x_pixel,
        .rows = rows,
        .from_row = call->x_row,
        .to_row = sums_x_row(plan),
        .pixel = call->x_pixel,
        .places = places,
        .size = plan->size,
        .ahead = call->x_row,
        .n = (int)fvi_min(lanes, plan->s->F - a->block * lanes),
    };
    plan->table->spread(&spread);
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
    plan->table->spread(&spread);
    call->dy = spread.to;
    call->dy_row = spread.to_row;
    call->dy_pixel = lanes;
}

static void sums_tile(const sums_plan *plan, const sums_area *a)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t lanes = plan->table->lanes, f0 = a->block * lanes, left = a->o - s->pad_left;
    const ptrdiff_t q0 = fvi_max(0, -left), q1 = fvi_min(a->outs + 2, s->W - left);
    const ptrdiff_t x0 = fvi_max(0, a->h0 - s->pad_top);
    const ptrdiff_t x1 = fvi_min(s->H, a->h1 - 1 - s->pad_top + s->KH);
    const ptrdiff_t rows = a->h1 - a->h0, bytes = lanes * (ptrdiff_t)sizeof *a->dw;
    fvi_group_sums call = {
        .x = plan->x + ((a->image * s->H + x0) * s->W + left) * s->x_pitch +
             (s->groups > 1 ? f0 : 0),
        .x_row = s->W * s->x_pitch,
        .x_pixel = s->x_pitch,
        .dy = plan->dy + ((a->image * s->OH + a->h0) * s->OW + a->o) * s->y_pitch + f0,
        .dy_row = s->OW * s->y_pitch,
        .dy_pixel = s->y_pitch,
        .outs = a->outs,
        .size = plan->size,
        .dw = a->dw + a->block * plan->each,
        .has_left = q0 == 0,
        .has_right = q1 == a->outs + 2,
        .is_spread = plan->is_spread,
    };
    /* this tile's share of the next rows */
    const ptrdiff_t x_bytes = s->x_pitch * (ptrdiff_t)sizeof *a->dw / plan->blocks;
    const ptrdiff_t times = s->KH * fvi_max(1, plan->size / plan->table->group_each);
    const ptrdiff_t before = (a->block * s->OW + a->o) * rows, share = rows * a->outs / s->KH;
    call.x_far = (const char *)(plan->x + (a->image * s->H + x1) * call.x_row) + before * x_bytes;
    call.y_far =
        (const char *)(plan->dy + (a->image * s->OH + a->h1) * call.dy_row) + before * bytes;
    call.x_step = fvi_max(1, x_bytes / times);
    call.y_step = fvi_max(1, bytes / times);
    if (plan->is_spread) sums_spread(plan, a, &call, q0, q1 - q0, x1 - x0);
    for (ptrdiff_t r = 0; r < rows && plan->db; ++r)
        plan->sums(call.dy + r * call.dy_row, (size_t)call.dy_pixel, (size_t)a->outs, a->db + f0,
                   (int)lanes, true);
    for (ptrdiff_t i = 0; i < s->KH; ++i, call.dw += plan->size * 3 * lanes) {
        sums_row(plan, a, i, &call);
        call.x_far += share * x_bytes;
        call.y_far += share * bytes;
    }
}

/* A shard of images, a part of the blocks. */
static void sums_task(void *context, size_t task)
{
    const sums_plan *plan = context;
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t shard = (ptrdiff_t)task / plan->parts, part = (ptrdiff_t)task % plan->parts;
    const ptrdiff_t b0 = plan->blocks * part / plan->parts;
    const ptrdiff_t b1 = plan->blocks * (part + 1) / plan->parts;
    const ptrdiff_t lanes = plan->table->lanes, each = plan->each;
    float near[SUMS_NEAR];
    float *dw = plan->copies + shard * plan->copy;
    sums_area a = {.dw = dw, .db = dw + plan->blocks * each, .near = near};
    memset(a.dw + b0 * each, 0, (size_t)((b1 - b0) * each) * sizeof *dw);
    memset(a.db + b0 * lanes, 0, (size_t)((b1 - b0) * lanes) * sizeof *dw);
    for (a.image = s->N * shard / plan->shards; a.image < s->N * (shard + 1) / plan->shards;
         ++a.image) {
        for (ptrdiff_t band = 0; band < plan->bands; ++band) {
            a.h0 = s->OH * band / plan->bands;
            a.h1 = s->OH * (band + 1) / plan->bands;
            for (a.block = b0; a.block < b1; ++a.block) {
                for (ptrdiff_t t = 0; t < plan->tiles; ++t) {
                    a.o = s->OW * t / plan->tiles;
                    a.outs = s->OW * (t + 1) / plan->tiles - a.o;
                    sums_tile(plan, &a);
                }
            }
        }
    }
}

/* Every third vector of `from`, n floats of it, to rows of dw. */
static void sums_put(const sums_plan *plan, const fvi_kernels *k, float *dw, const float *from,
                     ptrdiff_t n)
{
    const ptrdiff_t lanes = plan->table->lanes, F = plan->s->F;
    if (n == lanes) {
        k->tiles->narrow(dw, F, from, 3 * lanes, plan->size, n);
        return;
    }
    for (ptrdiff_t c = 0; c < plan->size; ++c)
        memcpy(dw + c * F, from + c * 3 * lanes, (size_t)n * sizeof *dw);
}

/* All shards' copies, added up: where they belong. */
static void sums_combine(const sums_plan *plan, const fvi_kernels *k)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t lanes = plan->table->lanes, size = plan->size;
    const float *from = plan->copies;
    for (ptrdiff_t shard = 1; shard < plan->shards; ++shard)
        k->add((size_t)plan->copy, plan->copies, plan->copies + shard * plan->copy);
    for (ptrdiff_t f0 = 0; f0 < s->F; f0 += lanes) {
        for (ptrdiff_t i = 0; i < s->KH; ++i, from += size * 3 * lanes) {
            for (ptrdiff_t j = 0; j < 3; ++j)
                sums_put(plan, k, plan->dw + (i * 3 + j) * size * s->F + f0, from + j * lanes,
                         fvi_min(lanes, s->F - f0));
        }
    }
    if (plan->db) memcpy(plan->db, from, (size_t)s->F * sizeof *from);
}

void fvi_sums_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dw,
                  float *db, const float *x, const float *dy, float *scratch)
{
    sums_plan plan = sums_plan_of(k, s);
    plan.x = x;
    plan.dy = dy;
    plan.dw = dw;
    plan.db = db;
    plan.copies = scratch;
    const double work = (double)(s->N * s->OH * s->OW * s->F) * (double)(s->KH * 3 * plan.size);
    if (work < SUMS_ALONE) threads = NULL;
    const ptrdiff_t count = fvi_threads_count(threads), wanted = count > 1 ? 2 * count : 1;
    while (plan.parts < plan.blocks && plan.shards * plan.parts < wanted)
        ++plan.parts;
    fvi_parallel_for(threads, (size_t)(plan.shards * plan.parts), sums_task, &plan);
    sums_combine(&plan, k);
}
