/* SPDX-License-Identifier: MIT */
/* Each kind of field: read from a value, complete and check, write to a value. The table is at the
   end. */
#include "ops/op_field.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define FIELD_SIZES 4 /* ints of a shape or of pads */

typedef struct field_initializer {
    const char *word, *class_name;
    fv_initializer value;
} field_initializer;

static const field_initializer field_initializers[] = {
    {"glorot_uniform", "GlorotUniform", FV_GLOROT_UNIFORM},
    {"glorot_normal", "GlorotNormal", FV_GLOROT_NORMAL},
    {"he_uniform", "HeUniform", FV_HE_UNIFORM},
    {"he_normal", "HeNormal", FV_HE_NORMAL},
    {"zeros", "Zeros", FV_ZEROS},
    {"ones", "Ones", FV_ONES},
};

static const fvi_word field_paddings[] = {{"valid", FV_VALID}, {"same", FV_SAME}, {NULL, 0}};
/* Keras reads this word, and only this, in capitals too. */
static const fvi_word field_paddings_in_capitals[] = {
    {"VALID", FV_VALID}, {"SAME", FV_SAME}, {NULL, 0}};

/* ---- members of a config; enums are int-sized ---- */

static int *field_ints(void *config, size_t offset)
{
    return (int *)(void *)((char *)config + offset);
}

static const int *field_const_ints(const void *config, size_t offset)
{
    return (const int *)(const void *)((const char *)config + offset);
}

static float *field_float(void *config, const fvi_field *f)
{
    return (float *)(void *)((char *)config + f->offset);
}

static bool field_all_zero(const int *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (v[i] != 0) return false;
    }
    return true;
}

static bool field_all_in(const fvi_field *f, const int *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (v[i] < f->least || v[i] > f->most) return false;
    }
    return true;
}

/* ---- numbers ---- */

/* An integer, also when written 3.0; never a bool, a fraction, or one beyond int. */
static bool field_read_number(int *out, const fvi_value *value)
{
    if (value->kind != FVI_VALUE_INT && value->kind != FVI_VALUE_DOUBLE) return false;
    double number = value->number;
    if (value->kind == FVI_VALUE_INT) {
        if (value->integer < INT_MIN || value->integer > INT_MAX) return false;
        number = (double)value->integer;
    }
    if (!(number >= INT_MIN && number <= INT_MAX) || number != trunc(number)) return false;
    *out = (int)number;
    return true;
}

static bool field_read_int(const fvi_field *f, void *config, const fvi_value *value)
{
    int number = 0;
    if (!field_read_number(&number, value) || !field_all_in(f, &number, 1)) return false;
    *field_ints(config, f->offset) = number;
    return true;
}

static bool field_complete_int(const fvi_field *f, void *config)
{
    int *v = field_ints(config, f->offset);
    if (*v == 0) *v = (int)f->standard;
    return field_all_in(f, v, 1);
}

static fvi_value *field_write_int(const fvi_field *f, const void *config)
{
    return fvi_value_int(*field_const_ints(config, f->offset));
}

static bool field_read_axis(const fvi_field *f, void *config, const fvi_value *value)
{
    if (value->kind == FVI_VALUE_LIST && value->count == 1) value = value->item[0];
    return field_read_int(f, config, value) && *field_ints(config, f->offset) != 0;
}

static fvi_value *field_write_ints(const int *v, size_t count)
{
    fvi_value *list = fvi_value_list();
    for (size_t i = 0; list && i < count; i++) {
        if (fvi_value_push(list, fvi_value_int(v[i])) == FV_OK) continue;
        fvi_value_free(list);
        return NULL;
    }
    return list;
}

static bool field_read_pair(const fvi_field *f, void *config, const fvi_value *value)
{
    if (value->kind == FVI_VALUE_NULL) return isnan(f->standard);
    int pair[2] = {0, 0};
    if (value->kind == FVI_VALUE_LIST) {
        if (value->count != 2 || !field_read_number(&pair[0], value->item[0]) ||
            !field_read_number(&pair[1], value->item[1])) {
            return false;
        }
    } else {
        if (!field_read_number(&pair[0], value)) return false;
        pair[1] = pair[0];
    }
    if (!field_all_in(f, pair, 2)) return false;
    memcpy(field_ints(config, f->offset), pair, sizeof pair);
    return true;
}

