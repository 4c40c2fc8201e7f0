/* SPDX-License-Identifier: MIT */
/* One step of training: a batch through the model, the loss, back, and one move of the weights. */
#include "train/train_internal.h"

#include <math.h>
#include <stdio.h>

struct fv_trainer {
    fv_model *model;
    fv_context *context;
    const fvi_loss_kind *kind;
    fvi_targets targets;
    fvi_optimizer *optimizer;
    uint32_t step;
    double loss[FVI_PARTS], right[FVI_PARTS];
    fvi_text where; /* what was not finite when weights were moved */
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
    if (status == FV_OK) status = fvi_context_make(&t->context, model, model->pool, FVI_TRAIN);
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
    fv_context_free(trainer->context);
    fvi_text_free(&trainer->where);
    fvi_free(trainer);
}

void fvi_trainer_statistics(fv_trainer *t, const fv_batch *batch, int number)
{
    fvi_context_statistics(t->context, batch->x, batch->n, number, t->step);
}

/* ---- What the model asks of a step ---- */

static void trainer_loss(void *user, int part, float *dy, const float *y, int first, int n)
{
    fv_trainer *t = user;
    fvi_targets targets = t->targets;
    if (targets.label) targets.label += first;
    if (targets.target) targets.target += (size_t)first * (size_t)targets.C;
    t->loss[part] += t->kind->rows(dy, y, &targets, n);
    t->right[part] += t->kind->right(y, &targets, n);
}

static double trainer_sum(const double part[FVI_PARTS])
{
    double sum = 0;
    for (int i = 0; i < FVI_PARTS; i++)
        sum += part[i];
    return sum;
}

static bool trainer_is_good(void *user)
{
    const fv_trainer *t = user;
    return isfinite(trainer_sum(t->loss));
}

static bool trainer_move(void *user, size_t at, size_t count, const float *gradient)
{
    fv_trainer *t = user;
    fv_model *m = t->model;
    if (fvi_optimizer_move(t->optimizer, m->kernels, m->pool, m->weights, gradient, at, count))
        return true;
    fvi_model_find_nonfinite(m, gradient, at, count, &t->where);
    return false;
}

/* ---- A step ---- */

fv_status fvi_trainer_step(fv_trainer *t, const fv_batch *batch, double *loss, double *right)
{
    const fvi_lesson lesson = {t, trainer_loss, trainer_is_good, trainer_move};
    t->targets.label = batch->y;
    t->targets.target = batch->target;
    t->targets.batch = batch->n;
    for (int i = 0; i < FVI_PARTS; i++)
        t->loss[i] = t->right[i] = 0;
    fvi_optimizer_begin(t->optimizer);
    const bool is_finite =
        fvi_context_train(t->context, batch->x, batch->n, t->targets.logits, t->step++, &lesson);
    *loss = trainer_sum(t->loss);
    *right = trainer_sum(t->right);
    return is_finite ? FV_OK : FV_E_NUMERIC;
}

/* A loss that is not finite has moved no weight: the same pass again, and now what each layer gives
   is kept. Whatever fails here is no more than a message that says less. */
static void trainer_look(fv_trainer *t, const fv_batch *batch, fvi_text *where)
{
    fv_model *m = t->model;
    if (fvi_model_look(m) != FV_OK) return;
    const float *y =
        fvi_context_forward(m->look, batch->x, batch->n, true, t->targets.logits, t->step - 1);
    t->kind->rows(fvi_context_output_gradient(m->look), y, &t->targets, batch->n);
    fvi_context_find_nonfinite(m->look, where);
    m->look->n = -1; /* nobody has asked for this run */
}

fv_status fvi_trainer_not_finite(fv_trainer *trainer, const fv_batch *batch, const char *when,
                                 double loss)
{
    fvi_text *where = &trainer->where;
    if (!isfinite(loss)) trainer_look(trainer, batch, where);
    fv_status s = fvi_fail(FV_E_NUMERIC,
                           "training stopped at %s: %s is not finite%s%s; "
                           "try a smaller learning rate",
                           when, isfinite(loss) ? "a gradient or a weight" : "the loss",
                           where->data ? "; first in " : "", where->data ? where->data : "");
    fvi_text_free(where);
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
    return fvi_trainer_not_finite(trainer, batch, when, sum);
}
