/* SPDX-License-Identifier: MIT */
/* Options: one table gives getopt_long its list and the help its lines. */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_INTEGER, OPTION_NUMBER } option_kind;

typedef struct option_row {
    const char *name, *argument; /* argument NULL: a flag */
    option_kind kind;
    size_t offset; /* into cli_settings */
    double least, most;
    const char *help;
} option_row;

#define AT(member) offsetof(cli_settings, member)

static const option_row option_rows[] = {
    {"data", "PATH", OPTION_TEXT, AT(data), 0, 0,
     "a folder with a folder of pictures for each class (or train/, val/, test/ of them), a .csv "
     "of\n"
     "                         path,label, .h5, .npz, folders of .npy, IDX or CIFAR files, "
     "made:NAME"},
    {"val", "PATH", OPTION_TEXT, AT(val), 0, 0,
     "validate on this set after each epoch (the val or test part of --data, if it has one)"},
    {"val-split", "X", OPTION_NUMBER, AT(val_split), 0, 1,
     "validate on this share of every class of --data, which then is not trained on"},
    {"test-split", "X", OPTION_NUMBER, AT(test_split), 0, 1,
     "share of every class for the test part"},
    {"x", "NAME", OPTION_TEXT, AT(x), 0, 0, "the array of pictures in an .h5 or .npz file"},
    {"y", "NAME", OPTION_TEXT, AT(y), 0, 0, "the array of labels"},
    {"size", "HxW", OPTION_TEXT, AT(size), 0, 0,
     "bring pictures in files, and made ones, to this size (that of the first)"},
    {"channels", "N", OPTION_INTEGER, AT(channels), 1, 3, "1 for grey, 3 for colour"},
    {"resize", "HOW", OPTION_TEXT, AT(resize), 0, 0,
     "stretch, pad or crop pictures of another shape (stretch)"},
    {"augment", "LIST", OPTION_TEXT, AT(augment), 0, 0,
     "change pictures at random: flip,rotation=0.05,zoom=0.1,translation=0.1,contrast=0.2,..."},
    {"count", "N", OPTION_INTEGER, AT(count), 1, 2147483647,
     "pictures of a made set (8000), on a sheet (60)"},
    {"memory", "MIB", OPTION_INTEGER, AT(memory), 1, 1048576,
     "keep sets of up to this size in memory; larger ones are read as they are needed (256)"},
    {"strict", NULL, OPTION_FLAG, AT(strict), 0, 0,
     "a picture that cannot be read is an error (it is left out, and named)"},
    {"link", NULL, OPTION_FLAG, AT(link), 0, 0, "hard links in the place of copies"},
    {"from", "FOLDER|URL", OPTION_TEXT, AT(from), 0, 0, "take the files from there"},
    {"epochs", "N", OPTION_INTEGER, AT(epochs), 1, 1000000, "times through the training set (10)"},
    {"batch", "N", OPTION_INTEGER, AT(batch), 1, 1000000, "pictures in a batch (32)"},
    {"optimizer", "NAME", OPTION_TEXT, AT(optimizer), 0, 0,
     "adam, sgd, momentum or nesterov (adam)"},
    {"lr", "X", OPTION_NUMBER, AT(lr), 1e-30, 1e9, "learning rate (adam 0.001, the others 0.01)"},
    {"seed", "N", OPTION_INTEGER, AT(seed), 0, 9007199254740991.0,
     "seed of initial weights, order and made sets (0)"},
    {"threads", "N", OPTION_INTEGER, AT(threads), 1, 1024,
     "threads (as many as processors); the result does not depend on it"},
    {"out", "PATH", OPTION_TEXT, AT(out), 0, 0, "where the result is written"},
    {"history", "FILE.csv", OPTION_TEXT, AT(history), 0, 0, "write a row for each epoch there"},
    {"force", NULL, OPTION_FLAG, AT(force), 0, 0, "replace an output that exists"},
    {"min-accuracy", "X", OPTION_NUMBER, AT(min_accuracy), 0, 1,
     "exit 1 when the accuracy is below this"},
    {"top", "K", OPTION_INTEGER, AT(top), 1, 1000000, "show the K most probable classes (1)"},
    {"json", NULL, OPTION_FLAG, AT(json), 0, 0, "print JSON for programs"},
    {"quiet", NULL, OPTION_FLAG, AT(quiet), 0, 0, "no progress, no lines for epochs"},
    {"mode", "MODE", OPTION_TEXT, AT(mode), 0, 0, "train or infer (train)"},
    {"seconds", "S", OPTION_NUMBER, AT(seconds), 0.001, 3600, "measure each for so long (2)"},
    {"isa", "NAME", OPTION_TEXT, AT(isa), 0, 0,
     "use this instruction set: generic, sse2, avx2, avx512, neon (FOVEA_ISA, or the best)"},
};
#define OPTION_COUNT (sizeof option_rows / sizeof option_rows[0])
#define OPTION_HELP 1000

