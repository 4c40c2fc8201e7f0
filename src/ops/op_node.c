/* SPDX-License-Identifier: MIT */
/* What the ops share: declaring weights, checking shapes, fitting windows, cutting work into
   tasks. */
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

const fvi_word fvi_channels_last[] = {{"channels_last", FVI_VALUE_STRING}, {NULL, 0}};

/* ---- infer ---- */

fv_status fvi_node_begin(fvi_node *n, size_t geometry_size)
{
    fvi_free(n->geometry);
    n->geometry = NULL;
    n->n_weights = 0;
    n->state_per_image = n->state_fixed = 0;
    n->scratch_floats = 0;
    if (geometry_size == 0) return FV_OK;
    n->geometry = fvi_alloc(1, geometry_size, "a layer's geometry");
    return n->geometry ? FV_OK : FV_E_MEMORY;
}

fv_status fvi_node_weight(fvi_node *n, const char *name, fv_shape shape, fv_initializer initializer,
                          double fan_in, double fan_out, bool is_state)
{
    if (n->n_weights >= FVI_MAX_WEIGHTS) {
        return fvi_fail(FV_E_UNSUPPORTED, "more than %d weights", FVI_MAX_WEIGHTS);
    }
    size_t count = 0;
    fv_status status = fvi_shape_count(&count, &shape);
    if (status != FV_OK) return fvi_fail_in(status, "%s", name);
    n->weight[n->n_weights++] = (fvi_weight){.name = name,
                                             .shape = shape,
                                             .initializer = initializer,
                                             .fan_in = fan_in,
                                             .fan_out = fan_out,
                                             .is_state = is_state,
                                             .count = count};
    return FV_OK;
}

fv_status fvi_node_rank(const fvi_node *n, int i, int rank)
{
    const fv_shape *x = &n->x_shape[i];
    char text[FVI_SHAPE_TEXT];
    fvi_shape_text(text, x);
    if (x->rank != rank) {
        const char *expected = rank == 3 ? "images of rank 3 (H, W, C)" : "vectors of rank 1";
        const char *flatten = rank == 1 ? "; put a Flatten before it" : "";
        return fvi_fail(FV_E_SHAPE, "%s are needed, found %s%s", expected, text, flatten);
    }
    for (int d = 0; d < rank; d++) {
        if (x->dim[d] < 1) {
            return fvi_fail(FV_E_SHAPE, "input %s; expected sizes of 1 or more", text);
        }
    }
    return FV_OK;
}

/* One axis; *span: the kernel with its dilation, *padded: the input with its padding. */
static fv_status slide_axis(fvi_window *window, const fvi_slide *s, int axis, int size,
                            int64_t *span, int64_t *padded)
{
    int k = s->size[axis], d = s->dilation ? s->dilation[axis] : 1;
    fvi_window_mode mode = s->padding == FV_SAME       ? FVI_WINDOW_SAME
                           : s->padding == FV_EXPLICIT ? FVI_WINDOW_EXPLICIT
                                                       : FVI_WINDOW_VALID;
    *window = (fvi_window){0};
    if (mode == FVI_WINDOW_EXPLICIT) {
        window->before = s->pads[2 * axis];
        window->after = s->pads[2 * axis + 1];
    }
    *span = (int64_t)(k - 1) * d + 1;
    *padded = (int64_t)size + window->before + window->after;
    return fvi_window_fit(window, mode, size, k, s->strides[axis], d);
}

fv_status fvi_slide_fit(fvi_window window[2], const fvi_slide *slide, const fv_shape *x)
{
    int64_t span[2] = {0, 0}, padded[2] = {0, 0};
    fv_status status[2];
    for (int axis = 0; axis < 2; axis++) {
        status[axis] =
            slide_axis(&window[axis], slide, axis, x->dim[axis], &span[axis], &padded[axis]);
        if (status[axis] != FV_OK && span[axis] <= padded[axis]) return status[axis];
    }
    if (status[0] == FV_OK && status[1] == FV_OK) return FV_OK;
    if (slide->padding == FV_SAME) return status[0] != FV_OK ? status[0] : status[1];
    /* Said again for both axes at once, in the words of the layer. */
    char dilated[64] = "", extended[64] = "";
    if (span[0] != slide->size[0] || span[1] != slide->size[1]) {
        snprintf(dilated, sizeof dilated, " (%lldx%lld with dilation)", (long long)span[0],
                 (long long)span[1]);
    }
    if (padded[0] != x->dim[0] || padded[1] != x->dim[1]) {
        snprintf(extended, sizeof extended, " (%lldx%lld with padding)", (long long)padded[0],
                 (long long)padded[1]);
    }
    return fvi_fail(FV_E_SHAPE,
                    "%s %dx%d%s does not fit input %dx%d%s; use padding \"same\" or a smaller %s",
                    slide->what, slide->size[0], slide->size[1], dilated, x->dim[0], x->dim[1],
                    extended, slide->what);
}

/* ---- runs ---- */

size_t fvi_image_floats(const fv_shape *shape)
{
    size_t count = 1;
    for (int d = 0; d < shape->rank; d++) {
        count *= (size_t)shape->dim[d];
    }
    return count;
}

typedef struct node_images {
    const fvi_run *r;
    void (*fn)(const fvi_run *r, int i);
} node_images;

static void node_image_task(void *context, size_t task)
{
    const node_images *job = context;
    job->fn(job->r, (int)task);
}

void fvi_each_image(const fvi_run *r, void (*fn)(const fvi_run *r, int i))
{
    node_images job = {r, fn};
    if (r->n > 0) fvi_parallel_for(r->threads, (size_t)r->n, node_image_task, &job);
}

typedef struct node_pieces {
    const fvi_run *r;
    size_t n;
    void (*fn)(const fvi_run *r, size_t first, size_t count);
} node_pieces;

static void node_piece_task(void *context, size_t task)
{
    const node_pieces *job = context;
    size_t first = task * FVI_PIECE, left = job->n - first;
    job->fn(job->r, first, left < FVI_PIECE ? left : FVI_PIECE);
}

void fvi_each_piece(const fvi_run *r, size_t n,
                    void (*fn)(const fvi_run *r, size_t first, size_t count))
{
    node_pieces job = {r, n, fn};
    if (n > 0) fvi_parallel_for(r->threads, (n - 1) / FVI_PIECE + 1, node_piece_task, &job);
}

void fvi_give(const fvi_run *r, int i, size_t at, const float *from, size_t count)
{
    float *dx = r->dx[i] + at;
    if (dx == from) return;
    if (r->adds[i])
        r->k->add(count, dx, from);
    else
        memcpy(dx, from, count * sizeof *dx);
}
