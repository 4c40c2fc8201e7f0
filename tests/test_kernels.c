/* SPDX-License-Identifier: MIT */
/* The kernel table but for its tiles: every entry of every instruction set against double. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t size_list[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 1000};
static const int channel_list[] = {1, 2, 3, 4, 7, 8, 10, 16, 17, 33, 64, 65, 130};

static uint64_t random_at; /* position in the test's stream of numbers */

static int random_int(int below)
{
    return fvi_rng_int(1, FVI_RNG_TEST, 0, random_at++, below);
}

/* n numbers in a block of exact size, some of them zero, some equal. */
static float *random_floats(size_t n)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; ++i) {
        const double value = fvi_rng_normal(1, FVI_RNG_TEST, 1, random_at++);
        const int kind = random_int(10);
        p[i] = kind == 0 ? 0.0f : kind == 1 ? 1.0f : (float)value;
    }
    return p;
}

static float *copy(const float *from, size_t n)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    if (n > 0) memcpy(p, from, n * sizeof *p);
    return p;
}

/* |value - right| <= units rounding errors of size */
#define assert_near(value, right, units, size)                                                     \
    do {                                                                                           \
        const double got = (double)(value), want = (right);                                        \
        const double most = (units) * (double)FLT_EPSILON / 2 * fabs(size) + (double)FLT_MIN;      \
        if (!(fabs(got - want) <= most))                                                           \
            fail_msg("%s:%d: %.9g, not %.9g +- %.3g", k->isa, __LINE__, got, want, most);          \
    } while (0)

static void for_each_isa(void (*check)(const fvi_kernels *k))
{
    bool is_usable;
    const fvi_kernels *k;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        random_at = 0;
        if (is_usable) check(k);
    }
}

/* ---- choosing ---- */

static void test_select(void **state)
{
    (void)state;
    bool is_usable = false;
    assert_string_equal(fvi_kernels_at(0, &is_usable)->isa, "generic");
    assert_true(is_usable);
    assert_null(fvi_kernels_at(-1, NULL));
    assert_null(fvi_kernels_at(1000, NULL));
    assert_null(fvi_kernels_select("abacus"));
    assert_non_null(strstr(fv_error(), "abacus"));
    const fvi_kernels *best = NULL, *k;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        assert_ptr_equal(fvi_kernels_select(k->isa), is_usable ? k : NULL);
        if (is_usable) best = k;
    }
    assert_ptr_equal(fvi_kernels_select(NULL), best);
}

/* ---- element by element ---- */

static void check_sums(const fvi_kernels *k)
{
    for (size_t s = 0; s < FVI_COUNT(size_list); ++s) {
        const size_t n = size_list[s];
        float *a = random_floats(n), *b = random_floats(n), *c = random_floats(n);
        float *y = copy(c, n);
        k->add(n, y, a);
        for (size_t i = 0; i < n; ++i)
            assert_near(y[i], (double)c[i] + (double)a[i], 2, y[i]);
        k->multiply(n, y, a, b);
        for (size_t i = 0; i < n; ++i)
            assert_near(y[i], (double)a[i] * (double)b[i], 2, y[i]);
        free(y);
        y = copy(a, n);
        k->multiply(n, y, y, b); /* in place */
        for (size_t i = 0; i < n; ++i)
            assert_near(y[i], (double)a[i] * (double)b[i], 2, y[i]);
        free(y);
        y = copy(c, n);
        k->multiply_add(n, y, a, b);
        for (size_t i = 0; i < n; ++i) {
            const double product = (double)a[i] * (double)b[i];
            assert_near(y[i], (double)c[i] + product, 4, fabs((double)c[i]) + fabs(product));
        }
        free(a);
        free(b);
        free(c);
        free(y);
    }
}

static void test_sums(void **state)
{
    (void)state;
    for_each_isa(check_sums);
}

static double relu_value(double x, const fvi_relu *p)
{
    if (x >= (double)p->max) return (double)p->max;
    if (x >= (double)p->threshold) return x;
    return p->slope == 0 ? 0 : (double)p->slope * (x - (double)p->threshold);
}

static double relu_slope(double x, const fvi_relu *p)
{
    return x >= (double)p->max ? 0 : x > (double)p->threshold ? 1 : (double)p->slope;
}

