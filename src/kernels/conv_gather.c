/* SPDX-License-Identifier: MIT */
/* Forward and input gradient: packs the weights, and for each tile of output pixels lists the pixels
   it reads. */

/* Nothing is ever copied into columns: a tile reads its pixels through pointers (M. Dukhan, "The
   Indirect Convolution Algorithm", arXiv 1907.02129), so stride and dilation cost nothing but
   another pointer. Padding costs less than nothing: outputs are sorted into regions whose windows
   miss the same taps, and a region is computed without these; only where the source has few channels
   its rows are copied with their zeros, and all outputs are one region. Which of the two depends on
   the geometry alone, so that an image's bits do not depend on its neighbours. */

#include "kernels/conv_internal.h"

#include <math.h>
#include <string.h>

#define GATHER_TAPS 128 /* taps of one table; a larger kernel takes several passes over the tile */
#define GATHER_PATCH 8192 /* floats of source rows copied with their borders */
#define GATHER_BAND 512   /* floats of a source row that is copied so, at most */
#define GATHER_PANELS                                                                              \
    (10 * 1024) /* floats of packed weights that may stay in the first-level cache */
#define GATHER_SOURCE                                                                              \
    (128 * 1024)              /* floats of source that one task walks over again for each panel */
#define GATHER_FAR 250000.0   /* floats of out that the second-level cache will not keep */
#define GATHER_STREAMS 16     /* rows of unpacked weights read side by side */
#define GATHER_THIN 256       /* depth from which few columns are not packed */
#define GATHER_TASK 2000000.0 /* multiply-adds worth a task; an image of twice as many is cut */
#define GATHER_PACK 100000    /* weights whose packing is worth waking threads */
#define GATHER_ALONE 500000.0 /* below this no thread is woken */
#define GATHER_LINE 9         /* pixels of an odd line from which tiles do not leave it */

/* One axis of the output, and how far its indices are apart, in floats. */
typedef struct gather_side {
    fvi_gather_axis axis;
    ptrdiff_t source; /* from source index to source index */
    ptrdiff_t out;    /* from out index to out index */
} gather_side;

/* A gather with all decisions taken. They depend on geometry and instruction set only. */
typedef struct gather_plan {
    const fvi_gather *g;
    const fvi_tile_table *tiles;
    float *packed;
    gather_side h, w;
    ptrdiff_t width; /* columns of a whole panel */
    ptrdiff_t panels;
    ptrdiff_t direct;    /* panels that are read from the weights, unpacked */
    bool is_thin;        /* few columns of much depth: most of them is read unpacked */
    bool is_merged;      /* the taps of a kernel row are one long tap */
    ptrdiff_t band_w;    /* pixels of a row that is copied with its border */
    ptrdiff_t band_rows; /* output rows whose source rows are copied together; 0: none is */
    ptrdiff_t tall;      /* rows of the largest tile */
    ptrdiff_t image_chunk, row_chunk; /* images of a task, or rows of one image */
    ptrdiff_t tile_groups, task_panels, panel_groups;
    bool is_panel_outside;
    bool packs_late; /* a panel meets one task: that packs it, where it packed the one before */
    bool is_far;     /* out is beyond the cache: its lines are fetched while their sums are made */
} gather_plan;

/* Output pixels that meet the same taps, all inside the source: images of rows of columns. */
typedef struct gather_region {
    const float *source; /* what the first pixel reads in the first of the taps */
    float *out;
    ptrdiff_t images, rows, columns;
    ptrdiff_t image_source, row_source, column_source; /* floats from one to the next */
    ptrdiff_t image_out, row_out, column_out;
    ptrdiff_t tap_h0, tap_h1, tap_w0, tap_w1;
    ptrdiff_t tap_source; /* floats from tap to tap down the kernel */
} gather_region;

/* What one tile reads, and the place in its region where the next begins. */
typedef struct gather_table {
    const float *rows[FVI_TILE_ROWS_MAX];
    float *out[FVI_TILE_ROWS_MAX];
    ptrdiff_t count;
    bool is_paired; /* rows two by two lie as far apart as the columns of the region */
    ptrdiff_t shift[GATHER_TAPS];
    size_t panel_row[GATHER_TAPS]; /* of the panel, where the tap begins */
    size_t taps;
    ptrdiff_t depth;   /* floats of one tap */
    ptrdiff_t home;    /* panel in whose place the present one is packed */
    const char *ahead; /* where the last row reads the last tap */
    ptrdiff_t image, row, column;
    float patch[GATHER_PATCH];
} gather_table;

