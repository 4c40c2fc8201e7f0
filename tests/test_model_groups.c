/* SPDX-License-Identifier: MIT */
/* A small network of grouped, depthwise and separable convolutions: written as a recipe or in C,
   trained, saved, read again; whatever the threads. */
#include "model_nets.h"

#include "fovea/fovea.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define SIDE 16
#define CLASSES 10
#define BATCH 16

static const char recipe[] =
    "from tensorflow.keras import Input, Sequential\n"
    "from tensorflow.keras.layers import *\n"
    "small = Sequential([\n"
    "    Input(shape=(16, 16, 1)),\n"
    "    Conv2D(8, 3, strides=2, padding='same', use_bias=False),\n"
    "    BatchNormalization(),\n"
    "    ReLU(),\n"
    "    DepthwiseConv2D(3, padding='same', depth_multiplier=2, use_bias=False),\n"
    "    BatchNormalization(),\n"
    "    ReLU(6.0),\n"
    "    Conv2D(24, 1, groups=2, activation='relu'),\n"
    "    SeparableConv2D(32, (3, 3), strides=2, padding='same', activation='tanh'),\n"
    "    DepthwiseConv2D(3, (1, 1), 'valid', 1, activation='tanh'),\n"
    "    GlobalAveragePooling2D(),\n"
    "    Dense(10, activation='softmax'),\n"
    "])\n";

static fv_model *groups_model(int threads)
{
    fv_model *m = NULL;
    const fv_model_config config = {.seed = 5, .threads = threads};
    assert_ok(fv_model_from_recipe(&m, recipe, NULL, &config));
    assert_ok(fv_model_build(m, FV_LAST, BATCH));
    return m;
}

/* The same, by the builders. */
static fv_model *groups_built(void)
{
    fv_model *m = fv_model_new("small", &(fv_model_config){.seed = 5, .threads = 1});
    fv_input(m, SIDE, SIDE, 1);
    fv_conv2d(m, FV_LAST,
              &(fv_conv2d_config){.filters = 8,
                                  .kernel_size = {3},
                                  .strides = {2},
                                  .padding = FV_SAME,
                                  .without_bias = true});
    fv_batch_normalization(m, FV_LAST, NULL);
    fv_relu(m, FV_LAST);
    fv_depthwise_conv2d(
        m, FV_LAST,
        &(fv_depthwise_conv2d_config){
            .kernel_size = {3}, .padding = FV_SAME, .depth_multiplier = 2, .without_bias = true});
    fv_batch_normalization(m, FV_LAST, NULL);
    const int norm = fv_model_find(m, "batch_normalization_1");
    const fv_relu_config six = {.max_value = 6};
    fv_add(m, "ReLU", &norm, 1, &six, sizeof six);
    fv_conv2d(
        m, FV_LAST,
        &(fv_conv2d_config){.filters = 24, .kernel_size = {1}, .groups = 2, .activation = FV_RELU});
    fv_separable_conv2d(m, FV_LAST,
                        &(fv_separable_conv2d_config){.filters = 32,
                                                      .kernel_size = {3},
                                                      .strides = {2},
                                                      .padding = FV_SAME,
                                                      .activation = FV_TANH});
    fv_depthwise_conv2d(m, FV_LAST,
                        &(fv_depthwise_conv2d_config){.kernel_size = {3}, .activation = FV_TANH});
    fv_global_avgpool2d(m, FV_LAST);
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = CLASSES, .activation = FV_SOFTMAX});
    assert_ok(fv_model_build(m, FV_LAST, BATCH));
    return m;
}

static fv_dataset *groups_dataset(int n)
{
    fv_dataset *d = NULL;
    assert_ok(fv_dataset_open(&d, "made:digits", FV_TRAIN,
                              &(fv_dataset_config){.count = n, .height = SIDE, .width = SIDE}));
    return d;
}

static void groups_predict(fv_model *m, float y[2 * CLASSES])
{
    float x[2 * SIDE * SIDE];
    nets_fill(x, FVI_COUNT(x), 3);
    assert_ok(fv_model_predict(m, y, x, 2));
}

/* Parameters as Keras counts them: kernel [KH,KW,C/groups,F] or [KH,KW,C,M], then the bias. */
static void test_shapes_and_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *layer;
        size_t parameters;
        int h, w, c;
    } rows[] = {
        {"conv2d", 72, 8, 8, 8},
        {"depthwise_conv2d", 9 * 8 * 2, 8, 8, 16},
        {"conv2d_1", 8 * 24 + 24, 8, 8, 24},
        {"separable_conv2d", 9 * 24 + 24 * 32 + 32, 4, 4, 32},
        {"depthwise_conv2d_1", 9 * 32 + 32, 2, 2, 32},
    };
    fv_model *m = groups_model(1);
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        fv_layer_info info;
        const int id = fv_model_find(m, rows[i].layer);
        assert_true(id > 0);
        assert_ok(fv_model_layer(m, id, &info));
        assert_int_equal(info.parameters, rows[i].parameters);
        assert_true(info.output.rank == 3 && info.output.dim[0] == rows[i].h);
        assert_true(info.output.dim[1] == rows[i].w && info.output.dim[2] == rows[i].c);
    }
    size_t trainable = 0;
    const size_t all = fv_model_parameters(m, &trainable);
    assert_int_equal(all, trainable + 2 * 8 + 2 * 16);
    fv_model_free(m);
}

