/* SPDX-License-Identifier: MIT */
/* safetensors, IDX and gzip that are not what they claim: each is refused with the right code,
   sentence and without a leak. */
#include "formats_check.h"

#ifdef FVI_WITH_ZLIB
#include <zlib.h>
#endif

/* ---- safetensors ---- */

/* A file: the length word, this header, so many bytes of data. */
static unsigned char *tensors_bytes(size_t *size, uint64_t length, const char *header, size_t data)
{
    size_t n = strlen(header);
    *size = 8 + n + data;
    unsigned char *bytes = calloc(*size, 1);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, header, n);
    return bytes;
}

static fv_status tensors_from(fvi_safetensors **file, const char *header, size_t data)
{
    size_t size;
    unsigned char *bytes = tensors_bytes(&size, strlen(header), header, data);
    fv_status status = fvi_safetensors_read(file, bytes, size);
    free(bytes);
    return status;
}

static void safetensors_length(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        const char *header, *part;
    } row[] = {
        {0, "{}", "does not start with \"{\""},
        {1, "{}", "does not start"},
        {3, "{}", "3 bytes claimed, file has 10"},
        {99999, "{}", "99999 bytes claimed, file has 10"},
        {100000000, "{}", "100000000 bytes claimed"},
        {100000001, "{}", "at most 100000000"},
        {(uint64_t)1 << 63, "{}", "9223372036854775808 bytes claimed"},
        {UINT64_MAX, "{}", "18446744073709551615 bytes claimed"},
    };
    fvi_safetensors *file;
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        size_t size;
        unsigned char *bytes = tensors_bytes(&size, row[i].length, row[i].header, 0);
        CHECK_FAILS(fvi_safetensors_read(&file, bytes, size), FV_E_FORMAT, row[i].part);
        assert_null(file);
        free(bytes);
    }
    for (size_t size = 0; size < 8; size++)
        CHECK_FAILS(fvi_safetensors_read(&file, (const unsigned char *)"\2\0\0\0\0\0\0\0{}", size),
                    FV_E_FORMAT, "shorter than the 8");
}

#define ONE(shape, range)                                                                          \
    "{\"a\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" range "}}"
#define TWO(first, second)                                                                         \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" first "},"                          \
    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" second "}}"
#define TYPE(name) "{\"a\":{\"dtype\":\"" name "\",\"shape\":[2],\"data_offsets\":[0,4]}}"

