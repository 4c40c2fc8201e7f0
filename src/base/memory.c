/* SPDX-License-Identifier: MIT */
/* Checked, zeroed, 64-byte aligned allocation; the hook that makes it fail; the limit for plans. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* madvise */
#endif
#include "base/base_internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if !defined(__wasi__)
#include <sys/resource.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define MEMORY_ALIGN 64
#define MEMORY_PAGE ((size_t)2 << 20) /* a large page: bytes, and their alignment */

/* The test hook and its counters; atomic because any thread may allocate. */
static atomic_long memory_fail_in;
static atomic_long memory_count;
static atomic_long memory_live;

/* True when the hook says that this allocation is the one to fail. */
static bool memory_hook(void)
{
    long left = atomic_load(&memory_fail_in);
    while (left > 0) {
        if (atomic_compare_exchange_weak(&memory_fail_in, &left, left - 1)) return left == 1;
    }
    return false;
}

static void memory_fail(size_t bytes, const char *what)
{
    /* Tenths by hand: printf would follow the locale's decimal point. */
    static const char *const unit[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        fvi_fail(FV_E_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
        return;
    }
    size_t tenths = bytes / 100, i = 0;
    for (; tenths >= 10000; i++) {
        tenths /= 1000;
    }
    fvi_fail(FV_E_MEMORY, "out of memory: %zu.%zu %s for %s", tenths / 10, tenths % 10, unit[i],
             what);
}

/* Zeroed bytes. Where a kernel walks over more small pages than the processor remembers, each of
   them costs it a look-up; so large blocks ask for large pages, which the system may refuse. Their
   pages are given back to it, to come as zeros when they are first touched: what a program plans for
   and does not use takes no memory. */
static void *memory_take(size_t bytes, bool is_sparse)
{
#if defined(MADV_HUGEPAGE)
    if (bytes >= MEMORY_PAGE && bytes <= PTRDIFF_MAX - MEMORY_PAGE) {
        const size_t whole = (bytes + MEMORY_PAGE - 1) / MEMORY_PAGE * MEMORY_PAGE;
        void *memory = aligned_alloc(MEMORY_PAGE, whole);
        if (!memory) return NULL;
        (void)madvise(memory, bytes, is_sparse ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
        return madvise(memory, whole, MADV_DONTNEED) == 0 ? memory : memset(memory, 0, bytes);
    }
#endif
    (void)is_sparse;
    void *memory = aligned_alloc(MEMORY_ALIGN, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

static void *memory_alloc(size_t count, size_t size, const char *what, bool is_sparse)
{
    size_t bytes, padded;
    if (!fvi_mul(&bytes, count, size) || !fvi_sum(&padded, bytes, MEMORY_ALIGN - 1) ||
        bytes > PTRDIFF_MAX - MEMORY_ALIGN) {
        fvi_fail(FV_E_MEMORY, "out of memory: %zu x %zu bytes for %s", count, size, what);
        return NULL;
    }
    padded -= padded % MEMORY_ALIGN;
    if (padded == 0) padded = MEMORY_ALIGN;
    atomic_fetch_add(&memory_count, 1);
    void *memory = memory_hook() ? NULL : memory_take(padded, is_sparse);
    if (!memory) {
        memory_fail(bytes, what);
        return NULL;
    }
    atomic_fetch_add(&memory_live, 1);
    return memory;
}

void *fvi_alloc(size_t count, size_t size, const char *what)
{
    return memory_alloc(count, size, what, false);
}

void *fvi_alloc_sparse(size_t count, size_t size, const char *what)
{
    return memory_alloc(count, size, what, true);
}

void *fvi_copy(const void *bytes, size_t size, const char *what)
{
    void *copy = fvi_alloc(size, 1, what);
    if (copy && bytes && size > 0) memcpy(copy, bytes, size);
    return copy;
}

char *fvi_strdup(const char *text)
{
    return text ? fvi_copy(text, strlen(text) + 1, "a text") : NULL;
}

void *fvi_grow(void *old, size_t old_count, size_t new_count, size_t size, const char *what)
{
    void *grown = fvi_alloc(new_count, size, what);
    if (!grown) return NULL;
    /* The product fits: it did for the old block, or does for the new one. */
    size_t kept = (old_count < new_count ? old_count : new_count) * size;
    if (old && kept > 0) memcpy(grown, old, kept);
    fvi_free(old);
    return grown;
}

void fvi_free(void *memory)
{
    if (!memory) return;
    atomic_fetch_sub(&memory_live, 1);
    free(memory);
}

void fv_free(void *memory)
{
    fvi_free(memory);
}

#if defined(__wasi__)
/* Nobody says how much there is: the addresses are the limit. */
size_t fvi_memory_limit(void)
{
    return SIZE_MAX / 5 * 4;
}
#else
/* The number in a small file of the kernel; SIZE_MAX for "max", or when there is no such file. */
static size_t memory_number_in(const char *path)
{
    char bytes[32];
    int64_t number;
    size_t size = fvi_file_peek(bytes, sizeof bytes, path);
    if (size > 0 && bytes[size - 1] == '\n') size--;
    if (!fvi_parse_int64(&number, bytes, size) || number <= 0) return SIZE_MAX;
    return (uint64_t)number < SIZE_MAX ? (size_t)number : SIZE_MAX;
}

/* The smallest limit of our group and those around it. controllers is "" for version 2 of cgroups,
   "memory" for version 1: the middle of our line "7:memory:/user" in the list of groups, which is
   cut off here piece by piece. */
static size_t memory_group_limit(const char *controllers, const char *root, const char *leaf)
{
    char list[4096], key[32], path[4096 + 128];
    size_t limit = SIZE_MAX;
    list[fvi_file_peek(list, sizeof list - 1, "/proc/self/cgroup")] = '\0';
    snprintf(key, sizeof key, ":%s:/", controllers);
    char *group = strstr(list, key);
    if (group) {
        group += strlen(key) - 1;
        group[strcspn(group, "\n")] = '\0';
    } else {
        group = list;
        group[0] = '\0';
    }
    for (;;) {
        snprintf(path, sizeof path, "%s%s/%s", root, group, leaf);
        size_t found = memory_number_in(path);
        if (found < limit) limit = found;
        char *slash = strrchr(group, '/');
        if (!slash) return limit;
        *slash = '\0';
    }
}

size_t fvi_memory_limit(void)
{
    size_t limit = SIZE_MAX;
#if defined(_SC_PHYS_PAGES)
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t ram;
    if (pages > 0 && page > 0 && fvi_mul(&ram, (size_t)pages, (size_t)page)) limit = ram / 5 * 4;
#endif
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY &&
        space.rlim_cur < limit) {
        limit = (size_t)space.rlim_cur;
    }
    size_t group = memory_group_limit("", "/sys/fs/cgroup", "memory.max");
    if (group < limit) limit = group;
    group = memory_group_limit("memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes");
    if (group < limit) limit = group;
    return limit;
}
#endif

void fvi_alloc_fail_at(long k)
{
    atomic_store(&memory_fail_in, k > 0 ? k : 0);
}

long fvi_alloc_count(void)
{
    return atomic_load(&memory_count);
}

long fvi_alloc_live(void)
{
    return atomic_load(&memory_live);
}
