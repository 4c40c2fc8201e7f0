/* SPDX-License-Identifier: MIT */
/* Forward and input gradient: packs the weights, and for each tile of output pixels lists the pixels
   it reads. */

/* Nothing is ever copied into columns: a tile reads its pixels through pointers (M. Dukhan, "The
   Indirect Convolution Algorithm", arXiv 1907.02129), so stride and dilation cost nothing but
   another pointer. Padding costs less than nothing: outputs are sorted into regions whose windows
   miss the same taps, and a region is computed without these; only where the source has few channels
   its rows are copied with their zeros, and all outputs are one region. Which of the two depends on
   the geometry alone, so that an image's bits do not depend on its neighbours. */

#include "kernels/gather.h"

#include <math.h>
#include <string.h>

#define GATHER_BAND 512   /* floats of a source row that is copied so, at most */
#define GATHER_BANDS 8192 /* and of all of a band, which stay in the first-level cache */
#define GATHER_PANELS                                                                              \
    (10 * 1024) /* floats of packed weights that may stay in the first-level cache */
#define GATHER_SOURCE                                                                              \
    (128 * 1024) /* floats of source that one task walks over again for each panel */
#define GATHER_STREAM                                                                              \
    (256 * 1024)             /* floats of packed weights that stay in the second-level cache */
#define GATHER_FAR 400000.0  /* floats of out that the second-level cache will not keep */
#define GATHER_SLOW 32       /* steps of a sum that leave time to fetch its place */
#define GATHER_STEPS 256     /* steps of all sums of a call: it takes as long as some twenty */
#define GATHER_THIN 256      /* depth from which few columns are not packed */
#define GATHER_TASK 16e6     /* multiply-adds of a task; an image of twice as many is cut */
#define GATHER_SHARES 4.0    /* tasks for each thread of several, */
#define GATHER_SHARE 2e6     /* if they are as large as this */
#define GATHER_PACK 100000   /* weights whose packing is worth waking threads */
#define GATHER_PACKING 2.0   /* packing a weight takes as long as reading so many inputs */
#define GATHER_LATE 256.0    /* pixels under which a panel may be packed once for each task */
#define GATHER_LINE 4        /* pixels of a line, at least */
#define GATHER_LINE_STEPS 32 /* steps below which several tiles of one call are better than lines */
#define GATHER_DEEP 6        /* channels below which a kernel row is better one tap */
#define GATHER_SAME 1024 /* floats: pixels a multiple of 4 KB apart share the same few places, */
#define GATHER_APART 512 /* and of 2 KB twice as many */
#define GATHER_OFTEN 8   /* panels that read a copy of them, at least */
#define GATHER_ALONE 500000.0 /* below this no thread is woken */

/* ---- packing: panel, tap, depth, column ---- */

/* The last rows of a thin matrix, behind which there is nothing to be read. */
static void gather_pack_thin(const fvi_gather_plan *plan)
{
    const ptrdiff_t columns = plan->g->columns, width = fvi_gather_width(plan, 0);
    const float *from = plan->g->weights + (plan->g->depth - FVI_GATHER_STREAMS) * columns;
    memset(plan->packed, 0, (size_t)(FVI_GATHER_STREAMS * width) * sizeof *plan->packed);
    for (ptrdiff_t d = 0; d < FVI_GATHER_STREAMS; ++d)
        memcpy(plan->packed + d * width, from + d * columns, (size_t)columns * sizeof *from);
}

/* Panel p, into the place of panel `home`. */
void fvi_gather_pack_panel(const fvi_gather_plan *plan, ptrdiff_t p, ptrdiff_t home)
{
    fvi_gather_pack(plan->tiles, fvi_gather_panel(plan, home), fvi_gather_width(plan, p), plan->g,
                    p * plan->width);
}

static void gather_pack(void *context, size_t task)
{
    const fvi_gather_plan *plan = context;
    const ptrdiff_t p = plan->direct + (ptrdiff_t)task;
    if (plan->is_thin)
        gather_pack_thin(plan);
    else
        fvi_gather_pack_panel(plan, p, p);
}

/* ---- regions ---- */

/* Taps so far apart read the same for neighbouring outputs of an axis. 0: there are no such taps, or
   few outputs, or no three of them where tiles of two vectors lose more by being lower. */
