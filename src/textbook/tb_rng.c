/* SPDX-License-Identifier: MIT */
/* numpy's legacy random stream: a Mersenne Twister (MT19937) and what numpy makes of its words. */
#include "fovea/textbook.h"
#include "textbook/tb_check.h"

#include <math.h>

#define TB_RNG_WORDS 624
#define TB_RNG_SHIFT 397

fv_status fv_tb_rng_seed(fv_tb_rng *rng, uint32_t seed)
{
    FVI_TB_NEED("fv_tb_rng_seed", rng);
    rng->word[0] = seed;
    for (uint32_t i = 1; i < TB_RNG_WORDS; i++) {
        const uint32_t before = rng->word[i - 1];
        rng->word[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
    rng->position = TB_RNG_WORDS;
    rng->has_normal = false;
    rng->normal = 0.0;
    return FV_OK;
}

static fv_status tb_rng_check(const char *who, const fv_tb_rng *rng, const void *out)
{
    FVI_TB_NEED(who, rng);
    FVI_TB_NEED(who, out);
    if (rng->position < 1 || rng->position > TB_RNG_WORDS)
        return fvi_fail(FV_E_STATE, "%s: the generator was never seeded; call fv_tb_rng_seed first",
                        who);
    return FV_OK;
}

/* Matsumoto and Nishimura's recurrence: the top bit of each word, the rest of the one after it. */
static void tb_rng_refill(fv_tb_rng *rng)
{
    for (int i = 0; i < TB_RNG_WORDS; i++) {
        const uint32_t top = rng->word[i] & 0x80000000u;
        const uint32_t rest = rng->word[(i + 1) % TB_RNG_WORDS] & 0x7fffffffu;
        const uint32_t y = top | rest;
        rng->word[i] = rng->word[(i + TB_RNG_SHIFT) % TB_RNG_WORDS] ^ (y >> 1) ^
                       ((y & 1u) != 0 ? 0x9908b0dfu : 0u);
    }
    rng->position = 0;
}

static uint32_t tb_rng_next(fv_tb_rng *rng)
{
    if (rng->position == TB_RNG_WORDS) tb_rng_refill(rng);
    uint32_t y = rng->word[rng->position++];
    y ^= y >> 11; /* "tempering": spreads the bits */
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    y ^= y >> 18;
    return y;
}

/* 27 and 26 bits of two words make the 53 bits of a double in [0,1). */
static double tb_rng_uniform(fv_tb_rng *rng)
{
    const uint32_t a = tb_rng_next(rng) >> 5;
    const uint32_t b = tb_rng_next(rng) >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
}

/* Marsaglia's polar method: a point in the unit disc gives two normals; one waits its turn. */
static double tb_rng_normal(fv_tb_rng *rng)
{
    if (rng->has_normal) {
        rng->has_normal = false;
        return rng->normal;
    }
    double x1, x2, r2;
    do {
        x1 = 2.0 * tb_rng_uniform(rng) - 1.0;
        x2 = 2.0 * tb_rng_uniform(rng) - 1.0;
        r2 = x1 * x1 + x2 * x2;
    } while (r2 >= 1.0 || r2 == 0.0);
    const double factor = sqrt(-2.0 * log(r2) / r2);
    rng->normal = factor * x1;
    rng->has_normal = true;
    return factor * x2;
}

/* 0 to max, both included: enough bits for max, drawn again until the number is not larger. */
static uint32_t tb_rng_interval(fv_tb_rng *rng, uint32_t max)
{
    if (max == 0) return 0;
    uint32_t mask = max;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    uint32_t value;
    do {
        value = tb_rng_next(rng) & mask;
    } while (value > max);
    return value;
}

fv_status fv_tb_rng_uint32(fv_tb_rng *rng, uint32_t *out, size_t n)
{
    FVI_TRY(tb_rng_check("fv_tb_rng_uint32", rng, out));
    for (size_t k = 0; k < n; k++)
        out[k] = tb_rng_next(rng);
    return FV_OK;
}

fv_status fv_tb_rng_rand(fv_tb_rng *rng, double *out, size_t n)
{
    FVI_TRY(tb_rng_check("fv_tb_rng_rand", rng, out));
    for (size_t k = 0; k < n; k++)
        out[k] = tb_rng_uniform(rng);
    return FV_OK;
}

fv_status fv_tb_rng_randn(fv_tb_rng *rng, double *out, size_t n)
{
    FVI_TRY(tb_rng_check("fv_tb_rng_randn", rng, out));
    for (size_t k = 0; k < n; k++)
        out[k] = tb_rng_normal(rng);
    return FV_OK;
}

fv_status fv_tb_rng_randint(fv_tb_rng *rng, int64_t *out, size_t n, int64_t lo, int64_t hi)
{
    FVI_TRY(tb_rng_check("fv_tb_rng_randint", rng, out));
    /* Unsigned, because hi - lo can pass the largest int64_t. */
    const uint64_t max = (uint64_t)hi - (uint64_t)lo - 1;
    if (hi <= lo || max > UINT32_MAX)
        return fvi_fail(FV_E_ARG,
                        "fv_tb_rng_randint: lo is %lld and hi is %lld; a hi above lo by at most "
                        "2^32 is expected",
                        (long long)lo, (long long)hi);
    for (size_t k = 0; k < n; k++)
        out[k] = lo + (int64_t)tb_rng_interval(rng, (uint32_t)max);
    return FV_OK;
}

fv_status fv_tb_rng_shuffle(fv_tb_rng *rng, int *p, int n)
{
    const char *who = "fv_tb_rng_shuffle";
    FVI_TB_NEED(who, p);
    FVI_TRY(tb_rng_check(who, rng, p));
    FVI_TB_LEAST(who, n, 0);
    for (int i = n - 1; i > 0; i--) {
        const uint32_t j = tb_rng_interval(rng, (uint32_t)i);
        const int swap = p[i];
        p[i] = p[j];
        p[j] = swap;
    }
    return FV_OK;
}

fv_status fv_tb_rng_permutation(fv_tb_rng *rng, int *p, int n)
{
    const char *who = "fv_tb_rng_permutation";
    FVI_TB_NEED(who, p);
    FVI_TRY(tb_rng_check(who, rng, p));
    FVI_TB_LEAST(who, n, 0);
    for (int k = 0; k < n; k++)
        p[k] = k;
    return fv_tb_rng_shuffle(rng, p, n);
}
