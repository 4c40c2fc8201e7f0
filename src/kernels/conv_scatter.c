/* SPDX-License-Identifier: MIT */
/* Input gradient for few input channels: each output pixel adds to the inputs under its kernel. */

/* The gather of conv_gather.c makes C sums at a time, which for a C of 3 or 6 leaves most of a
   vector empty. Here a tile makes the KW * C sums of a kernel row, contiguous in dx, from all kernel
   rows that reach a row of dx; its rows are rows of dx that meet the same of them, of one image or
   several, so that no two add to the same place. Each element takes its sums in the order of output
   columns, then kernel rows, whatever the batch. */

#include "kernels/conv_internal.h"

#include <string.h>

#define SCATTER_TAPS 64        /* kernel rows, at most */
#define SCATTER_ALONE 500000.0 /* multiply-adds below which no thread is woken */

typedef struct scatter_plan {
    const fvi_conv_shape *s;
    const fvi_tile_table *tiles;
    float *dx, *packed;
    const float *dy, *w;
    ptrdiff_t width; /* columns of a packed row: KW * C and room for a vector more */
    ptrdiff_t groups;
    bool is_added;
    const float *mask;
    const fvi_kernels *k;
} scatter_plan;

/* packed[kh][f][kw * C + c] = w[kh][kw][c][f] */
static void scatter_pack(void *context, size_t task)
{
    const scatter_plan *plan = context;
    const ptrdiff_t columns = plan->s->KW * plan->s->C, F = plan->s->F;
    float *to = plan->packed + (ptrdiff_t)task * F * plan->width;
    const float *from = plan->w + (ptrdiff_t)task * columns * F;
    for (ptrdiff_t f = 0; f < F; ++f, to += plan->width) {
        for (ptrdiff_t c = 0; c < plan->width; ++c)
            to[c] = c < columns ? from[c * F + f] : 0;
    }
}

/* Rows of dx that meet the same kernel rows, and where they are in dy at its first column. */
typedef struct scatter_table {
    const float *dy[FVI_TILE_ROWS_MAX], *rows[FVI_TILE_ROWS_MAX]; /* rows, out: of one column */
    float *dx[FVI_TILE_ROWS_MAX], *out[FVI_TILE_ROWS_MAX];
    ptrdiff_t count;
    ptrdiff_t shift[SCATTER_TAPS];
    size_t panel_row[SCATTER_TAPS];
    size_t taps;
} scatter_table;

/* What output column ow adds to the rows of the table; the call has what all columns share. */
static void scatter_column(const scatter_plan *plan, scatter_table *table, fvi_tile_rows *call,
                           ptrdiff_t ow)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t iw = ow * s->SW - s->pad_left;
    const ptrdiff_t first = iw < 0 ? -iw : 0, last = s->W - iw < s->KW ? s->W - iw : s->KW;
    const ptrdiff_t columns = (last - first) * s->C, lanes = plan->tiles->lanes;
    const ptrdiff_t most = lanes * plan->tiles->vectors_max;
    for (ptrdiff_t m = 0; m < table->count; ++m) {
        table->rows[m] = table->dy[m] + ow * s->F;
        table->out[m] = table->dx[m] + (iw + first) * s->C;
    }
    for (ptrdiff_t c = 0; c < columns; c += most) {
        const ptrdiff_t here = columns - c < most ? columns - c : most;
        const ptrdiff_t vectors = fvi_ceil(here, lanes);
        call->panel = plan->packed + first * s->C + c;
        call->out_at = (size_t)c;
        call->columns = (int)here;
        plan->tiles->rows[(table->count - 1) * plan->tiles->vectors_max + vectors - 1](call);
    }
}

/* The table's rows of dx, all columns. */
static void scatter_rows(const scatter_plan *plan, scatter_table *table)
{
    fvi_tile_rows call = {
        .rows = table->rows,
        .out = table->out,
        .ahead = (const char *)plan->dy,
        .tiles = 1,
        .shift = table->shift,
        .panel_row = table->panel_row,
        .taps = table->taps,
        .depth = (size_t)plan->s->F,
        .panel_step = (size_t)plan->width,
        .is_added = true,
    };
    for (ptrdiff_t ow = 0; ow < plan->s->OW; ++ow) {
        const ptrdiff_t iw = ow * plan->s->SW - plan->s->pad_left;
        if (iw < plan->s->W && iw + plan->s->KW > 0) scatter_column(plan, table, &call, ow);
    }
}

