/* SPDX-License-Identifier: MIT */
/* Losses: value and gradient in one pass over the rows of a batch, in double but for what the kernels
   compute: the exponentials of softmax, each loss of a sigmoid. The table of losses is at the end. */
#include "train/train_internal.h"

#include <math.h>

/* Keras's epsilon: probabilities are kept this far from 0 and 1 before their logarithm is taken. */
#define LOSS_CLIP 1e-7
#define LOSS_BLOCK 256 /* class numbers that become floats at a time */

static double loss_target(const fvi_targets *t, int row, int j)
{
    if (t->target) return (double)t->target[(size_t)row * (size_t)t->C + (size_t)j];
    if (t->C == 1) return (double)t->label[row];
    return t->label[row] == j ? 1.0 : 0.0;
}

/* From a probability p: L = -(t log p + (1-t) log(1-p)); where the clip acts the gradient is 0. */
static double loss_binary_probability(double *dp, double p, double t)
{
    double q = p < LOSS_CLIP ? LOSS_CLIP : p > 1 - LOSS_CLIP ? 1 - LOSS_CLIP : p;
    *dp = q == p ? (p - t) / (p * (1 - p)) : 0;
    return -(t * log(q) + (1 - t) * log(1 - q));
}

/* What the mean over the batch divides by. */
static int loss_all(const fvi_targets *t, int n)
{
    return t->batch > 0 ? t->batch : n;
}

/* Class numbers, of models with one output, become targets a block at a time. */
static double loss_binary_labels(float *dz, const float *z, const fvi_targets *t, int n,
                                 float scale)
{
    float target[LOSS_BLOCK];
    double sum = 0;
    for (int i = 0, count; i < n; i += count) {
        count = n - i < LOSS_BLOCK ? n - i : LOSS_BLOCK;
        for (int j = 0; j < count; j++)
            target[j] = (float)t->label[i + j];
        sum += t->k->binary_logits((size_t)count, dz ? dz + i : NULL, z + i, target, scale);
    }
    return sum;
}

static double loss_binary_probabilities(float *dy, const float *p, const fvi_targets *t, int n,
                                        double scale)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < t->C; j++) {
            const size_t at = (size_t)i * (size_t)t->C + (size_t)j;
            double d;
            sum += loss_binary_probability(&d, (double)p[at], loss_target(t, i, j));
            if (dy) dy[at] = (float)(d * scale);
        }
    }
    return sum;
}

/* Each output is a question of its own: rows do not matter but for what the mean divides by. */
static double loss_binary(float *dy, const float *y, const fvi_targets *t, int n)
{
    const double scale = 1.0 / t->C / loss_all(t, n);
    const size_t count = (size_t)n * (size_t)t->C;
    double sum;
    if (!t->logits)
        sum = loss_binary_probabilities(dy, y, t, n, scale);
    else if (t->target)
        sum = t->k->binary_logits(count, dy, y, t->target, (float)scale);
    else
        sum = loss_binary_labels(dy, y, t, n, (float)scale);
    return sum / t->C;
}

/* From logits: L = sum t_j (log sum exp(z - m) - (z_j - m)), m the largest; dL/dz_j = p_j sum(t) -
   t_j. The exponential of the largest is exactly 1, so a p_j near 1 loses nothing against its t_j. */
static double loss_categorical_logits(float *dy, const float *z, const fvi_targets *t, int row,
                                      int n)
{
    float most;
    double total = t->k->exp_row((size_t)t->C, dy, z, &most), m = (double)most;
    double log_total = log(total), mass = 0, loss = 0;
    for (int j = 0; t->target && j < t->C; j++) {
        double target = loss_target(t, row, j);
        mass += target;
        if (target != 0) loss += target * (log_total - ((double)z[j] - m));
    }
    for (int j = 0; dy && t->target && j < t->C; j++)
        dy[j] = (float)(((double)dy[j] / total * mass - loss_target(t, row, j)) / n);
    if (!t->target) {
        const int label = (int)t->label[row];
        const double e = dy ? (double)dy[label] : 0, share = 1 / total / n;
        loss = log_total - ((double)z[label] - m);
        for (int j = 0; dy && j < t->C; j++)
            dy[j] = (float)((double)dy[j] * share);
        if (dy) dy[label] = (float)((e / total - 1) / n);
    }
    /* A logit that is not a number must not hide behind a target of 0. */
    return isfinite(total) ? loss : NAN;
}

/* From probabilities p, which Keras first divides by their sum S: L = -sum t_j log(p_j / S), the
   quotient clipped. */
static double loss_categorical_probabilities(float *dy, const float *p, const fvi_targets *t,
                                             int row, int n)
{
    double total = 0, loss = 0, free_mass = 0;
    for (int j = 0; j < t->C; j++)
        total += (double)p[j];
    for (int j = 0; j < t->C; j++) {
        double target = loss_target(t, row, j), q = (double)p[j] / total;
        bool is_free = q >= LOSS_CLIP && q <= 1 - LOSS_CLIP;
        double clipped = is_free ? q : q < LOSS_CLIP ? LOSS_CLIP : 1 - LOSS_CLIP;
        if (target != 0) loss -= target * log(clipped);
        if (is_free) free_mass += target;
        if (dy) dy[j] = is_free && target != 0 ? (float)(-target / (double)p[j] / n) : 0.0F;
    }
    for (int j = 0; dy && j < t->C; j++)
        dy[j] += (float)(free_mass / total / n);
    return isfinite(total) ? loss : NAN;
}

