/* SPDX-License-Identifier: MIT */
/* The textbook against itself, at its edges, and with arguments it must refuse. */
#include "golden.h"

#include "base/base_internal.h"
#include "fovea/textbook.h"

#include <limits.h>

static fv_tb_rng rng;

static int setup(void **state)
{
    (void)state;
    return (int)fv_tb_rng_seed(&rng, 99);
}

static int between(int least, int most)
{
    int64_t value = 0;
    assert_int_equal(fv_tb_rng_randint(&rng, &value, 1, least, (int64_t)most + 1), FV_OK);
    return (int)value;
}

static void normals(double *x, int count)
{
    assert_int_equal(fv_tb_rng_randn(&rng, x, (size_t)count), FV_OK);
}

/* ---- the same thing said in two ways ---- */

/* conv_forward is zero_pad, then conv_single_step on every slice: the course's own recipe. */
static void test_conv_is_single_steps(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        const int f = between(1, 3), pad = between(0, 2), stride = between(1, 4);
        const fv_tb_conv d = {between(1, 2), between(f, 6),
                              between(f, 6), between(1, 3),
                              between(1, 3), f,
                              stride,        pad};
        const int PH = d.h + 2 * pad, PW = d.w + 2 * pad;
        double x[2 * 6 * 6 * 3], padded[2 * 10 * 10 * 3], w[3 * 3 * 3 * 3], b[3];
        double z[2 * 10 * 10 * 3], slice[27], one_filter[27], step;
        int OH, OW;
        normals(x, d.n * d.h * d.w * d.c);
        normals(w, f * f * d.c * d.filters);
        normals(b, d.filters);
        assert_int_equal(fv_tb_out_size(&OH, d.h, f, stride, pad), FV_OK);
        assert_int_equal(fv_tb_out_size(&OW, d.w, f, stride, pad), FV_OK);
        assert_int_equal(fv_tb_zero_pad(padded, x, d.n, d.h, d.w, d.c, pad), FV_OK);
        assert_int_equal(fv_tb_conv_forward(z, x, w, b, &d), FV_OK);
        for (int k = 0; k < d.n * OH * OW * d.filters; k++) {
            const int c = k % d.filters, ow = k / d.filters % OW, oh = k / d.filters / OW % OH;
            const int i = k / d.filters / OW / OH;
            for (int s = 0; s < f * f * d.c; s++) {
                const int ch = s % d.c, kw = s / d.c % f, kh = s / d.c / f;
                const int row = oh * stride + kh, col = ow * stride + kw;
                slice[s] = padded[((i * PH + row) * PW + col) * d.c + ch];
                one_filter[s] = w[s * d.filters + c];
            }
            assert_int_equal(fv_tb_conv_single_step(&step, slice, one_filter, b[c], f, d.c), FV_OK);
            assert_true(z[k] == step);
        }
    }
}

/* pool_backward is create_mask_from_window or distribute_value for every window, ties included. */
static void test_pool_is_masks(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        const int f = between(1, 3);
        const fv_tb_pool d = {1,
                              between(f, 6),
                              between(f, 6),
                              1,
                              f,
                              between(1, 3),
                              round % 2 == 0 ? FV_TB_MAX : FV_TB_AVERAGE};
        double x[36], da[36], got[36], want[36] = {0}, window[9], share[9];
        unsigned char mask[9];
        int OH, OW;
        for (int k = 0; k < 36; k++)
            x[k] = between(0, 2); /* many ties */
        normals(da, 36);
        assert_int_equal(fv_tb_out_size(&OH, d.h, f, d.stride, 0), FV_OK);
        assert_int_equal(fv_tb_out_size(&OW, d.w, f, d.stride, 0), FV_OK);
        assert_int_equal(fv_tb_pool_backward(got, da, x, &d), FV_OK);
        for (int k = 0; k < OH * OW; k++) {
            const int top = k / OW * d.stride, left = k % OW * d.stride;
            for (int s = 0; s < f * f; s++)
                window[s] = x[(top + s / f) * d.w + left + s % f];
            assert_int_equal(fv_tb_create_mask_from_window(mask, window, f, f), FV_OK);
            assert_int_equal(fv_tb_distribute_value(share, da[k], f, f), FV_OK);
            for (int s = 0; s < f * f; s++)
                want[(top + s / f) * d.w + left + s % f] += d.mode == FV_TB_AVERAGE ? share[s]
                                                            : mask[s]               ? da[k]
                                                                                    : 0.0;
        }
        for (int k = 0; k < d.h * d.w; k++)
            assert_true(got[k] == want[k]);
    }
}

