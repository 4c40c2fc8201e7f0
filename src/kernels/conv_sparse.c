/* SPDX-License-Identifier: MIT */
/* Weight gradient of a convolution whose outputs only a max pooling reads: of each window one output
   has a gradient, and there are far fewer products than outputs. */

/* dw[:, :, :, f] = sum over windows of dy[window, f] times the patch of x under the output that was
   the window's maximum. A patch's rows are contiguous, so a channel's dw is summed as KH rows of
   KW * C floats, of many windows at a time in registers: to the tile that sums runs, a window is a
   run of one pixel. */

#include "kernels/conv_internal.h"

#include <string.h>

#define SPARSE_WINDOWS 128 /* of one block, whose sum starts from zero */
#define SPARSE_COPIES 4096 /* floats of patch rows that are copied with their padding */
#define SPARSE_AREA 16     /* outputs of a window from which few of them have a gradient */

typedef struct sparse_plan {
    const fvi_tile_table *tiles;
    const fvi_conv *g;
    const fvi_pool_gradient *from;
    int N;
    float *dw, *db, *sums; /* sums: [F][KH][KW * C] */
    const float *x;
} sparse_plan;

/* A window's gradient and the output it goes to. */
typedef struct sparse_window {
    const float *dy;
    int n, oh, ow;
} sparse_window;

bool fvi_conv_sparse_pays(const fvi_conv *g, const fvi_pool *p)
{
    const bool is_narrow = (int64_t)g->KW * g->C <= SPARSE_COPIES / 8;
    return g->groups <= 1 && g->DW == 1 && is_narrow && (int64_t)p->KH * p->KW >= SPARSE_AREA;
}

/* The windows [first, last) of channel f, of all images, that pass something back; how many. */
static size_t sparse_windows(const sparse_plan *plan, sparse_window *window, size_t first,
                             size_t last, int f)
{
    const fvi_pool *p = plan->from->pool;
    const size_t image = (size_t)p->OH * (size_t)p->OW;
    const bool is_byte = fvi_pool_place_bytes(p) == 1;
    size_t count = 0;
    for (size_t i = first; i < last; ++i) {
        const size_t at = i * (size_t)p->C + (size_t)f;
        const uint32_t place = is_byte ? ((const uint8_t *)plan->from->places)[at]
                                       : ((const uint32_t *)plan->from->places)[at];
        if (place == (is_byte ? UINT8_MAX : UINT32_MAX)) continue;
        const int row = (int)(i % image) / p->OW, column = (int)(i % image) % p->OW;
        window[count++] = (sparse_window){
            .dy = plan->from->dy + at,
            .n = (int)(i / image),
            .oh = row * p->SH - p->pad_top + (int)(place / (uint32_t)p->KW),
            .ow = column * p->SW - p->pad_left + (int)(place % (uint32_t)p->KW),
        };
    }
    return count;
}

/* Adds the windows' products to one kernel row of `columns` floats: out += dy * (base + first). */
static void sparse_add(const sparse_plan *plan, const fvi_tile_run *run, size_t runs,
                       const float *base, float *out, size_t columns)
{
    const size_t lanes = (size_t)plan->tiles->lanes;
    const size_t width = lanes * (size_t)plan->tiles->vectors_max;
    for (size_t j = 0; j < columns && runs > 0; j += width) {
        const size_t left = columns - j < width ? columns - j : width;
        const fvi_tile_runs call = {.run = run,
                                    .runs = runs,
                                    .b = base + j,
                                    .b_step = 1,
                                    .out = out + j,
                                    .columns = (int)left,
                                    .is_added = true,
                                    .ahead = (const char *)base};
        plan->tiles->runs[(left - 1) / lanes](&call);
    }
}

/* One kernel row of one channel. Rows of patches that reach over a border, or so near the end of x
   that whole vectors would be read behind it, are copied. */
static void sparse_row(const sparse_plan *plan, const sparse_window *window, size_t windows, int kh,
                       float *out)
{
    const fvi_conv *g = plan->g;
    const size_t columns = (size_t)g->KW * (size_t)g->C, C = (size_t)g->C;
    const size_t lanes = (size_t)plan->tiles->lanes;
    const size_t wide = (columns + lanes - 1) / lanes * lanes;
    const size_t image = (size_t)g->H * (size_t)g->W * C, all = (size_t)plan->N * image;
    fvi_tile_run inside[SPARSE_WINDOWS], copied[SPARSE_WINDOWS];
    float copy[SPARSE_COPIES];
    size_t n_inside = 0, n_copied = 0;
    for (size_t i = 0; i < windows; ++i) {
        const sparse_window *w = &window[i];
        const int ih = w->oh * g->SH - g->pad_top + kh * g->DH, iw = w->ow * g->SW - g->pad_left;
        if (ih < 0 || ih >= g->H) continue;
        const float *row = plan->x + (size_t)w->n * image + (size_t)ih * (size_t)g->W * C;
        const bool is_inside = iw >= 0 && iw + g->KW <= g->W;
        const size_t at = is_inside ? (size_t)(row - plan->x) + (size_t)iw * C : 0;
        if (is_inside && at + wide <= all) {
            inside[n_inside++] = (fvi_tile_run){.a = w->dy, .first = at, .count = 1};
            continue;
        }
        if ((n_copied + 1) * wide > SPARSE_COPIES) {
            sparse_add(plan, copied, n_copied, copy, out, columns);
            n_copied = 0;
        }
        memset(copy + n_copied * wide, 0, wide * sizeof *copy);
        fvi_conv_copy(copy + n_copied * wide, row, iw, iw + g->KW, g->W, g->C);
        copied[n_copied] = (fvi_tile_run){.a = w->dy, .first = n_copied * wide, .count = 1};
        ++n_copied;
    }
    sparse_add(plan, inside, n_inside, plan->x, out, columns);
    sparse_add(plan, copied, n_copied, copy, out, columns);
}

static void sparse_channel(void *context, size_t f)
{
    const sparse_plan *plan = context;
    const fvi_conv *g = plan->g;
    const fvi_pool *p = plan->from->pool;
    const size_t columns = (size_t)g->KW * (size_t)g->C, size = (size_t)g->KH * columns;
    const size_t all = (size_t)plan->N * (size_t)p->OH * (size_t)p->OW;
    float *sums = plan->sums + f * size, bias = 0;
    sparse_window window[SPARSE_WINDOWS];
    memset(sums, 0, size * sizeof *sums);
    for (size_t first = 0; first < all; first += SPARSE_WINDOWS) {
        const size_t last = all - first < SPARSE_WINDOWS ? all : first + SPARSE_WINDOWS;
        const size_t windows = sparse_windows(plan, window, first, last, (int)f);
        float sum = 0;
        for (size_t i = 0; i < windows; ++i)
            sum += *window[i].dy;
        bias += sum;
        for (int kh = 0; kh < g->KH; ++kh)
            sparse_row(plan, window, windows, kh, sums + (size_t)kh * columns);
    }
    if (plan->db) plan->db[f] = bias;
    for (size_t i = 0; i < size; ++i)
        plan->dw[i * (size_t)g->F + f] = sums[i];
}

void fvi_conv_sparse_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                              float *dw, float *db, const float *x, const fvi_pool_gradient *dy,
                              float *scratch)
{
    sparse_plan plan = {
        .tiles = k->tiles, .g = g, .from = dy, .N = N, .dw = dw, .db = db, .sums = scratch, .x = x};
    fvi_parallel_for(threads, (size_t)g->F, sparse_channel, &plan);
}
