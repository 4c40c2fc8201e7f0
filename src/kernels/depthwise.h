/* SPDX-License-Identifier: MIT */
/* The depthwise kernel's calls: each channel of the output sees one channel of the input. */
#ifndef FVI_DEPTHWISE_H
#define FVI_DEPTHWISE_H

#include "kernels/kernels.h"

#define FVI_DEPTHWISE_OUTS 6 /* most neighbouring outputs whose sums are made together */
#define FVI_DEPTHWISE_PAIR 4 /* the same of each of two rows */
#define FVI_DEPTHWISE_EDGE 4 /* most taps in a row of an output at an edge */
#define FVI_DEPTHWISE_TAPS 9 /* most taps of a call that sums their gradients */

/* Neighbouring outputs of one row: out[o*out_step + c] = start[c] + sum over the taps of
   source[o*source_step + i*gap_h + j*gap_w + c / spread] * weights[i*weight_h + j*weight_w + c].
   One chain an element: i outside, j inside. Steps are in floats. */
typedef struct fvi_depthwise_rows {
    const float *source, *weights; /* at the first tap */
    ptrdiff_t source_step, gap_h, gap_w, weight_h, weight_w;
    ptrdiff_t taps_h, taps_w;
    float *out;
    ptrdiff_t out_step;
    ptrdiff_t outs, channels;
    ptrdiff_t spread;   /* channels of out for each of the source; above 1: FVI_DEPTHWISE_SPREAD */
    const float *start; /* [channels] or NULL: zero; not when is_added */
    const float *mask;  /* NULL, or lies like out: a sum stays where it is above 0, and is 0
                            elsewhere */
    bool is_added;      /* start from what out holds */
    bool is_clipped;    /* what is below 0 at the end is 0 */
    float most;         /* and what is above it is it; INFINITY: no limit */
    /* of two rows: where the outputs of the one below lie. Of a pair, that one begins at kernel row
       skip <= taps_h of the one above, and has taps and weights of its own. */
    ptrdiff_t out_below, skip, taps_below;
    const float *weights_below;
    /* of a strip: one more output before these misses the first tap of each kernel row, one behind
       them the last; and rows of out that will be written next, contiguous where these outputs of
       all channels are */
    bool has_left, has_right;
    const char *ahead;
    ptrdiff_t ahead_row;
} fvi_depthwise_rows;

/* Gradients of so many taps over a rectangle of outputs: dw[place[t] + c] += sum of
   x[r*x_row + o*x_step + shift[t] + c / spread] * dy[r*dy_row + o*dy_step + c]. */
typedef struct fvi_depthwise_sums {
    const float *x, *dy;
    ptrdiff_t x_row, x_step, dy_row, dy_step;
    ptrdiff_t rows, columns, channels, spread;
    const ptrdiff_t *shift, *place; /* [taps] */
    float *dw;
    float *db; /* += sum of dy; NULL: not wanted */
} fvi_depthwise_sums;

/* The same for a row of outputs under a kernel 3 wide, or for two rows below each other, all taps of
   so many kernel rows: dw[(i*3 + j)*tap + c] += sum of x[(r + i)*x_row + (o*step + j)*x_pixel + c] *
   dy[r*dy_row + o*dy_pixel + c] over rows r and places o from 0 on. One more output before them
   (place -1) misses the first tap of each kernel row, one behind them the last. */
typedef struct fvi_depthwise_strip {
    const float *x, *dy; /* of place 0 */
    ptrdiff_t x_row, x_pixel, dy_row, dy_pixel;
    ptrdiff_t places, channels;
    bool has_left, has_right;
    float *dw;
    ptrdiff_t tap;
    float *db; /* += sum of dy; NULL: not wanted */
    /* what will be read next, contiguous where these places of all channels are: rows of x, of dy */
    const char *x_ahead, *dy_ahead;
    ptrdiff_t x_ahead_row, dy_ahead_row;
} fvi_depthwise_strip;

#define FVI_GROUP_OUTS_MAX 14 /* no instruction set makes more outputs of a group together */
#define FVI_GROUP_ROWS 5      /* most kernel rows */
#define FVI_GROUP_LANES 16    /* most floats of a vector */

/* Groups of size channels and as many filters, which fill a vector side by side (n filters of it are
   there): neighbouring outputs of a row under a kernel 3 wide. rows[i] is a row of the source as
   spread made it, from the place that the first output's first tap meets; where that place or the
   last one is outside of the image, has_left and has_right are false. */
typedef struct fvi_group_rows {
    const float *rows[FVI_GROUP_ROWS];
    ptrdiff_t taps_h, size;
    const float *weights; /* [taps_h][size][3][lanes] */
    float *out;
    ptrdiff_t out_step;
    const float *start; /* [n] or NULL: zero; not when is_added */
    const float *mask;  /* as in fvi_depthwise_rows */
    int n;
    bool has_left, has_right, is_added, is_clipped;
    /* what will be read and written later, so many bytes of both a step of each row's channels */
    const char *x_far, *y_far;
    ptrdiff_t far_step;
} fvi_group_rows;

/* Places [0, places) of rows of the source, n channels each, pixel floats apart, as kernels_groups.h
   wants them. What lies ahead floats behind each place will be read next. */
typedef struct fvi_group_spread {
    float *to;
    const float *from;
    ptrdiff_t rows, from_row, to_row; /* how many, how far apart */
    ptrdiff_t pixel, places, size, ahead;
    int n;
} fvi_group_spread;

