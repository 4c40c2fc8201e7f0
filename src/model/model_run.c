/* SPDX-License-Identifier: MIT */
/* Running a model: two loops over its layers, forward and backward, and the calls that stand on
   them. */
#include "model/model_internal.h"

#include <string.h>

/* ---- The two loops: nothing here fails or allocates ---- */

/* One call of an op, with room for what it points at. */
typedef struct run_call {
    fvi_run run;
    float *w[FVI_MAX_WEIGHTS], *dw[FVI_MAX_WEIGHTS];
} run_call;

static fv_activation_kind run_head(const fvi_node *node)
{
    return node->op->head ? node->op->head(node) : FV_LINEAR;
}

static void run_prepare(run_call *call, fv_context *context, int id)
{
    const fv_model *model = context->model;
    const fvi_node *node = &model->node[id];
    for (int i = 0; i < node->n_inputs; i++) {
        context->x[i] = context->y[node->input[i]];
        context->dx[i] = context->dy[node->input[i]];
    }
    for (int i = 0; i < node->n_weights; i++) {
        const fvi_weight *weight = &node->weight[i];
        bool has_gradient = context->weight_gradients && !weight->is_state;
        call->w[i] = model->weights + weight->offset;
        call->dw[i] = has_gradient ? context->weight_gradients + weight->offset : NULL;
    }
    call->run =
        (fvi_run){.node = node,
                  .k = model->kernels,
                  .threads = context->threads,
                  .n = context->n,
                  .training = context->training,
                  .logits = context->logits && id == model->output && run_head(node) != FV_LINEAR,
                  .statistics = context->statistics,
                  .seed = model->seed,
                  .step = context->step,
                  .node_id = id,
                  .x = context->x,
                  .y = context->y[id],
                  .w = call->w,
                  .dy = context->dy[id],
                  .dx = context->dx,
                  .adds = context->adds,
                  .masks = context->masks[id],
                  .is_masked = context->is_masked[id],
                  .dw = call->dw,
                  .state = context->training ? context->state[id] : NULL,
                  .scratch = context->scratch};
}

/* The input's activation is the caller's x, not a copy; views of it show the same. */
static void run_point_at(fv_context *context, const float *x)
{
    const fv_model *model = context->model;
    context->y[model->input] = (float *)x; /* read only: no op writes into its input */
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (node->op->is_view) context->y[i] = context->y[node->input[0]];
    }
}

const float *fvi_context_forward(fv_context *context, const float *x, int n, bool training,
                                 bool logits, uint32_t step)
{
    const fv_model *model = context->model;
    run_call call;
    context->n = n;
    context->training = training && context->can_train;
    context->logits = logits;
    context->step = step;
    run_point_at(context, x);
    for (int i = 0; i < model->n_nodes && n > 0; i++) {
        if (i == model->input || model->node[i].op->is_view) continue;
        run_prepare(&call, context, i);
        model->node[i].op->forward(&call.run);
    }
    return context->y[model->output];
}

float *fvi_context_output_gradient(fv_context *context)
{
    return context->dy[context->model->output];
}

/* The first reader of an array that runs writes its gradient, the others add theirs. */
static void run_prepare_gradients(fv_context *context, int id)
{
    const fvi_node *node = &context->model->node[id];
    for (int i = 0; i < node->n_inputs; i++) {
        int root = context->root[node->input[i]];
        context->adds[i] = context->is_begun[root];
        context->is_begun[root] = true;
    }
    if (context->is_begun[context->root[id]]) return; /* what follows is the layer nobody reads */
    size_t floats = (size_t)context->n * fvi_image_floats(&node->y_shape);
    memset(context->dy[id], 0, floats * sizeof(float));
}

void fvi_context_backward(fv_context *context, const float *x)
{
    const fv_model *model = context->model;
    run_call call;
    run_point_at(context, x);
    memset(context->is_begun, 0, (size_t)model->n_nodes * sizeof *context->is_begun);
    context->is_begun[context->root[model->output]] = true; /* the loss has written it */
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        if (!context->dy[i] || i == model->input || model->node[i].op->is_view) continue;
        run_prepare(&call, context, i);
        run_prepare_gradients(context, i);
        model->node[i].op->backward(&call.run);
    }
}

fv_activation_kind fv_model_head(const fv_model *model)
{
    return model && model->is_built ? run_head(&model->node[model->output]) : FV_LINEAR;
}

/* ---- Trouble ---- */

static bool run_is_bad(const fv_context *context, size_t n, const float *x)
{
    return x && n > 0 && !context->model->kernels->is_finite(n, x);
}

static bool run_report(fvi_text *where, const fvi_node *node, const char *what, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    fvi_text_add(where, "layer \"%s\": %s%s", fvi_safe(safe, node->name), what, name);
    return true;
}

static bool run_find_in_weights(const fv_context *context, const fvi_node *node, bool gradients,
                                fvi_text *where)
{
    for (int k = 0; k < node->n_weights; k++) {
        const fvi_weight *weight = &node->weight[k];
        if (gradients && (weight->is_state || !context->weight_gradients)) continue;
        const float *block = gradients ? context->weight_gradients : context->model->weights;
        if (!run_is_bad(context, weight->count, block + weight->offset)) continue;
        return run_report(where, node, gradients ? "gradient of " : "", weight->name);
    }
    return false;
}

