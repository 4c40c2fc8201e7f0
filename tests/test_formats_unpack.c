/* SPDX-License-Identifier: MIT */
/* Archives: what is unpacked, what is left out, and that a hostile one writes nothing anywhere. Also
   SHA-256 of bytes, files and folders. */
#include "formats_check.h"

#ifdef FVI_WITH_FETCH

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

/* Instead of the C library's: nothing here is about power that fails, and to flush thousands of
   little files takes a minute where others use the disk. */
int fsync(int file)
{
    (void)file;
    return 0;
}

static char unpack_root[64]; /* holds the archive "a" and the folder "out" */
static char unpack_archive[96], unpack_out[96];

static int unpack_setup(void **state)
{
    (void)state;
    snprintf(unpack_root, sizeof unpack_root, "/tmp/fovea-unpack-XXXXXX");
    assert_non_null(mkdtemp(unpack_root));
    snprintf(unpack_archive, sizeof unpack_archive, "%s/a", unpack_root);
    snprintf(unpack_out, sizeof unpack_out, "%s/out", unpack_root);
    return 0;
}

static int unpack_teardown(void **state)
{
    (void)state;
    return fvi_folder_remove(unpack_root) == FV_OK ? 0 : -1;
}

/* ---- making archives ---- */

typedef enum unpack_format { TAR, TGZ, ZIP, FORMATS } unpack_format;

typedef struct unpack_item {
    const char *name;
    const char *content; /* NULL: none */
    unsigned type;       /* AE_IFREG when 0 */
    const char *link;    /* target of a symbolic link; of a hard link when type is 0 */
    size_t zeros;        /* content is so many zero bytes */
} unpack_item;

static struct archive *unpack_begin(unpack_format format, const char *options)
{
    struct archive *a = archive_write_new();
    if (format == ZIP)
        archive_write_set_format_zip(a);
    else
        archive_write_set_format_pax_restricted(a);
    if (format == TGZ) archive_write_add_filter_gzip(a);
    if (options) {
        archive_write_set_passphrase(a, "secret");
        assert_int_equal(archive_write_set_options(a, options), ARCHIVE_OK);
    }
    assert_int_equal(archive_write_open_filename(a, unpack_archive), ARCHIVE_OK);
    return a;
}

static void unpack_put(struct archive *a, const unpack_item *item)
{
    static const char zeros[1 << 16];
    size_t size = item->zeros ? item->zeros : item->content ? strlen(item->content) : 0;
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, item->name);
    archive_entry_set_filetype(e, item->type ? item->type : AE_IFREG);
    archive_entry_set_perm(e, 0755);
    archive_entry_set_size(e, (la_int64_t)size);
    if (item->link && item->type == AE_IFLNK) archive_entry_set_symlink(e, item->link);
    if (item->link && item->type == 0) archive_entry_set_hardlink(e, item->link);
    assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
    if (item->content) archive_write_data(a, item->content, size);
    for (size_t done = 0; done < item->zeros; done += sizeof zeros)
        archive_write_data(a, zeros, sizeof zeros);
    archive_entry_free(e);
}

