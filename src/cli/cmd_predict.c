/* SPDX-License-Identifier: MIT */
/* fovea evaluate and fovea predict: a trained model at work. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EVALUATE_BATCH 64

static int predict_open_model(fv_model **model, const cli_settings *s, int batch)
{
    fv_model_config config = {
        .threads = (int)s->threads, .isa = s->isa, .batch = batch, .without_training = true};
    fv_status status = fv_model_open(model, s->args[0], &config);
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    if (fv_model_batch(*model) > 0) return CLI_DONE;
    fv_model_free(*model);
    *model = NULL;
    return cli_fail(CLI_BAD_INPUT,
                    "\"%s\" is a recipe; expected a model that fovea train has written",
                    s->args[0]);
}

static int evaluate_open_data(fv_dataset **dataset, const cli_settings *s, const fv_model *model)
{
    fv_dataset_config config;
    fv_split split = FV_TEST;
    int code = cli_data_config(&config, s, model);
    if (code != CLI_DONE) return code;
    /* Of a set with a validation part and no test part, that one. */
    if (!s->x && !cli_dataset_has(s->data, FV_TEST) && cli_dataset_has(s->data, FV_VALIDATION))
        split = FV_VALIDATION;
    return cli_data_open(dataset, s->data, split, &config);
}

static void evaluate_print(const fv_evaluation *e, const fv_model *model, bool json)
{
    if (!json) {
        printf("%d pictures  loss %.4f  accuracy %.4f\n", e->n, e->loss, e->accuracy);
        cli_confusion(e, model);
        return;
    }
    printf("{\"n\":%d,\"loss\":", e->n);
    cli_json_number(e->loss);
    printf(",\"accuracy\":");
    cli_json_number(e->accuracy);
    printf(",\"confusion\":[");
    for (int i = 0; i < e->classes; i++) {
        printf("%s[", i ? "," : "");
        for (int j = 0; j < e->classes; j++)
            printf("%s%d", j ? "," : "", e->confusion[(size_t)i * (size_t)e->classes + (size_t)j]);
        printf("]");
    }
    printf("]}\n");
}

int cmd_evaluate(const cli_settings *s)
{
    fv_model *model = NULL;
    fv_dataset *dataset = NULL;
    fv_evaluation e = {0};
    if (!s->data) return cli_fail(CLI_USAGE, "evaluate: --data PATH is missing");
    int code = predict_open_model(&model, s, s->batch ? (int)s->batch : EVALUATE_BATCH);
    if (code == CLI_DONE) code = evaluate_open_data(&dataset, s, model);
    if (code == CLI_DONE) {
        fv_status status = fv_evaluate(model, &e, dataset, FV_LOSS_AUTO);
        if (status != FV_OK) code = cli_fail_status(status, fv_error());
        cli_data_report(dataset);
    }
    if (code == CLI_DONE) {
        evaluate_print(&e, model, s->json);
        if (s->has_min_accuracy && !(e.accuracy >= s->min_accuracy))
            code = cli_fail(CLI_NO, "accuracy %.4f is below --min-accuracy %g", e.accuracy,
                            s->min_accuracy);
    }
    fv_evaluation_free(&e);
    fv_dataset_free(dataset);
    fv_model_free(model);
    return cli_finish(code);
}

typedef struct predict_guess {
    int class;
    double probability;
} predict_guess;

static int predict_compare(const void *a, const void *b)
{
    const predict_guess *x = a, *y = b;
    if (x->probability != y->probability) return x->probability < y->probability ? 1 : -1;
    return x->class - y->class;
}

static const char *predict_name(const fv_model *model, int class)
{
    static char number[16];
    const char *name = fv_model_class(model, class);
    snprintf(number, sizeof number, "%d", class);
    return name ? name : number;
}

