/* SPDX-License-Identifier: MIT */
/* Twins of the layers that convolve, multiply or pool: how to draw a config, and the answer in
   double. */
#ifndef OPS_ROWS_CONV_H
#define OPS_ROWS_CONV_H

#include "ops_case.h"

#include "fovea/textbook.h"

#define JUDGED(call) assert_int_equal(call, FV_OK)

/* ---- a row of the table ---- */

typedef struct op_row {
    const char *op;
    void (*draw)(op_case *t, case_draw *d, bool is_big); /* config, shapes, n */
    /* From x[].exact, w[].exact: y.exact, and what a training run leaves in state weights (in
       dw[].exact). */
    void (*forward)(op_case *t);
    /* From dy.exact too: dx[].exact, dw[].exact of trainable weights. */
    void (*backward)(op_case *t);
    int n_inputs;
} op_row;

static inline void draw_image(op_case *t, case_draw *d, bool is_big)
{
    int H = draw_int(d, is_big ? 20 : 1, is_big ? 33 : 9);
    int W = draw_int(d, is_big ? 20 : 1, is_big ? 33 : 9);
    t->x_shape[0] = (fv_shape){3, {H, W, draw_int(d, 1, is_big ? 12 : 7)}};
    t->n = is_big ? draw_int(d, 5, 7) : draw_int(d, 0, 4);
}

/* Any rank from 1 to 3. */
static inline void draw_any(op_case *t, case_draw *d, bool is_big)
{
    draw_image(t, d, is_big);
    int rank = draw_int(d, 1, 3);
    for (int i = 0; i < rank; i++) {
        t->x_shape[0].dim[i] = t->x_shape[0].dim[i + 3 - rank];
    }
    t->x_shape[0].rank = rank;
}

static inline int channels(const op_case *t)
{
    return t->node.y_shape.dim[t->node.y_shape.rank - 1];
}

/* ---- activations of the judge, in place ---- */

static inline fv_activation_kind judged_kind(const op_case *t, fv_activation_kind kind)
{
    return t->logits ? FV_LINEAR : kind;
}

static inline void judge_activate(const op_case *t, fv_activation_kind kind, double *y)
{
    size_t n = t->y.count;
    int C = channels(t);
    switch (judged_kind(t, kind)) {
    case FV_RELU:
        JUDGED(fv_tb_relu_forward(y, y, n));
        break;
    case FV_SIGMOID:
        JUDGED(fv_tb_sigmoid_forward(y, y, n));
        break;
    case FV_TANH:
        JUDGED(fv_tb_tanh_forward(y, y, n));
        break;
    case FV_SOFTMAX:
        JUDGED(fv_tb_softmax_forward(y, y, (int)n / C, C));
        break;
    case FV_LINEAR:
        break;
    }
}

/* dy becomes dz; y is the layer's output. ReLU's y is above 0 exactly where its z is. */
static inline void judge_activate_back(const op_case *t, fv_activation_kind kind, double *dy)
{
    const double *y = t->y.exact;
    size_t n = t->y.count;
    int C = channels(t);
    switch (judged_kind(t, kind)) {
    case FV_RELU:
        JUDGED(fv_tb_relu_backward(dy, dy, y, n));
        break;
    case FV_SIGMOID:
        JUDGED(fv_tb_sigmoid_backward(dy, dy, y, n));
        break;
    case FV_TANH:
        JUDGED(fv_tb_tanh_backward(dy, dy, y, n));
        break;
    case FV_SOFTMAX:
        JUDGED(fv_tb_softmax_backward(dy, dy, y, (int)n / C, C));
        break;
    case FV_LINEAR:
        break;
    }
}

/* A copy of dy that may be changed. */
static inline double *judge_dz(const op_case *t, fv_activation_kind kind)
{
    double *dz = case_room(t->dy.count, sizeof *dz);
    memcpy(dz, t->dy.exact, t->dy.count * sizeof *dz);
    judge_activate_back(t, kind, dz);
    return dz;
}

