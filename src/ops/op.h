/* SPDX-License-Identifier: MIT */
/* What a layer is. Read this first: an op is one kind of layer, a node is one layer of one model, a
   run is one call of it. */
#ifndef FVI_OP_H
#define FVI_OP_H

#include "fovea/layers.h"
#include "kernels/kernels.h"

typedef struct fvi_op fvi_op;

/* ---- fields: what a config struct holds; drive Keras-style calls, JSON, defaults and range checks
   (op_config.c) ---- */

typedef enum fvi_field_kind {
    FVI_FIELD_INT,     /* int */
    FVI_FIELD_PAIR,    /* int[2]; Keras: 3 or (3, 5). standard NAN: None, the pair at .extra */
    FVI_FIELD_FLOAT,   /* float. standard NAN: None, which is 0 in the struct */
    FVI_FIELD_AXIS,    /* int, never 0 (the batch); Keras: -1, or [3] in older files */
    FVI_FIELD_WITHOUT, /* bool that is true when Keras's flag is False: use_bias -> without_bias */
    FVI_FIELD_WORD,    /* enum; one of .words */
    /* fv_initializer; Keras: "he_normal" or HeNormal() as {"class_name": "HeNormal"} */
    FVI_FIELD_INITIALIZER,
    /* fv_padding, then int[4] at .extra: "valid", "same", or ZeroPadding2D's forms */
    FVI_FIELD_PADDING,
    FVI_FIELD_PADS, /* int[4], then bool without at .extra: 1, (2, 3), ((1, 1), (2, 2)) */
    /* int[4]: (28, 28, 1). extra 1: Keras's batch_shape with a leading None, the form that is
       written out */
    FVI_FIELD_SHAPE,
    /* a Keras key that has no meaning here: only None and .words are accepted, the first being the
       default. A word's value is its fvi_value_kind. Written out unless .words is NULL or .extra is
       1 (not every Keras has it) */
    FVI_FIELD_IGNORED
} fvi_field_kind;

typedef struct fvi_word {
    const char *word;
    int value;
} fvi_word;

typedef struct fvi_field {
    const char *key; /* Keras's word; fields stand in the order of Keras's positional arguments */
    fvi_field_kind kind;
    size_t offset, extra; /* into the config struct */
    bool required;
    /* what Keras has when the key is absent; written out in JSON when the struct holds 0 */
    double standard;
    /* of each number, after the default is put in. A float whose standard is not 0 must be
       above 0 */
    double least, most;
    const fvi_word *words; /* ends with {NULL, 0} */
} fvi_field;

/* ---- nodes: one layer of one model ---- */

#define FVI_MAX_WEIGHTS 4

typedef struct fvi_weight {
    const char *
        name; /* Keras's: "kernel" and words that end in it, "bias", "gamma", "beta", "moving_mean", "moving_variance" */
    fv_shape shape;
    fv_initializer initializer;
    double fan_in, fan_out;
    bool is_state; /* not trainable: forward moves it in training, the optimizer never does */
    /* floats; offset into the model's weights (and, if trainable, weight gradients): set by the
       planner */
    size_t count, offset;
} fvi_weight;

/* What a node may need to know of its surroundings when it plans. */
typedef struct fvi_setup {
    const fvi_kernels *kernels;
    int max_batch;
} fvi_setup;

typedef struct fvi_node {
    const fvi_op *op;
    char *name; /* owned */
    /* owned copy, op->config_size bytes, pairs completed and defaults put in
       (fvi_op_config_complete) */
    void *config;
    int *input; /* owned; ids of earlier nodes */
    int n_inputs;
    fv_shape
        *x_shape; /* owned, n_inputs of them: shapes of one image, without N; set before infer */
    /* Set by infer: */
    fv_shape y_shape; /* of one image */
    fvi_weight weight[FVI_MAX_WEIGHTS];
    int n_weights;
    void *geometry; /* owned (fvi_alloc), the op's own: window sizes and the like */
    size_t
        state_per_image;   /* bytes that forward leaves for backward, for each image of the batch */
    size_t state_fixed;    /* or once for the batch: an op has the one or the other */
    size_t batch_sums;     /* doubles that images leave in FVI_SUM */
    size_t scratch_floats; /* free to use in one call, for a batch of setup->max_batch */
} fvi_node;

/* ---- runs: one call of forward or backward ---- */

/* In training an op that needs_batch may be run in three turns: for each chunk of a batch, once for
   all of it, and again for each chunk. Forward and backward alike. */
typedef enum fvi_turn {
    FVI_ALL,    /* the images are the batch, and this is all of it */
    FVI_SUM,    /* leave at r->sums what must be known of these images; y and dx are not written */
    FVI_SETTLE, /* n is the batch's; r->sums are those of all chunks, in order. Neither x nor y nor
                   dy nor dx is touched; state and dw are written here */
    FVI_APPLY   /* y or dx of these images; dw is not written */
} fvi_turn;

