/* SPDX-License-Identifier: MIT */
/* Zip archives through libzip: members are read into memory, never onto the disk; new archives are
   written aside, then renamed. */
#include "formats/zip_members.h"

#include <string.h>

bool fvi_zip_is(const unsigned char *bytes, size_t size)
{
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

#ifdef FVI_WITH_ZIP

#include <zip.h>

#define ARCHIVE_BLOCK ((size_t)1 << 20) /* rows are asked for in blocks of about this size */
#define ARCHIVE_DATE 0x21               /* 1980-01-01, the first that zip can say */
#define ARCHIVE_DISK_READ                                                                          \
    ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,         \
        ZIP_SOURCE_FREE
#define ARCHIVE_DISK_SEEK ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS

/* What libzip reads or writes through: a place, and the first failure of ours, which libzip would
   only know as a number. */
typedef struct archive_stream {
    uint64_t at, size;
    zip_error_t error;
    fv_status failed;
} archive_stream;

struct fvi_zip {
    fvi_reader *reader;
    zip_t *zip;
    archive_stream stream;
    fvi_zip_member *member;
    int count;
};

/* ---- both ways ---- */

static zip_int64_t archive_failed(archive_stream *s, fv_status status, int code)
{
    s->failed = status;
    zip_error_set(&s->error, code, 0);
    return -1;
}

static zip_int64_t archive_stat(archive_stream *s, void *data, zip_uint64_t size, uint64_t bytes)
{
    zip_stat_t *about = ZIP_SOURCE_GET_ARGS(zip_stat_t, data, size, &s->error);
    if (about == NULL) return -1;
    zip_stat_init(about);
    about->size = bytes;
    about->valid = ZIP_STAT_SIZE;
    return sizeof *about;
}

static zip_int64_t archive_seek(archive_stream *s, void *data, zip_uint64_t size)
{
    zip_int64_t at = zip_source_seek_compute_offset(s->at, s->size, data, size, &s->error);
    if (at < 0) return -1;
    s->at = (uint64_t)at;
    return 0;
}

/* What libzip met, unless it was a failure of ours. */
static fv_status archive_refuse(const archive_stream *s, zip_error_t *error, const char *name)
{
    char safe[FVI_SAFE_TEXT], why[FVI_SAFE_TEXT];
    if (s->failed != FV_OK) return s->failed;
    if (zip_error_code_zip(error) == ZIP_ER_MEMORY)
        return fvi_fail(FV_E_MEMORY, "out of memory: libzip");
    fvi_safe(why, zip_error_strerror(error));
    return name == NULL ? fvi_fail(FV_E_FORMAT, "zip: %s", why)
                        : fvi_fail(FV_E_FORMAT, "zip member \"%s\": %s", fvi_safe(safe, name), why);
}

/* ---- reading ---- */

static zip_int64_t archive_read_some(fvi_zip *zip, void *data, zip_uint64_t size)
{
    archive_stream *s = &zip->stream;
    if (size > s->size - s->at) size = s->size - s->at;
    fv_status status = fvi_reader_at(zip->reader, data, (size_t)size, s->at);
    if (status != FV_OK) return archive_failed(s, status, ZIP_ER_READ);
    s->at += size;
    return (zip_int64_t)size;
}

static zip_int64_t archive_reads(void *user, void *data, zip_uint64_t size,
                                 zip_source_cmd_t command)
{
    fvi_zip *zip = user;
    archive_stream *s = &zip->stream;
    switch (command) {
    case ZIP_SOURCE_OPEN:
        s->at = 0;
        return 0;
    case ZIP_SOURCE_READ:
        return archive_read_some(zip, data, size);
    case ZIP_SOURCE_STAT:
        return archive_stat(s, data, size, s->size);
    case ZIP_SOURCE_SEEK:
        return archive_seek(s, data, size);
    case ZIP_SOURCE_TELL:
        return (zip_int64_t)s->at;
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&s->error, data, size);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ARCHIVE_DISK_READ, ARCHIVE_DISK_SEEK, -1);
    default:
        zip_error_set(&s->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* Does libzip see what was checked? */
static fv_status archive_compare(fvi_zip *zip)
{
    bool is_same = zip_get_num_entries(zip->zip, 0) == zip->count;
    for (int i = 0; is_same && i < zip->count; i++) {
        const fvi_zip_member *m = &zip->member[i];
        const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                    ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD;
        zip_stat_t about;
        is_same = zip_stat_index(zip->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW, &about) == 0 &&
                  (about.valid & needed) == needed && strcmp(about.name, m->name) == 0 &&
                  about.size == m->size && about.comp_size == m->packed && about.crc == m->crc &&
                  about.comp_method == (m->is_stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE);
    }
    return is_same ? FV_OK : fvi_fail(FV_E_FORMAT, "zip: its directory can be read in two ways");
}

static fv_status archive_open(fvi_zip *zip)
{
    zip_error_t error;
    zip->stream.size = fvi_reader_size(zip->reader);
    FVI_TRY(fvi_zip_members(&zip->member, &zip->count, zip->reader));
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(archive_reads, zip, &error);
    if (source != NULL) zip->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
    if (source != NULL && zip->zip == NULL) zip_source_free(source);
    fv_status status = zip->zip == NULL ? archive_refuse(&zip->stream, &error, NULL) : FV_OK;
    zip_error_fini(&error);
    return status == FV_OK ? archive_compare(zip) : status;
}

fv_status fvi_zip_open(fvi_zip **zip, const char *path)
{
    char safe[FVI_SAFE_TEXT];
    *zip = NULL;
    if (path == NULL) return fvi_fail(FV_E_ARG, "the path of a zip is NULL");
    fvi_zip *made = fvi_alloc(1, sizeof *made, "a zip");
    if (made == NULL) return FV_E_MEMORY;
    zip_error_init(&made->stream.error);
    fv_status status = fvi_reader_open(&made->reader, path); /* its messages name the path */
    if (status == FV_OK) {
        status = archive_open(made);
        if (status != FV_OK && status != FV_E_IO)
            fvi_fail_in(status, "\"%s\"", fvi_safe(safe, path));
    }
    if (status == FV_OK)
        *zip = made;
    else
        fvi_zip_close(made);
    return status;
}

void fvi_zip_close(fvi_zip *zip)
{
    if (zip == NULL) return;
    if (zip->zip != NULL) zip_discard(zip->zip);
    zip_error_fini(&zip->stream.error);
    fvi_zip_members_free(zip->member, zip->count);
    fvi_reader_close(zip->reader);
    fvi_free(zip);
}

int fvi_zip_count(const fvi_zip *zip)
{
    return zip->count;
}

const fvi_zip_member *fvi_zip_at(const fvi_zip *zip, int i)
{
    return i >= 0 && i < zip->count ? &zip->member[i] : NULL;
}

const fvi_zip_member *fvi_zip_find(const fvi_zip *zip, const char *name)
{
    for (int i = 0; i < zip->count; i++)
        if (strcmp(zip->member[i].name, name) == 0) return &zip->member[i];
    return NULL;
}

/* The first size bytes of a member; whole: all of them, and nothing may follow. */
static fv_status archive_extract(const fvi_zip *zip, const fvi_zip_member *m, unsigned char *bytes,
                                 size_t size, bool whole)
{
    char safe[FVI_SAFE_TEXT];
    unsigned char more;
    size_t done = 0;
    zip_int64_t got = 1;
    zip_file_t *file = zip_fopen_index(zip->zip, (zip_uint64_t)(m - zip->member), 0);
    if (file == NULL) return archive_refuse(&zip->stream, zip_get_error(zip->zip), m->name);
    while (done < size && (got = zip_fread(file, bytes + done, size - done)) > 0)
        done += (size_t)got;
    if (got > 0 && whole) got = zip_fread(file, &more, 1); /* at its end the CRC is compared */
    fv_status status = FV_OK;
    if (got < 0)
        status = archive_refuse(&zip->stream, zip_file_get_error(file), m->name);
    else if (done < size || (whole && got > 0))
        status = fvi_fail(FV_E_FORMAT, "zip member \"%s\": unpacks to %s bytes than it claims",
                          fvi_safe(safe, m->name), done < size ? "fewer" : "more");
    zip_fclose(file);
    return status;
}

static fv_status archive_member(const fvi_zip_member **member, const fvi_zip *zip, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    *member = fvi_zip_find(zip, name);
    return *member != NULL ? FV_OK
                           : fvi_fail(FV_E_FORMAT, "zip: no member \"%s\"", fvi_safe(safe, name));
}

fv_status fvi_zip_read(const fvi_zip *zip, const char *name, size_t limit, unsigned char **bytes,
                       size_t *size)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_zip_member *m;
    *bytes = NULL;
    *size = 0;
    FVI_TRY(archive_member(&m, zip, name));
    if (m->size > limit || m->size > PTRDIFF_MAX)
        return fvi_fail(FV_E_MEMORY, "zip member \"%s\": %llu bytes, the limit is %zu",
                        fvi_safe(safe, name), (unsigned long long)m->size, limit);
    unsigned char *data = fvi_alloc((size_t)m->size, 1, "a zip member");
    if (data == NULL) return FV_E_MEMORY;
    fv_status status = archive_extract(zip, m, data, (size_t)m->size, true);
    if (status != FV_OK) {
        fvi_free(data);
        return status;
    }
    *bytes = data;
    *size = (size_t)m->size;
    return FV_OK;
}

fv_status fvi_zip_peek(const fvi_zip *zip, const char *name, void *bytes, size_t room, size_t *got)
{
    const fvi_zip_member *m;
    *got = 0;
    FVI_TRY(archive_member(&m, zip, name));
    size_t size = m->size < room ? (size_t)m->size : room;
    FVI_TRY(archive_extract(zip, m, bytes, size, false));
    *got = size;
    return FV_OK;
}

/* ---- writing ---- */

/* One member, as a source that libzip reads. */
typedef struct archive_new {
    fvi_zip_rows rows;
    archive_stream stream;
    fvi_zip_save *save;
    unsigned char *head, *block; /* block: rows in memory, when fill gives them */
    size_t block_size, block_at, block_rows;
    int next; /* row that fill was not asked for yet */
    struct archive_new *after;
} archive_new;

struct fvi_zip_save {
    fvi_save *file;
    zip_t *zip;
    archive_stream stream;
    archive_new *first, **last;
};

static zip_int64_t archive_writes(void *user, void *data, zip_uint64_t size,
                                  zip_source_cmd_t command)
{
    fvi_zip_save *save = user;
    archive_stream *s = &save->stream;
    switch (command) {
    case ZIP_SOURCE_WRITE: {
        fv_status status = fvi_save_write_at(save->file, data, (size_t)size, s->at);
        if (status != FV_OK) return archive_failed(s, status, ZIP_ER_WRITE);
        s->at += size;
        if (s->at > s->size) s->size = s->at;
        return (zip_int64_t)size;
    }
    case ZIP_SOURCE_SEEK:
    case ZIP_SOURCE_SEEK_WRITE:
        return archive_seek(s, data, size);
    case ZIP_SOURCE_TELL:
    case ZIP_SOURCE_TELL_WRITE:
        return (zip_int64_t)s->at;
    case ZIP_SOURCE_STAT:
        return archive_stat(s, data, size, 0);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&s->error, data, size);
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(
            ARCHIVE_DISK_READ, ARCHIVE_DISK_SEEK, ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
            ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE,
            ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, -1);
    default: /* open, close, begin, commit, roll back: fvi_save does these */
        return 0;
    }
}

