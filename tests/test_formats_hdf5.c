/* SPDX-License-Identifier: MIT */
/* HDF5: every type and layout that is read, and everything that is refused. Files come from
   tools/golden_files.py. What is damaged is read in a child process: libhdf5 may crash on it, and
   only there. */
#include "formats_check.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static fvi_hdf5 *kinds; /* open during all tests */

static void unpack(const char *golden, const char *name)
{
    char path[128];
    size_t packed, size;
    unsigned char *bytes = check_golden(golden, &packed), *plain;
    CHECK_OK(fvi_gzip_read(&plain, &size, bytes, packed, (size_t)1 << 20));
    CHECK_OK(fvi_file_write(check_path(path, name), plain, size));
    fvi_free(plain);
    fvi_free(bytes);
}

/* ---- what is read ---- */

static double element(const fvi_array *array, size_t i)
{
    switch (array->dtype) {
    case FV_FLOAT32:
        return ((float *)array->data)[i];
    case FV_FLOAT64:
        return ((double *)array->data)[i];
    case FV_UINT8:
    case FV_BOOL:
        return ((uint8_t *)array->data)[i];
    case FV_INT8:
        return ((int8_t *)array->data)[i];
    case FV_UINT16:
        return ((uint16_t *)array->data)[i];
    case FV_INT16:
        return ((int16_t *)array->data)[i];
    case FV_UINT32:
        return ((uint32_t *)array->data)[i];
    case FV_INT32:
        return ((int32_t *)array->data)[i];
    case FV_UINT64:
        return (double)((uint64_t *)array->data)[i];
    case FV_INT64:
        return (double)((int64_t *)array->data)[i];
    case FV_FLOAT16: { /* small whole numbers only */
        unsigned bits = ((uint16_t *)array->data)[i];
        int exponent = (int)(bits >> 10 & 31) - 25;
        double value = exponent == -25 ? 0 : (double)(1024 + (bits & 1023));
        for (; exponent < 0; exponent++)
            value /= 2;
        return bits >> 15 ? -value : value;
    }
    }
    return -1;
}

static void hdf5_types(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fv_dtype dtype;
        double value[6];
    } row[] = {
        {"type_le_f2", FV_FLOAT16, {-2, -1, 0, 1, 2, 3}},
        {"type_be_f2", FV_FLOAT16, {-2, -1, 0, 1, 2, 3}},
        {"type_le_f4", FV_FLOAT32, {-2, -1, 0, 1, 2, 3}},
        {"type_be_f4", FV_FLOAT32, {-2, -1, 0, 1, 2, 3}},
        {"type_le_f8", FV_FLOAT64, {-2, -1, 0, 1, 2, 3}},
        {"type_be_f8", FV_FLOAT64, {-2, -1, 0, 1, 2, 3}},
        {"type_i1", FV_INT8, {-2, -1, 0, 1, 2, 3}},
        {"type_le_i2", FV_INT16, {-2, -1, 0, 1, 2, 3}},
        {"type_be_i2", FV_INT16, {-2, -1, 0, 1, 2, 3}},
        {"type_le_i4", FV_INT32, {-2, -1, 0, 1, 2, 3}},
        {"type_be_i4", FV_INT32, {-2, -1, 0, 1, 2, 3}},
        {"type_le_i8", FV_INT64, {-2, -1, 0, 1, 2, 3}},
        {"type_be_i8", FV_INT64, {-2, -1, 0, 1, 2, 3}},
        {"type_u1", FV_UINT8, {251, 252, 253, 254, 255, 0}},
        {"type_le_u2", FV_UINT16, {251, 252, 253, 254, 255, 256}},
        {"type_be_u2", FV_UINT16, {251, 252, 253, 254, 255, 256}},
        {"type_le_u4", FV_UINT32, {251, 252, 253, 254, 255, 256}},
        {"type_be_u4", FV_UINT32, {251, 252, 253, 254, 255, 256}},
        {"type_le_u8", FV_UINT64, {251, 252, 253, 254, 255, 256}},
        {"type_be_u8", FV_UINT64, {251, 252, 253, 254, 255, 256}},
        {"type_bool", FV_BOOL, {0, 1, 1, 1, 0, 0}},
        {"type_enum", FV_INT16, {1, -2, 1, -2, -2, 1}},
        {"never_written", FV_FLOAT32, {0, 0, 0, 0, 0, 0}},
        {"layout_skipped", FV_INT32, {0, 1, 2, 3, 4, 5}},
        {"soft_00", FV_UINT8, {251, 252, 253, 254, 255, 0}},
        {"soft_15", FV_UINT8, {251, 252, 253, 254, 255, 0}},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_array array;
        fv_shape shape, expected = {2, {2, 3}};
        fv_dtype dtype;
        CHECK_OK(fvi_hdf5_shape(kinds, row[i].name, &shape, &dtype));
        CHECK_OK(fvi_hdf5_read(kinds, row[i].name, 48, &array));
        assert_int_equal(dtype, row[i].dtype);
        assert_int_equal(array.dtype, row[i].dtype);
        assert_true(fvi_shape_equal(&shape, &expected));
        assert_true(fvi_shape_equal(&array.shape, &expected));
        for (size_t k = 0; k < 6; k++)
            if (element(&array, k) != row[i].value[k])
                fail_msg("%s[%zu] is %g", row[i].name, k, element(&array, k));
        fvi_array_free(&array);
    }
}

