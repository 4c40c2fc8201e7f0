/* SPDX-License-Identifier: MIT */
/* Training: losses against the textbook, optimizers against their formulas, fit against what it
   promises. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fovea/fovea.h"
#include "train/train_internal.h"

#define ROWS 7
#define CLASSES 5

static double uniform(uint32_t stream, uint64_t i)
{
    return fvi_rng_uniform(11, FVI_RNG_TEST, stream, i);
}

/* Input(K) -> activation: the smallest model whose outputs a test can set. */
static fv_model *identity_model(int outputs, fv_activation_kind head)
{
    fv_model *m = fv_model_new("identity", &(fv_model_config){.threads = 1});
    fv_input_config in = {.shape = {outputs}};
    fv_add(m, "InputLayer", NULL, 0, &in, sizeof in);
    fv_activation(m, FV_LAST, head);
    assert_int_equal(fv_model_build(m, FV_LAST, ROWS), FV_OK);
    return m;
}

static fv_dataset *flat_dataset(const float *x, const float *target, const int32_t *label, int n,
                                int k, int classes)
{
    fv_dataset *d = NULL;
    fv_tensor tx = {{2, {n, k}}, FV_FLOAT32, (void *)x};
    fv_tensor ty = {{label ? 1 : 2, {n, classes}},
                    label ? FV_INT32 : FV_FLOAT32,
                    label ? (void *)label : (void *)target};
    assert_int_equal(fv_dataset_from_arrays(&d, &tx, &ty, NULL, classes), FV_OK);
    return d;
}

/* ---- losses ---- */

typedef fv_status (*textbook_categorical)(double *, const double *, const double *, int, int);
typedef fv_status (*textbook_binary)(double *, const double *, const double *, size_t);

/* One loss of ROWS rows against the textbook's value and gradient. */
static void check_loss(fv_activation_kind head, fv_loss loss, int outputs, bool is_sparse,
                       double spread)
{
    float y[ROWS * CLASSES], target[ROWS * CLASSES], dy[ROWS * CLASSES];
    double p[ROWS * CLASSES], t[ROWS * CLASSES], d[ROWS * CLASSES], value;
    int32_t label[ROWS];
    size_t n = (size_t)(ROWS * outputs);
    bool is_binary = loss == FV_BINARY_CROSSENTROPY, is_logits = head != FV_LINEAR;
    for (size_t i = 0; i < n; i++) {
        double u = uniform((uint32_t)outputs, i);
        y[i] = (float)(is_logits ? spread * (u - 0.5) : 0.01 + 0.98 * u);
        target[i] =
            (float)(is_binary ? u > 0.4
                              : i % (size_t)outputs == i / (size_t)outputs % (size_t)outputs);
        p[i] = (double)y[i];
        t[i] = (double)target[i];
    }
    for (int i = 0; i < ROWS; i++)
        label[i] = is_binary ? (int32_t)target[i] : i % outputs;
    fv_model *m = identity_model(outputs, head);
    fv_dataset *data = flat_dataset(y, is_sparse ? NULL : target, is_sparse ? label : NULL, ROWS,
                                    outputs, is_sparse && is_binary ? 2 : outputs);
    const fvi_loss_kind *kind;
    fvi_targets targets;
    assert_int_equal(fvi_loss_choose(&kind, &targets, m, data, loss), FV_OK);
    assert_int_equal(targets.logits, is_logits);
    targets.label = data->label;
    targets.target = data->target;
    double sum = kind->rows(dy, y, &targets, ROWS);
    if (is_binary) {
        textbook_binary forward = is_logits ? fv_tb_binary_cross_entropy_logits_forward
                                            : fv_tb_binary_cross_entropy_forward;
        textbook_binary backward = is_logits ? fv_tb_binary_cross_entropy_logits_backward
                                             : fv_tb_binary_cross_entropy_backward;
        assert_int_equal(forward(&value, p, t, n), FV_OK);
        assert_int_equal(backward(d, p, t, n), FV_OK);
    } else {
        textbook_categorical forward = is_logits ? fv_tb_categorical_cross_entropy_logits_forward
                                                 : fv_tb_categorical_cross_entropy_forward;
        textbook_categorical backward = is_logits ? fv_tb_categorical_cross_entropy_logits_backward
                                                  : fv_tb_categorical_cross_entropy_backward;
        assert_int_equal(forward(&value, p, t, ROWS, outputs), FV_OK);
        assert_int_equal(backward(d, p, t, ROWS, outputs), FV_OK);
    }
    /* From logits, exponentials and what sigmoid loses are float. */
    const double most = is_logits ? 1e-6 * fabs(value) : 1e-12 * (1 + fabs(value));
    assert_true(fabs(sum / ROWS - value) <= most);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)dy[i] - d[i]) <= 1e-6 * (1e-3 + fabs(d[i])));
    assert_true(kind->rows(NULL, y, &targets, ROWS) == sum);
    fv_dataset_free(data);
    fv_model_free(m);
}

