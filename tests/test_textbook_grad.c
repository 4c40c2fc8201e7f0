/* SPDX-License-Identifier: MIT */
/* Every backward function against central differences, on seeded random geometries. */
#include "golden.h"

#include "fovea/textbook.h"

/*
 * The loss is sum(y * r) with random r, so dy = r. Each input element moves by +step and -step in
 * turn. The error is |numeric - analytic| / max(|numeric|, |analytic|), lengths of the
 * gradient vectors. Where the function is linear in the input, or piecewise linear and away from
 * its kinks, a large step has no truncation error; elsewhere the step balances truncation, of order
 * step^2, against rounding, of order 1e-16/step.
 */
#define GEOMETRIES 200
#define ERROR 1e-7
#define LINEAR 0.25 /* exact in binary */
#define CURVED 2e-5

enum { ROOM = 512 }; /* no array of a random geometry is larger */

static fv_tb_rng rng;

static int setup(void **state)
{
    (void)state;
    return (int)fv_tb_rng_seed(&rng, 20240607);
}

static int between(int least, int most)
{
    int64_t value = 0;
    assert_int_equal(fv_tb_rng_randint(&rng, &value, 1, least, (int64_t)most + 1), FV_OK);
    return (int)value;
}

static double uniform(double least, double most)
{
    double value = 0.0;
    assert_int_equal(fv_tb_rng_rand(&rng, &value, 1), FV_OK);
    return least + (most - least) * value;
}

/* What a case works on: inputs in[0..], one output, dy for it, sizes of its own kind. */
typedef struct grad_case {
    fv_status (*forward)(struct grad_case *c);
    double in[4][ROOM], out[ROOM], dy[ROOM], grad[4][ROOM];
    size_t in_count[4], out_count;
    union {
        fv_tb_conv conv;
        fv_tb_conv2d_sizes conv2d;
        fv_tb_pool pool;
        fv_tb_pool2d_sizes pool2d;
        fv_tb_dense dense;
        fv_tb_batch_norm norm;
        struct {
            int n, classes;
        } rows;
    } d;
    unsigned char mask[ROOM];
    double rate;
    double moving_mean[8], moving_variance[8];
} grad_case;

static grad_case the_case; /* large, so not on the stack */

static grad_case *grad_begin(fv_status (*forward)(grad_case *c))
{
    grad_case *c = &the_case;
    c->forward = forward;
    for (int i = 0; i < 4; i++) {
        c->in_count[i] = 0;
        for (int k = 0; k < ROOM; k++)
            c->in[i][k] = c->grad[i][k] = NAN;
    }
    for (int k = 0; k < ROOM; k++)
        c->out[k] = NAN;
    return c;
}

static void grad_normal(grad_case *c, int input, int count)
{
    assert_in_range(count, 1, ROOM);
    c->in_count[input] = (size_t)count;
    assert_int_equal(fv_tb_rng_randn(&rng, c->in[input], (size_t)count), FV_OK);
}

/* Values 0.6 apart, in random order: no ties, and the largest stays the largest. */
static void grad_distinct(grad_case *c, int input, int count)
{
    int order[ROOM];
    assert_in_range(count, 1, ROOM);
    assert_int_equal(fv_tb_rng_permutation(&rng, order, count), FV_OK);
    c->in_count[input] = (size_t)count;
    for (int k = 0; k < count; k++)
        c->in[input][k] = 0.6 * (order[k] - count / 2);
}

static void grad_output(grad_case *c, int count)
{
    assert_in_range(count, 1, ROOM);
    c->out_count = (size_t)count;
    assert_int_equal(fv_tb_rng_randn(&rng, c->dy, (size_t)count), FV_OK);
}

static double grad_loss(grad_case *c)
{
    double loss = 0.0;
    if (c->forward(c) != FV_OK) fail_msg("%s", fv_error());
    for (size_t k = 0; k < c->out_count; k++)
        loss += c->out[k] * c->dy[k];
    return loss;
}

