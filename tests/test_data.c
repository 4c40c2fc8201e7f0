/* SPDX-License-Identifier: MIT */
/* Data sets of arrays: what is taken and what is refused, the looks at one, batches. */
#include "data_check.h"

#include <float.h>
#include <limits.h>
#include <math.h>

static fv_tensor tensor(fv_dtype dtype, const void *data, int rank, int a, int b, int c, int d)
{
    return (fv_tensor){{rank, {a, b, c, d}}, dtype, (void *)(uintptr_t)data};
}

/* Three pictures of 2x2x1. */
static const uint8_t three_x[12] = {0, 1, 2, 3, 10, 11, 12, 13, 252, 253, 254, 255};
static const float three_f[12] = {0, 1, 2, 3, -1, -2, -3, -4, 0.5F, 1e30F, -1e-30F, 7};

static fv_tensor three_pixels(void)
{
    return tensor(FV_UINT8, three_x, 4, 3, 2, 2, 1);
}

/* ---- what is taken ---- */

static void arrays_taken(void **state)
{
    (void)state;
    const int64_t label[] = {2, 0, 2};
    const char *names[] = {"cat", "dog", "\xC3\xA9l\xC3\xA9phant", "unused"};
    fv_tensor x = three_pixels(), y = tensor(FV_INT64, label, 1, 3, 0, 0, 0);
    long live = fvi_alloc_live();
    fv_dataset *d;
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, names, 4));
    assert_int_equal(fv_dataset_count(d), 3);
    fv_shape shape = fv_dataset_shape(d);
    assert_true(fvi_shape_equal(&(fv_shape){3, {2, 2, 1}}, &shape));
    assert_int_equal(fv_dataset_classes(d), 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(fv_dataset_class(d, i), names[i]);
    assert_null(fv_dataset_class(d, -1));
    assert_null(fv_dataset_class(d, 4));
    fv_tensor got = fv_dataset_x(d);
    assert_int_equal(got.dtype, FV_UINT8);
    assert_true(fvi_shape_equal(&got.shape, &x.shape));
    assert_ptr_not_equal(got.data, three_x); /* copied */
    assert_memory_equal(got.data, three_x, 12);
    got = fv_dataset_y(d);
    assert_int_equal(got.dtype, FV_INT32);
    assert_true(fvi_shape_equal(&got.shape, &(fv_shape){1, {3}}));
    for (int i = 0; i < 3; i++)
        assert_int_equal(fv_dataset_label(d, i), label[i]);
    assert_int_equal(fv_dataset_label(d, -1), -1);
    assert_int_equal(fv_dataset_label(d, 3), -1);
    fv_dataset_free(d);
    assert_int_equal(fvi_alloc_live(), live);
}

/* Labels of every integer type, as [N], [N,1] and [1,N]; classes counted, and named by their
   numbers. */
static void arrays_label_types(void **state)
{
    (void)state;
    const uint8_t u8[] = {1, 0, 3}, flag[] = {1, 0, 1};
    const int8_t i8[] = {1, 0, 3};
    const uint16_t u16[] = {1, 0, 3};
    const int16_t i16[] = {1, 0, 3};
    const uint32_t u32[] = {1, 0, 3};
    const int32_t i32[] = {1, 0, 3};
    const uint64_t u64[] = {1, 0, 3};
    const int64_t i64[] = {1, 0, 3};
    const fv_tensor y[] = {
        tensor(FV_UINT8, u8, 1, 3, 0, 0, 0),   tensor(FV_INT8, i8, 2, 3, 1, 0, 0),
        tensor(FV_UINT16, u16, 2, 1, 3, 0, 0), tensor(FV_INT16, i16, 1, 3, 0, 0, 0),
        tensor(FV_UINT32, u32, 1, 3, 0, 0, 0), tensor(FV_INT32, i32, 2, 1, 3, 0, 0),
        tensor(FV_UINT64, u64, 2, 3, 1, 0, 0), tensor(FV_INT64, i64, 1, 3, 0, 0, 0),
        tensor(FV_BOOL, flag, 1, 3, 0, 0, 0),
    };
    fv_tensor x = tensor(FV_FLOAT32, three_f, 2, 3, 4, 0, 0);
    for (size_t i = 0; i < FVI_COUNT(y); i++) {
        fv_dataset *d;
        int last = y[i].dtype == FV_BOOL ? 1 : 3;
        CHECK_OK(fv_dataset_from_arrays(&d, &x, &y[i], NULL, 0));
        assert_int_equal(fv_dataset_classes(d), last + 1);
        assert_string_equal(fv_dataset_class(d, last), last == 3 ? "3" : "1");
        assert_int_equal(fv_dataset_label(d, 0), 1);
        assert_int_equal(fv_dataset_label(d, 1), 0);
        assert_int_equal(fv_dataset_label(d, 2), last);
        fv_shape shape = fv_dataset_shape(d);
        assert_true(fvi_shape_equal(&shape, &(fv_shape){1, {4}}));
        fv_dataset_free(d);
    }
}

