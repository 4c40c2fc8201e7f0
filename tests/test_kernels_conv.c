/* SPDX-License-Identifier: MIT */
/* Convolution on every usable instruction set against sums in double: random geometries, batches,
   threads. */
#include "kernels_cases.h"

#define GEOMETRIES 240

static const int channel_list[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33, 40, 65};

/* Groups of few channels, or of one. */
static void draw_groups(fvi_conv *g, const int *r)
{
    static const int depthwise_list[] = {1, 3, 17, 64, 130};
    const bool is_depthwise = r[0] % 3 > 0;
    if (is_depthwise) {
        g->groups = g->C = depthwise_list[(size_t)r[1] % FVI_COUNT(depthwise_list)];
        g->F = g->C * (r[2] % 2 ? 1 : 1 + r[2] / 2 % 4);
    } else {
        g->groups = 2 + r[1] % 5;
        g->C = g->groups * (1 + r[2] % 19);
        g->F = g->groups * (1 + r[2] / 19 % 19);
    }
}

static void random_geometries(int geometries, uint64_t seed, bool has_groups)
{
    uint64_t at = 0;
    for (int done = 0; done < geometries;) {
        int r[20];
        for (int i = 0; i < 20; ++i)
            r[i] = fvi_rng_int(seed, FVI_RNG_TEST, 0, at++, 1 << 20);
        fvi_conv g = {.H = 1 + r[0] % 13,
                      .W = 1 + r[1] % 17,
                      .C = channel_list[(size_t)r[2] % FVI_COUNT(channel_list)],
                      .F = channel_list[(size_t)r[3] % FVI_COUNT(channel_list)],
                      .KH = 1 + r[4] % 5,
                      .KW = 1 + r[5] % 6,
                      .SH = 1 + r[6] % 3,
                      .SW = 1 + r[7] % 4,
                      .DH = 1 + (r[8] % 3) * (r[8] % 2),
                      .DW = 1 + (r[9] % 3) * (r[9] % 2)};
        if (has_groups) draw_groups(&g, r + 15);
        g.pad_top = r[10] % (g.KH + 1);
        g.pad_left = r[11] % (g.KW + 2);
        g.OH = case_out(g.H, g.KH, g.SH, g.DH, g.pad_top, r[12] % (g.KH + 2));
        g.OW = case_out(g.W, g.KW, g.SW, g.DW, g.pad_left, r[13] % (g.KW + 1));
        const int N = 1 + r[14] % 4;
        const double work = (double)N * g.OH * g.OW * g.KH * g.KW * g.C * g.F;
        if (work == 0 || work / (has_groups ? g.groups : 1) > 3e5) continue;
        check_case(g, N, (uint64_t)done, done % 4 == 0);
        ++done;
    }
}

static void test_random_geometries(void **state)
{
    (void)state;
    random_geometries(GEOMETRIES, 5, false);
    assert_true(case_ends > GEOMETRIES);
}

static void test_random_groups(void **state)
{
    (void)state;
    random_geometries(GEOMETRIES, 6, true);
}

/* Lines of every length, of one vector and of more; at the left border columns are the lines. */
static void test_lines(void **state)
{
    (void)state;
    static const int filters[] = {6, 16, 40};
    for (int W = 4; W < 46; ++W) {
        for (size_t i = 0; i < FVI_COUNT(filters); ++i) {
            const fvi_conv row = {4, W, 3, filters[i], 3, 3, 1, 1, 1, 1, 1, 1, 4, W, 1};
            const fvi_conv column = {W, 3, 9, filters[i], 4, 2, 1, 1, 1, 1, 0, 1, W - 3, 3, 1};
            check_case(row, 1 + W % 3, (uint64_t)W, W % 8 == 0);
            check_case(column, 1 + W % 3, (uint64_t)W, W % 8 == 4);
        }
    }
}

