/* SPDX-License-Identifier: MIT */
/* Resizing 8-bit pictures: a triangle filter, first along rows, then along columns, in whole
   numbers. */
#include "data/data_internal.h"

#include <string.h>

#define RESIZE_BITS 22 /* of a weight's fraction: 255 times a sum of weights stays within 31 bits */
#define RESIZE_MAX_SIDE 65535
#define RESIZE_MAX_PIXELS ((size_t)1 << 28)

/* How one axis goes from one size to another: output o is the sum of weight[o*taps + k] *
   input[first[o] + k]. */
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

/* Weights of one output, normalised before they are rounded. step: inputs for each output; reach:
   half the filter's width. */
static void resize_weights(resize_axis *axis, int o, int in, double step, double reach)
{
    double middle = (o + 0.5) * step, sum = 0.0;
    double low = middle - reach + 0.5, high = middle + reach + 0.5;
    int first = low > 0.0 ? (int)low : 0, end = high < in ? (int)high : in;
    int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
    for (int i = first; i < end; i++) {
        sum += resize_triangle((i + 0.5 - middle) / reach);
    }
    for (int i = first; i < end; i++) {
        double share = resize_triangle((i + 0.5 - middle) / reach) / sum;
        weight[i - first] = (int32_t)(share * (1 << RESIZE_BITS) + 0.5);
    }
    axis->first[o] = first;
    axis->count[o] = end - first;
}

/* The caller frees the axis, also after a failure. */
static fv_status resize_axis_make(resize_axis *axis, int in, int out)
{
    size_t weights;
    double step = (double)in / out, reach = step > 1.0 ? step : 1.0;
    *axis = (resize_axis){.out = out, .taps = 2 * (int)reach + 3};
    if (!fvi_mul(&weights, (size_t)out, (size_t)axis->taps))
        return fvi_fail(FV_E_MEMORY, "resizing %d to %d pixels takes too much memory", in, out);
    axis->first = fvi_alloc((size_t)out, sizeof *axis->first, "resizing");
    axis->count = axis->first ? fvi_alloc((size_t)out, sizeof *axis->count, "resizing") : NULL;
    axis->weight = axis->count ? fvi_alloc(weights, sizeof *axis->weight, "resizing") : NULL;
    if (!axis->weight) return FV_E_MEMORY;
    for (int o = 0; o < out; o++) {
        resize_weights(axis, o, in, step, reach);
    }
    return FV_OK;
}

static uint8_t resize_round(int32_t sum)
{
    int32_t value = (sum + (1 << (RESIZE_BITS - 1))) >> RESIZE_BITS;
    return value > 255 ? 255 : (uint8_t)value;
}

/* Along rows: out [H, axis->out, C] from in [H, W, C]. */
static void resize_rows(uint8_t *out, const uint8_t *in, const resize_axis *axis, int height,
                        int width, int channels)
{
    for (int h = 0; h < height; h++) {
        const uint8_t *row = in + (size_t)h * (size_t)width * (size_t)channels;
        for (int o = 0; o < axis->out; o++) {
            const int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
            for (int c = 0; c < channels; c++) {
                int32_t sum = 0;
                const uint8_t *from = row + (size_t)axis->first[o] * (size_t)channels + c;
                for (int k = 0; k < axis->count[o]; k++) {
                    sum += weight[k] * from[(size_t)k * (size_t)channels];
                }
                *out++ = resize_round(sum);
            }
        }
    }
}

/* Along columns: out [axis->out, bytes of a row] from in [H, bytes of a row]. */
static void resize_columns(uint8_t *out, const uint8_t *in, const resize_axis *axis, size_t row)
{
    for (int o = 0; o < axis->out; o++) {
        const int32_t *weight = axis->weight + (size_t)o * (size_t)axis->taps;
        const uint8_t *from = in + (size_t)axis->first[o] * row;
        for (size_t i = 0; i < row; i++) {
            int32_t sum = 0;
            for (int k = 0; k < axis->count[o]; k++) {
                sum += weight[k] * from[(size_t)k * row + i];
            }
            *out++ = resize_round(sum);
        }
    }
}

static fv_status resize_check(const fv_picture *out, const fv_picture *in, int height, int width)
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
    if (height < 1 || width < 1 || height > RESIZE_MAX_SIDE || width > RESIZE_MAX_SIDE)
        return fvi_fail(FV_E_ARG, "fv_picture_resize: to %dx%d, expected sides of 1 to %d", height,
                        width, RESIZE_MAX_SIDE);
    if ((size_t)height * (size_t)width > RESIZE_MAX_PIXELS ||
        (size_t)in->height * (size_t)width > RESIZE_MAX_PIXELS)
        return fvi_fail(FV_E_MEMORY, "fv_picture_resize: %dx%d to %dx%d is over %zu pixels",
                        in->height, in->width, height, width, RESIZE_MAX_PIXELS);
    return FV_OK;
}

fv_status fv_picture_resize(fv_picture *out, const fv_picture *in, int height, int width)
{
    FVI_TRY(resize_check(out, in, height, width));
    *out = (fv_picture){0};
    resize_axis across = {0}, down = {0};
    size_t row = (size_t)width * (size_t)in->channels;
    /* An axis that keeps its size is copied, as Pillow does. */
    uint8_t *wide = fvi_alloc((size_t)in->height, row, "a resized picture"), *done = NULL;
    fv_status status = wide ? FV_OK : FV_E_MEMORY;
    if (status == FV_OK && width != in->width) status = resize_axis_make(&across, in->width, width);
    if (status == FV_OK && height != in->height) {
        status = resize_axis_make(&down, in->height, height);
        if (status == FV_OK && !(done = fvi_alloc((size_t)height, row, "a resized picture")))
            status = FV_E_MEMORY;
    }
    if (status == FV_OK && across.out > 0)
        resize_rows(wide, in->pixels, &across, in->height, in->width, in->channels);
    else if (status == FV_OK)
        memcpy(wide, in->pixels, (size_t)in->height * row);
    if (status == FV_OK && done) resize_columns(done, wide, &down, row);
    if (status == FV_OK) *out = (fv_picture){height, width, in->channels, done ? done : wide};
    if (status != FV_OK || done) fvi_free(wide);
    if (status != FV_OK) fvi_free(done);
    resize_axis_free(&across);
    resize_axis_free(&down);
    return status;
}
