/* SPDX-License-Identifier: MIT */
/* Max, average and global pooling: images [H,W,C] to [OH,OW,C] or [C]; padding takes no part. */
#include "ops/op.h"

#include <limits.h>
#include <math.h>

/* A window that lies wholly in padding would have nothing to take the maximum or mean of. "same"
   never makes one; pads smaller than the pool cannot. */
static fv_status pool2d_check_pads(const fv_pool2d_config *c)
{
    for (int side = 0; c->padding == FV_EXPLICIT && side < 4; side++) {
        int size = c->pool_size[side / 2];
        if (c->pads[side] < size) continue;
        return fvi_fail(FV_E_SHAPE,
                        "pad %d is not smaller than pool size %d: a window would lie wholly in "
                        "padding",
                        c->pads[side], size);
    }
    return FV_OK;
}

static fv_status pool2d_infer(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    const fv_pool2d_config *c = n->config;
    const fv_shape *x = &n->x_shape[0];
    fvi_window window[2];
    size_t count = 0;
    FVI_TRY(fvi_node_begin(n, sizeof(fvi_pool)));
    FVI_TRY(fvi_node_rank(n, 0, 3));
    const fvi_slide slide = {.what = "pool",
                             .size = c->pool_size,
                             .strides = c->strides,
                             .padding = c->padding,
                             .pads = c->pads};
    FVI_TRY(pool2d_check_pads(c));
    FVI_TRY(fvi_slide_fit(window, &slide, x));
    fvi_pool *p = n->geometry;
    *p = (fvi_pool){.H = x->dim[0],
                    .W = x->dim[1],
                    .C = x->dim[2],
                    .KH = c->pool_size[0],
                    .KW = c->pool_size[1],
                    .SH = c->strides[0],
                    .SW = c->strides[1],
                    .pad_top = window[0].before,
                    .pad_left = window[1].before,
                    .OH = window[0].out,
                    .OW = window[1].out};
    n->y_shape = (fv_shape){3, {p->OH, p->OW, p->C}};
    return fvi_shape_count(&count, &n->y_shape);
}

/* One window over the whole image. */
static fv_status pool2d_infer_global(fvi_node *n, const fvi_setup *setup)
{
    (void)setup;
    const fv_shape *x = &n->x_shape[0];
    FVI_TRY(fvi_node_begin(n, sizeof(fvi_pool)));
    FVI_TRY(fvi_node_rank(n, 0, 3));
    int H = x->dim[0], W = x->dim[1], C = x->dim[2];
    fvi_pool *p = n->geometry;
    *p = (fvi_pool){.H = H, .W = W, .C = C, .KH = H, .KW = W, .SH = H, .SW = W, .OH = 1, .OW = 1};
    n->y_shape = (fv_shape){1, {C}};
    return FV_OK;
}

/* A training forward leaves for backward which element of its window each maximum is. */
static fv_status pool2d_room(fvi_node *n)
{
    const fvi_pool *p = n->geometry;
    if ((int64_t)p->KH * p->KW >= UINT32_MAX) {
        return fvi_fail(FV_E_UNSUPPORTED, "a pool of %dx%d has too many elements to number", p->KH,
                        p->KW);
    }
    size_t numbers = (size_t)p->OH * (size_t)p->OW * (size_t)p->C;
    if (fvi_mul(&n->state_per_image, numbers, fvi_pool_place_bytes(p))) return FV_OK;
    return fvi_fail(FV_E_SHAPE, "the outputs are too many to number");
}

static fv_status pool2d_infer_max(fvi_node *n, const fvi_setup *setup)
{
    FVI_TRY(pool2d_infer(n, setup));
    return pool2d_room(n);
}

static fv_status pool2d_infer_global_max(fvi_node *n, const fvi_setup *setup)
{
    FVI_TRY(pool2d_infer_global(n, setup));
    return pool2d_room(n);
}

/* Where image i of the batch begins. */
static size_t pool2d_x(const fvi_pool *p, int i)
{
    return (size_t)i * (size_t)p->H * (size_t)p->W * (size_t)p->C;
}

static size_t pool2d_y(const fvi_pool *p, int i)
{
    return (size_t)i * (size_t)p->OH * (size_t)p->OW * (size_t)p->C;
}

static unsigned char *pool2d_place(const fvi_run *r, int i)
{
    unsigned char *places = r->state;
    return places ? places + (size_t)i * r->node->state_per_image : NULL;
}

static void pool2d_max_image(const fvi_run *r, int i)
{
    const fvi_pool *p = r->node->geometry;
    r->k->max_pool(p, r->y + pool2d_y(p, i), pool2d_place(r, i), r->x[0] + pool2d_x(p, i),
                   r->masks);
}

