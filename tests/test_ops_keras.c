/* SPDX-License-Identifier: MIT */
/* Configs of layers: Keras's keys there and back, and the order of its positional arguments. */
#include "ops_case.h"

/* ---- there and back ---- */

typedef struct round_trip {
    const char *op, *in, *out; /* out NULL: as in */
} round_trip;

static const round_trip round_trips[] = {
    {"InputLayer", "{\"batch_shape\":[null,64,64,3]}", NULL},
    {"InputLayer", "{\"shape\":[28,28,1],\"batch_size\":null,\"sparse\":false,\"optional\":false}",
     "{\"batch_shape\":[null,28,28,1]}"},
    {"InputLayer", "{\"shape\":[784]}", "{\"batch_shape\":[null,784]}"},
    {"InputLayer", "{\"shape\":null,\"batch_shape\":[null,2,3,4,5]}",
     "{\"batch_shape\":[null,2,3,4,5]}"},
    {"Conv2D",
     "{\"filters\":32,\"kernel_size\":[7,5],\"strides\":[2,1],\"padding\":\"same\","
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,3],\"groups\":1,"
     "\"activation\":\"relu\",\"use_bias\":false,\"kernel_initializer\":\"he_normal\","
     "\"bias_initializer\":\"ones\"}",
     NULL},
    {"Conv2D",
     "{\"name\":\"c\",\"trainable\":true,\"dtype\":\"float32\",\"filters\":8.0,\"kernel_size\":3,"
     "\"activation\":null,\"kernel_regularizer\":null,\"strides\":2,"
     "\"kernel_initializer\":{\"module\":\"keras.initializers\",\"class_name\":\"HeUniform\","
     "\"config\":{\"seed\":null},\"registered_name\":null}}",
     "{\"filters\":8,\"kernel_size\":[3,3],\"strides\":[2,2],\"padding\":\"valid\","
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\"groups\":1,"
     "\"activation\":\"linear\",\"use_bias\":true,\"kernel_initializer\":\"he_uniform\","
     "\"bias_initializer\":\"zeros\"}"},
    {"Conv2D", "{\"filters\":1,\"kernel_size\":[1,2],\"padding\":[[0,1],[2,3]]}",
     "{\"filters\":1,\"kernel_size\":[1,2],\"strides\":[1,1],\"padding\":[[0,1],[2,3]],"
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\"groups\":1,"
     "\"activation\":\"linear\",\"use_bias\":true,\"kernel_initializer\":\"glorot_uniform\","
     "\"bias_initializer\":\"zeros\"}"},
    {"Conv2D", "{\"filters\":8,\"kernel_size\":1,\"groups\":4.0}",
     "{\"filters\":8,\"kernel_size\":[1,1],\"strides\":[1,1],\"padding\":\"valid\","
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\"groups\":4,"
     "\"activation\":\"linear\",\"use_bias\":true,\"kernel_initializer\":\"glorot_uniform\","
     "\"bias_initializer\":\"zeros\"}"},
    {"DepthwiseConv2D",
     "{\"kernel_size\":[3,5],\"strides\":[2,1],\"padding\":\"same\",\"depth_multiplier\":2,"
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,3],\"activation\":\"relu\","
     "\"use_bias\":false,\"depthwise_initializer\":\"he_normal\","
     "\"bias_initializer\":\"ones\"}",
     NULL},
    {"DepthwiseConv2D", /* as Keras 2 writes it */
     "{\"name\":\"d\",\"trainable\":true,\"dtype\":\"float32\",\"kernel_size\":[3,3],"
     "\"strides\":[1,1],\"padding\":\"valid\",\"data_format\":\"channels_last\","
     "\"dilation_rate\":[1,1],\"groups\":1,\"activation\":\"linear\",\"use_bias\":true,"
     "\"bias_initializer\":{\"class_name\":\"Zeros\",\"config\":{}},\"bias_regularizer\":null,"
     "\"activity_regularizer\":null,\"bias_constraint\":null,\"depth_multiplier\":1,"
     "\"depthwise_initializer\":{\"class_name\":\"GlorotUniform\",\"config\":{\"seed\":null}},"
     "\"depthwise_regularizer\":null,\"depthwise_constraint\":null}",
     "{\"kernel_size\":[3,3],\"strides\":[1,1],\"padding\":\"valid\",\"depth_multiplier\":1,"
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\"activation\":\"linear\","
     "\"use_bias\":true,\"depthwise_initializer\":\"glorot_uniform\","
     "\"bias_initializer\":\"zeros\"}"},
    {"SeparableConv2D",
     "{\"filters\":7,\"kernel_size\":[3,2],\"strides\":[1,2],\"padding\":[[0,1],[2,3]],"
     "\"data_format\":\"channels_last\",\"dilation_rate\":[2,1],\"depth_multiplier\":3,"
     "\"activation\":\"tanh\",\"use_bias\":true,\"depthwise_initializer\":\"he_uniform\","
     "\"pointwise_initializer\":\"glorot_normal\",\"bias_initializer\":\"zeros\"}",
     NULL},
    {"SeparableConv2D", "{\"filters\":2,\"kernel_size\":3,\"groups\":1}",
     "{\"filters\":2,\"kernel_size\":[3,3],\"strides\":[1,1],\"padding\":\"valid\","
     "\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\"depth_multiplier\":1,"
     "\"activation\":\"linear\",\"use_bias\":true,\"depthwise_initializer\":\"glorot_uniform\","
     "\"pointwise_initializer\":\"glorot_uniform\",\"bias_initializer\":\"zeros\"}"},
    {"MaxPooling2D", "{}",
     "{\"pool_size\":[2,2],\"strides\":[2,2],\"padding\":\"valid\","
     "\"data_format\":\"channels_last\"}"},
    {"MaxPooling2D", "{\"pool_size\":[3,2],\"strides\":null,\"padding\":\"same\"}",
     "{\"pool_size\":[3,2],\"strides\":[3,2],\"padding\":\"same\","
     "\"data_format\":\"channels_last\"}"},
    {"AveragePooling2D",
     "{\"pool_size\":[3,3],\"strides\":[1,4],\"padding\":[[1,1],[2,0]],"
     "\"data_format\":\"channels_last\"}",
     NULL},
    {"GlobalAveragePooling2D", "{\"data_format\":\"channels_last\",\"keepdims\":false}", NULL},
    {"GlobalMaxPooling2D", "{\"data_format\":null}",
     "{\"data_format\":\"channels_last\",\"keepdims\":false}"},
    {"ZeroPadding2D", "{}", "{\"padding\":[[1,1],[1,1]],\"data_format\":\"channels_last\"}"},
    {"ZeroPadding2D", "{\"padding\":3}",
     "{\"padding\":[[3,3],[3,3]],\"data_format\":\"channels_last\"}"},
    {"ZeroPadding2D", "{\"padding\":[2,3]}",
     "{\"padding\":[[2,2],[3,3]],\"data_format\":\"channels_last\"}"},
    {"ZeroPadding2D", "{\"padding\":0}",
     "{\"padding\":[[0,0],[0,0]],\"data_format\":\"channels_last\"}"},
    {"Flatten", "{\"data_format\":\"channels_last\"}", NULL},
    {"Dense",
     "{\"units\":10,\"activation\":\"softmax\",\"use_bias\":true,"
     "\"kernel_initializer\":\"glorot_normal\",\"bias_initializer\":\"zeros\"}",
     NULL},
    {"Activation", "{\"activation\":\"tanh\"}", NULL},
    {"Activation", "{\"activation\":\"linear\"}", NULL},
    {"Softmax", "{\"axis\":-1}", NULL},
    {"ReLU", "{}", "{\"max_value\":null,\"negative_slope\":0.0,\"threshold\":0.0}"},
    {"ReLU", "{\"max_value\":6.0,\"negative_slope\":0.1,\"threshold\":0.25}", NULL},
    {"BatchNormalization",
     "{\"axis\":-1,\"momentum\":0.99,\"epsilon\":0.001,\"center\":true,\"scale\":true,"
     "\"beta_initializer\":\"zeros\",\"gamma_initializer\":\"ones\","
     "\"moving_mean_initializer\":\"zeros\",\"moving_variance_initializer\":\"ones\"}",
     NULL},
    {"BatchNormalization",
     "{\"axis\":[3],\"momentum\":1,\"epsilon\":1.1e-05,\"scale\":false,\"center\":false,"
     "\"gamma_initializer\":{\"class_name\":\"Ones\",\"config\":{}},\"synchronized\":false}",
     "{\"axis\":3,\"momentum\":1.0,\"epsilon\":1.1e-05,\"center\":false,\"scale\":false,"
     "\"beta_initializer\":\"zeros\",\"gamma_initializer\":\"ones\","
     "\"moving_mean_initializer\":\"zeros\",\"moving_variance_initializer\":\"ones\"}"},
    {"Dropout", "{\"rate\":0.3}", NULL},
    {"Dropout", "{\"rate\":0,\"noise_shape\":null,\"seed\":null}", "{\"rate\":0.0}"},
    {"Dropout", "{\"rate\":1.0}", NULL},
    {"Add", "{}", NULL},
    {"Concatenate", "{\"axis\":-1}", NULL},
    {"Concatenate", "{\"axis\":2}", NULL},
};

