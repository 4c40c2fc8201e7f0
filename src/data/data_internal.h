/* SPDX-License-Identifier: MIT */
/* A data set from the inside: for src/data and the rooms that stand on it. */
#ifndef FVI_DATA_INTERNAL_H
#define FVI_DATA_INTERNAL_H

#include "fovea/data.h"
#include "formats/formats.h"

#include <stdatomic.h>

#define FVI_MADE_PREFIX "made:"

/* ---- store.c: where pictures come from; several data sets may share one ---- */

typedef struct fvi_store fvi_store;
typedef struct fvi_store_kind {
    /* Picture i into out, in the store's shape and dtype. By several threads at once, unless
       is_serial. epoch: what augmentation draws from; 0 when nobody trains. */
    fv_status (*read)(fvi_store *store, void *out, int i, uint32_t epoch);
    const char *(*path)(const fvi_store *store, int i); /* NULL: pictures have no files */
    /* A hash of what picture i is made of, when that is cheaper than reading it. NULL: of its
       pixels. */
    fv_status (*hash)(fvi_store *store, uint64_t *hash, int i, uint64_t seed);
    /* As fv_dataset_boxes. NULL: nothing to detect. */
    int (*boxes)(const fvi_store *store, fv_box *boxes, int room, int i);
    void (*free)(fvi_store *store); /* what it owns, not itself; NULL: nothing */
} fvi_store_kind;

typedef struct fvi_skip fvi_skip; /* one picture that could not be read, and why */

/* The head of every store. */
struct fvi_store {
    const fvi_store_kind *kind;
    atomic_int holders;
    fv_shape shape; /* of one picture */
    fv_dtype dtype;
    size_t bytes; /* of one picture */
    int count;
    bool is_serial;   /* one thread at a time */
    bool is_tolerant; /* a picture that cannot be read is noted, not an error */
    void *memory;     /* all pictures in a row, which nobody writes; or NULL */
    fvi_store *below; /* what it reads from, held; or NULL */
    atomic_uchar *is_bad;
    _Atomic(fvi_skip *) skips;
};

/* size zeroed bytes with the head filled in, held once, by the caller; tolerant and serial as below
   is. It takes over the caller's hold of below, also on failure, which is NULL. */
void *fvi_store_new(size_t size, const fvi_store_kind *kind, fv_shape shape, fv_dtype dtype,
                    int count, fvi_store *below);
fvi_store *fvi_store_hold(fvi_store *store); /* returns it */
void fvi_store_drop(fvi_store *store);       /* frees it when nobody holds it; NULL allowed */
fv_status fvi_store_read(fvi_store *store, void *out, int i, uint32_t epoch);
/* Note a picture that the last call of this thread could not read. FV_OK: noted, go on without it;
   else what it failed with, since the store is not tolerant or memory ran out. */
fv_status fvi_store_skip(fvi_store *store, int i, fv_status failed);
bool fvi_store_is_bad(const fvi_store *store, int i);           /* it was noted */
int fvi_store_skips(const fvi_store *store);                    /* noted, here and below */
const char *fvi_store_skip_text(const fvi_store *store, int i); /* NULL out of range */
/* Pictures in a row, taken over even on failure. */
fv_status fvi_store_memory(fvi_store **store, fv_shape shape, fv_dtype dtype, int count, void *x);
/* Read the pictures of index (NULL: all) into memory, with several threads; what cannot be read is
   left out: *kept (fvi_alloc) gets their places in index, *n how many. Takes over the hold of
   below. */
fv_status fvi_store_keep(fvi_store **store, int **kept, int *n, fvi_store *below, const int *index,
                         int count, int threads);

struct fv_dataset {
    char *name;
    int count, classes;
    fvi_store *store;
    int *index;        /* [count] numbers of pictures in the store; NULL: 0, 1, ... */
    int32_t *label;    /* [count], or NULL */
    float *target;     /* [count, classes], or NULL; exactly one of the two */
    char **class_name; /* [classes] */
    fv_resize resize;
};

/* ---- dataset.c ---- */

/* Take over store and label (also on failure) and name the classes 0, 1, ... */
fv_status fvi_dataset_make(fv_dataset **dataset, const char *name, fvi_store *store, int32_t *label,
                           int count, int classes);
/* Everything but names is in content, which is taken over whatever happens. classes NULL: the
   numbers. */
fv_status fvi_dataset_publish(fv_dataset **dataset, fv_dataset content, const char *name,
                              const char *const *classes);
