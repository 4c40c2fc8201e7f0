/* SPDX-License-Identifier: MIT */
/* NPY: what numpy writes is read and written byte for byte; nothing else is taken for it. */
#include "formats_check.h"

/* A file of version 1.0 with this text as its header and so many bytes of data: 1, 2, 3, ... */
static unsigned char *npy_made(size_t *size, const char *header, size_t data)
{
    size_t length = strlen(header);
    *size = 10 + length + data;
    unsigned char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (unsigned char)(length & 255);
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + 10, header, length);
    for (size_t i = 0; i < data; i++)
        bytes[10 + length + i] = (unsigned char)(i + 1);
    return bytes;
}

static fv_status npy_from(fvi_array *array, const char *header, size_t data)
{
    size_t size;
    unsigned char *bytes = npy_made(&size, header, data), *exact = check_exact(bytes, size);
    fv_status status = fvi_npy_read(array, exact, size);
    free(exact);
    free(bytes);
    return status;
}

#define NPY(descr, order, shape)                                                                   \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"
#define TYPE(name) NPY("'" name "'", "False", "(2,)")
#define SHAPE(text) NPY("'|u1'", "False", text)

/* ---- what is read ---- */

static void npy_types(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fv_dtype dtype;
        bool is_big;
    } row[] = {
        {"|b1", FV_BOOL, false},    {"|u1", FV_UINT8, false},   {"|i1", FV_INT8, false},
        {"<u2", FV_UINT16, false},  {">u2", FV_UINT16, true},   {"<i2", FV_INT16, false},
        {">i2", FV_INT16, true},    {"<u4", FV_UINT32, false},  {">u4", FV_UINT32, true},
        {"<i4", FV_INT32, false},   {">i4", FV_INT32, true},    {"<u8", FV_UINT64, false},
        {">u8", FV_UINT64, true},   {"<i8", FV_INT64, false},   {">i8", FV_INT64, true},
        {"<f2", FV_FLOAT16, false}, {">f2", FV_FLOAT16, true},  {"<f4", FV_FLOAT32, false},
        {">f4", FV_FLOAT32, true},  {"<f8", FV_FLOAT64, false}, {">f8", FV_FLOAT64, true},
        {"u1", FV_UINT8, false},    {"=u1", FV_UINT8, false},   {">u1", FV_UINT8, false},
    };
    char header[128];
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_array array;
        size_t width = fv_dtype_size(row[i].dtype);
        snprintf(header, sizeof header, NPY("'%s'", "False", "(2,)"), row[i].name);
        CHECK_OK(npy_from(&array, header, 2 * width));
        assert_int_equal(array.dtype, row[i].dtype);
        assert_true(fvi_shape_equal(&array.shape, &(fv_shape){1, {2}}));
        for (size_t k = 0; k < 2 * width; k++) {
            bool is_swapped = row[i].is_big != fvi_is_big_endian();
            size_t from = is_swapped ? k / width * width + width - 1 - k % width : k;
            unsigned expected = row[i].dtype == FV_BOOL ? 1 : (unsigned)from + 1;
            assert_int_equal(((unsigned char *)array.data)[k], expected);
        }
        fvi_array_free(&array);
    }
}

/* Column-major data: the element at [i,j,k] stands at i + 2*j + 6*k. */
static void npy_column_major(void **state)
{
    (void)state;
    fvi_array array;
    CHECK_OK(npy_from(&array, NPY("'<u2'", "True", "(2, 3, 4)"), 48));
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 0; j < 3; j++)
            for (unsigned k = 0; k < 4; k++) {
                unsigned at = 2 * (i + 2 * j + 6 * k); /* holds the bytes at + 1, at + 2 */
                unsigned little = (at + 1) | (at + 2) << 8;
                assert_int_equal(((uint16_t *)array.data)[(i * 3 + j) * 4 + k], little);
            }
    fvi_array_free(&array);
    CHECK_OK(npy_from(&array, NPY("'>i2'", "True", "(2, 2)"), 8));
    static const int16_t expected[] = {0x0102, 0x0506, 0x0304, 0x0708};
    assert_memory_equal(array.data, expected, 8);
    fvi_array_free(&array);
    CHECK_OK(npy_from(&array, NPY("'<f8'", "True", "(3, 0, 2)"), 0));
    fvi_array_free(&array);
    CHECK_OK(npy_from(&array, NPY("'|u1'", "True", "()"), 1));
    assert_int_equal(*(uint8_t *)array.data, 1);
    fvi_array_free(&array);
}

