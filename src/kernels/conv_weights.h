/* SPDX-License-Identifier: MIT */
/* The weight gradient's decisions, which conv_weights_plan.c takes and conv_weights.c follows. */
#ifndef FVI_CONV_WEIGHTS_H
#define FVI_CONV_WEIGHTS_H

#include "kernels/conv_internal.h"

#define FVI_WEIGHTS_BLOCK 256         /* pixels of a block, at most */
#define FVI_WEIGHTS_TILES (64 * 1024) /* floats of tiles that are copied together */
#define FVI_WEIGHTS_SPREAD 128        /* inputs of kernel rows that are taken together */
#define FVI_WEIGHTS_PADDED 12288      /* floats of input rows that are copied with their padding */

/* A weight gradient with all decisions taken. */
typedef struct fvi_weights_plan {
    const fvi_conv_shape *s;
    const fvi_tile_table *tiles;
    float *dw, *db;
    float *copies, *near; /* other shards' dw and db; tasks' copies of tiles and panels */
    const float *x, *dy;
    bool is_merged;     /* the taps of a kernel row are one tap of KW * C inputs */
    bool has_band;      /* and read rows that are copied with their padding, */
    ptrdiff_t band_row; /* of so many floats */
    ptrdiff_t line;     /* inputs that lie together: C or KW * C */
    ptrdiff_t inputs;   /* rows of dw that one tap makes: a line, or the lines of all kernel rows */
    ptrdiff_t taps_h, taps_w; /* KH or 1, KW or 1 */
    ptrdiff_t
        kernel_row; /* floats from what a kernel row reads to what the next one reads; merged */
    bool is_spread; /* taps_h is 1 instead of KH */
    bool is_paired; /* a line is even, and so are all tiles but the last */
    ptrdiff_t spread[FVI_WEIGHTS_SPREAD]; /* [inputs]: their places, if they are spread */
    ptrdiff_t tile_count, width, panels;  /* tiles of inputs, columns of a panel */
    ptrdiff_t tall;                       /* rows of a tile, at most */
    ptrdiff_t tile_least, tiles_more;     /* at least, and how many have one more; paired: pairs */
    ptrdiff_t step;                       /* floats from pixel to pixel of a copied panel */
    bool is_copied;                       /* tiles are, too */
    bool copies_late; /* the first sums that read a panel copy it, which takes no time of its own */
    ptrdiff_t pixels, block, blocks; /* block: pixels of one, at most */
    ptrdiff_t parts; /* blocks that one row of pixels is cut into; 1: blocks are whole rows */
    ptrdiff_t shards, tile_groups, panel_groups;
    ptrdiff_t near_dy, near_x; /* floats of a task's copies */
} fvi_weights_plan;

/* All but the arrays. */
fvi_weights_plan fvi_weights_plan_of(const fvi_tile_table *tiles, const fvi_conv_shape *s,
                                     int threads);

#endif
