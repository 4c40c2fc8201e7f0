/* SPDX-License-Identifier: MIT */
/* BatchNormalization: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each channel
   over the batch. */
#include "ops/op.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* Sums over the batch are made in parts of so many rows and put together in order, so that they do
   not depend on the threads. */
#define BATCHNORM_FLOATS 32768 /* of a part, which stays in a cache from one loop to the next */
#define BATCHNORM_ROWS 128     /* fewest rows of a part */
#define BATCHNORM_PIECE                                                                            \
    8192 /* floats: what a max pooling behind is given at a time, on the stack */

/* Where the weights stand in r->w; -1: there is none. */
typedef struct batchnorm_geometry {
    int C, gamma, beta, mean, variance;
    size_t image_rows; /* of C values, in one image */
} batchnorm_geometry;

/* ---- infer ---- */

static size_t batchnorm_part_rows(size_t C)
{
    const size_t rows = BATCHNORM_FLOATS / C;
    return rows > BATCHNORM_ROWS ? rows : BATCHNORM_ROWS;
}

static size_t batchnorm_parts(size_t rows, size_t C)
{
    return rows ? (rows - 1) / batchnorm_part_rows(C) + 1 : 1;
}

/* Doubles of a record. Forward: number of rows, mean of each channel, sum of squares of what is
   left. Backward: nothing, sum of dy, sum of dy * xhat. */
static size_t batchnorm_record(size_t C)
{
    return 1 + 2 * C;
}

static fv_status batchnorm_vector(fvi_node *n, int *place, const char *name,
                                  fv_initializer initializer, bool is_state)
{
    const batchnorm_geometry *g = n->geometry;
    *place = n->n_weights;
    return fvi_node_weight(n, name, (fv_shape){1, {g->C}}, initializer, g->C, g->C, is_state);
}

/* Scratch: records of all parts, then y's scale and offset when not training. State: mean,
   1/sqrt(variance + epsilon), the scale and offset that y was made with, the coefficients of dx. */
static fv_status batchnorm_room(fvi_node *n, const fvi_setup *setup)
{
    const batchnorm_geometry *g = n->geometry;
    size_t C = (size_t)g->C, rows = 0, sums = 0;
    const size_t record = batchnorm_record(C) * (sizeof(double) / sizeof(float));
    bool fits = fvi_mul(&rows, g->image_rows, (size_t)setup->max_batch) &&
                fvi_mul(&sums, batchnorm_parts(rows, C), record) &&
                fvi_sum(&n->scratch_floats, sums, 2 * C);
    if (!fits) {
        return fvi_fail(FV_E_SHAPE, "batches of %d are too large to sum", setup->max_batch);
    }
    n->state_fixed = 7 * C * sizeof(float);
    n->batch_sums = batchnorm_record(C);
    return FV_OK;
}

static fv_status batchnorm_infer(fvi_node *n, const fvi_setup *setup)
{
    const fv_batch_normalization_config *c = n->config;
    const fv_shape *x = &n->x_shape[0];
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, sizeof(batchnorm_geometry)));
    FVI_TRY(fvi_node_rank(n, 0, x->rank == 1 ? 1 : 3));
    FVI_TRY(fvi_shape_count(&count, x));
    if (c->axis != -1 && c->axis != x->rank) {
        return fvi_fail(FV_E_UNSUPPORTED, "axis %d is not supported; only the last, -1 or %d",
                        c->axis, x->rank);
    }
    n->y_shape = *x;
    batchnorm_geometry *g = n->geometry;
    g->C = x->dim[x->rank - 1];
    g->image_rows = count / (size_t)g->C;
    g->gamma = g->beta = -1;
    if (!c->without_scale) FVI_TRY(batchnorm_vector(n, &g->gamma, "gamma", FV_ONES, false));
    if (!c->without_center) FVI_TRY(batchnorm_vector(n, &g->beta, "beta", FV_ZEROS, false));
    FVI_TRY(batchnorm_vector(n, &g->mean, "moving_mean", FV_ZEROS, true));
    FVI_TRY(batchnorm_vector(n, &g->variance, "moving_variance", FV_ONES, true));
    return batchnorm_room(n, setup);
}

/* ---- runs ---- */

