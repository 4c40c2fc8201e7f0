/* SPDX-License-Identifier: MIT */
/* Depthwise convolution: every output channel sees one input channel, F / C of them the same one. */

/* A vector of channels at a time, no product of matrices: kernels_depthwise.h has the sums of
   neighbouring outputs, here is what they read. Forward and input gradient are one gather, as in
   conv_gather.c; where each channel has several outputs, the gather's sums of these are made apart
   and then added up. Taps that leave the image are left out. */

#include "kernels/conv_internal.h"
#include "kernels/depthwise.h"

#include <math.h>

#define DEPTHWISE_FOLD 64        /* sums of an output that are added up together */
#define DEPTHWISE_BAND 65536     /* floats of a task's input and output */
#define DEPTHWISE_TASKS 16       /* fewest tasks, where there are rows enough */
#define DEPTHWISE_PIECE 512      /* floats of x's row that a strip is wide */
#define DEPTHWISE_PLACES 6       /* fewest outputs of it */
#define DEPTHWISE_NARROW 32      /* most floats of a pixel, */
#define DEPTHWISE_WIDE 1024      /* or fewest, of which rows are better strips than pairs */
#define DEPTHWISE_ALONE 100000.0 /* multiply-adds below which no thread is woken */

typedef struct depthwise_plan {
    const fvi_depthwise_table *table;
    const fvi_gather *g;    /* as if it were no depthwise one: depth and columns are all channels */
    ptrdiff_t sums;         /* channels of the sums: F */
    ptrdiff_t spread, fold; /* how many of them one channel of the source, of out has */
    fvi_depthwise_kind kind;
    ptrdiff_t inside_from, inside_to; /* places of a row at which no tap leaves the image */
    ptrdiff_t each;                   /* channels of out that a call has */
    bool has_pairs;                   /* kernels for two rows together */
    bool has_strips;                  /* kernels for rows under a kernel 3 wide */
    bool has_left, has_right;         /* which have an output more on that side */
} depthwise_plan;

static fvi_depthwise_reach depthwise_axis(const fvi_gather_axis *a, ptrdiff_t i)
{
    return fvi_depthwise_clip(i * a->source_step + a->source_first, a->source_size, a->gap,
                              a->taps);
}

/* ---- forward and input gradient ---- */

/* One row of out for some of its channels: the call but for what changes from output to output, and
   where place 0 begins, as offsets. */
typedef struct depthwise_row {
    fvi_depthwise_rows call;
    ptrdiff_t source, weights, weights_below, out;
    ptrdiff_t c, channels; /* of out: the first, and how many */
    bool has_taps, is_pair;
} depthwise_row;

/* What all rows have in common, of channels of out from c on. */
static depthwise_row depthwise_row_of(const depthwise_plan *plan, ptrdiff_t c)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const ptrdiff_t columns = plan->sums; /* of the sums */
    depthwise_row row = {
        .call = {.source_step = w->source_step * g->source_pitch,
                 .gap_h = h->gap * w->source_size * g->source_pitch,
                 .gap_w = w->gap * g->source_pitch,
                 .weight_h = h->kernel_step * g->kernel_w * columns,
                 .weight_w = w->kernel_step * columns,
                 .out_step = w->step * g->out_pitch,
                 .spread = plan->spread,
                 .start = g->start ? g->start + c : NULL,
                 .is_added = g->is_added,
                 .is_clipped = g->is_clipped,
                 .most = g->most > 0 ? g->most : INFINITY},
        .c = c,
        .channels = fvi_min(plan->each, columns / plan->fold - c),
    };
    row.call.channels = row.channels * plan->fold;
    return row;
}

/* Row i of an image. */
static void depthwise_place(const depthwise_plan *plan, depthwise_row *row, ptrdiff_t image,
                            ptrdiff_t i)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const fvi_depthwise_reach taps = depthwise_axis(h, i);
    const ptrdiff_t columns = plan->sums, first = row->c * plan->fold;
    const ptrdiff_t ih = i * h->source_step + h->source_first + taps.first * h->gap;
    const ptrdiff_t kh = h->kernel_first + taps.first * h->kernel_step;
    const ptrdiff_t oh = h->start + i * h->step;
    const ptrdiff_t channel = plan->spread > 1 ? first / plan->spread : first;
    row->source =
        ((image * h->source_size + ih) * w->source_size + w->source_first) * g->source_pitch +
        channel;
    row->weights = (kh * g->kernel_w + w->kernel_first) * columns + first;
    row->out = ((image * g->out_h + oh) * g->out_w + w->start) * g->out_pitch + row->c;
    row->has_taps = taps.count > 0;
    row->call.taps_h = taps.count;
}

