/* SPDX-License-Identifier: MIT */
/* Optimizers: flat loops over all weights of a model. The table of optimizers is at the end. */
#include "train/train_internal.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Weights one task moves; fixed, so that who moves which cannot matter. */
#define OPTIMIZER_CHUNK ((size_t)1 << 15)
#define OPTIMIZER_ALONE 4 /* tasks below which no thread is woken */
#define OPTIMIZER_RATE_MAX 1e9F

struct fvi_optimizer {
    fv_optimizer_config config;
    size_t floats;
    float *m, *v; /* Adam's moments; SGD keeps its velocity in m */
    long step;
    fvi_adam adam; /* of this step */
    fvi_sgd sgd;
};

typedef struct optimizer_job {
    const fvi_optimizer *o;
    const fvi_kernels *k;
    size_t at, count;
    float *weights;         /* all */
    const float *gradients; /* from at on */
    atomic_bool is_bad;
} optimizer_job;

static void optimizer_chunk(void *context, size_t task)
{
    optimizer_job *job = context;
    const fvi_optimizer *o = job->o;
    const size_t first = task * OPTIMIZER_CHUNK, left = job->count - first, at = job->at + first;
    const size_t n = left < OPTIMIZER_CHUNK ? left : OPTIMIZER_CHUNK;
    float *w = job->weights + at;
    const float *g = job->gradients + first;
    bool is_finite = o->config.kind == FV_ADAM
                         ? job->k->adam(n, w, g, o->m + at, o->v + at, &o->adam)
                         : job->k->sgd(n, w, g, o->m ? o->m + at : NULL, &o->sgd);
    if (!is_finite) atomic_store_explicit(&job->is_bad, true, memory_order_relaxed);
}

void fvi_optimizer_begin(fvi_optimizer *optimizer)
{
    const fv_optimizer_config *c = &optimizer->config;
    double t = (double)++optimizer->step;
    double correction = sqrt(1 - pow((double)c->beta_2, t)) / (1 - pow((double)c->beta_1, t));
    optimizer->adam = (fvi_adam){.rate = (float)((double)c->learning_rate * correction),
                                 .beta_1 = c->beta_1,
                                 .beta_2 = c->beta_2,
                                 .epsilon = c->epsilon};
    optimizer->sgd =
        (fvi_sgd){.rate = c->learning_rate, .momentum = c->momentum, .nesterov = c->nesterov};
}

bool fvi_optimizer_move(fvi_optimizer *optimizer, const fvi_kernels *k, fvi_threads *threads,
                        float *weights, const float *gradients, size_t at, size_t count)
{
    optimizer_job job = {.o = optimizer,
                         .k = k,
                         .at = at,
                         .count = count,
                         .weights = weights,
                         .gradients = gradients};
    const size_t tasks = count / OPTIMIZER_CHUNK + (count % OPTIMIZER_CHUNK != 0);
    atomic_init(&job.is_bad, false);
    fvi_parallel_for(tasks < OPTIMIZER_ALONE ? NULL : threads, tasks, optimizer_chunk, &job);
    return !atomic_load_explicit(&job.is_bad, memory_order_relaxed);
}

static fv_status optimizer_range(const char *name, float value, float least, float below)
{
    if (value >= least && value < below) return FV_OK;
    fvi_text text = {0};
    fvi_text_add_double(&text, (double)value);
    fv_status s = fvi_fail(FV_E_ARG, "%s %s: expected %s and less than %.0f", name,
                           text.data ? text.data : "?",
                           least > 0 ? "a number above 0" : "0 or more", (double)below);
    fvi_text_free(&text);
    return s;
}

static fv_status optimizer_complete(fv_optimizer_config *c)
{
    if (c->kind != FV_ADAM && c->kind != FV_SGD)
        return fvi_fail(FV_E_ARG, "optimizer %d: no such optimizer", (int)c->kind);
    if (c->learning_rate == 0) c->learning_rate = c->kind == FV_ADAM ? 0.001F : 0.01F;
    if (c->beta_1 == 0) c->beta_1 = 0.9F;
    if (c->beta_2 == 0) c->beta_2 = 0.999F;
    if (c->epsilon == 0) c->epsilon = 1e-7F;
    FVI_TRY(optimizer_range("learning rate", c->learning_rate, 1e-30F, OPTIMIZER_RATE_MAX));
    FVI_TRY(optimizer_range("momentum", c->momentum, 0, 1));
    FVI_TRY(optimizer_range("beta_1", c->beta_1, 0, 1));
    FVI_TRY(optimizer_range("beta_2", c->beta_2, 0, 1));
    FVI_TRY(optimizer_range("epsilon", c->epsilon, 0, 1));
    if (c->nesterov && c->momentum == 0)
        return fvi_fail(FV_E_ARG, "nesterov needs a momentum above 0");
    return FV_OK;
}

fv_status fvi_optimizer_new(fvi_optimizer **optimizer, const fv_optimizer_config *config,
                            size_t floats)
{
    fv_optimizer_config c = *config;
    *optimizer = NULL;
    FVI_TRY(optimizer_complete(&c));
    fvi_optimizer *o = fvi_alloc(1, sizeof *o, "the optimizer");
    if (!o) return FV_E_MEMORY;
    o->config = c;
    o->floats = floats;
    bool has_m = c.kind == FV_ADAM || c.momentum > 0, has_v = c.kind == FV_ADAM;
    if (has_m) o->m = fvi_alloc(floats, sizeof(float), "the optimizer's moments");
    if (has_v) o->v = fvi_alloc(floats, sizeof(float), "the optimizer's moments");
    if ((has_m && !o->m) || (has_v && !o->v)) {
        fvi_optimizer_free(o);
        return FV_E_MEMORY;
    }
    *optimizer = o;
    return FV_OK;
}

void fvi_optimizer_free(fvi_optimizer *optimizer)
{
    if (!optimizer) return;
    fvi_free(optimizer->m);
    fvi_free(optimizer->v);
    fvi_free(optimizer);
}

/* The names of the command line; what each sets in a config. */
static const struct optimizer_name {
    const char *name;
    fv_optimizer_kind kind;
    float momentum;
    bool nesterov;
} optimizer_names[] = {
    {"adam", FV_ADAM, 0, false},
    {"sgd", FV_SGD, 0, false},
    {"momentum", FV_SGD, 0.9F, false},
    {"nesterov", FV_SGD, 0.9F, true},
};

const char *fv_optimizer_name(int i)
{
    return i >= 0 && (size_t)i < FVI_COUNT(optimizer_names) ? optimizer_names[i].name : NULL;
}

bool fv_optimizer_find(const char *name, fv_optimizer_config *config, const char **nearest)
{
    const char *list[FVI_COUNT(optimizer_names)];
    if (nearest) *nearest = NULL;
    if (!name) return false;
    for (size_t i = 0; i < FVI_COUNT(optimizer_names); i++) {
        const struct optimizer_name *o = &optimizer_names[i];
        list[i] = o->name;
        if (strcmp(o->name, name) != 0) continue;
        if (config) {
            config->kind = o->kind;
            config->momentum = o->momentum;
            config->nesterov = o->nesterov;
        }
        return true;
    }
    if (nearest) *nearest = fv_nearest(name, list, FVI_COUNT(list));
    return false;
}