static void arrays_targets(void **state)
{
    (void)state;
    const float rows[] = {0, 1, 0, 0.25F, 0.25F, 0.5F, -1, -1, -2};
    const char *names[] = {"a", "b", "c"};
    fv_tensor x = three_pixels(), y = tensor(FV_FLOAT32, rows, 2, 3, 3, 0, 0);
    fv_dataset *d;
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, names, 3));
    fv_tensor got = fv_dataset_y(d);
    assert_int_equal(got.dtype, FV_FLOAT32);
    assert_true(fvi_shape_equal(&got.shape, &(fv_shape){2, {3, 3}}));
    assert_memory_equal(got.data, rows, sizeof rows);
    assert_int_equal(fv_dataset_label(d, 0), 1);
    assert_int_equal(fv_dataset_label(d, 1), 2);
    assert_int_equal(fv_dataset_label(d, 2), 0); /* the first of the largest */
    assert_string_equal(fv_dataset_class(d, 2), "c");
    fv_dataset_free(d);
    y = tensor(FV_FLOAT32, rows, 2, 3, 1, 0, 0); /* one output, such as a sigmoid */
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, NULL, 0));
    assert_int_equal(fv_dataset_classes(d), 1);
    fv_dataset_free(d);
}

/* ---- what is refused ---- */

