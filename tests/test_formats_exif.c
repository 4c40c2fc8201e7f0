/* SPDX-License-Identifier: MIT */
/* EXIF's orientation: all eight of them in JPEG and PNG, and EXIF that is broken, which must never
   hurt. */
#include "formats_check.h"

#if defined(FVI_WITH_IMAGE) && defined(FVI_WITH_ZLIB)

#include "image_made.h"
#include "formats/image_raw.h"

#include <sys/resource.h>
#include <time.h>

enum { TILE = 16, TALL = 2, WIDE = 3 };

/* A picture of two rows of three tiles, stored as ABC DEF: how it stands upright, by CIPA
   DC-008. */
static const struct {
    int height, width;
    const char *tiles;
} upright[9] = {
    {0, 0, NULL},     {2, 3, "ABCDEF"}, {2, 3, "CBAFED"}, {2, 3, "FEDCBA"}, {2, 3, "DEFABC"},
    {3, 2, "ADBECF"}, {3, 2, "DAEBFC"}, {3, 2, "FCEBDA"}, {3, 2, "CFBEAD"},
};

/* Colours that stay apart in JPEG. */
static int exif_sample(char tile, int channel)
{
    return 20 + 40 * ((tile - 'A' + 2 * channel) % 6);
}

static uint8_t *exif_picture(int tile, int channels)
{
    int H = TALL * tile, W = WIDE * tile;
    uint8_t *pixels = malloc((size_t)(H * W * channels));
    assert_non_null(pixels);
    for (int h = 0; h < H; h++)
        for (int w = 0; w < W; w++)
            for (int c = 0; c < channels; c++)
                pixels[(h * W + w) * channels + c] =
                    (uint8_t)exif_sample("ABCDEF"[h / tile * WIDE + w / tile], c);
    return pixels;
}

static void exif_expect(const fvi_image *image, int orientation, int tile, int most)
{
    assert_int_equal(image->height, upright[orientation].height * tile);
    assert_int_equal(image->width, upright[orientation].width * tile);
    for (int h = 0; h < image->height; h++)
        for (int w = 0; w < image->width; w++)
            for (int c = 0; c < image->channels; c++) {
                int at = h / tile * upright[orientation].width + w / tile;
                int right = exif_sample(upright[orientation].tiles[at], c);
                int got = image->pixels[(h * image->width + w) * image->channels + c];
                if (abs(got - right) > most)
                    fail_msg("orientation %d: [%d,%d,%d] is %d, expected %d", orientation, h, w, c,
                             got, right);
            }
}

static void exif_turns_png(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2)
        for (int i = 0; i < 16; i++) {
            int orientation = i % 8 + 1;
            uint8_t *pixels = exif_picture(1, channels);
            made_file exif = made_exif(i < 8, (unsigned)orientation);
            made_file file = made_png(pixels, TALL, WIDE, channels, &exif);
            fvi_image image;
            CHECK_OK(fvi_image_read(&image, file.bytes, file.size, 0));
            exif_expect(&image, orientation, 1, 0);
            fvi_image_free(&image);
            made_free(&file);
            made_free(&exif);
            free(pixels);
        }
}

/* Also when libjpeg decodes a smaller one. */
static void exif_turns_jpeg(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2)
        for (int i = 0; i < 16; i++) {
            int orientation = i % 8 + 1;
            uint8_t *pixels = exif_picture(TILE, channels);
            made_file exif = made_exif(i < 8, (unsigned)orientation);
            made_file file = made_jpeg(pixels, TALL * TILE, WIDE * TILE, channels,
                                       &(made_jpeg_config){.exif = &exif, .sampling = 1});
            fvi_image image;
            fvi_image_scale scale;
            CHECK_OK(fvi_image_read(&image, file.bytes, file.size, 0));
            exif_expect(&image, orientation, TILE, 6);
            fvi_image_free(&image);
            int least_height = upright[orientation].height * TILE / 4;
            int least_width = upright[orientation].width * TILE / 4;
            CHECK_OK(fvi_image_read_small(&image, &scale, file.bytes, file.size, channels,
                                          least_height, least_width));
            exif_expect(&image, orientation, TILE / 4, 6);
            fvi_image_free(&image);
            made_free(&file);
            made_free(&exif);
            free(pixels);
        }
}