/* Rare, but files that numpy reads. */
static void npy_accepts(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        int rank;
    } row[] = {
        {SHAPE("()"), 1, 0},
        {SHAPE("(3,)"), 3, 1},
        {SHAPE("(0,)"), 0, 1},
        {SHAPE("( 1 , 3 )"), 3, 2},
        {SHAPE("(1, 3,)"), 3, 2},
        {SHAPE("(1L, 3L)"), 3, 2},
        {SHAPE("(1,1,1,1,1,1,1,2)"), 2, 8},
        {"{'shape': (3,), 'fortran_order': False, 'descr': '|u1'}", 3, 1},
        {"{\"descr\":\"|u1\",\"fortran_order\":False,\"shape\":(3,)}    \n", 3, 1},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,),}", 3, 1},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_array array;
        CHECK_OK(npy_from(&array, row[i].header, row[i].data));
        assert_int_equal(array.shape.rank, row[i].rank);
        fvi_array_free(&array);
    }
    for (unsigned char major = 2; major <= 3; major++) { /* lengths of four bytes */
        fvi_array array;
        size_t size;
        unsigned char *bytes = npy_made(&size, "  " SHAPE("(3,)"), 3);
        bytes[6] = major;
        bytes[8] = (unsigned char)(bytes[8] - 2);
        bytes[10] = bytes[11] = 0;
        CHECK_OK(fvi_npy_read(&array, bytes, size));
        assert_memory_equal(array.data, "\1\2\3", 3);
        fvi_array_free(&array);
        free(bytes);
    }
}

/* ---- what is refused: G01 to G05, G07 ---- */

static void npy_refuses_frame(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        fv_status status;
        const char *part;
    } row[] = {
        {"", 0, FV_E_FORMAT, "0 bytes"},
        {"\x93NUMP", 5, FV_E_FORMAT, "5 bytes that do not begin with"},
        {"\x93NUMPZ\1\0v\0", 10, FV_E_FORMAT, "do not begin with"},
        {"\x93NUMPY\1", 7, FV_E_FORMAT, "cut after its magic"},
        {"\x93NUMPY\0\0v\0", 10, FV_E_UNSUPPORTED, "version 0.0"},
        {"\x93NUMPY\4\0v\0", 10, FV_E_UNSUPPORTED, "version 4.0"},
        {"\x93NUMPY\1\1v\0", 10, FV_E_UNSUPPORTED, "version 1.1"},
        {"\x93NUMPY\1\0v", 9, FV_E_FORMAT, "cut in the length"},
        {"\x93NUMPY\2\0v\0\0", 11, FV_E_FORMAT, "cut in the length"},
        {"\x93NUMPY\1\0v\0{}", 12, FV_E_FORMAT, "a header of 118 bytes in a file of 12"},
        {"\x93NUMPY\2\0\0\0\0\x80{}", 14, FV_E_FORMAT, "a header of 2147483648 bytes"},
        {"\x93NUMPY\2\0\xff\xff\xff\xff{}", 14, FV_E_FORMAT, "a header of 4294967295 bytes"},
        {"\x93NUMPY\1\0\0\0", 10, FV_E_FORMAT, "at byte 10, expected \"{\""},
        {"\x80\4\x95\0\0\0", 6, FV_E_UNSUPPORTED, "pickle; never unpickled: in Python, np.save"},
        {"PK\3\4", 4, FV_E_FORMAT, "4 bytes that do not begin with"},
    };
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_array array;
        unsigned char *exact = check_exact(row[i].bytes, row[i].size);
        CHECK_FAILS(fvi_npy_read(&array, exact, row[i].size), row[i].status, row[i].part);
        assert_null(array.data);
        free(exact);
    }
}

