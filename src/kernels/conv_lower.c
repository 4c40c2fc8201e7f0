/* SPDX-License-Identifier: MIT */
/* Convolution as packed matrix products: what each pass gathers from where. */
#include "kernels/conv_internal.h"

#include <string.h>

#define CONV_SUM_ROWS 48    /* floats of a kernel row that a weight gradient may take as one tap */
#define CONV_GROUP_MOST 256 /* floats from output to output: few, so that zeros cost little */
/* Floats of a weight gradient that are made at a time: as many as CONV_PIECE_IMAGES pictures and outputs,
   which each piece reads again. */
#define CONV_PIECE_LEAST ((size_t)256 * 1024)
#define CONV_PIECE_MOST ((size_t)1024 * 1024)
#define CONV_PIECE_IMAGES 4.0
#define CONV_PIECES 16384 /* of a kernel that memory may hold: each is planned for */

/* A geometry in its simplest form. */
static fvi_conv_shape conv_shape(const fvi_conv *g, int N)
{
    fvi_conv_shape s = {N,           g->H,  g->W,  g->C,  g->F,  g->KH,
                        g->KW,       g->SH, g->SW, g->DH, g->DW, g->pad_top,
                        g->pad_left, g->OH, g->OW, g->C,  g->F,  g->groups > 1 ? g->groups : 1};
    if (s.KH == 1) s.DH = 1;
    if (s.KW == 1) s.DW = 1;
    if (s.OH == 1) s.SH = 1;
    if (s.OW == 1) s.SW = 1;
    const bool is_whole = s.groups == 1 && s.OH == 1 && s.OW == 1 && s.KH == s.H && s.KW == s.W &&
                          s.DH == 1 && s.DW == 1 && s.pad_top == 0 && s.pad_left == 0;
    if (is_whole) { /* the kernel covers the image: a dense layer */
        s.x_pitch = s.C *= s.H * s.W;
        s.KH = s.KW = s.H = s.W = 1;
    }
    const bool is_pointwise = (s.groups < s.C || s.groups == 1) && s.KH == 1 && s.KW == 1 &&
                              s.SH == 1 && s.SW == 1 && s.OH == s.H && s.OW == s.W &&
                              s.pad_top == 0 && s.pad_left == 0;
    if (is_pointwise) {
        s.W = s.OW = s.N * s.H * s.W;
        s.H = s.OH = 1;
        s.N = s.W > 0;
    }
    return s;
}

/* ---- few filters: neighbouring output pixels together ---- */

/* With fewer filters than a vector has lanes, P neighbouring outputs make one pixel of P * F
   filters, contiguous in y as it is, under a kernel wide enough for all of them: each one's weights
   stand where its own taps are, with zeros beside them. (Where the input is not finite, the zeros
   carry it over to the neighbours.) Vectors of products an output then costs decide on P. */
static ptrdiff_t conv_group(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->tiles->lanes, most = lanes * k->tiles->vectors_max;
    ptrdiff_t best = 1;
    double least = (double)s->KW; /* one vector a tap */
    if (s->groups > 1 || s->DW > 1 || s->KW == 1 || s->F >= lanes ||
        s->KW * s->C * s->SW > CONV_GROUP_MOST)
        return 1;
    for (ptrdiff_t P = 2; P * s->F <= most; ++P) {
        const ptrdiff_t vectors = (P * s->F - 1) / lanes + 1;
        const double cost = (double)(vectors * (s->KW + (P - 1) * s->SW)) / (double)P;
        if (s->OW % P != 0 || cost >= 0.8 * least) continue;
        best = P;
        least = cost;
    }
    return best;
}

/* The same for the weight gradient, of which each kernel row is a tile of KW * C inputs by F: P
   outputs together make a wide one, whose zeros are not used. A tile of few sums waits for each of
   them for as long as eight would take. */
