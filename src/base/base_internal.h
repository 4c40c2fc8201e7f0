/* SPDX-License-Identifier: MIT */
/* What every file of the library may use: errors, memory, shapes, text, values, files, random
   numbers, threads. */
#ifndef FVI_BASE_INTERNAL_H
#define FVI_BASE_INTERNAL_H

#include "fovea/base.h"

#include <stdarg.h>

#if defined(__GNUC__)
#define FVI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define FVI_PRINTF(text, first)
#endif

#define FVI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- status.c: the one place errors are made ---- */

/* Store the message for fv_error() and return code. Use as `return fvi_fail(...)`. */
fv_status fvi_fail(fv_status code, const char *format, ...) FVI_PRINTF(2, 3);
/* Put "prefix: " before the present message and return code unchanged: adds the file or the layer
   on the way up. */
fv_status fvi_fail_in(fv_status code, const char *format, ...) FVI_PRINTF(2, 3);

/* Whether this thread's last failure was an allocation that found no memory, and not a limit that
   the content of a file passed. */
bool fvi_is_out_of_memory(void);
/* Both return their code. An analyzer sees one file at a time, so it is told. */
#ifdef __clang_analyzer__
#define fvi_fail(code, ...) ((void)fvi_fail(code, __VA_ARGS__), (code))
#define fvi_fail_in(code, ...) ((void)fvi_fail_in(code, __VA_ARGS__), (code))
#endif

#define FVI_TRY(expression)                                                                        \
    do {                                                                                           \
        fv_status fvi_try_status = (expression);                                                   \
        if (fvi_try_status != FV_OK) return fvi_try_status;                                        \
    } while (0)

/* ---- memory.c: checked, zeroed, 64-byte aligned ---- */

/* count * size zeroed bytes, 64-byte aligned. NULL when the product overflows or memory is short:
   then the message ("out of memory: 12.0 MB for WHAT") is set already and the caller passes
   FV_E_MEMORY up. A count or size of 0 gives a valid pointer. */
void *fvi_alloc(size_t count, size_t size, const char *what);
/* Likewise; for what may be much larger than the part that is used: in small pages. */
void *fvi_alloc_sparse(size_t count, size_t size, const char *what);
/* A copy of bytes (or of a string) in fvi_alloc memory; NULL as above. A NULL text gives NULL
   without an error. */
void *fvi_copy(const void *bytes, size_t size, const char *what);
char *fvi_strdup(const char *text);
/* Grow an fvi_alloc array, old_count elements kept, the new ones zero; on failure NULL and the old
   block is untouched. */
void *fvi_grow(void *old, size_t old_count, size_t new_count, size_t size, const char *what);
void fvi_free(void *memory); /* NULL allowed */
/* Bytes that a plan may ask for: the smallest of 80 % of RAM, the cgroup's limit and RLIMIT_AS. */
size_t fvi_memory_limit(void);
/* Test hook: the k-th allocation from now fails (1: the next); 0 switches it off. fvi_alloc_count:
   allocations so far. */
void fvi_alloc_fail_at(long k);
long fvi_alloc_count(void);
long fvi_alloc_live(void); /* blocks not yet freed; a test's leak check */

/* ---- shape.c: products of dimensions, output sizes; each formula is written once, here ---- */

bool fvi_mul(size_t *out, size_t a, size_t b); /* false when it overflows */
bool fvi_sum(size_t *out, size_t a, size_t b); /* false when it overflows */
/* Elements of a shape; FV_E_SHAPE when a dimension is negative, the rank is out of range, or the
   product passes 2^40. */
fv_status fvi_shape_count(size_t *out, const fv_shape *shape);
fv_shape fvi_shape_of(int rank, const int *dim);
bool fvi_shape_equal(const fv_shape *a, const fv_shape *b);
#define FVI_SHAPE_TEXT 96
/* "28x28x1"; writes at most FVI_SHAPE_TEXT bytes, ends with NUL, returns out. */
const char *fvi_shape_text(char out[FVI_SHAPE_TEXT], const fv_shape *shape);

