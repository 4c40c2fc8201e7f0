/* SPDX-License-Identifier: MIT */
/* fovea demo: LeNet-5 learns drawn digits while you watch; needs no files and no network. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEMO_RECIPE "lenet5"
#define DEMO_DATA "made:digits"
#define DEMO_EPOCHS 6
#define DEMO_BATCH 64
#define DEMO_PICTURES 6

static int demo_guess(const float *row, int classes)
{
    int best = 0;
    for (int j = 1; j < classes; j++)
        if (row[j] > row[best]) best = j;
    return best;
}

static void demo_caption(char *out, size_t size, const fv_model *m, int truth, int guess,
                         double probability)
{
    snprintf(out, size, "is %s, guess %s (%.0f %%)%s", fv_model_class(m, truth),
             fv_model_class(m, guess), 100 * probability, truth == guess ? "" : " wrong");
}

/* Mistakes first, if there are any: the first three, then pictures that it knows. */
static int demo_choose(int chosen[DEMO_PICTURES], const fv_dataset *d, const float *y, int classes)
{
    int n = 0, count = fv_dataset_count(d);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < count && n < (pass ? DEMO_PICTURES : DEMO_PICTURES / 2); i++) {
            int guess = demo_guess(y + (size_t)i * (size_t)classes, classes);
            if ((guess == fv_dataset_label(d, i)) == (pass == 1)) chosen[n++] = i;
        }
    }
    return n;
}

static void demo_show_rows(const cli_training *t, const int *chosen, int n, const float *y,
                           int classes)
{
    fv_tensor x = fv_dataset_x(t->valid);
    fv_shape shape = fv_dataset_shape(t->valid);
    size_t size = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    /* Three side by side: 28 columns each fit in 90. */
    for (int first = 0; first < n; first += 3) {
        const uint8_t *pixels[3];
        char text[3][64];
        const char *captions[3];
        int in_row = n - first < 3 ? n - first : 3;
        for (int i = 0; i < in_row; i++) {
            int at = chosen[first + i];
            const float *row = y + (size_t)at * (size_t)classes;
            int best = demo_guess(row, classes);
            pixels[i] = (const uint8_t *)x.data + (size_t)at * size;
            demo_caption(text[i], sizeof text[i], t->model, fv_dataset_label(t->valid, at), best,
                         (double)row[best]);
            captions[i] = text[i];
        }
        cli_pictures(pixels, in_row, shape.dim[0], shape.dim[1], shape.dim[2], captions);
    }
}

static fv_status demo_show(const cli_training *t)
{
    int chosen[DEMO_PICTURES];
    int count = fv_dataset_count(t->valid), classes = fv_model_classes(t->model);
    fv_shape shape = fv_dataset_shape(t->valid);
    size_t size = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    float *x = malloc((size_t)count * size * sizeof *x),
          *y = malloc((size_t)(count * classes) * sizeof *y);
    float scale, offset;
    fv_model_scaling(t->model, &scale, &offset);
    fv_status status = x && y ? FV_OK : FV_E_MEMORY;
    if (status == FV_OK) status = fv_dataset_batch(t->valid, x, NULL, 0, count, scale, offset);
    if (status == FV_OK) status = fv_model_predict(t->model, y, x, count);
    if (status == FV_OK)
        demo_show_rows(t, chosen, demo_choose(chosen, t->valid, y, classes), y, classes);
    free(x);
    free(y);
    return status;
}

static fv_status demo_open(cli_training *t, const cli_settings *s)
{
    fv_model_config config = {.seed = (uint64_t)s->seed, .threads = (int)s->threads, .isa = s->isa};
    fv_dataset_config data = {.seed = (uint64_t)s->seed};
    fv_status status = fv_model_open(&t->model, DEMO_RECIPE, &config);
    if (status == FV_OK) status = fv_model_build(t->model, FV_LAST, DEMO_BATCH);
    if (status == FV_OK) status = fv_dataset_open(&t->train, DEMO_DATA, FV_TRAIN, &data);
    if (status == FV_OK) status = fv_dataset_open(&t->valid, DEMO_DATA, FV_TEST, &data);
    return status;
}

static fv_status demo_report(cli_training *t, const char *model, const char *history,
                             double seconds)
{
    fv_evaluation e;
    fv_status status = fv_evaluate(t->model, &e, t->valid, FV_LOSS_AUTO);
    if (status != FV_OK) return status;
    printf("\ntest accuracy %.4f on %d digits it has never seen (trained in %.1f s)\n\n",
           e.accuracy, e.n, seconds);
    cli_confusion(&e, t->model);
    fv_evaluation_free(&e);
    printf("\nsix of them, mistakes first:\n\n");
    status = demo_show(t);
    if (status == FV_OK) status = fv_model_save(t->model, model);
    if (status == FV_OK) status = fv_history_save_csv(&t->history, history);
    if (status == FV_OK)
        printf("\nmodel:   %s\nhistory: %s\n\nnext: fovea summary %s\n      fovea help\n", model,
               history, model);
    return status;
}

int cmd_demo(const cli_settings *s)
{
    char model[CLI_PATH], history[CLI_PATH];
    const char *folder = s->out ? s->out : "fovea-demo";
    cli_settings settings = *s;
    cli_training t = {0};
    struct timespec from, to;
    int number = 0;
    if (strlen(folder) > CLI_PATH - 64) return cli_fail(CLI_IO, "--out: the path is too long");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_fail(CLI_IO, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    snprintf(model, sizeof model, "%s/digits.safetensors", folder);
    snprintf(history, sizeof history, "%s/history.csv", folder);
    settings.epochs = DEMO_EPOCHS;
    fv_status status = demo_open(&t, s);
    if (status == FV_OK) {
        printf("LeNet-5 (%zu parameters) learns to read digits: %d drawn pictures, %d to test\n\n",
               fv_model_parameters(t.model, NULL), fv_dataset_count(t.train),
               fv_dataset_count(t.valid));
        fflush(stdout);
        clock_gettime(CLOCK_MONOTONIC, &from);
        status = cli_train_run(&t, &settings, &number);
        clock_gettime(CLOCK_MONOTONIC, &to);
    }
    if (status == FV_OK)
        status = demo_report(&t, model, history,
                             (double)(to.tv_sec - from.tv_sec) +
                                 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
    int code =
        status == FV_OK ? number ? 128 + number : CLI_DONE : cli_fail_status(status, fv_error());
    fv_model_free(t.model);
    fv_dataset_free(t.train);
    fv_dataset_free(t.valid);
    fv_history_free(&t.history);
    return cli_finish(code);
}