bool fvi_context_find_nonfinite(const fv_context *context, fvi_text *where)
{
    const fv_model *model = context->model;
    const fvi_node *last = &model->node[model->output];
    size_t n = context->n > 0 ? (size_t)context->n : 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (!context->can_train && i != model->output) continue; /* its memory was used again */
        if (run_is_bad(context, n * fvi_image_floats(&node->y_shape), context->y[i])) {
            return run_report(where, node, i == model->input ? "input" : "output", "");
        }
    }
    size_t outputs = n * fvi_image_floats(&last->y_shape);
    if (context->training && run_is_bad(context, outputs, context->dy[model->output])) {
        return run_report(where, last, "gradient of output", "");
    }
    for (int i = model->n_nodes - 1; i >= 0 && context->training; i--) {
        if (run_find_in_weights(context, &model->node[i], true, where)) return true;
    }
    for (int i = 0; i < model->n_nodes; i++) {
        if (run_find_in_weights(context, &model->node[i], false, where)) return true;
    }
    return false;
}

/* ---- For callers ---- */

static fv_status run_check(const char *who, const fv_model *model, const void *y, const void *x,
                           int n)
{
    if (!model) return fvi_fail(FV_E_ARG, "%s: model is NULL", who);
    if (!model->is_built) {
        return fvi_fail(FV_E_STATE, "%s: the model is not built; call fv_model_build first", who);
    }
    if (n < 0) return fvi_fail(FV_E_ARG, "%s: %d images; expected 0 or more", who, n);
    if (n > 0 && (!x || !y)) return fvi_fail(FV_E_ARG, "%s: %s is NULL", who, x ? "y" : "x");
    return FV_OK;
}

/* Any number of images, in pieces of the largest batch; an image's result does not depend on its
   neighbours. */
static void run_predict(fv_context *context, float *y, const float *x, int n)
{
    const fv_model *model = context->model;
    size_t in = fvi_image_floats(&model->node[model->input].y_shape);
    size_t out = fvi_image_floats(&model->node[model->output].y_shape);
    for (int done = 0; done < n;) {
        int batch = n - done < model->max_batch ? n - done : model->max_batch;
        const float *piece =
            fvi_context_forward(context, x + (size_t)done * in, batch, false, false, 0);
        memcpy(y + (size_t)done * out, piece, (size_t)batch * out * sizeof *y);
        done += batch;
    }
}

fv_status fv_context_predict(fv_context *context, float *y, const float *x, int n)
{
    if (!context) return fvi_fail(FV_E_ARG, "fv_context_predict: context is NULL");
    FVI_TRY(run_check("fv_context_predict", context->model, y, x, n));
    run_predict(context, y, x, n);
    return FV_OK;
}

fv_status fv_model_predict(fv_model *model, float *y, const float *x, int n)
{
    FVI_TRY(run_check("fv_model_predict", model, y, x, n));
    run_predict(model->context, y, x, n);
    return FV_OK;
}

fv_status fv_model_predict_pixels(fv_model *model, float *y, const uint8_t *pixels, int n)
{
    FVI_TRY(run_check("fv_model_predict_pixels", model, y, pixels, n));
    size_t in = fvi_image_floats(&model->node[model->input].y_shape);
    size_t out = fvi_image_floats(&model->node[model->output].y_shape);
    int most = n < model->max_batch ? n : model->max_batch;
    float *x = fvi_alloc((size_t)most * in, sizeof *x, "scaled pixels");
    if (!x) return FV_E_MEMORY;
    float scaled[256];
    for (int i = 0; i < 256; i++) {
        scaled[i] = (float)i * model->scale + model->offset;
    }
    for (int done = 0; done < n;) {
        int batch = n - done < most ? n - done : most;
        const uint8_t *from = pixels + (size_t)done * in;
        for (size_t i = 0; i < (size_t)batch * in; i++) {
            x[i] = scaled[from[i]];
        }
        run_predict(model->context, y + (size_t)done * out, x, batch);
        done += batch;
    }
    model->context->n = -1; /* its input is about to go */
    fvi_free(x);
    return FV_OK;
}

fv_status fv_model_forward(fv_model *model, const float **y, const float *x, int n, bool training)
{
    FVI_TRY(run_check("fv_model_forward", model, y, x, n));
    if (!y) return fvi_fail(FV_E_ARG, "fv_model_forward: y is NULL");
    if (n > model->max_batch) {
        return fvi_fail(FV_E_ARG, "fv_model_forward: %d images; the model is built for up to %d", n,
                        model->max_batch);
    }
    fv_context *context = model->context;
    if (training && !context->can_train) {
        return fvi_fail(FV_E_STATE, "fv_model_forward: the model was made without_training");
    }
    uint32_t step = training ? context->step + 1 : context->step;
    *y = fvi_context_forward(context, x, n, training, false, step);
    return FV_OK;
}

fv_status fv_model_backward(fv_model *model, const float *dy)
{
    FVI_TRY(run_check("fv_model_backward", model, dy, dy, 0));
    fv_context *context = model->context;
    if (!context->can_train) {
        return fvi_fail(FV_E_STATE, "fv_model_backward: the model was made without_training");
    }
    if (context->n < 0 || !context->training) {
        return fvi_fail(FV_E_STATE, "fv_model_backward: the last run was not a forward pass with "
                                    "training set; call fv_model_forward(..., true) first");
    }
    if (!dy && context->n > 0) return fvi_fail(FV_E_ARG, "fv_model_backward: dy is NULL");
    size_t outputs = (size_t)context->n * fvi_image_floats(&model->node[model->output].y_shape);
    if (outputs > 0) memcpy(fvi_context_output_gradient(context), dy, outputs * sizeof *dy);
    fvi_context_backward(context, context->y[model->input]);
    return FV_OK;
}
