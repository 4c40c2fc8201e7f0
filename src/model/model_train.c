/* SPDX-License-Identifier: MIT */
/* A step of training: on chunks of images side by side where the weights are few, else layer by layer.
   Nothing here fails or allocates. */
#include "model/model_run.h"

#include <stdatomic.h>

#define TRAIN_SLICE ((size_t)16 * 1024) /* floats of a sum that are added up at a time */

/* The batch's chunks in FVI_PARTS parts, or fewer; who runs a part does not matter. */
typedef struct train_job {
    fv_context *context;
    const fvi_lesson *lesson; /* NULL: forward only */
    const float *x;
    int n, chunks, parts, tasks, segment;
    atomic_bool is_taken[FVI_PARTS]; /* a part, in the present segment */
    const fvi_block *block;          /* that is run in it */
    int first;                       /* of the chunks that are run side by side */
    bool is_good;
} train_job;

/* The segments of a step, or of its forward. */
static int train_end(const train_job *job)
{
    const fvi_layout *layout = &job->context->layout;
    return job->lesson ? layout->segments : layout->turn + 1;
}

/* Images [first, last) of the batch. */
static void train_take(fvi_lane *lane, const train_job *job, int first, int last)
{
    const fv_model *model = job->context->model;
    lane->first = first;
    lane->n = last - first;
    lane->input = job->x + (size_t)first * fvi_image_floats(&model->node[model->input].y_shape);
}

/* Images [first, last) of chunk number `chunk` in the present segment. */
static void train_images(const train_job *job, fvi_lane *lane, int part, int chunk, int first,
                         int last)
{
    const fv_context *context = job->context;
    const fv_model *model = context->model;
    const fvi_layout *layout = &context->layout;
    const fvi_lesson *lesson = job->lesson;
    train_take(lane, job, first, last);
    lane->chunk = chunk;
    fvi_run_forward(context, lane, job->segment);
    if (!lesson || job->segment < layout->turn) return;
    if (job->segment == layout->turn)
        lesson->loss(lesson->user, part, fvi_lane_dy(context, lane, model->output),
                     fvi_lane_y(context, lane, model->output), lane->first, lane->n);
    fvi_run_backward(context, lane, job->segment, NULL);
}

/* A part's chunks, in their order; the sum of their gradients. */
static void train_part(const train_job *job, fvi_lane *lane, int part)
{
    const int begin = fvi_run_part(job->chunks, job->parts, part);
    const int end = fvi_run_part(job->chunks, job->parts, part + 1);
    lane->sum = job->context->sums + (size_t)part * job->context->model->trainable_floats;
    for (int chunk = begin; chunk < end; chunk++) {
        lane->into = chunk == begin ? lane->sum : lane->gradients;
        train_images(job, lane, part, chunk, fvi_run_part(job->n, job->chunks, chunk),
                     fvi_run_part(job->n, job->chunks, chunk + 1));
    }
}

/* Each begins where it began in the segment before, since what it left there is still near. */
static void train_task(void *user, size_t task)
{
    train_job *job = user;
    const int begin = fvi_run_part(job->parts, job->tasks, (int)task);
    for (int i = 0; i < job->parts; i++) {
        const int part = (begin + i) % job->parts;
        if (!atomic_exchange_explicit(&job->is_taken[part], true, memory_order_relaxed))
            train_part(job, &job->context->lane[task], part);
    }
}

/* The layer that cut the present segment off, now that all chunks are there. */
static void train_settle(const train_job *job)
{
    const fv_context *context = job->context;
    const fvi_layout *layout = &context->layout;
    const bool is_back = job->segment >= layout->turn;
    fvi_run_call call;
    fvi_lane *lane = context->lane;
    lane->first = 0;
    lane->n = job->n;
    lane->chunk = 0;
    lane->into = context->sums;
    for (int i = 0; i < context->model->n_nodes; i++) {
        if (!layout->cuts[i] || (is_back && !layout->goes_back[i]) ||
            (is_back ? layout->back : layout->forth)[i] != job->segment)
            continue;
        fvi_run_prepare(&call, context, lane, i, is_back);
        call.run.turn = FVI_SETTLE;
        call.run.chunks = layout->runs_whole[job->segment] ? 1 : job->chunks;
        (is_back ? call.run.node->op->backward : call.run.node->op->forward)(&call.run);
    }
}

static void train_segments(train_job *job)
{
    fv_context *context = job->context;
    const fvi_layout *layout = &context->layout;
    const int end = train_end(job);
    job->chunks = fvi_layout_chunks(layout, job->n);
    job->parts = job->chunks < FVI_PARTS ? job->chunks : FVI_PARTS;
    job->tasks = job->parts < context->lanes ? job->parts : context->lanes;
    for (job->segment = 0; job->segment < end; job->segment++) {
        const bool is_whole = layout->runs_whole[job->segment];
        for (int i = 0; i < job->tasks; i++)
            context->lane[i].threads = job->tasks > 1 && !is_whole ? NULL : context->threads;
        if (is_whole) {
            context->lane->into = context->lane->sum = context->sums;
            train_images(job, context->lane, 0, 0, 0, job->n);
        } else {
            for (int part = 0; part < job->parts; part++)
                atomic_store_explicit(&job->is_taken[part], false, memory_order_relaxed);
            fvi_parallel_for(context->threads, (size_t)job->tasks, train_task, job);
        }
        if (job->segment < end - 1) train_settle(job);
    }
}

/* The other parts' sums to the first's, of the layers that were run in parts. */
static void train_combine(const train_job *job)
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

