/* SPDX-License-Identifier: MIT */
/* A table of pictures and classes: path,label and perhaps split. */
#include "data/data_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CSV_FILE_LIMIT ((size_t)1 << 30)

/* Which column holds what; -1: none does. */
typedef struct csv_columns {
    int path, label, split;
    bool has_header;
} csv_columns;

/* Pictures of one part, and what was seen on the way. */
typedef struct csv_table {
    char *folder; /* of the file: paths begin there */
    fvi_pictures pictures;
    int *line;          /* [pictures.count] */
    fvi_value *classes; /* found, or given */
    bool is_given, has_part[3];
} csv_table;

static bool csv_is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(name, list[i]) == 0) return true;
    }
    return false;
}

/* The first row names the columns; where it does not, and there are two, they are path and label. */
static fv_status csv_find_columns(csv_columns *columns, const fvi_csv *csv)
{
    static const char *const path[] = {"path",      "file",     "filename",
                                       "file_name", "filepath", "image"};
    static const char *const label[] = {"label", "class", "category", "class_name", "target"};
    static const char *const split[] = {"split", "part", "set", "subset"};
    *columns = (csv_columns){-1, -1, -1, true};
    for (int i = 0; i < csv->fields; i++) {
        const char *name = fvi_csv_field(csv, i);
        if (csv_is_one_of(name, path, FVI_COUNT(path)) && columns->path < 0) columns->path = i;
        if (csv_is_one_of(name, label, FVI_COUNT(label)) && columns->label < 0) columns->label = i;
        if (csv_is_one_of(name, split, FVI_COUNT(split)) && columns->split < 0) columns->split = i;
    }
    if (columns->path >= 0 && columns->label >= 0) return FV_OK;
    if (columns->path < 0 && columns->label < 0 && csv->fields == 2) {
        *columns = (csv_columns){0, 1, -1, false};
        return FV_OK;
    }
    char safe[FVI_SAFE_TEXT];
    return fvi_fail(FV_E_FORMAT,
                    "line %d: no column \"%s\" in a header that begins with \"%s\"; expected the "
                    "columns path and label, and perhaps split",
                    csv->line, columns->path < 0 ? "path" : "label",
                    csv->fields ? fvi_safe(safe, fvi_csv_field(csv, 0)) : "nothing");
}

static char *csv_join(const csv_table *t, const char *path)
{
    return path[0] == '/' ? fvi_strdup(path) : fvi_path_join(t->folder, path);
}

/* Which class a label is; a new one is added when none are given. */
static fv_status csv_class(int *class, csv_table *t, const char *label, int line)
{
    *class = fvi_classes_find(t->classes, label);
    if (*class >= 0) return FV_OK;
    *class = (int)t->classes->count;
    if (t->is_given) return fvi_fail_in(fvi_classes_unknown(t->classes, label), "line %d", line);
    if (t->classes->count >= FVI_MAX_CLASSES)
        return fvi_fail(FV_E_FORMAT, "line %d: more than %d different labels", line,
                        FVI_MAX_CLASSES);
    return fvi_value_push(t->classes, fvi_value_string(label));
}

static fv_status csv_split(int *split, const csv_columns *columns, const fvi_csv *csv)
{
    char safe[FVI_SAFE_TEXT];
    *split = FV_TRAIN;
    if (columns->split < 0) return FV_OK;
    const char *word = fvi_csv_field(csv, columns->split);
    *split = fvi_split_of(word, strlen(word));
    if (*split >= 0) return FV_OK;
    return fvi_fail(FV_E_FORMAT, "line %d: split \"%s\", expected train, val or test", csv->line,
                    fvi_safe(safe, word));
}

/* One row; of another part than asked for, only its class counts. */
static fv_status csv_take(csv_table *t, const csv_columns *columns, const fvi_csv *csv, int part,
                          int *room)
{
    int last = columns->path > columns->label ? columns->path : columns->label;
    if (columns->split > last) last = columns->split;
    if (csv->fields <= last)
        return fvi_fail(FV_E_FORMAT, "line %d: %d columns, expected at least %d", csv->line,
                        csv->fields, last + 1);
    int split, class;
    const char *path = fvi_csv_field(csv, columns->path);
    const char *label = fvi_csv_field(csv, columns->label);
    if (!*path || !*label || !fvi_is_utf8(label))
        return fvi_fail(FV_E_FORMAT, "line %d: the %s", csv->line,
                        !*path    ? "path is empty"
                        : !*label ? "label is empty"
                                  : "label is not UTF-8");
    FVI_TRY(csv_split(&split, columns, csv));
    t->has_part[split] = true;
    FVI_TRY(csv_class(&class, t, label, csv->line));
    if (split != part && columns->split >= 0) return FV_OK;
    if (t->pictures.count == *room) {
        size_t old = (size_t)*room, more = old ? old * 2 : 256;
        int *line = fvi_grow(t->line, old, more, sizeof *line, "line numbers");
        if (!line) return FV_E_MEMORY;
        t->line = line;
        *room = (int)more;
    }
    char *full = csv_join(t, path);
    if (!full) return FV_E_MEMORY;
    t->line[t->pictures.count] = csv->line;
    fv_status status =
        fvi_file_exists(full)
            ? fvi_pictures_add(&t->pictures, full, class)
            : fvi_fail(FV_E_FORMAT, "line %d: there is no file \"%s\"", csv->line, full);
    fvi_free(full);
    return status;
}

