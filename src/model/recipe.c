/* SPDX-License-Identifier: MIT */
/* A model written as Keras-style calls. What is read are names and numbers; nothing runs. */
#include "model/recipe_internal.h"

#include <string.h>

#define RECIPE_STATEMENT "\"name = ...\", Sequential([...]) or Model(...)"

static const char *const recipe_models[] = {"Sequential", "Model"};

/* ---- Sequential ---- */

/* The InputLayer that the first layer's input_shape stands for. */
static fv_status recipe_sequential_input(fvi_recipe_reader *r, fvi_recipe_layer *first, int *id)
{
    fvi_recipe_layer input = {.word = first->word, .op = fvi_op_find("InputLayer")};
    fvi_value *shape = first->arguments.input_shape;
    first->arguments.input_shape = NULL;
    input.arguments.dict = fvi_value_dict();
    fv_status status = FV_E_MEMORY;
    if (input.arguments.dict) {
        status = fvi_value_set(input.arguments.dict, input.op->fields[0].key, shape);
    } else {
        fvi_value_free(shape);
    }
    if (status == FV_OK) status = fvi_recipe_configure(r, &input);
    if (status == FV_OK) status = fvi_recipe_add(r, &input, NULL, 0, id);
    fvi_recipe_free_layer(&input);
    return status;
}

/* What may stand where: the size of an image at the beginning, and only there. */
static fv_status recipe_check_begin(const fvi_recipe_reader *r, const fvi_recipe_layer *layer,
                                    bool is_first)
{
    bool has_shape = layer->arguments.input_shape != NULL;
    if (is_first && !has_shape && !fvi_recipe_is_input(layer->op)) {
        return fvi_recipe_fail(&r->lex, &layer->word,
                               "expected Input(shape=(height, width, channels)) before the first "
                               "layer, or input_shape=(...) in it");
    }
    if (!is_first && fvi_recipe_is_input(layer->op)) {
        return fvi_recipe_fail(&r->lex, &layer->word, "Input comes first in Sequential");
    }
    if (!is_first && has_shape) {
        fvi_recipe_token at = {.line = layer->arguments.input_shape->line,
                               .column = layer->arguments.input_shape->column};
        return fvi_recipe_fail(&r->lex, &at, "input_shape is for the first layer of Sequential");
    }
    return FV_OK;
}

/* One layer of the list; *last is the one before, -1 at first. */
static fv_status recipe_sequential_layer(fvi_recipe_reader *r, int *last)
{
    fvi_recipe_token first, word;
    if (r->lex.token.kind != FVI_RECIPE_NAME || fvi_recipe_is_keyword(&r->lex.token)) {
        return fvi_recipe_expected(&r->lex, "a layer");
    }
    FVI_TRY(fvi_recipe_chain(&r->lex, &first, &word));
    if (!fvi_recipe_is(&r->lex, '(')) {
        return fvi_recipe_expected(&r->lex, "\"(\" and the arguments of a layer");
    }
    if (fvi_recipe_is_model(&word)) {
        return fvi_recipe_fail(&r->lex, &word, "%.*s inside of something; a recipe is one model",
                               (int)word.size, word.text);
    }
    fvi_recipe_layer layer;
    FVI_TRY(fvi_recipe_read_layer(r, &word, &layer));
    fv_status status = recipe_check_begin(r, &layer, *last < 0);
    if (status == FV_OK && layer.arguments.input_shape && !fvi_recipe_is_input(layer.op)) {
        status = recipe_sequential_input(r, &layer, last);
    }
    if (status == FV_OK) status = fvi_recipe_add(r, &layer, last, *last < 0 ? 0 : 1, last);
    fvi_recipe_free_layer(&layer);
    return status;
}

