/* SPDX-License-Identifier: MIT */
/* A small good file of each format: no part of it is taken for the whole, and no damage does
   harm. */
#include "zip_made.h"

#include "fuzz_formats.c"

#ifdef FVI_WITH_ZLIB
#include <zlib.h>
#endif
#ifdef FVI_WITH_IMAGE
#include <jpeglib.h>
#endif

#define MUTATIONS 5000 /* of each seed */

typedef struct seed_file {
    const char *name;
    unsigned char *bytes;
    size_t size;
} seed_file;

static seed_file seeds[16];
static size_t seed_count;

static void seed_add(const char *name, const void *bytes, size_t size)
{
    assert_true(seed_count < FVI_COUNT(seeds));
    seeds[seed_count++] = (seed_file){name, check_exact(bytes, size), size};
}

/* ---- seeds ---- */

static const unsigned char seed_idx[] = {0, 0, 0x0B, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0,
                                         0, 1, 0,    1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};

static void seed_add_gzip(void)
{
#ifdef FVI_WITH_ZLIB
    unsigned char out[256];
    z_stream stream = {.next_in = (z_const Bytef *)seed_idx,
                       .avail_in = sizeof seed_idx,
                       .next_out = out,
                       .avail_out = sizeof out};
    gz_header header = {.name = (Bytef *)"labels", .hcrc = 1};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflateSetHeader(&stream, &header), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    seed_add("gzip", out, stream.total_out);
    deflateEnd(&stream);
#endif
}

static void seed_add_npy(void)
{
    const fv_shape shape = {3, {2, 3, 4}};
    fvi_text text = {0};
    CHECK_OK(fvi_npy_head_write(&text, &shape, FV_INT16));
    for (int i = 0; i < 48; i++)
        fvi_text_add(&text, "%c", 'A' + i);
    CHECK_OK(text.status);
    seed_add("NPY", text.data, text.size);
    memcpy(strstr(text.data + 10, "False"), "True ", 5);
    seed_add("column-major NPY", text.data, text.size);
    fvi_text_free(&text);
}

static void seed_add_zip(void)
{
#ifdef FVI_WITH_ZIP
    char path[128];
    static const uint8_t numbers[6] = {1, 2, 3, 4, 5, 6};
    unsigned char *bytes;
    size_t size;
    fvi_zip_save *save;
    made_zip made = made_two();
    made.member[1].flags = 8;
    made_write(&made, check_path(path, "seed.zip"));
    CHECK_OK(fvi_file_read(&bytes, &size, path, 65536));
    seed_add("zip", bytes, size);
    fvi_free(bytes);
    CHECK_OK(fvi_zip_save_begin(&save, path));
    CHECK_OK(fvi_npz_save_add(save, "x", &(fv_shape){2, {2, 3}}, FV_UINT8, NULL, (void *)numbers));
    CHECK_OK(fvi_npz_save_add(save, "y", &(fv_shape){1, {1}}, FV_INT16, NULL, (void *)numbers));
    CHECK_OK(fvi_zip_save_commit(save));
    CHECK_OK(fvi_file_read(&bytes, &size, path, 65536));
    seed_add("NPZ", bytes, size);
    fvi_free(bytes);
#endif
}

static void seed_add_images(void)
{
#ifdef FVI_WITH_IMAGE
    char path[128];
    unsigned char pixels[7 * 9 * 3], *bytes = NULL;
    for (int i = 0; i < 7 * 9 * 3; i++)
        pixels[i] = (unsigned char)(i * i / 50);
    fvi_save *save;
    size_t size;
    CHECK_OK(fvi_save_begin(&save, check_path(path, "seed.png")));
    CHECK_OK(fvi_image_write_png(save, &(fvi_image){7, 9, 3, pixels}));
    CHECK_OK(fvi_save_commit(save));
    CHECK_OK(fvi_file_read(&bytes, &size, path, 65536));
    seed_add("PNG", bytes, size);
    fvi_free(bytes);
    for (int progressive = 0; progressive < 2; progressive++) {
        struct jpeg_compress_struct jpeg;
        struct jpeg_error_mgr error;
        unsigned long jpeg_size = 0;
        bytes = NULL;
        jpeg.err = jpeg_std_error(&error);
        jpeg_create_compress(&jpeg);
        jpeg_mem_dest(&jpeg, &bytes, &jpeg_size);
        jpeg.image_width = 9;
        jpeg.image_height = 7;
        jpeg.input_components = 3;
        jpeg.in_color_space = JCS_RGB;
        jpeg_set_defaults(&jpeg);
        if (progressive) jpeg_simple_progression(&jpeg);
        jpeg_start_compress(&jpeg, TRUE);
        while (jpeg.next_scanline < 7) {
            JSAMPROW row = pixels + 27 * jpeg.next_scanline;
            jpeg_write_scanlines(&jpeg, &row, 1);
        }
        jpeg_finish_compress(&jpeg);
        jpeg_destroy_compress(&jpeg);
        seed_add(progressive ? "progressive JPEG" : "JPEG", bytes, jpeg_size);
        free(bytes);
    }
#endif
}

