/* SPDX-License-Identifier: MIT */
/* HDF5 files that lie, one field at a time, as no library writes them: C03, C04, C05, C07, C08, C15
   of the hostile inputs. Each is read in a child process, because libhdf5 may crash. */
#include "formats_check.h"

#ifndef FVI_WITH_HDF5

int main(void)
{
    printf("skipped: built without HDF5\n");
    return 77;
}

#else

#include <errno.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- a good file ---- */

static unsigned char *good;
static size_t good_size;

static void put(hid_t file, const char *name, hid_t type, const hsize_t *chunk, const void *data)
{
    const hsize_t size[2] = {5, 7};
    hid_t space = H5Screate_simple(2, size, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk != NULL) H5Pset_chunk(list, 2, chunk);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Pclose(list);
    H5Sclose(space);
}

static int good_make(void **state)
{
    (void)state;
    char path[128];
    const int32_t numbers[35] = {1, 2, 3};
    const float floats[35] = {1, 2, 3};
    const char *const words[3] = {"non-cat", "cat", "bird"};
    const hsize_t three = 3, chunk[2] = {2, 3};
    hid_t file = H5Fcreate(check_path(path, "good.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    put(file, "plain", H5T_STD_I32LE, NULL, numbers);
    put(file, "chunks", H5T_STD_I32LE, chunk, numbers);
    put(file, "floats", H5T_IEEE_F32LE, NULL, floats);
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &three, NULL);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t set = H5Dcreate2(file, "words", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, words) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
    CHECK_OK(fvi_file_read(&good, &good_size, path, 1 << 20));
    return 0;
}

static int good_free(void **state)
{
    (void)state;
    static const char *const made[] = {"good.h5", "bad.h5"};
    fvi_free(good);
    check_cleanup(made, FVI_COUNT(made));
    return fvi_alloc_live() != 0;
}

/* Where these bytes are for the n-th time (0: the first). ANY stands for any byte. */
#define ANY 0x100
static size_t find(const int *bytes, size_t count, int n)
{
    for (size_t at = 0; at + count <= good_size; at++) {
        size_t k = 0;
        while (k < count && (bytes[k] == ANY || bytes[k] == good[at + k]))
            k++;
        if (k == count && n-- == 0) return at;
    }
    fail_msg("the good file has no such bytes");
    return 0;
}
#define FIND(n, ...)                                                                               \
    find((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int), n)

/* ---- reading in a child ---- */

enum { DIED = -1, WRONG = 98, SILENT = 99 };

/* Numbers, all at once and by rows, which must agree; what is read must be what was written. */
static int ask_numbers(const fvi_hdf5 *file, const char *name)
{
    fvi_array array;
    int32_t rows[35], numbers[35] = {1, 2, 3};
    float floats[35] = {1, 2, 3};
    const void *expected = strcmp(name, "floats") == 0 ? (const void *)floats : numbers;
    fv_status status = fvi_hdf5_read(file, name, 1 << 20, &array);
    fv_status by_rows = fvi_hdf5_read_rows(file, name, 0, 5, rows,
                                           strcmp(name, "floats") == 0 ? FV_FLOAT32 : FV_INT32);
    bool is_right = status != FV_OK ? by_rows != FV_OK
                                    : by_rows == FV_OK && memcmp(array.data, expected, 140) == 0 &&
                                          memcmp(rows, expected, 140) == 0;
    fvi_array_free(&array);
    return is_right ? (int)status : WRONG;
}

/* The status of what is asked for, or of what comes before. */
static int ask(const char *path, const char *name)
{
    fvi_hdf5 *file;
    fvi_value *list, *words = NULL;
    int status = (int)fvi_hdf5_open(&file, path);
    if (status != FV_OK) return status;
    fv_status listed = fvi_hdf5_list(file, &list);
    fvi_value_free(list);
    if (strcmp(name, "/") == 0)
        status = (int)listed;
    else if (strcmp(name, "words") == 0)
        status = (int)fvi_hdf5_read_strings(file, name, &words);
    else
        status = ask_numbers(file, name);
    if (words != NULL && (words->count != 3 || strcmp(words->item[0]->string, "non-cat") != 0))
        status = WRONG;
    fvi_value_free(words);
    fvi_hdf5_close(file);
    return status;
}

static int ask_in_child(const char *path, const char *name)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int s = 1; s < 32; s++)
            signal(s, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_CPU, &(struct rlimit){2, 2});
        int status = ask(path, name);
        _exit(status == FV_OK || fv_error()[0] != '\0' ? status : SILENT);
    }
    int ended = 0;
    while (waitpid(child, &ended, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : DIED;
}

typedef struct lie {
    const char *what, *name;
    size_t at, size;
    uint64_t value;
} lie;

/* FORMAT or UNSUPPORTED, and no crash; harmless: libhdf5 does not look there, so all is right. */
static void judge(const lie *row, size_t count, bool is_harmless)
{
    char path[128];
    check_path(path, "bad.h5");
    for (size_t i = 0; i < count; i++) {
        unsigned char old[8];
        memcpy(old, good + row[i].at, 8);
        for (size_t k = 0; k < row[i].size; k++)
            good[row[i].at + k] = (unsigned char)(row[i].value >> (8 * k));
        CHECK_OK(fvi_file_write(path, good, good_size));
        memcpy(good + row[i].at, old, 8);
        int status = ask_in_child(path, row[i].name);
        bool is_good =
            is_harmless ? status == FV_OK : status == FV_E_FORMAT || status == FV_E_UNSUPPORTED;
        if (!is_good)
            fail_msg("%s = %llu: %s (%d)", row[i].what, (unsigned long long)row[i].value,
                     status == DIED    ? "it crashed"
                     : status == WRONG ? "other values were read"
                                       : fv_status_name((fv_status)status),
                     status);
    }
}

static void hostile_not(void **state)
{
    (void)state;
    static const char *const name[] = {"plain", "chunks", "floats", "words", "/"};
    char path[128];
    for (size_t i = 0; i < FVI_COUNT(name); i++)
        assert_int_equal(ask_in_child(check_path(path, "good.h5"), name[i]), FV_OK);
}

/* ---- C03, C04: the frame of the file ---- */

static void hostile_frame(void **state)
{
    (void)state;
    size_t tree = FIND(0, 'T', 'R', 'E', 'E', 0, 0), heap = FIND(0, 'H', 'E', 'A', 'P');
    size_t node = FIND(0, 'S', 'N', 'O', 'D');
    const lie row[] = {
        {"size of offsets", "plain", 13, 1, 0},
        {"size of offsets", "plain", 13, 1, 3},
        {"size of offsets", "plain", 13, 1, 255},
        {"size of lengths", "plain", 14, 1, 0},
        {"size of lengths", "plain", 14, 1, 3},
        {"size of lengths", "plain", 14, 1, 255},
        {"base address", "plain", 24, 8, 1000000},
        {"end of file", "plain", 40, 8, 100},
        {"end of file", "plain", 40, 8, 1000000},
        {"root header", "plain", 64, 8, 1000000},
        {"root header", "plain", 64, 8, UINT64_MAX},
        {"root header", "plain", 64, 8, 0},
        {"child of the tree", "/", tree + 32, 8, 1000000},
        {"child of the tree", "/", tree + 32, 8, tree},
        {"level of the tree", "/", tree + 5, 1, 1},
        {"entries of the tree", "/", tree + 6, 2, 0xFFFF},
        {"names", "/", heap + 24, 8, 1000000},
        {"size of names", "/", heap + 8, 8, 1},
        {"entries of a node", "/", node + 6, 2, 0xFFFF},
        {"first name", "/", node + 8, 8, 1000000},
        {"first object", "/", node + 16, 8, 1000000},
        {"first object", "/", node + 16, 8, UINT64_MAX},
    };
    judge(row, FVI_COUNT(row), false);
}

/* A tree whose node is its own neighbour ends, whatever it says. */
static void hostile_loop(void **state)
{
    (void)state;
    char path[128];
    size_t tree = FIND(0, 'T', 'R', 'E', 'E', 0, 0);
    unsigned char old[16];
    memcpy(old, good + tree + 8, 16);
    for (size_t k = 0; k < 8; k++)
        good[tree + 8 + k] = good[tree + 16 + k] = (unsigned char)((uint64_t)tree >> (8 * k));
    CHECK_OK(fvi_file_write(check_path(path, "bad.h5"), good, good_size));
    memcpy(good + tree + 8, old, 16);
    assert_int_equal(ask_in_child(path, "/"), FV_OK);
}

/* ---- C05, C07, C08: what a data set says of itself ---- */

static void hostile_sets(void **state)
{
    (void)state;
    size_t space = FIND(0, 1, 2, ANY, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0);
    size_t chunks = FIND(0, 3, 2, 3, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, 2, 0, 0, 0, 3, 0, 0, 0,
                         4, 0, 0, 0);
    size_t whole = FIND(0, 0x10, 8, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0);
    size_t real = FIND(0, 0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0);
    size_t plain = FIND(0, 3, 1, ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, 140, 0, 0, 0, 0, 0, 0, 0);
    const lie row[] = {
        {"rank", "plain", space + 1, 1, 9},
        {"rank", "plain", space + 1, 1, 33},
        {"rank", "plain", space + 1, 1, 255},
        {"version of the shape", "plain", space, 1, 9},
        {"rows", "plain", space + 8, 8, 1000000},
        {"rows", "plain", space + 8, 8, 6},
        {"rows", "plain", space + 8, 8, UINT64_MAX},
        {"rows", "plain", space + 8, 8, UINT64_C(1) << 61},
        {"chunk rows", "chunks", chunks + 11, 4, 0},
        {"chunk rows", "chunks", chunks + 11, 4, 0xFFFFFFFF},
        {"chunk columns", "chunks", chunks + 15, 4, 0},
        {"chunk columns", "chunks", chunks + 15, 4, 0x40000000},
        {"chunk element", "chunks", chunks + 19, 4, 0},
        {"chunk rank", "chunks", chunks + 2, 1, 0},
        {"chunk rank", "chunks", chunks + 2, 1, 1},
        {"chunk rank", "chunks", chunks + 2, 1, 4},
        {"chunk rank", "chunks", chunks + 2, 1, 34},
        {"chunk tree", "chunks", chunks + 3, 8, 1000000},
        {"chunk tree", "chunks", chunks + 3, 8, 8},
        {"size of an integer", "plain", whole + 4, 4, 0},
        {"size of an integer", "plain", whole + 4, 4, 3},
        {"size of an integer", "plain", whole + 4, 4, 255},
        {"size of an integer", "plain", whole + 4, 4, 0xFFFFFFFF},
        {"bits of an integer", "plain", whole + 10, 2, 0},
        {"bits of an integer", "plain", whole + 10, 2, 33},
        {"bits of an integer", "plain", whole + 10, 2, 0xFFFF},
        {"first bit of an integer", "plain", whole + 8, 2, 9},
        {"first bit of an integer", "plain", whole + 8, 2, 0xFFFF},
        {"class", "plain", whole, 1, 0x1F},
        {"size of a float", "floats", real + 4, 4, 0},
        {"size of a float", "floats", real + 4, 4, 3},
        {"bits of a float", "floats", real + 10, 2, 0xFFFF},
        {"exponent's place", "floats", real + 12, 1, 255},
        {"exponent's bits", "floats", real + 13, 1, 255},
        {"mantissa's place", "floats", real + 14, 1, 255},
        {"mantissa's bits", "floats", real + 15, 1, 255},
        {"sign's place", "floats", real + 2, 1, 255},
        {"data's place", "plain", plain + 2, 8, 1000000},
        {"data's place", "plain", plain + 2, 8, UINT64_MAX - 8},
        {"data's size", "plain", plain + 10, 8, 139},
        {"data's size", "plain", plain + 10, 8, 1000000},
        {"layout", "plain", plain + 1, 1, 7},
        {"version of the layout", "plain", plain, 1, 77},
    };
    const lie harmless[] = {
        {"chunk element", "chunks", chunks + 19, 4, 1},
        {"chunk element", "chunks", chunks + 19, 4, 2},
        {"chunk element", "chunks", chunks + 19, 4, 8},
        {"chunk element", "chunks", chunks + 19, 4, 0x20000000},
    };
    judge(row, FVI_COUNT(row), false);
    judge(harmless, FVI_COUNT(harmless), true);
}

/* ---- C15: strings that are kept in a heap ---- */

static void hostile_strings(void **state)
{
    (void)state;
    size_t heap = FIND(0, 'G', 'C', 'O', 'L');
    int low = (int)(heap & 255), high = (int)(heap >> 8 & 255);
    size_t word = FIND(0, ANY, 0, 0, 0, low, high, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    const lie row[] = {
        {"string's length", "words", word, 4, 0x7FFFFFFF},
        {"string's length", "words", word, 4, 0xFFFFFFFF},
        {"string's heap", "words", word + 4, 8, 1000000},
        {"string's heap", "words", word + 4, 8, 8},
        {"string's number", "words", word + 12, 4, 99},
        {"string's number", "words", word + 12, 4, 0xFFFFFFFF},
        {"heap's size", "words", heap + 8, 8, UINT64_MAX},
        {"heap's size", "words", heap + 8, 8, 0},
        {"object's size", "words", heap + 24, 8, 1000000},
        {"object's size", "words", heap + 24, 8, UINT64_MAX},
        {"object's number", "words", heap + 16, 2, 0xFFFF},
    };
    judge(row, FVI_COUNT(row), false);
}

static void strings_starved(void **state)
{
    (void)state;
    char path[128];
    long live = fvi_alloc_live(), k = 0;
    check_path(path, "good.h5");
    for (fv_status status = FV_E_MEMORY; status != FV_OK;) {
        fvi_hdf5 *file;
        fvi_value *words = NULL;
        fvi_alloc_fail_at(++k);
        status = fvi_hdf5_open(&file, path);
        if (status == FV_OK) status = fvi_hdf5_read_strings(file, "words", &words);
        fvi_alloc_fail_at(0);
        if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
        fvi_value_free(words);
        fvi_hdf5_close(file);
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_starved), cmocka_unit_test(hostile_not),
        cmocka_unit_test(hostile_frame),   cmocka_unit_test(hostile_loop),
        cmocka_unit_test(hostile_sets),    cmocka_unit_test(hostile_strings),
    };
    return cmocka_run_group_tests(tests, good_make, good_free);
}

#endif
