/* SPDX-License-Identifier: MIT */
/* Model files: written, read back to the bit, refused when anything about them is wrong. */
#include "model_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char save_folder[] = "/tmp/fovea-test-model-XXXXXX";

/* A path in the test's own folder; one of four buffers, in turn. */
static const char *save_path(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", save_folder, name);
    return path[turn];
}

static int save_setup(void **state)
{
    (void)state;
    return mkdtemp(save_folder) ? 0 : -1;
}

static int save_teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", save_folder);
    return system(command);
}

static fv_model *save_plain(void)
{
    fv_model *m = fv_model_new("plain", &(fv_model_config){.seed = 21, .threads = 1});
    assert_ok(fv_model_build(m, nets_plain(m, false), 4));
    return m;
}

/* ---- there and back ---- */

static void save_expect_same(fv_model *a, fv_model *b)
{
    float x[3 * NETS_IN], y[2][3 * NETS_OUT];
    nets_fill(x, FVI_COUNT(x), 1);
    assert_int_equal(a->n_nodes, b->n_nodes);
    for (int i = 0; i < a->n_nodes; i++) {
        const fvi_node *p = &a->node[i], *q = &b->node[i];
        assert_string_equal(p->name, q->name);
        assert_ptr_equal(p->op, q->op);
        assert_int_equal(p->n_inputs, q->n_inputs);
        assert_memory_equal(p->input, q->input, (size_t)p->n_inputs * sizeof(int));
    }
    fvi_value *graph[2];
    fvi_text text[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        assert_ok(fvi_model_to_graph(i ? b : a, &graph[i]));
        assert_ok(fvi_json_write(&text[i], graph[i], 1));
    }
    assert_string_equal(text[0].data, text[1].data);
    for (int i = 0; i < 2; i++) {
        fvi_value_free(graph[i]);
        fvi_text_free(&text[i]);
    }
    assert_int_equal(a->weight_floats, b->weight_floats);
    nets_same(a->weights, b->weights, a->weight_floats);
    assert_ok(fv_model_predict(a, y[0], x, 3));
    assert_ok(fv_model_predict(b, y[1], x, 3));
    nets_same(y[0], y[1], 3 * NETS_OUT);
}

static void save_read(unsigned char **bytes, size_t *size, const char *path)
{
    assert_ok(fvi_file_read(bytes, size, path, SIZE_MAX / 4));
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        fv_model *m = kind ? nets_built(NULL, 4, 0.25f) : save_plain(), *back;
        float x[4 * NETS_IN], dy[4 * NETS_OUT];
        const float *y;
        nets_fill(x, FVI_COUNT(x), 2);
        nets_fill(dy, FVI_COUNT(dy), 3);
        for (int i = 0; i < 3; i++) { /* moving statistics that are not their first values */
            assert_ok(fv_model_forward(m, &y, x, 4, true));
        }
        assert_ok(fv_model_set_classes(m, (const char *[]){"zero", "\"one\"", "zw\xc3\xb6lf"}, 3));
        assert_ok(fv_model_set_scaling(m, 0.1f, -1.0f / 3));
        assert_ok(fv_model_save(m, save_path("a")));
        assert_ok(fv_model_save(m, save_path("b")));
        assert_ok(fv_model_load(&back, save_path("a"), &(fv_model_config){.batch = 2}));
        assert_int_equal(fv_model_batch(back), 2);
        save_expect_same(m, back);
        assert_int_equal(back->is_sequential, kind == 0);
        assert_int_equal(fv_model_classes(back), 3);
        assert_string_equal(fv_model_class(back, 2), "zw\xc3\xb6lf");
        assert_null(fv_model_class(back, 3));
        float scale, offset;
        fv_model_scaling(back, &scale, &offset);
        assert_true(scale == 0.1f && offset == -1.0f / 3);
        assert_ok(fv_model_save(back, save_path("c")));
        unsigned char *bytes[3];
        size_t size[3];
        for (int i = 0; i < 3; i++) {
            save_read(&bytes[i], &size[i], save_path((const char *[]){"a", "b", "c"}[i]));
            assert_int_equal(size[i], size[0]);
            assert_memory_equal(bytes[i], bytes[0], size[0]);
        }
        for (int i = 0; i < 3; i++) {
            fvi_free(bytes[i]);
        }
        fv_model_free(back);
        fv_model_free(m);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    fv_model *m = save_plain(), *back;
    assert_ok(fv_model_save(m, save_path("defaults")));
    assert_ok(fv_model_load(&back, save_path("defaults"), NULL));
    float scale, offset;
    fv_model_scaling(back, &scale, &offset);
    assert_true(scale == 1.0f / 255 && offset == 0.0f);
    assert_int_equal(fv_model_classes(back), 0);
    assert_int_equal(fv_model_batch(back), 64);
    fv_model_free(back);
    fv_model_config config = {.without_training = true};
    assert_ok(fv_model_load(&back, save_path("defaults"), &config));
    assert_true(back->without_training);
    save_expect_same(m, back);
    fv_model_free(back);
    config.threads = -1;
    assert_int_equal(fv_model_load(&back, save_path("defaults"), &config), FV_E_ARG);
    assert_null(back);
    fv_model_free(m);
}

