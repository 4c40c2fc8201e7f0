/* SPDX-License-Identifier: MIT */
/* Template of the kernels for groups of few channels under a kernel 3 wide (and the weight gradient of
   convolutions without groups), included by each kernels_<isa>.c before kernels_depthwise_sums.h. No
   include guard: that is the point. */

/* A vector holds the filters of all groups that fit, side by side. What meets them is, for each
   channel of a group, a vector in which that channel of each group fills the group's lanes; inputs
   are spread to such vectors once, for all kernel rows and outputs that read them. Where a group
   fills the vector, its channels are broadcast as they are. An input meets the 3 outputs whose
   windows hold it, so a row of outputs loads little more than it multiplies for one of them. */

#define FVI_GROUP_OUTS (FVI_ROWS_MAX * FVI_VECTORS_MAX > 16 ? 14 : 8)
#define FVI_GROUP_CHANNEL                                                                          \
    ((FVI_GROUP_OUTS + 2) * FVI_LANES) /* floats of a channel that is spread */

#if defined(__x86_64__) /* as FVI_PREFETCH, into the second cache */
#define FVI_PREFETCH_FAR(address) __builtin_prefetch((address), 0, 2)
#else
#define FVI_PREFETCH_FAR(address) (void)(address)
#endif

/* The compiler is to load a vector once, not with each product. */
#if defined(__x86_64__) && defined(__GNUC__)
#define FVI_KEEP_VECTOR(v) __asm__("" : "+v"(v))
#else
#define FVI_KEEP_VECTOR(v) (void)(v)
#endif

/* to[place][channel] where a group fills the vector, to[channel of its group][place][lane] elsewhere. */
FVI_INLINE void FVI_NAME(group_places)(const fvi_group_spread *given, const int size)
{
    const fvi_group_spread call = *given; /* a copy that no store can reach */
    FVI_BITS index;
    for (int lane = 0; lane < FVI_LANES; ++lane)
        index[lane] = (uint32_t)lane & (0 - (uint32_t)size); /* a power of two */
    for (ptrdiff_t r = 0; r < call.rows; ++r) {
        const float *from = call.from + r * call.from_row;
        float *to = call.to + r * call.to_row;
        for (ptrdiff_t p = 0; p < call.places; ++p, from += call.pixel, to += FVI_LANES) {
            FVI_VECTOR v;
            FVI_PREFETCH(from + call.ahead);
            FVI_NAME(tile_load)(&v, from, 1, call.n);
            if (size == FVI_LANES) {
                FVI_STORE(to, v);
                continue;
            }
            FVI_BITS at = index;
            FVI_UNROLL
            for (int c = 0; c < size; ++c, at += 1)
                FVI_STORE(to + c * FVI_GROUP_CHANNEL, FVI_NAME(permute)(v, at));
        }
    }
}

static void FVI_NAME(group_spread)(const fvi_group_spread *call)
{
    if (call->size == FVI_LANES) FVI_NAME(group_places)(call, FVI_LANES);
    if (call->size == FVI_LANES / 2) FVI_NAME(group_places)(call, FVI_LANES / 2);
    if (call->size == FVI_LANES / 4) FVI_NAME(group_places)(call, FVI_LANES / 4);
    if (call->size == FVI_LANES / 8) FVI_NAME(group_places)(call, FVI_LANES / 8);
}

FVI_INLINE FVI_VECTOR FVI_NAME(group_load)(const float *x, const int place, const bool is_spread)
{
    if (is_spread) return FVI_LOAD(x + place * FVI_LANES);
    return FVI_SPLAT(x[place * FVI_LANES]);
}

/* The sums of so many outputs: one chain an element, kernel rows outside, then channels, then the 3
   taps. Output o meets places o, o + 1, o + 2. */
