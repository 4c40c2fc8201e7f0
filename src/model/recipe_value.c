/* SPDX-License-Identifier: MIT */
/* The values in a recipe, and the arguments of a layer: numbers, strings, tuples, initializers. */
#include "model/recipe_internal.h"

#include <stdio.h>
#include <string.h>

#define RECIPE_VALUE "a number, a string, True, False, None, a tuple or a list"

static const char *const recipe_constants[] = {"True", "False", "None"};

/* Keys that every layer has besides its fields. */
static const char *const recipe_common[] = {"name", "trainable", "dtype", "input_shape"};

fv_status fvi_recipe_chain(fvi_recipe_lexer *r, fvi_recipe_token *first, fvi_recipe_token *last)
{
    *first = *last = r->token;
    FVI_TRY(fvi_recipe_next(r));
    while (fvi_recipe_is(r, '.')) {
        FVI_TRY(fvi_recipe_next(r));
        if (r->token.kind != FVI_RECIPE_NAME) return fvi_recipe_expected(r, "a name after \".\"");
        *last = r->token;
        FVI_TRY(fvi_recipe_next(r));
    }
    return FV_OK;
}

/* *value gets `made`, which is NULL when memory is short, and its place. */
static fv_status recipe_made(fvi_value **value, fvi_value *made, const fvi_recipe_token *at)
{
    if (!made) return FV_E_MEMORY;
    made->line = at->line;
    made->column = at->column;
    *value = made;
    return FV_OK;
}

/* `at` is where it begins: its sign, if it has one. */
static fv_status recipe_number(fvi_recipe_lexer *r, const fvi_recipe_token *at, fvi_value **value)
{
    fvi_recipe_token token = r->token;
    bool is_negative = *at->text == '-';
    bool is_integer = true, is_zero = true;
    for (size_t i = 0; i < token.size; i++) {
        is_integer = is_integer && token.text[i] >= '0' && token.text[i] <= '9';
        is_zero = is_zero && token.text[i] == '0';
    }
    int64_t integer = 0;
    double number = 0;
    bool is_octal = is_integer && *token.text == '0' && !is_zero; /* 010 is an error in Python */
    bool is_good = is_integer ? !is_octal && fvi_parse_int64(&integer, token.text, token.size)
                              : fvi_parse_double(&number, token.text, token.size);
    if (!is_good) return fvi_recipe_expected(r, "a decimal number that fits");
    FVI_TRY(fvi_recipe_next(r));
    fvi_value *made = is_integer ? fvi_value_int(is_negative ? -integer : integer)
                                 : fvi_value_double(is_negative ? -number : number);
    return recipe_made(value, made, at);
}

/* The text between the quotes with its escapes replaced; the lexer has checked them. */
static fv_status recipe_string(fvi_recipe_lexer *r, fvi_value **value)
{
    fvi_recipe_token token = r->token;
    char *text = fvi_alloc(token.size + 1, 1, "a string");
    if (!text) return FV_E_MEMORY;
    size_t size = 0;
    for (size_t i = 0; i < token.size; i++) {
        char c = token.text[i];
        if (c == '\r') continue; /* only as a part of a line end */
        if (c != '\\') {
            text[size++] = c;
            continue;
        }
        c = token.text[++i];
        if (c == '\r') c = token.text[++i];
        if (c == '\n') continue; /* a joined line */
        text[size++] = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
    }
    fv_status status = recipe_made(value, fvi_value_string(text), &token);
    fvi_free(text);
    if (status == FV_OK) status = fvi_recipe_next(r);
    if (status == FV_OK) return FV_OK;
    fvi_value_free(*value);
    *value = NULL;
    return status;
}

/* From "(" or "[" to past its end. (3) is 3, (3,) and [3] are lists. */
static fv_status recipe_list(fvi_recipe_lexer *r, fvi_value **value)
{
    char close = (char)(fvi_recipe_is(r, '(') ? ')' : ']');
    fvi_recipe_token at = r->token;
    fvi_value *list = NULL;
    fv_status status = recipe_made(&list, fvi_value_list(), &at);
    if (status == FV_OK) status = fvi_recipe_next(r);
    bool more = status == FV_OK && !fvi_recipe_is(r, close), is_tuple = !more || close == ']';
    while (status == FV_OK && more) {
        fvi_value *item = NULL;
        status = fvi_recipe_value(r, &item);
        if (status == FV_OK) status = fvi_value_push(list, item);
        is_tuple = is_tuple || fvi_recipe_is(r, ',');
        if (status == FV_OK) status = fvi_recipe_comma(r, close, &more);
    }
    if (status == FV_OK) status = fvi_recipe_next(r);
    if (status == FV_OK && !is_tuple) {
        *value = list->item[0];
        list->count = 0;
        fvi_value_free(list);
        return FV_OK;
    }
    if (status == FV_OK) {
        *value = list;
        return FV_OK;
    }
    fvi_value_free(list);
    return status;
}

