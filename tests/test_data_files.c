/* SPDX-License-Identifier: MIT */
/* Data sets in IDX files and folders: what opens, what is refused and how, the real MNIST where
   there is one. */
#include "data_check.h"

#include <math.h>
#include <sys/stat.h>

#ifdef FVI_WITH_ZLIB
#include <zlib.h>
#endif

static const uint8_t pixels[12] = {0, 1, 2, 3, 10, 11, 12, 13, 252, 253, 254, 255};
static const uint8_t labels[3] = {7, 0, 3};

/* Bytes of an IDX file; at most 3 dimensions. */
static size_t idx_bytes(uint8_t out[64], uint8_t type, int rank, const int *dim, const void *data,
                        size_t size)
{
    memcpy(out, (const uint8_t[]){0, 0, type, (uint8_t)rank}, 4);
    for (int i = 0; i < rank; i++)
        memcpy(out + 4 + 4 * i,
               (const uint8_t[]){(uint8_t)(dim[i] >> 24), (uint8_t)(dim[i] >> 16),
                                 (uint8_t)(dim[i] >> 8), (uint8_t)dim[i]},
               4);
    memcpy(out + 4 + 4 * rank, data, size);
    return 4 + 4 * (size_t)rank + size;
}

static void put_images(const char *name)
{
    uint8_t bytes[64];
    folder_put(name, bytes, idx_bytes(bytes, 8, 3, (const int[]){3, 2, 2}, pixels, 12));
}

static void put_labels(const char *name)
{
    uint8_t bytes[64];
    folder_put(name, bytes, idx_bytes(bytes, 8, 1, (const int[]){3}, labels, 3));
}

static fv_status open_folder(fv_dataset **d, fv_split split)
{
    return fv_dataset_open(d, check_root, split, NULL);
}

static void check_three(fv_dataset *d)
{
    fv_tensor x = fv_dataset_x(d);
    assert_true(fvi_shape_equal(&x.shape, &(fv_shape){4, {3, 2, 2, 1}}));
    assert_int_equal(x.dtype, FV_UINT8);
    assert_memory_equal(x.data, pixels, 12);
    assert_int_equal(fv_dataset_classes(d), 8);
    assert_string_equal(fv_dataset_class(d, 7), "7");
    for (int i = 0; i < 3; i++)
        assert_int_equal(fv_dataset_label(d, i), labels[i]);
    fv_dataset_free(d);
}

/* ---- what opens ---- */

static void idx_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},
        {"t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
        {"test-images.idx3.ubyte", "test-labels-idx1-ubyte"},
        {"emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"},
    };
    fv_dataset *d;
    char path[FOLDER_PATH];
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(names); i++) {
        folder_begin();
        put_images(names[i][0]);
        put_labels(names[i][1]);
        folder_put(".DS_Store", "x", 1);
        folder_put("README", "x", 1);
        CHECK_OK(open_folder(&d, FV_TEST));
        assert_string_equal(fv_dataset_name(d), folder_path(path, names[i][0]));
        check_three(d);
        CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_IO, "has no train part; found");
        folder_end();
    }
    assert_int_equal(fvi_alloc_live(), live);
}

static void idx_slash_and_both_parts(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_dataset *d;
    folder_begin();
    put_images("train-images-idx3-ubyte");
    put_labels("train-labels-idx1-ubyte");
    put_images("t10k-images-idx3-ubyte");
    put_labels("t10k-labels-idx1-ubyte");
    folder_put("train-images-idx3-ubyte.gz", "not gzip", 8); /* the plain file is taken */
    CHECK_OK(fv_dataset_open(&d, folder_path(path, ""), FV_TRAIN, NULL));
    assert_null(strstr(fv_dataset_name(d), "//"));
    check_three(d);
    CHECK_OK(open_folder(&d, FV_TEST));
    check_three(d);
    folder_end();
}

