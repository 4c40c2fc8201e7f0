/* SPDX-License-Identifier: MIT */
/* Places of arrays: memory is used again once the last reader is done. */
#include "model/model_span.h"

#include <stdlib.h>

#define SPAN_MANY 4096

/* Floats times steps: what is large and lives long is hardest to place. */
static int span_by_area(const void *left, const void *right)
{
    const fvi_span *a = left, *b = right;
    const double in_a = (double)a->size * (1 + a->last - a->first);
    const double in_b = (double)b->size * (1 + b->last - b->first);
    if (in_a < in_b || in_b < in_a) return in_a < in_b ? 1 : -1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int span_by_step(const void *left, const void *right)
{
    const fvi_span *a = left, *b = right;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->size < b->size ? 1 : a->size > b->size ? -1 : 0;
}

static bool span_is_apart(const fvi_span *a, const fvi_span *b)
{
    if (a->last < b->first || b->last < a->first) return true;
    const bool in_hole = a->hole_first < b->first && b->last < a->hole_last;
    const bool of_hole = b->hole_first < a->first && a->last < b->hole_last;
    return in_hole || of_hole;
}

/* The smallest gap between the spans that live at the same time; `placed` is sorted by offset. */
static bool span_fit(fvi_span *span, const fvi_span *const *placed, int n)
{
    size_t end = 0, best = FVI_NOWHERE, best_gap = FVI_NOWHERE;
    for (int i = 0; i < n; i++) {
        const fvi_span *other = placed[i];
        if (span_is_apart(span, other)) continue;
        if (other->offset > end && other->offset - end >= span->size &&
            other->offset - end < best_gap) {
            best = end;
            best_gap = other->offset - end;
        }
        if (other->offset + other->size > end) end = other->offset + other->size;
    }
    span->offset = best == FVI_NOWHERE ? end : best;
    size_t after;
    return fvi_sum(&after, span->offset, span->size);
}

/* Best fit, the largest area first. With very many layers in order of steps instead, which wastes a
   little more memory but needs to look only at the spans that are alive. */
bool fvi_span_place(fvi_span *span, const fvi_span **placed, int n, size_t *total)
{
    const bool in_order = n > SPAN_MANY;
    int count = 0;
    if (n > 0) qsort(span, (size_t)n, sizeof *span, in_order ? span_by_step : span_by_area);
    for (int i = 0; i < n; i++) {
        if (in_order) {
            int alive = 0;
            for (int k = 0; k < count; k++) {
                if (placed[k]->last >= span[i].first) placed[alive++] = placed[k];
            }
            count = alive;
        }
        if (!span_fit(&span[i], placed, count)) return false;
        int at = count++;
        for (; at > 0 && placed[at - 1]->offset > span[i].offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = &span[i];
        if (span[i].offset + span[i].size > *total) *total = span[i].offset + span[i].size;
        *span[i].to = span[i].offset;
    }
    return true;
}
