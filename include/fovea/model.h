/* SPDX-License-Identifier: MIT */
/* A model: an array of layers, each applied to earlier ones. Make, build, run, save, load, look at
   it. */
#ifndef FOVEA_MODEL_H
#define FOVEA_MODEL_H

#include "fovea/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What one run writes: activations, gradients, scratch. Each thread that predicts has its own; the
    model brings one. */
typedef struct fv_context fv_context;

/** All zero is the default. */
typedef struct fv_model_config {
    uint64_t seed; /* of initial weights and dropout */
    int threads;   /* 0: as many as there are processors; results do not depend on it */
    /* instruction set: "generic", and "sse2", "avx2", "avx512" on x86-64, "neon" on 64-bit ARM,
       "wasm128" on WebAssembly; NULL: the best this processor has */
    const char *isa;
    /* predict only: no memory for gradients; fv_fit and backward are FV_E_STATE */
    bool without_training;
    int batch; /* fv_model_load builds for batches of up to this many images; 0: 64 */
} fv_model_config;

/**
 * Start a model. config may be NULL; name may be NULL ("model").
 * Owner: the caller frees it with fv_model_free. NULL when out of memory or when config is out of
 *         range: see fv_error().
 */
FV_API fv_model *fv_model_new(const char *name, const fv_model_config *config);
FV_API void fv_model_free(fv_model *model);

/**
 * Check the layers, infer every shape, plan all memory, allocate what weights and prediction take
 * (a trainer and fv_model_forward allocate their own), draw the initial weights.
 *
 *   output  id of the last layer, or FV_LAST: the one added last (for a recipe: its outputs)
 *   batch   the largest batch that will run, >= 1
 *
 * Errors: the first error of any builder; SHAPE a layer does not fit its input (names both); STATE
 *         already built, or no input; MEMORY; UNSUPPORTED more than one InputLayer that output
 *         depends on. Layers that output does not depend on are an error too (ARG), since they are
 *         a slip.
 */
FV_API fv_status fv_model_build(fv_model *model, int output, int batch);

/**
 * Before build: as many outputs as there are classes to tell apart. Sets `units` of the last Dense
 * (or `filters` of the last Conv2D or SeparableConv2D), whatever activation follows it.
 * Errors: ARG; STATE the model is built; UNSUPPORTED no such layer leads to the output.
 */
FV_API fv_status fv_model_set_outputs(fv_model *model, int outputs);

/**
 * A model written as Keras-style calls, Sequential([...]) or x = Conv2D(8, 4)(x) ...
 * Model(inputs=i, outputs=x). It is read as data: nothing is executed. Not built yet, so that the
 * caller chooses the batch: fv_model_build(model, FV_LAST, batch).
 *
 *   model   out; owned by the caller
 *   text    the recipe, UTF-8; where: its name in messages, such as a path; may be NULL
 *
 * Errors: FORMAT with line, column, what was found and the nearest known word; SHAPE; MEMORY.
 *         *model is NULL then.
 */
FV_API fv_status fv_model_from_recipe(fv_model **model, const char *text, const char *where,
                                      const fv_model_config *config);

/** The text of a recipe that ships with Fovea ("lenet5"), or NULL; by number, for a list: NULL past
    the end. Static text. */
FV_API const char *fv_recipe_find(const char *name);
FV_API const char *fv_recipe_name(int i);

/** A model file, or a recipe file (told apart by content), or the name of a shipped recipe. A model
    file comes built with its weights. */
FV_API fv_status fv_model_open(fv_model **model, const char *path_or_name,
                               const fv_model_config *config);

/**
 * Predict: y [n, outputs] from x [n,H,W,C], float32, scaled as the model was trained
 * (fv_model_scaling). Any n >= 0; an image's result does not depend on the others, nor on threads.
 * Batch normalisation behind a convolution is folded into that one's weights, at each call anew:
 * against the layers one by one, as fv_model_forward runs them, that rounds differently.
 * Errors: ARG NULL; STATE not built.
 */
FV_API fv_status fv_model_predict(fv_model *model, float *y, const float *x, int n);
/** The same from 8-bit pixels, which are scaled as the model says. */
FV_API fv_status fv_model_predict_pixels(fv_model *model, float *y, const uint8_t *pixels, int n);

/**
 * A context of one's own, for a thread of one's own: many may predict on one model at a time, as
 * long as nobody trains it.
 * Owner: the caller frees it with fv_context_free, before the model. It runs on the calling thread
 *         alone.
 */
FV_API fv_status fv_context_new(fv_context **context, const fv_model *model);
FV_API void fv_context_free(fv_context *context);
FV_API fv_status fv_context_predict(fv_context *context, float *y, const float *x, int n);

/**
 * One forward pass of up to `batch` images, layer by layer, keeping what backward needs when training
 * is set. x is not copied: it must stay as it is until fv_model_backward or fv_model_activation have
 * been called. The first call allocates memory, the more when the model can be trained. y: out,
 * borrowed, [n, outputs], valid until the next call. Errors: ARG; STATE not built; MEMORY.
 */
