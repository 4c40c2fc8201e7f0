# Writes OUTPUT, a C file that holds the text of every file in RECIPES. As numbers, not as string
# literals: any byte is safe, and C promises literals of 4,095 characters only.
set(arrays "")
set(rows "")
set(count 0)
foreach(recipe IN LISTS RECIPES)
  get_filename_component(name "${recipe}" NAME_WE)
  file(READ "${recipe}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    " bytes "${bytes}")
  string(APPEND arrays "\nstatic const unsigned char recipe_${count}[] = { /* ${name} */\n"
                       "    ${bytes}0x00\n};\n")
  string(APPEND rows "    {\"${name}\", (const char *)recipe_${count}},\n")
  math(EXPR count "${count} + 1")
endforeach()
set(text "/* Made from recipes/ by cmake/embed_recipes.cmake; do not edit. */
#include <stddef.h>

typedef struct fvi_recipe_text {
    const char *name, *text;
} fvi_recipe_text;
extern const fvi_recipe_text fvi_recipe_texts[];
extern const size_t fvi_recipe_text_count;
${arrays}
const fvi_recipe_text fvi_recipe_texts[] = {
${rows}    {NULL, NULL},
};
const size_t fvi_recipe_text_count = ${count};
")
file(WRITE "${OUTPUT}" "${text}")
