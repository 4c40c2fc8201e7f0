/* SPDX-License-Identifier: MIT */
/* Template of sums over a list of patches, included once by each kernels_<isa>.c after
   kernels_tile.h. See conv_sparse.c. */

/* Patches begin anywhere, and what crosses the end of a cache line is read twice: vectors of at most
   eight floats do so less often. */
#ifndef FVI_PATCH_FMA
#define FVI_PATCH_LANES FVI_LANES
#define FVI_PATCH_FMA(a, b, c) FVI_FMA((a), (b), (c))
#endif
typedef float FVI_NAME(patch) __attribute__((vector_size(4 * FVI_PATCH_LANES)));
typedef float FVI_NAME(patch_memory)
    __attribute__((vector_size(4 * FVI_PATCH_LANES), aligned(4), may_alias));
#define FVI_PATCH FVI_NAME(patch)
#define FVI_PATCH_AT(p) (*(const FVI_NAME(patch_memory) *)(p))

/* One vector of each of `rows` rows, patches in turn into two sums, so that twice as many are under
   way: few rows alone would wait for each other. */
FVI_INLINE void FVI_NAME(patches)(const fvi_tile_patches *call, const int rows)
{
    FVI_PATCH sum[FVI_PATCH_ROWS][2], total[2] = {{0}, {0}};
    FVI_UNROLL
    for (int m = 0; m < rows; ++m)
        sum[m][0] = sum[m][1] = (FVI_PATCH){0};
    const float *base = call->x;
    const ptrdiff_t step = call->row_step;
    const fvi_tile_patch *patch = call->patch, *end = patch + call->count / 2 * 2;
    for (; patch < end; patch += 2) {
        FVI_UNROLL
        for (int i = 0; i < 2; ++i) {
            const float *at = base + patch[i].at;
            const FVI_PATCH by = patch[i].by - (FVI_PATCH){0};
            total[i] += by;
            FVI_UNROLL
            for (int m = 0; m < rows; ++m)
                sum[m][i] = FVI_PATCH_FMA(by, FVI_PATCH_AT(at + m * step), sum[m][i]);
        }
    }
    if (call->count % 2) {
        const float *at = base + patch->at;
        const FVI_PATCH by = patch->by - (FVI_PATCH){0};
        total[0] += by;
        FVI_UNROLL
        for (int m = 0; m < rows; ++m)
            sum[m][0] = FVI_PATCH_FMA(by, FVI_PATCH_AT(at + m * step), sum[m][0]);
    }
    FVI_UNROLL
    for (int m = 0; m < rows; ++m) {
        float *out = call->out + m * call->out_step;
        *(FVI_NAME(patch_memory) *)out = FVI_PATCH_AT(out) + (sum[m][0] + sum[m][1]);
    }
    total[0] += total[1];
    *call->total += total[0][0];
}

#define FVI_PATCHES_WRAP(m)                                                                        \
    static void FVI_NAME(patches_##m)(const fvi_tile_patches *call)                                \
    {                                                                                              \
        FVI_NAME(patches)(call, m);                                                                \
    }
#define FVI_PATCHES_ENTRY(m) FVI_NAME(patches_##m),
#define FVI_EACH_PATCH(X) X(1) X(2) X(3) X(4) X(5)
FVI_EACH_PATCH(FVI_PATCHES_WRAP)

static fvi_tile_patches_fn *const FVI_NAME(patches_list)[FVI_PATCH_ROWS] = {
    FVI_EACH_PATCH(FVI_PATCHES_ENTRY)};
