/* SPDX-License-Identifier: MIT */
/* Contact sheets: pictures in a grid, framed and captioned, in letters of our own drawing. */
#include "data/data_internal.h"

#include <string.h>

#define SHEET_MAX_SIDE 65535
#define SHEET_MAX_PIXELS ((int64_t)1 << 28)
#define SHEET_LEAST_TILE 96 /* and from there on letters are twice as large */
#define SHEET_GAP 10        /* around and between tiles */
#define SHEET_FRAME 3
#define SHEET_MAX_LINES 4 /* of a caption */

typedef struct sheet_colour {
    uint8_t rgb[3];
} sheet_colour;

static const sheet_colour sheet_ground = {{246, 246, 248}};
static const sheet_colour sheet_ink = {{45, 48, 56}};
static const sheet_colour sheet_edge = {{214, 216, 222}}; /* of pictures that are not marked */
static const sheet_colour sheet_right = {{38, 166, 91}};
static const sheet_colour sheet_wrong = {{217, 48, 56}};

/* ---- letters ---- */

#define SHEET_LETTER_W 5
#define SHEET_LETTER_H 8 /* the last row is for tails */
#define SHEET_ADVANCE (SHEET_LETTER_W + 1)
#define SHEET_LINE (SHEET_LETTER_H + 2)

/* ASCII 32 to 126, then a box for all others: columns from the left, bit 0 the top row. */
static const uint8_t sheet_letters[][SHEET_LETTER_W] = {
    {0x00, 0x00, 0x00, 0x00, 0x00}, {0x00, 0x00, 0x5F, 0x00, 0x00}, {0x00, 0x07, 0x00, 0x07, 0x00},
    {0x14, 0x7F, 0x14, 0x7F, 0x14}, {0x24, 0x2A, 0x7F, 0x2A, 0x12}, {0x63, 0x13, 0x08, 0x64, 0x63},
    {0x36, 0x49, 0x59, 0x26, 0x50}, {0x00, 0x00, 0x07, 0x00, 0x00}, {0x00, 0x1C, 0x22, 0x41, 0x00},
    {0x00, 0x41, 0x22, 0x1C, 0x00}, {0x14, 0x08, 0x3E, 0x08, 0x14}, {0x08, 0x08, 0x3E, 0x08, 0x08},
    {0x00, 0x80, 0x60, 0x00, 0x00}, {0x08, 0x08, 0x08, 0x08, 0x08}, {0x00, 0x60, 0x60, 0x00, 0x00},
    {0x60, 0x10, 0x08, 0x04, 0x03}, {0x3E, 0x51, 0x49, 0x45, 0x3E}, {0x44, 0x42, 0x7F, 0x40, 0x40},
    {0x42, 0x61, 0x51, 0x49, 0x46}, {0x22, 0x41, 0x49, 0x49, 0x36}, {0x18, 0x14, 0x12, 0x7F, 0x10},
    {0x27, 0x45, 0x45, 0x45, 0x39}, {0x3E, 0x49, 0x49, 0x49, 0x32}, {0x01, 0x01, 0x71, 0x0D, 0x03},
    {0x36, 0x49, 0x49, 0x49, 0x36}, {0x26, 0x49, 0x49, 0x49, 0x3E}, {0x00, 0x36, 0x36, 0x00, 0x00},
    {0x00, 0x80, 0x66, 0x00, 0x00}, {0x08, 0x14, 0x22, 0x41, 0x41}, {0x14, 0x14, 0x14, 0x14, 0x14},
    {0x41, 0x41, 0x22, 0x14, 0x08}, {0x02, 0x01, 0x59, 0x09, 0x06}, {0x3E, 0x41, 0x5D, 0x55, 0x5E},
    {0x7E, 0x09, 0x09, 0x09, 0x7E}, {0x7F, 0x49, 0x49, 0x49, 0x36}, {0x3E, 0x41, 0x41, 0x41, 0x22},
    {0x7F, 0x41, 0x41, 0x41, 0x3E}, {0x7F, 0x49, 0x49, 0x49, 0x41}, {0x7F, 0x09, 0x09, 0x09, 0x01},
    {0x3E, 0x41, 0x49, 0x49, 0x7A}, {0x7F, 0x08, 0x08, 0x08, 0x7F}, {0x00, 0x41, 0x7F, 0x41, 0x00},
    {0x20, 0x40, 0x41, 0x3F, 0x01}, {0x7F, 0x08, 0x14, 0x22, 0x41}, {0x7F, 0x40, 0x40, 0x40, 0x40},
    {0x7F, 0x02, 0x0C, 0x02, 0x7F}, {0x7F, 0x06, 0x08, 0x30, 0x7F}, {0x3E, 0x41, 0x41, 0x41, 0x3E},
    {0x7F, 0x09, 0x09, 0x09, 0x06}, {0x3E, 0x41, 0x51, 0x21, 0x5E}, {0x7F, 0x09, 0x19, 0x29, 0x46},
    {0x46, 0x49, 0x49, 0x49, 0x31}, {0x01, 0x01, 0x7F, 0x01, 0x01}, {0x3F, 0x40, 0x40, 0x40, 0x3F},
    {0x0F, 0x30, 0x40, 0x30, 0x0F}, {0x7F, 0x20, 0x18, 0x20, 0x7F}, {0x63, 0x14, 0x08, 0x14, 0x63},
    {0x03, 0x0C, 0x70, 0x0C, 0x03}, {0x61, 0x51, 0x49, 0x45, 0x43}, {0x00, 0x7F, 0x41, 0x41, 0x00},
    {0x03, 0x04, 0x08, 0x10, 0x60}, {0x00, 0x41, 0x41, 0x7F, 0x00}, {0x04, 0x02, 0x01, 0x02, 0x04},
    {0x80, 0x80, 0x80, 0x80, 0x80}, {0x00, 0x01, 0x02, 0x04, 0x00}, {0x20, 0x54, 0x54, 0x54, 0x78},
    {0x7F, 0x44, 0x44, 0x44, 0x38}, {0x38, 0x44, 0x44, 0x44, 0x28}, {0x38, 0x44, 0x44, 0x44, 0x7F},
    {0x38, 0x54, 0x54, 0x54, 0x58}, {0x04, 0x7E, 0x05, 0x05, 0x00}, {0x18, 0xA4, 0xA4, 0xA4, 0x7C},
    {0x7F, 0x08, 0x04, 0x04, 0x78}, {0x00, 0x44, 0x7D, 0x40, 0x00}, {0x00, 0x80, 0x84, 0x7D, 0x00},
    {0x7F, 0x10, 0x28, 0x44, 0x00}, {0x00, 0x01, 0x3F, 0x40, 0x00}, {0x7C, 0x04, 0x78, 0x04, 0x78},
    {0x7C, 0x08, 0x04, 0x04, 0x78}, {0x38, 0x44, 0x44, 0x44, 0x38}, {0xFC, 0x24, 0x24, 0x24, 0x18},
    {0x18, 0x24, 0x24, 0x24, 0xFC}, {0x7C, 0x08, 0x04, 0x04, 0x08}, {0x48, 0x54, 0x54, 0x54, 0x24},
    {0x04, 0x3F, 0x44, 0x44, 0x20}, {0x3C, 0x40, 0x40, 0x20, 0x7C}, {0x1C, 0x20, 0x40, 0x20, 0x1C},
    {0x3C, 0x40, 0x30, 0x40, 0x3C}, {0x44, 0x28, 0x10, 0x28, 0x44}, {0x1C, 0xA0, 0xA0, 0xA0, 0x7C},
    {0x44, 0x64, 0x54, 0x4C, 0x44}, {0x00, 0x08, 0x36, 0x41, 0x41}, {0x00, 0x00, 0x7F, 0x00, 0x00},
    {0x41, 0x41, 0x36, 0x08, 0x00}, {0x08, 0x04, 0x08, 0x10, 0x08}, {0x7F, 0x41, 0x41, 0x41, 0x7F},
};

