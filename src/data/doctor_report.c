/* SPDX-License-Identifier: MIT */
/* What the doctor found: the list of codes, and the report that holds the findings. */
#include "data/doctor_internal.h"

#include <string.h>

/* Groups of checks; a group without a finding gets one line. */
typedef enum report_group {
    REPORT_READING,
    REPORT_FILES,
    REPORT_COPIES,
    REPORT_LEAKS,
    REPORT_PARTS,
    REPORT_CLASSES_GROUP,
    REPORT_BALANCE,
    REPORT_VALUES,
    REPORT_OTHER, /* no line for these */
    REPORT_GROUPS
} report_group;

/* Every code there is, the graver ones of a group first; the end of this file has it. */
typedef struct report_code {
    const char *code;
    report_group group;
    const char *advice;
} report_code;
static const report_code *report_find(const char *code);
static const char *const report_fine[REPORT_GROUPS];

_Static_assert(REPORT_GROUPS <= FVI_REPORT_FINE, "a line for each group has its place");

struct fvi_report_block {
    struct fvi_report_block *next;
    _Alignas(max_align_t) unsigned char bytes[];
};

/* ---- making one ---- */

fv_status fvi_report_new(fv_report **report, int parts)
{
    fv_report *r = fvi_alloc(1, sizeof *r, "a report");
    *report = r;
    if (!r) return FV_E_MEMORY;
    r->parts = parts;
    r->part = fvi_report_keep(r, (size_t)parts, sizeof *r->part);
    if (r->part) return FV_OK;
    fv_report_free(r);
    *report = NULL;
    return FV_E_MEMORY;
}

void fv_report_free(fv_report *report)
{
    if (!report) return;
    for (fvi_report_block *at = report->blocks, *next; at; at = next) {
        next = at->next;
        fvi_free(at);
    }
    fvi_free(report->finding);
    fvi_free(report);
}

void *fvi_report_keep(fv_report *report, size_t count, size_t size)
{
    size_t bytes;
    if (!fvi_mul(&bytes, count, size) || !fvi_sum(&bytes, bytes, sizeof(fvi_report_block)))
        bytes = SIZE_MAX; /* which fvi_alloc refuses */
    fvi_report_block *block = fvi_alloc(bytes, 1, "a report");
    if (!block) return NULL;
    block->next = report->blocks;
    report->blocks = block;
    return block->bytes;
}

