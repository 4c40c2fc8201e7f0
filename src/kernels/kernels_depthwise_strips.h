/* SPDX-License-Identifier: MIT */
/* Template of the depthwise kernels for rows of outputs under a kernel 3 wide, included by each
   kernels_<isa>.c after kernels_depthwise.h. No include guard: that is the point. */

/* A strip is a row of neighbouring outputs of one block of channels, or two rows below each other.
   These share inputs: with registers enough, a window of 3 columns of inputs slides along the strip,
   of which each is loaded once, and the 9 weights stay where they are. With 16 registers each
   product loads its input; forward then has nothing to gain. */
#if FVI_ROWS_MAX * FVI_VECTORS_MAX > 16
#define FVI_DEPTHWISE_SLIDES 1
#else
#define FVI_DEPTHWISE_SLIDES 0
#endif

/* Columns [from, to) into the window, of which column j is window[r][(first + j) % 3]. */
FVI_INLINE void FVI_NAME(depthwise_slide)(FVI_VECTOR (*window)[3], const float *x, ptrdiff_t row,
                                          ptrdiff_t pixel, const FVI_NAME(depthwise_block) * b,
                                          const int rows, const int first, const int from,
                                          const int to, const int mode)
{
    FVI_UNROLL
    for (int r = 0; FVI_DEPTHWISE_SLIDES && r < rows; ++r) {
        FVI_UNROLL
        for (int j = from; j < to; ++j)
            window[r][(first + j) % 3] =
                FVI_NAME(depthwise_source)(x + r * row + j * pixel, b, mode);
    }
}

/* Of what is new to the next rows of strips, a line for each that is read or written now: places of y,
   step times as many of x. */
FVI_INLINE void FVI_NAME(depthwise_fetch)(const char *x, ptrdiff_t x_row, const char *y,
                                          ptrdiff_t y_row, const int x_rows, const int y_rows,
                                          const int step)
{
    FVI_UNROLL
    for (int r = 0; r < y_rows; ++r)
        FVI_PREFETCH(y + r * y_row);
    FVI_UNROLL
    for (int r = 0; r < x_rows; ++r) {
        FVI_UNROLL
        for (int p = 0; p < step; ++p)
            FVI_PREFETCH(x + r * x_row + p * (int)sizeof(FVI_VECTOR));
    }
}

#if FVI_DEPTHWISE_SLIDES

/* The sums of one place: taps [from, to) of each kernel row, kernel rows outside. */
FVI_INLINE void FVI_NAME(depthwise_place)(const fvi_depthwise_rows *call, FVI_VECTOR (*window)[3],
                                          FVI_VECTOR (*w)[3], ptrdiff_t at,
                                          const FVI_NAME(depthwise_block) * b, const int rows,
                                          const int taps_h, const int first, const int from,
                                          const int to, const bool is_plain)
{
    FVI_VECTOR start = {0};
    if (call->start) start = FVI_NAME(depthwise_load)(call->start, b, FVI_DEPTHWISE_WHOLE);
    FVI_UNROLL
    for (int r = 0; r < rows; ++r, at += call->out_below) {
        FVI_VECTOR y = start;
        FVI_UNROLL
        for (int i = 0; i < taps_h; ++i) {
            FVI_UNROLL
            for (int j = from; j < to; ++j)
                y = FVI_FMA(window[r + i][(first + j) % 3], w[i][j], y);
        }
        FVI_NAME(depthwise_finish)(call, &y, at, b, 1, FVI_DEPTHWISE_WHOLE, is_plain);
    }
}

/* One block of channels of a strip. */
FVI_INLINE void FVI_NAME(depthwise_along)(const fvi_depthwise_rows *call,
                                          const FVI_NAME(depthwise_block) * b, const int rows,
                                          const int taps_h, const bool is_plain)
{
    const int mode = FVI_DEPTHWISE_WHOLE, all = rows + taps_h - 1, size = (int)sizeof(FVI_VECTOR);
    const ptrdiff_t row = call->gap_h, pixel = call->gap_w;
    const char *ahead = call->ahead + b->c * call->outs * (ptrdiff_t)sizeof(float);
    const float *x = call->source;
    FVI_VECTOR w[3][3], window[4][3];
    FVI_UNROLL
    for (int t = 0; t < 3 * taps_h; ++t)
        w[t / 3][t % 3] = FVI_NAME(depthwise_load)(
            call->weights + t / 3 * call->weight_h + t % 3 * call->weight_w, b, mode);
    if (call->has_left) {
        FVI_NAME(depthwise_slide)(window, x - pixel, row, pixel, b, all, 0, 1, 3, mode);
        FVI_NAME(depthwise_place)
        (call, window, w, -call->out_step, b, rows, taps_h, 0, 1, 3, is_plain);
    }
    FVI_NAME(depthwise_slide)(window, x, row, pixel, b, all, 0, 0, 2, mode);
    ptrdiff_t at = 0, left = call->outs;
    while (left > 0) {
        FVI_UNROLL
        for (int u = 0; u < 3; ++u) {
            FVI_UNROLL
            for (int r = 0; r < rows; ++r) /* what is read next the processor sees by itself */
                FVI_PREFETCH(ahead + r * call->ahead_row);
            FVI_NAME(depthwise_slide)(window, x, row, pixel, b, all, u, 2, 3, mode);
            FVI_NAME(depthwise_place)(call, window, w, at, b, rows, taps_h, u, 0, 3, is_plain);
            x += pixel;
            at += call->out_step;
            ahead += size;
            FVI_KEEP(x); /* one address each, not one for each place of the loop */
            FVI_KEEP(at);
            if (--left == 0) break;
        }
    }
    if (call->has_right) {
        FVI_NAME(depthwise_slide)(window, x, row, pixel, b, all, 0, 0, 2, mode);
        FVI_NAME(depthwise_place)(call, window, w, at, b, rows, taps_h, 0, 0, 2, is_plain);
    }
}

/* Whole vectors of channels; a last one that reaches over the end begins before its place. */
FVI_INLINE void FVI_NAME(depthwise_blocks)(const fvi_depthwise_rows *call, const int rows,
                                           const int taps_h, const bool is_plain)
{
    for (ptrdiff_t c = 0; c < call->channels; c += FVI_LANES) {
        if (c + FVI_LANES > call->channels) c = call->channels - FVI_LANES;
        const FVI_NAME(depthwise_block) b = FVI_NAME(depthwise_begin)(c, 0, 1, FVI_DEPTHWISE_WHOLE);
        FVI_NAME(depthwise_along)(call, &b, rows, taps_h, is_plain);
    }
}

#define FVI_DEPTHWISE_ALONG(rows, taps_h)                                                          \
    static void FVI_NAME(depthwise_along_##rows##_##taps_h)(const fvi_depthwise_rows *given)       \
    {                                                                                              \
        const fvi_depthwise_rows call = *given; /* a copy that no store can reach */               \
        if (call.mask || call.is_clipped)                                                          \
            FVI_NAME(depthwise_blocks)(&call, rows, taps_h, false);                                \
        else                                                                                       \
            FVI_NAME(depthwise_blocks)(&call, rows, taps_h, true);                                 \
    }
FVI_DEPTHWISE_ALONG(1, 2)
FVI_DEPTHWISE_ALONG(1, 3)
FVI_DEPTHWISE_ALONG(2, 3)

#endif