/* The number of the next letter of UTF-8 text, which is moved past it. */
static size_t sheet_next_letter(const char **text)
{
    unsigned char first = (unsigned char)*(*text)++;
    if (first >= ' ' && first <= '~') return first - (size_t)' ';
    if (first >= 0xC0) /* the rest of its bytes belong to the same box */
        while (((unsigned char)**text & 0xC0) == 0x80)
            (*text)++;
    return FVI_COUNT(sheet_letters) - 1;
}

/* One line of a caption: its letters, how many are shown, and what follows it. */
typedef struct sheet_line {
    const char *text, *next; /* next: NULL after the last line */
    int letters;
    bool is_cut; /* more were there than fit */
} sheet_line;

/* Up to a line feed, or the last space that lets it fit into so many letters. */
static sheet_line sheet_read_line(const char *text, int room)
{
    sheet_line line = {.text = text};
    const char *at = text, *space = NULL;
    int until_space = 0, n = 0;
    for (; *at != '\0' && *at != '\n'; n++) {
        if (*at == ' ' && n <= room) {
            space = at;
            until_space = n;
        }
        if (n <= room) line.letters = n;
        sheet_next_letter(&at);
    }
    line.next = *at == '\n' ? at + 1 : NULL;
    line.is_cut = n > room;
    if (!line.is_cut) {
        line.letters = n;
    } else if (space) {
        line = (sheet_line){text, space + 1, until_space, false};
    }
    return line;
}

