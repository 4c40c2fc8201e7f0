/* SPDX-License-Identifier: MIT */
/* Convolutions against oneDNN, each pass of each shape, in turns: the peak, Fovea, oneDNN with its
   activations in NHWC ("plain") and in whatever layout it likes best ("blocked"; what it costs to
   bring them there is not counted), and again. A line of JSON for each, times in seconds by round.
   usage: OMP_NUM_THREADS=THREADS bench_layers ROUNDS SECONDS THREADS [WORD...]
   WORD: part of the shape's name; OMP_NUM_THREADS is what oneDNN goes by */
#include "bench_conv.h"

#include <oneapi/dnnl/dnnl.h>

#include <math.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 1000
#define DIFFERENCE_MAX 1e-3 /* of a forward pass, to the largest output */

enum { PLAIN, BLOCKED, LAYOUTS };
static const char *const layout_name[LAYOUTS] = {"plain", "blocked"};
static const char *const pass_name[] = {
    [BENCH_FORWARD] = "forward", [BENCH_INPUT] = "dinput", [BENCH_WEIGHTS] = "dweights"};

static dnnl_engine_t layers_engine;
static dnnl_stream_t layers_stream;
static bool layers_alone; /* one thread: its own time is told apart from that of a busy machine */

static void check(dnnl_status_t status)
{
    if (status == dnnl_success) return;
    fprintf(stderr, "bench_layers: oneDNN says %d\n", (int)status);
    exit(1);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(layers_alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* oneDNN's sizes of the weights: with groups, these come first. Their number. */
static int weight_sizes(dnnl_dims_t dims, const fvi_conv *g)
{
    const int groups = g->groups > 1 ? g->groups : 1, has_groups = groups > 1;
    const int sizes[] = {groups, g->F / groups, g->C / groups, g->KH, g->KW};
    for (int i = 0; i < 4 + has_groups; ++i)
        dims[i] = sizes[i + !has_groups];
    return 4 + has_groups;
}

/* ---- One pass as oneDNN does it ---- */

typedef struct peer {
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[4];
    dnnl_exec_arg_t argument[4];
    int n;
    const char *implementation;
} peer;

/* A fresh array of the primitive's own layout, filled with something. */
static dnnl_memory_t peer_array(peer *p, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                                int index, int role)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, what, index);
    void *data;
    dnnl_memory_t m;
    check(dnnl_memory_create(&m, md, layers_engine, DNNL_MEMORY_ALLOCATE));
    check(dnnl_memory_get_data_handle(m, &data));
    memset(data, 0, dnnl_memory_desc_get_size(md));
    float *at = data;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(md) / sizeof *at; ++i)
        at[i] = (float)(i % 97) * 0.01f - 0.4f;
    p->memory[p->n] = m;
    p->argument[p->n++] = (dnnl_exec_arg_t){role, m};
    return m;
}

static void peer_arrays(peer *p, const_dnnl_primitive_desc_t pd, bench_pass pass)
{
    if (pass == BENCH_FORWARD) {
        peer_array(p, pd, dnnl_query_src_md, 0, DNNL_ARG_SRC);
        peer_array(p, pd, dnnl_query_weights_md, 0, DNNL_ARG_WEIGHTS);
        peer_array(p, pd, dnnl_query_weights_md, 1, DNNL_ARG_BIAS);
        peer_array(p, pd, dnnl_query_dst_md, 0, DNNL_ARG_DST);
    } else if (pass == BENCH_INPUT) {
        peer_array(p, pd, dnnl_query_diff_src_md, 0, DNNL_ARG_DIFF_SRC);
        peer_array(p, pd, dnnl_query_weights_md, 0, DNNL_ARG_WEIGHTS);
        peer_array(p, pd, dnnl_query_diff_dst_md, 0, DNNL_ARG_DIFF_DST);
    } else {
        peer_array(p, pd, dnnl_query_src_md, 0, DNNL_ARG_SRC);
        peer_array(p, pd, dnnl_query_diff_weights_md, 0, DNNL_ARG_DIFF_WEIGHTS);
        peer_array(p, pd, dnnl_query_diff_weights_md, 1, DNNL_ARG_DIFF_BIAS);
        peer_array(p, pd, dnnl_query_diff_dst_md, 0, DNNL_ARG_DIFF_DST);
    }
}

