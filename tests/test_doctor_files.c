/* SPDX-License-Identifier: MIT */
/* The doctor on pictures that are read one at a time: files of their own, and sources that fail; what
   it costs, and what happens when memory or patience run out. */
#include "doctor_check.h"

#include <sys/stat.h>

/* ---- a folder of pictures ---- */

#ifdef FVI_WITH_IMAGE

static char folder_root[64];

static const char *folder_file(char path[FOLDER_PATH], const char *name)
{
    snprintf(path, FOLDER_PATH, "%s/%s", folder_root, name);
    return path;
}

static void folder_write_png(const char *name, int height, int width, uint8_t *pixels)
{
    char path[FOLDER_PATH];
    fvi_save *save;
    fvi_image image = {height, width, 3, pixels};
    CHECK_OK(fvi_save_begin(&save, folder_file(path, name)));
    CHECK_OK(fvi_image_write_png(save, &image));
    CHECK_OK(fvi_save_commit(save));
}

/* cat/ and dog/ with 20 pictures each. */
static void folder_make(void)
{
    static const char *const names[] = {"cat", "dog"};
    char path[FOLDER_PATH], name[32];
    fv_dataset *d;
    fv_dataset_config config = {.count = 40, .channels = 3};
    snprintf(folder_root, sizeof folder_root, "/tmp/fovea-doctor-XXXXXX");
    assert_non_null(mkdtemp(folder_root));
    CHECK_OK(fv_dataset_open(&d, "made:digits", FV_TRAIN, &config));
    uint8_t *pixels = fv_dataset_x(d).data;
    for (int c = 0; c < 2; c++) {
        assert_int_equal(mkdir(folder_file(path, names[c]), 0777), 0);
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "%s/%02d.png", names[c], i);
            folder_write_png(name, 28, 28, pixels + (size_t)(c * 20 + i) * 28 * 28 * 3);
        }
    }
    fv_dataset_free(d);
}

static void folder_remove_all(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder_root);
    assert_int_equal(system(command), 0);
}

static void folder_rename(const char *from, const char *to)
{
    char a[FOLDER_PATH], b[FOLDER_PATH];
    assert_int_equal(rename(folder_file(a, from), folder_file(b, to)), 0);
}

/* The first `share` of a file, or another content. */
static void folder_spoil(const char *name, double share, const char *content)
{
    char path[FOLDER_PATH];
    unsigned char *bytes;
    size_t size;
    CHECK_OK(fvi_file_read(&bytes, &size, folder_file(path, name), 1 << 20));
    CHECK_OK(content ? fvi_file_write(path, content, strlen(content))
                     : fvi_file_write(path, bytes, (size_t)((double)size * share)));
    fvi_free(bytes);
}

static void folder_copy(const char *from, const char *to)
{
    char path[FOLDER_PATH];
    unsigned char *bytes;
    size_t size;
    CHECK_OK(fvi_file_read(&bytes, &size, folder_file(path, from), 1 << 20));
    CHECK_OK(fvi_file_write(folder_file(path, to), bytes, size));
    fvi_free(bytes);
}

/* The same picture, twice as large. */
static void folder_enlarge(const char *name)
{
    char path[FOLDER_PATH];
    fv_picture small, large;
    CHECK_OK(fv_picture_read(&small, folder_file(path, name), 3));
    CHECK_OK(fv_picture_resize(&large, &small, 56, 56));
    folder_write_png(name, 56, 56, large.pixels);
    fv_picture_free(&small);
    fv_picture_free(&large);
}

static fv_report *folder_examine(size_t memory_bytes, const fv_doctor_config *config)
{
    fv_dataset *d;
    fv_report *r;
    fv_dataset_config data = {.memory_bytes = memory_bytes};
    CHECK_OK(fv_dataset_open(&d, folder_root, FV_TRAIN, &data));
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)&d, NULL, 1, config));
    fv_dataset_free(d);
    return r;
}

static void files_clean(void **state)
{
    (void)state;
    folder_make();
    for (size_t memory = 0; memory < 2; memory++) { /* 0: in memory, 1: read as needed */
        fv_report *r = folder_examine(memory, NULL);
        check_findings(r, 0);
        assert_non_null(strstr(fv_report_fine(r, 1), "files are alike"));
        fv_report_free(r);
    }
    folder_remove_all();
}

