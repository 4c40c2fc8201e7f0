/* SPDX-License-Identifier: MIT */
/* What a network sees of a picture file: sizes, shapes, channels, and large photos decoded
   small. */
#include "data_check.h"

#if defined(FVI_WITH_IMAGE) && defined(FVI_WITH_ZLIB)

#include "image_made.h"

#include <math.h>

static void picture_fill(uint8_t *pixels, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)fvi_rng_int(seed, FVI_RNG_TEST, 7, i, 256);
}

static fv_picture picture_noise(int height, int width, int channels, uint64_t seed)
{
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    fv_picture p = {height, width, channels, malloc(bytes)};
    assert_non_null(p.pixels);
    picture_fill(p.pixels, bytes, seed);
    return p;
}

static int picture_between(uint64_t seed, uint64_t index, int low, int high)
{
    return low + fvi_rng_int(seed, FVI_RNG_TEST, 1, index, high - low + 1);
}

/* ---- names ---- */

static void resize_names(void **state)
{
    (void)state;
    fv_resize resize = FV_RESIZE_CROP;
    const char *nearest = "x";
    static const char *const names[] = {"stretch", "pad", "crop"};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(fv_resize_name((fv_resize)i), names[i]);
        assert_true(fv_resize_find(names[i], &resize, &nearest));
        assert_int_equal(resize, i);
        assert_null(nearest);
        assert_true(fv_resize_find(names[i], NULL, NULL));
    }
    assert_null(fv_resize_name((fv_resize)3));
    assert_false(fv_resize_find("strech", &resize, &nearest));
    assert_string_equal(nearest, "stretch");
    assert_int_equal(resize, FV_RESIZE_CROP);
    assert_false(fv_resize_find("Pad", &resize, NULL));
    assert_false(fv_resize_find("fit the whole of it", &resize, &nearest));
    assert_null(nearest);
    assert_false(fv_resize_find(NULL, &resize, &nearest));
    assert_null(nearest);
}

/* ---- shapes ---- */

/* Keras's way: pad or crop in doubles, then resize. */
static fv_picture picture_framed(const fv_picture *in, int height, int width, fv_resize resize)
{
    int tall = (int)((double)in->width * height / width);
    int wide = (int)((double)in->height * width / height);
    int H = in->height, W = in->width, C = in->channels;
    if (resize == FV_RESIZE_PAD) {
        H = tall > H ? tall : H;
        W = wide > W ? wide : W;
    } else if (resize == FV_RESIZE_CROP) {
        H = tall < H ? tall : H;
        W = wide < W ? wide : W;
        H = H > 1 ? H : 1;
        W = W > 1 ? W : 1;
    }
    int top = abs(H - in->height) / 2, left = abs(W - in->width) / 2;
    fv_picture framed = {H, W, C, calloc((size_t)H * (size_t)W, (size_t)C)};
    assert_non_null(framed.pixels);
    int sign = resize == FV_RESIZE_PAD ? -1 : 1;
    for (int h = 0; h < H; h++)
        for (int w = 0; w < W; w++) {
            int y = h + sign * top, x = w + sign * left;
            if (y < 0 || y >= in->height || x < 0 || x >= in->width) continue;
            memcpy(framed.pixels + (h * W + w) * C, in->pixels + (y * in->width + x) * C,
                   (size_t)C);
        }
    return framed;
}

/* The same bytes as framing first. */
static void picture_as_keras(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        int most = i % 3 == 0 ? 90 : 20, C = i % 2 ? 3 : 1;
        fv_picture in =
            picture_noise(picture_between(i, 0, 1, most), picture_between(i, 1, 1, most), C, i);
        int H = picture_between(i, 2, 1, 30), W = picture_between(i, 3, 1, 30);
        uint8_t got[30 * 30 * 3];
        for (fv_resize resize = FV_RESIZE_STRETCH; resize <= FV_RESIZE_CROP; resize++) {
            fv_picture framed = picture_framed(&in, H, W, resize), right;
            CHECK_OK(fv_picture_resize(&right, &framed, H, W));
            CHECK_OK(fvi_picture_fit(got, &in, NULL, H, W, resize));
            if (memcmp(got, right.pixels, (size_t)(H * W * C)) != 0)
                fail_msg("%dx%dx%d to %dx%d, %s", in.height, in.width, C, H, W,
                         fv_resize_name(resize));
            fv_picture_free(&right);
            free(framed.pixels);
        }
        free(in.pixels);
    }
}

