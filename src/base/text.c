/* SPDX-License-Identifier: MIT */
/* A growing string; numbers to text and back, whatever the locale; texts made safe to show. */
#include "base/base_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_NUMBER 512   /* 309 digits, sign, point, decimals, end */
#define TEXT_DECIMALS 100 /* more say nothing: 17 digits are all that a double has */
#define TEXT_PARSE 1200   /* the exact value of the smallest double has 1,074 decimals */
#define TEXT_POINT 16
#define TEXT_WORD 64
#define TEXT_SHOWN 80

/* Room for more bytes and the end; false (and the sticky status) when there is none. */
static bool text_reserve(fvi_text *text, size_t more)
{
    size_t need, capacity;
    if (text->status != FV_OK) return false;
    if (!fvi_sum(&need, text->size, more) || !fvi_sum(&need, need, 1)) {
        text->status = fvi_fail(FV_E_MEMORY, "out of memory: a text of %zu bytes", more);
        return false;
    }
    if (need <= text->capacity) return true;
    if (!fvi_mul(&capacity, text->capacity, 2) || capacity < need) capacity = need;
    if (capacity < 64) capacity = 64;
    char *data = fvi_grow(text->data, text->size, capacity, 1, "a text");
    if (!data) {
        text->status = FV_E_MEMORY;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void fvi_text_add(fvi_text *text, const char *format, ...)
{
    if (text->status != FV_OK) return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->status = fvi_fail(FV_E_ARG, "a text cannot be put together");
        return;
    }
    if (!text_reserve(text, (size_t)length)) return;
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

void fvi_text_add_bytes(fvi_text *text, const char *bytes, size_t size)
{
    if (!text_reserve(text, size)) return;
    if (size > 0) memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

static void text_add_string(fvi_text *text, const char *string)
{
    fvi_text_add_bytes(text, string, strlen(string));
}

/* The locale's decimal point, which may be several bytes: what printf puts between 0 and 5. */
static void text_point(char point[TEXT_POINT])
{
    char half[TEXT_POINT];
    snprintf(half, sizeof half, "%.1f", 0.5);
    size_t length = strlen(half);
    size_t inner = length > 2 ? length - 2 : 0;
    memcpy(point, half + 1, inner);
    point[inner] = '\0';
}

/* Replace the locale's point in a number by a plain one. */
static void text_plain_point(char *number)
{
    char point[TEXT_POINT];
    text_point(point);
    char *found = strcmp(point, ".") == 0 || !*point ? NULL : strstr(number, point);
    if (!found) return;
    size_t length = strlen(point);
    *found = '.';
    memmove(found + 1, found + length, strlen(found + length) + 1);
}

/* The words for what has no digits; NULL for a finite number. */
static const char *text_not_finite(double value)
{
    if (isnan(value)) return "nan";
    if (isinf(value)) return value > 0 ? "inf" : "-inf";
    return NULL;
}

void fvi_text_add_double(fvi_text *text, double value)
{
    const char *word = text_not_finite(value);
    if (word) {
        text_add_string(text, word);
        return;
    }
    char number[TEXT_NUMBER];
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        snprintf(number, sizeof number, "%.*g", digits, value);
        text_plain_point(number);
        if (fvi_parse_double(&back, number, strlen(number)) && back == value) break;
    }
    text_add_string(text, number);
}

void fvi_text_add_fixed(fvi_text *text, double value, int decimals)
{
    const char *word = text_not_finite(value);
    if (word) {
        text_add_string(text, word);
        return;
    }
    char number[TEXT_NUMBER];
    if (decimals < 0) decimals = 0;
    if (decimals > TEXT_DECIMALS) decimals = TEXT_DECIMALS;
    snprintf(number, sizeof number, "%.*f", decimals, value);
    text_plain_point(number);
    text_add_string(text, number);
}

/* Bytes of the well-formed UTF-8 character that a NUL-terminated text begins with; 0 when it does
   not: stray or missing continuations, overlong forms, surrogates, beyond U+10FFFF. */
static size_t text_utf8(const unsigned char *s, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = s[0] < 0x80   ? 1
                  : s[0] < 0xC0 ? 0
                  : s[0] < 0xE0 ? 2
                  : s[0] < 0xF0 ? 3
                  : s[0] < 0xF8 ? 4
                                : 0;
    if (size == 0) return 0;
    uint32_t code = size == 1 ? s[0] : s[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xC0u) != 0x80u) return 0; /* also the end of the text */
        code = code << 6 | (s[i] & 0x3Fu);
    }
    if (code < smallest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return 0;
    *character = code;
    return size;
}

bool fvi_is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t character;
    for (size_t size = 1; *s; s += size) {
        size = text_utf8(s, &character);
        if (size == 0) return false;
    }
    return true;
}

void fvi_text_add_json_string(fvi_text *text, const char *utf8)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const unsigned char *s = (const unsigned char *)utf8;
    text_add_string(text, "\"");
    while (*s) {
        uint32_t character = 0;
        size_t size = text_utf8(s, &character);
        const char *escape = size == 1 ? strchr(plain, (int)character) : NULL;
        if (size == 0) {
            text_add_string(text, "\xEF\xBF\xBD"); /* U+FFFD for each bad byte */
            size = 1;
        } else if (escape) {
            fvi_text_add(text, "\\%c", letter[escape - plain]);
        } else if (character < 0x20) {
            fvi_text_add(text, "\\u%04x", (unsigned)character);
        } else {
            fvi_text_add_bytes(text, (const char *)s, size);
        }
        s += size;
    }
    text_add_string(text, "\"");
}

