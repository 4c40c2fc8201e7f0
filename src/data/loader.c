/* SPDX-License-Identifier: MIT */
/* Batches: laid when asked for, or ahead of time by a thread in the background. */
#include "data/data_internal.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LOADER_BATCH 32
#define LOADER_ERROR 1024

/* ---- one picture to a row of floats ---- */

/* 8-bit pixels to floats; a loop of its own so that the compiler turns it into vectors. */
static void loader_scale(float *restrict x, const uint8_t *restrict pixels, size_t count,
                         float scale, float offset)
{
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)pixels[i] * scale + offset;
    }
}

/* Picture `at` of the store as a row of x. raw: room for one picture, not used for those in
   memory. */
static fv_status loader_lay(fvi_store *store, float *x, uint8_t *raw, int at, uint32_t epoch,
                            float scale, float offset)
{
    size_t each = store->bytes / fv_dtype_size(store->dtype);
    if (store->dtype != FV_UINT8) return fvi_store_read(store, x, at, epoch);
    const uint8_t *pixels = store->memory;
    if (pixels) {
        pixels += (size_t)at * store->bytes;
    } else {
        if (!raw) return fvi_fail(FV_E_STATE, "no room for a picture that is read");
        FVI_TRY(fvi_store_read(store, raw, at, epoch));
        pixels = raw;
    }
    loader_scale(x, pixels, each, scale, offset);
    return FV_OK;
}

fv_status fv_dataset_batch(const fv_dataset *dataset, float *x, const int *indexes, int first,
                           int n, float scale, float offset)
{
    if (!dataset || (!x && n > 0))
        return fvi_fail(FV_E_ARG, "fv_dataset_batch: %s is NULL", dataset ? "x" : "dataset");
    if (n < 0 || (!indexes && (first < 0 || first > dataset->count - n)))
        return fvi_fail(FV_E_ARG, "a batch of %d pictures from number %d, the data set has %d", n,
                        first, dataset->count);
    for (int i = 0; indexes && i < n; i++) {
        if (indexes[i] < 0 || indexes[i] >= dataset->count)
            return fvi_fail(FV_E_ARG, "picture %d in a batch, expected 0 to %d", indexes[i],
                            dataset->count - 1);
    }
    fvi_store *store = dataset->store;
    size_t each = store->bytes / fv_dtype_size(store->dtype);
    uint8_t *raw = NULL;
    if (!store->memory && store->dtype == FV_UINT8) {
        raw = fvi_alloc(store->bytes, 1, "a picture");
        if (!raw) return FV_E_MEMORY;
    }
    fv_status status = FV_OK;
    for (int i = 0; status == FV_OK && i < n; i++) {
        int at = fvi_dataset_at(dataset, indexes ? indexes[i] : first + i);
        status = loader_lay(store, x + (size_t)i * each, raw, at, 0, scale, offset);
    }
    fvi_free(raw);
    return status;
}

/* ---- the loader ---- */

/* One of the two batches: one is the caller's while the other is laid. */
typedef struct loader_slot {
    float *x;       /* [batch_size, ...] */
    uint8_t *raw;   /* the same as bytes, when pictures come as bytes from elsewhere */
    fv_status *how; /* [batch_size] each picture came */
    bool *is_left_out;
    int32_t *y;
    float *target;
    int *index;
    int n;
    fv_status failed;
    char error[LOADER_ERROR];
} loader_slot;

struct fv_loader {
    const fv_dataset *dataset;
    fv_loader_config config;
    size_t each; /* floats of a picture */
    fvi_threads *pool;
    fvi_worker *worker; /* NULL: pictures lie in memory, so a batch is laid when it is asked for */
    loader_slot slot[2];
    int filling; /* the slot that is laid now or next */
    int *order;  /* [count], NULL: as they lie */
    int next;    /* place in the order where the next batch begins */
    uint32_t epoch;
    double busy_s, pictures; /* spent laying, and so many: the worker's while it lays */
    double rate;             /* of all batches that the caller has waited for */
};

