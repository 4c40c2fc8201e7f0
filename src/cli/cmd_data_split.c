/* SPDX-License-Identifier: MIT */
/* fovea data split: one set becomes parts to train, validate and test with, in one file or in
   folders. */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPLIT_LOOK 32 /* sides that a picture is decoded to, to see whether it can be read */
#define SPLIT_CHUNK ((size_t)1 << 16)

/* One run: parts are written below temporary, which becomes out when all is well. */
typedef struct split_run {
    const cli_settings *s;
    const char *path; /* of the set */
    fv_dataset *part[CLI_PARTS];
    char out[CLI_PATH], temporary[CLI_PATH + 64];
    bool is_copied; /* files as they are; else PNGs */
    int taken;      /* names that were taken already */
    void *pixels;   /* one picture */
    int written[CLI_PARTS];
} split_run;

static int split_fail(const char *verb, const char *path, int number)
{
    return cli_fail(number == ENOMEM ? CLI_LIMIT : CLI_IO, "cannot %s \"%s\": %s", verb, path,
                    strerror(number));
}

/* ---- what is asked for ---- */

static int split_check_shares(const cli_settings *s)
{
    const struct {
        const char *name;
        bool has;
        double share;
    } rows[] = {{"val-split", s->has_val_split, s->val_split},
                {"test-split", s->has_test_split, s->test_split}};
    if (!s->has_val_split && !s->has_test_split)
        return cli_fail(CLI_USAGE,
                        "data split: expected --val-split, --test-split or both, such as "
                        "--val-split 0.1 --test-split 0.2");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].has && !(rows[i].share > 0 && rows[i].share < 1))
            return cli_fail(CLI_USAGE, "--%s %g: expected more than 0 and less than 1",
                            rows[i].name, rows[i].share);
    if (!(s->val_split + s->test_split < 1))
        return cli_fail(CLI_USAGE, "--val-split %g and --test-split %g leave nothing to train on",
                        s->val_split, s->test_split);
    return CLI_DONE;
}

/* The absolute path of the folder that path is in. */
static bool split_parent(char out[PATH_MAX], const char *path)
{
    char folder[CLI_PATH];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return realpath(folder, out) != NULL;
}

/* A folder that is not there yet or has nothing in it, and does not lie in the set itself. */
static int split_check_folder(split_run *run)
{
    char parent[PATH_MAX], source[PATH_MAX];
    struct stat st;
    const char *path = run->s->args[1];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length >= CLI_PATH) return cli_fail(CLI_IO, "the path of the output is too long");
    snprintf(run->out, sizeof run->out, "%.*s", (int)length, path);
    const char *name = strrchr(run->out, '/');
    name = name ? name + 1 : run->out;
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return cli_fail(CLI_USAGE, "\"%s\": expected the name of a new folder", path);
    if (!split_parent(parent, run->out)) return split_fail("write", path, errno);
    length = realpath(run->path, source) ? strlen(source) : 0;
    if (length > 0 && !strncmp(parent, source, length) &&
        (parent[length] == '/' || parent[length] == '\0' || length == 1))
        return cli_fail(CLI_USAGE, "\"%s\" lies in the data set itself", path);
    if (lstat(run->out, &st) != 0)
        return errno == ENOENT ? CLI_DONE : split_fail("write", path, errno);
    if (!S_ISDIR(st.st_mode))
        return cli_fail(CLI_USAGE,
                        "\"%s\" exists and is no folder; expected a new folder, or a name "
                        "that ends in .h5 or .npz",
                        path);
    DIR *folder = opendir(run->out);
    if (!folder) return split_fail("read", path, errno);
    int entries = 0;
    while (readdir(folder))
        entries++;
    closedir(folder);
    if (entries > 2) return cli_fail(CLI_USAGE, "the folder \"%s\" is not empty", path);
    return CLI_DONE;
}

/* ---- the parts ---- */

/* The share of what is there goes from part 0 into another. */
static int split_off(split_run *run, int into, double share)
{
    fv_dataset *whole = run->part[0], *rest = NULL;
    fv_status status =
        fv_dataset_split(&rest, &run->part[into], whole, share, (uint64_t)run->s->seed);
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    run->part[0] = rest;
    fv_dataset_free(whole);
    return CLI_DONE;
}

static int split_open(split_run *run, const fv_dataset_config *config)
{
    const cli_settings *s = run->s;
    bool has[CLI_PARTS];
    cli_data_parts(has, s, s->args[0]);
    if ((s->has_val_split && has[1]) || (s->has_test_split && has[2]))
        return cli_fail(CLI_USAGE, "\"%s\" has a %s part already; leave --%s-split out", s->args[0],
                        s->has_val_split && has[1] ? "validation" : "test",
                        s->has_val_split && has[1] ? "val" : "test");
    has[0] = true;
    int code = CLI_DONE;
    for (int p = 0; p < CLI_PARTS && code == CLI_DONE; p++)
        if (has[p])
            code = cli_data_open_sized(&run->part[p], s->args[0], cli_part_split[p], config);
    /* The validation part is a share of the whole, too. */
    if (code == CLI_DONE && s->has_test_split) code = split_off(run, 2, s->test_split);
    if (code == CLI_DONE && s->has_val_split)
        code = split_off(run, 1, s->val_split / (1 - s->test_split));
    return code;
}

