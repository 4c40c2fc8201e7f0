/* SPDX-License-Identifier: MIT */
/* A model from whatever a user names: a model file, a recipe file, a recipe that ships with
   Fovea. */
#include "model/model_internal.h"

#include <string.h>

#define OPEN_NAMES 64
#define OPEN_MAGIC 8 /* bytes of a safetensors file before its header, the header's length */

static bool open_begins(const unsigned char *bytes, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(bytes, magic, length) == 0;
}

/* A header's length has zero bytes at its upper end, which no text has; so also in a file that was
   cut. */
static bool open_is_safetensors(const unsigned char *bytes, size_t size)
{
    return memchr(bytes, 0, size < OPEN_MAGIC ? size : OPEN_MAGIC) != NULL;
}

static fv_status open_bytes(fv_model **model, const unsigned char *bytes, size_t size,
                            const char *path, const fv_model_config *config)
{
    char safe[FVI_SAFE_TEXT];
    if (fvi_hdf5_is(bytes, size))
        return fvi_fail(FV_E_UNSUPPORTED,
                        "%s is an HDF5 file; expected a safetensors model or a recipe",
                        fvi_safe(safe, path));
    if (open_begins(bytes, size, "PK\003\004", 4))
        return fvi_fail(FV_E_UNSUPPORTED,
                        "%s is a zip archive (.keras, .pt or .npz); expected a safetensors "
                        "model or a recipe",
                        fvi_safe(safe, path));
    if (open_begins(bytes, size, "\200", 1))
        return fvi_fail(FV_E_UNSUPPORTED,
                        "%s looks like a Python pickle, which is a program and is never "
                        "read; save it as safetensors",
                        fvi_safe(safe, path));
    if (open_is_safetensors(bytes, size))
        return fvi_model_read_bytes(model, bytes, size, path, config);
    /* A NUL inside would end the text early and hide what follows. */
    const unsigned char *nul = memchr(bytes, 0, size);
    if (nul)
        return fvi_fail(FV_E_FORMAT, "%s: byte %zu is NUL; expected the text of a recipe",
                        fvi_safe(safe, path), (size_t)(nul - bytes));
    return fv_model_from_recipe(model, (const char *)bytes, path, config);
}

static fv_status open_file(fv_model **model, const char *path, const fv_model_config *config)
{
    unsigned char *bytes;
    size_t size;
    FVI_TRY(fvi_file_read(&bytes, &size, path, fvi_memory_limit()));
    fv_status status = open_bytes(model, bytes, size, path, config);
    fvi_free(bytes);
    return status;
}

static fv_status open_unknown(const char *name)
{
    const char *list[OPEN_NAMES];
    char safe[FVI_SAFE_TEXT];
    fvi_text known = {0};
    size_t n = 0;
    while (n < OPEN_NAMES && fv_recipe_name((int)n)) {
        list[n] = fv_recipe_name((int)n);
        fvi_text_add(&known, "%s%s", n ? ", " : "", list[n]);
        n++;
    }
    const char *nearest = fv_nearest(name, list, n);
    fvi_fail(FV_E_IO, "no file and no recipe \"%s\"; %s%s%s", fvi_safe(safe, name),
             nearest ? "did you mean " : "recipes: ",
             nearest      ? nearest
             : known.data ? known.data
                          : "none",
             nearest ? "?" : "");
    fvi_text_free(&known);
    return FV_E_IO;
}

fv_status fv_model_open(fv_model **model, const char *path_or_name, const fv_model_config *config)
{
    if (!model) return fvi_fail(FV_E_ARG, "fv_model_open: model is NULL");
    *model = NULL;
    if (!path_or_name) return fvi_fail(FV_E_ARG, "fv_model_open: a path or a name is needed");
    const char *recipe = fv_recipe_find(path_or_name);
    bool is_there = fvi_file_exists(path_or_name);
    /* A file comes before a recipe of that name; a folder that happens to have the name does
       not. */
    if (is_there && !(recipe && fvi_file_is_folder(path_or_name)))
        return open_file(model, path_or_name, config);
    return recipe ? fv_model_from_recipe(model, recipe, path_or_name, config)
                  : open_unknown(path_or_name);
}
