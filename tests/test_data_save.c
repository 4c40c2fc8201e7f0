/* SPDX-License-Identifier: MIT */
/* Data sets saved as HDF5 and NPZ: what is read back is what was saved, pictures that cannot be read
   are left out, and of what fails nothing is left. */
#include "data_check.h"

/* ---- data sets to save ---- */

#define SIDE 3
#define EACH (SIDE * SIDE * 2) /* of a picture [3,3,2] */

static const char *const fruit[] = {"apple", "b\303\266rek", "cherry pie"};

/* n pictures that tell by their values which they are; labels 0, 1, ..., classes-1, 0, ... */
static fv_dataset *made_set(int n, int classes, const char *const *names, fv_dtype dtype, int first)
{
    fv_dataset *d;
    int32_t *label = calloc((size_t)n, sizeof *label);
    char *pixels = calloc((size_t)n * EACH, fv_dtype_size(dtype));
    for (int i = 0; i < n; i++)
        label[i] = i % classes;
    for (int i = 0; i < n * EACH; i++) {
        if (dtype == FV_UINT8)
            ((uint8_t *)pixels)[i] = (uint8_t)(first + i * 7);
        else
            ((float *)(void *)pixels)[i] = (float)(first + i) / 3 - 5;
    }
    const fv_tensor x = {{4, {n, SIDE, SIDE, 2}}, dtype, pixels}, y = {{1, {n}}, FV_INT32, label};
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, names, classes));
    free(pixels);
    free(label);
    return d;
}

#define FLAKY_SIDE 64
#define FLAKY_EACH (FLAKY_SIDE * FLAKY_SIDE * 4) /* so that they are written in several blocks */

/* Pictures of bytes i, of which some cannot be read. */
typedef struct flaky {
    int count, every; /* every so many-th is bad; 0: none */
    bool strict;
    int reads, frees;
} flaky;

static bool flaky_read(void *user, void *out, int i, const char **why)
{
    flaky *f = user;
    f->reads++;
    *why = "it is torn";
    if (f->every > 0 && i % f->every == f->every - 1) return false;
    memset(out, i, FLAKY_EACH);
    return true;
}

static void flaky_free(void *user)
{
    ((flaky *)user)->frees++;
}

static fv_dataset *flaky_set(flaky *f)
{
    fv_dataset *d;
    int32_t *label = calloc((size_t)f->count, sizeof *label);
    for (int i = 0; i < f->count; i++)
        label[i] = i % 3;
    const fv_dataset_source source = {.shape = {3, {FLAKY_SIDE, FLAKY_SIDE, 4}},
                                      .dtype = FV_UINT8,
                                      .count = f->count,
                                      .read = flaky_read,
                                      .free = flaky_free,
                                      .user = f,
                                      .strict = f->strict};
    const fv_tensor y = {{1, {f->count}}, FV_INT32, label};
    CHECK_OK(fv_dataset_from_source(&d, &source, &y, fruit, 3));
    free(label);
    return d;
}

/* ---- both formats ---- */

static const char *const formats[] = {
#ifdef FVI_WITH_HDF5
    "set.h5",
#endif
#ifdef FVI_WITH_ZIP
    "set.npz",
#endif
    NULL};

/* The part of the file is d again. */
static void check_part(const char *path, fv_split split, const fv_dataset *d,
                       const fv_dataset_config *config)
{
    fv_dataset *back;
    unsigned char one[EACH * 4], other[EACH * 4];
    CHECK_OK(fv_dataset_open(&back, path, split, config));
    assert_int_equal(fv_dataset_count(back), fv_dataset_count(d));
    assert_int_equal(fv_dataset_dtype(back), fv_dataset_dtype(d));
    fv_shape was = fv_dataset_shape(d), is = fv_dataset_shape(back);
    assert_true(fvi_shape_equal(&was, &is));
    size_t bytes = EACH * fv_dtype_size(fv_dataset_dtype(d));
    for (int i = 0; i < fv_dataset_count(d); i++) {
        assert_int_equal(fv_dataset_label(back, i), fv_dataset_label(d, i));
        CHECK_OK(fv_dataset_read(d, one, i));
        CHECK_OK(fv_dataset_read(back, other, i));
        assert_memory_equal(one, other, bytes);
    }
    for (int i = 0; i < fv_dataset_classes(d); i++)
        assert_string_equal(fv_dataset_class(back, i), fv_dataset_class(d, i));
    fv_dataset_free(back);
}