static void test_losses_equal_the_textbook(void **state)
{
    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        double spread = pass ? 60 : 4;
        check_loss(FV_SIGMOID, FV_BINARY_CROSSENTROPY, 1, true, spread);
        check_loss(FV_SIGMOID, FV_BINARY_CROSSENTROPY, 1, false, spread);
        check_loss(FV_SIGMOID, FV_BINARY_CROSSENTROPY, CLASSES, false, spread);
        check_loss(FV_SOFTMAX, FV_CATEGORICAL_CROSSENTROPY, CLASSES, false, spread);
        check_loss(FV_SOFTMAX, FV_CATEGORICAL_CROSSENTROPY, CLASSES, true, spread);
        check_loss(FV_SOFTMAX, FV_SPARSE_CATEGORICAL_CROSSENTROPY, CLASSES, true, spread);
    }
    check_loss(FV_LINEAR, FV_BINARY_CROSSENTROPY, 1, true, 0);
    check_loss(FV_LINEAR, FV_BINARY_CROSSENTROPY, CLASSES, false, 0);
    check_loss(FV_LINEAR, FV_CATEGORICAL_CROSSENTROPY, CLASSES, false, 0);
    check_loss(FV_LINEAR, FV_SPARSE_CATEGORICAL_CROSSENTROPY, CLASSES, true, 0);
}

static void test_losses_of_huge_logits_are_finite(void **state)
{
    (void)state;
    const float y[2] = {1e38F, -1e38F}, z[3] = {3e38F, -3e38F, 0};
    const int32_t label[2] = {0, 1};
    float dy[3];
    fv_model *m = identity_model(1, FV_SIGMOID), *k = identity_model(3, FV_SOFTMAX);
    fv_dataset *d = flat_dataset(y, NULL, label, 2, 1, 2),
               *e = flat_dataset(z, NULL, &label[1], 1, 3, 3);
    const fvi_loss_kind *kind;
    fvi_targets t;
    assert_int_equal(fvi_loss_choose(&kind, &t, m, d, FV_LOSS_AUTO), FV_OK);
    t.label = d->label;
    assert_true(fabs(kind->rows(dy, y, &t, 2) / 2e38 - 1) < 1e-6);
    assert_true(dy[0] == 0.5F && dy[1] == -0.5F);
    assert_int_equal(fvi_loss_choose(&kind, &t, k, e, FV_LOSS_AUTO), FV_OK);
    t.label = e->label;
    assert_true(fabs(kind->rows(dy, z, &t, 1) / 6e38 - 1) < 1e-6);
    assert_true(dy[0] == 1 && dy[1] == -1 && dy[2] == 0);
    fv_dataset_free(d);
    fv_dataset_free(e);
    fv_model_free(m);
    fv_model_free(k);
}

static void test_a_logit_that_is_no_number_shows_in_the_loss(void **state)
{
    (void)state;
    float z[3], dy[3], zero[3] = {0};
    int32_t label = 0;
    fv_model *m = identity_model(3, FV_SOFTMAX);
    fv_dataset *d = flat_dataset(zero, NULL, &label, 1, 3, 3);
    const fvi_loss_kind *kind;
    fvi_targets t;
    assert_int_equal(fvi_loss_choose(&kind, &t, m, d, FV_LOSS_AUTO), FV_OK);
    t.label = d->label;
    /* Minus infinity is a probability of 0: wrong where it is the answer's. */
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 9; i++) {
        memset(z, 0, sizeof z);
        z[i % 3] = bad[i / 3];
        const double sum = kind->rows(dy, z, &t, 1);
        assert_true(i < 6 ? isnan(sum) : i == 6 ? isinf(sum) : fabs(sum - log(2)) < 1e-12);
    }
    fv_dataset_free(d);
    fv_model_free(m);
}

