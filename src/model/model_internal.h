/* SPDX-License-Identifier: MIT */
/* A model and a context from the inside: for src/model and the rooms that stand on it. */
#ifndef FVI_MODEL_INTERNAL_H
#define FVI_MODEL_INTERNAL_H

#include "fovea/model.h"
#include "formats/formats.h"
#include "ops/op.h"

#define FVI_MAX_NODES 100000
#define FVI_MAX_NAME 4096

struct fv_model {
    char *name;
    uint64_t seed;
    int threads;
    bool without_training;
    const fvi_kernels *kernels;
    fv_status status; /* sticky: the first failure of a builder */
    char *error;      /* and its text */
    fvi_node *node;
    int n_nodes, capacity;
    int input, output;  /* ids; output is -1 until a recipe or build says */
    bool is_sequential; /* every layer so far stands on the one before: shown as Sequential */
    char **class_name;
    int n_classes;
    float scale, offset;
    /* Since build: */
    bool is_built;
    int max_batch;
    float *weights;          /* one block: trainable ones first, then state */
    size_t trainable_floats; /* of the block, padding between arrays included */
    size_t weight_floats;
    fv_context *context; /* the model's own */
};

struct fv_context {
    const fv_model *model;
    fvi_threads *threads; /* owned */
    bool can_train;
    float **y, **dy; /* by node; views share */
    void **state;    /* by node */
    float *activations, *gradients, *scratch;
    float *weight_gradients; /* trainable_floats */
    unsigned char *states;
    int n;         /* images of the last forward */
    bool training; /* and whether it was one for training */
    bool logits;
    uint32_t step;
};

/* model_plan.c */
fv_status fvi_model_plan(fv_model *model); /* infer all shapes, weight offsets */
fv_status fvi_context_make(fv_context **context, const fv_model *model, int threads,
                           bool can_train);
void fvi_model_init_weights(fv_model *model); /* from the seed */
/* model_run.c: cannot fail, do not allocate; n <= max_batch */
const float *fvi_context_forward(fv_context *context, const float *x, int n, bool training,
                                 bool logits, uint32_t step);
float *fvi_context_output_gradient(
    fv_context *context); /* [n, outputs], to be written before backward */
void fvi_context_backward(fv_context *context, const float *x);
/* The activation that a loss may take over from the output layer (op->head), or FV_LINEAR. */
fv_activation_kind fvi_model_head(const fv_model *model);
/* The first value that is not finite among activations, gradients, weights: "layer conv2d, gradient of kernel"; false: all finite. */
bool fvi_context_find_nonfinite(const fv_context *context, fvi_text *where);
/* model_build.c */
int fvi_model_add_node(fv_model *model, const fvi_op *op, const int *inputs, int n_inputs,
                       void *config, const char *name);
fv_status fvi_model_fail(fv_model *model,
                         fv_status status); /* keep the present fv_error() as the sticky one */
/* model_save.c: the graph as Keras-style JSON, and back (not built) */
fv_status fvi_model_to_graph(const fv_model *model, fvi_value **graph);
fv_status fvi_model_from_graph(fv_model **model, const fvi_value *graph,
                               const fv_model_config *config);

/* Generated from recipes/ by the build. */
typedef struct fvi_recipe_text {
    const char *name, *text;
} fvi_recipe_text;
extern const fvi_recipe_text fvi_recipe_texts[];
extern const size_t fvi_recipe_text_count;

#endif
