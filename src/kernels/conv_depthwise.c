/* SPDX-License-Identifier: MIT */
/* Depthwise convolution: every output channel sees one input channel, F / C of them the same one. */

/* A vector of channels at a time, no product of matrices: kernels_depthwise.h has the sums of
   neighbouring outputs, here is what they read. Forward and input gradient are one gather, as in
   conv_gather.c; where each channel has several outputs, the gather's sums of these are made apart
   and then added up. Taps that leave the image are left out. */

#include "kernels/conv_internal.h"
#include "kernels/depthwise.h"

#include <string.h>

#define DEPTHWISE_FOLD 64        /* sums of an output that are added up together */
#define DEPTHWISE_BAND 65536     /* floats of a task's input and output */
#define DEPTHWISE_TASKS 16       /* fewest tasks, where there are rows enough */
#define DEPTHWISE_SUMS 32768     /* floats of x that a call sums over */
#define DEPTHWISE_PIECE 512      /* floats of x's row that a strip is wide */
#define DEPTHWISE_PLACES 6       /* fewest outputs of it */
#define DEPTHWISE_NARROW 32      /* most floats of a pixel, */
#define DEPTHWISE_WIDE 1024      /* or fewest, of which rows are better strips than pairs */
#define DEPTHWISE_UNIT 16        /* floats of the widest vector */
#define DEPTHWISE_SHARD 1024     /* fewest pixels worth a shard */
#define DEPTHWISE_COPIES 262144  /* most floats of all shards' copies */
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

static ptrdiff_t depthwise_ceil(ptrdiff_t a, ptrdiff_t b)
{
    return (a + b - 1) / b;
}

static ptrdiff_t depthwise_min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

static ptrdiff_t depthwise_max(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}

/* The taps that stay inside, of a place whose first reads source index at. */
typedef struct depthwise_taps {
    ptrdiff_t first, count;
} depthwise_taps;

static depthwise_taps depthwise_clip(ptrdiff_t at, ptrdiff_t size, ptrdiff_t gap, ptrdiff_t taps)
{
    const ptrdiff_t first = at < 0 ? depthwise_ceil(-at, gap) : 0;
    const ptrdiff_t end = at < size ? depthwise_min(taps, (size - 1 - at) / gap + 1) : 0;
    return (depthwise_taps){first, depthwise_max(0, end - first)};
}

static depthwise_taps depthwise_axis(const fvi_gather_axis *a, ptrdiff_t i)
{
    return depthwise_clip(i * a->source_step + a->source_first, a->source_size, a->gap, a->taps);
}

/* ---- forward and input gradient ---- */

/* One row of out for some of its channels: the call but for what changes from output to output, and
   where place 0 begins, as offsets. */
typedef struct depthwise_row {
    fvi_depthwise_rows call;
    ptrdiff_t source, weights, weights_below, out;
    ptrdiff_t channels; /* of out */
    bool has_taps, is_pair;
} depthwise_row;

static depthwise_row depthwise_begin(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i,
                                     ptrdiff_t c)
{
    const fvi_gather *g = plan->g;
    const fvi_gather_axis *h = &g->h, *w = &g->w;
    const depthwise_taps taps = depthwise_axis(h, i);
    const ptrdiff_t columns = plan->sums, first = c * plan->fold; /* of the sums */
    const ptrdiff_t ih = i * h->source_step + h->source_first + taps.first * h->gap;
    const ptrdiff_t kh = h->kernel_first + taps.first * h->kernel_step;
    const ptrdiff_t oh = h->start + i * h->step;
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
                 .is_clipped = g->is_clipped},
        .source =
            ((image * h->source_size + ih) * w->source_size + w->source_first) * g->source_pitch +
            first / plan->spread,
        .weights = (kh * g->kernel_w + w->kernel_first) * columns + first,
        .out = ((image * g->out_h + oh) * g->out_w + w->start) * g->out_pitch + c,
        .channels = depthwise_min(plan->each, columns / plan->fold - c),
        .has_taps = taps.count > 0,
    };
    row.call.taps_h = taps.count;
    row.call.channels = row.channels * plan->fold;
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
        call.channels = call.out_step = depthwise_min(DEPTHWISE_FOLD, all - done);
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
                           ptrdiff_t outs, depthwise_taps taps)
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
            if (plan->fold > 1) outs = depthwise_min(outs, FVI_DEPTHWISE_OUTS);
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

/* Pieces of a row, or of two, narrow enough that what several kernel rows read stays in the nearest
   cache. */
