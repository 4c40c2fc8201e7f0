/* SPDX-License-Identifier: MIT */
/* numpy's stream and a whole network's step: every case of rng.json and happy.json. */
#include "golden.h"

#include "base/base_internal.h"
#include "fovea/textbook.h"

#define CLOSE 1e-12 /* sums, relative to the largest value */

static json_t *streams, *happy;

static int setup(void **state)
{
    (void)state;
    streams = golden_load("rng.json");
    happy = golden_load("happy.json");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(streams);
    json_decref(happy);
    return 0;
}

/* ---- rng.json ---- */

static void check_ints(const json_t *item, const char *key, const int64_t *got)
{
    const json_t *want = golden_get(item, key);
    for (size_t k = 0; k < json_array_size(want); k++)
        if (got[k] != json_integer_value(json_array_get(want, k)))
            fail_msg("%s[%zu] is %lld", key, k, (long long)got[k]);
}

static void check_permutation(const json_t *item, const char *first, const char *last,
                              fv_tb_rng *rng, int n)
{
    int *p = malloc((size_t)n * sizeof *p);
    int64_t *wide = malloc((size_t)n * sizeof *wide);
    assert_true(p != NULL && wide != NULL);
    assert_int_equal(fv_tb_rng_permutation(rng, p, n), FV_OK);
    for (int k = 0; k < n; k++)
        wide[k] = p[k];
    check_ints(item, first, wide);
    if (last != NULL) check_ints(item, last, wide + n - 10);
    if (json_object_get(item, "weighted_sum_i_times_p") != NULL) {
        int64_t sum = 0;
        for (int k = 0; k < n; k++)
            sum += k * wide[k];
        assert_int_equal(sum, json_integer_value(golden_get(item, "weighted_sum_i_times_p")));
    }
    free(p);
    free(wide);
}

/* randn in decimals and in hexadecimal, the 1000th, and the normal that waits between calls. */
static void check_normals(const json_t *item, uint32_t seed)
{
    fv_tb_rng rng;
    double normal[1000], uniform;
    golden_array want = golden_read(golden_get(item, "randn_first10"));
    const json_t *hex = golden_get(item, "randn_hex_first10");
    fv_tb_rng_seed(&rng, seed);
    assert_int_equal(fv_tb_rng_randn(&rng, normal, 1000), FV_OK);
    for (size_t k = 0; k < 10; k++) {
        golden_near("randn", normal[k], want.data[k], 1e-14);
        golden_near("randn, hex", normal[k],
                    strtod(json_string_value(json_array_get(hex, k)), NULL), 1e-14);
    }
    golden_near("randn_1000th", normal[999], json_number_value(golden_get(item, "randn_1000th")),
                1e-14);

    fv_tb_rng_seed(&rng, seed);
    fv_tb_rng_randn(&rng, normal, 3);
    fv_tb_rng_randn(&rng, normal, 1);
    golden_near("randn_after_randn3", normal[0],
                json_number_value(golden_get(item, "randn_after_randn3")), 1e-14);

    fv_tb_rng_seed(&rng, seed);
    fv_tb_rng_randn(&rng, normal, 1);
    fv_tb_rng_rand(&rng, &uniform, 1); /* the waiting normal does not disturb it */
    golden_near("rand_after_randn1", uniform,
                json_number_value(golden_get(item, "rand_after_randn1")), 0.0);
    fv_tb_rng_randn(&rng, normal, 1);
    golden_near("and it still waits", normal[0], want.data[1], 1e-14);
    fv_tb_rng_randn(&rng, normal, 1);
    fv_tb_rng_seed(&rng, seed); /* but a new seed drops it */
    fv_tb_rng_randn(&rng, normal, 1);
    golden_near("after seeding again", normal[0], want.data[0], 1e-14);
    golden_free(&want);
}