static void idx_float(void **state)
{
    (void)state;
    const uint8_t ones[] = {0x3F, 0x80, 0, 0, 0xBF, 0x80, 0, 0, 0x40, 0, 0, 0};
    uint8_t bytes[64];
    fv_dataset *d;
    folder_begin();
    folder_put("train-images-idx3-ubyte", bytes,
               idx_bytes(bytes, 0x0D, 3, (const int[]){3, 1, 1}, ones, 12));
    put_labels("train-labels-idx1-ubyte");
    CHECK_OK(open_folder(&d, FV_TRAIN));
    assert_int_equal(fv_dataset_x(d).dtype, FV_FLOAT32);
    const float *x = fv_dataset_x(d).data;
    assert_true(x[0] == 1.0F && x[1] == -1.0F && x[2] == 2.0F);
    fv_dataset_free(d);
    folder_end();
}

#ifdef FVI_WITH_ZLIB
static size_t gzip_bytes(uint8_t *out, size_t room, const uint8_t *bytes, size_t size)
{
    z_stream z = {.next_in = (z_const Bytef *)bytes, .avail_in = (uInt)size};
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = z.total_out;
    deflateEnd(&z);
    return made;
}
#endif

static void idx_gzip(void **state)
{
    (void)state;
#ifdef FVI_WITH_ZLIB
    uint8_t bytes[64], packed[4096];
    const char *images = "train-images-idx3-ubyte.gz";
    fv_dataset *d;
    folder_begin();
    size_t size = idx_bytes(bytes, 8, 3, (const int[]){3, 2, 2}, pixels, 12);
    size = gzip_bytes(packed, sizeof packed, bytes, size);
    folder_put(images, packed, size);
    put_labels("train-labels-idx1-ubyte");
    CHECK_OK(open_folder(&d, FV_TRAIN));
    check_three(d);
    folder_put(images, packed, size - 1); /* cut */
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT, "idx3-ubyte.gz\": gzip: cut at byte");
    packed[size - 8] ^= 1; /* the CRC */
    folder_put(images, packed, size);
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT, "idx3-ubyte.gz\": gzip: ");
    uint8_t *zeros = calloc(1, 1 << 20);
    assert_non_null(zeros);
    folder_put(images, packed, gzip_bytes(packed, sizeof packed, zeros, 1 << 20));
    free(zeros);
    CHECK_OPEN_FAILS(
        fv_dataset_open(&d, check_root, FV_TRAIN, &(fv_dataset_config){.limit_bytes = 100000}),
        FV_E_MEMORY, "inflates to more than the limit");
    folder_end();
#else
    print_message("skipped: gzipped IDX, built without zlib\n");
    skip();
#endif
}

/* ---- what is refused ---- */

static void idx_refused(void **state)
{
    (void)state;
    const uint8_t nan_pixel[] = {0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 0xC0, 0, 0}, minus[] = {1, 0xFF, 0};
    uint8_t x[64], y[64];
    const struct {
        uint8_t x_type, x_rank;
        int x_dim[3];
        size_t x_size;
        uint8_t y_type;
        int y_count;
        size_t y_size;
        const uint8_t *x_data, *y_data;
        fv_status code;
        const char *part;
    } rows[] = {
        {8,
         3,
         {3, 2, 2},
         12,
         8,
         2,
         2,
         pixels,
         labels,
         FV_E_SHAPE,
         "train-labels-idx1-ubyte: 2 labels for 3 pictures"},
        {8,
         3,
         {3, 2, 2},
         11,
         8,
         3,
         3,
         pixels,
         labels,
         FV_E_FORMAT,
         "train-images-idx3-ubyte\": IDX: 3x2x2 of uint8 claimed, which takes 12 bytes; file has "
         "11"},
        {8, 3, {3, 2, 1}, 7, 8, 3, 3, pixels, labels, FV_E_FORMAT, "file has 7"},
        {7, 3, {3, 2, 2}, 12, 8, 3, 3, pixels, labels, FV_E_FORMAT, "type 0x07"},
        {8, 0, {0}, 1, 8, 3, 3, pixels, labels, FV_E_FORMAT, "0 dimensions at byte 3"},
        {8,
         2,
         {3, 4},
         12,
         8,
         3,
         3,
         pixels,
         labels,
         FV_E_SHAPE,
         "train-images-idx3-ubyte: shape is 3x4, expected [N,H,W,C] or [N,H,W]"},
        {8, 3, {0, 2, 2}, 0, 8, 0, 0, pixels, labels, FV_E_SHAPE, "0x2x2: it is empty"},
        {8, 3, {3, 0, 2}, 0, 8, 3, 3, pixels, labels, FV_E_SHAPE, "it is empty"},
        {0x0B,
         3,
         {3, 2, 1},
         12,
         8,
         3,
         3,
         pixels,
         labels,
         FV_E_FORMAT,
         "pixels are int16, expected uint8, float32 or float64"},
        {0x0D, 3, {3, 1, 1}, 12, 8, 3, 3, nan_pixel, labels, FV_E_FORMAT, "sample 2 holds NaN"},
        {8, 3, {3, 2, 2}, 12, 9, 3, 3, pixels, minus, FV_E_FORMAT, "label -1 of sample 1"},
        {8,
         3,
         {3, 2, 2},
         12,
         0x0D,
         3,
         12,
         pixels,
         pixels,
         FV_E_FORMAT,
         "labels are float32, expected integers"},
    };
    fv_dataset *d;
    folder_begin();
    for (size_t i = 0; i < FVI_COUNT(rows); i++) {
        folder_put("train-images-idx3-ubyte", x,
                   idx_bytes(x, rows[i].x_type, rows[i].x_rank, rows[i].x_dim, rows[i].x_data,
                             rows[i].x_size));
        folder_put(
            "train-labels-idx1-ubyte", y,
            idx_bytes(y, rows[i].y_type, 1, &rows[i].y_count, rows[i].y_data, rows[i].y_size));
        CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), rows[i].code, rows[i].part);
        assert_non_null(strstr(fv_error(), check_root));
    }
    folder_put("train-images-idx3-ubyte", "\3\10\0\0\0\0\0\3", 8); /* the other byte order */
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT, "wrong order");
    folder_end();
}

