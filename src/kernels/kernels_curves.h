/* SPDX-License-Identifier: MIT */
/* Template of what rests on exp: sigmoid, tanh, softmax. Included once by each kernels_<isa>.c
   after kernels_tile.h. */

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
