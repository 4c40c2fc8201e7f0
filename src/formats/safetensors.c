/* SPDX-License-Identifier: MIT */
/* safetensors: 8 bytes of header length, a JSON header, the data. Our own model and checkpoint
   format. */
#include "formats/formats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is little-endian: swap it here on this machine"
#endif

#define SAFETENSORS_MAX_HEADER ((uint64_t)100000000)
#define SAFETENSORS_MAX_COUNT ((size_t)100000)
#define SAFETENSORS_MAX_NAME ((size_t)4096)
#define SAFETENSORS_METADATA "__metadata__"

/* All types of the format, so that "unknown" and "known, but not read here" are told apart. */
typedef struct safetensors_type {
    const char *name;
    int bits;
    int dtype; /* fv_dtype, or -1: not read */
} safetensors_type;

static const safetensors_type safetensors_types[] = {
    {"F32", 32, FV_FLOAT32}, {"F64", 64, FV_FLOAT64}, {"F16", 16, FV_FLOAT16},
    {"U8", 8, FV_UINT8},     {"I8", 8, FV_INT8},      {"U16", 16, FV_UINT16},
    {"I16", 16, FV_INT16},   {"U32", 32, FV_UINT32},  {"I32", 32, FV_INT32},
    {"U64", 64, FV_UINT64},  {"I64", 64, FV_INT64},   {"BOOL", 8, FV_BOOL},
    {"BF16", 16, -1},        {"C64", 64, -1},         {"F8_E5M2", 8, -1},
    {"F8_E4M3", 8, -1},      {"F8_E8M0", 8, -1},      {"F8_E5M2FNUZ", 8, -1},
    {"F8_E4M3FNUZ", 8, -1},  {"F4", 4, -1},           {"F6_E2M3", 6, -1},
    {"F6_E3M2", 6, -1},
};

/* An entry with what is needed to check it against its neighbours. */
typedef struct safetensors_item {
    fvi_safetensors_entry entry; /* first: an item is sorted and moved as a whole */
    const safetensors_type *type;
    uint64_t begin, end;
    const fvi_value *shape; /* in the header */
    size_t index;           /* place in the header */
} safetensors_item;

/* ---- reading ---- */

static uint64_t safetensors_u64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* The length word and what can be said of the header before it is parsed. */
static fv_status safetensors_frame(size_t *header, const unsigned char *bytes, size_t size)
{
    if (size < 8)
        return fvi_fail(FV_E_FORMAT, "safetensors: %zu bytes, shorter than the 8 of its length",
                        size);
    uint64_t n = safetensors_u64(bytes);
    if (n > SAFETENSORS_MAX_HEADER)
        return fvi_fail(FV_E_FORMAT,
                        "safetensors header: %" PRIu64 " bytes claimed, at most %" PRIu64
                        " are allowed",
                        n, SAFETENSORS_MAX_HEADER);
    if (n > size - 8)
        return fvi_fail(FV_E_FORMAT, "safetensors header: %" PRIu64 " bytes claimed, file has %zu",
                        n, size);
    if (n < 2 || bytes[8] != '{')
        return fvi_fail(FV_E_FORMAT, "safetensors header: does not start with \"{\" at byte 8");
    size_t last = 8 + (size_t)n - 1;
    while (bytes[last] == ' ')
        last--;
    if (bytes[last] != '}')
        return fvi_fail(FV_E_FORMAT,
                        "safetensors header: byte %zu is 0x%02X, expected \"}\" and spaces only",
                        last, bytes[last]);
    *header = (size_t)n;
    return FV_OK;
}

static fv_status safetensors_metadata(const fvi_value *metadata, fv_status code)
{
    char safe[FVI_SAFE_TEXT];
    if (metadata->kind != FVI_VALUE_DICT)
        return fvi_fail(code, "safetensors " SAFETENSORS_METADATA ": not a dict of strings");
    for (size_t i = 0; i < metadata->count; i++)
        if (metadata->item[i]->kind != FVI_VALUE_STRING)
            return fvi_fail(code, "safetensors " SAFETENSORS_METADATA " \"%s\": not a string",
                            fvi_safe(safe, metadata->key[i]));
    return FV_OK;
}

