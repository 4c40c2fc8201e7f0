/* SPDX-License-Identifier: MIT */
/* Template of the depthwise weight gradient's kernels, included by each kernels_<isa>.c after
   kernels_depthwise.h. No include guard: that is the point. */

/* Gradients of so many taps, and of the bias. */
FVI_INLINE void FVI_NAME(depthwise_taps)(const fvi_depthwise_sums *call,
                                         const FVI_NAME(depthwise_block) * b, const int taps,
                                         const int mode)
{
    FVI_VECTOR sum[FVI_DEPTHWISE_TAPS], bias = {0};
    ptrdiff_t shift[FVI_DEPTHWISE_TAPS];
    FVI_UNROLL
    for (int t = 0; t < taps; ++t) {
        sum[t] = (FVI_VECTOR){0};
        shift[t] = call->shift[t];
    }
    for (ptrdiff_t r = 0; r < call->rows; ++r) {
        const float *x = call->x + r * call->x_row, *dy = call->dy + r * call->dy_row;
        for (ptrdiff_t o = 0; o < call->columns; ++o, x += call->x_step, dy += call->dy_step) {
            const FVI_VECTOR slope = FVI_NAME(depthwise_load)(dy, b, mode);
            bias += slope;
            FVI_UNROLL
            for (int t = 0; t < taps; ++t)
                sum[t] = FVI_FMA(FVI_NAME(depthwise_source)(x + shift[t], b, mode), slope, sum[t]);
        }
    }
    FVI_UNROLL
    for (int t = 0; t < taps; ++t) {
        float *dw = call->dw + call->place[t];
        FVI_NAME(depthwise_store)
        (dw, FVI_NAME(depthwise_load)(dw, b, mode) + sum[t], b, mode);
    }
    if (call->db) FVI_NAME(depthwise_store)
    (call->db, FVI_NAME(depthwise_load)(call->db, b, mode) + bias, b, mode);
}

/* ---- strips, as in kernels_depthwise_strips.h ---- */

/* One place: taps [from, to) of each kernel row meet dy of rows outputs. Column j of the window is
   window[r][(first + j) % 3]. */
FVI_INLINE void FVI_NAME(depthwise_meet)(FVI_VECTOR (*sum)[3], FVI_VECTOR *bias,
                                         FVI_VECTOR (*window)[3], const fvi_depthwise_strip *call,
                                         const float *x, const float *dy,
                                         const FVI_NAME(depthwise_block) * b, const int rows,
                                         const int taps_h, const int first, const int from,
                                         const int to, const int mode)
{
    FVI_UNROLL
    for (int r = 0; r < rows; ++r) {
        const FVI_VECTOR slope = FVI_NAME(depthwise_load)(dy + r * call->dy_row, b, mode);
        *bias += slope;
        FVI_UNROLL
        for (int i = 0; i < taps_h; ++i) {
            FVI_UNROLL
            for (int j = from; j < to; ++j) {
                FVI_VECTOR *at = &window[r + i][(first + j) % 3];
                if (!FVI_DEPTHWISE_SLIDES)
                    *at = FVI_NAME(depthwise_source)(x + (r + i) * call->x_row + j * call->x_pixel,
                                                     b, mode);
                sum[i][j] = FVI_FMA(*at, slope, sum[i][j]);
            }
        }
    }
}

/* Where a strip has come to. */
typedef struct FVI_NAME(depthwise_at) {
    const float *x, *dy;
    const char *x_ahead, *dy_ahead;
} FVI_NAME(depthwise_at);

/* One place, of which the window holds all columns but the last step. */
FVI_INLINE void FVI_NAME(depthwise_step)(FVI_VECTOR (*sum)[3], FVI_VECTOR *bias,
                                         FVI_VECTOR (*window)[3], const fvi_depthwise_strip *call,
                                         FVI_NAME(depthwise_at) * at,
                                         const FVI_NAME(depthwise_block) * b, const int rows,
                                         const int taps_h, const int step, const int first,
                                         const int mode)
{
    const int size = (int)sizeof(FVI_VECTOR);
    FVI_NAME(depthwise_fetch)
    (at->x_ahead, call->x_ahead_row, at->dy_ahead, call->dy_ahead_row, rows * step, rows, step);
    FVI_NAME(depthwise_slide)
    (window, at->x, call->x_row, call->x_pixel, b, rows + taps_h - 1, first, 3 - step, 3, mode);
    FVI_NAME(depthwise_meet)
    (sum, bias, window, call, at->x, at->dy, b, rows, taps_h, first, 0, 3, mode);
    at->x += step * call->x_pixel;
    at->dy += call->dy_pixel;
    at->x_ahead += step * size;
    at->dy_ahead += size;
    FVI_KEEP(at->x); /* one address each, not one for each place of the loop */
    FVI_KEEP(at->dy);
}

