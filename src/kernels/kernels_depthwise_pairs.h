/* SPDX-License-Identifier: MIT */
/* Template of the depthwise kernels for two rows of outputs, included by each kernels_<isa>.c after
   kernels_depthwise.h. No include guard: that is the point. */

/* A few outputs of two rows below each other: inputs that several of them meet are loaded once. All
   their channels come before the next outputs, so that what is read and written runs on through the
   memory; the fewer outputs, the longer these runs, and the processor then fetches them in time. With
   16 registers nothing was gained. */
#if FVI_ROWS_MAX * FVI_VECTORS_MAX > 16

/* One kernel row of taps: the outputs above, those below, or both meet these inputs, each with a
   kernel row of their own. Addresses are made one from the other: there are more of them than
   registers. */
FVI_INLINE void FVI_NAME(depthwise_pair_taps)(const fvi_depthwise_rows *call, FVI_VECTOR *sum,
                                              const float *at, const float *w_above,
                                              const float *w_below, const int outs, const int taps,
                                              const int step, const bool has_above,
                                              const bool has_below)
{
    FVI_VECTOR *below = sum + outs, a[5], z[5];
    FVI_UNROLL
    for (int j = 0; j < taps; ++j) {
        if (has_above) a[j] = FVI_LOAD(w_above);
        if (has_below) z[j] = FVI_LOAD(w_below);
        w_above += call->weight_w;
        w_below += call->weight_w;
        FVI_KEEP(w_above);
        FVI_KEEP(w_below);
    }
    FVI_UNROLL
    for (int p = 0; p < (outs - 1) * step + taps; ++p, at += call->gap_w) {
        FVI_KEEP(at);
        const FVI_VECTOR x = FVI_LOAD(at);
        FVI_UNROLL
        for (int o = 0; o < outs; ++o) {
            const int j = p - o * step;
            if (j < 0 || j >= taps) continue;
            if (has_above) sum[o] = FVI_FMA(x, a[j], sum[o]);
            if (has_below) below[o] = FVI_FMA(x, z[j], below[o]);
        }
    }
}

/* All kernel rows. is_whole: as many as taps, of which none leaves the source. */
FVI_INLINE void FVI_NAME(depthwise_pair_sums)(const fvi_depthwise_rows *call, FVI_VECTOR *sum,
                                              const float *row, ptrdiff_t c, const int outs,
                                              const int taps, const int step, const bool is_whole)
{
    const float *w = call->weights + c, *w_below = call->weights_below + c;
    const int whole = is_whole ? taps + step : 0;
    FVI_UNROLL
    for (int i = 0; i < whole; ++i, row += call->gap_h) {
        FVI_KEEP(row);
        FVI_KEEP(w);
        FVI_KEEP(w_below);
        FVI_NAME(depthwise_pair_taps)
        (call, sum, row, w, w_below, outs, taps, step, i < taps, i >= step);
        if (i < taps) w += call->weight_h;
        if (i >= step) w_below += call->weight_h;
    }
    const ptrdiff_t end = is_whole ? 0 : call->skip + call->taps_below;
    for (ptrdiff_t i = 0; i < end; ++i, row += call->gap_h) {
        if (i < call->skip) FVI_NAME(depthwise_pair_taps)
        (call, sum, row, w, w_below, outs, taps, step, true, false);
        else if (i < call->taps_h)
            FVI_NAME(depthwise_pair_taps)(call, sum, row, w, w_below, outs, taps, step, true, true);
        else FVI_NAME(depthwise_pair_taps)(call, sum, row, w, w_below, outs, taps, step, false,
                                           true);
        w += call->weight_h;
        if (i >= call->skip) w_below += call->weight_h;
    }
}

/* Outputs [first, first + outs) of both rows; a last vector that reaches over the end begins before
   its place. */
FVI_INLINE void FVI_NAME(depthwise_pair)(const fvi_depthwise_rows *call, ptrdiff_t first,
                                         const int outs, const int taps, const int step,
                                         const bool is_whole)
{
    const int mode = FVI_DEPTHWISE_WHOLE;
    const bool is_plain = !call->mask && !call->is_clipped;
    const float *source = call->source + first * call->source_step;
    const ptrdiff_t at = first * call->out_step;
    for (ptrdiff_t c = 0; c < call->channels; c += FVI_LANES) {
        if (c + FVI_LANES > call->channels) c = call->channels - FVI_LANES;
        const FVI_NAME(depthwise_block) b = FVI_NAME(depthwise_begin)(c, 0, 1, mode);
        FVI_VECTOR sum[2 * FVI_DEPTHWISE_PAIR], start = {0};
        if (call->start) start = FVI_LOAD(call->start + c);
        FVI_UNROLL
        for (int o = 0; o < 2 * outs; ++o)
            sum[o] = start;
        FVI_NAME(depthwise_pair_sums)
        (call, sum, source + c, c, outs, taps, step, is_whole);
        for (int r = 0; r < 2; ++r) {
            const ptrdiff_t to = at + r * call->out_below;
            if (is_plain)
                FVI_NAME(depthwise_finish)(call, sum + r * outs, to, &b, outs, mode, true);
            else
                FVI_NAME(depthwise_finish)(call, sum + r * outs, to, &b, outs, mode, false);
        }
    }
}

/* Outputs [first, end), n together as long as there are as many; where that ends. */
#define FVI_DEPTHWISE_PAIR_OF(name, taps, step, n, is_whole)                                       \
    static ptrdiff_t FVI_NAME(depthwise_##name##_##taps##_##step##_##n)(                           \
        const fvi_depthwise_rows *given, ptrdiff_t first)                                          \
    {                                                                                              \
        const fvi_depthwise_rows call = *given; /* a copy that no store can reach */               \
        for (; first + (n) <= call.outs; first += (n))                                             \
            FVI_NAME(depthwise_pair)(&call, first, n, taps, step, is_whole);                       \
        return first;                                                                              \
    }

