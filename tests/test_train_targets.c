/* SPDX-License-Identifier: MIT */
/* Training on targets: one-hot rows are the class numbers by another name; several questions of yes
   or no at once. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fovea/fovea.h"
#include "train/train_internal.h"

#define PICTURES 40
#define INPUTS 6
#define CLASSES 3

/* Points in space; the class is the largest of the first three coordinates. */
static void fill(float x[PICTURES * INPUTS], int32_t label[PICTURES],
                 float target[PICTURES * CLASSES])
{
    memset(target, 0, PICTURES * CLASSES * sizeof *target);
    for (int i = 0; i < PICTURES; i++) {
        label[i] = 0;
        for (int j = 0; j < INPUTS; j++) {
            x[i * INPUTS + j] =
                (float)fvi_rng_normal(5, FVI_RNG_TEST, 1, (uint64_t)(i * INPUTS + j));
            if (j < CLASSES && x[i * INPUTS + j] > x[i * INPUTS + label[i]]) label[i] = j;
        }
        target[i * CLASSES + label[i]] = 1;
    }
}

static fv_dataset *dataset_of(const float *x, const int32_t *label, const float *target)
{
    fv_dataset *d = NULL;
    fv_tensor tx = {{2, {PICTURES, INPUTS}}, FV_FLOAT32, (void *)x};
    fv_tensor ty = {{label ? 1 : 2, {PICTURES, CLASSES}},
                    label ? FV_INT32 : FV_FLOAT32,
                    label ? (void *)label : (void *)target};
    assert_int_equal(fv_dataset_from_arrays(&d, &tx, &ty, NULL, CLASSES), FV_OK);
    return d;
}

static fv_model *model_of(int units, fv_activation_kind head)
{
    fv_model *m = fv_model_new("points", &(fv_model_config){.seed = 2, .threads = 1});
    fv_add(m, "InputLayer", NULL, 0, &(fv_input_config){.shape = {INPUTS}},
           sizeof(fv_input_config));
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = 8, .activation = FV_TANH});
    fv_dense(m, FV_LAST, &(fv_dense_config){.units = units, .activation = head});
    assert_int_equal(fv_model_build(m, FV_LAST, 16), FV_OK);
    return m;
}

/* Batches of 16, 16 and 8; both the history and the weights are the same to the bit. */
static void test_one_hot_is_sparse(void **state)
{
    (void)state;
    float x[PICTURES * INPUTS], target[PICTURES * CLASSES];
    int32_t label[PICTURES];
    fill(x, label, target);
    fv_dataset *d[2] = {dataset_of(x, label, NULL), dataset_of(x, NULL, target)};
    fv_model *m[2];
    fv_evaluation e[2];
    fv_history h[2] = {{0}, {0}};
    fv_fit_config config = {.epochs = 30, .batch_size = 16, .optimizer = {.learning_rate = 0.05F}};
    for (int i = 0; i < 2; i++) {
        m[i] = model_of(CLASSES, FV_SOFTMAX);
        assert_int_equal(fv_fit(m[i], &h[i], d[i], d[i], &config), FV_OK);
        assert_int_equal(fv_evaluate(m[i], &e[i], d[i], FV_LOSS_AUTO), FV_OK);
        assert_true(e[i].accuracy == h[i].epochs[29].val_accuracy && e[i].accuracy > 0.9);
    }
    assert_memory_equal(m[0]->weights, m[1]->weights, m[0]->weight_floats * sizeof(float));
    assert_true(h[0].epochs[29].loss == h[1].epochs[29].loss && e[0].loss == e[1].loss);
    assert_memory_equal(e[0].confusion, e[1].confusion, CLASSES * CLASSES * sizeof(int));
    for (int i = 0; i < 2; i++) {
        fv_evaluation_free(&e[i]);
        fv_history_free(&h[i]);
        fv_model_free(m[i]);
        fv_dataset_free(d[i]);
    }
}

/* Three questions at once: is coordinate j above 0? Accuracy is the share of right answers, as
   Keras's binary_accuracy. */