/* [layer, layer, ...] */
static fv_status recipe_sequential_layers(fvi_recipe_reader *r)
{
    int last = -1;
    fvi_recipe_token at = r->lex.token;
    FVI_TRY(fvi_recipe_take(&r->lex, '[', "\"[\" and the list of layers"));
    bool more = !fvi_recipe_is(&r->lex, ']');
    while (more) {
        FVI_TRY(recipe_sequential_layer(r, &last));
        FVI_TRY(fvi_recipe_comma(&r->lex, ']', &more));
    }
    if (last < 0) return fvi_recipe_fail(&r->lex, &at, "a Sequential without layers");
    r->model->output = last;
    return fvi_recipe_next(&r->lex);
}

/* ---- Model ---- */

/* x or [x]: the input or the output of Model. */
static fv_status recipe_one_tensor(fvi_recipe_reader *r, const char *key, int *id)
{
    fvi_recipe_ids ids = {0};
    fvi_recipe_token at = r->lex.token;
    fv_status status = fvi_recipe_tensors(r, &ids);
    if (status == FV_OK && ids.count != 1) {
        status =
            fvi_recipe_fail(&r->lex, &at, "%s: expected one, found a list of %zu", key, ids.count);
    }
    if (status == FV_OK) *id = ids.id[0];
    fvi_free(ids.id);
    return status;
}

static fv_status recipe_model_inputs(fvi_recipe_reader *r)
{
    int id = -1;
    fvi_recipe_token at = r->lex.token;
    FVI_TRY(recipe_one_tensor(r, "inputs", &id));
    if (!fvi_recipe_is_input(r->model->node[id].op)) {
        return fvi_recipe_fail(&r->lex, &at,
                               "inputs: expected what Input(...) gave, found the %s of line %d",
                               r->model->node[id].op->name, r->place[id].line);
    }
    r->model->input = id;
    return FV_OK;
}

static fv_status recipe_model_outputs(fvi_recipe_reader *r)
{
    return recipe_one_tensor(r, "outputs", &r->model->output);
}

static fv_status recipe_set_model_name(fvi_recipe_reader *r, const char *name)
{
    char *copy = fvi_strdup(name);
    if (!copy) return FV_E_MEMORY;
    fvi_free(r->model->name);
    r->model->name = copy;
    return FV_OK;
}

static fv_status recipe_model_name(fvi_recipe_reader *r)
{
    fvi_value *value = NULL;
    fvi_recipe_token at = r->lex.token;
    r->lex.items = 0;
    FVI_TRY(fvi_recipe_value(&r->lex, &value));
    fv_status status = FV_OK;
    if (value->kind == FVI_VALUE_STRING) {
        status = fvi_model_check_name("the model", value->string);
        if (status != FV_OK) status = fvi_recipe_fail_at(r, status, &at);
        if (status == FV_OK) status = recipe_set_model_name(r, value->string);
    } else if (value->kind != FVI_VALUE_NULL) {
        status = fvi_recipe_fail(&r->lex, &at, "name: expected a string");
    }
    fvi_value_free(value);
    return status;
}

/* ---- Sequential(...) and Model(...): their arguments ---- */

typedef struct recipe_key {
    const char *key;
    fv_status (*read)(fvi_recipe_reader *r);
    bool is_required;
} recipe_key;

#define RECIPE_KEYS 3

static const recipe_key recipe_sequential_keys[RECIPE_KEYS] = {
    {"layers", recipe_sequential_layers, true},
    {"name", recipe_model_name, false},
};

static const recipe_key recipe_model_keys[RECIPE_KEYS] = {
    {"inputs", recipe_model_inputs, true},
    {"outputs", recipe_model_outputs, true},
    {"name", recipe_model_name, false},
};

/* Which argument the present tokens begin; steps over "key =". */
static fv_status recipe_model_key(fvi_recipe_reader *r, const recipe_key *keys, size_t *position,
                                  size_t *found)
{
    const char *known[RECIPE_KEYS];
    size_t count = 0;
    while (count < RECIPE_KEYS && keys[count].key) {
        known[count] = keys[count].key;
        count++;
    }
    const fvi_recipe_token *token = &r->lex.token;
    if (token->kind != FVI_RECIPE_NAME || !fvi_recipe_is_next(&r->lex, '=')) {
        if (*position >= count) return fvi_recipe_expected(&r->lex, "name=value or \")\"");
        *found = (*position)++;
        return FV_OK;
    }
    *position = count; /* nothing without a key may follow */
    for (*found = 0; *found < count; (*found)++) {
        if (!fvi_recipe_is_word(token, known[*found])) continue;
        FVI_TRY(fvi_recipe_next(&r->lex));
        return fvi_recipe_next(&r->lex);
    }
    return fvi_recipe_unknown(&r->lex, token, "argument", known, count);
}