static depthwise_row depthwise_begin(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i,
                                     ptrdiff_t c)
{
    depthwise_row row = depthwise_row_of(plan, c);
    depthwise_place(plan, &row, image, i);
    return row;
}

/* The sums of a call are those of some outputs' channels, fold of them each. */
static void depthwise_fold(const depthwise_row *row, fvi_depthwise_rows_fn *run)
{
    float sums[FVI_DEPTHWISE_OUTS * DEPTHWISE_FOLD];
    fvi_depthwise_rows call = row->call;
    const ptrdiff_t all = call.channels; /* more than fit are those of one channel */
    call.out = sums;
    call.mask = NULL;
    call.is_added = false;
    for (ptrdiff_t done = 0; done < all; done += call.channels) {
        call.channels = call.out_step = fvi_min(DEPTHWISE_FOLD, all - done);
        run(&call);
        call.source += call.channels;
        call.weights += call.channels;
        const ptrdiff_t fold = call.channels / row->channels;
        for (ptrdiff_t i = 0; i < call.outs * row->channels; ++i) {
            const ptrdiff_t to = i / row->channels * row->call.out_step + i % row->channels;
            float sum = row->call.is_added || done > 0 ? row->call.out[to] : 0;
            for (ptrdiff_t m = 0; m < fold; ++m)
                sum += sums[i * fold + m];
            row->call.out[to] = row->call.mask && !(row->call.mask[to] > 0) ? 0 : sum;
        }
    }
}

/* Rows i and i + 1 together. */
static depthwise_row depthwise_begin_pair(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i)
{
    depthwise_row row = depthwise_begin(plan, image, i, 0);
    const depthwise_row below = depthwise_begin(plan, image, i + 1, 0);
    row.is_pair = true;
    row.call.skip = (below.source - row.source) / row.call.gap_h;
    row.call.taps_below = below.call.taps_h;
    row.call.out_below = below.out - row.out;
    row.weights_below = below.weights - row.weights;
    return row;
}

static fvi_depthwise_rows_fn *depthwise_kernel(const depthwise_plan *plan, bool is_pair,
                                               ptrdiff_t taps)
{
    const fvi_depthwise_table *table = plan->table;
    const bool is_usual = taps == plan->g->w.taps || plan->spread > 1;
    if (is_pair) return is_usual ? table->pairs[plan->kind] : table->pair_edge[taps];
    return table->rows[is_usual ? plan->kind : FVI_DEPTHWISE_ANY];
}

/* Outputs [j, j + outs) of a row; they meet the same taps. */
static void depthwise_outs(const depthwise_plan *plan, depthwise_row *row, ptrdiff_t j,
                           ptrdiff_t outs, fvi_depthwise_reach taps)
{
    const fvi_gather *g = plan->g;
    fvi_depthwise_rows *call = &row->call;
    const ptrdiff_t to = row->out + j * call->out_step;
    const bool has_taps = row->has_taps && taps.count > 0;
    call->source = g->source;
    call->weights = g->weights;
    if (has_taps) {
        call->source += row->source + j * call->source_step + taps.first * call->gap_w;
        call->weights += row->weights + taps.first * call->weight_w;
    }
    call->weights_below = call->weights + row->weights_below;
    const ptrdiff_t taps_h = call->taps_h;
    call->taps_h = has_taps ? taps_h : 0;
    call->taps_w = taps.count;
    call->out = g->out + to;
    call->mask = g->mask ? g->mask + to : NULL;
    call->outs = outs;
    fvi_depthwise_rows_fn *run = depthwise_kernel(plan, row->is_pair, taps.count);
    if (plan->fold > 1)
        depthwise_fold(row, run);
    else
        run(call);
    call->taps_h = taps_h;
}

/* The outputs of a row or a pair, a few pixels at a time: all of their channels come before the next
   pixel, so that what is read and written is contiguous. Places [from, to) are left out. */
