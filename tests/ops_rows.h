/* SPDX-License-Identifier: MIT */
/* Twins of the other layers, and at the end the table of all: a row for every layer. */
#ifndef OPS_ROWS_H
#define OPS_ROWS_H

#include "ops_rows_conv.h"

/* ---- Activation, Softmax, ReLU ---- */

static inline void draw_activation_layer(op_case *t, case_draw *d, bool is_big)
{
    draw_any(t, d, is_big);
    t->config.activation.activation = draw_activation(d);
}

static inline void draw_softmax(op_case *t, case_draw *d, bool is_big)
{
    draw_any(t, d, is_big);
}

static inline fv_activation_kind layer_kind(const op_case *t)
{
    bool is_softmax = strcmp(t->node.op->name, "Softmax") == 0;
    return is_softmax ? FV_SOFTMAX : t->config.activation.activation;
}

static inline void judge_activation(op_case *t)
{
    memcpy(t->y.exact, t->x[0].exact, t->y.count * sizeof(double));
    judge_activate(t, layer_kind(t), t->y.exact);
}

static inline void judge_activation_back(op_case *t)
{
    memcpy(t->dx[0].exact, t->dy.exact, t->dy.count * sizeof(double));
    judge_activate_back(t, layer_kind(t), t->dx[0].exact);
}

static inline void draw_relu(op_case *t, case_draw *d, bool is_big)
{
    fv_relu_config *c = &t->config.relu;
    draw_any(t, d, is_big);
    if (draw_bool(d)) c->max_value = (float)draw_int(d, 10, 20) / 10.0f;
    if (draw_bool(d)) c->negative_slope = (float)draw_int(d, 1, 12) / 10.0f;
    if (draw_bool(d)) c->threshold = (float)draw_int(d, 1, 9) / 10.0f;
}

/* f(x) and f'(x) as Keras's documentation has them. */
static inline double judge_relu_at(const fv_relu_config *c, double x, double *slope)
{
    double max = c->max_value > 0.0f ? (double)c->max_value : INFINITY;
    *slope = x >= max ? 0.0 : x > (double)c->threshold ? 1.0 : (double)c->negative_slope;
    if (x >= max) return max;
    if (x >= (double)c->threshold) return x;
    return (double)c->negative_slope * (x - (double)c->threshold);
}

static inline void judge_relu(op_case *t)
{
    double slope;
    for (size_t i = 0; i < t->y.count; i++) {
        t->y.exact[i] = judge_relu_at(&t->config.relu, t->x[0].exact[i], &slope);
    }
}

static inline void judge_relu_back(op_case *t)
{
    double slope;
    for (size_t i = 0; i < t->y.count; i++) {
        judge_relu_at(&t->config.relu, t->x[0].exact[i], &slope);
        t->dx[0].exact[i] = slope * t->dy.exact[i];
    }
}

/* ---- BatchNormalization ---- */

static inline void draw_norm(op_case *t, case_draw *d, bool is_big)
{
    fv_batch_normalization_config *c = &t->config.norm;
    draw_image(t, d, is_big);
    if (draw_bool(d)) {
        t->x_shape[0] = (fv_shape){1, {t->x_shape[0].dim[2]}};
        t->n = is_big ? 4200 : draw_int(d, 0, 12);
    }
    c->without_center = draw_int(d, 0, 3) == 0;
    c->without_scale = draw_int(d, 0, 3) == 0;
    c->axis = draw_bool(d) ? 0 : t->x_shape[0].rank;
    if (draw_bool(d)) c->momentum = (float)draw_int(d, 1, 10) / 10.0f;
    if (draw_bool(d)) c->epsilon = (float)draw_int(d, 1, 10) / 1000.0f;
}

/* gamma, beta, moving mean, moving variance of the textbook; arrays of 1 and 0 where the layer has
   none. */
typedef struct norm_arrays {
    double *gamma, *beta, *mean, *variance;
    int place[4]; /* among the weights, or -1 */
    fv_tb_batch_norm d;
} norm_arrays;

static inline double *norm_weight(const op_case *t, int place, double otherwise)
{
    size_t C = (size_t)channels(t);
    double *v = case_room(C, sizeof *v);
    for (size_t i = 0; i < C; i++) {
        v[i] = place < 0 ? otherwise : t->w[place].exact[i];
    }
    return v;
}

