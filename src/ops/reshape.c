/* SPDX-License-Identifier: MIT */
/* Layers that only move values: InputLayer, Flatten, ZeroPadding2D. */
#include "ops/op.h"

#include <limits.h>
#include <string.h>

/* ---- InputLayer: the batch that the caller gives ---- */

static fv_status reshape_input_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    const fv_input_config *config = n->config;
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    n->y_shape = (fv_shape){0};
    for (int d = 0; d < (int)FVI_COUNT(config->shape) && config->shape[d] != 0; d++) {
        n->y_shape.dim[n->y_shape.rank++] = config->shape[d];
    }
    return fvi_shape_count(&count, &n->y_shape);
}

/* ---- Flatten: [H,W,C] to [H*W*C], in the order of memory, which is Keras's ---- */

static fv_status reshape_flatten_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    FVI_TRY(fvi_shape_count(&count, &n->x_shape[0]));
    if (count > INT_MAX) {
        char text[FVI_SHAPE_TEXT];
        return fvi_fail(FV_E_SHAPE, "%s is %zu values; at most %d fit one axis",
                        fvi_shape_text(text, &n->x_shape[0]), count, INT_MAX);
    }
    n->y_shape = (fv_shape){1, {(int)count}};
    return FV_OK;
}

/* ---- ZeroPadding2D: [H,W,C] to [top + H + bottom, left + W + right, C] ---- */

static fv_status reshape_padding_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    const fv_zero_padding2d_config *config = n->config;
    const fv_shape *x = &n->x_shape[0];
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    FVI_TRY(fvi_node_rank(n, 0, 3));
    n->y_shape = *x;
    for (int axis = 0; axis < 2; axis++) {
        int before = config->padding[2 * axis], after = config->padding[2 * axis + 1];
        int64_t size = (int64_t)x->dim[axis] + before + after;
        if (size > INT_MAX) {
            return fvi_fail(FV_E_SHAPE, "padding %d and %d on input %d: more than %d pixels",
                            before, after, x->dim[axis], INT_MAX);
        }
        n->y_shape.dim[axis] = (int)size;
    }
    return fvi_shape_count(&count, &n->y_shape);
}

/* Floats from the start of the padded image to its row h of real pixels. */
static size_t reshape_padding_row(const fvi_node *n, int h)
{
    const fv_zero_padding2d_config *config = n->config;
    size_t W = (size_t)n->y_shape.dim[1], C = (size_t)n->y_shape.dim[2];
    return (((size_t)config->padding[0] + (size_t)h) * W + (size_t)config->padding[2]) * C;
}

static void reshape_padding_image(const fvi_run *r, int i)
{
    const fv_shape *x_shape = &r->node->x_shape[0];
    size_t row = (size_t)x_shape->dim[1] * (size_t)x_shape->dim[2];
    size_t floats = fvi_image_floats(&r->node->y_shape);
    const float *x = r->x[0] + (size_t)i * fvi_image_floats(x_shape);
    float *y = r->y + (size_t)i * floats;
    memset(y, 0, floats * sizeof *y);
    for (int h = 0; h < x_shape->dim[0]; h++) {
        memcpy(y + reshape_padding_row(r->node, h), x + (size_t)h * row, row * sizeof *y);
    }
}

static void reshape_padding_image_back(const fvi_run *r, int i)
{
    const fv_shape *x_shape = &r->node->x_shape[0];
    size_t row = (size_t)x_shape->dim[1] * (size_t)x_shape->dim[2];
    size_t at = (size_t)i * fvi_image_floats(x_shape);
    const float *dy = r->dy + (size_t)i * fvi_image_floats(&r->node->y_shape);
    for (int h = 0; h < x_shape->dim[0]; h++) {
        fvi_give(r, 0, at + (size_t)h * row, dy + reshape_padding_row(r->node, h), row);
    }
}

static void reshape_padding_forward(const fvi_run *r)
{
    fvi_each_image(r, reshape_padding_image);
}

static void reshape_padding_backward(const fvi_run *r)
{
    if (r->dx[0]) fvi_each_image(r, reshape_padding_image_back);
}

/* ---- the tables ---- */

static const fvi_word reshape_false[] = {{"False", FVI_VALUE_BOOL}, {NULL, 0}};

/* Keras writes batch_shape; people write shape. sparse, ragged and optional are not in every
   version. */
static const fvi_field reshape_input_fields[] = {
    {.key = "shape", .kind = FVI_FIELD_SHAPE, .offset = offsetof(fv_input_config, shape)},
    {.key = "batch_size", .kind = FVI_FIELD_IGNORED},
    {.key = "dtype", .kind = FVI_FIELD_IGNORED},
    {.key = "sparse", .kind = FVI_FIELD_IGNORED, .extra = 1, .words = reshape_false},
    {.key = "batch_shape",
     .kind = FVI_FIELD_SHAPE,
     .offset = offsetof(fv_input_config, shape),
     .extra = 1},
    {.key = "name", .kind = FVI_FIELD_IGNORED},
    {.key = "ragged", .kind = FVI_FIELD_IGNORED, .extra = 1, .words = reshape_false},
    {.key = "optional", .kind = FVI_FIELD_IGNORED, .extra = 1, .words = reshape_false},
};

static const fvi_field reshape_flatten_fields[] = {
    {.key = "data_format", .kind = FVI_FIELD_IGNORED, .words = fvi_channels_last},
};

static const fvi_field reshape_padding_fields[] = {
    {.key = "padding",
     .kind = FVI_FIELD_PADS,
     .offset = offsetof(fv_zero_padding2d_config, padding),
     .extra = offsetof(fv_zero_padding2d_config, without_padding),
     .standard = 1},
    {.key = "data_format", .kind = FVI_FIELD_IGNORED, .words = fvi_channels_last},
};

const fvi_op fvi_op_input = {
    .name = "InputLayer",
    .config_size = sizeof(fv_input_config),
    .fields = reshape_input_fields,
    .n_fields = FVI_COUNT(reshape_input_fields),
    .infer = reshape_input_infer,
};

const fvi_op fvi_op_flatten = {
    .name = "Flatten",
    .config_size = sizeof(fv_layer_config),
    .fields = reshape_flatten_fields,
    .n_fields = FVI_COUNT(reshape_flatten_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .is_view = true,
    .infer = reshape_flatten_infer,
};

const fvi_op fvi_op_zero_padding2d = {
    .name = "ZeroPadding2D",
    .config_size = sizeof(fv_zero_padding2d_config),
    .fields = reshape_padding_fields,
    .n_fields = FVI_COUNT(reshape_padding_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = reshape_padding_infer,
    .forward = reshape_padding_forward,
    .backward = reshape_padding_backward,
    .drops_x = true,
    .drops_y = true,
};
