/* SPDX-License-Identifier: MIT */
/* One layer without a model: a node made by hand, its arrays in float and in double, one call of
   the op. */
#ifndef OPS_CASE_H
#define OPS_CASE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "formats/formats.h"
#include "ops/op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASE_INPUTS 3
#define CASE_THREADS 4

static inline fvi_value *parse(const char *json)
{
    fvi_value *value = NULL;
    if (fvi_json_read(&value, json, strlen(json)) != FV_OK) fail_msg("%s: %s", json, fv_error());
    return value;
}

static inline const fvi_op *op_of(const char *name)
{
    const fvi_op *op = fvi_op_find(name);
    if (!op) fail_msg("no op %s", name);
    return op;
}

/* Random numbers in a row. */
typedef struct case_draw {
    uint64_t seed, index;
} case_draw;

static inline int draw_int(case_draw *d, int least, int most)
{
    return least + fvi_rng_int(d->seed, FVI_RNG_TEST, 0, d->index++, most - least + 1);
}

static inline bool draw_bool(case_draw *d)
{
    return draw_int(d, 0, 1) == 1;
}

static inline double draw_normal(case_draw *d)
{
    return fvi_rng_normal(d->seed, FVI_RNG_TEST, 0, d->index++);
}

/* An array of one run: what the op sees, what was there before, and the judge's answer. */
typedef struct case_array {
    size_t count;
    float *now, *before;
    double *exact; /* inputs: the same values; outputs: what is right */
} case_array;

typedef union case_config {
    fv_layer_config layer;
    fv_input_config input;
    fv_conv2d_config conv2d;
    fv_depthwise_conv2d_config depthwise;
    fv_separable_conv2d_config separable;
    fv_pool2d_config pool2d;
    fv_zero_padding2d_config padding;
    fv_dense_config dense;
    fv_activation_config activation;
    fv_relu_config relu;
    fv_batch_normalization_config norm;
    fv_dropout_config dropout;
    fv_concatenate_config concatenate;
} case_config;

typedef struct op_case {
    const fvi_kernels *k; /* NULL: the best */
    case_config config;
    fv_shape x_shape[CASE_INPUTS];
    fvi_node node;
    int n, max_batch;
    bool training, logits;
    bool masks, is_masked, clips;
    bool is_in_place;       /* dx[0] has dy's place */
    bool adds[CASE_INPUTS]; /* gradients are added to what dx held */
    bool is_probe;          /* the judge's dy stays as it is */
    uint64_t seed;
    uint32_t step;
    int node_id;
    case_array x[CASE_INPUTS], w[FVI_MAX_WEIGHTS], y, dy, dx[CASE_INPUTS], dw[FVI_MAX_WEIGHTS];
    double floor; /* tolerances are taken from at least so large a value */
    unsigned char *state;
    float *scratch;
    size_t state_bytes;
} op_case;

static fvi_threads *case_pools[CASE_THREADS + 1]; /* [i] has i threads */

static inline int case_setup(void **state)
{
    (void)state;
    for (int i = 1; i <= CASE_THREADS; i++) {
        if (fvi_threads_new(&case_pools[i], i) != FV_OK) return -1;
    }
    return 0;
}

static inline int case_teardown(void **state)
{
    (void)state;
    for (int i = 1; i <= CASE_THREADS; i++) {
        fvi_threads_free(case_pools[i]);
    }
    return fvi_alloc_live() == 0 ? 0 : -1;
}

/* ---- arrays, of exactly their size, so that a sanitizer sees a step past the end ---- */

static inline void *case_room(size_t count, size_t size)
{
    void *room = malloc(count ? count * size : 1);
    assert_non_null(room);
    return room;
}

static inline void array_new(case_array *a, size_t count)
{
    a->count = count;
    a->now = case_room(count, sizeof(float));
    a->before = case_room(count, sizeof(float));
    a->exact = case_room(count, sizeof(double));
}

static inline void array_free(case_array *a)
{
    free(a->now);
    free(a->before);
    free(a->exact);
    *a = (case_array){0};
}

static inline void array_take(case_array *a)
{
    for (size_t i = 0; i < a->count; i++) {
        a->exact[i] = (double)a->before[i];
    }
}

/* Round numbers tie often, others never. */
static inline void array_fill(case_array *a, case_draw *d, bool is_round)
{
    for (size_t i = 0; i < a->count; i++) {
        double value = draw_normal(d);
        a->before[i] = (float)(is_round ? floor(value * 2.0) / 2.0 : value);
    }
    array_take(a);
}

static inline void array_reset(case_array *a)
{
    if (a->count) memcpy(a->now, a->before, a->count * sizeof(float));
}

static inline void array_spoil(case_array *a)
{
    for (size_t i = 0; i < a->count; i++) {
        a->now[i] = NAN;
    }
}

/* ---- a case ---- */

/* Config, input shapes and n are set; complete, infer. Nothing but the node needs to be freed after
   a failure. */
