/* SPDX-License-Identifier: MIT */
/* Step by step: a convolutional network's arithmetic in double, on plain arrays, in plain loops. */
#ifndef FOVEA_TEXTBOOK_H
#define FOVEA_TEXTBOOK_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * True of every function here, so not repeated below.
 *
 * Arrays: double, C order, images [N,H,W,C], filters [F,F,C,FILTERS]. x[n,h,w,c] is
 *         x[((n*H + h)*W + w)*C + c]. The caller owns them all; nothing is allocated or kept.
 *         An output must not overlap an input unless the comment allows it.
 * Names:  a_prev is the input of a layer, z its output before the activation, a after it;
 *         dz is d loss / d z, and so on. "Course" names the cells of the assignment
 *         "Convolutional Model: Step by Step", whose notation this is.
 * Cache:  the course's forward functions also return a cache for the backward ones. In C the
 *         caller still has those arrays, so the cache is simply the arguments: (a_prev, w, b, d)
 *         for convolution, (a_prev, d) for pooling. Pass the same ones again.
 * Backward functions OVERWRITE their gradient outputs. Where there are several, any of them may be
 *         NULL to skip it.
 * Errors: FV_E_ARG for a NULL where an array is needed, or a mode, rate or momentum out of range;
 *         FV_E_SHAPE for a size or stride < 1, a pad < 0, a filter larger than its padded input,
 *         or an array with more elements than memory can hold. Outputs are untouched then.
 *         n = 0 images is legal: nothing is written, except that sums over the batch become 0.
 * Judge:  tests/test_textbook.c and _numbers.c (the numbers of the course, the lectures, numpy, a
 *         whole network's step), _grad.c (every backward function against central differences),
 *         _edges.c and _errors.c.
 */

/* ---- tb_conv.c: the course's convolution ---- */

/** Sizes of a convolution layer. Every size is in pixels or channels. */
typedef struct fv_tb_conv {
    int n, h, w, c; /* input: images, height, width, channels */
    int filters;    /* output channels, the course's n_C */
    int f;          /* filter height and width */
    int stride;     /* >= 1 */
    int pad;        /* rows or columns of zeros on each of the four sides, >= 0 */
} fv_tb_conv;

/**
 * How many positions a window has along one axis.
 *
 *   out = floor((n + 2*pad - f) / stride) + 1
 *
 *   out  out; positions, >= 1
 *   n    input size; f  window size; stride, pad  in pixels
 *
 * Errors: as above; f > n + 2*pad is FV_E_SHAPE (a plain division would say 1 for some of those).
 * Source: course, conv_forward, the formula for n_H and n_W.
 */
FV_API fv_status fv_tb_out_size(int *out, int n, int f, int stride, int pad);

/**
 * Put a border of zeros around every image.
 *
 *   y    [N, H + 2*pad, W + 2*pad, C]   out
 *   x    [N,H,W,C]                      in
 *
 * Source: course, zero_pad.
 */
FV_API fv_status fv_tb_zero_pad(double *y, const double *x, int n, int h, int w, int c, int pad);

/**
 * One filter on one window: multiply element by element, add everything up, then add b once.
 *
 *   z        [1]       out
 *   a_slice  [f,f,c]   in, the window
 *   w        [f,f,c]   in, the filter
 *
 * Source: course, conv_single_step.
 */
FV_API fv_status fv_tb_conv_single_step(double *z, const double *a_slice, const double *w, double b,
                                        int f, int c);

/**
 * Convolve a batch of images. The filter is not flipped (cross-correlation), as in Keras.
 *
 *   z[i,h,w,c] = b[c] + sum over kh, kw, ch of a_prev[i,row,col,ch] * w[kh,kw,ch,c]
 *   where row = h*stride + kh - pad, col = w*stride + kw - pad; reads outside a_prev are 0
 *
 *   z       [N, n_H, n_W, FILTERS]   out; n_H, n_W by fv_tb_out_size
 *   a_prev  [N,H,W,C]                in, not padded
 *   w       [f,f,C,FILTERS]          in
 *   b       [FILTERS]                in, the course's (1,1,1,n_C)
 *
 * Source: course, conv_forward; Goodfellow, Bengio, Courville, Deep Learning, eq. 9.6.
 */
FV_API fv_status fv_tb_conv_forward(double *z, const double *a_prev, const double *w,
                                    const double *b, const fv_tb_conv *d);

/**
 * The three gradients of fv_tb_conv_forward. pad may be 0.
 *
 *   da_prev[window] += w[:,:,:,c] * dz[i,h,w,c]
 *   dw[:,:,:,c]     += a_prev[window] * dz[i,h,w,c]
 *   db[c]           += dz[i,h,w,c]                    each starting from 0
 *
 *   da_prev [N,H,W,C], dw [f,f,C,FILTERS], db [FILTERS]   out, each or NULL
 *   dz      [N, n_H, n_W, FILTERS]                        in
 *   a_prev, w                                             in, as given to the forward function
 *
 * Source: course, conv_backward, equations 1 to 3.
 */
FV_API fv_status fv_tb_conv_backward(double *da_prev, double *dw, double *db, const double *dz,
                                     const double *a_prev, const double *w, const fv_tb_conv *d);

/* ---- tb_pool.c: the course's pooling ---- */

typedef enum fv_tb_pool_mode { FV_TB_MAX, FV_TB_AVERAGE } fv_tb_pool_mode;

/** Sizes of a pooling layer; there is no padding. */
typedef struct fv_tb_pool {
    int n, h, w, c; /* input */
    int f;          /* window height and width */
    int stride;
    fv_tb_pool_mode mode;
} fv_tb_pool;

/**
 * The largest value, or the mean, of every window; each channel on its own.
 *
 *   a       [N, n_H, n_W, C]   out; n_H = floor((H - f)/stride) + 1, n_W alike
 *   a_prev  [N,H,W,C]          in; a NaN in a window is its maximum, as in numpy
 *
 * Source: course, pool_forward.
 */
FV_API fv_status fv_tb_pool_forward(double *a, const double *a_prev, const fv_tb_pool *d);

/**
 * The gradient of fv_tb_pool_forward. Max: every element equal to its window's maximum gets the
 * whole gradient (fv_tb_pool2d_backward gives it to the first one only). Average: every element
 * gets da / f^2. Where windows overlap the gradients add up.
 *
 *   da_prev  [N,H,W,C]          out
 *   da       [N, n_H, n_W, C]   in
 *   a_prev   [N,H,W,C]          in, as given to the forward function
 *
 * Source: course, pool_backward.
 */
FV_API fv_status fv_tb_pool_backward(double *da_prev, const double *da, const double *a_prev,
                                     const fv_tb_pool *d);

/**
 * Mark every maximum of a window.
 *
 *   mask  [h,w]   out; 1 where x equals its largest value, otherwise 0 (all 0 if x has a NaN)
 *   x     [h,w]   in
 *
 * Source: course, create_mask_from_window.
 */
FV_API fv_status fv_tb_create_mask_from_window(unsigned char *mask, const double *x, int h, int w);

/**
 * Spread one value evenly: a[i] = dz / (h*w).
 *
 *   a  [h,w]   out
 *
 * Source: course, distribute_value.
 */
FV_API fv_status fv_tb_distribute_value(double *a, double dz, int h, int w);

/* ---- tb_conv2d.c, tb_pool2d.c: everything adjustable; what other code is judged by ---- */

/** Sizes of a general convolution. Keras's padding "same" is four pads chosen by the caller. */
typedef struct fv_tb_conv2d_sizes {
    int n, h, w, c;
    int filters;
    int kernel_h, kernel_w;
    int stride_h, stride_w;
    int pad_top, pad_bottom, pad_left, pad_right;
    int dilation_h, dilation_w; /* pixels from one tap of the kernel to the next; 0 counts as 1 */
    int groups; /* 0 counts as 1. Divides c and filters; groups = c is a depthwise convolution */
} fv_tb_conv2d_sizes;

/**
 * Output height and width of a general convolution.
 *
 *   out = floor((n + before + after - ((kernel - 1)*dilation + 1)) / stride) + 1
 *
 * Source: Dumoulin, Visin, A guide to convolution arithmetic for deep learning, 2016, section 5.1.
 */
FV_API fv_status fv_tb_conv2d_out_size(int *out_h, int *out_w, const fv_tb_conv2d_sizes *d);

/**
 * Convolve a batch of images, everything adjustable.
 *
 *   y[n,oh,ow,f] = b[f] + sum over kh, kw, c of x[n,ih,iw,g*C/groups + c] * w[kh,kw,c,f]
 *   where ih = oh*stride_h + kh*dilation_h - pad_top,  iw = ow*stride_w + kw*dilation_w - pad_left,
 *   c runs over C/groups channels, and g = f / (filters/groups) is the filter's group
 *
 *   y  [N,OH,OW,FILTERS]       out
 *   x  [N,H,W,C]               in; reads outside count as 0
 *   w  [KH,KW,C/groups,FILTERS] in; with groups = C this is Keras's depthwise [KH,KW,C,MULTIPLIER]
 *   b  [FILTERS]               in, or NULL for no bias
 *
 * Errors: as above; groups that do not divide both c and filters are FV_E_SHAPE.
 * Source: as fv_tb_conv_forward; Krizhevsky, Sutskever, Hinton 2012 for groups.
 */
FV_API fv_status fv_tb_conv2d_forward(double *y, const double *x, const double *w, const double *b,
                                      const fv_tb_conv2d_sizes *d);

/**
 * The three gradients of fv_tb_conv2d_forward.
 *
 *   dx [N,H,W,C], dw [KH,KW,C/groups,FILTERS], db [FILTERS]   out, each or NULL
 *   dy [N,OH,OW,FILTERS], x, w                                in
 *
 * Source: derivative of the formula above.
 */
FV_API fv_status fv_tb_conv2d_backward(double *dx, double *dw, double *db, const double *dy,
                                       const double *x, const double *w,
                                       const fv_tb_conv2d_sizes *d);

/** Sizes of a general pooling. Padding never wins a maximum and never counts in an average. */
typedef struct fv_tb_pool2d_sizes {
    int n, h, w, c;
    int kernel_h, kernel_w;
    int stride_h, stride_w;
    int pad_top, pad_bottom, pad_left, pad_right;
    int dilation_h, dilation_w; /* 0 counts as 1 */
    fv_tb_pool_mode mode;
} fv_tb_pool2d_sizes;

/**
 * Output height and width of a general pooling; the formula of fv_tb_conv2d_out_size.
 *
 * Errors: as above; also FV_E_SHAPE when some window would lie wholly in the padding.
 */
FV_API fv_status fv_tb_pool2d_out_size(int *out_h, int *out_w, const fv_tb_pool2d_sizes *d);

/**
 * The largest value, or the mean, of the real pixels of every window.
 *
 *   y  [N,OH,OW,C]   out
 *   x  [N,H,W,C]     in
 *
 * Errors: as fv_tb_pool2d_out_size.
 * Source: TensorFlow's max_pool and avg_pool.
 */
FV_API fv_status fv_tb_pool2d_forward(double *y, const double *x, const fv_tb_pool2d_sizes *d);

/**
 * The gradient of fv_tb_pool2d_forward. Max: a window's first maximum, row by row, gets it all.
 *
 *   dx  [N,H,W,C]          out
 *   dy  [N,OH,OW,C], x     in
 *
 * Errors: as fv_tb_pool2d_out_size.
 * Source: TensorFlow's gradients of max_pool and avg_pool.
 */
FV_API fv_status fv_tb_pool2d_backward(double *dx, const double *dy, const double *x,
                                       const fv_tb_pool2d_sizes *d);

/* ---- tb_dense.c ---- */

/** Sizes of a fully connected layer: n examples, in inputs, out outputs ("units"). */
typedef struct fv_tb_dense {
    int n, in, out;
} fv_tb_dense;

/**
 * z[i,j] = b[j] + sum over k of a_prev[i,k] * w[k,j]
 *
 *   z       [N,OUT]    out
 *   a_prev  [N,IN]     in
 *   w       [IN,OUT]   in, Keras's layout; the course's W is its transpose
 *   b       [OUT]      in, or NULL for no bias
 *
 * Source: Goodfellow, Bengio, Courville, Deep Learning, section 6.3.
 */
FV_API fv_status fv_tb_dense_forward(double *z, const double *a_prev, const double *w,
                                     const double *b, const fv_tb_dense *d);

/**
 * da_prev = dz * w^T,  dw = a_prev^T * dz,  db = sum of dz over the batch.
 *
 *   da_prev [N,IN], dw [IN,OUT], db [OUT]   out, each or NULL
 *   dz [N,OUT], a_prev, w                   in
 *
 * Source: Goodfellow, Bengio, Courville, Deep Learning, algorithm 6.4.
 */
FV_API fv_status fv_tb_dense_backward(double *da_prev, double *dw, double *db, const double *dz,
                                      const double *a_prev, const double *w, const fv_tb_dense *d);

/**
 * Lay each image out as one row. In C order the bytes stay as they are: this is a copy.
 *
 *   y  [N, H*W*C]   out
 *   x  [N,H,W,C]    in
 *
 * Source: Keras, Flatten.
 */
FV_API fv_status fv_tb_flatten_forward(double *y, const double *x, int n, int h, int w, int c);

/** The way back: dx [N,H,W,C] out, dy [N, H*W*C] in. */
FV_API fv_status fv_tb_flatten_backward(double *dx, const double *dy, int n, int h, int w, int c);

/* ---- tb_norm.c: batch normalisation and dropout ---- */

/** Which variance the moving average collects. M = N*H*W is the number of values of one channel. */
typedef enum fv_tb_moving {
    FV_TB_MOVING_BIASED,  /* the batch variance, divided by M */
    FV_TB_MOVING_UNBIASED /* times M/(M-1), Bessel's correction: TensorFlow's fused kernel */
} fv_tb_moving;

/** Sizes and numbers of a batch normalisation. After a dense layer h = w = 1. */
typedef struct fv_tb_batch_norm {
    int n, h, w, c;
    double epsilon;  /* added to the variance, >= 0; Keras 0.001 */
    double momentum; /* of the moving averages, 0 to 1; Keras 0.99 */
    fv_tb_moving moving;
} fv_tb_batch_norm;

/**
 * Training: normalise each channel over the batch, then scale and shift.
 *
 *   y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
 *
 *   y         [N,H,W,C]   out
 *   mean      [C]         out, over N, H and W; or NULL
 *   variance  [C]         out, biased (divided by N*H*W); or NULL
 *   x         [N,H,W,C]   in
 *   gamma, beta  [C]      in
 *
 * With n = 0 mean and variance become 0.
 * Source: Ioffe, Szegedy, Batch Normalization, 2015, algorithm 1.
 */
FV_API fv_status fv_tb_batch_norm_forward(double *y, double *mean, double *variance,
                                          const double *x, const double *gamma, const double *beta,
                                          const fv_tb_batch_norm *d);

/**
 * The gradients of fv_tb_batch_norm_forward; mean and variance are worked out again from x.
 *
 *   dx [N,H,W,C], dgamma [C], dbeta [C]   out, each or NULL
 *   dy [N,H,W,C], x, gamma                in
 *
 * Source: Ioffe, Szegedy 2015, section 3, the chain rule collected into one line.
 */
FV_API fv_status fv_tb_batch_norm_backward(double *dx, double *dgamma, double *dbeta,
                                           const double *dy, const double *x, const double *gamma,
                                           const fv_tb_batch_norm *d);

/**
 * Move the averages towards a batch: moving = momentum*moving + (1 - momentum)*batch.
 *
 *   moving_mean, moving_variance  [C]   in and out
 *   mean, variance                [C]   in, as fv_tb_batch_norm_forward wrote them (biased);
 *                                       d->moving says whether to correct the variance first
 *
 * With n = 0 nothing moves; with N*H*W = 1 there is nothing to correct.
 * Source: Keras, BatchNormalization; TensorFlow's fused_batch_norm for the correction.
 */
FV_API fv_status fv_tb_batch_norm_moving(double *moving_mean, double *moving_variance,
                                         const double *mean, const double *variance,
                                         const fv_tb_batch_norm *d);

/**
 * Prediction: the same formula, with the moving averages as mean and variance.
 *
 *   y                             [N,H,W,C]   out; may be x itself
 *   x                             [N,H,W,C]   in
 *   gamma, beta, moving_mean, moving_variance  [C]   in
 *
 * Source: Ioffe, Szegedy 2015, algorithm 2.
 */
FV_API fv_status fv_tb_batch_norm_inference(double *y, const double *x, const double *gamma,
                                            const double *beta, const double *moving_mean,
                                            const double *moving_variance,
                                            const fv_tb_batch_norm *d);

/**
 * The gradients of fv_tb_batch_norm_inference, the averages being constants.
 *
 *   dx [N,H,W,C], dgamma [C], dbeta [C]   out, each or NULL
 *   dy, x [N,H,W,C]; gamma, moving_mean, moving_variance [C]   in
 *
 * Source: derivative of the formula above.
 */
FV_API fv_status fv_tb_batch_norm_inference_backward(double *dx, double *dgamma, double *dbeta,
                                                     const double *dy, const double *x,
                                                     const double *gamma, const double *moving_mean,
                                                     const double *moving_variance,
                                                     const fv_tb_batch_norm *d);

/**
 * Inverted dropout with a given mask: y = x / (1 - rate) where mask is not 0, otherwise 0.
 *
 *   y [n] out, may be x itself;  x [n], mask [n] in;  rate in [0,1), the share that is dropped
 *
 * Source: Srivastava et al., Dropout, 2014, section 10; Keras, Dropout.
 */
FV_API fv_status fv_tb_dropout_forward(double *y, const double *x, const unsigned char *mask,
                                       double rate, size_t n);

/** The gradient: dx = dy / (1 - rate) where mask is not 0, otherwise 0. dx may be dy itself. */
FV_API fv_status fv_tb_dropout_backward(double *dx, const double *dy, const unsigned char *mask,
                                        double rate, size_t n);

/* ---- tb_activation.c: element by element, except softmax; y may be x itself, dx may be dy ---- */

/** y = max(0, x);  y [n] out, x [n] in. A NaN stays a NaN. Source: Goodfellow, section 6.3.1. */
FV_API fv_status fv_tb_relu_forward(double *y, const double *x, size_t n);
/** dx = dy where x > 0, otherwise 0 (also at 0, as in Keras);  x is the forward INPUT. */
FV_API fv_status fv_tb_relu_backward(double *dx, const double *dy, const double *x, size_t n);

/** y = 1 / (1 + exp(-x)). Source: Goodfellow, eq. 3.30. */
FV_API fv_status fv_tb_sigmoid_forward(double *y, const double *x, size_t n);
/** dx = dy * y * (1 - y);  y is the forward OUTPUT. */
FV_API fv_status fv_tb_sigmoid_backward(double *dx, const double *dy, const double *y, size_t n);

/** y = tanh(x). Source: Goodfellow, section 6.3.2. */
FV_API fv_status fv_tb_tanh_forward(double *y, const double *x, size_t n);
/** dx = dy * (1 - y^2);  y is the forward OUTPUT. */
FV_API fv_status fv_tb_tanh_backward(double *dx, const double *dy, const double *y, size_t n);

/**
 * Each row becomes probabilities: y[i,k] = exp(x[i,k]) / sum over j of exp(x[i,j]). The row's
 * maximum is subtracted first, which changes nothing but keeps exp from overflowing.
 *
 *   y [n,classes] out, x [n,classes] in
 *
 * Source: Goodfellow, Bengio, Courville, Deep Learning, eq. 6.29.
 */
FV_API fv_status fv_tb_softmax_forward(double *y, const double *x, int n, int classes);

/** dx[i,k] = y[i,k] * (dy[i,k] - sum over j of dy[i,j]*y[i,j]);  y is the forward OUTPUT. */
FV_API fv_status fv_tb_softmax_backward(double *dx, const double *dy, const double *y, int n,
                                        int classes);

/* ---- tb_loss.c: cross-entropies, averaged over the batch; n = 0 gives a loss of 0 ---- */

/** Keras's epsilon: probabilities are clipped to [1e-7, 1 - 1e-7] before the logarithm. */
#define FV_TB_LOSS_EPSILON 1e-7

/**
 * loss = mean over i of -(y log p + (1 - y) log(1 - p)), p clipped.
 *
 *   loss  [1]   out
 *   p     [n]   in, probabilities;  y [n] in, labels, 0 to 1
 *
 * Source: Keras, binary_crossentropy.
 */
FV_API fv_status fv_tb_binary_cross_entropy_forward(double *loss, const double *p, const double *y,
                                                    size_t n);
/** dp = (p - y) / (p (1 - p)) / n, and 0 where p was clipped. dp [n] out; p, y [n] in. */
FV_API fv_status fv_tb_binary_cross_entropy_backward(double *dp, const double *p, const double *y,
                                                     size_t n);

/**
 * The same loss from logits, p = sigmoid(z), without a clip or an overflow:
 * mean of max(z, 0) - z*y + log(1 + exp(-|z|)).
 *
 *   loss [1] out;  z [n], y [n] in
 *
 * Source: TensorFlow, sigmoid_cross_entropy_with_logits.
 */
FV_API fv_status fv_tb_binary_cross_entropy_logits_forward(double *loss, const double *z,
                                                           const double *y, size_t n);
/** dz = (sigmoid(z) - y) / n. dz [n] out, may be z itself; z, y [n] in. */
FV_API fv_status fv_tb_binary_cross_entropy_logits_backward(double *dz, const double *z,
                                                            const double *y, size_t n);

/**
 * loss = mean over i of -(sum over k of y[i,k] log q[i,k]), where q is p divided by its row's sum,
 * then clipped: as Keras does, so that a row that does not add up to 1 still counts.
 *
 *   loss [1] out;  p, y [n,classes] in, y one-hot or soft
 *
 * Source: Keras, categorical_crossentropy.
 */
FV_API fv_status fv_tb_categorical_cross_entropy_forward(double *loss, const double *p,
                                                         const double *y, int n, int classes);
/** dp [n,classes] out: through the clip (0 outside it) and the division by the row's sum. */
FV_API fv_status fv_tb_categorical_cross_entropy_backward(double *dp, const double *p,
                                                          const double *y, int n, int classes);

/**
 * The same loss from logits, p = softmax(z):
 * mean over i of the sum over k of y[i,k] (log sum exp z[i] - z[i,k]).
 *
 *   loss [1] out;  z, y [n,classes] in
 *
 * Source: TensorFlow, softmax_cross_entropy_with_logits.
 */
FV_API fv_status fv_tb_categorical_cross_entropy_logits_forward(double *loss, const double *z,
                                                                const double *y, int n,
                                                                int classes);
/** dz = (softmax(z) * sum of the row of y - y) / n. dz [n,classes] out; z, y in. */
FV_API fv_status fv_tb_categorical_cross_entropy_logits_backward(double *dz, const double *z,
                                                                 const double *y, int n,
                                                                 int classes);

/* ---- tb_rng.c: numpy's legacy random stream, np.random.seed(...), bit for bit ---- */

/** A Mersenne Twister and the second normal of the last pair. Seed it first. */
typedef struct fv_tb_rng {
    uint32_t word[624];
    int position;    /* of the next word; 624: a new block is due; 0: never seeded */
    bool has_normal; /* normals come in pairs */
    double normal;   /* the one that waits */
} fv_tb_rng;

/**
 * Start the stream of np.random.seed(seed).
 *
 * Errors: FV_E_ARG for NULL. The functions below also give FV_E_STATE for an all-zero struct.
 * Source: Matsumoto, Nishimura, Mersenne Twister, 1998, seeded as in 2002; numpy's legacy stream.
 */
FV_API fv_status fv_tb_rng_seed(fv_tb_rng *rng, uint32_t seed);
/** out[n]: raw 32-bit words. */
FV_API fv_status fv_tb_rng_uint32(fv_tb_rng *rng, uint32_t *out, size_t n);
/** out[n]: uniform in [0,1), 53 bits, two words each; np.random.rand. */
FV_API fv_status fv_tb_rng_rand(fv_tb_rng *rng, double *out, size_t n);
/**
 * out[n]: standard normal, Marsaglia's polar method, in pairs; np.random.randn. Bit for bit with
 * the same libm and -ffp-contract=off; another libm's log may move the last bit.
 */
FV_API fv_status fv_tb_rng_randn(fv_tb_rng *rng, double *out, size_t n);
/** out[n]: integers lo <= x < hi; np.random.randint. FV_E_ARG unless 1 <= hi - lo <= 2^32. */
FV_API fv_status fv_tb_rng_randint(fv_tb_rng *rng, int64_t *out, size_t n, int64_t lo, int64_t hi);
/** p[n]: 0 to n-1 in random order; np.random.permutation(n). n >= 0, else FV_E_SHAPE. */
FV_API fv_status fv_tb_rng_permutation(fv_tb_rng *rng, int *p, int n);
/** Shuffle p[n] in place; np.random.shuffle. n >= 0, else FV_E_SHAPE. */
FV_API fv_status fv_tb_rng_shuffle(fv_tb_rng *rng, int *p, int n);
/** mask[n]: 0 with probability rate, else 1: keep where a uniform number >= rate. rate in [0,1). */
FV_API fv_status fv_tb_dropout_mask(fv_tb_rng *rng, unsigned char *mask, double rate, size_t n);

/* ---- tb_data.c: what is done to a data set before training ---- */

/** y[n] = x[n] / 255, the course's X_train_orig / 255. */
FV_API fv_status fv_tb_normalize(double *y, const unsigned char *x, size_t n);
/**
 * Each channel to mean 0 and deviation 1 over all pictures and pixels; a channel that is constant
 * becomes 0. y, x [N,H,W,C]; y may be x. n = 0 is legal. Source: Goodfellow, section 12.2.1.1.
 */
FV_API fv_status fv_tb_standardize(double *y, const double *x, int n, int h, int w, int c);
/**
 * y_hot [C,m]: column i is 1 in row y[i], else 0. (The rows of the identity, picked by y and
 * transposed.) FV_E_ARG, naming the sample, for a label outside 0 .. c-1; nothing is written then.
 * Source: course, convert_to_one_hot.
 */
FV_API fv_status fv_tb_convert_to_one_hot(double *y_hot, const int *y, int m, int c);
/**
 * The order of m samples in mini-batches, numpy's for that seed: batch k is order[k*mini_batch_size]
 * onward, the last one shorter when m is no multiple.
 *
 *   order [m]  out; batches  out, how many there are; may be NULL
 *
 * Source: course, random_mini_batches: np.random.seed(seed), np.random.permutation(m), slices.
 */
FV_API fv_status fv_tb_random_mini_batches(int *order, int *batches, int m, int mini_batch_size,
                                           uint32_t seed);

#ifdef __cplusplus
}
#endif

#endif
