/* SPDX-License-Identifier: MIT */
/* Models: what they compute. Gradients, batches, threads, contexts, what a run leaves to look
   at. */
#include "model_nets.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

/* ---- one model, two styles ---- */

static void test_sequential_is_functional(void **state)
{
    (void)state;
    fv_model *m[2];
    float x[3 * NETS_IN], dy[3 * NETS_OUT];
    const float *y[2];
    nets_fill(x, FVI_COUNT(x), 1);
    nets_fill(dy, FVI_COUNT(dy), 2);
    for (int i = 0; i < 2; i++) {
        m[i] = fv_model_new("styles", NULL);
        assert_ok(fv_model_build(m[i], nets_plain(m[i], i == 1), 4));
        assert_int_equal(m[i]->is_sequential, i == 0);
        assert_ok(fv_model_forward(m[i], &y[i], x, 3, true));
        assert_ok(fv_model_backward(m[i], dy));
    }
    nets_same(m[0]->weights, m[1]->weights, m[0]->weight_floats);
    nets_same(y[0], y[1], 3 * NETS_OUT);
    nets_same(m[0]->look->lane->gradients, m[1]->look->lane->gradients, m[0]->trainable_floats);
    fv_model_free(m[0]);
    fv_model_free(m[1]);
}

/* ---- gradients ---- */

static double run_loss(fv_model *m, const float *x, const float *dy, int n)
{
    const float *y;
    double loss = 0;
    assert_ok(fv_model_forward(m, &y, x, n, true));
    for (int i = 0; i < n * NETS_OUT; i++) {
        loss += (double)y[i] * (double)dy[i];
    }
    return loss;
}

/* Every gradient of the residual network against central differences. The numbers are float32: a
   step of 1/64 leaves about 1e-4 of rounding and as much of curvature. */
static void test_gradients(void **state)
{
    (void)state;
    enum { N = 5 };
    float x[N * NETS_IN], dy[N * NETS_OUT];
    fv_model *m = nets_built(&(fv_model_config){.seed = 11, .threads = 1}, N, 0);
    nets_fill(x, FVI_COUNT(x), 3);
    nets_fill(dy, FVI_COUNT(dy), 4);
    run_loss(m, x, dy, N);
    assert_ok(fv_model_backward(m, dy));
    float *made = fvi_copy(m->look->lane->gradients, m->trainable_floats * sizeof(float), "");
    int checked = 0;
    for (int i = 0; i < m->n_nodes; i++) {
        for (int k = 0; k < m->node[i].n_weights; k++) {
            const fvi_weight *weight = &m->node[i].weight[k];
            if (weight->is_state) continue;
            double worst = 0, largest = 1e-3;
            size_t stride = weight->count / 40 + 1;
            for (size_t j = 0; j < weight->count; j += stride) {
                float *w = m->weights + weight->offset + j, kept = *w;
                *w = kept + 0x1p-6f;
                double up = run_loss(m, x, dy, N);
                *w = kept - 0x1p-6f;
                double down = run_loss(m, x, dy, N);
                *w = kept;
                double slope = (up - down) * 0x1p5, g = (double)made[weight->offset + j];
                if (fabs(slope) > largest) largest = fabs(slope);
                if (fabs(slope - g) > worst) worst = fabs(slope - g);
                checked++;
            }
            if (worst > 4e-3 * largest) {
                fail_msg("%s.%s: off by %g of %g", m->node[i].name, weight->name, worst, largest);
            }
        }
    }
    assert_true(checked > 120);
    fvi_free(made);
    fv_model_free(m);
}