typedef struct fvi_run {
    const fvi_node *node;
    const fvi_kernels *k;
    fvi_threads *threads;
    int n;         /* images in this run, >= 0 */
    int first;     /* the place of the first of them in its batch, when that comes in chunks */
    bool training; /* batch statistics, dropout; state is written and will be read by backward */
    /* leave the layer's last activation out, forwards and backwards: the loss works on what is
       before it */
    bool logits;
    /* training: 0: state weights move as the layer says; k >= 1: this is batch k of those they are
       the mean of */
    int statistics;
    fvi_turn turn;
    double *sums; /* [chunks][node->batch_sums] */
    int chunks;
    uint64_t seed; /* with step and node_id: the random numbers of dropout */
    uint32_t step;
    int node_id;
    const float *const *x; /* [n_inputs], each [n, x_shape...] */
    float *y;              /* [n, y_shape...] */
    float *const *w;  /* [n_weights]; only state weights may be written, and only in training */
    float *dy;        /* backward may overwrite it: nobody reads it afterwards */
    float *const *dx; /* [n_inputs]; skip NULL */
    /* [n_inputs]; true: dx[i] holds what another reader of that input left: add to it. false: write
       all of it. In the order of i: of two that are one array the later one is true */
    const bool *adds;
    /* dx[0], which is not added to, is to be 0 where x[0] is not above 0: the ReLU that x[0] came
       from is spared its own pass. The same in the training forward before, whose state may say it
       already */
    bool masks;
    bool is_masked; /* and here that layer is told: its reader has done so to dy */
    /* y is to be what plain ReLU makes of the result: the layer of that ReLU, the only reader, is not
       run. Backward then gets the gradient of the clipped y, which is_masked speaks of as well. Only
       ops that can_clip see it */
    bool clips;
    /* clipped at it as well, as by ReLU(max_value); 0: no limit. Ops that can_limit, and never in
       training */
    float most;
    /* not NULL: [n, y_shape...], added to the result before it is clipped: an Add, the only reader, is
       not run. Ops that can_add, and never in training */
    const float *residual;
    /* not NULL: w[0] is another's, scaled channel by channel, and this stands for the bias. Only ops
       that can_fold see it, and never in training */
    const float *bias;
    /* not NULL: y goes into this max pooling alone, and of dy there is only what its windows pass back
       (what is_masked speaks of is done). Ops that can_pool see it in backward without dx, and r->dy
       is NULL; those that take it see it in forward too: then the pooling itself is not run, and r->y
       and r->dy are of its outputs */
    const fvi_pooled *pooled;
    /* where an op that keeps_peaks takes a pooling: [n, its outputs] to leave for backward what x was
       at the maxima; NULL in prediction */
    float *peaks;
    float *const *dw; /* [n_weights]; write each; NULL for state weights */
    /* not 0, where ops have pieces: dw[0] is only of these rows of w[0]. With the first of them comes all
       else that backward does; the others follow, and by then w may have moved */
    size_t first_row, rows;
    /* state_fixed + n * state_per_image bytes; NULL when not training */
    void *state;
    float *scratch;
} fvi_run;

/* ---- ops: one kind of layer ---- */

struct fvi_op {
    const char *name; /* Keras class name, also the saved name */
    /* a second name that Keras has for it ("MaxPool2D"): read, never written; NULL: none */
    const char *alias;
    size_t config_size;
    const fvi_field *fields;
    size_t n_fields;
    int min_inputs, max_inputs;
    /* y is x under another shape: the planner gives both the same memory; forward and backward are
       NULL (as they are in InputLayer, whose y is the caller's batch) */
    bool is_view;
    fv_status (*infer)(
        fvi_node *n,
        const fvi_setup
            *setup); /* check inputs; set shape, weights, state, scratch; all that can fail */
    void (*forward)(const fvi_run *r); /* write r->y */
    void (*backward)(
        const fvi_run *r); /* write r->dw, write or add into r->dx; a training forward ran before */
    /* w[0] is [rows, its last axis], and backward heeds r->rows, unless r->pooled is there: so many are
       the piece that begins with row `first`. NULL: backward always writes all. */
    size_t (*piece)(const fvi_node *n, size_t first);
    /* y is what plain ReLU gives; NULL: never. */
    bool (*is_clipped)(const fvi_node *n);
    /* y is what ReLU with a maximum gives, and this is it; 0: that is not so. NULL: never. */
    float (*most)(const fvi_node *n);
    bool is_sum; /* y is the sum of the inputs */
    /* No activation bends y; NULL: this op has none. */
    bool (*is_linear)(const fvi_node *n);
    bool can_mask; /* backward heeds r->masks */
    bool can_clip; /* where it is linear, forward and backward heed r->clips */
    /* Whether forward then heeds r->most, and r->residual; NULL: never. */
    bool (*can_limit)(const fvi_node *n, const fvi_kernels *k);
    bool (*can_add)(const fvi_node *n, const fvi_kernels *k);
    bool can_fold;    /* w[0] ends in the axis of y's channels; where linear, r->bias is heeded */
    bool is_in_place; /* dx[0] may be dy: each value goes to its own place */
    bool has_places;  /* a max pooling: geometry is its fvi_pool, state the places of its maxima */
    /* Whether backward heeds r->pooled for this pooling when no dx is asked for; NULL: never. */
    bool (*can_pool)(const fvi_node *n, const fvi_pool *p);
    /* Whether forward does; then it is so in backward as well if the op keeps_peaks or can_pool.
       NULL: never. */
    bool (*takes_pool)(const fvi_node *n, const fvi_kernels *k, const fvi_pool *p);
    bool keeps_peaks; /* and backward reads r->peaks */
    bool needs_batch; /* in training what becomes of an image depends on the others of its batch;
                         r->turn is heeded */
    /* Backward does not read r->x, and not r->y but for the gradient of an activation: so their memory
       may be used again. */
    bool drops_x, drops_y;
    /* When not training, y = x * scale + offset, channel by channel; NULL: that is not so. */
    void (*affine)(const fvi_node *n, float *const *w, float *scale, float *offset);
    /* The activation that r->logits leaves out; NULL: never any. */
    fv_activation_kind (*head)(const fvi_node *n);
};

