/* SPDX-License-Identifier: MIT */
/* The doctor on sets in memory: every defect that is planted is found, and nothing else. */
#include "doctor_check.h"

/* ---- a clean set ---- */

static void clean_set(void **state)
{
    (void)state;
    plant p = plant_new(1);
    fv_dataset *d[2];
    fv_report *r;
    plant_open(d, &p);
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)d, NULL, 2, NULL));
    check_findings(r, 0);
    assert_false(fv_report_spoils(r));
    for (int i = 0; i < 7; i++) /* all groups but that of files */
        assert_non_null(fv_report_fine(r, i));
    assert_null(fv_report_fine(r, 7));
    for (int s = 0; s < 2; s++) {
        const fv_part *part = fv_report_part(r, s);
        double mean, deviation;
        CHECK_OK(fv_dataset_statistics(d[s], &mean, &deviation));
        assert_int_equal(part->split, s == 0 ? FV_TRAIN : FV_TEST);
        assert_int_equal(part->count, p.count[s]);
        assert_int_equal(part->looked, p.count[s]);
        assert_int_equal(part->unreadable, 0);
        assert_int_equal(part->classes, 10);
        assert_int_equal(part->class_count[3], p.count[s] / 10);
        assert_string_equal(part->class_name[3], "3");
        assert_int_equal(part->channels, 1);
        assert_true(fabs(part->mean[0] - mean) < 1e-9 * mean);
        assert_true(fabs(part->deviation[0] - deviation) < 1e-9 * deviation);
        assert_true(part->min[0] == 0 && part->max[0] == 255);
    }
    assert_null(fv_report_part(r, 2));
    assert_null(fv_report_finding(r, -1));
    fv_report_free(r);
    fv_dataset_free(d[0]);
    fv_dataset_free(d[1]);
    plant_free(&p);
}

/* ---- defects ---- */

