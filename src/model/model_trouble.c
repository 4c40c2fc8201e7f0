/* SPDX-License-Identifier: MIT */
/* Which number was the first not to be finite: for the message of a training that stops. */
#include "model/model_internal.h"

static bool trouble_is_bad(const fv_model *model, size_t n, const float *x)
{
    return x && n > 0 && !model->kernels->is_finite(n, x);
}

static bool trouble_report(fvi_text *where, const fvi_node *node, const char *what,
                           const char *name)
{
    char safe[FVI_SAFE_TEXT];
    fvi_text_add(where, "layer \"%s\": %s%s", fvi_safe(safe, node->name), what, name);
    return true;
}

bool fvi_context_find_nonfinite(const fv_context *context, fvi_text *where)
{
    const fv_model *model = context->model;
    const fvi_lane *lane = context->lane;
    const size_t n = context->n > 0 ? (size_t)context->n : 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        /* its memory was used again */
        if (!context->layout.has_gradients && i != model->output) continue;
        if (trouble_is_bad(model, n * fvi_image_floats(&node->y_shape),
                           fvi_lane_y(context, lane, i)))
            return trouble_report(where, node, i == model->input ? "input" : "output", "");
    }
    const fvi_node *last = &model->node[model->output];
    const size_t outputs = n * fvi_image_floats(&last->y_shape);
    return context->training &&
           trouble_is_bad(model, outputs, fvi_lane_dy(context, lane, model->output)) &&
           trouble_report(where, last, "gradient of output", "");
}

bool fvi_model_find_nonfinite(const fv_model *model, const float *gradient, size_t at, size_t count,
                              fvi_text *where)
{
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++) {
            const fvi_weight *weight = &node->weight[k];
            const size_t first = weight->offset > at ? weight->offset : at; /* or a piece of it */
            const size_t end = weight->offset + weight->count, most = at + count;
            const size_t last = end < most ? end : most;
            if (weight->is_state || first >= last) continue;
            if (trouble_is_bad(model, last - first, gradient + (first - at)))
                return trouble_report(where, node, "gradient of ", weight->name);
        }
    }
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++) {
            const fvi_weight *weight = &node->weight[k];
            if (trouble_is_bad(model, weight->count, model->weights + weight->offset))
                return trouble_report(where, node, "", weight->name);
        }
    }
    return false;
}
