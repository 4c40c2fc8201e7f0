/* SPDX-License-Identifier: MIT */
/* Data sets in files and folders: finds out what a path is, and hands it to who reads that. */
#include "data/data_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_PEEK 4096
#define FILES_SHOWN 5 /* names of other files in a message */
#define FILES_ACCEPTED                                                                             \
    "one .h5 file, .npz file or .csv file, a folder with a folder of pictures for each class, a "  \
    "folder with train_*.h5 and test_*.h5, with x_train.npy and y_train.npy, with the IDX files "  \
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-... (or .gz) or with the .bin files "  \
    "of CIFAR, or made:NAME"

const char *fvi_path_text(char out[FVI_SAFE_TEXT], const char *path)
{
    size_t length = strlen(path), skip = length > 76 ? length - 76 : 0;
    while (skip > 0 && ((unsigned char)path[skip] & 0xC0u) == 0x80u) {
        skip++;
    }
    fvi_safe(out, path + skip);
    if (skip > 0) {
        memmove(out + 3, out, strlen(out) + 1); /* fvi_safe leaves more room than this */
        memcpy(out, "...", 3);
    }
    return out;
}

/* ---- which files of a folder belong to a data set ---- */

enum { FILES_H5, FILES_NPY, FILES_IDX, FILES_CIFAR, FILES_KINDS };
enum { FILES_X = 0, FILES_Y, FILES_ROLES };
#define FILES_SPLITS 3

static const char *const files_split_name[FILES_SPLITS] = {"train", "test", "val"};
static const char *const files_kind_name[FILES_KINDS] = {"HDF5", "NPY", "IDX", "CIFAR"};

typedef struct files_found {
    const char *path;
    fvi_folder folder;
    /* names by kind, split and role; of HDF5 and CIFAR all are FILES_X */
    fvi_value *name[FILES_KINDS][FILES_SPLITS][FILES_ROLES];
    const char *other[FILES_SHOWN]; /* the first of the rest */
    size_t others;
} files_found;

/* Where in a files_found a name belongs. */
typedef struct files_place {
    int kind, split, role;
} files_place;

