/* SPDX-License-Identifier: MIT */
/* The tile kernel's calls: a small tile of sums lives in registers, these structs say what it reads
   and writes. */
#ifndef FVI_TILE_H
#define FVI_TILE_H

#include "kernels/kernels.h"

#define FVI_TILE_ROWS_MAX 16 /* no instruction set has a taller tile */

/* Rows mode: out[m][j] = start + sum over t, i of rows[t*rows_step + m][shift[t] + i] *
   panel[tap[t]*tap_step + i*panel_step + j]. One chain an element: t outside, i inside. Forward, input gradient, dense. */
typedef struct fvi_tile_rows {
    /* where row m of the tile reads tap t, depth floats each: rows_step is MR, and the shifts are 0,
       or 0, and the rows of all taps lie alike */
    const float *const *rows;
    size_t rows_step;
    const ptrdiff_t *shift; /* [taps] */
    const size_t *tap;      /* [taps]: the tap's place in the panel */
    size_t taps, depth;
    const float *panel; /* its first column; whole vectors can be read */
    size_t tap_step, panel_step;
    float *const *out;  /* [MR] */
    size_t out_at;      /* added to each out[m] */
    const float *start; /* columns floats to start from; NULL: zero */
    int columns;        /* columns that are written */
    bool is_added;      /* start from what out holds */
    bool is_clipped;    /* what is below 0 at the end is 0 */
    /* NULL, or an array that lies as the one at mask_base, into which out points: a sum stays where
       the mask is above 0, and is 0 elsewhere */
    const float *mask, *mask_base;
} fvi_tile_rows;

/* A run of pixels whose operands lie at constant steps. */
typedef struct fvi_tile_run {
    const float *a;
    size_t a_step;
    size_t first, count; /* pixels [first, first + count) of the block that b points to */
} fvi_tile_run;

/* Runs mode: out[m*out_step + j] += or = sum over runs, pixels of a[m] * b[j]. Weight gradient,
   bias gradient. */
typedef struct fvi_tile_runs {
    const fvi_tile_run *run;
    size_t runs;
    size_t a_at;    /* added to each run's a */
    const float *b; /* first column of pixel 0; whole vectors can be read */
    size_t b_step;
    float *out;
    size_t out_step;
    int columns;
    bool is_added;
} fvi_tile_runs;

typedef void fvi_tile_rows_fn(const fvi_tile_rows *call);
typedef void fvi_tile_runs_fn(const fvi_tile_runs *call);

struct fvi_tile_table {
    int lanes, rows_max,
        vectors_max; /* floats of a vector; the largest tile, in rows and in vectors */
    fvi_tile_rows_fn *const *rows; /* [rows_max][vectors_max], both counted from 1 */
    fvi_tile_runs_fn *const *runs; /* likewise */
};

#endif
