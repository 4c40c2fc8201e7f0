/* SPDX-License-Identifier: MIT */
/* What an HDF5 data set holds: its type, its numbers or its strings. */
#ifdef FVI_WITH_HDF5

#include "formats/hdf5_lib.h"

#include <inttypes.h>
#include <string.h>

#define READ_MAX_STRINGS ((uint64_t)1 << 20)

/* ---- types ---- */

static fv_status read_refuse_type(const fvi_hdf5_set *d, const char *what)
{
    return fvi_fail(
        FV_E_UNSUPPORTED,
        "HDF5 \"%s\": holds %s; expected integers of 8 to 64 bits or IEEE floats of 16, "
        "32 or 64",
        d->name, what);
}

static bool read_is_ieee(hid_t type, size_t width)
{
    static const struct {
        size_t width, sign, exponent_at, exponent, mantissa, bias;
    } ieee[] = {{2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}};
    size_t sign, exponent_at, exponent, mantissa_at, mantissa;
    if (H5Tget_fields(type, &sign, &exponent_at, &exponent, &mantissa_at, &mantissa) < 0)
        return false;
    for (size_t i = 0; i < FVI_COUNT(ieee); i++)
        if (ieee[i].width == width)
            return sign == ieee[i].sign && exponent_at == ieee[i].exponent_at &&
                   exponent == ieee[i].exponent && mantissa_at == 0 &&
                   mantissa == ieee[i].mantissa && H5Tget_ebias(type) == ieee[i].bias &&
                   H5Tget_norm(type) == H5T_NORM_IMPLIED;
    return false;
}

/* As h5py writes bool: an enumeration of FALSE and TRUE in one byte. */
static bool read_is_bool(hid_t type)
{
    if (H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) return false;
    bool is = true;
    for (unsigned i = 0; i < 2; i++) {
        signed char value = -1;
        char *name = H5Tget_member_name(type, i);
        H5Tget_member_value(type, i, &value);
        if (name == NULL || (value != 0 && value != 1) ||
            strcmp(name, value == 0 ? "FALSE" : "TRUE") != 0)
            is = false;
        H5free_memory(name);
    }
    return is;
}

static fv_status read_integer(const fvi_hdf5_set *d, hid_t type, fv_dtype *dtype)
{
    static const struct {
        size_t width;
        fv_dtype with_sign, without;
    } known[] = {{1, FV_INT8, FV_UINT8},
                 {2, FV_INT16, FV_UINT16},
                 {4, FV_INT32, FV_UINT32},
                 {8, FV_INT64, FV_UINT64}};
    size_t width = H5Tget_size(type);
    if (H5Tget_offset(type) != 0 || H5Tget_precision(type) != 8 * width)
        return read_refuse_type(d, "integers with unused bits");
    for (size_t i = 0; i < FVI_COUNT(known); i++)
        if (known[i].width == width) {
            *dtype = H5Tget_sign(type) == H5T_SGN_NONE ? known[i].without : known[i].with_sign;
            return FV_OK;
        }
    return read_refuse_type(d, "integers of an odd size");
}

static fv_status read_number(const fvi_hdf5_set *d, hid_t type, fv_dtype *dtype)
{
    static const char *const other[] = {[H5T_TIME] = "times",
                                        [H5T_STRING] = "text",
                                        [H5T_BITFIELD] = "bit fields",
                                        [H5T_OPAQUE] = "opaque bytes",
                                        [H5T_COMPOUND] = "compounds",
                                        [H5T_REFERENCE] = "references",
                                        [H5T_VLEN] = "lists of varying length",
                                        [H5T_ARRAY] = "arrays in each element"};
    H5T_class_t class = H5Tget_class(type);
    H5T_order_t order = H5Tget_order(type);
    if (class == H5T_INTEGER || class == H5T_FLOAT) {
        if (order != H5T_ORDER_LE && order != H5T_ORDER_BE)
            return read_refuse_type(d, "numbers in VAX order");
        if (class == H5T_INTEGER) return read_integer(d, type, dtype);
        size_t width = H5Tget_size(type);
        if (H5Tget_offset(type) != 0 || H5Tget_precision(type) != 8 * width ||
            !read_is_ieee(type, width))
            return read_refuse_type(d, "floats that are not IEEE");
        *dtype = width == 2 ? FV_FLOAT16 : width == 4 ? FV_FLOAT32 : FV_FLOAT64;
        return FV_OK;
    }
    bool known = class >= 0 && (size_t) class < FVI_COUNT(other) && other[class] != NULL;
    return read_refuse_type(d, known ? other[class] : "an unknown type");
}