/* From the "(" to past the ")". */
static fv_status recipe_model_arguments(fvi_recipe_reader *r, const fvi_recipe_token *word)
{
    bool is_given[RECIPE_KEYS] = {false}, more;
    size_t position = 0, k = 0;
    const recipe_key *keys =
        fvi_recipe_is_word(word, "Model") ? recipe_model_keys : recipe_sequential_keys;
    FVI_TRY(fvi_recipe_take(&r->lex, '(', "\"(\""));
    more = !fvi_recipe_is(&r->lex, ')');
    while (more) {
        fvi_recipe_token at = r->lex.token;
        FVI_TRY(recipe_model_key(r, keys, &position, &k));
        if (is_given[k]) return fvi_recipe_fail(&r->lex, &at, "%s is given twice", keys[k].key);
        is_given[k] = true;
        FVI_TRY(keys[k].read(r));
        FVI_TRY(fvi_recipe_comma(&r->lex, ')', &more));
    }
    for (k = 0; k < RECIPE_KEYS; k++) {
        if (!keys[k].is_required || is_given[k]) continue;
        return fvi_recipe_fail(
            &r->lex, word, "%.*s without %s; expected %s", (int)word->size, word->text, keys[k].key,
            keys == recipe_model_keys ? "Model(inputs=..., outputs=...)" : "Sequential([...])");
    }
    return fvi_recipe_next(&r->lex);
}

/* The model itself; variable NULL: it is not assigned to one. */
static fv_status recipe_read_model(fvi_recipe_reader *r, const fvi_recipe_token *word,
                                   const fvi_recipe_token *variable)
{
    char name[FVI_RECIPE_WORD];
    if (r->model_place.kind != FVI_RECIPE_END) {
        return fvi_recipe_fail(&r->lex, word, "a second model; the first is on line %d",
                               r->model_place.line);
    }
    r->model_place = *word;
    if (variable) {
        fvi_recipe_word(name, variable);
        FVI_TRY(recipe_set_model_name(r, name));
    } else if (!fvi_recipe_is_word(word, "Model")) {
        FVI_TRY(recipe_set_model_name(r, "sequential"));
    }
    FVI_TRY(recipe_model_arguments(r, word));
    r->model->is_sequential = !fvi_recipe_is_word(word, "Model");
    return FV_OK;
}

/* ---- statements ---- */

/* id -1: the model. */
static fv_status recipe_set_variable(fvi_recipe_reader *r, const fvi_recipe_token *name, int id)
{
    char word[FVI_RECIPE_WORD];
    fvi_recipe_word(word, name);
    fvi_value *variable = (fvi_value *)fvi_value_get(r->variables, word); /* the dict is ours */
    if (!variable) {
        if (r->variables->count >= FVI_MAX_NODES) {
            return fvi_recipe_fail(&r->lex, name, "more than %d variables", FVI_MAX_NODES);
        }
        variable = fvi_value_null();
        FVI_TRY(fvi_value_set(r->variables, word, variable));
    }
    variable->kind = id < 0 ? FVI_VALUE_NULL : FVI_VALUE_INT;
    variable->integer = id;
    return FV_OK;
}