static bool files_ends(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

/* "train-images-idx3-ubyte", "t10k-labels.idx1-ubyte.gz", "emnist-letters-test-images-...". */
static bool files_is_idx(files_place *place, const char *name)
{
    int split, role;
    const char *idx = strstr(name, "idx");
    bool is_idx = idx && (files_ends(name, "ubyte") || files_ends(name, "ubyte.gz"));
    if (!is_idx || !fvi_array_is_named(&split, &role, name) || split < 0) return false;
    *place = (files_place){FILES_IDX, split, role};
    return true;
}

/* data_batch_1.bin, test_batch.bin, train.bin, test.bin. */
static bool files_is_cifar(files_place *place, const char *name)
{
    if (!files_ends(name, ".bin")) return false;
    bool is_train = strncmp(name, "data_batch_", 11) == 0 || strcmp(name, "train.bin") == 0;
    bool is_test = strcmp(name, "test_batch.bin") == 0 || strcmp(name, "test.bin") == 0;
    *place = (files_place){FILES_CIFAR, is_train ? FV_TRAIN : FV_TEST, FILES_X};
    return is_train || is_test;
}

static bool files_tell(files_place *place, const char *name)
{
    int split, role;
    if (files_ends(name, ".h5") || files_ends(name, ".hdf5")) {
        split = fvi_split_of(name, strcspn(name, "_"));
        *place = (files_place){FILES_H5, split, FILES_X};
        return split >= 0 && strchr(name, '_') != NULL;
    }
    if (files_ends(name, ".npy") && fvi_array_is_named(&split, &role, name)) {
        *place = (files_place){FILES_NPY, split < 0 ? FV_TRAIN : split, role};
        return true;
    }
    return files_is_idx(place, name) || files_is_cifar(place, name);
}

/* Of two IDX files with the same content, the one that is not compressed. */
static fv_status files_keep(fvi_value *list, int kind, const char *name)
{
    if (kind != FILES_IDX || list->count == 0) return fvi_value_push(list, fvi_value_string(name));
    bool is_better = files_ends(list->item[0]->string, ".gz") && !files_ends(name, ".gz");
    if (!is_better) return FV_OK;
    fvi_value *fresh = fvi_value_string(name);
    if (!fresh) return FV_E_MEMORY;
    fvi_value_free(list->item[0]);
    list->item[0] = fresh;
    return FV_OK;
}

static fv_status files_scan(files_found *f, const char *path)
{
    *f = (files_found){.path = path};
    for (int i = 0; i < FILES_KINDS * FILES_SPLITS * FILES_ROLES; i++) {
        fvi_value **list = &f->name[i / (FILES_SPLITS * FILES_ROLES)]
                                   [i / FILES_ROLES % FILES_SPLITS][i % FILES_ROLES];
        *list = fvi_value_list();
        if (!*list) return FV_E_MEMORY;
    }
    FVI_TRY(fvi_folder_read(&f->folder, path));
    for (size_t i = 0; i < f->folder.count; i++) {
        const fvi_entry *entry = &f->folder.entry[i];
        files_place at;
        if (entry->kind != FVI_ENTRY_FOLDER && files_tell(&at, entry->name)) {
            FVI_TRY(files_keep(f->name[at.kind][at.split][at.role], at.kind, entry->name));
        } else {
            if (f->others < FILES_SHOWN) f->other[f->others] = entry->name;
            f->others++;
        }
    }
    return FV_OK;
}

static void files_found_free(files_found *f)
{
    for (int i = 0; i < FILES_KINDS * FILES_SPLITS * FILES_ROLES; i++) {
        fvi_value_free(f->name[i / (FILES_SPLITS * FILES_ROLES)][i / FILES_ROLES % FILES_SPLITS]
                              [i % FILES_ROLES]);
    }
    fvi_folder_free(&f->folder);
}

static size_t files_count(const files_found *f, int kind, int split)
{
    return f->name[kind][split][FILES_X]->count + f->name[kind][split][FILES_Y]->count;
}

/* The one kind that the folder has, FILES_KINDS for none, or -1 for several. */
static int files_kind(const files_found *f, int *second)
{
    int found = FILES_KINDS;
    for (int kind = 0; kind < FILES_KINDS; kind++) {
        size_t count = 0;
        for (int split = 0; split < FILES_SPLITS; split++) {
            count += files_count(f, kind, split);
        }
        if (count == 0) continue;
        if (found != FILES_KINDS) {
            *second = kind;
            return -1 - found;
        }
        found = kind;
    }
    return found;
}

/* ---- messages that list what was found ---- */

static void files_add_name(fvi_text *text, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    fvi_text_add(text, "%s%s", text->size > 0 ? ", " : "", fvi_safe(safe, name));
}

static void files_add_found(fvi_text *text, const files_found *f)
{
    for (int i = 0; i < FILES_SPLITS * FILES_KINDS * FILES_ROLES; i++) {
        const fvi_value *list = f->name[i / FILES_ROLES % FILES_KINDS]
                                       [i / (FILES_ROLES * FILES_KINDS)][i % FILES_ROLES];
        for (size_t k = 0; k < list->count && k < FILES_SHOWN; k++) {
            files_add_name(text, list->item[k]->string);
        }
    }
    if (text->size > 0) return; /* the rest would only distract */
    for (size_t i = 0; i < f->others && i < FILES_SHOWN; i++) {
        files_add_name(text, f->other[i]);
    }
    if (f->others > FILES_SHOWN) fvi_text_add(text, " and %zu more", f->others - FILES_SHOWN);
    if (f->others == 0) fvi_text_add(text, "nothing");
}

static fv_status files_refuse(const files_found *f, fv_status code, const char *what,
                              const char *expected)
{
    char safe[FVI_SAFE_TEXT];
    fvi_text found = {0};
    files_add_found(&found, f);
    fv_status status = found.status != FV_OK
                           ? found.status
                           : fvi_fail(code, "folder \"%s\"%s; found %s; expected %s",
                                      fvi_path_text(safe, f->path), what, found.data, expected);
    fvi_text_free(&found);
    return status;
}

/* What is missing, or too much, of one part. */
static fv_status files_refuse_part(const files_found *f, int kind, fv_split split)
{
    char what[64], expected[160];
    const char *name = files_split_name[split];
    bool has_many =
        f->name[kind][split][FILES_X]->count > 1 || f->name[kind][split][FILES_Y]->count > 1;
    bool has_some = files_count(f, kind, (int)split) > 0;
    if (has_many)
        snprintf(what, sizeof what, " holds several files for one part");
    else if (has_some)
        snprintf(what, sizeof what, " lacks half of a part");
    else
        snprintf(what, sizeof what, " has no %s part", name);
    if (kind == FILES_H5)
        snprintf(expected, sizeof expected, "one %s_*.h5%s", name,
                 has_many ? "; or give the file itself" : "");
    else if (kind == FILES_NPY)
        snprintf(expected, sizeof expected, "one x_%s.npy and one y_%s.npy", name, name);
    else if (kind == FILES_IDX)
        snprintf(expected, sizeof expected, "%s-images-idx3-ubyte and %s-labels-idx1-ubyte",
                 split == FV_TEST ? "t10k" : name, split == FV_TEST ? "t10k" : name);
    else
        snprintf(expected, sizeof expected, "%s",
                 split == FV_TRAIN ? "data_batch_1.bin or train.bin"
                                   : "test_batch.bin or test.bin");
    return files_refuse(f, has_some ? FV_E_FORMAT : FV_E_IO, what, expected);
}

/* ---- opening what was found ---- */

static fv_status files_open_h5(fv_dataset **dataset, const files_found *f, fv_split split,
                               const fv_dataset_config *config)
{
    char *path = fvi_path_join(f->path, f->name[FILES_H5][split][FILES_X]->item[0]->string);
    char *sibling = NULL;
    fv_status status = path ? FV_OK : FV_E_MEMORY;
    for (int other = 0; status == FV_OK && other < FILES_SPLITS && !sibling; other++) {
        const fvi_value *list = f->name[FILES_H5][other][FILES_X];
        if (other == (int)split || list->count != 1) continue;
        sibling = fvi_path_join(f->path, list->item[0]->string);
        if (!sibling) status = FV_E_MEMORY;
    }
    if (status == FV_OK) status = fvi_hdf5_dataset(dataset, path, sibling, split, config);
    fvi_free(path);
    fvi_free(sibling);
    return status;
}

static fv_status files_open_found(fv_dataset **dataset, files_found *f, fv_split split,
                                  const fv_dataset_config *config)
{
    char what[64];
    int second = 0, kind = files_kind(f, &second);
    if (kind < 0) {
        snprintf(what, sizeof what, " holds %s and %s files", files_kind_name[-1 - kind],
                 files_kind_name[second]);
        return files_refuse(f, FV_E_FORMAT, what, "one kind only");
    }
    if (kind == FILES_KINDS) {
        for (size_t i = 0; i < f->folder.count; i++) {
            if (f->folder.entry[i].kind == FVI_ENTRY_FOLDER)
                return fvi_folder_open(dataset, f->path, &f->folder, split, config);
        }
        return files_refuse(f, FV_E_FORMAT, " holds no data set", FILES_ACCEPTED);
    }
    const fvi_value *x = f->name[kind][split][FILES_X], *y = f->name[kind][split][FILES_Y];
    if (kind == FILES_CIFAR && x->count > 0) return fvi_cifar_open(dataset, f->path, x, config);
    if (kind == FILES_H5 && x->count == 1) return files_open_h5(dataset, f, split, config);
    if (kind != FILES_H5 && x->count == 1 && y->count == 1)
        return fvi_arrays_open(dataset, f->path, x->item[0]->string, y->item[0]->string, config);
    return files_refuse_part(f, kind, split);
}

/* ---- what a path is ---- */

/* Neither a folder nor a set in one file: say what it looks like. */
static fv_status files_refuse_file(const char *path, const unsigned char *head, size_t size)
{
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes;
    if (size == 0) { /* empty, or not readable: then this fails and says why */
        FVI_TRY(fvi_file_read(&bytes, &size, path, FILES_PEEK));
        fvi_free(bytes);
        return fvi_fail(FV_E_FORMAT, "\"%s\" is empty; expected %s", fvi_path_text(safe, path),
                        FILES_ACCEPTED);
    }
    bool is_idx = size >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= 8 && head[2] <= 14;
    const char *what = is_idx                    ? "is one IDX file: give its folder"
                       : fvi_npy_is(head, size)  ? "is one array: give its folder"
                       : fvi_gzip_is(head, size) ? "is a gzipped file, of IDX files give the folder"
                       : fvi_image_is(head, size) ? "is one picture"
                                                  : "is not a data set";
    return fvi_fail(FV_E_FORMAT, "\"%s\" %s; expected %s", fvi_path_text(safe, path), what,
                    FILES_ACCEPTED);
}

static fv_status files_missing(const char *path)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_made *made;
    for (int i = 0; (made = fvi_made_at(i)) != NULL; i++) {
        if (strcmp(path, made->name) == 0)
            return fvi_fail(FV_E_IO, "no file or folder \"%s\"; did you mean \"made:%s\"?",
                            fvi_path_text(safe, path), made->name);
    }
    const fv_known_dataset *known;
    for (int i = 0; (known = fv_dataset_known(i)) != NULL; i++) {
        if (strcmp(path, known->name) == 0)
            return fvi_fail(FV_E_IO,
                            "no file or folder \"%s\"; `fovea data get %s` fetches the set of that "
                            "name",
                            path, path);
    }
    return fvi_fail(FV_E_IO, "no file or folder \"%s\"", fvi_path_text(safe, path));
}

