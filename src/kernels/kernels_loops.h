/* SPDX-License-Identifier: MIT */
/* Template of the loops over elements and the table itself, included once by each kernels_<isa>.c
   after kernels_tile.h. */

/* ---- element by element ---- */

static void FVI_NAME(add)(size_t n, float *y, const float *x)
{
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i)
        y[i] += x[i];
}

static void FVI_NAME(sum)(size_t n, float *y, const float *a, const float *b, bool is_clipped)
{
    if (!is_clipped) {
        FVI_EACH_ALONE
        for (size_t i = 0; i < n; ++i)
            y[i] = a[i] + b[i];
        return;
    }
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i) {
        const float sum = a[i] + b[i];
        y[i] = sum < 0 ? 0 : sum;
    }
}

static void FVI_NAME(multiply)(size_t n, float *y, const float *a, const float *b)
{
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i)
        y[i] = a[i] * b[i];
}

static void FVI_NAME(multiply_add)(size_t n, float *y, const float *a, const float *b)
{
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i)
        y[i] += a[i] * b[i];
}

/* NaN passes: no comparison holds. Below the threshold a slope of 0 is no product, since 0 *
   infinity is none. */
static void FVI_NAME(relu)(size_t n, float *y, const float *x, const fvi_relu *p)
{
    const float least = p->threshold, most = p->max;
    if (p->slope == 0) {
        FVI_EACH_ALONE
        for (size_t i = 0; i < n; ++i) {
            const float value = x[i] < least ? 0 : x[i];
            y[i] = value >= most ? most : value;
        }
        return;
    }
    const FVI_VECTOR slope = FVI_SPLAT(p->slope), threshold = FVI_SPLAT(least);
    const FVI_VECTOR max = FVI_SPLAT(most);
    for (size_t i = 0; i < n; i += FVI_LANES) {
        const FVI_VECTOR v = FVI_NAME(load_part)(x + i, n - i);
        const FVI_VECTOR high = FVI_NAME(select)((FVI_BITS)(v >= max), max, v);
        const FVI_VECTOR y_part =
            FVI_NAME(select)((FVI_BITS)(v < threshold), slope * (v - threshold), high);
        FVI_NAME(store_part)(y + i, y_part, n - i);
    }
}

/* At the threshold itself the slope below counts, at the maximum 0: so TensorFlow has it. Where the
   slope is 0, so is the product with an infinite dy. */
static void FVI_NAME(relu_gradient)(size_t n, float *dx, const float *dy, const float *x,
                                    const fvi_relu *p, bool is_added)
{
    const FVI_VECTOR slope = FVI_SPLAT(p->slope), threshold = FVI_SPLAT(p->threshold);
    const FVI_VECTOR max = FVI_SPLAT(p->max), one = FVI_SPLAT(1.0f), zero = FVI_SPLAT(0.0f);
    for (size_t i = 0; i < n; i += FVI_LANES) {
        const FVI_VECTOR v = FVI_NAME(load_part)(x + i, n - i);
        const FVI_VECTOR top = FVI_NAME(load_part)(dy + i, n - i);
        const FVI_VECTOR rise = FVI_NAME(select)((FVI_BITS)(v > threshold), one, slope);
        const FVI_VECTOR factor = FVI_NAME(select)((FVI_BITS)(v >= max), zero, rise);
        const FVI_BITS is_kept = (FVI_BITS)(factor != zero);
        FVI_VECTOR part = (FVI_VECTOR)(is_kept & (FVI_BITS)(top * factor));
        if (is_added) part += FVI_NAME(load_part)(dx + i, n - i);
        FVI_NAME(store_part)(dx + i, part, n - i);
    }
}

static void FVI_NAME(clip_gradient)(size_t n, float *dz, const float *y)
{
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i)
        dz[i] = y[i] > 0 ? dz[i] : 0;
}

static void FVI_NAME(sigmoid_gradient)(size_t n, float *dz, const float *y)
{
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i)
        dz[i] *= y[i] * (1.0f - y[i]);
}

static void FVI_NAME(tanh_gradient)(size_t n, float *dz, const float *y)
{
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i)
        dz[i] *= 1.0f - y[i] * y[i];
}

/* ---- optimizers ---- */

#ifndef FVI_DIVIDE
#define FVI_DIVIDE(a, b) ((a) / (b))
#endif

/* Numbers below the normal ones cost a hundred times the time of others, and the mean of a gradient
   that has become 0, as that of a dead unit, ends there and stays. So what is this small is 0. */
#define FVI_LEAST 0x1p-95f
#define FVI_LEAST_BITS 0x70000000u /* of which a number of FVI_LEAST or more has one */
#define FVI_ROOT_BITS 0x60000000u  /* 2^-63, whose square is normal */

/* v where it has any of some bits, else 0. */
#ifndef FVI_FLUSH
#define FVI_FLUSH(v, some) FVI_NAME(flush)((v), (some))
FVI_INLINE FVI_VECTOR FVI_NAME(flush)(FVI_VECTOR v, uint32_t some)
{
    const FVI_BITS bits = (FVI_BITS)v;
    return (FVI_VECTOR)(bits & (FVI_BITS)((bits & some) != 0));
}
#endif

/* x - x is 0 for a finite x and NaN otherwise. */
static bool FVI_NAME(is_finite)(size_t n, const float *x)
{
    unsigned bad = 0;
    for (size_t i = 0; i < n; ++i)
        bad |= x[i] - x[i] != 0.0f;
    return bad == 0;
}

