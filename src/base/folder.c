/* SPDX-License-Identifier: MIT */
/* What a folder holds, in an order that does not depend on the file system. */
#include "base/base_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static fv_status folder_fail(const char *path, int number)
{
    char why[128], safe[FVI_SAFE_TEXT];
    if (strerror_r(number, why, sizeof why) != 0) snprintf(why, sizeof why, "error %d", number);
    return fvi_fail(FV_E_IO, "cannot open the folder \"%s\": %s", fvi_safe(safe, path), why);
}

static int folder_by_name(const void *left, const void *right)
{
    const fvi_entry *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static fv_status folder_add(fvi_folder *folder, size_t *room, int at, const char *name)
{
    struct stat about;
    if (folder->count == *room) {
        size_t more = *room ? *room * 2 : 32;
        fvi_entry *grown = fvi_grow(folder->entry, *room, more, sizeof *grown, "a folder's names");
        if (!grown) return FV_E_MEMORY;
        folder->entry = grown;
        *room = more;
    }
    fvi_entry *entry = &folder->entry[folder->count];
    *entry = (fvi_entry){.name = fvi_strdup(name), .kind = FVI_ENTRY_OTHER};
    if (!entry->name) return FV_E_MEMORY;
    folder->count++;
    if (fstatat(at, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode)) {
        entry->is_link = true;
        if (fstatat(at, name, &about, 0) != 0) return FV_OK;
    }
    entry->kind = S_ISREG(about.st_mode)   ? FVI_ENTRY_FILE
                  : S_ISDIR(about.st_mode) ? FVI_ENTRY_FOLDER
                                           : FVI_ENTRY_OTHER;
    return FV_OK;
}

fv_status fvi_folder_read(fvi_folder *folder, const char *path)
{
    size_t room = 0;
    *folder = (fvi_folder){0};
    DIR *open = opendir(path);
    if (!open) return folder_fail(path, errno);
    fv_status status = FV_OK;
    const struct dirent *entry;
    errno = 0;
    while (status == FV_OK && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] != '.') status = folder_add(folder, &room, dirfd(open), entry->d_name);
        errno = 0;
    }
    if (status == FV_OK && errno != 0) status = folder_fail(path, errno);
    closedir(open);
    if (status != FV_OK) {
        fvi_folder_free(folder);
        return status;
    }
    if (folder->count > 1)
        qsort(folder->entry, folder->count, sizeof *folder->entry, folder_by_name);
    return FV_OK;
}

void fvi_folder_free(fvi_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        fvi_free(folder->entry[i].name);
    }
    fvi_free(folder->entry);
    *folder = (fvi_folder){0};
}

char *fvi_path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder), rest = strlen(name);
    bool has_slash = length > 0 && folder[length - 1] == '/';
    char *path = fvi_alloc(length + rest + 2, 1, "a path");
    if (!path) return NULL;
    memcpy(path, folder, length);
    path[length] = '/';
    memcpy(path + length + !has_slash, name, rest);
    return path;
}
