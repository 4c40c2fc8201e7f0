/* SPDX-License-Identifier: MIT */
/* The base: files that come in parts, locks, making and removing folders. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char parts_folder[64];

static int parts_setup(void **state)
{
    (void)state;
    snprintf(parts_folder, sizeof parts_folder, "/tmp/fovea-parts-XXXXXX");
    return mkdtemp(parts_folder) && chdir(parts_folder) == 0 ? 0 : -1;
}

static int parts_teardown(void **state)
{
    (void)state;
    return chdir("/") == 0 && fvi_folder_remove(parts_folder) == FV_OK ? 0 : -1;
}

static bool parts_holds(const char *path, const char *text)
{
    unsigned char *bytes;
    size_t size;
    if (fvi_file_read(&bytes, &size, path, 1 << 20) != FV_OK) return false;
    bool same = size == strlen(text) && memcmp(bytes, text, size) == 0;
    fvi_free(bytes);
    return same;
}

static void parts_put(const char *path, const char *text)
{
    assert_int_equal(fvi_file_write(path, text, strlen(text)), FV_OK);
}

/* Opens PATH.part, expects so many bytes there, adds text. */
static fvi_save *parts_sit(const char *path, uint64_t expected, const char *text)
{
    fvi_save *save;
    uint64_t size = 99;
    assert_int_equal(fvi_save_resume(&save, &size, path), FV_OK);
    assert_int_equal(size, expected);
    assert_int_equal(fvi_save_write(save, text, strlen(text)), FV_OK);
    return save;
}

static void parts_sittings(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    parts_put("x", "old");
    fvi_save_abort(parts_sit("x", 0, "one "));
    assert_true(parts_holds("x", "old"));
    assert_true(parts_holds("x.part", "one "));
    fvi_save *save = parts_sit("x", 4, "two ");
    assert_string_equal(fvi_save_part(save) + strlen(fvi_save_part(save)) - 6, "x.part");
    assert_true(parts_holds(fvi_save_part(save), "one two ")); /* readable before it is whole */
    fvi_save_abort(save);
    save = parts_sit("x", 8, "three");
    assert_int_equal(fvi_save_commit(save), FV_OK);
    assert_true(parts_holds("x", "one two three"));
    assert_false(fvi_file_exists("x.part"));

    save = parts_sit("x", 0, "wrong");
    assert_int_equal(fvi_save_restart(save), FV_OK);
    assert_int_equal(fvi_save_write(save, "right", 5), FV_OK);
    assert_int_equal(fvi_save_commit(save), FV_OK);
    assert_true(parts_holds("x", "right"));

    /* An empty part is no part. */
    save = parts_sit("x", 0, "wrong");
    assert_int_equal(fvi_save_restart(save), FV_OK);
    fvi_save_abort(save);
    assert_false(fvi_file_exists("x.part"));
    fvi_save_abort(parts_sit("y", 0, ""));
    assert_false(fvi_file_exists("y.part"));
    assert_int_equal(fvi_alloc_live(), live);
}

static void parts_refused(void **state)
{
    (void)state;
    fvi_save *save;
    uint64_t size;
    parts_put("victim", "safe");
    assert_int_equal(symlink("victim", "a.part"), 0);
    assert_int_equal(fvi_save_resume(&save, &size, "a"), FV_E_IO);
    assert_null(save);
    assert_true(parts_holds("victim", "safe"));
    assert_int_equal(mkfifo("b.part", 0600), 0);
    assert_int_equal(fvi_save_resume(&save, &size, "b"), FV_E_IO); /* and does not wait */
    assert_true(fvi_file_exists("b.part"));
    assert_int_equal(mkdir("c.part", 0700), 0);
    assert_int_equal(fvi_save_resume(&save, &size, "c"), FV_E_IO);
    assert_non_null(strstr(fv_error(), "\"c.part\""));
    assert_int_equal(fvi_save_resume(&save, &size, "no/where"), FV_E_IO);
    assert_int_equal(fvi_save_resume(&save, &size, "c.part"), FV_E_IO); /* the target is a folder */
    assert_int_equal(fvi_save_resume(&save, &size, NULL), FV_E_ARG);
    assert_null(save);
}

