/* SPDX-License-Identifier: MIT */
/* Labels and classes: whether every part means the same by them, and has enough of each. */
#include "data/doctor_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what the labels are ---- */

/* Whether targets name classes: rows of one 1 and else 0; or one column of 0 and 1. */
static bool classes_are_targets_classes(const fv_dataset *part)
{
    int K = part->classes;
    for (int i = 0; i < part->count; i++) {
        const float *row = part->target + (size_t)i * (size_t)K;
        int ones = 0;
        for (int k = 0; k < K; k++) {
            if (row[k] != 0 && row[k] != 1) return false;
            ones += row[k] == 1;
        }
        if (K > 1 && ones != 1) return false;
    }
    return true;
}

int fvi_doctor_label(const fvi_doctor *d, int p, int i)
{
    const fv_dataset *part = d->part[p];
    if (d->summary[p].classes == 0) return -1;
    if (part->target && part->classes == 1) return part->target[i] == 1;
    return fv_dataset_label(part, i);
}

static fv_status classes_summary(fvi_doctor *d, int p)
{
    static const char *const yes_or_no[] = {"0", "1"};
    const fv_dataset *part = d->part[p];
    fv_part *summary = &d->summary[p];
    bool is_one = part->target && part->classes == 1; /* one output: no or yes */
    if (part->target && !classes_are_targets_classes(part)) return FV_OK;
    int n = is_one ? 2 : part->classes;
    const char **name = fvi_report_keep(d->report, (size_t)n, sizeof *name);
    int *count = name ? fvi_report_keep(d->report, (size_t)n, sizeof *count) : NULL;
    if (!count) return FV_E_MEMORY;
    for (int c = 0; c < n; c++) {
        name[c] = fvi_report_copy(d->report, is_one ? yes_or_no[c] : part->class_name[c]);
        if (!name[c]) return FV_E_MEMORY;
    }
    summary->classes = n;
    summary->class_name = name;
    summary->class_count = count;
    for (int i = 0; i < part->count; i++) {
        int label = fvi_doctor_label(d, p, i);
        if (label >= 0 && label < n) count[label]++;
    }
    return FV_OK;
}

/* ---- labels without a class ---- */

/* Labels that the part to train on has no class for. */
static fv_status classes_range(fvi_doctor *d, int p)
{
    const fv_part *train = &d->summary[0];
    fvi_draft draft = {0};
    char remark[32];
    int count = 0, below = train->classes, worst = 0;
    if (below == 0 || d->summary[p].classes == 0) return FV_OK;
    for (int i = 0; i < d->part[p]->count; i++) {
        int label = fvi_doctor_label(d, p, i);
        if (label >= 0 && label < below) continue;
        if (count++ == 0 || label > worst) worst = label;
        char name[FVI_SAFE_TEXT];
        snprintf(remark, sizeof remark, "%d", label);
        snprintf(name, sizeof name, "%s#%d (label %s)", fvi_split_name(d->split[p]), i, remark);
        fvi_draft_text(&draft, d, name);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[p]));
    fvi_draft_share(&draft, count, d->part[p]->count, "labels");
    fvi_text_add(&draft.text, " have no class: up to %d, expected 0 to %d", worst, below - 1);
    return fvi_draft_close(&draft, d, "label-range", FV_SPOILS, count);
}

static fv_status classes_targets(fvi_doctor *d, int p)
{
    const fv_dataset *part = d->part[p];
    fvi_draft draft = {0};
    int count = 0;
    float low = 0, high = 1;
    for (int i = 0; part->target && i < part->count; i++) {
        const float *row = part->target + (size_t)i * (size_t)part->classes;
        bool is_out = false;
        for (int k = 0; k < part->classes; k++) {
            is_out = is_out || row[k] < 0 || row[k] > 1;
            low = fminf(low, row[k]);
            high = fmaxf(high, row[k]);
        }
        count += is_out;
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[p]));
    fvi_draft_share(&draft, count, part->count, "targets");
    fvi_text_add(&draft.text, " are outside 0 to 1: they go from ");
    fvi_text_add_double(&draft.text, (double)low);
    fvi_text_add(&draft.text, " to ");
    fvi_text_add_double(&draft.text, (double)high);
    return fvi_draft_close(&draft, d, "label-range", FV_WARNS, count);
}

/* ---- parts that disagree ---- */

/* Names that are but the numbers of the classes say nothing. */
static bool classes_are_numbered(const fv_part *part)
{
    char number[16];
    for (int c = 0; c < part->classes; c++) {
        snprintf(number, sizeof number, "%d", c);
        if (strcmp(number, part->class_name[c]) != 0) return false;
    }
    return true;
}

static fv_status classes_order(fvi_doctor *d, int p)
{
    const fv_part *a = &d->summary[0], *b = &d->summary[p];
    fvi_draft draft = {0};
    char name[2][FVI_SAFE_TEXT];
    int count = 0, first = -1;
    if (classes_are_numbered(a) || classes_are_numbered(b)) return FV_OK;
    for (int c = 0; c < a->classes && c < b->classes; c++) {
        if (strcmp(a->class_name[c], b->class_name[c]) == 0) continue;
        if (first < 0) first = c;
        count++;
    }
    if (count == 0) return FV_OK;
    d->is_disordered = true;
    fvi_text_add(&draft.text,
                 "%d classes have other names in %s than in %s: class %d is \"%s\", not "
                 "\"%s\"",
                 count, fvi_split_name(b->split), fvi_split_name(a->split), first,
                 fvi_safe(name[0], b->class_name[first]), fvi_safe(name[1], a->class_name[first]));
    return fvi_draft_close(&draft, d, "class-order", FV_SPOILS, count);
}

