/* SPDX-License-Identifier: MIT */
/* The layers: one config struct and one builder each, with Keras's words and defaults. */
#ifndef FOVEA_LAYERS_H
#define FOVEA_LAYERS_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fv_model fv_model;

/**
 * In place of an input's id: the layer added last. A model whose every layer stands on FV_LAST is
 * what Keras calls Sequential; ids kept in variables make it Functional. Both are the same model.
 */
#define FV_LAST (-100)

typedef enum fv_activation_kind {
    FV_LINEAR = 0,
    FV_RELU,
    FV_SIGMOID,
    FV_TANH,
    FV_SOFTMAX /* over the last axis */
} fv_activation_kind;

/** Padding of a sliding window. SAME is TensorFlow's: out = ceil(in / stride), an odd pixel goes
    after. */
typedef enum fv_padding {
    FV_VALID = 0,
    FV_SAME,
    FV_EXPLICIT /* .pads = {top, bottom, left, right} */
} fv_padding;

typedef enum fv_initializer {
    FV_INITIALIZER_DEFAULT = 0, /* kernels: Glorot uniform; biases: zeros */
    FV_GLOROT_UNIFORM, /* U(-l, l), l = sqrt(6 / (fan_in + fan_out)); Glorot, Bengio 2010 */
    FV_GLOROT_NORMAL,  /* truncated normal, variance 2 / (fan_in + fan_out) */
    FV_HE_UNIFORM,     /* U(-l, l), l = sqrt(6 / fan_in); He et al. 2015 */
    FV_HE_NORMAL,      /* truncated normal, variance 2 / fan_in */
    FV_ZEROS,
    FV_ONES
} fv_initializer;

/* Every config begins with `name`: NULL gives Keras's automatic one ("conv2d", "conv2d_1", ...).
   Names are unique in a model. In a config all zero is the default; a pair of which the second is 0
   means "both the first". */

typedef struct fv_layer_config {
    const char *name;
} fv_layer_config;

/** shape: of one image, H, W, C, or one number for a flat vector; unused entries 0. */
typedef struct fv_input_config {
    const char *name;
    int shape[4];
} fv_input_config;

typedef struct fv_conv2d_config {
    const char *name;
    int filters;          /* >= 1 */
    int kernel_size[2];   /* height, width, >= 1 */
    int strides[2];       /* default 1 */
    fv_padding padding;   /* default valid */
    int pads[4];          /* with FV_EXPLICIT */
    int dilation_rate[2]; /* default 1 */
    int groups;           /* default 1; divides the input's channels and the filters */
    fv_activation_kind activation;
    bool without_bias;
    fv_initializer kernel_initializer, bias_initializer;
} fv_conv2d_config;

/** Every channel by itself: output channel c * depth_multiplier + m is the m-th of input channel c. */
typedef struct fv_depthwise_conv2d_config {
    const char *name;
    int kernel_size[2];   /* height, width, >= 1 */
    int strides[2];       /* default 1 */
    fv_padding padding;   /* default valid */
    int pads[4];          /* with FV_EXPLICIT */
    int depth_multiplier; /* default 1 */
    int dilation_rate[2]; /* default 1 */
    fv_activation_kind activation;
    bool without_bias;
    fv_initializer depthwise_initializer, bias_initializer;
} fv_depthwise_conv2d_config;

/** A depthwise convolution, then one of 1x1 that mixes its channels; bias and activation after
    both. */
typedef struct fv_separable_conv2d_config {
    const char *name;
    int filters;        /* >= 1 */
    int kernel_size[2]; /* height, width, >= 1: these, strides, padding and dilation_rate are the */
    int strides[2];     /* depthwise convolution's; default 1 */
    fv_padding padding; /* default valid */
    int pads[4];        /* with FV_EXPLICIT */
    int dilation_rate[2]; /* default 1 */
    int depth_multiplier; /* default 1 */
    fv_activation_kind activation;
    bool without_bias;
    fv_initializer depthwise_initializer, pointwise_initializer, bias_initializer;
} fv_separable_conv2d_config;

/** For MaxPooling2D and AveragePooling2D. Padding never wins a maximum nor counts in an average. */
typedef struct fv_pool2d_config {
    const char *name;
    int pool_size[2]; /* default 2 */
    int strides[2];   /* default: pool_size */
    fv_padding padding;
    int pads[4];
} fv_pool2d_config;

typedef struct fv_zero_padding2d_config {
    const char *name;
    int padding[4];       /* top, bottom, left, right; all zero: 1 on every side, as Keras */
    bool without_padding; /* for a padding of 0 */
} fv_zero_padding2d_config;

typedef struct fv_dense_config {
    const char *name;
    int units; /* >= 1 */
    fv_activation_kind activation;
    bool without_bias;
    fv_initializer kernel_initializer, bias_initializer;
} fv_dense_config;

typedef struct fv_activation_config {
    const char *name;
    fv_activation_kind activation;
} fv_activation_config;

/** max_value if x >= max_value; x if threshold <= x; negative_slope * (x - threshold) below.
    max_value 0: none. */
typedef struct fv_relu_config {
    const char *name;
    float max_value, negative_slope, threshold;
} fv_relu_config;

/** Over the last axis. momentum and epsilon 0 mean Keras's 0.99 and 0.001. */
typedef struct fv_batch_normalization_config {
    const char *name;
    float momentum, epsilon;
    bool without_center, without_scale;
    int axis; /* 0 means -1, the last; its number, counting the batch as axis 0, is the same */
} fv_batch_normalization_config;