static const struct {
    const char *header;
    size_t data;
    fv_status status;
    const char *part;
} npy_row[] = {
    /* G02: claimed against present */
    {NPY("'<f4'", "False", "(300000000,)"), 36, FV_E_FORMAT,
     "300000000 of float32 takes 1200000000 bytes, the file has 36"},
    {SHAPE("(3,)"), 2, FV_E_FORMAT, "takes 3 bytes, the file has 2"},
    {SHAPE("()"), 0, FV_E_FORMAT, "a scalar of uint8 takes 1 bytes"},
    {SHAPE("(3,)"), 4, FV_E_UNSUPPORTED, "1 bytes after the array (3 of uint8)"},
    {SHAPE("(0,)"), 4, FV_E_UNSUPPORTED, "4 bytes after the array"},
    /* G03: shapes */
    {SHAPE("(-1,)"), 0, FV_E_FORMAT, "found \"-1,), }\\x0a\" at byte 61, expected a size >= 0"},
    {SHAPE("(9223372036854775808,)"), 0, FV_E_FORMAT, "is over 2147483647"},
    {SHAPE("(99999999999999999999999999,)"), 0, FV_E_FORMAT, "is over 2147483647"},
    {SHAPE("(2147483648,)"), 0, FV_E_FORMAT, "the size at byte 61 is over 2147483647"},
    {SHAPE("(2147483647, 2147483647, 2147483647)"), 0, FV_E_FORMAT, "more than 1099511627776"},
    {SHAPE("(0, 2147483647, 2147483647)"), 0, FV_E_FORMAT, "more than 1099511627776"},
    {SHAPE("(1,1,1,1,1,1,1,1,1)"), 1, FV_E_UNSUPPORTED, "rank 9, at most 8"},
    {SHAPE("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), 1,
     FV_E_UNSUPPORTED, "rank 40, at most 8"},
    {SHAPE("(\"3\",)"), 3, FV_E_FORMAT, "expected a size >= 0"},
    {SHAPE("(3)"), 3, FV_E_FORMAT, "the comma of a tuple"},
    {SHAPE("3"), 3, FV_E_FORMAT, "expected a shape"},
    {SHAPE("[3]"), 3, FV_E_FORMAT, "expected a shape"},
    {SHAPE("None"), 3, FV_E_FORMAT, "expected a shape"},
    {SHAPE("(3.0,)"), 3, FV_E_FORMAT, "found \".0,), }\\x0a\""},
    {SHAPE("(3 4)"), 12, FV_E_FORMAT, "expected \",\" or \")\""},
    {SHAPE("(,)"), 1, FV_E_FORMAT, "expected a size >= 0"},
    {SHAPE("(3,,)"), 3, FV_E_FORMAT, "expected a size >= 0"},
    {SHAPE("(0x3,)"), 3, FV_E_FORMAT, "found \"x3,), }"},
    {SHAPE("(1_0,)"), 10, FV_E_FORMAT, "found \"_0,), }"},
    {SHAPE("(1e1,)"), 10, FV_E_FORMAT, "found \"e1,), }"},
    {SHAPE("(3, (4,))"), 12, FV_E_FORMAT, "expected a size >= 0"},
    {SHAPE("(True,)"), 1, FV_E_FORMAT, "expected a size >= 0"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,", 3, FV_E_FORMAT, "a size >= 0"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (3", 3, FV_E_FORMAT, "\",\" or \")\""},
    /* G04: pickled objects */
    {TYPE("|O"), 16, FV_E_UNSUPPORTED, "pickled Python objects (\"|O\")"},
    {TYPE("O"), 16, FV_E_UNSUPPORTED, "in Python, np.save(\"new.npy\", array.astype"},
    {TYPE("|O8"), 16, FV_E_UNSUPPORTED, "never unpickled"},
    /* G05: what asks to be evaluated */
    {"__import__('os').system('true')", 3, FV_E_FORMAT, "found \"__import__('os')\" at byte 10"},
    {"{**{'descr': '|u1'}}", 3, FV_E_FORMAT, "expected a key"},
    {"dict(descr='|u1')", 3, FV_E_FORMAT, "expected \"{\""},
    {SHAPE("tuple([3])"), 3, FV_E_FORMAT, "expected a shape"},
    {SHAPE("(1+2,)"), 3, FV_E_FORMAT, "found \"+2,), }"},
    {NPY("'|u'+'1'", "False", "(3,)"), 3, FV_E_UNSUPPORTED, "a type that is not read (\"|u\")"},
    {NPY("'|u1'+''", "False", "(3,)"), 3, FV_E_FORMAT, "found \"+'', 'fortran_or\""},
    {NPY("'|u1'", "not True", "(3,)"), 3, FV_E_FORMAT, "expected True or False"},
    {NPY("'|u1'", "0", "(3,)"), 3, FV_E_FORMAT, "expected True or False"},
    {NPY("'|u1'", "false", "(3,)"), 3, FV_E_FORMAT, "expected True or False"},
    {NPY("'|u1'", "Falsehood", "(3,)"), 3, FV_E_FORMAT, "found \"hood, 'shape': (\""},
    {NPY("'\\x7cu1'", "False", "(3,)"), 3, FV_E_FORMAT, "expected a type"},
    {NPY("u'|u1'", "False", "(3,)"), 3, FV_E_FORMAT, "expected a type"},
    {SHAPE("(3,)") "exit()", 3, FV_E_FORMAT, "expected the end of the header"},
    {SHAPE("(3,)") "{}", 3, FV_E_FORMAT, "expected the end of the header"},
    {"{'descr': '|u1\033[31m', ", 3, FV_E_UNSUPPORTED, "|u1\\x1b[31m"},
    /* G07: other types; keys */
    {NPY("[('a', '<f4'), ('b', '<i4')]", "False", "(2,)"), 16, FV_E_UNSUPPORTED, "a structure"},
    {NPY("('<f4', (2,))", "False", "(2,)"), 16, FV_E_UNSUPPORTED, "a structure"},
    {TYPE("<U3"), 24, FV_E_UNSUPPORTED, "holds text (\"<U3\")"},
    {TYPE("|S3"), 6, FV_E_UNSUPPORTED, "holds text (\"|S3\")"},
    {TYPE("<c8"), 16, FV_E_UNSUPPORTED, "complex numbers (\"<c8\")"},
    {TYPE("|V4"), 8, FV_E_UNSUPPORTED, "raw bytes"},
    {TYPE("<M8[ns]"), 16, FV_E_UNSUPPORTED, "dates"},
    {TYPE("<m8[s]"), 16, FV_E_UNSUPPORTED, "time spans"},
    {TYPE("<f16"), 32, FV_E_UNSUPPORTED, "a type that is not read (\"<f16\")"},
    {TYPE("<i3"), 6, FV_E_UNSUPPORTED, "a type that is not read"},
    {TYPE("<u1x"), 6, FV_E_UNSUPPORTED, "a type that is not read"},
    {TYPE("<<f4"), 8, FV_E_UNSUPPORTED, "a type that is not read"},
    {TYPE(""), 6, FV_E_UNSUPPORTED, "a type that is not read (\"\")"},
    {TYPE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 6, FV_E_FORMAT, "expected a type"},
    {NPY("7", "False", "(2,)"), 2, FV_E_FORMAT, "expected a type such as '<f4'"},
    {"{'descr': '|u1', 'shape': (3,), }", 3, FV_E_FORMAT, "no key \"fortran_order\""},
    {"{'descr': '|u1', 'fortran_order': False}", 3, FV_E_FORMAT, "no key \"shape\""},
    {"{'fortran_order': False, 'shape': (3,)}", 3, FV_E_FORMAT, "no key \"descr\""},
    {"{}", 3, FV_E_FORMAT, "no key \"descr\""},
    {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", 3, FV_E_FORMAT,
     "the key \"descr\" is there twice"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,), 'more': 1}", 3, FV_E_FORMAT,
     "unknown key \"more\""},
    {"{'descr' '|u1'}", 3, FV_E_FORMAT, "expected \":\""},
    {"{'descr': '|u1' 'fortran_order': False}", 3, FV_E_FORMAT, "expected \",\" or \"}\""},
    {"{'descr': '|u1',, 'fortran_order': False}", 3, FV_E_FORMAT, "expected a key"},
    {"{'descr", 3, FV_E_FORMAT, "expected a key"},
    {"{", 3, FV_E_FORMAT, "expected a key"},
};

