/* SPDX-License-Identifier: MIT */
/* HDF5 written: read back by us, h5py and h5dump; the same input gives the same bytes; whatever
   fails, the old file stands. */
#include "formats_check.h"

#ifndef FVI_WITH_HDF5

static void write_absent(void **state)
{
    (void)state;
    fvi_hdf5_save *save;
    CHECK_FAILS(fvi_hdf5_create(&save, "a.h5"), FV_E_UNSUPPORTED, "built without HDF5");
    assert_null(save);
    print_message("skipped: writing HDF5, built without HDF5\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(write_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* ---- every call of file.c that writes can be made to fail, as in test_base_faults.c ---- */

static int fault_left;
static bool fault_hit;

static bool fault_now(void)
{
    if (fault_left == 0 || --fault_left > 0) return false;
    fault_hit = true;
    errno = ENOSPC;
    return true;
}

#if defined(__linux__)
ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    if (fault_now()) return -1;
    return (ssize_t)syscall(SYS_pwrite64, file, bytes, size, offset);
}

int fsync(int file)
{
    if (fault_now()) return -1;
    return (int)syscall(SYS_fsync, file);
}
#endif

/* ---- a file with everything in it ---- */

static const char *const words[] = {"non-cat", "cat", "", "\xc3\xa9t\xc3\xa9"};
#define IMAGES 20
#define IMAGE (8 * 8 * 3)

static unsigned char pixel(int i, int k)
{
    return (unsigned char)(i * 37 + k * 11);
}

/* Two bytes, 0 or 1 for bool. */
static void fill_any(unsigned char *bytes, size_t size, fv_dtype dtype)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = dtype == FV_BOOL ? i % 3 == 0 : (unsigned char)(i * 29 + 7);
}

static fv_status put_images(fvi_hdf5_save *save, bool backwards)
{
    unsigned char rows[4 * IMAGE];
    for (int n = 0; n < IMAGES; n += 4) {
        int first = backwards ? IMAGES - 4 - n : n;
        for (int i = 0; i < 4; i++)
            for (int k = 0; k < IMAGE; k++)
                rows[i * IMAGE + k] = pixel(first + i, k);
        FVI_TRY(fvi_hdf5_write_rows(save, "train_set_x", first, 4, rows));
    }
    return FV_OK;
}

static fv_status put_all(fvi_hdf5_save *save, bool backwards)
{
    static const double scalar = 2.5;
    const int64_t labels[3] = {3, -1, 2};
    unsigned char any[48];
    FVI_TRY(fvi_hdf5_add(save, "train_set_x", &(fv_shape){4, {IMAGES, 8, 8, 3}}, FV_UINT8));
    FVI_TRY(fvi_hdf5_add(save, "train_set_y", &(fv_shape){1, {3}}, FV_INT64));
    FVI_TRY(fvi_hdf5_add_strings(save, "list_classes", words, 4));
    if (!backwards) FVI_TRY(put_images(save, false));
    for (int i = 0; i < 3; i++)
        FVI_TRY(fvi_hdf5_write_rows(save, "train_set_y", i, 1, &labels[i]));
    if (backwards) FVI_TRY(put_images(save, true));
    FVI_TRY(fvi_hdf5_add(save, "scalar", &(fv_shape){0}, FV_FLOAT64));
    FVI_TRY(fvi_hdf5_write_rows(save, "scalar", 0, 1, &scalar));
    FVI_TRY(fvi_hdf5_add(save, "empty", &(fv_shape){2, {0, 5}}, FV_FLOAT32));
    FVI_TRY(fvi_hdf5_add(save, "no_width", &(fv_shape){2, {5, 0}}, FV_FLOAT32));
    FVI_TRY(fvi_hdf5_write_rows(save, "no_width", 1, 2, any));
    FVI_TRY(fvi_hdf5_write_rows(save, "no_width", 1, 2, any));
    for (int dtype = FV_FLOAT32; dtype <= FV_BOOL; dtype++) {
        char name[16];
        snprintf(name, sizeof name, "a_%s", fv_dtype_name((fv_dtype)dtype));
        size_t size = 6 * fv_dtype_size((fv_dtype)dtype);
        fill_any(any, size, (fv_dtype)dtype);
        FVI_TRY(fvi_hdf5_add(save, name, &(fv_shape){2, {2, 3}}, (fv_dtype)dtype));
        FVI_TRY(fvi_hdf5_write_rows(save, name, 1, 1, any + size / 2));
        FVI_TRY(fvi_hdf5_write_rows(save, name, 0, 1, any));
    }
    return FV_OK;
}

