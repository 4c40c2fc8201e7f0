/* SPDX-License-Identifier: MIT */
/* Forward and input gradient: packs the weights, and for each tile of output pixels makes the table
   of rows it reads. */

/* Nothing is ever copied into columns: a tile reads its pixels through pointers (M. Dukhan, "The
   Indirect Convolution Algorithm", arXiv 1907.02129), so stride, dilation and padding cost nothing
   but another pointer. */

#include "kernels/conv_internal.h"

#include <string.h>

#define GATHER_TAPS 128 /* taps of one table; a larger kernel takes several passes over the tile */
#define GATHER_PATCH 8192 /* floats of border pixels copied with their zeros */
#define GATHER_BAND 512   /* floats of a source row that is copied with its borders, at most */
#define GATHER_CACHE                                                                               \
    (200 * 1024) /* floats of packed weights that may stay in the second-level cache */
#define GATHER_SOURCE                                                                              \
    (256 * 1024)              /* floats of source that one task walks over again for each panel */
#define GATHER_FAR 250000.0   /* floats of out that the second-level cache will not keep */
#define GATHER_STREAMS 16     /* rows of unpacked weights read side by side */
#define GATHER_THIN 256       /* depth from which few columns are not packed */
#define GATHER_TASK 1000000.0 /* multiply-adds that are worth a task */
#define GATHER_PACK 100000    /* weights whose packing is worth waking threads */
#define GATHER_ALONE 500000.0 /* below this no thread is woken */

/* A gather with all decisions taken. They depend on geometry and instruction set only. */
typedef struct gather_plan {
    const fvi_gather *g;
    const fvi_tile_table *tiles;
    const float *zeros;
    float *packed;
    ptrdiff_t width; /* columns of a whole panel */
    ptrdiff_t panels;
    ptrdiff_t direct;       /* panels that are read from the weights, unpacked */
    bool is_thin;           /* few columns of much depth: most of them is read unpacked */
    bool is_merged;         /* the taps of a kernel row are one long tap */
    bool has_band;          /* tiles at a border read copied rows; see gather_band */
    ptrdiff_t band_w;       /* pixels of a row of the band */
    ptrdiff_t band_rows;    /* rows of a full band */
    ptrdiff_t tap_h, tap_w; /* taps of the table in each axis */
    ptrdiff_t depth;        /* floats of one tap */
    ptrdiff_t unit, units;  /* pixels that tiles do not leave: an image, or all */
    ptrdiff_t unit_tiles;
    bool has_crossing; /* tiles cross images */
    ptrdiff_t task_tiles, tile_groups, task_panels, panel_groups;
    bool is_panel_outside;
    bool is_far; /* out is beyond the cache: its lines are fetched while their sums are made */
} gather_plan;

/* The rows [first, end) of a tile that are neighbours in one output row. */
typedef struct gather_segment {
    ptrdiff_t first, end;
    ptrdiff_t h, w; /* source index that row first has in tap 0 */
    ptrdiff_t at;   /* its place in the source, had that no border */
    bool is_inside; /* no tap leaves the source to the left or right */
} gather_segment;

/* What one tile reads, tap by tap. */
typedef struct gather_table {
    const float *rows[GATHER_TAPS * FVI_TILE_ROWS_MAX];
    size_t rows_step; /* as in fvi_tile_rows */
    size_t tap[GATHER_TAPS];
    ptrdiff_t shift[GATHER_TAPS];
    ptrdiff_t pitch; /* floats from source row to source row that shift is made for; 0: none */
    float *out[FVI_TILE_ROWS_MAX];
    gather_segment segment[FVI_TILE_ROWS_MAX];
    ptrdiff_t segments;
    float patch[GATHER_PATCH]; /* or the band: source rows [band_first, band_end) of an image */
    size_t patch_used;
    ptrdiff_t band_image, band_first, band_end;
    ptrdiff_t image; /* of the tile; the first, if it crosses */
    size_t taps;
    ptrdiff_t rows_count;
} gather_table;

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

static ptrdiff_t gather_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return (a + b - 1) / b;
}

