/* SPDX-License-Identifier: MIT */
/* JSON and safetensors: what is written reads back; the rules of each are kept. */
#include "formats_check.h"

#include <locale.h>
#include <math.h>

/* ---- JSON ---- */

static fv_status json_from(fvi_value **value, const char *text)
{
    unsigned char *exact = check_exact(text, strlen(text));
    fv_status status = fvi_json_read(value, (const char *)exact, strlen(text));
    free(exact);
    return status;
}

static void json_reads(void **state)
{
    (void)state;
    fvi_value *v;
    CHECK_OK(json_from(&v, " {\"b\": [1, -2.5, true, null], \"a\": \"\\u00e9\\n\", \"c\": {}} "));
    assert_int_equal(v->kind, FVI_VALUE_DICT);
    assert_int_equal(v->count, 3);
    assert_string_equal(v->key[0], "b"); /* order of insertion */
    assert_string_equal(v->key[1], "a");
    const fvi_value *list = fvi_value_get(v, "b");
    assert_int_equal(list->kind, FVI_VALUE_LIST);
    assert_int_equal(list->item[0]->kind, FVI_VALUE_INT);
    assert_true(list->item[0]->number == 1.0);
    assert_int_equal(list->item[1]->kind, FVI_VALUE_DOUBLE);
    assert_true(list->item[1]->number == -2.5);
    assert_true(list->item[2]->boolean);
    assert_int_equal(list->item[3]->kind, FVI_VALUE_NULL);
    assert_string_equal(fvi_value_get_string(v, "a"), "\xc3\xa9\n");
    fvi_value_free(v);
    CHECK_OK(json_from(&v, "-9223372036854775808"));
    assert_true(v->integer == INT64_MIN);
    fvi_value_free(v);
}

static void json_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } row[] = {
        {"", "end of file"},
        {"{\"a\": 1, \"a\": 2}", "duplicate"},
        {"{\"a\": 1, \"\\u0061\": 2}", "duplicate"},
        {"{\n  \"a\": 1,\n  b\n}", "line 3, column 3"},
        {"[1] x", "line 1"},
        {"[1,]", "line 1"},
        {"[9223372036854775808]", "too big"},
        {"[1e400]", "overflow"},
        {"[NaN]", "line 1"},
        {"[0x10]", "line 1"},
        {"\"\\u0000\"", "NUL"},
        {"{\"a\\u0000b\": 1}", "NUL"},
        {"\"\\ud800\"", "line 1"},
        {"\"\xff\"", "decode"},
        {"\"\xc0\x80\"", "decode"},
        {"'a'", "line 1"},
        {"{\"a\" 1}", "line 1"},
    };
    fvi_value *v;
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        CHECK_FAILS(json_from(&v, row[i].text), FV_E_FORMAT, row[i].part);
        assert_null(v);
    }
    CHECK_FAILS(fvi_json_read(&v, "[1]\0", 4), FV_E_FORMAT, "column 4: a NUL byte");
    CHECK_FAILS(fvi_json_read(&v, NULL, 0), FV_E_FORMAT, "end of file");
}

static void json_depth(void **state)
{
    (void)state;
    static char text[200001];
    fvi_value *v;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    CHECK_OK(fvi_json_read(&v, text, 128));
    fvi_value_free(v);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CHECK_FAILS(fvi_json_read(&v, text, 130), FV_E_FORMAT, "column 65: nested deeper than 64");
    memset(text, '[', 200000);
    CHECK_FAILS(fvi_json_read(&v, text, 200000), FV_E_FORMAT, "nested deeper");
    memset(text, '\\',
           2); /* an escaped quote does not end a string, and brackets in one are text */
    memcpy(text, "\"\\\"", 3);
    text[199999] = '"';
    CHECK_OK(fvi_json_read(&v, text, 200000));
    fvi_value_free(v);
    static char many[2200001];
    for (size_t i = 0; i < sizeof many; i += 2) {
        many[i] = '1';
        if (i + 1 < sizeof many) many[i + 1] = ',';
    }
    many[0] = '[';
    CHECK_FAILS(fvi_json_read(&v, many, sizeof many), FV_E_MEMORY, "more than 1048576 values");
}

