/* SPDX-License-Identifier: MIT */
/* Odd pictures for test_formats_image_hostile.c, made byte by byte: rare kinds that are right, and
   what is cut, claims too much or contradicts itself. Each function makes several, by number. */
#ifndef IMAGE_ODD_H
#define IMAGE_ODD_H

#include "image_made.h"

enum { H = 9, W = 13, JPEG_SIDE = 48 }; /* sizes of the right ones */

/* ---- PNG of every depth and kind ---- */

/* Samples whose 8 bits are exact at every depth: 0 and 255, and what lies evenly between. */
static inline unsigned png_sample(int h, int w, int c, int depth)
{
    unsigned most = depth >= 8 ? 255 : (1u << depth) - 1;
    unsigned value = (unsigned)(h * 31 + w * 7 + c * 101) % (most + 1);
    return value * (255 / most);
}

static inline int png_channels(int kind)
{
    return kind == 2 ? 3 : kind == 4 ? 2 : kind == 6 ? 4 : 1;
}

/* Every step-th pixel from top and left on as packed rows, most significant bit first. */
static inline void png_add_pass(made_file *rows, int depth, int kind, const int pass[4])
{
    int C = png_channels(kind);
    if (pass[1] >= W || pass[0] >= H) return;
    for (int h = pass[0]; h < H; h += pass[2]) {
        unsigned char row[W * 8 + 1] = {0}; /* the filter's number first */
        int bit = 8;
        for (int w = pass[1]; w < W; w += pass[3])
            for (int c = 0; c < C; c++, bit += depth) {
                unsigned value = png_sample(h, w, c, depth);
                if (depth == 16)
                    row[bit / 8] = row[bit / 8 + 1] = (unsigned char)value;
                else
                    row[bit / 8] |=
                        (unsigned char)((value >> (8 - depth) << (8 - depth)) >> bit % 8);
            }
        made_add(rows, row, (size_t)(bit + 7) / 8);
    }
}

