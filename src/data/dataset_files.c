/* SPDX-License-Identifier: MIT */
/* Data sets in files: finds out what a path is, reads the IDX files of a folder. */
#include "data/data_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_PEEK 4096
#define FILES_SHOWN 5 /* names of other files in a message */
#define FILES_ACCEPTED                                                                             \
    "one .h5 file, a folder with train_*.h5 and test_*.h5, a folder with the IDX files "           \
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-... (or .gz), or made:NAME"

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

/* ---- arrays of a file to a data set ---- */

static fv_status files_check_x(fv_shape *shape, const fvi_array *x)
{
    char text[FVI_SHAPE_TEXT];
    size_t all;
    if (x->shape.rank != 3 && x->shape.rank != 4)
        return fvi_fail(FV_E_SHAPE, "shape is %s, expected [N,H,W,C] or [N,H,W]",
                        fvi_shape_text(text, &x->shape));
    if (x->dtype != FV_UINT8 && x->dtype != FV_FLOAT32 && x->dtype != FV_FLOAT64)
        return fvi_fail(FV_E_FORMAT, "pixels are %s, expected uint8, float32 or float64",
                        fv_dtype_name(x->dtype));
    FVI_TRY(fvi_shape_count(&all, &x->shape));
    if (all == 0)
        return fvi_fail(FV_E_SHAPE, "shape is %s: it is empty, expected at least one picture",
                        fvi_shape_text(text, &x->shape));
    *shape = fvi_shape_of(x->shape.rank - 1, x->shape.dim + 1);
    if (shape->rank == 2) {
        shape->rank = 3;
        shape->dim[2] = 1;
    }
    return FV_OK;
}

/* float64 pixels become float32. */
static fv_status files_narrow(fvi_array *x)
{
    size_t count;
    if (x->dtype != FV_FLOAT64) return FV_OK;
    FVI_TRY(fvi_shape_count(&count, &x->shape));
    float *narrow = fvi_alloc(count, sizeof *narrow, "pictures");
    if (!narrow) return FV_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        narrow[i] = (float)((const double *)x->data)[i];
    }
    fvi_free(x->data);
    x->data = narrow;
    x->dtype = FV_FLOAT32;
    return FV_OK;
}

static fv_status files_pixels(fv_shape *shape, fvi_raw *raw)
{
    char path[FVI_SAFE_TEXT], name[FVI_SAFE_TEXT];
    size_t each;
    fv_status status = files_check_x(shape, &raw->x);
    if (status == FV_OK) status = files_narrow(&raw->x);
    if (status == FV_OK) status = fvi_shape_count(&each, shape);
    if (status == FV_OK && raw->x.dtype == FV_FLOAT32)
        status = fvi_dataset_check_finite(raw->x.data, raw->x.shape.dim[0], each, "pixels");
    return status == FV_OK ? FV_OK
                           : fvi_fail_in(status, "\"%s\": %s", fvi_path_text(path, raw->path),
                                         fvi_safe(name, raw->x_name));
}

static fv_status files_labels(int32_t **label, fvi_raw *raw)
{
    char path[FVI_SAFE_TEXT], name[FVI_SAFE_TEXT];
    const fv_tensor y = {raw->y.shape, raw->y.dtype, raw->y.data};
    fv_status status = fvi_dataset_labels(label, &raw->classes, &y, raw->x.shape.dim[0]);
    return status == FV_OK ? FV_OK
                           : fvi_fail_in(status, "\"%s\": %s", fvi_path_text(path, raw->path),
                                         fvi_safe(name, raw->y_name));
}

fv_status fvi_files_make(fv_dataset **dataset, const char *name, fvi_raw *raw)
{
    fv_shape shape;
    int32_t *label = NULL;
    fv_status status = files_pixels(&shape, raw);
    if (status == FV_OK) status = files_labels(&label, raw);
    if (status == FV_OK) {
        fvi_store *store;
        status = fvi_store_memory(&store, shape, raw->x.dtype, raw->x.shape.dim[0], raw->x.data);
        raw->x.data = NULL; /* taken, even on failure */
        if (status == FV_OK)
            status =
                fvi_dataset_make(dataset, name, store, label, raw->x.shape.dim[0], raw->classes);
        else
            fvi_free(label);
    }
    fvi_array_free(&raw->x);
    fvi_array_free(&raw->y);
    return status;
}

