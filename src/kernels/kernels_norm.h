/* SPDX-License-Identifier: MIT */
/* Template of batch normalisation's loops over rows of channels, included once by each
   kernels_<isa>.c after kernels_curves.h. */

/* Rows of few channels are taken several at a time, as one wide row whose coefficients repeat: so
   vectors are full and sums do not wait for each other, whatever the number of channels. How many
   depends on that number alone, and so does the order of every sum: the same bits in every table.
   Sums are float inside a chunk of rows and double over chunks. */

#define FVI_WIDE 64        /* floats of a wide row at most; channels of a block of sums */
#define FVI_CHUNK_ROWS 128 /* rows summed in float before double takes over; they stay in cache */
#define FVI_GROUP 4        /* vectors of a row that are worked on together */

/* Calls group(..., first column, vectors, floats of the last of them) until all columns are done. */
#define FVI_GROUPS(width, group, ...)                                                              \
    do {                                                                                           \
        size_t at_ = 0;                                                                            \
        for (; at_ + FVI_GROUP * FVI_LANES <= (width); at_ += FVI_GROUP * FVI_LANES)               \
            FVI_NAME(group)(__VA_ARGS__, at_, FVI_GROUP, FVI_LANES);                               \
        for (; at_ + FVI_LANES <= (width); at_ += FVI_LANES)                                       \
            FVI_NAME(group)(__VA_ARGS__, at_, 1, FVI_LANES);                                       \
        if (at_ < (width)) FVI_NAME(group)(__VA_ARGS__, at_, 1, (width)-at_);                      \
    } while (0)

/* C channels repeated in wide rows of `width` floats; `rest` floats are left behind the last. */
typedef struct FVI_NAME(wide) {
    size_t C, width, rows, rest;
} FVI_NAME(wide);

static FVI_NAME(wide) FVI_NAME(wide_rows)(size_t rows, int C)
{
    const size_t channels = (size_t)C, times = channels < FVI_WIDE ? FVI_WIDE / channels : 1;
    return (FVI_NAME(wide)){channels, times * channels, rows / times, rows % times * channels};
}

/* The coefficients of a wide row: repeated in room, or as they are. NULL stays NULL. */
static const float *FVI_NAME(wide_repeat)(const FVI_NAME(wide) * w, float room[FVI_WIDE],
                                          const float *from)
{
    if (!from || w->width == w->C) return from;
    for (size_t i = 0; i < w->width; i += w->C)
        memcpy(room + i, from, w->C * sizeof *room);
    return room;
}

/* ---- maps ---- */

/* What a map reads and writes, where it is now; coefficients as wide rows have them. */
typedef struct FVI_NAME(norm_map) {
    float *to;
    const float *x, *dy, *scale, *offset;
    const float *a, *b, *c;
} FVI_NAME(norm_map);

FVI_INLINE void FVI_NAME(affine_group)(const FVI_NAME(norm_map) * m, size_t rows, size_t step,
                                       const bool is_clipped, size_t at, const int vectors,
                                       size_t left)
{
    FVI_VECTOR scale[FVI_GROUP], offset[FVI_GROUP];
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v) {
        scale[v] = FVI_NAME(load_part)(m->scale + at + v * FVI_LANES, left);
        offset[v] = FVI_NAME(load_part)(m->offset + at + v * FVI_LANES, left);
    }
    float *y = m->to + at;
    const float *x = m->x + at;
    for (size_t r = 0; r < rows; ++r, x += step, y += step) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v) {
            FVI_VECTOR part = FVI_NAME(load_part)(x + v * FVI_LANES, left) * scale[v] + offset[v];
            if (is_clipped) part = FVI_NAME(clip)(part);
            FVI_NAME(store_part)(y + v * FVI_LANES, part, left);
        }
    }
}