static void check_stream(const json_t *item, uint32_t seed)
{
    fv_tb_rng rng;
    uint32_t word[10];
    int64_t wide[20];
    assert_int_equal(fv_tb_rng_seed(&rng, seed), FV_OK);
    if (json_object_get(item, "state_words_after_seeding_first5") != NULL) {
        for (int k = 0; k < 5; k++)
            wide[k] = rng.word[k];
        check_ints(item, "state_words_after_seeding_first5", wide);
        for (int k = 0; k < 3; k++)
            wide[k] = rng.word[621 + k];
        check_ints(item, "state_words_after_seeding_last3", wide);
    }
    assert_int_equal(fv_tb_rng_uint32(&rng, word, 10), FV_OK);
    for (int k = 0; k < 10; k++)
        wide[k] = word[k];
    check_ints(item, "uint32_first10", wide);

    double uniform[10];
    golden_array want = golden_read(golden_get(item, "rand_first10"));
    fv_tb_rng_seed(&rng, seed);
    assert_int_equal(fv_tb_rng_rand(&rng, uniform, 10), FV_OK);
    golden_close("rand", uniform, want.data, 10, 0.0);
    golden_free(&want);

    fv_tb_rng_seed(&rng, seed);
    assert_int_equal(fv_tb_rng_randint(&rng, wide, 20, 0, 10), FV_OK);
    check_ints(item, "randint_0_10_first20", wide);
    fv_tb_rng_seed(&rng, seed);
    assert_int_equal(fv_tb_rng_randint(&rng, wide, 20, 0, 6), FV_OK);
    check_ints(item, "randint_0_6_first20", wide);
    fv_tb_rng_seed(&rng, seed);
    check_permutation(item, "permutation_10", NULL, &rng, 10);
    fv_tb_rng_seed(&rng, seed);
    check_permutation(item, "permutation_1080_first10", "permutation_1080_last10", &rng, 1080);
    check_normals(item, seed);
}

static void test_streams(void **state)
{
    (void)state;
    const char *name;
    json_t *item;
    int checked = 0;
    json_object_foreach(streams, name, item)
    {
        if (strncmp(name, "seed_", 5) == 0) {
            check_stream(item, (uint32_t)strtoul(name + 5, NULL, 10));
            checked++;
        }
    }
    assert_int_equal(checked, 6);
}

static void test_mini_batches(void **state)
{
    (void)state;
    const char *name;
    json_t *item;
    int checked = 0;
    json_object_foreach(golden_get(streams, "signs_minibatches_tf1"), name, item)
    {
        if (!json_is_object(item)) continue;
        fv_tb_rng rng;
        fv_tb_rng_seed(&rng, (uint32_t)golden_int(item, "seed"));
        check_permutation(item, "first10", "last10", &rng, 1080);
        checked++;
    }
    assert_int_equal(checked, 4);
}

static void test_philox(void **state)
{
    (void)state;
    const json_t *list = golden_get(streams, "philox4x32_10");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *item = json_array_get(list, k);
        uint32_t counter[4], key[2], out[4];
        for (size_t i = 0; i < 4; i++)
            counter[i] =
                (uint32_t)json_integer_value(json_array_get(golden_get(item, "counter"), i));
        for (size_t i = 0; i < 2; i++)
            key[i] = (uint32_t)json_integer_value(json_array_get(golden_get(item, "key"), i));
        fvi_philox(out, counter, key);
        const int64_t wide[4] = {out[0], out[1], out[2], out[3]};
        check_ints(item, "out", wide);
    }
    assert_int_equal(json_array_size(list), 5);
}

/* What the golden file does not hold: the edges of randint, shuffle, the mask of dropout. */
static void test_stream_edges(void **state)
{
    (void)state;
    fv_tb_rng rng, other;
    int64_t wide[64];
    uint32_t word[64];
    fv_tb_rng_seed(&rng, 5);
    other = rng; /* a plain struct: a copy is a second stream */
    assert_int_equal(fv_tb_rng_randint(&rng, wide, 8, 3, 4), FV_OK); /* one choice draws nothing */
    for (int k = 0; k < 8; k++)
        assert_int_equal(wide[k], 3);
    assert_memory_equal(&rng, &other, sizeof rng);
    assert_int_equal(fv_tb_rng_randint(&rng, wide, 64, -1, INT64_C(0xffffffff)), FV_OK); /* 2^32 */
    fv_tb_rng_uint32(&other, word, 64);
    for (int k = 0; k < 64; k++)
        assert_int_equal(wide[k], (int64_t)word[k] - 1);
    assert_int_equal(fv_tb_rng_randint(&rng, wide, 64, INT64_MIN, INT64_MIN + 3), FV_OK);
    for (int k = 0; k < 64; k++)
        assert_true(wide[k] <= INT64_MIN + 2);

    int p[10], q[10];
    fv_tb_rng_seed(&rng, 1);
    fv_tb_rng_seed(&other, 1);
    for (int k = 0; k < 10; k++)
        q[k] = k * k;
    assert_int_equal(fv_tb_rng_permutation(&rng, p, 10), FV_OK);
    assert_int_equal(fv_tb_rng_shuffle(&other, q, 10), FV_OK);
    for (int k = 0; k < 10; k++)
        assert_int_equal(q[k], p[k] * p[k]);
    assert_int_equal(fv_tb_rng_permutation(&rng, p, 0), FV_OK);
    assert_int_equal(fv_tb_rng_shuffle(&rng, p, 1), FV_OK);

    unsigned char mask[4000];
    double uniform[4000];
    fv_tb_rng_seed(&rng, 3);
    fv_tb_rng_seed(&other, 3);
    assert_int_equal(fv_tb_dropout_mask(&rng, mask, 0.25, 4000), FV_OK);
    fv_tb_rng_rand(&other, uniform, 4000);
    int kept = 0;
    for (int k = 0; k < 4000; k++) {
        assert_int_equal(mask[k], uniform[k] >= 0.25);
        kept += mask[k];
    }
    assert_in_range(kept, 2900, 3100);
    assert_int_equal(fv_tb_dropout_mask(&rng, mask, 0.0, 100), FV_OK); /* drops nothing */
    for (int k = 0; k < 100; k++)
        assert_int_equal(mask[k], 1);
}

