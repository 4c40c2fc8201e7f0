/* SPDX-License-Identifier: MIT */
/* The list of instruction sets, best last. */
#include "kernels/kernels_list.h"

#include <string.h>

static bool select_always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool select_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool select_avx512(void)
{
    return select_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq");
}
#endif

static const struct select_row {
    const fvi_kernels *kernels;
    bool (*is_usable)(void);
} select_list[] = {
    {&fvi_kernels_generic, select_always},
#if defined(__x86_64__)
    {&fvi_kernels_sse2, select_always},
    {&fvi_kernels_avx2, select_avx2},
    {&fvi_kernels_avx512, select_avx512},
#elif defined(__aarch64__)
    {&fvi_kernels_neon, select_always},
#elif defined(__wasm_simd128__)
    {&fvi_kernels_wasm128, select_always},
#endif
};

const fvi_kernels *fvi_kernels_at(int i, bool *is_usable)
{
    if (i < 0 || (size_t)i >= FVI_COUNT(select_list)) return NULL;
    if (is_usable) *is_usable = select_list[i].is_usable();
    return select_list[i].kernels;
}

/* Sets the message: the names there are, and the one that was not found. */
static void select_refuse(const char *isa)
{
    char safe[FVI_SAFE_TEXT];
    fvi_text names = {0};
    for (size_t i = 0; i < FVI_COUNT(select_list); i++) {
        fvi_text_add(&names, "%s%s", i > 0 ? ", " : "", select_list[i].kernels->isa);
    }
    fvi_fail(FV_E_ARG, "instruction set \"%s\": no such kernels; expected one of %s",
             fvi_safe(safe, isa ? isa : ""), names.status == FV_OK ? names.data : "the list");
    fvi_text_free(&names);
}

const fvi_kernels *fvi_kernels_select(const char *isa)
{
    for (size_t i = FVI_COUNT(select_list); i-- > 0;) {
        const struct select_row *row = &select_list[i];
        if (isa && strcmp(isa, row->kernels->isa) != 0) continue;
        if (row->is_usable()) return row->kernels;
        if (isa) {
            fvi_fail(FV_E_UNSUPPORTED, "this processor cannot run the %s kernels", isa);
            return NULL;
        }
    }
    select_refuse(isa);
    return NULL;
}
