/* SPDX-License-Identifier: MIT */
/* Names of layers: Keras's automatic ones, uniqueness, and finding a layer by its name. */
#include "model/model_internal.h"

#include <stdio.h>
#include <string.h>

#define NAME_AUTOMATIC 128 /* class names are our own and short */
#define NAME_SLOTS 16      /* of the first table; doubled from there */

/* FNV-1a, started from the model's address so that no file can be made of colliding names. */
static size_t name_hash(const fv_model *model, const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)(uintptr_t)model;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the name, or the free one where it would go. */
static int *name_slot(const fv_model *model, const char *name)
{
    size_t mask = model->name_slots - 1;
    size_t at = name_hash(model, name) & mask;
    while (model->name_slot[at] && strcmp(model->node[model->name_slot[at] - 1].name, name) != 0) {
        at = (at + 1) & mask;
    }
    return &model->name_slot[at];
}

int fvi_model_lookup(const fv_model *model, const char *name)
{
    return model->name_slots ? *name_slot(model, name) - 1 : -1;
}

void fvi_model_name_put(fv_model *model, int id)
{
    *name_slot(model, model->node[id].name) = id + 1;
}

fv_status fvi_model_name_room(fv_model *model)
{
    size_t slots = model->name_slots ? model->name_slots : NAME_SLOTS;
    while (slots < 2 * ((size_t)model->n_nodes + 1)) {
        slots *= 2;
    }
    if (slots == model->name_slots) return FV_OK;
    int *slot = fvi_alloc(slots, sizeof *slot, "names of layers");
    if (!slot) return FV_E_MEMORY;
    fvi_free(model->name_slot);
    model->name_slot = slot;
    model->name_slots = slots;
    for (int i = 0; i < model->n_nodes; i++) {
        fvi_model_name_put(model, i);
    }
    return FV_OK;
}

static bool name_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool name_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* "MaxPooling2D" to "max_pooling2d", "ReLU" to "re_lu": an upper-case letter starts a word when a
   lower-case one stands on either side of it. */
static void name_snake(char out[NAME_AUTOMATIC], const char *word)
{
    size_t used = 0;
    for (size_t i = 0; word[i] && used + 3 < NAME_AUTOMATIC; i++) {
        bool upper = name_is_upper(word[i]);
        if (i > 0 && upper && (name_is_lower(word[i - 1]) || name_is_lower(word[i + 1]))) {
            out[used++] = '_';
        }
        out[used++] = upper ? (char)(word[i] - 'A' + 'a') : word[i];
    }
    out[used] = '\0';
}

/* "conv2d" for number 0, "conv2d_3" for number 3. True when no layer has that name. */
static bool name_is_free(const fv_model *model, char out[NAME_AUTOMATIC + 16], const char *word,
                         int number)
{
    if (number == 0) {
        snprintf(out, NAME_AUTOMATIC + 16, "%s", word);
    } else {
        snprintf(out, NAME_AUTOMATIC + 16, "%s_%d", word, number);
    }
    return fvi_model_lookup(model, out) < 0;
}

/* The first free number, found by doubling and halving, since there may be very many layers. */
static void name_number(const fv_model *model, char out[NAME_AUTOMATIC + 16], const char *word)
{
    int taken = -1, unused = 0;
    while (!name_is_free(model, out, word, unused)) {
        taken = unused;
        unused = 2 * unused + 1;
    }
    while (unused - taken > 1) {
        int middle = taken + (unused - taken) / 2;
        if (name_is_free(model, out, word, middle)) {
            unused = middle;
        } else {
            taken = middle;
        }
    }
    (void)name_is_free(model, out, word, unused);
}

fv_status fvi_model_check_name(const char *what, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    if (!name || !*name) return fvi_fail(FV_E_ARG, "%s: the name is empty", what);
    if (strlen(name) > FVI_MAX_NAME) {
        return fvi_fail(FV_E_ARG, "%s: a name of %zu bytes; expected at most %d", what,
                        strlen(name), FVI_MAX_NAME);
    }
    if (!fvi_is_utf8(name)) {
        return fvi_fail(FV_E_ARG, "%s: the name \"%s\" is not UTF-8", what, fvi_safe(safe, name));
    }
    return FV_OK;
}

char *fvi_model_layer_name(const fv_model *model, const fvi_op *op, const char *name,
                           fv_status *status)
{
    char word[NAME_AUTOMATIC], automatic[NAME_AUTOMATIC + 16], safe[FVI_SAFE_TEXT];
    if (!name) {
        name_snake(word, op->name);
        name_number(model, automatic, word);
        name = automatic;
    }
    *status = fvi_model_check_name(op->name, name);
    if (*status != FV_OK) return NULL;
    int other = fvi_model_lookup(model, name);
    if (other >= 0) {
        *status = fvi_fail(FV_E_ARG, "%s: the name \"%s\" is taken by layer %d, %s", op->name,
                           fvi_safe(safe, name), other, model->node[other].op->name);
        return NULL;
    }
    char *copy = fvi_strdup(name);
    *status = copy ? FV_OK : FV_E_MEMORY;
    return copy;
}