static void ramp_is(const fvi_hdf5 *file, const char *name)
{
    fvi_array array;
    CHECK_OK(fvi_hdf5_read(file, name, 140, &array));
    assert_int_equal(array.dtype, FV_INT32);
    assert_int_equal(array.shape.dim[0], 5);
    assert_int_equal(array.shape.dim[1], 7);
    for (int i = 0; i < 35; i++)
        assert_int_equal(((int32_t *)array.data)[i], i);
    fvi_array_free(&array);
}

static void hdf5_layouts(void **state)
{
    (void)state;
    static const char *const name[] = {"layout_compact", "layout_chunked", "layout_deflate",
                                       "layout_all", "layout_odd_order"};
    fvi_array array;
    for (size_t i = 0; i < FVI_COUNT(name); i++)
        ramp_is(kinds, name[i]);
    CHECK_OK(fvi_hdf5_read(kinds, "layout_sparse", 140, &array)); /* one chunk of nine is there */
    for (int h = 0; h < 5; h++)
        for (int w = 0; w < 7; w++) {
            bool is_in = h >= 2 && h < 4 && w >= 3 && w < 6;
            assert_int_equal(((int32_t *)array.data)[h * 7 + w], is_in ? 3 * (h - 2) + w - 3 : 0);
        }
    fvi_array_free(&array);
    CHECK_OK(fvi_hdf5_read(kinds, "scalar", 8, &array));
    assert_int_equal(array.shape.rank, 0);
    assert_true(*(double *)array.data == 2.5);
    fvi_array_free(&array);
    CHECK_OK(fvi_hdf5_read(kinds, "rank8", 4, &array));
    assert_int_equal(array.shape.rank, 8);
    assert_int_equal(((uint8_t *)array.data)[3], 3);
    fvi_array_free(&array);
    CHECK_OK(fvi_hdf5_read(kinds, "no_elements", 0, &array));
    assert_int_equal(array.shape.dim[0], 0);
    fvi_array_free(&array);
    CHECK_OK(fvi_hdf5_read(kinds, "soft_good", 24, &array));
    assert_int_equal(((int32_t *)array.data)[5], 5);
    fvi_array_free(&array);
}

static void hdf5_newest(void **state)
{
    (void)state;
    char path[128];
    fvi_hdf5 *file;
    fvi_value *names;
    fvi_array array;
    CHECK_OK(fvi_hdf5_open(&file, check_path(path, "formats_latest.h5")));
    CHECK_OK(fvi_hdf5_list(file, &names));
    assert_int_equal(names->count, 5);
    assert_string_equal(names->item[0]->string, "a/b/deep");
    assert_string_equal(names->item[4]->string, "plain");
    fvi_value_free(names);
    ramp_is(file, "chunked");
    ramp_is(file, "deflated");
    ramp_is(file, "/one_chunk");
    CHECK_OK(fvi_hdf5_read(file, "a/b/deep", 1, &array));
    assert_int_equal(*(uint8_t *)array.data, 7);
    fvi_array_free(&array);
    fvi_hdf5_close(file);
}