static void test_loss_choice_is_checked(void **state)
{
    (void)state;
    float x[ROWS * CLASSES] = {0}, target[ROWS * CLASSES] = {0};
    int32_t label[ROWS] = {0, 1, 2, 3, 4, 0, 1};
    fv_model *one = identity_model(1, FV_SIGMOID), *five = identity_model(CLASSES, FV_SOFTMAX);
    fv_dataset *sparse = flat_dataset(x, NULL, label, ROWS, CLASSES, 0);
    fv_dataset *wide = flat_dataset(x, NULL, label, ROWS, 1, 0);
    fv_dataset *hot = flat_dataset(x, target, NULL, ROWS, CLASSES, CLASSES);
    const fvi_loss_kind *kind;
    fvi_targets t;
    assert_int_equal(fvi_loss_choose(&kind, &t, five, hot, FV_LOSS_AUTO), FV_OK);
    assert_int_equal(kind->loss, FV_CATEGORICAL_CROSSENTROPY);
    assert_int_equal(fvi_loss_choose(&kind, &t, five, sparse, FV_LOSS_AUTO), FV_OK);
    assert_int_equal(kind->loss, FV_SPARSE_CATEGORICAL_CROSSENTROPY);
    fv_model *linear = identity_model(CLASSES, FV_LINEAR);
    assert_int_equal(fvi_loss_choose(&kind, &t, linear, sparse, FV_LOSS_AUTO), FV_OK);
    assert_true(t.logits);
    assert_int_equal(fvi_loss_choose(&kind, &t, linear, sparse, kind->loss), FV_OK);
    assert_false(t.logits);
    fv_model_free(linear);
    assert_int_equal(fvi_loss_choose(&kind, &t, five, hot, FV_SPARSE_CATEGORICAL_CROSSENTROPY),
                     FV_E_ARG);
    assert_int_equal(fvi_loss_choose(&kind, &t, five, sparse, FV_BINARY_CROSSENTROPY), FV_E_SHAPE);
    assert_int_equal(fvi_loss_choose(&kind, &t, five, sparse, (fv_loss)99), FV_E_ARG);
    assert_int_equal(fvi_loss_choose(&kind, &t, one, sparse, FV_LOSS_AUTO), FV_E_SHAPE);
    /* Labels 0 to 4 for a question of yes or no: the first that does not fit is named. */
    assert_int_equal(fvi_loss_choose(&kind, &t, one, wide, FV_LOSS_AUTO), FV_E_FORMAT);
    assert_non_null(strstr(fv_error(), "sample 2 has label 2"));
    fv_dataset_free(sparse);
    fv_dataset_free(wide);
    fv_dataset_free(hot);
    fv_model_free(one);
    fv_model_free(five);
}

/* ---- optimizers ---- */

#define STEPS 20

static void run_optimizer(const fv_optimizer_config *config, float w[3], float g[STEPS][3])
{
    fvi_optimizer *o;
    assert_int_equal(fvi_optimizer_new(&o, config, 3), FV_OK);
    for (int i = 0; i < STEPS; i++) {
        fvi_optimizer_begin(o);
        assert_true(fvi_optimizer_move(o, fvi_kernels_select("generic"), NULL, w, g[i], 0, 3));
    }
    fvi_optimizer_free(o);
}

static void test_adam_is_kerass(void **state)
{
    (void)state;
    float g[STEPS][3], w[3] = {1, -2, 0.5F};
    double v[3] = {1, -2, 0.5}, m1[3] = {0}, m2[3] = {0};
    for (int i = 0; i < STEPS; i++)
        for (int j = 0; j < 3; j++) {
            g[i][j] = (float)(uniform(3, (uint64_t)(3 * i + j)) - 0.5) * (j == 2 ? 1e-6F : 1);
            double d = (double)g[i][j], t = i + 1;
            m1[j] = 0.9 * m1[j] + 0.1 * d;
            m2[j] = 0.999 * m2[j] + 0.001 * d * d;
            v[j] -=
                0.001 * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t)) * m1[j] / (sqrt(m2[j]) + 1e-7);
        }
    run_optimizer(&(fv_optimizer_config){0}, w, g);
    for (int j = 0; j < 3; j++)
        assert_true(fabs((double)w[j] - v[j]) < 2e-6);
    assert_true(fabs(v[0] - 1) > 1e-4);
}