/* With equal strides and pads the general functions are the course's (there are no ties here). */
static void test_general_is_the_course(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        const int f = between(1, 3), pad = between(0, 2), stride = between(1, 4);
        const fv_tb_conv d = {2, between(f, 5), between(f, 5), 2, 3, f, stride, pad};
        const fv_tb_conv2d_sizes general = {.n = 2,
                                            .h = d.h,
                                            .w = d.w,
                                            .c = 2,
                                            .filters = 3,
                                            .kernel_h = f,
                                            .kernel_w = f,
                                            .stride_h = stride,
                                            .stride_w = stride,
                                            .pad_top = pad,
                                            .pad_bottom = pad,
                                            .pad_left = pad,
                                            .pad_right = pad};
        double x[100], w[54], b[3], z[486], y[486], dz[486], dx[2][100], dw[2][54], db[2][3];
        int OH, OW;
        normals(x, 100);
        normals(w, 54);
        normals(b, 3);
        normals(dz, 486);
        assert_int_equal(fv_tb_conv2d_out_size(&OH, &OW, &general), FV_OK);
        assert_int_equal(fv_tb_conv_forward(z, x, w, b, &d), FV_OK);
        assert_int_equal(fv_tb_conv2d_forward(y, x, w, b, &general), FV_OK);
        assert_memory_equal(z, y, (size_t)(2 * OH * OW * 3) * sizeof *z);
        assert_int_equal(fv_tb_conv_backward(dx[0], dw[0], db[0], dz, x, w, &d), FV_OK);
        assert_int_equal(fv_tb_conv2d_backward(dx[1], dw[1], db[1], dz, x, w, &general), FV_OK);
        assert_memory_equal(dx[0], dx[1], (size_t)(2 * d.h * d.w * 2) * sizeof *x);
        assert_memory_equal(dw[0], dw[1], (size_t)(f * f * 6) * sizeof *x);
        assert_memory_equal(db[0], db[1], sizeof db[0]);

        const fv_tb_pool pool = {2, d.h, d.w, 2, f, stride, (fv_tb_pool_mode)(round % 2)};
        const fv_tb_pool2d_sizes pool2d = {.n = 2,
                                           .h = d.h,
                                           .w = d.w,
                                           .c = 2,
                                           .kernel_h = f,
                                           .kernel_w = f,
                                           .stride_h = stride,
                                           .stride_w = stride,
                                           .mode = pool.mode};
        assert_int_equal(fv_tb_pool2d_out_size(&OH, &OW, &pool2d), FV_OK);
        assert_int_equal(fv_tb_pool_forward(z, x, &pool), FV_OK);
        assert_int_equal(fv_tb_pool2d_forward(y, x, &pool2d), FV_OK);
        assert_memory_equal(z, y, (size_t)(2 * OH * OW * 2) * sizeof *z);
        assert_int_equal(fv_tb_pool_backward(dx[0], dz, x, &pool), FV_OK);
        assert_int_equal(fv_tb_pool2d_backward(dx[1], dz, x, &pool2d), FV_OK);
        assert_memory_equal(dx[0], dx[1], (size_t)(2 * d.h * d.w * 2) * sizeof *x);
    }
}