/* One axis of a window that slides: convolution, pooling. */
typedef struct fvi_window {
    int out, before, after; /* output size; padding before and after, in pixels */
} fvi_window;
typedef enum fvi_window_mode {
    FVI_WINDOW_VALID,
    FVI_WINDOW_SAME,
    FVI_WINDOW_EXPLICIT
} fvi_window_mode;
/* size n, kernel k, stride s, dilation d, all >= 1. SAME: out = ceil(n/s), total = max((out-1)*s +
   (k-1)*d + 1 - n, 0), before = total/2 (TensorFlow's rule, the odd pixel after). EXPLICIT:
   window->before and ->after are read, >= 0. VALID: none. FV_E_SHAPE when a size is < 1, the
   dilated kernel exceeds the padded input, or a sum leaves int. The message has numbers but not the
   layer: the caller adds it. */
fv_status fvi_window_fit(fvi_window *window, fvi_window_mode mode, int n, int k, int s, int d);

/* ---- text.c: a growing string; numbers to text and back, whatever the locale ---- */

typedef struct fvi_text {
    char *data; /* NUL-terminated once anything was added */
    size_t size, capacity;
    fv_status status; /* sticky: after a failure the rest do nothing */
} fvi_text;

void fvi_text_add(fvi_text *text, const char *format, ...)
    FVI_PRINTF(2, 3); /* no %f %g %e: use add_double */
void fvi_text_add_bytes(fvi_text *text, const char *bytes, size_t size);
void fvi_text_add_double(fvi_text *text,
                         double value); /* shortest that reads back the same; "nan", "inf" */
void fvi_text_add_fixed(fvi_text *text, double value, int decimals);
void fvi_text_add_json_string(fvi_text *text,
                              const char *utf8); /* quoted and escaped; bad UTF-8 becomes U+FFFD */
void fvi_text_free(fvi_text *text);
/* Exactly one number in bytes[0..size): decimal, optional sign, point and exponent. false: anything
   else ("", "3abc", "0x10", "nan", out of range). */
bool fvi_parse_double(double *out, const char *bytes, size_t size);
bool fvi_parse_int64(int64_t *out, const char *bytes, size_t size);
bool fvi_is_utf8(const char *text); /* well formed throughout */
/* A name from a file made safe for a message: control and non-UTF-8 bytes as \xNN, cut at 80 bytes.
   Returns out. */
#define FVI_SAFE_TEXT 128
const char *fvi_safe(char out[FVI_SAFE_TEXT], const char *name);

/* ---- value.c: null, bool, number, string, list, dict: what JSON and recipes both become ---- */

typedef enum fvi_value_kind {
    FVI_VALUE_NULL = 0,
    FVI_VALUE_BOOL,
    FVI_VALUE_INT,
    FVI_VALUE_DOUBLE,
    FVI_VALUE_STRING,
    FVI_VALUE_LIST, /* also tuples */
    FVI_VALUE_DICT
} fvi_value_kind;

typedef struct fvi_value fvi_value;
struct fvi_value {
    fvi_value_kind kind;
    bool boolean;
    int64_t integer;
    double number;    /* set for INT too */
    char *string;     /* owned, NUL-terminated UTF-8 */
    size_t count;     /* items of a list or dict */
    fvi_value **item; /* owned */
    char **key;       /* owned; dict only, unique, in order of insertion */
    int line, column; /* where it stood in its text, from 1; 0: unknown */
};

/* Each returns NULL when out of memory (message set). */
fvi_value *fvi_value_null(void);
fvi_value *fvi_value_bool(bool boolean);
fvi_value *fvi_value_int(int64_t integer);
fvi_value *fvi_value_double(double number);
fvi_value *fvi_value_string(const char *string);
fvi_value *fvi_value_list(void);
fvi_value *fvi_value_dict(void);
/* Take ownership of item, freed on failure too; a NULL item (out of memory upstream) gives
   FV_E_MEMORY. A key that exists: FV_E_FORMAT. */
fv_status fvi_value_push(fvi_value *list, fvi_value *item);
fv_status fvi_value_set(fvi_value *dict, const char *key, fvi_value *item);
const fvi_value *fvi_value_get(const fvi_value *dict,
                               const char *key); /* NULL when absent or dict is none */
const char *fvi_value_get_string(const fvi_value *dict,
                                 const char *key); /* NULL when absent or no string */
void fvi_value_free(fvi_value *value);             /* NULL allowed */

/* ---- file.c: the one place files are opened ---- */