/* One block of channels of a strip. */
FVI_INLINE void FVI_NAME(depthwise_strip)(const fvi_depthwise_strip *call,
                                          const FVI_NAME(depthwise_block) * b, const int rows,
                                          const int taps_h, const int step, const int mode)
{
    FVI_VECTOR sum[3][3], window[4][3], bias = {0};
    const ptrdiff_t ahead = b->c * call->places * (ptrdiff_t)sizeof(float);
    const int all = rows + taps_h - 1;
    FVI_NAME(depthwise_at)
    at = {call->x, call->dy, call->x_ahead + step * ahead, call->dy_ahead + ahead};
    FVI_UNROLL
    for (int t = 0; t < 3 * taps_h; ++t)
        sum[t / 3][t % 3] = FVI_NAME(depthwise_load)(call->dw + t * call->tap, b, mode);
    if (call->has_left) {
        const float *x = at.x - step * call->x_pixel, *dy = at.dy - call->dy_pixel;
        FVI_NAME(depthwise_slide)(window, x, call->x_row, call->x_pixel, b, all, 0, 1, 3, mode);
        FVI_NAME(depthwise_meet)
        (sum, &bias, window, call, x, dy, b, rows, taps_h, 0, 1, 3, mode);
    }
    FVI_NAME(depthwise_slide)
    (window, at.x, call->x_row, call->x_pixel, b, all, 0, 0, 3 - step, mode);
    ptrdiff_t left = call->places;
    for (; left >= 3; left -= 3) {
        FVI_UNROLL
        for (int u = 0; u < 3; ++u)
            FVI_NAME(depthwise_step)
        (sum, &bias, window, call, &at, b, rows, taps_h, step, u * step % 3, mode);
    }
    if (left > 0) FVI_NAME(depthwise_step)
    (sum, &bias, window, call, &at, b, rows, taps_h, step, 0, mode);
    if (left > 1) FVI_NAME(depthwise_step)
    (sum, &bias, window, call, &at, b, rows, taps_h, step, step, mode);
    if (call->has_right) {
        FVI_NAME(depthwise_slide)(window, at.x, call->x_row, call->x_pixel, b, all, 0, 0, 2, mode);
        FVI_NAME(depthwise_meet)
        (sum, &bias, window, call, at.x, at.dy, b, rows, taps_h, 0, 0, 2, mode);
    }
    FVI_UNROLL
    for (int t = 0; t < 3 * taps_h; ++t)
        FVI_NAME(depthwise_store)(call->dw + t * call->tap, sum[t / 3][t % 3], b, mode);
    if (call->db) FVI_NAME(depthwise_store)
    (call->db, FVI_NAME(depthwise_load)(call->db, b, mode) + bias, b, mode);
}

#define FVI_DEPTHWISE_STRIP(rows, taps_h, step)                                                    \
    static void FVI_NAME(depthwise_strip_##rows##_##taps_h##_##step)(                              \
        const fvi_depthwise_strip *given)                                                          \
    {                                                                                              \
        const fvi_depthwise_strip call = *given; /* a copy that no store can reach */              \
        ptrdiff_t c = 0;                                                                           \
        for (; c + FVI_LANES <= call.channels; c += FVI_LANES) {                                   \
            const FVI_NAME(depthwise_block) b =                                                    \
                FVI_NAME(depthwise_begin)(c, 0, 1, FVI_DEPTHWISE_WHOLE);                           \
            FVI_NAME(depthwise_strip)(&call, &b, rows, taps_h, step, FVI_DEPTHWISE_WHOLE);         \
        }                                                                                          \
        if (c == call.channels) return;                                                            \
        const FVI_NAME(depthwise_block) b =                                                        \
            FVI_NAME(depthwise_begin)(c, call.channels, 1, FVI_DEPTHWISE_PART);                    \
        FVI_NAME(depthwise_strip)(&call, &b, rows, taps_h, step, FVI_DEPTHWISE_PART);              \
    }
FVI_DEPTHWISE_STRIP(1, 2, 1)
FVI_DEPTHWISE_STRIP(1, 3, 1)
FVI_DEPTHWISE_STRIP(1, 2, 2)
FVI_DEPTHWISE_STRIP(1, 3, 2)
#if FVI_DEPTHWISE_SLIDES
FVI_DEPTHWISE_STRIP(2, 3, 1)
#endif

/* ---- from 0 to FVI_DEPTHWISE_TAPS taps ---- */

