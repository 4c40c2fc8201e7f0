/* SPDX-License-Identifier: MIT */
/* Each picture by itself, and the values of all: what cannot be read, what differs from the rest,
   what is empty. */
#include "data/doctor_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES_ALIKE 0.9  /* of all files have the same size: then another size is odd */
#define PICTURES_RATIO 2.0  /* else, sides whose ratio is so far from the median's are */
#define PICTURES_SMALL 0.25 /* or the mean side is less than this share of the median's */
#define PICTURES_DARK 26.0  /* 8-bit pixels that never reach this, a tenth of the range */
#define PICTURES_LARGE 30.0 /* floats beyond this were not scaled */
#define PICTURES_UNIT 1.5   /* floats within this were */

/* ---- what cannot be read ---- */

typedef struct pictures_bad {
    fvi_draft unreadable, truncated;
    int n_unreadable, n_truncated;
} pictures_bad;

/* One that cannot be read: its file, or "train#12", and why. */
static fv_status pictures_add_bad(pictures_bad *bad, const fvi_doctor *d, const char *name,
                                  const char *path, const char *why)
{
    bool is_cut = fvi_doctor_is_cut(path);
    fvi_draft *draft = is_cut ? &bad->truncated : &bad->unreadable;
    fvi_text example = {0};
    *(is_cut ? &bad->n_truncated : &bad->n_unreadable) += 1;
    /* What reading a file says has its name already. */
    if (!path) fvi_text_add(&example, "%s: ", name);
    fvi_text_add(&example, "%s", why);
    if (example.status == FV_OK) fvi_draft_text(draft, d, example.data);
    fv_status status = example.status;
    fvi_text_free(&example);
    return status;
}

/* Reads it again for its error, since the text of another thread is not ours. */
static fv_status pictures_why(pictures_bad *bad, const fvi_doctor *d, fvi_store *store, int at,
                              const char *name)
{
    const char *path = store->kind->path ? store->kind->path(store, at) : NULL;
    void *pixels = fvi_alloc(store->bytes, 1, "a picture");
    char *why = NULL;
    if (!pixels) return FV_E_MEMORY;
    fv_status status = fvi_store_read(store, pixels, at, 0);
    if (status == FV_E_MEMORY && fvi_is_out_of_memory()) {
        fvi_free(pixels);
        return status;
    }
    why = fvi_strdup(status == FV_OK ? "could not be read at first" : fv_error());
    status = why ? pictures_add_bad(bad, d, name, path, why) : FV_E_MEMORY;
    fvi_free(why);
    fvi_free(pixels);
    return status;
}

static fv_status pictures_find_bad(pictures_bad *bad, fvi_doctor *d)
{
    char name[64];
    fv_status status = FV_OK;
    for (int k = 0; k < d->first[d->parts] && status == FV_OK; k++) {
        if (!d->mark[k].is_unreadable) continue;
        int p = fvi_doctor_part(d, k), i = fvi_doctor_at(d, k);
        d->summary[p].unreadable++;
        snprintf(name, sizeof name, "%s#%d", fvi_split_name(d->split[p]), i);
        status = pictures_why(bad, d, d->part[p]->store, fvi_dataset_at(d->part[p], i), name);
    }
    fvi_left_out *list = NULL;
    int n = 0;
    if (status == FV_OK) status = fvi_doctor_left_out(d, &list, &n);
    for (int i = 0; i < n && status == FV_OK; i++) {
        d->summary[list[i].part].unreadable++;
        snprintf(name, sizeof name, "picture %d of the set", list[i].i);
        status = pictures_why(bad, d, list[i].store, list[i].i, name);
    }
    fvi_free(list);
    return status;
}

