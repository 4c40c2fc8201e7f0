/* SPDX-License-Identifier: MIT */
/* fovea train: a recipe, pictures, a progress bar, a model. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRAIN_EPOCHS 10
#define TRAIN_BATCH 32
#define TRAIN_BAR 24
#define TRAIN_REDRAW_S 0.1

typedef struct train_view {
    bool is_bar, is_lines; /* on stderr while it runs; on stdout an epoch */
    bool is_streamed;      /* pictures are read while it runs */
    double drawn_s;        /* elapsed_s of the last redraw */
    double start_s;        /* seconds of all earlier epochs */
} train_view;

static void train_duration(char *out, size_t size, double seconds)
{
    long s = seconds < 359999 ? lround(seconds) : 359999;
    if (s < 60)
        snprintf(out, size, "%ld s", s);
    else if (s < 3600)
        snprintf(out, size, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(out, size, "%ld h %02ld min", s / 3600, s / 60 % 60);
}

/* A loss in four decimals, or, once it runs away, in powers of ten. */
static const char *train_loss(char out[32], double loss)
{
    snprintf(out, 32, fabs(loss) < 1e5 ? "%.4f" : "%.3e", loss);
    return out;
}

/* epoch 2/10 ━━━━━━────── 5120 images/s loss 0.5231 accuracy 0.8123 12 s left; the bar takes what
   the terminal's width leaves. */
static void train_draw(train_view *v, const fv_progress *p)
{
    char head[64], tail[256], left[32], loss[32];
    bool is_colour = cli_is_colour();
    double rate = p->images_per_second > 0 ? p->images_per_second : 1;
    double images_left =
        p->images_in_epoch - p->images + (double)(p->epochs - p->epoch) * p->images_in_epoch;
    train_duration(left, sizeof left, images_left / rate);
    int used = snprintf(head, sizeof head, "epoch %d/%d ", p->epoch, p->epochs);
    used += snprintf(tail, sizeof tail, "  %.0f images/s  loss %s  accuracy %.4f  %s left",
                     p->images_per_second, train_loss(loss, p->loss), p->accuracy, left);
    int room = cli_columns() - 1 - used, bar = room > TRAIN_BAR ? TRAIN_BAR : room;
    fprintf(stderr, "\r%s%s", head, is_colour ? "\033[32m" : "");
    int full = (int)((double)bar * p->images / (p->images_in_epoch > 0 ? p->images_in_epoch : 1));
    for (int i = 0; i < bar; i++)
        fputs(i < full ? "\u2501" : "\u2500", stderr);
    /* On a terminal narrower than the figures, their end is cut rather than wrapped. */
    int cut = room < 0 ? room : 0;
    fprintf(stderr, "%s%.*s\033[K", is_colour ? "\033[0m" : "",
            (int)strlen(tail) + cut > 0 ? (int)strlen(tail) + cut : 0, tail);
    fflush(stderr);
    v->drawn_s = p->elapsed_s;
}

static void train_line(const fv_epoch *e, int epochs, bool is_streamed)
{
    char loss[32];
    printf("epoch %d/%d  loss %s  accuracy %.4f", e->epoch, epochs, train_loss(loss, e->loss),
           e->accuracy);
    if (isfinite(e->val_loss))
        printf("  val_loss %s  val_accuracy %.4f", train_loss(loss, e->val_loss), e->val_accuracy);
    printf("  %.1f s  %.0f images/s", e->seconds, e->images_per_second);
    /* each alone: the slower one is what to look at */
    if (is_streamed)
        printf(" (data %.0f, model %.0f)", e->data_images_per_second, e->model_images_per_second);
    printf("\n");
    fflush(stdout);
}

static bool train_progress(const fv_progress *p, void *user)
{
    train_view *v = user;
    if (p->is_between) return cli_signal() == 0;
    if (v->is_bar && p->finished) fprintf(stderr, "\r\033[K");
    if (v->is_lines && p->finished) train_line(p->finished, p->epochs, v->is_streamed);
    if (p->finished) v->drawn_s = 0;
    if (v->is_bar && !p->finished &&
        (p->step == 1 || p->step == p->steps || p->elapsed_s - v->drawn_s >= TRAIN_REDRAW_S))
        train_draw(v, p);
    return cli_signal() == 0;
}

fv_status cli_train_run(cli_training *t, const cli_settings *s, int *signal)
{
    train_view view = {.is_bar = cli_is_terminal() && !s->quiet,
                       .is_lines = !s->quiet && !s->json,
                       .is_streamed = !fv_dataset_is_in_memory(t->train)};
    fv_fit_config config = {.epochs = s->epochs ? (int)s->epochs : TRAIN_EPOCHS,
                            .batch_size = fv_model_batch(t->model),
                            .seed = (uint64_t)s->seed,
                            .progress = train_progress,
                            .user = &view};
    const char *nearest;
    fv_optimizer_find(s->optimizer ? s->optimizer : "adam", &config.optimizer, &nearest);
    config.optimizer.learning_rate = (float)s->lr;
    cli_signals_catch(true);
    fv_status status = fv_fit(t->model, &t->history, t->train, t->valid, &config);
    *signal = cli_signal();
    cli_signals_catch(false);
    if (status != FV_OK && view.is_bar) fprintf(stderr, "\r\033[K");
    /* Only the wish to stop is no failure: the model is whole. */
    return status == FV_E_CANCELLED && *signal ? FV_OK : status;
}

int cli_check_output(const char *option, const char *path, bool force)
{
    struct stat st;
    char probe[CLI_PATH + 64];
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return cli_fail(CLI_IO, "%s \"%s\" is a folder; expected the name of a file", option,
                            path);
        if (!force)
            return cli_fail(CLI_USAGE, "%s \"%s\" exists; --force replaces it", option, path);
        if (access(path, W_OK) != 0)
            return cli_fail(CLI_IO, "%s \"%s\" cannot be replaced: %s", option, path,
                            strerror(errno));
    }
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) + 1 : 0;
    if (length > CLI_PATH) return cli_fail(CLI_IO, "%s: the path is too long", option);
    /* Only writing shows that writing works; better now than after hours. */
    snprintf(probe, sizeof probe, "%.*s.fovea-%ld.probe", length, path, (long)getpid());
    int file = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return cli_fail(CLI_IO, "%s \"%s\": cannot write into \"%.*s\": %s", option, path,
                        length ? length : 1, length ? path : ".", strerror(errno));
    close(file);
    unlink(probe);
    return CLI_DONE;
}

