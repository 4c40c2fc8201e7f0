/* SPDX-License-Identifier: MIT */
/* Between the conv_*.c files: a geometry in its simplest form, and the gather that forward and
   input gradient both are. */
#ifndef FVI_CONV_INTERNAL_H
#define FVI_CONV_INTERNAL_H

#include "kernels/tile.h"

/* a / b rounded up, a >= 0 and b > 0. It is called for each tile: small numbers go without the slow
   division of large ones. */
static inline ptrdiff_t fvi_ceil(ptrdiff_t a, ptrdiff_t b)
{
    const ptrdiff_t top = a + b - 1;
    return (uint64_t)top <= UINT32_MAX ? (ptrdiff_t)((uint32_t)top / (uint32_t)b) : top / b;
}

static inline ptrdiff_t fvi_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static inline ptrdiff_t fvi_max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

/* fvi_conv and N with one type for all coordinates. A 1x1 convolution of stride 1 is one long row
   of pixels: N = H = 1. */
typedef struct fvi_conv_shape {
    ptrdiff_t N, H, W, C, F, KH, KW, SH, SW, DH, DW, pad_top, pad_left, OH, OW;
    ptrdiff_t x_pitch, y_pitch; /* floats from pixel to pixel: C and F, or more if these are a
                                   slice */
    ptrdiff_t groups;           /* 1 or more */
} fvi_conv_shape;

/* conv_pack.c. Pixels [from, to) of a row of W pixels of C floats; those outside the row are
   zero. */
void fvi_conv_copy(float *to_row, const float *row, ptrdiff_t from, ptrdiff_t to, ptrdiff_t W,
                   ptrdiff_t C);

#define FVI_CONV_SHARDS 8 /* most private copies of dw */

/* conv_weights_plan.c: floats of scratch for batches of up to s->N images, any number of threads. */
bool fvi_conv_weights_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv_shape *s);
void fvi_conv_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                      float *dw, float *db, const float *x, const float *dy, float *scratch);

/* conv_planes.c */
bool fvi_planes_pays(const fvi_kernels *k, const fvi_conv_shape *s); /* better than the gather? */
/* And can it do this pooling too? */
bool fvi_planes_takes_pool(const fvi_kernels *k, const fvi_conv_shape *s, const fvi_pool *p);
/* b NULL: no bias; pooled NULL: no pooling; needs no scratch. */
void fvi_planes_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                    const fvi_pooled *pooled, const float *x, const float *w, const float *b,
                    bool is_clipped);

bool fvi_scatter_pays(const fvi_kernels *k, const fvi_conv_shape *s); /* better than the gather? */
/* dx = or +=; its scratch is below that of the gather. */
void fvi_scatter_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dx,
                     const float *dy, const float *w, bool is_added, const float *mask,
                     float *scratch);

/* conv_dot.c */
bool fvi_dot_pays(const fvi_conv_shape *s); /* better than the gather? */
void fvi_dot_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                 const float *x, const float *w, const float *b, bool is_clipped);

/* conv_sparse.c */
size_t fvi_sparse_scratch(const fvi_conv_shape *s);

/* One axis of a gather: output i lies at index start + i*step and reads source index
   i*source_step + source_first + t*gap in tap t, which meets kernel index
   kernel_first + t*kernel_step. */
typedef struct fvi_gather_axis {
    ptrdiff_t count, start, step;
    ptrdiff_t source_size, source_step, source_first, gap;
    ptrdiff_t taps, kernel_first, kernel_step;
} fvi_gather_axis;

/* conv_axis.c. Input indices h with (h + pad) mod stride = residue get their gradient from the taps kh with
   kh*dilation of the same residue: h = start + i*stride reads output index (h + pad - kh*dilation)
   / stride, an exact quotient. Taps are taken from the last to the first, so that they read the
   output upwards. False: no input index or no tap. */
bool fvi_gather_residue(fvi_gather_axis *axis, ptrdiff_t residue, ptrdiff_t size, ptrdiff_t taps,
                        ptrdiff_t stride, ptrdiff_t dilation, ptrdiff_t pad, ptrdiff_t out_size);

/* Outputs [first, end) of one axis that meet the same taps [tap0, tap1) inside the source. */
typedef struct fvi_gather_span {
    ptrdiff_t first, end, tap0, tap1;
} fvi_gather_span;