static int sheet_count_lines(const char *text, int room)
{
    int n = 0;
    for (; text && n < SHEET_MAX_LINES; n++) {
        text = sheet_read_line(text, room).next;
    }
    return n;
}

/* ---- drawing ---- */

static void sheet_fill(fv_picture *sheet, int top, int left, int height, int width,
                       sheet_colour colour)
{
    for (int h = top; h < top + height; h++) {
        uint8_t *to = sheet->pixels + ((size_t)h * (size_t)sheet->width + (size_t)left) * 3;
        for (int w = 0; w < width; w++, to += 3)
            memcpy(to, colour.rgb, 3);
    }
}

static void sheet_letter(fv_picture *sheet, int top, int left, size_t letter, int size)
{
    for (int x = 0; x < SHEET_LETTER_W; x++)
        for (int y = 0; y < SHEET_LETTER_H; y++)
            if (sheet_letters[letter][x] >> y & 1)
                sheet_fill(sheet, top + y * size, left + x * size, size, size, sheet_ink);
}

/* In the middle of so many pixels; what does not fit is cut, with two points for the rest. */
static void sheet_caption(fv_picture *sheet, int top, int left, int width, const char *text,
                          int size)
{
    const int room = width / (SHEET_ADVANCE * size);
    for (int n = 1; text && n <= SHEET_MAX_LINES; n++, top += SHEET_LINE * size) {
        sheet_line line = sheet_read_line(text, room);
        bool is_cut = line.is_cut || (n == SHEET_MAX_LINES && line.next);
        int letters = is_cut && line.letters > room - 2 ? room - 2 : line.letters;
        int all = is_cut ? letters + 2 : letters;
        int x = left + (width - (all * SHEET_ADVANCE - 1) * size) / 2;
        for (int i = 0; i < all && room > 2; i++, x += SHEET_ADVANCE * size)
            sheet_letter(sheet, top, x,
                         i < letters ? sheet_next_letter(&line.text) : (size_t)('.' - ' '), size);
        text = line.next;
    }
}

/* A picture [H,W,C], each of its pixels a square. */
static void sheet_picture(fv_picture *sheet, int top, int left, const uint8_t *pixels,
                          const fv_picture *shape, int scale)
{
    const size_t C = (size_t)shape->channels;
    for (int h = 0; h < shape->height * scale; h++) {
        const uint8_t *from = pixels + (size_t)(h / scale) * (size_t)shape->width * C;
        uint8_t *to = sheet->pixels + ((size_t)(top + h) * (size_t)sheet->width + (size_t)left) * 3;
        for (int w = 0; w < shape->width * scale; w++, to += 3) {
            const uint8_t *p = from + (size_t)(w / scale) * C;
            to[0] = p[0];
            to[1] = p[C == 3 ? 1 : 0];
            to[2] = p[C == 3 ? 2 : 0];
        }
    }
}

/* ---- the grid ---- */

typedef struct sheet_grid {
    int scale, columns, rows;
    int size;          /* of letters */
    int height, width; /* of a tile: frame, picture, captions */
} sheet_grid;

static int sheet_choose_scale(int height, int width)
{
    int side = height > width ? height : width;
    return (SHEET_LEAST_TILE + side - 1) / side;
}

/* As many columns as make it about four by three, then as few as need no further row. */
static int sheet_choose_columns(const sheet_grid *grid, int n)
{
    int columns = 1, rows = n;
    while (columns < n && (int64_t)columns * (grid->width + SHEET_GAP) * 3 <
                              (int64_t)rows * (grid->height + SHEET_GAP) * 4) {
        columns++;
        rows = (n + columns - 1) / columns;
    }
    return (n + rows - 1) / rows;
}

static fv_status sheet_plan(sheet_grid *grid, int n, const fv_picture *shape,
                            const fv_sheet_config *config)
{
    const int H = shape->height, W = shape->width;
    *grid = (sheet_grid){.scale = config->scale ? config->scale : sheet_choose_scale(H, W)};
    if ((int64_t)H * grid->scale > SHEET_MAX_SIDE || (int64_t)W * grid->scale > SHEET_MAX_SIDE)
        return fvi_fail(FV_E_MEMORY, "fv_sheet_draw: %dx%d pictures at scale %d are over %d pixels",
                        H, W, grid->scale, SHEET_MAX_SIDE);
    grid->size = W * grid->scale < SHEET_LEAST_TILE ? 1 : 2;
    grid->width = W * grid->scale + 2 * SHEET_FRAME;
    grid->height = H * grid->scale + 2 * SHEET_FRAME;
    int lines = 0, room = grid->width / (SHEET_ADVANCE * grid->size);
    for (int i = 0; i < n && config->captions; i++) {
        int own = sheet_count_lines(config->captions[i], room);
        lines = own > lines ? own : lines;
    }
    if (lines > 0) grid->height += (lines * SHEET_LINE + 1) * grid->size;
    grid->columns = config->columns && config->columns < n ? config->columns
                    : config->columns                      ? n
                                                           : sheet_choose_columns(grid, n);
    grid->rows = (n + grid->columns - 1) / grid->columns;
    return FV_OK;
}

