/* SPDX-License-Identifier: MIT */
/* Data sets in HDF5 files: which arrays are pictures and labels, and what the classes are
   called. */
#include "data/data_internal.h"

#include <string.h>

#define HDF5_SHOWN 12 /* arrays listed in a message */

/* ---- which arrays ---- */

/* "a 5x3 uint8, b (no numbers)": all arrays of the file. */
static void hdf5_add_found(fvi_text *text, const fvi_hdf5 *file, const fvi_value *names)
{
    for (size_t i = 0; i < names->count && i < HDF5_SHOWN; i++) {
        char safe[FVI_SAFE_TEXT], shown[FVI_SHAPE_TEXT];
        fv_shape shape;
        fv_dtype dtype;
        const char *name = names->item[i]->string;
        fvi_text_add(text, "%s%s", i > 0 ? ", " : "", fvi_safe(safe, name));
        if (fvi_hdf5_shape(file, name, &shape, &dtype) == FV_OK)
            fvi_text_add(text, " %s %s", shape.rank > 0 ? fvi_shape_text(shown, &shape) : "scalar",
                         fv_dtype_name(dtype));
        else
            fvi_text_add(text, " (no numbers)");
    }
    if (names->count > HDF5_SHOWN) fvi_text_add(text, " and %zu more", names->count - HDF5_SHOWN);
    if (names->count == 0) fvi_text_add(text, "no data set at all");
}

static fv_status hdf5_refuse(const fvi_hdf5 *file, const fvi_value *names, const char *path,
                             const fv_dataset_config *config)
{
    char safe[FVI_SAFE_TEXT], expected[FVI_PAIR_TEXT];
    fvi_pair_expected(expected, config);
    fvi_text found = {0};
    hdf5_add_found(&found, file, names);
    fv_status status =
        found.status != FV_OK
            ? found.status
            : fvi_fail(FV_E_FORMAT,
                       "\"%s\": cannot tell which are pictures and labels; found %s; expected %s",
                       fvi_path_text(safe, path), found.data, expected);
    fvi_text_free(&found);
    return status;
}

/* ---- names of classes ---- */

/* list_classes of one file as texts, integers or strings; NULL when it has none. */
static fv_status hdf5_classes(fvi_value **classes, const fvi_hdf5 *file, const fvi_value *names,
                              size_t limit)
{
    static const char name[] = "list_classes";
    fv_shape shape;
    fv_dtype dtype;
    fvi_array numbers;
    size_t i = 0;
    *classes = NULL;
    while (i < names->count && strcmp(names->item[i]->string, name) != 0) {
        i++;
    }
    if (i == names->count) return FV_OK;
    fv_status status;
    if (fvi_hdf5_shape(file, name, &shape, &dtype) != FV_OK) {
        status = fvi_hdf5_read_strings(file, name, classes);
    } else if (shape.rank != 1) {
        status = fvi_fail(FV_E_SHAPE, "list_classes has %d dimensions, expected 1", shape.rank);
    } else {
        FVI_TRY(fvi_hdf5_read(file, name, limit, &numbers));
        status = fvi_classes_of_numbers(classes, &numbers, name);
        fvi_array_free(&numbers);
    }
    if (status == FV_OK && ((*classes)->count < 1 || (*classes)->count > FVI_MAX_CLASSES)) {
        status = fvi_fail(FV_E_FORMAT, "list_classes has %zu names, expected 1 to %d",
                          (*classes)->count, FVI_MAX_CLASSES);
        fvi_value_free(*classes);
        *classes = NULL;
    }
    return status;
}

/* In the course's sets only the test file has names. What is wrong with that file is not this one's
   trouble. */
static fv_status hdf5_sibling_classes(fvi_value **classes, const char *path, size_t limit)
{
    fvi_hdf5 *file;
    fvi_value *names;
    fv_status status = fvi_hdf5_open(&file, path);
    if (status != FV_OK) return status == FV_E_MEMORY ? status : FV_OK;
    status = fvi_hdf5_list(file, &names);
    if (status == FV_OK) {
        status = hdf5_classes(classes, file, names, limit);
        fvi_value_free(names);
    }
    fvi_hdf5_close(file);
    return status == FV_E_MEMORY ? status : FV_OK;
}

