/* SPDX-License-Identifier: MIT */
/* EXIF through libexif, the only file that includes it: the orientation of a picture, nothing
   else. */
#ifdef FVI_WITH_IMAGE

#include "formats/formats.h"
#include "formats/image_raw.h"

#include <string.h>

#include <libexif/exif-data.h>

/* What libexif is shown: the first directory, moved to the front, and what follows it, cut here.
   That is more than 300 entries, and the orientation stands in its entry. Of a whole block it would
   unpack makers' notes as well, at 64 KiB up to 300 MB of them. */
#define EXIF_SHOWN 4096
#define EXIF_TIFF 8 /* its header: byte order, 42, where the first directory is */

static const unsigned char exif_header[6] = {'E', 'x', 'i', 'f', 0, 0};

/* One short in the first directory; the second is about the thumbnail. */
static int exif_find(const ExifData *data)
{
    const ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry == NULL || entry->format != EXIF_FORMAT_SHORT || entry->components != 1 ||
        entry->size < 2)
        return 1;
    int value = exif_get_short(entry->data, exif_data_get_byte_order((ExifData *)data));
    return value >= 1 && value <= 8 ? value : 1;
}

fv_status fvi_exif_orientation(int *orientation, const unsigned char *bytes, size_t size)
{
    unsigned char shown[EXIF_SHOWN];
    const size_t before = sizeof exif_header + EXIF_TIFF;
    *orientation = 1;
    if (size >= sizeof exif_header && memcmp(bytes, exif_header, sizeof exif_header) == 0) {
        bytes += sizeof exif_header;
        size -= sizeof exif_header;
    }
    if (size < EXIF_TIFF) return FV_OK;
    bool is_big = bytes[0] == 'M';
    ExifByteOrder order = is_big ? EXIF_BYTE_ORDER_MOTOROLA : EXIF_BYTE_ORDER_INTEL;
    size_t at = exif_get_long(bytes + 4, order);
    if (at < EXIF_TIFF || at >= size) return FV_OK;
    size_t rest = size - at < EXIF_SHOWN - before ? size - at : EXIF_SHOWN - before;
    memcpy(shown, exif_header, sizeof exif_header);
    memcpy(shown + sizeof exif_header, bytes, EXIF_TIFF);
    exif_set_long(shown + sizeof exif_header + 4, order, EXIF_TIFF);
    memcpy(shown + before, bytes + at, rest);

    ExifData *data = exif_data_new();
    if (data == NULL) return fvi_fail(FV_E_MEMORY, "out of memory: EXIF");
    /* The entries are taken as they are: mending them would only add others. */
    exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
    exif_data_set_option(data, EXIF_DATA_OPTION_IGNORE_UNKNOWN_TAGS);
    exif_data_load_data(data, shown, (unsigned)(before + rest));
    *orientation = exif_find(data);
    exif_data_unref(data);
    return FV_OK;
}

#else

typedef int exif_nothing; /* built without pictures: nobody asks */

#endif
