/* SPDX-License-Identifier: MIT */
/* Contexts: where each activation, gradient and state of a run lies. */
#include "model/model_internal.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT_ALIGN 16 /* floats: 64 bytes */
#define CONTEXT_NONE SIZE_MAX
#define CONTEXT_MANY 4096

/* Activations of one node and of the views of it, from the step that writes it to the last that
   reads it. */
typedef struct context_span {
    int node, last;
    size_t size, offset; /* floats */
} context_span;

/* Where everything goes, before there is anything. Offsets in floats, states in bytes. */
typedef struct context_layout {
    int *root;    /* by node: itself, or for a view the node whose memory it shows */
    int *last;    /* by root: the last node that reads it; n_nodes for the output */
    int *readers; /* by root: how many read it, the caller of the output among them */
    size_t *y, *dy, *state;
    size_t activations, gradients, scratch, states;
    int most_inputs;
} context_layout;

static void context_layout_free(context_layout *layout)
{
    fvi_free(layout->root);
    fvi_free(layout->last);
    fvi_free(layout->readers);
    fvi_free(layout->y);
    fvi_free(layout->dy);
    fvi_free(layout->state);
}

/* Floats of one node's output for a full batch, rounded up to whole lines. */
static bool context_floats(size_t *out, const fv_model *model, int id)
{
    size_t floats = fvi_image_floats(&model->node[id].y_shape);
    if (!fvi_mul(&floats, floats, (size_t)model->max_batch)) return false;
    if (!fvi_sum(&floats, floats, CONTEXT_ALIGN - 1)) return false;
    *out = floats - floats % CONTEXT_ALIGN;
    return true;
}

static void context_find_lives(context_layout *layout, const fv_model *model)
{
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        layout->root[i] = node->op->is_view ? layout->root[node->input[0]] : i;
        layout->last[i] = i;
        for (int k = 0; k < node->n_inputs; k++) {
            layout->last[layout->root[node->input[k]]] = i;
            layout->readers[layout->root[node->input[k]]] += !node->op->is_view;
        }
        if (node->n_inputs > layout->most_inputs) layout->most_inputs = node->n_inputs;
        if (node->scratch_floats > layout->scratch) layout->scratch = node->scratch_floats;
    }
    layout->last[layout->root[model->output]] = model->n_nodes;
    layout->readers[layout->root[model->output]]++;
}

/* ---- Prediction: memory is used again once the last reader is done ---- */

static int context_by_size(const void *left, const void *right)
{
    const context_span *a = left, *b = right;
    if (a->size != b->size) return a->size < b->size ? 1 : -1;
    return a->node < b->node ? -1 : 1;
}

/* The smallest gap between the spans that live at the same time; `placed` is sorted by offset. */
static bool context_fit(context_span *span, const context_span *const *placed, int n)
{
    size_t end = 0, best = CONTEXT_NONE, best_gap = CONTEXT_NONE;
    for (int i = 0; i < n; i++) {
        const context_span *other = placed[i];
        if (other->last < span->node || span->last < other->node) continue;
        if (other->offset > end && other->offset - end >= span->size &&
            other->offset - end < best_gap) {
            best = end;
            best_gap = other->offset - end;
        }
        if (other->offset + other->size > end) end = other->offset + other->size;
    }
    span->offset = best == CONTEXT_NONE ? end : best;
    size_t after;
    return fvi_sum(&after, span->offset, span->size);
}

/* Best fit, the largest first. With very many layers in order of steps instead, which wastes a
   little more memory but needs to look only at the spans that are alive. */
static bool context_place(context_span *span, const context_span **placed, int n, size_t *total)
{
    bool in_order = n > CONTEXT_MANY;
    int count = 0;
    if (!in_order) qsort(span, (size_t)n, sizeof *span, context_by_size);
    for (int i = 0; i < n; i++) {
        if (in_order) {
            int alive = 0;
            for (int k = 0; k < count; k++) {
                if (placed[k]->last >= span[i].node) placed[alive++] = placed[k];
            }
            count = alive;
        }
        if (!context_fit(&span[i], placed, count)) return false;
        int at = count++;
        for (; at > 0 && placed[at - 1]->offset > span[i].offset; at--) {
            placed[at] = placed[at - 1];
        }
        placed[at] = &span[i];
        if (span[i].offset + span[i].size > *total) *total = span[i].offset + span[i].size;
    }
    return true;
}

