/* SPDX-License-Identifier: MIT */
/* Template of the tile kernel, included once by each kernels_<isa>.c after its macros. No include
   guard: that is the point. */

/* The includer defines
     FVI_ISA           the word its names start with
     FVI_LANES         floats of a vector
     FVI_ROWS_MAX      rows of the largest tile; FVI_EACH_ROWS(X) is X(1) X(2) ... X(FVI_ROWS_MAX)
     FVI_THIN_MAX      rows of the largest tile of one vector, even; FVI_EACH_THIN(X) is X of those
                       above FVI_ROWS_MAX
     FVI_VECTORS_MAX   vectors of the largest tile; FVI_EACH_VECTORS(X, m) is X(m, 1) X(m, 2) ...
     FVI_TILES_MOST    tiles of one call of rows, if more than one: with 16 registers, compilers keep
                       some of the sums in memory then
     FVI_FMA(a, b, c)  a * b + c, fused where the instruction set fuses: with contraction off only
                       an intrinsic says so
     FVI_SQRT(v)       the root of each lane
     FVI_DIVIDE(a, b), FVI_FLUSH(v, bits)  if there is something faster than in kernels_loops.h
     FVI_LOAD_FIRST(p, n), FVI_STORE_FIRST(p, v, n)  the first n lanes, 0 < n < FVI_LANES; other
                       lanes zero, untouched
   The accumulators are a plain array with constant bounds under fully unrolled loops: both
   compilers keep it in registers. */

#define FVI_CAT2(a, b) a##_##b
#define FVI_CAT(a, b) FVI_CAT2(a, b)
#define FVI_NAME(name) FVI_CAT(FVI_ISA, name)
#define FVI_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FVI_CHECKED /* every access is seen: unrolled, this file would take minutes to compile */
#endif
#endif
#if defined(FVI_CHECKED)
#define FVI_UNROLL
#elif defined(__clang__)
#define FVI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define FVI_UNROLL _Pragma("GCC unroll 32")
#endif

typedef float FVI_NAME(vector) __attribute__((vector_size(4 * FVI_LANES)));
/* The same at any address. */
typedef float FVI_NAME(memory) __attribute__((vector_size(4 * FVI_LANES), aligned(4), may_alias));

/* The compiler is to keep the number itself in a register, not what it is made of. */
#if defined(__x86_64__) && defined(__GNUC__)
#define FVI_KEEP(number) __asm__("" : "+r"(number))
#else
#define FVI_KEEP(number) (void)(number)
#endif

#define FVI_CACHE_LINE 16 /* floats */
#if defined(__x86_64__)   /* elsewhere it has not been measured */
#define FVI_PREFETCH(address) __builtin_prefetch(address)
#else
#define FVI_PREFETCH(address) (void)(address)
#endif

#ifndef FVI_TILES_MOST
#define FVI_TILES_MOST 1
#endif

/* Lanes that are read or written: their number, or the mask that an instruction set makes of it once
   for all rows, without a branch for each. */
#ifndef FVI_SOME
#define FVI_SOME int
#define FVI_SOME_OF(n) (n)
#define FVI_LOAD_SOME(p, some) FVI_NAME(load_some)((p), (some))
#define FVI_STORE_SOME(p, v, some) FVI_NAME(store_some)((p), (v), (some))
#endif

/* What a comparison gives, and bits to choose by. */
typedef uint32_t FVI_NAME(bits) __attribute__((vector_size(4 * FVI_LANES)));

#define FVI_VECTOR FVI_NAME(vector)
#define FVI_BITS FVI_NAME(bits)
#define FVI_MEMORY FVI_NAME(memory)
#define FVI_LOAD(p) (*(const FVI_MEMORY *)(p))
#define FVI_STORE(p, v) (*(FVI_MEMORY *)(p) = (v))
/* Subtracting a zero vector is exact and becomes one broadcast load. */
#define FVI_SPLAT(value) ((value) - (FVI_VECTOR){0})