/* The next rows into the block. */
static fv_status archive_fill(archive_new *n)
{
    int left = n->rows.rows - n->next;
    int count = n->block_rows < (size_t)left ? (int)n->block_rows : left;
    if (n->block == NULL) {
        n->block = fvi_alloc(n->block_rows, n->rows.row_bytes, "rows for a zip");
        if (n->block == NULL) return FV_E_MEMORY;
    }
    FVI_TRY(n->rows.fill(n->rows.context, n->block, n->next, count));
    n->block_at = 0;
    n->block_size = (size_t)count * n->rows.row_bytes;
    n->next += count;
    return FV_OK;
}

/* Some of the bytes that come next, at most size. */
static zip_int64_t archive_give(archive_new *n, unsigned char *out, size_t size)
{
    archive_stream *s = &n->stream;
    if (size > s->size - s->at) size = (size_t)(s->size - s->at);
    if (size == 0) return 0;
    const unsigned char *from;
    if (s->at < n->rows.head_size) {
        size_t left = n->rows.head_size - (size_t)s->at;
        from = n->head + s->at;
        if (size > left) size = left;
    } else if (n->rows.fill == NULL) {
        from = (const unsigned char *)n->rows.context + (s->at - n->rows.head_size);
    } else {
        if (n->block_at == n->block_size) {
            fv_status status = archive_fill(n);
            if (status != FV_OK) return archive_failed(&n->save->stream, status, ZIP_ER_READ);
        }
        from = n->block + n->block_at;
        if (size > n->block_size - n->block_at) size = n->block_size - n->block_at;
        n->block_at += size;
    }
    memcpy(out, from, size);
    s->at += size;
    return (zip_int64_t)size;
}

