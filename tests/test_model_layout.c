/* SPDX-License-Identifier: MIT */
/* Layers that take others along, memory used again, chunks of images, threads: none of it changes
   what a network gives or learns. On networks drawn at random. */
#include "model_steps.h"

#include <math.h>
#include <stdio.h>

#define OUTPUTS 3
#define LAYERS 14
#define BATCH 5
#define MANY 27
#define LARGE 100  /* a side from which a batch comes in chunks */
#define CUT 1000   /* graphs from here on are those of draw_cut */
#define HEAVY 2000 /* and from here on have so many weights that these move layer by layer */

typedef struct drawn {
    uint32_t graph;
    uint64_t at;
} drawn;

static int draw(drawn *d, int below)
{
    return fvi_rng_int(d->graph, FVI_RNG_TEST, 2, d->at++, below);
}

/* A convolution to the same two channels: of all, of one at a time, of one and then of all. */
static void draw_convolution(fv_model *m, drawn *d, int a, fv_conv2d_config conv)
{
    const fv_depthwise_conv2d_config depthwise = {.kernel_size = {3, 3},
                                                  .padding = FV_SAME,
                                                  .activation = conv.activation,
                                                  .without_bias = conv.without_bias};
    const fv_separable_conv2d_config separable = {.filters = 2,
                                                  .kernel_size = {3, 3},
                                                  .padding = FV_SAME,
                                                  .depth_multiplier = 2,
                                                  .activation = conv.activation,
                                                  .without_bias = conv.without_bias};
    const int kind = draw(d, 6);
    conv.groups = kind == 0 ? 2 : 1;
    if (kind == 1)
        fv_depthwise_conv2d(m, a, &depthwise);
    else if (kind == 2)
        fv_separable_conv2d(m, a, &separable);
    else
        fv_conv2d(m, a, &conv);
}

/* One more layer, on one of the last few: all of one shape. Not all kinds have weights, and some are
   there to be taken along, or not to be. */
static void draw_layer(fv_model *m, drawn *d, int i, bool has_norm)
{
    const int reach = i > 4 && draw(d, 3) ? 4 : i;
    const int a = i - 1 - draw(d, reach), b = i - 1 - draw(d, reach);
    fv_conv2d_config conv = {.filters = 2, .kernel_size = {3, 3}, .padding = FV_SAME};
    switch (draw(d, 12)) {
    case 0:
        fv_sum(m, a, b);
        break;
    case 1:
        fv_activation(m, a, FV_TANH);
        break;
    case 2:
    case 3:
        fv_relu(m, i - 1);
        break;
    case 4:
        fv_activation(m, i - 1, FV_RELU);
        break;
    case 5:
        conv.activation = draw(d, 2) ? FV_RELU : FV_TANH;
        draw_convolution(m, d, a, conv);
        break;
    case 6:
        fv_dropout(m, a, 0.3f);
        break;
    case 7:
        fv_maxpool2d(
            m, a, &(fv_pool2d_config){.pool_size = {2, 2}, .strides = {1, 1}, .padding = FV_SAME});
        break;
    case 8:
        fv_dense(m, a, &(fv_dense_config){.units = 2});
        break;
    case 9:
        fv_add(m, "ReLU", &(int){i - 1}, 1, &(fv_relu_config){.max_value = 0.5f},
               sizeof(fv_relu_config));
        break;
    default:
        conv.without_bias = draw(d, 2);
        draw_convolution(m, d, i - 1, conv);
        if (has_norm) fv_batch_normalization(m, FV_LAST, NULL);
    }
}

/* Batch normalisation of 5, 3 and 20 channels, also twice in a row and beside another; the last
   convolution makes few products for its weights, and so does the dense layer. */