static const struct {
    const char *header;
    size_t data;
    fv_status status;
    const char *part;
} tensors_row[] = {
    /* F02: what stands around the JSON */
    {"[]", 0, FV_E_FORMAT, "does not start with"},
    {" {}", 0, FV_E_FORMAT, "does not start with"},
    {"{}\n", 0, FV_E_FORMAT, "byte 10 is 0x0A"},
    {"{}  x", 0, FV_E_FORMAT, "byte 12 is 0x78"},
    {"{} {}", 0, FV_E_FORMAT, "end of file"},
    {"{\"\xff\":{}}", 0, FV_E_FORMAT, "safetensors header: JSON line 1"},
    {"{", 0, FV_E_FORMAT, "does not start"},
    {"{ ", 0, FV_E_FORMAT, "byte 8 is 0x7B"},
    {"{\"a\":1,}", 0, FV_E_FORMAT, "JSON"},
    /* F03: names and ranges */
    {"{\"a\":{},\"a\":{}}", 0, FV_E_FORMAT, "duplicate"},
    {TWO("[0,4]", "[0,4]"), 4, FV_E_FORMAT, "overlaps"},
    {TWO("[0,4]", "[2,6]"), 6, FV_E_FORMAT, "overlaps"},
    {TWO("[0,4]", "[5,9]"), 9, FV_E_FORMAT, "leaves a hole; expected 4"},
    {TWO("[4,8]", "[5,9]"), 9, FV_E_FORMAT, "leaves a hole; expected 0"},
    {TWO("[0,4]", "[4,8]"), 9, FV_E_FORMAT, "end at byte 8 of the data, which has 9"},
    {TWO("[0,4]", "[4,8]"), 7, FV_E_FORMAT, "range ends at 8, the data area has 7"},
    {ONE("[1]", "[4,0]"), 4, FV_E_FORMAT, "not [begin, end]"},
    {ONE("[1]", "[0]"), 4, FV_E_FORMAT, "not [begin, end]"},
    {ONE("[1]", "[0,4,4]"), 4, FV_E_FORMAT, "not [begin, end]"},
    {ONE("[1]", "[-4,0]"), 4, FV_E_FORMAT, "entry 0 of \"data_offsets\""},
    {ONE("[1]", "[0,4.0]"), 4, FV_E_FORMAT, "entry 1 of \"data_offsets\""},
    {ONE("[1]", "[0,18446744073709551615]"), 4, FV_E_FORMAT, "too big"},
    {ONE("[1]", "[0,9223372036854775807]"), 4, FV_E_FORMAT, "range ends at 9223372036854775807"},
    {ONE("[1]", "4"), 4, FV_E_FORMAT, "\"data_offsets\" is not a list"},
    {"{}", 1, FV_E_FORMAT, "end at byte 0 of the data, which has 1"},
    /* F04: shapes */
    {ONE("[2]", "[0,4]"), 4, FV_E_FORMAT, "take 8 bytes, its range has 4"},
    {ONE("[]", "[0,8]"), 8, FV_E_FORMAT, "take 4 bytes, its range has 8"},
    {ONE("[-1]", "[0,4]"), 4, FV_E_FORMAT, "entry 0 of \"shape\""},
    {ONE("[1.0]", "[0,4]"), 4, FV_E_FORMAT, "entry 0 of \"shape\""},
    {ONE("[1e3]", "[0,4000]"), 4000, FV_E_FORMAT, "entry 0 of \"shape\""},
    {ONE("[\"1\"]", "[0,4]"), 4, FV_E_FORMAT, "entry 0 of \"shape\""},
    {ONE("[1,[1]]", "[0,4]"), 4, FV_E_FORMAT, "entry 1 of \"shape\""},
    {ONE("4", "[0,4]"), 4, FV_E_FORMAT, "\"shape\" is not a list"},
    {ONE("[4611686018427387904,4]", "[0,0]"), 0, FV_E_FORMAT, "overflows"},
    {ONE("[4294967296,4294967296]", "[0,0]"), 0, FV_E_FORMAT, "overflows"},
    {ONE("[9223372036854775807,2,0]", "[0,0]"), 0, FV_E_FORMAT, "overflows"},
    {ONE("[4294967296,0]", "[0,0]"), 0, FV_E_UNSUPPORTED, "dimension 0 is 4294967296"},
    {ONE("[0,2147483647,2147483647]", "[0,0]"), 0, FV_E_UNSUPPORTED, "more than 1099511627776"},
    {ONE("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, FV_E_UNSUPPORTED, "rank 9, at most 8"},
    /* F05: types, missing members, metadata */
    {TYPE("F33"), 4, FV_E_FORMAT, "unknown dtype \"F33\""},
    {TYPE("f32"), 4, FV_E_FORMAT, "unknown dtype"},
    {TYPE("\\u001b[31m"), 4, FV_E_FORMAT, "\\x1b[31m"},
    {TYPE("BF16"), 4, FV_E_UNSUPPORTED, "tensor \"a\": dtype BF16"},
    {TYPE("F4"), 4, FV_E_FORMAT, "take 1 bytes"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, FV_E_FORMAT, "F4"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[8],\"data_offsets\":[0,4]}}", 4, FV_E_UNSUPPORTED, "F4"},
    {"{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,1]}}", 1, FV_E_FORMAT, "not a string"},
    {"{\"a\":{\"shape\":[],\"data_offsets\":[0,1]}}", 1, FV_E_FORMAT, "no \"dtype\""},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, FV_E_FORMAT, "no \"shape\""},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 1, FV_E_FORMAT, "no \"data_offsets\""},
    {"{\"a\":[]}", 0, FV_E_FORMAT, "not a dict"},
    {"{\"__metadata__\":{\"k\":1}}", 0, FV_E_FORMAT, "\"k\": not a string"},
    {"{\"__metadata__\":{\"k\":{}}}", 0, FV_E_FORMAT, "\"k\": not a string"},
    {"{\"__metadata__\":[]}", 0, FV_E_FORMAT, "not a dict of strings"},
    {"{\"__metadata__\":null}", 0, FV_E_FORMAT, "not a dict of strings"},
};

