/* SPDX-License-Identifier: MIT */
/* Weight and bias gradient: sums over pixels, both operands read where they lie. */

/* dw[kh, kw, c, f] = sum over output pixels of x[its pixel under the tap, c] * dy[pixel, f]. In
   NHWC both are contiguous where the tile wants them. Output pixels of all images form one line
   that is cut into blocks; a block meets every tap, every tile of c and every panel of f while it
   is in the cache. A block's sum starts from zero and is added to dw, which keeps rounding small;
   blocks come in order. The line is cut into shards by geometry and batch alone, each with its own
   dw, and these are added in order: so threads cannot change a bit. */

#include "kernels/conv_internal.h"

#include <string.h>

#define WEIGHTS_BLOCK 128           /* pixels of a block */
#define WEIGHTS_PATCH 64            /* floats of a kernel row that is still treated as one tap */
#define WEIGHTS_PADDED 8192         /* floats of input rows that are copied with their padding */
#define WEIGHTS_SLOTS 128           /* and the most of such rows */
#define WEIGHTS_SHARD 1024          /* fewest pixels worth a shard */
#define WEIGHTS_COPIES (256 * 1024) /* most floats of all shards' copies */
#define WEIGHTS_PANEL 32            /* widest panel of any instruction set, in floats */
#define WEIGHTS_FAR 512 /* floats from pixel to pixel from which operands are copied together */
#define WEIGHTS_FEW 32  /* pixels in all below which dw is walked row by row */
#define WEIGHTS_ALONE 500000.0 /* multiply-adds below which no thread is woken */

typedef struct weights_plan {
    const fvi_conv_shape *s;
    const fvi_tile_table *tiles;
    float *dw, *db, *copies;
    const float *x, *dy;
    bool is_merged;                      /* the taps of a kernel row are one tap of KW * C inputs */
    ptrdiff_t inputs;                    /* rows of dw that one tap makes: C or KW * C */
    ptrdiff_t taps_w;                    /* taps of a kernel row: KW or 1 */
    ptrdiff_t tile_count, width, panels; /* tiles of inputs, columns of a panel */
    ptrdiff_t pixels, blocks;
    ptrdiff_t shards, tile_groups, panel_groups;
    ptrdiff_t row_keys;   /* input rows and rows of padding that one image's outputs read */
    ptrdiff_t slots;      /* padded rows that are kept */
    bool is_tile_outside; /* each tile of inputs meets all panels in turn, not the reverse */
} weights_plan;

/* What one block of pixels reads under one tap. */
typedef struct weights_table {
    fvi_tile_run run[WEIGHTS_BLOCK];
    size_t runs;
    float tail[WEIGHTS_BLOCK * WEIGHTS_PANEL]; /* the last panel of dy, filled up with zeros */
    bool has_tail;
    float panel[WEIGHTS_BLOCK * WEIGHTS_PANEL]; /* a panel of dy, its pixels close together */
    fvi_tile_run near_run[WEIGHTS_BLOCK];       /* the runs again, on near */
    /* the inputs of one tile, pixels close together */
    float near[WEIGHTS_BLOCK * FVI_TILE_ROWS_MAX];
    float padded[WEIGHTS_PADDED]; /* slots of one padded input row each */
    ptrdiff_t slot_key[WEIGHTS_SLOTS];
} weights_table;

static ptrdiff_t weights_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return (a + b - 1) / b;
}

static ptrdiff_t weights_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t weights_max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

/* First of count equal parts' number i. */
static ptrdiff_t weights_part(ptrdiff_t all, ptrdiff_t count, ptrdiff_t i)
{
    return all / count * i + weights_min(all % count, i);
}

int fvi_conv_shards(const fvi_conv_shape *s)
{
    const ptrdiff_t weights = s->KH * s->KW * s->C * s->F, pixels = s->N * s->OH * s->OW;
    const ptrdiff_t most = weights_min(WEIGHTS_COPIES / (weights + s->F), pixels / WEIGHTS_SHARD);
    return (int)weights_max(1, weights_min(most, FVI_CONV_SHARDS));
}

