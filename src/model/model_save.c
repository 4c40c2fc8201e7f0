/* SPDX-License-Identifier: MIT */
/* Model files: safetensors, one tensor for each weight, and the graph, classes and scaling
   beside. */
#include "model/model_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_VERSION 1 /* of what stands in the metadata; a reader refuses a higher one */
#define SAVE_BATCH 64

/* "conv2d.kernel": unique, since no weight's name has a point. Owned by the caller. */
static char *save_tensor_name(const fvi_node *node, const fvi_weight *weight)
{
    fvi_text text = {0};
    fvi_text_add(&text, "%s.%s", node->name, weight->name);
    if (text.status == FV_OK) return text.data;
    fvi_text_free(&text);
    return NULL;
}

/* ---- Writing ---- */

static void save_free_entries(fvi_safetensors_entry *entry, int n)
{
    for (int i = 0; entry && i < n; i++) {
        fvi_free(entry[i].name);
    }
    fvi_free(entry);
}

static int save_count(const fv_model *model)
{
    int n = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        n += model->node[i].n_weights;
    }
    return n;
}

/* entry: out, owned by the caller; the tensors are views of the model's weights. */
static fv_status save_make_entries(const fv_model *model, fvi_safetensors_entry **out, int n)
{
    fvi_safetensors_entry *entry = fvi_alloc((size_t)n, sizeof *entry, "tensors");
    if (!entry) return FV_E_MEMORY;
    int at = 0;
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++, at++) {
            const fvi_weight *weight = &node->weight[k];
            entry[at].name = save_tensor_name(node, weight);
            entry[at].tensor = (fv_tensor){.shape = weight->shape,
                                           .dtype = FV_FLOAT32,
                                           .data = model->weights + weight->offset};
            if (!entry[at].name) {
                save_free_entries(entry, n);
                return FV_E_MEMORY;
            }
        }
    }
    *out = entry;
    return FV_OK;
}

/* Metadata holds texts only: each value is JSON of its own. Takes ownership of value. */
static fv_status save_set_json(fvi_value *metadata, const char *key, fvi_value *value)
{
    if (!value) return FV_E_MEMORY;
    fvi_text text = {0};
    fv_status status = fvi_json_write(&text, value, 0);
    if (status == FV_OK) status = text.status;
    if (status == FV_OK) status = fvi_value_set(metadata, key, fvi_value_string(text.data));
    fvi_text_free(&text);
    fvi_value_free(value);
    return status;
}

static fvi_value *save_classes(const fv_model *model)
{
    fvi_value *list = fvi_value_list();
    for (int i = 0; list && i < model->n_classes; i++) {
        if (fvi_value_push(list, fvi_value_string(model->class_name[i])) == FV_OK) continue;
        fvi_value_free(list);
        return NULL;
    }
    return list;
}

static fvi_value *save_scaling(const fv_model *model)
{
    fvi_value *dict = fvi_value_dict();
    if (!dict) return NULL;
    fv_status status = fvi_value_set(dict, "scale", fvi_value_double((double)model->scale));
    if (status == FV_OK) {
        status = fvi_value_set(dict, "offset", fvi_value_double((double)model->offset));
    }
    if (status == FV_OK) return dict;
    fvi_value_free(dict);
    return NULL;
}

static fv_status save_fill_metadata(fvi_value *metadata, const fv_model *model)
{
    fvi_value *graph;
    FVI_TRY(fvi_value_set(metadata, "format", fvi_value_string("fovea")));
    FVI_TRY(save_set_json(metadata, "fovea.version", fvi_value_int(SAVE_VERSION)));
    FVI_TRY(fvi_model_to_graph(model, &graph));
    FVI_TRY(save_set_json(metadata, "fovea.model", graph));
    FVI_TRY(save_set_json(metadata, "fovea.classes", save_classes(model)));
    FVI_TRY(save_set_json(metadata, "fovea.scaling", save_scaling(model)));
    return save_set_json(metadata, "fovea.resize", fvi_value_string(fv_resize_name(model->resize)));
}

static fv_status save_write(const char *path, const fvi_safetensors_entry *entry, int n,
                            const fvi_value *metadata)
{
    fvi_save *save;
    FVI_TRY(fvi_save_begin(&save, path));
    fv_status status = fvi_safetensors_write(save, entry, n, metadata);
    if (status == FV_OK) return fvi_save_commit(save);
    fvi_save_abort(save);
    return status;
}

fv_status fv_model_save(const fv_model *model, const char *path)
{
    if (!model || !path) {
        return fvi_fail(FV_E_ARG, "fv_model_save: %s is NULL", model ? "path" : "model");
    }
    if (!model->is_built) {
        return fvi_fail(FV_E_STATE, "fv_model_save: the model is not built");
    }
    int n = save_count(model);
    fvi_safetensors_entry *entry = NULL;
    fvi_value *metadata = fvi_value_dict();
    fv_status status = metadata ? save_fill_metadata(metadata, model) : FV_E_MEMORY;
    if (status == FV_OK) status = save_make_entries(model, &entry, n);
    if (status == FV_OK) status = save_write(path, entry, n, metadata);
    save_free_entries(entry, n);
    fvi_value_free(metadata);
    return status;
}