static void loader_picture(void *context, size_t task)
{
    fv_loader *l = context;
    loader_slot *s = &l->slot[l->filling];
    fvi_store *store = l->dataset->store;
    int at = fvi_dataset_at(l->dataset, s->index[task]);
    uint8_t *raw = s->raw ? s->raw + task * store->bytes : NULL;
    fv_status how = loader_lay(store, s->x + task * l->each, raw, at, l->epoch, l->config.scale,
                               l->config.offset);
    s->is_left_out[task] = how != FV_OK;
    if (how != FV_OK) how = fvi_store_skip(store, at, how);
    s->how[task] = how;
    /* The text is this thread's: the caller gets the one of the first picture that failed, but any
       of them will do when several do. */
    if (how != FV_OK && task == 0) snprintf(s->error, sizeof s->error, "%s", fv_error());
}

/* Of pictures read by several threads, the first that failed; its text is made again here. */
static void loader_find_failed(fv_loader *l, loader_slot *s)
{
    for (int i = 0; i < s->n && s->failed == FV_OK; i++) {
        s->failed = s->how[i];
        if (s->failed == FV_OK || i == 0) continue;
        size_t row = (size_t)i;
        snprintf(s->error, sizeof s->error, "%spicture %d could not be read at first",
                 s->failed == FV_E_MEMORY ? "out of memory: " : "", s->index[i]);
        if (loader_lay(l->dataset->store, s->x + row * l->each,
                       s->raw ? s->raw + row * l->dataset->store->bytes : NULL,
                       fvi_dataset_at(l->dataset, s->index[i]), l->epoch, 1, 0) != FV_OK)
            snprintf(s->error, sizeof s->error, "%s", fv_error());
    }
}

/* Rows without those left out, with their labels. */
static void loader_close_up(fv_loader *l, loader_slot *s)
{
    const fv_dataset *d = l->dataset;
    size_t classes = (size_t)d->classes;
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        int from = s->index[i];
        if (s->is_left_out[i]) continue;
        if (n < i)
            memcpy(s->x + (size_t)n * l->each, s->x + (size_t)i * l->each, l->each * sizeof *s->x);
        s->index[n] = from;
        if (s->y) s->y[n] = d->label[from];
        if (s->target)
            memcpy(s->target + (size_t)n * classes, d->target + (size_t)from * classes,
                   classes * sizeof *s->target);
        n++;
    }
    s->n = n;
}

/* Lay the next batch into the slot that is due. Batches of which nothing can be read are passed
   over. */
static void loader_fill(void *context)
{
    fv_loader *l = context;
    loader_slot *s = &l->slot[l->filling];
    double start = fvi_now();
    s->n = 0;
    s->failed = FV_OK;
    while (s->n == 0 && s->failed == FV_OK) {
        int left = l->dataset->count - l->next;
        s->n = left < l->config.batch_size ? left : l->config.batch_size;
        if (l->config.drop_last && s->n < l->config.batch_size) s->n = 0;
        if (s->n == 0) break;
        for (int i = 0; i < s->n; i++) {
            s->index[i] = l->order ? l->order[l->next + i] : l->next + i;
        }
        l->next += s->n;
        fvi_parallel_for(l->pool, (size_t)s->n, loader_picture, l);
        l->pictures += s->n;
        loader_find_failed(l, s);
        loader_close_up(l, s);
    }
    l->busy_s += fvi_now() - start;
}

/* ---- making ---- */

static fv_status loader_slot_make(fv_loader *l, loader_slot *s)
{
    const fv_dataset *d = l->dataset;
    const fvi_store *store = d->store;
    size_t n = (size_t)l->config.batch_size;
    bool needs_raw = !store->memory && store->dtype == FV_UINT8;
    s->x = fvi_alloc(n, l->each * sizeof *s->x, "a batch of pictures");
    s->index = s->x ? fvi_alloc(n, sizeof *s->index, "a batch") : NULL;
    s->how = s->index ? fvi_alloc(n, sizeof *s->how, "a batch") : NULL;
    s->is_left_out = s->how ? fvi_alloc(n, sizeof *s->is_left_out, "a batch") : NULL;
    if (!s->is_left_out) return FV_E_MEMORY;
    if (needs_raw && !(s->raw = fvi_alloc(n, store->bytes, "a batch of pictures")))
        return FV_E_MEMORY;
    if (d->label && !(s->y = fvi_alloc(n, sizeof *s->y, "the labels of a batch")))
        return FV_E_MEMORY;
    if (d->target &&
        !(s->target = fvi_alloc(n, (size_t)d->classes * sizeof *s->target, "targets of a batch")))
        return FV_E_MEMORY;
    return FV_OK;
}

