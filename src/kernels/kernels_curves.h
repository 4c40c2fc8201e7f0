/* SPDX-License-Identifier: MIT */
/* Template of what rests on exp and log: sigmoid, tanh, softmax, binary cross-entropy. Included once
   by each kernels_<isa>.c after kernels_tile.h. */

/* No libm: the same bits on every system, and, as nothing is fused, in every table. Arguments of
   exp are never above 0 here. exp(x) = 2^n * exp(r) with n the integer nearest x / ln 2 and |r| <=
   ln 2 / 2; ln 2 is taken off in two parts of which n times the first is exact (W. J. Cody, W.
   Waite, Software Manual for the Elementary Functions, 1980, chapter 6); then Taylor's series to
   r^7, whose rest is below 6e-9. Below ln 2^-126 the result would leave the normal numbers and is
   0. */

#define FVI_EXP_LEAST (-87.33654f)

/* Said of plain loops whose iterations do not meet: in place is the same index. Nothing in them is
   fused or reordered, so each gives the same bits in every table. */
#if defined(FVI_CHECKED)
#define FVI_EACH_ALONE
#elif defined(__clang__)
#define FVI_EACH_ALONE _Pragma("clang loop vectorize(assume_safety)")
#else
#define FVI_EACH_ALONE _Pragma("GCC ivdep")
#endif

/* A vector of which left floats are in the array, at most a whole one. */
FVI_INLINE FVI_VECTOR FVI_NAME(load_part)(const float *p, size_t left)
{
    return FVI_NAME(load_some)(p, left < FVI_LANES ? (int)left : FVI_LANES);
}

FVI_INLINE void FVI_NAME(store_part)(float *p, FVI_VECTOR v, size_t left)
{
    FVI_NAME(store_some)(p, v, left < FVI_LANES ? (int)left : FVI_LANES);
}

/* exp(x) = scale * (1 + rest + lost), for FVI_EXP_LEAST <= x <= 0; lost: by the rounding of rest. */
typedef struct FVI_NAME(exp_parts) {
    FVI_VECTOR scale, rest, lost;
} FVI_NAME(exp_parts);

FVI_INLINE FVI_NAME(exp_parts) FVI_NAME(exp_split)(FVI_VECTOR x)
{
    /* Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits. */
    const FVI_VECTOR shifted = x * 1.44269504f + 12582912.0f;
    const FVI_VECTOR n = shifted - 12582912.0f;
    const FVI_VECTOR r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    FVI_VECTOR p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    const FVI_VECTOR above = p * r * r, rest = above + r;
    return (FVI_NAME(exp_parts)){(FVI_VECTOR)(((FVI_BITS)shifted + 127) << 23), rest,
                                 above - (rest - r)};
}

FVI_INLINE FVI_VECTOR FVI_NAME(exp)(FVI_VECTOR x)
{
    const FVI_NAME(exp_parts) e = FVI_NAME(exp_split)(x);
    const FVI_BITS is_zero = (FVI_BITS)(x < FVI_SPLAT(FVI_EXP_LEAST));
    return (FVI_VECTOR)(~is_zero & (FVI_BITS)(e.scale + e.scale * e.rest));
}

/* log(x) = n ln 2 + log(1 + f) with 2/3 <= 1 + f < 4/3 and ln 2 in two parts (Cody and Waite,
   chapter 5, there with a quotient from sqrt(1/2) on), for normal x; less: of n, what x was raised
   by. log(1 + f) = f - f^2/2 + f^3 P(f), P of degree 7, fitted for the least largest error relative
   to log(1 + f), 5e-9 (C. L. Lawson's weights, 1961); each coefficient was rounded before those
   after it were fitted. What adding f to the first part loses is put back. For x = 1 all is +0. */
