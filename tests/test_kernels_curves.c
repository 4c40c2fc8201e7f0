/* SPDX-License-Identifier: MIT */
/* exp, log and what rests on them, on every usable instruction set: against the double functions of
   the system, over every exponent of a float. */
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

/* |y - right| in units of the last place of size. */
static double error_against(float y, double right, double size)
{
    int exponent;
    frexp(size, &exponent);
    return fabs((double)y - right) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* ... of right. Below the normal numbers there is nothing but 0: an error there is one of the least
   normal number. */
static double error_of(float y, double right)
{
    if (right == 0 || (fabs(right) < (double)FLT_MIN && fabs((double)y) < (double)FLT_MIN))
        return fabs((double)y - right) <= (double)FLT_MIN ? 0 : INFINITY;
    return error_against(y, right, right);
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

/* ---- log ---- */

static void check_log(const fvi_kernels *k)
{
    enum { MOST = 4096, STEP = 61 };
    float x[MOST], y[MOST];
    double worst = 0;
    for (int exponent = 0; exponent < EXPONENTS; ++exponent) {
        const int n = tries(exponent);
        fill(x, exponent, false);
        k->log((size_t)n, y, x);
        for (int i = 0; i < n; ++i) /* 0 is among check_log_edges' */
            if (x[i] > 0) worst = fmax(worst, error_of(y[i], log((double)x[i])));
        fill(x, exponent, true);
        k->log((size_t)n, y, x);
        for (int i = 0; i < n; ++i)
            assert_true(x[i] < 0 ? isnan(y[i]) : y[i] == -INFINITY);
    }
    /* From 1/2 to 2, where the result goes through 0. */
    for (uint32_t at = 0x3f000000; at < 0x40000000; at += MOST * STEP) {
        for (uint32_t i = 0; i < MOST; ++i) {
            const uint32_t bits = at + i * STEP;
            memcpy(&x[i], &bits, sizeof bits);
        }
        k->log(MOST, y, x);
        for (int i = 0; i < MOST; ++i)
            worst = fmax(worst, error_of(y[i], log((double)x[i])));
    }
    printf("%-8s log %.2f ulp\n", k->isa, worst);
    assert_true(worst <= 1);
}

static void check_log_edges(const fvi_kernels *k)
{
    const float edge[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 1, -1, -1e-45f, 1e-45f};
    float y[9];
    k->log(9, y, edge);
    assert_true(isnan(y[0]) && y[1] == INFINITY && isnan(y[2]));
    assert_true(y[3] == -INFINITY && y[4] == -INFINITY);
    assert_true(y[5] == 0 && !signbit(y[5]) && isnan(y[6]) && isnan(y[7]));
    assert_true(fabs((double)y[8] + 149 * log(2)) < 1e-5);
    for (size_t s = 0; s < FVI_COUNT(size_list); ++s) {
        const size_t n = size_list[s];
        float *x = random_floats(n + 1), *z = copy(x, n + 1), one;
        k->log(n, z, z); /* in place */
        assert_memory_equal(&z[n], &x[n], sizeof *z);
        for (size_t i = 0; i < n; ++i) {
            k->log(1, &one, &x[i]);
            assert_memory_equal(&one, &z[i], sizeof one);
        }
        free(x);
        free(z);
    }
}

/* ---- binary cross-entropy ---- */

#define LOSS_ULPS 2.0
#define GRADIENT_ULPS 3.0

static float some_target(int i)
{
    static const float list[] = {0, 1, 0.5f, 0.1f, 1e-30f, 1 - FLT_EPSILON / 2};
    const size_t kind = (size_t)i % (FVI_COUNT(list) + 2);
    return kind < FVI_COUNT(list) ? list[kind] : (float)random_int(1 << 24) / (float)(1 << 24);
}

static double binary_loss(double z, double t)
{
    return fabs(z) * (z < 0 ? t : 1 - t) + log1p(exp(-fabs(z)));
}

static double binary_gradient(double z, double t)
{
    const double e = exp(-fabs(z)), ratio = e / (1 + e);
    return z < 0 ? ratio - t : 1 - t - ratio;
}

/* Between 0 and 1 a target is near the probability for some logits: there the gradient is as good as
   the larger of what it is the difference of. */
static double gradient_error(float d, double z, double t)
{
    const double right = binary_gradient(z, t), share = z < 0 ? t : 1 - t;
    return t == 0 || t == 1 ? error_of(d, right)
                            : error_against(d, right, fmax(share, fabs(right)));
}

static void check_binary(const fvi_kernels *k)
{
    enum { MOST = 4096 };
    float z[MOST], t[MOST], d[MOST], one;
    double worst_loss = 0, worst_d = 0;
    for (int half = 0; half < 2 * EXPONENTS; ++half) {
        const int n = tries(half / 2);
        double sum = 0;
        fill(z, half / 2, half % 2 == 1);
        for (int i = 0; i < n; ++i)
            t[i] = some_target(i + half);
        const double got = k->binary_logits((size_t)n, d, z, t, 1);
        for (int i = 0; i < n; ++i) {
            const double loss = k->binary_logits(1, &one, &z[i], &t[i], 1);
            assert_memory_equal(&one, &d[i], sizeof one);
            worst_loss =
                fmax(worst_loss, error_of((float)loss, binary_loss((double)z[i], (double)t[i])));
            worst_d = fmax(worst_d, gradient_error(d[i], (double)z[i], (double)t[i]));
            sum += loss;
        }
        assert_true(fabs(got - sum) <= 1e-12 * sum);
        assert_true(k->binary_logits((size_t)n, NULL, z, t, 1) == got);
        assert_true(k->binary_logits((size_t)n, z, z, t, 0.25f) == got); /* in place */
        for (int i = 0; i < n; ++i)
            assert_true(z[i] == 0.25f * d[i]);
    }
    printf("%-8s loss %.2f, gradient %.2f ulp\n", k->isa, worst_loss, worst_d);
    assert_true(worst_loss <= LOSS_ULPS && worst_d <= GRADIENT_ULPS);
}

/* A logit that is not finite shows in the sum wherever it stands. */
static void check_binary_edges(const fvi_kernels *k)
{
    const float bad[] = {NAN, INFINITY, -INFINITY}, target[] = {0, 1, 0.5f};
    float z[40], t[40], d[40];
    for (int i = 0; i < 3 * 3 * 40; ++i) {
        const int at = i % 40, kind = i / 40 % 3;
        memset(z, 0, sizeof z);
        memset(t, 0, sizeof t);
        z[at] = bad[kind];
        t[at] = target[i / 120];
        assert_true(!isfinite(k->binary_logits(40, d, z, t, 1)));
        assert_true(kind == 0 ? isnan(d[at]) : d[at] == (float)(kind == 1) - t[at]);
    }
    const float wide[] = {3e38f, -3e38f, 100, -100}, right[] = {1, 0, 1, 0};
    const float wrong[] = {0, 1, 0, 1};
    assert_true(k->binary_logits(4, d, wide, right, 1) == 0);
    assert_true(d[0] == 0 && d[1] == 0 && d[2] == 0 && d[3] == 0);
    assert_true(k->binary_logits(4, d, wide, wrong, 1) == 2 * (double)3e38f + 200);
    assert_true(d[0] == 1 && d[1] == -1 && d[2] == 1 && d[3] == -1);
    assert_true(k->binary_logits(0, NULL, NULL, NULL, 1) == 0);
}

/* ---- the rest ---- */

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

static void test_log(void **state)
{
    (void)state;
    for_each_isa(check_log);
    for_each_isa(check_log_edges);
}

static void test_binary_crossentropy(void **state)
{
    (void)state;
    for_each_isa(check_binary);
    for_each_isa(check_binary_edges);
}

static void test_softmax(void **state)
{
    (void)state;
    for_each_isa(check_softmax);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_curves), cmocka_unit_test(test_log),
                                       cmocka_unit_test(test_binary_crossentropy),
                                       cmocka_unit_test(test_softmax)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