/* Gradients start from zero in every pass, and the padding between weights stays zero. */
static void test_backward_again(void **state)
{
    (void)state;
    float x[4 * NETS_IN], dy[4 * NETS_OUT];
    fv_model *m = nets_built(NULL, 4, 0);
    nets_fill(x, FVI_COUNT(x), 5);
    nets_fill(dy, FVI_COUNT(dy), 6);
    run_loss(m, x, dy, 4);
    assert_ok(fv_model_backward(m, dy));
    float *first = fvi_copy(m->look->lane->gradients, m->trainable_floats * sizeof(float), "");
    for (int i = 0; i < 2; i++) {
        run_loss(m, x, dy, 4);
        assert_ok(fv_model_backward(m, dy));
        nets_same(first, m->look->lane->gradients, m->trainable_floats);
    }
    bool *used = fvi_alloc(m->trainable_floats, sizeof *used, "");
    fv_tensor view;
    for (int i = 0; i < m->n_nodes; i++) {
        for (int k = 0; k < m->node[i].n_weights; k++) {
            const fvi_weight *weight = &m->node[i].weight[k];
            if (weight->is_state) continue;
            assert_ok(fv_model_gradient(m, m->node[i].name, weight->name, &view));
            assert_ptr_equal(view.data, m->look->lane->gradients + weight->offset);
            memset(used + weight->offset, true, weight->count);
        }
    }
    for (size_t i = 0; i < m->trainable_floats; i++) {
        if (!used[i]) assert_true(first[i] == 0.0f && m->weights[i] == 0.0f);
    }
    fvi_free(used);
    fvi_free(first);
    fv_model_free(m);
}

/* ---- batches ---- */

static void test_batch_independence(void **state)
{
    (void)state;
    enum { N = 23 };
    float x[N * NETS_IN], one[N * NETS_OUT], y[N * NETS_OUT];
    nets_fill(x, FVI_COUNT(x), 7);
    for (int batch = 1; batch <= 32; batch = batch * 2 + (batch > 4)) {
        fv_model *m = nets_built(&(fv_model_config){.seed = 2}, batch, 0.5f);
        memset(y, 0, sizeof y);
        assert_ok(fv_model_predict(m, y, x, N));
        if (batch == 1) memcpy(one, y, sizeof y);
        nets_same(one, y, N * NETS_OUT);
        for (int i = 0; i + 3 <= N; i += 5) {
            float some[3 * NETS_OUT];
            assert_ok(fv_model_predict(m, some, x + (size_t)i * NETS_IN, 3));
            nets_same(one + i * NETS_OUT, some, 3 * NETS_OUT);
        }
        fv_model_free(m);
    }
}

static void test_no_images(void **state)
{
    (void)state;
    fv_model *m = nets_built(NULL, 4, 0.5f);
    const float *y;
    float x[4 * NETS_IN], dy[4 * NETS_OUT], sink[1] = {42};
    fv_context *context;
    fv_tensor view;
    assert_int_equal(fv_model_activation(m, "stem", &view), FV_E_STATE);
    assert_ok(fv_model_predict(m, sink, x, 0));
    assert_ok(fv_model_predict(m, NULL, NULL, 0));
    assert_ok(fv_model_predict_pixels(m, NULL, NULL, 0));
    assert_ok(fv_context_new(&context, m));
    assert_ok(fv_context_predict(context, NULL, NULL, 0));
    fv_context_free(context);
    nets_fill(x, FVI_COUNT(x), 8);
    nets_fill(dy, FVI_COUNT(dy), 9);
    run_loss(m, x, dy, 4);
    assert_ok(fv_model_backward(m, dy));
    float *weights = fvi_copy(m->weights, m->weight_floats * sizeof(float), "");
    assert_ok(fv_model_forward(m, &y, x, 0, true));
    assert_ok(fv_model_backward(m, NULL));
    for (size_t i = 0; i < m->trainable_floats; i++) {
        assert_true(m->look->lane->gradients[i] == 0.0f);
    }
    nets_same(weights, m->weights, m->weight_floats);
    assert_ok(fv_model_activation(m, "stem", &view));
    assert_int_equal(view.shape.dim[0], 0);
    assert_true(sink[0] == 42.0f);
    fvi_free(weights);
    fv_model_free(m);
}