/* One argument of an initializer. Which key a bare value means only Keras knows: it gets its
   number. */
static fv_status recipe_object_argument(fvi_recipe_lexer *r, fvi_value *config)
{
    char key[FVI_RECIPE_WORD];
    fvi_recipe_token at = r->token;
    snprintf(key, sizeof key, "%zu", config->count);
    if (at.kind == FVI_RECIPE_NAME && fvi_recipe_is_next(r, '=')) {
        fvi_recipe_word(key, &at);
        if (fvi_value_get(config, key)) return fvi_recipe_fail(r, &at, "%s is given twice", key);
        FVI_TRY(fvi_recipe_next(r));
        FVI_TRY(fvi_recipe_next(r));
    }
    fvi_value *value = NULL;
    FVI_TRY(fvi_recipe_value(r, &value));
    return fvi_value_set(config, key, value);
}

/* HeNormal(seed=0) as Keras writes it in JSON: class_name and config. The present token is "(". */
static fv_status recipe_object(fvi_recipe_lexer *r, const fvi_recipe_token *word, fvi_value **value)
{
    char name[FVI_RECIPE_WORD];
    fvi_recipe_word(name, word);
    fvi_value *object = NULL, *config = NULL;
    fv_status status = recipe_made(&object, fvi_value_dict(), word);
    if (status != FV_OK) goto done;
    status = fvi_value_set(object, "class_name", fvi_value_string(name));
    if (status != FV_OK) goto done;
    config = fvi_value_dict();
    status = fvi_value_set(object, "config", config);
    if (status != FV_OK) goto done;
    object->item[0]->line = config->line = word->line;
    object->item[0]->column = config->column = word->column;
    status = fvi_recipe_next(r);
    bool more = !fvi_recipe_is(r, ')');
    while (status == FV_OK && more) {
        status = recipe_object_argument(r, config);
        if (status == FV_OK) status = fvi_recipe_comma(r, ')', &more);
    }
    if (status == FV_OK) status = fvi_recipe_next(r);
done:
    if (status != FV_OK) {
        fvi_value_free(object);
        object = NULL;
    }
    *value = object;
    return status;
}

/* True, False, None, or a call of an initializer. */
static fv_status recipe_word(fvi_recipe_lexer *r, fvi_value **value)
{
    fvi_recipe_token first, last;
    if (fvi_recipe_is_keyword(&r->token)) return fvi_recipe_expected(r, RECIPE_VALUE);
    FVI_TRY(fvi_recipe_chain(r, &first, &last));
    if (fvi_recipe_is(r, '(')) return recipe_object(r, &last, value);
    if (first.text == last.text) {
        if (fvi_recipe_is_word(&first, "None")) {
            return recipe_made(value, fvi_value_null(), &first);
        }
        bool is_true = fvi_recipe_is_word(&first, "True");
        if (is_true || fvi_recipe_is_word(&first, "False")) {
            return recipe_made(value, fvi_value_bool(is_true), &first);
        }
    }
    char word[FVI_RECIPE_WORD];
    fvi_recipe_word(word, &last);
    if (fv_nearest(word, recipe_constants, FVI_COUNT(recipe_constants))) {
        return fvi_recipe_unknown(r, &last, "value", recipe_constants, FVI_COUNT(recipe_constants));
    }
    return fvi_recipe_fail(r, &last, "expected a value, found the name %s; a word stands in quotes",
                           word);
}

fv_status fvi_recipe_value(fvi_recipe_lexer *r, fvi_value **value)
{
    *value = NULL;
    if (r->items++ >= FVI_RECIPE_ITEMS) {
        return fvi_recipe_fail(r, &r->token, "more than %d values in one call", FVI_RECIPE_ITEMS);
    }
    fvi_recipe_token at = r->token;
    if (fvi_recipe_is(r, '-') || fvi_recipe_is(r, '+')) {
        FVI_TRY(fvi_recipe_next(r));
        if (r->token.kind != FVI_RECIPE_NUMBER) return fvi_recipe_expected(r, "a number");
    }
    if (r->token.kind == FVI_RECIPE_NUMBER) return recipe_number(r, &at, value);
    if (r->token.kind == FVI_RECIPE_STRING) return recipe_string(r, value);
    if (r->token.kind == FVI_RECIPE_NAME) return recipe_word(r, value);
    if (fvi_recipe_is(r, '(') || fvi_recipe_is(r, '[')) return recipe_list(r, value);
    return fvi_recipe_expected(r, RECIPE_VALUE);
}

/* ---- the arguments of a layer ---- */

