/* SPDX-License-Identifier: MIT */
/* What is there by a name; what a folder holds, in an order that does not depend on the file system;
   making and removing folders. */
#include "base/base_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_DEPTH 64

bool fvi_file_exists(const char *path)
{
    struct stat about;
    return path && lstat(path, &about) == 0;
}

bool fvi_file_is_folder(const char *path)
{
    struct stat about;
    return path && stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

bool fvi_file_size(uint64_t *size, const char *path)
{
    struct stat about;
    if (!path || stat(path, &about) != 0 || !S_ISREG(about.st_mode)) return false;
    *size = (uint64_t)about.st_size;
    return true;
}

static fv_status folder_fail(const char *verb, const char *path, int number)
{
    char why[128], safe[FVI_SAFE_TEXT];
    if (strerror_r(number, why, sizeof why) != 0) snprintf(why, sizeof why, "error %d", number);
    return fvi_fail(FV_E_IO, "cannot %s the folder \"%s\": %s", verb, fvi_safe(safe, path), why);
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
    if (!open) return folder_fail("open", path, errno);
    fv_status status = FV_OK;
    const struct dirent *entry;
    errno = 0;
    while (status == FV_OK && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] != '.') status = folder_add(folder, &room, dirfd(open), entry->d_name);
        errno = 0;
    }
    if (status == FV_OK && errno != 0) status = folder_fail("open", path, errno);
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

fv_status fvi_folder_make(const char *path)
{
    char *copy = fvi_strdup(path);
    if (!copy) return FV_E_MEMORY;
    int number = 0;
    for (char *at = copy; *at; at++) {
        if (*at != '/' || at == copy) continue;
        *at = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST && number == 0) number = errno;
        *at = '/';
    }
    if (mkdir(copy, 0777) != 0 && number == 0) number = errno == EEXIST ? ENOTDIR : errno;
    fvi_free(copy);
    return fvi_file_is_folder(path) ? FV_OK : folder_fail("make", path, number);
}

/* What is at path, which has room for size bytes and is used for the names below, too: clearing up
   needs no memory. */
static fv_status folder_remove(char *path, size_t size, int depth)
{
    struct stat about;
    if (lstat(path, &about) != 0)
        return errno == ENOENT ? FV_OK : folder_fail("remove", path, errno);
    if (!S_ISDIR(about.st_mode)) return fvi_file_remove(path);
    DIR *open = depth > 0 ? opendir(path) : NULL;
    if (!open) return folder_fail("remove", path, depth > 0 ? errno : ENAMETOOLONG);
    fv_status status = FV_OK;
    size_t length = strlen(path);
    const struct dirent *entry;
    while (status == FV_OK && (entry = readdir(open)) != NULL) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        bool fits =
            (size_t)snprintf(path + length, size - length, "/%s", entry->d_name) < size - length;
        status =
            fits ? folder_remove(path, size, depth - 1) : folder_fail("remove", path, ENAMETOOLONG);
        path[length] = '\0';
    }
    closedir(open);
    if (status != FV_OK) return status;
    return rmdir(path) == 0 ? FV_OK : folder_fail("remove", path, errno);
}

fv_status fvi_folder_remove(const char *path)
{
    char room[4096];
    if (strlen(path) >= sizeof room) return folder_fail("remove", path, ENAMETOOLONG);
    memcpy(room, path, strlen(path) + 1);
    return folder_remove(room, sizeof room, FOLDER_DEPTH);
}
