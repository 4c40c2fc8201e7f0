/* SPDX-License-Identifier: MIT */
/* What the tests of recipes share: a recipe that must be read, one that must be refused. */
#ifndef RECIPE_CHECK_H
#define RECIPE_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/recipe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "i = Input(shape=(8, 8, 3))\n"

/* fv_error() without "r:", so that a row begins with its line and column. */
static inline const char *error_of(const char *text, fv_status status)
{
    fv_model *model = (fv_model *)(void *)&model;
    long live = fvi_alloc_live();
    fv_status found = fv_model_from_recipe(&model, text, "r", NULL);
    if (found != status) print_error("%s\n-> %s\n", text, found == FV_OK ? "ok" : fv_error());
    assert_int_equal(found, status);
    assert_null(model);
    assert_int_equal(fvi_alloc_live(), live);
    assert_memory_equal(fv_error(), "r:", 2);
    return fv_error() + 2;
}

static inline fv_model *model_of(const char *text)
{
    fv_model *model = NULL;
    fv_status status = fv_model_from_recipe(&model, text, "r", NULL);
    if (status != FV_OK) print_error("%s\n-> %s\n", text, fv_error());
    assert_int_equal(status, FV_OK);
    assert_non_null(model);
    return model;
}

#endif
