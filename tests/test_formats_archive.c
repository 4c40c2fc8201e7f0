/* SPDX-License-Identifier: MIT */
/* Zip and NPZ: what numpy wrote is read, and every trick is refused before memory is taken. */
#include "formats_check.h"

#ifndef FVI_WITH_ZIP

static void zip_absent(void **state)
{
    (void)state;
    fvi_zip *zip;
    CHECK_FAILS(fvi_zip_open(&zip, "a.npz"), FV_E_UNSUPPORTED, "built without libzip");
    assert_null(zip);
    print_message("skipped: zip and NPZ, built without libzip\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zip_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include "zip_made.h"

static fvi_zip *opened(const char *name)
{
    char path[128];
    fvi_zip *zip;
    CHECK_OK(fvi_zip_open(&zip, check_path(path, name)));
    return zip;
}

/* ---- reading ---- */

static double element(const fvi_array *array, size_t i)
{
    switch (array->dtype) {
    case FV_FLOAT32:
        return ((float *)array->data)[i];
    case FV_FLOAT64:
        return ((double *)array->data)[i];
    case FV_INT8:
        return ((int8_t *)array->data)[i];
    case FV_INT16:
        return ((int16_t *)array->data)[i];
    case FV_INT32:
        return ((int32_t *)array->data)[i];
    case FV_INT64:
        return (double)((int64_t *)array->data)[i];
    case FV_FLOAT16: { /* small whole numbers only */
        unsigned bits = ((uint16_t *)array->data)[i];
        double value = bits & 0x7FFF ? (double)(1024 + (bits & 1023)) : 0;
        for (int exponent = (int)(bits >> 10 & 31); value != 0 && exponent < 25; exponent++)
            value /= 2;
        return bits >> 15 ? -value : value;
    }
    default:
        return ((uint8_t *)array->data)[i];
    }
}

/* Every type in both orders, stored and deflated, as numpy wrote them. */
static void npz_of_numpy(void **state)
{
    (void)state;
    static const char *const golden[] = {"formats_numpy.npz", "formats_deflated.npz"};
    static const struct {
        const char *end;
        fv_dtype dtype;
    } kind[] = {{"_i1", FV_INT8},    {"_i2", FV_INT16},   {"_i4", FV_INT32},  {"_i8", FV_INT64},
                {"_f2", FV_FLOAT16}, {"_f4", FV_FLOAT32}, {"_f8", FV_FLOAT64}};
    char path[1024];
    for (size_t g = 0; g < 2; g++) {
        long live = fvi_alloc_live();
        int ramps = 0;
        fvi_zip *zip;
        fvi_value *names;
        fvi_array array;
        fvi_npy_head head;
        snprintf(path, sizeof path, "%s/tests/golden/%s", TEST_SOURCE_DIR, golden[g]);
        CHECK_OK(fvi_zip_open(&zip, path));
        CHECK_OK(fvi_npz_names(zip, &names));
        assert_int_equal(names->count, 21);
        assert_string_equal(names->item[0]->string, "labels");
        assert_string_equal(names->item[20]->string, "columns_big_f8");
        for (size_t i = 0; i < names->count; i++) {
            const char *name = names->item[i]->string;
            CHECK_OK(fvi_npz_head(zip, name, &head));
            CHECK_OK(fvi_npz_read(zip, name, 8000, &array));
            assert_true(fvi_shape_equal(&head.shape, &array.shape) && head.dtype == array.dtype);
            for (size_t k = 0; k < FVI_COUNT(kind); k++) {
                if (strcmp(name + strlen(name) - 3, kind[k].end) != 0) continue;
                assert_true(fvi_shape_equal(&array.shape, &(fv_shape){3, {2, 3, 4}}));
                assert_int_equal(array.dtype, kind[k].dtype);
                for (int n = 0; n < 24; n++)
                    if (element(&array, (size_t)n) != n - 5) fail_msg("%s[%d]", name, n);
                ramps++;
            }
            fvi_array_free(&array);
        }
        assert_int_equal(ramps, 16);
        CHECK_OK(fvi_npz_read(zip, "labels.npy", 3, &array));
        assert_memory_equal(array.data, "\3\1\2", 3);
        fvi_array_free(&array);
        CHECK_OK(fvi_npz_read(zip, "flags", 4, &array));
        assert_int_equal(array.dtype, FV_BOOL);
        assert_memory_equal(array.data, "\1\0\0\1", 4);
        fvi_array_free(&array);
        CHECK_OK(fvi_npz_read(zip, "scalar", 8, &array));
        assert_true(array.shape.rank == 0 && *(double *)array.data == 2.5);
        fvi_array_free(&array);
        CHECK_FAILS(fvi_npz_read(zip, "labels", 2, &array), FV_E_MEMORY,
                    "\"labels\": NPY: 3 bytes, the limit is 2");
        CHECK_FAILS(fvi_npz_read(zip, "absent", 2, &array), FV_E_FORMAT, "no array \"absent\"");
        const fvi_zip_member *zeros = fvi_zip_find(zip, "zeros.npy");
        assert_int_equal(zeros->is_stored, g == 0);
        assert_true(g == 0 ? zeros->packed == zeros->size : zeros->packed < 200);
        fvi_value_free(names);
        fvi_zip_close(zip);
        assert_int_equal(fvi_alloc_live(), live);
    }
}

static void zip_reads(void **state)
{
    (void)state;
    char path[128], peeked[4];
    unsigned char *bytes;
    size_t size;
    made_zip made = made_two();
    made_write(&made, check_path(path, "a.zip"));
    fvi_zip *zip = opened("a.zip");
    assert_int_equal(fvi_zip_count(zip), 2);
    assert_null(fvi_zip_at(zip, 2));
    assert_null(fvi_zip_at(zip, -1));
    assert_null(fvi_zip_find(zip, "three"));
    assert_string_equal(fvi_zip_at(zip, 1)->name, "two");
    for (int i = 0; i < 2; i++) {
        const fvi_zip_member *member = fvi_zip_at(zip, i);
        assert_int_equal(member->is_stored, i == 0);
        assert_int_equal(member->size, 5);
        CHECK_OK(fvi_zip_read(zip, member->name, 5, &bytes, &size));
        assert_int_equal(size, 5);
        assert_memory_equal(bytes, "hello", 5);
        fvi_free(bytes);
        CHECK_OK(fvi_zip_peek(zip, member->name, peeked, 4, &size));
        assert_int_equal(size, 4);
        assert_memory_equal(peeked, "hell", 4);
        CHECK_FAILS(fvi_zip_read(zip, member->name, 4, &bytes, &size), FV_E_MEMORY,
                    "5 bytes, the limit is 4");
        assert_null(bytes);
    }
    unsigned char *raw; /* a stored member may be read from the file itself */
    CHECK_OK(fvi_file_read(&raw, &size, path, 1 << 20));
    assert_memory_equal(raw + fvi_zip_at(zip, 0)->offset, "hello", 5);
    assert_true(fvi_zip_is(raw, size));
    assert_false(fvi_zip_is(raw, 3));
    fvi_free(raw);
    CHECK_FAILS(fvi_zip_read(zip, "three", 5, &bytes, &size), FV_E_FORMAT, "no member \"three\"");
    CHECK_FAILS(fvi_zip_peek(zip, "a\033", peeked, 4, &size), FV_E_FORMAT, "\"a\\x1b\"");
    fvi_zip_close(zip);
    fvi_zip_close(NULL);
    CHECK_FAILS(fvi_zip_open(&zip, check_path(path, "absent.zip")), FV_E_IO, "absent.zip\": ");
    CHECK_FAILS(fvi_zip_open(&zip, check_folder), FV_E_IO, "not a regular file");
    CHECK_FAILS(fvi_zip_open(&zip, NULL), FV_E_ARG, "NULL");
}

/* Rare, but well formed. */
static void zip_accepts(void **state)
{
    (void)state;
    char path[128];
    check_path(path, "a.zip");
    for (int i = 0; i < 6; i++) {
        made_zip made = made_two();
        made_member *m = &made.member[1];
        if (i == 0) made.comment = "a comment with PK\5\6 in it, and more than 22 bytes after it";
        if (i == 1) made.is_wide = true;
        if (i == 2) m->is_wide = m->local_is_wide = true;
        if (i == 3) m->local_is_wide = true; /* as numpy does through Python */
        if (i == 4) m->flags = 0x0808;
        if (i == 5) m->flags = 0x0808, m->local_zeros = true, made.member[0].extra = "\x55\x54\0\0";
        made_write(&made, path);
        fvi_zip *zip = opened("a.zip");
        unsigned char *bytes;
        size_t size;
        CHECK_OK(fvi_zip_read(zip, "two", 5, &bytes, &size));
        assert_memory_equal(bytes, "hello", 5);
        fvi_free(bytes);
        fvi_zip_close(zip);
    }
    made_zip none = {0};
    fvi_value *names;
    made_write(&none, path);
    fvi_zip *zip = opened("a.zip");
    assert_int_equal(fvi_zip_count(zip), 0);
    CHECK_FAILS(fvi_npz_names(zip, &names), FV_E_FORMAT, "no member that is .npy");
    fvi_zip_close(zip);
}

/* ---- what is refused: D05 to D09, G08 ---- */

static void zip_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name; /* of the second member, when it has another one */
        fv_status status;
        const char *part;
    } names[] = {
        {"../x", FV_E_UNSUPPORTED, "\"../x\": a name that leads elsewhere"},
        {"a/../x", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"a/..", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"..", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"/etc/passwd", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"C:x", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"a\\b", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"", FV_E_UNSUPPORTED, "leads elsewhere"},
        {"one", FV_E_FORMAT, "\"one\": there are two of this name"},
        {"\033[31m", FV_E_FORMAT, NULL},
        {"..x", FV_E_FORMAT, NULL},
        {"a/...", FV_E_FORMAT, NULL},
    };
    char path[128];
    fvi_zip *zip;
    check_path(path, "a.zip");
    for (size_t i = 0; i < FVI_COUNT(names); i++) {
        made_zip made = made_two();
        made.member[1].name = names[i].name;
        made_write(&made, path);
        if (names[i].part != NULL) {
            CHECK_FAILS(fvi_zip_open(&zip, path), names[i].status, names[i].part);
            assert_non_null(strstr(fv_error(), "a.zip\": zip"));
            assert_null(zip);
        } else {
            zip = opened("a.zip");
            fvi_zip_close(zip);
        }
    }
}