static ptrdiff_t conv_sum_group(const fvi_kernels *k, const fvi_conv_shape *s)
{
    const ptrdiff_t lanes = k->tiles->lanes, most = lanes * k->tiles->vectors_max;
    ptrdiff_t best = 1;
    double least = 0;
    if (s->groups > 1 || s->DW > 1 || s->KW == 1 || s->F >= lanes) return 1;
    for (ptrdiff_t P = 1; P * s->F <= most; ++P) {
        const ptrdiff_t vectors = (P * s->F - 1) / lanes + 1;
        const ptrdiff_t rows = (s->KW + (P - 1) * s->SW) * s->C;
        const ptrdiff_t tiles = (rows - 1) / k->tiles->rows_max + 1;
        if (rows > CONV_SUM_ROWS) break;
        const double sums = (double)(rows * vectors), fewest = 8.0 * (double)tiles;
        const double cost = (sums > fewest ? sums : fewest) / (double)P;
        if (s->OW % P != 0 || (P > 1 && cost >= 0.9 * least)) continue;
        best = P;
        least = cost;
    }
    return best;
}

static fvi_conv_shape conv_wide_shape(const fvi_conv_shape *s, ptrdiff_t P)
{
    fvi_conv_shape wide = *s;
    wide.F *= P;
    wide.y_pitch *= P;
    wide.OW /= P;
    wide.KW += (P - 1) * s->SW;
    wide.SW *= P;
    return wide;
}

/* The wide kernel's weights, then its bias. */
static void conv_widen(float *to, const fvi_conv_shape *s, ptrdiff_t P, const float *w,
                       const float *b)
{
    const ptrdiff_t KW = s->KW + (P - 1) * s->SW, F = s->F, size = s->KH * KW * s->C * P * F;
    memset(to, 0, (size_t)(size + P * F) * sizeof *to);
    for (ptrdiff_t i = 0; i < s->KH * s->KW * s->C; ++i) {
        const ptrdiff_t kh = i / s->C / s->KW, kw = i / s->C % s->KW, c = i % s->C;
        for (ptrdiff_t p = 0; p < P; ++p) {
            float *at = to + (((kh * KW + kw + p * s->SW) * s->C + c) * P + p) * F;
            memcpy(at, w + i * F, (size_t)F * sizeof *to);
        }
    }
    for (ptrdiff_t p = 0; b && p < P; ++p)
        memcpy(to + size + p * F, b, (size_t)F * sizeof *to);
}

/* Each weight's gradient from its P places in the wide kernel's. */
static void conv_fold(const fvi_conv_shape *s, ptrdiff_t P, float *dw, float *db, const float *wide)
{
    const ptrdiff_t KW = s->KW + (P - 1) * s->SW, F = s->F, size = s->KH * KW * s->C * P * F;
    for (ptrdiff_t i = 0; i < s->KH * s->KW * s->C; ++i) {
        const ptrdiff_t kh = i / s->C / s->KW, kw = i / s->C % s->KW, c = i % s->C;
        for (ptrdiff_t f = 0; f < F; ++f) {
            float sum = 0;
            for (ptrdiff_t p = 0; p < P; ++p)
                sum += wide[(((kh * KW + kw + p * s->SW) * s->C + c) * P + p) * F + f];
            dw[i * F + f] = sum;
        }
    }
    for (ptrdiff_t f = 0; db && f < F; ++f) {
        db[f] = 0;
        for (ptrdiff_t p = 0; p < P; ++p)
            db[f] += wide[size + p * F + f];
    }
}

/* ---- a part of the weight gradient ---- */

size_t fvi_conv_rows(const fvi_conv *g)
{
    return (size_t)g->KH * (size_t)g->KW * (size_t)g->C / (size_t)(g->groups > 1 ? g->groups : 1);
}

/* Rows of F weights that a piece has at most. */
static size_t conv_piece_rows(const fvi_conv *g)
{
    const double pictures =
        CONV_PIECE_IMAGES * ((double)g->H * g->W * g->C + (double)g->OH * g->OW * g->F);
    size_t floats = CONV_PIECE_MOST;
    if (pictures < (double)CONV_PIECE_MOST) floats = (size_t)pictures;
    if (floats < CONV_PIECE_LEAST) floats = CONV_PIECE_LEAST;
    return (size_t)g->F < floats ? floats / (size_t)g->F : 1;
}