static void json_writes(void **state)
{
    (void)state;
    fvi_value *v;
    fvi_text text = {0};
    const char *given =
        "{\"b\":[1,1.0,-0.0,0.1,1e+300,true,null],\"a\":{},\"c\":[],\"d\":\"q\\\"\"}";
    CHECK_OK(json_from(&v, given));
    CHECK_OK(fvi_json_write(&text, v, 0));
    assert_string_equal(text.data, given);
    fvi_text_free(&text);
    text = (fvi_text){0};
    fvi_value_free(v);
    CHECK_OK(json_from(&v, "{\"b\":[1,{\"k\":2}],\"a\":{}}"));
    CHECK_OK(fvi_json_write(&text, v, 2));
    assert_string_equal(text.data, "{\n  \"b\": [\n    1,\n    {\n      \"k\": 2\n    }\n  ],\n"
                                   "  \"a\": {}\n}");
    fvi_value_free(v);
    fvi_value *bad = fvi_value_list();
    CHECK_OK(fvi_value_push(bad, fvi_value_double(NAN)));
    size_t before = text.size;
    CHECK_FAILS(fvi_json_write(&text, bad, 0), FV_E_ARG, "NaN");
    assert_int_equal(text.size, before); /* no half a document */
    bad->item[0]->number = -INFINITY;
    CHECK_FAILS(fvi_json_write(&text, bad, 0), FV_E_ARG, "infinity");
    fvi_value_free(bad);
    fvi_text_free(&text);
}

static int made_int(uint64_t seed, uint32_t *at, int below)
{
    return fvi_rng_int(seed, FVI_RNG_TEST, 1, (*at)++, below);
}

/* A random tree; every kind, keys and strings with all sorts of characters. */
static fvi_value *made_value(uint64_t seed, uint32_t *at, int depth)
{
    static const char *const word[] = {
        "", "a", "\"\\/", "\xc3\xa9", "\xf0\x9f\x98\x80", "\x01\x1f\x7f"};
    int kind = made_int(seed, at, depth > 4 ? 5 : 7);
    uint32_t bits[4];
    fvi_rng_words(bits, seed, FVI_RNG_TEST, 2, (*at)++);
    uint64_t wide = (uint64_t)bits[0] << 32 | bits[1];
    double number;
    memcpy(&number, &wide, sizeof number);
    if (kind == 0) return fvi_value_null();
    if (kind == 1) return fvi_value_bool(bits[0] & 1);
    if (kind == 2) return fvi_value_int((int64_t)wide);
    if (kind == 3) return fvi_value_double(isfinite(number) ? number : 1e-310);
    if (kind == 4) return fvi_value_string(word[bits[0] % FVI_COUNT(word)]);
    fvi_value *tree = kind == 5 ? fvi_value_list() : fvi_value_dict();
    for (int i = made_int(seed, at, 5); i > 0; i--) {
        char key[32];
        snprintf(key, sizeof key, "%s%d", word[(unsigned)i % FVI_COUNT(word)], i);
        fvi_value *item = made_value(seed, at, depth + 1);
        CHECK_OK(kind == 5 ? fvi_value_push(tree, item) : fvi_value_set(tree, key, item));
    }
    return tree;
}

static void same_value(const fvi_value *a, const fvi_value *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->count, b->count);
    assert_true(a->boolean == b->boolean && a->integer == b->integer);
    assert_memory_equal(&a->number, &b->number, sizeof a->number);
    if (a->string != NULL) assert_string_equal(a->string, b->string);
    for (size_t i = 0; i < a->count; i++) {
        if (a->key != NULL) assert_string_equal(a->key[i], b->key[i]);
        same_value(a->item[i], b->item[i]);
    }
}

