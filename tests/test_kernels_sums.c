/* SPDX-License-Identifier: MIT */
/* Weight gradients under a kernel 3 wide that are summed 8 channels and 3 taps at a time: rows from two
   outputs on, in several tiles and bands, whole images outside a kernel row, shards, and all ways to lie
   at the borders. */
#include "kernels_cases.h"
#include "kernels/conv_internal.h"

#define DRAWN 160

static int sums_taken; /* cases that an instruction set sums so */

/* How many instruction sets that are usable here sum it so. */
static int sums_count(const fvi_conv *g, int N)
{
    const fvi_conv_shape s = {N,           g->H,  g->W,  g->C,  g->F,  g->KH,
                              g->KW,       g->SH, g->SW, g->DH, g->DW, g->pad_top,
                              g->pad_left, g->OH, g->OW, g->C,  g->F,  g->groups};
    const fvi_kernels *k;
    bool is_usable;
    int count = 0;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i)
        count += is_usable && fvi_sums_pays(k, &s);
    return count;
}

static void sums_check(const fvi_conv *g, int N, uint64_t seed, bool has_threads)
{
    sums_taken += sums_count(g, N);
    check_case(*g, N, seed, has_threads);
}

/* With vectors of 4 nothing is. */
static bool sums_are_usable(void)
{
    const fvi_conv g = {9, 9, 16, 16, 3, 3, 1, 1, 1, 1, 0, 0, 7, 7, 1};
    return sums_count(&g, 1) > 0;
}

static void test_drawn(void **state)
{
    (void)state;
    sums_taken = 0;
    for (int i = 0; i < DRAWN; ++i) {
        int r[9];
        for (int k = 0; k < 9; ++k)
            r[k] = fvi_rng_int(7, FVI_RNG_TEST, 0, (uint64_t)(9 * i + k), 1 << 20);
        fvi_conv g = {.H = 1 + r[0] % 9,
                      .W = 2 + r[1] % (i % 8 == 0 ? 80 : 20),
                      .C = 8 * (1 + r[2] % 4),
                      .F = 16 * (1 + r[3] % 3),
                      .KH = 1 + r[4] % 5,
                      .KW = 3,
                      .SH = 1,
                      .SW = 1,
                      .DH = 1,
                      .DW = 1,
                      .pad_left = r[5] % 2,
                      .groups = 1};
        g.pad_top = r[6] % (g.KH + 1);
        g.OH = case_out(g.H, g.KH, 1, 1, g.pad_top, r[7] % (g.KH + 1));
        g.OW = case_out(g.W, 3, 1, 1, g.pad_left, r[8] % 2);
        if (g.OH > 0 && g.OW > 0) sums_check(&g, 1 + i % 3, (uint64_t)i, i % 8 == 0);
    }
    if (sums_are_usable()) assert_true(sums_taken > DRAWN / 2);
}

static void test_chosen(void **state)
{
    (void)state;
    static const struct {
        int N;
        fvi_conv g;
    } list[] = {
        /* H W C F KH KW SH SW DH DW pad_top pad_left OH OW groups */
        {5, {21, 25, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 21, 25, 1}},  /* shards, bands */
        {9, {16, 16, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 16, 16, 1}}, /* shards of unlike size */
        {2, {3, 131, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 3, 131, 1}},  /* rows in three tiles */
        {1, {2, 66, 8, 32, 2, 3, 1, 1, 1, 1, 0, 0, 1, 64, 1}},    /* just one, no padding */
        {3, {9, 2, 16, 16, 7, 3, 1, 1, 1, 1, 3, 1, 9, 2, 1}},     /* rows of two outputs, 7 high */
        {2, {2, 5, 8, 16, 9, 3, 1, 1, 1, 1, 7, 1, 8, 5, 1}},      /* kernel rows without a pixel */
        {3, {14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14, 4}}, /* groups of a vector */
        {2, {30, 33, 48, 48, 3, 3, 1, 1, 1, 1, 1, 1, 30, 33, 3}}, /* and their bands */
        {3,
         {12, 19, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1, 12, 19,
          10}}, /* smaller ones, a part of a vector */
        {2, {7, 31, 32, 32, 5, 3, 1, 1, 1, 1, 2, 0, 7, 29, 4}}, /* five high, no padding beside */
    };
    sums_taken = 0;
    for (size_t i = 0; i < FVI_COUNT(list); ++i)
        sums_check(&list[i].g, list[i].N, i, true);
    if (sums_are_usable()) /* vectors of 8 hold no group of 16 */
        assert_true(sums_taken >= (int)FVI_COUNT(list) - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_chosen),
    };
    return cmocka_run_group_tests(tests, case_pools_begin, case_pools_end);
}
