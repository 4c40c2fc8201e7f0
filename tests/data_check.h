/* SPDX-License-Identifier: MIT */
/* What the tests of src/data share: expected failures, a temporary folder, a hash. */
#ifndef DATA_CHECK_H
#define DATA_CHECK_H

#include "formats_check.h"
#include "data/data_internal.h"

#include <dirent.h>

/* FNV-1a, 64 bits. */
static inline uint64_t check_hash(const void *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* One folder at a time, for a test: begin, put files in, end. */
#define FOLDER_PATH 512
static char check_root[64];

static inline void folder_begin(void)
{
    snprintf(check_root, sizeof check_root, "/tmp/fovea-data-XXXXXX");
    if (mkdtemp(check_root) == NULL) fail_msg("no temporary folder");
}

static inline const char *folder_path(char path[FOLDER_PATH], const char *name)
{
    snprintf(path, FOLDER_PATH, "%s/%s", check_root, name);
    return path;
}

static inline void folder_put(const char *name, const void *bytes, size_t size)
{
    char path[FOLDER_PATH];
    CHECK_OK(fvi_file_write(folder_path(path, name), bytes, size));
}

static inline void folder_remove(const char *name)
{
    char path[FOLDER_PATH];
    unlink(folder_path(path, name));
}

/* Removes the files in it and then the folder itself. */
static inline void folder_end(void)
{
    DIR *folder = opendir(check_root);
    for (const struct dirent *e; folder && (e = readdir(folder)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) folder_remove(e->d_name);
    if (folder) closedir(folder);
    assert_int_equal(rmdir(check_root), 0);
}

/* The call fails so, leaves no data set and no memory. Uses `fv_dataset *d`. */
#define CHECK_OPEN_FAILS(call, code, part)                                                         \
    do {                                                                                           \
        long check_live = fvi_alloc_live();                                                        \
        d = (fv_dataset *)&check_live; /* must be overwritten */                                   \
        CHECK_FAILS(call, code, part);                                                             \
        assert_null(d);                                                                            \
        assert_int_equal(fvi_alloc_live(), check_live);                                            \
    } while (0)

/* Runs OPEN, a call that makes `d`, with each of its allocations failing in turn; ends with a data
   set in d. */
#define CHECK_OOM(OPEN)                                                                            \
    do {                                                                                           \
        long check_live = fvi_alloc_live();                                                        \
        for (long k = 1;; k++) {                                                                   \
            fvi_alloc_fail_at(k);                                                                  \
            fv_status check_status = (OPEN);                                                       \
            fvi_alloc_fail_at(0);                                                                  \
            if (check_status == FV_OK) break;                                                      \
            if (check_status != FV_E_MEMORY || strstr(fv_error(), "out of memory") == NULL)        \
                fail_msg("allocation %ld: %s: %s", k, fv_status_name(check_status), fv_error());   \
            assert_null(d);                                                                        \
            assert_int_equal(fvi_alloc_live(), check_live);                                        \
            if (k > 1000) fail_msg("allocates without end");                                       \
        }                                                                                          \
    } while (0)

#endif
