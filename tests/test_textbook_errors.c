/* SPDX-License-Identifier: MIT */
/* What the textbook must refuse: every NULL, every size out of range; and the sentence it says. */
#include "golden.h"

#include "base/base_internal.h"
#include "fovea/textbook.h"

#include <limits.h>

static double in[64], out[64], more[64], rest[64];
static unsigned char mask[8];

/* status and message are right, and no output was written. */
static void refused(fv_status got, fv_status want, const char *word, const char *call)
{
    if (got != want)
        fail_msg("%s gives %s, not %s", call, fv_status_name(got), fv_status_name(want));
    if (strstr(fv_error(), word) == NULL)
        fail_msg("%s says \"%s\", without \"%s\"", call, fv_error(), word);
    if (strncmp(fv_error(), "fv_tb_", 6) != 0)
        fail_msg("%s says \"%s\", without a function's name", call, fv_error());
    for (int k = 0; k < 64; k++)
        if (out[k] != 7 || more[k] != 7 || rest[k] != 7) fail_msg("%s wrote something", call);
}

#define REFUSED(want, word, call) refused(call, want, word, #call)
#define NEEDS(word, call) refused(call, FV_E_ARG, word " is NULL", #call)

static int setup(void **state)
{
    (void)state;
    for (int k = 0; k < 64; k++)
        out[k] = more[k] = rest[k] = 7;
    return 0;
}

static void test_course_null(void **state)
{
    (void)state;
    const fv_tb_conv conv = {1, 4, 4, 1, 1, 2, 1, 0};
    const fv_tb_pool pool = {1, 4, 4, 1, 2, 2, FV_TB_MAX};
    NEEDS("out", fv_tb_out_size(NULL, 1, 1, 1, 1));
    NEEDS("y", fv_tb_zero_pad(NULL, in, 1, 1, 1, 1, 1));
    NEEDS("x", fv_tb_zero_pad(out, NULL, 1, 1, 1, 1, 1));
    NEEDS("z", fv_tb_conv_single_step(NULL, in, in, 0, 1, 1));
    NEEDS("a_slice", fv_tb_conv_single_step(out, NULL, in, 0, 1, 1));
    NEEDS("w", fv_tb_conv_single_step(out, in, NULL, 0, 1, 1));
    NEEDS("z", fv_tb_conv_forward(NULL, in, in, in, &conv));
    NEEDS("a_prev", fv_tb_conv_forward(out, NULL, in, in, &conv));
    NEEDS("w", fv_tb_conv_forward(out, in, NULL, in, &conv));
    NEEDS("b", fv_tb_conv_forward(out, in, in, NULL, &conv));
    NEEDS("d", fv_tb_conv_forward(out, in, in, in, NULL));
    NEEDS("dz", fv_tb_conv_backward(out, more, rest, NULL, in, in, &conv));
    NEEDS("a_prev", fv_tb_conv_backward(out, more, rest, in, NULL, in, &conv));
    NEEDS("w", fv_tb_conv_backward(out, more, rest, in, in, NULL, &conv));
    NEEDS("d", fv_tb_conv_backward(out, more, rest, in, in, in, NULL));
    NEEDS("a", fv_tb_pool_forward(NULL, in, &pool));
    NEEDS("a_prev", fv_tb_pool_forward(out, NULL, &pool));
    NEEDS("d", fv_tb_pool_forward(out, in, NULL));
    NEEDS("da_prev", fv_tb_pool_backward(NULL, in, in, &pool));
    NEEDS("da", fv_tb_pool_backward(out, NULL, in, &pool));
    NEEDS("a_prev", fv_tb_pool_backward(out, in, NULL, &pool));
    NEEDS("d", fv_tb_pool_backward(out, in, in, NULL));
    NEEDS("mask", fv_tb_create_mask_from_window(NULL, in, 1, 1));
    NEEDS("x", fv_tb_create_mask_from_window(mask, NULL, 1, 1));
    NEEDS("a", fv_tb_distribute_value(NULL, 1, 1, 1));
}

