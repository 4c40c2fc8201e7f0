/* SPDX-License-Identifier: MIT */
/* fovea data doctor: look a data set over before it is trained on; the short form for train. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

typedef struct doctor_parts {
    fv_dataset *part[CLI_PARTS];
    fv_split split[CLI_PARTS];
    int n;
} doctor_parts;

static int doctor_open(doctor_parts *parts, const cli_settings *s)
{
    fv_dataset_config config;
    bool has[CLI_PARTS];
    int code = cli_data_config_sized(&config, s);
    cli_data_parts(has, s, s->args[0]);
    for (int i = 0; code == CLI_DONE && i < CLI_PARTS; i++) {
        if (!has[i]) continue;
        code = cli_data_open_sized(&parts->part[parts->n], s->args[0], cli_part_split[i], &config);
        if (code == CLI_DONE) parts->split[parts->n++] = cli_part_split[i];
    }
    return code;
}

static bool doctor_progress(void *user, int done, int total)
{
    (void)user;
    if (done < total)
        fprintf(stderr, "\rlooking at the pictures: %d %%\033[K", (int)(100.0 * done / total));
    else
        fprintf(stderr, "\r\033[K");
    fflush(stderr);
    return true;
}

static int doctor_report(const doctor_parts *parts, const cli_settings *s)
{
    fv_doctor_config config = {.threads = (int)s->threads};
    fv_report *report = NULL;
    char *text = NULL;
    if (cli_is_terminal() && !s->json) config.progress = doctor_progress;
    fv_status status = fv_doctor_examine(&report, (const fv_dataset *const *)parts->part,
                                         parts->split, parts->n, &config);
    if (status == FV_OK) status = fv_report_text(report, s->json, &text);
    int code = fv_report_spoils(report) ? CLI_NO : CLI_DONE;
    if (status == FV_OK)
        fputs(text, stdout);
    else
        code = cli_fail_status(status, fv_error());
    fv_free(text);
    fv_report_free(report);
    return code;
}

int cmd_data_doctor(const cli_settings *s)
{
    doctor_parts parts = {.n = 0};
    int code = doctor_open(&parts, s);
    if (code == CLI_DONE) code = doctor_report(&parts, s);
    for (int i = 0; i < parts.n; i++)
        fv_dataset_free(parts.part[i]);
    return cli_finish(code);
}

void cli_doctor_warn(const fv_dataset *train, const fv_dataset *valid)
{
    const fv_dataset *parts[] = {train, valid};
    const fv_split splits[] = {FV_TRAIN, FV_VALIDATION};
    const fv_doctor_config config = {.cheap = true};
    const fv_finding *f;
    fv_report *report;
    /* What cannot be examined, training will say. */
    if (fv_doctor_examine(&report, parts, splits, valid ? 2 : 1, &config) != FV_OK) return;
    for (int i = 0; (f = fv_report_finding(report, i)) != NULL; i++) {
        /* Pictures that are left out are named at the end. */
        bool is_told = !strcmp(f->code, "unreadable") || !strcmp(f->code, "truncated");
        if (f->severity >= FV_WARNS && !is_told)
            fprintf(stderr, "fovea: %s: %s; %s\n", f->code, f->text, f->advice);
    }
    fv_report_free(report);
}