static ptrdiff_t gather_apart(const fvi_gather_plan *plan, const fvi_gather_axis *a,
                              const fvi_gather_span *span)
{
    const ptrdiff_t apart = a->source_step / a->gap, taps = span->tap1 - span->tap0;
    const ptrdiff_t least = plan->g->columns <= plan->tiles->lanes ? 2 : 3;
    const fvi_gather *g = plan->g;
    const bool is_line = plan->line_most > 0 && g->depth >= GATHER_DEEP &&
                         g->h.taps * g->w.taps * g->depth >= GATHER_LINE_STEPS &&
                         span->end - span->first >= GATHER_LINE && a->source_step % a->gap == 0 &&
                         taps >= least * apart;
    return is_line ? apart : 0;
}

/* Images [n0, n1) of a task, its spans of both axes. */
static inline fvi_gather_region gather_region_of(const fvi_gather_plan *plan, ptrdiff_t n0,
                                                 ptrdiff_t n1, const fvi_gather_span *h,
                                                 const fvi_gather_span *w)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *ah = &plan->h.axis, *aw = &plan->w.axis;
    const bool has_taps = h->tap0 < h->tap1 && w->tap0 < w->tap1;
    fvi_gather_region r = {
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
    return r;
}

/* Which way its pixels are walked. */
static inline void gather_turn(const fvi_gather_plan *plan, fvi_gather_region *r,
                               const fvi_gather_span *h, const fvi_gather_span *w)
{
    r->is_turned = r->columns == 1;
    const ptrdiff_t taps = (h->tap1 - h->tap0) * (w->tap1 - w->tap0);
    if (taps > 0 && taps <= FVI_GATHER_TAPS)
        r->apart = r->is_turned ? gather_apart(plan, &plan->h.axis, h)
                                : gather_apart(plan, &plan->w.axis, w);
    if (r->columns == 1) { /* a column is walked down as a row is along */
        r->columns = r->rows;
        r->column_source = r->row_source;
        r->column_out = r->row_out;
        r->rows = 1;
    }
    if (r->columns == 1) { /* and so is the same pixel of all images */
        r->columns = r->images;
        r->column_source = r->image_source;
        r->column_out = r->image_out;
        r->images = 1;
    }
}

/* What a task that begins at row h->first does of a column of its own, at a border: all of it, as far
   as the same taps are met, or nothing if another task began with it. How tasks are cut would decide on
   lines otherwise, and with them on the order of sums. */
static bool gather_column(const fvi_gather_plan *plan, fvi_gather_span *h)
{
    const fvi_gather_axis *axis = &plan->h.axis;
    if (h->tap0 == h->tap1) return true;
    if (h->first > 0) {
        const fvi_gather_span above = fvi_gather_span_at(axis, h->first - 1, h->first);
        if (above.tap0 == h->tap0 && above.tap1 == h->tap1) return false;
    }
    *h = fvi_gather_span_at(axis, h->first, axis->count);
    return true;
}

/* Output rows [r0, r1) of images [n0, n1), region by region. */
static void gather_regions(const fvi_gather_plan *plan, fvi_gather_table *table, ptrdiff_t n0,
                           ptrdiff_t n1, ptrdiff_t r0, ptrdiff_t r1, ptrdiff_t p0, ptrdiff_t p1)
{
    const ptrdiff_t columns = plan->w.axis.count;
    fvi_gather_span rows, w;
    for (ptrdiff_t i = r0; i < r1; i = rows.end) {
        rows = fvi_gather_span_at(&plan->h.axis, i, r1);
        for (ptrdiff_t j = 0; j < columns; j = w.end) {
            fvi_gather_span h = rows;
            w = fvi_gather_span_at(&plan->w.axis, j, columns);
            if (columns > 1 && w.end - w.first == 1 && !gather_column(plan, &h)) continue;
            fvi_gather_region region = gather_region_of(plan, n0, n1, &h, &w);
            gather_turn(plan, &region, &h, &w);
            fvi_gather_run_region(plan, &region, table, p0, p1);
        }
    }
}

/* The source rows under output rows [r0, r1) of images [n0, n1), copied with their padding, are a
   source without any. Of whole images the padding is in the same places each time. */