static void peer_describe(dnnl_convolution_desc_t *d, const bench_conv *c, bench_pass pass,
                          int layout)
{
    const fvi_conv *g = &c->g;
    const dnnl_dims_t x = {c->N, g->C, g->H, g->W};
    dnnl_dims_t w;
    const int w_rank = weight_sizes(w, g);
    const dnnl_dims_t y = {c->N, g->F, g->OH, g->OW}, b = {g->F};
    const dnnl_dims_t strides = {g->SH, g->SW}, before = {g->pad_top, g->pad_left};
    const dnnl_dims_t after = {(g->OH - 1) * g->SH + g->KH - g->H - g->pad_top,
                               (g->OW - 1) * g->SW + g->KW - g->W - g->pad_left};
    const dnnl_format_tag_t tag = layout == PLAIN ? dnnl_nhwc : dnnl_format_tag_any;
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    dnnl_memory_desc_t xd, wd, yd, bd;
    check(dnnl_memory_desc_init_by_tag(&xd, 4, x, dnnl_f32, tag));
    check(dnnl_memory_desc_init_by_tag(&wd, w_rank, w, dnnl_f32, dnnl_format_tag_any));
    check(dnnl_memory_desc_init_by_tag(&yd, 4, y, dnnl_f32, tag));
    check(dnnl_memory_desc_init_by_tag(&bd, 1, b, dnnl_f32, dnnl_a));
    if (pass == BENCH_FORWARD)
        check(dnnl_convolution_forward_desc_init(d, dnnl_forward_training, direct, &xd, &wd, &bd,
                                                 &yd, strides, before, after));
    else if (pass == BENCH_INPUT)
        check(dnnl_convolution_backward_data_desc_init(d, direct, &xd, &wd, &yd, strides, before,
                                                       after));
    else
        check(dnnl_convolution_backward_weights_desc_init(d, direct, &xd, &wd, &bd, &yd, strides,
                                                          before, after));
}

static void peer_begin(peer *p, const bench_conv *c, bench_pass pass, int layout)
{
    dnnl_convolution_desc_t d, forward;
    dnnl_primitive_desc_t pd, hint = NULL;
    *p = (peer){0};
    peer_describe(&d, c, pass, layout);
    if (pass != BENCH_FORWARD) {
        peer_describe(&forward, c, BENCH_FORWARD, layout);
        check(dnnl_primitive_desc_create(&hint, &forward, NULL, layers_engine, NULL));
    }
    check(dnnl_primitive_desc_create(&pd, &d, NULL, layers_engine, hint));
    check(dnnl_primitive_create(&p->primitive, pd));
    check(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &p->implementation));
    peer_arrays(p, pd, pass);
    dnnl_primitive_desc_destroy(pd);
    if (hint) dnnl_primitive_desc_destroy(hint);
}

static void peer_run(const peer *p)
{
    check(dnnl_primitive_execute(p->primitive, layers_stream, p->n, p->argument));
    check(dnnl_stream_wait(layers_stream));
}

static void peer_end(peer *p)
{
    for (int i = 0; i < p->n; ++i)
        dnnl_memory_destroy(p->memory[i]);
    dnnl_primitive_destroy(p->primitive);
}

/* Weights in HWIO as Fovea has them, brought into the primitive's layout. */
static void peer_set_weights(const peer *p, const bench_conv *c)
{
    const fvi_conv *g = &c->g;
    dnnl_dims_t w;
    dnnl_memory_desc_t md;
    const int rank = weight_sizes(w, g);
    /* HWIO: group, filter, channel, kh, kw from element to element; the filters of a group lie
       together */
    const ptrdiff_t F = g->F, C = w[rank - 3], own = w[rank - 4];
    const dnnl_dims_t steps = {own, 1, F, g->KW * C * F, C * F};
    const dnnl_memory_desc_t *to;
    dnnl_memory_t from;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t reorder;
    check(dnnl_memory_desc_init_by_strides(&md, rank, w, dnnl_f32, steps + (rank == 4)));
    check(dnnl_memory_create(&from, &md, layers_engine, c->w));
    check(dnnl_memory_get_memory_desc(p->memory[1], &to));
    check(dnnl_reorder_primitive_desc_create(&pd, &md, layers_engine, to, layers_engine, NULL));
    check(dnnl_primitive_create(&reorder, pd));
    const dnnl_exec_arg_t both[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, p->memory[1]}};
    check(dnnl_primitive_execute(reorder, layers_stream, 2, both));
    check(dnnl_stream_wait(layers_stream));
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(pd);
    dnnl_memory_destroy(from);
}

/* Both compute the same: largest difference of a forward pass in NHWC, to the largest output. */
static double layers_difference(bench_conv *c)
{
    peer p;
    void *y;
    double most = 0, largest = 0;
    peer_begin(&p, c, BENCH_FORWARD, PLAIN);
    peer_set_weights(&p, c);
    peer_run(&p);
    bench_conv_run(c, BENCH_FORWARD);
    check(dnnl_memory_get_data_handle(p.memory[3], &y));
    for (size_t i = 0; i < c->ys; ++i) {
        const double theirs = (double)((const float *)y)[i];
        most = fmax(most, fabs(theirs - (double)c->y[i]));
        largest = fmax(largest, fabs(theirs));
    }
    peer_end(&p);
    return most / largest;
}

/* ---- Turns ---- */