static void grad_check(const char *what, grad_case *c, int input, double step)
{
    double difference = 0.0, numeric_size = 0.0, analytic_size = 0.0;
    for (size_t k = 0; k < c->in_count[input]; k++) {
        const double x = c->in[input][k];
        c->in[input][k] = x + step;
        const double above = grad_loss(c);
        c->in[input][k] = x - step;
        const double below = grad_loss(c);
        c->in[input][k] = x;
        const double numeric = (above - below) / (2.0 * step), analytic = c->grad[input][k];
        difference += (numeric - analytic) * (numeric - analytic);
        numeric_size += numeric * numeric;
        analytic_size += analytic * analytic;
    }
    const double largest = sqrt(fmax(numeric_size, analytic_size));
    if (!(sqrt(difference) <= ERROR * largest))
        fail_msg("%s, input %d: the gradients differ by %g of %g", what, input, sqrt(difference),
                 largest);
    assert_true(c->in_count[input] == ROOM || isnan(c->grad[input][c->in_count[input]]));
}

/* ---- convolution ---- */

static fv_status forward_conv(grad_case *c)
{
    return fv_tb_conv_forward(c->out, c->in[0], c->in[1], c->in[2], &c->d.conv);
}

static void test_conv(void **state)
{
    (void)state;
    int pad_0 = 0, whole = 0, gaps = 0, oblong = 0, single = 0;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(forward_conv);
        const int f = between(1, 4), pad = between(0, 2), stride = between(1, 5);
        const int least = f - 2 * pad < 1 ? 1 : f - 2 * pad;
        fv_tb_conv d = {between(1, 2),
                        between(least, 6),
                        between(least, 6),
                        between(1, 3),
                        between(1, 3),
                        f,
                        stride,
                        pad};
        if (g % 10 == 0) { /* the filter as large as the picture */
            d.h = d.w = f;
            d.pad = 0;
        }
        int n_H, n_W;
        assert_int_equal(fv_tb_out_size(&n_H, d.h, f, stride, d.pad), FV_OK);
        assert_int_equal(fv_tb_out_size(&n_W, d.w, f, stride, d.pad), FV_OK);
        c->d.conv = d;
        grad_normal(c, 0, d.n * d.h * d.w * d.c);
        grad_normal(c, 1, f * f * d.c * d.filters);
        grad_normal(c, 2, d.filters);
        grad_output(c, d.n * n_H * n_W * d.filters);
        assert_int_equal(
            fv_tb_conv_backward(c->grad[0], c->grad[1], c->grad[2], c->dy, c->in[0], c->in[1], &d),
            FV_OK);
        for (int input = 0; input < 3; input++)
            grad_check("conv", c, input, LINEAR);
        pad_0 += d.pad == 0;
        whole += f == d.h && f == d.w;
        gaps += stride > f;
        oblong += d.h != d.w;
        single += d.n == 1;
    }
    /* The edges that must be among them. */
    assert_true(pad_0 > 9 && whole > 9 && gaps > 9 && oblong > 9 && single > 9);
}

static fv_status forward_conv2d(grad_case *c)
{
    return fv_tb_conv2d_forward(c->out, c->in[0], c->in[1], c->in[2], &c->d.conv2d);
}

static void test_conv2d(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(forward_conv2d);
        const int groups = between(1, 3);
        fv_tb_conv2d_sizes d = {.n = between(1, 2),
                                .h = between(1, 6),
                                .w = between(1, 6),
                                .c = groups * between(1, 2),
                                .filters = groups * between(1, 2),
                                .kernel_h = between(1, 3),
                                .kernel_w = between(1, 3),
                                .stride_h = between(1, 3),
                                .stride_w = between(1, 3),
                                .pad_top = between(0, 2),
                                .pad_bottom = between(0, 2),
                                .pad_left = between(0, 2),
                                .pad_right = between(0, 2),
                                .dilation_h = between(0, 2),
                                .dilation_w = between(0, 2),
                                .groups = groups};
        int out_h, out_w;
        if (fv_tb_conv2d_out_size(&out_h, &out_w, &d) != FV_OK) { /* the kernel does not fit */
            d.h = d.w = 6;
            assert_int_equal(fv_tb_conv2d_out_size(&out_h, &out_w, &d), FV_OK);
        }
        c->d.conv2d = d;
        grad_normal(c, 0, d.n * d.h * d.w * d.c);
        grad_normal(c, 1, d.kernel_h * d.kernel_w * d.c / groups * d.filters);
        grad_normal(c, 2, d.filters);
        while (d.n * out_h * out_w * d.filters > ROOM)
            c->d.conv2d.n = --d.n; /* never below 1: 8*8*6 fits */
        grad_output(c, d.n * out_h * out_w * d.filters);
        c->in_count[0] = (size_t)(d.n * d.h * d.w * d.c);
        assert_int_equal(fv_tb_conv2d_backward(c->grad[0], c->grad[1], c->grad[2], c->dy, c->in[0],
                                               c->in[1], &d),
                         FV_OK);
        for (int input = 0; input < 3; input++)
            grad_check("conv2d", c, input, LINEAR);
    }
}

