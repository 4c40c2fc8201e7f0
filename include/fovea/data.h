/* SPDX-License-Identifier: MIT */
/* Pictures with labels: from arrays, folders, HDF5, NPY, IDX, CIFAR, CSV, a function, or drawn from
   a seed; split, shuffled, mapped, and laid into batches ahead of time. */
#ifndef FOVEA_DATA_H
#define FOVEA_DATA_H

#include "fovea/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Pictures [N,H,W,C], 8-bit or float32, each with a class number or (float) one target for each
    output. Read only once made. Small sets lie in memory; of large ones a picture is read, decoded
    or drawn when it is needed. */
typedef struct fv_dataset fv_dataset;

typedef enum fv_split {
    FV_TRAIN = 0,
    FV_TEST,      /* of a made set: shares no picture with the first */
    FV_VALIDATION /* what is looked at while training; most sets have none */
} fv_split;

/** All zero is the default. */
typedef struct fv_dataset_config {
    uint64_t seed;      /* of made sets */
    int count;          /* pictures of a made set; 0: 8,000 to train, 1,000 to test */
    size_t limit_bytes; /* refuse what needs more memory; 0: the memory limit of this machine */
    /* Up to so many bytes of pictures are kept in memory, decoded; a larger set stays where it is
       and is read as it is needed. 0: 256 MiB. */
    size_t memory_bytes;
    /* What pictures in files of their own and made sets are brought to. 0: as the first picture
       is, or as the made set is by itself. Sets of arrays are as they are. */
    int height, width, channels;
    fv_resize resize; /* how, when a picture's sides have another ratio */
    /* Classes of a trained model, in its order: the folders or words that must be found among
       them. NULL: those that are there, in the order of the alphabet (numbers by value). */
    const char *const *classes;
    int n_classes;
    const char *x_name, *y_name; /* arrays in .h5 and .npz; NULL: told by their usual names */
    int threads;                 /* that decode; 0: as many as there are processors */
    /* A picture that cannot be read is an error; else it is left out and noted
       (fv_dataset_skipped). */
    bool strict;
} fv_dataset_config;

/**
 * Open a data set.
 *
 *   path   made:NAME, drawn from config->seed ("made:faces");
 *          a folder with a folder of PNG and JPEG files for each class, or with such folders below
 *          train/, val/ (validation/, valid/) and test/;
 *          a .csv file with a header and the columns path (below the file's own folder) and label;
 *          an .h5 file or a folder with train_*.h5 / test_*.h5 in the course's layout;
 *          .npz with x_train, y_train, ..., or x and y; a folder with x_train.npy, y_train.npy, ...;
 *          a folder with the IDX files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...,
 *          plain or .gz; a folder with the binary version of CIFAR-10 or CIFAR-100
 *   split  which part; of a path that has no parts: everything, whatever split is
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
 * Whether that part is there: made sets have FV_TRAIN and FV_TEST; a folder and a file of arrays
 * what their names say; what has no parts, FV_TRAIN only. false for a path that is not there, or
 * not a data set.
 */
FV_API bool fv_dataset_has(const char *path, fv_split split);

/** What a path is: "made", "folder" (of pictures), "csv", "hdf5", "npz", "npy", "idx" or "cifar";
    NULL when there is nothing, or no data set. Told by names and first bytes. Static text. */
FV_API const char *fv_dataset_kind(const char *path);

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

/** Where pictures come from when the caller has them. */
typedef struct fv_dataset_source {
    fv_shape shape; /* of one picture: [H,W,C] or [D] */
    fv_dtype dtype; /* FV_UINT8 or FV_FLOAT32 */
    int count;
    /* Write picture i (0 .. count-1) into out. false: it cannot be read; *why may then be set to a
       text that lives until the next call. */
    bool (*read)(void *user, void *out, int i, const char **why);
    /* Called once, when the last data set made of this one is freed; NULL: nothing. */
    void (*free)(void *user);
    void *user;
    bool is_parallel; /* read may be called by several threads at once */
    bool strict;      /* as in fv_dataset_config */
} fv_dataset_source;

/** A data set whose pictures a function gives, one at a time, as they are needed. y, classes,
    n_classes and errors are those of fv_dataset_from_arrays. After a failure source->free was
    called as well. */
FV_API fv_status fv_dataset_from_source(fv_dataset **dataset, const fv_dataset_source *source,
                                        const fv_tensor *y, const char *const *classes,
                                        int n_classes);

