/* SPDX-License-Identifier: MIT */
/* Resizing 8-bit pictures: a triangle filter, first along rows, then along columns, in whole
   numbers. */
#include "data/data_internal.h"

#include <inttypes.h>
#include <math.h>

#define RESIZE_BITS 22 /* of a weight's fraction: 255 times a sum of weights stays within 31 bits */
#define RESIZE_HALF (1 << (RESIZE_BITS - 1))
#define RESIZE_MAX_SIDE 65535
#define RESIZE_MAX_PIXELS ((size_t)1 << 28)
#define RESIZE_MAX_SPAN (1 << 24) /* of a very long picture padded to another shape */
#define RESIZE_BLOCK 512          /* sums that stay in the first-level cache */

/* The part of an axis that becomes the new axis, in pixels of the whole picture, which has `side`:
   `whole` of them from `from` on. Padding makes from negative; what the picture does not have is
   black. One input stands for `shrink` pixels, the first begins `before` pixels before the
   picture. */
typedef struct resize_span {
    int64_t from, whole;
    int side, shrink, before;
} resize_span;

/* The same in inputs, counted from input `base`, where the span begins or just before: the span is
   low to high, what the picture has of it seen_low to seen_high. step: inputs for each output. */
typedef struct resize_grid {
    int64_t base;
    double step, low, high, seen_low, seen_high;
} resize_grid;

/* How one axis goes from one size to another: output o is the sum of weight[o*taps + k] *
   input[first[o] + k], k below count[o]. */
typedef struct resize_axis {
    int out, taps;
    int *first, *count;
    int32_t *weight;
} resize_axis;

static void resize_axis_free(resize_axis *axis)
{
    fvi_free(axis->first);
    fvi_free(axis->count);
    fvi_free(axis->weight);
}

/* The triangle 1 - |x|, 0 beyond 1. */
static double resize_triangle(double x)
{
    x = x < 0.0 ? -x : x;
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* How much of input i lies between two positions. */
static double resize_overlap(double i, double low, double high)
{
    double begin = i > low ? i : low, end = i + 1.0 < high ? i + 1.0 : high;
    return end > begin ? end - begin : 0.0;
}

/* Weights of one output, normalised over the whole span before they are rounded; those of the `in`
   inputs that there are, are kept. */
static void resize_weights(resize_axis *axis, int o, int in, const resize_grid *g)
{
    double middle = (o + 0.5) * g->step + g->low, reach = g->step > 1.0 ? g->step : 1.0, sum = 0.0;
    double low = middle - reach + 0.5, high = middle + reach + 0.5, end = ceil(g->high);
    int64_t first = low > 0.0 ? (int64_t)low : 0, last = (int64_t)(high < end ? high : end);
    int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
    for (int64_t i = first; i < last; i++) {
        double x = (double)i;
        sum += resize_triangle((x + 0.5 - middle) / reach) * resize_overlap(x, g->low, g->high);
    }
    if (first < -g->base) first = -g->base;
    if (last > in - g->base) last = in - g->base;
    if (first >= last) return; /* all black: count and first stay 0 */
    for (int64_t i = first; i < last; i++) {
        double x = (double)i, seen = resize_overlap(x, g->seen_low, g->seen_high);
        double share = resize_triangle((x + 0.5 - middle) / reach) * seen / sum;
        weight[i - first] = (int32_t)(share * (1 << RESIZE_BITS) + 0.5);
    }
    axis->first[o] = (int)(first + g->base);
    axis->count[o] = (int)(last - first);
}

static resize_grid resize_grid_of(resize_span span, int out)
{
    double shrink = span.shrink, start = (double)(span.from + span.before) / shrink;
    double base = floor(start), size = (double)span.whole / shrink;
    resize_grid g = {(int64_t)base, size / out, start - base, start - base + size, 0, 0};
    double seen_low = span.before / shrink - base, seen_high = seen_low + span.side / shrink;
    g.seen_low = seen_low > g.low ? seen_low : g.low;
    g.seen_high = seen_high < g.high ? seen_high : g.high;
    return g;
}

/* The caller frees the axis, also after a failure. */
static fv_status resize_axis_make(resize_axis *axis, int in, resize_span span, int out)
{
    size_t weights;
    if (span.whole > RESIZE_MAX_SPAN)
        return fvi_fail(FV_E_MEMORY, "a picture padded to %" PRId64 " pixels on a side, at most %d",
                        span.whole, RESIZE_MAX_SPAN);
    const resize_grid grid = resize_grid_of(span, out);
    *axis = (resize_axis){.out = out, .taps = grid.step < in ? 2 * (int)grid.step + 4 : in};
    if (!fvi_mul(&weights, (size_t)out, (size_t)axis->taps))
        return fvi_fail(FV_E_MEMORY, "resizing %d to %d pixels takes too much memory", in, out);
    axis->first = fvi_alloc((size_t)out, sizeof *axis->first, "resizing");
    axis->count = axis->first ? fvi_alloc((size_t)out, sizeof *axis->count, "resizing") : NULL;
    axis->weight = axis->count ? fvi_alloc(weights, sizeof *axis->weight, "resizing") : NULL;
    if (!axis->weight) return FV_E_MEMORY;
    for (int o = 0; o < out; o++) {
        resize_weights(axis, o, in, &grid);
    }
    return FV_OK;
}

/* From sums that began with RESIZE_HALF. */
static uint8_t resize_round(int32_t sum)
{
    int32_t value = sum >> RESIZE_BITS;
    return value > 255 ? 255 : (uint8_t)value;
}

/* One row, out [axis->out, C] from row [W, C]. */
static void resize_row(uint8_t *out, const uint8_t *row, const resize_axis *axis, int channels)
{
    for (int o = 0; o < axis->out; o++) {
        const int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
        const uint8_t *from = row + (size_t)axis->first[o] * (size_t)channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = RESIZE_HALF;
            for (int k = 0; k < axis->count[o]; k++) {
                sum += weight[k] * from[k * channels + c];
            }
            *out++ = resize_round(sum);
        }
    }
}

