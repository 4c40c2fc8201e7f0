/* SPDX-License-Identifier: MIT */
/* Weight gradients made piece by piece, against the whole ones, on every usable instruction set. */
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

static fvi_threads *pools[2]; /* the caller alone, and three threads */

/* Arrays of exact size, so that a sanitizer sees a read past their end: of numbers that are not, or from
   -2 to 2 (D. Knuth's linear congruence, MMIX). */
static float *rows_empty(size_t n)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; ++i)
        p[i] = NAN;
    return p;
}

static float *rows_random(size_t n, uint64_t seed)
{
    float *p = rows_empty(n);
    for (size_t i = 0; i < n; ++i) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        p[i] = (float)(int32_t)(seed >> 32) * 0x1p-30f;
    }
    return p;
}

typedef struct rows_case {
    fvi_conv g;
    int N;
    size_t pieces; /* of the gradient, as documented: 1 MiB each, of large pictures up to 4 */
} rows_case;

/* H, W, C, F; KH, KW; strides; dilations; pad_top, pad_left; OH, OW; groups */
static const rows_case rows_cases[] = {
    /* one kernel row at a time */
    {{4, 4, 512, 128, 3, 3, 1, 1, 1, 1, 1, 1, 4, 4, 1}, 3, 3},
    /* two kernel rows, then one */
    {{5, 7, 100, 300, 3, 3, 1, 1, 1, 1, 1, 1, 5, 7, 1}, 2, 2},
    /* two taps and one of each kernel row; strides, dilation, an uneven padding */
    {{9, 8, 600, 154, 2, 3, 2, 1, 3, 2, 2, 3, 5, 7, 1}, 1, 4},
    /* padding higher than the image */
    {{2, 3, 400, 150, 5, 2, 1, 1, 1, 1, 4, 0, 5, 2, 1}, 3, 3},
    /* few channels and very many filters, so that a kernel row is one tap */
    {{7, 7, 3, 36000, 5, 5, 2, 2, 1, 1, 2, 2, 4, 4, 1}, 1, 5},
    /* the same, a tap too large to be taken with its neighbours */
    {{4, 4, 3, 200000, 2, 2, 1, 1, 1, 1, 0, 0, 3, 3, 1}, 1, 4},
    /* channels of a dense layer */
    {{1, 1, 501, 1400, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1}, 13, 3},
    /* the last piece of which is one channel */
    {{64, 1, 1025, 1024, 1, 1, 1, 1, 1, 1, 0, 0, 64, 1, 1}, 1, 3},
    /* only the last kernel row meets the image, in a piece so small that it is summed in shards */
    {{64, 32, 4, 1024, 257, 1, 1, 1, 64, 1, 256 * 64, 0, 64, 32, 1}, 1, 2},
    /* a last kernel row that is summed from where x and dy lie */
    {{10, 11, 32, 608, 5, 3, 1, 1, 1, 1, 2, 1, 10, 11, 1}, 2, 2},
    /* a kernel that covers the image */
    {{3, 4, 90, 300, 3, 4, 1, 1, 1, 1, 0, 0, 1, 1, 1}, 6, 2},
    /* all of it at once: few weights, groups, large pictures */
    {{6, 6, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 6, 6, 1}, 2, 1},
    {{6, 6, 1024, 1024, 3, 3, 1, 1, 1, 1, 1, 1, 6, 6, 8}, 1, 1},
    {{9, 8, 520, 520, 1, 1, 1, 1, 1, 1, 0, 0, 9, 8, 1}, 1, 1},
};

typedef struct rows_arrays {
    float *x, *dy, *dw, *db, *right, *right_db, *scratch;
    size_t rows, F;
} rows_arrays;

static rows_arrays rows_new(const rows_case *t, const fvi_kernels *k)
{
    const fvi_conv *g = &t->g;
    const size_t N = (size_t)t->N, F = (size_t)g->F;
    rows_arrays a = {.rows = fvi_conv_rows(g), .F = F};
    size_t scratch;
    assert_int_equal(fvi_conv_scratch(&scratch, k, g, t->N), FV_OK);
    a.x = rows_random(N * (size_t)g->H * (size_t)g->W * (size_t)g->C, 1);
    a.dy = rows_random(N * (size_t)g->OH * (size_t)g->OW * F, 2);
    a.dw = rows_empty(a.rows * F);
    a.db = rows_empty(F);
    a.right = rows_empty(a.rows * F);
    a.right_db = rows_empty(F);
    a.scratch = rows_empty(scratch);
    return a;
}

