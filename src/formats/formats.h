/* SPDX-License-Identifier: MIT */
/* Bytes <-> plain values. Knows nothing of models; every reader here survives any bytes. */
#ifndef FVI_FORMATS_H
#define FVI_FORMATS_H

#include "base/base_internal.h"

/* An array that owns its data (fvi_alloc); C order, native byte order. */
typedef struct fvi_array {
    fv_shape shape;
    fv_dtype dtype;
    void *data;
} fvi_array;

void fvi_array_free(fvi_array *array); /* frees data, sets all to zero; NULL allowed */

/* ---- json.c (jansson) ---- */

/* UTF-8 text to a value. Duplicate keys, depth over 64, NUL and trailing bytes are FV_E_FORMAT with
   line and column. */
fv_status fvi_json_read(fvi_value **value, const char *bytes, size_t size);
/* indent 0: one line. Keys in order of insertion; doubles as the shortest text that reads back the
   same; NaN and infinity are FV_E_ARG. */
fv_status fvi_json_write(fvi_text *text, const fvi_value *value, int indent);

/* ---- safetensors.c ---- */

typedef struct fvi_safetensors_entry {
    char *name;
    fv_tensor tensor; /* data points into bytes and may be unaligned: copy with memcpy */
} fvi_safetensors_entry;

typedef struct fvi_safetensors {
    int count;
    fvi_safetensors_entry *entry; /* in order of offset */
    fvi_value *metadata;          /* a dict of strings, or NULL */
} fvi_safetensors;

/* Every rule of the format is checked (header inside the bytes and <= 100 MB, starts with "{", no
   duplicate names, ranges without holes or overlaps that tile the data area, shape * dtype =
   range): FV_E_FORMAT. bytes must outlive *file. */
fv_status fvi_safetensors_read(fvi_safetensors **file, const unsigned char *bytes, size_t size);
void fvi_safetensors_free(fvi_safetensors *file);
/* Entries are written in the order given (data NULL only when empty), header padded so that data
   starts 8-byte aligned; metadata: NULL or a dict of strings. Same input, same bytes. */
fv_status fvi_safetensors_write(fvi_save *save, const fvi_safetensors_entry *entry, int count,
                                const fvi_value *metadata);

/* ---- hdf5.c (libhdf5; the only file that includes hdf5.h) ---- */

/* libhdf5 is not written for hostile files: a caller that does not trust the file runs these in a
   child process. */
typedef struct fvi_hdf5 fvi_hdf5;
fv_status fvi_hdf5_open(fvi_hdf5 **file, const char *path); /* read only */
void fvi_hdf5_close(fvi_hdf5 *file);
/* Paths of all data sets ("train_set_x", "group/name"), sorted, as a list of strings. */
fv_status fvi_hdf5_list(const fvi_hdf5 *file, fvi_value **names);
/* Shape and type without the data. */
fv_status fvi_hdf5_shape(const fvi_hdf5 *file, const char *name, fv_shape *shape, fv_dtype *dtype);
/* A numeric data set, converted exactly to native order. Layouts compact, contiguous, chunked;
   filters deflate, shuffle, fletcher32; anything else is FV_E_UNSUPPORTED by name. Claimed bytes
   are checked against limit_bytes and what the file can hold before anything is allocated. */
fv_status fvi_hdf5_read(const fvi_hdf5 *file, const char *name, size_t limit_bytes,
                        fvi_array *array);
/* Rows first .. first + count - 1, an index of the first axis, into out, for sets larger than
   memory. dtype: what fvi_hdf5_shape says. Layouts, filters, conversions and checks as above. The
   last four sets read so stay open until the file is closed, each with its last chunks, inflated:
   32 MiB, or one row of chunks when that is more, up to 128 MiB. FV_E_ARG: rows that are not there;
   FV_E_MEMORY: chunks over 128 MiB. */
fv_status fvi_hdf5_read_rows(const fvi_hdf5 *file, const char *name, int first, int count,
                             void *out, fv_dtype dtype);
/* How many rows lie together in a chunk, so that reading one costs as much as reading all. 1: rows
   are contiguous and may be read in any order. */
fv_status fvi_hdf5_chunk_rows(const fvi_hdf5 *file, const char *name, int *rows);
/* A rank-1 data set of fixed or variable-length strings, as a list of strings. */
fv_status fvi_hdf5_read_strings(const fvi_hdf5 *file, const char *name, fvi_value **strings);
bool fvi_hdf5_is(const unsigned char *bytes,
                 size_t size); /* signature at 0, 512, 1024, ...; works without libhdf5 too */

/* ---- hdf5_write.c ---- */

