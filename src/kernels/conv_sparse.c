/* SPDX-License-Identifier: MIT */
/* Weight gradient of a convolution whose outputs only a max pooling reads: of each window one output
   has a gradient, and there are far fewer products than outputs. */

/* dw[:, :, :, f] = sum over windows of dy[window, f] times the patch of x under the output that was
   the window's maximum. A patch's rows of KW * C floats are contiguous. So pictures are taken by
   blocks of windows: what these see of x is copied with its padding, then for each filter the
   patches are summed in registers, a vector of each row at a time. */

#include "kernels/conv_internal.h"

#include <string.h>

#define SPARSE_WINDOWS 256 /* of one block at most */
#define SPARSE_COPIES 6144 /* floats of x that a block sees, at most */
#define SPARSE_SLACK 16    /* that a vector may read behind them */
#define SPARSE_FILTERS 8   /* of one task */
#define SPARSE_AREA 16     /* outputs of a window from which few of them have a gradient */
#define SPARSE_FEW 8       /* filters that leave half of a vector empty otherwise */
#define SPARSE_NARROW 16   /* floats of a patch's row that fit a vector */

typedef struct sparse_plan {
    const fvi_tile_table *tiles;
    const fvi_conv *g;
    const fvi_pooled *from;
    ptrdiff_t N, width;    /* of a row of sums: KW * C in whole vectors */
    ptrdiff_t high, wide;  /* windows of a block */
    ptrdiff_t pitch;       /* floats of a row of a block's copy of x */
    ptrdiff_t down, right; /* from an output to the one below, beside, in the copy */
    int32_t offset[256];   /* of an output from its window's first, by its place */
    float *dw, *db, *sums; /* sums: [F][KH][width] */
    const float *x;
} sparse_plan;

/* Windows [oy, oy + high) x [ox, ox + wide) of a picture and their copy of x, which begins under the
   first kernel weight of the first window's first output. */
typedef struct sparse_block {
    ptrdiff_t n, oy, ox, high, wide;
    float x[SPARSE_COPIES + SPARSE_SLACK];
} sparse_block;

/* Pixels of x that `windows` windows see along an axis. */
static ptrdiff_t sparse_extent(ptrdiff_t windows, int pool_step, int pool_size, int step, int last)
{
    return ((windows - 1) * pool_step + pool_size - 1) * step + last + 1;
}

static ptrdiff_t sparse_high(const fvi_conv *g, const fvi_pool *p, ptrdiff_t windows)
{
    return sparse_extent(windows, p->SH, p->KH, g->SH, (g->KH - 1) * g->DH);
}

static ptrdiff_t sparse_wide(const fvi_conv *g, const fvi_pool *p, ptrdiff_t windows)
{
    return sparse_extent(windows, p->SW, p->KW, g->SW, g->KW - 1) * g->C;
}

static bool sparse_fits(const fvi_conv *g, const fvi_pool *p, ptrdiff_t high, ptrdiff_t wide)
{
    return high * wide <= SPARSE_WINDOWS &&
           sparse_high(g, p, high) * sparse_wide(g, p, wide) <= SPARSE_COPIES;
}

bool fvi_conv_sparse_pays(const fvi_conv *g, const fvi_pool *p)
{
    const int64_t area = (int64_t)p->KH * p->KW, row = (int64_t)g->KW * g->C;
    const bool is_few = g->F <= SPARSE_FEW && row <= SPARSE_NARROW && area >= 4;
    const int64_t most = SPARSE_COPIES; /* what exceeds it alone need not be multiplied */
    const bool is_small = area <= most && row <= most && (int64_t)g->KH * g->DH <= most &&
                          (int64_t)p->KH * g->SH <= most && (int64_t)p->KW * g->SW * g->C <= most;
    return g->groups <= 1 && g->DW == 1 && (is_few || area >= SPARSE_AREA) && is_small &&
           sparse_fits(g, p, 1, 1);
}

size_t fvi_sparse_scratch(const fvi_conv_shape *s)
{
    return (size_t)(s->F * s->KH * (s->KW * s->C + SPARSE_SLACK - 1));
}

/* Copies what the block sees of x, zeros for what lies outside. */
static void sparse_copy(const sparse_plan *plan, sparse_block *b)
{
    const fvi_conv *g = plan->g;
    const fvi_pool *p = plan->from->pool;
    const ptrdiff_t rows = sparse_high(g, p, b->high);
    const ptrdiff_t ih = (b->oy * p->SH - p->pad_top) * g->SH - g->pad_top;
    const ptrdiff_t iw = (b->ox * p->SW - p->pad_left) * g->SW - g->pad_left;
    const float *image = plan->x + b->n * g->H * g->W * g->C;
    for (ptrdiff_t i = 0; i < rows; ++i) {
        float *to = b->x + i * plan->pitch;
        if (ih + i < 0 || ih + i >= g->H)
            memset(to, 0, (size_t)plan->pitch * sizeof *to);
        else
            fvi_conv_copy(to, image + (ih + i) * g->W * g->C, iw, iw + plan->pitch / g->C, g->W,
                          g->C);
    }
    memset(b->x + rows * plan->pitch, 0, SPARSE_SLACK * sizeof *b->x);
}

