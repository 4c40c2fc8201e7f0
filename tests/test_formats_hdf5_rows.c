/* SPDX-License-Identifier: MIT */
/* Rows of HDF5 data sets: the same as reading all, each chunk inflated and checked once, in bounded
   memory. */
#include "formats_check.h"

#ifndef FVI_WITH_HDF5

static void rows_absent(void **state)
{
    (void)state;
    int rows;
    CHECK_FAILS(fvi_hdf5_read_rows(NULL, "x", 0, 1, &rows, FV_UINT8), FV_E_UNSUPPORTED, "HDF5");
    CHECK_FAILS(fvi_hdf5_chunk_rows(NULL, "x", &rows), FV_E_UNSUPPORTED, "HDF5");
    print_message("skipped: rows of HDF5 data sets, built without HDF5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <fcntl.h>
#include <hdf5.h>
#include <sys/resource.h>

#define ROWS 37

/* ---- making files ---- */

typedef struct rows_kind {
    const char *name;
    hsize_t chunk[3]; /* 0: contiguous */
    bool shuffle, deflate, fletcher32;
    bool is_big;
} rows_kind;

static const rows_kind kinds[] = {
    {"plain", {0}, false, false, false, false},
    {"big_endian", {0}, false, false, false, true},
    {"chunks", {5, 4, 3}, false, false, false, false},
    {"one_row", {1, 6, 5}, false, true, false, false},
    {"one_chunk", {ROWS, 6, 5}, true, true, false, false},
    {"all", {8, 4, 2}, true, true, true, true},
    {"larger", {64, 6, 5}, false, true, false, false}, /* chunks beyond the last row */
};

static int32_t value_at(int row, int k)
{
    return row * 1000003 + k * 7919 - 5000000;
}

static void put(hid_t file, const rows_kind *kind, int rows)
{
    const hsize_t size[3] = {(hsize_t)rows, 6, 5}, most[3] = {H5S_UNLIMITED, 6, 5};
    bool is_chunked = kind->chunk[0] > 0;
    hid_t space = H5Screate_simple(3, size, is_chunked ? most : NULL);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (is_chunked) H5Pset_chunk(plist, 3, kind->chunk);
    if (kind->shuffle) H5Pset_shuffle(plist);
    if (kind->deflate) H5Pset_deflate(plist, 6);
    if (kind->fletcher32) H5Pset_fletcher32(plist);
    hid_t set = H5Dcreate2(file, kind->name, kind->is_big ? H5T_STD_I32BE : H5T_STD_I32LE, space,
                           H5P_DEFAULT, plist, H5P_DEFAULT);
    int32_t *values = malloc((size_t)rows * 30 * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < 30; k++)
            values[i * 30 + k] = value_at(i, k);
    assert_true(H5Dwrite(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    free(values);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
}

static hid_t begin(const char *name)
{
    char path[128];
    hid_t file = H5Fcreate(check_path(path, name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static fvi_hdf5 *opened(const char *name)
{
    char path[128];
    fvi_hdf5 *file;
    CHECK_OK(fvi_hdf5_open(&file, check_path(path, name)));
    return file;
}

static void rows_are(const fvi_hdf5 *file, const char *name, int first, int count)
{
    int32_t got[ROWS * 30 + 1];
    got[count * 30] = 12345;
    CHECK_OK(fvi_hdf5_read_rows(file, name, first, count, got, FV_INT32));
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 30; k++)
            if (got[i * 30 + k] != value_at(first + i, k))
                fail_msg("%s: row %d is wrong", name, first + i);
    assert_int_equal(got[count * 30], 12345);
}

/* ---- the tests ---- */

/* Any rows of any layout in any order; more sets in turn than stay open. */
static void rows_read(void **state)
{
    (void)state;
    int chunk_rows;
    hid_t made = begin("a.h5");
    for (size_t i = 0; i < FVI_COUNT(kinds); i++)
        put(made, &kinds[i], ROWS);
    H5Fclose(made);
    long live = fvi_alloc_live();
    fvi_hdf5 *file = opened("a.h5");
    for (uint64_t n = 0; n < 700; n++) {
        int first = fvi_rng_int(1, FVI_RNG_TEST, 0, n, ROWS + 1);
        int count = fvi_rng_int(1, FVI_RNG_TEST, 1, n, ROWS - first + 1);
        size_t kind = n < 300 ? n % FVI_COUNT(kinds)
                              : (size_t)fvi_rng_int(1, FVI_RNG_TEST, 2, n, (int)FVI_COUNT(kinds));
        rows_are(file, kinds[kind].name, first, count);
    }
    for (size_t i = 0; i < FVI_COUNT(kinds); i++) {
        CHECK_OK(fvi_hdf5_chunk_rows(file, kinds[i].name, &chunk_rows));
        assert_int_equal(chunk_rows, kinds[i].chunk[0] > 0 ? kinds[i].chunk[0] : 1);
    }
    fvi_hdf5_close(file);
    assert_int_equal(fvi_alloc_live(), live);
}

static void rows_kinds(void **state)
{
    (void)state;
    hid_t made = begin("a.h5");
    const hsize_t four = 4, none[2] = {4, 0};
    hid_t flag = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(flag, "FALSE", &(int8_t){0});
    H5Tenum_insert(flag, "TRUE", &(int8_t){1});
    hid_t space = H5Screate_simple(1, &four, NULL), empty = H5Screate_simple(2, none, NULL);
    hid_t scalar = H5Screate(H5S_SCALAR), text = H5Tcopy(H5T_C_S1);
    const hid_t set[] = {
        H5Dcreate2(made, "flag", flag, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dcreate2(made, "never", H5T_IEEE_F64BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dcreate2(made, "empty", H5T_STD_U8LE, empty, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dcreate2(made, "scalar", H5T_STD_U8LE, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dcreate2(made, "text", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
    };
    assert_true(H5Dwrite(set[0], flag, H5S_ALL, H5S_ALL, H5P_DEFAULT, "\1\0\2\1") >= 0);
    H5Fclose(made);
    for (size_t i = 0; i < FVI_COUNT(set); i++)
        H5Dclose(set[i]);
    H5Sclose(space);
    H5Sclose(empty);
    H5Sclose(scalar);
    H5Tclose(flag);
    H5Tclose(text);
    long live = fvi_alloc_live();
    fvi_hdf5 *file = opened("a.h5");
    unsigned char flags[3];
    double zeros[2] = {1, 1};
    CHECK_OK(fvi_hdf5_read_rows(file, "flag", 1, 3, flags, FV_BOOL));
    assert_memory_equal(flags, "\0\1\1", 3);
    CHECK_OK(fvi_hdf5_read_rows(file, "never", 2, 2, zeros, FV_FLOAT64));
    assert_true(zeros[0] == 0 && zeros[1] == 0);
    CHECK_OK(fvi_hdf5_read_rows(file, "empty", 1, 3, flags, FV_UINT8));
    CHECK_OK(fvi_hdf5_read_rows(file, "flag", 4, 0, NULL, FV_BOOL));
    static const struct {
        const char *name;
        int first, count;
        fv_dtype dtype;
        fv_status status;
        const char *part;
    } row[] = {
        {"flag", 0, 1, FV_UINT8, FV_E_ARG, "\"flag\": holds bool, not uint8"},
        {"flag", -1, 1, FV_BOOL, FV_E_ARG, "1 rows from -1, it has 4"},
        {"flag", 0, -1, FV_BOOL, FV_E_ARG, "-1 rows from 0"},
        {"flag", 5, 0, FV_BOOL, FV_E_ARG, "0 rows from 5"},
        {"flag", 2, 3, FV_BOOL, FV_E_ARG, "3 rows from 2"},
        {"flag", 2, 2147483647, FV_BOOL, FV_E_ARG, "2147483647 rows from 2"},
        {"scalar", 0, 1, FV_UINT8, FV_E_SHAPE, "one number, which has no rows"},
        {"text", 0, 1, FV_UINT8, FV_E_UNSUPPORTED, "holds text"},
        {"absent", 0, 1, FV_UINT8, FV_E_FORMAT, "no data set \"absent\"; found: empty, flag"},
        {NULL, 0, 1, FV_UINT8, FV_E_ARG, "NULL"},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++)
        CHECK_FAILS(
            fvi_hdf5_read_rows(file, row[i].name, row[i].first, row[i].count, flags, row[i].dtype),
            row[i].status, row[i].part);
    fvi_hdf5_close(file);
    assert_int_equal(fvi_alloc_live(), live);
}

/* A file with one chunk that is damaged: its rows are refused, the others are read. */
static void rows_damaged(void **state)
{
    (void)state;
    hid_t made = begin("a.h5");
    put(made, &kinds[5], ROWS);
    hid_t set = H5Dopen2(made, "all", H5P_DEFAULT);
    const hsize_t offset[3] = {16, 4, 2};
    hsize_t stored;
    uint32_t skipped;
    unsigned char raw[4096];
    assert_true(H5Dget_chunk_storage_size(set, offset, &stored) >= 0 && stored < sizeof raw);
    assert_true(H5Dread_chunk(set, H5P_DEFAULT, offset, &skipped, raw) >= 0);
    assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, 0, offset, stored - 20, raw) >= 0);
    H5Dclose(set);
    H5Fclose(made);
    fvi_hdf5 *file = opened("a.h5");
    int32_t out[16 * 30];
    CHECK_FAILS(fvi_hdf5_read_rows(file, "all", 8, 16, out, FV_INT32), FV_E_FORMAT,
                "\"all\": chunk 16: deflate: ");
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < ROWS; i++) {
            bool is_bad = i >= 16 && i < 24;
            if (is_bad)
                CHECK_FAILS(fvi_hdf5_read_rows(file, "all", i, 1, out, FV_INT32), FV_E_FORMAT,
                            "\"all\": chunk 16: deflate: ");
            else
                rows_are(file, "all", i, 1);
        }
    fvi_hdf5_close(file);
}

/* Once read, the rows of a chunk come from memory: the file's bytes no longer matter. */
static void rows_inflated_once(void **state)
{
    (void)state;
    char path[128];
    hid_t made = begin("a.h5");
    put(made, &kinds[4], ROWS);
    H5Fclose(made);
    fvi_hdf5 *file = opened("a.h5");
    rows_are(file, "one_chunk", 3, 1);
    int raw = open(check_path(path, "a.h5"), O_WRONLY);
    static const char junk[65536] = {0};
    assert_true(raw >= 0);
    assert_int_equal(pwrite(raw, junk, sizeof junk, 0), sizeof junk);
    close(raw);
    for (int i = 0; i < ROWS; i++)
        rows_are(file, "one_chunk", i, 1);
    fvi_hdf5_close(file);
}

static void rows_starved(void **state)
{
    (void)state;
    hid_t made = begin("a.h5");
    put(made, &kinds[5], ROWS);
    H5Fclose(made);
    int32_t out[30];
    char path[128];
    long live = fvi_alloc_live(), k = 0;
    check_path(path, "a.h5");
    for (fv_status status = FV_E_MEMORY; status != FV_OK;) {
        fvi_hdf5 *file;
        fvi_alloc_fail_at(++k);
        status = fvi_hdf5_open(&file, path);
        if (status == FV_OK) status = fvi_hdf5_read_rows(file, "all", 8, 1, out, FV_INT32);
        fvi_alloc_fail_at(0);
        if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
        if (file != NULL && status != FV_OK) rows_are(file, "all", 0, ROWS); /* and then again */
        fvi_hdf5_close(file);
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 6);
}

static long peak_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

/* 4 GB, most of it a hole in the file; and chunks beyond the cache. */
static void rows_bounded(void **state)
{
    (void)state;
    hid_t made = begin("large.h5"), plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER);
    const hsize_t size[2] = {1 << 16, 1 << 16}, chunk[2] = {1 << 14, 1 << 14};
    hid_t space = H5Screate_simple(2, size, NULL);
    hid_t set = H5Dcreate2(made, "plain", H5T_STD_U8LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Pset_chunk(plist, 2, chunk);
    hid_t chunks = H5Dcreate2(made, "chunks", H5T_STD_U8LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Dclose(set);
    H5Dclose(chunks);
    H5Sclose(space);
    H5Pclose(plist);
    H5Fclose(made);
    fvi_hdf5 *file = opened("large.h5");
    unsigned char *out = malloc(16 << 16);
    assert_non_null(out);
    long before = peak_mb();
    for (int i = 0; i < 200; i++) {
        memset(out, 1, 16 << 16);
        int first = fvi_rng_int(5, FVI_RNG_TEST, 0, (uint64_t)i, (1 << 16) - 16);
        CHECK_OK(fvi_hdf5_read_rows(file, "plain", first, 16, out, FV_UINT8));
        assert_int_equal(out[(16 << 16) - 1], 0);
    }
    assert_true(peak_mb() - before < 32);
    CHECK_FAILS(fvi_hdf5_read_rows(file, "chunks", 0, 1, out, FV_UINT8), FV_E_MEMORY,
                "\"chunks\": chunks of 268435456 bytes, the limit for rows is 134217728");
    assert_true(peak_mb() - before < 32);
    free(out);
    fvi_hdf5_close(file);
}

static int rows_done(void **state)
{
    (void)state;
    static const char *const made[] = {"a.h5", "large.h5"};
    check_cleanup(made, FVI_COUNT(made));
    return fvi_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_read),    cmocka_unit_test(rows_kinds),
        cmocka_unit_test(rows_damaged), cmocka_unit_test(rows_inflated_once),
        cmocka_unit_test(rows_starved), cmocka_unit_test(rows_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, rows_done);
}

#endif