/* One run's arrays; every [C] but the sums. */
typedef struct batchnorm_work {
    const fvi_run *r;
    int C;
    size_t rows; /* of x */
    const float *x;
    double *sums;          /* [parts][record] */
    float *a, *b, *c;      /* coefficients of dx by channel; NULL when not training */
    float *mean, *inv;     /* the batch's; likewise */
    float *scale, *offset; /* of y */
} batchnorm_work;

static batchnorm_work batchnorm_begin(const fvi_run *r)
{
    const batchnorm_geometry *g = r->node->geometry;
    batchnorm_work work = {.r = r, .C = g->C, .rows = (size_t)r->n * g->image_rows, .x = r->x[0]};
    work.sums = (double *)(void *)r->scratch; /* scratch is aligned for any type */
    return work;
}

/* Where a training run keeps its arrays, and another one. */
static void batchnorm_keep(batchnorm_work *work)
{
    const size_t C = (size_t)work->C;
    float *state = work->r->state;
    work->mean = state;
    work->inv = state + C;
    work->scale = state + 2 * C;
    work->offset = state + 3 * C;
    work->a = state + 4 * C;
    work->b = state + 5 * C;
    work->c = state + 6 * C;
}

static void batchnorm_borrow(batchnorm_work *work)
{
    const size_t C = (size_t)work->C;
    work->scale =
        (float *)(void *)(work->sums + batchnorm_record(C) * batchnorm_parts(work->rows, C));
    work->offset = work->scale + C;
}

/* A part of the rows: its first float, and how many rows. */
static size_t batchnorm_part(const batchnorm_work *work, size_t task, size_t *rows)
{
    size_t most = batchnorm_part_rows((size_t)work->C), first = task * most;
    *rows = work->rows - first < most ? work->rows - first : most;
    return first * (size_t)work->C;
}

static void batchnorm_each(batchnorm_work *work, void (*fn)(void *, size_t))
{
    fvi_parallel_for(work->r->threads, batchnorm_parts(work->rows, (size_t)work->C), fn, work);
}

static void batchnorm_each_image(batchnorm_work *work, void (*fn)(void *, size_t))
{
    fvi_parallel_for(work->r->threads, (size_t)work->r->n, fn, work);
}

static void batchnorm_sums_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    size_t C = (size_t)work->C, rows, first = batchnorm_part(work, task, &rows);
    double *record = work->sums + batchnorm_record(C) * task, n = (double)rows;
    double *mean = record + 1, *squares = mean + C;
    const float *x = work->x + first;
    record[0] = n; /* the first row is the shift: near the mean, so squares stay small */
    if (rows > 0) work->r->k->channel_sums(rows, work->C, mean, squares, x, x);
    for (size_t i = 0; i < C && rows > 0; i++) {
        squares[i] = fmax(squares[i] - mean[i] * mean[i] / n, 0.0);
        mean[i] = (double)x[i] + mean[i] / n;
    }
}

/* All rows of two records (Chan, Golub, LeVeque 1979). */
static void batchnorm_join(size_t C, double *record, const double *other)
{
    const double n = record[0], m = other[0], all = n + m;
    if (m == 0) return;
    record[0] = all;
    for (size_t i = 1; i <= C; i++) {
        const double apart = other[i] - record[i];
        record[i] += apart * (m / all);
        record[C + i] += other[C + i] + apart * apart * (n * m / all);
    }
}

static void batchnorm_add(size_t C, double *record, const double *other)
{
    for (size_t i = 1; i <= 2 * C; i++)
        record[i] += other[i];
}

/* So many records, in order, into the first. */
static double *batchnorm_combine(size_t C, double *record, size_t count,
                                 void (*join)(size_t C, double *record, const double *other))
{
    for (size_t i = 1; i < count; i++)
        join(C, record, record + i * batchnorm_record(C));
    return record;
}

