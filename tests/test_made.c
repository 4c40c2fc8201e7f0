/* SPDX-License-Identifier: MIT */
/* Pictures drawn from a seed: always the same bytes, balanced, no picture in both parts. */
#include "data_check.h"

#define PICTURE ((size_t)28 * 28)

static fv_dataset *made_open(uint64_t seed, fv_split split, int count)
{
    fv_dataset *d;
    CHECK_OK(fv_dataset_open(&d, "made:digits", split,
                             &(fv_dataset_config){.seed = seed, .count = count}));
    return d;
}

static const uint8_t *made_picture(const fv_dataset *d, int i)
{
    return (const uint8_t *)fv_dataset_x(d).data + (size_t)i * PICTURE;
}

static void made_shape(void **state)
{
    (void)state;
    char name[8];
    fv_dataset *d;
    CHECK_OK(fv_dataset_open(&d, "made:digits", FV_TRAIN, NULL));
    assert_int_equal(fv_dataset_count(d), 8000);
    fv_tensor x = fv_dataset_x(d), y = fv_dataset_y(d);
    assert_int_equal(x.dtype, FV_UINT8);
    assert_true(fvi_shape_equal(&x.shape, &(fv_shape){4, {8000, 28, 28, 1}}));
    assert_int_equal(y.dtype, FV_INT32);
    assert_true(fvi_shape_equal(&y.shape, &(fv_shape){1, {8000}}));
    assert_string_equal(fv_dataset_name(d), "made:digits");
    assert_int_equal(fv_dataset_classes(d), 10);
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_string_equal(fv_dataset_class(d, i), name);
    }
    fv_dataset_free(d);
    CHECK_OK(fv_dataset_open(&d, "made:digits", FV_TEST, NULL));
    assert_int_equal(fv_dataset_count(d), 1000);
    fv_dataset_free(d);
    assert_string_equal(fv_dataset_made_name(0), "digits");
}

/* Computed once, after looking at them; the same for every compiler, level and platform. */
static void made_golden(void **state)
{
    (void)state;
    fv_dataset *d = made_open(1, FV_TRAIN, 100);
    uint64_t x = check_hash(made_picture(d, 0), 100 * PICTURE);
    uint64_t y = check_hash(fv_dataset_y(d).data, 100 * sizeof(int32_t));
    if (x != UINT64_C(0xb2acde6b4aef4b57) || y != UINT64_C(0xf1c421ae7184a135))
        fail_msg("the first hundred digits changed: 0x%016llx 0x%016llx", (unsigned long long)x,
                 (unsigned long long)y);
    fv_dataset_free(d);
}

/* Picture i is a function of (seed, split, i): how many there are does not matter. */
static void made_prefix(void **state)
{
    (void)state;
    fv_dataset *few = made_open(5, FV_TEST, 13), *many = made_open(5, FV_TEST, 60);
    assert_memory_equal(made_picture(few, 0), made_picture(many, 0), 13 * PICTURE);
    assert_memory_equal(fv_dataset_y(few).data, fv_dataset_y(many).data, 13 * sizeof(int32_t));
    uint8_t one[PICTURE];
    assert_int_equal(fvi_made_at(0)->draw(one, 28, 28, 1, 5, FV_TEST, 47),
                     fv_dataset_label(many, 47));
    assert_memory_equal(one, made_picture(many, 47), PICTURE);
    fv_dataset_free(few);
    fv_dataset_free(many);
}

/* Every ten pictures have each class once, not always in the same order. */
static void made_balance(void **state)
{
    (void)state;
    fv_dataset *d = made_open(1, FV_TRAIN, 2000);
    int same = 0;
    for (int block = 0; block < 200; block++) {
        unsigned seen = 0;
        bool is_same = true;
        for (int i = 0; i < 10; i++) {
            seen |= 1u << fv_dataset_label(d, 10 * block + i);
            is_same = is_same && fv_dataset_label(d, 10 * block + i) == fv_dataset_label(d, i);
        }
        assert_int_equal(seen, 0x3FF);
        same += is_same;
    }
    assert_int_equal(same, 1);
    fv_dataset_free(d);
}

