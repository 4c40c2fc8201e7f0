/* SPDX-License-Identifier: MIT */
/* Counter-based random numbers: a number is a pure function of (seed, purpose, stream, index). */
#include "base/base_internal.h"

#include <math.h>

/* Constants of Salmon et al.: Parallel random numbers: as easy as 1, 2, 3 (SC 2011). */
#define RNG_MULTIPLY_0 UINT64_C(0xD2511F53)
#define RNG_MULTIPLY_1 UINT64_C(0xCD9E8D57)
#define RNG_WEYL_0 UINT32_C(0x9E3779B9)
#define RNG_WEYL_1 UINT32_C(0xBB67AE85)
#define RNG_ROUNDS 10

static const double rng_two_pi = 6.283185307179586476925;

void fvi_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < RNG_ROUNDS; round++) {
        uint64_t p0 = RNG_MULTIPLY_0 * x0, p1 = RNG_MULTIPLY_1 * x2;
        x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)p1;
        x3 = (uint32_t)p0;
        k0 += RNG_WEYL_0;
        k1 += RNG_WEYL_1;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* purpose as a plain word: fvi_rng_int puts its rare further tries above the purposes. */
static void rng_words(uint32_t out[4], uint64_t seed, uint32_t purpose, uint32_t stream,
                      uint64_t index)
{
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, purpose};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    fvi_philox(out, counter, key);
}

static uint64_t rng_join(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* The upper 53 bits as a fraction in [0,1). */
static double rng_fraction(uint32_t low, uint32_t high)
{
    return (double)(rng_join(low, high) >> 11) * 0x1p-53;
}

void fvi_rng_words(uint32_t out[4], uint64_t seed, fvi_purpose purpose, uint32_t stream,
                   uint64_t index)
{
    rng_words(out, seed, (uint32_t)purpose, stream, index);
}

double fvi_rng_uniform(uint64_t seed, fvi_purpose purpose, uint32_t stream, uint64_t index)
{
    uint32_t word[4];
    fvi_rng_words(word, seed, purpose, stream, index);
    return rng_fraction(word[0], word[1]);
}

double fvi_rng_normal(uint64_t seed, fvi_purpose purpose, uint32_t stream, uint64_t index)
{
    uint32_t word[4];
    fvi_rng_words(word, seed, purpose, stream, index);
    double radius = 1.0 - rng_fraction(word[0], word[1]); /* (0,1]: the logarithm is finite */
    return sqrt(-2.0 * log(radius)) * cos(rng_two_pi * rng_fraction(word[2], word[3]));
}

int fvi_rng_int(uint64_t seed, fvi_purpose purpose, uint32_t stream, uint64_t index, int below)
{
    if (below <= 1) return 0;
    /* 64 bits modulo below, refusing the incomplete last round of the 2^64 values. */
    uint64_t range = (uint64_t)below, extra = (UINT64_MAX % range + 1) % range;
    for (uint32_t attempt = 0;; attempt++) {
        uint32_t word[4];
        rng_words(word, seed, (uint32_t)purpose + (attempt << 16), stream, index);
        for (int i = 0; i < 4; i += 2) {
            uint64_t value = rng_join(word[i], word[i + 1]);
            if (value <= UINT64_MAX - extra) return (int)(value % range);
        }
    }
}

void fvi_rng_permutation(int *p, int n, uint64_t seed, fvi_purpose purpose, uint32_t stream)
{
    for (int i = 0; i < n; i++) {
        p[i] = i;
    }
    for (int i = n - 1; i > 0; i--) {
        int j = fvi_rng_int(seed, purpose, stream, (uint64_t)i, i + 1);
        int kept = p[i];
        p[i] = p[j];
        p[j] = kept;
    }
}

uint64_t fvi_hash(const void *bytes, size_t size, uint64_t seed)
{
    /* FNV-1a, then the finalizer of MurmurHash3, since the last bytes hardly reach the high bits. */
    const unsigned char *at = bytes;
    uint64_t h = UINT64_C(0xCBF29CE484222325) ^ seed;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ at[i]) * UINT64_C(0x100000001B3);
    }
    h = (h ^ h >> 33) * UINT64_C(0xFF51AFD7ED558CCD);
    h = (h ^ h >> 33) * UINT64_C(0xC4CEB9FE1A85EC53);
    return h ^ h >> 33;
}
