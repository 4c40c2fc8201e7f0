/* SPDX-License-Identifier: MIT */
/* Input gradient for few input channels: each output pixel adds to the inputs under its kernel. */

/* The gather of conv_gather.c makes C sums at a time, which for a C of 3 or 6 leaves most of a
   vector empty. Here a tile makes the KW * C sums of one kernel row, contiguous in dx; its rows are
   the same pixel of several images, so that no two of them add to the same place. Each element
   takes its sums in the order of output pixels, then kernel rows, whatever the batch. */

#include "kernels/conv_internal.h"

#include <string.h>

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

static ptrdiff_t scatter_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return (a + b - 1) / b;
}

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

/* Kernel row kh of output pixel (oh, ow) of images [n0, n0 + images). */
static void scatter_row(const scatter_plan *plan, ptrdiff_t n0, ptrdiff_t images, ptrdiff_t oh,
                        ptrdiff_t ow, ptrdiff_t kh)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t ih = oh * s->SH + kh * s->DH - s->pad_top, iw = ow * s->SW - s->pad_left;
    const ptrdiff_t first = iw < 0 ? -iw : 0, last = s->W - iw < s->KW ? s->W - iw : s->KW;
    if (ih < 0 || ih >= s->H || first >= last) return;
    const float *rows[FVI_TILE_ROWS_MAX];
    float *out[FVI_TILE_ROWS_MAX];
    for (ptrdiff_t m = 0; m < images; ++m) {
        rows[m] = plan->dy + (((n0 + m) * s->OH + oh) * s->OW + ow) * s->F;
        out[m] = plan->dx + (((n0 + m) * s->H + ih) * s->W + iw + first) * s->C;
    }
    const ptrdiff_t columns = (last - first) * s->C, lanes = plan->tiles->lanes;
    const ptrdiff_t most = lanes * plan->tiles->vectors_max;
    const size_t panel_row = 0;
    const ptrdiff_t shift = 0;
    for (ptrdiff_t c = 0; c < columns; c += most) {
        const ptrdiff_t here = columns - c < most ? columns - c : most;
        const fvi_tile_rows call = {
            .rows = rows,
            .shift = &shift,
            .panel_row = &panel_row,
            .taps = 1,
            .depth = (size_t)s->F,
            .panel = plan->packed + kh * s->F * plan->width + first * s->C + c,
            .panel_step = (size_t)plan->width,
            .out = out,
            .out_at = (size_t)c,
            .columns = (int)here,
            .ahead = (const char *)rows[0],
            .is_added = true,
        };
        const ptrdiff_t vectors = scatter_ceil(here, lanes);
        plan->tiles->rows[(images - 1) * plan->tiles->vectors_max + vectors - 1](&call);
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
    for (ptrdiff_t oh = 0; oh < s->OH; ++oh) {
        for (ptrdiff_t ow = 0; ow < s->OW; ++ow) {
            for (ptrdiff_t kh = 0; kh < s->KH; ++kh)
                scatter_row(plan, n0, images, oh, ow, kh);
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
    const double gather = (double)(s->KH * s->KW * scatter_ceil(s->C, lanes)) *
                          ((double)(s->H * s->W) / (double)(s->SH * s->SW));
    const double scatter =
        (double)(s->KH * scatter_ceil(s->KW * s->C, lanes)) * (double)(s->OH * s->OW);
    return s->DW == 1 && 3 * scatter <= 2 * gather;
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
    plan.groups = scatter_ceil(s->N, plan.tiles->rows_max);
    const double work = (double)(s->N * s->OH * s->OW * s->F) * (double)(s->KH * s->KW * s->C);
    if (work < SCATTER_ALONE) threads = NULL;
    fvi_parallel_for(NULL, (size_t)s->KH, scatter_pack, &plan); /* few weights */
    fvi_parallel_for(threads, (size_t)plan.groups, scatter_task, &plan);
}