static void files_spoilt(void **state)
{
    (void)state;
    char path[FOLDER_PATH], twin[2 * FOLDER_PATH];
    folder_make();
    folder_spoil("cat/03.png", 0.5, NULL);
    folder_spoil("dog/04.png", 0, "<html>not found</html>");
    folder_spoil("dog/14.png", 0.999, NULL);
    folder_enlarge("dog/05.png");
    folder_rename("cat/06.png", "cat/06.jpg");
    folder_copy("dog/08.png", "dog/07.png");
    for (size_t memory = 0; memory < 2; memory++) {
        fv_report *r = folder_examine(memory, &(fv_doctor_config){.unreadable_share = 0.08});
        check_findings(r, 5);
        check_has(r, "truncated", FV_WARNS, 2, "2 of 40 pictures (5.0 %) are cut short",
                  "cat/03.png\": PNG");
        check_has(r, "unreadable", FV_WARNS, 1, "1 of 40 pictures (2.5 %) cannot be read",
                  "dog/04.png\": no PNG or JPEG");
        check_has(r, "odd-size", FV_WARNS, 1, "1 of 37 files (2.7 %) are not 28x28",
                  "dog/05.png (56x56)");
        check_has(r, "misnamed", FV_NOTES, 1, NULL, folder_file(path, "cat/06.jpg"));
        snprintf(twin, sizeof twin, "%s/dog/07.png = %s/dog/08.png", folder_root, folder_root);
        check_has(r, "duplicate", FV_WARNS, 1, "1 of them byte for byte", twin);
        assert_int_equal(fv_report_part(r, 0)->unreadable, 3);
        assert_int_equal(fv_report_part(r, 0)->count, memory ? 40 : 37);
        fv_report_free(r);
        r = folder_examine(memory, NULL);
        check_has(r, "truncated", FV_SPOILS, 2, NULL, NULL);
        check_has(r, "unreadable", FV_SPOILS, 1, NULL, NULL);
        assert_true(fv_report_spoils(r));
        fv_report_free(r);
    }
    folder_remove_all();
}

/* Two parts of one folder share what was left out: it counts once. */
static void files_split(void **state)
{
    (void)state;
    fv_dataset *d, *half[2];
    fv_report *r;
    folder_make();
    folder_spoil("cat/03.png", 0.5, NULL);
    folder_copy("dog/08.png", "cat/08.png");
    CHECK_OK(fv_dataset_open(&d, folder_root, FV_TRAIN, NULL));
    CHECK_OK(fv_dataset_split(&half[0], &half[1], d, 0.5, 0));
    fv_dataset_free(d);
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)half, NULL, 2, NULL));
    check_has(r, "truncated", FV_SPOILS, 1, "1 of 40 pictures", "cat/03.png");
    check_has(r, "mislabelled-duplicate", FV_WARNS, 1, NULL, "08.png");
    fv_report_free(r);
    fv_dataset_free(half[0]);
    fv_dataset_free(half[1]);
    folder_remove_all();
}

/* With no usual size, the shape of most counts. */
static void files_of_many_sizes(void **state)
{
    (void)state;
    char name[32];
    folder_make();
    uint8_t *pixels = fvi_alloc(400 * 400, 3, "");
    for (int i = 0; i < 40; i++) {
        for (size_t k = 0; k < 400 * 400 * 3; k++)
            pixels[k] = (uint8_t)fvi_rng_int(5, FVI_RNG_TEST, (uint32_t)i, k / 700, 256);
        int height = i == 12 ? 20 : 200 + i, width = i == 12 ? 15 : i == 31 ? 70 : 160 + 2 * i;
        snprintf(name, sizeof name, "%s/%02d.png", i < 20 ? "cat" : "dog", i % 20);
        folder_write_png(name, height, width, pixels);
    }
    fvi_free(pixels);
    fv_report *r = folder_examine(0, &(fv_doctor_config){.near = -1});
    check_findings(r, 1);
    check_has(r, "odd-size", FV_WARNS, 2, "2 of 40 files (5.0 %) are of another shape, or much",
              "cat/12.png (20x15)");
    assert_non_null(strstr(fv_report_finding(r, 0)->examples[1], "dog/11.png (231x70)"));
    fv_report_free(r);
    folder_remove_all();
}

#endif

/* ---- what files say of themselves ---- */

