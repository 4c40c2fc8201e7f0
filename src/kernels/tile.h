/* SPDX-License-Identifier: MIT */
/* The tile kernel's calls: a small tile of sums lives in registers, these structs say what it reads
   and writes. */
#ifndef FVI_TILE_H
#define FVI_TILE_H

#include "kernels/kernels.h"

#define FVI_TILE_ROWS_MAX 20 /* no instruction set has a taller tile */
#define FVI_TILE_CALL_MAX 8  /* nor makes more of them in a call */

/* Rows mode: out[m][j] = start + sum over t, i of row m[shift[t] + i] * panel[(panel_row[t] + i) *
   panel_step + j], t outside, i inside: one chain an element. Forward, input gradient, dense. Row m
   is rows[m]; or where rows come in pairs, row 2m is rows[2m] and row 2m + 1 lies pair_step floats
   behind it, which halves the addresses that are kept in registers. Several tiles
   follow each other in rows and out: a short sum takes less time than a call. */
typedef struct fvi_tile_rows {
    const float *const *rows;
    size_t tiles; /* of this call, up to tiles_most; of lines of two vectors: one */
    ptrdiff_t pair_step;
    const ptrdiff_t *shift;  /* [taps] */
    const size_t *panel_row; /* [taps]: where the tap begins in the panel */
    size_t taps, depth;      /* depth: floats of each tap */
    const float *panel;      /* its first column; whole vectors can be read */
    size_t panel_step;
    float *const *out; /* [MR] of each tile */
    size_t out_at;     /* added to each out[m] */
    /* Lines mode: the tile is a line of pixels pair_step floats apart, or two of as many, of which
       rows and out have the first pixel; taps come in groups[2] groups of three, groups[1] of two,
       groups[0] of one, shift and panel_row being of the first tap of each. Pixel m reads in the next
       tap of a group, tap_step floats further in the panel, what pixel m + 1 reads in this one. */
    size_t groups[3], tap_step;
    ptrdiff_t out_step; /* from pixel to pixel of a line */
    const float *start; /* columns floats to start from; NULL: zero */
    int columns;        /* columns that are written */
    /* what will be read next: each step of each tap fetches one line into the cache, ahead_step
       bytes behind the one before */
    const char *ahead;
    ptrdiff_t ahead_step;
    bool is_far;   /* out is beyond the cache: its lines are fetched while their sums are made */
    bool is_added; /* start from what out holds */
    /* At the end, in this order; residual and mask: NULL, or arrays that lie as the one at base, into
       which out points. */
    const float *residual, *base; /* added */
    bool is_clipped;              /* what is below 0 is 0 */
    float most;                   /* what is above it is it; 0: no limit */
    const float *mask;            /* where it is not above 0, a sum is 0 */
    /* what will be written next: of long taps, steps fetch lines of it as well */
    const char *out_ahead;
    ptrdiff_t out_ahead_step;
} fvi_tile_rows;

/* A run of pixels whose operands lie at constant steps. */
typedef struct fvi_tile_run {
    const float *a;
    size_t a_step;
    size_t first, count; /* pixels [first, first + count) of the block that b points to */
} fvi_tile_run;

/* Runs mode: out[m*out_step + j] += or = sum over runs, pixels of a[m] * b[j]. Weight gradient. */
typedef struct fvi_tile_runs {
    const fvi_tile_run *run;
    size_t runs;
    ptrdiff_t a_at; /* added to each run's a */
    /* where the rows are no neighbours: [MR], a[spread[m]] instead of a[m]; in pairs, row 2m + 1 is
       the neighbour of row 2m all the same */
    const ptrdiff_t *spread;
    const float *b; /* first column of pixel 0; whole vectors can be read */
    size_t b_step;
    float *out;
    size_t out_step;
    int columns;
    bool is_added;
    const char *ahead; /* as in fvi_tile_rows, a step for each pixel */
    ptrdiff_t ahead_step;
    float *copy; /* of the kernels that copy: all of b, pixels side by side */
} fvi_tile_runs;

typedef void fvi_tile_rows_fn(const fvi_tile_rows *call);
typedef void fvi_tile_runs_fn(const fvi_tile_runs *call);
/* out[j] += or = sum of b[i * step + j] over count pixels i. Bias gradient. */
typedef void fvi_tile_sums_fn(const float *b, size_t step, size_t count, float *out, int columns,
                              bool is_added);
/* out[m * out_step ...] += sum over high x wide windows of dy times the vector m rows below the
   element of x that the window's place says; total += sum of dy. Windows that pass nothing back have
   a place of which all bits are set. Weight gradient behind a max pooling. */
typedef struct fvi_tile_windows {
    ptrdiff_t high, wide;
    const float *dy;
    const void *places;        /* as far apart as what is of dy */
    ptrdiff_t dy_row, dy_step; /* from a window to the one below, beside */
    const float *x;            /* of the first window's first element */
    ptrdiff_t x_row, x_step;   /* from a window to the one below, beside */
    ptrdiff_t down, right;     /* from an element of a window to the one below, beside */
    uint32_t KW;               /* elements of a window's row */
    const int32_t *offset;     /* [256], of an element by its place, where that is a byte */
    ptrdiff_t row_step;
    float *out;
    ptrdiff_t out_step;
    float *total;
} fvi_tile_windows;