/* ---- what a folder holds ---- */

enum { FILES_IMAGES = 0, FILES_LABELS };

typedef struct files_folder {
    const char *path;
    fvi_value *h5[2];         /* by split: names of train_*.h5, test_*.h5 */
    char *idx[2][2];          /* by split: the IDX files of images and of labels */
    char *other[FILES_SHOWN]; /* the first names, in order of the alphabet, of the rest */
    size_t others;
} files_folder;

static const char *const files_split_name[] = {"train", "test"};

static bool files_ends(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n >= e && strcmp(name + n - e, end) == 0;
}

/* The split of "train_signs.h5", or -1. */
static int files_h5_split(const char *name)
{
    if (!files_ends(name, ".h5") && !files_ends(name, ".hdf5")) return -1;
    return strncmp(name, "train_", 6) == 0  ? FV_TRAIN
           : strncmp(name, "test_", 5) == 0 ? FV_TEST
                                            : -1;
}

/* "train-images-idx3-ubyte", "t10k-labels.idx1-ubyte.gz": which split and which of the two. */
static bool files_idx_part(const char *name, int *split, int *part)
{
    static const struct {
        const char *name;
        int split, part;
    } known[] = {
        {"train-images-idx3-ubyte", FV_TRAIN, FILES_IMAGES},
        {"train-labels-idx1-ubyte", FV_TRAIN, FILES_LABELS},
        {"t10k-images-idx3-ubyte", FV_TEST, FILES_IMAGES},
        {"t10k-labels-idx1-ubyte", FV_TEST, FILES_LABELS},
        {"test-images-idx3-ubyte", FV_TEST, FILES_IMAGES},
        {"test-labels-idx1-ubyte", FV_TEST, FILES_LABELS},
    };
    char plain[32];
    size_t length = strlen(name) - (files_ends(name, ".gz") ? 3 : 0);
    if (length >= sizeof plain) return false;
    for (size_t i = 0; i < length; i++) {
        plain[i] = name[i] == '.' ? '-' : name[i];
    }
    plain[length] = '\0';
    for (size_t i = 0; i < FVI_COUNT(known); i++) {
        if (strcmp(plain, known[i].name) != 0) continue;
        *split = known[i].split;
        *part = known[i].part;
        return true;
    }
    return false;
}

/* Of two files with the same content the one that is not compressed, then the first by name. */
static fv_status files_keep_idx(char **kept, const char *name)
{
    if (*kept) {
        int old = files_ends(*kept, ".gz"), new = files_ends(name, ".gz");
        if (old < new || (old == new &&strcmp(*kept, name) < 0)) return FV_OK;
    }
    char *copy = fvi_strdup(name);
    if (!copy) return FV_E_MEMORY;
    fvi_free(*kept);
    *kept = copy;
    return FV_OK;
}

/* Keep the first few names, whatever the order in which the folder gives them. */
static fv_status files_keep_other(files_folder *f, const char *name)
{
    size_t at = f->others < FILES_SHOWN ? f->others : FILES_SHOWN;
    f->others++;
    while (at > 0 && strcmp(name, f->other[at - 1]) < 0) {
        at--;
    }
    if (at == FILES_SHOWN) return FV_OK;
    char *copy = fvi_strdup(name);
    if (!copy) return FV_E_MEMORY;
    fvi_free(f->other[FILES_SHOWN - 1]);
    memmove(&f->other[at + 1], &f->other[at], (FILES_SHOWN - 1 - at) * sizeof f->other[0]);
    f->other[at] = copy;
    return FV_OK;
}

static fv_status files_keep(files_folder *f, const char *name)
{
    int split = files_h5_split(name), part;
    if (name[0] == '.') return FV_OK;
    if (split >= 0) return fvi_value_push(f->h5[split], fvi_value_string(name));
    if (files_idx_part(name, &split, &part)) return files_keep_idx(&f->idx[split][part], name);
    return files_keep_other(f, name);
}

static fv_status files_fail(const char *path, int number)
{
    char why[128], safe[FVI_SAFE_TEXT];
    if (strerror_r(number, why, sizeof why) != 0) snprintf(why, sizeof why, "error %d", number);
    return fvi_fail(FV_E_IO, "cannot open \"%s\": %s", fvi_path_text(safe, path), why);
}