static ptrdiff_t gather_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return (a + b - 1) / b;
}

static ptrdiff_t gather_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t gather_max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
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

/* The last rows of a thin matrix, behind which there is nothing to be read. */
static void gather_pack_thin(const gather_plan *plan)
{
    const ptrdiff_t columns = plan->g->columns, width = gather_width(plan, 0);
    const float *from = plan->g->weights + (plan->g->depth - GATHER_STREAMS) * columns;
    memset(plan->packed, 0, (size_t)(GATHER_STREAMS * width) * sizeof *plan->packed);
    for (ptrdiff_t d = 0; d < GATHER_STREAMS; ++d)
        memcpy(plan->packed + d * width, from + d * columns, (size_t)columns * sizeof *from);
}

/* Panel p, into the place of panel `home`. */
static void gather_pack_panel(const gather_plan *plan, ptrdiff_t p, ptrdiff_t home)
{
    fvi_gather_pack(plan->tiles, gather_panel(plan, home), gather_width(plan, p), plan->g,
                    p * plan->width);
}

static void gather_pack(void *context, size_t task)
{
    const gather_plan *plan = context;
    const ptrdiff_t p = plan->direct + (ptrdiff_t)task;
    if (plan->is_thin)
        gather_pack_thin(plan);
    else
        gather_pack_panel(plan, p, p);
}

/* ---- products ---- */

static fvi_tile_rows_fn *gather_kernel(const gather_plan *plan, const gather_table *table,
                                       ptrdiff_t vectors)
{
    const ptrdiff_t at = (table->count - 1) * plan->tiles->vectors_max + vectors - 1;
    return (table->is_paired ? plan->tiles->pairs : plan->tiles->rows)[at];
}

/* The taps of the table times panel p. Meanwhile the first panel fetches what the next tile will be
   the first to read, which lies behind the last that this one reads. */
static void gather_product(const gather_plan *plan, const gather_region *region,
                           const gather_table *table, ptrdiff_t p, bool is_first, bool is_added,
                           bool is_last)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t width = gather_width(plan, p);
    if (plan->is_far) {
        for (ptrdiff_t m = 0; m < table->count; ++m) {
            for (ptrdiff_t c = 0; c < width; c += 16)
                __builtin_prefetch(table->out[m] + p * plan->width + c, 1);
        }
    }
    const ptrdiff_t steps = (ptrdiff_t)table->taps * table->depth;
    const ptrdiff_t next = region->column_source * (ptrdiff_t)sizeof(float);
    const fvi_tile_rows call = {
        .rows = table->rows,
        .pair_step = region->column_source,
        .shift = table->shift,
        .panel_row = table->panel_row,
        .taps = table->taps,
        .depth = (size_t)table->depth,
        .panel = gather_panel(plan, plan->packs_late ? table->home : p),
        .panel_step = (size_t)width,
        .out = table->out,
        .out_at = (size_t)(p * plan->width),
        .start = g->start ? g->start + p * plan->width : NULL,
        .columns = (int)gather_min(width, g->columns - p * plan->width),
        .ahead = table->ahead + next,
        .ahead_step = is_first ? gather_ceil(next * table->count, gather_max(steps, 1)) : 0,
        .is_added = is_added,
        .is_clipped = is_last && g->is_clipped,
        .mask = is_last ? g->mask : NULL,
        .mask_base = g->out,
    };
    gather_kernel(plan, table, width / plan->tiles->lanes)(&call);
}

/* One tap, fewer columns than a vector has lanes: its vectors are read from the weights as they lie,
   their lanes behind the columns being the next rows', which are not stored; only of the last rows
   there is a packed copy. */