FV_API fv_status fv_model_forward(fv_model *model, const float **y, const float *x, int n,
                                  bool training);
/** Gradients of everything, given dy [n, outputs] of the last training forward. Read them with
    fv_model_gradient. */
FV_API fv_status fv_model_backward(fv_model *model, const float *dy);

/** Write weights, graph, class names and input scaling as safetensors, aside and renamed: an old
    file stands until the new is whole. */
FV_API fv_status fv_model_save(const fv_model *model, const char *path);
/** Read what fv_model_save wrote, ready to run. Errors: IO, FORMAT, SHAPE, MEMORY; *model is NULL
    then. */
FV_API fv_status fv_model_load(fv_model **model, const char *path, const fv_model_config *config);

/** Keras's table of layers with totals, or (json) the same as one JSON object. text: out, freed by
    the caller with fv_free. */
FV_API fv_status fv_model_summary(const fv_model *model, bool json, char **text);

/** One layer as the summary shows it. Texts are borrowed from the model. */
typedef struct fv_layer_info {
    const char *name, *kind; /* "conv2d", "Conv2D" */
    fv_shape output;         /* of one image */
    size_t parameters, trainable;
    int n_inputs;
    const int *inputs; /* ids */
    int n_weights;
} fv_layer_info;

FV_API int fv_model_layers(const fv_model *model);
/** Errors: ARG no such id; STATE not built. */
FV_API fv_status fv_model_layer(const fv_model *model, int id, fv_layer_info *info);
/** The id of a layer by name, or minus FV_E_ARG. */
FV_API int fv_model_find(const fv_model *model, const char *layer);
/** View of a weight ("kernel", "bias", "gamma", ...): write into it to set it. Errors: ARG no such
    layer or weight; STATE. */
FV_API fv_status fv_model_weight(fv_model *model, const char *layer, const char *weight,
                                 fv_tensor *view);
/** View of that weight's gradient after fv_model_backward. Errors as above; ARG a weight that is
    not trainable. */
FV_API fv_status fv_model_gradient(fv_model *model, const char *layer, const char *weight,
                                   fv_tensor *view);
/** View [n, ...] of a layer's output in the last fv_model_forward. Only after one with training set
    is every layer's kept. */
FV_API fv_status fv_model_activation(fv_model *model, const char *layer, fv_tensor *view);

FV_API const char *fv_model_name(const fv_model *model);
FV_API fv_status fv_model_input_shape(const fv_model *model, fv_shape *shape);  /* of one image */
FV_API fv_status fv_model_output_shape(const fv_model *model, fv_shape *shape); /* of one image */
/** The activation that the last layer ends in, if it is sigmoid or softmax; else FV_LINEAR. A loss
    takes it over: see train.h. */
FV_API fv_activation_kind fv_model_head(const fv_model *model);
FV_API size_t fv_model_parameters(const fv_model *model,
                                  size_t *trainable); /* trainable may be NULL; 0 before build */
FV_API int fv_model_batch(const fv_model *model);     /* largest batch; 0 before build */

/** The instruction set and the number of threads the model runs with. "" and 0 for NULL. */
FV_API const char *fv_model_isa(const fv_model *model);
FV_API int fv_model_threads(const fv_model *model);
/**
 * Floating-point operations that one image takes: two for each multiply-add of convolutions and
 * dense layers, counted as if padding were pixels. What only adds, compares or looks up (biases,
 * activations, pooling, batch normalisation, the optimizer) is not counted, as is usual.
 *
 *   training  forward, the gradient of the weights, and that of the input where weights stand below
 *
 * Errors: ARG; STATE not built; MEMORY.
 */
FV_API fv_status fv_model_flops(const fv_model *model, double *flops, bool training);
/**
 * What the processor can do at this moment with the model's instruction set and threads: runs
 * multiply-adds that touch no memory for so many seconds (at most 60). gflops: out, billions of
 * operations a second, two for each multiply-add, in the fastest half millisecond. Not while the
 * model runs.
 * Errors: ARG; STATE not built.
 */
FV_API fv_status fv_model_peak(fv_model *model, double *gflops, double seconds);

/** Names of the classes, saved with the model. n 0 forgets them. Copied. */
FV_API fv_status fv_model_set_classes(fv_model *model, const char *const *names, int n);
FV_API int fv_model_classes(const fv_model *model);
FV_API const char *fv_model_class(const fv_model *model, int i); /* NULL when there is none */
/** Input scaling of 8-bit pixels, saved with the model: x = pixel * scale + offset. Default 1/255
    and 0. */
FV_API fv_status fv_model_set_scaling(fv_model *model, float scale, float offset);
FV_API void fv_model_scaling(const fv_model *model, float *scale, float *offset);
/** How pictures of other sides are brought to the model's, saved with it. Default stretch; fv_fit
    sets what the pictures it trained on had done to them. */
FV_API fv_status fv_model_set_resize(fv_model *model, fv_resize resize);
FV_API fv_resize fv_model_resize(const fv_model *model);

#ifdef __cplusplus
}
#endif

#endif
