/* SPDX-License-Identifier: MIT */
/* Known data sets that come as archives, what a full disk and short memory do to any of them, and
   the real sets that are at hand. */
#include "fetch_check.h"

#ifdef FVI_WITH_FETCH

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Instead of the C library's: nothing here is about power that fails, and to flush thousands of
   little files takes a minute where others use the disk. */
int fsync(int file)
{
    (void)file;
    return 0;
}

/* ---- archives ---- */

static char archive_sum[FVI_SHA256_TEXT];

static void archive_add(struct archive *a, const char *name, const void *bytes, size_t size)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)size);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    archive_write_data(a, bytes, size);
    archive_entry_free(e);
}

static struct archive *archive_begin(const char *path, bool is_zip)
{
    struct archive *a = archive_write_new();
    if (is_zip)
        archive_write_set_format_zip(a);
    else
        archive_write_set_format_ustar(a);
    if (!is_zip) archive_write_add_filter_gzip(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    return a;
}

/* top/small and top/big.bin in toy.tar.gz, which becomes the folder toy. */
static fvi_known archive_toy(void)
{
    const char *path = fetch_path(fetch_from, "toy.tar.gz");
    struct archive *a = archive_begin(path, false);
    archive_add(a, "top/small", FETCH_SMALL, strlen(FETCH_SMALL));
    archive_add(a, "top/big.bin", fetch_big, FETCH_BIG);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    CHECK_OK(fvi_sha256_file(archive_sum, path));
    fvi_known set = {.info = {.name = "toy"}, .is_archive = true, .unpack = {.strip = 1}};
    set.file[0] = (fvi_known_file){.name = "toy.tar.gz", .sha256 = archive_sum};
    assert_true(fvi_file_size(&set.file[0].size, path));
    set.info.bytes = set.file[0].size;
    set.holds[0].name = "small";
    set.holds[1].name = "big.bin";
    set.holds[1].size = FETCH_BIG;
    return set;
}

static void archive_whole(void **state)
{
    (void)state;
    fvi_known set = archive_toy();
    fetch_watch watch = {0};
    fv_get_config config = {.from = fetch_from, .progress = fetch_on_progress, .user = &watch};
    long live = fvi_alloc_live();
    fetch_clear();
    CHECK_OK(fvi_folder_make(fetch_path(fetch_to, ".toy.tmp/left/by/a/killed/run")));
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    fetch_check_toy(&set);
    assert_true(watch.unpacking > 0);
    assert_int_equal(fetch_count(fetch_to), 1); /* neither archive nor temporary folder */
    config.from = "/nowhere";
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));

    /* a folder of that name that is something else */
    config.from = fetch_from;
    fetch_clear();
    CHECK_OK(fvi_folder_make(fetch_path(fetch_to, "toy")));
    fetch_put(fetch_to, "toy/mine", "mine", 4);
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_IO,
                "is there, but is not all of toy; --force replaces it");
    assert_true(fetch_same(fetch_path(fetch_to, "toy/mine"), "mine", 4));
    config.force = true;
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    assert_int_equal(fetch_count(fetch_to), 1);
    assert_int_equal(fvi_alloc_live(), live);

    /* stopped while it unpacks: the archive is kept, and is enough the next time */
    fetch_clear();
    config = (fv_get_config){.from = fetch_from, .progress = fetch_on_progress, .user = &watch};
    watch = (fetch_watch){.stop_at = set.info.bytes + 1};
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_CANCELLED, "stopped while unpacking");
    assert_int_equal(fetch_count(fetch_to), 1);
    assert_true(fvi_file_exists(fetch_path(fetch_to, "toy.tar.gz.part")));
    CHECK_OK(fvi_fetch(&set, fetch_to, &(fv_get_config){.from = fetch_root}));
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_to), 1);
}

