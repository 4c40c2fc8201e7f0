/* SPDX-License-Identifier: MIT */
/* Cross-entropy for two classes and for many, from probabilities and from logits. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

/* What Keras does before a logarithm. A NaN stays a NaN. */
static double tb_loss_clip(double p)
{
    if (p < FV_TB_LOSS_EPSILON) return FV_TB_LOSS_EPSILON;
    if (p > 1.0 - FV_TB_LOSS_EPSILON) return 1.0 - FV_TB_LOSS_EPSILON;
    return p;
}

/* Does a change of p change its clipped value? */
static bool tb_loss_inside(double p)
{
    return p >= FV_TB_LOSS_EPSILON && p <= 1.0 - FV_TB_LOSS_EPSILON;
}

fv_status fv_tb_binary_cross_entropy_forward(double *loss, const double *p, const double *y,
                                             size_t n)
{
    const char *who = "fv_tb_binary_cross_entropy_forward";
    FVI_TB_NEED(who, loss);
    FVI_TB_NEED(who, p);
    FVI_TB_NEED(who, y);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double q = tb_loss_clip(p[i]);
        sum -= y[i] * log(q) + (1.0 - y[i]) * log(1.0 - q);
    }
    *loss = n == 0 ? 0.0 : sum / (double)n;
    return FV_OK;
}

fv_status fv_tb_binary_cross_entropy_backward(double *dp, const double *p, const double *y,
                                              size_t n)
{
    const char *who = "fv_tb_binary_cross_entropy_backward";
    FVI_TB_NEED(who, dp);
    FVI_TB_NEED(who, p);
    FVI_TB_NEED(who, y);
    for (size_t i = 0; i < n; i++)
        dp[i] = tb_loss_inside(p[i]) ? (p[i] - y[i]) / (p[i] * (1.0 - p[i])) / (double)n : 0.0;
    return FV_OK;
}

fv_status fv_tb_binary_cross_entropy_logits_forward(double *loss, const double *z, const double *y,
                                                    size_t n)
{
    const char *who = "fv_tb_binary_cross_entropy_logits_forward";
    FVI_TB_NEED(who, loss);
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, y);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double positive = z[i] < 0.0 ? 0.0 : z[i];
        sum += positive - z[i] * y[i] + log1p(exp(-fabs(z[i])));
    }
    *loss = n == 0 ? 0.0 : sum / (double)n;
    return FV_OK;
}

fv_status fv_tb_binary_cross_entropy_logits_backward(double *dz, const double *z, const double *y,
                                                     size_t n)
{
    const char *who = "fv_tb_binary_cross_entropy_logits_backward";
    FVI_TB_NEED(who, dz);
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, y);
    for (size_t i = 0; i < n; i++)
        dz[i] = (1.0 / (1.0 + exp(-z[i])) - y[i]) / (double)n;
    return FV_OK;
}

static fv_status tb_loss_check_rows(const char *who, int n, int classes)
{
    FVI_TB_LEAST(who, n, 0);
    FVI_TB_LEAST(who, classes, 1);
    return fvi_tb_array(who, "y", 2, (int[]){n, classes});
}

static double tb_loss_row_sum(const double *row, ptrdiff_t classes)
{
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < classes; k++)
        sum += row[k];
    return sum;
}

fv_status fv_tb_categorical_cross_entropy_forward(double *loss, const double *p, const double *y,
                                                  int n, int classes)
{
    const char *who = "fv_tb_categorical_cross_entropy_forward";
    FVI_TB_NEED(who, loss);
    FVI_TB_NEED(who, p);
    FVI_TB_NEED(who, y);
    FVI_TRY(tb_loss_check_rows(who, n, classes));
    double sum = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *p_i = p + i * classes, *y_i = y + i * classes;
        const double total = tb_loss_row_sum(p_i, classes);
        for (ptrdiff_t k = 0; k < classes; k++)
            sum -= y_i[k] * log(tb_loss_clip(p_i[k] / total));
    }
    *loss = n == 0 ? 0.0 : sum / (double)n;
    return FV_OK;
}

/*
 * q = p/total, so d q[j] / d p[k] = ((j == k) - q[j]) / total. With dq[j] = -y[j]/q[j] inside the
 * clip, dp[k] = (dq[k] - sum over j of dq[j] q[j]) / total.
 */
fv_status fv_tb_categorical_cross_entropy_backward(double *dp, const double *p, const double *y,
                                                   int n, int classes)
{
    const char *who = "fv_tb_categorical_cross_entropy_backward";
    FVI_TB_NEED(who, dp);
    FVI_TB_NEED(who, p);
    FVI_TB_NEED(who, y);
    FVI_TRY(tb_loss_check_rows(who, n, classes));
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *p_i = p + i * classes, *y_i = y + i * classes;
        const double total = tb_loss_row_sum(p_i, classes);
        double dot = 0.0;
        for (ptrdiff_t k = 0; k < classes; k++)
            if (tb_loss_inside(p_i[k] / total)) dot -= y_i[k];
        for (ptrdiff_t k = 0; k < classes; k++) {
            const double q = p_i[k] / total;
            const double dq = tb_loss_inside(q) ? -y_i[k] / q : 0.0;
            dp[i * classes + k] = (dq - dot) / total / n;
        }
    }
    return FV_OK;
}

/* log(sum of exp(row)), the largest taken out so that exp cannot overflow. */
static double tb_loss_log_sum_exp(const double *row, ptrdiff_t classes)
{
    double largest = row[0], sum = 0.0;
    for (ptrdiff_t k = 1; k < classes; k++)
        if (row[k] > largest) largest = row[k];
    for (ptrdiff_t k = 0; k < classes; k++)
        sum += exp(row[k] - largest);
    return largest + log(sum);
}

fv_status fv_tb_categorical_cross_entropy_logits_forward(double *loss, const double *z,
                                                         const double *y, int n, int classes)
{
    const char *who = "fv_tb_categorical_cross_entropy_logits_forward";
    FVI_TB_NEED(who, loss);
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, y);
    FVI_TRY(tb_loss_check_rows(who, n, classes));
    double sum = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *z_i = z + i * classes, *y_i = y + i * classes;
        const double log_sum_exp = tb_loss_log_sum_exp(z_i, classes);
        for (ptrdiff_t k = 0; k < classes; k++)
            sum += y_i[k] * (log_sum_exp - z_i[k]);
    }
    *loss = n == 0 ? 0.0 : sum / (double)n;
    return FV_OK;
}

fv_status fv_tb_categorical_cross_entropy_logits_backward(double *dz, const double *z,
                                                          const double *y, int n, int classes)
{
    const char *who = "fv_tb_categorical_cross_entropy_logits_backward";
    FVI_TB_NEED(who, dz);
    FVI_TB_NEED(who, z);
    FVI_TB_NEED(who, y);
    FVI_TRY(tb_loss_check_rows(who, n, classes));
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *z_i = z + i * classes, *y_i = y + i * classes;
        const double log_sum_exp = tb_loss_log_sum_exp(z_i, classes);
        const double total = tb_loss_row_sum(y_i, classes); /* 1 for one-hot labels */
        for (ptrdiff_t k = 0; k < classes; k++)
            dz[i * classes + k] = (exp(z_i[k] - log_sum_exp) * total - y_i[k]) / n;
    }
    return FV_OK;
}
