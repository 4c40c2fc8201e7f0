/* SPDX-License-Identifier: MIT */
/* How a weight gradient is computed: its tiles and taps, what is copied, and how pixels are cut. */
#include "kernels/conv_weights.h"

#define PLAN_COPIED 224          /* pixels of a block whose inputs are copied, */
#define PLAN_STREAM 64           /* and of one that reads each input once, where it lies */
#define PLAN_NEAR 8192           /* floats that a tile and a panel may read of any other */
#define PLAN_LINE 32             /* of them a pixel's, of each */
#define PLAN_FAR 64              /* floats from pixel to pixel from which inputs are copied, */
#define PLAN_FAR_STREAM 128      /* and where there is one tap, */
#define PLAN_PAYS 8              /* if each copy is read so often */
#define PLAN_PATCH 64            /* floats of a kernel row that is still treated as one tap */
#define PLAN_SHORT 12            /* and below which all kernel rows are taken together */
#define PLAN_SHARD 1024          /* fewest pixels worth a shard */
#define PLAN_COPIES (256 * 1024) /* most floats of all shards' copies */
#define PLAN_TILE_TASKS 8        /* parts that threads take of the tiles, and of the panels */
#define PLAN_PANEL_TASKS 2

/* Copies of dw that are summed apart. */
static ptrdiff_t plan_shards(const fvi_conv_shape *s)
{
    const ptrdiff_t weights = s->KH * s->KW * s->C * s->F, pixels = s->N * s->OH * s->OW;
    const ptrdiff_t most = fvi_min(PLAN_COPIES / (weights + s->F), pixels / PLAN_SHARD);
    return fvi_max(1, fvi_min(most, FVI_CONV_SHARDS));
}

/* A kernel row is one tap where it is short and reads no padding, or where the rows that a block
   reads can be copied with theirs. */
static void plan_merge(fvi_weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t rows = fvi_max(1, FVI_WEIGHTS_BLOCK / s->OW), images = (rows - 2) / s->OH + 2;
    const ptrdiff_t under = (s->KH - 1) * s->DH + 1;
    const ptrdiff_t row = ((s->OW - 1) * s->SW + s->KW) * s->C;
    const ptrdiff_t copied = rows * s->SH + images * fvi_max(0, under - s->SH);
    plan->has_band = s->pad_top != 0 || s->pad_left != 0 || (s->OH - 1) * s->SH + under > s->H ||
                     (s->OW - 1) * s->SW + s->KW > s->W;
    plan->is_merged = s->DW == 1 && s->KW > 1 && s->x_pitch == s->C && s->KW * s->C <= PLAN_PATCH &&
                      (!plan->has_band || copied <= FVI_WEIGHTS_PADDED / row);
    plan->band_row = row;
    plan->line = plan->is_merged ? s->KW * s->C : s->C;
    plan->kernel_row = s->DH * (plan->has_band ? row : s->W * s->C);
    if (plan->is_merged) return;
    plan->has_band = false;
    plan->kernel_row = 0;
}

static void plan_tiles(fvi_weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t tall =
        s->F <= plan->tiles->lanes ? plan->tiles->thin_max : plan->tiles->rows_max;
    plan->is_spread = plan->is_merged && s->KH > 1 && plan->line < PLAN_SHORT &&
                      s->KH * plan->line <= FVI_WEIGHTS_SPREAD;
    plan->is_paired = plan->is_spread && plan->line % 2 == 0;
    plan->inputs = plan->is_spread ? s->KH * plan->line : plan->line;
    plan->taps_h = plan->is_spread ? 1 : s->KH;
    plan->taps_w = plan->is_merged ? 1 : s->KW;
    for (ptrdiff_t m = 0; plan->is_spread && m < plan->inputs; ++m)
        plan->spread[m] = m / plan->line * plan->kernel_row + m % plan->line;
    const bool is_apart = plan->is_spread && !plan->is_paired;
    plan->tile_count = fvi_ceil(plan->inputs, is_apart ? plan->tiles->rows_max : tall);
    plan->tall = fvi_ceil(plan->inputs, plan->tile_count);
    const ptrdiff_t shared = plan->is_paired ? fvi_ceil(plan->inputs, 2) : plan->inputs;
    plan->tile_least = shared / plan->tile_count;
    plan->tiles_more = shared % plan->tile_count;
}

/* Whether inputs are copied, and how the pixels are cut. A copy takes as long as a few products of a
   tile and a panel, so it must be read often; and the larger a block, the less often dw is added to.
   Where nothing is copied a block's operands should stay in the first-level cache; and where they are
   read once, so should what is fetched of the next block. */
