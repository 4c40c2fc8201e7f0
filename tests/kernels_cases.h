/* SPDX-License-Identifier: MIT */
/* Convolutions on every usable instruction set against sums in double: a case and its checks. */
#ifndef TEST_KERNELS_CASES_H
#define TEST_KERNELS_CASES_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASE_THREADS 4

static int case_ends;                             /* forwards with a residual */
static fvi_threads *case_pools[CASE_THREADS + 1]; /* [i] has i threads; 0 and 1: the caller alone */

/* ---- a case: arrays of exact size, so that a sanitizer sees a read past their end ---- */

typedef struct conv_case {
    fvi_conv g;
    int N;
    size_t x_size, y_size, w_size, b_size; /* floats */
    bool is_added;                         /* the input gradient is, to dx0 */
    float *x, *w, *b, *dy, *dx0;
    double *y, *dx, *dw, *db; /* right answers */
    double *y_bound, *dx_bound, *dw_bound, *db_bound;
} conv_case;

static inline float *case_random(size_t n, uint32_t stream, uint64_t seed)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; ++i) {
        double value = fvi_rng_normal(seed, FVI_RNG_TEST, stream, i);
        p[i] = i % 7 == 3 ? 0.0f : (float)value;
    }
    return p;
}

/* The start of a sum and of its bound, from what the result is added to. */
static inline double *case_start(size_t n, const float *from, size_t period, bool is_bound)
{
    double *p = calloc(n + 1, sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; from && i < n; ++i)
        p[i] = is_bound ? fabs((double)from[i % period]) : (double)from[i % period];
    return p;
}

/* All three passes at once: one visit for each product. */
static inline void case_solve(conv_case *t)
{
    const fvi_conv *g = &t->g;
    const ptrdiff_t groups = g->groups > 1 ? g->groups : 1, C = g->C / groups;
    for (size_t p = 0; p < t->y_size; ++p) { /* one output value */
        const ptrdiff_t f = (ptrdiff_t)p % g->F, ow = (ptrdiff_t)p / g->F % g->OW;
        const ptrdiff_t oh = (ptrdiff_t)p / g->F / g->OW % g->OH;
        const ptrdiff_t n = (ptrdiff_t)p / g->F / g->OW / g->OH;
        const double dy = (double)t->dy[p];
        t->db[f] += dy;
        t->db_bound[f] += fabs(dy);
        for (ptrdiff_t tap = 0; tap < (ptrdiff_t)g->KH * g->KW; ++tap) {
            const ptrdiff_t h = oh * g->SH + tap / g->KW * g->DH - g->pad_top;
            const ptrdiff_t w = ow * g->SW + tap % g->KW * g->DW - g->pad_left;
            if (h < 0 || h >= g->H || w < 0 || w >= g->W) continue;
            for (ptrdiff_t c = 0; c < C; ++c) {
                const ptrdiff_t first = f / (g->F / groups) * C; /* channel of the group */
                const ptrdiff_t ix = ((n * g->H + h) * g->W + w) * g->C + first + c;
                const ptrdiff_t iw = (tap * C + c) * g->F + f;
                const double x = (double)t->x[ix], weight = (double)t->w[iw];
                t->y[p] += x * weight;
                t->y_bound[p] += fabs(x * weight);
                t->dx[ix] += dy * weight;
                t->dx_bound[ix] += fabs(dy * weight);
                t->dw[iw] += dy * x;
                t->dw_bound[iw] += fabs(dy * x);
            }
        }
    }
}

