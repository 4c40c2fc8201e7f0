/* SPDX-License-Identifier: MIT */
/* Archives to folders, through libarchive. It parses; what may be written, and where, is decided
   here: names are taken apart and put together again, and files are made by file.c. */
#include "formats/formats.h"

#ifdef FVI_WITH_FETCH

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#define UNPACK_CHUNK ((size_t)1 << 16)
#define UNPACK_NAME 1024 /* bytes of a name, and of one part of it: what file systems take */
#define UNPACK_PART 255
#define UNPACK_DEPTH 32
#define UNPACK_BYTES ((uint64_t)4 << 30)
#define UNPACK_ENTRIES ((size_t)100000)

typedef struct unpack_job {
    const char *folder;
    const fvi_unpack_config *config;
    struct archive *in;
    fvi_reader *reader;
    uint64_t at;           /* where in the archive */
    unsigned char *packed; /* the chunk that libarchive looks at */
    unsigned char *plain;
    fv_status status; /* what a callback failed with */
    uint64_t bytes;   /* unpacked or left out so far */
    size_t entries, files;
} unpack_job;

/* ---- what libarchive reads through ---- */

static la_ssize_t unpack_read(struct archive *in, void *user, const void **bytes)
{
    unpack_job *job = user;
    uint64_t left = fvi_reader_size(job->reader) - job->at;
    size_t step = left < UNPACK_CHUNK ? (size_t)left : UNPACK_CHUNK;
    job->status = fvi_reader_at(job->reader, job->packed, step, job->at);
    if (job->status != FV_OK) {
        archive_set_error(in, EIO, "reading failed");
        return ARCHIVE_FATAL;
    }
    job->at += step;
    *bytes = job->packed;
    return (la_ssize_t)step;
}

static la_int64_t unpack_seek(struct archive *in, void *user, la_int64_t offset, int whence)
{
    unpack_job *job = user;
    la_int64_t size = (la_int64_t)fvi_reader_size(job->reader);
    la_int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (la_int64_t)job->at : size;
    if (offset < -base || offset > size - base) { /* a damaged archive may point anywhere */
        archive_set_error(in, EINVAL, "it points outside itself");
        return ARCHIVE_FATAL;
    }
    job->at = (uint64_t)(base + offset);
    return base + offset;
}

/* The failure that libarchive reports: ours, or what it says about the content. */
static fv_status unpack_fail(const unpack_job *job)
{
    char safe[FVI_SAFE_TEXT];
    const char *why = archive_error_string(job->in);
    if (job->status != FV_OK) return job->status;
    if (archive_errno(job->in) == ENOMEM)
        return fvi_fail(FV_E_MEMORY, "out of memory: reading an archive");
    return fvi_fail(FV_E_FORMAT, "not a whole tar, tar.gz or zip archive: %s",
                    fvi_safe(safe, why ? why : "no reason given"));
}

/* ---- names ---- */

/* Why a name may not be unpacked, or NULL. */
static const char *unpack_name_fault(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > UNPACK_NAME) return "empty or too long";
    if (name[0] == '/') return "absolute";
    if (!fvi_is_utf8(name)) return "not UTF-8";
    for (const char *c = name; *c; c++) {
        if (*c == '\\') return "has a backslash";
        if ((unsigned char)*c < 32 || *c == 127) return "has a control character";
    }
    int depth = 0;
    for (const char *part = name; *part; depth++) {
        size_t size = strcspn(part, "/");
        if (size == 2 && part[0] == '.' && part[1] == '.') return "has \"..\"";
        if (size > UNPACK_PART) return "has a part that is too long";
        part += size;
        part += strspn(part, "/");
    }
    return depth > UNPACK_DEPTH ? "too deep" : NULL;
}

