/* SPDX-License-Identifier: MIT */
/* A function of each picture: the caller's own, augmentation, standardisation; and the statistics
   that the last one needs. */
#include "data/data_internal.h"

#include <math.h>

typedef struct map_store {
    fvi_store head;
    fv_dataset_mapping mapping;
} map_store;

static fv_status map_read(fvi_store *store, void *out, int i, uint32_t epoch)
{
    const fv_dataset_mapping *m = &((map_store *)store)->mapping;
    const char *memory = store->below->memory;
    if (memory)
        return m->map(m->user, out, memory + (size_t)i * store->below->bytes, i, epoch)
                   ? FV_OK
                   : fvi_fail(FV_E_FORMAT, "picture %d was left out by the mapping", i);
    void *in = fvi_alloc(store->below->bytes, 1, "a picture");
    if (!in) return FV_E_MEMORY;
    fv_status status = fvi_store_read(store->below, in, i, epoch);
    if (status == FV_OK && !m->map(m->user, out, in, i, epoch))
        status = fvi_fail(FV_E_FORMAT, "picture %d was left out by the mapping", i);
    fvi_free(in);
    return status;
}

static const char *map_path(const fvi_store *store, int i)
{
    const fvi_store *below = store->below;
    return below->kind->path ? below->kind->path(below, i) : NULL;
}

static void map_free(fvi_store *store)
{
    const fv_dataset_mapping *m = &((map_store *)store)->mapping;
    if (m->free) m->free(m->user);
}

static const fvi_store_kind map_kind = {.read = map_read, .path = map_path, .free = map_free};

/* All of d on another store, whose hold it takes over in any case. */
fv_status fvi_dataset_restore(fv_dataset **dataset, const fv_dataset *d, fvi_store *store)
{
    fv_dataset whole = {
        .count = d->count, .classes = d->classes, .store = store, .resize = d->resize};
    size_t count = (size_t)d->count;
    bool ok = true;
    if (d->index) ok = (whole.index = fvi_copy(d->index, count * sizeof(int), "pictures")) != NULL;
    if (ok && d->label)
        ok = (whole.label = fvi_copy(d->label, count * sizeof(int32_t), "labels")) != NULL;
    if (ok && d->target)
        ok = (whole.target = fvi_copy(d->target, count * (size_t)d->classes * sizeof(float),
                                      "targets")) != NULL;
    if (ok) return fvi_dataset_publish(dataset, whole, d->name, (const char *const *)d->class_name);
    fvi_dataset_release(&whole);
    return FV_E_MEMORY;
}

static fv_status map_check(fv_dataset_mapping *m, const fv_dataset *dataset)
{
    size_t each;
    if (m->shape.rank == 0) {
        m->shape = dataset->store->shape;
        m->dtype = dataset->store->dtype;
    }
    FVI_TRY(fvi_shape_count(&each, &m->shape));
    if ((m->dtype != FV_UINT8 && m->dtype != FV_FLOAT32) || each == 0 ||
        (m->shape.rank != 1 && m->shape.rank != 3))
        return fvi_fail(FV_E_ARG,
                        "fv_dataset_map: to %s of rank %d, expected uint8 or float32, [H,W,C] or "
                        "[D], nothing empty",
                        fv_dtype_name(m->dtype), m->shape.rank);
    return FV_OK;
}

fv_status fv_dataset_map(fv_dataset **mapped, const fv_dataset *dataset,
                         const fv_dataset_mapping *mapping)
{
    if (!mapped || !dataset || !mapping || !mapping->map)
        return fvi_fail(FV_E_ARG, "fv_dataset_map: %s is NULL",
                        !mapped    ? "mapped"
                        : !dataset ? "dataset"
                        : mapping  ? "map"
                                   : "mapping");
    *mapped = NULL;
    fv_dataset_mapping m = *mapping;
    fv_status status = map_check(&m, dataset);
    map_store *s = NULL;
    if (status == FV_OK) {
        s = fvi_store_new(sizeof *s, &map_kind, m.shape, m.dtype, dataset->store->count,
                          fvi_store_hold(dataset->store));
        if (!s) status = FV_E_MEMORY;
    }
    if (!s) {
        if (m.free) m.free(m.user);
        return status;
    }
    s->mapping = m;
    return fvi_dataset_restore(mapped, dataset, &s->head);
}

/* ---- augmentation ---- */

typedef struct map_augment {
    fv_augment_config config;
    uint64_t seed;
    fv_shape shape;
    fv_dtype dtype;
} map_augment;

static bool map_augment_picture(void *user, void *out, const void *in, int i, uint32_t epoch)
{
    const map_augment *a = user;
    const int *dim = a->shape.dim;
    if (a->dtype == FV_UINT8)
        fvi_augment(out, in, dim[0], dim[1], dim[2], &a->config, a->seed, epoch, i);
    else
        fvi_augment_float(out, in, dim[0], dim[1], dim[2], &a->config, a->seed, epoch, i);
    return true;
}

