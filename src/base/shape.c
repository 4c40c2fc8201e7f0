/* SPDX-License-Identifier: MIT */
/* Shape arithmetic, element types, and the output sizes of sliding windows: each formula once. */
#include "base/base_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SHAPE_MAX_ELEMENTS (UINT64_C(1) << 40)

bool fvi_mul(size_t *out, size_t a, size_t b)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

bool fvi_sum(size_t *out, size_t a, size_t b)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

static int shape_rank(const fv_shape *shape)
{
    if (shape->rank < 0) return 0;
    return shape->rank > FV_MAX_RANK ? FV_MAX_RANK : shape->rank;
}

fv_status fvi_shape_count(size_t *out, const fv_shape *shape)
{
    if (shape->rank < 0 || shape->rank > FV_MAX_RANK) {
        return fvi_fail(FV_E_SHAPE, "rank %d; expected 0 to %d", shape->rank, FV_MAX_RANK);
    }
    char text[FVI_SHAPE_TEXT];
    uint64_t count = 1;
    bool empty = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0) {
            return fvi_fail(FV_E_SHAPE, "shape %s has a negative size",
                            fvi_shape_text(text, shape));
        }
        /* A zero does not end the check: strides are products of the other sizes. */
        if (shape->dim[i] == 0) {
            empty = true;
            continue;
        }
        uint64_t size = (uint64_t)shape->dim[i];
        if (count > SHAPE_MAX_ELEMENTS / size || count * size > SIZE_MAX) {
            return fvi_fail(FV_E_SHAPE, "shape %s has more than %llu elements",
                            fvi_shape_text(text, shape), (unsigned long long)SHAPE_MAX_ELEMENTS);
        }
        count *= size;
    }
    *out = empty ? 0 : (size_t)count;
    return FV_OK;
}

fv_shape fvi_shape_of(int rank, const int *dim)
{
    fv_shape shape = {.rank = rank}; /* a rank out of range stays, so that counting refuses it */
    int known = shape_rank(&shape);
    if (known > 0) memcpy(shape.dim, dim, (size_t)known * sizeof dim[0]);
    return shape;
}

bool fvi_shape_equal(const fv_shape *a, const fv_shape *b)
{
    return a->rank == b->rank &&
           memcmp(a->dim, b->dim, (size_t)shape_rank(a) * sizeof a->dim[0]) == 0;
}

const char *fvi_shape_text(char out[FVI_SHAPE_TEXT], const fv_shape *shape)
{
    /* Eight sizes of at most 11 characters, seven crosses and the end: exactly FVI_SHAPE_TEXT. */
    int rank = shape_rank(shape);
    size_t used = (size_t)snprintf(out, FVI_SHAPE_TEXT, "%s", rank == 0 ? "scalar" : "");
    for (int i = 0; i < rank; i++) {
        used +=
            (size_t)snprintf(out + used, FVI_SHAPE_TEXT - used, i ? "x%d" : "%d", shape->dim[i]);
    }
    return out;
}

fv_status fvi_window_fit(fvi_window *window, fvi_window_mode mode, int n, int k, int s, int d)
{
    if (n < 1) return fvi_fail(FV_E_SHAPE, "input size %d; expected at least 1", n);
    if (k < 1) return fvi_fail(FV_E_SHAPE, "kernel size %d; expected at least 1", k);
    if (s < 1) return fvi_fail(FV_E_SHAPE, "stride %d; expected at least 1", s);
    if (d < 1) return fvi_fail(FV_E_SHAPE, "dilation %d; expected at least 1", d);
    /* Every value below stays under 2^62 + 2^33, so int64 cannot overflow. */
    int64_t span = (int64_t)(k - 1) * d + 1, before = 0, after = 0;
    if (mode == FVI_WINDOW_EXPLICIT) {
        before = window->before;
        after = window->after;
        if (before < 0 || after < 0) {
            return fvi_fail(FV_E_SHAPE, "padding %d and %d; expected at least 0", window->before,
                            window->after);
        }
    } else if (mode == FVI_WINDOW_SAME) {
        int64_t out = ((int64_t)n + s - 1) / s;
        int64_t total = (out - 1) * s + span - n;
        if (total < 0) total = 0;
        before = total / 2;
        after = total - before;
    }
    int64_t padded = n + before + after;
    if (span > INT_MAX || padded > INT_MAX) {
        return fvi_fail(FV_E_SHAPE,
                        "kernel %d with dilation %d on input %d with padding: more than %d pixels",
                        k, d, n, INT_MAX);
    }
    if (span > padded) {
        return fvi_fail(FV_E_SHAPE,
                        "kernel %d (%d with dilation %d) does not fit input %d (%d with padding); "
                        "use padding \"same\" or a smaller kernel",
                        k, (int)span, d, n, (int)padded);
    }
    window->out = (int)((padded - span) / s + 1);
    window->before = (int)before;
    window->after = (int)after;
    return FV_OK;
}

typedef struct shape_dtype {
    const char *name;
    size_t size;
} shape_dtype;

static const shape_dtype shape_dtypes[] = {
    [FV_FLOAT32] = {"float32", 4}, [FV_FLOAT64] = {"float64", 8}, [FV_FLOAT16] = {"float16", 2},
    [FV_UINT8] = {"uint8", 1},     [FV_INT8] = {"int8", 1},       [FV_UINT16] = {"uint16", 2},
    [FV_INT16] = {"int16", 2},     [FV_UINT32] = {"uint32", 4},   [FV_INT32] = {"int32", 4},
    [FV_UINT64] = {"uint64", 8},   [FV_INT64] = {"int64", 8},     [FV_BOOL] = {"bool", 1},
};

static const shape_dtype *shape_dtype_of(fv_dtype dtype)
{
    int number = (int)dtype;
    if (number < 0 || (size_t)number >= FVI_COUNT(shape_dtypes)) return NULL;
    return &shape_dtypes[number];
}

size_t fv_dtype_size(fv_dtype dtype)
{
    const shape_dtype *known = shape_dtype_of(dtype);
    return known ? known->size : 0;
}

const char *fv_dtype_name(fv_dtype dtype)
{
    const shape_dtype *known = shape_dtype_of(dtype);
    return known ? known->name : "unknown";
}

static const char *const resize_names[] = {
    [FV_RESIZE_STRETCH] = "stretch",
    [FV_RESIZE_PAD] = "pad",
    [FV_RESIZE_CROP] = "crop",
};

const char *fv_resize_name(fv_resize resize)
{
    size_t i = (size_t)resize;
    return i < FVI_COUNT(resize_names) ? resize_names[i] : NULL;
}

bool fv_resize_find(const char *name, fv_resize *resize, const char **nearest)
{
    if (nearest) *nearest = NULL;
    if (!name) return false;
    for (size_t i = 0; i < FVI_COUNT(resize_names); i++) {
        if (strcmp(resize_names[i], name) != 0) continue;
        if (resize) *resize = (fv_resize)i;
        return true;
    }
    if (nearest) *nearest = fv_nearest(name, resize_names, FVI_COUNT(resize_names));
    return false;
}
