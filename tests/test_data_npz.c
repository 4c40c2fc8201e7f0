/* SPDX-License-Identifier: MIT */
/* Data sets in NPZ files: which arrays, names of classes, arrays that stay in the file, what is
   refused and how. */
#include "data_check.h"

#ifndef FVI_WITH_ZIP

static void npz_absent(void **state)
{
    (void)state;
    fv_dataset *d;
    char path[FOLDER_PATH];
    folder_begin();
    folder_put("a.npz", "PK\3\4", 4);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "a.npz"), FV_TRAIN, NULL),
                     FV_E_UNSUPPORTED, "built without libzip");
    folder_remove("a.npz");
    folder_end();
    print_message("skipped: data sets in NPZ, built without libzip\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(npz_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* Six pictures of 2x3x1, labels for two classes and more. */
static const uint8_t pixels[36] = {1, 2, 3, 4, 5, 6, 7, 8, 9, [30] = 250, 251, 252, 253, 254, 255};
static const int64_t labels[6] = {1, 0, 0, 1, 2, 0};

/* ---- writing files ---- */

typedef struct npz_array {
    const char *name;
    fv_shape shape;
    fv_dtype dtype;
    const void *data;
} npz_array;

#define PIXELS {4, {6, 2, 3, 1}}, FV_UINT8, pixels
#define LABELS {1, {6}}, FV_INT64, labels

static const char *put_npz(char path[FOLDER_PATH], const npz_array *array, size_t count)
{
    fvi_zip_save *save;
    CHECK_OK(fvi_zip_save_begin(&save, folder_path(path, "set.npz")));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(fvi_npz_save_add(save, array[i].name, &array[i].shape, array[i].dtype, NULL,
                                  (void *)(uintptr_t)array[i].data));
    CHECK_OK(fvi_zip_save_commit(save));
    return path;
}

#define PUT(path, ...)                                                                             \
    put_npz(path, (const npz_array[]){__VA_ARGS__},                                                \
            sizeof((const npz_array[]){__VA_ARGS__}) / sizeof(npz_array))

static void check_six(fv_dataset *d, int classes, const char *class_2)
{
    uint8_t picture[6];
    assert_int_equal(fv_dataset_count(d), 6);
    assert_int_equal(fv_dataset_dtype(d), FV_UINT8);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fv_dataset_label(d, i), labels[i]);
        CHECK_OK(fv_dataset_read(d, picture, i));
        assert_memory_equal(picture, pixels + (size_t)6 * (size_t)i, 6);
    }
    assert_int_equal(fv_dataset_classes(d), classes);
    assert_string_equal(fv_dataset_class(d, 2), class_2);
    fv_dataset_free(d);
}

/* ---- what opens ---- */

static void npz_names(void **state)
{
    (void)state;
    static const struct {
        const char *x, *y;
    } pairs[] = {{"x_train", "y_train"},           {"x", "y"},           {"images", "labels"},
                 {"train_images", "train_labels"}, {"X_test", "Y_test"}, {"data", "targets"},
                 {"train_set_x", "train_set_y"},   {"val/x", "val/y"}};
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    for (size_t i = 0; i < FVI_COUNT(pairs); i++) {
        PUT(path, {"extra", {1, {6}}, FV_INT64, labels}, {pairs[i].x, PIXELS},
            {pairs[i].y, LABELS});
        CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, NULL));
        check_six(d, 3, "2");
        assert_string_equal(fv_dataset_kind(path), "npz");
        assert_true(fv_dataset_has(path, FV_TRAIN));
        assert_false(fv_dataset_has(path, FV_TEST));
    }
    const fv_dataset_config named = {.x_name = "left", .y_name = "right"};
    PUT(path, {"x", LABELS}, {"left", PIXELS}, {"right", LABELS}, {"y", LABELS});
    CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, &named));
    check_six(d, 3, "2");
    folder_remove("set.npz");
    folder_end();
}

