/* SPDX-License-Identifier: MIT */
/* Activation, ReLU and Softmax; and the activations that end other layers. */
#include "ops/op.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define ACTIVATION_FLOATS 16384 /* of one task, as near as whole rows come */

const fvi_word fvi_activation_words[] = {
    {"linear", FV_LINEAR}, {"relu", FV_RELU},       {"sigmoid", FV_SIGMOID},
    {"tanh", FV_TANH},     {"softmax", FV_SOFTMAX}, {NULL, 0},
};

static const fvi_relu activation_plain_relu = {0.0f, 0.0f, INFINITY};

/* ---- any activation, over rows * C floats ---- */

typedef struct activation_job {
    const fvi_kernels *k;
    fv_activation_kind kind;
    float *y;       /* forward: out. gradient: dy, in place */
    const float *x; /* forward: in, may be y. gradient: the forward's y */
    size_t rows, rows_per_task;
    int C;
} activation_job;

/* The part of a job that a task does: its first float and how many rows. */
static size_t activation_part(const activation_job *job, size_t task, size_t *rows)
{
    size_t first = task * job->rows_per_task, left = job->rows - first;
    *rows = left < job->rows_per_task ? left : job->rows_per_task;
    return first * (size_t)job->C;
}

static void activation_forward_task(void *context, size_t task)
{
    const activation_job *job = context;
    const fvi_kernels *k = job->k;
    size_t rows, first = activation_part(job, task, &rows), n = rows * (size_t)job->C;
    float *y = job->y + first;
    const float *x = job->x + first;
    switch (job->kind) {
    case FV_RELU:
        k->relu(n, y, x, &activation_plain_relu);
        break;
    case FV_SIGMOID:
        k->sigmoid(n, y, x);
        break;
    case FV_TANH:
        k->tanh(n, y, x);
        break;
    case FV_SOFTMAX:
        k->softmax(rows, job->C, y, x);
        break;
    case FV_LINEAR:
        memcpy(y, x, n * sizeof *y);
        break;
    }
}

static void activation_gradient_task(void *context, size_t task)
{
    const activation_job *job = context;
    const fvi_kernels *k = job->k;
    size_t rows, first = activation_part(job, task, &rows), n = rows * (size_t)job->C;
    float *dz = job->y + first;
    const float *y = job->x + first;
    switch (job->kind) {
    case FV_RELU:
        k->clip_gradient(n, dz, y);
        break;
    case FV_SIGMOID:
        k->sigmoid_gradient(n, dz, y);
        break;
    case FV_TANH:
        k->tanh_gradient(n, dz, y);
        break;
    case FV_SOFTMAX:
        k->softmax_gradient(rows, job->C, dz, y);
        break;
    case FV_LINEAR:
        break;
    }
}

static void activation_each(const fvi_run *r, activation_job job, void (*fn)(void *, size_t))
{
    if (job.rows == 0 || job.C < 1) return;
    job.k = r->k;
    job.rows_per_task = (ACTIVATION_FLOATS - 1) / (size_t)job.C + 1;
    fvi_parallel_for(r->threads, (job.rows - 1) / job.rows_per_task + 1, fn, &job);
}

void fvi_activate(const fvi_run *r, fv_activation_kind kind, float *y, size_t rows, int C)
{
    if (kind == FV_LINEAR) return;
    activation_each(r, (activation_job){.kind = kind, .y = y, .x = y, .rows = rows, .C = C},
                    activation_forward_task);
}

void fvi_activate_gradient(const fvi_run *r, fv_activation_kind kind, float *dy, const float *y,
                           size_t rows, int C)
{
    if (kind == FV_LINEAR) return;
    activation_each(r, (activation_job){.kind = kind, .y = dy, .x = y, .rows = rows, .C = C},
                    activation_gradient_task);
}

/* ---- Activation, Softmax ---- */

/* Any shape goes through unchanged; rows are all axes but the last. */
static fv_status activation_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    FVI_TRY(fvi_shape_count(&count, &n->x_shape[0]));
    if (n->x_shape[0].rank < 1) return fvi_fail(FV_E_SHAPE, "input has no axis");
    n->y_shape = n->x_shape[0];
    return FV_OK;
}

static int activation_channels(const fvi_run *r)
{
    return r->node->y_shape.dim[r->node->y_shape.rank - 1];
}

static size_t activation_rows(const fvi_run *r)
{
    int C = activation_channels(r);
    return C < 1 ? 0 : (size_t)r->n * (fvi_image_floats(&r->node->y_shape) / (size_t)C);
}

static void activation_pass(const fvi_run *r, fv_activation_kind kind)
{
    activation_each(r,
                    (activation_job){.kind = r->logits ? FV_LINEAR : kind,
                                     .y = r->y,
                                     .x = r->x[0],
                                     .rows = activation_rows(r),
                                     .C = activation_channels(r)},
                    activation_forward_task);
}

static void activation_give_piece(const fvi_run *r, size_t first, size_t count)
{
    fvi_give(r, 0, first, r->dy + first, count);
}

static void activation_pass_back(const fvi_run *r, fv_activation_kind kind)
{
    if (!r->dx[0]) return;
    size_t rows = activation_rows(r);
    int C = activation_channels(r);
    if (!r->logits && !r->is_masked) fvi_activate_gradient(r, kind, r->dy, r->y, rows, C);
    if (r->dx[0] == r->dy) return;
    fvi_each_piece(r, rows * (size_t)C, activation_give_piece);
}