FV_API void fv_dataset_free(fv_dataset *dataset);

/* ---- looking ---- */

FV_API int fv_dataset_count(const fv_dataset *dataset);
FV_API fv_shape fv_dataset_shape(const fv_dataset *dataset); /* of one picture: H, W, C */
FV_API fv_dtype fv_dataset_dtype(const fv_dataset *dataset); /* of pictures: uint8 or float32 */
FV_API int fv_dataset_classes(const fv_dataset *dataset);
FV_API const char *fv_dataset_class(const fv_dataset *dataset,
                                    int i); /* its name, or NULL out of range */
/** Whether all pictures lie in memory, decoded; else each is read when it is needed. */
FV_API bool fv_dataset_is_in_memory(const fv_dataset *dataset);
/** Views of everything, borrowed: x [N,...] uint8 or float32, its data NULL unless all pictures lie
    in memory in this order; y [N] int32, or [N,K] float32 when labels are targets. */
FV_API fv_tensor fv_dataset_x(const fv_dataset *dataset);
FV_API fv_tensor fv_dataset_y(const fv_dataset *dataset);
/** The class of picture i; of targets, the largest one's number. -1 out of range. */
FV_API int fv_dataset_label(const fv_dataset *dataset, int i);
/** Picture i into out, which has room for its elements. Errors: ARG; what reading it gives. */
FV_API fv_status fv_dataset_read(const fv_dataset *dataset, void *out, int i);
/** The file that picture i has to itself, or NULL. Borrowed. */
FV_API const char *fv_dataset_path(const fv_dataset *dataset, int i);
/** Pictures left out so far because they could not be read, and for each its file and why. A set
    that is read as it is needed finds them on the way. Borrowed; NULL out of range. */
FV_API int fv_dataset_skipped(const fv_dataset *dataset);
FV_API const char *fv_dataset_skipped_text(const fv_dataset *dataset, int i);
/** "made:digits", or the file. Borrowed. */
FV_API const char *fv_dataset_name(const fv_dataset *dataset);
/** What it is called in messages; copied. Errors: ARG; MEMORY. */
FV_API fv_status fv_dataset_set_name(fv_dataset *dataset, const char *name);
/** How pictures of other sides were brought to size. */
FV_API fv_resize fv_dataset_resize(const fv_dataset *dataset);
/**
 * Mean and standard deviation of each channel over all pictures, in the units of a batch that was
 * laid with scale 1 and offset 0.
 *
 *   mean, deviation   [C] (or [1] for [N,D]) out; a constant channel has deviation 0
 */
FV_API fv_status fv_dataset_statistics(const fv_dataset *dataset, double *mean, double *deviation);

/* ---- data sets of data sets: they share the pictures, and the one they come from may be freed
   before them ---- */

/**
 * Two parts: of each class, the share `fraction` into *second, the rest into *first. Which pictures
 * go where depends on seed and on each picture's own content, neither on its name nor on its place;
 * equal pictures of a class go to the same side.
 *
 * Errors: ARG a fraction outside 0 < fraction < 1, or a part that would be empty; reading a
 *         picture; MEMORY.
 */
FV_API fv_status fv_dataset_split(fv_dataset **first, fv_dataset **second,
                                  const fv_dataset *dataset, double fraction, uint64_t seed);
/** The pictures of those numbers, in that order. Errors: ARG a number out of range; MEMORY. */
FV_API fv_status fv_dataset_select(fv_dataset **selected, const fv_dataset *dataset,
                                   const int *indexes, int n);
/** All pictures in an order that depends on seed alone. */
FV_API fv_status fv_dataset_shuffle(fv_dataset **shuffled, const fv_dataset *dataset,
                                    uint64_t seed);

/** What is done to each picture when it is read. */
typedef struct fv_dataset_mapping {
    /* in: a picture of the data set; out: one of the shape and dtype below. (epoch, i) may choose
       random numbers. false: leave this picture out. Called by several threads at once. */
    bool (*map)(void *user, void *out, const void *in, int i, uint32_t epoch);
    /* Called once, when the last data set made of this one is freed; NULL: nothing. */
    void (*free)(void *user);
    void *user;
    fv_shape shape; /* rank 0: as before */
    fv_dtype dtype;
} fv_dataset_mapping;
/** Errors: ARG; MEMORY. After a failure mapping->free was called as well. */
FV_API fv_status fv_dataset_map(fv_dataset **mapped, const fv_dataset *dataset,
                                const fv_dataset_mapping *mapping);