static void arrays_refused(void **state)
{
    (void)state;
    const int32_t good[] = {0, 1, 2}, negative[] = {0, -1, 2};
    const int64_t huge[] = {0, 1, INT64_C(1) << 31}, many[] = {0, 1, 65536};
    const uint64_t top[] = {0, UINT64_MAX, 0};
    const float nan_row[] = {0, 1, 2, 3, NAN, 5}, half[] = {0, 0.5F, 1};
    const float bad_x[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, INFINITY, 0};
    const double wide[12] = {0};
    const fv_tensor x = three_pixels();
    const struct {
        fv_tensor x, y;
        int classes;
        fv_status code;
        const char *part;
    } rows[] = {
        {x, tensor(FV_INT32, good, 1, 2, 0, 0, 0), 0, FV_E_SHAPE, "2 labels for 3 pictures"},
        {x, tensor(FV_INT32, good, 2, 2, 1, 0, 0), 0, FV_E_SHAPE, "2 labels for 3 pictures"},
        {x, tensor(FV_INT32, good, 2, 1, 4, 0, 0), 0, FV_E_SHAPE, "4 labels for 3 pictures"},
        {x, tensor(FV_INT32, good, 2, 3, 2, 0, 0), 0, FV_E_SHAPE, "labels are 3x2, expected one"},
        {x, tensor(FV_INT32, good, 0, 0, 0, 0, 0), 0, FV_E_SHAPE, "expected one"},
        {x, tensor(FV_INT32, good, 4, 3, 1, 1, 1), 0, FV_E_SHAPE, "expected one"},
        {x, tensor(FV_INT32, good, 1, 3, 0, 0, 0), 2, FV_E_FORMAT,
         "label 2 of sample 2, expected 0 to 1"},
        {x, tensor(FV_INT32, negative, 1, 3, 0, 0, 0), 0, FV_E_FORMAT, "label -1 of sample 1"},
        {x, tensor(FV_INT64, huge, 1, 3, 0, 0, 0), 0, FV_E_FORMAT, "label 2147483648 of sample 2"},
        {x, tensor(FV_INT64, many, 1, 3, 0, 0, 0), 0, FV_E_FORMAT, "label 65536 of sample 2"},
        {x, tensor(FV_UINT64, top, 1, 3, 0, 0, 0), 0, FV_E_FORMAT, "of sample 1"},
        {x, tensor(FV_INT32, good, 1, 3, 0, 0, 0), -1, FV_E_ARG, "-1 classes"},
        {x, tensor(FV_INT32, good, 1, 3, 0, 0, 0), 65537, FV_E_ARG, "65537 classes"},
        {x, tensor(FV_INT32, NULL, 1, 3, 0, 0, 0), 0, FV_E_ARG, "y has no data"},
        {x, tensor(FV_FLOAT32, half, 1, 3, 0, 0, 0), 0, FV_E_ARG, "y is 3 of float32, expected"},
        {x, tensor(FV_FLOAT64, wide, 2, 3, 1, 0, 0), 0, FV_E_ARG, "y is 3x1 of float64"},
        {x, tensor(FV_FLOAT16, good, 1, 3, 0, 0, 0), 0, FV_E_ARG, "float16"},
        {x, tensor((fv_dtype)99, good, 1, 3, 0, 0, 0), 0, FV_E_ARG, "y is"},
        {x, tensor(FV_FLOAT32, nan_row, 2, 3, 2, 0, 0), 0, FV_E_FORMAT,
         "y: sample 2 holds NaN at 0"},
        {x, tensor(FV_FLOAT32, nan_row, 2, 2, 3, 0, 0), 0, FV_E_SHAPE, "y has 2 rows"},
        {x, tensor(FV_FLOAT32, nan_row, 2, 3, 2, 0, 0), 3, FV_E_SHAPE, "y has 2 columns"},
        {x, tensor(FV_FLOAT32, nan_row, 2, 3, 0, 0, 0), 0, FV_E_SHAPE, "y has 0 columns"},
        {tensor(FV_FLOAT32, bad_x, 4, 3, 2, 2, 1), tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0,
         FV_E_FORMAT, "x: sample 2 holds infinity at 2"},
        {tensor(FV_FLOAT64, wide, 4, 3, 2, 2, 1), tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0,
         FV_E_ARG, "x is float64, expected uint8 or float32"},
        {tensor(FV_UINT8, three_x, 3, 3, 2, 2, 0), tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0,
         FV_E_SHAPE, "x has 3 dimensions"},
        {tensor(FV_UINT8, three_x, 4, 0, 2, 2, 1), tensor(FV_INT32, good, 1, 0, 0, 0, 0), 0,
         FV_E_SHAPE, "x is 0x2x2x1: it is empty"},
        {tensor(FV_UINT8, three_x, 4, 3, 2, 0, 1), tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0,
         FV_E_SHAPE, "it is empty"},
        {tensor(FV_UINT8, three_x, 4, 3, -2, 2, 1), tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0,
         FV_E_SHAPE, ""},
        {tensor(FV_UINT8, three_x, 4, INT_MAX, INT_MAX, INT_MAX, 3),
         tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0, FV_E_SHAPE, ""},
        {tensor(FV_UINT8, NULL, 4, 3, 2, 2, 1), tensor(FV_INT32, good, 1, 3, 0, 0, 0), 0, FV_E_ARG,
         "x has no data"},
    };
    fv_dataset *d;
    for (size_t i = 0; i < FVI_COUNT(rows); i++)
        CHECK_OPEN_FAILS(fv_dataset_from_arrays(&d, &rows[i].x, &rows[i].y, NULL, rows[i].classes),
                         rows[i].code, rows[i].part);
    const char *gap[] = {"a", NULL, "c"};
    const fv_tensor y = tensor(FV_INT32, good, 1, 3, 0, 0, 0);
    CHECK_OPEN_FAILS(fv_dataset_from_arrays(&d, &x, &y, gap, 3), FV_E_ARG, "of class 1 is NULL");
    CHECK_OPEN_FAILS(fv_dataset_from_arrays(&d, &x, &y, gap, 0), FV_E_ARG, "of class 1 is NULL");
    CHECK_OPEN_FAILS(fv_dataset_from_arrays(&d, NULL, &y, NULL, 0), FV_E_ARG, "x is NULL");
    CHECK_OPEN_FAILS(fv_dataset_from_arrays(&d, &x, NULL, NULL, 0), FV_E_ARG, "y is NULL");
    CHECK_FAILS(fv_dataset_from_arrays(NULL, &x, &y, NULL, 0), FV_E_ARG, "dataset is NULL");
}