/* A whole regular file into *bytes (fvi_alloc, a NUL after the last byte that *size does not
   count). FV_E_IO: missing, a folder, unreadable, not a regular file; FV_E_MEMORY: longer than
   limit. The message names the path. */
fv_status fvi_file_read(unsigned char **bytes, size_t *size, const char *path, size_t limit);
/* The first bytes of a file, at most room, without using memory; how many, 0 also when there is no
   such file. */
size_t fvi_file_peek(void *bytes, size_t room, const char *path);
/* A file open for reading at any place, by many threads at once. Errors of open as above; of a read
   that the file is shorter: FV_E_IO. Messages name the path. */
typedef struct fvi_reader fvi_reader;
fv_status fvi_reader_open(fvi_reader **reader, const char *path);
uint64_t fvi_reader_size(const fvi_reader *reader); /* when it was opened */
fv_status fvi_reader_at(const fvi_reader *reader, void *bytes, size_t size, uint64_t offset);
void fvi_reader_close(fvi_reader *reader); /* NULL allowed */

/* Write aside, then rename: begin, write ..., commit or abort. Until commit the old file stands;
   after a failure nothing is left. */
typedef struct fvi_save fvi_save;
fv_status fvi_save_begin(fvi_save **save, const char *path);
fv_status fvi_save_write(fvi_save *save, const void *bytes, size_t size);
/* For formats that fill in a head when they know the rest: at any place; what was left out between
   is zeros. fvi_save_write goes on where it was. Reading: bytes that were written before. */
fv_status fvi_save_write_at(fvi_save *save, const void *bytes, size_t size, uint64_t offset);
fv_status fvi_save_read_at(fvi_save *save, void *bytes, size_t size, uint64_t offset);
fv_status fvi_save_commit(
    fvi_save
        *save); /* flush, fsync, close, rename, fsync the folder; frees save whatever happens */
void fvi_save_abort(fvi_save *save); /* removes the temporary, frees; NULL allowed */
fv_status fvi_file_write(const char *path, const void *bytes,
                         size_t size); /* begin, write, commit */

/* The same for a file that comes in several sittings: what is written lies in PATH.part and stays
   there when it fails or is aborted, unless it is empty. *size: bytes there from before, after which
   writing goes on, always at the end; restart forgets them. */
fv_status fvi_save_resume(fvi_save **save, uint64_t *size, const char *path);
fv_status fvi_save_restart(fvi_save *save);
/* Where the bytes lie until commit; what was written can be read there. Borrowed. */
const char *fvi_save_part(const fvi_save *save);

fv_status fvi_file_remove(const char *path); /* FV_OK when it is not there, too */
/* Another name for a file or folder, in the same folder or file system. */
fv_status fvi_file_move(const char *from, const char *to);

/* One holder at a time, of all processes and threads: the file PATH, with the holder's process
   number in it, which goes when the lock is given back. Who died holds nothing. FV_E_IO: held by
   another ("process 123 is at work on it"). */
typedef struct fvi_file_lock fvi_file_lock;
fv_status fvi_file_lock_take(fvi_file_lock **lock, const char *path);
void fvi_file_lock_give(fvi_file_lock *lock); /* NULL allowed */

/* ---- folder.c: what is there, what a folder holds ---- */

bool fvi_file_exists(const char *path); /* anything by that name, a folder too */
bool fvi_file_is_folder(const char *path);
/* false: not there, or not a regular file. */
bool fvi_file_size(uint64_t *size, const char *path);

typedef enum fvi_entry_kind { FVI_ENTRY_FILE, FVI_ENTRY_FOLDER, FVI_ENTRY_OTHER } fvi_entry_kind;
typedef struct fvi_entry {
    char *name; /* any bytes but NUL and '/' */
    fvi_entry_kind kind;
    bool is_link; /* kind is what it leads to; OTHER when it leads nowhere */
} fvi_entry;
/* Entries in the order of their bytes; names that begin with a dot are left out. */
typedef struct fvi_folder {
    size_t count;
    fvi_entry *entry;
} fvi_folder;
/* FV_E_IO: no folder, not readable; FV_E_MEMORY. *folder is empty then. */
fv_status fvi_folder_read(fvi_folder *folder, const char *path);
void fvi_folder_free(fvi_folder *folder);
fv_status fvi_folder_make(const char *path); /* and those above it; FV_OK when it is there */
/* It and all it holds, links but not what they lead to; FV_OK when it is not there. */
fv_status fvi_folder_remove(const char *path);
/* "folder/name" in fvi_alloc memory; NULL when out of memory. */
char *fvi_path_join(const char *folder, const char *name);

