/* SPDX-License-Identifier: MIT */
/* Weight and bias gradient: sums over pixels, both operands read where they lie. */

/* dw[kh, kw, c, f] = sum over output pixels of x[its pixel under the tap, c] * dy[pixel, f]. In
   NHWC both are contiguous where the tile wants them. Output pixels of all images form one line
   that is cut into blocks; a block meets every panel of f, every tap and every tile of c while it
   is in the cache. A block's sum starts from zero and is added to dw, which keeps rounding small;
   blocks come in order. The line is cut into shards by geometry and batch alone, each with its own
   dw, and these are added in order: so threads cannot change a bit. */

#include "kernels/conv_internal.h"

#include <string.h>

#define WEIGHTS_BLOCK 128           /* pixels of a block */
#define WEIGHTS_PATCH 64            /* floats of a kernel row that is still treated as one tap */
#define WEIGHTS_SHORT 12            /* and below which all kernel rows are taken together */
#define WEIGHTS_SPREAD 128          /* their floats, at most */
#define WEIGHTS_PADDED 12288        /* floats of input rows that are copied with their padding */
#define WEIGHTS_SHARD 1024          /* fewest pixels worth a shard */
#define WEIGHTS_COPIES (256 * 1024) /* most floats of all shards' copies */
#define WEIGHTS_PANEL 32            /* widest panel of any instruction set, in floats */
#define WEIGHTS_FAR 512 /* floats from pixel to pixel from which operands are copied together */
#define WEIGHTS_FEW 32  /* pixels in all below which dw is walked row by row */
#define WEIGHTS_ALONE 500000.0 /* multiply-adds below which no thread is woken */

/* A weight gradient with all decisions taken. */
typedef struct weights_plan {
    const fvi_conv_shape *s;
    const fvi_tile_table *tiles;
    float *dw, *db, *copies;
    const float *x, *dy;
    bool is_merged;   /* the taps of a kernel row are one tap of KW * C inputs */
    bool has_band;    /* and read rows that are copied with their padding */
    ptrdiff_t line;   /* inputs that lie together: C or KW * C */
    ptrdiff_t inputs; /* rows of dw that one tap makes: a line, or the lines of all kernel rows */
    ptrdiff_t taps_h, taps_w; /* KH or 1, KW or 1 */
    ptrdiff_t
        kernel_row; /* floats from what a kernel row reads to what the next one reads; merged */
    bool is_spread; /* taps_h is 1 instead of KH */
    bool is_paired; /* a line is even, and so are all tiles but the last */
    ptrdiff_t spread[WEIGHTS_SPREAD];    /* [inputs]: their places, if they are spread */
    ptrdiff_t tile_count, width, panels; /* tiles of inputs, columns of a panel */
    ptrdiff_t pixels, blocks;
    ptrdiff_t shards, tile_groups, panel_groups;
    bool is_tile_outside; /* each tile of inputs meets all panels in turn, not the reverse */
} weights_plan;

