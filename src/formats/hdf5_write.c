/* SPDX-License-Identifier: MIT */
/* New HDF5 files. libhdf5 crashes when its last writes fail, on a full disk for instance; so it
   writes through a driver of ours, which keeps the first failure to itself, and what was begun is
   thrown away. */
#ifdef FVI_WITH_HDF5

#include "formats/hdf5_lib.h"

#include <string.h>

typedef struct write_set {
    char *name;
    hid_t set, memory; /* memory: the type of the caller's elements */
    fv_shape shape;
    bool is_empty;
    int left; /* rows that were not written yet */
    struct write_set *after;
} write_set;

struct fvi_hdf5_save {
    fvi_save *save;
    hid_t driver, file;
    fv_status failed; /* the first failure; from then on nothing is written */
    write_set *first, **last;
};

/* ---- the driver: libhdf5's reads and writes go to the file that fvi_save keeps aside ---- */

typedef struct write_driver {
    H5FD_t head; /* libhdf5's own */
    fvi_hdf5_save *to;
    haddr_t claimed, written; /* ends of what libhdf5 uses, of what the file has */
} write_driver;

static H5FD_t *write_open(const char *name, unsigned flags, hid_t access_list, haddr_t most)
{
    (void)name, (void)flags, (void)most;
    fvi_hdf5_save *const *to = H5Pget_driver_info(access_list);
    write_driver *d = to == NULL ? NULL : fvi_alloc(1, sizeof *d, "an HDF5 file");
    if (d == NULL) {
        if (to != NULL) (*to)->failed = FV_E_MEMORY;
        return NULL;
    }
    d->to = *to;
    return &d->head;
}

static herr_t write_close(H5FD_t *file)
{
    fvi_free(file);
    return 0;
}

/* None of the features by which libhdf5 would gather small writes, and read before it writes. */
static herr_t write_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    if (flags != NULL) *flags = 0;
    return 0;
}

static haddr_t write_get_claimed(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const write_driver *)file)->claimed;
}

static herr_t write_set_claimed(H5FD_t *file, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((write_driver *)file)->claimed = end;
    return 0;
}

static haddr_t write_get_written(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const write_driver *)file)->written;
}

static herr_t write_read(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at, size_t size,
                         void *bytes)
{
    write_driver *d = (write_driver *)file;
    (void)type, (void)list;
    if (d->to->failed != FV_OK || at > d->written || size > d->written - at) return -1;
    d->to->failed = fvi_save_read_at(d->to->save, bytes, size, at);
    return d->to->failed == FV_OK ? 0 : -1;
}

static herr_t write_write(H5FD_t *file, H5FD_mem_t type, hid_t list, haddr_t at, size_t size,
                          const void *bytes)
{
    write_driver *d = (write_driver *)file;
    (void)type, (void)list;
    if (d->to->failed == FV_OK) d->to->failed = fvi_save_write_at(d->to->save, bytes, size, at);
    if (at + size > d->written) d->written = at + size;
    return 0;
}

/* A file must be as long as libhdf5 says, also when nothing was written at its end. */
static herr_t write_truncate(H5FD_t *file, hid_t list, hbool_t is_closing)
{
    const write_driver *d = (const write_driver *)file;
    (void)is_closing;
    return d->written < d->claimed ? write_write(file, H5FD_MEM_DRAW, list, d->claimed - 1, 1, "")
                                   : 0;
}

static const H5FD_class_t write_class = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)(H5_VFD_RESERVED + 1),
#endif
    .name = "fovea",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(fvi_hdf5_save *),
    .open = write_open,
    .close = write_close,
    .query = write_query,
    .get_eoa = write_get_claimed,
    .set_eoa = write_set_claimed,
    .get_eof = write_get_written,
    .read = write_read,
    .write = write_write,
    .truncate = write_truncate,
    .fl_map = H5FD_FLMAP_SINGLE,
};

/* ---- begin and end ---- */