static void check_relu(const fvi_kernels *k)
{
    const fvi_relu list[] = {{0, 0, INFINITY}, {0, 0, 1},           {0.25f, 0, INFINITY},
                             {0.25f, 0.5f, 1}, {0, 1.0f, INFINITY}, {0.3f, -1, 2}};
    for (size_t s = 0; s < FVI_COUNT(size_list) * FVI_COUNT(list); ++s) {
        const size_t n = size_list[s / FVI_COUNT(list)];
        const fvi_relu *p = &list[s % FVI_COUNT(list)];
        float *x = random_floats(n), *dy = random_floats(n), *dx = random_floats(n);
        float *y = copy(x, n), *old = copy(dx, n);
        k->relu(n, y, y, p); /* in place */
        k->relu_gradient(n, dx, dy, x, p);
        for (size_t i = 0; i < n; ++i) {
            const double part = (double)dy[i] * relu_slope((double)x[i], p);
            assert_near(y[i], relu_value((double)x[i], p), 4, fabs((double)y[i]));
            assert_near(dx[i], (double)old[i] + part, 4, fabs((double)old[i]) + fabs(part));
        }
        memcpy(y, x, n * sizeof *y);
        k->relu(n, y, x, &list[0]);
        memcpy(dx, dy, n * sizeof *dx);
        k->clip_gradient(n, dx, y);
        for (size_t i = 0; i < n; ++i)
            assert_true(dx[i] == (x[i] > 0 ? dy[i] : 0));
        free(x);
        free(y);
        free(dy);
        free(dx);
        free(old);
    }
}

static void check_relu_edges(const fvi_kernels *k)
{
    float x[40], y[40], dx[40], dy[40];
    const float edge[] = {NAN, INFINITY, -INFINITY, -0.0f};
    const fvi_relu plain = {0, 0, INFINITY}, capped = {0, 0, 6};
    for (int i = 0; i < 40; ++i) {
        x[i] = edge[i % 4];
        dy[i] = i % 4 == 1 ? 2.0f : INFINITY; /* must not become NaN where the slope is 0 */
        dx[i] = 1;
    }
    k->relu(40, y, x, &plain);
    k->relu_gradient(40, dx, dy, x, &capped);
    for (int i = 0; i < 40; ++i) {
        const int kind = i % 4;
        assert_true(kind == 0 ? isnan(y[i]) : kind == 1 ? y[i] == INFINITY : y[i] == 0);
        assert_true(dx[i] == 1);
    }
    k->relu(40, y, x, &capped);
    assert_true(isnan(y[0]) && y[1] == 6 && y[2] == 0);
}

static void test_relu(void **state)
{
    (void)state;
    for_each_isa(check_relu);
    for_each_isa(check_relu_edges);
}

/* ---- sigmoid, tanh, softmax ---- */

/* Over every size of argument, both signs. */
static void check_curves(const fvi_kernels *k)
{
    enum { N = 20011 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y), *t = malloc(N * sizeof *t);
    assert_true(x && y && t);
    for (int i = 0; i < N; ++i) {
        const double size =
            ldexp(1 + fvi_rng_uniform(2, FVI_RNG_TEST, 2, (uint64_t)i), i % 60 - 40);
        x[i] = (float)(i % 3 ? size : -size);
        if (i % 2) x[i] = (float)(fvi_rng_normal(2, FVI_RNG_TEST, 3, (uint64_t)i) * 8);
    }
    k->sigmoid(N, y, x);
    memcpy(t, x, N * sizeof *t);
    k->tanh(N, t, t); /* in place */
    for (int i = 0; i < N; ++i) {
        const double right = 1 / (1 + exp(-(double)x[i]));
        assert_near(y[i], right, 8, right);
        assert_near(t[i], tanh((double)x[i]), 8, tanh((double)x[i]));
    }
    const float edge[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f, 1e30f, -1e30f, FLT_MIN, -FLT_MIN};
    k->sigmoid(9, y, edge);
    k->tanh(9, t, edge);
    assert_true(isnan(y[0]) && y[1] == 1 && y[2] == 0 && y[3] == 0.5f && y[5] == 1 && y[6] == 0);
    assert_true(isnan(t[0]) && t[1] == 1 && t[2] == -1 && t[3] == 0 && t[5] == 1 && t[6] == -1);
    assert_true(t[7] == FLT_MIN && t[8] == -FLT_MIN);
    free(x);
    free(y);
    free(t);
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
    for_each_isa(check_curve_gradients);
}