static void folder_refused(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT,
                     "holds no data set; found nothing; expected one .h5 file");
    static const char *const others[] = {"g.jpg", "b.jpg", "f.jpg", "a\n.jpg",
                                         "e.jpg", "d.jpg", "c.jpg", ".hid"};
    for (size_t i = 0; i < FVI_COUNT(others); i++)
        folder_put(others[i], "", 0);
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT,
                     "found a\\x0a.jpg, b.jpg, c.jpg, d.jpg, e.jpg and 2 more; expected");
    put_images("train-images-idx3-ubyte");
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT,
                     "lacks half of a part; found train-images-idx3-ubyte; expected "
                     "train-images-idx3-ubyte and train-labels-idx1-ubyte");
    CHECK_OPEN_FAILS(open_folder(&d, FV_TEST), FV_E_IO,
                     "has no test part; found train-images-idx3-ubyte; expected "
                     "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte");
    folder_put("train_b.h5", "x", 1);
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT,
                     "holds HDF5 and IDX files; found "
                     "train_b.h5, train-images");
    folder_remove("train-images-idx3-ubyte");
    CHECK_OPEN_FAILS(open_folder(&d, FV_TEST), FV_E_IO,
                     "has no test part; found train_b.h5; expected one test_*.h5");
    folder_put("train_a.hdf5", "x", 1);
    CHECK_OPEN_FAILS(open_folder(&d, FV_TRAIN), FV_E_FORMAT,
                     "holds several files for one part; found train_a.hdf5, train_b.h5; expected "
                     "one train_*.h5; or give the file itself");
    folder_end();
}

