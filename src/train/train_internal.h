/* SPDX-License-Identifier: MIT */
/* Training from the inside: losses, metrics, the optimizer. */
#ifndef FVI_TRAIN_INTERNAL_H
#define FVI_TRAIN_INTERNAL_H

#include "fovea/train.h"
#include "data/data_internal.h"
#include "model/model_internal.h"

/* What the outputs of one batch are held to. Exactly one of label and target is set, except that
   binary cross-entropy of one output takes either. */
typedef struct fvi_targets {
    const fvi_kernels *k; /* the model's */
    const int32_t *label; /* [n] */
    const float *target;  /* [n, C] */
    int C;                /* outputs */
    bool logits;          /* y is what comes before sigmoid or softmax */
    int batch;            /* rows of the batch that these are of; 0: these are all */
} fvi_targets;

typedef struct fvi_loss_kind {
    fv_loss loss;
    const char *name;
    /* the activation it takes over from the model, when that is the last one */
    fv_activation_kind head;
    /* The sum over n rows of y [n,C]; dy [n,C], or NULL, gets the gradient of the batch's mean.
       Double sums in the order of the rows. */
    double (*rows)(float *dy, const float *y, const fvi_targets *t, int n);
    /* How many of n rows are right; a share of a row where each output is a question of its own. */
    double (*right)(const float *y, const fvi_targets *t, int n);
} fvi_loss_kind;

/* loss.c. Which loss fits this model and this data set: checks outputs, labels and the choice; sets
   t->k, t->C and t->logits. */
fv_status fvi_loss_choose(const fvi_loss_kind **kind, fvi_targets *t, const fv_model *model,
                          const fv_dataset *dataset, fv_loss loss);

/* metric.c */
double fvi_metric_binary(const float *y, const fvi_targets *t, int n);
double fvi_metric_categorical(const float *y, const fvi_targets *t, int n);
int fvi_metric_guess(const float *y,
                     const fvi_targets *t); /* class of one row; one output: 0 or 1 */
int fvi_metric_truth(const fvi_targets *t, int row);
/* A loader on the data set, scaled as the model says; batches of at most `images`. */
fv_status fvi_train_loader(fv_loader **loader, const fv_model *model, const fv_dataset *dataset,
                           const fv_loader_config *config);

/* Asked after each batch; false: stop there. */
typedef struct fvi_go_on {
    bool (*ask)(void *user);
    void *user;
} fvi_go_on;
/* fv_evaluate that can be stopped: then FV_E_CANCELLED. go_on may be NULL. */
fv_status fvi_evaluate(fv_model *model, fv_evaluation *evaluation, const fv_dataset *dataset,
                       fv_loss loss, const fvi_go_on *go_on);

/* trainer.c: fv_trainer from the inside */

/* FV_E_STATE unless the model can be trained. */
fv_status fvi_trainer_check(const char *who, const fv_model *model);
/* A batch forward, which teaches batch normalisation its statistics: batch `number`, from 1, of
   those they are the mean of. */
void fvi_trainer_statistics(fv_trainer *trainer, const fv_batch *batch, int number);
/* One step: out the sum of the losses and how many were right. FV_E_NUMERIC without a message, for
   the caller to make one with fvi_trainer_not_finite. */
fv_status fvi_trainer_step(fv_trainer *trainer, const fv_batch *batch, double *loss, double *right);
/* "training stopped at WHEN: ..."; batch and loss: the step's. */
fv_status fvi_trainer_not_finite(fv_trainer *trainer, const fv_batch *batch, const char *when,
                                 double loss);

/* optimizer.c */
typedef struct fvi_optimizer fvi_optimizer;
fv_status fvi_optimizer_new(fvi_optimizer **optimizer, const fv_optimizer_config *config,
                            size_t floats);
void fvi_optimizer_free(fvi_optimizer *optimizer);
/* One step: begin, then each weight once. */
void fvi_optimizer_begin(fvi_optimizer *optimizer);
/* Moves weights [at, at + count), whose gradients these are; false when one, or a new weight, is not
   finite. */
bool fvi_optimizer_move(fvi_optimizer *optimizer, const fvi_kernels *k, fvi_threads *threads,
                        float *weights, const float *gradients, size_t at, size_t count);

#endif