/* Dilation is a larger kernel with holes of zero; uneven pads are a picture framed beforehand. */
static void test_dilation_and_pads(void **state)
{
    (void)state;
    const fv_tb_conv2d_sizes dilated = {.n = 1,
                                        .h = 5,
                                        .w = 6,
                                        .c = 1,
                                        .filters = 1,
                                        .kernel_h = 2,
                                        .kernel_w = 3,
                                        .stride_h = 2,
                                        .stride_w = 1,
                                        .pad_top = 2,
                                        .pad_bottom = 1,
                                        .pad_left = 0,
                                        .pad_right = 3,
                                        .dilation_h = 3,
                                        .dilation_w = 2};
    const fv_tb_conv2d_sizes holes = {.n = 1,
                                      .h = 8,
                                      .w = 9,
                                      .c = 1,
                                      .filters = 1,
                                      .kernel_h = 4,
                                      .kernel_w = 5,
                                      .stride_h = 2,
                                      .stride_w = 1};
    double x[30], w[6], framed[72] = {0}, wide[20] = {0}, y[15], want[15];
    int OH, OW;
    normals(x, 30);
    normals(w, 6);
    for (int k = 0; k < 30; k++)
        framed[(k / 6 + 2) * 9 + k % 6] = x[k];
    for (int k = 0; k < 6; k++)
        wide[k / 3 * 3 * 5 + k % 3 * 2] = w[k];
    assert_int_equal(fv_tb_conv2d_out_size(&OH, &OW, &dilated), FV_OK);
    assert_true(OH == 3 && OW == 5);
    assert_int_equal(fv_tb_conv2d_out_size(&OH, &OW, &holes), FV_OK);
    assert_true(OH == 3 && OW == 5);
    assert_int_equal(fv_tb_conv2d_forward(y, x, w, NULL, &dilated), FV_OK);
    assert_int_equal(fv_tb_conv2d_forward(want, framed, wide, NULL, &holes), FV_OK);
    for (int k = 0; k < 15; k++)
        golden_near("dilated", y[k], want[k], 1e-14);
}

/* groups = c: each channel has its own filters; Keras's depthwise layout [KH,KW,C,MULTIPLIER]. */
static void test_groups(void **state)
{
    (void)state;
    enum { C = 3, MULTIPLIER = 2 };
    const fv_tb_conv2d_sizes d = {.n = 1,
                                  .h = 4,
                                  .w = 4,
                                  .c = C,
                                  .filters = C * MULTIPLIER,
                                  .kernel_h = 2,
                                  .kernel_w = 2,
                                  .stride_h = 1,
                                  .stride_w = 1,
                                  .groups = C};
    double x[4 * 4 * C], w[2 * 2 * C * MULTIPLIER], b[C * MULTIPLIER], y[9 * C * MULTIPLIER];
    normals(x, 4 * 4 * C);
    normals(w, 2 * 2 * C * MULTIPLIER);
    normals(b, C * MULTIPLIER);
    assert_int_equal(fv_tb_conv2d_forward(y, x, w, b, &d), FV_OK);
    for (int c = 0; c < C; c++) {
        for (int m = 0; m < MULTIPLIER; m++) {
            double plane[16], filter[4], z[9];
            for (int k = 0; k < 16; k++)
                plane[k] = x[k * C + c];
            for (int k = 0; k < 4; k++)
                filter[k] = w[(k * C + c) * MULTIPLIER + m];
            assert_int_equal(fv_tb_conv_forward(z, plane, filter, b + c * MULTIPLIER + m,
                                                &(fv_tb_conv){1, 4, 4, 1, 1, 2, 1, 0}),
                             FV_OK);
            for (int k = 0; k < 9; k++)
                assert_true(z[k] == y[k * C * MULTIPLIER + c * MULTIPLIER + m]);
        }
    }
}

/* The formula of the textbook and that of the base agree wherever either is defined. */
static void test_out_size_is_the_base(void **state)
{
    (void)state;
    for (int n = 1; n <= 9; n++)
        for (int f = 1; f <= 7; f++)
            for (int stride = 1; stride <= 4; stride++)
                for (int pad = 0; pad <= 3; pad++) {
                    fvi_window window = {.before = pad, .after = pad};
                    int out = -1;
                    const fv_status s = fv_tb_out_size(&out, n, f, stride, pad);
                    assert_int_equal(s, f > n + 2 * pad ? FV_E_SHAPE : FV_OK);
                    assert_int_equal(fvi_window_fit(&window, FVI_WINDOW_EXPLICIT, n, f, stride, 1),
                                     s);
                    if (s != FV_OK) continue;
                    assert_int_equal(out, window.out);
                    int positions = 0; /* and both with plain counting */
                    for (int start = 0; start + f <= n + 2 * pad; start += stride)
                        positions++;
                    assert_int_equal(out, positions);
                }
}

/* ---- edges ---- */

