/* SPDX-License-Identifier: MIT */
/* The base: errors, memory, shapes, texts. Its other half is test_base_files.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base_internal.h"

#include <float.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- status ---- */

static void test_status_message(void **state)
{
    (void)state;
    assert_int_equal(fvi_fail(FV_E_SHAPE, "size %d of \"%s\"", 3, "x"), FV_E_SHAPE);
    assert_string_equal(fv_error(), "size 3 of \"x\"");
    assert_int_equal(fvi_fail_in(FV_E_SHAPE, "layer \"%s\"", "conv1"), FV_E_SHAPE);
    assert_string_equal(fv_error(), "layer \"conv1\": size 3 of \"x\"");
    assert_int_equal(fvi_fail(FV_E_IO, "again: %s", fv_error()), FV_E_IO); /* made of itself */
    assert_string_equal(fv_error(), "again: layer \"conv1\": size 3 of \"x\"");
    fvi_fail(FV_E_IO, "b");
    fvi_fail_in(FV_E_IO, "%s%s", fv_error(), fv_error());
    assert_string_equal(fv_error(), "bb: b");
}

static void test_status_long(void **state)
{
    (void)state;
    char text[3001];
    memset(text, 'x', 3000);
    text[3000] = '\0';
    fvi_fail(FV_E_ARG, "%s", text);
    assert_int_equal(strlen(fv_error()), 1023);
    fvi_fail_in(FV_E_ARG, "%s", "where");
    assert_int_equal(strlen(fv_error()), 1023);
    assert_memory_equal(fv_error(), "where: xxx", 10);
    /* Cut at a character, not inside one: 1022 bytes, then two of which one would fit. */
    memset(text, 'x', 1022);
    memcpy(text + 1022, "\xC3\xA4 and more", 12);
    fvi_fail(FV_E_ARG, "%s", text);
    assert_int_equal(strlen(fv_error()), 1022);
    memcpy(text + 1021, "\xC3\xA4 and more", 12); /* both fit */
    fvi_fail(FV_E_ARG, "%s", text);
    assert_int_equal(strlen(fv_error()), 1023);
    static const char *const character[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < FVI_COUNT(character); i++) {
        size_t size = strlen(character[i]);
        for (size_t fits = 1; fits <= size; fits++) {
            memset(text, 'x', 3000);
            memcpy(text + 1023 - fits, character[i], size);
            fvi_fail(FV_E_ARG, "%s", text);
            assert_int_equal(strlen(fv_error()), fits < size ? 1023 - fits : 1023);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(fv_status_name(FV_OK), "ok");
    assert_string_equal(fv_status_name(FV_E_SHAPE), "shape");
    assert_string_equal(fv_status_name(FV_E_CANCELLED), "cancelled");
    assert_string_equal(fv_status_name((fv_status)10), "unknown");
    assert_string_equal(fv_status_name((fv_status)-1), "unknown");
    assert_string_equal(fv_dtype_name(FV_FLOAT16), "float16");
    assert_string_equal(fv_dtype_name(FV_BOOL), "bool");
    assert_string_equal(fv_dtype_name((fv_dtype)12), "unknown");
    static const size_t size[] = {4, 8, 2, 1, 1, 2, 2, 4, 4, 8, 8, 1}; /* as in fv_dtype */
    for (size_t i = 0; i < FVI_COUNT(size); i++) {
        assert_int_equal(fv_dtype_size((fv_dtype)i), size[i]);
    }
    assert_int_equal(fv_dtype_size((fv_dtype)-1), 0);
    assert_int_equal(fv_dtype_size((fv_dtype)12), 0);
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", FV_VERSION_MAJOR, FV_VERSION_MINOR,
             FV_VERSION_PATCH);
    assert_string_equal(fv_version(), version);
}

/* ---- memory ---- */

static void test_memory_blocks(void **state)
{
    (void)state;
    long live = fvi_alloc_live(), count = fvi_alloc_count();
    unsigned char *block = fvi_alloc(7, 13, "a test");
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
    for (int i = 0; i < 91; i++) {
        assert_int_equal(block[i], 0);
        block[i] = (unsigned char)i;
    }
    block = fvi_grow(block, 91, 300, 1, "a test");
    for (int i = 0; i < 300; i++) {
        assert_int_equal(block[i], i < 91 ? i : 0);
    }
    void *empty = fvi_alloc(0, 8, "nothing"), *copy = fvi_copy(block, 91, "a copy");
    char *text = fvi_strdup("word");
    assert_non_null(empty);
    assert_memory_equal(copy, block, 91);
    assert_string_equal(text, "word");
    assert_null(fvi_strdup(NULL));
    assert_int_equal(fvi_alloc_live(), live + 4);
    assert_int_equal(fvi_alloc_count(), count + 5);
    fvi_free(block);
    fvi_free(empty);
    fvi_free(copy);
    fv_free(text);
    fvi_free(NULL);
    fv_free(NULL);
    assert_int_equal(fvi_alloc_live(), live);
}

/* Large blocks are zeroed without being touched, whatever lay in their place before. */
static void test_large_blocks(void **state)
{
    (void)state;
    const size_t sizes[] = {2 << 20, (2 << 20) + 1, 5000000, 40 << 20};
    for (int again = 0; again < 3; again++) {
        for (size_t i = 0; i < FVI_COUNT(sizes); i++) {
            unsigned char *block = fvi_alloc(sizes[i], 1, "a large block"), any = 0;
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 64, 0);
            for (size_t j = 0; j < sizes[i]; j++)
                any |= block[j];
            assert_int_equal(any, 0);
            memset(block, 0xFF, sizes[i]);
            fvi_free(block);
            /* so that the heap is reused, where the C library asks the system for each large block */
            free(malloc(sizes[i]));
        }
    }
}

