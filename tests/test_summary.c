/* SPDX-License-Identifier: MIT */
/* The table of layers: text, JSON, long names, short memory. */
#include "recipe_check.h"

static char *summary_of(const char *recipe, bool json)
{
    char *text = NULL;
    fv_model *model = model_of(recipe);
    assert_int_equal(fv_model_build(model, FV_LAST, 1), FV_OK);
    assert_int_equal(fv_model_summary(model, json, &text), FV_OK);
    fv_model_free(model);
    return text;
}

static void test_sequential(void **state)
{
    (void)state;
    static const char expected[] =
        "Model: \"happy\"\n"
        "______________________________________________________________________\n"
        "Layer (type)                              Output Shape         Param #\n"
        "======================================================================\n"
        "zero_padding2d (ZeroPadding2D)            (None, 70, 70, 3)          0\n"
        "conv2d (Conv2D)                           (None, 64, 64, 32)     4,736\n"
        "batch_normalization (BatchNormalization)  (None, 64, 64, 32)       128\n"
        "re_lu (ReLU)                              (None, 64, 64, 32)         0\n"
        "max_pooling2d (MaxPooling2D)              (None, 32, 32, 32)         0\n"
        "flatten (Flatten)                         (None, 32768)              0\n"
        "dense (Dense)                             (None, 1)             32,769\n"
        "======================================================================\n"
        "Total params: 37,633 (147.00 KB)\n"
        "Trainable params: 37,569 (146.75 KB)\n"
        "Non-trainable params: 64 (256.00 B)\n"
        "______________________________________________________________________\n";
    char *text = summary_of(fv_recipe_find("happy"), false);
    assert_string_equal(text, expected);
    fv_free(text);
}

static void test_functional(void **state)
{
    (void)state;
    static const char recipe[] = "i = Input(shape=(8, 8, 3))\n"
                                 "x = Conv2D(3, 1, name='first')(i)\n"
                                 "x = Add(name='sum')([x, i])\n"
                                 "Model(i, Concatenate()([x, i, x]))";
    static const char expected[] =
        "Model: \"model\"\n"
        "_________________________________________________________________________________\n"
        "Layer (type)                  Output Shape         Param #  Connected to\n"
        "=================================================================================\n"
        "input_layer (InputLayer)      (None, 8, 8, 3)            0\n"
        "first (Conv2D)                (None, 8, 8, 3)           12  input_layer\n"
        "sum (Add)                     (None, 8, 8, 3)            0  first, input_layer\n"
        "concatenate (Concatenate)     (None, 8, 8, 9)            0  sum, input_layer, sum\n"
        "=================================================================================\n"
        "Total params: 12 (48.00 B)\n"
        "Trainable params: 12 (48.00 B)\n"
        "Non-trainable params: 0 (0.00 B)\n"
        "_________________________________________________________________________________\n";
    char *text = summary_of(recipe, false);
    if (strcmp(text, expected) != 0) print_error("%s\n", text);
    assert_string_equal(text, expected);
    fv_free(text);
}

static void test_totals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"signs", "Total params: 1,310 (5.12 KB)\nTrainable params: 1,310 (5.12 KB)\n"
                  "Non-trainable params: 0 (0.00 B)\n"},
        {"lenet5_32x32x3", "Total params: 62,006 (242.21 KB)\n"},
        {"lenet5_32x32x3_8filters", "Total params: 62,958 (245.93 KB)\n"},
        {"lenet5", "Total params: 61,706 (241.04 KB)\n"},
        {"resnet20", "Total params: 274,042 (1.05 MB)\nTrainable params: 272,474 (1.04 MB)\n"
                     "Non-trainable params: 1,568 (6.12 KB)\n"},
    };
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        char *text = summary_of(fv_recipe_find(rows[i][0]), false);
        assert_non_null(strstr(text, rows[i][1]));
        fv_free(text);
    }
}

