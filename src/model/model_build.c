/* SPDX-License-Identifier: MIT */
/* Models from their first layer to the plan: adding nodes, the sticky error, what a build
   checks. */
#include "model/model_internal.h"

#include <string.h>

#define BUILD_MAX_THREADS 1024

static fv_status build_check_config(const fv_model_config *config)
{
    if (config->threads < 0 || config->threads > BUILD_MAX_THREADS) {
        return fvi_fail(FV_E_ARG, "threads %d: expected 0 (all) to %d", config->threads,
                        BUILD_MAX_THREADS);
    }
    if (config->batch < 0) {
        return fvi_fail(FV_E_ARG, "batch %d: expected 1 or more, or 0 for 64", config->batch);
    }
    return FV_OK;
}

fv_status fvi_model_make(fv_model **out, const char *name, const fv_model_config *config)
{
    fv_model_config standard = {0};
    *out = NULL;
    if (!config) config = &standard;
    if (!name) name = "model";
    FVI_TRY(build_check_config(config));
    FVI_TRY(fvi_model_check_name("the model", name));
    const fvi_kernels *kernels = fvi_kernels_select(config->isa);
    if (!kernels) return FV_E_ARG;
    fv_model *model = fvi_alloc(1, sizeof *model, "a model");
    char *own = model ? fvi_strdup(name) : NULL;
    if (!own) {
        fvi_free(model);
        return FV_E_MEMORY;
    }
    int available = fvi_threads_available();
    if (available > BUILD_MAX_THREADS) available = BUILD_MAX_THREADS;
    *model = (fv_model){.name = own,
                        .seed = config->seed,
                        .threads = config->threads ? config->threads : available,
                        .without_training = config->without_training,
                        .kernels = kernels,
                        .input = -1,
                        .output = -1,
                        .is_sequential = true,
                        .scale = 1.0f / 255.0f};
    *out = model;
    return FV_OK;
}

fv_model *fv_model_new(const char *name, const fv_model_config *config)
{
    fv_model *model;
    (void)fvi_model_make(&model, name, config); /* NULL tells; fv_error() says why */
    return model;
}

void fv_model_free(fv_model *model)
{
    if (!model) return;
    fv_context_free(model->context);
    fv_context_free(model->look);
    fvi_threads_free(model->pool);
    for (int i = 0; i < model->n_nodes; i++) {
        fvi_free(model->node[i].name);
        fvi_free(model->node[i].config);
        fvi_free(model->node[i].input);
        fvi_free(model->node[i].x_shape);
        fvi_free(model->node[i].geometry);
    }
    for (int i = 0; i < model->n_classes; i++) {
        fvi_free(model->class_name[i]);
    }
    fvi_free(model->class_name);
    fvi_free(model->node);
    fvi_free(model->name_slot);
    fvi_free(model->weights);
    fvi_free(model->error);
    fvi_free(model->name);
    fvi_free(model);
}

/* ---- Adding layers ---- */

fv_status fvi_model_fail(fv_model *model, fv_status status)
{
    if (model->status != FV_OK || status == FV_OK) return status;
    char text[1024];
    strncpy(text, fv_error(), sizeof text - 1);
    text[sizeof text - 1] = '\0';
    model->status = status;
    model->error = fvi_strdup(text);
    return fvi_fail(status, "%s", text); /* keeping it may have failed and left its own text */
}

/* The first failure once more. */
static fv_status build_again(const fv_model *model)
{
    return fvi_fail(model->status, "%s", model->error ? model->error : "out of memory");
}

/* `Conv2D "conv1": ` before the present message. */
static fv_status build_fail_in(fv_status status, const fvi_op *op, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    return fvi_fail_in(status, "%s \"%s\"", op->name, fvi_safe(safe, name));
}

/* May one more layer be added at all? */
static fv_status build_open(fv_model *model)
{
    if (model->status != FV_OK) return build_again(model);
    if (model->is_built) {
        return fvi_fail(FV_E_STATE, "the model is built; layers are added before fv_model_build");
    }
    if (model->n_nodes >= FVI_MAX_NODES) {
        return fvi_model_fail(model, fvi_fail(FV_E_MEMORY, "more than %d layers", FVI_MAX_NODES));
    }
    return FV_OK;
}

static fv_status build_check_inputs(const fv_model *model, const fvi_op *op, const int *inputs,
                                    int n_inputs)
{
    if (model->n_nodes == 0 && op->max_inputs > 0) {
        return fvi_fail(FV_E_ARG, "the first layer must be an InputLayer, which says the size of "
                                  "an image: begin with fv_input(model, height, width, channels)");
    }
    if (n_inputs < op->min_inputs || n_inputs > op->max_inputs) {
        return fvi_fail(FV_E_ARG, "%d inputs; expected %s%d", n_inputs,
                        op->max_inputs == op->min_inputs ? ""
                        : n_inputs < op->min_inputs      ? "at least "
                                                         : "at most ",
                        n_inputs < op->min_inputs ? op->min_inputs : op->max_inputs);
    }
    if (n_inputs > 0 && !inputs) return fvi_fail(FV_E_ARG, "the list of inputs is NULL");
    for (int i = 0; i < n_inputs; i++) {
        if (inputs[i] == FV_LAST || (inputs[i] >= 0 && inputs[i] < model->n_nodes)) continue;
        return fvi_fail(FV_E_ARG, "input %d is layer %d, which is not there; expected 0 to %d", i,
                        inputs[i], model->n_nodes - 1);
    }
    return FV_OK;
}

