/* SPDX-License-Identifier: MIT */
/* Dense: y = activation(x kernel + bias) on the last axis; [..., C] to [..., units]. */
#include "ops/op.h"

#include <limits.h>

enum { DENSE_KERNEL, DENSE_BIAS };

/* A convolution by one pixel: the axes before the last, taken together, are its height. */
static fv_status dense_infer(fvi_node *n, const fvi_setup *setup)
{
    const fv_dense_config *c = n->config;
    const fv_shape *x = &n->x_shape[0];
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, sizeof(fvi_conv)));
    if (x->rank < 1) return fvi_fail(FV_E_SHAPE, "input has no axis");
    FVI_TRY(fvi_node_rank(n, 0, x->rank));
    FVI_TRY(fvi_shape_count(&count, x));
    int C = x->dim[x->rank - 1], F = c->units;
    size_t rows = count / (size_t)C;
    if (rows > INT_MAX) {
        char text[FVI_SHAPE_TEXT];
        return fvi_fail(FV_E_SHAPE, "input %s has %zu rows; at most %d are supported",
                        fvi_shape_text(text, x), rows, INT_MAX);
    }
    n->y_shape = *x;
    n->y_shape.dim[x->rank - 1] = F;
    FVI_TRY(fvi_shape_count(&count, &n->y_shape));
    FVI_TRY(
        fvi_node_weight(n, "kernel", (fv_shape){2, {C, F}}, c->kernel_initializer, C, F, false));
    if (!c->without_bias) {
        FVI_TRY(fvi_node_weight(n, "bias", (fv_shape){1, {F}}, c->bias_initializer, F, F, false));
    }
    fvi_conv *g = n->geometry;
    *g = (fvi_conv){.H = (int)rows,
                    .W = 1,
                    .C = C,
                    .F = F,
                    .KH = 1,
                    .KW = 1,
                    .SH = 1,
                    .SW = 1,
                    .DH = 1,
                    .DW = 1,
                    .OH = (int)rows,
                    .OW = 1};
    return fvi_conv_scratch(&n->scratch_floats, setup->kernels, g, setup->max_batch);
}

static void dense_forward(const fvi_run *r)
{
    const fv_dense_config *c = r->node->config;
    const fvi_conv *g = r->node->geometry;
    if (r->n == 0) return;
    const bool is_clipped = r->clips || c->activation == FV_RELU;
    const float *bias = r->bias ? r->bias : c->without_bias ? NULL : r->w[DENSE_BIAS];
    const fvi_conv_end end = {
        .bias = bias, .residual = r->residual, .is_clipped = is_clipped, .most = r->most};
    fvi_conv_forward(r->k, r->threads, g, r->n, r->y, r->x[0], r->w[DENSE_KERNEL], &end,
                     r->scratch);
    if (!r->logits && !is_clipped)
        fvi_activate(r, c->activation, r->y, (size_t)r->n * (size_t)g->H, g->F);
}

static void dense_backward(const fvi_run *r)
{
    const fv_dense_config *c = r->node->config;
    const fvi_conv *g = r->node->geometry;
    const bool is_first = r->first_row == 0;
    if (is_first && !r->logits && !r->is_masked)
        fvi_activate_gradient(r, r->clips ? FV_RELU : c->activation, r->dy, r->y,
                              (size_t)r->n * (size_t)g->H, g->F);
    if (is_first && r->dx[0])
        fvi_conv_input_gradient(r->k, r->threads, g, r->n, r->dx[0], r->dy, r->w[DENSE_KERNEL],
                                r->adds[0], r->masks ? r->x[0] : NULL, r->scratch);
    fvi_conv_weight_rows(r->k, r->threads, g, r->n, r->first_row, r->rows, r->dw[DENSE_KERNEL],
                         is_first && !c->without_bias ? r->dw[DENSE_BIAS] : NULL, r->x[0], r->dy,
                         r->scratch);
}

static size_t dense_piece(const fvi_node *n, size_t first)
{
    return fvi_conv_piece(n->geometry, first);
}

static bool dense_is_clipped(const fvi_node *n)
{
    const fv_dense_config *c = n->config;
    return c->activation == FV_RELU;
}

static bool dense_is_linear(const fvi_node *n)
{
    const fv_dense_config *c = n->config;
    return c->activation == FV_LINEAR;
}

static bool dense_can_add(const fvi_node *n, const fvi_kernels *k)
{
    return fvi_conv_adds(k, n->geometry);
}

static bool dense_can_limit(const fvi_node *n, const fvi_kernels *k)
{
    return fvi_conv_limits(k, n->geometry);
}

static fv_activation_kind dense_head(const fvi_node *n)
{
    const fv_dense_config *c = n->config;
    bool is_head = c->activation == FV_SIGMOID || c->activation == FV_SOFTMAX;
    return is_head ? c->activation : FV_LINEAR;
}

#define DENSE_AT(member) offsetof(fv_dense_config, member)

static const fvi_field dense_fields[] = {
    {.key = "units",
     .kind = FVI_FIELD_INT,
     .offset = DENSE_AT(units),
     .required = true,
     .least = 1,
     .most = INT_MAX},
    {.key = "activation",
     .kind = FVI_FIELD_WORD,
     .offset = DENSE_AT(activation),
     .words = fvi_activation_words},
    {.key = "use_bias", .kind = FVI_FIELD_WITHOUT, .offset = DENSE_AT(without_bias)},
    {.key = "kernel_initializer",
     .kind = FVI_FIELD_INITIALIZER,
     .offset = DENSE_AT(kernel_initializer),
     .standard = FV_GLOROT_UNIFORM},
    {.key = "bias_initializer",
     .kind = FVI_FIELD_INITIALIZER,
     .offset = DENSE_AT(bias_initializer),
     .standard = FV_ZEROS},
    {.key = "kernel_regularizer", .kind = FVI_FIELD_IGNORED},
    {.key = "bias_regularizer", .kind = FVI_FIELD_IGNORED},
    {.key = "activity_regularizer", .kind = FVI_FIELD_IGNORED},
    {.key = "kernel_constraint", .kind = FVI_FIELD_IGNORED},
    {.key = "bias_constraint", .kind = FVI_FIELD_IGNORED},
};

const fvi_op fvi_op_dense = {
    .name = "Dense",
    .config_size = sizeof(fv_dense_config),
    .fields = dense_fields,
    .n_fields = FVI_COUNT(dense_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = dense_infer,
    .forward = dense_forward,
    .backward = dense_backward,
    .piece = dense_piece,
    .is_clipped = dense_is_clipped,
    .is_linear = dense_is_linear,
    .can_mask = true,
    .can_clip = true,
    .can_limit = dense_can_limit,
    .can_add = dense_can_add,
    .can_fold = true,
    .drops_y = true,
    .head = dense_head,
};
