/* SPDX-License-Identifier: MIT */
/* Arrays that are alive for a while, and their places in one block of memory. */
#ifndef FVI_MODEL_SPAN_H
#define FVI_MODEL_SPAN_H

#include "model/model_internal.h"

/* One array, from the step that writes it to the last that reads it. Forward of node i is step i,
   the loss step n_nodes, backward of node i step 2 * n_nodes - i. */
typedef struct fvi_span {
    size_t *to; /* gets the offset */
    int first, last;
    int hole_first, hole_last;       /* between these it is free; hole_last 0: it never is */
    int first_segment, last_segment; /* that write or read it */
    int block;                       /* that it stays in; 0: none */
    size_t size, offset;             /* floats of one image */
} fvi_span;

/* Gives each of n spans its place, puts them into another order and makes *total what all of them need,
   if that is more than it was; false: too many floats to count. `placed` is room for n. */
bool fvi_span_place(fvi_span *span, const fvi_span **placed, int n, size_t *total);

#endif
