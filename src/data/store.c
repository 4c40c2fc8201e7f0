/* SPDX-License-Identifier: MIT */
/* Where pictures come from: memory, or something that reads one at a time; and what could not be
   read. */
#include "data/data_internal.h"

#include <string.h>

#define STORE_NOTES 1000 /* texts kept; beyond, pictures are left out without one */

struct fvi_skip {
    int i;
    char *text;
    fvi_skip *next;
};

void *fvi_store_new(size_t size, const fvi_store_kind *kind, fv_shape shape, fv_dtype dtype,
                    int count, fvi_store *below)
{
    size_t each = 0;
    fvi_store *s = fvi_alloc(1, size, "a data set");
    bool ok = s && fvi_shape_count(&each, &shape) == FV_OK;
    if (ok) s->is_bad = fvi_alloc((size_t)count, sizeof *s->is_bad, "the state of pictures");
    if (!ok || !s->is_bad) {
        fvi_free(s);
        fvi_store_drop(below);
        return NULL;
    }
    s->kind = kind;
    s->shape = shape;
    s->dtype = dtype;
    s->bytes = each * fv_dtype_size(dtype);
    s->count = count;
    s->below = below;
    s->is_serial = below && below->is_serial;
    s->is_tolerant = !below || below->is_tolerant;
    atomic_init(&s->holders, 1);
    return s;
}

fvi_store *fvi_store_hold(fvi_store *store)
{
    atomic_fetch_add(&store->holders, 1);
    return store;
}

void fvi_store_drop(fvi_store *store)
{
    while (store && atomic_fetch_sub(&store->holders, 1) == 1) {
        fvi_store *below = store->below;
        if (store->kind->free) store->kind->free(store);
        for (fvi_skip *at = atomic_load(&store->skips), *next; at; at = next) {
            next = at->next;
            fvi_free(at->text);
            fvi_free(at);
        }
        fvi_free(store->is_bad);
        fvi_free(store);
        store = below;
    }
}

fv_status fvi_store_read(fvi_store *store, void *out, int i, uint32_t epoch)
{
    if (store->memory) {
        memcpy(out, (const char *)store->memory + (size_t)i * store->bytes, store->bytes);
        return FV_OK;
    }
    return store->kind->read(store, out, i, epoch);
}

/* ---- what could not be read ---- */

fv_status fvi_store_skip(fvi_store *store, int i, fv_status failed)
{
    if (!store->is_tolerant || (failed == FV_E_MEMORY && fvi_is_out_of_memory())) return failed;
    if (atomic_exchange(&store->is_bad[i], 1) != 0) return FV_OK;
    if (fvi_store_skips(store) > STORE_NOTES) return FV_OK;
    char *text = fvi_strdup(fv_error());
    fvi_skip *skip = text ? fvi_alloc(1, sizeof *skip, "a note") : NULL;
    if (!skip) {
        fvi_free(text);
        return FV_E_MEMORY;
    }
    skip->i = i;
    skip->text = text;
    skip->next = atomic_load(&store->skips);
    while (!atomic_compare_exchange_weak(&store->skips, &skip->next, skip)) {
    }
    return FV_OK;
}

bool fvi_store_is_bad(const fvi_store *store, int i)
{
    return atomic_load(&store->is_bad[i]) != 0;
}

int fvi_store_skips(const fvi_store *store)
{
    int count = 0;
    for (; store; store = store->below) {
        for (const fvi_skip *at = atomic_load(&store->skips); at; at = at->next) {
            count++;
        }
    }
    return count;
}

/* Threads note pictures in any order; they are shown in that of the set. */
const char *fvi_store_skip_text(const fvi_store *store, int i)
{
    for (; store; store = store->below) {
        const fvi_skip *first = atomic_load(&store->skips);
        int count = 0;
        for (const fvi_skip *at = first; at; at = at->next, count++) {
            int before = 0;
            for (const fvi_skip *other = first; other; other = other->next) {
                before += other->i < at->i;
            }
            if (before == i) return at->text;
        }
        i -= count;
    }
    return NULL;
}

/* ---- memory ---- */

typedef struct store_memory {
    fvi_store head;
    void *x;
    int *from; /* [count] the same pictures in head.below; NULL: there is none */
} store_memory;

static void store_memory_free(fvi_store *store)
{
    store_memory *s = (store_memory *)store;
    fvi_free(s->x);
    fvi_free(s->from);
}

static const char *store_memory_path(const fvi_store *store, int i)
{
    const store_memory *s = (const store_memory *)store;
    const fvi_store *below = store->below;
    return below && below->kind->path ? below->kind->path(below, s->from[i]) : NULL;
}

/* Of the file, not of what it was decoded to: the same whether a set is kept in memory or not. */
static fv_status store_memory_hash(fvi_store *store, uint64_t *hash, int i, uint64_t seed)
{
    const store_memory *s = (const store_memory *)store;
    fvi_store *below = store->below;
    if (below && below->kind->hash) return below->kind->hash(below, hash, s->from[i], seed);
    *hash = fvi_hash((const char *)store->memory + (size_t)i * store->bytes, store->bytes, seed);
    return FV_OK;
}

