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
    if (C == 1)
        memcpy(to, from, (size_t)n * sizeof *to);
    else if (C == 3)
        FVI_NAME(planes_part)(to, step, from, n, 3);
    else
        for (ptrdiff_t c = 0; c < C; ++c)
            for (ptrdiff_t i = 0; i < n; ++i)
                to[c * step + i] = from[i * C + c];
}

/* Lane by lane from two vectors in turn: what comes of their lower halves, of their upper. */
#if FVI_LANES == 16
#define FVI_ZIP(a, b, i)                                                                           \
    __builtin_shufflevector(a, b, (i) + 0, (i) + 16, (i) + 1, (i) + 17, (i) + 2, (i) + 18,         \
                            (i) + 3, (i) + 19, (i) + 4, (i) + 20, (i) + 5, (i) + 21, (i) + 6,      \
                            (i) + 22, (i) + 7, (i) + 23)
#elif FVI_LANES == 8
#define FVI_ZIP(a, b, i)                                                                           \
    __builtin_shufflevector(a, b, (i) + 0, (i) + 8, (i) + 1, (i) + 9, (i) + 2, (i) + 10, (i) + 3,  \
                            (i) + 11)
#else
#define FVI_ZIP(a, b, i) __builtin_shufflevector(a, b, (i) + 0, (i) + 4, (i) + 1, (i) + 5)
#endif
#define FVI_ZIP_LOW(a, b) FVI_ZIP(a, b, 0)
#define FVI_ZIP_HIGH(a, b) FVI_ZIP(a, b, FVI_LANES / 2)

/* Eight rows of one vector to eight vectors, in which the rows of a lane follow each other: three
   times, each of the first four is zipped with its partner of the last four. */
FVI_INLINE void FVI_NAME(planes_turn)(FVI_VECTOR v[8])
{
    FVI_UNROLL
    for (int stage = 0; stage < 3; ++stage) {
        FVI_VECTOR next[8];
        FVI_UNROLL
        for (int i = 0; i < 4; ++i) {
            next[2 * i] = FVI_ZIP_LOW(v[i], v[i + 4]);
            next[2 * i + 1] = FVI_ZIP_HIGH(v[i], v[i + 4]);
        }
        FVI_UNROLL
        for (int i = 0; i < 8; ++i)
            v[i] = next[i];
    }
}

/* to[i * F + f] = from[f * step + i] + bias[f] for n pixels i, F <= 8; clipped: not below 0. Whole
   vectors of from can be read. */
static void FVI_NAME(planes_join)(float *to, const float *from, ptrdiff_t step, ptrdiff_t n,
                                  ptrdiff_t F, const float *bias, bool is_clipped)
{
    for (ptrdiff_t i = 0; i < n; i += FVI_LANES, from += FVI_LANES) {
        const ptrdiff_t here = n - i < FVI_LANES ? n - i : FVI_LANES;
        FVI_VECTOR v[8];
        FVI_UNROLL
        for (int f = 0; f < 8; ++f) {
            v[f] = (FVI_VECTOR){0};
            if (f >= F) continue;
            v[f] = FVI_LOAD(from + f * step);
            if (bias) v[f] += FVI_SPLAT(bias[f]);
            if (is_clipped) v[f] = FVI_NAME(clip)(v[f]);
        }
        FVI_NAME(planes_turn)(v);
        float turned[8 * FVI_LANES];
        float *out = F == 8 && here == FVI_LANES ? to + i * F : turned;
        FVI_UNROLL
        for (int k = 0; k < 8; ++k)
            FVI_STORE(out + k * FVI_LANES, v[k]);
        if (out != turned) continue;
        float *pixel = to + i * F;
        const float *end = pixel + here * F, *filters = turned;
        for (; pixel + 8 <= end; pixel += F, filters += 8) /* the next pixels overwrite the rest */
            memcpy(pixel, filters, 8 * sizeof *pixel);
        for (; pixel < end; pixel += F, filters += 8)
            memcpy(pixel, filters, (size_t)F * sizeof *pixel);
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
            sum[m][v] = (FVI_VECTOR){0};
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
        for (int v = 0; v < vectors; ++v)
            FVI_STORE(call->out + m * call->out_step + v * FVI_LANES, sum[m][v]);
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

/* ---- the table of kernels_tile.h, with these ---- */

static const fvi_tile_table FVI_NAME(tiles) = {
    .lanes = FVI_LANES,
    .rows_max = FVI_ROWS_MAX,
    .vectors_max = FVI_VECTORS_MAX,
    .thin_max = FVI_THIN_MAX,
    .rows = FVI_NAME(rows_list),
    .pairs = FVI_NAME(pairs_list),
    .runs = FVI_NAME(runs_list),
    .spread = FVI_NAME(spread_list),
    .spread_pairs = FVI_NAME(spreadpairs_list),
    .sums = FVI_NAME(tile_sums),
    .dots = FVI_NAME(dots),
    .patch_lanes = FVI_PATCH_LANES,
    .patches = FVI_NAME(patches_list),
    .copy = FVI_NAME(copy),
    .transpose = FVI_NAME(transpose),
    .planes = FVI_NAME(planes_list),
    .split = FVI_NAME(planes_split),
    .join = FVI_NAME(planes_join),
};