static void safetensors_refuses(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    fvi_safetensors *file;
    for (size_t i = 0; i < FVI_COUNT(tensors_row); i++) {
        CHECK_FAILS(tensors_from(&file, tensors_row[i].header, tensors_row[i].data),
                    tensors_row[i].status, tensors_row[i].part);
        assert_null(file);
        assert_int_equal(fvi_alloc_live(), live);
    }
}

/* F06, and what else is rare but right. */
static void safetensors_accepts(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        int count;
    } row[] = {
        {"{}", 0, 0},
        {"{}       ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {ONE("[]", "[0,4]"), 4, 1},
        {ONE("[0]", "[0,0]"), 0, 1},
        {ONE("[3,0,2147483647]", "[0,0]"), 0, 1},
        {ONE("[1,1,1,1,1,1,1,1]", "[0,4]"), 4, 1},
        {TWO("[4,8]", "[0,4]"), 8, 2},
        {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":null}}", 1, 1},
    };
    fvi_safetensors *file;
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        CHECK_OK(tensors_from(&file, row[i].header, row[i].data));
        assert_int_equal(file->count, row[i].count);
        fvi_safetensors_free(file);
    }
    CHECK_OK(tensors_from(&file, TWO("[4,8]", "[0,4]"), 8));
    assert_string_equal(file->entry[0].name, "b"); /* in order of offset */
    fvi_safetensors_free(file);
    size_t size;
    unsigned char *bytes = check_golden("formats_small.safetensors", &size);
    CHECK_OK(fvi_safetensors_read(&file, bytes, size));
    assert_int_equal(file->count, 4);
    assert_string_equal(file->entry[0].name, "conv.weight");
    assert_string_equal(fvi_value_get_string(file->metadata, "format"), "pt");
    uint32_t nan;
    memcpy(&nan, file->entry[3].tensor.data, sizeof nan); /* not aligned */
    assert_int_equal(nan, 0x7FFFC000);
    fvi_safetensors_free(file);
    fvi_free(bytes);
    fvi_safetensors_free(NULL);
}

/* Limits: a name of 4096 bytes, 100,000 tensors. */
static void safetensors_limits(void **state)
{
    (void)state;
    fvi_text text = {0};
    fvi_safetensors *file;
    for (int extra = 0; extra < 2; extra++) {
        fvi_text_add(&text, "{\"%*s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
                     4096 + extra, "x");
        fv_status status = tensors_from(&file, text.data, 1);
        assert_int_equal(status, extra ? FV_E_MEMORY : FV_OK);
        fvi_safetensors_free(file);
        fvi_text_free(&text);
        text = (fvi_text){0};
    }
    for (int count = 100000; count < 100003; count++) {
        for (int i = 0; i < count; i++)
            fvi_text_add(&text, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                         i > 0 ? "," : "{", i);
        fvi_text_add(&text, "}");
        CHECK_OK(text.status);
        if (count != 100001) { /* that one place is for the metadata */
            assert_int_equal(tensors_from(&file, text.data, 0),
                             count > 100000 ? FV_E_MEMORY : FV_OK);
            fvi_safetensors_free(file);
        }
        fvi_text_free(&text);
        text = (fvi_text){0};
    }
}

/* ---- IDX ---- */