/* ---- one file ---- */

/* What is read from one file before a data set is made of it. */
typedef struct hdf5_source {
    fvi_hdf5 *file;
    fvi_value *names, *classes;
    fvi_raw raw;
} hdf5_source;

static fv_status hdf5_read_arrays(hdf5_source *s, fv_split split, const fv_dataset_config *config,
                                  size_t limit)
{
    fvi_pair pair;
    char safe[FVI_SAFE_TEXT];
    if (!fvi_pair_choose(&pair, s->names, split, config))
        return hdf5_refuse(s->file, s->names, s->raw.path, config);
    s->raw.x_name = pair.x;
    s->raw.y_name = pair.y;
    fv_status status = fvi_hdf5_shape(s->file, pair.x, &s->raw.x.shape, &s->raw.x.dtype);
    bool is_small = status != FV_OK || fvi_arrays_fit(&s->raw.x.shape, s->raw.x.dtype, config);
    if (status == FV_OK && is_small) status = fvi_hdf5_read(s->file, pair.x, limit, &s->raw.x);
    if (status == FV_OK) status = fvi_hdf5_read(s->file, pair.y, limit, &s->raw.y);
    if (status == FV_OK) status = hdf5_classes(&s->classes, s->file, s->names, limit);
    if (status == FV_OK && !is_small) { /* the file stays open, for its rows */
        s->raw.rows = (fvi_rows){.name = fvi_strdup(pair.x), .dtype = s->raw.x.dtype};
        status = s->raw.rows.name ? FV_OK : FV_E_MEMORY;
    }
    return status == FV_OK ? FV_OK
                           : fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, s->raw.path));
}

static fv_status hdf5_read_source(hdf5_source *s, const char *sibling, fv_split split,
                                  const fv_dataset_config *config)
{
    size_t limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit();
    char safe[FVI_SAFE_TEXT];
    FVI_TRY(fvi_hdf5_open(&s->file, s->raw.path)); /* its messages name the path */
    fv_status status = fvi_hdf5_list(s->file, &s->names);
    if (status != FV_OK) return fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, s->raw.path));
    FVI_TRY(hdf5_read_arrays(s, split, config, limit));
    if (!s->classes && sibling) FVI_TRY(hdf5_sibling_classes(&s->classes, sibling, limit));
    if (s->classes) s->raw.classes = (int)s->classes->count;
    return FV_OK;
}

static void hdf5_source_free(hdf5_source *s)
{
    fvi_hdf5_close(s->file);
    fvi_raw_free(&s->raw);
    fvi_value_free(s->names);
    fvi_value_free(s->classes);
}

fv_status fvi_hdf5_dataset(fv_dataset **dataset, const char *path, const char *sibling,
                           fv_split split, const fv_dataset_config *config)
{
    hdf5_source s = {.raw.path = path};
    fv_dataset *made = NULL;
    fv_status status = hdf5_read_source(&s, sibling, split, config);
    if (status == FV_OK && s.raw.rows.name) {
        s.raw.rows.hdf5 = s.file;
        s.file = NULL;
    }
    if (status == FV_OK) status = fvi_arrays_make(&made, path, &s.raw);
    if (status == FV_OK && s.classes) status = fvi_dataset_take_names(made, s.classes);
    if (status != FV_OK) {
        fv_dataset_free(made);
        made = NULL;
    }
    *dataset = made;
    hdf5_source_free(&s);
    return status;
}

bool fvi_hdf5_has(const char *path, fv_split split)
{
    fvi_hdf5 *file;
    fvi_value *names = NULL;
    if (fvi_hdf5_open(&file, path) != FV_OK) return false;
    bool has_part = fvi_hdf5_list(file, &names) == FV_OK && fvi_pair_has(names, split);
    fvi_value_free(names);
    fvi_hdf5_close(file);
    return has_part;
}
