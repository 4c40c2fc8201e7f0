/* SPDX-License-Identifier: MIT */
/* Models: layers and names, what a build refuses, sizes, memory. */
#include "model_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- layers and names ---- */

static void test_counts(void **state)
{
    (void)state;
    fv_model *m = fv_model_new("happy", NULL);
    size_t trainable;
    fv_input(m, 64, 64, 3);
    fv_zero_padding2d(m, FV_LAST, &(fv_zero_padding2d_config){.padding = {3, 3, 3, 3}});
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 32, .kernel_size = {7, 7}});
    fv_batch_normalization(m, FV_LAST, NULL);
    fv_relu(m, FV_LAST);
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_flatten(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 1, .activation = FV_SIGMOID});
    assert_int_equal(fv_model_parameters(m, NULL), 0);
    assert_int_equal(fv_model_batch(m), 0);
    assert_ok(fv_model_build(m, FV_LAST, 2));
    assert_int_equal(fv_model_parameters(m, &trainable), 37633);
    assert_int_equal(trainable, 37569);
    assert_int_equal(fv_model_layers(m), 8);
    assert_int_equal(fv_model_batch(m), 2);
    assert_true(m->is_sequential);
    fv_layer_info info;
    assert_ok(fv_model_layer(m, 3, &info));
    assert_string_equal(info.name, "batch_normalization");
    assert_string_equal(info.kind, "BatchNormalization");
    assert_int_equal(info.parameters, 128);
    assert_int_equal(info.trainable, 64);
    assert_int_equal(info.n_weights, 4);
    assert_int_equal(info.n_inputs, 1);
    assert_int_equal(info.inputs[0], 2);
    assert_int_equal(info.output.rank, 3);
    assert_int_equal(info.output.dim[2], 32);
    assert_int_equal(fv_model_layer(m, 8, &info), FV_E_ARG);
    assert_int_equal(fv_model_layer(m, -1, &info), FV_E_ARG);
    fv_shape shape;
    assert_ok(fv_model_output_shape(m, &shape));
    assert_int_equal(shape.rank, 1);
    assert_int_equal(shape.dim[0], 1);
    assert_ok(fv_model_input_shape(m, &shape));
    assert_int_equal(shape.dim[1], 64);
    fv_model_free(m);
}

static void test_counts_lenet(void **state)
{
    (void)state;
    fv_model *m = fv_model_new(NULL, NULL);
    assert_string_equal(fv_model_name(m), "model");
    fv_input(m, 32, 32, 3);
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 6, .kernel_size = {5}});
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 16, .kernel_size = {5}});
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_flatten(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 120});
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 84});
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 10});
    assert_ok(fv_model_build(m, FV_LAST, 1));
    assert_int_equal(fv_model_parameters(m, NULL), 62006);
    fv_model_free(m);
}

static void test_automatic_names(void **state)
{
    (void)state;
    static const char *const expected[] = {"input_layer",
                                           "conv2d",
                                           "conv2d_2",
                                           "conv2d_1",
                                           "max_pooling2d",
                                           "average_pooling2d",
                                           "zero_padding2d",
                                           "batch_normalization",
                                           "re_lu",
                                           "re_lu_1",
                                           "dropout",
                                           "activation",
                                           "global_average_pooling2d",
                                           "dense",
                                           "softmax",
                                           "add",
                                           "concatenate",
                                           "flatten"};
    fv_model *m = fv_model_new("names", NULL);
    fv_conv2d_config conv = {.filters = 2, .kernel_size = {3}, .padding = FV_SAME};
    int x = fv_input(m, 16, 16, 2);
    fv_conv2d(m, FV_LAST, &conv);
    conv.name = "conv2d_2";
    fv_conv2d(m, FV_LAST, &conv);
    conv.name = NULL;
    fv_conv2d(m, FV_LAST, &conv);
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_avgpool2d(m, FV_LAST, NULL);
    fv_zero_padding2d(m, FV_LAST, NULL);
    fv_batch_normalization(m, FV_LAST, NULL);
    fv_relu(m, FV_LAST);
    fv_relu(m, FV_LAST);
    fv_dropout(m, FV_LAST, 0.5f);
    fv_tanh(m, FV_LAST);
    int a = fv_global_avgpool2d(m, FV_LAST);
    int b = fv_dense(m, a, &(fv_dense_config){.units = 2});
    b = fv_softmax(m, b);
    fv_sum(m, a, b);
    fv_concatenate(m, (int[]){FV_LAST, a}, 2, NULL);
    fv_flatten(m, FV_LAST);
    assert_int_equal(x, 0);
    assert_ok(m->status);
    assert_int_equal(m->n_nodes, FVI_COUNT(expected));
    for (int i = 0; i < m->n_nodes; i++) {
        assert_string_equal(m->node[i].name, expected[i]);
        assert_int_equal(fv_model_find(m, expected[i]), i);
    }
    assert_false(m->is_sequential);
    assert_int_equal(fv_model_find(m, "conv2d_3"), -FV_E_ARG);
    assert_string_equal(fv_error(), "no layer is named \"conv2d_3\"; did you mean \"conv2d_2\"?");
    fv_model_free(m);
}

