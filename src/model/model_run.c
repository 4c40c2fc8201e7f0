/* SPDX-License-Identifier: MIT */
/* Running a model: two loops over its layers, forward and backward, on one chunk of images or on
   several side by side. Nothing here fails or allocates. */
#include "model/model_internal.h"

#include <stdatomic.h>
#include <string.h>

#define RUN_SPLIT 4e6 /* products of forward from which a run is worth waking threads */

/* One call of an op, with room for what it points at. */
typedef struct run_call {
    fvi_run run;
    fvi_pooled pooled;
    float *w[FVI_MAX_WEIGHTS], *dw[FVI_MAX_WEIGHTS];
} run_call;

static fv_activation_kind run_head(const fvi_node *node)
{
    return node->op->head ? node->op->head(node) : FV_LINEAR;
}

fv_activation_kind fv_model_head(const fv_model *model)
{
    return model && model->is_built ? run_head(&model->node[model->output]) : FV_LINEAR;
}

/* ---- One chunk: the two loops ---- */

static bool run_is_layerwise(const fv_context *context)
{
    return context->layout.use == FVI_TRAIN && !context->sums;
}

static void run_prepare_weights(run_call *call, const fv_context *context, const fvi_lane *lane,
                                int id)
{
    const fv_model *model = context->model;
    const fvi_node *node = &model->node[id];
    /* Layer by layer kernels, of which there may be a piece only, come last. */
    size_t next = context->layout.gradients[id];
    for (int i = node->n_weights - 1; i >= 0; i--) {
        const fvi_weight *weight = &node->weight[i];
        const bool has_gradient = lane->into && !weight->is_state;
        const size_t at = run_is_layerwise(context) ? next : weight->offset;
        call->w[i] = model->weights + weight->offset;
        call->dw[i] = has_gradient ? lane->into + at : NULL;
        if (has_gradient) next += fvi_model_aligned(weight->count);
    }
    const size_t folded = context->layout.folded[id];
    if (folded == FVI_NOWHERE) return;
    call->w[0] = context->folded + folded;
    call->run.bias = call->w[0] + node->weight[0].count;
}

static void run_prepare(run_call *call, const fv_context *context, const fvi_lane *lane, int id,
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
    run_call call;
    run_prepare(&call, context, lane, id, false);
    call.run.turn = turn;
    context->model->node[id].op->forward(&call.run);
}

static void run_forward_segment(const fv_context *context, fvi_lane *lane, int segment)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    for (int i = 0; i < model->n_nodes && layout->forth[i] <= segment && lane->n > 0; i++) {
        fvi_turn turn;
        if (layout->is_run[i] && run_turn(&turn, layout->cuts[i], segment, layout->forth[i]))
            run_forward_node(context, lane, i, turn);
    }
}

/* What the block that goes back in this segment did not keep. */
static void run_again(const fv_context *context, fvi_lane *lane, int segment)
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
    run_forward_segment(context, lane, 0);
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

/* A layer's gradients are used up as soon as they are there, if they have no place of their own. */
static bool run_move(const run_call *call, const fvi_lesson *lesson, int first_weight)
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
static bool run_backward_moving(run_call *call, const fvi_lesson *lesson)
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
static void run_add(const fvi_lane *lane, const run_call *call)
{
    const fvi_node *node = call->run.node;
    for (int i = 0; i < node->n_weights && lane->sum != lane->into; i++) {
        const fvi_weight *weight = &node->weight[i];
        if (!weight->is_state && call->run.turn == FVI_ALL)
            call->run.k->add(weight->count, lane->sum + (call->dw[i] - lane->into), call->dw[i]);
    }
}

/* A node of a block: its weights move when the last chunk's gradients are there. */
static bool run_backward_adding(fvi_lane *lane, run_call *call, const fvi_lesson *lesson)
{
    call->run.node->op->backward(&call->run);
    run_add(lane, call);
    if (!lesson) return true;
    for (int i = 0; i < call->run.node->n_weights; i++)
        if (call->dw[i]) call->dw[i] = lane->sum + (call->dw[i] - lane->into);
    return run_move(call, lesson, 0);
}

/* With a lesson weights move layer by layer. */
static bool run_backward_segment(const fv_context *context, fvi_lane *lane, int segment,
                                 const fvi_lesson *lesson)
{
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    run_call call;
    memset(lane->is_begun, 0, (size_t)model->n_nodes * sizeof *lane->is_begun);
    lane->is_begun[layout->home[model->output]] = true; /* the loss has written it */
    for (int i = model->n_nodes - 1; i >= 0 && layout->back[i] <= segment; i--) {
        fvi_turn turn;
        if (!layout->goes_back[i]) continue;
        if (lesson && layout->recall[i] >= 0 && layout->back[i] == segment)
            run_forward_node(context, lane, layout->recall[i], FVI_ALL);
        run_prepare_gradients(context, lane, i);
        if (!run_turn(&turn, layout->cuts[i], segment, layout->back[i])) continue;
        run_prepare(&call, context, lane, i, true);
        call.run.turn = turn;
        const bool is_alone = lesson && layout->block[i] == 0;
        if (!(is_alone ? run_backward_moving(&call, lesson)
                       : run_backward_adding(lane, &call, lesson)))
            return false;
    }
    return true;
}

