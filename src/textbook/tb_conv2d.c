/* SPDX-License-Identifier: MIT */
/* Convolution with everything adjustable: kernel, strides, four pads, dilation, groups. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

/* The sizes once more, as ptrdiff_t for the loops, with the defaults filled in. */
typedef struct tb_conv2d_loop {
    ptrdiff_t N, H, W, C, F, KH, KW, OH, OW;
    ptrdiff_t dilation_h, dilation_w;
    ptrdiff_t group_c, group_f; /* channels and filters of one group */
} tb_conv2d_loop;

static fv_status tb_conv2d_check(tb_conv2d_loop *s, const char *who, const fv_tb_conv2d_sizes *d)
{
    const int dilation_h = d->dilation_h == 0 ? 1 : d->dilation_h;
    const int dilation_w = d->dilation_w == 0 ? 1 : d->dilation_w;
    const int groups = d->groups == 0 ? 1 : d->groups;
    FVI_TB_LEAST(who, d->n, 0);
    FVI_TB_LEAST(who, d->c, 1);
    FVI_TB_LEAST(who, d->filters, 1);
    if (groups < 1 || d->c % groups != 0 || d->filters % groups != 0)
        return fvi_fail(FV_E_SHAPE,
                        "%s: %d groups for %d channels and %d filters; a number that divides both "
                        "is expected",
                        who, groups, d->c, d->filters);
    int out_h = 0, out_w = 0;
    FVI_TRY(fvi_tb_axis(&out_h, who, "height", d->h, d->kernel_h, d->stride_h, d->pad_top,
                        d->pad_bottom, dilation_h));
    FVI_TRY(fvi_tb_axis(&out_w, who, "width", d->w, d->kernel_w, d->stride_w, d->pad_left,
                        d->pad_right, dilation_w));
    FVI_TRY(fvi_tb_array(who, "x", 4, (int[]){d->n, d->h, d->w, d->c}));
    FVI_TRY(
        fvi_tb_array(who, "w", 4, (int[]){d->kernel_h, d->kernel_w, d->c / groups, d->filters}));
    FVI_TRY(fvi_tb_array(who, "y", 4, (int[]){d->n, out_h, out_w, d->filters}));
    *s = (tb_conv2d_loop){.N = d->n,
                          .H = d->h,
                          .W = d->w,
                          .C = d->c,
                          .F = d->filters,
                          .KH = d->kernel_h,
                          .KW = d->kernel_w,
                          .OH = out_h,
                          .OW = out_w,
                          .dilation_h = dilation_h,
                          .dilation_w = dilation_w,
                          .group_c = d->c / groups,
                          .group_f = d->filters / groups};
    return FV_OK;
}

fv_status fv_tb_conv2d_out_size(int *out_h, int *out_w, const fv_tb_conv2d_sizes *d)
{
    const char *who = "fv_tb_conv2d_out_size";
    FVI_TB_NEED(who, out_h);
    FVI_TB_NEED(who, out_w);
    FVI_TB_NEED(who, d);
    tb_conv2d_loop s = {0};
    FVI_TRY(tb_conv2d_check(&s, who, d));
    *out_h = (int)s.OH;
    *out_w = (int)s.OW;
    return FV_OK;
}

fv_status fv_tb_conv2d_forward(double *y, const double *x, const double *w, const double *b,
                               const fv_tb_conv2d_sizes *d)
{
    const char *who = "fv_tb_conv2d_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, w);
    FVI_TB_NEED(who, d);
    tb_conv2d_loop s = {0};
    FVI_TRY(tb_conv2d_check(&s, who, d));

    for (ptrdiff_t n = 0; n < s.N; n++) {
        for (ptrdiff_t oh = 0; oh < s.OH; oh++) {
            for (ptrdiff_t ow = 0; ow < s.OW; ow++) {
                for (ptrdiff_t f = 0; f < s.F; f++) {
                    const ptrdiff_t first_c = f / s.group_f * s.group_c;
                    double sum = 0.0;
                    for (ptrdiff_t kh = 0; kh < s.KH; kh++) {
                        const ptrdiff_t ih = oh * d->stride_h + kh * s.dilation_h - d->pad_top;
                        if (ih < 0 || ih >= s.H) continue;
                        for (ptrdiff_t kw = 0; kw < s.KW; kw++) {
                            const ptrdiff_t iw = ow * d->stride_w + kw * s.dilation_w - d->pad_left;
                            if (iw < 0 || iw >= s.W) continue;
                            const double *pixel = x + ((n * s.H + ih) * s.W + iw) * s.C + first_c;
                            const double *weight = w + (kh * s.KW + kw) * s.group_c * s.F + f;
                            for (ptrdiff_t c = 0; c < s.group_c; c++)
                                sum += pixel[c] * weight[c * s.F];
                        }
                    }
                    y[((n * s.OH + oh) * s.OW + ow) * s.F + f] = b == NULL ? sum : sum + b[f];
                }
            }
        }
    }
    return FV_OK;
}

fv_status fv_tb_conv2d_backward(double *dx, double *dw, double *db, const double *dy,
                                const double *x, const double *w, const fv_tb_conv2d_sizes *d)
{
    const char *who = "fv_tb_conv2d_backward";
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, w);
    FVI_TB_NEED(who, d);
    tb_conv2d_loop s = {0};
    FVI_TRY(tb_conv2d_check(&s, who, d));

    fvi_tb_zero(dx, s.N * s.H * s.W * s.C);
    fvi_tb_zero(dw, s.KH * s.KW * s.group_c * s.F);
    fvi_tb_zero(db, s.F);

    for (ptrdiff_t n = 0; n < s.N; n++) {
        for (ptrdiff_t oh = 0; oh < s.OH; oh++) {
            for (ptrdiff_t ow = 0; ow < s.OW; ow++) {
                for (ptrdiff_t f = 0; f < s.F; f++) {
                    const ptrdiff_t first_c = f / s.group_f * s.group_c;
                    const double dy_here = dy[((n * s.OH + oh) * s.OW + ow) * s.F + f];
                    for (ptrdiff_t kh = 0; kh < s.KH; kh++) {
                        const ptrdiff_t ih = oh * d->stride_h + kh * s.dilation_h - d->pad_top;
                        if (ih < 0 || ih >= s.H) continue;
                        for (ptrdiff_t kw = 0; kw < s.KW; kw++) {
                            const ptrdiff_t iw = ow * d->stride_w + kw * s.dilation_w - d->pad_left;
                            if (iw < 0 || iw >= s.W) continue;
                            const ptrdiff_t pixel = ((n * s.H + ih) * s.W + iw) * s.C + first_c;
                            const ptrdiff_t weight = (kh * s.KW + kw) * s.group_c * s.F + f;
                            for (ptrdiff_t c = 0; c < s.group_c; c++) {
                                if (dx != NULL) dx[pixel + c] += w[weight + c * s.F] * dy_here;
                                if (dw != NULL) dw[weight + c * s.F] += x[pixel + c] * dy_here;
                            }
                        }
                    }
                    if (db != NULL) db[f] += dy_here;
                }
            }
        }
    }
    return FV_OK;
}