static void archive_refused(void **state)
{
    (void)state;
    char sum[FVI_SHA256_TEXT], *tree = sum;
    fvi_known set = archive_toy();
    const fv_get_config config = {.from = fetch_from};
    fetch_clear();
    set.holds[2].name = "absent";
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT, "holds no \"absent\"");
    assert_int_equal(fetch_count(fetch_to), 0);
    set.holds[2].name = NULL;
    set.holds[1].size = 5;
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT, "holds no \"big.bin\"");
    assert_int_equal(fetch_count(fetch_to), 0);
    set.holds[1].size = 0;
    set.unpack.limit_bytes = 1000;
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_MEMORY, "limit of 1000 bytes");
    set.unpack.limit_bytes = 1 << 20;

    /* no digest of the archive, but one of what is in it */
    set.file[0].sha256 = NULL;
    set.file[0].size = 0;
    set.tree_sha256 = fetch_small_sum;
    fetch_clear();
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT, fetch_small_sum);
    assert_non_null(strstr(fv_error(), "the SHA-256 of the files in toy.tar.gz is "));
    assert_int_equal(fetch_count(fetch_to), 0);
    snprintf(sum, sizeof sum, "%.64s", strstr(fv_error(), " is ") + 4);
    set.tree_sha256 = tree;
    /* a part of another archive is never gone on with: it may be of another making */
    fetch_put(fetch_to, "toy.tar.gz.part", "rubbish", 7);
    CHECK_OK(fvi_fetch(&set, fetch_to, &config));
    fetch_check_toy(&set);
    assert_int_equal(fetch_count(fetch_to), 1);
    fetch_clear();
    fetch_watch watch = {.stop_at = 1}; /* it could not go on from a part, so there is none */
    CHECK_FAILS(fvi_fetch(&set, fetch_to,
                          &(fv_get_config){
                              .from = fetch_from, .progress = fetch_on_progress, .user = &watch}),
                FV_E_CANCELLED, "stopped");
    assert_int_equal(fetch_count(fetch_to), 0);
    set.unpack.limit_bytes = 100; /* of the archive as well, when its size is not known */
    CHECK_FAILS(fvi_fetch(&set, fetch_to, &config), FV_E_FORMAT, "longer than the 100 bytes");
    assert_int_equal(fetch_count(fetch_to), 0);
}

/* ---- when the system refuses ---- */