static void hdf5_strings(void **state)
{
    (void)state;
    static const struct {
        const char *name, *third;
    } row[] = {{"text_nul", ""}, {"text_space", ""}, {"text_variable", "\xc3\xa9"}};
    fvi_value *list;
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        CHECK_OK(fvi_hdf5_read_strings(kinds, row[i].name, &list));
        assert_int_equal(list->count, 3);
        assert_string_equal(list->item[0]->string, "non-cat");
        assert_string_equal(list->item[1]->string, "cat");
        assert_string_equal(list->item[2]->string, row[i].third);
        fvi_value_free(list);
    }
    CHECK_FAILS(fvi_hdf5_read_strings(kinds, "text_scalar", &list), FV_E_FORMAT, "list of strings");
    assert_null(list);
    CHECK_FAILS(fvi_hdf5_read_strings(kinds, "scalar", &list), FV_E_FORMAT, "holds no text");
    CHECK_FAILS(fvi_hdf5_read_strings(kinds, "virtual", &list), FV_E_UNSUPPORTED, "virtual");
}

/* ---- what is refused ---- */

static void hdf5_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fv_status status;
        const char *part;
    } row[] = {
        {"kind_compound", FV_E_UNSUPPORTED, "compounds"},
        {"kind_opaque", FV_E_UNSUPPORTED, "opaque"},
        {"kind_bfloat16", FV_E_UNSUPPORTED, "not IEEE"},
        {"kind_12_bits", FV_E_UNSUPPORTED, "unused bits"},
        {"kind_rank9", FV_E_UNSUPPORTED, "rank 9, at most 8"},
        {"kind_null", FV_E_UNSUPPORTED, "no elements"},
        {"text_nul", FV_E_UNSUPPORTED, "holds text"},
        {"text_variable", FV_E_UNSUPPORTED, "holds text"},
        {"filter_lzf", FV_E_UNSUPPORTED, "filter 32000 (LZF)"},
        {"filter_scaleoffset", FV_E_UNSUPPORTED, "(scale-offset)"},
        {"filter_nbit", FV_E_UNSUPPORTED, "(n-bit)"},
        {"filter_szip", FV_E_UNSUPPORTED, "(szip)"},
        {"filter_30000", FV_E_UNSUPPORTED, "filter 30000 (unknown)"},
        {"filter_order", FV_E_UNSUPPORTED, "after deflate"},
        {"huge", FV_E_FORMAT, "1000000x1000000x1000000"},
        {"large", FV_E_FORMAT, "10000x10000 claims 400000000 bytes"},
        {"large_chunked", FV_E_FORMAT, "can hold"},
        {"many_chunks", FV_E_FORMAT, "more chunks than"},
        {"external_storage", FV_E_UNSUPPORTED, "external file"},
        {"virtual", FV_E_UNSUPPORTED, "virtual"},
        {"external_link", FV_E_UNSUPPORTED, "external link"},
        {"external_folder/plain", FV_E_UNSUPPORTED, "external link"},
        {"soft_loop", FV_E_FORMAT, "soft link"},
        {"soft_nowhere", FV_E_FORMAT, "soft link"},
        {"soft_16", FV_E_FORMAT, "through more than 16"},
        {"chunk_inflates_short", FV_E_FORMAT, "unpacks to 100 bytes, expected 256"},
        {"chunk_inflates_long", FV_E_FORMAT,
         "\"chunk_inflates_long\": chunk 0: deflate: more than"},
        {"chunk_bomb", FV_E_FORMAT, "more than"},
        {"chunk_cut", FV_E_FORMAT, "cut at byte 40"},
        {"chunk_no_deflate", FV_E_FORMAT, "deflate: "},
        {"chunk_checksum", FV_E_FORMAT, "Fletcher32"},
        {"chunk_no_checksum", FV_E_FORMAT, "shorter than its checksum"},
        {"chunk_short", FV_E_FORMAT, "1 chunks of 256 bytes, stored are 100"},
        {"group", FV_E_FORMAT, "not a dataset"},
        {"", FV_E_FORMAT, "HDF5"},
        {"/", FV_E_FORMAT, "HDF5"},
        {"a\033[31m", FV_E_FORMAT, "a\\x1b[31m"},
        {"train_set_x", FV_E_FORMAT, "no data set \"train_set_x\"; found: chunk_bomb, "},
        {NULL, FV_E_ARG, "NULL"},
    };
    fvi_array array;
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        CHECK_FAILS(fvi_hdf5_read(kinds, row[i].name, (size_t)1 << 30, &array), row[i].status,
                    row[i].part);
        assert_null(array.data);
        assert_int_equal(fvi_alloc_live(), live);
    }
    CHECK_FAILS(fvi_hdf5_read(kinds, "type_le_f4", 23, &array), FV_E_MEMORY, "the limit is 23");
}

