/* SPDX-License-Identifier: MIT */
/* How the doctor finds near duplicates: their looks, the tables that lead to like looks, crowds of
   them. */
#include "doctor_check.h"

/* ---- the look ---- */

static int bits_between(uint64_t a, uint64_t b)
{
    int n = 0;
    for (uint64_t x = a ^ b; x; x &= x - 1)
        n++;
    return n;
}

/* Looks are the same for any brightness and contrast, near for a little noise, far for another
   picture. */
static void looks(void **state)
{
    (void)state;
    enum { H = 40, W = 24, N = H * W };
    static float grey[N], changed[N], waves[8 * (H + W)], rows[8 * H];
    fvi_look_waves(waves, H, W);
    uint64_t before = 0;
    for (unsigned i = 0; i < 20; i++) {
        for (int k = 0; k < N; k++) /* clouds, as pictures have them */
            grey[k] = (float)(sin(0.3 * (k % W) + i) * cos(0.2 * (k / W) * (1 + i % 3)) +
                              0.5 * fvi_rng_normal(i, FVI_RNG_TEST, 1, (uint64_t)k));
        uint64_t look = fvi_look_hash(grey, waves, rows, H, W);
        assert_int_equal(bits_between(look, 0), 32); /* half of them are above the median */
        for (int k = 0; k < N; k++)
            changed[k] = 30 * grey[k] + 100;
        assert_true(bits_between(look, fvi_look_hash(changed, waves, rows, H, W)) <= 2);
        for (int k = 0; k < N; k++)
            changed[k] = grey[k] + 0.02F * (float)fvi_rng_normal(i, FVI_RNG_TEST, 2, (uint64_t)k);
        assert_true(bits_between(look, fvi_look_hash(changed, waves, rows, H, W)) <= 6);
        assert_true(bits_between(look, before) > 10);
        before = look;
    }
}

/* ---- near duplicates in numbers ---- */

/* Noisy copies of one picture among others: all are found, whatever their number. */
static void crowds(void **state)
{
    (void)state;
    pond p = {.count = 700, .noise = 200};
    fv_report *r = pond_examine(&p, NULL);
    check_findings(r, 1);
    check_has(r, "near-duplicate", FV_WARNS, 199, "train: 199 of 700", "train#0 ~ train#1 ");
    assert_null(strstr(fv_report_finding(r, 0)->text, "more look-alikes"));
    assert_true(p.reads < 700 + 200 * 9); /* not all with all */
    fv_report_free(r);
    /* When they are not near enough to be told together, not all of them are compared. */
    p.reads = 0;
    r = pond_examine(&p, &(fv_doctor_config){.near = 0.02});
    const fv_finding *f = check_finding(r, "near-duplicate");
    assert_non_null(f);
    assert_true(f->count > 0 && f->count < 50);
    assert_non_null(strstr(f->text, "have more look-alikes than were compared"));
    assert_true(p.reads < 700 + 200 * 65);
    fv_report_free(r);
}

static int root_of(const int *root, int i)
{
    while (root[i] != i)
        i = root[i];
    return i;
}

static void join(int *root, int a, int b)
{
    int ra = root_of(root, a), rb = root_of(root, b);
    root[ra > rb ? ra : rb] = ra < rb ? ra : rb;
}

/* Of pictures that are all alike but whose looks are made up, those belong together whose looks
   differ by at most 7 bits: as when all are compared with all. */
static void looks_are_found(void **state)
{
    (void)state;
    enum { N = 3000 };
    static fvi_mark mark[N];
    static int list[N], found[N], expected[N];
    int n_pairs, crowded, n_expected = 0;
    fvi_twin *pair;
    pond p = {.count = N, .noise = N};
    fv_dataset *d = pond_open(&p);
    fvi_doctor doctor = {.part = (const fv_dataset *const *)&d, .parts = 1, .first = {0, N}};
    doctor.config.near = 0.5;
    doctor.mark = mark;
    doctor.total = N;
    for (int i = 0; i < N; i++) {
        uint32_t word[4];
        fvi_rng_words(word, 9, FVI_RNG_TEST, 5,
                      (uint64_t)(i % 1000)); /* each three times, but for */
        mark[i].look = (uint64_t)word[0] << 32 | word[1];
        for (int flip = fvi_rng_int(9, FVI_RNG_TEST, 6, (uint64_t)i, 7); flip > 0; flip--)
            mark[i].look ^= UINT64_C(1)
                            << fvi_rng_int(9, FVI_RNG_TEST, 6, (uint64_t)(1000 * i + flip), 64);
        list[i] = found[i] = expected[i] = i;
        for (int j = 0; j < i; j++)
            if (bits_between(mark[i].look, mark[j].look) <= 7) join(expected, i, j);
    }
    CHECK_OK(fvi_doctor_near(&doctor, &pair, &n_pairs, &crowded, list, N));
    for (int i = 0; i < n_pairs; i++) {
        assert_true(pair[i].a < pair[i].b && (i == 0 || pair[i - 1].b <= pair[i].b));
        assert_true(bits_between(mark[pair[i].a].look, mark[pair[i].b].look) <= 7);
        join(found, pair[i].a, pair[i].b);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(root_of(found, i), root_of(expected, i));
        n_expected += expected[i] != i;
    }
    assert_int_equal(n_pairs, n_expected); /* no pair too many */
    assert_true(n_pairs > 1000 && n_pairs < 1990);
    assert_int_equal(crowded, 0);
    fvi_free(pair);
    fv_dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks),
        cmocka_unit_test(crowds),
        cmocka_unit_test(looks_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
