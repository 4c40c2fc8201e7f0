/* SPDX-License-Identifier: MIT */
/* Data sets in HDF5: the course's layout and others, what is refused and how, the real sets where
   there are any. */
#include "data_check.h"

#ifndef FVI_WITH_HDF5

static void hdf5_absent(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    folder_put("train_a.h5", "\x89HDF\r\n\x1A\n", 8);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_UNSUPPORTED, "HDF5");
    folder_end();
    print_message("skipped: HDF5 data sets, built without HDF5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hdf5_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <hdf5.h>
#include <math.h>

/* Six pictures of 2x3x1, labels for two classes and more. */
static const uint8_t pixels[36] = {1, 2, 3, 4, 5, 6, 7, 8, 9, [30] = 250, 251, 252, 253, 254, 255};
static const int64_t labels[6] = {1, 0, 0, 1, 2, 0};

/* ---- writing files ---- */

static void h5_put(hid_t file, const char *name, hid_t stored, hid_t given, int rank,
                   const int *dim, const void *data)
{
    hsize_t size[4];
    for (int i = 0; i < rank; i++)
        size[i] = (hsize_t)dim[i];
    hid_t space = H5Screate_simple(rank, size, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t set = H5Dcreate2(file, name, stored, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Pclose(links);
    H5Sclose(space);
}

static hid_t h5_begin(const char *name)
{
    char path[FOLDER_PATH];
    hid_t file = H5Fcreate(folder_path(path, name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void put_x(hid_t file, const char *name)
{
    h5_put(file, name, H5T_STD_U8LE, H5T_NATIVE_UINT8, 4, (const int[]){6, 2, 3, 1}, pixels);
}

static void put_y(hid_t file, const char *name)
{
    h5_put(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (const int[]){6}, labels);
}

static void put_strings(hid_t file, const char *name, const char *text, int count, size_t width)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    h5_put(file, name, type, type, 1, &count, text);
    H5Tclose(type);
}

static void put_pair(const char *name, const char *x, const char *y)
{
    hid_t file = h5_begin(name);
    put_x(file, x);
    put_y(file, y);
    H5Fclose(file);
}

static fv_status open_file(fv_dataset **d, const char *name, fv_split split)
{
    char path[FOLDER_PATH];
    return fv_dataset_open(d, folder_path(path, name), split, NULL);
}

static void check_six(fv_dataset *d, int classes, const char *class_2)
{
    fv_tensor x = fv_dataset_x(d);
    assert_true(fvi_shape_equal(&x.shape, &(fv_shape){4, {6, 2, 3, 1}}));
    assert_int_equal(x.dtype, FV_UINT8);
    assert_memory_equal(x.data, pixels, sizeof pixels);
    assert_int_equal(fv_dataset_y(d).dtype, FV_INT32);
    for (int i = 0; i < 6; i++)
        assert_int_equal(fv_dataset_label(d, i), labels[i]);
    assert_int_equal(fv_dataset_classes(d), classes);
    assert_string_equal(fv_dataset_class(d, 2), class_2);
    fv_dataset_free(d);
}

/* ---- what opens ---- */

/* list_classes stands in the test file only; the train file gets its names all the same. */
static void hdf5_course(void **state)
{
    (void)state;
    const int64_t numbers[] = {10, 11, 12, 13};
    fv_dataset *d;
    char path[FOLDER_PATH];
    long live = fvi_alloc_live();
    folder_begin();
    put_pair("train_signs.h5", "train_set_x", "train_set_y");
    hid_t file = h5_begin("test_signs.h5");
    put_x(file, "test_set_x");
    put_y(file, "test_set_y");
    h5_put(file, "list_classes", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (const int[]){4}, numbers);
    H5Fclose(file);
    folder_put("notes.txt", "x", 1);
    for (int split = 0; split < 2; split++) {
        CHECK_OK(fv_dataset_open(&d, check_root, (fv_split)split, NULL));
        assert_string_equal(fv_dataset_name(d),
                            folder_path(path, split ? "test_signs.h5" : "train_signs.h5"));
        check_six(d, 4, "12");
    }
    CHECK_OK(open_file(&d, "train_signs.h5", FV_TRAIN)); /* alone: only its labels */
    check_six(d, 3, "2");
    CHECK_OK(open_file(&d, "train_signs.h5", FV_TEST)); /* the file is the set */
    check_six(d, 3, "2");
    CHECK_OOM(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    check_six(d, 4, "12");
    CHECK_OOM(fv_dataset_open(&d, check_root, FV_TEST, NULL));
    check_six(d, 4, "12");
    folder_put("test_signs.h5", "broken", 6); /* is not the train file's trouble */
    CHECK_OK(fv_dataset_open(&d, check_root, FV_TRAIN, NULL));
    check_six(d, 3, "2");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TEST, NULL), FV_E_FORMAT, "test_signs.h5");
    folder_remove("test_signs.h5");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TEST, NULL), FV_E_IO,
                     "has no test part; found train_signs.h5; expected one test_*.h5");
    folder_end();
    assert_int_equal(fvi_alloc_live(), live);
}

static void hdf5_class_names(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    hid_t file = h5_begin("a.h5");
    put_x(file, "train_set_x");
    put_y(file, "train_set_y");
    put_strings(file, "list_classes", "non-catcat\0\0\0\0bird\0\0\0", 3, 7);
    H5Fclose(file);
    CHECK_OK(open_file(&d, "a.h5", FV_TRAIN));
    assert_string_equal(fv_dataset_class(d, 0), "non-cat");
    assert_string_equal(fv_dataset_class(d, 1), "cat");
    check_six(d, 3, "bird");
    folder_end();
}

static void hdf5_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"test_set_x", "test_set_y"},     {"x", "y"},           {"X", "y"},
        {"X_train/X", "X_train/Y"},       {"images", "labels"}, {"my_images", "my_labels"},
        {"group/deep/x", "group/deep/y"},
    };
    fv_dataset *d;
    folder_begin();
    for (size_t i = 0; i < FVI_COUNT(names); i++) {
        put_pair("a.h5", names[i][0], names[i][1]);
        CHECK_OK(open_file(&d, "a.h5", FV_TRAIN));
        check_six(d, 3, "2");
    }
    folder_end();
}