void fvi_dataset_release(fv_dataset *content); /* what it owns, not itself */
/* The place of picture i in the store. */
int fvi_dataset_at(const fv_dataset *dataset, int i);
/* dataset_view.c: all of a data set on another store, whose hold is taken over in any case. */
fv_status fvi_dataset_restore(fv_dataset **dataset, const fv_dataset *d, fvi_store *store);
/* Bytes of pictures that may be kept in memory. */
size_t fvi_memory_budget(const fv_dataset_config *config);
/* Bring what is small into memory: a set within the budget is read now, what cannot be read left
   out, with its labels. FV_E_FORMAT when nothing can be read at all. */
fv_status fvi_dataset_keep(fv_dataset *dataset, const fv_dataset_config *config);
/* Other names for the classes, copied; NULL: the numbers. */
fv_status fvi_dataset_name_classes(fv_dataset *dataset, const char *const *names);
#define FVI_MAX_CLASSES 65536
/* Class numbers [N], [N,1] or [1,N] of any integer type as int32 (fvi_alloc). *classes: how many
   there may be, or 0, then it becomes the largest label + 1. FV_E_SHAPE: not count labels;
   FV_E_FORMAT: not integers, or out of range (names the sample). */
fv_status fvi_dataset_labels(int32_t **label, int *classes, const fv_tensor *y, int count);
bool fvi_is_integer(fv_dtype dtype); /* bool is one */
/* Element i of integers; what int64 cannot hold becomes its largest. */
int64_t fvi_integer_at(const fv_tensor *integers, size_t i);
/* FV_E_FORMAT, naming the sample, when one of count * each values is NaN or infinite. */
fv_status fvi_dataset_check_finite(const float *values, int count, size_t each, const char *what);

/* dataset_files.c: whatever is not made */
fv_status fvi_files_open(fv_dataset **dataset, const char *path, fv_split split,
                         const fv_dataset_config *config);
/* A path for a message: safe to print, of a long one the end, which has the name. */
const char *fvi_path_text(char out[FVI_SAFE_TEXT], const char *path);
/* store_rows.c: an array that stays in its file. */
typedef struct fvi_rows {
    fvi_reader *reader; /* a plain file, rows from offset on */
    uint64_t offset;
    bool is_swapped;
    fvi_hdf5 *hdf5; /* or a data set in an HDF5 file; name is fvi_alloc memory */
    char *name;
    fv_dtype dtype; /* as it lies there: uint8, float32, float64 */
} fvi_rows;
/* Pictures of that shape; takes over what rows holds in any case. */
fv_status fvi_rows_open(fvi_store **store, fvi_rows *rows, fv_shape shape, int count);
void fvi_rows_close(fvi_rows *rows);

/* dataset_arrays.c: pictures and labels as files have them, on the way to a data set. */
typedef struct fvi_raw {
    const char *path, *x_name, *y_name; /* for messages */
    /* [N,H,W,C] or [N,H,W] of uint8, float32, float64, without data when they are rows; labels as
       fvi_dataset_labels takes them */
    fvi_array x, y;
    fvi_rows rows;
    int classes; /* 0: the largest label + 1 */
} fvi_raw;
/* Check, convert, make; frees what raw owns whatever happens. */
fv_status fvi_arrays_make(fv_dataset **dataset, const char *name, fvi_raw *raw);
void fvi_raw_free(fvi_raw *raw);
/* Small enough to be read at once. */
bool fvi_arrays_fit(const fv_shape *shape, fv_dtype dtype, const fv_dataset_config *config);
/* Names of classes: numbers [K] as text, FV_E_FORMAT when they are no integers; and a data set's, as
   many as it has classes. */
fv_status fvi_classes_of_numbers(fvi_value **classes, const fvi_array *numbers, const char *name);
fv_status fvi_dataset_take_names(fv_dataset *dataset, const fvi_value *classes);
/* Two files, NPY or IDX, plain or gzipped. */
fv_status fvi_arrays_open(fv_dataset **dataset, const char *folder, const char *x_name,
                          const char *y_name, const fv_dataset_config *config);
/* Files of CIFAR-10 or CIFAR-100, in that order. */
fv_status fvi_cifar_open(fv_dataset **dataset, const char *folder, const fvi_value *files,
                         const fv_dataset_config *config);

/* dataset_pictures.c: a list of files, each a picture with a class. Set to zero before use. */
typedef struct fvi_pictures {
    fvi_text text; /* paths, each with its NUL */
    size_t *offset;
    int32_t *label;
    int count, room;
} fvi_pictures;
fv_status fvi_pictures_add(fvi_pictures *pictures, const char *path, int label);
void fvi_pictures_free(fvi_pictures *pictures);
/* A data set of them; takes what pictures holds in any case. classes: names in order of label. */
fv_status fvi_pictures_open(fv_dataset **dataset, fvi_pictures *pictures, const char *name,
                            const fvi_value *classes, const fv_dataset_config *config);