/* ---- pooling ---- */

static fv_status forward_pool(grad_case *c)
{
    return fv_tb_pool_forward(c->out, c->in[0], &c->d.pool);
}

static void test_pool(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(forward_pool);
        const int f = between(1, 4);
        const fv_tb_pool d = {between(1, 2),
                              between(f, 7),
                              between(f, 7),
                              between(1, 3),
                              f,
                              between(1, 5),
                              g % 2 == 0 ? FV_TB_MAX : FV_TB_AVERAGE};
        int n_H, n_W;
        assert_int_equal(fv_tb_out_size(&n_H, d.h, f, d.stride, 0), FV_OK);
        assert_int_equal(fv_tb_out_size(&n_W, d.w, f, d.stride, 0), FV_OK);
        c->d.pool = d;
        grad_distinct(c, 0, d.n * d.h * d.w * d.c);
        grad_output(c, d.n * n_H * n_W * d.c);
        assert_int_equal(fv_tb_pool_backward(c->grad[0], c->dy, c->in[0], &d), FV_OK);
        grad_check("pool", c, 0, LINEAR);
    }
}

static fv_status forward_pool2d(grad_case *c)
{
    return fv_tb_pool2d_forward(c->out, c->in[0], &c->d.pool2d);
}

static void test_pool2d(void **state)
{
    (void)state;
    int refused = 0;
    for (int g = 0; g < GEOMETRIES;) {
        grad_case *c = grad_begin(forward_pool2d);
        const fv_tb_pool2d_sizes d = {.n = between(1, 2),
                                      .h = between(1, 6),
                                      .w = between(1, 6),
                                      .c = between(1, 3),
                                      .kernel_h = between(1, 3),
                                      .kernel_w = between(1, 3),
                                      .stride_h = between(1, 4),
                                      .stride_w = between(1, 4),
                                      .pad_top = between(0, 2),
                                      .pad_bottom = between(0, 2),
                                      .pad_left = between(0, 2),
                                      .pad_right = between(0, 2),
                                      .dilation_h = between(0, 2),
                                      .dilation_w = between(0, 2),
                                      .mode = g % 2 == 0 ? FV_TB_MAX : FV_TB_AVERAGE};
        int out_h, out_w;
        if (fv_tb_pool2d_out_size(&out_h, &out_w, &d) != FV_OK) {
            refused++;
            continue;
        }
        if (d.n * out_h * out_w * d.c > ROOM) continue;
        g++;
        c->d.pool2d = d;
        grad_distinct(c, 0, d.n * d.h * d.w * d.c);
        grad_output(c, d.n * out_h * out_w * d.c);
        assert_int_equal(fv_tb_pool2d_backward(c->grad[0], c->dy, c->in[0], &d), FV_OK);
        grad_check("pool2d", c, 0, LINEAR);
    }
    assert_true(refused < 10 * GEOMETRIES);
}

/* ---- dense and flatten ---- */

static fv_status forward_dense(grad_case *c)
{
    return fv_tb_dense_forward(c->out, c->in[0], c->in[1], c->in[2], &c->d.dense);
}

static void test_dense(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(forward_dense);
        const fv_tb_dense d = {between(1, 6), between(1, 12), between(1, 12)};
        c->d.dense = d;
        grad_normal(c, 0, d.n * d.in);
        grad_normal(c, 1, d.in * d.out);
        grad_normal(c, 2, d.out);
        grad_output(c, d.n * d.out);
        assert_int_equal(
            fv_tb_dense_backward(c->grad[0], c->grad[1], c->grad[2], c->dy, c->in[0], c->in[1], &d),
            FV_OK);
        for (int input = 0; input < 3; input++)
            grad_check("dense", c, input, LINEAR);
    }
}

static fv_status forward_flatten(grad_case *c)
{
    const fv_tb_conv *d = &c->d.conv;
    return fv_tb_flatten_forward(c->out, c->in[0], d->n, d->h, d->w, d->c);
}