static ptrdiff_t gather_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* Columns of panel p rounded up to whole vectors. */
static ptrdiff_t gather_width(const gather_plan *plan, ptrdiff_t p)
{
    const ptrdiff_t left = plan->g->columns - p * plan->width, lanes = plan->tiles->lanes;
    return gather_min(plan->width, gather_ceil(left, lanes) * lanes);
}

static float *gather_panel(const gather_plan *plan, ptrdiff_t p)
{
    return plan->packed +
           (p - plan->direct) * plan->width * plan->g->h.taps * plan->g->w.taps * plan->g->depth;
}

/* ---- packing: panel, tap, depth, column ---- */

/* Columns [c0, c0 + columns) of one tap's [depth][columns] matrix, stored plain or transposed. */
static void gather_pack_tap(float *to, ptrdiff_t width, const float *from, const fvi_gather *g,
                            ptrdiff_t c0, ptrdiff_t columns)
{
    if (g->is_transposed) fvi_conv_transpose(to, width, from + c0 * g->depth, g->depth, columns);
    for (ptrdiff_t d = 0; d < g->depth; ++d, to += width) {
        if (!g->is_transposed) memcpy(to, from + d * g->columns + c0, (size_t)columns * sizeof *to);
        for (ptrdiff_t c = columns; c < width; ++c)
            to[c] = 0;
    }
}

/* The last rows of a thin matrix, behind which there is nothing to be read. */
static void gather_pack_thin(const gather_plan *plan)
{
    const ptrdiff_t columns = plan->g->columns, width = gather_width(plan, 0);
    const float *from = plan->g->weights + (plan->g->depth - GATHER_STREAMS) * columns;
    memset(plan->packed, 0, (size_t)(GATHER_STREAMS * width) * sizeof *plan->packed);
    for (ptrdiff_t d = 0; d < GATHER_STREAMS; ++d)
        memcpy(plan->packed + d * width, from + d * columns, (size_t)columns * sizeof *from);
}

static void gather_pack(void *context, size_t task)
{
    const gather_plan *plan = context;
    const fvi_gather *g = plan->g;
    if (plan->is_thin) {
        gather_pack_thin(plan);
        return;
    }
    const ptrdiff_t p = plan->direct + (ptrdiff_t)task, c0 = p * plan->width,
                    width = gather_width(plan, p);
    const ptrdiff_t columns = gather_min(width, g->columns - c0);
    float *to = gather_panel(plan, p);
    for (ptrdiff_t i = 0; i < g->h.taps; ++i) {
        for (ptrdiff_t j = 0; j < g->w.taps; ++j, to += g->depth * width) {
            const ptrdiff_t kh = g->h.kernel_first + i * g->h.kernel_step;
            const ptrdiff_t kw = g->w.kernel_first + j * g->w.kernel_step;
            const float *from = g->weights + (kh * g->kernel_w + kw) * g->depth * g->columns;
            gather_pack_tap(to, width, from, g, c0, columns);
        }
    }
}

/* ---- the table of one tile ---- */

/* Where the tile's rows begin in the source and where they go. */
static void gather_begin(const gather_plan *plan, gather_table *table, ptrdiff_t tile)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const ptrdiff_t unit = tile / plan->unit_tiles, index = tile % plan->unit_tiles;
    const ptrdiff_t each = plan->unit / plan->unit_tiles, more = plan->unit % plan->unit_tiles;
    const ptrdiff_t first = unit * plan->unit + index * each + gather_min(index, more);
    const ptrdiff_t rows = each + (index < more), last_w = (w->taps - 1) * w->gap;
    ptrdiff_t j = first % w->count, i = first / w->count; /* i counts through all images */
    table->rows_count = rows;
    table->segments = 0;
    table->segment[0] = (gather_segment){0};
    for (ptrdiff_t m = 0; m < rows; j = 0, ++i) {
        const ptrdiff_t n = i / h->count, ih = i % h->count;
        gather_segment *segment = &table->segment[table->segments++];
        if (m == 0) table->image = n;
        segment->first = m;
        segment->end = gather_min(rows, m + w->count - j);
        segment->h = ih * h->source_step + h->source_first;
        segment->w = j * w->source_step + w->source_first;
        segment->at =
            ((n * h->source_size + segment->h) * w->source_size + segment->w) * g->source_pitch;
        const ptrdiff_t last = segment->w + (segment->end - 1 - m) * w->source_step + last_w;
        segment->is_inside = segment->w >= 0 && last < w->source_size;
        float *out = g->out + ((n * g->out_h + h->start + ih * h->step) * g->out_w + w->start +
                               j * w->step) *
                                  g->out_pitch;
        for (; m < segment->end; ++m, out += w->step * g->out_pitch)
            table->out[m] = out;
    }
}