static inline fv_status case_infer(op_case *t, const char *op, int n_inputs)
{
    t->node.op = fvi_op_find(op);
    assert_non_null(t->node.op);
    t->node.config = &t->config;
    t->node.x_shape = t->x_shape;
    t->node.n_inputs = n_inputs;
    t->node.name = "layer";
    FVI_TRY(fvi_op_config_complete(t->node.op, &t->config));
    if (!t->k) t->k = fvi_kernels_select(NULL);
    fvi_setup setup = {t->k, t->max_batch};
    return t->node.op->infer(&t->node, &setup);
}

static inline void case_allocate(op_case *t)
{
    size_t n = (size_t)t->n;
    for (int i = 0; i < t->node.n_inputs; i++) {
        array_new(&t->x[i], n * fvi_image_floats(&t->x_shape[i]));
        array_new(&t->dx[i], t->x[i].count);
    }
    for (int i = 0; i < t->node.n_weights; i++) {
        array_new(&t->w[i], t->node.weight[i].count);
        array_new(&t->dw[i], t->w[i].count);
    }
    array_new(&t->y, n * fvi_image_floats(&t->node.y_shape));
    array_new(&t->dy, t->y.count);
    t->state_bytes = t->node.state_fixed + n * t->node.state_per_image;
    t->state = fvi_alloc(t->state_bytes, 1, "state");
    t->scratch = fvi_alloc(t->node.scratch_floats, sizeof(float), "scratch");
    assert_true(t->state && t->scratch);
}

static inline void case_fill(op_case *t, case_draw *d, bool is_round)
{
    for (int i = 0; i < t->node.n_inputs; i++) {
        array_fill(&t->x[i], d, is_round);
        array_fill(&t->dx[i], d, false); /* gradients are added to these */
    }
    for (int i = 0; i < t->node.n_weights; i++) {
        array_fill(&t->w[i], d, false);
        array_fill(&t->dw[i], d, false);
    }
    array_fill(&t->dy, d, false);
}

static inline void case_free(op_case *t)
{
    for (int i = 0; i < CASE_INPUTS; i++) {
        array_free(&t->x[i]);
        array_free(&t->dx[i]);
    }
    for (int i = 0; i < FVI_MAX_WEIGHTS; i++) {
        array_free(&t->w[i]);
        array_free(&t->dw[i]);
    }
    array_free(&t->y);
    array_free(&t->dy);
    fvi_free(t->state);
    fvi_free(t->scratch);
    fvi_free(t->node.geometry);
}

/* The same on another instruction set. */
static inline void case_change_kernels(op_case *t, const fvi_kernels *k)
{
    t->k = k;
    assert_int_equal(case_infer(t, t->node.op->name, t->node.n_inputs), FV_OK);
    fvi_free(t->scratch);
    t->scratch = fvi_alloc(t->node.scratch_floats, sizeof(float), "scratch");
    assert_non_null(t->scratch);
}

/* Everything as it was before, outputs spoilt; then forward and, when training, backward. */
static inline void case_run(op_case *t, int threads)
{
    const float *x[CASE_INPUTS];
    float *dx[CASE_INPUTS], *w[FVI_MAX_WEIGHTS], *dw[FVI_MAX_WEIGHTS];
    for (int i = 0; i < t->node.n_inputs; i++) {
        array_reset(&t->x[i]);
        if (t->adds[i])
            array_reset(&t->dx[i]);
        else
            array_spoil(&t->dx[i]);
        x[i] = t->x[i].now;
        dx[i] = t->dx[i].now;
    }
    if (t->is_in_place) dx[0] = t->dy.now;
    for (int i = 0; i < t->node.n_weights; i++) {
        array_reset(&t->w[i]);
        if (t->node.weight[i].is_state)
            array_reset(&t->dw[i]);
        else
            array_spoil(&t->dw[i]);
        w[i] = t->w[i].now;
        dw[i] = t->node.weight[i].is_state ? NULL : t->dw[i].now;
    }
    array_spoil(&t->y);
    array_reset(&t->dy);
    memset(t->state, 0xff, t->state_bytes);
    memset(t->scratch, 0xff, t->node.scratch_floats * sizeof(float));
    fvi_run r = {.node = &t->node,
                 .k = t->k,
                 .threads = case_pools[threads],
                 .n = t->n,
                 .training = t->training,
                 .logits = t->logits,
                 .seed = t->seed,
                 .step = t->step,
                 .node_id = t->node_id,
                 .x = x,
                 .y = t->y.now,
                 .w = w,
                 .dy = t->dy.now,
                 .dx = dx,
                 .adds = t->adds,
                 .masks = t->masks,
                 .is_masked = t->is_masked,
                 .clips = t->clips,
                 .dw = dw,
                 .state = t->training ? t->state : NULL,
                 .scratch = t->scratch};
    t->node.op->forward(&r);
    if (!t->training) return;
    memset(t->scratch, 0xff, t->node.scratch_floats * sizeof(float));
    t->node.op->backward(&r);
    if (t->is_in_place && t->dy.count) memcpy(t->dx[0].now, t->dy.now, t->dy.count * sizeof(float));
}

#endif
