/* SPDX-License-Identifier: MIT */
/* Layouts: how long each activation, gradient and state lives, and where it lies meanwhile. */
#include "model/model_span.h"

#include <stdlib.h>

/* ---- How long everything lives ---- */

static bool layout_size(fvi_span *span, const fvi_node *node)
{
    const size_t floats = fvi_image_floats(&node->y_shape);
    span->size = fvi_model_aligned(floats);
    return span->size >= floats;
}

static void layout_from(fvi_span *span, int step, int segment)
{
    span->first = step;
    span->first_segment = segment;
}

static void layout_until(fvi_span *span, int step, int segment)
{
    if (step > span->last) span->last = step;
    if (segment > span->last_segment) span->last_segment = segment;
}

/* The last segment in which node i is run forward, or backward. */
static int layout_forth(const fvi_layout *layout, int i)
{
    return layout->forth[i] + layout->cuts[i];
}

static int layout_back(const fvi_layout *layout, int i)
{
    return layout->back[i] + layout->cuts[i];
}

/* The last segment in which node i, on the way back, reads the output of home; what stays in a block is
   there again. */
static int layout_reads(const fvi_layout *layout, int i, int home)
{
    return layout->stays[home] ? layout_forth(layout, i) : layout_back(layout, i);
}

/* Outputs live until their last reader, of forward or of backward. */
static void layout_live_forth(const fvi_layout_work *work)
{
    const fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const int segment = layout_forth(layout, i);
        if (!layout->is_run[i]) continue;
        fvi_span *y = &work->y[layout->home[i]];
        layout_from(y, i, segment);
        layout_until(y, i, segment);
        if (layout->adds[i] >= 0) layout_until(&work->y[layout->home[layout->adds[i]]], i, segment);
        for (int k = 0; k < node->n_inputs; k++)
            layout_until(&work->y[layout->home[node->input[k]]], i, segment);
    }
    layout_until(&work->y[layout->home[model->output]], model->n_nodes, layout->turn);
}

/* What is made again for backward of node i need not be kept until then. */
static void layout_live_recalled(const fvi_layout_work *work)
{
    const fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes && layout->blocks > 0; i++) {
        if (layout->recall[i] < 0) continue;
        fvi_span *y = &work->y[layout->home[layout->recall[i]]];
        y->hole_first = y->last;
        y->hole_last = 2 * model->n_nodes - i;
    }
}

static void layout_live_back(const fvi_layout_work *work)
{
    const fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const int step = 2 * model->n_nodes - i, home = layout->home[i];
        const bool goes_back = layout->goes_back[i] && work->needed[i];
        if (!layout->is_run[i]) continue;
        if (goes_back && fvi_join_reads_output(layout, node, i))
            layout_until(&work->y[home], step, layout_reads(layout, i, home));
        for (int k = 0; k < node->n_inputs; k++) {
            const int from = layout->home[node->input[k]];
            if ((goes_back && !node->op->drops_x) || layout->again[i])
                layout_until(&work->y[from], step, layout_reads(layout, i, from));
        }
    }
}

/* A gradient lives from the first reader's backward to its own layer's. One is needed only where
   weights stand before it: that spares the first convolution its most expensive pass. The output's
   is always there, for the loss to write. */
static void layout_live_gradients(fvi_layout_work *work)
{
    const fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    const int end = 2 * model->n_nodes, output = layout->home[model->output];
    layout_from(&work->dy[output], model->n_nodes, layout->turn);
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        const fvi_node *node = &model->node[i];
        if (!layout->is_run[i]) continue;
        fvi_span *dy = &work->dy[layout->home[i]];
        const int segment = layout_back(layout, i);
        if (dy->first == 0) layout_from(dy, end - i, segment);
        layout_until(dy, end - i, segment);
        if (layout->pool[i] >= 0)
            layout_until(&work->dy[layout->home[layout->pool[i]]], end - i, segment);
        for (int k = 0; k < node->n_inputs && work->needed[i]; k++) {
            fvi_span *dx = &work->dy[layout->home[node->input[k]]];
            if (dx->first == 0) layout_from(dx, end - i, segment);
        }
    }
}