static fv_status context_plan_predict(context_layout *layout, const fv_model *model)
{
    size_t count = (size_t)model->n_nodes;
    context_span *span = fvi_alloc(count, sizeof *span, "a plan");
    const context_span **placed = span ? fvi_alloc(count, sizeof *placed, "a plan") : NULL;
    fv_status status = placed ? FV_OK : FV_E_MEMORY;
    int n = 0;
    for (int i = 0; status == FV_OK && i < model->n_nodes; i++) {
        if (layout->root[i] != i || i == model->input) continue;
        span[n] = (context_span){.node = i, .last = layout->last[i]};
        if (!context_floats(&span[n++].size, model, i)) status = FV_E_SHAPE;
    }
    if (status == FV_OK && !context_place(span, placed, n, &layout->activations)) {
        status = FV_E_SHAPE;
    }
    if (status == FV_E_SHAPE) fvi_fail(status, "the model's activations are too many to count");
    for (int i = 0; status == FV_OK && i < n; i++) {
        layout->y[span[i].node] = span[i].offset;
    }
    fvi_free(placed);
    fvi_free(span);
    return status;
}

/* ---- Training: everything is kept for the way back ---- */

static bool context_plan_state(context_layout *layout, const fv_model *model, int id)
{
    const fvi_node *node = &model->node[id];
    size_t bytes;
    if (!fvi_mul(&bytes, node->state_per_image, (size_t)model->max_batch)) return false;
    if (!fvi_sum(&bytes, bytes, node->state_fixed)) return false;
    if (bytes == 0) return true;
    if (!fvi_sum(&bytes, bytes, 63)) return false;
    layout->state[id] = layout->states;
    return fvi_sum(&layout->states, layout->states, bytes - bytes % 64);
}

/* The gradient of a root, unless it has been given the place of its only reader's. */
static bool context_plan_gradient(context_layout *layout, const fv_model *model, int id)
{
    size_t floats;
    if (layout->root[id] != id || layout->dy[id] != CONTEXT_NONE) return true;
    layout->dy[id] = layout->gradients;
    return context_floats(&floats, model, id) &&
           fvi_sum(&layout->gradients, layout->gradients, floats);
}

/* A gradient is needed only where weights stand before it: that spares the first convolution its
   most expensive pass. The output's is always there, for the loss to write. */
static fv_status context_plan_training(context_layout *layout, const fv_model *model)
{
    bool *needed = fvi_alloc((size_t)model->n_nodes, sizeof *needed, "a plan");
    if (!needed) return FV_E_MEMORY;
    bool fits = true;
    for (int i = 0; fits && i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_inputs; k++) {
            needed[i] = needed[i] || needed[node->input[k]];
        }
        for (int k = 0; k < node->n_weights; k++) {
            needed[i] = needed[i] || !node->weight[k].is_state;
        }
        fits = context_plan_state(layout, model, i);
        if (!fits || layout->root[i] != i) continue;
        size_t floats;
        fits = context_floats(&floats, model, i);
        if (fits && i != model->input) {
            layout->y[i] = layout->activations;
            fits = fvi_sum(&layout->activations, layout->activations, floats);
        }
    }
    for (int i = model->n_nodes - 1; fits && i >= 0; i--) {
        if (needed[i] || i == layout->root[model->output]) {
            fits = context_plan_gradient(layout, model, i);
        }
        const fvi_node *node = &model->node[i];
        int from = node->n_inputs == 1 ? layout->root[node->input[0]] : -1;
        if (from >= 0 && needed[from] && node->op->is_in_place && layout->readers[from] == 1) {
            layout->dy[from] = layout->dy[layout->root[i]];
        }
    }
    fvi_free(needed);
    return fits ? FV_OK : fvi_fail(FV_E_SHAPE, "the model's activations are too many to count");
}