static fv_status classes_shape(fvi_doctor *d, int p)
{
    const fv_part *a = &d->summary[0], *b = &d->summary[p];
    fvi_draft draft = {0};
    char shape[2][FVI_SHAPE_TEXT];
    if (a->dtype == b->dtype && fvi_shape_equal(&a->shape, &b->shape)) return FV_OK;
    fvi_text_add(&draft.text, "%s has pictures of %s %s, %s of %s %s", fvi_split_name(a->split),
                 fvi_shape_text(shape[0], &a->shape), fv_dtype_name(a->dtype),
                 fvi_split_name(b->split), fvi_shape_text(shape[1], &b->shape),
                 fv_dtype_name(b->dtype));
    return fvi_draft_close(&draft, d, "shape", FV_SPOILS, b->count);
}

/* ---- classes without pictures ---- */

static void classes_example(fvi_draft *draft, const fvi_doctor *d, const fv_part *part, int c)
{
    char safe[FVI_SAFE_TEXT], name[FVI_SAFE_TEXT + 16];
    snprintf(name, sizeof name, "class \"%s\"", fvi_safe(safe, part->class_name[c]));
    fvi_draft_text(draft, d, name);
}

static bool classes_is_elsewhere(const fvi_doctor *d, int c)
{
    for (int p = 1; p < d->parts; p++) {
        if (c < d->summary[p].classes && d->summary[p].class_count[c] > 0) return true;
    }
    return false;
}

/* Of the part to train on: nowhere a picture (empty-class), or only in another (missing-class). */
static fv_status classes_untrained(fvi_doctor *d, const char *code, bool elsewhere)
{
    const fv_part *train = &d->summary[0];
    fvi_draft draft = {0};
    int count = 0;
    for (int c = 0; c < train->classes; c++) {
        if (train->class_count[c] > 0 || classes_is_elsewhere(d, c) != elsewhere) continue;
        count++;
        classes_example(&draft, d, train, c);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: %d of %d classes have no picture%s",
                 fvi_split_name(train->split), count, train->classes,
                 elsewhere ? " here, but in another part" : "");
    return fvi_draft_close(&draft, d, code, FV_SPOILS, count);
}

static fv_status classes_missing(fvi_doctor *d, int p)
{
    const fv_part *train = &d->summary[0], *part = &d->summary[p];
    fvi_draft draft = {0};
    int count = 0;
    for (int c = 0; c < train->classes; c++) {
        if (train->class_count[c] == 0 || (c < part->classes && part->class_count[c] > 0)) continue;
        count++;
        classes_example(&draft, d, train, c);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: %d of %d classes have no picture here",
                 fvi_split_name(part->split), count, train->classes);
    return fvi_draft_close(&draft, d, "missing-class", FV_WARNS, count);
}

static fv_status classes_one(fvi_doctor *d, int only)
{
    const fv_part *train = &d->summary[0];
    fvi_draft draft = {0};
    char safe[FVI_SAFE_TEXT];
    fvi_text_add(&draft.text, "%s: all %d pictures are of class \"%s\"",
                 fvi_split_name(train->split), train->count,
                 fvi_safe(safe, train->class_name[only]));
    return fvi_draft_close(&draft, d, "one-class", FV_SPOILS, train->count);
}

static fv_status classes_balance(fvi_doctor *d, int small, int large)
{
    const fv_part *train = &d->summary[0];
    fvi_draft draft = {0};
    char safe[2][FVI_SAFE_TEXT];
    double least = train->class_count[large] / d->config.imbalance;
    int count = 0;
    for (int c = 0; c < train->classes; c++) {
        if (train->class_count[c] == 0 || train->class_count[c] >= least) continue;
        char name[FVI_SAFE_TEXT + 40];
        count++;
        snprintf(name, sizeof name, "class \"%s\" (%d pictures)",
                 fvi_safe(safe[0], train->class_name[c]), train->class_count[c]);
        fvi_draft_text(&draft, d, name);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: class \"%s\" has %d pictures, \"%s\" only %d",
                 fvi_split_name(train->split), fvi_safe(safe[0], train->class_name[large]),
                 train->class_count[large], fvi_safe(safe[1], train->class_name[small]),
                 train->class_count[small]);
    return fvi_draft_close(&draft, d, "imbalance", FV_WARNS, count);
}

/* Of the part to train on. One class only says it all. */
static fv_status classes_train(fvi_doctor *d)
{
    const fv_part *train = &d->summary[0];
    int filled = 0, small = -1, large = -1;
    for (int c = 0; c < train->classes; c++) {
        int count = train->class_count[c];
        if (count == 0) continue;
        filled++;
        if (small < 0 || count < train->class_count[small]) small = c;
        if (large < 0 || count > train->class_count[large]) large = c;
    }
    if (filled == 1) return classes_one(d, large);
    FVI_TRY(classes_untrained(d, "empty-class", false));
    if (!d->is_disordered) FVI_TRY(classes_untrained(d, "missing-class", true));
    return filled > 1 ? classes_balance(d, small, large) : FV_OK;
}

fv_status fvi_doctor_classes(fvi_doctor *d)
{
    for (int p = 0; p < d->parts; p++) {
        FVI_TRY(classes_summary(d, p));
    }
    for (int p = 0; p < d->parts; p++) {
        FVI_TRY(classes_targets(d, p));
        if (p > 0) FVI_TRY(classes_shape(d, p));
        if (p > 0) FVI_TRY(classes_order(d, p));
        FVI_TRY(classes_range(d, p));
        if (p > 0 && !d->is_disordered && d->summary[p].classes > 0) FVI_TRY(classes_missing(d, p));
    }
    return d->summary[0].classes > 0 ? classes_train(d) : FV_OK;
}
