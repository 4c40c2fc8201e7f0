/* SPDX-License-Identifier: MIT */
/* PNG and JPEG: right pixels of every kind, and everything that is refused. PNG rows come from
   tools/golden_files.py, JPEG files are made here. */
#include "formats_check.h"

#if defined(FVI_WITH_IMAGE) && defined(FVI_WITH_ZLIB)

#include <jpeglib.h>

static fvi_value *golden; /* formats_images.json */

static size_t unhex(unsigned char **bytes, const char *hex)
{
    size_t size = strlen(hex) / 2;
    *bytes = malloc(size > 0 ? size : 1);
    assert_non_null(*bytes);
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        (*bytes)[i] = (unsigned char)value;
    }
    return size;
}

static int whole(const fvi_value *row, const char *key)
{
    return (int)fvi_value_get(row, key)->integer;
}

/* Every sample may differ by one where 16 bits are blended, nowhere else. */
static void same_pixels(const fvi_image *image, const unsigned char *pixels, size_t size,
                        const char *name)
{
    int most = strstr(name, "alpha 16") != NULL || strstr(name, "RGBA 16") != NULL ? 1 : 0;
    for (size_t i = 0; i < size; i++)
        if (abs(image->pixels[i] - pixels[i]) > most)
            fail_msg("%s: sample %zu is %d, expected %d", name, i, image->pixels[i], pixels[i]);
}

static void png_good(void **state)
{
    (void)state;
    const fvi_value *rows = fvi_value_get(golden, "good");
    assert_true(rows->count > 30);
    for (size_t i = 0; i < rows->count; i++) {
        const fvi_value *row = rows->item[i];
        const char *name = fvi_value_get_string(row, "name");
        unsigned char *file, *pixels;
        fvi_image image;
        size_t file_size = unhex(&file, fvi_value_get_string(row, "file"));
        size_t size = unhex(&pixels, fvi_value_get_string(row, "pixels"));
        fv_status status = fvi_image_read(&image, file, file_size, 0);
        if (status != FV_OK) fail_msg("%s: %s", name, fv_error());
        assert_true(fvi_image_is(file, file_size));
        assert_int_equal(image.height, whole(row, "height"));
        assert_int_equal(image.width, whole(row, "width"));
        assert_int_equal(image.channels, whole(row, "channels"));
        same_pixels(&image, pixels, size, name);
        fvi_image_free(&image);
        free(file);
        free(pixels);
    }
}

static void png_bad(void **state)
{
    (void)state;
    const fvi_value *rows = fvi_value_get(golden, "bad");
    assert_true(rows->count > 20);
    long live = fvi_alloc_live();
    for (size_t i = 0; i < rows->count; i++) {
        const fvi_value *row = rows->item[i];
        unsigned char *file;
        fvi_image image;
        size_t size = unhex(&file, fvi_value_get_string(row, "file"));
        fv_status status = fvi_image_read(&image, file, size, 0);
        if (strcmp(fv_status_name(status), fvi_value_get_string(row, "status")) != 0 ||
            strstr(fv_error(), fvi_value_get_string(row, "part")) == NULL)
            fail_msg("%s: %s (%s)", fvi_value_get_string(row, "name"), fv_status_name(status),
                     fv_error());
        assert_null(image.pixels);
        assert_int_equal(fvi_alloc_live(), live);
        free(file);
    }
}

