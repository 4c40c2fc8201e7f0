/* SPDX-License-Identifier: MIT */
/* Layers in cases that have one right answer: Keras's numbers, dropout's promises, shared and
   missing gradients. */
#include "golden.h"
#include "ops_case.h"

/* ---- BatchNormalization against Keras's numbers ---- */

static void put(case_array *a, const json_t *object, const char *key)
{
    golden_array golden = golden_read(golden_get(object, key));
    assert_int_equal(golden.count, a->count);
    for (size_t i = 0; i < a->count; i++) {
        a->before[i] = (float)golden.data[i];
    }
    array_take(a);
    golden_free(&golden);
}

static void close_to(const float *got, const json_t *object, const char *key)
{
    golden_array golden = golden_read(golden_get(object, key));
    double *gain = golden_new(golden.count);
    for (size_t i = 0; i < golden.count; i++) {
        gain[i] = (double)got[i];
    }
    golden_close(key, gain, golden.data, golden.count, 1e-5);
    free(gain);
    golden_free(&golden);
}

/* As images the average is of the unbiased variance (TensorFlow's fused kernel), as vectors of the
   biased one. */
static void check_norm(const json_t *golden, bool is_image)
{
    op_case t = {.x_shape = {{3, {3, 4, 5}}}, .n = 2, .max_batch = 2, .training = true};
    if (!is_image) {
        t.x_shape[0] = (fv_shape){1, {5}};
        t.n = t.max_batch = 24;
    }
    assert_int_equal(case_infer(&t, "BatchNormalization", 1), FV_OK);
    assert_int_equal(t.node.n_weights, 4);
    case_allocate(&t);
    case_draw d = {7, 0};
    case_fill(&t, &d, false);
    put(&t.x[0], golden, "x");
    put(&t.dy, golden, "dy");
    put(&t.w[0], golden, "gamma");
    put(&t.w[1], golden, "beta");
    put(&t.w[2], golden, "moving_mean0");
    put(&t.w[3], golden, "moving_var0");
    case_run(&t, 2);
    close_to(t.y.now, golden, "y_train");
    close_to(t.dx[0].now, golden, "dx");
    close_to(t.dw[0].now, golden, "dgamma");
    close_to(t.dw[1].now, golden, "dbeta");
    close_to(t.w[2].now, golden, "moving_mean1");
    close_to(t.w[3].now, golden, is_image ? "moving_var1_fused_unbiased" : "moving_var1_biased");
    t.training = false;
    case_run(&t, 1);
    close_to(t.y.now, golden, "y_inference_with_moving0");
    case_free(&t);
}

static void test_norm_is_keras(void **state)
{
    (void)state;
    json_t *root = golden_load("happy.json");
    check_norm(golden_get(root, "batch_norm"), true);
    check_norm(golden_get(root, "batch_norm"), false);
    json_decref(root);
}

/* One row: variance 0, nothing to correct, y = beta, no gradient; and a channel that never
   changes. */
static void test_norm_of_one_row(void **state)
{
    (void)state;
    op_case t = {.x_shape = {{3, {1, 1, 2}}}, .n = 1, .max_batch = 1, .training = true};
    assert_int_equal(case_infer(&t, "BatchNormalization", 1), FV_OK);
    case_allocate(&t);
    case_draw d = {8, 0};
    case_fill(&t, &d, false);
    case_run(&t, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(fabsf(t.y.now[i] - t.w[1].before[i]) < 1e-4f);
        assert_true(fabsf(t.dx[0].now[i]) < 1e-3f);
        assert_true(fabsf(t.w[3].now[i] - 0.99f * t.w[3].before[i]) < 1e-6f);
    }
    case_free(&t);
}

/* A channel far from 0 keeps its variance: 1000 and 1001 by turns. */
static void test_norm_far_from_zero(void **state)
{
    (void)state;
    op_case t = {.x_shape = {{1, {1}}}, .n = 1000, .max_batch = 1000, .training = true};
    assert_int_equal(case_infer(&t, "BatchNormalization", 1), FV_OK);
    case_allocate(&t);
    case_draw d = {9, 0};
    case_fill(&t, &d, false);
    for (int i = 0; i < 1000; i++) {
        t.x[0].before[i] = i % 2 ? 1001.0f : 1000.0f;
    }
    t.w[3].before[0] = 0.0f;
    case_run(&t, 1);
    assert_true(fabsf(t.w[3].now[0] - 0.01f * 0.25f) < 1e-6f);
    case_free(&t);
}