static void test_course_sizes(void **state)
{
    (void)state;
    int size = 7;
    REFUSED(FV_E_SHAPE, "n is 0", fv_tb_out_size(&size, 0, 1, 1, 5));
    REFUSED(FV_E_SHAPE, "f is 0", fv_tb_out_size(&size, 3, 0, 1, 0));
    REFUSED(FV_E_SHAPE, "f is -2", fv_tb_out_size(&size, 3, -2, 1, 0));
    REFUSED(FV_E_SHAPE, "stride is 0", fv_tb_out_size(&size, 3, 1, 0, 0));
    REFUSED(FV_E_SHAPE, "pad is -1", fv_tb_out_size(&size, 3, 1, 1, -1));
    /* n + 2p - f = -1: a division that truncates would give a size of 1 at stride 2. */
    REFUSED(FV_E_SHAPE, "a window of 4 does not fit an input of 3",
            fv_tb_out_size(&size, 3, 4, 2, 0));
    REFUSED(FV_E_SHAPE, "does not fit", fv_tb_out_size(&size, 3, INT_MAX, 1, 1));
    REFUSED(FV_E_SHAPE, "n + 2*pad", fv_tb_out_size(&size, INT_MAX, 1, 1, 1));
    REFUSED(FV_E_SHAPE, "n + 2*pad", fv_tb_out_size(&size, 1, 1, 1, INT_MAX));
    assert_int_equal(size, 7);
    assert_int_equal(fv_tb_out_size(&size, INT_MAX, 1, 1, 0), FV_OK);
    assert_int_equal(size, INT_MAX);
    assert_int_equal(fv_tb_out_size(&size, 5, 5, INT_MAX, 0), FV_OK);
    assert_int_equal(size, 1);

    REFUSED(FV_E_SHAPE, "n is -1", fv_tb_zero_pad(out, in, -1, 1, 1, 1, 0));
    REFUSED(FV_E_SHAPE, "is 0", fv_tb_zero_pad(out, in, 1, 0, 1, 1, 0));
    REFUSED(FV_E_SHAPE, "is 0", fv_tb_zero_pad(out, in, 1, 1, 0, 1, 0));
    REFUSED(FV_E_SHAPE, "c is 0", fv_tb_zero_pad(out, in, 1, 1, 1, 0, 0));
    REFUSED(FV_E_SHAPE, "pad is -1", fv_tb_zero_pad(out, in, 1, 1, 1, 1, -1));
    REFUSED(FV_E_SHAPE, "more elements",
            fv_tb_zero_pad(out, in, INT_MAX, 1 << 20, 1 << 20, 1 << 20, 3));
    REFUSED(FV_E_SHAPE, "f is 0", fv_tb_conv_single_step(out, in, in, 0, 0, 1));
    REFUSED(FV_E_SHAPE, "c is 0", fv_tb_conv_single_step(out, in, in, 0, 1, 0));
    REFUSED(FV_E_SHAPE, "more elements", fv_tb_conv_single_step(out, in, in, 0, INT_MAX, INT_MAX));
    REFUSED(FV_E_SHAPE, "h is 0", fv_tb_create_mask_from_window(mask, in, 0, 1));
    REFUSED(FV_E_SHAPE, "w is -1", fv_tb_create_mask_from_window(mask, in, 1, -1));
    REFUSED(FV_E_SHAPE, "h is 0", fv_tb_distribute_value(out, 1, 0, 1));
    REFUSED(FV_E_SHAPE, "w is 0", fv_tb_distribute_value(out, 1, 1, 0));
}