FVI_INLINE FVI_VECTOR FVI_NAME(select)(FVI_BITS mask, FVI_VECTOR yes, FVI_VECTOR no)
{
    return (FVI_VECTOR)((mask & (FVI_BITS)yes) | (~mask & (FVI_BITS)no));
}

/* The smaller, or v if that is a NaN. */
#ifndef FVI_AT_MOST
#define FVI_AT_MOST(limit, v) FVI_NAME(select)((FVI_BITS)((v) > (limit)), (limit), (v))
#endif

FVI_INLINE FVI_VECTOR FVI_NAME(load_some)(const float *p, int n)
{
    if (n >= FVI_LANES) return FVI_LOAD(p);
    return FVI_LOAD_FIRST(p, n);
}

FVI_INLINE void FVI_NAME(store_some)(float *p, FVI_VECTOR v, int n)
{
    if (n >= FVI_LANES)
        FVI_STORE(p, v);
    else
        FVI_STORE_FIRST(p, v, n);
}

FVI_INLINE FVI_VECTOR FVI_NAME(clip)(FVI_VECTOR x)
{
    return (FVI_VECTOR)((FVI_BITS)x & ~(FVI_BITS)(x < (FVI_VECTOR){0}));
}

/* One row of a tile from and to memory; columns may end inside the last vector. */
FVI_INLINE void FVI_NAME(tile_load)(FVI_VECTOR *row, const float *from, const int vectors,
                                    int columns)
{
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v)
        row[v] = FVI_NAME(load_some)(from + v * FVI_LANES, columns - v * FVI_LANES);
}

FVI_INLINE void FVI_NAME(tile_store)(float *to, const FVI_VECTOR *row, const int vectors,
                                     int columns)
{
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v)
        FVI_NAME(store_some)(to + v * FVI_LANES, row[v], columns - v * FVI_LANES);
}

/* Where row m of a tile is written; pixels: of each line, 0 where there are none. */
FVI_INLINE float *FVI_NAME(tile_place)(const fvi_tile_rows *call, float *const *out, const int m,
                                       const int pixels)
{
    if (pixels == 0) return out[m] + call->out_at;
    return out[m / pixels] + call->out_at + m % pixels * call->out_step;
}

/* What the sums of a tile start from. */
FVI_INLINE void FVI_NAME(tile_begin)(FVI_VECTOR sum[][FVI_VECTORS_MAX], const fvi_tile_rows *call,
                                     float *const *out, const FVI_SOME *some, const int rows,
                                     const int vectors, const int pixels)
{
    FVI_VECTOR start[FVI_VECTORS_MAX];
    if (call->is_far) {
        FVI_UNROLL
        for (int m = 0; m < rows; ++m) {
            FVI_UNROLL
            for (int c = 0; c < vectors * FVI_LANES; c += FVI_CACHE_LINE)
                __builtin_prefetch(FVI_NAME(tile_place)(call, out, m, pixels) + c, 1);
        }
    }
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v) {
        start[v] = (FVI_VECTOR){0};
        if (call->start) start[v] = FVI_LOAD_SOME(call->start + v * FVI_LANES, some[v]);
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            sum[m][v] = start[v];
    }
    if (!call->is_added) return;
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        const float *place = FVI_NAME(tile_place)(call, out, m, pixels);
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            sum[m][v] = FVI_LOAD_SOME(place + v * FVI_LANES, some[v]);
    }
}

