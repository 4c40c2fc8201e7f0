/* SPDX-License-Identifier: MIT */
/* Speed of every kernel on every usable instruction set, one line each, and of reading pictures
   (when FOVEA_DATA names the folder of data sets). Not a test: numbers of one
   run compare, those of two days do not. Arguments: words that lines must contain; --threads N. */
#include "kernels/tile.h"
#include "bench_conv.h"
#include "fovea/data.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7

static const char *const *bench_words;
static int bench_word_count;
static fvi_threads *bench_threads;

static double bench_seconds(void)
{
    struct timespec now; /* a busy machine disturbs the time of this thread less */
    clock_gettime(bench_threads ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What is measured, and the best time of one call over rounds that each last a few milliseconds. */
typedef struct bench_job {
    const fvi_kernels *k;
    void (*run)(struct bench_job *job);
    bench_conv conv;
    bench_pass pass;
    int N;
    size_t n;
    float *x, *w, *b, *y, *dx, *dw, *db;
} bench_job;

static double bench_time(bench_job *job)
{
    double best = 1e30;
    job->run(job);
    for (int round = 0; round < ROUNDS; ++round) {
        int calls = 0;
        const double start = bench_seconds();
        double end;
        do {
            job->run(job);
            ++calls;
            end = bench_seconds();
        } while (end - start < 0.02);
        best = fmin(best, (end - start) / calls);
    }
    return best;
}

static void bench_line(bench_job *job, const char *name, const char *pass, double work,
                       const char *unit)
{
    char line[160];
    snprintf(line, sizeof line, "%-26s %-8s %-8s", name, pass, job->k->isa);
    for (int i = 0; i < bench_word_count; ++i) {
        if (!strstr(line, bench_words[i])) return;
    }
    const double seconds = bench_time(job);
    printf("%s %9.1f %s %10.1f us\n", line, work / seconds * 1e-9, unit, seconds * 1e6);
    fflush(stdout);
}

/* ---- convolution ---- */

static void conv_run(bench_job *j)
{
    bench_conv_run(&j->conv, j->pass);
}

static void bench_conv_lines(const fvi_kernels *k, size_t at)
{
    static const struct {
        const char *name;
        bench_pass pass;
    } passes[] = {{"dweights", BENCH_WEIGHTS}, {"dinput", BENCH_INPUT}, {"forward", BENCH_FORWARD}};
    bench_job j = {.k = k, .run = conv_run};
    bench_conv_begin(&j.conv, k, bench_threads, &bench_shapes[at]);
    for (size_t i = 0; i < FVI_COUNT(passes); ++i) {
        j.pass = passes[i].pass;
        bench_line(&j, bench_shapes[at].name, passes[i].name, j.conv.work, "GFLOP/s");
    }
    bench_conv_end(&j.conv);
}

/* The tallest tile on operands that never leave the first-level cache: what the others are measured
   against. */
static void tile_peak(bench_job *j)
{
    const fvi_tile_table *t = j->k->tiles;
    const float *rows[FVI_TILE_ROWS_MAX];
    float *out[FVI_TILE_ROWS_MAX];
    const size_t tap = 0, width = (size_t)(t->lanes * t->vectors_max);
    const ptrdiff_t shift = 0;
    for (int m = 0; m < t->rows_max; ++m) {
        rows[m] = j->x + 128 * m;
        out[m] = j->y + width * (size_t)m;
    }
    const fvi_tile_rows call = {.rows = rows,
                                .tiles = 1,
                                .shift = &shift,
                                .panel_row = &tap,
                                .taps = 1,
                                .depth = 128,
                                .panel = j->w,
                                .panel_step = width,
                                .out = out,
                                .columns = (int)width,
                                .ahead = (const char *)j->x};
    for (int i = 0; i < 1000; ++i)
        t->rows[t->rows_max * t->vectors_max - 1](&call);
}

static void bench_peak(const fvi_kernels *k)
{
    bench_job j = {.k = k, .run = tile_peak};
    j.x = bench_floats(1 << 13);
    j.w = bench_floats(1 << 13);
    j.y = bench_floats(1 << 13);
    const fvi_tile_table *t = k->tiles;
    bench_line(&j, "tile", "", 2e3 * 128 * t->rows_max * t->vectors_max * t->lanes, "GFLOP/s");
    fvi_free(j.x);
    fvi_free(j.w);
    fvi_free(j.y);
}

/* ---- loops: bytes read and written, arrays within the second-level cache ---- */

static const fvi_relu bench_relu = {0, 0, INFINITY};
static const fvi_pool bench_pool = {28, 28, 32, 2, 2, 2, 2, 0, 0, 14, 14};
static const fvi_pool bench_narrow = {64, 64, 6, 2, 2, 2, 2, 0, 0, 32, 32}; /* 24576 floats */
static const fvi_pool bench_large = {56, 56, 8, 8, 8, 8, 8, 0, 0, 7, 7};
static const fvi_pool bench_over = {28, 28, 32, 3, 3, 2, 2, 0, 0, 13, 13};

#define LOOP(name, ...)                                                                            \
    static void loop_##name(bench_job *j)                                                          \
    {                                                                                              \
        const fvi_kernels *k = j->k;                                                               \
        const size_t n = j->n;                                                                     \
        (void)n;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
LOOP(add, k->add(n, j->y, j->x))
LOOP(sum, k->sum(n, j->y, j->x, j->w, true))
LOOP(relu, k->relu(n, j->y, j->x, &bench_relu))
LOOP(relu_gradient, k->relu_gradient(n, j->dx, j->y, j->x, &bench_relu, false))
LOOP(clip_gradient, k->clip_gradient(n, j->y, j->x))
LOOP(sigmoid, k->sigmoid(n, j->y, j->x))
LOOP(tanh, k->tanh(n, j->y, j->x))
LOOP(softmax_10, k->softmax(n / 10, 10, j->y, j->x))
LOOP(softmax_1000, k->softmax(n / 1000, 1000, j->y, j->x))
LOOP(affine_32, k->channel_affine(n / 32, 32, j->y, j->x, j->w, j->b, true))
LOOP(sums_32, k->channel_sums(n / 32, 32, (double *)j->dw, (double *)j->db, j->x, j->w))
LOOP(gradient_sums_32, k->channel_gradient_sums(n / 32, 32, (double *)j->dw, (double *)j->db, j->y,
                                                j->x, j->w, j->b, &(fvi_affine){j->w, j->b}))
LOOP(gradient_32, k->channel_gradient(n / 32, 32, j->dx, j->y, j->x, j->w, j->b, j->w,
                                      &(fvi_affine){j->w, j->b}, false))
LOOP(max_pool, k->max_pool(&bench_pool, j->y, j->dw, j->x, true))
LOOP(max_pool_gradient, k->max_pool_gradient(&bench_pool, j->dx, j->b, j->dw, false))
LOOP(narrow_pool, k->max_pool(&bench_narrow, j->y, j->dw, j->x, true))
LOOP(narrow_pool_gradient, k->max_pool_gradient(&bench_narrow, j->dx, j->b, j->dw, false))
LOOP(large_pool, k->max_pool(&bench_large, j->y, j->dw, j->x, true))
LOOP(large_pool_gradient, k->max_pool_gradient(&bench_large, j->dx, j->b, j->dw, false))
LOOP(over_pool, k->max_pool(&bench_over, j->y, j->dw, j->x, true))
LOOP(over_pool_gradient, k->max_pool_gradient(&bench_over, j->dx, j->b, j->dw, false))
LOOP(affine_16, k->channel_affine(n / 16, 16, j->y, j->x, j->w, j->b, true))
LOOP(sums_16, k->channel_sums(n / 16, 16, (double *)j->dw, (double *)j->db, j->x, j->w))
LOOP(gradient_sums_16, k->channel_gradient_sums(n / 16, 16, (double *)j->dw, (double *)j->db, j->y,
                                                j->x, j->w, j->b, &(fvi_affine){j->w, j->b}))
LOOP(gradient_16, k->channel_gradient(n / 16, 16, j->dx, j->y, j->x, j->w, j->b, j->w,
                                      &(fvi_affine){j->w, j->b}, false))
LOOP(affine_64, k->channel_affine(n / 64, 64, j->y, j->x, j->w, j->b, true))
LOOP(sums_64, k->channel_sums(n / 64, 64, (double *)j->dw, (double *)j->db, j->x, j->w))
LOOP(gradient_sums_64, k->channel_gradient_sums(n / 64, 64, (double *)j->dw, (double *)j->db, j->y,
                                                j->x, j->w, j->b, &(fvi_affine){j->w, j->b}))
LOOP(gradient_64, k->channel_gradient(n / 64, 64, j->dx, j->y, j->x, j->w, j->b, j->w,
                                      &(fvi_affine){j->w, j->b}, false))
LOOP(average_pool, k->average_pool(&bench_pool, j->y, j->x))
LOOP(adam, const fvi_adam p = {1e-9f, 0.9f, 0.999f, 1e-7f}; k->adam(n, j->y, j->x, j->w, j->b, &p))
LOOP(sgd, const fvi_sgd p = {1e-9f, 0.9f, false}; k->sgd(n, j->y, j->x, j->w, &p))

static const struct {
    const char *name;
    void (*run)(bench_job *job);
    double bytes; /* per element */
} loop_list[] = {
    {"add", loop_add, 12},
    {"sum", loop_sum, 12},
    {"relu", loop_relu, 8},
    {"relu_gradient", loop_relu_gradient, 16},
    {"clip_gradient", loop_clip_gradient, 12},
    {"sigmoid", loop_sigmoid, 8},
    {"tanh", loop_tanh, 8},
    {"softmax.10", loop_softmax_10, 8},
    {"softmax.1000", loop_softmax_1000, 8},
    {"channel_affine.32", loop_affine_32, 8},
    {"channel_sums.32", loop_sums_32, 4},
    {"channel_gradient_sums.32", loop_gradient_sums_32, 8},
    {"channel_gradient.32", loop_gradient_32, 16},
    {"max_pool.2x2", loop_max_pool, 5},
    {"max_pool_gradient.2x2", loop_max_pool_gradient, 14},
    {"max_pool.2x2.C6", loop_narrow_pool, 5},
    {"max_pool_gradient.2x2.C6", loop_narrow_pool_gradient, 14},
    {"max_pool.8x8.C8", loop_large_pool, 4},
    {"max_pool_gradient.8x8.C8", loop_large_pool_gradient, 12},
    {"max_pool.3x3.2", loop_over_pool, 5},
    {"max_pool_gradient.3x3.2", loop_over_pool_gradient, 14},
    {"channel_affine.16", loop_affine_16, 8},
    {"channel_sums.16", loop_sums_16, 4},
    {"channel_gradient_sums.16", loop_gradient_sums_16, 8},
    {"channel_gradient.16", loop_gradient_16, 16},
    {"channel_affine.64", loop_affine_64, 8},
    {"channel_sums.64", loop_sums_64, 4},
    {"channel_gradient_sums.64", loop_gradient_sums_64, 8},
    {"channel_gradient.64", loop_gradient_64, 16},
    {"average_pool.2x2", loop_average_pool, 5},
    {"adam", loop_adam, 28},
    {"sgd.momentum", loop_sgd, 20},
};

static void bench_loops(const fvi_kernels *k, size_t at)
{
    bench_job j = {.k = k, .run = loop_list[at].run, .n = 28 * 28 * 32};
    float **all[] = {&j.x, &j.w, &j.b, &j.y, &j.dx, &j.dw, &j.db};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        *all[i] = bench_floats(j.n);
    memset(j.b, 0, j.n * sizeof *j.b); /* a second moment */
    for (size_t i = 0; i < j.n; ++i)
        ((unsigned char *)j.dw)[i] = (unsigned char)(i % 4); /* places of maxima */
    bench_line(&j, loop_list[at].name, "", loop_list[at].bytes * (double)j.n, "GB/s   ");
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        fvi_free(*all[i]);
}

/* ---- pictures: a folder of files, read, decoded, brought to 64x64x3 ---- */

static char decode_path[256][512];

static int decode_list(void)
{
    char folder[400];
    const char *root = getenv("FOVEA_DATA");
    snprintf(folder, sizeof folder, "%s/sign-language-digits/0", root ? root : "");
    DIR *d = root ? opendir(folder) : NULL;
    int n = 0;
    for (const struct dirent *e; d && n < 256 && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(decode_path[n++], sizeof *decode_path, "%s/%.100s", folder, e->d_name);
    }
    if (d) closedir(d);
    return n;
}

static void decode_all(bench_job *j)
{
    for (int i = 0; i < j->N; ++i) {
        fv_picture picture;
        if (fv_picture_load(&picture, decode_path[i], 64, 64, 3, FV_RESIZE_STRETCH) != FV_OK)
            exit(1);
        fv_picture_free(&picture);
    }
}

static void bench_decode(void)
{
    bench_job j = {.k = fvi_kernels_at(0, &(bool){false}), .run = decode_all, .N = decode_list()};
    if (j.N > 0) bench_line(&j, "decode.jpeg.100-64", "", 1e9 * j.N, "image/s");
}

int main(int argc, char **argv)
{
    int at = 1;
    if (argc > 2 && strcmp(argv[1], "--threads") == 0) {
        if (fvi_threads_new(&bench_threads, atoi(argv[2])) != FV_OK) return 1;
        at = 3;
    }
    bench_words = (const char *const *)argv + at;
    bench_word_count = argc - at;
    bool is_usable;
    const fvi_kernels *k;
    for (size_t job = 0; job < 1 + FVI_COUNT(bench_shapes) + FVI_COUNT(loop_list); ++job) {
        for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
            if (!is_usable) continue;
            if (job == 0)
                bench_peak(k);
            else if (job <= FVI_COUNT(bench_shapes))
                bench_conv_lines(k, job - 1);
            else
                bench_loops(k, job - 1 - FVI_COUNT(bench_shapes));
        }
    }
    bench_decode();
    fvi_threads_free(bench_threads);
    return 0;
}
