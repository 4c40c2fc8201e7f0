/* SPDX-License-Identifier: MIT */
/* SHA-256 of bytes, of a file, of a folder with all below it. */
#include "formats/formats.h"

#ifdef FVI_WITH_FETCH

#include <sys/types.h>

#include <sha2.h>

#include <stdlib.h>
#include <string.h>

#define DIGEST_CHUNK ((size_t)1 << 16)
#define DIGEST_DEPTH 64

fv_status fvi_sha256_bytes(char out[FVI_SHA256_TEXT], const void *bytes, size_t size)
{
    SHA2_CTX sum;
    SHA256Init(&sum);
    SHA256Update(&sum, bytes, size);
    SHA256End(&sum, out);
    return FV_OK;
}

fv_status fvi_sha256_file(char out[FVI_SHA256_TEXT], const char *path)
{
    SHA2_CTX sum;
    fvi_reader *reader;
    FVI_TRY(fvi_reader_open(&reader, path));
    fv_status status = FV_OK;
    unsigned char *chunk = fvi_alloc(DIGEST_CHUNK, 1, "reading a file");
    if (!chunk) status = FV_E_MEMORY;
    SHA256Init(&sum);
    uint64_t left = fvi_reader_size(reader), at = 0;
    while (status == FV_OK && left > 0) {
        size_t step = left < DIGEST_CHUNK ? (size_t)left : DIGEST_CHUNK;
        status = fvi_reader_at(reader, chunk, step, at);
        if (status == FV_OK) SHA256Update(&sum, chunk, step);
        at += step;
        left -= step;
    }
    SHA256End(&sum, out);
    fvi_free(chunk);
    fvi_reader_close(reader);
    return status;
}

/* ---- a folder ---- */

typedef struct digest_list {
    char **line; /* "PATH\n", then the digest */
    size_t count, room;
} digest_list;

/* Keeps path with its digest; takes path over. */
static fv_status digest_add(digest_list *list, const char *folder, const char *path)
{
    char sum[FVI_SHA256_TEXT];
    if (list->count == list->room) {
        size_t more = list->room ? list->room * 2 : 64;
        char **grown = fvi_grow(list->line, list->room, more, sizeof *grown, "names of files");
        if (!grown) return FV_E_MEMORY;
        list->line = grown;
        list->room = more;
    }
    char *whole = fvi_path_join(folder, path);
    fv_status status = whole ? fvi_sha256_file(sum, whole) : FV_E_MEMORY;
    fvi_free(whole);
    if (status != FV_OK) return status;
    size_t length = strlen(path);
    char *line = fvi_alloc(length + 1 + sizeof sum, 1, "the name of a file");
    if (!line) return FV_E_MEMORY;
    memcpy(line, path, length + 1);
    memcpy(line + length + 1, sum, sizeof sum);
    list->line[list->count++] = line;
    return FV_OK;
}

/* Everything in folder/below; below is "" at the top. */
static fv_status digest_walk(digest_list *list, const char *folder, const char *below, int depth)
{
    char safe[FVI_SAFE_TEXT];
    fvi_folder found;
    char *here = *below ? fvi_path_join(folder, below) : fvi_strdup(folder);
    if (!here) return FV_E_MEMORY;
    fv_status status = fvi_folder_read(&found, here);
    fvi_free(here);
    for (size_t i = 0; status == FV_OK && i < found.count; i++) {
        const fvi_entry *entry = &found.entry[i];
        char *path = *below ? fvi_path_join(below, entry->name) : fvi_strdup(entry->name);
        if (!path)
            status = FV_E_MEMORY;
        else if (entry->is_link || entry->kind == FVI_ENTRY_OTHER || depth == 0)
            status = fvi_fail(FV_E_FORMAT, "\"%s\" is %s", fvi_safe(safe, path),
                              depth == 0 ? "too deep" : "neither a file nor a folder");
        else if (entry->kind == FVI_ENTRY_FOLDER)
            status = digest_walk(list, folder, path, depth - 1);
        else
            status = digest_add(list, folder, path);
        fvi_free(path);
    }
    fvi_folder_free(&found);
    return status;
}

static int digest_by_path(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

fv_status fvi_sha256_tree(char out[FVI_SHA256_TEXT], const char *folder)
{
    SHA2_CTX sum;
    digest_list list = {0};
    fv_status status = digest_walk(&list, folder, "", DIGEST_DEPTH);
    if (list.count > 1) qsort(list.line, list.count, sizeof *list.line, digest_by_path);
    SHA256Init(&sum);
    for (size_t i = 0; i < list.count; i++) {
        const char *path = list.line[i], *digest = path + strlen(path) + 1;
        const char *part[] = {digest, "  ", path, "\n"};
        for (size_t j = 0; j < FVI_COUNT(part); j++) {
            SHA256Update(&sum, (const uint8_t *)part[j], strlen(part[j]));
        }
        fvi_free(list.line[i]);
    }
    SHA256End(&sum, out);
    fvi_free(list.line);
    return status;
}

#else

#define DIGEST_WITHOUT                                                                             \
    fvi_fail(FV_E_UNSUPPORTED, "built without libmd, which computes SHA-256 (FOVEA_WITH_FETCH)")

fv_status fvi_sha256_bytes(char out[FVI_SHA256_TEXT], const void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    out[0] = '\0';
    return DIGEST_WITHOUT;
}

fv_status fvi_sha256_file(char out[FVI_SHA256_TEXT], const char *path)
{
    return fvi_sha256_bytes(out, path, 0);
}

fv_status fvi_sha256_tree(char out[FVI_SHA256_TEXT], const char *folder)
{
    return fvi_sha256_bytes(out, folder, 0);
}

#endif