static void npy_refuses(void **state)
{
    (void)state;
    long live = fvi_alloc_live(), count = fvi_alloc_count();
    for (size_t i = 0; i < FVI_COUNT(npy_row); i++) {
        fvi_array array;
        CHECK_FAILS(npy_from(&array, npy_row[i].header, npy_row[i].data), npy_row[i].status,
                    npy_row[i].part);
        assert_null(array.data);
    }
    assert_int_equal(fvi_alloc_live(), live);
    assert_int_equal(fvi_alloc_count(), count); /* refused before anything is allocated */
}

static void npy_brackets(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        char bracket;
        fv_status status;
    } row[] = {{"", '{', FV_E_FORMAT},
               {"", '[', FV_E_FORMAT},
               {"{'descr': ", '[', FV_E_UNSUPPORTED},
               {"{'descr': ", '{', FV_E_FORMAT},
               {"{'fortran_order': ", '(', FV_E_FORMAT},
               {"{'shape': ", '(', FV_E_FORMAT}};
    char header[10100];
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_array array;
        size_t before = strlen(row[i].before);
        memcpy(header, row[i].before, before);
        memset(header + before, row[i].bracket, 10000);
        header[before + 10000] = '\0';
        CHECK_FAILS(npy_from(&array, header, 3), row[i].status, "NPY");
    }
}

