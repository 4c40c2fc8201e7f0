/* SPDX-License-Identifier: MIT */
/* Contexts: the memory of a layout, once or once for each of the chunks that run side by side. */
#include "model/model_internal.h"

#define CONTEXT_ALIGN 16 /* floats: 64 bytes */
/* Floats of a chunk above which layers share threads, instead of chunks having one each. */
#define CONTEXT_LANE ((size_t)1024 * 1024)
#define CONTEXT_LANES ((size_t)32 * 1024 * 1024) /* floats that all lanes may have */

/* What is allocated, in floats but for the states' bytes. */
typedef struct context_sizes {
    int lanes, guests; /* a guest's floats and gradients are not its own but the batch's */
    size_t floats, gradients, states, folded, sums, lists; /* lists: bytes of all others */
    size_t batch, batch_states, batch_sums;                /* batch_sums: doubles */
} context_sizes;

/* Sums of gradients: of as many parts as the largest batch has. */
static int context_parts(const fvi_layout *layout, const fv_model *model)
{
    if (layout->use != FVI_TRAIN || !layout->is_chunked) return 0;
    const int chunks = fvi_layout_chunks(layout, model->max_batch);
    return chunks < FVI_PARTS ? chunks : FVI_PARTS;
}

/* Gradients of all weights, or of those of a block. */
static size_t context_gradients(const fvi_layout *layout, const fv_model *model)
{
    size_t most = 0;
    if (!layout->has_gradients) return 0;
    if (layout->use == FVI_LOOK || layout->is_chunked) return model->trainable_floats;
    for (int i = 1; i <= layout->blocks; i++)
        if (layout->block_list[i].weights > most) most = layout->block_list[i].weights;
    return most;
}

/* How many chunks are run side by side. */
static int context_lanes(const context_sizes *sizes, const fvi_layout *layout,
                         const fv_model *model, int threads)
{
    const int parts = context_parts(layout, model);
    const size_t lane = sizes->floats + layout->scratch + sizes->gradients;
    const size_t most = lane < CONTEXT_LANES ? CONTEXT_LANES / (lane + 1) + 1 : 1;
    int lanes = 1;
    if (layout->use == FVI_PREDICT && sizes->floats <= CONTEXT_LANE) lanes = threads;
    if (parts > 0) lanes = threads < parts ? threads : parts;
    if (layout->blocks > 0) { /* chunks keep all threads busy, or their layers do */
        const bool is_enough = fvi_layout_chunks(layout, model->max_batch) >= threads;
        return is_enough && (size_t)threads <= most ? threads : 1;
    }
    return (size_t)lanes < most ? lanes : (int)most;
}

static fv_status context_measure(context_sizes *sizes, const fvi_layout *layout,
                                 const fv_model *model, int threads)
{
    const int parts = context_parts(layout, model);
    const size_t n = (size_t)model->n_nodes;
    *sizes = (context_sizes){.guests = layout->blocks > 0,
                             .floats = layout->floats * (size_t)layout->chunk, /* it fits */
                             .gradients = context_gradients(layout, model)};
    sizes->lanes = context_lanes(sizes, layout, model, threads);
    *(layout->segments > 1 ? &sizes->batch_states : &sizes->states) = layout->states;
    if (layout->folded_floats > 0)
        sizes->folded = layout->folded_floats + 3 * layout->fold_channels;
    bool fits = fvi_mul(&sizes->lists, n, 17 * sizeof(int) + 11 * sizeof(size_t));
    if (layout->segments > 1)
        fits = fits && fvi_mul(&sizes->batch, layout->batch_floats, (size_t)model->max_batch) &&
               fvi_sum(&sizes->batch, sizes->batch, CONTEXT_ALIGN) &&
               fvi_mul(&sizes->batch_sums, layout->batch_sums,
                       (size_t)fvi_layout_chunks(layout, model->max_batch));
    if (parts > 0)
        fits = fits && fvi_mul(&sizes->sums, model->trainable_floats, (size_t)parts) &&
               fvi_sum(&sizes->sums, sizes->sums, CONTEXT_ALIGN);
    return fits ? FV_OK : fvi_fail(FV_E_SHAPE, "the model's gradients are too many to count");
}

