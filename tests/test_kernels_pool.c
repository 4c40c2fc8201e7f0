/* SPDX-License-Identifier: MIT */
/* Pooling on every usable instruction set against plain loops in double. */
#include "kernels_check.h"

/* ---- pooling ---- */

#define WINDOW_MOST 361 /* elements inside an image below */

/* Mostly small images; some large ones with few channels, whose windows may have more elements than
   a byte can number; half of the windows 2x2, as most are. */
static fvi_pool random_pool(void)
{
    const int side = random_int(6) == 0 ? 19 : 9;
    fvi_pool p = {.H = 1 + random_int(side), .W = 1 + random_int(side)};
    p.C = channel_list[random_int((int)FVI_COUNT(channel_list) - (side > 9 ? 4 : 0))];
    p.KH = 1 + random_int(p.H);
    p.KW = 1 + random_int(p.W);
    if (random_int(2) == 0 && p.H > 1 && p.W > 1) p.KH = p.KW = 2;
    if (side > 9 && random_int(4) == 0) {
        p.KH = p.H = 15 + random_int(5);
        p.KW = p.W = 15 + random_int(5);
    }
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

/* One case: what the kernels gave, and what is right. */
typedef struct pool_case {
    const fvi_kernels *k;
    fvi_pool p;
    size_t n, outs; /* floats of the image, of the output */
    bool is_added, is_clipped;
    float *x, *dy, *max, *average, *dmax, *daverage;
    unsigned char *place;
    double *right_max, *right_average; /* gradients */
} pool_case;

static size_t case_place(const pool_case *t, size_t out)
{
    if (fvi_pool_place_bytes(&t->p) == 1)
        return t->place[out] == UINT8_MAX ? SIZE_MAX : t->place[out];
    uint32_t place;
    memcpy(&place, t->place + 4 * out, sizeof place);
    return place == UINT32_MAX ? SIZE_MAX : place;
}

/* Right answers for one channel of one window: the values in order, then each pass. */
static void check_window(const pool_case *t, size_t out)
{
    const fvi_kernels *k = t->k;
    const fvi_pool *p = &t->p;
    const int c = (int)(out % (size_t)p->C), ow = (int)(out / (size_t)p->C) % p->OW;
    const int oh = (int)(out / (size_t)p->C) / p->OW;
    double best = -INFINITY, sum = 0, size = 0;
    size_t number = SIZE_MAX;
    int at = -1, count = 0, place[WINDOW_MOST + 1];
    for (int i = 0; i < p->KH * p->KW; ++i) {
        const int h = oh * p->SH - p->pad_top + i / p->KW, w = ow * p->SW - p->pad_left + i % p->KW;
        if (h < 0 || h >= p->H || w < 0 || w >= p->W) continue;
        assert_true(count <= WINDOW_MOST);
        place[count] = (h * p->W + w) * p->C + c;
        const double v = (double)t->x[place[count]];
        if (v > best) {
            best = v;
            at = place[count];
            number = (size_t)i;
        }
        ++count;
        sum += v;
        size += fabs(v);
    }
    const bool is_dead = t->is_clipped && !(best > 0);
    assert_true((double)t->max[out] == best);
    assert_true(case_place(t, out) == (is_dead ? SIZE_MAX : number));
    assert_near(t->average[out], sum / count, count + 2, size / count);
    if (!is_dead) t->right_max[at] += (double)t->dy[out];
    for (int i = 0; i < count; ++i)
        t->right_average[place[i]] += (double)t->dy[out] / count;
}

static void case_begin(pool_case *t, const fvi_kernels *k, int round)
{
    *t = (pool_case){.k = k, .p = random_pool()};
    const fvi_pool *p = &t->p;
    t->n = (size_t)(p->H * p->W * p->C);
    t->outs = (size_t)(p->OH * p->OW * p->C);
    t->is_added = round % 2 == 0;
    t->is_clipped = round % 4 > 1;
    t->x = random_floats(t->n);
    t->dy = random_floats(t->outs);
    t->max = copy(t->dy, t->outs);
    t->average = copy(t->dy, t->outs);
    t->dmax = random_floats(t->n);
    t->daverage = copy(t->dmax, t->n);
    t->place = malloc(t->outs * fvi_pool_place_bytes(p));
    t->right_max = malloc(t->n * sizeof(double));
    t->right_average = malloc(t->n * sizeof(double));
    assert_true(t->place && t->right_max && t->right_average);
    for (size_t i = 0; i < t->n; ++i)
        t->right_max[i] = t->right_average[i] = t->is_added ? (double)t->dmax[i] : 0;
}

static void case_end(pool_case *t)
{
    void *all[] = {t->x,        t->dy,    t->max,       t->average,      t->dmax,
                   t->daverage, t->place, t->right_max, t->right_average};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        free(all[i]);
}

/* What the places pick from x are the maxima. */
static void check_pick(const pool_case *t, float *picked)
{
    t->k->max_pool_pick(&t->p, picked, t->place, t->x);
    for (size_t i = 0; i < t->outs; ++i)
        assert_true(picked[i] == (case_place(t, i) == SIZE_MAX ? 0 : t->max[i]));
}

static void check_pool(const fvi_kernels *k)
{
    int large = 0;
    for (int round = 0; round < 600; ++round) {
        pool_case t;
        case_begin(&t, k, round);
        float *alone = copy(t.dy, t.outs);
        k->max_pool(&t.p, t.max, t.place, t.x, t.is_clipped);
        k->max_pool(&t.p, alone, NULL, t.x, t.is_clipped);
        assert_memory_equal(t.max, alone, t.outs * sizeof *alone);
        if (fvi_pool_place_bytes(&t.p) == 1) check_pick(&t, alone);
        k->average_pool(&t.p, t.average, t.x);
        k->max_pool_gradient(&t.p, t.dmax, t.dy, t.place, t.is_added);
        k->average_pool_gradient(&t.p, t.daverage, t.dy, t.is_added);
        for (size_t i = 0; i < t.outs; ++i)
            check_window(&t, i);
        for (size_t i = 0; i < t.n; ++i) { /* up to WINDOW_MOST windows meet in a pixel */
            assert_near(t.dmax[i], t.right_max[i], 400, 40.0);
            assert_near(t.daverage[i], t.right_average[i], 400, 40.0);
        }
        large += fvi_pool_place_bytes(&t.p) > 1;
        free(alone);
        case_end(&t);
    }
    assert_true(large > 3);
}

/* At any element of windows small and large, and any channel, a NaN wins; nothing passes back. */
static void check_pool_nan(const fvi_kernels *k)
{
    static const fvi_pool list[] = {{2, 2, 1, 2, 2, 1, 1, 0, 0, 1, 1},
                                    {2, 2, 17, 2, 2, 2, 2, 0, 0, 1, 1},
                                    {3, 5, 3, 3, 5, 1, 1, 0, 0, 1, 1},
                                    {8, 8, 6, 8, 8, 8, 8, 0, 0, 1, 1},
                                    {16, 16, 2, 16, 16, 1, 1, 0, 0, 1, 1}};
    for (size_t i = 0; i < FVI_COUNT(list); ++i) {
        const fvi_pool *p = &list[i];
        const size_t n = (size_t)(p->H * p->W * p->C), C = (size_t)p->C;
        float *x = random_floats(n), *y = random_floats(C), *dy = random_floats(C);
        float *dx = random_floats(n);
        unsigned char place[4 * 17];
        for (size_t bad = 0; bad < n; ++bad) {
            const float kept = x[bad];
            x[bad] = NAN;
            k->max_pool(p, y, place, x, bad % 2 == 0);
            for (size_t c = 0; c < C; ++c)
                assert_true(isnan(y[c]) == (c == bad % C));
            k->max_pool_gradient(p, dx, dy, place, false);
            for (size_t j = bad % C; j < n; j += C)
                assert_true(dx[j] == 0);
            x[bad] = kept;
        }
        free(x);
        free(y);
        free(dy);
        free(dx);
    }
}

/* Minus infinity is a maximum as good as another. */
static void check_pool_low(const fvi_kernels *k)
{
    const fvi_pool p = {2, 2, 1, 2, 2, 1, 1, 0, 0, 1, 1};
    const float low[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY}, dy = 1;
    float y, dx[4] = {0};
    unsigned char place;
    k->max_pool(&p, &y, &place, low, false);
    k->max_pool_gradient(&p, dx, &dy, &place, true);
    assert_true(y == -INFINITY && dx[0] == 1 && dx[1] == 0 && dx[3] == 0);
}

static void test_pool(void **state)
{
    (void)state;
    for_each_isa(check_pool);
    for_each_isa(check_pool_nan);
    for_each_isa(check_pool_low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
