/* SPDX-License-Identifier: MIT */
/* The command line: commands, options, output helpers. The only room that prints; it stands on the
   public headers alone. */
#ifndef CLI_H
#define CLI_H

#include "fovea/fovea.h"

/* What a process tells its caller. */
enum {
    CLI_DONE = 0,
    CLI_NO = 1,        /* ran, and the answer is no */
    CLI_USAGE = 2,     /* the command line is wrong */
    CLI_BAD_INPUT = 3, /* a file, recipe or picture is */
    CLI_IO = 4,
    CLI_LIMIT = 5, /* memory or a stated limit */
    CLI_NUMERIC = 6,
    CLI_BUG = 70
};

#define CLI_PATH 4096

/* Every option of every command has its place here; a command lists those it takes. */
typedef struct cli_settings {
    const char *data, *val, *optimizer, *out, *history, *isa;
    const char *x, *y, *resize, *augment, *from, *size, *mode;
    long epochs, batch, seed, threads, top, memory, count, channels;
    double lr, min_accuracy, val_split, test_split, seconds;
    bool json, quiet, force, strict, link;
    bool has_min_accuracy, has_val_split, has_test_split;
    int n_args; /* what is no option */
    char **args;
} cli_settings;

typedef struct cli_command {
    const char *name;
    const char *usage;   /* what follows the name */
    const char *summary; /* one line for the list */
    const char *text;    /* more, for `fovea help NAME`; ends with a newline */
    const char *options; /* names of the options it takes, each between spaces */
    int min_args, max_args;
    int (*run)(const cli_settings *s);
} cli_command;

/* main.c: the one list of commands; NULL past the end. */
const cli_command *cli_command_at(int i);

/* cli_options.c */

/* Fill s from argv, which begins with the command's name, and isa from FOVEA_ISA when no option
   says. CLI_DONE, or CLI_USAGE with one line on stderr. */
int cli_options_read(cli_settings *s, const cli_command *command, int argc, char **argv);
void cli_options_help(const cli_command *command); /* the options it takes, to stdout */

/* cli_output.c */

/* One line on stderr, "fovea: ..."; returns code. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with a library's text, and the exit code that goes with its status. */
int cli_fail_status(fv_status status, const char *text);
/* stdout is flushed and was writable to the end; else CLI_IO. Every command that prints ends with
   it. */
int cli_finish(int code);
void cli_json_string(const char *text); /* quoted and escaped, to stdout */
void cli_json_number(double value);     /* null when not finite */
/* true when stderr is a terminal that can draw; is_colour: and NO_COLOR is not set. */
bool cli_is_terminal(void);
bool cli_is_colour(void);
int cli_columns(void); /* of the terminal on stderr, 80 when unknown */
void cli_confusion(const fv_evaluation *e, const fv_model *model); /* to stdout */
/* n 8-bit pictures [H,W,C] side by side as half blocks, to stdout; captions below, may be NULL. */
void cli_pictures(const uint8_t *const *pixels, int n, int height, int width, int channels,
                  const char *const *captions);

/* cli_data.c: data sets as the options say */

/* What --seed, --x, --y, --resize, --memory, --count, --threads and --strict ask for; sides and
   channels are what the model takes, and its classes if it has any; model may be NULL. CLI_DONE, or
   CLI_USAGE with a line on stderr. */
int cli_data_config(fv_dataset_config *config, const cli_settings *s, const fv_model *model);
/* One part of --data, or of another path. */
int cli_data_open(fv_dataset **dataset, const char *path, fv_split split,
                  const fv_dataset_config *config);
/* To train on and to validate with (*valid may stay NULL): --val, --val-split, or another part. */
int cli_data_open_parts(fv_dataset **train, fv_dataset **valid, const cli_settings *s,
                        const fv_model *model);
/* Pictures that could not be read, the first few by name, to stderr. */
void cli_data_report(const fv_dataset *dataset);

/* cmd_data.c: shared by the commands of `fovea data` */