static void npz_parts(void **state)
{
    (void)state;
    const int64_t zeros[6] = {0};
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    PUT(path, {"x_train", PIXELS}, {"y_train", LABELS}, {"x_test", PIXELS},
        {"y_test", {1, {6}}, FV_INT64, zeros});
    assert_true(fv_dataset_has(path, FV_TRAIN) && fv_dataset_has(path, FV_TEST));
    assert_false(fv_dataset_has(path, FV_VALIDATION));
    CHECK_OK(fv_dataset_open(&d, path, FV_TEST, NULL));
    assert_int_equal(fv_dataset_classes(d), 1);
    fv_dataset_free(d);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_VALIDATION, NULL), FV_E_FORMAT,
                     "cannot tell which are pictures and labels; found x_train 6x2x3x1 uint8, "
                     "y_train 6 int64, x_test");
    folder_remove("set.npz");
    folder_end();
}

static void npz_classes(void **state)
{
    (void)state;
    const int64_t numbers[4] = {10, 11, -12, 13};
    const float floats[3] = {0};
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    PUT(path, {"x", PIXELS}, {"y", LABELS},
        {"classes", {2, {3, 4}}, FV_UINT8, "ape\0lion\303\266l\0"});
    CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, NULL));
    check_six(d, 3, "\303\266l");
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {1, {4}}, FV_INT64, numbers});
    CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, NULL));
    check_six(d, 4, "-12");
    /* An array of another kind names nothing. */
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {1, {3}}, FV_FLOAT32, floats});
    CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, NULL));
    check_six(d, 3, "2");
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {1, {2}}, FV_INT64, numbers});
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_FORMAT,
                     "y: label 2 of sample 4, expected 0 to 1");
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {2, {3, 2}}, FV_UINT8, "a\0b\0\377\0"});
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_FORMAT,
                     "class 2 has a name that is not UTF-8");
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {1, {0}}, FV_INT64, numbers});
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_FORMAT,
                     "classes has 0 names, expected 1 to 65536");
    folder_remove("set.npz");
    folder_end();
}

/* ---- large arrays ---- */

/* Rows from their place in the file, also in the other byte order and as float64. */
static void npz_streams(void **state)
{
    (void)state;
    const fv_dataset_config streamed = {.memory_bytes = 1};
    double wide[6 * 4];
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    PUT(path, {"y", LABELS}, {"x", PIXELS});
    CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, &streamed));
    assert_null(fv_dataset_x(d).data);
    check_six(d, 3, "2");

    for (int i = 0; i < 24; i++)
        wide[i] = i * 1.5 - 3;
    const fv_shape shape = {3, {6, 2, 2}};
    for (int is_swapped = 0; is_swapped < 2; is_swapped++) {
        fvi_zip_save *save;
        fvi_text head = {0};
        CHECK_OK(fvi_npy_head_write(&head, &shape, FV_FLOAT64));
        char *order = strpbrk(head.data + 10, "<>");
        if (is_swapped) {
            *order = *order == '<' ? '>' : '<';
            fvi_swap_bytes(wide, 24, 8);
        }
        CHECK_OK(fvi_zip_save_begin(&save, folder_path(path, "set.npz")));
        const fvi_zip_rows rows = {.name = "x.npy",
                                   .head = head.data,
                                   .head_size = head.size,
                                   .row_bytes = 32,
                                   .rows = 6,
                                   .context = wide};
        CHECK_OK(fvi_zip_save_add(save, &rows));
        CHECK_OK(fvi_npz_save_add(save, "y", &(fv_shape){1, {6}}, FV_INT64, NULL,
                                  (void *)(uintptr_t)labels));
        CHECK_OK(fvi_zip_save_commit(save));
        fvi_text_free(&head);
        CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, &streamed));
        for (int i = 5; i >= 0; i--) {
            float x[4];
            CHECK_OK(fv_dataset_read(d, x, i));
            for (int k = 0; k < 4; k++)
                assert_true(x[k] == (float)((i * 4 + k) * 1.5 - 3));
        }
        assert_null(fv_dataset_x(d).data);
        fv_dataset_free(d);
    }
    folder_remove("set.npz");
    folder_end();
}