/* ---- the head alone, of a file that is not in memory ---- */

static void npy_head(void **state)
{
    (void)state;
    fvi_npy_head head;
    size_t size;
    unsigned char *bytes = npy_made(&size, NPY("'>f4'", "True", "(1000, 28, 28, 1)"), 0);
    CHECK_OK(fvi_npy_head_read(&head, bytes, size, size + 3136000));
    assert_true(fvi_shape_equal(&head.shape, &(fv_shape){4, {1000, 28, 28, 1}}));
    assert_int_equal(head.dtype, FV_FLOAT32);
    assert_true(head.is_fortran);
    assert_true(head.is_swapped != fvi_is_big_endian());
    assert_int_equal(head.data_offset, size);
    CHECK_FAILS(fvi_npy_head_read(&head, bytes, size, size + 3135999), FV_E_FORMAT,
                "the file has 3135999");
    assert_int_equal(head.data_offset, 0);
    CHECK_FAILS(fvi_npy_head_read(&head, bytes, 50, size + 3136000), FV_E_ARG, "50 bytes given");
    CHECK_FAILS(fvi_npy_head_read(&head, bytes, size, 50), FV_E_FORMAT, "in a file of 50");
    free(bytes);
    /* Longer headers than 64 KiB are within the format. */
    unsigned char *big = calloc(1, FVI_NPY_HEAD + 10);
    assert_non_null(big);
    memset(big, ' ', FVI_NPY_HEAD);
    memcpy(big, "\x93NUMPY\2\0\0\0\1\0", 12);
    memcpy(big + 12, SHAPE("(7,)"), strlen(SHAPE("(7,)")));
    CHECK_OK(fvi_npy_head_read(&head, big, FVI_NPY_HEAD, FVI_NPY_HEAD + 7));
    assert_int_equal(head.data_offset, FVI_NPY_HEAD);
    big[8] = 1;
    CHECK_FAILS(fvi_npy_head_read(&head, big, FVI_NPY_HEAD + 1, FVI_NPY_HEAD + 8), FV_E_MEMORY,
                "a header of 65537 bytes, the limit is 65536");
    free(big);
}

/* ---- writing ---- */

