/* SPDX-License-Identifier: MIT */
/* Metrics: accuracy as Keras counts it, confusion; and the loader of training and evaluation. */
#include "train/train_internal.h"

#include <math.h>

/* A probability of 0.5 is a logit of 0. */
static float metric_threshold(const fvi_targets *t)
{
    return t->logits ? 0.0F : 0.5F;
}

static int metric_largest(const float *row, int C)
{
    int best = 0;
    for (int j = 1; j < C; j++)
        if (row[j] > row[best]) best = j;
    return best;
}

int fvi_metric_guess(const float *y, const fvi_targets *t)
{
    return t->C == 1 ? y[0] > metric_threshold(t) : metric_largest(y, t->C);
}

int fvi_metric_truth(const fvi_targets *t, int row)
{
    if (t->label) return (int)t->label[row];
    const float *target = t->target + (size_t)row * (size_t)t->C;
    return t->C == 1 ? target[0] > 0.5F : metric_largest(target, t->C);
}

double fvi_metric_binary(const float *y, const fvi_targets *t, int n)
{
    double right = 0;
    for (int i = 0; i < n; i++) {
        int row = 0;
        for (int j = 0; j < t->C; j++) {
            size_t at = (size_t)i * (size_t)t->C + (size_t)j;
            bool truth = t->label ? t->label[i] != 0 : t->target[at] > 0.5F;
            row += (y[at] > metric_threshold(t)) == truth;
        }
        right += (double)row / t->C;
    }
    return right;
}

double fvi_metric_categorical(const float *y, const fvi_targets *t, int n)
{
    int right = 0;
    for (int i = 0; i < n; i++)
        right += fvi_metric_guess(y + (size_t)i * (size_t)t->C, t) == fvi_metric_truth(t, i);
    return right;
}

fv_status fvi_train_loader(fv_loader **loader, const fv_model *model, const fv_dataset *dataset,
                           const fv_loader_config *config)
{
    fv_loader_config c = *config;
    fv_model_scaling(model, &c.scale, &c.offset);
    c.threads = fvi_threads_count(model->pool);
    return fv_loader_new(loader, dataset, &c);
}

/* Sums over the whole set, batch after batch, as long as go_on says so. y: room for the outputs of a
   batch. */
static fv_status metric_run(fv_model *model, fv_evaluation *e, float *y, fv_loader *loader,
                            const fvi_loss_kind *kind, fvi_targets *t, const fvi_go_on *go_on)
{
    double loss = 0, right = 0;
    fv_batch batch;
    FVI_TRY(fv_loader_begin(loader, 0));
    for (;;) {
        FVI_TRY(fv_loader_next(loader, &batch));
        if (batch.n == 0) break;
        t->label = batch.y;
        t->target = batch.target;
        fvi_context_predict(model->context, y, batch.x, batch.n, t->logits);
        loss += kind->rows(NULL, y, t, batch.n);
        right += kind->right(y, t, batch.n);
        for (int i = 0; i < batch.n; i++) {
            int truth = fvi_metric_truth(t, i);
            int guess = fvi_metric_guess(y + (size_t)i * (size_t)t->C, t);
            e->confusion[(size_t)truth * (size_t)e->classes + (size_t)guess]++;
        }
        e->n += batch.n;
        if (go_on && !go_on->ask(go_on->user))
            return fvi_fail(FV_E_CANCELLED, "the evaluation was stopped");
    }
    e->loss = e->n ? loss / e->n : NAN;
    e->accuracy = e->n ? right / e->n : NAN;
    return FV_OK;
}

fv_status fvi_evaluate(fv_model *model, fv_evaluation *evaluation, const fv_dataset *dataset,
                       fv_loss loss, const fvi_go_on *go_on)
{
    if (!model || !evaluation || !dataset)
        return fvi_fail(FV_E_ARG, "fv_evaluate: a model, an evaluation and a data set are needed");
    *evaluation = (fv_evaluation){0};
    if (!model->is_built) return fvi_fail(FV_E_STATE, "fv_evaluate: the model is not built yet");
    const fvi_loss_kind *kind;
    fvi_targets t;
    fv_loader *loader = NULL;
    const fv_loader_config config = {.batch_size = model->max_batch, .without_shuffle = true};
    FVI_TRY(fvi_loss_choose(&kind, &t, model, dataset, loss));
    evaluation->classes = t.C == 1 ? 2 : t.C;
    size_t classes = (size_t)evaluation->classes;
    evaluation->confusion = fvi_alloc(classes * classes, sizeof(int), "the confusion matrix");
    float *y = fvi_alloc((size_t)model->max_batch * (size_t)t.C, sizeof *y, "outputs");
    fv_status s = evaluation->confusion && y ? FV_OK : FV_E_MEMORY;
    if (s == FV_OK) s = fvi_train_loader(&loader, model, dataset, &config);
    if (s == FV_OK) s = metric_run(model, evaluation, y, loader, kind, &t, go_on);
    fv_loader_free(loader);
    fvi_free(y);
    if (s != FV_OK) fv_evaluation_free(evaluation);
    return s;
}

fv_status fv_evaluate(fv_model *model, fv_evaluation *evaluation, const fv_dataset *dataset,
                      fv_loss loss)
{
    return fvi_evaluate(model, evaluation, dataset, loss, NULL);
}

void fv_evaluation_free(fv_evaluation *evaluation)
{
    if (!evaluation) return;
    fvi_free(evaluation->confusion);
    *evaluation = (fv_evaluation){0};
}
