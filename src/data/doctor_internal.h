/* SPDX-License-Identifier: MIT */
/* The doctor from the inside: what its files pass to each other. */
#ifndef FVI_DOCTOR_INTERNAL_H
#define FVI_DOCTOR_INTERNAL_H

#include "data/data_internal.h"

#define FVI_DOCTOR_PARTS 3 /* as many as there are splits */

/* One picture, as much of it as is remembered. */
typedef struct fvi_mark {
    uint64_t pixels;        /* hash of what is read */
    uint64_t file;          /* hash of its file; 0: it has none to itself */
    uint64_t look;          /* perceptual hash */
    float low, high;        /* of its values */
    uint16_t height, width; /* as its file says; 0: it does not */
    bool is_unreadable, is_not_finite, is_constant;
    bool is_grey;     /* three channels, always equal */
    bool has_alpha;   /* in the file */
    bool is_misnamed; /* the file's name ends as that of another format */
} fvi_mark;

/* One examination. */
typedef struct fvi_doctor {
    const fv_dataset *const *part; /* [parts] */
    const fv_split *split;
    int parts;
    fv_doctor_config config;         /* defaults filled in */
    int first[FVI_DOCTOR_PARTS + 1]; /* looks of part p have the numbers first[p] .. first[p+1]-1 */
    fvi_mark *mark;                  /* [first[parts]] */
    fvi_threads *threads;
    fv_report *report;
    fv_part *summary;   /* [parts], of the report */
    bool is_disordered; /* classes of the same number have other names in another part */
    int done, total;    /* for progress */
} fvi_doctor;

/* Of look k: its part, and the number of the picture there. */
int fvi_doctor_part(const fvi_doctor *d, int k);
int fvi_doctor_at(const fvi_doctor *d, int k);
/* The class of picture i of part p; -1 where labels are targets that name no class. */
int fvi_doctor_label(const fvi_doctor *d, int p, int i);
/* Tell how far it is. FV_E_CANCELLED when the caller has enough. */
fv_status fvi_doctor_progress(fvi_doctor *d, int more);

/* ---- doctor_report.c ---- */

#define FVI_REPORT_FINE 16
typedef struct fvi_report_block fvi_report_block;
struct fv_report {
    fvi_report_block *blocks; /* all that is kept */
    fv_part *part;            /* [parts] */
    fv_finding *finding;      /* [count], fvi_alloc */
    const char *fine[FVI_REPORT_FINE];
    int parts, count, fines;
    bool is_cheap;
};

fv_status fvi_report_new(fv_report **report, int parts);
/* Zeroed memory that lives as long as the report; NULL when there is none left. */
void *fvi_report_keep(fv_report *report, size_t count, size_t size);
const char *fvi_report_copy(fv_report *report, const char *text); /* kept; NULL as above */
/* Sorts the findings, and says of which groups there is none. */
void fvi_report_close(fv_report *report, const fvi_doctor *d);
const char *fvi_split_name(fv_split split);

/* A finding while it is made; all zero to begin with. */
typedef struct fvi_draft {
    fvi_text text;     /* what was found, in one line */
    fvi_text examples; /* one after the other, each with its NUL */
    int n_examples;
} fvi_draft;
/* An example, unless there are enough: the file of look k, or "train#12"; of two, with "=" or
   another text between; with a remark behind, or NULL. */
void fvi_draft_example(fvi_draft *draft, const fvi_doctor *d, int k, const char *remark);
void fvi_draft_pair(fvi_draft *draft, const fvi_doctor *d, int a, int b, const char *between,
                    const char *remark);
void fvi_draft_text(fvi_draft *draft, const fvi_doctor *d, const char *example);
/* "12 of 1080 pictures (1.1 %)" */
void fvi_draft_share(fvi_draft *draft, int count, int of, const char *what);
/* Puts it into the report, and frees it, also on failure. code is one of the table's. */
fv_status fvi_draft_close(fvi_draft *draft, fvi_doctor *d, const char *code, fv_severity severity,
                          int count);
void fvi_draft_free(fvi_draft *draft);
/* The table of codes, for whoever wants to know them all; NULL past the end. */
const char *fvi_doctor_code(int i);

/* ---- doctor_look.c: one look at each picture ---- */

fv_status fvi_doctor_look(fvi_doctor *d);
/* Pictures that were left out when a data set was brought into memory: their stores, each once. */
typedef struct fvi_left_out {
    fvi_store *store;
    int i, part; /* the first part that stands on that store */
} fvi_left_out;
/* *list: fvi_alloc, *n of them. */
fv_status fvi_doctor_left_out(const fvi_doctor *d, fvi_left_out **list, int *n);
/* Whether that file lacks its end. */
bool fvi_doctor_is_cut(const char *path);

/* ---- doctor_near.c: which pictures look alike ---- */

/* The 64 bits of a picture's look; grey [H,W] and waves [8,H+W] as fvi_look_waves gave them, rows
   [H,8] is scratch. */
uint64_t fvi_look_hash(const float *grey, const float *waves, float *rows, int height, int width);
void fvi_look_waves(float *waves, int height, int width);

typedef struct fvi_twin {
    int a, b; /* looks, a < b */
    float distance;
} fvi_twin;
/* Among the looks of list (in order, n), pairs that are near duplicates: enough of them to join all
   that belong together, sorted by b. *pairs: fvi_alloc. *crowded: how many pictures without one have
   more look-alikes than were compared. */
fv_status fvi_doctor_near(fvi_doctor *d, fvi_twin **pairs, int *n_pairs, int *crowded,
                          const int *list, int n);

/* ---- findings ---- */

fv_status fvi_doctor_twins(fvi_doctor *d);    /* doctor_twins.c: copies, and leaks between parts */
fv_status fvi_doctor_classes(fvi_doctor *d);  /* doctor_classes.c: labels and classes */
fv_status fvi_doctor_pictures(fvi_doctor *d); /* doctor_pictures.c: each picture, and all values */

#endif