static fv_status write_refuse(fvi_hdf5_save *s, const char *name)
{
    char reason[FVI_SAFE_TEXT], safe[FVI_SAFE_TEXT];
    if (s->failed != FV_OK) return s->failed; /* its text stands */
    s->failed = FV_E_IO;
    return fvi_fail(FV_E_IO, "HDF5 \"%s\": cannot write: %s", fvi_safe(safe, name),
                    fvi_hdf5_reason(reason));
}

/* After a failure there is only abort, and commit, which says so. */
static fv_status write_check(const fvi_hdf5_save *s)
{
    return s->failed == FV_OK ? FV_OK : fvi_fail(s->failed, "HDF5: an earlier part failed");
}

static fv_status write_begin(fvi_hdf5_save *s, const char *path)
{
    s->driver = H5FDregister(&write_class);
    hid_t access_list = H5Pcreate(H5P_FILE_ACCESS), create_list = H5Pcreate(H5P_FILE_CREATE);
    if (s->driver >= 0 && access_list >= 0 && create_list >= 0 &&
        H5Pset_driver(access_list, s->driver, &s) >= 0) {
        H5Pset_libver_bounds(access_list, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
        H5Pset_obj_track_times(create_list, false);
        s->file = H5Fcreate(path, H5F_ACC_TRUNC, create_list, access_list);
    }
    if (access_list >= 0) H5Pclose(access_list);
    if (create_list >= 0) H5Pclose(create_list);
    return s->file < 0 ? write_refuse(s, path) : FV_OK;
}

fv_status fvi_hdf5_create(fvi_hdf5_save **save, const char *path)
{
    *save = NULL;
    fvi_hdf5_save *s = fvi_alloc(1, sizeof *s, "an HDF5 file");
    if (s == NULL) return FV_E_MEMORY;
    s->driver = s->file = -1;
    s->last = &s->first;
    fv_status status = fvi_save_begin(&s->save, path);
    if (status == FV_OK) {
        fvi_hdf5_guard guard = fvi_hdf5_begin();
        status = fvi_hdf5_end(guard, write_begin(s, path));
    }
    if (status == FV_OK)
        *save = s;
    else
        fvi_hdf5_abort(s);
    return status;
}

/* Everything of libhdf5 goes, which writes what it still held. */
static fv_status write_end(fvi_hdf5_save *s)
{
    for (write_set *w = s->first, *after; w != NULL; w = after) {
        after = w->after;
        if (w->set >= 0) H5Dclose(w->set);
        if (w->memory >= 0) H5Tclose(w->memory);
        fvi_free(w->name);
        fvi_free(w);
    }
    s->first = NULL;
    fv_status status = s->file >= 0 && H5Fclose(s->file) < 0 ? write_refuse(s, "") : s->failed;
    if (s->driver >= 0) H5FDunregister(s->driver);
    s->file = s->driver = -1;
    return status;
}

void fvi_hdf5_abort(fvi_hdf5_save *save)
{
    if (save == NULL) return;
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    fvi_hdf5_end(guard, write_end(save));
    fvi_save_abort(save->save);
    fvi_free(save);
}

fv_status fvi_hdf5_commit(fvi_hdf5_save *save)
{
    char safe[FVI_SAFE_TEXT];
    fv_status status = write_check(save);
    for (const write_set *w = save->first; status == FV_OK && w != NULL; w = w->after)
        if (w->left > 0)
            status = fvi_fail(FV_E_STATE, "HDF5 \"%s\": %d rows were never written",
                              fvi_safe(safe, w->name), w->left);
    if (status == FV_OK) {
        fvi_hdf5_guard guard = fvi_hdf5_begin();
        status = fvi_hdf5_end(guard, write_end(save));
    }
    if (status == FV_OK) {
        status = fvi_save_commit(save->save);
        save->save = NULL;
    }
    fvi_hdf5_abort(save); /* of what is left: nothing, unless it failed */
    return status;
}

/* ---- types: what the file has, and the same in this machine's order ---- */

static hid_t write_half(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    if (type >= 0 && H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(type, 2) >= 0 &&
        H5Tset_ebias(type, 15) >= 0)
        return type;
    if (type >= 0) H5Tclose(type);
    return -1;
}

/* As h5py does it: FALSE and TRUE in one byte. */
static hid_t write_bool(void)
{
    const int8_t no = 0, yes = 1;
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    if (type >= 0 && H5Tenum_insert(type, "FALSE", &no) >= 0 &&
        H5Tenum_insert(type, "TRUE", &yes) >= 0)
        return type;
    if (type >= 0) H5Tclose(type);
    return -1;
}

static hid_t write_type(fv_dtype dtype)
{
    switch (dtype) {
    case FV_FLOAT16:
        return write_half();
    case FV_BOOL:
        return write_bool();
    case FV_FLOAT32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case FV_FLOAT64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case FV_UINT8:
        return H5Tcopy(H5T_STD_U8LE);
    case FV_INT8:
        return H5Tcopy(H5T_STD_I8LE);
    case FV_UINT16:
        return H5Tcopy(H5T_STD_U16LE);
    case FV_INT16:
        return H5Tcopy(H5T_STD_I16LE);
    case FV_UINT32:
        return H5Tcopy(H5T_STD_U32LE);
    case FV_INT32:
        return H5Tcopy(H5T_STD_I32LE);
    case FV_UINT64:
        return H5Tcopy(H5T_STD_U64LE);
    case FV_INT64:
        return H5Tcopy(H5T_STD_I64LE);
    }
    return -1;
}

/* ---- data sets ---- */

static write_set *write_find(const fvi_hdf5_save *s, const char *name)
{
    write_set *w = s->first;
    while (w != NULL && strcmp(w->name, name) != 0)
        w = w->after;
    return w;
}

static fv_status write_check_name(const fvi_hdf5_save *s, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    FVI_TRY(write_check(s));
    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        !fvi_is_utf8(name))
        return fvi_fail(FV_E_ARG, "HDF5 \"%s\": no name for a data set",
                        fvi_safe(safe, name != NULL ? name : "NULL"));
    if (write_find(s, name) != NULL)
        return fvi_fail(FV_E_ARG, "HDF5 \"%s\": a data set of this name is there",
                        fvi_safe(safe, name));
    return FV_OK;
}