static void test_memory_failure(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    assert_null(fvi_alloc(SIZE_MAX / 2, 3, "too much"));
    assert_non_null(strstr(fv_error(), "out of memory"));
    assert_non_null(strstr(fv_error(), "too much"));
    assert_null(fvi_alloc(SIZE_MAX, 1, "rounding up"));
    assert_null(fvi_alloc(PTRDIFF_MAX, 1, "rounding up"));
    fvi_alloc_fail_at(2);
    char *first = fvi_alloc(1, 1, "first");
    assert_non_null(first);
    first[0] = 'a';
    assert_null(fvi_grow(first, 1, 12000000, 1, "weights"));
    assert_string_equal(fv_error(), "out of memory: 12.0 MB for weights");
    assert_int_equal(first[0], 'a'); /* untouched */
    void *third = fvi_alloc(1, 1, "third");
    assert_non_null(third); /* only the one fails */
    fvi_alloc_fail_at(1);
    fvi_alloc_fail_at(0);
    fvi_free(third);
    third = fvi_alloc(1, 1, "switched off");
    assert_non_null(third);
    fvi_free(third);
    fvi_free(first);
    assert_int_equal(fvi_alloc_live(), live);
    fvi_alloc_fail_at(1);
    assert_null(fvi_alloc(999, 1, "x"));
    assert_string_equal(fv_error(), "out of memory: 999 bytes for x");
    fvi_alloc_fail_at(1);
    assert_null(fvi_alloc(1550, 1, "x"));
    assert_string_equal(fv_error(), "out of memory: 1.5 KB for x");
    assert_true(fvi_memory_limit() > 1 << 20);
}

/* ---- shapes ---- */

static void test_shape_count(void **state)
{
    (void)state;
    size_t count = 7;
    fv_shape scalar = {0};
    assert_int_equal(fvi_shape_count(&count, &scalar), FV_OK);
    assert_int_equal(count, 1);
    fv_shape image = fvi_shape_of(3, (const int[]){28, 28, 3});
    assert_int_equal(fvi_shape_count(&count, &image), FV_OK);
    assert_int_equal(count, 2352);
    fv_shape most = fvi_shape_of(2, (const int[]){1 << 20, 1 << 20});
    assert_int_equal(fvi_shape_count(&count, &most), sizeof count > 4 ? FV_OK : FV_E_SHAPE);
    fv_shape over = fvi_shape_of(2, (const int[]){1 << 20, (1 << 20) + 1});
    assert_int_equal(fvi_shape_count(&count, &over), FV_E_SHAPE);
    fv_shape wrap = fvi_shape_of(4, (const int[]){1 << 16, 1 << 16, 1 << 16, 1 << 16}); /* 2^64 */
    assert_int_equal(fvi_shape_count(&count, &wrap), FV_E_SHAPE);
    fv_shape hidden = fvi_shape_of(3, (const int[]){0, INT_MAX, INT_MAX}); /* behind a zero */
    assert_int_equal(fvi_shape_count(&count, &hidden), FV_E_SHAPE);
    fv_shape none = fvi_shape_of(3, (const int[]){4, 0, 5});
    assert_int_equal(fvi_shape_count(&count, &none), FV_OK);
    assert_int_equal(count, 0);
    fv_shape negative = fvi_shape_of(2, (const int[]){4, -1});
    assert_int_equal(fvi_shape_count(&count, &negative), FV_E_SHAPE);
    assert_non_null(strstr(fv_error(), "4x-1"));
    fv_shape deep = fvi_shape_of(9, (const int[]){1, 1, 1, 1, 1, 1, 1, 1, 1});
    assert_int_equal(fvi_shape_count(&count, &deep), FV_E_SHAPE);
    deep.rank = -1;
    assert_int_equal(fvi_shape_count(&count, &deep), FV_E_SHAPE);
}