static void path_refused(void **state)
{
    (void)state;
    char path[FOLDER_PATH];
    fv_dataset *d;
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "", FV_TRAIN, NULL), FV_E_IO, "no file or folder \"\"");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "digits", FV_TRAIN, NULL), FV_E_IO,
                     "no file or folder \"digits\"; did you mean \"made:digits\"?");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, "/dev/null", FV_TRAIN, NULL), FV_E_IO,
                     "not a regular file");
    folder_begin();
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "none"), FV_TRAIN, NULL), FV_E_IO,
                     "no file or folder");
    folder_put("empty.h5", "", 0);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "empty.h5"), FV_TRAIN, NULL),
                     FV_E_FORMAT, "empty.h5\" is empty; expected one .h5 file");
    folder_put("text.h5", "hello", 5);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "text.h5"), FV_TRAIN, NULL), FV_E_FORMAT,
                     "text.h5\" is not a data set; expected one .h5 file");
    put_labels("labels");
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "labels"), FV_TRAIN, NULL), FV_E_FORMAT,
                     "is one IDX file: give its folder");
    folder_put("packed", "\x1F\x8B\b", 3);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "packed"), FV_TRAIN, NULL), FV_E_FORMAT,
                     "is a gzipped file");
    folder_put("picture", "\x89PNG\r\n\x1A\n", 8);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, folder_path(path, "picture"), FV_TRAIN, NULL), FV_E_FORMAT,
                     "is one picture");
    assert_int_equal(symlink("loop", folder_path(path, "loop")), 0);
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_IO, "cannot open");
    assert_int_equal(mkfifo(folder_path(path, "pipe"), 0600), 0); /* must not wait for a writer */
    CHECK_OPEN_FAILS(fv_dataset_open(&d, path, FV_TRAIN, NULL), FV_E_IO, "not a regular file");
    folder_end();
    char text[FVI_SAFE_TEXT], longer[300] = {0};
    memset(longer, 'a', sizeof longer - 1);
    memcpy(longer + sizeof longer - 5, ".h5", 4);
    fvi_path_text(text, longer); /* the end is what tells files apart */
    assert_int_equal(strncmp(text, "...aaa", 6), 0);
    assert_string_equal(text + strlen(text) - 5, "aa.h5");
    memset(longer, '\n', sizeof longer - 1);
    assert_true(strlen(fvi_path_text(text, longer)) < FVI_SAFE_TEXT);
    assert_string_equal(fvi_path_text(text, "a/b.h5"), "a/b.h5");
}

static void idx_memory(void **state)
{
    (void)state;
    fv_dataset *d;
    folder_begin();
    put_images("train-images-idx3-ubyte");
    put_labels("train-labels-idx1-ubyte");
    folder_put("other", "", 0);
    CHECK_OOM(open_folder(&d, FV_TRAIN));
    check_three(d);
    CHECK_OPEN_FAILS(
        fv_dataset_open(&d, check_root, FV_TRAIN, &(fv_dataset_config){.limit_bytes = 10}),
        FV_E_MEMORY, "longer than the limit of 10 bytes"); /* the labels; pictures stay there */
    folder_end();
}

/* ---- the real thing ---- */

static void idx_mnist(void **state)
{
    (void)state;
    static const int count[2][10] = {
        {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
        {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009},
    };
    static const int first[2][6] = {{5, 0, 4, 1, 9, 2}, {7, 2, 1, 0, 4, 1}};
    char path[1024];
    const char *root = getenv("FOVEA_DATA");
    if (root) snprintf(path, sizeof path, "%s/mnist", root);
    if (!root || !fvi_file_is_folder(path)) {
        print_message("skipped: MNIST, %s\n",
                      root ? "FOVEA_DATA has no folder mnist" : "FOVEA_DATA is not set");
        skip();
    }
    for (int split = 0; split < 2; split++) {
        fv_dataset *d;
        int seen[10] = {0};
        CHECK_OK(fv_dataset_open(&d, path, (fv_split)split, NULL));
        assert_int_equal(fv_dataset_count(d), split ? 10000 : 60000);
        fv_shape shape = fv_dataset_shape(d);
        assert_true(fvi_shape_equal(&shape, &(fv_shape){3, {28, 28, 1}}));
        assert_int_equal(fv_dataset_classes(d), 10);
        for (int i = 0; i < fv_dataset_count(d); i++)
            seen[fv_dataset_label(d, i)]++;
        assert_memory_equal(seen, count[split], sizeof seen);
        for (int i = 0; i < 6; i++)
            assert_int_equal(fv_dataset_label(d, i), first[split][i]);
        fv_dataset_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_names),    cmocka_unit_test(idx_slash_and_both_parts),
        cmocka_unit_test(idx_float),    cmocka_unit_test(idx_gzip),
        cmocka_unit_test(idx_refused),  cmocka_unit_test(folder_refused),
        cmocka_unit_test(path_refused), cmocka_unit_test(idx_memory),
        cmocka_unit_test(idx_mnist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
