/* SPDX-License-Identifier: MIT */
/* Augmentation against a plain reference in double, one decision after the other, and the words it
   is asked for with. */
#include "data_check.h"

#include <math.h>

enum { MOST = 40 * 40 * 4 }; /* elements of the largest picture here */

/* The numbers of the decisions: what a seed once gave, it must give again. */
enum {
    FLIP_H,
    FLIP_V,
    ROTATION,
    ZOOM,
    SHIFT_H,
    SHIFT_W,
    PAD_H,
    PAD_W,
    CONTRAST,
    BRIGHTNESS,
    ERASE
};

static double draw(uint64_t seed, uint32_t epoch, int index, int what)
{
    return fvi_rng_uniform(seed, FVI_RNG_AUGMENT, epoch, (uint64_t)index * 16 + (uint64_t)what);
}

static int draw_below(uint64_t seed, uint32_t epoch, int index, int what, int below)
{
    return fvi_rng_int(seed, FVI_RNG_AUGMENT, epoch, (uint64_t)index * 16 + (uint64_t)what, below);
}

static int between(uint64_t i, uint32_t stream, int low, int high)
{
    return low + fvi_rng_int(77, FVI_RNG_TEST, stream, i, high - low + 1);
}

static void noise(uint8_t *bytes, float *floats, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++) {
        bytes[i] = (uint8_t)fvi_rng_int(seed, FVI_RNG_TEST, 3, (uint64_t)i, 256);
        floats[i] = (float)bytes[i] / 51 - 2;
    }
}

/* ---- the judge ---- */

typedef struct judge {
    double pixel[MOST];
    int H, W, C;
} judge;

/* An endless row of reflections, walked step by step. */
static int reflected(int i, int n)
{
    while (i < 0 || i >= n)
        i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
}

static double judge_at(const judge *j, double row, double column, int c)
{
    double sum = 0;
    int top = (int)floor(row), left = (int)floor(column);
    for (int h = top; h <= top + 1; h++)
        for (int w = left; w <= left + 1; w++)
            sum += (1 - fabs(row - h)) * (1 - fabs(column - w)) *
                   j->pixel[(reflected(h, j->H) * j->W + reflected(w, j->W)) * j->C + c];
    return sum;
}

static double judge_mean(const judge *j, int c)
{
    double sum = 0;
    for (int i = 0; i < j->H * j->W; i++)
        sum += j->pixel[i * j->C + c];
    return sum / (j->H * j->W);
}

/* All but erasing: floats, never rounded. range: of brightness. */
static void judge_augment(judge *j, const fv_augment_config *k, uint64_t seed, uint32_t epoch,
                          int index, double range)
{
    static judge in;
    in = *j;
    double turn = (2 * draw(seed, epoch, index, ROTATION) - 1) * k->rotation * 2 * acos(-1.0);
    double zoom = 1 + (2 * draw(seed, epoch, index, ZOOM) - 1) * k->zoom;
    double up = (2 * draw(seed, epoch, index, SHIFT_H) - 1) * k->translation_height * j->H;
    double left = (2 * draw(seed, epoch, index, SHIFT_W) - 1) * k->translation_width * j->W;
    bool is_mirrored = k->flip_horizontal && draw_below(seed, epoch, index, FLIP_H, 2);
    bool is_turned = k->flip_vertical && draw_below(seed, epoch, index, FLIP_V, 2);
    int down = draw_below(seed, epoch, index, PAD_H, 2 * k->pad + 1) - k->pad;
    int across = draw_below(seed, epoch, index, PAD_W, 2 * k->pad + 1) - k->pad;
    for (int h = 0; h < j->H; h++)
        for (int w = 0; w < j->W; w++)
            for (int c = 0; c < j->C; c++) {
                int y = h + down, x = w + across;
                double *out = &j->pixel[(h * j->W + w) * j->C + c];
                *out = 0;
                if (y < 0 || y >= j->H || x < 0 || x >= j->W) continue;
                /* from the middle, y downwards */
                double v = y + 0.5 - j->H / 2.0 - up, u = x + 0.5 - j->W / 2.0 - left;
                v *= zoom;
                u *= zoom;
                double p = u * cos(turn) - v * sin(turn), q = u * sin(turn) + v * cos(turn);
                if (is_mirrored) p = -p;
                if (is_turned) q = -q;
                *out = judge_at(&in, q + j->H / 2.0 - 0.5, p + j->W / 2.0 - 0.5, c);
            }
    double factor = 1 + (2 * draw(seed, epoch, index, CONTRAST) - 1) * k->contrast;
    double delta = (2 * draw(seed, epoch, index, BRIGHTNESS) - 1) * k->brightness * range;
    for (int c = 0; c < j->C; c++) {
        double mean = judge_mean(j, c);
        for (int i = 0; i < j->H * j->W; i++)
            j->pixel[i * j->C + c] = (j->pixel[i * j->C + c] - mean) * factor + mean + delta;
    }
}

