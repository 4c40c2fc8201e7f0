/* SPDX-License-Identifier: MIT */
/* Data sets of data sets, of functions, and the batches that a loader lays. Runs with threads. */
#include "data_check.h"

#include <math.h>

#define COUNT 40

/* Picture i is [2,2,1] of i, class i % 4. */
static fv_dataset *forty(void)
{
    static uint8_t x[COUNT][4];
    static int32_t y[COUNT];
    fv_dataset *d;
    for (int i = 0; i < COUNT; i++) {
        memset(x[i], i, 4);
        y[i] = i % 4;
    }
    const fv_tensor tx = {{4, {COUNT, 2, 2, 1}}, FV_UINT8, x}, ty = {{1, {COUNT}}, FV_INT32, y};
    CHECK_OK(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 0));
    return d;
}

static int first_pixel(const fv_dataset *d, int i)
{
    uint8_t pixels[4];
    CHECK_OK(fv_dataset_read(d, pixels, i));
    return pixels[0];
}

/* ---- split, select, shuffle ---- */

static void split_by_class_and_content(void **state)
{
    (void)state;
    fv_dataset *d = forty(), *train, *valid;
    bool in_valid[COUNT] = {false};
    int of_class[4] = {0};
    CHECK_OK(fv_dataset_split(&train, &valid, d, 0.2, 7));
    assert_int_equal(fv_dataset_count(valid), 8);
    assert_int_equal(fv_dataset_count(train), 32);
    for (int i = 0; i < 8; i++) {
        int picture = first_pixel(valid, i);
        assert_int_equal(fv_dataset_label(valid, i), picture % 4);
        of_class[picture % 4]++;
        assert_false(in_valid[picture]);
        in_valid[picture] = true;
        if (i > 0) assert_true(picture > first_pixel(valid, i - 1)); /* in the order of the set */
    }
    for (int c = 0; c < 4; c++)
        assert_int_equal(of_class[c], 2);
    for (int i = 0; i < 32; i++)
        assert_false(in_valid[first_pixel(train, i)]);
    fv_dataset_free(train);
    fv_dataset_free(valid);

    /* Another order of the same pictures, one of them gone: each of the rest stays on its side. */
    int order[COUNT - 1], n = 0;
    for (int i = COUNT - 1; i > 0; i--)
        order[n++] = i;
    fv_dataset *fewer;
    CHECK_OK(fv_dataset_select(&fewer, d, order, n));
    fv_dataset_free(d); /* the others hold what they need */
    CHECK_OK(fv_dataset_split(&train, &valid, fewer, 0.2, 7));
    int moved = 0;
    for (int i = 0; i < fv_dataset_count(valid); i++)
        moved += !in_valid[first_pixel(valid, i)];
    assert_true(moved <= 1); /* the one that takes the place of picture 0, if that was there */
    fv_dataset_free(train);
    fv_dataset_free(valid);
    CHECK_OK(fv_dataset_split(&train, &valid, fewer, 0.2, 8)); /* another seed, other pictures */
    moved = 0;
    for (int i = 0; i < fv_dataset_count(valid); i++)
        moved += !in_valid[first_pixel(valid, i)];
    assert_true(moved > 1);
    fv_dataset_free(train);
    fv_dataset_free(valid);
    fv_dataset_free(fewer);
}

static void equal_pictures_stay_together(void **state)
{
    (void)state;
    uint8_t x[20][4];
    int32_t y[20] = {0};
    for (int i = 0; i < 20; i++)
        memset(x[i], i / 4, 4); /* five pictures, each four times */
    const fv_tensor tx = {{4, {20, 2, 2, 1}}, FV_UINT8, x}, ty = {{1, {20}}, FV_INT32, y};
    for (uint64_t seed = 0; seed < 10; seed++) {
        fv_dataset *d, *train, *valid;
        CHECK_OK(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 1));
        CHECK_OK(fv_dataset_split(&train, &valid, d, 0.3, seed));
        assert_int_equal(fv_dataset_count(valid) % 4, 0);
        for (int i = 0; i < fv_dataset_count(valid); i++)
            for (int k = 0; k < fv_dataset_count(train); k++)
                assert_int_not_equal(first_pixel(valid, i), first_pixel(train, k));
        fv_dataset_free(d);
        fv_dataset_free(train);
        fv_dataset_free(valid);
    }
    /* one picture eight times: no split is possible */
    memset(x, 5, sizeof x);
    fv_dataset *d, *train, *valid;
    CHECK_OK(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 1));
    CHECK_FAILS(fv_dataset_split(&train, &valid, d, 0.5, 0), FV_E_ARG, "one part would be empty");
    fv_dataset_free(d);
}