static inline norm_arrays norm_begin(op_case *t)
{
    const fv_batch_normalization_config *c = &t->config.norm;
    norm_arrays a = {.place = {-1, -1, -1, -1}};
    int next = 0;
    if (!c->without_scale) a.place[0] = next++;
    if (!c->without_center) a.place[1] = next++;
    a.place[2] = next++;
    a.place[3] = next++;
    assert_int_equal(t->node.n_weights, next);
    for (int i = 0; i < channels(t); i++) { /* a variance is not negative */
        double *v = &t->w[a.place[3]].exact[i];
        *v = fabs(*v);
        t->w[a.place[3]].before[i] = fabsf(t->w[a.place[3]].before[i]);
    }
    a.gamma = norm_weight(t, a.place[0], 1.0);
    a.beta = norm_weight(t, a.place[1], 0.0);
    a.mean = norm_weight(t, a.place[2], 0.0);
    a.variance = norm_weight(t, a.place[3], 0.0);
    bool is_image = t->x_shape[0].rank == 3;
    a.d = (fv_tb_batch_norm){.n = t->n,
                             .h = is_image ? t->x_shape[0].dim[0] : 1,
                             .w = is_image ? t->x_shape[0].dim[1] : 1,
                             .c = channels(t),
                             .epsilon = (double)c->epsilon,
                             .momentum = (double)c->momentum,
                             .moving = is_image ? FV_TB_MOVING_UNBIASED : FV_TB_MOVING_BIASED};
    return a;
}

/* With one or two rows y and dx are differences of far larger numbers: at most gamma /
   sqrt(epsilon) times x or dy. */
static inline void norm_floor(op_case *t, const norm_arrays *a)
{
    double gamma = 0.0, value = 0.0;
    if (t->n * a->d.h * a->d.w > 2) return;
    for (int i = 0; i < channels(t); i++) {
        gamma = fmax(gamma, fabs(a->gamma[i]));
    }
    for (size_t i = 0; i < t->dy.count; i++) {
        value = fmax(value, fmax(fabs(t->dy.exact[i]), fabs(t->x[0].exact[i])));
    }
    t->floor = fmax(t->floor, gamma * value / sqrt(a->d.epsilon));
}

static inline void norm_end(norm_arrays *a)
{
    free(a->gamma);
    free(a->beta);
    free(a->mean);
    free(a->variance);
}

static inline void judge_norm(op_case *t)
{
    norm_arrays a = norm_begin(t);
    norm_floor(t, &a);
    if (!t->training) {
        JUDGED(fv_tb_batch_norm_inference(t->y.exact, t->x[0].exact, a.gamma, a.beta, a.mean,
                                          a.variance, &a.d));
    } else {
        double *mean = norm_weight(t, -1, 0.0), *variance = norm_weight(t, -1, 0.0);
        JUDGED(fv_tb_batch_norm_forward(t->y.exact, mean, variance, t->x[0].exact, a.gamma, a.beta,
                                        &a.d));
        JUDGED(fv_tb_batch_norm_moving(a.mean, a.variance, mean, variance, &a.d));
        size_t bytes = (size_t)channels(t) * sizeof(double);
        memcpy(t->dw[a.place[2]].exact, a.mean, bytes);
        memcpy(t->dw[a.place[3]].exact, a.variance, bytes);
        free(mean);
        free(variance);
    }
    norm_end(&a);
}

static inline void judge_norm_back(op_case *t)
{
    norm_arrays a = norm_begin(t);
    JUDGED(fv_tb_batch_norm_backward(t->dx[0].exact,
                                     a.place[0] < 0 ? NULL : t->dw[a.place[0]].exact,
                                     a.place[1] < 0 ? NULL : t->dw[a.place[1]].exact, t->dy.exact,
                                     t->x[0].exact, a.gamma, &a.d));
    norm_end(&a);
}

/* ---- Dropout ---- */

static inline void draw_dropout(op_case *t, case_draw *d, bool is_big)
{
    draw_any(t, d, is_big);
    t->config.dropout.rate = (float)draw_int(d, 0, 10) / 10.0f;
}

/* One 32-bit word for each value of the batch, four to a position of the stream. */
static inline double judge_dropout_at(const op_case *t, size_t i)
{
    uint32_t word[4], stream = t->step + (uint32_t)t->node_id * UINT32_C(0x9E3779B9);
    double rate = (double)t->config.dropout.rate;
    fvi_rng_words(word, t->seed, FVI_RNG_DROPOUT, stream, i / 4);
    if (!t->training) return 1.0;
    return (double)word[i % 4] / 0x1p32 >= rate ? 1.0 / (1.0 - rate) : 0.0;
}

static inline void judge_dropout(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        t->y.exact[i] = t->x[0].exact[i] * judge_dropout_at(t, i);
    }
}

static inline void judge_dropout_back(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        t->dx[0].exact[i] = t->dy.exact[i] * judge_dropout_at(t, i);
    }
}

/* ---- ZeroPadding2D ---- */

static inline void draw_padding(op_case *t, case_draw *d, bool is_big)
{
    draw_image(t, d, is_big);
    for (int i = 0; i < 4; i++) {
        t->config.padding.padding[i] = draw_int(d, 0, 3);
    }
}