#define CLI_PARTS 3
/* "train", "val", "test" and their splits, in that order. */
extern const char *const cli_part_name[CLI_PARTS];
extern const fv_split cli_part_split[CLI_PARTS];
/* Which parts a path has; with --x, or when there is none, the first. */
void cli_data_parts(bool has[CLI_PARTS], const cli_settings *s, const char *path);
/* cli_data_config, and --size and --channels. */
int cli_data_config_sized(fv_dataset_config *config, const cli_settings *s);
/* cli_data_open; CLI_USAGE when --size or --channels ask for what its pictures cannot become. */
int cli_data_open_sized(fv_dataset **dataset, const char *path, fv_split split,
                        const fv_dataset_config *config);
/* cmd_data_convert.c: writing; cli_data_config_sized for sets that are not kept in memory. */
int cli_data_config_streamed(fv_dataset_config *config, const cli_settings *s);
bool cli_data_is_file(const char *out); /* by its ending; else a folder */
/* args[1] as a file to write: not the input, nothing that is there. CLI_DONE when fine. */
int cli_data_check_output(const cli_settings *s);
/* Parts into a file, progress on a terminal; written: how many pictures of each. */
int cli_data_save(int written[CLI_PARTS], fv_dataset *const part[CLI_PARTS], const char *out,
                  const cli_settings *s);
/* What was written, as a line or JSON. */
void cli_data_written(const int written[CLI_PARTS], fv_dataset *const part[CLI_PARTS],
                      const char *out, const cli_settings *s);
/* A name out of a file, to stdout, at least width columns (below 0: put to the right). */
void cli_print_name(const char *name, int width);

/* cmd_data_get.c: where `fovea data get` put the set of that name, if there is no such file and it
   did; else path. */
const char *cli_data_fetched(char out[CLI_PATH], const char *path);

/* cli_signal.c */

/* INT, TERM and HUP are noted, a second one ends the process at once; false: they end it again. */
void cli_signals_catch(bool on);
int cli_signal(void); /* the one that came since, or 0 */

/* cli_guard.c */

/* fv_dataset_open, but .h5 files are read by a child process with limits, so that no file can bring
   this one down. *error: the text of a failure, valid until the next call. */
fv_status cli_dataset_open(fv_dataset **dataset, const char *path, fv_split split,
                           const fv_dataset_config *config, const char **error);
/* fv_dataset_has, likewise. */
bool cli_dataset_has(const char *path, fv_split split);

/* cmd_train.c: shared with the demo */

typedef struct cli_training {
    fv_model *model;
    fv_dataset *train, *valid;
    fv_history history;
} cli_training;

/* Train as the settings say, with a progress bar or lines; saves nothing. Returns a status; signal:
   out, 0 or the one that stopped it. */
fv_status cli_train_run(cli_training *t, const cli_settings *s, int *signal);
/* Refuse an output that exists, is a folder or cannot be made there. CLI_DONE when fine. */
int cli_check_output(const char *option, const char *path, bool force);

/* cmd_data_doctor.c */

/* The doctor's quick look before training; what it finds goes to stderr. valid may be NULL. */
void cli_doctor_warn(const fv_dataset *train, const fv_dataset *valid);
int cmd_data_doctor(const cli_settings *s); /* args[0] is the path */

/* One function a command; the table in main.c names them. */
int cmd_train(const cli_settings *s);
int cmd_evaluate(const cli_settings *s);
int cmd_predict(const cli_settings *s);
int cmd_summary(const cli_settings *s);
int cmd_recipes(const cli_settings *s);
int cmd_demo(const cli_settings *s);
int cmd_bench(const cli_settings *s);
int cmd_data_info(const cli_settings *s);
int cmd_data_get(const cli_settings *s);
int cmd_data_list(const cli_settings *s);
int cmd_data_show(const cli_settings *s);
int cmd_data_convert(const cli_settings *s);
int cmd_data_split(const cli_settings *s);
int cmd_version(const cli_settings *s);

#endif
