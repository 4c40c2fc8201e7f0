/* SPDX-License-Identifier: MIT */
/* Picture files made in memory: JPEG through libjpeg, PNG chunk by chunk, EXIF byte by byte, all as
   odd as a test likes. For builds with PNG, JPEG and zlib. */
#ifndef IMAGE_MADE_H
#define IMAGE_MADE_H

#include "formats_check.h"

#include <jpeglib.h>
#include <zlib.h>

/* A file in memory, in malloc's block so that a sanitizer sees a read past its end. */
typedef struct made_file {
    unsigned char *bytes;
    size_t size;
} made_file;

static inline void made_add(made_file *file, const void *bytes, size_t size)
{
    unsigned char *grown = realloc(file->bytes, file->size + size + 1);
    assert_non_null(grown);
    if (size > 0) memcpy(grown + file->size, bytes, size);
    file->bytes = grown;
    file->size += size;
}

static inline void made_free(made_file *file)
{
    free(file->bytes);
    *file = (made_file){0};
}

/* ---- EXIF ---- */

static inline void made_u16(made_file *file, bool is_big, unsigned value)
{
    unsigned char b[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
    if (is_big) memcpy(b, (unsigned char[]){b[1], b[0]}, 2);
    made_add(file, b, 2);
}

static inline void made_u32(made_file *file, bool is_big, uint32_t value)
{
    made_u16(file, is_big, is_big ? value >> 16 : value & 0xFFFF);
    made_u16(file, is_big, is_big ? value & 0xFFFF : value >> 16);
}

/* One entry of a directory, its value in place. */
static inline void made_entry(made_file *file, bool is_big, unsigned tag, unsigned type,
                              uint32_t count, uint32_t value)
{
    made_u16(file, is_big, tag);
    made_u16(file, is_big, type);
    made_u32(file, is_big, count);
    if (type == 3) {
        made_u16(file, is_big, value);
        made_u16(file, is_big, 0);
    } else {
        made_u32(file, is_big, value);
    }
}

/* A TIFF header and a directory with the orientation between two other entries. */
static inline made_file made_exif(bool is_big, unsigned orientation)
{
    made_file file = {0};
    made_add(&file, is_big ? "MM" : "II", 2);
    made_u16(&file, is_big, 42);
    made_u32(&file, is_big, 8);
    made_u16(&file, is_big, 3);
    made_entry(&file, is_big, 0x010F, 2, 4, 0); /* the maker: an empty text */
    made_entry(&file, is_big, 0x0112, 3, 1, orientation);
    made_entry(&file, is_big, 0x0128, 3, 1, 2); /* inches */
    made_u32(&file, is_big, 0);
    return file;
}

/* ---- PNG ---- */

static inline void made_chunk(made_file *file, const char *type, const void *data, size_t size)
{
    size_t at = file->size;
    made_u32(file, true, (uint32_t)size);
    made_add(file, type, 4);
    made_add(file, data, size);
    made_u32(file, true, (uint32_t)crc32(0, file->bytes + at + 4, (uInt)(size + 4)));
}

/* Signature and header. kind: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
static inline void made_png_begin(made_file *file, uint32_t width, uint32_t height,
                                  unsigned char depth, unsigned char kind, unsigned char interlaced)
{
    made_file head = {0};
    made_u32(&head, true, width);
    made_u32(&head, true, height);
    made_add(&head, (unsigned char[]){depth, kind, 0, 0, interlaced}, 5);
    made_add(file, "\x89PNG\r\n\x1A\n", 8);
    made_chunk(file, "IHDR", head.bytes, head.size);
    made_free(&head);
}

/* An IDAT chunk of these bytes: rows, each after its filter's number. */
static inline void made_png_data(made_file *file, const void *rows, size_t size)
{
    uLongf packed_size = compressBound((uLong)size);
    unsigned char *packed = malloc(packed_size);
    assert_non_null(packed);
    assert_int_equal(compress2(packed, &packed_size, rows, (uLong)size, 9), Z_OK);
    made_chunk(file, "IDAT", packed, packed_size);
    free(packed);
}

/* A whole file of 8 bits, channels 1 to 4; exif may be NULL. */
static inline made_file made_png(const uint8_t *pixels, int height, int width, int channels,
                                 const made_file *exif)
{
    static const unsigned char kind[] = {0, 0, 4, 2, 6};
    made_file file = {0}, rows = {0};
    size_t stride = (size_t)width * (size_t)channels;
    for (int h = 0; h < height; h++) {
        made_add(&rows, "", 1);
        made_add(&rows, pixels + (size_t)h * stride, stride);
    }
    made_png_begin(&file, (uint32_t)width, (uint32_t)height, 8, kind[channels], 0);
    if (exif) made_chunk(&file, "eXIf", exif->bytes, exif->size);
    made_png_data(&file, rows.bytes, rows.size);
    made_chunk(&file, "IEND", NULL, 0);
    made_free(&rows);
    return file;
}

/* ---- JPEG ---- */

typedef struct made_jpeg_config {
    int quality; /* 0: 95 */
    bool is_progressive, is_arithmetic;
    bool is_stored_rgb; /* three channels without the turn to YCbCr */
    int sampling;       /* of luma, 1 or 2; 0: libjpeg's, 2 */
    const made_file *exif;
} made_jpeg_config;

/* Channels 1, 3 or 4 (CMYK). */
static inline made_file made_jpeg(const uint8_t *pixels, int height, int width, int channels,
                                  const made_jpeg_config *config)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = channels;
    jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    if (config->is_stored_rgb) jpeg_set_colorspace(&jpeg, JCS_RGB);
    jpeg_set_quality(&jpeg, config->quality ? config->quality : 95, TRUE);
    jpeg.arith_code = config->is_arithmetic;
    if (config->sampling) {
        jpeg.comp_info[0].h_samp_factor = config->sampling;
        jpeg.comp_info[0].v_samp_factor = config->sampling;
    }
    if (config->is_progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    if (config->exif) {
        made_file segment = {0};
        made_add(&segment, "Exif\0", 6);
        made_add(&segment, config->exif->bytes, config->exif->size);
        jpeg_write_marker(&jpeg, JPEG_APP0 + 1, segment.bytes, (unsigned)segment.size);
        made_free(&segment);
    }
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row =
            (JSAMPROW)pixels + (size_t)jpeg.next_scanline * (size_t)width * (size_t)channels;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    made_file file = {0};
    made_add(&file, bytes, size);
    free(bytes);
    return file;
}

#endif
