/* SPDX-License-Identifier: MIT */
/* HDF5 data sets through libhdf5. It was not written for hostile files, so what it is asked to do
   is checked first: layout, filters, sizes against the file; nothing outside the file is ever
   opened. */
#include "formats/formats.h"

#include <string.h>

static const unsigned char hdf5_signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

bool fvi_hdf5_is(const unsigned char *bytes, size_t size)
{
    for (size_t at = 0; size >= 8 && at <= size - 8; at = at == 0 ? 512 : 2 * at) {
        if (memcmp(bytes + at, hdf5_signature, 8) == 0) return true;
        if (at > SIZE_MAX / 2) break;
    }
    return false;
}

#ifdef FVI_WITH_HDF5

#include "formats/hdf5_lib.h"

#include <pthread.h>
#include <stdlib.h>

#define HDF5_MAX_DEPTH 64
#define HDF5_MAX_GROUPS ((size_t)20000)
#define HDF5_MAX_NAMES ((size_t)100000)

/* ---- the library's own state ---- */

static pthread_mutex_t hdf5_mutex = PTHREAD_MUTEX_INITIALIZER;

fvi_hdf5_guard fvi_hdf5_begin(void)
{
    fvi_hdf5_guard guard = {0};
    pthread_mutex_lock(&hdf5_mutex);
    H5Eget_auto2(H5E_DEFAULT, &guard.print, &guard.print_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLget_loading_state(&guard.plugins);
    H5PLset_loading_state(0);
    return guard;
}

fv_status fvi_hdf5_end(fvi_hdf5_guard guard, fv_status status)
{
    H5Eclear2(H5E_DEFAULT);
    H5PLset_loading_state(guard.plugins);
    H5Eset_auto2(H5E_DEFAULT, guard.print, guard.print_data);
    pthread_mutex_unlock(&hdf5_mutex);
    return status;
}

/* ---- errors ---- */

static herr_t hdf5_first_reason(unsigned n, const H5E_error2_t *error, void *data)
{
    char *reason = data;
    (void)n;
    if (reason[0] == '\0' && error->desc != NULL) fvi_safe(reason, error->desc);
    return 0;
}

const char *fvi_hdf5_reason(char reason[FVI_SAFE_TEXT])
{
    reason[0] = '\0';
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, hdf5_first_reason, reason);
    if (reason[0] == '\0') memcpy(reason, "damaged", sizeof "damaged");
    return reason;
}

/* ---- the file ---- */

static fv_status hdf5_open(fvi_hdf5 *file, const char *path)
{
    char safe[FVI_SAFE_TEXT], reason[FVI_SAFE_TEXT];
    hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    if (access_list < 0) return fvi_fail(FV_E_MEMORY, "HDF5: %s", fvi_hdf5_reason(reason));
    H5Pset_fapl_sec2(access_list); /* plain reads, whatever the environment names */
    H5Pset_fclose_degree(access_list, H5F_CLOSE_STRONG);
    H5Pset_sieve_buf_size(access_list, 1); /* a row is read as it is, not with its neighbours */
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access_list, false, true); /* read-only media have no locks */
#endif
    file->file = H5Fopen(path, H5F_ACC_RDONLY, access_list);
    fv_status status = FV_OK;
    if (file->file < 0)
        status = fvi_fail(FV_E_FORMAT, "cannot read \"%s\" as HDF5: %s", fvi_safe(safe, path),
                          fvi_hdf5_reason(reason));
    H5Pclose(access_list);
    return status;
}

fv_status fvi_hdf5_open(fvi_hdf5 **file, const char *path)
{
    *file = NULL;
    if (path == NULL) return fvi_fail(FV_E_ARG, "the path of an HDF5 file is NULL");
    fvi_hdf5 *made = fvi_alloc(1, sizeof *made, "an HDF5 file");
    if (made == NULL) return FV_E_MEMORY;
    made->file = -1;
    fv_status status = fvi_reader_open(&made->reader, path);
    if (status == FV_OK) status = fvi_hdf5_rows_new(&made->rows);
    if (status == FV_OK) {
        made->bytes = fvi_reader_size(made->reader);
        fvi_hdf5_guard guard = fvi_hdf5_begin();
        status = fvi_hdf5_end(guard, hdf5_open(made, path));
    }
    if (status == FV_OK)
        *file = made;
    else
        fvi_hdf5_close(made);
    return status;
}

