/* SPDX-License-Identifier: MIT */
/* Step by step: pixels to numbers near 1, labels to one-hot columns, an epoch to mini-batches. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

fv_status fv_tb_normalize(double *y, const unsigned char *x, size_t n)
{
    if (n > 0 && (!y || !x)) return fvi_fail(FV_E_ARG, "fv_tb_normalize: an array is NULL");
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] / 255.0;
    }
    return FV_OK;
}

fv_status fv_tb_standardize(double *y, const double *x, int n, int h, int w, int c)
{
    size_t pixels, all;
    const fv_shape shape = {4, {n, h, w, c}};
    if (n < 0 || h < 1 || w < 1 || c < 1)
        return fvi_fail(FV_E_SHAPE, "fv_tb_standardize: %dx%dx%dx%d", n, h, w, c);
    FVI_TRY(fvi_shape_count(&all, &shape));
    if (all > 0 && (!y || !x)) return fvi_fail(FV_E_ARG, "fv_tb_standardize: an array is NULL");
    pixels = all / (size_t)c;
    for (int k = 0; k < c && pixels > 0; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < pixels; i++) {
            sum += x[i * (size_t)c + (size_t)k];
        }
        double mean = sum / (double)pixels;
        for (size_t i = 0; i < pixels; i++) {
            double off = x[i * (size_t)c + (size_t)k] - mean;
            squares += off * off;
        }
        double deviation = sqrt(squares / (double)pixels);
        for (size_t i = 0; i < pixels; i++) {
            size_t at = i * (size_t)c + (size_t)k;
            y[at] = deviation > 0 ? (x[at] - mean) / deviation : 0;
        }
    }
    return FV_OK;
}

fv_status fv_tb_convert_to_one_hot(double *y_hot, const int *y, int m, int c)
{
    if (m < 0 || c < 1)
        return fvi_fail(FV_E_SHAPE, "fv_tb_convert_to_one_hot: %d samples, %d classes", m, c);
    if (m > 0 && (!y_hot || !y))
        return fvi_fail(FV_E_ARG, "fv_tb_convert_to_one_hot: an array is NULL");
    for (int i = 0; i < m; i++) {
        if (y[i] < 0 || y[i] >= c)
            return fvi_fail(FV_E_ARG,
                            "fv_tb_convert_to_one_hot: label %d of sample %d, expected 0 to %d",
                            y[i], i, c - 1);
    }
    for (int k = 0; k < c; k++) {
        for (int i = 0; i < m; i++) {
            y_hot[(size_t)k * (size_t)m + (size_t)i] = y[i] == k ? 1 : 0;
        }
    }
    return FV_OK;
}

fv_status fv_tb_random_mini_batches(int *order, int *batches, int m, int mini_batch_size,
                                    uint32_t seed)
{
    fv_tb_rng rng;
    if (m < 0 || mini_batch_size < 1)
        return fvi_fail(FV_E_SHAPE,
                        "fv_tb_random_mini_batches: %d samples in batches of %d, expected 0 or "
                        "more in batches of 1 or more",
                        m, mini_batch_size);
    if (m > 0 && !order) return fvi_fail(FV_E_ARG, "fv_tb_random_mini_batches: order is NULL");
    FVI_TRY(fv_tb_rng_seed(&rng, seed));
    if (m > 0) FVI_TRY(fv_tb_rng_permutation(&rng, order, m));
    if (batches) *batches = m / mini_batch_size + (m % mini_batch_size != 0);
    return FV_OK;
}