static fv_status pictures_unreadable(fvi_doctor *d)
{
    pictures_bad bad = {0};
    fv_status status = pictures_find_bad(&bad, d);
    int all = 0, count = bad.n_unreadable + bad.n_truncated;
    for (int p = 0; p < d->parts; p++) {
        all += d->summary[p].looked;
    }
    all += count;
    for (int k = 0; k < d->first[d->parts]; k++) {
        all -= d->mark[k].is_unreadable; /* counted in both */
    }
    fv_severity severity = count > d->config.unreadable_share * all ? FV_SPOILS : FV_WARNS;
    if (bad.n_unreadable > 0) {
        fvi_draft_share(&bad.unreadable, bad.n_unreadable, all, "pictures");
        fvi_text_add(&bad.unreadable.text, " cannot be read");
    }
    if (bad.n_truncated > 0) {
        fvi_draft_share(&bad.truncated, bad.n_truncated, all, "pictures");
        fvi_text_add(&bad.truncated.text, " are cut short");
    }
    if (status == FV_OK && bad.n_unreadable > 0)
        status = fvi_draft_close(&bad.unreadable, d, "unreadable", severity, bad.n_unreadable);
    if (status == FV_OK && bad.n_truncated > 0)
        status = fvi_draft_close(&bad.truncated, d, "truncated", severity, bad.n_truncated);
    fvi_draft_free(&bad.unreadable);
    fvi_draft_free(&bad.truncated);
    return status;
}

/* ---- sizes of files ---- */

static uint32_t pictures_size(const fvi_mark *mark)
{
    return (uint32_t)mark->height << 16 | mark->width;
}

static double pictures_ratio(uint32_t size)
{
    return (double)(size & 0xFFFF) / (size >> 16);
}

static double pictures_side(uint32_t size)
{
    return sqrt((double)(size & 0xFFFF) * (size >> 16));
}