/* As many layers as are allowed, and one more: quick, whatever their names. */
static void test_many_layers(void **state)
{
    (void)state;
    fv_model *m = fv_model_new("deep", &(fv_model_config){.without_training = true});
    fv_input(m, 2, 2, 1);
    for (int i = 1; i < FVI_MAX_NODES; i++) {
        if (fv_relu(m, FV_LAST) != i) fail_msg("%s", fv_error());
    }
    assert_string_equal(m->node[FVI_MAX_NODES - 1].name, "re_lu_99998");
    float x[4] = {1, -2, 3, -4}, y[4];
    assert_ok(fv_model_build(m, FV_LAST, 1));
    assert_ok(fv_model_predict(m, y, x, 1));
    assert_true(y[2] == 3.0f && y[3] == 0.0f);
    fv_model_free(m);
    m = fv_model_new("deeper", NULL);
    fv_input(m, 2, 2, 1);
    for (int i = 1; i < FVI_MAX_NODES; i++) {
        fv_relu(m, FV_LAST);
    }
    assert_int_equal(fv_relu(m, FV_LAST), -FV_E_MEMORY);
    assert_int_equal(fv_model_build(m, FV_LAST, 1), FV_E_MEMORY);
    assert_string_equal(fv_error(), "more than 100000 layers");
    fv_model_free(m);
}

/* ---- what is refused ---- */

typedef struct refusal {
    void (*add)(fv_model *m);
    fv_status status;
    const char *text; /* found in the message */
} refusal;

static void add_nothing(fv_model *m)
{
    (void)m;
}

static void add_no_input(fv_model *m)
{
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 2, .kernel_size = {3}});
}

static void add_unknown(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_add(m, "Conv3D", (int[]){0}, 1, NULL, 0);
}

static void add_other_config(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_add(m, "Dense", (int[]){0}, 1, &(fv_relu_config){0}, sizeof(fv_relu_config));
}

static void add_no_filters(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.name = "conv1", .kernel_size = {3}});
}

static void add_same_name(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_dense(m, FV_LAST, &(fv_dense_config){.name = "fc", .units = 3});
    fv_dense(m, FV_LAST, &(fv_dense_config){.name = "fc", .units = 3});
}

static void add_long_name(fv_model *m)
{
    char name[FVI_MAX_NAME + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    fv_input(m, 8, 8, 1);
    fv_dense(m, FV_LAST, &(fv_dense_config){.name = name, .units = 3});
}

static void add_empty_name(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_dense(m, FV_LAST, &(fv_dense_config){.name = "", .units = 3});
}

static void add_bad_utf8(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_dense(m, FV_LAST, &(fv_dense_config){.name = "d\xff", .units = 3});
}

static void add_later_input(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_relu(m, 1);
}

static void add_one_summand(fv_model *m)
{
    int x = fv_input(m, 8, 8, 1);
    fv_add(m, "Add", &x, 1, NULL, 0);
}

static void add_null_inputs(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_add(m, "ReLU", NULL, 1, NULL, 0);
}

static void add_large_kernel(fv_model *m)
{
    fv_input(m, 3, 3, 1);
    fv_conv2d(m, FV_LAST,
              &(fv_conv2d_config){.name = "conv1", .filters = 2, .kernel_size = {5, 5}});
}

static void add_flat_conv(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_flatten(m, FV_LAST);
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 2, .kernel_size = {3}});
}