static void predict_print(const fv_model *model, const char *path, const predict_guess *guess,
                          int n, bool json)
{
    if (json) {
        printf("{\"image\":");
        cli_json_string(path);
        printf(",\"class\":%d,\"name\":", guess[0].class);
        cli_json_string(predict_name(model, guess[0].class));
        printf(",\"probability\":");
        cli_json_number(guess[0].probability);
        printf(",\"top\":[");
    } else {
        printf("%s:", path);
    }
    for (int i = 0; i < n; i++) {
        const char *name = predict_name(model, guess[i].class);
        if (!json) {
            printf("  %s %.4f", name, guess[i].probability);
            continue;
        }
        printf("%s{\"class\":%d,\"name\":", i ? "," : "", guess[i].class);
        cli_json_string(name);
        printf(",\"probability\":");
        cli_json_number(guess[i].probability);
        printf("}");
    }
    printf(json ? "]}\n" : "\n");
}

/* A model that ends without softmax or sigmoid was trained on logits: make them probabilities. */
static void predict_probabilities(const fv_model *model, float *y, int n)
{
    double most = (double)y[0], sum = 0;
    if (fv_model_head(model) != FV_LINEAR) return;
    for (int i = 1; i < n; i++)
        most = (double)y[i] > most ? (double)y[i] : most;
    for (int i = 0; i < n; i++)
        sum += exp((double)y[i] - most);
    for (int i = 0; i < n; i++)
        y[i] = (float)(n > 1 ? exp((double)y[i] - most) / sum : 1 / (1 + exp(-(double)y[i])));
}

/* One picture: read, resized, through the model, its K most probable classes. outputs: the model's;
   one is a question of yes or no. */
static int predict_one(fv_model *model, const fv_shape *in, int outputs, const char *path, float *y,
                       predict_guess *guess, const cli_settings *s)
{
    fv_picture picture = {0};
    fv_status status =
        fv_picture_load(&picture, path, in->dim[0], in->dim[1], in->dim[2], fv_model_resize(model));
    if (status == FV_OK) status = fv_model_predict_pixels(model, y, picture.pixels, 1);
    fv_picture_free(&picture);
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    predict_probabilities(model, y, outputs);
    int n = outputs == 1 ? 2 : outputs;
    for (int i = 0; i < n; i++)
        guess[i] = (predict_guess){i, outputs > 1 ? (double)y[i]
                                      : i         ? (double)y[0]
                                                  : 1 - (double)y[0]};
    qsort(guess, (size_t)n, sizeof *guess, predict_compare);
    predict_print(model, path, guess, s->top == 0 ? 1 : s->top < n ? (int)s->top : n, s->json);
    return CLI_DONE;
}

int cmd_predict(const cli_settings *s)
{
    fv_model *model = NULL;
    fv_shape in, out;
    int code = predict_open_model(&model, s, 1);
    if (code != CLI_DONE) return code;
    fv_status status = fv_model_input_shape(model, &in);
    if (status == FV_OK) status = fv_model_output_shape(model, &out);
    if (status != FV_OK)
        code = cli_fail_status(status, fv_error());
    else if (in.rank != 3 || (in.dim[2] != 1 && in.dim[2] != 3) || out.rank != 1)
        code =
            cli_fail(CLI_BAD_INPUT, "\"%s\" does not classify grey or colour pictures", s->args[0]);
    else {
        size_t n = (size_t)out.dim[0] + 1;
        float *y = calloc(n, sizeof *y);
        predict_guess *guess = calloc(n, sizeof *guess);
        if (!y || !guess) code = cli_fail(CLI_LIMIT, "out of memory");
        /* A picture that cannot be read is named; the others are still answered, and the first
           failure is the exit code. */
        for (int i = 1; y && guess && i < s->n_args; i++) {
            int one = predict_one(model, &in, out.dim[0], s->args[i], y, guess, s);
            if (code == CLI_DONE) code = one;
        }
        free(y);
        free(guess);
    }
    fv_model_free(model);
    return cli_finish(code);
}
