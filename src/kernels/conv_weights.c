/* SPDX-License-Identifier: MIT */
/* Weight and bias gradient: sums over pixels. */

/* dw[kh, kw, c, f] = sum over output pixels of x[its pixel under the tap, c] * dy[pixel, f]. In
   NHWC both are contiguous where the tile wants them. Output pixels of all images form one line
   that is cut into blocks; a block meets every tile of c, every tap and every panel of f while it
   is in the cache. Panels, and tiles where it pays, are copied first, their pixels close together:
   pixels far apart share a few places of the first-level cache, and a line of it holds other
   tiles' inputs too. A block's sum starts from zero and is added to dw, which keeps rounding
   small; blocks come in order. The line is cut into shards by geometry and batch alone, each with
   its own dw, and these are added in order: so threads cannot change a bit. */

#include "kernels/conv_weights.h"

#include <string.h>

#define WEIGHTS_ROWS 16           /* pixels that are copied of a tile, and then of the next */
#define WEIGHTS_LARGE (64 * 1024) /* floats of dw that do not stay near */
#define WEIGHTS_ALONE 500000.0    /* multiply-adds below which no thread is woken */

/* What one block of pixels reads under one tap. */
typedef struct weights_table {
    fvi_tile_run run[FVI_WEIGHTS_BLOCK];
    size_t runs;
    float *dy, *x; /* copies of panels and tiles, pixels close together */
    bool copies_dy;
    /* where input pixels lie: number `low`, floats from one to the next, and from tile to tile of
       the copies */
    const float *inputs;
    ptrdiff_t low, pitch, tile_step;
    /* While the sums of this block are made, the next one's operands are fetched: so many bytes of x,
       then of dy, in equal shares. */
    const char *ahead_x, *ahead_dy;
    ptrdiff_t ahead_bytes_x, ahead_bytes, ahead_share, ahead_step, ahead_at;
    float band[FVI_WEIGHTS_PADDED]; /* input rows with their padding */
} weights_table;

/* First of count equal parts' number i. */
static ptrdiff_t weights_part(ptrdiff_t all, ptrdiff_t count, ptrdiff_t i)
{
    return all / count * i + fvi_min(all % count, i);
}

/* First input of tile i: tiles are nearly equal, and even where inputs go in pairs. */
static ptrdiff_t weights_tile(const fvi_weights_plan *plan, ptrdiff_t i)
{
    const ptrdiff_t at = plan->tile_least * i + fvi_min(plan->tiles_more, i);
    return plan->is_paired ? fvi_min(plan->inputs, 2 * at) : at;
}

static ptrdiff_t weights_clamp(ptrdiff_t i, ptrdiff_t most)
{
    return fvi_max(0, fvi_min(i, most));
}

/* First pixel of block b. */
static ptrdiff_t weights_first(const fvi_weights_plan *plan, ptrdiff_t b)
{
    const ptrdiff_t OW = plan->s->OW, parts = plan->parts;
    if (parts == 1) return weights_part(plan->pixels / OW, plan->blocks, b) * OW;
    return b / parts * OW + weights_part(OW, parts, b % parts);
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

/* An output pixel, of all images. */
typedef struct weights_pixel {
    ptrdiff_t n, h, w;
} weights_pixel;

static weights_pixel weights_pixel_at(const fvi_conv_shape *s, ptrdiff_t pixel)
{
    const ptrdiff_t row = pixel / s->OW;
    return (weights_pixel){row / s->OH, row % s->OH, pixel % s->OW};
}

/* The first of the next row. */
static void weights_pixel_next(const fvi_conv_shape *s, weights_pixel *at)
{
    at->w = 0;
    if (++at->h < s->OH) return;
    at->h = 0;
    ++at->n;
}

/* Pixels [w0, w1) of one output row; row is the first pixel of the input row they read, first the
   number of pixel w0 in the block. Only pixels whose tap is inside the image take part. */
static void weights_row_runs(const fvi_weights_plan *plan, weights_table *table, ptrdiff_t row,
                             ptrdiff_t kw, ptrdiff_t w0, ptrdiff_t w1, size_t first)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t shift = kw * s->DW - s->pad_left; /* input index of output 0 */
    const ptrdiff_t from = shift < 0 ? fvi_ceil(-shift, s->SW) : 0;
    const ptrdiff_t to = shift < s->W ? (s->W - 1 - shift) / s->SW + 1 : 0;
    const ptrdiff_t lo = fvi_max(w0, from), hi = fvi_min(w1, to);
    if (lo >= hi) return;
    const ptrdiff_t pixel = row + lo * s->SW + shift - table->low;
    weights_add_run(table, table->inputs + pixel * table->pitch, (size_t)(s->SW * table->pitch),
                    first + (size_t)(lo - w0), (size_t)(hi - lo));
}