/* A reader that shares nothing with ours sees the same tensors. */
static void test_other_reader(void **state)
{
    (void)state;
    fv_model *m = nets_built(NULL, 4, 0);
    assert_ok(fv_model_set_classes(m, (const char *[]){"cat", "dog"}, 2));
    assert_ok(fv_model_set_scaling(m, 0.5f, 0));
    assert_ok(fv_model_save(m, save_path("other")));
    fvi_text expected = {0};
    for (int i = 0; i < m->n_nodes; i++) {
        for (int k = 0; k < m->node[i].n_weights; k++) {
            const fvi_weight *weight = &m->node[i].weight[k];
            char shape[FVI_SHAPE_TEXT];
            uint32_t sum = 0, word;
            for (size_t j = 0; j < weight->count; j++) {
                memcpy(&word, m->weights + weight->offset + j, sizeof word);
                sum += word;
            }
            fvi_text_add(&expected, "%s.%s F32 %s %lu\n", m->node[i].name, weight->name,
                         fvi_shape_text(shape, &weight->shape), (unsigned long)sum);
        }
    }
    fvi_text_add(&expected, "fovea 1 Functional %d\n['cat', 'dog'] 0.5\n", m->n_nodes);
    char command[512], found[4096];
    snprintf(command, sizeof command, "python3 '%s/tests/read_safetensors.py' '%s'",
             TEST_SOURCE_DIR, save_path("other"));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t size = fread(found, 1, sizeof found - 1, pipe);
    found[size] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_string_equal(found, expected.data);
    fvi_text_free(&expected);
    fv_model_free(m);
}

/* ---- files that are not what they should be ---- */

static void test_every_prefix(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t size;
    fv_model *m = save_plain(), *back = m;
    assert_ok(fv_model_save(m, save_path("whole")));
    fv_model_free(m);
    save_read(&bytes, &size, save_path("whole"));
    long live = fvi_alloc_live();
    for (size_t cut = 0; cut < size; cut += cut < 64 || cut > size - 64 ? 1 : 61) {
        fv_status status = fvi_model_read_bytes(&back, bytes, cut, "cut", NULL);
        if (status != FV_E_FORMAT) fail_msg("%zu bytes: %s", cut, fv_status_name(status));
        assert_null(back);
    }
    assert_int_equal(fvi_alloc_live(), live);
    unsigned char *longer = fvi_grow(bytes, size, size + 1, 1, "");
    assert_int_equal(fvi_model_read_bytes(&back, longer, size + 1, "longer", NULL), FV_E_FORMAT);
    fvi_free(longer);
}

/* Any byte of the header changed: an error or a model, never a crash or a leak. */
static void test_every_byte(void **state)
{
    (void)state;
    static const unsigned char to[] = {0x00, 0x7F, 0x80, 0xFF, '"', '9'};
    unsigned char *bytes;
    size_t size, header = 0;
    fv_model *m = save_plain();
    assert_ok(fv_model_save(m, save_path("bytes")));
    fv_model_free(m);
    save_read(&bytes, &size, save_path("bytes"));
    for (int i = 1; i >= 0; i--) {
        header = header << 8 | bytes[i];
    }
    long live = fvi_alloc_live();
    const fv_model_config config = {.threads = 1, .batch = 1};
    for (size_t at = 0; at < header + 8; at++) {
        for (size_t k = 0; k < FVI_COUNT(to); k++) {
            unsigned char kept = bytes[at];
            fv_model *back;
            bytes[at] = to[k];
            fv_status status = fvi_model_read_bytes(&back, bytes, size, "changed", &config);
            assert_int_equal(status == FV_OK, back != NULL);
            assert_int_not_equal(status, FV_E_ARG);
            assert_int_not_equal(status, FV_E_STATE);
            fv_model_free(back);
            bytes[at] = kept;
        }
    }
    assert_int_equal(fvi_alloc_live(), live);
    fvi_free(bytes);
}