/* The same for three channels, which share each weight. */
static void resize_row_rgb(uint8_t *out, const uint8_t *row, const resize_axis *axis)
{
    for (int o = 0; o < axis->out; o++, out += 3) {
        const int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
        const uint8_t *from = row + (size_t)axis->first[o] * 3;
        int32_t sum[3] = {RESIZE_HALF, RESIZE_HALF, RESIZE_HALF};
        for (int k = 0; k < axis->count[o]; k++, from += 3) {
            sum[0] += weight[k] * from[0];
            sum[1] += weight[k] * from[1];
            sum[2] += weight[k] * from[2];
        }
        out[0] = resize_round(sum[0]);
        out[1] = resize_round(sum[1]);
        out[2] = resize_round(sum[2]);
    }
}

/* One row of output o, as its weights mix rows of `in`, whose row 0 is row `top` of the axis. */
static void resize_column(uint8_t *out, const uint8_t *in, const resize_axis *axis, int o, int top,
                          size_t row)
{
    const int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
    for (size_t at = 0; at < row; at += RESIZE_BLOCK) {
        int32_t sum[RESIZE_BLOCK];
        size_t n = row - at < RESIZE_BLOCK ? row - at : RESIZE_BLOCK;
        for (size_t i = 0; i < n; i++) {
            sum[i] = RESIZE_HALF;
        }
        for (int k = 0; k < axis->count[o]; k++) {
            const uint8_t *from = in + (size_t)(axis->first[o] + k - top) * row + at;
            for (size_t i = 0; i < n; i++) {
                sum[i] += weight[k] * from[i];
            }
        }
        for (size_t i = 0; i < n; i++) {
            out[at + i] = resize_round(sum[i]);
        }
    }
}

/* First along the rows that the columns will read, then along columns. */
static fv_status resize_both(uint8_t *out, const fv_picture *in, const resize_axis *down,
                             const resize_axis *across)
{
    int top = in->height, bottom = 0;
    for (int o = 0; o < down->out; o++) {
        if (down->count[o] == 0) continue;
        if (down->first[o] < top) top = down->first[o];
        if (down->first[o] + down->count[o] > bottom) bottom = down->first[o] + down->count[o];
    }
    size_t row = (size_t)across->out * (size_t)in->channels;
    size_t stride = (size_t)in->width * (size_t)in->channels;
    uint8_t *wide = fvi_alloc(bottom > top ? (size_t)(bottom - top) : 0, row, "resizing");
    if (!wide) return FV_E_MEMORY;
    for (int h = top; h < bottom; h++) {
        uint8_t *to = wide + (size_t)(h - top) * row;
        const uint8_t *from = in->pixels + (size_t)h * stride;
        if (in->channels == 3)
            resize_row_rgb(to, from, across);
        else
            resize_row(to, from, across, in->channels);
    }
    for (int o = 0; o < down->out; o++) {
        resize_column(out + (size_t)o * row, wide, down, o, top, row);
    }
    fvi_free(wide);
    return FV_OK;
}

