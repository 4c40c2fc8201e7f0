/* SPDX-License-Identifier: MIT */
/* The layers of a recipe: their arguments checked, applied to what stands before, added to the
   model. */
#include "model/recipe_internal.h"

#include <string.h>

#define RECIPE_TENSOR "a variable, or a layer applied to one"

static const char *const recipe_special[] = {"Input", "Sequential", "Model"};

/* ---- words ---- */

fv_status fvi_recipe_unknown_layer(const fvi_recipe_reader *r, const fvi_recipe_token *word)
{
    const char *known[256];
    size_t count = 0;
    for (size_t i = 0; i < FVI_COUNT(recipe_special); i++) {
        known[count++] = recipe_special[i];
    }
    for (size_t i = 0; fvi_op_at(i) && count < FVI_COUNT(known); i++) {
        known[count++] = fvi_op_at(i)->name;
    }
    return fvi_recipe_unknown(&r->lex, word, "layer", known, count);
}

/* NULL: none. Input is Keras's function that makes an InputLayer. */
const fvi_op *fvi_recipe_find_op(const fvi_recipe_token *token)
{
    char word[FVI_RECIPE_WORD];
    fvi_recipe_word(word, token);
    return fvi_op_find(strcmp(word, "Input") == 0 ? "InputLayer" : word);
}

bool fvi_recipe_is_input(const fvi_op *op)
{
    return op->max_inputs == 0;
}

bool fvi_recipe_is_model(const fvi_recipe_token *word)
{
    return fvi_recipe_is_word(word, "Sequential") || fvi_recipe_is_word(word, "Model");
}

fv_status fvi_recipe_fail_at(const fvi_recipe_reader *r, fv_status status,
                             const fvi_recipe_token *at)
{
    char where[FVI_SAFE_TEXT];
    if (status == FV_OK || status == FV_E_MEMORY) return status;
    return fvi_fail_in(status == FV_E_UNSUPPORTED ? status : FV_E_FORMAT, "%s:%d:%d",
                       fvi_safe(where, r->lex.where), at->line, at->column);
}

/* ---- layers ---- */

void fvi_recipe_free_layer(fvi_recipe_layer *layer)
{
    fvi_free(layer->config);
    fvi_recipe_free_arguments(&layer->arguments);
    *layer = (fvi_recipe_layer){0};
}

/* The config of a layer from its arguments; the message names the layer and stands at the value. */
fv_status fvi_recipe_configure(const fvi_recipe_reader *r, fvi_recipe_layer *layer)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_value *bad = NULL;
    layer->config = fvi_alloc(1, layer->op->config_size, "a config");
    if (!layer->config) return FV_E_MEMORY;
    fv_status status =
        fvi_op_config_from_dict(layer->op, layer->config, layer->arguments.dict, &bad);
    if (status == FV_OK || status == FV_E_MEMORY) return status;
    const char *name = fvi_value_get_string(layer->arguments.dict, "name");
    if (name) {
        fvi_fail_in(status, "%s \"%s\"", layer->op->name, fvi_safe(safe, name));
    } else {
        fvi_fail_in(status, "%s", layer->op->name);
    }
    fvi_recipe_token at = layer->word;
    if (bad && bad->line > 0) {
        at.line = bad->line;
        at.column = bad->column;
    }
    return fvi_recipe_fail_at(r, status, &at);
}

fv_status fvi_recipe_read_layer(fvi_recipe_reader *r, const fvi_recipe_token *word,
                                fvi_recipe_layer *layer)
{
    *layer = (fvi_recipe_layer){.word = *word, .op = fvi_recipe_find_op(word)};
    if (!layer->op) return fvi_recipe_unknown_layer(r, word);
    FVI_TRY(fvi_recipe_read_arguments(&r->lex, word, layer->op, &layer->arguments));
    fv_status status = fvi_recipe_configure(r, layer);
    if (status != FV_OK) fvi_recipe_free_layer(layer);
    return status;
}

fv_status fvi_recipe_add(fvi_recipe_reader *r, fvi_recipe_layer *layer, const int *inputs,
                         size_t n_inputs, int *id)
{
    const char *name = fvi_value_get_string(layer->arguments.dict, "name");
    if (r->model->n_nodes >= FVI_MAX_NODES) {
        return fvi_recipe_fail(&r->lex, &layer->word, "more than %d layers", FVI_MAX_NODES);
    }
    void *config = layer->config;
    layer->config = NULL; /* the model's from here on */
    *id = fvi_model_add_node(r->model, layer->op, inputs, (int)n_inputs, config, name);
    if (*id < 0) {
        fv_status status = (fv_status)(-*id);
        return fvi_recipe_fail_at(r, status, &layer->word);
    }
    size_t room = r->n_places ? r->n_places : 16;
    while (room <= (size_t)*id) {
        room *= 2;
    }
    if (room > r->n_places) {
        fvi_recipe_token *place =
            fvi_grow(r->place, r->n_places, room, sizeof *place, "places of layers");
        if (!place) return FV_E_MEMORY;
        r->place = place;
        r->n_places = room;
    }
    r->place[*id] = layer->word;
    return FV_OK;
}

