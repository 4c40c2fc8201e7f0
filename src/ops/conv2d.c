/* SPDX-License-Identifier: MIT */
/* Conv2D: y = activation(conv(x, kernel) + bias); images [H,W,C] to [OH,OW,filters]. */
#include "ops/conv_fields.h"

enum { CONV2D_KERNEL, CONV2D_BIAS };

fv_status fvi_conv_fit(fvi_conv *g, const fvi_slide *slide, const fv_shape *x, int F, int groups)
{
    fvi_window window[2];
    size_t count = 0;
    FVI_TRY(fvi_slide_fit(window, slide, x));
    *g = (fvi_conv){.H = x->dim[0],
                    .W = x->dim[1],
                    .C = x->dim[2],
                    .F = F,
                    .KH = slide->size[0],
                    .KW = slide->size[1],
                    .SH = slide->strides[0],
                    .SW = slide->strides[1],
                    .DH = slide->dilation[0],
                    .DW = slide->dilation[1],
                    .pad_top = window[0].before,
                    .pad_left = window[1].before,
                    .OH = window[0].out,
                    .OW = window[1].out,
                    .groups = groups};
    return fvi_shape_count(&count, &(fv_shape){3, {g->OH, g->OW, F}});
}

static fv_status conv2d_infer(fvi_node *n, const fvi_setup *setup)
{
    const fv_conv2d_config *c = n->config;
    const fv_shape *x = &n->x_shape[0];
    FVI_TRY(fvi_node_begin(n, sizeof(fvi_conv)));
    FVI_TRY(fvi_node_rank(n, 0, 3));
    const int C = x->dim[2], F = c->filters, groups = c->groups, own = C / groups;
    if (C % groups != 0 || F % groups != 0)
        return fvi_fail(FV_E_SHAPE,
                        "groups %d: expected a number that divides the %d channels of the input "
                        "and the %d filters",
                        groups, C, F);
    const fvi_slide slide = {.what = "kernel",
                             .size = c->kernel_size,
                             .strides = c->strides,
                             .dilation = c->dilation_rate,
                             .padding = c->padding,
                             .pads = c->pads};
    fvi_conv *g = n->geometry;
    FVI_TRY(fvi_conv_fit(g, &slide, x, F, groups));
    n->y_shape = (fv_shape){3, {g->OH, g->OW, F}};
    /* Fans as Keras counts them, from the kernel's shape: every tap, the channels of one group. */
    const double taps = (double)g->KH * (double)g->KW;
    FVI_TRY(fvi_node_weight(n, "kernel", (fv_shape){4, {g->KH, g->KW, own, F}},
                            c->kernel_initializer, taps * own, taps * F, false));
    if (!c->without_bias) {
        FVI_TRY(fvi_node_weight(n, "bias", (fv_shape){1, {F}}, c->bias_initializer, F, F, false));
    }
    return fvi_conv_scratch(&n->scratch_floats, setup->kernels, g, setup->max_batch);
}

static size_t conv2d_rows(const fvi_run *r)
{
    const fvi_conv *g = r->node->geometry;
    return (size_t)r->n * (size_t)g->OH * (size_t)g->OW;
}

static void conv2d_forward(const fvi_run *r)
{
    const fv_conv2d_config *c = r->node->config;
    const fvi_conv *g = r->node->geometry;
    if (r->n == 0) return;
    const bool is_clipped = r->clips || c->activation == FV_RELU;
    const float *bias = r->bias ? r->bias : c->without_bias ? NULL : r->w[CONV2D_BIAS];
    if (r->pooled) {
        fvi_conv_pool_forward(r->k, r->threads, g, r->n, r->y, r->pooled, r->x[0],
                              r->w[CONV2D_KERNEL], bias, is_clipped);
        return;
    }
    const fvi_conv_end end = {
        .bias = bias, .residual = r->residual, .is_clipped = is_clipped, .most = r->most};
    fvi_conv_forward(r->k, r->threads, g, r->n, r->y, r->x[0], r->w[CONV2D_KERNEL], &end,
                     r->scratch);
    if (!r->logits && !is_clipped) fvi_activate(r, c->activation, r->y, conv2d_rows(r), g->F);
}

