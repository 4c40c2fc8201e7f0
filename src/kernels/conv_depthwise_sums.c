/* SPDX-License-Identifier: MIT */
/* Weight and bias gradient of a depthwise convolution. */

/* dw[kh, kw, f] = sum over output pixels of x[its pixel under the tap, f / M] * dy[pixel, f]. Outputs
   that meet the same taps form rectangles; of each, a call sums a few taps. Images are cut into
   shards by geometry and batch alone, each with its own dw, and these are added in order. */

#include "kernels/conv_internal.h"
#include "kernels/depthwise.h"

#include <string.h>

#define SUMS_FLOATS 32768   /* floats of x that a call sums over */
#define SUMS_UNIT 16        /* floats of the widest vector */
#define SUMS_SHARD 1024     /* fewest pixels worth a shard */
#define SUMS_COPIES 262144  /* most floats of all shards' copies */
#define SUMS_ALONE 100000.0 /* multiply-adds below which no thread is woken */

typedef struct sums_plan {
    const fvi_depthwise_table *table;
    const fvi_conv_shape *s;
    float *dw, *db, *copies;
    const float *x, *dy;
    ptrdiff_t shards, each, groups; /* channels of a task */
} sums_plan;

ptrdiff_t fvi_depthwise_shards(const fvi_conv_shape *s)
{
    const ptrdiff_t size = (s->KH * s->KW + 1) * s->F, pixels = s->N * s->OH * s->OW;
    const ptrdiff_t most = fvi_min(SUMS_COPIES / size, pixels / SUMS_SHARD);
    return fvi_max(1, fvi_min(fvi_min(most, FVI_CONV_SHARDS), s->N));
}

/* A rectangle of outputs of one image: their rows and columns, and the taps that all of them meet. */
typedef struct sums_area {
    ptrdiff_t image, h0, h1, w0, w1;
    fvi_depthwise_reach h, w;
} sums_area;

/* The taps of an area [h0, h1), a few at a time. */
static void sums_area_sums(const sums_plan *sum, fvi_depthwise_sums *call, const sums_area *area)
{
    const fvi_conv_shape *s = sum->s;
    fvi_depthwise_sums_fn *const *run =
        call->spread > 1 ? sum->table->spread_sums : sum->table->sums;
    ptrdiff_t shift[FVI_DEPTHWISE_TAPS], place[FVI_DEPTHWISE_TAPS];
    const ptrdiff_t all = area->h.count * area->w.count;
    ptrdiff_t done = 0;
    call->shift = shift;
    call->place = place;
    do {
        ptrdiff_t taps = 0;
        for (; taps < FVI_DEPTHWISE_TAPS && done < all; ++taps, ++done) {
            const ptrdiff_t i = done / area->w.count, j = done % area->w.count;
            shift[taps] = (i * s->DH * s->W + j * s->DW) * s->x_pitch;
            place[taps] = ((area->h.first + i) * s->KW + area->w.first + j) * s->F;
        }
        run[taps](call);
        call->db = NULL; /* once for each area */
    } while (done < all);
}

static void sums_area_run(const sums_plan *sum, const sums_area *area, ptrdiff_t c,
                          ptrdiff_t channels, float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t spread = s->F / s->C;
    const ptrdiff_t row = fvi_max(1, (area->w1 - area->w0) * s->SW * s->SH * s->C);
    const ptrdiff_t rows = fvi_max(1, SUMS_FLOATS / row);
    const bool has_taps = area->h.count > 0 && area->w.count > 0;
    const ptrdiff_t iw = area->w0 * s->SW - s->pad_left + area->w.first * s->DW;
    for (ptrdiff_t h = area->h0; h < area->h1; h += rows) {
        const ptrdiff_t ih = h * s->SH - s->pad_top + area->h.first * s->DH;
        const ptrdiff_t x = ((area->image * s->H + ih) * s->W + iw) * s->x_pitch + c / spread;
        const ptrdiff_t dy = ((area->image * s->OH + h) * s->OW + area->w0) * s->y_pitch + c;
        fvi_depthwise_sums call = {
            .x = sum->x + (has_taps ? x : 0),
            .dy = sum->dy + dy,
            .x_row = s->SH * s->W * s->x_pitch,
            .x_step = s->SW * s->x_pitch,
            .dy_row = s->OW * s->y_pitch,
            .dy_step = s->y_pitch,
            .rows = fvi_min(rows, area->h1 - h),
            .columns = area->w1 - area->w0,
            .channels = channels,
            .spread = spread,
            .dw = dw + c,
            .db = db ? db + c : NULL,
        };
        sums_area_sums(sum, &call, area);
    }
}

