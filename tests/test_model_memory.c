/* SPDX-License-Identifier: MIT */
/* Training in little memory: gradients of large kernels come piece by piece, and some outputs are made
   again instead of kept. That changes nothing of what is learnt. */
#include "model_steps.h"

#include <math.h>
#include <stdio.h>

#define CLASSES 3
#define BATCH 6
#define MIB (1024.0 * 1024.0)

/* ---- networks ---- */

typedef struct memory_net {
    const char *name;
    int H, W, C;
    void (*layers)(fv_model *m);
} memory_net;

static void memory_conv(fv_model *m, int filters, fv_activation_kind bend)
{
    fv_conv2d(m, FV_LAST,
              &(fv_conv2d_config){.filters = filters,
                                  .kernel_size = {3, 3},
                                  .padding = FV_SAME,
                                  .activation = bend,
                                  .kernel_initializer = FV_HE_NORMAL});
}

/* A kernel of 4.3 MB in six pieces, and the 10 MB of a dense layer in ten. */
static void memory_wide(fv_model *m)
{
    memory_conv(m, 200, FV_RELU);
    memory_conv(m, 600, FV_TANH);
    fv_flatten(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 211, .activation = FV_RELU});
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = CLASSES, .activation = FV_SOFTMAX});
}

/* Two blocks, and a convolution behind them that is worth running again, too. */
static void memory_tall(fv_model *m)
{
    memory_conv(m, 32, FV_RELU);
    memory_conv(m, 32, FV_RELU);
    fv_maxpool2d(m, FV_LAST, NULL);
    memory_conv(m, 24, FV_TANH);
    fv_dropout(m, FV_LAST, 0.25f);
    memory_conv(m, 24, FV_RELU);
    fv_maxpool2d(m, FV_LAST, NULL);
    memory_conv(m, 160, FV_RELU);
    memory_conv(m, 200, FV_RELU);
    memory_conv(m, 200, FV_RELU);
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_flatten(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = CLASSES, .activation = FV_SOFTMAX});
}

static const memory_net memory_tall_net = {"tall", 96, 80, 3, memory_tall};
static const memory_net memory_wide_net = {"wide", 4, 5, 190, memory_wide};

static fv_model *memory_model(const memory_net *net, int batch, int threads)
{
    fv_model *m = fv_model_new(net->name, &(fv_model_config){.threads = threads, .seed = 3});
    fv_input(m, net->H, net->W, net->C);
    net->layers(m);
    assert_ok(fv_model_build(m, FV_LAST, batch));
    return m;
}

/* ---- steps ---- */

typedef struct memory_batch {
    float *x;
    int32_t label[BATCH];
    fv_dataset *dataset; /* one image of it, to choose a loss by */
} memory_batch;

static memory_batch memory_batch_new(const memory_net *net)
{
    const size_t floats = (size_t)(net->H * net->W * net->C);
    memory_batch b = {.x = fvi_alloc(BATCH * floats, sizeof *b.x, "")};
    assert_non_null(b.x);
    nets_fill(b.x, BATCH * floats, 1);
    for (int i = 0; i < BATCH; i++)
        b.label[i] = i * i % CLASSES;
    const int32_t last = CLASSES - 1;
    const fv_tensor x = {{4, {1, net->H, net->W, net->C}}, FV_FLOAT32, b.x};
    const fv_tensor y = {{1, {1}}, FV_INT32, (void *)(uintptr_t)&last};
    assert_ok(fv_dataset_from_arrays(&b.dataset, &x, &y, NULL, CLASSES));
    return b;
}

static void memory_batch_free(memory_batch *b)
{
    fv_dataset_free(b->dataset);
    fvi_free(b->x);
}

/* A step on any number of threads against one down the gradients that the layers give. */
static void check_net(const memory_net *net)
{
    memory_batch b = memory_batch_new(net);
    const fv_fit_config config = {.optimizer = {.kind = FV_SGD, .learning_rate = STEPS_RATE}};
    fv_model *other = memory_model(net, BATCH, 1);
    float *by_hand = steps_by_hand(other, b.dataset, b.x, BATCH, b.label), *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
        fv_trainer *t = NULL;
        fv_model *m = memory_model(net, BATCH, threads);
        assert_ok(fv_trainer_new(&t, m, b.dataset, &config));
        assert_ok(fv_trainer_step(t, &(fv_batch){.n = BATCH, .x = b.x, .y = b.label}, NULL));
        if (!first) first = fvi_copy(m->weights, m->weight_floats * sizeof *first, "");
        nets_same(first, m->weights, m->weight_floats);
        fv_trainer_free(t);
        fv_model_free(m);
    }
    bool has_moved = false;
    for (size_t i = 0; i < other->weight_floats; i++) {
        has_moved = has_moved || first[i] != other->weights[i];
        if (fabsf(by_hand[i] - first[i]) > 2e-6f * fmaxf(1, fabsf(by_hand[i])))
            fail_msg("%s: weight %zu: %g is %g", net->name, i, (double)first[i],
                     (double)by_hand[i]);
    }
    assert_true(has_moved);
    fvi_free(first);
    fvi_free(by_hand);
    fv_model_free(other);
    memory_batch_free(&b);
}

