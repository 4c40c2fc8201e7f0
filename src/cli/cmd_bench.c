/* SPDX-License-Identifier: MIT */
/* fovea bench: how fast networks train and predict here, on random pictures. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BENCH_SECONDS 2
#define BENCH_CHUNKS 20 /* a measurement is cut into about so many */
#define BENCH_CHUNKS_MIN 3
#define BENCH_CHUNKS_MAX 4096
#define BENCH_PEAK_SHARE 0.05 /* of a chunk's time, before each of them */
#define BENCH_BATCH 32

typedef struct bench_case {
    const char *recipe;
    int batch;
} bench_case;

/* What is measured when nothing is named, and the batch of each. The first of a name is its usual
   one. */
static const bench_case bench_cases[] = {
    {"lenet5", 64}, {"lenet5", 1},    {"keras_mnist", 128}, {"signs", 64},
    {"happy", 16},  {"resnet20", 32}, {"vgg16_cifar", 32},
};
#define BENCH_CASES (sizeof bench_cases / sizeof bench_cases[0])

/* One network on one batch of random pictures. */
typedef struct bench_run {
    fv_model *model;
    fv_dataset *dataset; /* one picture: the loss is chosen by it */
    fv_trainer *trainer; /* NULL: predict */
    fv_batch batch;
    float *x, *y;
    int32_t *label;
} bench_run;

typedef struct bench_result {
    double step_s, fastest_s, slowest_s; /* a step: median, least and most of the chunks */
    double flops;                        /* of a step */
    double peak;                         /* GFLOP/s, median */
} bench_result;

static double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int bench_code(fv_status status)
{
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, fv_error());
}

/* ---- A network and its batch ---- */

static size_t bench_floats(const fv_shape *shape)
{
    size_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        n *= (size_t)shape->dim[i];
    return n;
}

static fv_status bench_open(bench_run *run, const bench_case *which, const cli_settings *s,
                            bool training)
{
    const fv_model_config config = {.threads = (int)s->threads,
                                    .isa = s->isa,
                                    .without_training = !training,
                                    .batch = which->batch};
    fv_status status = fv_model_open(&run->model, which->recipe, &config);
    if (status == FV_OK && fv_model_batch(run->model) == 0)
        status = fv_model_build(run->model, FV_LAST, which->batch);
    return status;
}

/* Random pictures and labels; numbers as good as any (Numerical Recipes' quick generator). */
static int bench_fill(bench_run *run, int n)
{
    fv_shape in, out;
    fv_status status = fv_model_input_shape(run->model, &in);
    if (status == FV_OK) status = fv_model_output_shape(run->model, &out);
    if (status != FV_OK) return bench_code(status);
    const size_t images = (size_t)n, floats = images * bench_floats(&in);
    const size_t outputs = bench_floats(&out);
    run->x = malloc(floats * sizeof *run->x);
    run->y = malloc(images * outputs * sizeof *run->y);
    run->label = malloc(images * sizeof *run->label);
    if (!run->x || !run->y || !run->label)
        return cli_fail(CLI_LIMIT, "bench: out of memory for a batch of %d", n);
    uint32_t random = 1;
    for (size_t i = 0; i < floats; i++) {
        random = random * 1664525U + 1013904223U;
        run->x[i] = (float)(random >> 8) * 0x1p-24F;
    }
    for (size_t i = 0; i < images; i++)
        run->label[i] = (int32_t)(i % (outputs > 1 ? outputs : 2));
    run->batch = (fv_batch){.n = n, .x = run->x, .y = run->label};
    return CLI_DONE;
}