/* ---- the runs of one block and tap ---- */

static void weights_add_run(weights_table *table, const float *a, size_t a_step, size_t first,
                            size_t count)
{
    fvi_tile_run *last = table->run + table->runs - 1;
    if (table->runs > 0 && last->a_step == a_step && last->a + last->count * a_step == a &&
        last->first + last->count == first) {
        last->count += count;
        return;
    }
    table->run[table->runs++] = (fvi_tile_run){a, a_step, first, count};
}

/* Pixels [w0, w1) of one output row; row is the input row they read, first the number of pixel w0
   in the block. Only pixels whose tap is inside the image take part. */
static void weights_row_runs(const weights_plan *plan, weights_table *table, const float *row,
                             ptrdiff_t kw, ptrdiff_t w0, ptrdiff_t w1, size_t first)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t shift = kw * s->DW - s->pad_left; /* input index of output 0 */
    const ptrdiff_t from = shift < 0 ? weights_ceil(-shift, s->SW) : 0;
    const ptrdiff_t to = shift < s->W ? (s->W - 1 - shift) / s->SW + 1 : 0;
    const ptrdiff_t lo = weights_max(w0, from), hi = weights_min(w1, to);
    if (lo >= hi) return;
    weights_add_run(table, row + (lo * s->SW + shift) * s->x_pitch, (size_t)(s->SW * s->x_pitch),
                    first + (size_t)(lo - w0), (size_t)(hi - lo));
}

/* Input row ih of image n with the padding beside it, copied; its pixel 0 is the first that output 0
   reads. Copies stay for the kernel rows and blocks that read them next. */
static const float *weights_padded_row(const weights_plan *plan, weights_table *table, ptrdiff_t n,
                                       ptrdiff_t ih)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t key = n * plan->row_keys + ih + s->pad_top, slot = key % plan->slots;
    const ptrdiff_t pixels = (s->OW - 1) * s->SW + s->KW;
    float *row = table->padded + slot * pixels * s->C;
    if (table->slot_key[slot] == key) return row;
    table->slot_key[slot] = key;
    fvi_conv_copy(row, plan->x + (n * s->H + ih) * s->W * s->C, -s->pad_left, pixels - s->pad_left,
                  s->W, s->C);
    return row;
}

/* The same for a whole kernel row. */
static void weights_merged_runs(const weights_plan *plan, weights_table *table, ptrdiff_t n,
                                ptrdiff_t ih, ptrdiff_t w0, ptrdiff_t w1, size_t first)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t from = w0 * s->SW - s->pad_left;
    const ptrdiff_t to = (w1 - 1) * s->SW - s->pad_left + s->KW;
    const float *a = from >= 0 && to <= s->W
                         ? plan->x + ((n * s->H + ih) * s->W + from) * s->C
                         : weights_padded_row(plan, table, n, ih) + w0 * s->SW * s->C;
    weights_add_run(table, a, (size_t)(s->SW * s->C), first, (size_t)(w1 - w0));
}

static void weights_runs(const weights_plan *plan, weights_table *table, ptrdiff_t kh, ptrdiff_t kw,
                         ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    table->runs = 0;
    for (ptrdiff_t pixel = first; pixel < last;) {
        const ptrdiff_t row = pixel / s->OW, w0 = pixel % s->OW;
        const ptrdiff_t w1 = weights_min(s->OW, w0 + last - pixel);
        const ptrdiff_t n = row / s->OH, ih = row % s->OH * s->SH + kh * s->DH - s->pad_top;
        if (ih >= 0 && ih < s->H) {
            const float *from = plan->x + (n * s->H + ih) * s->W * s->x_pitch;
            const size_t at = (size_t)(pixel - first);
            if (plan->is_merged)
                weights_merged_runs(plan, table, n, ih, w0, w1, at);
            else
                weights_row_runs(plan, table, from, kw, w0, w1, at);
        }
        pixel += w1 - w0;
    }
}