static int store_memory_boxes(const fvi_store *store, fv_box *boxes, int room, int i)
{
    const store_memory *s = (const store_memory *)store;
    const fvi_store *below = store->below;
    return below && below->kind->boxes ? below->kind->boxes(below, boxes, room, s->from[i]) : 0;
}

static const fvi_store_kind store_memory_kind = {.path = store_memory_path,
                                                 .hash = store_memory_hash,
                                                 .boxes = store_memory_boxes,
                                                 .free = store_memory_free};

fv_status fvi_store_memory(fvi_store **store, fv_shape shape, fv_dtype dtype, int count, void *x)
{
    store_memory *s = fvi_store_new(sizeof *s, &store_memory_kind, shape, dtype, count, NULL);
    *store = s ? &s->head : NULL;
    if (!s) {
        fvi_free(x);
        return FV_E_MEMORY;
    }
    s->x = x;
    s->head.memory = x;
    return FV_OK;
}

/* One call of fvi_store_keep. */
typedef struct store_keeping {
    fvi_store *below;
    const int *index;
    char *x;
    fv_status *status; /* [count] */
    atomic_uchar *is_read;
    atomic_int first_failed; /* the lowest that failed and may not be left out; count: none */
} store_keeping;

static void store_keep_one(void *context, size_t task)
{
    store_keeping *k = context;
    int i = k->index ? k->index[task] : (int)task;
    if ((int)task > atomic_load(&k->first_failed)) return; /* nobody will look at it */
    fv_status status = fvi_store_read(k->below, k->x + task * k->below->bytes, i, 0);
    atomic_store(&k->is_read[task], status == FV_OK);
    if (status != FV_OK) status = fvi_store_skip(k->below, i, status);
    k->status[task] = status;
    int first = atomic_load(&k->first_failed);
    while (status != FV_OK && (int)task < first &&
           !atomic_compare_exchange_weak(&k->first_failed, &first, (int)task)) {
    }
}

/* Move what was read together; *kept gets the places. */
static void store_keep_close(store_keeping *k, store_memory *s, int *kept, int count)
{
    size_t bytes = k->below->bytes;
    int n = 0;
    for (int task = 0; task < count; task++) {
        if (!atomic_load(&k->is_read[task])) continue;
        if (n < task) memcpy(k->x + (size_t)n * bytes, k->x + (size_t)task * bytes, bytes);
        s->from[n] = k->index ? k->index[task] : task;
        kept[n++] = task;
    }
    s->head.count = n;
}

/* Read all with several threads. After a failure its text is made again here, since the message of
   another thread is not ours. */
static fv_status store_keep_read(store_keeping *k, int count, int threads)
{
    fvi_threads *pool = NULL;
    if (k->below->is_serial || count < 2) threads = 1;
    if (threads > count) threads = count;
    FVI_TRY(fvi_threads_new(&pool, threads > 0 ? threads : fvi_threads_available()));
    atomic_init(&k->first_failed, count);
    fvi_parallel_for(pool, (size_t)count, store_keep_one, k);
    fvi_threads_free(pool);
    int failed = atomic_load(&k->first_failed);
    if (failed == count) return FV_OK;
    fv_status first = k->status[failed];
    fv_status again = fvi_store_read(k->below, k->x + (size_t)failed * k->below->bytes,
                                     k->index ? k->index[failed] : failed, 0);
    if (again != FV_OK) return again;
    /* What failed once and not again is memory, mostly. */
    return fvi_fail(first, "%spicture %d could not be read at first",
                    first == FV_E_MEMORY ? "out of memory: " : "", failed);
}

fv_status fvi_store_keep(fvi_store **store, int **kept, int *n, fvi_store *below, const int *index,
                         int count, int threads)
{
    *store = NULL;
    *kept = NULL;
    *n = 0;
    store_keeping k = {.below = below, .index = index};
    store_memory *s = fvi_store_new(sizeof *s, &store_memory_kind, below->shape, below->dtype,
                                    count, below); /* has the hold of below from here on */
    if (!s) return FV_E_MEMORY;
    s->head.is_serial = false;
    k.x = fvi_alloc((size_t)count, below->bytes, "pictures");
    s->x = k.x;
    s->head.memory = k.x;
    k.status = k.x ? fvi_alloc((size_t)count, sizeof *k.status, "pictures") : NULL;
    k.is_read = k.status ? fvi_alloc((size_t)count, sizeof *k.is_read, "pictures") : NULL;
    s->from = k.is_read ? fvi_alloc((size_t)count, sizeof *s->from, "pictures") : NULL;
    *kept = s->from ? fvi_alloc((size_t)count, sizeof **kept, "pictures") : NULL;
    fv_status status = *kept ? store_keep_read(&k, count, threads) : FV_E_MEMORY;
    if (status == FV_OK) store_keep_close(&k, s, *kept, count);
    fvi_free(k.status);
    fvi_free(k.is_read);
    if (status != FV_OK) {
        fvi_store_drop(&s->head);
        fvi_free(*kept);
        *kept = NULL;
        return status;
    }
    *n = s->head.count;
    *store = &s->head;
    return FV_OK;
}