/* most: outputs of a row that are made together, fewer at its end */
#define FVI_DEPTHWISE_PAIRS(taps, step, most)                                                      \
    FVI_DEPTHWISE_PAIR_OF(pair, taps, step, most, true)                                            \
    FVI_DEPTHWISE_PAIR_OF(pair, taps, step, 1, true)                                               \
    FVI_DEPTHWISE_PAIR_OF(part_pair, taps, step, 2, false)                                         \
    FVI_DEPTHWISE_PAIR_OF(part_pair, taps, step, 1, false)                                         \
    static void FVI_NAME(depthwise_pair_##taps##_##step)(const fvi_depthwise_rows *call)           \
    {                                                                                              \
        if (call->taps_h == (taps) && call->skip == (step) && call->taps_below == (taps))          \
            FVI_NAME(depthwise_pair_##taps##_##step##_1)                                           \
        (call, FVI_NAME(depthwise_pair_##taps##_##step##_##most)(call, 0));                        \
        else FVI_NAME(depthwise_part_pair_##taps##_##step##_1)(                                    \
            call, FVI_NAME(depthwise_part_pair_##taps##_##step##_2)(call, 0));                     \
    }
FVI_DEPTHWISE_PAIRS(3, 1, 2)
FVI_DEPTHWISE_PAIRS(3, 2, 2)
FVI_DEPTHWISE_PAIRS(5, 1, 4)
FVI_DEPTHWISE_PAIRS(5, 2, 4)

/* A single output at an edge. */
#define FVI_DEPTHWISE_PAIR_EDGE(taps)                                                              \
    static void FVI_NAME(depthwise_edge_##taps)(const fvi_depthwise_rows *given)                   \
    {                                                                                              \
        const fvi_depthwise_rows call = *given; /* a copy that no store can reach */               \
        FVI_NAME(depthwise_pair)(&call, 0, 1, taps, 1, false);                                     \
    }
FVI_DEPTHWISE_PAIR_EDGE(1)
FVI_DEPTHWISE_PAIR_EDGE(2)
FVI_DEPTHWISE_PAIR_EDGE(3)
FVI_DEPTHWISE_PAIR_EDGE(4)

/* ---- the input gradient of a kernel 3 by 3 and stride 2 ---- */

/* Two sources side by side: what an output and the one behind it have of them, in the first of two
   rows of outputs (above) and in the second (below). */
FVI_INLINE void FVI_NAME(depthwise_quad_row)(const fvi_depthwise_rows *call, FVI_VECTOR *sum,
                                             const float *at, const float *w_above,
                                             const float *w_below, const bool has_first,
                                             const bool has_below)
{
    FVI_UNROLL
    for (int j = has_first ? 0 : 1; j < 2; ++j) {
        const FVI_VECTOR x = FVI_LOAD(at + j * call->gap_w);
        const ptrdiff_t tap = j * call->weight_w;
        sum[0] = FVI_FMA(x, FVI_LOAD(w_above + tap), sum[0]);
        if (has_below) sum[2] = FVI_FMA(x, FVI_LOAD(w_below + tap), sum[2]);
        if (j == 0) continue;
        sum[1] = FVI_FMA(x, FVI_LOAD(w_above + tap / 2), sum[1]);
        if (has_below) sum[3] = FVI_FMA(x, FVI_LOAD(w_below + tap / 2), sum[3]);
    }
}

/* Output first of the first row, the one behind it, and the two below these. */
FVI_INLINE void FVI_NAME(depthwise_quad)(const fvi_depthwise_rows *call, ptrdiff_t first,
                                         const bool has_above, const bool has_first)
{
    const int mode = FVI_DEPTHWISE_WHOLE;
    const ptrdiff_t at = first * call->out_step * 2, down = call->weight_h / 2;
    const float *source = call->source + first * call->gap_w;
    for (ptrdiff_t c = 0; c < call->channels; c += FVI_LANES) {
        if (c + FVI_LANES > call->channels) c = call->channels - FVI_LANES;
        const FVI_NAME(depthwise_block) b = FVI_NAME(depthwise_begin)(c, 0, 1, mode);
        FVI_VECTOR sum[4] = {{0}};
        const float *x = source + c, *w = call->weights + c;
        if (has_above) FVI_NAME(depthwise_quad_row)
        (call, sum, x - call->gap_h, w, w, has_first, false);
        FVI_NAME(depthwise_quad_row)(call, sum, x, w + 2 * down, w + down, has_first, true);
        for (int r = 0; r < 2; ++r) {
            const ptrdiff_t to = at + r * call->out_below;
            if (call->mask)
                FVI_NAME(depthwise_finish)(call, sum + 2 * r, to, &b, 2, mode, false);
            else
                FVI_NAME(depthwise_finish)(call, sum + 2 * r, to, &b, 2, mode, true);
        }
    }
}

#define FVI_DEPTHWISE_QUADS(has_above)                                                             \
    static void FVI_NAME(depthwise_quads_##has_above)(const fvi_depthwise_rows *given)             \
    {                                                                                              \
        const fvi_depthwise_rows call = *given; /* a copy that no store can reach */               \
        if (call.has_left) FVI_NAME(depthwise_quad)(&call, -1, has_above, false);                  \
        for (ptrdiff_t first = 0; first < call.outs; ++first)                                      \
            FVI_NAME(depthwise_quad)(&call, first, has_above, true);                               \
    }
FVI_DEPTHWISE_QUADS(0)
FVI_DEPTHWISE_QUADS(1)

#endif
