/* SPDX-License-Identifier: MIT */
/* HDF5 files are read by a short-lived child with limits on memory, time and files; plain arrays
   come back through a pipe. libhdf5 is not written for hostile files: whatever one does to it, this
   process goes on and says so in one line. */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_TEXT 1024
/* What a child reads in a second at least, compressed bytes; beyond that it is caught in a loop. */
#define GUARD_BYTES_PER_SECOND ((rlim_t)4 << 20)
/* Address space beyond the file and its arrays: the libraries themselves. */
#define GUARD_MEMORY_SHARE 8

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GUARD_IS_SANITIZED 1 /* their shadow memory needs all the address space there is */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GUARD_IS_SANITIZED 1
#endif
#endif

/* What the child sends first; then the class names, y, x. */
typedef struct guard_head {
    fv_status status;
    char error[GUARD_TEXT];
    fv_shape x_shape, y_shape;
    fv_dtype x_type, y_type;
    int classes;
} guard_head;

static bool guard_is_hdf5_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcmp(dot, ".h5") || !strcmp(dot, ".hdf5"));
}

/* Bytes of the .h5 files that opening path may read; 0: none, and no guard is needed. */
static rlim_t guard_bytes(const char *path)
{
    struct stat st;
    rlim_t bytes = 0;
    if (!strncmp(path, "made:", 5) || stat(path, &st) != 0) return 0;
    if (!S_ISDIR(st.st_mode)) return S_ISREG(st.st_mode) ? (rlim_t)st.st_size + 1 : 0;
    DIR *folder = opendir(path);
    if (!folder) return 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (guard_is_hdf5_name(entry->d_name) && fstatat(dirfd(folder), entry->d_name, &st, 0) == 0)
            bytes += (rlim_t)st.st_size + 1;
    closedir(folder);
    return bytes;
}

static bool guard_write(int to, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t n = write(to, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool guard_read(int from, void *bytes, size_t size)
{
    for (char *at = bytes; size > 0;) {
        ssize_t n = read(from, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static size_t guard_size(const fv_shape *shape, fv_dtype type)
{
    size_t n = fv_dtype_size(type);
    for (int i = 0; i < shape->rank; i++)
        n *= (size_t)shape->dim[i];
    return n;
}

static void guard_limit(int resource, rlim_t limit)
{
    struct rlimit r;
    if (getrlimit(resource, &r) != 0) return;
    if (r.rlim_max == RLIM_INFINITY || limit < r.rlim_max) r.rlim_max = limit;
    r.rlim_cur = r.rlim_max;
    setrlimit(resource, &r);
}

static _Noreturn void guard_child(int to, const char *path, fv_split split,
                                  const fv_dataset_config *config, rlim_t bytes)
{
    /* What libhdf5 or the C library say when they die is not for the user. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    guard_limit(RLIMIT_CPU, 1 + bytes / GUARD_BYTES_PER_SECOND);
    guard_limit(RLIMIT_CORE, 0);
    guard_limit(RLIMIT_FSIZE, 0);
    guard_limit(RLIMIT_NOFILE, 32);
#ifndef GUARD_IS_SANITIZED
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        guard_limit(RLIMIT_AS,
                    (rlim_t)pages / GUARD_MEMORY_SHARE * (GUARD_MEMORY_SHARE - 1) * (rlim_t)page);
#endif
    fv_dataset *d = NULL;
    guard_head head = {.status = fv_dataset_open(&d, path, split, config)};
    if (head.status != FV_OK) {
        snprintf(head.error, sizeof head.error, "%s", fv_error());
        _exit(guard_write(to, &head, sizeof head) ? 0 : 1);
    }
    fv_tensor x = fv_dataset_x(d), y = fv_dataset_y(d);
    head.x_shape = x.shape;
    head.y_shape = y.shape;
    head.x_type = x.dtype;
    head.y_type = y.dtype;
    head.classes = fv_dataset_classes(d);
    bool is_sent = guard_write(to, &head, sizeof head);
    for (int i = 0; is_sent && i < head.classes; i++) {
        size_t length = strlen(fv_dataset_class(d, i));
        is_sent = guard_write(to, &length, sizeof length) &&
                  guard_write(to, fv_dataset_class(d, i), length);
    }
    is_sent = is_sent && guard_write(to, y.data, guard_size(&y.shape, y.dtype)) &&
              guard_write(to, x.data, guard_size(&x.shape, x.dtype));
    _exit(is_sent ? 0 : 1);
}

/* The parent's half: the same data set again from what comes through the pipe. */
static fv_status guard_receive(fv_dataset **dataset, int from, guard_head *head, const char *path)
{
    fv_status s = FV_E_MEMORY;
    snprintf(head->error, sizeof head->error, "out of memory for \"%s\"", path);
    fv_tensor x = {head->x_shape, head->x_type, NULL}, y = {head->y_shape, head->y_type, NULL};
    size_t x_size = guard_size(&x.shape, x.dtype), y_size = guard_size(&y.shape, y.dtype);
    char **names = calloc((size_t)head->classes + 1, sizeof *names);
    bool is_whole = names != NULL;
    for (int i = 0; is_whole && i < head->classes; i++) {
        size_t length;
        is_whole = guard_read(from, &length, sizeof length) && length < 1U << 20 &&
                   (names[i] = calloc(length + 1, 1)) != NULL && guard_read(from, names[i], length);
    }
    x.data = malloc(x_size + 1);
    y.data = malloc(y_size + 1);
    if (is_whole && x.data && y.data && guard_read(from, y.data, y_size) &&
        guard_read(from, x.data, x_size)) {
        s = fv_dataset_from_arrays(dataset, &x, &y, (const char *const *)names, head->classes);
        if (s == FV_OK) s = fv_dataset_set_name(*dataset, path);
        snprintf(head->error, sizeof head->error, "%s", fv_error());
    }
    for (int i = 0; names && i < head->classes; i++)
        free(names[i]);
    free(names);
    free(x.data);
    free(y.data);
    return s;
}

fv_status cli_dataset_open(fv_dataset **dataset, const char *path, fv_split split,
                           const fv_dataset_config *config, const char **error)
{
    static guard_head head;
    int ends[2], how = 0;
    rlim_t bytes = guard_bytes(path);
    *dataset = NULL;
    *error = head.error;
    if (bytes == 0) {
        fv_status plain = fv_dataset_open(dataset, path, split, config);
        snprintf(head.error, sizeof head.error, "%s", fv_error());
        return plain;
    }
    snprintf(head.error, sizeof head.error, "cannot start a process to read \"%s\"", path);
    if (pipe(ends) != 0) return FV_E_IO;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        guard_child(ends[1], path, split, config, bytes);
    }
    close(ends[1]);
    fv_status s = child > 0 ? FV_E_FORMAT : FV_E_IO;
    bool is_answered = child > 0 && guard_read(ends[0], &head, sizeof head);
    if (is_answered) {
        s = head.status;
        if (s == FV_OK) s = guard_receive(dataset, ends[0], &head, path);
    }
    close(ends[0]);
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && !is_answered)
        snprintf(head.error, sizeof head.error,
                 "\"%s\": the HDF5 library failed on it (%s %d); the file is damaged or not what "
                 "it claims to be",
                 path, WIFSIGNALED(how) ? "signal" : "exit",
                 WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
    return s;
}
