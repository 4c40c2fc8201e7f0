/* SPDX-License-Identifier: MIT */
/* Pictures of 8 bits: which format it is, the limits, alpha over white, grey to RGB and back, EXIF's
   turns. */
#include "formats/formats.h"
#include "formats/image_raw.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define IMAGE_MAX_SIDE 65535
#define IMAGE_MAX_PIXELS ((uint64_t)1 << 28)

static const unsigned char image_png_signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
static const unsigned char image_jpeg_signature[3] = {0xFF, 0xD8, 0xFF};

static bool image_is_png(const unsigned char *bytes, size_t size)
{
    return size >= sizeof image_png_signature &&
           memcmp(bytes, image_png_signature, sizeof image_png_signature) == 0;
}

static bool image_is_jpeg(const unsigned char *bytes, size_t size)
{
    return size >= sizeof image_jpeg_signature &&
           memcmp(bytes, image_jpeg_signature, sizeof image_jpeg_signature) == 0;
}

bool fvi_image_is(const unsigned char *bytes, size_t size)
{
    return image_is_png(bytes, size) || image_is_jpeg(bytes, size);
}

void fvi_image_free(fvi_image *image)
{
    if (image == NULL) return;
    fvi_free(image->pixels);
    *image = (fvi_image){0};
}

fv_status fvi_image_check_size(const char *format, uint64_t width, uint64_t height, uint64_t bytes,
                               uint64_t pixels_per_byte)
{
    if (width == 0 || height == 0)
        return fvi_fail(FV_E_FORMAT, "%s: a picture of %" PRIu64 "x%" PRIu64 " pixels", format,
                        width, height);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || width * height > IMAGE_MAX_PIXELS)
        return fvi_fail(FV_E_MEMORY,
                        "%s: %" PRIu64 "x%" PRIu64 " pixels; at most %d on a side and %" PRIu64
                        " in all",
                        format, width, height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    if (width * height / pixels_per_byte > bytes)
        return fvi_fail(FV_E_FORMAT,
                        "%s: %" PRIu64 "x%" PRIu64 " pixels claimed, %" PRIu64
                        " bytes of data cannot hold them",
                        format, width, height, bytes);
    return FV_OK;
}

/* The rounded quotient for any product of two bytes. */
static unsigned image_div255(unsigned product)
{
    return (product + 127) / 255;
}

/* One pixel of 1 to 4 channels to 1 or 3: over white, then luma of ITU-R BT.601 or three equal
   values. */
static void image_convert_pixel(unsigned char *out, int to, const unsigned char *in, int from)
{
    unsigned value[3];
    int colours = from >= 3 ? 3 : 1;
    unsigned alpha = from == 2 || from == 4 ? in[from - 1] : 255;
    for (int c = 0; c < 3; c++)
        value[c] = image_div255(in[c < colours ? c : 0] * alpha + 255 * (255 - alpha));
    if (to == 3)
        for (int c = 0; c < 3; c++)
            out[c] = (unsigned char)value[c];
    else if (colours == 1)
        out[0] = (unsigned char)value[0];
    else
        out[0] =
            (unsigned char)((value[0] * 19595 + value[1] * 38470 + value[2] * 7471 + 0x8000) >> 16);
}

/* To so many channels. */
static fv_status image_convert(fvi_image *image, int channels)
{
    size_t pixels = (size_t)image->height * (size_t)image->width;
    unsigned char *out = fvi_alloc(pixels, (size_t)channels, "a picture");
    if (out == NULL) return FV_E_MEMORY;
    for (size_t i = 0; i < pixels; i++)
        image_convert_pixel(out + i * (size_t)channels, channels,
                            image->pixels + i * (size_t)image->channels, image->channels);
    fvi_free(image->pixels);
    image->pixels = out;
    image->channels = channels;
    return FV_OK;
}

/* How a stored picture is read to stand upright: rows from the last, columns from the last, then
   rows as columns. By EXIF's orientation less 1 (CIPA DC-008, tag 0x0112: which side of the scene
   row 0 and column 0 are). */
static const struct image_turn {
    bool is_up, is_left, is_sideways;
} image_turns[] = {
    {false, false, false}, /* top, left */
    {false, true, false},  /* top, right */
    {true, true, false},   /* bottom, right */
    {true, false, false},  /* bottom, left */
    {false, false, true},  /* left, top */
    {true, false, true},   /* right, top */
    {true, true, true},    /* right, bottom */
    {false, true, true},   /* left, bottom */
};

