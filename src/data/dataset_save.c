/* SPDX-License-Identifier: MIT */
/* Data sets into one file, HDF5 or NPZ, a few pictures at a time. */
#include "data/data_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SAVE_PARTS 3
#define SAVE_BLOCK ((size_t)1 << 20) /* bytes of rows written at once */

typedef struct save_run save_run;

/* What is written of one part. */
typedef struct save_part {
    save_run *run;
    const fv_dataset *d;
    int *kept; /* [count] numbers of its pictures, without those that are known to be bad */
    int count;
    fv_status *status; /* [block] of the pictures read last */
    int block;
} save_part;

struct save_run {
    const fv_dataset_save_config *config;
    fvi_threads *threads;
    save_part part[SAVE_PARTS];
    const fv_dataset *widest; /* the part with most classes */
    int done, total;
    bool met_bad; /* a picture could not be read: what was written so far is not good */
};

static const char *const save_part_name[SAVE_PARTS] = {"train", "val", "test"};

/* ---- what can be saved ---- */

static fv_status save_check_part(const fv_dataset *d, const char *name)
{
    if (!d->label)
        return fvi_fail(FV_E_UNSUPPORTED,
                        "the %s part has %d targets for each picture, expected class numbers", name,
                        d->classes);
    if (d->store->shape.rank != 3)
        return fvi_fail(FV_E_SHAPE, "the %s part has rows of %d numbers, expected pictures [H,W,C]",
                        name, d->store->shape.dim[0]);
    if (d->count < 1) return fvi_fail(FV_E_SHAPE, "the %s part has no pictures", name);
    return FV_OK;
}

/* Where labels alone tell how many classes there are, a part may have fewer than another. */
static fv_status save_check_classes(const fv_dataset *widest, const fv_dataset *d)
{
    char one[FVI_SAFE_TEXT], other[FVI_SAFE_TEXT];
    for (int i = 0; i < d->classes; i++) {
        if (strcmp(widest->class_name[i], d->class_name[i]) != 0)
            return fvi_fail(FV_E_SHAPE,
                            "class %d is \"%s\" in one part and \"%s\" in another, expected the "
                            "same classes",
                            i, fvi_safe(one, widest->class_name[i]),
                            fvi_safe(other, d->class_name[i]));
    }
    return FV_OK;
}

static fv_status save_check(save_run *run)
{
    for (int p = 0; p < SAVE_PARTS; p++) {
        const fv_dataset *d = run->part[p].d;
        if (!d) continue;
        FVI_TRY(save_check_part(d, save_part_name[p]));
        if (!run->widest || d->classes > run->widest->classes) run->widest = d;
    }
    if (!run->widest) return fvi_fail(FV_E_ARG, "fv_dataset_save: there is no part to save");
    for (int p = 0; p < SAVE_PARTS; p++) {
        if (run->part[p].d) FVI_TRY(save_check_classes(run->widest, run->part[p].d));
    }
    return FV_OK;
}

/* ---- rows ---- */

typedef struct save_block {
    const save_part *part;
    unsigned char *out;
    int first;
} save_block;

static fv_status save_read(const save_part *part, unsigned char *out, int i)
{
    const fv_dataset *d = part->d;
    return fvi_store_read(d->store, out, fvi_dataset_at(d, part->kept[i]), 0);
}

static void save_read_one(void *context, size_t task)
{
    const save_block *b = context;
    const save_part *part = b->part;
    part->status[task] =
        save_read(part, b->out + task * part->d->store->bytes, b->first + (int)task);
}

