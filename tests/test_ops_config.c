/* SPDX-License-Identifier: MIT */
/* Configs and shapes of layers that must be refused, each with its number in the message. */
#include "ops_case.h"

/* ---- dicts that are refused ---- */

typedef struct refusal {
    const char *op, *json;
    fv_status status;
    const char *part; /* of the message */
} refusal;

#define CONV "\"filters\":4,\"kernel_size\":3,"

static const refusal refusals[] = {
    /* A01, A02: strides */
    {"Conv2D", "{" CONV "\"strides\":0}", FV_E_FORMAT,
     "strides 0: expected an integer or a pair of integers of 1 or more"},
    {"Conv2D", "{" CONV "\"strides\":[1,0]}", FV_E_FORMAT, "strides [1, 0]"},
    {"MaxPooling2D", "{\"strides\":0}", FV_E_FORMAT, "strides 0"},
    {"AveragePooling2D", "{\"strides\":[0,2]}", FV_E_FORMAT, "strides [0, 2]"},
    {"Conv2D", "{" CONV "\"strides\":-1}", FV_E_FORMAT, "strides -1"},
    {"MaxPooling2D", "{\"strides\":-9223372036854775808}", FV_E_FORMAT,
     "strides -9223372036854775808"},
    /* A03, A04: kernel sizes */
    {"Conv2D", "{\"filters\":4,\"kernel_size\":0}", FV_E_FORMAT, "kernel_size 0"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":[3,0]}", FV_E_FORMAT, "kernel_size [3, 0]"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":[2,2,0]}", FV_E_FORMAT, "kernel_size [2, 2, 0]"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":-3}", FV_E_FORMAT, "kernel_size -3"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":1e20}", FV_E_FORMAT, "kernel_size 1e+20"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":2.5}", FV_E_FORMAT, "kernel_size 2.5"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":true}", FV_E_FORMAT, "kernel_size True"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":\"0x10\"}", FV_E_FORMAT, "kernel_size \"0x10\""},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":null}", FV_E_FORMAT, "kernel_size None"},
    {"Conv2D", "{\"filters\":4,\"kernel_size\":2147483648}", FV_E_FORMAT, "kernel_size 2147483648"},
    {"Conv2D", "{\"filters\":4}", FV_E_FORMAT, "kernel_size is missing: expected an integer or"},
    {"MaxPooling2D", "{\"pool_size\":0}", FV_E_FORMAT, "pool_size 0"},
    /* A05, A06, A07: dilation, groups, filters */
    {"Conv2D", "{" CONV "\"dilation_rate\":0}", FV_E_FORMAT, "dilation_rate 0"},
    {"Conv2D", "{" CONV "\"dilation_rate\":[1,-2]}", FV_E_FORMAT, "dilation_rate [1, -2]"},
    {"Conv2D", "{" CONV "\"groups\":-2}", FV_E_FORMAT,
     "groups -2: expected an integer of 1 or more"},
    {"Conv2D", "{" CONV "\"groups\":0}", FV_E_FORMAT, "groups 0"},
    {"Conv2D", "{" CONV "\"groups\":\"1\"}", FV_E_FORMAT, "groups \"1\""},
    {"Conv2D", "{" CONV "\"groups\":[2,2]}", FV_E_FORMAT, "groups [2, 2]"},
    {"Conv2D", "{" CONV "\"groups\":null}", FV_E_FORMAT, "groups None"},
    {"DepthwiseConv2D", "{}", FV_E_FORMAT, "kernel_size is missing"},
    {"DepthwiseConv2D", "{\"kernel_size\":3,\"depth_multiplier\":0}", FV_E_FORMAT,
     "depth_multiplier 0: expected an integer of 1 or more"},
    {"DepthwiseConv2D", "{\"kernel_size\":3,\"depth_multiplier\":1.5}", FV_E_FORMAT,
     "depth_multiplier 1.5"},
    {"DepthwiseConv2D", "{\"kernel_size\":3,\"groups\":2}", FV_E_UNSUPPORTED,
     "groups 2 is not supported; only 1"},
    {"DepthwiseConv2D", "{\"kernel_size\":3,\"filters\":2}", FV_E_FORMAT, "filters"},
    {"DepthwiseConv2D", "{\"kernel_size\":3,\"strides\":[0,1]}", FV_E_FORMAT, "strides [0, 1]"},
    {"DepthwiseConv2D", "{\"kernel_size\":3,\"depthwise_regularizer\":\"l2\"}", FV_E_UNSUPPORTED,
     "depthwise_regularizer"},
    {"SeparableConv2D", "{\"kernel_size\":3}", FV_E_FORMAT, "filters is missing"},
    {"SeparableConv2D", "{" CONV "\"depth_multiplier\":-1}", FV_E_FORMAT, "depth_multiplier -1"},
    {"SeparableConv2D", "{" CONV "\"pointwise_initializer\":\"he\"}", FV_E_FORMAT,
     "pointwise_initializer \"he\""},
    {"Conv2D", "{\"filters\":0,\"kernel_size\":3}", FV_E_FORMAT,
     "filters 0: expected an integer of 1 or more"},
    {"Conv2D", "{\"filters\":[4],\"kernel_size\":3}", FV_E_FORMAT, "filters [4]"},
    {"Dense", "{\"units\":0}", FV_E_FORMAT, "units 0"},
    {"Dense", "{\"units\":-1}", FV_E_FORMAT, "units -1"},
    {"Dense", "{}", FV_E_FORMAT, "units is missing"},
    /* A11, A12, A13: pads */
    {"Conv2D", "{" CONV "\"padding\":[[1,-1],[0,0]]}", FV_E_FORMAT, "padding [[1, -1], [0, 0]]"},
    {"Conv2D", "{" CONV "\"padding\":[]}", FV_E_FORMAT, "padding []"},
    {"Conv2D", "{" CONV "\"padding\":\"causal\"}", FV_E_FORMAT, "padding \"causal\""},
    {"Conv2D", "{" CONV "\"padding\":\"smae\"}", FV_E_FORMAT, "did you mean \"same\"?"},
    {"Conv2D", "{" CONV "\"padding\":\"Same\"}", FV_E_FORMAT, "padding \"Same\""},
    {"ZeroPadding2D", "{\"padding\":-1}", FV_E_FORMAT, "padding -1"},
    {"ZeroPadding2D", "{\"padding\":[1,2,3]}", FV_E_FORMAT, "padding [1, 2, 3]"},
    {"ZeroPadding2D", "{\"padding\":[[1,2],[3]]}", FV_E_FORMAT, "padding [[1, 2], [3]]"},
    {"ZeroPadding2D", "{\"padding\":\"same\"}", FV_E_FORMAT, "padding \"same\""},
    {"ZeroPadding2D", "{\"padding\":[[[1,1],1],[1,1]]}", FV_E_FORMAT,
     "padding [[[1, 1], 1], [1, 1]]"},
    /* A19, A20: shapes */
    {"InputLayer", "{\"shape\":[0,5,3]}", FV_E_FORMAT, "shape [0, 5, 3]"},
    {"InputLayer", "{\"shape\":[-1]}", FV_E_FORMAT, "shape [-1]"},
    {"InputLayer", "{\"shape\":[]}", FV_E_FORMAT, "shape []"},
    {"InputLayer", "{\"shape\":[1,2,3,4,5]}", FV_E_FORMAT, "shape [1, 2, 3, 4, 5]"},
    {"InputLayer", "{\"shape\":[null,null,3]}", FV_E_FORMAT, "shape [None, None, 3]"},
    {"InputLayer", "{\"shape\":[1152921504606846975,1152921504606846975]}", FV_E_FORMAT,
     "shape [1152921504606846975, "},
    {"InputLayer", "{\"batch_shape\":[28,28,1]}", FV_E_FORMAT, "batch_shape [28, 28, 1]"},
    {"InputLayer", "{\"batch_shape\":[null]}", FV_E_FORMAT, "batch_shape [None]"},
    {"InputLayer", "{\"batch_shape\":28}", FV_E_FORMAT, "batch_shape 28"},
    {"InputLayer", "{\"shape\":[4],\"batch_shape\":[null,4]}", FV_E_FORMAT, "given once"},
    {"InputLayer", "{}", FV_E_FORMAT, "shape []: expected one to four sizes"},
    {"InputLayer", "{\"shape\":[4],\"batch_size\":32}", FV_E_UNSUPPORTED,
     "batch_size 32 is not supported; only None"},
    {"InputLayer", "{\"shape\":[4],\"sparse\":true}", FV_E_UNSUPPORTED, "sparse True"},
    /* A22: axes */
    {"Concatenate", "{\"axis\":0}", FV_E_FORMAT, "axis 0: expected the number of an axis"},
    {"Concatenate", "{\"axis\":9}", FV_E_FORMAT, "axis 9"},
    {"Concatenate", "{\"axis\":-9}", FV_E_FORMAT, "axis -9"},
    {"BatchNormalization", "{\"axis\":[1,2]}", FV_E_FORMAT, "axis [1, 2]"},
    {"Softmax", "{\"axis\":1}", FV_E_UNSUPPORTED, "axis 1 is not supported; only -1"},
    /* A32: rates; numbers of batch normalisation (N06) and ReLU */
    {"Dropout", "{\"rate\":-0.1}", FV_E_FORMAT, "rate -0.1: expected a number from 0 to 1"},
    {"Dropout", "{\"rate\":1.5}", FV_E_FORMAT, "rate 1.5"},
    {"Dropout", "{\"rate\":true}", FV_E_FORMAT, "rate True"},
    {"Dropout", "{\"rate\":\"NaN\"}", FV_E_FORMAT, "rate \"NaN\""},
    {"Dropout", "{\"rate\":null}", FV_E_FORMAT, "rate None"},
    {"Dropout", "{}", FV_E_FORMAT, "rate is missing: expected a number from 0 to 1"},
    {"Dropout", "{\"rate\":0.5,\"seed\":1}", FV_E_UNSUPPORTED, "seed 1 is not supported"},
    {"BatchNormalization", "{\"epsilon\":0}", FV_E_FORMAT, "epsilon 0: expected a number above 0"},
    {"BatchNormalization", "{\"epsilon\":1e-60}", FV_E_FORMAT, "epsilon 1e-60"},
    {"BatchNormalization", "{\"epsilon\":1e300}", FV_E_FORMAT, "epsilon 1e+300"},
    {"BatchNormalization", "{\"momentum\":1.01}", FV_E_FORMAT,
     "momentum 1.01: expected a number above 0 and at most 1"},
    {"BatchNormalization", "{\"momentum\":-1}", FV_E_FORMAT, "momentum -1"},
    {"BatchNormalization", "{\"center\":1}", FV_E_FORMAT, "center 1: expected True or False"},
    {"BatchNormalization", "{\"gamma_initializer\":\"zeros\"}", FV_E_UNSUPPORTED,
     "gamma_initializer \"zeros\" is not supported; only ones"},
    {"ReLU", "{\"max_value\":0}", FV_E_FORMAT, "max_value 0: expected a number above 0"},
    {"ReLU", "{\"negative_slope\":-0.5}", FV_E_FORMAT, "negative_slope -0.5"},
    {"ReLU", "{\"threshold\":null}", FV_E_FORMAT, "threshold None"},
    /* words and keys */
    {"Dense", "{\"units\":1,\"activation\":\"sigmiod\"}", FV_E_FORMAT,
     "activation \"sigmiod\": expected linear, relu, sigmoid, tanh or softmax; did you mean "
     "\"sigmoid\"?"},
    {"Activation", "{}", FV_E_FORMAT, "activation is missing: expected linear, relu"},
    {"Activation", "{\"activation\":3}", FV_E_FORMAT, "activation 3"},
    {"Dense", "{\"units\":1,\"kernel_initializer\":\"he_norml\"}", FV_E_FORMAT,
     "did you mean \"he_normal\"?"},
    {"Dense", "{\"units\":1,\"kernel_initializer\":{\"class_name\":\"Orthogonal\"}}", FV_E_FORMAT,
     "kernel_initializer Orthogonal: expected glorot_uniform"},
    {"Dense", "{\"units\":1,\"kernel_initializer\":{}}", FV_E_FORMAT, "kernel_initializer {...}"},
    {"Dense", "{\"units\":1,\"kernel_initializer\":null}", FV_E_FORMAT, "kernel_initializer None"},
    {"Dense", "{\"units\":1,\"kernel_regularizer\":\"l2\"}", FV_E_UNSUPPORTED,
     "kernel_regularizer \"l2\" is not supported; only None"},
    {"Flatten", "{\"data_format\":\"channels_first\"}", FV_E_UNSUPPORTED,
     "data_format \"channels_first\" is not supported; only channels_last"},
    {"GlobalMaxPooling2D", "{\"keepdims\":true}", FV_E_UNSUPPORTED, "keepdims True"},
    {"Conv2D", "{" CONV "\"filtres\":3}", FV_E_FORMAT,
     "unknown key \"filtres\"; did you mean \"filters\"?"},
    {"Dense", "{\"units\":1,\"zzz\":3}", FV_E_FORMAT, "unknown key \"zzz\"; Dense has name, units"},
    {"Add", "{\"\\u001b[2J\":3}", FV_E_FORMAT, "unknown key \"\\x1b[2J\""},
    {"Add", "[1]", FV_E_FORMAT, "the config of Add is no dict"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(refusals); i++) {
        const refusal *row = &refusals[i];
        case_config config = {0};
        fvi_value *dict = parse(row->json);
        const fvi_value *bad = NULL;
        fv_status status = fvi_op_config_from_dict(op_of(row->op), &config, dict, &bad);
        if (status != row->status || !strstr(fv_error(), row->part)) {
            fail_msg("%s %s gives %s: %s", row->op, row->json, fv_status_name(status), fv_error());
        }
        /* The value at fault, or the dict when something is missing from it. */
        bool is_whole =
            strstr(fv_error(), "missing") || dict->kind != FVI_VALUE_DICT || dict->count == 0;
        assert_true(bad && (bad == dict) == is_whole);
        fvi_value_free(dict);
    }
}