/* reliability I12 */
static void split_refuses(void **state)
{
    (void)state;
    static const double bad[] = {0, 1, 1.5, -0.25, NAN, INFINITY};
    static const char *const shown[] = {"0", "1", "1.5", "-0.25", "nan", "inf"};
    fv_dataset *d = forty(), *train, *valid;
    for (size_t i = 0; i < FVI_COUNT(bad); i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "a split of %s, expected more than 0 and", shown[i]);
        CHECK_FAILS(fv_dataset_split(&train, &valid, d, bad[i], 0), FV_E_ARG, expected);
        assert_null(train);
        assert_null(valid);
    }
    CHECK_FAILS(fv_dataset_split(&train, NULL, d, 0.5, 0), FV_E_ARG, "second is NULL");
    CHECK_FAILS(fv_dataset_select(&train, d, (const int[]){0, COUNT}, 2), FV_E_ARG, "picture 40");
    CHECK_FAILS(fv_dataset_select(&train, d, NULL, 1), FV_E_ARG, "indexes is NULL");
    fv_dataset_free(d);
}

static void select_and_shuffle(void **state)
{
    (void)state;
    fv_dataset *d = forty(), *few, *fewer, *shuffled;
    CHECK_OK(fv_dataset_select(&few, d, (const int[]){9, 3, 9, 30}, 4));
    CHECK_OK(fv_dataset_select(&fewer, few, (const int[]){3, 0}, 2));
    CHECK_OK(fv_dataset_shuffle(&shuffled, d, 3));
    fv_dataset_free(few);
    fv_dataset_free(d);
    assert_int_equal(first_pixel(fewer, 0), 30);
    assert_int_equal(first_pixel(fewer, 1), 9);
    assert_int_equal(fv_dataset_label(fewer, 0), 2);
    assert_string_equal(fv_dataset_class(fewer, 3), "3");
    assert_null(fv_dataset_x(fewer).data); /* not in a row */
    int sum = 0, in_place = 0;
    for (int i = 0; i < COUNT; i++) {
        sum += first_pixel(shuffled, i);
        in_place += first_pixel(shuffled, i) == i;
    }
    assert_int_equal(sum, COUNT * (COUNT - 1) / 2);
    assert_true(in_place < 10);
    fv_dataset_free(fewer);
    fv_dataset_free(shuffled);
}

/* ---- map ---- */

static int map_frees;

static void count_free(void *user)
{
    assert_string_equal(user, "user");
    map_frees++;
}

/* The sum of a picture, and who asked; picture 5 is left out. */
static bool map_sum(void *user, void *out, const void *in, int i, uint32_t epoch)
{
    assert_string_equal(user, "user");
    const uint8_t *pixels = in;
    ((float *)out)[0] = (float)(pixels[0] + pixels[1] + pixels[2] + pixels[3]);
    ((float *)out)[1] = (float)i;
    ((float *)out)[2] = (float)epoch;
    return i != 5;
}

static const fv_dataset_mapping summing = {.map = map_sum,
                                           .free = count_free,
                                           .user = (void *)"user",
                                           .shape = {1, {3}},
                                           .dtype = FV_FLOAT32};