static void idx_refuses(void **state)
{
    (void)state;
#define SIZE4(a) 0, 0, 0, a
    static const struct {
        size_t size;
        unsigned char bytes[48];
        const char *part;
    } row[] = {
        {0, {0}, "0 bytes"},
        {3, {0, 0, 8}, "3 bytes"},
        {9, {1, 8, 0, 0, 1, 0, 0, 0, 5}, "wrong order"},
        {9, {0, 1, 8, 1, SIZE4(1), 5}, "begins with 00 01 08 01"},
        {9, {0, 0, 7, 1, SIZE4(1), 5}, "type 0x07"},
        {9, {0, 0, 0x0A, 1, SIZE4(1), 5}, "type 0x0A"},
        {5, {0, 0, 8, 0, 5}, "0 dimensions"},
        {48, {0, 0, 8, 9, SIZE4(1)}, "9 dimensions"},
        {48, {0, 0, 8, 255, SIZE4(1)}, "255 dimensions"},
        {7, {0, 0, 8, 1, 0, 0, 0}, "its header takes 8"},
        {12, {0, 0, 8, 1, SIZE4(5), 1, 2, 3, 4}, "takes 5 bytes; file has 4"},
        {14, {0, 0, 8, 1, SIZE4(5), 1, 2, 3, 4, 5, 6}, "takes 5 bytes; file has 6"},
        {12, {0, 0, 8, 1, 0, 0, 0xEA, 0x60, 1, 2, 3, 4}, "60000 of uint8"},
        {11, {0, 0, 0x0E, 1, SIZE4(1), 1, 2, 3}, "takes 8 bytes; file has 3"},
        {8, {0, 0, 8, 1, 0x80, 0, 0, 0}, "2147483648, at most"},
        {16,
         {0, 0, 8, 3, 0x7F, 255, 255, 255, 0x7F, 255, 255, 255, 0x7F, 255, 255, 255},
         "more than"},
        {24,
         {0, 0, 8, 5, SIZE4(0), 0x7F, 255, 255, 255, 0x7F, 255, 255, 255, SIZE4(1), SIZE4(1)},
         "more than"},
    };
    fvi_array array;
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        unsigned char *exact = check_exact(row[i].bytes, row[i].size);
        CHECK_FAILS(fvi_idx_read(&array, exact, row[i].size), FV_E_FORMAT, row[i].part);
        assert_null(array.data);
        free(exact);
    }
}

static void idx_accepts(void **state)
{
    (void)state;
    fvi_array array;
    static const unsigned char shorts[] = {0, 0, 0x0B, 2, SIZE4(1), SIZE4(2), 0xFF, 0xFE, 1, 2};
    CHECK_OK(fvi_idx_read(&array, shorts, sizeof shorts));
    assert_int_equal(array.dtype, FV_INT16);
    assert_int_equal(array.shape.rank, 2);
    assert_int_equal(((int16_t *)array.data)[0], -2);
    assert_int_equal(((int16_t *)array.data)[1], 0x102);
    fvi_array_free(&array);
    assert_null(array.data);
    static const unsigned char doubles[] = {0, 0, 0x0E, 1, SIZE4(1), 0x3F, 0xF8, 0, 0, 0, 0, 0, 0};
    CHECK_OK(fvi_idx_read(&array, doubles, sizeof doubles));
    assert_true(*(double *)array.data == 1.5);
    fvi_array_free(&array);
    static const unsigned char floats[] = {0, 0, 0x0D, 1, SIZE4(1), 0xC0, 0x20, 0, 0};
    CHECK_OK(fvi_idx_read(&array, floats, sizeof floats));
    assert_true(*(float *)array.data == -2.5f);
    fvi_array_free(&array);
    static const unsigned char empty[] = {0, 0, 9, 2, SIZE4(0), SIZE4(28)};
    CHECK_OK(fvi_idx_read(&array, empty, sizeof empty));
    assert_int_equal(array.dtype, FV_INT8);
    fvi_array_free(&array);
    fvi_array_free(NULL);
}

