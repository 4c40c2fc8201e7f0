/* SPDX-License-Identifier: MIT */
/* How many images are run at a time, and where a step of training waits until all of them are as
   far. */
#include "model/model_internal.h"

/* Floats of one chunk's pictures, activations and gradients: 1 MB, about what the second-level caches of
   today's servers hold. Keras's small networks take 1.3 to 1.5 times as long with no chunks at all.
   With 2 MB of cache there is nothing between chunks of 1 and 2 MB; with 1 MB, chunks of 1.5 MB predict
   4 % slower (happy, keras_mnist), those of 0.75 MB too (resnet20). */
#define SEGMENT_CHUNK ((size_t)256 * 1024)
/* Each chunk packs the weights again. That shows with fewer multiplications of a chunk for each
   weight than this, and in any case when the weights themselves leave the cache; in training each
   part of a batch also has its own sum of their gradients. */
#define SEGMENT_PACK 300.0
#define SEGMENT_WEIGHTS 1000000.0
#define SEGMENT_TRAINED 250000.0
/* Products for each weight, of an image, below which a layer takes the batch as a whole where others
   wait for all of it anyway. */
#define SEGMENT_PLACES 100.0
#define SEGMENT_CUTS 256 /* each costs every chunk a look at all layers */
/* Products of a batch from which there are two chunks to train, for two threads; and few chunks are
   as many as two, four or eight threads can share. */
#define SEGMENT_TWO 8e6

fv_status fvi_layout_too_many(void)
{
    return fvi_fail(FV_E_SHAPE, "the model's activations are too many to count");
}

/* ---- Where a step is cut ---- */

/* A batch may come in chunks if the weights are few, and few layers need all of it. */
static void segment_count(fvi_layout *layout, const fv_model *model)
{
    int cuts = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const double products = fvi_model_multiplied(node);
        layout->products += products;
        if (products > 0) layout->multiplied += (double)node->weight[0].count;
        cuts += layout->has_gradients && layout->is_run[i] && node->op->needs_batch;
    }
    const double most = layout->has_gradients ? SEGMENT_TRAINED : SEGMENT_WEIGHTS;
    layout->is_chunked =
        layout->use != FVI_LOOK && layout->multiplied <= most && cuts <= SEGMENT_CUTS;
    layout->segments = layout->is_chunked && cuts > 0 ? 2 : 1;
}

/* A layer of many weights for few products is run on the whole batch, and so are those without
   weights behind it. If these make most of the products, all of a step is. */
static void segment_find_whole(fvi_layout *layout, const fv_model *model)
{
    double products = 0;
    bool is_whole = false;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        const double made = fvi_model_multiplied(node);
        if (made > 0) is_whole = made < SEGMENT_PLACES * (double)node->weight[0].count;
        layout->is_whole[i] = is_whole;
        if (is_whole) products += made;
    }
    if (products > layout->products / 2) {
        layout->is_chunked = false;
        layout->segments = 1;
    }
}

/* Layers that may share a segment have the same. */
static int segment_kind(const fvi_layout *layout, int i)
{
    return layout->blocks > 0 ? layout->block[i] : !layout->is_whole[i];
}

static void segment_number(fvi_layout *layout, const fv_model *model)
{
    int segment = 0, kind = segment_kind(layout, 0);
    layout->runs_whole[0] = layout->is_whole[0];
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (layout->is_run[i] && segment_kind(layout, i) != kind) segment++;
        layout->forth[i] = segment;
        if (!layout->is_run[i]) continue;
        kind = segment_kind(layout, i);
        layout->runs_whole[segment] = layout->is_whole[i];
        layout->segment_block[segment] = layout->block[i];
        layout->cuts[i] = layout->is_chunked && node->op->needs_batch;
        if (layout->cuts[i]) layout->runs_whole[++segment] = layout->is_whole[i];
        if (layout->cuts[i] && node->batch_sums > layout->batch_sums)
            layout->batch_sums = node->batch_sums;
    }
    layout->turn = segment;
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        if (layout->goes_back[i] && segment_kind(layout, i) != kind) segment++;
        layout->back[i] = segment;
        if (!layout->goes_back[i]) continue;
        kind = segment_kind(layout, i);
        layout->runs_whole[segment] = layout->is_whole[i];
        layout->segment_block[segment] = layout->block[i];
        if (layout->cuts[i]) layout->runs_whole[++segment] = layout->is_whole[i];
    }
    layout->segments = segment + 1;
}

fv_status fvi_layout_cut(const fvi_layout_work *work)
{
    fvi_layout *layout = work->layout;
    const fv_model *model = work->model;
    segment_count(layout, model);
    if (layout->segments > 1) segment_find_whole(layout, model);
    if (layout->use == FVI_TRAIN && layout->has_gradients && !layout->is_chunked) {
        FVI_TRY(fvi_layout_find_blocks(work));
        for (int i = 0; i < model->n_nodes && layout->blocks > 0; i++)
            layout->is_whole[i] = layout->block[i] == 0;
    }
    if (layout->segments > 1 || layout->blocks > 0) segment_number(layout, model);
    return FV_OK;
}

