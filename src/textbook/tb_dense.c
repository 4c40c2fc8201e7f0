/* SPDX-License-Identifier: MIT */
/* The fully connected layer, and flatten, which leads to it. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

static fv_status tb_dense_check(const char *who, const fv_tb_dense *d)
{
    FVI_TB_LEAST(who, d->n, 0);
    FVI_TB_LEAST(who, d->in, 1);
    FVI_TB_LEAST(who, d->out, 1);
    FVI_TRY(fvi_tb_array(who, "a_prev", 2, (int[]){d->n, d->in}));
    FVI_TRY(fvi_tb_array(who, "w", 2, (int[]){d->in, d->out}));
    FVI_TRY(fvi_tb_array(who, "z", 2, (int[]){d->n, d->out}));
    return FV_OK;
}

fv_status fv_tb_dense_forward(double *z, const double *a_prev, const double *w, const double *b,
                              const fv_tb_dense *d)
{
    const char *who = "fv_tb_dense_forward";
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, a_prev);
    FVI_TB_NEED(who, w);
    FVI_TB_NEED(who, d);
    FVI_TRY(tb_dense_check(who, d));
    const ptrdiff_t in = d->in, out = d->out;

    for (ptrdiff_t i = 0; i < d->n; i++) {
        for (ptrdiff_t j = 0; j < out; j++) {
            double sum = 0.0;
            for (ptrdiff_t k = 0; k < in; k++)
                sum += a_prev[i * in + k] * w[k * out + j];
            z[i * out + j] = b == NULL ? sum : sum + b[j];
        }
    }
    return FV_OK;
}

fv_status fv_tb_dense_backward(double *da_prev, double *dw, double *db, const double *dz,
                               const double *a_prev, const double *w, const fv_tb_dense *d)
{
    const char *who = "fv_tb_dense_backward";
    FVI_TB_NEED(who, dz);
    FVI_TB_NEED(who, a_prev);
    FVI_TB_NEED(who, w);
    FVI_TB_NEED(who, d);
    FVI_TRY(tb_dense_check(who, d));
    const ptrdiff_t in = d->in, out = d->out;

    fvi_tb_zero(da_prev, d->n * in);
    fvi_tb_zero(dw, in * out);
    fvi_tb_zero(db, out);

    for (ptrdiff_t i = 0; i < d->n; i++) {
        for (ptrdiff_t j = 0; j < out; j++) {
            const double dz_here = dz[i * out + j];
            for (ptrdiff_t k = 0; k < in; k++) {
                if (da_prev != NULL) da_prev[i * in + k] += w[k * out + j] * dz_here;
                if (dw != NULL) dw[k * out + j] += a_prev[i * in + k] * dz_here;
            }
            if (db != NULL) db[j] += dz_here;
        }
    }
    return FV_OK;
}

/* In C order the last three axes of [N,H,W,C] already lie one behind the other. */
static fv_status tb_dense_copy(const char *who, double *to, const double *from, int n, int h, int w,
                               int c)
{
    FVI_TB_LEAST(who, n, 0);
    FVI_TB_LEAST(who, h, 1);
    FVI_TB_LEAST(who, w, 1);
    FVI_TB_LEAST(who, c, 1);
    FVI_TRY(fvi_tb_array(who, "x", 4, (int[]){n, h, w, c}));
    for (ptrdiff_t k = 0; k < (ptrdiff_t)n * h * w * c; k++)
        to[k] = from[k];
    return FV_OK;
}

fv_status fv_tb_flatten_forward(double *y, const double *x, int n, int h, int w, int c)
{
    const char *who = "fv_tb_flatten_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    return tb_dense_copy(who, y, x, n, h, w, c);
}

fv_status fv_tb_flatten_backward(double *dx, const double *dy, int n, int h, int w, int c)
{
    const char *who = "fv_tb_flatten_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    return tb_dense_copy(who, dx, dy, n, h, w, c);
}