const char *fvi_report_copy(fv_report *report, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = fvi_report_keep(report, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

const char *fvi_split_name(fv_split split)
{
    return split == FV_TRAIN ? "train" : split == FV_TEST ? "test" : "val";
}

/* ---- a finding while it is made ---- */

static void draft_end(fvi_draft *draft)
{
    fvi_text_add_bytes(&draft->examples, "", 1);
    draft->n_examples++;
}

static void draft_name(fvi_draft *draft, const fvi_doctor *d, int k)
{
    int p = fvi_doctor_part(d, k), i = fvi_doctor_at(d, k);
    const char *path = fv_dataset_path(d->part[p], i);
    if (path)
        fvi_text_add_bytes(&draft->examples, path, strlen(path));
    else
        fvi_text_add(&draft->examples, "%s#%d", fvi_split_name(d->split[p]), i);
}

void fvi_draft_pair(fvi_draft *draft, const fvi_doctor *d, int a, int b, const char *between,
                    const char *remark)
{
    if (draft->n_examples >= d->config.examples) return;
    draft_name(draft, d, a);
    if (b >= 0) {
        fvi_text_add(&draft->examples, " %s ", between);
        draft_name(draft, d, b);
    }
    if (remark) fvi_text_add(&draft->examples, " (%s)", remark);
    draft_end(draft);
}

void fvi_draft_example(fvi_draft *draft, const fvi_doctor *d, int k, const char *remark)
{
    fvi_draft_pair(draft, d, k, -1, NULL, remark);
}

void fvi_draft_text(fvi_draft *draft, const fvi_doctor *d, const char *example)
{
    if (draft->n_examples >= d->config.examples) return;
    fvi_text_add_bytes(&draft->examples, example, strlen(example));
    draft_end(draft);
}

void fvi_draft_share(fvi_draft *draft, int count, int of, const char *what)
{
    fvi_text_add(&draft->text, "%d of %d %s (", count, of, what);
    fvi_text_add_fixed(&draft->text, of > 0 ? 100.0 * count / of : 0, 1);
    fvi_text_add(&draft->text, " %%)");
}

static fv_status draft_keep(fvi_draft *draft, fv_report *r, fv_finding *f)
{
    size_t n = (size_t)draft->n_examples;
    const char **list = fvi_report_keep(r, n, sizeof *list);
    char *examples = list ? fvi_report_keep(r, draft->examples.size, 1) : NULL;
    f->text = examples ? fvi_report_copy(r, draft->text.data) : NULL;
    if (!f->text) return FV_E_MEMORY;
    if (n > 0) memcpy(examples, draft->examples.data, draft->examples.size);
    for (size_t i = 0; i < n; i++) {
        list[i] = examples;
        examples += strlen(examples) + 1;
    }
    f->examples = list;
    f->n_examples = draft->n_examples;
    return FV_OK;
}

void fvi_draft_free(fvi_draft *draft)
{
    fvi_text_free(&draft->text);
    fvi_text_free(&draft->examples);
    *draft = (fvi_draft){0};
}

fv_status fvi_draft_close(fvi_draft *draft, fvi_doctor *d, const char *code, fv_severity severity,
                          int count)
{
    fv_report *r = d->report;
    const report_code *row = report_find(code);
    fv_finding finding = {
        .code = row->code, .severity = severity, .count = count, .advice = row->advice};
    fv_status status = FV_OK;
    /* Texts fail silently; what was said of it then may be overwritten by now. */
    if (draft->text.status != FV_OK || draft->examples.status != FV_OK)
        status = fvi_fail(FV_E_MEMORY, "out of memory: a finding");
    if (status == FV_OK) status = draft_keep(draft, r, &finding);
    if (status == FV_OK) {
        size_t n = (size_t)r->count;
        fv_finding *grown = fvi_grow(r->finding, n, n + 1, sizeof *grown, "findings");
        if (grown) {
            r->finding = grown;
            r->finding[r->count++] = finding;
        } else {
            status = FV_E_MEMORY;
        }
    }
    fvi_draft_free(draft);
    return status;
}

/* ---- closing it ---- */

/* What spoils first, then in the order of the table; of equal code as they were found. */
static bool report_is_before(const fv_finding *a, const fv_finding *b)
{
    if (a->severity != b->severity) return a->severity > b->severity;
    return report_find(a->code) < report_find(b->code);
}

static void report_sort(fv_report *r)
{
    for (int i = 1; i < r->count; i++) {
        fv_finding moved = r->finding[i];
        int at = i;
        for (; at > 0 && report_is_before(&moved, &r->finding[at - 1]); at--) {
            r->finding[at] = r->finding[at - 1];
        }
        r->finding[at] = moved;
    }
}

static bool report_was_checked(const fvi_doctor *d, int group)
{
    switch (group) {
    case REPORT_FILES: { /* pictures in files of their own */
        return !d->config.cheap && fv_dataset_path(d->part[0], 0);
    }
    case REPORT_COPIES:
        return !d->config.cheap;
    case REPORT_LEAKS:
        return !d->config.cheap && d->parts > 1;
    case REPORT_PARTS:
        return d->parts > 1;
    case REPORT_CLASSES_GROUP:
    case REPORT_BALANCE:
        return d->summary[0].classes > 0;
    default:
        return true;
    }
}

void fvi_report_close(fv_report *r, const fvi_doctor *d)
{
    bool has_finding[REPORT_GROUPS] = {false};
    report_sort(r);
    r->is_cheap = d->config.cheap;
    for (int i = 0; i < r->count; i++) {
        has_finding[report_find(r->finding[i].code)->group] = true;
    }
    for (int group = 0; group < REPORT_GROUPS; group++) {
        if (report_fine[group] && !has_finding[group] && report_was_checked(d, group))
            r->fine[r->fines++] = report_fine[group];
    }
}

/* ---- looking at it ---- */

bool fv_report_spoils(const fv_report *report)
{
    return report && report->count > 0 && report->finding[0].severity == FV_SPOILS;
}

const fv_finding *fv_report_finding(const fv_report *report, int i)
{
    return report && i >= 0 && i < report->count ? &report->finding[i] : NULL;
}

const char *fv_report_fine(const fv_report *report, int i)
{
    return report && i >= 0 && i < report->fines ? report->fine[i] : NULL;
}

const fv_part *fv_report_part(const fv_report *report, int i)
{
    return report && i >= 0 && i < report->parts ? &report->part[i] : NULL;
}

/* ---- the lists ---- */

static const char *const report_fine[REPORT_GROUPS] = {
    [REPORT_READING] = "every picture looked at can be read",
    [REPORT_FILES] = "files are alike in size and colour, and named for what they are",
    [REPORT_COPIES] = "no picture is there twice",
    [REPORT_LEAKS] = "no part has a picture of another",
    [REPORT_PARTS] = "the parts agree about shape, type and classes",
    [REPORT_CLASSES_GROUP] = "every class has pictures in every part",
    [REPORT_BALANCE] = "classes are about as large as each other",
    [REPORT_VALUES] = "values are in the range that networks take",
};

static const report_code report_codes[] = {
    {"unreadable", REPORT_READING,
     "replace or delete these files; training leaves them out (--strict refuses them)"},
    {"truncated", REPORT_READING, "copy or fetch these files again: their end is missing"},
    {"odd-size", REPORT_FILES,
     "see whether they belong here; they are resized like the rest, --resize pad keeps "
     "proportions"},
    {"odd-channels", REPORT_FILES,
     "see whether they belong here; a network may learn the difference instead of the class"},
    {"misnamed", REPORT_FILES, "rename them when other programs go by the name; Fovea does not"},
    {"leak", REPORT_LEAKS,
     "take them out of one part: what was trained on cannot show how well new pictures do"},
    {"mislabelled-duplicate", REPORT_COPIES,
     "decide which class is right and delete the other copy"},
    {"duplicate", REPORT_COPIES,
     "delete the copies before splitting: a random split puts them on both sides"},
    {"near-duplicate", REPORT_COPIES,
     "look at them: copies, resized or saved again, belong on the same side of a split"},
    {"shape", REPORT_PARTS, "bring all parts to one shape and type"},
    {"class-order", REPORT_PARTS,
     "give every part the same class folders or list of classes, in the same order"},
    {"label-range", REPORT_CLASSES_GROUP,
     "number the classes 0, 1, 2, ... in every part, as those trained on; targets from 0 to 1"},
    {"one-class", REPORT_CLASSES_GROUP,
     "add pictures of what it is not: with one class there is nothing to learn"},
    {"empty-class", REPORT_CLASSES_GROUP, "add pictures, or remove the class"},
    {"missing-class", REPORT_CLASSES_GROUP,
     "split again, with pictures of every class in each part"},
    {"imbalance", REPORT_BALANCE,
     "add pictures of the small classes; look at the accuracy of each class, not at the mean "
     "alone"},
    {"not-a-number", REPORT_VALUES, "find out where they were computed; training would become NaN"},
    {"constant", REPORT_VALUES, "delete them, or see why they came out empty"},
    {"value-range", REPORT_VALUES,
     "8-bit pixels are divided by 255, floats are taken as they are: bring them to 0 .. 1"},
    {"zero-variance", REPORT_VALUES, "see whether a channel was lost; it tells a network nothing"},
    {"grey", REPORT_OTHER, "a network with one input channel would do with a third of the work"},
};

static const report_code *report_find(const char *code)
{
    const report_code *row = report_codes;
    while (strcmp(row->code, code) != 0) {
        row++;
    }
    return row;
}

const char *fvi_doctor_code(int i)
{
    return i >= 0 && i < (int)FVI_COUNT(report_codes) ? report_codes[i].code : NULL;
}