/* ---- happy.json: batch normalisation ---- */

static void test_batch_norm(void **state)
{
    (void)state;
    const json_t *item = golden_get(happy, "batch_norm");
    static const char *const names[] = {"x",
                                        "gamma",
                                        "beta",
                                        "dy",
                                        "moving_mean0",
                                        "moving_var0",
                                        "y_train",
                                        "dx",
                                        "dgamma",
                                        "dbeta",
                                        "batch_mean",
                                        "batch_var_biased",
                                        "moving_mean1",
                                        "moving_var1_fused_unbiased",
                                        "moving_var1_biased",
                                        "y_inference_with_moving0"};
    enum {
        X,
        GAMMA,
        BETA,
        DY,
        MEAN0,
        VAR0,
        Y,
        DX,
        DGAMMA,
        DBETA,
        MEAN,
        VAR,
        MEAN1,
        FUSED,
        BIASED,
        INFER
    };
    golden_array g[FVI_COUNT(names)];
    for (size_t k = 0; k < FVI_COUNT(names); k++)
        g[k] = golden_read(golden_get(item, names[k]));
    fv_tb_batch_norm d = {.n = 2,
                          .h = 3,
                          .w = 4,
                          .c = 5,
                          .epsilon = json_number_value(golden_get(item, "epsilon")),
                          .momentum = json_number_value(golden_get(item, "momentum"))};
    double y[120], mean[5], variance[5], dgamma[5], dbeta[5];

    /* The recipe draws these arrays. */
    fv_tb_rng rng;
    fv_tb_rng_seed(&rng, 21);
    fv_tb_rng_randn(&rng, y, 120);
    for (int k = 0; k < 120; k++)
        golden_near("x", 2.0 * y[k] + 0.5, g[X].data[k], 1e-13);

    assert_int_equal(
        fv_tb_batch_norm_forward(y, mean, variance, g[X].data, g[GAMMA].data, g[BETA].data, &d),
        FV_OK);
    golden_close("y_train", y, g[Y].data, 120, CLOSE);
    golden_close("batch_mean", mean, g[MEAN].data, 5, CLOSE);
    golden_close("batch_var_biased", variance, g[VAR].data, 5, CLOSE);
    assert_int_equal(
        fv_tb_batch_norm_backward(y, dgamma, dbeta, g[DY].data, g[X].data, g[GAMMA].data, &d),
        FV_OK);
    golden_close("dx", y, g[DX].data, 120, CLOSE);
    golden_close("dgamma", dgamma, g[DGAMMA].data, 5, CLOSE);
    golden_close("dbeta", dbeta, g[DBETA].data, 5, CLOSE);
    assert_int_equal(fv_tb_batch_norm_inference(y, g[X].data, g[GAMMA].data, g[BETA].data,
                                                g[MEAN0].data, g[VAR0].data, &d),
                     FV_OK);
    golden_close("y_inference", y, g[INFER].data, 120, CLOSE);
    for (d.moving = FV_TB_MOVING_BIASED; d.moving <= FV_TB_MOVING_UNBIASED; d.moving++) {
        double moving_mean[5], moving_variance[5];
        memcpy(moving_mean, g[MEAN0].data, sizeof moving_mean);
        memcpy(moving_variance, g[VAR0].data, sizeof moving_variance);
        assert_int_equal(fv_tb_batch_norm_moving(moving_mean, moving_variance, mean, variance, &d),
                         FV_OK);
        golden_close("moving_mean1", moving_mean, g[MEAN1].data, 5, CLOSE);
        golden_close("moving_var1", moving_variance,
                     g[d.moving == FV_TB_MOVING_BIASED ? BIASED : FUSED].data, 5, CLOSE);
    }
    for (size_t k = 0; k < FVI_COUNT(names); k++)
        golden_free(&g[k]);
}

