/* SPDX-License-Identifier: MIT */
/* The kernel table but for its tiles: every entry of every instruction set against double. */
#include "kernels_check.h"

#include "kernels/tile.h"

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
#if defined(__x86_64__)
    assert_non_null(fvi_kernels_select("sse2"));
#elif defined(__aarch64__)
    assert_non_null(fvi_kernels_select("neon"));
#elif defined(__wasm__) /* compiled with -msimd128 */
    assert_non_null(fvi_kernels_select("wasm128"));
#endif
}

/* What the conv_*.c files reserve for a tile holds every table's largest. */
static void test_tiles(void **state)
{
    (void)state;
    const fvi_kernels *k;
    for (int i = 0; (k = fvi_kernels_at(i, NULL)); ++i) {
        assert_in_range(k->tiles->rows_max, 1, FVI_TILE_ROWS_MAX);
        assert_in_range(k->tiles->lanes * k->tiles->vectors_max, 1, 32); /* WEIGHTS_PANEL */
    }
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
        k->sum(n, y, a, b, s % 2 == 0);
        for (size_t i = 0; i < n; ++i) {
            const double right = (double)a[i] + (double)b[i];
            assert_near(y[i], s % 2 == 0 ? fmax(right, 0) : right, 2, right);
        }
        k->multiply(n, y, a, b);
        for (size_t i = 0; i < n; ++i)
            assert_near(y[i], (double)a[i] * (double)b[i], 2, y[i]);
        free(y);
        y = copy(a, n);
        k->sum(n, y, y, b, false); /* in place */
        for (size_t i = 0; i < n; ++i)
            assert_near(y[i], (double)a[i] + (double)b[i], 2, y[i]);
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
        const bool is_added = s % 2 == 0;
        k->relu_gradient(n, dx, dy, x, p, is_added);
        for (size_t i = 0; i < n; ++i)
            old[i] = is_added ? old[i] : 0;
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
    k->relu_gradient(40, dx, dy, x, &capped, true);
    for (int i = 0; i < 40; ++i) {
        const int kind = i % 4;
        assert_true(kind == 0 ? isnan(y[i]) : kind == 1 ? y[i] == INFINITY : y[i] == 0);
        assert_true(dx[i] == 1);
    }
    k->sum(40, y, x, x, true); /* as plain ReLU does */
    for (int i = 0; i < 40; ++i)
        assert_true(i % 4 == 0 ? isnan(y[i]) : y[i] == (i % 4 == 1 ? INFINITY : 0));
    k->relu(40, y, x, &capped);
    assert_true(isnan(y[0]) && y[1] == 6 && y[2] == 0);
}

static void test_relu(void **state)
{
    (void)state;
    for_each_isa(check_relu);
    for_each_isa(check_relu_edges);
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

/* Moments and gradients of every size: a weight of 0 moves within 4 ulp of what it should. */
static void check_adam_sizes(const fvi_kernels *k)
{
    enum { N = 1 << 12 };
    static float w[N], g[N], m[N], v[N];
    const fvi_adam p = {0.01f, 0.9f, 0.999f, 0};
    for (int e = -60; e <= 60; ++e) {
        for (int i = 0; i < N; ++i) {
            g[i] = ldexpf(1 + (float)i / N, e);
            m[i] = -g[i] * 0.25f;
            v[i] = i % 3 ? g[i] * g[i] * (float)(i % 7) : 0;
            w[i] = 0;
        }
        assert_true(k->adam(N, w, g, m, v, &p));
        for (int i = 0; i < N; ++i) {
            const double right = -(double)p.rate * (double)m[i] / sqrt((double)v[i]);
            assert_near(w[i], right, 4, fabs(right));
        }
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

/* Gradients that have become 0: the means do so too, before they are too small to be computed with
   at speed; and tiny gradients leave nothing behind. */
static void check_dead_units(const fvi_kernels *k)
{
    enum { N = 20 };
    const fvi_adam adam = {0.01f, 0.5f, 0.5f, 1e-7f};
    const fvi_sgd sgd = {0.01f, 0.5f, false};
    float w[N] = {0}, g[N] = {0}, m[N], v[N], velocity[N];
    for (int i = 0; i < N; ++i)
        m[i] = velocity[i] = v[i] = 1;
    for (int step = 0; step < 120; ++step) {
        assert_true(k->adam(N, w, g, m, v, &adam));
        assert_true(k->sgd(N, w, g, velocity, &sgd));
        for (int i = 0; i < N; ++i) {
            assert_true(m[i] == 0 || isnormal(m[i]));
            assert_true(v[i] == 0 || isnormal(v[i]));
            assert_true(velocity[i] == 0 || isnormal(velocity[i]));
        }
    }
    for (int i = 0; i < N; ++i) {
        assert_true(m[i] == 0 && v[i] == 0 && velocity[i] == 0);
        g[i] = i % 2 ? 1e-40f : -1e-20f;
    }
    assert_true(k->adam(N, w, g, m, v, &adam));
    for (int i = 0; i < N; ++i)
        assert_true(v[i] == 0);
}

static void test_optimizers(void **state)
{
    (void)state;
    for_each_isa(check_sgd);
    for_each_isa(check_adam);
    for_each_isa(check_adam_sizes);
    for_each_isa(check_finite);
    for_each_isa(check_dead_units);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select),     cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_sums),       cmocka_unit_test(test_relu),

        cmocka_unit_test(test_optimizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
