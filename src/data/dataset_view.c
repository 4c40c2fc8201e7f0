/* SPDX-License-Identifier: MIT */
/* Data sets made of data sets: a part, another order. They share the pictures. */
#include "data/data_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- some of the pictures, in some order ---- */

/* Labels, targets and places of the pictures of indexes; not published, not named. */
static fv_status view_take(fv_dataset *part, const fv_dataset *d, const int *indexes, int n)
{
    size_t row = (size_t)d->classes, count = (size_t)n;
    *part = (fv_dataset){
        .count = n, .classes = d->classes, .store = fvi_store_hold(d->store), .resize = d->resize};
    part->index = fvi_alloc(count, sizeof *part->index, "the pictures of a part");
    if (!part->index) return FV_E_MEMORY;
    if (d->label && !(part->label = fvi_alloc(count, sizeof *part->label, "labels")))
        return FV_E_MEMORY;
    if (d->target && !(part->target = fvi_alloc(count, row * sizeof *part->target, "targets")))
        return FV_E_MEMORY;
    for (int i = 0; i < n; i++) {
        part->index[i] = fvi_dataset_at(d, indexes[i]);
        if (d->label) part->label[i] = d->label[indexes[i]];
        if (d->target)
            memcpy(part->target + (size_t)i * row, d->target + (size_t)indexes[i] * row,
                   row * sizeof *d->target);
    }
    return FV_OK;
}

fv_status fv_dataset_select(fv_dataset **selected, const fv_dataset *dataset, const int *indexes,
                            int n)
{
    fv_dataset part;
    if (!selected || !dataset || (!indexes && n > 0))
        return fvi_fail(FV_E_ARG, "fv_dataset_select: %s is NULL",
                        !selected ? "selected"
                        : dataset ? "indexes"
                                  : "dataset");
    *selected = NULL;
    if (n < 0) return fvi_fail(FV_E_ARG, "fv_dataset_select: %d pictures, expected 0 or more", n);
    for (int i = 0; i < n; i++) {
        if (indexes[i] < 0 || indexes[i] >= dataset->count)
            return fvi_fail(FV_E_ARG, "fv_dataset_select: picture %d, expected 0 to %d", indexes[i],
                            dataset->count - 1);
    }
    fv_status status = view_take(&part, dataset, indexes, n);
    if (status == FV_OK)
        return fvi_dataset_publish(selected, part, dataset->name,
                                   (const char *const *)dataset->class_name);
    fvi_dataset_release(&part);
    return status;
}

fv_status fv_dataset_shuffle(fv_dataset **shuffled, const fv_dataset *dataset, uint64_t seed)
{
    if (!shuffled || !dataset)
        return fvi_fail(FV_E_ARG, "fv_dataset_shuffle: %s is NULL",
                        shuffled ? "dataset" : "shuffled");
    *shuffled = NULL;
    int *order = fvi_alloc((size_t)dataset->count, sizeof *order, "the order of the pictures");
    if (!order) return FV_E_MEMORY;
    for (int i = 0; i < dataset->count; i++) {
        order[i] = i;
    }
    fvi_rng_permutation(order, dataset->count, seed, FVI_RNG_SPLIT, 1);
    fv_status status = fv_dataset_select(shuffled, dataset, order, dataset->count);
    fvi_free(order);
    return status;
}

/* ---- two parts ---- */

typedef struct view_key {
    int label, i;
    uint64_t hash;
} view_key;

static int view_by_label_and_hash(const void *left, const void *right)
{
    const view_key *a = left, *b = right;
    if (a->label != b->label) return a->label < b->label ? -1 : 1;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return a->i - b->i;
}