static void png_written(void **state)
{
    (void)state;
    char path[128];
    unsigned char pixels[24 * 17 * 3];
    for (uint64_t seed = 0; seed < 40; seed++) {
        fvi_image image = {fvi_rng_int(seed, FVI_RNG_TEST, 0, 0, 17) + 1,
                           fvi_rng_int(seed, FVI_RNG_TEST, 0, 1, 24) + 1, seed % 2 ? 3 : 1, pixels};
        size_t size = (size_t)(image.height * image.width * image.channels), bytes_size;
        for (uint64_t i = 0; i < size; i++)
            pixels[i] = (unsigned char)fvi_rng_int(seed, FVI_RNG_TEST, 1, i, 256);
        fvi_save *save;
        CHECK_OK(fvi_save_begin(&save, check_path(path, "made.png")));
        CHECK_OK(fvi_image_write_png(save, &image));
        CHECK_OK(fvi_save_commit(save));
        unsigned char *bytes;
        fvi_image back;
        CHECK_OK(fvi_file_read(&bytes, &bytes_size, path, 65536));
        CHECK_OK(fvi_image_read(&back, bytes, bytes_size, 0));
        assert_int_equal(back.height, image.height);
        assert_int_equal(back.width, image.width);
        assert_int_equal(back.channels, image.channels);
        assert_memory_equal(back.pixels, pixels, size);
        fvi_image_free(&back);
        fvi_free(bytes);
    }
    fvi_save *save;
    static const struct {
        int height, width, channels;
        fv_status status;
    } bad[] = {
        {1, 1, 2, FV_E_ARG}, {0, 1, 3, FV_E_ARG}, {1, -1, 3, FV_E_ARG}, {1, 65536, 1, FV_E_MEMORY}};
    CHECK_OK(fvi_save_begin(&save, check_path(path, "made.png")));
    for (size_t i = 0; i < FVI_COUNT(bad); i++) {
        fvi_image image = {bad[i].height, bad[i].width, bad[i].channels, pixels};
        CHECK_FAILS(fvi_image_write_png(save, &image), bad[i].status, "PNG");
    }
    CHECK_FAILS(fvi_image_write_png(save, &(fvi_image){1, 1, 3, NULL}), FV_E_ARG, "PNG");
    fvi_save_abort(save);
}

/* Grey to RGB and back, by the numbers of ITU-R BT.601. */
static void channels_asked(void **state)
{
    (void)state;
    char path[128];
    static unsigned char colours[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 10, 10};
    static const unsigned char luma[] = {76, 150, 29, 255, 10};
    fvi_image image = {1, 5, 3, colours}, back;
    fvi_save *save;
    unsigned char *bytes;
    size_t size;
    for (int channels = 3; channels >= 1; channels -= 2) {
        CHECK_OK(fvi_save_begin(&save, check_path(path, "made.png")));
        CHECK_OK(fvi_image_write_png(save, &image));
        CHECK_OK(fvi_save_commit(save));
        CHECK_OK(fvi_file_read(&bytes, &size, path, 65536));
        CHECK_OK(fvi_image_read(&back, bytes, size, channels == 3 ? 1 : 3));
        assert_int_equal(back.channels, channels == 3 ? 1 : 3);
        for (int i = 0; i < 5; i++)
            assert_int_equal(back.pixels[channels == 3 ? i : 3 * i + 1],
                             channels == 3 ? luma[i] : i);
        fvi_image_free(&back);
        CHECK_FAILS(fvi_image_read(&back, bytes, size, 2), FV_E_ARG, "2 channels");
        fvi_free(bytes);
        for (int i = 0; i < 5; i++)
            colours[i] = (unsigned char)i;
        image.channels = 1;
    }
}

/* ---- JPEG ---- */

typedef struct jpeg_kind {
    const char *name;
    J_COLOR_SPACE in, stored;
    int channels;
    bool is_progressive, is_arithmetic, without_adobe;
    int scans; /* 0: as libjpeg likes */
} jpeg_kind;

enum { JPEG_H = 21, JPEG_W = 34 };

/* What the made pictures show: smooth, so that little is lost. */
static int jpeg_sample(int h, int w, int c)
{
    return 40 + 5 * h + (c == 1 ? 3 : 1) * w + 20 * (c == 2);
}

/* One frequency in each scan; from the 65th on, the bit that the first 64 left out. */
static void jpeg_script(jpeg_scan_info *scan, int scans)
{
    for (int i = 0; i < scans; i++) {
        bool is_second = i >= 64;
        scan[i] = (jpeg_scan_info){.comps_in_scan = 1,
                                   .Ss = i % 64,
                                   .Se = i % 64,
                                   .Ah = is_second,
                                   .Al = scans > 64 && !is_second};
    }
}