/* A rate so small that the network stays what it is, however long it is measured. */
static fv_status bench_train(bench_run *run)
{
    fv_shape shape, out;
    const fv_fit_config config = {.optimizer = {.kind = FV_ADAM, .learning_rate = 1e-6F}};
    fv_status status = fv_model_input_shape(run->model, &shape);
    if (status == FV_OK) status = fv_model_output_shape(run->model, &out);
    if (status != FV_OK) return status;
    fv_tensor x = {.shape = {shape.rank + 1, {1}}, .dtype = FV_FLOAT32, .data = run->x};
    const fv_tensor y = {{1, {1}}, FV_INT32, run->label};
    memcpy(x.shape.dim + 1, shape.dim, (size_t)shape.rank * sizeof shape.dim[0]);
    const int classes = out.dim[0] > 1 ? out.dim[0] : 2;
    status = fv_dataset_from_arrays(&run->dataset, &x, &y, NULL, classes);
    if (status == FV_OK) status = fv_trainer_new(&run->trainer, run->model, run->dataset, &config);
    return status;
}

static void bench_close(bench_run *run)
{
    fv_trainer_free(run->trainer);
    fv_dataset_free(run->dataset);
    fv_model_free(run->model);
    free(run->x);
    free(run->y);
    free(run->label);
}

/* ---- Measuring ---- */

static fv_status bench_steps(bench_run *run, long steps)
{
    fv_status status = FV_OK;
    for (long i = 0; i < steps && status == FV_OK; i++) {
        if (run->trainer)
            status = fv_trainer_step(run->trainer, &run->batch, NULL);
        else
            status = fv_model_predict(run->model, run->y, run->x, run->batch.n);
    }
    return status;
}

static int bench_compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double bench_median(double *value, int n)
{
    qsort(value, (size_t)n, sizeof *value, bench_compare);
    return n % 2 ? value[n / 2] : (value[n / 2 - 1] + value[n / 2]) / 2;
}

/* Runs for a tenth of the time, until caches and clock have settled; *steps: of one chunk. */
static fv_status bench_warm(bench_run *run, double seconds, long *steps)
{
    const double start = bench_now(), chunk = seconds / BENCH_CHUNKS;
    double elapsed = 0, step = INFINITY;
    fv_status status = FV_OK;
    for (long done = 0; status == FV_OK && (done < 2 || elapsed < seconds / 10); done++) {
        const double before = bench_now();
        status = bench_steps(run, 1);
        elapsed = bench_now() - start;
        step = fmin(step, bench_now() - before);
    }
    *steps = (long)fmin(fmax(1, chunk / fmax(step, 1e-9)), 1e9);
    return status;
}

/* Chunks of steps, the peak before each, so that what disturbs the one disturbs the other. */
static fv_status bench_measure(bench_run *run, double seconds, bench_result *result)
{
    static double step[BENCH_CHUNKS_MAX], peak[BENCH_CHUNKS_MAX];
    long steps = 1;
    int n = 0;
    double spent = 0, flops = 0;
    fv_status status = fv_model_flops(run->model, &flops, run->trainer != NULL);
    if (status == FV_OK) status = bench_warm(run, seconds, &steps);
    while (status == FV_OK && n < BENCH_CHUNKS_MAX && (n < BENCH_CHUNKS_MIN || spent < seconds)) {
        status = fv_model_peak(run->model, &peak[n], seconds / BENCH_CHUNKS * BENCH_PEAK_SHARE);
        const double start = bench_now();
        if (status == FV_OK) status = bench_steps(run, steps);
        const double elapsed = bench_now() - start;
        step[n++] = elapsed / (double)steps;
        spent += elapsed;
    }
    if (status != FV_OK) return status;
    result->step_s = bench_median(step, n); /* which sorts them */
    result->fastest_s = step[0];
    result->slowest_s = step[n - 1];
    result->flops = flops * run->batch.n;
    result->peak = bench_median(peak, n);
    return FV_OK;
}

/* ---- Printing ---- */

static double bench_rss_mb(void)
{
    struct rusage used;
    return getrusage(RUSAGE_SELF, &used) == 0 ? (double)used.ru_maxrss / 1024 : NAN;
}

