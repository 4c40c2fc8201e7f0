/* SPDX-License-Identifier: MIT */
/* The text of a recipe cut into tokens, each with its line and column; and the messages about
   them. */
#include "model/recipe_internal.h"

#include <stdio.h>
#include <string.h>

#define RECIPE_LINE ((size_t)1 << 20)   /* bytes of one line */
#define RECIPE_BYTES ((size_t)64 << 20) /* bytes of a recipe; keeps line numbers within int, too */
#define RECIPE_MESSAGE 768

static const char *const recipe_keywords[] = {
    "def",   "class", "for",    "while",    "if",  "elif", "else",  "try",    "except", "finally",
    "with",  "as",    "lambda", "yield",    "del", "pass", "raise", "assert", "global", "nonlocal",
    "async", "await", "break",  "continue", "not", "and",  "or",    "in",     "is",
};

/* ---- messages ---- */

fv_status fvi_recipe_fail(const fvi_recipe_lexer *r, const fvi_recipe_token *at, const char *format,
                          ...)
{
    char message[RECIPE_MESSAGE], where[FVI_SAFE_TEXT];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fvi_fail(FV_E_FORMAT, "%s:%d:%d: %s", fvi_safe(where, r->where), at->line, at->column,
                    message);
}

/* The token's text made safe to show; long ones are cut. */
static const char *recipe_shown(char out[FVI_SAFE_TEXT], const fvi_recipe_token *token)
{
    char text[FVI_SAFE_TEXT];
    size_t size = token->size < sizeof text ? token->size : sizeof text - 1;
    memcpy(text, token->text, size);
    text[size] = '\0';
    return fvi_safe(out, text);
}

fv_status fvi_recipe_expected(const fvi_recipe_lexer *r, const char *what)
{
    char found[FVI_SAFE_TEXT];
    const fvi_recipe_token *token = &r->token;
    if (token->kind == FVI_RECIPE_END) {
        return fvi_recipe_fail(r, token, "expected %s, found the end of the recipe", what);
    }
    if (token->kind == FVI_RECIPE_NEWLINE) {
        return fvi_recipe_fail(r, token, "expected %s, found the end of the line", what);
    }
    return fvi_recipe_fail(r, token, "expected %s, found %s\"%s\"", what,
                           token->kind == FVI_RECIPE_STRING ? "the string " : "",
                           recipe_shown(found, token));
}

fv_status fvi_recipe_unknown(const fvi_recipe_lexer *r, const fvi_recipe_token *at,
                             const char *kind, const char *const *list, size_t count)
{
    char word[FVI_RECIPE_WORD], safe[FVI_SAFE_TEXT];
    fvi_recipe_word(word, at);
    const char *nearest = fv_nearest(word, list, count);
    if (!nearest) return fvi_recipe_fail(r, at, "unknown %s \"%s\"", kind, fvi_safe(safe, word));
    return fvi_recipe_fail(r, at, "unknown %s \"%s\"; did you mean \"%s\"?", kind,
                           fvi_safe(safe, word), nearest);
}

fv_status fvi_recipe_take(fvi_recipe_lexer *r, char sign, const char *what)
{
    if (!fvi_recipe_is(r, sign)) return fvi_recipe_expected(r, what);
    return fvi_recipe_next(r);
}

fv_status fvi_recipe_comma(fvi_recipe_lexer *r, char close, bool *more)
{
    if (fvi_recipe_is(r, ',')) {
        FVI_TRY(fvi_recipe_next(r));
    } else if (!fvi_recipe_is(r, close)) {
        /* A bracket forgotten lines ago shows only here: say which one is open. */
        const fvi_recipe_token *open = &r->bracket[r->depth ? r->depth - 1 : 0];
        char what[64];
        snprintf(what, sizeof what, "\",\" or \"%c\"", close);
        if (r->depth > 0 && open->line != r->token.line) {
            snprintf(what, sizeof what, "\",\" or \"%c\" for the \"%c\" of %d:%d", close,
                     *open->text, open->line, open->column);
        }
        return fvi_recipe_expected(r, what);
    }
    *more = !fvi_recipe_is(r, close);
    return FV_OK;
}

/* ---- what a token is ---- */

bool fvi_recipe_is(const fvi_recipe_lexer *r, char sign)
{
    return r->token.kind == FVI_RECIPE_SIGN && *r->token.text == sign;
}

bool fvi_recipe_is_word(const fvi_recipe_token *token, const char *word)
{
    return token->kind == FVI_RECIPE_NAME && token->size == strlen(word) &&
           memcmp(token->text, word, token->size) == 0;
}

bool fvi_recipe_is_keyword(const fvi_recipe_token *token)
{
    for (size_t i = 0; i < FVI_COUNT(recipe_keywords); i++) {
        if (fvi_recipe_is_word(token, recipe_keywords[i])) return true;
    }
    return false;
}

