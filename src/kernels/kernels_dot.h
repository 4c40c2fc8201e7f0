/* SPDX-License-Identifier: MIT */
/* Template of dot products, included once by each kernels_<isa>.c after kernels_tile.h. */

#define FVI_STRANDS 4 /* sums of a product under way at once: each waits for its last addition */

/* What is left of a row's product: the strands, lane by lane, and the `left` floats behind them. */
FVI_INLINE float FVI_NAME(dot_end)(const FVI_VECTOR sum[FVI_STRANDS], const float *x,
                                   const float *w, size_t left)
{
    FVI_VECTOR all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (; left >= FVI_LANES; left -= FVI_LANES, x += FVI_LANES, w += FVI_LANES)
        all = FVI_FMA(FVI_LOAD(x), FVI_LOAD(w), all);
    float total = 0;
    for (int i = 0; i < FVI_LANES; ++i)
        total += all[i];
    for (size_t i = 0; i < left; ++i)
        total += x[i] * w[i];
    return total;
}

/* Of `rows` rows. */
FVI_INLINE void FVI_NAME(dot_rows)(const fvi_tile_dots *call, ptrdiff_t first, const int rows)
{
    enum { STEP = FVI_STRANDS * FVI_LANES };
    FVI_VECTOR sum[2][FVI_STRANDS];
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        FVI_UNROLL
        for (int s = 0; s < FVI_STRANDS; ++s)
            sum[m][s] = (FVI_VECTOR){0};
    }
    const float *x = call->x + first * call->x_step, *w = call->w;
    const size_t whole = call->depth / STEP * STEP;
    for (const float *end = w + whole; w < end; w += STEP, x += STEP) {
        FVI_UNROLL
        for (int s = 0; s < FVI_STRANDS; ++s) {
            const FVI_VECTOR by = FVI_LOAD(w + s * FVI_LANES);
            FVI_UNROLL
            for (int m = 0; m < rows; ++m)
                sum[m][s] = FVI_FMA(FVI_LOAD(x + m * call->x_step + s * FVI_LANES), by, sum[m][s]);
        }
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        const float dot =
            FVI_NAME(dot_end)(sum[m], x + m * call->x_step, w, call->depth - whole) + call->start;
        call->out[(first + m) * call->out_step] = call->is_clipped && dot < 0 ? 0 : dot;
    }
}

static void FVI_NAME(dots)(const fvi_tile_dots *call)
{
    ptrdiff_t row = 0;
    for (; row + 2 <= call->rows; row += 2)
        FVI_NAME(dot_rows)(call, row, 2);
    if (row < call->rows) FVI_NAME(dot_rows)(call, row, 1);
}
