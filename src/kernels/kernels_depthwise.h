/* SPDX-License-Identifier: MIT */
/* Template of the depthwise kernels, included by each kernels_<isa>.c after kernels_tile.h. No
   include guard: that is the point. */

/* Vectors run over channels. A step makes the sums of up to FVI_DEPTHWISE_OUTS neighbouring outputs
   of one channel block in registers; where they share inputs, each input vector is loaded once for
   a kernel row and meets all of its taps. The includer may define, where it has better than a loop,
     FVI_PERMUTE(v, from)  lane i is lane from[i] of v */

FVI_INLINE FVI_VECTOR FVI_NAME(permute)(FVI_VECTOR v, FVI_BITS from)
{
#if defined(FVI_PERMUTE)
    return FVI_PERMUTE(v, from);
#else
    FVI_VECTOR moved = v;
    for (int i = 0; i < FVI_LANES; ++i)
        moved[i] = v[from[i] % FVI_LANES];
    return moved;
#endif
}

/* How a block of channels [c, c + n) is read: whole vectors; the first n lanes of one; or n lanes
   of which each source channel fills several. */
#define FVI_DEPTHWISE_WHOLE 0
#define FVI_DEPTHWISE_PART 1
#define FVI_DEPTHWISE_WIDE 2

typedef struct FVI_NAME(depthwise_block) {
    ptrdiff_t c, from; /* first channel of out, of the source */
    int n, from_n;
    FVI_BITS index; /* each lane's source channel, counted from from */
} FVI_NAME(depthwise_block);

FVI_INLINE FVI_NAME(depthwise_block)
    FVI_NAME(depthwise_begin)(ptrdiff_t c, ptrdiff_t channels, ptrdiff_t spread, const int mode)
{
    FVI_NAME(depthwise_block) b = {.c = c, .from = c};
    if (mode == FVI_DEPTHWISE_WHOLE) return b;
    b.n = channels - c < FVI_LANES ? (int)(channels - c) : FVI_LANES;
    if (mode == FVI_DEPTHWISE_PART) return b;
    b.from = c / spread;
    b.from_n = (int)((c + b.n - 1) / spread - b.from) + 1;
    for (int lane = 0; lane < b.n; ++lane)
        b.index[lane] = (uint32_t)((c + lane) / spread - b.from);
    return b;
}

FVI_INLINE FVI_VECTOR FVI_NAME(depthwise_load)(const float *p, const FVI_NAME(depthwise_block) * b,
                                               const int mode)
{
    FVI_VECTOR v;
    if (mode == FVI_DEPTHWISE_WHOLE) return FVI_LOAD(p + b->c);
    if (mode == FVI_DEPTHWISE_PART) return FVI_LOAD_FIRST(p + b->c, b->n);
    FVI_NAME(tile_load)(&v, p + b->c, 1, b->n);
    return v;
}

FVI_INLINE FVI_VECTOR FVI_NAME(depthwise_source)(const float *p,
                                                 const FVI_NAME(depthwise_block) * b,
                                                 const int mode)
{
    if (mode == FVI_DEPTHWISE_WHOLE) return FVI_LOAD(p + b->c);
    if (mode == FVI_DEPTHWISE_PART) return FVI_LOAD_FIRST(p + b->c, b->n);
    return FVI_NAME(permute)(FVI_LOAD_FIRST(p + b->from, b->from_n), b->index);
}

FVI_INLINE void FVI_NAME(depthwise_store)(float *p, FVI_VECTOR v,
                                          const FVI_NAME(depthwise_block) * b, const int mode)
{
    if (mode == FVI_DEPTHWISE_WHOLE)
        FVI_STORE(p + b->c, v);
    else if (mode == FVI_DEPTHWISE_PART)
        FVI_STORE_FIRST(p + b->c, v, b->n);
    else
        FVI_NAME(tile_store)(p + b->c, &v, 1, b->n);
}

/* One kernel row of taps, of outputs that share inputs. */
FVI_INLINE void FVI_NAME(depthwise_taps_of)(FVI_VECTOR *sum, const float *at, const float *weights,
                                            ptrdiff_t pixel, ptrdiff_t weight_w,
                                            const FVI_NAME(depthwise_block) * b, const int outs,
                                            const int taps, const int step)
{
    const int mode = FVI_DEPTHWISE_WHOLE;
    FVI_VECTOR w[5];
    FVI_UNROLL
    for (int j = 0; j < taps; ++j)
        w[j] = FVI_NAME(depthwise_load)(weights + j * weight_w, b, mode);
    FVI_UNROLL
    for (int p = 0; p < (outs - 1) * step + taps; ++p, at += pixel) {
        const FVI_VECTOR x = FVI_NAME(depthwise_source)(at, b, mode);
        FVI_UNROLL
        for (int o = 0; o < outs; ++o) {
            const int j = p - o * step;
            if (j >= 0 && j < taps) sum[o] = FVI_FMA(x, w[j], sum[o]);
        }
    }
}