/* What the random ones are too small or too tame for. */
static void test_chosen_geometries(void **state)
{
    (void)state;
    static const struct {
        int N;
        fvi_conv g;
    } list[] = {
        /* H W C F KH KW SH SW DH DW pad_top pad_left OH OW groups */
        {3, {24, 40, 1, 6, 5, 5, 1, 1, 1, 1, 0, 0, 20, 36, 1}},   /* LeNet's first: shards */
        {2, {24, 24, 3, 32, 7, 7, 1, 1, 1, 1, 3, 3, 24, 24, 1}},  /* merged taps at borders */
        {4, {8, 8, 24, 40, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8, 1}},     /* several panels */
        {9, {3, 4, 24, 33, 3, 3, 1, 1, 1, 1, 1, 1, 3, 4, 1}},     /* tiles that cross images */
        {3, {9, 11, 160, 160, 3, 3, 2, 2, 1, 1, 1, 1, 5, 6, 1}},  /* panels outside; strides */
        {37, {1, 1, 700, 300, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1}},  /* dense */
        {5, {7, 7, 5, 11, 7, 7, 1, 1, 1, 1, 0, 0, 1, 1, 1}},      /* dense in disguise */
        {17, {1, 1, 1000, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1}},   /* dense with one output */
        {3, {5, 7, 131, 1, 1, 1, 1, 1, 1, 1, 0, 0, 5, 7, 1}},     /* a map of one channel */
        {3, {5, 4, 256, 3, 1, 1, 2, 2, 1, 1, 1, 1, 4, 3, 1}},     /* few outputs, padding alone */
        {5, {7, 6, 30, 47, 1, 1, 1, 1, 1, 1, 0, 0, 7, 6, 1}},     /* pointwise */
        {3, {7, 9, 512, 257, 1, 1, 1, 1, 1, 1, 0, 0, 7, 9, 1}},   /* pixels 2 KB apart: copied */
        {2, {9, 11, 260, 512, 1, 1, 1, 1, 1, 1, 0, 0, 9, 11, 1}}, /* likewise on the way back */
        {3, {9, 8, 30, 47, 1, 1, 2, 3, 1, 1, 0, 0, 5, 3, 1}},     /* pointwise with strides */
        {1, {30, 30, 2, 3, 13, 13, 1, 1, 1, 2, 2, 2, 22, 10, 1}}, /* 169 taps, dilated */
        {2, {14, 14, 4, 4, 13, 12, 3, 3, 1, 1, 6, 6, 5, 5, 1}},   /* kernel about the image */
        {2, {9, 9, 3, 5, 2, 3, 5, 7, 1, 1, 0, 0, 2, 1, 1}},       /* strides beyond the kernel */
        {2, {3, 5, 2, 3, 2, 2, 1, 1, 1000000000, 3, 1000000000, 1, 3, 4, 1}}, /* huge dilation */
        {2, {3, 300, 2, 3, 1, 2, 1, 1, 1, 1, 2, 0, 7, 299, 1}}, /* rows of padding alone */
        {1,
         {2, 2, 3, 4, 3, 3, 2, 2, 2, 2, 4, 4, 3, 3, 1}}, /* strides and dilations share a factor */
        {2, {40, 1, 64, 64, 3, 1, 1, 1, 1, 1, 1, 0, 40, 1, 1}}, /* one column */
        {3, {6, 6, 20, 530, 2, 2, 1, 1, 1, 1, 0, 0, 5, 5, 1}},  /* output pixels far apart */
        {9, {3, 3, 520, 40, 2, 2, 1, 1, 1, 1, 0, 0, 2, 2, 1}},  /* input pixels far apart */
        /* weight gradients that copy their inputs */
        {2, {15, 16, 300, 40, 3, 3, 1, 1, 1, 1, 1, 1, 15, 16, 1}},  /* some tiles at a time */
        {2, {20, 9, 64, 130, 3, 3, 2, 1, 1, 2, 1, 2, 10, 9, 1}},    /* a stride, a dilation */
        {30, {7, 6, 64, 300, 2, 2, 3, 1, 1, 1, 0, 0, 2, 5, 1}},     /* rows that none reads */
        {2, {3, 3, 64, 64, 3, 3, 1, 1, 1, 1, 6, 6, 13, 13, 1}},     /* windows of padding alone */
        {1, {3, 300, 64, 96, 3, 3, 1, 1, 1, 1, 1, 1, 3, 300, 1}},   /* long rows */
        {1, {15, 31, 150, 300, 1, 1, 1, 1, 1, 1, 0, 0, 15, 31, 1}}, /* pointwise */
        {2, {13, 17, 35, 99, 1, 1, 1, 1, 1, 1, 0, 0, 13, 17, 1}},   /* of odd sizes */
        {2, {13, 17, 35, 96, 1, 1, 1, 1, 1, 1, 0, 0, 13, 17, 1}},   /* whole panels */
        {3, {9, 9, 130, 260, 1, 1, 2, 2, 1, 1, 1, 1, 6, 6, 1}},     /* and with padding */
        /* taps of a line in groups: 3 + 2 + 2, and 2 + 2 beside 3, and 1 beside 2 */
        {3, {9, 27, 40, 24, 3, 7, 1, 1, 1, 1, 1, 3, 9, 27, 1}},
        {3, {9, 40, 40, 24, 3, 7, 2, 2, 1, 1, 1, 3, 5, 20, 1}},
        {3, {9, 40, 40, 12, 3, 5, 1, 3, 1, 1, 1, 3, 9, 14, 1}},
        {3, {9, 40, 40, 12, 3, 8, 1, 3, 1, 1, 1, 3, 9, 13, 1}},
        {2, {19, 40, 40, 40, 3, 3, 2, 2, 2, 2, 2, 2, 10, 20, 1}}, /* dilation that is the stride */
        {2, {40, 40, 64, 16, 3, 3, 1, 1, 1, 1, 1, 1, 40, 40, 1}}, /* long lines */
        {2, {40, 40, 8, 70, 3, 3, 1, 1, 1, 1, 1, 1, 40, 40, 1}},  /* shards of several panels */
        {2, {40, 40, 70, 70, 1, 1, 1, 1, 1, 1, 0, 0, 40, 40, 1}}, /* that are copied */
        /* depthwise */
        {3, {14, 30, 96, 96, 3, 3, 1, 1, 1, 1, 1, 1, 14, 30, 96}},  /* several channel groups */
        {2, {6, 30, 210, 210, 3, 3, 1, 1, 1, 1, 1, 1, 6, 30, 210}}, /* rows in pieces */
        {2, {6, 61, 210, 210, 3, 3, 2, 2, 1, 1, 1, 1, 3, 31, 210}},
        {1, {5, 14, 1030, 1030, 3, 3, 1, 1, 1, 1, 1, 1, 5, 14, 1030}}, /* a page and more apart */
        {2, {56, 40, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 56, 40, 64}},     /* bands, shards */
        {2, {29, 29, 40, 40, 3, 3, 2, 2, 1, 1, 0, 0, 14, 14, 40}},     /* strides */
        {2, {21, 17, 24, 24, 5, 5, 1, 1, 1, 1, 2, 2, 21, 17, 24}},     /* 25 taps */
        {2, {20, 33, 16, 16, 5, 5, 2, 2, 1, 1, 2, 2, 10, 17, 16}},     /* and strides */
        {2, {12, 12, 33, 33, 7, 7, 1, 1, 1, 1, 3, 3, 12, 12, 33}},     /* 49 taps */
        {2, {11, 13, 7, 91, 3, 3, 1, 1, 1, 1, 1, 1, 11, 13, 7}},       /* multiplier 13 */
        {2, {6, 5, 3, 300, 3, 2, 2, 1, 1, 1, 1, 0, 3, 4, 3}},          /* multiplier 100 */
        {2, {9, 10, 70, 140, 3, 3, 1, 1, 1, 1, 1, 1, 9, 10, 70}},      /* multiplier 2 */
        {2, {5, 5, 17, 17, 2, 3, 3, 4, 1, 1, 0, 0, 2, 1, 17}}, /* strides beyond the kernel */
        {2, {3, 5, 18, 18, 2, 2, 1, 1, 1, 1000000000, 3, 1000000000, 1, 3, 18}}, /* huge dilation */
        {2, {10, 10, 20, 20, 3, 3, 1, 1, 3, 2, 3, 2, 10, 10, 20}},               /* dilation */
        {3, {4, 4, 5, 5, 4, 4, 1, 1, 1, 1, 0, 0, 1, 1, 5}},    /* the kernel covers the image */
        {3, {6, 7, 12, 12, 1, 1, 1, 1, 1, 1, 0, 0, 6, 7, 12}}, /* pointwise */
        /* groups of several channels */
        {2, {14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14, 16}}, /* that share a panel */
        {2, {14, 14, 96, 64, 3, 3, 2, 2, 1, 1, 1, 1, 7, 7, 2}},    /* that do not */
        {2, {7, 7, 30, 20, 1, 1, 1, 1, 1, 1, 0, 0, 7, 7, 10}},     /* pointwise */
        {2, {4, 4, 6, 9, 4, 4, 1, 1, 1, 1, 0, 0, 1, 1, 3}},        /* the kernel covers the image */
        {3, {1, 1, 640, 36, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 2}},     /* dense in groups */
        {2, {40, 60, 8, 4, 3, 3, 1, 1, 1, 1, 1, 1, 40, 60, 2}},    /* shards */
        /* of as many filters, side by side in vectors: that fill one, with a last one in part, of
           many kernel rows, without an edge */
        {2, {9, 17, 48, 48, 3, 3, 1, 1, 1, 1, 1, 1, 9, 17, 3}},
        {2, {40, 60, 24, 24, 3, 3, 1, 1, 1, 1, 1, 1, 40, 60, 3}},
        {2, {11, 16, 56, 56, 5, 3, 1, 1, 1, 1, 2, 0, 11, 14, 7}},
        {1, {3, 2, 10, 10, 3, 3, 1, 1, 1, 1, 1, 1, 3, 2, 5}},
    };
    for (size_t i = 0; i < FVI_COUNT(list); ++i)
        check_case(list[i].g, list[i].N, 1000 + i, true);
}

