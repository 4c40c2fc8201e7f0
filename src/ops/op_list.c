/* SPDX-License-Identifier: MIT */
/* The array of all ops: the only list of ops anywhere. */
#include "ops/op.h"

#include <string.h>

extern const fvi_op fvi_op_input, fvi_op_conv2d, fvi_op_depthwise_conv2d, fvi_op_separable_conv2d,
    fvi_op_max_pooling2d, fvi_op_average_pooling2d, fvi_op_global_average_pooling2d,
    fvi_op_global_max_pooling2d, fvi_op_zero_padding2d, fvi_op_flatten, fvi_op_dense,
    fvi_op_activation, fvi_op_relu, fvi_op_softmax, fvi_op_batch_normalization, fvi_op_dropout,
    fvi_op_add, fvi_op_concatenate;

static const fvi_op *const list_ops[] = {
    &fvi_op_input,
    &fvi_op_conv2d,
    &fvi_op_depthwise_conv2d,
    &fvi_op_separable_conv2d,
    &fvi_op_max_pooling2d,
    &fvi_op_average_pooling2d,
    &fvi_op_global_average_pooling2d,
    &fvi_op_global_max_pooling2d,
    &fvi_op_zero_padding2d,
    &fvi_op_flatten,
    &fvi_op_dense,
    &fvi_op_activation,
    &fvi_op_relu,
    &fvi_op_softmax,
    &fvi_op_batch_normalization,
    &fvi_op_dropout,
    &fvi_op_add,
    &fvi_op_concatenate,
};

const fvi_op *fvi_op_at(size_t i)
{
    return i < FVI_COUNT(list_ops) ? list_ops[i] : NULL;
}

const fvi_op *fvi_op_find(const char *name)
{
    for (size_t i = 0; name && i < FVI_COUNT(list_ops); i++) {
        const fvi_op *op = list_ops[i];
        if (strcmp(op->name, name) == 0) return op;
        if (op->alias && strcmp(op->alias, name) == 0) return op;
    }
    return NULL;
}

const char *fvi_op_nearest(const char *name)
{
    const char *names[FVI_COUNT(list_ops)];
    for (size_t i = 0; i < FVI_COUNT(list_ops); i++) {
        names[i] = list_ops[i]->name;
    }
    return fv_nearest(name, names, FVI_COUNT(list_ops));
}