static void test_softmax(void **state)
{
    (void)state;
    for_each_isa(check_softmax);
}

/* ---- batch normalisation ---- */

static void check_channel_sums(const fvi_kernels *k, size_t rows, size_t C)
{
    const size_t n = rows * C;
    float *x = random_floats(n), *dy = random_floats(n), *shift = random_floats(C);
    float *inv = random_floats(C);
    double *a = malloc(C * sizeof *a), *b = malloc(C * sizeof *b);
    assert_true(a && b);
    k->channel_sums(rows, (int)C, a, b, x, shift);
    for (size_t c = 0; c < C; ++c) {
        double sum = 0, sum_sq = 0, size = 0;
        for (size_t r = 0; r < rows; ++r) {
            const double d = (double)x[r * C + c] - (double)shift[c];
            sum += d;
            size += fabs(d);
            sum_sq += d * d;
        }
        assert_near(a[c], sum, 600, size);
        assert_near(b[c], sum_sq, 600, sum_sq);
    }
    k->channel_gradient_sums(rows, (int)C, a, b, dy, x, shift, inv);
    for (size_t c = 0; c < C; ++c) {
        double sum = 0, size = 0, product = 0, product_size = 0;
        for (size_t r = 0; r < rows; ++r) {
            const double d = (double)dy[r * C + c];
            const double hat = ((double)x[r * C + c] - (double)shift[c]) * (double)inv[c];
            sum += d;
            size += fabs(d);
            product += d * hat;
            product_size += fabs(d * hat);
        }
        assert_near(a[c], sum, 600, size);
        assert_near(b[c], product, 600, product_size);
    }
    free(x);
    free(dy);
    free(shift);
    free(inv);
    free(a);
    free(b);
}

static void check_channel_maps(const fvi_kernels *k, size_t rows, size_t C)
{
    const size_t n = rows * C;
    float *x = random_floats(n), *dy = random_floats(n), *dx = random_floats(n), *y = copy(x, n);
    float *a = random_floats(C), *b = random_floats(C), *c = random_floats(C), *old = copy(dx, n);
    k->channel_affine(rows, (int)C, y, x, a, b);
    k->channel_gradient(rows, (int)C, dx, dy, x, a, b, c);
    for (size_t i = 0; i < n; ++i) {
        const double sa = (double)a[i % C], sb = (double)b[i % C], sc = (double)c[i % C];
        const double v = (double)x[i], d = (double)dy[i], from = (double)old[i];
        assert_near(y[i], v * sa + sb, 4, fabs(v * sa) + fabs(sb));
        assert_near(dx[i], from + sa * d + sb * v + sc, 8,
                    fabs(from) + fabs(sa * d) + fabs(sb * v) + fabs(sc));
    }
    free(x);
    free(dy);
    free(dx);
    free(y);
    free(a);
    free(b);
    free(c);
    free(old);
}

static void check_channels(const fvi_kernels *k)
{
    static const size_t row_list[] = {0, 1, 2, 5, 255, 257, 600};
    for (size_t s = 0; s < FVI_COUNT(channel_list); ++s) {
        for (size_t r = 0; r < FVI_COUNT(row_list); ++r) {
            check_channel_sums(k, row_list[r], (size_t)channel_list[s]);
            check_channel_maps(k, row_list[r] % 20, (size_t)channel_list[s]);
        }
    }
}

static void test_channels(void **state)
{
    (void)state;
    for_each_isa(check_channels);
}

/* ---- pooling ---- */

static fvi_pool random_pool(void)
{
    fvi_pool p = {.H = 1 + random_int(9), .W = 1 + random_int(9)};
    p.C = channel_list[random_int((int)FVI_COUNT(channel_list))];
    p.KH = 1 + random_int(p.H);
    p.KW = 1 + random_int(p.W);
    p.SH = 1 + random_int(4);
    p.SW = 1 + random_int(4);
    p.pad_top = random_int(p.KH);
    p.pad_left = random_int(p.KW);
    /* Every window holds a pixel: the last one starts inside. */
    p.OH = 1 + random_int((p.H - 1 + p.pad_top) / p.SH + 1);
    p.OW = 1 + random_int((p.W - 1 + p.pad_left) / p.SW + 1);
    return p;
}

