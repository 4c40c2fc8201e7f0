/* SPDX-License-Identifier: MIT */
/* Which pictures look alike: perceptual hashes, those that are near each other found without
   comparing all with all, and then the pixels themselves. */
#include "data/doctor_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_WAVES 8 /* frequencies of each axis; their products are the 64 bits */
#define NEAR_PI 3.14159265358979323846
/* Hashes at a Hamming distance of at most 2 * 4 - 1 have, of their four quarters, one that differs
   by at most one bit (Norouzi, Punjani, Fleet 2012): 4 * 17 buckets hold all candidates. Copies
   saved as JPEG of quality 25, at half the size, or with another gamma are 6 apart at most. */
#define NEAR_BANDS 4
#define NEAR_BITS 16
#define NEAR_BUCKETS (1 << NEAR_BITS)
#define NEAR_DISTANCE 7
#define NEAR_CANDIDATES 64 /* the nearest so many of a picture are compared pixel by pixel */
#define NEAR_CHUNK 32      /* pictures of one task */
#define NEAR_ROUND 1024    /* pictures between two looks at what belongs together already */
/* Sides up to NEAR_SIDE are compared as they are; longer ones are averaged to NEAR_GRID, on which
   saving as JPEG, noise and scaling leave few traces. */
#define NEAR_SIDE 32
#define NEAR_GRID 16

/* ---- looks ---- */

void fvi_look_waves(float *waves, int height, int width)
{
    for (int k = 0; k < NEAR_WAVES; k++) {
        for (int h = 0; h < height; h++) {
            *waves++ = (float)cos(NEAR_PI * (2 * h + 1) * (k + 1) / (2.0 * height));
        }
        for (int w = 0; w < width; w++) {
            *waves++ = (float)cos(NEAR_PI * (2 * w + 1) * (k + 1) / (2.0 * width));
        }
    }
}