/* The sums of a row of outputs, finished. */
FVI_INLINE void FVI_NAME(depthwise_finish)(const fvi_depthwise_rows *call, const FVI_VECTOR *sum,
                                           ptrdiff_t at, const FVI_NAME(depthwise_block) * b,
                                           const int outs, const int mode, const bool is_plain)
{
    FVI_UNROLL
    for (int o = 0; o < outs; ++o, at += call->out_step) {
        FVI_VECTOR y = sum[o];
        if (!is_plain && call->is_clipped)
            y = FVI_AT_MOST(FVI_SPLAT(call->most), FVI_NAME(clip)(y));
        if (!is_plain && call->mask) {
            const FVI_VECTOR mask = FVI_NAME(depthwise_load)(call->mask + at, b, mode);
            y = (FVI_VECTOR)((FVI_BITS)y & (FVI_BITS)(mask > (FVI_VECTOR){0}));
        }
        FVI_NAME(depthwise_store)(call->out + at, y, b, mode);
    }
}

/* One channel block of the first outs outputs of a row; taps and step 0: any, each tap loads its own
   inputs. is_plain: nothing is added to, clips or masks. */
FVI_INLINE void FVI_NAME(depthwise_outs)(const fvi_depthwise_rows *call,
                                         const FVI_NAME(depthwise_block) * b, const int outs,
                                         const int taps, const int step, const int mode,
                                         const bool is_plain)
{
    FVI_VECTOR sum[FVI_DEPTHWISE_OUTS], start = {0};
    if (call->start) start = FVI_NAME(depthwise_load)(call->start, b, mode);
    FVI_UNROLL
    for (int o = 0; o < outs; ++o) {
        sum[o] = start;
        if (!is_plain && call->is_added)
            sum[o] = FVI_NAME(depthwise_load)(call->out + o * call->out_step, b, mode);
    }
    const float *row = call->source, *weights = call->weights;
    for (ptrdiff_t i = 0; i < call->taps_h; ++i, row += call->gap_h, weights += call->weight_h) {
        const float *at = row, *tap = weights;
        if (taps > 0) FVI_NAME(depthwise_taps_of)
        (sum, at, tap, call->gap_w, call->weight_w, b, outs, taps, step);
        for (ptrdiff_t j = 0; taps == 0 && j < call->taps_w; ++j) {
            const FVI_VECTOR w = FVI_NAME(depthwise_load)(tap, b, mode);
            FVI_UNROLL
            for (int o = 0; o < outs; ++o) {
                const float *x = at + o * call->source_step;
                sum[o] = FVI_FMA(FVI_NAME(depthwise_source)(x, b, mode), w, sum[o]);
            }
            at += call->gap_w;
            tap += call->weight_w;
        }
    }
    FVI_NAME(depthwise_finish)(call, sum, 0, b, outs, mode, is_plain);
}

/* Whole vectors of channels, one after the other: of the same outputs, since what these read is
   contiguous. A last one that reaches over the end begins before its place: what it makes again
   comes out the same. Where that would be added twice, or channels are too few, or one of the source
   has several: from c on, as the mode says. */
FVI_INLINE void FVI_NAME(depthwise_channels)(const fvi_depthwise_rows *call, const int outs,
                                             const int taps, const int step, const int mode,
                                             const bool is_plain, ptrdiff_t c)
{
    const ptrdiff_t channels = call->channels;
    for (; mode != FVI_DEPTHWISE_WHOLE && c < channels; c += FVI_LANES) {
        const FVI_NAME(depthwise_block) b =
            FVI_NAME(depthwise_begin)(c, channels, call->spread, mode);
        FVI_NAME(depthwise_outs)(call, &b, outs, taps, step, mode, is_plain);
    }
    while (mode == FVI_DEPTHWISE_WHOLE && c < channels) {
        const FVI_NAME(depthwise_block) b = FVI_NAME(depthwise_begin)(c, 0, 1, mode);
        FVI_NAME(depthwise_outs)(call, &b, outs, taps, step, mode, is_plain);
        c += FVI_LANES;
        if (c < channels && c + FVI_LANES > channels) {
            if (call->is_added) return;
            c = channels - FVI_LANES;
        }
    }
}

