/* SPDX-License-Identifier: MIT */
/* What the tests of the doctor share: sets with planted defects, and what must be found. */
#ifndef DOCTOR_CHECK_H
#define DOCTOR_CHECK_H

#include "data_check.h"
#include "data/doctor_internal.h"

#include <math.h>

/* Two parts of drawn digits as plain arrays, to be spoilt. */
#define PLANT_TRAIN 400
#define PLANT_TEST 100
#define PLANT_SIDE 28
#define PLANT_PIXELS ((size_t)PLANT_SIDE * PLANT_SIDE)

typedef struct plant {
    int count[2], channels, classes[2]; /* classes 0: counted */
    uint8_t *x[2];                      /* [count, 28, 28, channels] */
    float *f[2];                        /* the same as floats, when given these are taken */
    int32_t *y[2];
    float *target[2]; /* [count, classes], when given these are taken */
    const char *const *names[2];
} plant;

static inline plant plant_new(int channels)
{
    plant p = {.count = {PLANT_TRAIN, PLANT_TEST}, .channels = channels};
    for (int s = 0; s < 2; s++) {
        fv_dataset *d;
        fv_dataset_config config = {.count = p.count[s], .channels = channels, .seed = 7};
        CHECK_OK(fv_dataset_open(&d, "made:digits", s == 0 ? FV_TRAIN : FV_TEST, &config));
        size_t bytes = (size_t)p.count[s] * PLANT_PIXELS * (size_t)channels;
        p.x[s] = fvi_copy(fv_dataset_x(d).data, bytes, "");
        p.y[s] = fvi_copy(fv_dataset_y(d).data, (size_t)p.count[s] * sizeof(int32_t), "");
        fv_dataset_free(d);
    }
    return p;
}

static inline void plant_free(plant *p)
{
    for (int s = 0; s < 2; s++) {
        fvi_free(p->x[s]);
        fvi_free(p->f[s]);
        fvi_free(p->y[s]);
        fvi_free(p->target[s]);
    }
}

static inline uint8_t *plant_at(const plant *p, int s, int i)
{
    return p->x[s] + (size_t)i * PLANT_PIXELS * (size_t)p->channels;
}

/* Picture i of part s becomes picture j of part t, every value v as v * gain + add. */
static inline void plant_copy(plant *p, int s, int i, int t, int j, double gain, int add)
{
    for (size_t k = 0; k < PLANT_PIXELS * (size_t)p->channels; k++) {
        double v = plant_at(p, t, j)[k] * gain + add;
        plant_at(p, s, i)[k] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
    }
}

/* Pixels as floats, times scale, of part s. */
static inline void plant_floats(plant *p, int s, float scale)
{
    size_t n = (size_t)p->count[s] * PLANT_PIXELS * (size_t)p->channels;
    p->f[s] = fvi_alloc(n, sizeof *p->f[s], "");
    for (size_t k = 0; k < n; k++)
        p->f[s][k] = (float)p->x[s][k] * scale;
}

static inline void plant_open(fv_dataset *d[2], const plant *p)
{
    for (int s = 0; s < 2; s++) {
        fv_shape shape = {4, {p->count[s], PLANT_SIDE, PLANT_SIDE, p->channels}};
        fv_tensor x = {shape, p->f[s] ? FV_FLOAT32 : FV_UINT8,
                       p->f[s] ? (void *)p->f[s] : (void *)p->x[s]};
        fv_tensor y = {{1, {p->count[s]}}, FV_INT32, p->y[s]};
        if (p->target[s])
            y = (fv_tensor){{2, {p->count[s], p->classes[s]}}, FV_FLOAT32, p->target[s]};
        CHECK_OK(fv_dataset_from_arrays(&d[s], &x, &y, p->names[s], p->classes[s]));
    }
}

static inline const fv_finding *check_finding(const fv_report *r, const char *code)
{
    const fv_finding *f;
    for (int i = 0; (f = fv_report_finding(r, i)) != NULL; i++)
        if (strcmp(f->code, code) == 0) return f;
    return NULL;
}

/* Fails with the whole report. */
static inline void check_fail_report(const fv_report *r, const char *what)
{
    char *text = NULL;
    fv_report_text(r, false, &text);
    fail_msg("%s; the report:\n%s", what, text ? text : "");
}

/* Nothing but so many findings. */
static inline void check_findings(const fv_report *r, int n)
{
    if (fv_report_finding(r, n) || (n > 0 && !fv_report_finding(r, n - 1)))
        check_fail_report(r, "expected another number of findings");
}

/* That finding is there, so grave, with that count, text and first example (NULL: whatever). */
static inline void check_has(const fv_report *r, const char *code, fv_severity severity, int count,
                             const char *text, const char *example)
{
    const fv_finding *f = check_finding(r, code);
    if (!f) check_fail_report(r, code);
    if (f->severity != severity || f->count != count || (text && !strstr(f->text, text)) ||
        (example && (f->n_examples == 0 || !strstr(f->examples[0], example))))
        check_fail_report(r, code);
    assert_true(strlen(f->advice) > 10);
}

static inline char *check_json(const fv_report *r)
{
    char *text;
    CHECK_OK(fv_report_text(r, true, &text));
    return text;
}

/* ---- a source of pictures ---- */

typedef struct pond {
    int count, reads, first_bad, bad, first_nan;
    int noise; /* pictures that are one picture with noise; 0: all their own */
    bool is_float, is_strict;
} pond;

/* 16x16, a pure function of i, noise but for the first few. */
static inline bool pond_read(void *user, void *out, int i, const char **why)
{
    pond *p = user;
    float *f = out;
    uint8_t *u = out;
    p->reads++;
    if (i >= p->first_bad && i < p->first_bad + p->bad) {
        *why = "the pond is frozen";
        return false;
    }
    for (uint64_t k = 0; k < 256; k++) {
        uint32_t stream = i < p->noise ? 1000000 : (uint32_t)i;
        double v = 128 + 40 * fvi_rng_normal(1, FVI_RNG_TEST, stream, k);
        if (i < p->noise) v += 0.5 * fvi_rng_normal(2, FVI_RNG_TEST, (uint32_t)i, k);
        v = v < 0 ? 0 : v > 255 ? 255 : v;
        if (p->is_float)
            f[k] = (float)(v / 255);
        else
            u[k] = (uint8_t)v;
    }
    if (p->is_float && p->first_nan && i >= p->first_nan) f[77] = i % 2 ? NAN : INFINITY;
    return true;
}

static inline fv_dataset *pond_open(pond *p)
{
    fv_dataset *d;
    int32_t *label = fvi_alloc((size_t)p->count, sizeof *label, "");
    for (int i = 0; i < p->count; i++)
        label[i] = i >= p->noise && i % 2;
    fv_dataset_source source = {.shape = {3, {16, 16, 1}},
                                .dtype = p->is_float ? FV_FLOAT32 : FV_UINT8,
                                .count = p->count,
                                .read = pond_read,
                                .user = p,
                                .strict = p->is_strict};
    fv_tensor y = {{1, {p->count}}, FV_INT32, label};
    CHECK_OK(fv_dataset_from_source(&d, &source, &y, NULL, 0));
    fvi_free(label);
    return d;
}

static inline fv_report *pond_examine(pond *p, const fv_doctor_config *config)
{
    fv_report *r;
    fv_dataset *d = pond_open(p);
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)&d, NULL, 1, config));
    fv_dataset_free(d);
    return r;
}

#endif