FVI_INLINE FVI_VECTOR FVI_NAME(log_normal)(FVI_VECTOR x, FVI_VECTOR less)
{
    /* 1 less 2/3, both as bits: the exponent now changes where f starts anew. */
    const FVI_BITS shifted = (FVI_BITS)x + 0x00555555u;
    /* An integer in the lowest bits of 2^23 is 2^23 and that integer. */
    const FVI_VECTOR n = (FVI_VECTOR)(shifted >> 23 | 0x4b000000u) - (8388608.0f + 127.0f) - less;
    const FVI_VECTOR f = (FVI_VECTOR)((FVI_BITS)x - (shifted & 0xff800000u) + 0x3f800000u) - 1.0f;
    FVI_VECTOR p = f * -0.128890693f + 0.139868975f;
    p = p * f - 0.121848933f;
    p = p * f + 0.140053064f;
    p = p * f - 0.166804388f;
    p = p * f + 0.200104460f;
    p = p * f - 0.249997988f;
    p = p * f + 0.333332151f;
    const FVI_VECTOR square = f * f, whole = n * 0.693359375f, sum = whole + f;
    const FVI_VECTOR lost = f - (sum - whole);
    return sum + (n * -2.12194440e-4f + lost + (p * f * square - square * 0.5f));
}

/* Of 0 minus infinity, of what is below NaN; infinity and NaN stay. */
FVI_INLINE FVI_VECTOR FVI_NAME(log_of)(FVI_VECTOR x)
{
    const FVI_VECTOR zero = {0}, infinity = FVI_SPLAT(INFINITY);
    const FVI_BITS is_small = (FVI_BITS)(x < FVI_SPLAT(0x1p-126f));
    const FVI_BITS is_usual = (FVI_BITS)(x > zero) & (FVI_BITS)(x < infinity);
    const FVI_VECTOR raised = FVI_NAME(select)(is_small, x * 0x1p23f, x);
    const FVI_VECTOR less = (FVI_VECTOR)(is_small & (FVI_BITS)FVI_SPLAT(23.0f));
    const FVI_VECTOR below = FVI_NAME(select)((FVI_BITS)(x < zero), FVI_SPLAT(NAN), -infinity);
    const FVI_VECTOR odd = FVI_NAME(select)((FVI_BITS)(x <= zero), below, x);
    return FVI_NAME(select)(is_usual, FVI_NAME(log_normal)(raised, less), odd);
}

/* 1 / sum within 5 %, for sums between 1 and 2: enough to put right what roundings have lost. */
FVI_INLINE FVI_VECTOR FVI_NAME(inverse_of)(FVI_VECTOR sum)
{
    return 1.457f - sum * 0.486f;
}

/* e / (1 + e) or 1 / (1 + e) with e = exp(-|x|), less what 1 + e loses when it is rounded. */
FVI_INLINE FVI_VECTOR FVI_NAME(sigmoid_of)(FVI_VECTOR x)
{
    const FVI_VECTOR one = FVI_SPLAT(1.0f);
    const FVI_VECTOR e = FVI_NAME(exp)((FVI_VECTOR)((FVI_BITS)x | 0x80000000u));
    const FVI_VECTOR top = FVI_NAME(select)((FVI_BITS)(x < FVI_SPLAT(0.0f)), e, one);
    const FVI_VECTOR sum = e + 1.0f, lost = e - (sum - 1.0f), y = top / sum;
    return y - y * (lost * FVI_NAME(inverse_of)(sum));
}

/* tanh |x| = -m / (2 + m) with m = exp(-2|x|) - 1, which keeps its digits near 0, less what m and 2
   + m lose when they are rounded. From 10 on it is 1. */
FVI_INLINE FVI_VECTOR FVI_NAME(tanh_of)(FVI_VECTOR x)
{
    const FVI_BITS sign = (FVI_BITS)x & 0x80000000u;
    const FVI_VECTOR low = FVI_SPLAT(-10.0f), minus = (FVI_VECTOR)((FVI_BITS)x | 0x80000000u);
    const FVI_VECTOR held = FVI_NAME(select)((FVI_BITS)(minus < low), low, minus); /* NaN stays */
    const FVI_NAME(exp_parts) e = FVI_NAME(exp_split)(held * 2.0f);
    const FVI_VECTOR part = e.scale * e.rest, whole = e.scale - 1.0f;
    const FVI_VECTOR m = part + whole, m_lost = part - (m - whole) + e.scale * e.lost;
    const FVI_VECTOR sum = m + 2.0f, lost = m - (sum - 2.0f) + m_lost, y = -m / sum;
    const FVI_VECTOR right = y - (y * lost + m_lost) * FVI_NAME(inverse_of)(sum);
    return (FVI_VECTOR)(((FVI_BITS)right & 0x7fffffffu) | sign);
}