static void unpack_make(unpack_format format, const unpack_item *item, size_t count,
                        const char *options)
{
    struct archive *a = unpack_begin(format, options);
    for (size_t i = 0; i < count; i++)
        unpack_put(a, &item[i]);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

/* ---- looking at what came out ---- */

static bool unpack_holds(const char *name, const char *text)
{
    char path[256];
    unsigned char *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", unpack_out, name);
    if (fvi_file_read(&bytes, &size, path, 1 << 24) != FV_OK) return false;
    bool same = size == strlen(text) && memcmp(bytes, text, size) == 0;
    fvi_free(bytes);
    return same;
}

/* Names in the root: the archive alone once the output is gone. */
static void unpack_check_nothing_left(void)
{
    fvi_folder found;
    assert_false(fvi_file_exists(unpack_out));
    CHECK_OK(fvi_folder_read(&found, unpack_root));
    assert_int_equal(found.count, 1);
    assert_string_equal(found.entry[0].name, "a");
    fvi_folder_free(&found);
}

/* ---- archives that are fine ---- */

static const unpack_item unpack_fine[] = {
    {"./top/", NULL, AE_IFDIR, NULL, 0},
    {"top/a.txt", "first", 0, NULL, 0},
    {"top/sub//b.bin", "second", 0, NULL, 0}, /* its folder has no entry of its own */
    {"./top/empty", NULL, 0, NULL, 0},
    {"top/.DS_Store", "rubbish", 0, NULL, 0},
    {"top/.git/config", "rubbish", 0, NULL, 0},
    {"top/only/", NULL, AE_IFDIR, NULL, 0},
    {"beside.txt", "x", 0, NULL, 0},
};

static void unpack_round_trip(void **state)
{
    (void)state;
    char path[256];
    struct stat about;
    for (unpack_format f = TAR; f < FORMATS; f++) {
        long live = fvi_alloc_live();
        unpack_make(f, unpack_fine, FVI_COUNT(unpack_fine), NULL);
        CHECK_OK(fvi_unpack(unpack_out, unpack_archive, NULL));
        assert_true(unpack_holds("top/a.txt", "first"));
        assert_true(unpack_holds("top/sub/b.bin", "second"));
        assert_true(unpack_holds("top/empty", ""));
        assert_true(unpack_holds("beside.txt", "x"));
        snprintf(path, sizeof path, "%s/top/only", unpack_out);
        assert_true(fvi_file_is_folder(path));
        snprintf(path, sizeof path, "%s/top/.DS_Store", unpack_out);
        assert_false(fvi_file_exists(path));
        snprintf(path, sizeof path, "%s/top/.git", unpack_out);
        assert_false(fvi_file_exists(path));
        snprintf(path, sizeof path, "%s/top/a.txt", unpack_out);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0111, 0); /* never executable, whatever the archive says */
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, NULL), FV_E_IO, "there already");
        assert_true(unpack_holds("top/a.txt", "first"));
        CHECK_OK(fvi_folder_remove(unpack_out));

        const fvi_unpack_config strip = {.strip = 1};
        CHECK_OK(fvi_unpack(unpack_out, unpack_archive, &strip));
        assert_true(unpack_holds("a.txt", "first"));
        assert_true(unpack_holds("sub/b.bin", "second"));
        assert_false(unpack_holds("beside.txt", "x"));
        CHECK_OK(fvi_folder_remove(unpack_out));

        const fvi_unpack_config inside = {.strip = 2, .inside = "sub"};
        CHECK_OK(fvi_unpack(unpack_out, unpack_archive, &inside));
        assert_true(unpack_holds("b.bin", "second"));
        assert_false(unpack_holds("a.txt", "first"));
        CHECK_OK(fvi_folder_remove(unpack_out));

        const fvi_unpack_config nothing = {.strip = 2, .inside = "su"};
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, &nothing), FV_E_FORMAT, "nothing to");
        unpack_check_nothing_left();
        assert_int_equal(fvi_alloc_live(), live);
    }
}

/* Several chunks long, with progress, and stopped half-way. */
typedef struct unpack_watch {
    int calls;
    uint64_t last, stop_at;
} unpack_watch;

static bool unpack_go_on(void *user, uint64_t bytes)
{
    unpack_watch *w = user;
    assert_true(bytes >= w->last);
    w->last = bytes;
    w->calls++;
    return w->stop_at == 0 || bytes < w->stop_at;
}

static void unpack_progress(void **state)
{
    (void)state;
    char path[256];
    uint64_t size = 0;
    const unpack_item item[] = {{"a", "one", 0, NULL, 0}, {"big", NULL, 0, NULL, 3 << 20}};
    for (unpack_format f = TAR; f < FORMATS; f++) {
        unpack_watch watch = {0};
        fvi_unpack_config config = {.go_on = unpack_go_on, .user = &watch};
        unpack_make(f, item, FVI_COUNT(item), NULL);
        CHECK_OK(fvi_unpack(unpack_out, unpack_archive, &config));
        snprintf(path, sizeof path, "%s/big", unpack_out);
        assert_true(fvi_file_size(&size, path));
        assert_int_equal(size, 3 << 20);
        assert_int_equal(watch.last, (3 << 20) + 3);
        assert_true(watch.calls > 10);
        CHECK_OK(fvi_folder_remove(unpack_out));

        watch = (unpack_watch){.stop_at = 1};
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, &config), FV_E_CANCELLED, "stopped");
        unpack_check_nothing_left();
    }
}