FVI_INLINE void FVI_NAME(depthwise_tile)(const fvi_depthwise_rows *given, ptrdiff_t first,
                                         const int outs, const int taps, const int step,
                                         const int mode, ptrdiff_t c)
{
    fvi_depthwise_rows call = *given; /* a copy that no store can reach */
    call.source += first * call.source_step;
    call.out += first * call.out_step;
    if (call.mask) call.mask += first * call.out_step;
    if (!call.is_added && !call.mask && !call.is_clipped)
        FVI_NAME(depthwise_channels)(&call, outs, taps, step, mode, true, c);
    else
        FVI_NAME(depthwise_channels)(&call, outs, taps, step, mode, false, c);
}

/* ---- any number of outputs ---- */

typedef void FVI_NAME(depthwise_tile_fn)(const fvi_depthwise_rows *call, ptrdiff_t first,
                                         ptrdiff_t c);

FVI_INLINE void FVI_NAME(depthwise_row)(const fvi_depthwise_rows *call, ptrdiff_t c,
                                        FVI_NAME(depthwise_tile_fn) *const *tile)
{
    for (ptrdiff_t first = 0, outs; first < call->outs; first += outs) {
        const ptrdiff_t left = call->outs - first;
        outs = left < FVI_DEPTHWISE_OUTS ? left : FVI_DEPTHWISE_OUTS;
        tile[outs - 1](call, first, c);
    }
}

#define FVI_DEPTHWISE_TILE(name, taps, step, o, mode)                                              \
    static void FVI_NAME(depthwise_##name##_##o)(const fvi_depthwise_rows *call, ptrdiff_t first,  \
                                                 ptrdiff_t c)                                      \
    {                                                                                              \
        FVI_NAME(depthwise_tile)(call, first, o, taps, step, mode, c);                             \
    }
#define FVI_DEPTHWISE_ENTRY(name, taps, step, o, mode) FVI_NAME(depthwise_##name##_##o),
#define FVI_DEPTHWISE_EACH(X, name, taps, step, mode)                                              \
    X(name, taps, step, 1, mode)                                                                   \
    X(name, taps, step, 2, mode)                                                                   \
    X(name, taps, step, 3, mode)                                                                   \
    X(name, taps, step, 4, mode)                                                                   \
    X(name, taps, step, 5, mode) X(name, taps, step, 6, mode)
#define FVI_DEPTHWISE_TILES(name, taps, step, mode)                                                \
    FVI_DEPTHWISE_EACH(FVI_DEPTHWISE_TILE, name, taps, step, mode)                                 \
    static FVI_NAME(depthwise_tile_fn) *const FVI_NAME(depthwise_##name##_tiles)[] = {             \
        FVI_DEPTHWISE_EACH(FVI_DEPTHWISE_ENTRY, name, taps, step, mode)};

FVI_DEPTHWISE_TILES(part, 0, 0, FVI_DEPTHWISE_PART)

/* The channels of a last vector that could not be made by whole ones. */
static void FVI_NAME(depthwise_rest)(const fvi_depthwise_rows *call)
{
    const ptrdiff_t left = call->channels % FVI_LANES;
    if (left > 0 && (call->is_added || call->channels < FVI_LANES))
        FVI_NAME(depthwise_row)(call, call->channels - left, FVI_NAME(depthwise_part_tiles));
}

#define FVI_DEPTHWISE_ROWS(taps, step)                                                             \
    FVI_DEPTHWISE_TILES(taps##_##step, taps, step, FVI_DEPTHWISE_WHOLE)                            \
    static void FVI_NAME(depthwise_##taps##_##step)(const fvi_depthwise_rows *call)                \
    {                                                                                              \
        if (call->channels >= FVI_LANES)                                                           \
            FVI_NAME(depthwise_row)(call, 0, FVI_NAME(depthwise_##taps##_##step##_tiles));         \
        FVI_NAME(depthwise_rest)(call);                                                            \
    }
FVI_DEPTHWISE_ROWS(0, 0)
FVI_DEPTHWISE_ROWS(2, 1)
FVI_DEPTHWISE_ROWS(3, 1)
FVI_DEPTHWISE_ROWS(3, 2)
FVI_DEPTHWISE_ROWS(5, 1)
FVI_DEPTHWISE_ROWS(5, 2)

FVI_DEPTHWISE_TILES(wide, 0, 0, FVI_DEPTHWISE_WIDE)
static void FVI_NAME(depthwise_spread)(const fvi_depthwise_rows *call)
{
    FVI_NAME(depthwise_row)
    (call, 0, FVI_NAME(depthwise_wide_tiles));
}