/* No file may be longer than this: what a full disk looks like. */
static void archive_with_room(const fvi_known *set, rlim_t room, fv_status expected)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {room, room};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        fv_status status = fvi_fetch(set, fetch_to, &(fv_get_config){.from = fetch_from});
        bool is_said = status == FV_OK || strstr(fv_error(), "cannot write ") != NULL;
        _exit(status == expected && is_said ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

static void archive_disk_full(void **state)
{
    (void)state;
    uint64_t size = 0;
    fvi_known set = fetch_toy();
    fetch_clear();
    archive_with_room(&set, 50000, FV_E_IO);
    assert_int_equal(fetch_count(fetch_to), 1);
    assert_int_equal(fetch_count(fetch_path(fetch_to, "toy")), 2);
    assert_true(fvi_file_size(&size, fetch_path(fetch_to, "toy/big.bin.part")));
    assert_int_equal(size, 50000); /* all there was room for, to go on from */
    archive_with_room(&set, FETCH_BIG, FV_OK);
    fetch_check_toy(&set);

    /* room for the archive, not for what is in it */
    set = archive_toy();
    fetch_clear();
    unsigned char *zeros = calloc(FETCH_BIG, 1);
    struct archive *a = archive_begin(fetch_path(fetch_from, "toy.tar.gz"), false);
    archive_add(a, "top/small", FETCH_SMALL, strlen(FETCH_SMALL));
    archive_add(a, "top/big.bin", zeros, FETCH_BIG);
    archive_write_close(a);
    archive_write_free(a);
    free(zeros);
    CHECK_OK(fvi_sha256_file(archive_sum, fetch_path(fetch_from, "toy.tar.gz")));
    assert_true(fvi_file_size(&set.file[0].size, fetch_path(fetch_from, "toy.tar.gz")));
    archive_with_room(&set, 50000, FV_E_IO);
    assert_int_equal(fetch_count(fetch_to), 1);
    assert_true(fvi_file_exists(fetch_path(fetch_to, "toy.tar.gz.part")));
    archive_with_room(&set, FETCH_BIG, FV_OK);
    assert_int_equal(fetch_count(fetch_to), 1);
}

static void archive_memory(void **state)
{
    (void)state;
    const fvi_known sets[] = {fetch_toy(), archive_toy()};
    const fv_get_config config = {.from = fetch_from};
    for (size_t i = 0; i < FVI_COUNT(sets); i++) {
        long live = fvi_alloc_live(), k = 0;
        fv_status status;
        do {
            fetch_clear();
            fvi_alloc_fail_at(++k);
            status = fvi_fetch(&sets[i], fetch_to, &config);
            fvi_alloc_fail_at(0);
            assert_int_equal(fvi_alloc_live(), live);
            if (status != FV_OK) {
                if (status != FV_E_MEMORY || !strstr(fv_error(), "out of memory: "))
                    fail_msg("allocation %ld: %s: %s", k, fv_status_name(status), fv_error());
                assert_false(fvi_file_exists(fetch_path(fetch_to, ".toy.lock")));
                assert_false(fvi_file_exists(fetch_path(fetch_to, ".toy.tmp")));
                CHECK_OK(fvi_fetch(&sets[i], fetch_to, &config)); /* and again, with memory */
                fetch_check_toy(&sets[i]);
            }
            assert_true(k < 1000);
        } while (status != FV_OK);
        assert_true(k > 20);
        fetch_check_toy(&sets[i]);
    }
}

#if defined(__linux__)
#include <sys/syscall.h>

/* The k-th call of open from now fails; 0: none does. An executable's own functions go first, also
   for libcurl. */
static int archive_open_left, archive_open_hit;

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = flags & O_CREAT ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    if (archive_open_left > 0 && --archive_open_left == 0) {
        archive_open_hit = 1;
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Whatever cannot be opened is an error of the system, never one of the content, and what was
   fetched is not thrown away for it. */
static void archive_open_faults(void **state)
{
    (void)state;
    fvi_known sets[] = {fetch_toy(), archive_toy(), {.info = {.name = "toy"}}};
    size_t count = 2;
#ifdef FVI_WITH_ZLIB
    char sum[FVI_SHA256_TEXT];
    CHECK_OK(fvi_sha256_bytes(sum, "hello\n", 6));
    fetch_put(fetch_from, "h.gz", fetch_hello_gz, sizeof fetch_hello_gz);
    sets[count++].file[0] = (fvi_known_file){.name = "h.gz",
                                             .size = 20,
                                             .sha256 = fetch_big_sum,
                                             .content_sha256 = sum,
                                             .content_size = 6};
#endif
    const fv_get_config config = {.from = fetch_from};
    for (size_t i = 0; i < count; i++) {
        int k = 0;
        do {
            long live = fvi_alloc_live();
            fetch_clear();
            archive_open_hit = 0;
            archive_open_left = ++k;
            fv_status status = fvi_fetch(&sets[i], fetch_to, &config);
            archive_open_left = 0;
            if (status != FV_OK && status != FV_E_IO)
                fail_msg("set %zu, open %d: %s: %s", i, k, fv_status_name(status), fv_error());
            assert_int_equal(fvi_alloc_live(), live);
            assert_false(fvi_file_exists(fetch_path(fetch_to, ".toy.lock")));
            assert_false(fvi_file_exists(fetch_path(fetch_to, ".toy.tmp")));
            CHECK_OK(fvi_fetch(&sets[i], fetch_to, &config));
            assert_true(fvi_known_is_there(&sets[i], fetch_to));
        } while (archive_open_hit);
        assert_true(k >= 6); /* lock, part, source, the part to check it, and the folder */
    }
}
#endif

/* ---- the real sets, where they are at hand ---- */

static const char *archive_real(const char *name)
{
    const char *data = getenv("FOVEA_DATA");
    const char *path = data ? fetch_path(data, name) : "";
    if (fvi_file_is_folder(path)) return path;
    print_message("skipped: FOVEA_DATA has no %s\n", name);
    return NULL;
}

static void archive_mnist(void **state)
{
    (void)state;
    const char *found = archive_real("mnist");
    char from[FOLDER_PATH]; /* fetch_path has only so many buffers */
    fv_dataset *d;
    if (!found) skip();
    snprintf(from, sizeof from, "%s", found);
    fetch_clear();
    CHECK_OK(fv_dataset_get("mnist", fetch_to, &(fv_get_config){.from = from}));
    assert_true(fv_dataset_is_there("mnist", fetch_to));
    CHECK_OK(fv_dataset_open(&d, fetch_path(fetch_to, "mnist"), FV_TEST, NULL));
    assert_int_equal(fv_dataset_count(d), 10000);
    assert_int_equal(fv_dataset_label(d, 0), 7);
    fv_dataset_free(d);
    fetch_clear();
    CHECK_FAILS(fv_dataset_get("kmnist", fetch_to, &(fv_get_config){.from = from}), FV_E_FORMAT,
                "kmnist: cannot get train-images-idx3-ubyte.gz from ");
    fetch_clear();
}

/* A zip as the owner's site makes it, with a README and a .gitignore beside the pictures. */
static void archive_signs(void **state)
{
    (void)state;
    const char *found = archive_real("sign-language-digits");
    char from[FOLDER_PATH]; /* fetch_path has only so many buffers */
    fvi_folder digits, pictures;
    if (!found) skip();
    snprintf(from, sizeof from, "%s", found);
    struct archive *a =
        archive_begin(fetch_path(fetch_from, "Sign-Language-Digits-Dataset-master.zip"), true);
    archive_add(a, "Sign-Language-Digits-Dataset-master/.gitignore", "x", 1);
    archive_add(a, "Sign-Language-Digits-Dataset-master/README.md", "x", 1);
    archive_add(a, "Sign-Language-Digits-Dataset-master/Examples/example_0.JPG", "x", 1);
    CHECK_OK(fvi_folder_read(&digits, from));
    for (size_t i = 0; i < digits.count; i++) {
        CHECK_OK(fvi_folder_read(&pictures, fetch_path(from, digits.entry[i].name)));
        for (size_t j = 0; j < pictures.count; j++) {
            char name[256];
            unsigned char *bytes;
            size_t size;
            snprintf(name, sizeof name, "Sign-Language-Digits-Dataset-master/Dataset/%s/%s",
                     digits.entry[i].name, pictures.entry[j].name);
            CHECK_OK(fvi_file_read(
                &bytes, &size,
                fetch_path(fetch_path(from, digits.entry[i].name), pictures.entry[j].name),
                1 << 24)); /* one has 1.5 MB */
            archive_add(a, name, bytes, size);
            fvi_free(bytes);
        }
        fvi_folder_free(&pictures);
    }
    fvi_folder_free(&digits);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    fetch_clear();
    CHECK_OK(fv_dataset_get("signs", fetch_to, &(fv_get_config){.from = fetch_from}));
    assert_true(fv_dataset_is_there("signs", fetch_to));
    assert_int_equal(fetch_count(fetch_to), 1);
    assert_int_equal(fetch_count(fetch_path(fetch_to, "signs")), 10);
    assert_int_equal(fetch_count(fetch_path(fetch_to, "signs/9")), 204);
    fetch_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archive_whole),
        cmocka_unit_test(archive_refused),
        cmocka_unit_test(archive_disk_full),
        cmocka_unit_test(archive_memory),
#if defined(__linux__)
        cmocka_unit_test(archive_open_faults),
#endif
        cmocka_unit_test(archive_mnist),
        cmocka_unit_test(archive_signs),
    };
    return cmocka_run_group_tests(tests, fetch_setup, fetch_teardown);
}

#else

int main(void)
{
    print_message("skipped: fetching, built without it\n");
    return 77;
}

#endif