/* The head alone, of a file that is not in memory. */
static void idx_head(void **state)
{
    (void)state;
    static const unsigned char bytes[] = {0, 0, 0x0D, 3, 0, 0, 0xEA, 0x60, SIZE4(28), SIZE4(28), 9};
    fvi_idx_head head;
    const uint64_t whole = 16 + UINT64_C(60000) * 28 * 28 * 4;
    for (size_t size = 16; size <= sizeof bytes; size++) {
        CHECK_OK(fvi_idx_head_read(&head, bytes, size, whole));
        assert_true(fvi_shape_equal(&head.shape, &(fv_shape){3, {60000, 28, 28}}));
        assert_int_equal(head.dtype, FV_FLOAT32);
        assert_true(head.is_swapped != fvi_is_big_endian());
        assert_int_equal(head.data_offset, 16);
    }
    CHECK_FAILS(fvi_idx_head_read(&head, bytes, 16, whole + 1), FV_E_FORMAT, "60000x28x28");
    assert_int_equal(head.data_offset, 0);
    CHECK_FAILS(fvi_idx_head_read(&head, bytes, 16, whole - 1), FV_E_FORMAT, "60000x28x28");
    CHECK_FAILS(fvi_idx_head_read(&head, bytes, 16, 16), FV_E_FORMAT, "file has 0");
    CHECK_FAILS(fvi_idx_head_read(&head, bytes, 16, 7), FV_E_FORMAT, "its header takes 16");
    CHECK_FAILS(fvi_idx_head_read(&head, bytes, 15, whole), FV_E_FORMAT, "its header takes 16");
}

/* ---- gzip ---- */

#ifdef FVI_WITH_ZLIB

/* size bytes of zeros, or of no pattern, as one gzip member. */
static unsigned char *gzip_made(size_t *out_size, size_t size, bool is_zero)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = size / (is_zero ? 900 : 1) + 1024;
    unsigned char *out = malloc(room), block[4096] = {0};
    assert_non_null(out);
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    for (size_t at = 0; at < size; at += sizeof block) {
        stream.next_in = block;
        stream.avail_in = (uInt)(size - at < sizeof block ? size - at : sizeof block);
        for (uint32_t i = 0; !is_zero && i < sizeof block; i++)
            block[i] = (unsigned char)fvi_rng_int(1, FVI_RNG_TEST, 0, at + i, 256);
        assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
    }
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *out_size = stream.total_out;
    deflateEnd(&stream);
    return out;
}

static void gzip_accepts(void **state)
{
    (void)state;
    size_t first, size, n;
    unsigned char *made = gzip_made(&first, 200000, false), *out, joined[2048] = {0};
    CHECK_OK(fvi_gzip_read(&out, &n, made, first, 200000));
    assert_int_equal(n, 200000);
    for (uint32_t i = 0; i < n; i += 997)
        assert_int_equal(out[i], fvi_rng_int(1, FVI_RNG_TEST, 0, i, 256));
    fvi_free(out);
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, first, 199999), FV_E_MEMORY, "limit of 199999");
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, first, 0), FV_E_MEMORY, "limit of 0");
    free(made);
    made = gzip_made(&size, 300, false); /* two members, then the zeros of a tape's block */
    memcpy(joined, made, size);
    memcpy(joined + size, made, size);
    CHECK_OK(fvi_gzip_read(&out, &n, joined, 2 * size + 100, 1000));
    assert_int_equal(n, 600);
    assert_memory_equal(out, out + 300, 300);
    fvi_free(out);
    joined[2 * size + 50] = 1;
    CHECK_FAILS(fvi_gzip_read(&out, &n, joined, 2 * size + 100, 1000), FV_E_FORMAT,
                "no new member");
    joined[2 * size] = 0x1F;
    joined[2 * size + 1] = 0x8B;
    CHECK_FAILS(fvi_gzip_read(&out, &n, joined, 2 * size + 100, 1000), FV_E_FORMAT, "gzip: ");
    free(made);
    made = gzip_made(&size, 0, false);
    CHECK_OK(fvi_gzip_read(&out, &n, made, size, 0));
    assert_int_equal(n, 0);
    fvi_free(out);
    free(made);
}

