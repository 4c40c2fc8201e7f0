/* SPDX-License-Identifier: MIT */
/* Forward and input gradient, second half: the tiles of a region of outputs that meet the same
   taps. */

/* Neighbours along a line, a row of outputs or a column of them, read the same pixels in taps that
   are `apart`; tiles of lines load such a pixel once. Their sums take groups of three such taps
   first, then of two, then of one. Other tiles list an address for each of their pixels, or for each
   second one. Which it is depends on geometry and instruction set only, as do the groups. */

#include "kernels/gather.h"

#include <string.h>

#define TILES_LONG 32 /* floats of a long tap; of an even number, a quarter */
#define TILES_MANY 4  /* from which the last tiles alone need to be nearly equal */
#define TILES_LINE 9  /* pixels of an odd line from which tiles do not leave it */

/* ---- products ---- */

static bool tiles_is_long(ptrdiff_t depth)
{
    return depth >= TILES_LONG || (depth % 2 == 0 && depth >= TILES_LONG / 4);
}

static fvi_tile_rows_fn *tiles_kernel(const fvi_gather_plan *plan, const fvi_gather_table *table,
                                      ptrdiff_t vectors)
{
    const fvi_tile_table *tiles = plan->tiles;
    const ptrdiff_t at = (table->count - 1) * tiles->vectors_max + vectors - 1;
    if (table->lines > 0)
        return tiles->lines[(table->lines - 1) * tiles->thin_max * tiles->vectors_max + at];
    if (!table->is_paired) return tiles->rows[at];
    return (tiles_is_long(table->depth) ? tiles->longs : tiles->pairs)[at];
}

/* Of a stream all panels fetch, in equal shares, what the next tile reads and what it writes: both lie
   behind what this one does. */
static void tiles_ahead(fvi_tile_rows *call, const fvi_gather_plan *plan,
                        const fvi_gather_region *region, const fvi_gather_table *table, ptrdiff_t p)
{
    const double share = table->per_step / (double)plan->panels;
    const ptrdiff_t bytes = table->count * (ptrdiff_t)sizeof(float),
                    before = p * table->tiles * table->depth;
    call->ahead_step = (ptrdiff_t)((double)(bytes * region->column_source) * share) + 1;
    call->ahead =
        table->ahead + region->column_source * (ptrdiff_t)sizeof(float) + before * call->ahead_step;
    call->out_ahead_step = (ptrdiff_t)((double)(bytes * region->column_out) * share) + 1;
    call->out_ahead =
        (const char *)(table->out[table->tiles * table->count - 1] + region->column_out) +
        before * call->out_ahead_step;
}

/* What all calls of a table have in common. */
static fvi_tile_rows tiles_call(const fvi_gather_plan *plan, const fvi_gather_region *region,
                                const fvi_gather_table *table, bool is_added, bool is_last)
{
    const fvi_gather *g = plan->g;
    return (fvi_tile_rows){
        .rows = table->rows,
        .tiles = 1,
        .pair_step = region->column_source,
        .shift = table->shift,
        .panel_row = table->panel_row,
        .taps = table->taps,
        .depth = (size_t)table->depth,
        .out = table->out,
        .groups = {table->groups[0], table->groups[1], table->groups[2]},
        .out_step = region->column_out,
        .is_far = plan->is_far && !plan->is_stream,
        .is_added = is_added,
        .residual = is_last ? g->residual : NULL,
        .base = g->out,
        .is_clipped = is_last && g->is_clipped,
        .most = is_last ? g->most : 0,
        .mask = is_last ? g->mask : NULL,
    };
}

/* The table's tiles of panels [p0, p1). Meanwhile the first of them fetches what the next tile will be
   the first to read, which lies behind the last that this one reads. */
static void tiles_panels(const fvi_gather_plan *plan, const fvi_gather_region *region,
                         const fvi_gather_table *table, fvi_tile_rows *call, ptrdiff_t p0,
                         ptrdiff_t p1)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t next = region->column_source * (ptrdiff_t)sizeof(float);
    call->tiles = (size_t)table->tiles;
    call->ahead = table->ahead + next;
    call->ahead_step = (ptrdiff_t)((double)(next * table->count) * table->per_step) + 1;
    call->out_ahead = table->ahead;
    for (ptrdiff_t p = p0; p < p1; ++p, call->ahead_step = 0) {
        const ptrdiff_t width = fvi_gather_width(plan, p);
        call->panel = fvi_gather_panel(plan, plan->packs_late ? table->home : p);
        call->panel_step = (size_t)width;
        call->tap_step = (size_t)(table->group_row * width);
        call->out_at = (size_t)(p * plan->width);
        call->start = g->start ? g->start + p * plan->width : NULL;
        call->columns = (int)fvi_min(width, g->columns - p * plan->width);
        if (plan->is_stream) tiles_ahead(call, plan, region, table, p);
        tiles_kernel(plan, table, fvi_gather_vectors(plan, p))(call);
    }
}