static fv_status csv_rows(csv_table *t, const unsigned char *bytes, size_t size, int part)
{
    fvi_csv csv;
    csv_columns columns = {0};
    int room = 0;
    fvi_csv_begin(&csv, bytes, size);
    fv_status status = fvi_csv_next(&csv);
    if (status == FV_OK && csv.fields == 0) status = fvi_fail(FV_E_FORMAT, "it is empty");
    if (status == FV_OK) status = csv_find_columns(&columns, &csv);
    if (status == FV_OK && columns.has_header) status = fvi_csv_next(&csv);
    while (status == FV_OK && csv.fields > 0) {
        status = csv_take(t, &columns, &csv, part, &room);
        if (status == FV_OK) status = fvi_csv_next(&csv);
    }
    fvi_csv_end(&csv);
    return status;
}

/* ---- after the rows ---- */

typedef struct csv_entry {
    const char *path;
    int line;
} csv_entry;

static int csv_by_path(const void *left, const void *right)
{
    const csv_entry *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    return order != 0 ? order : a->line - b->line;
}

/* A picture that is named twice would count twice, or be in two classes. */
static fv_status csv_check_twice(const csv_table *t)
{
    const fvi_pictures *p = &t->pictures;
    char safe[FVI_SAFE_TEXT];
    csv_entry *entry = fvi_alloc((size_t)p->count, sizeof *entry, "a table of pictures");
    if (!entry) return FV_E_MEMORY;
    for (int i = 0; i < p->count; i++) {
        entry[i] = (csv_entry){p->text.data + p->offset[i], t->line[i]};
    }
    if (p->count > 1) qsort(entry, (size_t)p->count, sizeof *entry, csv_by_path);
    fv_status status = FV_OK;
    for (int i = 1; status == FV_OK && i < p->count; i++) {
        if (strcmp(entry[i].path, entry[i - 1].path) == 0)
            status = fvi_fail(FV_E_FORMAT, "line %d: \"%s\" is in line %d already", entry[i].line,
                              fvi_path_text(safe, entry[i].path), entry[i - 1].line);
    }
    fvi_free(entry);
    return status;
}

/* Classes in their order, and labels as numbers in it. */
static fv_status csv_sort_classes(csv_table *t)
{
    size_t count = t->classes->count;
    if (t->is_given || count == 0) return FV_OK;
    fvi_value **before = fvi_copy(t->classes->item, count * sizeof *before, "classes");
    int32_t *place = before ? fvi_alloc(count, sizeof *place, "classes") : NULL;
    if (place) {
        fvi_classes_sort(t->classes);
        for (size_t i = 0; i < count; i++) {
            place[i] = fvi_classes_find(t->classes, before[i]->string);
        }
        for (int i = 0; i < t->pictures.count; i++) {
            t->pictures.label[i] = place[t->pictures.label[i]];
        }
    }
    fvi_free(before);
    fvi_free(place);
    return place ? FV_OK : FV_E_MEMORY;
}

static char *csv_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = fvi_strdup(slash ? path : ".");
    if (folder && slash) folder[slash == path ? 1 : slash - path] = '\0';
    return folder;
}

static fv_status csv_read(csv_table *t, const char *path, int part, const fv_dataset_config *config)
{
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes = NULL;
    size_t size;
    *t = (csv_table){.is_given = config->classes != NULL};
    FVI_TRY(fvi_classes_given(&t->classes, config));
    t->folder = csv_folder(path);
    if (!t->folder) return FV_E_MEMORY;
    FVI_TRY(fvi_file_read(&bytes, &size, path, CSV_FILE_LIMIT));
    fv_status status = csv_rows(t, bytes, size, part);
    fvi_free(bytes);
    if (status == FV_OK) status = csv_check_twice(t);
    if (status == FV_OK) status = csv_sort_classes(t);
    return status == FV_OK ? FV_OK : fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
}

static void csv_table_free(csv_table *t)
{
    fvi_pictures_free(&t->pictures);
    fvi_value_free(t->classes);
    fvi_free(t->line);
    fvi_free(t->folder);
}

fv_status fvi_csv_open(fv_dataset **dataset, const char *path, fv_split split,
                       const fv_dataset_config *config)
{
    static const char *const split_name[] = {"train", "test", "val"};
    char safe[FVI_SAFE_TEXT];
    csv_table t;
    *dataset = NULL;
    fv_status status = csv_read(&t, path, (int)split, config);
    if (status == FV_OK && t.pictures.count == 0)
        status = fvi_fail(FV_E_FORMAT, "\"%s\" has no rows%s%s", fvi_path_text(safe, path),
                          t.classes->count > 0 ? " of the split " : "",
                          t.classes->count > 0 ? split_name[split] : "");
    if (status == FV_OK) {
        status = fvi_pictures_open(dataset, &t.pictures, path, t.classes, config);
        if (status != FV_OK) status = fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
    }
    csv_table_free(&t);
    return status;
}

bool fvi_csv_has(const char *path, fv_split split)
{
    const fv_dataset_config all_default = {0};
    csv_table t;
    bool has = csv_read(&t, path, (int)split, &all_default) == FV_OK && t.has_part[split];
    csv_table_free(&t);
    return has;
}

bool fvi_csv_is(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".csv") == 0;
}
