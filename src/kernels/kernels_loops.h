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

/* Numbers below the normal ones cost a hundred times the time of others, and the mean of a gradient
   that has become 0, as that of a dead unit, ends there and stays. So what is this small is 0. */
#define FVI_LEAST 1e-30f
FVI_INLINE FVI_VECTOR FVI_NAME(flush)(FVI_VECTOR v, float least)
{
    const FVI_VECTOR low = FVI_SPLAT(-least), high = FVI_SPLAT(least);
    return (FVI_VECTOR)((FVI_BITS)v & ~((FVI_BITS)(v > low) & (FVI_BITS)(v < high)));
}

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

/* Kingma and Ba 2015, in the form of the end of their section 2, as Keras has it. */
static bool FVI_NAME(adam)(size_t n, float *w, const float *g, float *m, float *v,
                           const fvi_adam *p)
{
    const float rate = p->rate, epsilon = p->epsilon;
    const float share_1 = (float)(1.0 - (double)p->beta_1);
    const float share_2 = (float)(1.0 - (double)p->beta_2);
    FVI_VECTOR bad = {0}; /* becomes NaN */
    for (size_t i = 0; i < n; i += FVI_LANES) {
        const size_t left = n - i;
        const FVI_VECTOR slope = FVI_NAME(load_part)(g + i, left);
        FVI_VECTOR weight = FVI_NAME(load_part)(w + i, left);
        FVI_VECTOR first = FVI_NAME(load_part)(m + i, left);
        FVI_VECTOR second = FVI_NAME(load_part)(v + i, left);
        first += (slope - first) * share_1;
        const FVI_VECTOR kept = FVI_NAME(flush)(slope, 1e-15f); /* its square is FVI_LEAST */
        second += (kept * kept - second) * share_2;
        first = FVI_NAME(flush)(first, FVI_LEAST);
        second = FVI_NAME(flush)(second, FVI_LEAST);
        weight -= first * rate / (FVI_SQRT(second) + epsilon);
        bad += (slope - slope) + (weight - weight);
        FVI_NAME(store_part)(w + i, weight, left);
        FVI_NAME(store_part)(m + i, first, left);
        FVI_NAME(store_part)(v + i, second, left);
    }
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
    .exp_row = FVI_NAME(exp_row),
    .softmax = FVI_NAME(softmax),
    .softmax_gradient = FVI_NAME(softmax_gradient),
    .channel_sums = FVI_NAME(channel_sums),
    .channel_affine = FVI_NAME(channel_affine),
    .channel_gradient_sums = FVI_NAME(channel_gradient_sums),
    .channel_gradient = FVI_NAME(channel_gradient),
    .max_pool = FVI_NAME(max_pool),
    .max_pool_gradient = FVI_NAME(max_pool_gradient),
    .average_pool = FVI_NAME(average_pool),
    .average_pool_gradient = FVI_NAME(average_pool_gradient),
    .sgd = FVI_NAME(sgd),
    .adam = FVI_NAME(adam),
    .is_finite = FVI_NAME(is_finite),
};