/* A layer whose dx may be its dy gives its only input's gradient the same place. */
static void layout_share_gradients(fvi_layout_work *work, int *shared)
{
    const fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        const fvi_node *node = &model->node[i];
        const int home = layout->home[i];
        if (shared[home] < 0) shared[home] = home;
        if (!layout->is_run[i] || !node->op->is_in_place || layout->pool[i] >= 0) continue;
        const int from = layout->home[node->input[0]];
        if (from == model->input || !work->needed[from] || work->readers[from] != 1) continue;
        shared[from] = shared[home];
        layout_until(&work->dy[shared[home]], work->dy[from].last, work->dy[from].last_segment);
    }
}

/* ---- Which arrays there are ---- */

/* Is it an array of the batch, not of a chunk? */
static bool layout_crosses(const fvi_layout *layout, const fvi_span *span)
{
    return span->first_segment < span->last_segment || layout->runs_whole[span->first_segment];
}

/* Does the node do a pooling's work as well, and will it need what its maxima were made of? */
static bool layout_has_peaks(const fvi_layout_work *work, int i)
{
    const fvi_layout *layout = work->layout;
    return work->model->node[i].op->keeps_peaks && layout->goes_back[i] && layout->pool[i] >= 0 &&
           layout->home[layout->pool[i]] == layout->home[i];
}

static fv_status layout_list_peaks(fvi_layout_work *work, fvi_span *span, int *count)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        if (!layout_has_peaks(work, i)) continue;
        fvi_span *peaks = &span[(*count)++];
        *peaks = (fvi_span){.to = &layout->y[i], .block = layout->block[i]};
        if (!layout_size(peaks, &model->node[layout->home[i]])) return FV_E_SHAPE;
        layout_from(peaks, i, layout_forth(layout, i));
        layout_until(peaks, 2 * model->n_nodes - i, layout_back(layout, i));
        layout->y_crosses[i] = layout_crosses(layout, peaks);
    }
    return FV_OK;
}

/* All arrays that there are, as one list of spans. */
static fv_status layout_list(fvi_layout_work *work, const int *shared, fvi_span *span, int *count)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    int n = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const bool is_output = i == layout->home[model->output];
        if (layout->home[i] != i) continue;
        if (!layout_size(&work->y[i], &model->node[i])) return FV_E_SHAPE;
        layout->y_crosses[i] = layout_crosses(layout, &work->y[i]);
        work->y[i].block = work->dy[i].block = layout->block[work->writer[i]];
        if (i != model->input) {
            span[n] = work->y[i];
            span[n++].to = &layout->y[i];
        }
        const int pool = layout->pool[work->writer[i]]; /* its own or, of the output, none */
        if (!layout->has_gradients || shared[i] != i || !(work->needed[i] || is_output) ||
            (pool >= 0 && layout->home[pool] != i))
            continue;
        layout->dy_crosses[i] = layout_crosses(layout, &work->dy[i]);
        span[n] = work->dy[i];
        span[n].size = work->y[i].size;
        span[n++].to = &layout->dy[i];
    }
    *count = n;
    return layout_list_peaks(work, span, count);
}

/* The first step of the block that is run in this step, or its last, for its chunks come one after the
   other. Without a block the step itself. */
static int layout_block_step(const fvi_layout_work *work, int step, bool is_last)
{
    const fvi_layout *layout = work->layout;
    const int n = work->model->n_nodes;
    const bool is_back = step > n;
    if (step == n || layout->block[is_back ? 2 * n - step : step] == 0) return step;
    const fvi_block *block = &layout->block_list[layout->block[is_back ? 2 * n - step : step]];
    if (is_back) return 2 * n - (is_last ? block->first : block->last);
    return is_last ? block->last : block->first;
}

/* The batch's come last, and their time is counted in segments, or in steps where a block is one. How
   many they are. */
