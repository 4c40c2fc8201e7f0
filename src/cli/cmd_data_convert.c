/* SPDX-License-Identifier: MIT */
/* fovea data convert: all parts of a data set into one file. Split writes its files here, too. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define CONVERT_MEMORY 1 /* byte: pictures are read as they are needed, one set like another */

/* ---- shared with split ---- */

bool cli_data_is_file(const char *out)
{
    static const char *const ends[] = {".h5", ".hdf5", ".npz"};
    size_t n = strlen(out);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t e = strlen(ends[i]);
        if (n > e && !strcasecmp(out + n - e, ends[i])) return true;
    }
    return false;
}

int cli_data_check_output(const cli_settings *s)
{
    struct stat in, out;
    if (stat(s->args[0], &in) == 0 && stat(s->args[1], &out) == 0 && in.st_ino == out.st_ino &&
        in.st_dev == out.st_dev)
        return cli_fail(CLI_USAGE, "\"%s\" is the input itself", s->args[1]);
    return cli_check_output("OUT", s->args[1], s->force);
}

int cli_data_config_streamed(fv_dataset_config *config, const cli_settings *s)
{
    int code = cli_data_config_sized(config, s);
    config->memory_bytes = CONVERT_MEMORY;
    return code;
}

static bool convert_progress(void *user, int done, int total)
{
    const bool *is_shown = user;
    if (*is_shown) fprintf(stderr, "\rwriting: %d of %d pictures\033[K", done, total);
    return cli_signal() == 0;
}

/* How many pictures of each part came to be in the file, and that it can be read at all. */
static int convert_count(int written[CLI_PARTS], fv_dataset *const part[CLI_PARTS], const char *out)
{
    const fv_dataset_config config = {.memory_bytes = CONVERT_MEMORY};
    int code = CLI_DONE;
    for (int p = 0; p < CLI_PARTS && code == CLI_DONE; p++) {
        fv_dataset *d = NULL;
        if (!part[p]) continue;
        code = cli_data_open(&d, out, cli_part_split[p], &config);
        written[p] = fv_dataset_count(d);
        fv_dataset_free(d);
    }
    return code;
}

int cli_data_save(int written[CLI_PARTS], fv_dataset *const part[CLI_PARTS], const char *out,
                  const cli_settings *s)
{
    bool is_shown = cli_is_terminal() && !s->quiet && !s->json;
    const fv_dataset_save_config config = {
        .progress = convert_progress, .user = &is_shown, .threads = (int)s->threads};
    fv_status status = fv_dataset_save(out, part[0], part[1], part[2], &config);
    if (is_shown) fprintf(stderr, "\r\033[K");
    if (status == FV_E_CANCELLED && cli_signal())
        return cli_fail(128 + cli_signal(), "stopped; nothing was written");
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    return convert_count(written, part, out);
}

/* Labels alone tell only the largest, which may be in any part. */
static int convert_classes(fv_dataset *const part[CLI_PARTS])
{
    int most = 0;
    for (int p = 0; p < CLI_PARTS; p++)
        if (fv_dataset_classes(part[p]) > most) most = fv_dataset_classes(part[p]);
    return most;
}

void cli_data_written(const int written[CLI_PARTS], fv_dataset *const part[CLI_PARTS],
                      const char *out, const cli_settings *s)
{
    const char *between = "";
    if (s->quiet) return;
    if (s->json) {
        printf("{\"out\":");
        cli_json_string(out);
        printf(",\"parts\":[");
    } else {
        cli_print_name(out, 0);
        printf(":");
    }
    for (int p = 0; p < CLI_PARTS; p++) {
        if (!part[p]) continue;
        printf(s->json ? "%s{\"name\":\"%s\",\"pictures\":%d}" : "%s %s %d", between,
               cli_part_name[p], written[p]);
        between = ",";
    }
    if (s->json)
        printf("],\"classes\":%d}\n", convert_classes(part));
    else
        printf(" pictures; %d classes\n", convert_classes(part));
}

/* ---- fovea data convert ---- */

int cmd_data_convert(const cli_settings *s)
{
    fv_dataset *part[CLI_PARTS] = {0};
    bool has[CLI_PARTS];
    int written[CLI_PARTS] = {0};
    fv_dataset_config config;
    if (!cli_data_is_file(s->args[1]))
        return cli_fail(CLI_USAGE, "data convert: \"%s\": expected a name that ends in .h5 or .npz",
                        s->args[1]);
    int code = cli_data_config_streamed(&config, s);
    if (code == CLI_DONE) code = cli_data_check_output(s);
    if (code != CLI_DONE) return code;
    /* Before a process is started that reads for this one: it must live on. */
    cli_signals_catch(true);
    cli_data_parts(has, s, s->args[0]);
    for (int p = 0; p < CLI_PARTS && code == CLI_DONE; p++)
        if (has[p]) code = cli_data_open_sized(&part[p], s->args[0], cli_part_split[p], &config);
    if (code == CLI_DONE) code = cli_data_save(written, part, s->args[1], s);
    cli_signals_catch(false);
    for (int p = 0; p < CLI_PARTS; p++)
        if (part[p]) cli_data_report(part[p]);
    if (code == CLI_DONE) cli_data_written(written, part, s->args[1], s);
    for (int p = 0; p < CLI_PARTS; p++)
        fv_dataset_free(part[p]);
    return cli_finish(code);
}
