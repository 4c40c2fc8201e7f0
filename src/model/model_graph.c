/* SPDX-License-Identifier: MIT */
/* A model's layers as Keras-style JSON (Sequential or Functional), and back; weights not
   included. */
#include "model/model_internal.h"

#include <string.h>

/* ---- Writing ---- */

/* ["conv2d", 0, 0]: the layer, its call, its output; there is only one of each. */
static fvi_value *graph_reference(const char *name, bool with_arguments)
{
    fvi_value *list = fvi_value_list();
    if (!list) return NULL;
    fv_status status = fvi_value_push(list, fvi_value_string(name));
    if (status == FV_OK) status = fvi_value_push(list, fvi_value_int(0));
    if (status == FV_OK) status = fvi_value_push(list, fvi_value_int(0));
    if (status == FV_OK && with_arguments) status = fvi_value_push(list, fvi_value_dict());
    if (status == FV_OK) return list;
    fvi_value_free(list);
    return NULL;
}

/* A list around one item, whose ownership it takes. */
static fvi_value *graph_list_of(fvi_value *item)
{
    fvi_value *list = fvi_value_list();
    if (!list) {
        fvi_value_free(item);
        return NULL;
    }
    if (fvi_value_push(list, item) == FV_OK) return list;
    fvi_value_free(list);
    return NULL;
}

/* [] for an input, [[["a", 0, 0, {}], ["b", 0, 0, {}]]] for a layer on a and b. */
static fvi_value *graph_inbound(const fv_model *model, const fvi_node *node)
{
    fvi_value *call = fvi_value_list();
    fv_status status = call ? FV_OK : FV_E_MEMORY;
    for (int i = 0; status == FV_OK && i < node->n_inputs; i++) {
        status = fvi_value_push(call, graph_reference(model->node[node->input[i]].name, true));
    }
    if (status == FV_OK) return node->n_inputs > 0 ? graph_list_of(call) : call;
    fvi_value_free(call);
    return NULL;
}

static fv_status graph_fill_layer(fvi_value *layer, const fv_model *model, const fvi_node *node,
                                  bool functional)
{
    fvi_value *config;
    FVI_TRY(fvi_value_set(layer, "class_name", fvi_value_string(node->op->name)));
    FVI_TRY(fvi_op_config_to_dict(node->op, node->config, &config));
    fv_status status = fvi_value_set(config, "name", fvi_value_string(node->name));
    if (status != FV_OK) {
        fvi_value_free(config);
        return status;
    }
    FVI_TRY(fvi_value_set(layer, "config", config));
    if (!functional) return FV_OK;
    FVI_TRY(fvi_value_set(layer, "name", fvi_value_string(node->name)));
    return fvi_value_set(layer, "inbound_nodes", graph_inbound(model, node));
}

static fv_status graph_fill_layers(fvi_value *layers, const fv_model *model)
{
    for (int i = 0; i < model->n_nodes; i++) {
        fvi_value *layer = fvi_value_dict();
        if (!layer) return FV_E_MEMORY;
        fv_status status = graph_fill_layer(layer, model, &model->node[i], !model->is_sequential);
        if (status != FV_OK) {
            fvi_value_free(layer);
            return status;
        }
        FVI_TRY(fvi_value_push(layers, layer));
    }
    return FV_OK;
}

static fv_status graph_fill_config(fvi_value *config, const fv_model *model)
{
    FVI_TRY(fvi_value_set(config, "name", fvi_value_string(model->name)));
    fvi_value *layers = fvi_value_list();
    fv_status status = layers ? graph_fill_layers(layers, model) : FV_E_MEMORY;
    if (status != FV_OK) {
        fvi_value_free(layers);
        return status;
    }
    FVI_TRY(fvi_value_set(config, "layers", layers));
    if (model->is_sequential) return FV_OK;
    const char *input = model->node[model->input].name, *output = model->node[model->output].name;
    FVI_TRY(fvi_value_set(config, "input_layers", graph_list_of(graph_reference(input, false))));
    return fvi_value_set(config, "output_layers", graph_list_of(graph_reference(output, false)));
}

static fv_status graph_fill(fvi_value *graph, const fv_model *model)
{
    const char *kind = model->is_sequential ? "Sequential" : "Functional";
    FVI_TRY(fvi_value_set(graph, "class_name", fvi_value_string(kind)));
    fvi_value *config = fvi_value_dict();
    if (!config) return FV_E_MEMORY;
    fv_status status = graph_fill_config(config, model);
    if (status != FV_OK) {
        fvi_value_free(config);
        return status;
    }
    return fvi_value_set(graph, "config", config);
}

