/* SPDX-License-Identifier: MIT */
/* Running a model: two loops over its layers, forward and backward, on one chunk of images; to predict, on
   several side by side. Nothing here fails or allocates. */
#include "model/model_run.h"

#include <stdatomic.h>
#include <string.h>

#define RUN_SPLIT 4e6 /* products of forward from which a run is worth waking threads */

static fv_activation_kind run_head(const fvi_node *node)
{
    return node->op->head ? node->op->head(node) : FV_LINEAR;
}

fv_activation_kind fv_model_head(const fv_model *model)
{
    return model && model->is_built ? run_head(&model->node[model->output]) : FV_LINEAR;
}

/* ---- One chunk: the two loops ---- */

/* Where weights move layer by layer, gradients lie among the activations, each list of them from the last
   weight's on: so a kernel, of which there may be a piece only, comes last. */
static float *run_own_gradients(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_layout *layout = &context->layout;
    const bool moves = layout->use == FVI_TRAIN && !context->sums && layout->block[id] == 0;
    return moves ? fvi_lane_gradients(context, lane, id) : NULL;
}

static void run_prepare_weights(fvi_run_call *call, const fv_context *context, const fvi_lane *lane,
                                int id)
{
    const fv_model *model = context->model;
    const fvi_node *node = &model->node[id];
    float *next = run_own_gradients(context, lane, id);
    for (int i = node->n_weights - 1; i >= 0; i--) {
        const fvi_weight *weight = &node->weight[i];
        call->w[i] = model->weights + weight->offset;
        call->dw[i] = NULL;
        if (weight->is_state) continue;
        if (next) {
            call->dw[i] = next;
            next += fvi_model_aligned(weight->count);
        } else if (lane->into) {
            call->dw[i] = lane->into + (weight->offset - lane->into_weight);
        }
    }
    const size_t folded = context->layout.folded[id];
    if (folded == FVI_NOWHERE) return;
    call->w[0] = context->folded + folded;
    call->run.bias = call->w[0] + node->weight[0].count;
}

void fvi_run_prepare(fvi_run_call *call, const fv_context *context, const fvi_lane *lane, int id,
                     bool is_back)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    const fvi_node *node = &model->node[id];
    for (int i = 0; i < node->n_inputs; i++) {
        lane->x[i] = fvi_lane_y(context, lane, node->input[i]);
        lane->dx[i] = fvi_lane_dy(context, lane, node->input[i]);
    }
    call->run = (fvi_run){
        .node = node,
        .k = model->kernels,
        .threads = lane->threads,
        .n = lane->n,
        .first = lane->first,
        .training = context->training,
        .logits = context->logits && id == model->output && run_head(node) != FV_LINEAR,
        .statistics = context->statistics,
        .seed = model->seed,
        .step = context->step,
        .node_id = id,
        .x = lane->x,
        .y = fvi_lane_y(context, lane, id),
        .w = call->w,
        .dy = fvi_lane_dy(context, lane, id),
        .dx = lane->dx,
        .adds = lane->adds,
        .masks = layout->masks[id],
        .is_masked = layout->is_masked[layout->home[id]],
        .clips = layout->clips[id],
        .most = layout->most[id],
        .residual = layout->adds[id] >= 0 ? fvi_lane_y(context, lane, layout->adds[id]) : NULL,
        .dw = call->dw,
        .state = context->training ? fvi_lane_state(context, lane, id) : NULL,
        .sums =
            layout->cuts[id] ? context->batch_sums + (size_t)lane->chunk * node->batch_sums : NULL,
        .scratch = lane->scratch};
    run_prepare_weights(call, context, lane, id);
    const int pool = layout->pool[id];
    if (pool < 0 || (!is_back && layout->home[pool] != layout->home[id])) return;
    call->pooled =
        (fvi_pooled){.pool = model->node[pool].geometry,
                     .dy = fvi_lane_dy(context, lane, pool),
                     .places = context->training ? fvi_lane_state(context, lane, pool) : NULL};
    call->run.pooled = &call->pooled;
    call->run.peaks = fvi_lane_peaks(context, lane, id);
}

/* What a node does in a segment, of which `first` is the first it is in; false: nothing. */
static bool run_turn(fvi_turn *turn, bool cuts, int segment, int first)
{
    *turn = !cuts ? FVI_ALL : segment == first ? FVI_SUM : FVI_APPLY;
    return segment >= first && segment <= first + cuts;
}

static void run_forward_node(const fv_context *context, fvi_lane *lane, int id, fvi_turn turn)
{
    fvi_run_call call;
    fvi_run_prepare(&call, context, lane, id, false);
    call.run.turn = turn;
    context->model->node[id].op->forward(&call.run);
}

