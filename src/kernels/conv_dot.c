/* SPDX-License-Identifier: MIT */
/* Forward for one output of much depth, as the last layer of a classifier of two classes: the only
   sum of a tile of the gather would wait for each of its own additions, and leave all lanes of its
   vector but one empty. Here a vector holds neighbouring inputs. */
#include "kernels/conv_internal.h"

#define DOT_DEPTH 64     /* below this the gather is as good */
#define DOT_TASK 200000  /* multiply-adds worth a task */
#define DOT_ALONE 500000 /* below this no thread is woken */

typedef struct dot_plan {
    const fvi_tile_table *tiles;
    fvi_tile_dots all;
    ptrdiff_t rows; /* of a task */
} dot_plan;

bool fvi_dot_pays(const fvi_conv_shape *s)
{
    return s->F == 1 && s->C >= DOT_DEPTH && s->KH == 1 && s->KW == 1 && s->SH == 1 && s->SW == 1 &&
           s->OH == s->H && s->OW == s->W && s->groups == 1;
}

static void dot_task(void *context, size_t task)
{
    const dot_plan *plan = context;
    const ptrdiff_t first = (ptrdiff_t)task * plan->rows, left = plan->all.rows - first;
    fvi_tile_dots call = plan->all;
    call.rows = left < plan->rows ? left : plan->rows;
    call.x += first * call.x_step;
    call.out += first * call.out_step;
    plan->tiles->dots(&call);
}

void fvi_dot_run(const fvi_kernels *k, fvi_threads *threads, const fvi_conv_shape *s, float *y,
                 const float *x, const float *w, const float *b, bool is_clipped)
{
    dot_plan plan = {.tiles = k->tiles,
                     .all = {.x = x,
                             .x_step = s->x_pitch,
                             .rows = s->N * s->OH * s->OW,
                             .w = w,
                             .depth = (size_t)s->C,
                             .out = y,
                             .out_step = s->y_pitch,
                             .start = b ? *b : 0,
                             .is_clipped = is_clipped},
                     .rows = s->C < DOT_TASK ? DOT_TASK / s->C : 1};
    if (plan.all.rows < DOT_ALONE / s->C) threads = NULL;
    fvi_parallel_for(threads, (size_t)((plan.all.rows + plan.rows - 1) / plan.rows), dot_task,
                     &plan);
}