/* ---- sums ---- */

static ptrdiff_t weights_columns(const weights_plan *plan, ptrdiff_t p)
{
    return weights_min(plan->width, plan->s->F - p * plan->width);
}

/* One panel of a block of dy. */
typedef struct weights_panel {
    const float *dy;
    size_t step;
    ptrdiff_t index;
} weights_panel;

static weights_panel weights_panel_at(const weights_plan *plan, const weights_table *table,
                                      const float *dy, ptrdiff_t p)
{
    const ptrdiff_t columns = weights_columns(plan, p), lanes = plan->tiles->lanes;
    if (columns % lanes == 0 || !table->has_tail)
        return (weights_panel){dy + p * plan->width, (size_t)plan->s->y_pitch, p};
    return (weights_panel){table->tail, (size_t)(weights_ceil(columns, lanes) * lanes), p};
}

/* Whole vectors are read of a last panel that ends inside one: the lanes behind meet the next
   pixel, and are not stored. At the end of dy there is none, so there the panel is copied. */
static void weights_tail(const weights_plan *plan, weights_table *table, const float *dy,
                         ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t p = plan->panels - 1, columns = weights_columns(plan, p);
    const ptrdiff_t lanes = plan->tiles->lanes, wide = weights_ceil(columns, lanes) * lanes;
    table->has_tail = (plan->pixels - last) * plan->s->y_pitch < wide - columns;
    if (!table->has_tail) return;
    const float *from = dy + p * plan->width;
    float *to = table->tail;
    for (ptrdiff_t i = first; i < last; ++i, from += plan->s->y_pitch, to += wide) {
        for (ptrdiff_t c = 0; c < columns; ++c)
            to[c] = from[c];
        for (ptrdiff_t c = columns; c < wide; ++c)
            to[c] = 0;
    }
}

/* Pixels a power of two apart share a few places of the first-level cache: such panels are copied
   before many tiles read them. */
static void weights_panel_near(const weights_plan *plan, weights_table *table, weights_panel *panel,
                               ptrdiff_t pixels)
{
    const ptrdiff_t lanes = plan->tiles->lanes;
    const ptrdiff_t vectors = weights_ceil(weights_columns(plan, panel->index), lanes);
    const size_t columns = (size_t)(vectors * lanes);
    if (panel->step < WEIGHTS_FAR) return;
    for (ptrdiff_t i = 0; i < pixels; ++i)
        memcpy(table->panel + (size_t)i * columns, panel->dy + (size_t)i * panel->step,
               columns * sizeof(float));
    panel->dy = table->panel;
    panel->step = columns;
}

/* The same for the inputs of one tile, before many panels read them. */
static void weights_inputs_near(weights_table *table, ptrdiff_t input, ptrdiff_t inputs)
{
    float *to = table->near;
    for (size_t r = 0; r < table->runs; ++r) {
        const fvi_tile_run *run = &table->run[r];
        table->near_run[r] = (fvi_tile_run){to, (size_t)inputs, run->first, run->count};
        for (size_t i = 0; i < run->count; ++i, to += inputs)
            memcpy(to, run->a + input + i * run->a_step, (size_t)inputs * sizeof *to);
    }
}

/* What one task sums: tiles [t0, t1) of every tap, panels [p0, p1), into dw and perhaps db. */
typedef struct weights_part_of {
    ptrdiff_t t0, t1, p0, p1;
    float *dw, *db;
    bool is_added; /* not the first block: dw and db hold sums */
} weights_part_of;