/* Both parts in one file: here split does pick. */
static void hdf5_both_parts(void **state)
{
    (void)state;
    const uint8_t one[6] = {9, 9, 9, 9, 9, 9};
    const int64_t label = 1;
    fv_dataset *d;
    folder_begin();
    hid_t file = h5_begin("both.h5");
    put_x(file, "train_set_x");
    put_y(file, "train_set_y");
    h5_put(file, "test_set_x", H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, (const int[]){1, 2, 3}, one);
    h5_put(file, "test_set_y", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (const int[]){1}, &label);
    H5Fclose(file);
    CHECK_OK(open_file(&d, "both.h5", FV_TRAIN));
    check_six(d, 3, "2");
    CHECK_OK(open_file(&d, "both.h5", FV_TEST));
    assert_int_equal(fv_dataset_count(d), 1);
    fv_shape shape = fv_dataset_shape(d); /* [N,H,W] is one channel */
    assert_true(fvi_shape_equal(&shape, &(fv_shape){3, {2, 3, 1}}));
    fv_dataset_free(d);
    folder_end();
}

static void hdf5_types(void **state)
{
    (void)state;
    double values[36];
    for (int i = 0; i < 36; i++)
        values[i] = 0.1 * i - 1.0;
    const hid_t stored[] = {H5T_IEEE_F64LE, H5T_IEEE_F64BE, H5T_IEEE_F32LE};
    const hid_t label_type[] = {H5T_STD_U8LE, H5T_STD_I32BE, H5T_STD_I64LE};
    static const int label_shape[][2] = {{6, 1}, {1, 6}, {6, 1}};
    fv_dataset *d;
    folder_begin();
    for (int k = 0; k < 3; k++) {
        hid_t file = h5_begin("a.h5");
        h5_put(file, "x", stored[k], H5T_NATIVE_DOUBLE, 4, (const int[]){6, 2, 3, 1}, values);
        h5_put(file, "y", label_type[k], H5T_NATIVE_INT64, 2, label_shape[k], labels);
        H5Fclose(file);
        CHECK_OK(open_file(&d, "a.h5", FV_TRAIN));
        assert_int_equal(fv_dataset_x(d).dtype, FV_FLOAT32);
        for (int i = 0; i < 36; i++)
            assert_true(((const float *)fv_dataset_x(d).data)[i] == (float)values[i]);
        for (int i = 0; i < 6; i++)
            assert_int_equal(fv_dataset_label(d, i), labels[i]);
        fv_dataset_free(d);
    }
    folder_end();
}

/* ---- what is refused ---- */