static void test_pieces_of_gradients(void **state)
{
    (void)state;
    size_t bytes;
    fv_model *m = memory_model(&memory_wide_net, 1, 1);
    const double weights = (double)m->weight_floats * sizeof(float);
    assert_true(weights > 8 * MIB);
    assert_ok(fvi_context_bytes(&bytes, m, FVI_TRAIN));
    assert_true((double)bytes <
                weights); /* with a place for the largest gradient it would be more */
    fv_model_free(m);
    check_net(&memory_wide_net);
}

static void test_outputs_made_again(void **state)
{
    (void)state;
    fvi_layout train;
    size_t bytes;
    double outputs = 0;
    fv_model *m = memory_model(&memory_tall_net, BATCH, 1);
    for (int i = 1; i < m->n_nodes; i++)
        outputs += (double)fvi_image_floats(&m->node[i].y_shape) * BATCH * sizeof(float);
    assert_ok(fvi_layout_make(&train, m, FVI_TRAIN));
    assert_int_equal(train.blocks, 2);
    assert_true(train.chunk < BATCH);
    assert_true(train.block[1] == 1 && train.block[3] == 1);
    assert_true(train.block[4] == 2 && train.block[7] == 2);
    assert_true(train.again[1] && !train.again[2] && !train.again[3]);
    assert_true(train.again[4] && train.again[5] && !train.again[6]);
    assert_int_equal(train.recall[9], 8);
    fvi_layout_free(&train);
    assert_ok(fvi_context_bytes(&bytes, m, FVI_TRAIN));
    assert_true((double)bytes < outputs * 2 / 3); /* and gradients and scratch are in it */
    fv_model_free(m);
    check_net(&memory_tall_net);
    m = memory_model(&memory_tall_net, 1, 1); /* of one image there is too little to save */
    assert_ok(fvi_layout_make(&train, m, FVI_TRAIN));
    assert_true(train.blocks == 0 && train.block[1] == 0 && !train.stays[1] && !train.again[1]);
    assert_int_equal(train.recall[9], -1);
    fvi_layout_free(&train);
    fv_model_free(m);
}

/* What is not finite is found in a piece, too, and named. */
static void test_a_piece_is_named(void **state)
{
    (void)state;
    fv_model *m = memory_model(&memory_wide_net, 1, 1);
    const fvi_weight *kernel = &m->node[2].weight[0];
    float piece[48] = {[47] = INFINITY};
    fvi_text where = {0};
    assert_false(fvi_model_find_nonfinite(m, piece, kernel->offset + 100, 47, &where));
    assert_true(fvi_model_find_nonfinite(m, piece, kernel->offset + 100, 48, &where));
    assert_string_equal(where.data, "layer \"conv2d_1\": gradient of kernel");
    fvi_text_free(&where);
    fv_model_free(m);
}

/* ---- batches ---- */

/* A chunk's memory does not grow with the batch; that of a step to be looked into does. */
static void test_memory_of_a_batch(void **state)
{
    (void)state;
    size_t bytes[3][2];
    for (int i = 0; i < 2; i++) {
        fv_model *m = fv_model_new("memory", &(fv_model_config){.threads = 2});
        fv_input(m, 64, 64, 3);
        for (int k = 0; k < 6; k++) {
            fv_conv2d(m, FV_LAST,
                      &(fv_conv2d_config){.filters = 8, .kernel_size = {3, 3}, .padding = FV_SAME});
            fv_relu(m, FV_LAST);
        }
        fv_dense(m, fv_global_avgpool2d(m, FV_LAST), &(fv_dense_config){.units = 2});
        assert_ok(fv_model_build(m, FV_LAST, i ? 256 : 64));
        assert_ok(fvi_context_bytes(&bytes[0][i], m, FVI_PREDICT));
        assert_ok(fvi_context_bytes(&bytes[1][i], m, FVI_TRAIN));
        assert_ok(fvi_context_bytes(&bytes[2][i], m, FVI_LOOK));
        fv_model_free(m);
    }
    assert_true(bytes[0][1] < 8000000 && bytes[1][1] < 16000000);
    assert_true(bytes[0][0] == bytes[0][1] && bytes[1][0] == bytes[1][1]);
    assert_true(bytes[2][1] > 3 * bytes[2][0] && bytes[2][0] > 8 * bytes[1][0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_gradients),
        cmocka_unit_test(test_outputs_made_again),
        cmocka_unit_test(test_a_piece_is_named),
        cmocka_unit_test(test_memory_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
