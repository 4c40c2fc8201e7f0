/* SPDX-License-Identifier: MIT */
/* The kernels with Advanced SIMD (NEON), which every 64-bit ARM processor has. */
#include "kernels/kernels_list.h"

typedef int kernels_neon_unused; /* a file must not be empty on other processors */

#if defined(__aarch64__)

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#define FVI_ISA neon
#define FVI_ISA_TEXT "neon"
#define FVI_LANES 4
#define FVI_ROWS_MAX 6 /* 24 sums, 4 loads, 1 broadcast of 32 registers */
#define FVI_VECTORS_MAX 4
#define FVI_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define FVI_THIN_MAX FVI_ROWS_MAX
#define FVI_EACH_THIN(X)
#define FVI_EACH_VECTORS(X, m) X(m, 1) X(m, 2) X(m, 3) X(m, 4)
#define FVI_FMA(a, b, c) vfmaq_f32((c), (a), (b))
#define FVI_SQRT(v) vsqrtq_f32(v)
#define FVI_LOAD_FIRST(p, n) neon_load_first((p), (n))
#define FVI_STORE_FIRST(p, v, n) neon_store_first((p), (v), (n))

/* gcc 12 would load the six broadcasts of a step before their products, which is more than there
   are registers for. */
#if !defined(__clang__)
#pragma GCC optimize("no-schedule-insns")
#endif

/* 0 < n < 4 */
static inline __attribute__((always_inline)) float32x4_t neon_load_first(const float *p, int n)
{
    const float32x4_t zero = vdupq_n_f32(0);
    if (n == 1) return vld1q_lane_f32(p, zero, 0);
    const float32x4_t two = vcombine_f32(vld1_f32(p), vget_low_f32(zero));
    return n == 2 ? two : vld1q_lane_f32(p + 2, two, 2);
}

static inline __attribute__((always_inline)) void neon_store_first(float *p, float32x4_t v, int n)
{
    if (n == 1) {
        vst1q_lane_f32(p, v, 0);
        return;
    }
    vst1_f32(p, vget_low_f32(v));
    if (n == 3) vst1q_lane_f32(p + 2, v, 2);
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

#endif