static bool field_complete_pair(const fvi_field *f, void *config)
{
    int *v = field_ints(config, f->offset);
    if (v[0] == 0 && v[1] == 0) {
        const int *other = field_const_ints(config, f->extra); /* completed before this one */
        v[0] = isnan(f->standard) ? other[0] : (int)f->standard;
        v[1] = isnan(f->standard) ? other[1] : (int)f->standard;
    }
    if (v[1] == 0) v[1] = v[0];
    return field_all_in(f, v, 2);
}

static fvi_value *field_write_pair(const fvi_field *f, const void *config)
{
    return field_write_ints(field_const_ints(config, f->offset), 2);
}

static bool field_read_float(const fvi_field *f, void *config, const fvi_value *value)
{
    if (value->kind == FVI_VALUE_NULL) return isnan(f->standard);
    if (value->kind != FVI_VALUE_INT && value->kind != FVI_VALUE_DOUBLE) return false;
    double number = value->number;
    if (!(number >= f->least && number <= f->most)) return false;
    if (fvi_field_is_above_zero(f) && !((float)number > 0.0f)) return false;
    *field_float(config, f) = (float)number;
    return true;
}

static bool field_complete_float(const fvi_field *f, void *config)
{
    float *v = field_float(config, f);
    if (*v == 0.0f) *v = isnan(f->standard) ? 0.0f : (float)f->standard;
    return *v >= f->least && *v <= f->most;
}

/* The decimal with the fewest places that is this float, so that 0.99 comes back as 0.99. */
static double field_decimal(float value)
{
    double power = 1.0;
    for (int places = 0; places <= 15; places++, power *= 10.0) {
        double scaled = round((double)value * power);
        if (!(fabs(scaled) < 0x1p53)) break;
        if ((float)(scaled / power) == value) return scaled / power;
    }
    return (double)value;
}

static fvi_value *field_write_float(const fvi_field *f, const void *config)
{
    float v = 0.0f;
    memcpy(&v, (const char *)config + f->offset, sizeof v);
    if (v == 0.0f && isnan(f->standard)) return fvi_value_null();
    return fvi_value_double(field_decimal(v));
}

/* ---- flags and words ---- */

static bool field_read_without(const fvi_field *f, void *config, const fvi_value *value)
{
    if (value->kind != FVI_VALUE_BOOL) return false;
    *((unsigned char *)config + f->offset) = !value->boolean;
    return true;
}

/* Read as a byte: one that holds neither true nor false must not be read as a bool. */
static bool field_complete_without(const fvi_field *f, void *config)
{
    unsigned char *v = (unsigned char *)config + f->offset;
    *v = *v != 0;
    return true;
}

static fvi_value *field_write_without(const fvi_field *f, const void *config)
{
    return fvi_value_bool(*((const unsigned char *)config + f->offset) == 0);
}

static bool field_read_word_of(const fvi_word *words, const char *string, int *out)
{
    for (; words->word && string; words++) {
        if (strcmp(words->word, string) != 0) continue;
        *out = words->value;
        return true;
    }
    return false;
}

static fvi_value *field_write_word_of(const fvi_word *words, int value)
{
    for (; words->word; words++) {
        if (words->value == value) return fvi_value_string(words->word);
    }
    return fvi_value_int(value);
}

static bool field_read_word(const fvi_field *f, void *config, const fvi_value *value)
{
    int *v = field_ints(config, f->offset);
    if (value->kind == FVI_VALUE_NULL) return *v = 0, true;
    return field_read_word_of(f->words, value->string, v);
}

static bool field_complete_word(const fvi_field *f, void *config)
{
    for (const fvi_word *words = f->words; words->word; words++) {
        if (words->value == *field_ints(config, f->offset)) return true;
    }
    return false;
}

static fvi_value *field_write_word(const fvi_field *f, const void *config)
{
    return field_write_word_of(f->words, *field_const_ints(config, f->offset));
}