/* Room for one more node and its name. */
static fv_status build_grow(fv_model *model)
{
    FVI_TRY(fvi_model_name_room(model));
    if (model->n_nodes < model->capacity) return FV_OK;
    int capacity = model->capacity ? 2 * model->capacity : 16;
    fvi_node *node =
        fvi_grow(model->node, (size_t)model->capacity, (size_t)capacity, sizeof *node, "layers");
    if (!node) return FV_E_MEMORY;
    model->node = node;
    model->capacity = capacity;
    return FV_OK;
}

/* Owns config and name once it succeeds. */
static fv_status build_push(fv_model *model, const fvi_op *op, const int *inputs, int n_inputs,
                            void *config, char *name)
{
    fv_status status = build_check_inputs(model, op, inputs, n_inputs);
    if (status != FV_OK) return build_fail_in(status, op, name);
    int *list = fvi_alloc((size_t)n_inputs, sizeof *list, "inputs of a layer");
    status = list ? build_grow(model) : FV_E_MEMORY;
    if (status != FV_OK) {
        fvi_free(list);
        return status;
    }
    int id = model->n_nodes++;
    for (int i = 0; i < n_inputs; i++) {
        list[i] = inputs[i] == FV_LAST ? id - 1 : inputs[i];
    }
    model->node[id] =
        (fvi_node){.op = op, .name = name, .config = config, .input = list, .n_inputs = n_inputs};
    fvi_model_name_put(model, id);
    bool on_the_last = id == 0 ? n_inputs == 0 : n_inputs == 1 && inputs[0] == FV_LAST;
    model->is_sequential = model->is_sequential && on_the_last;
    return FV_OK;
}

int fvi_model_add_node(fv_model *model, const fvi_op *op, const int *inputs, int n_inputs,
                       void *config, const char *name)
{
    char *own = NULL;
    fv_status status = build_open(model);
    if (status != FV_OK) {
        fvi_free(config);
        return -(int)status;
    }
    own = fvi_model_layer_name(model, op, name, &status);
    if (status == FV_OK) status = build_push(model, op, inputs, n_inputs, config, own);
    if (status == FV_OK) return model->n_nodes - 1;
    fvi_free(own);
    fvi_free(config);
    return -(int)fvi_model_fail(model, status);
}

static fv_status build_unknown(const char *layer)
{
    char safe[FVI_SAFE_TEXT];
    const char *nearest = fvi_op_nearest(layer);
    fvi_safe(safe, layer);
    if (!nearest) return fvi_fail(FV_E_ARG, "there is no layer \"%s\"", safe);
    return fvi_fail(FV_E_ARG, "there is no layer \"%s\"; did you mean \"%s\"?", safe, nearest);
}

/* A completed copy of the caller's config; its name, which the caller owns, is taken out. */
static fv_status build_copy_config(void **out, const fvi_op *op, const void *config)
{
    void *copy = fvi_copy(config, op->config_size, "a config");
    if (!copy) return FV_E_MEMORY;
    if (op->config_size >= sizeof(fv_layer_config)) ((fv_layer_config *)copy)->name = NULL;
    fv_status status = fvi_op_config_complete(op, copy);
    if (status == FV_OK) {
        *out = copy;
    } else {
        fvi_free(copy);
    }
    return status;
}

static fv_status build_add(fv_model *model, const char *layer, const int *inputs, int n_inputs,
                           const void *config, size_t config_size)
{
    if (!layer) return fvi_fail(FV_E_ARG, "fv_add: layer is NULL");
    const fvi_op *op = fvi_op_find(layer);
    if (!op) return build_unknown(layer);
    if (config && config_size != op->config_size) {
        return fvi_fail(FV_E_ARG, "%s: a config of %zu bytes; expected %zu: another layer's?",
                        op->name, config_size, op->config_size);
    }
    bool has_name = config && config_size >= sizeof(fv_layer_config);
    fv_status status;
    char *name = fvi_model_layer_name(
        model, op, has_name ? ((const fv_layer_config *)config)->name : NULL, &status);
    if (!name) return status;
    void *copy = NULL;
    status = build_copy_config(&copy, op, config);
    if (status == FV_OK) {
        status = build_push(model, op, inputs, n_inputs, copy, name);
    } else if (status != FV_E_MEMORY) {
        build_fail_in(status, op, name);
    }
    if (status == FV_OK) return FV_OK;
    fvi_free(copy);
    fvi_free(name);
    return status;
}

