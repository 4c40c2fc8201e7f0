/* SPDX-License-Identifier: MIT */
/* NPY, one array as numpy saves it. Its header is a Python dict: it is read by a grammar of three
   keys, never evaluated, and nothing pickled is ever loaded. */
#include "formats/formats.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define NPY_MAGIC "\x93NUMPY"
#define NPY_ALIGN 64
#define NPY_PICKLE "; never unpickled: in Python, np.save(\"new.npy\", array.astype(\"float32\"))"

static const struct {
    char code[4]; /* kind and bytes of an element, as in "<f4" */
    fv_dtype dtype;
} npy_types[] = {
    {"b1", FV_BOOL},  {"u1", FV_UINT8},   {"i1", FV_INT8},    {"u2", FV_UINT16},
    {"i2", FV_INT16}, {"u4", FV_UINT32},  {"i4", FV_INT32},   {"u8", FV_UINT64},
    {"i8", FV_INT64}, {"f2", FV_FLOAT16}, {"f4", FV_FLOAT32}, {"f8", FV_FLOAT64},
};

bool fvi_npy_is(const unsigned char *bytes, size_t size)
{
    return size >= 6 && memcmp(bytes, NPY_MAGIC, 6) == 0;
}

/* ---- the text of the header ---- */

typedef struct npy_text {
    const char *start, *at, *end; /* start: of the file, so that messages can count */
} npy_text;

static fv_status npy_expected(const npy_text *t, const char *what)
{
    char found[17] = "", safe[FVI_SAFE_TEXT];
    size_t left = (size_t)(t->end - t->at);
    memcpy(found, t->at, left < 16 ? left : 16);
    return fvi_fail(FV_E_FORMAT, "NPY header: found \"%s\" at byte %zu, expected %s",
                    fvi_safe(safe, found), (size_t)(t->at - t->start), what);
}

static void npy_space(npy_text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
        t->at++;
}

/* Whether this text comes next, after space; then it is passed. */
static bool npy_take(npy_text *t, const char *word)
{
    npy_space(t);
    size_t size = strlen(word);
    if ((size_t)(t->end - t->at) < size || memcmp(t->at, word, size) != 0) return false;
    t->at += size;
    return true;
}

/* A string in quotes into word, which has room for so many bytes; no escapes, nobody needs them. */
static fv_status npy_string(npy_text *t, char *word, size_t room, const char *what)
{
    char quote[2] = "'";
    if (!npy_take(t, quote)) {
        quote[0] = '"';
        if (!npy_take(t, quote)) return npy_expected(t, what);
    }
    size_t size = 0;
    while (t->at + size < t->end && t->at[size] != quote[0] && t->at[size] != '\\')
        size++;
    if (t->at + size == t->end || t->at[size] == '\\' || size >= room) return npy_expected(t, what);
    memcpy(word, t->at, size);
    word[size] = '\0';
    t->at += size + 1;
    return FV_OK;
}

/* ---- the three values ---- */

static fv_status npy_refuse_type(const char *type)
{
    static const struct {
        char kind;
        const char *name;
    } known[] = {{'O', "pickled Python objects"},
                 {'U', "text"},
                 {'S', "text"},
                 {'a', "text"},
                 {'c', "complex numbers"},
                 {'V', "raw bytes or a structure"},
                 {'M', "dates"},
                 {'m', "time spans"}};
    char safe[FVI_SAFE_TEXT];
    const char *what = "a type that is not read", *kind = type + strspn(type, "<>|=");
    for (size_t i = 0; i < FVI_COUNT(known); i++)
        if (*kind == known[i].kind) what = known[i].name;
    return fvi_fail(FV_E_UNSUPPORTED,
                    "NPY: holds %s (\"%s\"), expected bool, integers of 8 to 64 bits or floats of "
                    "16 to 64%s",
                    what, fvi_safe(safe, type), *kind == 'O' ? NPY_PICKLE : "");
}

