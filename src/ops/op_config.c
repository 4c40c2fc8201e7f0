/* SPDX-License-Identifier: MIT */
/* Config structs to and from Keras's keys, and what is said when one is wrong; driven by
   fvi_field. */
#include "ops/op_field.h"

#include <float.h>
#include <limits.h>
#include <string.h>

#define CONFIG_SHOWN 8 /* items of a list that a message shows */
#define CONFIG_KEYS 32 /* keys of one op, at most */

/* ---- messages ---- */

static void config_show(fvi_text *out, const fvi_value *value, int depth)
{
    char safe[FVI_SAFE_TEXT];
    const char *class_name = fvi_value_get_string(value, "class_name");
    switch (value->kind) {
    case FVI_VALUE_NULL:
        fvi_text_add(out, "None");
        break;
    case FVI_VALUE_BOOL:
        fvi_text_add(out, "%s", value->boolean ? "True" : "False");
        break;
    case FVI_VALUE_INT:
        fvi_text_add(out, "%lld", (long long)value->integer);
        break;
    case FVI_VALUE_DOUBLE:
        fvi_text_add_double(out, value->number);
        break;
    case FVI_VALUE_STRING:
        fvi_text_add(out, "\"%s\"", fvi_safe(safe, value->string));
        break;
    case FVI_VALUE_DICT:
        fvi_text_add(out, "%s", class_name ? fvi_safe(safe, class_name) : "{...}");
        break;
    case FVI_VALUE_LIST:
        fvi_text_add(out, "[");
        for (size_t i = 0; i < value->count; i++) {
            fvi_text_add(out, "%s", i ? ", " : "");
            if (i == CONFIG_SHOWN || depth == 3) {
                fvi_text_add(out, "...");
                break;
            }
            config_show(out, value->item[i], depth + 1);
        }
        fvi_text_add(out, "]");
        break;
    }
}

