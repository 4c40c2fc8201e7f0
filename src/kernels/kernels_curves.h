/* SPDX-License-Identifier: MIT */
/* Template of what rests on exp: sigmoid, tanh, softmax. Included once by each kernels_<isa>.c
   after kernels_tile.h. */

/* No libm: the same bits on every system, and, as nothing is fused, in every table. Arguments of
   exp are never above 0 here. exp(x) = 2^n * exp(r) with n the integer nearest x / ln 2 and |r| <=
   ln 2 / 2; ln 2 is taken off in two parts of which n times the first is exact (W. J. Cody, W.
   Waite, Software Manual for the Elementary Functions, 1980, chapter 6); then Taylor's series to
   r^7, whose rest is below 6e-9. Below -87.3 the result would leave the normal numbers and is 0. */

FVI_INLINE FVI_VECTOR FVI_NAME(select)(FVI_BITS mask, FVI_VECTOR yes, FVI_VECTOR no)
{
    return (FVI_VECTOR)((mask & (FVI_BITS)yes) | (~mask & (FVI_BITS)no));
}

/* A vector of which left floats are in the array, at most a whole one. */
FVI_INLINE FVI_VECTOR FVI_NAME(load_part)(const float *p, size_t left)
{
    if (left >= FVI_LANES) return FVI_LOAD(p);
    return FVI_LOAD_FIRST(p, (int)left);
}

FVI_INLINE void FVI_NAME(store_part)(float *p, FVI_VECTOR v, size_t left)
{
    if (left >= FVI_LANES)
        FVI_STORE(p, v);
    else
        FVI_STORE_FIRST(p, v, (int)left);
}

/* exp(x) = scale * (1 + rest), for x <= 0 held at -87.3. */
typedef struct FVI_NAME(exp_parts) {
    FVI_VECTOR scale, rest;
} FVI_NAME(exp_parts);

FVI_INLINE FVI_NAME(exp_parts) FVI_NAME(exp_split)(FVI_VECTOR x)
{
    const FVI_VECTOR low = FVI_SPLAT(-87.3f);
    x = FVI_NAME(select)((FVI_BITS)(x < low), low, x); /* NaN stays */
    /* Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits. */
    const FVI_VECTOR shifted = x * 1.44269504f + 12582912.0f;
    const FVI_VECTOR n = shifted - 12582912.0f;
    const FVI_VECTOR r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    FVI_VECTOR p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    return (FVI_NAME(exp_parts)){(FVI_VECTOR)(((FVI_BITS)shifted + 127) << 23), p * r * r + r};
}

FVI_INLINE FVI_VECTOR FVI_NAME(exp)(FVI_VECTOR x)
{
    const FVI_NAME(exp_parts) e = FVI_NAME(exp_split)(x);
    const FVI_BITS is_zero = (FVI_BITS)(x < FVI_SPLAT(-87.3f));
    return (FVI_VECTOR)(~is_zero & (FVI_BITS)(e.scale + e.scale * e.rest));
}

FVI_INLINE FVI_VECTOR FVI_NAME(sigmoid_of)(FVI_VECTOR x)
{
    const FVI_VECTOR one = FVI_SPLAT(1.0f);
    const FVI_VECTOR e = FVI_NAME(exp)((FVI_VECTOR)((FVI_BITS)x | 0x80000000u));
    return FVI_NAME(select)((FVI_BITS)(x < FVI_SPLAT(0.0f)), e, one) / (one + e);
}

/* tanh |x| = -m / (2 + m) with m = exp(-2|x|) - 1, which keeps its digits near 0. */
FVI_INLINE FVI_VECTOR FVI_NAME(tanh_of)(FVI_VECTOR x)
{
    const FVI_BITS sign = (FVI_BITS)x & 0x80000000u;
    const FVI_NAME(exp_parts) e =
        FVI_NAME(exp_split)((FVI_VECTOR)((FVI_BITS)x | 0x80000000u) * 2.0f);
    const FVI_VECTOR m = e.scale * e.rest + (e.scale - 1.0f);
    return (FVI_VECTOR)((FVI_BITS)(-m / (m + 2.0f)) | sign);
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

static float FVI_NAME(row_max)(size_t n, const float *x)
{
    FVI_VECTOR most = FVI_SPLAT(x[0]);
    size_t i = 0;
    for (; i + FVI_LANES <= n; i += FVI_LANES) {
        const FVI_VECTOR v = FVI_LOAD(x + i);
        most = FVI_NAME(select)((FVI_BITS)(v > most), v, most);
    }
    float max = x[0];
    for (int lane = 0; lane < FVI_LANES; ++lane)
        max = most[lane] > max ? most[lane] : max;
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

static void FVI_NAME(softmax)(size_t rows, int C, float *y, const float *x)
{
    const size_t n = (size_t)C;
    for (size_t r = 0; r < rows; ++r, x += n, y += n) {
        const FVI_VECTOR max = FVI_SPLAT(FVI_NAME(row_max)(n, x));
        for (size_t i = 0; i < n;
             i += FVI_LANES) /* lanes past n hold anything, and are not stored */
            FVI_NAME(store_part)
        (y + i, FVI_NAME(exp)(FVI_NAME(load_part)(x + i, n - i) - max), n - i);
        const float scale = (float)(1.0 / FVI_NAME(row_sum)(n, y));
        for (size_t c = 0; c < n; ++c)
            y[c] *= scale;
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