/* The named member of a tensor's description; its absence or a wrong kind is an error. */
static fv_status safetensors_member(const fvi_value **member, const fvi_value *tensor,
                                    const char *name, const char *key, fvi_value_kind kind)
{
    char safe[FVI_SAFE_TEXT];
    *member = fvi_value_get(tensor, key);
    if (*member == NULL)
        return fvi_fail(FV_E_FORMAT, "safetensors tensor \"%s\": no \"%s\"", fvi_safe(safe, name),
                        key);
    if ((*member)->kind != kind)
        return fvi_fail(FV_E_FORMAT, "safetensors tensor \"%s\": \"%s\" is not a %s",
                        fvi_safe(safe, name), key, kind == FVI_VALUE_STRING ? "string" : "list");
    return FV_OK;
}

/* A list of whole numbers >= 0. */
static fv_status safetensors_whole(const fvi_value *list, const char *name, const char *key)
{
    char safe[FVI_SAFE_TEXT];
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i]->kind != FVI_VALUE_INT || list->item[i]->integer < 0)
            return fvi_fail(FV_E_FORMAT,
                            "safetensors tensor \"%s\": entry %zu of \"%s\" is not a whole "
                            "number >= 0",
                            fvi_safe(safe, name), i, key);
    return FV_OK;
}

static fv_status safetensors_dtype(safetensors_item *item, const fvi_value *dtype)
{
    char safe[FVI_SAFE_TEXT], word[FVI_SAFE_TEXT];
    for (size_t i = 0; i < FVI_COUNT(safetensors_types); i++)
        if (strcmp(dtype->string, safetensors_types[i].name) == 0) {
            item->type = &safetensors_types[i];
            return FV_OK;
        }
    return fvi_fail(FV_E_FORMAT, "safetensors tensor \"%s\": unknown dtype \"%s\"",
                    fvi_safe(safe, item->entry.name), fvi_safe(word, dtype->string));
}

/* Shape times type against the range, in bits so that types below a byte are judged too. */
static fv_status safetensors_extent(const safetensors_item *item)
{
    char safe[FVI_SAFE_TEXT];
    size_t bits = (size_t)item->type->bits;
    for (size_t i = 0; i < item->shape->count; i++)
        if ((uint64_t)item->shape->item[i]->integer > SIZE_MAX ||
            !fvi_mul(&bits, bits, (size_t)item->shape->item[i]->integer))
            return fvi_fail(FV_E_FORMAT,
                            "safetensors tensor \"%s\": the product of its shape overflows",
                            fvi_safe(safe, item->entry.name));
    if (bits % 8 != 0 || bits / 8 != item->end - item->begin)
        return fvi_fail(FV_E_FORMAT,
                        "safetensors tensor \"%s\": shape and dtype %s take %zu bytes, its range "
                        "has %" PRIu64,
                        fvi_safe(safe, item->entry.name), item->type->name, bits / 8,
                        item->end - item->begin);
    return FV_OK;
}

static fv_status safetensors_item_read(safetensors_item *item, const char *name,
                                       const fvi_value *tensor, size_t data_size)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_value *dtype, *shape, *range;
    if (strlen(name) > SAFETENSORS_MAX_NAME)
        return fvi_fail(FV_E_MEMORY, "safetensors tensor \"%s\": name of %zu bytes, at most %zu",
                        fvi_safe(safe, name), strlen(name), SAFETENSORS_MAX_NAME);
    if (tensor->kind != FVI_VALUE_DICT)
        return fvi_fail(FV_E_FORMAT, "safetensors tensor \"%s\": its description is not a dict",
                        fvi_safe(safe, name));
    item->entry.name = fvi_strdup(name);
    if (item->entry.name == NULL) return FV_E_MEMORY;
    FVI_TRY(safetensors_member(&dtype, tensor, name, "dtype", FVI_VALUE_STRING));
    FVI_TRY(safetensors_member(&shape, tensor, name, "shape", FVI_VALUE_LIST));
    FVI_TRY(safetensors_member(&range, tensor, name, "data_offsets", FVI_VALUE_LIST));
    FVI_TRY(safetensors_dtype(item, dtype));
    FVI_TRY(safetensors_whole(shape, name, "shape"));
    FVI_TRY(safetensors_whole(range, name, "data_offsets"));
    if (range->count != 2 || range->item[0]->integer > range->item[1]->integer)
        return fvi_fail(FV_E_FORMAT,
                        "safetensors tensor \"%s\": \"data_offsets\" is not [begin, end]",
                        fvi_safe(safe, name));
    item->begin = (uint64_t)range->item[0]->integer;
    item->end = (uint64_t)range->item[1]->integer;
    if (item->end > data_size)
        return fvi_fail(FV_E_FORMAT,
                        "safetensors tensor \"%s\": range ends at %" PRIu64
                        ", the data area has %zu bytes",
                        fvi_safe(safe, name), item->end, data_size);
    item->shape = shape;
    return safetensors_extent(item);
}