FVI_INLINE void FVI_NAME(affine_rows)(const FVI_NAME(wide) * w, FVI_NAME(norm_map) m,
                                      const bool is_clipped)
{
    for (size_t left = w->rows; left > 0;) {
        const size_t rows = left < FVI_CHUNK_ROWS ? left : FVI_CHUNK_ROWS;
        FVI_GROUPS(w->width, affine_group, &m, rows, w->width, is_clipped);
        left -= rows;
        m.x += rows * w->width;
        m.to += rows * w->width;
    }
    FVI_GROUPS(w->rest, affine_group, &m, 1, 0, is_clipped);
}

static void FVI_NAME(channel_affine)(size_t rows, int C, float *y, const float *x,
                                     const float *scale, const float *offset, bool is_clipped)
{
    _Alignas(64) float room[2][FVI_WIDE];
    const FVI_NAME(wide) w = FVI_NAME(wide_rows)(rows, C);
    const FVI_NAME(norm_map) m = {.to = y,
                                  .x = x,
                                  .scale = FVI_NAME(wide_repeat)(&w, room[0], scale),
                                  .offset = FVI_NAME(wide_repeat)(&w, room[1], offset)};
    if (is_clipped)
        FVI_NAME(affine_rows)(&w, m, true);
    else
        FVI_NAME(affine_rows)(&w, m, false);
}

/* dy where x * scale + offset, computed as above, is above 0; scale NULL: everywhere. */
FVI_INLINE FVI_VECTOR FVI_NAME(open_part)(FVI_VECTOR dy, FVI_VECTOR x, FVI_VECTOR scale,
                                          FVI_VECTOR offset)
{
    return (FVI_VECTOR)((FVI_BITS)(x * scale + offset > (FVI_VECTOR){0}) & (FVI_BITS)dy);
}

FVI_INLINE void FVI_NAME(gradient_group)(const FVI_NAME(norm_map) * m, size_t rows, size_t step,
                                         const bool is_clipped, const bool is_added, size_t at,
                                         const int vectors, size_t left)
{
    FVI_VECTOR scale[FVI_GROUP], offset[FVI_GROUP], a[FVI_GROUP], b[FVI_GROUP], c[FVI_GROUP];
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v) {
        const size_t i = at + (size_t)v * FVI_LANES;
        scale[v] = is_clipped ? FVI_NAME(load_part)(m->scale + i, left) : (FVI_VECTOR){0};
        offset[v] = is_clipped ? FVI_NAME(load_part)(m->offset + i, left) : (FVI_VECTOR){0};
        a[v] = FVI_NAME(load_part)(m->a + i, left);
        b[v] = FVI_NAME(load_part)(m->b + i, left);
        c[v] = FVI_NAME(load_part)(m->c + i, left);
    }
    size_t i = at;
    for (size_t r = 0; r < rows; ++r, i += step) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v) {
            float *to = m->to + i + v * FVI_LANES;
            const FVI_VECTOR x = FVI_NAME(load_part)(m->x + i + v * FVI_LANES, left);
            FVI_VECTOR dy = FVI_NAME(load_part)(m->dy + i + v * FVI_LANES, left);
            if (is_clipped) dy = FVI_NAME(open_part)(dy, x, scale[v], offset[v]);
            FVI_VECTOR part = a[v] * dy + b[v] * x + c[v];
            if (is_added) part = FVI_NAME(load_part)(to, left) + part;
            FVI_NAME(store_part)(to, part, left);
        }
    }
}

FVI_INLINE void FVI_NAME(gradient_rows)(const FVI_NAME(wide) * w, FVI_NAME(norm_map) m,
                                        const bool is_clipped, const bool is_added)
{
    for (size_t left = w->rows; left > 0;) {
        const size_t rows = left < FVI_CHUNK_ROWS ? left : FVI_CHUNK_ROWS;
        FVI_GROUPS(w->width, gradient_group, &m, rows, w->width, is_clipped, is_added);
        left -= rows;
        m.x += rows * w->width;
        m.dy += rows * w->width;
        m.to += rows * w->width;
    }
    FVI_GROUPS(w->rest, gradient_group, &m, 1, 0, is_clipped, is_added);
}