static hid_t write_make(const fvi_hdf5_save *s, const char *name, const fv_shape *shape, hid_t type)
{
    hsize_t size[FV_MAX_RANK] = {0};
    for (int i = 0; i < shape->rank; i++)
        size[i] = (hsize_t)shape->dim[i];
    hid_t space =
        shape->rank > 0 ? H5Screate_simple(shape->rank, size, NULL) : H5Screate(H5S_SCALAR);
    hid_t list = H5Pcreate(H5P_DATASET_CREATE), set = -1;
    if (space >= 0 && list >= 0) {
        H5Pset_layout(list, H5D_CONTIGUOUS);
        H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY); /* in the order of adding */
        H5Pset_fill_time(list, H5D_FILL_TIME_NEVER);
        H5Pset_obj_track_times(list, false);
        set = H5Dcreate2(s->file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    }
    if (space >= 0) H5Sclose(space);
    if (list >= 0) H5Pclose(list);
    return set;
}

/* Takes over type. */
static fv_status write_add(fvi_hdf5_save *s, const char *name, const fv_shape *shape, hid_t type)
{
    size_t elements = 0;
    fv_status status = fvi_shape_count(&elements, shape);
    write_set *w = status == FV_OK ? fvi_alloc(1, sizeof *w, "an HDF5 data set") : NULL;
    if (w == NULL) {
        if (type >= 0) H5Tclose(type);
        return status != FV_OK ? status : FV_E_MEMORY;
    }
    *w = (write_set){.name = fvi_strdup(name), .set = -1, .memory = type, .shape = *shape};
    w->is_empty = elements == 0;
    if (elements > 0) w->left = shape->rank > 0 ? shape->dim[0] : 1;
    *s->last = w; /* write_end frees it */
    s->last = &w->after;
    if (w->name == NULL) return s->failed = FV_E_MEMORY;
    if (type >= 0) w->set = write_make(s, name, shape, type);
    bool is_number = type >= 0 && H5Tget_class(type) != H5T_STRING;
    if (w->set < 0 || s->failed != FV_OK ||
        (is_number && H5Tget_class(type) != H5T_ENUM &&
         H5Tset_order(type, H5Tget_order(H5T_NATIVE_INT)) < 0))
        return write_refuse(s, name);
    return FV_OK;
}

