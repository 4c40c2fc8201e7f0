/* SPDX-License-Identifier: MIT */
/* Folders of pictures: classes, parts, sizes, what cannot be read, kept in memory or read as they
   are needed. */
#include "folder_check.h"

#include <math.h>

static const fv_dataset_config small = {.height = 4, .width = 4, .channels = 3};
static const fv_dataset_config streamed = {
    .height = 4, .width = 4, .channels = 3, .memory_bytes = 1};

static fv_status open_root(fv_dataset **d, fv_split split, const fv_dataset_config *config)
{
    return fv_dataset_open(d, check_root, split, config);
}

/* cat: 2 pictures, dog: 3, one of them deeper; red is 10 * number. */
static void put_pets(const char *part)
{
    char name[256];
    snprintf(name, sizeof name, "%sdog", part);
    tree_folder(name);
    snprintf(name, sizeof name, "%scat", part);
    tree_folder(name);
    snprintf(name, sizeof name, "%sdog/deep", part);
    tree_folder(name);
    static const char *const files[] = {"cat/1.png", "cat/2.png", "dog/1.png", "dog/deep/2.PNG",
                                        "dog/without an ending"};
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s%s", part, files[i]);
        tree_picture(name, 4 + i, 6, 3, (uint8_t)(10 * (i + 1)));
    }
}

static void check_pets(fv_dataset *d)
{
    static const int32_t label[] = {0, 0, 1, 1, 1};
    static const uint8_t red[] = {10, 20, 30, 40, 50};
    uint8_t pixels[48];
    fv_shape shape = fv_dataset_shape(d);
    assert_int_equal(fv_dataset_count(d), 5);
    assert_int_equal(fv_dataset_classes(d), 2);
    assert_string_equal(fv_dataset_class(d, 0), "cat");
    assert_string_equal(fv_dataset_class(d, 1), "dog");
    assert_true(fvi_shape_equal(&shape, &(fv_shape){3, {4, 4, 3}}));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fv_dataset_label(d, i), label[i]);
        CHECK_OK(fv_dataset_read(d, pixels, i));
        assert_int_equal(pixels[0], red[i]);
        assert_int_equal(pixels[47], 255 - red[i]);
    }
    assert_non_null(strstr(fv_dataset_path(d, 3), "dog/deep/2.PNG"));
    assert_int_equal(fv_dataset_skipped(d), 0);
}

static void classes_are_folders(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    put_pets("");
    folder_put("README.txt", "not a picture, not in a class", 29);
    tree_folder(".git"); /* hidden: no class */
    folder_put("cat/.DS_Store", "x", 1);
    long live = fvi_alloc_live();
    CHECK_OK(open_root(&d, FV_TRAIN, &small));
    assert_true(fv_dataset_is_in_memory(d));
    check_pets(d);
    fv_dataset_free(d);
    CHECK_OK(open_root(&d, FV_TEST, &streamed)); /* no parts: everything */
    assert_false(fv_dataset_is_in_memory(d));
    assert_null(fv_dataset_x(d).data);
    check_pets(d);
    fv_dataset_free(d);
    assert_int_equal(fvi_alloc_live(), live);
    assert_true(fv_dataset_has(check_root, FV_TRAIN));
    assert_false(fv_dataset_has(check_root, FV_TEST));
    tree_end();
}

static void sizes(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    tree_folder("a");
    tree_picture("a/1.png", 5, 7, 1, 100);
    tree_picture("a/2.png", 9, 3, 3, 50);
    CHECK_OK(open_root(&d, FV_TRAIN, NULL)); /* as the first picture is */
    fv_shape shape = fv_dataset_shape(d);
    assert_true(fvi_shape_equal(&shape, &(fv_shape){3, {5, 7, 1}}));
    fv_dataset_free(d);
    CHECK_OK(open_root(&d, FV_TRAIN, &(fv_dataset_config){.channels = 3}));
    shape = fv_dataset_shape(d);
    assert_true(fvi_shape_equal(&shape, &(fv_shape){3, {5, 7, 3}}));
    fv_dataset_free(d);
    /* 9x3 padded to 9x9: black left and right */
    uint8_t pixels[9 * 9 * 3];
    const fv_dataset_config pad = {.height = 9, .width = 9, .channels = 3, .resize = FV_RESIZE_PAD};
    CHECK_OK(open_root(&d, FV_TRAIN, &pad));
    assert_int_equal(fv_dataset_resize(d), FV_RESIZE_PAD);
    CHECK_OK(fv_dataset_read(d, pixels, 1));
    assert_int_equal(pixels[0], 0);
    assert_int_equal(pixels[4 * 3 + 2], 205);
    assert_int_equal(pixels[8 * 3 + 2], 0);
    fv_dataset_free(d);
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &(fv_dataset_config){.channels = 4}), FV_E_UNSUPPORTED,
                     "pictures of 4 channels, expected 1 (grey) or 3 (RGB)");
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &(fv_dataset_config){.height = -1}), FV_E_ARG,
                     "pictures of -1x0");
    tree_end();
}