static int near_by_value(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* The signs, about their median, of the cosine transform's coefficients 1 .. 8 along both axes. */
uint64_t fvi_look_hash(const float *grey, const float *waves, float *rows, int height, int width)
{
    float value[64], sorted[64];
    size_t H = (size_t)height, W = (size_t)width;
    for (size_t k = 0; k < NEAR_WAVES; k++) {
        const float *wave = waves + k * (H + W) + H;
        for (size_t h = 0; h < H; h++) {
            float sum = 0;
            for (size_t w = 0; w < W; w++) {
                sum += grey[h * W + w] * wave[w];
            }
            rows[h * NEAR_WAVES + k] = sum;
        }
    }
    for (size_t j = 0; j < NEAR_WAVES; j++) {
        const float *wave = waves + j * (H + W);
        for (size_t k = 0; k < NEAR_WAVES; k++) {
            float sum = 0;
            for (size_t h = 0; h < H; h++) {
                sum += rows[h * NEAR_WAVES + k] * wave[h];
            }
            value[j * NEAR_WAVES + k] = sum;
        }
    }
    memcpy(sorted, value, sizeof sorted);
    qsort(sorted, FVI_COUNT(sorted), sizeof sorted[0], near_by_value);
    float median = 0.5F * (sorted[31] + sorted[32]);
    uint64_t bits = 0;
    for (int i = 0; i < 64; i++) {
        bits |= (uint64_t)(value[i] > median) << i;
    }
    return bits;
}

static int near_bits(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (int)(x * UINT64_C(0x0101010101010101) >> 56);
}

static unsigned near_band(uint64_t look, int band)
{
    return (unsigned)(look >> (band * NEAR_BITS)) & (NEAR_BUCKETS - 1);
}

/* ---- one search ---- */

typedef struct near_search {
    fvi_doctor *doctor;
    const int *list; /* [n] looks; below, pictures are named by their place in it */
    int n;
    int *start;            /* [bands, buckets + 1]: where a bucket begins in */
    int *order;            /* [bands, n]: the pictures, bucket by bucket, in order */
    int *root;             /* [n] the first picture known to belong together with this one */
    size_t bytes, floats;  /* the largest picture of all parts, and its elements */
    int first, end;        /* of this round */
    struct near_hit *hits; /* [NEAR_ROUND] */
    bool *is_crowded;      /* [NEAR_ROUND] */
    fv_status *failed;     /* [NEAR_ROUND / NEAR_CHUNK] */
} near_search;

/* Pictures of other groups that one picture belongs together with. More than so many groups at once
   are left for the pictures after it to join. */
#define NEAR_HITS 8
typedef struct near_hit {
    int count;
    int to[NEAR_HITS];
    float distance[NEAR_HITS];
} near_hit;

typedef struct near_candidate {
    int distance, i;
} near_candidate;

/* What one task works in: two pictures as unit vectors. */
typedef struct near_room {
    void *raw;
    float *x, *a, *b;
} near_room;

static uint64_t near_look(const near_search *s, int i)
{
    return s->doctor->mark[s->list[i]].look;
}

/* Counting sort of the pictures by each quarter of their looks. */
static void near_index(near_search *s)
{
    for (int band = 0; band < NEAR_BANDS; band++) {
        int *start = s->start + (size_t)band * (NEAR_BUCKETS + 1);
        int *order = s->order + (size_t)band * (size_t)s->n;
        for (int i = 0; i < s->n; i++) {
            start[near_band(near_look(s, i), band) + 1]++;
        }
        for (int b = 0; b < NEAR_BUCKETS; b++) {
            start[b + 1] += start[b];
        }
        for (int i = 0; i < s->n; i++) {
            order[start[near_band(near_look(s, i), band)]++] = i;
        }
        memmove(start + 1, start, NEAR_BUCKETS * sizeof *start);
        start[0] = 0;
    }
}

static int near_root(const near_search *s, int i)
{
    while (s->root[i] != i) {
        i = s->root[i];
    }
    return i;
}

static void near_join(near_search *s, int a, int b)
{
    int low = near_root(s, a), high = near_root(s, b);
    int first = low < high ? low : high;
    s->root[low] = s->root[high] = s->root[a] = s->root[b] = first;
}

/* Whether an earlier quarter would have led there, too. */
static bool near_is_seen(uint64_t difference, int band)
{
    for (int b = 0; b < band; b++) {
        if (near_bits(near_band(difference, b)) <= 1) return true;
    }
    return false;
}

/* Keep the nearest candidates, of equally near ones the first, as a sorted list; true when one had
   to go. */
static bool near_keep(near_candidate *list, int *count, near_candidate c)
{
    bool is_full = *count == NEAR_CANDIDATES;
    int at = is_full ? NEAR_CANDIDATES - 1 : (*count)++;
    if (is_full &&
        (list[at].distance < c.distance || (list[at].distance == c.distance && list[at].i < c.i)))
        return true;
    for (; at > 0 && (list[at - 1].distance > c.distance ||
                      (list[at - 1].distance == c.distance && list[at - 1].i > c.i));
         at--) {
        list[at] = list[at - 1];
    }
    list[at] = c;
    return is_full;
}

/* The candidates before picture i in one bucket of a quarter. */
static bool near_bucket(const near_search *s, near_candidate *list, int *count, int i, int band,
                        unsigned bucket)
{
    const int *start = s->start + (size_t)band * (NEAR_BUCKETS + 1);
    const int *order = s->order + (size_t)band * (size_t)s->n;
    bool is_crowded = false;
    for (int at = start[bucket]; at < start[bucket + 1] && order[at] < i; at++) {
        uint64_t difference = near_look(s, i) ^ near_look(s, order[at]);
        int distance = near_bits(difference);
        if (distance > NEAR_DISTANCE || near_is_seen(difference, band)) continue;
        if (near_root(s, order[at]) == near_root(s, i)) continue;
        if (near_keep(list, count, (near_candidate){distance, order[at]})) is_crowded = true;
        /* Nothing can be nearer than a full list of equal looks. */
        if (is_crowded && list[NEAR_CANDIDATES - 1].distance == 0) break;
    }
    return is_crowded;
}

/* ---- comparing ---- */

static int near_grid(int side)
{
    return side <= NEAR_SIDE ? side : NEAR_GRID;
}

/* Means of the cells of a grid over [H,W,C]: [GH,GW,C]. */
static void near_average(float *out, const float *x, int H, int W, int C)
{
    int GH = near_grid(H), GW = near_grid(W);
    for (int gh = 0; gh < GH; gh++) {
        int top = gh * H / GH, bottom = (gh + 1) * H / GH;
        for (int gw = 0; gw < GW; gw++) {
            int left = gw * W / GW, right = (gw + 1) * W / GW;
            for (int c = 0; c < C; c++) {
                float sum = 0;
                for (int h = top; h < bottom; h++) {
                    for (int w = left; w < right; w++) {
                        sum += x[((size_t)h * (size_t)W + (size_t)w) * (size_t)C + (size_t)c];
                    }
                }
                *out++ = sum / (float)((bottom - top) * (right - left));
            }
        }
    }
}

static size_t near_length(const fv_shape *shape)
{
    return (size_t)near_grid(shape->dim[0]) * (size_t)near_grid(shape->dim[1]) *
           (size_t)shape->dim[2];
}

/* Picture i as a vector of mean 0 and length 1, so that neither brightness nor contrast matters.
   false: it cannot be read, or has no contrast. */
static bool near_vector(const near_search *s, float *out, near_room *room, int i)
{
    const fvi_doctor *d = s->doctor;
    int k = s->list[i];
    const fv_dataset *part = d->part[fvi_doctor_part(d, k)];
    const fvi_store *store = part->store;
    const int *dim = store->shape.dim;
    if (fv_dataset_read(part, room->raw, fvi_doctor_at(d, k)) != FV_OK) return false;
    size_t each = store->bytes / fv_dtype_size(store->dtype), n = near_length(&store->shape);
    if (store->dtype == FV_UINT8) {
        for (size_t e = 0; e < each; e++) {
            room->x[e] = ((const uint8_t *)room->raw)[e];
        }
    } else {
        memcpy(room->x, room->raw, store->bytes);
    }
    near_average(out, room->x, dim[0], dim[1], dim[2]);
    double sum = 0, square = 0;
    for (size_t e = 0; e < n; e++) {
        sum += out[e];
    }
    float mean = (float)(sum / (double)n);
    for (size_t e = 0; e < n; e++) {
        out[e] -= mean;
        square += (double)out[e] * out[e];
    }
    for (size_t e = 0; e < n; e++) {
        out[e] *= (float)(1 / sqrt(square));
    }
    return square > 0;
}

/* The share of one picture's contrast that the other does not explain: the sine of the angle
   between them. */
static float near_distance(const float *a, const float *b, size_t n)
{
    double r = 0;
    for (size_t e = 0; e < n; e++) {
        r += (double)a[e] * b[e];
    }
    if (r <= 0) return 1;
    return r >= 1 ? 0 : (float)sqrt(1 - r * r);
}

static const fv_shape *near_shape(const near_search *s, int i)
{
    const fvi_doctor *d = s->doctor;
    return &d->part[fvi_doctor_part(d, s->list[i])]->store->shape;
}

/* Compare picture i with its candidates, the nearest first; of each group one hit is enough. */
static void near_compare(const near_search *s, near_hit *hit, near_room *room, int i,
                         const near_candidate *list, int count)
{
    int groups[NEAR_HITS] = {0};
    const fv_shape *shape = near_shape(s, i);
    if (count == 0 || !near_vector(s, room->a, room, i)) return;
    for (int c = 0; c < count && hit->count < NEAR_HITS; c++) {
        int group = near_root(s, list[c].i), known = 0;
        while (known < hit->count && groups[known] != group) {
            known++;
        }
        if (known < hit->count || !fvi_shape_equal(shape, near_shape(s, list[c].i))) continue;
        if (!near_vector(s, room->b, room, list[c].i)) continue;
        float distance = near_distance(room->a, room->b, near_length(shape));
        if (distance > s->doctor->config.near) continue;
        groups[hit->count] = group;
        hit->to[hit->count] = list[c].i;
        hit->distance[hit->count++] = distance;
    }
}

/* ---- tasks ---- */

static fv_status near_room_make(near_room *room, const near_search *s)
{
    room->raw = fvi_alloc(s->bytes, 1, "a picture");
    room->x = room->raw ? fvi_alloc(s->floats, sizeof *room->x, "a picture") : NULL;
    room->a = room->x ? fvi_alloc(s->floats, sizeof *room->a, "a picture") : NULL;
    room->b = room->a ? fvi_alloc(s->floats, sizeof *room->b, "a picture") : NULL;
    return room->b ? FV_OK : FV_E_MEMORY;
}

static void near_chunk(void *context, size_t task)
{
    near_search *s = context;
    near_room room = {0};
    int first = s->first + (int)task * NEAR_CHUNK;
    fv_status status = near_room_make(&room, s);
    for (int i = first; status == FV_OK && i < s->end && i < first + NEAR_CHUNK; i++) {
        near_candidate list[NEAR_CANDIDATES];
        int count = 0, at = i - s->first;
        for (int band = 0; band < NEAR_BANDS; band++) {
            unsigned bucket = near_band(near_look(s, i), band);
            for (int bit = -1; bit < NEAR_BITS; bit++) {
                unsigned probe = bit < 0 ? bucket : bucket ^ 1u << bit;
                if (near_bucket(s, list, &count, i, band, probe)) s->is_crowded[at] = true;
            }
        }
        near_compare(s, &s->hits[at], &room, i, list, count);
    }
    s->failed[task] = status;
    fvi_free(room.raw);
    fvi_free(room.x);
    fvi_free(room.a);
    fvi_free(room.b);
}

/* Join what one round found, in order. */
static fv_status near_collect(near_search *s, fvi_twin **pairs, int *n_pairs, int *crowded)
{
    for (int i = s->first; i < s->end; i++) {
        const near_hit *hit = &s->hits[i - s->first];
        *crowded += s->is_crowded[i - s->first] && hit->count == 0;
        for (int h = 0; h < hit->count; h++) {
            if (near_root(s, hit->to[h]) == near_root(s, i)) continue;
            size_t n = (size_t)*n_pairs;
            if ((n & (n - 1)) == 0) { /* full at every power of two */
                fvi_twin *grown =
                    fvi_grow(*pairs, n, n > 0 ? 2 * n : 1, sizeof *grown, "near duplicates");
                if (!grown) return FV_E_MEMORY;
                *pairs = grown;
            }
            (*pairs)[(*n_pairs)++] = (fvi_twin){s->list[hit->to[h]], s->list[i], hit->distance[h]};
            near_join(s, hit->to[h], i);
        }
    }
    return FV_OK;
}

static fv_status near_rounds(near_search *s, fvi_twin **pairs, int *n_pairs, int *crowded)
{
    near_index(s);
    for (int i = 0; i < s->n; i++) {
        s->root[i] = i;
    }
    for (s->first = 0; s->first < s->n; s->first = s->end) {
        s->end = s->n - s->first > NEAR_ROUND ? s->first + NEAR_ROUND : s->n;
        memset(s->hits, 0, NEAR_ROUND * sizeof *s->hits);
        memset(s->is_crowded, 0, NEAR_ROUND * sizeof *s->is_crowded);
        size_t tasks = (size_t)(s->end - s->first + NEAR_CHUNK - 1) / NEAR_CHUNK;
        fvi_parallel_for(s->doctor->threads, tasks, near_chunk, s);
        for (size_t task = 0; task < tasks; task++) {
            if (s->failed[task] != FV_OK)
                return fvi_fail(FV_E_MEMORY, "out of memory: comparing pictures");
        }
        FVI_TRY(near_collect(s, pairs, n_pairs, crowded));
        FVI_TRY(fvi_doctor_progress(s->doctor, s->end - s->first));
    }
    return FV_OK;
}

fv_status fvi_doctor_near(fvi_doctor *d, fvi_twin **pairs, int *n_pairs, int *crowded,
                          const int *list, int n)
{
    near_search s = {.doctor = d, .list = list, .n = n, .bytes = 1, .floats = 1};
    size_t count = (size_t)n;
    *pairs = NULL;
    *n_pairs = *crowded = 0;
    for (int p = 0; p < d->parts; p++) {
        const fvi_store *store = d->part[p]->store;
        size_t each = store->bytes / fv_dtype_size(store->dtype);
        if (store->bytes > s.bytes) s.bytes = store->bytes;
        if (each > s.floats) s.floats = each;
    }
    s.start = fvi_alloc(NEAR_BANDS * (NEAR_BUCKETS + 1), sizeof *s.start, "looks");
    s.order = s.start ? fvi_alloc(count, NEAR_BANDS * sizeof *s.order, "looks") : NULL;
    s.root = s.order ? fvi_alloc(count, sizeof *s.root, "looks") : NULL;
    s.hits = s.root ? fvi_alloc(NEAR_ROUND, sizeof *s.hits, "looks") : NULL;
    s.is_crowded = s.hits ? fvi_alloc(NEAR_ROUND, sizeof *s.is_crowded, "looks") : NULL;
    s.failed = s.is_crowded ? fvi_alloc(NEAR_ROUND / NEAR_CHUNK, sizeof *s.failed, "looks") : NULL;
    fv_status status = s.failed ? near_rounds(&s, pairs, n_pairs, crowded) : FV_E_MEMORY;
    fvi_free(s.start);
    fvi_free(s.order);
    fvi_free(s.root);
    fvi_free(s.hits);
    fvi_free(s.is_crowded);
    fvi_free(s.failed);
    if (status == FV_OK) return FV_OK;
    fvi_free(*pairs);
    *pairs = NULL;
    return status;
}
