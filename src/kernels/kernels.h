/* SPDX-License-Identifier: MIT */
/* The kernel table: all arithmetic on float32 tensors. One table for each instruction set, filled
   over the plain C one. */
#ifndef FVI_KERNELS_H
#define FVI_KERNELS_H

#include "base/base_internal.h"

/* Sums of MR rows by NR columns in registers, the inner machine of convolution and dense layers;
   see conv_lower.c. The members are the kernel room's own business: ops never call them. */
typedef struct fvi_tile_table fvi_tile_table;
typedef struct fvi_depthwise_table fvi_depthwise_table; /* and of depthwise ones */

/* Window of a pooling layer over one image. Padding is virtual: it never wins a maximum nor counts
   in an average. */
typedef struct fvi_pool {
    int H, W, C, KH, KW, SH, SW, pad_top, pad_left, OH, OW;
} fvi_pool;

/* Bytes of the number of an element within its window: a byte holds 255 and one that means none. */
static inline size_t fvi_pool_place_bytes(const fvi_pool *p)
{
    return (int64_t)p->KH * p->KW <= 255 ? 1 : 4;
}

/* ReLU as Keras has it: max if x >= max; x if threshold <= x < max; slope * (x - threshold) below.
   max: INFINITY for none. */
typedef struct fvi_relu {
    float slope, threshold, max;
} fvi_relu;

/* What channel_affine computed, for the way back. */
typedef struct fvi_affine {
    const float *scale, *offset; /* [C] */
} fvi_affine;

typedef struct fvi_adam {
    float rate; /* lr * sqrt(1 - beta_2^t) / (1 - beta_1^t), Keras's form */
    float beta_1, beta_2, epsilon;
} fvi_adam;

typedef struct fvi_sgd {
    float rate, momentum;
    bool nesterov;
} fvi_sgd;

/* Contracts: single thread; n counts floats; arrays do not overlap unless "in place" is said; "+="
   adds to what is there, and is_added says which of the two is meant; what is written is written
   whole. Each gives the same bits however its caller cuts the work into calls,
   except that a reduction's order is part of the call. */
typedef struct fvi_kernels {
    const char *isa;             /* "generic", "avx2", ... */
    const fvi_tile_table *tiles; /* for conv_lower.c */
    const fvi_depthwise_table *depthwise;
    /* --- element by element --- */
    void (*add)(size_t n, float *y, const float *x); /* y += x */
    void (*sum)(size_t n, float *y, const float *a, const float *b,
                bool is_clipped); /* y = a + b, in place allowed; clipped: plain ReLU of that */
    void (*multiply)(size_t n, float *y, const float *a,
                     const float *b); /* y = a * b, in place allowed */
    void (*multiply_add)(size_t n, float *y, const float *a, const float *b); /* y += a * b */
    void (*relu)(size_t n, float *y, const float *x, const fvi_relu *p);      /* in place allowed */
    void (*relu_gradient)(size_t n, float *dx, const float *dy, const float *x, const fvi_relu *p,
                          bool is_added); /* dx = or += dy * f'(x) */
    void (*clip_gradient)(
        size_t n, float *dz,
        const float *y); /* plain ReLU's, in place from its output: dz = y > 0 ? dz : 0 */
    void (*sigmoid)(size_t n, float *y, const float *x);           /* in place allowed */
    void (*sigmoid_gradient)(size_t n, float *dz, const float *y); /* in place: dz *= y * (1 - y) */
    void (*tanh)(size_t n, float *y, const float *x);              /* in place allowed */
    void (*tanh_gradient)(size_t n, float *dz, const float *y);    /* in place: dz *= 1 - y * y */
    void (*log)(size_t n, float *y, const float *x);               /* in place allowed */
    /* Binary cross-entropy of sigmoid(z), targets t from 0 to 1: returns the sum of the losses. dz =
       scale * (sigmoid(z) - t), NULL: not wanted; may be z. */
    double (*binary_logits)(size_t n, float *dz, const float *z, const float *t, float scale);
    /* --- row by row: [rows, C] --- */
    double (*exp_row)(
        size_t n, float *y, const float *x,
        float *max); /* y = exp(x - max x), NULL: not wanted; returns its sum; n > 0 */
    void (*softmax)(size_t rows, int C, float *y,
                    const float *x); /* in place allowed; row maximum subtracted */
    void (*softmax_gradient)(size_t rows, int C, float *dz,
                             const float *y); /* in place: dz = y * (dz - sum(dz * y)) */
    /* --- batch normalisation over rows, one statistic a channel; sums are double --- */
    void (*channel_sums)(size_t rows, int C, double *sum, double *sum_sq, const float *x,
                         const float *shift); /* overwrite: of x - shift */
    void (*channel_affine)(size_t rows, int C, float *y, const float *x, const float *scale,
                           const float *offset,
                           bool is_clipped); /* y = x*scale + offset; clipped: plain ReLU of that */
    /* clip: NULL, or dy counts only where x*scale + offset is above 0 */
    void (*channel_gradient_sums)(size_t rows, int C, double *sum_dy, double *sum_dy_xhat,
                                  const float *dy, const float *x, const float *mean,
                                  const float *inv_std, const fvi_affine *clip); /* overwrite */
    void (*channel_gradient)(size_t rows, int C, float *dx, const float *dy, const float *x,
                             const float *a, const float *b, const float *c, const fvi_affine *clip,
                             bool is_added); /* dx = or += a*dy + b*x + c, coefficients by channel;
                                                dx may be dy */
    /* --- pooling, one image --- */
    /* place: NULL, or for backward [OH,OW,C] numbers of fvi_pool_place_bytes: y is element kh*KW + kw
       of its window, the first of equals; all bits set: nothing passes back, since y is a NaN or
       (is_clipped) not above 0 */
    void (*max_pool)(const fvi_pool *p, float *y, void *place, const float *x, bool is_clipped);
    void (*max_pool_gradient)(const fvi_pool *p, float *dx, const float *dy, const void *place,
                              bool is_added);
    void (*max_pool_pick)(const fvi_pool *p, float *y, const uint8_t *place,
                          const float *x); /* y = x where place says, 0 where it says none */
    void (*average_pool)(const fvi_pool *p, float *y, const float *x);
    void (*average_pool_gradient)(const fvi_pool *p, float *dx, const float *dy, bool is_added);
    /* --- optimizers: one pass; false when a gradient or a new weight is not finite (the pass is
       finished all the same) --- */
    bool (*sgd)(size_t n, float *w, const float *g, float *velocity,
                const fvi_sgd *p); /* velocity NULL when momentum is 0 */
    bool (*adam)(size_t n, float *w, const float *g, float *m, float *v, const fvi_adam *p);
    bool (*is_finite)(size_t n, const float *x);
} fvi_kernels;