/* ---- configs in C that are refused ---- */

static void refuse_config(const char *op, case_config config, const char *part)
{
    fv_status status = fvi_op_config_complete(op_of(op), &config);
    if (status != FV_E_ARG || !strstr(fv_error(), part)) {
        fail_msg("%s (%s) gives %s: %s", op, part, fv_status_name(status), fv_error());
    }
}

static void test_hostile_configs(void **state)
{
    (void)state;
    const fv_conv2d_config conv = {.filters = 1, .kernel_size = {3}};
    case_config c = {.conv2d = conv};
#define REFUSE_CONV(member, part)                                                                  \
    do {                                                                                           \
        c.conv2d = conv;                                                                           \
        c.conv2d.member;                                                                           \
        refuse_config("Conv2D", c, part);                                                          \
    } while (0)
    REFUSE_CONV(filters = 0, "filters 0");
    REFUSE_CONV(filters = -5, "filters -5");
    REFUSE_CONV(kernel_size[0] = 0, "kernel_size [0, 0]");
    REFUSE_CONV(kernel_size[1] = -3, "kernel_size [3, -3]");
    REFUSE_CONV(strides[0] = -1, "strides [-1, -1]");
    REFUSE_CONV(strides[1] = 2, "strides [0, 2]");
    REFUSE_CONV(dilation_rate[0] = INT32_MIN, "dilation_rate [-2147483648");
    REFUSE_CONV(padding = (fv_padding)9, "padding 9");
    REFUSE_CONV(padding = (fv_padding)-1, "padding -1");
    REFUSE_CONV(pads[2] = 1, "padding [\"valid\", [[0, 0], [1, 0]]]");
    REFUSE_CONV(activation = (fv_activation_kind)77, "activation 77");
    REFUSE_CONV(kernel_initializer = (fv_initializer)7, "kernel_initializer 7");
    REFUSE_CONV(bias_initializer = (fv_initializer)-7, "bias_initializer -7");
    c.conv2d = conv;
    c.conv2d.padding = FV_EXPLICIT;
    c.conv2d.pads[3] = -1;
    refuse_config("Conv2D", c, "padding [[0, 0], [0, -1]]");
    refuse_config("MaxPooling2D", (case_config){.pool2d = {.pool_size = {-2}}}, "pool_size [-2");
    refuse_config("MaxPooling2D", (case_config){.pool2d = {.strides = {1, -2}}}, "strides [1, -2]");
    refuse_config("Dropout", (case_config){.dropout = {.rate = NAN}}, "rate nan");
    refuse_config("Dropout", (case_config){.dropout = {.rate = -0.5f}}, "rate -0.5");
    refuse_config("Dropout", (case_config){.dropout = {.rate = INFINITY}}, "rate inf");
    refuse_config("BatchNormalization", (case_config){.norm = {.epsilon = -1}}, "epsilon -1");
    refuse_config("BatchNormalization", (case_config){.norm = {.momentum = 2}}, "momentum 2");
    refuse_config("BatchNormalization", (case_config){.norm = {.axis = 99}}, "axis 99");
    refuse_config("ReLU", (case_config){.relu = {.max_value = NAN}}, "max_value nan");
    refuse_config("ReLU", (case_config){.relu = {.threshold = -1}}, "threshold -1");
    refuse_config("ZeroPadding2D", (case_config){.padding = {.padding = {-1}}}, "padding [[-1, 0]");
    refuse_config("ZeroPadding2D",
                  (case_config){.padding = {.padding = {1}, .without_padding = true}}, "padding");
    refuse_config("InputLayer", (case_config){.input = {.shape = {0}}}, "shape []");
    refuse_config("InputLayer", (case_config){.input = {.shape = {28, 0, 1}}}, "shape [28, 0, 1]");
    refuse_config("InputLayer", (case_config){.input = {.shape = {28, -2}}}, "shape [28, -2]");
    refuse_config("Concatenate", (case_config){.concatenate = {.axis = INT32_MAX}}, "axis");
}

