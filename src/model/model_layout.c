/* SPDX-License-Identifier: MIT */
/* Layouts: how long each activation, gradient and state lives, and where it lies meanwhile. */
#include "model/model_internal.h"

#include <stdlib.h>

#define LAYOUT_ALIGN 16 /* floats: 64 bytes */
#define LAYOUT_MANY 4096

/* One array, from the step that writes it to the last that reads it. Forward of node i is step i,
   the loss step n_nodes, backward of node i step 2 * n_nodes - i. */
typedef struct fvi_layout_span {
    size_t *to; /* gets the offset */
    int first, last;
    int first_segment, last_segment; /* that write or read it */
    size_t size, offset;             /* floats of one image */
} layout_span;

/* ---- How long everything lives ---- */

static bool layout_size(layout_span *span, const fvi_node *node)
{
    size_t floats;
    if (!fvi_sum(&floats, fvi_image_floats(&node->y_shape), LAYOUT_ALIGN - 1)) return false;
    span->size = floats - floats % LAYOUT_ALIGN;
    return true;
}

static void layout_from(layout_span *span, int step, int segment)
{
    span->first = step;
    span->first_segment = segment;
}

static void layout_until(layout_span *span, int step, int segment)
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

/* Outputs live until their last reader, of forward or of backward. */
static void layout_live_outputs(fvi_layout_work *work)
{
    const fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    const int end = 2 * model->n_nodes;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (!layout->is_run[i]) continue;
        layout_span *y = &work->y[layout->home[i]];
        layout_from(y, i, layout_forth(layout, i));
        layout_until(y, i, layout_forth(layout, i));
        if (layout->adds[i] >= 0)
            layout_until(&work->y[layout->home[layout->adds[i]]], i, layout_forth(layout, i));
        const bool goes_back = layout->goes_back[i] && work->needed[i];
        if (goes_back && fvi_join_reads_output(layout, node, i))
            layout_until(y, end - i, layout_back(layout, i));
        for (int k = 0; k < node->n_inputs; k++) {
            layout_span *x = &work->y[layout->home[node->input[k]]];
            layout_until(x, i, layout_forth(layout, i));
            if (goes_back && !node->op->drops_x) layout_until(x, end - i, layout_back(layout, i));
        }
    }
    layout_until(&work->y[layout->home[model->output]], model->n_nodes, layout->turn);
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
        layout_span *dy = &work->dy[layout->home[i]];
        const int segment = layout_back(layout, i);
        if (dy->first == 0) layout_from(dy, end - i, segment);
        layout_until(dy, end - i, segment);
        if (layout->pool[i] >= 0)
            layout_until(&work->dy[layout->home[layout->pool[i]]], end - i, segment);
        for (int k = 0; k < node->n_inputs && work->needed[i]; k++) {
            layout_span *dx = &work->dy[layout->home[node->input[k]]];
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

/* ---- Places: memory is used again once the last reader is done ---- */

static int layout_by_size(const void *left, const void *right)
{
    const layout_span *a = left, *b = right;
    if (a->size != b->size) return a->size < b->size ? 1 : -1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int layout_by_step(const void *left, const void *right)
{
    const layout_span *a = left, *b = right;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->size < b->size ? 1 : a->size > b->size ? -1 : 0;
}

/* The smallest gap between the spans that live at the same time; `placed` is sorted by offset. */
static bool layout_fit(layout_span *span, const layout_span *const *placed, int n)
{
    size_t end = 0, best = FVI_NOWHERE, best_gap = FVI_NOWHERE;
    for (int i = 0; i < n; i++) {
        const layout_span *other = placed[i];
        if (other->last < span->first || span->last < other->first) continue;
        if (other->offset > end && other->offset - end >= span->size &&
            other->offset - end < best_gap) {
            best = end;
            best_gap = other->offset - end;
        }
        if (other->offset + other->size > end) end = other->offset + other->size;
    }
    span->offset = best == FVI_NOWHERE ? end : best;
    size_t after;
    return fvi_sum(&after, span->offset, span->size);
}

/* Best fit, the largest first. With very many layers in order of steps instead, which wastes a
   little more memory but needs to look only at the spans that are alive. */
static bool layout_place(layout_span *span, const layout_span **placed, int n, size_t *total)
{
    const bool in_order = n > LAYOUT_MANY;
    int count = 0;
    if (n > 0) qsort(span, (size_t)n, sizeof *span, in_order ? layout_by_step : layout_by_size);
    for (int i = 0; i < n; i++) {
        if (in_order) {
            int alive = 0;
            for (int k = 0; k < count; k++) {
                if (placed[k]->last >= span[i].first) placed[alive++] = placed[k];
            }
            count = alive;
        }
        if (!layout_fit(&span[i], placed, count)) return false;
        int at = count++;
        for (; at > 0 && placed[at - 1]->offset > span[i].offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = &span[i];
        if (span[i].offset + span[i].size > *total) *total = span[i].offset + span[i].size;
        *span[i].to = span[i].offset;
    }
    return true;
}

/* Is it an array of the batch, not of a chunk? */
static bool layout_crosses(const fvi_layout *layout, const layout_span *span)
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

static fv_status layout_list_peaks(fvi_layout_work *work, layout_span *span, int *count)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        if (!layout_has_peaks(work, i)) continue;
        layout_span *peaks = &span[(*count)++];
        *peaks = (layout_span){.to = &layout->y[i]};
        if (!layout_size(peaks, &model->node[layout->home[i]])) return FV_E_SHAPE;
        layout_from(peaks, i, layout_forth(layout, i));
        layout_until(peaks, 2 * model->n_nodes - i, layout_back(layout, i));
        layout->y_crosses[i] = layout_crosses(layout, peaks);
    }
    return FV_OK;
}

/* All arrays that there are, as one list of spans. */
static fv_status layout_list(fvi_layout_work *work, const int *shared, layout_span *span,
                             int *count)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    int n = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const bool is_output = i == layout->home[model->output];
        if (layout->home[i] != i) continue;
        if (!layout_size(&work->y[i], &model->node[i])) return FV_E_SHAPE;
        layout->y_crosses[i] = layout_crosses(layout, &work->y[i]);
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

/* The batch's come last, and their time is counted in segments. How many they are. */
static int layout_split(const fvi_layout *layout, layout_span *span, int n)
{
    int crossing = 0;
    for (int i = n - 1; i >= 0; i--) {
        if (!layout_crosses(layout, &span[i])) continue;
        const layout_span last = span[n - ++crossing];
        span[n - crossing] = span[i];
        span[i] = last;
        span[n - crossing].first = span[n - crossing].first_segment;
        span[n - crossing].last = span[n - crossing].last_segment;
    }
    return crossing;
}

static fv_status layout_arrays(fvi_layout_work *work, const int *shared)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    const size_t most = 2 * (size_t)model->n_nodes;
    layout_span *span = fvi_alloc(most, sizeof *span, "a plan");
    const layout_span **placed = span ? fvi_alloc(most, sizeof *placed, "a plan") : NULL;
    const bool keeps = layout->use == FVI_LOOK && layout->has_gradients;
    int n = 0;
    fv_status status = placed ? layout_list(work, shared, span, &n) : FV_E_MEMORY;
    for (int i = 0; keeps && i < n; i++) {
        span[i].first = 0;
        span[i].last = 2 * model->n_nodes;
    }
    const int own = n - layout_split(layout, span, n);
    if (status == FV_OK && (!layout_place(span, placed, own, &layout->floats) ||
                            !layout_place(span + own, placed, n - own, &layout->batch_floats)))
        status = FV_E_SHAPE;
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
    layout_live_outputs(work);
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
           layout->runs_whole && layout->forth && layout->back && work->readers && work->writer &&
           work->needed && work->y && work->dy;
}

fv_status fvi_layout_make(fvi_layout *layout, const fv_model *model, fvi_use use)
{
    fvi_layout_work work = {.layout = layout, .model = model};
    *layout =
        (fvi_layout){.use = use, .has_gradients = use != FVI_PREDICT && !model->without_training};
    fv_status status = layout_allocate(layout, &work, (size_t)model->n_nodes) ? FV_OK : FV_E_MEMORY;
    if (status == FV_OK) {
        fvi_join_layers(&work);
        fvi_layout_cut(layout, model);
        status = layout_memory(&work);
    }
    if (status == FV_OK) status = fvi_layout_blocks(layout, model);
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
    fvi_free(layout->forth);
    fvi_free(layout->back);
    *layout = (fvi_layout){0};
}