/* Where a float sum and a double one may fall on different sides of ReLU's kink, no gradient comes
   in. */
static inline void judge_avoid_kink(op_case *t, const double *z)
{
    double largest = 0.0;
    for (size_t i = 0; i < t->y.count; i++) {
        largest = fmax(largest, fabs(z[i]));
    }
    for (size_t i = 0; !t->is_probe && i < t->y.count; i++) {
        if (fabs(z[i]) < 1e-4 * largest) t->dy.before[i] = 0.0f;
    }
    array_take(&t->dy);
}

/* ---- Conv2D ---- */

static inline fv_activation_kind draw_activation(case_draw *d)
{
    return (fv_activation_kind)draw_int(d, FV_LINEAR, FV_SOFTMAX);
}

/* The window of a layer that convolves, and where its config keeps it. */
typedef struct case_window {
    int *size, *strides, *dilation, *pads;
    fv_padding *padding;
} case_window;

static inline void draw_window(const op_case *t, case_draw *d, const case_window *w)
{
    *w->padding = (fv_padding)draw_int(d, FV_VALID, FV_EXPLICIT);
    for (int axis = 0; axis < 2; axis++) {
        int most = t->x_shape[0].dim[axis];
        w->strides[axis] = draw_int(d, 1, 4);
        for (int side = 0; *w->padding == FV_EXPLICIT && side < 2; side++) {
            most += w->pads[2 * axis + side] = draw_int(d, 0, 4);
        }
        if (*w->padding == FV_SAME) most = 5;
        w->size[axis] = draw_int(d, 1, most < 5 ? most : 5);
        int taps = w->size[axis] - 1, room = taps ? (most - 1) / taps : 3;
        w->dilation[axis] = draw_int(d, 1, room < 3 ? room : 3);
    }
}

#define CASE_WINDOW(c)                                                                             \
    {                                                                                              \
        (c)->kernel_size, (c)->strides, (c)->dilation_rate, (c)->pads, &(c)->padding               \
    }

static inline void draw_conv2d(op_case *t, case_draw *d, bool is_big)
{
    fv_conv2d_config *c = &t->config.conv2d;
    draw_image(t, d, is_big);
    c->filters = draw_int(d, 1, 9);
    c->activation = draw_activation(d);
    c->without_bias = draw_int(d, 0, 3) == 0;
    if (draw_int(d, 0, 2) == 0) { /* of one channel each, too */
        c->groups = draw_int(d, 2, 4);
        c->filters *= c->groups;
        t->x_shape[0].dim[2] = c->groups * draw_int(d, 1, 3);
    }
    const case_window w = CASE_WINDOW(c);
    draw_window(t, d, &w);
}

static inline void draw_depthwise(op_case *t, case_draw *d, bool is_big)
{
    fv_depthwise_conv2d_config *c = &t->config.depthwise;
    draw_image(t, d, is_big);
    if (draw_int(d, 0, 3) == 0) t->x_shape[0].dim[2] = draw_int(d, 15, 20);
    c->depth_multiplier = draw_int(d, 0, 3); /* 0: the default */
    c->activation = draw_activation(d);
    c->without_bias = draw_int(d, 0, 3) == 0;
    const case_window w = CASE_WINDOW(c);
    draw_window(t, d, &w);
}

static inline void draw_separable(op_case *t, case_draw *d, bool is_big)
{
    fv_separable_conv2d_config *c = &t->config.separable;
    draw_image(t, d, is_big);
    c->filters = draw_int(d, 1, 9);
    c->depth_multiplier = draw_int(d, 0, 3);
    c->activation = draw_activation(d);
    c->without_bias = draw_int(d, 0, 3) == 0;
    const case_window w = CASE_WINDOW(c);
    draw_window(t, d, &w);
}

/* TensorFlow's rule, said again: out = ceil(n / s), the odd pixel after. */
static inline void judge_same(int pads[2], int n, int k, int s, int d)
{
    int total = ((n + s - 1) / s - 1) * s + (k - 1) * d + 1 - n;
    if (total < 0) total = 0;
    pads[0] = total / 2;
    pads[1] = total - total / 2;
}