static void gather_thin(const gather_plan *plan, const gather_region *region,
                        const gather_table *table)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t most = g->depth - GATHER_STREAMS;
    fvi_tile_rows call = {
        .rows = table->rows,
        .pair_step = region->column_source,
        .shift = table->shift,
        .panel_row = table->panel_row,
        .taps = 1,
        .depth = (size_t)most,
        .panel = g->weights,
        .panel_step = (size_t)g->columns,
        .out = table->out,
        .start = g->start,
        .columns = (int)g->columns,
        .ahead = table->ahead,
        .is_added = g->is_added,
    };
    fvi_tile_rows_fn *run = gather_kernel(plan, table, 1);
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
static void gather_direct(const gather_plan *plan, const gather_region *region, gather_table *table,
                          ptrdiff_t p0, ptrdiff_t p1)
{
    const fvi_gather *g = plan->g;
    for (ptrdiff_t d = 0; d < g->depth; d += GATHER_STREAMS) {
        const ptrdiff_t shift = d;
        for (ptrdiff_t p = p0; p < p1; ++p) {
            const fvi_tile_rows call = {
                .rows = table->rows,
                .pair_step = region->column_source,
                .shift = &shift,
                .panel_row = table->panel_row,
                .taps = 1,
                .depth = (size_t)gather_min(GATHER_STREAMS, g->depth - d),
                .panel = g->weights + d * g->columns + p * plan->width,
                .panel_step = (size_t)g->columns,
                .out = table->out,
                .out_at = (size_t)(p * plan->width),
                .start = g->start ? g->start + p * plan->width : NULL,
                .columns = (int)gather_width(plan, p),
                .ahead = table->ahead,
                .is_added = g->is_added || d > 0,
                .is_clipped = g->is_clipped && d + GATHER_STREAMS >= g->depth,
            };
            gather_kernel(plan, table, gather_width(plan, p) / plan->tiles->lanes)(&call);
        }
    }
}

/* ---- the tiles of a region ---- */

/* The next count pixels of the region. */
static void gather_fill(const gather_region *a, gather_table *table, ptrdiff_t count)
{
    table->count = count;
    for (ptrdiff_t m = 0; m < count;) {
        const ptrdiff_t end = m + gather_min(count - m, a->columns - table->column);
        const float *source = a->source + table->image * a->image_source +
                              table->row * a->row_source + table->column * a->column_source;
        float *out = a->out + table->image * a->image_out + table->row * a->row_out +
                     table->column * a->column_out;
        table->column += end - m;
        for (; m < end; ++m, source += a->column_source, out += a->column_out) {
            table->rows[m] = source;
            table->out[m] = out;
        }
        if (table->column < a->columns) continue;
        table->column = 0;
        if (++table->row < a->rows) continue;
        table->row = 0;
        ++table->image;
    }
}

/* The first of `tiles` nearly equal parts of `left` pixels. Where rows go in pairs, all parts but
   the last are even. */
static ptrdiff_t gather_cut(const gather_table *table, ptrdiff_t left, ptrdiff_t tall)
{
    if (left <= tall) return left;
    const ptrdiff_t tiles = gather_ceil(left, tall);
    if (!table->is_paired) return tiles > 2 ? tall : gather_ceil(left, 2);
    return 2 * gather_ceil(left / 2, tiles);
}

static void gather_tile(const gather_plan *plan, const gather_region *region, gather_table *table,
                        ptrdiff_t p0, ptrdiff_t p1, ptrdiff_t t0, bool is_last)
{
    const bool is_added = plan->g->is_added || t0 > 0;
    if (plan->is_thin && table->taps > 0) {
        gather_thin(plan, region, table);
        return;
    }
    if (p0 < plan->direct) gather_direct(plan, region, table, p0, gather_min(p1, plan->direct));
    for (ptrdiff_t p = gather_max(p0, plan->direct); p < p1; ++p)
        gather_product(plan, region, table, p, p == p0, is_added, is_last);
}

/* All tiles of a region, panels [p0, p1), taps [t0, ...) as the table has them. */
static void gather_tiles(const gather_plan *plan, const gather_region *region, gather_table *table,
                         ptrdiff_t p0, ptrdiff_t p1, ptrdiff_t t0, bool is_last)
{
    const ptrdiff_t all = region->images * region->rows * region->columns;
    const bool is_line = region->columns % 2 != 0 && region->columns >= GATHER_LINE;
    const ptrdiff_t part = is_line ? region->columns : all;
    table->is_paired = is_line || region->columns % 2 == 0 || all == 1;
    table->image = table->row = table->column = 0;
    const ptrdiff_t tall = table->is_paired ? plan->tall : plan->tiles->rows_max;
    const ptrdiff_t last = table->taps > 0 ? table->shift[table->taps - 1] : 0;
    for (ptrdiff_t done = 0; done < all; done += part) {
        for (ptrdiff_t left = part; left > 0; left -= table->count) {
            gather_fill(region, table, gather_cut(table, left, tall));
            table->ahead = (const char *)(table->rows[table->count - 1] + last);
            gather_tile(plan, region, table, p0, p1, t0, is_last);
        }
    }
}