static fv_status loader_make(fv_loader *l)
{
    const fv_dataset *d = l->dataset;
    int threads = l->config.threads > 0 ? l->config.threads : fvi_threads_available();
    FVI_TRY(fvi_shape_count(&l->each, &d->store->shape));
    if (!l->config.without_shuffle) {
        l->order = fvi_alloc((size_t)d->count, sizeof *l->order, "the order of the pictures");
        if (!l->order) return FV_E_MEMORY;
    }
    FVI_TRY(loader_slot_make(l, &l->slot[0]));
    if (d->store->memory) return FV_OK;
    FVI_TRY(loader_slot_make(l, &l->slot[1]));
    if (!d->store->is_serial) FVI_TRY(fvi_threads_new(&l->pool, threads));
    return fvi_worker_new(&l->worker, loader_fill, l);
}

fv_status fv_loader_new(fv_loader **loader, const fv_dataset *dataset,
                        const fv_loader_config *config)
{
    if (!loader || !dataset)
        return fvi_fail(FV_E_ARG, "fv_loader_new: %s is NULL", loader ? "dataset" : "loader");
    *loader = NULL;
    fv_loader_config c = config ? *config : (fv_loader_config){0};
    if (c.batch_size < 0 || c.threads < 0)
        return fvi_fail(FV_E_ARG, "fv_loader_new: batch size %d and %d threads, expected 0 or more",
                        c.batch_size, c.threads);
    if (c.batch_size == 0) c.batch_size = LOADER_BATCH;
    if (c.scale == 0.0F) c.scale = 1.0F / 255.0F;
    fv_loader *l = fvi_alloc(1, sizeof *l, "a loader");
    if (!l) return FV_E_MEMORY;
    l->dataset = dataset;
    l->config = c;
    l->rate = NAN; /* before the first batch */
    fv_status status = loader_make(l);
    if (status != FV_OK) {
        fv_loader_free(l);
        return status;
    }
    l->next = dataset->count; /* nothing until an epoch begins */
    *loader = l;
    return FV_OK;
}

void fv_loader_free(fv_loader *loader)
{
    if (!loader) return;
    fvi_worker_free(loader->worker);
    fvi_threads_free(loader->pool);
    for (int i = 0; i < 2; i++) {
        loader_slot *s = &loader->slot[i];
        fvi_free(s->x);
        fvi_free(s->raw);
        fvi_free(s->how);
        fvi_free(s->is_left_out);
        fvi_free(s->y);
        fvi_free(s->target);
        fvi_free(s->index);
    }
    fvi_free(loader->order);
    fvi_free(loader);
}

/* ---- an epoch ---- */

fv_status fv_loader_begin(fv_loader *loader, uint32_t epoch)
{
    if (!loader) return fvi_fail(FV_E_ARG, "fv_loader_begin: loader is NULL");
    if (loader->worker) fvi_worker_wait(loader->worker); /* what an epoch cut short left laid */
    int count = loader->dataset->count;
    loader->epoch = epoch;
    loader->next = 0;
    if (loader->order) {
        for (int i = 0; i < count; i++) {
            loader->order[i] = i;
        }
        fvi_rng_permutation(loader->order, count, loader->config.seed, FVI_RNG_SHUFFLE, epoch);
    }
    if (loader->worker) fvi_worker_start(loader->worker);
    return FV_OK;
}

fv_status fv_loader_next(fv_loader *loader, fv_batch *batch)
{
    if (!loader || !batch)
        return fvi_fail(FV_E_ARG, "fv_loader_next: %s is NULL", loader ? "batch" : "loader");
    *batch = (fv_batch){0};
    if (loader->worker)
        fvi_worker_wait(loader->worker);
    else
        loader_fill(loader);
    if (loader->busy_s > 0) loader->rate = loader->pictures / loader->busy_s;
    const loader_slot *s = &loader->slot[loader->filling];
    if (s->failed != FV_OK) return fvi_fail(s->failed, "%s", s->error);
    *batch = (fv_batch){s->n, s->x, s->y, s->target, s->index};
    if (loader->worker && s->n > 0) { /* at the end of an epoch, what is next is not known yet */
        loader->filling = 1 - loader->filling;
        fvi_worker_start(loader->worker);
    }
    return FV_OK;
}

double fv_loader_rate(const fv_loader *loader)
{
    return loader ? loader->rate : NAN;
}
