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
    {"demo", "[--out FOLDER]", "Watch two networks learn: is a face happy, how many fingers are up",
     "Writes models, histories and a contact sheet of the mistakes into FOLDER (fovea-demo).\n",
     " out epochs count seed threads quiet isa ", 0, 0, cmd_demo},
    {"bench", "[RECIPE...] [options]", "Measure how fast networks train and predict here",
     "On random pictures, each network in a process of its own: the median of some twenty pieces\n"
     "of the time, the fastest and the slowest of them. GFLOP/s counts convolutions and dense\n"
     "layers, two for each multiply-add; its share is that of multiply-adds that touch no memory,\n"
     "measured in between. Memory is the most the process held. Without a name: a list of usual\n"
     "ones. Figures of one run compare; those of two days, or of a busy machine, do not.\n",
     " mode batch threads seconds isa json ", 0, 1000000, cmd_bench},
    {"data", "VERB ...", "Data sets: fetch, look at, check, convert and split them", NULL, " ", 0,
     0, NULL},
    {"data list", "[--out FOLDER] [--json]", "List the sets that are built in or can be fetched",
     NULL, " out json ", 0, 0, cmd_data_list},
    {"data get", "NAME [options]", "Fetch a known data set, resumed and checked by SHA-256",
     "It lies in $XDG_CACHE_HOME/fovea (~/.cache/fovea) or --out FOLDER, and --data NAME\n"
     "finds it. Licence and citation are shown. fovea data list has the names.\n",
     " from out force json quiet ", 1, 1, cmd_data_get},
    {"data info", "PATH [options]", "Say what a data set holds",
     "Counts of each class and part, shape and type of the pictures, their values by channel\n"
     "(of a large set, of a sample), where it would lie, and what could not be read.\n",
     " size channels resize x y count memory strict seed threads json ", 1, 1, cmd_data_info},
    {"data show", "PATH [--out SHEET.png] [options]",
     "Draw a sheet with some pictures of each class",
     "The sheet is NAME.png here; --count N pictures, --seed chooses others.\n",
     " out force count seed size channels resize x y strict ", 1, 1, cmd_data_show},
    {"data doctor", "PATH [options]", "Find what would spoil training",
     "Pictures that cannot be read, copies and near copies, within a part and across parts,\n"
     "classes that are missing or small, values out of range. Exits with 1 when something\n"
     "would spoil training.\n",
     " size channels resize x y count memory strict seed threads json ", 1, 1, cmd_data_doctor},
    {"data convert", "PATH OUT.h5|OUT.npz [options]", "Write all parts of a data set into one file",
     "OUT.h5 has the arrays of the course: train_set_x, train_set_y, val_set_x, ...,\n"
     "list_classes. OUT.npz has those of Keras: x_train, y_train, x_val, ..., and classes.\n"
     "Sets may be larger than memory.\n",
     " size channels resize x y count strict seed threads force json quiet ", 2, 2,
     cmd_data_convert},
    {"data split", "PATH OUT --val-split X --test-split Y [options]",
     "Divide a data set into parts to train, validate and test with",
     "Each class keeps its share in each part. Who goes where depends on --seed and on what\n"
     "is in the pictures, not on their names. OUT is a file (.h5, .npz) or a new folder, in\n"
     "which pictures in files are copied as they are, others become PNG files.\n",
     " val-split test-split seed link size channels resize x y count strict threads force json "
     "quiet ",
     2, 2, cmd_data_split},
    {"version", "", "Print the version", NULL, " json ", 0, 0, cmd_version},
    {"help", "[COMMAND]", "Explain a command", NULL, " ", 0, 2, cmd_help},
};

const cli_command *cli_command_at(int i)
{
    return i >= 0 && (size_t)i < sizeof main_commands / sizeof main_commands[0] ? &main_commands[i]
                                                                                : NULL;
}

/* The command that the first two words or the first one name; *words: how many they were. */
static const cli_command *main_find(int *words, char *const *word, int n)
{
    char two[64];
    snprintf(two, sizeof two, "%s %s", word[0], n > 1 ? word[1] : "");
    for (*words = 2; *words > 0; (*words)--)
        for (int i = 0; cli_command_at(i); i++)
            if (!strcmp(cli_command_at(i)->name, *words == 2 ? two : word[0]))
                return cli_command_at(i);
    return NULL;
}

