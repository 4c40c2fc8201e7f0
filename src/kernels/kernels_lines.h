/* SPDX-License-Identifier: MIT */
/* Template of the tiles of lines, included after kernels_tile.h once for each number of lines and of
   vectors. No include guard: that is the point. */

/* A tile is FVI_LINES lines, 1 or 2, of neighbouring pixels by FVI_LINE_VECTORS vectors; the includer
   defines both, and FVI_EACH_LINE_<lines>_<vectors>(X), which is X of each number of pixels, 4 or
   more. Taps come in groups whose pixels are neighbours too, so that a pixel is loaded once for up to
   three taps: 0.4 loads a product where a tile of rows has 0.6 with two vectors and 1.1 with one.
   (Were lines and vectors arguments of one function, clang would keep the sums in memory.) */

#define FVI_LINES_NAME(name)                                                                       \
    FVI_CAT(FVI_CAT(FVI_CAT(FVI_NAME(line), name), FVI_LINES), FVI_LINE_VECTORS)

/* Pixel q, times taps [t0, t1). */
FVI_INLINE void FVI_LINES_NAME(meet)(FVI_VECTOR row[][FVI_VECTORS_MAX],
                                     FVI_VECTOR right[][FVI_VECTORS_MAX], float pixel, const int q,
                                     const int t0, const int t1)
{
    const FVI_VECTOR left = FVI_SPLAT(pixel);
    FVI_UNROLL
    for (int t = t0; t < t1; ++t) {
        FVI_UNROLL
        for (int v = 0; v < FVI_LINE_VECTORS; ++v)
            row[q - t][v] = FVI_FMA(left, right[t][v], row[q - t][v]);
    }
}
#define FVI_LINES_MEET(q, t0, t1)                                                                  \
    FVI_LINES_NAME(meet)(row, right, a[l][(q) / 4][next[(q) % 4]], q, t0, t1);

/* So many groups of so many taps each. Pixel q of a line is met by its row q in the first tap of a
   group, by row q - 1 in the second and so on, and is loaded once for all of them. Every fourth pixel
   has an address; the others are a pixel, two or three behind it. */
FVI_INLINE void FVI_LINES_NAME(groups)(FVI_VECTOR sum[][FVI_VECTORS_MAX], const fvi_tile_rows *call,
                                       size_t first, size_t count, const int taps, const int pixels)
{
    const ptrdiff_t depth = (ptrdiff_t)call->depth, pixel = call->pair_step;
    const ptrdiff_t ahead_step = call->ahead_step;
    const char *ahead = call->ahead + (ptrdiff_t)first * depth * ahead_step;
    const float *a[2][FVI_THIN_MAX / 4 + 1];
    FVI_UNROLL
    for (int l = 0; l < FVI_LINES; ++l) {
        FVI_UNROLL
        for (int q = 0; q < pixels + taps - 1; q += 4)
            a[l][q / 4] = call->rows[l] + q * pixel;
    }
    for (size_t g = first; g < first + count; ++g) {
        const float *b[3];
        ptrdiff_t next[4];
        FVI_UNROLL
        for (int t = 0; t < taps; ++t)
            b[t] = call->panel + call->panel_row[g] * (FVI_LINE_VECTORS * FVI_LANES) +
                   (size_t)t * call->tap_step;
        FVI_UNROLL
        for (int k = 0; k < 4; ++k)
            next[k] = call->shift[g] + k * pixel;
        for (ptrdiff_t left = depth; left > 0; --left) {
            FVI_VECTOR right[3][FVI_VECTORS_MAX];
            FVI_PREFETCH(ahead);
            ahead += ahead_step;
            FVI_UNROLL
            for (int k = 0; k < 4; ++k)
                FVI_KEEP(next[k]);
            FVI_UNROLL
            for (int t = 0; t < taps; ++t) {
                FVI_KEEP(b[t]);
                FVI_UNROLL
                for (int v = 0; v < FVI_LINE_VECTORS; ++v)
                    right[t][v] = FVI_LOAD(b[t] + v * FVI_LANES);
                b[t] += FVI_LINE_VECTORS * FVI_LANES;
            }
            FVI_UNROLL
            for (int l = 0; l < FVI_LINES; ++l) {
                FVI_VECTOR(*row)[FVI_VECTORS_MAX] = sum + l * pixels;
                if (taps > 1) FVI_LINES_MEET(0, 0, 1)
                if (taps > 2) FVI_LINES_MEET(1, 0, 2)
                FVI_UNROLL
                for (int q = taps - 1; q < pixels; ++q)
                    FVI_LINES_MEET(q, 0, taps)
                if (taps > 2) FVI_LINES_MEET(pixels, 1, 3)
                if (taps > 1) FVI_LINES_MEET(pixels + taps - 2, taps - 1, taps)
            }
            FVI_UNROLL
            for (int k = 0; k < 4; ++k)
                ++next[k];
        }
    }
}

FVI_INLINE void FVI_LINES_NAME(tile)(const fvi_tile_rows *call, const int pixels)
{
    FVI_VECTOR sum[FVI_THIN_MAX][FVI_VECTORS_MAX];
    FVI_SOME some[FVI_VECTORS_MAX];
    FVI_NAME(tile_some)(some, FVI_LINE_VECTORS, call->columns);
    const size_t threes = call->groups[2], twos = call->groups[1], ones = call->groups[0];
    FVI_NAME(tile_begin)
    (sum, call, call->out, some, FVI_LINES * pixels, FVI_LINE_VECTORS, pixels);
    FVI_LINES_NAME(groups)(sum, call, 0, threes, 3, pixels);
    FVI_LINES_NAME(groups)(sum, call, threes, twos, 2, pixels);
    FVI_LINES_NAME(groups)(sum, call, threes + twos, ones, 1, pixels);
    FVI_NAME(tile_end)
    (sum, call, call->out, some, FVI_LINES * pixels, FVI_LINE_VECTORS, pixels);
}

#define FVI_LINES_KERNEL(pixels)                                                                   \
    FVI_CAT(FVI_CAT(FVI_CAT(FVI_NAME(lines), FVI_LINES), pixels), FVI_LINE_VECTORS)
#define FVI_LINES_WRAP(pixels)                                                                     \
    static void FVI_LINES_KERNEL(pixels)(const fvi_tile_rows *call)                                \
    {                                                                                              \
        FVI_LINES_NAME(tile)(call, pixels);                                                        \
    }
FVI_CAT(FVI_CAT(FVI_EACH_LINE, FVI_LINES), FVI_LINE_VECTORS)(FVI_LINES_WRAP)

#undef FVI_LINES_NAME
#undef FVI_LINES_MEET
#undef FVI_LINES_KERNEL
#undef FVI_LINES_WRAP
#undef FVI_LINES
#undef FVI_LINE_VECTORS
