/* SPDX-License-Identifier: MIT */
/* The base when the system refuses: every call of a read or a save fails once, in every way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>

#define FAULT_SHORT (-1) /* no error: only one byte is read or written */

/* The k-th call from now fails; fault_left is 0 when nothing is to fail. */
static int fault_left, fault_error;
static bool fault_hit;

/* The calls of file.c come here instead of to the C library, because an executable's own functions
   go first. True: this one fails, errno says how. */
static bool fault_now(void)
{
    if (fault_left == 0 || --fault_left > 0) return false;
    fault_hit = true;
    errno = fault_error;
    return true;
}

ssize_t read(int file, void *bytes, size_t size)
{
    if (size > 0 && fault_now()) {
        if (fault_error != FAULT_SHORT) return -1;
        size = 1;
    }
    return (ssize_t)syscall(SYS_read, file, bytes, size);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    if (size > 0 && fault_now()) {
        if (fault_error != FAULT_SHORT) return -1;
        size = 1;
    }
    return (ssize_t)syscall(SYS_write, file, bytes, size);
}

ssize_t pread(int file, void *bytes, size_t size, off_t offset)
{
    if (size > 0 && fault_now()) {
        if (fault_error != FAULT_SHORT) return -1;
        size = 1;
    }
    return (ssize_t)syscall(SYS_pread64, file, bytes, size, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset)
{
    if (size > 0 && fault_now()) {
        if (fault_error != FAULT_SHORT) return -1;
        size = 1;
    }
    return (ssize_t)syscall(SYS_pwrite64, file, bytes, size, offset);
}

int fsync(int file)
{
    if (fault_now() && fault_error != FAULT_SHORT) return -1;
    return (int)syscall(SYS_fsync, file);
}

/* As Linux does it: the file is closed, whatever is said about it. */
int close(int file)
{
    int result = (int)syscall(SYS_close, file);
    return fault_now() && fault_error != FAULT_SHORT ? -1 : result;
}

int rename(const char *from, const char *to)
{
    if (fault_now() && fault_error != FAULT_SHORT) return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = flags & O_CREAT ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    if (fault_now() && fault_error != FAULT_SHORT) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void fault_at(int k, int error)
{
    fault_left = k;
    fault_error = error;
    fault_hit = false;
}

static bool test_holds(const char *path, const char *text)
{
    unsigned char *bytes;
    size_t size;
    assert_int_equal(fvi_file_read(&bytes, &size, path, 1 << 20), FV_OK);
    bool same = size == strlen(text) && memcmp(bytes, text, size) == 0;
    fvi_free(bytes);
    return same;
}

static int test_files_here(void)
{
    int count = 0;
    DIR *folder = opendir(".");
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count - 2;
}

static int test_lowest_free(void)
{
    int file = dup(0);
    close(file);
    return file;
}

/* In a row, or its head at last, and looked at again. */
static fv_status test_save(bool in_row)
{
    fvi_save *save;
    char head[4];
    FVI_TRY(fvi_save_begin(&save, "x"));
    fv_status first = FV_OK, second = FV_OK;
    if (in_row) {
        first = fvi_save_write(save, "new ", 4);
        second = fvi_save_write(save, "text", 4);
    } else {
        first = fvi_save_write_at(save, "text", 4, 4);
        second = fvi_save_write_at(save, "new ", 4, 0);
        if (second == FV_OK && fvi_save_read_at(save, head, 4, 0) == FV_OK)
            assert_memory_equal(head, "new ", 4);
    }
    assert_true(first == FV_OK || second == FV_E_IO);
    fv_status status = fvi_save_commit(save);
    if (second != FV_OK) assert_int_equal(status, FV_E_IO);
    return status;
}

static const int test_errors[] = {EIO, ENOSPC, EINTR, EINVAL, EACCES, FAULT_SHORT};

/* Whichever call fails: the old file whole or the new file whole, a status that fits, and nothing
   left behind: no temporary, no memory, no open file. */
static void test_save_faults_of(bool in_row)
{
    char folder[] = "/tmp/fovea-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    int lowest = test_lowest_free();
    for (size_t e = 0; e < FVI_COUNT(test_errors); e++) {
        int k = 0, failed = 0;
        do {
            assert_int_equal(fvi_file_write("x", "old", 3), FV_OK);
            long live = fvi_alloc_live();
            fault_at(++k, test_errors[e]);
            fv_status status = test_save(in_row);
            fault_left = 0;
            assert_true(status == FV_OK || status == FV_E_IO);
            if (status == FV_OK) assert_true(test_holds("x", "new text"));
            if (status != FV_OK) {
                assert_non_null(strstr(fv_error(), "\"x\": "));
                assert_true(test_holds("x", "old") || test_holds("x", "new text"));
                failed++;
            }
            assert_int_equal(test_files_here(), 1);
            assert_int_equal(fvi_alloc_live(), live);
            assert_int_equal(test_lowest_free(), lowest);
        } while (fault_hit);
        assert_true(k >= 9); /* open, 2 writes, fsync, close, rename, open, fsync, close */
        /* A rename never says EINTR, so it counts as any error does; the rest is tried again. */
        if (test_errors[e] == EINTR) assert_int_equal(failed, 1);
        if (test_errors[e] == FAULT_SHORT) assert_int_equal(failed, 0);
        if (test_errors[e] == EIO) assert_int_equal(failed, 8); /* all but the folder's close */
    }
    assert_int_equal(unlink("x"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_save_faults(void **state)
{
    (void)state;
    test_save_faults_of(true);
    test_save_faults_of(false);
}

/* Heads filled in at last, holes, both ways of writing in one file. */
static void test_save_places(void **state)
{
    (void)state;
    char folder[] = "/tmp/fovea-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    fvi_save *save;
    unsigned char *bytes;
    char part[3];
    size_t size;
    assert_int_equal(fvi_save_begin(&save, "x"), FV_OK);
    assert_int_equal(fvi_save_write(save, "abc", 3), FV_OK);
    assert_int_equal(fvi_save_write_at(save, "yz", 2, 6), FV_OK);
    assert_int_equal(fvi_save_write(save, "d", 1), FV_OK);
    assert_int_equal(fvi_save_write_at(save, "A", 1, 0), FV_OK);
    assert_int_equal(fvi_save_write_at(save, NULL, 0, 100), FV_OK);
    assert_int_equal(fvi_save_read_at(save, part, 3, 2), FV_OK);
    assert_memory_equal(part, "cd\0", 3);
    assert_int_equal(fvi_save_read_at(save, part, 3, 6), FV_E_IO);
    assert_int_equal(fvi_save_commit(save), FV_OK);
    assert_int_equal(fvi_file_read(&bytes, &size, "x", 100), FV_OK);
    assert_int_equal(size, 8);
    assert_memory_equal(bytes, "Abcd\0\0yz", 8);
    fvi_free(bytes);
    assert_int_equal(unlink("x"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(fvi_save_write_at(NULL, "x", 1, 0), FV_E_STATE);
    assert_int_equal(fvi_save_read_at(NULL, part, 1, 0), FV_E_STATE);
}

/* The second sitting of a file that comes in parts. */
static fv_status test_sitting(void)
{
    fvi_save *save;
    uint64_t size = 0;
    FVI_TRY(fvi_save_resume(&save, &size, "x"));
    assert_int_equal(size, 4);
    fv_status status = fvi_save_write(save, "text", 4);
    if (status == FV_OK) return fvi_save_commit(save);
    fvi_save_abort(save);
    return status;
}

/* Whichever call fails: the file is whole, or not there and its part has what was written, so that
   another sitting can end it. */
static void test_resume_faults(void **state)
{
    (void)state;
    char folder[] = "/tmp/fovea-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    int lowest = test_lowest_free();
    for (size_t e = 0; e < FVI_COUNT(test_errors); e++) {
        int k = 0, failed = 0;
        do {
            assert_int_equal(fvi_file_write("x.part", "new ", 4), FV_OK);
            long live = fvi_alloc_live();
            fault_at(++k, test_errors[e]);
            fv_status status = test_sitting();
            fault_left = 0;
            assert_true(status == FV_OK || status == FV_E_IO);
            failed += status != FV_OK;
            if (fvi_file_exists("x"))
                assert_true(test_holds("x", "new text"));
            else
                assert_true(test_holds("x.part", "new ") || test_holds("x.part", "new text"));
            assert_int_equal(test_files_here(), 1);
            assert_int_equal(fvi_alloc_live(), live);
            assert_int_equal(test_lowest_free(), lowest);
            if (fvi_file_exists("x")) assert_int_equal(unlink("x"), 0);
        } while (fault_hit);
        assert_true(k >= 8); /* open, write, fsync, close, rename, open, fsync, close */
        if (test_errors[e] == EINTR) assert_int_equal(failed, 1);
        if (test_errors[e] == FAULT_SHORT) assert_int_equal(failed, 0);
        if (test_errors[e] == EIO) assert_int_equal(failed, 7);
    }
    unlink("x.part");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_read_faults(void **state)
{
    (void)state;
    char folder[] = "/tmp/fovea-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(fvi_file_write("x", "some bytes", 10), FV_OK);
    int lowest = test_lowest_free();
    for (size_t e = 0; e < FVI_COUNT(test_errors); e++) {
        int k = 0, failed = 0;
        do {
            unsigned char *bytes;
            size_t size;
            long live = fvi_alloc_live();
            fault_at(++k, test_errors[e]);
            fv_status status = fvi_file_read(&bytes, &size, "x", 100);
            fault_left = 0;
            assert_true(status == FV_OK || status == FV_E_IO);
            if (status == FV_OK) {
                assert_int_equal(size, 10);
                assert_memory_equal(bytes, "some bytes", 11);
                fvi_free(bytes);
            } else {
                assert_null(bytes);
                failed++;
            }
            assert_int_equal(fvi_alloc_live(), live);
            assert_int_equal(test_lowest_free(), lowest);
        } while (fault_hit);
        assert_true(k >= 4);
        bool passing = test_errors[e] == EINTR || test_errors[e] == FAULT_SHORT;
        assert_int_equal(failed, passing ? 0 : 3); /* open and both reads; close loses nothing */
        char peeked[4] = "";
        for (k = 1; k < 4; k++) {
            fault_at(k, test_errors[e]);
            size_t got = fvi_file_peek(peeked, 4, "x");
            fault_left = 0;
            assert_true(got == 0 || (got == 4 && memcmp(peeked, "some", 4) == 0));
            assert_int_equal(test_lowest_free(), lowest);
        }
    }
    char byte;
    assert_int_equal(fvi_file_peek(&byte, 1, "absent"), 0);
    assert_int_equal(fvi_file_peek(&byte, 1, "."), 0);
    assert_int_equal(unlink("x"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif

/* Too little address space for the stacks of 64 threads: an error, where the pool would hang. */
static void test_threads_refused(void **state)
{
    (void)state;
#ifdef TEST_SANITIZED
    print_message("skipped: a sanitizer needs the address space that this test takes away\n");
    skip();
#else
    fvi_threads *pair;
    assert_int_equal(fvi_threads_new(&pair, 2), FV_OK);
    bool threaded = fvi_threads_count(pair) == 2;
    fvi_threads_free(pair);
    assert_int_equal(fvi_threads_new(&pair, INT_MAX), threaded ? FV_E_ARG : FV_OK);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit space = {48u << 20, 48u << 20};
        fvi_threads *pool;
        alarm(20);
        setrlimit(RLIMIT_AS, &space);
        bool limited = fvi_memory_limit() <= 48u << 20;
        fv_status status = fvi_threads_new(&pool, 64);
        _exit(limited && status == (threaded ? FV_E_MEMORY : FV_OK) && !pool ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if defined(__linux__)
        cmocka_unit_test(test_save_faults),
        cmocka_unit_test(test_save_places),
        cmocka_unit_test(test_resume_faults),
        cmocka_unit_test(test_read_faults),
#endif
        cmocka_unit_test(test_threads_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