/* On failure the layout is to be freed as well. */
static fv_status context_layout_make(context_layout *layout, const fv_model *model, bool can_train)
{
    size_t n = (size_t)model->n_nodes;
    *layout = (context_layout){.root = fvi_alloc(n, sizeof *layout->root, "a plan"),
                               .last = fvi_alloc(n, sizeof *layout->last, "a plan"),
                               .readers = fvi_alloc(n, sizeof *layout->readers, "a plan"),
                               .y = fvi_alloc(n, sizeof *layout->y, "a plan"),
                               .dy = fvi_alloc(n, sizeof *layout->dy, "a plan"),
                               .state = fvi_alloc(n, sizeof *layout->state, "a plan")};
    if (!layout->root || !layout->last || !layout->readers || !layout->y || !layout->dy ||
        !layout->state) {
        return FV_E_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        layout->y[i] = layout->dy[i] = layout->state[i] = CONTEXT_NONE;
    }
    context_find_lives(layout, model);
    return can_train ? context_plan_training(layout, model) : context_plan_predict(layout, model);
}

static fv_status context_count_bytes(size_t *bytes, const context_layout *layout,
                                     const fv_model *model, bool can_train)
{
    size_t floats = 3 * CONTEXT_ALIGN, lists;
    bool fits = fvi_sum(&floats, floats, layout->activations) &&
                fvi_sum(&floats, floats, layout->gradients) &&
                fvi_sum(&floats, floats, layout->scratch) &&
                fvi_sum(&floats, floats, can_train ? model->trainable_floats : 0) &&
                fvi_mul(bytes, floats, sizeof(float)) && fvi_sum(bytes, *bytes, layout->states) &&
                fvi_mul(&lists, 3 * sizeof(void *) + sizeof(int) + 3 * sizeof(bool),
                        (size_t)model->n_nodes) &&
                fvi_sum(bytes, *bytes, lists);
    return fits ? FV_OK : fvi_fail(FV_E_SHAPE, "the model's activations are too many to count");
}

fv_status fvi_context_bytes(size_t *bytes, const fv_model *model, bool can_train)
{
    context_layout layout;
    fv_status status = context_layout_make(&layout, model, can_train);
    if (status == FV_OK) status = context_count_bytes(bytes, &layout, model, can_train);
    context_layout_free(&layout);
    return status;
}

/* ---- Making ---- */

static fv_status context_check_memory(const context_layout *layout, const fv_model *model,
                                      bool can_train)
{
    char need_text[32], limit_text[32];
    size_t need, limit = fvi_memory_limit();
    FVI_TRY(context_count_bytes(&need, layout, model, can_train));
    if (need <= limit) return FV_OK;
    return fvi_fail(FV_E_MEMORY, "a context needs %s for batches of %d, and %s may be used",
                    fvi_model_bytes_text(need_text, need), model->max_batch,
                    fvi_model_bytes_text(limit_text, limit));
}

/* Each block has a line to spare, so that a vector may read past the last number. */
static bool context_allocate(fv_context *context, const context_layout *layout)
{
    const fv_model *model = context->model;
    size_t n = (size_t)model->n_nodes, lists = (size_t)layout->most_inputs;
    context->y = fvi_alloc(n, sizeof *context->y, "activations");
    context->dy = fvi_alloc(n, sizeof *context->dy, "gradients");
    context->state = fvi_alloc(n, sizeof *context->state, "layer states");
    context->x = fvi_alloc(lists, sizeof *context->x, "inputs");
    context->dx = fvi_alloc(lists, sizeof *context->dx, "inputs");
    context->adds = fvi_alloc(lists, sizeof *context->adds, "inputs");
    context->root = fvi_alloc(n, sizeof *context->root, "a plan");
    context->masks = fvi_alloc(n, sizeof *context->masks, "a plan");
    context->is_masked = fvi_alloc(n, sizeof *context->is_masked, "a plan");
    context->is_begun = fvi_alloc(n, sizeof *context->is_begun, "a plan");
    context->activations =
        fvi_alloc(layout->activations + CONTEXT_ALIGN, sizeof(float), "activations");
    context->scratch = fvi_alloc(layout->scratch + CONTEXT_ALIGN, sizeof(float), "scratch");
    if (!context->y || !context->dy || !context->state || !context->x || !context->dx ||
        !context->adds || !context->root || !context->is_begun || !context->masks ||
        !context->is_masked || !context->activations || !context->scratch) {
        return false;
    }
    if (!context->can_train) return true;
    context->gradients = fvi_alloc(layout->gradients + CONTEXT_ALIGN, sizeof(float), "gradients");
    context->weight_gradients =
        fvi_alloc(model->trainable_floats + CONTEXT_ALIGN, sizeof(float), "weight gradients");
    context->states = fvi_alloc(layout->states, 1, "layer states");
    return context->gradients && context->weight_gradients && context->states;
}

