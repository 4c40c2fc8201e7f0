/* SPDX-License-Identifier: MIT */
/* Recipes: what is read, what is refused and how; the shipped ones. */
#include "recipe_check.h"

/* ---- good ones ---- */

typedef struct good_row {
    const char *text, *name;
    size_t parameters;
} good_row;

#define DENSE "Dense(2)(Flatten()(i))" /* 192 * 2 + 2 */

static const good_row good_rows[] = {
    {"m = Sequential([Input(shape=(8, 8, 3)), Flatten(), Dense(2)])", "m", 386},
    {"Sequential([Input((8, 8, 3)), Flatten(), Dense(2)])", "sequential", 386},
    {"Sequential([InputLayer((8, 8, 3)), Flatten(), Dense(2)])\n", "sequential", 386},
    {"Sequential([InputLayer(input_shape=(8, 8, 3)), Flatten(), Dense(2)])", "sequential", 386},
    {"Sequential([Flatten(input_shape=(8, 8, 3)), Dense(2)])", "sequential", 386},
    {"Sequential([Conv2D(2, 3, input_shape=[8, 8, 3], name='c'), Flatten()])", "sequential", 56},
    {"Sequential(layers=[Input(shape=(4,)), Dense(2)], name=\"seq\")", "seq", 10},
    {"Sequential([Input(shape=4), Dense(2)], 'seq')", "seq", 10},
    {"s = Sequential([Input(shape=(4,)), Dense(2),],)", "s", 10},
    {"i = tf.keras.Input(shape=(64, 64, 3))\nx = tfl.Conv2D(8, (4, 4), padding='SAME')(i)\n"
     "x = tfl.MaxPool2D(pool_size=(8, 8), strides=8, padding='SAME')(tfl.ReLU()(x))\n"
     "x = tfl.Convolution2D(16, 2, padding='same')(x)\nx = tfl.AvgPool2D((4, 4), 4)(x)\n"
     "m = tf.keras.Model(inputs=i, outputs=tfl.Dense(units=6)(tfl.Flatten()(x)))",
     "m", 1310},
    {"tf.keras.Sequential([tfl.Input(shape=(4,)), tf.keras.layers.Dense(2)])", "sequential", 10},
    {"keras.models.Sequential([keras.Input(shape=(4,)), layers.Dense(2)])", "sequential", 10},
    {HEAD "m = Model(inputs=i, outputs=" DENSE ")", "m", 386},
    {HEAD "o = " DENSE "\nModel(i, o)", "model", 386},
    {HEAD "o = " DENSE "\nmodel = Model(inputs=[i], outputs=[o], name='net')\n", "net", 386},
    {HEAD "o = " DENSE "\nmodel = keras.Model((i,), (o), name=None)\nmodel\n", "model", 386},
    {HEAD "o = " DENSE "\nmodel = Model(i, o, 'third')\nreturn model\n# end", "third", 386},
    {HEAD "return Model(i, " DENSE ")", "model", 386},
    {HEAD "x = Conv2D(2, 3, padding=\"same\")(i)\ny = x\nx = Conv2D(2, 3, padding='same')(x)\n"
          "x = Add()([x, y])\nModel(i, x)",
     "model", 56 + 38},
    {HEAD "x = Concatenate()((i, i))\nx = Conv2D(1, (3, 3))(x)\nModel(i, x)", "model", 55},
    {HEAD "x = Concatenate(axis=-1)([i, ReLU()(i),])\nModel(i, Conv2D(1, 1)(x))", "model", 7},
    {HEAD "x = Conv2D(2, 3, 2, 'same')(i)\nx = Conv2D(2, 3, (1, 1), 'valid')([x])\nModel(i, x)",
     "model", 56 + 38},
    {HEAD "x = Conv2D(2, kernel_size=3, use_bias=False,\n\n   # why\n  strides=+1)(\n i\n)\n"
          "Model(i, x)",
     "model", 54},
    {HEAD "x = Conv2D(2, 3, kernel_initializer=initializers.HeNormal())(i)\nModel(i, x)", "model",
     56},
    {HEAD "x = Conv2D(2, 3, kernel_initializer=tf.keras.initializers.GlorotUniform(seed=0))(i)\n"
          "Model(i, x)",
     "model", 56},
    {HEAD "x = Conv2D(2, 3, kernel_initializer=glorot_uniform(0), bias_initializer='zeros')(i)\n"
          "Model(i, x)",
     "model", 56},
    {HEAD "x = BatchNormalization(axis=3, name='bn0')(i)\nModel(i, x)", "model", 12},
    {HEAD "x = BatchNormalization(momentum=.9, epsilon=1e-3)(i)\nModel(i, x)", "model", 12},
    {HEAD "x = Activation('relu')(i)\nx = Dropout(0.5)(x)\nModel(i, x)", "model", 0},
    {HEAD "x = ZeroPadding2D(((1, 1), (2, 2)))(i)\nx = ZeroPadding2D(padding=(1, 1))(x)\n"
          "Model(i, x)",
     "model", 0},
    {HEAD "x = Dense(2, activation=None, trainable=True, dtype='float32')(i)\nModel(i, x)", "model",
     8},
    {HEAD "x = (Dense(2)((i)))\nModel(i, (x))", "model", 8},
    {"\"\"\"A docstring\nof two lines, 'quoted'.\"\"\"\nimport numpy as np, os.path\n"
     "from tensorflow.keras import (layers,\n  Model as M)\nfrom . import *\n"
     "m = Sequential([Input(shape=(4,)), Dense(2)])",
     "m", 10},
    {"# only\n\n  # indented comment\n'doc'\n   \nm = Sequential([Input(shape=(4,)), "
     "Dense(2)])\n\n",
     "m", 10},
    {"\xEF\xBB\xBFm = Sequential([\r\n  Input(shape=(4,)),\r\n  Dense(2)])  # \xC3\xA9\r\n", "m",
     10},
    {"m = \\\n  Sequential([Input(shape=(4,)), \\\r\n Dense(2)])", "m", 10},
    {"m=Sequential([Input(shape=(4,),name='\xC3\xA9t\\'\\\"\\\\'),Dense(units=2)])", "m", 10},
    {"Conv2D = Input(shape=(4,))\nm = Model(Conv2D, Dense(2)(Conv2D))", "m", 10},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(good_rows); i++) {
        const good_row *row = &good_rows[i];
        fv_model *model = model_of(row->text);
        assert_string_equal(fv_model_name(model), row->name);
        fv_status status = fv_model_build(model, FV_LAST, 1);
        if (status != FV_OK) print_error("%s\n-> %s\n", row->text, fv_error());
        assert_int_equal(status, FV_OK);
        if (fv_model_parameters(model, NULL) != row->parameters) print_error("%s\n", row->text);
        assert_int_equal(fv_model_parameters(model, NULL), row->parameters);
        fv_model_free(model);
    }
}