/* And what becomes of them. */
FVI_INLINE void FVI_NAME(tile_end)(FVI_VECTOR sum[][FVI_VECTORS_MAX], const fvi_tile_rows *call,
                                   float *const *out, const FVI_SOME *some, const int rows,
                                   const int vectors, const int pixels)
{
    if (call->residual) {
        FVI_UNROLL
        for (int m = 0; m < rows; ++m) {
            const float *place =
                call->residual + (FVI_NAME(tile_place)(call, out, m, pixels) - call->base);
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v)
                sum[m][v] += FVI_LOAD_SOME(place + v * FVI_LANES, some[v]);
        }
    }
    if (call->is_clipped) { /* NaN stays */
        FVI_UNROLL
        for (int m = 0; m < rows; ++m) {
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v)
                sum[m][v] = FVI_NAME(clip)(sum[m][v]);
        }
    }
    if (call->most > 0) {
        const FVI_VECTOR most = FVI_SPLAT(call->most);
        FVI_UNROLL
        for (int m = 0; m < rows; ++m) {
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v)
                sum[m][v] = FVI_AT_MOST(most, sum[m][v]);
        }
    }
    if (call->mask) {
        FVI_UNROLL
        for (int m = 0; m < rows; ++m) {
            const float *place =
                call->mask + (FVI_NAME(tile_place)(call, out, m, pixels) - call->base);
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v) {
                const FVI_VECTOR mask = FVI_LOAD_SOME(place + v * FVI_LANES, some[v]);
                sum[m][v] = (FVI_VECTOR)((FVI_BITS)sum[m][v] & (FVI_BITS)(mask > (FVI_VECTOR){0}));
            }
        }
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        float *place = FVI_NAME(tile_place)(call, out, m, pixels);
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            FVI_STORE_SOME(place + v * FVI_LANES, sum[m][v], some[v]);
    }
}

FVI_INLINE void FVI_NAME(tile_some)(FVI_SOME *some, const int vectors, int columns)
{
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v)
        some[v] = FVI_SOME_OF(columns - v * FVI_LANES);
}

/* One step: floats a[m][i] of the rows, or a[m - 1][next] of each second one, times a row of the
   panel. */
FVI_INLINE void FVI_NAME(tile_step)(FVI_VECTOR sum[][FVI_VECTORS_MAX], const float *const *a,
                                    ptrdiff_t i, ptrdiff_t next, const float *b, const int rows,
                                    const int vectors, const bool is_paired)
{
    FVI_VECTOR right[FVI_VECTORS_MAX];
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v)
        right[v] = FVI_LOAD(b + v * FVI_LANES);
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        const bool is_second = is_paired && m % 2 == 1;
        const FVI_VECTOR left = FVI_SPLAT(is_second ? a[m - 1][next] : a[m][i]);
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            sum[m][v] = FVI_FMA(left, right[v], sum[m][v]);
    }
}

/* What counts the steps takes the places of products: where a tap is long, there is one count for
   two. */
FVI_INLINE void FVI_NAME(tile_rows)(const fvi_tile_rows *call, const int rows, const int vectors,
                                    const bool is_paired, const bool is_long)
{
    FVI_VECTOR sum[FVI_THIN_MAX][FVI_VECTORS_MAX];
    FVI_SOME some[FVI_VECTORS_MAX];
    FVI_NAME(tile_some)(some, vectors, call->columns);
    const ptrdiff_t depth = (ptrdiff_t)call->depth, step = (ptrdiff_t)call->panel_step;
    const char *ahead = call->ahead, *out_ahead = call->out_ahead;
    const ptrdiff_t ahead_step = call->ahead_step, out_ahead_step = call->out_ahead_step;
    const float *const *from = call->rows;
    float *const *out = call->out;
    const size_t tiles = FVI_TILES_MOST > 1 ? call->tiles : 1;
    for (size_t tile = 0; tile < tiles; ++tile, from += rows, out += rows) {
        FVI_NAME(tile_begin)(sum, call, out, some, rows, vectors, 0);
        const float *a[FVI_THIN_MAX];
        FVI_UNROLL
        for (int m = 0; m < rows; m += is_paired ? 2 : 1)
            a[m] = from[m];
        for (size_t t = 0; t < call->taps; ++t) {
            const float *b = call->panel + (ptrdiff_t)call->panel_row[t] * step;
            ptrdiff_t i = call->shift[t], next = i + call->pair_step;
            const ptrdiff_t end = i + depth;
            for (; is_long && i + 1 < end; i += 2, next += 2, b += 2 * step) {
                if (is_paired) FVI_KEEP(next);
                FVI_PREFETCH(ahead);
                FVI_PREFETCH(out_ahead);
                ahead += 2 * ahead_step;
                out_ahead += 2 * out_ahead_step;
                FVI_NAME(tile_step)(sum, a, i, next, b, rows, vectors, is_paired);
                FVI_NAME(tile_step)(sum, a, i + 1, next + 1, b + step, rows, vectors, is_paired);
            }
            for (; i < end; ++i, ++next, b += step) {
                if (is_paired) FVI_KEEP(next);
                FVI_PREFETCH(ahead);
                ahead += ahead_step;
                FVI_NAME(tile_step)(sum, a, i, next, b, rows, vectors, is_paired);
            }
        }
        FVI_NAME(tile_end)(sum, call, out, some, rows, vectors, 0);
    }
}