/* Merged taps of a segment that reaches over a border: what it reads is copied with the zeros it
   meets. */
static void gather_patch(const gather_plan *plan, gather_table *table, const float **row,
                         const gather_segment *segment, ptrdiff_t ih)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t size = g->w.source_size, taps = g->w.taps, step = g->w.source_step;
    const ptrdiff_t count = segment->end - segment->first, from = segment->w;
    const float *source = g->source + segment->at + ((ih - segment->h) * size - from) * g->depth;
    float *patch = table->patch + table->patch_used;
    table->patch_used += (size_t)(count * plan->depth);
    if (step <= taps)
        fvi_conv_copy(patch, source, from, from + (count - 1) * step + taps, size, g->depth);
    for (ptrdiff_t m = 0; m < count; ++m, patch += gather_min(step, taps) * g->depth) {
        row[segment->first + m] = patch;
        if (step > taps)
            fvi_conv_copy(patch, source, from + m * step, from + m * step + taps, size, g->depth);
    }
}

/* Tap (i, j) of all rows; whether any row meets more than padding. */
static bool gather_tap(const gather_plan *plan, gather_table *table, const float **row, ptrdiff_t i,
                       ptrdiff_t j)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t add_h = i * g->h.gap, add_w = j * g->w.gap, size = g->w.source_size;
    const ptrdiff_t add = (add_h * size + add_w) * g->source_pitch, step = g->w.source_step;
    bool is_needed = false;
    for (const gather_segment *s = table->segment; s < table->segment + table->segments; ++s) {
        const ptrdiff_t ih = s->h + add_h;
        ptrdiff_t iw = s->w + add_w, at = s->at + add;
        if (ih < 0 || ih >= g->h.source_size) {
            for (ptrdiff_t m = s->first; m < s->end; ++m)
                row[m] = plan->zeros;
        } else if (s->is_inside) {
            for (ptrdiff_t m = s->first; m < s->end; ++m, at += step * g->source_pitch)
                row[m] = g->source + at;
            is_needed = true;
        } else if (plan->is_merged) {
            gather_patch(plan, table, row, s, ih);
            is_needed = true;
        } else {
            for (ptrdiff_t m = s->first; m < s->end;
                 ++m, iw += step, at += step * g->source_pitch) {
                const bool is_in = iw >= 0 && iw < size;
                row[m] = is_in ? g->source + at : plan->zeros;
                is_needed |= is_in;
            }
        }
    }
    return is_needed;
}

/* ---- tiles whose taps all lie alike: one row of pointers, and how far each tap is from it ---- */

/* Fill in the shifts for source rows so far apart; 0: no shifts. */
static void gather_shift(const gather_plan *plan, gather_table *table, ptrdiff_t pitch)
{
    const fvi_gather *g = plan->g;
    if (table->pitch == pitch) return;
    table->pitch = pitch;
    for (ptrdiff_t t = 0; t < gather_min(GATHER_TAPS, plan->tap_h * plan->tap_w); ++t) {
        const ptrdiff_t i = t / plan->tap_w, j = t % plan->tap_w;
        table->shift[t] = pitch == 0 ? 0 : i * g->h.gap * pitch + j * g->w.gap * g->source_pitch;
    }
}