/* No line of any table is wider than 100 characters, not even with names that are too long. */
static void check_width(const char *recipe)
{
    char *text = summary_of(recipe, false);
    size_t width = 0;
    for (const char *at = text; *at; at++) {
        assert_true((unsigned char)*at >= 0x20 || *at == '\n');
        if (((unsigned char)*at & 0xC0) != 0x80) width++;
        if (*at == '\n') width = 0;
        if (width > 100) print_error("%s", text);
        assert_true(width <= 100);
    }
    fv_free(text);
}

static void test_long_names(void **state)
{
    (void)state;
    for (int i = 0; fv_recipe_name(i); i++) {
        check_width(fv_recipe_find(fv_recipe_name(i)));
    }
    static const char recipe[] =
        "i = Input(shape=(8, 8, 3), name='the_pictures_that_come_from_the_camera_on_the_left_1')\n"
        "x = Conv2D(3, 1, "
        "name='\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3"
        "\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3"
        "\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9 very "
        "long "
        "\\n\\t')(i)\n"
        "x = Add()([x, i])\n"
        "x = GlobalAveragePooling2D()(x)\n"
        "Model(i, Dense(1000000, name='last')(x), name='a\\nb')";
    check_width(recipe);
    char *text = summary_of(recipe, false);
    assert_non_null(strstr(text, "Model: \"a\\x0ab\"\n"));
    assert_non_null(strstr(text, "the_pictures_that_com...camera_on_the_left_1"));
    assert_non_null(strstr(text, "\n(InputLayer)\n"));
    assert_non_null(strstr(text, "4,000,000 "));
    assert_non_null(strstr(text, "Total params: 4,000,012 (15.26 MB)\n"));
    fv_free(text);
}

static void test_json(void **state)
{
    (void)state;
    static const char expected[] =
        "{\"name\":\"m \\\"1\\\"\",\"layers\":["
        "{\"name\":\"input_layer\",\"class_name\":\"InputLayer\",\"output_shape\":[null,8,8,3],"
        "\"params\":0,\"trainable_params\":0,\"connected_to\":[]},"
        "{\"name\":\"bn0\",\"class_name\":\"BatchNormalization\",\"output_shape\":[null,8,8,3],"
        "\"params\":12,\"trainable_params\":6,\"connected_to\":[\"input_layer\"]},"
        "{\"name\":\"add\",\"class_name\":\"Add\",\"output_shape\":[null,8,8,3],"
        "\"params\":0,\"trainable_params\":0,\"connected_to\":[\"bn0\",\"input_layer\"]}],"
        "\"total_params\":12,\"trainable_params\":6,\"non_trainable_params\":6}";
    char *text = summary_of("i = Input(shape=(8, 8, 3))\nx = BatchNormalization(name='bn0')(i)\n"
                            "Model(i, Add()([x, i]), name='m \"1\"')",
                            true);
    assert_string_equal(text, expected);
    fv_free(text);
}

static void test_errors(void **state)
{
    (void)state;
    char *text = (char *)(void *)&text;
    fv_model *model = model_of(fv_recipe_find("happy"));
    assert_int_equal(fv_model_summary(model, false, &text), FV_E_STATE);
    assert_null(text);
    assert_int_equal(fv_model_summary(NULL, false, &text), FV_E_ARG);
    assert_int_equal(fv_model_summary(model, false, NULL), FV_E_ARG);
    assert_int_equal(fv_model_build(model, FV_LAST, 1), FV_OK);
    for (int json = 0; json < 2; json++) {
        fv_status status = FV_E_MEMORY;
        long live = fvi_alloc_live();
        for (long k = 1; status != FV_OK; k++) {
            fvi_alloc_fail_at(k);
            status = fv_model_summary(model, json != 0, &text);
            fvi_alloc_fail_at(0);
            assert_true(status == FV_OK || status == FV_E_MEMORY);
            assert_int_equal(text != NULL, status == FV_OK);
            fv_free(text);
            assert_int_equal(fvi_alloc_live(), live);
        }
    }
    fv_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequential), cmocka_unit_test(test_functional),
        cmocka_unit_test(test_totals),     cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_json),       cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
