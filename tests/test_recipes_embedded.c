/* SPDX-License-Identifier: MIT */
/* The recipes inside the library are the files of recipes/, byte for byte. */
#include "base/base_internal.h"
#include "model/model_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void recipes_equal_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < fvi_recipe_text_count; i++) {
        const fvi_recipe_text *recipe = &fvi_recipe_texts[i];
        char path[1024];
        unsigned char *bytes = NULL;
        size_t size = 0;
        snprintf(path, sizeof path, "%s/recipes/%s.py", TEST_SOURCE_DIR, recipe->name);
        assert_int_equal(fvi_file_read(&bytes, &size, path, 1 << 20), FV_OK);
        assert_int_equal(strlen(recipe->text), size);
        assert_memory_equal(recipe->text, bytes, size);
        fvi_free(bytes);
    }
    assert_null(fvi_recipe_texts[fvi_recipe_text_count].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(recipes_equal_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