/** (x - mean) / deviation, channel by channel, as float32; mean and deviation [C], in units of x
    (fv_dataset_statistics). A constant channel, of deviation 0, becomes 0. Errors: ARG; MEMORY. */
FV_API fv_status fv_dataset_standardize(fv_dataset **standardized, const fv_dataset *dataset,
                                        const double *mean, const double *deviation);

/* ---- saving ---- */

/** All zero is the default. */
typedef struct fv_dataset_save_config {
    /* Called now and then with the pictures written so far and those there are; false stops:
       CANCELLED. */
    bool (*progress)(void *user, int done, int total);
    void *user;
    int threads; /* that decode; 0: as many as there are processors */
} fv_dataset_save_config;

/**
 * Write parts into one file, which fv_dataset_open reads again.
 *
 *   path        NAME.h5 with the course's arrays, train_set_x, train_set_y, val_set_x, ...,
 *               test_set_y and list_classes; or NAME.npz with x_train, y_train, x_val, ..., y_test
 *               and classes, stored uncompressed
 *   train, validation, test   any may be NULL, not all of them; with the same classes
 *   config      NULL: every default
 *
 * Pictures are written as they are, uint8 or float32 [N,H,W,C], a few at a time, so that a set may
 * be larger than memory; labels as int64 [N]. Classes are numbers [K] when their names are 0, 1,
 * ...; else text, in .npz as bytes [K,W], UTF-8 with zeros at the ends. What cannot be read is left
 * out (fv_dataset_skipped) unless its set is strict. The file appears whole or not at all.
 * Errors: ARG also another ending; SHAPE classes that differ, rows [N,D]; UNSUPPORTED targets in
 *         the place of labels, a build without HDF5 or zip; IO; reading a picture; CANCELLED;
 *         MEMORY.
 */
FV_API fv_status fv_dataset_save(const char *path, const fv_dataset *train,
                                 const fv_dataset *validation, const fv_dataset *test,
                                 const fv_dataset_save_config *config);

/* ---- batches ---- */

/**
 * Lay pictures into a batch: x [n,H,W,C] float32, 8-bit pixels as pixel * scale + offset, floats as
 * they are. indexes: n numbers of pictures, or NULL for first .. first + n - 1. A picture that
 * cannot be read is an error here.
 */
FV_API fv_status fv_dataset_batch(const fv_dataset *dataset, float *x, const int *indexes,
                                  int first, int n, float scale, float offset);

/** Lays batches ahead: while one is worked on, a thread reads, decodes and maps the next. */
typedef struct fv_loader fv_loader;

typedef struct fv_loader_config {
    int batch_size;      /* 0: 32 */
    float scale, offset; /* of 8-bit pixels; scale 0: 1/255 */
    uint64_t seed;       /* of the order */
    bool without_shuffle;
    bool drop_last; /* no batch smaller than batch_size */
    int threads;    /* that decode, beside the caller; 0: as many as there are processors */
} fv_loader_config;

/** Borrowed from the loader, until its next call. */
typedef struct fv_batch {
    int n;               /* 0: the epoch is over */
    const float *x;      /* [n,H,W,C] */
    const int32_t *y;    /* [n] class numbers, or NULL */
    const float *target; /* [n,K], or NULL */
    const int *index;    /* [n] numbers of the pictures in the data set */
} fv_batch;

/**
 * A loader on a data set, which must live as long. It holds two batches, nothing that grows with the
 * set but four bytes a picture.
 * Errors: ARG; MEMORY.
 */
FV_API fv_status fv_loader_new(fv_loader **loader, const fv_dataset *dataset,
                               const fv_loader_config *config);
/** Start an epoch, 0 or later: its order is a pure function of (seed, epoch). */
FV_API fv_status fv_loader_begin(fv_loader *loader, uint32_t epoch);
/** The next batch. Pictures that cannot be read are left out, so a batch may be smaller, unless the
    data set is strict: then their error is returned. */
FV_API fv_status fv_loader_next(fv_loader *loader, fv_batch *batch);
/** Pictures a second that it could lay if nobody took any: NaN before the first. */
FV_API double fv_loader_rate(const fv_loader *loader);
FV_API void fv_loader_free(fv_loader *loader);

/* ---- built-in sets ---- */

/** What the command line can list: names of made sets; NULL past the end. */
FV_API const char *fv_dataset_made_name(int i);

