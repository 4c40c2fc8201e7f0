/* SPDX-License-Identifier: MIT */
/* Tables of pictures and classes: what the columns may be, and what is wrong in which line. */
#include "folder_check.h"

static const fv_dataset_config small = {.height = 2, .width = 2, .channels = 1};
static char csv_path[FOLDER_PATH];

static void put_csv(const char *text)
{
    folder_put("set.csv", text, strlen(text));
    folder_path(csv_path, "set.csv");
}

/* a.png is 10, b.png 20, in/c.png 30 */
static void begin(void)
{
    folder_begin();
    tree_folder("in");
    tree_picture("a.png", 2, 2, 1, 10);
    tree_picture("b.png", 2, 2, 1, 20);
    tree_picture("in/c.png", 2, 2, 1, 30);
}

static void check_rows(fv_split split, int count, const int *value, const int *label)
{
    fv_dataset *d;
    uint8_t pixels[4];
    CHECK_OK(fv_dataset_open(&d, csv_path, split, &small));
    assert_int_equal(fv_dataset_count(d), count);
    for (int i = 0; i < count; i++) {
        CHECK_OK(fv_dataset_read(d, pixels, i));
        assert_int_equal(pixels[0], value[i]);
        assert_int_equal(fv_dataset_label(d, i), label[i]);
    }
    fv_dataset_free(d);
}

static void tables_that_open(void **state)
{
    (void)state;
    static const char *const tables[] = {
        "path,label\na.png,dog\nb.png,cat\nin/c.png,dog\n",
        "path,label\r\na.png,dog\r\nb.png,cat\r\nin/c.png,dog", /* CRLF, no last line end */
        "\xEF\xBB\xBF\"path\",\"label\"\n\"a.png\",\"dog\"\n\n\"b.png\",cat\nin/c.png,dog\n",
        "id,Class,FILENAME\n1,dog,a.png\n2,cat,b.png\n3,dog,in/c.png\n",
        "a.png,dog\nb.png,cat\nin/c.png,dog\n", /* no header */
    };
    begin();
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(tables); i++) {
        put_csv(tables[i]);
        check_rows(FV_TRAIN, 3, (const int[]){10, 20, 30}, (const int[]){1, 0, 1});
    }
    put_csv("path,label\na.png,10\nb.png,9\n"); /* numbers by value */
    check_rows(FV_TEST, 2, (const int[]){10, 20}, (const int[]){1, 0});
    fv_dataset *d;
    put_csv("path,label\na.png,\"big, \"\"brown\"\" dog\"\n");
    CHECK_OK(fv_dataset_open(&d, csv_path, FV_TRAIN, &small));
    assert_string_equal(fv_dataset_class(d, 0), "big, \"brown\" dog");
    fv_dataset_free(d);
    char absolute[FOLDER_PATH + 64];
    snprintf(absolute, sizeof absolute, "path,label\n%s/a.png,x\n", check_root);
    put_csv(absolute);
    check_rows(FV_TRAIN, 1, (const int[]){10}, (const int[]){0});
    assert_int_equal(fvi_alloc_live(), live);
    tree_end();
}

static void splits(void **state)
{
    (void)state;
    begin();
    put_csv("path,label,split\na.png,dog,train\nb.png,cat,test\nin/c.png,dog,train\n");
    check_rows(FV_TRAIN, 2, (const int[]){10, 30},
               (const int[]){1, 1}); /* cat is a class here, too */
    check_rows(FV_TEST, 1, (const int[]){20}, (const int[]){0});
    assert_true(fv_dataset_has(csv_path, FV_TRAIN));
    assert_true(fv_dataset_has(csv_path, FV_TEST));
    assert_false(fv_dataset_has(csv_path, FV_VALIDATION));
    fv_dataset *d;
    CHECK_OPEN_FAILS(fv_dataset_open(&d, csv_path, FV_VALIDATION, &small), FV_E_FORMAT,
                     "set.csv\" has no rows of the split val");
    tree_end();
}

static void tables_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "set.csv\": it is empty"},
        {"\n\n", "set.csv\": it is empty"},
        {"path,label\n", "set.csv\" has no rows"},
        {"path,colour,label\na.png,dog\n", "line 2: 2 columns, expected at least 3"},
        {"a,b,c\n1,2,3\n", "line 1: no column \"path\" in a header that begins with \"a\""},
        {"file,b,c\n1,2,3\n", "line 1: no column \"label\""},
        {"path,label\na.png,dog\nnone.png,cat\n", "line 3: there is no file"},
        {"path,label\na.png,dog\nb.png,cat\na.png,dog\n", "a.png\" is in line 2 already"},
        {"path,label\na.png,dog\n\nb.png,\n", "line 4: the label is empty"},
        {"path,label\n,dog\n", "line 2: the path is empty"},
        {"path,label\na.png,\"dog\n", "line 2: a quote that does not end"},
        {"path,label\na.png,\"dog\"x\n", "line 2: text after a closing quote"},
        {"path,label\na.png,\"two\nlines\"\nnone,x\n", "line 4: there is no file"},
        {"path,label\na.png,\xFF\n", "line 2: the label is not UTF-8"},
        {"path,label,split\na.png,dog,trian\n", "line 2: split \"trian\", expected train, val"},
    };
    fv_dataset *d;
    begin();
    for (size_t i = 0; i < FVI_COUNT(cases); i++) {
        put_csv(cases[i].text);
        CHECK_OPEN_FAILS(fv_dataset_open(&d, csv_path, FV_TRAIN, &small), FV_E_FORMAT,
                         cases[i].part);
    }
    char nul[] = "path,label\na.png,d\0g\n";
    folder_put("set.csv", nul, sizeof nul - 1);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, csv_path, FV_TRAIN, &small), FV_E_FORMAT,
                     "line 2: a NUL byte");
    static char line[(2 << 20) + 64];
    memcpy(line, "path,label\na.png,", 17);
    memset(line + 17, 'x', 2 << 20);
    folder_put("set.csv", line, 17 + (2 << 20));
    CHECK_OPEN_FAILS(fv_dataset_open(&d, csv_path, FV_TRAIN, &small), FV_E_FORMAT,
                     "line 2: longer than 1048576 bytes");
    memset(line, ',', 100);
    folder_put("set.csv", line, 100);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, csv_path, FV_TRAIN, &small), FV_E_FORMAT,
                     "line 1: more than 64 columns");
    /* the classes of a model */
    const char *const cats[] = {"cat"};
    fv_dataset_config config = small;
    config.classes = cats;
    config.n_classes = 1;
    put_csv("path,label\na.png,cat\nb.png,dog\n");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, csv_path, FV_TRAIN, &config), FV_E_FORMAT,
                     "line 3: the class \"dog\" is not one of the model's; expected cat");
    tree_end();
}

static void memory_runs_out(void **state)
{
    (void)state;
    fv_dataset *d;
    fv_dataset_config one = small;
    one.threads = 1;
    begin();
    put_csv("path,label\na.png,dog\nb.png,cat\nin/c.png,dog\n");
    CHECK_OOM(fv_dataset_open(&d, csv_path, FV_TRAIN, &one));
    fv_dataset_free(d);
    tree_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_that_open),
        cmocka_unit_test(splits),
        cmocka_unit_test(tables_refused),
        cmocka_unit_test(memory_runs_out),
    };
#ifndef FVI_WITH_IMAGE
    print_message("skipped: built without PNG and JPEG\n");
    return 77;
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