static void check_one(const fv_augment_config *k, int H, int W, int C, uint64_t seed)
{
    static judge bytes, floats;
    uint8_t in[MOST] = {0}, out[MOST + 1];
    float in_float[MOST] = {0}, out_float[MOST + 1];
    int n = H * W * C, index = (int)(seed % 1000);
    uint32_t epoch = (uint32_t)(seed % 7);
    noise(in, in_float, n, seed);
    bytes = (judge){.H = H, .W = W, .C = C};
    floats = bytes;
    for (int i = 0; i < n; i++) {
        bytes.pixel[i] = in[i];
        floats.pixel[i] = (double)in_float[i];
    }
    out[n] = 123;
    out_float[n] = 123;
    fvi_augment(out, in, H, W, C, k, seed, epoch, index);
    fvi_augment_float(out_float, in_float, H, W, C, k, seed, epoch, index);
    judge_augment(&bytes, k, seed, epoch, index, 255);
    judge_augment(&floats, k, seed, epoch, index, 1);
    for (int i = 0; i < n; i++) {
        double right = fmin(fmax(bytes.pixel[i], 0), 255);
        /* half a step and an eighth for weights in 11 bits; when tones follow, that widened by the
           contrast, and half a step more */
        double most = k->contrast > 0 || k->brightness > 0 ? 1.5 : 0.63;
        if (fabs(out[i] - right) > most)
            fail_msg("%dx%dx%d, seed %d: byte %d is %d, expected %.3f", H, W, C, (int)seed, i,
                     out[i], right);
        if (fabs((double)out_float[i] - floats.pixel[i]) > 1e-5)
            fail_msg("%dx%dx%d, seed %d: float %d is %f, expected %f", H, W, C, (int)seed, i,
                     (double)out_float[i], floats.pixel[i]);
    }
    assert_int_equal(out[n], 123);
    assert_true(out_float[n] == 123);
}

/* Each option alone and all of them, on any shape. */
static void augment_as_judged(void **state)
{
    (void)state;
    static const fv_augment_config config[] = {
        {0},
        {.flip_horizontal = true},
        {.flip_vertical = true},
        {.rotation = 0.05f},
        {.rotation = 1},
        {.zoom = 0.2f},
        {.zoom = 0.9f},
        {.translation_height = 0.3f},
        {.translation_width = 1},
        {.pad = 4},
        {.contrast = 0.5f},
        {.brightness = 0.4f},
        {.flip_horizontal = true, .flip_vertical = true, .pad = 3},
        {true, true, 0.1f, 0.3f, 0.1f, 0.2f, 2, 0.3f, 0.2f, 0},
    };
    for (uint64_t i = 0; i < 40 * FVI_COUNT(config); i++) {
        int most = i % 3 == 0 ? 5 : 40;
        check_one(&config[i % FVI_COUNT(config)], between(i, 0, 1, most), between(i, 1, 1, most),
                  (int[]){1, 3, 4}[i % 3], i);
    }
}

