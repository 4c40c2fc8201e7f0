/* SPDX-License-Identifier: MIT */
/* One step of training: a batch through the model, the loss, back, and one move of the weights. */
#include "train/train_internal.h"

#include <math.h>
#include <stdio.h>

struct fv_trainer {
    fv_model *model;
    const fvi_loss_kind *kind;
    fvi_targets targets;
    fvi_optimizer *optimizer;
    uint32_t step;
};

fv_status fvi_trainer_check(const char *who, const fv_model *model)
{
    if (!model->is_built) return fvi_fail(FV_E_STATE, "%s: the model is not built yet", who);
    if (model->without_training)
        return fvi_fail(FV_E_STATE, "%s: the model was built without training", who);
    return FV_OK;
}

fv_status fv_trainer_new(fv_trainer **trainer, fv_model *model, const fv_dataset *dataset,
                         const fv_fit_config *config)
{
    static const fv_fit_config standard = {0};
    if (!trainer) return fvi_fail(FV_E_ARG, "fv_trainer_new: trainer is NULL");
    *trainer = NULL;
    if (!model || !dataset)
        return fvi_fail(FV_E_ARG, "fv_trainer_new: a model and a data set are needed");
    if (!config) config = &standard;
    FVI_TRY(fvi_trainer_check("fv_trainer_new", model));
    fv_trainer *t = fvi_alloc(1, sizeof *t, "a trainer");
    if (!t) return FV_E_MEMORY;
    t->model = model;
    fv_status status = fvi_loss_choose(&t->kind, &t->targets, model, dataset, config->loss);
    if (status == FV_OK)
        status = fvi_optimizer_new(&t->optimizer, &config->optimizer, model->trainable_floats);
    if (status == FV_OK)
        *trainer = t;
    else
        fv_trainer_free(t);
    return status;
}

void fv_trainer_free(fv_trainer *trainer)
{
    if (!trainer) return;
    fvi_optimizer_free(trainer->optimizer);
    fvi_free(trainer);
}

const float *fvi_trainer_forward(fv_trainer *t, const fv_batch *batch)
{
    return fvi_context_forward(t->model->context, batch->x, batch->n, true, t->targets.logits,
                               t->step);
}

fv_status fvi_trainer_step(fv_trainer *t, const fv_batch *batch, double *loss, double *right)
{
    fv_model *m = t->model;
    t->targets.label = batch->y;
    t->targets.target = batch->target;
    const float *y = fvi_trainer_forward(t, batch);
    t->step++;
    *loss = t->kind->rows(fvi_context_output_gradient(m->context), y, &t->targets, batch->n);
    *right = t->kind->right(y, &t->targets, batch->n);
    if (!isfinite(*loss)) return FV_E_NUMERIC;
    fvi_context_backward(m->context, batch->x);
    bool is_finite = fvi_optimizer_step(t->optimizer, m->kernels, m->context->threads, m->weights,
                                        m->context->weight_gradients);
    return is_finite ? FV_OK : FV_E_NUMERIC;
}

fv_status fvi_trainer_not_finite(const fv_trainer *trainer, const char *when, double loss)
{
    fvi_text where = {0};
    bool is_found = fvi_context_find_nonfinite(trainer->model->context, &where);
    fv_status s = fvi_fail(FV_E_NUMERIC,
                           "training stopped at %s: %s is not finite%s%s; "
                           "try a smaller learning rate",
                           when, isfinite(loss) ? "a gradient or a weight" : "the loss",
                           is_found && where.data ? "; first in " : "",
                           is_found && where.data ? where.data : "");
    fvi_text_free(&where);
    return s;
}

fv_status fv_trainer_step(fv_trainer *trainer, const fv_batch *batch, double *loss)
{
    if (!trainer || !batch)
        return fvi_fail(FV_E_ARG, "fv_trainer_step: %s is NULL", trainer ? "batch" : "trainer");
    int most = trainer->model->max_batch;
    if (batch->n < 1 || batch->n > most)
        return fvi_fail(FV_E_ARG, "fv_trainer_step: %d pictures; expected 1 to %d", batch->n, most);
    if (!batch->x || (!batch->y && !batch->target))
        return fvi_fail(FV_E_ARG, "fv_trainer_step: the batch has no %s",
                        batch->x ? "labels" : "pictures");
    char when[32];
    double sum = 0, right;
    fv_status status = fvi_trainer_step(trainer, batch, &sum, &right);
    if (loss) *loss = sum / batch->n;
    if (status != FV_E_NUMERIC) return status;
    snprintf(when, sizeof when, "step %lu", (unsigned long)trainer->step);
    return fvi_trainer_not_finite(trainer, when, sum);
}
