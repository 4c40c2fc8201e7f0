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
    fvi_threads *pool;   /* of its contexts, which run one at a time; those of callers have none */
    fv_context *context; /* to predict */
    fv_context *look;    /* for fv_model_forward; NULL before its first call */
};

/* What a context is for. */
typedef enum fvi_use {
    /* to be looked into: every layer is run by itself. Where the model can be trained, all outputs
       and the gradients of all weights stay until the next run */
    FVI_LOOK,
    FVI_PREDICT, /* only the output counts: layers take others along, images come in chunks */
    FVI_TRAIN    /* only the gradients of the weights count: likewise */
} fvi_use;

#define FVI_NOWHERE SIZE_MAX

/* Of a large model, whose weights move layer by layer: neighbouring layers that are run on a few images at
   a time, forward, and again on the way back, when what they gave is there no more. Each has a segment of
   its own each way. */
typedef struct fvi_block {
    int first, last; /* nodes */
    size_t weight;   /* the first of its trainable weights, which follow one another */
    size_t weights;  /* and how many floats they are */
    size_t floats;   /* of an image, that a chunk needs */
    /* Where these begin, in floats of an image of the batch: the memory of its chunks; the sum of their
       gradients, which those of a chunk follow. Chunks beside the first have their own. */
    size_t at, sums;
} fvi_block;

/* Who runs and where everything goes, before there is any memory. Lists are by node; offsets of y
   and dy are in floats of one image, of states in bytes of a chunk. */
typedef struct fvi_layout {
    fvi_use use;
    bool has_gradients;
    int *home;       /* whose array holds its output: for a view its input's, for a layer that takes
                     the one behind it along that one's, else its own */
    int *norm;       /* the batch normalisation that is folded into its weights; -1: none */
    int *pool;       /* the max pooling that it takes along, or whose gradient it takes instead of
                        its own; -1: none */
    int *adds;       /* whose output it adds to its own, for a sum that it takes along; -1: none */
    float *most;     /* as in fvi_run */
    bool *is_run;    /* not the input, not a view, not taken along */
    bool *goes_back; /* backward is run */
    bool *clips, *masks, *is_masked; /* as in fvi_run; is_masked by home */
    size_t *y,
        *dy; /* by home; y of a node that takes a pooling along: what it keeps of its input */
    bool *y_crosses, *dy_crosses; /* likewise: lives longer than a segment, so it is the batch's */
    /* A step of training in chunks is cut where a layer needs the batch: all chunks are done with a
       segment before one begins the next. Such a layer is in two of them each way, in turns. */
    bool *cuts;            /* this node does */
    int *block;            /* the node's, from 1 on; 0: none */
    bool *stays;           /* by home: only its own block reads it */
    bool *again;           /* this node of a block is run again */
    fvi_block *block_list; /* by block; number 0 is nobody's */
    int blocks;
    int *segment_block; /* by segment */
    /* a node without a block that is run again right before this one's backward; -1: none */
    int *recall;
    /* where the gradients of a node's weights lie meanwhile, if they are used up as soon as they are
       there: as y and dy */
    size_t *gradients;
    int *forth, *back;  /* the segment of forward and of backward; of those that cut: the first */
    int segments, turn; /* how many; which of them ends forward, has the loss and begins backward */
    bool *is_whole;     /* run on the whole batch at once; only in a step of several segments */
    bool *runs_whole;   /* by segment: so are all that are in it */
    size_t *state, *folded;
    int most_inputs;
    bool is_chunked;             /* a batch may come in chunks */
    int chunk;                   /* most images of one run */
    double products, multiplied; /* multiplications of forward, for one image; weights in them */
    size_t floats;               /* of y and dy, for one image of a chunk */
    size_t batch_floats, batch_sums;     /* the same of the batch; doubles of a chunk's sums */
    size_t scratch, states;              /* floats, and bytes, of one run */
    size_t folded_floats, fold_channels; /* of folded weights; most channels of any */
} fvi_layout;

/* What is known of the nodes while a layout is made. */
typedef struct fvi_layout_work {
    fvi_layout *layout;
    const fv_model *model;
    int *readers; /* by home: how many read it, the caller of the output among them */
    int *writer;  /* by home: the node that is run to write it */
    bool *needed; /* by node: weights stand before it, or in it, so that it has a gradient */
    struct fvi_span *y, *dy; /* by home */
} fvi_layout_work;

/* The memory that one chunk of images is run in. */
typedef struct fvi_lane {
    fvi_threads *threads; /* that layers may use */
    float *floats;        /* NULL: those of a block lie in the batch's memory */
    float *scratch;
    unsigned char *states;
    float *gradients;   /* of weights: of all, or of a block; NULL: they lie among the floats */
    float *into;        /* where those of this run go */
    float *sum;         /* where they are added up */
    size_t into_weight; /* the weight whose gradient comes first there */
    const float *input;
    const float **x; /* room for the longest list of inputs: what one run is given */
    float **dx;
    bool *adds;     /* beside dx */
    bool *is_begun; /* by home: its gradient holds something already */
    int n, first;   /* images of the last run, and the first one's place in the batch */
    int chunk;      /* its number */
} fvi_lane;

#define FVI_PARTS 8 /* of a batch that is trained in chunks, each with a sum of gradients */

