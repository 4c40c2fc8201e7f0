/* SPDX-License-Identifier: MIT */
/* Pictures made to hurt, and rare ones that are right: each row is answered as its class asks, at
   once, and with no more memory than its size allows. The files are made here, byte by byte. */
#include "formats_check.h"

#if defined(FVI_WITH_IMAGE) && defined(FVI_WITH_ZLIB)

#include "image_odd.h"

#include <sys/resource.h>
#include <time.h>

/* ---- what a row may expect ---- */

#define IS(status) (1u << (status))
#define FORMAT IS(FV_E_FORMAT)
#define LIMIT IS(FV_E_MEMORY)
#define UNSUPPORTED IS(FV_E_UNSUPPORTED)
#define RIGHT IS(FV_OK) /* and then with right pixels */

/* ---- the table ---- */

typedef struct hostile_row {
    const char *id;
    made_file (*make)(int variant);
    int first, last;  /* variants */
    unsigned allowed; /* IS(...) of what may be the answer */
    bool is_early;    /* refused before any memory is taken */
    const char *part; /* of the message */
} hostile_row;

static const hostile_row hostile_rows[] = {
    {"P01 sides of 0", png_sizes, 0, 2, FORMAT, true, "PNG: a picture of"},
    {"P01 sides of 2^31 - 1", png_sizes, 3, 8, LIMIT | FORMAT, true, "pixels"},
    {"P01 as many pixels as may be, no data", png_sizes, 9, 9, FORMAT, true, "cannot hold"},
    {"P02 60,000 squared of one bit", png_wide_bits, 0, 0, LIMIT, true, "60000x60000 pixels"},
    {"P02 zTXt, iCCP, iTXt bombs", png_bomb, 0, 2, LIMIT, false, "unpacks to more"},
    {"P02 a text of 8 MB", png_long_text, 0, 0, LIMIT, true, "tEXt chunk of 8000001 bytes"},
    {"P03 cut, checksums, lengths", png_damaged, 0, 9, FORMAT, false, "PNG"},
    {"P03 rows missing, filter unknown", png_rows_off, 0, 2, FORMAT, false, "PNG"},
    {"P04 palette", png_palette_off, 0, 4, FORMAT, false, "PNG"},
    {"P04 depth, kind, interlacing", png_header_off, 0, 7, FORMAT, false, "PNG"},
    {"P04 rare chunks", png_rare, 0, 5, RIGHT, false, NULL},
    {"P05 JPEG of 65,500 squared", jpeg_sizes, 0, 5, LIMIT | FORMAT, true, "JPEG"},
    {"P06 1,000 scans", jpeg_scans, 1000, 1000, LIMIT, false, "more than 100 scans"},
    {"P06 101 scans", jpeg_scans, 101, 101, LIMIT, false, "more than 100 scans"},
    {"P06 100 scans", jpeg_scans, 100, 100, RIGHT, false, NULL},
    {"P07 cut in the middle", jpeg_cut, 101, 101, FORMAT, false, "JPEG near byte"},
    {"P07 cut in the middle", jpeg_cut, 103, 103, FORMAT, false, "JPEG near byte"},
    {"P07 progressive, cut in the middle", jpeg_cut, 113, 113, FORMAT, false, "JPEG near byte"},
    {"P07 without its end", jpeg_cut, 203, 203, FORMAT, false, "JPEG near byte"},
    {"P07 the first three bytes", jpeg_cut, 303, 303, FORMAT, true, "JPEG near byte"},
    {"P08 libjpeg's errors", jpeg_damaged, 0, 7, FORMAT, false, "JPEG near byte"},
    {"P08 two frames", jpeg_damaged, 11, 11, FORMAT, false, "JPEG near byte"},
    {"P09 HTML, GIF, BMP, WebP, TIFF", other_file, 0, 4, FORMAT, true, "no PNG or JPEG"},
    {"P09 next to nothing", other_file, 5, 9, FORMAT, true, "no PNG or JPEG"},
    {"P10 grey", jpeg_plain, 1, 1, RIGHT, false, NULL},
    {"P10 RGB, CMYK", jpeg_plain, 3, 4, RIGHT, false, NULL},
    {"P10 progressive RGB, CMYK", jpeg_plain, 13, 14, RIGHT, false, NULL},
    {"P10 arithmetic grey", jpeg_plain, 21, 21, RIGHT, false, NULL},
    {"P10 arithmetic RGB, CMYK", jpeg_plain, 23, 24, RIGHT, false, NULL},
    {"P10 stored as RGB", jpeg_plain, 33, 33, RIGHT, false, NULL},
    {"P10 colours as fine as light", jpeg_plain, 43, 43, RIGHT, false, NULL},
    {"P10 bytes after the end", jpeg_rare, 0, 1, RIGHT, false, NULL},
    {"P10 12 bits, lossless, hierarchical", jpeg_damaged, 8, 10, UNSUPPORTED, true, "JPEG"},
};

static void hostile_expect_pixels(const hostile_row *row, const fvi_image *image)
{
    bool is_png = row->id[2] == '4';
    if (row->make == jpeg_scans) {
        assert_int_equal(image->height, 8);
        return;
    }
    assert_int_equal(image->height, is_png ? H : JPEG_SIDE);
    assert_int_equal(image->width, is_png ? W : JPEG_SIDE);
    for (int h = 0; h < image->height; h++)
        for (int w = 0; w < image->width; w++)
            for (int c = 0; c < image->channels; c++) {
                int got = image->pixels[(h * image->width + w) * image->channels + c];
                int right = is_png ? (int)png_sample(h, w, c, 8) : jpeg_right(h, w, c);
                if (abs(got - right) > (is_png ? 0 : 8))
                    fail_msg("%s: [%d,%d,%d] is %d, expected %d", row->id, h, w, c, got, right);
            }
}

