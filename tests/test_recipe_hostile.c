/* SPDX-License-Identifier: MIT */
/* Recipes that mean harm, are broken off or are changed at random; recipes when memory is short. */
#include "recipe_check.h"

static void test_arguments(void **state)
{
    (void)state;
    fv_model *model = NULL;
    assert_int_equal(fv_model_from_recipe(NULL, "", NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_model_from_recipe(&model, NULL, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_model_from_recipe(&model, "x", NULL, NULL), FV_E_FORMAT);
    assert_memory_equal(fv_error(), "recipe:1:2: ", 12);
    assert_int_equal(fv_model_from_recipe(&model, "x", "a\nb.py", NULL), FV_E_FORMAT);
    assert_memory_equal(fv_error(), "a\\x0ab.py:1:2: ", 15);
    assert_int_equal(fv_model_from_recipe(&model, "x", NULL, &(fv_model_config){.batch = -1}),
                     FV_E_ARG);
    assert_int_equal(fvi_recipe_read(&model, "x = \0", 5, "r", NULL), FV_E_FORMAT);
    assert_string_equal(fv_error(), "r:1:5: control character 0x00");
    assert_int_equal(fvi_recipe_read(&model, "", ((size_t)64 << 20) + 1, "r", NULL), FV_E_FORMAT);
    assert_string_equal(fv_error(), "r:1:1: a recipe of more than 67108864 bytes");
    assert_int_equal(fvi_recipe_read(&model, "m = Sequential([ReLU(", 15, "r", NULL), FV_E_FORMAT);
    assert_string_equal(fv_error(), "r:1:15: \"(\" is never closed");
    assert_null(model);
    assert_int_equal(fvi_recipe_read(&model, HEAD "x = Dense(2, kernel_regularizer=l2(1e-4))(i)",
                                     sizeof HEAD - 1 + 44, "r", NULL),
                     FV_E_UNSUPPORTED);
    assert_memory_equal(fv_error(), "r:2:33: Dense: kernel_regularizer l2 is not supported", 53);
}

/* The text between two others, `count` times. */
static char *repeated(const char *head, const char *text, size_t count, const char *tail)
{
    size_t size = strlen(text), used = strlen(head);
    char *out = malloc(used + size * count + strlen(tail) + 1);
    assert_non_null(out);
    memcpy(out, head, used);
    for (size_t i = 0; i < count; i++, used += size) {
        memcpy(out + used, text, size);
    }
    memcpy(out + used, tail, strlen(tail) + 1);
    return out;
}

static void check_repeated(const char *head, const char *text, size_t count, const char *tail,
                           const char *message)
{
    char *recipe = repeated(head, text, count, tail);
    const char *found = error_of(recipe, FV_E_FORMAT);
    if (strncmp(found, message, strlen(message)) != 0) print_error("%s\n%s\n", found, message);
    assert_memory_equal(found, message, strlen(message));
    free(recipe);
}

static void test_large(void **state)
{
    (void)state;
    const size_t many = 100000;
    check_repeated("x = ", "(", many, "", "1:69: brackets nested deeper than 64");
    check_repeated("x = Dense(", "[", many, "", "1:74: brackets nested deeper than 64");
    check_repeated("x = ", "ReLU()(", many, "", "1:457: brackets nested deeper than 64");
    check_repeated("x = Dense(", "-", many, "", "1:12: expected a number");
    check_repeated("x = ", "a.", many, "b(3)", "1:200005: unknown layer");
    check_repeated("x = ", "a", many, "", "1:5: a name of 100000 characters");
    check_repeated("x = Dense(", "1", many, ")", "1:11: expected a decimal number that fits");
    check_repeated("x = Dense([", "1,", many, "])", "1:2058: more than 1024 values in one call");
    check_repeated(HEAD "x = Add()([", "i,", many, "])", "2:2060: more than 1024 inputs");
    check_repeated("# ", "a", 1 << 20, "", "1:1048577: a line of more than 1048576 bytes");
    check_repeated("x = '", "a", 1 << 20, "'", "1:1048577: a line of more than 1048576 bytes");
    check_repeated("", "\n", 1 << 20, "x", "1048577:2: expected \"=\" after the name");
    check_repeated(HEAD, "i = ReLU()(i)\n", 100000, "Model(i, i)", "100001:5: more than 100000");
    check_repeated(HEAD "x = Dense(3, name='", "a", 5000, "')(i)",
                   "2:5: Dense: a name of 5000 bytes; expected at most 4000");
    char *names = malloc(16 * many + 64);
    assert_non_null(names);
    size_t used = (size_t)sprintf(names, HEAD);
    for (size_t i = 0; i < many; i++) {
        used += (size_t)sprintf(names + used, "a%zu = i\n", i);
    }
    assert_memory_equal(error_of(names, FV_E_FORMAT), "100001:1: more than 100000 variables", 36);
    free(names);
    char *text = repeated("m = Sequential([Input(shape=(3,)),\n", "ReLU(),\n", 99999, "])");
    fv_model *model = model_of(text);
    assert_int_equal(fv_model_layers(model), 100000);
    fv_model_free(model);
    free(text);
}

/* A text is read or refused; nothing else happens, and nothing is left behind. */
static void check_any(const char *text, size_t size)
{
    fv_model *model = NULL;
    long live = fvi_alloc_live();
    char *exact = malloc(size ? size : 1); /* no byte behind it, which a sanitizer would see */
    assert_non_null(exact);
    memcpy(exact, text, size);
    fv_status status = fvi_recipe_read(&model, exact, size, "r", NULL);
    assert_true(status == FV_OK || status == FV_E_FORMAT || status == FV_E_UNSUPPORTED);
    assert_int_equal(model != NULL, status == FV_OK);
    fv_model_free(model);
    free(exact);
    assert_int_equal(fvi_alloc_live(), live);
}

static const char hostile_seed[] =
    "\"\"\"doc\"\"\"\nfrom a.b import (c, d)\ni = tf.Input(shape=(8, 8, 3))  # \xC3\xA9\n"
    "x = Conv2D(2, (3, 3), padding=\"same\", kernel_initializer=HeNormal(seed=1), name='a\\n')(i)\n"
    "y = BatchNormalization(momentum=0.9, epsilon=+1e-3)(x)\nx = Add()([x, \\\n y])\n"
    "x = Dense(2, activation=None, use_bias=True)(Flatten()(x))\nm = Model(inputs=[i], "
    "outputs=x)\n";

static void test_prefixes(void **state)
{
    (void)state;
    for (int i = -1; i < 0 || fv_recipe_name(i); i++) {
        const char *text = i < 0 ? hostile_seed : fv_recipe_find(fv_recipe_name(i));
        size_t size = strlen(text);
        fv_model_free(model_of(text));
        for (size_t n = 0; n <= size; n++) {
            check_any(text, n);
        }
    }
}

static void test_mutations(void **state)
{
    (void)state;
    static const char bytes[] = "()[]{}=,.'\"\\\n\r\t #-0159eaz_\x00\x7F\x80\xC3\xFF";
    char text[1024];
    size_t size = strlen(hostile_seed);
    assert_true(size < sizeof text);
    for (size_t at = 0; at < size; at++) { /* every place, every byte that means something */
        memcpy(text, hostile_seed, size);
        for (size_t k = 0; k < sizeof bytes - 1; k++) {
            text[at] = bytes[k];
            check_any(text, size);
        }
    }
    for (uint64_t i = 0; i < 20000; i++) { /* up to four changes: a byte set, left out or doubled */
        size_t length = size;
        memcpy(text, hostile_seed, size);
        int changes = fvi_rng_int(1, FVI_RNG_TEST, 0, i, 4) + 1;
        for (int k = 0; k < changes; k++) {
            uint32_t word[4];
            fvi_rng_words(word, 2, FVI_RNG_TEST, (uint32_t)k, i);
            size_t at = word[0] % length;
            if (word[1] % 3 == 0) {
                text[at] = bytes[word[2] % (sizeof bytes - 1)];
            } else if (word[1] % 3 == 1) {
                memmove(text + at, text + at + 1, --length - at);
            } else {
                memmove(text + at + 1, text + at, length++ - at);
            }
        }
        check_any(text, length);
    }
}

/* Every allocation fails once: the error says so, nothing leaks, and the next try succeeds. */
static void test_short_memory(void **state)
{
    (void)state;
    static const char sequential[] =
        "s = Sequential([Conv2D(2, 3, kernel_initializer=HeNormal(seed=1), name='c', "
        "input_shape=(8, 8, 3)), Flatten(), Dense(2)], name='n')";
    const char *const texts[] = {hostile_seed, sequential, "x = Conv2d(3)(y)"};
    for (size_t i = 0; i < FVI_COUNT(texts); i++) {
        fv_status last = i == 2 ? FV_E_FORMAT : FV_OK, status = FV_E_MEMORY;
        long live = fvi_alloc_live(), k = 0;
        while (status != last) {
            fv_model *model = NULL;
            fvi_alloc_fail_at(++k);
            status = fv_model_from_recipe(&model, texts[i], "r", NULL);
            fvi_alloc_fail_at(0);
            assert_true(status == last || status == FV_E_MEMORY);
            if (status == FV_E_MEMORY) assert_memory_equal(fv_error(), "out of memory", 13);
            fv_model_free(model);
            assert_int_equal(fvi_alloc_live(), live);
        }
        assert_true(k > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),    cmocka_unit_test(test_large),
        cmocka_unit_test(test_prefixes),     cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