static int seeds_make(void **state)
{
    (void)state;
    static const char json[] = "{\"a\": [1, -2.5e3, true, null, \"\\u00e9\\\"\\n\xc3\xa9\"], "
                               "\"b\": {\"c\": {}, \"d\": [[], [0]]}}";
    size_t size;
    unsigned char *bytes = check_golden("formats_small.safetensors", &size);
    seed_add("safetensors", bytes, size);
    fvi_free(bytes);
    seed_add("JSON", json, sizeof json - 1);
    seed_add("IDX", seed_idx, sizeof seed_idx);
    seed_add_gzip();
    seed_add_npy();
    seed_add_zip();
    seed_add_images();
    return 0;
}

static int seeds_free(void **state)
{
    (void)state;
    static const char *const made[] = {"seed.png", "seed.zip"};
    check_cleanup(made, FVI_COUNT(made));
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    return fvi_alloc_live() != 0;
}

/* ---- what is done to them ---- */

static int accepted(const unsigned char *bytes, size_t size)
{
    long live = fvi_alloc_live();
    unsigned char *exact = check_exact(bytes, size);
    int count = fuzz_formats_accepted(exact, size);
    free(exact);
    assert_int_equal(fvi_alloc_live(), live);
    return count;
}

static void whole_and_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < seed_count; i++) {
        if (accepted(seeds[i].bytes, seeds[i].size) != 1)
            fail_msg("%s: the whole file: %s", seeds[i].name, fv_error());
        for (size_t size = 0; size < seeds[i].size; size++)
            if (accepted(seeds[i].bytes, size) != 0)
                fail_msg("%s: %zu of %zu bytes were accepted", seeds[i].name, size, seeds[i].size);
    }
}

static void each_byte(void **state)
{
    (void)state;
    static const unsigned char value[] = {0x00, 0x7F, 0x80, 0xFF};
    for (size_t i = 0; i < seed_count; i++)
        for (size_t at = 0; at < seeds[i].size; at++) {
            unsigned char old = seeds[i].bytes[at];
            for (size_t v = 0; v < FVI_COUNT(value); v++) {
                seeds[i].bytes[at] = value[v];
                accepted(seeds[i].bytes, seeds[i].size);
            }
            seeds[i].bytes[at] = old;
        }
}

static int draw(uint64_t seed, uint32_t *at, int below)
{
    return fvi_rng_int(seed, FVI_RNG_TEST, 9, (*at)++, below);
}

/* One to six changes: a byte, a bit, a run copied from elsewhere, a piece taken out, an end cut
   off. */
static size_t mutate(unsigned char *bytes, size_t size, uint64_t seed)
{
    uint32_t at = 0;
    for (int changes = draw(seed, &at, 6) + 1; changes > 0 && size > 1; changes--) {
        size_t place = (size_t)draw(seed, &at, (int)size);
        size_t other = (size_t)draw(seed, &at, (int)size);
        size_t room = size - (place > other ? place : other);
        size_t run = (size_t)draw(seed, &at, 16) + 1;
        if (run > room) run = room;
        switch (draw(seed, &at, 5)) {
        case 0:
            bytes[place] = (unsigned char)draw(seed, &at, 256);
            break;
        case 1:
            bytes[place] ^= (unsigned char)(1 << draw(seed, &at, 8));
            break;
        case 2:
            memmove(bytes + place, bytes + other, run);
            break;
        case 3:
            memmove(bytes + place, bytes + place + run, size - place - run);
            size -= run;
            break;
        default:
            if (draw(seed, &at, 4) == 0) size = place + 1;
            break;
        }
    }
    return size;
}

static void mutations(void **state)
{
    (void)state;
    int taken = 0;
    for (size_t i = 0; i < seed_count; i++)
        for (uint64_t k = 0; k < MUTATIONS; k++) {
            unsigned char *copy = check_exact(seeds[i].bytes, seeds[i].size);
            size_t size = mutate(copy, seeds[i].size, (uint64_t)i << 32 | k);
            taken += accepted(copy, size) > 0;
            free(copy);
        }
    assert_true(taken > 0); /* some changes do not matter; all refused would mean nothing is read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_and_prefixes),
        cmocka_unit_test(each_byte),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, seeds_make, seeds_free);
}
