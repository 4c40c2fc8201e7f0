/* SPDX-License-Identifier: MIT */
/* One step at a time: a loop around fv_trainer does what fv_fit does, and refuses what it must. */
#include "base/base_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fovea/fovea.h"

#define PICTURES 12
#define BATCH 5

static const char recipe[] = "net = Sequential([Input(shape=(8, 8, 1)), Conv2D(3, 3, "
                             "activation=\"relu\"), MaxPooling2D(2), Dropout(0.3), Flatten(), "
                             "Dense(4, activation=\"softmax\")])\n";

static fv_model *trainer_model(bool without_training)
{
    fv_model *m = NULL;
    const fv_model_config config = {.seed = 3, .threads = 1, .without_training = without_training};
    assert_int_equal(fv_model_from_recipe(&m, recipe, NULL, &config), FV_OK);
    assert_int_equal(fv_model_build(m, FV_LAST, BATCH), FV_OK);
    return m;
}

static fv_dataset *trainer_dataset(int classes)
{
    static float x[PICTURES * 64];
    int32_t y[PICTURES];
    fv_dataset *d = NULL;
    for (size_t i = 0; i < FVI_COUNT(x); i++)
        x[i] = (float)fvi_rng_uniform(5, FVI_RNG_TEST, 0, i);
    for (int i = 0; i < PICTURES; i++)
        y[i] = i % classes;
    const fv_tensor tx = {{4, {PICTURES, 8, 8, 1}}, FV_FLOAT32, x};
    const fv_tensor ty = {{1, {PICTURES}}, FV_INT32, y};
    assert_int_equal(fv_dataset_from_arrays(&d, &tx, &ty, NULL, classes), FV_OK);
    return d;
}

static double sum_of_losses; /* of an epoch, by picture */

static void train_by_steps(fv_model *m, const fv_dataset *d, int epochs,
                           const fv_fit_config *config)
{
    fv_loader *loader = NULL;
    fv_trainer *t = NULL;
    const fv_loader_config laid = {.batch_size = BATCH, .seed = 9};
    assert_int_equal(fv_loader_new(&loader, d, &laid), FV_OK);
    assert_int_equal(fv_trainer_new(&t, m, d, config), FV_OK);
    for (int epoch = 0; epoch < epochs; epoch++) {
        fv_batch batch;
        sum_of_losses = 0;
        assert_int_equal(fv_loader_begin(loader, (uint32_t)epoch), FV_OK);
        while (fv_loader_next(loader, &batch) == FV_OK && batch.n > 0) {
            double loss = NAN;
            assert_int_equal(fv_trainer_step(t, &batch, &loss), FV_OK);
            sum_of_losses += loss * batch.n;
        }
    }
    fv_trainer_free(t);
    fv_loader_free(loader);
}

static void check_same_weights(fv_model *a, fv_model *b, const char *layer)
{
    fv_tensor va, vb;
    size_t count;
    assert_int_equal(fv_model_weight(a, layer, "kernel", &va), FV_OK);
    assert_int_equal(fv_model_weight(b, layer, "kernel", &vb), FV_OK);
    assert_int_equal(fvi_shape_count(&count, &va.shape), FV_OK);
    assert_memory_equal(va.data, vb.data, count * sizeof(float));
}

static void test_a_loop_of_steps_is_fit(void **state)
{
    (void)state;
    fv_history history = {0};
    fv_dataset *d = trainer_dataset(4);
    fv_model *fitted = trainer_model(false), *stepped = trainer_model(false);
    const fv_fit_config config = {.epochs = 3, .batch_size = BATCH, .seed = 9};
    assert_int_equal(fv_fit(fitted, &history, d, NULL, &config), FV_OK);
    train_by_steps(stepped, d, 3, &config);
    check_same_weights(fitted, stepped, "conv2d");
    check_same_weights(fitted, stepped, "dense");
    assert_true(fabs(sum_of_losses / PICTURES - history.epochs[2].loss) < 1e-12);
    fv_history_free(&history);
    fv_model_free(fitted);
    fv_model_free(stepped);
    fv_dataset_free(d);
}

static void test_refusals(void **state)
{
    (void)state;
    fv_trainer *t = NULL;
    fv_dataset *d = trainer_dataset(4), *five = trainer_dataset(5);
    fv_model *m = trainer_model(false), *predicting = trainer_model(true);
    const float x[6 * 64] = {0};
    const int32_t y[6] = {0};
    assert_int_equal(fv_trainer_new(NULL, m, d, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_new(&t, NULL, d, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_new(&t, m, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_new(&t, predicting, d, NULL), FV_E_STATE);
    assert_int_equal(fv_trainer_new(&t, m, five, NULL), FV_E_FORMAT);
    const fv_fit_config odd = {.optimizer = {.learning_rate = -1}};
    assert_int_equal(fv_trainer_new(&t, m, d, &odd), FV_E_ARG);
    assert_null(t);
    assert_int_equal(fv_trainer_new(&t, m, d, NULL), FV_OK);
    assert_int_equal(fv_trainer_step(NULL, &(fv_batch){.n = 1, .x = x, .y = y}, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_step(t, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_step(t, &(fv_batch){.n = 0, .x = x, .y = y}, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_step(t, &(fv_batch){.n = 6, .x = x, .y = y}, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_step(t, &(fv_batch){.n = 5, .y = y}, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_step(t, &(fv_batch){.n = 5, .x = x}, NULL), FV_E_ARG);
    assert_int_equal(fv_trainer_step(t, &(fv_batch){.n = 5, .x = x, .y = y}, NULL), FV_OK);
    fv_trainer_free(t);
    fv_trainer_free(NULL);
    fv_model_free(m);
    fv_model_free(predicting);
    fv_dataset_free(d);
    fv_dataset_free(five);
}

static void test_what_is_not_finite_is_named(void **state)
{
    (void)state;
    fv_trainer *t = NULL;
    fv_dataset *d = trainer_dataset(4);
    fv_model *m = trainer_model(false);
    float x[64] = {[5] = NAN};
    const int32_t y[1] = {0};
    const fv_batch batch = {.n = 1, .x = x, .y = y};
    assert_int_equal(fv_trainer_new(&t, m, d, NULL), FV_OK);
    assert_int_equal(fv_trainer_step(t, &batch, NULL), FV_E_NUMERIC);
    assert_non_null(strstr(fv_error(), "step 1: "));
    assert_non_null(strstr(fv_error(), "input"));
    fv_trainer_free(t);
    fv_model_free(m);
    fv_dataset_free(d);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    fv_dataset *d = trainer_dataset(4);
    fv_model *m = trainer_model(false);
    const long before = fvi_alloc_live();
    fv_status status = FV_E_MEMORY;
    for (long k = 1; status == FV_E_MEMORY; k++) {
        fv_trainer *t = NULL;
        fvi_alloc_fail_at(k);
        status = fv_trainer_new(&t, m, d, NULL);
        fvi_alloc_fail_at(0);
        assert_true(status == FV_OK ? t != NULL : t == NULL);
        fv_trainer_free(t);
        assert_int_equal(fvi_alloc_live(), before);
    }
    assert_int_equal(status, FV_OK);
    fv_model_free(m);
    fv_dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_loop_of_steps_is_fit),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_what_is_not_finite_is_named),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