/* name = something; the present token is the name. */
static fv_status recipe_assign(fvi_recipe_reader *r)
{
    int id = -1;
    fvi_recipe_token name = r->lex.token, first, last;
    FVI_TRY(fvi_recipe_next(&r->lex));
    FVI_TRY(fvi_recipe_next(&r->lex));
    if (r->lex.token.kind == FVI_RECIPE_NAME && !fvi_recipe_is_keyword(&r->lex.token)) {
        /* Only the last part of a chain tells a model from a layer. */
        fvi_recipe_lexer before = r->lex;
        FVI_TRY(fvi_recipe_chain(&r->lex, &first, &last));
        if (fvi_recipe_is_model(&last)) {
            FVI_TRY(recipe_read_model(r, &last, &name));
            return recipe_set_variable(r, &name, -1);
        }
        r->lex = before;
    }
    FVI_TRY(fvi_recipe_tensor(r, &id));
    return recipe_set_variable(r, &name, id);
}

/* import a.b, from a import (b, c as d), ...: nothing is loaded, so what they say does not
   matter. */
static fv_status recipe_import(fvi_recipe_reader *r)
{
    FVI_TRY(fvi_recipe_next(&r->lex));
    while (r->lex.token.kind != FVI_RECIPE_NEWLINE && r->lex.token.kind != FVI_RECIPE_END) {
        bool is_sign = r->lex.token.kind == FVI_RECIPE_SIGN && strchr(".,()*", *r->lex.token.text);
        if (!is_sign && r->lex.token.kind != FVI_RECIPE_NAME) {
            return fvi_recipe_expected(&r->lex, "names to import");
        }
        FVI_TRY(fvi_recipe_next(&r->lex));
    }
    return FV_OK;
}

/* Sequential([...]) or Model(...) that no variable keeps, the model's variable by itself; else a
   message about what it is. */
static fv_status recipe_bare(fvi_recipe_reader *r)
{
    char word[FVI_RECIPE_WORD], safe[FVI_SAFE_TEXT];
    fvi_recipe_token first, last;
    FVI_TRY(fvi_recipe_chain(&r->lex, &first, &last));
    if (fvi_recipe_is_model(&last)) return recipe_read_model(r, &last, NULL);
    fvi_recipe_word(word, &last);
    bool is_slip = fv_nearest(word, recipe_models, FVI_COUNT(recipe_models)) != NULL;
    fvi_recipe_word(word, &first);
    const fvi_value *variable = fvi_value_get(r->variables, word);
    if (first.text != last.text && (variable || !(is_slip || fvi_recipe_find_op(&last)))) {
        fvi_recipe_token whole = first;
        whole.size = (size_t)(last.text - first.text) + last.size;
        fvi_recipe_word(word, &whole);
        return fvi_recipe_fail(&r->lex, &first,
                               "%s is not read; a recipe lists the layers, nothing runs",
                               fvi_safe(safe, word));
    }
    if (fvi_recipe_is(&r->lex, '(') && fvi_recipe_find_op(&last)) {
        return fvi_recipe_fail(&r->lex, &last,
                               "the result of %.*s is not kept; expected name = ...",
                               (int)last.size, last.text);
    }
    if (fvi_recipe_is(&r->lex, '(')) return fvi_recipe_unknown_layer(r, &last);
    if (variable && variable->kind == FVI_VALUE_NULL) return FV_OK;
    return fvi_recipe_expected(&r->lex, "\"=\" after the name");
}

static fv_status recipe_statement(fvi_recipe_reader *r, bool is_first)
{
    const fvi_recipe_token *token = &r->lex.token;
    if (token->kind == FVI_RECIPE_STRING && is_first) return fvi_recipe_next(&r->lex);
    if (token->kind != FVI_RECIPE_NAME) return fvi_recipe_expected(&r->lex, RECIPE_STATEMENT);
    if (fvi_recipe_is_word(token, "import") || fvi_recipe_is_word(token, "from")) {
        return recipe_import(r);
    }
    if (fvi_recipe_is_keyword(token)) {
        return fvi_recipe_fail(&r->lex, token,
                               "\"%.*s\" is not read; a recipe lists the layers, nothing runs",
                               (int)token->size, token->text);
    }
    if (fvi_recipe_is_word(token, "return")) {
        FVI_TRY(fvi_recipe_next(&r->lex));
        if (token->kind != FVI_RECIPE_NAME) return fvi_recipe_expected(&r->lex, "the model");
        return recipe_bare(r);
    }
    return fvi_recipe_is_next(&r->lex, '=') ? recipe_assign(r) : recipe_bare(r);
}