/* Write a file with the given metadata and tensors, load it, and expect this. */
static void save_expect(const char *graph, const char *version, fvi_safetensors_entry *entry, int n,
                        fv_status expected, const char *text)
{
    fvi_save *save;
    fv_model *m = NULL;
    fvi_value *metadata = fvi_value_dict();
    if (graph) assert_ok(fvi_value_set(metadata, "fovea.model", fvi_value_string(graph)));
    if (version) assert_ok(fvi_value_set(metadata, "fovea.version", fvi_value_string(version)));
    assert_ok(fvi_save_begin(&save, save_path("made")));
    assert_ok(fvi_safetensors_write(save, entry, n, metadata));
    assert_ok(fvi_save_commit(save));
    fv_status status = fv_model_load(&m, save_path("made"), NULL);
    if (status != expected || (text && !strstr(fv_error(), text))) {
        fail_msg("%s: %s; expected %s", fv_status_name(status), status ? fv_error() : "", text);
    }
    assert_int_equal(m != NULL, expected == FV_OK);
    fv_model_free(m);
    fvi_value_free(metadata);
}

#define SAVE_INPUT                                                                                 \
    "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"i\",\"batch_shape\":[null,4]}}"
#define SAVE_DENSE "{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\",\"units\":2}}"
#define SAVE_SEQUENTIAL(layers)                                                                    \
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[" layers "]}}"
#define SAVE_NODE(class_name, name, inbound)                                                       \
    "{\"class_name\":\"" class_name "\",\"config\":{\"name\":\"" name                              \
    "\"},\"inbound_nodes\":" inbound "}"
#define SAVE_START                                                                                 \
    "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"i\",\"batch_shape\":[null,4]},"         \
    "\"inbound_nodes\":[]}"
#define SAVE_FUNCTIONAL(layers, ends)                                                              \
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"f\",\"layers\":[" layers "]," ends "}}"
#define SAVE_ENDS "\"input_layers\":[[\"i\",0,0]],\"output_layers\":[[\"r\",0,0]]"