static void test_flatten(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(forward_flatten);
        const fv_tb_conv d = {
            .n = between(1, 3), .h = between(1, 4), .w = between(1, 4), .c = between(1, 4)};
        c->d.conv = d;
        grad_normal(c, 0, d.n * d.h * d.w * d.c);
        grad_output(c, d.n * d.h * d.w * d.c);
        assert_int_equal(fv_tb_flatten_backward(c->grad[0], c->dy, d.n, d.h, d.w, d.c), FV_OK);
        grad_check("flatten", c, 0, LINEAR);
    }
}

/* ---- batch normalisation and dropout ---- */

static fv_status forward_norm(grad_case *c)
{
    return fv_tb_batch_norm_forward(c->out, NULL, NULL, c->in[0], c->in[1], c->in[2], &c->d.norm);
}

static fv_status forward_norm_inference(grad_case *c)
{
    return fv_tb_batch_norm_inference(c->out, c->in[0], c->in[1], c->in[2], c->moving_mean,
                                      c->moving_variance, &c->d.norm);
}

static void test_batch_norm(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(g % 2 == 0 ? forward_norm : forward_norm_inference);
        const fv_tb_batch_norm d = {.n = between(3, 5),
                                    .h = between(1, 4),
                                    .w = between(1, 4),
                                    .c = between(1, 4),
                                    .epsilon = uniform(1e-3, 1e-1),
                                    .momentum = 0.99};
        const int count = d.n * d.h * d.w * d.c;
        c->d.norm = d;
        grad_normal(c, 0, count);
        grad_normal(c, 1, d.c);
        grad_normal(c, 2, d.c);
        grad_output(c, count);
        for (int k = 0; k < d.c; k++) {
            c->moving_mean[k] = uniform(-1.0, 1.0);
            c->moving_variance[k] = uniform(0.5, 2.0);
        }
        if (g % 2 == 0)
            assert_int_equal(fv_tb_batch_norm_backward(c->grad[0], c->grad[1], c->grad[2], c->dy,
                                                       c->in[0], c->in[1], &d),
                             FV_OK);
        else
            assert_int_equal(fv_tb_batch_norm_inference_backward(
                                 c->grad[0], c->grad[1], c->grad[2], c->dy, c->in[0], c->in[1],
                                 c->moving_mean, c->moving_variance, &d),
                             FV_OK);
        for (int input = 0; input < 3; input++)
            grad_check("batch_norm", c, input, g % 2 == 0 && input == 0 ? CURVED : LINEAR);
    }
}

static fv_status forward_dropout(grad_case *c)
{
    return fv_tb_dropout_forward(c->out, c->in[0], c->mask, c->rate, c->in_count[0]);
}

static void test_dropout(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        grad_case *c = grad_begin(forward_dropout);
        const int count = between(1, 40);
        c->rate = uniform(0.0, 0.9);
        assert_int_equal(fv_tb_dropout_mask(&rng, c->mask, c->rate, ROOM), FV_OK);
        grad_normal(c, 0, count);
        grad_output(c, count);
        assert_int_equal(fv_tb_dropout_backward(c->grad[0], c->dy, c->mask, c->rate, (size_t)count),
                         FV_OK);
        grad_check("dropout", c, 0, LINEAR);
    }
}

/* ---- activations ---- */

static fv_status forward_relu(grad_case *c)
{
    return fv_tb_relu_forward(c->out, c->in[0], c->in_count[0]);
}

static fv_status forward_sigmoid(grad_case *c)
{
    return fv_tb_sigmoid_forward(c->out, c->in[0], c->in_count[0]);
}

static fv_status forward_tanh(grad_case *c)
{
    return fv_tb_tanh_forward(c->out, c->in[0], c->in_count[0]);
}

static fv_status forward_softmax(grad_case *c)
{
    return fv_tb_softmax_forward(c->out, c->in[0], c->d.rows.n, c->d.rows.classes);
}

