/* SPDX-License-Identifier: MIT */
/* Speed of every kernel on every usable instruction set, one line each, and of reading pictures
   (when FOVEA_DATA names the folder of data sets). Not a test: numbers of one
   run compare, those of two days do not. Arguments: words that lines must contain; --threads N. */
#include "kernels/tile.h"
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

static float *bench_floats(size_t n)
{
    float *p = fvi_alloc(n + 64, sizeof *p, "bench");
    if (!p) exit(1);
    for (size_t i = 0; i < n; ++i)
        p[i] = (float)(i % 97) * 0.01f - 0.4f;
    return p;
}

/* What is measured, and the best time of one call over rounds that each last a few milliseconds. */
typedef struct bench_job {
    const fvi_kernels *k;
    void (*run)(struct bench_job *job);
    fvi_conv g;
    int N;
    size_t n;
    float *x, *w, *b, *y, *dx, *dw, *db, *scratch;
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

static const struct {
    const char *name;
    int N;
    fvi_conv g;
} conv_list[] = {
    /* H W C F KH KW SH SW DH DW pad_top pad_left OH OW */
    {"lenet.conv1", 16, {28, 28, 1, 6, 5, 5, 1, 1, 1, 1, 0, 0, 24, 24}},
    {"lenet.conv2", 16, {12, 12, 6, 16, 5, 5, 1, 1, 1, 1, 0, 0, 8, 8}},
    {"mnist.conv1", 32, {28, 28, 1, 32, 3, 3, 1, 1, 1, 1, 0, 0, 26, 26}},
    {"mnist.conv2", 32, {13, 13, 32, 64, 3, 3, 1, 1, 1, 1, 0, 0, 11, 11}},
    {"signs.conv1", 16, {64, 64, 3, 8, 4, 4, 1, 1, 1, 1, 1, 1, 64, 64}},
    {"signs.conv2", 16, {8, 8, 8, 16, 2, 2, 1, 1, 1, 1, 0, 0, 8, 8}},
    {"happy.conv1", 16, {64, 64, 3, 32, 7, 7, 1, 1, 1, 1, 3, 3, 64, 64}},
    {"resnet20.16", 16, {32, 32, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 32, 32}},
    {"resnet20.64", 16, {8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8}},
    {"resnet50.stem", 4, {224, 224, 3, 64, 7, 7, 2, 2, 1, 1, 3, 3, 112, 112}},
    {"resnet50.56.3x3", 8, {56, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 56, 56}},
    {"resnet50.56.64-256", 8, {56, 56, 64, 256, 1, 1, 1, 1, 1, 1, 0, 0, 56, 56}},
    {"resnet50.56.256-64", 8, {56, 56, 256, 64, 1, 1, 1, 1, 1, 1, 0, 0, 56, 56}},
    {"resnet50.28.3x3", 8, {28, 28, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 28, 28}},
    {"resnet50.56.3x3.s2", 8, {56, 56, 128, 128, 3, 3, 2, 2, 1, 1, 0, 0, 28, 28}},
    {"resnet50.14.3x3", 8, {14, 14, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14}},
    {"resnet50.14.1024-256", 8, {14, 14, 1024, 256, 1, 1, 1, 1, 1, 1, 0, 0, 14, 14}},
    {"resnet50.14.256-1024", 8, {14, 14, 256, 1024, 1, 1, 1, 1, 1, 1, 0, 0, 14, 14}},
    {"resnet50.7.3x3", 8, {7, 7, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 7, 7}},
    {"dense.4096-10", 32, {1, 1, 4096, 10, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1}},
    {"dense.1600-128", 32, {1, 1, 1600, 128, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1}},
    {"dense.4096-4096.batch1", 1, {1, 1, 4096, 4096, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1}},
};

static void conv_forward(bench_job *j)
{
    fvi_conv_forward(j->k, bench_threads, &j->g, j->N, j->y, j->x, j->w, j->b, j->scratch);
}

static void conv_input(bench_job *j)
{
    fvi_conv_input_gradient(j->k, bench_threads, &j->g, j->N, j->dx, j->y, j->w, j->scratch);
}

static void conv_weights(bench_job *j)
{
    fvi_conv_weight_gradient(j->k, bench_threads, &j->g, j->N, j->dw, j->db, j->x, j->y,
                             j->scratch);
}

static void bench_conv(const fvi_kernels *k, size_t at)
{
    bench_job j = {.k = k, .g = conv_list[at].g, .N = conv_list[at].N};
    const fvi_conv *g = &j.g;
    const size_t xs = (size_t)j.N * (size_t)g->H * (size_t)g->W * (size_t)g->C;
    const size_t ys = (size_t)j.N * (size_t)g->OH * (size_t)g->OW * (size_t)g->F;
    const size_t ws = (size_t)g->KH * (size_t)g->KW * (size_t)g->C * (size_t)g->F;
    size_t floats;
    if (fvi_conv_scratch(&floats, k, g, j.N) != FV_OK) exit(1);
    j.x = bench_floats(xs);
    j.dx = bench_floats(xs);
    j.w = bench_floats(ws);
    j.dw = bench_floats(ws);
    j.b = bench_floats((size_t)g->F);
    j.db = bench_floats((size_t)g->F);
    j.y = bench_floats(ys);
    j.scratch = bench_floats(floats);
    const double work = 2.0 * (double)ys * (double)(g->KH * g->KW * g->C);
    j.run = conv_weights;
    bench_line(&j, conv_list[at].name, "dweights", work, "GFLOP/s");
    j.run = conv_input;
    bench_line(&j, conv_list[at].name, "dinput", work, "GFLOP/s");
    j.run = conv_forward;
    bench_line(&j, conv_list[at].name, "forward", work, "GFLOP/s");
    float *all[] = {j.x, j.dx, j.w, j.dw, j.b, j.db, j.y, j.scratch};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        fvi_free(all[i]);
}

/* The tallest tile on operands that never leave the first-level cache: what the others are measured
   against. */
static void tile_peak(bench_job *j)
{
    const fvi_tile_table *t = j->k->tiles;
    const float *rows[FVI_TILE_ROWS_MAX];
    float *out[FVI_TILE_ROWS_MAX];
    const size_t tap = 0, width = (size_t)(t->lanes * t->vectors_max);
    for (int m = 0; m < t->rows_max; ++m) {
        rows[m] = j->x + 128 * m;
        out[m] = j->y + width * (size_t)m;
    }
    const fvi_tile_rows call = {.rows = rows,
                                .tap = &tap,
                                .taps = 1,
                                .depth = 128,
                                .panel = j->w,
                                .panel_step = width,
                                .out = out,
                                .columns = (int)width};
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

#define LOOP(name, ...)                                                                            \
    static void loop_##name(bench_job *j)                                                          \
    {                                                                                              \
        const fvi_kernels *k = j->k;                                                               \
        const size_t n = j->n;                                                                     \
        (void)n;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
LOOP(add, k->add(n, j->y, j->x))
LOOP(relu, k->relu(n, j->y, j->x, &bench_relu))
LOOP(relu_gradient, k->relu_gradient(n, j->dx, j->y, j->x, &bench_relu))
LOOP(clip_gradient, k->clip_gradient(n, j->y, j->x))
LOOP(sigmoid, k->sigmoid(n, j->y, j->x))
LOOP(tanh, k->tanh(n, j->y, j->x))
LOOP(softmax_10, k->softmax(n / 10, 10, j->y, j->x))
LOOP(softmax_1000, k->softmax(n / 1000, 1000, j->y, j->x))
LOOP(affine_32, k->channel_affine(n / 32, 32, j->y, j->x, j->w, j->b))
LOOP(sums_32, k->channel_sums(n / 32, 32, (double *)j->dw, (double *)j->db, j->x, j->w))
LOOP(gradient_sums_32,
     k->channel_gradient_sums(n / 32, 32, (double *)j->dw, (double *)j->db, j->y, j->x, j->w, j->b))
LOOP(gradient_32, k->channel_gradient(n / 32, 32, j->dx, j->y, j->x, j->w, j->b, j->w))
LOOP(max_pool, k->max_pool(&bench_pool, j->y, j->x))
LOOP(max_pool_gradient, k->max_pool_gradient(&bench_pool, j->dx, j->b, j->x, j->y))
LOOP(narrow_pool, k->max_pool(&bench_narrow, j->y, j->x))
LOOP(narrow_pool_gradient, k->max_pool_gradient(&bench_narrow, j->dx, j->b, j->x, j->y))
LOOP(average_pool, k->average_pool(&bench_pool, j->y, j->x))
LOOP(adam, const fvi_adam p = {1e-9f, 0.9f, 0.999f, 1e-7f}; k->adam(n, j->y, j->x, j->w, j->b, &p))
LOOP(sgd, const fvi_sgd p = {1e-9f, 0.9f, false}; k->sgd(n, j->y, j->x, j->w, &p))

static const struct {
    const char *name;
    void (*run)(bench_job *job);
    double bytes; /* per element */
} loop_list[] = {
    {"add", loop_add, 12},
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
    for (size_t job = 0; job < 1 + FVI_COUNT(conv_list) + FVI_COUNT(loop_list); ++job) {
        for (int i = 0; (k = fvi_kernels_at(i, &is_usable)); ++i) {
            if (!is_usable) continue;
            if (job == 0)
                bench_peak(k);
            else if (job <= FVI_COUNT(conv_list))
                bench_conv(k, job - 1);
            else
                bench_loops(k, job - 1 - FVI_COUNT(conv_list));
        }
    }
    bench_decode();
    fvi_threads_free(bench_threads);
    return 0;
}
