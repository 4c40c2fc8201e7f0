/* SPDX-License-Identifier: MIT */
/* The kernels with AVX2 and FMA: x86 processors since 2013. */
#include "kernels/kernels_list.h"

typedef int kernels_avx2_unused; /* a file must not be empty on other processors */

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define FVI_ISA avx2
#define FVI_ISA_TEXT "avx2"
#define FVI_LANES 8
#define FVI_ROWS_MAX 6 /* 12 sums, 2 loads, 1 broadcast of 16 registers */
#define FVI_VECTORS_MAX 2
#define FVI_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FVI_THIN_MAX 12
#define FVI_EACH_THIN(X) X(7) X(8) X(9) X(10) X(11) X(12)
#define FVI_EACH_VECTORS(X, m) X(m, 1) X(m, 2)
#define FVI_FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define FVI_AT_MOST(limit, v) _mm256_min_ps((limit), (v))
#define FVI_SQRT(v) _mm256_sqrt_ps(v)
#define FVI_LOAD_FIRST(p, n) _mm256_maskload_ps((p), avx2_mask(n))
#define FVI_STORE_FIRST(p, v, n) _mm256_maskstore_ps((p), avx2_mask(n), (v))
#define FVI_LOAD_BYTES(p) (FVI_BITS) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#define FVI_STORE_BYTES(p, bits) avx2_store_bytes((p), (__m256i)(bits))
#define FVI_PERMUTE(v, from) _mm256_permutevar8x32_ps((v), (__m256i)(from))

FVI_ISA_BEGIN("avx2,fma")

static inline __attribute__((always_inline)) __m256i avx2_mask(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __attribute__((always_inline)) void avx2_store_bytes(uint8_t *p, __m256i bits)
{
    const __m256i low = _mm256_shuffle_epi8(bits, _mm256_set1_epi32(0x0c080400));
    const __m128i high = _mm256_extracti128_si256(low, 1);
    _mm_storel_epi64((__m128i *)p, _mm_unpacklo_epi32(_mm256_castsi256_si128(low), high));
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