/* Rows of a whole picture, in one pass or in Adam7's. */
static inline made_file png_rows(int depth, int kind, bool is_interlaced)
{
    static const int plain[4] = {0, 0, 1, 1};
    static const int adam7[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                                    {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
    made_file rows = {0};
    for (int i = 0; i < 7 && is_interlaced; i++)
        png_add_pass(&rows, depth, kind, adam7[i]);
    if (!is_interlaced) png_add_pass(&rows, depth, kind, plain);
    return rows;
}

static inline void png_add_palette(made_file *file, int colours)
{
    unsigned char palette[256 * 3];
    for (int i = 0; i < colours * 3; i++)
        palette[i] = (unsigned char)(i * 37);
    made_chunk(file, "PLTE", palette, (size_t)colours * 3);
}

/* variant: the depth, 32 for each kind, 512 for interlaced. */
static inline made_file png_kind(int variant)
{
    int depth = variant % 32, kind = variant / 32 % 16;
    made_file file = {0}, rows = png_rows(depth, kind, variant >= 512);
    made_png_begin(&file, W, H, (unsigned char)depth, (unsigned char)kind, variant >= 512);
    if (kind == 3) png_add_palette(&file, 1 << depth);
    made_png_data(&file, rows.bytes, rows.size);
    made_chunk(&file, "IEND", NULL, 0);
    made_free(&rows);
    return file;
}

/* ---- PNG that is wrong ---- */

static inline made_file png_of_size(uint32_t width, uint32_t height, unsigned char depth,
                                    size_t data)
{
    made_file file = {0};
    unsigned char *zeros = calloc(data, 1);
    assert_non_null(zeros);
    made_png_begin(&file, width, height, depth, 0, 0);
    made_chunk(&file, "IDAT", zeros, data);
    made_chunk(&file, "IEND", NULL, 0);
    free(zeros);
    return file;
}

static inline made_file png_sizes(int variant)
{
    static const uint32_t
        size[]
            [3] =
                {
                    {0, 0, 8},
                    {0, 5, 8},
                    {5, 0, 8},
                    {INT32_MAX, INT32_MAX, 8},
                    {1, INT32_MAX, 8},
                    {INT32_MAX, 1, 8},
                    {UINT32_MAX, 1, 8},
                    {65536, 1, 8},
                    {65535, 65535, 1},
                    {16384, 16384, 8}, /* as many pixels as may be, of which the file has none */
                };
    return png_of_size(size[variant][0], size[variant][1], (unsigned char)size[variant][2], 400);
}

static inline made_file png_wide_bits(int variant)
{
    (void)variant;
    return png_of_size(60000, 60000, 1, 800000);
}

/* A good picture with one more chunk before its data. */
static inline made_file png_with(const char *type, const void *data, size_t size)
{
    made_file file = {0}, rows = png_rows(8, 0, false);
    made_png_begin(&file, W, H, 8, 0, 0);
    made_chunk(&file, type, data, size);
    made_png_data(&file, rows.bytes, rows.size);
    made_chunk(&file, "IEND", NULL, 0);
    made_free(&rows);
    return file;
}

/* What inflates to more than any text or profile may. */
static inline made_file png_bomb(int variant)
{
    static const char *const head[] = {"Comment\0", "name\0", "Comment\0\1\0en\0\0"};
    static const size_t head_size[] = {9, 6, 14};
    static const char *const type[] = {"zTXt", "iCCP", "iTXt"};
    const size_t size = 9000000;
    uLongf packed_size = compressBound(size);
    unsigned char *zeros = calloc(size, 1), *packed = malloc(packed_size);
    assert_true(zeros && packed);
    assert_int_equal(compress2(packed, &packed_size, zeros, size, 1), Z_OK);
    made_file chunk = {0};
    made_add(&chunk, head[variant], head_size[variant]);
    made_add(&chunk, packed, packed_size);
    made_file file = png_with(type[variant], chunk.bytes, chunk.size);
    made_free(&chunk);
    free(zeros);
    free(packed);
    return file;
}

static inline made_file png_long_text(int variant)
{
    (void)variant;
    char *text = malloc(8000001);
    assert_non_null(text);
    memset(text, 'x', 8000001);
    text[4] = '\0';
    made_file file = png_with("tEXt", text, 8000001);
    free(text);
    return file;
}

static inline size_t find(const made_file *file, const char *what)
{
    for (size_t i = 0; i + 4 <= file->size; i++)
        if (memcmp(file->bytes + i, what, 4) == 0) return i;
    fail_msg("no %s", what);
    return 0;
}

static inline made_file png_damaged(int variant)
{
    made_file file = variant == 3 ? png_with("tIME", "\x07\xE8\1\1\0\0\0", 7) : png_kind(8);
    size_t data = find(&file, "IDAT");
    switch (variant) {
    case 0: /* cut in the data */
        file.size = data + 20;
        break;
    case 1: /* a checksum of the data */
        file.bytes[find(&file, "IEND") - 5] ^= 1;
        break;
    case 2: /* and of the header */
        file.bytes[8 + 8 + 13 + 3] ^= 1;
        break;
    case 3: /* and of a chunk that nobody needs */
        file.bytes[find(&file, "tIME") + 4 + 7] ^= 1;
        break;
    case 4: /* no end */
        file.size -= 12;
        break;
    case 5: /* a length of 2^31 */
        file.bytes[data - 4] = 0x80;
        break;
    case 6: /* a length up to the file's end and a little more */
        file.bytes[data - 1] += 40;
        break;
    case 7: /* nothing but the signature */
        file.size = 8;
        break;
    case 8: /* the end first */
        memmove(file.bytes + 8, file.bytes + file.size - 12, 12);
        break;
    default: /* data that is no zlib stream, its checksum right */
        memset(file.bytes + data + 4, 0xFF, 8);
        size_t size = find(&file, "IEND") - 8 - (data + 4);
        uLong sum = crc32(0, file.bytes + data, (uInt)size + 4);
        for (int i = 0; i < 4; i++)
            file.bytes[data + 4 + size + (size_t)i] = (unsigned char)(sum >> (24 - 8 * i));
        break;
    }
    return file;
}

/* Data of another size than the header's. */
static inline made_file png_rows_off(int variant)
{
    made_file file = {0}, rows = png_rows(8, 0, false);
    made_png_begin(&file, W, H, 8, 0, 0);
    if (variant == 0)
        made_png_data(&file, rows.bytes, rows.size - 1);
    else if (variant == 1)
        rows.bytes[W + 1] = 5; /* a filter that is none */
    if (variant == 1) made_png_data(&file, rows.bytes, rows.size);
    made_chunk(&file, "IEND", NULL, 0); /* variant 2: no data at all */
    made_free(&rows);
    return file;
}

static inline made_file png_palette_off(int variant)
{
    made_file file = {0}, rows = png_rows(8, 0, false);
    made_png_begin(&file, W, H, 8, 3, 0);
    if (variant == 0) png_add_palette(&file, 3); /* indices go to 255 */
    if (variant == 2) made_chunk(&file, "PLTE", "abcd", 4);
    if (variant == 3) made_chunk(&file, "PLTE", NULL, 0);
    made_png_data(&file, rows.bytes, rows.size);
    if (variant == 4) png_add_palette(&file, 256); /* too late */
    made_chunk(&file, "IEND", NULL, 0);
    made_free(&rows);
    return file;
}

static inline made_file png_header_off(int variant)
{
    static const unsigned char off[][3] = {{3, 0, 0}, {16, 3, 0}, {4, 2, 0}, {0, 0, 0},
                                           {8, 1, 0}, {8, 7, 0},  {8, 0, 2}, {255, 255, 255}};
    made_file file = {0}, rows = png_rows(8, 0, false);
    made_png_begin(&file, W, H, off[variant][0], off[variant][1], off[variant][2]);
    made_png_data(&file, rows.bytes, rows.size);
    made_chunk(&file, "IEND", NULL, 0);
    made_free(&rows);
    return file;
}

/* Rare, and right: what others put into files, and after them. */
static inline made_file png_rare(int variant)
{
    static const char *const type[] = {"acTL", "gAMA", "tEXt", "zzZz", "eXIf", "zTXt"};
    static const char *const data[] = {"\0\0\0\2\0\0\0\0", "\0\0\1\1", "", "what", "II*",
                                       "a\0\0bad"};
    static const size_t size[] = {8, 4, 0, 4, 3, 7};
    made_file file = png_with(type[variant], data[variant], size[variant]);
    made_add(&file, "after the end", 13);
    return file;
}

/* ---- JPEG ---- */

/* The tone of a diagonal that JPEG keeps well. */
static inline int jpeg_right(int h, int w, int c)
{
    return 60 + 2 * h + (c == 1 ? 1 : 2) * w - 20 * (c == 2);
}

static inline made_file jpeg_kind(const made_jpeg_config *config, int channels)
{
    uint8_t pixels[JPEG_SIDE * JPEG_SIDE * 4];
    for (int i = 0; i < JPEG_SIDE * JPEG_SIDE * channels; i++) {
        int c = i % channels, w = i / channels % JPEG_SIDE, h = i / channels / JPEG_SIDE;
        pixels[i] = (uint8_t)(c == 3 ? 255 : jpeg_right(h, w, c));
    }
    return made_jpeg(pixels, JPEG_SIDE, JPEG_SIDE, channels, config);
}

static inline made_file jpeg_plain(int variant)
{
    return jpeg_kind(&(made_jpeg_config){.is_progressive = variant / 10 == 1,
                                         .is_arithmetic = variant / 10 == 2,
                                         .is_stored_rgb = variant / 10 == 3,
                                         .sampling = variant / 10 == 4},
                     variant % 10);
}

/* Of the first segment with that marker, the byte after FF. */
static inline unsigned char *jpeg_segment(const made_file *file, unsigned char marker)
{
    for (size_t i = 2; i + 4 < file->size && file->bytes[i] == 0xFF;
         i += 2 + (size_t)file->bytes[i + 2] * 256 + file->bytes[i + 3])
        if (file->bytes[i + 1] == marker) return file->bytes + i + 1;
    fail_msg("no marker %02X", marker);
    return NULL;
}

static inline made_file jpeg_sizes(int variant)
{
    static const unsigned char sides[][4] = {
        {0xFF, 0xDC, 0xFF, 0xDC}, /* 65,500 squared */
        {0xFF, 0xFF, 0xFF, 0xFF}, {0, 1, 0xFF, 0xFF}, {0x3F, 0xFF, 0x3F, 0xFF},
        {0, 0, 0, JPEG_SIDE}, /* the height comes later, says the old standard */
        {0, JPEG_SIDE, 0, 0},
    };
    made_file file = jpeg_plain(1);
    memcpy(jpeg_segment(&file, 0xC0) + 4, sides[variant], 4);
    size_t header = (size_t)(jpeg_segment(&file, 0xDA) - file.bytes);
    if (file.size > header + 200) file.size = header + 200;
    return file;
}

/* So many scans, each a bit of one frequency. */
static inline made_file jpeg_scans(int scans)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    jpeg_scan_info *scan = calloc((size_t)scans, sizeof *scan);
    unsigned char *bytes = NULL, grey[8] = {0, 30, 60, 90, 120, 150, 180, 210};
    unsigned long size = 0;
    assert_non_null(scan);
    for (int i = 0; i < scans; i++) { /* frequency 0 of both components, then 1 .. 63 of each */
        int bit = i % 11, part = i / 11, k = part == 0 ? 0 : (part - 1) % 63 + 1;
        scan[i] = (jpeg_scan_info){.comps_in_scan = part == 0 ? 3 : 1,
                                   .component_index = {part == 0 ? 0 : (part - 1) / 63, 1, 2},
                                   .Ss = k,
                                   .Se = k,
                                   .Ah = bit ? 11 - bit : 0,
                                   .Al = 10 - bit};
    }
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = 8;
    jpeg.image_height = 8;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg.in_color_space = JCS_RGB;
    jpeg.input_components = 3;
    jpeg_set_colorspace(&jpeg, JCS_RGB);
    jpeg.scan_info = scan;
    jpeg.num_scans = scans;
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < 8) {
        unsigned char row[24];
        JSAMPROW line = row;
        for (int i = 0; i < 24; i++)
            row[i] = grey[i / 3];
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    made_file file = {0};
    made_add(&file, bytes, size);
    free(bytes);
    free(scan);
    return file;
}

static inline made_file jpeg_cut(int variant)
{
    made_file file = jpeg_plain(variant % 100);
    file.size = variant < 200   ? file.size / 2
                : variant < 300 ? file.size - 2 /* all but the end marker */
                                : 3;
    return file;
}

static inline made_file jpeg_damaged(int variant)
{
    made_file file = jpeg_plain(3);
    switch (variant) {
    case 0: /* a Huffman table with more codes than there are */
        memset(jpeg_segment(&file, 0xC4) + 4, 0xFF, 16);
        break;
    case 1: /* the number of a table that is none */
        jpeg_segment(&file, 0xC4)[3] = 0x17;
        break;
    case 2:
        jpeg_segment(&file, 0xDB)[3] = 0x0F;
        break;
    case 3: /* eleven components */
        jpeg_segment(&file, 0xC0)[8] = 11;
        break;
    case 4: /* sampled 15 to 1 */
        jpeg_segment(&file, 0xC0)[10] = 0xF1;
        break;
    case 5: /* sampled 0 to 1 */
        jpeg_segment(&file, 0xC0)[10] = 0x01;
        break;
    case 6: /* a scan of a component that there is not */
        jpeg_segment(&file, 0xDA)[4] = 77;
        break;
    case 7: /* a segment shorter than its length */
        jpeg_segment(&file, 0xDB)[2] = 1;
        break;
    case 8: /* 12 bits */
        jpeg_segment(&file, 0xC0)[3] = 12;
        break;
    case 9: /* lossless */
        jpeg_segment(&file, 0xC0)[0] = 0xC3;
        break;
    case 10: /* hierarchical */
        jpeg_segment(&file, 0xC0)[0] = 0xC5;
        break;
    default: { /* a second frame */
        made_file two = {0};
        made_add(&two, file.bytes, 2);
        made_add(&two, jpeg_segment(&file, 0xC0) - 1, 19);
        made_add(&two, file.bytes + 2, file.size - 2);
        made_free(&file);
        file = two;
        break;
    }
    }
    return file;
}

/* Bytes after the end marker, as cameras and editors leave them. */
static inline made_file jpeg_rare(int variant)
{
    made_file file = jpeg_plain(3), second = jpeg_plain(1);
    if (variant == 0)
        made_add(&file, "\0\0trailing", 10);
    else
        made_add(&file, second.bytes, second.size); /* two pictures in one file: the first */
    made_free(&second);
    return file;
}

/* ---- neither ---- */

static inline made_file other_file(int variant)
{
    static const char *const bytes[] = {"<!DOCTYPE html><html>",
                                        "GIF89a\1\0\1\0",
                                        "BM6\0\0\0\0",
                                        "RIFF\x24\0\0\0WEBPVP8 ",
                                        "II*\0\x08\0\0\0",
                                        "",
                                        "\x89PN",
                                        "\xFF\xD8",
                                        "\x89PNG\n\x1A\n\n....",
                                        "\0\0\0\0\0"};
    static const size_t size[] = {21, 10, 7, 16, 8, 0, 3, 2, 12, 5};
    made_file file = {0};
    made_add(&file, bytes[variant], size[variant]);
    return file;
}

#endif
