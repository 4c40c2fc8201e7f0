/* SPDX-License-Identifier: MIT */
/* The command fovea: finds the command in one table and runs it. */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int cmd_help(const cli_settings *s);

static const cli_command main_commands[] = {
    {"train", "RECIPE --data PATH [options]", "Train a network on pictures",
     "RECIPE is a file of Keras-style calls, the name of a recipe that ships with Fovea\n"
     "(see fovea recipes), or a model file, which then is trained further.\n"
     "Ctrl-C stops after the batch and saves what was learnt; the exit code is 130.\n",
     " data val val-split epochs batch optimizer lr augment resize x y count memory strict seed "
     "threads out history force json quiet isa ",
     1, 1, cmd_train},
    {"evaluate", "MODEL --data PATH [options]", "Measure a model's loss, accuracy and confusion",
     NULL, " data x y resize count memory strict batch seed threads min-accuracy json isa ", 1, 1,
     cmd_evaluate},
    {"predict", "MODEL IMAGE... [options]", "Say what PNG or JPEG pictures show",
     "Pictures of any size are resized to what the model takes.\n", " top json threads isa ", 2,
     1000000, cmd_predict},
    {"summary", "RECIPE|MODEL [--json]", "Print the table of layers with shapes and parameters",
     NULL, " json ", 1, 1, cmd_summary},
    {"recipes", "[NAME]", "List the recipes that ship with Fovea, or print one", NULL, " ", 0, 1,
     cmd_recipes},
    {"demo", "[--out FOLDER]", "Watch LeNet-5 learn drawn digits, then see what it learnt",
     "Writes the model and the history into FOLDER (fovea-demo).\n", " out seed threads quiet isa ",
     0, 0, cmd_demo},
    {"version", "", "Print the version", NULL, " json ", 0, 0, cmd_version},
    {"help", "[COMMAND]", "Explain a command", NULL, " ", 0, 1, cmd_help},
};

const cli_command *cli_command_at(int i)
{
    return i >= 0 && (size_t)i < sizeof main_commands / sizeof main_commands[0] ? &main_commands[i]
                                                                                : NULL;
}

static const cli_command *main_find(const char *name)
{
    for (int i = 0; cli_command_at(i); i++)
        if (!strcmp(cli_command_at(i)->name, name)) return cli_command_at(i);
    return NULL;
}

static void main_list(FILE *to)
{
    fprintf(
        to,
        "Fovea %s: convolutional networks from the command line\n\nusage: fovea COMMAND ...\n\n",
        fv_version());
    for (int i = 0; cli_command_at(i); i++)
        fprintf(to, "  %-9s %s\n", cli_command_at(i)->name, cli_command_at(i)->summary);
    fprintf(to, "\nfovea help COMMAND explains one. A first try: fovea demo\n");
}

static int main_unknown(const char *name)
{
    const char *list[sizeof main_commands / sizeof main_commands[0]];
    int n = 0;
    for (; cli_command_at(n); n++)
        list[n] = cli_command_at(n)->name;
    const char *nearest = fv_nearest(name, list, (size_t)n);
    if (nearest)
        return cli_fail(CLI_USAGE, "unknown command \"%s\"; did you mean %s?", name, nearest);
    return cli_fail(CLI_USAGE, "unknown command \"%s\"; see fovea help", name);
}

static int cmd_help(const cli_settings *s)
{
    if (s->n_args == 0) {
        main_list(stdout);
        return cli_finish(CLI_DONE);
    }
    const cli_command *command = main_find(s->args[0]);
    if (!command) return main_unknown(s->args[0]);
    cli_options_help(command);
    return cli_finish(CLI_DONE);
}

int main(int argc, char **argv)
{
    /* A closed pipe or a size limit shows as an error of write, which is reported and leaves
       nothing half done. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        main_list(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) name = "help";
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) name = "version";
    const cli_command *command = main_find(name);
    if (!command) return main_unknown(name);
    cli_settings s = {0};
    int code = cli_options_read(&s, command, argc - 1, argv + 1);
    if (code < 0) return cli_finish(CLI_DONE);
    return code == CLI_DONE ? command->run(&s) : code;
}
