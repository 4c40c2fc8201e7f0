/* SPDX-License-Identifier: MIT */
/* Zip and NPZ written: numpy reads it, the same input gives the same bytes, nothing is left of what
   fails. */
#include "formats_check.h"

#ifndef FVI_WITH_ZIP

static void zip_absent(void **state)
{
    (void)state;
    fvi_zip_save *save;
    CHECK_FAILS(fvi_zip_save_begin(&save, "a.npz"), FV_E_UNSUPPORTED, "built without libzip");
    assert_null(save);
    print_message("skipped: zip and NPZ, built without libzip\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zip_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <signal.h>
#include <sys/resource.h>

static fvi_zip *opened(const char *name)
{
    char path[128];
    fvi_zip *zip;
    CHECK_OK(fvi_zip_open(&zip, check_path(path, name)));
    return zip;
}

/* Rows that know where they are; remembers what it was asked for. */
typedef struct filler {
    size_t row_bytes;
    int next, most, fail_at;
} filler;

static unsigned char filled(int row, size_t k)
{
    return (unsigned char)((unsigned)row * 31 + (unsigned)k * 7 + (unsigned)row / 256);
}

static fv_status fill(void *context, void *out, int first, int count)
{
    filler *f = context;
    unsigned char *at = out;
    assert_int_equal(first, f->next);
    f->next = first + count;
    if (count > f->most) f->most = count;
    if (f->fail_at > 0 && f->next >= f->fail_at)
        return fvi_fail(FV_E_CANCELLED, "row %d does not want to", f->fail_at);
    for (int i = first; i < first + count; i++)
        for (size_t k = 0; k < f->row_bytes; k++)
            *at++ = filled(i, k);
    return FV_OK;
}

static fv_status save_one(const char *path, const char *text)
{
    fvi_zip_save *save;
    FVI_TRY(fvi_zip_save_begin(&save, path));
    fv_status status = fvi_zip_save_add(
        save, &(fvi_zip_rows){.name = "text", .head = text, .head_size = strlen(text)});
    if (status != FV_OK) {
        fvi_zip_save_abort(save);
        return status;
    }
    return fvi_zip_save_commit(save);
}

static const int16_t shorts[6] = {1, -2, 300, 4, -5, 6};

/* Arrays in memory and by rows, of every kind of shape. */
static fv_status save_arrays(const char *path, filler *images, filler *wide, filler *none)
{
    fvi_zip_save *save;
    *images = (filler){.row_bytes = 12288, .fail_at = images->fail_at};
    *wide = (filler){.row_bytes = 3000000};
    *none = (filler){.row_bytes = 7};
    static const float scalar = 2.5f;
    FVI_TRY(fvi_zip_save_begin(&save, path));
    fv_status status =
        fvi_npz_save_add(save, "x_train", &(fv_shape){4, {300, 64, 64, 3}}, FV_UINT8, fill, images);
    if (status == FV_OK)
        status = fvi_npz_save_add(save, "shorts", &(fv_shape){2, {2, 3}}, FV_INT16, NULL,
                                  (void *)shorts);
    if (status == FV_OK)
        status =
            fvi_npz_save_add(save, "scalar", &(fv_shape){0}, FV_FLOAT32, NULL, (void *)&scalar);
    if (status == FV_OK)
        status = fvi_npz_save_add(save, "none", &(fv_shape){2, {0, 7}}, FV_UINT8, fill, none);
    if (status == FV_OK)
        status = fvi_npz_save_add(save, "wide", &(fv_shape){2, {2, 3000000}}, FV_UINT8, fill, wide);
    if (status != FV_OK) {
        fvi_zip_save_abort(save);
        return status;
    }
    return fvi_zip_save_commit(save);
}

static void npz_round(void **state)
{
    (void)state;
    char path[128], again[128];
    filler images = {0}, wide, none;
    fvi_array array;
    unsigned char *bytes, *other;
    size_t size, other_size;
    long live = fvi_alloc_live();
    CHECK_OK(save_arrays(check_path(path, "a.npz"), &images, &wide, &none));
    assert_int_equal(images.next, 300);
    assert_int_equal(images.most, (1 << 20) / 12288);
    assert_int_equal(wide.most, 1);
    assert_int_equal(none.next, 0);
    fvi_zip *zip = opened("a.npz");
    CHECK_OK(fvi_npz_read(zip, "x_train", 3686400, &array));
    assert_true(fvi_shape_equal(&array.shape, &(fv_shape){4, {300, 64, 64, 3}}));
    for (int i = 0; i < 300; i++)
        for (size_t k = 0; k < 12288; k++)
            if (((unsigned char *)array.data)[(size_t)i * 12288 + k] != filled(i, k))
                fail_msg("row %d, byte %zu", i, k);
    fvi_array_free(&array);
    CHECK_OK(fvi_npz_read(zip, "shorts", 12, &array));
    assert_int_equal(array.dtype, FV_INT16);
    assert_memory_equal(array.data, shorts, 12);
    fvi_array_free(&array);
    fvi_zip_close(zip);
    CHECK_OK(save_arrays(check_path(again, "b.npz"), &images, &wide, &none));
    CHECK_OK(fvi_file_read(&bytes, &size, path, 1 << 24));
    CHECK_OK(fvi_file_read(&other, &other_size, again, 1 << 24));
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size); /* same input, same bytes */
    assert_memory_equal(bytes, "PK\3\4", 4);
    assert_memory_equal(bytes + 6, "\0\0\0\0\0\0\x21\0", 8); /* no flags, stored, 1980-01-01 */
    fvi_free(bytes);
    fvi_free(other);
    assert_int_equal(fvi_alloc_live(), live);
}

static void npz_for_numpy(void **state)
{
    (void)state;
    char path[128], out[1024];
    filler images = {0}, wide, none;
    CHECK_OK(save_arrays(check_path(path, "a.npz"), &images, &wide, &none));
    char expected[1024];
    const float scalar = 2.5f;
    size_t size = 300 * 12288;
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    images.next = 0;
    CHECK_OK(fill(&images, bytes, 0, 300));
    unsigned x = check_sum(bytes, size);
    free(bytes);
    wide.next = 0;
    assert_non_null(bytes = malloc(6000000));
    CHECK_OK(fill(&wide, bytes, 0, 2));
    snprintf(expected, sizeof expected,
             "x_train uint8 300x64x64x3 %u\nshorts int16 2x3 %u\nscalar float32 scalar %u\n"
             "none uint8 0x7 0\nwide uint8 2x3000000 %u\n",
             x, check_sum(shorts, sizeof shorts), check_sum(&scalar, sizeof scalar),
             check_sum(bytes, 6000000));
    free(bytes);
    check_python(out, sizeof out, "read_arrays.py", path);
    assert_string_equal(out, expected);
}

static void zip_save_atomic(void **state)
{
    (void)state;
    char path[128];
    filler images = {.fail_at = 200}, wide, none;
    unsigned char *bytes;
    size_t size;
    fvi_zip_save *save;
    long live = fvi_alloc_live();
    CHECK_OK(save_one(check_path(path, "a.npz"), "old"));
    /* What fill says comes through, and the old file stands. */
    CHECK_FAILS(save_arrays(path, &images, &wide, &none), FV_E_CANCELLED, "row 200 does not want");
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < 3000000; limit += 1 + limit * 2) { /* as a full disk */
        images.fail_at = 0;
        small.rlim_cur = limit;
        setrlimit(RLIMIT_FSIZE, &small);
        fv_status status = save_arrays(path, &images, &wide, &none);
        setrlimit(RLIMIT_FSIZE, &before);
        CHECK_FAILS(status, FV_E_IO, "a.npz\": ");
    }
    signal(SIGXFSZ, SIG_DFL);
    CHECK_OK(fvi_zip_save_begin(&save, path));
    fvi_zip_save_abort(save);
    CHECK_OK(fvi_zip_save_begin(&save, path));
    CHECK_FAILS(fvi_zip_save_commit(save), FV_E_STATE, "no member was added");
    fvi_zip_save_abort(NULL);
    fvi_zip *zip = opened("a.npz");
    CHECK_OK(fvi_zip_read(zip, "text", 3, &bytes, &size));
    assert_memory_equal(bytes, "old", 3);
    fvi_free(bytes);
    fvi_zip_close(zip);
    assert_int_equal(fvi_alloc_live(), live);
    CHECK_FAILS(fvi_zip_save_begin(&save, check_path(path, "absent/a.npz")), FV_E_IO, "a.npz\": ");
    assert_null(save);
}