static void map_each(void **state)
{
    (void)state;
    fv_dataset *d = forty(), *mapped, *few;
    fv_loader *loader;
    fv_batch batch;
    map_frees = 0;
    CHECK_OK(fv_dataset_map(&mapped, d, &summing));
    fv_dataset_free(d);
    float out[3];
    CHECK_OK(fv_dataset_read(mapped, out, 7));
    assert_true(out[0] == 28 && out[1] == 7 && out[2] == 0);
    CHECK_FAILS(fv_dataset_read(mapped, out, 5), FV_E_FORMAT, "picture 5 was left out");
    CHECK_OK(fv_dataset_select(&few, mapped, (const int[]){4, 5, 6}, 3));
    fv_dataset_free(mapped);
    assert_int_equal(map_frees, 0); /* few still needs it */
    CHECK_OK(fv_loader_new(&loader, few, &(fv_loader_config){.without_shuffle = true}));
    CHECK_OK(fv_loader_begin(loader, 9));
    CHECK_OK(fv_loader_next(loader, &batch));
    assert_int_equal(batch.n, 2);
    assert_true(batch.x[0] == 16 && batch.x[3] == 24 && batch.x[4] == 6 && batch.x[5] == 9);
    assert_int_equal(batch.index[1], 2);
    assert_int_equal(batch.y[1], 2);
    fv_loader_free(loader);
    assert_int_equal(fv_dataset_skipped(few), 1);
    assert_string_equal(fv_dataset_skipped_text(few, 0), "picture 5 was left out by the mapping");
    fv_dataset_free(few);
    assert_int_equal(map_frees, 1);
    d = forty();
    fv_dataset_mapping bad = summing;
    bad.dtype = FV_INT32;
    CHECK_FAILS(fv_dataset_map(&mapped, d, &bad), FV_E_ARG, "to int32 of rank 1");
    assert_int_equal(map_frees, 2);
    fv_dataset_free(d);
}

static void augmented(void **state)
{
    (void)state;
    uint8_t x[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}}, a[4], b[4];
    int32_t y[2] = {0, 1};
    const fv_tensor tx = {{4, {2, 2, 2, 1}}, FV_UINT8, x}, ty = {{1, {2}}, FV_INT32, y};
    const fv_augment_config flip = {.flip_horizontal = true};
    fv_dataset *d, *random;
    CHECK_OK(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 0));
    CHECK_OK(fv_dataset_augment(&random, d, &flip, 1));
    fv_dataset_free(d);
    int flips = 0;
    fv_loader *loader;
    fv_batch batch;
    CHECK_OK(
        fv_loader_new(&loader, random, &(fv_loader_config){.without_shuffle = true, .scale = 1}));
    for (uint32_t epoch = 0; epoch < 64; epoch++) {
        CHECK_OK(fv_loader_begin(loader, epoch));
        CHECK_OK(fv_loader_next(loader, &batch));
        assert_true(batch.x[0] == 1 || batch.x[0] == 2);
        assert_true(batch.x[0] + batch.x[1] == 3 && batch.x[2] + batch.x[3] == 7);
        flips += batch.x[0] == 2;
    }
    fv_loader_free(loader);
    assert_in_range(flips, 16, 48);
    CHECK_OK(fv_dataset_read(random, a, 1));
    CHECK_OK(fv_dataset_read(random, b, 1));
    assert_memory_equal(a, b, 4);
    const fv_augment_config bad = {.zoom = 2};
    CHECK_FAILS(fv_dataset_augment(&d, random, &bad, 1), FV_E_ARG, "zoom");
    fv_dataset_free(random);
}

/* reliability I13: a constant channel */
static void standardized(void **state)
{
    (void)state;
    const uint8_t x[2][2][2] = {{{10, 9}, {20, 9}}, {{30, 9}, {40, 9}}}; /* [N,1,2,2] */
    const int32_t y[2] = {0, 1};
    const fv_tensor tx = {{4, {2, 1, 2, 2}}, FV_UINT8, (void *)(uintptr_t)x};
    const fv_tensor ty = {{1, {2}}, FV_INT32, (void *)(uintptr_t)y};
    double mean[2], deviation[2];
    float out[4];
    fv_dataset *d, *standard;
    CHECK_OK(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 0));
    CHECK_OK(fv_dataset_statistics(d, mean, deviation));
    assert_true(mean[0] == 25 && mean[1] == 9);
    assert_true(fabs(deviation[0] - sqrt(125)) < 1e-12 && deviation[1] == 0);
    CHECK_OK(fv_dataset_standardize(&standard, d, mean, deviation));
    CHECK_OK(fv_dataset_read(standard, out, 0));
    assert_true(fabsf(out[0] + 15 / sqrtf(125)) < 1e-6F && out[1] == 0);
    assert_int_equal(fv_dataset_dtype(standard), FV_FLOAT32);
    CHECK_OK(fv_dataset_statistics(standard, mean, deviation));
    assert_true(fabs(mean[0]) < 1e-6 && fabs(deviation[0] - 1) < 1e-6);
    fv_dataset_free(standard);
    deviation[1] = -1;
    CHECK_FAILS(fv_dataset_standardize(&standard, d, mean, deviation), FV_E_ARG, "channel 1");
    fv_dataset_free(d);
}

/* ---- a function that gives pictures ---- */