static void test_names(void **state)
{
    (void)state;
    fv_model *model =
        model_of("m = Sequential([Input(shape=(8, 8, 3)), Conv2D(2, 3, name='conv0'), "
                 "Conv2D(2, 3), Conv2D(2, 3, name=\"a \\\"b\\\" \xC3\xA9\")])");
    assert_int_equal(fv_model_find(model, "conv0"), 1);
    assert_int_equal(fv_model_find(model, "conv2d"), 2);
    assert_int_equal(fv_model_find(model, "a \"b\" \xC3\xA9"), 3);
    fv_model_free(model);
}

/* ---- bad ones ---- */

typedef struct bad_row {
    const char *text, *message; /* from the line on; a part at its beginning will do */
} bad_row;

static const bad_row bad_rows[] = {
    {"", "1:1: expected Sequential([...]) or Model(inputs=..., outputs=...), found the end of the "
         "recipe"},
    {"# nothing\n", "2:1: expected Sequential([...])"},
    {HEAD, "2:1: expected Sequential([...])"},
    {"m = Sequential([\n    Conv2d(8, 3)])",
     "2:5: unknown layer \"Conv2d\"; did you mean \"Conv2D\"?"},
    {"m = Sequental([])", "1:5: unknown layer \"Sequental\"; did you mean \"Sequential\"?"},
    {"sequential([])", "1:1: unknown layer \"sequential\"; did you mean \"Sequential\"?"},
    {"i = tf.keras.Imput(shape=(3,))", "1:14: unknown layer \"Imput\"; did you mean \"Input\"?"},
    {HEAD "x = qqqqqqqqqq(3)(i)", "2:5: unknown layer \"qqqqqqqqqq\""},
    {HEAD "x = add([i, i])", "2:5: unknown layer \"add\"; did you mean \"Add\"?"},
    {HEAD "imag = ReLU()(i)\nx = ReLU()(image)",
     "3:12: unknown variable \"image\"; did you mean \"imag\"?"},
    {"x = ReLU()(i)", "1:12: unknown variable \"i\""},
    {HEAD "x = y", "2:5: unknown variable \"y\""},
    {HEAD "x = ReLU(i)", "2:10: expected a value, found the name i"},
    {HEAD "x = ReLU()\n", "2:11: expected \"(\" and what the layer is applied to, found the end of "
                          "the line"},
    {HEAD "x = ReLU()()", "2:12: expected a variable, or a layer applied to one, found \")\""},
    {HEAD "x = ReLU()(i, i)", "2:15: expected \")\" after the input, found \"i\""},
    {HEAD "x = ReLU()([i, i])", "2:5: "},
    {HEAD "x = Add()(i)", "2:5: "},
    {HEAD "x = Add()([])", "2:12: expected a variable"},
    {HEAD "x = ReLU()(i)(i)", "2:14: expected the end of the line, found \"(\""},
    {HEAD "x = ReLU()(i) y", "2:15: expected the end of the line, found \"y\""},
    {HEAD "x = ReLU()(i); y = x", "2:14: expected the end of the line, found \";\""},
    {HEAD "x = Input(shape=(3,))(i)", "2:22: expected the end of the line, found \"(\""},
    {HEAD "x = Conv2D(8, 4, pading=\"same\")(i)",
     "2:18: unknown argument \"pading\"; did you mean \"padding\"?"},
    {HEAD "x = Conv2D(8, 4, padding='same', padding='same')(i)", "2:34: padding is given twice"},
    {HEAD "x = Conv2D(8, filters=8)(i)", "2:15: filters is given twice"},
    {HEAD "x = Conv2D(filters=8, 3)(i)",
     "2:23: expected name=value, as the argument before, found \"3\""},
    {HEAD "x = Flatten(None, 3)(i)", "2:19: Flatten has only 1 arguments; this is one too many"},
    {HEAD "x = Conv2D(8, 4, padding=same)(i)", "2:26: expected a value, found the name same"},
    {HEAD "x = Conv2D(8, 4, use_bias=true)(i)",
     "2:27: unknown value \"true\"; did you mean \"True\"?"},
    {HEAD "x = Conv2D(8, 4, activation=tf.nn.relu)(i)",
     "2:35: expected a value, found the name relu"},
    {HEAD "x = Conv2D(8, 4, 'same')(i)", "2:18: Conv2D: strides \"same\": expected an integer"},
    {HEAD "x = Conv2D(8, 4, padding=\"sane\")(i)", "2:26: Conv2D: padding \"sane\": expected "},
    {HEAD "x = Conv2D(8, 4,\n  strides=(1, 0), name='c1')(i)",
     "3:11: Conv2D \"c1\": strides [1, 0]: "},
    {HEAD "x = Conv2D(0, 4)(i)", "2:12: Conv2D: filters 0: expected an integer of 1 or more"},
    {HEAD "x = Conv2D(-8, 4)(i)", "2:12: Conv2D: filters -8: expected"},
    {HEAD "x = Conv2D(2.5, 4)(i)", "2:12: Conv2D: filters 2.5: expected"},
    {HEAD "x = Conv2D(99999999999, 4)(i)", "2:12: Conv2D: filters 99999999999: expected"},
    {HEAD "x = Conv2D(8)(i)", "2:5: Conv2D: kernel_size is missing"},
    {HEAD "x = Dropout(1.5)(i)", "2:13: Dropout: rate 1.5: expected"},
    {HEAD "x = Conv2D(8, 4, kernel_initializer=HeNorm())(i)",
     "2:37: Conv2D: kernel_initializer HeNorm"},
    {HEAD "x = Conv2D(eval('1'), 4)(i)", "2:12: Conv2D: filters eval: expected"},
    {HEAD "x = Conv2D(8, 4, name=3)(i)", "2:23: name: expected a string"},
    {HEAD "x = Conv2D(8, 4, name='')(i)", "2:23: name: expected a string"},
    {HEAD "x = Conv2D(8, 4, trainable=False)(i)", "2:28: trainable: only True is supported"},
    {HEAD "x = Conv2D(8, 4, dtype='float16')(i)", "2:24: dtype: only \"float32\" is supported"},
    {HEAD "x = Conv2D(8, 4, input_shape=(8, 8, 3))(i)", "2:30: input_shape is for the first layer"},
    {HEAD "x = ReLU(name='a')(i)\nx = ReLU(name='a')(x)", "3:5: ReLU: the name \"a\" is taken"},
    {HEAD "x = Conv2D(3abc, 4)(i)", "2:12: expected a decimal number that fits, found \"3abc\""},
    {HEAD "x = Conv2D(0x10, 4)(i)", "2:12: expected a decimal number that fits, found \"0x10\""},
    {HEAD "x = Conv2D(007, 4)(i)", "2:12: expected a decimal number that fits, found \"007\""},
    {HEAD "x = Conv2D(1_000, 4)(i)", "2:12: expected a decimal number that fits, found \"1_000\""},
    {HEAD "x = Dropout(1e400)(i)", "2:13: expected a decimal number that fits, found \"1e400\""},
    {HEAD "x = Dropout(1e)(i)", "2:13: expected a decimal number that fits, found \"1e\""},
    {HEAD "x = Dropout(0.1.2)(i)", "2:13: expected a decimal number that fits, found \"0.1.2\""},
    {HEAD "x = Dropout(1e-2e-3)(i)", "2:13: expected a decimal number that fits, found \"1e-2e\""},
    {HEAD "x = Dense(12345678901234567890)(i)",
     "2:11: expected a decimal number that fits, found \"12345678901234567890\""},
    {HEAD "x = Dense(nan)(i)", "2:11: expected a value, found the name nan"},
    {HEAD "x = Dense(--3)(i)", "2:12: expected a number, found \"-\""},
    {HEAD "x = Dense(-'3')(i)", "2:12: expected a number, found the string \"3\""},
    {HEAD "x = Dense(2 * 3)(i)", "2:13: expected \",\" or \")\", found \"*\""},
    {HEAD "x = Dense(*a)(i)", "2:11: expected a number, a string"},
    {HEAD "x = Dense({})(i)", "2:11: expected a number, a string"},
    {HEAD "x = Dense(lambda: 3)(i)",
     "2:11: expected a number, a string, True, False, None, a tuple "
     "or a list, found \"lambda\""},
    {HEAD "x = Dense([f for f in range(3)])(i)", "2:12: expected a value, found the name f"},
    {HEAD "x = Dense(3, name=f'a')(i)",
     "2:19: expected a plain string, found one with the prefix f"},
    {HEAD "x = Dense(3, name='a' 'b')(i)", "2:23: expected \",\" or \")\", found the string \"b\""},
    {HEAD "x = Dense(3, name='a\\x41')(i)", "2:21: unknown escape in a string"},
    {HEAD "x = Dense(3, name='a\n')(i)", "2:19: a string that is never closed"},
    {"'''doc\n", "1:1: a string that is never closed"},
    {"m = Sequential([])", "1:16: a Sequential without layers"},
    {"m = Sequential()", "1:5: Sequential without layers; expected Sequential([...])"},
    {"m = Sequential(Dense(3))", "1:16: expected \"[\" and the list of layers, found \"Dense\""},
    {"m = Sequential([Dense(3)])", "1:17: expected Input(shape=(height, width, channels)) before "},
    {"m = Sequential([Input(shape=(3,)), Input(shape=(3,))])", "1:36: Input comes first"},
    {"m = Sequential([Input(shape=(3,)), Dense(3, input_shape=(3,))])", "1:57: input_shape is for"},
    {"m = Sequential([Input(shape=(3,)), Dense])", "1:41: expected \"(\" and the arguments"},
    {"m = Sequential([Input(shape=(3,)), 3])", "1:36: expected a layer, found \"3\""},
    {"m = Sequential([Sequential([])])", "1:17: Sequential inside of something"},
    {"m = Sequential([Input(shape=(3, 0)), Dense(3)])", "1:29: InputLayer: shape [3, 0]: expected"},
    {"m = Sequential([Input(shape=(3,)), Dense(3)], [])", "1:47: name: expected a string"},
    {"m = Sequential([Input(shape=(3,)), Dense(3)], nane='a')",
     "1:47: unknown argument \"nane\"; did you mean \"name\"?"},
    {"m = Sequential([Input(shape=(3,)), Dense(3)]", "1:15: \"(\" is never closed"},
    {"m = Sequential([\n Input(shape=(3,),\n Dense(3)])",
     "3:2: expected name=value, as the argument before, found \"Dense\""},
    {"m = Sequential([\n Input(shape=(3,))\n Dense(3)])",
     "3:2: expected \",\" or \"]\" for the \"[\" of 1:16, found \"Dense\""},
    {"m = Sequential([Input(shape=(3,))))", "1:34: \")\" does not close the \"[\" of 1:16"},
    {"m = 3)", "1:5: expected a variable, or a layer applied to one, found \"3\""},
    {"m)", "1:2: \")\" closes nothing"},
    {HEAD "m = Model(i)", "2:5: Model without outputs; expected Model(inputs=..., outputs=...)"},
    {HEAD "m = Model(inputs=i, inputs=i)", "2:21: inputs is given twice"},
    {HEAD "x = ReLU()(i)\nm = Model(x, i)",
     "3:11: inputs: expected what Input(...) gave, found the "
     "ReLU of line 2"},
    {HEAD "x = ReLU()(i)\nm = Model(i, [x, x])", "3:14: outputs: expected one, found a list of 2"},
    {HEAD "x = ReLU()(i)\ny = Dense(3)(x)\nm = Model(i, x)",
     "3:5: Dense \"dense\" does not lead to the model's output"},
    {HEAD "j = Input(shape=(8, 8, 3))\nx = Add()([i, j])\nm = Model(i, x)",
     "2:5: the outputs depend on \"input_layer_1\", which is not in inputs"},
    {HEAD "m = Model(i, ReLU()(i))\nn = Model(i, i)",
     "3:5: a second model; the first is on line 2"},
    {HEAD "m = Model(i, ReLU()(i))\nx = ReLU()(m)",
     "3:12: m is a model; expected the output of a layer"},
    {HEAD "m = Model(i, ReLU()(i))\nm.compile(loss='mse')", "3:1: m.compile is not read"},
    {HEAD "m = Model(i, ReLU()(i))\nm.summary()", "3:1: m.summary is not read"},
    {HEAD "m = Model(i, ReLU()(i))\nprint(m)", "3:1: unknown layer \"print\""},
    {"import os\nos.system('x')",
     "2:1: os.system is not read; a recipe lists the layers, nothing runs"},
    {"tf.keras.random.seed(1)", "1:1: tf.keras.random.seed is not read"},
    {"tf.keras.Sequental([])", "1:10: unknown layer \"Sequental\"; did you mean \"Sequential\"?"},
    {HEAD "ReLU()(i)", "2:1: the result of ReLU is not kept; expected name = ..."},
    {HEAD "x", "2:2: expected \"=\" after the name, found the end of the recipe"},
    {HEAD "x: int = i", "2:2: expected \"=\" after the name, found \":\""},
    {HEAD "x, y = i", "2:2: expected \"=\" after the name, found \",\""},
    {HEAD "x == i", "2:4: expected a variable, or a layer applied to one, found \"=\""},
    {HEAD "x = i.shape", "2:12: expected \"(\" and the arguments of a layer, found the end"},
    {HEAD "x = ReLU()(i).y", "2:14: expected the end of the line, found \".\""},
    {HEAD "x = tf.(i)", "2:8: expected a name after \".\", found \"(\""},
    {HEAD "3", "2:1: expected \"name = ...\", Sequential([...]) or Model(...), found \"3\""},
    {HEAD "'text'", "2:1: expected \"name = ...\""},
    {"def f():\n  return 3", "1:1: \"def\" is not read; a recipe lists the layers, nothing runs"},
    {"for i in range(3):\n", "1:1: \"for\" is not read"},
    {"import os; os.system('x')", "1:10: expected names to import, found \";\""},
    {"return 3", "1:8: expected the model, found \"3\""},
    {" x = Input(shape=(3,))", "1:2: a statement that is indented"},
    {"x = Input(shape=(3,))\n\ty = ReLU()(x)", "2:2: a statement that is indented"},
    {"\xC3\xA9 = Input(shape=(3,))",
     "1:1: found \"\xC3\xA9\"; only strings and comments go beyond"},
    {"# \xC3\xA9\xC3\xA9 \xFF", "1:6: byte 0xff is no UTF-8"},
    {"# \xED\xA0\x80", "1:3: byte 0xed is no UTF-8"},
    {"# \xC3", "1:3: byte 0xc3 is no UTF-8"},
    {"x = 1\n# \x1B[0m", "2:3: control character 0x1b"},
    {"x = 1\ry = 2", "1:6: control character 0x0d"},
    {HEAD "x = $", "2:5: expected a variable, or a layer applied to one, found \"$\""},
    {HEAD "x = Dense(3, name='\xC3\xA9', q=1)(i)", "2:24: unknown argument \"q\""},
};