/* Of a folder. */
static const char *files_folder_kind(const char *path)
{
    static const char *const name[FILES_KINDS] = {"hdf5", "npy", "idx", "cifar"};
    files_found found;
    int second, kind = -1;
    size_t folders = 0;
    if (files_scan(&found, path) == FV_OK) kind = files_kind(&found, &second);
    for (size_t i = 0; i < found.folder.count; i++) {
        folders += found.folder.entry[i].kind == FVI_ENTRY_FOLDER;
    }
    files_found_free(&found);
    if (kind == FILES_KINDS) return folders > 0 ? "folder" : NULL;
    return kind >= 0 ? name[kind] : NULL;
}

const char *fv_dataset_kind(const char *path)
{
    unsigned char head[FILES_PEEK];
    if (!path) return NULL;
    if (strncmp(path, FVI_MADE_PREFIX, strlen(FVI_MADE_PREFIX)) == 0) return "made";
    if (!fvi_file_exists(path)) return NULL;
    if (fvi_file_is_folder(path)) return files_folder_kind(path);
    size_t size = fvi_file_peek(head, sizeof head, path);
    if (fvi_hdf5_is(head, size)) return "hdf5";
    if (fvi_zip_is(head, size)) return "npz";
    return fvi_csv_is(path) ? "csv" : NULL;
}