fv_status fvi_classes_given(fvi_value **names, const fv_dataset_config *config); /* may be empty */
void fvi_classes_sort(fvi_value *names); /* by value where all are numbers, else by their bytes */
int fvi_classes_find(const fvi_value *names, const char *name);          /* -1: not there */
fv_status fvi_classes_unknown(const fvi_value *names, const char *name); /* FV_E_FORMAT */

/* dataset_folder.c: a folder with a folder of pictures for each class */
fv_status fvi_folder_open(fv_dataset **dataset, const char *path, const fvi_folder *folder,
                          fv_split split, const fv_dataset_config *config);
bool fvi_folder_has(const char *path, const fvi_folder *folder, fv_split split);
/* The split that a word of that many bytes means ("train", "valid", "Testing"), or -1. */
int fvi_split_of(const char *word, size_t size);

/* dataset_csv.c */
bool fvi_csv_is(const char *path); /* by its name */
fv_status fvi_csv_open(fv_dataset **dataset, const char *path, fv_split split,
                       const fv_dataset_config *config);
bool fvi_csv_has(const char *path, fv_split split);

/* dataset_names.c: arrays by name. A pair is borrowed from the list. */
typedef struct fvi_pair {
    const char *x, *y;
} fvi_pair;
/* Those the configuration names; else the one pair there is, or the one named for the split. */
bool fvi_pair_choose(fvi_pair *pair, const fvi_value *names, fv_split split,
                     const fv_dataset_config *config);
bool fvi_pair_has(const fvi_value *names, fv_split split); /* as fv_dataset_has */
/* What one name says: *role 0 for pictures, 1 for labels; *split -1 for none. false: neither. */
bool fvi_array_is_named(int *split, int *role, const char *name);
#define FVI_PAIR_TEXT 384
void fvi_pair_expected(char out[FVI_PAIR_TEXT], const fv_dataset_config *config);

/* dataset_hdf5.c: one file. sibling: another that may have list_classes when this one has none, or
   NULL. */
fv_status fvi_hdf5_dataset(fv_dataset **dataset, const char *path, const char *sibling,
                           fv_split split, const fv_dataset_config *config);
bool fvi_hdf5_has(const char *path, fv_split split);

/* dataset_npz.c: one file. An array too large to be kept is read from its place in the file, if it
   is stored there as it is. */
fv_status fvi_npz_dataset(fv_dataset **dataset, const char *path, fv_split split,
                          const fv_dataset_config *config);
bool fvi_npz_has(const char *path, fv_split split);

/* picture.c: fv_picture_load of the bytes of a file, into pixels [height,width,channels]; the
   arguments are in range. Any number of threads at once. */
fv_status fvi_picture_decode(uint8_t *pixels, const unsigned char *bytes, size_t size, int height,
                             int width, int channels, fv_resize resize);
/* resize.c: into out [height,width,C]. scale: of a picture decoded small, else NULL. FV_E_ARG,
   FV_E_MEMORY as fv_picture_resize. */
fv_status fvi_picture_fit(uint8_t *out, const fv_picture *in, const fvi_image_scale *scale,
                          int height, int width, fv_resize resize);

/* augment.c: picture `index` [H,W,C] as an epoch shows it; out and in do not overlap. A pure function
   of its arguments: + - * / and sqrt only, whose results IEEE 754 fixes. config is in range. */
void fvi_augment(uint8_t *out, const uint8_t *in, int height, int width, int channels,
                 const fv_augment_config *config, uint64_t seed, uint32_t epoch, int index);
/* The same of floats; brightness counts in units of 1, and nothing is clipped. */
void fvi_augment_float(float *out, const float *in, int height, int width, int channels,
                       const fv_augment_config *config, uint64_t seed, uint32_t epoch, int index);
bool fvi_augment_is_none(const fv_augment_config *config); /* changes nothing; NULL does not */
/* FV_E_ARG, naming the field, when one is out of range. */
fv_status fvi_augment_check(const fv_augment_config *config);

/* made.c: one line for each built-in set */
typedef struct fvi_made {
    const char *name;
    int height, width, channels, classes; /* as drawn when nothing else is asked for */
    const char *const *class_names;       /* [classes], or NULL: the numbers */
    int smallest;                         /* a side may have smallest .. FVI_MADE_LARGEST pixels */
    /* Draw picture i of a split into pixels [H,W,C], C 1 or 3; returns its class. A pure function
       of its arguments, so several threads may draw: the same bytes on every platform, so only
       + - * / and sqrt, whose results IEEE 754 fixes. Needs less than 100 KB of stack. */
    int (*draw)(uint8_t *pixels, int height, int width, int channels, uint64_t seed, fv_split split,
                int i);
    /* What there is to detect in picture i, the object it is named for first: as many boxes as
       there are, up to room of them written. NULL: nothing to detect. */
    int (*boxes)(fv_box *box, int room, int height, int width, uint64_t seed, fv_split split,
                 int i);
} fvi_made;
#define FVI_MADE_LARGEST 1024
const fvi_made *fvi_made_at(int i); /* NULL past the end */
fv_status fvi_made_open(fv_dataset **dataset, const char *name, fv_split split,
                        const fv_dataset_config *config);
