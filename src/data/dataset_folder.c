/* SPDX-License-Identifier: MIT */
/* A folder with a folder of pictures for each class, maybe below train/, val/ and test/. */
#include "data/data_internal.h"

#include <string.h>
#include <strings.h>

#define FOLDER_DEPTH 16 /* folders in folders of a class */

/* ---- parts ---- */

static const struct {
    const char *name;
    fv_split split;
} folder_parts[] = {
    {"train", FV_TRAIN},      {"training", FV_TRAIN},
    {"val", FV_VALIDATION},   {"validation", FV_VALIDATION},
    {"valid", FV_VALIDATION}, {"dev", FV_VALIDATION},
    {"test", FV_TEST},        {"testing", FV_TEST},
    {"t10k", FV_TEST}, /* MNIST's ten thousand */
};

int fvi_split_of(const char *word, size_t size)
{
    for (size_t i = 0; i < FVI_COUNT(folder_parts); i++) {
        const char *name = folder_parts[i].name;
        if (strlen(name) == size && strncasecmp(name, word, size) == 0)
            return (int)folder_parts[i].split;
    }
    return -1;
}

static int folder_split(const fvi_entry *entry)
{
    return entry->kind == FVI_ENTRY_FOLDER ? fvi_split_of(entry->name, strlen(entry->name)) : -1;
}

static size_t folder_count(const fvi_folder *folder, fvi_entry_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < folder->count; i++) {
        count += folder->entry[i].kind == kind;
    }
    return count;
}

/* Parts rather than classes that happen to have such names: all folders are named so, or there is
   one to train with folders in it. */
static fv_status folder_has_parts(bool *has_parts, const char *path, const fvi_folder *folder)
{
    size_t folders = folder_count(folder, FVI_ENTRY_FOLDER), parts = 0;
    *has_parts = false;
    for (size_t i = 0; i < folder->count; i++) {
        int split = folder_split(&folder->entry[i]);
        if (split < 0) continue;
        parts++;
        if (split != FV_TRAIN || *has_parts) continue;
        fvi_folder inside;
        char *below = fvi_path_join(path, folder->entry[i].name);
        if (!below) return FV_E_MEMORY;
        fv_status status = fvi_folder_read(&inside, below);
        fvi_free(below);
        FVI_TRY(status);
        *has_parts = folder_count(&inside, FVI_ENTRY_FOLDER) > 0;
        fvi_folder_free(&inside);
    }
    if (parts > 0 && parts == folders) *has_parts = true;
    return FV_OK;
}

bool fvi_folder_has(const char *path, const fvi_folder *folder, fv_split split)
{
    bool has_parts;
    if (folder_has_parts(&has_parts, path, folder) != FV_OK) return false;
    if (!has_parts) return split == FV_TRAIN && folder_count(folder, FVI_ENTRY_FOLDER) > 0;
    for (size_t i = 0; i < folder->count; i++) {
        if (folder_split(&folder->entry[i]) == (int)split) return true;
    }
    return false;
}

/* ---- classes ---- */

static fv_status folder_add_class(fvi_value *classes, const char *name)
{
    if (fvi_classes_find(classes, name) >= 0) return FV_OK;
    if (classes->count >= FVI_MAX_CLASSES)
        return fvi_fail(FV_E_FORMAT, "more than %d folders, expected one for each class",
                        FVI_MAX_CLASSES);
    if (!fvi_is_utf8(name)) {
        char safe[FVI_SAFE_TEXT];
        return fvi_fail(FV_E_FORMAT, "the folder \"%s\" names a class, but is not UTF-8; rename it",
                        fvi_safe(safe, name));
    }
    return fvi_value_push(classes, fvi_value_string(name));
}

/* The folders in one part are its classes. */
static fv_status folder_classes(fvi_value *classes, const char *part)
{
    fvi_folder folder;
    FVI_TRY(fvi_folder_read(&folder, part));
    fv_status status = FV_OK;
    for (size_t i = 0; status == FV_OK && i < folder.count; i++) {
        if (folder.entry[i].kind == FVI_ENTRY_FOLDER)
            status = folder_add_class(classes, folder.entry[i].name);
    }
    fvi_folder_free(&folder);
    return status;
}

/* ---- pictures ---- */

/* All files below path, folders in folders too; links to folders are not followed, so that there
   are no loops. What is no regular file is added as well: reading it says why it cannot be. */