/* Channels apart under a kernel 3 or 5 wide: rows of every width, with every way to meet their case_ends. */
static void depthwise_rows(int taps, int W, int stride, uint64_t seed)
{
    static const int channel_counts[] = {5, 16, 24, 48, 40};
    for (int pad = 0; pad < taps; ++pad) {
        for (int after = 0; after < taps; ++after, ++seed) {
            const int C = channel_counts[seed % FVI_COUNT(channel_counts)];
            const int SH = seed % 3 == 0 ? 3 - stride : stride, DH = seed % 7 == 0 ? 2 : 1;
            const int H = 1 + (int)(seed / 3 % 9), top = (int)(seed / 4) % taps;
            const int OW = case_out(W, taps, stride, 1, pad, after);
            const int OH = case_out(H, taps, SH, DH, top, (int)(seed / 2) % taps);
            const fvi_conv g = {H, W, C, C, taps, taps, SH, stride, DH, 1, top, pad, OH, OW, C};
            if (OW > 0 && OH > 0) check_case(g, 2, seed, seed % 8 == 0);
        }
    }
}

static void test_depthwise_rows(void **state)
{
    (void)state;
    for (int W = 1; W < 14; ++W) {
        for (int stride = 1; stride < 3; ++stride) {
            depthwise_rows(3, W, stride, 3000 + 100 * (uint64_t)W);
            depthwise_rows(5, W, stride, 5000 + 100 * (uint64_t)W);
        }
    }
}