static void plant_nothing(plant *p)
{
    (void)p;
}
static void plant_duplicate(plant *p)
{
    for (int i = 1; i <= 3; i++) /* one of a kind three times over, and one more */
        plant_copy(p, 0, 13 + 20 * i, 0, i < 3 ? 3 : 4, 1, 0);
    p->y[0][33] = p->y[0][53] = p->y[0][3];
    p->y[0][73] = p->y[0][4];
}
static void plant_mislabelled(plant *p)
{
    plant_copy(p, 0, 17, 0, 3, 1, 0);
    p->y[0][17] = (p->y[0][3] + 1) % 10;
}
static void plant_near(plant *p)
{
    plant_copy(p, 0, 17, 0, 3, 0.7, 40);
    p->y[0][17] = p->y[0][3];
    plant_copy(p, 1, 9, 1, 5, 0.8, 0);
    for (size_t k = 0; k < PLANT_PIXELS; k++) /* and some noise */
        plant_at(p, 1, 9)[k] =
            (uint8_t)(plant_at(p, 1, 9)[k] + fvi_rng_int(3, FVI_RNG_TEST, 0, k, 9));
    p->y[1][9] = p->y[1][5];
}
static void plant_near_mislabelled(plant *p)
{
    plant_copy(p, 0, 17, 0, 3, 0.7, 40);
    p->y[0][17] = (p->y[0][3] + 1) % 10;
}
static void plant_leak_one(plant *p)
{
    plant_copy(p, 1, 40, 0, 3, 1, 0);
    p->y[1][40] = p->y[0][3];
}
static void plant_leaks(plant *p)
{
    for (int i = 0; i < 3; i++) {
        plant_copy(p, 1, 40 + i, 0, 7 * i, i == 1 ? 0.8 : 1, 0);
        p->y[1][40 + i] = p->y[0][7 * i];
    }
}
static void plant_constant(plant *p)
{
    memset(plant_at(p, 0, 5), 0, PLANT_PIXELS);
    memset(plant_at(p, 0, 6), 0, PLANT_PIXELS);
    memset(plant_at(p, 0, 7), 200, PLANT_PIXELS);
    plant_at(p, 0, 7)[99] = 202; /* what JPEG makes of it */
}
static void plant_constants(plant *p)
{
    for (int i = 0; i < 21; i++)
        memset(plant_at(p, 0, 10 * i), 10 * i, PLANT_PIXELS);
}
static void plant_dark(plant *p)
{
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < p->count[s]; i++)
            plant_copy(p, s, i, s, i, 1.0 / 16, 0);
}
static void plant_unscaled(plant *p)
{
    plant_floats(p, 0, 1);
    plant_floats(p, 1, 1.0F / 255);
}
static void plant_mixed(plant *p)
{
    plant_floats(p, 0, 1.0F / 255);
    plant_floats(p, 1, 1.0F / 255);
    for (size_t k = 0; k < 30 * PLANT_PIXELS; k++)
        p->f[0][k] *= 255;
}
static void plant_scaled(plant *p)
{
    plant_floats(p, 0, 1.0F / 255);
    plant_floats(p, 1, 1.0F / 255);
}
static void plant_lost_channel(plant *p)
{
    for (size_t k = 0; k < (size_t)p->count[0] * PLANT_PIXELS; k++)
        p->x[0][3 * k + 1] = 7;
}
static void plant_make_grey(plant *p, int s, int i)
{
    uint8_t *x = plant_at(p, s, i);
    for (size_t k = 0; k < PLANT_PIXELS; k++)
        x[3 * k] = x[3 * k + 2] = x[3 * k + 1];
}
static void plant_grey(plant *p)
{
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < p->count[s]; i++)
            plant_make_grey(p, s, i);
}
static void plant_some_grey(plant *p)
{
    for (int i = 0; i < 4; i++)
        plant_make_grey(p, 1, 20 + i);
}
static void plant_one_class(plant *p)
{
    for (int s = 0; s < 2; s++)
        memset(p->y[s], 0, (size_t)p->count[s] * sizeof *p->y[s]);
}
static void plant_empty_class(plant *p)
{
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < p->count[s]; i++)
            if (p->y[s][i] == 4) p->y[s][i] = 5;
}
static void plant_untrained_class(plant *p)
{
    for (int i = 0; i < p->count[0]; i++)
        if (p->y[0][i] == 4) p->y[0][i] = 5;
}
static void plant_untested_class(plant *p)
{
    for (int i = 0; i < p->count[1]; i++)
        if (p->y[1][i] == 4) p->y[1][i] = 5;
}
static void plant_imbalance(plant *p)
{
    for (int i = 0, kept = 0; i < p->count[0]; i++)
        if (p->y[0][i] == 4 && ++kept > 12) p->y[0][i] = 5; /* 12 of it, 68 of the other */
}
static void plant_label_range(plant *p)
{
    p->classes[1] = 12;
    p->y[1][30] = 11;
}
static void plant_class_order(plant *p)
{
    static const char *const a[] = {"ant", "bee", "cat", "dog",  "elk",
                                    "fox", "gnu", "hen", "ibis", "jay"};
    static const char *const b[] = {"ant", "bee", "dog", "cat",  "elk",
                                    "fox", "gnu", "hen", "ibis", "jay"};
    p->names[0] = a;
    p->names[1] = b;
    p->classes[0] = p->classes[1] = 10;
    plant_copy(p, 1, 3, 0, 2, 1, 0);      /* of which nobody knows whether its class is the same */
    for (int i = 0; i < p->count[0]; i++) /* nor whether this one is missing */
        if (p->y[0][i] == 4) p->y[0][i] = 5;
}
static void plant_targets(plant *p)
{
    for (int s = 0; s < 2; s++) {
        p->classes[s] = 1;
        p->target[s] = fvi_alloc((size_t)p->count[s], sizeof(float), "");
        for (int i = 0; i < p->count[s]; i++)
            p->target[s][i] = (float)p->y[s][i] / 9;
    }
    p->target[0][11] = -3;
    p->target[0][12] = 1.5F;
}
static void plant_one_hot(plant *p)
{
    for (int s = 0; s < 2; s++) {
        p->classes[s] = 10;
        p->target[s] = fvi_alloc((size_t)p->count[s] * 10, sizeof(float), "");
        for (int i = 0; i < p->count[s]; i++)
            p->target[s][10 * i + p->y[s][i]] = 1;
    }
}
static void plant_one_output(plant *p)
{
    for (int s = 0; s < 2; s++) {
        p->classes[s] = 1;
        p->target[s] = fvi_alloc((size_t)p->count[s], sizeof(float), "");
        for (int i = 0; i < p->count[s]; i++)
            p->target[s][i] = p->y[s][i] == 3;
    }
}
static void plant_dtype(plant *p)
{
    plant_floats(p, 1, 1.0F / 255);
}