static void test_recipe_and_builders_agree(void **state)
{
    (void)state;
    float a[2 * CLASSES], b[2 * CLASSES];
    fv_model *m = groups_model(1), *built = groups_built();
    groups_predict(m, a);
    groups_predict(built, b);
    nets_same(a, b, FVI_COUNT(a));
    fv_model_free(m);
    fv_model_free(built);
}

static void test_it_learns_on_any_threads(void **state)
{
    (void)state;
    float y[3][2 * CLASSES];
    fv_dataset *d = groups_dataset(1000);
    for (int threads = 1; threads <= 3; threads++) {
        fv_model *m = groups_model(threads);
        fv_history history = {0};
        const fv_fit_config config = {
            .epochs = 4, .batch_size = BATCH, .optimizer.learning_rate = 0.01f, .seed = 2};
        assert_ok(fv_fit(m, &history, d, NULL, &config));
        assert_true(history.epochs[3].loss < 0.5 * history.epochs[0].loss);
        groups_predict(m, y[threads - 1]);
        nets_same(y[0], y[threads - 1], 2 * CLASSES);
        fv_history_free(&history);
        fv_model_free(m);
    }
    fv_dataset_free(d);
}

static void test_saved_and_read(void **state)
{
    (void)state;
    char path[100];
    float a[2 * CLASSES], b[2 * CLASSES];
    fv_model *m = groups_model(2), *again = NULL;
    fv_dataset *d = groups_dataset(64);
    fv_history history = {0};
    assert_ok(fv_fit(m, &history, d, NULL,
                     &(fv_fit_config){.epochs = 1, .batch_size = BATCH, .seed = 2}));
    groups_predict(m, a);
    snprintf(path, sizeof path, "test_model_groups_%d.safetensors", (int)getpid());
    assert_ok(fv_model_save(m, path));
    assert_ok(fv_model_load(&again, path, NULL));
    groups_predict(again, b);
    nets_same(a, b, FVI_COUNT(a));
    char *text = NULL, *text_again = NULL; /* every config came along */
    assert_ok(fv_model_summary(m, false, &text));
    assert_ok(fv_model_summary(again, false, &text_again));
    assert_string_equal(text, text_again);
    fv_tensor w;
    assert_ok(fv_model_weight(again, "depthwise_conv2d", "kernel", &w));
    assert_int_equal(w.shape.dim[3], 2);
    assert_ok(fv_model_weight(again, "separable_conv2d", "depthwise_kernel", &w));
    assert_ok(fv_model_weight(again, "separable_conv2d", "pointwise_kernel", &w));
    fv_free(text);
    fv_free(text_again);
    fv_history_free(&history);
    remove(path);
    fv_dataset_free(d);
    fv_model_free(m);
    fv_model_free(again);
}

/* Gradients of the whole network against differences of its loss, sum of y * v. */
static void test_gradients(void **state)
{
    (void)state;
    static const char *const weights[][2] = {
        {"conv2d", "kernel"},
        {"depthwise_conv2d", "kernel"},
        {"conv2d_1", "kernel"},
        {"separable_conv2d", "depthwise_kernel"},
        {"separable_conv2d", "pointwise_kernel"},
        {"separable_conv2d", "bias"},
        {"depthwise_conv2d_1", "kernel"},
        {"depthwise_conv2d_1", "bias"},
    };
    enum { N = 3 };
    fv_model *m = groups_model(1);
    float x[N * SIDE * SIDE], v[N * CLASSES];
    const float *y;
    nets_fill(x, FVI_COUNT(x), 1);
    nets_fill(v, FVI_COUNT(v), 2);
    for (size_t k = 0; k < FVI_COUNT(weights); k++) {
        fv_tensor w, g;
        assert_ok(fv_model_forward(m, &y, x, N, true));
        assert_ok(fv_model_backward(m, v));
        assert_ok(fv_model_weight(m, weights[k][0], weights[k][1], &w));
        assert_ok(fv_model_gradient(m, weights[k][0], weights[k][1], &g));
        float *value = w.data, *at = value + 5, kept = *at;
        const double gradient = (double)((const float *)g.data)[5], step = 2e-3;
        double sum[2] = {0};
        for (int side = 0; side < 2; side++) {
            *at = kept + (float)(side ? step : -step);
            assert_ok(fv_model_forward(m, &y, x, N, true));
            for (size_t i = 0; i < FVI_COUNT(v); i++)
                sum[side] += (double)y[i] * (double)v[i];
        }
        *at = kept;
        const double difference = (sum[1] - sum[0]) / (2 * step);
        if (fabs(difference - gradient) > 0.05 * fabs(difference) + 1e-4)
            fail_msg("%s.%s: %g, by differences %g", weights[k][0], weights[k][1], gradient,
                     difference);
    }
    fv_model_free(m);
}

/* The classes of a network that ends in SeparableConv2D. */
static void test_outputs(void **state)
{
    (void)state;
    fv_model *m = fv_model_new("end", NULL);
    fv_shape y;
    fv_input(m, 4, 4, 2);
    fv_separable_conv2d(m, FV_LAST,
                        &(fv_separable_conv2d_config){.filters = 3, .kernel_size = {3}});
    fv_softmax(m, fv_global_avgpool2d(m, FV_LAST));
    assert_ok(fv_model_set_outputs(m, 5));
    assert_ok(fv_model_build(m, FV_LAST, 1));
    assert_ok(fv_model_output_shape(m, &y));
    assert_int_equal(y.dim[0], 5);
    fv_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_and_parameters),
        cmocka_unit_test(test_recipe_and_builders_agree),
        cmocka_unit_test(test_it_learns_on_any_threads),
        cmocka_unit_test(test_saved_and_read),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