static void check_sgd(float momentum, bool nesterov)
{
    float g[STEPS][3], w[3] = {1, -2, 0.5F};
    double v[3] = {1, -2, 0.5}, velocity[3] = {0};
    for (int i = 0; i < STEPS; i++)
        for (int j = 0; j < 3; j++) {
            g[i][j] = (float)(uniform(4, (uint64_t)(3 * i + j)) - 0.3);
            double step = 0.05 * (double)g[i][j];
            velocity[j] = (double)momentum * velocity[j] - step;
            v[j] += nesterov ? (double)momentum * velocity[j] - step : velocity[j];
        }
    run_optimizer(
        &(fv_optimizer_config){
            .kind = FV_SGD, .learning_rate = 0.05F, .momentum = momentum, .nesterov = nesterov},
        w, g);
    for (int j = 0; j < 3; j++)
        assert_true(fabs((double)w[j] - v[j]) < 5e-6);
}

static void test_sgd_momentum_nesterov_are_kerass(void **state)
{
    (void)state;
    check_sgd(0, false);
    check_sgd(0.9F, false);
    check_sgd(0.9F, true);
}

static void test_optimizer_settings_are_checked(void **state)
{
    (void)state;
    const fv_optimizer_config bad[] = {
        {.learning_rate = NAN},
        {.learning_rate = -1},
        {.learning_rate = 1e30F},
        {.learning_rate = INFINITY},
        {.beta_1 = 1},
        {.beta_2 = -0.5F},
        {.epsilon = NAN},
        {.kind = FV_SGD, .momentum = 1},
        {.kind = FV_SGD, .momentum = NAN},
        {.kind = FV_SGD, .nesterov = true},
        {.kind = (fv_optimizer_kind)7},
    };
    for (size_t i = 0; i < FVI_COUNT(bad); i++) {
        fvi_optimizer *o;
        assert_int_equal(fvi_optimizer_new(&o, &bad[i], 3), FV_E_ARG);
        assert_null(o);
    }
    const char *nearest;
    fv_optimizer_config c = {0};
    assert_true(fv_optimizer_find("nesterov", &c, &nearest));
    assert_true(c.kind == FV_SGD && c.nesterov && c.momentum == 0.9F);
    assert_false(fv_optimizer_find("adamm", &c, &nearest));
    assert_string_equal(nearest, "adam");
    for (int i = 0; i < 4; i++)
        assert_true(fv_optimizer_find(fv_optimizer_name(i), &c, &nearest));
    assert_null(fv_optimizer_name(4));
}

/* ---- fit ---- */

/* 8x8 pictures with a bright bar: across (class 0), down (class 1), or none (class 2). */
static fv_dataset *bars(int n, uint32_t stream)
{
    uint8_t *x = calloc((size_t)n, 64);
    int32_t *label = calloc((size_t)n, sizeof *label);
    for (int i = 0; i < n; i++) {
        label[i] = i % 3;
        int at = (int)(8 * uniform(stream, (uint64_t)(i * 100 + 99)));
        for (int j = 0; j < 64; j++) {
            bool is_bar = label[i] == 0 ? j / 8 == at : label[i] == 1 && j % 8 == at;
            x[i * 64 + j] = (uint8_t)(is_bar ? 220 : 60 * uniform(stream, (uint64_t)(i * 100 + j)));
        }
    }
    fv_dataset *d = NULL;
    fv_tensor tx = {{4, {n, 8, 8, 1}}, FV_UINT8, x}, ty = {{1, {n}}, FV_INT32, label};
    assert_int_equal(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 3), FV_OK);
    free(x);
    free(label);
    return d;
}

static fv_model *bars_model(uint64_t seed, int threads)
{
    fv_model *m = fv_model_new("bars", &(fv_model_config){.seed = seed, .threads = threads});
    fv_input(m, 8, 8, 1);
    fv_conv2d(m, FV_LAST,
              &(fv_conv2d_config){.filters = 6, .kernel_size = {3}, .padding = FV_SAME});
    fv_batch_normalization(m, FV_LAST, NULL);
    fv_relu(m, FV_LAST);
    fv_maxpool2d(m, FV_LAST, NULL);
    fv_dropout(m, FV_LAST, 0.1F);
    fv_dense(m, fv_flatten(m, FV_LAST), &(fv_dense_config){.units = 3, .activation = FV_SOFTMAX});
    assert_int_equal(fv_model_build(m, FV_LAST, 16), FV_OK);
    return m;
}