/* The record of all rows there are; NULL in the turns that make or need none. */
static double *batchnorm_sum(batchnorm_work *work, void (*fn)(void *, size_t),
                             void (*join)(size_t C, double *record, const double *other))
{
    const fvi_run *r = work->r;
    const size_t C = (size_t)work->C;
    if (r->turn == FVI_SETTLE) return batchnorm_combine(C, r->sums, (size_t)r->chunks, join);
    if (r->turn == FVI_APPLY) return NULL;
    batchnorm_each(work, fn);
    batchnorm_combine(C, work->sums, batchnorm_parts(work->rows, C), join);
    if (r->turn == FVI_ALL) return work->sums;
    memcpy(r->sums, work->sums, batchnorm_record(C) * sizeof *r->sums);
    return NULL;
}

static void batchnorm_affine_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    size_t rows, first = batchnorm_part(work, task, &rows);
    work->r->k->channel_affine(rows, work->C, work->r->y + first, work->x + first, work->scale,
                               work->offset, work->r->clips);
}

/* Where a ReLU has been taken along, its output is not read but computed again from x, unless the
   reader of y has cleared dy already. */
static const fvi_affine *batchnorm_clip(const batchnorm_work *work, fvi_affine *clip)
{
    *clip = (fvi_affine){work->scale, work->offset};
    return work->r->clips && !work->r->is_masked ? clip : NULL;
}

static void batchnorm_gradient_sums_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    fvi_affine clip;
    size_t C = (size_t)work->C, rows, first = batchnorm_part(work, task, &rows);
    double *sum = work->sums + batchnorm_record(C) * task + 1;
    work->r->k->channel_gradient_sums(rows, work->C, sum, sum + C, work->r->dy + first,
                                      work->x + first, work->mean, work->inv,
                                      batchnorm_clip(work, &clip));
}

/* ---- with a max pooling behind it ---- */

/* Windows beside each other in an image, and all of it that is no other windows' place. */
typedef struct batchnorm_piece {
    fvi_pool pool, wide; /* of them alone; of them in whole rows of x */
    size_t rows, floats; /* stretches of x, and floats of each */
    size_t x, y, step;   /* where they begin in x and y; from one stretch to the next */
    size_t row;          /* where the first of the whole rows begins */
} batchnorm_piece;

/* Windows that do not meet, of which at least one row fits into a piece. */
static bool batchnorm_takes_pool(const fvi_node *n, const fvi_kernels *k, const fvi_pool *p)
{
    (void)n;
    (void)k;
    const double floats = 4.0 * (double)p->SH * (double)p->SW * (double)p->C;
    return p->SH >= p->KH && p->SW >= p->KW && floats <= BATCHNORM_PIECE &&
           fvi_pool_place_bytes(p) == 1;
}

/* Some of a pooling's windows beside each other, alone in an image of their own. */
static fvi_pool batchnorm_windows(const fvi_pool *p, int H, int W, int pad_top, int pad_left,
                                  int windows)
{
    return (fvi_pool){.H = H,
                      .W = W,
                      .C = p->C,
                      .KH = p->KH,
                      .KW = p->KW,
                      .SH = p->SH,
                      .SW = p->SW,
                      .pad_top = pad_top,
                      .pad_left = pad_left,
                      .OH = 1,
                      .OW = windows};
}

/* The piece of an image that begins with window (oh, ow); returns the first ow behind it. */
static int batchnorm_cut(batchnorm_piece *piece, const fvi_pool *p, size_t image, int oh, int ow)
{
    const int h = oh * p->SH - p->pad_top, h0 = oh > 0 ? h : 0;
    const int h1 = oh + 1 < p->OH ? h + p->SH : p->H;
    const int w = ow * p->SW - p->pad_left, w0 = ow > 0 ? w : 0;
    const int most = BATCHNORM_PIECE / ((h1 - h0) * p->C); /* columns */
    int windows = p->OW - ow;
    if (p->W - w0 > most && windows > most / p->SW - 1) windows = most / p->SW - 1;
    const int w1 = ow + windows < p->OW ? w + windows * p->SW : p->W;
    const bool is_whole = w1 - w0 == p->W;
    const size_t C = (size_t)p->C, W = (size_t)p->W, OW = (size_t)p->OW;
    piece->pool = batchnorm_windows(p, h1 - h0, w1 - w0, h0 - h, w0 - w, windows);
    piece->wide = batchnorm_windows(p, h1 - h0, p->W, h0 - h, -w, windows);
    piece->rows = is_whole ? 1 : (size_t)(h1 - h0);
    piece->step = W * C;
    piece->floats = (size_t)(h1 - h0) / piece->rows * (size_t)(w1 - w0) * C;
    piece->row = (image * (size_t)p->H + (size_t)h0) * W * C;
    piece->x = piece->row + (size_t)w0 * C;
    piece->y = ((image * (size_t)p->OH + (size_t)oh) * OW + (size_t)ow) * C;
    return ow + windows;
}

