/* SPDX-License-Identifier: MIT */
/* One look at each picture: what is remembered of it, and the figures of each part. */
#include "data/doctor_internal.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define LOOK_CHUNK 32  /* pictures of one task, whatever the number of threads */
#define LOOK_CHUNKS 64 /* tasks between two reports of progress */
#define LOOK_FILE_LIMIT ((size_t)1 << 30)

/* Figures of some pictures, for each channel. */
typedef struct look_tally {
    double pixels;                   /* of one channel */
    double *min, *max, *mean, *off2; /* [C]; off2: sum of squared deviations */
} look_tally;

/* One part on its way through the tasks. */
typedef struct look_pass {
    fvi_doctor *doctor;
    const fv_dataset *part;
    int first, end; /* looks of this round */
    int height, width, channels;
    size_t each;        /* elements of a picture */
    const float *waves; /* for the look; NULL: it is not wanted */
    double *figures;    /* [LOOK_CHUNKS, 4, C] and */
    double *pixels;     /* [LOOK_CHUNKS], of the tallies */
    fv_status *failed;  /* [LOOK_CHUNKS]: memory ran out */
} look_pass;

/* What one task works in. */
typedef struct look_room {
    void *raw;   /* a picture as it is stored */
    float *x;    /* [H,W,C] */
    float *grey; /* [H,W] */
    float *rows; /* [H,8] */
} look_room;

static look_tally look_tally_at(double *figures, double pixels, int channels)
{
    size_t C = (size_t)channels;
    return (look_tally){pixels, figures, figures + C, figures + 2 * C, figures + 3 * C};
}

static void look_tally_clear(look_tally *t, int channels)
{
    t->pixels = 0;
    for (int c = 0; c < channels; c++) {
        t->min[c] = INFINITY;
        t->max[c] = -INFINITY;
        t->mean[c] = t->off2[c] = 0;
    }
}

/* Chan, Golub, LeVeque, Updating Formulae (1979): two sets as one. */
static void look_tally_add(look_tally *to, const look_tally *t, int channels)
{
    double both = to->pixels + t->pixels;
    if (t->pixels == 0) return;
    for (int c = 0; c < channels; c++) {
        double off = t->mean[c] - to->mean[c];
        to->min[c] = fmin(to->min[c], t->min[c]);
        to->max[c] = fmax(to->max[c], t->max[c]);
        to->mean[c] += off * t->pixels / both;
        to->off2[c] += t->off2[c] + off * off * to->pixels * t->pixels / both;
    }
    to->pixels = both;
}

/* ---- a picture's file ---- */

static bool look_is_misnamed(const char *path, const char *format)
{
    static const char *const jpeg[] = {"jpg", "jpeg", "jpe", "jfif"};
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    if (!format || !dot || (slash && dot < slash)) return false;
    if (strcmp(format, "PNG") == 0) return strcasecmp(dot + 1, "png") != 0;
    for (size_t i = 0; i < FVI_COUNT(jpeg); i++) {
        if (strcasecmp(dot + 1, jpeg[i]) == 0) return false;
    }
    return true;
}

/* What cannot be read is told by reading the picture; only memory is a failure here. */
static fv_status look_file(fvi_mark *mark, const char *path)
{
    unsigned char *bytes;
    size_t size;
    fv_status status = fvi_file_read(&bytes, &size, path, LOOK_FILE_LIMIT);
    if (status != FV_OK) return status == FV_E_MEMORY && fvi_is_out_of_memory() ? status : FV_OK;
    fvi_image_facts facts = fvi_image_look(bytes, size);
    mark->file = fvi_hash(bytes, size, 0) | 1;
    mark->height = facts.height < UINT16_MAX ? (uint16_t)facts.height : UINT16_MAX;
    mark->width = facts.width < UINT16_MAX ? (uint16_t)facts.width : UINT16_MAX;
    mark->has_alpha = facts.has_alpha;
    mark->is_misnamed = look_is_misnamed(path, facts.format);
    fvi_free(bytes);
    return FV_OK;
}