static void hdf5_names(void **state)
{
    (void)state;
    fvi_value *names;
    CHECK_OK(fvi_hdf5_list(kinds, &names));
    size_t inner = 0;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->item[i]->string;
        if (i > 0) assert_true(strcmp(names->item[i - 1]->string, name) < 0);
        if (strchr(name, '/') != NULL) inner++;
        assert_null(strstr(name, "again")); /* a group inside itself is entered once */
        assert_null(strstr(name, "soft_"));
        assert_null(strstr(name, "external_link"));
    }
    assert_int_equal(inner, 1);
    fvi_value_free(names);
}

static void hdf5_paths(void **state)
{
    (void)state;
    char path[128];
    fvi_hdf5 *file;
    CHECK_FAILS(fvi_hdf5_open(&file, check_path(path, "absent")), FV_E_IO, "cannot open");
    assert_null(file);
    CHECK_FAILS(fvi_hdf5_open(&file, check_folder), FV_E_IO, "not a regular file");
    CHECK_FAILS(fvi_hdf5_open(&file, "/dev/zero"), FV_E_IO, "not a regular file");
    CHECK_FAILS(fvi_hdf5_open(&file, NULL), FV_E_ARG, "NULL");
    CHECK_OK(fvi_file_write(check_path(path, "text"), "hello", 5));
    CHECK_FAILS(fvi_hdf5_open(&file, path), FV_E_FORMAT, "signature");
    fvi_hdf5_close(NULL);
}

static void hdf5_signature(void **state)
{
    (void)state;
    static unsigned char bytes[4096];
    assert_false(fvi_hdf5_is(bytes, sizeof bytes));
    for (size_t at = 0; at <= 2048; at = at ? 2 * at : 512) {
        memcpy(bytes + at, "\x89HDF\r\n\x1a\n", 8);
        assert_true(fvi_hdf5_is(bytes, at + 8));
        assert_false(fvi_hdf5_is(bytes, at + 7));
        memset(bytes + at, 0, 8);
    }
    memcpy(bytes + 100, "\x89HDF\r\n\x1a\n", 8);
    assert_false(fvi_hdf5_is(bytes, sizeof bytes));
    assert_false(fvi_hdf5_is(bytes, 0));
}

/* ---- damaged files, in a child ---- */

/* Everything there is to ask of a file. 0: answered, well or not; 3: an error without a
   sentence. */
static int ask_all(const char *path)
{
    fvi_hdf5 *file;
    if (fvi_hdf5_open(&file, path) != FV_OK) return fv_error()[0] == '\0' ? 3 : 0;
    fvi_value *names = NULL;
    fvi_hdf5_list(file, &names);
    for (size_t i = 0; names != NULL && i < names->count; i++) {
        fvi_array array;
        fvi_value *list;
        fvi_hdf5_read(file, names->item[i]->string, (size_t)1 << 24, &array);
        fvi_array_free(&array);
        fvi_hdf5_read_strings(file, names->item[i]->string, &list);
        fvi_value_free(list);
    }
    fvi_value_free(names);
    fvi_hdf5_close(file);
    return 0;
}

/* True when the child came back; false when libhdf5 crashed or ran on. Our own mistakes fail the
   test. */