/* ---- the recipe as a whole ---- */

/* Every layer leads to the output, and what it begins with is the input that Model names. */
static fv_status recipe_check_reach(const fvi_recipe_reader *r)
{
    const fv_model *model = r->model;
    char safe[FVI_SAFE_TEXT];
    bool *is_needed = fvi_alloc((size_t)model->n_nodes, sizeof *is_needed, "layers");
    if (!is_needed) return FV_E_MEMORY;
    int idle = -1, other = -1;
    is_needed[model->output] = true;
    for (int i = model->n_nodes - 1; i >= 0; i--) {
        const fvi_node *node = &model->node[i];
        if (!is_needed[i]) idle = i;
        if (is_needed[i] && node->n_inputs == 0 && model->input >= 0 && i != model->input)
            other = i;
        for (int k = 0; is_needed[i] && k < node->n_inputs; k++) {
            is_needed[node->input[k]] = true;
        }
    }
    fvi_free(is_needed);
    if (other >= 0) {
        return fvi_recipe_fail(&r->lex, &r->place[other],
                               "the outputs depend on \"%s\", which is not in inputs",
                               fvi_safe(safe, model->node[other].name));
    }
    if (idle < 0) return FV_OK;
    return fvi_recipe_fail(&r->lex, &r->place[idle],
                           "%s \"%s\" does not lead to the model's output",
                           model->node[idle].op->name, fvi_safe(safe, model->node[idle].name));
}

static fv_status recipe_read_all(fvi_recipe_reader *r, const char *text, size_t size,
                                 const char *where)
{
    FVI_TRY(fvi_recipe_begin(&r->lex, text, size, where));
    bool is_first = true;
    while (r->lex.token.kind != FVI_RECIPE_END) {
        FVI_TRY(recipe_statement(r, is_first));
        is_first = false;
        if (r->lex.token.kind == FVI_RECIPE_NEWLINE) {
            FVI_TRY(fvi_recipe_next(&r->lex));
        } else if (r->lex.token.kind != FVI_RECIPE_END) {
            return fvi_recipe_expected(&r->lex, "the end of the line");
        }
    }
    if (r->model_place.kind == FVI_RECIPE_END) {
        return fvi_recipe_expected(&r->lex, "Sequential([...]) or Model(inputs=..., outputs=...)");
    }
    return recipe_check_reach(r);
}

fv_status fvi_recipe_read(fv_model **model, const char *text, size_t size, const char *where,
                          const fv_model_config *config)
{
    fvi_recipe_reader r = {0};
    *model = NULL;
    FVI_TRY(fvi_model_make(&r.model, NULL, config));
    fv_status status = FV_E_MEMORY;
    r.variables = fvi_value_dict();
    if (r.variables) status = recipe_read_all(&r, text, size, where);
    fvi_value_free(r.variables);
    fvi_free(r.place);
    if (status == FV_OK) {
        *model = r.model;
    } else {
        fv_model_free(r.model);
    }
    return status;
}

fv_status fv_model_from_recipe(fv_model **model, const char *text, const char *where,
                               const fv_model_config *config)
{
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_from_recipe: model is NULL");
    *model = NULL;
    if (!text) return fvi_fail(FV_E_ARG, "fv_model_from_recipe: text is NULL");
    return fvi_recipe_read(model, text, strlen(text), where, config);
}

const char *fv_recipe_find(const char *name)
{
    for (size_t i = 0; name && i < fvi_recipe_text_count; i++) {
        if (strcmp(fvi_recipe_texts[i].name, name) == 0) return fvi_recipe_texts[i].text;
    }
    return NULL;
}

const char *fv_recipe_name(int i)
{
    return i >= 0 && (size_t)i < fvi_recipe_text_count ? fvi_recipe_texts[i].name : NULL;
}