/* ---- archives that are not ---- */

#define PART "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DEEP "a/a/a/a/a/a/a/a/"

typedef struct unpack_hostile {
    unpack_item item[3];
    const char *part;
    const char *before; /* a file of that name below the root that must not appear */
} unpack_hostile;

static const unpack_hostile unpack_bad[] = {
    {{{"../evil", "x", 0, NULL, 0}}, "\"../evil\": the name is refused: has \"..\"", "evil"},
    {{{"a/../../evil", "x", 0, NULL, 0}}, "has \"..\"", "evil"},
    {{{"..", "x", 0, NULL, 0}}, "has \"..\"", NULL},
    {{{"a/..", NULL, AE_IFDIR, NULL, 0}}, "has \"..\"", NULL},
    {{{".hidden/../../evil", "x", 0, NULL, 0}}, "has \"..\"", "evil"},
    {{{"/tmp/fovea-evil", "x", 0, NULL, 0}}, "absolute", NULL},
    {{{"//evil", "x", 0, NULL, 0}}, "absolute", NULL},
    {{{"..\\evil", "x", 0, NULL, 0}}, "the name is refused: has", "evil"},
    {{{"a/..\\evil", "x", 0, NULL, 0}}, "has a backslash", NULL},
    {{{"a\nb", "x", 0, NULL, 0}}, "control character", NULL},
    {{{"a\033[2J", "x", 0, NULL, 0}}, "control character", NULL},
    {{{PART PART PART PART, "x", 0, NULL, 0}}, "too long", NULL},
    {{{DEEP DEEP DEEP DEEP "b", "x", 0, NULL, 0}}, "too deep", NULL},
    {{{"link", NULL, AE_IFLNK, "/etc/passwd", 0}}, "neither a file nor a folder", NULL},
    {{{"d", NULL, AE_IFLNK, "..", 0}, {"d/evil", "x", 0, NULL, 0}}, "neither a file", "evil"},
    {{{".left-out", NULL, AE_IFLNK, "..", 0}}, "neither a file", NULL},
    {{{"a", "x", 0, NULL, 0}, {"a", "y", 0, NULL, 0}}, "twice", NULL},
    {{{"a", "x", 0, NULL, 0}, {"./a", "y", 0, NULL, 0}}, "twice", NULL},
    {{{"a", "x", 0, NULL, 0}, {"a/b", "y", 0, NULL, 0}}, "is a file and a folder", NULL},
    {{{"a/b", "x", 0, NULL, 0}, {"a", "y", 0, NULL, 0}}, "twice", NULL},
    {{{"a", "x", 0, NULL, 0}, {"a/", NULL, AE_IFDIR, NULL, 0}}, "is a file and a folder", NULL},
};

/* What zip has no word for. */
static const unpack_hostile unpack_bad_tar[] = {
    {{{"a", "x", 0, NULL, 0}, {"b", NULL, 0, "a", 0}}, "a hard link", NULL},
    {{{"b", NULL, 0, "/etc/passwd", 0}}, "a hard link", NULL},
    {{{"fifo", NULL, AE_IFIFO, NULL, 0}}, "neither a file nor a folder", NULL},
    {{{"null", NULL, AE_IFCHR, NULL, 0}}, "neither a file nor a folder", NULL},
    {{{"disk", NULL, AE_IFBLK, NULL, 0}}, "neither a file nor a folder", NULL},
};

static void unpack_check_bad(unpack_format f, const unpack_hostile *bad)
{
    char path[256];
    size_t count = 0;
    long live = fvi_alloc_live();
    while (count < FVI_COUNT(bad->item) && bad->item[count].name)
        count++;
    unpack_make(f, bad->item, count, NULL);
    CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, NULL), FV_E_FORMAT, bad->part);
    assert_non_null(strstr(fv_error(), "cannot unpack \""));
    if (bad->before) {
        snprintf(path, sizeof path, "%s/%s", unpack_root, bad->before);
        assert_false(fvi_file_exists(path));
    }
    unpack_check_nothing_left();
    assert_int_equal(fvi_alloc_live(), live);
}