/* A flag that holds neither true nor false becomes true, so that nobody reads it as it was. */
static void test_flags_of_any_byte(void **state)
{
    (void)state;
    case_config c = {.dense = {.units = 1}};
    memset(&c.dense.without_bias, 0xfe, 1);
    assert_int_equal(fvi_op_config_complete(op_of("Dense"), &c), FV_OK);
    assert_int_equal(*(const unsigned char *)&c.dense.without_bias, 1);
    c = (case_config){0};
    memset(&c.padding.without_padding, 0xfe, 1);
    assert_int_equal(fvi_op_config_complete(op_of("ZeroPadding2D"), &c), FV_OK);
    assert_int_equal(*(const unsigned char *)&c.padding.without_padding, 1);
    assert_int_equal(c.padding.padding[0], 0);
}

/* Bytes at random instead of a config: an answer, never a trap. */
static void test_random_configs(void **state)
{
    (void)state;
    for (size_t k = 0; fvi_op_at(k); k++) {
        const fvi_op *op = fvi_op_at(k);
        for (uint64_t i = 0; i < 3000; i++) {
            case_draw d = {k << 32 | i, 0};
            op_case t = {.n = 1, .max_batch = 1 + draw_int(&d, 0, 1) * (INT32_MAX - 1)};
            int *words = (int *)(void *)&t.config;
            for (size_t at = sizeof(char *) / sizeof *words; at < op->config_size / sizeof *words;
                 at++) {
                static const int numbers[] = {0, 0, 1, 1, 2, 3, -1, 7, INT32_MAX, INT32_MIN};
                int which = draw_int(&d, 0, 11);
                words[at] =
                    which < 10 ? numbers[which] : draw_int(&d, INT32_MIN / 4, INT32_MAX / 2);
            }
            for (int input = 0; input < CASE_INPUTS; input++) {
                int rank = draw_int(&d, 1, 4);
                t.x_shape[input] = (fv_shape){rank,
                                              {draw_int(&d, 1, 40000), draw_int(&d, 1, 9),
                                               draw_int(&d, 1, 9), draw_int(&d, 1, 9)}};
            }
            fv_status status = case_infer(&t, op->name, op->min_inputs);
            assert_true(status == FV_OK || status == FV_E_ARG || status == FV_E_SHAPE ||
                        status == FV_E_UNSUPPORTED);
            fvi_free(t.node.geometry);
        }
    }
}