/* A tile of sums: inputs rows from input on, for all runs. */
static void weights_sum(const weights_plan *plan, const fvi_tile_run *run, size_t runs,
                        weights_panel panel, ptrdiff_t input, ptrdiff_t inputs, float *out,
                        bool is_added)
{
    const ptrdiff_t columns = weights_columns(plan, panel.index);
    const ptrdiff_t vectors = weights_ceil(columns, plan->tiles->lanes);
    const fvi_tile_runs call = {
        .run = run,
        .runs = runs,
        .a_at = (size_t)input,
        .b = panel.dy,
        .b_step = panel.step,
        .out = out + panel.index * plan->width,
        .out_step = (size_t)plan->s->F,
        .columns = (int)columns,
        .is_added = is_added,
    };
    plan->tiles->runs[(inputs - 1) * plan->tiles->vectors_max + vectors - 1](&call);
}

static void weights_bias(const weights_plan *plan, const weights_table *table, const float *dy,
                         ptrdiff_t pixels, const weights_part_of *part)
{
    static const float one = 1;
    const fvi_tile_run run = {&one, 0, 0, (size_t)pixels};
    for (ptrdiff_t p = part->p0; p < part->p1; ++p)
        weights_sum(plan, &run, 1, weights_panel_at(plan, table, dy, p), 0, 1, part->db,
                    part->is_added);
}

/* The runs of the table, for one tap's rows of dw. */
static void weights_tap(const weights_plan *plan, weights_table *table, const weights_part_of *part,
                        const float *dy, ptrdiff_t pixels, float *out)
{
    const ptrdiff_t F = plan->s->F;
    for (ptrdiff_t t = part->t0; plan->is_tile_outside && t < part->t1; ++t) {
        const ptrdiff_t from = weights_part(plan->inputs, plan->tile_count, t);
        const ptrdiff_t count = weights_part(plan->inputs, plan->tile_count, t + 1) - from;
        weights_inputs_near(table, from, count);
        for (ptrdiff_t p = part->p0; p < part->p1; ++p)
            weights_sum(plan, table->near_run, table->runs, weights_panel_at(plan, table, dy, p), 0,
                        count, out + from * F, part->is_added);
    }
    for (ptrdiff_t p = part->p0; !plan->is_tile_outside && p < part->p1; ++p) {
        weights_panel panel = weights_panel_at(plan, table, dy, p);
        weights_panel_near(plan, table, &panel, pixels);
        for (ptrdiff_t t = part->t0; t < part->t1; ++t) {
            const ptrdiff_t from = weights_part(plan->inputs, plan->tile_count, t);
            const ptrdiff_t count = weights_part(plan->inputs, plan->tile_count, t + 1) - from;
            weights_sum(plan, table->run, table->runs, panel, from, count, out + from * F,
                        part->is_added);
        }
    }
}

static void weights_block(const weights_plan *plan, weights_table *table,
                          const weights_part_of *part, ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const float *dy = plan->dy + first * s->y_pitch;
    weights_tail(plan, table, dy, first, last);
    for (ptrdiff_t kh = 0; kh < s->KH; ++kh) {
        for (ptrdiff_t kw = 0; kw < plan->taps_w; ++kw) {
            weights_runs(plan, table, kh, kw, first, last);
            if (table->runs > 0 || !part->is_added)
                weights_tap(plan, table, part, dy, last - first,
                            part->dw + (kh * s->KW + kw) * s->C * s->F);
        }
    }
    if (part->db) weights_bias(plan, table, dy, last - first, part);
}