/* What cannot be read row by row is read whole, as long as there is memory for it. */
static void npz_compressed(void **state)
{
    (void)state;
    char path[1024];
    fv_dataset *d;
    fv_dataset_config config = {
        .memory_bytes = 1, .limit_bytes = 64, .x_name = "little_f8", .y_name = "labels"};
    snprintf(path, sizeof path, "%s/tests/golden/formats_deflated.npz", TEST_SOURCE_DIR);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, &config), FV_E_MEMORY,
                     "little_f8 is compressed or column-major and over the limit of 64 bytes");
    config.limit_bytes = 0;
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, &config), FV_E_SHAPE,
                     "labels: 3 labels for 2 pictures");
    snprintf(path, sizeof path, "%s/tests/golden/formats_numpy.npz", TEST_SOURCE_DIR);
    config.x_name = "columns_big_f8";
    config.limit_bytes = 64;
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, &config), FV_E_MEMORY,
                     "columns_big_f8 is compressed or column-major");
}

/* ---- what is refused ---- */

static void npz_refusals(void **state)
{
    (void)state;
    static const struct {
        npz_array x, y;
        fv_status code;
        const char *part;
    } rows[] = {
        {{"a", PIXELS}, {"b", LABELS}, FV_E_FORMAT, "found a 6x2x3x1 uint8, b 6 int64; expected"},
        {{"x", PIXELS}, {"b", LABELS}, FV_E_FORMAT, "cannot tell which are pictures"},
        {{"x", {1, {6}}, FV_INT64, labels}, {"y", LABELS}, FV_E_SHAPE, "x: shape is 6"},
        {{"x", {4, {6, 1, 1, 1}}, FV_INT64, labels},
         {"y", LABELS},
         FV_E_FORMAT,
         "x: pixels are int64"},
        {{"x", {4, {0, 2, 3, 1}}, FV_UINT8, pixels},
         {"y", LABELS},
         FV_E_SHAPE,
         "x: shape is 0x2x3x1"},
        {{"x", PIXELS},
         {"y", {1, {5}}, FV_INT64, labels},
         FV_E_SHAPE,
         "y: 5 labels for 6 pictures"},
        {{"x", PIXELS}, {"y", {1, {6}}, FV_FLOAT32, pixels}, FV_E_FORMAT, "y: labels are float32"},
        {{"x", PIXELS},
         {"y", {1, {6}}, FV_INT8, "\1\2\3\377\0\0"},
         FV_E_FORMAT,
         "label -1 of sample 3"},
        {{"x", {4, {6, 1, 1, 1}}, FV_FLOAT32, "\0\0\300\177"}, {"y", LABELS}, FV_E_FORMAT, "NaN"},
    };
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        char padded[64] = {0};
        npz_array x = rows[i].x;
        if (x.dtype == FV_FLOAT32) { /* the literal has only the first value */
            memcpy(padded, x.data, 4);
            x.data = padded;
        }
        PUT(path, x, rows[i].y);
        CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), rows[i].code, rows[i].part);
        CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), rows[i].code, "set.npz");
    }
    folder_remove("set.npz");
    folder_put("set.npz", "PK\3\4 and then nothing that a zip has", 37);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "set.npz"), FV_TRAIN, NULL), FV_E_FORMAT,
                     "set.npz");
    assert_false(fv_dataset_has(path, FV_TRAIN));
    fvi_zip_save *save;
    CHECK_OK(fvi_zip_save_begin(&save, path));
    CHECK_OK(fvi_zip_save_add(
        save, &(fvi_zip_rows){.name = "readme.txt", .head = "hello", .head_size = 5}));
    CHECK_OK(fvi_zip_save_commit(save));
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_FORMAT, "readme.txt");
    folder_remove("set.npz");
    folder_end();
}

