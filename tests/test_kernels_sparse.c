/* SPDX-License-Identifier: MIT */
/* A convolution that takes the max pooling behind it along: its forward against the two one after the
   other, and the weight gradient from what the pooling passes back against the one from all outputs;
   on random geometries and every instruction set; any number of threads gives the same bits. */
#include "kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CASES 250

typedef struct sparse_case {
    uint32_t stream;
    uint64_t at;
    fvi_conv g;
    fvi_pool p;
    int N;
    bool is_clipped;
} sparse_case;

static int draw(sparse_case *c, int low, int high)
{
    return low + fvi_rng_int(3, FVI_RNG_TEST, c->stream, c->at++, high - low + 1);
}

/* Exactly as large as needed, so that a sanitizer sees a step behind. */
static float *room(sparse_case *c, size_t n, bool is_filled)
{
    float *x = malloc(n ? n * sizeof *x : 1);
    assert_non_null(x);
    for (size_t i = 0; i < n && is_filled; i++)
        x[i] = (float)fvi_rng_normal(3, FVI_RNG_TEST, c->stream, c->at++);
    return x;
}

/* The input that OH x OW outputs read, less so many rows below and columns beside. */
static void size_input(fvi_conv *g, int below, int beside)
{
    g->H = (g->OH - 1) * g->SH + (g->KH - 1) * g->DH + 1 - g->pad_top - below;
    g->W = (g->OW - 1) * g->SW + g->KW - g->pad_left - beside;
    if (g->H < 1) g->H = 1;
    if (g->W < 1) g->W = 1;
}

static void draw_case(sparse_case *c)
{
    fvi_conv *g = &c->g;
    fvi_pool *p = &c->p;
    *g = (fvi_conv){.C = draw(c, 1, 9), .F = draw(c, 1, 9), .groups = 1, .DW = 1};
    g->KH = draw(c, 1, 4);
    g->KW = draw(c, 1, 5);
    g->SH = draw(c, 1, 3);
    g->SW = draw(c, 1, 3);
    g->DH = draw(c, 1, 2);
    g->pad_top = draw(c, 0, 2);
    g->pad_left = draw(c, 0, 4);
    g->OH = draw(c, 1, 13);
    g->OW = draw(c, 1, 13);
    const int below = draw(c, 0, 2), beside = draw(c, 0, 4);
    size_input(g, below, beside);
    *p = (fvi_pool){.H = g->OH, .W = g->OW, .C = g->F};
    p->KH = draw(c, 1, g->OH < 6 ? g->OH : 6); /* what a window sees must fit a block */
    p->KW = draw(c, 1, g->OW < 6 ? g->OW : 6);
    p->SH = draw(c, 1, p->KH);
    p->SW = draw(c, 1, p->KW);
    p->pad_top = draw(c, 0, p->KH - 1);
    p->pad_left = draw(c, 0, p->KW - 1);
    p->OH = (p->H + p->pad_top - p->KH) / p->SH + 1;
    p->OW = (p->W + p->pad_left - p->KW) / p->SW + 1;
    if (p->H + p->pad_top < p->KH) p->pad_top = 0, p->OH = 1;
    if (p->W + p->pad_left < p->KW) p->pad_left = 0, p->OW = 1;
    c->N = draw(c, 0, 4);
    if (c->stream % 50 == 0) { /* several blocks, beside and below each other */
        *g = (fvi_conv){38, 152, 4, 3, 3, 3, 1, 1, 1, 1, 1, 1, 38, 152, 1};
        *p = (fvi_pool){38, 152, 3, 2, 2, 2, 2, 0, 0, 19, 76};
        c->N = 2;
    } else if (c->stream % 50 == 1) { /* places that no byte holds; rows of several calls */
        *g = (fvi_conv){34, 34, 2, 3, 17, 9, 1, 1, 1, 1, 8, 4, 34, 34, 1};
        *p = (fvi_pool){34, 34, 3, 16, 17, 16, 17, 0, 0, 2, 2};
    }
    c->is_clipped = draw(c, 0, 1);
}

