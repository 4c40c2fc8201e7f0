/* SPDX-License-Identifier: MIT */
/* The course's pooling: pool_forward, pool_backward, create_mask_from_window, distribute_value. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

fv_status fv_tb_create_mask_from_window(unsigned char *mask, const double *x, int h, int w)
{
    const char *who = "fv_tb_create_mask_from_window";
    FVI_TB_NEED(who, mask);
    FVI_TB_NEED(who, x);
    FVI_TB_LEAST(who, h, 1);
    FVI_TB_LEAST(who, w, 1);
    FVI_TRY(fvi_tb_array(who, "x", 2, (int[]){h, w}));
    const ptrdiff_t count = (ptrdiff_t)h * w;

    double largest = x[0];
    for (ptrdiff_t k = 1; k < count; k++)
        if (x[k] > largest || isnan(x[k])) largest = x[k];
    for (ptrdiff_t k = 0; k < count; k++)
        mask[k] = x[k] == largest;
    return FV_OK;
}

fv_status fv_tb_distribute_value(double *a, double dz, int h, int w)
{
    const char *who = "fv_tb_distribute_value";
    FVI_TB_NEED(who, a);
    FVI_TB_LEAST(who, h, 1);
    FVI_TB_LEAST(who, w, 1);
    FVI_TRY(fvi_tb_array(who, "a", 2, (int[]){h, w}));
    const ptrdiff_t count = (ptrdiff_t)h * w;

    const double average = dz / (double)count;
    for (ptrdiff_t k = 0; k < count; k++)
        a[k] = average;
    return FV_OK;
}

static fv_status tb_pool_check(int *n_H, int *n_W, const char *who, const fv_tb_pool *d)
{
    FVI_TB_LEAST(who, d->n, 0);
    FVI_TB_LEAST(who, d->c, 1);
    if (d->mode != FV_TB_MAX && d->mode != FV_TB_AVERAGE)
        return fvi_fail(FV_E_ARG, "%s: mode is %d; FV_TB_MAX or FV_TB_AVERAGE is expected", who,
                        (int)d->mode);
    FVI_TB_TRY_AXIS(who, "height", fv_tb_out_size(n_H, d->h, d->f, d->stride, 0));
    FVI_TB_TRY_AXIS(who, "width", fv_tb_out_size(n_W, d->w, d->f, d->stride, 0));
    FVI_TRY(fvi_tb_array(who, "a_prev", 4, (int[]){d->n, d->h, d->w, d->c}));
    return FV_OK;
}

/* The largest value of one channel of a window, its top left pixel given; a row is W*C doubles. */
static double tb_pool_max(const double *a_slice_prev, ptrdiff_t f, ptrdiff_t W, ptrdiff_t C)
{
    double largest = a_slice_prev[0];
    for (ptrdiff_t kh = 0; kh < f; kh++) {
        for (ptrdiff_t kw = 0; kw < f; kw++) {
            const double value = a_slice_prev[(kh * W + kw) * C];
            if (value > largest || isnan(value)) largest = value;
        }
    }
    return largest;
}

static double tb_pool_average(const double *a_slice_prev, ptrdiff_t f, ptrdiff_t W, ptrdiff_t C)
{
    double sum = 0.0;
    for (ptrdiff_t kh = 0; kh < f; kh++)
        for (ptrdiff_t kw = 0; kw < f; kw++)
            sum += a_slice_prev[(kh * W + kw) * C];
    return sum / (double)(f * f);
}

fv_status fv_tb_pool_forward(double *a, const double *a_prev, const fv_tb_pool *d)
{
    const char *who = "fv_tb_pool_forward";
    FVI_TB_NEED(who, a);
    FVI_TB_NEED(who, a_prev);
    FVI_TB_NEED(who, d);
    int n_H = 0, n_W = 0;
    FVI_TRY(tb_pool_check(&n_H, &n_W, who, d));
    const ptrdiff_t n_H_prev = d->h, n_W_prev = d->w, n_C = d->c, f = d->f, stride = d->stride;

    for (ptrdiff_t i = 0; i < d->n; i++) {
        for (ptrdiff_t oh = 0; oh < n_H; oh++) {
            const ptrdiff_t vert_start = oh * stride;
            for (ptrdiff_t ow = 0; ow < n_W; ow++) {
                const ptrdiff_t horiz_start = ow * stride;
                for (ptrdiff_t c = 0; c < n_C; c++) {
                    const double *a_slice_prev =
                        a_prev + ((i * n_H_prev + vert_start) * n_W_prev + horiz_start) * n_C + c;
                    a[((i * n_H + oh) * n_W + ow) * n_C + c] =
                        d->mode == FV_TB_MAX ? tb_pool_max(a_slice_prev, f, n_W_prev, n_C)
                                             : tb_pool_average(a_slice_prev, f, n_W_prev, n_C);
                }
            }
        }
    }
    return FV_OK;
}

fv_status fv_tb_pool_backward(double *da_prev, const double *da, const double *a_prev,
                              const fv_tb_pool *d)
{
    const char *who = "fv_tb_pool_backward";
    FVI_TB_NEED(who, da_prev);
    FVI_TB_NEED(who, da);
    FVI_TB_NEED(who, a_prev);
    FVI_TB_NEED(who, d);
    int n_H = 0, n_W = 0;
    FVI_TRY(tb_pool_check(&n_H, &n_W, who, d));
    const ptrdiff_t n_H_prev = d->h, n_W_prev = d->w, n_C = d->c, f = d->f, stride = d->stride;

    fvi_tb_zero(da_prev, d->n * n_H_prev * n_W_prev * n_C);

    for (ptrdiff_t i = 0; i < d->n; i++) {
        for (ptrdiff_t oh = 0; oh < n_H; oh++) {
            const ptrdiff_t vert_start = oh * stride;
            for (ptrdiff_t ow = 0; ow < n_W; ow++) {
                const ptrdiff_t horiz_start = ow * stride;
                for (ptrdiff_t c = 0; c < n_C; c++) {
                    const ptrdiff_t window =
                        ((i * n_H_prev + vert_start) * n_W_prev + horiz_start) * n_C + c;
                    const double da_here = da[((i * n_H + oh) * n_W + ow) * n_C + c];
                    const double largest = tb_pool_max(a_prev + window, f, n_W_prev, n_C);
                    for (ptrdiff_t kh = 0; kh < f; kh++) {
                        for (ptrdiff_t kw = 0; kw < f; kw++) {
                            const ptrdiff_t pixel = window + (kh * n_W_prev + kw) * n_C;
                            if (d->mode == FV_TB_AVERAGE) /* as distribute_value */
                                da_prev[pixel] += da_here / (double)(f * f);
                            else if (a_prev[pixel] == largest) /* as create_mask_from_window */
                                da_prev[pixel] += da_here;
                        }
                    }
                }
            }
        }
    }
    return FV_OK;
}