static void test_graphs(void **state)
{
    (void)state;
    static const struct {
        const char *graph;
        fv_status status;
        const char *text;
    } table[] = {
        {"{", FV_E_FORMAT, "fovea.model: "},
        {"[]", FV_E_FORMAT, "expected \"Sequential\" or \"Functional\""},
        {"{\"class_name\":\"Sequentiel\"}", FV_E_FORMAT, "class_name \"Sequentiel\""},
        {"{\"class_name\":\"Sequential\",\"config\":{}}", FV_E_FORMAT, "a dict with a name"},
        {SAVE_SEQUENTIAL(""), FV_E_FORMAT, "layers: expected a list of layers"},
        {SAVE_SEQUENTIAL("7"), FV_E_FORMAT, "layer 0: class_name"},
        {SAVE_SEQUENTIAL(SAVE_DENSE), FV_E_FORMAT, "must be an InputLayer"},
        {SAVE_SEQUENTIAL(SAVE_INPUT "," SAVE_INPUT), FV_E_FORMAT, "name \"i\" is taken"},
        {SAVE_SEQUENTIAL(SAVE_INPUT ",{\"class_name\":\"Dens\",\"config\":{}}"), FV_E_FORMAT,
         "layer 1: there is no layer \"Dens\"; did you mean \"Dense\"?"},
        {SAVE_SEQUENTIAL(SAVE_INPUT ",{\"class_name\":\"Dense\",\"config\":{\"units\":2}}"),
         FV_E_FORMAT, "layer 1: Dense: config: expected a dict with a name"},
        {SAVE_SEQUENTIAL(SAVE_INPUT ",{\"class_name\":\"Dense\",\"config\":"
                                    "{\"name\":\"d\",\"unit\":2}}"),
         FV_E_FORMAT, "layer 1: Dense \"d\": "},
        {SAVE_SEQUENTIAL(SAVE_INPUT ",{\"class_name\":\"Dense\",\"config\":"
                                    "{\"name\":\"d\",\"units\":-2}}"),
         FV_E_FORMAT, "layer 1: Dense \"d\": units"},
        {SAVE_SEQUENTIAL(SAVE_INPUT ",{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"c\","
                                    "\"filters\":2,\"kernel_size\":[3,3]}}"),
         FV_E_SHAPE, "Conv2D \"c\": "},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{}]]]"), SAVE_ENDS),
         FV_OK, NULL},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"r\",0,0,{}]]]"), SAVE_ENDS),
         FV_E_FORMAT, "layer 1: inbound_nodes: it stands on a layer that is not before it"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",1,0,{}]]]"), SAVE_ENDS),
         FV_E_UNSUPPORTED, "called twice"},
        {SAVE_FUNCTIONAL(SAVE_START
                         "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{}]],[[\"i\",0,0,{}]]]"),
                         SAVE_ENDS),
         FV_E_UNSUPPORTED, "called 2 times"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{\"a\":1}]]]"),
                         SAVE_ENDS),
         FV_E_UNSUPPORTED, "arguments of a call"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[\"i\"]]"), SAVE_ENDS),
         FV_E_FORMAT, "expected [\"layer\", 0, 0]"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "3"), SAVE_ENDS), FV_E_FORMAT,
         "inbound_nodes: expected a list"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("Add", "r", "[[[\"i\",0,0,{}]]]"), SAVE_ENDS),
         FV_E_FORMAT, "Add \"r\": 1 inputs; expected at least 2"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{}]]]"),
                         "\"output_layers\":[[\"r\",0,0]]"),
         FV_E_FORMAT, "input_layers: expected"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{}]]]"),
                         "\"input_layers\":[[\"i\",0,0]],\"output_layers\":[[\"i\",0,0]]"),
         FV_E_FORMAT, "ReLU \"r\": the output layer \"i\" does not depend on it"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{}]]]"),
                         "\"input_layers\":[\"r\",0,0],\"output_layers\":[\"r\",0,0]"),
         FV_E_FORMAT, "input_layers: expected an InputLayer, found ReLU"},
        {SAVE_FUNCTIONAL(SAVE_START "," SAVE_NODE("ReLU", "r", "[[[\"i\",0,0,{}]]]"),
                         "\"input_layers\":[\"i\",0,0],"
                         "\"output_layers\":[[\"r\",0,0],[\"i\",0,0]]"),
         FV_E_UNSUPPORTED, "output_layers: 2 of them"},
    };
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(table); i++) {
        save_expect(table[i].graph, "1", NULL, 0, table[i].status, table[i].text);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

static void test_tensors(void **state)
{
    (void)state;
    const char *graph = SAVE_SEQUENTIAL(SAVE_INPUT "," SAVE_DENSE);
    float kernel[8] = {1, 2, 3, NAN, INFINITY, 6, 7, 8}, bias[2] = {9, 10};
    double wide[8] = {0};
    fv_tensor k = {.shape = {.rank = 2, .dim = {4, 2}}, .data = kernel};
    fv_tensor b = {.shape = {.rank = 1, .dim = {2}}, .data = bias}, other = k;
    fvi_safetensors_entry entry[3] = {{"d.bias", b}, {"d.kernel", k}, {"d.gamma", b}};
    save_expect(graph, "1", entry, 2, FV_OK, NULL); /* any order; NaN is the trainer's business */
    save_expect(graph, "1", entry, 1, FV_E_FORMAT, "\"d.kernel\" (4x2) is not in the file");
    save_expect(graph, "1", entry, 0, FV_E_FORMAT, "\"d.kernel\" (4x2) is not in the file");
    save_expect(graph, "1", entry, 3, FV_E_FORMAT, "\"d.gamma\" belongs to no layer");
    other.shape = (fv_shape){.rank = 2, .dim = {2, 4}};
    entry[1].tensor = other;
    save_expect(graph, "1", entry, 2, FV_E_SHAPE, "\"d.kernel\" is 2x4; the model needs 4x2");
    other.shape = (fv_shape){.rank = 1, .dim = {8}};
    entry[1].tensor = other;
    save_expect(graph, "1", entry, 2, FV_E_SHAPE, "\"d.kernel\" is 8; the model needs 4x2");
    entry[1].tensor = (fv_tensor){.shape = k.shape, .dtype = FV_FLOAT64, .data = wide};
    save_expect(graph, "1", entry, 2, FV_E_UNSUPPORTED, "\"d.kernel\" is float64; only float32");
    entry[1].tensor = k;
    save_expect(graph, "2", entry, 2, FV_E_UNSUPPORTED, "made by a newer Fovea: its format is 2");
    save_expect(graph, "0", entry, 2, FV_E_FORMAT, "fovea.version \"0\"");
    save_expect(graph, "1x", entry, 2, FV_E_FORMAT, "fovea.version \"1x\"");
    save_expect(graph, NULL, entry, 2, FV_E_FORMAT, "tensors but no model");
    save_expect(NULL, "1", entry, 2, FV_E_FORMAT, "tensors but no model");
}

/* A small file that speaks of large layers is refused before anything large is asked for. */
static void test_claims(void **state)
{
    (void)state;
    const char *graph = SAVE_SEQUENTIAL(
        SAVE_INPUT ",{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\",\"units\":2000000000}}");
    long before = fvi_alloc_count();
    save_expect(graph, "1", NULL, 0, FV_E_MEMORY, NULL);
    graph = SAVE_SEQUENTIAL(SAVE_INPUT ",{\"class_name\":\"Dense\",\"config\":{\"name\":\"d\","
                                       "\"units\":100000}}");
    save_expect(graph, "1", NULL, 0, FV_E_FORMAT, "\"d.kernel\" (4x100000) is not in the file");
    assert_true(fvi_alloc_count() - before < 2000);
}

/* ---- writing ---- */

static void test_old_file_stands(void **state)
{
    (void)state;
    unsigned char *old, *now;
    size_t old_size, now_size;
    fv_model *m = save_plain(), *other = nets_built(NULL, 4, 0);
    assert_ok(fv_model_save(m, save_path("stands")));
    save_read(&old, &old_size, save_path("stands"));
    long live = fvi_alloc_live(), before = fvi_alloc_count();
    assert_ok(fv_model_save(other, save_path("trial")));
    long all = fvi_alloc_count() - before;
    for (long k = 1; k <= all; k++) {
        fvi_alloc_fail_at(k);
        fv_status status = fv_model_save(other, save_path("stands"));
        fvi_alloc_fail_at(0);
        assert_int_equal(status, FV_E_MEMORY);
        assert_int_equal(fvi_alloc_live(), live);
    }
    save_read(&now, &now_size, save_path("stands"));
    assert_int_equal(now_size, old_size);
    assert_memory_equal(now, old, old_size);
    assert_int_equal(fv_model_save(m, save_folder), FV_E_IO);
    assert_int_equal(fv_model_save(m, save_path("no/such/folder")), FV_E_IO);
    assert_int_equal(fv_model_save(m, NULL), FV_E_ARG);
    assert_int_equal(fv_model_save(NULL, save_path("x")), FV_E_ARG);
    fvi_free(old);
    fvi_free(now);
    fv_model_free(m);
    fv_model_free(other);
}

static void test_load_out_of_memory(void **state)
{
    (void)state;
    fv_model *m = nets_built(NULL, 4, 0.1f), *back;
    assert_ok(fv_model_set_classes(m, (const char *[]){"a", "b", "c", "d"}, 4));
    assert_ok(fv_model_save(m, save_path("oom")));
    fv_model_free(m);
    long live = fvi_alloc_live(), before = fvi_alloc_count();
    assert_ok(fv_model_load(&back, save_path("oom"), NULL));
    fv_model_free(back);
    long all = fvi_alloc_count() - before;
    for (long k = 1; k <= all; k++) {
        fvi_alloc_fail_at(k);
        fv_status status = fv_model_load(&back, save_path("oom"), NULL);
        fvi_alloc_fail_at(0);
        if (status != FV_OK && status != FV_E_MEMORY) {
            fail_msg("allocation %ld: %s: %s", k, fv_status_name(status), fv_error());
        }
        assert_int_equal(status == FV_OK, back != NULL);
        fv_model_free(back);
        assert_int_equal(fvi_alloc_live(), live);
    }
}

static void test_load_arguments(void **state)
{
    (void)state;
    fv_model *m = NULL;
    assert_int_equal(fv_model_load(NULL, save_path("a"), NULL), FV_E_ARG);
    assert_int_equal(fv_model_load(&m, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_model_load(&m, save_path("absent"), NULL), FV_E_IO);
    assert_non_null(strstr(fv_error(), "absent"));
    assert_int_equal(fv_model_load(&m, save_folder, NULL), FV_E_IO);
    assert_null(m);
}

/* The longest name that a layer may have still makes a file. */
static void test_long_name(void **state)
{
    (void)state;
    char name[FVI_MAX_NAME + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    fv_model *m = fv_model_new(name, NULL), *back;
    fv_input(m, 2, 2, 1);
    fv_batch_normalization(m, FV_LAST, &(fv_batch_normalization_config){.name = name});
    assert_ok(fv_model_build(m, FV_LAST, 1));
    assert_ok(fv_model_save(m, save_path("long")));
    assert_ok(fv_model_load(&back, save_path("long"), NULL));
    assert_int_equal(fv_model_find(back, name), 1);
    fv_model_free(back);
    fv_model_free(m);
}

static void test_open(void **state)
{
    (void)state;
    fv_model *m = save_plain(), *back = m;
    const char *recipe = "Sequential([Input(shape=(8, 8, 1)), Flatten(), Dense(3)])";
    assert_ok(fv_model_save(m, save_path("model")));
    assert_ok(fvi_file_write(save_path("recipe"), recipe, strlen(recipe)));
    assert_ok(fvi_file_write(save_path("nul"), "Sequential([\0\0\0\0\0\0", 18));
    assert_ok(fv_model_open(&back, save_path("model"), NULL));
    save_expect_same(m, back);
    fv_model_free(back);
    assert_ok(fv_model_open(&back, save_path("recipe"), NULL));
    assert_int_equal(fv_model_batch(back), 0);
    assert_ok(fv_model_build(back, FV_LAST, 1));
    fv_model_free(back);
    assert_ok(fv_model_open(&back, "lenet5", NULL));
    fv_model_free(back);
    assert_int_equal(fv_model_open(&back, "lenet6", NULL), FV_E_IO);
    assert_non_null(strstr(fv_error(), "did you mean lenet5?"));
    assert_int_equal(fv_model_open(&back, "-", NULL), FV_E_IO);
    assert_non_null(strstr(fv_error(), "recipes: "));
    assert_non_null(strstr(fv_error(), "lenet5"));
    assert_int_equal(fv_model_open(&back, save_path("nul"), NULL), FV_E_FORMAT);
    assert_int_equal(fv_model_open(&back, save_folder, NULL), FV_E_IO);
    assert_int_equal(fv_model_open(&back, NULL, NULL), FV_E_ARG);
    assert_int_equal(fv_model_open(NULL, "lenet5", NULL), FV_E_ARG);
    assert_null(back);
    fv_model_free(m);
}

static void test_labels(void **state)
{
    (void)state;
    fv_model *m = fv_model_new("labels", NULL);
    assert_int_equal(fv_model_set_classes(m, NULL, 2), FV_E_ARG);
    assert_int_equal(fv_model_set_classes(m, NULL, -1), FV_E_ARG);
    assert_int_equal(fv_model_set_classes(m, (const char *[]){"a", NULL}, 2), FV_E_ARG);
    assert_ok(fv_model_set_classes(m, (const char *[]){"a", "b"}, 2));
    assert_int_equal(fv_model_set_classes(m, (const char *[]){"c", ""}, 2), FV_E_ARG);
    assert_string_equal(fv_model_class(m, 0), "a"); /* a refused list changes nothing */
    assert_ok(fv_model_set_classes(m, NULL, 0));
    assert_int_equal(fv_model_classes(m), 0);
    assert_int_equal(fv_model_set_scaling(m, NAN, 0), FV_E_ARG);
    assert_int_equal(fv_model_set_scaling(m, 1, INFINITY), FV_E_ARG);
    assert_int_equal(fv_model_set_scaling(NULL, 1, 0), FV_E_ARG);
    fv_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_other_reader),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_graphs),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_old_file_stands),
        cmocka_unit_test(test_load_out_of_memory),
        cmocka_unit_test(test_load_arguments),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, save_setup, save_teardown);
}