/* Of the native type only the order of bytes is another, so every value is exact. */
fv_status fvi_hdf5_set_type(const fvi_hdf5_set *d, fv_dtype *dtype, hid_t *native)
{
    char reason[FVI_SAFE_TEXT];
    bool is_enum = H5Tget_class(d->type) == H5T_ENUM;
    *native = is_enum ? H5Tget_super(d->type) : H5Tcopy(d->type);
    if (*native < 0)
        return fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": %s", d->name, fvi_hdf5_reason(reason));
    fv_status status = read_number(d, *native, dtype);
    if (status == FV_OK && is_enum && read_is_bool(d->type)) *dtype = FV_BOOL;
    if (status == FV_OK && H5Tset_order(*native, H5Tget_order(H5T_NATIVE_INT)) < 0)
        status = fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": %s", d->name, fvi_hdf5_reason(reason));
    if (status == FV_OK) return FV_OK;
    H5Tclose(*native);
    *native = -1;
    return status;
}

/* ---- what formats.h promises ---- */

static fv_status read_shape_of(const fvi_hdf5 *file, const char *name, fv_shape *shape,
                               fv_dtype *dtype)
{
    fvi_hdf5_set d;
    hid_t native;
    FVI_TRY(fvi_hdf5_set_open(&d, file, name, 0));
    fv_status status = fvi_hdf5_set_type(&d, dtype, &native);
    if (status == FV_OK) {
        *shape = d.shape;
        H5Tclose(native);
    }
    fvi_hdf5_set_close(&d);
    return status;
}

fv_status fvi_hdf5_shape(const fvi_hdf5 *file, const char *name, fv_shape *shape, fv_dtype *dtype)
{
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, read_shape_of(file, name, shape, dtype));
}

static fv_status read_fill(const fvi_hdf5_set *d, fvi_array *array, hid_t native)
{
    char reason[FVI_SAFE_TEXT];
    unsigned char *data = fvi_alloc(d->bytes, 1, "an HDF5 data set");
    if (data == NULL) return FV_E_MEMORY;
    if (d->bytes > 0 && H5Dread(d->set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
        fvi_free(data);
        return fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": cannot read: %s", d->name,
                        fvi_hdf5_reason(reason));
    }
    for (size_t i = 0; array->dtype == FV_BOOL && i < d->bytes; i++)
        data[i] = data[i] != 0;
    array->shape = d->shape;
    array->data = data;
    return FV_OK;
}

static fv_status read_numbers(const fvi_hdf5 *file, const char *name, size_t limit_bytes,
                              fvi_array *array)
{
    fvi_hdf5_set d;
    hid_t native = -1;
    fvi_array made = {0};
    FVI_TRY(fvi_hdf5_set_open(&d, file, name, 0));
    fv_status status = fvi_hdf5_set_type(&d, &made.dtype, &native);
    if (status == FV_OK) status = fvi_hdf5_set_check(&d, limit_bytes);
    if (status == FV_OK) status = read_fill(&d, &made, native);
    if (status == FV_OK) *array = made;
    if (native >= 0) H5Tclose(native);
    fvi_hdf5_set_close(&d);
    return status;
}

fv_status fvi_hdf5_read(const fvi_hdf5 *file, const char *name, size_t limit_bytes,
                        fvi_array *array)
{
    *array = (fvi_array){0};
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, read_numbers(file, name, limit_bytes, array));
}