static void facts(void **state)
{
    (void)state;
    static const unsigned char png[] =
        "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\1\2\0\0\0\3\x08\x06\0\0\0"
        "\1\2\3\4\0\0\0\1IDATx\1\2\3\4\0\0\0\0IEND\xAE\x42\x60\x82";
    static const unsigned char clear[] =
        "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\2\0\0\0\3\x08\x03\0\0\0"
        "\1\2\3\4\0\0\0\1tRNS\0\1\2\3\4\0\0\0\0IEND\xAE\x42\x60\x82";
    static const unsigned char jpeg[] =
        "\xFF\xD8\xFF\xE0\0\6\xFF\xD9hi\xFF\xFF\xC2\0\x0B\x08\1\2\0\3\1\1\x22\0"
        "\xFF\xDA\0\4\1\1\x12\xFF\0\x34\xFF\xD9";
    fvi_image_facts f = fvi_image_look(png, sizeof png - 1);
    assert_string_equal(f.format, "PNG");
    assert_true(f.height == 3 && f.width == 258 && f.has_alpha && f.is_whole);
    f = fvi_image_look(clear, sizeof clear - 1);
    assert_true(f.height == 3 && f.width == 2 && f.has_alpha && f.is_whole);
    f = fvi_image_look(jpeg, sizeof jpeg - 1);
    assert_string_equal(f.format, "JPEG");
    assert_true(f.height == 258 && f.width == 3 && !f.has_alpha && f.is_whole);
    assert_null(fvi_image_look((const unsigned char *)"GIF89a", 6).format);
    /* Cut anywhere they are not whole, and nothing is read past the end. */
    for (size_t size = 0; size < sizeof png - 1; size++) {
        unsigned char *bytes = check_exact(png, size);
        f = fvi_image_look(bytes, size);
        assert_true(!f.is_whole || size >= sizeof png - 5); /* all but the CRC of IEND */
        free(bytes);
    }
    for (size_t size = 0; size < sizeof jpeg - 1; size++) {
        unsigned char *bytes = check_exact(jpeg, size);
        assert_false(fvi_image_look(bytes, size).is_whole);
        free(bytes);
    }
    /* Any byte may be anything. */
    for (size_t i = 0; i < sizeof jpeg - 1; i++) {
        for (int value = 0; value < 256; value++) {
            unsigned char *bytes = check_exact(jpeg, sizeof jpeg - 1);
            bytes[i] = (unsigned char)value;
            fvi_image_look(bytes, sizeof jpeg - 1);
            free(bytes);
        }
    }
}

/* ---- sources that fail ---- */

static void sources_that_fail(void **state)
{
    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        pond p = {.count = 300, .first_bad = 10, .bad = 3, .is_strict = strict};
        fv_report *r = pond_examine(&p, NULL);
        check_findings(r, 1);
        check_has(r, "unreadable", FV_WARNS, 3, "3 of 300 pictures (1.0 %) cannot be read",
                  "train#10: the pond is frozen");
        fv_report_free(r);
        p.bad = 4;
        r = pond_examine(&p, NULL);
        check_has(r, "unreadable", FV_SPOILS, 4, NULL, NULL);
        assert_int_equal(fv_report_part(r, 0)->unreadable, 4);
        fv_report_free(r);
        p.first_bad = 0;
        p.bad = 300; /* nothing at all */
        r = pond_examine(&p, NULL);
        check_findings(r, 1);
        check_has(r, "unreadable", FV_SPOILS, 300, NULL, NULL);
        assert_true(isnan(fv_report_part(r, 0)->mean[0]));
        char *json = check_json(r), *text;
        assert_non_null(strstr(json, "\"mean\":[null]"));
        CHECK_OK(fv_report_text(r, false, &text));
        fv_free(json);
        fv_free(text);
        fv_report_free(r);
    }
}

static void sources_with_nan(void **state)
{
    (void)state;
    pond p = {.count = 100, .is_float = true, .first_nan = 98};
    fv_report *r = pond_examine(&p, NULL);
    check_findings(r, 1);
    check_has(r, "not-a-number", FV_SPOILS, 2, "train: 2 of 100 pictures (2.0 %)", "train#98");
    assert_true(fv_report_part(r, 0)->max[0] <= 1);
    fv_report_free(r);
}

/* ---- the cheap part ---- */