static void zip_save_refuses(void **state)
{
    (void)state;
    char path[128];
    fvi_zip_save *save;
    static const fvi_zip_rows good = {.name = "a", .head = "x", .head_size = 1};
    const fv_shape three = {1, {3}}, minus = {1, {-1}};
    CHECK_OK(fvi_zip_save_begin(&save, check_path(path, "c.npz")));
    CHECK_OK(fvi_zip_save_add(save, &good));
    CHECK_FAILS(fvi_zip_save_add(save, &good), FV_E_ARG, "cannot add \"a\": ");
    CHECK_FAILS(fvi_zip_save_add(save, &(fvi_zip_rows){0}), FV_E_ARG, "needs a name");
    CHECK_FAILS(fvi_zip_save_add(save, &(fvi_zip_rows){.name = ""}), FV_E_ARG, "needs a name");
    CHECK_FAILS(fvi_zip_save_add(save, &(fvi_zip_rows){.name = "\xff"}), FV_E_ARG, "UTF-8");
    CHECK_FAILS(fvi_zip_save_add(save, &(fvi_zip_rows){.name = "b", .rows = -1}), FV_E_ARG, "-1");
    CHECK_FAILS(
        fvi_zip_save_add(save, &(fvi_zip_rows){.name = "b", .rows = 3, .row_bytes = SIZE_MAX / 2}),
        FV_E_ARG, "3 rows of");
    CHECK_FAILS(fvi_npz_save_add(save, NULL, &three, FV_UINT8, NULL, NULL), FV_E_ARG, "NULL");
    CHECK_FAILS(fvi_npz_save_add(save, "x", &minus, FV_UINT8, NULL, NULL), FV_E_SHAPE, "negative");
    CHECK_FAILS(fvi_npz_save_add(save, "x", &three, (fv_dtype)99, NULL, NULL), FV_E_ARG, "dtype");
    CHECK_OK(fvi_zip_save_commit(save));
    fvi_zip *zip = opened("c.npz");
    assert_int_equal(fvi_zip_count(zip), 1);
    fvi_zip_close(zip);
}

