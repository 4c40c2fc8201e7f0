/* SPDX-License-Identifier: MIT */
/* fovea demo: two networks learn while you watch, one to see whether a face is happy, one to count
   fingers; needs no files and no network. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEMO_ON_SHEET 12 /* pictures of each application */
#define DEMO_ON_SCREEN 3
#define DEMO_SCREEN_SIDE 28 /* three side by side fit in 90 columns */
#define DEMO_OUTPUTS 6
#define DEMO_CAPTION 64

typedef struct demo_app {
    const char *name, *title, *recipe, *data;
    int train, test, epochs, batch;
} demo_app;

static const demo_app demo_apps[] = {
    {"mood", "Mood classifier (Sequential): is the face happy?", "happy", "made:faces", 6000, 600,
     6, 32},
    {"hands", "Sign digits (Functional): how many fingers does the hand show?", "hands",
     "made:hands", 8000, 600, 14, 32},
};
#define DEMO_APPS ((int)(sizeof demo_apps / sizeof demo_apps[0]))

/* One picture for the end: mistakes, and, when there are few, some that are right. */
typedef struct demo_picture {
    uint8_t *pixels;
    bool is_wrong;
    char caption[DEMO_CAPTION];
} demo_picture;

typedef struct demo_result {
    double accuracy, seconds;
    int mistakes, of;
    demo_picture picture[DEMO_ON_SHEET];
    int n;
    fv_shape shape;
} demo_result;

/* The class that the network says, and how sure it is. */
static fv_status demo_guess(const cli_training *t, const uint8_t *pixels, int *guess, double *sure)
{
    fv_shape out;
    float y[DEMO_OUTPUTS];
    fv_status status = fv_model_output_shape(t->model, &out);
    if (status == FV_OK) status = fv_model_predict_pixels(t->model, y, pixels, 1);
    if (status != FV_OK) return status;
    *guess = 0;
    if (out.dim[0] == 1) {
        *guess = y[0] > 0.5F;
        *sure = *guess ? (double)y[0] : 1 - (double)y[0];
        return FV_OK;
    }
    for (int j = 1; j < out.dim[0]; j++)
        if (y[j] > y[*guess]) *guess = j;
    *sure = (double)y[*guess];
    return FV_OK;
}

/* Look at every test picture; keep those of one pass, 0: the wrong ones, 1: right ones. */
static fv_status demo_pass(demo_result *r, const cli_training *t, bool right, uint8_t *pixels,
                           size_t size)
{
    for (int i = 0; i < fv_dataset_count(t->valid); i++) {
        int guess, truth = fv_dataset_label(t->valid, i);
        double sure;
        fv_status status = fv_dataset_read(t->valid, pixels, i);
        if (status == FV_OK) status = demo_guess(t, pixels, &guess, &sure);
        if (status != FV_OK) return status;
        if (!right) r->of++;
        if ((guess == truth) != right) continue;
        if (!right) r->mistakes++;
        if (r->n == DEMO_ON_SHEET) {
            if (right) break;
            continue;
        }
        demo_picture *p = &r->picture[r->n];
        p->pixels = malloc(size);
        if (!p->pixels) return FV_E_MEMORY;
        memcpy(p->pixels, pixels, size);
        p->is_wrong = !right;
        snprintf(p->caption, sizeof p->caption, "%s%s%s (%.0f%%)", fv_model_class(t->model, truth),
                 right ? "" : ", guess ", right ? "" : fv_model_class(t->model, guess), 100 * sure);
        r->n++;
    }
    return FV_OK;
}

static fv_status demo_look(demo_result *r, const cli_training *t)
{
    r->shape = fv_dataset_shape(t->valid);
    size_t size = (size_t)r->shape.dim[0] * (size_t)r->shape.dim[1] * (size_t)r->shape.dim[2];
    uint8_t *pixels = malloc(size);
    if (!pixels) return FV_E_MEMORY;
    fv_status status = demo_pass(r, t, false, pixels, size);
    if (status == FV_OK) status = demo_pass(r, t, true, pixels, size);
    free(pixels);
    return status;
}

static fv_status demo_open(cli_training *t, const demo_app *app, const cli_settings *s)
{
    const fv_model_config config = {
        .seed = (uint64_t)s->seed, .threads = (int)s->threads, .isa = s->isa, .batch = app->batch};
    fv_dataset_config data = {.seed = (uint64_t)s->seed,
                              .count = s->count ? (int)s->count : app->train};
    fv_status status = fv_model_open(&t->model, app->recipe, &config);
    if (status == FV_OK) status = fv_model_build(t->model, FV_LAST, app->batch);
    if (status == FV_OK) status = fv_dataset_open(&t->train, app->data, FV_TRAIN, &data);
    data.count = app->test;
    if (status == FV_OK) status = fv_dataset_open(&t->valid, app->data, FV_TEST, &data);
    return status;
}

static fv_status demo_report(demo_result *r, cli_training *t, const demo_app *app,
                             const char *folder)
{
    char model[CLI_PATH + 64], history[CLI_PATH + 64];
    fv_evaluation e;
    fv_status status = fv_evaluate(t->model, &e, t->valid, FV_LOSS_AUTO);
    if (status != FV_OK) return status;
    r->accuracy = e.accuracy;
    printf("\ntest accuracy %.4f on %d pictures it has never seen (trained in %.1f s)\n\n",
           e.accuracy, e.n, r->seconds);
    cli_confusion(&e, t->model);
    printf("\n");
    fv_evaluation_free(&e);
    snprintf(model, sizeof model, "%s/%s.safetensors", folder, app->name);
    snprintf(history, sizeof history, "%s/%s.csv", folder, app->name);
    status = demo_look(r, t);
    if (status == FV_OK) status = fv_model_save(t->model, model);
    if (status == FV_OK) status = fv_history_save_csv(&t->history, history);
    return status;
}