/* ---- rng.c: counter-based (Philox 4x32-10): a number is a pure function of (seed, purpose,
   stream, index) ---- */

typedef enum fvi_purpose {
    FVI_RNG_INIT = 1,    /* stream: the weight's number */
    FVI_RNG_SHUFFLE = 2, /* stream: the epoch */
    FVI_RNG_DROPOUT = 3, /* stream: step and node */
    FVI_RNG_MADE = 4,    /* stream: the picture's number */
    FVI_RNG_SPLIT = 5,
    FVI_RNG_AUGMENT = 6, /* stream: the epoch */
    FVI_RNG_TEST = 99
} fvi_purpose;

void fvi_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2]); /* Salmon et al. 2011 */
/* Four words at position index of a stream. */
void fvi_rng_words(uint32_t out[4], uint64_t seed, fvi_purpose purpose, uint32_t stream,
                   uint64_t index);
double fvi_rng_uniform(uint64_t seed, fvi_purpose purpose, uint32_t stream,
                       uint64_t index); /* [0,1), 53 bits */
double fvi_rng_normal(uint64_t seed, fvi_purpose purpose, uint32_t stream,
                      uint64_t index); /* Box-Muller */
int fvi_rng_int(uint64_t seed, fvi_purpose purpose, uint32_t stream, uint64_t index,
                int below); /* [0,below), unbiased */
/* 64 bits that depend on every byte and on seed; equal bytes give equal bits everywhere. Not for
   secrets. */
uint64_t fvi_hash(const void *bytes, size_t size, uint64_t seed);
/* Fisher-Yates: p holds 0..n-1 in an order that is a pure function of the arguments. */
void fvi_rng_permutation(int *p, int n, uint64_t seed, fvi_purpose purpose, uint32_t stream);

/* ---- thread.c: a thin face on pthreadpool; plain calls when built without it ---- */

typedef struct fvi_threads fvi_threads;
/* threads >= 1; 1 gives *out = NULL, which every function here takes as "the caller alone". */
fv_status fvi_threads_new(fvi_threads **out, int threads);
void fvi_threads_free(fvi_threads *threads);
int fvi_threads_count(const fvi_threads *threads); /* 1 for NULL */
int fvi_threads_available(void);                   /* processors this process may run on, >= 1 */
/* Call fn(context, task) once for each task in [0, tasks), in any order, on any thread; returns
   when all are done, and then all their writes are visible. Who runs a task cannot matter: tasks
   are fixed by geometry, never by the number of threads. */
void fvi_parallel_for(fvi_threads *threads, size_t tasks, void (*fn)(void *context, size_t task),
                      void *context);
/* Call fn(context) here, once. Meanwhile the other threads wait for what it calls fvi_parallel_for
   with, awake for a while each time: so these calls cost a microsecond instead of a wake-up. */
void fvi_together(fvi_threads *threads, void (*fn)(void *context), void *context);

/* One thread in the background that does one job again and again: start, go on with something else,
   wait. What was written before start is visible to the job, what the job wrote after wait. Where
   there are no threads, wait does the job. */
typedef struct fvi_worker fvi_worker;
fv_status fvi_worker_new(fvi_worker **worker, void (*job)(void *context), void *context);
void fvi_worker_start(fvi_worker *worker); /* not twice without a wait between */
void fvi_worker_wait(fvi_worker *worker);  /* returns at once when nothing was started */
void fvi_worker_free(fvi_worker *worker);  /* waits first; NULL allowed */

/* A lock. Without threads it does nothing. */
typedef struct fvi_lock fvi_lock;
fv_status fvi_lock_new(fvi_lock **lock);
void fvi_lock_take(fvi_lock *lock);
void fvi_lock_give(fvi_lock *lock);
void fvi_lock_free(fvi_lock *lock); /* NULL allowed */

double fvi_now(void); /* seconds since some moment, never going back */

#endif
