/* SPDX-License-Identifier: MIT */
/* The inside of image.c: what the PNG and the JPEG half hand to it. */
#ifndef FVI_IMAGE_RAW_H
#define FVI_IMAGE_RAW_H

#include "formats/formats.h"

/* As decoded, before image.c converts: channels 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
   alpha. */
fv_status fvi_png_read(fvi_image *raw, const unsigned char *bytes, size_t size);
fv_status fvi_jpeg_read(fvi_image *raw, const unsigned char *bytes, size_t size);
/* Is a picture of this size within the limits, and can so many bytes hold it, each at most so many
   pixels? Called before memory is taken. */
fv_status fvi_image_check_size(const char *format, uint64_t width, uint64_t height, uint64_t bytes,
                               uint64_t pixels_per_byte);

#endif
