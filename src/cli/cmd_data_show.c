/* SPDX-License-Identifier: MIT */
/* fovea data show: a contact sheet with some pictures of each class. */
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOW_COUNT 60     /* pictures on a sheet, unless told otherwise */
#define SHOW_PER_CLASS 12 /* at most, likewise; and so many may stand in a row */
#define SHOW_MOST 4096    /* --count */
#define SHOW_LARGE 160    /* pictures with a side beyond this are brought to SHOW_SIDE */
#define SHOW_SIDE 128
#define SHOW_COLUMNS 28 /* of a picture in the terminal */
#define SHOW_IN_ROW 3

typedef struct show_sheet {
    const cli_settings *s;
    fv_dataset *d; /* in the order in which pictures are chosen */
    char out[CLI_PATH];
    uint8_t **pixels; /* [n] of 8-bit pictures, class by class */
    int *label;       /* [n] */
    int n, height, width, channels;
    bool is_even; /* as many of every class as of any other */
} show_sheet;

static int show_no_memory(void)
{
    return cli_fail(CLI_LIMIT, "out of memory");
}

/* "made:digits" and "photos/digits.h5" give digits.png here. */
static int show_out(show_sheet *sheet)
{
    const char *out = sheet->s->out, *path = sheet->s->args[0], *name = path;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    for (size_t i = 0; i < length; i++)
        if (path[i] == '/' || path[i] == ':') name = path + i + 1;
    length -= (size_t)(name - path);
    const char *dot = memchr(name, '.', length);
    size_t stem = dot ? (size_t)(dot - name) : length;
    if (stem == 0 || stem > 200) name = "sheet", stem = 5;
    snprintf(sheet->out, sizeof sheet->out, "%.*s.png", (int)stem, name);
    if (out) {
        size_t end = strlen(out);
        if (end < 5 || strcmp(out + end - 4, ".png") != 0)
            return cli_fail(CLI_USAGE, "--out \"%s\": expected a name that ends in .png", out);
        if (end >= sizeof sheet->out) return cli_fail(CLI_IO, "--out: the path is too long");
        memcpy(sheet->out, out, end + 1);
    }
    return cli_check_output("--out", sheet->out, sheet->s->force);
}

/* The first part there is. Large pictures in files are made small when they are read. */
static int show_open(fv_dataset **d, const cli_settings *s)
{
    bool has[CLI_PARTS];
    int part = 0;
    fv_dataset_config config;
    int code = cli_data_config_streamed(&config, s);
    if (code != CLI_DONE) return code;
    config.count = 0; /* --count is that of the sheet */
    if (!s->resize) config.resize = FV_RESIZE_PAD;
    cli_data_parts(has, s, s->args[0]);
    while (!has[part])
        part++;
    code = cli_data_open_sized(d, s->args[0], cli_part_split[part], &config);
    if (code != CLI_DONE) return code;
    fv_shape shape = fv_dataset_shape(*d);
    int side = shape.dim[0] > shape.dim[1] ? shape.dim[0] : shape.dim[1];
    if (s->size || side <= SHOW_LARGE || !fv_dataset_path(*d, 0)) return CLI_DONE;
    config.height = (shape.dim[0] * SHOW_SIDE + side - 1) / side;
    config.width = (shape.dim[1] * SHOW_SIDE + side - 1) / side;
    fv_dataset_free(*d);
    *d = NULL;
    return cli_data_open(d, s->args[0], cli_part_split[part], &config);
}

/* ---- what an eye can look at ---- */

/* What is added to floats and what they are multiplied by: 0 to 1 and 0 to 255 are shown so, any
   others from their least to their greatest. */
static void show_range(double *offset, double *scale, const float *x, size_t count)
{
    double least = 0, greatest = 1;
    for (size_t i = 0; i < count; i++) {
        least = fmin(least, x[i]);
        greatest = fmax(greatest, x[i]);
    }
    bool is_pixels = least == 0 && greatest > 1 && greatest <= 255;
    *offset = -least;
    *scale = is_pixels ? 1 : 255 / (greatest - least);
}

