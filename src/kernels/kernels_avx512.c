/* SPDX-License-Identifier: MIT */
/* The kernels with AVX-512: F, VL, BW and DQ, x86 servers since 2017. */
#include "kernels/kernels_list.h"

typedef int kernels_avx512_unused; /* a file must not be empty on other processors */

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define FVI_ISA avx512
#define FVI_ISA_TEXT "avx512"
#define FVI_LANES 16
#define FVI_ROWS_MAX                                                                               \
    14 /* 28 sums, 2 loads, 1 broadcast of 32 registers; 14 divides 7 * 2^k images */
#define FVI_VECTORS_MAX 2
#define FVI_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define FVI_THIN_MAX 20
#define FVI_EACH_THIN(X) X(15) X(16) X(17) X(18) X(19) X(20)
#define FVI_EACH_VECTORS(X, m) X(m, 1) X(m, 2)
#define FVI_EACH_LINE_2_2(X) X(4) X(5) X(6)
#define FVI_EACH_LINE_2_1(X) FVI_EACH_LINE_2_2(X) X(7) X(8) X(9) X(10)
#define FVI_EACH_LINE_1_2(X) FVI_EACH_LINE_2_1(X) X(11) X(12)
#define FVI_EACH_LINE_1_1(X) FVI_EACH_LINE_1_2(X) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20)
#define FVI_LINE_MOST 20
#define FVI_WIDE_LINE_MOST 12 /* 24 sums, 6 loads, 1 broadcast */
#define FVI_TILES_MOST 8
#define FVI_FMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define FVI_SQRT(v) _mm512_sqrt_ps(v)
#define FVI_AT_MOST(limit, v) _mm512_min_ps((limit), (v))
#define FVI_DIVIDE(a, b) avx512_divide((a), (b))
#define FVI_WINDOW_LANES 8
#define FVI_WINDOW_FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define FVI_QUARTER(v, i) _mm512_extractf32x4_ps((v), (i)) /* to memory without a shuffle */
#define FVI_SQUARE 16
#define FVI_TURN(to, width, from, step) avx512_turn((to), (width), (from), (step))
#define FVI_FLUSH(v, some) /* one test, and a load or a move with zeros */                         \
    _mm512_maskz_mov_ps(                                                                           \
        _mm512_test_epi32_mask(_mm512_castps_si512(v), _mm512_set1_epi32((int)(some))), (v))
#define FVI_LOAD_FIRST(p, n) _mm512_maskz_loadu_ps(avx512_mask(n), (p))
#define FVI_STORE_FIRST(p, v, n) _mm512_mask_storeu_ps((p), avx512_mask(n), (v))
#define FVI_SOME __mmask16
#define FVI_SOME_OF(n) avx512_mask((n) < 16 ? (n) : 16)
#define FVI_LOAD_SOME(p, some) _mm512_maskz_loadu_ps((some), (p))
#define FVI_STORE_SOME(p, v, some) _mm512_mask_storeu_ps((p), (some), (v))
#define FVI_LOAD_BYTES(p) (FVI_BITS) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#define FVI_STORE_BYTES(p, bits)                                                                   \
    _mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8((__m512i)(bits)))
#define FVI_TAKE(best, v, number) /* in mask registers */                                          \
    const __mmask16 wins = _mm512_cmp_ps_mask((v), (best)->most, _CMP_GT_OQ) |                     \
                           _mm512_cmp_ps_mask((v), (v), _CMP_UNORD_Q);                             \
    (best)->most = _mm512_mask_mov_ps((best)->most, wins, (v));                                    \
    (best)->place = (FVI_BITS)_mm512_mask_mov_epi32((__m512i)(best)->place, wins, (__m512i)(number))
#define FVI_PERMUTE(v, from) _mm512_permutexvar_ps((__m512i)(from), (v))

FVI_ISA_BEGIN("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")

static inline __attribute__((always_inline)) __mmask16 avx512_mask(int n)
{
    return (__mmask16)((1u << n) - 1);
}

/* a / b within 1.1 ulp, for b of 2^-126 to 2^126: an estimate of the inverse and a step of Newton's,
   in less than half the time of the division. */
static inline __attribute__((always_inline)) __m512 avx512_divide(__m512 a, __m512 b)
{
    const __m512 inverse = _mm512_rcp14_ps(b), estimate = _mm512_mul_ps(a, inverse);
    const __m512 error = _mm512_fnmadd_ps(b, inverse, _mm512_set1_ps(1.0f));
    return _mm512_fmadd_ps(estimate, error, estimate);
}

/* Four floats of a row and of the rows 4, 8 and 12 after it; by4 is from a row to the fourth after,
   by12 to the twelfth. */
static inline __attribute__((always_inline)) __m512 avx512_quarters(const float *row, ptrdiff_t by4,
                                                                    ptrdiff_t by12)
{
    __m512 part = _mm512_broadcast_f32x4(_mm_loadu_ps(row));
    part = _mm512_mask_broadcast_f32x4(part, 0x00F0, _mm_loadu_ps(row + by4));
    part = _mm512_mask_broadcast_f32x4(part, 0x0F00, _mm_loadu_ps(row + 2 * by4));
    return _mm512_mask_broadcast_f32x4(part, 0xF000, _mm_loadu_ps(row + by12));
}

/* 16 rows become columns: quarters come together as they are loaded, which takes no shuffle. */
static inline __attribute__((always_inline)) void avx512_turn(float *to, ptrdiff_t width,
                                                              const float *from, ptrdiff_t step)
{
    ptrdiff_t by4 = 4 * step, by12 = 12 * step;
    const float *row[4] = {from, from + step, from + 2 * step, from + 3 * step};
    __asm__("" : "+r"(by4), "+r"(by12), "+r"(row[0]), "+r"(row[1]), "+r"(row[2]), "+r"(row[3]));
    for (int q = 0; q < 4; ++q, to += 4 * width) {
        const __m512 a = avx512_quarters(row[0] + 4 * q, by4, by12);
        const __m512 b = avx512_quarters(row[1] + 4 * q, by4, by12);
        const __m512 c = avx512_quarters(row[2] + 4 * q, by4, by12);
        const __m512 d = avx512_quarters(row[3] + 4 * q, by4, by12);
        const __m512d low = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        const __m512d high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        const __m512d low_2 = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        const __m512d high_2 = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        _mm512_storeu_pd(to, _mm512_unpacklo_pd(low, low_2));
        _mm512_storeu_pd(to + width, _mm512_unpackhi_pd(low, low_2));
        _mm512_storeu_pd(to + 2 * width, _mm512_unpacklo_pd(high, high_2));
        _mm512_storeu_pd(to + 3 * width, _mm512_unpackhi_pd(high, high_2));
    }
}

#include "kernels/kernels_tile.h"
#define FVI_LINES 1
#define FVI_LINE_VECTORS 1
#include "kernels/kernels_lines.h"
#define FVI_LINES 1
#define FVI_LINE_VECTORS 2
#include "kernels/kernels_lines.h"
#define FVI_LINES 2
#define FVI_LINE_VECTORS 1
#include "kernels/kernels_lines.h"
#define FVI_LINES 2
#define FVI_LINE_VECTORS 2
#include "kernels/kernels_lines.h"
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
