/* SPDX-License-Identifier: MIT */
/* Known data sets from folders and file:// addresses: what ends up on the disk, what is refused, what
   is left behind. test_fetch_archive.c has sets that come as archives, test_fetch_http.c a network. */
#include "fetch_check.h"

/* ---- the list ---- */

static bool fetch_is_sum(const char *text)
{
    return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static void fetch_check_entry(const fvi_known *set)
{
    uint64_t sum = 0;
    int files = 0;
    const fv_known_dataset *info = &set->info;
    assert_true(info->summary && info->licence && info->citation && info->url);
    assert_true(info->train > 0 && info->classes > 1 && info->shape.rank == 3 && info->bytes > 0);
    for (; files < FVI_KNOWN_FILES && set->file[files].name; files++) {
        const fvi_known_file *file = &set->file[files];
        if (file->size == 0) {
            assert_true(set->is_archive && set->unpack.limit_bytes > 0);
            assert_true(fetch_is_sum(set->tree_sha256));
            sum = info->bytes;
        } else {
            assert_true(fetch_is_sum(file->sha256));
            sum += file->size;
        }
        if (file->content_sha256)
            assert_true(fetch_is_sum(file->content_sha256) && file->content_size > file->size);
    }
    assert_int_equal(sum, info->bytes);
    assert_int_equal(files, set->is_archive ? 1 : 4);
    assert_int_equal(set->is_archive, set->holds[0].name != NULL);
    for (int i = 0; i < FVI_KNOWN_MIRRORS && (i == 0 || set->mirror[i]); i++) {
        assert_non_null(set->mirror[i]);
        assert_int_equal(strncmp(set->mirror[i], "http", 4), 0);
        assert_int_equal(set->mirror[i][strlen(set->mirror[i]) - 1], '/');
    }
}

static void fetch_list(void **state)
{
    (void)state;
    static const char *const names[] = {"mnist",   "fashion_mnist", "kmnist",
                                        "cifar10", "cifar100",      "signs"};
    for (size_t i = 0; i < FVI_COUNT(names); i++) {
        const fvi_known *set = fvi_known_at((int)i);
        assert_non_null(set);
        assert_ptr_equal(fvi_known_find(names[i]), set);
        assert_ptr_equal(fv_dataset_known((int)i), &set->info);
        assert_string_equal(set->info.name, names[i]);
        assert_false(fv_dataset_is_there(names[i], "/nowhere"));
        fetch_check_entry(set);
    }
    assert_null(fv_dataset_known((int)FVI_COUNT(names)));
    assert_null(fv_dataset_known(-1));
    assert_null(fvi_known_find(NULL));
    assert_false(fv_dataset_is_there("toy", "/tmp"));
    assert_false(fv_dataset_is_there("mnist", NULL));
    CHECK_FAILS(fv_dataset_get("minst", "/nowhere", NULL), FV_E_ARG,
                "no known data set \"minst\"; did you mean mnist?");
    CHECK_FAILS(fv_dataset_get("imagenet21k", "/nowhere", NULL), FV_E_ARG,
                "known are mnist, fashion_mnist, kmnist, cifar10, cifar100, signs");
    CHECK_FAILS(fv_dataset_get(NULL, "/nowhere", NULL), FV_E_ARG, "needed");
    CHECK_FAILS(fv_dataset_get("mnist", NULL, NULL), FV_E_ARG, "needed");
}

#ifdef FVI_WITH_FETCH

#include <sys/wait.h>

/* ---- plain files ---- */

static void fetch_plain(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    fv_get_config config = {.from = fetch_from};
    long live = fvi_alloc_live();
    CHECK_OK(fvi_folder_remove(fetch_to));
    assert_false(fvi_known_is_there(&set, fetch_to));
    CHECK_OK(fvi_fetch(&set, fetch_to, &config)); /* makes the folder, too */
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_to), 1); /* no lock, no part */
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    config.from = "/nowhere"; /* it is there: nobody looks */
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    CHECK_OK(fvi_fetch(&set, fetch_to, NULL));
    assert_int_equal(fvi_alloc_live(), live);
}

static void fetch_addresses(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    char plain[96], url[128];
    snprintf(plain, sizeof plain, "%s/plain", fetch_root);
    CHECK_OK(fvi_folder_make(plain));
    fetch_put(plain, "small", FETCH_SMALL, strlen(FETCH_SMALL));
    fetch_put(plain, "big.bin", fetch_big, FETCH_BIG);
    for (int i = 0; i < 3; i++) {
        snprintf(url, sizeof url, "file://%s%s%s", i == 2 ? "localhost" : "", plain,
                 i == 1 ? "/" : "");
        fetch_clear();
        CHECK_OK(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = url}));
        fetch_check_toy(&set);
    }
    /* a folder that is named from here */
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(fetch_root), 0);
    fetch_clear();
    CHECK_OK(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = "plain"}));
    fetch_check_toy(&set);
    assert_int_equal(chdir(here), 0);
    fetch_clear();
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = "ftp://host/x"}), FV_E_ARG,
                "expected a folder, file://, http:// or https://");
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = "/no/where"}), FV_E_IO,
                "\"/no/where\": it is no folder");
    assert_int_equal(fetch_count(fetch_to), 0);
    CHECK_FAILS(fvi_fetch(&set, "/proc/nothing", &(fv_get_config){.from = plain}), FV_E_IO,
                "/proc/nothing");
    CHECK_FAILS(fvi_fetch(&set, fetch_path(plain, "small"), &(fv_get_config){.from = plain}),
                FV_E_IO, "small");
}

