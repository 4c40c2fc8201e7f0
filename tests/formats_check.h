/* SPDX-License-Identifier: MIT */
/* What the tests of src/formats share: expected failures, a temporary folder, building bytes. */
#ifndef FORMATS_CHECK_H
#define FORMATS_CHECK_H

#include "formats/formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The call must fail with this code and a message that holds this text. */
#define CHECK_FAILS(call, code, part)                                                              \
    do {                                                                                           \
        fv_status check_got = (call);                                                              \
        if (check_got != (code) || strstr(fv_error(), part) == NULL)                               \
            fail_msg("got %s (%s); expected %s (... %s ...)", fv_status_name(check_got),           \
                     check_got == FV_OK ? "" : fv_error(), fv_status_name(code), part);            \
    } while (0)

#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        fv_status check_got = (call);                                                              \
        if (check_got != FV_OK) fail_msg("%s: %s", fv_status_name(check_got), fv_error());         \
    } while (0)

/* A file in a folder of this process that check_cleanup removes. */
static char check_folder[64];

static inline const char *check_path(char path[128], const char *name)
{
    if (check_folder[0] == '\0') {
        snprintf(check_folder, sizeof check_folder, "/tmp/fovea-formats-XXXXXX");
        if (mkdtemp(check_folder) == NULL) fail_msg("no temporary folder");
    }
    snprintf(path, 128, "%s/%s", check_folder, name);
    return path;
}

static inline void check_cleanup(const char *const *name, size_t count)
{
    char path[128];
    for (size_t i = 0; i < count; i++)
        unlink(check_path(path, name[i]));
    rmdir(check_folder);
    check_folder[0] = '\0';
}

/* A golden file, whole. */
static inline unsigned char *check_golden(const char *name, size_t *size)
{
    char path[1024];
    unsigned char *bytes;
    snprintf(path, sizeof path, "%s/tests/golden/%s", TEST_SOURCE_DIR, name);
    CHECK_OK(fvi_file_read(&bytes, size, path, (size_t)1 << 24));
    return bytes;
}

/* A copy of exactly size bytes in its own block, so that a read past the end is found by a
   sanitizer. */
static inline unsigned char *check_exact(const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) memcpy(copy, bytes, size);
    return copy;
}

/* The sum that read_arrays.py prints. */
static inline unsigned check_sum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i] * (uint64_t)(i % 65521 + 1);
    return (unsigned)(sum & 0xFFFFFFFF);
}

/* What a script of this folder prints, given a path. Skips the test where Python or a module of its
   is not there (exit 77). */
static inline void check_python(char *out, size_t room, const char *script, const char *path)
{
    static const char *const python[] = {"python3", "/usr/bin/python3"};
    int ended = -1;
    for (size_t i = 0; i < 2 && ended != 0; i++) {
        char command[1024];
        snprintf(command, sizeof command, "%s '%s/tests/%s' '%s' 2>&1", python[i], TEST_SOURCE_DIR,
                 script, path);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        out[fread(out, 1, room - 1, pipe)] = '\0';
        ended = pclose(pipe);
    }
    if (ended == 0) return;
    if (!WIFEXITED(ended) || (WEXITSTATUS(ended) != 77 && WEXITSTATUS(ended) != 127))
        fail_msg("%s: %s", script, out);
    print_message("skipped: %s", out);
    skip();
}

#endif