/* Where value i of the padded batch comes from; -1: from the border. */
static inline ptrdiff_t padding_source(const op_case *t, size_t i)
{
    const int *x = t->x_shape[0].dim, *y = t->node.y_shape.dim, *p = t->config.padding.padding;
    ptrdiff_t at = (ptrdiff_t)i, c = at % y[2], w = at / y[2] % y[1] - p[2];
    ptrdiff_t h = at / y[2] / y[1] % y[0] - p[0], n = at / y[2] / y[1] / y[0];
    if (h < 0 || h >= x[0] || w < 0 || w >= x[1]) return -1;
    return ((n * x[0] + h) * x[1] + w) * x[2] + c;
}

static inline void judge_padding(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        ptrdiff_t from = padding_source(t, i);
        t->y.exact[i] = from < 0 ? 0.0 : t->x[0].exact[from];
    }
}

static inline void judge_padding_back(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        ptrdiff_t from = padding_source(t, i);
        if (from >= 0) t->dx[0].exact[from] = t->dy.exact[i];
    }
}

/* ---- Add, Concatenate ---- */

static inline void draw_add(op_case *t, case_draw *d, bool is_big)
{
    draw_any(t, d, is_big);
    t->x_shape[1] = t->x_shape[2] = t->x_shape[0];
}

static inline void judge_add(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        t->y.exact[i] = t->x[0].exact[i] + t->x[1].exact[i] + t->x[2].exact[i];
    }
}

static inline void judge_add_back(op_case *t)
{
    for (int k = 0; k < CASE_INPUTS; k++) {
        memcpy(t->dx[k].exact, t->dy.exact, t->dy.count * sizeof(double));
    }
}

static inline void draw_concatenate(op_case *t, case_draw *d, bool is_big)
{
    draw_add(t, d, is_big);
    int rank = t->x_shape[0].rank, axis = draw_int(d, 1, rank);
    for (int k = 0; k < CASE_INPUTS; k++) {
        t->x_shape[k].dim[axis - 1] = draw_int(d, 1, 6);
    }
    t->config.concatenate.axis = draw_bool(d) ? axis : axis - rank - 1;
    if (axis == rank && draw_bool(d)) t->config.concatenate.axis = 0;
}

/* The place in input *k that value i of the output comes from. */
static inline size_t concatenate_source(const op_case *t, size_t i, int *k)
{
    int rank = t->node.y_shape.rank, axis = t->config.concatenate.axis;
    const int *y = t->node.y_shape.dim;
    axis = axis > 0 ? axis - 1 : axis + rank;
    size_t inner = 1;
    for (int a = axis + 1; a < rank; a++) {
        inner *= (size_t)y[a];
    }
    size_t along = i / inner % (size_t)y[axis], outer = i / inner / (size_t)y[axis];
    for (*k = 0; along >= (size_t)t->x_shape[*k].dim[axis]; ++*k) {
        along -= (size_t)t->x_shape[*k].dim[axis];
    }
    return (outer * (size_t)t->x_shape[*k].dim[axis] + along) * inner + i % inner;
}

static inline void judge_concatenate(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        int k;
        size_t from = concatenate_source(t, i, &k);
        t->y.exact[i] = t->x[k].exact[from];
    }
}

static inline void judge_concatenate_back(op_case *t)
{
    for (size_t i = 0; i < t->y.count; i++) {
        int k;
        size_t from = concatenate_source(t, i, &k);
        t->dx[k].exact[from] = t->dy.exact[i];
    }
}

/* ---- the table ---- */

static const op_row rows[] = {
    {"Conv2D", draw_conv2d, judge_conv2d, judge_conv2d_back, 1},
    {"Dense", draw_dense, judge_dense, judge_dense_back, 1},
    {"MaxPooling2D", draw_pool2d, judge_pool2d, judge_pool2d_back, 1},
    {"AveragePooling2D", draw_pool2d, judge_pool2d, judge_pool2d_back, 1},
    {"GlobalMaxPooling2D", draw_global, judge_pool2d, judge_pool2d_back, 1},
    {"GlobalAveragePooling2D", draw_global, judge_pool2d, judge_pool2d_back, 1},
    {"Activation", draw_activation_layer, judge_activation, judge_activation_back, 1},
    {"Softmax", draw_softmax, judge_activation, judge_activation_back, 1},
    {"ReLU", draw_relu, judge_relu, judge_relu_back, 1},
    {"BatchNormalization", draw_norm, judge_norm, judge_norm_back, 1},
    {"Dropout", draw_dropout, judge_dropout, judge_dropout_back, 1},
    {"ZeroPadding2D", draw_padding, judge_padding, judge_padding_back, 1},
    {"Add", draw_add, judge_add, judge_add_back, 3},
    {"Concatenate", draw_concatenate, judge_concatenate, judge_concatenate_back, 3},
    {"DepthwiseConv2D", draw_depthwise, judge_depthwise, judge_depthwise_back, 1},
    {"SeparableConv2D", draw_separable, judge_separable, judge_separable_back, 1},
};

#endif