/* ---- Reading ---- */

/* JSON text under a key of the metadata; *value is NULL when there is none. */
static fv_status save_get_json(const fvi_safetensors *file, const char *key, fvi_value **value)
{
    *value = NULL;
    const char *text = fvi_value_get_string(file->metadata, key);
    if (!text) return FV_OK;
    fv_status status = fvi_json_read(value, text, strlen(text));
    return status == FV_OK ? FV_OK : fvi_fail_in(status, "%s", key);
}

static fv_status save_check_version(const fvi_safetensors *file)
{
    int64_t version;
    const char *text = fvi_value_get_string(file->metadata, "fovea.version");
    if (!text || !fvi_value_get_string(file->metadata, "fovea.model")) {
        return fvi_fail(FV_E_FORMAT, "the file holds tensors but no model: \"fovea.version\" and "
                                     "\"fovea.model\" are not in its metadata");
    }
    if (!fvi_parse_int64(&version, text, strlen(text)) || version < 1) {
        char safe[FVI_SAFE_TEXT];
        return fvi_fail(FV_E_FORMAT, "fovea.version \"%s\": expected %d", fvi_safe(safe, text),
                        SAVE_VERSION);
    }
    if (version > SAVE_VERSION) {
        return fvi_fail(FV_E_UNSUPPORTED,
                        "made by a newer Fovea: its format is %lld, this one reads up to %d",
                        (long long)version, SAVE_VERSION);
    }
    return FV_OK;
}

static fv_status save_read_classes(fv_model *model, const fvi_safetensors *file)
{
    fvi_value *list;
    FVI_TRY(save_get_json(file, "fovea.classes", &list));
    if (!list) return FV_OK;
    fv_status status = FV_OK;
    const char **name = fvi_alloc(list->count, sizeof *name, "class names");
    if (!name) status = FV_E_MEMORY;
    if (status == FV_OK && list->kind != FVI_VALUE_LIST) {
        status = fvi_fail(FV_E_FORMAT, "fovea.classes: expected a list of names");
    }
    for (size_t i = 0; status == FV_OK && i < list->count; i++) {
        name[i] = list->item[i]->string;
        if (!name[i]) status = fvi_fail(FV_E_FORMAT, "fovea.classes: %zu is no name", i);
    }
    if (status == FV_OK) {
        int n = list->count > INT32_MAX ? INT32_MAX : (int)list->count;
        status = fv_model_set_classes(model, name, n);
        if (status == FV_E_ARG) status = fvi_fail_in(FV_E_FORMAT, "fovea.classes");
    }
    fvi_free(name);
    fvi_value_free(list);
    return status;
}

static fv_status save_read_scaling(fv_model *model, const fvi_safetensors *file)
{
    fvi_value *dict;
    float number[2] = {0, 0};
    static const char *const key[2] = {"scale", "offset"};
    FVI_TRY(save_get_json(file, "fovea.scaling", &dict));
    if (!dict) return FV_OK;
    fv_status status = FV_OK;
    for (int i = 0; status == FV_OK && i < 2; i++) {
        const fvi_value *value = fvi_value_get(dict, key[i]);
        bool is_number = value && (value->kind == FVI_VALUE_INT || value->kind == FVI_VALUE_DOUBLE);
        if (is_number) number[i] = (float)value->number;
        if (!is_number || !isfinite(number[i])) {
            status = fvi_fail(FV_E_FORMAT, "fovea.scaling: %s: expected a number", key[i]);
        }
    }
    fvi_value_free(dict);
    return status == FV_OK ? fv_model_set_scaling(model, number[0], number[1]) : status;
}

/* Files of before there was a choice have none: stretch. */
static fv_status save_read_resize(fv_model *model, const fvi_safetensors *file)
{
    fvi_value *name;
    char safe[FVI_SAFE_TEXT];
    FVI_TRY(save_get_json(file, "fovea.resize", &name));
    if (!name) return FV_OK;
    fv_status status = FV_OK;
    if (name->kind != FVI_VALUE_STRING || !fv_resize_find(name->string, &model->resize, NULL))
        status = fvi_fail(FV_E_FORMAT, "fovea.resize: \"%s\", expected stretch, pad or crop",
                          name->kind == FVI_VALUE_STRING ? fvi_safe(safe, name->string) : "?");
    fvi_value_free(name);
    return status;
}

/* The file's tensors by name. */
typedef struct save_row {
    const fvi_safetensors_entry *entry;
    bool used;
} save_row;

static int save_by_name(const void *left, const void *right)
{
    return strcmp(((const save_row *)left)->entry->name, ((const save_row *)right)->entry->name);
}