static void test_fit_learns_and_evaluate_agrees(void **state)
{
    (void)state;
    fv_dataset *train = bars(300, 21), *valid = bars(90, 22);
    fv_model *m = bars_model(1, 1);
    fv_history h = {0};
    fv_fit_config config = {.epochs = 6, .batch_size = 16, .optimizer = {.learning_rate = 0.01F}};
    assert_int_equal(fv_fit(m, &h, train, valid, &config), FV_OK);
    assert_int_equal(h.count, 6);
    assert_true(h.epochs[5].loss < h.epochs[0].loss && h.epochs[5].val_accuracy > 0.95);
    assert_true(h.epochs[5].epoch == 6 && h.epochs[5].seconds > 0 &&
                h.epochs[5].images_per_second > 0);
    fv_evaluation e;
    assert_int_equal(fv_evaluate(m, &e, valid, FV_LOSS_AUTO), FV_OK);
    assert_true(e.n == 90 && e.classes == 3 && e.accuracy == h.epochs[5].val_accuracy);
    assert_true(e.loss == h.epochs[5].val_loss);
    int sum = 0, right = 0;
    for (int i = 0; i < 9; i++) {
        sum += e.confusion[i];
        right += i % 4 == 0 ? e.confusion[i] : 0;
    }
    assert_int_equal(sum, 90);
    assert_true(fabs(right / 90.0 - e.accuracy) < 1e-12);
    assert_int_equal(fv_model_classes(m), 3);
    assert_string_equal(fv_model_class(m, 2), "2");
    fv_evaluation_free(&e);
    /* A further call goes on: its rows are appended, and the order of the pictures is a new one. */
    config.epochs = 1;
    assert_int_equal(fv_fit(m, &h, train, NULL, &config), FV_OK);
    assert_true(h.count == 7 && h.epochs[6].epoch == 7 && isnan(h.epochs[6].val_loss));
    fv_history_free(&h);
    fv_dataset_free(train);
    fv_dataset_free(valid);
    fv_model_free(m);
}

/* Bytes of the model after two epochs. */
static unsigned char *trained_bytes(uint64_t seed, uint64_t shuffle, int threads, bool in_order,
                                    size_t *size)
{
    char path[64];
    unsigned char *bytes;
    fv_dataset *train = bars(50, 23); /* three batches of 16 and one of 2 */
    fv_model *m = bars_model(seed, threads);
    fv_fit_config config = {
        .epochs = 2, .batch_size = 16, .seed = shuffle, .without_shuffle = in_order};
    assert_int_equal(fv_fit(m, NULL, train, NULL, &config), FV_OK);
    snprintf(path, sizeof path, "test_train_%ld.safetensors", (long)getpid());
    assert_int_equal(fv_model_save(m, path), FV_OK);
    assert_int_equal(fvi_file_read(&bytes, size, path, 1U << 24), FV_OK);
    remove(path);
    fv_dataset_free(train);
    fv_model_free(m);
    return bytes;
}

static void test_same_seed_same_bytes_for_any_threads(void **state)
{
    (void)state;
    size_t size, other;
    unsigned char *first = trained_bytes(5, 6, 1, false, &size);
    for (int threads = 1; threads <= 4; threads++) {
        unsigned char *again = trained_bytes(5, 6, threads, false, &other);
        assert_int_equal(size, other);
        assert_memory_equal(first, again, size);
        fvi_free(again);
    }
    const struct {
        uint64_t seed, shuffle;
        bool in_order;
    } others[] = {{4, 6, false}, {5, 7, false}, {5, 6, true}};
    for (size_t i = 0; i < FVI_COUNT(others); i++) {
        unsigned char *again =
            trained_bytes(others[i].seed, others[i].shuffle, 1, others[i].in_order, &other);
        assert_true(size != other || memcmp(first, again, size) != 0);
        fvi_free(again);
    }
    fvi_free(first);
}