/* Each field of a config in turn takes a value that must be refused, in both directions. */
static void test_course_configs(void **state)
{
    (void)state;
    const fv_tb_conv good = {1, 4, 4, 1, 1, 2, 1, 0};
    static const struct {
        size_t field;
        int value;
        const char *word;
    } bad[] = {{offsetof(fv_tb_conv, n), -1, "n is -1"},
               {offsetof(fv_tb_conv, h), 0, "height: fv_tb_out_size: n is 0"},
               {offsetof(fv_tb_conv, w), -4, "width: fv_tb_out_size: n is -4"},
               {offsetof(fv_tb_conv, c), 0, "c is 0"},
               {offsetof(fv_tb_conv, filters), 0, "filters is 0"},
               {offsetof(fv_tb_conv, f), 0, "f is 0"},
               {offsetof(fv_tb_conv, f), 5, "a window of 5 does not fit an input of 4"},
               {offsetof(fv_tb_conv, stride), 0, "stride is 0"},
               {offsetof(fv_tb_conv, pad), -1, "pad is -1"},
               {offsetof(fv_tb_conv, pad), INT_MAX, "n + 2*pad"}};
    for (size_t k = 0; k < FVI_COUNT(bad); k++) {
        fv_tb_conv d = good;
        memcpy((char *)&d + bad[k].field, &bad[k].value, sizeof bad[k].value);
        REFUSED(FV_E_SHAPE, bad[k].word, fv_tb_conv_forward(out, in, in, in, &d));
        REFUSED(FV_E_SHAPE, bad[k].word, fv_tb_conv_backward(out, more, rest, in, in, in, &d));
    }
    fv_tb_conv d = {1, INT_MAX, INT_MAX, INT_MAX, 1, 1, 1, 0};
    REFUSED(FV_E_SHAPE, "a_prev has more elements", fv_tb_conv_forward(out, in, in, in, &d));
    d = (fv_tb_conv){0, 1 << 20, 1 << 20, 1, INT_MAX, 1 << 20, 1, 0};
    REFUSED(FV_E_SHAPE, "w has more elements",
            fv_tb_conv_backward(out, more, rest, in, in, in, &d));
    d = (fv_tb_conv){INT_MAX, 1, 1, 1, INT_MAX, 1, 1, 1 << 10};
    REFUSED(FV_E_SHAPE, "z has more elements", fv_tb_conv_forward(out, in, in, in, &d));

    const fv_tb_pool pools[] = {{-1, 4, 4, 1, 2, 1, FV_TB_MAX},
                                {1, 0, 4, 1, 2, 1, FV_TB_MAX},
                                {1, 4, 0, 1, 2, 1, FV_TB_MAX},
                                {1, 4, 4, 0, 2, 1, FV_TB_MAX},
                                {1, 4, 4, 1, 0, 1, FV_TB_MAX},
                                {1, 4, 4, 1, 5, 1, FV_TB_MAX},
                                {1, 4, 3, 1, 4, 1, FV_TB_MAX},
                                {1, 4, 4, 1, 2, 0, FV_TB_MAX},
                                {INT_MAX, INT_MAX, INT_MAX, INT_MAX, 2, 1, FV_TB_MAX}};
    for (size_t k = 0; k < FVI_COUNT(pools); k++) {
        REFUSED(FV_E_SHAPE, "", fv_tb_pool_forward(out, in, &pools[k]));
        REFUSED(FV_E_SHAPE, "", fv_tb_pool_backward(out, in, in, &pools[k]));
    }
    const fv_tb_pool mode = {1, 4, 4, 1, 2, 1, (fv_tb_pool_mode)2};
    REFUSED(FV_E_ARG, "mode is 2", fv_tb_pool_forward(out, in, &mode));
    REFUSED(FV_E_ARG, "mode is 2", fv_tb_pool_backward(out, in, in, &mode));
}

static void test_general_null(void **state)
{
    (void)state;
    int size = 7;
    const fv_tb_conv2d_sizes c = {.n = 1,
                                  .h = 2,
                                  .w = 2,
                                  .c = 1,
                                  .filters = 1,
                                  .kernel_h = 1,
                                  .kernel_w = 1,
                                  .stride_h = 1,
                                  .stride_w = 1};
    const fv_tb_pool2d_sizes p = {
        .n = 1, .h = 2, .w = 2, .c = 1, .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1};
    NEEDS("out_h", fv_tb_conv2d_out_size(NULL, &size, &c));
    NEEDS("out_w", fv_tb_conv2d_out_size(&size, NULL, &c));
    NEEDS("d", fv_tb_conv2d_out_size(&size, &size, NULL));
    NEEDS("y", fv_tb_conv2d_forward(NULL, in, in, in, &c));
    NEEDS("x", fv_tb_conv2d_forward(out, NULL, in, in, &c));
    NEEDS("w", fv_tb_conv2d_forward(out, in, NULL, in, &c));
    NEEDS("d", fv_tb_conv2d_forward(out, in, in, in, NULL));
    NEEDS("dy", fv_tb_conv2d_backward(out, more, rest, NULL, in, in, &c));
    NEEDS("x", fv_tb_conv2d_backward(out, more, rest, in, NULL, in, &c));
    NEEDS("w", fv_tb_conv2d_backward(out, more, rest, in, in, NULL, &c));
    NEEDS("d", fv_tb_conv2d_backward(out, more, rest, in, in, in, NULL));
    NEEDS("out_h", fv_tb_pool2d_out_size(NULL, &size, &p));
    NEEDS("out_w", fv_tb_pool2d_out_size(&size, NULL, &p));
    NEEDS("d", fv_tb_pool2d_out_size(&size, &size, NULL));
    NEEDS("y", fv_tb_pool2d_forward(NULL, in, &p));
    NEEDS("x", fv_tb_pool2d_forward(out, NULL, &p));
    NEEDS("d", fv_tb_pool2d_forward(out, in, NULL));
    NEEDS("dx", fv_tb_pool2d_backward(NULL, in, in, &p));
    NEEDS("dy", fv_tb_pool2d_backward(out, NULL, in, &p));
    NEEDS("x", fv_tb_pool2d_backward(out, in, NULL, &p));
    NEEDS("d", fv_tb_pool2d_backward(out, in, in, NULL));
}

