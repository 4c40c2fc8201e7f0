/* SPDX-License-Identifier: MIT */
/* Training: losses, optimizers, fit, evaluate, history. */
#ifndef FOVEA_TRAIN_H
#define FOVEA_TRAIN_H

#include "fovea/data.h"
#include "fovea/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Losses are means over the batch. From logits when the model's last activation is the loss's own
    (sigmoid, softmax), which then is left out; else from probabilities clipped to [1e-7, 1 - 1e-7],
    as Keras does. FV_LOSS_AUTO takes the outputs of a model that ends in neither for logits. */
typedef enum fv_loss {
    /* one sigmoid output: binary; else categorical, sparse if labels are numbers */
    FV_LOSS_AUTO = 0,
    FV_BINARY_CROSSENTROPY,            /* -(t log y + (1-t) log(1-y)), mean over outputs */
    FV_CATEGORICAL_CROSSENTROPY,       /* -sum t log y; t one-hot (or any distribution) */
    FV_SPARSE_CATEGORICAL_CROSSENTROPY /* the same from class numbers */
} fv_loss;

typedef enum fv_optimizer_kind {
    FV_ADAM = 0, /* Kingma, Ba 2015, in Keras's form: epsilon outside the bias correction */
    FV_SGD       /* with momentum and Nesterov as Keras has them */
} fv_optimizer_kind;

/** Zeros are Keras's defaults. */
typedef struct fv_optimizer_config {
    fv_optimizer_kind kind;
    float learning_rate;           /* 0: Adam 0.001, SGD 0.01 */
    float momentum;                /* SGD */
    bool nesterov;                 /* SGD */
    float beta_1, beta_2, epsilon; /* Adam; 0: 0.9, 0.999, 1e-7 */
} fv_optimizer_config;

/** One row of the history. Accuracies are shares, 0 .. 1; val_ ones are NaN without a validation
    set. */
typedef struct fv_epoch {
    int epoch; /* from 1 */
    double loss, accuracy, val_loss, val_accuracy;
    double seconds, images_per_second; /* of the training pass alone */
    /* What the model would reach if pictures were always ready, and what reading and decoding them
       would if the model took no time: the slower one is the one to look at. */
    double model_images_per_second, data_images_per_second;
} fv_epoch;

/** Set to zero before use; freed with fv_history_free. */
typedef struct fv_history {
    fv_epoch *epochs;
    int count;
} fv_history;

/** What a callback is told after each batch, and once at the end of each epoch (then finished is
    set). Between the last step of an epoch and its end it is also asked after each batch of the
    validation, whether to go on (then is_between is set, and the figures are those of the epoch). */
typedef struct fv_progress {
    int epoch, epochs, step, steps; /* from 1 */
    int images, images_in_epoch;    /* done of */
    double loss, accuracy;          /* mean of the epoch so far */
    double elapsed_s;               /* of this epoch */
    double images_per_second;
    bool is_between;
    const fv_epoch *finished;
} fv_progress;

/** Return false to stop after this batch: fv_fit then returns FV_E_CANCELLED, with a model that can
    be used and saved. */
typedef bool (*fv_progress_fn)(const fv_progress *progress, void *user);

/** All zero is the default. */
typedef struct fv_fit_config {
    int epochs;     /* 0: 1 */
    int batch_size; /* 0: the smaller of 32 and what the model was built for */
    fv_loss loss;
    fv_optimizer_config optimizer;
    bool without_shuffle;
    /* leave batch normalisation's moving averages as the steps left them, as Keras does */
    bool moving_statistics;
    uint64_t seed; /* of the shuffles */
    fv_progress_fn progress;
    void *user;
} fv_fit_config;

/**
 * Train. Shuffles anew each epoch, a pure function of (seed, epoch); the last batch may be smaller.
 * The same seed gives the same weights to the bit, whatever the number of threads. Sets the model's
 * class names from train when it has none.
 *
 * At the end of each epoch, before validation, the statistics that batch normalisation uses to
 * predict are averaged anew, with the weights as they are, over up to 1,024 training pictures (Wu,
 * Johnson 2021): moving averages lag behind weights that move.
 *
 *   history  out, may be NULL: a row an epoch is appended, so training may go on in a further call
 *            (the optimizer then starts anew)
 *   train    pictures of the model's input shape; valid: the same, or NULL
 *
 * Errors: ARG; STATE the model is not built, or built without training; SHAPE the pictures do not
 *         fit the model; FORMAT a label that the model has no output for (names the sample);
 *         NUMERIC a loss, gradient or weight is not finite (names step, layer and tensor);
 *         CANCELLED; MEMORY.
 */
FV_API fv_status fv_fit(fv_model *model, fv_history *history, const fv_dataset *train,
                        const fv_dataset *valid, const fv_fit_config *config);

/** Training one step at a time, for loops of one's own: fv_fit is a loop around it. */
typedef struct fv_trainer fv_trainer;

/**
 * A trainer with an optimizer that starts anew.
 *
 *   model    built; it must live as long
 *   dataset  where the batches will come from: its labels are checked and choose the loss; it is
 *            not kept
 *   config   NULL: every default; only its loss and optimizer are looked at
 *
 * Owner:  the caller frees it with fv_trainer_free. NULL after a failure.
 * Errors: ARG; STATE, SHAPE and FORMAT as in fv_fit; MEMORY.
 */
FV_API fv_status fv_trainer_new(fv_trainer **trainer, fv_model *model, const fv_dataset *dataset,
                                const fv_fit_config *config);
/** A batch through the model, the loss, back, and one move of the weights. Batch normalisation
    keeps its moving averages. loss: out, the mean over the batch, may be NULL. Errors: ARG; NUMERIC
    the loss, a gradient or a weight is not finite (names layer and tensor). */
FV_API fv_status fv_trainer_step(fv_trainer *trainer, const fv_batch *batch, double *loss);
FV_API void fv_trainer_free(fv_trainer *trainer);

typedef struct fv_evaluation {
    int n, classes;
    double loss, accuracy;
    /* [classes, classes]: row the true class, column the guess; one sigmoid output counts as two
       classes */
    int *confusion;
} fv_evaluation;

/** Loss, accuracy and confusion over a data set. loss: FV_LOSS_AUTO as in fv_fit. Freed with
    fv_evaluation_free. An empty set gives NaN. */
FV_API fv_status fv_evaluate(fv_model *model, fv_evaluation *evaluation, const fv_dataset *dataset,
                             fv_loss loss);
FV_API void fv_evaluation_free(fv_evaluation *evaluation);

FV_API void fv_history_free(fv_history *history);
/** CSV: epoch,loss,accuracy,val_loss,val_accuracy,seconds,images_per_second; written aside and
    renamed. Missing values are empty. */
FV_API fv_status fv_history_save_csv(const fv_history *history, const char *path);

/** Names as the command line has them: "adam", "sgd", ...; false: no such name, and then *nearest
    is set or NULL. */
FV_API bool fv_optimizer_find(const char *name, fv_optimizer_config *config, const char **nearest);
FV_API const char *fv_optimizer_name(int i); /* NULL past the end */

#ifdef __cplusplus
}
#endif

#endif