/* "he_normal", "HeNormal", or {"class_name": "HeNormal", ...}; its seed is the model's affair.
   NULL: none of them. */
static const field_initializer *field_find_initializer(const fvi_value *value)
{
    const char *name =
        value->kind == FVI_VALUE_STRING ? value->string : fvi_value_get_string(value, "class_name");
    for (size_t i = 0; name && i < FVI_COUNT(field_initializers); i++) {
        const field_initializer *known = &field_initializers[i];
        if (strcmp(known->word, name) == 0 || strcmp(known->class_name, name) == 0) return known;
    }
    return NULL;
}

static bool field_read_initializer(const fvi_field *f, void *config, const fvi_value *value)
{
    const field_initializer *known = field_find_initializer(value);
    if (!known) return false;
    *field_ints(config, f->offset) = (int)known->value;
    return true;
}

static bool field_complete_initializer(const fvi_field *f, void *config)
{
    int *v = field_ints(config, f->offset);
    if (*v == FV_INITIALIZER_DEFAULT) *v = (int)f->standard;
    for (size_t i = 0; i < FVI_COUNT(field_initializers); i++) {
        if ((int)field_initializers[i].value == *v) return true;
    }
    return false;
}

static fvi_value *field_write_initializer(const fvi_field *f, const void *config)
{
    int v = *field_const_ints(config, f->offset);
    for (size_t i = 0; i < FVI_COUNT(field_initializers); i++) {
        if ((int)field_initializers[i].value == v) {
            return fvi_value_string(field_initializers[i].word);
        }
    }
    return fvi_value_int(v);
}

/* ---- padding ---- */

/* ZeroPadding2D's forms: 1, (rows, columns), ((top, bottom), (left, right)). */
static bool field_read_sides(int pads[FIELD_SIZES], const fvi_value *value)
{
    for (size_t axis = 0; axis < 2; axis++) {
        const fvi_value *side = value;
        if (value->kind == FVI_VALUE_LIST) {
            if (value->count != 2) return false;
            side = value->item[axis];
        }
        bool is_list = side->kind == FVI_VALUE_LIST;
        if (is_list && side->count != 2) return false;
        for (size_t i = 0; i < 2; i++) {
            int *pad = &pads[2 * axis + i];
            if (!field_read_number(pad, is_list ? side->item[i] : side) || *pad < 0) return false;
        }
    }
    return true;
}

static bool field_no_negative(const int pads[FIELD_SIZES])
{
    return pads[0] >= 0 && pads[1] >= 0 && pads[2] >= 0 && pads[3] >= 0;
}

static fvi_value *field_write_sides(const int pads[FIELD_SIZES])
{
    fvi_value *list = fvi_value_list();
    for (size_t axis = 0; list && axis < 2; axis++) {
        if (fvi_value_push(list, field_write_ints(pads + 2 * axis, 2)) == FV_OK) continue;
        fvi_value_free(list);
        return NULL;
    }
    return list;
}

static bool field_read_padding(const fvi_field *f, void *config, const fvi_value *value)
{
    int *padding = field_ints(config, f->offset), pads[FIELD_SIZES] = {0};
    if (value->kind == FVI_VALUE_STRING) {
        return field_read_word_of(field_paddings, value->string, padding) ||
               field_read_word_of(field_paddings_in_capitals, value->string, padding);
    }
    if (!field_read_sides(pads, value)) return false;
    *padding = FV_EXPLICIT;
    memcpy(field_ints(config, f->extra), pads, sizeof pads);
    return true;
}

/* Pads beside "valid" or "same" contradict it. */
static bool field_complete_padding(const fvi_field *f, void *config)
{
    int padding = *field_ints(config, f->offset);
    const int *pads = field_ints(config, f->extra);
    if (padding == FV_EXPLICIT) return field_no_negative(pads);
    return (padding == FV_VALID || padding == FV_SAME) && field_all_zero(pads, FIELD_SIZES);
}

