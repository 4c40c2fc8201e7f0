/* SPDX-License-Identifier: MIT */
/* Pooling with everything adjustable: window, strides, four pads, dilation. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

/* The sizes once more, as ptrdiff_t for the loops, with the defaults filled in. */
typedef struct tb_pool2d_loop {
    ptrdiff_t N, H, W, C, KH, KW, OH, OW;
    ptrdiff_t dilation_h, dilation_w;
} tb_pool2d_loop;

/* Does every window along one axis have a real pixel? */
static fv_status tb_pool2d_axis(const char *who, const char *axis, ptrdiff_t size, ptrdiff_t kernel,
                                ptrdiff_t stride, ptrdiff_t before, ptrdiff_t dilation,
                                ptrdiff_t out)
{
    for (ptrdiff_t o = 0; o < out; o++) {
        bool found = false;
        for (ptrdiff_t k = 0; k < kernel && !found; k++) {
            const ptrdiff_t at = o * stride + k * dilation - before;
            found = at >= 0 && at < size;
        }
        if (!found)
            return fvi_fail(FV_E_SHAPE,
                            "%s: along the %s window %td lies wholly in the padding; at least one "
                            "pixel of the image is expected in each; use less padding",
                            who, axis, o);
    }
    return FV_OK;
}

static fv_status tb_pool2d_check(tb_pool2d_loop *s, const char *who, const fv_tb_pool2d_sizes *d)
{
    const int dilation_h = d->dilation_h == 0 ? 1 : d->dilation_h;
    const int dilation_w = d->dilation_w == 0 ? 1 : d->dilation_w;
    FVI_TB_LEAST(who, d->n, 0);
    FVI_TB_LEAST(who, d->c, 1);
    if (d->mode != FV_TB_MAX && d->mode != FV_TB_AVERAGE)
        return fvi_fail(FV_E_ARG, "%s: mode is %d; FV_TB_MAX or FV_TB_AVERAGE is expected", who,
                        (int)d->mode);
    int out_h = 0, out_w = 0;
    FVI_TRY(fvi_tb_axis(&out_h, who, "height", d->h, d->kernel_h, d->stride_h, d->pad_top,
                        d->pad_bottom, dilation_h));
    FVI_TRY(fvi_tb_axis(&out_w, who, "width", d->w, d->kernel_w, d->stride_w, d->pad_left,
                        d->pad_right, dilation_w));
    FVI_TRY(tb_pool2d_axis(who, "height", d->h, d->kernel_h, d->stride_h, d->pad_top, dilation_h,
                           out_h));
    FVI_TRY(tb_pool2d_axis(who, "width", d->w, d->kernel_w, d->stride_w, d->pad_left, dilation_w,
                           out_w));
    FVI_TRY(fvi_tb_array(who, "x", 4, (int[]){d->n, d->h, d->w, d->c}));
    FVI_TRY(fvi_tb_array(who, "y", 4, (int[]){d->n, out_h, out_w, d->c}));
    *s = (tb_pool2d_loop){.N = d->n,
                          .H = d->h,
                          .W = d->w,
                          .C = d->c,
                          .KH = d->kernel_h,
                          .KW = d->kernel_w,
                          .OH = out_h,
                          .OW = out_w,
                          .dilation_h = dilation_h,
                          .dilation_w = dilation_w};
    return FV_OK;
}

/* One window of one channel: its largest value and where that first stands in x, sum and pixels. */
typedef struct tb_pool2d_window {
    double largest, sum;
    ptrdiff_t at, count;
} tb_pool2d_window;

static tb_pool2d_window tb_pool2d_look(const double *x, const tb_pool2d_loop *s, ptrdiff_t n,
                                       ptrdiff_t top, ptrdiff_t left, ptrdiff_t c)
{
    tb_pool2d_window window = {0};
    for (ptrdiff_t kh = 0; kh < s->KH; kh++) {
        const ptrdiff_t ih = top + kh * s->dilation_h;
        if (ih < 0 || ih >= s->H) continue;
        for (ptrdiff_t kw = 0; kw < s->KW; kw++) {
            const ptrdiff_t iw = left + kw * s->dilation_w;
            if (iw < 0 || iw >= s->W) continue;
            const ptrdiff_t at = ((n * s->H + ih) * s->W + iw) * s->C + c;
            const bool first_nan = isnan(x[at]) && !isnan(window.largest);
            if (window.count == 0 || x[at] > window.largest || first_nan) {
                window.largest = x[at];
                window.at = at;
            }
            window.sum += x[at];
            window.count++;
        }
    }
    return window;
}

