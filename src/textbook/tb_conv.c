/* SPDX-License-Identifier: MIT */
/* The course's convolution: zero_pad, conv_single_step, conv_forward, conv_backward. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <limits.h>

/*
 * Two things to know before reading the loops.
 *
 * Indices and sizes are ptrdiff_t, because ((i*n_H + h)*n_W + w)*n_C + c can pass the largest int.
 *
 * The course copies each image into a padded one. Here nothing is copied: row 0 of the padded image
 * is row -pad of the image itself, so a window starts at vert_start = oh*stride - pad. What it sees
 * outside the image is zero and adds nothing to the sum, hence the two `continue`.
 */

fv_status fv_tb_out_size(int *out, int n, int f, int stride, int pad)
{
    const char *who = "fv_tb_out_size";
    FVI_TB_NEED(who, out);
    FVI_TB_LEAST(who, n, 1);
    FVI_TB_LEAST(who, f, 1);
    FVI_TB_LEAST(who, stride, 1);
    FVI_TB_LEAST(who, pad, 0);
    const int64_t padded = (int64_t)n + 2 * (int64_t)pad;
    if (padded > INT_MAX)
        return fvi_fail(FV_E_SHAPE, "%s: n + 2*pad is %lld; at most %d is expected", who,
                        (long long)padded, INT_MAX);
    if (f > padded)
        return fvi_fail(FV_E_SHAPE,
                        "%s: a window of %d does not fit an input of %d with a pad of %d; use a "
                        "smaller window or more padding",
                        who, f, n, pad);
    *out = (int)((padded - f) / stride) + 1;
    return FV_OK;
}

fv_status fv_tb_zero_pad(double *y, const double *x, int n, int h, int w, int c, int pad)
{
    const char *who = "fv_tb_zero_pad";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TB_LEAST(who, n, 0);
    FVI_TB_LEAST(who, c, 1);
    int padded_h = 0, padded_w = 0; /* as many as a window of one pixel has positions */
    FVI_TB_TRY_AXIS(who, "height", fv_tb_out_size(&padded_h, h, 1, 1, pad));
    FVI_TB_TRY_AXIS(who, "width", fv_tb_out_size(&padded_w, w, 1, 1, pad));
    FVI_TRY(fvi_tb_array(who, "y", 4, (int[]){n, padded_h, padded_w, c}));

    for (ptrdiff_t i = 0; i < n; i++) {
        for (ptrdiff_t row = 0; row < padded_h; row++) {
            for (ptrdiff_t col = 0; col < padded_w; col++) {
                const ptrdiff_t x_row = row - pad, x_col = col - pad;
                const bool inside = x_row >= 0 && x_row < h && x_col >= 0 && x_col < w;
                for (ptrdiff_t ch = 0; ch < c; ch++)
                    y[((i * padded_h + row) * padded_w + col) * c + ch] =
                        inside ? x[((i * h + x_row) * w + x_col) * c + ch] : 0.0;
            }
        }
    }
    return FV_OK;
}

fv_status fv_tb_conv_single_step(double *z, const double *a_slice, const double *w, double b, int f,
                                 int c)
{
    const char *who = "fv_tb_conv_single_step";
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, a_slice);
    FVI_TB_NEED(who, w);
    FVI_TB_LEAST(who, f, 1);
    FVI_TB_LEAST(who, c, 1);
    FVI_TRY(fvi_tb_array(who, "w", 3, (int[]){f, f, c}));

    double sum = 0.0;
    for (ptrdiff_t k = 0; k < (ptrdiff_t)f * f * c; k++)
        sum += a_slice[k] * w[k];
    *z = sum + b; /* once, not once for each product */
    return FV_OK;
}

static fv_status tb_conv_check(int *n_H, int *n_W, const char *who, const fv_tb_conv *d)
{
    FVI_TB_LEAST(who, d->n, 0);
    FVI_TB_LEAST(who, d->c, 1);
    FVI_TB_LEAST(who, d->filters, 1);
    FVI_TB_TRY_AXIS(who, "height", fv_tb_out_size(n_H, d->h, d->f, d->stride, d->pad));
    FVI_TB_TRY_AXIS(who, "width", fv_tb_out_size(n_W, d->w, d->f, d->stride, d->pad));
    FVI_TRY(fvi_tb_array(who, "a_prev", 4, (int[]){d->n, d->h, d->w, d->c}));
    FVI_TRY(fvi_tb_array(who, "w", 4, (int[]){d->f, d->f, d->c, d->filters}));
    FVI_TRY(fvi_tb_array(who, "z", 4, (int[]){d->n, *n_H, *n_W, d->filters}));
    return FV_OK;
}