static void unpack_hostile_names(void **state)
{
    (void)state;
    for (unpack_format f = TAR; f < FORMATS; f++)
        for (size_t i = 0; i < FVI_COUNT(unpack_bad); i++)
            unpack_check_bad(f, &unpack_bad[i]);
    for (size_t i = 0; i < FVI_COUNT(unpack_bad_tar); i++)
        unpack_check_bad(TAR, &unpack_bad_tar[i]);
    assert_false(fvi_file_exists("/tmp/fovea-evil"));
}

static void unpack_limits(void **state)
{
    (void)state;
    const unpack_item bomb[] = {{"a", "x", 0, NULL, 0}, {"zeros", NULL, 0, NULL, 64 << 20}};
    const unpack_item many[] = {{"a", "x", 0, NULL, 0}, {"b", "x", 0, NULL, 0}};
    fvi_unpack_config config = {.limit_bytes = 1 << 20};
    for (unpack_format f = TGZ; f < FORMATS; f++) {
        uint64_t packed;
        unpack_make(f, bomb, 2, NULL);
        assert_true(fvi_file_size(&packed, unpack_archive));
        assert_true(packed < 200000);
        config = (fvi_unpack_config){.limit_bytes = 1 << 20};
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, &config), FV_E_MEMORY,
                    "\"zeros\": it unpacks to more than the limit of 1048576 bytes");
        unpack_check_nothing_left();
        config.strip = 1; /* what is left out counts, too */
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, &config), FV_E_MEMORY, "more than");
        unpack_check_nothing_left();
        config = (fvi_unpack_config){.limit_entries = 1};
        unpack_make(f, many, 2, NULL);
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, &config), FV_E_MEMORY,
                    "more than the limit of 1 entries");
        unpack_check_nothing_left();
        config.limit_entries = 2;
        config.limit_bytes = 2;
        CHECK_OK(fvi_unpack(unpack_out, unpack_archive, &config));
        CHECK_OK(fvi_folder_remove(unpack_out));
    }
}

static void unpack_write(const void *bytes, size_t size)
{
    CHECK_OK(fvi_file_write(unpack_archive, bytes, size));
}

static void unpack_no_archive(void **state)
{
    (void)state;
    static const char html[] = "<html><body>404, but we call it 200</body></html>";
    unpack_write(html, sizeof html);
    CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, NULL), FV_E_FORMAT, "not a whole tar");
    unpack_check_nothing_left();
    unpack_write("", 0);
    CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, NULL), FV_E_FORMAT, "");
    unpack_check_nothing_left();
    CHECK_FAILS(fvi_unpack(unpack_out, "/nowhere/a", NULL), FV_E_IO, "/nowhere/a");
    CHECK_FAILS(fvi_unpack("/proc/no", unpack_archive, NULL), FV_E_FORMAT, "");
    unpack_make(TAR, unpack_fine, FVI_COUNT(unpack_fine), NULL);
    CHECK_FAILS(fvi_unpack("/proc/no", unpack_archive, NULL), FV_E_IO, "/proc/no");
    unpack_make(ZIP, unpack_fine, FVI_COUNT(unpack_fine), "zip:encryption=traditional");
    CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, NULL), FV_E_FORMAT, "top/a.txt");
    unpack_check_nothing_left();
}

/* An archive cut anywhere is refused, or lost only what stands after its last byte of content; one
   with a changed byte never crashes, and what it unpacks to has only names that were allowed. */