static int layout_split(const fvi_layout_work *work, fvi_span *span, int n)
{
    const fvi_layout *layout = work->layout;
    int crossing = 0;
    for (int i = n - 1; i >= 0; i--) {
        if (!layout_crosses(layout, &span[i])) continue;
        const fvi_span last = span[n - ++crossing];
        fvi_span *one = &span[n - crossing];
        *one = span[i];
        span[i] = last;
        const bool has_blocks = layout->blocks > 0;
        one->first = has_blocks ? layout_block_step(work, one->first, false) : one->first_segment;
        one->last = has_blocks ? layout_block_step(work, one->last, true) : one->last_segment;
    }
    return crossing;
}

static int layout_by_block(const void *left, const void *right)
{
    const fvi_span *a = left, *b = right;
    return a->block < b->block ? -1 : a->block > b->block;
}

/* What is of chunks: each block by itself. */
static bool layout_place_chunks(fvi_layout *layout, fvi_span *span, const fvi_span **placed, int n)
{
    if (n > 0) qsort(span, (size_t)n, sizeof *span, layout_by_block);
    for (int first = 0, end; first < n; first = end) {
        size_t floats = 0;
        for (end = first + 1; end < n && span[end].block == span[first].block;)
            end++;
        if (!fvi_span_place(span + first, placed, end - first, &floats)) return false;
        if (layout->blocks > 0) layout->block_list[span[first].block].floats = floats;
        if (floats > layout->floats) layout->floats = floats;
    }
    return true;
}

/* So many floats, of each image of the batch. */
static size_t layout_share(const fvi_layout_work *work, size_t floats)
{
    const size_t batch = (size_t)work->model->max_batch;
    return fvi_model_aligned(floats / batch + (floats % batch != 0));
}

/* The memory of a block's chunks is the batch's, while the block is run: there and back. And on the way
   back the gradients of its weights. */
static int layout_list_blocks(const fvi_layout_work *work, fvi_span *span)
{
    fvi_layout *layout = work->layout;
    const int end = 2 * work->model->n_nodes;
    int count = 0;
    for (int i = 1; i <= layout->blocks; i++) {
        fvi_block *block = &layout->block_list[i];
        const size_t floats = block->floats * (size_t)layout->chunk;
        span[count++] = (fvi_span){.to = &block->at,
                                   .first = block->first,
                                   .hole_first = block->last,
                                   .hole_last = end - block->last,
                                   .last = end - block->first,
                                   .size = layout_share(work, floats)};
        span[count++] = (fvi_span){.to = &block->sums,
                                   .first = end - block->last,
                                   .last = end - block->first,
                                   .size = layout_share(work, 2 * block->weights)};
    }
    return count;
}

/* Floats of gradients that a node gives at a time: of a kernel in pieces, that of the largest. */
static size_t layout_gradients(const fvi_layout *layout, const fvi_node *node, int i)
{
    const fvi_weight *kernel = &node->weight[0];
    const size_t floats = fvi_model_gradients(node);
    if (floats == 0 || !node->op->piece || layout->pool[i] >= 0) return floats;
    const size_t columns = (size_t)kernel->shape.dim[kernel->shape.rank - 1];
    size_t most = 0;
    for (size_t first = 0, rows; first < kernel->count / columns; first += rows) {
        rows = node->op->piece(node, first);
        if (rows > most) most = rows;
    }
    return floats - fvi_model_aligned(kernel->count) + fvi_model_aligned(most * columns);
}

/* Gradients of weights that are used up as soon as they are there. */
static void layout_list_gradients(const fvi_layout_work *work, fvi_span *span, int *count)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const size_t floats = layout_gradients(layout, &model->node[i], i);
        if (floats == 0 || !layout->goes_back[i] || layout->block[i] > 0) continue;
        fvi_span *one = &span[(*count)++];
        *one = (fvi_span){.to = &layout->gradients[i], .size = layout_share(work, floats)};
        layout_from(one, 2 * model->n_nodes - i, layout->back[i]);
        layout_until(one, one->first, one->first_segment);
    }
}