/* NAME.safetensors here; NAME-2, NAME-3, ... when that exists, so that nothing is lost. */
static void train_default_out(char *out, size_t size, const char *recipe)
{
    struct stat st;
    const char *slash = strrchr(recipe, '/'), *name = slash ? slash + 1 : recipe;
    int length = (int)strcspn(name, ".");
    if (length == 0) name = "model", length = 5;
    if (length > 200) length = 200;
    snprintf(out, size, "%.*s.safetensors", length, name);
    for (int i = 2; lstat(out, &st) == 0; i++)
        snprintf(out, size, "%.*s-%d.safetensors", length, name, i);
}

static int train_check(const cli_settings *s, const char *out)
{
    const char *nearest;
    fv_optimizer_config unused = {0};
    struct stat a, b;
    if (!s->data)
        return cli_fail(CLI_USAGE,
                        "train: --data PATH is missing; a first try: --data made:digits");
    if (s->optimizer && !fv_optimizer_find(s->optimizer, &unused, &nearest))
        return cli_fail(CLI_USAGE, "--optimizer \"%s\": no such optimizer%s%s%s", s->optimizer,
                        nearest ? "; did you mean " : "", nearest ? nearest : "",
                        nearest ? "?" : "");
    if (s->out && stat(s->out, &a) == 0 && stat(s->args[0], &b) == 0 && a.st_ino == b.st_ino &&
        a.st_dev == b.st_dev)
        return cli_fail(CLI_USAGE, "--out \"%s\" is the input itself", s->out);
    if (s->history && !strcmp(out, s->history))
        return cli_fail(CLI_USAGE, "--out and --history are the same file \"%s\"", out);
    int code = cli_check_output("--out", out, s->force);
    if (code == CLI_DONE && s->history) code = cli_check_output("--history", s->history, s->force);
    return code;
}

/* outputs: of a recipe, instead of those written there; 0: as written. *is_recipe: out, may be
   NULL. */
static int train_open_model(cli_training *t, const cli_settings *s, int outputs, bool *is_recipe)
{
    int batch = s->batch ? (int)s->batch : TRAIN_BATCH;
    fv_model_config config = {
        .seed = (uint64_t)s->seed, .threads = (int)s->threads, .isa = s->isa, .batch = batch};
    fv_status status = fv_model_open(&t->model, s->args[0], &config);
    bool is_built = fv_model_batch(t->model) > 0;
    if (status == FV_OK && !is_built && outputs > 0)
        status = fv_model_set_outputs(t->model, outputs);
    if (status == FV_OK && !is_built) status = fv_model_build(t->model, FV_LAST, batch);
    if (is_recipe) *is_recipe = !is_built;
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, fv_error());
}

