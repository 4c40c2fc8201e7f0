/* SPDX-License-Identifier: MIT */
/* Data sets in NPZ files: which arrays are pictures and labels, and what the classes are called. */
#include "data/data_internal.h"

#include <string.h>

#define NPZ_SHOWN 12 /* arrays listed in a message */

/* What is read from one file before a data set is made of it. */
typedef struct npz_source {
    fvi_zip *zip;
    fvi_value *names, *classes;
    size_t limit;
    fvi_raw raw;
} npz_source;

/* "a 5x3 uint8, b (no numbers)": all arrays of the file. */
static void npz_add_found(fvi_text *text, const npz_source *s)
{
    for (size_t i = 0; i < s->names->count && i < NPZ_SHOWN; i++) {
        char safe[FVI_SAFE_TEXT], shown[FVI_SHAPE_TEXT];
        fvi_npy_head head;
        const char *name = s->names->item[i]->string;
        fvi_text_add(text, "%s%s", i > 0 ? ", " : "", fvi_safe(safe, name));
        if (fvi_npz_head(s->zip, name, &head) == FV_OK)
            fvi_text_add(text, " %s %s",
                         head.shape.rank > 0 ? fvi_shape_text(shown, &head.shape) : "scalar",
                         fv_dtype_name(head.dtype));
        else
            fvi_text_add(text, " (no numbers)");
    }
    if (s->names->count > NPZ_SHOWN)
        fvi_text_add(text, " and %zu more", s->names->count - NPZ_SHOWN);
}

static fv_status npz_refuse(const npz_source *s, const fv_dataset_config *config)
{
    char expected[FVI_PAIR_TEXT];
    fvi_text found = {0};
    fvi_pair_expected(expected, config);
    npz_add_found(&found, s);
    fv_status status = found.status != FV_OK
                           ? found.status
                           : fvi_fail(FV_E_FORMAT,
                                      "cannot tell which are pictures and labels; found %s; "
                                      "expected %s",
                                      found.data ? found.data : "nothing", expected);
    fvi_text_free(&found);
    return status;
}

/* ---- names of classes ---- */

/* Rows of text, [K,W] bytes with zeros at their ends. */
static fv_status npz_text_names(fvi_value **classes, const fvi_array *rows)
{
    size_t width = (size_t)rows->shape.dim[1];
    char *text = fvi_alloc(width + 1, 1, "the name of a class");
    fvi_value *list = text ? fvi_value_list() : NULL;
    fv_status status = list ? FV_OK : FV_E_MEMORY;
    for (int i = 0; status == FV_OK && i < rows->shape.dim[0]; i++) {
        memcpy(text, (const char *)rows->data + (size_t)i * width, width);
        status = fvi_is_utf8(text)
                     ? fvi_value_push(list, fvi_value_string(text))
                     : fvi_fail(FV_E_FORMAT, "class %d has a name that is not UTF-8", i);
    }
    fvi_free(text);
    if (status == FV_OK) {
        *classes = list;
        return FV_OK;
    }
    fvi_value_free(list);
    return status;
}

/* The array "classes": numbers [K], or text as bytes [K,W]. One of another kind names nothing. */
static fv_status npz_classes(npz_source *s)
{
    static const char name[] = "classes";
    fvi_npy_head head;
    fvi_array array;
    size_t i = 0;
    while (i < s->names->count && strcmp(s->names->item[i]->string, name) != 0) {
        i++;
    }
    if (i == s->names->count) return FV_OK;
    fv_status status = fvi_npz_head(s->zip, name, &head);
    if (status == FV_E_UNSUPPORTED) return FV_OK;
    FVI_TRY(status);
    bool is_text = head.shape.rank == 2 && head.dtype == FV_UINT8;
    bool is_numbers = head.shape.rank == 1 && fvi_is_integer(head.dtype);
    if (!is_text && !is_numbers) return FV_OK;
    if (head.shape.dim[0] < 1 || head.shape.dim[0] > FVI_MAX_CLASSES)
        return fvi_fail(FV_E_FORMAT, "%s has %d names, expected 1 to %d", name, head.shape.dim[0],
                        FVI_MAX_CLASSES);
    FVI_TRY(fvi_npz_read(s->zip, name, s->limit, &array));
    status = is_text ? npz_text_names(&s->classes, &array)
                     : fvi_classes_of_numbers(&s->classes, &array, name);
    fvi_array_free(&array);
    return status;
}

