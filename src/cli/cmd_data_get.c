/* SPDX-License-Identifier: MIT */
/* fovea data get, fovea data list: known data sets, brought to a folder of the user's. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GET_BAR 24
#define GET_REDRAW_S 0.1

/* The folder that sets lie in: the given one, or Fovea's part of the user's cache. false: there is
   none. */
static bool get_folder(char out[CLI_PATH], const char *given)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;
    if (given)
        length = snprintf(out, CLI_PATH, "%s", given);
    else if (cache && cache[0] == '/') /* relative ones are to be ignored, says the specification */
        length = snprintf(out, CLI_PATH, "%s/fovea", cache);
    else if (home && home[0] == '/')
        length = snprintf(out, CLI_PATH, "%s/.cache/fovea", home);
    else
        return false;
    return length < CLI_PATH;
}

const char *cli_data_fetched(char out[CLI_PATH], const char *path)
{
    const fv_known_dataset *set = NULL;
    char folder[CLI_PATH];
    if (access(path, F_OK) == 0) return path;
    for (int i = 0; (set = fv_dataset_known(i)) != NULL && strcmp(set->name, path) != 0; i++) {
    }
    if (!set || !get_folder(folder, NULL) || !fv_dataset_is_there(path, folder)) return path;
    return snprintf(out, CLI_PATH, "%s/%s", folder, path) < CLI_PATH ? out : path;
}

/* "11.6 MB". */
static const char *get_size(char out[32], double bytes)
{
    bool is_small = bytes < 999500;
    snprintf(out, 32, is_small ? "%.0f kB" : "%.1f MB", is_small ? bytes / 1e3 : bytes / 1e6);
    return out;
}

/* ---- the bar ---- */

typedef struct get_view {
    bool is_bar;
    bool is_drawn; /* there is a line to take away */
    struct timespec drawn;
} get_view;

static double get_since(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) + 1e-9 * (double)(now.tv_nsec - from->tv_nsec);
}

/* getting train-images... ━━━━━━──────  5.2 of 11.6 MB  1.4 MB/s; the bar takes what the terminal's
   width leaves, and is not drawn where the end is not known. */
static void get_draw(get_view *v, const fv_get_progress *p)
{
    char head[96], tail[96], done[32], total[32], rate[32];
    bool is_colour = cli_is_colour();
    int used = snprintf(head, sizeof head, "%s %.60s ", p->doing, p->file);
    get_size(done, (double)p->done);
    int more = snprintf(tail, sizeof tail, " %s%s%s", done, p->total ? " of " : "",
                        p->total ? get_size(total, (double)p->total) : "");
    if (p->bytes_per_second > 0)
        more += snprintf(tail + more, sizeof tail - (size_t)more, "  %s/s",
                         get_size(rate, p->bytes_per_second));
    int room = cli_columns() - 1 - used - more, bar = room > GET_BAR ? GET_BAR : room;
    if (p->total == 0) bar = 0;
    double share = p->total ? (double)p->done / (double)p->total : 0;
    int full = (int)((double)bar * (share < 1 ? share : 1));
    fprintf(stderr, "\r%.*s%s", room < 0 ? 0 : used, head, is_colour ? "\033[32m" : "");
    for (int i = 0; i < bar; i++)
        fputs(i < full ? "\u2501" : "\u2500", stderr);
    fprintf(stderr, "%s%s\033[K", is_colour ? "\033[0m" : "", tail);
    fflush(stderr);
    clock_gettime(CLOCK_MONOTONIC, &v->drawn);
    v->is_drawn = true;
}

static bool get_progress(const fv_get_progress *p, void *user)
{
    get_view *v = user;
    if (v->is_bar && (!v->is_drawn || get_since(&v->drawn) >= GET_REDRAW_S)) get_draw(v, p);
    return cli_signal() == 0;
}

/* ---- get ---- */

static const fv_known_dataset *get_find(const char *name)
{
    for (int i = 0; fv_dataset_known(i); i++)
        if (!strcmp(fv_dataset_known(i)->name, name)) return fv_dataset_known(i);
    return NULL;
}

static void get_print_terms(const fv_known_dataset *set)
{
    char size[32];
    printf("%s: %s (%s)\n", set->name, set->summary, get_size(size, (double)set->bytes));
    printf("licence:  %s\ncite:     %s\nsource:   %s\n", set->licence, set->citation, set->url);
    fflush(stdout);
}