static int source_frees;

static bool source_read(void *user, void *out, int i, const char **why)
{
    *why = i == 2 ? "the camera was asleep" : NULL;
    memset(out, i + *(const int *)user, 4);
    return i != 2 && i != 3;
}

static void source_free(void *user)
{
    (void)user;
    source_frees++;
}

static void from_a_function(void **state)
{
    (void)state;
    int add = 100;
    int64_t labels[] = {0, 1, 0, 1, 1};
    const char *names[] = {"no", "yes"};
    const fv_tensor y = {{1, {5}}, FV_INT64, labels};
    fv_dataset_source source = {.shape = {3, {2, 2, 1}},
                                .dtype = FV_UINT8,
                                .count = 5,
                                .read = source_read,
                                .free = source_free,
                                .user = &add};
    fv_dataset *d;
    fv_loader *loader;
    fv_batch batch;
    source_frees = 0;
    CHECK_OK(fv_dataset_from_source(&d, &source, &y, names, 2));
    assert_false(fv_dataset_is_in_memory(d));
    assert_string_equal(fv_dataset_class(d, 1), "yes");
    CHECK_OK(fv_loader_new(
        &loader, d, &(fv_loader_config){.batch_size = 2, .without_shuffle = true, .scale = 1}));
    CHECK_OK(fv_loader_begin(loader, 0));
    CHECK_OK(fv_loader_next(loader, &batch));
    assert_int_equal(batch.n, 2);
    assert_true(batch.x[0] == 100 && batch.x[4] == 101);
    CHECK_OK(fv_loader_next(loader, &batch)); /* of 2 and 3 nothing is left, so they are passed */
    assert_int_equal(batch.n, 1);
    assert_true(batch.x[0] == 104 && batch.y[0] == 1);
    CHECK_OK(fv_loader_next(loader, &batch));
    assert_int_equal(batch.n, 0);
    CHECK_OK(fv_loader_next(loader, &batch)); /* the end stays the end */
    assert_int_equal(batch.n, 0);
    assert_string_equal(fv_dataset_skipped_text(d, 0), "the camera was asleep");
    assert_string_equal(fv_dataset_skipped_text(d, 1), "the source cannot read a picture");
    fv_loader_free(loader);
    fv_dataset_free(d);
    assert_int_equal(source_frees, 1);
    source.count = 4;
    CHECK_OPEN_FAILS(fv_dataset_from_source(&d, &source, &y, NULL, 0), FV_E_SHAPE,
                     "5 labels for 4");
    source.count = 0;
    CHECK_OPEN_FAILS(fv_dataset_from_source(&d, &source, &y, NULL, 0), FV_E_SHAPE, "0 pictures");
    source.read = NULL;
    CHECK_OPEN_FAILS(fv_dataset_from_source(&d, &source, &y, NULL, 0), FV_E_ARG, "read is NULL");
    assert_int_equal(source_frees, 4);
}

/* ---- the loader ---- */

static void loader_order(void **state)
{
    (void)state;
    fv_dataset *d = forty();
    int first[COUNT], again[COUNT];
    for (int threads = 1; threads <= 3; threads++) {
        fv_loader *loader;
        fv_batch batch;
        const fv_loader_config config = {.batch_size = 7, .seed = 5, .threads = threads};
        CHECK_OK(fv_loader_new(&loader, d, &config));
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            int n = 0, batches = 0;
            CHECK_OK(fv_loader_begin(loader, epoch % 2)); /* 0, 1, 0 */
            for (;;) {
                CHECK_OK(fv_loader_next(loader, &batch));
                if (batch.n == 0) break;
                batches++;
                for (int i = 0; i < batch.n; i++, n++) {
                    assert_int_equal(lroundf(batch.x[4 * i] * 255), batch.index[i]);
                    assert_int_equal(batch.y[i], batch.index[i] % 4);
                    if (epoch == 0 && threads == 1) first[n] = batch.index[i];
                    again[n] = batch.index[i];
                }
            }
            assert_int_equal(n, COUNT);
            assert_int_equal(batches, 6); /* five of 7 and one of 5 */
            assert_int_equal(memcmp(first, again, sizeof first) == 0, epoch != 1);
        }
        fv_loader_free(loader);
    }
    fv_loader *loader;
    fv_batch batch;
    int n = 0;
    CHECK_OK(fv_loader_new(&loader, d, &(fv_loader_config){.batch_size = 7, .drop_last = true}));
    CHECK_OK(fv_loader_next(loader, &batch)); /* no epoch has begun */
    assert_int_equal(batch.n, 0);
    assert_true(isnan(fv_loader_rate(loader)) || fv_loader_rate(loader) >= 0);
    CHECK_OK(fv_loader_begin(loader, 0));
    for (;; n++) {
        CHECK_OK(fv_loader_next(loader, &batch));
        if (batch.n == 0) break;
        assert_int_equal(batch.n, 7);
    }
    assert_int_equal(n, 5);
    fv_loader_free(loader);
    CHECK_FAILS(fv_loader_new(&loader, d, &(fv_loader_config){.batch_size = -1}), FV_E_ARG,
                "batch size -1");
    fv_dataset_free(d);
}