static void zip_save_starved(void **state)
{
    (void)state;
    char path[128];
    filler images = {0}, wide, none;
    long live = fvi_alloc_live(), k = 0;
    check_path(path, "b.npz");
    for (fv_status status = FV_E_MEMORY; status != FV_OK;) {
        fvi_alloc_fail_at(++k);
        status = save_arrays(path, &images, &wide, &none);
        fvi_alloc_fail_at(0);
        if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 25);
}

/* A member of 100 MB takes a block of 1 MB, written and read by rows. */
static void zip_bounded(void **state)
{
    (void)state;
    char path[128];
    struct rusage before, after;
    filler rows = {.row_bytes = 10000};
    fvi_zip_save *save;
    fvi_npy_head head;
    unsigned char row[10000];
    getrusage(RUSAGE_SELF, &before);
    CHECK_OK(fvi_zip_save_begin(&save, check_path(path, "b.npz")));
    CHECK_OK(fvi_npz_save_add(save, "x", &(fv_shape){2, {10000, 10000}}, FV_UINT8, fill, &rows));
    CHECK_OK(fvi_zip_save_commit(save));
    fvi_zip *zip = opened("b.npz");
    CHECK_OK(fvi_npz_head(zip, "x", &head));
    fvi_reader *reader;
    CHECK_OK(fvi_reader_open(&reader, path));
    for (int i = 0; i < 10000; i += 999) {
        uint64_t at = fvi_zip_find(zip, "x.npy")->offset + head.data_offset;
        CHECK_OK(fvi_reader_at(reader, row, sizeof row, at + (uint64_t)i * sizeof row));
        assert_true(row[0] == filled(i, 0) && row[9999] == filled(i, 9999));
    }
    fvi_reader_close(reader);
    fvi_zip_close(zip);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
}

static int zip_done(void **state)
{
    (void)state;
    static const char *const made[] = {"a.npz", "b.npz", "c.npz"};
    check_cleanup(made, FVI_COUNT(made));
    return fvi_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npz_round),        cmocka_unit_test(npz_for_numpy),
        cmocka_unit_test(zip_save_atomic),  cmocka_unit_test(zip_save_refuses),
        cmocka_unit_test(zip_save_starved), cmocka_unit_test(zip_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, zip_done);
}

#endif