struct fv_context {
    const fv_model *model;
    fvi_threads *threads; /* borrowed */
    fvi_layout layout;
    fvi_lane *lane; /* more than one: chunks side by side */
    int lanes;
    /* With more than one segment: arrays and states of the whole batch, and sums of each chunk. */
    float *batch;
    unsigned char *states;
    double *batch_sums;
    float *folded; /* copies of weights */
    float *sums;   /* FVI_PARTS times gradients of all weights */
    int n;         /* images of the last forward; -1 before the first */
    bool training; /* and whether it was one for training */
    bool logits;
    uint32_t step;
    int statistics; /* as in fvi_run; whoever sets it, sets it back to 0 */
};

/* What a step of training asks of the trainer. */
typedef struct fvi_lesson {
    void *user;
    /* Write dy [n, outputs], the gradient of the batch's loss, from y, for its images from `first`
       on. Parts may come at the same time, each by its own thread; those of one part in order. */
    void (*loss)(void *user, int part, float *dy, const float *y, int first, int n);
    bool (*is_good)(void *user); /* after the last loss; false: stop before any weight moves */
    /* Move `count` weights from `at` on; false: something is not finite, stop. */
    bool (*move)(void *user, size_t at, size_t count, const float *gradient);
} fvi_lesson;

/* model_plan.c */
fv_status fvi_model_plan(
    fv_model *model); /* infer all shapes, weight offsets; compare with the limit */
fv_status fvi_model_allocate(fv_model *model); /* weights, all zero, and the model's own context */
void fvi_model_init_weights(fv_model *model);  /* from the seed */
/* So many floats and what is missing to whole cache lines; known to fit. */
static inline size_t fvi_model_aligned(size_t floats)
{
    return (floats + 15) / 16 * 16;
}
/* Floats of the gradients of a node's weights, each from a cache line on. */
size_t fvi_model_gradients(const fvi_node *node);
/* "3.2 MB"; writes at most 32 bytes, returns out. */
const char *fvi_model_bytes_text(char out[32], size_t bytes);
/* model_layout.c; to be freed after a failure as well */
fv_status fvi_layout_make(fvi_layout *layout, const fv_model *model, fvi_use use);
void fvi_layout_free(fvi_layout *layout);
/* model_join.c: all but the times and places of a layout. */
void fvi_join_layers(fvi_layout_work *work);
/* Is a layer's own output needed on the way back for an activation's gradient, which its reader may
   have taken along? */
bool fvi_join_reads_output(const fvi_layout *layout, const fvi_node *node, int i);
/* model_segment.c. Whether a batch may come in chunks, and where steps are cut; before there are
   places. */
fv_status fvi_layout_cut(const fvi_layout_work *work);
/* model_block.c: which blocks there are, and who is recalled. */
fv_status fvi_layout_find_blocks(const fvi_layout_work *work);
/* model_segment.c. How many images come at a time, once it is known how much each needs. */
int fvi_layout_chunk(const fvi_layout *layout, const fv_model *model);
/* All else that is to be counted. */
fv_status fvi_layout_count(fvi_layout *layout, const fv_model *model);
/* In how many chunks n images are run. */
int fvi_layout_chunks(const fvi_layout *layout, int n);
fv_status fvi_layout_too_many(void);
/* model_context.c */
fv_status fvi_context_bytes(size_t *bytes, const fv_model *model, fvi_use use);
/* threads stay the caller's; NULL: none */
fv_status fvi_context_make(fv_context **context, const fv_model *model, fvi_threads *threads,
                           fvi_use use);
/* A node's arrays in a lane; NULL: there is none. */
float *fvi_lane_y(const fv_context *context, const fvi_lane *lane, int id);
float *fvi_lane_dy(const fv_context *context, const fvi_lane *lane, int id);
void *fvi_lane_state(const fv_context *context, const fvi_lane *lane, int id);
/* Those of its weights, where they are used up as soon as they are there. */
float *fvi_lane_gradients(const fv_context *context, const fvi_lane *lane, int id);
/* What a node that takes a max pooling along keeps of its input: as many as outputs. */
float *fvi_lane_peaks(const fv_context *context, const fvi_lane *lane, int id);
/* model_run.c: cannot fail, do not allocate */

/* Up to a chunk of images, forward; not in a context to train. */
const float *fvi_context_forward(fv_context *context, const float *x, int n, bool training,
                                 bool logits, uint32_t step);
float *fvi_context_output_gradient(
    fv_context *context); /* [n, outputs], to be written before backward */
void fvi_context_backward(fv_context *context);
/* Any number of images into y [n, outputs]. */
void fvi_context_predict(fv_context *context, float *y, const float *x, int n, bool logits);
/* model_train.c: likewise, in a context to train */

/* Forward, of a batch of up to max_batch images, for the moving statistics alone; number as in fvi_run. */
void fvi_context_statistics(fv_context *context, const float *x, int n, int number, uint32_t step);
/* A step on a batch of up to max_batch images; false: one of the lesson's answers was. */
bool fvi_context_train(fv_context *context, const float *x, int n, bool logits, uint32_t step,
                       const fvi_lesson *lesson);
/* model_trouble.c: the first value that is not finite */

/* Among the outputs that the last forward left and the gradient of the last of them: "layer conv2d:
   output"; false: all finite. */
bool fvi_context_find_nonfinite(const fv_context *context, fvi_text *where);
/* Among the gradients of weights [at, at + count), then among all weights. */
bool fvi_model_find_nonfinite(const fv_model *model, const float *gradient, size_t at, size_t count,
                              fvi_text *where);
/* model_predict.c: the context of fv_model_forward, made when there is none */
fv_status fvi_model_look(fv_model *model);
/* model_speed.c: products that a layer makes for one image */
double fvi_model_multiplied(const fvi_node *node);
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
