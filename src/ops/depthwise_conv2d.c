/* SPDX-License-Identifier: MIT */
/* DepthwiseConv2D: y = activation(conv(x, kernel) + bias), every channel by itself; images [H,W,C] to
   [OH,OW,C*M], M being depth_multiplier. The kernel [KH,KW,C,M] lies as that of a Conv2D of C groups
   and C*M filters. */
#include "ops/conv_fields.h"

#include <limits.h>

enum { DEPTHWISE_KERNEL, DEPTHWISE_BIAS };

fv_status fvi_depthwise_channels(int *channels, const fv_shape *x, int multiplier)
{
    const int C = x->dim[2];
    if (C > INT_MAX / multiplier)
        return fvi_fail(FV_E_SHAPE, "depth_multiplier %d is too large for %d channels", multiplier,
                        C);
    *channels = C * multiplier;
    return FV_OK;
}

static fv_status depthwise_infer(fvi_node *n, const fvi_setup *setup)
{
    const fv_depthwise_conv2d_config *c = n->config;
    const fv_shape *x = &n->x_shape[0];
    const fvi_slide slide = {.what = "kernel",
                             .size = c->kernel_size,
                             .strides = c->strides,
                             .dilation = c->dilation_rate,
                             .padding = c->padding,
                             .pads = c->pads};
    int F = 0;
    FVI_TRY(fvi_node_begin(n, sizeof(fvi_conv)));
    FVI_TRY(fvi_node_rank(n, 0, 3));
    FVI_TRY(fvi_depthwise_channels(&F, x, c->depth_multiplier));
    fvi_conv *g = n->geometry;
    FVI_TRY(fvi_conv_fit(g, &slide, x, F, x->dim[2]));
    n->y_shape = (fv_shape){3, {g->OH, g->OW, F}};
    /* Fans as Keras counts them, from the kernel's shape, though a sum has the taps alone. */
    const double taps = (double)g->KH * (double)g->KW;
    FVI_TRY(fvi_node_weight(n, "kernel", (fv_shape){4, {g->KH, g->KW, g->C, c->depth_multiplier}},
                            c->depthwise_initializer, taps * g->C, taps * c->depth_multiplier,
                            false));
    if (!c->without_bias) {
        FVI_TRY(fvi_node_weight(n, "bias", (fv_shape){1, {F}}, c->bias_initializer, F, F, false));
    }
    return fvi_conv_scratch(&n->scratch_floats, setup->kernels, g, setup->max_batch);
}

static size_t depthwise_rows(const fvi_run *r)
{
    const fvi_conv *g = r->node->geometry;
    return (size_t)r->n * (size_t)g->OH * (size_t)g->OW;
}

static void depthwise_forward(const fvi_run *r)
{
    const fv_depthwise_conv2d_config *c = r->node->config;
    const fvi_conv *g = r->node->geometry;
    if (r->n == 0) return;
    const bool is_clipped = r->clips || c->activation == FV_RELU;
    const float *bias = r->bias ? r->bias : c->without_bias ? NULL : r->w[DEPTHWISE_BIAS];
    const fvi_conv_end end = {.bias = bias, .is_clipped = is_clipped, .most = r->most};
    fvi_conv_forward(r->k, r->threads, g, r->n, r->y, r->x[0], r->w[DEPTHWISE_KERNEL], &end,
                     r->scratch);
    if (!r->logits && !is_clipped) fvi_activate(r, c->activation, r->y, depthwise_rows(r), g->F);
}

static void depthwise_backward(const fvi_run *r)
{
    const fv_depthwise_conv2d_config *c = r->node->config;
    const fvi_conv *g = r->node->geometry;
    if (!r->logits && !r->is_masked)
        fvi_activate_gradient(r, r->clips ? FV_RELU : c->activation, r->dy, r->y, depthwise_rows(r),
                              g->F);
    fvi_conv_weight_gradient(r->k, r->threads, g, r->n, r->dw[DEPTHWISE_KERNEL],
                             c->without_bias ? NULL : r->dw[DEPTHWISE_BIAS], r->x[0], r->dy,
                             r->scratch);
    if (r->dx[0]) {
        fvi_conv_input_gradient(r->k, r->threads, g, r->n, r->dx[0], r->dy, r->w[DEPTHWISE_KERNEL],
                                r->adds[0], r->masks ? r->x[0] : NULL, r->scratch);
    }
}

static bool depthwise_can_limit(const fvi_node *n, const fvi_kernels *k)
{
    return fvi_conv_limits(k, n->geometry);
}

static bool depthwise_is_clipped(const fvi_node *n)
{
    const fv_depthwise_conv2d_config *c = n->config;
    return c->activation == FV_RELU;
}

static bool depthwise_is_linear(const fvi_node *n)
{
    const fv_depthwise_conv2d_config *c = n->config;
    return c->activation == FV_LINEAR;
}

static fv_activation_kind depthwise_head(const fvi_node *n)
{
    const fv_depthwise_conv2d_config *c = n->config;
    const bool is_head = c->activation == FV_SIGMOID || c->activation == FV_SOFTMAX;
    return is_head ? c->activation : FV_LINEAR;
}

static const fvi_word depthwise_groups[] = {{"1", FVI_VALUE_INT}, {NULL, 0}};

static const fvi_field depthwise_fields[] = {
    FVI_CONV_WINDOW(fv_depthwise_conv2d_config),
    FVI_CONV_ONE(fv_depthwise_conv2d_config, INT, depth_multiplier),
    FVI_CONV_DATA_FORMAT,
    FVI_CONV_ONE(fv_depthwise_conv2d_config, PAIR, dilation_rate),
    FVI_CONV_END(fv_depthwise_conv2d_config),
    FVI_CONV_INITIALIZER(fv_depthwise_conv2d_config, depthwise_initializer, FV_GLOROT_UNIFORM),
    FVI_CONV_INITIALIZER(fv_depthwise_conv2d_config, bias_initializer, FV_ZEROS),
    FVI_CONV_IGNORED(depthwise_regularizer),
    FVI_CONV_IGNORED(bias_regularizer),
    FVI_CONV_IGNORED(activity_regularizer),
    FVI_CONV_IGNORED(depthwise_constraint),
    FVI_CONV_IGNORED(bias_constraint),
    /* Keras 2 writes it, as 1 */
    {.key = "groups", .kind = FVI_FIELD_IGNORED, .words = depthwise_groups, .extra = 1},
};

const fvi_op fvi_op_depthwise_conv2d = {
    .name = "DepthwiseConv2D",
    .config_size = sizeof(fv_depthwise_conv2d_config),
    .fields = depthwise_fields,
    .n_fields = FVI_COUNT(depthwise_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = depthwise_infer,
    .forward = depthwise_forward,
    .backward = depthwise_backward,
    .is_clipped = depthwise_is_clipped,
    .is_linear = depthwise_is_linear,
    .can_mask = true,
    .can_clip = true,
    .can_limit = depthwise_can_limit,
    .can_fold = true, /* the last two axes of the kernel are y's channels */
    .head = depthwise_head,
};