/* Three channels of many, else one; small when it is large. */
static int show_picture(show_sheet *sheet, uint8_t **pixels, const void *raw)
{
    fv_shape shape = fv_dataset_shape(sheet->d);
    bool is_bytes = fv_dataset_dtype(sheet->d) == FV_UINT8;
    size_t area = (size_t)shape.dim[0] * (size_t)shape.dim[1], C = (size_t)shape.dim[2];
    size_t shown = C >= 3 ? 3 : 1;
    double offset = 0, scale = 1;
    int side = shape.dim[0] > shape.dim[1] ? shape.dim[0] : shape.dim[1];
    uint8_t *out = malloc(area * shown);
    *pixels = out;
    if (!out) return show_no_memory();
    if (!is_bytes) show_range(&offset, &scale, raw, area * C);
    for (size_t i = 0; i < area * shown; i++) {
        size_t at = i / shown * C + i % shown;
        out[i] = is_bytes ? ((const uint8_t *)raw)[at]
                          : (uint8_t)lround(((double)((const float *)raw)[at] + offset) * scale);
    }
    sheet->height = shape.dim[0];
    sheet->width = shape.dim[1];
    sheet->channels = (int)shown;
    if (sheet->s->size || side <= SHOW_LARGE) return CLI_DONE;
    const fv_picture large = {shape.dim[0], shape.dim[1], (int)shown, out};
    fv_picture small;
    sheet->height = (shape.dim[0] * SHOW_SIDE + side - 1) / side;
    sheet->width = (shape.dim[1] * SHOW_SIDE + side - 1) / side;
    fv_status status = fv_picture_resize(&small, &large, sheet->height, sheet->width);
    if (status != FV_OK) return cli_fail_status(status, fv_error());
    memcpy(out, small.pixels, (size_t)small.height * (size_t)small.width * shown);
    fv_picture_free(&small);
    return CLI_DONE;
}

/* So many of a class that can be read. */
static int show_choose(show_sheet *sheet, int class, int most, void *raw)
{
    int code = CLI_DONE, all = fv_dataset_count(sheet->d), left = most;
    for (int i = 0; i < all && left > 0 && code == CLI_DONE; i++) {
        if (fv_dataset_label(sheet->d, i) != class) continue;
        fv_status status = fv_dataset_read(sheet->d, raw, i);
        if (status != FV_OK && sheet->s->strict) return cli_fail_status(status, fv_error());
        if (status != FV_OK) {
            fprintf(stderr, "fovea: left out: %s\n", fv_error());
            continue;
        }
        code = show_picture(sheet, &sheet->pixels[sheet->n], raw);
        sheet->label[sheet->n++] = class;
        left--;
    }
    sheet->is_even = sheet->is_even && left == 0;
    return code;
}

/* --count pictures, as many of one class as of another. */
static int show_collect(show_sheet *sheet, int *columns)
{
    fv_shape shape = fv_dataset_shape(sheet->d);
    int classes = fv_dataset_classes(sheet->d);
    int count = sheet->s->count ? (int)sheet->s->count : SHOW_COUNT;
    if (sheet->s->count > SHOW_MOST)
        return cli_fail(CLI_USAGE, "--count %ld: expected at most %d pictures on a sheet",
                        sheet->s->count, SHOW_MOST);
    if (!sheet->s->count && count / classes > SHOW_PER_CLASS) count = SHOW_PER_CLASS * classes;
    void *raw = malloc((size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2] *
                       fv_dtype_size(fv_dataset_dtype(sheet->d)));
    sheet->pixels = calloc((size_t)count, sizeof *sheet->pixels);
    sheet->label = calloc((size_t)count, sizeof *sheet->label);
    if (!raw || !sheet->pixels || !sheet->label) {
        free(raw);
        return show_no_memory();
    }
    int code = CLI_DONE;
    sheet->is_even = count % classes == 0;
    for (int k = 0; k < classes && k < count && code == CLI_DONE; k++)
        code = show_choose(sheet, k, count / classes + (k < count % classes), raw);
    free(raw);
    if (code == CLI_DONE && sheet->n == 0)
        code = cli_fail(CLI_BAD_INPUT, "\"%s\": no picture can be read", sheet->s->args[0]);
    /* A row for each class, if that is neither too short nor too long. */
    *columns = sheet->is_even && count >= 4 * classes && count <= SHOW_PER_CLASS * classes
                   ? count / classes
                   : 0;
    return code;
}

