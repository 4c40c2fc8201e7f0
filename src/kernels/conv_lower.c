/* SPDX-License-Identifier: MIT */
/* Convolution as packed matrix products: what each pass gathers from where. */
#include "kernels/conv_internal.h"

#include <string.h>

/* A geometry in its simplest form. */
static fvi_conv_shape conv_shape(const fvi_conv *g, int N)
{
    fvi_conv_shape s = {N,     g->H,  g->W,  g->C,       g->F,        g->KH, g->KW, g->SH,
                        g->SW, g->DH, g->DW, g->pad_top, g->pad_left, g->OH, g->OW};
    if (s.KH == 1) s.DH = 1;
    if (s.KW == 1) s.DW = 1;
    if (s.OH == 1) s.SH = 1;
    if (s.OW == 1) s.SW = 1;
    const bool is_whole = s.OH == 1 && s.OW == 1 && s.KH == s.H && s.KW == s.W && s.DH == 1 &&
                          s.DW == 1 && s.pad_top == 0 && s.pad_left == 0;
    if (is_whole) { /* the kernel covers the image: a dense layer */
        s.C *= s.H * s.W;
        s.KH = s.KW = s.H = s.W = 1;
    }
    const bool is_pointwise = s.KH == 1 && s.KW == 1 && s.SH == 1 && s.SW == 1 && s.OH == s.H &&
                              s.OW == s.W && s.pad_top == 0 && s.pad_left == 0;
    if (is_pointwise) {
        s.W = s.OW = s.N * s.H * s.W;
        s.H = s.OH = 1;
        s.N = s.W > 0;
    }
    return s;
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
    taps = (size_t)(s.KH * s.KW);
    if (!fvi_gather_scratch(&forward, k, taps, (size_t)s.C, (size_t)s.F) ||
        !fvi_gather_scratch(&backward, k, taps, (size_t)s.F, (size_t)s.C))
        return fvi_fail(FV_E_SHAPE, "a convolution of %d to %d channels is too large", g->C, g->F);
    const size_t copies = (weights + F) * (size_t)(fvi_conv_shards(&s) - 1);
    *floats = forward > backward ? forward : backward;
    if (copies > *floats) *floats = copies;
    return FV_OK;
}

void fvi_conv_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                      float *y, const float *x, const float *w, const float *b, bool is_clipped,
                      float *scratch)
{
    const fvi_conv_shape s = conv_shape(g, N);
    const fvi_gather gather = {
        .h = {s.OH, 0, 1, s.H, s.SH, -s.pad_top, s.DH, s.KH, 0, 1},
        .w = {s.OW, 0, 1, s.W, s.SW, -s.pad_left, s.DW, s.KW, 0, 1},
        .N = s.N,
        .depth = s.C,
        .columns = s.F,
        .out_h = s.OH,
        .out_w = s.OW,
        .out = y,
        .source = x,
        .weights = w,
        .kernel_w = s.KW,
        .start = b,
        .is_clipped = is_clipped,
    };
    fvi_gather_run(k, threads, &gather, scratch);
}

/* Input indices h with (h + pad) mod stride = residue get their gradient from the taps kh with
   kh*dilation of the same residue: h = start + i*stride reads output index (h + pad - kh*dilation)
   / stride, an exact quotient. Taps are taken from the last to the first, so that they read the
   output upwards. False: no input index or no tap. */
static bool conv_residue(fvi_gather_axis *axis, ptrdiff_t residue, ptrdiff_t size, ptrdiff_t taps,
                         ptrdiff_t stride, ptrdiff_t dilation, ptrdiff_t pad, ptrdiff_t out_size)
{
    const ptrdiff_t start = ((residue - pad) % stride + stride) % stride;
    ptrdiff_t first = -1, step = 0, count = 0;
    for (ptrdiff_t t = 0; t < taps; ++t) {
        if (t * dilation % stride != residue) continue;
        if (count == 1) step = t - first;
        if (count == 0) first = t;
        ++count;
    }
    if (count == 0 || start >= size) return false;
    const ptrdiff_t last = first + (count - 1) * step;
    *axis = (fvi_gather_axis){
        .count = (size - start + stride - 1) / stride,
        .start = start,
        .step = stride,
        .source_size = out_size,
        .source_step = 1,
        .source_first = (start + pad - last * dilation) / stride,
        .gap = count > 1 ? step * dilation / stride : 1,
        .taps = count,
        .kernel_first = last,
        .kernel_step = -step,
    };
    return true;
}

/* Some tap reaches every residue: no input index goes without. */
static bool conv_meets_all(ptrdiff_t taps, ptrdiff_t stride, ptrdiff_t dilation)
{
    fvi_gather_axis axis;
    for (ptrdiff_t i = 0; i < stride; ++i) {
        if (!conv_residue(&axis, i, stride, taps, stride, dilation, 0, 1)) return false;
    }
    return true;
}

void fvi_conv_input_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                             float *dx, const float *dy, const float *w, bool is_added,
                             float *scratch)
{
    const fvi_conv_shape s = conv_shape(g, N);
    if (fvi_scatter_pays(k, &s)) {
        fvi_scatter_run(k, threads, &s, dx, dy, w, is_added, scratch);
        return;
    }
    const bool has_gaps = !conv_meets_all(s.KH, s.SH, s.DH) || !conv_meets_all(s.KW, s.SW, s.DW);
    if (has_gaps && !is_added) memset(dx, 0, (size_t)(s.N * s.H * s.W * s.C) * sizeof *dx);
    fvi_gather gather = {
        .N = s.N,
        .depth = s.F,
        .columns = s.C,
        .out_h = s.H,
        .out_w = s.W,
        .out = dx,
        .source = dy,
        .weights = w,
        .kernel_w = s.KW,
        .is_transposed = true,
        .is_added = is_added,
    };
    for (ptrdiff_t i = 0; i < s.SH; ++i) {
        if (!conv_residue(&gather.h, i, s.H, s.KH, s.SH, s.DH, s.pad_top, s.OH)) continue;
        for (ptrdiff_t j = 0; j < s.SW; ++j) {
            if (conv_residue(&gather.w, j, s.W, s.KW, s.SW, s.DW, s.pad_left, s.OW))
                fvi_gather_run(k, threads, &gather, scratch);
        }
    }
}

void fvi_conv_weight_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                              float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    const fvi_conv_shape s = conv_shape(g, N);
    if (s.N > 0) {
        fvi_conv_weights(k, threads, &s, dw, db, x, dy, scratch);
        return;
    }
    memset(dw, 0, (size_t)(s.KH * s.KW * s.C * s.F) * sizeof *dw);
    if (db) memset(db, 0, (size_t)s.F * sizeof *db);
}