static void refuse_conv2d(fv_tb_conv2d_sizes d, const char *word)
{
    int size[2] = {7, 7};
    REFUSED(FV_E_SHAPE, word, fv_tb_conv2d_out_size(&size[0], &size[1], &d));
    REFUSED(FV_E_SHAPE, word, fv_tb_conv2d_forward(out, in, in, in, &d));
    REFUSED(FV_E_SHAPE, word, fv_tb_conv2d_backward(out, more, rest, in, in, in, &d));
    assert_true(size[0] == 7 && size[1] == 7);
}

static void refuse_pool2d(fv_tb_pool2d_sizes d, fv_status want, const char *word)
{
    int size[2] = {7, 7};
    REFUSED(want, word, fv_tb_pool2d_out_size(&size[0], &size[1], &d));
    REFUSED(want, word, fv_tb_pool2d_forward(out, in, &d));
    REFUSED(want, word, fv_tb_pool2d_backward(out, in, in, &d));
    assert_true(size[0] == 7 && size[1] == 7);
}

/* The good sizes with one field that is not. */
#define BROKEN(field, value) (d = good, d.field = (value), d)

static void test_general_sizes(void **state)
{
    (void)state;
    const fv_tb_conv2d_sizes good = {.n = 1,
                                     .h = 4,
                                     .w = 4,
                                     .c = 2,
                                     .filters = 2,
                                     .kernel_h = 2,
                                     .kernel_w = 2,
                                     .stride_h = 1,
                                     .stride_w = 1};
    fv_tb_conv2d_sizes d;
    refuse_conv2d(BROKEN(n, -1), "n is -1");
    refuse_conv2d(BROKEN(h, 0), "height the input is 0");
    refuse_conv2d(BROKEN(w, 0), "width the input is 0");
    refuse_conv2d(BROKEN(c, 0), "c is 0");
    refuse_conv2d(BROKEN(filters, 0), "filters is 0");
    refuse_conv2d(BROKEN(kernel_h, 0), "the kernel 0");
    refuse_conv2d(BROKEN(kernel_w, 5), "width a kernel that spans 5 does not fit");
    refuse_conv2d(BROKEN(stride_h, 0), "the stride 0");
    refuse_conv2d(BROKEN(stride_w, -1), "the stride -1");
    refuse_conv2d(BROKEN(pad_top, -1), "height the pads are -1 and 0");
    refuse_conv2d(BROKEN(pad_bottom, -1), "height the pads are 0 and -1");
    refuse_conv2d(BROKEN(pad_left, -1), "width the pads are -1 and 0");
    refuse_conv2d(BROKEN(pad_right, INT_MAX), "width the padded input is");
    refuse_conv2d(BROKEN(dilation_h, -1), "the dilation -1");
    refuse_conv2d(BROKEN(dilation_w, 4), "width a kernel that spans 5 does not fit");
    refuse_conv2d(BROKEN(dilation_w, INT_MAX), "does not fit");
    refuse_conv2d(BROKEN(groups, -1), "-1 groups");
    refuse_conv2d(BROKEN(groups, 3), "3 groups for 2 channels and 2 filters");
    d = good;
    d.filters = 3;
    d.groups = 2;
    refuse_conv2d(d, "2 groups for 2 channels and 3 filters");
    d.filters = d.groups = 4;
    refuse_conv2d(d, "4 groups for 2 channels and 4 filters");
    d = good;
    d.n = d.h = d.w = d.c = INT_MAX;
    refuse_conv2d(d, "more elements");
}

