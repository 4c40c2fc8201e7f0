/* SPDX-License-Identifier: MIT */
/* Between conv_gather.c, which cuts a gather into regions, and conv_tiles.c, which computes them. */
#ifndef FVI_GATHER_H
#define FVI_GATHER_H

#include "kernels/conv_internal.h"

#define FVI_GATHER_TAPS                                                                            \
    128 /* taps of one table; a larger kernel takes several passes over the tile */
#define FVI_GATHER_PATCH 16384 /* floats of source that are copied, rows or pixels */
#define FVI_GATHER_GAP 16      /* floats between copied pixels */
#define FVI_GATHER_STREAMS 16  /* rows of unpacked weights read side by side */

/* One axis of the output, and how far its indices are apart, in floats. */
typedef struct fvi_gather_side {
    fvi_gather_axis axis;
    ptrdiff_t source; /* from source index to source index */
    ptrdiff_t out;    /* from out index to out index */
} fvi_gather_side;

/* A gather with all decisions taken. They depend on geometry and instruction set only. */
typedef struct fvi_gather_plan {
    const fvi_gather *g;
    const fvi_tile_table *tiles;
    float *packed;
    fvi_gather_side h, w;
    ptrdiff_t width; /* columns of a whole panel */
    ptrdiff_t panels;
    ptrdiff_t last_vectors; /* of the last panel */
    ptrdiff_t direct;       /* panels that are read from the weights, unpacked */
    bool is_thin;           /* few columns of much depth: most of them is read unpacked */
    bool is_merged;         /* the taps of a kernel row are one long tap */
    ptrdiff_t band_w;       /* pixels of a row that is copied with its border */
    ptrdiff_t band_rows;    /* output rows whose source rows are copied together; 0: none is */
    ptrdiff_t band_images;  /* and of how many images */
    ptrdiff_t tall;         /* rows of the largest tile */
    ptrdiff_t tiles_most;   /* that one call makes */
    ptrdiff_t line_most;    /* pixels of the largest tile of lines; 0: none */
    ptrdiff_t image_chunk, row_chunk; /* images of a task, or rows of one image */
    ptrdiff_t tile_groups, task_panels, panel_groups;
    bool is_panel_outside;
    /* a task packs each panel when it comes to it, where it packed the one before: if no other task
       has that panel, or for many weights one after the other does */
    bool packs_late;
    bool copies_pixels; /* of a tile, to where they do not share places of the first-level cache */
    bool is_stream;     /* one pixel after the other, each all panels, which stay in the cache */
    bool is_far; /* out is beyond the cache: its lines are fetched while their sums are made */
} fvi_gather_plan;

/* Output pixels that meet the same taps, all inside the source: images of rows of columns. */
typedef struct fvi_gather_region {
    const float *source; /* what the first pixel reads in the first of the taps */
    float *out;
    ptrdiff_t images, rows, columns;
    ptrdiff_t image_source, row_source, column_source; /* floats from one to the next */
    ptrdiff_t image_out, row_out, column_out;
    ptrdiff_t tap_h0, tap_h1, tap_w0, tap_w1;
    ptrdiff_t tap_source; /* floats from tap to tap down the kernel */
    ptrdiff_t apart; /* taps so far apart read the same pixels for neighbouring columns; 0: none */
    bool is_turned;  /* columns are rows of out, and the taps that are apart are kernel rows */
} fvi_gather_region;

/* What the tiles of one call read, and the place in their region where the next begins. */
typedef struct fvi_gather_table {
    const float *rows[FVI_TILE_CALL_MAX * FVI_TILE_ROWS_MAX]; /* count of each tile */
    float *out[FVI_TILE_CALL_MAX * FVI_TILE_ROWS_MAX];
    ptrdiff_t tiles, count;
    bool is_paired; /* rows two by two lie as far apart as the columns of the region */
    ptrdiff_t shift[FVI_GATHER_TAPS];
    size_t panel_row[FVI_GATHER_TAPS]; /* of the panel, where the tap begins */
    size_t taps;
    ptrdiff_t
        lines; /* 0; or count pixels of each of so many lines, whose first rows and out have */
    size_t groups[3];    /* of one tap, two, three: taps are then groups */
    ptrdiff_t group_row; /* rows of the panel from tap to tap of a group */
    double per_step;     /* 1 / steps of all taps */
    ptrdiff_t depth;     /* floats of one tap */
    ptrdiff_t home;      /* panel in whose place the present one is packed */
    const char *ahead;   /* where the last row reads the last tap */
    ptrdiff_t image, row, column;
    float patch[FVI_GATHER_PATCH];
} fvi_gather_table;

/* Vectors of panel p, and its columns rounded up to these. */
static inline ptrdiff_t fvi_gather_vectors(const fvi_gather_plan *plan, ptrdiff_t p)
{
    return p == plan->panels - 1 ? plan->last_vectors : plan->tiles->vectors_max;
}

static inline ptrdiff_t fvi_gather_width(const fvi_gather_plan *plan, ptrdiff_t p)
{
    return fvi_gather_vectors(plan, p) * plan->tiles->lanes;
}

static inline float *fvi_gather_panel(const fvi_gather_plan *plan, ptrdiff_t p)
{
    return plan->packed +
           (p - plan->direct) * plan->width * plan->g->h.taps * plan->g->w.taps * plan->g->depth;
}

/* conv_gather.c: panel p, into the place of panel `home`. */
void fvi_gather_pack_panel(const fvi_gather_plan *plan, ptrdiff_t p, ptrdiff_t home);
/* conv_tiles.c: all outputs of a region, panels [p0, p1). */
void fvi_gather_run_region(const fvi_gather_plan *plan, const fvi_gather_region *region,
                           fvi_gather_table *table, ptrdiff_t p0, ptrdiff_t p1);

#endif
