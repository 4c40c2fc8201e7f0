/* SPDX-License-Identifier: MIT */
/* Pictures in files of their own: a list of paths and classes becomes a data set. */
#include "data/data_internal.h"

#include <stdlib.h>
#include <string.h>

#define PICTURES_END 4096 /* bytes of both ends of a file that its hash looks at */
#define PICTURES_FILE_LIMIT ((size_t)1 << 30)

/* ---- the list ---- */

fv_status fvi_pictures_add(fvi_pictures *p, const char *path, int label)
{
    if (p->count == p->room) {
        size_t old = (size_t)p->room, more = old ? old * 2 : 256;
        if (more > INT32_MAX) return fvi_fail(FV_E_MEMORY, "more than %d pictures", INT32_MAX);
        size_t *offset = fvi_grow(p->offset, old, more, sizeof *offset, "a list of pictures");
        if (!offset) return FV_E_MEMORY;
        p->offset = offset;
        int32_t *labels = fvi_grow(p->label, old, more, sizeof *labels, "a list of labels");
        if (!labels) return FV_E_MEMORY;
        p->label = labels;
        p->room = (int)more;
    }
    p->offset[p->count] = p->text.size;
    p->label[p->count] = label;
    fvi_text_add_bytes(&p->text, path, strlen(path) + 1);
    if (p->text.status != FV_OK) return p->text.status;
    p->count++;
    return FV_OK;
}

void fvi_pictures_free(fvi_pictures *p)
{
    fvi_text_free(&p->text);
    fvi_free(p->offset);
    fvi_free(p->label);
    *p = (fvi_pictures){0};
}

/* ---- classes by name ---- */

static bool pictures_is_number(const char *name)
{
    int64_t value;
    return fvi_parse_int64(&value, name, strlen(name));
}

static int pictures_by_name(const void *left, const void *right)
{
    const fvi_value *const *a = left, *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

static int pictures_by_number(const void *left, const void *right)
{
    const fvi_value *const *a = left, *const *b = right;
    int64_t x = 0, y = 0;
    fvi_parse_int64(&x, (*a)->string, strlen((*a)->string));
    fvi_parse_int64(&y, (*b)->string, strlen((*b)->string));
    return x != y ? (x < y ? -1 : 1) : pictures_by_name(left, right);
}

void fvi_classes_sort(fvi_value *names)
{
    bool is_numbers = true;
    for (size_t i = 0; i < names->count; i++) {
        is_numbers = is_numbers && pictures_is_number(names->item[i]->string);
    }
    if (names->count > 1)
        qsort(names->item, names->count, sizeof(fvi_value *),
              is_numbers ? pictures_by_number : pictures_by_name);
}

fv_status fvi_classes_given(fvi_value **names, const fv_dataset_config *config)
{
    *names = fvi_value_list();
    fv_status status = *names ? FV_OK : FV_E_MEMORY;
    for (int i = 0; status == FV_OK && config->classes && i < config->n_classes; i++) {
        status = fvi_value_push(*names, fvi_value_string(config->classes[i]));
    }
    if (status != FV_OK) {
        fvi_value_free(*names);
        *names = NULL;
    }
    return status;
}

int fvi_classes_find(const fvi_value *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->item[i]->string, name) == 0) return (int)i;
    }
    return -1;
}

fv_status fvi_classes_unknown(const fvi_value *names, const char *name)
{
    char safe[FVI_SAFE_TEXT], other[FVI_SAFE_TEXT];
    fvi_text all = {0};
    for (size_t i = 0; i < names->count && i < 12; i++) {
        fvi_text_add(&all, "%s%s", i ? ", " : "", fvi_safe(other, names->item[i]->string));
    }
    if (names->count > 12) fvi_text_add(&all, " and %zu more", names->count - 12);
    fv_status status =
        all.status != FV_OK
            ? all.status
            : fvi_fail(FV_E_FORMAT, "the class \"%s\" is not one of the model's; expected %s",
                       fvi_safe(safe, name), all.data ? all.data : "none");
    fvi_text_free(&all);
    return status;
}

/* ---- the store ---- */

typedef struct pictures_store {
    fvi_store head;
    char *text;     /* all paths, each with its NUL */
    size_t *offset; /* [count] of a path in text */
    fv_resize resize;
} pictures_store;

static const char *pictures_path(const fvi_store *store, int i)
{
    const pictures_store *s = (const pictures_store *)store;
    return s->text + s->offset[i];
}

static fv_status pictures_read(fvi_store *store, void *out, int i, uint32_t epoch)
{
    const pictures_store *s = (const pictures_store *)store;
    const char *path = pictures_path(store, i);
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes;
    size_t size;
    (void)epoch;
    FVI_TRY(fvi_file_read(&bytes, &size, path, PICTURES_FILE_LIMIT));
    fv_status status = fvi_picture_decode(out, bytes, size, store->shape.dim[0],
                                          store->shape.dim[1], store->shape.dim[2], s->resize);
    fvi_free(bytes);
    return status == FV_OK ? FV_OK : fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
}

