/* SPDX-License-Identifier: MIT */
/* Template of the ways into planes and out of them, included once by each kernels_<isa>.c after
   kernels_tile.h; see conv_planes.c. */

/* to[c * step + i] = from[i * C + c] for n pixels i */
FVI_INLINE void FVI_NAME(planes_part)(float *restrict to, ptrdiff_t step,
                                      const float *restrict from, ptrdiff_t n, const ptrdiff_t C)
{
    for (ptrdiff_t i = 0; i < n; ++i) {
        FVI_UNROLL
        for (ptrdiff_t c = 0; c < C; ++c)
            to[c * step + i] = from[i * C + c];
    }
}

static void FVI_NAME(planes_split)(float *to, ptrdiff_t step, const float *from, ptrdiff_t n,
                                   ptrdiff_t C)
{
    if (C == 1) {
        for (ptrdiff_t i = 0; i < n; i += FVI_LANES) {
            const FVI_SOME some = FVI_SOME_OF((int)(n - i));
            FVI_STORE_SOME(to + i, FVI_LOAD_SOME(from + i, some), some);
        }
    } else if (C == 3)
        FVI_NAME(planes_part)(to, step, from, n, 3);
    else
        for (ptrdiff_t c = 0; c < C; ++c)
            for (ptrdiff_t i = 0; i < n; ++i)
                to[c * step + i] = from[i * C + c];
}

/* In each quarter of four lanes, the first two of a and b in turn, the last two, and the same in
   pairs. */
#if FVI_LANES == 16
#define FVI_LOW(a, b)                                                                              \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define FVI_HIGH(a, b)                                                                             \
    __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define FVI_FRONT(a, b)                                                                            \
    __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define FVI_BACK(a, b)                                                                             \
    __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#elif FVI_LANES == 8
#define FVI_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define FVI_HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define FVI_FRONT(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define FVI_BACK(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define FVI_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define FVI_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define FVI_FRONT(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define FVI_BACK(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif

typedef float FVI_NAME(four) __attribute__((vector_size(16), aligned(4), may_alias));

FVI_INLINE FVI_NAME(four) FVI_NAME(quarter)(FVI_VECTOR v, const int q)
{
#if FVI_LANES == 16
    if (q == 3) return (FVI_NAME(four))FVI_QUARTER(v, 3);
    if (q == 2) return (FVI_NAME(four))FVI_QUARTER(v, 2);
    if (q == 1) return (FVI_NAME(four))FVI_QUARTER(v, 1);
#elif FVI_LANES > 4
    if (q == 1) return __builtin_shufflevector(v, v, 4, 5, 6, 7);
#endif
    (void)q;
    return __builtin_shufflevector(v, v, 0, 1, 2, 3);
}

/* Four rows of a vector: quarter q of number i of what comes out holds lane 4 * q + i of each. */
FVI_INLINE void FVI_NAME(planes_turn)(FVI_VECTOR v[4])
{
    const FVI_VECTOR low = FVI_LOW(v[0], v[1]), low_2 = FVI_LOW(v[2], v[3]);
    const FVI_VECTOR high = FVI_HIGH(v[0], v[1]), high_2 = FVI_HIGH(v[2], v[3]);
    v[0] = FVI_FRONT(low, low_2);
    v[1] = FVI_BACK(low, low_2);
    v[2] = FVI_FRONT(high, high_2);
    v[3] = FVI_BACK(high, high_2);
}

/* Filters [f, f + 4) of FVI_LANES pixels, as many of them as there are. */
FVI_INLINE void FVI_NAME(planes_quad)(FVI_VECTOR v[4], const float *from, ptrdiff_t step,
                                      ptrdiff_t f, ptrdiff_t F, bool is_clipped)
{
    FVI_UNROLL
    for (int i = 0; i < 4; ++i) {
        v[i] = (FVI_VECTOR){0};
        if (f + i >= F) continue;
        v[i] = FVI_LOAD(from + (f + i) * step);
        if (is_clipped) v[i] = FVI_NAME(clip)(v[i]);
    }
    FVI_NAME(planes_turn)(v);
}