/* ---- Dropout ---- */

static void dropout_begin(op_case *t, float rate)
{
    *t = (op_case){.x_shape = {{1, {10007}}}, .n = 3, .max_batch = 3, .training = true};
    t->config.dropout.rate = rate;
    t->seed = 5;
    t->step = 3;
    t->node_id = 2;
    assert_int_equal(case_infer(t, "Dropout", 1), FV_OK);
    case_allocate(t);
    case_draw d = {10, 0};
    case_fill(t, &d, false);
    for (size_t i = 0; i < t->x[0].count; i++) {
        t->x[0].before[i] = 1.0f;
    }
}

static size_t kept(const op_case *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->y.count; i++) {
        count += t->y.now[i] != 0.0f;
    }
    return count;
}

static void test_dropout_share(void **state)
{
    (void)state;
    const float rates[] = {0.0f, 0.1f, 0.5f, 0.9f, 1.0f};
    for (size_t k = 0; k < FVI_COUNT(rates); k++) {
        op_case t;
        dropout_begin(&t, rates[k]);
        case_run(&t, 1);
        double n = (double)t.y.count, p = 1.0 - (double)rates[k];
        assert_true(fabs((double)kept(&t) - n * p) <= 4.0 * sqrt(n * p * (1.0 - p)));
        for (size_t i = 0; i < t.y.count; i++) { /* scaled or 0, and never infinite */
            float want = t.y.now[i] == 0.0f ? 0.0f : 1.0f / (1.0f - rates[k]);
            assert_true(t.y.now[i] == want);
            assert_true(isfinite(t.dx[0].now[i]));
        }
        t.training = false;
        case_run(&t, 1);
        assert_memory_equal(t.y.now, t.x[0].now, t.y.count * sizeof(float));
        case_free(&t);
    }
}

/* Another seed, step or layer: another mask, that agrees with the first in half of the places. The
   same three: the same bits. */
static void test_dropout_streams(void **state)
{
    (void)state;
    op_case t;
    dropout_begin(&t, 0.5f);
    case_run(&t, 1);
    size_t bytes = t.y.count * sizeof(float);
    float *first = case_room(t.y.count, sizeof *first);
    memcpy(first, t.y.now, bytes);
    case_run(&t, 3);
    assert_memory_equal(first, t.y.now, bytes);
    for (int other = 0; other < 4; other++) {
        t.seed = 5 + (other == 0);
        t.step = 3 + (other == 1);
        t.node_id = 2 + (other == 2) + 2 * (other == 3);
        case_run(&t, 1);
        double same = 0.0, n = (double)t.y.count;
        for (size_t i = 0; i < t.y.count; i++) {
            same += first[i] == t.y.now[i];
        }
        assert_true(fabs(same - n / 2) < 4.0 * sqrt(n / 4));
    }
    free(first);
    case_free(&t);
}

/* ---- rows longer than a task ---- */

static void test_long_rows(void **state)
{
    (void)state;
    op_case t = {.x_shape = {{1, {40000}}}, .n = 3, .max_batch = 3, .training = true};
    assert_int_equal(case_infer(&t, "Softmax", 1), FV_OK);
    case_allocate(&t);
    case_draw d = {13, 0};
    case_fill(&t, &d, false);
    case_run(&t, 2);
    for (int i = 0; i < 3; i++) {
        double sum = 0.0;
        for (int j = 0; j < 40000; j++) {
            sum += (double)t.y.now[i * 40000 + j];
        }
        assert_true(fabs(sum - 1.0) < 1e-5);
    }
    case_free(&t);
}

/* ---- gradients that are shared or not wanted ---- */

/* The op once more, its inputs and their gradients as given. */
static void run_with(op_case *t, const float *const *x, float *const *dx)
{
    float *w[FVI_MAX_WEIGHTS], *dw[FVI_MAX_WEIGHTS];
    for (int i = 0; i < t->node.n_weights; i++) {
        w[i] = t->w[i].now;
        dw[i] = t->node.weight[i].is_state ? NULL : t->dw[i].now;
    }
    array_reset(&t->dy);
    const bool adds[CASE_INPUTS] = {false, true, true};
    fvi_run r = {.node = &t->node,
                 .k = t->k,
                 .n = t->n,
                 .training = true,
                 .x = x,
                 .y = t->y.now,
                 .w = w,
                 .dy = t->dy.now,
                 .dx = dx,
                 .adds = adds,
                 .dw = dw,
                 .state = t->state,
                 .scratch = t->scratch};
    t->node.op->forward(&r);
    t->node.op->backward(&r);
}

