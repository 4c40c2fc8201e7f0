/* SPDX-License-Identifier: MIT */
/* Contact sheets: every pixel where it belongs, frames, captions, and what is refused. */
#include "data_check.h"

enum { GAP = 10, FRAME = 3, MANY = 12 };

static const uint8_t GROUND[3] = {246, 246, 248}, INK[3] = {45, 48, 56}, EDGE[3] = {214, 216, 222},
                     GREEN[3] = {38, 166, 91}, RED[3] = {217, 48, 56};

static uint8_t sheet_pixels[MANY][40 * 30 * 3];

/* MANY pictures of noise without the colours above. */
static void pictures(const uint8_t **list)
{
    for (size_t k = 0; k < MANY; k++) {
        for (size_t i = 0; i < sizeof sheet_pixels[k]; i++)
            sheet_pixels[k][i] = (uint8_t)(100 + fvi_rng_int(k, FVI_RNG_TEST, 5, (uint64_t)i, 50));
        list[k] = sheet_pixels[k];
    }
}

static const uint8_t *at(const fv_picture *sheet, int h, int w)
{
    assert_in_range(h, 0, sheet->height - 1);
    assert_in_range(w, 0, sheet->width - 1);
    return sheet->pixels + ((size_t)h * (size_t)sheet->width + (size_t)w) * 3;
}

static void expect(const fv_picture *sheet, int h, int w, const uint8_t *colour)
{
    const uint8_t *got = at(sheet, h, w);
    if (memcmp(got, colour, 3) != 0)
        fail_msg("[%d,%d] is %d %d %d, expected %d %d %d", h, w, got[0], got[1], got[2], colour[0],
                 colour[1], colour[2]);
}

/* ---- without captions the sheet can be told pixel by pixel ---- */

static void check_sheet(int n, int H, int W, int C, const fv_sheet_config *config, int columns,
                        int scale)
{
    const uint8_t *list[MANY];
    fv_picture sheet;
    pictures(list);
    CHECK_OK(fv_sheet_draw(&sheet, list, n, H, W, C, config));
    int tile_h = H * scale + 2 * FRAME + GAP, tile_w = W * scale + 2 * FRAME + GAP;
    assert_int_equal(sheet.height, (n + columns - 1) / columns * tile_h + GAP);
    assert_int_equal(sheet.width, columns * tile_w + GAP);
    assert_int_equal(sheet.channels, 3);
    for (int y = 0; y < sheet.height; y++)
        for (int x = 0; x < sheet.width; x++) {
            int row = (y - GAP) / tile_h, column = (x - GAP) / tile_w, k = row * columns + column;
            int h = (y - GAP) % tile_h - FRAME, w = (x - GAP) % tile_w - FRAME;
            const uint8_t *right = GROUND;
            uint8_t rgb[3];
            bool is_tile = y >= GAP && x >= GAP && k < n && column < columns;
            if (is_tile && h >= 0 && h < H * scale && w >= 0 && w < W * scale) {
                const uint8_t *p = list[k] + (h / scale * W + w / scale) * C;
                for (int c = 0; c < 3; c++)
                    rgb[c] = p[C == 3 ? c : 0];
                right = rgb;
            } else if (is_tile && h < H * scale + FRAME && w < W * scale + FRAME) {
                bool is_near = h >= -1 && h <= H * scale && w >= -1 && w <= W * scale;
                if (config && config->marked)
                    right = config->marked[k] ? RED : GREEN;
                else if (is_near)
                    right = EDGE;
            }
            expect(&sheet, y, x, right);
        }
    fv_picture_free(&sheet);
}

