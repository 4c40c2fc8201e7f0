/* SPDX-License-Identifier: MIT */
/* BatchNormalization: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each channel
   over the batch. */
#include "ops/op.h"

#include <float.h>
#include <limits.h>
#include <math.h>

/* Sums over the batch are made in parts of so many rows and put together in order, so that they do
   not depend on the threads. */
#define BATCHNORM_ROWS 4096

/* Where the weights stand in r->w; -1: there is none. */
typedef struct batchnorm_geometry {
    int C, gamma, beta, mean, variance;
    size_t image_rows; /* of C values, in one image */
} batchnorm_geometry;

/* ---- infer ---- */

static size_t batchnorm_parts(size_t rows)
{
    return rows ? (rows - 1) / BATCHNORM_ROWS + 1 : 1;
}

static fv_status batchnorm_vector(fvi_node *n, int *place, const char *name,
                                  fv_initializer initializer, bool is_state)
{
    const batchnorm_geometry *g = n->geometry;
    *place = n->n_weights;
    return fvi_node_weight(n, name, (fv_shape){1, {g->C}}, initializer, g->C, g->C, is_state);
}

/* Scratch: sums of all parts, two of C doubles each, then three rows of C floats. State: mean,
   1/sqrt(variance + epsilon), and the scale and offset that y was made with. */
static fv_status batchnorm_room(fvi_node *n, const fvi_setup *setup)
{
    const batchnorm_geometry *g = n->geometry;
    size_t C = (size_t)g->C, rows = 0, sums = 0;
    bool fits = fvi_mul(&rows, g->image_rows, (size_t)setup->max_batch) &&
                fvi_mul(&sums, batchnorm_parts(rows), C * 2 * (sizeof(double) / sizeof(float))) &&
                fvi_sum(&n->scratch_floats, sums, 3 * C);
    if (!fits) {
        return fvi_fail(FV_E_SHAPE, "batches of %d are too large to sum", setup->max_batch);
    }
    n->state_fixed = 4 * C * sizeof(float);
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
    size_t rows;
    double *sums;          /* [parts, 2, C] */
    float *a, *b, *c;      /* coefficients of dx by channel */
    float *mean, *inv;     /* the batch's; NULL when not training */
    float *scale, *offset; /* of y */
} batchnorm_work;

static batchnorm_work batchnorm_begin(const fvi_run *r)
{
    const batchnorm_geometry *g = r->node->geometry;
    size_t C = (size_t)g->C;
    batchnorm_work work = {.r = r, .C = g->C, .rows = (size_t)r->n * g->image_rows};
    work.sums = (double *)(void *)r->scratch; /* scratch is aligned for any type */
    work.a = (float *)(void *)(work.sums + 2 * C * batchnorm_parts(work.rows));
    work.b = work.a + C;
    work.c = work.b + C;
    work.mean = r->state;
    work.inv = work.mean ? work.mean + C : NULL;
    work.scale = work.mean ? work.mean + 2 * C : work.a;
    work.offset = work.mean ? work.mean + 3 * C : work.b;
    return work;
}

/* A part of the rows: its first float, and how many rows. */
static size_t batchnorm_part(const batchnorm_work *work, size_t task, size_t *rows)
{
    size_t first = task * BATCHNORM_ROWS, left = work->rows - first;
    *rows = left < BATCHNORM_ROWS ? left : BATCHNORM_ROWS;
    return first * (size_t)work->C;
}

/* Run fn on every part, then, if asked to, add the sums up in the order of the parts, into the
   first. */
static void batchnorm_each(batchnorm_work *work, bool has_sums, void (*fn)(void *, size_t))
{
    size_t C = (size_t)work->C, parts = batchnorm_parts(work->rows);
    fvi_parallel_for(work->r->threads, parts, fn, work);
    for (size_t i = 2 * C; has_sums && i < 2 * C * parts; i++) {
        work->sums[i % (2 * C)] += work->sums[i];
    }
}