/* First what is of chunks, then what is of the batch. */
static fv_status layout_place_all(const fvi_layout_work *work, fvi_span *span,
                                  const fvi_span **placed, int n)
{
    fvi_layout *layout = work->layout;
    const int own = n - layout_split(work, span, n);
    size_t floats;
    if (!layout_place_chunks(layout, span, placed, own)) return FV_E_SHAPE;
    layout->chunk = fvi_layout_chunk(layout, work->model);
    if (!fvi_mul(&floats, layout->floats, (size_t)layout->chunk + 1)) return FV_E_SHAPE;
    n += layout_list_blocks(work, span + n);
    return fvi_span_place(span + own, placed, n - own, &layout->batch_floats) ? FV_OK : FV_E_SHAPE;
}

static fv_status layout_arrays(fvi_layout_work *work, const int *shared)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    const size_t most = 5 * (size_t)model->n_nodes; /* y, dy, peaks; weights', or its block's two */
    fvi_span *span = fvi_alloc(most, sizeof *span, "a plan");
    const fvi_span **placed = span ? fvi_alloc(most, sizeof *placed, "a plan") : NULL;
    const bool keeps = layout->use == FVI_LOOK && layout->has_gradients;
    const bool moves = layout->use == FVI_TRAIN && layout->has_gradients && !layout->is_chunked;
    int n = 0;
    fv_status status = placed ? layout_list(work, shared, span, &n) : FV_E_MEMORY;
    if (status == FV_OK && moves) layout_list_gradients(work, span, &n);
    for (int i = 0; keeps && i < n; i++) {
        span[i].first = 0;
        span[i].last = 2 * model->n_nodes;
    }
    if (status == FV_OK) status = layout_place_all(work, span, placed, n);
    for (int i = 0; status == FV_OK && layout->has_gradients && i < model->n_nodes; i++) {
        const int home = layout->home[i];
        if (shared[home] == home) continue;
        layout->dy[home] = layout->dy[shared[home]];
        layout->dy_crosses[home] = layout->dy_crosses[shared[home]];
    }
    fvi_free(placed);
    fvi_free(span);
    return status == FV_E_SHAPE ? fvi_layout_too_many() : status;
}

static fv_status layout_memory(fvi_layout_work *work)
{
    const size_t n = (size_t)work->model->n_nodes;
    int *shared = fvi_alloc(n, sizeof *shared, "a plan");
    if (!shared) return FV_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        shared[i] = -1;
    layout_live_forth(work);
    layout_live_recalled(work);
    layout_live_back(work);
    if (work->layout->has_gradients) {
        layout_live_gradients(work);
        layout_share_gradients(work, shared);
    }
    fv_status status = layout_arrays(work, shared);
    fvi_free(shared);
    return status;
}

/* ---- Making ---- */

