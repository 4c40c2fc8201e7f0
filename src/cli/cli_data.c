/* SPDX-License-Identifier: MIT */
/* Data sets as the options say: how they are opened, split and augmented, and what was left out. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define DATA_SHOWN 5 /* pictures left out that are named */

int cli_data_config(fv_dataset_config *config, const cli_settings *s, const fv_model *model)
{
    static const char *classes[65536];
    const char *nearest;
    fv_shape in;
    *config = (fv_dataset_config){.seed = (uint64_t)s->seed,
                                  .count = (int)s->count,
                                  .memory_bytes = (size_t)s->memory << 20,
                                  .x_name = s->x,
                                  .y_name = s->y,
                                  .threads = (int)s->threads,
                                  .strict = s->strict};
    if (model) config->resize = fv_model_resize(model);
    if (s->resize && !fv_resize_find(s->resize, &config->resize, &nearest))
        return cli_fail(CLI_USAGE, "--resize \"%s\": expected stretch, pad or crop%s%s%s",
                        s->resize, nearest ? "; did you mean " : "", nearest ? nearest : "",
                        nearest ? "?" : "");
    if (!model || fv_model_input_shape(model, &in) != FV_OK || in.rank != 3) return CLI_DONE;
    config->height = in.dim[0];
    config->width = in.dim[1];
    config->channels = in.dim[2];
    int n = fv_model_classes(model);
    for (int i = 0; i < n && n <= 65536; i++) {
        classes[i] = fv_model_class(model, i);
    }
    if (n > 0 && n <= 65536) {
        config->classes = classes;
        config->n_classes = n;
    }
    return CLI_DONE;
}

int cli_data_open(fv_dataset **dataset, const char *path, fv_split split,
                  const fv_dataset_config *config)
{
    const char *error;
    fv_status status = cli_dataset_open(dataset, path, split, config, &error);
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, error);
}

/* Replace *train by a part of it. */
static int data_split(fv_dataset **train, fv_dataset **valid, const cli_settings *s)
{
    fv_dataset *whole = *train;
    fv_status status = fv_dataset_split(train, valid, whole, s->val_split, (uint64_t)s->seed);
    if (status != FV_OK) {
        *train = whole;
        return cli_fail_status(status, fv_error());
    }
    fv_dataset_free(whole);
    return CLI_DONE;
}

static int data_augment(fv_dataset **train, const cli_settings *s, const fv_augment_config *how)
{
    fv_dataset *plain = *train;
    fv_status status = fv_dataset_augment(train, plain, how, (uint64_t)s->seed);
    if (status != FV_OK) {
        *train = plain;
        return cli_fail_status(status, fv_error());
    }
    fv_dataset_free(plain);
    return CLI_DONE;
}

int cli_data_open_parts(fv_dataset **train, fv_dataset **valid, const cli_settings *s,
                        const fv_model *model)
{
    fv_dataset_config config;
    fv_augment_config how;
    if (s->augment && fv_augment_parse(&how, s->augment) != FV_OK)
        return cli_fail(CLI_USAGE, "--augment: %s", fv_error());
    if (s->has_val_split && !(s->val_split > 0 && s->val_split < 1))
        return cli_fail(CLI_USAGE, "--val-split %g: expected more than 0 and less than 1",
                        s->val_split);
    if (s->has_val_split && s->val)
        return cli_fail(CLI_USAGE, "--val and --val-split: expected one of them");
    int code = cli_data_config(&config, s, model);
    if (code == CLI_DONE) code = cli_data_open(train, s->data, FV_TRAIN, &config);
    if (code == CLI_DONE && s->has_val_split)
        code = data_split(train, valid, s);
    else if (code == CLI_DONE && s->val)
        code = cli_data_open(valid, s->val, FV_TEST, &config);
    else if (code == CLI_DONE && !s->x && cli_dataset_has(s->data, FV_VALIDATION))
        code = cli_data_open(valid, s->data, FV_VALIDATION, &config);
    else if (code == CLI_DONE && !s->x && cli_dataset_has(s->data, FV_TEST))
        code = cli_data_open(valid, s->data, FV_TEST, &config);
    if (code == CLI_DONE && s->augment) code = data_augment(train, s, &how);
    return code;
}

void cli_data_report(const fv_dataset *dataset)
{
    int n = fv_dataset_skipped(dataset);
    if (n == 0) return;
    fprintf(stderr, "fovea: %d picture%s could not be read and %s left out:\n", n,
            n == 1 ? "" : "s", n == 1 ? "was" : "were");
    for (int i = 0; i < n && i < DATA_SHOWN; i++) {
        fprintf(stderr, "  %s\n", fv_dataset_skipped_text(dataset, i));
    }
    if (n > DATA_SHOWN) fprintf(stderr, "  and %d more\n", n - DATA_SHOWN);
}