typedef struct doctor_case {
    const char *name;
    void (*spoil)(plant *p);
    int channels;
    const char *code; /* NULL: nothing is wrong */
    fv_severity severity;
    int count;
    const char *text, *example;
} doctor_case;

static const doctor_case doctor_cases[] = {
    {"nothing", plant_nothing, 3, NULL, FV_NOTES, 0, NULL, NULL},
    {"scaled floats", plant_scaled, 1, NULL, FV_NOTES, 0, NULL, NULL},
    {"one-hot targets", plant_one_hot, 1, NULL, FV_NOTES, 0, NULL, NULL},
    {"duplicate", plant_duplicate, 1, "duplicate", FV_WARNS, 3,
     "train: 3 of 400 pictures (0.8 %) are copies", "train#3 = train#33"},
    {"mislabelled", plant_mislabelled, 1, "mislabelled-duplicate", FV_WARNS, 1,
     "1 picture is there under another class", "train#3 = train#17"},
    {"near mislabelled", plant_near_mislabelled, 1, "mislabelled-duplicate", FV_WARNS, 1,
     "1 of them nearly", "train#3 ~ train#17 (differ by "},
    {"one leak", plant_leak_one, 1, "leak", FV_WARNS, 1,
     "test: 1 of 100 pictures (1.0 %) are in train, too", "train#3 = test#40"},
    {"leaks", plant_leaks, 1, "leak", FV_SPOILS, 3, "1 of them nearly the same",
     "train#0 = test#40"},
    {"constant", plant_constant, 1, "constant", FV_WARNS, 3, "train: 3 of 400 pictures (0.8 %)",
     "train#5"},
    {"constants", plant_constants, 1, "constant", FV_SPOILS, 21, "train: 21 of 400", "train#0"},
    {"floats that were not scaled", plant_unscaled, 1, "value-range", FV_WARNS, PLANT_TRAIN,
     "train: float32 pixels go from 0 to 255", NULL},
    {"two scales", plant_mixed, 1, "value-range", FV_WARNS, 30,
     "of 400 pictures, 370 stay below 1.5 and 30 are beyond 30", NULL},
    {"lost channel", plant_lost_channel, 3, "zero-variance", FV_WARNS, 1, "1 of 3 channels",
     "channel 1"},
    {"grey", plant_grey, 3, "grey", FV_NOTES, PLANT_TRAIN + PLANT_TEST, "all pictures are grey",
     NULL},
    {"some grey", plant_some_grey, 3, "odd-channels", FV_WARNS, 4,
     "4 of 500 pictures (0.8 %) are not in colour", "test#20 (grey)"},
    {"one class", plant_one_class, 1, "one-class", FV_SPOILS, PLANT_TRAIN, "all 400 pictures",
     NULL},
    {"empty class", plant_empty_class, 1, "empty-class", FV_SPOILS, 1, "1 of 10 classes have no",
     "class \"4\""},
    {"class that is tested only", plant_untrained_class, 1, "missing-class", FV_SPOILS, 1,
     "train: 1 of 10 classes have no picture here, but in another", "class \"4\""},
    {"class that is not tested", plant_untested_class, 1, "missing-class", FV_WARNS, 1,
     "test: 1 of 10 classes have no picture here", "class \"4\""},
    {"imbalance", plant_imbalance, 1, "imbalance", FV_WARNS, 1,
     "class \"5\" has 68 pictures, \"4\" only 12", "class \"4\" (12 pictures)"},
    {"label without class", plant_label_range, 1, "label-range", FV_SPOILS, 1,
     "up to 11, expected 0 to 9", "test#30 (label 11)"},
    {"class order", plant_class_order, 1, "class-order", FV_SPOILS, 2,
     "class 2 is \"dog\", not \"cat\"", NULL},
    {"targets", plant_targets, 1, "label-range", FV_WARNS, 2,
     "train: 2 of 400 targets (0.5 %) are outside 0 to 1: they go from -3 to 1.5", NULL},
    {"one output", plant_one_output, 1, "imbalance", FV_WARNS, 1, "\"0\" has 360", "\"1\""},
    {"type", plant_dtype, 1, "shape", FV_SPOILS, PLANT_TEST,
     "train has pictures of 28x28x1 uint8, test of 28x28x1 float32", NULL},
};