static void test_bad(void **state)
{
    (void)state;
    int failures = 0;
    for (size_t i = 0; i < FVI_COUNT(bad_rows); i++) {
        const char *message = error_of(bad_rows[i].text, FV_E_FORMAT);
        if (strncmp(message, bad_rows[i].message, strlen(bad_rows[i].message)) != 0) {
            print_error("%s\nfound    %s\nexpected %s\n", bad_rows[i].text, message,
                        bad_rows[i].message);
            failures++;
        }
    }
    assert_int_equal(failures, 0);
}

/* ---- shipped ones ---- */

typedef struct shipped_row {
    const char *name;
    size_t parameters, trainable;
} shipped_row;

static const shipped_row shipped_rows[] = {
    {"happy", 37633, 37569},
    {"signs", 1310, 1310},
    {"lenet5", 61706, 61706},
    {"lenet5_32x32x3", 62006, 62006},
    {"convnet_39x39x3", 27301, 27301},
    {"lenet5_32x32x3_8filters", 62958, 62958},
    {"resnet20", 274042, 272474},
    {"keras_mnist", 34826, 34826},
    {"vgg16_cifar", 14719818, 14719818},
    {"mobilenet_cifar", 3239114, 3217226},
    {"hands", 90342, 90342},
    {"edges", 2205, 2189},
    {"shapes", 25190, 24966},
};

