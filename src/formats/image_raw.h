/* SPDX-License-Identifier: MIT */
/* The inside of image.c: what the PNG and the JPEG half hand to it. */
#ifndef FVI_IMAGE_RAW_H
#define FVI_IMAGE_RAW_H

#include "formats/formats.h"

/* What is asked of a reader. Channels are a wish, the rest of the way image.c goes; sides are those
   of the upright picture, of which the reader may decode a smaller one down to these. */
typedef struct fvi_image_ask {
    int channels, least_height, least_width;
} fvi_image_ask;

/* As decoded, before image.c turns and converts. */
typedef struct fvi_image_raw {
    fvi_image image;       /* channels 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
    fvi_image_scale scale; /* not yet turned */
    int orientation;       /* 1 to 8, as EXIF counts */
} fvi_image_raw;

fv_status fvi_png_read(fvi_image_raw *raw, const unsigned char *bytes, size_t size);
fv_status fvi_jpeg_read(fvi_image_raw *raw, const unsigned char *bytes, size_t size,
                        const fvi_image_ask *ask);
/* Is a picture of this size within the limits, and can so many bytes hold it, each at most so many
   pixels? Called before memory is taken. */
fv_status fvi_image_check_size(const char *format, uint64_t width, uint64_t height, uint64_t bytes,
                               uint64_t pixels_per_byte);
/* image_exif.c: EXIF's orientation, 1 to 8; 1 where there is none or it makes no sense. bytes: an
   APP1 segment of JPEG, "Exif" and two NULs before the TIFF header, or an eXIf chunk of PNG,
   without them. Errors: MEMORY. */
fv_status fvi_exif_orientation(int *orientation, const unsigned char *bytes, size_t size);
/* Whether orientations up to 8 exchange height and width. */
bool fvi_exif_is_sideways(int orientation);

#endif