/* A new HDF5 file in the oldest format, contiguous, without times: any version reads it, the same
   input gives the same bytes. create, add ..., write_rows ..., commit or abort; until commit the old
   file stands. Sets may be larger than memory. */
typedef struct fvi_hdf5_save fvi_hdf5_save;
fv_status fvi_hdf5_create(fvi_hdf5_save **save, const char *path);
/* A data set at the top of the file. FV_E_ARG: no name, one with "/", one that is there. */
fv_status fvi_hdf5_add(fvi_hdf5_save *save, const char *name, const fv_shape *shape,
                       fv_dtype dtype);
/* A rank-1 data set of strings, padded with NUL. */
fv_status fvi_hdf5_add_strings(fvi_hdf5_save *save, const char *name, const char *const *strings,
                               int count);
/* Rows first .. first + count - 1 of a set, in any order, each once (of a scalar: row 0). */
fv_status fvi_hdf5_write_rows(fvi_hdf5_save *save, const char *name, int first, int count,
                              const void *data);
/* Frees save whatever happens. FV_E_STATE: rows are missing. */
fv_status fvi_hdf5_commit(fvi_hdf5_save *save);
void fvi_hdf5_abort(fvi_hdf5_save *save); /* NULL allowed */

/* ---- arrays.c: IDX; gzip through zlib ---- */

/* What an IDX file says before its data. */
typedef struct fvi_idx_head {
    fv_shape shape;
    fv_dtype dtype;
    bool is_swapped; /* elements are in the other byte order than this machine's */
    size_t data_offset;
} fvi_idx_head;
#define FVI_IDX_HEAD ((size_t)4 + 4 * FV_MAX_RANK)
/* bytes: the first of a file of file_size, all or at least FVI_IDX_HEAD of them. FV_E_FORMAT: bad
   magic, type, rank; sizes that do not give exactly the bytes of the file. */
fv_status fvi_idx_head_read(fvi_idx_head *head, const unsigned char *bytes, size_t size,
                            uint64_t file_size);
/* A whole IDX file, not compressed. */
fv_status fvi_idx_read(fvi_array *array, const unsigned char *bytes, size_t size);
/* Elements of width bytes from one byte order to the other; width 1: nothing. */
void fvi_swap_bytes(void *data, size_t count, size_t width);
bool fvi_is_big_endian(void); /* this machine */
bool fvi_gzip_is(const unsigned char *bytes, size_t size);
/* Whole gzip file (several members allowed) to bytes; FV_E_MEMORY past limit, FV_E_FORMAT when cut
   or its CRC is wrong. */
fv_status fvi_gzip_read(unsigned char **out, size_t *out_size, const unsigned char *bytes,
                        size_t size, size_t limit);

/* ---- npy.c: one array as numpy saves it; archives of them ---- */

bool fvi_npy_is(const unsigned char *bytes, size_t size);

/* What an NPY file says before its data. */
typedef struct fvi_npy_head {
    fv_shape shape;
    fv_dtype dtype;
    bool is_fortran; /* column-major: the first axis varies fastest */
    bool is_swapped; /* elements are in the other byte order than this machine's */
    size_t data_offset;
} fvi_npy_head;
#define FVI_NPY_HEAD ((size_t)12 + 65536)
/* bytes: the first of a file of file_size, all or at least FVI_NPY_HEAD of them. Types bool, int
   and uint of 8 to 64 bits, float of 16 to 64; any other is FV_E_UNSUPPORTED by name, pickled
   objects too. FV_E_FORMAT: not the header that numpy writes, or fewer bytes than it claims;
   FV_E_UNSUPPORTED: more. FV_E_MEMORY: a header over 64 KiB. */
fv_status fvi_npy_head_read(fvi_npy_head *head, const unsigned char *bytes, size_t size,
                            uint64_t file_size);
/* A whole NPY file. Column-major data is transposed, big-endian data swapped. */
fv_status fvi_npy_read(fvi_array *array, const unsigned char *bytes, size_t size);
/* Adds the bytes before the data, for native order, as numpy does: version 1.0, a multiple of 64 of
   them. */
fv_status fvi_npy_head_write(fvi_text *text, const fv_shape *shape, fv_dtype dtype);

/* ---- cifar.c: the binary version of CIFAR-10 and CIFAR-100 ---- */

#define FVI_CIFAR_RECORD(classes) ((size_t)3072 + ((classes) == 10 ? 1 : 2))
/* 10 or 100, by the size of a file and, where both are possible, by the labels in bytes, its first
   ones; 0: neither. */