/* ---- looks and names ---- */

static void accessors_of_null(void **state)
{
    (void)state;
    assert_int_equal(fv_dataset_count(NULL), 0);
    assert_int_equal(fv_dataset_shape(NULL).rank, 0);
    assert_int_equal(fv_dataset_classes(NULL), 0);
    assert_null(fv_dataset_class(NULL, 0));
    assert_null(fv_dataset_x(NULL).data);
    assert_null(fv_dataset_y(NULL).data);
    assert_int_equal(fv_dataset_label(NULL, 0), -1);
    assert_null(fv_dataset_name(NULL));
    fv_dataset_free(NULL);
}

static void names(void **state)
{
    (void)state;
    const int32_t label[] = {0, 1, 0};
    fv_tensor x = three_pixels(), y = tensor(FV_INT32, label, 1, 3, 0, 0, 0);
    fv_dataset *d;
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, NULL, 0));
    assert_string_equal(fv_dataset_name(d), "arrays");
    char name[] = "mine.h5";
    CHECK_OK(fv_dataset_set_name(d, name));
    name[0] = '?'; /* it was copied */
    assert_string_equal(fv_dataset_name(d), "mine.h5");
    CHECK_OK(fv_dataset_set_name(d, fv_dataset_name(d)));
    assert_string_equal(fv_dataset_name(d), "mine.h5");
    CHECK_FAILS(fv_dataset_set_name(d, NULL), FV_E_ARG, "name is NULL");
    CHECK_FAILS(fv_dataset_set_name(NULL, "a"), FV_E_ARG, "dataset is NULL");
    fvi_alloc_fail_at(1);
    assert_int_equal(fv_dataset_set_name(d, "other"), FV_E_MEMORY);
    fvi_alloc_fail_at(0);
    assert_string_equal(fv_dataset_name(d), "mine.h5");
    const char *other[] = {"no", "yes"};
    for (long k = 1; k <= 3; k++) { /* a failure leaves the old names */
        fvi_alloc_fail_at(k);
        assert_int_equal(fvi_dataset_name_classes(d, other), FV_E_MEMORY);
        fvi_alloc_fail_at(0);
        assert_string_equal(fv_dataset_class(d, 0), "0");
        assert_string_equal(fv_dataset_class(d, 1), "1");
    }
    CHECK_OK(fvi_dataset_name_classes(d, other));
    assert_string_equal(fv_dataset_class(d, 1), "yes");
    fv_dataset_free(d);
}

static void open_arguments(void **state)
{
    (void)state;
    fv_dataset *d;
    CHECK_FAILS(fv_dataset_open(NULL, "made:digits", FV_TRAIN, NULL), FV_E_ARG, "dataset is NULL");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, NULL, FV_TRAIN, NULL), FV_E_ARG, "path is NULL");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "made:digits", (fv_split)3, NULL), FV_E_ARG, "split is 3");
}

/* ---- batches ---- */

static void batch_of_pixels(void **state)
{
    (void)state;
    const int32_t label[] = {0, 1, 0};
    const int order[] = {2, 0, 2, 1};
    fv_tensor x = three_pixels(), y = tensor(FV_INT32, label, 1, 3, 0, 0, 0);
    fv_dataset *d;
    float out[17];
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, NULL, 0));
    const float scale = 1.0F / 255.0F, offset = -0.5F;
    out[16] = 42;
    CHECK_OK(fv_dataset_batch(d, out, order, 99, 4, scale, offset));
    for (int i = 0; i < 16; i++) {
        float right = (float)three_x[4 * order[i / 4] + i % 4] * scale + offset;
        assert_true(out[i] == right);
    }
    CHECK_OK(fv_dataset_batch(d, out, NULL, 1, 2, 1.0F, 0.0F));
    for (int i = 0; i < 8; i++)
        assert_true(out[i] == three_x[4 + i]);
    CHECK_OK(fv_dataset_batch(d, out, NULL, 0, 3, 2.0F, 1.0F));
    assert_true(out[11] == 511.0F);
    assert_true(out[16] == 42.0F);
    CHECK_OK(fv_dataset_batch(d, out, NULL, 3, 0, 1.0F, 0.0F)); /* nothing is legal */
    CHECK_OK(fv_dataset_batch(d, NULL, NULL, 0, 0, 1.0F, 0.0F));
    fv_dataset_free(d);
}