/* Rows [span.first, span.end) of an axis of dx, of images [n0, n1). */
static void scatter_span(const scatter_plan *plan, const fvi_gather_axis *h,
                         const fvi_gather_span *span, ptrdiff_t n0, ptrdiff_t n1)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t length = span->end - span->first, all = (n1 - n0) * length;
    const ptrdiff_t tiles = fvi_ceil(all, plan->tiles->rows_max);
    ptrdiff_t n = n0, i = span->first;
    scatter_table table; /* large: it takes longer to clear than to fill */
    table.taps = (size_t)(span->tap1 - span->tap0);
    for (ptrdiff_t t = span->tap0; t < span->tap1; ++t) {
        const ptrdiff_t kh = h->kernel_first + t * h->kernel_step;
        table.shift[t - span->tap0] = (t - span->tap0) * h->gap * s->OW * s->F;
        table.panel_row[t - span->tap0] = (size_t)(kh * s->F);
    }
    for (ptrdiff_t tile = 0; tile < tiles; ++tile) {
        const ptrdiff_t from = all * tile / tiles, to = all * (tile + 1) / tiles;
        table.count = to - from;
        for (ptrdiff_t m = 0; m < table.count; ++m) {
            const ptrdiff_t oh = h->source_first + i * h->source_step + span->tap0 * h->gap;
            const ptrdiff_t ih = h->start + i * h->step;
            table.dy[m] = plan->dy + (n * s->OH + oh) * s->OW * s->F;
            table.dx[m] = plan->dx + (n * s->H + ih) * s->W * s->C;
            if (++i < span->end) continue;
            i = span->first;
            ++n;
        }
        scatter_rows(plan, &table);
    }
}

static void scatter_task(void *context, size_t task)
{
    const scatter_plan *plan = context;
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t each = s->N / plan->groups, more = s->N % plan->groups;
    const ptrdiff_t index = (ptrdiff_t)task, images = each + (index < more);
    const ptrdiff_t n0 = index * each + (index < more ? index : more);
    const ptrdiff_t floats = s->H * s->W * s->C;
    if (!plan->is_added)
        memset(plan->dx + n0 * floats, 0, (size_t)(images * floats) * sizeof(float));
    for (ptrdiff_t residue = 0; residue < s->SH; ++residue) {
        fvi_gather_axis h;
        fvi_gather_span span;
        if (!fvi_gather_residue(&h, residue, s->H, s->KH, s->SH, s->DH, s->pad_top, s->OH))
            continue;
        for (ptrdiff_t i = 0; i < h.count; i = span.end) {
            span = fvi_gather_span_at(&h, i, h.count);
            if (span.tap0 < span.tap1) scatter_span(plan, &h, &span, n0, n0 + images);
        }
    }
    if (plan->mask)
        plan->k->clip_gradient((size_t)(images * floats), plan->dx + n0 * floats,
                               plan->mask + n0 * floats);
}

/* Vectors of sums, a tap's way and this way; a scattered sum also reads and writes dx. */
bool fvi_scatter_pays(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->tiles->lanes;
    const double gather = (double)(s->KH * s->KW * fvi_ceil(s->C, lanes)) *
                          ((double)(s->H * s->W) / (double)(s->SH * s->SW));
    const double scatter =
        (double)(s->KH * fvi_ceil(s->KW * s->C, lanes)) * (double)(s->OH * s->OW);
    return s->DW == 1 && s->KH <= SCATTER_TAPS && 3 * scatter <= 2 * gather;
}

void fvi_scatter_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dx,
                     const float *dy, const float *w, bool is_added, const float *mask,
                     float *scratch)
{
    scatter_plan plan = {.s = s, .tiles = k->tiles, .dx = dx, .packed = scratch, .dy = dy, .w = w};
    plan.width = s->KW * s->C + plan.tiles->lanes;
    plan.is_added = is_added;
    plan.mask = mask;
    plan.k = k;
    plan.groups = fvi_ceil(s->N, plan.tiles->rows_max);
    const double work = (double)(s->N * s->OH * s->OW * s->F) * (double)(s->KH * s->KW * s->C);
    if (work < SCATTER_ALONE) threads = NULL;
    fvi_parallel_for(NULL, (size_t)s->KH, scatter_pack, &plan); /* few weights */
    fvi_parallel_for(threads, (size_t)plan.groups, scatter_task, &plan);
}