static void draw_cut(fv_model *m, uint32_t graph, int side)
{
    drawn d = {.graph = graph};
    const bool is_bare = draw(&d, 2);
    const fv_batch_normalization_config norm = {.without_scale = is_bare,
                                                .without_center = is_bare && draw(&d, 2)};
    fv_conv2d_config conv = {.filters = 5, .kernel_size = {3, 3}, .padding = FV_SAME};
    conv.without_bias = draw(&d, 2);
    int a = fv_input(m, side, 5, 2);
    if (draw(&d, 2)) a = fv_batch_normalization(m, a, &norm);
    a = fv_batch_normalization(m, fv_conv2d(m, a, &conv), &norm);
    if (draw(&d, 2)) a = fv_relu(m, a);
    int b = fv_batch_normalization(m, fv_conv2d(m, a, &conv), &norm);
    if (draw(&d, 2)) b = fv_batch_normalization(m, fv_dropout(m, b, 0.3f), &norm);
    a = fv_relu(m, fv_sum(m, b, a));
    conv.filters = 3;
    conv.strides[0] = conv.strides[1] = 2;
    b = fv_batch_normalization(m, fv_conv2d(m, a, &conv), &norm);
    a = fv_batch_normalization(m, fv_conv2d(m, a, &conv), &norm);
    a = fv_relu(m, fv_sum(m, a, b));
    a = fv_maxpool2d(m, a, &(fv_pool2d_config){.pool_size = {side / 100, 1}});
    conv = (fv_conv2d_config){.filters = 20, .kernel_size = {5, 2}};
    fv_relu(m, fv_batch_normalization(m, fv_conv2d(m, a, &conv), &norm));
}

/* All loose ends joined, then three outputs. */
static fv_model *draw_model(uint32_t graph, int side, int batch, bool has_norm, int threads)
{
    drawn d = {.graph = graph};
    fv_model *m = fv_model_new("drawn", &(fv_model_config){.threads = threads, .seed = graph});
    int end[2 * LAYERS + 1], n = 0;
    const bool is_cut = graph >= CUT && graph < HEAVY;
    if (is_cut)
        draw_cut(m, graph, side);
    else
        fv_input(m, side, 5, 2);
    while (m->n_nodes < LAYERS && !is_cut)
        draw_layer(m, &d, m->n_nodes, has_norm);
    if (graph >= HEAVY) { /* most of the products, so that the others may be made again */
        fv_conv2d_config conv = {.filters = 48, .kernel_size = {3, 3}, .padding = FV_SAME};
        fv_conv2d(m, FV_LAST,
                  &(fv_conv2d_config){.filters = 48, .strides = {16, 1}, .kernel_size = {3, 3}});
        fv_conv2d(m, fv_relu(m, FV_LAST), &conv);
    }
    const int layers = m->n_nodes;
    for (int i = 1; i < layers; i++) {
        bool is_read = false;
        for (int j = i + 1; j < layers; j++)
            for (int k = 0; k < m->node[j].n_inputs; k++)
                is_read = is_read || m->node[j].input[k] == i;
        if (!is_read) end[n++] = i;
    }
    for (int i = 0; i < n; i++)
        end[i] = side > LARGE ? fv_global_avgpool2d(m, end[i]) : fv_flatten(m, end[i]);
    int last = n > 1 ? fv_concatenate(m, end, n, NULL) : end[0];
    for (int i = 0; i < 2 && graph >= HEAVY; i++)
        last = fv_dense(m, last, &(fv_dense_config){.units = 600, .activation = FV_TANH});
    fv_dense(m, last, &(fv_dense_config){.units = OUTPUTS});
    if (graph % 3 == 0) fv_relu(m, FV_LAST); /* the output may be taken along, or be a view */
    if (graph % 4 == 0) fv_flatten(m, FV_LAST);
    assert_ok(fv_model_build(m, FV_LAST, batch));
    fv_tensor w;
    for (int i = 0; i < m->n_nodes; i++) /* statistics that differ from 0 and 1 */
        for (int k = 0; k < m->node[i].n_weights; k++)
            if (m->node[i].weight[k].is_state) {
                assert_ok(fv_model_weight(m, m->node[i].name, m->node[i].weight[k].name, &w));
                for (size_t j = 0; j < 2; j++)
                    ((float *)w.data)[j] = 0.5f + 0.25f * (float)(i % 4) + 0.1f * (float)j;
            }
    return m;
}

static bool is_folded(const fv_model *m)
{
    return m->context->layout.folded_floats > 0;
}

/* ---- prediction ---- */

static int layout_blocks, layout_clips, layout_folds, layout_sums, layout_limits, layout_chunked,
    layout_cut, layout_whole;

static void count_layouts(const fv_model *m)
{
    for (int i = 0; i < m->n_nodes; i++) {
        layout_clips += m->context->layout.clips[i];
        layout_folds += m->context->layout.norm[i] >= 0;
        layout_sums += m->context->layout.adds[i] >= 0;
        layout_limits += m->context->layout.most[i] > 0;
    }
    layout_chunked += m->context->layout.chunk < m->max_batch;
}