static bool layout_allocate(fvi_layout *layout, fvi_layout_work *work, size_t n)
{
    layout->home = fvi_alloc(n, sizeof *layout->home, "a plan");
    layout->norm = fvi_alloc(n, sizeof *layout->norm, "a plan");
    layout->pool = fvi_alloc(n, sizeof *layout->pool, "a plan");
    layout->adds = fvi_alloc(n, sizeof *layout->adds, "a plan");
    layout->most = fvi_alloc(n, sizeof *layout->most, "a plan");
    layout->is_run = fvi_alloc(n, sizeof *layout->is_run, "a plan");
    layout->goes_back = fvi_alloc(n, sizeof *layout->goes_back, "a plan");
    layout->clips = fvi_alloc(n, sizeof *layout->clips, "a plan");
    layout->masks = fvi_alloc(n, sizeof *layout->masks, "a plan");
    layout->is_masked = fvi_alloc(n, sizeof *layout->is_masked, "a plan");
    layout->y = fvi_alloc(n, sizeof *layout->y, "a plan");
    layout->dy = fvi_alloc(n, sizeof *layout->dy, "a plan");
    layout->state = fvi_alloc(n, sizeof *layout->state, "a plan");
    layout->folded = fvi_alloc(n, sizeof *layout->folded, "a plan");
    layout->y_crosses = fvi_alloc(n, sizeof *layout->y_crosses, "a plan");
    layout->dy_crosses = fvi_alloc(n, sizeof *layout->dy_crosses, "a plan");
    layout->cuts = fvi_alloc(n, sizeof *layout->cuts, "a plan");
    layout->is_whole = fvi_alloc(n, sizeof *layout->is_whole, "a plan");
    layout->runs_whole = fvi_alloc(4 * n + 2, sizeof *layout->runs_whole, "a plan");
    layout->block = fvi_alloc(n, sizeof *layout->block, "a plan");
    layout->stays = fvi_alloc(n, sizeof *layout->stays, "a plan");
    layout->again = fvi_alloc(n, sizeof *layout->again, "a plan");
    layout->gradients = fvi_alloc(n, sizeof *layout->gradients, "a plan");
    layout->recall = fvi_alloc(n, sizeof *layout->recall, "a plan");
    layout->block_list = fvi_alloc(n + 1, sizeof *layout->block_list, "a plan");
    layout->segment_block = fvi_alloc(4 * n + 2, sizeof *layout->segment_block, "a plan");
    layout->forth = fvi_alloc(n, sizeof *layout->forth, "a plan");
    layout->back = fvi_alloc(n, sizeof *layout->back, "a plan");
    work->readers = fvi_alloc(n, sizeof *work->readers, "a plan");
    work->writer = fvi_alloc(n, sizeof *work->writer, "a plan");
    work->needed = fvi_alloc(n, sizeof *work->needed, "a plan");
    work->y = fvi_alloc(n, sizeof *work->y, "a plan");
    work->dy = fvi_alloc(n, sizeof *work->dy, "a plan");
    return layout->home && layout->norm && layout->pool && layout->adds && layout->most &&
           layout->is_run && layout->goes_back && layout->clips && layout->masks &&
           layout->is_masked && layout->y && layout->dy && layout->state && layout->folded &&
           layout->y_crosses && layout->dy_crosses && layout->cuts && layout->is_whole &&
           layout->runs_whole && layout->block && layout->stays && layout->again &&
           layout->gradients && layout->recall && layout->block_list && layout->segment_block &&
           layout->forth && layout->back && work->readers && work->writer && work->needed &&
           work->y && work->dy;
}

fv_status fvi_layout_make(fvi_layout *layout, const fv_model *model, fvi_use use)
{
    fvi_layout_work work = {.layout = layout, .model = model};
    *layout =
        (fvi_layout){.use = use, .has_gradients = use != FVI_PREDICT && !model->without_training};
    fv_status status = layout_allocate(layout, &work, (size_t)model->n_nodes) ? FV_OK : FV_E_MEMORY;
    if (status == FV_OK) {
        fvi_join_layers(&work);
        status = fvi_layout_cut(&work);
    }
    if (status == FV_OK) status = layout_memory(&work);
    if (status == FV_OK) status = fvi_layout_count(layout, model);
    fvi_free(work.readers);
    fvi_free(work.writer);
    fvi_free(work.needed);
    fvi_free(work.y);
    fvi_free(work.dy);
    return status;
}

void fvi_layout_free(fvi_layout *layout)
{
    fvi_free(layout->home);
    fvi_free(layout->norm);
    fvi_free(layout->pool);
    fvi_free(layout->adds);
    fvi_free(layout->most);
    fvi_free(layout->is_run);
    fvi_free(layout->goes_back);
    fvi_free(layout->clips);
    fvi_free(layout->masks);
    fvi_free(layout->is_masked);
    fvi_free(layout->y);
    fvi_free(layout->dy);
    fvi_free(layout->state);
    fvi_free(layout->folded);
    fvi_free(layout->y_crosses);
    fvi_free(layout->dy_crosses);
    fvi_free(layout->cuts);
    fvi_free(layout->is_whole);
    fvi_free(layout->runs_whole);
    fvi_free(layout->block);
    fvi_free(layout->stays);
    fvi_free(layout->again);
    fvi_free(layout->gradients);
    fvi_free(layout->recall);
    fvi_free(layout->block_list);
    fvi_free(layout->segment_block);
    fvi_free(layout->forth);
    fvi_free(layout->back);
    *layout = (fvi_layout){0};
}