static int made_by_hash(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* No picture twice: not in a part, not in both parts, not for two seeds. */
static void made_distinct(void **state)
{
    (void)state;
    enum { EACH = 1000, SETS = 4 };
    static uint64_t hash[SETS * EACH];
    for (int set = 0; set < SETS; set++) {
        fv_dataset *d =
            made_open(set < 2 ? 1 : 1 + (1ULL << 32), set % 2 ? FV_TEST : FV_TRAIN, EACH);
        for (int i = 0; i < EACH; i++)
            hash[set * EACH + i] = check_hash(made_picture(d, i), PICTURE);
        fv_dataset_free(d);
    }
    qsort(hash, SETS * EACH, sizeof hash[0], made_by_hash);
    for (int i = 1; i < SETS * EACH; i++)
        assert_true(hash[i] != hash[i - 1]);
}

/* Ink is there, is lighter than paper, and stays off the border's corners on the whole. */
static void made_plausible(void **state)
{
    (void)state;
    fv_dataset *d = made_open(3, FV_TRAIN, 500);
    double middle = 0, corner = 0;
    for (int i = 0; i < 500; i++) {
        const uint8_t *p = made_picture(d, i);
        int darkest = 255, lightest = 0;
        for (int k = 0; k < 28 * 28; k++) {
            darkest = p[k] < darkest ? p[k] : darkest;
            lightest = p[k] > lightest ? p[k] : lightest;
            int h = k / 28, w = k % 28;
            if (h >= 7 && h < 21 && w >= 7 && w < 21) middle += p[k] / (500.0 * 14 * 14);
            if ((h < 3 || h > 24) && (w < 3 || w > 24)) corner += p[k] / (500.0 * 36);
        }
        assert_true(lightest - darkest > 60);
    }
    assert_true(middle > corner + 25);
    fv_dataset_free(d);
}

/* In colour the digits are the same, whatever the size: where grey is light, colour is. */
static void made_colour(void **state)
{
    (void)state;
    static const int sides[][2] = {{8, 8}, {28, 28}, {45, 131}, {1024, 1000}};
    for (size_t k = 0; k < FVI_COUNT(sides); k++) {
        size_t count = (size_t)sides[k][0] * (size_t)sides[k][1];
        uint8_t *grey = malloc(count), *colour = malloc(3 * count);
        assert_true(grey && colour);
        for (int i = 0; i < 4; i++) {
            double sum[2] = {0}, weight[2] = {0}, spread = 0;
            int label = fvi_made_digit(grey, sides[k][0], sides[k][1], 1, 3, FV_TEST, i);
            assert_int_equal(fvi_made_digit(colour, sides[k][0], sides[k][1], 3, 3, FV_TEST, i),
                             label);
            for (size_t j = 0; j < count; j++) {
                const uint8_t *p = colour + 3 * j;
                sum[grey[j] > 128] += p[0] + p[1] + p[2];
                weight[grey[j] > 128]++;
                spread += abs(p[0] - p[1]) + abs(p[1] - p[2]);
            }
            assert_true(sum[1] / weight[1] > sum[0] / weight[0] + 80);
            assert_true(spread > 0);
        }
        free(grey);
        free(colour);
    }
}

/* Other sizes than its own: the buffer is filled and not passed. */
static void made_sizes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {5, 40}, {14, 14}, {64, 64}, {128, 96}, {1024, 3}};
    for (size_t k = 0; k < FVI_COUNT(sizes); k++) {
        size_t bytes = (size_t)sizes[k][0] * (size_t)sizes[k][1];
        uint8_t *pixels = malloc(bytes), *again = malloc(bytes);
        assert_true(pixels && again);
        for (int i = 0; i < 30; i++) {
            memset(pixels, 1, bytes);
            memset(again, 2, bytes);
            int label = fvi_made_digit(pixels, sizes[k][0], sizes[k][1], 1, 9, FV_TRAIN, i);
            assert_int_equal(fvi_made_digit(again, sizes[k][0], sizes[k][1], 1, 9, FV_TRAIN, i),
                             label);
            assert_memory_equal(pixels, again, bytes);
        }
        free(pixels);
        free(again);
    }
}

static void made_random(void **state)
{
    (void)state;
    fvi_made_rng a = fvi_made_rng_begin(1, FV_TRAIN, 7), b = fvi_made_rng_begin(1, FV_TEST, 7);
    int count[5] = {0}, differ = 0;
    double sum = 0;
    for (int i = 0; i < 5000; i++) {
        differ += fvi_made_word(&a) != fvi_made_word(&b);
        float value = fvi_made_between(&a, -2.0F, 4.0F);
        assert_true(value >= -2.0F && value < 4.0F);
        sum += (double)value;
        count[fvi_made_pick(&a, 5)]++;
    }
    assert_true(differ > 4990);
    assert_true(sum / 5000 > 0.9 && sum / 5000 < 1.1);
    for (int i = 0; i < 5; i++)
        assert_in_range(count[i], 900, 1100);
}

static void made_refuses(void **state)
{
    (void)state;
    fv_dataset *d;
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "made:digts", FV_TRAIN, NULL), FV_E_ARG,
                     "no built-in set \"made:digts\", did you mean \"made:digits\"; there is: "
                     "made:digits");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "made:", FV_TRAIN, NULL), FV_E_ARG,
                     "\"made:\"; there is: made:digits");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "made:a\nb", FV_TRAIN, NULL), FV_E_ARG, "a\\x0ab");
    CHECK_OPEN_FAILS(
        fv_dataset_open(&d, "made:digits", FV_TRAIN, &(fv_dataset_config){.count = -1}), FV_E_ARG,
        "made:digits: -1 pictures");
    CHECK_OPEN_FAILS(
        fv_dataset_open(&d, "made:digits", FV_TRAIN, &(fv_dataset_config){.limit_bytes = 1000}),
        FV_E_MEMORY, "made:digits: 8000 pictures are over the limit of 1000 bytes");
    CHECK_OPEN_FAILS(
        fv_dataset_open(&d, "made:digits", FV_TRAIN,
                        &(fv_dataset_config){.count = INT32_MAX, .limit_bytes = 1 << 30}),
        FV_E_MEMORY, "over the limit");
}

static void made_memory(void **state)
{
    (void)state;
    fv_dataset *d;
    CHECK_OOM(fv_dataset_open(&d, "made:digits", FV_TEST, &(fv_dataset_config){.count = 3}));
    fv_dataset_free(d);
    CHECK_OOM(fv_dataset_open(&d, "made:dig", FV_TEST, NULL) == FV_E_ARG
                  ? fv_dataset_open(&d, "made:digits", FV_TEST, &(fv_dataset_config){.count = 1})
                  : FV_E_MEMORY);
    fv_dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_shape),    cmocka_unit_test(made_golden),
        cmocka_unit_test(made_prefix),   cmocka_unit_test(made_balance),
        cmocka_unit_test(made_distinct), cmocka_unit_test(made_plausible),
        cmocka_unit_test(made_colour),   cmocka_unit_test(made_sizes),
        cmocka_unit_test(made_random),   cmocka_unit_test(made_refuses),
        cmocka_unit_test(made_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