/* One thing is wrong in each row. */
static void zip_refuses_fields(void **state)
{
    (void)state;
    static const struct {
        made_lie lie;
        fv_status status;
        const char *part;
    } row[] = {
        {{CENTRAL, 8, 2, 1}, FV_E_UNSUPPORTED, "\"two\": encrypted"},
        {{CENTRAL, 8, 2, 0x41}, FV_E_UNSUPPORTED, "encrypted"},
        {{CENTRAL, 8, 2, 0x2000}, FV_E_UNSUPPORTED, "encrypted"},
        {{CENTRAL, 8, 2, 0x20}, FV_E_UNSUPPORTED, "a patch"},
        {{CENTRAL, 10, 2, 12}, FV_E_UNSUPPORTED, "method 12, expected 0 (stored) or 8 (deflate)"},
        {{CENTRAL, 10, 2, 99}, FV_E_UNSUPPORTED, "method 99"},
        {{CENTRAL, 34, 2, 1}, FV_E_UNSUPPORTED, "on another disk"},
        {{CENTRAL, 38, 4, 0120777u << 16}, FV_E_UNSUPPORTED, "a link or a device"},
        {{CENTRAL, 38, 4, 0020666u << 16}, FV_E_UNSUPPORTED, "a link or a device"},
        {{CENTRAL, 24, 4, 10 * 1033}, FV_E_FORMAT, "10 bytes are said to unpack to 10330"},
        {{CENTRAL, 24, 4, 0xFFFFFFFE}, FV_E_FORMAT, "said to unpack to 4294967294"},
        {{CENTRAL, 24, 4, 0xFFFFFFFF}, FV_E_FORMAT, "damaged extra fields"},
        {{CENTRAL, 20, 4, 0xFFFFFFFF}, FV_E_FORMAT, "damaged extra fields"},
        {{CENTRAL, 42, 4, 0xFFFFFFFF}, FV_E_FORMAT, "damaged extra fields"},
        {{CENTRAL, 30, 2, 3}, FV_E_FORMAT, "damaged directory"},
        {{CENTRAL, 28, 2, 0xFFFF}, FV_E_FORMAT, "damaged directory"},
        {{CENTRAL, 28, 2, 2}, FV_E_FORMAT, "\"tw\": its local header contradicts"},
        {{CENTRAL, 0, 4, 0}, FV_E_FORMAT, "damaged directory"},
        {{CENTRAL, 42, 4, 0}, FV_E_FORMAT, "\"two\": its local header contradicts the directory"},
        {{CENTRAL, 42, 4, 1}, FV_E_FORMAT, "no local header where the directory says"},
        {{CENTRAL, 42, 4, 1000000}, FV_E_FORMAT, "is said to be in the directory"},
        {{CENTRAL, 47, 1, 0}, FV_E_FORMAT, "a name that holds a NUL"},
        {{LOCAL, 0, 4, 0}, FV_E_FORMAT, "no local header"},
        {{LOCAL, 6, 2, 0x800}, FV_E_FORMAT, "contradicts"},
        {{LOCAL, 8, 2, 0}, FV_E_FORMAT, "contradicts"},
        {{LOCAL, 14, 4, 7}, FV_E_FORMAT, "contradicts"},
        {{LOCAL, 14, 4, 0}, FV_E_FORMAT, "contradicts"},
        {{LOCAL, 18, 4, 9}, FV_E_FORMAT, "contradicts"},
        {{LOCAL, 22, 4, 6}, FV_E_FORMAT, "contradicts"},
        {{LOCAL, 26, 2, 0xFFFF}, FV_E_FORMAT, "no local header"},
        {{LOCAL, 28, 2, 0xFFFF}, FV_E_FORMAT, "no local header"},
        {{LOCAL, 30, 1, 'T'}, FV_E_FORMAT, "contradicts"},
        {{END, 4, 2, 1}, FV_E_UNSUPPORTED, "zip: in parts"},
        {{END, 6, 2, 1}, FV_E_UNSUPPORTED, "zip: in parts"},
        {{END, 8, 2, 1}, FV_E_UNSUPPORTED, "zip: in parts"},
        {{END, 12, 4, 10}, FV_E_FORMAT, "its directory is said to be at byte"},
        {{END, 16, 4, 0}, FV_E_FORMAT, "its directory is said to be at byte 0 to"},
        {{END, 16, 4, 0xFFFFFFFF}, FV_E_FORMAT, "is said to be at byte 4294967295"},
        {{END, 20, 2, 1}, FV_E_FORMAT, "no end of its directory: cut, or no archive"},
        {{END, 0, 4, 0}, FV_E_FORMAT, "no end of its directory"},
        {{COUNT, 8, 2, 1}, FV_E_FORMAT, "more in its directory than 1 members"},
        {{COUNT, 8, 2, 3}, FV_E_FORMAT, "3 members in a directory of 98 bytes"},
        {{COUNT, 8, 2, 0xFFFF}, FV_E_FORMAT, "65535 members in a directory of"},
        {{WIDE, 0, 4, 0}, FV_E_FORMAT, "no zip64 record at byte"},
        {{WIDE, 4, 8, 45}, FV_E_FORMAT, "no zip64 record"},
        {{WIDE, 16, 4, 1}, FV_E_UNSUPPORTED, "in parts"},
        {{WIDE, 24, 8, 1}, FV_E_UNSUPPORTED, "in parts"},
        {{WIDE, 40, 8, 7}, FV_E_FORMAT, "contradict each other"},
        {{WIDE, 48, 8, 7}, FV_E_FORMAT, "contradict each other"},
        {{LOCATOR, 4, 4, 1}, FV_E_UNSUPPORTED, "in parts"},
        {{LOCATOR, 8, 8, 1}, FV_E_FORMAT, "no zip64 record at byte 1"},
        {{LOCATOR, 8, 8, UINT64_MAX}, FV_E_FORMAT, "is said to be at byte 18446744073709551615"},
        {{LOCATOR, 16, 4, 2}, FV_E_UNSUPPORTED, "in parts"},
    };
    char path[128];
    fvi_zip *zip;
    check_path(path, "a.zip");
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        made_zip made = made_two();
        made.lie = row[i].lie;
        made.is_wide = row[i].lie.where == WIDE || row[i].lie.where == LOCATOR;
        made_write(&made, path);
        long live = fvi_alloc_live();
        CHECK_FAILS(fvi_zip_open(&zip, path), row[i].status, row[i].part);
        assert_null(zip);
        assert_int_equal(fvi_alloc_live(), live);
    }
}

