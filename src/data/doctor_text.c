/* SPDX-License-Identifier: MIT */
/* How a report reads: as text for people, as JSON for programs. */
#include "data/doctor_internal.h"

#include <math.h>

#define TEXT_CLASSES 20 /* shown */
#define TEXT_CHANNELS 4
#define TEXT_PIECE 16 /* bytes of a text that are made safe at once */

/* ---- for people ---- */

static const char *const text_severities[] = {"note", "warning", "spoils"};

/* Whole, unlike fvi_safe, which cuts what is long. */
static void text_add_safe(fvi_text *text, const char *s)
{
    char piece[TEXT_PIECE + 4], safe[FVI_SAFE_TEXT];
    while (*s) {
        size_t n = 0;
        while (s[n] && (n < TEXT_PIECE ||
                        (((unsigned char)s[n] & 0xC0u) == 0x80u && n < sizeof piece - 1))) {
            piece[n] = s[n];
            n++;
        }
        piece[n] = '\0';
        fvi_text_add(text, "%s", fvi_safe(safe, piece));
        s += n;
    }
}

static void text_add_number(fvi_text *text, double value)
{
    if (fabs(value) < 1e5 && value != (double)(int)value)
        fvi_text_add_fixed(text, value, fabs(value) < 10 ? 3 : 1);
    else
        fvi_text_add_double(text, value);
}

static void text_add_channels(fvi_text *text, const char *what, const double *value, int n)
{
    fvi_text_add(text, "; %s", what);
    for (int c = 0; c < n && c < TEXT_CHANNELS; c++) {
        fvi_text_add(text, c ? ", " : " ");
        text_add_number(text, value[c]);
    }
    if (n > TEXT_CHANNELS) fvi_text_add(text, ", ...");
}

/* Of all channels. */
static void text_add_range(fvi_text *text, const fv_part *part)
{
    double low = part->min[0], high = part->max[0];
    for (int c = 1; c < part->channels; c++) {
        low = fmin(low, part->min[c]);
        high = fmax(high, part->max[c]);
    }
    fvi_text_add(text, "; values ");
    text_add_number(text, low);
    fvi_text_add(text, " to ");
    text_add_number(text, high);
}

static void text_add_part(fvi_text *text, const fv_part *part)
{
    char shape[FVI_SHAPE_TEXT];
    fvi_text_add(text, "%-10s %d pictures, %s %s", fvi_split_name(part->split), part->count,
                 fvi_shape_text(shape, &part->shape), fv_dtype_name(part->dtype));
    if (part->looked < part->count) fvi_text_add(text, ", %d looked at", part->looked);
    if (isfinite(part->mean[0])) {
        text_add_range(text, part);
        text_add_channels(text, "mean", part->mean, part->channels);
        text_add_channels(text, "deviation", part->deviation, part->channels);
    }
    fvi_text_add(text, "\n");
}

/* A column for each part. */
static void text_add_classes(fvi_text *text, const fv_report *r)
{
    int rows = 0;
    for (int p = 0; p < r->parts; p++) {
        if (r->part[p].classes > rows) rows = r->part[p].classes;
    }
    if (rows == 0) return;
    fvi_text_add(text, "\n%-20s", "class");
    for (int p = 0; p < r->parts; p++) {
        fvi_text_add(text, " %10s", fvi_split_name(r->part[p].split));
    }
    fvi_text_add(text, "\n");
    for (int i = 0; i < rows && i < TEXT_CLASSES; i++) {
        char safe[FVI_SAFE_TEXT];
        const char *name = NULL;
        for (int p = 0; p < r->parts && !name; p++) {
            if (i < r->part[p].classes) name = r->part[p].class_name[i];
        }
        fvi_text_add(text, "%-20s", fvi_safe(safe, name));
        for (int p = 0; p < r->parts; p++) {
            fvi_text_add(text, " %10d", i < r->part[p].classes ? r->part[p].class_count[i] : 0);
        }
        fvi_text_add(text, "\n");
    }
    if (rows > TEXT_CLASSES)
        fvi_text_add(text, "  (the first %d of %d classes)\n", TEXT_CLASSES, rows);
}

static void text_add_finding(fvi_text *text, const fv_finding *f)
{
    fvi_text_add(text, "\n%-8s %s: ", text_severities[f->severity], f->code);
    text_add_safe(text, f->text);
    fvi_text_add(text, "\n         %s\n", f->advice);
    for (int i = 0; i < f->n_examples; i++) {
        fvi_text_add(text, "           ");
        text_add_safe(text, f->examples[i]);
        fvi_text_add(text, "\n");
    }
}