static void bench_print(const bench_run *run, const char *recipe, const bench_result *r, bool json)
{
    const char *mode = run->trainer ? "train" : "infer";
    const int n = run->batch.n, threads = fv_model_threads(run->model);
    const double rate = n / r->step_s, gflops = r->flops / r->step_s * 1e-9;
    if (!json) {
        printf("%-16.40s %-5s %5d %7d %-8s %10.1f %10.4g %10.4g %10.4g %9.1f %6.0f %% %7.0f MB\n",
               recipe, mode, n, threads, fv_model_isa(run->model), rate, 1e3 * r->step_s,
               1e3 * r->fastest_s, 1e3 * r->slowest_s, gflops, 100 * gflops / r->peak,
               bench_rss_mb());
        return;
    }
    const struct {
        const char *key;
        double value;
    } rows[] = {
        {"batch", n},
        {"threads", threads},
        {"images_per_second", rate},
        {"step_ms", 1e3 * r->step_s},
        {"step_ms_min", 1e3 * r->fastest_s},
        {"step_ms_max", 1e3 * r->slowest_s},
        {"gflops", gflops},
        {"peak_gflops", r->peak},
        {"rss_mb", bench_rss_mb()},
    };
    printf("{\"recipe\":");
    cli_json_string(recipe);
    printf(",\"mode\":\"%s\",\"isa\":\"%s\"", mode, fv_model_isa(run->model));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf(",\"%s\":", rows[i].key);
        cli_json_number(rows[i].value);
    }
    printf("}\n");
}

static void bench_head(void)
{
    printf("%-16s %-5s %5s %7s %-8s %10s %10s %10s %10s %9s %8s %10s\n", "recipe", "mode", "batch",
           "threads", "isa", "images/s", "ms/step", "fastest", "slowest", "GFLOP/s", "of peak",
           "memory");
}

/* ---- The command ---- */

static int bench_one(const bench_case *which, const cli_settings *s)
{
    const bool training = !s->mode || strcmp(s->mode, "infer") != 0;
    bench_run run = {0};
    bench_result result = {0};
    int code = bench_code(bench_open(&run, which, s, training));
    if (code == CLI_DONE) code = bench_fill(&run, which->batch);
    if (code == CLI_DONE && training) code = bench_code(bench_train(&run));
    if (code == CLI_DONE)
        code =
            bench_code(bench_measure(&run, s->seconds > 0 ? s->seconds : BENCH_SECONDS, &result));
    if (code == CLI_DONE) bench_print(&run, which->recipe, &result, s->json);
    bench_close(&run);
    return cli_finish(code);
}

/* Each in a process of its own, so that the memory it reports is its own. */
static int bench_apart(const bench_case *which, const cli_settings *s)
{
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0) return cli_fail(CLI_LIMIT, "bench: no process could be started");
    if (child == 0) exit(bench_one(which, s));
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return cli_fail(CLI_BUG, "bench: \"%s\" was stopped by signal %d", which->recipe,
                        WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return WEXITSTATUS(status);
}

static int bench_usual_batch(const char *recipe)
{
    for (size_t i = 0; i < BENCH_CASES; i++)
        if (!strcmp(bench_cases[i].recipe, recipe)) return bench_cases[i].batch;
    return BENCH_BATCH;
}

int cmd_bench(const cli_settings *s)
{
    if (s->mode && strcmp(s->mode, "train") != 0 && strcmp(s->mode, "infer") != 0)
        return cli_fail(CLI_USAGE, "--mode \"%s\": expected train or infer", s->mode);
    if (!s->json) bench_head();
    const int n = s->n_args > 0 ? s->n_args : (int)BENCH_CASES;
    int code = CLI_DONE;
    for (int i = 0; i < n && code == CLI_DONE; i++) {
        bench_case one = s->n_args > 0 ? (bench_case){s->args[i], bench_usual_batch(s->args[i])}
                                       : bench_cases[i];
        if (s->batch) one.batch = (int)s->batch;
        code = bench_apart(&one, s);
    }
    return cli_finish(code);
}