static void json_round_trip(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    for (uint64_t seed = 0; seed < 500; seed++) {
        uint32_t at = 0;
        fvi_text text = {0};
        fvi_value *made = made_value(seed, &at, 0), *back;
        CHECK_OK(fvi_json_write(&text, made, seed % 2 ? 2 : 0));
        CHECK_OK(fvi_json_read(&back, text.data, text.size));
        same_value(made, back);
        fvi_text_free(&text);
        fvi_value_free(made);
        fvi_value_free(back);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

/* ---- safetensors ---- */

static void tensors_write(const char *path, const fvi_safetensors_entry *entry, int count,
                          const fvi_value *metadata)
{
    fvi_save *save;
    CHECK_OK(fvi_save_begin(&save, path));
    CHECK_OK(fvi_safetensors_write(save, entry, count, metadata));
    CHECK_OK(fvi_save_commit(save));
}

static void safetensors_known_bytes(void **state)
{
    (void)state;
    char path[128];
    float w[2] = {1, -2};
    char name[] = "w", bias[] = "b";
    uint8_t b = 7;
    fvi_safetensors_entry entry[2] = {
        {name, {{2, {1, 2}}, FV_FLOAT32, w}},
        {bias, {{0, {0}}, FV_UINT8, &b}},
    };
    fvi_value *metadata = fvi_value_dict();
    CHECK_OK(fvi_value_set(metadata, "k", fvi_value_string("v")));
    tensors_write(check_path(path, "known"), entry, 2, metadata);
    fvi_value_free(metadata);
    unsigned char *bytes;
    size_t size;
    CHECK_OK(fvi_file_read(&bytes, &size, path, 4096));
    const char *header = "{\"__metadata__\":{\"k\":\"v\"},"
                         "\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                         "\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]}}";
    size_t padded = (strlen(header) + 7) / 8 * 8;
    assert_int_equal(size, 8 + padded + 9);
    assert_int_equal(bytes[0], padded);
    assert_memory_equal(bytes + 8, header, strlen(header));
    assert_memory_equal(bytes + 8 + padded, w, 8);
    fvi_safetensors *file;
    CHECK_OK(fvi_safetensors_read(&file, bytes, size));
    assert_int_equal(file->count, 2);
    assert_string_equal(file->entry[0].name, "w");
    assert_int_equal(file->entry[0].tensor.shape.rank, 2);
    assert_int_equal(file->entry[1].tensor.shape.rank, 0);
    assert_int_equal(*(unsigned char *)file->entry[1].tensor.data, 7);
    assert_string_equal(fvi_value_get_string(file->metadata, "k"), "v");
    fvi_safetensors_free(file);
    fvi_free(bytes);
}