/* Where the only reader of a ReLU's output can take that ReLU's gradient along, it does. */
static void context_find_masks(fv_context *context, const context_layout *layout)
{
    const fv_model *model = context->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (!node->op->can_mask || node->n_inputs != 1) continue;
        int from = layout->root[node->input[0]];
        const fvi_node *relu = &model->node[from];
        if (layout->readers[from] != 1 || !relu->op->is_clipped || !relu->op->is_clipped(relu)) {
            continue;
        }
        context->masks[i] = context->is_masked[from] = true;
    }
}

/* Pointers from offsets. The input and its views stay NULL: forward is given x. */
static void context_point(fv_context *context, const context_layout *layout)
{
    for (int i = 0; i < context->model->n_nodes; i++) {
        int root = context->root[i] = layout->root[i];
        if (layout->y[root] != CONTEXT_NONE) context->y[i] = context->activations + layout->y[root];
        if (layout->dy[root] != CONTEXT_NONE)
            context->dy[i] = context->gradients + layout->dy[root];
        if (layout->state[i] != CONTEXT_NONE)
            context->state[i] = context->states + layout->state[i];
    }
}

fv_status fvi_context_make(fv_context **out, const fv_model *model, int threads, bool can_train)
{
    *out = NULL;
    context_layout layout;
    fv_context *context = NULL;
    fv_status status = context_layout_make(&layout, model, can_train);
    if (status == FV_OK) status = context_check_memory(&layout, model, can_train);
    if (status == FV_OK) {
        context = fvi_alloc(1, sizeof *context, "a context");
        if (!context) status = FV_E_MEMORY;
    }
    if (status == FV_OK) {
        context->model = model;
        context->can_train = can_train;
        context->n = -1;
        status = fvi_threads_new(&context->threads, threads);
    }
    if (status == FV_OK && !context_allocate(context, &layout)) status = FV_E_MEMORY;
    if (status == FV_OK) {
        context_point(context, &layout);
        context_find_masks(context, &layout);
        *out = context;
    } else {
        fv_context_free(context);
    }
    context_layout_free(&layout);
    return status;
}

fv_status fv_context_new(fv_context **context, const fv_model *model)
{
    if (!context) return fvi_fail(FV_E_ARG, "fv_context_new: context is NULL");
    *context = NULL;
    if (!model) return fvi_fail(FV_E_ARG, "fv_context_new: model is NULL");
    if (!model->is_built) {
        return fvi_fail(FV_E_STATE, "fv_context_new: the model is not built; call fv_model_build");
    }
    return fvi_context_make(context, model, 1, false);
}

void fv_context_free(fv_context *context)
{
    if (!context) return;
    fvi_threads_free(context->threads);
    fvi_free(context->y);
    fvi_free(context->dy);
    fvi_free(context->state);
    fvi_free(context->x);
    fvi_free(context->dx);
    fvi_free(context->adds);
    fvi_free(context->root);
    fvi_free(context->is_begun);
    fvi_free(context->masks);
    fvi_free(context->is_masked);
    fvi_free(context->activations);
    fvi_free(context->gradients);
    fvi_free(context->scratch);
    fvi_free(context->weight_gradients);
    fvi_free(context->states);
    fvi_free(context);
}
