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

/* One kernel row of taps, of outputs that share inputs: above, below, or both meet these inputs, each
   with a kernel row of its own. */
FVI_INLINE void FVI_NAME(depthwise_taps_of)(FVI_VECTOR *above, FVI_VECTOR *below, const float *at,
                                            const float *w_above, const float *w_below,
                                            ptrdiff_t pixel, ptrdiff_t weight_w,
                                            const FVI_NAME(depthwise_block) * b, const int outs,
                                            const int taps, const int step, const bool has_above,
                                            const bool has_below)
{
    const int mode = FVI_DEPTHWISE_WHOLE;
    FVI_VECTOR a[5], z[5];
    FVI_UNROLL
    for (int j = 0; j < taps; ++j) {
        if (has_above) a[j] = FVI_NAME(depthwise_load)(w_above + j * weight_w, b, mode);
        if (has_below) z[j] = FVI_NAME(depthwise_load)(w_below + j * weight_w, b, mode);
    }
    FVI_UNROLL
    for (int p = 0; p < (outs - 1) * step + taps; ++p, at += pixel) {
        const FVI_VECTOR x = FVI_NAME(depthwise_source)(at, b, mode);
        FVI_UNROLL
        for (int o = 0; o < outs; ++o) {
            const int j = p - o * step;
            if (j < 0 || j >= taps) continue;
            if (has_above) above[o] = FVI_FMA(x, a[j], above[o]);
            if (has_below) below[o] = FVI_FMA(x, z[j], below[o]);
        }
    }
}

/* All kernel rows, of one row of outputs or of two, the second of which begins skip kernel rows
   later. */
FVI_INLINE void FVI_NAME(depthwise_shared)(const fvi_depthwise_rows *call, FVI_VECTOR *sum,
                                           const FVI_NAME(depthwise_block) * b, const int rows,
                                           const int outs, const int taps, const int step)
{
    const ptrdiff_t pixel = call->gap_w, down = call->gap_h, weight_h = call->weight_h;
    const ptrdiff_t weight_w = call->weight_w, skip = rows > 1 ? call->skip : call->taps_h;
    const float *row = call->source, *w = call->weights, *w_below = w;
    FVI_VECTOR *below = sum + outs;
    ptrdiff_t i = 0;
    for (; i < skip; ++i, row += down, w += weight_h)
        FVI_NAME(depthwise_taps_of)
    (sum, below, row, w, w, pixel, weight_w, b, outs, taps, step, true, false);
    if (rows == 1) return;
    for (; i < call->taps_h; ++i, row += down, w += weight_h, w_below += weight_h)
        FVI_NAME(depthwise_taps_of)
    (sum, below, row, w, w_below, pixel, weight_w, b, outs, taps, step, true, true);
    for (; i < call->taps_h + skip; ++i, row += down, w_below += weight_h)
        FVI_NAME(depthwise_taps_of)
    (sum, below, row, w, w_below, pixel, weight_w, b, outs, taps, step, false, true);
}

/* The sums of a row of outputs, finished. */
FVI_INLINE void FVI_NAME(depthwise_finish)(const fvi_depthwise_rows *call, const FVI_VECTOR *sum,
                                           ptrdiff_t at, const FVI_NAME(depthwise_block) * b,
                                           const int outs, const int mode, const bool is_plain)
{
    FVI_UNROLL
    for (int o = 0; o < outs; ++o, at += call->out_step) {
        FVI_VECTOR y = sum[o];
        if (!is_plain && call->is_clipped) y = FVI_NAME(clip)(y);
        if (!is_plain && call->mask) {
            const FVI_VECTOR mask = FVI_NAME(depthwise_load)(call->mask + at, b, mode);
            y = (FVI_VECTOR)((FVI_BITS)y & (FVI_BITS)(mask > (FVI_VECTOR){0}));
        }
        FVI_NAME(depthwise_store)(call->out + at, y, b, mode);
    }
}