/* A white square in a wide picture: black beside it, or the middle alone. */
static void picture_shapes(void **state)
{
    (void)state;
    fv_picture wide = {4, 8, 1, (uint8_t[32]){0}};
    uint8_t got[16];
    for (int i = 0; i < 32; i++)
        wide.pixels[i] = i % 8 < 2 ? 50 : i % 8 < 6 ? 100 : 200;
    CHECK_OK(fvi_picture_fit(got, &wide, NULL, 4, 4, FV_RESIZE_CROP));
    for (int i = 0; i < 16; i++)
        assert_int_equal(got[i], 100);
    fv_picture white = {4, 8, 1, (uint8_t[32]){0}};
    memset(white.pixels, 255, 32);
    CHECK_OK(fvi_picture_fit(got, &white, NULL, 4, 4, FV_RESIZE_PAD));
    for (int h = 0; h < 4; h++) /* each row is 2 of 8: half a row bleeds over the border */
        assert_int_equal(got[4 * h + 1], h == 0 || h == 3 ? 36 : 223);
}

/* A very long picture costs neither time nor memory by its frame. */
static void picture_long(void **state)
{
    (void)state;
    fv_picture in = picture_noise(65535, 1, 1, 1);
    uint8_t got[64 * 64];
    CHECK_OK(fvi_picture_fit(got, &in, NULL, 64, 64, FV_RESIZE_PAD));
    assert_int_equal(got[31], 0); /* one white column in 65,535 is not seen */
    CHECK_OK(fvi_picture_fit(got, &in, NULL, 64, 64, FV_RESIZE_CROP));
    assert_int_equal(got[0], in.pixels[65534 / 2]);
    CHECK_FAILS(fvi_picture_fit(got, &in, NULL, 1, 4096, FV_RESIZE_PAD), FV_E_MEMORY, "padded to");
    free(in.pixels);
}

/* ---- files ---- */

static void picture_loads(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    long live = fvi_alloc_live();
    folder_begin();
    for (int i = 0; i < 24; i++) {
        int stored = (int[]){1, 3, 1, 3}[i % 4], channels = (int[]){1, 3, 3, 1}[i % 4];
        fv_resize resize = (fv_resize)(i / 4 % 3);
        fv_picture in = picture_noise(37, 21, stored, 5), read, right, got;
        made_file exif = made_exif(true, 6);
        made_file file = made_png(in.pixels, 37, 21, stored, i < 12 ? NULL : &exif);
        folder_put("a.jpg", file.bytes, file.size);
        CHECK_OK(fv_picture_load(&got, folder_path(path, "a.jpg"), 16, 24, channels, resize));
        CHECK_OK(fv_picture_read(&read, path, channels));
        assert_int_equal(read.height, i < 12 ? 37 : 21);
        fv_picture framed = picture_framed(&read, 16, 24, resize);
        CHECK_OK(fv_picture_resize(&right, &framed, 16, 24));
        assert_int_equal(got.height, 16);
        assert_int_equal(got.width, 24);
        assert_int_equal(got.channels, channels);
        assert_memory_equal(got.pixels, right.pixels, 16 * 24 * (size_t)channels);
        fv_picture_free(&got);
        fv_picture_free(&read);
        fv_picture_free(&right);
        free(framed.pixels);
        free(in.pixels);
        made_free(&file);
        made_free(&exif);
    }
    folder_end();
    assert_int_equal(fvi_alloc_live(), live);
}

static void picture_refuses(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_picture p = {1, 1, 1, (uint8_t *)path}; /* must be overwritten */
    CHECK_FAILS(fv_picture_load(NULL, "x.png", 8, 8, 3, FV_RESIZE_PAD), FV_E_ARG, "out is NULL");
    CHECK_FAILS(fv_picture_load(&p, NULL, 8, 8, 3, FV_RESIZE_PAD), FV_E_ARG, "path is NULL");
    assert_null(p.pixels);
    CHECK_FAILS(fv_picture_load(&p, "x.png", 8, 8, 0, FV_RESIZE_PAD), FV_E_ARG, "0 channels");
    CHECK_FAILS(fv_picture_load(&p, "x.png", 0, 8, 1, FV_RESIZE_PAD), FV_E_ARG, "0x8");
    CHECK_FAILS(fv_picture_load(&p, "x.png", 8, 65536, 1, FV_RESIZE_PAD), FV_E_ARG, "8x65536");
    CHECK_FAILS(fv_picture_load(&p, "x.png", 8, 8, 1, (fv_resize)3), FV_E_ARG, "no way 3");
    CHECK_FAILS(fv_picture_load(&p, "/tmp/no such.png", 8, 8, 1, FV_RESIZE_PAD), FV_E_IO,
                "no such.png");
    folder_begin();
    folder_put("a.png", "<html>", 6);
    CHECK_FAILS(fv_picture_load(&p, folder_path(path, "a.png"), 8, 8, 1, FV_RESIZE_PAD),
                FV_E_FORMAT, "a.png\": no PNG or JPEG");
    assert_null(p.pixels);
    folder_end();
}