static void sheet_grids(void **state)
{
    (void)state;
    static const bool marked[MANY] = {false, true, true, false, false, true};
    check_sheet(6, 40, 30, 3, &(fv_sheet_config){.columns = 3, .scale = 1}, 3, 1);
    check_sheet(7, 40, 30, 1, &(fv_sheet_config){.columns = 3, .scale = 2}, 3, 2);
    check_sheet(7, 20, 30, 3, &(fv_sheet_config){.columns = 2, .scale = 3, .marked = marked}, 2, 3);
    check_sheet(1, 1, 1, 1, &(fv_sheet_config){.scale = 1, .marked = marked}, 1, 1);
    check_sheet(3, 5, 5, 1, &(fv_sheet_config){.columns = 9, .scale = 1}, 3, 1); /* not wider */
    check_sheet(12, 28, 28, 1, NULL, 4, 4); /* 112 pixels; four by three */
    check_sheet(12, 2, 30, 1, NULL, 2, 4);
    check_sheet(12, 30, 2, 1, NULL, 12, 4);
    check_sheet(4, 1, 1, 3, NULL, 2, 96);
}

/* ---- captions ---- */

/* One picture of 28x28, four times as large, over a caption. */
static fv_picture captioned(const char *caption)
{
    const uint8_t *list[MANY];
    fv_picture sheet;
    pictures(list);
    CHECK_OK(fv_sheet_draw(&sheet, list, 1, 28, 28, 1, &(fv_sheet_config){.captions = &caption}));
    return sheet;
}

/* Pixels of ink; all of them lie below the picture and beside the outer gap. */
static int ink(const fv_picture *sheet)
{
    int n = 0;
    for (int h = 0; h < sheet->height; h++)
        for (int w = 0; w < sheet->width; w++) {
            if (memcmp(at(sheet, h, w), INK, 3) != 0) continue;
            n++;
            assert_in_range(h, GAP + 2 * FRAME + 112, sheet->height - GAP - 1);
            assert_in_range(w, GAP, sheet->width - GAP - 1);
        }
    return n;
}

static int height_of(const char *caption)
{
    fv_picture sheet = captioned(caption);
    int height = sheet.height;
    ink(&sheet);
    fv_picture_free(&sheet);
    return height;
}

static bool same_sheet(const char *a, const char *b)
{
    fv_picture one = captioned(a), two = captioned(b);
    bool is_same = one.height == two.height &&
                   memcmp(one.pixels, two.pixels, (size_t)(one.height * one.width * 3)) == 0;
    fv_picture_free(&one);
    fv_picture_free(&two);
    return is_same;
}

/* Every letter is drawn, and no two alike. */
static void sheet_letters(void **state)
{
    (void)state;
    fv_picture sheet[95];
    for (int i = 0; i < 95; i++) {
        char text[2] = {(char)(' ' + i), '\0'};
        sheet[i] = captioned(text);
        int n = ink(&sheet[i]);
        if (i == 0) assert_int_equal(n, 0);
        if (i > 0) assert_in_range(n, 4 * 3, 4 * 25); /* squares of 2 by 2 */
        for (int k = 0; k < i; k++)
            if (memcmp(sheet[k].pixels, sheet[i].pixels,
                       (size_t)(sheet[i].height * sheet[i].width * 3)) == 0)
                fail_msg("\"%c\" looks like \"%c\"", ' ' + i, ' ' + k);
    }
    for (int i = 0; i < 95; i++)
        fv_picture_free(&sheet[i]);
}

/* One box for each code point that is not ASCII, and for each byte that is no UTF-8. */
static void sheet_boxes(void **state)
{
    (void)state;
    static const char *const one_box[] = {
        "\xC3\xA4", "\xE6\x97\xA5", "\xF0\x9F\x98\x80", "\xFF", "\x80", "\xC3", "\x01", "\x7F"};
    for (size_t i = 1; i < FVI_COUNT(one_box); i++)
        if (!same_sheet(one_box[0], one_box[i])) fail_msg("text %zu is not one box", i);
    assert_false(same_sheet(one_box[0], "\x80\x80"));
    assert_false(same_sheet(one_box[0], "x"));
    assert_true(same_sheet("\xC3\xA4x\xE6\x97\xA5", "\xFFx\x80"));
}

