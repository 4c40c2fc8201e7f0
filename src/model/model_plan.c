/* SPDX-License-Identifier: MIT */
/* The plan: every shape, a place for every weight, the limit on memory; then weights from a
   seed. */
#include "model/model_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLAN_ALIGN 16      /* floats: 64 bytes, a cache line and the widest vector */
#define PLAN_SIZES_SHOWN 8 /* layers named in an error about shapes */

/* ---- Shapes ---- */

/* Append the sizes on the way to a layer to the present message: who is 40 layers deep wants to see
   where the pixels went. */
static fv_status plan_fail_sizes(const fv_model *model, int id, fv_status status)
{
    int path[PLAN_SIZES_SHOWN], n = 0;
    char text[512], name[FVI_SAFE_TEXT], shape[FVI_SHAPE_TEXT];
    int at = id;
    while (n < PLAN_SIZES_SHOWN && model->node[at].n_inputs > 0) {
        at = model->node[at].input[0];
        path[n++] = at;
    }
    if (n < 2) return status; /* the message itself names the input */
    size_t used = 0;
    text[0] = '\0';
    for (int i = n - 1; i >= 0 && used < sizeof text; i--) {
        const fvi_node *node = &model->node[path[i]];
        int more = snprintf(text + used, sizeof text - used, "%s%s %s", i == n - 1 ? "" : ", ",
                            fvi_safe(name, node->name), fvi_shape_text(shape, &node->y_shape));
        used += more > 0 ? (size_t)more : 0;
    }
    return fvi_fail(status, "%s (sizes before it: %s%s)", fv_error(),
                    model->node[at].n_inputs > 0 ? "..., " : "", text);
}

static fv_status plan_infer(fv_model *model, int id, const fvi_setup *setup)
{
    fvi_node *node = &model->node[id];
    if (!node->x_shape) {
        node->x_shape = fvi_alloc((size_t)node->n_inputs, sizeof *node->x_shape, "shapes");
        if (!node->x_shape) return FV_E_MEMORY;
    }
    for (int i = 0; i < node->n_inputs; i++) {
        node->x_shape[i] = model->node[node->input[i]].y_shape;
    }
    /* A build that failed may have come this far: begin again. */
    fvi_free(node->geometry);
    node->geometry = NULL;
    memset(node->weight, 0, sizeof node->weight);
    node->n_weights = 0;
    node->state_per_image = node->state_fixed = node->scratch_floats = 0;
    size_t floats, all;
    fv_status status = node->op->infer(node, setup);
    if (status == FV_OK) status = fvi_shape_count(&floats, &node->y_shape);
    if (status == FV_OK && !fvi_mul(&all, floats, (size_t)setup->max_batch * sizeof(float))) {
        status = fvi_fail(FV_E_SHAPE, "a batch of %d outputs is too large", setup->max_batch);
    }
    if (status == FV_OK || status == FV_E_MEMORY) return status;
    char safe[FVI_SAFE_TEXT];
    fvi_fail_in(status, "%s \"%s\"", node->op->name, fvi_safe(safe, node->name));
    return status == FV_E_SHAPE ? plan_fail_sizes(model, id, status) : status;
}

/* ---- Weights ---- */

/* Give each weight of one kind its offset; each array begins at a multiple of 64 bytes, and the
   padding between is never written, so that one loop over the block may take it along. */
static bool plan_place(fv_model *model, bool is_state, size_t *total)
{
    for (int i = 0; i < model->n_nodes; i++) {
        fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++) {
            fvi_weight *weight = &node->weight[k];
            size_t padded;
            if (weight->is_state != is_state) continue;
            weight->offset = *total;
            if (!fvi_sum(&padded, weight->count, PLAN_ALIGN - 1)) return false;
            if (!fvi_sum(total, *total, padded - padded % PLAN_ALIGN)) return false;
        }
    }
    return true;
}

size_t fvi_model_gradients(const fvi_node *node)
{
    size_t floats = 0;
    for (int i = 0; i < node->n_weights; i++)
        if (!node->weight[i].is_state) floats += fvi_model_aligned(node->weight[i].count);
    return floats;
}

