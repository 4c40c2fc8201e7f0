/* SPDX-License-Identifier: MIT */
/* The table of layers as Keras prints it, and the same as JSON. */
#include "model/model_internal.h"

#include <stdio.h>
#include <string.h>

#define SUMMARY_WIDTH 100 /* of the whole table */
#define SUMMARY_GAP 2     /* between columns */
#define SUMMARY_NUMBER 32
#define SUMMARY_ENTRY (2 * FVI_SAFE_TEXT + 8)

typedef struct summary_table {
    const fv_model *model;
    bool has_inputs; /* a column "Connected to": not every layer stands on the one before */
    int layer, shape, number, inputs; /* widths of the columns, in characters */
    fvi_text text;
} summary_table;

typedef struct summary_count {
    size_t all, trainable;
} summary_count;

/* ---- entries ---- */

/* 37633 as 37,633. */
static const char *summary_number(char out[SUMMARY_NUMBER], size_t number)
{
    char digits[SUMMARY_NUMBER];
    size_t size = (size_t)snprintf(digits, sizeof digits, "%zu", number), used = 0;
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

static summary_count summary_weights(const fvi_node *node)
{
    summary_count count = {0, 0};
    for (int i = 0; i < node->n_weights; i++) {
        count.all += node->weight[i].count;
        if (!node->weight[i].is_state) count.trainable += node->weight[i].count;
    }
    return count;
}

static summary_count summary_total(const fv_model *model)
{
    summary_count total = {0, 0};
    for (int i = 0; i < model->n_nodes; i++) {
        summary_count count = summary_weights(&model->node[i]);
        total.all += count.all;
        total.trainable += count.trainable;
    }
    return total;
}

/* (None, 64, 64, 3) */
static const char *summary_shape(char out[SUMMARY_ENTRY], const fv_shape *shape)
{
    size_t used = (size_t)snprintf(out, SUMMARY_ENTRY, "(None");
    for (int i = 0; i < shape->rank; i++) {
        used += (size_t)snprintf(out + used, SUMMARY_ENTRY - used, ", %d", shape->dim[i]);
    }
    snprintf(out + used, SUMMARY_ENTRY - used, "%s)", shape->rank == 0 ? "," : "");
    return out;
}

/* Characters, not bytes, of a text that fvi_safe has made well formed. */
static int summary_length(const char *text)
{
    int length = 0;
    for (; *text; text++) {
        if (((unsigned char)*text & 0xC0) != 0x80) length++;
    }
    return length;
}

/* Where the character with that number begins. */
static size_t summary_place(const char *text, int number)
{
    size_t at = 0;
    for (int passed = -1; text[at]; at++) {
        if (((unsigned char)text[at] & 0xC0) != 0x80 && ++passed == number) break;
    }
    return at;
}

/* The name, made safe and at most `width` characters long. It is cut in the middle, because the
   number at the end is what tells conv2d_17 from conv2d_18. */
static const char *summary_name(char out[FVI_SAFE_TEXT], const char *name, int width)
{
    int length = summary_length(fvi_safe(out, name));
    if (length <= width) return out;
    int tail = (width - 3) / 2, head = width - 3 - tail;
    size_t from = summary_place(out, head), to = summary_place(out, length - tail);
    memmove(out + from + 3, out + to, strlen(out + to) + 1);
    memcpy(out + from, "...", 3);
    return out;
}

/* ---- the table ---- */

static void summary_pad(summary_table *t, int count)
{
    if (count > 0) fvi_text_add(&t->text, "%*s", count, "");
}

/* On the left of a column, or with a negative width on its right. */
static void summary_cell(summary_table *t, const char *entry, int width)
{
    int space = (width < 0 ? -width : width) - summary_length(entry);
    if (width < 0) summary_pad(t, space);
    fvi_text_add(&t->text, "%s", entry);
    if (width > 0) summary_pad(t, space);
}

/* Characters that the names of its inputs take on one line. */
static int summary_inputs_length(const fv_model *model, const fvi_node *node)
{
    char safe[FVI_SAFE_TEXT];
    int length = 0;
    for (int i = 0; i < node->n_inputs && length < SUMMARY_WIDTH; i++) {
        const char *name = fvi_safe(safe, model->node[node->input[i]].name);
        length += summary_length(name) + (i > 0 ? 2 : 0);
    }
    return length;
}

static bool summary_is_shown(const summary_table *t, const fvi_node *node)
{
    return !t->model->is_sequential || node->op->max_inputs > 0;
}

static int summary_clamp(int width, int least, int most)
{
    return width < least ? least : width > most ? most : width;
}

/* Every column as wide as its longest entry asks for, within bounds that keep the whole
   readable. */
static void summary_measure(summary_table *t)
{
    char safe[FVI_SAFE_TEXT], entry[SUMMARY_ENTRY], number[SUMMARY_NUMBER];
    for (int i = 0; i < t->model->n_nodes; i++) {
        const fvi_node *node = &t->model->node[i];
        int name = summary_length(fvi_safe(safe, node->name));
        int layer = name + (int)strlen(node->op->name) + 3;
        int shape = (int)strlen(summary_shape(entry, &node->y_shape));
        int inputs = summary_inputs_length(t->model, node);
        int count = (int)strlen(summary_number(number, summary_weights(node).all));
        if (inputs > t->inputs) t->inputs = inputs;
        if (!summary_is_shown(t, node)) continue;
        if (layer > t->layer) t->layer = layer;
        if (shape > t->shape) t->shape = shape;
        if (count > t->number) t->number = count;
    }
    t->layer = summary_clamp(t->layer, 28, 44);
    t->shape = summary_clamp(t->shape, 18, 28);
    t->number = summary_clamp(t->number, 8, 17);
    int left = SUMMARY_WIDTH - t->layer - t->shape - t->number - 3 * SUMMARY_GAP;
    t->inputs = t->has_inputs ? summary_clamp(t->inputs, 12, left < 12 ? 12 : left) : 0;
}

static void summary_rule(summary_table *t, char sign)
{
    int width = t->layer + t->shape + t->number + 2 * SUMMARY_GAP;
    if (t->has_inputs) width += SUMMARY_GAP + t->inputs;
    for (int i = 0; i < width; i++) {
        fvi_text_add_bytes(&t->text, &sign, 1);
    }
    fvi_text_add(&t->text, "\n");
}

/* As many inputs of the node, from the next on, as one line of the last column holds. */
static void summary_inputs(summary_table *t, const fvi_node *node, int *next)
{
    char safe[FVI_SAFE_TEXT];
    int used = 0;
    while (*next < node->n_inputs) {
        const char *name =
            summary_name(safe, t->model->node[node->input[*next]].name, t->inputs - 1);
        const char *comma = *next + 1 < node->n_inputs ? "," : "";
        int length = summary_length(name) + (int)strlen(comma);
        if (used > 0 && used + 1 + length > t->inputs) break;
        fvi_text_add(&t->text, "%s%s%s", used > 0 ? " " : "", name, comma);
        used += length + (used > 0);
        (*next)++;
    }
}

static void summary_row(summary_table *t, const fvi_node *node)
{
    char name[FVI_SAFE_TEXT], entry[SUMMARY_ENTRY], second[SUMMARY_ENTRY] = "";
    char number[SUMMARY_NUMBER];
    snprintf(entry, sizeof entry, "%s (%s)", fvi_safe(name, node->name), node->op->name);
    if (summary_length(entry) > t->layer) { /* the class on a line of its own */
        snprintf(entry, sizeof entry, "%s", summary_name(name, node->name, t->layer));
        snprintf(second, sizeof second, "(%s)", node->op->name);
    }
    summary_cell(t, entry, t->layer + SUMMARY_GAP);
    summary_cell(t, summary_shape(entry, &node->y_shape), t->shape + SUMMARY_GAP);
    summary_cell(t, summary_number(number, summary_weights(node).all), -t->number);
    int next = t->has_inputs ? 0 : node->n_inputs;
    int indent = t->layer + t->shape + t->number + 3 * SUMMARY_GAP;
    if (next < node->n_inputs) summary_pad(t, SUMMARY_GAP);
    summary_inputs(t, node, &next);
    fvi_text_add(&t->text, "\n");
    while (*second || next < node->n_inputs) {
        fvi_text_add(&t->text, "%s", second);
        if (next < node->n_inputs) summary_pad(t, indent - (int)strlen(second));
        summary_inputs(t, node, &next);
        fvi_text_add(&t->text, "\n");
        *second = '\0';
    }
}

/* Total params: 37,633 (147.00 KB), as Keras 3 writes it. */
static void summary_total_line(summary_table *t, const char *what, size_t count)
{
    static const char *const unit[] = {"B", "KB", "MB", "GB", "TB"};
    char number[SUMMARY_NUMBER];
    double size = (double)count * (double)sizeof(float);
    size_t i = 0;
    for (; size >= 1024 && i + 1 < FVI_COUNT(unit); i++) {
        size /= 1024;
    }
    fvi_text_add(&t->text, "%s: %s (", what, summary_number(number, count));
    fvi_text_add_fixed(&t->text, size, 2);
    fvi_text_add(&t->text, " %s)\n", unit[i]);
}

static void summary_write_table(summary_table *t)
{
    char safe[FVI_SAFE_TEXT];
    summary_measure(t);
    fvi_text_add(&t->text, "Model: \"%s\"\n", fvi_safe(safe, t->model->name));
    summary_rule(t, '_');
    summary_cell(t, "Layer (type)", t->layer + SUMMARY_GAP);
    summary_cell(t, "Output Shape", t->shape + SUMMARY_GAP);
    summary_cell(t, "Param #", -t->number);
    if (t->has_inputs) fvi_text_add(&t->text, "%*sConnected to", SUMMARY_GAP, "");
    fvi_text_add(&t->text, "\n");
    summary_rule(t, '=');
    for (int i = 0; i < t->model->n_nodes; i++) {
        if (summary_is_shown(t, &t->model->node[i])) summary_row(t, &t->model->node[i]);
    }
    summary_rule(t, '=');
    summary_count total = summary_total(t->model);
    summary_total_line(t, "Total params", total.all);
    summary_total_line(t, "Trainable params", total.trainable);
    summary_total_line(t, "Non-trainable params", total.all - total.trainable);
    summary_rule(t, '_');
}

/* ---- JSON ---- */

static void summary_json_layer(fvi_text *text, const fv_model *model, const fvi_node *node)
{
    summary_count count = summary_weights(node);
    fvi_text_add(text, "{\"name\":");
    fvi_text_add_json_string(text, node->name);
    fvi_text_add(text, ",\"class_name\":");
    fvi_text_add_json_string(text, node->op->name);
    fvi_text_add(text, ",\"output_shape\":[null");
    for (int i = 0; i < node->y_shape.rank; i++) {
        fvi_text_add(text, ",%d", node->y_shape.dim[i]);
    }
    fvi_text_add(text, "],\"params\":%zu,\"trainable_params\":%zu,\"connected_to\":[", count.all,
                 count.trainable);
    for (int i = 0; i < node->n_inputs; i++) {
        if (i > 0) fvi_text_add(text, ",");
        fvi_text_add_json_string(text, model->node[node->input[i]].name);
    }
    fvi_text_add(text, "]}");
}

/* Every layer, the InputLayer too: each name in connected_to is there. */
static void summary_write_json(fvi_text *text, const fv_model *model)
{
    summary_count total = summary_total(model);
    fvi_text_add(text, "{\"name\":");
    fvi_text_add_json_string(text, model->name);
    fvi_text_add(text, ",\"layers\":[");
    for (int i = 0; i < model->n_nodes; i++) {
        if (i > 0) fvi_text_add(text, ",");
        summary_json_layer(text, model, &model->node[i]);
    }
    fvi_text_add(text,
                 "],\"total_params\":%zu,\"trainable_params\":%zu,\"non_trainable_params\":%zu}",
                 total.all, total.trainable, total.all - total.trainable);
}

static bool summary_is_chain(const fv_model *model)
{
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        if (node->n_inputs > 1 || (node->n_inputs == 1 && node->input[0] != i - 1)) return false;
    }
    return true;
}

fv_status fv_model_summary(const fv_model *model, bool json, char **text)
{
    if (!text) return fvi_fail(FV_E_ARG, "fv_model_summary: text is NULL");
    *text = NULL;
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_summary: model is NULL");
    if (!model->is_built) {
        return fvi_fail(FV_E_STATE, "a summary needs the shapes: call fv_model_build first");
    }
    summary_table table = {.model = model, .has_inputs = !summary_is_chain(model)};
    if (json) {
        summary_write_json(&table.text, model);
    } else {
        summary_write_table(&table);
    }
    if (table.text.status != FV_OK) {
        fv_status status = table.text.status;
        fvi_text_free(&table.text);
        return status;
    }
    *text = table.text.data;
    return FV_OK;
}
