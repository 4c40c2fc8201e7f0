/* SPDX-License-Identifier: MIT */
/* Dropout: in training each value is zeroed with probability rate, the rest scaled by 1 / (1 -
   rate). */
#include "ops/op.h"

#include <string.h>

#define DROPOUT_BLOCK 256 /* factors made at a time, on the stack */
#define DROPOUT_WORDS 4   /* of one call of fvi_rng_words */

/* State: a byte for each value, 1 where it was kept. */
static fv_status dropout_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, 0));
    FVI_TRY(fvi_shape_count(&count, &n->x_shape[0]));
    n->y_shape = n->x_shape[0];
    n->state_per_image = count;
    return FV_OK;
}

static size_t dropout_count(const fvi_run *r)
{
    return (size_t)r->n * fvi_image_floats(&r->node->y_shape);
}

/* Layers of one step get streams far apart, and so do steps of one layer: multiples of 2^32 /
   golden ratio meet again only after some 10^7 steps, whatever the pair of layers (Knuth, The Art
   of Computer Programming 3, 6.4). */
static uint32_t dropout_stream(const fvi_run *r)
{
    return r->step + (uint32_t)r->node_id * UINT32_C(0x9E3779B9);
}

/* Keep a value when its 32 random bits, as a fraction, are rate or more; the value's place in the
   batch, of which this run may be a chunk, picks the bits. */
static void dropout_draw(const fvi_run *r, unsigned char *mask, size_t first, size_t count)
{
    const fv_dropout_config *config = r->node->config;
    uint64_t limit = (uint64_t)((double)config->rate * 0x1p32);
    uint32_t stream = dropout_stream(r), word[DROPOUT_WORDS];
    const size_t at = (size_t)r->first * fvi_image_floats(&r->node->y_shape) + first;
    for (size_t i = 0; i < count; i++) {
        size_t lane = (at + i) % DROPOUT_WORDS;
        if (lane == 0 || i == 0) {
            fvi_rng_words(word, r->seed, FVI_RNG_DROPOUT, stream, (at + i) / DROPOUT_WORDS);
        }
        mask[i] = word[lane] >= limit;
    }
}

/* What each value is multiplied by. */
static void dropout_factors(const fvi_run *r, float *factor, const unsigned char *mask,
                            size_t count)
{
    const fv_dropout_config *config = r->node->config;
    float scale[2] = {0.0f, 0.0f}; /* rate 1 keeps nothing, so there is nothing to scale */
    if (config->rate < 1.0f) scale[1] = 1.0f / (1.0f - config->rate);
    for (size_t i = 0; i < count; i++) {
        factor[i] = scale[mask[i]];
    }
}

static size_t dropout_block(size_t left)
{
    return left < DROPOUT_BLOCK ? left : DROPOUT_BLOCK;
}

static void dropout_piece(const fvi_run *r, size_t first, size_t count)
{
    float factor[DROPOUT_BLOCK];
    unsigned char *mask = (unsigned char *)r->state + first;
    dropout_draw(r, mask, first, count);
    for (size_t i = 0; i < count; i += DROPOUT_BLOCK) {
        size_t n = dropout_block(count - i);
        dropout_factors(r, factor, mask + i, n);
        r->k->multiply(n, r->y + first + i, r->x[0] + first + i, factor);
    }
}

static void dropout_piece_back(const fvi_run *r, size_t first, size_t count)
{
    float factor[DROPOUT_BLOCK];
    const unsigned char *mask = (const unsigned char *)r->state + first;
    for (size_t i = 0; i < count; i += DROPOUT_BLOCK) {
        size_t n = dropout_block(count - i);
        dropout_factors(r, factor, mask + i, n);
        if (r->adds[0])
            r->k->multiply_add(n, r->dx[0] + first + i, r->dy + first + i, factor);
        else
            r->k->multiply(n, r->dx[0] + first + i, r->dy + first + i, factor);
    }
}

static void dropout_forward(const fvi_run *r)
{
    size_t count = dropout_count(r);
    if (r->training) {
        fvi_each_piece(r, count, dropout_piece);
    } else if (count > 0) {
        memcpy(r->y, r->x[0], count * sizeof *r->y);
    }
}

static void dropout_backward(const fvi_run *r)
{
    if (r->dx[0]) fvi_each_piece(r, dropout_count(r), dropout_piece_back);
}

static const fvi_field dropout_fields[] = {
    {.key = "rate",
     .kind = FVI_FIELD_FLOAT,
     .offset = offsetof(fv_dropout_config, rate),
     .required = true,
     .most = 1},
    {.key = "noise_shape", .kind = FVI_FIELD_IGNORED},
    {.key = "seed", .kind = FVI_FIELD_IGNORED},
};

const fvi_op fvi_op_dropout = {
    .name = "Dropout",
    .config_size = sizeof(fv_dropout_config),
    .fields = dropout_fields,
    .n_fields = FVI_COUNT(dropout_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = dropout_infer,
    .forward = dropout_forward,
    .backward = dropout_backward,
    .drops_x = true,
    .drops_y = true,
};
