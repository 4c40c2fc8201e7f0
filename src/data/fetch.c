/* SPDX-License-Identifier: MIT */
/* Brings a known data set to the disk: address after address, into a .part, checked, then renamed. */
#include "data/data_internal.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

fv_status fv_dataset_get(const char *name, const char *folder, const fv_get_config *config)
{
    const fvi_known *set = fvi_known_find(name);
    const char *names[64];
    char safe[FVI_SAFE_TEXT];
    size_t n = 0;
    if (!name || !folder) return fvi_fail(FV_E_ARG, "fv_dataset_get: name and folder are needed");
    if (set) return fvi_fetch(set, folder, config);
    fvi_text known = {0};
    for (; n < FVI_COUNT(names) && fvi_known_at((int)n); n++) {
        names[n] = fvi_known_at((int)n)->info.name;
        fvi_text_add(&known, "%s%s", n > 0 ? ", " : "", names[n]);
    }
    const char *nearest = fv_nearest(name, names, n);
    fv_status status = known.status;
    if (status == FV_OK)
        status = nearest ? fvi_fail(FV_E_ARG, "no known data set \"%s\"; did you mean %s?",
                                    fvi_safe(safe, name), nearest)
                         : fvi_fail(FV_E_ARG, "no known data set \"%s\"; known are %s",
                                    fvi_safe(safe, name), known.data);
    fvi_text_free(&known);
    return status;
}

#ifdef FVI_WITH_FETCH

typedef struct fetch_job {
    const fvi_known *set;
    const char *folder;
    const fv_get_config *config;
    char *path;                 /* folder/NAME */
    const fvi_known_file *file; /* the one at work */
    uint64_t before;            /* bytes of the files before it */
    uint64_t received;          /* bytes of earlier transfers of this sitting */
    uint64_t begin;             /* where the present transfer went on */
    double start_s;
} fetch_job;

/* ---- telling how far it is ---- */

static bool fetch_tell(fetch_job *job, const char *doing, uint64_t done, uint64_t total)
{
    const fv_get_config *config = job->config;
    if (!config->progress) return true;
    double seconds = fvi_now() - job->start_s;
    uint64_t received = job->received + done - job->begin;
    const fv_get_progress progress = {.doing = doing,
                                      .file = job->file->name,
                                      .done = job->before + done,
                                      .total = total,
                                      .bytes_per_second =
                                          seconds > 0.2 ? (double)received / seconds : 0};
    return config->progress(&progress, config->user);
}

static bool fetch_on_bytes(void *user, uint64_t done, uint64_t total)
{
    fetch_job *job = user;
    return fetch_tell(job, "getting", done, job->file->size ? job->set->info.bytes : total);
}

static bool fetch_on_unpack(void *user, uint64_t bytes)
{
    return fetch_tell(user, "unpacking", bytes, 0);
}

/* ---- addresses ---- */

static bool fetch_is_address(const char *from)
{
    static const char *const schemes[] = {"http://", "https://", "file://"};
    for (size_t i = 0; i < FVI_COUNT(schemes); i++) {
        if (strncmp(from, schemes[i], strlen(schemes[i])) == 0) return true;
    }
    return false;
}

static fv_status fetch_check_from(const char *from)
{
    char safe[FVI_SAFE_TEXT];
    if (!from || fetch_is_address(from)) return FV_OK;
    if (strstr(from, "://"))
        return fvi_fail(FV_E_ARG,
                        "cannot get from \"%s\": expected a folder, file://, http:// or https://",
                        fvi_path_text(safe, from));
    return fvi_file_is_folder(from) ? FV_OK
                                    : fvi_fail(FV_E_IO, "cannot get from \"%s\": it is no folder",
                                               fvi_path_text(safe, from));
}

