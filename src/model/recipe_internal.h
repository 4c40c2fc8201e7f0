/* SPDX-License-Identifier: MIT */
/* A recipe from the inside: its tokens, and the values and arguments made of them. For
   recipe*.c. */
#ifndef FVI_RECIPE_INTERNAL_H
#define FVI_RECIPE_INTERNAL_H

#include "model/model_internal.h"

#define FVI_RECIPE_DEPTH 64   /* brackets inside brackets; bounds every recursion */
#define FVI_RECIPE_WORD 128   /* bytes of a name, its end included */
#define FVI_RECIPE_ITEMS 1024 /* values in one call, inputs of one layer */

/* ---- recipe_lex.c: text to tokens ---- */

typedef enum fvi_recipe_kind {
    FVI_RECIPE_END = 0,
    FVI_RECIPE_NEWLINE, /* the end of a statement: none inside brackets, none for blank lines */
    FVI_RECIPE_NAME,
    FVI_RECIPE_NUMBER, /* begins like a number; not checked yet */
    FVI_RECIPE_STRING, /* text is what stands between the quotes, its escapes checked */
    FVI_RECIPE_SIGN    /* one character */
} fvi_recipe_kind;

typedef struct fvi_recipe_token {
    fvi_recipe_kind kind;
    const char *text;
    size_t size;
    int line, column; /* from 1; columns count characters, not bytes */
} fvi_recipe_token;

typedef struct fvi_recipe_lexer {
    const char *where;      /* the recipe's name in messages */
    fvi_recipe_token token; /* the present one */
    const char *at, *end;
    int line, column;
    bool is_fresh; /* no token on this line yet */
    int depth;
    fvi_recipe_token bracket[FVI_RECIPE_DEPTH]; /* the open ones */
    int items;                                  /* values read since the last call of a layer */
} fvi_recipe_lexer;

/* Check the text as a whole and read the first token. The text must outlive the lexer. */
fv_status fvi_recipe_begin(fvi_recipe_lexer *r, const char *text, size_t size, const char *where);
fv_status fvi_recipe_next(fvi_recipe_lexer *r);
/* The token after the present one is that sign. */
bool fvi_recipe_is_next(const fvi_recipe_lexer *r, char sign);
bool fvi_recipe_is(const fvi_recipe_lexer *r, char sign); /* the present token is that sign */
bool fvi_recipe_is_word(const fvi_recipe_token *token, const char *word);
bool fvi_recipe_is_keyword(const fvi_recipe_token *token); /* of Python's, none that recipes use */
/* The name as a string. */
void fvi_recipe_word(char out[FVI_RECIPE_WORD], const fvi_recipe_token *token);

/* All of them FV_E_FORMAT with where:line:column in front. */
fv_status fvi_recipe_fail(const fvi_recipe_lexer *r, const fvi_recipe_token *at, const char *format,
                          ...) FVI_PRINTF(3, 4);
/* "expected WHAT, found TOKEN" at the present token. */
fv_status fvi_recipe_expected(const fvi_recipe_lexer *r, const char *what);
/* 'unknown KIND "WORD"; did you mean "NEAREST"?' */
fv_status fvi_recipe_unknown(const fvi_recipe_lexer *r, const fvi_recipe_token *at,
                             const char *kind, const char *const *list, size_t count);
/* Step over that sign, or "expected WHAT". */
fv_status fvi_recipe_take(fvi_recipe_lexer *r, char sign, const char *what);
/* Between two things in brackets: step over a comma, or stand on the closing sign. *more: another
   thing follows. */
fv_status fvi_recipe_comma(fvi_recipe_lexer *r, char close, bool *more);

/* ---- recipe_value.c: tokens to values ---- */

/* name or name.name. ... .name: first and last part; the present token is the one after. */
fv_status fvi_recipe_chain(fvi_recipe_lexer *r, fvi_recipe_token *first, fvi_recipe_token *last);
fv_status fvi_recipe_value(fvi_recipe_lexer *r, fvi_value **value);

typedef struct fvi_recipe_arguments {
    fvi_value *dict;        /* owned: key to value, positional ones under their key */
    fvi_value *input_shape; /* owned; NULL when not given; for InputLayer it is in the dict */
    bool has_keyword;
} fvi_recipe_arguments;

/* From "(" to past ")": the arguments of the layer that `word` names. On failure nothing is left to
   free. */
fv_status fvi_recipe_read_arguments(fvi_recipe_lexer *r, const fvi_recipe_token *word,
                                    const fvi_op *op, fvi_recipe_arguments *arguments);
void fvi_recipe_free_arguments(fvi_recipe_arguments *arguments);

/* ---- recipe_layer.c: layers, and what they are applied to ---- */

typedef struct fvi_recipe_reader {
    fvi_recipe_lexer lex;
    fv_model *model;
    fvi_value *variables;    /* name to the id of its layer, or to null for the model */
    fvi_recipe_token *place; /* of each layer: the word that made it */
    size_t n_places;
    fvi_recipe_token model_place; /* of Sequential or Model; kind END: not yet */
} fvi_recipe_reader;

/* A layer that is written but not yet applied. */
typedef struct fvi_recipe_layer {
    fvi_recipe_token word;
    const fvi_op *op;
    void *config;                   /* owned, completed */
    fvi_recipe_arguments arguments; /* owned */
} fvi_recipe_layer;

/* Ids of layers, in a list that grows. */
typedef struct fvi_recipe_ids {
    int *id;
    size_t count;
} fvi_recipe_ids;

const fvi_op *fvi_recipe_find_op(const fvi_recipe_token *word); /* NULL: no layer has that name */
bool fvi_recipe_is_input(const fvi_op *op);
bool fvi_recipe_is_model(const fvi_recipe_token *word); /* Sequential or Model */
fv_status fvi_recipe_unknown_layer(const fvi_recipe_reader *r, const fvi_recipe_token *word);
/* where:line:column in front of the present message; wrong arguments become FV_E_FORMAT. */
fv_status fvi_recipe_fail_at(const fvi_recipe_reader *r, fv_status status,
                             const fvi_recipe_token *at);
/* Word(arguments), from the "(" to past the ")". On failure nothing is left to free. */
fv_status fvi_recipe_read_layer(fvi_recipe_reader *r, const fvi_recipe_token *word,
                                fvi_recipe_layer *layer);
/* The config from the arguments. */
fv_status fvi_recipe_configure(const fvi_recipe_reader *r, fvi_recipe_layer *layer);
/* Add it to the model, which takes its config. Place and name stay for messages until it is
   freed. */
fv_status fvi_recipe_add(fvi_recipe_reader *r, fvi_recipe_layer *layer, const int *inputs,
                         size_t n_inputs, int *id);
void fvi_recipe_free_layer(fvi_recipe_layer *layer);
/* x, Layer(...)(x), Input(...), or one of them in parentheses. */
fv_status fvi_recipe_tensor(fvi_recipe_reader *r, int *id);
/* One of those, or a list or tuple of them. ids->id is freed by the caller, after a failure too. */
fv_status fvi_recipe_tensors(fvi_recipe_reader *r, fvi_recipe_ids *ids);

/* ---- recipe.c: Sequential, Model, statements ---- */

/* fv_model_from_recipe for a text of a known size, in which a NUL byte is an error like any
   other. */
fv_status fvi_recipe_read(fv_model **model, const char *text, size_t size, const char *where,
                          const fv_model_config *config);

#endif