/* ---- folders ---- */

/* Remove a folder and what is in it. */
static void split_remove(const char *path)
{
    char below[2 * CLI_PATH];
    DIR *folder = opendir(path);
    for (const struct dirent *e; folder && (e = readdir(folder)) != NULL;) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (unlink(below) != 0) split_remove(below);
    }
    if (folder) closedir(folder);
    rmdir(path);
}

/* shown: what it is called in a message. */
static int split_make_folder(const char *path, const char *shown)
{
    return mkdir(path, 0777) == 0 ? CLI_DONE : split_fail("make", shown, errno);
}

/* The folder of a class in a part, in out. */
static void split_class_folder(char out[2 * CLI_PATH], const split_run *run, int p, int class)
{
    snprintf(out, 2 * CLI_PATH, "%s/%s/%s", run->temporary, cli_part_name[p],
             fv_dataset_class(run->part[p], class));
}

/* All classes have a folder in each part, so that one without pictures keeps its place. */
static int split_make_folders(const split_run *run, int p)
{
    char path[2 * CLI_PATH];
    const fv_dataset *d = run->part[p];
    snprintf(path, sizeof path, "%s/%s", run->temporary, cli_part_name[p]);
    int code = split_make_folder(path, cli_part_name[p]);
    for (int i = 0; i < fv_dataset_classes(d) && code == CLI_DONE; i++) {
        const char *name = fv_dataset_class(d, i);
        if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > NAME_MAX)
            return cli_fail(
                CLI_BAD_INPUT,
                "the class \"%s\" cannot be the name of a folder; give OUT.h5 or OUT.npz", name);
        split_class_folder(path, run, p, i);
        struct stat st;
        if (lstat(path, &st) == 0)
            return cli_fail(CLI_BAD_INPUT, "two classes are called \"%s\"; give OUT.h5 or OUT.npz",
                            name);
        code = split_make_folder(path, name);
    }
    return code;
}

static int split_copy(int to, const char *from, const char *path)
{
    static char bytes[SPLIT_CHUNK];
    int file = open(from, O_RDONLY | O_CLOEXEC), code = CLI_DONE;
    ssize_t n = file < 0 ? -1 : 1;
    while (code == CLI_DONE && n > 0) {
        n = read(file, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) n = 1;
        for (ssize_t done = 0, put; code == CLI_DONE && n > 0 && done < n; done += put) {
            put = write(to, bytes + done, (size_t)(n - done));
            if (put < 0 && errno == EINTR) put = 0;
            if (put < 0) code = split_fail("write", path, errno);
        }
    }
    if (n < 0) code = split_fail("read", from, errno);
    if (file >= 0) close(file);
    return code;
}

/* A new file, or a link, by that name. EEXIST: *is_taken. */
static int split_place(const split_run *run, const char *path, const char *from, bool *is_taken)
{
    *is_taken = false;
    if (run->s->link) {
        if (linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) return CLI_DONE;
        *is_taken = errno == EEXIST;
        if (errno == EXDEV)
            return cli_fail(
                CLI_IO, "cannot link \"%s\": it is on another file system; leave --link out", from);
        return *is_taken ? CLI_DONE : split_fail("link", from, errno);
    }
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    *is_taken = file < 0 && errno == EEXIST;
    if (*is_taken) return CLI_DONE;
    if (file < 0) return split_fail("write", path, errno);
    int code = split_copy(file, from, path);
    if (close(file) != 0 && code == CLI_DONE) code = split_fail("write", path, errno);
    return code;
}

/* The file under its own name; a second one of that name in a class gets a number. */
static int split_take_file(split_run *run, const char *folder, const char *from)
{
    char path[3 * CLI_PATH];
    const char *slash = strrchr(from, '/'), *name = slash ? slash + 1 : from;
    const char *dot = strrchr(name, '.');
    int stem = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    bool is_taken;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int code = split_place(run, path, from, &is_taken);
    while (code == CLI_DONE && is_taken) {
        snprintf(path, sizeof path, "%s/%.*s-%d%s", folder, stem, name, ++run->taken + 1,
                 name + stem);
        code = split_place(run, path, from, &is_taken);
    }
    return code;
}

