/* SPDX-License-Identifier: MIT */
/* What every other header stands on: status codes, the error text, shapes, tensors, version. */
#ifndef FOVEA_BASE_H
#define FOVEA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FV_API __attribute__((visibility("default")))
#else
#define FV_API
#endif

#define FV_VERSION_MAJOR 0
#define FV_VERSION_MINOR 1
#define FV_VERSION_PATCH 0

/** What a function that can fail returns. A caller branches on these; the detail is in
    fv_error(). */
typedef enum fv_status {
    FV_OK = 0,
    FV_E_ARG,         /* an argument is NULL or out of range */
    FV_E_SHAPE,       /* sizes that do not fit each other */
    FV_E_STATE,       /* called at the wrong time, such as forward before build */
    FV_E_MEMORY,      /* out of memory, or a stated limit is passed */
    FV_E_IO,          /* the operating system refused: open, read, write, sync, rename */
    FV_E_FORMAT,      /* the content of a file or text is not what it claims to be */
    FV_E_UNSUPPORTED, /* well formed, but not something this build can do */
    FV_E_NUMERIC,     /* a value became NaN or infinite */
    FV_E_CANCELLED    /* a callback asked to stop */
} fv_status;

#define FV_MAX_RANK 8

/** Sizes of an array, slowest first; rank 0 is a scalar. */
typedef struct fv_shape {
    int rank;
    int dim[FV_MAX_RANK];
} fv_shape;

/** Element types of arrays. float32 is what networks compute in; the rest is what files hold. */
typedef enum fv_dtype {
    FV_FLOAT32 = 0,
    FV_FLOAT64,
    FV_FLOAT16,
    FV_UINT8,
    FV_INT8,
    FV_UINT16,
    FV_INT16,
    FV_UINT32,
    FV_INT32,
    FV_UINT64,
    FV_INT64,
    FV_BOOL
} fv_dtype;

/** How a picture of another shape is brought to the size a model wants. */
typedef enum fv_resize {
    FV_RESIZE_STRETCH = 0, /* both sides at once: nothing is lost, proportions change */
    FV_RESIZE_PAD,         /* the whole picture, black borders: Keras's pad_to_aspect_ratio */
    FV_RESIZE_CROP         /* the largest part from the middle: Keras's crop_to_aspect_ratio */
} fv_resize;

/** "stretch", "pad", "crop"; NULL past the end. Static text. */
FV_API const char *fv_resize_name(fv_resize resize);
/** The one of that name; false: there is none, and then *nearest (unless NULL) is a name or NULL. */
FV_API bool fv_resize_find(const char *name, fv_resize *resize, const char **nearest);

/** A view: shape, element type, pointer. It owns nothing; data is in C order, images are
    [N,H,W,C]. */
typedef struct fv_tensor {
    fv_shape shape;
    fv_dtype dtype;
    void *data;
} fv_tensor;

/**
 * The text of the last failure in this thread.
 *
 * Owner:  the library; valid until the next failing call in the same thread. Never NULL.
 *         Meaningful only directly after a call that returned something other than FV_OK.
 */
FV_API const char *fv_error(void);

/** The name of a status, such as "shape"; "unknown" for a number that is none. Static text. */
FV_API const char *fv_status_name(fv_status status);

/** The version of the library that is linked, "0.1.0". Static text. */
FV_API const char *fv_version(void);

/** Bytes of one element; 0 for a number that is no dtype. */
FV_API size_t fv_dtype_size(fv_dtype dtype);

/** The name numpy gives it: "float32", "uint8". Static text. */
FV_API const char *fv_dtype_name(fv_dtype dtype);

/**
 * For "did you mean": the word of a list that is nearest to the given one by edit distance, at most
 * half its length away, or NULL. Borrowed from the list. A NULL word is near nothing.
 */
FV_API const char *fv_nearest(const char *word, const char *const *list, size_t count);

/** Release a text or array that a Fovea function returned as owned by the caller. NULL is
    allowed. */
FV_API void fv_free(void *memory);

#ifdef __cplusplus
}
#endif

#endif