static inline fv_tb_conv2d_sizes window_sizes(const op_case *t, const case_window *w, int filters,
                                              int groups)
{
    const int *x = t->x_shape[0].dim;
    int pads[4] = {w->pads[0], w->pads[1], w->pads[2], w->pads[3]};
    for (int axis = 0; *w->padding == FV_SAME && axis < 2; axis++) {
        judge_same(pads + 2 * axis, x[axis], w->size[axis], w->strides[axis], w->dilation[axis]);
    }
    fv_tb_conv2d_sizes d = {.n = t->n,
                            .h = x[0],
                            .w = x[1],
                            .c = x[2],
                            .filters = filters,
                            .kernel_h = w->size[0],
                            .kernel_w = w->size[1],
                            .stride_h = w->strides[0],
                            .stride_w = w->strides[1],
                            .pad_top = pads[0],
                            .pad_bottom = pads[1],
                            .pad_left = pads[2],
                            .pad_right = pads[3],
                            .dilation_h = w->dilation[0],
                            .dilation_w = w->dilation[1],
                            .groups = groups};
    int out[2];
    JUDGED(fv_tb_conv2d_out_size(&out[0], &out[1], &d));
    assert_int_equal(out[0], t->node.y_shape.dim[0]);
    assert_int_equal(out[1], t->node.y_shape.dim[1]);
    return d;
}

static inline void judge_convolved(op_case *t, const fv_tb_conv2d_sizes *d,
                                   fv_activation_kind activation, bool without_bias)
{
    const double *b = without_bias ? NULL : t->w[1].exact;
    JUDGED(fv_tb_conv2d_forward(t->y.exact, t->x[0].exact, t->w[0].exact, b, d));
    if (activation == FV_RELU) judge_avoid_kink(t, t->y.exact);
    judge_activate(t, activation, t->y.exact);
}

static inline void judge_convolved_back(op_case *t, const fv_tb_conv2d_sizes *d,
                                        fv_activation_kind activation, bool without_bias)
{
    double *dz = judge_dz(t, activation);
    JUDGED(fv_tb_conv2d_backward(t->dx[0].exact, t->dw[0].exact,
                                 without_bias ? NULL : t->dw[1].exact, dz, t->x[0].exact,
                                 t->w[0].exact, d));
    free(dz);
}

static inline fv_tb_conv2d_sizes conv2d_sizes(op_case *t)
{
    fv_conv2d_config *c = &t->config.conv2d;
    const case_window w = CASE_WINDOW(c);
    return window_sizes(t, &w, c->filters, c->groups);
}

static inline void judge_conv2d(op_case *t)
{
    const fv_conv2d_config *c = &t->config.conv2d;
    const fv_tb_conv2d_sizes d = conv2d_sizes(t);
    judge_convolved(t, &d, c->activation, c->without_bias);
}

static inline void judge_conv2d_back(op_case *t)
{
    const fv_conv2d_config *c = &t->config.conv2d;
    const fv_tb_conv2d_sizes d = conv2d_sizes(t);
    judge_convolved_back(t, &d, c->activation, c->without_bias);
}

/* ---- DepthwiseConv2D, SeparableConv2D: as many groups as channels ---- */

static inline fv_tb_conv2d_sizes depthwise_sizes(op_case *t)
{
    fv_depthwise_conv2d_config *c = &t->config.depthwise;
    const case_window w = CASE_WINDOW(c);
    const int C = t->x_shape[0].dim[2];
    return window_sizes(t, &w, C * c->depth_multiplier, C);
}

static inline void judge_depthwise(op_case *t)
{
    const fv_depthwise_conv2d_config *c = &t->config.depthwise;
    const fv_tb_conv2d_sizes d = depthwise_sizes(t);
    judge_convolved(t, &d, c->activation, c->without_bias);
}