/* One channel block of the first outs outputs of one row, or two; taps and step 0: any, each tap loads
   its own inputs. is_plain: nothing is added to, clips or masks. */
FVI_INLINE void FVI_NAME(depthwise_outs)(const fvi_depthwise_rows *call,
                                         const FVI_NAME(depthwise_block) * b, const int rows,
                                         const int outs, const int taps, const int step,
                                         const int mode, const bool is_plain)
{
    FVI_VECTOR sum[2 * FVI_DEPTHWISE_OUTS], start = {0};
    if (call->start) start = FVI_NAME(depthwise_load)(call->start, b, mode);
    FVI_UNROLL
    for (int o = 0; o < rows * outs; ++o) {
        const ptrdiff_t at =
            o < outs ? o * call->out_step : call->out_below + (o - outs) * call->out_step;
        sum[o] = start;
        if (rows == 1 && !is_plain && call->is_added)
            sum[o] = FVI_NAME(depthwise_load)(call->out + at, b, mode);
    }
    if (taps > 0) FVI_NAME(depthwise_shared)(call, sum, b, rows, outs, taps, step);
    const float *row = call->source, *weights = call->weights;
    for (ptrdiff_t i = 0; taps == 0 && i < call->taps_h; ++i) {
        const float *at = row, *tap = weights;
        for (ptrdiff_t j = 0; j < call->taps_w; ++j, at += call->gap_w, tap += call->weight_w) {
            const FVI_VECTOR w = FVI_NAME(depthwise_load)(tap, b, mode);
            FVI_UNROLL
            for (int o = 0; o < outs; ++o) {
                const float *x = at + o * call->source_step;
                sum[o] = FVI_FMA(FVI_NAME(depthwise_source)(x, b, mode), w, sum[o]);
            }
        }
        row += call->gap_h;
        weights += call->weight_h;
    }
    FVI_NAME(depthwise_finish)(call, sum, 0, b, outs, mode, is_plain);
    if (rows > 1) FVI_NAME(depthwise_finish)
    (call, sum + outs, call->out_below, b, outs, mode, is_plain);
}

/* Whole vectors of channels, one after the other: of the same outputs, since what these read is
   contiguous. A last one that reaches over the end begins before its place: what it makes again
   comes out the same. Where that would be added twice, or channels are too few, or one of the source
   has several: from c on, as the mode says. */
FVI_INLINE void FVI_NAME(depthwise_channels)(const fvi_depthwise_rows *call, const int rows,
                                             const int outs, const int taps, const int step,
                                             const int mode, const bool is_plain, ptrdiff_t c)
{
    const ptrdiff_t channels = call->channels;
    for (; mode != FVI_DEPTHWISE_WHOLE && c < channels; c += FVI_LANES) {
        const FVI_NAME(depthwise_block) b =
            FVI_NAME(depthwise_begin)(c, channels, call->spread, mode);
        FVI_NAME(depthwise_outs)(call, &b, rows, outs, taps, step, mode, is_plain);
    }
    while (mode == FVI_DEPTHWISE_WHOLE && c < channels) {
        const FVI_NAME(depthwise_block) b = FVI_NAME(depthwise_begin)(c, 0, 1, mode);
        FVI_NAME(depthwise_outs)(call, &b, rows, outs, taps, step, mode, is_plain);
        c += FVI_LANES;
        if (c < channels && c + FVI_LANES > channels) {
            if (rows == 1 && call->is_added) return;
            c = channels - FVI_LANES;
        }
    }
}