static void hdf5_which(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    H5Fclose(h5_begin("a.h5"));
    CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), FV_E_FORMAT,
                     "found no data set at all; expected train_set_x and train_set_y");
    hid_t file = h5_begin("a.h5");
    put_x(file, "pictures");
    put_y(file, "kinds");
    put_strings(file, "words", "abc", 1, 3);
    H5Fclose(file);
    CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), FV_E_FORMAT,
                     "cannot tell which are pictures and labels; found kinds 6 int64, pictures "
                     "6x2x3x1 uint8, words (no numbers); expected");
    file = h5_begin("a.h5"); /* two pairs, none of them named for a part */
    put_x(file, "a_x");
    put_y(file, "a_y");
    put_x(file, "b_x");
    put_y(file, "b_y");
    H5Fclose(file);
    CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), FV_E_FORMAT, "cannot tell");
    file = h5_begin("a.h5");
    for (int i = 0; i < 15; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%02d", i);
        put_y(file, name);
    }
    H5Fclose(file);
    CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), FV_E_FORMAT, "n11 6 int64 and 3 more");
    put_pair("a.h5", "train_set_x", "test_set_y"); /* no partner */
    CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), FV_E_FORMAT, "cannot tell");
    folder_end();
}

static void hdf5_content(void **state)
{
    (void)state;
    const float not_finite[6] = {0, 1, 2, 3, INFINITY, 5};
    const double too_large[6] = {0, 1, 2, 3, 4, 1e300};
    const int64_t minus[] = {0, 1, -3, 0, 0, 0};
    const double halves[] = {0, 1, 0.5, 0, 0, 0};
    const struct {
        hid_t x_stored, x_given;
        int x_rank, x_dim[4];
        const void *x;
        hid_t y_type;
        int y_count;
        const void *y;
        fv_status code;
        const char *part;
    } rows[] = {
        {H5T_STD_U8LE,
         H5T_NATIVE_UINT8,
         4,
         {6, 2, 3, 1},
         pixels,
         H5T_NATIVE_INT64,
         5,
         labels,
         FV_E_SHAPE,
         "a.h5\": y: 5 labels for 6 pictures"},
        {H5T_STD_U8LE,
         H5T_NATIVE_UINT8,
         2,
         {6, 6},
         pixels,
         H5T_NATIVE_INT64,
         6,
         labels,
         FV_E_SHAPE,
         "a.h5\": x: shape is 6x6, expected [N,H,W,C] or [N,H,W]"},
        {H5T_STD_U8LE,
         H5T_NATIVE_UINT8,
         3,
         {0, 2, 3},
         pixels,
         H5T_NATIVE_INT64,
         0,
         labels,
         FV_E_SHAPE,
         "a.h5\": x: shape is 0x2x3: it is empty"},
        {H5T_STD_I32LE,
         H5T_NATIVE_UINT8,
         4,
         {6, 2, 3, 1},
         pixels,
         H5T_NATIVE_INT64,
         6,
         labels,
         FV_E_FORMAT,
         "x: pixels are int32, expected uint8, float32 or float64"},
        {H5T_IEEE_F32LE,
         H5T_NATIVE_FLOAT,
         3,
         {6, 1, 1},
         not_finite,
         H5T_NATIVE_INT64,
         6,
         labels,
         FV_E_FORMAT,
         "x: pixels: sample 4 holds infinity at 0"},
        {H5T_IEEE_F64LE,
         H5T_NATIVE_DOUBLE,
         3,
         {6, 1, 1},
         too_large,
         H5T_NATIVE_INT64,
         6,
         labels,
         FV_E_FORMAT,
         "sample 5 holds infinity"},
        {H5T_STD_U8LE,
         H5T_NATIVE_UINT8,
         4,
         {6, 2, 3, 1},
         pixels,
         H5T_NATIVE_INT64,
         6,
         minus,
         FV_E_FORMAT,
         "a.h5\": y: label -3 of sample 2, expected 0 to"},
        {H5T_STD_U8LE,
         H5T_NATIVE_UINT8,
         4,
         {6, 2, 3, 1},
         pixels,
         H5T_NATIVE_DOUBLE,
         6,
         halves,
         FV_E_FORMAT,
         "a.h5\": y: labels are float64, expected integers"},
    };
    fv_dataset *d;
    folder_begin();
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        hid_t file = h5_begin("a.h5");
        h5_put(file, "x", rows[i].x_stored, rows[i].x_given, rows[i].x_rank, rows[i].x_dim,
               rows[i].x);
        h5_put(file, "y", rows[i].y_type, rows[i].y_type, 1, &rows[i].y_count, rows[i].y);
        H5Fclose(file);
        CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), rows[i].code, rows[i].part);
    }
    hid_t file = h5_begin("a.h5");
    put_x(file, "x");
    put_strings(file, "y", "abcdef", 6, 1);
    H5Fclose(file);
    CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), FV_E_UNSUPPORTED, "a.h5\": ");
    char path[FOLDER_PATH];
    put_pair("a.h5", "x", "y");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "a.h5"), FV_TRAIN,
                                     &(fv_dataset_config){.limit_bytes = 35}),
                     FV_E_MEMORY, "the limit is 35");
    folder_end();
}