static zip_int64_t archive_gives(void *user, void *data, zip_uint64_t size,
                                 zip_source_cmd_t command)
{
    archive_new *n = user;
    switch (command) {
    case ZIP_SOURCE_READ:
        return archive_give(n, data, size < SIZE_MAX ? (size_t)size : SIZE_MAX);
    case ZIP_SOURCE_STAT:
        return archive_stat(&n->stream, data, size, n->stream.size);
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&n->save->stream.error, data, size);
    case ZIP_SOURCE_CLOSE:
        fvi_free(n->block); /* one block at a time */
        n->block = NULL;
        return 0;
    case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ARCHIVE_DISK_READ, ZIP_SOURCE_SUPPORTS, -1);
    default: /* open: it is read once, from the beginning; free: fvi_zip_save does this */
        return 0;
    }
}

fv_status fvi_zip_save_begin(fvi_zip_save **save, const char *path)
{
    *save = NULL;
    fvi_zip_save *made = fvi_alloc(1, sizeof *made, "a zip");
    if (made == NULL) return FV_E_MEMORY;
    made->last = &made->first;
    zip_error_init(&made->stream.error);
    fv_status status = fvi_save_begin(&made->file, path);
    if (status == FV_OK) {
        zip_error_t error;
        zip_error_init(&error);
        zip_source_t *source = zip_source_function_create(archive_writes, made, &error);
        if (source != NULL)
            made->zip = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
        if (source != NULL && made->zip == NULL) zip_source_free(source);
        if (made->zip == NULL) status = archive_refuse(&made->stream, &error, NULL);
        zip_error_fini(&error);
    }
    if (status == FV_OK)
        *save = made;
    else
        fvi_zip_save_abort(made);
    return status;
}

