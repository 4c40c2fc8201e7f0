/* SPDX-License-Identifier: MIT */
/* PNG through libpng, the only file that includes it. The chunks are walked first, so that sizes
   and bombs are judged before libpng takes memory; text and colour profiles are never unpacked. */
#ifdef FVI_WITH_IMAGE

#include "formats/arrays.h"
#include "formats/formats.h"
#include "formats/image_raw.h"

#include <inttypes.h>
#include <setjmp.h>
#include <string.h>

#include <png.h>

#define PNG_MAX_ANCILLARY ((size_t)8000000)
#define PNG_MAX_RATIO 1032 /* what deflate can reach */

/* ---- the walk ---- */

typedef struct png_walk {
    uint32_t width, height;
    unsigned bits;             /* of one pixel */
    size_t data;               /* bytes in IDAT chunks */
    const unsigned char *exif; /* the first eXIf chunk, or NULL */
    size_t exif_size;
} png_walk;

static uint32_t png_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Text and colour profiles are a keyword, some bytes, then deflated: refuse what unpacks to too
   much. */
static fv_status png_check_bomb(const unsigned char *type, const unsigned char *data, size_t size)
{
    bool is_international = memcmp(type, "iTXt", 4) == 0;
    if (memcmp(type, "zTXt", 4) != 0 && memcmp(type, "iCCP", 4) != 0 && !is_international)
        return FV_OK;
    size_t at = 0, inflated = 0;
    while (at < size && data[at] != 0)
        at++;
    if (is_international) {
        if (size - at < 3 || data[at + 1] == 0) return FV_OK; /* not deflated */
        at += 3;
        for (int zeros = 0; at < size && zeros < 2; at++)
            if (data[at] == 0) zeros++; /* language, translated keyword */
    } else {
        at += 2; /* the NUL, the method */
    }
    if (at >= size) return FV_OK;
    fv_status status = fvi_zlib_size(&inflated, data + at, size - at, PNG_MAX_ANCILLARY);
    if (status == FV_E_MEMORY) return status;
    if (inflated > PNG_MAX_ANCILLARY)
        return fvi_fail(FV_E_MEMORY, "PNG: a %.4s chunk unpacks to more than %zu bytes",
                        (const char *)type, PNG_MAX_ANCILLARY);
    return FV_OK; /* damaged text is no reason to refuse a picture */
}

static fv_status png_check_header(png_walk *walk, const unsigned char *data, size_t size)
{
    static const unsigned char samples[7] = {1, 0, 3, 1, 2, 0, 4};
    if (size != 13) return fvi_fail(FV_E_FORMAT, "PNG: an IHDR of %zu bytes, expected 13", size);
    walk->width = png_u32(data);
    walk->height = png_u32(data + 4);
    walk->bits = data[8] * (data[9] < sizeof samples ? samples[data[9]] : 0u);
    if (walk->bits == 0 || walk->bits > 64)
        return fvi_fail(FV_E_FORMAT, "PNG: bit depth %d with colour type %d", data[8], data[9]);
    return FV_OK;
}

static fv_status png_check_chunk(png_walk *walk, const unsigned char *type,
                                 const unsigned char *data, size_t size)
{
    bool is_ancillary = (type[0] & 0x20u) != 0;
    if (memcmp(type, "IDAT", 4) == 0) walk->data += size;
    if (memcmp(type, "eXIf", 4) == 0 && walk->exif == NULL) {
        walk->exif = data;
        walk->exif_size = size;
    }
    if (is_ancillary && size > PNG_MAX_ANCILLARY)
        return fvi_fail(FV_E_MEMORY, "PNG: a %.4s chunk of %zu bytes, at most %zu",
                        (const char *)type, size, PNG_MAX_ANCILLARY);
    return is_ancillary ? png_check_bomb(type, data, size) : FV_OK;
}

/* Chunk after chunk, length, type, data, CRC, up to IEND. */
static fv_status png_check(png_walk *walk, const unsigned char *bytes, size_t size)
{
    for (size_t at = 8;;) {
        if (size - at < 12) return fvi_fail(FV_E_FORMAT, "PNG: cut at byte %zu, no IEND yet", size);
        uint32_t length = png_u32(bytes + at);
        const unsigned char *type = bytes + at + 4;
        for (int i = 0; i < 4; i++)
            if (type[i] < 'A' || type[i] > 'z' || (type[i] > 'Z' && type[i] < 'a'))
                return fvi_fail(FV_E_FORMAT, "PNG: no chunk at byte %zu", at);
        if (length > INT32_MAX || length > size - at - 12)
            return fvi_fail(FV_E_FORMAT,
                            "PNG: the %.4s chunk at byte %zu claims %" PRIu32
                            " bytes, %zu are left",
                            (const char *)type, at, length, size - at - 12);
        if (at == 8 && memcmp(type, "IHDR", 4) != 0)
            return fvi_fail(FV_E_FORMAT, "PNG: begins with a %.4s chunk, expected IHDR",
                            (const char *)type);
        if (at == 8) FVI_TRY(png_check_header(walk, type + 4, length));
        FVI_TRY(png_check_chunk(walk, type, type + 4, length));
        if (memcmp(type, "IEND", 4) == 0) break;
        at += 12 + (size_t)length;
    }
    uint64_t pixels_per_byte = (uint64_t)PNG_MAX_RATIO * 8 / walk->bits;
    return fvi_image_check_size("PNG", walk->width, walk->height, walk->data, pixels_per_byte);
}