static inline conv_case case_new(fvi_conv g, int N, uint64_t seed)
{
    conv_case t = {.g = g, .N = N};
    t.x_size = (size_t)N * (size_t)g.H * (size_t)g.W * (size_t)g.C;
    t.y_size = (size_t)N * (size_t)g.OH * (size_t)g.OW * (size_t)g.F;
    t.w_size = (size_t)g.KH * (size_t)g.KW * (size_t)g.C * (size_t)g.F;
    if (g.groups > 1) t.w_size /= (size_t)g.groups;
    t.b_size = (size_t)g.F;
    t.x = case_random(t.x_size, 1, seed);
    t.w = case_random(t.w_size, 2, seed);
    t.b = case_random(t.b_size, 3, seed);
    t.dy = case_random(t.y_size, 4, seed);
    t.dx0 = case_random(t.x_size, 5, seed);
    t.is_added = seed % 2 == 0;
    t.y = case_start(t.y_size, t.b, t.b_size, false);
    t.y_bound = case_start(t.y_size, t.b, t.b_size, true);
    t.dx = case_start(t.x_size, t.is_added ? t.dx0 : NULL, t.x_size, false);
    t.dx_bound = case_start(t.x_size, t.is_added ? t.dx0 : NULL, t.x_size, true);
    t.dw = case_start(t.w_size, NULL, 1, false);
    t.dw_bound = case_start(t.w_size, NULL, 1, true);
    t.db = case_start(t.b_size, NULL, 1, false);
    t.db_bound = case_start(t.b_size, NULL, 1, true);
    case_solve(&t);
    return t;
}

static inline void case_free(conv_case *t)
{
    void *all[] = {t->x,  t->w,  t->b,       t->dy,       t->dx0,      t->y,       t->dx,
                   t->dw, t->db, t->y_bound, t->dx_bound, t->dw_bound, t->db_bound};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        free(all[i]);
}

static inline const char *case_text(const conv_case *t, const char *isa, const char *what)
{
    static char text[300];
    const fvi_conv *g = &t->g;
    snprintf(
        text, sizeof text,
        "%s %s: N %d H %d W %d C %d F %d groups %d K %dx%d S %dx%d D %dx%d pad %d %d out %dx%d",
        isa, what, t->N, g->H, g->W, g->C, g->F, g->groups, g->KH, g->KW, g->SH, g->SW, g->DH,
        g->DW, g->pad_top, g->pad_left, g->OH, g->OW);
    return text;
}

/* ---- results of one run ---- */

typedef struct conv_result {
    float *y, *dx, *dw, *db;
} conv_result;

static inline float *result_copy(const float *from, size_t n)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; ++i)
        p[i] = from ? from[i] : NAN;
    return p;
}

static inline float *result_scratch(const conv_case *t, const fvi_kernels *k, int N)
{
    size_t floats;
    assert_int_equal(fvi_conv_scratch(&floats, k, &t->g, N), FV_OK);
    return result_copy(NULL, floats);
}

static inline conv_result result_new(const conv_case *t, const fvi_kernels *k, fvi_threads *threads)
{
    conv_result r = {result_copy(NULL, t->y_size),
                     result_copy(t->is_added ? t->dx0 : NULL, t->x_size),
                     result_copy(NULL, t->w_size), result_copy(NULL, t->b_size)};
    float *scratch = result_scratch(t, k, t->N);
    fvi_conv_forward(k, threads, &t->g, t->N, r.y, t->x, t->w, &(fvi_conv_end){.bias = t->b},
                     scratch);
    fvi_conv_input_gradient(k, threads, &t->g, t->N, r.dx, t->dy, t->w, t->is_added, NULL, scratch);
    fvi_conv_weight_gradient(k, threads, &t->g, t->N, r.dw, r.db, t->x, t->dy, scratch);
    free(scratch);
    return r;
}

static inline void result_free(conv_result *r)
{
    free(r->y);
    free(r->dx);
    free(r->dw);
    free(r->db);
}

/* |value - right| <= 2 * terms * u * sum of |products|: Higham, Accuracy and Stability, section
   3.1, doubled. */
static inline void result_near(const conv_case *t, const char *isa, const char *what,
                               const float *value, const double *right, const double *bound,
                               size_t n, double terms)
{
    for (size_t i = 0; i < n; ++i) {
        double most = 2 * terms * (double)FLT_EPSILON / 2 * bound[i];
        if (!(fabs((double)value[i] - right[i]) <= most))
            fail_msg("%s: [%zu] is %.9g, not %.9g +- %.3g", case_text(t, isa, what), i,
                     (double)value[i], right[i], most);
    }
}