static void test_general_pool_sizes(void **state)
{
    (void)state;
    const fv_tb_pool2d_sizes good = {
        .n = 1, .h = 4, .w = 4, .c = 2, .kernel_h = 2, .kernel_w = 2, .stride_h = 1, .stride_w = 1};
    fv_tb_pool2d_sizes d;
    refuse_pool2d(BROKEN(n, -1), FV_E_SHAPE, "n is -1");
    refuse_pool2d(BROKEN(h, 0), FV_E_SHAPE, "height the input is 0");
    refuse_pool2d(BROKEN(w, -1), FV_E_SHAPE, "width the input is -1");
    refuse_pool2d(BROKEN(c, 0), FV_E_SHAPE, "c is 0");
    refuse_pool2d(BROKEN(kernel_h, 5), FV_E_SHAPE, "does not fit");
    refuse_pool2d(BROKEN(stride_w, 0), FV_E_SHAPE, "the stride 0");
    refuse_pool2d(BROKEN(pad_left, -1), FV_E_SHAPE, "pads are -1 and 0");
    refuse_pool2d(BROKEN(pad_top, 2), FV_E_SHAPE, "height window 0 lies wholly in the padding");
    refuse_pool2d(BROKEN(pad_right, 2), FV_E_SHAPE, "width window 4 lies wholly in the padding");
    refuse_pool2d(BROKEN(mode, (fv_tb_pool_mode)9), FV_E_ARG, "mode is 9");
}

static void test_dense_and_flatten(void **state)
{
    (void)state;
    const fv_tb_dense good = {1, 2, 2};
    const fv_tb_dense bad[] = {{-1, 2, 2}, {1, 0, 2}, {1, 2, 0}};
    NEEDS("z", fv_tb_dense_forward(NULL, in, in, in, &good));
    NEEDS("a_prev", fv_tb_dense_forward(out, NULL, in, in, &good));
    NEEDS("w", fv_tb_dense_forward(out, in, NULL, in, &good));
    NEEDS("d", fv_tb_dense_forward(out, in, in, in, NULL));
    NEEDS("dz", fv_tb_dense_backward(out, more, rest, NULL, in, in, &good));
    NEEDS("a_prev", fv_tb_dense_backward(out, more, rest, in, NULL, in, &good));
    NEEDS("w", fv_tb_dense_backward(out, more, rest, in, in, NULL, &good));
    NEEDS("d", fv_tb_dense_backward(out, more, rest, in, in, in, NULL));
    for (size_t k = 0; k < FVI_COUNT(bad); k++) {
        REFUSED(FV_E_SHAPE, "is expected", fv_tb_dense_forward(out, in, in, in, &bad[k]));
        REFUSED(FV_E_SHAPE, "is expected",
                fv_tb_dense_backward(out, more, rest, in, in, in, &bad[k]));
    }
    NEEDS("y", fv_tb_flatten_forward(NULL, in, 1, 1, 1, 1));
    NEEDS("x", fv_tb_flatten_forward(out, NULL, 1, 1, 1, 1));
    NEEDS("dx", fv_tb_flatten_backward(NULL, in, 1, 1, 1, 1));
    NEEDS("dy", fv_tb_flatten_backward(out, NULL, 1, 1, 1, 1));
    REFUSED(FV_E_SHAPE, "n is -1", fv_tb_flatten_forward(out, in, -1, 1, 1, 1));
    REFUSED(FV_E_SHAPE, "h is 0", fv_tb_flatten_forward(out, in, 1, 0, 1, 1));
    REFUSED(FV_E_SHAPE, "w is 0", fv_tb_flatten_backward(out, in, 1, 1, 0, 1));
    REFUSED(FV_E_SHAPE, "c is 0", fv_tb_flatten_backward(out, in, 1, 1, 1, 0));
    REFUSED(FV_E_SHAPE, "more elements",
            fv_tb_flatten_forward(out, in, INT_MAX, INT_MAX, INT_MAX, INT_MAX));
}