/* ---- tensors: what a layer gives when it is applied ---- */

static fv_status recipe_variable(fvi_recipe_reader *r, const fvi_recipe_token *at, int *id)
{
    char name[FVI_RECIPE_WORD];
    fvi_recipe_word(name, at);
    const fvi_value *variable = fvi_value_get(r->variables, name);
    if (!variable) {
        return fvi_recipe_unknown(&r->lex, at, "variable", (const char *const *)r->variables->key,
                                  r->variables->count);
    }
    if (variable->kind != FVI_VALUE_INT) {
        return fvi_recipe_fail(&r->lex, at, "%s is a model; expected the output of a layer", name);
    }
    *id = (int)variable->integer;
    return FV_OK;
}

static fv_status recipe_push_tensor(fvi_recipe_reader *r, fvi_recipe_ids *ids)
{
    int id = 0;
    if (ids->count >= FVI_RECIPE_ITEMS) {
        return fvi_recipe_fail(&r->lex, &r->lex.token, "more than %d inputs", FVI_RECIPE_ITEMS);
    }
    FVI_TRY(fvi_recipe_tensor(r, &id));
    /* Rooms of 1, 2, 4, ...: grown when the count fills one. */
    if ((ids->count & (ids->count - 1)) == 0) {
        size_t room = ids->count ? 2 * ids->count : 1;
        int *grown = fvi_grow(ids->id, ids->count, room, sizeof *grown, "inputs of a layer");
        if (!grown) return FV_E_MEMORY;
        ids->id = grown;
    }
    ids->id[ids->count++] = id;
    return FV_OK;
}

fv_status fvi_recipe_tensors(fvi_recipe_reader *r, fvi_recipe_ids *ids)
{
    if (!fvi_recipe_is(&r->lex, '[') && !fvi_recipe_is(&r->lex, '(')) {
        return recipe_push_tensor(r, ids);
    }
    char close = (char)(fvi_recipe_is(&r->lex, '[') ? ']' : ')');
    FVI_TRY(fvi_recipe_next(&r->lex));
    bool more = true;
    while (more) {
        FVI_TRY(recipe_push_tensor(r, ids));
        FVI_TRY(fvi_recipe_comma(&r->lex, close, &more));
    }
    return fvi_recipe_next(&r->lex);
}

/* The second call of Layer(...)(x); the present token should be its "(". */
static fv_status recipe_apply(fvi_recipe_reader *r, fvi_recipe_layer *layer, int *id)
{
    fvi_recipe_ids ids = {0};
    fv_status status = FV_OK;
    if (!fvi_recipe_is_input(layer->op)) {
        bool more = false;
        status = fvi_recipe_take(&r->lex, '(', "\"(\" and what the layer is applied to");
        if (status == FV_OK) status = fvi_recipe_tensors(r, &ids);
        if (status == FV_OK) status = fvi_recipe_comma(&r->lex, ')', &more);
        if (status == FV_OK && more) status = fvi_recipe_expected(&r->lex, "\")\" after the input");
        if (status == FV_OK) status = fvi_recipe_next(&r->lex);
    }
    if (status == FV_OK) status = fvi_recipe_add(r, layer, ids.id, ids.count, id);
    fvi_free(ids.id);
    return status;
}

static fv_status recipe_call(fvi_recipe_reader *r, const fvi_recipe_token *word, int *id)
{
    fvi_recipe_layer layer;
    if (fvi_recipe_is_model(word)) {
        return fvi_recipe_fail(&r->lex, word, "%.*s inside of something; a recipe is one model",
                               (int)word->size, word->text);
    }
    FVI_TRY(fvi_recipe_read_layer(r, word, &layer));
    fv_status status = FV_OK;
    if (layer.arguments.input_shape) {
        fvi_recipe_token at = layer.word;
        at.line = layer.arguments.input_shape->line;
        at.column = layer.arguments.input_shape->column;
        status = fvi_recipe_fail(&r->lex, &at,
                                 "input_shape is for the first layer of Sequential; here write "
                                 "Input(shape=...)");
    }
    if (status == FV_OK) status = recipe_apply(r, &layer, id);
    fvi_recipe_free_layer(&layer);
    return status;
}

fv_status fvi_recipe_tensor(fvi_recipe_reader *r, int *id)
{
    fvi_recipe_token first, last;
    if (fvi_recipe_is(&r->lex, '(')) {
        FVI_TRY(fvi_recipe_next(&r->lex));
        FVI_TRY(fvi_recipe_tensor(r, id));
        return fvi_recipe_take(&r->lex, ')', "\")\"");
    }
    if (r->lex.token.kind != FVI_RECIPE_NAME || fvi_recipe_is_keyword(&r->lex.token)) {
        return fvi_recipe_expected(&r->lex, RECIPE_TENSOR);
    }
    FVI_TRY(fvi_recipe_chain(&r->lex, &first, &last));
    if (fvi_recipe_is(&r->lex, '(')) return recipe_call(r, &last, id);
    if (first.text != last.text) {
        return fvi_recipe_expected(&r->lex, "\"(\" and the arguments of a layer");
    }
    return recipe_variable(r, &first, id);
}
