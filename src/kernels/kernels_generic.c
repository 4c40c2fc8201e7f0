/* SPDX-License-Identifier: MIT */
/* Every entry of the kernel table in plain C: the definition of correct, for any processor. */
#include "kernels/kernels_list.h"

/* No intrinsic and no processor's name: an instruction set that has no file of its own runs this,
   and those that have one are compared with it. */

#include <math.h>
#include <string.h>

#define FVI_ISA generic
#define FVI_ISA_TEXT "generic"
#define FVI_LANES 4
#define FVI_ROWS_MAX 4
#define FVI_VECTORS_MAX 2
#define FVI_EACH_ROWS(X) X(1) X(2) X(3) X(4)
#define FVI_THIN_MAX FVI_ROWS_MAX
#define FVI_EACH_THIN(X)
#define FVI_EACH_VECTORS(X, m) X(m, 1) X(m, 2)
#define FVI_FMA(a, b, c) ((a) * (b) + (c)) /* two roundings: no instruction is assumed */
#define FVI_LOAD_FIRST(p, n) generic_load_first((p), (n))
#define FVI_STORE_FIRST(p, v, n) generic_store_first((p), (v), (n))
#define FVI_SQRT(v) generic_sqrt(v)

typedef float generic_part __attribute__((vector_size(16)));

/* 0 < n < 4 */
static inline generic_part generic_load_first(const float *p, int n)
{
    return (generic_part){p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
}

static inline void generic_store_first(float *p, generic_part v, int n)
{
    p[0] = v[0];
    if (n > 1) p[1] = v[1];
    if (n > 2) p[2] = v[2];
}

static inline generic_part generic_sqrt(generic_part v)
{
    for (int i = 0; i < 4; ++i)
        v[i] = sqrtf(v[i]);
    return v;
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