/* What only shows when a member is unpacked. */
static void zip_refuses_data(void **state)
{
    (void)state;
    static const struct {
        const char *data; /* of ten bytes: one block that is not compressed */
        uint32_t crc, size;
        const char *part;
    } row[] = {
        {"\1\5\0\xFA\xFFhello", 0x3610A687, 5, "\"two\": CRC error"},
        {"\1\5\0\xFA\xFFhellO", MADE_CRC, 5, "CRC error"},
        {"\1\5\0\xFA\xFFhello", MADE_CRC, 4, "unpacks to more bytes than it claims"},
        {"\1\5\0\xFA\xFFhello", MADE_CRC, 6, "\"two\": "},
        {"\1\5\0\xFA\xFFhello", MADE_CRC, 10320, "\"two\": "},
        {"\1\5\0\xFA\xF0hello", MADE_CRC, 5, "\"two\": "},
        {"\7\5\0\xFA\xFFhello", MADE_CRC, 5, "\"two\": "},
    };
    char path[128];
    check_path(path, "a.zip");
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        made_zip made = made_two();
        made.member[1].data = row[i].data;
        made.member[1].crc = row[i].crc;
        made.member[1].size = row[i].size;
        made_write(&made, path);
        fvi_zip *zip = opened("a.zip");
        unsigned char *bytes;
        size_t size;
        long live = fvi_alloc_live();
        CHECK_FAILS(fvi_zip_read(zip, "two", 1 << 20, &bytes, &size), FV_E_FORMAT, row[i].part);
        assert_null(bytes);
        CHECK_OK(fvi_zip_read(zip, "one", 5, &bytes, &size));
        fvi_free(bytes);
        assert_int_equal(fvi_alloc_live(), live);
        fvi_zip_close(zip);
    }
}