static void depthwise_run_row(const depthwise_plan *plan, depthwise_row *row, ptrdiff_t from,
                              ptrdiff_t to)
{
    const fvi_gather *g = plan->g;
    for (ptrdiff_t j = 0, outs; j < g->w.count; j += outs) {
        outs = 1;
        if (j == from && j < to) {
            outs = to - from;
            continue;
        }
        if (j >= plan->inside_from && j < plan->inside_to) {
            outs = plan->inside_to - j;
            if (plan->fold > 1) outs = fvi_min(outs, FVI_DEPTHWISE_OUTS);
        }
        depthwise_outs(plan, row, j, outs, depthwise_axis(&g->w, j));
    }
}

static void depthwise_run_single(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i,
                                 ptrdiff_t from, ptrdiff_t to)
{
    for (ptrdiff_t c = 0; c < plan->sums / plan->fold; c += plan->each) {
        depthwise_row row = depthwise_begin(plan, image, i, c);
        depthwise_run_row(plan, &row, from, to);
    }
}

ptrdiff_t fvi_depthwise_pieces(ptrdiff_t places, ptrdiff_t floats)
{
    const ptrdiff_t wanted = fvi_ceil(places * floats, DEPTHWISE_PIECE);
    return fvi_max(1, fvi_min(wanted, places / DEPTHWISE_PLACES));
}

/* Row i, or rows i and i + 1, as strips. */
static void depthwise_run_strips(const depthwise_plan *plan, depthwise_row *row, ptrdiff_t image,
                                 ptrdiff_t i, ptrdiff_t rows)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t from = plan->inside_from, places = plan->inside_to - from;
    fvi_depthwise_rows *call = &row->call;
    depthwise_place(plan, row, image, i);
    const ptrdiff_t pieces = fvi_depthwise_pieces(places, call->source_step);
    fvi_depthwise_rows_fn *run =
        rows > 1 ? plan->table->along_pair : plan->table->along[call->taps_h - 2];
    call->weights = g->weights + row->weights;
    call->out_below = g->h.step * g->out_w * g->out_pitch;
    call->ahead_row = call->out_below * (ptrdiff_t)sizeof(float);
    for (ptrdiff_t p = 0, j = from, end; p < pieces; ++p, j = end) {
        const ptrdiff_t out = row->out + j * call->out_step;
        end = p + 1 < pieces ? from + places * (p + 1) / pieces : from + places;
        call->source = g->source + row->source + j * call->source_step;
        call->out = g->out + out;
        call->mask = g->mask ? g->mask + out : NULL;
        call->outs = end - j;
        call->has_left = p == 0 && plan->has_left;
        call->has_right = p == pieces - 1 && plan->has_right;
        call->ahead = (const char *)(call->out + rows * call->out_below);
        run(call);
    }
    const ptrdiff_t to = plan->inside_to + plan->has_right;
    if (from - plan->has_left == 0 && to == g->w.count) return;
    for (ptrdiff_t r = i; r < i + rows; ++r)
        depthwise_run_single(plan, image, r, from - plan->has_left, to);
}

static void depthwise_run_rows(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i0,
                               ptrdiff_t i1)
{
    depthwise_row strip = depthwise_row_of(plan, 0);
    for (ptrdiff_t i = i0; i < i1; ++i) {
        const ptrdiff_t taps = depthwise_axis(&plan->g->h, i).count;
        const ptrdiff_t below = i + 1 < i1 ? depthwise_axis(&plan->g->h, i + 1).count : 0;
        if (plan->has_strips && (taps == 2 || taps == 3)) {
            const bool is_pair = taps == 3 && below == 3 && plan->g->h.taps == 3;
            depthwise_run_strips(plan, &strip, image, i, 1 + is_pair);
            i += is_pair;
        } else if (plan->has_pairs && taps > 0 && below > 0) {
            depthwise_row row = depthwise_begin_pair(plan, image, i++);
            depthwise_run_row(plan, &row, 0, 0);
        } else {
            depthwise_run_single(plan, image, i, 0, 0);
        }
    }
}

/* ---- the input gradient of a kernel 3 by 3 and stride 2 ---- */

/* It has four parts, whose outputs lie between each other: of two by two taps, two by one, one by two
   and one. An output of the first and those behind and below it make a quad: all of them read the
   last of its sources. In the other parts they count shift_h rows and shift_w places further. */
