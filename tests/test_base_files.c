/* SPDX-License-Identifier: MIT */
/* The base: values, files, random numbers. Its other half is test_base.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base_internal.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- values ---- */

static void test_value_tree(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    fvi_value *dict = fvi_value_dict(), *list = fvi_value_list();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(fvi_value_push(list, fvi_value_int(i * i)), FV_OK);
    }
    assert_int_equal(list->count, 100);
    assert_int_equal(list->item[99]->integer, 9801);
    assert_true(list->item[99]->number == 9801.0);
    assert_int_equal(fvi_value_set(dict, "list", list), FV_OK);
    assert_int_equal(fvi_value_set(dict, "name", fvi_value_string("conv1")), FV_OK);
    assert_int_equal(fvi_value_set(dict, "rate", fvi_value_double(0.5)), FV_OK);
    assert_int_equal(fvi_value_set(dict, "", fvi_value_bool(true)), FV_OK);
    assert_int_equal(fvi_value_set(dict, "none", fvi_value_null()), FV_OK);
    assert_int_equal(fvi_value_set(dict, "name", fvi_value_int(1)), FV_E_FORMAT);
    assert_string_equal(fv_error(), "key \"name\" is there twice");
    assert_int_equal(fvi_value_set(dict, "x", NULL), FV_E_MEMORY);
    assert_int_equal(fvi_value_push(list, NULL), FV_E_MEMORY);
    assert_int_equal(dict->count, 5);
    assert_string_equal(dict->key[2], "rate");
    assert_ptr_equal(fvi_value_get(dict, "list"), list);
    assert_int_equal(fvi_value_get(dict, "none")->kind, FVI_VALUE_NULL);
    assert_true(fvi_value_get(dict, "")->boolean);
    assert_string_equal(fvi_value_get_string(dict, "name"), "conv1");
    assert_null(fvi_value_get_string(dict, "rate"));
    assert_null(fvi_value_get(dict, "absent"));
    assert_null(fvi_value_get(list, "name"));
    assert_null(fvi_value_get(NULL, "name"));
    fvi_value_free(dict);
    fvi_value_free(NULL);
    assert_int_equal(fvi_alloc_live(), live);
}

/* So many keys that a search from the front would take minutes. */
static void test_value_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 100000 };
    char key[32];
    fvi_value *dict = fvi_value_dict();
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "block%d", i);
        assert_int_equal(fvi_value_set(dict, key, fvi_value_int(i)), FV_OK);
        if (i < 40) assert_null(fvi_value_get(dict, "block40"));
    }
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "block%d", i);
        assert_int_equal(fvi_value_get(dict, key)->integer, i);
        assert_string_equal(dict->key[i], key); /* still in order of insertion */
    }
    assert_null(fvi_value_get(dict, "block100000"));
    assert_int_equal(fvi_value_set(dict, "block777", fvi_value_null()), FV_E_FORMAT);
    fvi_value_free(dict);
}

/* A dict of n strings; NULL when out of memory. */
static fvi_value *test_value_make(int n)
{
    char key[16];
    fvi_value *dict = fvi_value_dict();
    for (int i = 0; dict && i < n; i++) {
        snprintf(key, sizeof key, "k%d", i);
        fv_status status = fvi_value_set(dict, key, fvi_value_string(key));
        if (status != FV_OK) {
            assert_int_equal(status, FV_E_MEMORY);
            for (int j = 0; j < n; j++) { /* what is in is found, what is not is not */
                snprintf(key, sizeof key, "k%d", j);
                assert_int_equal(fvi_value_get(dict, key) != NULL, j < i);
            }
            fvi_value_free(dict);
            return NULL;
        }
    }
    return dict;
}

static void test_value_memory(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    fvi_value *dict = NULL;
    long k = 0;
    while (!dict) {
        fvi_alloc_fail_at(++k);
        dict = test_value_make(20);
        if (!dict) assert_int_equal(fvi_alloc_live(), live);
    }
    fvi_alloc_fail_at(0);
    assert_true(k > 60); /* three allocations for each key, each of which has failed once */
    fvi_value_free(dict);
    assert_int_equal(fvi_alloc_live(), live);
}

