/* SPDX-License-Identifier: MIT */
/* One axis of a gather: which outputs meet which taps. */
#include "kernels/conv_internal.h"

bool fvi_gather_residue(fvi_gather_axis *axis, ptrdiff_t residue, ptrdiff_t size, ptrdiff_t taps,
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

/* Quotients rounded down and up, whatever the sign of a; b > 0. */
static ptrdiff_t axis_floor(ptrdiff_t a, ptrdiff_t b)
{
    if (b == 1) return a; /* most are, and a division takes longer than the rest */
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

static ptrdiff_t axis_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return -axis_floor(-a, b);
}

fvi_gather_span fvi_gather_span_at(const fvi_gather_axis *a, ptrdiff_t i, ptrdiff_t end)
{
    const ptrdiff_t at = a->source_first + i * a->source_step, size = a->source_size;
    const ptrdiff_t tap0 = at < 0 ? axis_ceil(-at, a->gap) : 0;
    const ptrdiff_t inside = at < size ? axis_floor(size - 1 - at, a->gap) + 1 : 0;
    const ptrdiff_t tap1 = inside < a->taps ? inside : a->taps;
    if (tap0 >= tap1) return (fvi_gather_span){i, i + 1, 0, 0};
    const ptrdiff_t last = size - 1 - (tap1 - 1) * a->gap - a->source_first;
    const ptrdiff_t behind = axis_floor(last, a->source_step) + 1; /* loses the last tap */
    if (behind < end) end = behind;
    if (tap0 == 0) return (fvi_gather_span){i, end, tap0, tap1};
    const ptrdiff_t before = axis_ceil((1 - tap0) * a->gap - a->source_first, a->source_step);
    return (fvi_gather_span){i, before < end ? before : end, tap0, tap1}; /* gains the one before */
}

bool fvi_gather_is_inside(const fvi_gather_axis *a)
{
    const fvi_gather_span span = fvi_gather_span_at(a, 0, a->count);
    return span.end == a->count && span.tap1 - span.tap0 == a->taps;
}