/* One tap, fewer columns than a vector has lanes: its vectors are read from the weights as they lie,
   their lanes behind the columns being the next rows', which are not stored; only of the last rows
   there is a packed copy. */
static void tiles_thin(const fvi_gather_plan *plan, const fvi_gather_region *region,
                       const fvi_gather_table *table)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t most = g->depth - FVI_GATHER_STREAMS;
    fvi_tile_rows call = {
        .rows = table->rows,
        .tiles = 1,
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
        .out_ahead = table->ahead,
        .is_added = g->is_added,
    };
    fvi_tile_rows_fn *run = tiles_kernel(plan, table, 1);
    run(&call);
    call.shift = &most;
    call.depth = FVI_GATHER_STREAMS;
    call.panel = plan->packed;
    call.panel_step = (size_t)fvi_gather_width(plan, 0);
    call.is_added = true;
    call.residual = g->residual;
    call.base = g->out;
    call.is_clipped = g->is_clipped;
    call.most = g->most;
    call.mask = g->mask;
    run(&call);
}

/* One tap, one tile, many weights: they are read once, unpacked, a few of their rows at a time and
   these from end to end, so that the processor sees streams. Each sum still takes its products in
   the same order. */
static void tiles_direct(const fvi_gather_plan *plan, const fvi_gather_region *region,
                         fvi_gather_table *table, ptrdiff_t p0, ptrdiff_t p1)
{
    const fvi_gather *g = plan->g;
    for (ptrdiff_t d = 0; d < g->depth; d += FVI_GATHER_STREAMS) {
        const ptrdiff_t shift = d;
        const bool is_last = d + FVI_GATHER_STREAMS >= g->depth;
        for (ptrdiff_t p = p0; p < p1; ++p) {
            const fvi_tile_rows call = {
                .rows = table->rows,
                .tiles = 1,
                .pair_step = region->column_source,
                .shift = &shift,
                .panel_row = table->panel_row,
                .taps = 1,
                .depth = (size_t)fvi_min(FVI_GATHER_STREAMS, g->depth - d),
                .panel = g->weights + d * g->columns + p * plan->width,
                .panel_step = (size_t)g->columns,
                .out = table->out,
                .out_at = (size_t)(p * plan->width),
                .start = g->start ? g->start + p * plan->width : NULL,
                .columns = (int)fvi_gather_width(plan, p),
                .ahead = table->ahead,
                .out_ahead = table->ahead,
                .is_added = g->is_added || d > 0,
                .residual = is_last ? g->residual : NULL,
                .base = g->out,
                .is_clipped = is_last && g->is_clipped,
                .most = is_last ? g->most : 0,
            };
            tiles_kernel(plan, table, fvi_gather_vectors(plan, p))(&call);
        }
    }
}

/* ---- the tiles of a region ---- */