fv_status fvi_model_to_graph(const fv_model *model, fvi_value **out)
{
    *out = NULL;
    if (!model->is_built) return fvi_fail(FV_E_STATE, "the model is not built");
    fvi_value *graph = fvi_value_dict();
    fv_status status = graph ? graph_fill(graph, model) : FV_E_MEMORY;
    if (status == FV_OK) {
        *out = graph;
    } else {
        fvi_value_free(graph);
    }
    return status;
}

/* ---- Reading: nothing in the file is trusted ---- */

static bool graph_is(const fvi_value *value, fvi_value_kind kind)
{
    return value && value->kind == kind;
}

/* The layer that ["name", 0, 0] or ["name", 0, 0, {}] speaks of. */
static fv_status graph_read_reference(const fv_model *model, const fvi_value *reference, int *id)
{
    if (!graph_is(reference, FVI_VALUE_LIST) || reference->count < 3 || reference->count > 4 ||
        !graph_is(reference->item[0], FVI_VALUE_STRING) ||
        !graph_is(reference->item[1], FVI_VALUE_INT) ||
        !graph_is(reference->item[2], FVI_VALUE_INT)) {
        return fvi_fail(FV_E_FORMAT, "expected [\"layer\", 0, 0]");
    }
    if (reference->item[1]->integer != 0 || reference->item[2]->integer != 0) {
        return fvi_fail(FV_E_UNSUPPORTED, "a layer that is called twice, or has two outputs");
    }
    if (reference->count == 4 &&
        (!graph_is(reference->item[3], FVI_VALUE_DICT) || reference->item[3]->count > 0)) {
        return fvi_fail(FV_E_UNSUPPORTED, "arguments of a call; expected {}");
    }
    int found = fv_model_find(model, reference->item[0]->string);
    if (found < 0) return fvi_fail_in(FV_E_FORMAT, "it stands on a layer that is not before it");
    *id = found;
    return FV_OK;
}

/* inputs: out, owned by the caller. */
static fv_status graph_read_inbound(const fv_model *model, const fvi_value *layer, int **inputs,
                                    int *n)
{
    const fvi_value *calls = fvi_value_get(layer, "inbound_nodes");
    if (!graph_is(calls, FVI_VALUE_LIST)) {
        return fvi_fail(FV_E_FORMAT, "inbound_nodes: expected a list");
    }
    if (calls->count > 1) {
        return fvi_fail(FV_E_UNSUPPORTED, "inbound_nodes: a layer that is called %zu times",
                        calls->count);
    }
    const fvi_value *call = calls->count ? calls->item[0] : calls;
    if (!graph_is(call, FVI_VALUE_LIST) || call->count > FVI_MAX_NODES) {
        return fvi_fail(FV_E_FORMAT, "inbound_nodes: expected [[[\"layer\", 0, 0, {}], ...]]");
    }
    *inputs = fvi_alloc(call->count, sizeof **inputs, "inputs of a layer");
    if (!*inputs) return FV_E_MEMORY;
    *n = (int)call->count;
    for (int i = 0; i < *n; i++) {
        fv_status status = graph_read_reference(model, call->item[i], &(*inputs)[i]);
        if (status != FV_OK) return fvi_fail_in(status, "inbound_nodes");
    }
    return FV_OK;
}

static fv_status graph_find_op(const fvi_value *layer, const fvi_op **op)
{
    char safe[FVI_SAFE_TEXT];
    const char *kind = fvi_value_get_string(layer, "class_name");
    if (!kind) return fvi_fail(FV_E_FORMAT, "class_name: expected the name of a layer");
    *op = fvi_op_find(kind);
    if (*op) return FV_OK;
    const char *nearest = fvi_op_nearest(kind);
    fvi_safe(safe, kind);
    if (!nearest) return fvi_fail(FV_E_FORMAT, "there is no layer \"%s\"", safe);
    return fvi_fail(FV_E_FORMAT, "there is no layer \"%s\"; did you mean \"%s\"?", safe, nearest);
}

static fv_status graph_read_config(const fvi_op *op, const fvi_value *dict, const char *name,
                                   void **out)
{
    char safe[FVI_SAFE_TEXT];
    void *config = fvi_alloc(1, op->config_size, "a config");
    if (!config) return FV_E_MEMORY;
    fv_status status = fvi_op_config_from_dict(op, config, dict, NULL);
    if (status == FV_OK) {
        *out = config;
        return FV_OK;
    }
    fvi_free(config);
    if (status == FV_E_MEMORY) return status;
    return fvi_fail_in(status, "%s \"%s\"", op->name, fvi_safe(safe, name));
}

