/* SPDX-License-Identifier: MIT */
/* Who takes whom along. That it changes nothing of what a network gives is tested on drawn ones in
   test_model_layout.c. */
#include "model_nets.h"

#include <math.h>

/* Weights may be written between two calls, also those that others are folded into. */
static void test_folded_weights_follow(void **state)
{
    (void)state;
    float x[48], y[3][48];
    fv_tensor w;
    fv_model *m = fv_model_new("fold", NULL);
    fv_input(m, 4, 4, 3);
    fv_conv2d(m, FV_LAST,
              &(fv_conv2d_config){.filters = 3, .kernel_size = {3, 3}, .padding = FV_SAME});
    fv_batch_normalization(m, FV_LAST, NULL);
    assert_ok(fv_model_build(m, FV_LAST, 1));
    assert_true(m->context->layout.norm[1] == 2);
    nets_fill(x, 48, 1);
    assert_ok(fv_model_predict(m, y[0], x, 1));
    assert_ok(fv_model_weight(m, "batch_normalization", "gamma", &w));
    ((float *)w.data)[1] = 3;
    assert_ok(fv_model_weight(m, "conv2d", "bias", &w));
    ((float *)w.data)[2] = 5;
    assert_ok(fv_model_predict(m, y[1], x, 1));
    const float scale = 1 / sqrtf(1.001f);
    for (int i = 0; i < 48; i++) {
        const float expected = i % 3 == 1   ? 3 * y[0][i]
                               : i % 3 == 2 ? y[0][i] + 5 * scale
                                            : y[0][i];
        assert_true(fabsf(y[1][i] - expected) < 1e-5f);
    }
    fv_model_free(m);
}

/* Who is taken along and who is not. */
static void test_who_is_taken_along(void **state)
{
    (void)state;
    const fv_conv2d_config conv = {.filters = 2, .kernel_size = {3, 3}, .padding = FV_SAME};
    fv_conv2d_config bent = conv;
    bent.activation = FV_TANH;
    fv_model *m = fv_model_new("along", NULL);
    int in = fv_input(m, 6, 6, 2);
    int first = fv_conv2d(m, in, &conv), relu = fv_relu(m, fv_flatten(m, first));
    int tanh = fv_conv2d(m, in, &bent), over_tanh = fv_relu(m, tanh);
    int twice = fv_conv2d(m, in, &conv), over_twice = fv_relu(m, twice);
    int norm = fv_batch_normalization(m, fv_conv2d(m, in, &conv), NULL);
    int slope = fv_add(m, "ReLU", &norm, 1, &(fv_relu_config){.negative_slope = 0.5f},
                       sizeof(fv_relu_config));
    int ends[5] = {relu, fv_flatten(m, over_tanh), fv_flatten(m, over_twice), fv_flatten(m, twice),
                   fv_flatten(m, slope)};
    fv_concatenate(m, ends, 5, NULL);
    assert_ok(fv_model_build(m, FV_LAST, 1));
    const fvi_layout *predict = &m->context->layout;
    assert_true(predict->clips[first] && !predict->is_run[relu]);
    assert_int_equal(predict->home[first], relu);
    assert_true(!predict->clips[tanh] && predict->is_run[over_tanh]);
    assert_true(!predict->clips[twice] && predict->is_run[over_twice]);
    assert_true(predict->norm[norm - 1] == norm && !predict->clips[norm - 1]);
    assert_true(!predict->is_run[norm] && predict->is_run[slope]);
    fvi_layout train;
    assert_ok(fvi_layout_make(&train, m, FVI_TRAIN));
    assert_true(train.clips[first] && train.norm[norm - 1] < 0 && train.is_run[norm]);
    fvi_layout_free(&train);
    fv_model_free(m);
}

/* Conv2D, then one of a sum and one of ReLU(6) behind it; the sum's other input comes before. */
static void test_sums_and_limits(void **state)
{
    (void)state;
    const fv_conv2d_config conv = {.filters = 16, .kernel_size = {3, 3}, .padding = FV_SAME};
    const fv_relu_config six = {.max_value = 6};
    fv_model *m = fv_model_new("sums", NULL);
    const int in = fv_input(m, 6, 6, 16), first = fv_conv2d(m, in, &conv);
    const int limited = fv_add(m, "ReLU", &first, 1, &six, sizeof six);
    const int depthwise = fv_depthwise_conv2d(
        m, in, &(fv_depthwise_conv2d_config){.kernel_size = {3, 3}, .padding = FV_SAME});
    const int beside = fv_add(m, "ReLU", &depthwise, 1, &six, sizeof six);
    const int norm = fv_batch_normalization(m, fv_conv2d(m, limited, &conv), NULL);
    const int sum = fv_sum(m, limited, norm), relu = fv_relu(m, sum);
    const int again = fv_batch_normalization(m, fv_conv2d(m, relu, &conv), NULL);
    const int before = fv_sum(m, again, relu); /* a sum first, then what could be folded */
    const int behind = fv_batch_normalization(m, before, NULL);
    const int twice = fv_conv2d(m, behind, &conv), both = fv_sum(m, twice, twice);
    const int four[4] = {both, fv_conv2d(m, both, &conv), behind, beside};
    const int all = fv_add(m, "Add", four, 4, NULL, 0);
    fv_flatten(m, all);
    assert_ok(fv_model_build(m, FV_LAST, 2));
    const fvi_layout *layout = &m->context->layout;
    assert_true(layout->clips[first] && layout->most[first] == 6 && !layout->is_run[limited]);
    assert_true(layout->most[depthwise] == 6 && !layout->is_run[beside]);
    assert_true(layout->adds[norm - 1] == limited && layout->clips[norm - 1]);
    assert_true(!layout->is_run[sum] && !layout->is_run[relu] && layout->most[norm - 1] == 0);
    assert_true(layout->adds[again - 1] == relu && !layout->is_run[before]);
    assert_true(layout->is_run[behind] && layout->is_run[both] && layout->is_run[all]);
    fvi_layout train;
    assert_ok(fvi_layout_make(&train, m, FVI_TRAIN));
    for (int i = 0; i < m->n_nodes; i++)
        assert_true(train.adds[i] < 0 && train.most[i] == 0);
    fvi_layout_free(&train);
    fv_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded_weights_follow),
        cmocka_unit_test(test_who_is_taken_along),
        cmocka_unit_test(test_sums_and_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