void fvi_hdf5_close(fvi_hdf5 *file)
{
    if (file == NULL) return;
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    fvi_hdf5_rows_free(file->rows);
    if (file->file >= 0) H5Fclose(file->file);
    fvi_hdf5_end(guard, FV_OK);
    fvi_reader_close(file->reader);
    fvi_free(file);
}

/* ---- the list of data sets ---- */

typedef struct hdf5_walk {
    fvi_value *names;
    fvi_text path;
    haddr_t *seen; /* addresses of groups, so that a group inside itself ends */
    size_t groups, room;
    int depth;
    fv_status status;
} hdf5_walk;

/* False when the group was seen before or memory is short; then status says which. */
static bool hdf5_walk_enter(hdf5_walk *walk, haddr_t address)
{
    for (size_t i = 0; i < walk->groups; i++)
        if (walk->seen[i] == address) return false;
    if (walk->groups == HDF5_MAX_GROUPS || walk->depth == HDF5_MAX_DEPTH) {
        walk->status = fvi_fail(FV_E_FORMAT, "HDF5: more than %zu groups, or nested deeper than %d",
                                HDF5_MAX_GROUPS, HDF5_MAX_DEPTH);
        return false;
    }
    if (walk->groups == walk->room) {
        size_t room = walk->room > 0 ? 2 * walk->room : 64;
        haddr_t *seen = fvi_grow(walk->seen, walk->room, room, sizeof *seen, "HDF5 groups");
        if (seen == NULL) {
            walk->status = FV_E_MEMORY;
            return false;
        }
        walk->seen = seen;
        walk->room = room;
    }
    walk->seen[walk->groups++] = address;
    return true;
}

static herr_t hdf5_walk_link(hid_t group, const char *name, const H5L_info_t *link, void *data);

static void hdf5_walk_group(hdf5_walk *walk, hid_t group)
{
    char reason[FVI_SAFE_TEXT];
    walk->depth++;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, hdf5_walk_link, walk) < 0 &&
        walk->status == FV_OK)
        walk->status =
            fvi_fail(FV_E_FORMAT, "HDF5: cannot list a group: %s", fvi_hdf5_reason(reason));
    walk->depth--;
}

static void hdf5_walk_object(hdf5_walk *walk, hid_t group, const char *name)
{
    char reason[FVI_SAFE_TEXT], safe[FVI_SAFE_TEXT];
    H5O_info_t about;
    if (H5Oget_info_by_name2(group, name, &about, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
        walk->status =
            fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": %s", fvi_safe(safe, name), fvi_hdf5_reason(reason));
    } else if (about.type == H5O_TYPE_DATASET) {
        if (walk->names->count >= HDF5_MAX_NAMES)
            walk->status = fvi_fail(FV_E_MEMORY, "HDF5: more than %zu data sets", HDF5_MAX_NAMES);
        else
            walk->status = fvi_value_push(walk->names, fvi_value_string(walk->path.data));
    } else if (about.type == H5O_TYPE_GROUP && hdf5_walk_enter(walk, about.addr)) {
        hid_t inner = H5Gopen2(group, name, H5P_DEFAULT);
        if (inner < 0) {
            walk->status = fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": %s", fvi_safe(safe, name),
                                    fvi_hdf5_reason(reason));
        } else {
            hdf5_walk_group(walk, inner);
            H5Gclose(inner);
        }
    }
}

/* Soft and external links are not followed: what they lead to has a name of its own, or is
   outside. */
static herr_t hdf5_walk_link(hid_t group, const char *name, const H5L_info_t *link, void *data)
{
    hdf5_walk *walk = data;
    if (link->type != H5L_TYPE_HARD) return 0;
    size_t before = walk->path.size;
    fvi_text_add(&walk->path, "%s%s", before > 0 ? "/" : "", name);
    walk->status = walk->path.status;
    if (walk->status == FV_OK) hdf5_walk_object(walk, group, name);
    if (walk->path.status == FV_OK) {
        walk->path.size = before;
        walk->path.data[before] = '\0';
    }
    return walk->status == FV_OK ? 0 : -1;
}

