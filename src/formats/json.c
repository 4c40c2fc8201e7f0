/* SPDX-License-Identifier: MIT */
/* JSON text to values and back. Reading goes through jansson, the only file that does; writing is
   ours, for the shortest doubles. */
#include "formats/formats.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

#define JSON_MAX_BYTES ((size_t)100000000)
#define JSON_MAX_DEPTH 64
#define JSON_MAX_VALUES ((size_t)1 << 20)

/* ---- reading ---- */

typedef struct json_place {
    int line, column;
} json_place;

/* Depth, number of values and NUL bytes are checked here, so that jansson never recurses deep or
   builds a huge tree. */
static fv_status json_scan(const char *bytes, size_t size)
{
    json_place at = {1, 0};
    size_t values = 0;
    int depth = 0;
    bool in_string = false, escaped = false;
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        at.column++;
        if (c == '\0')
            return fvi_fail(FV_E_FORMAT, "JSON line %d, column %d: a NUL byte", at.line, at.column);
        if (c == '\n') {
            at.line++;
            at.column = 0;
        }
        if (in_string) {
            if (escaped)
                escaped = false;
            else if (c == '\\')
                escaped = true;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth > 0) depth--;
        if (depth > JSON_MAX_DEPTH)
            return fvi_fail(FV_E_FORMAT, "JSON line %d, column %d: nested deeper than %d", at.line,
                            at.column, JSON_MAX_DEPTH);
        if (c == '[' || c == '{' || c == ',') values++;
        if (values > JSON_MAX_VALUES)
            return fvi_fail(FV_E_MEMORY, "JSON line %d, column %d: more than %zu values", at.line,
                            at.column, JSON_MAX_VALUES);
    }
    return FV_OK;
}

static fv_status json_refuse(const json_error_t *error)
{
    char safe[FVI_SAFE_TEXT];
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return fvi_fail(FV_E_MEMORY, "out of memory: JSON of %d bytes read so far",
                        error->position);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return fvi_fail(FV_E_FORMAT, "JSON line %d, column %d: a NUL character in a string",
                        error->line, error->column);
    default:
        return fvi_fail(FV_E_FORMAT, "JSON line %d, column %d: %s", error->line, error->column,
                        fvi_safe(safe, error->text));
    }
}

static fv_status json_convert(fvi_value **out, json_t *json);

static fv_status json_convert_list(fvi_value *list, const json_t *json)
{
    for (size_t i = 0; i < json_array_size(json); i++) {
        fvi_value *item = NULL;
        FVI_TRY(json_convert(&item, json_array_get(json, i)));
        FVI_TRY(fvi_value_push(list, item));
    }
    return FV_OK;
}

static fv_status json_convert_dict(fvi_value *dict, json_t *json)
{
    const char *key;
    json_t *member;
    json_object_foreach(json, key, member)
    {
        fvi_value *item = NULL;
        FVI_TRY(json_convert(&item, member));
        FVI_TRY(fvi_value_set(dict, key, item));
    }
    return FV_OK;
}

/* Recursion is bounded by json_scan. */
static fv_status json_convert(fvi_value **out, json_t *json)
{
    fvi_value *value = NULL;
    fv_status status = FV_OK;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        value = fvi_value_dict();
        if (value != NULL) status = json_convert_dict(value, json);
        break;
    case JSON_ARRAY:
        value = fvi_value_list();
        if (value != NULL) status = json_convert_list(value, json);
        break;
    case JSON_STRING:
        value = fvi_value_string(json_string_value(json));
        break;
    case JSON_INTEGER:
        value = fvi_value_int(json_integer_value(json));
        break;
    case JSON_REAL:
        value = fvi_value_double(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value = fvi_value_bool(json_is_true(json));
        break;
    case JSON_NULL:
        value = fvi_value_null();
        break;
    }
    if (value == NULL) return FV_E_MEMORY; /* the message is set where it happened */
    if (status != FV_OK) {
        fvi_value_free(value);
        return status;
    }
    *out = value;
    return FV_OK;
}

fv_status fvi_json_read(fvi_value **value, const char *bytes, size_t size)
{
    *value = NULL;
    if (size > JSON_MAX_BYTES)
        return fvi_fail(FV_E_MEMORY, "JSON: %zu bytes, at most %zu are read", size, JSON_MAX_BYTES);
    FVI_TRY(json_scan(bytes, size));
    json_error_t error;
    json_t *json =
        json_loadb(size > 0 ? bytes : "", size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (json == NULL) return json_refuse(&error);
    fv_status status = json_convert(value, json);
    json_decref(json);
    return status;
}

/* ---- writing ---- */

static void json_line(fvi_text *text, int indent, int depth)
{
    if (indent > 0) fvi_text_add(text, "\n%*s", indent * depth, "");
}

/* A double stays one when it is read back: 1 is written 1.0. */
static fv_status json_put_double(fvi_text *text, double number)
{
    if (!isfinite(number))
        return fvi_fail(FV_E_ARG, "JSON has no %s", isnan(number) ? "NaN" : "infinity");
    size_t start = text->size;
    fvi_text_add_double(text, number);
    if (text->status == FV_OK && strpbrk(text->data + start, ".eE") == NULL)
        fvi_text_add(text, ".0");
    return text->status;
}

static fv_status json_put(fvi_text *text, const fvi_value *value, int indent, int depth)
{
    if (depth > JSON_MAX_DEPTH)
        return fvi_fail(FV_E_ARG, "JSON: nested deeper than %d", JSON_MAX_DEPTH);
    bool is_dict = value->kind == FVI_VALUE_DICT;
    switch (value->kind) {
    case FVI_VALUE_NULL:
        fvi_text_add(text, "null");
        return text->status;
    case FVI_VALUE_BOOL:
        fvi_text_add(text, value->boolean ? "true" : "false");
        return text->status;
    case FVI_VALUE_INT:
        fvi_text_add(text, "%" PRId64, value->integer);
        return text->status;
    case FVI_VALUE_DOUBLE:
        return json_put_double(text, value->number);
    case FVI_VALUE_STRING:
        fvi_text_add_json_string(text, value->string);
        return text->status;
    case FVI_VALUE_LIST:
    case FVI_VALUE_DICT:
        break;
    }
    fvi_text_add(text, is_dict ? "{" : "[");
    for (size_t i = 0; i < value->count; i++) {
        if (i > 0) fvi_text_add(text, ",");
        json_line(text, indent, depth + 1);
        if (is_dict) {
            fvi_text_add_json_string(text, value->key[i]);
            fvi_text_add(text, indent > 0 ? ": " : ":");
        }
        FVI_TRY(json_put(text, value->item[i], indent, depth + 1));
    }
    if (value->count > 0) json_line(text, indent, depth);
    fvi_text_add(text, is_dict ? "}" : "]");
    return text->status;
}

fv_status fvi_json_write(fvi_text *text, const fvi_value *value, int indent)
{
    FVI_TRY(text->status);
    size_t start = text->size;
    fv_status status = json_put(text, value, indent, 0);
    if (status != FV_OK && text->data != NULL) { /* no half a document stays in the text */
        text->size = start;
        text->data[start] = '\0';
    }
    return status;
}