/* The next count pixels of the region. */
static void tiles_fill(const fvi_gather_region *a, fvi_gather_table *table, ptrdiff_t count)
{
    for (ptrdiff_t m = 0; m < count;) {
        const ptrdiff_t end = m + fvi_min(count - m, a->columns - table->column);
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

/* The table's pixels copied one behind the other; how far they are apart. */
static ptrdiff_t tiles_copy(const fvi_gather_plan *plan, fvi_gather_table *table, ptrdiff_t count)
{
    const ptrdiff_t depth = plan->g->depth, step = depth + FVI_GATHER_GAP;
    for (ptrdiff_t m = 0; m < count; ++m) {
        memcpy(table->patch + m * step, table->rows[m], (size_t)depth * sizeof *table->patch);
        table->rows[m] = table->patch + m * step;
    }
    return step;
}

/* The first of `tiles` nearly equal parts of `left` pixels. Where rows go in pairs, all parts but
   the last are even. */
static ptrdiff_t tiles_cut(const fvi_gather_table *table, ptrdiff_t left, ptrdiff_t tall)
{
    if (left <= tall) return left;
    if (left > TILES_MANY * tall) return table->is_paired ? tall / 2 * 2 : tall;
    const ptrdiff_t tiles = fvi_ceil(left, tall);
    if (!table->is_paired) return tiles > 2 ? tall : fvi_ceil(left, 2);
    return 2 * fvi_ceil(left / 2, tiles);
}

/* One more tile of the table's rows goes into its call. */
static bool tiles_is_next(const fvi_gather_plan *plan, const fvi_gather_table *table,
                          ptrdiff_t left, ptrdiff_t tall)
{
    return left > 0 && table->tiles < plan->tiles_most &&
           tiles_cut(table, left, tall) == table->count;
}

static void tiles_tile(const fvi_gather_plan *plan, const fvi_gather_region *region,
                       fvi_gather_table *table, fvi_tile_rows *call, ptrdiff_t p0, ptrdiff_t p1)
{
    if (plan->is_thin && table->taps > 0) {
        tiles_thin(plan, region, table);
        return;
    }
    if (p0 < plan->direct) tiles_direct(plan, region, table, p0, fvi_min(p1, plan->direct));
    tiles_panels(plan, region, table, call, fvi_max(p0, plan->direct), p1);
}

/* All tiles of a region, panels [p0, p1), taps [t0, ...) as the table has them. */
static void tiles_tiles(const fvi_gather_plan *plan, const fvi_gather_region *region,
                        fvi_gather_table *table, ptrdiff_t p0, ptrdiff_t p1, ptrdiff_t t0,
                        bool is_last)
{
    const ptrdiff_t all = region->images * region->rows * region->columns;
    const bool is_line = region->columns % 2 != 0 && region->columns >= TILES_LINE;
    const ptrdiff_t part = is_line ? region->columns : all;
    table->is_paired = is_line || region->columns % 2 == 0 || all == 1;
    table->image = table->row = table->column = 0;
    const ptrdiff_t tall = table->is_paired ? plan->tall : plan->tiles->rows_max;
    const ptrdiff_t last = table->taps > 0 ? table->shift[table->taps - 1] : 0;
    fvi_tile_rows call = tiles_call(plan, region, table, plan->g->is_added || t0 > 0, is_last);
    table->lines = 0;
    for (ptrdiff_t done = 0; done < all; done += part) {
        for (ptrdiff_t left = part; left > 0;) {
            const ptrdiff_t before = left;
            table->count = tiles_cut(table, left, tall);
            for (table->tiles = 0; tiles_is_next(plan, table, left, tall); ++table->tiles)
                left -= table->count;
            tiles_fill(region, table, before - left);
            table->ahead = (const char *)(table->rows[before - left - 1] + last);
            if (plan->copies_pixels) call.pair_step = tiles_copy(plan, table, before - left);
            tiles_tile(plan, region, table, &call, p0, p1);
        }
    }
}

static void tiles_steps(fvi_gather_table *table)
{
    const ptrdiff_t steps = (ptrdiff_t)table->taps * table->depth;
    table->per_step = 1.0 / (double)fvi_max(steps, 1);
}

/* Taps [t0, t1) of a region, counted from its first; in the order of the kernel. */
static void tiles_taps(const fvi_gather_plan *plan, const fvi_gather_region *region,
                       fvi_gather_table *table, ptrdiff_t t0, ptrdiff_t t1)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t across = plan->is_merged ? 1 : region->tap_w1 - region->tap_w0;
    const ptrdiff_t gap = g->w.gap * g->source_pitch;
    table->taps = (size_t)(t1 - t0);
    table->group_row = 0;
    memset(table->groups, 0, sizeof table->groups);
    table->depth = plan->is_merged ? (region->tap_w1 - region->tap_w0) * g->depth : g->depth;
    for (ptrdiff_t t = t0; t < t1; ++t) {
        const ptrdiff_t i = t / across, j = t % across;
        const ptrdiff_t tap = (region->tap_h0 + i) * g->w.taps + region->tap_w0 + j;
        table->shift[t - t0] = i * region->tap_source + j * gap;
        table->panel_row[t - t0] = (size_t)(tap * g->depth);
    }
}

/* ---- lines ---- */

/* Of n taps in line, where those begin that go in groups of so many; 4 are 2 + 2. */
static ptrdiff_t tiles_split(ptrdiff_t n, ptrdiff_t size)
{
    const ptrdiff_t threes = n % 3 == 1 && n > 1 ? n / 3 - 1 : n / 3;
    const ptrdiff_t twos = (n - 3 * threes) / 2;
    return size == 3 ? 0 : size == 2 ? 3 * threes : size == 1 ? 3 * threes + 2 * twos : n;
}

/* Taps along one axis: how many, and how far they are apart in the source and in the panel. */
typedef struct tiles_axis {
    ptrdiff_t taps, gap, row;
} tiles_axis;

/* The taps of a region of lines, in groups. */
static void tiles_groups(const fvi_gather_plan *plan, const fvi_gather_region *region,
                         fvi_gather_table *table)
{
    const fvi_gather *g = plan->g;
    const tiles_axis h = {region->tap_h1 - region->tap_h0, region->tap_source,
                          g->w.taps * g->depth};
    const tiles_axis w = {region->tap_w1 - region->tap_w0, g->w.gap * g->source_pitch, g->depth};
    const tiles_axis along = region->is_turned ? h : w, across = region->is_turned ? w : h;
    const ptrdiff_t first = region->tap_h0 * h.row + region->tap_w0 * w.row;
    size_t t = 0;
    for (ptrdiff_t size = 3; size > 0; --size) {
        const size_t before = t;
        for (ptrdiff_t i = 0; i < across.taps; ++i) {
            for (ptrdiff_t r = 0; r < region->apart; ++r) {
                const ptrdiff_t n = fvi_ceil(along.taps - r, region->apart);
                const ptrdiff_t end = tiles_split(n, size - 1);
                for (ptrdiff_t k = tiles_split(n, size); k < end; k += size, ++t) {
                    const ptrdiff_t j = r + k * region->apart;
                    table->shift[t] = i * across.gap + j * along.gap;
                    table->panel_row[t] = (size_t)(first + i * across.row + j * along.row);
                }
            }
        }
        table->groups[size - 1] = t - before;
    }
    table->taps = t;
    table->depth = g->depth;
    table->group_row = region->apart * along.row;
}

/* All tiles of a region of lines, panels [p0, p1): short lines two by two, several of one vector in a
   call; long ones in nearly equal parts. */
static void tiles_lines(const fvi_gather_plan *plan, const fvi_gather_region *region,
                        fvi_gather_table *table, ptrdiff_t p0, ptrdiff_t p1)
{
    const ptrdiff_t columns = region->columns, together = 2 * columns <= plan->line_most ? 2 : 1;
    const ptrdiff_t tiles = fvi_ceil(columns, plan->line_most);
    const bool is_narrow = plan->g->columns <= plan->tiles->lanes;
    const ptrdiff_t most = tiles == 1 && is_narrow ? plan->tiles_most : 1; /* of one call */
    const ptrdiff_t all = region->images * region->rows;
    const float *source = region->source;
    float *out = region->out;
    ptrdiff_t row = 0;
    const ptrdiff_t last =
        (region->tap_h1 - region->tap_h0 - 1) * region->tap_source +
        (region->tap_w1 - region->tap_w0 - 1) * plan->g->w.gap * plan->g->source_pitch;
    fvi_tile_rows call = tiles_call(plan, region, table, plan->g->is_added, true);
    for (ptrdiff_t l = 0, lines; l < all; l += lines) {
        table->lines = fvi_min(together, all - l);
        table->tiles = fvi_min(most, (all - l) / table->lines);
        lines = table->lines * table->tiles;
        for (ptrdiff_t i = 0; i < lines; ++i) {
            table->rows[i] = source;
            table->out[i] = out;
            source += region->row_source;
            out += region->row_out;
            if (++row < region->rows) continue;
            row = 0;
            source += region->image_source - region->rows * region->row_source;
            out += region->image_out - region->rows * region->row_out;
        }
        for (ptrdiff_t left = columns, t = tiles; t > 0; left -= table->count, --t) {
            table->count = fvi_ceil(left, t);
            table->ahead = (const char *)(table->rows[lines - 1] + last +
                                          (table->count - 1) * region->column_source);
            tiles_panels(plan, region, table, &call, p0, p1);
            for (ptrdiff_t i = 0; i < lines; ++i) {
                table->rows[i] += table->count * region->column_source;
                table->out[i] += table->count * region->column_out;
            }
        }
    }
}

void fvi_gather_run_region(const fvi_gather_plan *plan, const fvi_gather_region *region,
                           fvi_gather_table *table, ptrdiff_t p0, ptrdiff_t p1)
{
    if (region->apart > 0) {
        tiles_groups(plan, region, table);
        tiles_steps(table);
        tiles_lines(plan, region, table, p0, p1);
        return;
    }
    const ptrdiff_t across = plan->is_merged ? 1 : region->tap_w1 - region->tap_w0;
    const ptrdiff_t taps = (region->tap_h1 - region->tap_h0) * across;
    ptrdiff_t t0 = 0;
    do {
        const ptrdiff_t t1 = fvi_min(taps, t0 + FVI_GATHER_TAPS);
        tiles_taps(plan, region, table, t0, t1);
        tiles_steps(table);
        tiles_tiles(plan, region, table, p0, p1, t0, t1 == taps);
        t0 = t1;
    } while (t0 < taps);
}
