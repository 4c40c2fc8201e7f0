/* SPDX-License-Identifier: MIT */
/* All but the tiles and Adam gives the same bits on every instruction set: nothing there is fused or
   reordered. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 4096 /* floats of an array; channels times rows stay below */

typedef struct same_arrays {
    float a[SIZE], b[SIZE], c[SIZE], d[SIZE];
    double sum[SIZE], sum_sq[SIZE];
} same_arrays;

static same_arrays *same_new(void)
{
    same_arrays *t = calloc(1, sizeof *t);
    assert_non_null(t);
    float *all[] = {t->a, t->b, t->c, t->d};
    for (uint32_t i = 0; i < 4; ++i) {
        for (size_t j = 0; j < SIZE; ++j)
            all[i][j] = (float)(3 * fvi_rng_normal(4, FVI_RNG_TEST, i, j));
    }
    for (size_t j = 0; j < SIZE; ++j)
        t->d[j] = fabsf(t->d[j]);
    return t;
}

static void run_elements(const fvi_kernels *k, same_arrays *t, int C)
{
    const size_t n = (size_t)C * 3 + 1; /* ends inside a vector for most C */
    const fvi_relu leaky = {0.1f, 0.5f, 2};
    k->multiply_add(n, t->a, t->b, t->c);
    k->multiply(n, t->b, t->b, t->c);
    k->add(n, t->c, t->a);
    k->sum(n, t->d, t->a, t->c, C % 2 == 0);
    k->relu(n, t->d, t->a, &leaky);
    k->relu_gradient(n, t->b, t->c, t->a, &leaky, C % 2 == 0);
    k->sigmoid(n, t->a, t->c);
    k->sigmoid_gradient(n, t->b, t->a);
    k->tanh(n, t->a, t->c);
    k->tanh_gradient(n, t->c, t->a);
    k->clip_gradient(n, t->c, t->b);
    t->sum[0] = k->binary_logits(n, t->a, t->b, t->d, 0.1f);
    k->log(n, t->b, t->a);
}

static void run_rows(const fvi_kernels *k, same_arrays *t, int C)
{
    const size_t rows = (size_t)(SIZE / C);
    const fvi_pool pool = {5, 6, C, 3, 2, 2, 1, 1, 0, 3, 5};
    k->channel_sums(rows, C, t->sum, t->sum_sq, t->a, t->b);
    const fvi_affine affine = {t->d, t->b}, *clip = C % 4 < 2 ? &affine : NULL;
    k->channel_affine(rows, C, t->a, t->c, t->d, t->b, C % 2 == 0);
    k->channel_gradient(rows, C, t->a, t->b, t->c, t->d, t->b, t->d, clip, C % 2 == 0);
    k->channel_gradient_sums(rows, C, t->sum, t->sum_sq, t->a, t->b, t->c, t->d, clip);
    k->softmax(rows, C, t->a, t->b);
    k->softmax_gradient(rows, C, t->c, t->a);
    if (5 * 6 * C > SIZE) return;
    k->max_pool(&pool, t->a, t->sum, t->b, C % 3 == 0);
    k->max_pool_gradient(&pool, t->c, t->d, t->sum, C % 2 == 0);
    k->average_pool(&pool, t->a, t->b);
    k->average_pool_gradient(&pool, t->b, t->a, C % 2 == 0);
}

static void run_optimizers(const fvi_kernels *k, same_arrays *t, int C)
{
    const size_t n = (size_t)C * 3 + 1;
    const fvi_sgd sgd = {0.1f, 0.9f, true};
    assert_true(k->sgd(n, t->a, t->b, t->c, &sgd));
    assert_true(k->sgd(n, t->a, t->b, NULL, &sgd));
}

static void test_same(void **state)
{
    (void)state;
    static void (*const run_list[])(const fvi_kernels *k, same_arrays *t,
                                    int C) = {run_elements, run_rows, run_optimizers};
    bool is_usable;
    const fvi_kernels *k, *generic = fvi_kernels_at(0, NULL);
    for (int i = 1; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        for (size_t j = 0; is_usable && j < FVI_COUNT(run_list); ++j) {
            for (int C = 1; C < 140; C += C < 40 ? 1 : 13) {
                same_arrays *one = same_new(), *two = same_new();
                run_list[j](generic, one, C);
                run_list[j](k, two, C);
                if (memcmp(one, two, sizeof *one) != 0)
                    fail_msg("%s and generic differ: list %zu, %d channels", k->isa, j, C);
                free(one);
                free(two);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