/* Right answers for one channel of one window: the values in order, then each pass. */
static void check_window(const fvi_kernels *k, const fvi_pool *p, size_t out, const float *x,
                         const float *max, const float *average, const float *dy, double *dmax,
                         double *daverage)
{
    const int c = (int)(out % (size_t)p->C), ow = (int)(out / (size_t)p->C) % p->OW;
    const int oh = (int)(out / (size_t)p->C) / p->OW;
    double best = -INFINITY, sum = 0, size = 0;
    int at = -1, count = 0, place[81];
    for (int i = 0; i < p->KH * p->KW; ++i) {
        const int h = oh * p->SH - p->pad_top + i / p->KW, w = ow * p->SW - p->pad_left + i % p->KW;
        if (h < 0 || h >= p->H || w < 0 || w >= p->W) continue;
        place[count] = (h * p->W + w) * p->C + c;
        const double v = (double)x[place[count]];
        if (v > best) {
            best = v;
            at = place[count];
        }
        ++count;
        sum += v;
        size += fabs(v);
    }
    assert_true((double)max[out] == best);
    assert_near(average[out], sum / count, count + 2, size / count);
    dmax[at] += (double)dy[out];
    for (int i = 0; i < count; ++i)
        daverage[place[i]] += (double)dy[out] / count;
}

static void check_pool(const fvi_kernels *k)
{
    for (int round = 0; round < 250; ++round) {
        const fvi_pool p = random_pool();
        const size_t n = (size_t)(p.H * p.W * p.C), out = (size_t)(p.OH * p.OW * p.C);
        float *x = random_floats(n), *dy = random_floats(out);
        float *max = copy(dy, out), *average = copy(dy, out);
        float *dmax = random_floats(n), *daverage = copy(dmax, n);
        double *right_max = malloc(n * sizeof(double)), *right_average = malloc(n * sizeof(double));
        assert_true(right_max && right_average);
        for (size_t i = 0; i < n; ++i)
            right_max[i] = right_average[i] = (double)dmax[i];
        k->max_pool(&p, max, x);
        k->average_pool(&p, average, x);
        k->max_pool_gradient(&p, dmax, dy, x, max);
        k->average_pool_gradient(&p, daverage, dy);
        for (size_t i = 0; i < out; ++i)
            check_window(k, &p, i, x, max, average, dy, right_max, right_average);
        for (size_t i = 0; i < n; ++i) { /* up to 81 windows meet in a pixel */
            assert_near(dmax[i], right_max[i], 200, 20.0);
            assert_near(daverage[i], right_average[i], 200, 20.0);
        }
        free(x);
        free(dy);
        free(max);
        free(average);
        free(dmax);
        free(daverage);
        free(right_max);
        free(right_average);
    }
}