/* The list of what was found has also arrays that are no numbers, and ends somewhere. */
static void npz_found(void **state)
{
    (void)state;
    char path[FOLDER_PATH], name[16];
    fv_dataset *d;
    fvi_zip_save *save;
    fvi_text head = {0};
    folder_begin();
    CHECK_OK(fvi_npy_head_write(&head, &(fv_shape){1, {1}}, FV_UINT8));
    memcpy(strstr(head.data + 10, "|u1"), "|S1", 3); /* after the zero in the magic */
    CHECK_OK(fvi_zip_save_begin(&save, folder_path(path, "set.npz")));
    CHECK_OK(fvi_zip_save_add(save, &(fvi_zip_rows){.name = "text.npy",
                                                    .head = head.data,
                                                    .head_size = head.size,
                                                    .row_bytes = 1,
                                                    .rows = 1,
                                                    .context = "a"}));
    fvi_text_free(&head);
    for (int i = 0; i < 14; i++) {
        snprintf(name, sizeof name, "a%d", i);
        CHECK_OK(fvi_npz_save_add(save, name, &(fv_shape){0}, FV_UINT8, NULL, "a"));
    }
    CHECK_OK(fvi_zip_save_commit(save));
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_FORMAT,
                     "found text (no numbers), a0 scalar uint8, a1 scalar uint8");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_FORMAT,
                     "a10 scalar uint8 and 3 more; expected");
    folder_remove("set.npz");
    folder_end();
}

/* Cut anywhere, or with a byte changed: never more than an error. */
static void npz_damaged(void **state)
{
    (void)state;
    const fv_dataset_config streamed = {.memory_bytes = 1};
    char path[FOLDER_PATH];
    unsigned char *bytes;
    size_t size;
    fv_dataset *d;
    long live = fvi_alloc_live();
    folder_begin();
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {2, {3, 2}}, FV_UINT8, "a\0b\0c\0"});
    CHECK_OK(fvi_file_read(&bytes, &size, path, 1 << 20));
    for (size_t i = 0; i < 2 * size; i++) {
        unsigned char *damaged = fvi_copy(bytes, size, "test");
        if (i < size) damaged[i] ^= 0x55;
        folder_put("set.npz", damaged, i < size ? size : i - size);
        fvi_free(damaged);
        if (fv_dataset_open(&d, path, FV_TRAIN, i % 2 ? &streamed : NULL) == FV_OK) {
            assert_true(i < size);
            uint8_t picture[64];
            assert_true(fv_dataset_shape(d).dim[0] <= 2 && fv_dataset_count(d) == 6);
            (void)fv_dataset_read(d, picture, 5);
            fv_dataset_free(d);
        }
    }
    fvi_free(bytes);
    folder_remove("set.npz");
    folder_end();
    assert_int_equal(fvi_alloc_live(), live);
}

static void npz_without_memory(void **state)
{
    (void)state;
    const fv_dataset_config streamed = {.memory_bytes = 1};
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    PUT(path, {"x", PIXELS}, {"y", LABELS}, {"classes", {2, {3, 2}}, FV_UINT8, "a\0b\0c\0"});
    CHECK_OOM(fv_dataset_open(&d, path, FV_TRAIN, NULL));
    check_six(d, 3, "c");
    CHECK_OOM(fv_dataset_open(&d, path, FV_TRAIN, &streamed));
    check_six(d, 3, "c");
    folder_remove("set.npz");
    folder_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npz_names),         cmocka_unit_test(npz_parts),
        cmocka_unit_test(npz_classes),       cmocka_unit_test(npz_streams),
        cmocka_unit_test(npz_compressed),    cmocka_unit_test(npz_refusals),
        cmocka_unit_test(npz_found),         cmocka_unit_test(npz_damaged),
        cmocka_unit_test(npz_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