/* What a folder may hold instead of the file, and what is said. */
static void fetch_wrong_files(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    const fv_get_config config = {.from = fetch_from};
    const char *big = fetch_path(fetch_from, "big.bin");
    fetch_clear();

    assert_int_equal(unlink(big), 0);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO,
                "(no such file); it should have small, big.bin");
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 1); /* small stays, no part */

    fetch_clear();
    assert_int_equal(mkfifo(big, 0600), 0);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO, "(not a regular file)");
    assert_int_equal(unlink(big), 0);
    assert_int_equal(mkdir(big, 0700), 0);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO, "(not a regular file)");
    assert_int_equal(rmdir(big), 0);

    fetch_big[FETCH_BIG - 1] ^= 1; /* one bit, in the last byte */
    fetch_put(fetch_from, "big.bin", fetch_big, FETCH_BIG);
    fetch_big[FETCH_BIG - 1] ^= 1;
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT, fetch_big_sum);
    assert_non_null(strstr(fv_error(), "(its SHA-256 is "));
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 1);

    fetch_put(fetch_from, "big.bin", fetch_big, FETCH_BIG - 1);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT, "(199999 bytes, expected 200000)");
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 1);

    unsigned char *longer = calloc(FETCH_BIG + 1, 1);
    fetch_put(fetch_from, "big.bin", longer, FETCH_BIG + 1);
    free(longer);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT,
                "(longer than the 200000 bytes expected)");
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 1);

    /* the very first file: not even its folder is left */
    fetch_clear();
    assert_int_equal(rename(fetch_path(fetch_from, "small"), fetch_path(fetch_from, "s")), 0);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO, "cannot get small from \"");
    assert_int_equal(fetch_count(fetch_to), 0);
    assert_int_equal(rename(fetch_path(fetch_from, "s"), fetch_path(fetch_from, "small")), 0);
    fetch_put(fetch_from, "big.bin", fetch_big, FETCH_BIG);
}

static void fetch_resume(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    static const struct {
        size_t size;
        bool is_right, is_used; /* the bytes fit; the set starts with them */
    } row[] = {{1, true, true},          {FETCH_BIG / 2, true, true},   {FETCH_BIG - 1, true, true},
               {FETCH_BIG, true, true},  {FETCH_BIG / 2, false, true}, /* seen at the end only */
               {FETCH_BIG, false, true}, {FETCH_BIG + 5, false, false}, {0, true, true}};
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fetch_watch watch = {0};
        const fv_get_config config = {
            .from = fetch_from, .progress = fetch_on_progress, .user = &watch};
        unsigned char *part = calloc(FETCH_BIG + 5, 1);
        if (row[i].is_right) memcpy(part, fetch_big, row[i].size);
        fetch_clear();
        CHECK_OK(fvi_folder_make(fetch_path(fetch_to, "toy")));
        fetch_put(fetch_to, "toy/small", FETCH_SMALL, strlen(FETCH_SMALL));
        fetch_put(fetch_to, "toy/big.bin.part", part, row[i].size);
        free(part);
        CHECK_OK(fvi_fetch(&set, fetch_to, &config));
        fetch_check_toy(&set);
        assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
        if (watch.calls > 0 && row[i].is_used && row[i].is_right)
            assert_true(watch.first >= strlen(FETCH_SMALL) + row[i].size);
        if (row[i].size == FETCH_BIG && row[i].is_right) assert_int_equal(watch.calls, 0);
    }
    /* A whole part needs no source at all. */
    fetch_clear();
    CHECK_OK(fvi_folder_make(fetch_path(fetch_to, "toy")));
    fetch_put(fetch_to, "toy/small.part", FETCH_SMALL, strlen(FETCH_SMALL));
    fetch_put(fetch_to, "toy/big.bin.part", fetch_big, FETCH_BIG);
    CHECK_OK(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_root}));
    fetch_check_toy(&set);
    /* A part that is a link is not followed. */
    fetch_clear();
    CHECK_OK(fvi_folder_make(fetch_path(fetch_to, "toy")));
    assert_int_equal(symlink("../victim", fetch_path(fetch_to, "toy/small.part")), 0);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_from}), FV_E_IO,
                "small.part");
    assert_false(fvi_file_exists(fetch_path(fetch_to, "victim")));
}