/* A tile of 118 pixels has room for 9 letters of 12. */
static void sheet_lines(void **state)
{
    (void)state;
    const int line = 20;
    int none = height_of(NULL), one = height_of("123456789");
    assert_int_equal(one, none + line + 2);
    assert_int_equal(height_of(""), one);
    assert_int_equal(height_of("1234567890"), one); /* cut */
    assert_true(same_sheet("1234567890", "1234567.."));
    assert_int_equal(height_of("12345 7890"), one + line);
    assert_true(same_sheet("12345 7890", "12345\n7890"));
    assert_true(same_sheet("123456789 0", "123456789\n0"));
    assert_true(same_sheet("not smiling 0.97", "not\nsmiling\n0.97"));
    assert_int_equal(height_of("a\nb\nc\nd"), one + 3 * line);
    assert_int_equal(height_of("a\nb\nc\nd\ne"), one + 3 * line);
    assert_true(same_sheet("a\nb\nc\nd\ne", "a\nb\nc\nd.."));
    assert_true(same_sheet("a b c d e f g h i j k l m n o p q r s t u v w x y z",
                           "a b c d e\nf g h i j\nk l m n o\np q r s.."));
}

/* Captions of some, of none; tiles too narrow for any letter. */
static void sheet_few_captions(void **state)
{
    (void)state;
    const uint8_t *list[MANY];
    const char *captions[MANY] = {"one", NULL, "", "a very long word indeed, and more of them"};
    fv_picture sheet;
    pictures(list);
    for (int size = 1; size <= 40; size++) {
        fv_sheet_config config = {.captions = captions, .scale = 1 + size % 3};
        CHECK_OK(fv_sheet_draw(&sheet, list, MANY, size, size < 30 ? size : 30, 1, &config));
        fv_picture_free(&sheet);
    }
}

/* ---- refusals ---- */

static void sheet_refuses(void **state)
{
    (void)state;
    const uint8_t *list[MANY], *holes[] = {sheet_pixels[0], NULL};
    fv_picture sheet = {1, 1, 1, sheet_pixels[0]}; /* must be overwritten */
    pictures(list);
    CHECK_FAILS(fv_sheet_draw(NULL, list, 1, 5, 5, 1, NULL), FV_E_ARG, "sheet is NULL");
    CHECK_FAILS(fv_sheet_draw(&sheet, NULL, 1, 5, 5, 1, NULL), FV_E_ARG, "pixels is NULL");
    assert_null(sheet.pixels);
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 0, 5, 5, 1, NULL), FV_E_ARG, "0 pictures");
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 1, 0, 5, 1, NULL), FV_E_ARG, "0x5x1");
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 1, 5, 5, 2, NULL), FV_E_ARG, "1 or 3 channels");
    CHECK_FAILS(fv_sheet_draw(&sheet, holes, 2, 5, 5, 1, NULL), FV_E_ARG, "picture 1 is NULL");
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 1, 5, 5, 1, &(fv_sheet_config){.columns = -1}),
                FV_E_ARG, "-1 columns");
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 1, 5, 5, 1, &(fv_sheet_config){.scale = -1}), FV_E_ARG,
                "scale -1");
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 1, 5, 5, 1, &(fv_sheet_config){.scale = INT32_MAX}),
                FV_E_MEMORY, "over 65535 pixels");
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 8, 20, 20, 1, &(fv_sheet_config){.scale = 3000}),
                FV_E_MEMORY, "too large");
    assert_null(sheet.pixels);
    long live = fvi_alloc_live();
    fvi_alloc_fail_at(1);
    CHECK_FAILS(fv_sheet_draw(&sheet, list, 2, 5, 5, 1, NULL), FV_E_MEMORY, "out of memory");
    fvi_alloc_fail_at(0);
    assert_null(sheet.pixels);
    assert_int_equal(fvi_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sheet_grids),        cmocka_unit_test(sheet_letters),
        cmocka_unit_test(sheet_boxes),        cmocka_unit_test(sheet_lines),
        cmocka_unit_test(sheet_few_captions), cmocka_unit_test(sheet_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