/* Pads that should not be there are shown beside the word: ["same", [[1, 1], [0, 0]]]. */
static fvi_value *field_write_padding(const fvi_field *f, const void *config)
{
    int padding = *field_const_ints(config, f->offset);
    const int *pads = field_const_ints(config, f->extra);
    if (padding == FV_EXPLICIT) return field_write_sides(pads);
    if (field_all_zero(pads, FIELD_SIZES)) return field_write_word_of(field_paddings, padding);
    fvi_value *list = fvi_value_list();
    if (list && fvi_value_push(list, field_write_word_of(field_paddings, padding)) == FV_OK &&
        fvi_value_push(list, field_write_sides(pads)) == FV_OK) {
        return list;
    }
    fvi_value_free(list);
    return NULL;
}

static bool field_read_pads(const fvi_field *f, void *config, const fvi_value *value)
{
    int pads[FIELD_SIZES] = {0};
    if (!field_read_sides(pads, value)) return false;
    memcpy(field_ints(config, f->offset), pads, sizeof pads);
    *((unsigned char *)config + f->extra) = field_all_zero(pads, FIELD_SIZES);
    return true;
}

static bool field_complete_pads(const fvi_field *f, void *config)
{
    int *pads = field_ints(config, f->offset);
    unsigned char *without = (unsigned char *)config + f->extra;
    *without = *without != 0;
    if (field_all_zero(pads, FIELD_SIZES)) {
        for (size_t i = 0; !*without && i < FIELD_SIZES; i++) {
            pads[i] = (int)f->standard;
        }
        return true;
    }
    return !*without && field_no_negative(pads);
}

static fvi_value *field_write_pads(const fvi_field *f, const void *config)
{
    return field_write_sides(field_const_ints(config, f->offset));
}

/* ---- shapes ---- */

static bool field_read_shape(const fvi_field *f, void *config, const fvi_value *value)
{
    int sizes[FIELD_SIZES] = {0}, *v = field_ints(config, f->offset);
    if (value->kind == FVI_VALUE_NULL) return true; /* the other key may give it */
    bool is_list = value->kind == FVI_VALUE_LIST;
    size_t batch = f->extra; /* a None in front */
    size_t count = is_list ? value->count : 1;
    if (count <= batch || count > batch + FIELD_SIZES || (batch && !is_list)) return false;
    if (batch && value->item[0]->kind != FVI_VALUE_NULL) return false;
    for (size_t i = batch; i < count; i++) {
        int *size = &sizes[i - batch];
        if (!field_read_number(size, is_list ? value->item[i] : value) || *size < 1) return false;
    }
    if (!field_all_zero(v, FIELD_SIZES)) return false; /* shape and batch_shape */
    memcpy(v, sizes, sizeof sizes);
    return true;
}

static bool field_complete_shape(const fvi_field *f, void *config)
{
    const int *v = field_ints(config, f->offset);
    size_t rank = 0;
    while (rank < FIELD_SIZES && v[rank] > 0) {
        rank++;
    }
    return rank > 0 && field_all_zero(v + rank, FIELD_SIZES - rank);
}

static fvi_value *field_write_shape(const fvi_field *f, const void *config)
{
    const int *v = field_const_ints(config, f->offset);
    size_t rank = FIELD_SIZES;
    while (rank > 0 && v[rank - 1] == 0) {
        rank--;
    }
    if (!f->extra) return field_write_ints(v, rank);
    fvi_value *list = fvi_value_list();
    fv_status status = list ? fvi_value_push(list, fvi_value_null()) : FV_E_MEMORY;
    for (size_t i = 0; status == FV_OK && i < rank; i++) {
        status = fvi_value_push(list, fvi_value_int(v[i]));
    }
    if (status == FV_OK) return list;
    fvi_value_free(list);
    return NULL;
}

/* ---- keys that have no meaning here ---- */

static bool field_is_word(const fvi_word *word, const fvi_value *value)
{
    const field_initializer *known = field_find_initializer(value);
    int64_t integer = 0;
    int number = 0;
    switch ((fvi_value_kind)word->value) {
    case FVI_VALUE_INT:
        return field_read_number(&number, value) &&
               fvi_parse_int64(&integer, word->word, strlen(word->word)) && number == integer;
    case FVI_VALUE_BOOL:
        return value->kind == FVI_VALUE_BOOL && value->boolean == (word->word[0] == 'T');
    default:
        return (value->kind == FVI_VALUE_STRING && strcmp(value->string, word->word) == 0) ||
               (known && strcmp(known->word, word->word) == 0);
    }
}