/* ---- what needs no judge ---- */

static void augment_nothing(void **state)
{
    (void)state;
    uint8_t in[300], out[300];
    float in_float[300], out_float[300];
    const fv_augment_config none = {0};
    noise(in, in_float, 300, 1);
    fvi_augment(out, in, 10, 10, 3, &none, 5, 6, 7);
    fvi_augment_float(out_float, in_float, 10, 10, 3, &none, 5, 6, 7);
    assert_memory_equal(out, in, sizeof in);
    assert_memory_equal(out_float, in_float, sizeof in_float);
    assert_true(fvi_augment_is_none(&none));
    assert_true(fvi_augment_is_none(NULL));
    assert_false(fvi_augment_is_none(&(fv_augment_config){.flip_vertical = true}));
    assert_false(fvi_augment_is_none(&(fv_augment_config){.translation_width = 0.1f}));
    assert_false(fvi_augment_is_none(&(fv_augment_config){.erasing = 0.1f}));
}

/* A flip is a mirror, twice it is nothing, and half of the pictures have it. */
static void augment_flips(void **state)
{
    (void)state;
    uint8_t in[5 * 7 * 3], out[5 * 7 * 3], back[5 * 7 * 3];
    float unused[5 * 7 * 3];
    noise(in, unused, 105, 2);
    for (int is_vertical = 0; is_vertical < 2; is_vertical++) {
        const fv_augment_config k = {.flip_horizontal = !is_vertical, .flip_vertical = is_vertical};
        int flipped = 0;
        for (int index = 0; index < 1000; index++) {
            fvi_augment(out, in, 5, 7, 3, &k, 9, 1, index);
            fvi_augment(back, out, 5, 7, 3, &k, 9, 1, index);
            assert_memory_equal(back, in, 105);
            if (memcmp(out, in, 105) == 0) continue;
            flipped++;
            for (int i = 0; i < 105; i++) {
                int h = i / 21, w = i / 3 % 7;
                int from = is_vertical ? (4 - h) * 7 + w : h * 7 + 6 - w;
                assert_int_equal(out[i], in[from * 3 + i % 3]);
            }
        }
        assert_in_range(flipped, 430, 570); /* 4.4 standard deviations */
    }
}

/* The same arguments, the same bytes; any other seed, epoch or number, others. */
static void augment_is_pure(void **state)
{
    (void)state;
    uint8_t in[48], a[48], b[48];
    float unused[48];
    const fv_augment_config k = {.rotation = 0.2f, .contrast = 0.5f};
    noise(in, unused, 48, 3);
    fvi_augment(a, in, 4, 4, 3, &k, 1, 2, 3);
    fvi_augment(b, in, 4, 4, 3, &k, 1, 2, 3);
    assert_memory_equal(a, b, 48);
    assert_int_equal(check_hash(a, 48),
                     UINT64_C(0xfda683ae439e0d3c)); /* the same on every platform */
    fvi_augment(b, in, 4, 4, 3, &k, 2, 2, 3);
    assert_memory_not_equal(a, b, 48);
    fvi_augment(b, in, 4, 4, 3, &k, 1, 3, 3);
    assert_memory_not_equal(a, b, 48);
    fvi_augment(b, in, 4, 4, 3, &k, 1, 2, 4);
    assert_memory_not_equal(a, b, 48);
}