/* The length and both ends: two pictures that agree in them are the same, or near enough to stay on
   one side of a split; and a set of many gigabytes is not read through for it. */
static fv_status pictures_hash(fvi_store *store, uint64_t *hash, int i, uint64_t seed)
{
    unsigned char ends[2 * PICTURES_END];
    fvi_reader *reader;
    FVI_TRY(fvi_reader_open(&reader, pictures_path(store, i)));
    uint64_t size = fvi_reader_size(reader);
    size_t head = size < PICTURES_END ? (size_t)size : PICTURES_END;
    fv_status status = fvi_reader_at(reader, ends, head, 0);
    if (status == FV_OK) status = fvi_reader_at(reader, ends + head, head, size - head);
    fvi_reader_close(reader);
    *hash = fvi_hash(ends, 2 * head, seed ^ size);
    return status;
}

static void pictures_free(fvi_store *store)
{
    pictures_store *s = (pictures_store *)store;
    fvi_free(s->text);
    fvi_free(s->offset);
}

static const fvi_store_kind pictures_kind = {
    .read = pictures_read, .path = pictures_path, .hash = pictures_hash, .free = pictures_free};

/* ---- the data set ---- */

/* What the configuration leaves open is as in the first picture that can be read. */
static fv_status pictures_shape(fv_shape *shape, const fvi_pictures *p,
                                const fv_dataset_config *config)
{
    int dim[] = {config->height, config->width, config->channels};
    for (int i = 0; i < p->count && !(dim[0] && dim[1] && dim[2]); i++) {
        fv_picture picture;
        fv_status status = fv_picture_read(&picture, p->text.data + p->offset[i], dim[2]);
        if (status == FV_E_MEMORY && fvi_is_out_of_memory()) return status;
        if (status != FV_OK && config->strict) return status;
        if (status != FV_OK) continue;
        dim[2] = picture.channels;
        if (!dim[0] || !dim[1]) {
            dim[0] = picture.height;
            dim[1] = picture.width;
        }
        fv_picture_free(&picture);
    }
    *shape = fvi_shape_of(3, dim);
    if (dim[0] > 0) return FV_OK;
    if (p->count > 0)
        return fvi_fail_in(FV_E_FORMAT, "none of %d pictures can be read; the last", p->count);
    return fvi_fail(FV_E_FORMAT, "there are no pictures, expected PNG and JPEG files");
}

static fv_status pictures_check(const fv_dataset_config *config)
{
    if (config->height < 0 || config->width < 0 || config->height > 65535 || config->width > 65535)
        return fvi_fail(FV_E_ARG, "pictures of %dx%d, expected sides of 1 to 65535, or 0",
                        config->height, config->width);
    if (config->channels != 0 && config->channels != 1 && config->channels != 3)
        return fvi_fail(FV_E_UNSUPPORTED, "pictures of %d channels, expected 1 (grey) or 3 (RGB)",
                        config->channels);
    return FV_OK;
}

fv_status fvi_pictures_open(fv_dataset **dataset, fvi_pictures *p, const char *name,
                            const fvi_value *classes, const fv_dataset_config *config)
{
    fv_shape shape;
    *dataset = NULL;
    fv_status status = pictures_check(config);
    if (status == FV_OK) status = pictures_shape(&shape, p, config);
    if (status != FV_OK) {
        fvi_pictures_free(p);
        return status;
    }
    fv_dataset d = {.count = p->count,
                    .classes = (int)classes->count,
                    .label = p->label,
                    .resize = config->resize};
    p->label = NULL;
    pictures_store *s = fvi_store_new(sizeof *s, &pictures_kind, shape, FV_UINT8, d.count, NULL);
    const char **names = s ? fvi_alloc(classes->count, sizeof *names, "names of classes") : NULL;
    if (s) {
        s->text = p->text.data;
        s->offset = p->offset;
        s->resize = config->resize;
        s->head.is_tolerant = !config->strict;
        d.store = &s->head;
        p->text.data = NULL;
        p->offset = NULL;
    }
    fvi_pictures_free(p);
    if (!names) {
        fvi_dataset_release(&d);
        return FV_E_MEMORY;
    }
    for (size_t i = 0; i < classes->count; i++) {
        names[i] = classes->item[i]->string;
    }
    status = fvi_dataset_publish(dataset, d, name, names);
    fvi_free((void *)names);
    if (status == FV_OK) status = fvi_dataset_keep(*dataset, config);
    if (status == FV_OK) return FV_OK;
    fv_dataset_free(*dataset);
    *dataset = NULL;
    return status;
}