void fvi_recipe_word(char out[FVI_RECIPE_WORD], const fvi_recipe_token *token)
{
    size_t size = token->size < FVI_RECIPE_WORD ? token->size : FVI_RECIPE_WORD - 1;
    memcpy(out, token->text, size);
    out[size] = '\0';
}

/* ---- the text as a whole ---- */

/* Bytes of the UTF-8 character at s, of which `left` bytes are there; 0 when it is none (RFC
   3629). */
static size_t recipe_utf8(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80) return 1;
    size_t size = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || size > left) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
    }
    bool is_long = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool is_out = (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F);
    return is_long || is_out ? 0 : size;
}

/* Valid UTF-8, no control characters, no endless line: so that nothing later need ask. */
static fv_status recipe_check(const fvi_recipe_lexer *r)
{
    fvi_recipe_token place = {.line = 1, .column = 1};
    const char *line = r->at;
    for (const char *at = r->at; at < r->end;) {
        unsigned char byte = (unsigned char)*at;
        size_t size = recipe_utf8((const unsigned char *)at, (size_t)(r->end - at));
        if (size == 0) return fvi_recipe_fail(r, &place, "byte 0x%02x is no UTF-8", byte);
        bool is_crlf = byte == '\r' && at + 1 < r->end && at[1] == '\n';
        if ((byte < 0x20 && byte != '\t' && byte != '\n' && !is_crlf) || byte == 0x7F) {
            return fvi_recipe_fail(r, &place, "control character 0x%02x", byte);
        }
        at += size;
        if (byte == '\n') {
            place.line++;
            place.column = 0;
            line = at;
        } else if ((size_t)(at - line) > RECIPE_LINE) {
            return fvi_recipe_fail(r, &place, "a line of more than %zu bytes", RECIPE_LINE);
        }
        place.column++;
    }
    return FV_OK;
}

fv_status fvi_recipe_begin(fvi_recipe_lexer *r, const char *text, size_t size, const char *where)
{
    *r = (fvi_recipe_lexer){.where = where ? where : "recipe", .line = 1, .column = 1};
    if (size > RECIPE_BYTES) {
        fvi_recipe_token start = {.line = 1, .column = 1};
        return fvi_recipe_fail(r, &start, "a recipe of more than %zu bytes", RECIPE_BYTES);
    }
    r->is_fresh = true;
    r->at = text;
    r->end = text + size;
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) r->at += 3; /* byte-order mark */
    FVI_TRY(recipe_check(r));
    return fvi_recipe_next(r);
}

/* ---- one token ---- */

static void recipe_step(fvi_recipe_lexer *r)
{
    unsigned char byte = (unsigned char)*r->at++;
    if (byte == '\n') {
        r->line++;
        r->column = 1;
    } else if ((byte & 0xC0) != 0x80) {
        /* The bytes that continue a character do not count. */
        r->column++;
    }
}

static void recipe_steps(fvi_recipe_lexer *r, size_t count)
{
    while (count-- > 0) {
        recipe_step(r);
    }
}

static bool recipe_starts(const fvi_recipe_lexer *r, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(r->end - r->at) >= size && memcmp(r->at, text, size) == 0;
}

/* Blanks, comments, joined lines; line ends too, where they end no statement. */
static void recipe_skip(fvi_recipe_lexer *r)
{
    while (r->at < r->end) {
        char c = *r->at;
        if (c == '#') {
            while (r->at < r->end && *r->at != '\n') {
                recipe_step(r);
            }
        } else if (recipe_starts(r, "\\\n")) {
            recipe_steps(r, 2);
        } else if (recipe_starts(r, "\\\r\n")) {
            recipe_steps(r, 3);
        } else if (c == ' ' || c == '\t' || c == '\r' ||
                   (c == '\n' && (r->depth > 0 || r->is_fresh))) {
            recipe_step(r);
        } else {
            break;
        }
    }
}

bool fvi_recipe_is_next(const fvi_recipe_lexer *r, char sign)
{
    fvi_recipe_lexer ahead = *r;
    recipe_skip(&ahead);
    return ahead.at < ahead.end && *ahead.at == sign;
}

static bool recipe_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters as ASCII has them, whatever the locale. */
static bool recipe_is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || recipe_is_digit(c);
}

static fv_status recipe_name(fvi_recipe_lexer *r)
{
    while (r->at < r->end && recipe_is_name(*r->at)) {
        recipe_step(r);
    }
    fvi_recipe_token *token = &r->token;
    token->kind = FVI_RECIPE_NAME;
    token->size = (size_t)(r->at - token->text);
    if (token->size >= FVI_RECIPE_WORD) {
        return fvi_recipe_fail(r, token, "a name of %zu characters; at most %d are allowed",
                               token->size, FVI_RECIPE_WORD - 1);
    }
    if (r->at < r->end && (*r->at == '"' || *r->at == '\'')) {
        return fvi_recipe_fail(r, token, "expected a plain string, found one with the prefix %.*s",
                               (int)token->size, token->text);
    }
    return FV_OK;
}

