/* SPDX-License-Identifier: MIT */
/* Forward for few filters: a vector holds neighbouring pixels of one filter, not filters of one
   pixel. */

/* The gather of conv_gather.c makes a vector of filters at a time, which six or eight do not fill.
   Here the input is split into planes, one a channel, with its padding; a tile has a row for each
   filter and a vector or two of neighbouring outputs, which read neighbouring pixels of a plane; the
   weights are what is broadcast, and lie together as they are. The sums are put together to pixels
   again as they leave; if a max pooling is all that reads them, they are pooled before. */

#include "kernels/conv_internal.h"

#include <string.h>

#define PLANES_BAND 8192      /* floats of input rows that are split at a time */
#define PLANES_STEPS 512      /* weights of a filter, at most */
#define PLANES_FILTERS 8      /* as many as are put together */
#define PLANES_PART 32        /* floats of two of the widest vectors */
#define PLANES_POOL 2048      /* floats of a row of outputs, of all filters, that is pooled */
#define PLANES_TASK 500000.0  /* multiply-adds worth a task */
#define PLANES_ALONE 500000.0 /* below this no thread is woken */

typedef struct planes_plan {
    const fvi_conv_shape *s;
    const fvi_tile_table *tiles;
    const fvi_pooled *pooled; /* NULL: none */
    float *y;
    const float *x;
    bool is_clipped;
    float start[PLANES_FILTERS];            /* the bias */
    float w[PLANES_STEPS * PLANES_FILTERS]; /* by kernel row, channel, column, filter */
    ptrdiff_t at[PLANES_STEPS];             /* and what each meets in the planes */
    ptrdiff_t width;                        /* floats of a row of a plane */
    ptrdiff_t rows, columns;                /* of y, which may be pooled */
    ptrdiff_t step, under; /* output rows from one row of y to the next, and below one of them */
    ptrdiff_t band, bands; /* rows of y at a time, and how many times in an image */
    ptrdiff_t images;      /* of a task */
} planes_plan;

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
    return rows < under ? 0 : fvi_min(s->OH, (rows - under) / s->SH + 1);
}

bool fvi_planes_pays(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->tiles->lanes;
    const bool is_few =
        s->F <= lanes / 2 && s->F <= PLANES_FILTERS && s->KH * s->KW * s->C <= PLANES_STEPS;
    return is_few && s->groups <= 1 && s->SW == 1 && s->DW == 1 && s->KW > 1 && s->OW >= lanes &&
           s->x_pitch == s->C && s->y_pitch == s->F && planes_band(k, s) >= fvi_min(s->OH, s->KH);
}

/* Floats that the input rows under so many rows of y take. */
static ptrdiff_t planes_floats(const planes_plan *plan, ptrdiff_t rows)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t outputs = (rows - 1) * plan->step + plan->under;
    return ((outputs - 1) * s->SH + (s->KH - 1) * s->DH + 1) * s->C * plan->width;
}

/* Input rows under rows [r0, r1) of y in image n, row by row, plane by plane. Padding is 0 already, in
   the same places for every image. */
static void planes_fill(const planes_plan *plan, float *to, ptrdiff_t n, ptrdiff_t r0, ptrdiff_t r1)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t first = r0 * plan->step * s->SH - s->pad_top, row = s->C * plan->width;
    const ptrdiff_t left = fvi_min(s->pad_left, plan->width);
    const ptrdiff_t end = fvi_min(s->H, first + planes_floats(plan, r1 - r0) / row);
    const ptrdiff_t pixels = fvi_min(s->W, plan->width - left);
    for (ptrdiff_t ih = first > 0 ? first : 0; ih < end; ++ih)
        plan->tiles->split(to + (ih - first) * row + left, plan->width,
                           plan->x + (n * s->H + ih) * s->W * s->C, pixels, s->C);
}

/* Of a vector or two of outputs, filter by filter, from the planes that the first kernel row of the
   first of them reads. */
static fvi_tile_planes planes_call(const planes_plan *plan, const float *planes, float *out,
                                   ptrdiff_t out_step)
{
    const fvi_conv_shape *s = plan->s;
    return (fvi_tile_planes){.w = plan->w,
                             .start = plan->start,
                             .planes = planes,
                             .at = plan->at,
                             .steps = (size_t)(s->KH * s->KW * s->C),
                             .out = out,
                             .out_step = out_step};
}

/* An output row; `room` floats from y on may be written. */
static void planes_row(const planes_plan *plan, const float *planes, float *y, ptrdiff_t room)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t lanes = plan->tiles->lanes, all = (s->OW + lanes - 1) / lanes;
    float sums[PLANES_FILTERS * PLANES_PART];
    for (ptrdiff_t v = 0; v < all; v += 2) {
        const ptrdiff_t vectors = fvi_min(2, all - v), at = v * lanes;
        const fvi_tile_planes call = planes_call(plan, planes + at, sums, PLANES_PART);
        plan->tiles->planes[2 * (s->F - 1) + vectors - 1](&call);
        plan->tiles->join(y + at * s->F, sums, PLANES_PART, fvi_min(vectors * lanes, s->OW - at),
                          s->F, plan->is_clipped, room - at * s->F);
    }
}

/* ---- with a max pooling behind it ---- */

/* Floats of a row of outputs in an even number of vectors. */
static ptrdiff_t planes_pitch(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t pair = 2 * k->tiles->lanes;
    return (s->OW + pair - 1) / pair * pair;
}