static void test_fit_stops_on_what_is_not_finite(void **state)
{
    (void)state;
    fv_dataset *train = bars(60, 24);
    fv_model *m = bars_model(1, 1);
    fv_tensor w;
    assert_int_equal(fv_model_weight(m, "conv2d", "kernel", &w), FV_OK);
    ((float *)w.data)[4] = NAN;
    fv_history h = {0};
    assert_int_equal(fv_fit(m, &h, train, NULL, &(fv_fit_config){.batch_size = 16}), FV_E_NUMERIC);
    assert_non_null(strstr(fv_error(), "epoch 1, step 1"));
    assert_non_null(strstr(fv_error(), "conv2d"));
    assert_int_equal(h.count, 0);
    fv_model_free(m);
    /* Two linear layers drive each other up. */
    m = fv_model_new("linear", NULL);
    fv_input(m, 8, 8, 1);
    fv_conv2d(m, FV_LAST, &(fv_conv2d_config){.filters = 6, .kernel_size = {3}});
    fv_dense(m, fv_flatten(m, FV_LAST), &(fv_dense_config){.units = 3, .activation = FV_SOFTMAX});
    assert_int_equal(fv_model_build(m, FV_LAST, 16), FV_OK);
    fv_fit_config hot = {
        .batch_size = 16, .epochs = 50, .optimizer = {.kind = FV_SGD, .learning_rate = 9e8F}};
    assert_int_equal(fv_fit(m, &h, train, NULL, &hot), FV_E_NUMERIC);
    assert_non_null(strstr(fv_error(), "layer \""));
    fv_model_free(m);
    fv_dataset_free(train);
    fv_history_free(&h);
}

static bool stop_at_step_3(const fv_progress *p, void *user)
{
    int *calls = user;
    (*calls)++;
    assert_true(p->images <= p->images_in_epoch && p->step <= p->steps && p->epoch <= p->epochs);
    return p->step < 3;
}

static void test_a_callback_stops_training(void **state)
{
    (void)state;
    int calls = 0;
    fv_dataset *train = bars(90, 25);
    fv_model *m = bars_model(1, 1);
    fv_history h = {0};
    fv_fit_config config = {
        .epochs = 4, .batch_size = 16, .progress = stop_at_step_3, .user = &calls};
    assert_int_equal(fv_fit(m, &h, train, NULL, &config), FV_E_CANCELLED);
    assert_int_equal(calls, 3);
    assert_int_equal(h.count, 0);
    float x[64] = {0}, y[3];
    assert_int_equal(fv_model_predict(m, y, x, 1), FV_OK);
    assert_true(isfinite(y[0]));
    fv_model_free(m);
    fv_dataset_free(train);
}