bool fvi_exif_is_sideways(int orientation)
{
    return image_turns[orientation - 1].is_sideways;
}

static void image_swap(int *a, int *b)
{
    int kept = *a;
    *a = *b;
    *b = kept;
}

static fv_status image_upright(fvi_image *image, fvi_image_scale *scale, int orientation)
{
    const struct image_turn turn = image_turns[orientation - 1];
    ptrdiff_t H = image->height, W = image->width, C = image->channels;
    unsigned char *out = fvi_alloc((size_t)(H * W), (size_t)C, "a picture");
    if (out == NULL) return FV_E_MEMORY;
    const unsigned char *first =
        image->pixels + ((turn.is_up ? (H - 1) * W : 0) + (turn.is_left ? W - 1 : 0)) * C;
    ptrdiff_t row = turn.is_up ? -W * C : W * C, column = turn.is_left ? -C : C;
    ptrdiff_t down = turn.is_sideways ? column : row, across = turn.is_sideways ? row : column;
    /* what the last row and column had too much is now before the first */
    scale->top = turn.is_up ? image->height * scale->shrink - scale->height : 0;
    scale->left = turn.is_left ? image->width * scale->shrink - scale->width : 0;
    if (turn.is_sideways) {
        image_swap(&image->height, &image->width);
        image_swap(&scale->height, &scale->width);
        image_swap(&scale->top, &scale->left);
    }
    unsigned char *to = out;
    for (ptrdiff_t h = 0; h < image->height; h++)
        for (ptrdiff_t w = 0; w < image->width; w++, to += C)
            memcpy(to, first + h * down + w * across, (size_t)C);
    fvi_free(image->pixels);
    image->pixels = out;
    return FV_OK;
}

fv_status fvi_image_read_small(fvi_image *image, fvi_image_scale *scale, const unsigned char *bytes,
                               size_t size, int channels, int least_height, int least_width)
{
    *image = (fvi_image){0};
    *scale = (fvi_image_scale){0};
    if (channels != 0 && channels != 1 && channels != 3)
        return fvi_fail(FV_E_ARG, "%d channels asked of a picture; expected 0, 1 or 3", channels);
    fvi_image_raw raw = {.orientation = 1};
    const fvi_image_ask ask = {channels, least_height, least_width};
    if (image_is_png(bytes, size))
        FVI_TRY(fvi_png_read(&raw, bytes, size));
    else if (image_is_jpeg(bytes, size))
        FVI_TRY(fvi_jpeg_read(&raw, bytes, size, &ask));
    else if (size >= 4)
        return fvi_fail(FV_E_FORMAT,
                        "no PNG or JPEG: begins with %02X %02X %02X %02X; expected 89 50 4E 47 or "
                        "FF D8 FF",
                        bytes[0], bytes[1], bytes[2], bytes[3]);
    else
        return fvi_fail(FV_E_FORMAT, "no PNG or JPEG: %zu bytes", size);
    if (channels == 0) channels = raw.image.channels >= 3 ? 3 : 1;
    fv_status status = FV_OK;
    if (channels != raw.image.channels) status = image_convert(&raw.image, channels);
    if (status == FV_OK && raw.orientation != 1)
        status = image_upright(&raw.image, &raw.scale, raw.orientation);
    if (status != FV_OK) {
        fvi_image_free(&raw.image);
        return status;
    }
    *image = raw.image;
    *scale = raw.scale;
    return FV_OK;
}

fv_status fvi_image_read(fvi_image *image, const unsigned char *bytes, size_t size, int channels)
{
    fvi_image_scale scale;
    return fvi_image_read_small(image, &scale, bytes, size, channels, INT_MAX, INT_MAX);
}

#ifndef FVI_WITH_IMAGE

fv_status fvi_png_read(fvi_image_raw *raw, const unsigned char *bytes, size_t size)
{
    (void)raw, (void)bytes, (void)size;
    return fvi_fail(FV_E_UNSUPPORTED, "built without PNG and JPEG");
}

fv_status fvi_jpeg_read(fvi_image_raw *raw, const unsigned char *bytes, size_t size,
                        const fvi_image_ask *ask)
{
    (void)ask;
    return fvi_png_read(raw, bytes, size);
}

fv_status fvi_image_write_png(fvi_save *save, const fvi_image *image)
{
    (void)save, (void)image;
    return fvi_fail(FV_E_UNSUPPORTED, "built without PNG and JPEG");
}

#endif