static void picture_writes(void **state)
{
    (void)state;
    char path[FOLDER_PATH], other[FOLDER_PATH];
    long live = fvi_alloc_live();
    folder_begin();
    folder_path(path, "a.png");
    for (int C = 1; C <= 3; C += 2) {
        fv_picture in = picture_noise(9, 31, C, 3), back;
        CHECK_OK(fv_picture_write_png(&in, path));
        CHECK_OK(fv_picture_read(&back, path, 0));
        assert_int_equal(back.height, 9);
        assert_int_equal(back.width, 31);
        assert_int_equal(back.channels, C);
        assert_memory_equal(back.pixels, in.pixels, 9 * 31 * (size_t)C);
        fv_picture_free(&back);
        fv_picture two = {9, 31, 2, in.pixels}, flat = {0, 31, 1, in.pixels},
                   none = {9, 31, 1, NULL};
        CHECK_FAILS(fv_picture_write_png(&two, folder_path(other, "b.png")), FV_E_ARG, "channels");
        CHECK_FAILS(fv_picture_write_png(&flat, other), FV_E_ARG, "31x0");
        CHECK_FAILS(fv_picture_write_png(&none, other), FV_E_ARG, "no pixels");
        CHECK_FAILS(fv_picture_write_png(NULL, other), FV_E_ARG, "picture is NULL");
        CHECK_FAILS(fv_picture_write_png(&in, NULL), FV_E_ARG, "path is NULL");
        CHECK_FAILS(fv_picture_write_png(&in, "/tmp/no such folder/b.png"), FV_E_IO, "no such");
        assert_false(fvi_file_exists(other));
        free(in.pixels);
    }
    folder_end(); /* and no temporary is left in it */
    assert_int_equal(fvi_alloc_live(), live);
}

/* ---- photos ---- */

/* Soft shapes with fine grain, as photos have. */
static uint8_t *picture_photo(int H, int W, int C)
{
    uint8_t *pixels = malloc((size_t)H * (size_t)W * (size_t)C);
    assert_non_null(pixels);
    for (int h = 0; h < H; h++)
        for (int w = 0; w < W; w++)
            for (int c = 0; c < C; c++) {
                double soft = sin(0.011 * h + c) * cos(0.017 * w - c) + 0.4 * sin(0.13 * (h + w));
                uint32_t grain = (uint32_t)(h * 7919 + w * 104729 + c) * UINT32_C(2654435761) >> 28;
                pixels[((size_t)h * (size_t)W + (size_t)w) * (size_t)C + (size_t)c] =
                    (uint8_t)(120 + 70 * soft + (double)grain);
            }
    return pixels;
}

/* Both sides stay at least as asked, and are as small as 1/2, 1/4, 1/8 allow. */
static void photo_small_enough(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 60; i++) {
        int H = picture_between(i, 0, 1, 200), W = picture_between(i, 1, 1, 200);
        int least_height = picture_between(i, 2, 1, 120),
            least_width = picture_between(i, 3, 1, 60);
        uint8_t *pixels = picture_photo(H, W, 3);
        made_file file = made_jpeg(pixels, H, W, 3, &(made_jpeg_config){0});
        fvi_image image;
        fvi_image_scale scale;
        CHECK_OK(fvi_image_read_small(&image, &scale, file.bytes, file.size, 3, least_height,
                                      least_width));
        int shrink = 1;
        while (shrink < 8 && H / (2 * shrink) >= least_height && W / (2 * shrink) >= least_width)
            shrink *= 2;
        assert_int_equal(image.height, (H + shrink - 1) / shrink);
        assert_int_equal(image.width, (W + shrink - 1) / shrink);
        assert_int_equal(scale.shrink, shrink);
        assert_int_equal(scale.height, H);
        assert_int_equal(scale.width, W);
        fvi_image_free(&image);
        free(pixels);
        made_free(&file);
    }
}

