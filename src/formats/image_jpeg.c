/* SPDX-License-Identifier: MIT */
/* JPEG through libjpeg-turbo, the only file that includes it. Its warnings are errors: a cut file
   has no other sign. */
#ifdef FVI_WITH_IMAGE

#include "formats/formats.h"
#include "formats/image_raw.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define JPEG_MAX_SCANS 100
#define JPEG_MAX_SHRINK 8 /* libjpeg decodes a block of 8x8 as 4x4, 2x2 or 1x1 */
#define JPEG_EXIF (JPEG_APP0 + 1)
#define JPEG_MAX_PIXELS_PER_BYTE 1024   /* a block of 64 takes a bit at least; the rest is margin */
#define JPEG_MAX_PIXELS_ARITHMETIC 8192 /* there a blank block costs next to nothing */

/* All that must survive a longjmp lives here, none of it in locals. */
typedef struct jpeg_run {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    bool begun;
    fv_status status; /* set when it was ours to refuse, else the message tells */
    char message[JMSG_LENGTH_MAX];
    size_t size;
    unsigned char *line; /* one row of CMYK */
    fvi_image *raw;
    int orientation;
} jpeg_run;

static void jpeg_fails(j_common_ptr common)
{
    jpeg_run *run = common->client_data;
    common->err->format_message(common, run->message);
    longjmp(run->jump, 1);
}

static void jpeg_tells(j_common_ptr common, int level)
{
    if (level < 0) jpeg_fails(common);
}

static void jpeg_is_silent(j_common_ptr common)
{
    (void)common;
}

static void jpeg_counts_scans(j_common_ptr common)
{
    jpeg_run *run = common->client_data;
    if (run->jpeg.input_scan_number <= JPEG_MAX_SCANS) return;
    run->status = fvi_fail(FV_E_MEMORY, "JPEG: more than %d scans", JPEG_MAX_SCANS);
    longjmp(run->jump, 1);
}

static fv_status jpeg_refuse(const jpeg_run *run)
{
    char safe[FVI_SAFE_TEXT];
    if (run->status != FV_OK) return run->status;
    size_t at =
        run->begun && run->jpeg.src != NULL ? run->size - run->jpeg.src->bytes_in_buffer : 0;
    fv_status status = FV_E_FORMAT;
    switch (run->error.msg_code) {
    case JERR_OUT_OF_MEMORY:
        status = FV_E_MEMORY;
        break;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
        status = FV_E_UNSUPPORTED;
        break;
    default:
        break;
    }
    return fvi_fail(status, "JPEG near byte %zu: %s", at, fvi_safe(safe, run->message));
}

/* Up to the sizes. */
static bool jpeg_begin(jpeg_run *run, const unsigned char *bytes)
{
    if (setjmp(run->jump)) return false;
    jpeg_create_decompress(&run->jpeg);
    run->begun = true;
    run->jpeg.progress = &run->progress;
    jpeg_mem_src(&run->jpeg, bytes, (unsigned long)run->size);
    jpeg_save_markers(&run->jpeg, JPEG_EXIF, 0xFFFF);
    jpeg_read_header(&run->jpeg, TRUE);
    return true;
}

/* The first APP1 segment that is EXIF; others are XMP and what makers put there. */
static fv_status jpeg_orient(jpeg_run *run)
{
    for (jpeg_saved_marker_ptr m = run->jpeg.marker_list; m != NULL; m = m->next)
        if (m->marker == JPEG_EXIF && m->data_length >= 6 && memcmp(m->data, "Exif\0", 6) == 0)
            return fvi_exif_orientation(&run->orientation, m->data, m->data_length);
    return FV_OK;
}

/* The channels wanted where libjpeg makes them itself, and the smallest size still wanted. */
static fv_status jpeg_choose(jpeg_run *run, const fvi_image_ask *ask)
{
    struct jpeg_decompress_struct *jpeg = &run->jpeg;
    uint64_t most = jpeg->arith_code ? JPEG_MAX_PIXELS_ARITHMETIC : JPEG_MAX_PIXELS_PER_BYTE;
    FVI_TRY(fvi_image_check_size("JPEG", jpeg->image_width, jpeg->image_height, run->size, most));
    FVI_TRY(jpeg_orient(run));
    bool is_sideways = fvi_exif_is_sideways(run->orientation);
    unsigned height = (unsigned)(is_sideways ? ask->least_width : ask->least_height);
    unsigned width = (unsigned)(is_sideways ? ask->least_height : ask->least_width);
    while (jpeg->scale_denom < JPEG_MAX_SHRINK &&
           jpeg->image_height / (2 * jpeg->scale_denom) >= height &&
           jpeg->image_width / (2 * jpeg->scale_denom) >= width)
        jpeg->scale_denom *= 2;
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
        jpeg->out_color_space = ask->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
        break;
    case JCS_YCbCr:
        jpeg->out_color_space = ask->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
        break;
    case JCS_RGB:
        jpeg->out_color_space = JCS_RGB;
        break;
    case JCS_CMYK:
    case JCS_YCCK:
        jpeg->out_color_space = JCS_CMYK;
        break;
    default:
        return fvi_fail(FV_E_UNSUPPORTED, "JPEG: %d channels of no known colours",
                        jpeg->num_components);
    }
    return FV_OK;
}

