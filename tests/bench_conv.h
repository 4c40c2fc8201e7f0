/* SPDX-License-Identifier: MIT */
/* Convolutions to be timed: their list, and the arrays and three passes of one. For bench.c and
   bench_layers.c. */
#ifndef BENCH_CONV_H
#define BENCH_CONV_H

#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>

static const struct bench_shape {
    const char *name;
    int N;
    fvi_conv g;
} bench_shapes[] = {
    /* H W C F KH KW SH SW DH DW pad_top pad_left OH OW groups */
    {"lenet.conv1", 16, {28, 28, 1, 6, 5, 5, 1, 1, 1, 1, 2, 2, 28, 28, 1}},
    {"lenet.conv2", 16, {14, 14, 6, 16, 5, 5, 1, 1, 1, 1, 0, 0, 10, 10, 1}},
    {"mnist.conv1", 32, {28, 28, 1, 32, 3, 3, 1, 1, 1, 1, 0, 0, 26, 26, 1}},
    {"mnist.conv2", 32, {13, 13, 32, 64, 3, 3, 1, 1, 1, 1, 0, 0, 11, 11, 1}},
    {"signs.conv1", 16, {64, 64, 3, 8, 4, 4, 1, 1, 1, 1, 1, 1, 64, 64, 1}},
    {"signs.conv2", 16, {8, 8, 8, 16, 2, 2, 1, 1, 1, 1, 0, 0, 8, 8, 1}},
    {"happy.conv1", 16, {64, 64, 3, 32, 7, 7, 1, 1, 1, 1, 3, 3, 64, 64, 1}},
    {"resnet20.16", 16, {32, 32, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 32, 32, 1}},
    {"resnet20.32", 16, {16, 16, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 16, 16, 1}},
    {"resnet20.64", 16, {8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8, 1}},
    {"vgg16.32.64", 16, {32, 32, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 32, 32, 1}},
    {"vgg16.16.128", 16, {16, 16, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 16, 16, 1}},
    {"vgg16.8.256", 16, {8, 8, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 8, 8, 1}},
    {"vgg16.4.512", 16, {4, 4, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 4, 4, 1}},
    {"vgg16.2.512", 32, {2, 2, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 2, 2, 1}},
    {"vgg16.224.64", 1, {224, 224, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 224, 224, 1}},
    {"resnet50.stem", 4, {224, 224, 3, 64, 7, 7, 2, 2, 1, 1, 3, 3, 112, 112, 1}},
    {"resnet50.56.3x3", 8, {56, 56, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 56, 56, 1}},
    {"resnet50.56.64-256", 8, {56, 56, 64, 256, 1, 1, 1, 1, 1, 1, 0, 0, 56, 56, 1}},
    {"resnet50.56.256-64", 8, {56, 56, 256, 64, 1, 1, 1, 1, 1, 1, 0, 0, 56, 56, 1}},
    {"resnet50.28.3x3", 8, {28, 28, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 28, 28, 1}},
    {"resnet50.56.3x3.s2", 8, {56, 56, 128, 128, 3, 3, 2, 2, 1, 1, 0, 0, 28, 28, 1}},
    {"resnet50.14.3x3", 8, {14, 14, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14, 1}},
    {"resnet50.14.1024-256", 8, {14, 14, 1024, 256, 1, 1, 1, 1, 1, 1, 0, 0, 14, 14, 1}},
    {"resnet50.14.256-1024", 8, {14, 14, 256, 1024, 1, 1, 1, 1, 1, 1, 0, 0, 14, 14, 1}},
    {"resnet50.7.3x3", 8, {7, 7, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 7, 7, 1}},
    {"mobilenet.112.dw", 4, {112, 112, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 112, 112, 32}},
    {"mobilenet.112.32-64", 4, {112, 112, 32, 64, 1, 1, 1, 1, 1, 1, 0, 0, 112, 112, 1}},
    {"mobilenet.112.dw.s2", 4, {112, 112, 64, 64, 3, 3, 2, 2, 1, 1, 0, 0, 56, 56, 64}},
    {"mobilenet.56.dw", 8, {56, 56, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 56, 56, 128}},
    {"mobilenet.56.128-128", 8, {56, 56, 128, 128, 1, 1, 1, 1, 1, 1, 0, 0, 56, 56, 1}},
    {"mobilenet.28.dw", 8, {28, 28, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 28, 28, 256}},
    {"mobilenet.14.dw", 8, {14, 14, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14, 512}},
    {"mobilenet.14.512-512", 8, {14, 14, 512, 512, 1, 1, 1, 1, 1, 1, 0, 0, 14, 14, 1}},
    {"mobilenet.14.dw.s2", 8, {14, 14, 512, 512, 3, 3, 2, 2, 1, 1, 0, 0, 7, 7, 512}},
    {"mobilenet.7.dw", 8, {7, 7, 1024, 1024, 3, 3, 1, 1, 1, 1, 1, 1, 7, 7, 1024}},
    {"mobilenet2.28.144.dw.5x5", 8, {28, 28, 144, 144, 5, 5, 1, 1, 1, 1, 2, 2, 28, 28, 144}},
    {"mobilenet2.16.24.dw", 16, {16, 16, 24, 24, 3, 3, 1, 1, 1, 1, 1, 1, 16, 16, 24}},
    {"resnext.56.groups32", 8, {56, 56, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 56, 56, 32}},
    {"resnext.14.groups32", 8, {14, 14, 512, 512, 3, 3, 1, 1, 1, 1, 1, 1, 14, 14, 32}},
    {"dense.4096-10", 32, {1, 1, 4096, 10, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1}},
    {"dense.1600-128", 32, {1, 1, 1600, 128, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1}},
    {"dense.4096-4096.batch1", 1, {1, 1, 4096, 4096, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1}},
};

