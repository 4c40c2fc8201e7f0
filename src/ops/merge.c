/* SPDX-License-Identifier: MIT */
/* Layers with several inputs: Add, Concatenate. */
#include "ops/op.h"

#include <limits.h>
#include <string.h>

/* ---- Add: all inputs of one shape ---- */

static fv_status merge_add_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    char first[FVI_SHAPE_TEXT], other[FVI_SHAPE_TEXT];
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    for (int i = 1; i < n->n_inputs; i++) {
        if (fvi_shape_equal(&n->x_shape[0], &n->x_shape[i])) continue;
        return fvi_fail(FV_E_SHAPE, "inputs of one shape are needed, found %s and %s",
                        fvi_shape_text(first, &n->x_shape[0]),
                        fvi_shape_text(other, &n->x_shape[i]));
    }
    n->y_shape = n->x_shape[0];
    return fvi_shape_count(&count, &n->y_shape);
}

static void merge_add_piece(const fvi_run *r, size_t first, size_t count)
{
    const float *sum = r->x[0];
    const int last = r->node->n_inputs - 1;
    for (int i = 1; i <= last; i++) {
        r->k->sum(count, r->y + first, sum + first, r->x[i] + first, r->clips && i == last);
        sum = r->y;
    }
}

/* Two inputs may be one layer and then have one dx: within a piece they come one after the other.
   The first may also have dy's place. */
static void merge_add_piece_back(const fvi_run *r, size_t first, size_t count)
{
    if (r->clips && !r->is_masked) r->k->clip_gradient(count, r->dy + first, r->y + first);
    for (int i = 0; i < r->node->n_inputs; i++) {
        if (r->dx[i] && r->dx[i] != r->dy) fvi_give(r, i, first, r->dy + first, count);
    }
}

static void merge_add_forward(const fvi_run *r)
{
    fvi_each_piece(r, (size_t)r->n * fvi_image_floats(&r->node->y_shape), merge_add_piece);
}

static void merge_add_backward(const fvi_run *r)
{
    fvi_each_piece(r, (size_t)r->n * fvi_image_floats(&r->node->y_shape), merge_add_piece_back);
}

/* ---- Concatenate: y is a row of blocks, one from each input, again and again ---- */

/* The axis among those of one image, or -1. */
static int merge_axis(const fv_concatenate_config *config, int rank)
{
    int axis = config->axis < 0 ? config->axis + rank : config->axis - 1;
    return axis >= 0 && axis < rank ? axis : -1;
}

static fv_status merge_concatenate_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    const fv_concatenate_config *config = n->config;
    const fv_shape *first = &n->x_shape[0];
    char text[2][FVI_SHAPE_TEXT];
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    fvi_shape_text(text[0], first);
    int axis = merge_axis(config, first->rank);
    if (axis < 0) {
        return fvi_fail(FV_E_SHAPE, "axis %d is not among 1 to %d of inputs %s (0 is the batch)",
                        config->axis, first->rank, text[0]);
    }
    int64_t sum = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        fv_shape same = n->x_shape[i];
        sum += same.dim[axis];
        same.dim[axis] = first->dim[axis];
        if (!fvi_shape_equal(first, &same)) {
            return fvi_fail(FV_E_SHAPE, "inputs %s and %s differ in more than axis %d", text[0],
                            fvi_shape_text(text[1], &n->x_shape[i]), axis + 1);
        }
        if (sum > INT_MAX) {
            return fvi_fail(FV_E_SHAPE, "the sizes on axis %d add up to more than %d", axis + 1,
                            INT_MAX);
        }
    }
    n->y_shape = *first;
    n->y_shape.dim[axis] = (int)sum;
    return fvi_shape_count(&count, &n->y_shape);
}

/* Floats of one block: the sizes from the axis on. */
static size_t merge_block(const fv_shape *shape, int axis)
{
    size_t block = 1;
    for (int d = axis; d < shape->rank; d++) {
        block *= (size_t)shape->dim[d];
    }
    return block;
}

/* Copy the blocks of image i, or (back) add them to the gradients. */
static void merge_blocks(const fvi_run *r, int i, bool back)
{
    const fvi_node *n = r->node;
    int axis = merge_axis(n->config, n->y_shape.rank);
    size_t floats = fvi_image_floats(&n->y_shape), row = merge_block(&n->y_shape, axis);
    size_t rows = floats / row, column = 0;
    for (int input = 0; input < n->n_inputs; input++) {
        size_t block = merge_block(&n->x_shape[input], axis), x = (size_t)i * rows * block;
        size_t y = (size_t)i * floats + column;
        for (size_t j = 0; j < rows; j++, x += block, y += row) {
            if (!back) {
                memcpy(r->y + y, r->x[input] + x, block * sizeof *r->y);
            } else if (r->dx[input]) {
                fvi_give(r, input, x, r->dy + y, block);
            }
        }
        column += block;
    }
}

static void merge_concatenate_image(const fvi_run *r, int i)
{
    merge_blocks(r, i, false);
}

static void merge_concatenate_image_back(const fvi_run *r, int i)
{
    merge_blocks(r, i, true);
}

static void merge_concatenate_forward(const fvi_run *r)
{
    fvi_each_image(r, merge_concatenate_image);
}

static void merge_concatenate_backward(const fvi_run *r)
{
    fvi_each_image(r, merge_concatenate_image_back);
}

/* ---- the tables ---- */

static const fvi_field merge_concatenate_fields[] = {
    {.key = "axis",
     .kind = FVI_FIELD_AXIS,
     .offset = offsetof(fv_concatenate_config, axis),
     .standard = -1,
     .least = -FV_MAX_RANK,
     .most = FV_MAX_RANK},
};

const fvi_op fvi_op_add = {
    .name = "Add",
    .config_size = sizeof(fv_layer_config),
    .min_inputs = 2,
    .max_inputs = INT_MAX,
    .infer = merge_add_infer,
    .forward = merge_add_forward,
    .backward = merge_add_backward,
    .is_sum = true,
    .can_clip = true,
    .is_in_place = true,
    .drops_x = true,
    .drops_y = true,
};

const fvi_op fvi_op_concatenate = {
    .name = "Concatenate",
    .config_size = sizeof(fv_concatenate_config),
    .fields = merge_concatenate_fields,
    .n_fields = FVI_COUNT(merge_concatenate_fields),
    .min_inputs = 2,
    .max_inputs = INT_MAX,
    .infer = merge_concatenate_infer,
    .forward = merge_concatenate_forward,
    .backward = merge_concatenate_backward,
    .drops_x = true,
    .drops_y = true,
};