static void add_five_poolings(fv_model *m)
{
    fv_input(m, 8, 8, 3);
    for (int i = 0; i < 5; i++) {
        fv_maxpool2d(m, FV_LAST, NULL);
    }
}

static void add_unequal(fv_model *m)
{
    int x = fv_input(m, 8, 8, 1);
    int y = fv_conv2d(m, x, &(fv_conv2d_config){.filters = 2, .kernel_size = {3}});
    fv_sum(m, x, y);
}

static void add_two_inputs(fv_model *m)
{
    int x = fv_input(m, 8, 8, 1);
    int y = fv_input(m, 8, 8, 1);
    fv_sum(m, x, y);
}

static void add_dead_branch(fv_model *m)
{
    int x = fv_input(m, 8, 8, 1);
    fv_conv2d(m, x, &(fv_conv2d_config){.name = "forgotten", .filters = 2, .kernel_size = {3}});
    fv_relu(m, x);
}

static void add_too_large(fv_model *m)
{
    fv_input(m, 8, 8, 1);
    fv_flatten(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 3000000});
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 300000});
}

/* Activations: 2 TB an image. */
static void add_too_many(fv_model *m)
{
    fv_input(m, 30000, 30000, 1);
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 600, .kernel_size = {1, 1}});
    fv_flatten(m, fv_maxpool2d(m, FV_LAST, &(fv_pool2d_config){.pool_size = {30000, 30000}}));
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 2});
}