static void weights_task(void *context, size_t task)
{
    const weights_plan *plan = context;
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t index = (ptrdiff_t)task, size = s->KH * s->KW * s->C * s->F;
    const ptrdiff_t shard = index / (plan->tile_groups * plan->panel_groups);
    const ptrdiff_t tile = index / plan->panel_groups % plan->tile_groups;
    const ptrdiff_t panel = index % plan->panel_groups;
    weights_part_of part = {
        .t0 = weights_part(plan->tile_count, plan->tile_groups, tile),
        .t1 = weights_part(plan->tile_count, plan->tile_groups, tile + 1),
        .p0 = weights_part(plan->panels, plan->panel_groups, panel),
        .p1 = weights_part(plan->panels, plan->panel_groups, panel + 1),
        .dw = plan->dw,
        .db = tile == 0 ? plan->db : NULL,
    };
    if (shard > 0) { /* shards have one task each: this one owns its copy */
        part.dw = plan->copies + (shard - 1) * (size + s->F);
        part.db = plan->db ? part.dw + size : NULL;
    }
    weights_table table;
    for (ptrdiff_t i = 0; i < plan->slots; ++i)
        table.slot_key[i] = -1;
    const ptrdiff_t b0 = weights_part(plan->blocks, plan->shards, shard);
    const ptrdiff_t b1 = weights_part(plan->blocks, plan->shards, shard + 1);
    for (ptrdiff_t b = b0; b < b1; ++b, part.is_added = true)
        weights_block(plan, &table, &part, weights_part(plan->pixels, plan->blocks, b),
                      weights_part(plan->pixels, plan->blocks, b + 1));
}

/* Add the shards' copies, in order. */
static void weights_combine(const weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t size = s->KH * s->KW * s->C * s->F;
    for (ptrdiff_t shard = 1; shard < plan->shards; ++shard) {
        const float *copy = plan->copies + (shard - 1) * (size + s->F);
        for (ptrdiff_t i = 0; i < size; ++i)
            plan->dw[i] += copy[i];
        for (ptrdiff_t i = 0; plan->db && i < s->F; ++i)
            plan->db[i] += copy[size + i];
    }
}

/* A kernel row is one tap where it is short, and where the padded rows that a block reads under one
   of them are kept side by side. */
static void weights_plan_merge(weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t row = ((s->OW - 1) * s->SW + s->KW) * s->C;
    const ptrdiff_t rows = (WEIGHTS_BLOCK - 2) / s->OW + 2, images = (rows - 2) / s->OH + 2;
    plan->slots = weights_min(WEIGHTS_PADDED / row, WEIGHTS_SLOTS);
    plan->row_keys = (s->OH - 1) * s->SH + (s->KH - 1) * s->DH + 1;
    const ptrdiff_t between = weights_max(0, plan->row_keys - s->OH * s->SH);
    plan->is_merged = s->DW == 1 && s->KW > 1 && s->x_pitch == s->C &&
                      s->KW * s->C <= WEIGHTS_PATCH &&
                      rows * s->SH + images * between <= plan->slots;
}

void fvi_conv_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                      float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    const fvi_tile_table *tiles = k->tiles;
    weights_plan plan = {
        .s = s, .tiles = tiles, .dw = dw, .db = db, .copies = scratch, .x = x, .dy = dy};
    weights_plan_merge(&plan);
    plan.inputs = plan.is_merged ? s->KW * s->C : s->C;
    plan.taps_w = plan.is_merged ? 1 : s->KW;
    plan.tile_count = weights_ceil(plan.inputs, tiles->rows_max);
    plan.width = (ptrdiff_t)tiles->lanes * tiles->vectors_max;
    plan.panels = weights_ceil(s->F, plan.width);
    plan.pixels = s->N * s->OH * s->OW;
    plan.blocks = weights_ceil(plan.pixels, WEIGHTS_BLOCK);
    plan.shards = fvi_conv_shards(s);
    plan.tile_groups = plan.panel_groups = 1;
    plan.is_tile_outside = s->SW * s->x_pitch >= WEIGHTS_FAR || plan.pixels < WEIGHTS_FEW;
    const double work = (double)plan.pixels * (double)(s->KH * s->KW * s->C) * (double)s->F;
    if (work < WEIGHTS_ALONE) threads = NULL;
    if (fvi_threads_count(threads) > 1 && plan.shards == 1) {
        plan.tile_groups = weights_min(plan.tile_count, 4);
        plan.panel_groups = weights_min(plan.panels, 4);
    }
    const size_t tasks = (size_t)(plan.shards * plan.tile_groups * plan.panel_groups);
    fvi_parallel_for(threads, tasks, weights_task, &plan);
    weights_combine(&plan);
}