static void test_shape_text(void **state)
{
    (void)state;
    char text[FVI_SHAPE_TEXT];
    fv_shape image = fvi_shape_of(3, (const int[]){28, 28, 1}), other = image;
    assert_string_equal(fvi_shape_text(text, &image), "28x28x1");
    assert_true(fvi_shape_equal(&image, &other));
    other.dim[7] = 5; /* beyond the rank: no part of the shape */
    assert_true(fvi_shape_equal(&image, &other));
    other.dim[2] = 3;
    assert_false(fvi_shape_equal(&image, &other));
    other = fvi_shape_of(2, image.dim);
    assert_false(fvi_shape_equal(&image, &other));
    fv_shape longest = {.rank = 8};
    for (int i = 0; i < 8; i++) {
        longest.dim[i] = INT_MIN;
    }
    assert_int_equal(strlen(fvi_shape_text(text, &longest)), FVI_SHAPE_TEXT - 1);
    size_t out = 5;
    assert_true(fvi_mul(&out, SIZE_MAX, 1) && out == SIZE_MAX);
    assert_true(fvi_mul(&out, 0, SIZE_MAX) && out == 0);
    assert_false(fvi_mul(&out, SIZE_MAX / 2 + 1, 2));
    assert_true(fvi_sum(&out, SIZE_MAX - 1, 1) && out == SIZE_MAX);
    assert_false(fvi_sum(&out, SIZE_MAX, 1));
}

static void test_window_same(void **state)
{
    (void)state;
    static const struct {
        int n, k, s, d, out, before, after;
    } want[] = {
        {5, 3, 1, 1, 5, 1, 1}, {5, 2, 1, 1, 5, 0, 1},     {4, 3, 2, 1, 2, 0, 1},
        {7, 3, 2, 1, 4, 1, 1}, {224, 7, 2, 1, 112, 2, 3}, {10, 3, 1, 2, 10, 2, 2},
        {6, 1, 3, 1, 2, 0, 0}, {10, 1, 3, 1, 4, 0, 0},    {1, 4, 1, 1, 1, 1, 2},
        {3, 2, 2, 1, 2, 0, 1}, {64, 4, 1, 1, 64, 1, 2},   {2, 5, 7, 3, 1, 5, 6},
    };
    for (size_t i = 0; i < FVI_COUNT(want); i++) {
        fvi_window window = {99, 99, 99};
        assert_int_equal(
            fvi_window_fit(&window, FVI_WINDOW_SAME, want[i].n, want[i].k, want[i].s, want[i].d),
            FV_OK);
        assert_int_equal(window.out, want[i].out);
        assert_int_equal(window.before, want[i].before);
        assert_int_equal(window.after, want[i].after);
    }
}

/* Counting the places where a window fits is the definition; the formula must agree. */
static void test_window_counted(void **state)
{
    (void)state;
    for (int code = 0; code < 12 * 5 * 4 * 3 * 3 * 3; code++) {
        int rest = code, n = rest % 12 + 1, k = (rest /= 12) % 5 + 1, s = (rest /= 5) % 4 + 1;
        int d = (rest /= 4) % 3 + 1, before = (rest /= 3) % 3, after = (rest /= 3) % 3;
        int span = (k - 1) * d + 1, places = 0;
        for (int at = -before; at + span <= n + after; at += s) {
            places++;
        }
        fvi_window window = {77, before, after};
        fv_status status = fvi_window_fit(&window, FVI_WINDOW_EXPLICIT, n, k, s, d);
        assert_int_equal(status, places > 0 ? FV_OK : FV_E_SHAPE);
        assert_int_equal(window.out, places > 0 ? places : 77);
        if (before == 0 && after == 0) {
            fvi_window valid = {77, 8, 9};
            assert_int_equal(fvi_window_fit(&valid, FVI_WINDOW_VALID, n, k, s, d), status);
            assert_int_equal(valid.out, window.out);
            assert_int_equal(valid.before, places > 0 ? 0 : 8);
        }
        assert_int_equal(fvi_window_fit(&window, FVI_WINDOW_SAME, n, k, s, d), FV_OK);
        assert_int_equal(window.out, (n + s - 1) / s);
        assert_in_range(window.after - window.before, 0, 1);
    }
}