static int exif_of(const unsigned char *bytes, size_t size)
{
    int orientation = 0;
    unsigned char *exact = check_exact(bytes, size);
    CHECK_OK(fvi_exif_orientation(&orientation, exact, size));
    assert_in_range(orientation, 1, 8);
    free(exact);
    return orientation;
}

static void exif_values(void **state)
{
    (void)state;
    static const unsigned none[] = {0, 9, 10, 255, 256, 0x0600, 65535};
    for (unsigned i = 1; i <= 8; i++)
        for (int is_big = 0; is_big < 2; is_big++) {
            made_file exif = made_exif(is_big, i), headed = {0};
            made_add(&headed, "Exif\0", 6);
            made_add(&headed, exif.bytes, exif.size);
            assert_int_equal(exif_of(exif.bytes, exif.size), i);
            assert_int_equal(exif_of(headed.bytes, headed.size), i);
            made_free(&exif);
            made_free(&headed);
        }
    for (size_t i = 0; i < FVI_COUNT(none); i++) {
        made_file exif = made_exif(i % 2, none[i]);
        assert_int_equal(exif_of(exif.bytes, exif.size), 1);
        made_free(&exif);
    }
    assert_int_equal(exif_of(NULL, 0), 1);
    assert_int_equal(exif_of((const unsigned char *)"Exif\0", 6), 1);
}

/* Directories that are none: each gives 1 or, where the orientation was read before, 6. */
static made_file exif_odd(int which)
{
    made_file f = {0};
    made_add(&f, "II", 2);
    made_u16(&f, false, which == 0 ? 43 : 42);
    made_u32(&f, false, which == 1 ? 0xFFFFFFF0 : which == 2 ? 0x7FFFFFFF : which == 3 ? 4 : 8);
    made_u16(&f, false, which == 4 ? 0xFFFF : 2);
    switch (which) {
    case 5: /* no short */
        made_entry(&f, false, 0x0112, 4, 1, 6);
        break;
    case 6: /* no single one */
        made_entry(&f, false, 0x0112, 3, 0, 6);
        break;
    case 7: /* more than there are, elsewhere */
        made_entry(&f, false, 0x0112, 3, 0x7FFFFFFF, 6);
        break;
    case 8: /* a type that is none */
        made_entry(&f, false, 0x0112, 99, 1, 6);
        break;
    default:
        made_entry(&f, false, 0x0112, 3, 1, 6);
        break;
    }
    /* a directory inside: itself, outside, in the header */
    static const uint32_t inside[] = {8, 0xFFFFFFFF, 0, 8, 30};
    made_entry(&f, false, which % 2 ? 0x8769 : 0x8825, 4, 1, inside[which % 5]);
    made_u32(&f, false, which == 9 ? 8 : which == 10 ? 0xFFFFFFFF : 0); /* the next directory */
    return f;
}

static void exif_hostile(void **state)
{
    (void)state;
    for (int which = 0; which < 11; which++) {
        made_file exif = exif_odd(which);
        int got = exif_of(exif.bytes, exif.size);
        if (which <= 3 || (which >= 5 && which <= 8))
            assert_int_equal(got, 1);
        else
            assert_int_equal(got, 6);
        made_free(&exif);
    }
}

/* Every prefix, every byte set to an odd value. */
static void exif_damaged(void **state)
{
    (void)state;
    static const unsigned char odd[] = {0x00, 0x7F, 0x80, 0xFF};
    for (int which = 0; which < 11; which++) {
        made_file exif = exif_odd(which);
        for (size_t cut = 0; cut < exif.size; cut++)
            exif_of(exif.bytes, cut);
        for (size_t i = 0; i < exif.size; i++)
            for (size_t k = 0; k < sizeof odd; k++) {
                unsigned char kept = exif.bytes[i];
                exif.bytes[i] = odd[k];
                exif_of(exif.bytes, exif.size);
                exif.bytes[i] = kept;
            }
        made_free(&exif);
    }
}