/* A member inside another; two ends; more members than may be; bytes before the archive. */
static void zip_refuses_whole(void **state)
{
    (void)state;
    char path[128];
    unsigned char *bytes, *twice;
    size_t size;
    fvi_zip *zip;
    made_zip made = made_two();
    check_path(path, "a.zip");
    made.member[0].holds_next = true;
    made_write(&made, path);
    CHECK_FAILS(fvi_zip_open(&zip, path), FV_E_FORMAT, "\"two\": it lies over another");
    made = made_two();
    char comment[22 + 257 + 1] = "PK\5\6";
    memset(comment + 4, 1, 22 + 257 - 4); /* whose comment is 257 bytes long */
    made.comment = comment;
    made_write(&made, path);
    CHECK_FAILS(fvi_zip_open(&zip, path), FV_E_FORMAT, "two ends");
    made = made_two();
    made.is_wide = true;
    made.entries = 65536;
    made_write(&made, path);
    CHECK_FAILS(fvi_zip_open(&zip, path), FV_E_MEMORY, "65536 members");
    made = made_two();
    made_write(&made, path);
    CHECK_OK(fvi_file_read(&bytes, &size, path, 1 << 20));
    twice = malloc(2 * size);
    assert_non_null(twice);
    memcpy(twice, bytes, size);
    memcpy(twice + size, bytes, size);
    CHECK_OK(fvi_file_write(path, twice, 2 * size));
    CHECK_FAILS(fvi_zip_open(&zip, path), FV_E_FORMAT, "its directory is said to be at byte");
    for (size_t cut = 0; cut < size; cut++) {
        CHECK_OK(fvi_file_write(path, bytes, cut));
        CHECK_FAILS(fvi_zip_open(&zip, path), FV_E_FORMAT, "no end of its directory");
    }
    free(twice);
    fvi_free(bytes);
}