static void parts(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    tree_folder("train");
    tree_folder("Validation");
    tree_folder("test");
    tree_folder("annotations"); /* beside train/ with folders in it: no part, no class */
    put_pets("train/");
    put_pets("test/");
    tree_folder("Validation/dog"); /* only one of the classes: labels stay those of the whole */
    tree_picture("Validation/dog/1.png", 4, 4, 3, 7);
    CHECK_OK(open_root(&d, FV_TRAIN, &small));
    check_pets(d);
    assert_non_null(strstr(fv_dataset_name(d), "/train"));
    fv_dataset_free(d);
    CHECK_OK(open_root(&d, FV_TEST, &small));
    check_pets(d);
    fv_dataset_free(d);
    CHECK_OK(open_root(&d, FV_VALIDATION, &small));
    assert_int_equal(fv_dataset_count(d), 1);
    assert_int_equal(fv_dataset_label(d, 0), 1);
    assert_int_equal(fv_dataset_classes(d), 2);
    fv_dataset_free(d);
    for (int split = 0; split < 3; split++)
        assert_true(fv_dataset_has(check_root, (fv_split)split));
    char path[FOLDER_PATH];
    tree_remove(folder_path(path, "test"));
    assert_false(fv_dataset_has(check_root, FV_TEST));
    CHECK_OPEN_FAILS(open_root(&d, FV_TEST, &small), FV_E_IO, "has no test part");
    tree_end();
}

/* A class may be called test. */
static void class_called_test(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    tree_folder("test");
    tree_folder("other");
    tree_picture("test/1.png", 4, 4, 3, 1);
    tree_picture("other/1.png", 4, 4, 3, 2);
    CHECK_OK(open_root(&d, FV_TRAIN, &small));
    assert_int_equal(fv_dataset_classes(d), 2);
    assert_string_equal(fv_dataset_class(d, 1), "test");
    fv_dataset_free(d);
    tree_end();
}

static void numbers_by_value(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    static const char *const names[] = {"0", "2", "10", "-1"};
    static const char *const sorted[] = {"-1", "0", "2", "10"};
    char file[64];
    for (int i = 0; i < 4; i++) {
        tree_folder(names[i]);
        snprintf(file, sizeof file, "%s/1.png", names[i]);
        tree_picture(file, 4, 4, 3, 1);
    }
    CHECK_OK(open_root(&d, FV_TRAIN, &small));
    for (int i = 0; i < 4; i++)
        assert_string_equal(fv_dataset_class(d, i), sorted[i]);
    fv_dataset_free(d);
    tree_end();
}

/* A trained model's classes give the labels, whatever folders there are. */
static void classes_given(void **state)
{
    (void)state;
    fv_dataset *d;
    const char *const of_model[] = {"fish", "dog", "cat"};
    fv_dataset_config config = small;
    config.classes = of_model;
    config.n_classes = 3;
    folder_begin();
    put_pets("");
    CHECK_OK(open_root(&d, FV_TEST, &config));
    assert_int_equal(fv_dataset_classes(d), 3);
    assert_string_equal(fv_dataset_class(d, 0), "fish");
    assert_int_equal(fv_dataset_label(d, 0), 2);
    assert_int_equal(fv_dataset_label(d, 4), 1);
    fv_dataset_free(d);
    config.n_classes = 2;
    CHECK_OPEN_FAILS(open_root(&d, FV_TEST, &config), FV_E_FORMAT,
                     "the class \"cat\" is not one of the model's; expected fish, dog");
    tree_end();
}