static void test_batch_norm(void **state)
{
    (void)state;
    const fv_tb_batch_norm good = {1, 2, 2, 1, 1e-3, 0.9, FV_TB_MOVING_BIASED};
    NEEDS("y", fv_tb_batch_norm_forward(NULL, more, rest, in, in, in, &good));
    NEEDS("x", fv_tb_batch_norm_forward(out, more, rest, NULL, in, in, &good));
    NEEDS("gamma", fv_tb_batch_norm_forward(out, more, rest, in, NULL, in, &good));
    NEEDS("beta", fv_tb_batch_norm_forward(out, more, rest, in, in, NULL, &good));
    NEEDS("d", fv_tb_batch_norm_forward(out, more, rest, in, in, in, NULL));
    NEEDS("dy", fv_tb_batch_norm_backward(out, more, rest, NULL, in, in, &good));
    NEEDS("x", fv_tb_batch_norm_backward(out, more, rest, in, NULL, in, &good));
    NEEDS("gamma", fv_tb_batch_norm_backward(out, more, rest, in, in, NULL, &good));
    NEEDS("d", fv_tb_batch_norm_backward(out, more, rest, in, in, in, NULL));
    NEEDS("moving_mean", fv_tb_batch_norm_moving(NULL, more, in, in, &good));
    NEEDS("moving_variance", fv_tb_batch_norm_moving(out, NULL, in, in, &good));
    NEEDS("mean", fv_tb_batch_norm_moving(out, more, NULL, in, &good));
    NEEDS("variance", fv_tb_batch_norm_moving(out, more, in, NULL, &good));
    NEEDS("d", fv_tb_batch_norm_moving(out, more, in, in, NULL));
    NEEDS("y", fv_tb_batch_norm_inference(NULL, in, in, in, in, in, &good));
    NEEDS("x", fv_tb_batch_norm_inference(out, NULL, in, in, in, in, &good));
    NEEDS("gamma", fv_tb_batch_norm_inference(out, in, NULL, in, in, in, &good));
    NEEDS("beta", fv_tb_batch_norm_inference(out, in, in, NULL, in, in, &good));
    NEEDS("moving_mean", fv_tb_batch_norm_inference(out, in, in, in, NULL, in, &good));
    NEEDS("moving_variance", fv_tb_batch_norm_inference(out, in, in, in, in, NULL, &good));
    NEEDS("d", fv_tb_batch_norm_inference(out, in, in, in, in, in, NULL));
#define INFERENCE(dy, x, gamma, mean, variance, d)                                                 \
    fv_tb_batch_norm_inference_backward(out, more, rest, dy, x, gamma, mean, variance, d)
    NEEDS("dy", INFERENCE(NULL, in, in, in, in, &good));
    NEEDS("x", INFERENCE(in, NULL, in, in, in, &good));
    NEEDS("gamma", INFERENCE(in, in, NULL, in, in, &good));
    NEEDS("moving_mean", INFERENCE(in, in, in, NULL, in, &good));
    NEEDS("moving_variance", INFERENCE(in, in, in, in, NULL, &good));
    NEEDS("d", INFERENCE(in, in, in, in, in, NULL));
    static const struct {
        fv_tb_batch_norm d;
        fv_status want;
        const char *word;
    } bad[] = {{{-1, 2, 2, 1, 1e-3, 0.9, FV_TB_MOVING_BIASED}, FV_E_SHAPE, "n is -1"},
               {{1, 0, 2, 1, 1e-3, 0.9, FV_TB_MOVING_BIASED}, FV_E_SHAPE, "h is 0"},
               {{1, 2, 0, 1, 1e-3, 0.9, FV_TB_MOVING_BIASED}, FV_E_SHAPE, "w is 0"},
               {{1, 2, 2, 0, 1e-3, 0.9, FV_TB_MOVING_BIASED}, FV_E_SHAPE, "c is 0"},
               {{1, 2, 2, 1, -1e-3, 0.9, FV_TB_MOVING_BIASED}, FV_E_ARG, "epsilon"},
               {{1, 2, 2, 1, NAN, 0.9, FV_TB_MOVING_BIASED}, FV_E_ARG, "epsilon"},
               {{1, 2, 2, 1, INFINITY, 0.9, FV_TB_MOVING_BIASED}, FV_E_ARG, "epsilon"},
               {{1, 2, 2, 1, 1e-3, -0.1, FV_TB_MOVING_BIASED}, FV_E_ARG, "momentum"},
               {{1, 2, 2, 1, 1e-3, 1.1, FV_TB_MOVING_BIASED}, FV_E_ARG, "momentum"},
               {{1, 2, 2, 1, 1e-3, NAN, FV_TB_MOVING_BIASED}, FV_E_ARG, "momentum"},
               {{1, 2, 2, 1, 1e-3, 0.9, (fv_tb_moving)5}, FV_E_ARG, "moving is 5"}};
    for (size_t k = 0; k < FVI_COUNT(bad); k++) {
        const fv_tb_batch_norm *d = &bad[k].d;
        const fv_status want = bad[k].want;
        REFUSED(want, bad[k].word, fv_tb_batch_norm_forward(out, more, rest, in, in, in, d));
        REFUSED(want, bad[k].word, fv_tb_batch_norm_backward(out, more, rest, in, in, in, d));
        REFUSED(want, bad[k].word, fv_tb_batch_norm_moving(out, more, in, in, d));
        REFUSED(want, bad[k].word, fv_tb_batch_norm_inference(out, in, in, in, in, in, d));
        REFUSED(want, bad[k].word, INFERENCE(in, in, in, in, in, d));
    }
}