/* The span that begins at output i, cut off at end; tap0 = tap1 = 0: no tap is inside. */
fvi_gather_span fvi_gather_span_at(const fvi_gather_axis *a, ptrdiff_t i, ptrdiff_t end);
/* Every window lies inside the source. */
bool fvi_gather_is_inside(const fvi_gather_axis *a);

/* out[n, h, w, :] = start + sum over taps of source[n, h', w', :] times that tap's matrix. Reads
   outside count as zero. */
typedef struct fvi_gather {
    fvi_gather_axis h, w;
    ptrdiff_t N;
    ptrdiff_t depth, columns;          /* channels of the source and of out */
    ptrdiff_t source_pitch, out_pitch; /* floats from pixel to pixel */
    ptrdiff_t out_h, out_w;            /* sizes of out */
    float *out;
    const float *source;
    const float *weights; /* [KH][KW][C][F] */
    ptrdiff_t kernel_w;   /* KW */
    bool is_transposed;   /* depth is F and columns is C, not the reverse */
    bool is_added, is_clipped;
    float most;            /* clipped at it, too; 0: no limit */
    const float *residual; /* lies like out, and is added; NULL: none. Not depthwise */
    const float *mask;     /* lies like out; NULL: none */
    const float *start;    /* [columns] or NULL; not when is_added */
} fvi_gather;

/* conv_pack.c. Columns [c0, c0 + width) of all taps: [tap][depth][width], zeros behind the last
   column. */
void fvi_gather_pack(const fvi_tile_table *tiles, float *to, ptrdiff_t width, const fvi_gather *g,
                     ptrdiff_t c0);

/* Floats of scratch of the packed weights. */
bool fvi_gather_scratch(size_t *floats, const fvi_kernels *k, size_t taps, size_t depth,
                        size_t columns);
void fvi_gather_run(const fvi_kernels *k, fvi_threads *threads, const fvi_gather *g,
                    float *scratch);

/* ---- conv_lower.c, for the groups: the gather of a slice of channels, or of a depthwise one ---- */

/* y = conv(x, w), and its end */
void fvi_conv_slice(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                    const float *x, const float *w, const fvi_conv_end *end, float *scratch);
/* dx = or +=; inputs that no tap reaches stay as they are */
void fvi_conv_slice_back(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                         float *dx, const float *dy, const float *w, bool is_added,
                         const float *mask, float *scratch);

/* ---- conv_groups.c: groups of several channels; s has all of them ---- */

bool fvi_groups_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv_shape *s);
void fvi_groups_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                        float *y, const float *x, const float *w, const float *b, bool is_clipped,
                        float *scratch);
void fvi_groups_back(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dx,
                     const float *dy, const float *w, bool is_added, const float *mask,
                     float *scratch);
void fvi_groups_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                        float *dw, float *db, const float *x, const float *dy, float *scratch);

/* All windows of a row of out lie inside the source, but for the first tap of the first and the last
   of the last. */
static inline bool fvi_conv_fits_row(ptrdiff_t pad, ptrdiff_t out, ptrdiff_t source)
{
    return pad <= 1 && out - pad < source;
}

/* ---- conv_sums.c: weight gradient under a kernel 3 wide, of all channels or of groups ---- */

bool fvi_sums_pays(const fvi_kernels *k, const fvi_conv_shape *s);
size_t fvi_sums_scratch(const fvi_kernels *k, const fvi_conv_shape *s); /* floats */
void fvi_sums_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *dw,
                  float *db, const float *x, const float *dy, float *scratch);

/* ---- conv_depthwise.c, conv_depthwise_sums.c: groups of one channel ---- */

#define FVI_DEPTHWISE_PARTS 16

/* So many gathers, alike but for their axes, each channel apart; depth and columns are all channels
   of both sides. */
void fvi_depthwise_run(const fvi_kernels *k, fvi_threads *threads, const fvi_gather *g,
                       ptrdiff_t parts);
ptrdiff_t fvi_depthwise_shards(const fvi_conv_shape *s); /* copies of dw that are summed apart */
void fvi_depthwise_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                           float *dw, float *db, const float *x, const float *dy, float *scratch);

#endif