/* The headers of numpy 1.24: the text, and how long all of it is. */
static void npy_writes(void **state)
{
    (void)state;
    static const struct {
        fv_shape shape;
        fv_dtype dtype;
        const char *text;
        size_t size;
    } row[] = {
        {{0}, FV_FLOAT64, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", 128},
        {{1, {3}}, FV_UINT8, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", 128},
        {{2, {3, 4}},
         FV_FLOAT32,
         "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }",
         128},
        {{4, {1080, 64, 64, 3}},
         FV_UINT8,
         "{'descr': '|u1', 'fortran_order': False, 'shape': (1080, 64, 64, 3), }",
         128},
        {{8, {1, 1000, 10, 1, 2, 3, 4, 5}},
         FV_INT64,
         "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1000, 10, 1, 2, 3, 4, 5), }",
         128},
        {{8, {1, 100000000, 1, 10000, 1, 1, 1, 0}},
         FV_BOOL,
         "{'descr': '|b1', 'fortran_order': False, 'shape': (1, 100000000, 1, 10000, 1, 1, 1, 0), "
         "}",
         128},
        {{8, {5, 0, 2000000000, 11, 1, 1, 1, 1}},
         FV_FLOAT16,
         "{'descr': '<f2', 'fortran_order': False, 'shape': (5, 0, 2000000000, 11, 1, 1, 1, 1), }",
         128},
    };
    if (fvi_is_big_endian()) skip();
    for (size_t i = 0; i < FVI_COUNT(row); i++) {
        fvi_text text = {0};
        size_t length = strlen(row[i].text);
        CHECK_OK(fvi_npy_head_write(&text, &row[i].shape, row[i].dtype));
        assert_int_equal(text.size, row[i].size);
        assert_memory_equal(text.data, "\x93NUMPY\1\0", 8);
        assert_int_equal((unsigned char)text.data[8] + 256 * text.data[9], row[i].size - 10);
        assert_memory_equal(text.data + 10, row[i].text, length);
        for (size_t k = 10 + length; k < text.size; k++)
            assert_int_equal(text.data[k], k + 1 < text.size ? ' ' : '\n');
        fvi_text_free(&text);
    }
    fvi_text text = {0};
    CHECK_FAILS(fvi_npy_head_write(&text, &row[0].shape, (fv_dtype)99), FV_E_ARG, "no such dtype");
    CHECK_FAILS(fvi_npy_head_write(&text, &(fv_shape){1, {-1}}, FV_UINT8), FV_E_SHAPE, "negative");
    assert_int_equal(text.size, 0);
}

/* What is written is read again, for every dtype, after other bytes in the same text too. */
static void npy_round(void **state)
{
    (void)state;
    for (int dtype = FV_FLOAT32; dtype <= FV_BOOL; dtype++) {
        fvi_text text = {0};
        fvi_npy_head head;
        const fv_shape shape = {3, {5, 1, 7}};
        size_t data = 35 * fv_dtype_size((fv_dtype)dtype);
        fvi_text_add(&text, "abc");
        CHECK_OK(fvi_npy_head_write(&text, &shape, (fv_dtype)dtype));
        const unsigned char *bytes = (const unsigned char *)text.data + 3;
        assert_true(fvi_npy_is(bytes, text.size - 3));
        CHECK_OK(fvi_npy_head_read(&head, bytes, text.size - 3, text.size - 3 + data));
        assert_true(fvi_shape_equal(&head.shape, &shape));
        assert_int_equal(head.dtype, dtype);
        assert_false(head.is_fortran || head.is_swapped);
        assert_int_equal(head.data_offset % 64, 0);
        fvi_text_free(&text);
    }
}

static void npy_starved(void **state)
{
    (void)state;
    long live = fvi_alloc_live();
    fvi_array array;
    fvi_text text = {0};
    fvi_alloc_fail_at(1);
    CHECK_FAILS(npy_from(&array, SHAPE("(3,)"), 3), FV_E_MEMORY, "out of memory");
    fvi_alloc_fail_at(1);
    CHECK_FAILS(fvi_npy_head_write(&text, &(fv_shape){1, {3}}, FV_UINT8), FV_E_MEMORY, "memory");
    fvi_alloc_fail_at(0);
    assert_null(array.data);
    fvi_text_free(&text);
    assert_int_equal(fvi_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_types),   cmocka_unit_test(npy_column_major),
        cmocka_unit_test(npy_accepts), cmocka_unit_test(npy_refuses_frame),
        cmocka_unit_test(npy_refuses), cmocka_unit_test(npy_brackets),
        cmocka_unit_test(npy_head),    cmocka_unit_test(npy_writes),
        cmocka_unit_test(npy_round),   cmocka_unit_test(npy_starved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