static int safetensors_order(const void *left, const void *right)
{
    const safetensors_item *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Sorted ranges must follow one another from 0 to the end of the data. */
static fv_status safetensors_tile(const safetensors_item *item, size_t count, size_t data_size)
{
    char safe[FVI_SAFE_TEXT];
    uint64_t at = 0;
    for (size_t i = 0; i < count; at = item[i++].end)
        if (item[i].begin != at)
            return fvi_fail(FV_E_FORMAT,
                            "safetensors tensor \"%s\": begins at %" PRIu64 ", %s; expected "
                            "%" PRIu64,
                            fvi_safe(safe, item[i].entry.name), item[i].begin,
                            item[i].begin < at ? "which overlaps another" : "which leaves a hole",
                            at);
    if (at != data_size)
        return fvi_fail(FV_E_FORMAT,
                        "safetensors: tensors end at byte %" PRIu64
                        " of the data, which has %zu bytes",
                        at, data_size);
    return FV_OK;
}

/* Everything in the header, into item[0..*count). */
static fv_status safetensors_collect(safetensors_item *item, size_t *count, const fvi_value *header,
                                     size_t data_size)
{
    for (size_t i = 0; i < header->count; i++) {
        if (strcmp(header->key[i], SAFETENSORS_METADATA) == 0) {
            FVI_TRY(safetensors_metadata(header->item[i], FV_E_FORMAT));
            continue;
        }
        safetensors_item *next = &item[(*count)++];
        next->index = i;
        FVI_TRY(safetensors_item_read(next, header->key[i], header->item[i], data_size));
    }
    return FV_OK;
}

/* The view of one tensor. All is well formed by now, yet it may be more than this library holds. */
static fv_status safetensors_view(safetensors_item *item, const unsigned char *data)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_value *shape = item->shape;
    fv_shape *to = &item->entry.tensor.shape;
    if (item->type->dtype < 0)
        return fvi_fail(FV_E_UNSUPPORTED, "safetensors tensor \"%s\": dtype %s is not supported",
                        fvi_safe(safe, item->entry.name), item->type->name);
    if (shape->count > FV_MAX_RANK)
        return fvi_fail(FV_E_UNSUPPORTED, "safetensors tensor \"%s\": rank %zu, at most %d",
                        fvi_safe(safe, item->entry.name), shape->count, FV_MAX_RANK);
    to->rank = (int)shape->count;
    for (int i = 0; i < to->rank; i++) {
        if (shape->item[i]->integer > INT32_MAX)
            return fvi_fail(FV_E_UNSUPPORTED,
                            "safetensors tensor \"%s\": dimension %d is %" PRId64 ", at most %d",
                            fvi_safe(safe, item->entry.name), i, shape->item[i]->integer,
                            INT32_MAX);
        to->dim[i] = (int)shape->item[i]->integer;
    }
    size_t count;
    if (fvi_shape_count(&count, to) != FV_OK)
        return fvi_fail_in(FV_E_UNSUPPORTED, "safetensors tensor \"%s\"",
                           fvi_safe(safe, item->entry.name));
    item->entry.tensor.dtype = (fv_dtype)item->type->dtype;
    item->entry.tensor.data = (void *)(data + item->begin); /* read only, as formats.h says */
    return FV_OK;
}

