/* SPDX-License-Identifier: MIT */
/* Every reader of src/formats that takes bytes, on any bytes. With clang's libFuzzer it is a
   program of its own (cmake -DFOVEA_FUZZ=ON); test_formats_fuzz.c includes it and feeds it
   without. */
#include "formats/formats.h"
#include "formats/image_raw.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_LIMIT ((size_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int fuzz_formats_accepted(const uint8_t *data, size_t size);

/* Touch what a reader returned, so that a sanitizer sees bytes that are not there. */
static unsigned fuzz_sum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    return sum;
}

static bool fuzz_json(const uint8_t *data, size_t size)
{
    fvi_value *value, *back;
    fvi_text text = {0}, again = {0};
    if (fvi_json_read(&value, (const char *)data, size) != FV_OK) return false;
    if (fvi_json_write(&text, value, 0) != FV_OK) abort();
    if (fvi_json_read(&back, text.data, text.size) != FV_OK) abort();
    if (fvi_json_write(&again, back, 0) != FV_OK || strcmp(text.data, again.data) != 0) abort();
    fvi_text_free(&text);
    fvi_text_free(&again);
    fvi_value_free(value);
    fvi_value_free(back);
    return true;
}

static bool fuzz_safetensors(const uint8_t *data, size_t size)
{
    fvi_safetensors *file;
    if (fvi_safetensors_read(&file, data, size) != FV_OK) return false;
    volatile unsigned sum = 0;
    for (int i = 0; i < file->count; i++) {
        const fv_tensor *t = &file->entry[i].tensor;
        size_t count;
        if (fvi_shape_count(&count, &t->shape) != FV_OK) abort();
        sum += fuzz_sum(t->data, count * fv_dtype_size(t->dtype));
    }
    (void)sum;
    fvi_safetensors_free(file);
    return true;
}

static void fuzz_array(fvi_array *array)
{
    size_t count;
    if (fvi_shape_count(&count, &array->shape) != FV_OK) abort();
    volatile unsigned sum = fuzz_sum(array->data, count * fv_dtype_size(array->dtype));
    (void)sum;
    fvi_array_free(array);
}

static bool fuzz_idx(const uint8_t *data, size_t size)
{
    fvi_array array;
    if (fvi_idx_read(&array, data, size) != FV_OK) return false;
    fuzz_array(&array);
    return true;
}

/* What is read in C order, written and read again must be the same bytes. */
static bool fuzz_npy(const uint8_t *data, size_t size)
{
    fvi_array array;
    fvi_npy_head head, again;
    fvi_text text = {0};
    fv_status status = fvi_npy_read(&array, data, size);
    if ((fvi_npy_head_read(&head, data, size, size) == FV_OK) != (status == FV_OK)) abort();
    if (status != FV_OK) return false;
    if (!fvi_npy_is(data, size)) abort();
    if (fvi_npy_head_write(&text, &array.shape, array.dtype) != FV_OK) abort();
    if (fvi_npy_head_read(&again, (const uint8_t *)text.data, text.size,
                          text.size + (size - head.data_offset)) != FV_OK ||
        !fvi_shape_equal(&again.shape, &head.shape) || again.dtype != head.dtype)
        abort();
    fvi_text_free(&text);
    fuzz_array(&array);
    return true;
}

static bool fuzz_cifar(const uint8_t *data, size_t size)
{
    fvi_array x, y;
    int classes = fvi_cifar_classes(data, size, size);
    if (fvi_cifar_read(&x, &y, data, size, classes) != FV_OK) return false;
    if (x.shape.dim[0] != y.shape.dim[0]) abort();
    fuzz_array(&x);
    fuzz_array(&y);
    return true;
}

static char fuzz_path[32];

static void fuzz_unlink(void)
{
    unlink(fuzz_path);
}

