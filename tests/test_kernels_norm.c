/* SPDX-License-Identifier: MIT */
/* Batch normalisation's loops on every usable instruction set against plain loops in double. */
#include "kernels_check.h"

/* One case: arrays of exact size, coefficients by channel. */
typedef struct norm_case {
    const fvi_kernels *k;
    size_t rows, C, n;
    float *x, *dy, *a, *b, *c, *scale, *offset;
    double *sum, *product;
    const fvi_affine *clip; /* scale and offset, or NULL */
    fvi_affine affine;
} norm_case;

static void case_begin(norm_case *t, const fvi_kernels *k, size_t rows, size_t C, bool is_clipped)
{
    const size_t n = rows * C;
    *t = (norm_case){.k = k, .rows = rows, .C = C, .n = n};
    float **all[] = {&t->a, &t->b, &t->c, &t->scale, &t->offset};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        *all[i] = random_floats(C);
    t->x = random_floats(n);
    t->dy = random_floats(n);
    t->sum = malloc(C * sizeof(double));
    t->product = malloc(C * sizeof(double));
    assert_true(t->sum && t->product);
    t->affine = (fvi_affine){t->scale, t->offset};
    t->clip = is_clipped ? &t->affine : NULL;
}

static void case_end(norm_case *t)
{
    void *all[] = {t->x, t->dy, t->a, t->b, t->c, t->scale, t->offset, t->sum, t->product};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        free(all[i]);
}

/* y as the kernels compute it, in two roundings: its sign decides. */
static float case_y(const norm_case *t, size_t i)
{
    const volatile float product = t->x[i] * t->scale[i % t->C];
    return product + t->offset[i % t->C];
}

static double case_dy(const norm_case *t, size_t i)
{
    return !t->clip || case_y(t, i) > 0 ? (double)t->dy[i] : 0;
}

static void check_sums(const norm_case *t)
{
    const fvi_kernels *k = t->k;
    k->channel_sums(t->rows, (int)t->C, t->sum, t->product, t->x, t->a);
    for (size_t c = 0; c < t->C; ++c) {
        double sum = 0, squares = 0, size = 0;
        for (size_t i = c; i < t->n; i += t->C) {
            const double d = (double)t->x[i] - (double)t->a[c];
            sum += d;
            size += fabs(d);
            squares += d * d;
        }
        assert_near(t->sum[c], sum, 300, size);
        assert_near(t->product[c], squares, 300, squares);
    }
    k->channel_gradient_sums(t->rows, (int)t->C, t->sum, t->product, t->dy, t->x, t->a, t->b,
                             t->clip);
    for (size_t c = 0; c < t->C; ++c) {
        double sum = 0, size = 0, product = 0, product_size = 0;
        for (size_t i = c; i < t->n; i += t->C) {
            const double d = case_dy(t, i);
            const double hat = ((double)t->x[i] - (double)t->a[c]) * (double)t->b[c];
            sum += d;
            size += fabs(d);
            product += d * hat;
            product_size += fabs(d * hat);
        }
        assert_near(t->sum[c], sum, 300, size);
        assert_near(t->product[c], product, 300, product_size);
    }
}

static void check_maps(const norm_case *t, bool is_added)
{
    const fvi_kernels *k = t->k;
    float *y = copy(t->x, t->n), *dx = random_floats(t->n), *old = copy(dx, t->n);
    const int C = (int)t->C;
    k->channel_affine(t->rows, C, y, t->x, t->scale, t->offset, t->clip != NULL);
    for (size_t i = 0; i < t->n; ++i) {
        const float right = case_y(t, i);
        assert_true(y[i] == (t->clip && right < 0 ? 0 : right));
    }
    k->channel_gradient(t->rows, C, dx, t->dy, t->x, t->a, t->b, t->c, t->clip, is_added);
    for (size_t i = 0; i < t->n; ++i) {
        const double a = (double)t->a[i % t->C], b = (double)t->b[i % t->C];
        const double c = (double)t->c[i % t->C], d = case_dy(t, i), x = (double)t->x[i];
        const double from = is_added ? (double)old[i] : 0;
        assert_near(dx[i], from + a * d + b * x + c, 8,
                    fabs(from) + fabs(a * d) + fabs(b * x) + fabs(c));
    }
    if (!is_added && t->n > 0) {
        memcpy(y, t->dy, t->n * sizeof *y); /* in place */
        k->channel_gradient(t->rows, C, y, y, t->x, t->a, t->b, t->c, t->clip, false);
        assert_memory_equal(y, dx, t->n * sizeof *y);
    }
    free(y);
    free(dx);
    free(old);
}

static void check_channels(const fvi_kernels *k)
{
    static const size_t row_list[] = {0, 1, 2, 5, 255, 257, 600, 8193};
    static const size_t more[] = {6, 12, 20, 32, 48, 63};
    const size_t count = FVI_COUNT(channel_list) + FVI_COUNT(more);
    for (size_t s = 0; s < count * FVI_COUNT(row_list); ++s) {
        const size_t at = s / FVI_COUNT(row_list), rows = row_list[s % FVI_COUNT(row_list)];
        const size_t C = at < FVI_COUNT(channel_list) ? (size_t)channel_list[at]
                                                      : more[at - FVI_COUNT(channel_list)];
        if (rows * C > 100000) continue;
        for (int way = 0; way < 4; ++way) {
            norm_case t;
            case_begin(&t, k, rows, C, way % 2 == 1);
            check_sums(&t);
            check_maps(&t, way > 1);
            case_end(&t);
        }
    }
}

/* A NaN stays one, in y and in the sums; what is 0 passes nothing. */
static void check_edges(const fvi_kernels *k)
{
    float x[40], y[40], dx[40], dy[40];
    const float edge[] = {NAN, INFINITY, -INFINITY, 0}, one = 1, zero = 0;
    const fvi_affine same = {&one, &zero};
    double sum, product;
    for (int i = 0; i < 40; ++i) {
        x[i] = edge[i % 4];
        dy[i] = 2;
    }
    k->channel_affine(40, 1, y, x, &one, &zero, true);
    for (int i = 0; i < 40; ++i)
        assert_true(i % 4 == 0 ? isnan(y[i]) : y[i] == (i % 4 == 1 ? INFINITY : 0));
    k->channel_gradient_sums(40, 1, &sum, &product, dy, x, &zero, &one, &same);
    assert_true(sum == 20 && isnan(product));
    k->channel_sums(40, 1, &sum, &product, x, &zero);
    assert_true(isnan(sum) && isnan(product));
    for (int i = 0; i < 40; ++i)
        x[i] = i % 2 ? 0.0f : 1.0f;
    k->channel_gradient(40, 1, dx, dy, x, &one, &zero, &zero, &same, false);
    for (int i = 0; i < 40; ++i)
        assert_true(dx[i] == (i % 2 ? 0 : 2));
}

static void test_channels(void **state)
{
    (void)state;
    for_each_isa(check_channels);
    for_each_isa(check_edges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_channels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
