/* SPDX-License-Identifier: MIT */
/* Which layers take their neighbours along: an activation, a batch normalisation, a pooling or a sum
   whose input only one layer writes is done where that layer writes it. */
#include "model/model_internal.h"

#define JOIN_FOLD                                                                                  \
    16 /* places of an output from which scaling its kernel costs less than it saves */

/* Views show the array of their input; nobody takes anybody along yet. */
static void join_begin(fvi_layout_work *work)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        layout->home[i] = node->op->is_view ? layout->home[node->input[0]] : i;
        layout->is_run[i] = !node->op->is_view && i != model->input;
        layout->norm[i] = layout->pool[i] = layout->adds[i] = layout->recall[i] = -1;
        layout->y[i] = layout->dy[i] = layout->state[i] = layout->folded[i] = FVI_NOWHERE;
        work->writer[i] = i;
        for (int k = 0; k < node->n_inputs; k++) {
            work->readers[layout->home[node->input[k]]] += !node->op->is_view;
            work->needed[i] = work->needed[i] || work->needed[node->input[k]];
        }
        for (int k = 0; k < node->n_weights; k++)
            work->needed[i] = work->needed[i] || !node->weight[k].is_state;
        if (node->n_inputs > layout->most_inputs) layout->most_inputs = node->n_inputs;
        if (node->scratch_floats > layout->scratch) layout->scratch = node->scratch_floats;
    }
    work->readers[layout->home[model->output]]++;
}

/* The node that writes what node i alone reads, where it could do node i's work as well; else -1. */
static int join_producer(const fvi_layout_work *work, int i)
{
    const fvi_node *node = &work->model->node[i];
    const int from = node->n_inputs == 1 ? work->layout->home[node->input[0]] : -1;
    if (from < 0 || work->readers[from] != 1) return -1;
    const int writer = work->writer[from];
    return work->layout->pool[writer] < 0 ? writer : -1;
}

static bool join_is_linear(const fvi_layout_work *work, int i)
{
    const fvi_node *node = &work->model->node[i];
    return !work->layout->clips[i] && (!node->op->is_linear || node->op->is_linear(node));
}

/* Batch normalisation that does not train scales the channels of a convolution: so its weights are
   scaled instead. */
static bool join_can_fold(const fvi_layout_work *work, int writer, int norm)
{
    const fvi_node *node = &work->model->node[norm], *producer = &work->model->node[writer];
    const fv_shape *y = &producer->y_shape;
    if (work->layout->use != FVI_PREDICT || !node->op->affine || !producer->op->can_fold)
        return false;
    const size_t channels = (size_t)y->dim[y->rank - 1];
    return work->layout->norm[writer] < 0 && work->layout->adds[writer] < 0 &&
           join_is_linear(work, writer) && fvi_shape_equal(y, &node->y_shape) &&
           fvi_image_floats(y) >= JOIN_FOLD * channels;
}

static bool join_can_clip(const fvi_layout_work *work, int writer, int i)
{
    const fvi_node *node = &work->model->node[i];
    return join_is_linear(work, writer) && work->model->node[writer].op->can_clip &&
           node->n_weights == 0 && node->op->is_clipped && node->op->is_clipped(node);
}

/* ReLU with a maximum. */
static bool join_can_limit(const fvi_layout_work *work, int writer, int i)
{
    const fvi_node *node = &work->model->node[i], *producer = &work->model->node[writer];
    return work->layout->use == FVI_PREDICT && node->op->most && node->op->most(node) > 0 &&
           join_is_linear(work, writer) && producer->op->can_limit &&
           producer->op->can_limit(producer, work->model->kernels);
}

static bool join_can_add(const fvi_layout_work *work, int writer)
{
    const fvi_node *producer = &work->model->node[writer];
    return work->layout->pool[writer] < 0 && work->layout->adds[writer] < 0 &&
           join_is_linear(work, writer) && producer->op->can_add &&
           producer->op->can_add(producer, work->model->kernels);
}

/* The input of a sum of two that is written last, by a layer that can add the other to it, and that
   layer; else -1. */
static int join_adder(const fvi_layout_work *work, int i, int *input)
{
    const fvi_layout *layout = work->layout;
    const fvi_node *node = &work->model->node[i];
    if (layout->use != FVI_PREDICT || !node->op->is_sum || node->n_inputs != 2) return -1;
    for (int k = 0; k < 2; k++) {
        const int from = layout->home[node->input[k]], other = layout->home[node->input[1 - k]];
        const int writer = work->writer[from];
        if (work->readers[from] != 1 || work->writer[other] >= writer ||
            !join_can_add(work, writer))
            continue;
        *input = k;
        return writer;
    }
    return -1;
}

