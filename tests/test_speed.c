/* SPDX-License-Identifier: MIT */
/* Operations that a model takes, counted by hand, and the peak they are held against. Uses threads. */
#include "kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fovea/fovea.h"

static fv_model *speed_model(const char *recipe, const fv_model_config *config)
{
    fv_model *m = NULL;
    assert_int_equal(fv_model_from_recipe(&m, recipe, NULL, config), FV_OK);
    assert_int_equal(fv_model_build(m, FV_LAST, 2), FV_OK);
    return m;
}

static void check_flops(const char *recipe, double forward, double training)
{
    double flops = NAN;
    fv_model *m = speed_model(recipe, NULL);
    assert_int_equal(fv_model_flops(m, &flops, false), FV_OK);
    assert_true(fabs(flops - forward) < 0.5);
    assert_int_equal(fv_model_flops(m, &flops, true), FV_OK);
    assert_true(fabs(flops - training) < 0.5);
    fv_model_free(m);
}

static void test_operations_counted_by_hand(void **state)
{
    (void)state;
    /* LeNet-5: conv1 28*28*5*5*1*6, conv2 10*10*5*5*6*16, dense 400*120, 120*84, 84*10. */
    const double conv1 = 2.0 * 28 * 28 * 25 * 6, conv2 = 2.0 * 10 * 10 * 25 * 6 * 16;
    const double dense = 2.0 * (400 * 120 + 120 * 84 + 84 * 10);
    check_flops(fv_recipe_find("lenet5"), conv1 + conv2 + dense, 2 * conv1 + 3 * (conv2 + dense));
    /* A layer without weights in front does not give the first one a gradient to pass on, and one
       that is not a convolution counts nothing. */
    check_flops("x = Sequential([Input(shape=(8, 8, 2)), ZeroPadding2D(1), Conv2D(3, 3, strides=2),"
                "BatchNormalization(), ReLU(), Flatten(), Dense(1)])",
                2.0 * (4 * 4 * 9 * 2 * 3 + 48), 2.0 * (2 * 4 * 4 * 9 * 2 * 3 + 3 * 48));
    /* ... but normalisation in front has weights of its own. */
    check_flops("x = Sequential([Input(shape=(8, 8, 2)), BatchNormalization(), Conv2D(3, 3)])",
                2.0 * 6 * 6 * 9 * 2 * 3, 6.0 * 6 * 6 * 9 * 2 * 3);
    /* Of a group's channels, of one channel, and of one channel and then of all. */
    const double grouped = 2.0 * 6 * 6 * 9 * 2 * 6, depthwise = 2.0 * 4 * 4 * 9 * 6 * 2;
    const double separable = 2.0 * 2 * 2 * (9 * 12 + 12 * 5);
    check_flops("x = Sequential([Input(shape=(8, 8, 4)), Conv2D(6, 3, groups=2),"
                "DepthwiseConv2D(3, depth_multiplier=2), SeparableConv2D(5, 3)])",
                grouped + depthwise + separable, 2 * grouped + 3 * (depthwise + separable));
}

static void test_peak_is_a_speed(void **state)
{
    (void)state;
    const char *recipe = fv_recipe_find("signs");
    const fvi_kernels *k;
    bool is_usable;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); i++) {
        if (!is_usable) continue;
        for (int threads = 1; threads <= 2; threads++) {
            double gflops = NAN;
            fv_model *m =
                speed_model(recipe, &(fv_model_config){.threads = threads, .isa = k->isa});
            assert_string_equal(fv_model_isa(m), k->isa);
            assert_int_equal(fv_model_threads(m), threads);
            assert_int_equal(fv_model_peak(m, &gflops, 0.01), FV_OK);
            assert_true(gflops > 0.001 && gflops < 1e5); /* a sanitizer's build is slow */
            fv_model_free(m);
        }
    }
}

static void test_refusals(void **state)
{
    (void)state;
    double value;
    fv_model *m = speed_model(fv_recipe_find("signs"), NULL), *raw = fv_model_new("raw", NULL);
    assert_int_equal(fv_model_flops(NULL, &value, false), FV_E_ARG);
    assert_int_equal(fv_model_flops(m, NULL, false), FV_E_ARG);
    assert_int_equal(fv_model_flops(raw, &value, false), FV_E_STATE);
    assert_int_equal(fv_model_peak(NULL, &value, 0), FV_E_ARG);
    assert_int_equal(fv_model_peak(raw, &value, 0), FV_E_STATE);
    assert_int_equal(fv_model_peak(m, &value, -1), FV_E_ARG);
    assert_int_equal(fv_model_peak(m, &value, NAN), FV_E_ARG);
    assert_int_equal(fv_model_peak(m, &value, 61), FV_E_ARG);
    assert_string_equal(fv_model_isa(NULL), "");
    assert_int_equal(fv_model_threads(NULL), 0);
    fvi_alloc_fail_at(1);
    assert_int_equal(fv_model_flops(m, &value, false), FV_E_MEMORY);
    fvi_alloc_fail_at(0);
    fv_model_free(raw);
    fv_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_counted_by_hand),
        cmocka_unit_test(test_peak_is_a_speed),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