static void test_run_arguments(void **state)
{
    (void)state;
    fv_model *m = nets_built(NULL, 2, 0);
    const float *y;
    float x[3 * NETS_IN] = {0}, out[3 * NETS_OUT];
    fv_context *context;
    assert_int_equal(fv_model_predict(NULL, out, x, 1), FV_E_ARG);
    assert_int_equal(fv_model_predict(m, NULL, x, 1), FV_E_ARG);
    assert_int_equal(fv_model_predict(m, out, NULL, 1), FV_E_ARG);
    assert_int_equal(fv_model_predict(m, out, x, -1), FV_E_ARG);
    assert_int_equal(fv_model_forward(m, &y, x, 3, false), FV_E_ARG);
    assert_int_equal(fv_model_forward(m, NULL, x, 0, false), FV_E_ARG);
    assert_int_equal(fv_model_backward(m, out), FV_E_STATE);
    assert_ok(fv_model_forward(m, &y, x, 2, true));
    assert_int_equal(fv_model_backward(m, NULL), FV_E_ARG);
    assert_ok(fv_model_predict(m, out, x, 1)); /* runs elsewhere */
    assert_ok(fv_model_backward(m, out));
    assert_ok(fv_model_forward(m, &y, x, 2, false));
    assert_int_equal(fv_model_backward(m, out), FV_E_STATE);
    assert_int_equal(fv_context_new(NULL, m), FV_E_ARG);
    assert_int_equal(fv_context_new(&context, NULL), FV_E_ARG);
    fv_model *raw = fv_model_new("raw", NULL);
    assert_int_equal(fv_context_new(&context, raw), FV_E_STATE);
    assert_null(context);
    assert_int_equal(fv_context_predict(NULL, out, x, 1), FV_E_ARG);
    fv_model_free(raw);
    fv_model_free(m);
}

static void test_pixels(void **state)
{
    (void)state;
    enum { N = 5 };
    uint8_t pixels[N * NETS_IN];
    float x[N * NETS_IN], y[2][N * NETS_OUT];
    fv_model *m = nets_built(NULL, 2, 0);
    assert_ok(fv_model_set_scaling(m, 2.0f / 255, -1));
    for (size_t i = 0; i < N * NETS_IN; i++) {
        pixels[i] = (uint8_t)(i * 37);
        x[i] = (float)pixels[i] * (2.0f / 255) + -1.0f;
    }
    assert_ok(fv_model_predict(m, y[0], x, N));
    assert_ok(fv_model_predict_pixels(m, y[1], pixels, N));
    nets_same(y[0], y[1], N * NETS_OUT);
    fv_model_free(m);
}

/* ---- threads ---- */

static void test_thread_counts(void **state)
{
    (void)state;
    enum { N = 7 };
    float x[N * NETS_IN], dy[N * NETS_OUT];
    fv_model *m[4];
    nets_fill(x, FVI_COUNT(x), 10);
    nets_fill(dy, FVI_COUNT(dy), 11);
    for (int i = 0; i < 4; i++) {
        m[i] = nets_built(&(fv_model_config){.threads = i + 1}, N, 0.4f);
        for (int step = 0; step < 2; step++) {
            run_loss(m[i], x, dy, N);
            assert_ok(fv_model_backward(m[i], dy));
        }
        nets_same(m[0]->weights, m[i]->weights, m[0]->weight_floats); /* moving statistics too */
        nets_same(m[0]->look->lane->gradients, m[i]->look->lane->gradients, m[0]->trainable_floats);
    }
    for (int i = 0; i < 4; i++) {
        fv_model_free(m[i]);
    }
}

typedef struct run_worker {
    const fv_model *model;
    const float *x;
    float y[11 * NETS_OUT];
    fv_status status;
} run_worker;

static void *run_work(void *pointer)
{
    run_worker *worker = pointer;
    fv_context *context;
    worker->status = fv_context_new(&context, worker->model);
    for (int i = 0; i < 4 && worker->status == FV_OK; i++) {
        worker->status = fv_context_predict(context, worker->y, worker->x, 11);
    }
    fv_context_free(context);
    return NULL;
}