/* Kernel rows, else taps of one, else channels of the only one. */
size_t fvi_conv_piece(const fvi_conv *g, size_t first)
{
    const size_t all = fvi_conv_rows(g), C = (size_t)g->C;
    const size_t most = conv_piece_rows(g), kernel_row = (size_t)g->KW * C;
    if (g->groups > 1 || all <= most || all / most > CONV_PIECES) return all - first;
    if (all == C) return most < all - first ? most : all - first;
    if (kernel_row <= most) {
        const size_t rows = most / kernel_row * kernel_row;
        return rows < all - first ? rows : all - first;
    }
    const size_t taps = C < most ? most / C * C : C, left = kernel_row - first % kernel_row;
    return taps < left ? taps : left;
}

/* The shape whose whole weight gradient these rows of s's are, and what it reads of x begins so many
   floats later. */
static fvi_conv_shape conv_part(const fvi_conv_shape *s, size_t first, size_t rows,
                                ptrdiff_t *x_first)
{
    const ptrdiff_t at = (ptrdiff_t)first, count = (ptrdiff_t)rows, kernel_row = s->KW * s->C;
    fvi_conv_shape part = *s;
    *x_first = at % s->C;
    if (count == s->KH * kernel_row) return part;
    part.pad_top -= at / kernel_row * s->DH;
    part.KH = fvi_max(1, count / kernel_row);
    if (count % kernel_row == 0) return part;
    part.pad_left -= at % kernel_row / s->C * s->DW;
    part.KW = fvi_max(1, count / s->C);
    part.C = fvi_min(count, s->C);
    return part;
}

/* Floats of scratch that all pieces of a weight gradient need. */
static bool conv_pieces_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv *g,
                                const fvi_conv_shape *s)
{
    const size_t all = fvi_conv_rows(g);
    for (size_t first = 0, rows; first < all; first += rows) {
        ptrdiff_t x_first;
        size_t most;
        rows = fvi_conv_piece(g, first);
        if (rows == all) return true;
        const fvi_conv_shape part = conv_part(s, first, rows, &x_first);
        if (fvi_sums_pays(k, &part))
            most = fvi_sums_scratch(k, &part);
        else if (!fvi_conv_weights_scratch(&most, k, &part))
            return false;
        if (most > *floats) *floats = most;
    }
    return true;
}

fv_status fvi_conv_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv *g, int N)
{
    const size_t C = (size_t)g->C, F = (size_t)g->F;
    size_t taps, weights, in, out, forward, backward;
    bool fits = fvi_mul(&taps, (size_t)g->KH, (size_t)g->KW) && fvi_mul(&weights, taps, C) &&
                fvi_mul(&weights, weights, F) && fvi_mul(&in, (size_t)g->H, (size_t)g->W) &&
                fvi_mul(&in, in, (size_t)N) && fvi_mul(&in, in, C) &&
                fvi_mul(&out, (size_t)g->OH, (size_t)g->OW) && fvi_mul(&out, out, (size_t)N) &&
                fvi_mul(&out, out, F);
    /* A quarter of the address space in bytes each: no coordinate or sum of a few leaves
       ptrdiff_t. */
    const size_t limit = PTRDIFF_MAX / (2 * sizeof(float));
    if (!fits || weights > limit || in > limit || out > limit)
        return fvi_fail(FV_E_SHAPE, "a %dx%d convolution of %dx%dx%d inputs to %d is too large",
                        g->KH, g->KW, g->H, g->W, g->C, g->F);
    const fvi_conv_shape s = conv_shape(g, N);
    if (s.groups == s.C && s.groups > 1) {
        *floats = (size_t)((s.KH * s.KW + 1) * s.F * (fvi_depthwise_shards(&s) - 1));
        return FV_OK;
    }
    const size_t in_sums = fvi_sums_pays(k, &s) ? fvi_sums_scratch(k, &s) : 0;
    if (s.groups > 1) {
        if (fvi_groups_scratch(floats, k, &s)) {
            if (in_sums > *floats) *floats = in_sums;
            return FV_OK;
        }
        return fvi_fail(FV_E_SHAPE, "a convolution of %d to %d channels is too large", g->C, g->F);
    }
    taps = (size_t)(s.KH * s.KW);
    if (!fvi_gather_scratch(&forward, k, taps, (size_t)s.C, (size_t)s.F) ||
        !fvi_gather_scratch(&backward, k, taps, (size_t)s.F, (size_t)s.C))
        return fvi_fail(FV_E_SHAPE, "a convolution of %d to %d channels is too large", g->C, g->F);
    const fvi_conv_shape wide = conv_wide_shape(&s, conv_group(k, &s));
    if (wide.F > s.F) {
        fvi_gather_scratch(&forward, k, (size_t)(wide.KH * wide.KW), (size_t)s.C, (size_t)wide.F);
        forward += (size_t)((wide.KH * wide.KW * s.C + 1) * wide.F);
    }
    const ptrdiff_t P = conv_sum_group(k, &s);
    const fvi_conv_shape sums = conv_wide_shape(&s, P);
    const size_t copy = (size_t)((sums.KH * sums.KW * sums.C + 1) * sums.F);
    size_t most;
    if (!fvi_conv_weights_scratch(&most, k, &sums) || !fvi_sum(&most, most, P > 1 ? copy : 0) ||
        !conv_pieces_scratch(&most, k, g, &s))
        return fvi_fail(FV_E_SHAPE, "a convolution of %d to %d channels is too large", g->C, g->F);
    *floats = forward > backward ? forward : backward;
    if (most > *floats) *floats = most;
    if (in_sums > *floats) *floats = in_sums;
    const size_t sparse = fvi_sparse_scratch(&s);
    if (sparse > *floats) *floats = sparse;
    return FV_OK;
}