static int pictures_by_size(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static int pictures_by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* What is usual: one size, or the medians of ratio and side. */
typedef struct pictures_usual {
    uint32_t size; /* 0: there is none that most have */
    double ratio, side;
} pictures_usual;

static bool pictures_is_odd(const pictures_usual *usual, uint32_t size)
{
    if (usual->size) return size != usual->size;
    double ratio = pictures_ratio(size) / usual->ratio;
    return ratio > PICTURES_RATIO || ratio < 1 / PICTURES_RATIO ||
           pictures_side(size) < PICTURES_SMALL * usual->side;
}

/* size: [n] of all files, sorted here; scratch [n]. */
static pictures_usual pictures_what_is_usual(uint32_t *size, double *scratch, size_t n)
{
    pictures_usual usual = {0};
    size_t most = 0;
    qsort(size, n, sizeof *size, pictures_by_size);
    for (size_t i = 0, first = 0; i < n; i++) {
        if (size[i] != size[first]) first = i;
        if (i - first + 1 <= most) continue;
        most = i - first + 1;
        usual.size = size[i];
    }
    if ((double)most < PICTURES_ALIKE * (double)n) usual.size = 0;
    for (size_t i = 0; i < n; i++) {
        scratch[i] = pictures_ratio(size[i]);
    }
    qsort(scratch, n, sizeof *scratch, pictures_by_value);
    usual.ratio = scratch[n / 2];
    for (size_t i = 0; i < n; i++) {
        scratch[i] = pictures_side(size[i]);
    }
    qsort(scratch, n, sizeof *scratch, pictures_by_value);
    usual.side = scratch[n / 2];
    return usual;
}

static fv_status pictures_odd_sizes(fvi_doctor *d, const pictures_usual *usual, int of)
{
    fvi_draft draft = {0};
    char remark[32];
    int count = 0;
    for (int k = 0; k < d->first[d->parts]; k++) {
        const fvi_mark *mark = &d->mark[k];
        if (pictures_size(mark) == 0 || mark->is_unreadable ||
            !pictures_is_odd(usual, pictures_size(mark)))
            continue;
        count++;
        snprintf(remark, sizeof remark, "%dx%d", mark->height, mark->width);
        fvi_draft_example(&draft, d, k, remark);
    }
    if (count == 0) return FV_OK;
    fvi_draft_share(&draft, count, of, "files");
    if (usual->size)
        fvi_text_add(&draft.text, " are not %ux%u as the rest", usual->size >> 16,
                     usual->size & 0xFFFF);
    else
        fvi_text_add(&draft.text, " are of another shape, or much smaller, than the rest");
    return fvi_draft_close(&draft, d, "odd-size", FV_WARNS, count);
}

static fv_status pictures_sizes(fvi_doctor *d)
{
    size_t looks = (size_t)d->first[d->parts], n = 0;
    uint32_t *size = fvi_alloc(looks, sizeof *size, "the sizes of files");
    double *scratch = size ? fvi_alloc(looks, sizeof *scratch, "the sizes of files") : NULL;
    fv_status status = scratch ? FV_OK : FV_E_MEMORY;
    for (size_t k = 0; status == FV_OK && k < looks; k++) {
        const fvi_mark *mark = &d->mark[k];
        if (mark->height > 0 && mark->width > 0 && !mark->is_unreadable)
            size[n++] = pictures_size(mark);
    }
    if (n > 0) {
        pictures_usual usual = pictures_what_is_usual(size, scratch, n);
        status = pictures_odd_sizes(d, &usual, (int)n);
    }
    fvi_free(size);
    fvi_free(scratch);
    return status;
}

/* ---- channels, names ---- */

typedef enum pictures_kind { PICTURES_GREY, PICTURES_COLOUR, PICTURES_ALPHA } pictures_kind;

static pictures_kind pictures_kind_of(const fvi_mark *mark)
{
    return mark->has_alpha ? PICTURES_ALPHA : mark->is_grey ? PICTURES_GREY : PICTURES_COLOUR;
}

/* Of networks that take three channels. */
static bool pictures_has_kind(const fvi_doctor *d, int k)
{
    const fv_shape *shape = &d->summary[fvi_doctor_part(d, k)].shape;
    const fvi_mark *mark = &d->mark[k];
    return shape->rank == 3 && shape->dim[2] == 3 && !mark->is_unreadable && !mark->is_not_finite &&
           !mark->is_constant;
}

static fv_status pictures_channels(fvi_doctor *d)
{
    static const char *const kinds[] = {"grey", "in colour", "partly transparent"};
    fvi_draft draft = {0};
    int count[3] = {0}, looks = d->first[d->parts];
    pictures_kind usual = PICTURES_GREY;
    for (int k = 0; k < looks; k++) {
        if (pictures_has_kind(d, k)) count[pictures_kind_of(&d->mark[k])]++;
    }
    for (pictures_kind kind = PICTURES_GREY; kind <= PICTURES_ALPHA; kind++) {
        if (count[kind] > count[usual]) usual = kind;
    }
    int of = count[0] + count[1] + count[2], odd = of - count[usual];
    if (of > 0 && odd == 0 && usual == PICTURES_GREY) {
        fvi_text_add(&draft.text, "all pictures are grey: three channels with the same values");
        return fvi_draft_close(&draft, d, "grey", FV_NOTES, of);
    }
    if (odd == 0) return FV_OK;
    for (int k = 0; k < looks; k++) {
        pictures_kind kind = pictures_kind_of(&d->mark[k]);
        if (pictures_has_kind(d, k) && kind != usual) fvi_draft_example(&draft, d, k, kinds[kind]);
    }
    fvi_draft_share(&draft, odd, of, "pictures");
    fvi_text_add(&draft.text, " are not %s as the rest", kinds[usual]);
    return fvi_draft_close(&draft, d, "odd-channels", FV_WARNS, odd);
}

static fv_status pictures_names(fvi_doctor *d)
{
    fvi_draft draft = {0};
    int count = 0, looks = d->first[d->parts];
    for (int k = 0; k < looks; k++) {
        if (!d->mark[k].is_misnamed) continue;
        count++;
        fvi_draft_example(&draft, d, k, NULL);
    }
    if (count == 0) return FV_OK;
    fvi_draft_share(&draft, count, looks, "files");
    fvi_text_add(&draft.text, " are of another format than their names say");
    return fvi_draft_close(&draft, d, "misnamed", FV_NOTES, count);
}

/* ---- values ---- */

static fv_status pictures_constant(fvi_doctor *d, int p)
{
    fvi_draft draft = {0};
    int count = 0, of = d->first[p + 1] - d->first[p];
    for (int k = d->first[p]; k < d->first[p + 1]; k++) {
        if (!d->mark[k].is_constant) continue;
        count++;
        fvi_draft_example(&draft, d, k, NULL);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[p]));
    fvi_draft_share(&draft, count, of, "pictures");
    fvi_text_add(&draft.text, " are of one value throughout");
    bool is_many = count > d->config.constant_share * of;
    return fvi_draft_close(&draft, d, "constant", is_many ? FV_SPOILS : FV_WARNS, count);
}