/* Calls fn for each piece of an image. */
static void batchnorm_each_piece(batchnorm_work *work, size_t image,
                                 void (*fn)(batchnorm_work *, const batchnorm_piece *))
{
    const fvi_pool *p = work->r->pooled->pool;
    batchnorm_piece piece;
    for (int oh = 0; oh < p->OH; oh++) {
        for (int ow = 0; ow < p->OW;) {
            ow = batchnorm_cut(&piece, p, image, oh, ow);
            fn(work, &piece);
        }
    }
}

static unsigned char *batchnorm_places(const fvi_run *r, const batchnorm_piece *piece)
{
    unsigned char *places = r->pooled->places;
    return places ? places + piece->y : NULL;
}

/* Backward's sums need only those x that the maxima were made of. */
static void batchnorm_pool(batchnorm_work *work, const batchnorm_piece *piece)
{
    _Alignas(64) float room[BATCHNORM_PIECE];
    const fvi_run *r = work->r;
    const size_t C = (size_t)work->C;
    for (size_t i = 0; i < piece->rows; i++)
        r->k->channel_affine(piece->floats / C, work->C, room + i * piece->floats,
                             work->x + piece->x + i * piece->step, work->scale, work->offset,
                             r->clips);
    unsigned char *places = batchnorm_places(r, piece);
    r->k->max_pool(&piece->pool, r->y + piece->y, places, room, r->clips);
    if (places)
        r->k->max_pool_pick(&piece->wide, r->peaks + piece->y, places, work->x + piece->row);
}

/* Of x all that is left, and of dy all that is not 0. */
static void batchnorm_peak_sums_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    const fvi_run *r = work->r;
    size_t C = (size_t)work->C, rows, first = batchnorm_part(work, task, &rows);
    double *sum = work->sums + batchnorm_record(C) * task + 1;
    if (r->clips && !r->is_masked) r->k->clip_gradient(rows * C, r->dy + first, r->y + first);
    r->k->channel_gradient_sums(rows, work->C, sum, sum + C, r->dy + first, work->x + first,
                                work->mean, work->inv, NULL);
}

static void batchnorm_pool_gradient(batchnorm_work *work, const batchnorm_piece *piece)
{
    _Alignas(64) float room[BATCHNORM_PIECE];
    const fvi_run *r = work->r;
    const size_t C = (size_t)work->C;
    r->k->max_pool_gradient(&piece->pool, room, r->dy + piece->y, batchnorm_places(r, piece),
                            false);
    for (size_t i = 0; i < piece->rows; i++) {
        const size_t at = piece->x + i * piece->step;
        r->k->channel_gradient(piece->floats / C, work->C, r->dx[0] + at, room + i * piece->floats,
                               work->x + at, work->a, work->b, work->c, NULL, r->adds[0]);
    }
}

static void batchnorm_pooled_task(void *context, size_t task)
{
    batchnorm_each_piece(context, task, batchnorm_pool);
}

static void batchnorm_pooled_gradient_task(void *context, size_t task)
{
    batchnorm_each_piece(context, task, batchnorm_pool_gradient);
}

static void batchnorm_gradient_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    fvi_affine clip;
    size_t rows, first = batchnorm_part(work, task, &rows);
    work->r->k->channel_gradient(rows, work->C, work->r->dx[0] + first, work->r->dy + first,
                                 work->x + first, work->a, work->b, work->c,
                                 batchnorm_clip(work, &clip), work->r->adds[0]);
}

static double batchnorm_weight(const fvi_run *r, int place, int channel, double otherwise)
{
    return place < 0 ? otherwise : (double)r->w[place][channel];
}

static double batchnorm_inverse(const fvi_run *r, double variance)
{
    const fv_batch_normalization_config *config = r->node->config;
    return 1.0 / sqrt(variance + (double)config->epsilon);
}