static void test_fit_refuses_what_does_not_fit(void **state)
{
    (void)state;
    fv_dataset *train = bars(30, 26),
               *flat = flat_dataset((float[4]){0}, NULL, (int32_t[2]){0, 1}, 2, 2, 2);
    fv_model *m = bars_model(1, 1), *unbuilt = fv_model_new(NULL, NULL);
    assert_int_equal(fv_fit(NULL, NULL, train, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_fit(m, NULL, NULL, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_fit(unbuilt, NULL, train, NULL, NULL), FV_E_STATE);
    assert_int_equal(fv_fit(m, NULL, flat, NULL, NULL), FV_E_SHAPE);
    assert_non_null(strstr(fv_error(), "8x8x1"));
    assert_int_equal(fv_fit(m, NULL, train, flat, NULL), FV_E_SHAPE);
    assert_int_equal(fv_fit(m, NULL, train, NULL, &(fv_fit_config){.batch_size = 17}), FV_E_ARG);
    assert_int_equal(fv_fit(m, NULL, train, NULL, &(fv_fit_config){.batch_size = -1}), FV_E_ARG);
    assert_int_equal(fv_fit(m, NULL, train, NULL, &(fv_fit_config){.epochs = -1}), FV_E_ARG);
    assert_int_equal(
        fv_fit(m, NULL, train, NULL, &(fv_fit_config){.optimizer = {.learning_rate = NAN}}),
        FV_E_ARG);
    fv_model_free(unbuilt);
    fv_model_free(m);
    fv_dataset_free(train);
    fv_dataset_free(flat);
}

/* One step on 15 pictures; then the statistics are those of the pictures under the new weights,
   unless Keras's are wanted. */
static void test_statistics_fit_the_weights(void **state)
{
    (void)state;
    fv_dataset *train = bars(15, 28);
    for (int is_moving = 0; is_moving < 2; is_moving++) {
        fv_model *m = bars_model(3, 1);
        fv_fit_config config = {.batch_size = 15, .moving_statistics = is_moving};
        assert_int_equal(fv_fit(m, NULL, train, NULL, &config), FV_OK);
        float x[15 * 64], before[6];
        const float *y;
        fv_tensor mean, z;
        assert_int_equal(fv_model_weight(m, "batch_normalization", "moving_mean", &mean), FV_OK);
        memcpy(before, mean.data, sizeof before);
        assert_int_equal(fv_dataset_batch(train, x, NULL, 0, 15, 1 / 255.0F, 0), FV_OK);
        assert_int_equal(fv_model_forward(m, &y, x, 15, true), FV_OK);
        assert_int_equal(fv_model_activation(m, "conv2d", &z), FV_OK);
        for (int c = 0; c < 6; c++) {
            double sum = 0;
            for (int i = 0; i < 15 * 64; i++)
                sum += (double)((const float *)z.data)[i * 6 + c];
            double found = (double)before[c], expected = sum / (15 * 64) * (is_moving ? 0.01 : 1);
            /* Moving averages were taken before the step that moved the weights. */
            assert_true(fabs(found - expected) < (is_moving ? 1e-3 : 1e-6));
        }
        fv_model_free(m);
    }
    fv_dataset_free(train);
}

static void test_history_as_csv(void **state)
{
    (void)state;
    fv_epoch rows[2] = {{1, 0.5, 0.25, NAN, NAN, 2, 100, NAN, NAN},
                        {2, 0.125, 1, 0.75, 0.5, 2.5, 80, NAN, NAN}};
    fv_history h = {rows, 2};
    unsigned char *bytes;
    size_t size;
    char path[64];
    snprintf(path, sizeof path, "test_train_%ld.csv", (long)getpid());
    assert_int_equal(fv_history_save_csv(&h, path), FV_OK);
    assert_int_equal(fvi_file_read(&bytes, &size, path, 4096), FV_OK);
    assert_string_equal((char *)bytes,
                        "epoch,loss,accuracy,val_loss,val_accuracy,seconds,images_per_second\n"
                        "1,0.5,0.25,,,2,100\n2,0.125,1,0.75,0.5,2.5,80\n");
    fvi_free(bytes);
    remove(path);
    assert_int_equal(fv_history_save_csv(&h, "no/such/folder/h.csv"), FV_E_IO);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    fv_dataset *train = bars(40, 27);
    for (long k = 1;; k++) {
        fv_model *m = bars_model(1, 1);
        fv_history h = {0};
        long before = fvi_alloc_live();
        fvi_alloc_fail_at(k);
        fv_status s = fv_fit(m, &h, train, train, &(fv_fit_config){.batch_size = 16});
        fvi_alloc_fail_at(0);
        fv_history_free(&h);
        fv_model_set_classes(m, NULL, 0);
        assert_true(fvi_alloc_live() <= before);
        fv_model_free(m);
        if (s == FV_OK) {
            assert_true(k > 5);
            break;
        }
        assert_int_equal(s, FV_E_MEMORY);
    }
    fv_dataset_free(train);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses_equal_the_textbook),
        cmocka_unit_test(test_losses_of_huge_logits_are_finite),
        cmocka_unit_test(test_a_logit_that_is_no_number_shows_in_the_loss),
        cmocka_unit_test(test_loss_choice_is_checked),
        cmocka_unit_test(test_adam_is_kerass),
        cmocka_unit_test(test_sgd_momentum_nesterov_are_kerass),
        cmocka_unit_test(test_optimizer_settings_are_checked),
        cmocka_unit_test(test_fit_learns_and_evaluate_agrees),
        cmocka_unit_test(test_same_seed_same_bytes_for_any_threads),
        cmocka_unit_test(test_fit_stops_on_what_is_not_finite),
        cmocka_unit_test(test_a_callback_stops_training),
        cmocka_unit_test(test_fit_refuses_what_does_not_fit),
        cmocka_unit_test(test_statistics_fit_the_weights),
        cmocka_unit_test(test_history_as_csv),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