/* The best table this processor can run, or the named one. NULL: no table of that name, or the
   processor lacks it (message set). */
const fvi_kernels *fvi_kernels_select(const char *isa);
/* All tables compiled in, best last; i from 0; NULL past the end. is_usable: this processor can run
   it. */
const fvi_kernels *fvi_kernels_at(int i, bool *is_usable);
/* kernels_peak.c: billions of multiplications and additions a second of multiply-adds that wait for
   nothing, the fastest half millisecond of so long: what the kernels' speed is a share of. */
double fvi_kernels_peak(const fvi_kernels *k, fvi_threads *threads, double seconds);

/* ---- conv_lower.c: convolution as packed matrix products; dense is H = W = KH = KW = 1 with C
   inputs and F outputs ---- */

typedef struct fvi_conv {
    int H, W, C, F, KH, KW, SH, SW, DH,
        DW;                        /* x [N,H,W,C], w [KH,KW,C/groups,F]; strides, dilations */
    int pad_top, pad_left, OH, OW; /* y [N,OH,OW,F]; bottom and right follow */
    int groups; /* 0 is 1; divides C and F: filters [i*F/groups, ...) see channels [i*C/groups, ...) */
} fvi_conv;

/* Floats of scratch that any of the three passes may need for batches of up to N images, on any
   number of threads. FV_E_SHAPE when a product overflows. The results below do not depend on N being
   cut into smaller batches (forward, input gradient) nor on threads (all). */
fv_status fvi_conv_scratch(size_t *floats, const fvi_kernels *k, const fvi_conv *g, int N);
/* What a forward does to its sums before it writes them. */
typedef struct fvi_conv_end {
    const float *bias; /* [F]; NULL: none */
    /* the rest in this order */
    const float *residual; /* as y, and is added; NULL: none. Where fvi_conv_adds */
    bool is_clipped;       /* plain ReLU, */
    float most;            /* of which what is above it is it; 0: no limit. Where fvi_conv_limits */
} fvi_conv_end;
bool fvi_conv_adds(const fvi_kernels *k, const fvi_conv *g);
bool fvi_conv_limits(const fvi_kernels *k, const fvi_conv *g);
/* y = conv(x, w), and its end */
void fvi_conv_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                      float *y, const float *x, const float *w, const fvi_conv_end *end,
                      float *scratch);
/* dx = or +=; mask [N,H,W,C], NULL or, when not added: dx is 0 where the mask is not above 0. */
void fvi_conv_input_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                             float *dx, const float *dy, const float *w, bool is_added,
                             const float *mask, float *scratch);
/* dw =, db = (NULL: none) */
void fvi_conv_weight_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                              float *dw, float *db, const float *x, const float *dy,
                              float *scratch);
/* A weight gradient may also be made piece by piece, so that all of it need not be held. Of the rows
   of dw [KH*KW*C/groups, F], of which there are so many, the piece that begins with row `first` (0, or
   where another one ended) has so many: 1 MiB, with large pictures up to 4, and all of those of few
   weights or of more than memory holds. */
size_t fvi_conv_rows(const fvi_conv *g);
size_t fvi_conv_piece(const fvi_conv *g, size_t first);
/* dw = that piece (rows 0: the whole), db = all of it (NULL: not now). Its sums may be rounded otherwise
   than those of the whole. */
void fvi_conv_weight_rows(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                          size_t first, size_t rows, float *dw, float *db, const float *x,
                          const float *dy, float *scratch);

/* A max pooling that the outputs of a layer, images [OH,OW,F], go into alone. */
typedef struct fvi_pooled {
    const fvi_pool *pool;
    const float *dy; /* [N] of the pooling's outputs: their gradient */
    void *places;    /* as max_pool leaves them; NULL: not wanted */
} fvi_pooled;
/* Forward does that pooling too, where windows lie side by side: y is of the pooling's outputs. */
bool fvi_conv_takes_pool(const fvi_kernels *k, const fvi_conv *g, const fvi_pool *p);
void fvi_conv_pool_forward(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                           float *y, const fvi_pooled *pooled, const float *x, const float *w,
                           const float *b, bool is_clipped);

/* conv_sparse.c: the weight gradient where no input gradient is needed. Instead of dy [N,OH,OW,F] it
   takes the pooling's. */
bool fvi_conv_sparse_pays(const fvi_conv *g, const fvi_pool *p);
/* dw =, db = (NULL: none); scratch as above */
void fvi_conv_sparse_gradient(const fvi_kernels *k, fvi_threads *threads, const fvi_conv *g, int N,
                              float *dw, float *db, const float *x, const fvi_pooled *dy,
                              float *scratch);

#endif