static void test_ties_and_padding(void **state)
{
    (void)state;
    const double x[4] = {-5, -5, -5, -7}, one = 1.0;
    double y, dx[4];
    fv_tb_pool course = {1, 2, 2, 1, 2, 2, FV_TB_MAX};
    assert_int_equal(fv_tb_pool_backward(dx, &one, x, &course), FV_OK);
    assert_true(dx[0] == 1 && dx[1] == 1 && dx[2] == 1 && dx[3] == 0); /* every maximum */
    fv_tb_pool2d_sizes d = {.n = 1,
                            .h = 2,
                            .w = 2,
                            .c = 1,
                            .kernel_h = 4,
                            .kernel_w = 4,
                            .stride_h = 1,
                            .stride_w = 1,
                            .pad_top = 1,
                            .pad_bottom = 1,
                            .pad_left = 1,
                            .pad_right = 1};
    assert_int_equal(fv_tb_pool2d_backward(dx, &one, x, &d), FV_OK);
    assert_true(dx[0] == 1 && dx[1] == 0 && dx[2] == 0 && dx[3] == 0); /* the first maximum */
    assert_int_equal(fv_tb_pool2d_forward(&y, x, &d), FV_OK);
    assert_true(y == -5); /* not the 0 of the padding */
    d.mode = FV_TB_AVERAGE;
    assert_int_equal(fv_tb_pool2d_forward(&y, x, &d), FV_OK);
    assert_true(y == -5.5); /* divided by 4 pixels, not by 16 */

    unsigned char mask[4];
    assert_int_equal(fv_tb_create_mask_from_window(mask, x, 1, 4), FV_OK);
    assert_memory_equal(mask, "\1\1\1\0", 4);
}

static void test_not_a_number(void **state)
{
    (void)state;
    const double x[4] = {1, NAN, 3, NAN}, one = 1.0;
    double y, dx[4];
    unsigned char mask[4];
    assert_int_equal(fv_tb_create_mask_from_window(mask, x, 2, 2), FV_OK);
    assert_memory_equal(mask, "\0\0\0\0", 4);
    const fv_tb_pool course = {1, 2, 2, 1, 2, 2, FV_TB_MAX};
    assert_int_equal(fv_tb_pool_forward(&y, x, &course), FV_OK);
    assert_true(isnan(y));
    const fv_tb_pool2d_sizes d = {
        .n = 1, .h = 2, .w = 2, .c = 1, .kernel_h = 2, .kernel_w = 2, .stride_h = 1, .stride_w = 1};
    assert_int_equal(fv_tb_pool2d_forward(&y, x, &d), FV_OK);
    assert_true(isnan(y));
    assert_int_equal(fv_tb_pool2d_backward(dx, &one, x, &d), FV_OK);
    assert_true(dx[0] == 0 && dx[1] == 1 && dx[2] == 0 && dx[3] == 0);
    assert_int_equal(fv_tb_relu_forward(dx, x, 4), FV_OK);
    assert_true(dx[0] == 1 && isnan(dx[1]));
}