static void fetch_cancel(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    fetch_watch watch = {.stop_at = 100000};
    fv_get_config config = {.from = fetch_from, .progress = fetch_on_progress, .user = &watch};
    uint64_t size = 0;
    fetch_clear();
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_CANCELLED, "stopped");
    assert_true(fvi_file_size(&size, fetch_path(fetch_to, "toy/big.bin.part")));
    assert_true(size > 0 && size <= FETCH_BIG);
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    assert_int_equal(fetch_count(fetch_to), 1);
    watch.stop_at = 0;
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    fetch_check_toy(&set);
    assert_int_equal(watch.total, set.info.bytes);
}

static void fetch_force(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    fv_get_config config = {.from = fetch_from};
    fetch_clear();
    CHECK_OK(fvi_folder_make(fetch_path(fetch_to, "toy")));
    fetch_put(fetch_to, "toy/big.bin", "mine", 4);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO,
                "is there with 4 bytes, expected 200000; --force replaces it");
    assert_true(fetch_same(fetch_path(fetch_to, "toy/big.bin"), "mine", 4));
    config.force = true;
    fetch_put(fetch_to, "toy/big.bin.part", "rubbish", 7);
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
}

static void fetch_lock(void **state)
{
    (void)state;
    const fvi_known set = fetch_toy();
    const fv_get_config config = {.from = fetch_from};
    fvi_file_lock *lock, *second;
    char text[64];
    char path[FOLDER_PATH];
    snprintf(path, sizeof path, "%s/.toy.lock", fetch_to);
    fetch_clear();
    CHECK_OK(fvi_file_lock_take(&lock, path));
    snprintf(text, sizeof text, "process %ld is at work on it", (long)getpid());
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO, text);
    CHECK_FAILS(fvi_file_lock_take(&second, path), FV_E_IO, ".toy.lock\": process ");
    assert_null(second);
    assert_true(fvi_file_exists(path));
    assert_int_equal(fetch_count(fetch_to), 1);
    fvi_file_lock_give(lock);
    assert_false(fvi_file_exists(path));
    /* The holder died: a child takes it and is gone without a word. */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        fvi_file_lock_take(&lock, path);
        _exit(fvi_file_exists(path) ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_true(fvi_file_exists(path));
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_to), 1);
    /* A lock that is a link is not followed. */
    fetch_clear();
    assert_int_equal(symlink("victim", path), 0);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO, "cannot lock");
    assert_int_equal(fetch_count(fetch_to), 1);
}

/* gzip of "other" compressors: the content counts. */
static void fetch_recompressed(void **state)
{
    (void)state;
#ifdef FVI_WITH_ZLIB
    static const char other[] = "no gzip at all";
    char sum[FVI_SHA256_TEXT];
    fvi_known set = {.info = {.name = "toy", .bytes = 20}};
    CHECK_OK(fvi_sha256_bytes(sum, "hello\n", 6));
    set.file[0] = (fvi_known_file){.name = "h.gz",
                                   .size = 20, /* not the size of this copy */
                                   .sha256 = fetch_big_sum,
                                   .content_sha256 = sum,
                                   .content_size = 6};
    fetch_clear();
    fetch_put(fetch_from, "h.gz", fetch_hello_gz, sizeof fetch_hello_gz);
    CHECK_OK(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_from}));
    assert_true(
        fetch_same(fetch_path(fetch_to, "toy/h.gz"), fetch_hello_gz, sizeof fetch_hello_gz));
    assert_true(fvi_known_is_there(&set, fetch_to));
    set.file[0].content_sha256 = fetch_small_sum;
    fetch_clear();
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_from}), FV_E_FORMAT,
                "(26 bytes, expected 20)");
    set.file[0].content_sha256 = sum;
    set.file[0].content_size = 5; /* a bomb is not inflated further than the content should go */
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_from}), FV_E_FORMAT,
                "(26 bytes, expected 20)");
    fetch_put(fetch_from, "h.gz", other, sizeof other);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_from}), FV_E_FORMAT,
                "(15 bytes, expected 20)");
    assert_int_equal(fetch_count(fetch_to), 0);
#else
    print_message("skipped: built without zlib\n");
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetch_list),         cmocka_unit_test(fetch_plain),
        cmocka_unit_test(fetch_addresses),    cmocka_unit_test(fetch_wrong_files),
        cmocka_unit_test(fetch_resume),       cmocka_unit_test(fetch_cancel),
        cmocka_unit_test(fetch_force),        cmocka_unit_test(fetch_lock),
        cmocka_unit_test(fetch_recompressed),
    };
    return cmocka_run_group_tests(tests, fetch_setup, fetch_teardown);
}

#else

static void fetch_without(void **state)
{
    (void)state;
    CHECK_FAILS(fv_dataset_get("mnist", "/nowhere", NULL), FV_E_UNSUPPORTED, "built without");
    print_message("skipped: fetching, built without it\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fetch_list),
                                       cmocka_unit_test(fetch_without)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