/* moving = momentum * moving + (1 - momentum) * batch. The batch's variance is divided by the
   number of rows N to normalise, and also for the average of vectors; for images Keras runs
   TensorFlow's fused kernel, which averages the unbiased one, times N / (N - 1), with 1 in place of
   N - 1 for a single row. When the run asks for the plain mean of its batches, batch k has the
   share 1 / k. */
static void batchnorm_move(const fvi_run *r, double rows, int channel, double mean, double variance)
{
    const batchnorm_geometry *g = r->node->geometry;
    const fv_batch_normalization_config *config = r->node->config;
    double momentum = (double)config->momentum;
    if (r->statistics > 0) momentum = 1.0 - 1.0 / r->statistics;
    float *moving_mean = &r->w[g->mean][channel], *moving_variance = &r->w[g->variance][channel];
    if (r->node->x_shape[0].rank == 3 && rows > 1) variance *= rows / (rows - 1.0);
    *moving_mean = (float)(momentum * (double)*moving_mean + (1.0 - momentum) * mean);
    *moving_variance = (float)(momentum * (double)*moving_variance + (1.0 - momentum) * variance);
}

/* y = x * scale + offset, from the mean and variance of a channel. */
static void batchnorm_scale(const fvi_run *r, int channel, double mean, double variance,
                            float *scale, float *offset)
{
    const batchnorm_geometry *g = r->node->geometry;
    double a = batchnorm_weight(r, g->gamma, channel, 1.0) * batchnorm_inverse(r, variance);
    scale[channel] = (float)a;
    offset[channel] = (float)(batchnorm_weight(r, g->beta, channel, 0.0) - mean * a);
}

static void batchnorm_affine(const fvi_node *n, float *const *w, float *scale, float *offset)
{
    const fvi_run r = {.node = n, .w = w};
    const batchnorm_geometry *g = n->geometry;
    for (int i = 0; i < g->C; i++) {
        batchnorm_scale(&r, i, (double)w[g->mean][i], (double)w[g->variance][i], scale, offset);
    }
}

/* The batch's statistics, and what is made of them. */
static void batchnorm_settle(const batchnorm_work *work, const double *record)
{
    const fvi_run *r = work->r;
    const size_t C = (size_t)work->C;
    for (int i = 0; i < work->C; i++) {
        const double mean = record[1 + i], variance = record[1 + C + (size_t)i] / record[0];
        batchnorm_move(r, record[0], i, mean, variance);
        work->mean[i] = (float)mean;
        work->inv[i] = (float)batchnorm_inverse(r, variance);
        batchnorm_scale(r, i, mean, variance, work->scale, work->offset);
    }
}

static void batchnorm_forward(const fvi_run *r)
{
    batchnorm_work work = batchnorm_begin(r);
    const double *record = NULL;
    if (work.rows == 0) return;
    if (r->training) {
        batchnorm_keep(&work);
        record = batchnorm_sum(&work, batchnorm_sums_task, batchnorm_join);
    } else {
        batchnorm_borrow(&work);
        batchnorm_affine(r->node, r->w, work.scale, work.offset);
    }
    if (record) batchnorm_settle(&work, record);
    if (r->turn != FVI_ALL && r->turn != FVI_APPLY) return;
    if (r->pooled)
        batchnorm_each_image(&work, batchnorm_pooled_task);
    else
        batchnorm_each(&work, batchnorm_affine_task);
}

/* dx = gamma * inv * (dy - sum(dy)/N - xhat * sum(dy * xhat)/N), xhat = (x - mean) * inv: linear in
   dy and x, channel by channel (Ioffe, Szegedy 2015, section 3, collected). */
static void batchnorm_settle_back(const batchnorm_work *work, const double *record)
{
    const fvi_run *r = work->r;
    const batchnorm_geometry *g = r->node->geometry;
    const double N = fmax((double)r->n * (double)g->image_rows, 1.0);
    for (int i = 0; i < g->C; i++) {
        const double dbeta = record[1 + i], dgamma = record[1 + g->C + i];
        const double mean = (double)work->mean[i], inv = (double)work->inv[i];
        if (g->gamma >= 0) r->dw[g->gamma][i] = (float)dgamma;
        if (g->beta >= 0) r->dw[g->beta][i] = (float)dbeta;
        const double a = batchnorm_weight(r, g->gamma, i, 1.0) * inv;
        const double b = -a * inv * dgamma / N;
        work->a[i] = (float)a;
        work->b[i] = (float)b;
        work->c[i] = (float)(-a * dbeta / N - b * mean);
    }
}

