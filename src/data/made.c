/* SPDX-License-Identifier: MIT */
/* Built-in picture sets drawn from a seed: the list of them, and the random numbers of a
   picture. */
#include "data/data_internal.h"

#include <stdio.h>
#include <string.h>

#define MADE_TRAIN 8000
#define MADE_TEST 1000
#define MADE_MAX_CLASSES 16
#define MADE_FIRST_INDEX 16 /* of a stream: those before it belong to fvi_made_class */

/* ---- random numbers ---- */

static uint32_t made_stream(fv_split split, int i)
{
    return (uint32_t)i << 1 | (split == FV_TEST ? 1u : 0u);
}

int fvi_made_class(uint64_t seed, fv_split split, int i, int classes)
{
    int order[MADE_MAX_CLASSES], at = i % classes;
    fvi_rng_permutation(order, classes, seed, FVI_RNG_MADE, made_stream(split, i - at));
    return order[at];
}

fvi_made_rng fvi_made_rng_begin(uint64_t seed, fv_split split, int i)
{
    return (fvi_made_rng){.seed = seed, .index = MADE_FIRST_INDEX, .stream = made_stream(split, i)};
}

uint32_t fvi_made_word(fvi_made_rng *rng)
{
    if (rng->left == 0) {
        fvi_rng_words(rng->word, rng->seed, FVI_RNG_MADE, rng->stream, rng->index++);
        rng->left = 4;
    }
    return rng->word[--rng->left];
}

float fvi_made_between(fvi_made_rng *rng, float low, float high)
{
    return low + (high - low) * ((float)(fvi_made_word(rng) >> 8) * 0x1p-24F);
}

int fvi_made_pick(fvi_made_rng *rng, int below)
{
    return (int)((uint64_t)fvi_made_word(rng) * (uint64_t)below >> 32);
}

/* ---- opening ---- */

static fv_status made_unknown(const char *name)
{
    const char *list[8];
    size_t count = 0;
    fvi_text all = {0};
    for (const fvi_made *m; count < FVI_COUNT(list) && (m = fvi_made_at((int)count)); count++) {
        list[count] = m->name;
        fvi_text_add(&all, "%smade:%s", count > 0 ? ", " : "", m->name);
    }
    char safe[FVI_SAFE_TEXT];
    const char *near = fv_nearest(name, list, count);
    fv_status status = all.status != FV_OK
                           ? all.status
                           : fvi_fail(FV_E_ARG, "no built-in set \"made:%s\"%s%s%s; there is: %s",
                                      fvi_safe(safe, name), near ? ", did you mean \"made:" : "",
                                      near ? near : "", near ? "\"" : "", all.data);
    fvi_text_free(&all);
    return status;
}

/* Pixels and labels of the whole set; *bytes of one picture. */
static fv_status made_room(uint8_t **pixels, int32_t **label, size_t *bytes, const fvi_made *made,
                           int count, size_t limit)
{
    size_t all;
    *bytes = (size_t)made->height * (size_t)made->width * (size_t)made->channels;
    if (limit == 0) limit = fvi_memory_limit();
    if (!fvi_mul(&all, *bytes + sizeof **label, (size_t)count) || all > limit)
        return fvi_fail(FV_E_MEMORY,
                        "made:%s: %d pictures of %zu bytes are over the limit of %zu bytes",
                        made->name, count, *bytes, limit);
    *pixels = fvi_alloc((size_t)count, *bytes, "pictures");
    *label = *pixels ? fvi_alloc((size_t)count, sizeof **label, "labels") : NULL;
    if (*label) return FV_OK;
    fvi_free(*pixels);
    return FV_E_MEMORY;
}

fv_status fvi_made_open(fv_dataset **dataset, const char *name, fv_split split,
                        const fv_dataset_config *config)
{
    const fvi_made *made = NULL;
    for (int i = 0; (made = fvi_made_at(i)) && strcmp(made->name, name) != 0; i++) {
    }
    if (!made) return made_unknown(name);
    if (config->count < 0)
        return fvi_fail(FV_E_ARG, "made:%s: %d pictures, expected 1 or more, or 0 for the default",
                        made->name, config->count);
    int count = config->count > 0 ? config->count : split == FV_TEST ? MADE_TEST : MADE_TRAIN;
    uint8_t *pixels = NULL;
    int32_t *label = NULL;
    size_t bytes;
    FVI_TRY(made_room(&pixels, &label, &bytes, made, count, config->limit_bytes));
    for (int i = 0; i < count; i++) {
        label[i] = made->draw(pixels + (size_t)i * bytes, made->height, made->width, made->channels,
                              config->seed, split, i);
    }
    char full[64];
    snprintf(full, sizeof full, "made:%s", made->name);
    const int dim[] = {made->height, made->width, made->channels};
    FVI_TRY(fvi_dataset_make(dataset, full, fvi_shape_of(3, dim), FV_UINT8, pixels, label, count,
                             made->classes));
    fv_status status =
        made->class_names ? fvi_dataset_name_classes(*dataset, made->class_names) : FV_OK;
    if (status == FV_OK) return FV_OK;
    fv_dataset_free(*dataset);
    *dataset = NULL;
    return status;
}

/* ---- the list ---- */

static const fvi_made made_sets[] = {
    {"digits", 28, 28, 1, 10, NULL, 8, fvi_made_digit, NULL},
};

const fvi_made *fvi_made_at(int i)
{
    return i >= 0 && i < (int)FVI_COUNT(made_sets) ? &made_sets[i] : NULL;
}

const char *fv_dataset_made_name(int i)
{
    const fvi_made *made = fvi_made_at(i);
    return made ? made->name : NULL;
}