bool fvi_planes_takes_pool(const fvi_kernels *k, const fvi_conv_shape *s, const fvi_pool *p)
{
    const bool lie_beside = p->SH >= p->KH && p->SW == p->KW && p->pad_top == 0 &&
                            p->pad_left == 0 && (p->KW & (p->KW - 1)) == 0;
    return lie_beside && fvi_pool_place_bytes(p) == 1 && p->OW * (ptrdiff_t)p->KW <= s->OW &&
           (p->OH - 1) * (ptrdiff_t)p->SH + p->KH <= s->OH && p->KH <= planes_band(k, s) &&
           planes_pitch(k, s) * s->F <= PLANES_POOL;
}

/* A row of pooled outputs, and their places; `room` as above. */
static void planes_pooled_row(const planes_plan *plan, const float *planes, float *y,
                              unsigned char *places, ptrdiff_t room)
{
    const fvi_conv_shape *s = plan->s;
    const fvi_pool *p = plan->pooled->pool;
    const fvi_tile_table *tiles = plan->tiles;
    const ptrdiff_t lanes = tiles->lanes, all = (s->OW + lanes - 1) / lanes;
    const ptrdiff_t pitch = (all + 1) / 2 * 2 * lanes;
    float most[PLANES_POOL];
    uint32_t place[PLANES_POOL];
    if (places && p->KH == 1) memset(place, 0, (size_t)(pitch * s->F) * sizeof *place);
    for (ptrdiff_t v = 0; v < all; v += 2) {
        const ptrdiff_t at = v * lanes;
        for (ptrdiff_t kh = 0; kh < p->KH; ++kh) {
            const float *from = planes + kh * s->SH * s->C * plan->width + at;
            fvi_tile_planes call = planes_call(plan, from, most + at, pitch);
            call.is_pooled = kh > 0;
            call.is_second = kh == 1;
            call.place = places ? place + at : NULL;
            call.number = (uint32_t)(kh * p->KW);
            tiles->planes[2 * (s->F - 1) + fvi_min(2, all - v) - 1](&call);
        }
    }
    tiles->across(most, places ? place : NULL, s->F, pitch, (uint32_t)p->KW, plan->is_clipped);
    tiles->join(y, most, pitch, p->OW, s->F, plan->is_clipped, room);
    if (places) tiles->join_bytes(places, place, pitch, p->OW, s->F);
}

/* ---- all of it ---- */

/* Fetches what the band after this one, or the next image, reads beyond its rows: as much as a row
   of y goes ahead. */
static void planes_fetch(const planes_plan *plan, ptrdiff_t n, ptrdiff_t r)
{
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t outputs = (plan->band - 1) * plan->step + plan->under;
    const ptrdiff_t under = (outputs - 1) * s->SH + (s->KH - 1) * s->DH + 1;
    const ptrdiff_t row = n * s->H + r * plan->step * s->SH - s->pad_top + under;
    const ptrdiff_t size = s->W * s->C;
    const char *from = (const char *)plan->x + row * size * (ptrdiff_t)sizeof(float);
    for (ptrdiff_t i = 0; i < plan->step * s->SH * size * (ptrdiff_t)sizeof(float); i += 64)
        __builtin_prefetch(from + i);
}

static void planes_task(void *context, size_t task)
{
    const planes_plan *plan = context;
    const fvi_conv_shape *s = plan->s;
    const ptrdiff_t n0 = (ptrdiff_t)task / plan->bands * plan->images;
    const ptrdiff_t n1 = fvi_min(s->N, n0 + plan->images);
    const ptrdiff_t r0 = (ptrdiff_t)task % plan->bands * plan->band;
    const ptrdiff_t r1 = fvi_min(plan->rows, r0 + plan->band), size = plan->columns * s->F;
    unsigned char *places = plan->pooled ? plan->pooled->places : NULL;
    float planes[PLANES_BAND];
    memset(planes, 0, (size_t)planes_floats(plan, r1 - r0) * sizeof *planes);
    for (ptrdiff_t n = n0; n < n1; ++n) {
        planes_fill(plan, planes, n, r0, r1);
        for (ptrdiff_t r = r0; r < r1; ++r) {
            const float *from = planes + (r - r0) * plan->step * s->SH * s->C * plan->width;
            const ptrdiff_t at = (n * plan->rows + r) * size, room = (r1 - r) * size;
            planes_fetch(plan, n, r);
            if (plan->pooled)
                planes_pooled_row(plan, from, plan->y + at, places ? places + at : NULL, room);
            else
                planes_row(plan, from, plan->y + at, room);
        }
    }
}

/* Rows of y, and how they are cut. */
static void planes_cut(planes_plan *plan, const fvi_kernels *k)
{
    const fvi_conv_shape *s = plan->s;
    const fvi_pool *p = plan->pooled ? plan->pooled->pool : NULL;
    plan->rows = p ? p->OH : s->OH;
    plan->columns = p ? p->OW : s->OW;
    plan->step = p ? p->SH : 1;
    plan->under = p ? p->KH : 1;
    plan->width = planes_width(k, s);
    const ptrdiff_t outputs = planes_band(k, s); /* there are some, where planes pay */
    const ptrdiff_t most = outputs < plan->under ? 1 : (outputs - plan->under) / plan->step + 1;
    plan->bands = (plan->rows - 1) / most + 1;
    plan->band = (plan->rows - 1) / plan->bands + 1;
}

void fvi_planes_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                    const fvi_pooled *pooled, const float *x, const float *w, const float *b,
                    bool is_clipped)
{
    planes_plan plan = {
        .s = s, .tiles = k->tiles, .pooled = pooled, .y = y, .x = x, .is_clipped = is_clipped};
    planes_cut(&plan, k);
    if (b) memcpy(plan.start, b, (size_t)s->F * sizeof *b);
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
