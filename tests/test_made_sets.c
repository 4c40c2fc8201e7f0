/* SPDX-License-Identifier: MIT */
/* Faces, hands, edges and shapes: always the same bytes, of any size, grey or in colour, on several
   threads; what a label means can be seen in the pixels; boxes fit. */
#include "data_check.h"

#include <math.h>

#define SETS 5
#define FACES 1
#define HANDS 2
#define EDGES 3
#define SHAPES 4

static float sets_luminance(const uint8_t *p)
{
    return 0.299F * (float)p[0] + 0.587F * (float)p[1] + 0.114F * (float)p[2];
}

/* ---- the same bytes ---- */

static uint64_t sets_hash(const fvi_made *made, int height, int width, int channels, int count)
{
    size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
    uint8_t *pixels = malloc(bytes);
    uint64_t all[32];
    assert_non_null(pixels);
    assert_in_range(count, 1, 32);
    for (int i = 0; i < count; i++) {
        int label = made->draw(pixels, height, width, channels, 7, FV_TRAIN, i);
        all[i] = check_hash(pixels, bytes) + (uint64_t)label;
    }
    free(pixels);
    return check_hash(all, (size_t)count * sizeof all[0]);
}

/* Computed once, after looking at them; the same for every compiler, level and platform. */
static void sets_golden(void **state)
{
    (void)state;
    static const struct {
        int set, height, width, channels;
        uint64_t hash;
    } rows[] = {
        {0, 28, 28, 3, UINT64_C(0x3e0eaa345a53c8b7)},
        {0, 45, 60, 1, UINT64_C(0x12eeea6b428e23c7)},
        {1, 64, 64, 3, UINT64_C(0xfbbfcf3d0c228b92)},
        {1, 64, 64, 1, UINT64_C(0x2a8882983aa9cc61)},
        {1, 100, 77, 3, UINT64_C(0x2961d911d49719a4)},
        {1, 100, 77, 1, UINT64_C(0xd4a47cade7f39621)},
        {2, 64, 64, 3, UINT64_C(0x3fc1dbe13f148fc2)},
        {2, 64, 64, 1, UINT64_C(0xa17e6564035e2548)},
        {2, 100, 77, 3, UINT64_C(0x6daa6bf86246c86d)},
        {2, 100, 77, 1, UINT64_C(0x26406a8cb606d241)},
        {3, 32, 32, 1, UINT64_C(0x13a71e1def78af79)},
        {3, 32, 32, 3, UINT64_C(0xed32f68630ec6cfb)},
        {3, 100, 77, 1, UINT64_C(0x71c81bdf02f77f37)},
        {3, 100, 77, 3, UINT64_C(0xb43ffa2f954bcc76)},
        {4, 64, 64, 3, UINT64_C(0xce6334aa8843d2f5)},
        {4, 64, 64, 1, UINT64_C(0xc4e8695dfcb4dede)},
        {4, 100, 77, 3, UINT64_C(0x207636615e536139)},
        {4, 100, 77, 1, UINT64_C(0xddecc61274e662ec)},
    };
    int failures = 0;
    for (size_t k = 0; k < FVI_COUNT(rows); k++) {
        const fvi_made *made = fvi_made_at(rows[k].set);
        uint64_t hash = sets_hash(made, rows[k].height, rows[k].width, rows[k].channels, 24);
        if (hash == rows[k].hash) continue;
        print_error("    {%d, %d, %d, %d, UINT64_C(0x%016llx)}, /* %s */\n", rows[k].set,
                    rows[k].height, rows[k].width, rows[k].channels, (unsigned long long)hash,
                    made->name);
        failures++;
    }
    assert_int_equal(failures, 0);
}

typedef struct sets_task {
    const fvi_made *made;
    uint8_t *pixels;
    int32_t label[64];
} sets_task;

static void sets_draw_one(void *context, size_t i)
{
    sets_task *t = context;
    t->label[i] = t->made->draw(t->pixels + i * 32 * 32 * 3, 32, 32, 3, 3, FV_TEST, (int)i);
}

