/* SPDX-License-Identifier: MIT */
/* HDF5 files are read by a short-lived child with limits on memory, time and files; plain arrays
   come back through a socket. libhdf5 is not written for hostile files: whatever one does to it, this
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
#include <sys/socket.h>
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

/* What precedes each picture that is asked for. */
typedef struct guard_answer {
    fv_status status;
    char error[GUARD_TEXT];
} guard_answer;

/* What the child sends first; then the class names, y, x. */
typedef struct guard_head {
    fv_status status;
    char error[GUARD_TEXT];
    fv_shape x_shape, y_shape;
    fv_dtype x_type, y_type;
    int classes;
    bool is_served; /* too large to come at once: pictures are asked for one by one */
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
    if (!S_ISDIR(st.st_mode)) {
        const char *kind = fv_dataset_kind(path);
        return kind && !strcmp(kind, "hdf5") ? (rlim_t)st.st_size + 1 : 0;
    }
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

/* The processor time of this process from now on. Only the soft limit, which kills as well: it is
   set anew for each picture that is asked for. */
static void guard_limit_seconds(rlim_t seconds)
{
    struct rusage used;
    struct rlimit r;
    if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &r) != 0) return;
    r.rlim_cur = (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + 1 + seconds;
    if (r.rlim_max != RLIM_INFINITY && r.rlim_cur > r.rlim_max) r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_CPU, &r);
}

static void guard_limit(int resource, rlim_t limit)
{
    struct rlimit r;
    if (getrlimit(resource, &r) != 0) return;
    if (r.rlim_max == RLIM_INFINITY || limit < r.rlim_max) r.rlim_max = limit;
    r.rlim_cur = r.rlim_max;
    setrlimit(resource, &r);
}

/* Answer numbers of pictures with an answer and the pixels, until nobody asks. */
static void guard_serve(int with, const fv_dataset *d, size_t bytes)
{
    guard_answer answer = {0};
    char *pixels = malloc(bytes);
    int i;
    while (pixels && guard_read(with, &i, sizeof i)) {
        guard_limit_seconds(1 + bytes / GUARD_BYTES_PER_SECOND);
        answer.status = fv_dataset_read(d, pixels, i);
        if (answer.status != FV_OK) snprintf(answer.error, sizeof answer.error, "%s", fv_error());
        if (!guard_write(with, &answer, sizeof answer)) break;
        if (answer.status == FV_OK && !guard_write(with, pixels, bytes)) break;
    }
    free(pixels);
}