FVI_INLINE void FVI_NAME(depthwise_tile)(const fvi_depthwise_rows *given, ptrdiff_t first,
                                         const int rows, const int outs, const int taps,
                                         const int step, const int mode, ptrdiff_t c)
{
    fvi_depthwise_rows call = *given; /* a copy that no store can reach */
    call.source += first * call.source_step;
    call.out += first * call.out_step;
    if (call.mask) call.mask += first * call.out_step;
    if (!(rows == 1 && call.is_added) && !call.mask && !call.is_clipped)
        FVI_NAME(depthwise_channels)(&call, rows, outs, taps, step, mode, true, c);
    else
        FVI_NAME(depthwise_channels)(&call, rows, outs, taps, step, mode, false, c);
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

#define FVI_DEPTHWISE_TILE(name, rows, taps, step, o, mode)                                        \
    static void FVI_NAME(depthwise_##name##_##o)(const fvi_depthwise_rows *call, ptrdiff_t first,  \
                                                 ptrdiff_t c)                                      \
    {                                                                                              \
        FVI_NAME(depthwise_tile)(call, first, rows, o, taps, step, mode, c);                       \
    }
#define FVI_DEPTHWISE_ENTRY(name, rows, taps, step, o, mode) FVI_NAME(depthwise_##name##_##o),
#define FVI_DEPTHWISE_EACH(X, name, rows, taps, step, mode)                                        \
    X(name, rows, taps, step, 1, mode)                                                             \
    X(name, rows, taps, step, 2, mode)                                                             \
    X(name, rows, taps, step, 3, mode)                                                             \
    X(name, rows, taps, step, 4, mode)                                                             \
    X(name, rows, taps, step, 5, mode) X(name, rows, taps, step, 6, mode)
#define FVI_DEPTHWISE_TILES(name, rows, taps, step, mode)                                          \
    FVI_DEPTHWISE_EACH(FVI_DEPTHWISE_TILE, name, rows, taps, step, mode)                           \
    static FVI_NAME(depthwise_tile_fn) *const FVI_NAME(depthwise_##name##_tiles)[] = {             \
        FVI_DEPTHWISE_EACH(FVI_DEPTHWISE_ENTRY, name, rows, taps, step, mode)};

FVI_DEPTHWISE_TILES(part, 1, 0, 0, FVI_DEPTHWISE_PART)

/* The channels of a last vector that could not be made by whole ones. */
static void FVI_NAME(depthwise_rest)(const fvi_depthwise_rows *call)
{
    const ptrdiff_t left = call->channels % FVI_LANES;
    if (left > 0 && (call->is_added || call->channels < FVI_LANES))
        FVI_NAME(depthwise_row)(call, call->channels - left, FVI_NAME(depthwise_part_tiles));
}

#define FVI_DEPTHWISE_ROWS(taps, step)                                                             \
    FVI_DEPTHWISE_TILES(taps##_##step, 1, taps, step, FVI_DEPTHWISE_WHOLE)                         \
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

FVI_DEPTHWISE_TILES(wide, 1, 0, 0, FVI_DEPTHWISE_WIDE)
static void FVI_NAME(depthwise_spread)(const fvi_depthwise_rows *call)
{
    FVI_NAME(depthwise_row)
    (call, 0, FVI_NAME(depthwise_wide_tiles));
}

/* ---- two rows of outputs: twice the sums in registers, and inputs that both meet are loaded once.
   That takes 12 sums, 6 or 10 weights and an input; with 16 registers nothing was gained. ---- */

#if FVI_ROWS_MAX * FVI_VECTORS_MAX > 16
#define FVI_DEPTHWISE_PAIRS(taps, step)                                                            \
    FVI_DEPTHWISE_TILES(pair_##taps##_##step, 2, taps, step, FVI_DEPTHWISE_WHOLE)                  \
    static void FVI_NAME(depthwise_pair_##taps##_##step)(const fvi_depthwise_rows *call)           \
    {                                                                                              \
        FVI_NAME(depthwise_row)(call, 0, FVI_NAME(depthwise_pair_##taps##_##step##_tiles));        \
    }
FVI_DEPTHWISE_PAIRS(3, 1)
FVI_DEPTHWISE_PAIRS(3, 2)
FVI_DEPTHWISE_PAIRS(5, 1)
FVI_DEPTHWISE_PAIRS(5, 2)
#endif
