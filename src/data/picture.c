/* SPDX-License-Identifier: MIT */
/* One picture from a file. */
#include "data/data_internal.h"

#define PICTURE_LIMIT_BYTES                                                                        \
    ((size_t)1 << 30) /* of a file: four bytes for each pixel there may be */

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