static void npz_refuses(void **state)
{
    (void)state;
    char path[128];
    fvi_value *names;
    fvi_array array;
    made_zip made = made_two();
    made.member[1].name = "x.npy";
    made_write(&made, check_path(path, "a.zip"));
    fvi_zip *zip = opened("a.zip");
    CHECK_FAILS(fvi_npz_names(zip, &names), FV_E_FORMAT, "the member \"one\" is no .npy");
    assert_null(names);
    CHECK_FAILS(fvi_npz_read(zip, "x", 100, &array), FV_E_FORMAT,
                "\"x\": NPY: 5 bytes that do not");
    CHECK_FAILS(fvi_npz_read(zip, "one", 100, &array), FV_E_FORMAT, "NPZ: no array \"one\"");
    fvi_zip_close(zip);
}

static void zip_starved(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/formats_deflated.npz", TEST_SOURCE_DIR);
    long live = fvi_alloc_live(), k = 0;
    for (fv_status status = FV_E_MEMORY; status != FV_OK;) {
        fvi_zip *zip;
        fvi_value *names = NULL;
        fvi_array array = {0};
        fvi_alloc_fail_at(++k);
        status = fvi_zip_open(&zip, path);
        if (status == FV_OK) status = fvi_npz_names(zip, &names);
        if (status == FV_OK) status = fvi_npz_read(zip, "columns_i2", 1000, &array);
        fvi_alloc_fail_at(0);
        if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
        fvi_array_free(&array);
        fvi_value_free(names);
        fvi_zip_close(zip);
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 50);
}

static int zip_done(void **state)
{
    (void)state;
    static const char *const made[] = {"a.zip"};
    check_cleanup(made, FVI_COUNT(made));
    return fvi_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npz_of_numpy),       cmocka_unit_test(zip_reads),
        cmocka_unit_test(zip_accepts),        cmocka_unit_test(zip_refuses),
        cmocka_unit_test(zip_refuses_fields), cmocka_unit_test(zip_refuses_data),
        cmocka_unit_test(zip_refuses_whole),  cmocka_unit_test(npz_refuses),
        cmocka_unit_test(zip_starved),
    };
    return cmocka_run_group_tests(tests, NULL, zip_done);
}

#endif
