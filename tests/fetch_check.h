/* SPDX-License-Identifier: MIT */
/* What the tests of fetching share: a small set of our own, the folder it comes from and the one it
   goes to. */
#ifndef FETCH_CHECK_H
#define FETCH_CHECK_H

#include "data_check.h"

#include <sys/stat.h>

#define FETCH_BIG 200000 /* bytes of "big.bin": several of libcurl's buffers */
#define FETCH_SMALL "small content"

static char fetch_root[64], fetch_from[96], fetch_to[96];
static unsigned char fetch_big[FETCH_BIG];
static char fetch_big_sum[FVI_SHA256_TEXT], fetch_small_sum[FVI_SHA256_TEXT];

/* "hello\n" by gzip -9, with a time of its own. */
static const unsigned char fetch_hello_gz[] = {0x1f, 0x8b, 0x08, 0x00, 0x01, 0x02, 0x03, 0x04, 0x02,
                                               0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00,
                                               0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00};

/* Two plain files, "small" and "big.bin", and no mirror yet. */
static inline fvi_known fetch_toy(void)
{
    fvi_known set = {.info = {.name = "toy", .bytes = sizeof FETCH_SMALL - 1 + FETCH_BIG}};
    set.file[0] = (fvi_known_file){
        .name = "small", .size = sizeof FETCH_SMALL - 1, .sha256 = fetch_small_sum};
    set.file[1] = (fvi_known_file){.name = "big.bin", .size = FETCH_BIG, .sha256 = fetch_big_sum};
    return set;
}

/* "ROOT/a/b" in one of a few buffers. */
static inline const char *fetch_path(const char *folder, const char *name)
{
    static char path[8][FOLDER_PATH];
    static int next;
    char text[FOLDER_PATH]; /* folder may be one of the buffers */
    next = (next + 1) % 8;
    int length = snprintf(text, sizeof text, "%s/%s", folder, name);
    assert_true(length > 0 && length < FOLDER_PATH);
    memcpy(path[next], text, sizeof text);
    return path[next];
}

static inline void fetch_put(const char *folder, const char *name, const void *bytes, size_t size)
{
    CHECK_OK(fvi_file_write(fetch_path(folder, name), bytes, size));
}

static inline bool fetch_same(const char *path, const void *bytes, size_t size)
{
    unsigned char *found;
    size_t found_size;
    if (fvi_file_read(&found, &found_size, path, (size_t)1 << 24) != FV_OK) return false;
    bool same = found_size == size && memcmp(found, bytes, size) == 0;
    fvi_free(found);
    return same;
}

/* The set is there, whole, and nothing else is. */
static inline void fetch_check_toy(const fvi_known *set)
{
    assert_true(fvi_known_is_there(set, fetch_to));
    assert_true(fetch_same(fetch_path(fetch_to, "toy/small"), FETCH_SMALL, strlen(FETCH_SMALL)));
    assert_true(fetch_same(fetch_path(fetch_to, "toy/big.bin"), fetch_big, FETCH_BIG));
}

/* Entries of a folder, hidden ones too. */
static inline int fetch_count(const char *folder)
{
    int count = 0;
    DIR *open = opendir(folder);
    if (!open) return -1;
    while (readdir(open))
        count++;
    closedir(open);
    return count - 2;
}

/* An empty folder to fetch to. */
static inline void fetch_clear(void)
{
    CHECK_OK(fvi_folder_remove(fetch_to));
    CHECK_OK(fvi_folder_make(fetch_to));
}

static inline int fetch_setup(void **state)
{
    (void)state;
    snprintf(fetch_root, sizeof fetch_root, "/tmp/fovea-fetch-XXXXXX");
    assert_non_null(mkdtemp(fetch_root));
    snprintf(fetch_from, sizeof fetch_from, "%s/from 100%% #1", fetch_root); /* needs encoding */
    snprintf(fetch_to, sizeof fetch_to, "%s/to", fetch_root);
    for (int i = 0; i < FETCH_BIG; i++)
        fetch_big[i] = (unsigned char)(((unsigned)i * 2654435761u) >> 13);
    CHECK_OK(fvi_sha256_bytes(fetch_big_sum, fetch_big, FETCH_BIG));
    CHECK_OK(fvi_sha256_bytes(fetch_small_sum, FETCH_SMALL, strlen(FETCH_SMALL)));
    CHECK_OK(fvi_folder_make(fetch_from));
    fetch_put(fetch_from, "small", FETCH_SMALL, strlen(FETCH_SMALL));
    fetch_put(fetch_from, "big.bin", fetch_big, FETCH_BIG);
    return 0;
}

static inline int fetch_teardown(void **state)
{
    (void)state;
    return fvi_folder_remove(fetch_root) == FV_OK ? 0 : -1;
}

/* What progress said; and when to stop. */
typedef struct fetch_watch {
    uint64_t first, last, total;
    int calls, unpacking;
    uint64_t stop_at; /* 0: never */
} fetch_watch;

static inline bool fetch_on_progress(const fv_get_progress *p, void *user)
{
    fetch_watch *w = user;
    if (w->calls++ == 0) w->first = p->done;
    w->unpacking += strcmp(p->doing, "unpacking") == 0;
    w->last = p->done;
    if (p->total) w->total = p->total;
    assert_non_null(p->file);
    assert_true(p->bytes_per_second >= 0);
    return w->stop_at == 0 || p->done < w->stop_at;
}

#endif