static void test_shipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(shipped_rows); i++) {
        const shipped_row *row = &shipped_rows[i];
        const char *text = fv_recipe_find(row->name);
        assert_non_null(text);
        fv_model *model = model_of(text);
        assert_string_equal(fv_model_name(model), row->name);
        assert_int_equal(fv_model_build(model, FV_LAST, 2), FV_OK);
        size_t trainable = 0;
        assert_int_equal(fv_model_parameters(model, &trainable), row->parameters);
        assert_int_equal(trainable, row->trainable);
        fv_model_free(model);
    }
    int count = 0;
    while (fv_recipe_name(count)) {
        assert_non_null(fv_recipe_find(fv_recipe_name(count++)));
    }
    assert_int_equal(count, FVI_COUNT(shipped_rows)); /* a new one needs a row above */
    assert_null(fv_recipe_name(-1));
    assert_null(fv_recipe_find("lenet"));
    assert_null(fv_recipe_find(NULL));
}

static void check_layer(const char *recipe, int id, size_t parameters, int h, int w, int c)
{
    fv_layer_info info;
    fv_model *model = model_of(fv_recipe_find(recipe));
    assert_int_equal(fv_model_build(model, FV_LAST, 1), FV_OK);
    assert_int_equal(fv_model_layer(model, id, &info), FV_OK);
    assert_int_equal(info.parameters, parameters);
    fv_shape shape = fvi_shape_of(3, (const int[]){h, w, c});
    assert_true(fvi_shape_equal(&info.output, &shape));
    fv_model_free(model);
}