static void check_predict(uint32_t graph, int side, bool has_norm)
{
    enum { N = 2 * BATCH + 1 };
    const size_t in = (size_t)side * 10;
    float *x = fvi_alloc(N * in, sizeof *x, ""), y[3][N * OUTPUTS];
    const float *kept;
    nets_fill(x, N * in, graph);
    for (int threads = 1; threads <= 3; threads++) {
        fv_model *m = draw_model(graph, side, BATCH, has_norm, threads);
        if (threads == 1) count_layouts(m);
        assert_ok(fv_model_predict(m, y[threads - 1], x, N));
        nets_same(y[0], y[threads - 1], N * OUTPUTS);
        for (int i = 0; i < N && threads == 1; i++) { /* one by one */
            assert_ok(fv_model_predict(m, y[1], x + (size_t)i * in, 1));
            nets_same(y[0] + i * OUTPUTS, y[1], OUTPUTS);
        }
        assert_ok(fv_model_forward(m, &kept, x, BATCH, false));
        float largest = 1;
        for (int i = 0; i < BATCH * OUTPUTS; i++)
            largest = fmaxf(largest, fabsf(kept[i]));
        for (int i = 0; i < BATCH * OUTPUTS; i++) {
            const float off = fabsf(kept[i] - y[0][i]);
            if (off > (is_folded(m) ? 1e-5f * largest : 0))
                fail_msg("graph %u: %g is %g", graph, (double)y[0][i], (double)kept[i]);
        }
        fv_model_free(m);
    }
    fvi_free(x);
}

static void test_prediction(void **state)
{
    (void)state;
    layout_clips = layout_folds = layout_sums = layout_limits = layout_chunked = 0;
    for (uint32_t graph = 0; graph < 60; graph++)
        check_predict(graph, 6, graph % 2);
    for (uint32_t graph = CUT; graph < CUT + 10; graph++)
        check_predict(graph, 100, true);
    for (uint32_t graph = 60; graph < 66; graph++)
        check_predict(graph, 4000, graph % 2);
    assert_true(layout_clips > 20 && layout_folds > 30 && layout_chunked > 3);
    assert_true(layout_sums > 10 && layout_limits > 4);
}

/* ---- training ---- */

static fv_dataset *draw_dataset(const float *x, int side)
{
    fv_dataset *d = NULL;
    const int32_t y[1] = {OUTPUTS - 1};
    const fv_tensor tx = {{4, {1, side, 5, 2}}, FV_FLOAT32, (void *)(uintptr_t)x};
    const fv_tensor ty = {{1, {1}}, FV_INT32, (void *)(uintptr_t)y};
    assert_ok(fv_dataset_from_arrays(&d, &tx, &ty, NULL, OUTPUTS));
    return d;
}

/* A convolution that sums its weights' gradient over what a pooling passes back does so in another
   order. */
static bool has_pooled_sums(const fv_model *m, const fvi_layout *layout)
{
    bool has = false;
    for (int i = 0; i < m->n_nodes; i++)
        has = has || (layout->pool[i] >= 0 && m->node[i].op->can_pool);
    return has;
}

