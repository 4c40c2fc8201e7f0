/* SPDX-License-Identifier: MIT */
/* What a model can be asked: its layers, weights, gradients, activations, class names, scaling. */
#include "model/model_internal.h"

#include <math.h>
#include <string.h>

#define INFO_MAX_CLASSES 100000

static fv_status info_check(const char *who, const fv_model *model, const void *out)
{
    if (!model || !out) {
        return fvi_fail(FV_E_ARG, "%s: %s is NULL", who, model ? "the result" : "model");
    }
    if (!model->is_built) {
        return fvi_fail(FV_E_STATE, "%s: the model is not built; call fv_model_build first", who);
    }
    return FV_OK;
}

/* ---- Layers ---- */

const char *fv_model_name(const fv_model *model)
{
    return model ? model->name : "";
}

int fv_model_layers(const fv_model *model)
{
    return model ? model->n_nodes : 0;
}

int fv_model_batch(const fv_model *model)
{
    return model && model->is_built ? model->max_batch : 0;
}

static void info_parameters(const fvi_node *node, size_t *all, size_t *trainable)
{
    for (int i = 0; i < node->n_weights; i++) {
        *all += node->weight[i].count;
        if (!node->weight[i].is_state) *trainable += node->weight[i].count;
    }
}

size_t fv_model_parameters(const fv_model *model, size_t *trainable)
{
    size_t all = 0, some = 0;
    for (int i = 0; model && model->is_built && i < model->n_nodes; i++) {
        info_parameters(&model->node[i], &all, &some);
    }
    if (trainable) *trainable = some;
    return all;
}

fv_status fv_model_layer(const fv_model *model, int id, fv_layer_info *info)
{
    FVI_TRY(info_check("fv_model_layer", model, info));
    if (id < 0 || id >= model->n_nodes) {
        return fvi_fail(FV_E_ARG, "fv_model_layer: no layer %d; expected 0 to %d", id,
                        model->n_nodes - 1);
    }
    const fvi_node *node = &model->node[id];
    *info = (fv_layer_info){.name = node->name,
                            .kind = node->op->name,
                            .output = node->y_shape,
                            .n_inputs = node->n_inputs,
                            .inputs = node->input,
                            .n_weights = node->n_weights};
    info_parameters(node, &info->parameters, &info->trainable);
    return FV_OK;
}

/* Names of all layers may be many, so the nearest one is looked for only after a failure. */
static fv_status info_no_layer(const fv_model *model, const char *layer)
{
    char safe[FVI_SAFE_TEXT], safe_near[FVI_SAFE_TEXT];
    size_t n = (size_t)model->n_nodes;
    const char **list = fvi_alloc(n, sizeof *list, "names of layers");
    const char *near = NULL;
    for (size_t i = 0; list && i < n; i++) {
        list[i] = model->node[i].name;
    }
    if (list) near = fv_nearest(layer, list, n);
    fvi_free(list);
    fvi_safe(safe, layer);
    if (!near) return fvi_fail(FV_E_ARG, "no layer is named \"%s\"", safe);
    return fvi_fail(FV_E_ARG, "no layer is named \"%s\"; did you mean \"%s\"?", safe,
                    fvi_safe(safe_near, near));
}

int fv_model_find(const fv_model *model, const char *layer)
{
    if (!model || !layer) {
        return -(int)fvi_fail(FV_E_ARG, "fv_model_find: %s is NULL", model ? "layer" : "model");
    }
    int id = fvi_model_lookup(model, layer);
    return id >= 0 ? id : -(int)info_no_layer(model, layer);
}

static fv_status info_image_shape(const char *who, const fv_model *model, fv_shape *shape,
                                  bool is_input)
{
    FVI_TRY(info_check(who, model, shape));
    *shape = model->node[is_input ? model->input : model->output].y_shape;
    return FV_OK;
}

fv_status fv_model_input_shape(const fv_model *model, fv_shape *shape)
{
    return info_image_shape("fv_model_input_shape", model, shape, true);
}

fv_status fv_model_output_shape(const fv_model *model, fv_shape *shape)
{
    return info_image_shape("fv_model_output_shape", model, shape, false);
}

/* ---- Views ---- */

static fv_status info_find_weight(const fv_model *model, const char *layer, const char *name,
                                  const fvi_weight **weight)
{
    char safe[FVI_SAFE_TEXT], safe_layer[FVI_SAFE_TEXT], known[160] = "";
    int id = fv_model_find(model, layer);
    if (id < 0) return FV_E_ARG;
    if (!name) return fvi_fail(FV_E_ARG, "layer \"%s\": weight is NULL", fvi_safe(safe, layer));
    const fvi_node *node = &model->node[id];
    for (int i = 0; i < node->n_weights; i++) {
        *weight = &node->weight[i];
        if (strcmp((*weight)->name, name) == 0) return FV_OK;
        strncat(known, i ? ", " : "; it has ", sizeof known - strlen(known) - 1);
        strncat(known, (*weight)->name, sizeof known - strlen(known) - 1);
    }
    return fvi_fail(FV_E_ARG, "layer \"%s\" has no weight \"%s\"%s", fvi_safe(safe_layer, layer),
                    fvi_safe(safe, name), node->n_weights ? known : "; it has none");
}