/* Taps [t0, t1) of a region, counted from its first; in the order of the kernel. */
static void gather_taps(const gather_plan *plan, const gather_region *region, gather_table *table,
                        ptrdiff_t t0, ptrdiff_t t1)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t across = plan->is_merged ? 1 : region->tap_w1 - region->tap_w0;
    const ptrdiff_t gap = g->w.gap * g->source_pitch;
    table->taps = (size_t)(t1 - t0);
    table->depth = plan->is_merged ? (region->tap_w1 - region->tap_w0) * g->depth : g->depth;
    for (ptrdiff_t t = t0; t < t1; ++t) {
        const ptrdiff_t i = t / across, j = t % across;
        const ptrdiff_t tap = (region->tap_h0 + i) * g->w.taps + region->tap_w0 + j;
        table->shift[t - t0] = i * region->tap_source + j * gap;
        table->panel_row[t - t0] = (size_t)(tap * g->depth);
    }
}

static void gather_run_region(const gather_plan *plan, const gather_region *region,
                              gather_table *table, ptrdiff_t p0, ptrdiff_t p1)
{
    const ptrdiff_t across = plan->is_merged ? 1 : region->tap_w1 - region->tap_w0;
    const ptrdiff_t taps = (region->tap_h1 - region->tap_h0) * across;
    ptrdiff_t t0 = 0;
    do {
        const ptrdiff_t t1 = gather_min(taps, t0 + GATHER_TAPS);
        gather_taps(plan, region, table, t0, t1);
        gather_tiles(plan, region, table, p0, p1, t0, t1 == taps);
        t0 = t1;
    } while (t0 < taps);
}

/* ---- regions ---- */

/* Images [n0, n1) of a task, its spans of both axes. */
static gather_region gather_region_of(const gather_plan *plan, ptrdiff_t n0, ptrdiff_t n1,
                                      const fvi_gather_span *h, const fvi_gather_span *w)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *ah = &plan->h.axis, *aw = &plan->w.axis;
    const bool has_taps = h->tap0 < h->tap1 && w->tap0 < w->tap1;
    gather_region r = {
        .source = g->source,
        .images = n1 - n0,
        .rows = h->end - h->first,
        .columns = w->end - w->first,
        .image_source = g->h.source_size * g->w.source_size * g->source_pitch,
        .row_source = ah->source_step * plan->h.source,
        .column_source = aw->source_step * plan->w.source,
        .image_out = g->out_h * g->out_w * g->out_pitch,
        .row_out = ah->step * plan->h.out,
        .column_out = aw->step * plan->w.out,
        .tap_source = ah->gap * plan->h.source,
    };
    r.out = g->out + n0 * r.image_out + (ah->start + h->first * ah->step) * plan->h.out +
            (aw->start + w->first * aw->step) * plan->w.out;
    if (has_taps) {
        r.tap_h0 = h->tap0;
        r.tap_h1 = h->tap1;
        r.tap_w0 = w->tap0;
        r.tap_w1 = w->tap1;
        const ptrdiff_t ih = ah->source_first + h->first * ah->source_step + h->tap0 * ah->gap;
        const ptrdiff_t iw = aw->source_first + w->first * aw->source_step + w->tap0 * aw->gap;
        r.source += n0 * r.image_source + ih * plan->h.source + iw * plan->w.source;
    }
    if (r.columns == 1) { /* a column is walked down as a row is along */
        r.columns = r.rows;
        r.column_source = r.row_source;
        r.column_out = r.row_out;
        r.rows = 1;
    }
    if (r.columns == 1) { /* and so is the same pixel of all images */
        r.columns = r.images;
        r.column_source = r.image_source;
        r.column_out = r.image_out;
        r.images = 1;
    }
    return r;
}

/* Output rows [r0, r1) of images [n0, n1), region by region. */
static void gather_regions(const gather_plan *plan, gather_table *table, ptrdiff_t n0, ptrdiff_t n1,
                           ptrdiff_t r0, ptrdiff_t r1, ptrdiff_t p0, ptrdiff_t p1)
{
    fvi_gather_span h, w;
    for (ptrdiff_t i = r0; i < r1; i = h.end) {
        h = fvi_gather_span_at(&plan->h.axis, i, r1);
        for (ptrdiff_t j = 0; j < plan->w.axis.count; j = w.end) {
            w = fvi_gather_span_at(&plan->w.axis, j, plan->w.axis.count);
            const gather_region region = gather_region_of(plan, n0, n1, &h, &w);
            gather_run_region(plan, &region, table, p0, p1);
        }
    }
}