/* ---- happy.json: one training step of the whole network, from its recipe ---- */

enum { IMAGES = 2, SIDE = 64, HALF = 32, FILTERS = 32, PIXELS = IMAGES * SIDE * SIDE };

static double *draw(fv_tb_rng *rng, size_t count, double scale, double shift, bool normal)
{
    double *data = golden_new(count);
    assert_int_equal(normal ? fv_tb_rng_randn(rng, data, count) : fv_tb_rng_rand(rng, data, count),
                     FV_OK);
    for (size_t k = 0; k < count; k++)
        data[k] = scale * data[k] + shift;
    return data;
}

/* A large array is given by its sum, sum of squares, smallest, largest, first and last eight. */
static void check_summary(const json_t *step, const char *name, const double *data, size_t count)
{
    const json_t *item = golden_get(step, name);
    if (json_object_get(item, "data") != NULL) {
        golden_array want = golden_read(item);
        assert_int_equal(want.count, count);
        golden_close(name, data, want.data, count, CLOSE);
        golden_free(&want);
        return;
    }
    double sum = 0.0, squares = 0.0, least = data[0], most = data[0], size = 0.0;
    for (size_t k = 0; k < count; k++) {
        sum += data[k];
        squares += data[k] * data[k];
        least = data[k] < least ? data[k] : least;
        most = data[k] > most ? data[k] : most;
        size += fabs(data[k]);
    }
    const double largest = fabs(least) > most ? fabs(least) : most;
    golden_near(name, sum, json_number_value(golden_get(item, "sum")), CLOSE * size);
    golden_near(name, squares, json_number_value(golden_get(item, "sum_sq")), CLOSE * squares);
    golden_near(name, least, json_number_value(golden_get(item, "min")), CLOSE * largest);
    golden_near(name, most, json_number_value(golden_get(item, "max")), CLOSE * largest);
    golden_array first = golden_read(golden_get(item, "first8"));
    golden_array last = golden_read(golden_get(item, "last8"));
    for (size_t k = 0; k < 8; k++) {
        golden_near(name, data[k], first.data[k], CLOSE * largest);
        golden_near(name, data[count - 8 + k], last.data[k], CLOSE * largest);
    }
    golden_free(&first);
    golden_free(&last);
}