/* No gradient is needed of the node's input, and its weights take this pooling's for their own. */
static bool join_can_pool(const fvi_layout_work *work, int writer, int pool)
{
    const fvi_node *producer = &work->model->node[writer];
    return work->layout->use == FVI_TRAIN && producer->op->can_pool && work->needed[writer] &&
           !work->needed[producer->input[0]] &&
           producer->op->can_pool(producer, work->model->node[pool].geometry);
}

/* All that a layer gives goes into a max pooling, which it does as well. */
static bool join_can_take(const fvi_layout_work *work, int writer, int i)
{
    const fvi_node *node = &work->model->node[i], *producer = &work->model->node[writer];
    if (!node->op->has_places || !producer->op->takes_pool ||
        !producer->op->takes_pool(producer, work->model->kernels, node->geometry))
        return false;
    return !work->layout->has_gradients || producer->op->keeps_peaks ||
           join_can_pool(work, writer, i);
}

/* The layer that does node i's work as well, and whose output before that was input number *input of
   the node; -1: none. */
static int join_taker(fvi_layout_work *work, int i, int *input)
{
    fvi_layout *layout = work->layout;
    const fvi_node *node = &work->model->node[i];
    int writer = join_adder(work, i, input);
    if (writer >= 0) {
        layout->adds[writer] = layout->home[node->input[1 - *input]];
        return writer;
    }
    *input = 0;
    writer = join_producer(work, i);
    if (writer < 0) return -1;
    if (join_can_fold(work, writer, i)) {
        layout->norm[writer] = i;
    } else if (join_can_clip(work, writer, i)) {
        layout->clips[writer] = true;
    } else if (join_can_limit(work, writer, i)) {
        layout->clips[writer] = true;
        layout->most[writer] = node->op->most(node);
    } else if (join_can_take(work, writer, i)) {
        layout->pool[writer] = i;
    } else {
        return -1;
    }
    return writer;
}

/* The home of what a node gives becomes that of the layer it takes along. */
static void join_take(fvi_layout_work *work)
{
    fvi_layout *layout = work->layout;
    for (int i = 0; i < work->model->n_nodes; i++) {
        int input;
        const int writer = join_taker(work, i, &input);
        if (writer < 0) continue;
        layout->home[layout->home[work->model->node[i].input[input]]] = i;
        layout->is_run[i] = false;
        work->writer[i] = writer;
    }
    for (int i = 0; i < work->model->n_nodes; i++) {
        while (layout->home[i] != layout->home[layout->home[i]])
            layout->home[i] = layout->home[layout->home[i]];
    }
}

/* Where the only reader of a ReLU's output can take that ReLU's gradient along, it does. */
static void join_find_masks(fvi_layout_work *work)
{
    fvi_layout *layout = work->layout;
    for (int i = 0; i < work->model->n_nodes; i++) {
        const fvi_node *node = &work->model->node[i];
        if (!layout->is_run[i] || !node->op->can_mask || node->n_inputs != 1) continue;
        const int from = layout->home[node->input[0]];
        const fvi_node *relu = &work->model->node[from];
        const bool is_clipped = relu->op->is_clipped && relu->op->is_clipped(relu);
        if (work->readers[from] != 1 || !(is_clipped || layout->clips[work->writer[from]]))
            continue;
        layout->masks[i] = layout->is_masked[from] = true;
    }
}

/* A layer's own output is needed on the way back for an activation's gradient, which its reader may
   have taken along. */
bool fvi_join_reads_output(const fvi_layout *layout, const fvi_node *node, int i)
{
    const bool is_linear = !node->op->is_linear || node->op->is_linear(node);
    if (!node->op->drops_y) return true;
    return (layout->clips[i] || !is_linear) && !layout->is_masked[layout->home[i]];
}

/* A max pooling of large windows passes few gradients back: where they are all that is read of a
   layer that needs no gradient of its input, it takes them as they are. */
static void join_find_pools(fvi_layout_work *work)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const int from = node->n_inputs == 1 ? layout->home[node->input[0]] : -1;
        layout->goes_back[i] = layout->is_run[i] && layout->has_gradients &&
                               (work->needed[i] || layout->home[i] == layout->home[model->output]);
        if (!layout->goes_back[i] || !node->op->has_places) continue;
        const int writer = work->writer[from];
        const fvi_node *producer = &model->node[writer];
        if (work->readers[from] != 1 || fvi_join_reads_output(layout, producer, writer) ||
            !join_can_pool(work, writer, i))
            continue;
        layout->pool[writer] = i;
        layout->goes_back[i] = false;
    }
}

void fvi_join_layers(fvi_layout_work *work)
{
    join_begin(work);
    if (work->layout->use != FVI_LOOK) join_take(work);
    join_find_masks(work);
    join_find_pools(work);
}