static void pool2d_max_image_back(const fvi_run *r, int i)
{
    const fvi_pool *p = r->node->geometry;
    r->k->max_pool_gradient(p, r->dx[0] + pool2d_x(p, i), r->dy + pool2d_y(p, i),
                            pool2d_place(r, i), r->adds[0]);
}

static void pool2d_average_image(const fvi_run *r, int i)
{
    const fvi_pool *p = r->node->geometry;
    r->k->average_pool(p, r->y + pool2d_y(p, i), r->x[0] + pool2d_x(p, i));
}

static void pool2d_average_image_back(const fvi_run *r, int i)
{
    const fvi_pool *p = r->node->geometry;
    r->k->average_pool_gradient(p, r->dx[0] + pool2d_x(p, i), r->dy + pool2d_y(p, i), r->adds[0]);
}

static void pool2d_max_forward(const fvi_run *r)
{
    fvi_each_image(r, pool2d_max_image);
}

static void pool2d_max_backward(const fvi_run *r)
{
    if (r->dx[0]) fvi_each_image(r, pool2d_max_image_back);
}

static void pool2d_average_forward(const fvi_run *r)
{
    fvi_each_image(r, pool2d_average_image);
}

static void pool2d_average_backward(const fvi_run *r)
{
    if (r->dx[0]) fvi_each_image(r, pool2d_average_image_back);
}

#define POOL2D_AT(member) offsetof(fv_pool2d_config, member)

static const fvi_field pool2d_fields[] = {
    {.key = "pool_size",
     .kind = FVI_FIELD_PAIR,
     .offset = POOL2D_AT(pool_size),
     .standard = 2,
     .least = 1,
     .most = INT_MAX},
    {.key = "strides",
     .kind = FVI_FIELD_PAIR,
     .offset = POOL2D_AT(strides),
     .extra = POOL2D_AT(pool_size),
     .standard = NAN,
     .least = 1,
     .most = INT_MAX},
    {.key = "padding",
     .kind = FVI_FIELD_PADDING,
     .offset = POOL2D_AT(padding),
     .extra = POOL2D_AT(pads)},
    {.key = "data_format", .kind = FVI_FIELD_IGNORED, .words = fvi_channels_last},
};

static const fvi_word pool2d_false[] = {{"False", FVI_VALUE_BOOL}, {NULL, 0}};

static const fvi_field pool2d_global_fields[] = {
    {.key = "data_format", .kind = FVI_FIELD_IGNORED, .words = fvi_channels_last},
    {.key = "keepdims", .kind = FVI_FIELD_IGNORED, .words = pool2d_false},
};

const fvi_op fvi_op_max_pooling2d = {
    .name = "MaxPooling2D",
    .alias = "MaxPool2D",
    .config_size = sizeof(fv_pool2d_config),
    .fields = pool2d_fields,
    .n_fields = FVI_COUNT(pool2d_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pool2d_infer_max,
    .forward = pool2d_max_forward,
    .backward = pool2d_max_backward,
    .has_places = true,
    .can_mask = true,
    .drops_x = true,
    .drops_y = true,
};

const fvi_op fvi_op_average_pooling2d = {
    .name = "AveragePooling2D",
    .alias = "AvgPool2D",
    .config_size = sizeof(fv_pool2d_config),
    .fields = pool2d_fields,
    .n_fields = FVI_COUNT(pool2d_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pool2d_infer,
    .forward = pool2d_average_forward,
    .backward = pool2d_average_backward,
    .drops_x = true,
    .drops_y = true,
};

const fvi_op fvi_op_global_average_pooling2d = {
    .name = "GlobalAveragePooling2D",
    .alias = "GlobalAvgPool2D",
    .config_size = sizeof(fv_layer_config),
    .fields = pool2d_global_fields,
    .n_fields = FVI_COUNT(pool2d_global_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pool2d_infer_global,
    .forward = pool2d_average_forward,
    .backward = pool2d_average_backward,
    .drops_x = true,
    .drops_y = true,
};

const fvi_op fvi_op_global_max_pooling2d = {
    .name = "GlobalMaxPooling2D",
    .alias = "GlobalMaxPool2D",
    .config_size = sizeof(fv_layer_config),
    .fields = pool2d_global_fields,
    .n_fields = FVI_COUNT(pool2d_global_fields),
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = pool2d_infer_global_max,
    .forward = pool2d_max_forward,
    .backward = pool2d_max_backward,
    .has_places = true,
    .can_mask = true,
    .drops_x = true,
    .drops_y = true,
};