typedef enum bench_pass { BENCH_FORWARD, BENCH_INPUT, BENCH_WEIGHTS } bench_pass;

typedef struct bench_conv {
    const fvi_kernels *k;
    fvi_threads *threads;
    fvi_conv g;
    int N;
    size_t xs, ys, ws; /* floats of x, y, w */
    double work;       /* operations of one pass */
    float *x, *w, *b, *y, *dx, *dw, *db, *scratch;
} bench_conv;

static float *bench_floats(size_t n)
{
    float *p = fvi_alloc(n + 64, sizeof *p, "bench");
    if (!p) exit(1);
    for (size_t i = 0; i < n; ++i)
        p[i] = (float)(i % 97) * 0.01f - 0.4f;
    return p;
}

static void bench_conv_begin(bench_conv *c, const fvi_kernels *k, fvi_threads *threads,
                             const struct bench_shape *shape)
{
    const fvi_conv *g = &shape->g;
    const size_t N = (size_t)shape->N;
    size_t floats;
    *c = (bench_conv){.k = k, .threads = threads, .g = *g, .N = shape->N};
    c->xs = N * (size_t)g->H * (size_t)g->W * (size_t)g->C;
    c->ys = N * (size_t)g->OH * (size_t)g->OW * (size_t)g->F;
    const int C = g->C / (g->groups > 1 ? g->groups : 1);
    c->ws = (size_t)g->KH * (size_t)g->KW * (size_t)C * (size_t)g->F;
    c->work = 2.0 * (double)c->ys * (double)(g->KH * g->KW * C);
    if (fvi_conv_scratch(&floats, k, g, shape->N) != FV_OK) exit(1);
    c->x = bench_floats(c->xs);
    c->dx = bench_floats(c->xs);
    c->w = bench_floats(c->ws);
    c->dw = bench_floats(c->ws);
    c->b = bench_floats((size_t)g->F);
    c->db = bench_floats((size_t)g->F);
    c->y = bench_floats(c->ys);
    c->scratch = bench_floats(floats);
}

static void bench_conv_run(bench_conv *c, bench_pass pass)
{
    if (pass == BENCH_FORWARD)
        fvi_conv_forward(c->k, c->threads, &c->g, c->N, c->y, c->x, c->w,
                         &(fvi_conv_end){.bias = c->b}, c->scratch);
    else if (pass == BENCH_INPUT)
        fvi_conv_input_gradient(c->k, c->threads, &c->g, c->N, c->dx, c->y, c->w, false, NULL,
                                c->scratch);
    else
        fvi_conv_weight_gradient(c->k, c->threads, &c->g, c->N, c->dw, c->db, c->x, c->y,
                                 c->scratch);
}

static void bench_conv_end(bench_conv *c)
{
    float *all[] = {c->x, c->dx, c->w, c->dw, c->b, c->db, c->y, c->scratch};
    for (size_t i = 0; i < FVI_COUNT(all); ++i)
        fvi_free(all[i]);
}

#endif