static void test_window_limits(void **state)
{
    (void)state;
    static const struct {
        fvi_window_mode mode;
        int n, k, s, d, before, after;
        fv_status status;
    } want[] = {
        {FVI_WINDOW_VALID, 0, 1, 1, 1, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_VALID, 1, 0, 1, 1, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_VALID, 1, 1, 0, 1, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_VALID, 1, 1, 1, 0, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_SAME, -5, 1, 1, 1, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_VALID, 3, 5, 1, 1, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_EXPLICIT, 3, 1, 1, 1, -1, 2, FV_E_SHAPE},
        {FVI_WINDOW_EXPLICIT, 3, 1, 1, 1, 2, -1, FV_E_SHAPE},
        {FVI_WINDOW_VALID, INT_MAX, 1, 1, 1, 0, 0, FV_OK},
        {FVI_WINDOW_SAME, INT_MAX, 1, INT_MAX, 1, 0, 0, FV_OK},
        {FVI_WINDOW_SAME, INT_MAX, 3, 1, 1, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_SAME, 3, INT_MAX, 1, INT_MAX, 0, 0, FV_E_SHAPE},
        {FVI_WINDOW_VALID, 3, 65537, 1, 65536, 0, 0, FV_E_SHAPE}, /* the span is 1 modulo 2^32 */
        {FVI_WINDOW_EXPLICIT, 2, 1, 1, 1, INT_MAX, INT_MAX, FV_E_SHAPE}, /* 0 modulo 2^32 */
    };
    for (size_t i = 0; i < FVI_COUNT(want); i++) {
        fvi_window window = {0, want[i].before, want[i].after};
        assert_int_equal(
            fvi_window_fit(&window, want[i].mode, want[i].n, want[i].k, want[i].s, want[i].d),
            want[i].status);
    }
}

/* ---- texts ---- */

static const char *const test_numbers[] = {
    "0",    "1",    "-1", "3.25", ".5", "5.",     "1e3",
    "1E+3", "1e-3", "+7", "007",  "-0", "1e-400", "123456789012345678901234567890"};
static const char *const test_no_numbers[] = {
    "",   "3abc", "0x10", "1e400", "nan", "inf", "-inf", "infinity", ".",    "e5",
    "1e", "1e+",  "+",    "--1",   "1 ",  " 1",  "1,5",  "1.2.3",    "1_0",  "0b1",
    "1f", "-",    "+-1",  ".e1",   "\t1", "1\n", "1e5.", "-1e999",   "0x1p3"};

static void test_parse_double(void **state)
{
    (void)state;
    double value;
    for (size_t i = 0; i < FVI_COUNT(test_numbers); i++) {
        const char *text = test_numbers[i];
        assert_true(fvi_parse_double(&value, text, strlen(text)));
        assert_true(value == strtod(text, NULL));
    }
    for (size_t i = 0; i < FVI_COUNT(test_no_numbers); i++) {
        value = 42;
        assert_false(fvi_parse_double(&value, test_no_numbers[i], strlen(test_no_numbers[i])));
        assert_true(value == 42);
    }
    assert_false(fvi_parse_double(&value, "1\0", 2));  /* all of the bytes, NUL too */
    assert_true(fvi_parse_double(&value, "12345", 2)); /* and no byte beyond */
    assert_true(value == 12);
}

