/* SPDX-License-Identifier: MIT */
/* Pictures: read from files, resized as Pillow does. */
#include "data_check.h"

/* Bytes that are the same everywhere, so that hashes from elsewhere can be compared. */
static void resize_fill(uint8_t *pixels, size_t count)
{
    uint32_t v = 12345;
    for (size_t i = 0; i < count; i++) {
        v = (v * UINT32_C(1103515245) + 12345) & 0x7FFFFFFF;
        pixels[i] = (uint8_t)(v >> 16);
    }
}

static fv_picture resize_new(int height, int width, int channels)
{
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    fv_picture p = {height, width, channels, malloc(bytes)};
    assert_non_null(p.pixels);
    resize_fill(p.pixels, bytes);
    return p;
}

/* ---- the judge: both axes at once in double, rounded once ---- */

static double resize_weight(int in, int out, int o, int i)
{
    double step = (double)in / out, reach = step > 1 ? step : 1;
    double x = (i + 0.5 - (o + 0.5) * step) / reach;
    x = x < 0 ? -x : x;
    return x < 1 ? 1 - x : 0;
}

static double resize_reference(const fv_picture *p, int H, int W, int h, int w, int c)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < p->height; i++) {
        double down = resize_weight(p->height, H, h, i);
        for (int k = 0; down > 0 && k < p->width; k++) {
            double weight = down * resize_weight(p->width, W, w, k);
            sum += weight * p->pixels[(i * p->width + k) * p->channels + c];
            weights += weight;
        }
    }
    return sum / weights;
}

static void resize_check_one(int h, int w, int c, int H, int W)
{
    fv_picture in = resize_new(h, w, c), out;
    CHECK_OK(fv_picture_resize(&out, &in, H, W));
    assert_int_equal(out.height, H);
    assert_int_equal(out.width, W);
    assert_int_equal(out.channels, c);
    for (int i = 0; i < H * W * c; i++) {
        double right = resize_reference(&in, H, W, i / c / W, i / c % W, i % c);
        double off = out.pixels[i] - right;
        /* half a step for each of two roundings, and a little for weights in 22 bits */
        if (off > 1.01 || off < -1.01)
            fail_msg("%dx%dx%d to %dx%d, element %d: %d, expected %.3f", h, w, c, H, W, i,
                     out.pixels[i], right);
    }
    fv_picture_free(&out);
    free(in.pixels);
}

static void resize_against_reference(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 150; i++) {
        int size[5];
        for (uint32_t k = 0; k < 5; k++)
            size[k] = 1 + fvi_rng_int(4, FVI_RNG_TEST, k, i, i < 100 ? 12 : 40);
        resize_check_one(size[0], size[1], size[2] % 2 ? 3 : 1, size[3], size[4]);
    }
}

/* FNV-1a of what Pillow 9.4.0 makes: Image.resize((W, H), Image.BILINEAR) of modes L and RGB. */
static void resize_as_pillow(void **state)
{
    (void)state;
    static const struct {
        int h, w, c, H, W;
        uint64_t hash;
    } rows[] = {
        {5, 7, 1, 3, 4, UINT64_C(0x0e2a41f97631b8b2)},
        {28, 28, 1, 64, 64, UINT64_C(0xfd2dea670e6960eb)},
        {100, 100, 3, 64, 64, UINT64_C(0xb1e0a6e76da263ff)},
        {64, 48, 3, 7, 101, UINT64_C(0x50b26f4e950b171a)},
        {3, 2, 3, 1, 1, UINT64_C(0x37804f1ae5a45a6c)},
        {1, 1, 1, 5, 9, UINT64_C(0x59234708a838961b)},
        {37, 91, 1, 36, 92, UINT64_C(0x5708f2205a316dad)},
        {120, 1, 3, 11, 1, UINT64_C(0x1c15279fce6217fa)},
        {2, 300, 1, 2, 28, UINT64_C(0x0d25ce6569eb77bd)},
    };
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        fv_picture in = resize_new(rows[i].h, rows[i].w, rows[i].c), out;
        CHECK_OK(fv_picture_resize(&out, &in, rows[i].H, rows[i].W));
        if (check_hash(out.pixels, (size_t)(rows[i].H * rows[i].W * rows[i].c)) != rows[i].hash)
            fail_msg("%dx%dx%d to %dx%d is not as Pillow makes it", rows[i].h, rows[i].w, rows[i].c,
                     rows[i].H, rows[i].W);
        fv_picture_free(&out);
        free(in.pixels);
    }
}

static void resize_to_itself(void **state)
{
    (void)state;
    fv_picture in = resize_new(33, 17, 3), out;
    CHECK_OK(fv_picture_resize(&out, &in, 33, 17));
    assert_ptr_not_equal(out.pixels, in.pixels);
    assert_memory_equal(out.pixels, in.pixels, 33 * 17 * 3);
    fv_picture_free(&out);
    free(in.pixels);
}

/* One colour stays that colour, 0 and 255 as well: weights add up to 1 after rounding too. */
static void resize_flat(void **state)
{
    (void)state;
    static const uint8_t colours[] = {0, 1, 127, 254, 255};
    for (size_t k = 0; k < sizeof colours; k++) {
        fv_picture in = resize_new(301, 77, 1), out;
        memset(in.pixels, colours[k], 301 * 77);
        CHECK_OK(fv_picture_resize(&out, &in, 64, 200));
        for (int i = 0; i < 64 * 200; i++)
            assert_int_equal(out.pixels[i], colours[k]);
        fv_picture_free(&out);
        free(in.pixels);
    }
}