static void run_begin(fv_context *context, int n, bool training, bool logits, uint32_t step)
{
    context->n = n;
    context->training = training && context->layout.has_gradients;
    context->logits = logits;
    context->step = step;
    context->lane->threads = context->threads;
    context->lane->into = context->lane->sum = context->lane->gradients;
    context->lane->first = 0;
}

float *fvi_context_output_gradient(fv_context *context)
{
    return fvi_lane_dy(context, context->lane, context->model->output);
}

void fvi_context_backward(fv_context *context)
{
    run_backward_segment(context, context->lane, 0, NULL);
}

/* Image number i of n images is the first of part number i of so many. */
static int run_part(int n, int parts, int i)
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
        const size_t first = (size_t)run_part(job->n, job->chunks, chunk);
        const size_t n = (size_t)run_part(job->n, job->chunks, chunk + 1) - first;
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
    const bool is_large = n * context->layout.products >= RUN_SPLIT;
    int tasks = 1;
    if (n == 0) return;
    run_begin(context, n, false, logits, 0);
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

/* ---- Training ---- */

/* The batch's chunks in FVI_PARTS parts, or fewer; who runs a part does not matter. */
typedef struct run_train_job {
    fv_context *context;
    const fvi_lesson *lesson; /* NULL: forward only */
    const float *x;
    int n, chunks, parts, tasks, segment;
    atomic_bool is_taken[FVI_PARTS]; /* a part, in the present segment */
    bool is_good;
} run_train_job;

/* Images [first, last) of the batch. */
static void run_take(fvi_lane *lane, const run_train_job *job, int first, int last)
{
    const fv_model *model = job->context->model;
    lane->first = first;
    lane->n = last - first;
    lane->input = job->x + (size_t)first * fvi_image_floats(&model->node[model->input].y_shape);
}

/* Images [first, last) of chunk number `chunk` in the present segment. */
static void run_train_images(const run_train_job *job, fvi_lane *lane, int part, int chunk,
                             int first, int last)
{
    const fv_context *context = job->context;
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    const fvi_lesson *lesson = job->lesson;
    run_take(lane, job, first, last);
    lane->chunk = chunk;
    run_forward_segment(context, lane, job->segment);
    if (!lesson || job->segment < layout->turn) return;
    if (job->segment == layout->turn)
        lesson->loss(lesson->user, part, fvi_lane_dy(context, lane, model->output),
                     fvi_lane_y(context, lane, model->output), lane->first, lane->n);
    run_backward_segment(context, lane, job->segment, NULL);
}

/* A part's chunks, in their order; the sum of their gradients. */
static void run_train_part(const run_train_job *job, fvi_lane *lane, int part)
{
    const int begin = run_part(job->chunks, job->parts, part);
    const int end = run_part(job->chunks, job->parts, part + 1);
    lane->sum = job->context->sums + (size_t)part * job->context->model->trainable_floats;
    for (int chunk = begin; chunk < end; chunk++) {
        lane->into = chunk == begin ? lane->sum : lane->gradients;
        run_train_images(job, lane, part, chunk, run_part(job->n, job->chunks, chunk),
                         run_part(job->n, job->chunks, chunk + 1));
    }
}

/* Each begins where it began in the segment before, since what it left there is still near. */
static void run_train_task(void *user, size_t task)
{
    run_train_job *job = user;
    const int begin = run_part(job->parts, job->tasks, (int)task);
    for (int i = 0; i < job->parts; i++) {
        const int part = (begin + i) % job->parts;
        if (!atomic_exchange_explicit(&job->is_taken[part], true, memory_order_relaxed))
            run_train_part(job, &job->context->lane[task], part);
    }
}

/* The layer that cut the present segment off, now that all chunks are there. */
static void run_settle(const run_train_job *job)
{
    const fv_context *context = job->context;
    const fvi_layout *layout = &context->layout;
    const bool is_back = job->segment >= layout->turn;
    run_call call;
    fvi_lane *lane = context->lane;
    lane->first = 0;
    lane->n = job->n;
    lane->chunk = 0;
    lane->into = context->sums;
    for (int i = 0; i < context->model->n_nodes; i++) {
        if (!layout->cuts[i] || (is_back && !layout->goes_back[i]) ||
            (is_back ? layout->back : layout->forth)[i] != job->segment)
            continue;
        run_prepare(&call, context, lane, i, is_back);
        call.run.turn = FVI_SETTLE;
        call.run.chunks = layout->runs_whole[job->segment] ? 1 : job->chunks;
        (is_back ? call.run.node->op->backward : call.run.node->op->forward)(&call.run);
    }
}