/* ---- what cannot be read ---- */

static void put_bad_ones(void)
{
    char path[FOLDER_PATH], picture[FOLDER_PATH];
    unsigned char *bytes;
    size_t size;
    folder_put("cat/0 text.png", "no picture", 10);
    folder_put("cat/3 empty.jpg", "", 0);
    CHECK_OK(fvi_file_read(&bytes, &size, folder_path(picture, "cat/1.png"), 1 << 20));
    folder_put("dog/cut\n.png", bytes, size - 20);
    fvi_free(bytes);
    assert_int_equal(mkfifo(folder_path(path, "dog/pipe.png"), 0600), 0);
    assert_int_equal(symlink("nowhere", folder_path(path, "dog/nowhere.png")), 0);
    assert_int_equal(symlink("loop", folder_path(path, "dog/loop")), 0);
    assert_int_equal(symlink("..", folder_path(path, "dog/up")), 0); /* a folder: not followed */
}

static const char *const bad_texts[] = {
    "cat/0 text.png\": no PNG or JPEG: begins with",
    "cat/3 empty.jpg\": no PNG or JPEG: 0 bytes",
    "dog/cut\\x0a.png\": PNG: ",
    "dog/loop\"",
    "dog/nowhere.png\"",
    "dog/pipe.png\": not a regular file",
};

static void check_skipped(const fv_dataset *d)
{
    assert_int_equal(fv_dataset_skipped(d), (int)FVI_COUNT(bad_texts));
    for (int i = 0; i < (int)FVI_COUNT(bad_texts); i++) {
        if (!strstr(fv_dataset_skipped_text(d, i), bad_texts[i]))
            fail_msg("%s; expected %s", fv_dataset_skipped_text(d, i), bad_texts[i]);
    }
    assert_null(fv_dataset_skipped_text(d, (int)FVI_COUNT(bad_texts)));
    assert_null(fv_dataset_skipped_text(d, -1));
}

static void bad_pictures_are_left_out(void **state)
{
    (void)state;
    fv_dataset *d;
    fv_loader *loader;
    fv_batch batch;
    folder_begin();
    put_pets("");
    put_bad_ones();
    long live = fvi_alloc_live();
    CHECK_OK(open_root(&d, FV_TRAIN, &small)); /* in memory: found at once */
    assert_int_equal(fv_dataset_count(d), 5);
    check_skipped(d);
    fv_dataset_free(d);

    CHECK_OK(open_root(&d, FV_TRAIN, &streamed)); /* read later: found on the way */
    assert_int_equal(fv_dataset_count(d), 11);
    assert_int_equal(fv_dataset_skipped(d), 0);
    CHECK_OK(
        fv_loader_new(&loader, d, &(fv_loader_config){.batch_size = 2, .without_shuffle = true}));
    for (int epoch = 0; epoch < 2; epoch++) {
        static const float red[] = {10, 20, 30, 40, 50};
        int seen = 0;
        CHECK_OK(fv_loader_begin(loader, (uint32_t)epoch));
        for (;;) {
            CHECK_OK(fv_loader_next(loader, &batch));
            if (batch.n == 0) break;
            for (int i = 0; i < batch.n; i++, seen++) {
                assert_int_equal(lroundf(batch.x[i * 48] * 255.0F), (long)red[seen]);
                assert_int_equal(batch.y[i], seen < 2 ? 0 : 1);
            }
        }
        assert_int_equal(seen, 5);
        check_skipped(d);
    }
    fv_loader_free(loader);
    fv_dataset_free(d);
    assert_int_equal(fvi_alloc_live(), live);

    fv_dataset_config strict = small;
    strict.strict = true;
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &strict), FV_E_FORMAT, "cat/0 text.png\": no PNG");
    strict.memory_bytes = 1;
    CHECK_OK(open_root(&d, FV_TRAIN, &strict));
    CHECK_OK(fv_loader_new(&loader, d, &(fv_loader_config){.without_shuffle = true}));
    CHECK_OK(fv_loader_begin(loader, 0));
    CHECK_FAILS(fv_loader_next(loader, &batch), FV_E_FORMAT, "cat/0 text.png\": no PNG");
    fv_loader_free(loader);
    fv_dataset_free(d);
    tree_end();
}