static void check_case(sparse_case *c, const fvi_kernels *k, fvi_threads *threads)
{
    const fvi_conv *g = &c->g;
    const fvi_pool *p = &c->p;
    const size_t n = (size_t)c->N, in = (size_t)g->H * (size_t)g->W * (size_t)g->C;
    const size_t out = (size_t)p->H * (size_t)p->W * (size_t)p->C;
    const size_t pooled = (size_t)p->OH * (size_t)p->OW * (size_t)p->C;
    const size_t size = (size_t)g->KH * (size_t)g->KW * (size_t)g->C * (size_t)g->F;
    const size_t F = (size_t)g->F, bytes = fvi_pool_place_bytes(p);
    float *x = room(c, n * in, true), *y = room(c, n * out, true), *z = room(c, pooled, false);
    float *dz = room(c, n * pooled, true), *dy = room(c, n * out, false);
    unsigned char *places = malloc(n * pooled * bytes + 1);
    float *dw[3], *db[3];
    for (int i = 0; i < 3; i++) {
        dw[i] = room(c, size, false);
        db[i] = room(c, F, false);
    }
    for (size_t i = 0; i < n; i++) {
        k->max_pool(p, z, places + i * pooled * bytes, y + i * out, c->is_clipped);
        k->max_pool_gradient(p, dy + i * out, dz + i * pooled, places + i * pooled * bytes, false);
    }
    size_t floats;
    assert_int_equal(fvi_conv_scratch(&floats, k, g, c->N), FV_OK);
    float *scratch = fvi_alloc(floats, sizeof *scratch, "scratch");
    const fvi_pooled from = {p, dz, places};
    fvi_conv_weight_gradient(k, NULL, g, c->N, dw[0], db[0], x, dy, scratch);
    fvi_conv_sparse_gradient(k, NULL, g, c->N, dw[1], db[1], x, &from, scratch);
    fvi_conv_sparse_gradient(k, threads, g, c->N, dw[2], db[2], x, &from, scratch);
    assert_memory_equal(dw[1], dw[2], size * sizeof(float));
    assert_memory_equal(db[1], db[2], F * sizeof(float));
    fvi_conv_sparse_gradient(k, NULL, g, c->N, dw[2], NULL, x, &from, scratch);
    assert_memory_equal(dw[1], dw[2], size * sizeof(float));
    for (size_t i = 0; i < size + F; i++) {
        const float a = i < size ? dw[0][i] : db[0][i - size];
        const float b = i < size ? dw[1][i] : db[1][i - size];
        if (!(fabsf(a - b) < 2e-4f)) fail_msg("case %u: %g is %g", c->stream, (double)b, (double)a);
    }
    for (int i = 0; i < 3; i++) {
        free(dw[i]);
        free(db[i]);
    }
    fvi_free(scratch);
    free(places);
    free(x);
    free(y);
    free(z);
    free(dz);
    free(dy);
}

static void test_random_geometries(void **state)
{
    (void)state;
    fvi_threads *threads = NULL;
    assert_int_equal(fvi_threads_new(&threads, 3), FV_OK);
    const fvi_kernels *k;
    bool is_usable;
    for (int isa = 0; (k = fvi_kernels_at(isa, &is_usable)) != NULL; isa++) {
        for (uint32_t i = 0; is_usable && i < CASES; i++) {
            sparse_case c = {.stream = i};
            draw_case(&c);
            check_case(&c, k, threads);
        }
    }
    fvi_threads_free(threads);
}

/* ---- forward ---- */

static void draw_forward(sparse_case *c)
{
    fvi_conv *g = &c->g;
    fvi_pool *p = &c->p;
    *g = (fvi_conv){.C = draw(c, 1, 4), .F = draw(c, 1, 8), .groups = 1, .SW = 1, .DW = 1};
    g->KH = draw(c, 1, 5);
    g->KW = draw(c, 2, 5);
    g->SH = draw(c, 1, 2);
    g->DH = draw(c, 1, 2);
    g->pad_top = draw(c, 0, 2);
    g->pad_left = draw(c, 0, 4);
    g->OH = draw(c, 1, 20);
    g->OW = draw(c, 4, 80);
    size_input(g, 0, 0);
    *p = (fvi_pool){.H = g->OH, .W = g->OW, .C = g->F, .KW = 1 << draw(c, 0, 3)};
    p->KH = draw(c, 1, g->OH < 6 ? g->OH : 6);
    p->SH = p->KH + draw(c, 0, 1);
    p->SW = p->KW;
    p->OH = (p->H - p->KH) / p->SH + 1;
    p->OW = p->W / p->KW;
    c->N = draw(c, 0, 4);
    c->is_clipped = draw(c, 0, 1);
}

/* The same bits as the two passes one after the other; false: that is not done. Whole numbers give
   many maxima that are equal. */