/* No tap of any row leaves the source. */
static bool gather_is_inside(const gather_plan *plan, const gather_table *table)
{
    const fvi_gather_axis *h = &plan->g->h;
    for (const gather_segment *s = table->segment; s < table->segment + table->segments; ++s) {
        if (!s->is_inside || s->h < 0 || s->h + (h->taps - 1) * h->gap >= h->source_size)
            return false;
    }
    return true;
}

/* Copy rows of the tile's image from index first on, with zeros where they leave the source. */
static void gather_fill_band(const gather_plan *plan, gather_table *table, ptrdiff_t first)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const ptrdiff_t behind =
        (h->count - 1) * h->source_step + h->source_first + (h->taps - 1) * h->gap + 1;
    const ptrdiff_t row = w->source_size * g->depth;
    const float *image = g->source + table->image * h->source_size * row;
    float *to = table->patch;
    table->band_image = table->image;
    table->band_first = first;
    table->band_end = gather_min(first + plan->band_rows, behind);
    for (ptrdiff_t ih = first; ih < table->band_end; ++ih, to += plan->band_w * g->depth) {
        if (ih < 0 || ih >= h->source_size)
            memset(to, 0, (size_t)(plan->band_w * g->depth) * sizeof *to);
        else
            fvi_conv_copy(to, image + ih * row, w->source_first, w->source_first + plan->band_w,
                          w->source_size, g->depth);
    }
}

/* All taps at once, from the source itself or, at a border, from the band: whole rows of the source
   copied with their padding, which the tiles that follow use as well. False: neither will do. */
static bool gather_alike(const gather_plan *plan, gather_table *table)
{
    const fvi_gather *g = plan->g;
    const bool is_inside = gather_is_inside(plan, table);
    const gather_segment *last = &table->segment[table->segments - 1];
    const ptrdiff_t end = last->h + (g->h.taps - 1) * g->h.gap + 1, step = g->w.source_step;
    if (plan->tap_h * plan->tap_w > GATHER_TAPS || (!is_inside && !plan->has_band)) return false;
    const ptrdiff_t pitch = (is_inside ? g->w.source_size : plan->band_w) * g->source_pitch;
    if (!is_inside && (table->image != table->band_image || table->segment->h < table->band_first ||
                       end > table->band_end))
        gather_fill_band(plan, table, table->segment->h);
    for (const gather_segment *s = table->segment; s <= last; ++s) {
        const float *from = is_inside ? g->source + s->at
                                      : table->patch + (s->h - table->band_first) * pitch +
                                            (s->w - g->w.source_first) * g->source_pitch;
        for (ptrdiff_t m = s->first; m < s->end; ++m, from += step * g->source_pitch)
            table->rows[m] = from;
    }
    table->rows_step = 0;
    table->taps = (size_t)(plan->tap_h * plan->tap_w);
    for (size_t t = 0; t < table->taps; ++t)
        table->tap[t] = t;
    gather_shift(plan, table, pitch);
    return true;
}

/* ---- any tile: a row of pointers for each tap ---- */

/* Taps [t0, t1). One that meets only padding is left out, but only where tiles keep to one image:
   an image's bits must not depend on its neighbours, and 0 * w need not be 0. */
static void gather_taps(const gather_plan *plan, gather_table *table, ptrdiff_t t0, ptrdiff_t t1)
{
    const float **row = table->rows;
    ptrdiff_t i = t0 / plan->tap_w, j = t0 % plan->tap_w;
    table->taps = 0;
    table->patch_used = 0;
    table->rows_step = (size_t)table->rows_count;
    gather_shift(plan, table, 0);
    for (ptrdiff_t t = t0; t < t1; ++t) {
        if (gather_tap(plan, table, row, i, j) || plan->has_crossing) {
            table->tap[table->taps++] = (size_t)t;
            row += table->rows_count;
        }
        if (++j < plan->tap_w) continue;
        j = 0;
        ++i;
    }
}