/** Where an object is: its edges in pixels from the picture's upper left corner, so that a picture
    of width W reaches from x 0 to x W. */
typedef struct fv_box {
    int label; /* its class */
    float x0, y0, x1, y1;
} fv_box;
/** What there is to detect in picture i of a made set: returns how many objects, and writes the boxes
    of the first `room` of them, the one the picture is named for first. 0 where nothing is known. */
FV_API int fv_dataset_boxes(const fv_dataset *dataset, int i, fv_box *boxes, int room);

/* ---- the doctor: what would spoil training, or disturb it ---- */

/** What was found out about the parts of a data set. It owns all the texts that it gives. */
typedef struct fv_report fv_report;

typedef enum fv_severity {
    FV_NOTES = 0, /* good to know */
    FV_WARNS,     /* training goes on, perhaps not as it is meant */
    FV_SPOILS     /* training, or what is measured after it, would be worth little */
} fv_severity;

/** One thing that was found. */
typedef struct fv_finding {
    const char *code; /* "leak"; they stay the same, docs/doctor.md lists them */
    fv_severity severity;
    int count;          /* pictures; of what is said of classes or channels, those */
    const char *text;   /* one line: what, where, how many */
    const char *advice; /* one line: what to do */
    int n_examples;
    const char *const *examples; /* files, or "train#12": picture 12 of that part */
} fv_finding;

/** One part in figures. */
typedef struct fv_part {
    fv_split split;
    const char *name; /* of the data set */
    int count;        /* pictures in it */
    int looked;       /* of them looked at: all, or a sample */
    int unreadable;   /* of those looked at, and of those that were left out before */
    fv_shape shape;   /* of one picture */
    fv_dtype dtype;
    int classes;                   /* 0: labels are targets that name no class */
    const char *const *class_name; /* [classes] */
    const int *class_count;        /* [classes] pictures of each */
    int channels;
    const double *min, *max, *mean, *deviation; /* [channels]; NaN when no picture can be read */
} fv_part;

/** All zero is the default. */
typedef struct fv_doctor_config {
    /* Labels, shapes and a sample of the pictures: what takes a moment, before each training. No
       search for copies. */
    bool cheap;
    int sample; /* pictures of each part that cheap looks at; 0: 64 */
    /* Two pictures are near duplicates when they differ by at most this share of their contrast,
       whatever their brightness: 0 is the same, 1 nothing in common. 0: 0.12; negative: look for
       equal pictures only. */
    double near;
    /* Above these shares a finding spoils training; else it warns. */
    double unreadable_share; /* of all pictures; 0: 0.01 */
    double constant_share;   /* of the pictures of a part; 0: 0.05 */
    double leak_share;       /* of the part that is to test or validate; 0: 0.01 */
    double imbalance;        /* largest class : smallest class that is worth a warning; 0: 4 */
    int examples;            /* of each finding; 0: 5 */
    int threads;             /* 0: as many as there are processors */
    /* Called by the caller's thread now and then, done growing up to total. false: stop. */
    bool (*progress)(void *user, int done, int total);
    void *user;
} fv_doctor_config;

/**
 * Look the parts of a data set over.
 *
 *   parts    [n_parts], the first the one to train on
 *   splits   [n_parts] what they are called in the report; NULL: train, test, validation
 *   config   NULL: all default
 *
 * Every picture is read once, and again only what looks like another; no pictures are kept, but
 * about 100 bytes for each. Spoils: more than unreadable_share that cannot be read; one class only;
 * a class without a picture to train on; a label without a class; parts that disagree about shape,
 * type or classes; NaN or infinity; more than constant_share of one value throughout; more than
 * leak_share of a part that are in an earlier part too. The report does not depend on the number of
 * threads.
 * Owner:  the caller frees *report with fv_report_free. It is NULL after a failure.
 * Errors: ARG; MEMORY; CANCELLED by progress. A picture that cannot be read is a finding.
 * Source: near duplicates have like perceptual hashes, the signs of 64 low frequencies (Zauner,
 *         Implementation and Benchmarking of Perceptual Image Hash Functions, 2010), which are
 *         found by multi-index hashing (Norouzi, Punjani, Fleet, Fast Search in Hamming Space,
 *         2012), and then are compared pixel by pixel.  Judge: tests/test_doctor.c.
 */
FV_API fv_status fv_doctor_examine(fv_report **report, const fv_dataset *const *parts,
                                   const fv_split *splits, int n_parts,
                                   const fv_doctor_config *config);