static void test_elementwise(void **state)
{
    (void)state;
    fv_status (*const forward[])(double *, const double *, size_t) = {
        fv_tb_relu_forward, fv_tb_sigmoid_forward, fv_tb_tanh_forward};
    fv_status (*const backward[])(double *, const double *, const double *, size_t) = {
        fv_tb_relu_backward, fv_tb_sigmoid_backward, fv_tb_tanh_backward};
    for (size_t k = 0; k < 3; k++) {
        NEEDS("y", forward[k](NULL, in, 4));
        NEEDS("x", forward[k](out, NULL, 4));
        NEEDS("dx", backward[k](NULL, in, in, 4));
        NEEDS("dy", backward[k](out, NULL, in, 4));
        REFUSED(FV_E_ARG, "is NULL", backward[k](out, in, NULL, 4)); /* x for relu, else y */
    }
    NEEDS("y", fv_tb_softmax_forward(NULL, in, 1, 2));
    NEEDS("x", fv_tb_softmax_forward(out, NULL, 1, 2));
    NEEDS("dx", fv_tb_softmax_backward(NULL, in, in, 1, 2));
    NEEDS("dy", fv_tb_softmax_backward(out, NULL, in, 1, 2));
    NEEDS("y", fv_tb_softmax_backward(out, in, NULL, 1, 2));
    REFUSED(FV_E_SHAPE, "n is -1", fv_tb_softmax_forward(out, in, -1, 2));
    REFUSED(FV_E_SHAPE, "classes is 0", fv_tb_softmax_forward(out, in, 1, 0));
    REFUSED(FV_E_SHAPE, "n is -1", fv_tb_softmax_backward(out, in, in, -1, 2));
    REFUSED(FV_E_SHAPE, "classes is 0", fv_tb_softmax_backward(out, in, in, 1, 0));

    NEEDS("y", fv_tb_dropout_forward(NULL, in, mask, 0.5, 4));
    NEEDS("x", fv_tb_dropout_forward(out, NULL, mask, 0.5, 4));
    NEEDS("mask", fv_tb_dropout_forward(out, in, NULL, 0.5, 4));
    NEEDS("dx", fv_tb_dropout_backward(NULL, in, mask, 0.5, 4));
    NEEDS("dy", fv_tb_dropout_backward(out, NULL, mask, 0.5, 4));
    NEEDS("mask", fv_tb_dropout_backward(out, in, NULL, 0.5, 4));
    const double rates[] = {1.0, -0.1, 2.0, NAN};
    for (size_t k = 0; k < FVI_COUNT(rates); k++) {
        REFUSED(FV_E_ARG, "rate", fv_tb_dropout_forward(out, in, mask, rates[k], 4));
        REFUSED(FV_E_ARG, "rate", fv_tb_dropout_backward(out, in, mask, rates[k], 4));
    }
}