enum FVI_NAME(spread) { FVI_NAME(neighbours), FVI_NAME(apart), FVI_NAME(apart_in_pairs) };

FVI_INLINE void FVI_NAME(tile_runs)(const fvi_tile_runs *call, const int rows, const int vectors,
                                    const enum FVI_NAME(spread) spread, const bool is_copying)
{
    FVI_VECTOR sum[FVI_THIN_MAX][FVI_VECTORS_MAX];
    const size_t b_step = call->b_step;
    const char *ahead = call->ahead;
    const ptrdiff_t ahead_step = call->ahead_step;
    float *copy = call->copy;
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            sum[m][v] = (FVI_VECTOR){0};
    }
    for (size_t r = 0; r < call->runs; ++r) {
        const fvi_tile_run *run = &call->run[r];
        const size_t a_step = run->a_step, count = run->count;
        const float *a = run->a + call->a_at, *apart[FVI_THIN_MAX];
        const float *b = call->b + run->first * b_step;
        FVI_UNROLL
        for (int m = 0; spread != FVI_NAME(neighbours) && m < rows; ++m)
            apart[m] = a + call->spread[m];
        const float *const end = b + count * b_step;
        for (size_t at = 0; b != end; a += a_step, at += a_step, b += b_step) {
            FVI_VECTOR right[FVI_VECTORS_MAX];
            FVI_PREFETCH(ahead);
            ahead += ahead_step;
            FVI_UNROLL
            for (int v = 0; is_copying && v < vectors; ++v, copy += FVI_LANES)
                FVI_STORE(copy, FVI_LOAD(b + v * FVI_LANES));
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v)
                right[v] = FVI_LOAD(b + v * FVI_LANES);
            FVI_UNROLL
            for (int m = 0; m < rows; ++m) {
                const FVI_VECTOR left = FVI_SPLAT(spread == FVI_NAME(neighbours) ? a[m]
                                                  : spread == FVI_NAME(apart)    ? apart[m][at]
                                                  : m % 2 == 1 ? apart[m - 1][at + 1]
                                                               : apart[m][at]);
                FVI_UNROLL
                for (int v = 0; v < vectors; ++v)
                    sum[m][v] = FVI_FMA(left, right[v], sum[m][v]);
            }
        }
    }
    FVI_SOME some[FVI_VECTORS_MAX];
    FVI_NAME(tile_some)(some, vectors, call->columns);
    const size_t out_step = call->out_step;
    float *out = call->out;
    if (call->is_added) {
        const float *old = out;
        FVI_UNROLL
        for (int m = 0; m < rows; ++m, old += out_step) {
            FVI_UNROLL
            for (int v = 0; v < vectors; ++v)
                sum[m][v] += FVI_LOAD_SOME(old + v * FVI_LANES, some[v]);
        }
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m, out += out_step) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v)
            FVI_STORE_SOME(out + v * FVI_LANES, sum[m][v], some[v]);
    }
}

#define FVI_TILE_SUMS 8 /* as many as are in flight at once */