void fvi_run_forward(const fv_context *context, fvi_lane *lane, int segment)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    for (int i = 0; i < model->n_nodes && layout->forth[i] <= segment && lane->n > 0; i++) {
        fvi_turn turn;
        if (layout->is_run[i] && run_turn(&turn, layout->cuts[i], segment, layout->forth[i]))
            run_forward_node(context, lane, i, turn);
    }
}

void fvi_run_again(const fv_context *context, fvi_lane *lane, int segment)
{
    const fvi_layout *layout = &context->layout;
    for (int i = 0; i < context->model->n_nodes; i++)
        if (layout->again[i] && layout->back[i] == segment)
            run_forward_node(context, lane, i, FVI_ALL);
}

/* Of a step that is not cut. */
static const float *run_forward(const fv_context *context, fvi_lane *lane, const float *x, int n)
{
    lane->input = x;
    lane->n = n;
    fvi_run_forward(context, lane, 0);
    return fvi_lane_y(context, lane, context->model->output);
}

/* The first reader of an array that runs writes its gradient, the others add theirs. */
static void run_prepare_gradients(const fv_context *context, const fvi_lane *lane, int id)
{
    const fvi_node *node = &context->model->node[id];
    for (int i = 0; i < node->n_inputs; i++) {
        const int home = context->layout.home[node->input[i]];
        lane->adds[i] = lane->is_begun[home];
        lane->is_begun[home] = true;
    }
}

/* A layer's gradients are used up as soon as they are there. */
static bool run_move(const fvi_run_call *call, const fvi_lesson *lesson, int first_weight)
{
    const fvi_node *node = call->run.node;
    bool is_good = true;
    for (int i = node->n_weights - 1; i >= first_weight && is_good; i--) {
        const fvi_weight *weight = &node->weight[i];
        if (!weight->is_state)
            is_good = lesson->move(lesson->user, weight->offset, weight->count, call->dw[i]);
    }
    return is_good;
}

/* And a large kernel's piece by piece. */
static bool run_backward_moving(fvi_run_call *call, const fvi_lesson *lesson)
{
    const fvi_node *node = call->run.node;
    const fvi_weight *kernel = &node->weight[0];
    if (!node->op->piece || call->run.pooled) {
        node->op->backward(&call->run);
        return run_move(call, lesson, 0);
    }
    const size_t columns = (size_t)kernel->shape.dim[kernel->shape.rank - 1];
    const size_t all = kernel->count / columns;
    for (size_t first = 0, rows; first < all; first += rows) {
        rows = node->op->piece(node, first);
        call->run.first_row = first;
        call->run.rows = rows;
        node->op->backward(&call->run);
        if ((first == 0 && !run_move(call, lesson, 1)) ||
            !lesson->move(lesson->user, kernel->offset + first * columns, rows * columns,
                          call->dw[0]))
            return false;
    }
    return true;
}

/* The gradients of one more chunk, where they have not been written into the sum. */
static void run_add(const fvi_lane *lane, const fvi_run_call *call)
{
    const fvi_node *node = call->run.node;
    for (int i = 0; i < node->n_weights && lane->sum != lane->into; i++) {
        const fvi_weight *weight = &node->weight[i];
        if (!weight->is_state && call->run.turn == FVI_ALL)
            call->run.k->add(weight->count, lane->sum + (call->dw[i] - lane->into), call->dw[i]);
    }
}

bool fvi_run_backward(const fv_context *context, fvi_lane *lane, int segment,
                      const fvi_lesson *lesson)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    fvi_run_call call;
    memset(lane->is_begun, 0, (size_t)model->n_nodes * sizeof *lane->is_begun);
    lane->is_begun[layout->home[model->output]] = true; /* the loss has written it */
    for (int i = model->n_nodes - 1; i >= 0 && layout->back[i] <= segment; i--) {
        fvi_turn turn;
        if (!layout->goes_back[i]) continue;
        if (lesson && layout->recall[i] >= 0 && layout->back[i] == segment)
            run_forward_node(context, lane, layout->recall[i], FVI_ALL);
        run_prepare_gradients(context, lane, i);
        if (!run_turn(&turn, layout->cuts[i], segment, layout->back[i])) continue;
        fvi_run_prepare(&call, context, lane, i, true);
        call.run.turn = turn;
        if (lesson) {
            if (!run_backward_moving(&call, lesson)) return false;
            continue;
        }
        model->node[i].op->backward(&call.run);
        run_add(lane, &call);
    }
    return true;
}

