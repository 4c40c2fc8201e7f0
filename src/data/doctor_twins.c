/* SPDX-License-Identifier: MIT */
/* Pictures that are there more than once: within a part, across parts, under two classes. */
#include "data/doctor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct twins {
    fvi_doctor *doctor;
    int looks;
    int *same; /* [looks] the first look with the same pixels; -1: not compared */
    int *kin;  /* [looks] of those: the first look of all that are the same or nearly so */
    int *own[FVI_DOCTOR_PARTS]; /* [looks] of the first: the first one in that part, or -1 */
    fvi_twin *pair;
    int pairs, crowded;
} twins;

/* ---- equal pixels ---- */

typedef struct twins_key {
    uint64_t pixels, look;
    int k;
} twins_key;

static int twins_by_key(const void *left, const void *right)
{
    const twins_key *a = left, *b = right;
    if (a->pixels != b->pixels) return a->pixels < b->pixels ? -1 : 1;
    if (a->look != b->look) return a->look < b->look ? -1 : 1;
    return a->k - b->k;
}

/* Constant pictures are a finding of their own. */
static bool twins_is_compared(const fvi_mark *mark)
{
    return !mark->is_unreadable && !mark->is_not_finite && !mark->is_constant;
}

static fv_status twins_same(twins *t)
{
    twins_key *key = fvi_alloc((size_t)t->looks, sizeof *key, "the search for copies");
    if (!key) return FV_E_MEMORY;
    size_t n = 0;
    for (int k = 0; k < t->looks; k++) {
        const fvi_mark *mark = &t->doctor->mark[k];
        t->same[k] = -1;
        if (twins_is_compared(mark)) key[n++] = (twins_key){mark->pixels, mark->look, k};
    }
    qsort(key, n, sizeof *key, twins_by_key);
    for (size_t i = 0, first = 0; i < n; i++) {
        if (key[i].pixels != key[first].pixels || key[i].look != key[first].look) first = i;
        t->same[key[i].k] = key[first].k;
    }
    fvi_free(key);
    for (int p = 0; p < t->doctor->parts; p++) {
        memset(t->own[p], -1, (size_t)t->looks * sizeof *t->own[p]);
        for (int k = t->doctor->first[p + 1] - 1; k >= t->doctor->first[p]; k--) {
            if (t->same[k] >= 0) t->own[p][t->same[k]] = k;
        }
    }
    return FV_OK;
}

/* ---- nearly equal ones ---- */

static int twins_root(const twins *t, int k)
{
    while (t->kin[k] != k) {
        k = t->kin[k];
    }
    return k;
}

static fv_status twins_near(twins *t)
{
    fvi_doctor *d = t->doctor;
    int *list = fvi_alloc((size_t)t->looks, sizeof *list, "the search for copies"), n = 0;
    if (!list) return FV_E_MEMORY;
    for (int k = 0; k < t->looks; k++) {
        t->kin[k] = t->same[k];
        if (t->same[k] == k && d->part[fvi_doctor_part(d, k)]->store->shape.rank == 3)
            list[n++] = k;
    }
    fv_status status = FV_OK;
    if (d->config.near >= 0) status = fvi_doctor_near(d, &t->pair, &t->pairs, &t->crowded, list, n);
    fvi_free(list);
    if (status != FV_OK) return status;
    for (int i = 0; i < t->pairs; i++) {
        int a = twins_root(t, t->pair[i].a), b = twins_root(t, t->pair[i].b);
        t->kin[a > b ? a : b] = a < b ? a : b;
    }
    for (int k = 0; k < t->looks; k++) { /* the roots lie before, so one step is enough */
        if (t->kin[k] >= 0) t->kin[k] = t->kin[t->kin[k]];
    }
    return FV_OK;
}

/* ---- findings ---- */

static int twins_label(const twins *t, int k)
{
    const fvi_doctor *d = t->doctor;
    return fvi_doctor_label(d, fvi_doctor_part(d, k), fvi_doctor_at(d, k));
}

/* Classes that are known and not the same. */
static bool twins_differ(const twins *t, int a, int b)
{
    if (t->doctor->is_disordered && fvi_doctor_part(t->doctor, a) != fvi_doctor_part(t->doctor, b))
        return false; /* their numbers mean different classes */
    return twins_label(t, a) != twins_label(t, b);
}

static fv_status twins_copies(twins *t, int p)
{
    fvi_doctor *d = t->doctor;
    fvi_draft draft = {0};
    int count = 0, files = 0;
    for (int k = d->first[p]; k < d->first[p + 1]; k++) {
        int first = t->same[k] >= 0 ? t->own[p][t->same[k]] : k;
        if (first == k || twins_differ(t, first, k)) continue;
        count++;
        files += d->mark[k].file != 0 && d->mark[k].file == d->mark[first].file;
        fvi_draft_pair(&draft, d, first, k, "=", NULL);
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[p]));
    fvi_draft_share(&draft, count, d->first[p + 1] - d->first[p], "pictures");
    fvi_text_add(&draft.text, " are copies of another");
    if (files > 0) fvi_text_add(&draft.text, ", %d of them byte for byte", files);
    return fvi_draft_close(&draft, d, "duplicate", FV_WARNS, count);
}

static const char *twins_percent(char out[32], const fvi_twin *pair)
{
    int tenths = (int)(1000 * pair->distance + 0.5F);
    snprintf(out, 32, "differ by %d.%d %%", tenths / 10, tenths % 10);
    return out;
}

