/* SPDX-License-Identifier: MIT */
/* Batch normalisation and dropout: layers that train one way and predict another. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

/* M = N*H*W values of each of C channels; value k of channel c is x[k*C + c]. */
static fv_status tb_norm_check(ptrdiff_t *M, ptrdiff_t *C, const char *who,
                               const fv_tb_batch_norm *d)
{
    FVI_TB_LEAST(who, d->n, 0);
    FVI_TB_LEAST(who, d->h, 1);
    FVI_TB_LEAST(who, d->w, 1);
    FVI_TB_LEAST(who, d->c, 1);
    if (!(d->epsilon >= 0.0) || isinf(d->epsilon))
        return fvi_fail(FV_E_ARG,
                        "%s: epsilon is negative, infinite or not a number; "
                        "a small number such as 0.001 is expected",
                        who);
    if (!(d->momentum >= 0.0 && d->momentum <= 1.0))
        return fvi_fail(FV_E_ARG,
                        "%s: momentum is not between 0 and 1; "
                        "a number such as 0.99 is expected",
                        who);
    if (d->moving != FV_TB_MOVING_BIASED && d->moving != FV_TB_MOVING_UNBIASED)
        return fvi_fail(
            FV_E_ARG, "%s: moving is %d; FV_TB_MOVING_BIASED or FV_TB_MOVING_UNBIASED is expected",
            who, (int)d->moving);
    FVI_TRY(fvi_tb_array(who, "x", 4, (int[]){d->n, d->h, d->w, d->c}));
    *M = (ptrdiff_t)d->n * d->h * d->w;
    *C = d->c;
    return FV_OK;
}

/* Mean and biased variance of channel c. */
static void tb_norm_moments(double *mean, double *variance, const double *x, ptrdiff_t c,
                            ptrdiff_t M, ptrdiff_t C)
{
    *mean = 0.0;
    *variance = 0.0;
    if (M == 0) return;
    for (ptrdiff_t k = 0; k < M; k++)
        *mean += x[k * C + c];
    *mean /= (double)M;
    for (ptrdiff_t k = 0; k < M; k++)
        *variance += (x[k * C + c] - *mean) * (x[k * C + c] - *mean);
    *variance /= (double)M;
}

fv_status fv_tb_batch_norm_forward(double *y, double *mean, double *variance, const double *x,
                                   const double *gamma, const double *beta,
                                   const fv_tb_batch_norm *d)
{
    const char *who = "fv_tb_batch_norm_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, gamma);
    FVI_TB_NEED(who, beta);
    FVI_TB_NEED(who, d);
    ptrdiff_t M = 0, C = 0;
    FVI_TRY(tb_norm_check(&M, &C, who, d));

    for (ptrdiff_t c = 0; c < C; c++) {
        double mu, var;
        tb_norm_moments(&mu, &var, x, c, M, C);
        const double std = sqrt(var + d->epsilon);
        for (ptrdiff_t k = 0; k < M; k++)
            y[k * C + c] = gamma[c] * ((x[k * C + c] - mu) / std) + beta[c];
        if (mean != NULL) mean[c] = mu;
        if (variance != NULL) variance[c] = var;
    }
    return FV_OK;
}

/*
 * With x_hat = (x - mean)/std and y = gamma*x_hat + beta:
 *
 *   dbeta = sum dy,   dgamma = sum dy*x_hat,
 *   dx = gamma/std * (dy - dbeta/M - x_hat*dgamma/M).
 *
 * The last two terms are there because mean and std depend on every x of the channel.
 */
fv_status fv_tb_batch_norm_backward(double *dx, double *dgamma, double *dbeta, const double *dy,
                                    const double *x, const double *gamma, const fv_tb_batch_norm *d)
{
    const char *who = "fv_tb_batch_norm_backward";
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, gamma);
    FVI_TB_NEED(who, d);
    ptrdiff_t M = 0, C = 0;
    FVI_TRY(tb_norm_check(&M, &C, who, d));

    for (ptrdiff_t c = 0; c < C; c++) {
        double mu, var, sum_dy = 0.0, sum_dy_x_hat = 0.0;
        tb_norm_moments(&mu, &var, x, c, M, C);
        const double std = sqrt(var + d->epsilon);
        for (ptrdiff_t k = 0; k < M; k++) {
            sum_dy += dy[k * C + c];
            sum_dy_x_hat += dy[k * C + c] * ((x[k * C + c] - mu) / std);
        }
        for (ptrdiff_t k = 0; k < M && dx != NULL; k++) {
            const double x_hat = (x[k * C + c] - mu) / std;
            dx[k * C + c] =
                gamma[c] / std * (dy[k * C + c] - (sum_dy + x_hat * sum_dy_x_hat) / (double)M);
        }
        if (dgamma != NULL) dgamma[c] = sum_dy_x_hat;
        if (dbeta != NULL) dbeta[c] = sum_dy;
    }
    return FV_OK;
}