/* The source rows under output rows [r0, r1) of image n, copied with their padding, are a source
   without any. */
static void gather_band(const gather_plan *plan, gather_table *table, ptrdiff_t n, ptrdiff_t r0,
                        ptrdiff_t r1, ptrdiff_t p0, ptrdiff_t p1)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const fvi_gather_span rows = {r0, r1, 0, h->taps}, columns = {0, w->count, 0, w->taps};
    gather_region region = gather_region_of(plan, n, n + 1, &rows, &columns);
    const ptrdiff_t row = w->source_size * g->depth, band = plan->band_w * g->depth;
    const ptrdiff_t first = h->source_first + r0 * h->source_step;
    const ptrdiff_t count = (r1 - r0 - 1) * h->source_step + (h->taps - 1) * h->gap + 1;
    const float *image = g->source + n * region.image_source;
    float *to = table->patch;
    for (ptrdiff_t ih = first; ih < first + count; ++ih, to += band) {
        if (ih < 0 || ih >= h->source_size)
            memset(to, 0, (size_t)band * sizeof *to);
        else
            fvi_conv_copy(to, image + ih * row, w->source_first, w->source_first + plan->band_w,
                          w->source_size, g->depth);
    }
    region.source = table->patch;
    if (w->count == 1)
        region.column_source = h->source_step * band; /* as gather_region_of has turned it */
    else
        region.row_source = h->source_step * band;
    region.tap_source = h->gap * band;
    gather_run_region(plan, &region, table, p0, p1);
}

static void gather_task(void *context, size_t task)
{
    const gather_plan *plan = context;
    const ptrdiff_t pieces = gather_ceil(plan->h.axis.count, plan->row_chunk);
    const ptrdiff_t group = (ptrdiff_t)task / plan->panel_groups;
    const ptrdiff_t p0 = (ptrdiff_t)task % plan->panel_groups * plan->task_panels;
    const ptrdiff_t p1 = gather_min(plan->panels, p0 + plan->task_panels);
    const ptrdiff_t n0 = group / pieces * plan->image_chunk;
    const ptrdiff_t n1 = gather_min(plan->g->N, n0 + plan->image_chunk);
    const ptrdiff_t r0 = group % pieces * plan->row_chunk;
    const ptrdiff_t r1 = gather_min(plan->h.axis.count, r0 + plan->row_chunk);
    gather_table table;
    if (plan->band_rows > 0) {
        for (ptrdiff_t n = n0; n < n1; ++n) {
            for (ptrdiff_t r = r0; r < r1; r += plan->band_rows)
                gather_band(plan, &table, n, r, gather_min(r1, r + plan->band_rows), p0, p1);
        }
        return;
    }
    const ptrdiff_t step = plan->is_panel_outside ? 1 : p1 - p0;
    table.home = p0;
    for (ptrdiff_t p = p0; p < p1; p += step) {
        if (plan->packs_late) gather_pack_panel(plan, p, p0);
        gather_regions(plan, &table, n0, n1, r0, r1, p, p + step);
    }
}

/* ---- decisions ---- */

/* One long row of pixels is taken as a column, which can be cut into tasks. */
static void gather_plan_sides(gather_plan *plan)
{
    const fvi_gather *g = plan->g;
    plan->h = (gather_side){g->h, g->w.source_size * g->source_pitch, g->out_w * g->out_pitch};
    plan->w = (gather_side){g->w, g->source_pitch, g->out_pitch};
    if (g->N == 1 && g->h.count == 1 && g->h.taps == 1 && g->w.taps == 1) {
        const gather_side row = plan->w;
        plan->w = plan->h;
        plan->h = row;
    }
}

/* A kernel row is contiguous in the source when its taps are neighbours and pixels are whole. */
static void gather_plan_borders(gather_plan *plan)
{
    const fvi_gather_axis *h = &plan->g->h, *w = &plan->g->w;
    plan->is_merged = w->gap == 1 && w->taps > 1 && plan->g->source_pitch == plan->g->depth;
    plan->band_w = (w->count - 1) * w->source_step + (w->taps - 1) * w->gap + 1;
    const ptrdiff_t row = plan->band_w * plan->g->depth;
    if (!plan->is_merged || row > GATHER_BAND ||
        (fvi_gather_is_inside(h) && fvi_gather_is_inside(w)))
        return;
    const ptrdiff_t most = GATHER_PATCH / row, least = (h->taps - 1) * h->gap + 1;
    if (most >= least) plan->band_rows = (most - least) / h->source_step + 1;
}