static int split_take_png(const split_run *run, const char *folder, int i)
{
    char path[3 * CLI_PATH];
    fv_shape shape = fv_dataset_shape(run->part[0]);
    const fv_picture picture = {shape.dim[0], shape.dim[1], shape.dim[2], run->pixels};
    snprintf(path, sizeof path, "%s/%06d.png", folder, i);
    fv_status status = fv_picture_write_png(&picture, path);
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, fv_error());
}

static int split_write_part(split_run *run, int p)
{
    char folder[2 * CLI_PATH];
    const fv_dataset *d = run->part[p];
    int code = split_make_folders(run, p);
    for (int i = 0; i < fv_dataset_count(d) && code == CLI_DONE; i++) {
        if (cli_signal()) return cli_fail(128 + cli_signal(), "stopped; nothing was written");
        /* What cannot be read is left out, as it is when a network is trained. */
        fv_status status = fv_dataset_read(d, run->pixels, i);
        if (status != FV_OK && run->s->strict) return cli_fail_status(status, fv_error());
        if (status != FV_OK) {
            fprintf(stderr, "fovea: left out: %s\n", fv_error());
            continue;
        }
        split_class_folder(folder, run, p, fv_dataset_label(d, i));
        code = run->is_copied ? split_take_file(run, folder, fv_dataset_path(d, i))
                              : split_take_png(run, folder, i);
        run->written[p]++;
    }
    return code;
}

static int split_check_pictures(split_run *run)
{
    const fv_dataset *d = run->part[0];
    fv_shape shape = fv_dataset_shape(d);
    if (fv_dataset_dtype(d) != FV_UINT8 || (shape.dim[2] != 1 && shape.dim[2] != 3))
        return cli_fail(CLI_BAD_INPUT,
                        "\"%s\": pictures of %d channels of %s cannot be PNG files; give OUT.h5 or "
                        "OUT.npz",
                        run->s->args[0], shape.dim[2], fv_dtype_name(fv_dataset_dtype(d)));
    run->pixels = malloc((size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2]);
    return run->pixels ? CLI_DONE : cli_fail(CLI_LIMIT, "out of memory");
}

/* The parts in a folder aside, which then gets its name. */
static int split_write_folder(split_run *run)
{
    const char *slash = strrchr(run->out, '/');
    snprintf(run->temporary, sizeof run->temporary, "%.*s.fovea-%ld.tmp",
             slash ? (int)(slash - run->out) + 1 : 0, run->out, (long)getpid());
    int code = split_check_pictures(run);
    if (code == CLI_DONE) code = split_make_folder(run->temporary, run->s->args[1]);
    if (code != CLI_DONE) return code;
    for (int p = 0; p < CLI_PARTS && code == CLI_DONE; p++)
        if (run->part[p]) code = split_write_part(run, p);
    if (code == CLI_DONE && rename(run->temporary, run->out) != 0)
        code = split_fail("write", run->s->args[1], errno);
    if (code != CLI_DONE) split_remove(run->temporary);
    return code;
}

static int split_go(split_run *run, bool is_file)
{
    const cli_settings *s = run->s;
    const char *kind = fv_dataset_kind(run->path);
    bool is_pictures = kind && (!strcmp(kind, "folder") || !strcmp(kind, "csv"));
    fv_dataset_config config;
    run->is_copied = !is_file && is_pictures && !s->size && !s->channels;
    if (s->link && !run->is_copied)
        return cli_fail(CLI_USAGE, "--link: expected pictures in files, the name of a folder, and "
                                   "neither --size nor --channels");
    int code = cli_data_config_streamed(&config, s);
    if (code == CLI_DONE && run->is_copied) {
        /* Files that are copied are only looked at: small they are decoded many times faster, and
           all of them fit into memory. */
        config.height = config.width = SPLIT_LOOK;
        config.memory_bytes = 0;
    }
    if (code == CLI_DONE) code = split_open(run, &config);
    if (code == CLI_DONE)
        code = is_file ? cli_data_save(run->written, run->part, s->args[1], s)
                       : split_write_folder(run);
    return code;
}

int cmd_data_split(const cli_settings *s)
{
    char fetched[CLI_PATH];
    split_run run = {.s = s, .path = cli_data_fetched(fetched, s->args[0])};
    bool is_file = cli_data_is_file(s->args[1]);
    int code = split_check_shares(s);
    if (code == CLI_DONE) code = is_file ? cli_data_check_output(s) : split_check_folder(&run);
    if (code != CLI_DONE) return code;
    cli_signals_catch(true);
    code = split_go(&run, is_file);
    cli_signals_catch(false);
    if (run.part[0]) cli_data_report(run.part[0]);
    if (code == CLI_DONE) cli_data_written(run.written, run.part, s->args[1], s);
    for (int p = 0; p < CLI_PARTS; p++)
        fv_dataset_free(run.part[p]);
    free(run.pixels);
    return cli_finish(code);
}
