/* SPDX-License-Identifier: MIT */
/* The doctor: what is examined, in which order. */
#include "data/doctor_internal.h"

#include <limits.h>
#include <math.h>

#define DOCTOR_SAMPLE 64
#define DOCTOR_NEAR 0.12
#define DOCTOR_UNREADABLE_SHARE 0.01
#define DOCTOR_CONSTANT_SHARE 0.05
#define DOCTOR_LEAK_SHARE 0.01
#define DOCTOR_IMBALANCE 4
#define DOCTOR_EXAMPLES 5

/* ---- which look is which picture ---- */

int fvi_doctor_part(const fvi_doctor *d, int k)
{
    int p = 0;
    while (k >= d->first[p + 1]) {
        p++;
    }
    return p;
}

/* Looks of a sample are spread evenly over the part. */
int fvi_doctor_at(const fvi_doctor *d, int k)
{
    int p = fvi_doctor_part(d, k), looks = d->first[p + 1] - d->first[p];
    return (int)((int64_t)(k - d->first[p]) * d->part[p]->count / looks);
}

fv_status fvi_doctor_progress(fvi_doctor *d, int more)
{
    d->done += more;
    if (!d->config.progress || d->config.progress(d->config.user, d->done, d->total)) return FV_OK;
    return fvi_fail(FV_E_CANCELLED, "the examination was stopped after %d of %d steps", d->done,
                    d->total);
}

/* ---- beginning ---- */

static fv_status doctor_check(const fv_dataset *const *parts, const fv_split *splits, int n)
{
    if (!parts) return fvi_fail(FV_E_ARG, "fv_doctor_examine: parts is NULL");
    if (n < 1 || n > FVI_DOCTOR_PARTS)
        return fvi_fail(FV_E_ARG, "fv_doctor_examine: %d parts, expected 1 to %d", n,
                        FVI_DOCTOR_PARTS);
    for (int p = 0; p < n; p++) {
        if (!parts[p]) return fvi_fail(FV_E_ARG, "fv_doctor_examine: part %d is NULL", p);
        if (splits[p] != FV_TRAIN && splits[p] != FV_TEST && splits[p] != FV_VALIDATION)
            return fvi_fail(FV_E_ARG, "fv_doctor_examine: split %d of part %d is none",
                            (int)splits[p], p);
        for (int q = 0; q < p; q++) {
            if (splits[q] == splits[p])
                return fvi_fail(FV_E_ARG, "fv_doctor_examine: two parts are called %s",
                                fvi_split_name(splits[p]));
        }
    }
    return FV_OK;
}

static double doctor_default(double value, double otherwise)
{
    return value == 0 || isnan(value) ? otherwise : value;
}

static void doctor_fill(fv_doctor_config *c)
{
    if (c->sample <= 0) c->sample = DOCTOR_SAMPLE;
    if (c->examples <= 0) c->examples = DOCTOR_EXAMPLES;
    c->near = doctor_default(c->near, DOCTOR_NEAR);
    c->unreadable_share = doctor_default(c->unreadable_share, DOCTOR_UNREADABLE_SHARE);
    c->constant_share = doctor_default(c->constant_share, DOCTOR_CONSTANT_SHARE);
    c->leak_share = doctor_default(c->leak_share, DOCTOR_LEAK_SHARE);
    c->imbalance = doctor_default(c->imbalance, DOCTOR_IMBALANCE);
}

/* Threads only where every part can be read by several. */
static fv_status doctor_threads(fvi_doctor *d)
{
    int threads = d->config.threads > 0 ? d->config.threads : fvi_threads_available();
    for (int p = 0; p < d->parts; p++) {
        if (d->part[p]->store->is_serial) threads = 1;
    }
    return fvi_threads_new(&d->threads, threads);
}

static fv_status doctor_begin(fvi_doctor *d)
{
    for (int p = 0; p < d->parts; p++) {
        int count = d->part[p]->count;
        int looks = d->config.cheap && count > d->config.sample ? d->config.sample : count;
        if (looks > INT_MAX / 2 - d->first[p])
            return fvi_fail(FV_E_MEMORY, "%d pictures and more are too many to be examined", looks);
        d->first[p + 1] = d->first[p] + looks;
    }
    d->total = d->first[d->parts];
    /* Comparing goes over all of them once more. */
    if (!d->config.cheap && d->config.near >= 0) d->total *= 2;
    d->mark = fvi_alloc((size_t)d->first[d->parts], sizeof *d->mark, "the marks of pictures");
    if (!d->mark) return FV_E_MEMORY;
    FVI_TRY(fvi_report_new(&d->report, d->parts));
    d->summary = d->report->part;
    return doctor_threads(d);
}

static fv_status doctor_go(fvi_doctor *d)
{
    FVI_TRY(doctor_begin(d));
    FVI_TRY(fvi_doctor_look(d));
    FVI_TRY(fvi_doctor_pictures(d));
    FVI_TRY(fvi_doctor_classes(d));
    if (!d->config.cheap) FVI_TRY(fvi_doctor_twins(d));
    fvi_report_close(d->report, d);
    return FV_OK;
}

fv_status fv_doctor_examine(fv_report **report, const fv_dataset *const *parts,
                            const fv_split *splits, int n_parts, const fv_doctor_config *config)
{
    static const fv_split usual[FVI_DOCTOR_PARTS] = {FV_TRAIN, FV_TEST, FV_VALIDATION};
    if (!report) return fvi_fail(FV_E_ARG, "fv_doctor_examine: report is NULL");
    *report = NULL;
    if (!splits) splits = usual;
    FVI_TRY(doctor_check(parts, splits, n_parts));
    fvi_doctor d = {.part = parts, .split = splits, .parts = n_parts};
    if (config) d.config = *config;
    doctor_fill(&d.config);
    fv_status status = doctor_go(&d);
    fvi_threads_free(d.threads);
    fvi_free(d.mark);
    if (status != FV_OK) {
        fv_report_free(d.report);
        return status;
    }
    *report = d.report;
    return FV_OK;
}