/* ---- decoding ---- */

/* All that must survive a longjmp lives here, none of it in locals. */
typedef struct png_run {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    bool memory_short;
    char message[FVI_SAFE_TEXT];
    fv_status save_status;
    fvi_save *save;
    const unsigned char *bytes;
    size_t size, at;
    png_bytep *row;
    fvi_image *raw;
} png_run;

static void png_fails(png_structp png, png_const_charp message)
{
    png_run *run = png_get_error_ptr(png);
    fvi_safe(run->message, message);
    longjmp(run->jump, 1);
}

static void png_warns(png_structp png, png_const_charp message)
{
    (void)png, (void)message; /* what matters is made an error by png_set_crc_action */
}

static png_voidp png_takes(png_structp png, png_alloc_size_t size)
{
    png_run *run = png_get_mem_ptr(png);
    void *memory = fvi_alloc(size, 1, "PNG");
    if (memory == NULL) run->memory_short = true;
    return memory;
}

static void png_gives(png_structp png, png_voidp memory)
{
    (void)png;
    fvi_free(memory);
}

static void png_reads(png_structp png, png_bytep out, size_t size)
{
    png_run *run = png_get_io_ptr(png);
    if (size > run->size - run->at) png_error(png, "cut");
    memcpy(out, run->bytes + run->at, size);
    run->at += size;
}

static fv_status png_refuse(const png_run *run)
{
    if (run->memory_short) return FV_E_MEMORY; /* fvi_alloc has set the message */
    return fvi_fail(FV_E_FORMAT, "PNG near byte %zu: %s", run->at, run->message);
}