static void test_losses(void **state)
{
    (void)state;
    fv_status (*const binary[])(double *, const double *, const double *, size_t) = {
        fv_tb_binary_cross_entropy_forward, fv_tb_binary_cross_entropy_backward,
        fv_tb_binary_cross_entropy_logits_forward, fv_tb_binary_cross_entropy_logits_backward};
    fv_status (*const categorical[])(double *, const double *, const double *, int, int) = {
        fv_tb_categorical_cross_entropy_forward, fv_tb_categorical_cross_entropy_backward,
        fv_tb_categorical_cross_entropy_logits_forward,
        fv_tb_categorical_cross_entropy_logits_backward};
    static const char *const first[] = {"loss is NULL", "dp is NULL", "loss is NULL", "dz is NULL"};
    static const char *const second[] = {"p is NULL", "p is NULL", "z is NULL", "z is NULL"};
    for (size_t k = 0; k < 4; k++) {
        REFUSED(FV_E_ARG, first[k], binary[k](NULL, in, in, 4));
        REFUSED(FV_E_ARG, second[k], binary[k](out, NULL, in, 4));
        NEEDS("y", binary[k](out, in, NULL, 4));
        REFUSED(FV_E_ARG, first[k], categorical[k](NULL, in, in, 1, 2));
        REFUSED(FV_E_ARG, second[k], categorical[k](out, NULL, in, 1, 2));
        NEEDS("y", categorical[k](out, in, NULL, 1, 2));
        REFUSED(FV_E_SHAPE, "n is -1", categorical[k](out, in, in, -1, 2));
        REFUSED(FV_E_SHAPE, "classes is 0", categorical[k](out, in, in, 1, 0));
    }
}

static void test_rng(void **state)
{
    (void)state;
    fv_tb_rng rng = {0};
    int p[4];
    int64_t wide[4];
    uint32_t word[4];
    REFUSED(FV_E_STATE, "fv_tb_rng_seed first", fv_tb_rng_uint32(&rng, word, 4));
    REFUSED(FV_E_STATE, "never seeded", fv_tb_rng_rand(&rng, out, 4));
    REFUSED(FV_E_STATE, "never seeded", fv_tb_rng_randn(&rng, out, 4));
    REFUSED(FV_E_STATE, "never seeded", fv_tb_rng_randint(&rng, wide, 4, 0, 2));
    REFUSED(FV_E_STATE, "never seeded", fv_tb_rng_permutation(&rng, p, 4));
    REFUSED(FV_E_STATE, "never seeded", fv_tb_rng_shuffle(&rng, p, 4));
    REFUSED(FV_E_STATE, "never seeded", fv_tb_dropout_mask(&rng, mask, 0.5, 4));
    NEEDS("rng", fv_tb_rng_seed(NULL, 1));
    assert_int_equal(fv_tb_rng_seed(&rng, 1), FV_OK);
    NEEDS("rng", fv_tb_rng_uint32(NULL, word, 4));
    NEEDS("out", fv_tb_rng_uint32(&rng, NULL, 4));
    NEEDS("out", fv_tb_rng_rand(&rng, NULL, 4));
    NEEDS("out", fv_tb_rng_randn(&rng, NULL, 4));
    NEEDS("out", fv_tb_rng_randint(&rng, NULL, 4, 0, 2));
    NEEDS("p", fv_tb_rng_permutation(&rng, NULL, 4));
    NEEDS("p", fv_tb_rng_shuffle(&rng, NULL, 4));
    NEEDS("rng", fv_tb_dropout_mask(NULL, mask, 0.5, 4));
    NEEDS("mask", fv_tb_dropout_mask(&rng, NULL, 0.5, 4));
    REFUSED(FV_E_ARG, "rate", fv_tb_dropout_mask(&rng, mask, 1.0, 4));
    REFUSED(FV_E_ARG, "lo is 3 and hi is 3", fv_tb_rng_randint(&rng, wide, 4, 3, 3));
    REFUSED(FV_E_ARG, "lo is 4", fv_tb_rng_randint(&rng, wide, 4, 4, 3));
    REFUSED(FV_E_ARG, "2^32", fv_tb_rng_randint(&rng, wide, 4, 0, (INT64_C(1) << 32) + 1));
    REFUSED(FV_E_ARG, "2^32", fv_tb_rng_randint(&rng, wide, 4, INT64_MIN, INT64_MAX));
    REFUSED(FV_E_SHAPE, "n is -1", fv_tb_rng_permutation(&rng, p, -1));
    REFUSED(FV_E_SHAPE, "n is -1", fv_tb_rng_shuffle(&rng, p, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_course_null),
        cmocka_unit_test(test_course_sizes),
        cmocka_unit_test(test_course_configs),
        cmocka_unit_test(test_general_null),
        cmocka_unit_test(test_general_sizes),
        cmocka_unit_test(test_general_pool_sizes),
        cmocka_unit_test(test_dense_and_flatten),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_rng),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