/* Random names, shapes and types; the same bits must come back, NaN payloads too. */
static void safetensors_round_trip(void **state)
{
    (void)state;
    char path[128];
    static uint32_t pool[4 * 600];
    long live = fvi_alloc_live();
    for (uint64_t seed = 0; seed < 60; seed++) {
        uint32_t at = 0;
        fvi_safetensors_entry entry[12] = {0};
        char name[12][32];
        int count = made_int(seed, &at, 13);
        for (uint32_t i = 0; i < FVI_COUNT(pool) / 4; i++)
            fvi_rng_words(&pool[4 * i], seed, FVI_RNG_TEST, 3, i);
        for (int i = 0; i < count; i++) {
            fv_tensor *t = &entry[i].tensor;
            snprintf(name[i], sizeof name[i], "%s.%d\xc3\xa9\"", i % 2 ? "conv" : "", i);
            entry[i].name = name[i];
            t->dtype = (fv_dtype)made_int(seed, &at, FV_BOOL + 1);
            t->shape.rank = made_int(seed, &at, 5);
            for (int k = 0; k < t->shape.rank; k++)
                t->shape.dim[k] = made_int(seed, &at, 6);
            t->data = pool;
        }
        tensors_write(check_path(path, "made"), entry, count, NULL);
        unsigned char *bytes;
        size_t size, n;
        fvi_safetensors *file;
        CHECK_OK(fvi_file_read(&bytes, &size, path, (size_t)1 << 20));
        CHECK_OK(fvi_safetensors_read(&file, bytes, size));
        assert_int_equal(file->count, count);
        assert_null(file->metadata);
        for (int i = 0; i < count; i++) {
            const fvi_safetensors_entry *got = NULL;
            for (int k = 0; k < count; k++)
                if (strcmp(file->entry[k].name, name[i]) == 0) got = &file->entry[k];
            assert_non_null(got);
            assert_true(fvi_shape_equal(&got->tensor.shape, &entry[i].tensor.shape));
            assert_int_equal(got->tensor.dtype, entry[i].tensor.dtype);
            CHECK_OK(fvi_shape_count(&n, &got->tensor.shape));
            assert_memory_equal(got->tensor.data, pool, n * fv_dtype_size(got->tensor.dtype));
        }
        fvi_safetensors_free(file);
        fvi_free(bytes);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

static void safetensors_write_refuses(void **state)
{
    (void)state;
    char path[128], a[] = "a", reserved[] = "__metadata__", broken[] = "a\xff";
    float x = 0;
    fvi_save *save;
    CHECK_OK(fvi_save_begin(&save, check_path(path, "refused")));
    fvi_safetensors_entry entry[2] = {{a, {{0, {0}}, FV_FLOAT32, &x}},
                                      {a, {{0, {0}}, FV_FLOAT32, &x}}};
    CHECK_FAILS(fvi_safetensors_write(save, entry, 2, NULL), FV_E_ARG, "duplicate");
    entry[1].name = reserved;
    CHECK_FAILS(fvi_safetensors_write(save, entry, 2, NULL), FV_E_ARG, "__metadata__");
    entry[1].name = broken;
    CHECK_FAILS(fvi_safetensors_write(save, entry, 2, NULL), FV_E_ARG, "not UTF-8");
    entry[1].name = NULL;
    CHECK_FAILS(fvi_safetensors_write(save, entry, 2, NULL), FV_E_ARG, "NULL");
    entry[0].tensor.data = NULL;
    CHECK_FAILS(fvi_safetensors_write(save, entry, 1, NULL), FV_E_ARG, "data is NULL");
    entry[0].tensor = (fv_tensor){{1, {-1}}, FV_FLOAT32, &x};
    CHECK_FAILS(fvi_safetensors_write(save, entry, 1, NULL), FV_E_SHAPE, "negative");
    entry[0].tensor = (fv_tensor){{0, {0}}, (fv_dtype)99, &x};
    CHECK_FAILS(fvi_safetensors_write(save, entry, 1, NULL), FV_E_ARG, "dtype");
    CHECK_FAILS(fvi_safetensors_write(save, entry, -1, NULL), FV_E_ARG, "-1 tensors");
    fvi_value *metadata = fvi_value_dict();
    CHECK_OK(fvi_value_set(metadata, "k", fvi_value_int(1)));
    CHECK_FAILS(fvi_safetensors_write(save, entry, 0, metadata), FV_E_ARG, "not a string");
    fvi_value_free(metadata);
    fvi_save_abort(save);
    assert_false(fvi_file_exists(path));
}

static int formats_cleanup(void **state)
{
    (void)state;
    static const char *const made[] = {"known", "made"};
    check_cleanup(made, FVI_COUNT(made));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_reads),
        cmocka_unit_test(json_refuses),
        cmocka_unit_test(json_depth),
        cmocka_unit_test(json_writes),
        cmocka_unit_test(json_round_trip),
        cmocka_unit_test(safetensors_known_bytes),
        cmocka_unit_test(safetensors_round_trip),
        cmocka_unit_test(safetensors_write_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, formats_cleanup);
}