static inline void result_same(const conv_case *t, const char *isa, const char *what,
                               const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s: [%zu] is %.9g, then %.9g", case_text(t, isa, what), i, (double)a[i],
                     (double)b[i]);
    }
}

/* An image alone gives the bits it gives in the batch. */
static inline void check_batch(const conv_case *t, const fvi_kernels *k, const conv_result *r)
{
    if (t->N < 2) return;
    const size_t xs = t->x_size / (size_t)t->N, ys = t->y_size / (size_t)t->N;
    float *scratch = result_scratch(t, k, 1), *y = result_copy(NULL, ys);
    for (int n = 0; n < t->N; ++n) {
        float *dx = result_copy(t->is_added ? t->dx0 + (size_t)n * xs : NULL, xs);
        fvi_conv_forward(k, NULL, &t->g, 1, y, t->x + (size_t)n * xs, t->w,
                         &(fvi_conv_end){.bias = t->b}, scratch);
        fvi_conv_input_gradient(k, NULL, &t->g, 1, dx, t->dy + (size_t)n * ys, t->w, t->is_added,
                                NULL, scratch);
        result_same(t, k->isa, "image alone, forward", r->y + (size_t)n * ys, y, ys);
        result_same(t, k->isa, "image alone, input gradient", r->dx + (size_t)n * xs, dx, xs);
        free(dx);
    }
    free(scratch);
    free(y);
}

static inline void check_threads(const conv_case *t, const fvi_kernels *k, const conv_result *r,
                                 int count)
{
    conv_result again = result_new(t, k, case_pools[count]);
    result_same(t, k->isa, "threads, forward", r->y, again.y, t->y_size);
    result_same(t, k->isa, "threads, input gradient", r->dx, again.dx, t->x_size);
    result_same(t, k->isa, "threads, weight gradient", r->dw, again.dw, t->w_size);
    result_same(t, k->isa, "threads, bias gradient", r->db, again.db, t->b_size);
    result_free(&again);
}

/* Without a bias: a forward that starts from zero, a weight gradient that leaves db alone. Clipped:
   ReLU. */
static inline void check_variants(const conv_case *t, const fvi_kernels *k, const conv_result *r)
{
    float *scratch = result_scratch(t, k, t->N), *y = result_copy(NULL, t->y_size);
    float *zero = calloc(t->b_size, sizeof *zero), *from_zero = result_copy(NULL, t->y_size);
    float *dw = result_copy(NULL, t->w_size);
    fvi_conv_forward(k, NULL, &t->g, t->N, y, t->x, t->w, &(fvi_conv_end){0}, scratch);
    fvi_conv_forward(k, NULL, &t->g, t->N, from_zero, t->x, t->w, &(fvi_conv_end){.bias = zero},
                     scratch);
    fvi_conv_weight_gradient(k, NULL, &t->g, t->N, dw, NULL, t->x, t->dy, scratch);
    result_same(t, k->isa, "no bias, forward", y, from_zero, t->y_size);
    result_same(t, k->isa, "no bias, weight gradient", r->dw, dw, t->w_size);
    fvi_conv_forward(k, NULL, &t->g, t->N, y, t->x, t->w,
                     &(fvi_conv_end){.bias = t->b, .is_clipped = true}, scratch);
    for (size_t i = 0; i < t->y_size; ++i) /* the same sums, clipped */
        from_zero[i] = r->y[i] < 0 ? 0 : r->y[i];
    result_same(t, k->isa, "clipped", from_zero, y, t->y_size);
    float *dx = result_copy(NULL, t->x_size), *masked = result_copy(NULL, t->x_size);
    fvi_conv_input_gradient(k, NULL, &t->g, t->N, dx, t->dy, t->w, false, NULL, scratch);
    fvi_conv_input_gradient(k, NULL, &t->g, t->N, masked, t->dy, t->w, false, t->x, scratch);
    for (size_t i = 0; i < t->x_size; ++i)
        dx[i] = t->x[i] > 0 ? dx[i] : 0;
    result_same(t, k->isa, "masked", dx, masked, t->x_size);
    free(dx);
    free(masked);
    free(scratch);
    free(y);
    free(zero);
    free(from_zero);
    free(dw);
}