static void parts_names(void **state)
{
    (void)state;
    uint64_t size = 7;
    assert_false(fvi_file_size(&size, "absent"));
    assert_false(fvi_file_size(&size, "."));
    assert_false(fvi_file_size(&size, NULL));
    parts_put("n", "12345");
    assert_true(fvi_file_size(&size, "n"));
    assert_int_equal(size, 5);
    assert_int_equal(fvi_file_move("n", "m"), FV_OK);
    assert_true(parts_holds("m", "12345"));
    assert_int_equal(fvi_file_move("n", "m"), FV_E_IO);
    assert_int_equal(fvi_file_remove("m"), FV_OK);
    assert_false(fvi_file_exists("m"));
    assert_int_equal(fvi_file_remove("m"), FV_OK);
    assert_int_equal(fvi_file_remove("."), FV_E_IO);
}

static void parts_lock(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    char number[32];
    fvi_file_lock *lock, *other;
    parts_put("lock", "4242 and more than any number that a process has had");
    assert_int_equal(fvi_file_lock_take(&lock, "lock"), FV_OK); /* nobody holds what is left over */
    snprintf(number, sizeof number, "%ld", (long)getpid());
    assert_true(parts_holds("lock", number));
    assert_int_equal(fvi_file_lock_take(&other, "lock"), FV_E_IO);
    assert_null(other);
    assert_non_null(strstr(fv_error(), number));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        /* A child has the open file as well, but not the lock for itself. */
        _exit(fvi_file_lock_take(&other, "lock") == FV_E_IO && strstr(fv_error(), number) ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    fvi_file_lock_give(lock);
    assert_false(fvi_file_exists("lock"));
    assert_int_equal(fvi_file_lock_take(&lock, "lock"), FV_OK);
    fvi_file_lock_give(lock);
    fvi_file_lock_give(NULL);
    assert_int_equal(fvi_file_lock_take(&lock, "no/where"), FV_E_IO);
    assert_int_equal(fvi_file_lock_take(&lock, "."), FV_E_IO);
    assert_null(lock);
    for (long k = 1; k <= 2; k++) {
        fvi_alloc_fail_at(k);
        assert_int_equal(fvi_file_lock_take(&lock, "lock"), FV_E_MEMORY);
        fvi_alloc_fail_at(0);
        assert_false(fvi_file_exists("lock"));
    }
    assert_int_equal(fvi_alloc_live(), live);
}

static void parts_folders(void **state)
{
    (void)state;
    assert_int_equal(fvi_folder_make("f/g//h/"), FV_OK);
    assert_true(fvi_file_is_folder("f/g/h"));
    assert_int_equal(fvi_folder_make("f/g/h"), FV_OK);
    assert_int_equal(fvi_folder_make("/"), FV_OK);
    parts_put("f/file", "x");
    assert_int_equal(fvi_folder_make("f/file"), FV_E_IO);
    assert_non_null(strstr(fv_error(), "Not a directory"));
    assert_int_equal(fvi_folder_make("f/file/below"), FV_E_IO);
    assert_int_equal(fvi_folder_make(""), FV_E_IO);
    assert_int_equal(fvi_folder_make("/proc/no/such"), FV_E_IO);

    /* Links go, what they lead to stays. */
    assert_int_equal(fvi_folder_make("kept/below"), FV_OK);
    parts_put("kept/file", "x");
    assert_int_equal(symlink("../../kept", "f/g/link"), 0);
    assert_int_equal(symlink("nowhere", "f/g/h/dangling"), 0);
    assert_int_equal(mkfifo("f/g/pipe", 0600), 0);
    parts_put("f/.hidden", "x");
    assert_int_equal(fvi_folder_remove("f"), FV_OK);
    assert_false(fvi_file_exists("f"));
    assert_true(parts_holds("kept/file", "x"));
    assert_true(fvi_file_is_folder("kept/below"));
    assert_int_equal(fvi_folder_remove("f"), FV_OK);
    assert_int_equal(fvi_folder_remove("kept/file"), FV_OK); /* a file alone, too */
    assert_false(fvi_file_exists("kept/file"));
    assert_int_equal(fvi_folder_remove("/proc/self"), FV_E_IO);

    /* Deeper than anybody goes: an error, no overflow; and it can be removed from below. */
    char deep[300] = "d";
    for (int i = 0; i < 70; i++)
        strcat(deep, "/d");
    assert_int_equal(fvi_folder_make(deep), FV_OK);
    assert_int_equal(fvi_folder_remove("d"), FV_E_IO);
    deep[2 * 30 + 1] = '\0'; /* the lower forty */
    assert_int_equal(fvi_folder_remove(deep), FV_OK);
    assert_int_equal(fvi_folder_remove("d"), FV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_sittings), cmocka_unit_test(parts_refused),
        cmocka_unit_test(parts_names),    cmocka_unit_test(parts_lock),
        cmocka_unit_test(parts_folders),
    };
    return cmocka_run_group_tests(tests, parts_setup, parts_teardown);
}