static void config_add_expected(fvi_text *out, const fvi_field *f)
{
    fvi_text_add(out, "expected %s", fvi_field_way_of(f)->expected);
    if (f->kind == FVI_FIELD_INT || f->kind == FVI_FIELD_PAIR || f->kind == FVI_FIELD_FLOAT) {
        bool has_most = f->most < (f->kind == FVI_FIELD_FLOAT ? (double)FLT_MAX : (double)INT_MAX);
        long long least = (long long)f->least, most = has_most ? (long long)f->most : 0;
        if (fvi_field_is_above_zero(f)) {
            fvi_text_add(out, " above 0");
            if (has_most) fvi_text_add(out, " and at most %lld", most);
        } else if (has_most) {
            fvi_text_add(out, " from %lld to %lld", least, most);
        } else {
            fvi_text_add(out, " of %lld or more", least);
        }
    }
    const char *word[FVI_FIELD_WORDS];
    size_t count = fvi_field_words(word, f);
    for (size_t i = 0; f->kind != FVI_FIELD_PADDING && i < count; i++) {
        fvi_text_add(out, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", word[i]);
    }
}

/* "strides 0: expected an integer of 1 or more"; value NULL: it could not be made. */
static fv_status config_refuse(fv_status code, const fvi_field *f, const fvi_value *value)
{
    if (!value) return FV_E_MEMORY;
    fvi_text text = {0};
    fvi_text_add(&text, "%s ", f->key);
    config_show(&text, value, 0);
    if (f->kind == FVI_FIELD_IGNORED) {
        code = FV_E_UNSUPPORTED;
        fvi_text_add(&text, " is not supported; only %s", f->words ? f->words[0].word : "None");
    } else {
        fvi_text_add(&text, ": ");
        config_add_expected(&text, f);
    }
    const char *word[FVI_FIELD_WORDS];
    size_t count = fvi_field_words(word, f);
    const char *given = value->kind == FVI_VALUE_STRING ? value->string : NULL;
    const char *nearest = given ? fv_nearest(given, word, count) : NULL;
    if (nearest) fvi_text_add(&text, "; did you mean \"%s\"?", nearest);
    fv_status status = text.status != FV_OK ? text.status : fvi_fail(code, "%s", text.data);
    fvi_text_free(&text);
    return status;
}

static fv_status config_refuse_missing(const fvi_field *f)
{
    fvi_text text = {0};
    config_add_expected(&text, f);
    fv_status status = text.status != FV_OK
                           ? text.status
                           : fvi_fail(FV_E_FORMAT, "%s is missing: %s", f->key, text.data);
    fvi_text_free(&text);
    return status;
}

/* ---- the three ways ---- */

fv_status fvi_op_config_complete(const fvi_op *op, void *config)
{
    for (size_t i = 0; i < op->n_fields; i++) {
        const fvi_field *f = &op->fields[i];
        const fvi_field_way *way = fvi_field_way_of(f);
        if (way->complete(f, config)) continue;
        fvi_value *shown = way->write(f, config);
        fv_status status = config_refuse(FV_E_ARG, f, shown);
        fvi_value_free(shown);
        return status;
    }
    return FV_OK;
}

static const fvi_field *config_find(const fvi_op *op, const char *key)
{
    for (size_t i = 0; i < op->n_fields; i++) {
        if (strcmp(op->fields[i].key, key) == 0) return &op->fields[i];
    }
    return NULL;
}

/* Keys of every Keras layer that are not the op's affair. */
static bool config_is_common(const char *key)
{
    return strcmp(key, "name") == 0 || strcmp(key, "trainable") == 0 || strcmp(key, "dtype") == 0;
}

static fv_status config_refuse_key(const fvi_op *op, const char *key)
{
    char safe[FVI_SAFE_TEXT];
    const char *keys[CONFIG_KEYS + 1] = {"name"};
    size_t count = 1;
    for (size_t i = 0; i < op->n_fields && count <= CONFIG_KEYS; i++) {
        if (!config_is_common(op->fields[i].key)) keys[count++] = op->fields[i].key;
    }
    const char *nearest = fv_nearest(key, keys, count);
    fvi_safe(safe, key);
    if (nearest) {
        return fvi_fail(FV_E_FORMAT, "unknown key \"%s\"; did you mean \"%s\"?", safe, nearest);
    }
    fvi_text text = {0};
    for (size_t i = 0; i < count; i++) {
        fvi_text_add(&text, "%s%s", i ? ", " : "", keys[i]);
    }
    fv_status status = text.status;
    if (status == FV_OK) {
        status = fvi_fail(FV_E_FORMAT, "unknown key \"%s\"; %s has %s", safe, op->name, text.data);
    }
    fvi_text_free(&text);
    return status;
}

fv_status fvi_op_config_from_dict(const fvi_op *op, void *config, const fvi_value *dict,
                                  const fvi_value **bad)
{
    const fvi_value *ignored = NULL;
    if (!bad) bad = &ignored;
    *bad = dict;
    if (dict->kind != FVI_VALUE_DICT) {
        return fvi_fail(FV_E_FORMAT, "the config of %s is no dict", op->name);
    }
    for (size_t i = 0; i < dict->count; i++) {
        if (config_is_common(dict->key[i])) continue;
        *bad = dict->item[i];
        const fvi_field *f = config_find(op, dict->key[i]);
        if (!f) return config_refuse_key(op, dict->key[i]);
        if (!fvi_field_way_of(f)->read(f, config, dict->item[i])) {
            return config_refuse(FV_E_FORMAT, f, dict->item[i]);
        }
    }
    *bad = dict;
    for (size_t i = 0; i < op->n_fields; i++) {
        const fvi_field *f = &op->fields[i];
        bool is_set = !f->required || fvi_value_get(dict, f->key);
        if (!is_set) return config_refuse_missing(f);
    }
    fv_status status = fvi_op_config_complete(op, config);
    if (status == FV_OK) *bad = NULL;
    return status == FV_E_ARG ? FV_E_FORMAT : status;
}

fv_status fvi_op_config_to_dict(const fvi_op *op, const void *config, fvi_value **dict)
{
    *dict = NULL;
    fvi_value *made = fvi_value_dict();
    if (!made) return FV_E_MEMORY;
    for (size_t i = 0; i < op->n_fields; i++) {
        const fvi_field *f = &op->fields[i];
        if (f->kind == FVI_FIELD_IGNORED && (!f->words || f->extra)) continue;
        if (f->kind == FVI_FIELD_SHAPE && !f->extra) continue; /* its batch_shape is written */
        fv_status status = fvi_value_set(made, f->key, fvi_field_way_of(f)->write(f, config));
        if (status == FV_OK) continue;
        fvi_value_free(made);
        return status;
    }
    *dict = made;
    return FV_OK;
}