static void FVI_NAME(channel_gradient)(size_t rows, int C, float *dx, const float *dy,
                                       const float *x, const float *a, const float *b,
                                       const float *c, const fvi_affine *clip, bool is_added)
{
    _Alignas(64) float room[5][FVI_WIDE];
    const FVI_NAME(wide) w = FVI_NAME(wide_rows)(rows, C);
    const FVI_NAME(norm_map)
        m = {.to = dx,
             .x = x,
             .dy = dy,
             .scale = FVI_NAME(wide_repeat)(&w, room[0], clip ? clip->scale : NULL),
             .offset = FVI_NAME(wide_repeat)(&w, room[1], clip ? clip->offset : NULL),
             .a = FVI_NAME(wide_repeat)(&w, room[2], a),
             .b = FVI_NAME(wide_repeat)(&w, room[3], b),
             .c = FVI_NAME(wide_repeat)(&w, room[4], c)};
    if (clip && is_added)
        FVI_NAME(gradient_rows)(&w, m, true, true);
    else if (clip)
        FVI_NAME(gradient_rows)(&w, m, true, false);
    else if (is_added)
        FVI_NAME(gradient_rows)(&w, m, false, true);
    else
        FVI_NAME(gradient_rows)(&w, m, false, false);
}

/* ---- sums ---- */

/* What is summed of each channel: x - shift and its square, or (dy not NULL) dy and dy * (x -
   shift), dy being open as above. */
typedef struct FVI_NAME(norm_sums) {
    const float *x, *dy, *shift, *scale, *offset;
} FVI_NAME(norm_sums);

/* Rows of one chunk: their sums, in the columns of sums and products. */
FVI_INLINE void FVI_NAME(sum_group)(const FVI_NAME(norm_sums) * s, size_t rows, size_t step,
                                    float *sums, float *products, const bool is_back,
                                    const bool is_clipped, size_t at, const int vectors,
                                    size_t left)
{
    FVI_VECTOR sum[FVI_GROUP], product[FVI_GROUP], shift[FVI_GROUP], scale[FVI_GROUP];
    FVI_VECTOR offset[FVI_GROUP];
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v) {
        const size_t i = at + (size_t)v * FVI_LANES;
        sum[v] = product[v] = (FVI_VECTOR){0};
        shift[v] = FVI_NAME(load_part)(s->shift + i, left);
        scale[v] = is_clipped ? FVI_NAME(load_part)(s->scale + i, left) : (FVI_VECTOR){0};
        offset[v] = is_clipped ? FVI_NAME(load_part)(s->offset + i, left) : (FVI_VECTOR){0};
    }
    size_t i = at;
    for (size_t r = 0; r < rows; ++r, i += step) {
        FVI_UNROLL
        for (int v = 0; v < vectors; ++v) {
            const FVI_VECTOR x = FVI_NAME(load_part)(s->x + i + v * FVI_LANES, left);
            const FVI_VECTOR d = x - shift[v];
            FVI_VECTOR top = is_back ? FVI_NAME(load_part)(s->dy + i + v * FVI_LANES, left) : d;
            if (is_clipped) top = FVI_NAME(open_part)(top, x, scale[v], offset[v]);
            sum[v] += top;
            product[v] += top * d;
        }
    }
    FVI_UNROLL
    for (int v = 0; v < vectors; ++v) {
        FVI_NAME(store_part)(sums + at + v * FVI_LANES, sum[v], left);
        FVI_NAME(store_part)(products + at + v * FVI_LANES, product[v], left);
    }
}

