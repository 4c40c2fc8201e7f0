/* SPDX-License-Identifier: MIT */
/* The kernels with SSE2, which every x86-64 processor has. */
#include "kernels/kernels_list.h"

typedef int kernels_sse2_unused; /* a file must not be empty on other processors */

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

/* On these processors a compiler makes SSE2 of the plain C in kernels_generic.c too, and the tiles
   come out alike. What differs is what plain C cannot say, the roots of a vector and its first
   lanes: Adam is twice as fast here. Same operations, same order: the same bits. */

#define FVI_ISA sse2
#define FVI_ISA_TEXT "sse2"
#define FVI_LANES 4
#define FVI_ROWS_MAX                                                                               \
    4 /* 8 sums, 2 loads, 1 broadcast, 1 product of 16 registers; 6 rows are no faster */
#define FVI_VECTORS_MAX 2
#define FVI_EACH_ROWS(X) X(1) X(2) X(3) X(4)
#define FVI_THIN_MAX FVI_ROWS_MAX
#define FVI_EACH_THIN(X)
#define FVI_EACH_VECTORS(X, m) X(m, 1) X(m, 2)
#define FVI_FMA(a, b, c) ((a) * (b) + (c)) /* two roundings: nothing is fused */
#define FVI_AT_MOST(limit, v) _mm_min_ps((limit), (v))
#define FVI_SQRT(v) _mm_sqrt_ps(v)
#define FVI_LOAD_FIRST(p, n) sse2_load_first((p), (n))
#define FVI_STORE_FIRST(p, v, n) sse2_store_first((p), (v), (n))
#define FVI_LOAD_BYTES(p) (FVI_BITS) sse2_load_bytes(p)
#define FVI_STORE_BYTES(p, bits) sse2_store_bytes((p), (__m128i)(bits))

FVI_ISA_BEGIN("sse2")

/* 0 < n < 4 */
static inline __attribute__((always_inline)) __m128 sse2_load_first(const float *p, int n)
{
    if (n == 1) return _mm_load_ss(p);
    const __m128 two = _mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)p);
    return n == 2 ? two : _mm_movelh_ps(two, _mm_load_ss(p + 2));
}

static inline __attribute__((always_inline)) void sse2_store_first(float *p, __m128 v, int n)
{
    if (n == 1) {
        _mm_store_ss(p, v);
        return;
    }
    _mm_storel_pi((__m64 *)p, v);
    if (n == 3) _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
}

static inline __attribute__((always_inline)) __m128i sse2_load_bytes(const uint8_t *p)
{
    int four;
    memcpy(&four, p, sizeof four);
    const __m128i zero = _mm_setzero_si128();
    return _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(four), zero), zero);
}

static inline __attribute__((always_inline)) void sse2_store_bytes(uint8_t *p, __m128i bits)
{
    const __m128i low = _mm_and_si128(bits, _mm_set1_epi32(255));
    const int four = _mm_cvtsi128_si32(_mm_packus_epi16(_mm_packs_epi32(low, low), low));
    memcpy(p, &four, sizeof four);
}

#include "kernels/kernels_tile.h"
#include "kernels/kernels_pack.h"
#include "kernels/kernels_dot.h"
#include "kernels/kernels_windows.h"
#include "kernels/kernels_max.h"
#include "kernels/kernels_planes_pool.h"
#include "kernels/kernels_planes.h"
#include "kernels/kernels_depthwise.h"
#include "kernels/kernels_depthwise_pairs.h"
#include "kernels/kernels_depthwise_strips.h"
#include "kernels/kernels_groups.h"
#include "kernels/kernels_depthwise_sums.h"
#include "kernels/kernels_curves.h"
#include "kernels/kernels_norm.h"
#include "kernels/kernels_pool.h"
#include "kernels/kernels_loops.h"

FVI_ISA_END

#endif