static void FVI_NAME(sigmoid)(size_t n, float *y, const float *x)
{
    for (size_t i = 0; i < n; i += FVI_LANES)
        FVI_NAME(store_part)(y + i, FVI_NAME(sigmoid_of)(FVI_NAME(load_part)(x + i, n - i)), n - i);
}

static void FVI_NAME(tanh)(size_t n, float *y, const float *x)
{
    for (size_t i = 0; i < n; i += FVI_LANES)
        FVI_NAME(store_part)(y + i, FVI_NAME(tanh_of)(FVI_NAME(load_part)(x + i, n - i)), n - i);
}

static void FVI_NAME(log)(size_t n, float *y, const float *x)
{
    for (size_t i = 0; i < n; i += FVI_LANES)
        FVI_NAME(store_part)(y + i, FVI_NAME(log_of)(FVI_NAME(load_part)(x + i, n - i)), n - i);
}

/* A NaN counts where it is the first. */
static float FVI_NAME(row_max)(size_t n, const float *x)
{
    float max = x[0];
    size_t i = 0;
    if (n >= FVI_LANES) {
        FVI_VECTOR most = FVI_SPLAT(x[0]);
        for (; i + FVI_LANES <= n; i += FVI_LANES) {
            const FVI_VECTOR v = FVI_LOAD(x + i);
            most = FVI_NAME(select)((FVI_BITS)(v > most), v, most);
        }
        for (int lane = 0; lane < FVI_LANES; ++lane)
            max = most[lane] > max ? most[lane] : max;
    }
    for (; i < n; ++i)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* Sum of a[i] * b[i] in double, as eight sums in turn whatever the instruction set. */
static double FVI_NAME(row_dot)(size_t n, const float *a, const float *b)
{
    double part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t j = 0; j < 8; ++j)
            part[j] += (double)a[i + j] * (double)b[i + j];
    }
    for (size_t j = 0; i < n; ++i, ++j)
        part[j] += (double)a[i] * (double)b[i];
    return ((part[0] + part[4]) + (part[1] + part[5])) +
           ((part[2] + part[6]) + (part[3] + part[7]));
}

static double FVI_NAME(row_sum)(size_t n, const float *a)
{
    double part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t j = 0; j < 8; ++j)
            part[j] += (double)a[i + j];
    }
    for (size_t j = 0; i < n; ++i, ++j)
        part[j] += (double)a[i];
    return ((part[0] + part[4]) + (part[1] + part[5])) +
           ((part[2] + part[6]) + (part[3] + part[7]));
}

#define FVI_EXP_BLOCK 1024 /* floats, a multiple of 8: whole short rows, or a piece of a long one */

/* y = exp(x - max); lanes past n hold anything, and are not stored. */
FVI_INLINE void FVI_NAME(exp_shifted)(size_t n, float *y, const float *x, float max)
{
    const FVI_VECTOR most = FVI_SPLAT(max);
    for (size_t i = 0; i < n; i += FVI_LANES) {
        const FVI_VECTOR v = FVI_NAME(load_part)(x + i, n - i);
        FVI_NAME(store_part)(y + i, FVI_NAME(exp)(v - most), n - i);
    }
}

static double FVI_NAME(exp_row)(size_t n, float *y, const float *x, float *max)
{
    float room[FVI_EXP_BLOCK];
    double sum = 0;
    *max = FVI_NAME(row_max)(n, x);
    for (size_t i = 0; i < n; i += FVI_EXP_BLOCK) {
        const size_t count = n - i < FVI_EXP_BLOCK ? n - i : FVI_EXP_BLOCK;
        float *to = y ? y + i : room;
        FVI_NAME(exp_shifted)(count, to, x + i, *max);
        sum += FVI_NAME(row_sum)(count, to);
    }
    return sum;
}