/* Keras's SGD: v = momentum*v - rate*g; w += v, or with Nesterov w += momentum*v - rate*g. */
static bool FVI_NAME(sgd)(size_t n, float *w, const float *g, float *velocity, const fvi_sgd *p)
{
    const float rate = p->rate, momentum = p->momentum;
    unsigned bad = 0;
    if (!velocity) {
        FVI_EACH_ALONE
        for (size_t i = 0; i < n; ++i) {
            w[i] -= rate * g[i];
            bad |= (g[i] - g[i]) + (w[i] - w[i]) != 0.0f;
        }
        return bad == 0;
    }
    const float ahead = p->nesterov ? momentum : 1.0f, more = p->nesterov ? rate : 0.0f;
    FVI_EACH_ALONE
    for (size_t i = 0; i < n; ++i) {
        float v = momentum * velocity[i] - rate * g[i];
        v = v > -FVI_LEAST && v < FVI_LEAST ? 0 : v;
        velocity[i] = v;
        w[i] += ahead * v - more * g[i];
        bad |= (g[i] - g[i]) + (w[i] - w[i]) != 0.0f;
    }
    return bad == 0;
}

/* A vector of Adam's; left floats are in the array. Adds 0 to bad, or NaN where a weight becomes
   infinite or NaN, as it does by a gradient that is. */
FVI_INLINE void FVI_NAME(adam_part)(float *w, const float *g, float *m, float *v, const fvi_adam *p,
                                    size_t left, FVI_VECTOR *bad)
{
    const FVI_VECTOR share_1 = FVI_SPLAT((float)(1.0 - (double)p->beta_1));
    const FVI_VECTOR share_2 = FVI_SPLAT((float)(1.0 - (double)p->beta_2));
    const FVI_VECTOR slope = FVI_NAME(load_part)(g, left);
    FVI_VECTOR first = FVI_FLUSH(FVI_NAME(load_part)(m, left), FVI_LEAST_BITS);
    FVI_VECTOR second = FVI_FLUSH(FVI_NAME(load_part)(v, left), FVI_LEAST_BITS);
    const FVI_VECTOR kept = FVI_FLUSH(slope, FVI_ROOT_BITS);
    first = FVI_FMA(slope - first, share_1, first);
    second = FVI_FMA(FVI_FMA(kept, kept, -second), share_2, second);
    const FVI_VECTOR by = FVI_DIVIDE(first, FVI_SQRT(second) + p->epsilon);
    const FVI_VECTOR weight = FVI_FMA(by, FVI_SPLAT(-p->rate), FVI_NAME(load_part)(w, left));
    *bad = FVI_FMA(weight, (FVI_VECTOR){0}, *bad);
    FVI_NAME(store_part)(w, weight, left);
    FVI_NAME(store_part)(m, first, left);
    FVI_NAME(store_part)(v, second, left);
}

/* Kingma and Ba 2015, in the form of the end of their section 2, as Keras has it. */
static bool FVI_NAME(adam)(size_t n, float *w, const float *g, float *m, float *v,
                           const fvi_adam *p)
{
    const fvi_adam all = *p; /* no array is to be thought part of it */
    FVI_VECTOR bad = {0};
    size_t i = 0;
    for (; i + FVI_LANES <= n; i += FVI_LANES)
        FVI_NAME(adam_part)(w + i, g + i, m + i, v + i, &all, FVI_LANES, &bad);
    if (i < n) FVI_NAME(adam_part)(w + i, g + i, m + i, v + i, &all, n - i, &bad);
    bool is_good = true;
    for (int lane = 0; lane < FVI_LANES; ++lane)
        is_good &= bad[lane] == 0;
    return is_good;
}

const fvi_kernels FVI_CAT(fvi_kernels, FVI_ISA) = {
    .isa = FVI_ISA_TEXT,
    .tiles = &FVI_NAME(tiles),
    .depthwise = &FVI_NAME(depthwise),
    .add = FVI_NAME(add),
    .sum = FVI_NAME(sum),
    .multiply = FVI_NAME(multiply),
    .multiply_add = FVI_NAME(multiply_add),
    .relu = FVI_NAME(relu),
    .relu_gradient = FVI_NAME(relu_gradient),
    .clip_gradient = FVI_NAME(clip_gradient),
    .sigmoid = FVI_NAME(sigmoid),
    .sigmoid_gradient = FVI_NAME(sigmoid_gradient),
    .tanh = FVI_NAME(tanh),
    .tanh_gradient = FVI_NAME(tanh_gradient),
    .log = FVI_NAME(log),
    .binary_logits = FVI_NAME(binary_logits),
    .exp_row = FVI_NAME(exp_row),
    .softmax = FVI_NAME(softmax),
    .softmax_gradient = FVI_NAME(softmax_gradient),
    .channel_sums = FVI_NAME(channel_sums),
    .channel_affine = FVI_NAME(channel_affine),
    .channel_gradient_sums = FVI_NAME(channel_gradient_sums),
    .channel_gradient = FVI_NAME(channel_gradient),
    .max_pool = FVI_NAME(max_pool),
    .max_pool_gradient = FVI_NAME(max_pool_gradient),
    .max_pool_pick = FVI_NAME(max_pool_pick),
    .average_pool = FVI_NAME(average_pool),
    .average_pool_gradient = FVI_NAME(average_pool_gradient),
    .sgd = FVI_NAME(sgd),
    .adam = FVI_NAME(adam),
    .is_finite = FVI_NAME(is_finite),
};