static void FVI_NAME(tile_sums)(const float *b, size_t step, size_t count, float *out, int columns,
                                bool is_added)
{
    for (int c = 0; c < columns; c += FVI_LANES) {
        const int left = columns - c < FVI_LANES ? columns - c : FVI_LANES;
        FVI_VECTOR sum[FVI_TILE_SUMS] = {{0}};
        const float *from = b + c;
        size_t i = 0;
        for (; i + FVI_TILE_SUMS <= count; i += FVI_TILE_SUMS, from += FVI_TILE_SUMS * step) {
            FVI_UNROLL
            for (int k = 0; k < FVI_TILE_SUMS; ++k)
                sum[k] += FVI_LOAD(from + (size_t)k * step);
        }
        for (; i < count; ++i, from += step)
            sum[0] += FVI_LOAD(from);
        FVI_VECTOR all =
            ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
        if (is_added) {
            FVI_VECTOR old;
            FVI_NAME(tile_load)(&old, out + c, 1, left);
            all += old;
        }
        FVI_NAME(tile_store)(out + c, &all, 1, left);
    }
}

#define FVI_TILE_WRAP(m, v)                                                                        \
    static void FVI_NAME(rows_##m##_##v)(const fvi_tile_rows *call)                                \
    {                                                                                              \
        FVI_NAME(tile_rows)(call, m, v, false, false);                                             \
    }                                                                                              \
    static void FVI_NAME(pairs_##m##_##v)(const fvi_tile_rows *call)                               \
    {                                                                                              \
        FVI_NAME(tile_rows)(call, m, v, true, false);                                              \
    }                                                                                              \
    static void FVI_NAME(longs_##m##_##v)(const fvi_tile_rows *call)                               \
    {                                                                                              \
        FVI_NAME(tile_rows)(call, m, v, true, true);                                               \
    }                                                                                              \
    static void FVI_NAME(runs_##m##_##v)(const fvi_tile_runs *call)                                \
    {                                                                                              \
        FVI_NAME(tile_runs)(call, m, v, FVI_NAME(neighbours), false);                              \
    }                                                                                              \
    static void FVI_NAME(copying_##m##_##v)(const fvi_tile_runs *call)                             \
    {                                                                                              \
        FVI_NAME(tile_runs)(call, m, v, FVI_NAME(neighbours), true);                               \
    }                                                                                              \
    static void FVI_NAME(spread_##m##_##v)(const fvi_tile_runs *call)                              \
    {                                                                                              \
        FVI_NAME(tile_runs)(call, m, v, FVI_NAME(apart), false);                                   \
    }                                                                                              \
    static void FVI_NAME(spreadpairs_##m##_##v)(const fvi_tile_runs *call)                         \
    {                                                                                              \
        FVI_NAME(tile_runs)(call, m, v, FVI_NAME(apart_in_pairs), false);                          \
    }
#define FVI_TILE_WRAP_ROWS(m) FVI_EACH_VECTORS(FVI_TILE_WRAP, m)
FVI_EACH_ROWS(FVI_TILE_WRAP_ROWS)

#define FVI_TILE_WRAP_THIN(m)                                                                      \
    static void FVI_NAME(pairs_##m##_1)(const fvi_tile_rows *call)                                 \
    {                                                                                              \
        FVI_NAME(tile_rows)(call, m, 1, true, false);                                              \
    }                                                                                              \
    static void FVI_NAME(longs_##m##_1)(const fvi_tile_rows *call)                                 \
    {                                                                                              \
        FVI_NAME(tile_rows)(call, m, 1, true, true);                                               \
    }                                                                                              \
    static void FVI_NAME(runs_##m##_1)(const fvi_tile_runs *call)                                  \
    {                                                                                              \
        FVI_NAME(tile_runs)(call, m, 1, FVI_NAME(neighbours), false);                              \
    }                                                                                              \
    static void FVI_NAME(spreadpairs_##m##_1)(const fvi_tile_runs *call)                           \
    {                                                                                              \
        FVI_NAME(tile_runs)(call, m, 1, FVI_NAME(apart_in_pairs), false);                          \
    }
FVI_EACH_THIN(FVI_TILE_WRAP_THIN)

#define FVI_TILE_ENTRY(kind, m, v) [((m)-1) * FVI_VECTORS_MAX + (v)-1] = FVI_NAME(kind##_##m##_##v),
#define FVI_TILE_LIST(kind) FVI_EACH_ROWS(FVI_TILE_##kind)
#define FVI_TILE_LIST_THIN(kind) FVI_EACH_ROWS(FVI_TILE_##kind) FVI_EACH_THIN(FVI_TILE_THIN_##kind)

#define FVI_TILE_rows_entry(m, v) FVI_TILE_ENTRY(rows, m, v)
#define FVI_TILE_rows(m) FVI_EACH_VECTORS(FVI_TILE_rows_entry, m)
static fvi_tile_rows_fn *const FVI_NAME(rows_list)[] = {FVI_TILE_LIST(rows)};

#define FVI_TILE_pairs_entry(m, v) FVI_TILE_ENTRY(pairs, m, v)
#define FVI_TILE_pairs(m) FVI_EACH_VECTORS(FVI_TILE_pairs_entry, m)
#define FVI_TILE_THIN_pairs(m) FVI_TILE_ENTRY(pairs, m, 1)
static fvi_tile_rows_fn *const FVI_NAME(pairs_list)[FVI_THIN_MAX * FVI_VECTORS_MAX] = {
    FVI_TILE_LIST_THIN(pairs)};

#define FVI_TILE_longs_entry(m, v) FVI_TILE_ENTRY(longs, m, v)
#define FVI_TILE_longs(m) FVI_EACH_VECTORS(FVI_TILE_longs_entry, m)
#define FVI_TILE_THIN_longs(m) FVI_TILE_ENTRY(longs, m, 1)
static fvi_tile_rows_fn *const FVI_NAME(longs_list)[FVI_THIN_MAX * FVI_VECTORS_MAX] = {
    FVI_TILE_LIST_THIN(longs)};

#define FVI_TILE_runs_entry(m, v) FVI_TILE_ENTRY(runs, m, v)
#define FVI_TILE_runs(m) FVI_EACH_VECTORS(FVI_TILE_runs_entry, m)
#define FVI_TILE_THIN_runs(m) FVI_TILE_ENTRY(runs, m, 1)
static fvi_tile_runs_fn *const FVI_NAME(runs_list)[FVI_THIN_MAX * FVI_VECTORS_MAX] = {
    FVI_TILE_LIST_THIN(runs)};

#define FVI_TILE_copying_entry(m, v) FVI_TILE_ENTRY(copying, m, v)
#define FVI_TILE_copying(m) FVI_EACH_VECTORS(FVI_TILE_copying_entry, m)
static fvi_tile_runs_fn *const FVI_NAME(copying_list)[] = {FVI_TILE_LIST(copying)};

#define FVI_TILE_spread_entry(m, v) FVI_TILE_ENTRY(spread, m, v)
#define FVI_TILE_spread(m) FVI_EACH_VECTORS(FVI_TILE_spread_entry, m)
static fvi_tile_runs_fn *const FVI_NAME(spread_list)[] = {FVI_TILE_LIST(spread)};

#define FVI_TILE_spreadpairs_entry(m, v) FVI_TILE_ENTRY(spreadpairs, m, v)
#define FVI_TILE_spreadpairs(m) FVI_EACH_VECTORS(FVI_TILE_spreadpairs_entry, m)
#define FVI_TILE_THIN_spreadpairs(m) FVI_TILE_ENTRY(spreadpairs, m, 1)
static fvi_tile_runs_fn *const FVI_NAME(spreadpairs_list)[FVI_THIN_MAX * FVI_VECTORS_MAX] = {
    FVI_TILE_LIST_THIN(spreadpairs)};
