/* SPDX-License-Identifier: MIT */
/* Forward for few filters: a vector holds neighbouring pixels of one filter, not filters of one
   pixel. */

/* The gather of conv_gather.c makes a vector of filters at a time, which six or eight do not fill.
   Here the input is split into planes, one a channel, with its padding; a tile has a row for each
   filter and a vector or two of neighbouring outputs, which read neighbouring pixels of a plane; the
   weights are what is broadcast, and lie together as they are. The sums are put together to pixels
   again as they leave. */

#include "kernels/conv_internal.h"

#include <string.h>

#define PLANES_BAND 8192      /* floats of input rows that are split at a time */
#define PLANES_STEPS 512      /* weights of a filter, at most */
#define PLANES_FILTERS 8      /* as many as are put together */
#define PLANES_PART 32        /* floats of two of the widest vectors */
#define PLANES_TASK 500000.0  /* multiply-adds worth a task */
#define PLANES_ALONE 500000.0 /* below this no thread is woken */

typedef struct planes_plan {
    const fvi_conv_shape *s;
    const fvi_tile_table *tiles;
    float *y;
    const float *x, *bias;
    bool is_clipped;
    float w[PLANES_STEPS * PLANES_FILTERS]; /* by kernel row, channel, column, filter */
    ptrdiff_t at[PLANES_STEPS];             /* and what each meets in the planes */
    ptrdiff_t width;                        /* floats of a row of a plane */
    ptrdiff_t band, bands; /* output rows at a time, and how many times in an image */
    ptrdiff_t images;      /* of a task */
} planes_plan;

static ptrdiff_t planes_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

/* Floats of a row of a plane: the pixels that OW outputs read, and those behind in whole vectors. */
static ptrdiff_t planes_width(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->tiles->lanes;
    return (s->OW + lanes - 1) / lanes * lanes + s->KW;
}

/* Output rows whose input rows are split together. */
static ptrdiff_t planes_band(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t rows = PLANES_BAND / (planes_width(k, s) * s->C);
    const ptrdiff_t under = (s->KH - 1) * s->DH + 1;
    return rows < under ? 0 : planes_min(s->OH, (rows - under) / s->SH + 1);
}

bool fvi_planes_pays(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->tiles->lanes;
    const bool is_few =
        s->F <= lanes / 2 && s->F <= PLANES_FILTERS && s->KH * s->KW * s->C <= PLANES_STEPS;
    return is_few && s->groups <= 1 && s->SW == 1 && s->DW == 1 && s->KW > 1 && s->OW >= lanes &&
           s->x_pitch == s->C && s->y_pitch == s->F &&
           planes_band(k, s) >= planes_min(s->OH, s->KH);
}

/* Input rows under output rows [r0, r1) of image n, row by row, plane by plane. */
static void planes_fill(const planes_plan *plan, float *to, ptrdiff_t n, ptrdiff_t r0, ptrdiff_t r1)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t first = r0 * s->SH - s->pad_top, left = planes_min(s->pad_left, plan->width);
    const ptrdiff_t count = (r1 - r0 - 1) * s->SH + (s->KH - 1) * s->DH + 1;
    const ptrdiff_t pixels = planes_min(s->W, plan->width - left);
    for (ptrdiff_t ih = first; ih < first + count; ++ih) {
        const bool is_inside = ih >= 0 && ih < s->H;
        const ptrdiff_t here = is_inside ? pixels : 0, before = is_inside ? left : 0;
        for (ptrdiff_t c = 0; c < s->C; ++c) {
            float *row = to + c * plan->width;
            memset(row, 0, (size_t)before * sizeof *row);
            memset(row + before + here, 0, (size_t)(plan->width - before - here) * sizeof *row);
        }
        if (is_inside)
            plan->tiles->split(to + left, plan->width, plan->x + (n * s->H + ih) * s->W * s->C,
                               pixels, s->C);
        to += s->C * plan->width;
    }
}