/* Several threads draw what one draws. */
static void sets_threads(void **state)
{
    (void)state;
    fvi_threads *threads;
    CHECK_OK(fvi_threads_new(&threads, 4));
    for (int k = 0; k < SETS; k++) {
        sets_task alone = {.made = fvi_made_at(k)}, together = {.made = fvi_made_at(k)};
        alone.pixels = malloc((size_t)64 * 32 * 32 * 3);
        together.pixels = malloc((size_t)64 * 32 * 32 * 3);
        assert_true(alone.pixels && together.pixels);
        fvi_parallel_for(NULL, 64, sets_draw_one, &alone);
        fvi_parallel_for(threads, 64, sets_draw_one, &together);
        assert_memory_equal(alone.pixels, together.pixels, (size_t)64 * 32 * 32 * 3);
        assert_memory_equal(alone.label, together.label, sizeof alone.label);
        free(alone.pixels);
        free(together.pixels);
    }
    fvi_threads_free(threads);
}

/* From the smallest to the largest side the buffer is filled and not passed. */
static void sets_sizes(void **state)
{
    (void)state;
    for (int k = 0; k < SETS; k++) {
        const fvi_made *made = fvi_made_at(k);
        const int least = made->smallest, most = FVI_MADE_LARGEST;
        const int sides[][2] = {
            {least, least}, {least, most}, {most, least}, {31, 77}, {made->height, made->width}};
        for (size_t j = 0; j < FVI_COUNT(sides) * 2; j++) {
            int height = sides[j / 2][0], width = sides[j / 2][1], channels = j % 2 ? 3 : 1;
            size_t bytes = (size_t)height * (size_t)width * (size_t)channels;
            uint8_t *one = malloc(bytes), *two = malloc(bytes); /* the sanitizer sees the ends */
            assert_true(one && two);
            for (int i = 0; i < (bytes > 50000 ? 2 : 20); i++) {
                memset(one, 1, bytes);
                memset(two, 2, bytes);
                int label = made->draw(one, height, width, channels, 9, FV_TRAIN, i);
                assert_int_equal(label, fvi_made_class(9, FV_TRAIN, i, made->classes));
                assert_int_equal(made->draw(two, height, width, channels, 9, FV_TRAIN, i), label);
                assert_memory_equal(one, two, bytes);
            }
            free(one);
            free(two);
        }
    }
}

/* Far along the stream, too. */
static void sets_last(void **state)
{
    (void)state;
    static uint8_t one[32 * 32 * 3], two[32 * 32 * 3];
    for (int k = 0; k < SETS; k++) {
        const fvi_made *made = fvi_made_at(k);
        int label = made->draw(one, 32, 32, 3, UINT64_MAX, FV_TEST, INT32_MAX);
        assert_in_range(label, 0, made->classes - 1);
        made->draw(two, 32, 32, 3, UINT64_MAX, FV_TRAIN, INT32_MAX);
        assert_memory_not_equal(one, two, sizeof one);
        made->draw(two, 32, 32, 3, UINT64_MAX, FV_TEST, INT32_MAX - 1);
        assert_memory_not_equal(one, two, sizeof one);
    }
}

/* ---- balance, parts ---- */

static void sets_balance(void **state)
{
    (void)state;
    static uint8_t pixels[64 * 64 * 3];
    for (int k = 1; k < SETS; k++) {
        const fvi_made *made = fvi_made_at(k);
        for (int block = 0; block < 20; block++) {
            unsigned seen = 0;
            for (int i = block * made->classes; i < (block + 1) * made->classes; i++)
                seen |= 1u << made->draw(pixels, made->height, made->width, 3, 5, FV_TEST, i);
            assert_int_equal(seen, (1u << made->classes) - 1);
        }
    }
}