/* Pixels of F floats from quads: each is written with four or eight floats, what is too many being
   overwritten by the next. */
FVI_INLINE void FVI_NAME(planes_put)(float *to, const FVI_VECTOR v[8], ptrdiff_t F,
                                     const bool is_wide)
{
    FVI_UNROLL
    for (int q = 0; q < FVI_LANES / 4; ++q) {
        FVI_UNROLL
        for (int i = 0; i < 4; ++i, to += F) {
            *(FVI_NAME(four) *)to = FVI_NAME(quarter)(v[i], q);
            if (is_wide) *(FVI_NAME(four) *)(to + 4) = FVI_NAME(quarter)(v[4 + i], q);
        }
    }
}

/* to[i * F + f] = from[f * step + i] for n pixels i, F <= 8; clipped: not below 0. Whole
   vectors of from can be read. */
static void FVI_NAME(planes_join)(float *to, const float *from, ptrdiff_t step, ptrdiff_t n,
                                  ptrdiff_t F, bool is_clipped, ptrdiff_t room)
{
    const ptrdiff_t size = FVI_LANES * F, written = size - F + (F > 4 ? 8 : 4);
    for (; n > 0; n -= FVI_LANES, from += FVI_LANES, to += size, room -= size) {
        FVI_VECTOR v[8];
        FVI_NAME(planes_quad)(v, from, step, 0, F, is_clipped);
        FVI_NAME(planes_quad)(v + 4, from, step, 4, F, is_clipped);
        float aside[FVI_LANES * 8 + 8], *out = room >= written ? to : aside;
        if (F > 4)
            FVI_NAME(planes_put)(out, v, F, true);
        else
            FVI_NAME(planes_put)(out, v, F, false);
        if (out == aside)
            memcpy(to, aside, (size_t)((n < FVI_LANES ? n : FVI_LANES) * F) * sizeof *to);
    }
}

/* to[i * F + f] = the lowest byte of from[f * step + i]. */
static void FVI_NAME(planes_join_bytes)(unsigned char *to, const uint32_t *from, ptrdiff_t step,
                                        ptrdiff_t n, ptrdiff_t F)
{
    for (; n > 0; n -= FVI_LANES, from += FVI_LANES, to += FVI_LANES * F) {
        uint32_t turned[FVI_LANES * 8 + 8];
        const ptrdiff_t some = n < FVI_LANES ? n : FVI_LANES;
        FVI_NAME(planes_join)
        ((float *)(void *)turned, (const float *)(const void *)from, step, some, F, false,
         FVI_LANES * 8 + 8);
        for (ptrdiff_t i = 0; i < some * F; ++i)
            to[i] = (unsigned char)turned[i];
    }
}

/* ---- sums: rows are filters, vectors are neighbouring pixels ---- */

FVI_INLINE void FVI_NAME(planes_sums)(const fvi_tile_planes *call, const int rows,
                                      const int vectors)
{
    FVI_VECTOR sum[FVI_LANES / 2][2];
    const float *w = call->w;
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            sum[m][v] = FVI_SPLAT(call->start[m]);
    }
    for (const ptrdiff_t *at = call->at, *end = at + call->steps; at != end; ++at, w += rows) {
        const float *b = call->planes + *at;
        FVI_VECTOR right[2];
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            right[v] = FVI_LOAD(b + v * FVI_LANES);
        FVI_UNROLL
        for (int m = 0; m < rows; ++m) {
            const FVI_VECTOR left = FVI_SPLAT(w[m]);
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v)
                sum[m][v] = FVI_FMA(left, right[v], sum[m][v]);
        }
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v) {
            const ptrdiff_t at = m * call->out_step + v * FVI_LANES;
            if (call->is_pooled)
                FVI_NAME(peak_put)(call, at, sum[m][v]);
            else
                FVI_STORE(call->out + at, sum[m][v]);
        }
    }
}

