/* SPDX-License-Identifier: MIT */
/* What can be done with a field of each kind; between op_config.c and op_field.c only. */
#ifndef FVI_OP_FIELD_H
#define FVI_OP_FIELD_H

#include "ops/op.h"

#define FVI_FIELD_WORDS 16 /* that a field may take, at most */

typedef struct fvi_field_way {
    const char *expected; /* for messages; a range or the list of words is put behind it */
    /* From a value; false: of another kind or out of range. A zero that would mean "default" counts
       as out of range. */
    bool (*read)(const fvi_field *f, void *config, const fvi_value *value);
    /* Put the default in, then check; false: out of range. */
    bool (*complete)(const fvi_field *f, void *config);
    fvi_value *(*write)(const fvi_field *f, const void *config); /* survives any content */
} fvi_field_way;

const fvi_field_way *fvi_field_way_of(const fvi_field *f);
/* A float that must be more than 0, because 0 in the struct means something else. */
bool fvi_field_is_above_zero(const fvi_field *f);
/* The words a field takes; how many there are. */
size_t fvi_field_words(const char *out[FVI_FIELD_WORDS], const fvi_field *f);

#endif