/* Every corner of the padded picture comes up; what it has not is black. */
static void augment_pads(void **state)
{
    (void)state;
    uint8_t in[64], out[64];
    bool seen[9][9] = {{false}};
    for (int i = 0; i < 64; i++)
        in[i] = (uint8_t)(i + 1);
    for (int index = 0; index < 2000; index++) {
        fvi_augment(out, in, 8, 8, 1, &(fv_augment_config){.pad = 4}, 4, 0, index);
        int at = 0;
        while (out[at] == 0)
            at++;
        int down = (out[at] - 1) / 8 - at / 8, across = (out[at] - 1) % 8 - at % 8;
        assert_in_range(down + 4, 0, 8);
        assert_in_range(across + 4, 0, 8);
        seen[down + 4][across + 4] = true;
        for (int i = 0; i < 64; i++) {
            int h = i / 8 + down, w = i % 8 + across;
            bool is_inside = h >= 0 && h < 8 && w >= 0 && w < 8;
            assert_int_equal(out[i], is_inside ? in[h * 8 + w] : 0);
        }
    }
    for (int i = 0; i < 81; i++)
        assert_true(seen[i / 9][i % 9]);
    fvi_augment(out, in, 8, 8, 1, &(fv_augment_config){.pad = 4096}, 4, 0, 1); /* all black */
}

static void augment_erases(void **state)
{
    (void)state;
    uint8_t in[32 * 24], out[32 * 24], dot = 9;
    int erased = 0;
    for (int i = 0; i < 32 * 24; i++)
        in[i] = i % 2 ? 100 : 202;
    for (int index = 0; index < 1000; index++) {
        fvi_augment(out, in, 32, 24, 1, &(fv_augment_config){.erasing = 0.25f}, 6, 0, index);
        int n = 0, top = 32, bottom = -1, left = 24, right = -1;
        for (int i = 0; i < 32 * 24; i++) {
            if (out[i] == in[i]) continue;
            assert_int_equal(out[i], 151); /* the mean */
            int h = i / 24, w = i % 24;
            n++;
            top = h < top ? h : top;
            bottom = h > bottom ? h : bottom;
            left = w < left ? w : left;
            right = w > right ? w : right;
        }
        if (n == 0) continue;
        erased++;
        assert_int_equal(n, (bottom - top + 1) * (right - left + 1));
        assert_in_range(n, 32 * 24 / 100, 32 * 24 * 36 / 100);
    }
    assert_in_range(erased, 190, 310);
    for (int index = 0; index < 100; index++) {
        fvi_augment(out, &dot, 1, 1, 1, &(fv_augment_config){.erasing = 1}, 6, 0, index);
        assert_int_equal(out[0], 9);
        fvi_augment(out, in, 1, 32, 1, &(fv_augment_config){.erasing = 1}, 6, 0, index);
        fvi_augment(out, in, 32, 1, 1, &(fv_augment_config){.erasing = 1}, 6, 0, index);
    }
}

/* Light stays about as it was, over many pictures. */
static void augment_keeps_the_mean(void **state)
{
    (void)state;
    const fv_augment_config k = {true, true, 0.1f, 0.2f, 0.1f, 0.1f, 0, 0.3f, 0.2f, 0.5f};
    uint8_t in[16 * 16], out[16 * 16];
    double sum = 0, whole = 0;
    for (int i = 0; i < 256; i++) {
        in[i] = (uint8_t)(70 + i / 16 * 5 + i % 16 * 2);
        whole += in[i];
    }
    for (int index = 0; index < 500; index++) {
        fvi_augment(out, in, 16, 16, 1, &k, 8, 2, index);
        for (int i = 0; i < 256; i++)
            sum += out[i];
    }
    assert_true(fabs(sum / 500 / 256 - whole / 256) < 5);
}

/* ---- words ---- */