/* Read pictures first .. first + count - 1 of what is kept; those that cannot be read are noted. */
static fv_status save_read_block(save_part *part, unsigned char *out, int first, int count)
{
    fvi_store *store = part->d->store;
    save_block block = {part, out, first};
    if (count > part->block) {
        fv_status *status = fvi_grow(part->status, (size_t)part->block, (size_t)count,
                                     sizeof *status, "a block of pictures");
        if (!status) return FV_E_MEMORY;
        part->status = status;
        part->block = count;
    }
    fvi_parallel_for(store->is_serial ? NULL : part->run->threads, (size_t)count, save_read_one,
                     &block);
    for (int i = 0; i < count; i++) {
        if (part->status[i] == FV_OK) continue;
        /* Once more: the message of another thread is not ours. */
        fv_status status = save_read(part, out + (size_t)i * store->bytes, first + i);
        if (status == FV_OK) continue;
        FVI_TRY(fvi_store_skip(store, fvi_dataset_at(part->d, part->kept[first + i]), status));
        part->run->met_bad = true;
    }
    return FV_OK;
}

static fv_status save_progress(const save_run *run)
{
    const fv_dataset_save_config *config = run->config;
    if (!config->progress || config->progress(config->user, run->done, run->total)) return FV_OK;
    return fvi_fail(FV_E_CANCELLED, "saving was stopped");
}

/* A picture could not be read, but the file begins with how many there are: it has to be begun
   anew. First all others are looked at, so that this happens once. */
static fv_status save_look_ahead(save_run *run)
{
    for (int p = 0; p < SAVE_PARTS; p++) {
        save_part *part = &run->part[p];
        if (!part->d) continue;
        int most = part->block > 0 ? part->block : 1;
        unsigned char *out = fvi_alloc((size_t)most, part->d->store->bytes, "pictures");
        fv_status status = out ? FV_OK : FV_E_MEMORY;
        for (int i = 0; status == FV_OK && i < part->count; i += most) {
            int count = part->count - i < most ? part->count - i : most;
            status = save_read_block(part, out, i, count);
            if (status == FV_OK) status = save_progress(run);
        }
        fvi_free(out);
        FVI_TRY(status);
    }
    return FV_OK;
}

static fv_status save_fill_x(void *context, void *out, int first, int count)
{
    save_part *part = context;
    save_run *run = part->run;
    FVI_TRY(save_read_block(part, out, first, count));
    if (run->met_bad) {
        FVI_TRY(save_look_ahead(run));
        return fvi_fail(FV_E_FORMAT, "pictures could not be read"); /* seen by save_file only */
    }
    run->done += count;
    return save_progress(run);
}

static fv_status save_fill_y(void *context, void *out, int first, int count)
{
    const save_part *part = context;
    int64_t *y = out;
    for (int i = 0; i < count; i++) {
        y[i] = part->d->label[part->kept[first + i]];
    }
    return FV_OK;
}

/* ---- names of classes ---- */

/* Names that are 0, 1, ...: they are written as numbers. */
static bool save_is_numbers(const fv_dataset *d)
{
    char number[16];
    for (int i = 0; i < d->classes; i++) {
        snprintf(number, sizeof number, "%d", i);
        if (strcmp(number, d->class_name[i]) != 0) return false;
    }
    return true;
}

static size_t save_name_width(const fv_dataset *d)
{
    size_t width = 1;
    for (int i = 0; i < d->classes; i++) {
        size_t length = strlen(d->class_name[i]);
        if (length > width) width = length;
    }
    return width;
}

/* int64 [K], or names [K,W] with zeros at the ends, as fill asks for them. */
static fv_status save_fill_numbers(void *context, void *out, int first, int count)
{
    int64_t *number = out;
    (void)context;
    for (int i = 0; i < count; i++) {
        number[i] = first + i;
    }
    return FV_OK;
}

static fv_status save_fill_names(void *context, void *out, int first, int count)
{
    const fv_dataset *d = ((const save_run *)context)->widest;
    size_t width = save_name_width(d);
    memset(out, 0, (size_t)count * width);
    for (int i = 0; i < count; i++) {
        const char *name = d->class_name[first + i];
        memcpy((char *)out + (size_t)i * width, name, strlen(name));
    }
    return FV_OK;
}