static void test_several_questions(void **state)
{
    (void)state;
    float x[PICTURES * INPUTS], target[PICTURES * CLASSES], y[PICTURES * CLASSES];
    int32_t label[PICTURES];
    fill(x, label, target);
    for (int i = 0; i < PICTURES * CLASSES; i++)
        target[i] = x[i / CLASSES * INPUTS + i % CLASSES] > 0;
    fv_dataset *d = dataset_of(x, NULL, target);
    fv_model *m = model_of(CLASSES, FV_SIGMOID);
    fv_evaluation e;
    fv_fit_config config = {.epochs = 40, .batch_size = 16, .optimizer = {.learning_rate = 0.05F}};
    assert_int_equal(fv_fit(m, NULL, d, NULL, &config), FV_OK);
    assert_int_equal(fv_evaluate(m, &e, d, FV_LOSS_AUTO), FV_OK);
    assert_int_equal(fv_model_predict(m, y, x, PICTURES), FV_OK);
    int right = 0;
    double loss = 0;
    for (int i = 0; i < PICTURES * CLASSES; i++) {
        right += (y[i] > 0.5F) == (target[i] > 0.5F);
        loss -= log(target[i] > 0.5F ? (double)y[i] : 1 - (double)y[i]);
    }
    assert_true(fabs(e.accuracy - (double)right / (PICTURES * CLASSES)) < 1e-12);
    assert_true(fabs(e.loss - loss / (PICTURES * CLASSES)) < 1e-5);
    assert_true(e.accuracy > 0.9);
    fv_evaluation_free(&e);
    fv_model_free(m);
    fv_dataset_free(d);
}

/* From logits, class numbers of one question are targets by another name, and each row's gradient is
   its own however many there are; a NaN or an infinity among them shows in the loss. */
static void test_one_question_of_many_rows(void **state)
{
    (void)state;
    enum { ROWS = 700 };
    float x[PICTURES * INPUTS] = {0}, z[ROWS], target[ROWS], dz[2][ROWS];
    int32_t label[ROWS] = {0};
    fv_model *m = model_of(1, FV_SIGMOID);
    fv_dataset *d = dataset_of(x, label, NULL);
    const fvi_loss_kind *kind;
    fvi_targets named;
    assert_int_equal(fvi_loss_choose(&kind, &named, m, d, FV_LOSS_AUTO), FV_OK);
    assert_true(kind->loss == FV_BINARY_CROSSENTROPY && named.logits);
    named.label = label;
    named.batch = ROWS;
    for (int i = 0; i < ROWS; i++) {
        z[i] = (float)(4 * fvi_rng_normal(5, FVI_RNG_TEST, 2, (uint64_t)i));
        label[i] = i % 3 == 0;
        target[i] = (float)label[i];
    }
    fvi_targets given = named;
    given.label = NULL;
    given.target = target;
    const double sum = kind->rows(dz[0], z, &named, ROWS);
    assert_true(fabs(kind->rows(dz[1], z, &given, ROWS) - sum) <= 1e-12 * sum);
    assert_memory_equal(dz[0], dz[1], sizeof dz[0]);
    for (int i = 0; i < ROWS; i++) {
        float one;
        fvi_targets row = named;
        row.label += i;
        kind->rows(&one, &z[i], &row, 1);
        assert_true(one == dz[0][i]);
    }
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 6; i++) {
        const int at = i < 3 ? 0 : ROWS - 1;
        const float kept = z[at];
        z[at] = bad[i % 3];
        assert_true(!isfinite(kind->rows(NULL, z, &named, ROWS)));
        assert_true(!isfinite(kind->rows(dz[0], z, &given, ROWS)));
        z[at] = kept;
    }
    fv_dataset_free(d);
    fv_model_free(m);
}

static bool stop_in_between(const fv_progress *p, void *user)
{
    int *calls = user;
    *calls += p->is_between;
    return !p->is_between || *calls < 2;
}

/* Asked between two epochs, the callback stops: the epoch counts, its validation does not. */
static void test_stopped_while_validating(void **state)
{
    (void)state;
    float x[PICTURES * INPUTS], target[PICTURES * CLASSES];
    int32_t label[PICTURES];
    int calls = 0;
    fill(x, label, target);
    fv_dataset *d = dataset_of(x, label, NULL);
    fv_model *m = model_of(CLASSES, FV_SOFTMAX);
    fv_history h = {0};
    fv_fit_config config = {
        .epochs = 5, .batch_size = 16, .progress = stop_in_between, .user = &calls};
    assert_int_equal(fv_fit(m, &h, d, d, &config), FV_E_CANCELLED);
    assert_non_null(strstr(fv_error(), "after epoch 1"));
    assert_int_equal(calls, 2); /* of the three batches of the validation */
    assert_int_equal(h.count, 1);
    assert_true(h.epochs[0].loss > 0 && isnan(h.epochs[0].val_loss));
    fv_history_free(&h);
    fv_model_free(m);
    fv_dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_hot_is_sparse),
        cmocka_unit_test(test_several_questions),
        cmocka_unit_test(test_one_question_of_many_rows),
        cmocka_unit_test(test_stopped_while_validating),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