static void test_happy_train_step(void **state)
{
    (void)state;
    const json_t *step = golden_get(happy, "happy_train_step");
    fv_tb_rng rng;
    fv_tb_rng_seed(&rng, 31);
    double *x = draw(&rng, IMAGES * SIDE * SIDE * 3, 1.0, 0.0, false);
    double *wc = draw(&rng, 7 * 7 * 3 * FILTERS, 0.05, 0.0, true);
    double *bc = draw(&rng, FILTERS, 0.1, 0.0, true);
    double *gamma = draw(&rng, FILTERS, 1.0, 0.5, false);
    double *beta = draw(&rng, FILTERS, 0.1, 0.0, true);
    double *wd = draw(&rng, HALF * HALF * FILTERS, 0.01, 0.0, true);
    double *bd = draw(&rng, 1, 0.1, 0.0, true);
    const double labels[IMAGES] = {1.0, 0.0};

    const size_t wide = PIXELS * FILTERS, narrow = wide / 4;
    double *padded = golden_new(IMAGES * 70 * 70 * 3), *conv = golden_new(wide);
    double *bn = golden_new(wide), *relu = golden_new(wide), *pool = golden_new(narrow);
    double *flat = golden_new(narrow), logits[IMAGES], probabilities[IMAGES], loss;
    const fv_tb_conv conv_d = {IMAGES, 70, 70, 3, FILTERS, 7, 1, 0};
    const fv_tb_batch_norm bn_d = {IMAGES, SIDE, SIDE, FILTERS, 1e-3, 0.99, FV_TB_MOVING_BIASED};
    const fv_tb_pool pool_d = {IMAGES, SIDE, SIDE, FILTERS, 2, 2, FV_TB_MAX};
    const fv_tb_dense dense_d = {IMAGES, HALF * HALF * FILTERS, 1};

    assert_int_equal(fv_tb_zero_pad(padded, x, IMAGES, SIDE, SIDE, 3, 3), FV_OK);
    assert_int_equal(fv_tb_conv_forward(conv, padded, wc, bc, &conv_d), FV_OK);
    check_summary(step, "conv_out", conv, wide);
    assert_int_equal(fv_tb_batch_norm_forward(bn, NULL, NULL, conv, gamma, beta, &bn_d), FV_OK);
    check_summary(step, "bn_out", bn, wide);
    assert_int_equal(fv_tb_relu_forward(relu, bn, wide), FV_OK);
    assert_int_equal(fv_tb_pool_forward(pool, relu, &pool_d), FV_OK);
    check_summary(step, "pool_out", pool, narrow);
    assert_int_equal(fv_tb_flatten_forward(flat, pool, IMAGES, HALF, HALF, FILTERS), FV_OK);
    assert_int_equal(fv_tb_dense_forward(logits, flat, wd, bd, &dense_d), FV_OK);
    check_summary(step, "logits", logits, IMAGES);
    assert_int_equal(fv_tb_sigmoid_forward(probabilities, logits, IMAGES), FV_OK);
    check_summary(step, "probabilities", probabilities, IMAGES);
    const double want = json_number_value(golden_get(step, "loss"));
    assert_int_equal(fv_tb_binary_cross_entropy_forward(&loss, probabilities, labels, IMAGES),
                     FV_OK);
    golden_near("loss", loss, want, CLOSE * want);
    assert_int_equal(fv_tb_binary_cross_entropy_logits_forward(&loss, logits, labels, IMAGES),
                     FV_OK);
    golden_near("loss from logits", loss, want, CLOSE * want);

    /* And back: the gradients reuse the arrays of the way forward, the last first. */
    double dz[IMAGES], dp[IMAGES], dwd[HALF * HALF * FILTERS], dbd, dgamma[FILTERS], dbeta[FILTERS];
    double dwc[7 * 7 * 3 * FILTERS], dbc[FILTERS];
    fv_tb_binary_cross_entropy_backward(dp, probabilities, labels, IMAGES);
    fv_tb_sigmoid_backward(dp, dp, probabilities, IMAGES);
    fv_tb_binary_cross_entropy_logits_backward(dz, logits, labels, IMAGES);
    golden_close("the way through the probabilities", dp, dz, IMAGES, CLOSE);
    double *dflat = golden_new(narrow), *dpool = golden_new(narrow);
    fv_tb_dense_backward(dflat, dwd, &dbd, dz, flat, wd, &dense_d);
    check_summary(step, "dWd", dwd, FVI_COUNT(dwd));
    check_summary(step, "dbd", &dbd, 1);
    fv_tb_flatten_backward(dpool, dflat, IMAGES, HALF, HALF, FILTERS);
    double *drelu = golden_new(wide), *dconv = golden_new(wide);
    fv_tb_pool_backward(drelu, dpool, relu, &pool_d);
    fv_tb_relu_backward(drelu, drelu, bn, wide);
    fv_tb_batch_norm_backward(dconv, dgamma, dbeta, drelu, conv, gamma, &bn_d);
    check_summary(step, "dgamma", dgamma, FILTERS);
    check_summary(step, "dbeta", dbeta, FILTERS);
    fv_tb_conv_backward(NULL, dwc, dbc, dconv, padded, wc, &conv_d);
    check_summary(step, "dWc", dwc, FVI_COUNT(dwc));
    for (int k = 0; k < FILTERS; k++)
        golden_near("dbc, which batch normalisation cancels", dbc[k], 0.0, 1e-12);

    double *all[] = {x,  wc,   bc,   gamma, beta,  wd,    bd,    padded, conv,
                     bn, relu, pool, flat,  dflat, dpool, drelu, dconv};
    for (size_t k = 0; k < FVI_COUNT(all); k++)
        free(all[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),    cmocka_unit_test(test_mini_batches),
        cmocka_unit_test(test_philox),     cmocka_unit_test(test_stream_edges),
        cmocka_unit_test(test_batch_norm), cmocka_unit_test(test_happy_train_step),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
