/* SPDX-License-Identifier: MIT */
/* Blocks: the first layers of a large model give most of its activations for few of its products. What
   they give is not kept for the way back but made again, a few images at a time (T. Chen et al.,
   "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174). */
#include "model/model_internal.h"

/* Weights of a block, at most: their gradients are summed over its chunks. */
#define BLOCK_WEIGHTS ((size_t)256 * 1024)
/* Floats of a batch that are to be saved at a time, at least: 1.5 MB. */
#define BLOCK_FLOATS ((size_t)384 * 1024)
/* Floats of a batch that all of it is to save, as a share of the weights: below it a step would take
   longer for little, since weights and Adam's two moments are there in any case. */
#define BLOCK_SHARE 0.2
/* Products that may be made again, as a share of those of forward, which are a third of a step's. */
#define BLOCK_AGAIN 0.15

/* What there is to know, by home. */
typedef struct block_search {
    fvi_layout *layout;
    const fv_model *model;
    const fvi_layout_work *work;
    double left;      /* products that may still be made again */
    double saved;     /* floats of an image that are not kept */
    int *last_reader; /* forward; -1: none */
    int *back_reader; /* the first on the way back; -1: none */
    bool *is_split;   /* a block reads it */
    bool *is_needed;  /* on the way back */
    bool *is_recalled;
} block_search;

/* Nodes [first, end) that may become a block. */
typedef struct block_range {
    int first, end;
    size_t weights, largest; /* floats, and those of the largest output */
    double products, saved;  /* that are made again; floats of an image that are not kept */
} block_range;

static bool block_goes_back(const block_search *search, int i)
{
    return search->layout->goes_back[i] && search->work->needed[i];
}

static bool block_reads_back(const block_search *search, int i)
{
    return block_goes_back(search, i) && !search->model->node[i].op->drops_x;
}

static void block_find_readers(const block_search *search)
{
    const fvi_layout *layout = search->layout;
    for (int i = 0; i < search->model->n_nodes; i++) {
        const fvi_node *node = &search->model->node[i];
        search->last_reader[i] = search->back_reader[i] = -1;
        for (int k = 0; k < node->n_inputs && layout->is_run[i]; k++) {
            const int home = layout->home[node->input[k]];
            search->last_reader[home] = i;
            if (block_reads_back(search, i)) search->back_reader[home] = i;
        }
    }
}

/* ---- Blocks ---- */

/* Arrays that are read in the block alone do not outlive a chunk. */
static void block_find_stays(const block_search *search, const block_range *r)
{
    fvi_layout *layout = search->layout;
    for (int i = r->first; i < r->end; i++)
        layout->stays[i] = layout->home[i] == i && search->work->writer[i] >= r->first &&
                           search->last_reader[i] < r->end;
}

/* From the last to the first: whoever wrote what is read on the way back and did not stay writes it
   again, and so reads its own inputs again. */
static void block_find_again(const block_search *search, block_range *r)
{
    fvi_layout *layout = search->layout;
    for (int i = r->end - 1; i >= r->first; i--) {
        const fvi_node *node = &search->model->node[i];
        const int home = layout->home[i];
        if (!layout->is_run[i]) continue;
        if (block_goes_back(search, i) && fvi_join_reads_output(layout, node, i))
            search->is_needed[home] = true;
        layout->again[i] = layout->stays[home] && search->is_needed[home];
        if (layout->again[i]) {
            r->products += fvi_model_multiplied(node);
            r->saved += (double)fvi_image_floats(&search->model->node[home].y_shape);
        }
        for (int k = 0; k < node->n_inputs; k++)
            if (layout->again[i] || block_reads_back(search, i))
                search->is_needed[layout->home[node->input[k]]] = true;
    }
}

static void block_number(const block_search *search, const block_range *r)
{
    fvi_layout *layout = search->layout;
    fvi_block *block = &layout->block_list[++layout->blocks];
    *block = (fvi_block){.first = r->first, .last = r->end - 1, .weight = FVI_NOWHERE};
    for (int i = r->first; i < r->end; i++) {
        const fvi_node *node = &search->model->node[i];
        layout->block[i] = layout->blocks;
        block->weights += fvi_model_gradients(node);
        for (int k = 0; k < node->n_weights; k++)
            if (!node->weight[k].is_state && node->weight[k].offset < block->weight)
                block->weight = node->weight[k].offset;
        for (int k = 0; k < node->n_inputs; k++)
            search->is_split[layout->home[node->input[k]]] = true;
    }
}