static void cheap(void **state)
{
    (void)state;
    pond p = {.count = 5000, .is_float = true, .first_nan = 4999};
    fv_report *r = pond_examine(&p, &(fv_doctor_config){.cheap = true});
    assert_int_equal(p.reads, 64); /* evenly from the whole part; the last is not among them */
    check_findings(r, 0);
    assert_int_equal(fv_report_part(r, 0)->looked, 64);
    char *text;
    CHECK_OK(fv_report_text(r, false, &text));
    assert_non_null(strstr(text, "5000 pictures, 16x16x1 float32, 64 looked at"));
    assert_non_null(strstr(text, "a sample was looked at"));
    assert_null(strstr(text, "no picture is there twice")); /* which nobody knows */
    fv_free(text);
    fv_report_free(r);
    p = (pond){.count = 5000, .is_float = true, .first_nan = 2500};
    r = pond_examine(&p, &(fv_doctor_config){.cheap = true, .sample = 10});
    assert_int_equal(p.reads, 10);
    check_has(r, "not-a-number", FV_SPOILS, 5, "5 of 10 pictures", "train#2500");
    fv_report_free(r);
    p = (pond){.count = 20, .bad = 1};
    r = pond_examine(&p, &(fv_doctor_config){.cheap = true}); /* fewer than a sample */
    check_has(r, "unreadable", FV_SPOILS, 1, "1 of 20", NULL);
    fv_report_free(r);
}

/* ---- progress, arguments, memory ---- */

typedef struct watch {
    int calls, last, total, stop_at;
} watch;

static bool watch_progress(void *user, int done, int total)
{
    watch *w = user;
    assert_true(done > w->last && done <= total);
    assert_true(w->total == 0 || total == w->total);
    w->last = done;
    w->total = total;
    return ++w->calls != w->stop_at;
}

static void progress(void **state)
{
    (void)state;
    const double nears[] = {0, -1};
    for (size_t i = 0; i < 2; i++) {
        pond p = {.count = 5000};
        watch w = {0};
        fv_doctor_config config = {.progress = watch_progress, .user = &w, .near = nears[i]};
        fv_report_free(pond_examine(&p, &config));
        assert_int_equal(w.last, w.total);
        assert_int_equal(w.total, i == 0 ? 10000 : 5000);
        int calls = w.calls;
        assert_true(calls > 2);
        fv_dataset *d = pond_open(&p);
        long live = fvi_alloc_live();
        for (int stop = 1; stop <= calls; stop++) {
            fv_report *r = (fv_report *)&live;
            w = (watch){.stop_at = stop};
            CHECK_FAILS(fv_doctor_examine(&r, (const fv_dataset *const *)&d, NULL, 1, &config),
                        FV_E_CANCELLED, "stopped after");
            assert_null(r);
            assert_int_equal(fvi_alloc_live(), live);
        }
        fv_dataset_free(d);
    }
}