static long exif_peak_kb(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* As large as an APP1 segment gets: a maker's note of which every entry claims nearly all of it.
   Nobody unpacks it. The directories stand at the front or at the very end. */
static void exif_huge(void **state)
{
    (void)state;
    for (int is_last = 0; is_last < 2; is_last++) {
        const size_t most = 65533 - 6;
        uint32_t first = is_last ? (uint32_t)most - 60 : 8, note = is_last ? 8 : 68;
        made_file f = {0}, front = {0};
        made_u16(&f, true, 2);
        made_entry(&f, true, 0x0112, 3, 1, 8);
        made_entry(&f, true, 0x8769, 4, 1, first + 30);
        made_u32(&f, true, 0);
        made_u16(&f, true, 1);
        made_entry(&f, true, 0x927C, 7, (uint32_t)most - 68, note);
        made_u32(&f, true, 0);
        while (f.size < 60)
            made_add(&f, "", 1);
        made_file notes = {0};
        made_add(&notes, "Apple iOS\0\0\1MM", 14);
        made_u16(&notes, true, 5000);
        for (unsigned i = 0; i < 5000; i++)
            made_entry(&notes, true, i + 1, 7, 60000, 16);
        while (notes.size < most - 68)
            made_add(&notes, "x", 1);
        made_add(&front, "MM\0*", 4);
        made_u32(&front, true, first);
        made_add(&front, is_last ? notes.bytes : f.bytes, is_last ? notes.size : f.size);
        made_add(&front, is_last ? f.bytes : notes.bytes, is_last ? f.size : notes.size);
        assert_int_equal(front.size, most);
        long before = exif_peak_kb();
        clock_t start = clock();
        assert_int_equal(exif_of(front.bytes, front.size), 8);
        assert_true(clock() - start < CLOCKS_PER_SEC / 2);
        assert_true(exif_peak_kb() - before < 32 * 1024);
        made_free(&f);
        made_free(&notes);
        made_free(&front);
    }
}

/* Broken EXIF leaves the picture as it is stored; out of memory is not taken for broken. */
static void exif_in_files(void **state)
{
    (void)state;
    uint8_t *pixels = exif_picture(TILE, 1);
    long live = fvi_alloc_live();
    for (int which = 0; which < 11; which++) {
        made_file exif = exif_odd(which);
        made_file png = made_png(pixels, TALL * TILE, WIDE * TILE, 1, &exif);
        made_file jpeg =
            made_jpeg(pixels, TALL * TILE, WIDE * TILE, 1, &(made_jpeg_config){.exif = &exif});
        const made_file *file[] = {&png, &jpeg};
        int orientation = exif_of(exif.bytes, exif.size);
        for (int i = 0; i < 2; i++) {
            fv_status status = FV_E_MEMORY;
            for (long k = 1; status != FV_OK; k++) {
                fvi_image image;
                fvi_alloc_fail_at(k);
                status = fvi_image_read(&image, file[i]->bytes, file[i]->size, 0);
                fvi_alloc_fail_at(0);
                if (status == FV_OK)
                    exif_expect(&image, orientation, TILE, 6);
                else
                    CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
                fvi_image_free(&image);
                assert_int_equal(fvi_alloc_live(), live);
            }
        }
        made_free(&png);
        made_free(&jpeg);
        made_free(&exif);
    }
    free(pixels);
}

/* The first EXIF segment counts, XMP before it does not. */
static void exif_among_segments(void **state)
{
    (void)state;
    uint8_t *pixels = exif_picture(TILE, 1);
    made_file exif = made_exif(true, 6), file = {0};
    made_file jpeg =
        made_jpeg(pixels, TALL * TILE, WIDE * TILE, 1, &(made_jpeg_config){.exif = &exif});
    static const unsigned char xmp[] = "\xFF\xE1\0\x09http://", none[] = "\xFF\xE1\0\x02";
    made_add(&file, jpeg.bytes, 2);
    made_add(&file, xmp, 11);
    made_add(&file, none, 4);
    made_add(&file, jpeg.bytes + 2, jpeg.size - 2);
    fvi_image image;
    CHECK_OK(fvi_image_read(&image, file.bytes, file.size, 0));
    exif_expect(&image, 6, TILE, 6);
    fvi_image_free(&image);
    made_free(&file);
    made_free(&jpeg);
    made_free(&exif);
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exif_turns_png), cmocka_unit_test(exif_turns_jpeg),
        cmocka_unit_test(exif_values),    cmocka_unit_test(exif_hostile),
        cmocka_unit_test(exif_damaged),   cmocka_unit_test(exif_huge),
        cmocka_unit_test(exif_in_files),  cmocka_unit_test(exif_among_segments),
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