static void unpack_damaged(void **state)
{
    (void)state;
    static const unsigned char changed[] = {0x00, 0x7F, 0x80, 0xFF};
    for (unpack_format f = TAR; f < FORMATS; f++) {
        unsigned char *whole;
        size_t size;
        /* two files, so that little is written and flushed in vain */
        unpack_make(f, unpack_fine + 1, 2, NULL);
        CHECK_OK(fvi_file_read(&whole, &size, unpack_archive, 1 << 20));
        size_t step = f == TAR ? 101 : f == ZIP ? 3 : 1;
        for (size_t cut = 0; cut < size; cut += step) {
            unpack_write(whole, cut);
            if (fvi_unpack(unpack_out, unpack_archive, NULL) == FV_OK) {
                /* only a tar has such a place: between two of its entries */
                assert_int_equal(f, TAR);
                CHECK_OK(fvi_folder_remove(unpack_out));
            }
            unpack_check_nothing_left();
        }
        for (size_t at = 0; at < size; at += step)
            for (size_t k = 0; k < FVI_COUNT(changed); k++) {
                unsigned char kept = whole[at];
                whole[at] = changed[k];
                unpack_write(whole, size);
                whole[at] = kept;
                fv_status status = fvi_unpack(unpack_out, unpack_archive, NULL);
                if (status == FV_OK) CHECK_OK(fvi_folder_remove(unpack_out));
                if (status != FV_OK && status != FV_E_FORMAT && status != FV_E_MEMORY)
                    fail_msg("byte %zu, %02X: %s", at, changed[k], fv_error());
                unpack_check_nothing_left();
            }
        fvi_free(whole);
    }
}

/* The directory of a zip says where each file begins; here, far outside, or before the front. */
static void unpack_astray(void **state)
{
    (void)state;
    static const unsigned char at[][4] = {
        {0xF0, 0xFF, 0xFF, 0x7F}, {0xFF, 0xFF, 0xFF, 0xFE}, {0x00, 0x10, 0x00, 0x00}};
    unsigned char *whole;
    size_t size, entry = 0;
    unpack_make(ZIP, unpack_fine + 1, 2, NULL);
    CHECK_OK(fvi_file_read(&whole, &size, unpack_archive, 1 << 20));
    while (entry + 46 < size && memcmp(whole + entry, "PK\1\2", 4) != 0)
        entry++;
    assert_true(entry + 46 < size);
    for (size_t i = 0; i < FVI_COUNT(at); i++) {
        memcpy(whole + entry + 42, at[i], 4);
        unpack_write(whole, size);
        CHECK_FAILS(fvi_unpack(unpack_out, unpack_archive, NULL), FV_E_FORMAT, "not a whole");
        unpack_check_nothing_left();
    }
    fvi_free(whole);
}

static void unpack_memory(void **state)
{
    (void)state;
    for (unpack_format f = TAR; f < FORMATS; f++) {
        long live = fvi_alloc_live(), k = 0;
        fv_status status = FV_E_MEMORY;
        unpack_make(f, unpack_fine, FVI_COUNT(unpack_fine), NULL);
        while (status != FV_OK) {
            fvi_alloc_fail_at(++k);
            status = fvi_unpack(unpack_out, unpack_archive, NULL);
            fvi_alloc_fail_at(0);
            assert_int_equal(fvi_alloc_live(), live);
            if (status == FV_OK) break;
            assert_int_equal(status, FV_E_MEMORY);
            assert_non_null(strstr(fv_error(), "out of memory: "));
            unpack_check_nothing_left();
            assert_true(k < 1000);
        }
        assert_true(k > 20);
        CHECK_OK(fvi_folder_remove(unpack_out));
    }
}

/* ---- SHA-256 ---- */