bool fvi_run_is_large(const fv_context *context, int n)
{
    return n * context->layout.products >= RUN_SPLIT;
}

void fvi_run_begin(fv_context *context, int n, bool training, bool logits, uint32_t step)
{
    context->n = n;
    context->training = training && context->layout.has_gradients;
    context->logits = logits;
    context->step = step;
    context->lane->threads = context->threads;
    context->lane->into = context->lane->sum = context->lane->gradients;
    context->lane->into_weight = 0;
    context->lane->first = 0;
}

const float *fvi_context_forward(fv_context *context, const float *x, int n, bool training,
                                 bool logits, uint32_t step)
{
    fvi_run_begin(context, n, training, logits, step);
    return run_forward(context, context->lane, x, n);
}

float *fvi_context_output_gradient(fv_context *context)
{
    return fvi_lane_dy(context, context->lane, context->model->output);
}

void fvi_context_backward(fv_context *context)
{
    fvi_run_backward(context, context->lane, 0, NULL);
}

int fvi_run_part(int n, int parts, int i)
{
    const int more = n % parts;
    return n / parts * i + (i < more ? i : more);
}

/* ---- Prediction ---- */

/* Weights may have changed since the last call. With y = conv(x, w) + b and z = y * scale + offset:
   z = conv(x, w * scale) + (b * scale + offset). */
static void run_fold(const fv_context *context)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    float *scale = context->folded + layout->folded_floats, *w[FVI_MAX_WEIGHTS];
    float *offset = scale + layout->fold_channels, *zeros = offset + layout->fold_channels;
    for (int i = 0; i < model->n_nodes; i++) {
        if (layout->norm[i] < 0) continue;
        const fvi_node *node = &model->node[i], *norm = &model->node[layout->norm[i]];
        const int channels = node->y_shape.dim[node->y_shape.rank - 1];
        const size_t count = node->weight[0].count;
        float *kernel = context->folded + layout->folded[i], *bias = kernel + count;
        for (int k = 0; k < norm->n_weights; k++)
            w[k] = model->weights + norm->weight[k].offset;
        norm->op->affine(norm, w, scale, offset);
        model->kernels->channel_affine(count / (size_t)channels, channels, kernel,
                                       model->weights + node->weight[0].offset, scale, zeros,
                                       false);
        const float *b = node->n_weights > 1 ? model->weights + node->weight[1].offset : zeros;
        model->kernels->channel_affine(1, channels, bias, b, scale, offset, false);
    }
}

/* Chunks side by side: each task takes the next chunk until there is none. */
typedef struct run_predict_job {
    const fv_context *context;
    float *y;
    const float *x;
    int n, chunks;
    atomic_int next;
} run_predict_job;

static void run_predict_task(void *user, size_t task)
{
    run_predict_job *job = user;
    const fv_context *context = job->context;
    const fv_model *model = context->model;
    const size_t in = fvi_image_floats(&model->node[model->input].y_shape);
    const size_t out = fvi_image_floats(&model->node[model->output].y_shape);
    for (;;) {
        const int chunk = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (chunk >= job->chunks) return;
        const size_t first = (size_t)fvi_run_part(job->n, job->chunks, chunk);
        const size_t n = (size_t)fvi_run_part(job->n, job->chunks, chunk + 1) - first;
        const float *y = run_forward(context, &context->lane[task], job->x + first * in, (int)n);
        memcpy(job->y + first * out, y, n * out * sizeof *y);
    }
}

static void run_predict_whole(void *user)
{
    run_predict_task(user, 0);
}

/* An image's result does not depend on its neighbours, so neither does it on how many are taken
   together. */
void fvi_context_predict(fv_context *context, float *y, const float *x, int n, bool logits)
{
    run_predict_job job = {.context = context,
                           .y = y,
                           .x = x,
                           .n = n,
                           .chunks = fvi_layout_chunks(&context->layout, n)};
    const bool is_large = fvi_run_is_large(context, n);
    int tasks = 1;
    if (n == 0) return;
    fvi_run_begin(context, n, false, logits, 0);
    if (context->folded) run_fold(context);
    atomic_init(&job.next, 0);
    if (context->lanes > 1 && n > 1 && is_large) {
        const int most = n < context->lanes ? n : context->lanes;
        if (job.chunks < most) job.chunks = most;
        tasks = most;
    }
    for (int i = 0; i < tasks && tasks > 1; i++)
        context->lane[i].threads = NULL;
    if (tasks > 1)
        fvi_parallel_for(context->threads, (size_t)tasks, run_predict_task, &job);
    else
        fvi_together(is_large ? context->threads : NULL, run_predict_whole, &job);
}