static fv_activation_kind activation_kind(const fvi_node *n)
{
    const fv_activation_config *config = n->config;
    return config->activation;
}

static bool activation_is_clipped(const fvi_node *n)
{
    return activation_kind(n) == FV_RELU;
}

static bool activation_is_linear(const fvi_node *n)
{
    return activation_kind(n) == FV_LINEAR;
}

static void activation_forward(const fvi_run *r)
{
    activation_pass(r, activation_kind(r->node));
}

static void activation_backward(const fvi_run *r)
{
    activation_pass_back(r, activation_kind(r->node));
}

static fv_activation_kind activation_head(const fvi_node *n)
{
    fv_activation_kind kind = activation_kind(n);
    return kind == FV_SIGMOID || kind == FV_SOFTMAX ? kind : FV_LINEAR;
}

static void activation_softmax_forward(const fvi_run *r)
{
    activation_pass(r, FV_SOFTMAX);
}

static void activation_softmax_backward(const fvi_run *r)
{
    activation_pass_back(r, FV_SOFTMAX);
}

static fv_activation_kind activation_softmax_head(const fvi_node *n)
{
    (void)n;
    return FV_SOFTMAX;
}

/* ---- ReLU, with everything Keras can set ---- */

static fvi_relu activation_relu_of(const fvi_run *r)
{
    const fv_relu_config *config = r->node->config;
    return (fvi_relu){.slope = config->negative_slope,
                      .threshold = config->threshold,
                      .max = config->max_value > 0.0f ? config->max_value : INFINITY};
}

static void activation_relu_piece(const fvi_run *r, size_t first, size_t count)
{
    fvi_relu p = activation_relu_of(r);
    r->k->relu(count, r->y + first, r->x[0] + first, &p);
}

static void activation_relu_piece_back(const fvi_run *r, size_t first, size_t count)
{
    fvi_relu p = activation_relu_of(r);
    r->k->relu_gradient(count, r->dx[0] + first, r->dy + first, r->x[0] + first, &p, r->adds[0]);
}

static void activation_relu_forward(const fvi_run *r)
{
    fvi_each_piece(r, (size_t)r->n * fvi_image_floats(&r->node->y_shape), activation_relu_piece);
}

static void activation_relu_backward(const fvi_run *r)
{
    if (!r->dx[0] || (r->is_masked && r->dx[0] == r->dy)) return;
    fvi_each_piece(r, (size_t)r->n * fvi_image_floats(&r->node->y_shape),
                   r->is_masked ? activation_give_piece : activation_relu_piece_back);
}

/* The maximum of one that is 0 below 0; INFINITY: none. 0: it is not. */
static float activation_relu_limit(const fvi_node *n)
{
    const fv_relu_config *c = n->config;
    if (c->negative_slope != 0.0f || c->threshold != 0.0f) return 0;
    return c->max_value > 0.0f ? c->max_value : INFINITY;
}

static bool activation_relu_is_clipped(const fvi_node *n)
{
    return isinf(activation_relu_limit(n));
}

static float activation_relu_most(const fvi_node *n)
{
    const float limit = activation_relu_limit(n);
    return isinf(limit) ? 0 : limit;
}

/* ---- the tables ---- */

static const fvi_field activation_fields[] = {
    {.key = "activation",
     .kind = FVI_FIELD_WORD,
     .offset = offsetof(fv_activation_config, activation),
     .required = true,
     .words = fvi_activation_words},
};

static const fvi_word activation_last_axis[] = {{"-1", FVI_VALUE_INT}, {NULL, 0}};

static const fvi_field activation_softmax_fields[] = {
    {.key = "axis", .kind = FVI_FIELD_IGNORED, .words = activation_last_axis},
};

static const fvi_field activation_relu_fields[] = {
    {.key = "max_value",
     .kind = FVI_FIELD_FLOAT,
     .offset = offsetof(fv_relu_config, max_value),
     .standard = NAN,
     .most = FLT_MAX},
    {.key = "negative_slope",
     .kind = FVI_FIELD_FLOAT,
     .offset = offsetof(fv_relu_config, negative_slope),
     .most = FLT_MAX},
    {.key = "threshold",
     .kind = FVI_FIELD_FLOAT,
     .offset = offsetof(fv_relu_config, threshold),
     .most = FLT_MAX},
};

const fvi_op fvi_op_activation = {
    .name = "Activation",
    .config_size = sizeof(fv_activation_config),
    .fields = activation_fields,
    .n_fields = FVI_COUNT(activation_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = activation_infer,
    .forward = activation_forward,
    .backward = activation_backward,
    .drops_x = true,
    .drops_y = true,
    .is_clipped = activation_is_clipped,
    .is_linear = activation_is_linear,
    .is_in_place = true,
    .head = activation_head,
};

const fvi_op fvi_op_softmax = {
    .name = "Softmax",
    .config_size = sizeof(fv_layer_config),
    .fields = activation_softmax_fields,
    .n_fields = FVI_COUNT(activation_softmax_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = activation_infer,
    .forward = activation_softmax_forward,
    .backward = activation_softmax_backward,
    .drops_x = true,
    .head = activation_softmax_head,
};

const fvi_op fvi_op_relu = {
    .name = "ReLU",
    .config_size = sizeof(fv_relu_config),
    .fields = activation_relu_fields,
    .n_fields = FVI_COUNT(activation_relu_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = activation_infer,
    .forward = activation_relu_forward,
    .backward = activation_relu_backward,
    .drops_y = true,
    .is_clipped = activation_relu_is_clipped,
    .most = activation_relu_most,
    .is_in_place = true,
};