/* ---- shapes that are refused ---- */

typedef struct misfit {
    const char *op, *json;
    fv_shape x[2];
    int n_inputs;
    fv_status status;
    const char *part;
} misfit;

#define CONV_OF(size) "{\"filters\":4,\"kernel_size\":" size

static const misfit misfits[] = {
    {"Conv2D",
     CONV_OF("5") "}",
     {{3, {3, 3, 1}}},
     1,
     FV_E_SHAPE,
     "kernel 5x5 does not fit input 3x3; use padding \"same\" or a smaller kernel"},
    {"Conv2D",
     CONV_OF("[1,4]") "}",
     {{3, {9, 3, 1}}},
     1,
     FV_E_SHAPE,
     "kernel 1x4 does not fit input 9x3;"},
    {"Conv2D",
     CONV_OF("3") ",\"dilation_rate\":4}",
     {{3, {8, 9, 1}}},
     1,
     FV_E_SHAPE,
     "kernel 3x3 (9x9 with dilation) does not fit input 8x9;"},
    {"Conv2D",
     CONV_OF("6") ",\"padding\":1}",
     {{3, {3, 9, 1}}},
     1,
     FV_E_SHAPE,
     "kernel 6x6 does not fit input 3x9 (5x11 with padding);"},
    {"Conv2D",
     CONV_OF("2147483647") ",\"padding\":\"same\"}",
     {{3, {9, 9, 1}}},
     1,
     FV_E_SHAPE,
     "2147483647"},
    {"Conv2D",
     CONV_OF("3") ",\"padding\":[[2147483647,2147483647],[0,0]]}",
     {{3, {9, 9, 1}}},
     1,
     FV_E_SHAPE,
     "2147483647"},
    {"Conv2D",
     CONV_OF("1") "}",
     {{1, {128}}},
     1,
     FV_E_SHAPE,
     "images of rank 3 (H, W, C) are needed, found 128"},
    {"Conv2D", CONV_OF("1") "}", {{2, {8, 8}}}, 1, FV_E_SHAPE, "found 8x8"},
    {"Conv2D", CONV_OF("1") "}", {{4, {2, 8, 8, 3}}}, 1, FV_E_SHAPE, "found 2x8x8x3"},
    {"Conv2D", CONV_OF("1") "}", {{3, {8, 0, 3}}}, 1, FV_E_SHAPE, "input 8x0x3"},
    {"Conv2D", CONV_OF("1") "}", {{3, {8, 8, 0}}}, 1, FV_E_SHAPE, "input 8x8x0"},
    {"Conv2D",
     "{\"filters\":2147483647,\"kernel_size\":1}",
     {{3, {100, 100, 1}}},
     1,
     FV_E_SHAPE,
     "100x100x2147483647"},
    {"Conv2D",
     "{\"filters\":100000,\"kernel_size\":5}",
     {{3, {5, 5, 1000000}}},
     1,
     FV_E_SHAPE,
     "kernel: shape 5x5x1000000x100000"},
    {"Conv2D",
     CONV_OF("1") ",\"groups\":4}",
     {{3, {8, 8, 6}}},
     1,
     FV_E_SHAPE,
     "groups 4: expected a number that divides the 6 channels of the input and the 4 filters"},
    {"Conv2D",
     CONV_OF("1") ",\"groups\":3}",
     {{3, {8, 8, 6}}},
     1,
     FV_E_SHAPE,
     "groups 3: expected"},
    {"DepthwiseConv2D",
     "{\"kernel_size\":5}",
     {{3, {3, 3, 1}}},
     1,
     FV_E_SHAPE,
     "kernel 5x5 does not fit input 3x3; use padding \"same\" or a smaller kernel"},
    {"DepthwiseConv2D", "{\"kernel_size\":1}", {{1, {128}}}, 1, FV_E_SHAPE, "found 128"},
    {"DepthwiseConv2D", "{\"kernel_size\":1}", {{3, {8, 8, 0}}}, 1, FV_E_SHAPE, "input 8x8x0"},
    {"DepthwiseConv2D",
     "{\"kernel_size\":1,\"depth_multiplier\":2147483647}",
     {{3, {8, 8, 2}}},
     1,
     FV_E_SHAPE,
     "depth_multiplier 2147483647 is too large for 2 channels"},
    {"SeparableConv2D",
     "{\"filters\":2,\"kernel_size\":1,\"depth_multiplier\":2147483647}",
     {{3, {8, 8, 3}}},
     1,
     FV_E_SHAPE,
     "depth_multiplier 2147483647 is too large for 3 channels"},
    {"SeparableConv2D",
     "{\"filters\":2147483647,\"kernel_size\":1}",
     {{3, {100, 100, 1}}},
     1,
     FV_E_SHAPE,
     "100x100x2147483647"},
    {"SeparableConv2D",
     "{\"filters\":2,\"kernel_size\":[1,4]}",
     {{3, {9, 3, 1}}},
     1,
     FV_E_SHAPE,
     "kernel 1x4 does not fit input 9x3;"},
    {"MaxPooling2D",
     "{}",
     {{3, {1, 1, 8}}},
     1,
     FV_E_SHAPE,
     "pool 2x2 does not fit input 1x1; use padding \"same\" or a smaller pool"},
    {"MaxPooling2D",
     "{\"padding\":2}",
     {{3, {8, 8, 1}}},
     1,
     FV_E_SHAPE,
     "pad 2 is not smaller than pool size 2"},
    {"MaxPooling2D",
     "{\"pool_size\":70000,\"padding\":\"same\"}",
     {{3, {8, 8, 1}}},
     1,
     FV_E_UNSUPPORTED,
     "70000x70000 has too many elements"},
    {"AveragePooling2D",
     "{\"pool_size\":[3,2],\"padding\":[[0,0],[0,2]]}",
     {{3, {8, 8, 1}}},
     1,
     FV_E_SHAPE,
     "pad 2 is not smaller than pool size 2"},
    {"GlobalAveragePooling2D", "{}", {{1, {8}}}, 1, FV_E_SHAPE, "found 8"},
    {"ZeroPadding2D",
     "{\"padding\":2000000000}",
     {{3, {8, 8, 1}}},
     1,
     FV_E_SHAPE,
     "padding 2000000000 and 2000000000 on input 8"},
    {"ZeroPadding2D",
     "{\"padding\":9000000}",
     {{3, {8, 8, 1}}},
     1,
     FV_E_SHAPE,
     "18000008x18000008"},
    {"InputLayer",
     "{\"shape\":[2147483647,2147483647,2147483647]}",
     {{0}},
     0,
     FV_E_SHAPE,
     "2147483647x2147483647x2147483647"},
    {"Flatten", "{}", {{3, {70000, 70000, 3}}}, 1, FV_E_SHAPE, "70000x70000x3"},
    {"Dense",
     "{\"units\":2147483647}",
     {{1, {1000}}},
     1,
     FV_E_SHAPE,
     "kernel: shape 1000x2147483647"},
    {"Dense", "{\"units\":1}", {{3, {70000, 70000, 1}}}, 1, FV_E_SHAPE, "4900000000 rows"},
    {"BatchNormalization",
     "{\"axis\":1}",
     {{3, {8, 8, 3}}},
     1,
     FV_E_UNSUPPORTED,
     "axis 1 is not supported; only the last, -1 or 3"},
    {"BatchNormalization", "{}", {{2, {8, 3}}}, 1, FV_E_SHAPE, "found 8x3"},
    {"Add", "{}", {{3, {8, 8, 3}}, {3, {8, 8, 4}}}, 2, FV_E_SHAPE, "found 8x8x3 and 8x8x4"},
    {"Add", "{}", {{1, {8}}, {2, {8, 1}}}, 2, FV_E_SHAPE, "found 8 and 8x1"},
    {"Concatenate", "{\"axis\":4}", {{3, {8, 8, 3}}, {3, {8, 8, 4}}}, 2, FV_E_SHAPE, "axis 4"},
    {"Concatenate", "{\"axis\":-4}", {{3, {8, 8, 3}}, {3, {8, 8, 4}}}, 2, FV_E_SHAPE, "axis -4"},
    {"Concatenate",
     "{\"axis\":1}",
     {{3, {8, 8, 3}}, {3, {8, 8, 4}}},
     2,
     FV_E_SHAPE,
     "8x8x3 and 8x8x4"},
    {"Concatenate", "{}", {{1, {8}}, {3, {8, 8, 4}}}, 2, FV_E_SHAPE, "8 and 8x8x4"},
    {"Concatenate", "{}", {{1, {2000000000}}, {1, {2000000000}}}, 2, FV_E_SHAPE, "2147483647"},
};