static void get_print_json_terms(const fv_known_dataset *set)
{
    const char *const keys[] = {"name", "summary", "licence", "citation", "url"};
    const char *const texts[] = {set->name, set->summary, set->licence, set->citation, set->url};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        printf("%s\"%s\":", i ? "," : "", keys[i]);
        cli_json_string(texts[i]);
    }
}

/* Gets it, with a bar. Returns an exit code. */
static int get_run(const fv_known_dataset *set, const char *folder, const cli_settings *s)
{
    get_view view = {.is_bar = cli_is_terminal() && !s->quiet};
    const fv_get_config config = {
        .from = s->from, .force = s->force, .progress = get_progress, .user = &view};
    cli_signals_catch(true);
    fv_status status = fv_dataset_get(set->name, folder, &config);
    int number = cli_signal();
    cli_signals_catch(false);
    if (view.is_drawn) fprintf(stderr, "\r\033[K");
    if (status == FV_E_CANCELLED && number)
        return cli_fail(128 + number, "%s; get it again to go on", fv_error());
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, fv_error());
}

int cmd_data_get(const cli_settings *s)
{
    char folder[CLI_PATH];
    const char *name = s->args[0];
    const fv_known_dataset *set = get_find(name);
    if (!get_folder(folder, s->out))
        return cli_fail(CLI_USAGE, "data get: HOME and XDG_CACHE_HOME name no folder; say where "
                                   "the set is to lie: --out FOLDER");
    if (!set) /* the library knows what was meant */
        return cli_fail_status(fv_dataset_get(name, folder, NULL), fv_error());
    bool was_there = !s->force && fv_dataset_is_there(name, folder);
    if (!s->json && !s->quiet) get_print_terms(set);
    int code = was_there ? CLI_DONE : get_run(set, folder, s);
    if (code != CLI_DONE) return code;
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        folder[--length] = '\0';
    if (s->json) {
        char path[2 * CLI_PATH];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        printf("{");
        get_print_json_terms(set);
        printf(",\"path\":");
        cli_json_string(path);
        printf(",\"was_there\":%s}\n", was_there ? "true" : "false");
    } else {
        printf("%s%s/%s\n", s->quiet ? "" : was_there ? "there:    " : "here:     ", folder, name);
    }
    return cli_finish(CLI_DONE);
}

/* ---- list ---- */

static void get_list(const char *folder)
{
    printf("drawn when they are needed, no files:\n");
    for (int i = 0; fv_dataset_made_name(i); i++)
        printf("  made:%s\n", fv_dataset_made_name(i));
    printf("\nto get with fovea data get NAME:\n");
    for (int i = 0; fv_dataset_known(i); i++) {
        const fv_known_dataset *set = fv_dataset_known(i);
        bool is_here = folder && fv_dataset_is_there(set->name, folder);
        char size[32];
        printf("  %-14s %9s  %dx%dx%d, %d classes, %d pictures%s\n", set->name,
               get_size(size, (double)set->bytes), set->shape.dim[0], set->shape.dim[1],
               set->shape.dim[2], set->classes, set->train + set->test, is_here ? ", here" : "");
        printf("  %14s %s\n  %14s licence: %s\n", "", set->summary, "", set->licence);
    }
    if (folder) printf("\nthey lie in %s\n", folder);
}

static void get_list_json(const char *folder)
{
    printf("{\"folder\":");
    if (folder)
        cli_json_string(folder);
    else
        printf("null");
    printf(",\"made\":[");
    for (int i = 0; fv_dataset_made_name(i); i++) {
        char name[64];
        snprintf(name, sizeof name, "made:%s", fv_dataset_made_name(i));
        printf("%s", i ? "," : "");
        cli_json_string(name);
    }
    printf("],\"known\":[");
    for (int i = 0; fv_dataset_known(i); i++) {
        const fv_known_dataset *set = fv_dataset_known(i);
        bool is_here = folder && fv_dataset_is_there(set->name, folder);
        printf("%s{", i ? "," : "");
        get_print_json_terms(set);
        printf(",\"train\":%d,\"test\":%d,\"shape\":[%d,%d,%d],\"classes\":%d,\"bytes\":%.0f,"
               "\"is_here\":%s}",
               set->train, set->test, set->shape.dim[0], set->shape.dim[1], set->shape.dim[2],
               set->classes, (double)set->bytes, is_here ? "true" : "false");
    }
    printf("]}\n");
}

int cmd_data_list(const cli_settings *s)
{
    char folder[CLI_PATH];
    bool has_folder = get_folder(folder, s->out);
    if (s->json)
        get_list_json(has_folder ? folder : NULL);
    else
        get_list(has_folder ? folder : NULL);
    return cli_finish(CLI_DONE);
}