/* The part of the picture, or the larger frame around it, that has the new shape. Rounded as
   Keras's Resizing layer does (keras.ops.image.resize), the odd pixel below and to the right. */
static void resize_spans(resize_span *down, resize_span *across, const fvi_image_scale *scale,
                         int height, int width, fv_resize resize)
{
    const int64_t H = scale->height, W = scale->width;
    *down = (resize_span){0, H, scale->height, scale->shrink, scale->top};
    *across = (resize_span){0, W, scale->width, scale->shrink, scale->left};
    if (resize == FV_RESIZE_STRETCH) return;
    const int64_t tall = W * height / width, wide = H * width / height;
    const bool is_pad = resize == FV_RESIZE_PAD;
    if (is_pad == (tall > H)) down->whole = tall > 0 ? tall : 1;
    if (is_pad == (wide > W)) across->whole = wide > 0 ? wide : 1;
    /* C rounds towards 0: half of what is cut off, or less half of what is added */
    down->from = (H - down->whole) / 2;
    across->from = (W - across->whole) / 2;
}

/* Before memory is taken. */
static fv_status resize_check(const fv_picture *in, int height, int width)
{
    if (height < 1 || width < 1 || height > RESIZE_MAX_SIDE || width > RESIZE_MAX_SIDE)
        return fvi_fail(FV_E_ARG, "resizing to %dx%d, expected sides of 1 to %d", height, width,
                        RESIZE_MAX_SIDE);
    if ((size_t)height * (size_t)width > RESIZE_MAX_PIXELS ||
        (size_t)in->height * (size_t)width > RESIZE_MAX_PIXELS)
        return fvi_fail(FV_E_MEMORY, "resizing %dx%d to %dx%d is over %zu pixels", in->height,
                        in->width, height, width, RESIZE_MAX_PIXELS);
    return FV_OK;
}

fv_status fvi_picture_fit(uint8_t *out, const fv_picture *in, const fvi_image_scale *scale,
                          int height, int width, fv_resize resize)
{
    FVI_TRY(resize_check(in, height, width));
    const fvi_image_scale same = {in->height, in->width, 1, 0, 0};
    resize_span down_span, across_span;
    resize_axis down = {0}, across = {0};
    resize_spans(&down_span, &across_span, scale ? scale : &same, height, width, resize);
    fv_status status = resize_axis_make(&down, in->height, down_span, height);
    if (status == FV_OK) status = resize_axis_make(&across, in->width, across_span, width);
    if (status == FV_OK) status = resize_both(out, in, &down, &across);
    resize_axis_free(&down);
    resize_axis_free(&across);
    return status;
}

fv_status fv_picture_resize(fv_picture *out, const fv_picture *in, int height, int width)
{
    if (!out || !in || out == in || !in->pixels)
        return fvi_fail(FV_E_ARG, "fv_picture_resize: %s",
                        !out        ? "out is NULL"
                        : !in       ? "in is NULL"
                        : out == in ? "out and in are the same"
                                    : "in has no pixels");
    if (in->height < 1 || in->width < 1 || in->channels < 1)
        return fvi_fail(FV_E_ARG, "fv_picture_resize: in is %dx%dx%d", in->height, in->width,
                        in->channels);
    *out = (fv_picture){0};
    FVI_TRY(resize_check(in, height, width));
    size_t pixels = (size_t)height * (size_t)width;
    uint8_t *done = fvi_alloc(pixels, (size_t)in->channels, "a resized picture");
    if (!done) return FV_E_MEMORY;
    fv_status status = fvi_picture_fit(done, in, NULL, height, width, FV_RESIZE_STRETCH);
    if (status == FV_OK)
        *out = (fv_picture){height, width, in->channels, done};
    else
        fvi_free(done);
    return status;
}
