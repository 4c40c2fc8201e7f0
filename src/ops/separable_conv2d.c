/* SPDX-License-Identifier: MIT */
/* SeparableConv2D: z = conv(x, depthwise_kernel), every channel by itself, then
   y = activation(z pointwise_kernel + bias); images [H,W,C] to [OH,OW,C*M] to [OH,OW,filters]. */
#include "ops/conv_fields.h"

enum { SEPARABLE_DEPTHWISE, SEPARABLE_POINTWISE, SEPARABLE_BIAS };

typedef struct separable_geometry {
    fvi_conv depthwise, pointwise;
    size_t z_floats; /* of the largest batch: these stand first in the scratch */
} separable_geometry;

static fv_status separable_weights(fvi_node *n)
{
    const fv_separable_conv2d_config *c = n->config;
    const separable_geometry *g = n->geometry;
    const fvi_conv *d = &g->depthwise;
    const int F = c->filters;
    /* Fans as Keras counts them, from the kernels' shapes. */
    const double taps = (double)d->KH * (double)d->KW;
    FVI_TRY(fvi_node_weight(
        n, "depthwise_kernel", (fv_shape){4, {d->KH, d->KW, d->C, c->depth_multiplier}},
        c->depthwise_initializer, taps * d->C, taps * c->depth_multiplier, false));
    FVI_TRY(fvi_node_weight(n, "pointwise_kernel", (fv_shape){4, {1, 1, d->F, F}},
                            c->pointwise_initializer, d->F, F, false));
    if (c->without_bias) return FV_OK;
    return fvi_node_weight(n, "bias", (fv_shape){1, {F}}, c->bias_initializer, F, F, false);
}

/* What a batch takes: z, kept for backward in training, and what each of the convolutions needs. */
static fv_status separable_memory(fvi_node *n, const fvi_setup *setup)
{
    separable_geometry *g = n->geometry;
    size_t z, floats, bytes;
    FVI_TRY(
        fvi_shape_count(&z, &(fv_shape){3, {g->depthwise.OH, g->depthwise.OW, g->depthwise.F}}));
    FVI_TRY(fvi_conv_scratch(&n->scratch_floats, setup->kernels, &g->depthwise, setup->max_batch));
    FVI_TRY(fvi_conv_scratch(&floats, setup->kernels, &g->pointwise, setup->max_batch));
    if (floats > n->scratch_floats) n->scratch_floats = floats;
    if (!fvi_mul(&g->z_floats, z, (size_t)setup->max_batch) ||
        !fvi_sum(&n->scratch_floats, n->scratch_floats, g->z_floats) ||
        !fvi_mul(&bytes, z, sizeof(float)))
        return fvi_fail(FV_E_SHAPE,
                        "%d images of %dx%dx%d between the two convolutions are too many",
                        setup->max_batch, g->depthwise.OH, g->depthwise.OW, g->depthwise.F);
    n->state_per_image = bytes;
    return FV_OK;
}

static fv_status separable_infer(fvi_node *n, const fvi_setup *setup)
{
    const fv_separable_conv2d_config *c = n->config;
    const fv_shape *x = &n->x_shape[0];
    static const int one[2] = {1, 1};
    const fvi_slide slide = {.what = "kernel",
                             .size = c->kernel_size,
                             .strides = c->strides,
                             .dilation = c->dilation_rate,
                             .padding = c->padding,
                             .pads = c->pads};
    const fvi_slide point = {.what = "kernel", .size = one, .strides = one, .dilation = one};
    int channels = 0;
    FVI_TRY(fvi_node_begin(n, sizeof(separable_geometry)));
    FVI_TRY(fvi_node_rank(n, 0, 3));
    FVI_TRY(fvi_depthwise_channels(&channels, x, c->depth_multiplier));
    separable_geometry *g = n->geometry;
    FVI_TRY(fvi_conv_fit(&g->depthwise, &slide, x, channels, x->dim[2]));
    const fv_shape z = {3, {g->depthwise.OH, g->depthwise.OW, channels}};
    FVI_TRY(fvi_conv_fit(&g->pointwise, &point, &z, c->filters, 1));
    n->y_shape = (fv_shape){3, {z.dim[0], z.dim[1], c->filters}};
    FVI_TRY(separable_weights(n));
    return separable_memory(n, setup);
}

static size_t separable_rows(const fvi_run *r)
{
    const separable_geometry *g = r->node->geometry;
    return (size_t)r->n * (size_t)g->pointwise.OH * (size_t)g->pointwise.OW;
}