/* The name below the folder, in out; false: it is left out. The name has no fault. */
static bool unpack_name(char out[UNPACK_NAME + 1], const char *name,
                        const fvi_unpack_config *config)
{
    size_t used = 0;
    int i = 0;
    for (const char *part = name; *part;) {
        size_t size = strcspn(part, "/");
        bool is_here = size == 1 && part[0] == '.'; /* "./a" is "a" */
        if (!is_here) {
            bool is_last = i == config->strip - 1;
            if (part[0] == '.') return false;
            if (is_last && config->inside &&
                (strlen(config->inside) != size || memcmp(config->inside, part, size) != 0))
                return false;
            if (i++ >= config->strip) {
                if (used > 0) out[used++] = '/';
                memcpy(out + used, part, size);
                used += size;
            }
        }
        part += size;
        part += strspn(part, "/");
    }
    out[used] = '\0';
    return used > 0;
}

/* Make the folders above path, a name below job->folder; with is_folder it, too. */
static fv_status unpack_make_folders(const unpack_job *job, char *path, bool is_folder)
{
    char safe[FVI_SAFE_TEXT];
    for (char *at = path + strlen(job->folder) + 1;; at++) {
        if (*at != '/' && !(*at == '\0' && is_folder)) {
            if (*at == '\0') return FV_OK;
            continue;
        }
        char end = *at;
        *at = '\0';
        bool is_there = fvi_file_exists(path);
        fv_status status = FV_OK;
        if (is_there && !fvi_file_is_folder(path))
            status = fvi_fail(FV_E_FORMAT, "\"%s\" is a file and a folder",
                              fvi_safe(safe, path + strlen(job->folder) + 1));
        else if (!is_there)
            status = fvi_folder_make(path);
        *at = end;
        if (status != FV_OK || end == '\0') return status;
    }
}

/* ---- content ---- */

static fv_status unpack_count(unpack_job *job, uint64_t more)
{
    uint64_t limit = job->config->limit_bytes ? job->config->limit_bytes : UNPACK_BYTES;
    if (job->bytes > limit || more > limit - job->bytes)
        return fvi_fail(FV_E_MEMORY, "it unpacks to more than the limit of %llu bytes",
                        (unsigned long long)limit);
    job->bytes += more;
    return FV_OK;
}

static fv_status unpack_content(unpack_job *job, fvi_save *save, bool is_stated, uint64_t stated)
{
    uint64_t size = 0;
    for (;;) {
        la_ssize_t got = archive_read_data(job->in, job->plain, UNPACK_CHUNK);
        if (got < 0) return unpack_fail(job);
        if (got == 0) break;
        size += (uint64_t)got;
        if (is_stated && size > stated)
            return fvi_fail(FV_E_FORMAT, "longer than the %llu bytes it states",
                            (unsigned long long)stated);
        if (!is_stated) FVI_TRY(unpack_count(job, (uint64_t)got));
        FVI_TRY(fvi_save_write(save, job->plain, (size_t)got));
        if (job->config->go_on && !job->config->go_on(job->config->user, job->bytes))
            return fvi_fail(FV_E_CANCELLED, "stopped while unpacking");
    }
    if (is_stated && size != stated)
        return fvi_fail(FV_E_FORMAT, "%llu bytes, it states %llu", (unsigned long long)size,
                        (unsigned long long)stated);
    return FV_OK;
}

static fv_status unpack_file(unpack_job *job, char *path, bool is_stated, uint64_t stated)
{
    fvi_save *save;
    FVI_TRY(unpack_make_folders(job, path, false));
    if (fvi_file_exists(path)) return fvi_fail(FV_E_FORMAT, "the name is there twice");
    FVI_TRY(fvi_save_begin(&save, path));
    fv_status status = unpack_content(job, save, is_stated, stated);
    if (status != FV_OK) {
        fvi_save_abort(save);
        return status;
    }
    job->files++;
    return fvi_save_commit(save);
}