static void batchnorm_sums_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    size_t C = (size_t)work->C, rows, first = batchnorm_part(work, task, &rows);
    double *sum = work->sums + 2 * C * task;
    const float *x =
        work->r->x[0]; /* its first row is the shift: near the mean, so squares stay small */
    work->r->k->channel_sums(rows, work->C, sum, sum + C, x + first, x);
}

static void batchnorm_affine_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    size_t rows, first = batchnorm_part(work, task, &rows);
    work->r->k->channel_affine(rows, work->C, work->r->y + first, work->r->x[0] + first,
                               work->scale, work->offset, work->r->clips);
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
    double *sum = work->sums + 2 * C * task;
    work->r->k->channel_gradient_sums(rows, work->C, sum, sum + C, work->r->dy + first,
                                      work->r->x[0] + first, work->mean, work->inv,
                                      batchnorm_clip(work, &clip));
}

static void batchnorm_gradient_task(void *context, size_t task)
{
    batchnorm_work *work = context;
    fvi_affine clip;
    size_t rows, first = batchnorm_part(work, task, &rows);
    work->r->k->channel_gradient(rows, work->C, work->r->dx[0] + first, work->r->dy + first,
                                 work->r->x[0] + first, work->a, work->b, work->c,
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
static void batchnorm_move(const batchnorm_work *work, int channel, double mean, double variance)
{
    const fvi_run *r = work->r;
    const batchnorm_geometry *g = r->node->geometry;
    const fv_batch_normalization_config *config = r->node->config;
    double momentum = (double)config->momentum, rows = (double)work->rows;
    if (r->statistics > 0) momentum = 1.0 - 1.0 / r->statistics;
    float *moving_mean = &r->w[g->mean][channel], *moving_variance = &r->w[g->variance][channel];
    if (r->node->x_shape[0].rank == 3 && work->rows > 1) variance *= rows / (rows - 1.0);
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

static void batchnorm_forward(const fvi_run *r)
{
    const batchnorm_geometry *g = r->node->geometry;
    batchnorm_work work = batchnorm_begin(r);
    if (work.rows == 0) return;
    if (r->training) {
        batchnorm_each(&work, true, batchnorm_sums_task);
    } else {
        batchnorm_affine(r->node, r->w, work.scale, work.offset);
    }
    double N = (double)work.rows;
    for (int i = 0; i < g->C && r->training; i++) {
        double shifted = work.sums[i] / N, mean = (double)r->x[0][i] + shifted;
        double variance = fmax(work.sums[g->C + i] / N - shifted * shifted, 0.0);
        batchnorm_move(&work, i, mean, variance);
        work.mean[i] = (float)mean;
        work.inv[i] = (float)batchnorm_inverse(r, variance);
        batchnorm_scale(r, i, mean, variance, work.scale, work.offset);
    }
    batchnorm_each(&work, false, batchnorm_affine_task);
}

/* dx = gamma * inv * (dy - sum(dy)/N - xhat * sum(dy * xhat)/N), xhat = (x - mean) * inv: linear in
   dy and x, channel by channel (Ioffe, Szegedy 2015, section 3, collected). */
static void batchnorm_backward(const fvi_run *r)
{
    const batchnorm_geometry *g = r->node->geometry;
    batchnorm_work work = batchnorm_begin(r);
    batchnorm_each(&work, true, batchnorm_gradient_sums_task);
    double N = fmax((double)work.rows, 1.0);
    for (int i = 0; i < g->C; i++) {
        double dbeta = work.sums[i], dgamma = work.sums[g->C + i];
        double mean = (double)work.mean[i], inv = (double)work.inv[i];
        if (g->gamma >= 0) r->dw[g->gamma][i] = (float)dgamma;
        if (g->beta >= 0) r->dw[g->beta][i] = (float)dbeta;
        double a = batchnorm_weight(r, g->gamma, i, 1.0) * inv;
        double b = -a * inv * dgamma / N;
        work.a[i] = (float)a;
        work.b[i] = (float)b;
        work.c[i] = (float)(-a * dbeta / N - b * mean);
    }
    if (r->dx[0]) batchnorm_each(&work, false, batchnorm_gradient_task);
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
    .affine = batchnorm_affine,
};