/* Hand it to libzip, which reads it when the archive is closed. */
static fv_status archive_add(fvi_zip_save *save, archive_new *n, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_function_create(archive_gives, n, &error);
    zip_error_fini(&error);
    if (source == NULL) return fvi_fail(FV_E_MEMORY, "out of memory: libzip");
    zip_int64_t index = zip_file_add(save->zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip_source_free(source);
    if (index >= 0 &&
        zip_set_file_compression(save->zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0 &&
        zip_file_set_dostime(save->zip, (zip_uint64_t)index, 0, ARCHIVE_DATE, 0) == 0)
        return FV_OK;
    zip_error_t *why = zip_get_error(save->zip);
    if (zip_error_code_zip(why) == ZIP_ER_MEMORY)
        return fvi_fail(FV_E_MEMORY, "out of memory: libzip");
    return fvi_fail(FV_E_ARG, "zip: cannot add \"%s\": %s", fvi_safe(safe, name),
                    zip_error_strerror(why));
}

fv_status fvi_zip_save_add(fvi_zip_save *save, const fvi_zip_rows *member)
{
    size_t bytes, size;
    if (member->name == NULL || member->name[0] == '\0' || !fvi_is_utf8(member->name))
        return fvi_fail(FV_E_ARG, "zip: a member needs a name in UTF-8");
    if (member->rows < 0 || !fvi_mul(&bytes, (size_t)member->rows, member->row_bytes) ||
        !fvi_sum(&size, bytes, member->head_size))
        return fvi_fail(FV_E_ARG, "zip: %d rows of %zu bytes", member->rows, member->row_bytes);
    archive_new *n = fvi_alloc(1, sizeof *n, "a zip member");
    unsigned char *head = fvi_copy(member->head, member->head_size, "a zip member");
    if (n == NULL || head == NULL) {
        fvi_free(n);
        fvi_free(head);
        return FV_E_MEMORY;
    }
    *n = (archive_new){.rows = *member, .stream.size = size, .save = save, .head = head};
    n->block_rows = member->row_bytes < ARCHIVE_BLOCK && member->row_bytes > 0
                        ? ARCHIVE_BLOCK / member->row_bytes
                        : 1;
    *save->last = n; /* libzip keeps a pointer to it, even when it refuses the name */
    save->last = &n->after;
    return archive_add(save, n, member->name);
}

fv_status fvi_zip_save_commit(fvi_zip_save *save)
{
    fv_status status = FV_OK;
    if (save->first == NULL) {
        status = fvi_fail(FV_E_STATE, "zip: no member was added");
    } else if (zip_close(save->zip) == 0) {
        save->zip = NULL;
        fvi_save *file = save->file;
        save->file = NULL;
        status = fvi_save_commit(file);
    } else {
        status = archive_refuse(&save->stream, zip_get_error(save->zip), NULL);
    }
    fvi_zip_save_abort(save); /* of what is left: nothing, unless it failed */
    return status;
}

void fvi_zip_save_abort(fvi_zip_save *save)
{
    if (save == NULL) return;
    if (save->zip != NULL) zip_discard(save->zip);
    zip_error_fini(&save->stream.error);
    for (archive_new *n = save->first, *after; n != NULL; n = after) {
        after = n->after;
        fvi_free(n->block);
        fvi_free(n->head);
        fvi_free(n);
    }
    fvi_save_abort(save->file);
    fvi_free(save);
}

#else

static fv_status archive_absent(void)
{
    return fvi_fail(FV_E_UNSUPPORTED, "built without libzip: cannot read or write zip and .npz");
}

fv_status fvi_zip_open(fvi_zip **zip, const char *path)
{
    (void)path;
    *zip = NULL;
    return archive_absent();
}

void fvi_zip_close(fvi_zip *zip)
{
    (void)zip;
}

int fvi_zip_count(const fvi_zip *zip)
{
    (void)zip;
    return 0;
}

const fvi_zip_member *fvi_zip_at(const fvi_zip *zip, int i)
{
    (void)zip, (void)i;
    return NULL;
}

const fvi_zip_member *fvi_zip_find(const fvi_zip *zip, const char *name)
{
    (void)zip, (void)name;
    return NULL;
}

fv_status fvi_zip_read(const fvi_zip *zip, const char *name, size_t limit, unsigned char **bytes,
                       size_t *size)
{
    (void)zip, (void)name, (void)limit;
    *bytes = NULL;
    *size = 0;
    return archive_absent();
}

fv_status fvi_zip_peek(const fvi_zip *zip, const char *name, void *bytes, size_t room, size_t *got)
{
    (void)zip, (void)name, (void)bytes, (void)room;
    *got = 0;
    return archive_absent();
}

fv_status fvi_zip_save_begin(fvi_zip_save **save, const char *path)
{
    (void)path;
    *save = NULL;
    return archive_absent();
}

fv_status fvi_zip_save_add(fvi_zip_save *save, const fvi_zip_rows *member)
{
    (void)save, (void)member;
    return archive_absent();
}

fv_status fvi_zip_save_commit(fvi_zip_save *save)
{
    (void)save;
    return archive_absent();
}

void fvi_zip_save_abort(fvi_zip_save *save)
{
    (void)save;
}

#endif