/* A row of outputs at a time under a kernel 3 wide, or two, in pieces narrow enough that what several
   kernel rows read stays in the nearest cache: outputs [from, to) of a row, of which the first may
   miss the first tap of each kernel row, the last the last one. */
typedef struct sums_strips {
    ptrdiff_t from, to;
    bool has_left, has_right;
} sums_strips;

static sums_strips sums_strips_of(const fvi_conv_shape *s)
{
    sums_strips strips = {.to = 0};
    if (s->F > s->C || s->KH != 3 || s->KW != 3 || s->DW > 1 || s->SW > 2) return strips;
    const ptrdiff_t last = s->W - 3 + s->pad_left;
    ptrdiff_t from = fvi_ceil(s->pad_left, s->SW);
    ptrdiff_t to = last < 0 ? 0 : fvi_min(s->OW, last / s->SW + 1);
    if (from >= to) return strips;
    strips.has_left = from > 0 && (from - 1) * s->SW - s->pad_left == -1;
    strips.has_right = to < s->OW && to * s->SW - s->pad_left == s->W - 2;
    strips.from = from - strips.has_left;
    strips.to = to + strips.has_right;
    return strips;
}

/* Rows [h, h + rows) of an area. */
static void sums_strips_run(const sums_plan *sum, const sums_strips *strips, const sums_area *area,
                            ptrdiff_t h, ptrdiff_t rows, fvi_depthwise_strip *call, ptrdiff_t c)
{
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t line = s->W * s->x_pitch, ih = h * s->SH - s->pad_top + area->h.first * s->DH;
    const ptrdiff_t below = ih + (rows - 1) * s->SH + (area->h.count - 1) * s->DH + 1;
    const ptrdiff_t from = strips->from + strips->has_left, to = strips->to - strips->has_right;
    const ptrdiff_t pieces = fvi_depthwise_pieces(to - from, s->SW * s->F);
    const float *x = sum->x + area->image * s->H * line;
    const float *dy = sum->dy + (area->image * s->OH + h) * s->OW * s->y_pitch;
    fvi_depthwise_strip_fn *run =
        rows > 1 ? sum->table->strip_pair : sum->table->strips[s->SW - 1][area->h.count - 2];
    for (ptrdiff_t i = 0, w = from, end; i < pieces; ++i, w = end) {
        const ptrdiff_t iw = (w * s->SW - s->pad_left) * s->x_pitch;
        end = i + 1 < pieces ? from + (to - from) * (i + 1) / pieces : to;
        call->places = end - w;
        call->has_left = i == 0 && strips->has_left;
        call->has_right = i == pieces - 1 && strips->has_right;
        call->x = x + ih * line + iw + c;
        call->dy = dy + w * s->y_pitch + c;
        call->x_ahead = (const char *)(x + below * line + iw);
        call->dy_ahead = (const char *)(dy + (rows * s->OW + w) * s->y_pitch);
        run(call);
    }
}

static void sums_strips_area(const sums_plan *sum, const sums_strips *strips, const sums_area *area,
                             ptrdiff_t c, ptrdiff_t channels, float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const bool has_pairs =
        sum->table->strip_pair && area->h.count == 3 && s->SH == 1 && s->SW == 1 && s->DH == 1;
    fvi_depthwise_strip call = {
        .x_row = s->DH * s->W * s->x_pitch,
        .x_pixel = s->x_pitch,
        .dy_row = s->OW * s->y_pitch,
        .dy_pixel = s->y_pitch,
        .channels = channels,
        .dw = dw + area->h.first * 3 * s->F + c,
        .tap = s->F,
        .db = db ? db + c : NULL,
        .x_ahead_row = s->W * s->x_pitch * (ptrdiff_t)sizeof *dw,
        .dy_ahead_row = s->OW * s->y_pitch * (ptrdiff_t)sizeof *dw,
    };
    for (ptrdiff_t h = area->h0, rows; h < area->h1; h += rows) {
        rows = has_pairs && h + 1 < area->h1 ? 2 : 1;
        sums_strips_run(sum, strips, area, h, rows, &call, c);
    }
}