/* A set that is drawn while it is trained on gives the batches that one in memory gives, with any
   number of threads, and an epoch may be left at any place. */
static void loader_streams(void **state)
{
    (void)state;
    fv_dataset *kept, *streamed;
    CHECK_OK(fv_dataset_open(&kept, "made:digits", FV_TRAIN, &(fv_dataset_config){.count = 50}));
    CHECK_OK(fv_dataset_open(&streamed, "made:digits", FV_TRAIN,
                             &(fv_dataset_config){.count = 50, .memory_bytes = 1}));
    assert_true(fv_dataset_is_in_memory(kept));
    assert_false(fv_dataset_is_in_memory(streamed));
    for (int threads = 1; threads <= 4; threads += 3) {
        fv_loader *a, *b;
        fv_batch x, y;
        const fv_loader_config config = {.batch_size = 8, .seed = 2, .threads = threads};
        CHECK_OK(fv_loader_new(&a, kept, &config));
        CHECK_OK(fv_loader_new(&b, streamed, &config));
        for (int leave = 0; leave <= 7; leave++) {
            CHECK_OK(fv_loader_begin(a, (uint32_t)leave));
            CHECK_OK(fv_loader_begin(b, (uint32_t)leave));
            for (int i = 0; i < leave; i++) {
                CHECK_OK(fv_loader_next(a, &x));
                CHECK_OK(fv_loader_next(b, &y));
                assert_int_equal(x.n, y.n);
                assert_memory_equal(x.x, y.x, (size_t)x.n * 784 * sizeof(float));
                assert_memory_equal(x.y, y.y, (size_t)x.n * sizeof *x.y);
            }
        }
        assert_true(fv_loader_rate(b) > 0);
        fv_loader_free(a);
        fv_loader_free(b);
    }
    fv_dataset_free(kept);
    fv_dataset_free(streamed);
}

static void memory_runs_out(void **state)
{
    (void)state;
    fv_dataset *whole = forty(), *d, *other = NULL;
    CHECK_OOM(fv_dataset_split(&d, &other, whole, 0.5, 0));
    fv_dataset_free(d);
    fv_dataset_free(other);
    CHECK_OOM(fv_dataset_shuffle(&d, whole, 0));
    fv_dataset_free(d);
    map_frees = 0;
    CHECK_OOM(fv_dataset_map(&d, whole, &summing));
    fv_dataset_free(d);
    assert_true(map_frees > 1);
    const fv_augment_config flip = {.flip_horizontal = true};
    CHECK_OOM(fv_dataset_augment(&d, whole, &flip, 0));
    fv_loader *loader;
    long live = fvi_alloc_live();
    for (long k = 1;; k++) {
        fvi_alloc_fail_at(k);
        fv_status status = fv_loader_new(&loader, d, &(fv_loader_config){.threads = 2});
        fvi_alloc_fail_at(0);
        if (status == FV_OK) break;
        assert_int_equal(status, FV_E_MEMORY);
        assert_null(loader);
        assert_int_equal(fvi_alloc_live(), live);
    }
    fv_loader_free(loader);
    fv_dataset_free(d);
    fv_dataset_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_by_class_and_content),
        cmocka_unit_test(equal_pictures_stay_together),
        cmocka_unit_test(split_refuses),
        cmocka_unit_test(select_and_shuffle),
        cmocka_unit_test(map_each),
        cmocka_unit_test(augmented),
        cmocka_unit_test(standardized),
        cmocka_unit_test(from_a_function),
        cmocka_unit_test(loader_order),
        cmocka_unit_test(loader_streams),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
