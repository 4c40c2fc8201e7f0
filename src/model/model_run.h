/* SPDX-License-Identifier: MIT */
/* The two loops over the layers, for what runs them. */
#ifndef FVI_MODEL_RUN_H
#define FVI_MODEL_RUN_H

#include "model/model_internal.h"

/* One call of an op, with room for what it points at. */
typedef struct fvi_run_call {
    fvi_run run;
    fvi_pooled pooled;
    float *w[FVI_MAX_WEIGHTS], *dw[FVI_MAX_WEIGHTS];
} fvi_run_call;

/* Before anything else of a run. */
void fvi_run_begin(fv_context *context, int n, bool training, bool logits, uint32_t step);
bool fvi_run_is_large(const fv_context *context, int n); /* worth waking threads? */
/* Image number i of n images is the first of part number i of so many. */
int fvi_run_part(int n, int parts, int i);
/* Node id's call on a lane's images, but for its turn. */
void fvi_run_prepare(fvi_run_call *call, const fv_context *context, const fvi_lane *lane, int id,
                     bool is_back);
/* All layers of a segment, on a lane's images; none if they belong to the other way. */
void fvi_run_forward(const fv_context *context, fvi_lane *lane, int segment);
/* With a lesson weights move layer by layer; false: it said so. Without one gradients go where the lane
   says and, if that is not where its sum is, are added to it. */
bool fvi_run_backward(const fv_context *context, fvi_lane *lane, int segment,
                      const fvi_lesson *lesson);
/* What the block that goes back in this segment did not keep. */
void fvi_run_again(const fv_context *context, fvi_lane *lane, int segment);

#endif
