/* SPDX-License-Identifier: MIT */
/* Template of copies of weights into panels, included once by each kernels_<isa>.c after
   kernels_tile.h. */

/* FVI_SQUARE rows of as many floats, `step` apart, become columns: to[d * width + c] =
   from[c * step + d]. */
#ifndef FVI_SQUARE
#define FVI_SQUARE 4
#define FVI_TURN(to, width, from, step) FVI_NAME(turn)((to), (width), (from), (step))
typedef float FVI_NAME(quad) __attribute__((vector_size(16)));
typedef float FVI_NAME(quad_memory) __attribute__((vector_size(16), aligned(4), may_alias));

FVI_INLINE void FVI_NAME(turn)(float *to, ptrdiff_t width, const float *from, ptrdiff_t step)
{
    FVI_NAME(quad) row[4];
    for (int c = 0; c < 4; ++c)
        row[c] = *(const FVI_NAME(quad_memory) *)(from + c * step);
    const FVI_NAME(quad) low = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    const FVI_NAME(quad) low_2 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    const FVI_NAME(quad) high = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    const FVI_NAME(quad) high_2 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    row[0] = __builtin_shufflevector(low, low_2, 0, 1, 4, 5);
    row[1] = __builtin_shufflevector(low, low_2, 2, 3, 6, 7);
    row[2] = __builtin_shufflevector(high, high_2, 0, 1, 4, 5);
    row[3] = __builtin_shufflevector(high, high_2, 2, 3, 6, 7);
    for (int d = 0; d < 4; ++d)
        *(FVI_NAME(quad_memory) *)(to + d * width) = row[d];
}
#endif

/* A square of which only `rows` and `depth` are there. */
static void FVI_NAME(turn_part)(float *to, ptrdiff_t width, const float *from, ptrdiff_t step,
                                ptrdiff_t rows, ptrdiff_t depth)
{
    for (ptrdiff_t d = 0; d < depth; ++d, to += width, ++from) {
        ptrdiff_t c = 0;
        for (; c < rows; ++c)
            to[c] = from[c * step];
        for (; c < FVI_SQUARE; ++c)
            to[c] = 0;
    }
}

/* FVI_SQUARE rows, of which only some are there, become columns. Where a line's last square is not
   whole, one that ends with the line is turned, partly anew. */
FVI_INLINE void FVI_NAME(turn_rows)(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth,
                                    ptrdiff_t d, ptrdiff_t end, ptrdiff_t rows)
{
    if (rows < FVI_SQUARE || depth < FVI_SQUARE) {
        for (; d < end; d += FVI_SQUARE)
            FVI_NAME(turn_part)
        (to + d * width, width, from + d, depth, rows, end - d < FVI_SQUARE ? end - d : FVI_SQUARE);
        return;
    }
    for (; d < end; d += FVI_SQUARE) {
        const ptrdiff_t at = d + FVI_SQUARE <= depth ? d : depth - FVI_SQUARE;
        FVI_TURN(to + at * width, width, from + at, depth);
    }
}

/* to[d * width + c] = from[c * depth + d] for c < rows, and 0 for rows <= c < width, a multiple of
   FVI_SQUARE. Whole cache lines are read at a time, since rows that lie a power of two apart drive
   each other out of the cache. */
static void FVI_NAME(transpose)(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth,
                                ptrdiff_t rows)
{
    for (ptrdiff_t d = 0; d < depth; d += 16) {
        const ptrdiff_t end = d + 16 < depth ? d + 16 : depth;
        for (ptrdiff_t c = 0; c < width; c += FVI_SQUARE) {
            const ptrdiff_t left = rows - c, some = left < FVI_SQUARE ? left : FVI_SQUARE;
            FVI_NAME(turn_rows)
            (to + c, width, left > 0 ? from + c * depth : from, depth, d, end, some > 0 ? some : 0);
        }
    }
}

#define FVI_COPY_AHEAD 16 /* rows that are fetched ahead: those of large weights are pages apart */

/* to[d * width + c] = from[d * step + c] for c < columns, and 0 for columns <= c < width, a multiple
   of FVI_LANES. */
static void FVI_NAME(copy)(float *to, ptrdiff_t width, const float *from, ptrdiff_t step,
                           ptrdiff_t depth, ptrdiff_t columns)
{
    const ptrdiff_t whole = columns - columns % FVI_LANES;
    const int rest = (int)(columns - whole);
    for (ptrdiff_t d = 0; d < depth; ++d, to += width, from += step) {
        ptrdiff_t c = 0;
        for (; c < columns; c += FVI_CACHE_LINE)
            FVI_PREFETCH(from + FVI_COPY_AHEAD * step + c);
        c = 0;
        for (; c < whole; c += FVI_LANES)
            FVI_STORE(to + c, FVI_LOAD(from + c));
        if (rest) FVI_STORE(to + c, FVI_LOAD_FIRST(from + c, rest));
        for (c += rest ? FVI_LANES : 0; c < width; c += FVI_LANES)
            FVI_STORE(to + c, (FVI_VECTOR){0});
    }
}

/* to[d * width + c] = from[d * step + c] for c < columns. Where rows of `to` are one vector or whole
   vectors, these are stored whole: what is too much is the place of rows that come later. */
static void FVI_NAME(narrow)(float *to, ptrdiff_t width, const float *from, ptrdiff_t step,
                             ptrdiff_t depth, ptrdiff_t columns)
{
    for (ptrdiff_t c = 0; c < columns; c += FVI_LANES) {
        const int left = columns - c < FVI_LANES ? (int)(columns - c) : FVI_LANES;
        const bool is_whole = step >= FVI_LANES && (width <= FVI_LANES || left == FVI_LANES);
        const float *a = from + c;
        float *b = to + c;
        ptrdiff_t d = 0;
        const ptrdiff_t short_rows = (c + FVI_LANES - 1) / width; /* too near to the end of `to` */
        for (; is_whole && d + 1 < depth && d < depth - short_rows; ++d, a += step, b += width)
            FVI_STORE(b, FVI_LOAD(a));
        for (; d < depth; ++d, a += step, b += width) {
            FVI_VECTOR v;
            FVI_NAME(tile_load)(&v, a, 1, left);
            FVI_NAME(tile_store)(b, &v, 1, left);
        }
    }
}
