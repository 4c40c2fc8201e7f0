/* SPDX-License-Identifier: MIT */
/* A model and a context from the inside: for src/model and the rooms that stand on it. */
#ifndef FVI_MODEL_INTERNAL_H
#define FVI_MODEL_INTERNAL_H

#include "fovea/model.h"
#include "formats/formats.h"
#include "ops/op.h"

#define FVI_MAX_NODES 100000
#define FVI_MAX_NAME 4000 /* with a weight's name after it, a tensor's stays below 4,096 bytes */

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
    /* open hash table of 1 + id by name, 0 for free; name_slots is a power of two */
    int *name_slot;
    size_t name_slots;
    int input, output;  /* ids; output is -1 until a recipe or build says */
    bool is_sequential; /* every layer on FV_LAST, or Sequential([...]); else Functional */
    char **class_name;
    int n_classes;
    float scale, offset;
    fv_resize resize;
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
    const float **x; /* room for the longest list of inputs: what one run is given */
    float **dx;
    bool *adds;              /* beside dx */
    bool *masks, *is_masked; /* by node: as in fvi_run */
    bool *is_begun;          /* by node, for roots: its gradient holds something already */
    int *root;               /* by node: itself, or for a view the node whose memory it shows */
    float *activations, *gradients, *scratch;
    float *weight_gradients; /* trainable_floats */
    unsigned char *states;
    int n;         /* images of the last forward; -1 before the first */
    bool training; /* and whether it was one for training */
    bool logits;
    uint32_t step;
    int statistics; /* as in fvi_run; whoever sets it sets it back to 0 */
};

/* model_plan.c */
fv_status fvi_model_plan(
    fv_model *model); /* infer all shapes, weight offsets; compare with the limit */
fv_status fvi_model_allocate(fv_model *model); /* weights, all zero, and the model's own context */
void fvi_model_init_weights(fv_model *model);  /* from the seed */
/* "3.2 MB"; writes at most 32 bytes, returns out. */
const char *fvi_model_bytes_text(char out[32], size_t bytes);
/* model_context.c */
fv_status fvi_context_bytes(size_t *bytes, const fv_model *model, bool can_train);
fv_status fvi_context_make(fv_context **context, const fv_model *model, int threads,
                           bool can_train);
/* model_run.c: cannot fail, do not allocate; n <= max_batch */
const float *fvi_context_forward(fv_context *context, const float *x, int n, bool training,
                                 bool logits, uint32_t step);
float *fvi_context_output_gradient(
    fv_context *context); /* [n, outputs], to be written before backward */
void fvi_context_backward(fv_context *context, const float *x);
/* The first value that is not finite among activations, gradients, weights: "layer conv2d, gradient
   of kernel"; false: all finite. */
bool fvi_context_find_nonfinite(const fv_context *context, fvi_text *where);
/* model_name.c */
int fvi_model_lookup(const fv_model *model, const char *name); /* the layer's id, or -1 */
/* Checks the name, or makes Keras's automatic one when it is NULL: owned by the caller; NULL after
   a failure, status in *status. */
char *fvi_model_layer_name(const fv_model *model, const fvi_op *op, const char *name,
                           fv_status *status);
fv_status fvi_model_name_room(fv_model *model); /* before one more node */
void fvi_model_name_put(fv_model *model, int id);
/* FV_E_ARG unless a name or class is well formed: not empty, at most FVI_MAX_NAME bytes of
   UTF-8. */
fv_status fvi_model_check_name(const char *what, const char *name);
/* model_build.c */
fv_status fvi_model_make(fv_model **model, const char *name,
                         const fv_model_config *config); /* fv_model_new with its status */
/* Takes ownership of config (completed), after a failure too. The id, or minus a status. */
int fvi_model_add_node(fv_model *model, const fvi_op *op, const int *inputs, int n_inputs,
                       void *config, const char *name);
/* The first half of fv_model_build: every check and shape, nothing large allocated. */
fv_status fvi_model_prepare(fv_model *model, int output, int batch);
fv_status fvi_model_fail(fv_model *model,
                         fv_status status); /* keep the present fv_error() as the sticky one */
/* model_save.c: a model from the bytes of its file; path is for messages */
fv_status fvi_model_read_bytes(fv_model **model, const unsigned char *bytes, size_t size,
                               const char *path, const fv_model_config *config);
/* model_graph.c: the graph as Keras-style JSON, and back (not built) */
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
