/* SPDX-License-Identifier: MIT */
/* The most multiply-adds a processor does: chains of them that touch no memory. What other speeds
   are a share of. */
#include "kernels/kernels_list.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Chains that do not wait for each other: more than two units times a latency of 4 or 5, and with
   the two operands still within 16 registers (or 32). ARM's large cores have four units. */
#if defined(__aarch64__)
#define PEAK_CHAINS 16
#else
#define PEAK_CHAINS 12
#endif
#define PEAK_STEPS 4096
#define PEAK_LOOPS 64 /* a thread and call: half a millisecond, much more than waking it takes */
#if defined(__clang__)
#define PEAK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PEAK_UNROLL _Pragma("GCC unroll 16")
#endif

/* Each chain goes to its fixed point, 1, and stays there: no speed hangs on the numbers. */
#define PEAK_LOOP(isa, lanes, FMA)                                                                 \
    typedef float peak_##isa##_vector __attribute__((vector_size(4 * (lanes))));                   \
    static float peak_##isa(float half)                                                            \
    {                                                                                              \
        peak_##isa##_vector sum[PEAK_CHAINS], a = half - (peak_##isa##_vector){0};                 \
        PEAK_UNROLL                                                                                \
        for (int c = 0; c < PEAK_CHAINS; ++c)                                                      \
            sum[c] = (float)c - (peak_##isa##_vector){0};                                          \
        for (int i = 0; i < PEAK_STEPS; ++i) {                                                     \
            PEAK_UNROLL                                                                            \
            for (int c = 0; c < PEAK_CHAINS; ++c)                                                  \
                sum[c] = FMA(sum[c], a, a);                                                        \
        }                                                                                          \
        PEAK_UNROLL                                                                                \
        for (int c = 1; c < PEAK_CHAINS; ++c)                                                      \
            sum[0] += sum[c];                                                                      \
        return sum[0][0];                                                                          \
    }

#define PEAK_MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
PEAK_LOOP(generic, 4, PEAK_MULTIPLY_ADD)

#if defined(__x86_64__)
FVI_ISA_BEGIN("avx2,fma")
PEAK_LOOP(avx2, 8, _mm256_fmadd_ps)
FVI_ISA_END
FVI_ISA_BEGIN("avx512f")
PEAK_LOOP(avx512, 16, _mm512_fmadd_ps)
FVI_ISA_END
#elif defined(__aarch64__)
#define PEAK_NEON(x, y, z) vfmaq_f32((z), (x), (y))
PEAK_LOOP(neon, 4, PEAK_NEON)
#endif

static const struct peak_row {
    const char *isa;
    int lanes;
    float (*loop)(float half);
} peak_rows[] = {
    {"generic", 4, peak_generic}, /* and those that have no fused multiply-add either */
#if defined(__x86_64__)
    {"avx2", 8, peak_avx2},
    {"avx512", 16, peak_avx512},
#elif defined(__aarch64__)
    {"neon", 4, peak_neon},
#endif
};

static void peak_task(void *context, size_t task)
{
    const struct peak_row *row = context;
    volatile float half = 0.5F, kept; /* so that the loop must be run */
    (void)task;
    for (int i = 0; i < PEAK_LOOPS; ++i)
        kept = row->loop(half);
    (void)kept;
}

double fvi_kernels_peak(const fvi_kernels *k, fvi_threads *threads, double seconds)
{
    struct peak_row row = peak_rows[0];
    for (size_t i = 1; i < FVI_COUNT(peak_rows); ++i)
        if (strcmp(peak_rows[i].isa, k->isa) == 0) row = peak_rows[i];
    const size_t tasks = (size_t)fvi_threads_count(threads);
    const double start = fvi_now(), work = 2e-9 * PEAK_CHAINS * PEAK_STEPS * PEAK_LOOPS;
    double best = INFINITY, end = start;
    do { /* the fastest: on a busy machine the others were interrupted */
        const double from = end;
        fvi_parallel_for(threads, tasks, peak_task, &row);
        end = fvi_now();
        best = fmin(best, end - from);
    } while (end - start < seconds);
    return work * row.lanes * (double)tasks / best;
}