typedef void fvi_tile_windows_fn(const fvi_tile_windows *call);
#define FVI_WINDOW_ROWS 5 /* of one call, at most */

/* out[i * out_step] = start + sum over d < depth of x[i * x_step + d] * w[d], for each row i;
   clipped: not below 0. */
typedef struct fvi_tile_dots {
    const float *x;
    ptrdiff_t x_step, rows;
    const float *w;
    size_t depth;
    float *out;
    ptrdiff_t out_step;
    float start;
    bool is_clipped;
} fvi_tile_dots;

typedef void fvi_tile_dots_fn(const fvi_tile_dots *call);

/* Weights into panels of `width` columns, a multiple of lanes, zeros behind the last:
   to[d * width + c] = from[d * step + c] for c < columns, or from[c * depth + d] for c < rows. */
typedef void fvi_tile_copy_fn(float *to, ptrdiff_t width, const float *from, ptrdiff_t step,
                              ptrdiff_t depth, ptrdiff_t columns);
/* Into any width, the columns of one tile; what lies behind them may be anything. */
typedef void fvi_tile_narrow_fn(float *to, ptrdiff_t width, const float *from, ptrdiff_t step,
                                ptrdiff_t depth, ptrdiff_t columns);
typedef void fvi_tile_transpose_fn(float *to, ptrdiff_t width, const float *from, ptrdiff_t depth,
                                   ptrdiff_t rows);

/* Planes mode: out[m*out_step + j] = start[m] + sum over steps i of w[i*MR + m] * planes[at[i] + j].
   Forward for few filters, which are the rows; columns are neighbouring pixels. Of a row other than
   the first of a max pooling's windows, out becomes the larger of that and what it is, and place,
   unless NULL, `number` where that is so, else what it was: 0 in the first row. */
typedef struct fvi_tile_planes {
    const float *w, *start;
    const float *planes; /* whole vectors can be read */
    const ptrdiff_t *at; /* [steps] */
    size_t steps;
    float *out;
    ptrdiff_t out_step;
    bool is_pooled, is_second; /* other than the first; and place says nothing yet */
    uint32_t *place;           /* as out */
    uint32_t number;
} fvi_tile_planes;

typedef void fvi_tile_planes_fn(const fvi_tile_planes *call);
/* Pixels to planes and back; see kernels_planes.h. */
typedef void fvi_planes_split_fn(float *to, ptrdiff_t step, const float *from, ptrdiff_t n,
                                 ptrdiff_t C);
/* room: floats from to on that may be written, as long as those behind the n pixels come later */
typedef void fvi_planes_join_fn(float *to, const float *from, ptrdiff_t step, ptrdiff_t n,
                                ptrdiff_t F, bool is_clipped, ptrdiff_t room);
typedef void fvi_planes_join_bytes_fn(unsigned char *to, const uint32_t *from, ptrdiff_t step,
                                      ptrdiff_t n, ptrdiff_t F);

/* Then of `rows` rows of `pitch` floats, an even number of vectors: the largest of every `columns`
   neighbours, a power of two, side by side at the front, and place more by the neighbour's number, or
   all bits set where nothing is to pass back. place NULL: not wanted. */
typedef void fvi_planes_across_fn(float *out, uint32_t *place, ptrdiff_t rows, ptrdiff_t pitch,
                                  uint32_t columns, bool is_clipped);

struct fvi_tile_table {
    int lanes, rows_max,
        vectors_max; /* floats of a vector; the largest tile, in rows and vectors */
    int thin_max;    /* rows of the largest tile of one vector, in pairs; even */
    int tiles_most;  /* of one call of rows, pairs or longs; FVI_TILE_CALL_MAX or less */
    fvi_tile_rows_fn *const *rows; /* [rows_max][vectors_max], both counted from 1 */
    /* [thin_max][vectors_max]; beyond rows_max of one vector only */
    fvi_tile_rows_fn *const *pairs;
    fvi_tile_rows_fn *const *longs; /* pairs, of taps of many floats */
    /* [2][thin_max][vectors_max]: lines, their pixels, vectors; NULL: none */
    fvi_tile_rows_fn *const *lines;
    int line_most[2];                      /* pixels of one vector, of two; 0: none, least 4 */
    fvi_tile_runs_fn *const *runs;         /* as pairs */
    fvi_tile_runs_fn *const *copying;      /* runs, of 2 to rows_max */
    fvi_tile_runs_fn *const *spread;       /* as rows */
    fvi_tile_runs_fn *const *spread_pairs; /* as pairs */
    fvi_tile_sums_fn *sums;                /* of up to vectors_max vectors */
    fvi_tile_dots_fn *dots;
    int window_lanes; /* floats of its vectors */
    fvi_tile_windows_fn *const
        *windows; /* [FVI_WINDOW_ROWS][2], rows from 1; places: words, bytes */
    fvi_tile_copy_fn *copy;
    fvi_tile_narrow_fn *narrow;
    fvi_tile_transpose_fn *transpose;
    fvi_tile_planes_fn *const *planes; /* [lanes / 2][2] */
    fvi_planes_split_fn *split;
    fvi_planes_join_fn *join;
    fvi_planes_join_bytes_fn *join_bytes;
    fvi_planes_across_fn *across;
};

#endif