/* The numbers of the course: one convolution at a time. */
static void test_shipped_layers(void **state)
{
    (void)state;
    check_layer("happy", 1, 0, 70, 70, 3);
    check_layer("happy", 2, 4736, 64, 64, 32);
    check_layer("signs", 1, 392, 64, 64, 8);
    check_layer("signs", 3, 0, 8, 8, 8);
    check_layer("signs", 4, 528, 8, 8, 16);
    check_layer("signs", 6, 0, 2, 2, 16);
    check_layer("convnet_39x39x3", 1, 280, 37, 37, 10);
    check_layer("convnet_39x39x3", 2, 5020, 17, 17, 20);
    check_layer("convnet_39x39x3", 3, 20040, 7, 7, 40);
    check_layer("lenet5_32x32x3", 1, 456, 28, 28, 6);
    check_layer("lenet5_32x32x3", 3, 2416, 10, 10, 16);
    check_layer("lenet5_32x32x3_8filters", 1, 608, 28, 28, 8);
    check_layer("lenet5_32x32x3_8filters", 3, 3216, 10, 10, 16);
    check_layer("lenet5", 1, 156, 28, 28, 6);
    check_layer("keras_mnist", 3, 18496, 11, 11, 64);
    check_layer("vgg16_cifar", 18, 0, 1, 1, 512);
    check_layer("mobilenet_cifar", 4, 288, 32, 32, 32);
    check_layer("mobilenet_cifar", 10, 576, 16, 16, 64);
    check_layer("mobilenet_cifar", 79, 1048576, 2, 2, 1024);
}