/* One kernel row of the weight gradient under a kernel 3 wide, from rows of two outputs and more:
   dw[(c*3 + j)*lanes + lane] += sum of x at place o + j, channel c * dy[r*dy_row + o*dy_pixel + lane] over
   rows r and outputs o. Rows of x lie as they are where one of size channels meets the whole
   vector, else as spread made them for groups of so many, and begin at the place that the first output's
   first tap meets; has_left and has_right as above. */
typedef struct fvi_group_sums {
    const float *x, *dy;
    ptrdiff_t x_row, x_pixel, dy_row, dy_pixel, rows, outs, size;
    float *dw; /* [size][3][lanes] */
    bool has_left, has_right, is_spread;
    /* what will be read next, contiguous: each place fetches the lines so many bytes further */
    const char *x_far, *y_far;
    ptrdiff_t x_step, y_step;
} fvi_group_sums;

typedef void fvi_group_rows_fn(const fvi_group_rows *call);
typedef void fvi_group_spread_fn(const fvi_group_spread *call);
typedef void fvi_group_sums_fn(const fvi_group_sums *call);
typedef void fvi_depthwise_rows_fn(const fvi_depthwise_rows *call);
typedef void fvi_depthwise_sums_fn(const fvi_depthwise_sums *call);
typedef void fvi_depthwise_strip_fn(const fvi_depthwise_strip *call);

/* Where neighbouring outputs share inputs, these are loaded once for a whole kernel row: kernels
   made for so many taps and so many pixels from output to output. */
typedef enum fvi_depthwise_kind {
    FVI_DEPTHWISE_ANY,
    FVI_DEPTHWISE_2_1, /* two taps, step 1 */
    FVI_DEPTHWISE_3_1,
    FVI_DEPTHWISE_3_2,
    FVI_DEPTHWISE_5_1,
    FVI_DEPTHWISE_5_2,
    FVI_DEPTHWISE_SPREAD, /* any, of several channels for each of the source */
    FVI_DEPTHWISE_KINDS
} fvi_depthwise_kind;

struct fvi_depthwise_table {
    int lanes;
    fvi_depthwise_rows_fn *rows[FVI_DEPTHWISE_KINDS];
    /* the same for two rows of outputs that share rows of the source; channels >= lanes, not
       is_added; NULL: there is none. At an edge: of one output each with so many taps in a row. */
    fvi_depthwise_rows_fn *pairs[FVI_DEPTHWISE_KINDS];
    fvi_depthwise_rows_fn *pair_edge[FVI_DEPTHWISE_EDGE + 1];
    /* the input gradient of a kernel 3 by 3 and stride 2: output 2*o meets sources o and o + 1 of the
       row that source is at and of the one above it, output 2*o + 1 only source o + 1, and those
       below them only the first of these rows. weights is at tap (2, 2), weight_h and weight_w lead
       to (0, 0). Quad o is these four outputs; has_left: one at -1 has no source o. Without the row
       above: [0]. Otherwise as pairs. */
    fvi_depthwise_rows_fn *quads[2];
    /* strips: a row of outputs, or two below each other, of a kernel 3 wide with gap and step 1;
       channels >= lanes, not is_added; NULL: there is none. */
    fvi_depthwise_rows_fn *along[2]; /* [kernel rows - 2] */
    fvi_depthwise_rows_fn *along_pair;
    fvi_depthwise_sums_fn *sums[FVI_DEPTHWISE_TAPS + 1];        /* of so many taps, spread 1 */
    fvi_depthwise_sums_fn *spread_sums[FVI_DEPTHWISE_TAPS + 1]; /* spread above 1 */
    fvi_depthwise_strip_fn *strips[2][2]; /* [step - 1][kernel rows - 2], one row of outputs */
    fvi_depthwise_strip_fn *strip_pair;   /* two, of three kernel rows and step 1, or NULL */
    ptrdiff_t group_outs;
    fvi_group_spread_fn *spread;
    fvi_group_rows_fn *const *groups[2]; /* [size < lanes][outs - 1] */
    fvi_group_sums_fn *group_sums;
    ptrdiff_t group_each; /* channels of a group that it takes at once, where there are as many */
};

/* ---- conv_depthwise.c ---- */

/* The taps that stay inside, of a place whose first reads source index at. */
typedef struct fvi_depthwise_reach {
    ptrdiff_t first, count;
} fvi_depthwise_reach;

static inline fvi_depthwise_reach fvi_depthwise_clip(ptrdiff_t at, ptrdiff_t size, ptrdiff_t gap,
                                                     ptrdiff_t taps)
{
    const ptrdiff_t before = at < 0 ? -at : 0, within = size - at; /* indices */
    if (gap == 1) { /* the usual one, without the divisions */
        const ptrdiff_t end = within < taps ? within : taps;
        return (fvi_depthwise_reach){before, end > before ? end - before : 0};
    }
    const ptrdiff_t first = (before + gap - 1) / gap,
                    last = within > 0 ? (within - 1) / gap + 1 : 0;
    const ptrdiff_t end = last < taps ? last : taps;
    return (fvi_depthwise_reach){first, end > first ? end - first : 0};
}
/* Pieces of a row, or of two, narrow enough that what several kernel rows read stays in the nearest
   cache. */
ptrdiff_t fvi_depthwise_pieces(ptrdiff_t places, ptrdiff_t floats);

#endif