static fv_status npy_descr(fvi_npy_head *head, npy_text *t)
{
    char type[32] = "";
    npy_space(t);
    if (t->at < t->end && (*t->at == '[' || *t->at == '(')) return npy_refuse_type("V");
    FVI_TRY(npy_string(t, type, sizeof type, "a type such as '<f4'"));
    char order = type[0];
    const char *code = type + (order == '<' || order == '>' || order == '|' || order == '=');
    for (size_t i = 0; i < FVI_COUNT(npy_types); i++)
        if (strcmp(code, npy_types[i].code) == 0) {
            head->dtype = npy_types[i].dtype;
            head->is_swapped = code[1] > '1' && order == (fvi_is_big_endian() ? '<' : '>');
            return FV_OK;
        }
    return npy_refuse_type(type);
}

static fv_status npy_fortran(fvi_npy_head *head, npy_text *t)
{
    head->is_fortran = npy_take(t, "True");
    return head->is_fortran || npy_take(t, "False") ? FV_OK : npy_expected(t, "True or False");
}

/* (), (3,) or (3, 4); numpy under Python 2 wrote (3L, 4L). */
static fv_status npy_shape(fvi_npy_head *head, npy_text *t)
{
    int rank = 0;
    bool ended = false; /* by a comma */
    if (!npy_take(t, "(")) return npy_expected(t, "a shape such as (3, 4)");
    while (!npy_take(t, ")")) {
        size_t size = 0;
        int64_t dim;
        if (rank > 0 && !ended) return npy_expected(t, "\",\" or \")\"");
        while (t->at + size < t->end && t->at[size] >= '0' && t->at[size] <= '9')
            size++;
        if (size == 0) return npy_expected(t, "a size >= 0");
        if (!fvi_parse_int64(&dim, t->at, size) || dim > INT_MAX)
            return fvi_fail(FV_E_FORMAT, "NPY header: the size at byte %zu is over %d",
                            (size_t)(t->at - t->start), INT_MAX);
        t->at += size;
        if (t->at < t->end && *t->at == 'L') t->at++;
        if (rank < FV_MAX_RANK) head->shape.dim[rank] = (int)dim;
        rank++;
        ended = npy_take(t, ",");
    }
    if (rank == 1 && !ended) return npy_expected(t, "the comma of a tuple, as in (3,)");
    if (rank > FV_MAX_RANK)
        return fvi_fail(FV_E_UNSUPPORTED, "NPY: rank %d, at most %d", rank, FV_MAX_RANK);
    head->shape.rank = rank;
    return FV_OK;
}

static fv_status npy_dict(fvi_npy_head *head, npy_text *t)
{
    static const struct {
        const char *name;
        fv_status (*read)(fvi_npy_head *head, npy_text *t);
    } key[] = {{"descr", npy_descr}, {"fortran_order", npy_fortran}, {"shape", npy_shape}};
    bool seen[FVI_COUNT(key)] = {false}, ended = true;
    if (!npy_take(t, "{")) return npy_expected(t, "\"{\"");
    while (!npy_take(t, "}")) {
        char name[32];
        size_t k = 0;
        if (!ended) return npy_expected(t, "\",\" or \"}\"");
        FVI_TRY(npy_string(t, name, sizeof name, "a key: descr, fortran_order or shape"));
        while (k < FVI_COUNT(key) && strcmp(name, key[k].name) != 0)
            k++;
        char safe[FVI_SAFE_TEXT];
        if (k == FVI_COUNT(key))
            return fvi_fail(FV_E_FORMAT, "NPY header: unknown key \"%s\"", fvi_safe(safe, name));
        if (seen[k])
            return fvi_fail(FV_E_FORMAT, "NPY header: the key \"%s\" is there twice", name);
        seen[k] = true;
        if (!npy_take(t, ":")) return npy_expected(t, "\":\"");
        FVI_TRY(key[k].read(head, t));
        ended = npy_take(t, ",");
    }
    npy_space(t);
    if (t->at < t->end) return npy_expected(t, "the end of the header");
    for (size_t k = 0; k < FVI_COUNT(key); k++)
        if (!seen[k]) return fvi_fail(FV_E_FORMAT, "NPY header: no key \"%s\"", key[k].name);
    return FV_OK;
}

/* ---- before and after the text ---- */