static void resize_extreme(void **state)
{
    (void)state;
    fv_picture in = resize_new(65535, 1, 1), out;
    memset(in.pixels, 255, 65535);
    CHECK_OK(fv_picture_resize(&out, &in, 1, 1));
    assert_int_equal(out.pixels[0], 255);
    fv_picture_free(&out);
    in.height = 1;
    in.width = 1;
    CHECK_OK(fv_picture_resize(&out, &in, 1, 65535));
    assert_int_equal(out.pixels[65534], 255);
    fv_picture_free(&out);
    free(in.pixels);
}

static void resize_refuses(void **state)
{
    (void)state;
    fv_picture in = resize_new(4, 4, 1), out = {0}, none = {4, 4, 1, NULL}, flat = in;
    static const int bad[][2] = {{0, 4}, {4, 0}, {-1, 4}, {4, 65536}, {INT32_MAX, INT32_MAX}};
    for (size_t i = 0; i < FVI_COUNT(bad); i++)
        CHECK_FAILS(fv_picture_resize(&out, &in, bad[i][0], bad[i][1]), FV_E_ARG,
                    "expected sides of 1 to 65535");
    CHECK_FAILS(fv_picture_resize(&out, &in, 65535, 65535), FV_E_MEMORY, "pixels");
    CHECK_FAILS(fv_picture_resize(NULL, &in, 2, 2), FV_E_ARG, "out is NULL");
    CHECK_FAILS(fv_picture_resize(&out, NULL, 2, 2), FV_E_ARG, "in is NULL");
    CHECK_FAILS(fv_picture_resize(&in, &in, 2, 2), FV_E_ARG, "the same");
    CHECK_FAILS(fv_picture_resize(&out, &none, 2, 2), FV_E_ARG, "no pixels");
    flat.channels = 0;
    CHECK_FAILS(fv_picture_resize(&out, &flat, 2, 2), FV_E_ARG, "4x4x0");
    free(in.pixels);
}

static void resize_memory(void **state)
{
    (void)state;
    static const int to[][2] = {{9, 3}, {5, 9}, {9, 7}, {5, 7}};
    fv_picture in = resize_new(5, 7, 3), out;
    for (size_t i = 0; i < FVI_COUNT(to); i++) {
        long live = fvi_alloc_live(), k = 1;
        for (;; k++) {
            fvi_alloc_fail_at(k);
            fv_status status = fv_picture_resize(&out, &in, to[i][0], to[i][1]);
            fvi_alloc_fail_at(0);
            if (status == FV_OK) break;
            assert_int_equal(status, FV_E_MEMORY);
            assert_null(out.pixels);
            assert_int_equal(fvi_alloc_live(), live);
        }
        assert_true(k > 1);
        fv_picture_free(&out);
        assert_int_equal(fvi_alloc_live(), live);
    }
    free(in.pixels);
}

/* ---- picture files ---- */

static void picture_refuses(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_picture p;
    CHECK_FAILS(fv_picture_read(NULL, "x.png", 0), FV_E_ARG, "picture is NULL");
    CHECK_FAILS(fv_picture_read(&p, NULL, 0), FV_E_ARG, "path is NULL");
    CHECK_FAILS(fv_picture_read(&p, "x.png", 2), FV_E_ARG, "2 channels, expected 1, 3, or 0");
    CHECK_FAILS(fv_picture_read(&p, "/tmp/no such picture.png", 3), FV_E_IO, "no such picture.png");
    CHECK_FAILS(fv_picture_read(&p, "/tmp", 3), FV_E_IO, "/tmp");
    folder_begin();
    folder_put("a.png", "GIF89a", 6);
    CHECK_FAILS(fv_picture_read(&p, folder_path(path, "a.png"), 0), FV_E_FORMAT, "a.png\": ");
    assert_null(p.pixels);
    fv_picture_free(&p);
    fv_picture_free(NULL);
    folder_end();
}

static void picture_reads(void **state)
{
    (void)state;
#ifdef FVI_WITH_IMAGE
    char path[FOLDER_PATH];
    fvi_save *save;
    fv_picture p, in = resize_new(6, 5, 1);
    long live = fvi_alloc_live();
    folder_begin();
    CHECK_OK(fvi_save_begin(&save, folder_path(path, "grey.jpg"))); /* content decides, not name */
    CHECK_OK(fvi_image_write_png(save, &(fvi_image){6, 5, 1, in.pixels}));
    CHECK_OK(fvi_save_commit(save));
    for (int channels = 0; channels <= 3; channels += channels == 1 ? 2 : 1) {
        CHECK_OK(fv_picture_read(&p, path, channels));
        assert_int_equal(p.height, 6);
        assert_int_equal(p.width, 5);
        assert_int_equal(p.channels, channels == 3 ? 3 : 1);
        for (int i = 0; i < 6 * 5 * p.channels; i++)
            assert_int_equal(p.pixels[i], in.pixels[i / p.channels]);
        fv_picture_free(&p);
        assert_null(p.pixels);
    }
    folder_end();
    assert_int_equal(fvi_alloc_live(), live);
    free(in.pixels);
#else
    print_message("skipped: picture files, built without PNG and JPEG\n");
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_against_reference),
        cmocka_unit_test(resize_as_pillow),
        cmocka_unit_test(resize_to_itself),
        cmocka_unit_test(resize_flat),
        cmocka_unit_test(resize_extreme),
        cmocka_unit_test(resize_refuses),
        cmocka_unit_test(resize_memory),
        cmocka_unit_test(picture_refuses),
        cmocka_unit_test(picture_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
