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
/* Pixel q of a line: every seventh has an address, from which the others are 1 to 6 pixels away. An
   instruction multiplies a distance by 2 or 4, so three distances are all it takes. */
#define FVI_LINES_FAR(q)                                                                           \
    ((q) % 7 == 0   ? 0                                                                            \
     : (q) % 7 == 3 ? by[1]                                                                        \
     : (q) % 7 == 5 ? by[2]                                                                        \
     : (q) % 7 == 6 ? 2 * by[1]                                                                    \
                    : (q) % 7 * by[0])
#define FVI_LINES_MEET(q, t0, t1)                                                                  \
    FVI_LINES_NAME(meet)                                                                           \
    (row, right, *(const float *)(a[l][(q) / 7] + FVI_LINES_FAR(q)), q, t0, t1);

/* So many groups of so many taps each. Pixel q of a line is met by its row q in the first tap of a
   group, by row q - 1 in the second and so on, and is loaded once for all of them. What counts and
   moves on takes the places of products: few addresses do. */
FVI_INLINE void FVI_LINES_NAME(groups)(FVI_VECTOR sum[][FVI_VECTORS_MAX], const fvi_tile_rows *call,
                                       const float *const *lines, size_t first, size_t count,
                                       const int taps, const int pixels)
{
    const ptrdiff_t depth = (ptrdiff_t)call->depth, ahead_step = call->ahead_step;
    const ptrdiff_t pixel = call->pair_step * (ptrdiff_t)sizeof(float);
    const char *ahead = call->ahead + (ptrdiff_t)first * depth * ahead_step;
    ptrdiff_t by[3] = {pixel, 3 * pixel, 5 * pixel};
    ptrdiff_t tap = (ptrdiff_t)(call->tap_step * sizeof(float));
    for (size_t g = first; g < first + count; ++g) {
        const char *b =
            (const char *)(call->panel + call->panel_row[g] * (FVI_LINE_VECTORS * FVI_LANES));
        const char *a[2][(FVI_THIN_MAX + 2) / 7 + 1];
        FVI_UNROLL
        for (int l = 0; l < FVI_LINES; ++l) {
            FVI_UNROLL
            for (int q = 0; q < pixels + taps - 1; q += 7)
                a[l][q / 7] = (const char *)(lines[l] + call->shift[g]) + q * pixel;
        }
        for (ptrdiff_t left = depth; left > 0; --left) {
            FVI_VECTOR right[3][FVI_VECTORS_MAX];
            FVI_PREFETCH(ahead);
            ahead += ahead_step;
            FVI_UNROLL
            for (int k = 0; k < 3; ++k)
                FVI_KEEP(by[k]);
            FVI_KEEP(tap);
            FVI_KEEP(b);
            FVI_UNROLL
            for (int t = 0; t < taps; ++t) {
                FVI_UNROLL
                for (int v = 0; v < FVI_LINE_VECTORS; ++v)
                    right[t][v] = FVI_LOAD((const float *)(b + t * tap) + v * FVI_LANES);
            }
            b += FVI_LINE_VECTORS * FVI_LANES * sizeof(float);
            FVI_UNROLL
            for (int l = 0; l < FVI_LINES; ++l) {
                FVI_VECTOR(*row)[FVI_VECTORS_MAX] = sum + l * pixels;
                FVI_UNROLL
                for (int q = 0; q < pixels + taps - 1; q += 7)
                    FVI_KEEP(a[l][q / 7]);
                if (taps > 1) FVI_LINES_MEET(0, 0, 1)
                if (taps > 2) FVI_LINES_MEET(1, 0, 2)
                FVI_UNROLL
                for (int q = taps - 1; q < pixels; ++q)
                    FVI_LINES_MEET(q, 0, taps)
                if (taps > 2) FVI_LINES_MEET(pixels, 1, 3)
                if (taps > 1) FVI_LINES_MEET(pixels + taps - 2, taps - 1, taps)
                FVI_UNROLL
                for (int q = 0; q < pixels + taps - 1; q += 7)
                    a[l][q / 7] += sizeof(float);
            }
        }
    }
}

FVI_INLINE void FVI_LINES_NAME(tile)(const fvi_tile_rows *call, const int pixels)
{
    FVI_VECTOR sum[FVI_THIN_MAX][FVI_VECTORS_MAX];
    FVI_SOME some[FVI_VECTORS_MAX];
    FVI_NAME(tile_some)(some, FVI_LINE_VECTORS, call->columns);
    const size_t threes = call->groups[2], twos = call->groups[1], ones = call->groups[0];
    const float *const *from = call->rows;
    float *const *out = call->out;
    const size_t tiles = FVI_TILES_MOST > 1 && FVI_LINE_VECTORS == 1 ? call->tiles : 1;
    for (size_t tile = 0; tile < tiles; ++tile, from += FVI_LINES, out += FVI_LINES) {
        FVI_NAME(tile_begin)
        (sum, call, out, some, FVI_LINES * pixels, FVI_LINE_VECTORS, pixels);
        FVI_LINES_NAME(groups)(sum, call, from, 0, threes, 3, pixels);
        FVI_LINES_NAME(groups)(sum, call, from, threes, twos, 2, pixels);
        FVI_LINES_NAME(groups)(sum, call, from, threes + twos, ones, 1, pixels);
        FVI_NAME(tile_end)
        (sum, call, out, some, FVI_LINES * pixels, FVI_LINE_VECTORS, pixels);
    }
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
#undef FVI_LINES_FAR
#undef FVI_LINES_KERNEL
#undef FVI_LINES_WRAP
#undef FVI_LINES
#undef FVI_LINE_VECTORS