static fv_status unpack_entry(unpack_job *job, struct archive_entry *entry, const char *name)
{
    char below[UNPACK_NAME + 1];
    const char *fault = unpack_name_fault(name);
    if (fault) return fvi_fail(FV_E_FORMAT, "the name is refused: %s", fault);
    if (archive_entry_hardlink(entry)) return fvi_fail(FV_E_FORMAT, "a hard link, refused");
    bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
    if (!is_folder && archive_entry_filetype(entry) != AE_IFREG)
        return fvi_fail(FV_E_FORMAT, "neither a file nor a folder, refused");
    bool is_stated = archive_entry_size_is_set(entry);
    la_int64_t stated = is_stated && !is_folder ? archive_entry_size(entry) : 0;
    if (stated < 0) return fvi_fail(FV_E_FORMAT, "a negative size");
    /* What is left out counts as well: to skip it may mean to inflate it. */
    FVI_TRY(unpack_count(job, (uint64_t)stated));
    if (!unpack_name(below, name, job->config)) return FV_OK;
    char *path = fvi_path_join(job->folder, below);
    if (!path) return FV_E_MEMORY;
    fv_status status = is_folder ? unpack_make_folders(job, path, true)
                                 : unpack_file(job, path, is_stated, (uint64_t)stated);
    fvi_free(path);
    return status;
}

static fv_status unpack_entries(unpack_job *job)
{
    size_t limit = job->config->limit_entries ? job->config->limit_entries : UNPACK_ENTRIES;
    struct archive_entry *entry;
    int got;
    while ((got = archive_read_next_header(job->in, &entry)) == ARCHIVE_OK) {
        char safe[FVI_SAFE_TEXT];
        const char *name = archive_entry_pathname(entry);
        if (!name) return fvi_fail(FV_E_FORMAT, "entry %zu has no name", job->entries + 1);
        if (++job->entries > limit)
            return fvi_fail(FV_E_MEMORY, "more than the limit of %zu entries", limit);
        fv_status status = unpack_entry(job, entry, name);
        if (status != FV_OK) return fvi_fail_in(status, "\"%s\"", fvi_safe(safe, name));
    }
    if (got != ARCHIVE_EOF) return unpack_fail(job);
    return job->files ? FV_OK : fvi_fail(FV_E_FORMAT, "nothing to unpack in it");
}

/* ---- an archive ---- */

static fv_status unpack_open(unpack_job *job, const char *archive)
{
    FVI_TRY(fvi_reader_open(&job->reader, archive));
    job->packed = fvi_alloc(UNPACK_CHUNK, 1, "reading an archive");
    job->plain = job->packed ? fvi_alloc(UNPACK_CHUNK, 1, "reading an archive") : NULL;
    if (!job->plain) return FV_E_MEMORY;
    job->in = archive_read_new();
    if (!job->in) return fvi_fail(FV_E_MEMORY, "out of memory: reading an archive");
    archive_read_support_format_tar(job->in);
    /* By its directory, not by what stands before each file: only that one knows of links. */
    archive_read_support_format_zip_seekable(job->in);
    archive_read_support_filter_gzip(job->in);
    archive_read_set_seek_callback(job->in, unpack_seek);
    return archive_read_open(job->in, job, NULL, unpack_read, NULL) == ARCHIVE_OK
               ? FV_OK
               : unpack_fail(job);
}

fv_status fvi_unpack(const char *folder, const char *archive, const fvi_unpack_config *config)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_unpack_config defaults = {0};
    unpack_job job = {.folder = folder, .config = config ? config : &defaults};
    if (fvi_file_exists(folder))
        return fvi_fail(FV_E_IO, "cannot unpack to \"%s\": it is there already",
                        fvi_safe(safe, folder));
    fv_status status = unpack_open(&job, archive);
    if (status == FV_OK) status = fvi_folder_make(folder);
    if (status == FV_OK) status = unpack_entries(&job);
    if (status != FV_OK && status != FV_E_IO)
        fvi_fail_in(status, "cannot unpack \"%s\"", fvi_safe(safe, archive));
    if (job.in) archive_read_free(job.in);
    fvi_reader_close(job.reader);
    fvi_free(job.packed);
    fvi_free(job.plain);
    if (status == FV_OK) return FV_OK;
    fv_status removed = fvi_folder_remove(folder);
    return removed == FV_OK ? status : removed;
}

#else

fv_status fvi_unpack(const char *folder, const char *archive, const fvi_unpack_config *config)
{
    (void)folder;
    (void)archive;
    (void)config;
    return fvi_fail(FV_E_UNSUPPORTED, "built without libarchive: cannot unpack archives "
                                      "(FOVEA_WITH_FETCH)");
}

#endif