static void run_train_segments(run_train_job *job)
{
    fv_context *context = job->context;
    const fvi_layout *layout = &context->layout;
    const int end = job->lesson ? layout->segments : layout->turn + 1;
    job->chunks = fvi_layout_chunks(layout, job->n);
    job->parts = job->chunks < FVI_PARTS ? job->chunks : FVI_PARTS;
    job->tasks = job->parts < context->lanes ? job->parts : context->lanes;
    for (job->segment = 0; job->segment < end; job->segment++) {
        const bool is_whole = layout->runs_whole[job->segment];
        for (int i = 0; i < job->tasks; i++)
            context->lane[i].threads = job->tasks > 1 && !is_whole ? NULL : context->threads;
        if (is_whole) {
            context->lane->into = context->lane->sum = context->sums;
            run_train_images(job, context->lane, 0, 0, 0, job->n);
        } else {
            for (int part = 0; part < job->parts; part++)
                atomic_store_explicit(&job->is_taken[part], false, memory_order_relaxed);
            fvi_parallel_for(context->threads, (size_t)job->tasks, run_train_task, job);
        }
        if (job->segment < end - 1) run_settle(job);
    }
}

/* The other parts' sums to the first's, of the layers that were run in parts. */
static void run_train_combine(const run_train_job *job)
{
    const fv_context *context = job->context;
    const fv_model *model = context->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (!context->layout.goes_back[i] || context->layout.is_whole[i] || context->layout.cuts[i])
            continue;
        for (int k = 0; k < node->n_weights; k++) {
            const fvi_weight *weight = &node->weight[k];
            float *sum = context->sums + weight->offset;
            for (int part = 1; part < job->parts && !weight->is_state; part++)
                model->kernels->add(weight->count, sum,
                                    sum + (size_t)part * model->trainable_floats);
        }
    }
}

static bool run_train_chunks(run_train_job *job)
{
    const fv_context *context = job->context;
    const fv_model *model = context->model;
    const fvi_lesson *lesson = job->lesson;
    run_train_segments(job);
    if (!lesson->is_good(lesson->user)) return false;
    run_train_combine(job);
    return lesson->move(lesson->user, 0, model->trainable_floats, context->sums);
}

/* Layer by layer, so that gradients need little room. */
static bool run_train_layers(const run_train_job *job)
{
    fv_context *context = job->context;
    const fvi_layout *layout = &context->layout;
    const fvi_lesson *lesson = job->lesson;
    const int output = context->model->output;
    const size_t batch = (size_t)context->model->max_batch;
    fvi_lane *lane = context->lane;
    for (int segment = 0; segment < (lesson ? layout->segments : layout->turn + 1); segment++) {
        const int block = layout->segment_block[segment];
        const int chunks = block > 0 ? fvi_layout_chunks(layout, job->n) : 1;
        lane->sum =
            block > 0 ? context->batch + layout->block_sums[block] * batch : lane->gradients;
        for (int chunk = 0; chunk < chunks; chunk++) {
            run_take(lane, job, run_part(job->n, chunks, chunk),
                     run_part(job->n, chunks, chunk + 1));
            lane->into = lane->sum + (chunk > 0 ? layout->block_gradients : 0);
            run_forward_segment(context, lane, segment);
            if (!lesson || segment < layout->turn) continue;
            if (segment == layout->turn) {
                lesson->loss(lesson->user, 0, fvi_lane_dy(context, lane, output),
                             fvi_lane_y(context, lane, output), lane->first, lane->n);
                if (!lesson->is_good(lesson->user)) return false;
            }
            run_again(context, lane, segment);
            if (!run_backward_segment(context, lane, segment, chunk + 1 == chunks ? lesson : NULL))
                return false;
        }
    }
    return true;
}

static void run_train_step(void *user)
{
    run_train_job *job = user;
    job->is_good = job->context->sums ? run_train_chunks(job) : run_train_layers(job);
}

bool fvi_context_train(fv_context *context, const float *x, int n, bool logits, uint32_t step,
                       const fvi_lesson *lesson)
{
    run_train_job job = {.context = context, .lesson = lesson, .x = x, .n = n};
    run_begin(context, n, true, logits, step);
    fvi_together(n * context->layout.products >= RUN_SPLIT ? context->threads : NULL,
                 run_train_step, &job);
    return job.is_good;
}

const float *fvi_context_forward(fv_context *context, const float *x, int n, bool training,
                                 bool logits, uint32_t step)
{
    run_begin(context, n, training, logits, step);
    if (context->layout.use != FVI_TRAIN) return run_forward(context, context->lane, x, n);
    run_train_job job = {.context = context, .x = x, .n = n}; /* only the moving statistics count */
    if (context->sums)
        run_train_segments(&job);
    else
        run_train_layers(&job);
    return NULL;
}
