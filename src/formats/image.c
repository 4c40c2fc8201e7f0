/* SPDX-License-Identifier: MIT */
/* Pictures of 8 bits: which format it is, the limits, alpha over white, grey to RGB and back. */
#include "formats/formats.h"
#include "formats/image_raw.h"

#include <inttypes.h>
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

static fv_status image_convert(fvi_image *image, const fvi_image *raw, int channels)
{
    size_t pixels = (size_t)raw->height * (size_t)raw->width;
    unsigned char *out = fvi_alloc(pixels, (size_t)channels, "a picture");
    if (out == NULL) return FV_E_MEMORY;
    for (size_t i = 0; i < pixels; i++)
        image_convert_pixel(out + i * (size_t)channels, channels,
                            raw->pixels + i * (size_t)raw->channels, raw->channels);
    *image = (fvi_image){raw->height, raw->width, channels, out};
    return FV_OK;
}

fv_status fvi_image_read(fvi_image *image, const unsigned char *bytes, size_t size, int channels)
{
    *image = (fvi_image){0};
    if (channels != 0 && channels != 1 && channels != 3)
        return fvi_fail(FV_E_ARG, "%d channels asked of a picture; expected 0, 1 or 3", channels);
    fvi_image raw = {0};
    if (image_is_png(bytes, size))
        FVI_TRY(fvi_png_read(&raw, bytes, size));
    else if (image_is_jpeg(bytes, size))
        FVI_TRY(fvi_jpeg_read(&raw, bytes, size));
    else if (size >= 4)
        return fvi_fail(FV_E_FORMAT,
                        "no PNG or JPEG: begins with %02X %02X %02X %02X; expected 89 50 4E 47 or "
                        "FF D8 FF",
                        bytes[0], bytes[1], bytes[2], bytes[3]);
    else
        return fvi_fail(FV_E_FORMAT, "no PNG or JPEG: %zu bytes", size);
    if (channels == 0) channels = raw.channels >= 3 ? 3 : 1;
    if (channels == raw.channels) {
        *image = raw;
        return FV_OK;
    }
    fv_status status = image_convert(image, &raw, channels);
    fvi_image_free(&raw);
    return status;
}

#ifndef FVI_WITH_IMAGE

fv_status fvi_png_read(fvi_image *raw, const unsigned char *bytes, size_t size)
{
    (void)raw, (void)bytes, (void)size;
    return fvi_fail(FV_E_UNSUPPORTED, "built without PNG and JPEG");
}

fv_status fvi_jpeg_read(fvi_image *raw, const unsigned char *bytes, size_t size)
{
    return fvi_png_read(raw, bytes, size);
}

fv_status fvi_image_write_png(fvi_save *save, const fvi_image *image)
{
    (void)save, (void)image;
    return fvi_fail(FV_E_UNSUPPORTED, "built without PNG and JPEG");
}

#endif