static void check_nothing_but(const char *name)
{
    DIR *folder = opendir(check_root);
    for (const struct dirent *e; (e = readdir(folder)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            (!name || strcmp(e->d_name, name) != 0))
            fail_msg("%s was left behind", e->d_name);
    closedir(folder);
}

static void save_and_read(void **state)
{
    (void)state;
    const fv_dataset_config streamed = {.memory_bytes = 1};
    char path[FOLDER_PATH];
    folder_begin();
    for (int c = 0; formats[0] && c < 8; c++) {
        bool is_float = c % 2 == 1, is_named = c / 2 % 2 == 1;
        const char *name = formats[c / 4 % (formats[1] ? 2 : 1)];
        fv_dtype dtype = is_float ? FV_FLOAT32 : FV_UINT8;
        long live = fvi_alloc_live();
        fv_dataset *train = made_set(50, 3, is_named ? fruit : NULL, dtype, 1);
        fv_dataset *val = made_set(7, 3, is_named ? fruit : NULL, dtype, 2);
        fv_dataset *test = made_set(9, 3, is_named ? fruit : NULL, dtype, 3);
        folder_path(path, name);
        CHECK_OK(fv_dataset_save(path, train, val, test, NULL));
        check_part(path, FV_TRAIN, train, NULL);
        check_part(path, FV_VALIDATION, val, NULL);
        check_part(path, FV_TEST, test, NULL);
        check_part(path, FV_TRAIN, train, &streamed);
        assert_true(fv_dataset_has(path, FV_TRAIN) && fv_dataset_has(path, FV_TEST) &&
                    fv_dataset_has(path, FV_VALIDATION));
        assert_string_equal(fv_dataset_kind(path), strstr(name, "h5") ? "hdf5" : "npz");
        /* One part alone is the whole set. */
        CHECK_OK(fv_dataset_save(path, NULL, NULL, test, NULL));
        check_part(path, FV_TRAIN, test, NULL);
        assert_true(fv_dataset_has(path, FV_TRAIN) && !fv_dataset_has(path, FV_TEST));
        CHECK_OK(fv_dataset_save(path, train, NULL, test, NULL));
        assert_true(fv_dataset_has(path, FV_TEST) && !fv_dataset_has(path, FV_VALIDATION));
        check_part(path, FV_TEST, test, NULL);
        fv_dataset_free(train);
        fv_dataset_free(val);
        fv_dataset_free(test);
        assert_int_equal(fvi_alloc_live(), live);
        check_nothing_but(name);
        folder_remove(name);
    }
    folder_end();
}

/* A view is saved in its own order, and a part whose labels show fewer classes with the others'. */
static void save_views(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    const int order[] = {9, 1, 1, 30, 7};
    folder_begin();
    for (int f = 0; formats[f]; f++) {
        fv_dataset *all = made_set(50, 5, NULL, FV_UINT8, 0), *some;
        fv_dataset *few = made_set(4, 2, NULL, FV_UINT8, 0);
        CHECK_OK(fv_dataset_select(&some, all, order, 5));
        CHECK_OK(fv_dataset_save(folder_path(path, formats[f]), some, NULL, few, NULL));
        check_part(path, FV_TRAIN, some, NULL);
        check_part(path, FV_TEST, few, NULL);
        fv_dataset *back;
        CHECK_OK(fv_dataset_open(&back, path, FV_TEST, NULL));
        assert_int_equal(fv_dataset_classes(back), 5);
        fv_dataset_free(back);
        fv_dataset_free(all);
        fv_dataset_free(some);
        fv_dataset_free(few);
        folder_remove(formats[f]);
    }
    folder_end();
}

/* The arrays as others see them. */
static void save_for_others(void **state)
{
    (void)state;
    char path[FOLDER_PATH], out[4096];
    folder_begin();
    fv_dataset *train = made_set(5, 3, fruit, FV_UINT8, 1),
               *val = made_set(3, 3, fruit, FV_UINT8, 2);
    for (int f = 0; formats[f]; f++)
        CHECK_OK(fv_dataset_save(folder_path(path, formats[f]), train, val, NULL, NULL));
    fv_dataset_free(train); /* before others may be found missing, which ends the test */
    fv_dataset_free(val);
    for (int f = 0; formats[f]; f++) {
        bool is_hdf5 = strstr(formats[f], "h5") != NULL;
        check_python(out, sizeof out, "read_arrays.py", folder_path(path, formats[f]));
        const char *const expected[][2] = {
            {"train_set_x uint8 5x3x3x2 ", "x_train uint8 5x3x3x2 "},
            {"train_set_y int64 5 ", "y_train int64 5 "},
            {"val_set_x uint8 3x3x3x2 ", "x_val uint8 3x3x3x2 "},
            {"list_classes apple b\303\266rek cherry pie", "classes uint8 3x10 "}};
        for (size_t i = 0; i < FVI_COUNT(expected); i++)
            if (!strstr(out, expected[i][is_hdf5 ? 0 : 1]))
                fail_msg("no %s in: %s", expected[i][is_hdf5 ? 0 : 1], out);
        folder_remove(formats[f]);
    }
    folder_end();
}

static void save_again_same_bytes(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    folder_begin();
    for (int f = 0; formats[f]; f++) {
        unsigned char *one, *other;
        size_t size, other_size;
        fv_dataset *train = made_set(500, 3, fruit, FV_UINT8, 1);
        const fv_dataset_save_config threads = {.threads = 3};
        CHECK_OK(fv_dataset_save(folder_path(path, formats[f]), train, NULL, NULL, NULL));
        CHECK_OK(fvi_file_read(&one, &size, path, 1 << 24));
        CHECK_OK(fv_dataset_save(path, train, NULL, NULL, &threads));
        CHECK_OK(fvi_file_read(&other, &other_size, path, 1 << 24));
        assert_int_equal(size, other_size);
        assert_memory_equal(one, other, size);
        fvi_free(one);
        fvi_free(other);
        fv_dataset_free(train);
        folder_remove(formats[f]);
    }
    folder_end();
}

typedef struct watched {
    int calls, done, total, stop_at;
} watched;

static bool watch(void *user, int done, int total)
{
    watched *w = user;
    w->calls++;
    assert_true(done <= total);
    w->done = done;
    w->total = total;
    return w->stop_at == 0 || done < w->stop_at;
}

/* ---- pictures that cannot be read ---- */

static void save_leaves_out(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    folder_begin();
    for (int f = 0; formats[f]; f++) {
        flaky bad = {.count = 200, .every = 7}, good = {.count = 30};
        fv_dataset *train = flaky_set(&good), *test = flaky_set(&bad), *back;
        watched w = {0};
        const fv_dataset_save_config config = {.progress = watch, .user = &w};
        CHECK_OK(fv_dataset_save(folder_path(path, formats[f]), train, NULL, test, &config));
        assert_int_equal(w.done, 30 + 200 - 200 / 7);
        assert_int_equal(w.done, w.total);
        assert_int_equal(fv_dataset_skipped(test), 200 / 7);
        assert_non_null(strstr(fv_dataset_skipped_text(test, 0), "it is torn"));
        assert_int_equal(fv_dataset_skipped(train), 0);
        CHECK_OK(fv_dataset_open(&back, path, FV_TEST, NULL));
        assert_int_equal(fv_dataset_count(back), 200 - 200 / 7);
        for (int i = 0, k = 0; i < 200; i++) {
            uint8_t pixels[FLAKY_EACH];
            if (i % 7 == 6) continue;
            CHECK_OK(fv_dataset_read(back, pixels, k));
            assert_int_equal(pixels[FLAKY_EACH - 1], i);
            assert_int_equal(fv_dataset_label(back, k++), i % 3);
        }
        /* Not once more for each that is bad: to find them, to write, and one that was begun. */
        assert_true(bad.reads < 3 * 200 + 2 * 200 / 7);
        fv_dataset_free(back);
        fv_dataset_free(train);
        fv_dataset_free(test);
        check_nothing_but(formats[f]);
        folder_remove(formats[f]);
    }
    folder_end();
}

static void save_refuses_bad(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    folder_begin();
    for (int f = 0; formats[f]; f++) {
        flaky strict = {.count = 20, .every = 7, .strict = true}, all = {.count = 20, .every = 1};
        fv_dataset *one = flaky_set(&strict), *none = flaky_set(&all);
        folder_put(formats[f], "before", 6);
        CHECK_FAILS(fv_dataset_save(folder_path(path, formats[f]), one, NULL, NULL, NULL),
                    FV_E_FORMAT, "it is torn");
        CHECK_FAILS(fv_dataset_save(path, none, NULL, NULL, NULL), FV_E_FORMAT,
                    "no picture of the train part can be read");
        unsigned char *bytes;
        size_t size;
        CHECK_OK(fvi_file_read(&bytes, &size, path, 100));
        assert_string_equal((char *)bytes, "before");
        fvi_free(bytes);
        fv_dataset_free(one);
        fv_dataset_free(none);
        assert_int_equal(strict.frees + all.frees, 2);
        check_nothing_but(formats[f]);
        folder_remove(formats[f]);
    }
    folder_end();
}

/* ---- progress ---- */

static void save_progress(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_dataset *train = made_set(100, 3, NULL, FV_UINT8, 1),
               *val = made_set(7, 3, NULL, FV_UINT8, 1);
    folder_begin();
    for (int f = 0; formats[f]; f++) {
        watched w = {0}, stopped = {.stop_at = 101};
        fv_dataset_save_config config = {.progress = watch, .user = &w};
        CHECK_OK(fv_dataset_save(folder_path(path, formats[f]), train, val, NULL, &config));
        assert_true(w.calls >= 2 && w.done == 107 && w.total == 107);
        folder_remove(formats[f]);
        config.user = &stopped;
        CHECK_FAILS(fv_dataset_save(path, train, val, NULL, &config), FV_E_CANCELLED, "stopped");
        check_nothing_but(NULL);
    }
    fv_dataset_free(train);
    fv_dataset_free(val);
    folder_end();
}

/* ---- refusals ---- */

static void save_refusals(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    static const char *const other[] = {"apple", "pear"};
    float wide[4] = {0, 1, 1, 0};
    int32_t label[2] = {0, 1};
    const fv_tensor x = {{4, {2, 1, 1, 1}}, FV_FLOAT32, wide};
    const fv_tensor rows = {{2, {2, 2}}, FV_FLOAT32, wide};
    const fv_tensor targets = {{2, {2, 2}}, FV_FLOAT32, wide};
    const fv_tensor y = {{1, {2}}, FV_INT32, label};
    fv_dataset *plain, *target, *row, *named, *none;
    CHECK_OK(fv_dataset_from_arrays(&plain, &x, &y, fruit, 2));
    CHECK_OK(fv_dataset_from_arrays(&target, &x, &targets, NULL, 0));
    CHECK_OK(fv_dataset_from_arrays(&row, &rows, &y, NULL, 0));
    CHECK_OK(fv_dataset_from_arrays(&named, &x, &y, other, 2));
    CHECK_OK(fv_dataset_select(&none, plain, label, 0));
    folder_begin();
    long live = fvi_alloc_live();
    static const char *const wrong[] = {"set", "set.txt", ".h5", ".npz", "h5", "set.h5.gz", ""};
    for (size_t i = 0; i < FVI_COUNT(wrong); i++)
        CHECK_FAILS(fv_dataset_save(folder_path(path, wrong[i]), plain, NULL, NULL, NULL), FV_E_ARG,
                    "ends in .h5 or .npz");
    CHECK_FAILS(fv_dataset_save(NULL, plain, NULL, NULL, NULL), FV_E_ARG, "path is NULL");
    for (int f = 0; formats[f]; f++) {
        folder_path(path, formats[f]);
        CHECK_FAILS(fv_dataset_save(path, NULL, NULL, NULL, NULL), FV_E_ARG, "no part to save");
        CHECK_FAILS(fv_dataset_save(path, target, NULL, NULL, NULL), FV_E_UNSUPPORTED,
                    "the train part has 2 targets for each picture, expected class numbers");
        CHECK_FAILS(fv_dataset_save(path, plain, row, NULL, NULL), FV_E_SHAPE,
                    "the val part has rows of 2 numbers, expected pictures [H,W,C]");
        CHECK_FAILS(fv_dataset_save(path, plain, NULL, named, NULL), FV_E_SHAPE, "class 1 is");
        CHECK_FAILS(fv_dataset_save(path, none, NULL, NULL, NULL), FV_E_SHAPE, "no pictures");
        snprintf(path, sizeof path, "%s/none/%s", check_root, formats[f]);
        CHECK_FAILS(fv_dataset_save(path, plain, NULL, NULL, NULL), FV_E_IO, "No such file");
    }
    assert_int_equal(fvi_alloc_live(), live);
    check_nothing_but(NULL);
    fv_dataset_free(plain);
    fv_dataset_free(target);
    fv_dataset_free(row);
    fv_dataset_free(named);
    fv_dataset_free(none);
    folder_end();
}

/* Every allocation fails once: a clean error, nothing is left, and then it works. */
static void save_without_memory(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    folder_begin();
    for (int f = 0; formats[f]; f++) {
        fv_dataset *train = made_set(40, 3, fruit, FV_UINT8, 1);
        flaky bad = {.count = 20, .every = 6};
        fv_dataset *test = flaky_set(&bad);
        for (long k = 1;; k++) {
            folder_path(path, formats[f]);
            fvi_alloc_fail_at(k);
            fv_status status = fv_dataset_save(path, train, NULL, test, NULL);
            fvi_alloc_fail_at(0);
            if (status == FV_OK) break;
            if (status != FV_E_MEMORY) fail_msg("allocation %ld: %s", k, fv_error());
            check_nothing_but(NULL);
            if (k > 1000) fail_msg("allocates without end");
        }
        check_part(path, FV_TRAIN, train, NULL);
        fv_dataset_free(train);
        fv_dataset_free(test);
        folder_remove(formats[f]);
    }
    folder_end();
}

static void save_absent(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_dataset *d = made_set(3, 3, NULL, FV_UINT8, 0);
    folder_begin();
#ifndef FVI_WITH_HDF5
    CHECK_FAILS(fv_dataset_save(folder_path(path, "a.h5"), d, NULL, NULL, NULL), FV_E_UNSUPPORTED,
                "built without");
    print_message("skipped: data sets as HDF5, built without HDF5\n");
#endif
#ifndef FVI_WITH_ZIP
    CHECK_FAILS(fv_dataset_save(folder_path(path, "a.npz"), d, NULL, NULL, NULL), FV_E_UNSUPPORTED,
                "built without");
    print_message("skipped: data sets as NPZ, built without libzip\n");
#endif
    CHECK_FAILS(fv_dataset_save(folder_path(path, "a.csv"), d, NULL, NULL, NULL), FV_E_ARG, "ends");
    fv_dataset_free(d);
    folder_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(save_and_read),       cmocka_unit_test(save_views),
        cmocka_unit_test(save_for_others),     cmocka_unit_test(save_again_same_bytes),
        cmocka_unit_test(save_leaves_out),     cmocka_unit_test(save_refuses_bad),
        cmocka_unit_test(save_progress),       cmocka_unit_test(save_refusals),
        cmocka_unit_test(save_without_memory), cmocka_unit_test(save_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