static fv_status context_count(size_t *bytes, const context_sizes *sizes, const fvi_layout *layout)
{
    const size_t lanes = (size_t)sizes->lanes, owners = (size_t)(sizes->lanes - sizes->guests);
    size_t own = 2 * CONTEXT_ALIGN, all = 2 * CONTEXT_ALIGN, once = 2 * CONTEXT_ALIGN;
    bool fits = fvi_sum(&own, own, sizes->floats) && fvi_sum(&own, own, sizes->gradients) &&
                fvi_mul(&own, own, owners * sizeof(float)) && fvi_sum(&all, all, layout->scratch) &&
                fvi_mul(&all, all, sizeof(float)) && fvi_sum(&all, all, sizes->states) &&
                fvi_mul(&all, all, lanes) && fvi_sum(&once, once, sizes->folded) &&
                fvi_sum(&once, once, sizes->sums) && fvi_sum(&once, once, sizes->batch) &&
                fvi_sum(&once, once, sizes->batch_sums) &&
                fvi_sum(&once, once, sizes->batch_sums) && fvi_mul(&once, once, sizeof(float)) &&
                fvi_sum(&once, once, sizes->batch_states) && fvi_sum(&once, once, sizes->lists) &&
                fvi_sum(&all, all, own) && fvi_sum(bytes, all, once);
    return fits ? FV_OK : fvi_fail(FV_E_SHAPE, "the model's activations are too many to count");
}

fv_status fvi_context_bytes(size_t *bytes, const fv_model *model, fvi_use use)
{
    fvi_layout layout;
    context_sizes sizes;
    fv_status status = fvi_layout_make(&layout, model, use);
    if (status == FV_OK) status = context_measure(&sizes, &layout, model, model->threads);
    if (status == FV_OK) status = context_count(bytes, &sizes, &layout);
    fvi_layout_free(&layout);
    return status;
}

/* ---- Making ---- */

static fv_status context_check_memory(const context_sizes *sizes, const fv_context *context)
{
    char need_text[32], limit_text[32];
    size_t need, limit = fvi_memory_limit();
    FVI_TRY(context_count(&need, sizes, &context->layout));
    if (need <= limit) return FV_OK;
    return fvi_fail(FV_E_MEMORY, "a context needs %s for batches of %d, and %s may be used",
                    fvi_model_bytes_text(need_text, need), context->model->max_batch,
                    fvi_model_bytes_text(limit_text, limit));
}

/* Each array has a line to spare, so that a vector may read past the last number. */
static bool context_allocate_lane(fvi_lane *lane, const context_sizes *sizes,
                                  const fvi_layout *layout, size_t n, bool is_guest)
{
    const size_t lists = (size_t)layout->most_inputs;
    lane->scratch = fvi_alloc_sparse(layout->scratch + CONTEXT_ALIGN, sizeof(float), "scratch");
    lane->x = fvi_alloc(lists, sizeof *lane->x, "inputs");
    lane->dx = fvi_alloc(lists, sizeof *lane->dx, "inputs");
    lane->adds = fvi_alloc(lists, sizeof *lane->adds, "inputs");
    lane->is_begun = fvi_alloc(n, sizeof *lane->is_begun, "a plan");
    if (!lane->scratch || !lane->x || !lane->dx || !lane->adds || !lane->is_begun) return false;
    if (!is_guest) {
        lane->floats = fvi_alloc(sizes->floats + CONTEXT_ALIGN, sizeof(float), "activations");
        if (!lane->floats) return false;
    }
    if (!is_guest && sizes->gradients > 0) {
        lane->gradients =
            fvi_alloc(sizes->gradients + CONTEXT_ALIGN, sizeof(float), "weight gradients");
        if (!lane->gradients) return false;
    }
    if (!layout->has_gradients) return true;
    lane->states = fvi_alloc(sizes->states, 1, "layer states");
    return lane->states != NULL;
}