/* Moves the sorted items, and the metadata out of the header, into the file. */
static fv_status safetensors_publish(fvi_safetensors **out, safetensors_item *item, size_t count,
                                     fvi_value *header)
{
    fvi_safetensors *file = fvi_alloc(1, sizeof *file, "a safetensors file");
    if (file == NULL) return FV_E_MEMORY;
    file->entry = fvi_alloc(count, sizeof *file->entry, "safetensors entries");
    if (file->entry == NULL) {
        fvi_free(file);
        return FV_E_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        file->entry[i] = item[i].entry;
        item[i].entry.name = NULL;
    }
    file->count = (int)count;
    for (size_t i = 0; i < header->count; i++)
        if (strcmp(header->key[i], SAFETENSORS_METADATA) == 0) {
            file->metadata = header->item[i];
            header->item[i] = NULL;
        }
    *out = file;
    return FV_OK;
}

static fv_status safetensors_parse(fvi_safetensors **out, fvi_value *header,
                                   const unsigned char *data, size_t data_size)
{
    if (header->count > SAFETENSORS_MAX_COUNT + 1) /* one may be the metadata */
        return fvi_fail(FV_E_MEMORY, "safetensors: %zu tensors, at most %zu are read",
                        header->count, SAFETENSORS_MAX_COUNT);
    safetensors_item *item = fvi_alloc(header->count, sizeof *item, "safetensors entries");
    if (item == NULL) return FV_E_MEMORY;
    size_t count = 0;
    fv_status status = safetensors_collect(item, &count, header, data_size);
    if (status == FV_OK) {
        qsort(item, count, sizeof *item, safetensors_order);
        status = safetensors_tile(item, count, data_size);
    }
    for (size_t i = 0; status == FV_OK && i < count; i++)
        status = safetensors_view(&item[i], data);
    if (status == FV_OK) status = safetensors_publish(out, item, count, header);
    for (size_t i = 0; i < count; i++)
        fvi_free(item[i].entry.name);
    fvi_free(item);
    return status;
}

fv_status fvi_safetensors_read(fvi_safetensors **file, const unsigned char *bytes, size_t size)
{
    *file = NULL;
    size_t header_size = 0;
    FVI_TRY(safetensors_frame(&header_size, bytes, size));
    fvi_value *header;
    fv_status status = fvi_json_read(&header, (const char *)bytes + 8, header_size);
    if (status != FV_OK) return fvi_fail_in(status, "safetensors header");
    status = safetensors_parse(file, header, bytes + 8 + header_size, size - 8 - header_size);
    fvi_value_free(header);
    return status;
}

void fvi_safetensors_free(fvi_safetensors *file)
{
    if (file == NULL) return;
    for (int i = 0; i < file->count; i++)
        fvi_free(file->entry[i].name);
    fvi_free(file->entry);
    fvi_value_free(file->metadata);
    fvi_free(file);
}

/* ---- writing ---- */

static fv_status safetensors_bytes(size_t *bytes, const fvi_safetensors_entry *entry)
{
    char safe[FVI_SAFE_TEXT];
    size_t count;
    if (entry->name == NULL || strcmp(entry->name, SAFETENSORS_METADATA) == 0)
        return fvi_fail(FV_E_ARG, "safetensors: a tensor's name is %s",
                        entry->name == NULL ? "NULL" : "\"" SAFETENSORS_METADATA "\"");
    if (strlen(entry->name) > SAFETENSORS_MAX_NAME)
        return fvi_fail(FV_E_ARG, "safetensors tensor \"%s\": name of %zu bytes, at most %zu",
                        fvi_safe(safe, entry->name), strlen(entry->name), SAFETENSORS_MAX_NAME);
    if (fvi_shape_count(&count, &entry->tensor.shape) != FV_OK)
        return fvi_fail_in(FV_E_SHAPE, "safetensors tensor \"%s\"", fvi_safe(safe, entry->name));
    size_t size = fv_dtype_size(entry->tensor.dtype);
    if (size == 0 || !fvi_mul(bytes, count, size) || (count > 0 && entry->tensor.data == NULL))
        return fvi_fail(FV_E_ARG, "safetensors tensor \"%s\": %s", fvi_safe(safe, entry->name),
                        size == 0 ? "no such dtype" : "its data is NULL");
    return FV_OK;
}