static fv_status twins_near_copies(twins *t, int p)
{
    fvi_doctor *d = t->doctor;
    fvi_draft draft = {0};
    char remark[32];
    int count = 0;
    for (int i = 0; i < t->pairs; i++) {
        int a = t->own[p][t->pair[i].a], b = t->own[p][t->pair[i].b];
        if (a < 0 || b < 0 || twins_differ(t, a, b)) continue;
        count++;
        fvi_draft_pair(&draft, d, a, b, "~", twins_percent(remark, &t->pair[i]));
    }
    if (count == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[p]));
    fvi_draft_share(&draft, count, d->first[p + 1] - d->first[p], "pictures");
    fvi_text_add(&draft.text, " are nearly the same as another");
    if (t->crowded > 0)
        fvi_text_add(&draft.text, "; %d have more look-alikes than were compared", t->crowded);
    return fvi_draft_close(&draft, d, "near-duplicate", FV_WARNS, count);
}

static fv_status twins_mislabelled(twins *t)
{
    fvi_doctor *d = t->doctor;
    fvi_draft draft = {0};
    char remark[32];
    int same = 0, near = 0;
    for (int k = 0; k < t->looks; k++) {
        if (t->same[k] < 0 || !twins_differ(t, t->same[k], k)) continue;
        same++;
        fvi_draft_pair(&draft, d, t->same[k], k, "=", NULL);
    }
    for (int i = 0; i < t->pairs; i++) {
        if (!twins_differ(t, t->pair[i].a, t->pair[i].b)) continue;
        near++;
        fvi_draft_pair(&draft, d, t->pair[i].a, t->pair[i].b, "~",
                       twins_percent(remark, &t->pair[i]));
    }
    if (same + near == 0) return FV_OK;
    fvi_text_add(&draft.text, "%d picture%s there under another class as well", same + near,
                 same + near == 1 ? " is" : "s are");
    if (near > 0) fvi_text_add(&draft.text, ", %d of them nearly the same", near);
    return fvi_draft_close(&draft, d, "mislabelled-duplicate", FV_WARNS, same + near);
}

/* Pictures of part q that are in part p, too. is_in: [looks] scratch, whether a group of kin has a
   picture in p. */
static fv_status twins_leak(twins *t, int p, int q, bool *is_in)
{
    fvi_doctor *d = t->doctor;
    fvi_draft draft = {0};
    char remark[32];
    int same = 0, near = 0, of = d->first[q + 1] - d->first[q];
    memset(is_in, 0, (size_t)t->looks * sizeof *is_in);
    for (int k = d->first[p]; k < d->first[p + 1]; k++) {
        if (t->kin[k] >= 0) is_in[t->kin[k]] = true;
    }
    for (int k = d->first[q]; k < d->first[q + 1]; k++) {
        if (t->same[k] < 0) continue;
        int first = t->own[p][t->same[k]];
        if (first >= 0) {
            same++;
            fvi_draft_pair(&draft, d, first, k, "=", NULL);
        } else if (is_in[t->kin[k]]) {
            near++;
        }
    }
    for (int i = 0; near > 0 && i < t->pairs; i++) {
        const fvi_twin *pair = &t->pair[i];
        int a = t->own[p][pair->a], b = t->own[q][pair->b];
        if (a < 0 || b < 0) a = t->own[p][pair->b], b = t->own[q][pair->a];
        if (a >= 0 && b >= 0) fvi_draft_pair(&draft, d, a, b, "~", twins_percent(remark, pair));
    }
    if (same + near == 0) return FV_OK;
    fvi_text_add(&draft.text, "%s: ", fvi_split_name(d->split[q]));
    fvi_draft_share(&draft, same + near, of, "pictures");
    fvi_text_add(&draft.text, " are in %s, too", fvi_split_name(d->split[p]));
    if (near > 0) fvi_text_add(&draft.text, ", %d of them nearly the same", near);
    bool is_many = same + near > d->config.leak_share * of;
    return fvi_draft_close(&draft, d, "leak", is_many ? FV_SPOILS : FV_WARNS, same + near);
}

static fv_status twins_leaks(twins *t)
{
    fv_status status = FV_OK;
    bool *is_in = fvi_alloc((size_t)t->looks, sizeof *is_in, "the search for leaks");
    if (!is_in) return FV_E_MEMORY;
    for (int q = 1; q < t->doctor->parts; q++) {
        for (int p = 0; p < q && status == FV_OK; p++) {
            status = twins_leak(t, p, q, is_in);
        }
    }
    fvi_free(is_in);
    return status;
}

static fv_status twins_find(twins *t)
{
    FVI_TRY(twins_same(t));
    FVI_TRY(twins_near(t));
    for (int p = 0; p < t->doctor->parts; p++) {
        FVI_TRY(twins_copies(t, p));
        FVI_TRY(twins_near_copies(t, p));
    }
    FVI_TRY(twins_mislabelled(t));
    return twins_leaks(t);
}

fv_status fvi_doctor_twins(fvi_doctor *d)
{
    twins t = {.doctor = d, .looks = d->first[d->parts]};
    size_t looks = (size_t)t.looks;
    t.same = fvi_alloc(looks, sizeof *t.same, "the search for copies");
    t.kin = t.same ? fvi_alloc(looks, sizeof *t.kin, "the search for copies") : NULL;
    bool ok = t.kin != NULL;
    for (int p = 0; p < d->parts && ok; p++) {
        t.own[p] = fvi_alloc(looks, sizeof *t.own[p], "the search for copies");
        ok = t.own[p] != NULL;
    }
    fv_status status = ok ? twins_find(&t) : FV_E_MEMORY;
    fvi_free(t.same);
    fvi_free(t.kin);
    for (int p = 0; p < d->parts; p++) {
        fvi_free(t.own[p]);
    }
    fvi_free(t.pair);
    return status;
}