static ptrdiff_t depthwise_pieces(ptrdiff_t places, ptrdiff_t floats)
{
    const ptrdiff_t wanted = depthwise_ceil(places * floats, DEPTHWISE_PIECE);
    return depthwise_max(1, depthwise_min(wanted, places / DEPTHWISE_PLACES));
}

/* Row i, or rows i and i + 1, as strips. */
static void depthwise_run_strips(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i,
                                 ptrdiff_t rows)
{
    const fvi_gather *g = plan->g;
    const ptrdiff_t from = plan->inside_from, places = plan->inside_to - from;
    depthwise_row row = depthwise_begin(plan, image, i, 0);
    fvi_depthwise_rows *call = &row.call;
    const ptrdiff_t pieces = depthwise_pieces(places, call->source_step);
    fvi_depthwise_rows_fn *run =
        rows > 1 ? plan->table->along_pair : plan->table->along[call->taps_h - 2];
    call->weights = g->weights + row.weights;
    call->out_below = g->h.step * g->out_w * g->out_pitch;
    call->ahead_row = call->out_below * (ptrdiff_t)sizeof(float);
    for (ptrdiff_t p = 0; p < pieces; ++p) {
        const ptrdiff_t j = from + places * p / pieces, out = row.out + j * call->out_step;
        call->source = g->source + row.source + j * call->source_step;
        call->out = g->out + out;
        call->mask = g->mask ? g->mask + out : NULL;
        call->outs = from + places * (p + 1) / pieces - j;
        call->has_left = p == 0 && plan->has_left;
        call->has_right = p == pieces - 1 && plan->has_right;
        call->ahead = (const char *)(call->out + rows * call->out_below);
        run(call);
    }
    const ptrdiff_t to = plan->inside_to + plan->has_right;
    for (ptrdiff_t r = i; r < i + rows; ++r)
        depthwise_run_single(plan, image, r, from - plan->has_left, to);
}

static void depthwise_run_rows(const depthwise_plan *plan, ptrdiff_t image, ptrdiff_t i0,
                               ptrdiff_t i1)
{
    for (ptrdiff_t i = i0; i < i1; ++i) {
        const ptrdiff_t taps = depthwise_axis(&plan->g->h, i).count;
        const ptrdiff_t below = i + 1 < i1 ? depthwise_axis(&plan->g->h, i + 1).count : 0;
        if (plan->has_strips && (taps == 2 || taps == 3)) {
            const bool is_pair = taps == 3 && below == 3;
            depthwise_run_strips(plan, image, i, 1 + is_pair);
            i += is_pair;
        } else if (plan->has_pairs && taps > 0 && below > 0) {
            depthwise_row row = depthwise_begin_pair(plan, image, i++);
            depthwise_run_row(plan, &row, 0, 0);
        } else {
            depthwise_run_single(plan, image, i, 0, 0);
        }
    }
}

/* Images in bands of rows; of each band all parts, which lie between each other's rows. */
typedef struct depthwise_job {
    depthwise_plan plan[FVI_DEPTHWISE_PARTS];
    ptrdiff_t parts, bands;
} depthwise_job;