static fv_status graph_read_layer(fv_model *model, const fvi_value *layer, bool functional)
{
    const fvi_op *op;
    FVI_TRY(graph_find_op(layer, &op));
    const fvi_value *dict = fvi_value_get(layer, "config");
    const char *name = fvi_value_get_string(dict, "name");
    if (!name) return fvi_fail(FV_E_FORMAT, "%s: config: expected a dict with a name", op->name);
    int last = FV_LAST, n = model->n_nodes > 0 ? 1 : 0, *inputs = NULL;
    fv_status status = functional ? graph_read_inbound(model, layer, &inputs, &n) : FV_OK;
    void *config = NULL;
    if (status == FV_OK) status = graph_read_config(op, dict, name, &config);
    if (status == FV_OK) {
        int id = fvi_model_add_node(model, op, functional ? inputs : &last, n, config, name);
        if (id < 0) status = (fv_status)-id;
    }
    fvi_free(inputs);
    return status;
}

/* input_layers or output_layers: ["x", 0, 0], or a list of one of these. */
static fv_status graph_read_end(const fv_model *model, const fvi_value *config, const char *key,
                                int *id)
{
    const fvi_value *list = fvi_value_get(config, key);
    if (!graph_is(list, FVI_VALUE_LIST) || list->count == 0) {
        return fvi_fail(FV_E_FORMAT, "%s: expected [[\"layer\", 0, 0]]", key);
    }
    if (graph_is(list->item[0], FVI_VALUE_LIST)) {
        if (list->count > 1) {
            return fvi_fail(FV_E_UNSUPPORTED, "%s: %zu of them; a model has one", key, list->count);
        }
        list = list->item[0];
    }
    fv_status status = graph_read_reference(model, list, id);
    return status == FV_OK ? FV_OK : fvi_fail_in(status, "%s", key);
}

static fv_status graph_read_layers(fv_model *model, const fvi_value *config, bool functional)
{
    const fvi_value *layers = fvi_value_get(config, "layers");
    if (!graph_is(layers, FVI_VALUE_LIST) || layers->count == 0) {
        return fvi_fail(FV_E_FORMAT, "layers: expected a list of layers");
    }
    for (size_t i = 0; i < layers->count; i++) {
        fv_status status = graph_read_layer(model, layers->item[i], functional);
        if (status == FV_E_MEMORY) return status;
        if (status != FV_OK) return fvi_fail_in(status, "layer %zu", i);
    }
    model->output = model->n_nodes - 1;
    if (!functional) return FV_OK;
    int input;
    FVI_TRY(graph_read_end(model, config, "output_layers", &model->output));
    FVI_TRY(graph_read_end(model, config, "input_layers", &input));
    if (model->node[input].n_inputs == 0) return FV_OK;
    return fvi_fail(FV_E_FORMAT, "input_layers: expected an InputLayer, found %s",
                    model->node[input].op->name);
}

fv_status fvi_model_from_graph(fv_model **out, const fvi_value *graph,
                               const fv_model_config *config)
{
    char safe[FVI_SAFE_TEXT];
    *out = NULL;
    const char *kind = fvi_value_get_string(graph, "class_name");
    bool functional = kind && (strcmp(kind, "Functional") == 0 || strcmp(kind, "Model") == 0);
    if (!kind || (!functional && strcmp(kind, "Sequential") != 0)) {
        return fvi_fail(FV_E_FORMAT, "class_name \"%s\": expected \"Sequential\" or \"Functional\"",
                        fvi_safe(safe, kind ? kind : ""));
    }
    const fvi_value *dict = fvi_value_get(graph, "config");
    const char *name = fvi_value_get_string(dict, "name");
    if (!name) return fvi_fail(FV_E_FORMAT, "config: expected a dict with a name");
    if (fvi_model_check_name("config", name) != FV_OK)
        return fvi_fail(FV_E_FORMAT, "%s", fv_error());
    fv_model *model;
    FVI_TRY(fvi_model_make(&model, name, config));
    fv_status status = graph_read_layers(model, dict, functional);
    if (status == FV_OK) {
        *out = model;
        return FV_OK;
    }
    fv_model_free(model);
    /* What a program would have done wrong is here the file's fault. */
    return status == FV_E_ARG ? fvi_fail(FV_E_FORMAT, "%s", fv_error()) : status;
}
