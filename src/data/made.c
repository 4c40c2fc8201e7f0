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
    return (uint32_t)i << 1 | (split == FV_TRAIN ? 0u : 1u);
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

/* A set is drawn, picture by picture, when it is looked at. */
typedef struct made_store {
    fvi_store head;
    const fvi_made *made;
    uint64_t seed;
    fv_split split;
} made_store;

static fv_status made_read(fvi_store *store, void *out, int i, uint32_t epoch)
{
    const made_store *s = (const made_store *)store;
    (void)epoch;
    s->made->draw(out, store->shape.dim[0], store->shape.dim[1], store->shape.dim[2], s->seed,
                  s->split, i);
    return FV_OK;
}

static int made_boxes(const fvi_store *store, fv_box *boxes, int room, int i)
{
    const made_store *s = (const made_store *)store;
    if (!s->made->boxes) return 0;
    return s->made->boxes(boxes, room, store->shape.dim[0], store->shape.dim[1], s->seed, s->split,
                          i);
}

static const fvi_store_kind made_store_kind = {.read = made_read, .boxes = made_boxes};

static fv_status made_check(fv_shape *shape, int *count, const fvi_made *made, fv_split split,
                            const fv_dataset_config *config)
{
    size_t limit = config->limit_bytes > 0 ? config->limit_bytes : fvi_memory_limit();
    size_t each = sizeof(int32_t) + 1; /* what a picture that is not drawn yet takes */
    const int dim[] = {config->height ? config->height : made->height,
                       config->width ? config->width : made->width,
                       config->channels ? config->channels : made->channels};
    if (config->count < 0)
        return fvi_fail(FV_E_ARG, "made:%s: %d pictures, expected 1 or more, or 0 for the default",
                        made->name, config->count);
    *count = config->count > 0 ? config->count : split == FV_TRAIN ? MADE_TRAIN : MADE_TEST;
    *shape = fvi_shape_of(3, dim);
    if ((size_t)*count > limit / each)
        return fvi_fail(FV_E_MEMORY, "made:%s: %d pictures are over the limit of %zu bytes",
                        made->name, *count, limit);
    if (dim[0] < made->smallest || dim[1] < made->smallest || dim[0] > FVI_MADE_LARGEST ||
        dim[1] > FVI_MADE_LARGEST || (dim[2] != 1 && dim[2] != 3))
        return fvi_fail(FV_E_ARG,
                        "made:%s: pictures of %dx%dx%d, expected sides of %d to %d and 1 or 3 "
                        "channels",
                        made->name, dim[0], dim[1], dim[2], made->smallest, FVI_MADE_LARGEST);
    return FV_OK;
}

fv_status fvi_made_open(fv_dataset **dataset, const char *name, fv_split split,
                        const fv_dataset_config *config)
{
    const fvi_made *made = NULL;
    for (int i = 0; (made = fvi_made_at(i)) && strcmp(made->name, name) != 0; i++) {
    }
    if (!made) return made_unknown(name);
    int count = 0;
    fv_shape shape;
    FVI_TRY(made_check(&shape, &count, made, split, config));
    made_store *s = fvi_store_new(sizeof *s, &made_store_kind, shape, FV_UINT8, count, NULL);
    if (!s) return FV_E_MEMORY;
    s->made = made;
    s->seed = config->seed;
    s->split = split;
    fv_dataset content = {.count = count, .classes = made->classes, .store = &s->head};
    content.label = fvi_alloc((size_t)count, sizeof *content.label, "labels");
    if (!content.label) {
        fvi_dataset_release(&content);
        return FV_E_MEMORY;
    }
    for (int i = 0; i < count; i++) {
        content.label[i] = fvi_made_class(config->seed, split, i, made->classes);
    }
    char full[64];
    snprintf(full, sizeof full, "made:%s", made->name);
    FVI_TRY(fvi_dataset_publish(dataset, content, full, made->class_names));
    fv_status status = fvi_dataset_keep(*dataset, config);
    if (status == FV_OK) return FV_OK;
    fv_dataset_free(*dataset);
    *dataset = NULL;
    return status;
}

/* ---- the list ---- */

static const fvi_made made_sets[] = {
    {"digits", 28, 28, 1, 10, NULL, 8, fvi_made_digit, NULL},
    {"faces", 64, 64, 3, 2, fvi_made_face_names, 24, fvi_made_face, NULL},
    {"hands", 64, 64, 3, 6, NULL, 24, fvi_made_hand, NULL},
    {"edges", 32, 32, 1, 5, fvi_made_edge_names, 8, fvi_made_edge, NULL},
    {"shapes", 64, 64, 3, 6, fvi_made_shape_names, 24, fvi_made_shape, fvi_made_shape_boxes},
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
