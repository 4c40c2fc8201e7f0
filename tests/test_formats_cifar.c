/* SPDX-License-Identifier: MIT */
/* CIFAR-10 and CIFAR-100, the binary version: pixels where they belong, and what is none of it. */
#include "formats_check.h"

#define PLANE 1024

/* Records whose labels are i % classes (coarse: i % 20) and whose pixels tell where they are. */
static unsigned char *cifar_made(size_t *size, int classes, size_t records)
{
    size_t record = FVI_CIFAR_RECORD(classes);
    *size = records * record;
    unsigned char *bytes = malloc(*size), *at = bytes;
    assert_non_null(bytes);
    for (size_t i = 0; i < records; i++) {
        if (classes == 100) *at++ = (unsigned char)(i % 20);
        *at++ = (unsigned char)(i % (size_t)classes);
        for (size_t k = 0; k < 3 * PLANE; k++)
            *at++ = (unsigned char)(7 * i + 31 * (k / PLANE) + k % PLANE / 32 + 3 * (k % 32));
    }
    return bytes;
}

static void cifar_reads(void **state)
{
    (void)state;
    for (int classes = 10; classes <= 100; classes += 90) {
        fvi_array x, y;
        size_t size, records = 123;
        unsigned char *bytes = cifar_made(&size, classes, records);
        long live = fvi_alloc_live();
        CHECK_OK(fvi_cifar_read(&x, &y, bytes, size, classes));
        assert_true(fvi_shape_equal(&x.shape, &(fv_shape){4, {123, 32, 32, 3}}));
        assert_true(fvi_shape_equal(&y.shape, &(fv_shape){1, {123}}));
        assert_int_equal(x.dtype, FV_UINT8);
        assert_int_equal(y.dtype, FV_UINT8);
        const unsigned char *pixel = x.data;
        for (size_t i = 0; i < records; i++) {
            assert_int_equal(((unsigned char *)y.data)[i], i % (size_t)classes);
            for (size_t h = 0; h < 32; h++)
                for (size_t w = 0; w < 32; w++)
                    for (size_t c = 0; c < 3; c++)
                        if (*pixel++ != (unsigned char)(7 * i + 31 * c + h + 3 * w))
                            fail_msg("sample %zu, [%zu,%zu,%zu]", i, h, w, c);
        }
        fvi_array_free(&x);
        fvi_array_free(&y);
        for (long k = 1; k <= 2; k++) {
            fvi_alloc_fail_at(k);
            CHECK_FAILS(fvi_cifar_read(&x, &y, bytes, size, classes), FV_E_MEMORY, "CIFAR");
            fvi_alloc_fail_at(0);
            assert_true(x.data == NULL && y.data == NULL);
            assert_int_equal(fvi_alloc_live(), live);
        }
        free(bytes);
    }
}

/* I05, I06, I07: bytes changed in a file of three records. */
static void cifar_refuses(void **state)
{
    (void)state;
    static const struct {
        int made, read;    /* classes */
        int cut, at, byte; /* bytes left out at the end; a byte written over, or at < 0 */
        fv_status status;
        const char *part;
    } row[] = {
        {10, 10, 1, -1, 0, FV_E_FORMAT, "9218 bytes, expected a multiple of 3073 (3072 too many"},
        {100, 100, 3073, -1, 0, FV_E_FORMAT, "multiple of 3074 (1 too many: cut"},
        {100, 10, 0, -1, 0, FV_E_FORMAT, "no whole records of 3073, but 3 of CIFAR-100"},
        {10, 100, 0, -1, 0, FV_E_FORMAT, "no whole records of 3074, but 3 of CIFAR-10"},
        {10, 10, 9219, -1, 0, FV_E_FORMAT, "empty"},
        {10, 10, 0, 0, 10, FV_E_FORMAT, "label 10 of sample 0, expected 0 to 9"},
        {10, 10, 0, 2 * 3073, 255, FV_E_FORMAT, "label 255 of sample 2"},
        {100, 100, 0, 3074, 20, FV_E_FORMAT, "coarse label 20 of sample 1, expected 0 to 19"},
        {100, 100, 0, 3075, 100, FV_E_FORMAT, "CIFAR-100: label 100 of sample 1, expected 0 to 99"},
        {10, 10, 0, 0, 0x80, FV_E_UNSUPPORTED, "cifar-10-binary.tar.gz"},
        {100, 100, 1, 0, 0x80, FV_E_UNSUPPORTED, "Python pickle, which is never unpickled"},
        {10, 20, 0, -1, 0, FV_E_ARG, "20 classes"},
        {10, 0, 0, -1, 0, FV_E_ARG, "0 classes"},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_array x, y;
        size_t size;
        unsigned char *bytes = cifar_made(&size, row[i].made, 3);
        size -= (size_t)row[i].cut;
        if (row[i].at >= 0) bytes[row[i].at] = (unsigned char)row[i].byte;
        if (row[i].byte == 0x80) bytes[1] = 2; /* as Python's protocol 2 begins */
        unsigned char *exact = check_exact(bytes, size);
        long count = fvi_alloc_count();
        CHECK_FAILS(fvi_cifar_read(&x, &y, exact, size, row[i].read), row[i].status, row[i].part);
        assert_true(x.data == NULL && y.data == NULL);
        assert_int_equal(fvi_alloc_count(), count);
        free(exact);
        free(bytes);
    }
    fvi_array x, y;
    CHECK_FAILS(fvi_cifar_read(&x, &y, (const unsigned char *)"(dp0\nS'data'", 12, 10),
                FV_E_UNSUPPORTED, "pickle");
}

static void cifar_tells(void **state)
{
    (void)state;
    size_t size;
    unsigned char *bytes = cifar_made(&size, 10, 3);
    assert_int_equal(fvi_cifar_classes(bytes, size, size), 10);
    assert_int_equal(fvi_cifar_classes(bytes, 100, size), 10);
    assert_int_equal(fvi_cifar_classes(bytes, size, size - 1), 0);
    assert_int_equal(fvi_cifar_classes(bytes, 0, 0), 0);
    free(bytes);
    bytes = cifar_made(&size, 100, 3);
    assert_int_equal(fvi_cifar_classes(bytes, size, size), 100);
    free(bytes);
    /* 3,074 records of one kind are as long as 3,073 of the other. */
    bytes = cifar_made(&size, 10, 3074);
    assert_int_equal(size, 3073 * FVI_CIFAR_RECORD(100));
    assert_int_equal(fvi_cifar_classes(bytes, size, size), 10);
    assert_int_equal(fvi_cifar_classes(bytes, 65536, size), 10);
    free(bytes);
    bytes = cifar_made(&size, 100, 3073);
    assert_int_equal(fvi_cifar_classes(bytes, size, size), 100);
    assert_int_equal(fvi_cifar_classes(bytes, 65536, size), 100);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cifar_reads),
        cmocka_unit_test(cifar_refuses),
        cmocka_unit_test(cifar_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
