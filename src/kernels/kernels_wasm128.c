/* SPDX-License-Identifier: MIT */
/* The kernels with WebAssembly's 128-bit vectors. A module that holds one such instruction does not
   load where they are unknown, so this is chosen when it is compiled, by -msimd128. Like sse2 it has
   over generic the roots of a vector and its first lanes. */
#include "kernels/kernels_list.h"

typedef int kernels_wasm128_unused; /* a file must not be empty on other processors */

#if defined(__wasm_simd128__)

#include <math.h>
#include <string.h>
#include <wasm_simd128.h>

#define FVI_ISA wasm128
#define FVI_ISA_TEXT "wasm128"
#define FVI_LANES 4
#define FVI_ROWS_MAX 4 /* what runs it may have 16 registers: 8 sums, 2 loads, 2 more */
#define FVI_VECTORS_MAX 2
#define FVI_EACH_ROWS(X) X(1) X(2) X(3) X(4)
#define FVI_THIN_MAX FVI_ROWS_MAX
#define FVI_EACH_THIN(X)
#define FVI_EACH_VECTORS(X, m) X(m, 1) X(m, 2)
#define FVI_FMA(a, b, c) ((a) * (b) + (c)) /* two roundings: nothing is fused */
#define FVI_SQRT(v) ((wasm128_part)wasm_f32x4_sqrt((v128_t)(v)))
#define FVI_LOAD_FIRST(p, n) wasm128_load_first((p), (n))
#define FVI_STORE_FIRST(p, v, n) wasm128_store_first((p), (v128_t)(v), (n))

typedef float wasm128_part __attribute__((vector_size(16)));

/* 0 < n < 4 */
static inline __attribute__((always_inline)) wasm128_part wasm128_load_first(const float *p, int n)
{
    if (n == 1) return (wasm128_part)wasm_v128_load32_zero(p);
    const v128_t two = wasm_v128_load64_zero(p);
    return (wasm128_part)(n == 2 ? two : wasm_v128_load32_lane(p + 2, two, 2));
}

static inline __attribute__((always_inline)) void wasm128_store_first(float *p, v128_t v, int n)
{
    if (n == 1) {
        wasm_v128_store32_lane(p, v, 0);
        return;
    }
    wasm_v128_store64_lane(p, v, 0);
    if (n == 3) wasm_v128_store32_lane(p + 2, v, 2);
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
