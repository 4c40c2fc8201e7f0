/* SPDX-License-Identifier: MIT */
/* Data sets in NPY and CIFAR files, and arrays that stay in their files because they are large. */
#include "data_check.h"

#include <math.h>

/* name.npy of that shape; data in native order. */
static void put_npy(const char *name, fv_shape shape, fv_dtype dtype, const void *data)
{
    size_t count;
    fvi_text text = {0};
    CHECK_OK(fvi_npy_head_write(&text, &shape, dtype));
    CHECK_OK(fvi_shape_count(&count, &shape));
    fvi_text_add_bytes(&text, data, count * fv_dtype_size(dtype));
    folder_put(name, text.data, text.size);
    fvi_text_free(&text);
}

static const uint8_t pixels[12] = {0, 1, 2, 3, 10, 11, 12, 13, 252, 253, 254, 255};
static const int64_t labels[3] = {2, 0, 1};

static void put_train(void)
{
    put_npy("x_train.npy", (fv_shape){4, {3, 2, 2, 1}}, FV_UINT8, pixels);
    put_npy("y_train.npy", (fv_shape){1, {3}}, FV_INT64, labels);
}

static void check_pixels(fv_dataset *d)
{
    assert_int_equal(fv_dataset_count(d), 3);
    for (int i = 0; i < 3; i++) {
        uint8_t out[4];
        CHECK_OK(fv_dataset_read(d, out, i));
        assert_memory_equal(out, pixels + 4 * i, 4);
        assert_int_equal(fv_dataset_label(d, i), labels[i]);
    }
    fv_dataset_free(d);
}

static void npy_parts(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    put_train();
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    assert_true(fv_dataset_is_in_memory(d));
    check_pixels(d);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TEST, NULL), FV_E_IO,
                     "has no test part; found x_train.npy, y_train.npy; expected one x_test.npy");
    put_npy("images_test.npy", (fv_shape){3, {3, 2, 2}}, FV_UINT8, pixels);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TEST, NULL), FV_E_FORMAT,
                     "lacks half of a part");
    put_npy("labels_test.npy", (fv_shape){2, {3, 1}}, FV_INT64, labels);
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TEST, NULL));
    check_pixels(d);
    assert_true(fv_dataset_has(check_root, FV_TEST));
    assert_false(fv_dataset_has(check_root, FV_VALIDATION));
    put_npy("x_test.npy", (fv_shape){3, {3, 2, 2}}, FV_UINT8, pixels);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TEST, NULL), FV_E_FORMAT,
                     "holds several files for one part");
    char path[FOLDER_PATH];
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "x_test.npy"), FV_TEST, NULL),
                     FV_E_FORMAT, "x_test.npy\" is one array: give its folder");
    folder_end();
    folder_begin(); /* no word says which part: it is the one to train on */
    put_npy("X.npy", (fv_shape){4, {3, 2, 2, 1}}, FV_UINT8, pixels);
    put_npy("y.npy", (fv_shape){1, {3}}, FV_INT64, labels);
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    check_pixels(d);
    folder_end();
}

static void npy_refused(void **state)
{
    (void)state;
    fv_dataset *d;
    const float nan[4] = {0, NAN, 0, 0};
    folder_begin();
    put_train();
    put_npy("y_train.npy", (fv_shape){1, {2}}, FV_INT64, labels);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_SHAPE,
                     "y_train.npy: 2 labels for 3 pictures");
    put_train();
    put_npy("x_train.npy", (fv_shape){2, {3, 4}}, FV_UINT8, pixels);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_SHAPE,
                     "x_train.npy: shape is 3x4, expected [N,H,W,C]");
    put_npy("x_train.npy", (fv_shape){4, {1, 2, 2, 1}}, FV_FLOAT32, nan);
    put_npy("y_train.npy", (fv_shape){1, {1}}, FV_INT64, labels);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_FORMAT,
                     "sample 0 holds NaN at 1");
    put_npy("x_train.npy", (fv_shape){4, {0, 2, 2, 1}}, FV_UINT8, pixels);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_SHAPE, "it is empty");
    folder_put("x_train.npy", "\x93NUMPY\1\0", 8);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_FORMAT,
                     "x_train.npy\": NPY");
    folder_put("x_train.npy", "nothing", 7);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_FORMAT,
                     "x_train.npy\":");
    folder_end();
}

/* ---- rows that stay in their file ---- */

static const fv_dataset_config tiny = {.memory_bytes = 1};

static void rows_of_npy(void **state)
{
    (void)state;
    fv_dataset *d;
    float out[4];
    const double wide[8] = {0, 0.25, 0.5, 1e300, 1, 2, 3, 4};
    folder_begin();
    put_train();
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, &tiny));
    assert_false(fv_dataset_is_in_memory(d));
    check_pixels(d);
    CHECK_OOM(fv_dataset_open(&d, check_root, FV_TRAIN, &tiny));
    check_pixels(d);
    /* float64 comes as float32; what does not fit is infinite, so it is left out */
    put_npy("x_train.npy", (fv_shape){3, {2, 2, 2}}, FV_FLOAT64, wide);
    put_npy("y_train.npy", (fv_shape){1, {2}}, FV_INT64, labels);
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, &tiny));
    assert_int_equal(fv_dataset_dtype(d), FV_FLOAT32);
    CHECK_FAILS(fv_dataset_read(d, out, 0), FV_E_FORMAT, "sample 0 holds infinity at 3");
    CHECK_OK(fv_dataset_read(d, out, 1));
    assert_true(out[0] == 1 && out[3] == 4);
    fv_dataset_free(d);
    /* the file becomes shorter while it is open */
    put_train();
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, &tiny));
    char path[FOLDER_PATH];
    assert_int_equal(truncate(folder_path(path, "x_train.npy"), 130), 0);
    CHECK_FAILS(fv_dataset_read(d, out, 2), FV_E_IO, "x_train.npy\": it became shorter");
    fv_dataset_free(d);
    folder_end();
}