FV_API void fv_report_free(fv_report *report);
/** Whether a finding spoils training. */
FV_API bool fv_report_spoils(const fv_report *report);
/** Findings, what spoils first. Borrowed; NULL past the end. */
FV_API const fv_finding *fv_report_finding(const fv_report *report, int i);
/** One line for each group of checks that found nothing. Borrowed; NULL past the end. */
FV_API const char *fv_report_fine(const fv_report *report, int i);
/** The parts, in the order in which they were given. Borrowed; NULL past the end. */
FV_API const fv_part *fv_report_part(const fv_report *report, int i);
/** All of it to be read by people, or (json) as one JSON object. text: out, freed by the caller
    with fv_free. */
FV_API fv_status fv_report_text(const fv_report *report, bool json, char **text);

/* ---- pictures ---- */

/** An 8-bit picture [H,W,C] that owns its pixels; C is 1 (grey) or 3 (RGB). */
typedef struct fv_picture {
    int height, width, channels;
    uint8_t *pixels;
} fv_picture;

/**
 * Read a PNG or JPEG file (told by content), turned upright as its EXIF orientation says.
 *   channels  1, 3, or 0 for what the file has
 * Owner:  *picture is freed with fv_picture_free. Errors: IO; FORMAT; UNSUPPORTED; MEMORY over 2^28
 *         pixels.
 */
FV_API fv_status fv_picture_read(fv_picture *picture, const char *path, int channels);
FV_API void fv_picture_free(fv_picture *picture);
/** Resize with half-pixel centres; a triangle filter that widens when it shrinks, as Pillow's
    bilinear does. Errors: ARG; MEMORY. */
FV_API fv_status fv_picture_resize(fv_picture *out, const fv_picture *in, int height, int width);

/** As a PNG file; written aside and renamed. Errors: ARG, also channels other than 1 and 3; IO;
    UNSUPPORTED in a build without PNG. */
FV_API fv_status fv_picture_write_png(const fv_picture *picture, const char *path);

/**
 * What a network sees of a file: fv_picture_read, brought to a size. Training, prediction and the
 * command line all come through here, so that they cannot differ.
 *   out       [height,width,channels]; channels 1 or 3
 *   resize    FV_RESIZE_PAD and _CROP give what padding or cropping first and fv_picture_resize then
 *             would, at the sizes of Keras's Resizing layer
 * A JPEG with sides of at least four times the size is decoded at 1/2, 1/4 or 1/8, both sides still
 * at least twice the size: several times faster, and a few of 255 steps from a full decode.
 * Owner:  *out is freed with fv_picture_free. Errors: ARG; and as fv_picture_read.
 */
FV_API fv_status fv_picture_load(fv_picture *out, const char *path, int height, int width,
                                 int channels, fv_resize resize);

/**
 * How pictures are changed while training, each differently in each epoch: Keras's random layers.
 * All zero changes nothing. What is asked for happens in this order; flips, turns, zooms and shifts
 * are one step of bilinear sampling, outside of the picture it is reflected (fill_mode "reflect").
 */
typedef struct fv_augment_config {
    bool flip_horizontal, flip_vertical; /* each for half of the pictures */
    float rotation;                      /* a turn by up to this share of a full one, either way */
    float zoom; /* 1 - zoom to 1 + zoom of each side is seen; at most 0.9 */
    float translation_height, translation_width; /* up to this share of the side, either way */
    int pad; /* so many black pixels on each side, then a crop to the size it had; at most 4096 */
    float contrast;   /* differences from each channel's mean by 1 - contrast to 1 + contrast */
    float brightness; /* plus up to this share of the range, either way: 255, or 1 for floats */
    float erasing;    /* the share of pictures with a rectangle painted in the mean colour
                         (Zhong et al., Random Erasing Data Augmentation, 2020) */
} fv_augment_config;

/**
 * Read a list such as "flip,rotation=0.05,zoom=0.1,translation=0.1,contrast=0.2,pad=4". The words
 * are flip (flip=horizontal, flip=vertical, flip=both), translation (of both sides) and the fields'
 * names; "none" alone changes nothing.
 * Errors: ARG a word that is none (says which is near), twice, without a value or out of range;
 *         then *config is all zero.
 */
FV_API fv_status fv_augment_parse(fv_augment_config *config, const char *text);

/** The data set with every picture changed at random, anew in each epoch of a loader: a pure
    function of (seed, epoch, picture). Errors: ARG out of range; SHAPE no pictures; MEMORY. */