static unsigned char *jpeg_made(unsigned long *size, const jpeg_kind *kind)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *bytes = NULL, row[JPEG_W * 4];
    jpeg_scan_info scan[128];
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, size);
    jpeg.image_width = JPEG_W;
    jpeg.image_height = JPEG_H;
    jpeg.input_components = kind->channels;
    jpeg.in_color_space = kind->in;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, kind->stored);
    jpeg_set_quality(&jpeg, 97, TRUE);
    jpeg.arith_code = kind->is_arithmetic;
    if (kind->without_adobe) jpeg.write_Adobe_marker = FALSE;
    if (kind->is_progressive) jpeg_simple_progression(&jpeg);
    if (kind->scans > 0) {
        jpeg_script(scan, kind->scans);
        jpeg.scan_info = scan;
        jpeg.num_scans = kind->scans;
    }
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < JPEG_H) {
        JSAMPROW line = row;
        for (int w = 0; w < JPEG_W; w++)
            for (int c = 0; c < kind->channels; c++) {
                int value = c == 3 ? 255 : jpeg_sample((int)jpeg.next_scanline, w, c);
                bool is_ink = kind->channels == 4 && kind->without_adobe;
                row[w * kind->channels + c] = (unsigned char)(is_ink ? 255 - value : value);
            }
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return bytes;
}

static const jpeg_kind jpeg_kinds[] = {
    {"RGB", JCS_RGB, JCS_YCbCr, 3, false, false, false, 0},
    {"RGB stored as such", JCS_RGB, JCS_RGB, 3, false, false, false, 0},
    {"grey", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, false, false, false, 0},
    {"progressive", JCS_RGB, JCS_YCbCr, 3, true, false, false, 0},
    {"arithmetic", JCS_RGB, JCS_YCbCr, 3, false, true, false, 0},
    {"64 scans", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, true, false, false, 64},
    {"100 scans", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, true, false, false, 100},
    {"CMYK of Adobe", JCS_CMYK, JCS_CMYK, 4, false, false, false, 0},
    {"YCCK of Adobe", JCS_CMYK, JCS_YCCK, 4, false, false, false, 0},
    {"CMYK", JCS_CMYK, JCS_CMYK, 4, false, false, true, 0},
};

static void jpeg_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(jpeg_kinds); i++) {
        unsigned long size = 0;
        fvi_image image;
        unsigned char *bytes = jpeg_made(&size, &jpeg_kinds[i]);
        if (fvi_image_read(&image, bytes, size, 0) != FV_OK)
            fail_msg("%s: %s", jpeg_kinds[i].name, fv_error());
        assert_int_equal(image.height, JPEG_H);
        assert_int_equal(image.width, JPEG_W);
        assert_int_equal(image.channels, jpeg_kinds[i].channels == 1 ? 1 : 3);
        for (int h = 0; h < JPEG_H; h++)
            for (int w = 0; w < JPEG_W; w++)
                for (int c = 0; c < image.channels; c++) {
                    int got = image.pixels[(h * JPEG_W + w) * image.channels + c];
                    if (abs(got - jpeg_sample(h, w, c)) > 6)
                        fail_msg("%s: [%d,%d,%d] is %d, expected about %d", jpeg_kinds[i].name, h,
                                 w, c, got, jpeg_sample(h, w, c));
                }
        fvi_image_free(&image);
        free(bytes);
    }
}

static void jpeg_cut(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    for (size_t i = 0; i < 4; i++) {
        unsigned long size = 0;
        fvi_image image;
        unsigned char *bytes = jpeg_made(&size, &jpeg_kinds[i]);
        for (size_t cut = 3; cut < size; cut++) {
            unsigned char *exact = check_exact(bytes, cut);
            CHECK_FAILS(fvi_image_read(&image, exact, cut, 0), FV_E_FORMAT, "JPEG near byte");
            assert_null(image.pixels);
            free(exact);
        }
        free(bytes);
    }
    assert_int_equal(fvi_alloc_live(), live);
}

/* The place of a marker, from its FF. */
static size_t jpeg_find(const unsigned char *bytes, size_t size, unsigned char marker)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (bytes[i] == 0xFF && bytes[i + 1] == marker) return i;
    fail_msg("no marker %02X", marker);
    return 0;
}