static void augment_words(void **state)
{
    (void)state;
    fv_augment_config k;
    CHECK_OK(fv_augment_parse(&k, "flip,rotation=0.05,zoom=0.1,translation=0.125,contrast=0.2,"
                                  "brightness=0.25,pad=4,erasing=0.5"));
    assert_true(k.flip_horizontal && !k.flip_vertical);
    assert_true(k.rotation == 0.05f && k.zoom == 0.1f && k.translation_height == 0.125f &&
                k.translation_width == 0.125f && k.contrast == 0.2f && k.brightness == 0.25f &&
                k.pad == 4 && k.erasing == 0.5f);
    CHECK_OK(fvi_augment_check(&k));
    CHECK_OK(fv_augment_parse(&k, "flip=vertical"));
    assert_true(!k.flip_horizontal && k.flip_vertical);
    CHECK_OK(fv_augment_parse(&k, "flip=both"));
    assert_true(k.flip_horizontal && k.flip_vertical);
    CHECK_OK(fv_augment_parse(&k, "zoom=0.9,flip=horizontal"));
    assert_true(k.flip_horizontal && !k.flip_vertical && k.zoom == 0.9f);
    CHECK_OK(fvi_augment_check(&k));
    CHECK_OK(fv_augment_parse(&k, "none"));
    assert_true(fvi_augment_is_none(&k));
}

static void augment_wrong_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"rotatoin=0.1", "unknown \"rotatoin\"; did you mean rotation"},
        {"colour", "there are flip, rotation"},
        {"", "unknown \"\""},
        {"flip,", "unknown \"\""},
        {",flip", "unknown \"\""},
        {"flip,flip=both", "flip twice"},
        {"flip=sideways", "flip=sideways; expected flip=horizontal, vertical or both"},
        {"flip=", "flip=;"},
        {"rotation", "rotation without a value; expected rotation=0 to 1"},
        {"rotation=", "rotation="},
        {"rotation=1.1", "rotation=1.1; expected rotation=0 to 1"},
        {"rotation=-0.1", "-0.1"},
        {"rotation=nan", "nan"},
        {"rotation=0.1x", "0.1x"},
        {"zoom=1", "0 to 0.9"},
        {"pad=4.5", "pad=4.5; expected pad=0 to 4096"},
        {"pad=4097", "4097"},
        {"pad=1e99", "1e99"},
        {"none,flip", "unknown \"none\""},
        {"flip rotation", "unknown \"flip rotation\""},
        {"flip\x1b[31m", "\\x1b"},
        {"a word that is much longer than any word there is and by far too long", "characters"},
    };
    for (size_t i = 0; i < FVI_COUNT(bad); i++) {
        fv_augment_config k = {.pad = 9};
        CHECK_FAILS(fv_augment_parse(&k, bad[i].text), FV_E_ARG, bad[i].part);
        assert_true(fvi_augment_is_none(&k));
    }
    fv_augment_config k;
    CHECK_FAILS(fv_augment_parse(NULL, "flip"), FV_E_ARG, "config is NULL");
    CHECK_FAILS(fv_augment_parse(&k, NULL), FV_E_ARG, "text is NULL");
}

static void augment_ranges(void **state)
{
    (void)state;
    static const struct {
        fv_augment_config config;
        const char *part;
    } bad[] = {
        {{.rotation = 1.01f}, "rotation is out of range, expected 0 to 1"},
        {{.zoom = 0.95f}, "zoom"},
        {{.translation_height = -0.1f}, "translation"},
        {{.translation_width = 2}, "translation"},
        {{.pad = -1}, "pad"},
        {{.pad = 5000}, "pad"},
        {{.contrast = 1.5f}, "contrast"},
        {{.brightness = NAN}, "brightness"},
        {{.erasing = 1.5f}, "erasing"},
    };
    for (size_t i = 0; i < FVI_COUNT(bad); i++)
        CHECK_FAILS(fvi_augment_check(&bad[i].config), FV_E_ARG, bad[i].part);
    CHECK_OK(fvi_augment_check(&(fv_augment_config){true, true, 1, 0.9f, 1, 1, 4096, 1, 1, 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(augment_as_judged),      cmocka_unit_test(augment_nothing),
        cmocka_unit_test(augment_flips),          cmocka_unit_test(augment_is_pure),
        cmocka_unit_test(augment_pads),           cmocka_unit_test(augment_erases),
        cmocka_unit_test(augment_keeps_the_mean), cmocka_unit_test(augment_words),
        cmocka_unit_test(augment_wrong_words),    cmocka_unit_test(augment_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