/* What libhdf5 may take, and where what it says goes. */
static void guard_begin(rlim_t bytes)
{
    /* What libhdf5 or the C library say when they die is not for the user. */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
    /* A terminal's Ctrl-C goes to all processes; this one serves until nobody asks any more. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    guard_limit_seconds(bytes / GUARD_BYTES_PER_SECOND);
    guard_limit(RLIMIT_CORE, 0);
    guard_limit(RLIMIT_FSIZE, 0);
    guard_limit(RLIMIT_NOFILE, 32);
#ifndef GUARD_IS_SANITIZED
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        guard_limit(RLIMIT_AS,
                    (rlim_t)pages / GUARD_MEMORY_SHARE * (GUARD_MEMORY_SHARE - 1) * (rlim_t)page);
#endif
}

static _Noreturn void guard_child(int to, const char *path, fv_split split,
                                  const fv_dataset_config *config, rlim_t bytes)
{
    guard_begin(bytes);
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
    head.is_served = x.data == NULL;
    bool is_sent = guard_write(to, &head, sizeof head);
    for (int i = 0; is_sent && i < head.classes; i++) {
        size_t length = strlen(fv_dataset_class(d, i));
        is_sent = guard_write(to, &length, sizeof length) &&
                  guard_write(to, fv_dataset_class(d, i), length);
    }
    is_sent = is_sent && guard_write(to, y.data, guard_size(&y.shape, y.dtype));
    if (is_sent && head.is_served)
        guard_serve(to, d, guard_size(&x.shape, x.dtype) / (size_t)fv_dataset_count(d));
    else if (is_sent)
        is_sent = guard_write(to, x.data, guard_size(&x.shape, x.dtype));
    _exit(is_sent ? 0 : 1);
}

/* ---- pictures that come one by one ---- */

/* The child and the socket that leads to it. */
typedef struct guard_line {
    int with;
    pid_t child;
    bool is_taken; /* by a data set, whose end is theirs, too */
} guard_line;

typedef struct guard_source {
    guard_line line;
    size_t bytes; /* of a picture */
    guard_answer answer;
} guard_source;

/* Hang up and wait for the child; how it ended. Hanging up reaches the child even while another
   child, forked later, still has a copy of this end. */
static int guard_hang_up(const guard_line *line)
{
    int how = 0;
    shutdown(line->with, SHUT_RDWR);
    close(line->with);
    while (line->child > 0 && waitpid(line->child, &how, 0) < 0 && errno == EINTR)
        ;
    return how;
}

static bool guard_source_read(void *user, void *out, int i, const char **why)
{
    guard_source *source = user;
    *why = "the process that reads the HDF5 file died; the file is damaged";
    if (!guard_write(source->line.with, &i, sizeof i) ||
        !guard_read(source->line.with, &source->answer, sizeof source->answer))
        return false;
    *why = source->answer.error;
    return source->answer.status == FV_OK && guard_read(source->line.with, out, source->bytes);
}

static void guard_source_free(void *user)
{
    guard_source *source = user;
    guard_hang_up(&source->line);
    free(source);
}

/* A data set of the pictures that the child serves, which it takes over. */
static fv_status guard_make_served(fv_dataset **dataset, guard_line *line, const guard_head *head,
                                   const fv_tensor *y, const char *const *names, bool strict)
{
    fv_dataset_source source = {.dtype = head->x_type,
                                .count = head->x_shape.dim[0],
                                .read = guard_source_read,
                                .free = guard_source_free,
                                .strict = strict};
    source.shape.rank = head->x_shape.rank - 1;
    for (int i = 0; i < source.shape.rank; i++)
        source.shape.dim[i] = head->x_shape.dim[i + 1];
    guard_source *user = calloc(1, sizeof *user);
    if (!user) return FV_E_MEMORY;
    *user = (guard_source){.line = *line, .bytes = guard_size(&source.shape, source.dtype)};
    source.user = user;
    line->is_taken = true;
    return fv_dataset_from_source(dataset, &source, y, names, head->classes);
}

/* The parent's half: the same data set again from what comes through the pipe. */
static fv_status guard_receive(fv_dataset **dataset, guard_line *line, guard_head *head,
                               const char *path, bool strict)
{
    int from = line->with;
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
    if (head->is_served) x_size = 0;
    x.data = malloc(x_size + 1);
    y.data = malloc(y_size + 1);
    if (is_whole && x.data && y.data && guard_read(from, y.data, y_size) &&
        guard_read(from, x.data, x_size)) {
        s = head->is_served
                ? guard_make_served(dataset, line, head, &y, (const char *const *)names, strict)
                : fv_dataset_from_arrays(dataset, &x, &y, (const char *const *)names,
                                         head->classes);
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

/* Fork; in the child never returns. -1: cannot. */
static pid_t guard_fork(guard_line *line, const char *path, fv_split split,
                        const fv_dataset_config *config, rlim_t bytes)
{
    int ends[2];
    *line = (guard_line){.with = -1, .child = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        guard_child(ends[1], path, split, config, bytes);
    }
    close(ends[1]);
    *line = (guard_line){.with = ends[0], .child = child};
    return child;
}

fv_status cli_dataset_open(fv_dataset **dataset, const char *path, fv_split split,
                           const fv_dataset_config *config, const char **error)
{
    static guard_head head;
    char fetched[CLI_PATH];
    guard_line line;
    path = cli_data_fetched(fetched, path);
    rlim_t bytes = guard_bytes(path);
    *dataset = NULL;
    *error = head.error;
    if (bytes == 0) {
        fv_status plain = fv_dataset_open(dataset, path, split, config);
        snprintf(head.error, sizeof head.error, "%s", fv_error());
        return plain;
    }
    snprintf(head.error, sizeof head.error, "cannot start a process to read \"%s\"", path);
    if (guard_fork(&line, path, split, config, bytes) < 0) {
        if (line.with >= 0) close(line.with);
        return FV_E_IO;
    }
    fv_status s = FV_E_FORMAT;
    bool is_answered = guard_read(line.with, &head, sizeof head);
    if (is_answered) {
        s = head.status;
        if (s == FV_OK) s = guard_receive(dataset, &line, &head, path, config && config->strict);
    }
    if (line.is_taken) return s;
    int how = guard_hang_up(&line);
    if (!is_answered)
        snprintf(head.error, sizeof head.error,
                 "\"%s\": the HDF5 library failed on it (%s %d); the file is damaged or not what "
                 "it claims to be",
                 path, WIFSIGNALED(how) ? "signal" : "exit",
                 WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
    return s;
}

bool cli_dataset_has(const char *path, fv_split split)
{
    struct stat st;
    char fetched[CLI_PATH];
    path = cli_data_fetched(fetched, path);
    rlim_t bytes = guard_bytes(path);
    /* In a folder the names of files tell; only a single file is looked into. */
    if (bytes == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return fv_dataset_has(path, split);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        guard_begin(bytes);
        _exit(fv_dataset_has(path, split) ? 0 : 1);
    }
    int how = 1;
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}