/* ---- the way of each pass ---- */

typedef enum conv_pass { CONV_FORWARD, CONV_INPUT_GRADIENT, CONV_WEIGHT_GRADIENT } conv_pass;

typedef enum conv_way {
    CONV_GATHER,    /* or of weight gradients: runs */
    CONV_WIDE,      /* neighbouring outputs as filters of one */
    CONV_GROUPS,    /* of several channels each */
    CONV_DEPTHWISE, /* of one */
    CONV_SUMS,      /* of weight gradients: of rows of 3 taps */
    CONV_PLANES,
    CONV_DOT,
    CONV_SCATTER,
} conv_way;

/* The only place that knows what there is to choose from. Geometry and instruction set decide, never
   how many images or threads there are: an image's result must not depend on its neighbours. */
static conv_way conv_choose(const fvi_kernels *k, const fvi_conv_shape *s, conv_pass pass)
{
    const bool is_depthwise = s->groups > 1 && s->groups == s->C;
    if (pass == CONV_WEIGHT_GRADIENT && !is_depthwise && fvi_sums_pays(k, s)) return CONV_SUMS;
    if (s->groups > 1) return is_depthwise ? CONV_DEPTHWISE : CONV_GROUPS;
    switch (pass) {
    case CONV_FORWARD:
        if (fvi_planes_pays(k, s)) return CONV_PLANES;
        if (fvi_dot_pays(s)) return CONV_DOT;
        return conv_group(k, s) > 1 ? CONV_WIDE : CONV_GATHER;
    case CONV_INPUT_GRADIENT:
        return fvi_scatter_pays(k, s) ? CONV_SCATTER : CONV_GATHER;
    case CONV_WEIGHT_GRADIENT:
        return conv_sum_group(k, s) > 1 ? CONV_WIDE : CONV_GATHER;
    }
    return CONV_GATHER;
}

/* ---- forward ---- */

void fvi_conv_slice(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                    const float *x, const float *w, const fvi_conv_end *end, float *scratch)
{
    const fvi_gather gather = {
        .h = {s->OH, 0, 1, s->H, s->SH, -s->pad_top, s->DH, s->KH, 0, 1},
        .w = {s->OW, 0, 1, s->W, s->SW, -s->pad_left, s->DW, s->KW, 0, 1},
        .N = s->N,
        .depth = s->C,
        .columns = s->F,
        .source_pitch = s->x_pitch,
        .out_pitch = s->y_pitch,
        .out_h = s->OH,
        .out_w = s->OW,
        .out = y,
        .source = x,
        .weights = w,
        .kernel_w = s->KW,
        .start = end->bias,
        .residual = end->residual,
        .is_clipped = end->is_clipped,
        .most = end->most,
    };
    if (s->groups > 1)
        fvi_depthwise_run(k, threads, &gather, 1);
    else
        fvi_gather_run(k, threads, &gather, scratch);
}