static long hostile_peak_kb(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void hostile_one(const hostile_row *row, int variant, const made_file *file, int channels)
{
    unsigned char *exact = check_exact(file->bytes, file->size);
    long live = fvi_alloc_live(), count = fvi_alloc_count(), before = hostile_peak_kb();
    clock_t start = clock();
    fvi_image image;
    fv_status status = fvi_image_read(&image, exact, file->size, channels);
    long peak = hostile_peak_kb() - before;
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    if (!(row->allowed & IS(status)) || (row->part && !strstr(fv_error(), row->part)))
        fail_msg("%s (%d): %s (%s)", row->id, variant, fv_status_name(status),
                 status == FV_OK ? "" : fv_error());
    if (status == FV_OK) {
        if (channels == 0) hostile_expect_pixels(row, &image);
        fvi_image_free(&image);
    } else {
        assert_null(image.pixels);
    }
    if (row->is_early && fvi_alloc_count() != count)
        fail_msg("%s (%d): takes memory before it refuses", row->id, variant);
    if (peak > 32 * 1024 + 4 * (long)file->size / 1024 || seconds > 1)
        fail_msg("%s (%d): %ld KB and %.1f s", row->id, variant, peak, seconds);
    assert_int_equal(fvi_alloc_live(), live);
    free(exact);
}

static void hostile_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(hostile_rows); i++)
        for (int v = hostile_rows[i].first; v <= hostile_rows[i].last; v++) {
            made_file file = hostile_rows[i].make(v);
            for (int channels = 0; channels <= 3; channels += channels == 1 ? 2 : 1)
                hostile_one(&hostile_rows[i], v, &file, channels);
            made_free(&file);
        }
}

/* What png_kind shows, blended over white. */
static int png_right(int variant, int h, int w, int c)
{
    int depth = variant % 32, kind = variant / 32 % 16;
    unsigned value = png_sample(h, w, kind == 2 || kind == 6 ? c : 0, depth);
    if (kind == 3) return (int)(value / (255 / ((1u << depth) - 1)) * 3 + (unsigned)c) * 37 & 255;
    if (kind != 4 && kind != 6) return (int)value;
    unsigned alpha = png_sample(h, w, kind == 4 ? 1 : 3, depth);
    return (int)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

static void png_kinds(void **state)
{
    (void)state;
    static const int kinds[][2] = {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {16, 0}, {8, 2}, {16, 2}, {1, 3},
                                   {2, 3}, {4, 3}, {8, 3}, {8, 4}, {16, 4}, {8, 6}, {16, 6}};
    for (size_t i = 0; i < 2 * FVI_COUNT(kinds); i++) {
        int depth = kinds[i / 2][0], kind = kinds[i / 2][1];
        int variant = depth + 32 * kind + (i % 2 ? 512 : 0);
        int most = depth == 16 && (kind == 4 || kind == 6) ? 1 : 0; /* blended in 16 bits */
        made_file file = png_kind(variant);
        fvi_image image;
        CHECK_OK(fvi_image_read(&image, file.bytes, file.size, 0));
        assert_int_equal(image.channels, kind == 0 || kind == 4 ? 1 : 3);
        for (int h = 0; h < H; h++)
            for (int w = 0; w < W; w++)
                for (int c = 0; c < image.channels; c++) {
                    int got = image.pixels[(h * W + w) * image.channels + c];
                    if (abs(got - png_right(variant, h, w, c)) > most)
                        fail_msg("P04 depth %d, kind %d%s: [%d,%d,%d] is %d, expected %d", depth,
                                 kind, i % 2 ? ", interlaced" : "", h, w, c, got,
                                 png_right(variant, h, w, c));
                }
        fvi_image_free(&image);
        made_free(&file);
    }
}

/* P08: whatever libpng and libjpeg find wrong comes back as a status; nothing is lost. */
static void hostile_bytes(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    made_file file[] = {png_kind(8 + 32 * 2),  png_kind(8 + 32 * 3 + 512),
                        png_kind(16 + 32 * 6), jpeg_plain(3),
                        jpeg_plain(13),        jpeg_plain(23),
                        jpeg_plain(4)};
    for (uint64_t i = 0; i < 7 * 600; i++) {
        const made_file *f = &file[i % 7];
        unsigned char *bad = check_exact(f->bytes, f->size);
        int changes = 1 + fvi_rng_int(i, FVI_RNG_TEST, 0, 0, 3);
        for (int k = 0; k < changes; k++)
            bad[fvi_rng_int(i, FVI_RNG_TEST, 1, (uint64_t)k, (int)f->size)] =
                (unsigned char)fvi_rng_int(i, FVI_RNG_TEST, 2, (uint64_t)k, 256);
        fvi_image image;
        fv_status status = fvi_image_read(&image, bad, f->size, 0);
        if (status != FV_OK && status != FV_E_FORMAT && status != FV_E_UNSUPPORTED &&
            status != FV_E_MEMORY)
            fail_msg("%s: %s", fv_status_name(status), fv_error());
        fvi_image_free(&image);
        assert_int_equal(fvi_alloc_live(), live);
        free(bad);
    }
    for (size_t i = 0; i < FVI_COUNT(file); i++)
        made_free(&file[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_table),
        cmocka_unit_test(png_kinds),
        cmocka_unit_test(hostile_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    printf("skipped: built without PNG and JPEG\n");
    return 77;
}

#endif