#define FVI_PLANES_WRAP(m)                                                                         \
    static void FVI_NAME(planes_##m##_1)(const fvi_tile_planes *call)                              \
    {                                                                                              \
        FVI_NAME(planes_sums)(call, m, 1);                                                         \
    }                                                                                              \
    static void FVI_NAME(planes_##m##_2)(const fvi_tile_planes *call)                              \
    {                                                                                              \
        FVI_NAME(planes_sums)(call, m, 2);                                                         \
    }
#if FVI_LANES == 16
#define FVI_EACH_FILTERS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#elif FVI_LANES == 8
#define FVI_EACH_FILTERS(X) X(1) X(2) X(3) X(4)
#else
#define FVI_EACH_FILTERS(X) X(1) X(2)
#endif
FVI_EACH_FILTERS(FVI_PLANES_WRAP)

#define FVI_PLANES_ENTRY(m) FVI_NAME(planes_##m##_1), FVI_NAME(planes_##m##_2),
static fvi_tile_planes_fn *const FVI_NAME(planes_list)[] = {FVI_EACH_FILTERS(FVI_PLANES_ENTRY)};

/* ---- the table of kernels_tile.h and kernels_lines.h, with these ---- */

#ifdef FVI_LINE_MOST
#define FVI_LINES_ENTRY(l, p, v)                                                                   \
    [(((l)-1) * FVI_THIN_MAX + (p)-1) * FVI_VECTORS_MAX + (v)-1] = FVI_NAME(lines_##l##_##p##_##v),
#define FVI_LINES_1_1(p) FVI_LINES_ENTRY(1, p, 1)
#define FVI_LINES_1_2(p) FVI_LINES_ENTRY(1, p, 2)
#define FVI_LINES_2_1(p) FVI_LINES_ENTRY(2, p, 1)
#define FVI_LINES_2_2(p) FVI_LINES_ENTRY(2, p, 2)
static fvi_tile_rows_fn *const FVI_NAME(lines_list)[2 * FVI_THIN_MAX * FVI_VECTORS_MAX] = {
    FVI_EACH_LINE_1_1(FVI_LINES_1_1) FVI_EACH_LINE_1_2(FVI_LINES_1_2)
        FVI_EACH_LINE_2_1(FVI_LINES_2_1) FVI_EACH_LINE_2_2(FVI_LINES_2_2)};
#endif

static const fvi_tile_table FVI_NAME(tiles) = {
    .lanes = FVI_LANES,
    .rows_max = FVI_ROWS_MAX,
    .vectors_max = FVI_VECTORS_MAX,
    .thin_max = FVI_THIN_MAX,
    .tiles_most = FVI_TILES_MOST,
    .rows = FVI_NAME(rows_list),
    .pairs = FVI_NAME(pairs_list),
    .longs = FVI_NAME(longs_list),
    .runs = FVI_NAME(runs_list),
    .copying = FVI_NAME(copying_list),
#ifdef FVI_LINE_MOST
    .lines = FVI_NAME(lines_list),
    .line_most = {FVI_LINE_MOST, FVI_WIDE_LINE_MOST},
#endif
    .spread = FVI_NAME(spread_list),
    .spread_pairs = FVI_NAME(spreadpairs_list),
    .sums = FVI_NAME(tile_sums),
    .dots = FVI_NAME(dots),
    .window_lanes = FVI_WINDOW_LANES,
    .windows = FVI_NAME(windows_list),
    .copy = FVI_NAME(copy),
    .narrow = FVI_NAME(narrow),
    .transpose = FVI_NAME(transpose),
    .planes = FVI_NAME(planes_list),
    .split = FVI_NAME(planes_split),
    .join = FVI_NAME(planes_join),
    .join_bytes = FVI_NAME(planes_join_bytes),
    .across = FVI_NAME(planes_across),
};