static void check_text(const fvi_value *dict, const char *want)
{
    fvi_text text = {0};
    assert_int_equal(fvi_json_write(&text, dict, 0), FV_OK);
    fvi_text wanted = {0};
    fvi_value *value = parse(want);
    assert_int_equal(fvi_json_write(&wanted, value, 0), FV_OK);
    assert_string_equal(text.data, wanted.data);
    fvi_value_free(value);
    fvi_text_free(&text);
    fvi_text_free(&wanted);
}

static void test_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(round_trips); i++) {
        const round_trip *row = &round_trips[i];
        const fvi_op *op = op_of(row->op);
        const char *text = row->in;
        for (int pass = 0; pass < 2; pass++) { /* the second time from what was written */
            case_config config = {0}, again;
            fvi_value *dict = parse(text), *back = NULL;
            const fvi_value *bad = dict;
            if (fvi_op_config_from_dict(op, &config, dict, &bad) != FV_OK) {
                fail_msg("%s %s: %s", row->op, text, fv_error());
            }
            assert_null(bad);
            again = config; /* complete once more changes nothing */
            assert_int_equal(fvi_op_config_complete(op, &again), FV_OK);
            assert_memory_equal(&config, &again, sizeof config);
            assert_int_equal(fvi_op_config_to_dict(op, &config, &back), FV_OK);
            if (row->out) text = row->out;
            check_text(back, text);
            fvi_value_free(dict);
            fvi_value_free(back);
        }
    }
}