/* An output row, from the planes that its first kernel row reads. */
static void planes_row(const planes_plan *plan, const float *planes, float *y)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t lanes = plan->tiles->lanes, all = (s->OW + lanes - 1) / lanes;
    float sums[PLANES_FILTERS * PLANES_PART];
    for (ptrdiff_t v = 0; v < all; v += 2) {
        const ptrdiff_t vectors = planes_min(2, all - v);
        const fvi_tile_planes call = {
            .w = plan->w,
            .planes = planes + v * lanes,
            .at = plan->at,
            .steps = (size_t)(s->KH * s->KW * s->C),
            .out = sums,
            .out_step = PLANES_PART,
        };
        plan->tiles->planes[2 * (s->F - 1) + vectors - 1](&call);
        plan->tiles->join(y + v * lanes * s->F, sums, PLANES_PART,
                          planes_min(vectors * lanes, s->OW - v * lanes), s->F, plan->bias,
                          plan->is_clipped);
    }
}

/* Fetches what the band after [r0, r1), or the next image, reads beyond this one's rows: as much as
   an output row goes ahead. */
static void planes_fetch(const planes_plan *plan, ptrdiff_t n, ptrdiff_t r)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t under = (plan->band - 1) * s->SH + (s->KH - 1) * s->DH + 1;
    const ptrdiff_t row = n * s->H + r * s->SH - s->pad_top + under, size = s->W * s->C;
    const char *from = (const char *)plan->x + row * size * (ptrdiff_t)sizeof(float);
    for (ptrdiff_t i = 0; i < s->SH * size * (ptrdiff_t)sizeof(float); i += 64)
        __builtin_prefetch(from + i);
}

static void planes_task(void *context, size_t task)
{
    const planes_plan *plan = context;
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t n0 = (ptrdiff_t)task / plan->bands * plan->images;
    const ptrdiff_t n1 = planes_min(s->N, n0 + plan->images);
    const ptrdiff_t r0 = (ptrdiff_t)task % plan->bands * plan->band;
    const ptrdiff_t r1 = planes_min(s->OH, r0 + plan->band);
    float planes[PLANES_BAND];
    for (ptrdiff_t n = n0; n < n1; ++n) {
        planes_fill(plan, planes, n, r0, r1);
        for (ptrdiff_t r = r0; r < r1; ++r) {
            planes_fetch(plan, n, r);
            planes_row(plan, planes + (r - r0) * s->SH * s->C * plan->width,
                       plan->y + (n * s->OH + r) * s->OW * s->F);
        }
    }
}

void fvi_planes_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                    const float *x, const float *w, const float *b, bool is_clipped)
{
    planes_plan plan = {
        .s = s, .tiles = k->tiles, .y = y, .x = x, .bias = b, .is_clipped = is_clipped};
    plan.width = planes_width(k, s);
    const ptrdiff_t most = planes_band(k, s);
    plan.bands = (s->OH - 1) / (most > 0 ? most : 1) + 1; /* it is, where planes pay */
    plan.band = (s->OH - 1) / plan.bands + 1;
    for (ptrdiff_t i = 0; i < s->KH * s->KW * s->C; ++i) {
        const ptrdiff_t kh = i / s->KW / s->C, c = i / s->KW % s->C, kw = i % s->KW;
        plan.at[i] = (kh * s->DH * s->C + c) * plan.width + kw;
        memcpy(plan.w + i * s->F, w + ((kh * s->KW + kw) * s->C + c) * s->F,
               (size_t)s->F * sizeof *w);
    }
    const double image = (double)(s->OH * s->OW * s->F) * (double)(s->KH * s->KW * s->C);
    plan.images = image < PLANES_TASK ? (ptrdiff_t)(PLANES_TASK / image) : 1;
    if (image * (double)s->N < PLANES_ALONE) threads = NULL;
    const ptrdiff_t groups = (s->N + plan.images - 1) / plan.images;
    fvi_parallel_for(threads, (size_t)(groups * plan.bands), planes_task, &plan);
}