fv_status fv_tb_batch_norm_moving(double *moving_mean, double *moving_variance, const double *mean,
                                  const double *variance, const fv_tb_batch_norm *d)
{
    const char *who = "fv_tb_batch_norm_moving";
    FVI_TB_NEED(who, moving_mean);
    FVI_TB_NEED(who, moving_variance);
    FVI_TB_NEED(who, mean);
    FVI_TB_NEED(who, variance);
    FVI_TB_NEED(who, d);
    ptrdiff_t M = 0, C = 0;
    FVI_TRY(tb_norm_check(&M, &C, who, d));
    if (M == 0) return FV_OK;

    const bool correct = d->moving == FV_TB_MOVING_UNBIASED && M > 1;
    const double bessel = correct ? (double)M / (double)(M - 1) : 1.0;
    const double keep = d->momentum, take = 1.0 - d->momentum;
    for (ptrdiff_t c = 0; c < C; c++) {
        moving_mean[c] = keep * moving_mean[c] + take * mean[c];
        moving_variance[c] = keep * moving_variance[c] + take * (bessel * variance[c]);
    }
    return FV_OK;
}

fv_status fv_tb_batch_norm_inference(double *y, const double *x, const double *gamma,
                                     const double *beta, const double *moving_mean,
                                     const double *moving_variance, const fv_tb_batch_norm *d)
{
    const char *who = "fv_tb_batch_norm_inference";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, gamma);
    FVI_TB_NEED(who, beta);
    FVI_TB_NEED(who, moving_mean);
    FVI_TB_NEED(who, moving_variance);
    FVI_TB_NEED(who, d);
    ptrdiff_t M = 0, C = 0;
    FVI_TRY(tb_norm_check(&M, &C, who, d));

    for (ptrdiff_t k = 0; k < M; k++) {
        for (ptrdiff_t c = 0; c < C; c++) {
            const double std = sqrt(moving_variance[c] + d->epsilon);
            y[k * C + c] = gamma[c] * ((x[k * C + c] - moving_mean[c]) / std) + beta[c];
        }
    }
    return FV_OK;
}

fv_status fv_tb_batch_norm_inference_backward(double *dx, double *dgamma, double *dbeta,
                                              const double *dy, const double *x,
                                              const double *gamma, const double *moving_mean,
                                              const double *moving_variance,
                                              const fv_tb_batch_norm *d)
{
    const char *who = "fv_tb_batch_norm_inference_backward";
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, gamma);
    FVI_TB_NEED(who, moving_mean);
    FVI_TB_NEED(who, moving_variance);
    FVI_TB_NEED(who, d);
    ptrdiff_t M = 0, C = 0;
    FVI_TRY(tb_norm_check(&M, &C, who, d));

    fvi_tb_zero(dgamma, C);
    fvi_tb_zero(dbeta, C);
    for (ptrdiff_t k = 0; k < M; k++) {
        for (ptrdiff_t c = 0; c < C; c++) {
            const double std = sqrt(moving_variance[c] + d->epsilon);
            const double x_hat = (x[k * C + c] - moving_mean[c]) / std;
            if (dx != NULL) dx[k * C + c] = gamma[c] / std * dy[k * C + c];
            if (dgamma != NULL) dgamma[c] += dy[k * C + c] * x_hat;
            if (dbeta != NULL) dbeta[c] += dy[k * C + c];
        }
    }
    return FV_OK;
}

static fv_status tb_norm_check_rate(const char *who, double rate)
{
    if (!(rate >= 0.0 && rate < 1.0))
        return fvi_fail(FV_E_ARG,
                        "%s: rate is not in [0,1); the share to drop is expected, "
                        "such as 0.5",
                        who);
    return FV_OK;
}

fv_status fv_tb_dropout_forward(double *y, const double *x, const unsigned char *mask, double rate,
                                size_t n)
{
    const char *who = "fv_tb_dropout_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, mask);
    FVI_TRY(tb_norm_check_rate(who, rate));
    for (size_t k = 0; k < n; k++)
        y[k] = mask[k] ? x[k] / (1.0 - rate) : 0.0;
    return FV_OK;
}

fv_status fv_tb_dropout_backward(double *dx, const double *dy, const unsigned char *mask,
                                 double rate, size_t n)
{
    const char *who = "fv_tb_dropout_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, mask);
    FVI_TRY(tb_norm_check_rate(who, rate));
    for (size_t k = 0; k < n; k++)
        dx[k] = mask[k] ? dy[k] / (1.0 - rate) : 0.0;
    return FV_OK;
}

fv_status fv_tb_dropout_mask(fv_tb_rng *rng, unsigned char *mask, double rate, size_t n)
{
    const char *who = "fv_tb_dropout_mask";
    FVI_TB_NEED(who, rng);
    FVI_TB_NEED(who, mask);
    FVI_TRY(tb_norm_check_rate(who, rate));
    for (size_t k = 0; k < n; k++) {
        double uniform;
        FVI_TRY(fv_tb_rng_rand(rng, &uniform, 1));
        mask[k] = uniform >= rate;
    }
    return FV_OK;
}