int fvi_cifar_classes(const unsigned char *bytes, size_t size, uint64_t file_size);
/* x [N,32,32,3] and y [N] (of CIFAR-100 the fine label), both uint8. classes: 10 or 100.
   FV_E_FORMAT: another size than that of whole records, a label out of range (names the sample), a
   Python pickle. */
fv_status fvi_cifar_read(fvi_array *x, fvi_array *y, const unsigned char *bytes, size_t size,
                         int classes);

/* ---- csv.c: rows of text ---- */

#define FVI_CSV_FIELDS 64 /* of a row, at most */
typedef struct fvi_csv {
    const unsigned char *bytes;
    size_t size, at;
    int line;   /* where the row begins, from 1 */
    int fields; /* of the row; 0: there was no more */
    int next_line;
    fvi_text text;
    size_t field[FVI_CSV_FIELDS];
} fvi_csv;
void fvi_csv_begin(fvi_csv *csv, const unsigned char *bytes, size_t size); /* bytes stay borrowed */
void fvi_csv_end(fvi_csv *csv);
/* The next row that is not empty. FV_E_FORMAT, naming the line: a quote that does not end, text
   after one, a NUL byte, a row over 1 MB or 64 columns. */
fv_status fvi_csv_next(fvi_csv *csv);
const char *fvi_csv_field(const fvi_csv *csv, int i); /* of the row; valid until the next */

/* ---- archive.c: zip (libzip) ---- */

typedef struct fvi_zip_member {
    char *name;      /* as in the archive, "x_train.npy" */
    uint64_t size;   /* of its bytes */
    uint64_t packed; /* bytes it takes in the file */
    uint64_t offset; /* where those begin */
    bool is_stored;  /* they are its bytes; else deflated ones */
    uint32_t crc;
} fvi_zip_member;

/* An archive, open for one thread at a time. */
typedef struct fvi_zip fvi_zip;
bool fvi_zip_is(const unsigned char *bytes, size_t size); /* by the first bytes */
/* The directory and every local header are looked through first: they must agree; no member may
   overlap another, have its name, or unpack to more than 1,032 times its bytes; at most 65,535 of
   them. FV_E_FORMAT. Methods other than stored and deflate, encryption, parts on other disks, links
   and names that lead elsewhere: FV_E_UNSUPPORTED. Messages name the path. */
fv_status fvi_zip_open(fvi_zip **zip, const char *path);
void fvi_zip_close(fvi_zip *zip); /* NULL allowed */
int fvi_zip_count(const fvi_zip *zip);
const fvi_zip_member *fvi_zip_at(const fvi_zip *zip, int i); /* borrowed; NULL out of range */
const fvi_zip_member *fvi_zip_find(const fvi_zip *zip, const char *name); /* NULL: none */
/* All bytes of a member into *bytes (fvi_alloc), their CRC checked. FV_E_MEMORY: more than
   limit. */
fv_status fvi_zip_read(const fvi_zip *zip, const char *name, size_t limit, unsigned char **bytes,
                       size_t *size);
/* Its first bytes, at most room; *got says how many. The CRC is not looked at. */
fv_status fvi_zip_peek(const fvi_zip *zip, const char *name, void *bytes, size_t room, size_t *got);

/* What a member of a new archive is made of: a head, then rows. */
typedef struct fvi_zip_rows {
    const char *name;
    const void *head; /* copied */
    size_t head_size;
    size_t row_bytes;
    int rows;
    /* Put rows first .. first + count - 1 into out; asked for in order, once each, while the archive
       is committed. NULL: context points to all of them. */
    fv_status (*fill)(void *context, void *out, int first, int count);
    void *context;
} fvi_zip_rows;

/* begin, add ..., commit or abort; until commit the old file stands. Members are stored, with one
   date, in the order given: same input, same bytes. They may be larger than memory. */
typedef struct fvi_zip_save fvi_zip_save;
fv_status fvi_zip_save_begin(fvi_zip_save **save, const char *path);
fv_status fvi_zip_save_add(fvi_zip_save *save, const fvi_zip_rows *member);
fv_status fvi_zip_save_commit(fvi_zip_save *save); /* frees save whatever happens */
void fvi_zip_save_abort(fvi_zip_save *save);       /* NULL allowed */

/* ---- npy.c: NPZ ---- */

/* NPZ, a zip of NPY files. The names of its arrays, without ".npy", in the order of the archive.
   FV_E_FORMAT: there is none, or a member that is no .npy. */
fv_status fvi_npz_names(const fvi_zip *zip, fvi_value **names);
/* name with or without ".npy". head->data_offset counts from the first byte of the member; of one
   that is_stored the elements can be read from the file itself, at member->offset + data_offset. */