static void hdf5_bad_classes(void **state)
{
    (void)state;
    const int64_t two[] = {0, 1};
    const double real[] = {0, 1, 2};
    fv_dataset *d;
    folder_begin();
    for (int k = 0; k < 4; k++) {
        static const char *const part[] = {
            "a.h5\": train_set_y: label 2 of sample 4, expected 0 to 1",
            "list_classes is float64, expected integers or strings",
            "list_classes has 2 dimensions, expected 1",
            "list_classes has 0 names, expected 1 to",
        };
        hid_t file = h5_begin("a.h5");
        put_x(file, "train_set_x");
        put_y(file, "train_set_y");
        if (k == 1)
            h5_put(file, "list_classes", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, (const int[]){3},
                   real);
        else
            h5_put(file, "list_classes", H5T_STD_I64LE, H5T_NATIVE_INT64, k == 2 ? 2 : 1,
                   k == 3 ? (const int[]){0, 0} : (const int[]){2, 1}, two);
        H5Fclose(file);
        CHECK_OPEN_FAILS(open_file(&d, "a.h5", FV_TRAIN), k == 2 ? FV_E_SHAPE : FV_E_FORMAT,
                         part[k]);
    }
    folder_end();
}

static void hdf5_several(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    put_pair("train_b.h5", "train_set_x", "train_set_y");
    put_pair("train_a.h5", "train_set_x", "train_set_y");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, check_root, FV_TRAIN, NULL), FV_E_FORMAT,
                     "holds several files for one part; found train_a.h5, train_b.h5");
    folder_end();
}

/* ---- the real sets ---- */

static void hdf5_real(const char *name, int split, int count, int classes, const int *seen,
                      const int *first)
{
    char path[1024];
    const char *root = getenv("FOVEA_DATA");
    if (root) snprintf(path, sizeof path, "%s/%s", root, name);
    if (!root || !fvi_file_is_folder(path)) {
        print_message("skipped: the set %s, %s\n", name,
                      root ? "FOVEA_DATA has no such folder" : "FOVEA_DATA is not set");
        skip();
    }
    fv_dataset *d;
    int got[8] = {0};
    CHECK_OK(fv_dataset_open(&d, path, (fv_split)split, NULL));
    assert_int_equal(fv_dataset_count(d), count);
    fv_shape shape = fv_dataset_shape(d);
    assert_true(fvi_shape_equal(&shape, &(fv_shape){3, {64, 64, 3}}));
    assert_int_equal(fv_dataset_x(d).dtype, FV_UINT8);
    assert_int_equal(fv_dataset_classes(d), classes);
    for (int i = 0; i < count; i++)
        got[fv_dataset_label(d, i)]++;
    assert_memory_equal(got, seen, (size_t)classes * sizeof *got);
    for (int i = 0; i < 8; i++)
        assert_int_equal(fv_dataset_label(d, i), first[i]);
    char number[16];
    snprintf(number, sizeof number, "%d", classes - 1);
    assert_string_equal(fv_dataset_class(d, classes - 1), number);
    fv_dataset_free(d);
}

static void hdf5_signs(void **state)
{
    (void)state;
    hdf5_real("signs", FV_TRAIN, 1080, 6, (const int[]){181, 177, 179, 185, 180, 178},
              (const int[]){1, 1, 0, 1, 5, 0, 2, 3});
    hdf5_real("signs", FV_TEST, 157, 6, (const int[]){24, 29, 27, 21, 27, 29},
              (const int[]){2, 1, 4, 0, 1, 1, 4, 1});
}

static void hdf5_happy(void **state)
{
    (void)state;
    hdf5_real("happy", FV_TRAIN, 2400, 2, (const int[]){1219, 1181},
              (const int[]){0, 0, 0, 1, 0, 0, 0, 1});
    hdf5_real("happy", FV_TEST, 600, 2, (const int[]){292, 308},
              (const int[]){1, 0, 1, 0, 1, 0, 0, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hdf5_course),  cmocka_unit_test(hdf5_class_names),
        cmocka_unit_test(hdf5_names),   cmocka_unit_test(hdf5_both_parts),
        cmocka_unit_test(hdf5_types),   cmocka_unit_test(hdf5_which),
        cmocka_unit_test(hdf5_content), cmocka_unit_test(hdf5_bad_classes),
        cmocka_unit_test(hdf5_several), cmocka_unit_test(hdf5_signs),
        cmocka_unit_test(hdf5_happy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