FVI_INLINE void FVI_NAME(group_sums)(const fvi_group_rows *call, FVI_VECTOR *sum, const int outs,
                                     const bool is_spread)
{
    const float *w = call->weights;
    const bool has_left = call->has_left, has_right = call->has_right;
    const char *x_far = call->x_far, *y_far = call->y_far;
    const ptrdiff_t far_step = call->far_step;
    for (ptrdiff_t i = 0; i < call->taps_h; ++i) {
        const float *x = call->rows[i];
        for (ptrdiff_t c = 0; c < call->size; ++c, w += 3 * FVI_LANES) {
            FVI_PREFETCH_FAR(x_far);
            FVI_PREFETCH_FAR(y_far);
            x_far += far_step;
            y_far += far_step;
            const FVI_VECTOR tap[3] = {FVI_LOAD(w), FVI_LOAD(w + FVI_LANES),
                                       FVI_LOAD(w + 2 * FVI_LANES)};
            if (has_left) sum[0] = FVI_FMA(FVI_NAME(group_load)(x, 0, is_spread), tap[0], sum[0]);
            FVI_UNROLL
            for (int p = 1; p <= outs; ++p) {
                FVI_VECTOR v = FVI_NAME(group_load)(x, p, is_spread);
                FVI_KEEP_VECTOR(v);
                FVI_UNROLL
                for (int j = 0; j < 3; ++j) {
                    if (p - j >= 0 && p - j < outs) sum[p - j] = FVI_FMA(v, tap[j], sum[p - j]);
                }
            }
            if (has_right)
                sum[outs - 1] =
                    FVI_FMA(FVI_NAME(group_load)(x, outs + 1, is_spread), tap[2], sum[outs - 1]);
            x += is_spread ? FVI_GROUP_CHANNEL : 1;
        }
    }
}

FVI_INLINE void FVI_NAME(group_tile)(const fvi_group_rows *call, const int outs,
                                     const bool is_spread)
{
    FVI_VECTOR sum[FVI_GROUP_OUTS], start = {0};
    float *out = call->out;
    if (call->start) FVI_NAME(tile_load)(&start, call->start, 1, call->n);
    FVI_UNROLL
    for (int o = 0; o < outs; ++o) {
        sum[o] = start;
        if (call->is_added) FVI_NAME(tile_load)(&sum[o], out + o * call->out_step, 1, call->n);
    }
    FVI_NAME(group_sums)(call, sum, outs, is_spread);
    FVI_UNROLL
    for (int o = 0; o < outs; ++o) {
        FVI_VECTOR y = sum[o], mask;
        if (call->is_clipped) y = FVI_NAME(clip)(y);
        if (call->mask) {
            FVI_NAME(tile_load)(&mask, call->mask + o * call->out_step, 1, call->n);
            y = (FVI_VECTOR)((FVI_BITS)y & (FVI_BITS)(mask > (FVI_VECTOR){0}));
        }
        FVI_NAME(tile_store)(out + o * call->out_step, &y, 1, call->n);
    }
}