/* ---- the arrays ---- */

/* Rows of an array that is too large to be kept: they must lie in the file as they are. */
static fv_status npz_rows(npz_source *s, const char *name, const fvi_npy_head *head)
{
    char member[FVI_SAFE_TEXT];
    const fvi_zip_member *at = NULL;
    size_t bytes;
    fvi_text full = {0};
    fvi_text_add(&full, "%s.npy", name);
    if (full.status == FV_OK) at = fvi_zip_find(s->zip, full.data);
    fvi_text_free(&full);
    FVI_TRY(full.status);
    bool is_plain = at && at->is_stored && !head->is_fortran;
    if (is_plain) {
        FVI_TRY(fvi_reader_open(&s->raw.rows.reader, s->raw.path));
        s->raw.rows.offset = at->offset + head->data_offset;
        s->raw.rows.is_swapped = head->is_swapped;
        s->raw.rows.dtype = head->dtype;
        s->raw.x = (fvi_array){head->shape, head->dtype, NULL};
        return FV_OK;
    }
    FVI_TRY(fvi_shape_count(&bytes, &head->shape));
    if (!fvi_mul(&bytes, bytes, fv_dtype_size(head->dtype)) || bytes > s->limit)
        return fvi_fail(
            FV_E_MEMORY,
            "%s is compressed or column-major and over the limit of %zu bytes; saved by "
            "numpy.savez, as .npy or as .h5 it is read as it is needed",
            fvi_safe(member, name), s->limit);
    return fvi_npz_read(s->zip, name, s->limit, &s->raw.x);
}

static fv_status npz_read_source(npz_source *s, fv_split split, const fv_dataset_config *config)
{
    fvi_pair pair;
    fvi_npy_head head;
    FVI_TRY(fvi_npz_names(s->zip, &s->names));
    if (!fvi_pair_choose(&pair, s->names, split, config)) return npz_refuse(s, config);
    s->raw.x_name = pair.x;
    s->raw.y_name = pair.y;
    FVI_TRY(fvi_npz_head(s->zip, pair.x, &head));
    if (fvi_arrays_fit(&head.shape, head.dtype, config))
        FVI_TRY(fvi_npz_read(s->zip, pair.x, s->limit, &s->raw.x));
    else
        FVI_TRY(npz_rows(s, pair.x, &head));
    FVI_TRY(fvi_npz_read(s->zip, pair.y, s->limit, &s->raw.y));
    FVI_TRY(npz_classes(s));
    if (s->classes) s->raw.classes = (int)s->classes->count;
    return FV_OK;
}

fv_status fvi_npz_dataset(fv_dataset **dataset, const char *path, fv_split split,
                          const fv_dataset_config *config)
{
    char safe[FVI_SAFE_TEXT];
    npz_source s = {.raw.path = path,
                    .limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit()};
    *dataset = NULL;
    fv_status status = fvi_zip_open(&s.zip, path); /* its messages name the path */
    if (status == FV_OK) {
        status = npz_read_source(&s, split, config);
        if (status != FV_OK) status = fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
    }
    if (status == FV_OK) status = fvi_arrays_make(dataset, path, &s.raw);
    if (status == FV_OK && s.classes) status = fvi_dataset_take_names(*dataset, s.classes);
    if (status != FV_OK) {
        fv_dataset_free(*dataset);
        *dataset = NULL;
    }
    fvi_zip_close(s.zip);
    fvi_raw_free(&s.raw);
    fvi_value_free(s.names);
    fvi_value_free(s.classes);
    return status;
}

bool fvi_npz_has(const char *path, fv_split split)
{
    fvi_zip *zip;
    fvi_value *names = NULL;
    if (fvi_zip_open(&zip, path) != FV_OK) return false;
    bool has_part = fvi_npz_names(zip, &names) == FV_OK && fvi_pair_has(names, split);
    fvi_value_free(names);
    fvi_zip_close(zip);
    return has_part;
}