fv_status fvi_hdf5_add(fvi_hdf5_save *save, const char *name, const fv_shape *shape, fv_dtype dtype)
{
    size_t elements;
    FVI_TRY(write_check_name(save, name));
    FVI_TRY(fvi_shape_count(&elements, shape));
    if (fv_dtype_size(dtype) == 0) return fvi_fail(FV_E_ARG, "HDF5: no such dtype");
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, write_add(save, name, shape, write_type(dtype)));
}

static fv_status write_rows(fvi_hdf5_save *s, write_set *w, int first, int count, const void *data)
{
    hsize_t start[FV_MAX_RANK] = {(hsize_t)first}, size[FV_MAX_RANK] = {(hsize_t)count};
    for (int i = 1; i < w->shape.rank; i++)
        size[i] = (hsize_t)w->shape.dim[i];
    hid_t file = H5Dget_space(w->set), memory = H5S_ALL;
    bool is_good = file >= 0;
    if (is_good && w->shape.rank > 0) {
        memory = H5Screate_simple(w->shape.rank, size, NULL);
        is_good =
            memory >= 0 && H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, size, NULL) >= 0;
    }
    is_good = is_good && H5Dwrite(w->set, w->memory, memory, file, H5P_DEFAULT, data) >= 0;
    if (memory > 0) H5Sclose(memory);
    if (file >= 0) H5Sclose(file);
    if (!is_good || s->failed != FV_OK) return write_refuse(s, w->name);
    w->left -= count;
    return FV_OK;
}

fv_status fvi_hdf5_write_rows(fvi_hdf5_save *save, const char *name, int first, int count,
                              const void *data)
{
    char safe[FVI_SAFE_TEXT];
    FVI_TRY(write_check(save));
    write_set *w = name != NULL ? write_find(save, name) : NULL;
    if (w == NULL)
        return fvi_fail(FV_E_ARG, "HDF5 \"%s\": no data set of this name was added",
                        fvi_safe(safe, name != NULL ? name : "NULL"));
    int rows = w->shape.rank > 0 ? w->shape.dim[0] : 1;
    if (first < 0 || count < 0 || first > rows || count > rows - first)
        return fvi_fail(FV_E_ARG, "HDF5 \"%s\": %d rows from %d, it has %d", fvi_safe(safe, name),
                        count, first, rows);
    if (count == 0 || w->is_empty) return FV_OK;
    if (count > w->left)
        return fvi_fail(FV_E_STATE, "HDF5 \"%s\": rows are written a second time",
                        fvi_safe(safe, name));
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, write_rows(save, w, first, count, data));
}

fv_status fvi_hdf5_add_strings(fvi_hdf5_save *save, const char *name, const char *const *strings,
                               int count)
{
    size_t width = 1;
    FVI_TRY(write_check_name(save, name));
    if (count < 1) return fvi_fail(FV_E_ARG, "HDF5: %d strings, expected at least one", count);
    for (int i = 0; i < count; i++)
        if (strlen(strings[i]) > width) width = strlen(strings[i]);
    char *cells = fvi_alloc((size_t)count, width, "HDF5 strings");
    if (cells == NULL) return FV_E_MEMORY;
    for (int i = 0; i < count; i++)
        memcpy(cells + (size_t)i * width, strings[i], strlen(strings[i]));
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0) {
        H5Tset_size(type, width);
        H5Tset_strpad(type, H5T_STR_NULLPAD);
        H5Tset_cset(type, H5T_CSET_UTF8);
    }
    fv_status status = write_add(save, name, &(fv_shape){1, {count}}, type);
    if (status == FV_OK) status = write_rows(save, write_find(save, name), 0, count, cells);
    fvi_hdf5_end(guard, status);
    fvi_free(cells);
    return status;
}

#else

typedef int write_nothing; /* built without HDF5: hdf5.c says so */

#endif