/* Seconds of a call, over as many as fit into the time. */
static double layers_time(bench_conv *c, bench_pass pass, const peer *p, double seconds)
{
    int calls = 0;
    const double start = seconds_now();
    double end;
    do {
        if (p)
            peer_run(p);
        else
            bench_conv_run(c, pass);
        ++calls;
        end = seconds_now();
    } while (end - start < seconds);
    return (end - start) / calls;
}

static void layers_print_times(const char *key, const double *time, int rounds)
{
    printf(",\"%s\":[", key);
    for (int r = 0; r < rounds; ++r)
        printf("%s%.4g", r ? "," : "", time[r]);
    printf("]");
}

static void layers_case(bench_conv *c, const char *name, bench_pass pass, int rounds,
                        double seconds)
{
    static double peak[ROUNDS_MAX], fovea[ROUNDS_MAX], theirs[LAYOUTS][ROUNDS_MAX];
    peer p[LAYOUTS];
    for (int i = 0; i < LAYOUTS; ++i)
        peer_begin(&p[i], c, pass, i);
    for (int r = -1; r < rounds; ++r) { /* one to warm up */
        const int at = r < 0 ? 0 : r;
        peak[at] = fvi_kernels_peak(c->k, c->threads, seconds / 4);
        fovea[at] = layers_time(c, pass, NULL, r < 0 ? 0 : seconds);
        for (int i = 0; i < LAYOUTS; ++i)
            theirs[i][at] = layers_time(c, pass, &p[i], r < 0 ? 0 : seconds);
        peak[at] = fmax(peak[at], fvi_kernels_peak(c->k, c->threads, seconds / 4));
    }
    const dnnl_version_t *v = dnnl_version();
    printf("{\"name\":\"%s\",\"pass\":\"%s\",\"batch\":%d,\"isa\":\"%s\",\"gflop\":%.6g", name,
           pass_name[pass], c->N, c->k->isa, c->work * 1e-9);
    printf(",\"onednn\":\"%d.%d.%d\"", v->major, v->minor, v->patch);
    for (int i = 0; i < LAYOUTS; ++i)
        printf(",\"%s_is\":\"%s\"", layout_name[i], p[i].implementation);
    layers_print_times("peak_gflops", peak, rounds);
    layers_print_times("fovea", fovea, rounds);
    for (int i = 0; i < LAYOUTS; ++i)
        layers_print_times(layout_name[i], theirs[i], rounds);
    printf("}\n");
    fflush(stdout);
    for (int i = 0; i < LAYOUTS; ++i)
        peer_end(&p[i]);
}

static bool layers_is_wanted(const struct bench_shape *shape, int argc, char **argv)
{
    bool is_wanted = argc <= 4;
    for (int i = 4; i < argc; ++i)
        is_wanted = is_wanted || strstr(shape->name, argv[i]);
    return is_wanted && shape->g.H * shape->g.W > 1; /* a dense layer is another primitive there */
}

int main(int argc, char **argv)
{
    const int rounds = argc > 3 ? atoi(argv[1]) : 0, threads = argc > 3 ? atoi(argv[3]) : 0;
    const double seconds = argc > 3 ? atof(argv[2]) : 0;
    const char *omp = getenv("OMP_NUM_THREADS");
    if (rounds < 1 || rounds > ROUNDS_MAX || threads < 1 || !omp || atoi(omp) != threads) {
        fprintf(stderr, "usage: OMP_NUM_THREADS=THREADS bench_layers ROUNDS SECONDS THREADS "
                        "[WORD...]\n");
        return 2;
    }
    fvi_threads *pool = NULL;
    const fvi_kernels *k = fvi_kernels_select(NULL);
    if (fvi_threads_new(&pool, threads) != FV_OK) return 1;
    layers_alone = threads == 1;
    check(dnnl_engine_create(&layers_engine, dnnl_cpu, 0));
    check(dnnl_stream_create(&layers_stream, layers_engine, dnnl_stream_default_flags));
    for (size_t i = 0; i < FVI_COUNT(bench_shapes); ++i) {
        bench_conv c;
        if (!layers_is_wanted(&bench_shapes[i], argc, argv)) continue;
        bench_conv_begin(&c, k, pool, &bench_shapes[i]);
        if (!(layers_difference(&c) < DIFFERENCE_MAX)) {
            fprintf(stderr, "bench_layers: %s: oneDNN computes something else\n",
                    bench_shapes[i].name);
            return 1;
        }
        for (int pass = BENCH_FORWARD; pass <= BENCH_WEIGHTS; ++pass) {
            const bool is_first = c.g.C <= 3; /* of a network: nothing stands below */
            if (pass != BENCH_INPUT || !is_first)
                layers_case(&c, bench_shapes[i].name, (bench_pass)pass, rounds, seconds);
        }
        bench_conv_end(&c);
    }
    dnnl_stream_destroy(layers_stream);
    dnnl_engine_destroy(layers_engine);
    fvi_threads_free(pool);
    return 0;
}