/* P05, P06, P10 and damage where libjpeg only warns. */
static void jpeg_bad(void **state)
{
    (void)state;
    unsigned long size = 0;
    fvi_image image;
    unsigned char *bytes = jpeg_made(&size, &jpeg_kinds[0]);
    size_t frame = jpeg_find(bytes, size, 0xC0);
    static const struct {
        unsigned char precision, high[2], wide[2];
        fv_status status;
        const char *part;
    } row[] = {
        {8, {0xFF, 0xDC}, {0xFF, 0xDC}, FV_E_MEMORY, "65500x65500"},
        {8, {0x20, 0}, {0x20, 0}, FV_E_FORMAT, "cannot hold"},
        {8, {0xFF, 0xFF}, {0xFF, 0xFF}, FV_E_FORMAT, "65500"},
        {8, {0, 0}, {0, 34}, FV_E_FORMAT, "near byte"},
        {8, {0, 21}, {0, 0}, FV_E_FORMAT, "near byte"},
        {12, {0, 21}, {0, 34}, FV_E_UNSUPPORTED, "12"},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        unsigned char *bad = check_exact(bytes, size);
        bad[frame + 4] = row[i].precision;
        memcpy(bad + frame + 5, row[i].high, 2);
        memcpy(bad + frame + 7, row[i].wide, 2);
        CHECK_FAILS(fvi_image_read(&image, bad, size, 0), row[i].status, row[i].part);
        free(bad);
    }
    bytes[frame + 1] = 0xC3; /* lossless */
    CHECK_FAILS(fvi_image_read(&image, bytes, size, 0), FV_E_UNSUPPORTED, "JPEG");
    free(bytes);
}

static void jpeg_many_scans(void **state)
{
    (void)state;
    static const jpeg_kind many = {"", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, true, false, false, 101};
    unsigned long size = 0;
    fvi_image image;
    unsigned char *bytes = jpeg_made(&size, &many);
    CHECK_FAILS(fvi_image_read(&image, bytes, size, 0), FV_E_MEMORY, "more than 100 scans");
    assert_null(image.pixels);
    free(bytes);
}

/* The k-th allocation fails, for every k. */
static void starved(void **state)
{
    (void)state;
    const fvi_value *rows = fvi_value_get(golden, "good");
    unsigned long jpeg_size = 0;
    unsigned char *jpeg = jpeg_made(&jpeg_size, &jpeg_kinds[8]), *png;
    size_t png_size = unhex(&png, fvi_value_get_string(rows->item[12], "file"));
    long live = fvi_alloc_live();
    for (int i = 0; i < 2; i++) {
        fv_status status = FV_E_MEMORY;
        for (long k = 1; status != FV_OK; k++) {
            fvi_image image;
            fvi_alloc_fail_at(k);
            status = i == 0 ? fvi_image_read(&image, png, png_size, 1)
                            : fvi_image_read(&image, jpeg, jpeg_size, 1);
            fvi_alloc_fail_at(0);
            if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
            fvi_image_free(&image);
            assert_int_equal(fvi_alloc_live(), live);
            assert_true(k < 200);
        }
    }
    free(jpeg);
    free(png);
}

static int image_open(void **state)
{
    (void)state;
    size_t packed, size;
    unsigned char *bytes = check_golden("formats_images.json.gz", &packed), *text;
    CHECK_OK(fvi_gzip_read(&text, &size, bytes, packed, (size_t)1 << 20));
    CHECK_OK(fvi_json_read(&golden, (const char *)text, size));
    fvi_free(text);
    fvi_free(bytes);
    return 0;
}

static int image_close(void **state)
{
    (void)state;
    static const char *const made[] = {"made.png"};
    check_cleanup(made, FVI_COUNT(made));
    fvi_value_free(golden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_good),    cmocka_unit_test(png_bad),
        cmocka_unit_test(png_written), cmocka_unit_test(channels_asked),
        cmocka_unit_test(jpeg_good),   cmocka_unit_test(jpeg_cut),
        cmocka_unit_test(jpeg_bad),    cmocka_unit_test(jpeg_many_scans),
        cmocka_unit_test(starved),
    };
    return cmocka_run_group_tests(tests, image_open, image_close);
}

#else

int main(void)
{
    printf("skipped: built without PNG and JPEG\n");
    return 77;
}

#endif
