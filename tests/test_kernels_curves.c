/* SPDX-License-Identifier: MIT */
/* exp and what rests on it, on every usable instruction set: against the double functions of the
   system, over every exponent of a float. */
#include "kernels_check.h"

#include <stdio.h>

#define EXPONENTS 255 /* of finite floats, 0 being the subnormal ones */
#define ULPS 2.0      /* errors stay below */

/* ---- sigmoid, tanh, exp ---- */

/* How many numbers of one exponent and sign are tried: many where the curves bend. */
static int tries(int exponent)
{
    return exponent > 127 - 15 && exponent < 127 + 8 ? 4096 : 256;
}

static void fill(float *x, int exponent, bool is_negative)
{
    static const uint32_t ends[] = {0, 1, 2, 0x7fffff, 0x7ffffe, 0x400000, 0x3fffff, 0x400001};
    for (int i = 0; i < tries(exponent); ++i) {
        const uint32_t mantissa =
            (size_t)i < FVI_COUNT(ends) ? ends[i] : (uint32_t)random_int(1 << 23);
        const uint32_t bits = (is_negative ? 0x80000000u : 0) | (uint32_t)exponent << 23 | mantissa;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

/* |y - right| in units of the last place of right. Below the normal numbers there is nothing but
   0: an error there is one of the least normal number. */
static double error_of(float y, double right)
{
    int exponent;
    if (right == 0 || (fabs(right) < (double)FLT_MIN && fabs((double)y) < (double)FLT_MIN))
        return fabs((double)y - right) <= (double)FLT_MIN ? 0 : INFINITY;
    frexp(right, &exponent);
    return fabs((double)y - right) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static void check_curves(const fvi_kernels *k)
{
    enum { MOST = 4096 };
    float x[MOST + 1], y[MOST + 1];
    double worst_sigmoid = 0, worst_tanh = 0, worst_exp = 0;
    for (int half = 0; half < 2 * EXPONENTS; ++half) {
        const int n = tries(half / 2);
        fill(x, half / 2, half % 2 == 1);
        k->sigmoid((size_t)n, y, x);
        for (int i = 0; i < n; ++i)
            worst_sigmoid = fmax(worst_sigmoid, error_of(y[i], sigmoid((double)x[i])));
        memcpy(y, x, sizeof y);
        k->tanh((size_t)n, y, y); /* in place */
        for (int i = 0; i < n; ++i) {
            const double right = tanh((double)x[i]);
            worst_tanh =
                fmax(worst_tanh, fabs(right) < (double)FLT_MIN ? (y[i] == x[i] ? 0 : INFINITY)
                                                               : error_of(y[i], right));
        }
        if (half % 2 == 0) continue;
        x[n] = 0; /* the largest */
        float max;
        double sum = 0;
        const double got = k->exp_row((size_t)n + 1, y, x, &max);
        for (int i = 0; i < n; ++i)
            worst_exp = fmax(worst_exp, error_of(y[i], exp((double)x[i])));
        for (int i = 0; i <= n; ++i)
            sum += (double)y[i];
        assert_true(max == 0 && y[n] == 1 && fabs(got - sum) <= 1e-12 * sum);
        assert_true(k->exp_row((size_t)n + 1, NULL, x, &max) == got);
    }
    printf("%-8s exp %.2f, sigmoid %.2f, tanh %.2f ulp\n", k->isa, worst_exp, worst_sigmoid,
           worst_tanh);
    assert_true(worst_exp <= ULPS && worst_sigmoid <= ULPS && worst_tanh <= ULPS);
}

static void check_edges(const fvi_kernels *k)
{
    const float edge[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f, 1e30f, -1e30f, FLT_MIN, -FLT_MIN};
    float y[9], t[9], max;
    k->sigmoid(9, y, edge);
    k->tanh(9, t, edge);
    assert_true(isnan(y[0]) && y[1] == 1 && y[2] == 0 && y[3] == 0.5f && y[5] == 1 && y[6] == 0);
    assert_true(isnan(t[0]) && t[1] == 1 && t[2] == -1 && t[3] == 0 && t[5] == 1 && t[6] == -1);
    assert_true(signbit(t[3]) && !signbit(t[4]));
    assert_true(t[7] == FLT_MIN && t[8] == -FLT_MIN);
    const float row[3] = {3e38f, -3e38f, -INFINITY}, bad[3] = {0, NAN, 1}, over[2] = {INFINITY, 0};
    assert_true(k->exp_row(3, y, row, &max) == 1 && max == 3e38f);
    assert_true(y[0] == 1 && y[1] == 0 && y[2] == 0);
    assert_true(isnan(k->exp_row(3, NULL, bad, &max)));
    assert_true(isnan(k->exp_row(2, NULL, over, &max)) && max == INFINITY);
}

static void check_curve_gradients(const fvi_kernels *k)
{
    for (size_t s = 0; s < FVI_COUNT(size_list); ++s) {
        const size_t n = size_list[s];
        float *y = random_floats(n), *dz = random_floats(n), *old = copy(dz, n);
        k->sigmoid_gradient(n, dz, y);
        for (size_t i = 0; i < n; ++i) {
            const double v = (double)y[i], right = (double)old[i] * v * (1 - v);
            assert_near(dz[i], right, 6, (1 + fabs(v)) * fabs(v) * (double)old[i]);
        }
        if (n > 0) memcpy(dz, old, n * sizeof *dz);
        k->tanh_gradient(n, dz, y);
        for (size_t i = 0; i < n; ++i) {
            const double v = (double)y[i], right = (double)old[i] * (1 - v * v);
            assert_near(dz[i], right, 6, (1 + v * v) * (double)old[i]);
        }
        free(y);
        free(dz);
        free(old);
    }
}

static void check_softmax_row(const fvi_kernels *k, size_t C, const float *x, const float *y)
{
    double max = (double)x[0], sum = 0;
    for (size_t c = 0; c < C; ++c)
        max = fmax(max, (double)x[c]);
    for (size_t c = 0; c < C; ++c)
        sum += exp((double)x[c] - max);
    for (size_t c = 0; c < C; ++c) {
        const double right = exp((double)x[c] - max) / sum;
        assert_near(y[c], right, 8 + 2 * (max - (double)x[c]), right);
    }
}

static void check_softmax(const fvi_kernels *k)
{
    for (size_t s = 0; s < FVI_COUNT(channel_list); ++s) {
        const size_t C = (size_t)channel_list[s], rows = 5;
        float *x = random_floats(rows * C), *dz = random_floats(rows * C);
        for (size_t i = 0; i < rows * C; ++i)
            x[i] = x[i] * (float)(i / C + 1) + (i / C == 2 ? 500.0f : 0.0f);
        float *y = copy(x, rows * C), *old = copy(dz, rows * C);
        k->softmax(rows, (int)C, y, y); /* in place */
        k->softmax_gradient(rows, (int)C, dz, y);
        for (size_t r = 0; r < rows; ++r) {
            const float *p = y + r * C, *top = old + r * C;
            double sum = 0, size = 0;
            check_softmax_row(k, C, x + r * C, p);
            for (size_t c = 0; c < C; ++c) {
                sum += (double)p[c] * (double)top[c];
                size += fabs((double)p[c] * (double)top[c]);
            }
            for (size_t c = 0; c < C; ++c) {
                const double v = (double)p[c], d = (double)top[c];
                assert_near(dz[r * C + c], v * (d - sum), 8, v * (fabs(d) + size));
            }
        }
        free(x);
        free(y);
        free(dz);
        free(old);
    }
    float wide[3] = {1000, -1000, 999}, poisoned[3] = {1, NAN, 2};
    k->softmax(1, 3, wide, wide);
    assert_true(wide[1] == 0 && fabsf(wide[0] + wide[2] - 1) < 1e-6f);
    k->softmax(1, 3, poisoned, poisoned);
    assert_true(isnan(poisoned[0]) && isnan(poisoned[1]) && isnan(poisoned[2]));
}

static void test_curves(void **state)
{
    (void)state;
    for_each_isa(check_curves);
    for_each_isa(check_edges);
    for_each_isa(check_curve_gradients);
}

static void test_softmax(void **state)
{
    (void)state;
    for_each_isa(check_softmax);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_curves),
                                       cmocka_unit_test(test_softmax)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