/* A recipe that tells other classes apart than there are gets a last layer for those. */
static int train_fit_outputs(cli_training *t, const cli_settings *s)
{
    fv_shape out;
    int classes = fv_dataset_classes(t->train);
    bool is_by_name = fv_dataset_path(t->train, 0) != NULL; /* no class is only missing here */
    if (fv_model_output_shape(t->model, &out) != FV_OK || out.rank != 1) return CLI_DONE;
    int outputs = out.dim[0];
    bool is_wrong = outputs == 1 ? classes > 2 : outputs < classes || is_by_name;
    if (fv_dataset_y(t->train).dtype == FV_FLOAT32 || outputs == classes || !is_wrong)
        return CLI_DONE;
    if (outputs == 1)
        return cli_fail(CLI_BAD_INPUT,
                        "\"%s\" answers yes or no, \"%s\" has %d classes; expected a recipe that "
                        "ends in softmax",
                        s->args[0], s->data, classes);
    fv_model_free(t->model);
    t->model = NULL;
    int code = train_open_model(t, s, classes, NULL);
    if (code == CLI_DONE && !s->quiet && !s->json)
        printf("the last layer has %d outputs, one for each class, not %d\n", classes, outputs);
    return code;
}

static void train_print_json(const fv_history *h, bool is_streamed)
{
    double seconds = 0, images = 0;
    fv_epoch last = {.loss = NAN, .accuracy = NAN, .val_loss = NAN, .val_accuracy = NAN};
    for (int i = 0; i < h->count; i++) {
        last = h->epochs[i];
        seconds += last.seconds;
        images += last.seconds * last.images_per_second;
    }
    const struct {
        const char *key;
        double value;
        bool is_left_out;
    } rows[] = {
        {"loss", last.loss, false},
        {"accuracy", last.accuracy, false},
        {"val_loss", last.val_loss, false},
        {"val_accuracy", last.val_accuracy, false},
        {"seconds", seconds, false},
        {"images_per_second", seconds > 0 ? images / seconds : NAN, false},
        {"model_images_per_second", last.model_images_per_second, !is_streamed},
        {"data_images_per_second", last.data_images_per_second, !is_streamed},
    };
    printf("{\"epochs\":%d", h->count);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].is_left_out) continue;
        printf(",\"%s\":", rows[i].key);
        cli_json_number(rows[i].value);
    }
    printf("}\n");
}

static int train_save(const cli_training *t, const cli_settings *s, const char *out)
{
    fv_status status = fv_model_save(t->model, out);
    if (status == FV_OK && s->history) status = fv_history_save_csv(&t->history, s->history);
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    if (!s->quiet && !s->json) {
        printf("model: %s\n", out);
        if (s->history) printf("history: %s\n", s->history);
    }
    return CLI_DONE;
}

/* What the doctor sees at a glance; not of pictures that fv_fit will refuse. */
static void train_warn(const cli_training *t)
{
    fv_shape takes = {0}, is = fv_dataset_shape(t->train);
    bool is_taken = fv_model_input_shape(t->model, &takes) == FV_OK && takes.rank == is.rank;
    for (int i = 0; i < is.rank; i++)
        is_taken = is_taken && takes.dim[i] == is.dim[i];
    if (is_taken) cli_doctor_warn(t->train, t->valid);
}

static int train_go(cli_training *t, const cli_settings *s, const char *out)
{
    bool is_recipe;
    int number, code = train_open_model(t, s, 0, &is_recipe);
    if (code == CLI_DONE) code = cli_data_open_parts(&t->train, &t->valid, s, t->model);
    if (code == CLI_DONE && is_recipe) code = train_fit_outputs(t, s);
    if (code != CLI_DONE) return code;
    if (!s->quiet) train_warn(t);
    fv_status status = cli_train_run(t, s, &number);
    if (!s->quiet) {
        cli_data_report(t->train);
        if (t->valid && !s->has_val_split) cli_data_report(t->valid);
    }
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    code = train_save(t, s, out);
    if (code != CLI_DONE) return code;
    if (s->json) train_print_json(&t->history, !fv_dataset_is_in_memory(t->train));
    if (number)
        fprintf(stderr, "fovea: stopped by %s; the model as it was is saved\n",
                number == SIGINT    ? "Ctrl-C"
                : number == SIGTERM ? "SIGTERM"
                                    : "SIGHUP");
    return number ? 128 + number : CLI_DONE;
}

int cmd_train(const cli_settings *s)
{
    char path[CLI_PATH];
    train_default_out(path, sizeof path, s->args[0]);
    const char *out = s->out ? s->out : path;
    int code = train_check(s, out);
    if (code != CLI_DONE) return code;
    cli_training t = {0};
    code = train_go(&t, s, out);
    fv_model_free(t.model);
    fv_dataset_free(t.train);
    fv_dataset_free(t.valid);
    fv_history_free(&t.history);
    return cli_finish(code);
}