static const char *safetensors_type_name(fv_dtype dtype)
{
    for (size_t i = 0; i < FVI_COUNT(safetensors_types); i++)
        if (safetensors_types[i].dtype == (int)dtype) return safetensors_types[i].name;
    return "";
}

static fv_status safetensors_header(fvi_text *text, const fvi_safetensors_entry *entry, int count,
                                    const fvi_value *metadata)
{
    size_t at = 0, bytes;
    fvi_text_add(text, "{");
    if (metadata != NULL) {
        FVI_TRY(safetensors_metadata(metadata, FV_E_ARG));
        fvi_text_add(text, "\"" SAFETENSORS_METADATA "\":");
        FVI_TRY(fvi_json_write(text, metadata, 0));
    }
    for (int i = 0; i < count; i++) {
        const fv_tensor *tensor = &entry[i].tensor;
        FVI_TRY(safetensors_bytes(&bytes, &entry[i]));
        if (i > 0 || metadata != NULL) fvi_text_add(text, ",");
        fvi_text_add_json_string(text, entry[i].name);
        fvi_text_add(text, ":{\"dtype\":\"%s\",\"shape\":[", safetensors_type_name(tensor->dtype));
        for (int k = 0; k < tensor->shape.rank; k++)
            fvi_text_add(text, "%s%d", k > 0 ? "," : "", tensor->shape.dim[k]);
        fvi_text_add(text, "],\"data_offsets\":[%zu,", at);
        if (!fvi_sum(&at, at, bytes) || at > INT64_MAX)
            return fvi_fail(FV_E_ARG, "safetensors: the sizes of all tensors overflow");
        fvi_text_add(text, "%zu]}", at);
    }
    fvi_text_add(text, "}");
    while (text->status == FV_OK && text->size % 8 != 0)
        fvi_text_add(text, " ");
    return text->status;
}

/* What was written must read back: names that are there twice or are not UTF-8 are found here. */
static fv_status safetensors_header_check(const fvi_text *text, const fvi_safetensors_entry *entry,
                                          int count, bool has_metadata)
{
    char safe[FVI_SAFE_TEXT];
    if (text->size > SAFETENSORS_MAX_HEADER)
        return fvi_fail(FV_E_ARG, "safetensors header: %zu bytes, at most %" PRIu64, text->size,
                        SAFETENSORS_MAX_HEADER);
    fvi_value *header;
    fv_status status = fvi_json_read(&header, text->data, text->size);
    if (status == FV_E_MEMORY) return status;
    if (status != FV_OK) return fvi_fail_in(FV_E_ARG, "safetensors header to be written");
    for (int i = 0; status == FV_OK && i < count; i++)
        if (strcmp(header->key[(size_t)i + has_metadata], entry[i].name) != 0)
            status = fvi_fail(FV_E_ARG, "safetensors tensor \"%s\": its name is not UTF-8",
                              fvi_safe(safe, entry[i].name));
    fvi_value_free(header);
    return status;
}

static fv_status safetensors_put(fvi_save *save, const fvi_text *header,
                                 const fvi_safetensors_entry *entry, int count)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)header->size >> (8 * i));
    FVI_TRY(fvi_save_write(save, length, sizeof length));
    FVI_TRY(fvi_save_write(save, header->data, header->size));
    for (int i = 0; i < count; i++) {
        size_t bytes;
        FVI_TRY(safetensors_bytes(&bytes, &entry[i]));
        if (bytes > 0) FVI_TRY(fvi_save_write(save, entry[i].tensor.data, bytes));
    }
    return FV_OK;
}

fv_status fvi_safetensors_write(fvi_save *save, const fvi_safetensors_entry *entry, int count,
                                const fvi_value *metadata)
{
    if (count < 0 || (size_t)count > SAFETENSORS_MAX_COUNT)
        return fvi_fail(FV_E_ARG, "safetensors: %d tensors, at most %zu", count,
                        SAFETENSORS_MAX_COUNT);
    fvi_text text = {0};
    fv_status status = safetensors_header(&text, entry, count, metadata);
    if (status == FV_OK) status = safetensors_header_check(&text, entry, count, metadata != NULL);
    if (status == FV_OK) status = safetensors_put(save, &text, entry, count);
    fvi_text_free(&text);
    return status;
}