fv_status fv_model_weight(fv_model *model, const char *layer, const char *weight, fv_tensor *view)
{
    const fvi_weight *found;
    FVI_TRY(info_check("fv_model_weight", model, view));
    FVI_TRY(info_find_weight(model, layer, weight, &found));
    *view = (fv_tensor){
        .shape = found->shape, .dtype = FV_FLOAT32, .data = model->weights + found->offset};
    return FV_OK;
}

fv_status fv_model_gradient(fv_model *model, const char *layer, const char *weight, fv_tensor *view)
{
    const fvi_weight *found;
    FVI_TRY(info_check("fv_model_gradient", model, view));
    FVI_TRY(info_find_weight(model, layer, weight, &found));
    if (model->without_training) {
        return fvi_fail(FV_E_STATE, "fv_model_gradient: the model was made without_training");
    }
    if (found->is_state) {
        return fvi_fail(FV_E_ARG, "weight \"%s\" is not trained: it has no gradient", found->name);
    }
    FVI_TRY(fvi_model_look(model));
    *view = (fv_tensor){.shape = found->shape,
                        .dtype = FV_FLOAT32,
                        .data = model->look->lane->gradients + found->offset};
    return FV_OK;
}

fv_status fv_model_activation(fv_model *model, const char *layer, fv_tensor *view)
{
    char safe[FVI_SAFE_TEXT];
    FVI_TRY(info_check("fv_model_activation", model, view));
    int id = fv_model_find(model, layer);
    if (id < 0) return FV_E_ARG;
    const fv_context *context = model->look;
    if (!context || context->n < 0) {
        return fvi_fail(FV_E_STATE, "fv_model_activation: call fv_model_forward first");
    }
    if (!context->layout.has_gradients && id != model->output) {
        return fvi_fail(FV_E_STATE,
                        "the output of \"%s\" is not kept: the model was made without_training",
                        fvi_safe(safe, layer));
    }
    const fv_shape *image = &model->node[id].y_shape;
    if (image->rank >= FV_MAX_RANK) {
        return fvi_fail(FV_E_SHAPE, "the output of \"%s\" has %d dimensions beside the batch",
                        fvi_safe(safe, layer), image->rank);
    }
    *view = (fv_tensor){.dtype = FV_FLOAT32, .data = fvi_lane_y(context, context->lane, id)};
    view->shape.rank = image->rank + 1;
    view->shape.dim[0] = context->n;
    memcpy(view->shape.dim + 1, image->dim, (size_t)image->rank * sizeof image->dim[0]);
    return FV_OK;
}

/* ---- Class names and scaling ---- */

static void info_free_names(char **name, int n)
{
    for (int i = 0; name && i < n; i++) {
        fvi_free(name[i]);
    }
    fvi_free(name);
}

fv_status fv_model_set_classes(fv_model *model, const char *const *names, int n)
{
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_set_classes: model is NULL");
    if (n < 0 || n > INFO_MAX_CLASSES || (n > 0 && !names)) {
        return fvi_fail(FV_E_ARG, "fv_model_set_classes: %d names; expected 0 to %d, not NULL", n,
                        INFO_MAX_CLASSES);
    }
    for (int i = 0; i < n; i++) {
        FVI_TRY(fvi_model_check_name("a class", names[i]));
    }
    char **list = n > 0 ? fvi_alloc((size_t)n, sizeof *list, "class names") : NULL;
    fv_status status = n == 0 || list ? FV_OK : FV_E_MEMORY;
    for (int i = 0; status == FV_OK && i < n; i++) {
        list[i] = fvi_strdup(names[i]);
        if (!list[i]) status = FV_E_MEMORY;
    }
    if (status != FV_OK) {
        info_free_names(list, n);
        return status;
    }
    info_free_names(model->class_name, model->n_classes);
    model->class_name = list;
    model->n_classes = n;
    return FV_OK;
}

int fv_model_classes(const fv_model *model)
{
    return model ? model->n_classes : 0;
}

const char *fv_model_class(const fv_model *model, int i)
{
    return model && i >= 0 && i < model->n_classes ? model->class_name[i] : NULL;
}

fv_status fv_model_set_scaling(fv_model *model, float scale, float offset)
{
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_set_scaling: model is NULL");
    if (!isfinite(scale) || !isfinite(offset)) {
        return fvi_fail(FV_E_ARG, "fv_model_set_scaling: scale and offset must be finite");
    }
    model->scale = scale;
    model->offset = offset;
    return FV_OK;
}

void fv_model_scaling(const fv_model *model, float *scale, float *offset)
{
    if (scale) *scale = model ? model->scale : 1.0f / 255.0f;
    if (offset) *offset = model ? model->offset : 0.0f;
}

fv_status fv_model_set_resize(fv_model *model, fv_resize resize)
{
    if (!model || !fv_resize_name(resize))
        return fvi_fail(FV_E_ARG, "fv_model_set_resize: %s",
                        model ? "no such way to resize" : "model is NULL");
    model->resize = resize;
    return FV_OK;
}

fv_resize fv_model_resize(const fv_model *model)
{
    return model ? model->resize : FV_RESIZE_STRETCH;
}
