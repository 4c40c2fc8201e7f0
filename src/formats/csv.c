/* SPDX-License-Identifier: MIT */
/* Comma-separated values, RFC 4180: quotes, doubled quotes, line ends of either kind. */
#include "formats/formats.h"

#include <string.h>

#define CSV_ROW_LIMIT ((size_t)1 << 20)

void fvi_csv_begin(fvi_csv *csv, const unsigned char *bytes, size_t size)
{
    static const unsigned char mark[] = {0xEF, 0xBB, 0xBF}; /* some programs write it first */
    bool has_mark = size >= sizeof mark && memcmp(bytes, mark, sizeof mark) == 0;
    *csv =
        (fvi_csv){.bytes = bytes, .size = size, .at = has_mark ? sizeof mark : 0, .next_line = 1};
}

void fvi_csv_end(fvi_csv *csv)
{
    fvi_text_free(&csv->text);
    *csv = (fvi_csv){0};
}

static bool csv_is_line_end(const fvi_csv *csv)
{
    if (csv->at >= csv->size || csv->bytes[csv->at] == '\n') return true;
    return csv->bytes[csv->at] == '\r' &&
           (csv->at + 1 == csv->size || csv->bytes[csv->at + 1] == '\n');
}

/* Past one line end, if there is one. */
static void csv_skip_line_end(fvi_csv *csv)
{
    if (csv->at < csv->size && csv->bytes[csv->at] == '\r') csv->at++;
    if (csv->at < csv->size && csv->bytes[csv->at] == '\n') csv->at++;
    csv->next_line++;
}

/* What stands between quotes; at is behind the first one. */
static fv_status csv_quoted(fvi_csv *csv)
{
    while (csv->at < csv->size) {
        char c = (char)csv->bytes[csv->at++];
        if (c == '"') {
            if (csv->at >= csv->size || csv->bytes[csv->at] != '"') return FV_OK;
            csv->at++; /* "" is a quote */
        }
        csv->next_line += c == '\n';
        fvi_text_add_bytes(&csv->text, &c, 1);
        if (csv->text.size > CSV_ROW_LIMIT) break;
    }
    return fvi_fail(FV_E_FORMAT, "line %d: a quote that does not end", csv->line);
}

static fv_status csv_field(fvi_csv *csv)
{
    if (csv->fields == FVI_CSV_FIELDS)
        return fvi_fail(FV_E_FORMAT, "line %d: more than %d columns", csv->line, FVI_CSV_FIELDS);
    csv->field[csv->fields++] = csv->text.size;
    if (csv->at < csv->size && csv->bytes[csv->at] == '"') {
        csv->at++;
        FVI_TRY(csv_quoted(csv));
        if (!csv_is_line_end(csv) && csv->bytes[csv->at] != ',')
            return fvi_fail(FV_E_FORMAT, "line %d: text after a closing quote", csv->line);
    }
    while (!csv_is_line_end(csv) && csv->bytes[csv->at] != ',') {
        char c = (char)csv->bytes[csv->at++];
        if (c == '\0') return fvi_fail(FV_E_FORMAT, "line %d: a NUL byte, not text", csv->line);
        fvi_text_add_bytes(&csv->text, &c, 1);
        if (csv->text.size > CSV_ROW_LIMIT)
            return fvi_fail(FV_E_FORMAT, "line %d: longer than %zu bytes", csv->line,
                            CSV_ROW_LIMIT);
    }
    fvi_text_add_bytes(&csv->text, "", 1);
    return csv->text.status;
}

fv_status fvi_csv_next(fvi_csv *csv)
{
    csv->fields = 0;
    csv->text.size = 0;
    while (csv->at < csv->size && csv_is_line_end(csv)) { /* empty lines say nothing */
        csv_skip_line_end(csv);
    }
    csv->line = csv->next_line;
    if (csv->at >= csv->size) return FV_OK;
    for (;;) {
        FVI_TRY(csv_field(csv));
        if (csv_is_line_end(csv)) break;
        csv->at++; /* the comma */
    }
    csv_skip_line_end(csv);
    return FV_OK;
}

const char *fvi_csv_field(const fvi_csv *csv, int i)
{
    return csv->text.data + csv->field[i];
}