static fv_status save_check_tensor(const char *name, const fvi_weight *weight, save_row *row)
{
    char safe[FVI_SAFE_TEXT], need[FVI_SHAPE_TEXT], found[FVI_SHAPE_TEXT];
    fvi_safe(safe, name);
    fvi_shape_text(need, &weight->shape);
    if (!row) {
        return fvi_fail(FV_E_FORMAT, "tensor \"%s\" (%s) is not in the file", safe, need);
    }
    const fv_tensor *tensor = &row->entry->tensor;
    if (tensor->dtype != FV_FLOAT32) {
        return fvi_fail(FV_E_UNSUPPORTED, "tensor \"%s\" is %s; only float32 is read", safe,
                        fv_dtype_name(tensor->dtype));
    }
    if (!fvi_shape_equal(&tensor->shape, &weight->shape)) {
        return fvi_fail(FV_E_SHAPE, "tensor \"%s\" is %s; the model needs %s", safe,
                        fvi_shape_text(found, &tensor->shape), need);
    }
    row->used = true;
    return FV_OK;
}

/* Every weight has its tensor; found: out, the entry of each weight in order. */
static fv_status save_match(const fv_model *model, save_row *row, size_t rows,
                            const fvi_safetensors_entry **found)
{
    char safe[FVI_SAFE_TEXT];
    for (int i = 0; i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++) {
            fvi_safetensors_entry key = {.name = save_tensor_name(node, &node->weight[k])};
            if (!key.name) return FV_E_MEMORY;
            save_row wanted = {.entry = &key};
            save_row *hit = rows ? bsearch(&wanted, row, rows, sizeof *row, save_by_name) : NULL;
            fv_status status = save_check_tensor(key.name, &node->weight[k], hit);
            fvi_free(key.name);
            if (status != FV_OK || !hit) return status;
            *found++ = hit->entry;
        }
    }
    for (size_t i = 0; i < rows; i++) {
        if (row[i].used) continue;
        return fvi_fail(FV_E_FORMAT, "tensor \"%s\" belongs to no layer of the model",
                        fvi_safe(safe, row[i].entry->name));
    }
    return FV_OK;
}

/* The tensors, checked before anything of their size is allocated, then copied. */
static fv_status save_read_weights(fv_model *model, const fvi_safetensors *file)
{
    size_t rows = (size_t)file->count;
    save_row *row = fvi_alloc(rows, sizeof *row, "tensors");
    const fvi_safetensors_entry **found =
        fvi_alloc((size_t)save_count(model), sizeof *found, "tensors");
    fv_status status = row && found ? FV_OK : FV_E_MEMORY;
    for (size_t i = 0; status == FV_OK && i < rows; i++) {
        row[i].entry = &file->entry[i];
    }
    if (status == FV_OK && rows > 1) qsort(row, rows, sizeof *row, save_by_name);
    if (status == FV_OK) status = save_match(model, row, rows, found);
    if (status == FV_OK) status = fvi_model_allocate(model);
    size_t at = 0;
    for (int i = 0; status == FV_OK && i < model->n_nodes; i++) {
        const fvi_node *node = &model->node[i];
        for (int k = 0; k < node->n_weights; k++) {
            const fvi_weight *weight = &node->weight[k];
            memcpy(model->weights + weight->offset, found[at++]->tensor.data,
                   weight->count * sizeof(float));
        }
    }
    fvi_free(found);
    fvi_free(row);
    return status;
}

static fv_status save_read(fv_model **out, const fvi_safetensors *file,
                           const fv_model_config *config)
{
    fvi_value *graph;
    fv_model *model;
    int batch = config && config->batch > 0 ? config->batch : SAVE_BATCH;
    FVI_TRY(save_check_version(file));
    FVI_TRY(save_get_json(file, "fovea.model", &graph));
    fv_status status = fvi_model_from_graph(&model, graph, config);
    fvi_value_free(graph);
    if (status != FV_OK) return fvi_fail_in(status, "fovea.model");
    status = fvi_model_prepare(model, FV_LAST, batch);
    if (status == FV_E_ARG) status = fvi_fail_in(FV_E_FORMAT, "fovea.model");
    if (status == FV_OK) status = save_read_weights(model, file);
    if (status == FV_OK) status = save_read_classes(model, file);
    if (status == FV_OK) status = save_read_scaling(model, file);
    if (status == FV_OK) status = save_read_resize(model, file);
    if (status == FV_OK) {
        *out = model;
    } else {
        fv_model_free(model);
    }
    return status;
}

fv_status fvi_model_read_bytes(fv_model **model, const unsigned char *bytes, size_t size,
                               const char *path, const fv_model_config *config)
{
    char safe[FVI_SAFE_TEXT];
    fvi_safetensors *file;
    *model = NULL;
    fv_status status = fvi_safetensors_read(&file, bytes, size);
    if (status == FV_OK) {
        status = save_read(model, file, config);
        fvi_safetensors_free(file);
    }
    return status == FV_OK ? FV_OK : fvi_fail_in(status, "%s", fvi_safe(safe, path));
}

fv_status fv_model_load(fv_model **model, const char *path, const fv_model_config *config)
{
    unsigned char *bytes;
    size_t size;
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_load: model is NULL");
    *model = NULL;
    FVI_TRY(fvi_file_read(&bytes, &size, path, fvi_memory_limit()));
    fv_status status = fvi_model_read_bytes(model, bytes, size, path, config);
    fvi_free(bytes);
    return status;
}