/* ---- files ---- */

static fv_shape save_x_shape(const save_part *part)
{
    const int *dim = part->d->store->shape.dim;
    return fvi_shape_of(4, (const int[]){part->count, dim[0], dim[1], dim[2]});
}

static fv_status save_npz_classes(fvi_zip_save *zip, save_run *run)
{
    const fv_dataset *d = run->widest;
    bool is_numbers = save_is_numbers(d);
    size_t width = save_name_width(d);
    if (width > INT32_MAX) return fvi_fail(FV_E_MEMORY, "the name of a class is too long");
    fv_shape shape = fvi_shape_of(is_numbers ? 1 : 2, (const int[]){d->classes, (int)width});
    return fvi_npz_save_add(zip, "classes", &shape, is_numbers ? FV_INT64 : FV_UINT8,
                            is_numbers ? save_fill_numbers : save_fill_names, run);
}

static fv_status save_npz_parts(fvi_zip_save *zip, save_run *run)
{
    char name[16];
    for (int p = 0; p < SAVE_PARTS; p++) {
        save_part *part = &run->part[p];
        if (!part->d) continue;
        fv_shape x = save_x_shape(part), y = fvi_shape_of(1, &part->count);
        snprintf(name, sizeof name, "x_%s", save_part_name[p]);
        FVI_TRY(fvi_npz_save_add(zip, name, &x, part->d->store->dtype, save_fill_x, part));
        snprintf(name, sizeof name, "y_%s", save_part_name[p]);
        FVI_TRY(fvi_npz_save_add(zip, name, &y, FV_INT64, save_fill_y, part));
    }
    return save_npz_classes(zip, run);
}

static fv_status save_npz(const char *path, save_run *run)
{
    fvi_zip_save *zip;
    FVI_TRY(fvi_zip_save_begin(&zip, path));
    fv_status status = save_npz_parts(zip, run);
    if (status == FV_OK) return fvi_zip_save_commit(zip);
    fvi_zip_save_abort(zip);
    return status;
}

/* The rows of one array, a block at a time. */
static fv_status save_hdf5_rows(fvi_hdf5_save *file, const char *name, const fv_shape *shape,
                                fv_dtype dtype,
                                fv_status (*fill)(void *context, void *out, int first, int count),
                                save_part *part)
{
    const fv_shape row = fvi_shape_of(shape->rank - 1, shape->dim + 1);
    size_t each;
    FVI_TRY(fvi_shape_count(&each, &row));
    each *= fv_dtype_size(dtype);
    int most = each < SAVE_BLOCK ? (int)(SAVE_BLOCK / each) : 1;
    unsigned char *out = fvi_alloc((size_t)most, each, "pictures to save");
    if (!out) return FV_E_MEMORY;
    fv_status status = fvi_hdf5_add(file, name, shape, dtype);
    for (int i = 0; status == FV_OK && i < shape->dim[0]; i += most) {
        int count = shape->dim[0] - i < most ? shape->dim[0] - i : most;
        status = fill(part, out, i, count);
        if (status == FV_OK) status = fvi_hdf5_write_rows(file, name, i, count, out);
    }
    fvi_free(out);
    return status;
}

static fv_status save_hdf5_classes(fvi_hdf5_save *file, const fv_dataset *d)
{
    static const char name[] = "list_classes";
    const fv_shape shape = fvi_shape_of(1, &d->classes);
    if (save_is_numbers(d))
        return save_hdf5_rows(file, name, &shape, FV_INT64, save_fill_numbers, NULL);
    return fvi_hdf5_add_strings(file, name, (const char *const *)d->class_name, d->classes);
}