static void digest_vectors(void **state)
{
    (void)state;
    /* FIPS 180-2, appendix B, and the empty text */
    static const struct {
        const char *text, *sum;
    } row[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char sum[FVI_SHA256_TEXT];
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        CHECK_OK(fvi_sha256_bytes(sum, row[i].text, strlen(row[i].text)));
        assert_string_equal(sum, row[i].sum);
        unpack_write(row[i].text, strlen(row[i].text));
        CHECK_OK(fvi_sha256_file(sum, unpack_archive));
        assert_string_equal(sum, row[i].sum);
    }
    size_t size = 1000000; /* a million "a", several chunks */
    char *a = fvi_alloc(size, 1, "a");
    memset(a, 'a', size);
    unpack_write(a, size);
    fvi_free(a);
    CHECK_OK(fvi_sha256_file(sum, unpack_archive));
    assert_string_equal(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    CHECK_FAILS(fvi_sha256_file(sum, "/nowhere"), FV_E_IO, "/nowhere");
    CHECK_FAILS(fvi_sha256_file(sum, "/tmp"), FV_E_IO, "not a regular file");
}

/* "a-b" comes before "a/x" by its bytes, though "a" comes before "a-b". */
static void digest_tree(void **state)
{
    (void)state;
    static const unpack_item item[] = {{"a/x", "1", 0, NULL, 0}, {"a-b", "2", 0, NULL, 0}};
    char sum[FVI_SHA256_TEXT], one[FVI_SHA256_TEXT], two[FVI_SHA256_TEXT], text[256];
    unpack_make(TAR, item, 2, NULL);
    CHECK_OK(fvi_unpack(unpack_out, unpack_archive, NULL));
    CHECK_OK(fvi_sha256_bytes(one, "1", 1));
    CHECK_OK(fvi_sha256_bytes(two, "2", 1));
    snprintf(text, sizeof text, "%s  a-b\n%s  a/x\n", two, one);
    CHECK_OK(fvi_sha256_bytes(one, text, strlen(text)));
    CHECK_OK(fvi_sha256_tree(sum, unpack_out));
    assert_string_equal(sum, one);

    long live = fvi_alloc_live(), k = 0;
    fv_status status;
    do {
        fvi_alloc_fail_at(++k);
        status = fvi_sha256_tree(sum, unpack_out);
        fvi_alloc_fail_at(0);
        assert_true(status == FV_OK || status == FV_E_MEMORY);
        assert_int_equal(fvi_alloc_live(), live);
    } while (status != FV_OK);
    assert_true(k > 10);
    assert_string_equal(sum, one);

    snprintf(text, sizeof text, "%s/link", unpack_out);
    assert_int_equal(symlink("a-b", text), 0);
    CHECK_FAILS(fvi_sha256_tree(sum, unpack_out), FV_E_FORMAT, "\"link\" is neither");
    CHECK_FAILS(fvi_sha256_tree(sum, "/nowhere"), FV_E_IO, "/nowhere");
    CHECK_OK(fvi_folder_remove(unpack_out));
}

/* The real pictures: the digest that src/data/fetch_list.c states. */
static void digest_signs(void **state)
{
    (void)state;
    char path[1024], sum[FVI_SHA256_TEXT];
    const char *data = getenv("FOVEA_DATA");
    snprintf(path, sizeof path, "%s/sign-language-digits", data ? data : "");
    if (!data || !fvi_file_is_folder(path)) {
        print_message("skipped: FOVEA_DATA has no sign-language-digits\n");
        skip();
    }
    CHECK_OK(fvi_sha256_tree(sum, path));
    assert_string_equal(sum, "30d0ee3c8599928f6f98281a33826ca56fa9382069785bea8716221a344b606f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpack_round_trip),    cmocka_unit_test(unpack_progress),
        cmocka_unit_test(unpack_hostile_names), cmocka_unit_test(unpack_limits),
        cmocka_unit_test(unpack_no_archive),    cmocka_unit_test(unpack_damaged),
        cmocka_unit_test(unpack_astray),        cmocka_unit_test(unpack_memory),
        cmocka_unit_test(digest_vectors),       cmocka_unit_test(digest_tree),
        cmocka_unit_test(digest_signs),
    };
    return cmocka_run_group_tests(tests, unpack_setup, unpack_teardown);
}

#else

static void unpack_without(void **state)
{
    (void)state;
    char sum[FVI_SHA256_TEXT];
    CHECK_FAILS(fvi_unpack("/tmp/x", "/tmp/y", NULL), FV_E_UNSUPPORTED, "built without");
    CHECK_FAILS(fvi_sha256_bytes(sum, "", 0), FV_E_UNSUPPORTED, "built without");
    CHECK_FAILS(fvi_sha256_file(sum, "/tmp/y"), FV_E_UNSUPPORTED, "built without");
    CHECK_FAILS(fvi_sha256_tree(sum, "/tmp"), FV_E_UNSUPPORTED, "built without");
    print_message("skipped: archives and SHA-256, built without them\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unpack_without)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