/* A single tile cannot earn back the packing: panels of whole vectors stay where they are. */
static void gather_plan_direct(gather_plan *plan)
{
    const fvi_gather *g = plan->g;
    const bool is_one = g->N * g->h.count * g->w.count <= plan->tiles->rows_max;
    if (g->h.taps * g->w.taps > 1 || g->is_transposed || !fvi_gather_is_inside(&g->h) ||
        !fvi_gather_is_inside(&g->w))
        return;
    plan->is_thin = g->depth >= GATHER_THIN && g->columns < plan->tiles->lanes;
    if (is_one && !plan->is_thin)
        plan->direct = plan->panels - (g->columns % plan->tiles->lanes != 0);
}

/* How the work is cut changes who computes an element, never how. */
static double gather_plan_tasks(gather_plan *plan, int threads)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &plan->h.axis, *w = &plan->w.axis;
    const double sums = (double)(h->taps * w->taps) * (double)g->depth * (double)g->columns;
    const double image = (double)h->count * (double)w->count;
    const double source = (double)(h->source_step * w->source_step * g->depth);
    plan->is_far = image * (double)g->N * (double)g->columns > GATHER_FAR;
    plan->is_panel_outside = sums > GATHER_PANELS && plan->panels > 1;
    const double panel = sums / (double)plan->panels;
    const double reread = fmin(fmax(GATHER_SOURCE, 2 * panel), 2 * GATHER_SOURCE);
    const double pixels = plan->is_panel_outside ? reread / source : GATHER_TASK / sums;
    const double images = pixels / image;
    plan->row_chunk = h->count;
    plan->image_chunk = images < 1 ? 1 : images > (double)g->N ? g->N : (ptrdiff_t)images;
    if (images < 0.5) {
        const double rows = pixels / (double)w->count;
        const ptrdiff_t pieces = rows < 1 ? h->count : (ptrdiff_t)((double)h->count / rows) + 1;
        plan->row_chunk = gather_ceil(h->count, gather_min(pieces, h->count));
    }
    plan->tile_groups =
        gather_ceil(g->N, plan->image_chunk) * gather_ceil(h->count, plan->row_chunk);
    plan->task_panels = plan->panels;
    if (threads > 1 && plan->tile_groups < 8)
        plan->task_panels = gather_ceil(plan->panels, gather_ceil(16, plan->tile_groups));
    plan->panel_groups = gather_ceil(plan->panels, plan->task_panels);
    plan->packs_late = plan->is_panel_outside && plan->tile_groups == 1 && plan->band_rows == 0 &&
                       plan->direct == 0 && !plan->is_thin;
    return sums * image * (double)g->N;
}

bool fvi_gather_scratch(size_t *floats, const fvi_kernels *k, size_t taps, size_t depth,
                        size_t columns)
{
    size_t wide;
    return fvi_sum(&wide, columns, (size_t)k->tiles->lanes) && fvi_mul(&wide, wide, depth) &&
           fvi_mul(floats, wide, taps);
}

void fvi_gather_run(const fvi_kernels *k, fvi_threads *threads, const fvi_gather *g, float *scratch)
{
    gather_plan plan = {.g = g, .tiles = k->tiles, .packed = scratch};
    if (g->N == 0 || g->h.count == 0 || g->w.count == 0) return;
    plan.width = (ptrdiff_t)plan.tiles->lanes * plan.tiles->vectors_max;
    plan.panels = gather_ceil(g->columns, plan.width);
    plan.tall = g->columns <= plan.tiles->lanes ? plan.tiles->thin_max : plan.tiles->rows_max;
    gather_plan_sides(&plan);
    gather_plan_borders(&plan);
    gather_plan_direct(&plan);
    const double work = gather_plan_tasks(&plan, fvi_threads_count(threads));
    if (work < GATHER_ALONE) threads = NULL;
    const bool is_small = g->depth * g->columns * g->h.taps * g->w.taps < GATHER_PACK;
    if (!plan.packs_late)
        fvi_parallel_for(is_small ? NULL : threads, (size_t)(plan.panels - plan.direct),
                         gather_pack, &plan);
    fvi_parallel_for(threads, (size_t)(plan.tile_groups * plan.panel_groups), gather_task, &plan);
}
