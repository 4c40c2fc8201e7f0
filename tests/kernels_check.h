/* SPDX-License-Identifier: MIT */
/* Random arrays and comparisons for the tests of the kernel table. */
#ifndef KERNELS_CHECK_H
#define KERNELS_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t size_list[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 1000};
static const int channel_list[] = {1, 2, 3, 4, 7, 8, 10, 16, 17, 33, 64, 65, 130};

static uint64_t random_at; /* position in the test's stream of numbers */

static inline int random_int(int below)
{
    return fvi_rng_int(1, FVI_RNG_TEST, 0, random_at++, below);
}

/* n numbers in a block of exact size, some of them zero, some equal. */
static inline float *random_floats(size_t n)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; ++i) {
        const double value = fvi_rng_normal(1, FVI_RNG_TEST, 1, random_at++);
        const int kind = random_int(10);
        p[i] = kind == 0 ? 0.0f : kind == 1 ? 1.0f : (float)value;
    }
    return p;
}

static inline float *copy(const float *from, size_t n)
{
    float *p = malloc(n * sizeof *p + 1);
    assert_non_null(p);
    if (n > 0) memcpy(p, from, n * sizeof *p);
    return p;
}

/* |value - right| <= units rounding errors of size */
#define assert_near(value, right, units, size)                                                     \
    do {                                                                                           \
        const double got = (double)(value), want = (right);                                        \
        const double most = (units) * (double)FLT_EPSILON / 2 * fabs(size) + (double)FLT_MIN;      \
        if (!(fabs(got - want) <= most))                                                           \
            fail_msg("%s:%d: %.9g, not %.9g +- %.3g", k->isa, __LINE__, got, want, most);          \
    } while (0)

static inline void for_each_isa(void (*check)(const fvi_kernels *k))
{
    bool is_usable;
    const fvi_kernels *k;
    for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
        random_at = 0;
        if (is_usable) check(k);
    }
}

#endif