static void batchnorm_backward(const fvi_run *r)
{
    batchnorm_work work = batchnorm_begin(r), peaks;
    batchnorm_keep(&work);
    peaks = work;
    if (r->pooled) {
        peaks.rows = (size_t)r->n * (size_t)r->pooled->pool->OH * (size_t)r->pooled->pool->OW;
        peaks.x = r->peaks;
    }
    const double *record = batchnorm_sum(
        &peaks, r->pooled ? batchnorm_peak_sums_task : batchnorm_gradient_sums_task, batchnorm_add);
    if (record) batchnorm_settle_back(&work, record);
    if (!r->dx[0] || (r->turn != FVI_ALL && r->turn != FVI_APPLY)) return;
    if (r->pooled)
        batchnorm_each_image(&work, batchnorm_pooled_gradient_task);
    else
        batchnorm_each(&work, batchnorm_gradient_task);
}

/* ---- the table ---- */

#define BATCHNORM_AT(member) offsetof(fv_batch_normalization_config, member)

static const fvi_word batchnorm_zeros[] = {{"zeros", FVI_VALUE_STRING}, {NULL, 0}};
static const fvi_word batchnorm_ones[] = {{"ones", FVI_VALUE_STRING}, {NULL, 0}};
static const fvi_word batchnorm_false[] = {{"False", FVI_VALUE_BOOL}, {NULL, 0}};

static const fvi_field batchnorm_fields[] = {
    {.key = "axis",
     .kind = FVI_FIELD_AXIS,
     .offset = BATCHNORM_AT(axis),
     .standard = -1,
     .least = -FV_MAX_RANK,
     .most = FV_MAX_RANK},
    {.key = "momentum",
     .kind = FVI_FIELD_FLOAT,
     .offset = BATCHNORM_AT(momentum),
     .standard = 0.99,
     .most = 1},
    {.key = "epsilon",
     .kind = FVI_FIELD_FLOAT,
     .offset = BATCHNORM_AT(epsilon),
     .standard = 0.001,
     .most = FLT_MAX},
    {.key = "center", .kind = FVI_FIELD_WITHOUT, .offset = BATCHNORM_AT(without_center)},
    {.key = "scale", .kind = FVI_FIELD_WITHOUT, .offset = BATCHNORM_AT(without_scale)},
    {.key = "beta_initializer", .kind = FVI_FIELD_IGNORED, .words = batchnorm_zeros},
    {.key = "gamma_initializer", .kind = FVI_FIELD_IGNORED, .words = batchnorm_ones},
    {.key = "moving_mean_initializer", .kind = FVI_FIELD_IGNORED, .words = batchnorm_zeros},
    {.key = "moving_variance_initializer", .kind = FVI_FIELD_IGNORED, .words = batchnorm_ones},
    {.key = "beta_regularizer", .kind = FVI_FIELD_IGNORED},
    {.key = "gamma_regularizer", .kind = FVI_FIELD_IGNORED},
    {.key = "beta_constraint", .kind = FVI_FIELD_IGNORED},
    {.key = "gamma_constraint", .kind = FVI_FIELD_IGNORED},
    {.key = "synchronized", .kind = FVI_FIELD_IGNORED, .extra = 1, .words = batchnorm_false},
};

const fvi_op fvi_op_batch_normalization = {
    .name = "BatchNormalization",
    .config_size = sizeof(fv_batch_normalization_config),
    .fields = batchnorm_fields,
    .n_fields = FVI_COUNT(batchnorm_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = batchnorm_infer,
    .forward = batchnorm_forward,
    .backward = batchnorm_backward,
    .needs_batch = true,
    .drops_y = true,
    .can_clip = true,
    .is_in_place = true,
    .takes_pool = batchnorm_takes_pool,
    .keeps_peaks = true,
    .affine = batchnorm_affine,
};