static fv_status context_allocate(fv_context *context, const context_sizes *sizes)
{
    bool is_made = true;
    context->lane = fvi_alloc((size_t)sizes->lanes, sizeof *context->lane, "a context");
    if (!context->lane) return FV_E_MEMORY;
    for (; is_made && context->lanes < sizes->lanes; context->lanes++)
        is_made =
            context_allocate_lane(&context->lane[context->lanes], sizes, &context->layout,
                                  (size_t)context->model->n_nodes, context->lanes < sizes->guests);
    if (is_made && sizes->folded > 0)
        is_made = (context->folded = fvi_alloc(sizes->folded, sizeof(float), "weights")) != NULL;
    if (is_made && sizes->sums > 0)
        is_made =
            (context->sums = fvi_alloc(sizes->sums, sizeof(float), "weight gradients")) != NULL;
    if (is_made && context->layout.segments > 1) {
        context->batch = fvi_alloc(sizes->batch, sizeof(float), "activations");
        context->states = fvi_alloc(sizes->batch_states, 1, "layer states");
        context->batch_sums = fvi_alloc(sizes->batch_sums, sizeof(double), "sums");
        is_made = context->batch && context->states && context->batch_sums;
    }
    return is_made ? FV_OK : FV_E_MEMORY;
}

fv_status fvi_context_make(fv_context **out, const fv_model *model, fvi_threads *threads,
                           fvi_use use)
{
    *out = NULL;
    context_sizes sizes;
    fv_context *context = fvi_alloc(1, sizeof *context, "a context");
    if (!context) return FV_E_MEMORY;
    context->model = model;
    context->threads = threads;
    context->n = -1;
    fv_status status = fvi_layout_make(&context->layout, model, use);
    if (status == FV_OK)
        status = context_measure(&sizes, &context->layout, model, fvi_threads_count(threads));
    if (status == FV_OK) status = context_check_memory(&sizes, context);
    if (status == FV_OK) status = context_allocate(context, &sizes);
    if (status == FV_OK)
        *out = context;
    else
        fv_context_free(context);
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
    return fvi_context_make(context, model, NULL, FVI_PREDICT);
}

void fv_context_free(fv_context *context)
{
    if (!context) return;
    for (int i = 0; i < context->lanes; i++) {
        fvi_lane *lane = &context->lane[i];
        fvi_free(lane->floats);
        fvi_free(lane->scratch);
        fvi_free(lane->states);
        fvi_free(lane->gradients);
        fvi_free(lane->x);
        fvi_free(lane->dx);
        fvi_free(lane->adds);
        fvi_free(lane->is_begun);
    }
    fvi_free(context->lane);
    fvi_free(context->batch);
    fvi_free(context->states);
    fvi_free(context->batch_sums);
    fvi_free(context->folded);
    fvi_free(context->sums);
    fvi_layout_free(&context->layout);
    fvi_free(context);
}

/* ---- Where a node's arrays lie ---- */

/* At so many floats of an image in a lane's own memory, or in the batch's. */
static float *context_array(const fv_context *context, const fvi_lane *lane, int home, size_t at,
                            bool crosses)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    const size_t batch = (size_t)model->max_batch;
    if (at == FVI_NOWHERE) return NULL;
    if (crosses)
        return context->batch + at * batch +
               (size_t)lane->first * fvi_image_floats(&model->node[home].y_shape);
    float *own = lane->floats;
    if (!own) own = context->batch + layout->block_list[layout->block[home]].at * batch;
    return own + at * (size_t)layout->chunk;
}

float *fvi_lane_y(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_layout *layout = &context->layout;
    const int home = layout->home[id];
    if (home == context->model->input) return (float *)lane->input; /* no op writes its input */
    return context_array(context, lane, home, layout->y[home], layout->y_crosses[home]);
}

float *fvi_lane_dy(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_layout *layout = &context->layout;
    const int home = layout->home[id];
    return context_array(context, lane, home, layout->dy[home], layout->dy_crosses[home]);
}

/* In the place of its own output, which there is not. */
float *fvi_lane_peaks(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_layout *layout = &context->layout;
    const int home = layout->home[id];
    if (home == id) return NULL;
    return context_array(context, lane, home, layout->y[id], layout->y_crosses[id]);
}

void *fvi_lane_state(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_layout *layout = &context->layout;
    if (layout->state[id] == FVI_NOWHERE) return NULL;
    if (layout->segments == 1) return lane->states + layout->state[id];
    return context->states + layout->state[id] +
           (size_t)lane->first * context->model->node[id].state_per_image;
}

float *fvi_lane_gradients(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_layout *layout = &context->layout;
    float *floats = layout->blocks > 0 ? context->batch : lane->floats;
    return floats + layout->gradients[id] * (size_t)context->model->max_batch;
}