/* The bytes as a file, for readers that want one. */
static void fuzz_file(const uint8_t *data, size_t size)
{
    static int file = -1;
    if (file < 0) { /* in memory if that is to be had */
        file = mkstemp(strcpy(fuzz_path, "/dev/shm/fovea-XXXXXX"));
        if (file < 0) file = mkstemp(strcpy(fuzz_path, "/tmp/fovea-XXXXXX"));
        atexit(fuzz_unlink);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) abort();
}

static bool fuzz_zip(const uint8_t *data, size_t size)
{
    bool may_be = false;
    for (size_t i = 0; !may_be && i + 22 <= size; i++)
        may_be = memcmp(data + i, "PK\5\6", 4) == 0;
    if (!may_be) return false;
    fuzz_file(data, size);
    fvi_zip *zip;
    fvi_value *names;
    if (fvi_zip_open(&zip, fuzz_path) != FV_OK) return false;
    for (int i = 0; i < fvi_zip_count(zip); i++) {
        const fvi_zip_member *member = fvi_zip_at(zip, i);
        unsigned char *bytes, peeked[8];
        size_t length, some;
        if (fvi_zip_find(zip, member->name) != member) abort();
        if (fvi_zip_read(zip, member->name, FUZZ_LIMIT, &bytes, &length) != FV_OK) continue;
        if (length != member->size || length / 1032 > size) abort();
        if (fvi_zip_peek(zip, member->name, peeked, 8, &some) != FV_OK) abort();
        if (memcmp(peeked, bytes, some) != 0) abort();
        fvi_free(bytes);
    }
    if (fvi_npz_names(zip, &names) == FV_OK) {
        for (size_t i = 0; i < names->count; i++) {
            fvi_array array;
            if (fvi_npz_read(zip, names->item[i]->string, FUZZ_LIMIT, &array) == FV_OK)
                fuzz_array(&array);
        }
        fvi_value_free(names);
    }
    fvi_zip_close(zip);
    return true;
}

static bool fuzz_gzip(const uint8_t *data, size_t size)
{
    unsigned char *out;
    size_t out_size;
    if (fvi_gzip_read(&out, &out_size, data, size, FUZZ_LIMIT) != FV_OK) return false;
    if (out_size > FUZZ_LIMIT) abort();
    fuzz_idx(out, out_size);
    fvi_free(out);
    return true;
}

/* Whole or, by the size of the input, small; and as EXIF, which always has an answer. */
static bool fuzz_image(const uint8_t *data, size_t size)
{
    fvi_image image;
    fvi_image_scale scale;
    int channels = size % 3 == 0 ? 1 : size % 3 == 1 ? 3 : 0, least = (int)(size % 32 + 1);
#ifdef FVI_WITH_IMAGE
    int orientation;
    if (fvi_exif_orientation(&orientation, data, size) != FV_OK) abort();
    if (orientation < 1 || orientation > 8) abort();
#endif
    if (size % 2 == 0) least = INT_MAX;
    if (fvi_image_read_small(&image, &scale, data, size, channels, least, least) != FV_OK)
        return false;
    if (scale.shrink > 1 && (image.height < least || image.width < least)) abort();
    size_t bytes = (size_t)image.height * (size_t)image.width * (size_t)image.channels;
    volatile unsigned sum = fuzz_sum(image.pixels, bytes);
    (void)sum;
    fvi_image_free(&image);
    return true;
}

/* How many readers took it. */
int fuzz_formats_accepted(const uint8_t *data, size_t size)
{
    return fuzz_json(data, size) + fuzz_safetensors(data, size) + fuzz_idx(data, size) +
           fuzz_gzip(data, size) + fuzz_npy(data, size) + fuzz_cifar(data, size) +
           fuzz_zip(data, size) + fuzz_image(data, size) + fvi_hdf5_is(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    long live = fvi_alloc_live();
    fuzz_formats_accepted(data, size);
    if (fvi_alloc_live() != live) abort();
    return 0;
}