typedef struct depthwise_quads {
    bool is_there;
    ptrdiff_t shift_h, shift_w;
    ptrdiff_t from, to; /* places of a row of the first part that calls make */
    bool has_left;      /* and the one before them, which misses its first tap */
} depthwise_quads;

/* One tap beside two, at every second place. */
static bool depthwise_is_halved(const fvi_gather_axis *both, const fvi_gather_axis *one)
{
    return both->step == 2 && both->taps == 2 && both->gap == 1 && one->step == 2 &&
           one->taps == 1 && both->kernel_first == 2 && one->kernel_first == 1;
}

static depthwise_quads depthwise_quads_of(const depthwise_plan *plan, ptrdiff_t parts)
{
    const fvi_gather *g = plan->g, *last = parts == 4 ? plan[3].g : g;
    depthwise_quads q = {.is_there = false};
    if (parts != 4 || !depthwise_is_halved(&g->h, &last->h) ||
        !depthwise_is_halved(&g->w, &last->w) || plan->spread > 1 || plan->fold > 1 ||
        g->is_added || plan->sums < plan->table->lanes || !plan->table->quads[0])
        return q;
    q.shift_h = (g->h.start + 1 - last->h.start) / 2;
    q.shift_w = (g->w.start + 1 - last->w.start) / 2;
    q.from = plan->inside_from;
    q.to = fvi_min(plan->inside_to, last->w.count - q.shift_w);
    q.is_there = q.from < q.to;
    const fvi_depthwise_reach before = depthwise_axis(&g->w, q.from - 1);
    q.has_left = q.from > 0 && before.first == 1 && before.count == 1;
    return q;
}

/* Row i of the first two parts and the row below it, of the last two. */
static void depthwise_run_quads(const depthwise_plan *plan, const depthwise_quads *q,
                                ptrdiff_t image, ptrdiff_t i)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t below = i + q->shift_h, from = q->from - q->has_left;
    const fvi_depthwise_reach taps =
        i < 0 || i >= g->h.count ? (fvi_depthwise_reach){0, 0} : depthwise_axis(&g->h, i);
    const bool is_quad = taps.first + taps.count == 2 && below < plan[3].g->h.count;
    if (is_quad) {
        depthwise_row row = depthwise_begin(plan, image, i, 0);
        fvi_depthwise_rows *call = &row.call;
        const ptrdiff_t out = row.out + q->from * call->out_step;
        call->source = g->source + row.source + q->from * call->source_step;
        if (taps.count == 2) call->source += call->gap_h;
        call->weights = g->weights + (2 * g->kernel_w + 2) * plan->sums;
        call->out = g->out + out;
        call->mask = g->mask ? g->mask + out : NULL;
        call->outs = q->to - q->from;
        call->out_step /= 2;
        call->out_below = g->out_w * g->out_pitch;
        call->has_left = q->has_left;
        plan->table->quads[taps.count - 1](call);
    }
    for (ptrdiff_t p = 0; p < 4; ++p) {
        const ptrdiff_t r = p < 2 ? i : below, shift = p % 2 ? q->shift_w : 0;
        if (r >= 0 && r < plan[p].g->h.count)
            depthwise_run_single(&plan[p], image, r, is_quad ? from + shift : 0,
                                 is_quad ? q->to + shift : 0);
    }
}

/* Images in bands of rows; of each band all parts, which lie between each other's rows. */
typedef struct depthwise_job {
    depthwise_plan plan[FVI_DEPTHWISE_PARTS];
    ptrdiff_t parts, bands;
    depthwise_quads quads;
} depthwise_job;

static void depthwise_task(void *context, size_t task)
{
    const depthwise_job *job = context;
    const ptrdiff_t image = (ptrdiff_t)task / job->bands, band = (ptrdiff_t)task % job->bands;
    if (job->quads.is_there) {
        const ptrdiff_t shift = job->quads.shift_h, rows = job->plan[3].g->h.count;
        const ptrdiff_t all = fvi_max(job->plan[0].g->h.count, rows - shift) + shift;
        for (ptrdiff_t i = all * band / job->bands; i < all * (band + 1) / job->bands; ++i)
            depthwise_run_quads(job->plan, &job->quads, image, i - shift);
        return;
    }
    for (ptrdiff_t p = 0; p < job->parts; ++p) {
        const depthwise_plan *plan = &job->plan[p];
        const ptrdiff_t rows = plan->g->h.count, pairs = (rows + 1) / 2;
        depthwise_run_rows(plan, image, pairs * band / job->bands * 2,
                           fvi_min(rows, pairs * (band + 1) / job->bands * 2));
    }
}