/* Eight threads, a context each, one model. */
static void test_contexts(void **state)
{
    (void)state;
    enum { N = 11, THREADS = 8 };
    static run_worker worker[THREADS];
    pthread_t thread[THREADS];
    float x[N * NETS_IN], y[N * NETS_OUT];
    fv_model *m = nets_built(NULL, 4, 0.4f);
    nets_fill(x, FVI_COUNT(x), 12);
    assert_ok(fv_model_predict(m, y, x, N));
    for (int i = 0; i < THREADS; i++) {
        worker[i] = (run_worker){.model = m, .x = x};
        assert_int_equal(pthread_create(&thread[i], NULL, run_work, &worker[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(worker[i].status, FV_OK);
        nets_same(y, worker[i].y, N * NETS_OUT);
    }
    fv_model_free(m);
}

/* Layers that sum or bend earlier ones at random, up to 12 steps back or any; all loose ends are
   joined at last. */
static fv_model *run_random_graph(uint32_t graph, int layers)
{
    fv_model *m = fv_model_new("random", &(fv_model_config){.threads = 1});
    bool *idle = fvi_alloc((size_t)layers, sizeof *idle, "");
    int *end = fvi_alloc((size_t)layers, sizeof *end, ""), n = 0;
    uint64_t at = 0;
    fv_input(m, 3, 4, 2);
    for (int i = 1; i < layers; i++) {
        int reach = fvi_rng_int(graph, FVI_RNG_TEST, 1, at++, 4) && i > 12 ? 12 : i;
        int a = i - 1 - fvi_rng_int(graph, FVI_RNG_TEST, 1, at++, reach);
        int b = i - 1 - fvi_rng_int(graph, FVI_RNG_TEST, 1, at++, reach);
        int kind = fvi_rng_int(graph, FVI_RNG_TEST, 1, at++, 3);
        if (kind == 0) fv_sum(m, a, b);
        if (kind == 1) fv_tanh(m, a);
        if (kind == 2) fv_activation(m, b, FV_LINEAR);
        idle[i] = true;
        for (int k = 0; k < m->node[i].n_inputs; k++) {
            idle[m->node[i].input[k]] = false;
        }
    }
    for (int i = 1; i < layers; i++) {
        if (idle[i]) end[n++] = fv_flatten(m, i);
    }
    assert_ok(fv_model_build(m, n > 1 ? fv_concatenate(m, end, n, NULL) : end[0], 2));
    fvi_free(idle);
    fvi_free(end);
    return m;
}

/* Reused memory never changes a result. */
static void test_memory_plans(void **state)
{
    (void)state;
    float x[48];
    for (uint32_t graph = 0; graph < 62; graph++) {
        fv_model *m = run_random_graph(graph, graph < 60 ? 25 : 6000);
        fv_shape shape;
        fv_context *context;
        nets_fill(x, 48, graph);
        assert_ok(fv_model_output_shape(m, &shape));
        size_t n = (size_t)shape.dim[0] * 2;
        float *y[2] = {fvi_alloc(n, sizeof(float), ""), fvi_alloc(n, sizeof(float), "")};
        const float *out;
        assert_ok(fv_model_forward(m, &out, x, 2, true));
        memcpy(y[0], out, n * sizeof *out);
        assert_ok(fv_context_new(&context, m));
        assert_ok(fv_context_predict(context, y[1], x, 2));
        nets_same(y[0], y[1], n);
        size_t predict, training;
        assert_ok(fvi_context_bytes(&predict, m, FVI_PREDICT));
        assert_ok(fvi_context_bytes(&training, m, FVI_LOOK));
        assert_true(predict < training);
        fvi_free(y[0]);
        fvi_free(y[1]);
        fv_context_free(context);
        fv_model_free(m);
    }
}

/* ---- what a run leaves ---- */

static void test_looking(void **state)
{
    (void)state;
    fv_tensor view;
    const float *y;
    float x[4 * NETS_IN];
    fv_model *m = nets_built(NULL, 4, 0);
    nets_fill(x, FVI_COUNT(x), 13);
    assert_ok(fv_model_forward(m, &y, x, 3, true));
    assert_ok(fv_model_activation(m, "pool", &view));
    assert_int_equal(view.shape.rank, 4);
    assert_int_equal(view.shape.dim[0], 3);
    assert_int_equal(view.shape.dim[1], NETS_H / 2);
    assert_int_equal(view.shape.dim[3], 6);
    assert_ok(fv_model_activation(m, "head", &view));
    assert_ptr_equal(view.data, y);
    assert_ok(fv_model_activation(m, "input_layer", &view));
    assert_ptr_equal(view.data, x);
    assert_ok(fv_model_weight(m, "inner", "kernel", &view));
    assert_int_equal(view.shape.rank, 4);
    assert_int_equal(view.shape.dim[2], 6);
    assert_int_equal(fv_model_weight(m, "inner", "gamma", &view), FV_E_ARG);
    assert_string_equal(fv_error(), "layer \"inner\" has no weight \"gamma\"; it has kernel, bias");
    assert_int_equal(fv_model_weight(m, "iner", "kernel", &view), FV_E_ARG);
    assert_string_equal(fv_error(), "no layer is named \"iner\"; did you mean \"inner\"?");
    assert_int_equal(fv_model_weight(m, "pool", "kernel", &view), FV_E_ARG);
    assert_int_equal(fv_model_gradient(m, "norm", "moving_mean", &view), FV_E_ARG);
    assert_int_equal(fv_model_weight(m, NULL, "kernel", &view), FV_E_ARG);
    assert_int_equal(fv_model_weight(m, "inner", NULL, &view), FV_E_ARG);
    assert_int_equal(fv_model_weight(m, "inner", "kernel", NULL), FV_E_ARG);
    assert_int_equal(fv_model_head(m), FV_SOFTMAX);
    fv_model_free(m);
}

/* logits leaves the output layer's activation out, and nothing else. */
static void test_logits(void **state)
{
    (void)state;
    float x[2 * NETS_IN], y[2 * NETS_OUT], made[2 * NETS_OUT];
    fv_model *m = nets_built(NULL, 2, 0);
    nets_fill(x, FVI_COUNT(x), 14);
    assert_ok(fv_model_predict(m, y, x, 2));
    fvi_context_predict(m->context, made, x, 2, true);
    m->kernels->softmax(2, NETS_OUT, made, made);
    for (int i = 0; i < 2 * NETS_OUT; i++) {
        assert_true(fabsf(made[i] - y[i]) < 1e-6f);
    }
    fv_model_free(m);
}

static void expect_bad(const fv_model *m, const char *expected)
{
    fvi_text where = {0};
    bool found =
        fvi_context_find_nonfinite(m->look, &where) ||
        fvi_model_find_nonfinite(m, m->look->lane->gradients, 0, m->trainable_floats, &where);
    assert_int_equal(found, expected != NULL);
    if (expected) assert_string_equal(where.data, expected);
    fvi_text_free(&where);
}

static void test_not_finite(void **state)
{
    (void)state;
    float x[2 * NETS_IN], dy[2 * NETS_OUT];
    fv_tensor w;
    fv_model *m = nets_built(NULL, 2, 0);
    nets_fill(x, FVI_COUNT(x), 15);
    nets_fill(dy, FVI_COUNT(dy), 16);
    run_loss(m, x, dy, 2);
    assert_ok(fv_model_backward(m, dy));
    expect_bad(m, NULL);
    assert_ok(fv_model_gradient(m, "inner", "kernel", &w));
    ((float *)w.data)[3] = NAN;
    expect_bad(m, "layer \"inner\": gradient of kernel");
    fvi_context_output_gradient(m->look)[1] = INFINITY;
    expect_bad(m, "layer \"head\": gradient of output");
    fv_model_activation(m, "norm", &w);
    ((float *)w.data)[0] = INFINITY;
    expect_bad(m, "layer \"norm\": output");
    x[5] = NAN;
    expect_bad(m, "layer \"input_layer\": input");
    x[5] = 0;
    assert_ok(fv_model_weight(m, "norm", "moving_mean", &w));
    ((float *)w.data)[0] = NAN;
    run_loss(m, x, dy, 2); /* batch statistics do not read it, only move it */
    assert_ok(fv_model_backward(m, dy));
    expect_bad(m, "layer \"norm\": moving_mean");
    fv_model_free(m);
}

/* A model may be an input alone, or end in a view of it. */
static void test_tiny(void **state)
{
    (void)state;
    float x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {0};
    for (int layers = 1; layers <= 2; layers++) {
        fv_model *m = fv_model_new("tiny", NULL);
        const float *out;
        fv_input(m, 1, 3, 1);
        if (layers == 2) fv_flatten(m, FV_LAST);
        assert_ok(fv_model_build(m, FV_LAST, 1));
        assert_ok(fv_model_predict(m, y, x, 2));
        nets_same(x, y, 6);
        assert_ok(fv_model_forward(m, &out, x, 1, true));
        assert_ok(fv_model_backward(m, x));
        assert_int_equal(fv_model_head(m), FV_LINEAR);
        fv_model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequential_is_functional),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_backward_again),
        cmocka_unit_test(test_batch_independence),
        cmocka_unit_test(test_no_images),
        cmocka_unit_test(test_run_arguments),
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_thread_counts),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_memory_plans),
        cmocka_unit_test(test_looking),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_tiny),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