/* Pixels [first, last) under tap (kh, kw). */
static void weights_runs(const fvi_weights_plan *plan, weights_table *table, ptrdiff_t kh,
                         ptrdiff_t kw, ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    weights_pixel at = weights_pixel_at(s, first);
    table->runs = 0;
    for (ptrdiff_t pixel = first; pixel < last; weights_pixel_next(s, &at)) {
        const ptrdiff_t w0 = at.w, w1 = fvi_min(s->OW, w0 + last - pixel), n = at.n;
        const ptrdiff_t ih = at.h * s->SH + kh * s->DH - s->pad_top;
        if (ih >= 0 && ih < s->H)
            weights_row_runs(plan, table, (n * s->H + ih) * s->W, kw, w0, w1,
                             (size_t)(pixel - first));
        pixel += w1 - w0;
    }
}

/* Input rows under output rows [oh0, oh1) of image n, with their padding; the next free place. */
static float *weights_fill_band(const fvi_weights_plan *plan, float *to, ptrdiff_t n, ptrdiff_t oh0,
                                ptrdiff_t oh1)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t row = plan->band_row, first = oh0 * s->SH - s->pad_top;
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
static void weights_merged_runs(const fvi_weights_plan *plan, weights_table *table, ptrdiff_t first,
                                ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t step = s->SW * s->C;
    float *band = table->band, *next = band;
    ptrdiff_t image = -1, oh0 = 0;
    weights_pixel at = weights_pixel_at(s, first);
    table->runs = 0;
    for (ptrdiff_t pixel = first; pixel < last; weights_pixel_next(s, &at)) {
        const ptrdiff_t w0 = at.w, w1 = fvi_min(s->OW, w0 + last - pixel), n = at.n, oh = at.h;
        const float *a = plan->x + ((n * s->H + oh * s->SH) * s->W + w0 * s->SW) * s->C;
        if (plan->has_band && n != image) {
            const ptrdiff_t rows = fvi_ceil(w0 + last - pixel, s->OW);
            image = n;
            oh0 = oh;
            band = next;
            next = weights_fill_band(plan, band, n, oh, fvi_min(s->OH, oh + rows));
        }
        if (plan->has_band) a = band + (oh - oh0) * s->SH * plan->band_row + w0 * step;
        weights_add_run(table, a, (size_t)step, (size_t)(pixel - first), (size_t)(w1 - w0));
        pixel += w1 - w0;
    }
}

/* ---- copies ---- */

/* Input pixels [low, high) among which are all that output pixels [first, last) read. */
static void weights_span(const fvi_conv_shape *s, ptrdiff_t first, ptrdiff_t last, ptrdiff_t *low,
                         ptrdiff_t *high)
{
    const ptrdiff_t r0 = first / s->OW, r1 = (last - 1) / s->OW;
    const ptrdiff_t h0 = r0 % s->OH * s->SH - s->pad_top;
    const ptrdiff_t h1 = r1 % s->OH * s->SH - s->pad_top + (s->KH - 1) * s->DH;
    ptrdiff_t w0 = 0, w1 = s->W;
    if (r0 == r1) {
        w0 = first % s->OW * s->SW - s->pad_left;
        w1 = (last - 1) % s->OW * s->SW - s->pad_left + (s->KW - 1) * s->DW + 1;
    }
    *low = (r0 / s->OH * s->H + weights_clamp(h0, s->H)) * s->W + weights_clamp(w0, s->W);
    *high = (r1 / s->OH * s->H + weights_clamp(h1 + 1, s->H) - 1) * s->W + weights_clamp(w1, s->W);
    *high = fvi_max(*low, *high);
}