static fv_status npy_refuse_magic(const unsigned char *bytes, size_t size)
{
    if (size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5)
        return fvi_fail(FV_E_UNSUPPORTED, "NPY: this is a Python pickle" NPY_PICKLE);
    return fvi_fail(FV_E_FORMAT, "NPY: %zu bytes that do not begin with 93 4E 55 4D 50 59", size);
}

/* Where the text of the header stands. */
static fv_status npy_frame(npy_text *t, const unsigned char *bytes, size_t size, uint64_t file_size)
{
    if (!fvi_npy_is(bytes, size)) return npy_refuse_magic(bytes, size);
    if (file_size < 8 || size < 8) return fvi_fail(FV_E_FORMAT, "NPY: cut after its magic");
    int major = bytes[6], minor = bytes[7];
    if (major < 1 || major > 3 || minor != 0)
        return fvi_fail(FV_E_UNSUPPORTED, "NPY: version %d.%d, expected 1.0, 2.0 or 3.0", major,
                        minor);
    size_t from = major == 1 ? 10 : 12, length = 0;
    if (size < from) return fvi_fail(FV_E_FORMAT, "NPY: cut in the length of its header");
    for (size_t at = from; at > 8; at--)
        length = length << 8 | bytes[at - 1];
    if (length > file_size - from)
        return fvi_fail(FV_E_FORMAT, "NPY: a header of %zu bytes in a file of %" PRIu64, length,
                        file_size);
    if (from + length > FVI_NPY_HEAD)
        return fvi_fail(FV_E_MEMORY, "NPY: a header of %zu bytes, the limit is %zu", length,
                        FVI_NPY_HEAD - from);
    if (from + length > size)
        return fvi_fail(FV_E_ARG, "NPY: %zu bytes given, its header ends at %zu", size,
                        from + length);
    *t = (npy_text){(const char *)bytes, (const char *)bytes + from,
                    (const char *)bytes + from + length};
    return FV_OK;
}

/* Claimed bytes against those that are there. */
static fv_status npy_extent(const fvi_npy_head *head, uint64_t file_size)
{
    char text[FVI_SHAPE_TEXT];
    size_t count, bytes;
    if (fvi_shape_count(&count, &head->shape) != FV_OK) return fvi_fail_in(FV_E_FORMAT, "NPY");
    const char *shape = head->shape.rank > 0 ? fvi_shape_text(text, &head->shape) : "a scalar";
    if (!fvi_mul(&bytes, count, fv_dtype_size(head->dtype)))
        return fvi_fail(FV_E_FORMAT, "NPY: the size of %s overflows", shape);
    uint64_t there = file_size - head->data_offset;
    if (bytes > there)
        return fvi_fail(FV_E_FORMAT, "NPY: %s of %s takes %zu bytes, the file has %" PRIu64, shape,
                        fv_dtype_name(head->dtype), bytes, there);
    if (bytes < there)
        return fvi_fail(FV_E_UNSUPPORTED,
                        "NPY: %" PRIu64 " bytes after the array (%s of %s); a file is read that "
                        "holds one",
                        there - bytes, shape, fv_dtype_name(head->dtype));
    return FV_OK;
}

fv_status fvi_npy_head_read(fvi_npy_head *head, const unsigned char *bytes, size_t size,
                            uint64_t file_size)
{
    fvi_npy_head read = {0};
    npy_text text;
    *head = read;
    if (size > file_size) size = (size_t)file_size;
    FVI_TRY(npy_frame(&text, bytes, size, file_size));
    read.data_offset = (size_t)(text.end - text.start);
    FVI_TRY(npy_dict(&read, &text));
    FVI_TRY(npy_extent(&read, file_size));
    *head = read;
    return FV_OK;
}

/* ---- the data ---- */

/* From column-major to C order: out is filled in a row, the place in from moves by strides. */
static void npy_transpose(unsigned char *out, const unsigned char *from, const fv_shape *shape,
                          size_t count, size_t width)
{
    size_t stride[FV_MAX_RANK] = {0}, at[FV_MAX_RANK] = {0}, place = 0, step = width;
    for (int i = 0; i < shape->rank; i++) {
        stride[i] = step;
        step *= (size_t)shape->dim[i];
    }
    for (size_t done = 0; done < count; done++, out += width) {
        memcpy(out, from + place, width);
        for (int axis = shape->rank - 1; axis >= 0; axis--) {
            place += stride[axis];
            if (++at[axis] < (size_t)shape->dim[axis]) break;
            place -= stride[axis] * at[axis];
            at[axis] = 0;
        }
    }
}

