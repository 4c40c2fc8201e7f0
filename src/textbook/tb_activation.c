/* SPDX-License-Identifier: MIT */
/* Activations and their derivatives: ReLU, sigmoid, tanh, softmax. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

fv_status fv_tb_relu_forward(double *y, const double *x, size_t n)
{
    const char *who = "fv_tb_relu_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    for (size_t k = 0; k < n; k++)
        y[k] = x[k] <= 0.0 ? 0.0 : x[k]; /* this way round a NaN passes */
    return FV_OK;
}

fv_status fv_tb_relu_backward(double *dx, const double *dy, const double *x, size_t n)
{
    const char *who = "fv_tb_relu_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, x);
    for (size_t k = 0; k < n; k++)
        dx[k] = x[k] > 0.0 ? dy[k] : 0.0;
    return FV_OK;
}

fv_status fv_tb_sigmoid_forward(double *y, const double *x, size_t n)
{
    const char *who = "fv_tb_sigmoid_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    for (size_t k = 0; k < n; k++)
        y[k] = 1.0 / (1.0 + exp(-x[k])); /* exp may become infinite: then y is 0, as it should be */
    return FV_OK;
}

fv_status fv_tb_sigmoid_backward(double *dx, const double *dy, const double *y, size_t n)
{
    const char *who = "fv_tb_sigmoid_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, y);
    for (size_t k = 0; k < n; k++)
        dx[k] = dy[k] * y[k] * (1.0 - y[k]);
    return FV_OK;
}

fv_status fv_tb_tanh_forward(double *y, const double *x, size_t n)
{
    const char *who = "fv_tb_tanh_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    for (size_t k = 0; k < n; k++)
        y[k] = tanh(x[k]);
    return FV_OK;
}

fv_status fv_tb_tanh_backward(double *dx, const double *dy, const double *y, size_t n)
{
    const char *who = "fv_tb_tanh_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, y);
    for (size_t k = 0; k < n; k++)
        dx[k] = dy[k] * (1.0 - y[k] * y[k]);
    return FV_OK;
}

static fv_status tb_activation_check_rows(const char *who, int n, int classes)
{
    FVI_TB_LEAST(who, n, 0);
    FVI_TB_LEAST(who, classes, 1);
    return fvi_tb_array(who, "x", 2, (int[]){n, classes});
}

fv_status fv_tb_softmax_forward(double *y, const double *x, int n, int classes)
{
    const char *who = "fv_tb_softmax_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TRY(tb_activation_check_rows(who, n, classes));
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *x_i = x + i * classes;
        double *y_i = y + i * classes;
        double largest = x_i[0], sum = 0.0;
        for (ptrdiff_t k = 1; k < classes; k++)
            if (x_i[k] > largest) largest = x_i[k];
        for (ptrdiff_t k = 0; k < classes; k++) {
            y_i[k] = exp(x_i[k] - largest);
            sum += y_i[k];
        }
        for (ptrdiff_t k = 0; k < classes; k++)
            y_i[k] /= sum;
    }
    return FV_OK;
}

fv_status fv_tb_softmax_backward(double *dx, const double *dy, const double *y, int n, int classes)
{
    const char *who = "fv_tb_softmax_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, y);
    FVI_TRY(tb_activation_check_rows(who, n, classes));
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *dy_i = dy + i * classes, *y_i = y + i * classes;
        double dot = 0.0;
        for (ptrdiff_t k = 0; k < classes; k++)
            dot += dy_i[k] * y_i[k];
        for (ptrdiff_t k = 0; k < classes; k++)
            dx[i * classes + k] = y_i[k] * (dy_i[k] - dot);
    }
    return FV_OK;
}