static void arguments(void **state)
{
    (void)state;
    pond p = {.count = 10};
    fv_dataset *d = pond_open(&p);
    const fv_dataset *parts[] = {d, d, d, d}, *hole[] = {d, NULL};
    const fv_split twice[] = {FV_TEST, FV_TEST}, odd[] = {(fv_split)7};
    char *text;
    fv_report *r;
    CHECK_FAILS(fv_doctor_examine(NULL, parts, NULL, 1, NULL), FV_E_ARG, "report is NULL");
    CHECK_FAILS(fv_doctor_examine(&r, NULL, NULL, 1, NULL), FV_E_ARG, "parts is NULL");
    CHECK_FAILS(fv_doctor_examine(&r, parts, NULL, 0, NULL), FV_E_ARG, "0 parts, expected 1 to 3");
    CHECK_FAILS(fv_doctor_examine(&r, parts, NULL, 4, NULL), FV_E_ARG, "4 parts, expected 1 to 3");
    CHECK_FAILS(fv_doctor_examine(&r, hole, NULL, 2, NULL), FV_E_ARG, "part 1 is NULL");
    CHECK_FAILS(fv_doctor_examine(&r, parts, twice, 2, NULL), FV_E_ARG,
                "two parts are called test");
    CHECK_FAILS(fv_doctor_examine(&r, parts, odd, 1, NULL), FV_E_ARG, "split 7 of part 0");
    assert_null(r);
    CHECK_FAILS(fv_report_text(NULL, false, &text), FV_E_ARG, "report is NULL");
    assert_null(fv_report_finding(NULL, 0));
    assert_null(fv_report_fine(NULL, 0));
    assert_null(fv_report_part(NULL, 0));
    assert_false(fv_report_spoils(NULL));
    fv_report_free(NULL);
    /* The same set three times: everything leaks. */
    CHECK_OK(fv_doctor_examine(&r, parts, NULL, 3, NULL));
    CHECK_FAILS(fv_report_text(r, false, NULL), FV_E_ARG, "text is NULL");
    check_findings(r, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(fv_report_finding(r, i)->code, "leak");
    check_has(r, "leak", FV_SPOILS, 10, "test: 10 of 10 pictures (100.0 %) are in train",
              "train#0 = test#0");
    fv_report_free(r);
    /* A part without pictures. */
    fv_dataset *none;
    CHECK_OK(fv_dataset_select(&none, d, NULL, 0));
    const fv_dataset *empty[] = {none, d};
    CHECK_OK(fv_doctor_examine(&r, empty, NULL, 2, NULL));
    check_has(r, "missing-class", FV_SPOILS, 2, "train: 2 of 2 classes", NULL);
    fv_report_free(r);
    fv_dataset_free(none);
    fv_dataset_free(d);
}

/* Vectors [N,D] have no look, but may be equal. */
static void vectors(void **state)
{
    (void)state;
    float x[8][5];
    int32_t label[8];
    for (int i = 0; i < 8; i++) {
        label[i] = i % 2;
        for (int k = 0; k < 5; k++)
            x[i][k] = 0.1F * (float)((i % 6 + 1) * (k + 1) % 7);
    }
    fv_tensor tx = {{2, {8, 5}}, FV_FLOAT32, x}, ty = {{1, {8}}, FV_INT32, label};
    fv_dataset *d;
    fv_report *r;
    CHECK_OK(fv_dataset_from_arrays(&d, &tx, &ty, NULL, 0));
    CHECK_OK(fv_doctor_examine(&r, (const fv_dataset *const *)&d, NULL, 1, NULL));
    check_findings(r, 1);
    check_has(r, "duplicate", FV_WARNS, 2, NULL, "train#0 = train#6");
    fv_report_free(r);
    fv_dataset_free(d);
}

/* Each allocation fails once: no leak, nothing half done, and the next try gives the same. */
static void out_of_memory(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        pond p = {.count = 60, .noise = 6, .bad = 1, .first_bad = 30};
        fv_dataset *set = pond_open(&p);
        int half[30];
        fv_dataset *parts[2];
        for (int i = 0; i < 30; i++)
            half[i] = 2 * i;
        CHECK_OK(fv_dataset_select(&parts[0], set, half, 30));
        CHECK_OK(fv_dataset_select(&parts[1], set, half + 1, 29));
        fv_doctor_config config = {.threads = threads};
        fv_report *d;
        CHECK_OOM(fv_doctor_examine(&d, (const fv_dataset *const *)parts, NULL, 2, &config));
        char *json = NULL;
        for (long k = 1;; k++) {
            fvi_alloc_fail_at(k);
            fv_status status = fv_report_text(d, true, &json);
            fvi_alloc_fail_at(0);
            if (status == FV_OK) break;
            assert_int_equal(status, FV_E_MEMORY);
            assert_null(json);
        }
        fv_report *unhurt;
        CHECK_OK(fv_doctor_examine(&unhurt, (const fv_dataset *const *)parts, NULL, 2, &config));
        char *whole = check_json(unhurt);
        assert_string_equal(json, whole);
        fv_free(whole);
        fv_report_free(unhurt);
        assert_non_null(strstr(json, "\"code\":\"leak\""));
        assert_non_null(strstr(json, "\"code\":\"near-duplicate\""));
        assert_non_null(strstr(json, "\"code\":\"unreadable\""));
        fv_free(json);
        fv_report_free(d);
        fv_dataset_free(parts[0]);
        fv_dataset_free(parts[1]);
        fv_dataset_free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef FVI_WITH_IMAGE
        cmocka_unit_test(files_clean),
        cmocka_unit_test(files_spoilt),
        cmocka_unit_test(files_split),
        cmocka_unit_test(files_of_many_sizes),
#endif
        cmocka_unit_test(facts),
        cmocka_unit_test(sources_that_fail),
        cmocka_unit_test(sources_with_nan),
        cmocka_unit_test(cheap),
        cmocka_unit_test(progress),
        cmocka_unit_test(arguments),
        cmocka_unit_test(vectors),
        cmocka_unit_test(out_of_memory),
    };
#ifndef FVI_WITH_IMAGE
    printf("skipped: pictures in files: built without PNG and JPEG\n");
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