static fv_status save_hdf5_parts(fvi_hdf5_save *file, save_run *run)
{
    char name[16];
    for (int p = 0; p < SAVE_PARTS; p++) {
        save_part *part = &run->part[p];
        if (!part->d) continue;
        fv_shape x = save_x_shape(part), y = fvi_shape_of(1, &part->count);
        fv_dtype dtype = part->d->store->dtype;
        snprintf(name, sizeof name, "%s_set_x", save_part_name[p]);
        FVI_TRY(save_hdf5_rows(file, name, &x, dtype, save_fill_x, part));
        snprintf(name, sizeof name, "%s_set_y", save_part_name[p]);
        FVI_TRY(save_hdf5_rows(file, name, &y, FV_INT64, save_fill_y, part));
    }
    return save_hdf5_classes(file, run->widest);
}

static fv_status save_hdf5(const char *path, save_run *run)
{
    fvi_hdf5_save *file;
    FVI_TRY(fvi_hdf5_create(&file, path));
    fv_status status = save_hdf5_parts(file, run);
    if (status == FV_OK) return fvi_hdf5_commit(file);
    fvi_hdf5_abort(file);
    return status;
}

/* All pictures but those known to be bad. */
static fv_status save_choose(save_run *run)
{
    run->done = run->total = 0;
    run->met_bad = false;
    for (int p = 0; p < SAVE_PARTS; p++) {
        save_part *part = &run->part[p];
        if (!part->d) continue;
        part->count = 0;
        for (int i = 0; i < part->d->count; i++) {
            if (!fvi_store_is_bad(part->d->store, fvi_dataset_at(part->d, i)))
                part->kept[part->count++] = i;
        }
        if (part->count == 0)
            return fvi_fail(FV_E_FORMAT, "no picture of the %s part can be read",
                            save_part_name[p]);
        run->total += part->count;
    }
    return FV_OK;
}

/* Until nothing bad is met any more: every time some pictures are left out. */
static fv_status save_file(const char *path, save_run *run,
                           fv_status (*save)(const char *path, save_run *run))
{
    for (;;) {
        FVI_TRY(save_choose(run));
        fv_status status = save(path, run);
        if (status != FV_E_FORMAT || !run->met_bad) return status;
    }
}

static bool save_ends(const char *path, const char *end)
{
    size_t n = strlen(path), e = strlen(end);
    return n > e && path[n - e - 1] != '/' && strcasecmp(path + n - e, end) == 0;
}

static fv_status save_prepare(save_run *run)
{
    int threads = run->config->threads;
    FVI_TRY(save_check(run));
    for (int p = 0; p < SAVE_PARTS; p++) {
        save_part *part = &run->part[p];
        part->run = run;
        if (!part->d) continue;
        part->kept = fvi_alloc((size_t)part->d->count, sizeof *part->kept, "pictures to save");
        if (!part->kept) return FV_E_MEMORY;
    }
    return fvi_threads_new(&run->threads, threads > 0 ? threads : fvi_threads_available());
}

fv_status fv_dataset_save(const char *path, const fv_dataset *train, const fv_dataset *validation,
                          const fv_dataset *test, const fv_dataset_save_config *config)
{
    const fv_dataset_save_config all_default = {0};
    char safe[FVI_SAFE_TEXT];
    if (!path) return fvi_fail(FV_E_ARG, "fv_dataset_save: path is NULL");
    bool is_hdf5 = save_ends(path, ".h5") || save_ends(path, ".hdf5");
    if (!is_hdf5 && !save_ends(path, ".npz"))
        return fvi_fail(FV_E_ARG, "\"%s\": expected a name that ends in .h5 or .npz",
                        fvi_path_text(safe, path));
    save_run run = {.config = config ? config : &all_default,
                    .part = {{.d = train}, {.d = validation}, {.d = test}}};
    fv_status status = save_prepare(&run);
    if (status == FV_OK) status = save_file(path, &run, is_hdf5 ? save_hdf5 : save_npz);
    for (int p = 0; p < SAVE_PARTS; p++) {
        fvi_free(run.part[p].kept);
        fvi_free(run.part[p].status);
    }
    fvi_threads_free(run.threads);
    return status;
}