static void test_activations(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        const int n = between(1, 4), classes = between(2, 10), count = n * classes;
        const size_t size = (size_t)count;

        grad_case *c = grad_begin(forward_relu);
        grad_distinct(c, 0, count);
        for (int k = 0; k < count; k++)
            c->in[0][k] += 0.3; /* no nearer to the kink than the step */
        grad_output(c, count);
        assert_int_equal(fv_tb_relu_backward(c->grad[0], c->dy, c->in[0], size), FV_OK);
        grad_check("relu", c, 0, LINEAR);

        c = grad_begin(forward_sigmoid);
        grad_normal(c, 0, count);
        grad_output(c, count);
        c->forward(c);
        assert_int_equal(fv_tb_sigmoid_backward(c->grad[0], c->dy, c->out, size), FV_OK);
        grad_check("sigmoid", c, 0, CURVED);

        c = grad_begin(forward_tanh);
        grad_normal(c, 0, count);
        grad_output(c, count);
        c->forward(c);
        assert_int_equal(fv_tb_tanh_backward(c->grad[0], c->dy, c->out, size), FV_OK);
        grad_check("tanh", c, 0, CURVED);

        c = grad_begin(forward_softmax);
        c->d.rows.n = n;
        c->d.rows.classes = classes;
        grad_normal(c, 0, count);
        grad_output(c, count);
        c->forward(c);
        assert_int_equal(fv_tb_softmax_backward(c->grad[0], c->dy, c->out, n, classes), FV_OK);
        grad_check("softmax", c, 0, CURVED);
    }
}

/* ---- losses: in[0] the prediction, in[1] the labels ---- */

static fv_status forward_binary(grad_case *c)
{
    return fv_tb_binary_cross_entropy_forward(c->out, c->in[0], c->in[1], c->in_count[0]);
}

static fv_status forward_binary_logits(grad_case *c)
{
    return fv_tb_binary_cross_entropy_logits_forward(c->out, c->in[0], c->in[1], c->in_count[0]);
}

static fv_status forward_categorical(grad_case *c)
{
    return fv_tb_categorical_cross_entropy_forward(c->out, c->in[0], c->in[1], c->d.rows.n,
                                                   c->d.rows.classes);
}

static fv_status forward_categorical_logits(grad_case *c)
{
    return fv_tb_categorical_cross_entropy_logits_forward(c->out, c->in[0], c->in[1], c->d.rows.n,
                                                          c->d.rows.classes);
}

static void grad_labels(grad_case *c, int n, int classes, bool soft)
{
    for (int i = 0; i < n; i++) {
        const int hot = between(0, classes - 1);
        for (int k = 0; k < classes; k++)
            c->in[1][i * classes + k] = soft ? uniform(0.0, 1.0) : k == hot;
    }
}

static void test_losses(void **state)
{
    (void)state;
    for (int g = 0; g < GEOMETRIES; g++) {
        const int n = between(1, 5), classes = between(2, 8), count = n * classes;
        const bool soft = g % 2 == 0;

        grad_case *c = grad_begin(forward_binary);
        grad_normal(c, 0, count);
        for (int k = 0; k < count; k++)
            c->in[0][k] = uniform(0.1, 0.9);
        grad_labels(c, n, classes, soft);
        c->out_count = 1;
        c->dy[0] = 1.0;
        assert_int_equal(
            fv_tb_binary_cross_entropy_backward(c->grad[0], c->in[0], c->in[1], (size_t)count),
            FV_OK);
        grad_check("binary cross-entropy", c, 0, CURVED);

        c = grad_begin(forward_binary_logits);
        grad_normal(c, 0, count);
        grad_labels(c, n, classes, soft);
        assert_int_equal(fv_tb_binary_cross_entropy_logits_backward(c->grad[0], c->in[0], c->in[1],
                                                                    (size_t)count),
                         FV_OK);
        grad_check("binary cross-entropy from logits", c, 0, CURVED);

        c = grad_begin(forward_categorical);
        c->d.rows.n = n;
        c->d.rows.classes = classes;
        grad_normal(c, 0, count);
        for (int k = 0; k < count; k++)
            c->in[0][k] = uniform(0.2, 1.5); /* rows that do not add up to 1 */
        grad_labels(c, n, classes, soft);
        assert_int_equal(
            fv_tb_categorical_cross_entropy_backward(c->grad[0], c->in[0], c->in[1], n, classes),
            FV_OK);
        grad_check("categorical cross-entropy", c, 0, CURVED);

        c = grad_begin(forward_categorical_logits);
        grad_normal(c, 0, count);
        grad_labels(c, n, classes, soft);
        assert_int_equal(fv_tb_categorical_cross_entropy_logits_backward(c->grad[0], c->in[0],
                                                                         c->in[1], n, classes),
                         FV_OK);
        grad_check("categorical cross-entropy from logits", c, 0, CURVED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),        cmocka_unit_test(test_conv2d),
        cmocka_unit_test(test_pool),        cmocka_unit_test(test_pool2d),
        cmocka_unit_test(test_dense),       cmocka_unit_test(test_flatten),
        cmocka_unit_test(test_batch_norm),  cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_activations), cmocka_unit_test(test_losses),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
