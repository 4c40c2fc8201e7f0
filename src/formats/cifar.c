/* SPDX-License-Identifier: MIT */
/* The binary version of CIFAR-10 and CIFAR-100: records of labels and 32x32 pictures, colour by
   colour. */
#include "formats/formats.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define CIFAR_SIDE 32
#define CIFAR_PLANE ((size_t)CIFAR_SIDE * CIFAR_SIDE)
#define CIFAR_COARSE 20 /* of CIFAR-100, the first label of a record */

/* The first record whose labels are out of range, or records. */
static size_t cifar_first_bad(const unsigned char *bytes, size_t records, int classes)
{
    size_t record = FVI_CIFAR_RECORD(classes), i = 0;
    for (; i < records; i++) {
        const unsigned char *label = bytes + i * record;
        bool is_good = classes == 10 ? label[0] < 10 : label[0] < CIFAR_COARSE && label[1] < 100;
        if (!is_good) break;
    }
    return i;
}

int fvi_cifar_classes(const unsigned char *bytes, size_t size, uint64_t file_size)
{
    bool may_be_10 = file_size > 0 && file_size % FVI_CIFAR_RECORD(10) == 0;
    bool may_be_100 = file_size > 0 && file_size % FVI_CIFAR_RECORD(100) == 0;
    if (may_be_10 && may_be_100) {
        size_t records = size / FVI_CIFAR_RECORD(10);
        may_be_10 = cifar_first_bad(bytes, records, 10) == records;
    }
    return may_be_10 ? 10 : may_be_100 ? 100 : 0;
}

/* As Python writes them: binary of any version, or the letters of version 0. */
static bool cifar_is_pickle(const unsigned char *bytes, size_t size)
{
    return size >= 3 &&
           ((bytes[0] == 0x80 && bytes[1] >= 1 && bytes[1] <= 5) || memcmp(bytes, "(dp", 3) == 0);
}

static fv_status cifar_check(const unsigned char *bytes, size_t size, int classes)
{
    if (classes != 10 && classes != 100)
        return fvi_fail(FV_E_ARG, "CIFAR: %d classes, there are sets of 10 and of 100", classes);
    size_t record = FVI_CIFAR_RECORD(classes), other = FVI_CIFAR_RECORD(110 - classes);
    if (cifar_is_pickle(bytes, size))
        return fvi_fail(FV_E_UNSUPPORTED,
                        "CIFAR: this is a Python pickle, which is never unpickled; use the binary "
                        "version (cifar-%d-binary.tar.gz)",
                        classes);
    if (size == 0) return fvi_fail(FV_E_FORMAT, "CIFAR: the file is empty");
    if (size % record != 0 && size % other == 0)
        return fvi_fail(FV_E_FORMAT,
                        "CIFAR-%d: %zu bytes are no whole records of %zu, but %zu of CIFAR-%d",
                        classes, size, record, size / other, 110 - classes);
    if (size % record != 0)
        return fvi_fail(FV_E_FORMAT,
                        "CIFAR-%d: %zu bytes, expected a multiple of %zu (%zu too many: cut, or "
                        "another kind of file)",
                        classes, size, record, size % record);
    if (size / record > INT_MAX)
        return fvi_fail(FV_E_FORMAT, "CIFAR-%d: %zu records, at most %d", classes, size / record,
                        INT_MAX);
    size_t bad = cifar_first_bad(bytes, size / record, classes);
    const unsigned char *label = bytes + bad * record;
    if (bad == size / record) return FV_OK;
    if (classes == 100 && label[0] >= CIFAR_COARSE)
        return fvi_fail(FV_E_FORMAT, "CIFAR-100: coarse label %d of sample %zu, expected 0 to %d",
                        label[0], bad, CIFAR_COARSE - 1);
    return fvi_fail(FV_E_FORMAT, "CIFAR-%d: label %d of sample %zu, expected 0 to %d", classes,
                    label[classes == 100], bad, classes - 1);
}

fv_status fvi_cifar_read(fvi_array *x, fvi_array *y, const unsigned char *bytes, size_t size,
                         int classes)
{
    *x = *y = (fvi_array){0};
    FVI_TRY(cifar_check(bytes, size, classes));
    size_t record = FVI_CIFAR_RECORD(classes), labels = record - 3 * CIFAR_PLANE;
    size_t count = size / record;
    unsigned char *pixel = fvi_alloc(count, 3 * CIFAR_PLANE, "CIFAR pictures");
    unsigned char *label = pixel == NULL ? NULL : fvi_alloc(count, 1, "CIFAR labels");
    if (label == NULL) {
        fvi_free(pixel);
        return FV_E_MEMORY;
    }
    *x = (fvi_array){{4, {(int)count, CIFAR_SIDE, CIFAR_SIDE, 3}}, FV_UINT8, pixel};
    *y = (fvi_array){{1, {(int)count}}, FV_UINT8, label};
    for (size_t i = 0; i < count; i++) {
        const unsigned char *plane = bytes + i * record + labels;
        label[i] = plane[-1];
        for (size_t k = 0; k < CIFAR_PLANE; k++, pixel += 3) {
            pixel[0] = plane[k];
            pixel[1] = plane[k + CIFAR_PLANE];
            pixel[2] = plane[k + 2 * CIFAR_PLANE];
        }
    }
    return FV_OK;
}