/* ---- files ---- */

static int test_folder_enter(void **state)
{
    (void)state;
    char folder[] = "/tmp/fovea-test-XXXXXX";
    if (!mkdtemp(folder)) return -1;
    return chdir(folder);
}

/* Every test leaves an empty folder, so rmdir is a check: no temporary is left. */
static int test_folder_leave(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    if (!getcwd(folder, sizeof folder) || chdir("/") != 0) return -1;
    return rmdir(folder);
}

static int test_folder_count(void)
{
    int count = 0;
    DIR *folder = opendir(".");
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count - 2; /* . and .. */
}

static void test_file_holds(const char *path, const char *text)
{
    unsigned char *bytes;
    size_t size;
    assert_int_equal(fvi_file_read(&bytes, &size, path, 1 << 20), FV_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size + 1); /* the NUL too */
    fvi_free(bytes);
}

static void test_file_round(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    unsigned char *bytes;
    size_t size;
    assert_int_equal(fvi_file_write("x.txt", "hello", 5), FV_OK);
    test_file_holds("x.txt", "hello");
    assert_int_equal(fvi_file_write("x.txt", NULL, 0), FV_OK);
    test_file_holds("x.txt", "");
    assert_int_equal(fvi_file_write("x.txt", "12345678", 8), FV_OK);
    assert_int_equal(fvi_file_read(&bytes, &size, "x.txt", 8), FV_OK);
    fvi_free(bytes);
    assert_int_equal(fvi_file_read(&bytes, &size, "x.txt", 7), FV_E_MEMORY);
    assert_string_equal(fv_error(), "cannot read \"x.txt\": longer than the limit of 7 bytes");
    assert_null(bytes);
    assert_true(fvi_file_exists("x.txt"));
    assert_true(fvi_file_exists("."));
    assert_false(fvi_file_exists("y.txt"));
    assert_true(fvi_file_is_folder("."));
    assert_false(fvi_file_is_folder("x.txt"));
    assert_false(fvi_file_is_folder("y.txt"));
    unlink("x.txt");
    /* A file of the kernel says that it has 0 bytes, and has more. */
    if (fvi_file_exists("/proc/self/status")) {
        assert_int_equal(fvi_file_read(&bytes, &size, "/proc/self/status", 1 << 20), FV_OK);
        assert_true(size > 100 && bytes[size] == '\0');
        fvi_free(bytes);
        assert_int_equal(fvi_file_read(&bytes, &size, "/proc/self/status", 100), FV_E_MEMORY);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

static void test_file_refused(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t size;
    fvi_save *save;
    assert_int_equal(fvi_file_read(&bytes, &size, "x.h5", 100), FV_E_IO);
    assert_string_equal(fv_error(), "cannot open \"x.h5\": No such file or directory");
    assert_int_equal(fvi_file_read(&bytes, &size, "x\n\x1b.h5", 100), FV_E_IO);
    assert_non_null(strstr(fv_error(), "x\\x0a\\x1b.h5"));
    assert_int_equal(fvi_file_read(&bytes, &size, NULL, 100), FV_E_ARG);
    assert_int_equal(fvi_file_read(&bytes, &size, ".", 100), FV_E_IO);
    assert_string_equal(fv_error(), "cannot read \".\": Is a directory");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    alarm(20); /* a read that waits for a writer must not wait for ever */
    assert_int_equal(fvi_file_read(&bytes, &size, "fifo", 100), FV_E_IO);
    assert_non_null(strstr(fv_error(), "not a regular file"));
    assert_int_equal(fvi_save_begin(&save, "fifo"), FV_E_IO);
    alarm(0);
    unlink("fifo");
    static const char *const folder[] = {".", "..", "./", "/", "/tmp"};
    for (size_t i = 0; i < FVI_COUNT(folder); i++) {
        assert_int_equal(fvi_save_begin(&save, folder[i]), FV_E_IO);
        assert_non_null(strstr(fv_error(), "Is a directory"));
        assert_null(save);
    }
    assert_int_equal(fvi_save_begin(&save, ""), FV_E_IO);
    assert_int_equal(fvi_save_begin(&save, "absent/x"), FV_E_IO);
    assert_string_equal(fv_error(), "cannot write \"absent/x\": No such file or directory");
    assert_int_equal(fvi_save_begin(&save, NULL), FV_E_ARG);
    assert_int_equal(fvi_save_begin(&save, "/dev/null"), FV_E_IO);
    assert_true(fvi_file_exists("/dev/null"));
    assert_int_equal(fvi_save_write(NULL, "x", 1), FV_E_STATE);
    assert_int_equal(fvi_save_commit(NULL), FV_E_STATE);
    assert_int_equal(test_folder_count(), 0);
    char path[600];
    memset(path, 'a', sizeof path);
    memcpy(path + 560, "/the_name.h5", 13);
    assert_int_equal(fvi_file_read(&bytes, &size, path, 100), FV_E_IO);
    assert_non_null(strstr(fv_error(), "the_name.h5")); /* of a long path the end is shown */
    for (int i = 0; i < 4; i++) {                       /* and no half of a character */
        memset(path, 'a', sizeof path);
        for (int at = 400 + i; at < 560; at += 4) {
            memcpy(path + at, "\xF0\x9F\x98\x80", 4);
        }
        memcpy(path + 560 + i, ".h5", 4);
        assert_int_equal(fvi_file_read(&bytes, &size, path, 100), FV_E_IO);
        assert_null(strstr(fv_error(), "\\x"));
    }
}

static void test_save_atomic(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    fvi_save *save;
    assert_int_equal(fvi_file_write("x", "old", 3), FV_OK);
    assert_int_equal(fvi_save_begin(&save, "x"), FV_OK);
    assert_int_equal(fvi_save_write(save, "ne", 2), FV_OK);
    assert_int_equal(fvi_save_write(save, "w", 1), FV_OK);
    test_file_holds("x", "old");
    assert_int_equal(test_folder_count(), 2); /* the temporary stands beside */
    fvi_save_abort(save);
    test_file_holds("x", "old");
    assert_int_equal(test_folder_count(), 1);
    fvi_save *other; /* two at once do not disturb each other */
    assert_int_equal(fvi_save_begin(&save, "x"), FV_OK);
    assert_int_equal(fvi_save_begin(&other, "x"), FV_OK);
    assert_int_equal(fvi_save_write(save, "first", 5), FV_OK);
    assert_int_equal(fvi_save_write(other, "second", 6), FV_OK);
    assert_int_equal(fvi_save_commit(save), FV_OK);
    test_file_holds("x", "first");
    assert_int_equal(fvi_save_commit(other), FV_OK);
    test_file_holds("x", "second");
    assert_int_equal(test_folder_count(), 1);
    unlink("x");
    /* The folder is gone when it comes to renaming: a failure, and no leak. */
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(fvi_save_begin(&save, "sub/x"), FV_OK);
    assert_int_equal(mkdir("sub/x", 0700), 0);
    assert_int_equal(fvi_save_commit(save), FV_E_IO);
    assert_int_equal(rmdir("sub/x"), 0);
    assert_int_equal(rmdir("sub"), 0);
    fvi_save_abort(NULL);
    assert_int_equal(fvi_alloc_live(), live);
}

/* A file size limit makes write(2) first short, then fail, as a full disk does. */
static void test_save_full(void **state)
{
    (void)state;
    struct rlimit before, small;
    char bytes[3000] = {0};
    fvi_save *save;
    assert_int_equal(fvi_file_write("x", "old", 3), FV_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fv_status once = fvi_file_write("x", bytes, sizeof bytes);
    fv_status begun = fvi_save_begin(&save, "x");
    fv_status first = fvi_save_write(save, bytes, 900), second = fvi_save_write(save, bytes, 900);
    fv_status third = fvi_save_write(save, bytes, 1), committed = fvi_save_commit(save);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(once, FV_E_IO);
    assert_int_equal(begun, FV_OK);
    assert_int_equal(first, FV_OK);
    assert_int_equal(second, FV_E_IO);
    assert_int_equal(third, FV_E_IO); /* a hole must not be covered by what follows */
    assert_int_equal(committed, FV_E_IO);
    test_file_holds("x", "old");
    assert_int_equal(test_folder_count(), 1);
    unlink("x");
}

static unsigned test_mode(const char *path)
{
    struct stat about;
    assert_int_equal(lstat(path, &about), 0);
    return (unsigned)about.st_mode & 0777u;
}

static void test_save_mode(void **state)
{
    (void)state;
    mode_t before = umask(027);
    assert_int_equal(fvi_file_write("x", "1", 1), FV_OK);
    assert_int_equal(test_mode("x"), 0640);
    chmod("x", 0604); /* a file that stands keeps what its owner chose */
    assert_int_equal(fvi_file_write("x", "2", 1), FV_OK);
    assert_int_equal(test_mode("x"), 0604);
    umask(before);
    if (geteuid() != 0) {
        fvi_save *save;
        chmod("x", 0400);
        assert_int_equal(fvi_save_begin(&save, "x"), FV_E_IO);
    }
    unlink("x");
}

static void test_save_link(void **state)
{
    (void)state;
    fvi_save *save;
    char name[256];
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(symlink("sub/next", "link"), 0);
    assert_int_equal(symlink("target", "sub/next"), 0);
    assert_int_equal(fvi_file_write("link", "made", 4), FV_OK); /* where nothing was yet */
    test_file_holds("sub/target", "made");
    assert_int_equal(fvi_file_write("link", "again", 5), FV_OK);
    test_file_holds("sub/target", "again");
    struct stat about;
    assert_int_equal(lstat("link", &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    assert_int_equal(test_folder_count(), 2);
    unlink("link");
    unlink("sub/next");
    unlink("sub/target");
    assert_int_equal(symlink("sub", "link"), 0);
    assert_int_equal(fvi_save_begin(&save, "link"), FV_E_IO);
    unlink("link");
    assert_int_equal(symlink("link", "link"), 0);
    assert_int_equal(fvi_save_begin(&save, "link"), FV_E_IO);
    assert_non_null(strstr(fv_error(), "cannot write \"link\""));
    unlink("link");
    assert_int_equal(rmdir("sub"), 0);
    memset(name, 'n', 255); /* the longest name that a file may have */
    name[255] = '\0';
    assert_int_equal(fvi_file_write(name, "x", 1), FV_OK);
    unlink(name);
}

static void test_save_memory(void **state)
{
    (void)state;
    long live = fvi_alloc_live(), k = 0;
    fv_status status = FV_E_MEMORY;
    assert_int_equal(fvi_file_write("x", "old", 3), FV_OK);
    assert_int_equal(symlink("x", "link"), 0);
    while (status != FV_OK) {
        fvi_alloc_fail_at(++k);
        status = fvi_file_write("link", "new", 3);
        fvi_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_E_MEMORY);
        assert_int_equal(fvi_alloc_live(), live);
        assert_int_equal(test_folder_count(), 2);
    }
    assert_true(k > 4);
    test_file_holds("x", "new");
    unlink("link");
    unsigned char *bytes;
    size_t size;
    fvi_alloc_fail_at(1);
    assert_int_equal(fvi_file_read(&bytes, &size, "x", 100), FV_E_MEMORY);
    assert_null(bytes);
    unlink("x");
}

/* ---- random numbers ---- */

static void test_rng_philox(void **state)
{
    (void)state;
    /* The first two: kat_vectors of Random123 1.14. The others: a second implementation. */
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } want[] = {
        {{0, 0, 0, 0}, {0, 0}, {1713891541, 3781805453, 3159862348, 2600524760}},
        {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
         {UINT32_MAX, UINT32_MAX},
         {1083123565, 1103641358, 2718681030, 1834242557}},
        {{0, 0, 0, 0}, {1, 0}, {3823634032, 3842641596, 2515673792, 3054873127}},
        {{1, 0, 0, 0}, {1, 0}, {2886210587, 3754282174, 2042657351, 2817941651}},
        {{0, 0, 45, 0}, {1, 0}, {2679967157, 2351057534, 320919666, 3315751118}},
    };
    uint32_t out[4];
    for (size_t i = 0; i < FVI_COUNT(want); i++) {
        fvi_philox(out, want[i].counter, want[i].key);
        assert_memory_equal(out, want[i].out, sizeof out);
    }
    const uint32_t words[4] = {127867098, 2987490643, 3145360405, 23255858};
    uint64_t seed = UINT64_C(0x123456789abcdef0), index = (UINT64_C(1) << 33) + 5;
    fvi_rng_words(out, seed, FVI_RNG_TEST, 7, index);
    assert_memory_equal(out, words, sizeof out);
    assert_true(fvi_rng_uniform(seed, FVI_RNG_TEST, 7, index) == 0.6955793693265345);
    assert_true(fabs(fvi_rng_normal(seed, FVI_RNG_TEST, 7, index) - 1.541407665857628) < 1e-14);
    assert_int_equal(fvi_rng_int(seed, FVI_RNG_TEST, 7, index, 1000), 426);
}

static void test_rng_spread(void **state)
{
    (void)state;
    enum { N = 20000 };
    double sum = 0, squares = 0, normal = 0, normal_squares = 0;
    int count[7] = {0};
    for (uint64_t i = 0; i < N; i++) {
        double u = fvi_rng_uniform(3, FVI_RNG_TEST, 0, i),
               z = fvi_rng_normal(3, FVI_RNG_TEST, 1, i);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        sum += u;
        squares += u * u;
        normal += z;
        normal_squares += z * z;
        count[fvi_rng_int(3, FVI_RNG_TEST, 2, i, 7)]++;
    }
    /* Five standard deviations of each mean. */
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(normal / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(normal_squares / N - 1) < 5 * sqrt(2.0 / N));
    for (int i = 0; i < 7; i++) {
        assert_true(fabs(count[i] - N / 7.0) < 5 * sqrt(N * 6.0 / 49));
    }
    assert_int_equal(fvi_rng_int(1, FVI_RNG_TEST, 0, 0, 1), 0);
    int heads = 0;
    for (uint64_t i = 0; i < 100; i++) {
        assert_in_range(fvi_rng_int(1, FVI_RNG_TEST, 0, i, INT_MAX), 0, INT_MAX - 1);
        heads += fvi_rng_int(1, FVI_RNG_TEST, 0, i, 2);
    }
    assert_in_range(heads, 25, 75);
}

static void test_rng_permutation(void **state)
{
    (void)state;
    enum { N = 1000 };
    static const int known[10] = {1, 5, 6, 8, 3, 4, 2, 7, 0, 9};
    int p[N], other[N], seen[N] = {0}, moved = 0, same = 0;
    fvi_rng_permutation(p, 10, 42, FVI_RNG_SHUFFLE, 3);
    assert_memory_equal(p, known, sizeof known);
    fvi_rng_permutation(p, N, 42, FVI_RNG_SHUFFLE, 0);
    fvi_rng_permutation(other, N, 42, FVI_RNG_SHUFFLE, 1);
    for (int i = 0; i < N; i++) {
        assert_in_range(p[i], 0, N - 1);
        seen[p[i]]++;
        moved += p[i] != i;
        same += p[i] == other[i];
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_true(moved > 980 && same < 20); /* each a Poisson number around 1 away */
    fvi_rng_permutation(p, 0, 42, FVI_RNG_SHUFFLE, 0);
    fvi_rng_permutation(p, 1, 42, FVI_RNG_SHUFFLE, 0);
    assert_int_equal(p[0], 0);
}

#define TEST_IN_FOLDER(name)                                                                       \
    cmocka_unit_test_setup_teardown(name, test_folder_enter, test_folder_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_tree),      cmocka_unit_test(test_value_many_keys),
        cmocka_unit_test(test_value_memory),    TEST_IN_FOLDER(test_file_round),
        TEST_IN_FOLDER(test_file_refused),      TEST_IN_FOLDER(test_save_atomic),
        TEST_IN_FOLDER(test_save_full),         TEST_IN_FOLDER(test_save_mode),
        TEST_IN_FOLDER(test_save_link),         TEST_IN_FOLDER(test_save_memory),
        cmocka_unit_test(test_rng_philox),      cmocka_unit_test(test_rng_spread),
        cmocka_unit_test(test_rng_permutation),

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