/* What follows the group in the name of a command: "info" of "data info". NULL: it is no part of
   it. Without a group the whole name, of commands of one word. */
static const char *main_verb(const cli_command *command, const cli_command *group)
{
    const char *space = strchr(command->name, ' ');
    if (!group) return space ? NULL : command->name;
    size_t length = strlen(group->name);
    bool is_inside =
        space == command->name + length && !strncmp(command->name, group->name, length);
    return is_inside ? space + 1 : NULL;
}

static void main_list(FILE *to, const cli_command *group)
{
    if (group)
        fprintf(to, "%s.\n\nusage: fovea %s %s\n\n", group->summary, group->name, group->usage);
    else
        fprintf(to,
                "Fovea %s: convolutional networks from the command line\n\nusage: fovea COMMAND "
                "...\n\n",
                fv_version());
    for (int i = 0; cli_command_at(i); i++) {
        const char *verb = main_verb(cli_command_at(i), group);
        if (verb) fprintf(to, "  %-9s %s\n", verb, cli_command_at(i)->summary);
    }
    if (group)
        fprintf(to, "\nfovea help %s VERB explains one.\n", group->name);
    else
        fprintf(to, "\nfovea help COMMAND explains one. A first try: fovea demo\n");
}

/* group: that name should be a verb of it; NULL: a command. */
static int main_unknown(const char *name, const cli_command *group)
{
    const char *list[sizeof main_commands / sizeof main_commands[0]];
    size_t n = 0;
    for (int i = 0; cli_command_at(i); i++) {
        const char *verb = main_verb(cli_command_at(i), group);
        if (verb) list[n++] = verb;
    }
    const char *nearest = fv_nearest(name, list, n), *before = group ? group->name : "";
    const char *space = group ? " " : "";
    if (nearest)
        return cli_fail(CLI_USAGE, "unknown command \"%s%s%s\"; did you mean %s%s%s?", before,
                        space, name, before, space, nearest);
    return cli_fail(CLI_USAGE, "unknown command \"%s%s%s\"; see fovea help%s%s", before, space,
                    name, space, before);
}

/* word begins after the name of the group: its list, or what is wrong. */
static int main_group(const cli_command *group, char *const *word, int n)
{
    bool is_help = n > 0 && (!strcmp(word[0], "--help") || !strcmp(word[0], "-h"));
    if (n > 0 && !is_help) return main_unknown(word[0], group);
    main_list(is_help ? stdout : stderr, group);
    return is_help ? cli_finish(CLI_DONE) : CLI_USAGE;
}

static int cmd_help(const cli_settings *s)
{
    int words;
    if (s->n_args == 0) {
        main_list(stdout, NULL);
        return cli_finish(CLI_DONE);
    }
    const cli_command *command = main_find(&words, s->args, s->n_args);
    if (!command) return main_unknown(s->args[0], NULL);
    if (s->n_args > words && !command->run) return main_unknown(s->args[words], command);
    if (s->n_args > words)
        return cli_fail(CLI_USAGE, "help: \"%s\" is one argument too many", s->args[words]);
    if (command->run)
        cli_options_help(command);
    else
        main_list(stdout, command);
    return cli_finish(CLI_DONE);
}

int main(int argc, char **argv)
{
    /* A closed pipe or a size limit shows as an error of write, which is reported and leaves
       nothing half done. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        main_list(stderr, NULL);
        return CLI_USAGE;
    }
    static char help[] = "help", version[] = "version";
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) argv[1] = help;
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) argv[1] = version;
    int words;
    const cli_command *command = main_find(&words, argv + 1, argc - 1);
    if (!command) return main_unknown(argv[1], NULL);
    if (!command->run) return main_group(command, argv + 2, argc - 2);
    cli_settings s = {0};
    int code = cli_options_read(&s, command, argc - words, argv + words);
    if (code < 0) return cli_finish(CLI_DONE);
    return code == CLI_DONE ? command->run(&s) : code;
}