static void test_one_layer_twice(void **state)
{
    (void)state;
    const char *const ops[] = {"Add", "Concatenate"};
    for (size_t k = 0; k < FVI_COUNT(ops); k++) {
        op_case t = {.x_shape = {{1, {3}}, {1, {3}}}, .n = 2, .max_batch = 2, .training = true};
        assert_int_equal(case_infer(&t, ops[k], 2), FV_OK);
        case_allocate(&t);
        case_draw d = {11, 0};
        case_fill(&t, &d, false);
        float sum[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
        const float *const x[] = {t.x[0].before, t.x[0].before};
        float *const dx[] = {sum, sum};
        run_with(&t, x, dx);
        for (int i = 0; i < 6; i++) {
            const float *dy = t.dy.before;
            int row = i / 3 * 6 + i % 3; /* where the first copy stands in Concatenate's y */
            float want = k == 0 ? dy[i] + dy[i] : dy[row] + dy[row + 3];
            assert_true(fabsf(sum[i] - want) < 1e-6f);
        }
        case_free(&t);
    }
}

/* The first layer of a model is asked for no dx; its dw are the same. */
static void test_no_input_gradient(void **state)
{
    (void)state;
    for (size_t k = 0; fvi_op_at(k); k++) {
        const fvi_op *op = fvi_op_at(k);
        op_case t = {.n = 2, .max_batch = 2, .training = true};
        if (!op->backward) continue;
        int n_inputs = op->min_inputs;
        for (int i = 0; i < n_inputs; i++) {
            t.x_shape[i] = (fv_shape){3, {5, 4, 3}};
        }
        if (strcmp(op->name, "Conv2D") == 0) {
            t.config.conv2d = (fv_conv2d_config){.filters = 2, .kernel_size = {3}};
        }
        if (strcmp(op->name, "DepthwiseConv2D") == 0) t.config.depthwise.kernel_size[0] = 3;
        if (strcmp(op->name, "SeparableConv2D") == 0) {
            t.config.separable = (fv_separable_conv2d_config){.filters = 2, .kernel_size = {3}};
        }
        if (strcmp(op->name, "Dense") == 0) t.config.dense.units = 4;
        assert_int_equal(case_infer(&t, op->name, n_inputs), FV_OK);
        case_allocate(&t);
        case_draw d = {12, 0};
        case_fill(&t, &d, false);
        for (int i = 0; i < t.node.n_weights; i++) {
            for (size_t j = 0; j < t.w[i].count; j++) {
                t.w[i].before[j] = fabsf(t.w[i].before[j]);
            }
        }
        case_run(&t, 1);
        float *const none[CASE_INPUTS] = {NULL};
        const float *x[CASE_INPUTS];
        float *dw[FVI_MAX_WEIGHTS];
        for (int i = 0; i < n_inputs; i++) {
            x[i] = t.x[i].before;
        }
        for (int i = 0; i < t.node.n_weights; i++) {
            dw[i] = case_room(t.dw[i].count, sizeof(float));
            memcpy(dw[i], t.dw[i].now, t.dw[i].count * sizeof(float));
            array_reset(&t.dw[i]);
            array_reset(&t.w[i]);
        }
        run_with(&t, x, none);
        for (int i = 0; i < t.node.n_weights; i++) {
            assert_memory_equal(dw[i], t.dw[i].now, t.dw[i].count * sizeof(float));
            free(dw[i]);
        }
        case_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm_is_keras),      cmocka_unit_test(test_norm_of_one_row),
        cmocka_unit_test(test_norm_far_from_zero), cmocka_unit_test(test_dropout_share),
        cmocka_unit_test(test_dropout_streams),    cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_one_layer_twice),    cmocka_unit_test(test_no_input_gradient),
    };
    return cmocka_run_group_tests(tests, case_setup, case_teardown);
}