static void plan_blocks(fvi_weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t taps = s->KH * s->KW, x = s->SW * s->x_pitch;
    const ptrdiff_t out = fvi_max(1, PLAN_COPIED / s->OW); /* rows of a block, and under it */
    const ptrdiff_t in = (out - 1) * s->SH + (s->KH - 1) * s->DH + 1;
    const double copied = taps == 1 ? 1 : (double)in * (double)s->W / (double)(out * s->OW);
    plan->is_copied = !plan->is_merged && x >= (taps == 1 ? PLAN_FAR_STREAM : PLAN_FAR) &&
                      PLAN_PAYS * copied <= (double)(taps * plan->panels);
    const ptrdiff_t line = fvi_min(x, PLAN_LINE) + fvi_min(s->F, PLAN_LINE);
    plan->block = plan->is_copied ? PLAN_COPIED
                  : taps == 1     ? PLAN_STREAM
                                  : fvi_min(FVI_WEIGHTS_BLOCK, PLAN_NEAR / line);
    plan->copies_late = !plan->is_copied && plan->tall > 1 && taps == 1 && s->N == 1 && s->H == 1 &&
                        s->SW == 1 && s->F > plan->width && s->F % plan->width == 0;
    plan->pixels = s->N * s->OH * s->OW;
    plan->parts = fvi_ceil(s->OW, plan->block);
    plan->blocks = fvi_ceil(s->N * s->OH, fvi_max(1, plan->block / s->OW)) * plan->parts;
    plan->block = fvi_min(plan->block, plan->pixels);
}

/* Input pixels among which are all that a block reads, at most: rows of it lie in one image or in
   several, and windows may lie outside. */
static ptrdiff_t plan_span(const fvi_weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t under = (s->KH - 1) * s->DH + 1, rows = fvi_max(1, plan->block / s->OW);
    const ptrdiff_t below = fvi_max(0, (s->OH - 1) * s->SH - s->pad_top - s->H);
    const ptrdiff_t above = fvi_max(0, s->pad_top - under);
    const ptrdiff_t between = ((rows - 2) / s->OH + 1) * fvi_max(0, s->H - s->OH * s->SH);
    const ptrdiff_t all = (rows - 1) * s->SH + under + below + above + between;
    if (s->KH * s->KW == 1) return plan->block;
    return fvi_min(all, s->N * s->H) * s->W;
}

/* How threads share the work of a shard, and what each of them copies. Where there are several
   shards, only their panels are parted: three tasks would leave one of two threads waiting. Under few
   taps copies show: then there are no more tasks than are needed. */
static void plan_tasks(fvi_weights_plan *plan, int threads)
{
    const ptrdiff_t needed = fvi_max(threads, plan->taps_h * plan->taps_w);
    const ptrdiff_t most = threads > 1 && plan->shards == 1 ? needed : 1;
    plan->tile_groups = fvi_min(plan->tile_count, fvi_min(most, PLAN_TILE_TASKS));
    plan->panel_groups = threads > 1 ? fvi_min(plan->panels, PLAN_PANEL_TASKS) : 1;
    const ptrdiff_t tiles = fvi_ceil(plan->tile_count, plan->tile_groups);
    const ptrdiff_t panels = fvi_ceil(plan->panels, plan->panel_groups);
    const ptrdiff_t tile = plan->is_copied ? plan_span(plan) * plan->tall : 0;
    const bool is_whole = plan->s->y_pitch <= plan->width && plan->step == plan->s->F;
    plan->near_x = fvi_max(tile, fvi_min(FVI_WEIGHTS_TILES, tile * tiles));
    plan->near_dy = is_whole ? 0 : panels * plan->step * plan->block;
}

fvi_weights_plan fvi_weights_plan_of(const fvi_tile_table *tiles, const fvi_conv_shape *s,
                                     int threads)
{
    fvi_weights_plan plan = {.s = s, .tiles = tiles, .shards = plan_shards(s)};
    plan.width = (ptrdiff_t)tiles->lanes * tiles->vectors_max;
    plan.panels = fvi_ceil(s->F, plan.width);
    plan.step = fvi_min(plan.width, fvi_ceil(s->F, tiles->lanes) * tiles->lanes);
    plan_merge(&plan);
    plan_tiles(&plan);
    plan_blocks(&plan);
    plan_tasks(&plan, threads);
    return plan;
}

bool fvi_conv_weights_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv_shape *s)
{
    const size_t dw = (size_t)(s->KH * s->KW * s->C * s->F + s->F);
    size_t most = 0, near;
    *floats = 0;
    if (s->N == 0) return true;
    if (!fvi_mul(&near, (size_t)s->F + FVI_WEIGHTS_BLOCK, FVI_WEIGHTS_BLOCK)) return false;
    fvi_weights_plan plan = fvi_weights_plan_of(k->tiles, s, 1);
    const size_t shards = (size_t)plan.shards;
    for (int i = 0; i < 2 * PLAN_TILE_TASKS; ++i) {
        plan.shards = i % 2 == 0 ? (ptrdiff_t)shards : 1; /* as of fewer images */
        plan_tasks(&plan, 1 + i / 2);
        const size_t tasks = (size_t)(plan.shards * plan.tile_groups * plan.panel_groups);
        if (!fvi_sum(&near, (size_t)plan.near_dy, (size_t)plan.near_x) ||
            !fvi_mul(&near, near, tasks))
            return false;
        if (near > most) most = near;
    }
    return fvi_sum(floats, most, (shards - 1) * dw);
}