/* Floats of a tile's copy for pixels [first, last). Of one tap, no more is copied than it reads. */
static ptrdiff_t weights_tile_step(const fvi_weights_plan *plan, ptrdiff_t first, ptrdiff_t last)
{
    ptrdiff_t low = first, high = last;
    if (plan->taps_h * plan->taps_w > 1) weights_span(plan->s, first, last, &low, &high);
    return (high - low) * plan->tall;
}

/* Tiles [t0, t1) of count input pixels, `step` floats apart, to pixel `at` of the copies. */
static void weights_copy_pixels(const fvi_weights_plan *plan, weights_table *table, ptrdiff_t t0,
                                ptrdiff_t t1, const float *from, ptrdiff_t step, ptrdiff_t count,
                                ptrdiff_t at)
{
    for (ptrdiff_t i = 0; i < count; i += WEIGHTS_ROWS) {
        const ptrdiff_t rows = fvi_min(WEIGHTS_ROWS, count - i);
        for (ptrdiff_t t = t0; t < t1; ++t) {
            const ptrdiff_t input = weights_tile(plan, t), end = weights_tile(plan, t + 1);
            plan->tiles->narrow(table->x + (t - t0) * table->tile_step + (at + i) * plan->tall,
                                plan->tall, from + i * step + input, step, rows, end - input);
        }
    }
}

/* What a block reads of tiles [t0, t1). The runs of one tap are made, of several the table tells
   where they are. */
static void weights_copy_tiles(const fvi_weights_plan *plan, weights_table *table, ptrdiff_t t0,
                               ptrdiff_t t1, ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    if (plan->taps_h * plan->taps_w > 1) {
        ptrdiff_t low, high;
        weights_span(s, first, last, &low, &high);
        weights_copy_pixels(plan, table, t0, t1, plan->x + low * s->x_pitch, s->x_pitch, high - low,
                            0);
        table->inputs = table->x;
        table->low = low;
        table->pitch = plan->tall;
        return;
    }
    weights_runs(plan, table, 0, 0, first, last);
    for (size_t r = 0; r < table->runs; ++r) {
        fvi_tile_run *run = &table->run[r];
        weights_copy_pixels(plan, table, t0, t1, run->a, (ptrdiff_t)run->a_step,
                            (ptrdiff_t)run->count, (ptrdiff_t)run->first);
        run->a = table->x + run->first * (size_t)plan->tall;
        run->a_step = (size_t)plan->tall;
    }
}

static ptrdiff_t weights_columns(const fvi_weights_plan *plan, ptrdiff_t p)
{
    return fvi_min(plan->width, plan->s->F - p * plan->width);
}

/* Panels [p0, p1) of pixels [first, last). Where one panel is all of dy it is read where it lies.
   Whole vectors are read of a last panel that ends inside one: the lanes behind meet the next pixel,
   and are not stored. At the end of dy there is none, so there it is copied too. */
static void weights_copy_panels(const fvi_weights_plan *plan, weights_table *table, ptrdiff_t p0,
                                ptrdiff_t p1, ptrdiff_t first, ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const float *dy = plan->dy + first * s->y_pitch;
    const bool is_short = (plan->pixels - last) * s->y_pitch < plan->step - s->F;
    table->copies_dy = s->y_pitch > plan->width || is_short;
    for (ptrdiff_t p = p0; table->copies_dy && !plan->copies_late && p < p1; ++p)
        plan->tiles->copy(table->dy + (p - p0) * plan->block * plan->step, plan->step,
                          dy + p * plan->width, s->y_pitch, last - first, weights_columns(plan, p));
}

/* ---- sums ---- */

/* One panel of a block of dy. */
typedef struct weights_panel {
    const float *dy;
    size_t step;
    ptrdiff_t index;
    float *copy; /* that its sum makes of it; NULL: none */
} weights_panel;