static fv_status save_all(const char *path, bool backwards)
{
    fvi_hdf5_save *save;
    FVI_TRY(fvi_hdf5_create(&save, path));
    fv_status status = put_all(save, backwards);
    if (status != FV_OK) {
        fvi_hdf5_abort(save);
        return status;
    }
    return fvi_hdf5_commit(save);
}

static void check_images(const fvi_hdf5 *file)
{
    fvi_array array;
    CHECK_OK(fvi_hdf5_read(file, "train_set_x", IMAGES * IMAGE, &array));
    assert_true(fvi_shape_equal(&array.shape, &(fv_shape){4, {IMAGES, 8, 8, 3}}));
    for (int i = 0; i < IMAGES * IMAGE; i++)
        assert_int_equal(((uint8_t *)array.data)[i], pixel(i / IMAGE, i % IMAGE));
    fvi_array_free(&array);
}

/* ---- the tests ---- */

static void write_round(void **state)
{
    (void)state;
    char path[128];
    long live = fvi_alloc_live();
    CHECK_OK(save_all(check_path(path, "a.h5"), false));
    fvi_hdf5 *file;
    fvi_value *list;
    fvi_array array;
    unsigned char any[48];
    CHECK_OK(fvi_hdf5_open(&file, path));
    check_images(file);
    CHECK_OK(fvi_hdf5_read(file, "train_set_y", 24, &array));
    assert_memory_equal(array.data, ((const int64_t[]){3, -1, 2}), 24);
    fvi_array_free(&array);
    CHECK_OK(fvi_hdf5_read(file, "scalar", 8, &array));
    assert_true(array.shape.rank == 0 && *(double *)array.data == 2.5);
    fvi_array_free(&array);
    CHECK_OK(fvi_hdf5_read(file, "no_width", 0, &array));
    assert_true(fvi_shape_equal(&array.shape, &(fv_shape){2, {5, 0}}));
    fvi_array_free(&array);
    for (int dtype = FV_FLOAT32; dtype <= FV_BOOL; dtype++) {
        char name[16];
        snprintf(name, sizeof name, "a_%s", fv_dtype_name((fv_dtype)dtype));
        CHECK_OK(fvi_hdf5_read(file, name, 48, &array));
        assert_int_equal(array.dtype, dtype);
        fill_any(any, 6 * fv_dtype_size((fv_dtype)dtype), (fv_dtype)dtype);
        assert_memory_equal(array.data, any, 6 * fv_dtype_size((fv_dtype)dtype));
        fvi_array_free(&array);
    }
    CHECK_OK(fvi_hdf5_read_strings(file, "list_classes", &list));
    assert_int_equal(list->count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(list->item[i]->string, words[i]);
    fvi_value_free(list);
    CHECK_OK(fvi_hdf5_list(file, &list));
    assert_int_equal(list->count, 18);
    fvi_value_free(list);
    fvi_hdf5_close(file);
    assert_int_equal(fvi_alloc_live(), live);
}

/* Not when, nor in which order of rows, only what. */
static void write_same_bytes(void **state)
{
    (void)state;
    char path[128];
    unsigned char *bytes, *other;
    size_t size, other_size;
    CHECK_OK(save_all(check_path(path, "a.h5"), false));
    CHECK_OK(fvi_file_read(&bytes, &size, path, 1 << 20));
    sleep(1); /* a time in it would have changed */
    CHECK_OK(save_all(check_path(path, "b.h5"), true));
    CHECK_OK(fvi_file_read(&other, &other_size, path, 1 << 20));
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    assert_memory_equal(bytes, "\x89HDF\r\n\x1a\n\0", 9); /* superblock 0 */
    fvi_free(bytes);
    fvi_free(other);
}

static void write_for_h5py(void **state)
{
    (void)state;
    char path[128], out[2048], expected[2048];
    fvi_text text = {0};
    CHECK_OK(save_all(check_path(path, "a.h5"), false));
    static const fv_dtype by_name[] = {FV_BOOL,   FV_FLOAT16, FV_FLOAT32, FV_FLOAT64,
                                       FV_INT16,  FV_INT32,   FV_INT64,   FV_INT8,
                                       FV_UINT16, FV_UINT32,  FV_UINT64,  FV_UINT8};
    for (size_t i = 0; i < FVI_COUNT(by_name); i++) {
        unsigned char any[48];
        size_t size = 6 * fv_dtype_size(by_name[i]);
        fill_any(any, size, by_name[i]);
        const char *name = fv_dtype_name(by_name[i]);
        fvi_text_add(&text, "a_%s %s 2x3 %u\n", name, name, check_sum(any, size));
    }
    const double scalar = 2.5;
    const int64_t labels[3] = {3, -1, 2};
    unsigned char pixels[IMAGES * IMAGE];
    for (int i = 0; i < IMAGES * IMAGE; i++)
        pixels[i] = pixel(i / IMAGE, i % IMAGE);
    fvi_text_add(&text, "empty float32 0x5 0\nlist_classes non-cat cat  \xc3\xa9t\xc3\xa9\n");
    fvi_text_add(&text, "no_width float32 5x0 0\nscalar float64 scalar %u\n",
                 check_sum(&scalar, sizeof scalar));
    fvi_text_add(&text, "train_set_x uint8 20x8x8x3 %u\ntrain_set_y int64 3 %u\n",
                 check_sum(pixels, sizeof pixels), check_sum(labels, sizeof labels));
    CHECK_OK(text.status);
    snprintf(expected, sizeof expected, "%s", text.data);
    fvi_text_free(&text);
    check_python(out, sizeof out, "read_arrays.py", path);
    assert_string_equal(out, expected);
}

static void write_for_h5dump(void **state)
{
    (void)state;
    char path[128], command[256], out[8192];
    if (system("h5dump --version >/dev/null 2>&1") != 0) {
        print_message("skipped: no h5dump here\n");
        skip();
    }
    CHECK_OK(save_all(check_path(path, "a.h5"), false));
    snprintf(command, sizeof command, "h5dump -B -p -H '%s' 2>&1", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    out[fread(out, 1, sizeof out - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_non_null(strstr(out, "SUPERBLOCK_VERSION 0"));
    assert_non_null(strstr(out, "DATASET \"train_set_x\""));
    assert_null(strstr(out, "CHUNKED"));
}

static void write_refuses(void **state)
{
    (void)state;
    char path[128];
    const fv_shape three = {1, {3}};
    unsigned char rows[3] = {1, 2, 3};
    fvi_hdf5_save *save;
    CHECK_OK(fvi_file_write(check_path(path, "c.h5"), "old", 3));
    CHECK_OK(fvi_hdf5_create(&save, path));
    CHECK_OK(fvi_hdf5_add(save, "x", &three, FV_UINT8));
    static const struct {
        const char *name;
        fv_shape shape;
        int dtype;
        fv_status status;
        const char *part;
    } row[] = {
        {"x", {1, {3}}, FV_UINT8, FV_E_ARG, "\"x\": a data set of this name is there"},
        {"a/b", {1, {3}}, FV_UINT8, FV_E_ARG, "\"a/b\": no name"},
        {"", {1, {3}}, FV_UINT8, FV_E_ARG, "no name"},
        {".", {1, {3}}, FV_UINT8, FV_E_ARG, "no name"},
        {NULL, {1, {3}}, FV_UINT8, FV_E_ARG, "no name"},
        {"\xff", {1, {3}}, FV_UINT8, FV_E_ARG, "no name"},
        {"y", {1, {-3}}, FV_UINT8, FV_E_SHAPE, "negative"},
        {"y", {9, {3}}, FV_UINT8, FV_E_SHAPE, "rank 9"},
        {"y", {1, {3}}, 99, FV_E_ARG, "no such dtype"},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++)
        CHECK_FAILS(fvi_hdf5_add(save, row[i].name, &row[i].shape, (fv_dtype)row[i].dtype),
                    row[i].status, row[i].part);
    CHECK_FAILS(fvi_hdf5_add_strings(save, "s", words, 0), FV_E_ARG, "0 strings");
    CHECK_FAILS(fvi_hdf5_add_strings(save, "x", words, 1), FV_E_ARG, "is there");
    CHECK_FAILS(fvi_hdf5_write_rows(save, "y", 0, 1, rows), FV_E_ARG, "was added");
    CHECK_FAILS(fvi_hdf5_write_rows(save, NULL, 0, 1, rows), FV_E_ARG, "was added");
    CHECK_FAILS(fvi_hdf5_write_rows(save, "x", -1, 1, rows), FV_E_ARG, "1 rows from -1, it has 3");
    CHECK_FAILS(fvi_hdf5_write_rows(save, "x", 2, 2, rows), FV_E_ARG, "2 rows from 2");
    CHECK_FAILS(fvi_hdf5_write_rows(save, "x", 0, -1, rows), FV_E_ARG, "-1 rows");
    CHECK_OK(fvi_hdf5_write_rows(save, "x", 3, 0, NULL));
    CHECK_OK(fvi_hdf5_write_rows(save, "x", 0, 2, rows));
    CHECK_FAILS(fvi_hdf5_write_rows(save, "x", 0, 2, rows), FV_E_STATE, "a second time");
    CHECK_FAILS(fvi_hdf5_commit(save), FV_E_STATE, "\"x\": 1 rows were never written");
    unsigned char *bytes;
    size_t size;
    CHECK_OK(fvi_file_read(&bytes, &size, path, 100));
    assert_memory_equal(bytes, "old", 4);
    fvi_free(bytes);
    CHECK_FAILS(fvi_hdf5_create(&save, check_path(path, "absent/c.h5")), FV_E_IO, "c.h5\": ");
    assert_null(save);
    fvi_hdf5_abort(NULL);
}

/* Whichever write fails, here and in a child that dies of it otherwise: an error, the old file, no
   crash. */
static void write_faults(void **state)
{
    (void)state;
    char path[128];
    unsigned char *bytes;
    size_t size;
    long live = fvi_alloc_live();
    int k = 0;
    CHECK_OK(fvi_file_write(check_path(path, "c.h5"), "old", 3));
#if defined(__linux__)
    for (fv_status status = FV_E_IO; status != FV_OK;) {
        fault_hit = false;
        fault_left = ++k;
        status = save_all(path, false);
        fault_left = 0;
        if (!fault_hit) {
            assert_int_equal(status, FV_OK);
            break;
        }
        CHECK_FAILS(status, FV_E_IO, "c.h5\": No space left on device");
        CHECK_OK(fvi_file_read(&bytes, &size, path, 1 << 20));
        if (size > 3) { /* the folder's fsync: the new file stands, whole */
            fvi_hdf5 *file;
            CHECK_OK(fvi_hdf5_open(&file, path));
            check_images(file);
            fvi_hdf5_close(file);
        } else {
            assert_memory_equal(bytes, "old", 4);
        }
        fvi_free(bytes);
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 40);
#endif
    struct rlimit before, small;
    CHECK_OK(fvi_file_write(path, "old", 3));
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < 8000; limit += 401) {
        small.rlim_cur = limit;
        setrlimit(RLIMIT_FSIZE, &small);
        fv_status status = save_all(path, false);
        setrlimit(RLIMIT_FSIZE, &before);
        CHECK_FAILS(status, FV_E_IO, "c.h5\": ");
    }
    signal(SIGXFSZ, SIG_DFL);
    CHECK_OK(fvi_file_read(&bytes, &size, path, 100));
    assert_memory_equal(bytes, "old", 4);
    fvi_free(bytes);
    assert_int_equal(fvi_alloc_live(), live);
}

/* After a failure all that follows fails too, and says so. */
static void write_sticky(void **state)
{
#if defined(__linux__)
    (void)state;
    char path[128];
    unsigned char byte = 1;
    fvi_hdf5_save *save;
    CHECK_OK(fvi_hdf5_create(&save, check_path(path, "d.h5")));
    CHECK_OK(fvi_hdf5_add(save, "x", &(fv_shape){1, {2}}, FV_UINT8));
    fault_left = 1;
    CHECK_FAILS(fvi_hdf5_write_rows(save, "x", 0, 1, &byte), FV_E_IO, "No space left");
    CHECK_FAILS(fvi_hdf5_write_rows(save, "x", 1, 1, &byte), FV_E_IO, "an earlier part failed");
    CHECK_FAILS(fvi_hdf5_add(save, "y", &(fv_shape){0}, FV_UINT8), FV_E_IO, "earlier part");
    CHECK_FAILS(fvi_hdf5_add_strings(save, "z", words, 4), FV_E_IO, "earlier part");
    CHECK_FAILS(fvi_hdf5_commit(save), FV_E_IO, "an earlier part failed");
    assert_false(fvi_file_exists(path));
#else
    (void)state;
#endif
}

static void write_starved(void **state)
{
    (void)state;
    char path[128];
    long live = fvi_alloc_live(), k = 0;
    check_path(path, "b.h5");
    for (fv_status status = FV_E_MEMORY; status != FV_OK;) {
        fvi_alloc_fail_at(++k);
        status = save_all(path, false);
        fvi_alloc_fail_at(0);
        if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 20);
}

/* More than one node of every table in the file. */
static void write_many(void **state)
{
    (void)state;
    char path[128], name[32];
    fvi_hdf5_save *save;
    fvi_hdf5 *file;
    fvi_value *names;
    fvi_array array;
    CHECK_OK(fvi_hdf5_create(&save, check_path(path, "b.h5")));
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "set_%04d", i * 7919 % 2000);
        CHECK_OK(fvi_hdf5_add(save, name, &(fv_shape){1, {1}}, FV_INT32));
        CHECK_OK(fvi_hdf5_write_rows(save, name, 0, 1, &i));
    }
    CHECK_OK(fvi_hdf5_commit(save));
    CHECK_OK(fvi_hdf5_open(&file, path));
    CHECK_OK(fvi_hdf5_list(file, &names));
    assert_int_equal(names->count, 2000);
    for (int i = 0; i < 2000; i += 99) {
        snprintf(name, sizeof name, "set_%04d", i * 7919 % 2000);
        CHECK_OK(fvi_hdf5_read(file, name, 4, &array));
        assert_int_equal(*(int32_t *)array.data, i);
        fvi_array_free(&array);
    }
    fvi_value_free(names);
    fvi_hdf5_close(file);
}

/* 200 MB by rows of 1 MB. */
static void write_bounded(void **state)
{
    (void)state;
    char path[128];
    struct rusage before, after;
    fvi_hdf5_save *save;
    unsigned char *row = calloc(1, 1 << 20);
    assert_non_null(row);
    getrusage(RUSAGE_SELF, &before);
    CHECK_OK(fvi_hdf5_create(&save, check_path(path, "b.h5")));
    CHECK_OK(fvi_hdf5_add(save, "x", &(fv_shape){2, {200, 1 << 20}}, FV_UINT8));
    for (int i = 0; i < 200; i++)
        CHECK_OK(fvi_hdf5_write_rows(save, "x", i, 1, row));
    fvi_hdf5_abort(save);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
    free(row);
}

static int write_done(void **state)
{
    (void)state;
    static const char *const made[] = {"a.h5", "b.h5", "c.h5"};
    check_cleanup(made, FVI_COUNT(made));
    return fvi_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_round),    cmocka_unit_test(write_same_bytes),
        cmocka_unit_test(write_for_h5py), cmocka_unit_test(write_for_h5dump),
        cmocka_unit_test(write_refuses),  cmocka_unit_test(write_faults),
        cmocka_unit_test(write_sticky),   cmocka_unit_test(write_starved),
        cmocka_unit_test(write_many),     cmocka_unit_test(write_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, write_done);
}

#endif
