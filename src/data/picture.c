/* SPDX-License-Identifier: MIT */
/* One picture from a file, and what a network sees of it. */
#include "data/data_internal.h"

#include <string.h>

#define PICTURE_LIMIT_BYTES                                                                        \
    ((size_t)1 << 30) /* of a file: four bytes for each pixel there may be */
#define PICTURE_MAX_SIDE 65535
#define PICTURE_KEEP 2 /* so many pixels at least are decoded, along a side, for one that is kept */

fv_status fv_picture_read(fv_picture *picture, const char *path, int channels)
{
    if (!picture) return fvi_fail(FV_E_ARG, "fv_picture_read: picture is NULL");
    *picture = (fv_picture){0};
    if (!path) return fvi_fail(FV_E_ARG, "fv_picture_read: path is NULL");
    if (channels != 0 && channels != 1 && channels != 3)
        return fvi_fail(
            FV_E_ARG, "fv_picture_read: %d channels, expected 1, 3, or 0 for the file's", channels);
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes;
    size_t size;
    fvi_image image;
    FVI_TRY(fvi_file_read(&bytes, &size, path, PICTURE_LIMIT_BYTES));
    fv_status status = fvi_image_read(&image, bytes, size, channels);
    fvi_free(bytes);
    if (status != FV_OK) return fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
    *picture = (fv_picture){image.height, image.width, image.channels, image.pixels};
    return FV_OK;
}

void fv_picture_free(fv_picture *picture)
{
    if (!picture) return;
    fvi_free(picture->pixels);
    *picture = (fv_picture){0};
}

fv_status fvi_picture_decode(uint8_t *pixels, const unsigned char *bytes, size_t size, int height,
                             int width, int channels, fv_resize resize)
{
    fvi_image image;
    fvi_image_scale scale;
    FVI_TRY(fvi_image_read_small(&image, &scale, bytes, size, channels, PICTURE_KEEP * height,
                                 PICTURE_KEEP * width));
    const fv_picture whole = {image.height, image.width, image.channels, image.pixels};
    fv_status status = fvi_picture_fit(pixels, &whole, &scale, height, width, resize);
    fvi_image_free(&image);
    return status;
}

static fv_status picture_check_load(const fv_picture *out, const char *path, int height, int width,
                                    int channels, fv_resize resize)
{
    if (!out || !path)
        return fvi_fail(FV_E_ARG, "fv_picture_load: %s is NULL", out ? "path" : "out");
    if (channels != 1 && channels != 3)
        return fvi_fail(FV_E_ARG, "fv_picture_load: %d channels, expected 1 or 3", channels);
    if (height < 1 || width < 1 || height > PICTURE_MAX_SIDE || width > PICTURE_MAX_SIDE)
        return fvi_fail(FV_E_ARG, "fv_picture_load: to %dx%d, expected sides of 1 to %d", height,
                        width, PICTURE_MAX_SIDE);
    if (!fv_resize_name(resize))
        return fvi_fail(FV_E_ARG, "fv_picture_load: no way %d to resize", (int)resize);
    return FV_OK;
}

fv_status fv_picture_load(fv_picture *out, const char *path, int height, int width, int channels,
                          fv_resize resize)
{
    if (out) *out = (fv_picture){0};
    FVI_TRY(picture_check_load(out, path, height, width, channels, resize));
    char safe[FVI_SAFE_TEXT];
    unsigned char *bytes;
    size_t size;
    FVI_TRY(fvi_file_read(&bytes, &size, path, PICTURE_LIMIT_BYTES));
    size_t pixels = (size_t)height * (size_t)width;
    out->pixels = fvi_alloc(pixels, (size_t)channels, "a picture");
    fv_status status =
        out->pixels ? fvi_picture_decode(out->pixels, bytes, size, height, width, channels, resize)
                    : FV_E_MEMORY;
    fvi_free(bytes);
    if (status != FV_OK) {
        fv_picture_free(out);
        return fvi_fail_in(status, "\"%s\"", fvi_path_text(safe, path));
    }
    out->height = height;
    out->width = width;
    out->channels = channels;
    return FV_OK;
}

fv_status fv_picture_write_png(const fv_picture *picture, const char *path)
{
    if (!picture || !picture->pixels || !path)
        return fvi_fail(FV_E_ARG, "fv_picture_write_png: %s",
                        !picture ? "picture is NULL"
                        : !path  ? "path is NULL"
                                 : "picture has no pixels");
    fvi_save *save;
    const fvi_image image = {picture->height, picture->width, picture->channels, picture->pixels};
    FVI_TRY(fvi_save_begin(&save, path));
    fv_status status = fvi_image_write_png(save, &image);
    if (status == FV_OK) return fvi_save_commit(save);
    fvi_save_abort(save);
    return status;
}