/* Panel p of a task's, which begin with p0; is_first: no sum has read it yet. */
static weights_panel weights_panel_at(const fvi_weights_plan *plan, const weights_table *table,
                                      ptrdiff_t first, ptrdiff_t p0, ptrdiff_t p, bool is_first)
{
    const fvi_conv_shape *s = plan->s;
    float *copy = table->dy + (p - p0) * plan->block * plan->step;
    const float *dy = plan->dy + first * s->y_pitch;
    if (plan->copies_late && is_first)
        return (weights_panel){dy + p * plan->width, (size_t)s->y_pitch, p, copy};
    if (!table->copies_dy) return (weights_panel){dy, (size_t)s->y_pitch, p, NULL};
    return (weights_panel){copy, (size_t)plan->step, p, NULL};
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
    call->ahead_step = table->ahead_step;
    table->ahead_at += table->ahead_share;
}

/* Where dw is large, the sums so far are fetched while they are added to. */
static void weights_fetch(const fvi_tile_runs *call, ptrdiff_t rows)
{
    for (ptrdiff_t m = 0; m < rows; ++m) {
        const float *out = call->out + m * (ptrdiff_t)call->out_step;
        for (int c = 0; c < call->columns; c += 16)
            __builtin_prefetch(out + c, 1);
    }
}

/* A tile of sums: inputs [from, from + inputs) of the tap, which lie a_at behind where the runs
   begin. */
static void weights_sum(const fvi_weights_plan *plan, weights_table *table, weights_panel panel,
                        ptrdiff_t a_at, ptrdiff_t from, ptrdiff_t inputs, float *out, bool is_added)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t columns = weights_columns(plan, panel.index);
    const ptrdiff_t vectors =
        columns == plan->width ? plan->tiles->vectors_max : fvi_ceil(columns, plan->tiles->lanes);
    fvi_tile_runs call = {
        .run = table->run,
        .runs = table->runs,
        .a_at = a_at,
        .spread = plan->spread + (plan->is_spread ? from : 0),
        .b = panel.dy,
        .b_step = panel.step,
        .out = out + from * s->F + panel.index * plan->width,
        .out_step = (size_t)s->F,
        .columns = (int)columns,
        .is_added = is_added,
        .copy = panel.copy,
    };
    weights_ahead(&call, table);
    if (is_added && s->KH * s->KW * s->C * s->F >= WEIGHTS_LARGE) weights_fetch(&call, inputs);
    fvi_tile_runs_fn *const *kernels = panel.copy         ? plan->tiles->copying
                                       : !plan->is_spread ? plan->tiles->runs
                                       : plan->is_paired  ? plan->tiles->spread_pairs
                                                          : plan->tiles->spread;
    kernels[(inputs - 1) * plan->tiles->vectors_max + vectors - 1](&call);
}

static void weights_block_ahead(const fvi_weights_plan *plan, weights_table *table,
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
    table->ahead_share = fvi_ceil(table->ahead_bytes, fvi_max(calls, 1));
    table->ahead_step = fvi_ceil(table->ahead_share, last - first);
    table->ahead_at = is_last ? table->ahead_bytes : 0;
}

/* The runs of the table times all panels of a task: the rows of dw that tiles [t0, t1) of one tap
   make. */
static void weights_tap(const fvi_weights_plan *plan, weights_table *table,
                        const weights_part_of *part, ptrdiff_t t0, ptrdiff_t t1, ptrdiff_t kh,
                        ptrdiff_t first, float *out)
{
    for (ptrdiff_t t = t0; t < t1; ++t) {
        const ptrdiff_t from = weights_tile(plan, t), count = weights_tile(plan, t + 1) - from;
        const ptrdiff_t at = plan->is_copied   ? (t - t0) * table->tile_step
                             : plan->is_spread ? 0
                                               : kh * plan->kernel_row + from;
        for (ptrdiff_t p = part->p0; p < part->p1; ++p) {
            const weights_panel panel =
                weights_panel_at(plan, table, first, part->p0, p, t == part->t0);
            weights_sum(plan, table, panel, at, from, count, out, part->is_added);
        }
    }
}