/* Whether a layer of that kind takes the key; else an error that names the nearest. */
static fv_status recipe_check_key(const fvi_recipe_lexer *r, const fvi_recipe_token *at,
                                  const fvi_op *op)
{
    const char *known[64];
    size_t count = 0;
    for (size_t i = 0; i < FVI_COUNT(recipe_common); i++) {
        known[count++] = recipe_common[i];
    }
    for (size_t i = 0; i < op->n_fields && count < FVI_COUNT(known); i++) {
        known[count++] = op->fields[i].key;
    }
    for (size_t i = 0; i < count; i++) {
        if (fvi_recipe_is_word(at, known[i])) return FV_OK;
    }
    return fvi_recipe_unknown(r, at, "argument", known, count);
}

/* What a layer's common keys may say here: any name; trainable True; dtype float32. */
static fv_status recipe_check_common(const fvi_recipe_lexer *r, const char *key,
                                     const fvi_value *value)
{
    fvi_recipe_token at = {.line = value->line, .column = value->column};
    bool is_none = value->kind == FVI_VALUE_NULL, is_string = value->kind == FVI_VALUE_STRING;
    if (strcmp(key, "name") == 0 && !is_none && !(is_string && *value->string)) {
        return fvi_recipe_fail(r, &at, "name: expected a string that is not empty, or None");
    }
    if (strcmp(key, "trainable") == 0 && !value->boolean) {
        return fvi_recipe_fail(r, &at, "trainable: only True is supported");
    }
    if (strcmp(key, "dtype") == 0 && !is_none &&
        !(is_string && strcmp(value->string, "float32") == 0)) {
        return fvi_recipe_fail(r, &at, "dtype: only \"float32\" is supported");
    }
    return FV_OK;
}

/* Reads a value and puts it under its key. */
static fv_status recipe_put(fvi_recipe_lexer *r, fvi_value *dict, const char *key)
{
    fvi_value *value = NULL;
    fv_status status = fvi_recipe_value(r, &value);
    if (status != FV_OK || !value) return status;
    status = recipe_check_common(r, key, value);
    if (status == FV_OK) return fvi_value_set(dict, key, value);
    fvi_value_free(value);
    return status;
}

/* One key=value. */
static fv_status recipe_named(fvi_recipe_lexer *r, const fvi_op *op, fvi_recipe_arguments *a)
{
    char name[FVI_RECIPE_WORD];
    fvi_recipe_token at = r->token;
    FVI_TRY(recipe_check_key(r, &at, op));
    fvi_recipe_word(name, &at);
    bool is_input_shape = fvi_recipe_is_word(&at, "input_shape");
    const char *key = is_input_shape && fvi_recipe_is_input(op) ? op->fields[0].key : name;
    bool is_apart = is_input_shape && !fvi_recipe_is_input(op);
    if (is_apart ? a->input_shape != NULL : fvi_value_get(a->dict, key) != NULL) {
        return fvi_recipe_fail(r, &at, "%s is given twice", key);
    }
    FVI_TRY(fvi_recipe_next(r));
    FVI_TRY(fvi_recipe_next(r));
    return is_apart ? fvi_recipe_value(r, &a->input_shape) : recipe_put(r, a->dict, key);
}

/* One value without a key: it goes to the field that stands there in Keras's order. */
static fv_status recipe_positional(fvi_recipe_lexer *r, const fvi_recipe_token *word,
                                   const fvi_op *op, fvi_recipe_arguments *a)
{
    char name[FVI_RECIPE_WORD];
    size_t n = a->dict->count;
    fvi_recipe_word(name, word);
    if (a->has_keyword) return fvi_recipe_expected(r, "name=value, as the argument before");
    if (n >= op->n_fields) {
        return fvi_recipe_fail(r, &r->token, "%s has only %zu arguments; this is one too many",
                               name, op->n_fields);
    }
    return recipe_put(r, a->dict, op->fields[n].key);
}

void fvi_recipe_free_arguments(fvi_recipe_arguments *arguments)
{
    fvi_value_free(arguments->dict);
    fvi_value_free(arguments->input_shape);
    *arguments = (fvi_recipe_arguments){0};
}

fv_status fvi_recipe_read_arguments(fvi_recipe_lexer *r, const fvi_recipe_token *word,
                                    const fvi_op *op, fvi_recipe_arguments *arguments)
{
    *arguments = (fvi_recipe_arguments){0};
    FVI_TRY(recipe_made(&arguments->dict, fvi_value_dict(), word));
    r->items = 0;
    fv_status status = fvi_recipe_next(r);
    bool more = status == FV_OK && !fvi_recipe_is(r, ')');
    while (status == FV_OK && more) {
        if (r->token.kind == FVI_RECIPE_NAME && fvi_recipe_is_next(r, '=')) {
            status = recipe_named(r, op, arguments);
            arguments->has_keyword = true;
        } else {
            status = recipe_positional(r, word, op, arguments);
        }
        if (status == FV_OK) status = fvi_recipe_comma(r, ')', &more);
    }
    if (status == FV_OK) status = fvi_recipe_next(r);
    if (status != FV_OK) fvi_recipe_free_arguments(arguments);
    return status;
}
