/* SPDX-License-Identifier: MIT */
/* A data set from the inside: for src/data and the rooms that stand on it. */
#ifndef FVI_DATA_INTERNAL_H
#define FVI_DATA_INTERNAL_H

#include "fovea/data.h"
#include "formats/formats.h"

struct fv_dataset {
    char *name;
    int count, classes;
    fv_shape shape;    /* of one picture */
    fv_dtype dtype;    /* FV_UINT8 or FV_FLOAT32 */
    void *x;           /* count pictures */
    int32_t *label;    /* [count], or NULL */
    float *target;     /* [count, classes], or NULL; exactly one of the two */
    char **class_name; /* [classes] */
};

/* dataset.c: take ownership of x and label (freed on failure too) and name the classes 0, 1, ... where class_name is NULL. */
fv_status fvi_dataset_make(fv_dataset **dataset, const char *name, fv_shape shape, fv_dtype dtype,
                           void *x, int32_t *label, int count, int classes);

/* made.c: one line for each built-in set */
typedef struct fvi_made {
    const char *name;
    int height, width, channels, classes;
    /* Draw picture i of a split into pixels [H,W,C]; returns its class. A pure function of its arguments. */
    int (*draw)(uint8_t *pixels, int height, int width, uint64_t seed, fv_split split, int i);
} fvi_made;
const fvi_made *fvi_made_at(int i); /* NULL past the end */
fv_status fvi_made_open(fv_dataset **dataset, const char *name, fv_split split,
                        const fv_dataset_config *config);

#endif