static fv_status folder_walk(fvi_pictures *p, const char *path, int label, int depth)
{
    fvi_folder folder;
    char safe[FVI_SAFE_TEXT];
    if (depth > FOLDER_DEPTH)
        return fvi_fail(FV_E_FORMAT, "\"%s\": folders in folders, more than %d deep",
                        fvi_path_text(safe, path), FOLDER_DEPTH);
    FVI_TRY(fvi_folder_read(&folder, path));
    fv_status status = FV_OK;
    for (size_t i = 0; status == FV_OK && i < folder.count; i++) {
        const fvi_entry *entry = &folder.entry[i];
        if (entry->kind == FVI_ENTRY_FOLDER && entry->is_link) continue;
        char *below = fvi_path_join(path, entry->name);
        if (!below)
            status = FV_E_MEMORY;
        else if (entry->kind == FVI_ENTRY_FOLDER)
            status = folder_walk(p, below, label, depth + 1);
        else
            status = fvi_pictures_add(p, below, label);
        fvi_free(below);
    }
    fvi_folder_free(&folder);
    return status;
}

/* The pictures of each class of one part. */
static fv_status folder_collect(fvi_pictures *p, const char *part, const fvi_value *classes)
{
    fvi_folder folder;
    FVI_TRY(fvi_folder_read(&folder, part));
    fv_status status = FV_OK;
    for (size_t i = 0; status == FV_OK && i < folder.count; i++) {
        const fvi_entry *entry = &folder.entry[i];
        if (entry->kind != FVI_ENTRY_FOLDER) continue;
        int label = fvi_classes_find(classes, entry->name);
        if (label < 0) {
            status = fvi_classes_unknown(classes, entry->name);
            break;
        }
        char *below = fvi_path_join(part, entry->name);
        status = below ? folder_walk(p, below, label, 0) : FV_E_MEMORY;
        fvi_free(below);
    }
    fvi_folder_free(&folder);
    return status;
}

/* ---- opening ---- */

/* *part: the folder that holds the classes of that split; classes: of all parts together. */
static fv_status folder_find(char **part, fvi_value *classes, const char *path,
                             const fvi_folder *folder, fv_split split, bool is_given)
{
    static const char *const split_name[] = {"train", "test", "val"};
    char safe[FVI_SAFE_TEXT];
    bool has_parts;
    FVI_TRY(folder_has_parts(&has_parts, path, folder));
    if (!has_parts) {
        *part = fvi_strdup(path);
        if (!*part) return FV_E_MEMORY;
        return is_given ? FV_OK : folder_classes(classes, path);
    }
    for (size_t i = 0; i < folder->count; i++) {
        int found = folder_split(&folder->entry[i]);
        if (found < 0) continue;
        char *below = fvi_path_join(path, folder->entry[i].name);
        fv_status status = below ? FV_OK : FV_E_MEMORY;
        if (status == FV_OK && !is_given) status = folder_classes(classes, below);
        if (status == FV_OK && found == (int)split && !*part)
            *part = below;
        else
            fvi_free(below);
        FVI_TRY(status);
    }
    if (*part) return FV_OK;
    return fvi_fail(FV_E_IO, "folder \"%s\" has no %s part; expected a folder %s/ in it",
                    fvi_path_text(safe, path), split_name[split], split_name[split]);
}

fv_status fvi_folder_open(fv_dataset **dataset, const char *path, const fvi_folder *folder,
                          fv_split split, const fv_dataset_config *config)
{
    char *part = NULL, safe[FVI_SAFE_TEXT];
    fvi_value *classes = NULL;
    fvi_pictures pictures = {0};
    *dataset = NULL;
    fv_status status = fvi_classes_given(&classes, config);
    if (status == FV_OK)
        status = folder_find(&part, classes, path, folder, split, classes->count > 0);
    if (status == FV_OK) {
        if (!config->classes) fvi_classes_sort(classes);
        status = folder_collect(&pictures, part, classes);
    }
    if (status == FV_OK && pictures.count == 0)
        status = fvi_fail(FV_E_FORMAT,
                          "%zu folders without a single file; expected PNG and JPEG "
                          "files in a folder for each class",
                          classes->count);
    if (status == FV_OK) status = fvi_pictures_open(dataset, &pictures, part, classes, config);
    fvi_pictures_free(&pictures);
    fvi_value_free(classes);
    if (status != FV_OK) status = fvi_fail_in(status, "folder \"%s\"", fvi_path_text(safe, path));
    fvi_free(part);
    return status;
}