static fv_status files_scan(files_folder *f)
{
    for (int split = 0; split < 2; split++) {
        f->h5[split] = fvi_value_list();
        if (!f->h5[split]) return FV_E_MEMORY;
    }
    DIR *folder = opendir(f->path);
    if (!folder) return files_fail(f->path, errno);
    fv_status status = FV_OK;
    const struct dirent *entry;
    errno = 0;
    while (status == FV_OK && (entry = readdir(folder)) != NULL) {
        status = files_keep(f, entry->d_name);
        errno = 0;
    }
    if (status == FV_OK && errno != 0) status = files_fail(f->path, errno);
    closedir(folder);
    return status;
}

static void files_folder_free(files_folder *f)
{
    for (int split = 0; split < 2; split++) {
        fvi_value_free(f->h5[split]);
        fvi_free(f->idx[split][FILES_IMAGES]);
        fvi_free(f->idx[split][FILES_LABELS]);
    }
    for (size_t i = 0; i < FILES_SHOWN; i++) {
        fvi_free(f->other[i]);
    }
}

/* ---- messages that list what was found ---- */

static void files_add_name(fvi_text *text, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    if (name) fvi_text_add(text, "%s%s", text->size > 0 ? ", " : "", fvi_safe(safe, name));
}

static int files_by_name(const void *left, const void *right)
{
    const fvi_value *const *a = left, *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

static void files_add_found(fvi_text *text, const files_folder *f)
{
    for (int split = 0; split < 2; split++) {
        for (size_t i = 0; i < f->h5[split]->count && i < FILES_SHOWN; i++) {
            files_add_name(text, f->h5[split]->item[i]->string);
        }
        files_add_name(text, f->idx[split][FILES_IMAGES]);
        files_add_name(text, f->idx[split][FILES_LABELS]);
    }
    if (text->size > 0) return; /* the rest would only distract */
    for (size_t i = 0; i < FILES_SHOWN; i++) {
        files_add_name(text, f->other[i]);
    }
    if (f->others > FILES_SHOWN) fvi_text_add(text, " and %zu more", f->others - FILES_SHOWN);
    if (f->others == 0) fvi_text_add(text, "nothing");
}

static fv_status files_refuse(const files_folder *f, fv_status code, const char *what,
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

/* ---- opening what was found ---- */

static fv_status files_join(char **path, const char *folder, const char *name)
{
    fvi_text text = {0};
    fvi_text_add(&text, "%s%s%s", folder, files_ends(folder, "/") ? "" : "/", name);
    *path = text.status == FV_OK ? fvi_strdup(text.data) : NULL;
    fvi_text_free(&text);
    return *path ? FV_OK : FV_E_MEMORY;
}

static fv_status files_open_h5(fv_dataset **dataset, const files_folder *f, fv_split split,
                               size_t limit)
{
    const fvi_value *mine = f->h5[split], *theirs = f->h5[1 - (int)split];
    char *path = NULL, *sibling = NULL;
    fv_status status = files_join(&path, f->path, mine->item[0]->string);
    if (status == FV_OK && theirs->count == 1)
        status = files_join(&sibling, f->path, theirs->item[0]->string);
    if (status == FV_OK) status = fvi_files_hdf5(dataset, path, sibling, split, limit);
    fvi_free(path);
    fvi_free(sibling);
    return status;
}

static fv_status files_read_idx(fvi_array *array, const char *path, size_t limit)
{
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes, *inflated = NULL;
    size_t size;
    FVI_TRY(fvi_file_read(&bytes, &size, path, limit));
    fv_status status = FV_OK;
    if (fvi_gzip_is(bytes, size)) {
        status = fvi_gzip_read(&inflated, &size, bytes, size, limit);
        fvi_free(bytes);
        bytes = inflated;
    }
    if (status == FV_OK) status = fvi_idx_read(array, bytes, size);
    fvi_free(bytes);
    return status == FV_OK ? FV_OK : fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
}

static fv_status files_open_idx(fv_dataset **dataset, const files_folder *f, fv_split split,
                                size_t limit)
{
    fvi_raw raw = {.path = f->path,
                   .x_name = f->idx[split][FILES_IMAGES],
                   .y_name = f->idx[split][FILES_LABELS]};
    char *x_path = NULL, *y_path = NULL;
    fv_status status = files_join(&x_path, f->path, raw.x_name);
    if (status == FV_OK) status = files_join(&y_path, f->path, raw.y_name);
    if (status == FV_OK) status = files_read_idx(&raw.x, x_path, limit);
    if (status == FV_OK) status = files_read_idx(&raw.y, y_path, limit);
    if (status == FV_OK) status = fvi_files_make(dataset, x_path, &raw);
    fvi_array_free(&raw.x);
    fvi_array_free(&raw.y);
    fvi_free(x_path);
    fvi_free(y_path);
    return status;
}

static fv_status files_open_found(fv_dataset **dataset, files_folder *f, fv_split split,
                                  size_t limit)
{
    char what[64], expected[160];
    const char *name = files_split_name[split];
    bool has_x = f->idx[split][FILES_IMAGES], has_y = f->idx[split][FILES_LABELS];
    bool has_idx = has_x || has_y || f->idx[1 - (int)split][FILES_IMAGES] ||
                   f->idx[1 - (int)split][FILES_LABELS];
    size_t mine = f->h5[split]->count, theirs = f->h5[1 - (int)split]->count;
    for (int i = 0; i < 2; i++) {
        fvi_value *list = f->h5[i];
        if (list->count > 1) qsort(list->item, list->count, sizeof list->item[0], files_by_name);
    }
    if (mine + theirs == 0 && !has_idx)
        return files_refuse(f, FV_E_FORMAT, " holds no data set", FILES_ACCEPTED);
    if (mine + theirs > 0 && has_idx)
        return files_refuse(f, FV_E_FORMAT, " holds HDF5 and IDX files", "one kind only");
    if (mine == 1) return files_open_h5(dataset, f, split, limit);
    if (has_x && has_y) return files_open_idx(dataset, f, split, limit);
    snprintf(what, sizeof what, " %s",
             mine > 1           ? "holds several files for one part"
             : has_x || has_y   ? "lacks half of a part"
             : split == FV_TEST ? "has no test part"
                                : "has no train part");
    if (mine + theirs > 0)
        snprintf(expected, sizeof expected, "one %s_*.h5%s", name,
                 mine > 1 ? "; or give the file itself" : "");
    else
        snprintf(expected, sizeof expected, "%s-images-idx3-ubyte and %s-labels-idx1-ubyte",
                 split == FV_TEST ? "t10k" : name, split == FV_TEST ? "t10k" : name);
    return files_refuse(f, mine > 1 || has_x || has_y ? FV_E_FORMAT : FV_E_IO, what, expected);
}

/* ---- what a path is ---- */

/* Neither a folder nor HDF5: say what it looks like. */
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
    return fvi_fail(FV_E_IO, "no file or folder \"%s\"", fvi_path_text(safe, path));
}

fv_status fvi_files_open(fv_dataset **dataset, const char *path, fv_split split,
                         const fv_dataset_config *config)
{
    unsigned char head[FILES_PEEK];
    size_t limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit();
    if (!fvi_file_exists(path)) return files_missing(path);
    if (fvi_file_is_folder(path)) {
        files_folder folder = {.path = path};
        fv_status status = files_scan(&folder);
        if (status == FV_OK) status = files_open_found(dataset, &folder, split, limit);
        files_folder_free(&folder);
        return status;
    }
    size_t size = fvi_file_peek(head, sizeof head, path);
    if (fvi_hdf5_is(head, size)) return fvi_files_hdf5(dataset, path, NULL, split, limit);
    return files_refuse_file(path, head, size);
}

bool fv_dataset_has(const char *path, fv_split split)
{
    if (!path || (split != FV_TRAIN && split != FV_TEST)) return false;
    if (strncmp(path, FVI_MADE_PREFIX, strlen(FVI_MADE_PREFIX)) == 0) return true;
    if (!fvi_file_is_folder(path)) return split == FV_TRAIN && fvi_file_exists(path);
    files_folder folder = {.path = path};
    bool has_part = files_scan(&folder) == FV_OK &&
                    (folder.h5[split]->count > 0 || folder.idx[split][FILES_IMAGES] != NULL ||
                     folder.idx[split][FILES_LABELS] != NULL);
    files_folder_free(&folder);
    return has_part;
}