/* A photo decoded small is nearly what it is decoded whole. */
static void photo_nearly_the_same(void **state)
{
    (void)state;
    static const int size[][2] = {{600, 800}, {1063, 777}, {520, 1501}};
    for (size_t i = 0; i < FVI_COUNT(size) * 24; i++) {
        int H = size[i / 24][0], W = size[i / 24][1], C = i % 2 ? 3 : 1;
        fv_resize resize = (fv_resize)(i / 2 % 3);
        uint8_t *pixels = picture_photo(H, W, C), got[64 * 64 * 3], right[64 * 64 * 3];
        made_file exif = made_exif(true, (unsigned)(i / 3 % 8 + 1));
        made_file file =
            made_jpeg(pixels, H, W, C, &(made_jpeg_config){.quality = 90, .exif = &exif});
        fvi_image image;
        CHECK_OK(fvi_image_read(&image, file.bytes, file.size, C));
        const fv_picture whole = {image.height, image.width, image.channels, image.pixels};
        CHECK_OK(fvi_picture_fit(right, &whole, NULL, 64, 64, resize));
        CHECK_OK(fvi_picture_decode(got, file.bytes, file.size, 64, 64, C, resize));
        int most = 0, sum = 0, n = 64 * 64 * C;
        for (int k = 0; k < n; k++) {
            int off = abs(got[k] - right[k]);
            most = off > most ? off : most;
            sum += off;
        }
        if (most > 6 || sum > n)
            fail_msg("%dx%dx%d, %s: off by up to %d, %.2f on average", H, W, C,
                     fv_resize_name(resize), most, (double)sum / n);
        assert_true(sum > 0); /* it was decoded small */
        fvi_image_free(&image);
        free(pixels);
        made_free(&file);
        made_free(&exif);
    }
}

/* ---- many at once ---- */

typedef struct picture_job {
    const made_file *file;
    uint8_t *out; /* [n,24,24,3] */
} picture_job;

static void picture_task(void *context, size_t task)
{
    const picture_job *job = context;
    const made_file *file = &job->file[task % 4];
    if (fvi_picture_decode(job->out + task * 24 * 24 * 3, file->bytes, file->size, 24, 24, 3,
                           (fv_resize)(task % 3)) != FV_OK)
        memset(job->out + task * 24 * 24 * 3, 1, 24 * 24 * 3);
}

/* As many threads as like may decode; each picture is what one thread makes of it. */
static void picture_threads(void **state)
{
    (void)state;
    enum { N = 48 };
    uint8_t *pixels = picture_photo(200, 150, 3);
    made_file exif = made_exif(false, 8), file[4];
    file[0] = made_png(pixels, 40, 30, 3, &exif);
    file[1] = made_jpeg(pixels, 200, 150, 3, &(made_jpeg_config){.exif = &exif});
    file[2] = made_jpeg(pixels, 100, 90, 1, &(made_jpeg_config){.is_progressive = true});
    file[3] = made_png(pixels, 60, 90, 1, NULL);
    picture_job alone = {file, calloc(N, 24 * 24 * 3)}, many = {file, calloc(N, 24 * 24 * 3)};
    assert_true(alone.out && many.out);
    fvi_threads *threads;
    CHECK_OK(fvi_threads_new(&threads, 4));
    fvi_parallel_for(NULL, N, picture_task, &alone);
    fvi_parallel_for(threads, N, picture_task, &many);
    fvi_threads_free(threads);
    assert_memory_equal(alone.out, many.out, (size_t)N * 24 * 24 * 3);
    for (size_t i = 0; i < 4; i++) {
        assert_int_not_equal(alone.out[i * 24 * 24 * 3 + 12 * 24 * 3 + 36], 1);
        made_free(&file[i]);
    }
    made_free(&exif);
    free(alone.out);
    free(many.out);
    free(pixels);
}

static void picture_memory(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_picture in = picture_noise(30, 20, 3, 1), p;
    made_file exif = made_exif(true, 3), file = made_png(in.pixels, 30, 20, 3, &exif);
    folder_begin();
    folder_put("a.png", file.bytes, file.size);
    folder_path(path, "a.png");
    long live = fvi_alloc_live(), k = 1;
    for (;; k++) {
        fvi_alloc_fail_at(k);
        fv_status status = fv_picture_load(&p, path, 7, 9, 1, FV_RESIZE_PAD);
        fvi_alloc_fail_at(0);
        if (status == FV_OK) break;
        CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
        assert_null(p.pixels);
        assert_int_equal(fvi_alloc_live(), live);
    }
    assert_true(k > 8);
    fv_picture_free(&p);
    assert_int_equal(fvi_alloc_live(), live);
    folder_end();
    made_free(&file);
    made_free(&exif);
    free(in.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_names),          cmocka_unit_test(picture_as_keras),
        cmocka_unit_test(picture_shapes),        cmocka_unit_test(picture_long),
        cmocka_unit_test(picture_loads),         cmocka_unit_test(picture_refuses),
        cmocka_unit_test(picture_writes),        cmocka_unit_test(photo_small_enough),
        cmocka_unit_test(photo_nearly_the_same), cmocka_unit_test(picture_threads),
        cmocka_unit_test(picture_memory),
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