/* One application from the first picture to the saved model. */
static fv_status demo_run(demo_result *r, const demo_app *app, const cli_settings *s,
                          const char *folder, int *number)
{
    cli_settings settings = *s;
    cli_training t = {0};
    struct timespec from, to;
    settings.epochs = s->epochs ? s->epochs : app->epochs;
    fv_status status = demo_open(&t, app, s);
    if (status == FV_OK) {
        printf("%s\n%s, %zu parameters, %d drawn pictures to learn from, %d to test\n\n",
               app->title, app->recipe, fv_model_parameters(t.model, NULL),
               fv_dataset_count(t.train), fv_dataset_count(t.valid));
        fflush(stdout);
        clock_gettime(CLOCK_MONOTONIC, &from);
        status = cli_train_run(&t, &settings, number);
        clock_gettime(CLOCK_MONOTONIC, &to);
        r->seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    }
    if (status == FV_OK) status = demo_report(r, &t, app, folder);
    fv_model_free(t.model);
    fv_dataset_free(t.train);
    fv_dataset_free(t.valid);
    fv_history_free(&t.history);
    return status;
}

/* The first pictures on the screen, smaller. */
static fv_status demo_show(const demo_result *r)
{
    fv_picture small[DEMO_ON_SCREEN] = {{0}};
    const uint8_t *pixels[DEMO_ON_SCREEN];
    const char *captions[DEMO_ON_SCREEN];
    fv_status status = FV_OK;
    int n = 0;
    for (; status == FV_OK && n < r->n && n < DEMO_ON_SCREEN; n++) {
        const fv_picture whole = {r->shape.dim[0], r->shape.dim[1], r->shape.dim[2],
                                  r->picture[n].pixels};
        status = fv_picture_resize(&small[n], &whole, DEMO_SCREEN_SIDE, DEMO_SCREEN_SIDE);
        pixels[n] = small[n].pixels;
        captions[n] = r->picture[n].caption;
    }
    if (status == FV_OK && n > 0)
        cli_pictures(pixels, n, DEMO_SCREEN_SIDE, DEMO_SCREEN_SIDE, r->shape.dim[2], captions);
    for (int i = 0; i < n; i++)
        fv_picture_free(&small[i]);
    return status;
}

/* One contact sheet of both applications, whose pictures have one size. */
static fv_status demo_sheet(const demo_result *results, int n, const char *path)
{
    const uint8_t *pixels[DEMO_APPS * DEMO_ON_SHEET];
    const char *captions[DEMO_APPS * DEMO_ON_SHEET];
    bool marked[DEMO_APPS * DEMO_ON_SHEET];
    fv_picture sheet;
    int count = 0;
    for (int a = 0; a < n; a++) {
        for (int i = 0; i < results[a].n; i++, count++) {
            pixels[count] = results[a].picture[i].pixels;
            captions[count] = results[a].picture[i].caption;
            marked[count] = results[a].picture[i].is_wrong;
        }
    }
    if (count == 0) return FV_OK;
    const int *dim = results[0].shape.dim;
    const fv_sheet_config config = {.captions = captions, .marked = marked, .columns = 6};
    fv_status status = fv_sheet_draw(&sheet, pixels, count, dim[0], dim[1], dim[2], &config);
    if (status != FV_OK) return status;
    status = fv_picture_write_png(&sheet, path);
    fv_picture_free(&sheet);
    return status;
}

static fv_status demo_end(const demo_result *results, int n, const char *folder)
{
    char sheet[CLI_PATH + 64];
    fv_status status = FV_OK;
    snprintf(sheet, sizeof sheet, "%s/mistakes.png", folder);
    for (int a = 0; status == FV_OK && a < n; a++) {
        printf("%s: %d of %d wrong%s\n\n", demo_apps[a].name, results[a].mistakes, results[a].of,
               results[a].mistakes ? "; the first ones:" : "; some that are right:");
        status = demo_show(&results[a]);
        printf("\n");
    }
    if (status == FV_OK) status = demo_sheet(results, n, sheet);
    if (status == FV_E_UNSUPPORTED) { /* built without PNG: the screen has to do */
        sheet[0] = '\0';
        status = FV_OK;
    }
    if (status != FV_OK) return status;
    for (int a = 0; a < n; a++)
        printf("%s: accuracy %.4f, model %s/%s.safetensors, history %s/%s.csv\n", demo_apps[a].name,
               results[a].accuracy, folder, demo_apps[a].name, folder, demo_apps[a].name);
    if (sheet[0]) printf("the mistakes of both, larger: %s\n", sheet);
    printf("\nnext: fovea train signs --data PHOTOS --val-split 0.2   (a folder for each class)\n"
           "      fovea data list\n      fovea help\n");
    return FV_OK;
}

int cmd_demo(const cli_settings *s)
{
    const char *folder = s->out ? s->out : "fovea-demo";
    demo_result results[DEMO_APPS] = {{0}};
    fv_status status = FV_OK;
    int number = 0, done = 0;
    if (strlen(folder) > CLI_PATH - 64) return cli_fail(CLI_IO, "--out: the path is too long");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_fail(CLI_IO, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    for (; status == FV_OK && number == 0 && done < DEMO_APPS; done++)
        status = demo_run(&results[done], &demo_apps[done], s, folder, &number);
    if (status == FV_OK) status = demo_end(results, done, folder);
    int code =
        status == FV_OK ? number ? 128 + number : CLI_DONE : cli_fail_status(status, fv_error());
    for (int a = 0; a < DEMO_APPS; a++)
        for (int i = 0; i < results[a].n; i++)
            free(results[a].picture[i].pixels);
    return cli_finish(code);
}