fv_status fv_dataset_augment(fv_dataset **augmented, const fv_dataset *dataset,
                             const fv_augment_config *config, uint64_t seed)
{
    if (!augmented || !dataset || !config)
        return fvi_fail(FV_E_ARG, "fv_dataset_augment: %s is NULL",
                        !augmented ? "augmented"
                        : dataset  ? "config"
                                   : "dataset");
    *augmented = NULL;
    FVI_TRY(fvi_augment_check(config));
    if (dataset->store->shape.rank != 3)
        return fvi_fail(FV_E_SHAPE, "fv_dataset_augment: rows of %d numbers, expected pictures",
                        dataset->store->shape.dim[0]);
    map_augment *a = fvi_alloc(1, sizeof *a, "augmentation");
    if (!a) return FV_E_MEMORY;
    *a = (map_augment){*config, seed, dataset->store->shape, dataset->store->dtype};
    return fv_dataset_map(
        augmented, dataset,
        &(fv_dataset_mapping){.map = map_augment_picture, .free = fvi_free, .user = a});
}

/* ---- standardisation ---- */

typedef struct map_standard {
    size_t count, channels; /* elements of a picture */
    fv_dtype dtype;
    float scale[]; /* [channels], then [channels] offsets */
} map_standard;

static bool map_standard_picture(void *user, void *out, const void *in, int i, uint32_t epoch)
{
    const map_standard *s = user;
    const float *offset = s->scale + s->channels;
    float *x = out;
    (void)i, (void)epoch;
    for (size_t k = 0; k < s->count; k++) {
        float value =
            s->dtype == FV_UINT8 ? (float)((const uint8_t *)in)[k] : ((const float *)in)[k];
        size_t c = k % s->channels;
        x[k] = value * s->scale[c] + offset[c];
    }
    return true;
}

fv_status fv_dataset_standardize(fv_dataset **standardized, const fv_dataset *dataset,
                                 const double *mean, const double *deviation)
{
    if (!standardized || !dataset || !mean || !deviation)
        return fvi_fail(FV_E_ARG, "fv_dataset_standardize: %s is NULL",
                        !standardized ? "standardized"
                        : !dataset    ? "dataset"
                        : mean        ? "deviation"
                                      : "mean");
    *standardized = NULL;
    const fvi_store *store = dataset->store;
    size_t C = store->shape.rank == 3 ? (size_t)store->shape.dim[2] : 1;
    for (size_t c = 0; c < C; c++) {
        if (!isfinite(mean[c]) || !isfinite(deviation[c]) || deviation[c] < 0)
            return fvi_fail(FV_E_ARG,
                            "fv_dataset_standardize: channel %zu: expected a number and a "
                            "deviation of 0 or more",
                            c);
    }
    map_standard *s = fvi_alloc(1, sizeof *s + 2 * C * sizeof(float), "standardisation");
    if (!s) return FV_E_MEMORY;
    s->count = store->bytes / fv_dtype_size(store->dtype);
    s->channels = C;
    s->dtype = store->dtype;
    for (size_t c = 0; c < C; c++) { /* a constant channel becomes 0 */
        s->scale[c] = deviation[c] > 0 ? (float)(1 / deviation[c]) : 0.0F;
        s->scale[C + c] = deviation[c] > 0 ? (float)(-mean[c] / deviation[c]) : 0.0F;
    }
    return fv_dataset_map(standardized, dataset,
                          &(fv_dataset_mapping){.map = map_standard_picture,
                                                .free = fvi_free,
                                                .user = s,
                                                .shape = store->shape,
                                                .dtype = FV_FLOAT32});
}

/* ---- statistics ---- */

fv_status fv_dataset_statistics(const fv_dataset *dataset, double *mean, double *deviation)
{
    if (!dataset || !mean || !deviation)
        return fvi_fail(FV_E_ARG, "fv_dataset_statistics: %s is NULL",
                        !dataset ? "dataset"
                        : mean   ? "deviation"
                                 : "mean");
    const fvi_store *store = dataset->store;
    size_t each = store->bytes / fv_dtype_size(store->dtype);
    size_t C = store->shape.rank == 3 ? (size_t)store->shape.dim[2] : 1, pixels = each / C;
    float *x = fvi_alloc(each, sizeof *x, "a picture");
    if (!x) return FV_E_MEMORY;
    for (size_t c = 0; c < C; c++) {
        mean[c] = deviation[c] = 0;
    }
    /* Welford's update, so that a large mean does not swallow a small deviation. */
    double seen = 0;
    fv_status status = FV_OK;
    for (int i = 0; status == FV_OK && i < dataset->count; i++) {
        status = fv_dataset_batch(dataset, x, NULL, i, 1, 1, 0);
        if (status != FV_OK) {
            status = fvi_store_skip(dataset->store, fvi_dataset_at(dataset, i), status);
            continue;
        }
        for (size_t k = 0; k < each; k++) {
            size_t c = k % C, pixel = k / C;
            double n = seen + (double)pixel + 1, off = x[k] - mean[c];
            mean[c] += off / n;
            deviation[c] += off * (x[k] - mean[c]);
        }
        seen += (double)pixels;
    }
    for (size_t c = 0; c < C; c++) {
        deviation[c] = seen > 0 ? sqrt(deviation[c] / seen) : 0;
    }
    fvi_free(x);
    return status;
}