static void test_misfits(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(misfits); i++) {
        const misfit *row = &misfits[i];
        op_case t = {.x_shape = {row->x[0], row->x[1]}, .max_batch = 4};
        fvi_value *dict = parse(row->json);
        fv_status status = fvi_op_config_from_dict(op_of(row->op), &t.config, dict, NULL);
        if (status != FV_OK) fail_msg("%s %s: %s", row->op, row->json, fv_error());
        status = case_infer(&t, row->op, row->n_inputs);
        if (status != row->status || !strstr(fv_error(), row->part)) {
            fail_msg("%s %s gives %s: %s", row->op, row->json, fv_status_name(status), fv_error());
        }
        fvi_free(t.node.geometry);
        fvi_value_free(dict);
    }
}

/* A38: poolings until nothing is left. */
static void test_pooled_to_nothing(void **state)
{
    (void)state;
    fv_shape shape = {3, {8, 8, 1}};
    for (int i = 0; i < 4; i++) {
        op_case t = {.x_shape = {shape}, .max_batch = 1};
        assert_int_equal(case_infer(&t, "MaxPooling2D", 1), i < 3 ? FV_OK : FV_E_SHAPE);
        shape = t.node.y_shape;
        fvi_free(t.node.geometry);
    }
    assert_non_null(strstr(fv_error(), "1x1"));
}