static fv_status pictures_not_finite(fvi_doctor *d, int p)
{
    fvi_draft draft = {0};
    int count = 0, of = d->first[p + 1] - d->first[p];
    for (int k = d->first[p]; k < d->first[p + 1]; k++) {
        if (!d->mark[k].is_not_finite) continue;
        count++;
        fvi_draft_example(&draft, d, k, NULL);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[p]));
    fvi_draft_share(&draft, count, of, "pictures");
    fvi_text_add(&draft.text, " hold NaN or infinity");
    return fvi_draft_close(&draft, d, "not-a-number", FV_SPOILS, count);
}

static void pictures_add_range(fvi_draft *draft, const fvi_doctor *d, int p)
{
    const fv_part *part = &d->summary[p];
    double low = INFINITY, high = -INFINITY;
    for (int c = 0; c < part->channels; c++) {
        low = fmin(low, part->min[c]);
        high = fmax(high, part->max[c]);
    }
    fvi_text_add(&draft->text, "%s: %s pixels go from ", fvi_split_name(part->split),
                 fv_dtype_name(part->dtype));
    fvi_text_add_double(&draft->text, low);
    fvi_text_add(&draft->text, " to ");
    fvi_text_add_double(&draft->text, high);
}

static double pictures_largest(const fvi_mark *mark)
{
    return fmax(fabs((double)mark->low), fabs((double)mark->high));
}

/* 8 bits that are hardly used, floats that were not scaled, some that were and some that were
   not. */
static fv_status pictures_range(fvi_doctor *d, int p)
{
    fvi_draft draft = {0};
    bool is_float = d->summary[p].dtype == FV_FLOAT32;
    int seen = 0, dark = 0, large = 0, unit = 0;
    for (int k = d->first[p]; k < d->first[p + 1]; k++) {
        const fvi_mark *mark = &d->mark[k];
        if (mark->is_unreadable || mark->is_not_finite || mark->is_constant) continue;
        seen++;
        dark += pictures_largest(mark) < PICTURES_DARK;
        large += pictures_largest(mark) > PICTURES_LARGE;
        unit += pictures_largest(mark) <= PICTURES_UNIT;
    }
    if (seen == 0 || (is_float ? large == 0 : dark < seen)) return FV_OK;
    pictures_add_range(&draft, d, p);
    if (is_float && unit > 0)
        fvi_text_add(&draft.text, "; of %d pictures, %d stay below 1.5 and %d are beyond 30", seen,
                     unit, large);
    else if (is_float)
        fvi_text_add(&draft.text, ", and are given to the network as they are");
    else
        fvi_text_add(&draft.text, ": nearly black");
    return fvi_draft_close(&draft, d, "value-range", FV_WARNS, is_float ? large : dark);
}

static fv_status pictures_variance(fvi_doctor *d, int p)
{
    const fv_part *part = &d->summary[p];
    fvi_draft draft = {0};
    int count = 0;
    for (int c = 0; c < part->channels; c++) {
        if (!(part->max[c] <= part->min[c])) continue; /* NaN: nothing was read */
        char name[32];
        count++;
        snprintf(name, sizeof name, "channel %d", c);
        fvi_draft_text(&draft, d, name);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: %d of %d channels have the same value in every picture",
                 fvi_split_name(part->split), count, part->channels);
    return fvi_draft_close(&draft, d, "zero-variance", FV_WARNS, count);
}

fv_status fvi_doctor_pictures(fvi_doctor *d)
{
    FVI_TRY(pictures_unreadable(d));
    FVI_TRY(pictures_sizes(d));
    FVI_TRY(pictures_channels(d));
    FVI_TRY(pictures_names(d));
    for (int p = 0; p < d->parts; p++) {
        FVI_TRY(pictures_not_finite(d, p));
        FVI_TRY(pictures_constant(d, p));
        FVI_TRY(pictures_range(d, p));
        FVI_TRY(pictures_variance(d, p));
    }
    return FV_OK;
}