static inline void judge_depthwise_back(op_case *t)
{
    const fv_depthwise_conv2d_config *c = &t->config.depthwise;
    const fv_tb_conv2d_sizes d = depthwise_sizes(t);
    judge_convolved_back(t, &d, c->activation, c->without_bias);
}

/* The two convolutions, and what is between them. */
typedef struct case_separable {
    fv_tb_conv2d_sizes depthwise, pointwise;
    double *z, *dz;
} case_separable;

static inline case_separable separable_begin(op_case *t)
{
    fv_separable_conv2d_config *c = &t->config.separable;
    const case_window w = CASE_WINDOW(c);
    const int C = t->x_shape[0].dim[2], F = C * c->depth_multiplier;
    const int *y = t->node.y_shape.dim;
    case_separable s = {.depthwise = window_sizes(t, &w, F, C),
                        .pointwise = {.n = t->n,
                                      .h = y[0],
                                      .w = y[1],
                                      .c = F,
                                      .filters = c->filters,
                                      .kernel_h = 1,
                                      .kernel_w = 1,
                                      .stride_h = 1,
                                      .stride_w = 1}};
    const size_t count = (size_t)t->n * (size_t)y[0] * (size_t)y[1] * (size_t)F;
    s.z = case_room(count, sizeof *s.z);
    s.dz = case_room(count, sizeof *s.dz);
    JUDGED(fv_tb_conv2d_forward(s.z, t->x[0].exact, t->w[0].exact, NULL, &s.depthwise));
    return s;
}

/* The second sums may cancel what the first ones were wrong by, or may not. */
static inline void separable_floor(op_case *t, const double *between, const case_separable *s)
{
    const fv_tb_conv2d_sizes *p = &s->pointwise;
    const size_t count = (size_t)p->n * (size_t)p->h * (size_t)p->w * (size_t)p->c;
    for (size_t i = 0; i < count; i++) {
        t->floor = fmax(t->floor, fabs(between[i]));
    }
}

static inline void separable_end(case_separable *s)
{
    free(s->z);
    free(s->dz);
}

static inline void judge_separable(op_case *t)
{
    const fv_separable_conv2d_config *c = &t->config.separable;
    case_separable s = separable_begin(t);
    const double *b = c->without_bias ? NULL : t->w[2].exact;
    JUDGED(fv_tb_conv2d_forward(t->y.exact, s.z, t->w[1].exact, b, &s.pointwise));
    separable_floor(t, s.z, &s);
    separable_end(&s);
    if (c->activation == FV_RELU) judge_avoid_kink(t, t->y.exact);
    judge_activate(t, c->activation, t->y.exact);
}

static inline void judge_separable_back(op_case *t)
{
    const fv_separable_conv2d_config *c = &t->config.separable;
    case_separable s = separable_begin(t);
    double *dy = judge_dz(t, c->activation);
    JUDGED(fv_tb_conv2d_backward(s.dz, t->dw[1].exact, c->without_bias ? NULL : t->dw[2].exact, dy,
                                 s.z, t->w[1].exact, &s.pointwise));
    separable_floor(t, s.dz, &s);
    JUDGED(fv_tb_conv2d_backward(t->dx[0].exact, t->dw[0].exact, NULL, s.dz, t->x[0].exact,
                                 t->w[0].exact, &s.depthwise));
    free(dy);
    separable_end(&s);
}

/* ---- Dense ---- */

static inline void draw_dense(op_case *t, case_draw *d, bool is_big)
{
    draw_any(t, d, is_big);
    t->config.dense = (fv_dense_config){.units = draw_int(d, 1, is_big ? 40 : 17),
                                        .activation = draw_activation(d),
                                        .without_bias = draw_int(d, 0, 3) == 0};
}

static inline fv_tb_dense dense_sizes(const op_case *t)
{
    int in = t->x_shape[0].dim[t->x_shape[0].rank - 1];
    return (fv_tb_dense){(int)t->x[0].count / in, in, t->config.dense.units};
}