static bool train_chunks(train_job *job)
{
    const fv_context *context = job->context;
    const fv_model *model = context->model;
    const fvi_lesson *lesson = job->lesson;
    train_segments(job);
    if (!lesson->is_good(lesson->user)) return false;
    train_combine(job);
    return lesson->move(lesson->user, 0, model->trainable_floats, context->sums);
}

/* ---- Layer by layer, so that gradients need little room ---- */

/* A lane's gradients of a block, and their sum. */
static float *train_block_sum(const train_job *job)
{
    return job->context->batch + job->block->sums * (size_t)job->context->model->max_batch;
}

static float *train_block_gradients(const train_job *job, const fvi_lane *lane)
{
    return lane->gradients ? lane->gradients : train_block_sum(job) + job->block->weights;
}

/* One of the chunks that are run side by side. */
static void train_block_task(void *user, size_t task)
{
    const train_job *job = user;
    const fv_context *context = job->context;
    fvi_lane *lane = &context->lane[task];
    const int chunk = job->first + (int)task;
    train_take(lane, job, fvi_run_part(job->n, job->chunks, chunk),
               fvi_run_part(job->n, job->chunks, chunk + 1));
    lane->into = chunk == 0 ? train_block_sum(job) : train_block_gradients(job, lane);
    lane->sum = lane->into;
    lane->into_weight = job->block->weight;
    fvi_run_forward(context, lane, job->segment);
    if (job->segment < context->layout.turn) return;
    fvi_run_again(context, lane, job->segment);
    fvi_run_backward(context, lane, job->segment, NULL);
}

/* Always in the order of the chunks: the sums do not depend on how many are run side by side. */
static void train_sum_task(void *user, size_t task)
{
    const train_job *job = user;
    const fv_context *context = job->context;
    const size_t from = task * TRAIN_SLICE, left = job->block->weights - from;
    for (int i = job->first == 0; i < job->tasks; i++)
        context->model->kernels->add(left < TRAIN_SLICE ? left : TRAIN_SLICE,
                                     train_block_sum(job) + from,
                                     train_block_gradients(job, &context->lane[i]) + from);
}

static bool train_block_move(const train_job *job)
{
    const fvi_lesson *lesson = job->lesson;
    const float *sum = train_block_sum(job);
    bool is_good = true;
    for (int i = job->block->first; i <= job->block->last; i++) {
        const fvi_node *node = &job->context->model->node[i];
        for (int k = 0; k < node->n_weights && is_good; k++) {
            const fvi_weight *weight = &node->weight[k];
            if (!weight->is_state)
                is_good = lesson->move(lesson->user, weight->offset, weight->count,
                                       sum + (weight->offset - job->block->weight));
        }
    }
    return is_good;
}

/* As many chunks at a time as there are lanes, if there are so many: else each on all threads. */
static bool train_block(train_job *job)
{
    const fv_context *context = job->context;
    const bool is_back = job->segment > context->layout.turn;
    const size_t slices = (job->block->weights + TRAIN_SLICE - 1) / TRAIN_SLICE;
    job->chunks = fvi_layout_chunks(&context->layout, job->n);
    const int most = job->chunks < context->lanes ? 1 : context->lanes;
    for (int i = 0; i < most; i++)
        context->lane[i].threads = most > 1 ? NULL : context->threads;
    for (job->first = 0; job->first < job->chunks; job->first += most) {
        const int left = job->chunks - job->first;
        job->tasks = left < most ? left : most;
        fvi_parallel_for(context->threads, (size_t)job->tasks, train_block_task, job);
        if (is_back) fvi_parallel_for(context->threads, slices, train_sum_task, job);
    }
    return !is_back || train_block_move(job);
}

static bool train_layers(train_job *job)
{
    fv_context *context = job->context;
    const fvi_layout *layout = &context->layout;
    const fvi_lesson *lesson = job->lesson;
    const int output = context->model->output;
    fvi_lane *lane = context->lane;
    for (job->segment = 0; job->segment < train_end(job); job->segment++) {
        const int block = layout->segment_block[job->segment];
        if (block > 0) {
            job->block = &layout->block_list[block];
            if (!train_block(job)) return false;
            continue;
        }
        lane->threads = context->threads;
        train_take(lane, job, 0, job->n);
        fvi_run_forward(context, lane, job->segment);
        if (!lesson || job->segment < layout->turn) continue;
        if (job->segment == layout->turn) {
            lesson->loss(lesson->user, 0, fvi_lane_dy(context, lane, output),
                         fvi_lane_y(context, lane, output), 0, job->n);
            if (!lesson->is_good(lesson->user)) return false;
        }
        if (!fvi_run_backward(context, lane, job->segment, lesson)) return false;
    }
    return true;
}

/* ---- Steps ---- */

static void train_step(void *user)
{
    train_job *job = user;
    job->is_good = job->context->sums ? train_chunks(job) : train_layers(job);
}

bool fvi_context_train(fv_context *context, const float *x, int n, bool logits, uint32_t step,
                       const fvi_lesson *lesson)
{
    train_job job = {.context = context, .lesson = lesson, .x = x, .n = n};
    fvi_run_begin(context, n, true, logits, step);
    fvi_together(fvi_run_is_large(context, n) ? context->threads : NULL, train_step, &job);
    return job.is_good;
}

void fvi_context_statistics(fv_context *context, const float *x, int n, int number, uint32_t step)
{
    train_job job = {.context = context, .x = x, .n = n};
    fvi_run_begin(context, n, true, false, step);
    context->statistics = number;
    if (context->sums)
        train_segments(&job);
    else
        train_layers(&job);
    context->statistics = 0;
}