static double loss_categorical(float *dy, const float *y, const fvi_targets *t, int n)
{
    const int all = loss_all(t, n);
    double sum = 0;
    for (int i = 0; i < n; i++) {
        const float *row = y + (size_t)i * (size_t)t->C;
        float *d = dy ? dy + (size_t)i * (size_t)t->C : NULL;
        sum += t->logits ? loss_categorical_logits(d, row, t, i, all)
                         : loss_categorical_probabilities(d, row, t, i, all);
    }
    return sum;
}

static const fvi_loss_kind loss_kinds[] = {
    {FV_BINARY_CROSSENTROPY, "binary_crossentropy", FV_SIGMOID, loss_binary, fvi_metric_binary},
    {FV_CATEGORICAL_CROSSENTROPY, "categorical_crossentropy", FV_SOFTMAX, loss_categorical,
     fvi_metric_categorical},
    {FV_SPARSE_CATEGORICAL_CROSSENTROPY, "sparse_categorical_crossentropy", FV_SOFTMAX,
     loss_categorical, fvi_metric_categorical},
};

static fv_status loss_check_labels(const fv_dataset *dataset, const fvi_loss_kind *kind,
                                   int outputs)
{
    int classes = kind->loss == FV_BINARY_CROSSENTROPY && outputs == 1 ? 2 : outputs;
    if (dataset->target) {
        if (dataset->classes == outputs) return FV_OK;
        return fvi_fail(FV_E_SHAPE,
                        "\"%s\" has %d targets for each picture; the model has %d outputs",
                        dataset->name, dataset->classes, outputs);
    }
    for (int i = 0; i < dataset->count; i++)
        if (dataset->label[i] < 0 || dataset->label[i] >= classes)
            return fvi_fail(FV_E_FORMAT,
                            "\"%s\": sample %d has label %d; the model tells %d classes apart, "
                            "expected 0 to %d",
                            dataset->name, i, (int)dataset->label[i], classes, classes - 1);
    return FV_OK;
}

static fv_status loss_check_choice(const fvi_loss_kind *kind, const fv_dataset *dataset,
                                   int outputs)
{
    if (kind->loss == FV_SPARSE_CATEGORICAL_CROSSENTROPY && dataset->target)
        return fvi_fail(FV_E_ARG,
                        "%s takes class numbers, \"%s\" has targets; use categorical_crossentropy",
                        kind->name, dataset->name);
    if (kind->loss == FV_BINARY_CROSSENTROPY && !dataset->target && outputs != 1)
        return fvi_fail(FV_E_SHAPE, "%s of class numbers needs a model with 1 output, found %d",
                        kind->name, outputs);
    if (kind->loss != FV_BINARY_CROSSENTROPY && outputs < 2)
        return fvi_fail(FV_E_SHAPE, "%s needs a model with 2 outputs or more, found %d", kind->name,
                        outputs);
    return FV_OK;
}

fv_status fvi_loss_choose(const fvi_loss_kind **kind, fvi_targets *t, const fv_model *model,
                          const fv_dataset *dataset, fv_loss loss)
{
    fv_shape in, out;
    char a[FVI_SHAPE_TEXT], b[FVI_SHAPE_TEXT];
    FVI_TRY(fv_model_input_shape(model, &in));
    FVI_TRY(fv_model_output_shape(model, &out));
    const fv_shape have = fv_dataset_shape(dataset);
    if (!fvi_shape_equal(&in, &have))
        return fvi_fail(FV_E_SHAPE, "\"%s\" has pictures of %s; the model takes %s", dataset->name,
                        fvi_shape_text(a, &have), fvi_shape_text(b, &in));
    if (out.rank != 1)
        return fvi_fail(FV_E_SHAPE,
                        "the model's output is %s; a loss needs one vector a picture, "
                        "add Flatten and Dense",
                        fvi_shape_text(a, &out));
    fv_activation_kind head = fv_model_head(model);
    bool is_auto = loss == FV_LOSS_AUTO;
    if (loss == FV_LOSS_AUTO)
        loss = out.dim[0] == 1 || (head == FV_SIGMOID && dataset->target) ? FV_BINARY_CROSSENTROPY
               : dataset->target ? FV_CATEGORICAL_CROSSENTROPY
                                 : FV_SPARSE_CATEGORICAL_CROSSENTROPY;
    *kind = NULL;
    for (size_t i = 0; i < FVI_COUNT(loss_kinds); i++)
        if (loss_kinds[i].loss == loss) *kind = &loss_kinds[i];
    if (!*kind) return fvi_fail(FV_E_ARG, "loss %d: no such loss", (int)loss);
    FVI_TRY(loss_check_choice(*kind, dataset, out.dim[0]));
    FVI_TRY(loss_check_labels(dataset, *kind, out.dim[0]));
    /* A network that ends without sigmoid or softmax gives logits, unless its caller says otherwise
       by naming a loss. */
    *t = (fvi_targets){.k = model->kernels,
                       .C = out.dim[0],
                       .logits = head == (*kind)->head || (is_auto && head == FV_LINEAR)};
    return FV_OK;
}