static fv_report *examine_plant(plant *p, const fv_doctor_config *config)
{
    fv_dataset *d[2];
    fv_report *r;
    plant_open(d, p);
    long live = fvi_alloc_live();
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)d, NULL, 2, config));
    fv_report_free(r);
    assert_int_equal(fvi_alloc_live(), live);
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)d, NULL, 2, config));
    fv_dataset_free(d[0]); /* the report stands alone */
    fv_dataset_free(d[1]);
    plant_free(p);
    return r;
}

static void planted_defects(void **state)
{
    (void)state;
    for (size_t i = 0; i < FVI_COUNT(doctor_cases); i++) {
        const doctor_case *c = &doctor_cases[i];
        plant p = plant_new(c->channels);
        c->spoil(&p);
        fv_report *r = examine_plant(&p, NULL);
        /* A copy across parts whose classes disagree is a leak, too. */
        bool is_double = c->spoil == plant_class_order;
        if (is_double) check_has(r, "leak", FV_WARNS, 1, NULL, "train#2 = test#3");
        check_findings(r, c->code ? 1 + is_double : 0);
        if (c->code) check_has(r, c->code, c->severity, c->count, c->text, c->example);
        assert_int_equal(fv_report_spoils(r), c->code && c->severity == FV_SPOILS);
        fv_report_free(r);
    }
}

/* Findings in both parts, one for each. */
static void both_parts(void **state)
{
    (void)state;
    plant p = plant_new(1);
    plant_near(&p);
    fv_report *r = examine_plant(&p, NULL);
    check_findings(r, 2);
    check_has(r, "near-duplicate", FV_WARNS, 1, "train: 1 of 400", "train#3 ~ train#17");
    assert_non_null(strstr(fv_report_finding(r, 1)->text, "test: 1 of 100"));
    assert_non_null(strstr(fv_report_finding(r, 1)->examples[0], "test#5 ~ test#9"));
    fv_report_free(r);
    /* They are equal pictures only when nobody looks for near ones. */
    p = plant_new(1);
    plant_near(&p);
    r = examine_plant(&p, &(fv_doctor_config){.near = -1});
    check_findings(r, 0);
    fv_report_free(r);
    p = plant_new(1);
    plant_dark(&p);
    r = examine_plant(&p, NULL);
    check_findings(r, 2);
    check_has(r, "value-range", FV_WARNS, PLANT_TRAIN,
              "train: uint8 pixels go from 0 to 16: nearly", NULL);
    fv_report_free(r);
}

/* ---- levels ---- */

static void levels(void **state)
{
    (void)state;
    const struct {
        void (*spoil)(plant *p);
        fv_doctor_config config;
        const char *code;
        int findings;
        fv_severity severity;
    } rows[] = {
        {plant_leaks, {.leak_share = 0.03}, "leak", 1, FV_WARNS},
        {plant_leaks, {.leak_share = 0.029}, "leak", 1, FV_SPOILS},
        {plant_leak_one, {.leak_share = -1}, "leak", 1, FV_SPOILS},
        {plant_constants, {.constant_share = 21.0 / 400}, "constant", 1, FV_WARNS},
        {plant_constants, {.constant_share = 0.052}, "constant", 1, FV_SPOILS},
        {plant_imbalance, {.imbalance = 5.6}, "imbalance", 1, FV_WARNS},
        {plant_imbalance, {.imbalance = 5.7}, NULL, 0, FV_NOTES},
        {plant_imbalance, {.imbalance = 1.5}, "imbalance", 1, FV_WARNS},
    };
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        plant p = plant_new(1);
        rows[i].spoil(&p);
        fv_report *r = examine_plant(&p, &rows[i].config);
        check_findings(r, rows[i].findings);
        if (rows[i].code && fv_report_finding(r, 0)->severity != rows[i].severity)
            check_fail_report(r, rows[i].code);
        fv_report_free(r);
    }
}

static void example_limits(void **state)
{
    (void)state;
    const int rows[][2] = {{0, 5}, {2, 2}, {1000, 21}};
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        plant p = plant_new(1);
        plant_constants(&p);
        fv_report *r = examine_plant(&p, &(fv_doctor_config){.examples = rows[i][0]});
        assert_int_equal(fv_report_finding(r, 0)->n_examples, rows[i][1]);
        fv_report_free(r);
    }
}

/* ---- many at once, by any number of threads ---- */