/* " data val " has the word "val". */
static bool option_is_taken(const cli_command *command, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = command->options; (at = strstr(at, name)) != NULL; at += n)
        if (at > command->options && at[-1] == ' ' && at[n] == ' ') return true;
    return false;
}

static int option_unknown(const cli_command *command, const char *given)
{
    const char *list[OPTION_COUNT];
    const char *word = given + strspn(given, "-");
    char name[64];
    size_t n = 0;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_is_taken(command, option_rows[i].name)) list[n++] = option_rows[i].name;
    const char *best = fv_nearest(name, list, n);
    if (best)
        return cli_fail(CLI_USAGE, "%s: unknown option \"%s\"; did you mean --%s?", command->name,
                        given, best);
    return cli_fail(CLI_USAGE, "%s: unknown option \"%s\"; see fovea help %s", command->name, given,
                    command->name);
}

static int option_number(const option_row *row, const char *text, double *value)
{
    char *end;
    /* strtod takes more than a person means: hexadecimal, "nan", leading blanks. */
    bool is_plain = text[0] && strspn(text, "+-.0123456789eE") == strlen(text);
    *value = is_plain ? strtod(text, &end) : 0;
    bool is_whole = row->kind != OPTION_INTEGER ||
                    (strspn(text + (*text == '-' || *text == '+'), "0123456789") ==
                     strlen(text + (*text == '-' || *text == '+')));
    if (!is_plain || *end || !is_whole)
        return cli_fail(CLI_USAGE, "--%s \"%s\": expected %s", row->name, text,
                        row->kind == OPTION_INTEGER ? "a whole number" : "a number");
    if (!(*value >= row->least && *value <= row->most))
        return cli_fail(CLI_USAGE, "--%s %s: expected %.10g to %.16g", row->name, text, row->least,
                        row->most);
    return CLI_DONE;
}

static int option_store(cli_settings *s, const option_row *row, const char *text)
{
    char *at = (char *)s + row->offset;
    double value;
    int code = CLI_DONE;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)(void *)at = true;
        break;
    case OPTION_TEXT:
        if (!*text) return cli_fail(CLI_USAGE, "--%s: the %s is empty", row->name, row->argument);
        *(const char **)(void *)at = text;
        break;
    case OPTION_INTEGER:
        if ((code = option_number(row, text, &value)) == CLI_DONE)
            *(long *)(void *)at = (long)value;
        break;
    case OPTION_NUMBER:
        if ((code = option_number(row, text, &value)) == CLI_DONE) *(double *)(void *)at = value;
        if (row->offset == AT(min_accuracy)) s->has_min_accuracy = true;
        if (row->offset == AT(val_split)) s->has_val_split = true;
        if (row->offset == AT(test_split)) s->has_test_split = true;
        break;
    }
    return code;
}

int cli_options_read(cli_settings *s, const cli_command *command, int argc, char **argv)
{
    struct option list[OPTION_COUNT + 2] = {{0}};
    bool is_seen[OPTION_COUNT] = {false};
    int n = 0, found;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_is_taken(command, option_rows[i].name))
            list[n++] =
                (struct option){option_rows[i].name, option_rows[i].argument != NULL, NULL, (int)i};
    list[n] = (struct option){"help", 0, NULL, OPTION_HELP};
    opterr = 0;
    optind = 1;
    while (found = optind, (n = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
        const char *given = argv[found < argc ? found : argc - 1];
        if (n == 'h' || n == OPTION_HELP) {
            cli_options_help(command);
            return -1;
        }
        if (n == ':')
            return cli_fail(CLI_USAGE, "%s: %s needs a value", command->name, argv[optind - 1]);
        if (n == '?') return option_unknown(command, optind > found ? argv[optind - 1] : given);
        const option_row *row = &option_rows[n];
        if (is_seen[n])
            return cli_fail(CLI_USAGE, "%s: --%s is given twice", command->name, row->name);
        is_seen[n] = true;
        int code = option_store(s, row, optarg ? optarg : "");
        if (code != CLI_DONE) return code;
    }
    const char *isa = getenv("FOVEA_ISA");
    if (!s->isa && isa && *isa && option_is_taken(command, "isa")) s->isa = isa;
    s->n_args = argc - optind;
    s->args = argv + optind;
    if (s->n_args < command->min_args)
        return cli_fail(CLI_USAGE, "usage: fovea %s %s", command->name, command->usage);
    if (s->n_args > command->max_args)
        return cli_fail(CLI_USAGE, "%s: \"%s\" is one argument too many; usage: fovea %s %s",
                        command->name, s->args[command->max_args], command->name, command->usage);
    return CLI_DONE;
}

void cli_options_help(const cli_command *command)
{
    printf("usage: fovea %s %s\n\n%s.\n", command->name, command->usage, command->summary);
    if (command->text) printf("\n%s", command->text);
    bool is_first = true;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const option_row *row = &option_rows[i];
        char left[40];
        if (!option_is_taken(command, row->name)) continue;
        if (is_first) printf("\noptions:\n");
        is_first = false;
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        printf("  %-22s %s\n", left, row->help);
    }
}