static void sparse_filter(const sparse_plan *plan, const sparse_block *b, ptrdiff_t f, float *bias)
{
    const fvi_conv *g = plan->g;
    const fvi_pool *p = plan->from->pool;
    const ptrdiff_t lanes = plan->tiles->window_lanes, step = g->DH * plan->pitch;
    const size_t bytes = fvi_pool_place_bytes(p);
    const ptrdiff_t at = ((b->n * p->OH + b->oy) * p->OW + b->ox) * p->C + f;
    float *sums = plan->sums + f * g->KH * plan->width, unused = 0;
    fvi_tile_windows call = {.high = b->high,
                             .wide = b->wide,
                             .dy = plan->from->dy + at,
                             .places = (const char *)plan->from->places + at * (ptrdiff_t)bytes,
                             .dy_row = (ptrdiff_t)p->OW * p->C,
                             .dy_step = p->C,
                             .x_row = p->SH * plan->down,
                             .x_step = p->SW * plan->right,
                             .down = plan->down,
                             .right = plan->right,
                             .KW = (uint32_t)p->KW,
                             .offset = plan->offset,
                             .row_step = step,
                             .out_step = plan->width};
    for (ptrdiff_t kh = 0; kh < g->KH; kh += FVI_WINDOW_ROWS) {
        const ptrdiff_t left = g->KH - kh, rows = left < FVI_WINDOW_ROWS ? left : FVI_WINDOW_ROWS;
        for (ptrdiff_t j = 0; j < plan->width; j += lanes) {
            call.x = b->x + kh * step + j;
            call.out = sums + kh * plan->width + j;
            call.total = kh + j == 0 ? bias : &unused;
            plan->tiles->windows[2 * (rows - 1) + (bytes == 1)](&call);
        }
    }
}

/* Blocks of all pictures in order, for some of the filters. */
static void sparse_filters(void *context, size_t task)
{
    const sparse_plan *plan = context;
    const fvi_conv *g = plan->g;
    const fvi_pool *p = plan->from->pool;
    const ptrdiff_t f0 = (ptrdiff_t)task * SPARSE_FILTERS, left = g->F - f0;
    const ptrdiff_t count = left < SPARSE_FILTERS ? left : SPARSE_FILTERS;
    const ptrdiff_t row = (ptrdiff_t)g->KW * g->C;
    float bias[SPARSE_FILTERS] = {0}, *sums = plan->sums + f0 * g->KH * plan->width;
    sparse_block b;
    memset(sums, 0, (size_t)(count * g->KH * plan->width) * sizeof *sums);
    for (b.n = 0; b.n < plan->N; ++b.n) {
        for (b.oy = 0; b.oy < p->OH; b.oy += plan->high) {
            b.high = p->OH - b.oy < plan->high ? p->OH - b.oy : plan->high;
            for (b.ox = 0; b.ox < p->OW; b.ox += plan->wide) {
                b.wide = p->OW - b.ox < plan->wide ? p->OW - b.ox : plan->wide;
                sparse_copy(plan, &b);
                for (ptrdiff_t f = 0; f < count; ++f)
                    sparse_filter(plan, &b, f0 + f, &bias[f]);
            }
        }
    }
    for (ptrdiff_t f = 0; f < count; ++f) {
        if (plan->db) plan->db[f0 + f] = bias[f];
        for (ptrdiff_t kh = 0; kh < g->KH; ++kh) {
            for (ptrdiff_t i = 0; i < row; ++i)
                plan->dw[(kh * row + i) * g->F + f0 + f] = sums[(f * g->KH + kh) * plan->width + i];
        }
    }
}

void fvi_conv_sparse_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                              float *dw, float *db, const float *x, const fvi_pooled *dy,
                              float *scratch)
{
    const fvi_pool *p = dy->pool;
    const ptrdiff_t lanes = k->tiles->window_lanes, row = (ptrdiff_t)g->KW * g->C;
    sparse_plan plan = {.tiles = k->tiles,
                        .g = g,
                        .from = dy,
                        .N = N,
                        .width = (row + lanes - 1) / lanes * lanes,
                        .high = 1,
                        .wide = 1,
                        .dw = dw,
                        .db = db,
                        .sums = scratch,
                        .x = x};
    while (plan.wide < p->OW && sparse_fits(g, p, 1, plan.wide + 1))
        ++plan.wide;
    while (plan.high < p->OH && sparse_fits(g, p, plan.high + 1, plan.wide))
        ++plan.high;
    plan.pitch = sparse_wide(g, p, plan.wide);
    plan.down = g->SH * plan.pitch;
    plan.right = (ptrdiff_t)g->SW * g->C;
    for (int i = 0; i < 255 && i < p->KH * p->KW; ++i)
        plan.offset[i] = (int32_t)(i / p->KW * plan.down + i % p->KW * plan.right);
    const size_t tasks = ((size_t)g->F + SPARSE_FILTERS - 1) / SPARSE_FILTERS;
    fvi_parallel_for(threads, tasks, sparse_filters, &plan);
}