static void plant_much(plant *p)
{
    plant_duplicate(p);
    plant_near_mislabelled(p);
    plant_near(p);
    plant_leaks(p);
    plant_constant(p);
    plant_untested_class(p);
}

static void same_by_threads(void **state)
{
    (void)state;
    char *first = NULL;
    for (int threads = 1; threads <= 5; threads += 2) {
        plant p = plant_new(1);
        plant_much(&p);
        fv_report *r = examine_plant(&p, &(fv_doctor_config){.threads = threads});
        char *json = check_json(r);
        if (!first)
            first = fvi_strdup(json);
        else
            assert_string_equal(json, first);
        fv_free(json);
        fv_report_free(r);
    }
    fvi_free(first);
}

/* What spoils comes first, then what warns. */
static void sorted_findings(void **state)
{
    (void)state;
    plant p = plant_new(1);
    plant_much(&p);
    fv_report *r = examine_plant(&p, NULL);
    const fv_finding *f = fv_report_finding(r, 0), *next;
    assert_string_equal(f->code, "leak");
    assert_int_equal(f->severity, FV_SPOILS);
    for (int i = 1; (next = fv_report_finding(r, i)) != NULL; i++, f = next)
        assert_true(next->severity <= f->severity);
    fv_report_free(r);
}

/* ---- reports as text and JSON ---- */

static void texts(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a\"b", "\xC3\xA9t\xC3\xA9\n", "c\x1B[2J", "3", "4", "5", "6", "7", "8", "\xFF"};
    plant p = plant_new(1);
    plant_leaks(&p);
    plant_imbalance(&p);
    p.names[0] = p.names[1] = names;
    p.classes[0] = p.classes[1] = 10;
    fv_report *r = examine_plant(&p, NULL);
    char *text, *json = check_json(r);
    CHECK_OK(fv_report_text(r, false, &text));
    assert_non_null(strstr(text, "spoils   leak: test: 3 of 100 pictures (3.0 %) are in train"));
    assert_non_null(strstr(text, "\n           train#0 = test#40\n"));
    assert_non_null(strstr(text, "fine     every picture"));
    assert_non_null(strstr(text, "this would spoil training; 1 warning, 0 notes"));
    assert_null(strchr(text, '\x1B')); /* nothing that a terminal would obey */
    fvi_value *value;
    CHECK_OK(fvi_json_read(&value, json, strlen(json)));
    static const char *const keys[] = {"spoils", "cheap", "parts", "findings", "fine"};
    assert_int_equal(value->count, FVI_COUNT(keys));
    for (size_t i = 0; i < FVI_COUNT(keys); i++)
        assert_string_equal(value->key[i], keys[i]);
    const fvi_value *part = fvi_value_get(value, "parts")->item[0];
    assert_string_equal(fvi_value_get_string(part, "part"), "train");
    const fvi_value *class = fvi_value_get(part, "classes")->item[1];
    assert_string_equal(fvi_value_get_string(class, "name"), names[1]);
    const fvi_value *finding = fvi_value_get(value, "findings")->item[0];
    assert_string_equal(fvi_value_get_string(finding, "code"), "leak");
    assert_string_equal(fvi_value_get_string(finding, "severity"), "spoils");
    assert_int_equal(fvi_value_get(finding, "count")->integer, 3);
    fvi_value_free(value);
    fv_free(text);
    fv_free(json);
    fv_report_free(r);
}

/* docs/doctor.md has a line for every code. */
static void codes_are_documented(void **state)
{
    (void)state;
    char path[1024], row[64];
    unsigned char *page;
    size_t size;
    snprintf(path, sizeof path, "%s/docs/doctor.md", TEST_SOURCE_DIR);
    CHECK_OK(fvi_file_read(&page, &size, path, 1 << 20));
    assert_true(fvi_doctor_code(0) && !fvi_doctor_code(-1));
    for (int i = 0; fvi_doctor_code(i); i++) {
        snprintf(row, sizeof row, "| `%s` |", fvi_doctor_code(i));
        if (!strstr((char *)page, row)) fail_msg("docs/doctor.md has no row %s", row);
    }
    fvi_free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_set),
        cmocka_unit_test(planted_defects),
        cmocka_unit_test(both_parts),
        cmocka_unit_test(levels),
        cmocka_unit_test(example_limits),
        cmocka_unit_test(same_by_threads),
        cmocka_unit_test(sorted_findings),
        cmocka_unit_test(texts),
        cmocka_unit_test(codes_are_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