/* Views and inputs: only shapes. A second infer forgets the first. */
static void test_shapes(void **state)
{
    (void)state;
    op_case t = {.x_shape = {{3, {4, 5, 6}}}, .max_batch = 1};
    assert_int_equal(case_infer(&t, "Flatten", 1), FV_OK);
    assert_true(t.node.op->is_view && t.node.y_shape.rank == 1 && t.node.y_shape.dim[0] == 120);
    op_case input = {.config.input.shape = {7, 8}, .max_batch = 1};
    assert_int_equal(case_infer(&input, "InputLayer", 0), FV_OK);
    assert_true(input.node.y_shape.rank == 2 && input.node.y_shape.dim[1] == 8);
    op_case norm = {.x_shape = {{3, {4, 5, 6}}}, .max_batch = 1};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(case_infer(&norm, "BatchNormalization", 1), FV_OK);
        assert_int_equal(norm.node.n_weights, 4);
    }
    assert_true(!norm.node.weight[1].is_state && norm.node.weight[2].is_state);
    fvi_free(norm.node.geometry);
    op_case conv = {.x_shape = {{3, {64, 64, 3}}}, .max_batch = 1};
    conv.config.conv2d = (fv_conv2d_config){.filters = 32, .kernel_size = {7}};
    assert_int_equal(case_infer(&conv, "Conv2D", 1), FV_OK);
    assert_true(conv.node.weight[0].fan_in == 147.0 && conv.node.weight[0].fan_out == 1568.0);
    assert_int_equal(conv.node.weight[0].initializer, FV_GLOROT_UNIFORM);
    fvi_free(conv.node.geometry);
}