fv_status fvi_npz_head(const fvi_zip *zip, const char *name, fvi_npy_head *head);
fv_status fvi_npz_read(const fvi_zip *zip, const char *name, size_t limit_bytes, fvi_array *array);
/* Add an array in native order; fill and context as in fvi_zip_rows. */
fv_status fvi_npz_save_add(fvi_zip_save *save, const char *name, const fv_shape *shape,
                           fv_dtype dtype,
                           fv_status (*fill)(void *context, void *out, int first, int count),
                           void *context);

/* ---- image.c: PNG and JPEG to and from 8-bit grey or RGB (libpng, libjpeg-turbo, libexif) ---- */

typedef struct fvi_image {
    int height, width, channels; /* channels 1 (grey) or 3 (RGB) */
    unsigned char *pixels;       /* [H,W,C], fvi_alloc */
} fvi_image;

void fvi_image_free(fvi_image *image);
/* By content, never by name; upright, as EXIF's orientation says. channels 0: as the file has it
   (palette becomes RGB; alpha is blended over white), 1 or 3: converted. Limits: 2^28 pixels, side
   65,535, JPEG 100 scans, PNG ancillary chunk 8 MB. */
fv_status fvi_image_read(fvi_image *image, const unsigned char *bytes, size_t size, int channels);
/* What a picture decoded small stands for. */
typedef struct fvi_image_scale {
    int height, width; /* of the whole picture */
    int shrink;        /* 1, 2, 4 or 8: the sides are divided by it and rounded up */
    int top, left;     /* in pixels of the whole: the first row and column begin so far outside */
} fvi_image_scale;
/* The same when the picture will be made smaller: libjpeg may decode at 1/2, 1/4 or 1/8 of its
   size, which takes a fraction of the time, as long as both sides are at least these. Each pixel is
   then about the mean of those it stands for. */
fv_status fvi_image_read_small(fvi_image *image, fvi_image_scale *scale, const unsigned char *bytes,
                               size_t size, int channels, int least_height, int least_width);
fv_status fvi_image_write_png(fvi_save *save, const fvi_image *image);
bool fvi_image_is(const unsigned char *bytes, size_t size); /* PNG or JPEG signature */

/* ---- digest.c: SHA-256 (libmd; the only file that includes sha2.h) ---- */

#define FVI_SHA256_TEXT 65 /* 64 lower-case hexadecimal digits and the end */

/* All of them: FV_E_UNSUPPORTED when built without fetching. */
fv_status fvi_sha256_bytes(char out[FVI_SHA256_TEXT], const void *bytes, size_t size);
fv_status fvi_sha256_file(char out[FVI_SHA256_TEXT], const char *path);
/* One digest for a folder and all below it: that of the text with a line "DIGEST  PATH\n" for each
   file, sorted by the bytes of PATH, as `find . -type f | sort | xargs sha256sum | sha256sum` has it
   with paths without "./". Names that begin with a dot are left out. FV_E_FORMAT: something else
   than files and folders in it. */
fv_status fvi_sha256_tree(char out[FVI_SHA256_TEXT], const char *folder);

/* ---- unpack.c: tar, tar.gz and zip (libarchive; the only file that includes archive.h) ---- */

typedef struct fvi_unpack_config {
    int strip;            /* leading parts of each name to take off; what has no more is left out */
    const char *inside;   /* NULL, or what the last of these must be, else it is left out */
    uint64_t limit_bytes; /* of all files, as they are unpacked; 0: 4 GiB */
    size_t limit_entries; /* 0: 100,000 */
    bool (*go_on)(void *user, uint64_t bytes); /* unpacked so far; false: stop; NULL */
    void *user;
} fvi_unpack_config;

/* An archive into a new folder, which is made, and is gone again after a failure. Regular files and
   folders only: links, devices and the like, names that are absolute or have "..", a backslash, a
   control character or bad UTF-8, a name that is there twice, and encrypted files are FV_E_FORMAT.
   Names with a part that begins with a dot are left out. FV_E_MEMORY past a limit, FV_E_CANCELLED,
   FV_E_IO. */
fv_status fvi_unpack(const char *folder, const char *archive, const fvi_unpack_config *config);

/* ---- image_facts.c: what a picture file says of itself, nothing decoded, no library needed ---- */

typedef struct fvi_image_facts {
    const char *format; /* "PNG", "JPEG", or NULL: neither */
    int height, width;  /* as stored, before EXIF turns it; 0: not said in the bytes present */
    bool has_alpha;
    bool is_whole; /* has the mark that ends the format: a file cut short has not */
} fvi_image_facts;

fvi_image_facts fvi_image_look(const unsigned char *bytes, size_t size);

#endif