/* ---- the sheet ---- */

static int show_write(const show_sheet *sheet, int columns)
{
    fv_picture picture;
    const char **captions = calloc((size_t)sheet->n, sizeof *captions);
    if (!captions) return show_no_memory();
    for (int i = 0; i < sheet->n; i++)
        captions[i] = fv_dataset_class(sheet->d, sheet->label[i]);
    const fv_sheet_config config = {.captions = captions, .columns = columns};
    fv_status status = fv_sheet_draw(&picture, (const uint8_t *const *)sheet->pixels, sheet->n,
                                     sheet->height, sheet->width, sheet->channels, &config);
    free((void *)captions);
    if (status == FV_OK) {
        status = fv_picture_write_png(&picture, sheet->out);
        fv_picture_free(&picture);
    }
    return status == FV_OK ? CLI_DONE : cli_fail_status(status, fv_error());
}

/* A name as a caption in the terminal, in which nothing gives orders. */
static void show_caption(char out[64], const char *name)
{
    snprintf(out, 64, "%s", name);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127) *c = '?';
}

/* The first picture of each class as half blocks, three side by side. */
static int show_on_terminal(const show_sheet *sheet)
{
    char caption[SHOW_IN_ROW][64];
    const char *captions[SHOW_IN_ROW];
    fv_picture small[SHOW_IN_ROW];
    const uint8_t *pixels[SHOW_IN_ROW];
    int in_row = 0, width = sheet->width < SHOW_COLUMNS ? sheet->width : SHOW_COLUMNS;
    int height = (sheet->height * width + sheet->width - 1) / sheet->width;
    for (int i = 0; i < sheet->n; i++) {
        if (i > 0 && sheet->label[i] == sheet->label[i - 1]) continue;
        const fv_picture picture = {sheet->height, sheet->width, sheet->channels, sheet->pixels[i]};
        fv_status status = fv_picture_resize(&small[in_row], &picture, height, width);
        if (status != FV_OK) return cli_fail_status(status, fv_error());
        show_caption(caption[in_row], fv_dataset_class(sheet->d, sheet->label[i]));
        captions[in_row] = caption[in_row];
        pixels[in_row] = small[in_row].pixels;
        if (++in_row < SHOW_IN_ROW && i + 1 < sheet->n) continue;
        cli_pictures(pixels, in_row, height, width, sheet->channels, captions);
        while (in_row > 0)
            fv_picture_free(&small[--in_row]);
    }
    return CLI_DONE;
}

static int show_go(show_sheet *sheet)
{
    int columns = 0;
    fv_dataset *d = NULL;
    int code = show_open(&d, sheet->s);
    if (code == CLI_DONE) {
        fv_status status = fv_dataset_shuffle(&sheet->d, d, (uint64_t)sheet->s->seed);
        if (status != FV_OK) code = cli_fail_status(status, fv_error());
    }
    fv_dataset_free(d);
    if (code == CLI_DONE) code = show_collect(sheet, &columns);
    if (code == CLI_DONE) code = show_write(sheet, columns);
    if (code == CLI_DONE && isatty(STDOUT_FILENO)) code = show_on_terminal(sheet);
    if (code != CLI_DONE) return code;
    cli_print_name(sheet->out, 0);
    printf(": %d pictures of %d classes\n", sheet->n, fv_dataset_classes(sheet->d));
    return CLI_DONE;
}

int cmd_data_show(const cli_settings *s)
{
    show_sheet sheet = {.s = s};
    int code = show_out(&sheet);
    if (code == CLI_DONE) code = show_go(&sheet);
    for (int i = 0; i < sheet.n; i++)
        free(sheet.pixels[i]);
    free(sheet.pixels);
    free(sheet.label);
    fv_dataset_free(sheet.d);
    return cli_finish(code);
}