/* Columns [at, at + width) of all wide rows, s being there; width <= FVI_WIDE. */
FVI_INLINE void FVI_NAME(sum_block)(const FVI_NAME(wide) * w, FVI_NAME(norm_sums) s, size_t at,
                                    size_t width, double *sum, double *product, const bool is_back,
                                    const bool is_clipped)
{
    double all[FVI_WIDE] = {0}, all_products[FVI_WIDE] = {0};
    for (size_t left = w->rows; left > 0;) {
        const size_t rows = left < FVI_CHUNK_ROWS ? left : FVI_CHUNK_ROWS;
        _Alignas(64) float sums[FVI_WIDE], products[FVI_WIDE];
        FVI_GROUPS(width, sum_group, &s, rows, w->width, sums, products, is_back, is_clipped);
        for (size_t i = 0; i < width; ++i) {
            all[i] += (double)sums[i];
            all_products[i] += (double)products[i];
        }
        left -= rows;
        s.x += rows * w->width;
        if (is_back) s.dy += rows * w->width;
    }
    for (size_t i = 0, c = at; i < width; ++i, ++c) {
        if (c == w->C) c = 0;
        sum[c] += all[i];
        product[c] += all_products[i];
    }
}

FVI_INLINE void FVI_NAME(sum_rows)(const FVI_NAME(wide) * w, const FVI_NAME(norm_sums) * s,
                                   double *sum, double *product, const bool is_back,
                                   const bool is_clipped)
{
    for (size_t c = 0; c < w->C; ++c)
        sum[c] = product[c] = 0;
    for (size_t at = 0; at < w->width; at += FVI_WIDE) {
        const size_t left = w->width - at, width = left < FVI_WIDE ? left : FVI_WIDE;
        const FVI_NAME(norm_sums) block = {.x = s->x + at,
                                           .dy = is_back ? s->dy + at : NULL,
                                           .shift = s->shift + at,
                                           .scale = is_clipped ? s->scale + at : NULL,
                                           .offset = is_clipped ? s->offset + at : NULL};
        FVI_NAME(sum_block)(w, block, at, width, sum, product, is_back, is_clipped);
    }
    const size_t end = w->rows * w->width;
    for (size_t i = 0, c = 0; i < w->rest; ++i, ++c) {
        if (c == w->C) c = 0;
        const float x = s->x[end + i], d = x - s->shift[i];
        const bool is_open = !is_clipped || x * s->scale[i] + s->offset[i] > 0;
        const float top = !is_back ? d : is_open ? s->dy[end + i] : 0;
        sum[c] += (double)top;
        product[c] += (double)(top * d);
    }
}

static void FVI_NAME(channel_sums)(size_t rows, int C, double *sum, double *sum_sq, const float *x,
                                   const float *shift)
{
    _Alignas(64) float room[FVI_WIDE];
    const FVI_NAME(wide) w = FVI_NAME(wide_rows)(rows, C);
    const FVI_NAME(norm_sums) s = {.x = x, .shift = FVI_NAME(wide_repeat)(&w, room, shift)};
    FVI_NAME(sum_rows)(&w, &s, sum, sum_sq, false, false);
}

static void FVI_NAME(channel_gradient_sums)(size_t rows, int C, double *sum_dy, double *sum_dy_xhat,
                                            const float *dy, const float *x, const float *mean,
                                            const float *inv_std, const fvi_affine *clip)
{
    _Alignas(64) float room[3][FVI_WIDE];
    const FVI_NAME(wide) w = FVI_NAME(wide_rows)(rows, C);
    const FVI_NAME(norm_sums)
        s = {.x = x,
             .dy = dy,
             .shift = FVI_NAME(wide_repeat)(&w, room[0], mean),
             .scale = FVI_NAME(wide_repeat)(&w, room[1], clip ? clip->scale : NULL),
             .offset = FVI_NAME(wide_repeat)(&w, room[2], clip ? clip->offset : NULL)};
    if (clip)
        FVI_NAME(sum_rows)(&w, &s, sum_dy, sum_dy_xhat, true, true);
    else
        FVI_NAME(sum_rows)(&w, &s, sum_dy, sum_dy_xhat, true, false);
    for (size_t c = 0; rows > 0 && c < w.C; ++c) /* of no rows there is no deviation */
        sum_dy_xhat[c] *= (double)inv_std[c];
}