/* The taps of the table times panel p. */
static void gather_product(const gather_plan *plan, const gather_table *table, ptrdiff_t p,
                           bool is_added, bool is_last)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t width = gather_width(plan, p), vectors = width / plan->tiles->lanes;
    if (plan->is_far) {
        for (ptrdiff_t m = 0; m < table->rows_count; ++m) {
            for (ptrdiff_t c = 0; c < width; c += 16)
                __builtin_prefetch(table->out[m] + p * plan->width + c, 1);
        }
    }
    const fvi_tile_rows call = {
        .rows = table->rows,
        .rows_step = table->rows_step,
        .shift = table->shift,
        .tap = table->tap,
        .taps = table->taps,
        .depth = (size_t)plan->depth,
        .panel = gather_panel(plan, p),
        .tap_step = (size_t)(plan->depth * width),
        .panel_step = (size_t)width,
        .out = table->out,
        .out_at = (size_t)(p * plan->width),
        .start = g->start ? g->start + p * plan->width : NULL,
        .columns = (int)gather_min(width, g->columns - p * plan->width),
        .is_added = is_added,
        .is_clipped = is_last && g->is_clipped,
        .mask = is_last ? g->mask : NULL,
        .mask_base = g->out,
    };
    plan->tiles->rows[(table->rows_count - 1) * plan->tiles->vectors_max + vectors - 1](&call);
}

static void gather_tile(const gather_plan *plan, gather_table *table, ptrdiff_t tile, ptrdiff_t p0,
                        ptrdiff_t p1)
{
    const ptrdiff_t taps = plan->tap_h * plan->tap_w;
    gather_begin(plan, table, tile);
    if (gather_alike(plan, table)) {
        for (ptrdiff_t p = p0; p < p1; ++p)
            gather_product(plan, table, p, plan->g->is_added, true);
        return;
    }
    for (ptrdiff_t t0 = 0; t0 < taps; t0 += GATHER_TAPS) {
        gather_taps(plan, table, t0, gather_min(taps, t0 + GATHER_TAPS));
        for (ptrdiff_t p = p0; p < p1; ++p)
            gather_product(plan, table, p, plan->g->is_added || t0 > 0, t0 + GATHER_TAPS >= taps);
    }
}

/* One tap, fewer columns than a vector has lanes: its vectors are read from the weights as they lie,
   their lanes behind the columns being the next rows', which are not stored; only of the last rows
   there is a packed copy. */
static void gather_thin(const gather_plan *plan, gather_table *table, ptrdiff_t tile)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t most = g->depth - GATHER_STREAMS;
    gather_begin(plan, table, tile);
    gather_taps(plan, table, 0, 1);
    if (table->taps == 0) { /* padding alone */
        gather_product(plan, table, 0, g->is_added, true);
        return;
    }
    fvi_tile_rows call = {
        .rows = table->rows,
        .shift = table->shift,
        .tap = table->tap,
        .taps = 1,
        .depth = (size_t)most,
        .panel = g->weights,
        .panel_step = (size_t)g->columns,
        .out = table->out,
        .start = g->start,
        .columns = (int)g->columns,
        .is_added = g->is_added,
    };
    fvi_tile_rows_fn *run = plan->tiles->rows[(table->rows_count - 1) * plan->tiles->vectors_max];
    run(&call);
    call.shift = &most;
    call.depth = GATHER_STREAMS;
    call.panel = plan->packed;
    call.panel_step = (size_t)gather_width(plan, 0);
    call.is_added = true;
    call.is_clipped = g->is_clipped;
    call.mask = g->mask;
    call.mask_base = g->out;
    run(&call);
}

/* One tap, one tile, many weights: they are read once, unpacked, a few of their rows at a time and
   these from end to end, so that the processor sees streams. Each sum still takes its products in
   the same order. */