static void rows_free(rows_arrays *a)
{
    float *all[] = {a->x, a->dy, a->dw, a->db, a->right, a->right_db, a->scratch};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        free(all[i]);
}

/* Every piece into an array of its own size; how many there are. */
static size_t rows_pieces(const rows_case *t, const fvi_kernels *k, fvi_threads *threads,
                          const rows_arrays *a, float *db)
{
    size_t count = 0;
    for (size_t first = 0, rows; first < a->rows; first += rows, ++count) {
        rows = fvi_conv_piece(&t->g, first);
        assert_true(rows >= 1 && rows <= a->rows - first);
        float *piece = rows_empty(rows * a->F);
        fvi_conv_weight_rows(k, threads, &t->g, t->N, first, rows, piece, first == 0 ? db : NULL,
                             a->x, a->dy, a->scratch);
        memcpy(a->dw + first * a->F, piece, rows * a->F * sizeof *piece);
        free(piece);
    }
    return count;
}

/* Sums of the same products, of numbers about 1, in another order: each of n roundings errs by u times a
   sum of about sqrt(n), and these errors add up as at random, to n * u; twice that, and a few units. */
static void rows_near(const rows_case *t, const char *isa, const char *what, const float *value,
                      const float *right, size_t n)
{
    const double most = (double)FLT_EPSILON * t->N * t->g.OH * t->g.OW + 4e-6;
    for (size_t i = 0; i < n; ++i) {
        if (!(fabs((double)value[i] - (double)right[i]) <= most))
            fail_msg("%s: case %d: %s[%zu] is %.9g, not %.9g", isa, (int)(t - rows_cases), what, i,
                     (double)value[i], (double)right[i]);
    }
}

static void check_case(const rows_case *t, const fvi_kernels *k)
{
    rows_arrays a = rows_new(t, k);
    fvi_conv_weight_gradient(k, NULL, &t->g, t->N, a.right, a.right_db, a.x, a.dy, a.scratch);
    assert_int_equal(rows_pieces(t, k, pools[0], &a, a.db), t->pieces);
    rows_near(t, k->isa, "dw", a.dw, a.right, a.rows * a.F);
    rows_near(t, k->isa, "db", a.db, a.right_db, a.F);
    memcpy(a.right, a.dw, a.rows * a.F * sizeof *a.dw); /* the same bits on more threads */
    rows_pieces(t, k, pools[1], &a, NULL);
    assert_memory_equal(a.dw, a.right, a.rows * a.F * sizeof *a.dw);
    rows_free(&a);
}

static void test_rows_make_the_whole(void **state)
{
    (void)state;
    const fvi_kernels *k;
    bool is_usable;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        for (size_t c = 0; is_usable && c < FVI_COUNT(rows_cases); ++c)
            check_case(&rows_cases[c], k);
    }
}

/* No image: zeros. */
static void test_rows_of_no_image(void **state)
{
    (void)state;
    bool is_usable;
    const fvi_kernels *k = fvi_kernels_at(0, &is_usable);
    rows_case t = rows_cases[0];
    t.N = 0;
    rows_arrays a = rows_new(&t, k);
    rows_pieces(&t, k, NULL, &a, a.db);
    for (size_t i = 0; i < a.rows * a.F; ++i)
        assert_true(a.dw[i] == 0);
    for (size_t i = 0; i < a.F; ++i)
        assert_true(a.db[i] == 0);
    rows_free(&a);
}

/* A kernel that no memory holds is not looked at piece by piece before it is refused. */
static void test_too_many_pieces(void **state)
{
    (void)state;
    const fvi_conv g = {30000, 30000, 1000, 1000, 30000, 30000, 1, 1, 1, 1, 9, 9, 19, 19, 1};
    bool is_usable;
    size_t floats;
    assert_true(fvi_conv_piece(&g, 0) == fvi_conv_rows(&g));
    (void)fvi_conv_scratch(&floats, fvi_kernels_at(0, &is_usable), &g, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_make_the_whole),
        cmocka_unit_test(test_rows_of_no_image),
        cmocka_unit_test(test_too_many_pieces),
    };
    if (fvi_threads_new(&pools[1], 3) != FV_OK) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fvi_threads_free(pools[1]);
    return failed;
}
