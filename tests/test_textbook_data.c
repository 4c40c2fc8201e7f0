/* SPDX-License-Identifier: MIT */
/* The course's helpers: one-hot columns, mini-batches in numpy's order, pixels to numbers. */
#include "golden.h"

#include "fovea/textbook.h"

#include <math.h>
#include <string.h>

static void one_hot(void **state)
{
    (void)state;
    /* np.eye(C)[Y.reshape(-1)].T of the lecture's kind of example */
    const int y[] = {1, 2, 3, 0, 2, 1};
    const double expected[4][6] = {
        {0, 0, 0, 1, 0, 0}, {1, 0, 0, 0, 0, 1}, {0, 1, 0, 0, 1, 0}, {0, 0, 1, 0, 0, 0}};
    double hot[4][6];
    assert_int_equal(fv_tb_convert_to_one_hot(&hot[0][0], y, 6, 4), FV_OK);
    assert_memory_equal(hot, expected, sizeof hot);
    memset(hot, 7, sizeof hot);
    double before = hot[0][0];
    assert_int_equal(fv_tb_convert_to_one_hot(&hot[0][0], y, 6, 3), FV_E_ARG);
    assert_non_null(strstr(fv_error(), "label 3 of sample 2, expected 0 to 2"));
    assert_true(hot[0][0] == before);
    assert_int_equal(fv_tb_convert_to_one_hot(NULL, NULL, 0, 3), FV_OK);
    assert_int_equal(fv_tb_convert_to_one_hot(NULL, y, 1, 3), FV_E_ARG);
    assert_int_equal(fv_tb_convert_to_one_hot(&hot[0][0], y, 1, 0), FV_E_SHAPE);
}

/* The order of the course's run with 1,080 signs: epoch e shuffles with seed 4 + e. Source:
   rng.json, made with numpy 1.24. */
static void mini_batches(void **state)
{
    (void)state;
    static int order[1080];
    static const int first0[] = {858, 735, 964, 628, 303, 987, 354, 880, 919, 645};
    static const int first1[] = {795, 1033, 760, 958, 602};
    int batches;
    assert_int_equal(fv_tb_random_mini_batches(order, &batches, 1080, 64, 4), FV_OK);
    assert_int_equal(batches, 17); /* 16 of 64 and one of 56 */
    assert_memory_equal(order, first0, sizeof first0);
    long long sum = 0;
    for (int i = 0; i < 1080; i++)
        sum += (long long)i * order[i];
    assert_int_equal(sum, 313744476);
    assert_int_equal(fv_tb_random_mini_batches(order, NULL, 1080, 64, 5), FV_OK);
    assert_memory_equal(order, first1, sizeof first1);
    assert_int_equal(fv_tb_random_mini_batches(order, &batches, 1024, 64, 0), FV_OK);
    assert_int_equal(batches, 16);
    assert_int_equal(fv_tb_random_mini_batches(NULL, &batches, 0, 64, 0), FV_OK);
    assert_int_equal(batches, 0);
    assert_int_equal(fv_tb_random_mini_batches(NULL, &batches, 1, 64, 0), FV_E_ARG);
    assert_int_equal(fv_tb_random_mini_batches(order, &batches, 1, 0, 0), FV_E_SHAPE);
}

static void normalize(void **state)
{
    (void)state;
    const unsigned char pixels[] = {0, 51, 255};
    double y[3];
    assert_int_equal(fv_tb_normalize(y, pixels, 3), FV_OK);
    assert_true(y[0] == 0.0 && y[1] == 51 / 255.0 && y[2] == 1.0);
    assert_int_equal(fv_tb_normalize(NULL, pixels, 1), FV_E_ARG);
}

static void standardize(void **state)
{
    (void)state;
    /* two pictures of one pixel each in two channels: the second channel is constant */
    double x[] = {1, 5, 3, 5};
    assert_int_equal(fv_tb_standardize(x, x, 2, 1, 1, 2), FV_OK);
    assert_true(x[0] == -1.0 && x[2] == 1.0 && x[1] == 0.0 && x[3] == 0.0);
    double y[4 * 9 * 3], sum[3] = {0}, squares[3] = {0};
    for (int i = 0; i < 4 * 9 * 3; i++)
        y[i] = 100 + 7 * sin(i * 1.7) + i % 3;
    assert_int_equal(fv_tb_standardize(y, y, 4, 3, 3, 3), FV_OK);
    for (int i = 0; i < 4 * 9 * 3; i++) {
        sum[i % 3] += y[i];
        squares[i % 3] += y[i] * y[i];
    }
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(sum[c]) < 1e-10);
        assert_true(fabs(squares[c] / 36 - 1) < 1e-12);
    }
    assert_int_equal(fv_tb_standardize(NULL, NULL, 0, 3, 3, 3), FV_OK);
    assert_int_equal(fv_tb_standardize(y, NULL, 1, 3, 3, 3), FV_E_ARG);
    assert_int_equal(fv_tb_standardize(y, y, 1, 0, 3, 3), FV_E_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_hot),
        cmocka_unit_test(mini_batches),
        cmocka_unit_test(normalize),
        cmocka_unit_test(standardize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