static void check_step(uint32_t graph, int side, int n, bool has_norm)
{
    const size_t in = (size_t)side * 10;
    float *x = fvi_alloc((size_t)n * in, sizeof *x, ""), *by_hand = NULL, *first = NULL;
    int32_t label[MANY];
    const fv_batch batch = {.n = n, .x = x, .y = label};
    const fv_fit_config config = {.optimizer = {.kind = FV_SGD, .learning_rate = STEPS_RATE}};
    nets_fill(x, (size_t)n * in, graph);
    for (int i = 0; i < n; i++)
        label[i] = i * i % OUTPUTS;
    fv_dataset *d = draw_dataset(x, side);
    for (int threads = 1; threads <= 3; threads++) {
        fv_trainer *t = NULL;
        fv_model *m = draw_model(graph, side, n, has_norm, threads);
        fv_model *other = threads == 1 ? draw_model(graph, side, n, has_norm, 1) : NULL;
        if (other) by_hand = steps_by_hand(other, d, x, n, label);
        assert_ok(fv_trainer_new(&t, m, d, &config));
        assert_ok(fv_trainer_step(t, &batch, NULL));
        if (!first) first = fvi_copy(m->weights, m->weight_floats * sizeof *first, "");
        nets_same(first, m->weights, m->weight_floats);
        fv_context *context;
        assert_ok(fvi_context_make(&context, m, m->pool, FVI_TRAIN));
        const fvi_layout *train = &context->layout;
        const bool is_chunked = fvi_layout_chunks(train, n) > 1;
        layout_chunked += is_chunked;
        layout_cut += is_chunked && train->segments > 1;
        layout_whole += is_chunked && train->runs_whole[train->turn];
        layout_blocks += train->blocks > 0 && train->chunk < n;
        if (train->blocks > 0) { /* side by side if that keeps all threads busy */
            const int there = fvi_threads_count(m->pool);
            assert_int_equal(context->lanes, fvi_layout_chunks(train, n) < there ? 1 : there);
        }
        const bool is_same = !is_chunked && !has_pooled_sums(m, train);
        fv_context_free(context);
        if (is_same) nets_same(by_hand, m->weights, m->weight_floats);
        for (size_t i = 0; i < m->weight_floats; i++)
            if (fabsf(by_hand[i] - first[i]) > 2e-5f * fmaxf(1, fabsf(by_hand[i])))
                fail_msg("graph %u: %g is %g", graph, (double)first[i], (double)by_hand[i]);
        fv_trainer_free(t);
        fv_model_free(m);
        fv_model_free(other);
    }
    fv_dataset_free(d);
    fvi_free(first);
    fvi_free(by_hand);
    fvi_free(x);
}

static void test_training(void **state)
{
    (void)state;
    layout_chunked = 0;
    for (uint32_t graph = 100; graph < 150; graph++)
        check_step(graph, 6, BATCH, graph % 2);
    assert_int_equal(layout_chunked, 0);
    for (uint32_t graph = 150; graph < 160; graph++)
        check_step(graph, 4000, BATCH, graph % 5 == 0);
    assert_true(layout_chunked >= 20);
    check_step(160, 4000, MANY, false); /* several chunks in each part */
}

/* Layers that are run again for the way back, a few images at a time; the others' weights move as soon as
   there is a piece of their gradient. */
static void test_blocks(void **state)
{
    (void)state;
    layout_blocks = 0;
    for (uint32_t graph = HEAVY; graph < HEAVY + 24; graph++)
        check_step(graph, 4000, BATCH, graph % 6 == 0);
    assert_true(layout_blocks >= 3 * 20);
}

/* Steps that wait where batch normalisation needs the whole batch. */
static void test_cut_training(void **state)
{
    (void)state;
    layout_chunked = layout_cut = layout_whole = 0;
    for (uint32_t graph = CUT; graph < CUT + 7; graph++)
        check_step(graph, 800, graph % 2 ? BATCH : 2 * BATCH, true);
    check_step(CUT + 7, 1600, MANY, true);
    for (uint32_t graph = 200; graph < 203; graph++)
        check_step(graph, 4000, BATCH, true);
    assert_true(layout_chunked >= 3 * 10 && layout_cut >= 3 * 10);
    assert_true(layout_whole >= 3 * 8);
}

/* The statistics of the whole batch are the same where it comes in chunks. */
static void test_cut_statistics(void **state)
{
    enum { SIDE = 800, N = 7 };
    (void)state;
    static float x[N * SIDE * 10];
    const int32_t label[N] = {0};
    const fv_batch batch = {.n = N, .x = x, .y = label};
    fv_model *m[2];
    fv_trainer *t = NULL;
    nets_fill(x, FVI_COUNT(x), 7);
    for (int i = 0; i < 2; i++)
        m[i] = draw_model(CUT + 1, SIDE, N + 2, true, 1 + i);
    fv_dataset *d = draw_dataset(x, SIDE);
    assert_ok(fv_trainer_new(&t, m[0], d, NULL));
    fvi_layout train;
    assert_ok(fvi_layout_make(&train, m[0], FVI_TRAIN));
    assert_true(train.segments > 1 && fvi_layout_chunks(&train, N) > 1);
    fvi_layout_free(&train);
    fvi_trainer_statistics(t, &batch, 1);
    assert_ok(fvi_model_look(m[1]));
    m[1]->look->statistics = 1;
    fvi_context_forward(m[1]->look, x, N, true, false, 0);
    for (size_t i = 0; i < m[0]->weight_floats; i++)
        assert_true(fabsf(m[0]->weights[i] - m[1]->weights[i]) <
                    1e-5f * fmaxf(1, fabsf(m[1]->weights[i])));
    assert_true(m[0]->weights[m[0]->trainable_floats] != 0.5f); /* they have moved */
    fv_trainer_free(t);
    fv_dataset_free(d);
    fv_model_free(m[0]);
    fv_model_free(m[1]);
}