void fvi_text_free(fvi_text *text)
{
    fvi_free(text->data);
    *text = (fvi_text){0};
}

static size_t text_digits(const char *bytes, size_t size, size_t at)
{
    size_t start = at;
    while (at < size && bytes[at] >= '0' && bytes[at] <= '9') {
        at++;
    }
    return at - start;
}

/* [sign] digits [. digits] [e [sign] digits], a digit on one side of the point; *point is where the
   point stands, or size. */
static bool text_is_number(const char *bytes, size_t size, size_t *point)
{
    size_t at = 0;
    *point = size;
    if (at < size && (bytes[at] == '+' || bytes[at] == '-')) at++;
    size_t digits = text_digits(bytes, size, at);
    at += digits;
    if (at < size && bytes[at] == '.') {
        *point = at++;
        size_t decimals = text_digits(bytes, size, at);
        at += decimals;
        digits += decimals;
    }
    if (digits == 0) return false;
    if (at < size && (bytes[at] == 'e' || bytes[at] == 'E')) {
        at++;
        if (at < size && (bytes[at] == '+' || bytes[at] == '-')) at++;
        size_t exponent = text_digits(bytes, size, at);
        if (exponent == 0) return false;
        at += exponent;
    }
    return at == size;
}

bool fvi_parse_double(double *out, const char *bytes, size_t size)
{
    char number[TEXT_PARSE + TEXT_POINT], locale_point[TEXT_POINT];
    size_t point;
    /* A longer text is no number that anyone wrote, and a copy of it would need memory. */
    if (size > TEXT_PARSE || !text_is_number(bytes, size, &point)) return false;
    /* strtod expects the point of the locale. */
    memcpy(number, bytes, size);
    number[size] = '\0';
    if (point < size) {
        text_point(locale_point);
        size_t length = strlen(locale_point);
        memcpy(number + point, locale_point, length);
        memcpy(number + point + length, bytes + point + 1, size - point - 1);
        number[size + length - 1] = '\0';
    }
    char *end;
    double value = strtod(number, &end);
    /* Too large is refused; too small is rounded, to zero at last, as every reader does. */
    if (*end != '\0' || !isfinite(value)) return false;
    *out = value;
    return true;
}

bool fvi_parse_int64(int64_t *out, const char *bytes, size_t size)
{
    size_t at = 0;
    bool negative = false;
    if (size > 0 && (bytes[0] == '+' || bytes[0] == '-')) negative = bytes[at++] == '-';
    if (at == size) return false;
    /* Counted downwards, because the smallest int64 has no positive twin. */
    int64_t value = 0;
    for (; at < size; at++) {
        if (bytes[at] < '0' || bytes[at] > '9') return false;
        int digit = bytes[at] - '0';
        if (value < (INT64_MIN + digit) / 10) return false;
        value = value * 10 - digit;
    }
    if (!negative && value == INT64_MIN) return false;
    *out = negative ? value : -value;
    return true;
}

/* Levenshtein's distance, one row at a time; b is shorter than TEXT_WORD. */
static size_t text_distance(const char *a, const char *b)
{
    size_t row[TEXT_WORD], size = strlen(b);
    for (size_t j = 0; j <= size; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < size; j++) {
            size_t change = corner + (a[i] != b[j]);
            size_t step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            corner = row[j + 1];
            row[j + 1] = change < step ? change : step;
        }
    }
    return row[size];
}

const char *fv_nearest(const char *word, const char *const *list, size_t count)
{
    const char *nearest = NULL;
    size_t length = word ? strlen(word) : 0, best = length / 2 + 1;
    if (length == 0 || length >= TEXT_WORD) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!list[i] || strlen(list[i]) >= TEXT_WORD) continue;
        size_t distance = text_distance(word, list[i]);
        if (distance < best) {
            best = distance;
            nearest = list[i];
        }
    }
    return nearest;
}

/* What could move a cursor or reverse the writing: C0, C1, DEL, separators, bidi marks. */
static bool text_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7F && character < 0xA0) ||
           (character >= 0x2028 && character <= 0x202E) ||
           (character >= 0x2066 && character <= 0x2069);
}

const char *fvi_safe(char out[FVI_SAFE_TEXT], const char *name)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)(name ? name : "");
    size_t used = 0;
    while (*s) {
        uint32_t character = 0;
        size_t size = text_utf8(s, &character);
        bool shown = size > 0 && !text_is_control(character);
        if (size == 0) size = 1;
        if (used + (shown ? size : 4 * size) > TEXT_SHOWN) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        for (size_t i = 0; i < size; i++, s++) {
            if (shown) {
                out[used++] = (char)*s;
            } else {
                memcpy(out + used, "\\x", 2);
                out[used + 2] = hex[*s >> 4];
                out[used + 3] = hex[*s & 15];
                used += 4;
            }
        }
    }
    out[used] = '\0';
    return out;
}