typedef struct fv_dropout_config {
    const char *name;
    /* share of values set to zero in training, 0 .. 1; the rest is scaled by 1 / (1 - rate) */
    float rate;
} fv_dropout_config;

/** axis 0 means Keras's default -1, the channels; otherwise 1 .. rank, or negative, counting the
    batch as axis 0. */
typedef struct fv_concatenate_config {
    const char *name;
    int axis;
} fv_concatenate_config;

/**
 * Add a layer by its Keras class name ("Conv2D"); every builder below is this call.
 *
 *   inputs       ids of earlier layers, or FV_LAST; n_inputs of them
 *   config       the layer's config struct, copied; NULL for all defaults
 *   config_size  sizeof of that struct
 *
 * Returns the layer's id, >= 0, or minus a fv_status. Sticky: after a failure every further call
 *         returns the same and fv_model_build gives the first error, so a program may check there
 *         only.
 * Errors: ARG an unknown layer, a bad id, a value out of range, a name used twice. Shapes are
 *         checked in fv_model_build.
 */
FV_API int fv_add(fv_model *model, const char *layer, const int *inputs, int n_inputs,
                  const void *config, size_t config_size);

/** An input of images [H,W,C]. */
static inline int fv_input(fv_model *model, int h, int w, int c)
{
    fv_input_config config = {NULL, {0, 0, 0, 0}};
    config.shape[0] = h;
    config.shape[1] = w;
    config.shape[2] = c;
    return fv_add(model, "InputLayer", NULL, 0, &config, sizeof config);
}

static inline int fv_conv2d(fv_model *model, int x, const fv_conv2d_config *config)
{
    return fv_add(model, "Conv2D", &x, 1, config, sizeof *config);
}

/** [H,W,C] to [OH,OW,C * depth_multiplier]. */
static inline int fv_depthwise_conv2d(fv_model *model, int x,
                                      const fv_depthwise_conv2d_config *config)
{
    return fv_add(model, "DepthwiseConv2D", &x, 1, config, sizeof *config);
}

/** [H,W,C] to [OH,OW,filters]. */
static inline int fv_separable_conv2d(fv_model *model, int x,
                                      const fv_separable_conv2d_config *config)
{
    return fv_add(model, "SeparableConv2D", &x, 1, config, sizeof *config);
}

static inline int fv_maxpool2d(fv_model *model, int x, const fv_pool2d_config *config)
{
    return fv_add(model, "MaxPooling2D", &x, 1, config, sizeof *config);
}

static inline int fv_avgpool2d(fv_model *model, int x, const fv_pool2d_config *config)
{
    return fv_add(model, "AveragePooling2D", &x, 1, config, sizeof *config);
}

/** [H,W,C] to [C]: the mean of each channel. */
static inline int fv_global_avgpool2d(fv_model *model, int x)
{
    return fv_add(model, "GlobalAveragePooling2D", &x, 1, NULL, 0);
}

/** [H,W,C] to [C]: the maximum of each channel. */
static inline int fv_global_maxpool2d(fv_model *model, int x)
{
    return fv_add(model, "GlobalMaxPooling2D", &x, 1, NULL, 0);
}

static inline int fv_zero_padding2d(fv_model *model, int x, const fv_zero_padding2d_config *config)
{
    return fv_add(model, "ZeroPadding2D", &x, 1, config, sizeof *config);
}

static inline int fv_flatten(fv_model *model, int x)
{
    return fv_add(model, "Flatten", &x, 1, NULL, 0);
}

/** On the last axis: [..., C] to [..., units]. */
static inline int fv_dense(fv_model *model, int x, const fv_dense_config *config)
{
    return fv_add(model, "Dense", &x, 1, config, sizeof *config);
}

static inline int fv_relu(fv_model *model, int x)
{
    return fv_add(model, "ReLU", &x, 1, NULL, 0);
}

/** Any of fv_activation_kind as a layer of its own. */
static inline int fv_activation(fv_model *model, int x, fv_activation_kind kind)
{
    fv_activation_config config = {NULL, FV_LINEAR};
    config.activation = kind;
    return fv_add(model, "Activation", &x, 1, &config, sizeof config);
}

static inline int fv_sigmoid(fv_model *model, int x)
{
    return fv_activation(model, x, FV_SIGMOID);
}

static inline int fv_tanh(fv_model *model, int x)
{
    return fv_activation(model, x, FV_TANH);
}

/** Over the last axis. */
static inline int fv_softmax(fv_model *model, int x)
{
    return fv_add(model, "Softmax", &x, 1, NULL, 0);
}

static inline int fv_batch_normalization(fv_model *model, int x,
                                         const fv_batch_normalization_config *config)
{
    return fv_add(model, "BatchNormalization", &x, 1, config, sizeof *config);
}

static inline int fv_dropout(fv_model *model, int x, float rate)
{
    fv_dropout_config config = {NULL, 0};
    config.rate = rate;
    return fv_add(model, "Dropout", &x, 1, &config, sizeof config);
}

/** The sum of two layers of one shape; fv_add(model, "Add", ids, n, NULL, 0) takes more. */
static inline int fv_sum(fv_model *model, int a, int b)
{
    int inputs[2] = {0, 0};
    inputs[0] = a;
    inputs[1] = b;
    return fv_add(model, "Add", inputs, 2, NULL, 0);
}

/** Joins n layers along an axis; config NULL: along the channels. */
static inline int fv_concatenate(fv_model *model, const int *inputs, int n,
                                 const fv_concatenate_config *config)
{
    return fv_add(model, "Concatenate", inputs, n, config, sizeof *config);
}

#ifdef __cplusplus
}
#endif

#endif
