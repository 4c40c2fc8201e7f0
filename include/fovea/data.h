/* SPDX-License-Identifier: MIT */
/* Pictures with labels: from arrays, HDF5, IDX, or drawn from a seed. */
#ifndef FOVEA_DATA_H
#define FOVEA_DATA_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Pictures [N,H,W,C], 8-bit or float32, each with a class number or (float) one target for each
    output. Read only once made. */
typedef struct fv_dataset fv_dataset;

typedef enum fv_split {
    FV_TRAIN = 0, /* train_*.h5, train-images..., the first part of a made set */
    /* test_*.h5, t10k-images..., the part of a made set that shares no picture with the first */
    FV_TEST
} fv_split;

/** All zero is the default. */
typedef struct fv_dataset_config {
    uint64_t seed;      /* of made sets */
    int count;          /* pictures of a made set; 0: 8,000 to train, 1,000 to test */
    size_t limit_bytes; /* refuse sets larger than this; 0: the memory limit of this machine */
} fv_dataset_config;

/**
 * Open a data set.
 *
 *   path   a folder with train_*.h5 / test_*.h5 in the course's layout; one .h5 file (then split
 *          picks nothing: the file is the set); a folder with the IDX files
 *          train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., plain or .gz; or
 *          made:NAME, drawn from config->seed ("made:digits")
 *   split  which part
 *
 * libhdf5, which reads .h5, is not written for hostile files; for files that are not trusted open
 * them in a child process, as the command line does.
 * Owner:  the caller frees *dataset with fv_dataset_free. It is NULL after a failure.
 * Errors: IO no such file; FORMAT content (says what was found); SHAPE counts that disagree; MEMORY
 *         over the limit; UNSUPPORTED.
 */
FV_API fv_status fv_dataset_open(fv_dataset **dataset, const char *path, fv_split split,
                                 const fv_dataset_config *config);

/**
 * Whether opening that part is worth a try, by names alone: made sets have both; a folder has what
 * it has files for; of anything else, FV_TRAIN only. false for a path that is not there.
 */
FV_API bool fv_dataset_has(const char *path, fv_split split);

/**
 * A data set of arrays in memory, which are copied.
 *
 *   x        [N,H,W,C] or [N,D]: uint8 or float32
 *   y        [N] or [N,1] of any integer type: class numbers 0 ..; or [N,K] float32: one target for
 *            each output, such as one-hot rows
 *   classes  names, NULL for the numbers; n_classes: 0 for the largest label + 1 (or K)
 *
 * Errors: ARG; SHAPE N differs; FORMAT a label out of range, or NaN or infinity in x or y (names
 *         the sample); MEMORY.
 */
FV_API fv_status fv_dataset_from_arrays(fv_dataset **dataset, const fv_tensor *x,
                                        const fv_tensor *y, const char *const *classes,
                                        int n_classes);

FV_API void fv_dataset_free(fv_dataset *dataset);

FV_API int fv_dataset_count(const fv_dataset *dataset);
FV_API fv_shape fv_dataset_shape(const fv_dataset *dataset); /* of one picture: H, W, C */
FV_API int fv_dataset_classes(const fv_dataset *dataset);
FV_API const char *fv_dataset_class(const fv_dataset *dataset,
                                    int i); /* its name, or NULL out of range */
/** Views of everything, borrowed: x [N,...] uint8 or float32; y [N] int32, or [N,K] float32 when
    labels are targets. */
FV_API fv_tensor fv_dataset_x(const fv_dataset *dataset);
FV_API fv_tensor fv_dataset_y(const fv_dataset *dataset);
/** The class of picture i; of targets, the largest one's number. -1 out of range. */
FV_API int fv_dataset_label(const fv_dataset *dataset, int i);
/** "made:digits", or the file. Borrowed. */
FV_API const char *fv_dataset_name(const fv_dataset *dataset);
/** What it is called in messages; copied. Errors: ARG; MEMORY. */
FV_API fv_status fv_dataset_set_name(fv_dataset *dataset, const char *name);

/**
 * Lay pictures into a batch: x [n,H,W,C] float32, 8-bit pixels as pixel * scale + offset, floats as
 * they are. indexes: n numbers of pictures, or NULL for first .. first + n - 1.
 */
FV_API fv_status fv_dataset_batch(const fv_dataset *dataset, float *x, const int *indexes,
                                  int first, int n, float scale, float offset);

/** What the command line can list: names of made sets; NULL past the end. */
FV_API const char *fv_dataset_made_name(int i);

/** Where an object is: its edges in pixels from the picture's upper left corner, so that a picture
    of width W reaches from x 0 to x W. */
typedef struct fv_box {
    int label; /* its class */
    float x0, y0, x1, y1;
} fv_box;

/** An 8-bit picture [H,W,C] that owns its pixels; C is 1 (grey) or 3 (RGB). */
typedef struct fv_picture {
    int height, width, channels;
    uint8_t *pixels;
} fv_picture;

/**
 * Read a PNG or JPEG file (told by content).
 *   channels  1, 3, or 0 for what the file has
 * Owner:  *picture is freed with fv_picture_free. Errors: IO; FORMAT; UNSUPPORTED; MEMORY over 2^28
 *         pixels.
 */
FV_API fv_status fv_picture_read(fv_picture *picture, const char *path, int channels);
FV_API void fv_picture_free(fv_picture *picture);
/** Resize with half-pixel centres; a triangle filter that widens when it shrinks, as Pillow's
    bilinear does. Errors: ARG; MEMORY. */
FV_API fv_status fv_picture_resize(fv_picture *out, const fv_picture *in, int height, int width);

#ifdef __cplusplus
}
#endif

#endif