/* What a URL may not have as it is becomes %XX. */
static void fetch_add_encoded(fvi_text *text, const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    for (const char *c = path; *c; c++) {
        if (strchr(plain, *c))
            fvi_text_add_bytes(text, c, 1);
        else
            fvi_text_add(text, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* The i-th address of the file at work; false: there are no more. */
static bool fetch_address(const fetch_job *job, fvi_text *url, int i)
{
    const char *from = job->config->from, *name = job->file->name;
    char whole[PATH_MAX];
    url->size = 0;
    if (!from) {
        if (i >= FVI_KNOWN_MIRRORS || !job->set->mirror[i]) return false;
        fvi_text_add(url, "%s%s", job->set->mirror[i],
                     job->file->remote ? job->file->remote : name);
        return true;
    }
    if (i > 0) return false;
    if (fetch_is_address(from)) {
        fvi_text_add(url, "%s%s%s", from, from[strlen(from) - 1] == '/' ? "" : "/", name);
        return true;
    }
    fvi_text_add(url, "file://");
    fetch_add_encoded(url, realpath(from, whole) ? whole : from);
    fvi_text_add(url, "/%s", name);
    return true;
}

/* ---- one file ---- */

static uint64_t fetch_limit(const fetch_job *job)
{
    const fvi_known_file *file = job->file;
    if (file->size == 0) return job->set->unpack.limit_bytes;
    /* A copy that somebody compressed again may have grown. */
    return job->config->from && file->content_sha256 ? 2 * file->size + 1024 : file->size;
}

/* FV_OK: what is packed in the file is what it should be. */
static fv_status fetch_check_content(const fvi_known_file *file, const char *path)
{
    char sum[FVI_SHA256_TEXT];
    unsigned char *bytes, *content = NULL;
    size_t size;
    FVI_TRY(fvi_file_read(&bytes, &size, path, (size_t)(2 * file->size + 1024)));
    fv_status status = fvi_gzip_is(bytes, size)
                           ? fvi_gzip_read(&content, &size, bytes, size, (size_t)file->content_size)
                           : fvi_fail(FV_E_FORMAT, "no gzip");
    if (status == FV_OK) status = fvi_sha256_bytes(sum, content, size);
    if (status == FV_OK && strcmp(sum, file->content_sha256) != 0)
        status = fvi_fail(FV_E_FORMAT, "other content");
    fvi_free(bytes);
    fvi_free(content);
    return status;
}

/* FV_E_FORMAT: not the file that was asked for. */
static fv_status fetch_check(const fvi_known_file *file, const char *path)
{
    char sum[FVI_SHA256_TEXT];
    uint64_t size = 0;
    if (!file->sha256) return FV_OK; /* judged once it is unpacked */
    FVI_TRY(fvi_sha256_file(sum, path));
    if (strcmp(sum, file->sha256) == 0) return FV_OK;
    if (file->content_sha256) {
        fv_status status = fetch_check_content(file, path);
        if (status == FV_OK || status == FV_E_IO || fvi_is_out_of_memory()) return status;
    }
    if (fvi_file_size(&size, path) && size != file->size)
        return fvi_fail(FV_E_FORMAT, "%" PRIu64 " bytes, expected %" PRIu64, size, file->size);
    return fvi_fail(FV_E_FORMAT, "its SHA-256 is %s, expected %s", sum, file->sha256);
}

/* What lies in save, and how it went. */
typedef struct fetch_part {
    fvi_save *save;
    uint64_t size;
    bool is_ours; /* a failure that no other address would cure */
} fetch_part;

/* One transfer, then the check. *again: what was there from before did not fit. */
static fv_status fetch_once(fetch_job *job, fetch_part *part, const char *url, bool *again)
{
    fvi_transfer t = {.url = url,
                      .save = part->save,
                      .begin = part->size,
                      .limit = fetch_limit(job),
                      .timeout_s = job->config->timeout_s,
                      .progress = fetch_on_bytes,
                      .user = job};
    fv_status status = FV_OK;
    job->begin = part->size;
    if (part->size != job->file->size || job->file->size == 0) {
        status = fvi_transfer_run(&t);
        part->size = t.done;
        part->is_ours = t.is_ours;
        job->received += part->size - t.begin;
    }
    if (status == FV_OK) {
        status = fetch_check(job->file, fvi_save_part(part->save));
        part->is_ours = status != FV_OK && status != FV_E_FORMAT;
    }
    *again = t.begin > 0 && (t.is_from_start || status == FV_E_FORMAT);
    return status;
}

/* From one address; goes on where a .part ends, and begins anew when that leads nowhere. */
static fv_status fetch_from(fetch_job *job, fetch_part *part, const char *url)
{
    bool again = job->file->size == 0 || part->size > fetch_limit(job);
    fv_status status;
    do {
        part->is_ours = true;
        if (again) {
            FVI_TRY(fvi_save_restart(part->save));
            part->size = 0;
        }
        status = fetch_once(job, part, url, &again);
    } while (status != FV_OK && again);
    if (status != FV_E_FORMAT) return status;
    /* Wrong bytes are not to go on from. */
    part->size = 0;
    fv_status removed = fvi_save_restart(part->save);
    part->is_ours = removed != FV_OK;
    return removed == FV_OK ? status : removed;
}

/* "mnist: cannot get FILE (HOST: why; HOST: why); ... FILES ..." */
static fv_status fetch_refuse(const fetch_job *job, fv_status status, const char *whys)
{
    fvi_text names = {0};
    char safe[FVI_SAFE_TEXT];
    for (size_t i = 0; i < FVI_KNOWN_FILES && job->set->file[i].name; i++) {
        fvi_text_add(&names, "%s%s", i > 0 ? ", " : "", job->set->file[i].name);
    }
    if (names.status != FV_OK)
        status = names.status;
    else if (job->config->from)
        status = fvi_fail(status, "%s: cannot get %s from \"%s\" (%s); it should have %s",
                          job->set->info.name, job->file->name,
                          fvi_path_text(safe, job->config->from), whys, names.data);
    else
        status = fvi_fail(status,
                          "%s: cannot get %s (%s); get the files yourself and use --from FOLDER "
                          "with %s in it",
                          job->set->info.name, job->file->name, whys, names.data);
    fvi_text_free(&names);
    return status;
}

/* ": " between the host of an address, or the file, and the last failure. */
static void fetch_add_why(fvi_text *whys, const char *url)
{
    char host[FVI_SAFE_TEXT], part[80];
    const char *at = strstr(url, "://") + 3;
    if (*at == '/') at = url + strlen(url); /* a file: the message has its folder */
    snprintf(part, sizeof part, "%.*s", (int)strcspn(at, "/"), at);
    fvi_text_add(whys, "%s%s%s%s", whys->size > 0 ? "; " : "", fvi_safe(host, part),
                 *part ? ": " : "", fv_error());
}

/* Address after address until the whole file lies in part->save. */
static fv_status fetch_any(fetch_job *job, fetch_part *part)
{
    fvi_text url = {0}, whys = {0};
    fv_status status = FV_E_IO;
    for (int i = 0; status != FV_OK && fetch_address(job, &url, i); i++) {
        status = url.status == FV_OK ? fetch_from(job, part, url.data) : url.status;
        if (url.status != FV_OK || (status != FV_OK && part->is_ours)) break;
        if (status != FV_OK) fetch_add_why(&whys, url.data);
        if (whys.status != FV_OK) status = whys.status;
        if (whys.status != FV_OK) break;
    }
    if (status != FV_OK && !part->is_ours && url.status == FV_OK && whys.status == FV_OK)
        status = fetch_refuse(job, status, whys.data ? whys.data : "no address");
    fvi_text_free(&url);
    fvi_text_free(&whys);
    return status;
}

static fv_status fetch_begin(fetch_job *job, fetch_part *part, const char *path)
{
    FVI_TRY(fvi_save_resume(&part->save, &part->size, path));
    fv_status status = FV_OK;
    if (job->config->force) {
        status = fvi_save_restart(part->save);
        part->size = 0;
    }
    return status;
}

/* A plain file to path. */
static fv_status fetch_plain(fetch_job *job, const char *path)
{
    fetch_part part = {0};
    char safe[FVI_SAFE_TEXT];
    uint64_t size;
    if (!job->config->force && fvi_file_size(&size, path)) {
        if (size == job->file->size || job->file->content_sha256) return FV_OK;
        return fvi_fail(FV_E_IO,
                        "\"%s\" is there with %" PRIu64 " bytes, expected %" PRIu64
                        "; --force replaces it",
                        fvi_path_text(safe, path), size, job->file->size);
    }
    fv_status status = fetch_begin(job, &part, path);
    if (status == FV_OK) status = fetch_any(job, &part);
    if (status == FV_OK) return fvi_save_commit(part.save);
    fvi_save_abort(part.save);
    return status;
}

/* ---- an archive ---- */

/* folder/.NAME.what, for what is not to be seen yet, or any more. */
static char *fetch_hidden(const fetch_job *job, const char *what)
{
    char name[128];
    snprintf(name, sizeof name, ".%s.%s", job->set->info.name, what);
    return fvi_path_join(job->folder, name);
}

/* The unpacked folder takes its place, where an older one may be. */
static fv_status fetch_swap(const fetch_job *job, const char *fresh, const char *old)
{
    if (!fvi_file_exists(job->path)) return fvi_file_move(fresh, job->path);
    FVI_TRY(fvi_folder_remove(old));
    FVI_TRY(fvi_file_move(job->path, old));
    fv_status status = fvi_file_move(fresh, job->path);
    if (status == FV_OK) return fvi_folder_remove(old);
    (void)fvi_file_move(old, job->path); /* as it was */
    return status;
}

static fv_status fetch_check_tree(const fetch_job *job, const char *fresh)
{
    const fvi_known *set = job->set;
    char sum[FVI_SHA256_TEXT];
    for (size_t i = 0; i < FVI_KNOWN_HOLDS && set->holds[i].name; i++) {
        char *path = fvi_path_join(fresh, set->holds[i].name);
        if (!path) return FV_E_MEMORY;
        uint64_t size = 0;
        bool is_right = set->holds[i].size
                            ? fvi_file_size(&size, path) && size == set->holds[i].size
                            : fvi_file_exists(path);
        fvi_free(path);
        if (!is_right)
            return fvi_fail(FV_E_FORMAT, "%s: %s holds no \"%s\" as it should", set->info.name,
                            job->file->name, set->holds[i].name);
    }
    if (!set->tree_sha256) return FV_OK;
    FVI_TRY(fvi_sha256_tree(sum, fresh));
    return strcmp(sum, set->tree_sha256) == 0
               ? FV_OK
               : fvi_fail(FV_E_FORMAT, "%s: the SHA-256 of the files in %s is %s, expected %s",
                          set->info.name, job->file->name, sum, set->tree_sha256);
}

static fv_status fetch_unpack(fetch_job *job, const char *archive)
{
    char *fresh = fetch_hidden(job, "tmp"), *old = fresh ? fetch_hidden(job, "old") : NULL;
    fvi_unpack_config config = job->set->unpack;
    config.go_on = fetch_on_unpack;
    config.user = job;
    job->before = job->received = 0;
    job->begin = 0;
    job->start_s = fvi_now();
    fv_status status = old ? fvi_folder_remove(fresh) : FV_E_MEMORY; /* of a run that was killed */
    if (status == FV_OK) status = fvi_unpack(fresh, archive, &config);
    if (status == FV_OK) {
        status = fetch_check_tree(job, fresh);
        if (status == FV_OK) status = fetch_swap(job, fresh, old);
        if (status != FV_OK) (void)fvi_folder_remove(fresh);
    }
    fvi_free(fresh);
    fvi_free(old);
    return status;
}

static fv_status fetch_archive(fetch_job *job)
{
    fetch_part part = {0};
    job->file = &job->set->file[0];
    char *path = fvi_path_join(job->folder, job->file->name);
    fv_status status = path ? fetch_begin(job, &part, path) : FV_E_MEMORY;
    if (status == FV_OK) status = fetch_any(job, &part);
    bool is_fetched = status == FV_OK;
    if (is_fetched) status = fetch_unpack(job, fvi_save_part(part.save));
    /* What can be used again stays: a part to go on from, an archive there was no room to unpack. */
    bool is_spent =
        job->file->size == 0 || (is_fetched && (status == FV_OK || status == FV_E_FORMAT));
    if (part.save && is_spent) { /* empty, it goes away */
        fv_status removed = fvi_save_restart(part.save);
        if (status == FV_OK) status = removed;
    }
    fvi_save_abort(part.save);
    fvi_free(path);
    return status;
}

/* ---- a set ---- */

static fv_status fetch_files(fetch_job *job)
{
    if (job->set->is_archive) return fetch_archive(job);
    FVI_TRY(fvi_folder_make(job->path));
    fv_status status = FV_OK;
    for (size_t i = 0; status == FV_OK && i < FVI_KNOWN_FILES && job->set->file[i].name; i++) {
        job->file = &job->set->file[i];
        char *path = fvi_path_join(job->path, job->file->name);
        status = path ? fetch_plain(job, path) : FV_E_MEMORY;
        fvi_free(path);
        job->before += job->file->size;
    }
    if (status != FV_OK) (void)rmdir(job->path); /* if nothing is in it */
    return status;
}

/* Under the lock. */
static fv_status fetch_set(fetch_job *job)
{
    char safe[FVI_SAFE_TEXT];
    bool force = job->config->force;
    if (!force && fvi_known_is_there(job->set, job->folder)) return FV_OK; /* another was faster */
    if (!force && job->set->is_archive && fvi_file_exists(job->path))
        return fvi_fail(FV_E_IO, "\"%s\" is there, but is not all of %s; --force replaces it",
                        fvi_path_text(safe, job->path), job->set->info.name);
    job->start_s = fvi_now();
    return fetch_files(job);
}

fv_status fvi_fetch(const fvi_known *set, const char *folder, const fv_get_config *config)
{
    const fv_get_config defaults = {0};
    fetch_job job = {.set = set, .folder = folder, .config = config ? config : &defaults};
    fvi_file_lock *lock = NULL;
    if (!job.config->force && fvi_known_is_there(set, folder)) return FV_OK;
    FVI_TRY(fetch_check_from(job.config->from));
    FVI_TRY(fvi_folder_make(folder));
    char *lock_path = fetch_hidden(&job, "lock");
    job.path = lock_path ? fvi_path_join(folder, set->info.name) : NULL;
    fv_status status = job.path ? fvi_file_lock_take(&lock, lock_path) : FV_E_MEMORY;
    if (status == FV_OK) status = fetch_set(&job);
    fvi_file_lock_give(lock);
    fvi_free(lock_path);
    fvi_free(job.path);
    return status;
}

#else

fv_status fvi_fetch(const fvi_known *set, const char *folder, const fv_get_config *config)
{
    (void)config;
    if (fvi_known_is_there(set, folder)) return FV_OK;
    return fvi_fail(FV_E_UNSUPPORTED, "built without libcurl: cannot get data sets "
                                      "(FOVEA_WITH_FETCH)");
}

#endif