static fvi_depthwise_kind depthwise_kind(const depthwise_plan *plan)
{
    const fvi_gather_axis *w = &plan->g->w;
    if (plan->spread > 1) return FVI_DEPTHWISE_SPREAD;
    if (w->gap != 1) return FVI_DEPTHWISE_ANY;
    if (w->source_step == 1 && w->taps == 2) return FVI_DEPTHWISE_2_1;
    if (w->source_step == 1 && w->taps == 3) return FVI_DEPTHWISE_3_1;
    if (w->source_step == 2 && w->taps == 3) return FVI_DEPTHWISE_3_2;
    if (w->source_step == 1 && w->taps == 5) return FVI_DEPTHWISE_5_1;
    if (w->source_step == 2 && w->taps == 5) return FVI_DEPTHWISE_5_2;
    return FVI_DEPTHWISE_ANY;
}

static depthwise_plan depthwise_plan_of(const fvi_kernels *k, const fvi_gather *g)
{
    const fvi_gather_axis *w = &g->w;
    depthwise_plan plan = {.table = k->depthwise, .g = g, .spread = 1, .fold = 1};
    plan.sums = fvi_max(g->depth, g->columns);
    if (g->is_transposed)
        plan.fold = g->depth / g->columns;
    else
        plan.spread = g->columns / g->depth;
    plan.kind = depthwise_kind(&plan);
    const ptrdiff_t last = w->source_size - 1 - w->source_first - (w->taps - 1) * w->gap;
    if (w->source_first < 0) plan.inside_from = fvi_ceil(-w->source_first, w->source_step);
    if (last >= 0) plan.inside_to = fvi_min(w->count, last / w->source_step + 1);
    /* of a call: what is to be added up must fit */
    plan.each = plan.fold > 1 ? fvi_max(1, DEPTHWISE_FOLD / plan.fold) : plan.sums;
    if (plan.spread > 1 || plan.fold > 1 || g->is_added || plan.sums < k->depthwise->lanes ||
        g->h.gap > 1)
        return plan;
    plan.has_pairs = k->depthwise->pairs[plan.kind] && g->h.source_step < g->h.taps &&
                     depthwise_axis(w, 0).count > 0 && depthwise_axis(w, w->count - 1).count > 0;
    plan.has_strips = k->depthwise->along_pair && plan.kind == FVI_DEPTHWISE_3_1 &&
                      g->h.source_step == 1 && plan.inside_from < plan.inside_to &&
                      (plan.sums <= DEPTHWISE_NARROW || plan.sums >= DEPTHWISE_WIDE);
    if (!plan.has_strips) return plan;
    const fvi_depthwise_reach before = depthwise_axis(w, plan.inside_from - 1);
    const fvi_depthwise_reach after = depthwise_axis(w, plan.inside_to);
    plan.has_left = plan.inside_from > 0 && before.first == 1 && before.count == 2;
    plan.has_right = plan.inside_to < w->count && after.first == 0 && after.count == 2;
    return plan;
}

void fvi_depthwise_run(const fvi_kernels *k, fvi_threads *threads, const fvi_gather *g,
                       ptrdiff_t parts)
{
    depthwise_job job = {.parts = parts};
    double work = 0;
    for (ptrdiff_t p = 0; p < parts; ++p) {
        job.plan[p] = depthwise_plan_of(k, &g[p]);
        work += (double)(g[p].h.count * g[p].w.count) * (double)(g[p].h.taps * g[p].w.taps);
    }
    job.quads = depthwise_quads_of(job.plan, parts);
    work *= (double)g->N * (double)job.plan[0].sums;
    if (!(work > 0)) return;
    const ptrdiff_t floats =
        g->h.source_size * g->w.source_size * g->depth + g->out_h * g->out_w * g->columns;
    job.bands = fvi_max(fvi_ceil(floats, DEPTHWISE_BAND), DEPTHWISE_TASKS / g->N);
    job.bands = fvi_max(1, fvi_min(job.bands, g->h.count / 4));
    if (work < DEPTHWISE_ALONE) threads = NULL;
    fvi_parallel_for(threads, (size_t)(g->N * job.bands), depthwise_task, &job);
}
