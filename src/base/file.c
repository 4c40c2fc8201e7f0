/* SPDX-License-Identifier: MIT */
/* The one place files are opened: whole-file reads; write aside, then rename. */
#include "base/base_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LINKS 40 /* as many as Linux follows */
#define FILE_TRIES 100
#define FILE_CHUNK ((size_t)1 << 30) /* Linux moves at most 2 GiB at once */

struct fvi_save {
    char *path;      /* as the caller gave it, for messages */
    char *target;    /* what path resolves to */
    char *folder;    /* of target; made early, since after the rename nothing may fail for memory */
    char *temporary; /* beside target */
    int file;
    bool failed;
    bool keeps; /* the temporary is a .part, to go on with another time */
};

/* "cannot VERB "PATH": reason"; of a long path the end, which has the name. */
static fv_status file_fail_why(const char *verb, const char *path, const char *why)
{
    char safe[FVI_SAFE_TEXT];
    size_t length = strlen(path), skip = length > 76 ? length - 76 : 0;
    while (skip > 0 && ((unsigned char)path[skip] & 0xC0u) == 0x80u) {
        skip++;
    }
    return fvi_fail(FV_E_IO, "cannot %s \"%s%s\": %s", verb, skip > 0 ? "..." : "",
                    fvi_safe(safe, path + skip), why);
}

static fv_status file_fail(const char *verb, const char *path, int number)
{
    char why[128];
    if (strerror_r(number, why, sizeof why) != 0) snprintf(why, sizeof why, "error %d", number);
    return file_fail_why(verb, path, why);
}

static int file_open(const char *path, int flags, mode_t mode)
{
    int file;
    do {
        file = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    } while (file < 0 && errno == EINTR);
    return file;
}