static void gather_direct(const gather_plan *plan, gather_table *table, ptrdiff_t p0, ptrdiff_t p1)
{
    const fvi_gather *g = plan->g;
    gather_begin(plan, table, 0);
    gather_taps(plan, table, 0, 1);
    for (ptrdiff_t d = 0; d < g->depth; d += GATHER_STREAMS) {
        for (ptrdiff_t p = p0; p < p1; ++p) {
            const fvi_tile_rows call = {
                .rows = table->rows,
                .shift = table->shift,
                .tap = table->tap,
                .taps = 1,
                .depth = (size_t)gather_min(GATHER_STREAMS, g->depth - d),
                .panel = g->weights + d * g->columns + p * plan->width,
                .panel_step = (size_t)g->columns,
                .out = table->out,
                .out_at = (size_t)(p * plan->width),
                .start = g->start ? g->start + p * plan->width : NULL,
                .columns = (int)gather_width(plan, p),
                .is_added = g->is_added || d > 0,
                .is_clipped = g->is_clipped && d + GATHER_STREAMS >= g->depth,
            };
            const ptrdiff_t at = (table->rows_count - 1) * plan->tiles->vectors_max - 1;
            plan->tiles->rows[at + gather_width(plan, p) / plan->tiles->lanes](&call);
        }
        for (ptrdiff_t m = 0; m < table->rows_count; ++m)
            table->rows[m] += GATHER_STREAMS;
    }
}

static void gather_task(void *context, size_t task)
{
    const gather_plan *plan = context;
    const ptrdiff_t group = (ptrdiff_t)task / plan->panel_groups;
    const ptrdiff_t p0 = (ptrdiff_t)task % plan->panel_groups * plan->task_panels;
    const ptrdiff_t p1 = gather_min(plan->panels, p0 + plan->task_panels);
    const ptrdiff_t t0 = group * plan->task_tiles;
    const ptrdiff_t t1 = gather_min(plan->units * plan->unit_tiles, t0 + plan->task_tiles);
    gather_table table;
    table.pitch = table.band_image = -1;
    if (plan->is_thin) {
        for (ptrdiff_t t = t0; t < t1; ++t)
            gather_thin(plan, &table, t);
    } else if (plan->direct > 0) {
        gather_direct(plan, &table, p0, gather_min(p1, plan->direct));
        if (p1 > plan->direct) gather_tile(plan, &table, 0, plan->direct, p1);
    } else if (plan->is_panel_outside) {
        for (ptrdiff_t p = p0; p < p1; ++p) {
            for (ptrdiff_t t = t0; t < t1; ++t)
                gather_tile(plan, &table, t, p, p + 1);
        }
    } else {
        for (ptrdiff_t t = t0; t < t1; ++t)
            gather_tile(plan, &table, t, p0, p1);
    }
}

/* ---- decisions ---- */

static void gather_plan_taps(gather_plan *plan)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t tall = plan->tiles->rows_max;
    /* A kernel row is contiguous in the source when its taps are neighbours and pixels are whole.
       Worth it when the border's copies are small. */
    plan->is_merged =
        g->w.gap == 1 && g->w.taps > 1 && g->source_pitch == g->depth &&
        gather_min(g->h.taps, GATHER_TAPS) <= GATHER_PATCH / tall / g->w.taps / g->depth;
    plan->tap_h = g->h.taps;
    plan->tap_w = plan->is_merged ? 1 : g->w.taps;
    plan->depth = plan->is_merged ? g->w.taps * g->depth : g->depth;
}

static void gather_plan_tiles(gather_plan *plan)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t tall = plan->tiles->rows_max, pixels = g->h.count * g->w.count;
    /* Small images fill tall tiles badly: then tiles cross images. */
    const ptrdiff_t tiles = gather_ceil(pixels, tall);
    plan->has_crossing = pixels < 4 * tall && 6 * pixels < 5 * tiles * tall;
    plan->unit = plan->has_crossing ? g->N * pixels : pixels;
    plan->units = plan->has_crossing ? 1 : g->N;
    plan->unit_tiles = gather_ceil(plan->unit, tall);
}

/* Worth it where a copied row is short. A band holds what the largest tile needs at least. */
static void gather_plan_band(gather_plan *plan)
{
    const fvi_gather_axis *h = &plan->g->h, *w = &plan->g->w;
    plan->band_w = (w->count - 1) * w->source_step + (w->taps - 1) * w->gap + 1;
    const ptrdiff_t row = plan->band_w * plan->g->depth;
    const ptrdiff_t tile_rows = (plan->tiles->rows_max + w->count - 2) / w->count + 1;
    const ptrdiff_t most = row <= GATHER_BAND ? GATHER_PATCH / row : 0;
    const ptrdiff_t least = (tile_rows - 1) * h->source_step + (h->taps - 1) * h->gap + 1;
    plan->band_rows = most;
    plan->has_band = !plan->has_crossing && plan->is_merged && least <= most;
}