static void text_as_text(fvi_text *text, const fv_report *r)
{
    int count[3] = {0};
    text_add_safe(text, r->part[0].name);
    fvi_text_add(text, "\n");
    for (int p = 0; p < r->parts; p++) {
        text_add_part(text, &r->part[p]);
    }
    text_add_classes(text, r);
    fvi_text_add(text, r->fines > 0 ? "\n" : "");
    for (int i = 0; i < r->fines; i++) {
        fvi_text_add(text, "fine     %s\n", r->fine[i]);
    }
    for (int i = 0; i < r->count; i++) {
        text_add_finding(text, &r->finding[i]);
        count[r->finding[i].severity]++;
    }
    fvi_text_add(text, "\n%s would spoil training; %d warning%s, %d note%s%s\n",
                 count[FV_SPOILS] ? "this" : "nothing here", count[FV_WARNS],
                 count[FV_WARNS] == 1 ? "" : "s", count[FV_NOTES], count[FV_NOTES] == 1 ? "" : "s",
                 r->is_cheap ? "; a sample was looked at, and no copies were looked for" : "");
}

/* ---- for programs ---- */

static void text_json_number(fvi_text *text, double value)
{
    if (isfinite(value))
        fvi_text_add_double(text, value);
    else
        fvi_text_add(text, "null");
}

static void text_json_channels(fvi_text *text, const char *key, const double *value, int n)
{
    fvi_text_add(text, ",\"%s\":[", key);
    for (int c = 0; c < n; c++) {
        fvi_text_add(text, c ? "," : "");
        text_json_number(text, value[c]);
    }
    fvi_text_add(text, "]");
}

static void text_json_part(fvi_text *text, const fv_part *part)
{
    fvi_text_add(text, "{\"part\":\"%s\",\"name\":", fvi_split_name(part->split));
    fvi_text_add_json_string(text, part->name);
    fvi_text_add(text, ",\"pictures\":%d,\"looked\":%d,\"unreadable\":%d,\"dtype\":\"%s\"",
                 part->count, part->looked, part->unreadable, fv_dtype_name(part->dtype));
    fvi_text_add(text, ",\"shape\":[");
    for (int i = 0; i < part->shape.rank; i++) {
        fvi_text_add(text, "%s%d", i ? "," : "", part->shape.dim[i]);
    }
    fvi_text_add(text, "]");
    text_json_channels(text, "min", part->min, part->channels);
    text_json_channels(text, "max", part->max, part->channels);
    text_json_channels(text, "mean", part->mean, part->channels);
    text_json_channels(text, "deviation", part->deviation, part->channels);
    fvi_text_add(text, ",\"classes\":[");
    for (int i = 0; i < part->classes; i++) {
        fvi_text_add(text, "%s{\"name\":", i ? "," : "");
        fvi_text_add_json_string(text, part->class_name[i]);
        fvi_text_add(text, ",\"pictures\":%d}", part->class_count[i]);
    }
    fvi_text_add(text, "]}");
}

static void text_json_finding(fvi_text *text, const fv_finding *f)
{
    fvi_text_add(text, "{\"code\":\"%s\",\"severity\":\"%s\",\"count\":%d,\"text\":", f->code,
                 text_severities[f->severity], f->count);
    fvi_text_add_json_string(text, f->text);
    fvi_text_add(text, ",\"advice\":");
    fvi_text_add_json_string(text, f->advice);
    fvi_text_add(text, ",\"examples\":[");
    for (int i = 0; i < f->n_examples; i++) {
        fvi_text_add(text, i ? "," : "");
        fvi_text_add_json_string(text, f->examples[i]);
    }
    fvi_text_add(text, "]}");
}

static void text_as_json(fvi_text *text, const fv_report *r)
{
    fvi_text_add(text, "{\"spoils\":%s,\"cheap\":%s,\"parts\":[",
                 fv_report_spoils(r) ? "true" : "false", r->is_cheap ? "true" : "false");
    for (int p = 0; p < r->parts; p++) {
        fvi_text_add(text, p ? "," : "");
        text_json_part(text, &r->part[p]);
    }
    fvi_text_add(text, "],\"findings\":[");
    for (int i = 0; i < r->count; i++) {
        fvi_text_add(text, i ? "," : "");
        text_json_finding(text, &r->finding[i]);
    }
    fvi_text_add(text, "],\"fine\":[");
    for (int i = 0; i < r->fines; i++) {
        fvi_text_add(text, i ? "," : "");
        fvi_text_add_json_string(text, r->fine[i]);
    }
    fvi_text_add(text, "]}\n");
}

fv_status fv_report_text(const fv_report *report, bool json, char **text)
{
    if (!report || !text)
        return fvi_fail(FV_E_ARG, "fv_report_text: %s is NULL", report ? "text" : "report");
    fvi_text out = {0};
    if (json)
        text_as_json(&out, report);
    else
        text_as_text(&out, report);
    fv_status status = out.status;
    if (status != FV_OK) fvi_text_free(&out);
    *text = out.data;
    return status;
}