fv_status fvi_files_open(fv_dataset **dataset, const char *path, fv_split split,
                         const fv_dataset_config *config)
{
    unsigned char head[FILES_PEEK];
    if (!fvi_file_exists(path)) return files_missing(path);
    if (fvi_file_is_folder(path)) {
        files_found found;
        fv_status status = files_scan(&found, path);
        if (status == FV_OK) status = files_open_found(dataset, &found, split, config);
        files_found_free(&found);
        return status;
    }
    size_t size = fvi_file_peek(head, sizeof head, path);
    if (fvi_hdf5_is(head, size)) return fvi_hdf5_dataset(dataset, path, NULL, split, config);
    if (fvi_zip_is(head, size)) return fvi_npz_dataset(dataset, path, split, config);
    if (fvi_csv_is(path)) return fvi_csv_open(dataset, path, split, config);
    return files_refuse_file(path, head, size);
}

static bool files_folder_has(const char *path, fv_split split)
{
    files_found found;
    int second;
    bool has_part = false;
    if (files_scan(&found, path) == FV_OK) {
        int kind = files_kind(&found, &second);
        has_part = kind == FILES_KINDS ? fvi_folder_has(path, &found.folder, split)
                                       : kind >= 0 && files_count(&found, kind, (int)split) > 0;
    }
    files_found_free(&found);
    return has_part;
}

bool fv_dataset_has(const char *path, fv_split split)
{
    unsigned char head[FILES_PEEK];
    if (!path || (split != FV_TRAIN && split != FV_TEST && split != FV_VALIDATION)) return false;
    if (strncmp(path, FVI_MADE_PREFIX, strlen(FVI_MADE_PREFIX)) == 0) return split != FV_VALIDATION;
    if (!fvi_file_exists(path)) return false;
    if (fvi_file_is_folder(path)) return files_folder_has(path, split);
    size_t size = fvi_file_peek(head, sizeof head, path);
    if (fvi_hdf5_is(head, size)) return fvi_hdf5_has(path, split);
    if (fvi_zip_is(head, size)) return fvi_npz_has(path, split);
    if (fvi_csv_is(path)) return fvi_csv_has(path, split);
    return split == FV_TRAIN;
}
