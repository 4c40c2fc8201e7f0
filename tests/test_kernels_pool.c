/* SPDX-License-Identifier: MIT */
/* Pooling on every usable instruction set against plain loops in double. */
#include "kernels_check.h"

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
    if (random_int(3) > 0) return p;
    p.SH = p.KH; /* windows side by side, as most are */
    p.SW = p.KW;
    p.OH = (p.H + p.pad_top - 1) / p.KH + 1;
    p.OW = (p.W + p.pad_left - 1) / p.KW + 1;
    return p;
}

/* Right answers for one channel of one window: the values in order, then each pass. */
static void check_window(const fvi_kernels *k, const fvi_pool *p, size_t out, const float *x,
                         const float *max, const float *average, const float *dy, bool is_clipped,
                         double *dmax, double *daverage)
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
    if (!is_clipped || best > 0) dmax[at] += (double)dy[out];
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
        const bool is_added = round % 2 == 0, is_clipped = round % 4 > 1;
        for (size_t i = 0; i < n; ++i)
            right_max[i] = right_average[i] = is_added ? (double)dmax[i] : 0;
        k->max_pool(&p, max, x);
        k->average_pool(&p, average, x);
        k->max_pool_gradient(&p, dmax, dy, x, max, is_added, is_clipped);
        k->average_pool_gradient(&p, daverage, dy, is_added);
        for (size_t i = 0; i < out; ++i)
            check_window(k, &p, i, x, max, average, dy, is_clipped, right_max, right_average);
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
    k->max_pool_gradient(&p, dx, &dy, low, &y, true, false);
    assert_true(y == -INFINITY && dx[0] == 1 && dx[1] == 0 && dx[3] == 0);
}

static void test_pool(void **state)
{
    (void)state;
    for_each_isa(check_pool);
    for_each_isa(check_pool_nan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
