/* SPDX-License-Identifier: MIT */
/* Which arrays of a file or folder are pictures and which are labels, by their names. */
#include "data/data_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAMES_X = 0, NAMES_Y = 1, NAMES_OTHER = -1 };

/* What a name says: "train_set_x" is x of train, and "set" besides. */
typedef struct names_word {
    int role, split;
    char rest[FVI_SAFE_TEXT]; /* the words that say neither, joined */
} names_word;

static int names_role(const char *word, size_t size)
{
    static const struct {
        const char *word;
        int role;
    } roles[] = {{"x", NAMES_X},     {"images", NAMES_X}, {"image", NAMES_X}, {"imgs", NAMES_X},
                 {"data", NAMES_X},  {"pixels", NAMES_X}, {"y", NAMES_Y},     {"labels", NAMES_Y},
                 {"label", NAMES_Y}, {"targets", NAMES_Y}};
    for (size_t i = 0; i < FVI_COUNT(roles); i++) {
        if (strlen(roles[i].word) == size && strncasecmp(roles[i].word, word, size) == 0)
            return roles[i].role;
    }
    return NAMES_OTHER;
}

static void names_add_rest(names_word *told, size_t *used, const char *word, size_t size)
{
    if (size == 0 || *used + size + 2 >= sizeof told->rest) return;
    told->rest[(*used)++] = '_';
    memcpy(told->rest + *used, word, size);
    *used += size;
}

/* Of several words that could be the role, the last is: the group data/ has x and y in it. */
static names_word names_tell(const char *name)
{
    names_word told = {.role = NAMES_OTHER, .split = -1};
    const char *role_word = NULL;
    size_t used = 0, role_size = 0;
    for (const char *at = name; *at;) {
        size_t size = strcspn(at, "_/.-");
        int role = names_role(at, size), split = fvi_split_of(at, size);
        if (role != NAMES_OTHER) {
            names_add_rest(&told, &used, role_word, role_size);
            told.role = role;
            role_word = at;
            role_size = size;
        } else if (split >= 0 && told.split < 0) {
            told.split = split;
        } else {
            names_add_rest(&told, &used, at, size);
        }
        at += size;
        at += *at != '\0';
    }
    return told;
}

/* The labels that go with the pictures of that name, or NULL. */
static const char *names_partner(const fvi_value *names, const names_word *x)
{
    for (size_t i = 0; i < names->count; i++) {
        names_word y = names_tell(names->item[i]->string);
        if (y.role == NAMES_Y && y.split == x->split && strcmp(y.rest, x->rest) == 0)
            return names->item[i]->string;
    }
    return NULL;
}

static const char *names_exact(const fvi_value *names, const char *name)
{
    name += name[0] == '/';
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->item[i]->string, name) == 0) return names->item[i]->string;
    }
    return NULL;
}

/* The one pair there is; of several the one pair that is named for the split. *pairs: how many. */
static bool names_pair(fvi_pair *pair, int *pairs, const fvi_value *names, fv_split split)
{
    fvi_pair any = {0}, fitting = {0};
    int fit = 0;
    *pairs = 0;
    for (size_t i = 0; i < names->count; i++) {
        names_word x = names_tell(names->item[i]->string);
        const char *y = x.role == NAMES_X ? names_partner(names, &x) : NULL;
        if (!y) continue;
        (*pairs)++;
        any = (fvi_pair){names->item[i]->string, y};
        if (x.split != (int)split) continue;
        fit++;
        fitting = any;
    }
    *pair = *pairs == 1 ? any : fitting;
    return *pairs == 1 || fit == 1;
}

bool fvi_array_is_named(int *split, int *role, const char *name)
{
    names_word told = names_tell(name);
    *split = told.split;
    *role = told.role;
    return told.role != NAMES_OTHER;
}

bool fvi_pair_choose(fvi_pair *pair, const fvi_value *names, fv_split split,
                     const fv_dataset_config *config)
{
    fvi_pair told = {0};
    int pairs;
    bool is_told = names_pair(&told, &pairs, names, split);
    *pair = told;
    if (!config->x_name && !config->y_name) return is_told;
    if (config->x_name) {
        pair->x = names_exact(names, config->x_name);
        names_word x = names_tell(config->x_name);
        if (pair->x) pair->y = names_partner(names, &x);
    }
    if (config->y_name) pair->y = names_exact(names, config->y_name);
    return pair->x && pair->y;
}

bool fvi_pair_has(const fvi_value *names, fv_split split)
{
    fvi_pair pair;
    int pairs;
    bool is_told = names_pair(&pair, &pairs, names, split);
    /* One pair alone is the whole set, whatever it is called. */
    return pairs == 1 ? split == FV_TRAIN : is_told;
}

void fvi_pair_expected(char out[FVI_PAIR_TEXT], const fv_dataset_config *config)
{
    char x[FVI_SAFE_TEXT], y[FVI_SAFE_TEXT];
    if (config->x_name || config->y_name)
        snprintf(out, FVI_PAIR_TEXT, "pictures \"%s\" and labels \"%s\"",
                 config->x_name ? fvi_safe(x, config->x_name) : "?",
                 config->y_name ? fvi_safe(y, config->y_name) : "?");
    else
        snprintf(out, FVI_PAIR_TEXT,
                 "train_set_x and train_set_y, test_set_x and test_set_y, x_train and y_train, or "
                 "one pair x and y, or images and labels; or name them (--x, --y)");
}