static void nothing_to_read(void **state)
{
    (void)state;
    fv_dataset *d;
    char path[FOLDER_PATH];
    folder_begin();
    tree_picture("1.png", 4, 4, 3, 1); /* not in a class */
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &small), FV_E_FORMAT,
                     "holds no data set; found 1.png");
    tree_folder("empty");
    tree_folder("too");
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &small), FV_E_FORMAT,
                     "2 folders without a single file");
    folder_put("too/a.txt", "hello", 5);
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &small), FV_E_FORMAT,
                     "none of 1 pictures can be read; the first: ");
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, NULL), FV_E_FORMAT, "none of 1 pictures can be read");
    folder_put("too/b.png", "", 0);
    tree_picture("too/c.png", 4, 4, 3, 1);
    CHECK_OK(open_root(&d, FV_TRAIN, NULL)); /* an empty class stays one */
    assert_int_equal(fv_dataset_classes(d), 2);
    assert_int_equal(fv_dataset_count(d), 1);
    fv_dataset_free(d);
    tree_folder("\xFF\xFE");
    folder_put("\xFF\xFE/x.png", "", 0);
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &small), FV_E_FORMAT, "\\xff\\xfe\" names a class");
    tree_remove(folder_path(path, "\xFF\xFE"));
    char deep[FOLDER_PATH] = "too";
    for (int i = 0; i < 18; i++) {
        strcat(deep, "/d");
        tree_folder(deep);
    }
    CHECK_OPEN_FAILS(open_root(&d, FV_TRAIN, &small), FV_E_FORMAT, "more than 16 deep");
    tree_end();
}

static void memory_runs_out(void **state)
{
    (void)state;
    fv_dataset *d;
    fv_dataset_config one = small;
    folder_begin();
    put_pets("");
    one.threads = 1;
    CHECK_OOM(open_root(&d, FV_TRAIN, &one));
    check_pets(d);
    fv_dataset_free(d);
    one.memory_bytes = 1;
    CHECK_OOM(open_root(&d, FV_TRAIN, &one));
    check_pets(d);
    fv_dataset_free(d);
    one.memory_bytes = 0;
    one.threads = 3;
    CHECK_OOM(open_root(&d, FV_TRAIN, &one));
    check_pets(d);
    fv_dataset_free(d);
    tree_end();
}

/* ---- the real thing ---- */

static void sign_language_digits(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    const char *root = getenv("FOVEA_DATA");
    if (!root) {
        print_message("skipped: FOVEA_DATA is not set\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/sign-language-digits", root);
    fv_dataset *d, *train, *valid;
    const fv_dataset_config config = {.height = 64, .width = 64, .channels = 3};
    CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, &config));
    assert_int_equal(fv_dataset_count(d), 2062);
    assert_int_equal(fv_dataset_classes(d), 10);
    assert_int_equal(fv_dataset_skipped(d), 0);
    CHECK_OK(fv_dataset_split(&train, &valid, d, 0.2, 0));
    int in[10] = {0}, of[10] = {0};
    for (int i = 0; i < 2062; i++)
        of[fv_dataset_label(d, i)]++;
    for (int i = 0; i < fv_dataset_count(valid); i++)
        in[fv_dataset_label(valid, i)]++;
    for (int c = 0; c < 10; c++)
        assert_in_range(in[c], of[c] / 5, of[c] / 5 + 3); /* equal pictures stay together */
    fv_dataset_free(d);
    fv_dataset_free(train);
    fv_dataset_free(valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_folders),
        cmocka_unit_test(sizes),
        cmocka_unit_test(parts),
        cmocka_unit_test(class_called_test),
        cmocka_unit_test(numbers_by_value),
        cmocka_unit_test(classes_given),
        cmocka_unit_test(bad_pictures_are_left_out),
        cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(sign_language_digits),
    };
#ifndef FVI_WITH_IMAGE
    print_message("skipped: built without PNG and JPEG\n");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