#define FVI_GROUP_WRAP(m)                                                                          \
    static void FVI_NAME(group_spread_##m)(const fvi_group_rows *call)                             \
    {                                                                                              \
        FVI_NAME(group_tile)(call, m, true);                                                       \
    }                                                                                              \
    static void FVI_NAME(group_whole_##m)(const fvi_group_rows *call)                              \
    {                                                                                              \
        FVI_NAME(group_tile)(call, m, false);                                                      \
    }
#define FVI_GROUP_SPREAD(m) FVI_NAME(group_spread_##m),
#define FVI_GROUP_WHOLE(m) FVI_NAME(group_whole_##m),
#if FVI_ROWS_MAX * FVI_VECTORS_MAX > 16
#define FVI_EACH_OUTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#define FVI_EACH_OUTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#endif
FVI_EACH_OUTS(FVI_GROUP_WRAP)

static fvi_group_rows_fn *const FVI_NAME(group_list)[2][FVI_GROUP_OUTS] = {
    {FVI_EACH_OUTS(FVI_GROUP_WHOLE)}, {FVI_EACH_OUTS(FVI_GROUP_SPREAD)}};

/* ---- the weight gradient ---- */

/* With registers enough, 8 channels of 3 taps are summed together: each input meets 3 outputs, of
   which a place brings one. */
#define FVI_GROUP_EACH (FVI_ROWS_MAX * FVI_VECTORS_MAX > 16 && FVI_LANES > 4 ? 8 : 4)

/* One place: y[(last + j) % 3] is the output that its tap j meets, for taps [from, to). */
FVI_INLINE void FVI_NAME(group_meet)(FVI_VECTOR (*sum)[3], const float *x, const FVI_VECTOR *y,
                                     const int last, const int channels, const int from,
                                     const int to, const bool is_spread)
{
    FVI_UNROLL
    for (int c = 0; c < channels; ++c) {
        FVI_VECTOR v =
            FVI_NAME(group_load)(x + c * (is_spread ? FVI_GROUP_CHANNEL : 1), 0, is_spread);
        FVI_KEEP_VECTOR(v);
        FVI_UNROLL
        for (int j = from; j < to; ++j)
            sum[c][j] = FVI_FMA(v, y[(last + j) % 3], sum[c][j]);
    }
}

/* Channels [0, channels) of x. */
FVI_INLINE void FVI_NAME(group_gradient)(const fvi_group_sums *call, const float *x, float *dw,
                                         const char *x_far, const char *y_far, const int channels,
                                         const bool is_spread)
{
    const ptrdiff_t x_step = 3 * call->x_step, y_step = 3 * call->y_step,
                    x_pixel = is_spread ? FVI_LANES : call->x_pixel;
    const ptrdiff_t dy_pixel = call->dy_pixel;
    FVI_VECTOR sum[FVI_GROUP_EACH][3];
    FVI_UNROLL
    for (int t = 0; t < channels * 3; ++t)
        sum[t / 3][t % 3] = (FVI_VECTOR){0};
    for (ptrdiff_t r = 0; r < call->rows; ++r) {
        const float *at = x + r * call->x_row, *dy = call->dy + r * call->dy_row;
        FVI_VECTOR y[3] = {FVI_LOAD(dy + dy_pixel), FVI_LOAD(dy)};
        if (call->has_left) FVI_NAME(group_meet)(sum, at, y, 1, channels, 0, 1, is_spread);
        FVI_NAME(group_meet)(sum, at + x_pixel, y, 0, channels, 0, 2, is_spread);
        at += 2 * x_pixel;
        dy += 2 * dy_pixel;
        ptrdiff_t left = call->outs - 2;
        for (; left >= 3; left -= 3) {
            FVI_PREFETCH_FAR(x_far);
            FVI_PREFETCH_FAR(y_far);
            x_far += x_step;
            y_far += y_step;
            FVI_UNROLL
            for (int last = 2; last >= 0; --last, at += x_pixel, dy += dy_pixel) {
                FVI_PREFETCH(at + 3 * x_pixel);
                FVI_PREFETCH(dy + 3 * dy_pixel);
                y[last] = FVI_LOAD(dy);
                FVI_NAME(group_meet)(sum, at, y, last, channels, 0, 3, is_spread);
                FVI_KEEP(at);
                FVI_KEEP(dy);
            }
        }
        for (; left > 0; --left, at += x_pixel, dy += dy_pixel) {
            y[2] = y[1];
            y[1] = y[0];
            y[0] = FVI_LOAD(dy);
            FVI_NAME(group_meet)(sum, at, y, 0, channels, 0, 3, is_spread);
        }
        FVI_NAME(group_meet)(sum, at, y, 2, channels, 1, 3, is_spread);
        if (call->has_right)
            FVI_NAME(group_meet)(sum, at + x_pixel, y, 1, channels, 2, 3, is_spread);
    }
    FVI_UNROLL
    for (int t = 0; t < channels * 3; ++t) {
        float *place = dw + t * FVI_LANES;
        FVI_STORE(place, FVI_LOAD(place) + sum[t / 3][t % 3]);
    }
}

static void FVI_NAME(group_sums_all)(const fvi_group_sums *given)
{
    const fvi_group_sums call = *given; /* a copy that no store can reach */
    const ptrdiff_t size = call.size;
    if (call.is_spread && size == 2) {
        FVI_NAME(group_gradient)(&call, call.x, call.dw, call.x_far, call.y_far, 2, true);
        return;
    }
#if FVI_LANES > 4
    if (call.is_spread && size == 4) {
        FVI_NAME(group_gradient)(&call, call.x, call.dw, call.x_far, call.y_far, 4, true);
        return;
    }
#endif
    const ptrdiff_t places = call.rows * call.outs;
    for (ptrdiff_t c = 0, far = 0; c < size; c += FVI_GROUP_EACH, far += places) {
        float *dw = call.dw + c * 3 * FVI_LANES;
        const char *x_far = call.x_far + far * call.x_step;
        const char *y_far = call.y_far + far * call.y_step;
#if FVI_LANES > 8
        if (call.is_spread) FVI_NAME(group_gradient)
        (&call, call.x + c * FVI_GROUP_CHANNEL, dw, x_far, y_far, FVI_GROUP_EACH, true);
        else
#endif
            FVI_NAME(group_gradient)(&call, call.x + c, dw, x_far, y_far, FVI_GROUP_EACH, false);
    }
}