static void gather_band(const fvi_gather_plan *plan, fvi_gather_table *table, ptrdiff_t n0,
                        ptrdiff_t n1, ptrdiff_t r0, ptrdiff_t r1, ptrdiff_t p0, ptrdiff_t p1,
                        bool is_clear)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const fvi_gather_span rows = {r0, r1, 0, h->taps}, columns = {0, w->count, 0, w->taps};
    fvi_gather_region region = gather_region_of(plan, n0, n1, &rows, &columns);
    const ptrdiff_t row = w->source_size * g->depth, band = plan->band_w * g->depth;
    const ptrdiff_t first = h->source_first + r0 * h->source_step;
    const ptrdiff_t count = (r1 - r0 - 1) * h->source_step + (h->taps - 1) * h->gap + 1;
    const ptrdiff_t before = fvi_max(0, -w->source_first) * g->depth;
    const ptrdiff_t from = fvi_max(0, w->source_first) * g->depth;
    const ptrdiff_t floats = fvi_min(row - from, band - before);
    const ptrdiff_t end = fvi_min(first + count, h->source_size);
    if (!is_clear) memset(table->patch, 0, (size_t)((n1 - n0) * count * band) * sizeof(float));
    for (ptrdiff_t n = n0; n < n1; ++n) {
        const float *image = g->source + n * region.image_source + from;
        float *to = table->patch + (n - n0) * count * band + before;
        for (ptrdiff_t ih = fvi_max(0, first); ih < end && floats > 0; ++ih)
            memcpy(to + (ih - first) * band, image + ih * row, (size_t)floats * sizeof *to);
    }
    region.source = table->patch;
    region.image_source = count * band;
    region.row_source = h->source_step * band;
    region.tap_source = h->gap * band;
    gather_turn(plan, &region, &rows, &columns);
    fvi_gather_run_region(plan, &region, table, p0, p1);
}

static void gather_task(void *context, size_t task)
{
    const fvi_gather_plan *plan = context;
    const ptrdiff_t pieces = fvi_ceil(plan->h.axis.count, plan->row_chunk);
    const ptrdiff_t group = (ptrdiff_t)task / plan->panel_groups;
    const ptrdiff_t p0 = (ptrdiff_t)task % plan->panel_groups * plan->task_panels;
    const ptrdiff_t p1 = fvi_min(plan->panels, p0 + plan->task_panels);
    const ptrdiff_t n0 = group / pieces * plan->image_chunk;
    const ptrdiff_t n1 = fvi_min(plan->g->N, n0 + plan->image_chunk);
    const ptrdiff_t r0 = group % pieces * plan->row_chunk;
    const ptrdiff_t r1 = fvi_min(plan->h.axis.count, r0 + plan->row_chunk);
    fvi_gather_table table;
    if (plan->band_rows > 0) {
        for (ptrdiff_t n = n0; n < n1; n += plan->band_images) {
            for (ptrdiff_t r = r0; r < r1; r += plan->band_rows)
                gather_band(plan, &table, n, fvi_min(n1, n + plan->band_images), r,
                            fvi_min(r1, r + plan->band_rows), p0, p1,
                            n > n0 && plan->band_rows >= plan->h.axis.count);
        }
        return;
    }
    const ptrdiff_t step = plan->is_panel_outside ? 1 : p1 - p0;
    table.home = p0;
    for (ptrdiff_t p = p0; p < p1; p += step) {
        if (plan->packs_late) fvi_gather_pack_panel(plan, p, p0);
        gather_regions(plan, &table, n0, n1, r0, r1, p, p + step);
    }
}

/* ---- decisions ---- */

/* One long row of pixels is taken as a column, which can be cut into tasks. */
static void gather_plan_sides(fvi_gather_plan *plan)
{
    const fvi_gather *g = plan->g;
    plan->h = (fvi_gather_side){g->h, g->w.source_size * g->source_pitch, g->out_w * g->out_pitch};
    plan->w = (fvi_gather_side){g->w, g->source_pitch, g->out_pitch};
    if (g->N == 1 && g->h.count == 1 && g->h.taps == 1 && g->w.taps == 1) {
        const fvi_gather_side row = plan->w;
        plan->w = plan->h;
        plan->h = row;
    }
}

/* A kernel row is contiguous in the source when its taps are neighbours and pixels are whole. */
static void gather_plan_borders(fvi_gather_plan *plan)
{
    const fvi_gather_axis *h = &plan->g->h, *w = &plan->g->w;
    plan->is_merged = w->gap == 1 && w->taps > 1 && plan->g->source_pitch == plan->g->depth;
    plan->band_w = (w->count - 1) * w->source_step + (w->taps - 1) * w->gap + 1;
    const ptrdiff_t row = plan->band_w * plan->g->depth;
    if (!plan->is_merged || row > GATHER_BAND ||
        (fvi_gather_is_inside(h) && fvi_gather_is_inside(w)))
        return;
    const ptrdiff_t most = GATHER_BANDS / row, least = (h->taps - 1) * h->gap + 1;
    if (most < least) return;
    plan->band_rows = (most - least) / h->source_step + 1;
    plan->band_images = 1;
    if (plan->band_rows >= h->count)
        plan->band_images = most / ((h->count - 1) * h->source_step + least);
}