/* What decides on which side a picture goes: its label, and a hash of its content. */
static fv_status view_keys(view_key *key, const fv_dataset *d, uint64_t seed)
{
    fvi_store *store = d->store;
    unsigned char *pixels = fvi_alloc(store->bytes, 1, "a picture");
    if (!pixels) return FV_E_MEMORY;
    fv_status status = FV_OK;
    for (int i = 0; status == FV_OK && i < d->count; i++) {
        int at = fvi_dataset_at(d, i);
        key[i] = (view_key){.label = fv_dataset_label(d, i), .i = i};
        if (store->kind->hash) {
            status = store->kind->hash(store, &key[i].hash, at, seed);
        } else {
            status = fvi_store_read(store, pixels, at, 0);
            if (status == FV_OK) key[i].hash = fvi_hash(pixels, store->bytes, seed);
        }
        /* What cannot be read will be left out on either side. */
        if (status != FV_OK) status = fvi_store_skip(store, at, status);
    }
    fvi_free(pixels);
    return status;
}

/* Of the sorted keys first .. end-1, all of one class: how many go into the second part. */
static int view_share(const view_key *key, int first, int end, double fraction)
{
    int n = end - first, share = (int)floor(n * fraction + 0.5);
    /* A class of two pictures or more is on both sides. */
    if (n > 1 && share < 1) share = 1;
    if (n > 1 && share > n - 1) share = n - 1;
    /* Equal pictures stay together. */
    while (share > 0 && share < n && key[first + share].hash == key[first + share - 1].hash) {
        share++;
    }
    return share;
}

static int view_by_number(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

/* order: the numbers of the second part from the front, of the first from the back; both in the
   order of the data set. Returns how many are in the second. */
static int view_divide(int *order, const view_key *key, int count, double fraction)
{
    int second = 0, first = count;
    for (int i = 0, end; i < count; i = end) {
        for (end = i; end < count && key[end].label == key[i].label;) {
            end++;
        }
        int share = view_share(key, i, end, fraction);
        for (int k = i; k < end; k++) {
            if (k < i + share)
                order[second++] = key[k].i;
            else
                order[--first] = key[k].i;
        }
    }
    qsort(order, (size_t)second, sizeof *order, view_by_number);
    qsort(order + second, (size_t)(count - second), sizeof *order, view_by_number);
    return second;
}

static fv_status view_split(fv_dataset **first, fv_dataset **second, const fv_dataset *d,
                            double fraction, uint64_t seed, view_key *key, int *order)
{
    FVI_TRY(view_keys(key, d, seed));
    qsort(key, (size_t)d->count, sizeof *key, view_by_label_and_hash);
    int n = view_divide(order, key, d->count, fraction);
    if (n == 0 || n == d->count)
        return fvi_fail(FV_E_ARG,
                        "\"%s\": %d pictures cannot be split, one part would be empty (a class "
                        "with one picture, or with equal ones, stays whole)",
                        d->name, d->count);
    FVI_TRY(fv_dataset_select(second, d, order, n));
    fv_status status = fv_dataset_select(first, d, order + n, d->count - n);
    if (status == FV_OK) return FV_OK;
    fv_dataset_free(*second);
    *second = NULL;
    return status;
}

fv_status fv_dataset_split(fv_dataset **first, fv_dataset **second, const fv_dataset *dataset,
                           double fraction, uint64_t seed)
{
    if (!first || !second || !dataset)
        return fvi_fail(FV_E_ARG, "fv_dataset_split: %s is NULL",
                        !first   ? "first"
                        : second ? "dataset"
                                 : "second");
    *first = NULL;
    *second = NULL;
    if (!(fraction > 0 && fraction < 1)) {
        fvi_text text = {0};
        fvi_text_add_double(&text, fraction);
        fv_status status = fvi_fail(FV_E_ARG, "a split of %s, expected more than 0 and less than 1",
                                    text.data ? text.data : "?");
        fvi_text_free(&text);
        return status;
    }
    view_key *key = fvi_alloc((size_t)dataset->count, sizeof *key, "a split");
    int *order = key ? fvi_alloc((size_t)dataset->count, sizeof *order, "a split") : NULL;
    fv_status status = FV_E_MEMORY;
    if (order) status = view_split(first, second, dataset, fraction, seed, key, order);
    fvi_free(order);
    fvi_free(key);
    return status;
}