static inline void judge_dense(op_case *t)
{
    const fv_dense_config *c = &t->config.dense;
    fv_tb_dense d = dense_sizes(t);
    const double *b = c->without_bias ? NULL : t->w[1].exact;
    JUDGED(fv_tb_dense_forward(t->y.exact, t->x[0].exact, t->w[0].exact, b, &d));
    if (c->activation == FV_RELU) judge_avoid_kink(t, t->y.exact);
    judge_activate(t, c->activation, t->y.exact);
}

static inline void judge_dense_back(op_case *t)
{
    const fv_dense_config *c = &t->config.dense;
    fv_tb_dense d = dense_sizes(t);
    double *dz = judge_dz(t, c->activation);
    JUDGED(fv_tb_dense_backward(t->dx[0].exact, t->dw[0].exact,
                                c->without_bias ? NULL : t->dw[1].exact, dz, t->x[0].exact,
                                t->w[0].exact, &d));
    free(dz);
}

/* ---- pooling ---- */

static inline void draw_pool2d(op_case *t, case_draw *d, bool is_big)
{
    fv_pool2d_config *c = &t->config.pool2d;
    draw_image(t, d, is_big);
    c->padding = (fv_padding)draw_int(d, FV_VALID, FV_EXPLICIT);
    for (int axis = 0; axis < 2; axis++) {
        int most = c->padding == FV_SAME ? 5 : t->x_shape[0].dim[axis];
        int size = draw_int(d, 1, most < 5 ? most : 5);
        c->pool_size[axis] = size;
        c->strides[axis] = draw_int(d, 1, 4);
        for (int side = 0; c->padding == FV_EXPLICIT && side < 2; side++) {
            c->pads[2 * axis + side] = draw_int(d, 0, size - 1);
        }
    }
    if (draw_int(d, 0, 3) == 0) c->strides[0] = c->strides[1] = 0; /* as the pool */
}

static inline void draw_global(op_case *t, case_draw *d, bool is_big)
{
    draw_image(t, d, is_big);
}

static inline fv_tb_pool2d_sizes pool2d_sizes(const op_case *t)
{
    const fv_pool2d_config *c = &t->config.pool2d;
    const int *x = t->x_shape[0].dim;
    bool is_global = t->node.op->config_size == sizeof(fv_layer_config);
    bool is_max = strstr(t->node.op->name, "Max") != NULL;
    fv_tb_pool2d_sizes d = {.n = t->n,
                            .h = x[0],
                            .w = x[1],
                            .c = x[2],
                            .kernel_h = x[0],
                            .kernel_w = x[1],
                            .stride_h = 1,
                            .stride_w = 1,
                            .mode = is_max ? FV_TB_MAX : FV_TB_AVERAGE};
    if (is_global) return d;
    int pads[4] = {c->pads[0], c->pads[1], c->pads[2], c->pads[3]};
    for (int axis = 0; c->padding == FV_SAME && axis < 2; axis++) {
        judge_same(pads + 2 * axis, x[axis], c->pool_size[axis], c->strides[axis], 1);
    }
    d.kernel_h = c->pool_size[0];
    d.kernel_w = c->pool_size[1];
    d.stride_h = c->strides[0];
    d.stride_w = c->strides[1];
    d.pad_top = pads[0];
    d.pad_bottom = pads[1];
    d.pad_left = pads[2];
    d.pad_right = pads[3];
    return d;
}

static inline void judge_pool2d(op_case *t)
{
    fv_tb_pool2d_sizes d = pool2d_sizes(t);
    int out[2];
    JUDGED(fv_tb_pool2d_out_size(&out[0], &out[1], &d));
    assert_int_equal(out[0] * out[1] * d.c, fvi_image_floats(&t->node.y_shape));
    JUDGED(fv_tb_pool2d_forward(t->y.exact, t->x[0].exact, &d));
}

static inline void judge_pool2d_back(op_case *t)
{
    fv_tb_pool2d_sizes d = pool2d_sizes(t);
    JUDGED(fv_tb_pool2d_backward(t->dx[0].exact, t->dy.exact, t->x[0].exact, &d));
}

#endif