static void test_parse_int64(void **state)
{
    (void)state;
    int64_t value = 0;
    static const char *const bad[] = {"",
                                      "3abc",
                                      "0x10",
                                      "1e3",
                                      "1.0",
                                      " 1",
                                      "1 ",
                                      "+",
                                      "-",
                                      "--1",
                                      "nan",
                                      "12345678901234567890",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999"};
    for (size_t i = 0; i < FVI_COUNT(bad); i++) {
        assert_false(fvi_parse_int64(&value, bad[i], strlen(bad[i])));
    }
    assert_true(fvi_parse_int64(&value, "9223372036854775807", 19) && value == INT64_MAX);
    assert_true(fvi_parse_int64(&value, "-9223372036854775808", 20) && value == INT64_MIN);
    assert_true(fvi_parse_int64(&value, "+15", 3) && value == 15);
    assert_true(fvi_parse_int64(&value, "-0", 2) && value == 0);
    assert_true(fvi_parse_int64(&value, "0000000000000000000000012", 25) && value == 12);
    assert_true(fvi_parse_int64(&value, "123", 2) && value == 12);
}

/* Doubles of every size written and read back; the text is C's whatever the locale is. */
static void test_number_round(void)
{
    for (uint64_t i = 0; i < 2000; i++) {
        uint32_t word[4];
        fvi_rng_words(word, 1, FVI_RNG_TEST, 0, i);
        uint64_t bits = (uint64_t)word[0] << 32 | word[1];
        double value, back;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        fvi_text text = {0};
        fvi_text_add_double(&text, value);
        assert_true(fvi_parse_double(&back, text.data, text.size));
        assert_memory_equal(&back, &value, sizeof value);
        assert_null(strchr(text.data, ','));
        fvi_text_free(&text);
    }
}

static void test_text_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals; /* -1: add_double */
        const char *text;
    } want[] = {
        {0.1, -1, "0.1"},
        {1.0 / 3, -1, "0.3333333333333333"},
        {0.1 + 0.2, -1, "0.30000000000000004"},
        {1, -1, "1"},
        {1e300, -1, "1e+300"},
        {NAN, -1, "nan"},
        {-INFINITY, -1, "-inf"},
        {-0.0, -1, "-0"},
        {2.0 / 3, 3, "0.667"},
        {-12.5, 2, "-12.50"},
        {1234.5678, 0, "1235"},
        {INFINITY, 2, "inf"},
        {DBL_TRUE_MIN, -1, "4.94065645841247e-324"},
    };
    for (size_t i = 0; i < FVI_COUNT(want); i++) {
        fvi_text text = {0};
        if (want[i].decimals < 0) {
            fvi_text_add_double(&text, want[i].value);
        } else {
            fvi_text_add_fixed(&text, want[i].value, want[i].decimals);
        }
        assert_string_equal(text.data, want[i].text);
        fvi_text_free(&text);
    }
    fvi_text text = {0};
    fvi_text_add_fixed(&text, 2.75, -1);
    assert_string_equal(text.data, "3");
    fvi_text_free(&text);
    fvi_text_add_fixed(&text, -DBL_MAX, 1000);
    assert_int_equal(text.size, 1 + 309 + 1 + 100);
    fvi_text_free(&text);
    test_number_round();
}

static void test_text_grows(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    fvi_text text = {0};
    for (int i = 0; i < 1000; i++) {
        fvi_text_add(&text, "%d,%s;", i % 10, "ab");
        assert_int_equal(strlen(text.data), text.size);
    }
    assert_int_equal(text.size, 5000);
    assert_memory_equal(text.data + 4990, "8,ab;9,ab;", 10);
    fvi_text_add_bytes(&text, "a\0b", 3);
    assert_int_equal(text.size, 5003);
    fvi_alloc_fail_at(1);
    while (text.status == FV_OK) {
        fvi_text_add(&text, "%s", "more");
    }
    size_t size = text.size;
    assert_int_equal(text.status, FV_E_MEMORY);
    fvi_text_add_double(&text, 1); /* nothing happens any more */
    fvi_text_add_json_string(&text, "x");
    assert_int_equal(text.size, size);
    fvi_text_free(&text);
    assert_int_equal(fvi_alloc_live(), live);
}