/* op_list.c: the only list of ops anywhere. */
const fvi_op *fvi_op_find(const char *name);  /* NULL: none */
const fvi_op *fvi_op_at(size_t i);            /* NULL past the end */
const char *fvi_op_nearest(const char *name); /* the known name nearest to it, or NULL */

/* op_config.c. All errors are FV_E_ARG (from a value FV_E_FORMAT, or FV_E_UNSUPPORTED for what only
   Keras can do) with a message such as `strides 0: expected an integer of 1 or more`; the caller
   adds the layer. */

/* Check a config given in C and complete it: defaults for zeros, second of a pair. config has
   op->config_size bytes. */
fv_status fvi_op_config_complete(const fvi_op *op, void *config);
/* Fill config (zeroed, op->config_size bytes) from a dict of Keras's keys, then complete it.
   "name", "trainable", "dtype" are skipped; unknown keys are errors that name the nearest known
   one. *bad, if not NULL, points at the value at fault, for its line and column. */
fv_status fvi_op_config_from_dict(const fvi_op *op, void *config, const fvi_value *dict,
                                  const fvi_value **bad);
/* The reverse: every field under Keras's key, defaults too, as Keras's get_config gives them.
   Without the name. */
fv_status fvi_op_config_to_dict(const fvi_op *op, const void *config, fvi_value **dict);

/* ---- shared by the ops ---- */

/* activation.c: in place on y after, and on dy before, the linear part of a layer. rows * C
   floats. */
void fvi_activate(const fvi_run *r, fv_activation_kind kind, float *y, size_t rows, int C);
void fvi_activate_gradient(const fvi_run *r, fv_activation_kind kind, float *dy, const float *y,
                           size_t rows, int C);
extern const fvi_word fvi_activation_words[]; /* "linear", "relu", ... */
extern const fvi_word
    fvi_channels_last[]; /* op_node.c: the one data_format; for FVI_FIELD_IGNORED */

/* op_node.c. Call fn(r, i) for each image i of the batch, on r->threads. */
void fvi_each_image(const fvi_run *r, void (*fn)(const fvi_run *r, int i));
/* Call fn(r, first, count) on pieces of [0, n), n counting floats; where it is cut depends on n
   alone. */
void fvi_each_piece(const fvi_run *r, size_t n,
                    void (*fn)(const fvi_run *r, size_t first, size_t count));
/* dx[i][at...] gets from[0...count): added or written, as r->adds says. */
void fvi_give(const fvi_run *r, int i, size_t at, const float *from, size_t count);
#define FVI_PIECE 4096                          /* every piece begins at a multiple of it */
size_t fvi_image_floats(const fv_shape *shape); /* product of dims, known to fit */
/* Begin infer: forget what an earlier one set; geometry_size bytes in n->geometry, zeroed (0:
   none). */
fv_status fvi_node_begin(fvi_node *n, size_t geometry_size);
/* Declare a weight in infer; counts are checked. */
fv_status fvi_node_weight(fvi_node *n, const char *name, fv_shape shape, fv_initializer initializer,
                          double fan_in, double fan_out, bool is_state);
/* FV_E_SHAPE unless input i of the node has that rank: "images of rank 3 (H, W, C) are needed,
   found 128". */
fv_status fvi_node_rank(const fvi_node *n, int i, int rank);
/* Images [H,W,C] under a window that slides: window[0] for H, window[1] for W. */
typedef struct fvi_slide {
    const char *what;                     /* "kernel" or "pool", for the message */
    const int *size, *strides, *dilation; /* [2]; dilation NULL: 1 */
    fv_padding padding;
    const int *pads; /* [4] */
} fvi_slide;
fv_status fvi_slide_fit(fvi_window window[2], const fvi_slide *slide, const fv_shape *x);
/* conv2d.c. Images [H,W,C] under a kernel, to F channels; groups divides C and F. FV_E_SHAPE also when
   y is too large. */
fv_status fvi_conv_fit(fvi_conv *g, const fvi_slide *slide, const fv_shape *x, int F, int groups);
/* depthwise_conv2d.c: x's channels times the multiplier. */
fv_status fvi_depthwise_channels(int *channels, const fv_shape *x, int multiplier);

#endif