fv_status fv_tb_pool2d_out_size(int *out_h, int *out_w, const fv_tb_pool2d_sizes *d)
{
    const char *who = "fv_tb_pool2d_out_size";
    FVI_TB_NEED(who, out_h);
    FVI_TB_NEED(who, out_w);
    FVI_TB_NEED(who, d);
    tb_pool2d_loop s = {0};
    FVI_TRY(tb_pool2d_check(&s, who, d));
    *out_h = (int)s.OH;
    *out_w = (int)s.OW;
    return FV_OK;
}

fv_status fv_tb_pool2d_forward(double *y, const double *x, const fv_tb_pool2d_sizes *d)
{
    const char *who = "fv_tb_pool2d_forward";
    FVI_TB_NEED(who, y);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, d);
    tb_pool2d_loop s = {0};
    FVI_TRY(tb_pool2d_check(&s, who, d));

    for (ptrdiff_t n = 0; n < s.N; n++) {
        for (ptrdiff_t oh = 0; oh < s.OH; oh++) {
            const ptrdiff_t top = oh * d->stride_h - d->pad_top;
            for (ptrdiff_t ow = 0; ow < s.OW; ow++) {
                const ptrdiff_t left = ow * d->stride_w - d->pad_left;
                for (ptrdiff_t c = 0; c < s.C; c++) {
                    const tb_pool2d_window window = tb_pool2d_look(x, &s, n, top, left, c);
                    y[((n * s.OH + oh) * s.OW + ow) * s.C + c] =
                        d->mode == FV_TB_MAX ? window.largest : window.sum / (double)window.count;
                }
            }
        }
    }
    return FV_OK;
}

fv_status fv_tb_pool2d_backward(double *dx, const double *dy, const double *x,
                                const fv_tb_pool2d_sizes *d)
{
    const char *who = "fv_tb_pool2d_backward";
    FVI_TB_NEED(who, dx);
    FVI_TB_NEED(who, dy);
    FVI_TB_NEED(who, x);
    FVI_TB_NEED(who, d);
    tb_pool2d_loop s = {0};
    FVI_TRY(tb_pool2d_check(&s, who, d));

    fvi_tb_zero(dx, s.N * s.H * s.W * s.C);

    for (ptrdiff_t n = 0; n < s.N; n++) {
        for (ptrdiff_t oh = 0; oh < s.OH; oh++) {
            const ptrdiff_t top = oh * d->stride_h - d->pad_top;
            for (ptrdiff_t ow = 0; ow < s.OW; ow++) {
                const ptrdiff_t left = ow * d->stride_w - d->pad_left;
                for (ptrdiff_t c = 0; c < s.C; c++) {
                    const double dy_here = dy[((n * s.OH + oh) * s.OW + ow) * s.C + c];
                    const tb_pool2d_window window = tb_pool2d_look(x, &s, n, top, left, c);
                    if (d->mode == FV_TB_MAX) {
                        dx[window.at] += dy_here;
                        continue;
                    }
                    for (ptrdiff_t kh = 0; kh < s.KH; kh++) {
                        const ptrdiff_t ih = top + kh * s.dilation_h;
                        if (ih < 0 || ih >= s.H) continue;
                        for (ptrdiff_t kw = 0; kw < s.KW; kw++) {
                            const ptrdiff_t iw = left + kw * s.dilation_w;
                            if (iw < 0 || iw >= s.W) continue;
                            dx[((n * s.H + ih) * s.W + iw) * s.C + c] +=
                                dy_here / (double)window.count;
                        }
                    }
                }
            }
        }
    }
    return FV_OK;
}