/* What bytes of the file become where they lie: native order, and 0 or 1 for bool. */
static void npy_native(unsigned char *data, const fvi_npy_head *head, size_t length)
{
    size_t width = fv_dtype_size(head->dtype);
    if (head->is_swapped) fvi_swap_bytes(data, length / width, width);
    for (size_t i = 0; head->dtype == FV_BOOL && i < length; i++)
        data[i] = data[i] != 0;
}

fv_status fvi_npy_read(fvi_array *array, const unsigned char *bytes, size_t size)
{
    fvi_npy_head head;
    *array = (fvi_array){0};
    FVI_TRY(fvi_npy_head_read(&head, bytes, size, size));
    size_t width = fv_dtype_size(head.dtype), length = size - head.data_offset;
    const unsigned char *from = bytes + head.data_offset;
    unsigned char *data = fvi_alloc(length, 1, "an NPY array");
    if (data == NULL) return FV_E_MEMORY;
    if (head.is_fortran)
        npy_transpose(data, from, &head.shape, length / width, width);
    else
        memcpy(data, from, length);
    npy_native(data, &head, length);
    *array = (fvi_array){head.shape, head.dtype, data};
    return FV_OK;
}

/* ---- writing ---- */

fv_status fvi_npy_head_write(fvi_text *text, const fv_shape *shape, fv_dtype dtype)
{
    size_t count, k = 0, start = text->size;
    FVI_TRY(fvi_shape_count(&count, shape));
    while (k < FVI_COUNT(npy_types) && npy_types[k].dtype != dtype)
        k++;
    if (k == FVI_COUNT(npy_types)) return fvi_fail(FV_E_ARG, "NPY: no such dtype");
    char order = npy_types[k].code[1] == '1' ? '|' : fvi_is_big_endian() ? '>' : '<';
    fvi_text_add_bytes(text, NPY_MAGIC "\1\0\0\0", 10); /* the length comes below */
    fvi_text_add(text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order,
                 npy_types[k].code);
    for (int i = 0; i < shape->rank; i++)
        fvi_text_add(text, "%s%d", i > 0 ? ", " : "", shape->dim[i]);
    fvi_text_add(text, "%s), }", shape->rank == 1 ? "," : "");
    /* Newer numpy leaves room for the first size to grow; with shapes of at most 2^40 elements that
       changes nothing. */
    size_t pad = NPY_ALIGN - (text->size - start + 1) % NPY_ALIGN;
    fvi_text_add(text, "%*s\n", (int)pad, "");
    FVI_TRY(text->status);
    size_t length = text->size - start - 10;
    text->data[start + 8] = (char)(length & 0xFF);
    text->data[start + 9] = (char)(length >> 8);
    return FV_OK;
}

/* ---- NPZ ---- */

static bool npz_is_array(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".npy") == 0;
}

fv_status fvi_npz_names(const fvi_zip *zip, fvi_value **names)
{
    char safe[FVI_SAFE_TEXT];
    *names = NULL;
    fvi_value *list = fvi_value_list();
    fv_status status = list != NULL ? FV_OK : FV_E_MEMORY;
    for (int i = 0; status == FV_OK && i < fvi_zip_count(zip); i++) {
        const char *member = fvi_zip_at(zip, i)->name;
        if (!npz_is_array(member)) {
            status =
                fvi_fail(FV_E_FORMAT, "NPZ: the member \"%s\" is no .npy", fvi_safe(safe, member));
            break;
        }
        char *name = fvi_strdup(member);
        if (name != NULL) name[strlen(name) - 4] = '\0';
        status = fvi_value_push(list, name != NULL ? fvi_value_string(name) : NULL);
        fvi_free(name);
    }
    if (status == FV_OK && list->count == 0)
        status = fvi_fail(FV_E_FORMAT, "NPZ: no member that is .npy");
    if (status == FV_OK)
        *names = list;
    else
        fvi_value_free(list);
    return status;
}