fv_status fv_tb_conv_forward(double *z, const double *a_prev, const double *w, const double *b,
                             const fv_tb_conv *d)
{
    const char *who = "fv_tb_conv_forward";
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, a_prev);
    FVI_TB_NEED(who, w);
    FVI_TB_NEED(who, b);
    FVI_TB_NEED(who, d);
    int n_H = 0, n_W = 0;
    FVI_TRY(tb_conv_check(&n_H, &n_W, who, d));
    const ptrdiff_t n_H_prev = d->h, n_W_prev = d->w, n_C_prev = d->c, n_C = d->filters;
    const ptrdiff_t f = d->f, stride = d->stride, pad = d->pad;

    for (ptrdiff_t i = 0; i < d->n; i++) { /* over the images */
        const double *a_prev_i = a_prev + i * n_H_prev * n_W_prev * n_C_prev;
        for (ptrdiff_t oh = 0; oh < n_H; oh++) { /* over the rows of the output */
            const ptrdiff_t vert_start = oh * stride - pad;
            for (ptrdiff_t ow = 0; ow < n_W; ow++) { /* over its columns */
                const ptrdiff_t horiz_start = ow * stride - pad;
                for (ptrdiff_t c = 0; c < n_C; c++) { /* over the filters */
                    double sum = 0.0;
                    for (ptrdiff_t kh = 0; kh < f; kh++) {
                        const ptrdiff_t row = vert_start + kh;
                        if (row < 0 || row >= n_H_prev) continue;
                        for (ptrdiff_t kw = 0; kw < f; kw++) {
                            const ptrdiff_t col = horiz_start + kw;
                            if (col < 0 || col >= n_W_prev) continue;
                            const double *pixel = a_prev_i + (row * n_W_prev + col) * n_C_prev;
                            const double *weight = w + (kh * f + kw) * n_C_prev * n_C + c;
                            for (ptrdiff_t ch = 0; ch < n_C_prev; ch++)
                                sum += pixel[ch] * weight[ch * n_C];
                        }
                    }
                    z[((i * n_H + oh) * n_W + ow) * n_C + c] = sum + b[c];
                }
            }
        }
    }
    return FV_OK;
}

fv_status fv_tb_conv_backward(double *da_prev, double *dw, double *db, const double *dz,
                              const double *a_prev, const double *w, const fv_tb_conv *d)
{
    const char *who = "fv_tb_conv_backward";
    FVI_TB_NEED(who, dz);
    FVI_TB_NEED(who, a_prev);
    FVI_TB_NEED(who, w);
    FVI_TB_NEED(who, d);
    int n_H = 0, n_W = 0;
    FVI_TRY(tb_conv_check(&n_H, &n_W, who, d));
    const ptrdiff_t n_H_prev = d->h, n_W_prev = d->w, n_C_prev = d->c, n_C = d->filters;
    const ptrdiff_t f = d->f, stride = d->stride, pad = d->pad;

    fvi_tb_zero(da_prev, d->n * n_H_prev * n_W_prev * n_C_prev);
    fvi_tb_zero(dw, f * f * n_C_prev * n_C);
    fvi_tb_zero(db, n_C);

    for (ptrdiff_t i = 0; i < d->n; i++) {
        for (ptrdiff_t oh = 0; oh < n_H; oh++) {
            const ptrdiff_t vert_start = oh * stride - pad;
            for (ptrdiff_t ow = 0; ow < n_W; ow++) {
                const ptrdiff_t horiz_start = ow * stride - pad;
                for (ptrdiff_t c = 0; c < n_C; c++) {
                    const double dz_here = dz[((i * n_H + oh) * n_W + ow) * n_C + c];
                    for (ptrdiff_t kh = 0; kh < f; kh++) {
                        const ptrdiff_t row = vert_start + kh;
                        if (row < 0 || row >= n_H_prev) continue;
                        for (ptrdiff_t kw = 0; kw < f; kw++) {
                            const ptrdiff_t col = horiz_start + kw;
                            if (col < 0 || col >= n_W_prev) continue;
                            const ptrdiff_t pixel =
                                ((i * n_H_prev + row) * n_W_prev + col) * n_C_prev;
                            const ptrdiff_t weight = (kh * f + kw) * n_C_prev * n_C + c;
                            for (ptrdiff_t ch = 0; ch < n_C_prev; ch++) {
                                if (da_prev != NULL)
                                    da_prev[pixel + ch] += w[weight + ch * n_C] * dz_here;
                                if (dw != NULL)
                                    dw[weight + ch * n_C] += a_prev[pixel + ch] * dz_here;
                            }
                        }
                    }
                    if (db != NULL) db[c] += dz_here;
                }
            }
        }
    }
    return FV_OK;
}