/* Up to the first row: what is left is 8 bits in 1 to 4 channels, a palette as its indices. */
static bool png_begin(png_run *run)
{
    if (setjmp(run->jump)) return false;
    png_set_crc_action(run->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(run->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* but PLTE and tRNS */
    png_set_chunk_malloc_max(run->png, PNG_MAX_ANCILLARY);
    png_set_read_fn(run->png, run, png_reads);
    png_read_info(run->png, run->info);
    if (png_get_color_type(run->png, run->info) == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(run->png);
    } else {
        png_set_scale_16(run->png);
        png_set_expand(run->png); /* grey to 8 bits, tRNS to alpha */
    }
    png_set_interlace_handling(run->png);
    png_read_update_info(run->png, run->info);
    return true;
}

static bool png_rows(png_run *run)
{
    if (setjmp(run->jump)) return false;
    png_read_image(run->png, run->row);
    png_read_end(run->png, NULL);
    return true;
}

static fv_status png_decode(png_run *run)
{
    if (!png_begin(run)) return png_refuse(run);
    fvi_image *raw = run->raw;
    size_t stride = png_get_rowbytes(run->png, run->info);
    raw->height = (int)png_get_image_height(run->png, run->info);
    raw->width = (int)png_get_image_width(run->png, run->info);
    raw->channels = png_get_channels(run->png, run->info);
    if (png_get_bit_depth(run->png, run->info) != 8 ||
        stride != (size_t)raw->width * (size_t)raw->channels)
        return fvi_fail(FV_E_UNSUPPORTED, "PNG: rows of %zu bytes for %d pixels", stride,
                        raw->width);
    raw->pixels = fvi_alloc((size_t)raw->height, stride, "a picture");
    run->row = fvi_alloc((size_t)raw->height, sizeof *run->row, "a picture's rows");
    if (raw->pixels == NULL || run->row == NULL) return FV_E_MEMORY;
    for (size_t h = 0; h < (size_t)raw->height; h++)
        run->row[h] = raw->pixels + h * stride;
    return png_rows(run) ? FV_OK : png_refuse(run);
}

/* Indices to RGB, or to RGB and alpha where the palette has some. */
static fv_status png_expand_palette(png_run *run)
{
    png_colorp colour = NULL;
    png_bytep alpha = NULL;
    int colours = 0, alphas = 0;
    fvi_image *raw = run->raw;
    png_get_PLTE(run->png, run->info, &colour, &colours);
    png_get_tRNS(run->png, run->info, &alpha, &alphas, NULL);
    size_t pixels = (size_t)raw->height * (size_t)raw->width;
    size_t channels = alphas > 0 ? 4 : 3;
    unsigned char *out = fvi_alloc(pixels, channels, "a picture");
    if (out == NULL) return FV_E_MEMORY;
    for (size_t i = 0; i < pixels; i++) {
        int index = raw->pixels[i];
        if (index >= colours) {
            fvi_free(out);
            return fvi_fail(FV_E_FORMAT, "PNG: pixel %zu has colour %d of a palette of %d", i,
                            index, colours);
        }
        out[i * channels] = colour[index].red;
        out[i * channels + 1] = colour[index].green;
        out[i * channels + 2] = colour[index].blue;
        if (alphas > 0) out[i * channels + 3] = index < alphas ? alpha[index] : 255;
    }
    fvi_free(raw->pixels);
    raw->pixels = out;
    raw->channels = (int)channels;
    return FV_OK;
}

fv_status fvi_png_read(fvi_image_raw *raw, const unsigned char *bytes, size_t size)
{
    png_walk walk = {0};
    FVI_TRY(png_check(&walk, bytes, size));
    png_run run = {
        .bytes = bytes, .size = size, .raw = &raw->image, .message = "it does not start"};
    run.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &run, png_fails, png_warns, &run,
                                       png_takes, png_gives);
    run.info = run.png != NULL ? png_create_info_struct(run.png) : NULL;
    fv_status status = run.info != NULL ? png_decode(&run) : png_refuse(&run);
    if (status == FV_OK && png_get_color_type(run.png, run.info) == PNG_COLOR_TYPE_PALETTE)
        status = png_expand_palette(&run);
    png_destroy_read_struct(&run.png, &run.info, NULL);
    fvi_free(run.row);
    raw->scale = (fvi_image_scale){raw->image.height, raw->image.width, 1, 0, 0};
    if (status == FV_OK && walk.exif != NULL)
        status = fvi_exif_orientation(&raw->orientation, walk.exif, walk.exif_size);
    if (status != FV_OK) fvi_image_free(&raw->image);
    return status;
}

/* ---- encoding ---- */

static void png_writes(png_structp png, png_bytep bytes, size_t size)
{
    png_run *run = png_get_io_ptr(png);
    run->save_status = fvi_save_write(run->save, bytes, size);
    if (run->save_status != FV_OK) longjmp(run->jump, 1);
}

static void png_flushes(png_structp png)
{
    (void)png; /* fvi_save_commit does */
}

static bool png_encode(png_run *run, const fvi_image *image)
{
    if (setjmp(run->jump)) return false;
    png_set_write_fn(run->png, run, png_writes, png_flushes);
    png_set_IHDR(run->png, run->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 image->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(run->png, run->info);
    png_write_image(run->png, run->row);
    png_write_end(run->png, NULL);
    return true;
}

fv_status fvi_image_write_png(fvi_save *save, const fvi_image *image)
{
    if (image->pixels == NULL || (image->channels != 1 && image->channels != 3))
        return fvi_fail(FV_E_ARG, "PNG: a picture of %d channels, expected 1 or 3",
                        image->pixels == NULL ? 0 : image->channels);
    if (image->width < 1 || image->height < 1)
        return fvi_fail(FV_E_ARG, "PNG: a picture of %dx%d pixels", image->width, image->height);
    FVI_TRY(fvi_image_check_size("PNG", (uint64_t)image->width, (uint64_t)image->height, UINT64_MAX,
                                 1));
    png_run run = {.save = save, .message = "it does not start"};
    size_t stride = (size_t)image->width * (size_t)image->channels;
    run.row = fvi_alloc((size_t)image->height, sizeof *run.row, "a picture's rows");
    if (run.row == NULL) return FV_E_MEMORY;
    for (size_t h = 0; h < (size_t)image->height; h++)
        run.row[h] = image->pixels + h * stride;
    run.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &run, png_fails, png_warns, &run,
                                        png_takes, png_gives);
    run.info = run.png != NULL ? png_create_info_struct(run.png) : NULL;
    fv_status status = FV_OK;
    if (run.info == NULL || !png_encode(&run, image))
        status = run.save_status != FV_OK ? run.save_status : png_refuse(&run);
    png_destroy_write_struct(&run.png, &run.info);
    fvi_free(run.row);
    return status;
}

#else

typedef int png_nothing; /* built without PNG: image.c says so */

#endif