static void test_text_json(void **state)
{
    (void)state;
    static const char *const want[][2] = {
        {"", "\"\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80", "\"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\""},
        {"\xFFx", "\"\xEF\xBF\xBDx\""},
        {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* overlong slash */
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* a surrogate */
        {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* ends too early */
        {"\xE2\x82\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\\\"\""},           /* hides no quote */
        {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < FVI_COUNT(want); i++) {
        fvi_text text = {0};
        fvi_text_add_json_string(&text, want[i][0]);
        assert_string_equal(text.data, want[i][1]);
        fvi_text_free(&text);
    }
}

static void test_text_words(void **state)
{
    (void)state;
    static const char *const list[] = {"Conv2D", "Dense", "Dropout", "MaxPooling2D", "Flatten"};
    assert_string_equal(fv_nearest("Conv2d", list, 5), "Conv2D");
    assert_string_equal(fv_nearest("Desne", list, 5), "Dense");
    assert_string_equal(fv_nearest("MaxPool2D", list, 5), "MaxPooling2D");
    assert_string_equal(fv_nearest("Flatten", list, 5), "Flatten");
    assert_null(fv_nearest("LSTM", list, 5));
    assert_null(fv_nearest("", list, 5));
    assert_null(fv_nearest("Dense", list, 0));
    static const char *const edge[] = {"abcd"};
    assert_string_equal(fv_nearest("abxy", edge, 1), "abcd"); /* 2 of 4: still near */
    assert_null(fv_nearest("axyz", edge, 1));                 /* 3 of 4: not */
    static const char *const tail[] = {"def", "x"};
    assert_string_equal(fv_nearest("abcdef", tail, 2), "def"); /* three taken off, of 6 */
    assert_null(fv_nearest("aabcdef", tail, 1));               /* four, of 7 */
    assert_string_equal(fv_nearest("de", tail, 2), "def");     /* one put on */
    assert_string_equal(fv_nearest("x", tail, 2), "x");
    assert_null(fv_nearest("y", tail, 2));
    char safe[FVI_SAFE_TEXT], name[400];
    assert_string_equal(fvi_safe(safe, "conv1/\xC3\xA4"), "conv1/\xC3\xA4");
    assert_string_equal(fvi_safe(safe, "a\x1b[2J\xff\n"), "a\\x1b[2J\\xff\\x0a");
    assert_string_equal(fvi_safe(safe, "\xC2\x9B"), "\\xc2\\x9b");          /* C1 */
    assert_string_equal(fvi_safe(safe, "\xE2\x80\xAE"), "\\xe2\\x80\\xae"); /* right to left */
    assert_string_equal(fvi_safe(safe, NULL), "");
    assert_string_equal(fvi_safe(safe, " ~\x7f\xC2\xA0"), " ~\\x7f\xC2\xA0");
    for (int first = 'a'; first < 'a' + 4; first++) {
        memset(name, 1, sizeof name - 1); /* each byte becomes four */
        memset(name, first, (size_t)(first - 'a'));
        name[sizeof name - 1] = '\0';
        fvi_safe(safe, name);
        assert_in_range(strlen(safe), 77, 83);
        assert_string_equal(safe + strlen(safe) - 3, "...");
    }
}

static void test_locale(void **state)
{
    (void)state;
    static const char *const name[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8",
                                       "de_DE",       "es_ES.utf8", "ru_RU.utf8",  "ps_AF.utf8"};
    bool comma = false;
    for (size_t i = 0; i < FVI_COUNT(name) && !comma; i++) {
        comma = setlocale(LC_ALL, name[i]) && strcmp(localeconv()->decimal_point, ".") != 0;
    }
    if (!comma) {
        setlocale(LC_ALL, "C");
        print_message("skipped: no locale whose decimal point is another is installed\n");
        skip();
    }
    double value = 0;
    fvi_text text = {0};
    fvi_text_add_double(&text, 0.5);
    fvi_text_add_fixed(&text, 1234.5, 2);
    bool point = fvi_parse_double(&value, "2.75", 4), bad = fvi_parse_double(&value, "2,75", 4);
    test_number_round();
    setlocale(LC_ALL, "C");
    assert_string_equal(text.data, "0.51234.50");
    assert_true(point && value == 2.75);
    assert_false(bad);
    fvi_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_message), cmocka_unit_test(test_status_long),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_memory_blocks),
        cmocka_unit_test(test_large_blocks),   cmocka_unit_test(test_memory_failure),
        cmocka_unit_test(test_shape_count),    cmocka_unit_test(test_shape_text),
        cmocka_unit_test(test_window_same),    cmocka_unit_test(test_window_counted),
        cmocka_unit_test(test_window_limits),  cmocka_unit_test(test_parse_double),
        cmocka_unit_test(test_parse_int64),    cmocka_unit_test(test_text_numbers),
        cmocka_unit_test(test_text_grows),     cmocka_unit_test(test_text_json),
        cmocka_unit_test(test_text_words),     cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