static int sets_by_hash(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* No picture twice: not in a part, not in both parts, not for two seeds. */
static void sets_distinct(void **state)
{
    (void)state;
    enum { EACH = 400 };
    static uint64_t hash[4 * EACH];
    static uint8_t pixels[64 * 64 * 3];
    for (int k = 1; k < SETS; k++) {
        const fvi_made *made = fvi_made_at(k);
        size_t bytes = (size_t)made->height * (size_t)made->width * (size_t)made->channels;
        for (int i = 0; i < 4 * EACH; i++) {
            made->draw(pixels, made->height, made->width, made->channels, i < 2 * EACH ? 1 : 2,
                       i / EACH % 2 ? FV_TEST : FV_TRAIN, i % EACH);
            hash[i] = check_hash(pixels, bytes);
        }
        qsort(hash, FVI_COUNT(hash), sizeof hash[0], sets_by_hash);
        for (size_t i = 1; i < FVI_COUNT(hash); i++)
            assert_true(hash[i] != hash[i - 1]);
    }
}

/* Grey is the luminance of colour, but for noise. */
static void sets_grey(void **state)
{
    (void)state;
    static uint8_t grey[64 * 64], colour[64 * 64 * 3];
    for (int k = FACES; k <= SHAPES; k++) {
        const fvi_made *made = fvi_made_at(k);
        double away = 0, spread = 0;
        for (int i = 0; i < 40; i++) {
            made->draw(grey, 64, 64, 1, 2, FV_TRAIN, i);
            made->draw(colour, 64, 64, 3, 2, FV_TRAIN, i);
            for (int j = 0; j < 64 * 64; j++) {
                away += fabs((double)sets_luminance(colour + 3 * (size_t)j) - grey[j]);
                spread += abs(colour[3 * j] - colour[3 * j + 2]);
            }
        }
        assert_true(away / (40.0 * 64 * 64) < 4.0);
        assert_true(spread / (40.0 * 64 * 64) > 15.0);
    }
}

/* ---- what the label means can be seen ---- */

/* Mean pictures of the happy and of the others differ where mouths are, and hardly elsewhere. */
static void sets_faces(void **state)
{
    (void)state;
    enum { COUNT = 1500, CELLS = 16 };
    static uint8_t pixels[64 * 64];
    double more[CELLS * CELLS] = {0}, mouth = 0, elsewhere = 0;
    for (int i = 0; i < COUNT; i++) {
        int label = fvi_made_at(FACES)->draw(pixels, 64, 64, 1, 1, FV_TRAIN, i);
        for (int j = 0; j < 64 * 64; j++)
            more[j / 256 * CELLS + j / 4 % CELLS] += (label ? 1 : -1) * pixels[j] / (COUNT * 8.0);
    }
    for (int j = 0; j < CELLS * CELLS; j++) {
        bool is_mouth = j / CELLS > 8 && j / CELLS < 13 && j % CELLS > 4 && j % CELLS < 11;
        double *most = is_mouth ? &mouth : &elsewhere;
        *most = fabs(more[j]) > *most ? fabs(more[j]) : *most;
    }
    assert_true(mouth > 3.0 * elsewhere);
}

/* Fingers make edges from left to right above the palm: the more, the more. */
static void sets_hands(void **state)
{
    (void)state;
    static uint8_t pixels[64 * 64];
    double edges[6] = {0};
    for (int i = 0; i < 1200; i++) {
        int label = fvi_made_at(HANDS)->draw(pixels, 64, 64, 1, 1, FV_TRAIN, i);
        for (int y = 8; y < 34; y++)
            for (int x = 0; x < 63; x++)
                edges[label] +=
                    abs(pixels[y * 64 + x + 1] - pixels[y * 64 + x]) / (200.0 * 26 * 63);
    }
    for (int n = 0; n < 5; n++)
        assert_true(edges[n + 1] > edges[n] + 0.1);
}

/* Which of five an edge is, told by sums of slopes: from left to right, from top to bottom. */
static void sets_edges(void **state)
{
    (void)state;
    static uint8_t pixels[32 * 32];
    int right = 0;
    for (int i = 0; i < 1000; i++) {
        int label = fvi_made_at(EDGES)->draw(pixels, 32, 32, 1, 1, FV_TRAIN, i);
        double across = 0, down = 0;
        for (int y = 2; y < 30; y++)
            for (int x = 2; x < 30; x++) {
                across += (pixels[y * 32 + x + 2] - pixels[y * 32 + x - 2]) / 28.0;
                down += (pixels[(y + 2) * 32 + x] - pixels[(y - 2) * 32 + x]) / 28.0;
            }
        double a = fabs(across), d = fabs(down);
        /* rising (/): what grows to the right grows to the bottom, too */
        int guess = a + d < 60 ? 0 : a > 2.4 * d ? 1 : d > 2.4 * a ? 2 : across * down > 0 ? 3 : 4;
        right += guess == label;
    }
    assert_true(right > 600); /* one in five by chance */
}

/* ---- boxes ---- */

static float sets_box_area(const fv_box *b)
{
    return (b->x1 - b->x0) * (b->y1 - b->y0);
}

static void sets_boxes(void **state)
{
    (void)state;
    const fvi_made *made = fvi_made_at(SHAPES);
    int count[4] = {0};
    for (int i = 0; i < 600; i++) {
        fv_box box[4], twice[4], one = {-1, 0, 0, 0, 0};
        int n = made->boxes(box, 4, 64, 64, 1, FV_TRAIN, i);
        assert_in_range(n, 1, 3);
        count[n]++;
        assert_int_equal(made->boxes(NULL, 0, 64, 64, 1, FV_TRAIN, i), n);
        assert_int_equal(made->boxes(&one, 1, 64, 64, 1, FV_TRAIN, i), n);
        assert_memory_equal(&one, &box[0], sizeof one);
        assert_int_equal(made->boxes(twice, 4, 128, 128, 1, FV_TRAIN, i), n);
        assert_int_equal(box[0].label, fvi_made_class(1, FV_TRAIN, i, made->classes));
        for (int k = 0; k < n; k++) {
            const fv_box *b = &box[k];
            assert_in_range(b->label, 0, made->classes - 1);
            assert_true(b->x0 > -0.01F && b->y0 > -0.01F && b->x1 < 64.01F && b->y1 < 64.01F);
            assert_true(b->x1 - b->x0 > 4.0F && b->y1 - b->y0 > 4.0F);
            assert_true(fabsf(twice[k].x1 - 2 * b->x1) < 0.01F);
            assert_true(fabsf(twice[k].y0 - 2 * b->y0) < 0.01F);
            if (b->label == 0) assert_true(fabsf(b->x1 - b->x0 - b->y1 + b->y0) < 0.01F);
            if (k > 0) assert_true(sets_box_area(b) < sets_box_area(&box[0]));
        }
    }
    for (int n = 1; n <= 3; n++)
        assert_true(count[n] > 60);
}

/* The largest difference in light between two rows (or columns) along a side of a box. */
static float sets_step(const uint8_t *pixels, int side, const fv_box *b, float at, float beside)
{
    float most = 0.0F;
    bool is_row = side < 2;
    int first = (int)(is_row ? b->x0 : b->y0), last = (int)(is_row ? b->x1 : b->y1);
    int i = (int)at, j = (int)beside;
    if (i < 0 || j < 0 || i >= 512 || j >= 512) return -1.0F;
    for (int k = first; k < last && k < 512; k++) {
        size_t p = (size_t)(is_row ? i * 512 + k : k * 512 + i);
        size_t q = (size_t)(is_row ? j * 512 + k : k * 512 + j);
        float step = fabsf((float)pixels[p] - (float)pixels[q]);
        most = step > most ? step : most;
    }
    return most;
}

/* Just inside each side of a box the shape stands out, and just outside nothing does, save lines
   that cross. */
static void sets_tight(void **state)
{
    (void)state;
    const fvi_made *made = fvi_made_at(SHAPES);
    static uint8_t pixels[512 * 512];
    int sides = 0, inside = 0, outside = 0, asked = 0;
    for (int i = 0; i < 60; i++) {
        fv_box box[3];
        made->draw(pixels, 512, 512, 1, 4, FV_TEST, i);
        int n = made->boxes(box, 3, 512, 512, 4, FV_TEST, i);
        for (int k = 0; k < 4 * n; k++) {
            const fv_box *b = &box[k / 4];
            int side = k % 4; /* top, bottom, left, right */
            float at = side == 0 ? b->y0 : side == 1 ? b->y1 : side == 2 ? b->x0 : b->x1;
            float in = side % 2 ? -1.0F : 1.0F; /* 12 pixels: twice the softest edge */
            float seen = sets_step(pixels, side, b, at + 12.0F * in, at - 12.0F * in);
            float quiet = sets_step(pixels, side, b, at - 12.0F * in, at - 20.0F * in);
            sides += seen >= 0.0F;
            inside += seen > 40.0F;
            asked += quiet >= 0.0F;
            outside += quiet >= 0.0F && quiet < 40.0F;
        }
    }
    if (inside < 0.97 * sides || outside < 0.85 * asked)
        fail_msg("%d of %d sides seen from inside, %d of %d quiet outside", inside, sides, outside,
                 asked);
}

/* A box is filled as its class fills one: squares more than circles on the whole, stars least. */
static void sets_fill(void **state)
{
    (void)state;
    const fvi_made *made = fvi_made_at(SHAPES);
    static uint8_t pixels[128 * 128];
    double fill[6] = {0};
    int count[6] = {0};
    for (int i = 0; i < 600; i++) {
        fv_box b;
        int label = made->draw(pixels, 128, 128, 1, 6, FV_TRAIN, i);
        made->boxes(&b, 1, 128, 128, 6, FV_TRAIN, i);
        int left = (int)b.x0, top = (int)b.y0, right = (int)b.x1, bottom = (int)b.y1, in = 0;
        int middle = pixels[(top + bottom) / 2 * 128 + (left + right) / 2];
        int paper = pixels[(top < 3 ? 0 : top - 3) * 128 + (left < 3 ? 0 : left - 3)];
        for (int y = top; y < bottom; y++)
            for (int x = left; x < right; x++)
                in += abs(pixels[y * 128 + x] - middle) < abs(pixels[y * 128 + x] - paper);
        fill[label] += (double)in / ((right - left) * (bottom - top));
        count[label]++;
    }
    for (int k = 0; k < 6; k++)
        fill[k] /= count[k];
    assert_true(fill[0] > 0.6 && fill[0] < 0.85);    /* circle: 0.79 */
    assert_true(fill[3] < 0.5 && fill[2] < fill[0]); /* star, triangle */
    assert_true(fill[4] < fill[1]);                  /* cross, square */
}

/* ---- as data sets ---- */

static void sets_open(void **state)
{
    (void)state;
    static const char *const names[] = {"digits", "faces", "hands", "edges", "shapes"};
    static const char *const last[] = {"9", "happy", "5", "falling", "heart"};
    for (int k = 0; k < SETS; k++) {
        char path[32];
        fv_dataset *d;
        fv_box box[3];
        const fvi_made *made = fvi_made_at(k);
        assert_string_equal(fv_dataset_made_name(k), names[k]);
        snprintf(path, sizeof path, "made:%s", names[k]);
        CHECK_OK(fv_dataset_open(&d, path, FV_TRAIN, &(fv_dataset_config){.count = 24}));
        fv_shape shape = fv_dataset_shape(d);
        assert_int_equal(shape.dim[0], made->height);
        assert_int_equal(shape.dim[2], made->channels);
        assert_int_equal(fv_dataset_classes(d), made->classes);
        assert_string_equal(fv_dataset_class(d, made->classes - 1), last[k]);
        int boxes = fv_dataset_boxes(d, 5, box, 3);
        assert_true(k == SHAPES ? boxes > 0 && box[0].label == fv_dataset_label(d, 5) : boxes == 0);
        fv_dataset_free(d);
        CHECK_OPEN_FAILS(
            fv_dataset_open(&d, path, FV_TRAIN,
                            &(fv_dataset_config){.height = made->smallest - 1, .count = 1}),
            FV_E_ARG, "expected sides of");
        CHECK_OPEN_FAILS(
            fv_dataset_open(&d, path, FV_TRAIN, &(fv_dataset_config){.width = 1025, .count = 1}),
            FV_E_ARG, "to 1024 and 1 or 3 channels");
    }
    assert_null(fv_dataset_made_name(-1));
    assert_null(fv_dataset_made_name(SETS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_golden),  cmocka_unit_test(sets_threads),
        cmocka_unit_test(sets_sizes),   cmocka_unit_test(sets_last),
        cmocka_unit_test(sets_balance), cmocka_unit_test(sets_distinct),
        cmocka_unit_test(sets_grey),    cmocka_unit_test(sets_faces),
        cmocka_unit_test(sets_hands),   cmocka_unit_test(sets_edges),
        cmocka_unit_test(sets_boxes),   cmocka_unit_test(sets_tight),
        cmocka_unit_test(sets_fill),    cmocka_unit_test(sets_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
