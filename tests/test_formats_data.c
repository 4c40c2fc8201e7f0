/* SPDX-License-Identifier: MIT */
/* Real files, in the folder that FOVEA_DATA names: signs/, happy/, mnist/,
   sign-language-digits/. */
#include "formats_check.h"

#include <dirent.h>

static const char *data_folder;

static const char *data_path(char path[1024], const char *name)
{
    snprintf(path, 1024, "%s/%s", data_folder, name);
    if (!fvi_file_exists(path)) {
        printf("skipped: no %s\n", path);
        skip();
    }
    return path;
}

/* A course data set: pictures [N,64,64,3] of uint8, labels [N] of int64 below classes. */
static void course(const char *name, const char *split, int n, int classes)
{
    char path[1024], set[32];
    fvi_hdf5 *file;
    fvi_array x, y;
    fvi_value *names;
    fv_status status = fvi_hdf5_open(&file, data_path(path, name));
    if (status == FV_E_UNSUPPORTED) skip();
    CHECK_OK(status);
    snprintf(set, sizeof set, "%s_set_x", split);
    CHECK_OK(fvi_hdf5_read(file, set, (size_t)1 << 30, &x));
    snprintf(set, sizeof set, "%s_set_y", split);
    CHECK_OK(fvi_hdf5_read(file, set, (size_t)1 << 20, &y));
    CHECK_OK(fvi_hdf5_list(file, &names));
    assert_int_equal(names->count, 3);
    assert_string_equal(names->item[0]->string, "list_classes");
    assert_int_equal(x.dtype, FV_UINT8);
    fv_shape expected = {4, {n, 64, 64, 3}};
    assert_true(fvi_shape_equal(&x.shape, &expected));
    assert_int_equal(y.dtype, FV_INT64);
    assert_int_equal(y.shape.rank, 1);
    assert_int_equal(y.shape.dim[0], n);
    for (int i = 0; i < n; i++)
        assert_in_range(((int64_t *)y.data)[i], 0, classes - 1);
    fvi_value_free(names);
    fvi_array_free(&x);
    fvi_array_free(&y);
    fvi_hdf5_close(file);
}

static void data_course(void **state)
{
    (void)state;
    course("signs/train_signs.h5", "train", 1080, 6);
    course("signs/test_signs.h5", "test", 157, 6);
    course("happy/train_happy.h5", "train", 2400, 2);
    course("happy/test_happy.h5", "test", 600, 2);
}

static void mnist(const char *name, fv_shape expected, unsigned largest)
{
    char path[1024];
    unsigned char *packed, *plain;
    size_t packed_size, size;
    fvi_array array;
    CHECK_OK(fvi_file_read(&packed, &packed_size, data_path(path, name), (size_t)1 << 27));
    CHECK_OK(fvi_gzip_read(&plain, &size, packed, packed_size, (size_t)1 << 27));
    CHECK_OK(fvi_idx_read(&array, plain, size));
    assert_int_equal(array.dtype, FV_UINT8);
    assert_true(fvi_shape_equal(&array.shape, &expected));
    unsigned most = 0;
    for (size_t i = 0; i < size - 4 - 4 * (size_t)expected.rank; i++)
        if (((unsigned char *)array.data)[i] > most) most = ((unsigned char *)array.data)[i];
    assert_int_equal(most, largest);
    fvi_array_free(&array);
    fvi_free(plain);
    fvi_free(packed);
}

static void data_mnist(void **state)
{
    (void)state;
    mnist("mnist/train-images-idx3-ubyte.gz", (fv_shape){3, {60000, 28, 28}}, 255);
    mnist("mnist/train-labels-idx1-ubyte.gz", (fv_shape){1, {60000}}, 9);
    mnist("mnist/t10k-images-idx3-ubyte.gz", (fv_shape){3, {10000, 28, 28}}, 255);
    mnist("mnist/t10k-labels-idx1-ubyte.gz", (fv_shape){1, {10000}}, 9);
}

static void data_jpeg(void **state)
{
    (void)state;
    char folder[1024], path[2048];
    DIR *entries = opendir(data_path(folder, "sign-language-digits/0"));
    assert_non_null(entries);
    int seen = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL && seen < 20;) {
        unsigned char *bytes;
        size_t size;
        fvi_image image;
        if (strstr(entry->d_name, ".JPG") == NULL) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        CHECK_OK(fvi_file_read(&bytes, &size, path, (size_t)1 << 24));
        CHECK_OK(fvi_image_read(&image, bytes, size, 0));
        assert_int_equal(image.height, 100);
        assert_int_equal(image.width, 100);
        assert_int_equal(image.channels, 3);
        fvi_image_free(&image);
        fvi_free(bytes);
        seen++;
    }
    closedir(entries);
    assert_int_equal(seen, 20);
}

int main(void)
{
    data_folder = getenv("FOVEA_DATA");
    if (data_folder == NULL) {
        printf("skipped: FOVEA_DATA is not set, so no real files are read\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_course),
        cmocka_unit_test(data_mnist),
        cmocka_unit_test(data_jpeg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
