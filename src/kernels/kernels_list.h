/* SPDX-License-Identifier: MIT */
/* What the files of one instruction set share: how a file turns an instruction set on, and the
   tables' names. */
#ifndef FVI_KERNELS_LIST_H
#define FVI_KERNELS_LIST_H

#include "kernels/depthwise.h"
#include "kernels/tile.h"

/* Between these, functions are compiled for the named features, which the source states itself: no
   flag of the build system is needed. Headers of the system are included before. */
#define FVI_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#pragma clang diagnostic ignored                                                                   \
    "-Wpass-failed" /* a sanitizer's build may leave loops as they are */
#define FVI_ISA_BEGIN(features)                                                                    \
    FVI_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define FVI_ISA_END FVI_PRAGMA(clang attribute pop)
#else
#define FVI_ISA_BEGIN(features) FVI_PRAGMA(GCC push_options) FVI_PRAGMA(GCC target(features))
#define FVI_ISA_END FVI_PRAGMA(GCC pop_options)
#endif

extern const fvi_kernels fvi_kernels_generic;
#if defined(__x86_64__)
extern const fvi_kernels fvi_kernels_sse2;
extern const fvi_kernels fvi_kernels_avx2;
extern const fvi_kernels fvi_kernels_avx512;
#elif defined(__aarch64__)
extern const fvi_kernels fvi_kernels_neon;
#elif defined(__wasm_simd128__)
extern const fvi_kernels fvi_kernels_wasm128;
#endif

#endif