bool fvi_doctor_is_cut(const char *path)
{
    unsigned char *bytes;
    size_t size;
    if (!path || fvi_file_read(&bytes, &size, path, LOOK_FILE_LIMIT) != FV_OK) return false;
    fvi_image_facts facts = fvi_image_look(bytes, size);
    fvi_free(bytes);
    return facts.format && !facts.is_whole;
}

/* ---- a picture's values ---- */

/* Elements as floats. */
static void look_convert(float *x, const void *raw, fv_dtype dtype, size_t each)
{
    if (dtype == FV_FLOAT32) {
        memcpy(x, raw, each * sizeof *x);
        return;
    }
    const uint8_t *bytes = raw;
    for (size_t k = 0; k < each; k++) {
        x[k] = bytes[k];
    }
}

/* Figures of one picture into t; low and high of its mark. */
static void look_figures(fvi_mark *mark, look_tally *t, const float *x, size_t each, int channels)
{
    size_t C = (size_t)channels, n = each / C;
    look_tally_clear(t, channels);
    t->pixels = (double)n;
    float low = x[0], high = x[0];
    for (size_t c = 0; c < C; c++) {
        double sum = 0, off2 = 0;
        float least = x[c], most = x[c];
        for (size_t k = 0; k < n; k++) {
            float value = x[k * C + c];
            sum += value;
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        t->mean[c] = sum / (double)n;
        for (size_t k = 0; k < n; k++) {
            double off = x[k * C + c] - t->mean[c];
            off2 += off * off;
        }
        t->off2[c] = off2;
        t->min[c] = least;
        t->max[c] = most;
        low = least < low ? least : low;
        high = most > high ? most : high;
    }
    mark->low = low;
    mark->high = high;
}

/* Constant: every channel spans at most this, which for 8 bits allows for JPEG's rounding. */
static bool look_is_constant(const look_tally *t, int channels, fv_dtype dtype)
{
    for (int c = 0; c < channels; c++) {
        double size = fmax(fabs(t->min[c]), fabs(t->max[c]));
        if (t->max[c] - t->min[c] > (dtype == FV_UINT8 ? 2 : 1e-3 * size)) return false;
    }
    return true;
}

static bool look_is_finite(const float *x, size_t each)
{
    for (size_t k = 0; k < each; k++) {
        if (!isfinite(x[k])) return false;
    }
    return true;
}

/* Luma of ITU-R BT.601, or the mean of the channels; returns whether three channels are equal. */
static bool look_grey(float *grey, const float *x, size_t pixels, int channels)
{
    size_t C = (size_t)channels;
    bool is_grey = C == 3;
    for (size_t k = 0; k < pixels; k++, x += C) {
        if (C == 3) {
            grey[k] = 0.299F * x[0] + 0.587F * x[1] + 0.114F * x[2];
            if (x[0] != x[1] || x[1] != x[2]) is_grey = false;
            continue;
        }
        float sum = 0;
        for (size_t c = 0; c < C; c++) {
            sum += x[c];
        }
        grey[k] = sum;
    }
    return is_grey;
}

/* What was read, into its mark and its tally. */
static void look_values(const look_pass *pass, fvi_mark *mark, look_tally *t, look_room *room)
{
    const fvi_store *store = pass->part->store;
    mark->pixels = fvi_hash(room->raw, store->bytes, 0);
    look_convert(room->x, room->raw, store->dtype, pass->each);
    t->pixels = 0;
    if (!look_is_finite(room->x, pass->each)) {
        mark->is_not_finite = true;
        return;
    }
    look_figures(mark, t, room->x, pass->each, pass->channels);
    mark->is_constant = look_is_constant(t, pass->channels, store->dtype);
    if (store->shape.rank != 3) return;
    size_t pixels = (size_t)pass->height * (size_t)pass->width;
    mark->is_grey = look_grey(room->grey, room->x, pixels, pass->channels);
    if (pass->waves)
        mark->look = fvi_look_hash(room->grey, pass->waves, room->rows, pass->height, pass->width);
}

/* ---- tasks ---- */

static fv_status look_one(look_pass *pass, int k, look_tally *t, look_room *room)
{
    const fvi_doctor *d = pass->doctor;
    fvi_mark *mark = &d->mark[k];
    int i = fvi_doctor_at(d, k);
    const char *path = fv_dataset_path(pass->part, i);
    t->pixels = 0;
    if (path && !d->config.cheap) FVI_TRY(look_file(mark, path));
    fv_status status = fv_dataset_read(pass->part, room->raw, i);
    if (status == FV_E_MEMORY && fvi_is_out_of_memory()) return status;
    mark->is_unreadable = status != FV_OK;
    if (status == FV_OK) look_values(pass, mark, t, room);
    return FV_OK;
}

static fv_status look_room_make(look_room *room, const look_pass *pass)
{
    size_t H = (size_t)pass->height, W = (size_t)pass->width;
    room->raw = fvi_alloc(pass->part->store->bytes, 1, "a picture");
    room->x = room->raw ? fvi_alloc(pass->each, sizeof *room->x, "a picture") : NULL;
    room->grey = room->x ? fvi_alloc(H * W, sizeof *room->grey, "a picture") : NULL;
    room->rows = room->grey ? fvi_alloc(8 * H, sizeof *room->rows, "a picture") : NULL;
    return room->rows ? FV_OK : FV_E_MEMORY;
}

static void look_chunk(void *context, size_t task)
{
    look_pass *pass = context;
    int C = pass->channels, first = pass->first + (int)task * LOOK_CHUNK;
    look_room room = {0};
    double *figures = fvi_alloc(4 * (size_t)C, sizeof *figures, "figures");
    fv_status status = figures ? look_room_make(&room, pass) : FV_E_MEMORY;
    look_tally sum = look_tally_at(pass->figures + task * 4 * (size_t)C, 0, C);
    look_tally_clear(&sum, C);
    for (int k = first; status == FV_OK && k < pass->end && k < first + LOOK_CHUNK; k++) {
        look_tally one = look_tally_at(figures, 0, C);
        status = look_one(pass, k, &one, &room);
        if (status == FV_OK) look_tally_add(&sum, &one, C);
    }
    pass->pixels[task] = sum.pixels;
    pass->failed[task] = status;
    fvi_free(figures);
    fvi_free(room.raw);
    fvi_free(room.x);
    fvi_free(room.grey);
    fvi_free(room.rows);
}

/* Rounds of tasks; their tallies are added in order, so that no figure depends on who was first. */
static fv_status look_rounds(look_pass *pass, int p, look_tally *sum)
{
    fvi_doctor *d = pass->doctor;
    const int round = LOOK_CHUNK * LOOK_CHUNKS, end = d->first[p + 1];
    for (int first = d->first[p]; first < end; first = pass->end) {
        pass->first = first;
        pass->end = end - first > round ? first + round : end;
        size_t tasks = (size_t)(pass->end - first + LOOK_CHUNK - 1) / LOOK_CHUNK;
        fvi_parallel_for(d->threads, tasks, look_chunk, pass);
        for (size_t task = 0; task < tasks; task++) {
            if (pass->failed[task] != FV_OK)
                return fvi_fail(FV_E_MEMORY, "out of memory: looking at pictures");
            look_tally one = look_tally_at(pass->figures + task * 4 * (size_t)pass->channels,
                                           pass->pixels[task], pass->channels);
            look_tally_add(sum, &one, pass->channels);
        }
        FVI_TRY(fvi_doctor_progress(d, pass->end - first));
    }
    return FV_OK;
}

/* ---- parts ---- */

static fv_status look_part_figures(look_pass *pass, int p, fv_part *part)
{
    size_t C = (size_t)pass->channels;
    double *figures = fvi_report_keep(pass->doctor->report, 4 * C, sizeof *figures);
    if (!figures) return FV_E_MEMORY;
    look_tally sum = look_tally_at(figures, 0, pass->channels);
    look_tally_clear(&sum, pass->channels);
    FVI_TRY(look_rounds(pass, p, &sum));
    for (size_t c = 0; c < C; c++) {
        bool is_known = sum.pixels > 0;
        sum.min[c] = is_known ? sum.min[c] : NAN;
        sum.max[c] = is_known ? sum.max[c] : NAN;
        sum.mean[c] = is_known ? sum.mean[c] : NAN;
        sum.off2[c] = is_known ? sqrt(sum.off2[c] / sum.pixels) : NAN;
    }
    part->channels = pass->channels;
    part->min = sum.min;
    part->max = sum.max;
    part->mean = sum.mean;
    part->deviation = sum.off2;
    return FV_OK;
}

static fv_status look_part(fvi_doctor *d, int p)
{
    const fv_dataset *part = d->part[p];
    const fv_shape *shape = &part->store->shape;
    bool is_picture = shape->rank == 3, is_wanted = !d->config.cheap && d->config.near >= 0;
    look_pass pass = {.doctor = d, .part = part, .channels = is_picture ? shape->dim[2] : 1};
    pass.height = is_picture ? shape->dim[0] : 1;
    pass.width = is_picture ? shape->dim[1] : 1;
    pass.each = part->store->bytes / fv_dtype_size(part->store->dtype);
    size_t sides = (size_t)pass.height + (size_t)pass.width, C = (size_t)pass.channels;
    float *waves = fvi_alloc(8 * sides, sizeof *waves, "the waves of a look");
    pass.figures = waves ? fvi_alloc(LOOK_CHUNKS * 4 * C, sizeof(double), "figures") : NULL;
    pass.pixels = pass.figures ? fvi_alloc(LOOK_CHUNKS, sizeof(double), "figures") : NULL;
    pass.failed = pass.pixels ? fvi_alloc(LOOK_CHUNKS, sizeof(fv_status), "figures") : NULL;
    fv_status status = FV_E_MEMORY;
    if (pass.failed) {
        if (is_picture && is_wanted) {
            fvi_look_waves(waves, pass.height, pass.width);
            pass.waves = waves;
        }
        status = look_part_figures(&pass, p, &d->summary[p]);
    }
    fvi_free(waves);
    fvi_free(pass.figures);
    fvi_free(pass.pixels);
    fvi_free(pass.failed);
    return status;
}

fv_status fvi_doctor_look(fvi_doctor *d)
{
    for (int p = 0; p < d->parts; p++) {
        const fv_dataset *part = d->part[p];
        d->summary[p].split = d->split[p];
        d->summary[p].count = part->count;
        d->summary[p].looked = d->first[p + 1] - d->first[p];
        d->summary[p].shape = part->store->shape;
        d->summary[p].dtype = part->store->dtype;
        d->summary[p].name = fvi_report_copy(d->report, part->name);
        if (!d->summary[p].name) return FV_E_MEMORY;
        FVI_TRY(look_part(d, p));
    }
    return FV_OK;
}

/* ---- what was left out before ---- */

/* A store in memory holds what could be read of the one below it. */
static const fvi_store *look_kept(const fv_dataset *part)
{
    const fvi_store *store = part->store;
    while (store && !(store->memory && store->below)) {
        store = store->below;
    }
    return store;
}

fv_status fvi_doctor_left_out(const fvi_doctor *d, fvi_left_out **list, int *n)
{
    size_t count = 0, room = 0;
    *list = NULL;
    *n = 0;
    for (int p = 0; p < d->parts; p++) {
        const fvi_store *kept = look_kept(d->part[p]);
        for (int q = 0; q < p && kept; q++) {
            if (look_kept(d->part[q]) == kept) kept = NULL; /* parts of one set */
        }
        fvi_store *below = kept ? kept->below : NULL;
        for (int i = 0; below && i < below->count; i++) {
            if (atomic_load(&below->is_bad[i]) == 0) continue;
            if (count == room) {
                fvi_left_out *grown =
                    fvi_grow(*list, count, 2 * room + 16, sizeof *grown, "pictures left out");
                if (!grown) {
                    fvi_free(*list);
                    *list = NULL;
                    return FV_E_MEMORY;
                }
                *list = grown;
                room = 2 * room + 16;
            }
            (*list)[count++] = (fvi_left_out){below, i, p};
        }
    }
    *n = (int)count;
    return FV_OK;
}