static void conv2d_backward(const fvi_run *r)
{
    const fv_conv2d_config *c = r->node->config;
    const fvi_conv *g = r->node->geometry;
    if (r->pooled) {
        fvi_conv_sparse_gradient(r->k, r->threads, g, r->n, r->dw[CONV2D_KERNEL],
                                 c->without_bias ? NULL : r->dw[CONV2D_BIAS], r->x[0], r->pooled,
                                 r->scratch);
        return;
    }
    const bool is_first = r->first_row == 0;
    if (is_first && !r->logits && !r->is_masked)
        fvi_activate_gradient(r, r->clips ? FV_RELU : c->activation, r->dy, r->y, conv2d_rows(r),
                              g->F);
    if (is_first && r->dx[0])
        fvi_conv_input_gradient(r->k, r->threads, g, r->n, r->dx[0], r->dy, r->w[CONV2D_KERNEL],
                                r->adds[0], r->masks ? r->x[0] : NULL, r->scratch);
    fvi_conv_weight_rows(r->k, r->threads, g, r->n, r->first_row, r->rows, r->dw[CONV2D_KERNEL],
                         is_first && !c->without_bias ? r->dw[CONV2D_BIAS] : NULL, r->x[0], r->dy,
                         r->scratch);
}

static size_t conv2d_piece(const fvi_node *n, size_t first)
{
    return fvi_conv_piece(n->geometry, first);
}

static bool conv2d_is_clipped(const fvi_node *n)
{
    const fv_conv2d_config *c = n->config;
    return c->activation == FV_RELU;
}

static bool conv2d_is_linear(const fvi_node *n)
{
    const fv_conv2d_config *c = n->config;
    return c->activation == FV_LINEAR;
}

static bool conv2d_can_add(const fvi_node *n, const fvi_kernels *k)
{
    return fvi_conv_adds(k, n->geometry);
}

static bool conv2d_can_limit(const fvi_node *n, const fvi_kernels *k)
{
    return fvi_conv_limits(k, n->geometry);
}

static bool conv2d_can_pool(const fvi_node *n, const fvi_pool *p)
{
    return fvi_conv_sparse_pays(n->geometry, p) && (conv2d_is_linear(n) || conv2d_is_clipped(n));
}

static bool conv2d_takes_pool(const fvi_node *n, const fvi_kernels *k, const fvi_pool *p)
{
    return fvi_conv_takes_pool(k, n->geometry, p) && (conv2d_is_linear(n) || conv2d_is_clipped(n));
}

static fv_activation_kind conv2d_head(const fvi_node *n)
{
    const fv_conv2d_config *c = n->config;
    bool is_head = c->activation == FV_SIGMOID || c->activation == FV_SOFTMAX;
    return is_head ? c->activation : FV_LINEAR;
}

static const fvi_field conv2d_fields[] = {
    FVI_CONV_FILTERS(fv_conv2d_config),
    FVI_CONV_WINDOW(fv_conv2d_config),
    FVI_CONV_DATA_FORMAT,
    FVI_CONV_ONE(fv_conv2d_config, PAIR, dilation_rate),
    FVI_CONV_ONE(fv_conv2d_config, INT, groups),
    FVI_CONV_END(fv_conv2d_config),
    FVI_CONV_INITIALIZER(fv_conv2d_config, kernel_initializer, FV_GLOROT_UNIFORM),
    FVI_CONV_INITIALIZER(fv_conv2d_config, bias_initializer, FV_ZEROS),
    FVI_CONV_IGNORED(kernel_regularizer),
    FVI_CONV_IGNORED(bias_regularizer),
    FVI_CONV_IGNORED(activity_regularizer),
    FVI_CONV_IGNORED(kernel_constraint),
    FVI_CONV_IGNORED(bias_constraint),
};

const fvi_op fvi_op_conv2d = {
    .name = "Conv2D",
    .alias = "Convolution2D",
    .config_size = sizeof(fv_conv2d_config),
    .fields = conv2d_fields,
    .n_fields = FVI_COUNT(conv2d_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = conv2d_infer,
    .forward = conv2d_forward,
    .backward = conv2d_backward,
    .piece = conv2d_piece,
    .is_clipped = conv2d_is_clipped,
    .is_linear = conv2d_is_linear,
    .can_mask = true,
    .can_clip = true,
    .can_limit = conv2d_can_limit,
    .can_add = conv2d_can_add,
    .can_fold = true,
    .can_pool = conv2d_can_pool,
    .takes_pool = conv2d_takes_pool,
    .drops_y = true,
    .head = conv2d_head,
};