/* The other byte order, as it stands in a file of an older machine. */
static void rows_swapped(void **state)
{
    (void)state;
    fv_dataset *d;
    uint8_t bytes[256];
    float out[1];
    const char *header = "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1, 1), }";
    folder_begin();
    memset(bytes, ' ', sizeof bytes);
    memcpy(bytes, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(bytes + 10, header, strlen(header));
    bytes[127] = '\n';
    memcpy(bytes + 128, (const uint8_t[]){0x3F, 0x80, 0, 0}, 4); /* 1.0 */
    folder_put("x_train.npy", bytes, 132);
    put_npy("y_train.npy", (fv_shape){1, {1}}, FV_INT64, (const int64_t[]){0});
    for (size_t memory = 0; memory <= 1; memory++) {
        CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN,
                                 &(fv_dataset_config){.memory_bytes = memory}));
        CHECK_OK(fv_dataset_read(d, out, 0));
        assert_true(out[0] == 1.0F);
        fv_dataset_free(d);
    }
    folder_end();
}

#ifdef FVI_WITH_HDF5
/* One golden file has x [N,...]; both ways of reading it agree. */
static void rows_of_hdf5(void **state)
{
    (void)state;
    const char *root = getenv("FOVEA_DATA");
    char path[FOLDER_PATH];
    if (!root) {
        print_message("skipped: FOVEA_DATA is not set\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/signs", root);
    fv_dataset *kept, *rows;
    static uint8_t a[64 * 64 * 3], b[64 * 64 * 3];
    CHECK_OK(fv_dataset_open(&kept, path, FV_TEST, NULL));
    CHECK_OK(fv_dataset_open(&rows, path, FV_TEST, &tiny));
    assert_false(fv_dataset_is_in_memory(rows));
    assert_int_equal(fv_dataset_count(rows), 157);
    for (int k = 0; k < 157; k++) {
        int i = k * 61 % 157; /* in any order */
        CHECK_OK(fv_dataset_read(kept, a, i));
        CHECK_OK(fv_dataset_read(rows, b, i));
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(fv_dataset_label(kept, i), fv_dataset_label(rows, i));
    }
    fv_dataset_free(kept);
    fv_dataset_free(rows);
}
#endif

/* ---- CIFAR ---- */

/* n pictures whose planes are (number, 100, 200) and whose label is number % 10, after `extra`
   bytes of coarse label. */
static void put_cifar(const char *name, int first, int n, int extra)
{
    static uint8_t bytes[8 * 3074];
    uint8_t *at = bytes;
    for (int i = first; i < first + n; i++) {
        for (int k = 0; k < extra; k++)
            *at++ = 3;
        *at++ = (uint8_t)(extra ? 90 + i % 10 : i % 10);
        memset(at, i, 1024);
        memset(at + 1024, 100, 1024);
        memset(at + 2048, 200, 1024);
        at += 3072;
    }
    folder_put(name, bytes, (size_t)(at - bytes));
}

static void cifar(void **state)
{
    (void)state;
    fv_dataset *d;
    static uint8_t out[3072];
    folder_begin();
    put_cifar("data_batch_1.bin", 0, 4, 0);
    put_cifar("data_batch_2.bin", 4, 3, 0);
    put_cifar("test_batch.bin", 50, 2, 0);
    const char *names = "a\nb\r\nc\nd\ne\nf\ng\nh\ni\nlast one\n\n";
    folder_put("batches.meta.txt", names, strlen(names));
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    assert_int_equal(fv_dataset_count(d), 7);
    assert_int_equal(fv_dataset_classes(d), 10);
    assert_string_equal(fv_dataset_class(d, 9), "last one");
    for (int i = 0; i < 7; i++) {
        CHECK_OK(fv_dataset_read(d, out, i));
        assert_int_equal(fv_dataset_label(d, i), i);
        assert_memory_equal(out + 3069, ((uint8_t[]){(uint8_t)i, 100, 200}), 3);
    }
    fv_dataset_free(d);
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TEST, NULL));
    assert_int_equal(fv_dataset_count(d), 2);
    assert_int_equal(fv_dataset_label(d, 1), 1);
    fv_dataset_free(d);
    CHECK_OOM(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    fv_dataset_free(d);
    folder_remove("batches.meta.txt");
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    assert_string_equal(fv_dataset_class(d, 9), "9");
    fv_dataset_free(d);
    folder_put("data_batch_2.bin", "\x80\2}q\1", 5); /* the Python version */
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_UNSUPPORTED,
                     "data_batch_2.bin\": CIFAR: this is a Python pickle");
    folder_end();
    folder_begin();
    put_cifar("train.bin", 0, 4, 1);
    put_cifar("test.bin", 0, 2, 1);
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    assert_int_equal(fv_dataset_classes(d), 100);
    assert_int_equal(fv_dataset_label(d, 3), 93);
    fv_dataset_free(d);
    folder_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_parts),    cmocka_unit_test(npy_refused),
        cmocka_unit_test(rows_of_npy),  cmocka_unit_test(rows_swapped),
#ifdef FVI_WITH_HDF5
        cmocka_unit_test(rows_of_hdf5),
#endif
        cmocka_unit_test(cifar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