const char *fvi_model_bytes_text(char out[32], size_t bytes)
{
    static const char *const unit[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    size_t tenths = bytes / 100, i = 0;
    for (; tenths >= 10000; i++) {
        tenths /= 1000;
    }
    snprintf(out, 32, "%zu.%zu %s", tenths / 10, tenths % 10, unit[i]);
    return out;
}

/* All that the model will need to predict and to be trained, against what may be had, before any of
   it is. */
static fv_status plan_check_memory(const fv_model *model)
{
    char need_text[32], limit_text[32];
    size_t need, training = 0, weights, limit = fvi_memory_limit();
    FVI_TRY(fvi_context_bytes(&need, model, FVI_PREDICT));
    if (!model->without_training) FVI_TRY(fvi_context_bytes(&training, model, FVI_TRAIN));
    if (!fvi_mul(&weights, model->weight_floats, sizeof(float)) || !fvi_sum(&need, need, weights) ||
        !fvi_sum(&need, need, training)) {
        return fvi_fail(FV_E_SHAPE, "the model's weights are too many to count");
    }
    if (need <= limit) return FV_OK;
    return fvi_fail(FV_E_MEMORY,
                    "the model needs %s for batches of %d, and %s may be used; take smaller "
                    "batches, images or layers",
                    fvi_model_bytes_text(need_text, need), model->max_batch,
                    fvi_model_bytes_text(limit_text, limit));
}

/* As soon as the weights so far are too many: planning the layers behind would only take time. */
static fv_status plan_check_weights(const fv_model *model, int id, size_t *bytes)
{
    char need_text[32], limit_text[32], safe[FVI_SAFE_TEXT];
    const fvi_node *node = &model->node[id];
    const size_t limit = fvi_memory_limit();
    for (int i = 0; i < node->n_weights; i++) {
        size_t more;
        if (!fvi_mul(&more, node->weight[i].count, sizeof(float)) || !fvi_sum(bytes, *bytes, more))
            return fvi_fail(FV_E_SHAPE, "the model's weights are too many to count");
    }
    if (*bytes <= limit) return FV_OK;
    return fvi_fail(FV_E_MEMORY,
                    "the model needs %s for the weights up to layer \"%s\", and %s may be used; "
                    "take smaller images or layers",
                    fvi_model_bytes_text(need_text, *bytes), fvi_safe(safe, node->name),
                    fvi_model_bytes_text(limit_text, limit));
}

fv_status fvi_model_plan(fv_model *model)
{
    fvi_setup setup = {.kernels = model->kernels, .max_batch = model->max_batch};
    size_t bytes = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        FVI_TRY(plan_infer(model, i, &setup));
        FVI_TRY(plan_check_weights(model, i, &bytes));
    }
    size_t total = 0;
    bool fits = plan_place(model, false, &total);
    model->trainable_floats = total;
    if (!fits || !plan_place(model, true, &total)) {
        return fvi_fail(FV_E_SHAPE, "the model's weights are too many to count");
    }
    model->weight_floats = total;
    return plan_check_memory(model);
}

fv_status fvi_model_allocate(fv_model *model)
{
    /* The extra line lets a vector read past the last weight. */
    float *weights = fvi_alloc(model->weight_floats + PLAN_ALIGN, sizeof *weights, "weights");
    if (!weights) return FV_E_MEMORY;
    model->weights = weights;
    fv_status status = fvi_threads_new(&model->pool, model->threads);
    if (status == FV_OK)
        status = fvi_context_make(&model->context, model, model->pool, FVI_PREDICT);
    if (status != FV_OK) {
        fvi_threads_free(model->pool);
        model->pool = NULL;
        model->weights = NULL;
        fvi_free(weights);
        return status;
    }
    model->is_built = true;
    return FV_OK;
}

/* ---- First values ---- */

/* A normal number not beyond two deviations, scaled so that its deviation is 1 after the cut. The
   tries of element i are the numbers i, i + count, i + 2 count, ... of its stream. */
static double plan_truncated_normal(uint64_t seed, uint32_t stream, size_t i, size_t count)
{
    const double deviation = 0.87962566103423978;
    double value = 0;
    for (uint64_t attempt = 0; attempt < 64; attempt++) {
        value = fvi_rng_normal(seed, FVI_RNG_INIT, stream, i + attempt * count);
        if (fabs(value) <= 2) return value / deviation;
    }
    return 0; /* once in 10^85 */
}

static void plan_init(float *w, const fvi_weight *weight, uint64_t seed, uint32_t stream)
{
    double fan_in = weight->fan_in < 1 ? 1 : weight->fan_in;
    double fans = fan_in + (weight->fan_out < 1 ? 1 : weight->fan_out);
    double uniform = 0, normal = 0, constant = 0;
    switch (weight->initializer) {
    case FV_INITIALIZER_DEFAULT:
    case FV_GLOROT_UNIFORM:
        uniform = sqrt(6 / fans);
        break;
    case FV_GLOROT_NORMAL:
        normal = sqrt(2 / fans);
        break;
    case FV_HE_UNIFORM:
        uniform = sqrt(6 / fan_in);
        break;
    case FV_HE_NORMAL:
        normal = sqrt(2 / fan_in);
        break;
    case FV_ZEROS:
        break;
    case FV_ONES:
        constant = 1;
        break;
    }
    for (size_t i = 0; i < weight->count; i++) {
        double value = constant;
        if (uniform > 0) {
            value = uniform * (2 * fvi_rng_uniform(seed, FVI_RNG_INIT, stream, i) - 1);
        } else if (normal > 0) {
            value = normal * plan_truncated_normal(seed, stream, i, weight->count);
        }
        w[i] = (float)value;
    }
}

void fvi_model_init_weights(fv_model *model)
{
    uint32_t stream = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++) {
            plan_init(model->weights + node->weight[k].offset, &node->weight[k], model->seed,
                      stream++);
        }
    }
}