/* The member of an array: its name, or that and ".npy". */
static fv_status npz_member(const fvi_zip_member **member, const fvi_zip *zip, const char *name)
{
    char safe[FVI_SAFE_TEXT];
    fvi_text text = {0};
    *member = npz_is_array(name) ? fvi_zip_find(zip, name) : NULL;
    if (*member != NULL) return FV_OK;
    fvi_text_add(&text, "%s.npy", name);
    fv_status status = text.status;
    if (status == FV_OK) *member = fvi_zip_find(zip, text.data);
    fvi_text_free(&text);
    if (status == FV_OK && *member == NULL)
        status = fvi_fail(FV_E_FORMAT, "NPZ: no array \"%s\"", fvi_safe(safe, name));
    return status;
}

fv_status fvi_npz_head(const fvi_zip *zip, const char *name, fvi_npy_head *head)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_zip_member *member;
    size_t got;
    *head = (fvi_npy_head){0};
    FVI_TRY(npz_member(&member, zip, name));
    unsigned char *bytes = fvi_alloc(FVI_NPY_HEAD, 1, "the head of an array");
    if (bytes == NULL) return FV_E_MEMORY;
    fv_status status = fvi_zip_peek(zip, member->name, bytes, FVI_NPY_HEAD, &got);
    if (status == FV_OK) {
        status = fvi_npy_head_read(head, bytes, got, member->size);
        if (status != FV_OK) fvi_fail_in(status, "\"%s\"", fvi_safe(safe, name));
    }
    fvi_free(bytes);
    return status;
}

fv_status fvi_npz_read(const fvi_zip *zip, const char *name, size_t limit_bytes, fvi_array *array)
{
    char safe[FVI_SAFE_TEXT];
    const fvi_zip_member *member;
    fvi_npy_head head;
    unsigned char *bytes;
    size_t size;
    *array = (fvi_array){0};
    FVI_TRY(fvi_npz_head(zip, name, &head));
    FVI_TRY(npz_member(&member, zip, name));
    if (member->size - head.data_offset > limit_bytes)
        return fvi_fail(FV_E_MEMORY, "\"%s\": NPY: %" PRIu64 " bytes, the limit is %zu",
                        fvi_safe(safe, name), member->size - head.data_offset, limit_bytes);
    FVI_TRY(fvi_zip_read(zip, member->name, SIZE_MAX, &bytes, &size));
    if (head.is_fortran) {
        fv_status status = fvi_npy_read(array, bytes, size);
        fvi_free(bytes);
        return status;
    }
    size_t length = size - head.data_offset; /* moved in place: large ones would not fit twice */
    memmove(bytes, bytes + head.data_offset, length);
    npy_native(bytes, &head, length);
    *array = (fvi_array){head.shape, head.dtype, bytes};
    return FV_OK;
}

fv_status fvi_npz_save_add(fvi_zip_save *save, const char *name, const fv_shape *shape,
                           fv_dtype dtype,
                           fv_status (*fill)(void *context, void *out, int first, int count),
                           void *context)
{
    fvi_text head = {0}, member = {0};
    size_t count;
    if (name == NULL) return fvi_fail(FV_E_ARG, "the name of an array is NULL");
    fv_status status = fvi_shape_count(&count, shape);
    if (status == FV_OK) status = fvi_npy_head_write(&head, shape, dtype);
    fvi_text_add(&member, "%s.npy", name);
    if (status == FV_OK) status = member.status;
    if (status == FV_OK) {
        int rows = shape->rank > 0 ? shape->dim[0] : 1;
        size_t bytes = count * fv_dtype_size(dtype); /* 2^43 at most */
        status =
            fvi_zip_save_add(save, &(fvi_zip_rows){.name = member.data,
                                                   .head = head.data,
                                                   .head_size = head.size,
                                                   .row_bytes = rows > 0 ? bytes / (size_t)rows : 0,
                                                   .rows = rows,
                                                   .fill = fill,
                                                   .context = context});
    }
    fvi_text_free(&head);
    fvi_text_free(&member);
    return status;
}