static bool survives(const char *path, const char *what)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int s = 1; s < 32; s++)
            signal(s, SIG_DFL); /* cmocka's handlers are for the parent */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_CPU, &(struct rlimit){5, 5});
        _exit(ask_all(path));
    }
    int ended = 0;
    while (waitpid(child, &ended, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return true;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 3) fail_msg("%s: an error without text", what);
    printf("libhdf5 did not survive %s (%s %d)\n", what, WIFSIGNALED(ended) ? "signal" : "exit",
           WIFSIGNALED(ended) ? WTERMSIG(ended) : WEXITSTATUS(ended));
    return false;
}

static void hdf5_cut(void **state)
{
    (void)state;
    static const char *const golden[] = {"formats_kinds.h5", "formats_latest.h5"};
    char path[128], what[64];
    for (size_t i = 0; i < FVI_COUNT(golden); i++) {
        unsigned char *bytes;
        size_t size;
        CHECK_OK(fvi_file_read(&bytes, &size, check_path(path, golden[i]), (size_t)1 << 20));
        check_path(path, "cut");
        for (size_t cut = 0; cut < size; cut += cut == 0 ? 8 : cut < 512 ? 504 : 512) {
            CHECK_OK(fvi_file_write(path, bytes, cut));
            snprintf(what, sizeof what, "%s cut at %zu", golden[i], cut);
            survives(path, what);
            if (cut <= 512) {
                fvi_hdf5 *file;
                CHECK_FAILS(fvi_hdf5_open(&file, path), FV_E_FORMAT, "as HDF5");
            }
        }
        fvi_free(bytes);
    }
}

/* Sizes of addresses, and bytes anywhere, overwritten. */
static void hdf5_damaged(void **state)
{
    (void)state;
    static const unsigned char value[] = {0x00, 0x7F, 0x80, 0xFF};
    char path[128], what[64];
    unsigned char *bytes;
    size_t size, crashed = 0, tried = 0;
    CHECK_OK(fvi_file_read(&bytes, &size, check_path(path, "formats_kinds.h5"), (size_t)1 << 20));
    check_path(path, "cut");
    for (uint64_t i = 0; i < 200; i++) {
        size_t at = (size_t)fvi_rng_int(7, FVI_RNG_TEST, 0, i, (int)size);
        if (i < 24) at = 8 + i; /* the superblock */
        unsigned char old = bytes[at];
        bytes[at] = value[i % 4];
        CHECK_OK(fvi_file_write(path, bytes, size));
        bytes[at] = old;
        snprintf(what, sizeof what, "byte %zu set to %02X", at, value[i % 4]);
        crashed += !survives(path, what);
        tried++;
    }
    printf("%zu of %zu damaged files crashed libhdf5 in its child\n", crashed, tried);
    fvi_free(bytes);
}

static int kinds_open(void **state)
{
    (void)state;
    char path[128];
    fvi_hdf5 *file;
    unsigned char *out;
    size_t size;
    if (fvi_hdf5_open(&file, check_path(path, "absent")) == FV_E_UNSUPPORTED ||
        fvi_gzip_read(&out, &size, (const unsigned char *)"\x1f\x8b", 2, 0) == FV_E_UNSUPPORTED) {
        printf("skipped: %s\n", fv_error());
        check_cleanup(NULL, 0);
        exit(77);
    }
    unpack("formats_kinds.h5.gz", "formats_kinds.h5");
    unpack("formats_latest.h5.gz", "formats_latest.h5");
    CHECK_OK(fvi_hdf5_open(&kinds, check_path(path, "formats_kinds.h5")));
    return 0;
}

static int kinds_close(void **state)
{
    (void)state;
    static const char *const made[] = {"formats_kinds.h5", "formats_latest.h5", "text", "cut"};
    fvi_hdf5_close(kinds);
    check_cleanup(made, FVI_COUNT(made));
    return fvi_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hdf5_types),   cmocka_unit_test(hdf5_layouts),
        cmocka_unit_test(hdf5_newest),  cmocka_unit_test(hdf5_strings),
        cmocka_unit_test(hdf5_refuses), cmocka_unit_test(hdf5_names),
        cmocka_unit_test(hdf5_paths),   cmocka_unit_test(hdf5_signature),
        cmocka_unit_test(hdf5_cut),     cmocka_unit_test(hdf5_damaged),
    };
    return cmocka_run_group_tests(tests, kinds_open, kinds_close);
}