/* ---- strings ---- */

static fv_status read_push_fixed(fvi_value *list, const char *bytes, size_t width,
                                 bool is_space_padded)
{
    size_t size = 0;
    while (size < width && bytes[size] != '\0')
        size++;
    while (is_space_padded && size > 0 && bytes[size - 1] == ' ')
        size--;
    char *copy = fvi_alloc(size + 1, 1, "a text"); /* zeroed, so it ends */
    if (copy == NULL) return FV_E_MEMORY;
    memcpy(copy, bytes, size);
    fv_status status = fvi_value_push(list, fvi_value_string(copy));
    fvi_free(copy);
    return status;
}

static fv_status read_collect(const fvi_hdf5_set *d, hid_t type, bool is_variable, fvi_value *list)
{
    char reason[FVI_SAFE_TEXT];
    size_t count = (size_t)d->shape.dim[0], width = is_variable ? sizeof(char *) : d->width;
    if (count == 0) return FV_OK;
    void *cells = fvi_alloc(count, width, "HDF5 strings");
    if (cells == NULL) return FV_E_MEMORY;
    fv_status status = FV_OK;
    if (H5Dread(d->set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, cells) < 0)
        status =
            fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": cannot read: %s", d->name, fvi_hdf5_reason(reason));
    bool is_padded = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
    for (size_t i = 0; status == FV_OK && i < count; i++) {
        if (is_variable)
            status = fvi_value_push(list, fvi_value_string(((char **)cells)[i]));
        else
            status = read_push_fixed(list, (char *)cells + i * width, width, is_padded);
    }
    if (is_variable) H5Dvlen_reclaim(type, d->space, H5P_DEFAULT, cells);
    fvi_free(cells);
    return status;
}

static fv_status read_strings_of(fvi_hdf5_set *d, fvi_value *list)
{
    char text[FVI_SHAPE_TEXT];
    if (H5Tget_class(d->type) != H5T_STRING)
        return fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": holds no text", d->name);
    if (d->shape.rank != 1)
        return fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": shape %s, expected a list of strings", d->name,
                        fvi_shape_text(text, &d->shape));
    if ((uint64_t)d->shape.dim[0] > READ_MAX_STRINGS)
        return fvi_fail(FV_E_MEMORY, "HDF5 \"%s\": %d strings, at most %" PRIu64, d->name,
                        d->shape.dim[0], READ_MAX_STRINGS);
    FVI_TRY(fvi_hdf5_set_check(d, SIZE_MAX));
    bool is_variable = H5Tis_variable_str(d->type) > 0;
    if (is_variable) FVI_TRY(fvi_hdf5_set_check_heap(d));
    hid_t type = is_variable ? H5Tcopy(H5T_C_S1) : H5Tcopy(d->type);
    if (type < 0) return fvi_fail(FV_E_MEMORY, "out of memory: an HDF5 type");
    if (is_variable) {
        H5Tset_size(type, H5T_VARIABLE);
        H5Tset_cset(type, H5Tget_cset(d->type));
    }
    fv_status status = read_collect(d, type, is_variable, list);
    H5Tclose(type);
    return status;
}

static fv_status read_strings(const fvi_hdf5 *file, const char *name, fvi_value **strings)
{
    fvi_hdf5_set d;
    FVI_TRY(fvi_hdf5_set_open(&d, file, name, 0));
    fvi_value *list = fvi_value_list();
    fv_status status = list != NULL ? read_strings_of(&d, list) : FV_E_MEMORY;
    fvi_hdf5_set_close(&d);
    if (status == FV_OK)
        *strings = list;
    else
        fvi_value_free(list);
    return status;
}

fv_status fvi_hdf5_read_strings(const fvi_hdf5 *file, const char *name, fvi_value **strings)
{
    *strings = NULL;
    fvi_hdf5_guard guard = fvi_hdf5_begin();
    return fvi_hdf5_end(guard, read_strings(file, name, strings));
}

#else

typedef int read_nothing; /* built without HDF5: hdf5.c says so */

#endif