static void test_no_images(void **state)
{
    (void)state;
    double in[8] = {0}, kept[4] = {7, 7, 7, 7}, dw[4] = {7, 7, 7, 7}, db[1] = {7}, loss = 7;
    const fv_tb_conv conv = {0, 2, 2, 1, 1, 2, 1, 0};
    assert_int_equal(fv_tb_conv_forward(kept, in, in, in, &conv), FV_OK);
    assert_int_equal(fv_tb_conv_backward(kept, dw, db, in, in, in, &conv), FV_OK);
    assert_true(dw[0] == 0 && dw[3] == 0 && db[0] == 0);
    dw[0] = dw[3] = db[0] = 7;
    const fv_tb_conv2d_sizes conv2d = {.h = 2,
                                       .w = 2,
                                       .c = 1,
                                       .filters = 1,
                                       .kernel_h = 2,
                                       .kernel_w = 2,
                                       .stride_h = 1,
                                       .stride_w = 1};
    assert_int_equal(fv_tb_conv2d_forward(kept, in, in, in, &conv2d), FV_OK);
    assert_int_equal(fv_tb_conv2d_backward(kept, dw, db, in, in, in, &conv2d), FV_OK);
    assert_true(dw[0] == 0 && dw[3] == 0 && db[0] == 0);
    dw[0] = dw[3] = db[0] = 7;
    assert_int_equal(fv_tb_dense_forward(kept, in, in, in, &(fv_tb_dense){0, 4, 1}), FV_OK);
    assert_int_equal(fv_tb_dense_backward(kept, dw, db, in, in, in, &(fv_tb_dense){0, 4, 1}),
                     FV_OK);
    assert_true(dw[0] == 0 && dw[3] == 0 && db[0] == 0);
    const fv_tb_pool pool = {0, 2, 2, 1, 2, 1, FV_TB_MAX};
    const fv_tb_pool2d_sizes pool2d = {
        .h = 2, .w = 2, .c = 1, .kernel_h = 2, .kernel_w = 2, .stride_h = 1, .stride_w = 1};
    assert_int_equal(fv_tb_zero_pad(kept, in, 0, 2, 2, 1, 3), FV_OK);
    assert_int_equal(fv_tb_pool_forward(kept, in, &pool), FV_OK);
    assert_int_equal(fv_tb_pool_backward(kept, in, in, &pool), FV_OK);
    assert_int_equal(fv_tb_pool2d_forward(kept, in, &pool2d), FV_OK);
    assert_int_equal(fv_tb_pool2d_backward(kept, in, in, &pool2d), FV_OK);
    assert_int_equal(fv_tb_flatten_forward(kept, in, 0, 2, 2, 1), FV_OK);
    const fv_tb_batch_norm norm = {.h = 1, .w = 1, .c = 1, .epsilon = 1e-3, .momentum = 0.5};
    double mean = 7, variance = 7;
    assert_int_equal(fv_tb_batch_norm_forward(kept, &mean, &variance, in, in, in, &norm), FV_OK);
    assert_true(mean == 0 && variance == 0);
    assert_int_equal(fv_tb_batch_norm_moving(kept, kept + 1, &mean, &variance, &norm), FV_OK);
    dw[0] = db[0] = 7;
    assert_int_equal(fv_tb_batch_norm_backward(kept, dw, db, in, in, in, &norm), FV_OK);
    assert_true(dw[0] == 0 && db[0] == 0);
    assert_int_equal(fv_tb_softmax_forward(kept, in, 0, 3), FV_OK);
    assert_int_equal(fv_tb_relu_forward(kept, in, 0), FV_OK);
    for (int k = 0; k < 4; k++)
        assert_true(kept[k] == 7);
    fv_status (*const binary[])(double *, const double *, const double *, size_t) = {
        fv_tb_binary_cross_entropy_forward, fv_tb_binary_cross_entropy_logits_forward};
    fv_status (*const categorical[])(double *, const double *, const double *, int, int) = {
        fv_tb_categorical_cross_entropy_forward, fv_tb_categorical_cross_entropy_logits_forward};
    for (int k = 0; k < 2; k++) {
        loss = 7;
        assert_int_equal(binary[k](&loss, in, in, 0), FV_OK);
        assert_true(loss == 0);
        loss = 7;
        assert_int_equal(categorical[k](&loss, in, in, 0, 3), FV_OK);
        assert_true(loss == 0);
    }
}

/* Any gradient may be left out; the others do not change. */
static void test_skipped_gradients(void **state)
{
    (void)state;
    double x[32], w[16], gamma[2] = {1, 2}, dy[32], all[3][32], some[3][32];
    const fv_tb_conv conv = {2, 4, 2, 2, 2, 2, 1, 0};
    const fv_tb_conv2d_sizes conv2d = {.n = 2,
                                       .h = 4,
                                       .w = 2,
                                       .c = 2,
                                       .filters = 2,
                                       .kernel_h = 2,
                                       .kernel_w = 2,
                                       .stride_h = 1,
                                       .stride_w = 1};
    const fv_tb_dense dense = {2, 8, 2};
    const fv_tb_batch_norm norm = {2, 4, 2, 2, 1e-3, 0.9, FV_TB_MOVING_BIASED};
    normals(x, 32);
    normals(w, 16);
    normals(dy, 32);
    for (int kind = 0; kind < 5; kind++) {
        for (int skip = 0; skip < 8; skip++) {
            double *out[3];
            for (int k = 0; k < 32; k++)
                some[0][k] = some[1][k] = some[2][k] = 7;
            for (int k = 0; k < 3; k++)
                out[k] = skip >> k & 1 ? NULL : some[k];
            fv_status s = FV_E_STATE;
            if (kind == 0) s = fv_tb_conv_backward(out[0], out[1], out[2], dy, x, w, &conv);
            if (kind == 1) s = fv_tb_conv2d_backward(out[0], out[1], out[2], dy, x, w, &conv2d);
            if (kind == 2) s = fv_tb_dense_backward(out[0], out[1], out[2], dy, x, w, &dense);
            if (kind == 3)
                s = fv_tb_batch_norm_backward(out[0], out[1], out[2], dy, x, gamma, &norm);
            if (kind == 4)
                s = fv_tb_batch_norm_inference_backward(out[0], out[1], out[2], dy, x, gamma, w,
                                                        gamma, &norm);
            assert_int_equal(s, FV_OK);
            if (skip == 0) memcpy(all, some, sizeof all);
            for (int k = 0; k < 3; k++)
                if (out[k] != NULL) assert_memory_equal(some[k], all[k], sizeof all[k]);
        }
    }
}

