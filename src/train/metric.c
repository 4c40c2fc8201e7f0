/* SPDX-License-Identifier: MIT */
/* Metrics: accuracy as Keras counts it, confusion; and the batch that both training and evaluation
   fill. */
#include "train/train_internal.h"

#include <math.h>
#include <string.h>

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

fv_status fvi_batch_new(fvi_batch *batch, const fv_model *model, const fv_dataset *dataset,
                        const fvi_targets *t, int images)
{
    fv_shape shape;
    size_t floats = 0, n = (size_t)images;
    *batch = (fvi_batch){.t = *t};
    FVI_TRY(fv_model_input_shape(model, &shape));
    FVI_TRY(fvi_shape_count(&floats, &shape));
    batch->x = fvi_alloc(n, floats * sizeof(float), "a batch of pictures");
    if (!batch->x) return FV_E_MEMORY;
    if (dataset->label) {
        batch->label = fvi_alloc(n, sizeof(int32_t), "the labels of a batch");
        batch->t.label = batch->label;
        if (batch->label) return FV_OK;
    } else {
        batch->target = fvi_alloc(n, (size_t)t->C * sizeof(float), "the targets of a batch");
        batch->t.target = batch->target;
        if (batch->target) return FV_OK;
    }
    fvi_batch_free(batch);
    return FV_E_MEMORY;
}

void fvi_batch_free(fvi_batch *batch)
{
    fvi_free(batch->x);
    fvi_free(batch->label);
    fvi_free(batch->target);
    *batch = (fvi_batch){0};
}

fv_status fvi_batch_fill(fvi_batch *batch, const fv_model *model, const fv_dataset *dataset,
                         const int *order, int first, int n)
{
    float scale, offset;
    fv_model_scaling(model, &scale, &offset);
    FVI_TRY(
        fv_dataset_batch(dataset, batch->x, order ? order + first : NULL, first, n, scale, offset));
    size_t row = (size_t)batch->t.C;
    for (int i = 0; i < n; i++) {
        size_t from = (size_t)(order ? order[first + i] : first + i);
        if (batch->label)
            batch->label[i] = dataset->label[from];
        else
            memcpy(batch->target + (size_t)i * row, dataset->target + from * row,
                   row * sizeof(float));
    }
    return FV_OK;
}

/* Sums over the whole set, batch after batch, as long as go_on says so. */
static fv_status metric_run(fv_model *model, fv_evaluation *e, const fv_dataset *dataset,
                            const fvi_loss_kind *kind, fvi_batch *batch, const fvi_go_on *go_on)
{
    double loss = 0, right = 0;
    for (int first = 0, n; first < dataset->count; first += n) {
        n = dataset->count - first < model->max_batch ? dataset->count - first : model->max_batch;
        FVI_TRY(fvi_batch_fill(batch, model, dataset, NULL, first, n));
        const float *y =
            fvi_context_forward(model->context, batch->x, n, false, batch->t.logits, 0);
        loss += kind->rows(NULL, y, &batch->t, n);
        right += kind->right(y, &batch->t, n);
        for (int i = 0; i < n; i++) {
            int truth = fvi_metric_truth(&batch->t, i);
            int guess = fvi_metric_guess(y + (size_t)i * (size_t)batch->t.C, &batch->t);
            e->confusion[(size_t)truth * (size_t)e->classes + (size_t)guess]++;
        }
        if (go_on && !go_on->ask(go_on->user))
            return fvi_fail(FV_E_CANCELLED, "the evaluation was stopped");
    }
    e->n = dataset->count;
    e->loss = dataset->count ? loss / dataset->count : NAN;
    e->accuracy = dataset->count ? right / dataset->count : NAN;
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
    fvi_batch batch = {0};
    FVI_TRY(fvi_loss_choose(&kind, &t, model, dataset, loss));
    evaluation->classes = t.C == 1 ? 2 : t.C;
    size_t classes = (size_t)evaluation->classes;
    evaluation->confusion = fvi_alloc(classes * classes, sizeof(int), "the confusion matrix");
    fv_status s = evaluation->confusion ? FV_OK : FV_E_MEMORY;
    if (s == FV_OK) s = fvi_batch_new(&batch, model, dataset, &t, model->max_batch);
    if (s == FV_OK) s = metric_run(model, evaluation, dataset, kind, &batch, go_on);
    fvi_batch_free(&batch);
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