/* Floats are what the user made them: scale and offset are for 8-bit pixels. */
static void batch_of_floats(void **state)
{
    (void)state;
    const int32_t label[] = {0, 1, 0};
    const int order[] = {1, 1};
    fv_tensor x = tensor(FV_FLOAT32, three_f, 4, 3, 2, 2, 1),
              y = tensor(FV_INT32, label, 1, 3, 0, 0, 0);
    fv_dataset *d;
    float out[12];
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, NULL, 0));
    CHECK_OK(fv_dataset_batch(d, out, NULL, 0, 3, 5.0F, 9.0F));
    assert_memory_equal(out, three_f, sizeof out);
    CHECK_OK(fv_dataset_batch(d, out, order, 0, 2, 5.0F, 9.0F));
    assert_memory_equal(out, three_f + 4, 4 * sizeof *out);
    assert_memory_equal(out + 4, three_f + 4, 4 * sizeof *out);
    fv_dataset_free(d);
}

static void batch_refused(void **state)
{
    (void)state;
    const int32_t label[] = {0, 1, 0};
    const int past[] = {0, 3}, before[] = {0, -1};
    fv_tensor x = three_pixels(), y = tensor(FV_INT32, label, 1, 3, 0, 0, 0);
    fv_dataset *d;
    float out[12] = {42};
    CHECK_OK(fv_dataset_from_arrays(&d, &x, &y, NULL, 0));
    CHECK_FAILS(fv_dataset_batch(NULL, out, NULL, 0, 1, 1, 0), FV_E_ARG, "dataset is NULL");
    CHECK_FAILS(fv_dataset_batch(d, NULL, NULL, 0, 1, 1, 0), FV_E_ARG, "x is NULL");
    CHECK_FAILS(fv_dataset_batch(d, out, NULL, 0, -1, 1, 0), FV_E_ARG, "a batch of -1");
    CHECK_FAILS(fv_dataset_batch(d, out, past, 0, -1, 1, 0), FV_E_ARG, "a batch of -1");
    CHECK_FAILS(fv_dataset_batch(d, out, NULL, -1, 1, 1, 0), FV_E_ARG, "from number -1");
    CHECK_FAILS(fv_dataset_batch(d, out, NULL, 1, 3, 1, 0), FV_E_ARG,
                "a batch of 3 pictures from number 1, the data set has 3");
    CHECK_FAILS(fv_dataset_batch(d, out, NULL, 1, INT_MAX, 1, 0), FV_E_ARG, "a batch of");
    CHECK_FAILS(fv_dataset_batch(d, out, NULL, INT_MAX, 1, 1, 0), FV_E_ARG, "a batch of");
    CHECK_FAILS(fv_dataset_batch(d, out, past, 0, 2, 1, 0), FV_E_ARG, "picture 3 in a batch");
    CHECK_FAILS(fv_dataset_batch(d, out, before, 0, 2, 1, 0), FV_E_ARG, "picture -1 in a batch");
    assert_true(out[0] == 42.0F); /* nothing was written */
    fv_dataset_free(d);
}

/* ---- memory that is short ---- */

static void arrays_memory(void **state)
{
    (void)state;
    const int32_t label[] = {0, 1, 2};
    const char *words[] = {"a", "b", "c"};
    const float rows[] = {1, 0, 0, 1, 1, 0};
    fv_tensor x = three_pixels(), y = tensor(FV_INT32, label, 1, 3, 0, 0, 0),
              targets = tensor(FV_FLOAT32, rows, 2, 3, 2, 0, 0);
    fv_dataset *d;
    CHECK_OOM(fv_dataset_from_arrays(&d, &x, &y, words, 3));
    fv_dataset_free(d);
    CHECK_OOM(fv_dataset_from_arrays(&d, &x, &targets, NULL, 0));
    fv_dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_taken),      cmocka_unit_test(arrays_label_types),
        cmocka_unit_test(arrays_targets),    cmocka_unit_test(arrays_refused),
        cmocka_unit_test(accessors_of_null), cmocka_unit_test(names),
        cmocka_unit_test(open_arguments),    cmocka_unit_test(batch_of_pixels),
        cmocka_unit_test(batch_of_floats),   cmocka_unit_test(batch_refused),
        cmocka_unit_test(arrays_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
