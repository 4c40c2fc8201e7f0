/* SPDX-License-Identifier: MIT */
/* What PNG and JPEG files say of themselves: size, transparency, whether they are whole. Only marks
   and headers are read, so it takes no time and works on files that cannot be decoded. */
#include "formats/formats.h"

#include <string.h>

#define FACTS_PNG_HEADER 33 /* signature, and the chunk IHDR with its CRC */

static int facts_int(const unsigned char *bytes, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value > INT32_MAX ? 0 : (int)value;
}

/* Chunks one after the other: length, name, data, CRC (PNG specification, 5.3). */
static void facts_png(fvi_image_facts *facts, const unsigned char *bytes, size_t size)
{
    if (size < FACTS_PNG_HEADER) return;
    facts->width = facts_int(bytes + 16, 4);
    facts->height = facts_int(bytes + 20, 4);
    facts->has_alpha = (bytes[25] & 4) != 0;
    for (size_t at = 8; size - at >= 12;) {
        size_t length = (size_t)facts_int(bytes + at, 4);
        if (length > size - at - 12) return;
        if (memcmp(bytes + at + 4, "tRNS", 4) == 0) facts->has_alpha = true;
        if (memcmp(bytes + at + 4, "IEND", 4) == 0) {
            facts->is_whole = true;
            return;
        }
        at += 12 + length;
    }
}

/* Whether a marker begins a frame and so has the size: SOF0 to SOF15 without DHT, JPG and DAC. */
static bool facts_is_frame(unsigned marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* Segments up to the first scan: FF, marker, length with itself, data (ITU-T T.81, B.1). After it,
   FF D9 can only be the end of the image: in the scans FF is followed by 00 or a marker. */
static void facts_jpeg(fvi_image_facts *facts, const unsigned char *bytes, size_t size)
{
    size_t at = 2;
    while (size - at >= 4 && bytes[at] == 0xFF) {
        unsigned marker = bytes[at + 1];
        if (marker == 0xFF) { /* a marker may be led by any number of them */
            at++;
            continue;
        }
        size_t length = (size_t)facts_int(bytes + at + 2, 2);
        if (length < 2 || length > size - at - 2) return;
        if (facts_is_frame(marker) && length >= 8) {
            facts->height = facts_int(bytes + at + 5, 2);
            facts->width = facts_int(bytes + at + 7, 2);
        }
        at += 2 + length;
        if (marker == 0xDA) break;
    }
    for (; at + 1 < size; at++) {
        if (bytes[at] == 0xFF && bytes[at + 1] == 0xD9) facts->is_whole = true;
    }
}

fvi_image_facts fvi_image_look(const unsigned char *bytes, size_t size)
{
    fvi_image_facts facts = {0};
    if (!fvi_image_is(bytes, size)) return facts;
    bool is_jpeg = bytes[0] == 0xFF;
    facts.format = is_jpeg ? "JPEG" : "PNG";
    if (is_jpeg)
        facts_jpeg(&facts, bytes, size);
    else
        facts_png(&facts, bytes, size);
    return facts;
}