/* The class of picture i: every block of `classes` pictures (at most 16) has each class once, in an
   order of its own. */
int fvi_made_class(uint64_t seed, fv_split split, int i, int classes);
/* The random numbers of one picture, one after the other; the parts share none. */
typedef struct fvi_made_rng {
    uint64_t seed, index;
    uint32_t stream, word[4];
    int left;
} fvi_made_rng;
fvi_made_rng fvi_made_rng_begin(uint64_t seed, fv_split split, int i);
uint32_t fvi_made_word(fvi_made_rng *rng);
float fvi_made_between(fvi_made_rng *rng, float low, float high); /* uniform */
int fvi_made_pick(fvi_made_rng *rng, int below);                  /* 0 .. below-1; below is small */

/* made_digits.c, made_faces.c, made_hands.c, made_edges.c, made_shapes.c */
int fvi_made_digit(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                   fv_split split, int i);
int fvi_made_face(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                  fv_split split, int i);
int fvi_made_hand(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                  fv_split split, int i);
int fvi_made_edge(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                  fv_split split, int i);
int fvi_made_shape(uint8_t *pixels, int height, int width, int channels, uint64_t seed,
                   fv_split split, int i);
int fvi_made_shape_boxes(fv_box *box, int room, int height, int width, uint64_t seed,
                         fv_split split, int i);
extern const char *const fvi_made_face_names[], *const fvi_made_edge_names[],
                                                    *const fvi_made_shape_names[];

/* ---- fetch_list.c, fetch.c, fetch_url.c: known data sets ---- */

typedef struct fvi_known_file {
    const char *name;   /* on the disk, and below fv_get_config.from */
    const char *remote; /* below a mirror; NULL: name */
    uint64_t size;      /* bytes; 0: the owner makes the archive anew each time, see tree_sha256 */
    const char *sha256; /* NULL with size 0 */
    /* Of what gunzip gives, or NULL: a copy that somebody compressed again is as good. */
    const char *content_sha256;
    uint64_t content_size;
} fvi_known_file;

#define FVI_KNOWN_FILES 4
#define FVI_KNOWN_MIRRORS 3
#define FVI_KNOWN_HOLDS 10

/* One set: plain files that stay as they are, or one archive, which becomes the folder. */
typedef struct fvi_known {
    fv_known_dataset info;
    const char *mirror[FVI_KNOWN_MIRRORS]; /* addresses that end in '/', the owner's first */
    fvi_known_file file[FVI_KNOWN_FILES];
    bool is_archive;
    fvi_unpack_config unpack; /* of an archive; go_on and user stay empty */
    const char *tree_sha256;  /* of an unpacked archive, see fvi_sha256_tree; or NULL */
    /* What an unpacked archive has: files of so many bytes, or 0 for any size and for folders. */
    struct {
        const char *name;
        uint64_t size;
    } holds[FVI_KNOWN_HOLDS];
} fvi_known;

const fvi_known *fvi_known_at(int i);              /* NULL past the end */
const fvi_known *fvi_known_find(const char *name); /* NULL: no such set */
bool fvi_known_is_there(const fvi_known *set, const char *folder);
/* fv_dataset_get for a set that need not be in the list. */
fv_status fvi_fetch(const fvi_known *set, const char *folder, const fv_get_config *config);

/* What one address gives, written into save. */
typedef struct fvi_transfer {
    const char *url;
    fvi_save *save;
    uint64_t begin;   /* bytes that are there already; asked for is what follows */
    uint64_t limit;   /* bytes at most, with those */
    double timeout_s; /* longest wait for the next byte; 0: 30 */
    bool (*progress)(void *user, uint64_t done, uint64_t total); /* total 0: unknown; NULL */
    void *user;
    uint64_t done;        /* out: bytes that are there now */
    bool is_ours;         /* out: a failure that no other address would cure */
    bool is_from_start;   /* out: it cannot go on in the middle; begin with 0 */
    fv_status save_error; /* what writing failed with */
    double heard_s;       /* when the last byte came */
    bool is_stalled;
} fvi_transfer;
/* The message of a failure is the reason alone, such as "HTTP 404"; the caller says what was to be
   got. */
fv_status fvi_transfer_run(fvi_transfer *transfer);

#endif