/* Tiles [t0, t1) of every tap. */
static void weights_tiles(const fvi_weights_plan *plan, weights_table *table,
                          const weights_part_of *part, ptrdiff_t t0, ptrdiff_t t1, ptrdiff_t first,
                          ptrdiff_t last)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t taps = plan->taps_h * plan->taps_w;
    table->inputs = plan->x;
    table->low = 0;
    table->pitch = s->x_pitch;
    if (plan->is_copied) weights_copy_tiles(plan, table, t0, t1, first, last);
    const bool has_runs = plan->is_merged || (plan->is_copied && taps == 1);
    for (ptrdiff_t tap = 0; tap < taps; ++tap) {
        const ptrdiff_t kh = tap / plan->taps_w, kw = tap % plan->taps_w;
        if (!has_runs) weights_runs(plan, table, kh, kw, first, last);
        if (table->runs == 0 && part->is_added) continue;
        weights_tap(plan, table, part, t0, t1, kh, first,
                    part->dw + (kh * s->KW + kw) * s->C * s->F);
    }
}

static void weights_block(const fvi_weights_plan *plan, weights_table *table,
                          const weights_part_of *part, ptrdiff_t first, ptrdiff_t last)
{
    weights_block_ahead(plan, table, part, first, last);
    if (plan->is_merged) weights_merged_runs(plan, table, first, last);
    weights_copy_panels(plan, table, part->p0, part->p1, first, last);
    ptrdiff_t some = part->t1 - part->t0; /* tiles */
    if (plan->is_copied) {
        table->tile_step = weights_tile_step(plan, first, last);
        some = fvi_max(1, FVI_WEIGHTS_TILES / fvi_max(1, table->tile_step));
    }
    for (ptrdiff_t t = part->t0; t < part->t1; t += some)
        weights_tiles(plan, table, part, t, fvi_min(part->t1, t + some), first, last);
    for (ptrdiff_t p = part->p0; part->db && p < part->p1; ++p) {
        const weights_panel panel = weights_panel_at(plan, table, first, part->p0, p, false);
        plan->tiles->sums(panel.dy, panel.step, (size_t)(last - first), part->db + p * plan->width,
                          (int)weights_columns(plan, p), part->is_added);
    }
}

static void weights_task(void *context, size_t task)
{
    const fvi_weights_plan *plan = context;
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
    if (shard > 0) {
        part.dw = plan->copies + (shard - 1) * (size + s->F);
        part.db = part.db ? part.dw + size : NULL;
    }
    weights_table table;
    table.dy = plan->near + index * (plan->near_dy + plan->near_x);
    table.x = table.dy + plan->near_dy;
    const ptrdiff_t b0 = weights_part(plan->blocks, plan->shards, shard);
    const ptrdiff_t b1 = weights_part(plan->blocks, plan->shards, shard + 1);
    for (ptrdiff_t b = b0; b < b1; ++b, part.is_added = true)
        weights_block(plan, &table, &part, weights_first(plan, b), weights_first(plan, b + 1));
}

/* Add the shards' copies, in order. */
static void weights_combine(const fvi_weights_plan *plan)
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

void fvi_conv_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                      float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    const double work =
        (double)(s->N * s->OH * s->OW) * (double)(s->KH * s->KW * s->C) * (double)s->F;
    if (work < WEIGHTS_ALONE) threads = NULL;
    fvi_weights_plan plan = fvi_weights_plan_of(k->tiles, s, fvi_threads_count(threads));
    plan.dw = dw;
    plan.db = db;
    plan.x = x;
    plan.dy = dy;
    plan.copies = scratch;
    plan.near = scratch + (plan.shards - 1) * (s->KH * s->KW * s->C * s->F + s->F);
    const size_t tasks = (size_t)(plan.shards * plan.tile_groups * plan.panel_groups);
    fvi_parallel_for(threads, tasks, weights_task, &plan);
    weights_combine(&plan);
}
