/* SPDX-License-Identifier: MIT */
/* docs/sequential_and_functional.md: its C is in the examples, its recipes are the models it
   says. */
#include "model_nets.h"

#include <stdio.h>
#include <stdlib.h>

#define DOCS_BLOCKS 6 /* C and recipe, three times */

static char *docs_read(const char *name)
{
    char path[512];
    unsigned char *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", TEST_SOURCE_DIR, name);
    assert_ok(fvi_file_read(&bytes, &size, path, 1 << 20));
    return (char *)bytes;
}

/* The text of block number i of the page, cut out with its NUL; the language in *is_c. */
static char *docs_block(const char *page, int i, bool *is_c)
{
    const char *at = page;
    for (;; i--) {
        at = strstr(at, "```");
        assert_non_null(at);
        *is_c = strncmp(at, "```c\n", 5) == 0;
        at = strchr(at, '\n') + 1;
        const char *end = strstr(at, "```");
        assert_non_null(end);
        if (i == 0) {
            char *text = fvi_copy(at, (size_t)(end - at) + 1, "");
            text[end - at] = '\0';
            return text;
        }
        at = end + 3;
    }
}

/* Every line of the block stands in the example, in the same order, but for its indent. */
static void docs_expect_in(char *block, const char *name)
{
    char *example = docs_read(name);
    const char *at = example;
    char *rest = NULL;
    for (char *line = strtok_r(block, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        line += strspn(line, " ");
        at = strstr(at, line);
        if (!at) fail_msg("%s: not there, or not in this order: %s", name, line);
        at += strlen(line);
    }
    fvi_free(example);
}

static void test_page(void **state)
{
    (void)state;
    static const char *const example[] = {"examples/sequential.c", "examples/functional.c",
                                          "examples/residual.c"};
    static const size_t parameters[] = {13610, 13610, 1338};
    char *page = docs_read("docs/sequential_and_functional.md");
    fv_model *m[DOCS_BLOCKS / 2];
    for (int i = 0; i < DOCS_BLOCKS; i++) {
        bool is_c;
        char *block = docs_block(page, i, &is_c);
        assert_int_equal(is_c, i % 2 == 0);
        if (is_c) {
            docs_expect_in(block, example[i / 2]);
        } else {
            assert_ok(fv_model_from_recipe(&m[i / 2], block, "the page", NULL));
            assert_ok(fv_model_build(m[i / 2], FV_LAST, 2));
            assert_int_equal(fv_model_parameters(m[i / 2], NULL), parameters[i / 2]);
        }
        fvi_free(block);
    }
    assert_non_null(strstr(page, "13,610 parameters"));
    assert_non_null(strstr(page, "1,338 parameters"));
    nets_same(m[0]->weights, m[1]->weights, m[0]->weight_floats);
    assert_true(m[0]->is_sequential && !m[1]->is_sequential && !m[2]->is_sequential);
    for (int i = 0; i < DOCS_BLOCKS / 2; i++) {
        fv_model_free(m[i]);
    }
    fvi_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