/* Everything that runs on without a break, so that 3abc and 0x10 are one wrong number each. */
static void recipe_number(fvi_recipe_lexer *r)
{
    bool is_decimal = true; /* so far digits and a point, so that an e begins an exponent */
    while (r->at < r->end) {
        char c = *r->at;
        bool is_exponent = is_decimal && (c == 'e' || c == 'E');
        if (!recipe_is_name(c) && c != '.') break;
        is_decimal = is_decimal && (recipe_is_digit(c) || c == '.');
        recipe_step(r);
        if (is_exponent && r->at < r->end && (*r->at == '+' || *r->at == '-')) recipe_step(r);
    }
    r->token.kind = FVI_RECIPE_NUMBER;
    r->token.size = (size_t)(r->at - r->token.text);
}

/* The lexer stands on a backslash inside a string. */
static fv_status recipe_escape(fvi_recipe_lexer *r)
{
    fvi_recipe_token place = {.line = r->line, .column = r->column};
    recipe_step(r);
    if (recipe_starts(r, "\r\n")) recipe_step(r);
    if (r->at == r->end || !strchr("\\'\"nrt\n", *r->at)) {
        return fvi_recipe_fail(r, &place,
                               "unknown escape in a string; \\\\ \\' \\\" \\n \\r \\t are known");
    }
    recipe_step(r);
    return FV_OK;
}

static fv_status recipe_string(fvi_recipe_lexer *r)
{
    char quote[4] = {*r->at, *r->at, *r->at, '\0'};
    bool is_long = recipe_starts(r, quote);
    if (!is_long) quote[1] = '\0';
    recipe_steps(r, strlen(quote));
    r->token.kind = FVI_RECIPE_STRING;
    r->token.text = r->at;
    while (r->at < r->end && !recipe_starts(r, quote) && (is_long || *r->at != '\n')) {
        if (*r->at == '\\') {
            FVI_TRY(recipe_escape(r));
        } else {
            recipe_step(r);
        }
    }
    r->token.size = (size_t)(r->at - r->token.text);
    if (!recipe_starts(r, quote)) {
        return fvi_recipe_fail(r, &r->token, "a string that is never closed; expected %s", quote);
    }
    recipe_steps(r, strlen(quote));
    return FV_OK;
}

static fv_status recipe_sign(fvi_recipe_lexer *r)
{
    fvi_recipe_token *token = &r->token;
    size_t size = recipe_utf8((const unsigned char *)r->at, (size_t)(r->end - r->at));
    recipe_steps(r, size);
    token->kind = FVI_RECIPE_SIGN;
    token->size = size;
    char c = *token->text;
    if (size > 1) {
        return fvi_recipe_fail(r, token,
                               "found \"%.*s\"; only strings and comments go beyond ASCII",
                               (int)size, token->text);
    }
    if (c == '(' || c == '[') {
        if (r->depth == FVI_RECIPE_DEPTH) {
            return fvi_recipe_fail(r, token, "brackets nested deeper than %d", FVI_RECIPE_DEPTH);
        }
        r->bracket[r->depth++] = *token;
    } else if (c == ')' || c == ']') {
        if (r->depth == 0) return fvi_recipe_fail(r, token, "\"%c\" closes nothing", c);
        const fvi_recipe_token *open = &r->bracket[r->depth - 1];
        if ((*open->text == '(') != (c == ')')) {
            return fvi_recipe_fail(r, token, "\"%c\" does not close the \"%c\" of %d:%d", c,
                                   *open->text, open->line, open->column);
        }
        r->depth--;
    }
    return FV_OK;
}

fv_status fvi_recipe_next(fvi_recipe_lexer *r)
{
    recipe_skip(r);
    fvi_recipe_token *token = &r->token;
    *token = (fvi_recipe_token){FVI_RECIPE_END, r->at, 0, r->line, r->column};
    if (r->at == r->end) {
        if (r->depth == 0) return FV_OK;
        const fvi_recipe_token *open = &r->bracket[r->depth - 1];
        return fvi_recipe_fail(r, open, "\"%c\" is never closed", *open->text);
    }
    char c = *r->at;
    if (c == '\n') {
        token->kind = FVI_RECIPE_NEWLINE;
        recipe_step(r);
        r->is_fresh = true;
        return FV_OK;
    }
    if (r->is_fresh && token->column > 1) {
        return fvi_recipe_fail(r, token, "a statement that is indented; it begins in column 1");
    }
    r->is_fresh = false;
    bool is_point = c == '.' && r->at + 1 < r->end && recipe_is_digit(r->at[1]);
    if (recipe_is_digit(c) || is_point) {
        recipe_number(r);
        return FV_OK;
    }
    if (recipe_is_name(c)) return recipe_name(r);
    if (c == '"' || c == '\'') return recipe_string(r);
    return recipe_sign(r);
}