void fvi_conv_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                      float *y, const float *x, const float *w, const fvi_conv_end *end,
                      float *scratch)
{
    const fvi_conv_shape s = conv_shape(g, N);
    if (s.N == 0) return;
    switch (conv_choose(k, &s, CONV_FORWARD)) {
    case CONV_GROUPS:
        fvi_groups_forward(k, threads, &s, y, x, w, end->bias, end->is_clipped, scratch);
        return;
    case CONV_PLANES:
        fvi_planes_run(k, threads, &s, y, NULL, x, w, end->bias, end->is_clipped);
        return;
    case CONV_DOT:
        fvi_dot_run(k, threads, &s, y, x, w, end->bias, end->is_clipped);
        return;
    case CONV_WIDE: {
        const ptrdiff_t P = conv_group(k, &s);
        const fvi_conv_shape wide = conv_wide_shape(&s, P);
        float *wide_w = scratch, *wide_b = wide_w + wide.KH * wide.KW * wide.C * wide.F;
        fvi_conv_end wide_end = *end;
        wide_end.bias = wide_b;
        conv_widen(wide_w, &s, P, w, end->bias);
        fvi_conv_slice(k, threads, &wide, y, x, wide_w, &wide_end, wide_b + wide.F);
        return;
    }
    default:
        fvi_conv_slice(k, threads, &s, y, x, w, end, scratch);
    }
}

bool fvi_conv_adds(const fvi_kernels *k, const fvi_conv *g)
{
    const fvi_conv_shape s = conv_shape(g, 1);
    const conv_way way = conv_choose(k, &s, CONV_FORWARD);
    return way == CONV_GATHER || way == CONV_WIDE;
}

bool fvi_conv_limits(const fvi_kernels *k, const fvi_conv *g)
{
    const fvi_conv_shape s = conv_shape(g, 1);
    return fvi_conv_adds(k, g) || conv_choose(k, &s, CONV_FORWARD) == CONV_DEPTHWISE;
}

bool fvi_conv_takes_pool(const fvi_kernels *k, const fvi_conv *g, const fvi_pool *p)
{
    const fvi_conv_shape s = conv_shape(g, 1);
    return conv_choose(k, &s, CONV_FORWARD) == CONV_PLANES && fvi_planes_takes_pool(k, &s, p);
}

void fvi_conv_pool_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                           float *y, const fvi_pooled *pooled, const float *x, const float *w,
                           const float *b, bool is_clipped)
{
    const fvi_conv_shape s = conv_shape(g, N);
    if (s.N > 0) fvi_planes_run(k, threads, &s, y, pooled, x, w, b, is_clipped);
}

/* ---- input gradient ---- */

/* Some tap reaches every residue: no input index goes without. */
static bool conv_meets_all(ptrdiff_t taps, ptrdiff_t stride, ptrdiff_t dilation)
{
    fvi_gather_axis axis;
    for (ptrdiff_t i = 0; i < stride; ++i) {
        if (!fvi_gather_residue(&axis, i, stride, taps, stride, dilation, 0, 1)) return false;
    }
    return true;
}

void fvi_conv_slice_back(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                         float *dx, const float *dy, const float *w, bool is_added,
                         const float *mask, float *scratch)
{
    fvi_gather gather = {
        .N = s->N,
        .depth = s->F,
        .columns = s->C,
        .source_pitch = s->y_pitch,
        .out_pitch = s->x_pitch,
        .out_h = s->H,
        .out_w = s->W,
        .out = dx,
        .source = dy,
        .weights = w,
        .kernel_w = s->KW,
        .is_transposed = true,
        .is_added = is_added,
        .mask = mask,
    };
    fvi_gather part[FVI_DEPTHWISE_PARTS];
    ptrdiff_t parts = 0;
    for (ptrdiff_t i = 0; i < s->SH; ++i) {
        if (!fvi_gather_residue(&gather.h, i, s->H, s->KH, s->SH, s->DH, s->pad_top, s->OH))
            continue;
        for (ptrdiff_t j = 0; j < s->SW; ++j) {
            if (!fvi_gather_residue(&gather.w, j, s->W, s->KW, s->SW, s->DW, s->pad_left, s->OW))
                continue;
            if (s->groups == 1) {
                fvi_gather_run(k, threads, &gather, scratch);
                continue;
            }
            part[parts++] = gather; /* depthwise: as many at once as there is room for */
            if (parts < FVI_DEPTHWISE_PARTS) continue;
            fvi_depthwise_run(k, threads, part, parts);
            parts = 0;
        }
    }
    if (parts > 0) fvi_depthwise_run(k, threads, part, parts);
}