static void check_weight(const fvi_weight *w, const char *name, fv_shape shape, double fan_in,
                         double fan_out)
{
    assert_string_equal(w->name, name);
    assert_int_equal(w->shape.rank, shape.rank);
    for (int i = 0; i < shape.rank; i++)
        assert_int_equal(w->shape.dim[i], shape.dim[i]);
    assert_true(w->fan_in == fan_in && w->fan_out == fan_out);
}

/* Weights as keras.layers builds them; fans as keras.initializers.compute_fans has them of their
   shapes. */
static void test_grouped_weights(void **state)
{
    (void)state;
    op_case conv = {.x_shape = {{3, {8, 8, 6}}}, .max_batch = 2};
    conv.config.conv2d = (fv_conv2d_config){.filters = 4, .kernel_size = {3, 5}, .groups = 2};
    assert_int_equal(case_infer(&conv, "Conv2D", 1), FV_OK);
    assert_int_equal(conv.node.n_weights, 2);
    check_weight(&conv.node.weight[0], "kernel", (fv_shape){4, {3, 5, 3, 4}}, 45, 60);
    fvi_free(conv.node.geometry);

    op_case depthwise = {.x_shape = {{3, {8, 8, 6}}}, .max_batch = 2};
    depthwise.config.depthwise = (fv_depthwise_conv2d_config){
        .kernel_size = {3}, .strides = {2}, .padding = FV_SAME, .depth_multiplier = 2};
    assert_int_equal(case_infer(&depthwise, "DepthwiseConv2D", 1), FV_OK);
    assert_int_equal(depthwise.node.n_weights, 2);
    check_weight(&depthwise.node.weight[0], "kernel", (fv_shape){4, {3, 3, 6, 2}}, 54, 18);
    check_weight(&depthwise.node.weight[1], "bias", (fv_shape){1, {12}}, 12, 12);
    const fv_shape *y = &depthwise.node.y_shape;
    assert_true(y->rank == 3 && y->dim[0] == 4 && y->dim[1] == 4 && y->dim[2] == 12);
    fvi_free(depthwise.node.geometry);

    op_case separable = {.x_shape = {{3, {8, 8, 6}}}, .max_batch = 2};
    separable.config.separable = (fv_separable_conv2d_config){
        .filters = 5, .kernel_size = {3}, .depth_multiplier = 2, .without_bias = true};
    assert_int_equal(case_infer(&separable, "SeparableConv2D", 1), FV_OK);
    assert_int_equal(separable.node.n_weights, 2);
    check_weight(&separable.node.weight[0], "depthwise_kernel", (fv_shape){4, {3, 3, 6, 2}}, 54,
                 18);
    check_weight(&separable.node.weight[1], "pointwise_kernel", (fv_shape){4, {1, 1, 12, 5}}, 12,
                 5);
    y = &separable.node.y_shape;
    assert_true(y->rank == 3 && y->dim[0] == 6 && y->dim[1] == 6 && y->dim[2] == 5);
    fvi_free(separable.node.geometry);
}

/* The k-th allocation fails, k = 1, 2, ...: out of memory each time, nothing lost. */
static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(refusals); i++) {
        fvi_value *dict = parse(refusals[i].json);
        long live = fvi_alloc_live();
        fv_status status = FV_E_MEMORY;
        for (long k = 1; status == FV_E_MEMORY; k++) {
            case_config config = {0};
            fvi_alloc_fail_at(k);
            status = fvi_op_config_from_dict(op_of(refusals[i].op), &config, dict, NULL);
            fvi_alloc_fail_at(0);
            assert_int_equal(fvi_alloc_live(), live);
        }
        assert_int_equal(status, refusals[i].status);
        fvi_value_free(dict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {

        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hostile_configs),
        cmocka_unit_test(test_flags_of_any_byte),
        cmocka_unit_test(test_random_configs),
        cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_pooled_to_nothing),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_grouped_weights),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, case_setup, case_teardown);
}