#define FVI_DEPTHWISE_SUM(t)                                                                       \
    static void FVI_NAME(depthwise_sums_##t)(const fvi_depthwise_sums *call)                       \
    {                                                                                              \
        ptrdiff_t c = 0;                                                                           \
        for (; c + FVI_LANES <= call->channels; c += FVI_LANES) {                                  \
            const FVI_NAME(depthwise_block) b =                                                    \
                FVI_NAME(depthwise_begin)(c, 0, 1, FVI_DEPTHWISE_WHOLE);                           \
            FVI_NAME(depthwise_taps)(call, &b, t, FVI_DEPTHWISE_WHOLE);                            \
        }                                                                                          \
        if (c == call->channels) return;                                                           \
        const FVI_NAME(depthwise_block) b =                                                        \
            FVI_NAME(depthwise_begin)(c, call->channels, 1, FVI_DEPTHWISE_PART);                   \
        FVI_NAME(depthwise_taps)(call, &b, t, FVI_DEPTHWISE_PART);                                 \
    }                                                                                              \
    static void FVI_NAME(depthwise_spread_sums_##t)(const fvi_depthwise_sums *call)                \
    {                                                                                              \
        for (ptrdiff_t c = 0; c < call->channels; c += FVI_LANES) {                                \
            const FVI_NAME(depthwise_block) b =                                                    \
                FVI_NAME(depthwise_begin)(c, call->channels, call->spread, FVI_DEPTHWISE_WIDE);    \
            FVI_NAME(depthwise_taps)(call, &b, t, FVI_DEPTHWISE_WIDE);                             \
        }                                                                                          \
    }
#define FVI_DEPTHWISE_EACH_SUM(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
FVI_DEPTHWISE_EACH_SUM(FVI_DEPTHWISE_SUM)

#define FVI_DEPTHWISE_SUM_ENTRY(t) FVI_NAME(depthwise_sums_##t),
#define FVI_DEPTHWISE_SPREAD_ENTRY(t) FVI_NAME(depthwise_spread_sums_##t),

static const fvi_depthwise_table FVI_NAME(depthwise) = {
    .lanes = FVI_LANES,
    .rows =
        {
            [FVI_DEPTHWISE_ANY] = FVI_NAME(depthwise_0_0),
            [FVI_DEPTHWISE_2_1] = FVI_NAME(depthwise_2_1),
            [FVI_DEPTHWISE_3_1] = FVI_NAME(depthwise_3_1),
            [FVI_DEPTHWISE_3_2] = FVI_NAME(depthwise_3_2),
            [FVI_DEPTHWISE_5_1] = FVI_NAME(depthwise_5_1),
            [FVI_DEPTHWISE_5_2] = FVI_NAME(depthwise_5_2),
            [FVI_DEPTHWISE_SPREAD] = FVI_NAME(depthwise_spread),
        },
#if FVI_ROWS_MAX * FVI_VECTORS_MAX > 16
    .pairs =
        {
            [FVI_DEPTHWISE_3_1] = FVI_NAME(depthwise_pair_3_1),
            [FVI_DEPTHWISE_3_2] = FVI_NAME(depthwise_pair_3_2),
            [FVI_DEPTHWISE_5_1] = FVI_NAME(depthwise_pair_5_1),
            [FVI_DEPTHWISE_5_2] = FVI_NAME(depthwise_pair_5_2),
        },
    .quads = {FVI_NAME(depthwise_quads_0), FVI_NAME(depthwise_quads_1)},
    .pair_edge = {NULL, FVI_NAME(depthwise_edge_1), FVI_NAME(depthwise_edge_2),
                  FVI_NAME(depthwise_edge_3), FVI_NAME(depthwise_edge_4)},
#endif
    .sums = {FVI_DEPTHWISE_EACH_SUM(FVI_DEPTHWISE_SUM_ENTRY)},
    .spread_sums = {FVI_DEPTHWISE_EACH_SUM(FVI_DEPTHWISE_SPREAD_ENTRY)},
    .strips = {{FVI_NAME(depthwise_strip_1_2_1), FVI_NAME(depthwise_strip_1_3_1)},
               {FVI_NAME(depthwise_strip_1_2_2), FVI_NAME(depthwise_strip_1_3_2)}},
#if FVI_DEPTHWISE_SLIDES
    .strip_pair = FVI_NAME(depthwise_strip_2_3_1),
    .along = {FVI_NAME(depthwise_along_1_2), FVI_NAME(depthwise_along_1_3)},
    .along_pair = FVI_NAME(depthwise_along_2_3),
#endif
    .group_outs = FVI_GROUP_OUTS,
    .spread = FVI_NAME(group_spread),
    .groups = {FVI_NAME(group_list)[0], FVI_NAME(group_list)[1]},
    .group_sums = FVI_NAME(group_sums_all),
    .group_each = FVI_GROUP_EACH,
};
