/* SPDX-License-Identifier: MIT */
/* Template of sums over the windows of a max pooling, included once by each kernels_<isa>.c after
   kernels_tile.h. See conv_sparse.c. */

/* What is read begins anywhere, and what crosses the end of a cache line is read twice: vectors of at
   most eight floats do so less often. */
#ifndef FVI_WINDOW_FMA
#define FVI_WINDOW_LANES FVI_LANES
#define FVI_WINDOW_FMA(a, b, c) FVI_FMA((a), (b), (c))
#endif
typedef float FVI_NAME(windows_vector) __attribute__((vector_size(4 * FVI_WINDOW_LANES)));
typedef float FVI_NAME(windows_memory)
    __attribute__((vector_size(4 * FVI_WINDOW_LANES), aligned(4), may_alias));
#define FVI_WINDOW FVI_NAME(windows_vector)
#define FVI_WINDOW_AT(p) (*(const FVI_NAME(windows_memory) *)(p))

typedef uint32_t FVI_NAME(windows_bits) __attribute__((vector_size(4 * FVI_WINDOW_LANES)));

/* What a window passes back, in every lane, and how far from its first element. Nothing is passed
   back as 0: a branch would be guessed wrong too often. */
FVI_INLINE FVI_WINDOW FVI_NAME(window_back)(const fvi_tile_windows *call, ptrdiff_t at,
                                            ptrdiff_t *offset, const bool is_byte)
{
    uint32_t by;
    memcpy(&by, call->dy + at, sizeof by);
    if (is_byte) {
        const uint8_t place = ((const uint8_t *)call->places)[at];
        by &= 0u - (place != UINT8_MAX);
        *offset = call->offset[place];
    } else {
        const uint32_t word = ((const uint32_t *)call->places)[at];
        const uint32_t is_any = 0u - (word != UINT32_MAX), place = word & is_any;
        by &= is_any;
        *offset = (ptrdiff_t)(place / call->KW) * call->down +
                  (ptrdiff_t)(place % call->KW) * call->right;
    }
    return (FVI_WINDOW)(by - (FVI_NAME(windows_bits)){0});
}

/* One vector of each of `rows` rows, windows in turn into two sums, so that twice as many are under
   way: few rows alone would wait for each other. */
FVI_INLINE void FVI_NAME(windows)(const fvi_tile_windows *call, const int rows, const bool is_byte)
{
    FVI_WINDOW sum[FVI_WINDOW_ROWS][2], total[2] = {{0}, {0}};
    FVI_UNROLL
    for (int m = 0; m < rows; ++m)
        sum[m][0] = sum[m][1] = (FVI_WINDOW){0};
    const ptrdiff_t step = call->row_step;
    for (ptrdiff_t i = 0; i < call->high; ++i) {
        const float *x = call->x + i * call->x_row;
        ptrdiff_t at = i * call->dy_row, left = call->wide, offset;
        for (; left >= 2; left -= 2) {
            FVI_UNROLL
            for (int k = 0; k < 2; ++k, at += call->dy_step, x += call->x_step) {
                const FVI_WINDOW by = FVI_NAME(window_back)(call, at, &offset, is_byte);
                const float *from = x + offset;
                total[k] += by;
                FVI_UNROLL
                for (int m = 0; m < rows; ++m)
                    sum[m][k] = FVI_WINDOW_FMA(by, FVI_WINDOW_AT(from + m * step), sum[m][k]);
            }
        }
        if (left == 0) continue;
        const FVI_WINDOW by = FVI_NAME(window_back)(call, at, &offset, is_byte);
        const float *from = x + offset;
        total[0] += by;
        FVI_UNROLL
        for (int m = 0; m < rows; ++m)
            sum[m][0] = FVI_WINDOW_FMA(by, FVI_WINDOW_AT(from + m * step), sum[m][0]);
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        float *out = call->out + m * call->out_step;
        *(FVI_NAME(windows_memory) *)out = FVI_WINDOW_AT(out) + (sum[m][0] + sum[m][1]);
    }
    total[0] += total[1];
    *call->total += total[0][0];
}

#define FVI_WINDOWS_WRAP(m)                                                                        \
    static void FVI_NAME(windows_##m)(const fvi_tile_windows *call)                                \
    {                                                                                              \
        FVI_NAME(windows)(call, m, false);                                                         \
    }                                                                                              \
    static void FVI_NAME(windows_##m##_bytes)(const fvi_tile_windows *call)                        \
    {                                                                                              \
        FVI_NAME(windows)(call, m, true);                                                          \
    }
#define FVI_WINDOWS_ENTRY(m) FVI_NAME(windows_##m), FVI_NAME(windows_##m##_bytes),
#define FVI_EACH_WINDOW_ROWS(X) X(1) X(2) X(3) X(4) X(5)
FVI_EACH_WINDOW_ROWS(FVI_WINDOWS_WRAP)

static fvi_tile_windows_fn *const FVI_NAME(windows_list)[2 * FVI_WINDOW_ROWS] = {
    FVI_EACH_WINDOW_ROWS(FVI_WINDOWS_ENTRY)};