/* With a residual, clipped, limited: the bits of one after the other. */
static inline void check_end(const conv_case *t, const fvi_kernels *k, const conv_result *r)
{
    const bool adds = fvi_conv_adds(k, &t->g);
    float *scratch = result_scratch(t, k, t->N), *y = result_copy(NULL, t->y_size);
    float *right = result_copy(NULL, t->y_size);
    fvi_conv_end end = {.bias = t->b, .residual = adds ? t->dy : NULL};
    for (size_t i = 0; i < t->y_size; ++i)
        right[i] = adds ? r->y[i] + t->dy[i] : r->y[i];
    fvi_conv_forward(k, NULL, &t->g, t->N, y, t->x, t->w, &end, scratch);
    result_same(t, k->isa, "residual", right, y, t->y_size);
    end.is_clipped = true;
    end.most = 0.75f;
    for (size_t i = 0; i < t->y_size; ++i)
        right[i] = right[i] < 0 ? 0 : right[i] > end.most ? end.most : right[i];
    if (fvi_conv_limits(k, &t->g)) {
        fvi_conv_forward(k, NULL, &t->g, t->N, y, t->x, t->w, &end, scratch);
        result_same(t, k->isa, "limited", right, y, t->y_size);
    }
    free(scratch);
    free(y);
    free(right);
    case_ends += adds;
}

/* Scratch for a batch is enough for smaller ones. */
static inline void check_scratch(const conv_case *t, const fvi_kernels *k)
{
    size_t before = 0, floats;
    for (int N = 1; N <= t->N + 20; ++N, before = floats) {
        assert_int_equal(fvi_conv_scratch(&floats, k, &t->g, N), FV_OK);
        if (floats < before)
            fail_msg("%s: %zu floats for batch %d, fewer than before",
                     case_text(t, k->isa, "scratch"), floats, N);
    }
}

static inline void check_case(fvi_conv g, int N, uint64_t seed, bool has_threads)
{
    conv_case t = case_new(g, N, seed);
    const double y_terms = (double)g.KH * g.KW * g.C + 1, dx_terms = (double)g.KH * g.KW * g.F + 1;
    const double dw_terms = (double)N * g.OH * g.OW + 1;
    bool is_usable;
    const fvi_kernels *k;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        if (!is_usable) continue;
        conv_result r = result_new(&t, k, NULL);
        result_near(&t, k->isa, "forward", r.y, t.y, t.y_bound, t.y_size, y_terms);
        result_near(&t, k->isa, "input gradient", r.dx, t.dx, t.dx_bound, t.x_size, dx_terms);
        result_near(&t, k->isa, "weight gradient", r.dw, t.dw, t.dw_bound, t.w_size, dw_terms);
        result_near(&t, k->isa, "bias gradient", r.db, t.db, t.db_bound, t.b_size, dw_terms);
        check_batch(&t, k, &r);
        check_scratch(&t, k);
        check_variants(&t, k, &r);
        check_end(&t, k, &r);
        if (has_threads)
            check_threads(&t, k, &r, 2 + (int)((seed + (uint64_t)i) % (CASE_THREADS - 1)));
        result_free(&r);
    }
    case_free(&t);
}

/* ---- geometries ---- */

/* Output size of one axis; 0 when the kernel does not fit. */
static inline int case_out(int n, int k, int s, int d, int before, int after)
{
    long room = (long)n + before + after - ((long)(k - 1) * d + 1);
    return room < 0 ? 0 : (int)(room / s) + 1;
}

static inline int case_pools_begin(void **state)
{
    (void)state;
    for (int i = 2; i <= CASE_THREADS; ++i) {
        if (fvi_threads_new(&case_pools[i], i) != FV_OK) return -1;
    }
    return 0;
}

static inline int case_pools_end(void **state)
{
    (void)state;
    for (int i = 2; i <= CASE_THREADS; ++i)
        fvi_threads_free(case_pools[i]);
    return 0;
}

#endif
