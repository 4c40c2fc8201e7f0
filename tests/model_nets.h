/* SPDX-License-Identifier: MIT */
/* Small networks and numbers that several tests of models share. */
#ifndef TEST_MODEL_NETS_H
#define TEST_MODEL_NETS_H

#include "model/model_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        fv_status assert_status = (call);                                                          \
        if (assert_status != FV_OK) fail_msg("%s: %s", #call, fv_error());                         \
    } while (0)

#define NETS_H 12
#define NETS_W 10
#define NETS_C 3
#define NETS_IN ((size_t)NETS_H * NETS_W * NETS_C)
#define NETS_OUT 4

/* Numbers in [-1, 1), a pure function of (stream, index). */
static inline void nets_fill(float *x, size_t n, uint32_t stream)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(2 * fvi_rng_uniform(7, FVI_RNG_TEST, stream, i) - 1);
    }
}

/* Conv2D, MaxPooling2D, Flatten, Dense: each on the one before, by FV_LAST or by ids. */
static inline int nets_plain(fv_model *m, bool by_ids)
{
    int x = fv_input(m, NETS_H, NETS_W, NETS_C);
    x = fv_conv2d(
        m, by_ids ? x : FV_LAST,
        &(fv_conv2d_config){
            .filters = 5, .kernel_size = {3, 3}, .padding = FV_SAME, .activation = FV_RELU});
    x = fv_maxpool2d(m, by_ids ? x : FV_LAST, NULL);
    x = fv_flatten(m, by_ids ? x : FV_LAST);
    return fv_dense(m, by_ids ? x : FV_LAST,
                    &(fv_dense_config){.units = NETS_OUT, .activation = FV_SOFTMAX});
}

/* Branches, a sum, a join, batch statistics, dropout when rate > 0, a layer used twice, and a view
   in the middle. Smooth everywhere, so that differences make sense. */
static inline int nets_residual(fv_model *m, float rate)
{
    fv_conv2d_config same = {.name = "stem",
                             .filters = 6,
                             .kernel_size = {3, 3},
                             .padding = FV_SAME,
                             .activation = FV_TANH};
    int x = fv_input(m, NETS_H, NETS_W, NETS_C);
    int stem = fv_conv2d(m, x, &same);
    int norm = fv_batch_normalization(m, stem, &(fv_batch_normalization_config){.name = "norm"});
    same.name = "inner";
    int inner = fv_conv2d(m, norm, &same);
    int sum = fv_sum(m, inner, stem);
    int pool = fv_avgpool2d(m, sum, &(fv_pool2d_config){.name = "pool"});
    int twice = fv_sum(m, pool, pool);
    if (rate > 0) twice = fv_dropout(m, twice, rate);
    int flat = fv_flatten(m, twice);
    int mean = fv_global_avgpool2d(m, stem);
    int joined = fv_concatenate(m, (int[]){flat, mean, flat}, 3, NULL);
    return fv_dense(
        m, joined, &(fv_dense_config){.name = "head", .units = NETS_OUT, .activation = FV_SOFTMAX});
}

/* A built residual network; batch 0: 8. */
static inline fv_model *nets_built(const fv_model_config *config, int batch, float rate)
{
    fv_model *m = fv_model_new("nets", config);
    assert_non_null(m);
    assert_ok(fv_model_build(m, nets_residual(m, rate), batch ? batch : 8));
    return m;
}

static inline void nets_same(const float *a, const float *b, size_t n)
{
    assert_memory_equal(a, b, n * sizeof *a);
}

#endif