static void gzip_refuses(void **state)
{
    (void)state;
    size_t size, n;
    unsigned char *made = gzip_made(&size, 300, false), *out;
    assert_true(fvi_gzip_is(made, size));
    assert_false(fvi_gzip_is(made, 1));
    for (size_t cut = 2; cut < size; cut++) {
        unsigned char *exact = check_exact(made, cut);
        CHECK_FAILS(fvi_gzip_read(&out, &n, exact, cut, 1000), FV_E_FORMAT, "cut at byte");
        free(exact);
    }
    made[size - 8] ^= 1;
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, size, 1000), FV_E_FORMAT, "incorrect data check");
    made[size - 8] ^= 1;
    made[size - 1] ^= 1;
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, size, 1000), FV_E_FORMAT, "incorrect length check");
    made[2] = 7;
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, size, 1000), FV_E_FORMAT, "compression method");
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, 0, 1000), FV_E_FORMAT, "1F 8B");
    free(made);
    made =
        gzip_made(&size, 100000000, true); /* a bomb takes no memory: only its limit is counted */
    long live = fvi_alloc_live();
    CHECK_FAILS(fvi_gzip_read(&out, &n, made, size, 50000000), FV_E_MEMORY, "50000000 bytes");
    assert_int_equal(fvi_alloc_live(), live);
    free(made);
}

#else

static void gzip_accepts(void **state)
{
    (void)state;
    size_t n;
    unsigned char *out;
    CHECK_FAILS(fvi_gzip_read(&out, &n, (const unsigned char *)"\x1f\x8b", 2, 0), FV_E_UNSUPPORTED,
                "built without zlib");
}

static void gzip_refuses(void **state)
{
    (void)state;
}

#endif

/* ---- no memory: the k-th allocation fails, for every k ---- */

static fv_status starve_safetensors(const unsigned char *bytes, size_t size)
{
    fvi_safetensors *file;
    fv_status status = fvi_safetensors_read(&file, bytes, size);
    fvi_safetensors_free(file);
    return status;
}

static fv_status starve_json(const unsigned char *bytes, size_t size)
{
    fvi_value *value;
    fvi_text text = {0};
    fv_status status = fvi_json_read(&value, (const char *)bytes + 8, size - 8 - 33);
    if (status == FV_OK) status = fvi_json_write(&text, value, 2);
    fvi_text_free(&text);
    fvi_value_free(value);
    return status;
}

static fv_status starve_idx(const unsigned char *bytes, size_t size)
{
    (void)bytes, (void)size;
    static const unsigned char idx[] = {0, 0, 8, 1, SIZE4(2), 1, 2};
    fvi_array array;
    fv_status status = fvi_idx_read(&array, idx, sizeof idx);
    fvi_array_free(&array);
    return status;
}

static fv_status starve_gzip(const unsigned char *bytes, size_t size)
{
    (void)bytes, (void)size;
#ifdef FVI_WITH_ZLIB
    size_t made_size, n;
    unsigned char *made = gzip_made(&made_size, 300, false), *out;
    fv_status status = fvi_gzip_read(&out, &n, made, made_size, 1000);
    fvi_free(out);
    free(made);
    return status;
#else
    return FV_OK;
#endif
}

static void starved(void **state)
{
    (void)state;
    static fv_status (*const reader[])(const unsigned char *, size_t) = {
        starve_safetensors, starve_json, starve_idx, starve_gzip};
    size_t size;
    unsigned char *bytes = check_golden("formats_small.safetensors", &size);
    long live = fvi_alloc_live();
    for (size_t i = 0; i < FVI_COUNT(reader); i++) {
        long k = 1;
        for (fv_status status = FV_E_MEMORY; status != FV_OK; k++) {
            fvi_alloc_fail_at(k);
            status = reader[i](bytes, size);
            fvi_alloc_fail_at(0);
            if (status != FV_OK) CHECK_FAILS(status, FV_E_MEMORY, "out of memory");
            assert_int_equal(fvi_alloc_live(), live);
            assert_true(k < 1000);
        }
        assert_true(k > 2 || i == 3);
    }
    fvi_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_length),
        cmocka_unit_test(safetensors_refuses),
        cmocka_unit_test(safetensors_accepts),
        cmocka_unit_test(safetensors_limits),
        cmocka_unit_test(idx_refuses),
        cmocka_unit_test(idx_accepts),
        cmocka_unit_test(idx_head),
        cmocka_unit_test(gzip_accepts),
        cmocka_unit_test(gzip_refuses),
        cmocka_unit_test(starved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