static void depthwise_task(void *context, size_t task)
{
    const depthwise_job *job = context;
    const ptrdiff_t image = (ptrdiff_t)task / job->bands, band = (ptrdiff_t)task % job->bands;
    for (ptrdiff_t p = 0; p < job->parts; ++p) {
        const depthwise_plan *plan = &job->plan[p];
        const ptrdiff_t rows = plan->g->h.count, pairs = (rows + 1) / 2;
        depthwise_run_rows(plan, image, pairs * band / job->bands * 2,
                           depthwise_min(rows, pairs * (band + 1) / job->bands * 2));
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
    plan.sums = depthwise_max(g->depth, g->columns);
    if (g->is_transposed)
        plan.fold = g->depth / g->columns;
    else
        plan.spread = g->columns / g->depth;
    plan.kind = depthwise_kind(&plan);
    const ptrdiff_t last = w->source_size - 1 - w->source_first - (w->taps - 1) * w->gap;
    if (w->source_first < 0) plan.inside_from = depthwise_ceil(-w->source_first, w->source_step);
    if (last >= 0) plan.inside_to = depthwise_min(w->count, last / w->source_step + 1);
    /* of a call: what is to be added up must fit */
    plan.each = plan.fold > 1 ? depthwise_max(1, DEPTHWISE_FOLD / plan.fold) : plan.sums;
    if (plan.spread > 1 || plan.fold > 1 || g->is_added || plan.sums < k->depthwise->lanes ||
        g->h.gap > 1)
        return plan;
    plan.has_pairs = k->depthwise->pairs[plan.kind] && g->h.source_step < g->h.taps &&
                     depthwise_axis(w, 0).count > 0 && depthwise_axis(w, w->count - 1).count > 0;
    plan.has_strips = k->depthwise->along_pair && plan.kind == FVI_DEPTHWISE_3_1 &&
                      g->h.source_step == 1 && plan.inside_from < plan.inside_to &&
                      (plan.sums <= DEPTHWISE_NARROW || plan.sums >= DEPTHWISE_WIDE);
    if (!plan.has_strips) return plan;
    const depthwise_taps before = depthwise_axis(w, plan.inside_from - 1);
    const depthwise_taps after = depthwise_axis(w, plan.inside_to);
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
    work *= (double)g->N * (double)job.plan[0].sums;
    if (!(work > 0)) return;
    const ptrdiff_t floats =
        g->h.source_size * g->w.source_size * g->depth + g->out_h * g->out_w * g->columns;
    job.bands = depthwise_max(depthwise_ceil(floats, DEPTHWISE_BAND), DEPTHWISE_TASKS / g->N);
    job.bands = depthwise_max(1, depthwise_min(job.bands, g->h.count / 4));
    if (work < DEPTHWISE_ALONE) threads = NULL;
    fvi_parallel_for(threads, (size_t)(g->N * job.bands), depthwise_task, &job);
}

/* ---- weight and bias gradient ---- */

/* dw[kh, kw, f] = sum over output pixels of x[its pixel under the tap, f / M] * dy[pixel, f]. Outputs
   that meet the same taps form rectangles; of each, a call sums a few taps. Images are cut into
   shards by geometry and batch alone, each with its own dw, and these are added in order. */
typedef struct depthwise_sum {
    const fvi_depthwise_table *table;
    const fvi_conv_shape *s;
    float *dw, *db, *copies;
    const float *x, *dy;
    ptrdiff_t shards, each, groups; /* channels of a task */
} depthwise_sum;

ptrdiff_t fvi_depthwise_shards(const fvi_conv_shape *s)
{
    const ptrdiff_t size = (s->KH * s->KW + 1) * s->F, pixels = s->N * s->OH * s->OW;
    const ptrdiff_t most = depthwise_min(DEPTHWISE_COPIES / size, pixels / DEPTHWISE_SHARD);
    return depthwise_max(1, depthwise_min(depthwise_min(most, FVI_CONV_SHARDS), s->N));
}

/* A rectangle of outputs of one image: their rows and columns, and the taps that all of them meet. */
typedef struct depthwise_area {
    ptrdiff_t image, h0, h1, w0, w1;
    depthwise_taps h, w;
} depthwise_area;

/* The taps of an area [h0, h1), a few at a time. */
static void depthwise_area_sums(const depthwise_sum *sum, fvi_depthwise_sums *call,
                                const depthwise_area *area)
{
    const fvi_conv_shape *s = sum->s;
    fvi_depthwise_sums_fn *const *run =
        call->spread > 1 ? sum->table->spread_sums : sum->table->sums;
    ptrdiff_t shift[FVI_DEPTHWISE_TAPS], place[FVI_DEPTHWISE_TAPS];
    const ptrdiff_t all = area->h.count * area->w.count;
    ptrdiff_t done = 0;
    call->shift = shift;
    call->place = place;
    do {
        ptrdiff_t taps = 0;
        for (; taps < FVI_DEPTHWISE_TAPS && done < all; ++taps, ++done) {
            const ptrdiff_t i = done / area->w.count, j = done % area->w.count;
            shift[taps] = (i * s->DH * s->W + j * s->DW) * s->x_pitch;
            place[taps] = ((area->h.first + i) * s->KW + area->w.first + j) * s->F;
        }
        run[taps](call);
        call->db = NULL; /* once for each area */
    } while (done < all);
}

static void depthwise_area_run(const depthwise_sum *sum, const depthwise_area *area, ptrdiff_t c,
                               ptrdiff_t channels, float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t spread = s->F / s->C;
    const ptrdiff_t row = (area->w1 - area->w0) * s->SW * s->SH * s->C;
    const ptrdiff_t rows = depthwise_max(1, DEPTHWISE_SUMS / row);
    const bool has_taps = area->h.count > 0 && area->w.count > 0;
    const ptrdiff_t iw = area->w0 * s->SW - s->pad_left + area->w.first * s->DW;
    for (ptrdiff_t h = area->h0; h < area->h1; h += rows) {
        const ptrdiff_t ih = h * s->SH - s->pad_top + area->h.first * s->DH;
        const ptrdiff_t x = ((area->image * s->H + ih) * s->W + iw) * s->x_pitch + c / spread;
        const ptrdiff_t dy = ((area->image * s->OH + h) * s->OW + area->w0) * s->y_pitch + c;
        fvi_depthwise_sums call = {
            .x = sum->x + (has_taps ? x : 0),
            .dy = sum->dy + dy,
            .x_row = s->SH * s->W * s->x_pitch,
            .x_step = s->SW * s->x_pitch,
            .dy_row = s->OW * s->y_pitch,
            .dy_step = s->y_pitch,
            .rows = depthwise_min(rows, area->h1 - h),
            .columns = area->w1 - area->w0,
            .channels = channels,
            .spread = spread,
            .dw = dw + c,
            .db = db ? db + c : NULL,
        };
        depthwise_area_sums(sum, &call, area);
    }
}

/* A row of outputs at a time under a kernel 3 wide, or two, in pieces narrow enough that what several
   kernel rows read stays in the nearest cache: outputs [from, to) of a row, of which the first may
   miss the first tap of each kernel row, the last the last one. */
typedef struct depthwise_strips {
    ptrdiff_t from, to;
    bool has_left, has_right;
} depthwise_strips;

static depthwise_strips depthwise_strips_of(const fvi_conv_shape *s)
{
    depthwise_strips strips = {.to = 0};
    if (s->F > s->C || s->KH != 3 || s->KW != 3 || s->DW > 1 || s->SW > 2) return strips;
    const ptrdiff_t last = s->W - 3 + s->pad_left;
    ptrdiff_t from = depthwise_ceil(s->pad_left, s->SW);
    ptrdiff_t to = last < 0 ? 0 : depthwise_min(s->OW, last / s->SW + 1);
    if (from >= to) return strips;
    strips.has_left = from > 0 && (from - 1) * s->SW - s->pad_left == -1;
    strips.has_right = to < s->OW && to * s->SW - s->pad_left == s->W - 2;
    strips.from = from - strips.has_left;
    strips.to = to + strips.has_right;
    return strips;
}

/* Rows [h, h + rows) of an area. */
static void depthwise_strips_run(const depthwise_sum *sum, const depthwise_strips *strips,
                                 const depthwise_area *area, ptrdiff_t h, ptrdiff_t rows,
                                 fvi_depthwise_strip *call, ptrdiff_t c)
{
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t line = s->W * s->x_pitch, ih = h * s->SH - s->pad_top + area->h.first * s->DH;
    const ptrdiff_t below = ih + (rows - 1) * s->SH + (area->h.count - 1) * s->DH + 1;
    const ptrdiff_t from = strips->from + strips->has_left, to = strips->to - strips->has_right;
    const ptrdiff_t pieces = depthwise_pieces(to - from, s->SW * s->F);
    const float *x = sum->x + area->image * s->H * line;
    const float *dy = sum->dy + (area->image * s->OH + h) * s->OW * s->y_pitch;
    fvi_depthwise_strip_fn *run =
        rows > 1 ? sum->table->strip_pair : sum->table->strips[s->SW - 1][area->h.count - 2];
    for (ptrdiff_t i = 0; i < pieces; ++i) {
        const ptrdiff_t w = from + (to - from) * i / pieces;
        const ptrdiff_t iw = (w * s->SW - s->pad_left) * s->x_pitch;
        call->places = from + (to - from) * (i + 1) / pieces - w;
        call->has_left = i == 0 && strips->has_left;
        call->has_right = i == pieces - 1 && strips->has_right;
        call->x = x + ih * line + iw + c;
        call->dy = dy + w * s->y_pitch + c;
        call->x_ahead = (const char *)(x + below * line + iw);
        call->dy_ahead = (const char *)(dy + (rows * s->OW + w) * s->y_pitch);
        run(call);
    }
}

static void depthwise_strips_area(const depthwise_sum *sum, const depthwise_strips *strips,
                                  const depthwise_area *area, ptrdiff_t c, ptrdiff_t channels,
                                  float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const bool has_pairs =
        sum->table->strip_pair && area->h.count == 3 && s->SH == 1 && s->SW == 1 && s->DH == 1;
    fvi_depthwise_strip call = {
        .x_row = s->DH * s->W * s->x_pitch,
        .x_pixel = s->x_pitch,
        .dy_row = s->OW * s->y_pitch,
        .dy_pixel = s->y_pitch,
        .channels = channels,
        .dw = dw + area->h.first * 3 * s->F + c,
        .tap = s->F,
        .db = db ? db + c : NULL,
        .x_ahead_row = s->W * s->x_pitch * (ptrdiff_t)sizeof *dw,
        .dy_ahead_row = s->OW * s->y_pitch * (ptrdiff_t)sizeof *dw,
    };
    for (ptrdiff_t h = area->h0, rows; h < area->h1; h += rows) {
        rows = has_pairs && h + 1 < area->h1 ? 2 : 1;
        depthwise_strips_run(sum, strips, area, h, rows, &call, c);
    }
}

/* All areas of an image. */
static void depthwise_image(const depthwise_sum *sum, ptrdiff_t image, ptrdiff_t c,
                            ptrdiff_t channels, float *dw, float *db)
{
    const fvi_conv_shape *s = sum->s;
    const depthwise_strips strips = depthwise_strips_of(s);
    depthwise_area a = {.image = image};
    for (a.h0 = 0; a.h0 < s->OH; a.h0 = a.h1) {
        a.h = depthwise_clip(a.h0 * s->SH - s->pad_top, s->H, s->DH, s->KH);
        depthwise_taps next = a.h;
        for (a.h1 = a.h0; a.h1 < s->OH && next.first == a.h.first && next.count == a.h.count;)
            next = depthwise_clip(++a.h1 * s->SH - s->pad_top, s->H, s->DH, s->KH);
        const bool has_strips = a.h.count > 1 && strips.from < strips.to;
        if (has_strips) depthwise_strips_area(sum, &strips, &a, c, channels, dw, db);
        for (a.w0 = 0; a.w0 < s->OW; a.w0 = a.w1) {
            a.w = next = depthwise_clip(a.w0 * s->SW - s->pad_left, s->W, s->DW, s->KW);
            for (a.w1 = a.w0; a.w1 < s->OW && next.first == a.w.first && next.count == a.w.count;)
                next = depthwise_clip(++a.w1 * s->SW - s->pad_left, s->W, s->DW, s->KW);
            if (!has_strips || a.w0 < strips.from || a.w0 >= strips.to)
                depthwise_area_run(sum, &a, c, channels, dw, db);
        }
    }
}

static void depthwise_sum_task(void *context, size_t task)
{
    const depthwise_sum *sum = context;
    const fvi_conv_shape *s = sum->s;
    const ptrdiff_t shard = (ptrdiff_t)task / sum->groups, taps = s->KH * s->KW;
    const ptrdiff_t c = (ptrdiff_t)task % sum->groups * sum->each;
    const ptrdiff_t channels = depthwise_min(sum->each, s->F - c);
    float *dw = shard == 0 ? sum->dw : sum->copies + (shard - 1) * (taps + 1) * s->F;
    float *db = shard == 0 || !sum->db ? sum->db : dw + taps * s->F;
    for (ptrdiff_t t = 0; t < taps; ++t)
        memset(dw + t * s->F + c, 0, (size_t)channels * sizeof *dw);
    if (db) memset(db + c, 0, (size_t)channels * sizeof *db);
    for (ptrdiff_t n = s->N * shard / sum->shards; n < s->N * (shard + 1) / sum->shards; ++n)
        depthwise_image(sum, n, c, channels, dw, db);
}

void fvi_depthwise_weights(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s,
                           float *dw, float *db, const float *x, const float *dy, float *scratch)
{
    depthwise_sum sum = {
        .table = k->depthwise, .s = s, .dw = dw, .db = db, .copies = scratch, .x = x, .dy = dy};
    const ptrdiff_t size = s->KH * s->KW * s->F;
    sum.shards = fvi_depthwise_shards(s);
    if ((double)(s->N * s->OH * s->OW) * (double)size < DEPTHWISE_ALONE) threads = NULL;
    /* Where shards are too few, channels are cut, which changes no sum: at whole vectors, and where
       a channel of x ends. */
    const ptrdiff_t unit = DEPTHWISE_UNIT * (s->F / s->C), units = depthwise_ceil(s->F, unit);
    const ptrdiff_t wanted = 2 * fvi_threads_count(threads) / sum.shards;
    sum.each = units * unit;
    if (fvi_threads_count(threads) > 1 && wanted > 1)
        sum.each = depthwise_ceil(units, wanted) * unit;
    sum.groups = depthwise_ceil(s->F, sum.each);
    fvi_parallel_for(threads, (size_t)(sum.shards * sum.groups), depthwise_sum_task, &sum);
    for (ptrdiff_t shard = 1; shard < sum.shards; ++shard) {
        const float *copy = scratch + (shard - 1) * (size + s->F);
        for (ptrdiff_t i = 0; i < size; ++i)
            dw[i] += copy[i];
        for (ptrdiff_t i = 0; db && i < s->F; ++i)
            db[i] += copy[size + i];
    }
}