/* All areas of an image. */
static void sums_image(const sums_plan *sum, ptrdiff_t image, ptrdiff_t c, ptrdiff_t channels,
                       float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const sums_strips strips = sums_strips_of(s);
    sums_area a = {.image = image};
    for (a.h0 = 0; a.h0 < s->OH; a.h0 = a.h1) {
        a.h = fvi_depthwise_clip(a.h0 * s->SH - s->pad_top, s->H, s->DH, s->KH);
        fvi_depthwise_reach next = a.h;
        for (a.h1 = a.h0; a.h1 < s->OH && next.first == a.h.first && next.count == a.h.count;)
            next = fvi_depthwise_clip(++a.h1 * s->SH - s->pad_top, s->H, s->DH, s->KH);
        const bool has_strips = a.h.count > 1 && strips.from < strips.to;
        if (has_strips) sums_strips_area(sum, &strips, &a, c, channels, dw, db);
        if (has_strips && strips.from == 0 && strips.to == s->OW) continue;
        for (a.w0 = 0; a.w0 < s->OW; a.w0 = a.w1) {
            a.w = next = fvi_depthwise_clip(a.w0 * s->SW - s->pad_left, s->W, s->DW, s->KW);
            for (a.w1 = a.w0; a.w1 < s->OW && next.first == a.w.first && next.count == a.w.count;)
                next = fvi_depthwise_clip(++a.w1 * s->SW - s->pad_left, s->W, s->DW, s->KW);
            if (!has_strips || a.w0 < strips.from || a.w0 >= strips.to)
                sums_area_run(sum, &a, c, channels, dw, db);
        }
    }
}

static void sums_task(void *context, size_t task)
{
    const sums_plan *sum = context;
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t shard = (ptrdiff_t)task / sum->groups, taps = s->KH * s->KW;
    const ptrdiff_t c = (ptrdiff_t)task % sum->groups * sum->each;
    const ptrdiff_t channels = fvi_min(sum->each, s->F - c);
    float *dw = shard == 0 ? sum->dw : sum->copies + (shard - 1) * (taps + 1) * s->F;
    float *db = shard == 0 || !sum->db ? sum->db : dw + taps * s->F;
    for (ptrdiff_t t = 0; t < taps; ++t)
        memset(dw + t * s->F + c, 0, (size_t)channels * sizeof *dw);
    if (db) memset(db + c, 0, (size_t)channels * sizeof *db);
    for (ptrdiff_t n = s->N * shard / sum->shards; n < s->N * (shard + 1) / sum->shards; ++n)
        sums_image(sum, n, c, channels, dw, db);
}

void fvi_depthwise_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                           float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    sums_plan sum = {
        .table = k->depthwise, .s = s, .dw = dw, .db = db, .copies = scratch, .x = x, .dy = dy};
    const ptrdiff_t size = s->KH * s->KW * s->F;
    sum.shards = fvi_depthwise_shards(s);
    if ((double)(s->N * s->OH * s->OW) * (double)size < SUMS_ALONE) threads = NULL;
    /* Where shards are too few, channels are cut, which changes no sum: at whole vectors, and where
       a channel of x ends. */
    const ptrdiff_t unit = SUMS_UNIT * (s->F / s->C), units = fvi_ceil(s->F, unit);
    const ptrdiff_t wanted = 2 * fvi_threads_count(threads) / sum.shards;
    sum.each = units * unit;
    if (fvi_threads_count(threads) > 1 && wanted > 1) sum.each = fvi_ceil(units, wanted) * unit;
    sum.groups = fvi_ceil(s->F, sum.each);
    fvi_parallel_for(threads, (size_t)(sum.shards * sum.groups), sums_task, &sum);
    for (ptrdiff_t shard = 1; shard < sum.shards; ++shard) {
        const float *copy = scratch + (shard - 1) * (size + s->F);
        for (ptrdiff_t i = 0; i < size; ++i)
            dw[i] += copy[i];
        for (ptrdiff_t i = 0; db && i < s->F; ++i)
            db[i] += copy[size + i];
    }
}