int fv_add(fv_model *model, const char *layer, const int *inputs, int n_inputs, const void *config,
           size_t config_size)
{
    if (!model) return -(int)fvi_fail(FV_E_ARG, "fv_add: model is NULL");
    fv_status status = build_open(model);
    if (status == FV_OK) {
        status = build_add(model, layer, inputs, n_inputs, config, config_size);
        fvi_model_fail(model, status);
    }
    return status == FV_OK ? model->n_nodes - 1 : -(int)status;
}

/* ---- Another number of outputs ---- */

static bool build_has_outputs(const fvi_node *node)
{
    return strcmp(node->op->name, "Dense") == 0 || strcmp(node->op->name, "Conv2D") == 0 ||
           strcmp(node->op->name, "SeparableConv2D") == 0;
}

fv_status fv_model_set_outputs(fv_model *model, int outputs)
{
    char safe[FVI_SAFE_TEXT];
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_set_outputs: model is NULL");
    FVI_TRY(build_open(model));
    if (outputs < 1) return fvi_fail(FV_E_ARG, "%d outputs, expected 1 or more", outputs);
    if (model->n_nodes == 0) return fvi_fail(FV_E_STATE, "the model has no layers");
    int id = model->output >= 0 ? model->output : model->n_nodes - 1;
    /* What follows the layer that counts: a shape or an activation, one input each. */
    while (model->node[id].n_inputs == 1 && !build_has_outputs(&model->node[id])) {
        id = model->node[id].input[0];
    }
    fvi_node *node = &model->node[id];
    if (strcmp(node->op->name, "Dense") == 0)
        ((fv_dense_config *)node->config)->units = outputs;
    else if (strcmp(node->op->name, "Conv2D") == 0)
        ((fv_conv2d_config *)node->config)->filters = outputs;
    else if (build_has_outputs(node))
        ((fv_separable_conv2d_config *)node->config)->filters = outputs;
    else
        return fvi_fail(FV_E_UNSUPPORTED,
                        "the outputs come from layer \"%s\" (%s), expected Dense, Conv2D or "
                        "SeparableConv2D",
                        fvi_safe(safe, node->name), node->op->name);
    return FV_OK;
}

/* ---- Building ---- */

/* Every layer must lead to the output, and exactly one of them be an InputLayer. */
static fv_status build_check_reach(const fv_model *model, int output, int *input)
{
    char safe[FVI_SAFE_TEXT], safe_output[FVI_SAFE_TEXT];
    bool *needed = fvi_alloc((size_t)model->n_nodes, sizeof *needed, "layers");
    if (!needed) return FV_E_MEMORY;
    int idle = -1;
    needed[output] = true;
    *input = -1;
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        if (!needed[i]) idle = i;
        for (int k = 0; needed[i] && k < model->node[i].n_inputs; k++) {
            needed[model->node[i].input[k]] = true;
        }
    }
    fvi_free(needed);
    if (idle >= 0) {
        return build_fail_in(fvi_fail(FV_E_ARG,
                                      "the output layer \"%s\" does not depend on it; connect it, "
                                      "leave it out, or build with another output",
                                      fvi_safe(safe_output, model->node[output].name)),
                             model->node[idle].op, model->node[idle].name);
    }
    for (int i = 0; i < model->n_nodes; i++) {
        if (model->node[i].n_inputs > 0) continue;
        if (*input >= 0) {
            return fvi_fail(FV_E_UNSUPPORTED,
                            "two InputLayers, \"%s\" and \"%s\"; a model has one input",
                            fvi_safe(safe_output, model->node[*input].name),
                            fvi_safe(safe, model->node[i].name));
        }
        *input = i;
    }
    return FV_OK;
}

fv_status fvi_model_prepare(fv_model *model, int output, int batch)
{
    if (model->status != FV_OK) return build_again(model);
    if (model->is_built) return fvi_fail(FV_E_STATE, "the model is built already");
    if (model->n_nodes == 0) {
        return fvi_fail(FV_E_STATE, "the model has no layers; begin with fv_input");
    }
    if (batch < 1) return fvi_fail(FV_E_ARG, "batch %d: expected 1 or more", batch);
    int before = model->output, input;
    if (output == FV_LAST) output = before >= 0 ? before : model->n_nodes - 1;
    if (output < 0 || output >= model->n_nodes) {
        return fvi_fail(FV_E_ARG, "output %d is no layer; expected 0 to %d, or FV_LAST", output,
                        model->n_nodes - 1);
    }
    FVI_TRY(build_check_reach(model, output, &input));
    model->input = input;
    model->output = output;
    model->max_batch = batch;
    fv_status status = fvi_model_plan(model);
    if (status != FV_OK) model->output = before;
    return status;
}

fv_status fv_model_build(fv_model *model, int output, int batch)
{
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_build: model is NULL");
    FVI_TRY(fvi_model_prepare(model, output, batch));
    FVI_TRY(fvi_model_allocate(model));
    fvi_model_init_weights(model);
    return FV_OK;
}