/* A first convolution takes the gradient that a large pooling, or one of few filters, passes on as it
   is. */
static void test_pooled_gradients(void **state)
{
    (void)state;
    static const struct {
        fv_conv2d_config conv;
        bool has_relu;
        fv_pool2d_config pool;
        bool is_taken, is_second; /* a layer with weights before it */
    } row[] = {
        {{.filters = 5, .kernel_size = {3, 3}}, true, {.pool_size = {4, 4}}, true, false},
        {{.filters = 3, .kernel_size = {2, 5}, .padding = FV_SAME, .strides = {2, 1}},
         false,
         {.pool_size = {5, 4}, .strides = {2, 3}, .padding = FV_SAME},
         true,
         false},
        {{.filters = 2, .kernel_size = {3, 3}, .dilation_rate = {2, 1}, .activation = FV_RELU},
         false,
         {.pool_size = {8, 4}},
         true,
         false},
        {{.filters = 9, .kernel_size = {3, 3}}, true, {.pool_size = {3, 3}}, false, false},
        {{.filters = 4, .kernel_size = {3, 3}}, true, {.pool_size = {2, 2}}, true, false},
        {{.filters = 4, .kernel_size = {3, 3}, .activation = FV_TANH},
         false,
         {.pool_size = {4, 4}},
         false,
         false},
        {{.filters = 5, .kernel_size = {3, 3}}, true, {.pool_size = {4, 4}}, false, true},
    };
    const int32_t label[BATCH] = {0, 1, 2, 1, 0};
    for (size_t n = 0; n < 7 * FVI_COUNT(row); n++) { /* beside it something of seven sizes */
        const size_t i = n / 7;
        float x[BATCH * 40 * 10];
        fv_model *m[2];
        fv_trainer *t = NULL;
        nets_fill(x, FVI_COUNT(x), (uint32_t)i);
        for (int k = 0; k < 2; k++) {
            m[k] = fv_model_new("pooled", NULL);
            fv_input(m[k], 40, 5, 2);
            const int x0 = fv_zero_padding2d(m[k], FV_LAST,
                                             &(fv_zero_padding2d_config){.padding = {0, 0, 7, 7}});
            const fv_conv2d_config one = {.filters = 1 + (int)(n % 7), .kernel_size = {1, 1}};
            const int x1 = row[i].is_second ? fv_conv2d(m[k], x0, &one) : x0;
            int y = fv_conv2d(m[k], x1, &row[i].conv);
            if (row[i].has_relu) y = fv_relu(m[k], y);
            int beside = fv_conv2d(m[k], fv_conv2d(m[k], x0, &one), &one);
            y = fv_flatten(m[k], fv_maxpool2d(m[k], y, &row[i].pool));
            beside = fv_global_avgpool2d(m[k], fv_activation(m[k], beside, FV_SIGMOID));
            fv_dense(m[k], fv_concatenate(m[k], (int[]){y, beside}, 2, NULL),
                     &(fv_dense_config){.units = OUTPUTS});
            assert_ok(fv_model_build(m[k], FV_LAST, BATCH));
        }
        fvi_layout train;
        assert_ok(fvi_layout_make(&train, m[0], FVI_TRAIN));
        assert_int_equal(train.pool[row[i].is_second ? 3 : 2] >= 0, row[i].is_taken);
        fvi_layout_free(&train);
        fv_dataset *d = draw_dataset(x, 40);
        float *by_hand = steps_by_hand(m[1], d, x, BATCH, label);
        const fv_fit_config config = {.optimizer = {.kind = FV_SGD, .learning_rate = STEPS_RATE}};
        assert_ok(fv_trainer_new(&t, m[0], d, &config));
        assert_ok(fv_trainer_step(t, &(fv_batch){.n = BATCH, .x = x, .y = label}, NULL));
        for (size_t j = 0; j < m[0]->weight_floats; j++)
            assert_true(fabsf(by_hand[j] - m[0]->weights[j]) < 1e-5f);
        fvi_free(by_hand);
        fv_trainer_free(t);
        fv_dataset_free(d);
        fv_model_free(m[0]);
        fv_model_free(m[1]);
    }
}