/* Large logits overflow nothing; probabilities of 0 and 1 are clipped as in Keras. */
static void test_extreme_numbers(void **state)
{
    (void)state;
    const double z[2] = {1000, -1000}, y[2] = {0, 1}, right[2] = {1, 0}, p[2] = {1, 0};
    double loss, d[2], s[2];
    assert_int_equal(fv_tb_sigmoid_forward(s, z, 2), FV_OK);
    assert_true(s[0] == 1 && s[1] == 0);
    assert_int_equal(fv_tb_softmax_forward(s, z, 1, 2), FV_OK);
    assert_true(s[0] == 1 && s[1] == 0);
    assert_int_equal(fv_tb_binary_cross_entropy_logits_forward(&loss, z, y, 2), FV_OK);
    assert_true(loss == 1000);
    assert_int_equal(fv_tb_binary_cross_entropy_logits_backward(d, z, y, 2), FV_OK);
    assert_true(d[0] == 0.5 && d[1] == -0.5);
    assert_int_equal(fv_tb_categorical_cross_entropy_logits_forward(&loss, z, y, 1, 2), FV_OK);
    assert_true(loss == 2000);
    assert_int_equal(fv_tb_binary_cross_entropy_forward(&loss, p, y, 2), FV_OK);
    golden_near("-log(1e-7)", loss, 16.11809565095832, 1e-8); /* 1 - (1 - 1e-7) is not quite 1e-7 */
    assert_int_equal(fv_tb_binary_cross_entropy_forward(&loss, p, right, 2), FV_OK);
    golden_near("-log(1 - 1e-7)", loss, 1.0000000494736474e-07, 1e-15);
    assert_int_equal(fv_tb_binary_cross_entropy_backward(d, p, y, 2), FV_OK);
    assert_true(d[0] == 0 && d[1] == 0);
    assert_int_equal(fv_tb_categorical_cross_entropy_forward(&loss, p, y, 1, 2), FV_OK);
    golden_near("-log(1e-7)", loss, 16.11809565095832, 1e-13);
    assert_int_equal(fv_tb_categorical_cross_entropy_backward(d, p, y, 1, 2), FV_OK);
    assert_true(d[0] == 0 && d[1] == 0);
    /* A row that adds up to 4 counts as (1/4, 3/4). */
    assert_int_equal(fv_tb_categorical_cross_entropy_forward(&loss, (double[]){1, 3}, y, 1, 2),
                     FV_OK);
    golden_near("-log(3/4)", loss, 0.2876820724517809, 1e-15);
    /* One value has no spread to correct. */
    double mean = 0, variance = 1;
    assert_int_equal(
        fv_tb_batch_norm_moving(&mean, &variance, y, y,
                                &(fv_tb_batch_norm){1, 1, 1, 1, 1e-3, 0.5, FV_TB_MOVING_UNBIASED}),
        FV_OK);
    assert_true(variance == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_is_single_steps),
        cmocka_unit_test(test_pool_is_masks),
        cmocka_unit_test(test_general_is_the_course),
        cmocka_unit_test(test_dilation_and_pads),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_out_size_is_the_base),
        cmocka_unit_test(test_ties_and_padding),
        cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_no_images),
        cmocka_unit_test(test_skipped_gradients),
        cmocka_unit_test(test_extreme_numbers),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