FV_API fv_status fv_dataset_augment(fv_dataset **augmented, const fv_dataset *dataset,
                                    const fv_augment_config *config, uint64_t seed);

/** How a contact sheet looks. All zero is the default; each of the arrays has one for each picture,
    or is NULL. */
typedef struct fv_sheet_config {
    const char *const *captions; /* below the pictures; UTF-8, of which what is not ASCII becomes a
                                    box. Too long for a line: goes on in the next; \n begins one */
    const bool *marked;          /* true: a red frame (a mistake); false: a green one */
    int columns;                 /* 0: as many as make it about four by three */
    int scale; /* whole pixels for one; 0: as many as make a tile of at least 96 pixels */
} fv_sheet_config;

/**
 * Draw pictures side by side on a light ground, with frames and captions.
 *
 *   sheet    out, [H,W,3]
 *   pixels   n pictures [height,width,channels]; channels 1 or 3
 *   config   NULL: every default
 *
 * Owner:  *sheet is freed with fv_picture_free. Errors: ARG, also n below 1; MEMORY, also a sheet of
 *         more than 2^28 pixels or 65,535 on a side.
 */
FV_API fv_status fv_sheet_draw(fv_picture *sheet, const uint8_t *const *pixels, int n, int height,
                               int width, int channels, const fv_sheet_config *config);

/* ---- known data sets: what others publish, brought to this machine ---- */

/** A data set that fv_dataset_get can bring. All texts are static. */
typedef struct fv_known_dataset {
    const char *name;     /* "mnist": of the folder, too */
    const char *summary;  /* one line */
    const char *licence;  /* as its owner states it, or that none is stated */
    const char *citation; /* what to cite when it was used */
    const char *url;      /* where its owner describes it */
    int train, test;      /* pictures; test 0: the set has no parts */
    fv_shape shape;       /* of one picture: H, W, C */
    int classes;
    uint64_t bytes; /* to bring over the network, about */
} fv_known_dataset;

/** The known sets in order; NULL past the end. */
FV_API const fv_known_dataset *fv_dataset_known(int i);

/** Whether folder/NAME holds that set already. Judged by names and sizes, not by content. */
FV_API bool fv_dataset_is_there(const char *name, const char *folder);

/** Where fv_dataset_get is. The texts are borrowed for the call. */
typedef struct fv_get_progress {
    const char *doing;    /* "getting" or "unpacking" */
    const char *file;     /* "train-images-idx3-ubyte.gz" */
    uint64_t done, total; /* bytes of the whole set, from former sittings, too; total 0: unknown */
    double bytes_per_second; /* of this sitting; 0: not known yet */
} fv_get_progress;

/** All zero is the default. */
typedef struct fv_get_config {
    /* Where the files lie already: a folder, or an address that begins with file://, http:// or
       https://. NULL: the known addresses, first the owner's. */
    const char *from;
    bool force;       /* bring it again although it is there */
    double timeout_s; /* give an address up when nothing came for so long; 0: 30 */
    bool (*progress)(const fv_get_progress *progress, void *user); /* false: stop */
    void *user;
} fv_get_config;

/**
 * Bring a known data set into folder/NAME, which fv_dataset_open reads afterwards. Folders that are
 * missing are made. Returns at once when the set is there.
 *
 * A file is fetched into NAME.part and gets its name when its SHA-256 is the one that Fovea knows;
 * of a set that comes as an archive of no stable bytes, the digest is that of all files in it. A
 * transfer that broke off goes on where it stopped. Addresses are tried in order; nothing but http,
 * https and file is spoken, certificates are checked. libcurl takes a proxy from the environment
 * (http_proxy, https_proxy, no_proxy).
 *
 *   name    of a known set
 *   folder  what NAME will lie in; nothing is read from the environment
 *   config  NULL: defaults
 *
 * Errors: ARG no such set, or config->from is no folder or address; IO nothing could be reached
 *         (says what, and which files to get otherwise), no room, a folder that cannot be written,
 *         or another process is at work on the same set; FORMAT content with another digest (says
 *         both; it is removed); CANCELLED by progress; MEMORY; UNSUPPORTED.
 * Threads: before libcurl 7.84, one call at a time in a process.
 * Judge:  tests/test_fetch.c, tests/test_fetch_http.c.
 */
FV_API fv_status fv_dataset_get(const char *name, const char *folder, const fv_get_config *config);

#ifdef __cplusplus
}
#endif

#endif