static void test_refusals(void **state)
{
    (void)state;
    static const refusal table[] = {
        {add_nothing, FV_E_STATE, "no layers"},
        {add_no_input, FV_E_ARG, "Conv2D \"conv2d\": the first layer must be an InputLayer"},
        {add_unknown, FV_E_ARG, "no layer \"Conv3D\"; did you mean \"Conv2D\"?"},
        {add_other_config, FV_E_ARG, "Dense: a config of "},
        {add_no_filters, FV_E_ARG, "Conv2D \"conv1\": filters 0"},
        {add_same_name, FV_E_ARG, "Dense: the name \"fc\" is taken by layer 1, Dense"},
        {add_long_name, FV_E_ARG, "a name of 4001 bytes; expected at most 4000"},
        {add_empty_name, FV_E_ARG, "the name is empty"},
        {add_bad_utf8, FV_E_ARG, "the name \"d\\xff\" is not UTF-8"},
        {add_later_input, FV_E_ARG, "ReLU \"re_lu\": input 0 is layer 1, which is not there"},
        {add_one_summand, FV_E_ARG, "Add \"add\": 1 inputs; expected at least 2"},
        {add_null_inputs, FV_E_ARG, "ReLU \"re_lu\": the list of inputs is NULL"},
        {add_large_kernel, FV_E_SHAPE, "Conv2D \"conv1\": kernel 5x5 does not fit input 3x3"},
        {add_flat_conv, FV_E_SHAPE, "Conv2D \"conv2d\""},
        {add_five_poolings, FV_E_SHAPE,
         "(sizes before it: input_layer 8x8x3, max_pooling2d 4x4x3, max_pooling2d_1 2x2x3, "
         "max_pooling2d_2 1x1x3)"},
        {add_unequal, FV_E_SHAPE, "Add \"add\""},
        {add_two_inputs, FV_E_UNSUPPORTED, "two InputLayers, \"input_layer\""},
        {add_dead_branch, FV_E_ARG, "Conv2D \"forgotten\": the output layer \"re_lu\" does not"},
        {add_too_large, FV_E_MEMORY, " for the weights up to layer \"dense_1\", and "},
        {add_too_many, FV_E_MEMORY, "the model needs "},
    };
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(table); i++) {
        fv_model *m = fv_model_new("refused", NULL);
        table[i].add(m);
        fv_status status = fv_model_build(m, FV_LAST, 4);
        if (status != table[i].status || !strstr(fv_error(), table[i].text)) {
            fail_msg("row %zu: %s: %s; expected %s", i, fv_status_name(status), fv_error(),
                     table[i].text);
        }
        float y[4], x[64] = {0};
        assert_int_equal(fv_model_predict(m, y, x, 1), FV_E_STATE);
        assert_int_equal(fv_model_save(m, "never-written"), FV_E_STATE);
        fv_model_free(m);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

/* After a failure every builder gives the same, and the build the first error. */
static void test_sticky(void **state)
{
    (void)state;
    fv_model *m = fv_model_new("sticky", NULL);
    int x = fv_input(m, 8, 8, 1);
    x = fv_conv2d(m, x, &(fv_conv2d_config){.name = "bad", .filters = -3, .kernel_size = {3}});
    assert_int_equal(x, -FV_E_ARG);
    assert_int_equal(fv_relu(m, x), -FV_E_ARG);
    assert_int_equal(fv_relu(m, 0), -FV_E_ARG);
    assert_int_equal(fv_add(m, "Nonsense", NULL, 0, NULL, 0), -FV_E_ARG);
    (void)fvi_fail(FV_E_IO, "something else");
    assert_int_equal(fv_model_build(m, FV_LAST, 4), FV_E_ARG);
    assert_non_null(strstr(fv_error(), "Conv2D \"bad\": filters -3"));
    assert_int_equal(m->n_nodes, 1);
    fv_model_free(m);
    assert_int_equal(fv_add(NULL, "ReLU", NULL, 0, NULL, 0), -FV_E_ARG);
}

static void test_build_arguments(void **state)
{
    (void)state;
    assert_int_equal(fv_model_build(NULL, FV_LAST, 1), FV_E_ARG);
    fv_model *m = fv_model_new("m", NULL);
    int y = nets_plain(m, true);
    assert_int_equal(fv_model_build(m, y, 0), FV_E_ARG);
    assert_int_equal(fv_model_build(m, y, -1), FV_E_ARG);
    assert_int_equal(fv_model_build(m, y + 1, 4), FV_E_ARG);
    assert_int_equal(fv_model_build(m, -1, 4), FV_E_ARG);
    assert_int_equal(fv_model_build(m, y - 1, 4), FV_E_ARG); /* the last layer would be idle */
    assert_ok(fv_model_build(m, FV_LAST, 4));                /* none of these was final */
    assert_int_equal(fv_model_build(m, y, 4), FV_E_STATE);
    assert_int_equal(fv_relu(m, y), -FV_E_STATE);
    float x[NETS_IN] = {0}, out[NETS_OUT];
    assert_ok(fv_model_predict(m, out, x, 1));
    fv_model_free(m);
    fv_model_free(NULL);
    fv_context_free(NULL);
}

static void test_new_arguments(void **state)
{
    (void)state;
    assert_null(fv_model_new("m", &(fv_model_config){.threads = -1}));
    assert_non_null(strstr(fv_error(), "threads -1"));
    assert_null(fv_model_new("m", &(fv_model_config){.threads = 1000000000}));
    assert_null(fv_model_new("m", &(fv_model_config){.batch = -5}));
    assert_null(fv_model_new("m", &(fv_model_config){.isa = "z80"}));
    assert_null(fv_model_new("", NULL));
    assert_null(fv_model_new("\xc3", NULL));
}

/* ---- first weights ---- */

static void test_initial_weights(void **state)
{
    (void)state;
    fv_tensor w;
    fv_model *m = fv_model_new("init", &(fv_model_config){.seed = 3});
    fv_input(m, 1, 1, 300);
    fv_flatten(m, FV_LAST);
    fv_initializer kind[] = {FV_GLOROT_UNIFORM, FV_GLOROT_NORMAL, FV_HE_UNIFORM, FV_HE_NORMAL};
    static const char *const name[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        fv_dense(m, FV_LAST,
                 &(fv_dense_config){.name = name[i], .units = 300, .kernel_initializer = kind[i]});
    }
    assert_ok(fv_model_build(m, FV_LAST, 1));
    for (int i = 0; i < 4; i++) {
        assert_ok(fv_model_weight(m, name[i], "kernel", &w));
        double fan = i < 2 ? 600 : 300, variance = (i < 2 ? 2 : 2) / fan;
        double bound = i % 2 == 0 ? sqrt(6 / fan) : 2 * sqrt(variance) / 0.8796256610342398;
        double sum = 0, squares = 0, most = 0;
        for (int k = 0; k < 300 * 300; k++) {
            double v = (double)((float *)w.data)[k];
            sum += v;
            squares += v * v;
            most = fabs(v) > most ? fabs(v) : most;
        }
        assert_true(fabs(sum / 90000) < 5 * sqrt(variance) / 300);
        assert_true(fabs(squares / 90000 - variance) < 0.02 * variance);
        assert_true(most <= bound * 1.0000001 && most > bound * 0.98);
        assert_ok(fv_model_weight(m, name[i], "bias", &w));
        for (int k = 0; k < 300; k++) {
            assert_true(((float *)w.data)[k] == 0.0f);
        }
    }
    fv_model_free(m);
}

static void test_seed(void **state)
{
    (void)state;
    fv_model *a = nets_built(&(fv_model_config){.seed = 5, .threads = 1}, 0, 0);
    fv_model *b = nets_built(&(fv_model_config){.seed = 5, .threads = 3}, 2, 0);
    fv_model *c = nets_built(&(fv_model_config){.seed = 6, .threads = 1}, 0, 0);
    assert_int_equal(a->weight_floats, b->weight_floats);
    nets_same(a->weights, b->weights, a->weight_floats);
    assert_true(memcmp(a->weights, c->weights, a->weight_floats * sizeof(float)) != 0);
    fv_model_free(a);
    fv_model_free(b);
    fv_model_free(c);
}

/* ---- memory ---- */

static void test_blocks(void **state)
{
    (void)state;
    fv_model *m = nets_built(NULL, 0, 0.5f);
    bool state_seen = false;
    assert_null(m->look);
    assert_ok(fvi_model_look(m));
    const fv_context *look = m->look;
    for (int i = 0; i < m->n_nodes; i++) {
        for (int k = 0; k < m->node[i].n_weights; k++) {
            const fvi_weight *w = &m->node[i].weight[k];
            assert_int_equal(w->offset % 16, 0);
            assert_int_equal(w->is_state, w->offset >= m->trainable_floats);
            state_seen = state_seen || w->is_state;
        }
        assert_int_equal((uintptr_t)fvi_lane_y(look, look->lane, i) % 64, 0);
        assert_int_equal((uintptr_t)fvi_lane_dy(look, look->lane, i) % 64, 0);
        const size_t state_at = look->layout.state[i];
        assert_true(state_at == FVI_NOWHERE || state_at % 64 == 0);
    }
    assert_true(state_seen);
    assert_int_equal((uintptr_t)m->weights % 64, 0);
    /* No gradient is made where no weights stand before it; views share memory. */
    int flat = fv_model_find(m, "flatten");
    int below = m->node[flat].input[0];
    assert_null(fvi_lane_dy(look, look->lane, m->input));
    assert_ptr_equal(fvi_lane_y(look, look->lane, flat), fvi_lane_y(look, look->lane, below));
    assert_ptr_equal(fvi_lane_dy(look, look->lane, flat), fvi_lane_dy(look, look->lane, below));
    fv_model_free(m);
}

/* Prediction uses memory again: a chain of equal layers needs two of them, however long. */
static void test_predict_memory(void **state)
{
    (void)state;
    fv_model *m = fv_model_new("chain", &(fv_model_config){.without_training = true});
    fv_input(m, 16, 16, 4);
    for (int i = 0; i < 50; i++) {
        fv_relu(m, FV_LAST);
    }
    assert_ok(fv_model_build(m, FV_LAST, 8));
    float x[1024], y[1024];
    const float *out;
    fv_tensor view;
    size_t predict, one = 8u * 16 * 16 * 4 * sizeof(float);
    assert_ok(fvi_context_bytes(&predict, m, FVI_PREDICT));
    assert_true(predict < 3 * one * (size_t)m->threads);
    assert_int_equal(fv_model_activation(m, "re_lu_49", &view), FV_E_STATE);
    nets_fill(x, 1024, 1);
    assert_ok(fv_model_predict(m, y, x, 1));
    for (int i = 0; i < 1024; i++) {
        assert_true(y[i] == (x[i] > 0 ? x[i] : 0));
    }
    assert_int_equal(fv_model_forward(m, &out, x, 1, true), FV_E_STATE);
    assert_int_equal(fv_model_backward(m, y), FV_E_STATE);
    assert_ok(fv_model_forward(m, &out, x, 1, false));
    nets_same(out, y, 1024);
    assert_ok(fv_model_activation(m, "re_lu_49", &view));
    assert_int_equal(fv_model_activation(m, "re_lu_3", &view), FV_E_STATE);
    fv_model_free(m);
}

static fv_status oom_run(void)
{
    float y[3 * NETS_OUT], x[3 * NETS_IN] = {0};
    fv_context *context = NULL;
    fv_model *m = fv_model_new("oom", &(fv_model_config){.threads = 2});
    if (!m) return FV_E_MEMORY;
    fv_status status = fv_model_build(m, nets_residual(m, 0.3f), 2);
    if (status == FV_OK) status = fv_model_set_classes(m, (const char *[]){"a", "b"}, 2);
    if (status == FV_OK) status = fv_context_new(&context, m);
    if (status == FV_OK) status = fv_context_predict(context, y, x, 3);
    if (status == FV_OK) status = fv_model_predict_pixels(m, y, (const uint8_t *)x, 3);
    const float *out;
    if (status == FV_OK) status = fv_model_forward(m, &out, x, 2, true);
    if (status == FV_OK) status = fv_model_backward(m, y);
    fv_context_free(context);
    fv_model_free(m);
    return status;
}

/* The k-th allocation fails: an error and no leak; then none does, and all is well. */
static void test_out_of_memory(void **state)
{
    (void)state;
    long live = fvi_alloc_live(), before = fvi_alloc_count();
    assert_ok(oom_run());
    long all = fvi_alloc_count() - before, failures = 0;
    for (long k = 1; k <= all; k++) {
        fvi_alloc_fail_at(k);
        fv_status status = oom_run();
        fvi_alloc_fail_at(0);
        if (status != FV_OK) { /* a limit that cannot be read is no failure */
            assert_int_equal(status, FV_E_MEMORY);
            failures++;
        }
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(failures > all / 2);
    assert_ok(oom_run());
}

/* A build that ran out of memory may be tried again, and gives the same bits. */
static void test_build_again(void **state)
{
    (void)state;
    fv_model *whole = nets_built(NULL, 0, 0);
    for (long k = 1; k < 40; k++) {
        fv_model *m = fv_model_new("nets", NULL);
        int y = nets_residual(m, 0);
        fvi_alloc_fail_at(k);
        fv_status status = fv_model_build(m, y, 8);
        fvi_alloc_fail_at(0);
        if (status != FV_OK) assert_ok(fv_model_build(m, y, 8));
        nets_same(m->weights, whole->weights, whole->weight_floats);
        fv_model_free(m);
    }
    fv_model_free(whole);
}

/* The builders that no other network here has. */
static void test_rare_builders(void **state)
{
    (void)state;
    fv_model *m = fv_model_new(NULL, NULL);
    fv_input(m, 3, 2, 2);
    fv_global_maxpool2d(m, FV_LAST);
    fv_sigmoid(m, FV_LAST);
    assert_ok(fv_model_build(m, FV_LAST, 1));
    assert_int_equal(fv_model_head(m), FV_SIGMOID);
    const float x[12] = {0, 1, 2, -1, 0, -2, 0, -9, 1, -3, 0, -4};
    float y[2];
    assert_ok(fv_model_predict(m, y, x, 1));
    assert_float_equal(y[0], 1 / (1 + expf(-2)), 1e-6);
    assert_float_equal(y[1], 1 / (1 + expf(-1)), 1e-6);
    fv_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),          cmocka_unit_test(test_counts_lenet),
        cmocka_unit_test(test_automatic_names), cmocka_unit_test(test_many_layers),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_sticky),
        cmocka_unit_test(test_build_arguments), cmocka_unit_test(test_new_arguments),
        cmocka_unit_test(test_initial_weights), cmocka_unit_test(test_seed),
        cmocka_unit_test(test_blocks),          cmocka_unit_test(test_predict_memory),
        cmocka_unit_test(test_out_of_memory),   cmocka_unit_test(test_build_again),
        cmocka_unit_test(test_rare_builders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
