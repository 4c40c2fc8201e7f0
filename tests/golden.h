/* SPDX-License-Identifier: MIT */
/* Golden files for tests: JSON in, arrays of double out, and comparisons that say where. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct golden_array {
    int rank, shape[8];
    size_t count;
    double *data; /* golden_free */
} golden_array;

static inline json_t *golden_load(const char *name)
{
    char path[1024];
    json_error_t error;
    snprintf(path, sizeof path, TEST_SOURCE_DIR "/tests/golden/%s", name);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) fail_msg("%s: %s", path, error.text);
    return root;
}

/* A member that must be there. */
static inline json_t *golden_get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL) fail_msg("the golden file has no \"%s\" here", key);
    return value;
}

static inline int golden_int(const json_t *object, const char *key)
{
    return (int)json_integer_value(golden_get(object, key));
}

static inline double *golden_new(size_t count)
{
    double *data = malloc((count == 0 ? 1 : count) * sizeof *data);
    assert_non_null(data);
    for (size_t k = 0; k < count; k++)
        data[k] = NAN; /* what nobody writes shows up in every comparison */
    return data;
}

static inline void golden_put(golden_array *array, const json_t *value)
{
    if (json_is_array(value)) {
        for (size_t k = 0; k < json_array_size(value); k++)
            golden_put(array, json_array_get(value, k));
    } else {
        assert_true(json_is_number(value) || json_is_boolean(value));
        array->data[array->count++] =
            json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
    }
}

/* Either {"shape": [...], "data": [...]} or plain, perhaps nested, lists of numbers. */
static inline golden_array golden_read(const json_t *value)
{
    golden_array array = {0};
    const json_t *shape = json_object_get(value, "shape");
    size_t count = 1;
    if (shape != NULL) {
        array.rank = (int)json_array_size(shape);
        assert_in_range(array.rank, 0, 8);
        for (int k = 0; k < array.rank; k++)
            array.shape[k] = (int)json_integer_value(json_array_get(shape, (size_t)k));
        value = golden_get(value, "data");
    } else {
        for (const json_t *list = value; json_is_array(list); list = json_array_get(list, 0))
            array.shape[array.rank++] = (int)json_array_size(list);
    }
    for (int k = 0; k < array.rank; k++)
        count *= (size_t)array.shape[k];
    array.data = golden_new(count);
    golden_put(&array, value);
    assert_int_equal(array.count, count);
    return array;
}

static inline void golden_free(golden_array *array)
{
    free(array->data);
    *array = (golden_array){0};
}

/* got and want agree to tolerance times the largest value of want; 0 asks for equality. */
static inline void golden_close(const char *what, const double *got, const double *want,
                                size_t count, double tolerance)
{
    double largest = 0.0;
    for (size_t k = 0; k < count; k++)
        if (fabs(want[k]) > largest) largest = fabs(want[k]);
    for (size_t k = 0; k < count; k++)
        if (!(fabs(got[k] - want[k]) <= tolerance * largest))
            fail_msg("%s[%zu] is %.17g; %.17g is expected", what, k, got[k], want[k]);
}

/* The same with an absolute tolerance, for printed decimals. */
static inline void golden_near(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s is %.17g; %.17g is expected", what, got, want);
}

static inline double golden_mean(const double *data, size_t count)
{
    double sum = 0.0;
    for (size_t k = 0; k < count; k++)
        sum += data[k];
    return sum / (double)count;
}

#endif
