/* SPDX-License-Identifier: MIT */
/* fovea demo: LeNet-5 learns drawn digits while you watch; needs no files and no network. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEMO_RECIPE "lenet5"
#define DEMO_DATA "made:digits"
#define DEMO_EPOCHS 6
#define DEMO_BATCH 64
#define DEMO_PICTURES 6
#define DEMO_CLASSES 10

/* One picture of the test set, and what the network says of it. */
typedef struct demo_picture {
    const uint8_t *pixels;
    int truth, guess;
    double probability;
} demo_picture;

static fv_status demo_look(demo_picture *picture, const cli_training *t, int i)
{
    fv_tensor x = fv_dataset_x(t->valid);
    fv_shape shape = fv_dataset_shape(t->valid);
    size_t size = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    float y[DEMO_CLASSES];
    *picture = (demo_picture){.pixels = (const uint8_t *)x.data + (size_t)i * size,
                              .truth = fv_dataset_label(t->valid, i)};
    fv_status status = fv_model_predict_pixels(t->model, y, picture->pixels, 1);
    if (status != FV_OK) return status;
    for (int j = 1; j < DEMO_CLASSES; j++)
        if (y[j] > y[picture->guess]) picture->guess = j;
    picture->probability = (double)y[picture->guess];
    return FV_OK;
}

/* Mistakes first, if there are any: the first three, then pictures that it knows. */
static fv_status demo_choose(demo_picture chosen[DEMO_PICTURES], int *n, const cli_training *t)
{
    int count = fv_dataset_count(t->valid);
    *n = 0;
    for (int pass = 0; pass < 2; pass++) {
        int most = pass ? DEMO_PICTURES : DEMO_PICTURES / 2;
        for (int i = 0; i < count && *n < most; i++) {
            fv_status status = demo_look(&chosen[*n], t, i);
            if (status != FV_OK) return status;
            *n += (chosen[*n].guess == chosen[*n].truth) == (pass == 1);
        }
    }
    return FV_OK;
}

static fv_status demo_show(const cli_training *t)
{
    demo_picture chosen[DEMO_PICTURES];
    fv_shape shape = fv_dataset_shape(t->valid);
    int n;
    fv_status status = demo_choose(chosen, &n, t);
    if (status != FV_OK) return status;
    /* Three side by side: 28 columns each fit in 90. */
    for (int first = 0; first < n; first += 3) {
        const uint8_t *pixels[3];
        char text[3][64];
        const char *captions[3];
        int in_row = n - first < 3 ? n - first : 3;
        for (int i = 0; i < in_row; i++) {
            const demo_picture *p = &chosen[first + i];
            snprintf(text[i], sizeof text[i], "is %s, guess %s (%.0f %%)%s",
                     fv_model_class(t->model, p->truth), fv_model_class(t->model, p->guess),
                     100 * p->probability, p->truth == p->guess ? "" : " wrong");
            pixels[i] = p->pixels;
            captions[i] = text[i];
        }
        cli_pictures(pixels, in_row, shape.dim[0], shape.dim[1], shape.dim[2], captions);
    }
    return FV_OK;
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