/* ---- How many images at a time, and what that takes ---- */

/* Floats of one image that the largest segment works on: without cuts all there are. */
static double segment_floats(const fvi_layout *layout, const fv_model *model)
{
    double floats = 0, most = 0;
    if (layout->segments == 1 || layout->blocks > 0) return (double)layout->floats;
    for (int k = 0; k < 2 * model->n_nodes; k++) { /* forward, then backward */
        const bool is_back = k >= model->n_nodes;
        const int i = is_back ? 2 * model->n_nodes - 1 - k : k;
        if (!(is_back ? layout->goes_back : layout->is_run)[i]) continue;
        const double y = (double)fvi_image_floats(&model->node[layout->home[i]].y_shape);
        if (layout->is_whole[i]) continue;
        floats += y;
        if (floats > most) most = floats;
        if (layout->cuts[i]) floats = y;
    }
    return most;
}

/* Images for which the products are so many that packing the weights does not show. */
static double segment_packed(const fvi_layout *layout, const fv_model *model)
{
    double products = 0, weights = 0;
    if (layout->blocks == 0)
        return layout->products > 0 ? SEGMENT_PACK * layout->multiplied / layout->products : 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const double made = layout->block[i] > 0 ? fvi_model_multiplied(&model->node[i]) : 0;
        products += made;
        if (made > 0) weights += (double)model->node[i].weight[0].count;
    }
    return products > 0 ? SEGMENT_PACK * weights / products : 0;
}

/* As many as stay in the cache, or as many as make the packing of weights small, if that is more.
   Geometry alone decides: a sum over a batch is made chunk by chunk. */
int fvi_layout_chunk(const fvi_layout *layout, const fv_model *model)
{
    const fv_shape *x = &model->node[model->input].y_shape;
    double image = segment_floats(layout, model) + (double)fvi_image_floats(x);
    for (int i = 0; i < model->n_nodes && layout->has_gradients; i++)
        image += (double)model->node[i].state_per_image / sizeof(float);
    /* A block has more, for each of its chunks also adds gradients up; and threads share them best if
       they are two, four or eight. */
    const double floats = (double)SEGMENT_CHUNK * (layout->blocks > 0 ? 2 : 1);
    const double cached = floats / (image > 1 ? image : 1);
    const double packed = segment_packed(layout, model);
    const double chunk = cached > packed ? cached : packed;
    int even = 1;
    if ((!layout->is_chunked && layout->blocks == 0) || chunk >= model->max_batch)
        return model->max_batch;
    while (even < chunk && even <= model->max_batch / 2)
        even *= 2;
    return layout->blocks > 0 ? even : chunk < 1 ? 1 : (int)chunk;
}

int fvi_layout_chunks(const fvi_layout *layout, int n)
{
    int chunks = n / layout->chunk + (n % layout->chunk != 0);
    if (layout->use != FVI_TRAIN || !layout->is_chunked) return chunks;
    if (chunks == 1 && n > 1 && n * layout->products >= SEGMENT_TWO) chunks = 2;
    while (chunks < FVI_PARTS && (chunks & (chunks - 1)) != 0)
        chunks++;
    return chunks < n ? chunks : n;
}

static fv_status segment_states(fvi_layout *layout, const fv_model *model)
{
    const size_t images = (size_t)(layout->segments > 1 ? model->max_batch : layout->chunk);
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        size_t bytes;
        bool fits = fvi_mul(&bytes, node->state_per_image, images) &&
                    fvi_sum(&bytes, bytes, node->state_fixed);
        if (fits && bytes == 0) continue;
        layout->state[i] = layout->states;
        fits = fits && fvi_sum(&bytes, bytes, 63) &&
               fvi_sum(&layout->states, layout->states, bytes - bytes % 64);
        if (!fits) return fvi_layout_too_many();
    }
    return FV_OK;
}

/* Copies of weights that another layer's scales are folded into, each followed by a bias. Scale and
   offset of the widest come last, and as many zeros. */
static void segment_folded(fvi_layout *layout, const fv_model *model)
{
    size_t widest = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (layout->norm[i] < 0) continue;
        const size_t channels = (size_t)node->y_shape.dim[node->y_shape.rank - 1];
        layout->folded[i] = layout->folded_floats;
        layout->folded_floats += fvi_model_aligned(node->weight[0].count + channels);
        if (channels > widest) widest = channels;
    }
    layout->fold_channels = widest;
}

fv_status fvi_layout_count(fvi_layout *layout, const fv_model *model)
{
    size_t floats, batch;
    segment_folded(layout, model);
    if (layout->has_gradients) FVI_TRY(segment_states(layout, model));
    bool fits = fvi_mul(&floats, layout->floats, (size_t)layout->chunk) &&
                fvi_mul(&floats, floats, sizeof(float)) &&
                fvi_mul(&batch, layout->batch_floats, (size_t)model->max_batch) &&
                fvi_mul(&batch, batch, sizeof(float));
    return fits ? FV_OK : fvi_layout_too_many();
}