/* A single tile cannot earn back the packing: panels of whole vectors stay where they are. */
static void gather_plan_direct(gather_plan *plan)
{
    const fvi_gather *g = plan->g;
    const bool is_one = plan->units * plan->unit_tiles == 1 && g->h.taps * g->w.taps == 1;
    plan->is_thin = g->h.taps * g->w.taps == 1 && !g->is_transposed && g->depth >= GATHER_THIN &&
                    g->columns < plan->tiles->lanes;
    if (is_one && !g->is_transposed && !plan->is_thin)
        plan->direct = plan->panels - (g->columns % plan->tiles->lanes != 0);
}

/* How the work is cut changes who computes an element, never how. */
static double gather_plan_tasks(gather_plan *plan, int threads)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t tall = plan->tiles->rows_max, all = plan->units * plan->unit_tiles;
    const double sums = (double)(g->h.taps * g->w.taps) * (double)g->depth * (double)g->columns;
    const double source = (double)(tall * g->h.source_step * g->w.source_step * g->depth);
    plan->is_far = (double)(plan->unit * plan->units) * (double)g->columns > GATHER_FAR;
    plan->is_panel_outside = sums > GATHER_CACHE && plan->panels > 1;
    double tiles = GATHER_TASK / (sums * (double)tall);
    if (plan->is_panel_outside) tiles = GATHER_SOURCE / source;
    plan->task_tiles = tiles < 1 ? 1 : tiles > (double)all ? all : (ptrdiff_t)tiles;
    plan->tile_groups = gather_ceil(all, plan->task_tiles);
    plan->task_panels = plan->panels;
    if (threads > 1 && plan->tile_groups < 8)
        plan->task_panels = gather_ceil(plan->panels, gather_ceil(16, plan->tile_groups));
    plan->panel_groups = gather_ceil(plan->panels, plan->task_panels);
    return sums * (double)(plan->unit * plan->units);
}

bool fvi_gather_scratch(size_t *floats, const fvi_kernels *k, size_t taps, size_t depth,
                        size_t columns)
{
    const size_t lanes = (size_t)k->tiles->lanes;
    const size_t zeros = depth > GATHER_PATCH ? depth : GATHER_PATCH;
    size_t wide;
    return fvi_sum(&wide, columns, lanes) && fvi_mul(&wide, wide, depth) &&
           fvi_mul(&wide, wide, taps) && fvi_sum(floats, wide, zeros);
}

void fvi_gather_run(const fvi_kernels *k, fvi_threads *threads, const fvi_gather *g, float *scratch)
{
    gather_plan plan = {.g = g, .tiles = k->tiles, .zeros = scratch};
    if (g->N == 0 || g->h.count == 0 || g->w.count == 0) return;
    plan.width = (ptrdiff_t)plan.tiles->lanes * plan.tiles->vectors_max;
    plan.panels = gather_ceil(g->columns, plan.width);
    gather_plan_taps(&plan);
    gather_plan_tiles(&plan);
    gather_plan_band(&plan);
    gather_plan_direct(&plan);
    const double work = gather_plan_tasks(&plan, fvi_threads_count(threads));
    const size_t zeros = (size_t)(g->depth > GATHER_PATCH ? g->depth : GATHER_PATCH);
    memset(scratch, 0, (size_t)plan.depth * sizeof *scratch);
    plan.packed = scratch + zeros;
    if (work < GATHER_ALONE) threads = NULL;
    const bool is_small = g->depth * g->columns * g->h.taps * g->w.taps < GATHER_PACK;
    fvi_parallel_for(is_small ? NULL : threads, (size_t)(plan.panels - plan.direct), gather_pack,
                     &plan);
    fvi_parallel_for(threads, (size_t)(plan.tile_groups * plan.panel_groups), gather_task, &plan);
}