static void check_pool_nan(const fvi_kernels *k)
{
    const fvi_pool p = {2, 2, 1, 2, 2, 1, 1, 0, 0, 1, 1};
    for (int i = 0; i < 4; ++i) {
        float x[4] = {1, 2, 3, 4}, y;
        x[i] = NAN;
        k->max_pool(&p, &y, x);
        assert_true(isnan(y));
    }
    const float low[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, dy = 1;
    float y, dx[4] = {0};
    k->max_pool(&p, &y, low);
    k->max_pool_gradient(&p, dx, &dy, low, &y);
    assert_true(y == -INFINITY && dx[0] == 1 && dx[1] == 0 && dx[3] == 0);
}

static void test_pool(void **state)
{
    (void)state;
    for_each_isa(check_pool);
    for_each_isa(check_pool_nan);
}

/* ---- optimizers ---- */

static void check_sgd(const fvi_kernels *k)
{
    for (size_t s = 0; s < 3 * FVI_COUNT(size_list); ++s) {
        const size_t n = size_list[s / 3];
        const fvi_sgd p = {0.1f, s % 3 ? 0.9f : 0.0f, s % 3 == 2};
        float *w = random_floats(n), *g = random_floats(n), *v = random_floats(n);
        float *old = copy(w, n), *old_v = copy(v, n);
        assert_true(k->sgd(n, w, g, s % 3 ? v : NULL, &p));
        for (size_t i = 0; i < n; ++i) {
            const double step = 0.1 * (double)g[i], from = (double)old[i];
            const double fresh = s % 3 ? 0.9 * (double)old_v[i] - step : -step;
            const double move = p.nesterov ? 0.9 * fresh - step : fresh;
            assert_near(w[i], from + move, 12, fabs(from) + fabs((double)old_v[i]) + fabs(step));
            if (s % 3) assert_near(v[i], fresh, 12, fabs((double)old_v[i]) + fabs(step));
        }
        free(w);
        free(g);
        free(v);
        free(old);
        free(old_v);
    }
}

static void check_adam(const fvi_kernels *k)
{
    const fvi_adam p = {0.01f, 0.9f, 0.999f, 1e-7f};
    for (size_t s = 0; s < FVI_COUNT(size_list); ++s) {
        const size_t n = size_list[s];
        float *w = random_floats(n), *g = random_floats(n), *m = random_floats(n);
        float *v = random_floats(n), *old = copy(w, n), *old_m = copy(m, n);
        k->multiply(n, v, v, v); /* a mean of squares */
        float *old_v = copy(v, n);
        assert_true(k->adam(n, w, g, m, v, &p));
        for (size_t i = 0; i < n; ++i) {
            const double d = (double)g[i], beta_1 = (double)p.beta_1, beta_2 = (double)p.beta_2;
            const double first = (double)old_m[i] * beta_1 + d * (1 - beta_1);
            const double second = (double)old_v[i] * beta_2 + d * d * (1 - beta_2);
            const double size = fabs((double)old_m[i]) + fabs(d);
            const double by = (double)p.rate / (sqrt((double)v[i]) + (double)p.epsilon);
            assert_near(m[i], first, 8, size);
            assert_near(v[i], second, 8, fabs((double)old_v[i]) + d * d);
            assert_near(w[i], (double)old[i] - (double)m[i] * by, 12,
                        fabs((double)old[i]) + fabs((double)m[i] * by));
        }
        free(w);
        free(g);
        free(m);
        free(v);
        free(old);
        free(old_m);
        free(old_v);
    }
}

/* One bad gradient, at any place, is seen, and the pass is finished all the same. */
static void check_finite(const fvi_kernels *k)
{
    enum { N = 70 };
    const fvi_adam adam = {0.01f, 0.9f, 0.999f, 1e-7f};
    const fvi_sgd sgd = {0.5f, 0, false};
    for (int bad = 0; bad < 3 * N; ++bad) {
        float g[N], w[N], m[N] = {0}, v[N] = {0};
        for (int i = 0; i < N; ++i)
            g[i] = w[i] = 1;
        g[bad / 3] = bad % 3 == 0 ? NAN : bad % 3 == 1 ? INFINITY : -INFINITY;
        assert_false(k->is_finite(N, g));
        assert_true(k->is_finite((size_t)(bad / 3), g));
        assert_false(k->sgd(N, w, g, NULL, &sgd));
        assert_true(w[(bad / 3 + 1) % N] == 0.5f);
        assert_false(k->sgd(N, w, g, m, &sgd));
        for (int i = 0; i < N; ++i)
            w[i] = 1;
        memset(m, 0, sizeof m);
        assert_false(k->adam(N, w, g, m, v, &adam));
        assert_true(w[(bad / 3 + 1) % N] < 1);
    }
    float big[3] = {FLT_MAX, FLT_MAX, -FLT_MAX}, push[3] = {0, -FLT_MAX, 0};
    const fvi_sgd one = {1, 0, false};
    assert_true(k->is_finite(3, big));
    assert_true(k->is_finite(0, NULL));
    assert_false(k->sgd(3, big, push, NULL, &one)); /* a weight overflows */
}

static void test_optimizers(void **state)
{
    (void)state;
    for_each_isa(check_sgd);
    for_each_isa(check_adam);
    for_each_isa(check_finite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),  cmocka_unit_test(test_sums),
        cmocka_unit_test(test_relu),    cmocka_unit_test(test_curves),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_channels),
        cmocka_unit_test(test_pool),    cmocka_unit_test(test_optimizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
