/* SPDX-License-Identifier: MIT */
/* Null, bool, number, string, list, dict: what JSON and recipes both become. */
#include "base/base_internal.h"

#include <string.h>

#define VALUE_FIRST 4  /* room of a list when its first item comes; doubled from there */
#define VALUE_LINEAR 8 /* a dict of at most so many keys is searched from the front */

static fvi_value *value_new(fvi_value_kind kind)
{
    fvi_value *value = fvi_alloc(1, sizeof *value, "a value");
    if (value) value->kind = kind;
    return value;
}

fvi_value *fvi_value_null(void)
{
    return value_new(FVI_VALUE_NULL);
}

fvi_value *fvi_value_bool(bool boolean)
{
    fvi_value *value = value_new(FVI_VALUE_BOOL);
    if (value) value->boolean = boolean;
    return value;
}

fvi_value *fvi_value_int(int64_t integer)
{
    fvi_value *value = value_new(FVI_VALUE_INT);
    if (!value) return NULL;
    value->integer = integer;
    value->number = (double)integer;
    return value;
}

fvi_value *fvi_value_double(double number)
{
    fvi_value *value = value_new(FVI_VALUE_DOUBLE);
    if (value) value->number = number;
    return value;
}

fvi_value *fvi_value_string(const char *string)
{
    fvi_value *value = value_new(FVI_VALUE_STRING);
    if (!value) return NULL;
    value->string = fvi_strdup(string ? string : "");
    if (value->string) return value;
    fvi_value_free(value);
    return NULL;
}

fvi_value *fvi_value_list(void)
{
    return value_new(FVI_VALUE_LIST);
}

fvi_value *fvi_value_dict(void)
{
    return value_new(FVI_VALUE_DICT);
}

/* The room that belongs to a count: none, VALUE_FIRST, then powers of two. */
static size_t value_room(size_t count)
{
    size_t room = count ? VALUE_FIRST : 0;
    while (room < count) {
        room *= 2;
    }
    return room;
}

/* Behind the keys of a dict with room for more than VALUE_LINEAR lies an open hash table of
   2 * room slots (1 + number of the key, 0 for free), so that a file with very many keys does not
   take quadratic time. */
static uint32_t *value_slots(const fvi_value *dict, size_t room)
{
    return (uint32_t *)(void *)(dict->key + room);
}

/* FNV-1a, started from the dict's address so that no file can be made of colliding keys. */
static size_t value_hash(const fvi_value *dict, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)(uintptr_t)dict;
    for (; *key; key++) {
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the key, or the free one where it would go. */
static uint32_t *value_slot(const fvi_value *dict, size_t room, const char *key)
{
    uint32_t *slot = value_slots(dict, room);
    size_t mask = 2 * room - 1;
    size_t at = value_hash(dict, key) & mask;
    while (slot[at] && strcmp(dict->key[slot[at] - 1], key) != 0) {
        at = (at + 1) & mask;
    }
    return &slot[at];
}

/* The number of the key; SIZE_MAX when it is not there. */
static size_t value_find(const fvi_value *dict, const char *key)
{
    size_t room = value_room(dict->count);
    if (room > VALUE_LINEAR) return (size_t)*value_slot(dict, room, key) - 1;
    for (size_t i = 0; i < dict->count; i++) {
        if (strcmp(dict->key[i], key) == 0) return i;
    }
    return SIZE_MAX;
}

/* Room for one more item. */
static fv_status value_grow_items(fvi_value *value)
{
    size_t room = value_room(value->count + 1);
    if (room == value_room(value->count)) return FV_OK;
    fvi_value **item = fvi_grow(value->item, value->count, room, sizeof *item, "a list");
    if (!item) return FV_E_MEMORY;
    value->item = item;
    return FV_OK;
}

/* Room for one more key, and the table filled again when it moved. */
static fv_status value_grow_keys(fvi_value *dict)
{
    size_t room = value_room(dict->count + 1);
    if (room == value_room(dict->count)) return FV_OK;
    if (room >= UINT32_MAX / 2) return fvi_fail(FV_E_MEMORY, "more than %zu keys", dict->count);
    /* A slot is at most as large as a pointer, so 3 * room pointers hold both. */
    size_t size = room > VALUE_LINEAR ? 3 * room : room;
    char **key = fvi_grow(dict->key, dict->count, size, sizeof *key, "a dict");
    if (!key) return FV_E_MEMORY;
    dict->key = key;
    for (size_t i = 0; room > VALUE_LINEAR && i < dict->count; i++) {
        *value_slot(dict, room, key[i]) = (uint32_t)(i + 1);
    }
    return FV_OK;
}

fv_status fvi_value_push(fvi_value *list, fvi_value *item)
{
    if (!item) return FV_E_MEMORY;
    fv_status status = value_grow_items(list);
    if (status != FV_OK) {
        fvi_value_free(item);
        return status;
    }
    list->item[list->count++] = item;
    return FV_OK;
}

static fv_status value_set(fvi_value *dict, const char *key, fvi_value *item)
{
    char safe[FVI_SAFE_TEXT];
    if (value_find(dict, key) != SIZE_MAX) {
        return fvi_fail(FV_E_FORMAT, "key \"%s\" is there twice", fvi_safe(safe, key));
    }
    /* The keys last: their room is read from count, so a failure after them would leave a table
       that count does not know of. */
    char *name = fvi_strdup(key);
    fv_status status = name ? value_grow_items(dict) : FV_E_MEMORY;
    if (status == FV_OK) status = value_grow_keys(dict);
    if (status != FV_OK) {
        fvi_free(name);
        return status;
    }
    size_t room = value_room(dict->count + 1);
    if (room > VALUE_LINEAR) *value_slot(dict, room, name) = (uint32_t)(dict->count + 1);
    dict->key[dict->count] = name;
    dict->item[dict->count++] = item;
    return FV_OK;
}

fv_status fvi_value_set(fvi_value *dict, const char *key, fvi_value *item)
{
    if (!item) return FV_E_MEMORY;
    fv_status status = value_set(dict, key, item);
    if (status != FV_OK) fvi_value_free(item);
    return status;
}

const fvi_value *fvi_value_get(const fvi_value *dict, const char *key)
{
    if (!dict || dict->kind != FVI_VALUE_DICT) return NULL;
    size_t at = value_find(dict, key);
    return at == SIZE_MAX ? NULL : dict->item[at];
}

const char *fvi_value_get_string(const fvi_value *dict, const char *key)
{
    const fvi_value *value = fvi_value_get(dict, key);
    return value && value->kind == FVI_VALUE_STRING ? value->string : NULL;
}

void fvi_value_free(fvi_value *value)
{
    if (!value) return;
    for (size_t i = 0; i < value->count; i++) {
        fvi_value_free(value->item[i]); /* as deep as its text was nested, which readers limit */
        if (value->key) fvi_free(value->key[i]);
    }
    fvi_free(value->string);
    fvi_free(value->item);
    fvi_free(value->key);
    fvi_free(value);
}