static void separable_forward(const fvi_run *r)
{
    const fv_separable_conv2d_config *c = r->node->config;
    const separable_geometry *g = r->node->geometry;
    if (r->n == 0) return;
    const bool is_clipped = r->clips || c->activation == FV_RELU;
    float *z = r->training ? r->state : r->scratch, *scratch = r->scratch + g->z_floats;
    const fvi_conv_end end = {.bias = c->without_bias ? NULL : r->w[SEPARABLE_BIAS],
                              .is_clipped = is_clipped};
    fvi_conv_forward(r->k, r->threads, &g->depthwise, r->n, z, r->x[0], r->w[SEPARABLE_DEPTHWISE],
                     &(fvi_conv_end){0}, scratch);
    fvi_conv_forward(r->k, r->threads, &g->pointwise, r->n, r->y, z, r->w[SEPARABLE_POINTWISE],
                     &end, scratch);
    if (!r->logits && !is_clipped)
        fvi_activate(r, c->activation, r->y, separable_rows(r), g->pointwise.F);
}

static void separable_backward(const fvi_run *r)
{
    const fv_separable_conv2d_config *c = r->node->config;
    const separable_geometry *g = r->node->geometry;
    const float *z = r->state;
    float *dz = r->scratch, *scratch = r->scratch + g->z_floats;
    if (!r->logits && !r->is_masked)
        fvi_activate_gradient(r, r->clips ? FV_RELU : c->activation, r->dy, r->y, separable_rows(r),
                              g->pointwise.F);
    fvi_conv_weight_gradient(r->k, r->threads, &g->pointwise, r->n, r->dw[SEPARABLE_POINTWISE],
                             c->without_bias ? NULL : r->dw[SEPARABLE_BIAS], z, r->dy, scratch);
    fvi_conv_input_gradient(r->k, r->threads, &g->pointwise, r->n, dz, r->dy,
                            r->w[SEPARABLE_POINTWISE], false, NULL, scratch);
    fvi_conv_weight_gradient(r->k, r->threads, &g->depthwise, r->n, r->dw[SEPARABLE_DEPTHWISE],
                             NULL, r->x[0], dz, scratch);
    if (r->dx[0]) {
        fvi_conv_input_gradient(r->k, r->threads, &g->depthwise, r->n, r->dx[0], dz,
                                r->w[SEPARABLE_DEPTHWISE], r->adds[0], r->masks ? r->x[0] : NULL,
                                scratch);
    }
}

static bool separable_is_clipped(const fvi_node *n)
{
    const fv_separable_conv2d_config *c = n->config;
    return c->activation == FV_RELU;
}

static bool separable_is_linear(const fvi_node *n)
{
    const fv_separable_conv2d_config *c = n->config;
    return c->activation == FV_LINEAR;
}

static fv_activation_kind separable_head(const fvi_node *n)
{
    const fv_separable_conv2d_config *c = n->config;
    const bool is_head = c->activation == FV_SIGMOID || c->activation == FV_SOFTMAX;
    return is_head ? c->activation : FV_LINEAR;
}

static const fvi_word separable_groups[] = {{"1", FVI_VALUE_INT}, {NULL, 0}};

static const fvi_field separable_fields[] = {
    FVI_CONV_FILTERS(fv_separable_conv2d_config),
    FVI_CONV_WINDOW(fv_separable_conv2d_config),
    FVI_CONV_DATA_FORMAT,
    FVI_CONV_ONE(fv_separable_conv2d_config, PAIR, dilation_rate),
    FVI_CONV_ONE(fv_separable_conv2d_config, INT, depth_multiplier),
    FVI_CONV_END(fv_separable_conv2d_config),
    FVI_CONV_INITIALIZER(fv_separable_conv2d_config, depthwise_initializer, FV_GLOROT_UNIFORM),
    FVI_CONV_INITIALIZER(fv_separable_conv2d_config, pointwise_initializer, FV_GLOROT_UNIFORM),
    FVI_CONV_INITIALIZER(fv_separable_conv2d_config, bias_initializer, FV_ZEROS),
    FVI_CONV_IGNORED(depthwise_regularizer),
    FVI_CONV_IGNORED(pointwise_regularizer),
    FVI_CONV_IGNORED(bias_regularizer),
    FVI_CONV_IGNORED(activity_regularizer),
    FVI_CONV_IGNORED(depthwise_constraint),
    FVI_CONV_IGNORED(pointwise_constraint),
    FVI_CONV_IGNORED(bias_constraint),
    /* Keras 2 writes it, as 1 */
    {.key = "groups", .kind = FVI_FIELD_IGNORED, .words = separable_groups, .extra = 1},
};

const fvi_op fvi_op_separable_conv2d = {
    .name = "SeparableConv2D",
    .alias = "SeparableConvolution2D",
    .config_size = sizeof(fv_separable_conv2d_config),
    .fields = separable_fields,
    .n_fields = FVI_COUNT(separable_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = separable_infer,
    .forward = separable_forward,
    .backward = separable_backward,
    .is_clipped = separable_is_clipped,
    .is_linear = separable_is_linear,
    .can_mask = true,
    .can_clip = true,
    .head = separable_head,
};