static fv_status sheet_new(fv_picture *sheet, const sheet_grid *grid)
{
    int64_t height = (int64_t)grid->rows * (grid->height + SHEET_GAP) + SHEET_GAP;
    int64_t width = (int64_t)grid->columns * (grid->width + SHEET_GAP) + SHEET_GAP;
    if (height > SHEET_MAX_SIDE || width > SHEET_MAX_SIDE || height * width > SHEET_MAX_PIXELS)
        return fvi_fail(FV_E_MEMORY,
                        "fv_sheet_draw: %d rows of %d pictures are too large; draw fewer",
                        grid->rows, grid->columns);
    sheet->pixels = fvi_alloc((size_t)height * (size_t)width, 3, "a contact sheet");
    if (!sheet->pixels) return FV_E_MEMORY;
    sheet->height = (int)height;
    sheet->width = (int)width;
    sheet->channels = 3;
    return FV_OK;
}

static void sheet_tile(fv_picture *sheet, const sheet_grid *grid, int i, const uint8_t *pixels,
                       const fv_picture *shape, const fv_sheet_config *config)
{
    int top = SHEET_GAP + i / grid->columns * (grid->height + SHEET_GAP);
    int left = SHEET_GAP + i % grid->columns * (grid->width + SHEET_GAP);
    int height = shape->height * grid->scale, width = shape->width * grid->scale;
    int frame = config->marked ? SHEET_FRAME : 1;
    sheet_colour colour = !config->marked     ? sheet_edge
                          : config->marked[i] ? sheet_wrong
                                              : sheet_right;
    sheet_fill(sheet, top + SHEET_FRAME - frame, left + SHEET_FRAME - frame, height + 2 * frame,
               width + 2 * frame, colour);
    sheet_picture(sheet, top + SHEET_FRAME, left + SHEET_FRAME, pixels, shape, grid->scale);
    if (config->captions && config->captions[i])
        sheet_caption(sheet, top + height + 2 * SHEET_FRAME + 2 * grid->size, left, grid->width,
                      config->captions[i], grid->size);
}

static fv_status sheet_check(const fv_picture *sheet, const uint8_t *const *pixels, int n,
                             const fv_picture *shape, const fv_sheet_config *config)
{
    if (!sheet || !pixels)
        return fvi_fail(FV_E_ARG, "fv_sheet_draw: %s is NULL", sheet ? "pixels" : "sheet");
    if (n < 1) return fvi_fail(FV_E_ARG, "fv_sheet_draw: %d pictures, expected at least one", n);
    if (shape->height < 1 || shape->width < 1 || (shape->channels != 1 && shape->channels != 3))
        return fvi_fail(FV_E_ARG, "fv_sheet_draw: pictures of %dx%dx%d, expected 1 or 3 channels",
                        shape->height, shape->width, shape->channels);
    if (config->columns < 0 || config->scale < 0)
        return fvi_fail(FV_E_ARG, "fv_sheet_draw: %d columns at scale %d", config->columns,
                        config->scale);
    for (int i = 0; i < n; i++) {
        if (!pixels[i]) return fvi_fail(FV_E_ARG, "fv_sheet_draw: picture %d is NULL", i);
    }
    return FV_OK;
}

fv_status fv_sheet_draw(fv_picture *sheet, const uint8_t *const *pixels, int n, int height,
                        int width, int channels, const fv_sheet_config *config)
{
    const fv_sheet_config plain = {0};
    const fv_picture shape = {height, width, channels, NULL};
    sheet_grid grid;
    if (!config) config = &plain;
    if (sheet) *sheet = (fv_picture){0};
    FVI_TRY(sheet_check(sheet, pixels, n, &shape, config));
    FVI_TRY(sheet_plan(&grid, n, &shape, config));
    FVI_TRY(sheet_new(sheet, &grid));
    sheet_fill(sheet, 0, 0, sheet->height, sheet->width, sheet_ground);
    for (int i = 0; i < n; i++) {
        sheet_tile(sheet, &grid, i, pixels[i], &shape, config);
    }
    return FV_OK;
}
