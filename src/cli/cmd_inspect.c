/* SPDX-License-Identifier: MIT */
/* fovea summary, recipes, version. */
#include "cli/cli.h"

#include <stdio.h>

int cmd_summary(const cli_settings *s)
{
    fv_model *model = NULL;
    char *text = NULL;
    fv_model_config config = {.batch = 1, .threads = 1, .without_training = true};
    fv_status status = fv_model_open(&model, s->args[0], &config);
    if (status == FV_OK && fv_model_batch(model) == 0) status = fv_model_build(model, FV_LAST, 1);
    if (status == FV_OK) status = fv_model_summary(model, s->json, &text);
    int code = CLI_DONE;
    if (status == FV_OK)
        fputs(text, stdout);
    else
        code = cli_fail_status(status, fv_error());
    fv_free(text);
    fv_model_free(model);
    return cli_finish(code);
}

int cmd_recipes(const cli_settings *s)
{
    if (s->n_args == 0) {
        for (int i = 0; fv_recipe_name(i); i++)
            printf("%s\n", fv_recipe_name(i));
        return cli_finish(CLI_DONE);
    }
    const char *list[64], *text = fv_recipe_find(s->args[0]);
    int n = 0;
    while (n < 64 && fv_recipe_name(n)) {
        list[n] = fv_recipe_name(n);
        n++;
    }
    if (text) {
        fputs(text, stdout);
        return cli_finish(CLI_DONE);
    }
    const char *nearest = fv_nearest(s->args[0], list, (size_t)n);
    if (nearest)
        return cli_fail(CLI_USAGE, "no recipe \"%s\"; did you mean %s?", s->args[0], nearest);
    return cli_fail(CLI_USAGE, "no recipe \"%s\"; fovea recipes lists them", s->args[0]);
}

int cmd_version(const cli_settings *s)
{
    printf(s->json ? "{\"version\":\"%s\"}\n" : "fovea %s\n", fv_version());
    return cli_finish(CLI_DONE);
}
