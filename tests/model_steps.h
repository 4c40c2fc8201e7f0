/* SPDX-License-Identifier: MIT */
/* A step of training as its layers would take it one by one, for tests of steps that do not. */
#ifndef TEST_MODEL_STEPS_H
#define TEST_MODEL_STEPS_H

#include "model_nets.h"
#include "train/train_internal.h"

#define STEPS_RATE 0.25f

/* The weights after a step down the gradients that the layers give one by one. */
static inline float *steps_by_hand(fv_model *m, const fv_dataset *d, const float *x, int n,
                                   const int32_t *label)
{
    const fvi_loss_kind *kind;
    fvi_targets t;
    assert_ok(fvi_loss_choose(&kind, &t, m, d, FV_LOSS_AUTO));
    t.label = label;
    assert_ok(fvi_model_look(m));
    const float *y = fvi_context_forward(m->look, x, n, true, t.logits, 0);
    kind->rows(fvi_context_output_gradient(m->look), y, &t, n);
    fvi_context_backward(m->look);
    float *w = fvi_copy(m->weights, m->weight_floats * sizeof *w, "");
    assert_non_null(w);
    m->kernels->sgd(m->trainable_floats, w, m->look->lane->gradients, NULL,
                    &(fvi_sgd){.rate = STEPS_RATE});
    return w;
}

#endif