/* Up to size bytes; fewer only at the end of the file. -1: errno says why. */
static ssize_t file_read_some(int file, unsigned char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        size_t step = size - done < FILE_CHUNK ? size - done : FILE_CHUNK;
        ssize_t got = read(file, bytes + done, step);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* Exactly size bytes from a place. */
static fv_status file_read_at(int file, const char *path, void *bytes, size_t size, uint64_t offset)
{
    unsigned char *to = bytes;
    while (size > 0) {
        size_t step = size < FILE_CHUNK ? size : FILE_CHUNK;
        ssize_t got = pread(file, to, step, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_fail("read", path, errno);
        if (got == 0) return file_fail_why("read", path, "it became shorter");
        to += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return FV_OK;
}

static fv_status file_too_long(const char *path, size_t limit)
{
    fvi_fail(FV_E_MEMORY, "longer than the limit of %zu bytes", limit);
    char safe[FVI_SAFE_TEXT];
    return fvi_fail_in(FV_E_MEMORY, "cannot read \"%s\"", fvi_safe(safe, path));
}

/* Read to the end. The stated size is only where to begin: files of the kernel say 0, and another
   process may be writing. */
static fv_status file_read_all(int file, unsigned char **bytes, size_t *size, const char *path,
                               size_t stated, size_t limit)
{
    size_t room = stated + 1, done = 0;
    unsigned char *data = fvi_alloc(room, 1, "the content of a file");
    if (!data) return FV_E_MEMORY;
    for (;;) {
        ssize_t got = file_read_some(file, data + done, room - done);
        if (got < 0) {
            int number = errno;
            fvi_free(data);
            return file_fail("read", path, number);
        }
        done += (size_t)got;
        if (done < room) break;
        if (done > limit) {
            fvi_free(data);
            return file_too_long(path, limit);
        }
        size_t more = room < 4096 ? 4096 : room;
        if (more > limit - done) more = limit - done + 1;
        unsigned char *grown = fvi_grow(data, done, room + more, 1, "the content of a file");
        if (!grown) {
            fvi_free(data);
            return FV_E_MEMORY;
        }
        data = grown;
        room += more;
    }
    data[done] = '\0';
    *bytes = data;
    *size = done;
    return FV_OK;
}

fv_status fvi_file_read(unsigned char **bytes, size_t *size, const char *path, size_t limit)
{
    *bytes = NULL;
    *size = 0;
    if (!path) return fvi_fail(FV_E_ARG, "the path of a file is NULL");
    if (limit > PTRDIFF_MAX - 4096) limit = PTRDIFF_MAX - 4096;
    /* Without O_NONBLOCK a FIFO would wait for a writer, perhaps for ever. */
    int file = file_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (file < 0) return file_fail("open", path, errno);
    struct stat about;
    fv_status status;
    if (fstat(file, &about) != 0) {
        status = file_fail("open", path, errno);
    } else if (S_ISDIR(about.st_mode)) {
        status = file_fail("read", path, EISDIR);
    } else if (!S_ISREG(about.st_mode)) {
        status = file_fail_why("read", path, "not a regular file");
    } else if (about.st_size < 0 || (uintmax_t)about.st_size > limit) {
        status = file_too_long(path, limit);
    } else {
        status = file_read_all(file, bytes, size, path, (size_t)about.st_size, limit);
    }
    close(file); /* nothing was written, so there is nothing that closing could lose */
    return status;
}

/* ---- reading at any place ---- */

struct fvi_reader {
    char *path;
    int file;
    uint64_t size;
};

fv_status fvi_reader_open(fvi_reader **reader, const char *path)
{
    struct stat about = {0};
    *reader = NULL;
    fvi_reader *r = fvi_alloc(1, sizeof *r, "an open file");
    if (!r) return FV_E_MEMORY;
    r->file = file_open(path, O_RDONLY | O_NONBLOCK, 0);
    r->path = fvi_strdup(path);
    fv_status status = r->path ? FV_OK : FV_E_MEMORY;
    if (status == FV_OK && (r->file < 0 || fstat(r->file, &about) != 0))
        status = file_fail("open", path, errno);
    else if (status == FV_OK && !S_ISREG(about.st_mode))
        status = file_fail_why("read", path, "not a regular file");
    if (status != FV_OK) {
        fvi_reader_close(r);
        return status;
    }
    r->size = (uint64_t)about.st_size;
    *reader = r;
    return FV_OK;
}

uint64_t fvi_reader_size(const fvi_reader *reader)
{
    return reader->size;
}

fv_status fvi_reader_at(const fvi_reader *reader, void *bytes, size_t size, uint64_t offset)
{
    return file_read_at(reader->file, reader->path, bytes, size, offset);
}

void fvi_reader_close(fvi_reader *reader)
{
    if (!reader) return;
    if (reader->file >= 0) close(reader->file);
    fvi_free(reader->path);
    fvi_free(reader);
}

size_t fvi_file_peek(void *bytes, size_t room, const char *path)
{
    struct stat about;
    int file = path ? file_open(path, O_RDONLY | O_NONBLOCK, 0) : -1;
    if (file < 0) return 0;
    ssize_t got = 0;
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode)) got = file_read_some(file, bytes, room);
    close(file);
    return got > 0 ? (size_t)got : 0;
}

fv_status fvi_file_remove(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? FV_OK : file_fail("remove", path, errno);
}

fv_status fvi_file_move(const char *from, const char *to)
{
    return rename(from, to) == 0 ? FV_OK : file_fail("replace", to, errno);
}

/* Bytes of the folder part of a path, its slash included; 0 for none. */
static size_t file_folder_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* name, put into the folder of beside. */
static char *file_beside(const char *beside, const char *name)
{
    size_t folder = file_folder_size(beside), length = strlen(name);
    char *path = fvi_alloc(folder + length + 1, 1, "a path");
    if (!path) return NULL;
    memcpy(path, beside, folder);
    memcpy(path + folder, name, length);
    return path;
}

/* The text of a link, as a path from where we are; *out is NULL when path is no link. */
static fv_status file_follow(char **out, const char *path)
{
    char text[4096];
    ssize_t length = readlink(path, text, sizeof text - 1);
    *out = NULL;
    if (length < 0) return FV_OK; /* no link, or nothing there: opening it will say */
    text[length] = '\0';
    *out = text[0] == '/' ? fvi_strdup(text) : file_beside(path, text);
    return *out ? FV_OK : FV_E_MEMORY;
}

/* What a path means when it is a symbolic link, even to a file that is not there yet. */
static fv_status file_resolve(char **out, const char *path)
{
    char *now = fvi_strdup(path), *next;
    if (!now) return FV_E_MEMORY;
    for (int links = 0; links <= FILE_LINKS; links++) {
        fv_status status = file_follow(&next, now);
        if (status != FV_OK || !next) {
            if (status == FV_OK) {
                *out = now;
            } else {
                fvi_free(now);
            }
            return status;
        }
        fvi_free(now);
        now = next;
    }
    fvi_free(now);
    return file_fail("write", path, ELOOP);
}

/* May this name be replaced? *mode becomes the permissions that the new file must have, or -1 for
   the usual ones. */
static fv_status file_check_target(const char *path, const char *target, int *mode)
{
    struct stat about;
    *mode = -1;
    size_t folder = file_folder_size(target);
    if (target[folder] == '\0') {
        return file_fail("write", path, *path == '\0' ? ENOENT : EISDIR);
    }
    if (lstat(target, &about) != 0) {
        return errno == ENOENT ? FV_OK : file_fail("write", path, errno);
    }
    if (S_ISDIR(about.st_mode)) return file_fail("write", path, EISDIR);
    if (!S_ISREG(about.st_mode)) return file_fail_why("write", path, "not a regular file");
    /* A rename needs no leave of the file itself, but a file made read-only is meant to stay. */
    if (access(target, W_OK) != 0) return file_fail("write", path, errno);
    *mode = (int)(about.st_mode & 0777u);
    return FV_OK;
}

/* Make a new file in the target's folder; its name is short, the target's may be at the limit. */
static fv_status file_open_aside(fvi_save *save, int mode)
{
    static atomic_uint file_number;
    for (int attempt = 0; attempt < FILE_TRIES; attempt++) {
        char name[64];
        snprintf(name, sizeof name, ".fovea-%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&file_number, 1));
        save->temporary = file_beside(save->target, name);
        if (!save->temporary) return FV_E_MEMORY;
        save->file =
            file_open(save->temporary, O_RDWR | O_CREAT | O_EXCL, mode < 0 ? 0666 : (mode_t)mode);
        if (save->file >= 0) break;
        int number = errno;
        fvi_free(save->temporary);
        save->temporary = NULL;
        if (number != EEXIST) return file_fail("write", save->path, number);
    }
    if (save->file < 0) return file_fail("write", save->path, EEXIST);
    if (mode >= 0 && fchmod(save->file, (mode_t)mode) != 0) {
        return file_fail("write", save->path, errno);
    }
    return FV_OK;
}

/* Open target.part, at its end. */
static fv_status file_open_part(fvi_save *save, uint64_t *size)
{
    struct stat about;
    size_t length = strlen(save->target);
    save->temporary = fvi_alloc(length + sizeof ".part", 1, "a path");
    if (!save->temporary) return FV_E_MEMORY;
    memcpy(save->temporary, save->target, length);
    memcpy(save->temporary + length, ".part", sizeof ".part");
    save->keeps = true;
    save->file =
        file_open(save->temporary, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (save->file < 0 || fstat(save->file, &about) != 0)
        return file_fail("write", save->temporary, errno);
    if (!S_ISREG(about.st_mode))
        return file_fail_why("write", save->temporary, "not a regular file");
    *size = (uint64_t)about.st_size;
    return FV_OK;
}

/* part: NULL, or where to say how much of a .part is there. */
static fv_status file_save_begin(fvi_save **save, const char *path, uint64_t *part)
{
    *save = NULL;
    if (!path) return fvi_fail(FV_E_ARG, "the path of a file is NULL");
    fvi_save *made = fvi_alloc(1, sizeof *made, "saving a file");
    if (!made) return FV_E_MEMORY;
    made->file = -1;
    made->path = fvi_strdup(path);
    int mode;
    fv_status status = made->path ? file_resolve(&made->target, path) : FV_E_MEMORY;
    if (status == FV_OK) status = file_check_target(path, made->target, &mode);
    if (status == FV_OK) {
        made->folder = file_beside(made->target, ".");
        status = !made->folder ? FV_E_MEMORY
                 : part        ? file_open_part(made, part)
                               : file_open_aside(made, mode);
    }
    if (status != FV_OK) {
        fvi_save_abort(made);
        return status;
    }
    *save = made;
    return FV_OK;
}

fv_status fvi_save_begin(fvi_save **save, const char *path)
{
    return file_save_begin(save, path, NULL);
}

fv_status fvi_save_resume(fvi_save **save, uint64_t *size, const char *path)
{
    return file_save_begin(save, path, size);
}

fv_status fvi_save_restart(fvi_save *save)
{
    if (ftruncate(save->file, 0) != 0) return file_fail("write", save->temporary, errno);
    save->failed = false;
    return FV_OK;
}

const char *fvi_save_part(const fvi_save *save)
{
    return save->temporary;
}

fv_status fvi_save_write(fvi_save *save, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    if (!save) return fvi_fail(FV_E_STATE, "writing to a file that was not begun");
    if (save->failed) return file_fail_why("write", save->path, "an earlier part failed");
    while (size > 0) {
        ssize_t put = write(save->file, from, size < FILE_CHUNK ? size : FILE_CHUNK);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            save->failed = true;
            return file_fail("write", save->path, put < 0 ? errno : EIO);
        }
        from += put;
        size -= (size_t)put;
    }
    return FV_OK;
}

fv_status fvi_save_write_at(fvi_save *save, const void *bytes, size_t size, uint64_t offset)
{
    const unsigned char *from = bytes;
    if (!save) return fvi_fail(FV_E_STATE, "writing to a file that was not begun");
    if (save->failed) return file_fail_why("write", save->path, "an earlier part failed");
    while (size > 0) {
        ssize_t put =
            pwrite(save->file, from, size < FILE_CHUNK ? size : FILE_CHUNK, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            save->failed = true;
            return file_fail("write", save->path, put < 0 ? errno : EIO);
        }
        from += put;
        size -= (size_t)put;
        offset += (uint64_t)put;
    }
    return FV_OK;
}

fv_status fvi_save_read_at(fvi_save *save, void *bytes, size_t size, uint64_t offset)
{
    if (!save) return fvi_fail(FV_E_STATE, "reading a file that was not begun");
    return file_read_at(save->file, save->path, bytes, size, offset);
}

/* fsync, again after a signal; some file systems have nothing to flush and say EINVAL. */
static bool file_sync(int file)
{
    int result;
    do {
        result = fsync(file);
    } while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL || errno == ENOTSUP;
}

/* After a rename: until its folder is on the disk, a power loss may bring the old file back. */
static fv_status file_sync_folder(const fvi_save *save)
{
    int file = file_open(save->folder, O_RDONLY | O_DIRECTORY, 0);
    /* A folder that may be written but not read cannot be flushed; that is no failure of ours. */
    if (file < 0) return errno == EACCES ? FV_OK : file_fail("flush", save->path, errno);
    fv_status status = file_sync(file) ? FV_OK : file_fail("flush", save->path, errno);
    close(file);
    return status;
}

static fv_status file_finish(fvi_save *save)
{
    if (save->failed) return file_fail_why("write", save->path, "an earlier part failed");
    if (!file_sync(save->file)) return file_fail("flush", save->path, errno);
    int file = save->file;
    save->file = -1; /* closed whatever close says; after EINTR too, and the bytes are flushed */
    if (close(file) != 0 && errno != EINTR) return file_fail("close", save->path, errno);
    if (rename(save->temporary, save->target) != 0) {
        return file_fail("replace", save->path, errno);
    }
    fvi_free(save->temporary);
    save->temporary = NULL;
    return file_sync_folder(save);
}

fv_status fvi_save_commit(fvi_save *save)
{
    if (!save) return fvi_fail(FV_E_STATE, "finishing a file that was not begun");
    fv_status status = file_finish(save);
    fvi_save_abort(save); /* of what is left: nothing, unless it failed */
    return status;
}

void fvi_save_abort(fvi_save *save)
{
    struct stat about;
    if (!save) return;
    bool is_kept = save->keeps && (save->file < 0 || fstat(save->file, &about) != 0 ||
                                   !S_ISREG(about.st_mode) || about.st_size > 0);
    if (save->file >= 0) close(save->file);
    if (save->temporary && !is_kept) unlink(save->temporary);
    fvi_free(save->temporary);
    fvi_free(save->folder);
    fvi_free(save->target);
    fvi_free(save->path);
    fvi_free(save);
}

fv_status fvi_file_write(const char *path, const void *bytes, size_t size)
{
    fvi_save *save;
    FVI_TRY(fvi_save_begin(&save, path));
    fv_status status = fvi_save_write(save, bytes, size);
    if (status != FV_OK) {
        fvi_save_abort(save);
        return status;
    }
    return fvi_save_commit(save);
}

/* ---- one at a time ---- */

struct fvi_file_lock {
    char *path;
    int file;
};

/* Says who holds the file that could not be locked. */
static fv_status file_lock_refuse(const char *path, int file, int number)
{
    char text[24] = "";
    int64_t holder;
    if (number != EWOULDBLOCK) return file_fail("lock", path, number);
    ssize_t size = file_read_some(file, (unsigned char *)text, sizeof text - 1);
    if (size <= 0 || !fvi_parse_int64(&holder, text, (size_t)size))
        return file_fail_why("lock", path, "another process is at work on it");
    char why[64];
    snprintf(why, sizeof why, "process %lld is at work on it", (long long)holder);
    return file_fail_why("lock", path, why);
}

/* Whether the open file is still the one of that name: its last holder takes the name away. */
static bool file_lock_is_current(const fvi_file_lock *lock)
{
    struct stat mine, named;
    return fstat(lock->file, &mine) == 0 && stat(lock->path, &named) == 0 &&
           mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

static fv_status file_lock_open(fvi_file_lock *lock)
{
    for (int attempt = 0; attempt < FILE_TRIES; attempt++) {
        lock->file = file_open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (lock->file < 0) return file_fail("lock", lock->path, errno);
        if (flock(lock->file, LOCK_EX | LOCK_NB) != 0) {
            fv_status status = file_lock_refuse(lock->path, lock->file, errno);
            close(lock->file);
            lock->file = -1; /* the holder's, not ours to remove */
            return status;
        }
        if (file_lock_is_current(lock)) return FV_OK;
        close(lock->file);
        lock->file = -1;
    }
    return file_fail("lock", lock->path, EAGAIN);
}

fv_status fvi_file_lock_take(fvi_file_lock **lock, const char *path)
{
    char text[24];
    *lock = NULL;
    fvi_file_lock *l = fvi_alloc(1, sizeof *l, "a lock");
    if (!l) return FV_E_MEMORY;
    l->file = -1;
    l->path = fvi_strdup(path);
    fv_status status = l->path ? file_lock_open(l) : FV_E_MEMORY;
    if (status != FV_OK) {
        fvi_file_lock_give(l);
        return status;
    }
    int length = snprintf(text, sizeof text, "%ld", (long)getpid());
    bool is_named = ftruncate(l->file, 0) == 0 && write(l->file, text, (size_t)length) == length;
    (void)is_named; /* without it others hear of "another process" */
    *lock = l;
    return FV_OK;
}

void fvi_file_lock_give(fvi_file_lock *lock)
{
    if (!lock) return;
    if (lock->file >= 0) {
        unlink(lock->path); /* first: once closed it may be somebody else's */
        close(lock->file);
    }
    fvi_free(lock->path);
    fvi_free(lock);
}