/* Every op is in the table above. */
static void test_round_trips_are_all(void **state)
{
    (void)state;
    for (size_t i = 0; fvi_op_at(i); i++) {
        bool is_there = false;
        for (size_t k = 0; k < FVI_COUNT(round_trips); k++) {
            is_there = is_there || strcmp(round_trips[k].op, fvi_op_at(i)->name) == 0;
        }
        assert_true(is_there);
    }
}

/* ---- the order of Keras's positional arguments ---- */

static void test_positions(void **state)
{
    (void)state;
    static const char *const orders[][2] = {
        {"InputLayer", "shape batch_size dtype sparse batch_shape name"},
        {"Conv2D",
         "filters kernel_size strides padding data_format dilation_rate groups activation "
         "use_bias kernel_initializer bias_initializer kernel_regularizer "
         "bias_regularizer activity_regularizer kernel_constraint bias_constraint"},
        {"DepthwiseConv2D",
         "kernel_size strides padding depth_multiplier data_format dilation_rate activation "
         "use_bias depthwise_initializer bias_initializer depthwise_regularizer bias_regularizer "
         "activity_regularizer depthwise_constraint bias_constraint"},
        {"SeparableConv2D",
         "filters kernel_size strides padding data_format dilation_rate depth_multiplier "
         "activation use_bias depthwise_initializer pointwise_initializer bias_initializer "
         "depthwise_regularizer pointwise_regularizer bias_regularizer activity_regularizer "
         "depthwise_constraint pointwise_constraint bias_constraint"},
        {"MaxPooling2D", "pool_size strides padding data_format"},
        {"AveragePooling2D", "pool_size strides padding data_format"},
        {"GlobalAveragePooling2D", "data_format keepdims"},
        {"GlobalMaxPooling2D", "data_format keepdims"},
        {"ZeroPadding2D", "padding data_format"},
        {"Flatten", "data_format"},
        {"Dense", "units activation use_bias kernel_initializer bias_initializer "
                  "kernel_regularizer bias_regularizer activity_regularizer kernel_constraint "
                  "bias_constraint"},
        {"Activation", "activation"},
        {"ReLU", "max_value negative_slope threshold"},
        {"Softmax", "axis"},
        {"BatchNormalization",
         "axis momentum epsilon center scale beta_initializer gamma_initializer "
         "moving_mean_initializer moving_variance_initializer beta_regularizer "
         "gamma_regularizer beta_constraint gamma_constraint synchronized"},
        {"Dropout", "rate noise_shape seed"},
        {"Add", ""},
        {"Concatenate", "axis"},
    };
    for (size_t i = 0; i < FVI_COUNT(orders); i++) {
        const fvi_op *op = op_of(orders[i][0]);
        fvi_text text = {0};
        fvi_text_add(&text, "%s", "");
        for (size_t k = 0; k < op->n_fields; k++) {
            fvi_text_add(&text, "%s%s", k ? " " : "", op->fields[k].key);
        }
        assert_int_equal(strncmp(text.data, orders[i][1], strlen(orders[i][1])), 0);
        fvi_text_free(&text);
    }
}

/* The k-th allocation fails, k = 1, 2, ...: out of memory each time, nothing lost. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(round_trips); i++) {
        const fvi_op *op = op_of(round_trips[i].op);
        case_config config = {0};
        fvi_value *dict = parse(round_trips[i].in), *back = NULL;
        assert_int_equal(fvi_op_config_from_dict(op, &config, dict, NULL), FV_OK);
        long live = fvi_alloc_live();
        fv_status status = FV_E_MEMORY;
        for (long k = 1; status == FV_E_MEMORY; k++) {
            assert_int_equal(fvi_alloc_live(), live);
            fvi_alloc_fail_at(k);
            status = fvi_op_config_to_dict(op, &config, &back);
            fvi_alloc_fail_at(0);
        }
        assert_int_equal(status, FV_OK);
        fvi_value_free(back);
        fvi_value_free(dict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_round_trips_are_all),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, case_setup, case_teardown);
}