static int hdf5_by_name(const void *left, const void *right)
{
    const fvi_value *const *a = left, *const *b = right;
    return strcmp((*a)->string, (*b)->string);
}

fv_status fvi_hdf5_names(const fvi_hdf5 *file, fvi_value **names)
{
    char reason[FVI_SAFE_TEXT];
    hdf5_walk walk = {.names = fvi_value_list()};
    if (walk.names == NULL) return FV_E_MEMORY;
    H5O_info_t about;
    if (H5Oget_info_by_name2(file->file, "/", &about, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        walk.status = fvi_fail(FV_E_FORMAT, "HDF5: no root group: %s", fvi_hdf5_reason(reason));
    else if (hdf5_walk_enter(&walk, about.addr))
        hdf5_walk_group(&walk, file->file);
    fvi_free(walk.seen);
    fvi_text_free(&walk.path);
    if (walk.status != FV_OK) {
        fvi_value_free(walk.names);
        return walk.status;
    }
    if (walk.names->count > 1)
        qsort(walk.names->item, walk.names->count, sizeof walk.names->item[0], hdf5_by_name);
    *names = walk.names;
    return FV_OK;
}

fv_status fvi_hdf5_list(const fvi_hdf5 *file, fvi_value **names)
{
    *names = NULL;
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, fvi_hdf5_names(file, names));
}

#else

static fv_status hdf5_absent(void)
{
    return fvi_fail(FV_E_UNSUPPORTED, "built without HDF5");
}

fv_status fvi_hdf5_open(fvi_hdf5 **file, const char *path)
{
    (void)path;
    *file = NULL;
    return hdf5_absent();
}

void fvi_hdf5_close(fvi_hdf5 *file)
{
    (void)file;
}

fv_status fvi_hdf5_list(const fvi_hdf5 *file, fvi_value **names)
{
    (void)file;
    *names = NULL;
    return hdf5_absent();
}

fv_status fvi_hdf5_shape(const fvi_hdf5 *file, const char *name, fv_shape *shape, fv_dtype *dtype)
{
    (void)file, (void)name, (void)shape, (void)dtype;
    return hdf5_absent();
}

fv_status fvi_hdf5_read(const fvi_hdf5 *file, const char *name, size_t limit_bytes,
                        fvi_array *array)
{
    (void)file, (void)name, (void)limit_bytes;
    *array = (fvi_array){0};
    return hdf5_absent();
}

fv_status fvi_hdf5_read_strings(const fvi_hdf5 *file, const char *name, fvi_value **strings)
{
    (void)file, (void)name;
    *strings = NULL;
    return hdf5_absent();
}

fv_status fvi_hdf5_chunk_rows(const fvi_hdf5 *file, const char *name, int *rows)
{
    (void)file, (void)name, (void)rows;
    return hdf5_absent();
}

fv_status fvi_hdf5_read_rows(const fvi_hdf5 *file, const char *name, int first, int count,
                             void *out, fv_dtype dtype)
{
    (void)file, (void)name, (void)first, (void)count, (void)out, (void)dtype;
    return hdf5_absent();
}

fv_status fvi_hdf5_create(fvi_hdf5_save **save, const char *path)
{
    (void)path;
    *save = NULL;
    return hdf5_absent();
}

fv_status fvi_hdf5_add(fvi_hdf5_save *save, const char *name, const fv_shape *shape, fv_dtype dtype)
{
    (void)save, (void)name, (void)shape, (void)dtype;
    return hdf5_absent();
}

fv_status fvi_hdf5_add_strings(fvi_hdf5_save *save, const char *name, const char *const *strings,
                               int count)
{
    (void)save, (void)name, (void)strings, (void)count;
    return hdf5_absent();
}

fv_status fvi_hdf5_write_rows(fvi_hdf5_save *save, const char *name, int first, int count,
                              const void *data)
{
    (void)save, (void)name, (void)first, (void)count, (void)data;
    return hdf5_absent();
}

fv_status fvi_hdf5_commit(fvi_hdf5_save *save)
{
    (void)save;
    return hdf5_absent();
}

void fvi_hdf5_abort(fvi_hdf5_save *save)
{
    (void)save;
}

#endif