static void test_empty_batch(void **state)
{
    (void)state;
    const fvi_conv list[] = {{5, 5, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1, 5, 5, 1},
                             {1, 1, 3, 4, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0},
                             {5, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 5, 5, 4},
                             {5, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 5, 5, 2}};
    bool is_usable;
    const fvi_kernels *k;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        if (!is_usable) continue;
        for (size_t j = 0; j < FVI_COUNT(list); ++j) {
            const fvi_conv *g = &list[j];
            float w[3 * 3 * 4 * 4] = {0}, dw[3 * 3 * 4 * 4] = {1}, b[4] = {0}, db[4] = {2}, none;
            size_t floats;
            assert_int_equal(fvi_conv_scratch(&floats, k, g, 0), FV_OK);
            float *scratch = result_copy(NULL, floats);
            fvi_conv_forward(k, NULL, g, 0, &none, &none, w, &(fvi_conv_end){.bias = b}, scratch);
            fvi_conv_input_gradient(k, NULL, g, 0, &none, &none, w, false, NULL, scratch);
            fvi_conv_weight_gradient(k, NULL, g, 0, dw, db, &none, &none, scratch);
            assert_true(dw[0] == 0 && dw[1] == 0 && db[0] == 0);
            free(scratch);
        }
    }
}

static void test_too_large(void **state)
{
    (void)state;
    const fvi_kernels *k = fvi_kernels_select("generic");
    const int big = 1 << 20;
    const fvi_conv g = {big, big, big, big, big, big, 1, 1, 1, 1, 0, 0, 1, 1, 1};
    size_t floats;
    assert_int_equal(fvi_conv_scratch(&floats, k, &g, 1), FV_E_SHAPE);
    const fvi_conv wide = {1 << 16, 1 << 16, 1 << 16, 1, 1,       1,       1, 1,
                           1,       1,       0,       0, 1 << 16, 1 << 16, 1};
    assert_int_equal(fvi_conv_scratch(&floats, k, &wide, 1 << 16), FV_E_SHAPE);
    const fvi_conv grouped = {big, big, big, big, big, big, 1, 1, 1, 1, 0, 0, 1, 1, big};
    assert_int_equal(fvi_conv_scratch(&floats, k, &grouped, 1), FV_E_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_geometries),
        cmocka_unit_test(test_random_groups),
        cmocka_unit_test(test_chosen_geometries),
        cmocka_unit_test(test_depthwise_rows),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_empty_batch),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, case_pools_begin, case_pools_end);
}