/* Up to the first row. */
static bool jpeg_start(jpeg_run *run)
{
    if (setjmp(run->jump)) return false;
    jpeg_start_decompress(&run->jpeg);
    return true;
}

static fv_status jpeg_make_room(jpeg_run *run)
{
    const struct jpeg_decompress_struct *jpeg = &run->jpeg;
    fvi_image *raw = run->raw;
    raw->height = (int)jpeg->output_height;
    raw->width = (int)jpeg->output_width;
    raw->channels = jpeg->out_color_space == JCS_GRAYSCALE ? 1 : 3;
    if (jpeg->out_color_space == JCS_CMYK) {
        run->line = fvi_alloc((size_t)raw->width, 4, "a picture's row");
        if (run->line == NULL) return FV_E_MEMORY;
    }
    raw->pixels =
        fvi_alloc((size_t)raw->height * (size_t)raw->width, (size_t)raw->channels, "a picture");
    return raw->pixels != NULL ? FV_OK : FV_E_MEMORY;
}

/* Printers' ink to RGB. Adobe's files, which are nearly all of them, store it inverted. */
static void jpeg_from_cmyk(unsigned char *rgb, const unsigned char *cmyk, size_t pixels,
                           bool is_inverted)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++) {
            unsigned ink = cmyk[4 * i + c], black = cmyk[4 * i + 3];
            if (!is_inverted) {
                ink = 255 - ink;
                black = 255 - black;
            }
            rgb[3 * i + c] = (unsigned char)((ink * black + 127) / 255);
        }
}

static bool jpeg_rows(jpeg_run *run)
{
    if (setjmp(run->jump)) return false;
    struct jpeg_decompress_struct *jpeg = &run->jpeg;
    size_t stride = (size_t)run->raw->width * (size_t)run->raw->channels;
    while (jpeg->output_scanline < jpeg->output_height) {
        unsigned char *row = run->raw->pixels + stride * jpeg->output_scanline;
        JSAMPROW target = run->line != NULL ? run->line : row;
        jpeg_read_scanlines(jpeg, &target, 1);
        if (run->line != NULL)
            jpeg_from_cmyk(row, run->line, (size_t)run->raw->width, jpeg->saw_Adobe_marker);
    }
    jpeg_finish_decompress(jpeg); /* reads on to the end, which must be there */
    return true;
}

fv_status fvi_jpeg_read(fvi_image_raw *raw, const unsigned char *bytes, size_t size,
                        const fvi_image_ask *ask)
{
    jpeg_run run = {.raw = &raw->image, .size = size, .orientation = 1};
    run.jpeg.err = jpeg_std_error(&run.error);
    run.jpeg.client_data = &run;
    run.error.error_exit = jpeg_fails;
    run.error.emit_message = jpeg_tells;
    run.error.output_message = jpeg_is_silent;
    run.progress.progress_monitor = jpeg_counts_scans;
    fv_status status = jpeg_begin(&run, bytes) ? jpeg_choose(&run, ask) : jpeg_refuse(&run);
    if (status == FV_OK) status = jpeg_start(&run) ? jpeg_make_room(&run) : jpeg_refuse(&run);
    if (status == FV_OK && !jpeg_rows(&run)) status = jpeg_refuse(&run);
    jpeg_destroy_decompress(&run.jpeg);
    fvi_free(run.line);
    raw->orientation = run.orientation;
    raw->scale = (fvi_image_scale){(int)run.jpeg.image_height, (int)run.jpeg.image_width,
                                   (int)run.jpeg.scale_denom, 0, 0};
    if (status != FV_OK) fvi_image_free(&raw->image);
    return status;
}

#else

typedef int jpeg_nothing; /* built without JPEG: image.c says so */

#endif