/* Batch normalisation, and a ReLU behind it, take a max pooling along whose windows do not meet. */
static void test_normed_pools(void **state)
{
    (void)state;
    static const struct {
        int filters, side, wide;
        fv_activation_kind bend;
        fv_pool2d_config pool;
        bool is_taken;
    } row[] = {
        {3, 6, 0, FV_RELU, {.pool_size = {2, 2}}, true},
        {33, 7, 1, FV_LINEAR, {.pool_size = {1, 2}, .strides = {3, 2}, .padding = FV_SAME}, true},
        {16,
         9,
         0,
         FV_RELU,
         {.pool_size = {2, 3}, .padding = FV_EXPLICIT, .pads = {1, 0, 2, 1}},
         true},
        {100, 5, 30, FV_RELU, {.pool_size = {2, 2}}, true}, /* rows in pieces */
        {70, 4, 50, FV_RELU, {.pool_size = {3, 2}, .strides = {4, 3}, .padding = FV_SAME}, true},
        {5, 4000, 0, FV_RELU, {.pool_size = {3, 2}}, true}, /* chunks */
        {5, 8, 0, FV_RELU, {.pool_size = {3, 3}, .strides = {2, 2}}, false},
        {5, 8, 0, FV_TANH, {.pool_size = {2, 2}}, false},
        {600, 4, 0, FV_RELU, {.pool_size = {2, 2}}, false},
    };
    const int32_t label[BATCH] = {0, 1, 2, 1, 0};
    const fv_fit_config config = {.optimizer = {.kind = FV_SGD, .learning_rate = STEPS_RATE}};
    for (size_t i = 0; i < 2 * FVI_COUNT(row); i++) {
        const size_t r = i / 2, floats = (size_t)(BATCH * row[r].side * 10);
        const int wide = row[r].wide;
        float *x = fvi_alloc(floats, sizeof *x, "");
        fv_model *m[2];
        fv_trainer *t = NULL;
        nets_fill(x, floats, (uint32_t)i);
        for (int k = 0; k < 2; k++) {
            m[k] = fv_model_new("normed", &(fv_model_config){.threads = k ? 1 : 1 + (int)(i % 2)});
            fv_input(m[k], row[r].side, 5, 2);
            fv_zero_padding2d(m[k], FV_LAST,
                              &(fv_zero_padding2d_config){.padding = {0, 0, wide, wide}});
            fv_conv2d(m[k], FV_LAST,
                      &(fv_conv2d_config){.filters = row[r].filters, .kernel_size = {1, 2}});
            fv_batch_normalization(m[k], FV_LAST, NULL);
            if (row[r].bend != FV_LINEAR) fv_activation(m[k], FV_LAST, row[r].bend);
            const int y = fv_maxpool2d(m[k], FV_LAST, &row[r].pool);
            fv_dense(m[k], fv_flatten(m[k], y), &(fv_dense_config){.units = OUTPUTS});
            assert_ok(fv_model_build(m[k], FV_LAST, BATCH));
        }
        fvi_layout train;
        assert_ok(fvi_layout_make(&train, m[0], FVI_TRAIN));
        const int pool = m[0]->n_nodes - 3;
        assert_true((train.pool[3] == pool) == row[r].is_taken);
        assert_true(train.is_run[pool] != row[r].is_taken);
        fvi_layout_free(&train);
        fv_dataset *d = draw_dataset(x, row[r].side);
        float *by_hand = steps_by_hand(m[1], d, x, BATCH, label);
        assert_ok(fv_trainer_new(&t, m[0], d, &config));
        assert_ok(fv_trainer_step(t, &(fv_batch){.n = BATCH, .x = x, .y = label}, NULL));
        for (size_t j = 0; j < m[0]->weight_floats; j++)
            if (fabsf(by_hand[j] - m[0]->weights[j]) > 1e-5f * fmaxf(1, fabsf(by_hand[j])))
                fail_msg("row %zu: %g is %g", r, (double)m[0]->weights[j], (double)by_hand[j]);
        fvi_free(by_hand);
        fv_trainer_free(t);
        fv_dataset_free(d);
        fv_model_free(m[0]);
        fv_model_free(m[1]);
        fvi_free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prediction),     cmocka_unit_test(test_training),
        cmocka_unit_test(test_blocks),         cmocka_unit_test(test_cut_training),
        cmocka_unit_test(test_cut_statistics), cmocka_unit_test(test_pooled_gradients),
        cmocka_unit_test(test_normed_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