void fvi_conv_input_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                             float *dx, const float *dy, const float *w, bool is_added,
                             const float *mask, float *scratch)
{
    const fvi_conv_shape s = conv_shape(g, N);
    const conv_way way = conv_choose(k, &s, CONV_INPUT_GRADIENT);
    if (way == CONV_SCATTER) {
        fvi_scatter_run(k, threads, &s, dx, dy, w, is_added, mask, scratch);
        return;
    }
    const bool has_gaps = !conv_meets_all(s.KH, s.SH, s.DH) || !conv_meets_all(s.KW, s.SW, s.DW);
    if (has_gaps && !is_added) memset(dx, 0, (size_t)(s.N * s.H * s.W * s.C) * sizeof *dx);
    if (way == CONV_GROUPS)
        fvi_groups_back(k, threads, &s, dx, dy, w, is_added, mask, scratch);
    else
        fvi_conv_slice_back(k, threads, &s, dx, dy, w, is_added, mask, scratch);
}

void fvi_conv_weight_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                              float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    const fvi_conv_shape s = conv_shape(g, N);
    if (s.N == 0) {
        memset(dw, 0, (size_t)(s.KH * s.KW * s.C / s.groups * s.F) * sizeof *dw);
        if (db) memset(db, 0, (size_t)s.F * sizeof *db);
        return;
    }
    switch (conv_choose(k, &s, CONV_WEIGHT_GRADIENT)) {
    case CONV_GROUPS:
        fvi_groups_weights(k, threads, &s, dw, db, x, dy, scratch);
        return;
    case CONV_SUMS:
        fvi_sums_run(k, threads, &s, dw, db, x, dy, scratch);
        return;
    case CONV_DEPTHWISE:
        fvi_depthwise_weights(k, threads, &s, dw, db, x, dy, scratch);
        return;
    case CONV_WIDE: {
        const ptrdiff_t P = conv_sum_group(k, &s);
        const fvi_conv_shape wide = conv_wide_shape(&s, P);
        float *sums = scratch, *bias = sums + wide.KH * wide.KW * wide.C * wide.F;
        fvi_conv_weights(k, threads, &wide, sums, db ? bias : NULL, x, dy, bias + wide.F);
        conv_fold(&s, P, dw, db, sums);
        return;
    }
    default:
        fvi_conv_weights(k, threads, &s, dw, db, x, dy, scratch);
    }
}

void fvi_conv_weight_rows(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                          size_t first, size_t rows, float *dw, float *db, const float *x,
                          const float *dy, float *scratch)
{
    if (rows == 0 || rows == fvi_conv_rows(g)) {
        fvi_conv_weight_gradient(k, threads, g, N, dw, db, x, dy, scratch);
        return;
    }
    const fvi_conv_shape s = conv_shape(g, N);
    ptrdiff_t x_first;
    const fvi_conv_shape part = conv_part(&s, first, rows, &x_first);
    if (s.N > 0) {
        const bool is_sums = conv_choose(k, &part, CONV_WEIGHT_GRADIENT) == CONV_SUMS;
        (is_sums ? fvi_sums_run : fvi_conv_weights)(k, threads, &part, dw, db, x + x_first, dy,
                                                    scratch);
        return;
    }
    memset(dw, 0, rows * (size_t)g->F * sizeof *dw);
    if (db) memset(db, 0, (size_t)g->F * sizeof *db);
}