/* Short rows: the middle part, which is most of the work, runs over several as if they were one. */
static void FVI_NAME(softmax)(size_t rows, int C, float *y, const float *x)
{
    const size_t n = (size_t)C, most = n < FVI_EXP_BLOCK ? FVI_EXP_BLOCK / n : 1;
    while (rows > 0) {
        const size_t count = rows < most ? rows : most;
        for (size_t r = 0; r < count; ++r) {
            const float max = FVI_NAME(row_max)(n, x + r * n);
            FVI_EACH_ALONE
            for (size_t c = 0; c < n; ++c)
                y[r * n + c] = x[r * n + c] - max;
        }
        FVI_NAME(exp_shifted)(count * n, y, y, 0);
        for (size_t r = 0; r < count; ++r, y += n) {
            const float scale = (float)(1.0 / FVI_NAME(row_sum)(n, y));
            FVI_EACH_ALONE
            for (size_t c = 0; c < n; ++c)
                y[c] *= scale;
        }
        x += count * n;
        rows -= count;
    }
}

static void FVI_NAME(softmax_gradient)(size_t rows, int C, float *dz, const float *y)
{
    const size_t n = (size_t)C;
    for (size_t r = 0; r < rows; ++r, dz += n, y += n) {
        const float mean = (float)FVI_NAME(row_dot)(n, dz, y);
        for (size_t c = 0; c < n; ++c)
            dz[c] = y[c] * (dz[c] - mean);
    }
}

/* The loss of each of left logits, and its gradient, if d is not NULL.

   With e = exp(-|z|): L = |z| * w + log(1 + e), where w = 1 - t for z >= 0 and t below, and dL/dz =
   w - e/(1 + e), or the same negated. No term is below 0 for 0 <= t <= 1, and none loses what the
   rounded 1 + e has lost: that times 1/(1 + e) is added to its logarithm and taken off the quotient.
   A logit that is infinite gives a loss that is infinite, or 0 * infinity. */
FVI_INLINE void FVI_NAME(binary_part)(float *loss, float *d, const float *z, const float *t,
                                      float scale, size_t left)
{
    const FVI_VECTOR v = FVI_NAME(load_part)(z, left), target = FVI_NAME(load_part)(t, left);
    const FVI_BITS is_below = (FVI_BITS)(v < (FVI_VECTOR){0});
    const FVI_VECTOR size = (FVI_VECTOR)((FVI_BITS)v & 0x7fffffffu);
    const FVI_VECTOR e = FVI_NAME(exp)(-size), sum = e + 1.0f, ratio = e / sum;
    const FVI_VECTOR lost = (e - (sum - 1.0f)) * (1.0f - ratio);
    const FVI_VECTOR share = FVI_NAME(select)(is_below, target, 1.0f - target);
    const FVI_VECTOR log_sum = FVI_NAME(log_normal)(sum, (FVI_VECTOR){0}) + lost;
    FVI_NAME(store_part)(loss, size * share + log_sum, left);
    if (!d) return;
    const FVI_VECTOR slope = (share - (ratio - ratio * lost)) * scale;
    FVI_NAME(store_part)(d, (FVI_VECTOR)((FVI_BITS)slope ^ (is_below & 0x80000000u)), left);
}

static double FVI_NAME(binary_logits)(size_t n, float *dz, const float *z, const float *t,
                                      float scale)
{
    float room[FVI_EXP_BLOCK];
    double sum = 0;
    for (size_t i = 0; i < n; i += FVI_EXP_BLOCK) {
        const size_t count = n - i < FVI_EXP_BLOCK ? n - i : FVI_EXP_BLOCK;
        for (size_t j = 0; j < count; j += FVI_LANES) {
            float *d = dz ? dz + i + j : NULL;
            FVI_NAME(binary_part)(room + j, d, z + i + j, t + i + j, scale, count - j);
        }
        sum += FVI_NAME(row_sum)(count, room);
    }
    return sum;
}