static bool value_equal(const fvi_value *a, const fvi_value *b)
{
    if (a->kind != b->kind || a->count != b->count || a->boolean != b->boolean) return false;
    if (a->number < b->number || a->number > b->number) return false;
    if (a->string && strcmp(a->string, b->string) != 0) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->key && strcmp(a->key[i], b->key[i]) != 0) return false;
        if (!value_equal(a->item[i], b->item[i])) return false;
    }
    return true;
}

/* Sequential and Functional spelling, and the builders in C, of one network. */
static void test_spellings(void **state)
{
    (void)state;
    fv_model *model[3] = {
        model_of("m = Sequential([Conv2D(8, 4, padding='same', input_shape=(8, 8, 3)), ReLU(),"
                 "MaxPooling2D(2), Flatten(), Dense(6, activation='softmax')])"),
        model_of(HEAD "x = MaxPooling2D(2)(ReLU()(Conv2D(8, 4, padding='same')(i)))\n"
                      "m = Model(i, Dense(6, activation='softmax')(Flatten()(x)))"),
        fv_model_new("m", NULL),
    };
    int x = fv_input(model[2], 8, 8, 3);
    fv_conv2d_config conv = {.filters = 8, .kernel_size = {4}, .padding = FV_SAME};
    fv_dense_config dense = {.units = 6, .activation = FV_SOFTMAX};
    x = fv_maxpool2d(model[2], fv_relu(model[2], fv_conv2d(model[2], x, &conv)), NULL);
    x = fv_dense(model[2], fv_flatten(model[2], x), &dense);
    fvi_value *graph[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fv_model_build(model[i], FV_LAST, 1), FV_OK);
        assert_int_equal(model[i]->is_sequential, i == 0);
        model[i]->is_sequential = true; /* the one difference */
        assert_int_equal(fvi_model_to_graph(model[i], &graph[i]), FV_OK);
        assert_true(value_equal(graph[0], graph[i]));
    }
    for (int i = 0; i < 3; i++) {
        fvi_value_free(graph[i]);
        fv_model_free(model[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_shipped_layers),
        cmocka_unit_test(test_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