/* A single tile cannot earn back the packing: panels of whole vectors stay where they are. */
static void gather_plan_direct(fvi_gather_plan *plan)
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
static double gather_plan_tasks(fvi_gather_plan *plan, int threads)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &plan->h.axis, *w = &plan->w.axis;
    const double sums = (double)(h->taps * w->taps) * (double)g->depth * (double)g->columns;
    const ptrdiff_t steps = h->taps * w->taps * g->depth;
    const double image = (double)h->count * (double)w->count;
    const double source = (double)(h->source_step * w->source_step * g->depth);
    plan->is_far = image * (double)g->N * (double)g->columns > GATHER_FAR && steps >= GATHER_SLOW;
    plan->is_stream = h->taps * w->taps == 1 && w->count == 1 && g->N == 1 &&
                      sums <= GATHER_STREAM && image > 8 * (double)plan->tall;
    plan->is_panel_outside = !plan->is_stream && sums > GATHER_PANELS && plan->panels > 1;
    const double panel = sums / (double)plan->panels;
    const double reread = fmin(fmax(GATHER_SOURCE, 2 * panel), 2 * GATHER_SOURCE);
    const double work = sums * image * (double)g->N;
    const double share = fmax(GATHER_SHARE, work / (GATHER_SHARES * (double)threads));
    const double task = threads > 1 && w->count > 1 ? fmin(GATHER_TASK, share) : GATHER_TASK;
    const double pixels = plan->is_panel_outside ? reread / source : task / sums;
    const double images = pixels / image;
    plan->row_chunk = h->count;
    plan->image_chunk = images < 1 ? 1 : images > (double)g->N ? g->N : (ptrdiff_t)images;
    if (images < 0.5) {
        const double rows = pixels / (double)w->count;
        const ptrdiff_t pieces = rows < 1 ? h->count : (ptrdiff_t)((double)h->count / rows) + 1;
        plan->row_chunk = fvi_ceil(h->count, fvi_min(pieces, h->count));
        if (plan->is_stream) plan->row_chunk = fvi_ceil(plan->row_chunk, plan->tall) * plan->tall;
    }
    const bool is_often = threads <= 1 && sums > GATHER_STREAM && pixels >= GATHER_LATE;
    const double again = (double)fvi_ceil(g->N, plan->image_chunk) * sums * GATHER_PACKING;
    if (is_often && plan->is_panel_outside && plan->row_chunk == h->count &&
        again > (double)plan->panels * source * image * (double)g->N)
        plan->image_chunk = g->N; /* the source from afar for each panel, each panel packed once */
    plan->tile_groups = fvi_ceil(g->N, plan->image_chunk) * fvi_ceil(h->count, plan->row_chunk);
    plan->task_panels = plan->panels;
    if (threads > 1 && plan->tile_groups < 8)
        plan->task_panels = fvi_ceil(plan->panels, fvi_ceil(16, plan->tile_groups));
    plan->panel_groups = fvi_ceil(plan->panels, plan->task_panels);
    plan->is_stream = plan->is_stream && plan->panel_groups == 1;
    const bool is_same = g->source_pitch % GATHER_SAME == 0;
    const bool is_near = g->source_pitch % GATHER_APART == 0 && plan->panels >= GATHER_OFTEN;
    plan->copies_pixels = plan->is_stream && (is_same || is_near) && plan->panels > 1 &&
                          plan->tall * (g->depth + FVI_GATHER_GAP) <= FVI_GATHER_PATCH;
    const bool is_late = plan->tile_groups == 1 || is_often;
    plan->packs_late = plan->is_panel_outside && is_late && plan->band_rows == 0 &&
                       plan->direct == 0 && !plan->is_thin;
    plan->tiles_most = fvi_min(fvi_ceil(GATHER_STEPS, steps), plan->tiles->tiles_most);
    if (plan->direct > 0 || plan->is_thin) plan->tiles_most = 1;
    return work;
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
    fvi_gather_plan plan = {.g = g, .tiles = k->tiles, .packed = scratch};
    if (g->N == 0 || g->h.count == 0 || g->w.count == 0) return;
    plan.width = (ptrdiff_t)plan.tiles->lanes * plan.tiles->vectors_max;
    plan.panels = fvi_ceil(g->columns, plan.width);
    plan.last_vectors = fvi_ceil(g->columns - (plan.panels - 1) * plan.width, plan.tiles->lanes);
    plan.tall = g->columns <= plan.tiles->lanes ? plan.tiles->thin_max : plan.tiles->rows_max;
    if (plan.tiles->lines)
        plan.line_most = plan.tiles->line_most[g->columns <= plan.tiles->lanes ? 0 : 1];
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