static bool field_read_ignored(const fvi_field *f, void *config, const fvi_value *value)
{
    (void)config;
    if (value->kind == FVI_VALUE_NULL) return true;
    for (const fvi_word *word = f->words; word && word->word; word++) {
        if (field_is_word(word, value)) return true;
    }
    return false;
}

static bool field_complete_ignored(const fvi_field *f, void *config)
{
    (void)f;
    (void)config;
    return true;
}

static fvi_value *field_write_ignored(const fvi_field *f, const void *config)
{
    (void)config;
    if (!f->words) return fvi_value_null();
    const char *word = f->words[0].word;
    int64_t integer = 0;
    if (f->words[0].value == FVI_VALUE_BOOL) return fvi_value_bool(word[0] == 'T');
    if (f->words[0].value != FVI_VALUE_INT) return fvi_value_string(word);
    return fvi_parse_int64(&integer, word, strlen(word)) ? fvi_value_int(integer) : NULL;
}

/* ---- the table ---- */

static const fvi_field_way field_ways[] = {
    [FVI_FIELD_INT] = {"an integer", field_read_int, field_complete_int, field_write_int},
    [FVI_FIELD_PAIR] = {"an integer or a pair of integers", field_read_pair, field_complete_pair,
                        field_write_pair},
    [FVI_FIELD_FLOAT] = {"a number", field_read_float, field_complete_float, field_write_float},
    [FVI_FIELD_AXIS] = {"the number of an axis, from 1 or negative from the end; 0 is the batch",
                        field_read_axis, field_complete_int, field_write_int},
    [FVI_FIELD_WITHOUT] = {"True or False", field_read_without, field_complete_without,
                           field_write_without},
    [FVI_FIELD_WORD] = {"", field_read_word, field_complete_word, field_write_word},
    [FVI_FIELD_INITIALIZER] = {"", field_read_initializer, field_complete_initializer,
                               field_write_initializer},
    [FVI_FIELD_PADDING] = {"\"valid\", \"same\" or pads of 0 or more such as 1, (1, 2) or "
                           "((1, 1), (2, 2))",
                           field_read_padding, field_complete_padding, field_write_padding},
    [FVI_FIELD_PADS] = {"pads of 0 or more such as 1, (1, 2) or ((1, 1), (2, 2))", field_read_pads,
                        field_complete_pads, field_write_pads},
    [FVI_FIELD_SHAPE] = {"one to four sizes of 1 or more such as (28, 28, 1), given once",
                         field_read_shape, field_complete_shape, field_write_shape},
    [FVI_FIELD_IGNORED] = {"", field_read_ignored, field_complete_ignored, field_write_ignored},
};

const fvi_field_way *fvi_field_way_of(const fvi_field *f)
{
    return &field_ways[f->kind];
}

/* A float that is more than 0, because 0 in the struct means something else. */
bool fvi_field_is_above_zero(const fvi_field *f)
{
    return f->kind == FVI_FIELD_FLOAT && f->least == 0.0 && f->standard != 0.0;
}

/* The words a field takes, for a list in a message or a nearest one; how many there are. */
size_t fvi_field_words(const char *out[FVI_FIELD_WORDS], const fvi_field *f)
{
    size_t count = 0;
    if (f->kind == FVI_FIELD_INITIALIZER) {
        for (; count < FVI_COUNT(field_initializers); count++) {
            out[count] = field_initializers[count].word;
        }
        return count;
    }
    const fvi_word *words = f->kind == FVI_FIELD_PADDING ? field_paddings
                            : f->kind == FVI_FIELD_WORD  ? f->words
                                                         : NULL;
    for (; words && words[count].word && count < FVI_FIELD_WORDS; count++) {
        out[count] = words[count].word;
    }
    return count;
}
