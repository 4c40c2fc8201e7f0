/* SPDX-License-Identifier: MIT */
/* The only training loop. Read it and you have read training: the arithmetic is below, in ops and
   kernels. */
#include "train/train_internal.h"

#include <math.h>
#include <stdio.h>

/* Pictures that the statistics of batch normalisation are averaged over at the end of an epoch. */
#define FIT_STATISTICS 1024
#define FIT_STATISTICS_IN_HASTE 64

typedef struct fit_state {
    fv_model *model;
    const fv_dataset *train, *valid;
    fv_fit_config config;
    fv_trainer *trainer;
    fv_loader *loader;
    double waited_s; /* in this epoch, for the loader */
    fv_progress progress;
    bool is_stopped; /* by the callback, between two epochs' steps */
    int first_epoch; /* rows the history had before: the shuffles go on where they stopped */
} fit_state;

static fv_status fit_next(fit_state *f, fv_batch *batch)
{
    double start = fvi_now();
    FVI_TRY(fv_loader_next(f->loader, batch));
    f->waited_s += fvi_now() - start;
    return FV_OK;
}

static void fit_rate(fv_progress *p, double start)
{
    p->elapsed_s = fvi_now() - start;
    p->images_per_second = p->elapsed_s > 0 ? p->images / p->elapsed_s : 0;
}

static void fit_row(const fit_state *f, fv_epoch *row)
{
    const fv_progress *p = &f->progress;
    double busy = p->elapsed_s - f->waited_s;
    *row = (fv_epoch){.epoch = p->epoch,
                      .loss = p->loss,
                      .accuracy = p->accuracy,
                      .seconds = p->elapsed_s,
                      .images_per_second = p->images_per_second,
                      .model_images_per_second = busy > 0 ? p->images / busy : NAN,
                      .data_images_per_second = fv_loader_rate(f->loader)};
}

static fv_status fit_epoch(fit_state *f, fv_progress *p, fv_epoch *row)
{
    double start = fvi_now(), loss_sum = 0, right_sum = 0;
    fv_batch batch;
    f->waited_s = 0;
    p->images = 0;
    FVI_TRY(fv_loader_begin(f->loader, (uint32_t)(p->epoch - 1)));
    for (p->step = 1;; p->step++) {
        double loss = 0, right = 0;
        char when[48];
        FVI_TRY(fit_next(f, &batch));
        if (batch.n == 0) break;
        fv_status s = fvi_trainer_step(f->trainer, &batch, &loss, &right);
        if (s == FV_E_NUMERIC) {
            snprintf(when, sizeof when, "epoch %d, step %d", p->epoch, p->step);
            return fvi_trainer_not_finite(f->trainer, &batch, when, loss);
        }
        if (s != FV_OK) return s;
        loss_sum += loss;
        right_sum += right;
        p->images += batch.n;
        p->loss = loss_sum / p->images;
        p->accuracy = right_sum / p->images;
        fit_rate(p, start);
        if (f->config.progress && !f->config.progress(p, f->config.user))
            return fvi_fail(FV_E_CANCELLED, "training was stopped at epoch %d, step %d of %d",
                            p->epoch, p->step, p->steps);
    }
    if (p->images == 0)
        return fvi_fail(FV_E_FORMAT, "\"%s\": no picture can be read", f->train->name);
    p->step = p->steps;
    fit_row(f, row);
    return FV_OK;
}

/* The callback, between the steps of two epochs. */
static bool fit_go_on(void *user)
{
    fit_state *f = user;
    if (!f->config.progress || f->is_stopped) return !f->is_stopped;
    f->progress.is_between = true;
    f->is_stopped = !f->config.progress(&f->progress, f->config.user);
    f->progress.is_between = false;
    return !f->is_stopped;
}

static bool fit_has_statistics(const fv_model *model)
{
    return model->weight_floats > model->trainable_floats;
}

/* Moving statistics follow the weights at a distance, since they were gathered while these moved:
   far enough, after a few epochs at a usual learning rate, to cost a third of the accuracy. So they
   are averaged anew with the weights as they are, over the first pictures of the epoch's order.
   Source: Wu, Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3. */
static fv_status fit_statistics(fit_state *f, int most)
{
    fv_model *m = f->model;
    fv_status status = FV_OK;
    fv_batch batch;
    int number = 0;
    if (!fit_has_statistics(m) || f->config.moving_statistics) return FV_OK;
    FVI_TRY(fv_loader_begin(f->loader, (uint32_t)(f->progress.epoch - 1)));
    for (int seen = 0; seen < most; seen += batch.n) {
        status = fit_next(f, &batch);
        /* Only whole batches, if there is one: a short one counts as much and says less. */
        bool is_short = batch.n < f->config.batch_size || seen + batch.n > most;
        if (status != FV_OK || batch.n == 0 || (is_short && seen > 0)) break;
        fvi_trainer_statistics(f->trainer, &batch, ++number);
        if (most > FIT_STATISTICS_IN_HASTE && !fit_go_on(f)) break; /* fewer give a mean, too */
    }
    return status;
}