static bool check_forward(sparse_case *c, const fvi_kernels *k, fvi_threads *threads)
{
    const fvi_conv *g = &c->g;
    const fvi_pool *p = &c->p;
    if (p->OW < 1 || !fvi_conv_takes_pool(k, g, p)) return false;
    const size_t n = (size_t)c->N, in = (size_t)g->H * (size_t)g->W * (size_t)g->C;
    const size_t out = (size_t)p->H * (size_t)p->W * (size_t)p->C;
    const size_t pooled = (size_t)p->OH * (size_t)p->OW * (size_t)p->C;
    const size_t size = (size_t)g->KH * (size_t)g->KW * (size_t)g->C * (size_t)g->F;
    float *x = room(c, n * in, true), *w = room(c, size, true), *b = room(c, (size_t)g->F, true);
    float *y = room(c, n * out, false), *z[2] = {room(c, n * pooled, false), NULL};
    unsigned char *places[2] = {malloc(n * pooled + 1), malloc(n * pooled + 1)};
    z[1] = room(c, n * pooled, false);
    for (size_t i = 0; i < n * in && c->stream % 2; i++)
        x[i] = roundf(x[i]);
    for (size_t i = 0; i < size && c->stream % 2; i++)
        w[i] = roundf(w[i]);
    if (c->stream % 8 == 0 && n > 0) x[in / 2] = NAN;
    size_t floats;
    assert_int_equal(fvi_conv_scratch(&floats, k, g, c->N), FV_OK);
    float *scratch = fvi_alloc(floats, sizeof *scratch, "scratch");
    const float *bias = c->stream % 3 ? b : NULL;
    fvi_conv_forward(k, NULL, g, c->N, y, x, w,
                     &(fvi_conv_end){.bias = bias, .is_clipped = c->is_clipped}, scratch);
    for (size_t i = 0; i < n; i++)
        k->max_pool(p, z[0] + i * pooled, places[0] + i * pooled, y + i * out, c->is_clipped);
    fvi_conv_pool_forward(k, threads, g, c->N, z[1], &(fvi_pooled){p, NULL, places[1]}, x, w, bias,
                          c->is_clipped);
    assert_memory_equal(places[0], places[1], n * pooled);
    for (int without = 0; without < 2; without++) {
        for (size_t i = 0; i < n * pooled; i++)
            assert_true(z[0][i] == z[1][i] || (isnan(z[0][i]) && isnan(z[1][i])));
        fvi_conv_pool_forward(k, NULL, g, c->N, z[1], &(fvi_pooled){p, NULL, NULL}, x, w, bias,
                              c->is_clipped);
    }
    void *all[] = {x, w, b, y, z[0], z[1], places[0], places[1]};
    for (size_t i = 0; i < FVI_COUNT(all); i++)
        free(all[i]);
    fvi_free(scratch);
    return true;
}

static void test_forward(void **state)
{
    (void)state;
    fvi_threads *threads = NULL;
    assert_int_equal(fvi_threads_new(&threads, 3), FV_OK);
    const fvi_kernels *k;
    bool is_usable;
    for (int isa = 0; (k = fvi_kernels_at(isa, &is_usable)) != NULL; isa++) {
        int done = 0;
        for (uint32_t i = 0; is_usable && i < 4 * CASES; i++) {
            sparse_case c = {.stream = 1000 + i};
            draw_forward(&c);
            done += check_forward(&c, k, threads);
        }
        assert_true(!is_usable || done > CASES / 2);
    }
    fvi_threads_free(threads);
}

static void test_when_it_pays(void **state)
{
    (void)state;
    const fvi_conv first = {.H = 64,
                            .W = 64,
                            .C = 3,
                            .F = 9,
                            .KH = 3,
                            .KW = 3,
                            .SH = 1,
                            .SW = 1,
                            .DH = 1,
                            .DW = 1,
                            .OH = 64,
                            .OW = 64,
                            .groups = 1};
    fvi_pool p = {.KH = 4, .KW = 4, .SH = 4, .SW = 4};
    assert_true(fvi_conv_sparse_pays(&first, &p)); /* large windows */
    p.KW = 3;
    assert_false(fvi_conv_sparse_pays(&first, &p));
    fvi_conv g = first;
    g.F = 8;
    assert_true(fvi_conv_sparse_pays(&g, &p)); /* few filters, short rows */
    p.KW = p.KH = 2;
    assert_true(fvi_conv_sparse_pays(&g, &p));
    p.KW = 1;
    assert_false(fvi_conv_sparse_pays(&g, &p));
    p.KW = 2;
    g.KW = 6;
    assert_false(fvi_conv_sparse_pays(&g, &p));
    p.KH = p.KW = 4;
    g = first;
    g.groups = 2;
    assert_false(fvi_conv_sparse_pays(&g, &p));
    g = first;
    g.DW = 2;
    assert_false(fvi_conv_sparse_pays(&g, &p));
    g = first;
    g.C = 400; /* what a window sees does not fit a block */
    assert_false(fvi_conv_sparse_pays(&g, &p));
    g.C = 1 << 30;
    g.KW = 1 << 30;
    assert_false(fvi_conv_sparse_pays(&g, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_geometries),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_when_it_pays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