/* What one block of pixels reads under one tap. */
typedef struct weights_table {
    fvi_tile_run run[WEIGHTS_BLOCK];
    size_t runs;
    float panel[WEIGHTS_BLOCK * WEIGHTS_PANEL]; /* a panel of dy, its pixels close together */
    ptrdiff_t copied;                           /* which panel that is; -1: none */
    /* While the sums of this block are made, the next one's operands are fetched: so many bytes of x,
       then of dy, in equal shares. */
    const char *ahead_x, *ahead_dy;
    ptrdiff_t ahead_bytes_x, ahead_bytes, ahead_share, ahead_at;
    union {
        struct {
            fvi_tile_run run[WEIGHTS_BLOCK]; /* the runs again, on inputs */
            /* the inputs of one tile, pixels close together */
            float inputs[WEIGHTS_BLOCK * FVI_TILE_ROWS_MAX];
        } near;
        float band[WEIGHTS_PADDED]; /* input rows with their padding */
    } copy;
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

/* First input of tile i: tiles are nearly equal, and even where inputs go in pairs. */
static ptrdiff_t weights_tile(const weights_plan *plan, ptrdiff_t i)
{
    if (!plan->is_paired) return weights_part(plan->inputs, plan->tile_count, i);
    const ptrdiff_t at = 2 * weights_part(weights_ceil(plan->inputs, 2), plan->tile_count, i);
    return weights_min(plan->inputs, at);
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

/* Pixels [first, last) under tap (kh, kw). */
static void weights_runs(const weights_plan *plan, weights_table *table, ptrdiff_t kh, ptrdiff_t kw,
                         ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    table->runs = 0;
    for (ptrdiff_t pixel = first; pixel < last;) {
        const ptrdiff_t row = pixel / s->OW, w0 = pixel % s->OW;
        const ptrdiff_t w1 = weights_min(s->OW, w0 + last - pixel);
        const ptrdiff_t n = row / s->OH, ih = row % s->OH * s->SH + kh * s->DH - s->pad_top;
        if (ih >= 0 && ih < s->H)
            weights_row_runs(plan, table, plan->x + (n * s->H + ih) * s->W * s->x_pitch, kw, w0, w1,
                             (size_t)(pixel - first));
        pixel += w1 - w0;
    }
}

/* Floats of an input row with its padding. */
static ptrdiff_t weights_band_row(const fvi_conv_shape *s)
{
    return ((s->OW - 1) * s->SW + s->KW) * s->C;
}

/* Input rows under output rows [oh0, oh1) of image n, with their padding; the next free place. */
static float *weights_fill_band(const weights_plan *plan, float *to, ptrdiff_t n, ptrdiff_t oh0,
                                ptrdiff_t oh1)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t row = weights_band_row(s), first = oh0 * s->SH - s->pad_top;
    const ptrdiff_t count = (oh1 - oh0 - 1) * s->SH + (s->KH - 1) * s->DH + 1;
    for (ptrdiff_t ih = first; ih < first + count; ++ih, to += row) {
        if (ih < 0 || ih >= s->H)
            memset(to, 0, (size_t)row * sizeof *to);
        else
            fvi_conv_copy(to, plan->x + (n * s->H + ih) * s->W * s->C, -s->pad_left,
                          row / s->C - s->pad_left, s->W, s->C);
    }
    return to;
}

/* Pixels [first, last) under the first kernel row, the taps of which are one; what the others read
   lies kernel_row behind it. */
static void weights_merged_runs(const weights_plan *plan, weights_table *table, ptrdiff_t first,
                                ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t step = s->SW * s->C;
    float *band = table->copy.band, *next = band;
    ptrdiff_t image = -1, oh0 = 0;
    table->runs = 0;
    for (ptrdiff_t pixel = first; pixel < last;) {
        const ptrdiff_t row = pixel / s->OW, w0 = pixel % s->OW, n = row / s->OH, oh = row % s->OH;
        const ptrdiff_t w1 = weights_min(s->OW, w0 + last - pixel);
        const float *a = plan->x + ((n * s->H + oh * s->SH) * s->W + w0 * s->SW) * s->C;
        if (plan->has_band && n != image) {
            const ptrdiff_t rows = weights_ceil(w0 + last - pixel, s->OW);
            image = n;
            oh0 = oh;
            band = next;
            next = weights_fill_band(plan, band, n, oh, weights_min(s->OH, oh + rows));
        }
        if (plan->has_band) a = band + (oh - oh0) * s->SH * weights_band_row(s) + w0 * step;
        weights_add_run(table, a, (size_t)step, (size_t)(pixel - first), (size_t)(w1 - w0));
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

/* Pixels [first, last) of panel p. Where one panel is all of dy it is read where it lies. Otherwise
   it is copied before the taps and tiles read it: pixels far apart share a few places of the
   first-level cache. Whole vectors are read of a last panel that ends inside one: the lanes behind
   meet the next pixel, and are not stored. At the end of dy there is none, so there it is copied
   too. */
static weights_panel weights_panel_at(const weights_plan *plan, weights_table *table,
                                      ptrdiff_t first, ptrdiff_t last, ptrdiff_t p)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t columns = weights_columns(plan, p), lanes = plan->tiles->lanes;
    const ptrdiff_t wide = weights_ceil(columns, lanes) * lanes;
    const float *dy = plan->dy + first * s->y_pitch + p * plan->width;
    const bool is_short = (plan->pixels - last) * s->y_pitch < wide - columns;
    const bool is_far = s->y_pitch > plan->width && !plan->is_tile_outside;
    if (!is_far && !is_short) return (weights_panel){dy, (size_t)s->y_pitch, p};
    for (ptrdiff_t i = 0; table->copied != p && i < last - first; ++i, dy += s->y_pitch) {
        float *to = table->panel + i * wide;
        memcpy(to, dy, (size_t)columns * sizeof *to);
        for (ptrdiff_t c = columns; c < wide; ++c)
            to[c] = 0;
    }
    table->copied = p;
    return (weights_panel){table->panel, (size_t)wide, p};
}

/* The inputs of one tile, copied before many panels read them. */
static void weights_inputs_near(weights_table *table, ptrdiff_t input, ptrdiff_t inputs)
{
    float *to = table->copy.near.inputs;
    for (size_t r = 0; r < table->runs; ++r) {
        const fvi_tile_run *run = &table->run[r];
        table->copy.near.run[r] = (fvi_tile_run){to, (size_t)inputs, run->first, run->count};
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

/* The share of the next block that one call fetches. */
static void weights_ahead(fvi_tile_runs *call, weights_table *table)
{
    const ptrdiff_t at = table->ahead_at;
    call->ahead = at < table->ahead_bytes_x ? table->ahead_x + at
                                            : table->ahead_dy + (at - table->ahead_bytes_x);
    if (at >= table->ahead_bytes) return;
    call->ahead_step = weights_ceil(table->ahead_share, WEIGHTS_BLOCK);
    table->ahead_at += table->ahead_share;
}

/* A tile of sums: inputs [from, from + inputs) of the tap, which lie a_at behind where the runs
   begin. */
static void weights_sum(const weights_plan *plan, weights_table *table, const fvi_tile_run *run,
                        weights_panel panel, ptrdiff_t a_at, ptrdiff_t from, ptrdiff_t inputs,
                        float *out, bool is_added)
{
    const ptrdiff_t columns = weights_columns(plan, panel.index);
    const ptrdiff_t vectors = weights_ceil(columns, plan->tiles->lanes);
    fvi_tile_runs call = {
        .run = run,
        .runs = table->runs,
        .a_at = a_at,
        .spread = plan->spread + (plan->is_spread ? from : 0),
        .b = panel.dy,
        .b_step = panel.step,
        .out = out + from * plan->s->F + panel.index * plan->width,
        .out_step = (size_t)plan->s->F,
        .columns = (int)columns,
        .is_added = is_added,
    };
    weights_ahead(&call, table);
    fvi_tile_runs_fn *const *kernels = !plan->is_spread  ? plan->tiles->runs
                                       : plan->is_paired ? plan->tiles->spread_pairs
                                                         : plan->tiles->spread;
    kernels[(inputs - 1) * plan->tiles->vectors_max + vectors - 1](&call);
}

/* The runs of the table times one panel: the rows of dw of one tap, whose inputs lie a_at behind. */
static void weights_tap(const weights_plan *plan, weights_table *table, const weights_part_of *part,
                        weights_panel panel, ptrdiff_t a_at, float *out)
{
    for (ptrdiff_t t = part->t0; t < part->t1; ++t) {
        const ptrdiff_t from = weights_tile(plan, t), count = weights_tile(plan, t + 1) - from;
        weights_sum(plan, table, table->run, panel, a_at + (plan->is_spread ? 0 : from), from,
                    count, out, part->is_added);
    }
}

/* The same for all panels, tile by tile. */
static void weights_tap_tiles(const weights_plan *plan, weights_table *table,
                              const weights_part_of *part, ptrdiff_t first, ptrdiff_t last,
                              float *out)
{
    for (ptrdiff_t t = part->t0; t < part->t1; ++t) {
        const ptrdiff_t from = weights_tile(plan, t), count = weights_tile(plan, t + 1) - from;
        weights_inputs_near(table, from, count);
        for (ptrdiff_t p = part->p0; p < part->p1; ++p)
            weights_sum(plan, table, table->copy.near.run,
                        weights_panel_at(plan, table, first, last, p), 0, from, count, out,
                        part->is_added);
    }
}

static void weights_block_ahead(const weights_plan *plan, weights_table *table,
                                const weights_part_of *part, ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t row = last / s->OW, n = row / s->OH, oh = row % s->OH;
    const ptrdiff_t x = (n * s->H + oh * s->SH) * s->W + last % s->OW * s->SW;
    const ptrdiff_t calls =
        plan->taps_h * plan->taps_w * (part->t1 - part->t0) * (part->p1 - part->p0);
    const bool is_last = last >= plan->pixels;
    table->ahead_x = (const char *)(is_last ? plan->x : plan->x + x * s->x_pitch);
    table->ahead_dy = (const char *)(is_last ? plan->dy : plan->dy + last * s->y_pitch);
    table->ahead_bytes_x = (last - first) * s->SH * s->SW * s->x_pitch * (ptrdiff_t)sizeof(float);
    table->ahead_bytes =
        table->ahead_bytes_x + (last - first) * s->y_pitch * (ptrdiff_t)sizeof(float);
    table->ahead_share = weights_ceil(table->ahead_bytes, weights_max(calls, 1));
    table->ahead_at = is_last ? table->ahead_bytes : 0;
}

static void weights_block(const weights_plan *plan, weights_table *table,
                          const weights_part_of *part, ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t panels = plan->is_tile_outside ? 1 : part->p1 - part->p0;
    weights_block_ahead(plan, table, part, first, last);
    table->copied = -1;
    if (plan->is_merged) weights_merged_runs(plan, table, first, last);
    for (ptrdiff_t p = part->p0; p < part->p0 + panels; ++p) {
        const weights_panel panel = weights_panel_at(plan, table, first, last, p);
        for (ptrdiff_t tap = 0; tap < plan->taps_h * plan->taps_w; ++tap) {
            const ptrdiff_t kh = tap / plan->taps_w, kw = tap % plan->taps_w;
            float *out = part->dw + (kh * s->KW + kw) * s->C * s->F;
            if (!plan->is_merged) weights_runs(plan, table, kh, kw, first, last);
            if (table->runs == 0 && part->is_added) continue;
            if (plan->is_tile_outside)
                weights_tap_tiles(plan, table, part, first, last, out);
            else
                weights_tap(plan, table, part, panel, kh * plan->kernel_row, out);
        }
    }
    for (ptrdiff_t p = part->p0; part->db && p < part->p1; ++p) {
        const weights_panel panel = weights_panel_at(plan, table, first, last, p);
        plan->tiles->sums(panel.dy, panel.step, (size_t)(last - first), part->db + p * plan->width,
                          (int)weights_columns(plan, p), part->is_added);
    }
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

/* ---- decisions ---- */

/* A kernel row is one tap where it is short and reads no padding, or where the rows that a block
   reads can be copied with theirs. */
static void weights_plan_merge(weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t rows = (WEIGHTS_BLOCK - 2) / s->OW + 2, images = (rows - 2) / s->OH + 2;
    const ptrdiff_t under = (s->KH - 1) * s->DH + 1, row = weights_band_row(s);
    const ptrdiff_t copied = rows * s->SH + images * weights_max(0, under - s->SH);
    plan->has_band = s->pad_top > 0 || s->pad_left > 0 || (s->OH - 1) * s->SH + under > s->H ||
                     (s->OW - 1) * s->SW + s->KW > s->W;
    plan->is_merged = s->DW == 1 && s->KW > 1 && s->x_pitch == s->C &&
                      s->KW * s->C <= WEIGHTS_PATCH &&
                      (!plan->has_band || copied <= WEIGHTS_PADDED / row);
    plan->line = plan->is_merged ? s->KW * s->C : s->C;
    plan->kernel_row = s->DH * (plan->has_band ? row : s->W * s->C);
    if (plan->is_merged) return;
    plan->has_band = false;
    plan->kernel_row = 0;
}

static void weights_plan_tiles(weights_plan *plan)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t tall =
        s->F <= plan->tiles->lanes ? plan->tiles->thin_max : plan->tiles->rows_max;
    plan->is_spread = plan->is_merged && s->KH > 1 && plan->line < WEIGHTS_SHORT &&
                      s->KH * plan->line <= WEIGHTS_SPREAD;
    plan->is_paired = plan->is_spread && plan->line % 2 == 0;
    plan->inputs = plan->is_spread ? s->KH * plan->line : plan->line;
    plan->taps_h = plan->is_spread ? 1 : s->KH;
    plan->taps_w = plan->is_merged ? 1 : s->KW;
    for (ptrdiff_t m = 0; plan->is_spread && m < plan->inputs; ++m)
        plan->spread[m] = m / plan->line * plan->kernel_row + m % plan->line;
    const bool is_apart = plan->is_spread && !plan->is_paired;
    plan->tile_count = weights_ceil(plan->inputs, is_apart ? plan->tiles->rows_max : tall);
    plan->is_tile_outside =
        !plan->is_merged && (s->SW * s->x_pitch >= WEIGHTS_FAR || plan->pixels < WEIGHTS_FEW);
}

void fvi_conv_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                      float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    const fvi_tile_table *tiles = k->tiles;
    weights_plan plan = {
        .s = s, .tiles = tiles, .dw = dw, .db = db, .copies = scratch, .x = x, .dy = dy};
    plan.width = (ptrdiff_t)tiles->lanes * tiles->vectors_max;
    plan.panels = weights_ceil(s->F, plan.width);
    plan.pixels = s->N * s->OH * s->OW;
    weights_plan_merge(&plan);
    weights_plan_tiles(&plan);
    plan.blocks = weights_ceil(plan.pixels, WEIGHTS_BLOCK);
    plan.shards = fvi_conv_shards(s);
    plan.tile_groups = plan.panel_groups = 1;
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