static fv_status fit_validate(fit_state *f, fv_epoch *row)
{
    const fvi_go_on go_on = {fit_go_on, f};
    row->val_loss = row->val_accuracy = NAN;
    if (!f->valid || f->is_stopped) return FV_OK;
    fv_evaluation e;
    fv_status status = fvi_evaluate(f->model, &e, f->valid, f->config.loss, &go_on);
    if (status != FV_OK) return status == FV_E_CANCELLED ? FV_OK : status;
    row->val_loss = e.loss;
    row->val_accuracy = e.accuracy;
    fv_evaluation_free(&e);
    return FV_OK;
}

static fv_status fit_remember(fv_history *history, const fv_epoch *row)
{
    if (!history) return FV_OK;
    size_t count = (size_t)history->count;
    fv_epoch *grown = fvi_grow(history->epochs, count, count + 1, sizeof *grown, "the history");
    if (!grown) return FV_E_MEMORY;
    grown[count] = *row;
    history->epochs = grown;
    history->count++;
    return FV_OK;
}

static fv_status fit_run(fit_state *f, fv_history *history)
{
    int count = f->train->count, size = f->config.batch_size;
    fv_progress *p = &f->progress;
    *p = (fv_progress){.epochs = f->first_epoch + f->config.epochs,
                       .steps = count / size + (count % size != 0),
                       .images_in_epoch = count};
    for (p->epoch = f->first_epoch + 1; p->epoch <= p->epochs; p->epoch++) {
        fv_epoch row;
        fv_status status = fit_epoch(f, p, &row);
        /* Who asks to stop does not wait long, and still gets a model that fits its weights. */
        if (status == FV_E_CANCELLED) FVI_TRY(fit_statistics(f, FIT_STATISTICS_IN_HASTE));
        if (status != FV_OK) return status;
        FVI_TRY(fit_statistics(f, FIT_STATISTICS));
        FVI_TRY(fit_validate(f, &row));
        FVI_TRY(fit_remember(history, &row));
        p->finished = &row;
        bool go_on = !f->config.progress || f->config.progress(p, f->config.user);
        p->finished = NULL;
        if (f->is_stopped || (!go_on && p->epoch < p->epochs))
            return fvi_fail(FV_E_CANCELLED, "training was stopped after epoch %d", p->epoch);
    }
    return FV_OK;
}

static fv_status fit_check(fit_state *f)
{
    const fv_model *m = f->model;
    fv_fit_config *c = &f->config;
    FVI_TRY(fvi_trainer_check("fv_fit", m));
    if (f->train->count < 1)
        return fvi_fail(FV_E_FORMAT, "\"%s\" has no pictures to train on", f->train->name);
    if (c->epochs == 0) c->epochs = 1;
    if (c->batch_size == 0) c->batch_size = m->max_batch < 32 ? m->max_batch : 32;
    if (c->epochs < 0 || c->epochs > 1000000)
        return fvi_fail(FV_E_ARG, "epochs %d: expected 1 to 1000000", c->epochs);
    if (c->batch_size < 0 || c->batch_size > m->max_batch)
        return fvi_fail(FV_E_ARG, "batch size %d: the model was built for 1 to %d", c->batch_size,
                        m->max_batch);
    return FV_OK;
}

static fv_status fit_prepare(fit_state *f)
{
    fvi_targets t;
    const fvi_loss_kind *kind;
    FVI_TRY(fit_check(f));
    if (f->valid) FVI_TRY(fvi_loss_choose(&kind, &t, f->model, f->valid, f->config.loss));
    FVI_TRY(fv_trainer_new(&f->trainer, f->model, f->train, &f->config));
    const fv_loader_config loader = {.batch_size = f->config.batch_size,
                                     .seed = f->config.seed,
                                     .without_shuffle = f->config.without_shuffle};
    FVI_TRY(fvi_train_loader(&f->loader, f->model, f->train, &loader));
    if (fv_dataset_path(f->train, 0)) f->model->resize = fv_dataset_resize(f->train);
    if (f->model->n_classes == 0)
        FVI_TRY(fv_model_set_classes(f->model, (const char *const *)f->train->class_name,
                                     f->train->classes));
    return FV_OK;
}

fv_status fv_fit(fv_model *model, fv_history *history, const fv_dataset *train,
                 const fv_dataset *valid, const fv_fit_config *config)
{
    if (!model || !train) return fvi_fail(FV_E_ARG, "fv_fit: a model and a data set are needed");
    fit_state f = {.model = model, .train = train, .valid = valid};
    if (config) f.config = *config;
    if (history) f.first_epoch = history->count;
    fv_status s = fit_prepare(&f);
    if (s == FV_OK) s = fit_run(&f, history);
    fv_trainer_free(f.trainer);
    fv_loader_free(f.loader);
    return s;
}