/* Makes a block of it if that pays. */
static void block_make(block_search *search, block_range *r)
{
    fvi_layout *layout = search->layout;
    const fv_model *model = search->model;
    for (int i = r->first; i < r->end; i++) /* with those that are taken along */
        if (layout->home[i] >= r->end) r->end = layout->home[i] + 1;
    if (search->work->writer[layout->home[model->output]] < r->end) return;
    block_find_stays(search, r);
    block_find_again(search, r);
    if (r->products <= search->left && r->saved * model->max_batch >= (double)BLOCK_FLOATS) {
        block_number(search, r);
        search->left -= r->products;
        search->saved += r->saved;
        return;
    }
    for (int i = r->first; i < r->end; i++)
        layout->stays[i] = layout->again[i] = false;
}

/* A block ends where what is handed on is small: behind a pooling, or a stride. */
static void block_find_ranges(block_search *search)
{
    const fvi_layout *layout = search->layout;
    const fv_model *model = search->model;
    block_range r = {.first = 0};
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (!layout->is_run[i]) continue;
        const size_t floats = fvi_image_floats(&model->node[layout->home[i]].y_shape);
        if (floats > r.largest) r.largest = floats;
        r.weights += fvi_model_gradients(node);
        r.end = i + 1;
        const bool is_lost = node->op->needs_batch || r.weights > BLOCK_WEIGHTS;
        if (!is_lost && floats > r.largest / 2) continue;
        if (!is_lost) block_make(search, &r);
        i = r.end - 1;
        r = (block_range){.first = r.end};
    }
}

/* ---- Behind them a layer is run again for the whole batch ---- */

/* Is what node i reads still there when it is run again? */
static bool block_has_inputs(const block_search *search, int i)
{
    const fvi_node *node = &search->model->node[i];
    if (!block_reads_back(search, i)) return false;
    for (int k = 0; k < node->n_inputs; k++)
        if (search->is_recalled[search->layout->home[node->input[k]]]) return false;
    return true;
}

static void block_find_recalls(block_search *search)
{
    fvi_layout *layout = search->layout;
    const fv_model *model = search->model;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const int home = layout->home[i], reader = search->back_reader[home];
        const double products = fvi_model_multiplied(node);
        const double floats = (double)fvi_image_floats(&model->node[home].y_shape);
        if (!layout->is_run[i] || layout->block[i] > 0 || node->op->needs_batch || reader < 0 ||
            layout->recall[reader] >= 0 || search->is_split[home] ||
            home == layout->home[model->output] || products > search->left ||
            floats * model->max_batch < (double)BLOCK_FLOATS || !block_has_inputs(search, i))
            continue;
        layout->recall[reader] = i;
        search->is_recalled[home] = true;
        search->left -= products;
        search->saved += floats;
    }
}

static void block_forget(const block_search *search)
{
    fvi_layout *layout = search->layout;
    for (int i = 0; i < search->model->n_nodes; i++) {
        layout->block[i] = 0;
        layout->stays[i] = layout->again[i] = false;
        layout->recall[i] = -1;
    }
    layout->blocks = 0;
}

fv_status fvi_layout_find_blocks(const fvi_layout_work *work)
{
    const size_t n = (size_t)work->model->n_nodes;
    block_search search = {.layout = work->layout,
                           .model = work->model,
                           .work = work,
                           .left = BLOCK_AGAIN * work->layout->products,
                           .last_reader = fvi_alloc(n, sizeof *search.last_reader, "a plan"),
                           .back_reader = fvi_alloc(n, sizeof *search.back_reader, "a plan"),
                           .is_split = fvi_alloc(n, sizeof *search.is_split, "a plan"),
                           .is_needed = fvi_alloc(n, sizeof *search.is_needed, "a plan"),
                           .is_recalled = fvi_alloc(n, sizeof *search.is_recalled, "a plan")};
    const bool is_made = search.last_reader && search.back_reader && search.is_split &&
                         search.is_needed && search.is_recalled;
    if (is_made) {
        block_find_readers(&search);
        block_find_ranges(&search);
        if (work->layout->blocks > 0) block_find_recalls(&search);
        if (search.saved * work->model->max_batch <
            BLOCK_SHARE * (double)work->model->trainable_floats)
            block_forget(&search);
    }
    fvi_free(search.last_reader);
    fvi_free(search.back_reader);
    fvi_free(search.is_split);
    fvi_free(search.is_needed);
    fvi_free(search.is_recalled);
    return is_made ? FV_OK : FV_E_MEMORY;
}
