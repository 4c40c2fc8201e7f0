/* SPDX-License-Identifier: MIT */
/* Arrays in bytes: IDX as MNIST has it, and gzip, the only use of zlib. */
#include "formats/formats.h"
#include "formats/arrays.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#ifdef FVI_WITH_ZLIB
#include <zlib.h>
#endif

void fvi_array_free(fvi_array *array)
{
    if (array == NULL) return;
    fvi_free(array->data);
    *array = (fvi_array){0};
}

bool fvi_is_big_endian(void)
{
    const uint16_t probe = 1;
    return *(const unsigned char *)&probe == 0;
}

void fvi_swap_bytes(void *data, size_t count, size_t width)
{
    unsigned char *at = data;
    for (size_t i = 0; i < count; i++, at += width)
        for (size_t k = 0; k < width / 2; k++) {
            unsigned char low = at[k];
            at[k] = at[width - 1 - k];
            at[width - 1 - k] = low;
        }
}

/* ---- IDX: 0 0 TYPE RANK, the sizes, the data; all big-endian ---- */

static const struct {
    unsigned char code;
    fv_dtype dtype;
} arrays_idx_types[] = {
    {0x08, FV_UINT8}, {0x09, FV_INT8},    {0x0B, FV_INT16},
    {0x0C, FV_INT32}, {0x0D, FV_FLOAT32}, {0x0E, FV_FLOAT64},
};

static uint32_t arrays_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static fv_status arrays_idx_magic(fvi_idx_head *head, const unsigned char *bytes, size_t size)
{
    if (size < 4) return fvi_fail(FV_E_FORMAT, "IDX: %zu bytes, shorter than its magic", size);
    if (bytes[0] != 0 || bytes[1] != 0)
        return fvi_fail(FV_E_FORMAT, "IDX: begins with %02X %02X %02X %02X, expected 00 00%s",
                        bytes[0], bytes[1], bytes[2], bytes[3],
                        bytes[2] == 0 && bytes[3] == 0 ? "; the bytes are in the wrong order" : "");
    for (size_t i = 0; i < FVI_COUNT(arrays_idx_types); i++)
        if (arrays_idx_types[i].code == bytes[2]) {
            head->dtype = arrays_idx_types[i].dtype;
            head->shape.rank = bytes[3];
            if (bytes[3] >= 1 && bytes[3] <= FV_MAX_RANK) return FV_OK;
            return fvi_fail(FV_E_FORMAT, "IDX: %d dimensions at byte 3, expected 1 to %d", bytes[3],
                            FV_MAX_RANK);
        }
    return fvi_fail(FV_E_FORMAT, "IDX: type 0x%02X at byte 2, expected 08 09 0B 0C 0D or 0E",
                    bytes[2]);
}

static fv_status arrays_idx_sizes(fvi_idx_head *head, const unsigned char *bytes, size_t size,
                                  uint64_t file_size)
{
    FVI_TRY(arrays_idx_magic(head, bytes, size));
    fv_shape *shape = &head->shape;
    size_t count, data = 0;
    head->data_offset = 4 + 4 * (size_t)shape->rank;
    if (size < head->data_offset)
        return fvi_fail(FV_E_FORMAT, "IDX: %zu bytes, its header takes %zu", size,
                        head->data_offset);
    for (int i = 0; i < shape->rank; i++) {
        uint32_t dim = arrays_u32(bytes + 4 + 4 * i);
        if (dim > INT_MAX)
            return fvi_fail(FV_E_FORMAT, "IDX: dimension %d at byte %d is %" PRIu32 ", at most %d",
                            i, 4 + 4 * i, dim, INT_MAX);
        shape->dim[i] = (int)dim;
    }
    if (fvi_shape_count(&count, shape) != FV_OK) return fvi_fail_in(FV_E_FORMAT, "IDX");
    char text[FVI_SHAPE_TEXT];
    if (!fvi_mul(&data, count, fv_dtype_size(head->dtype)) || data != file_size - head->data_offset)
        return fvi_fail(FV_E_FORMAT,
                        "IDX: %s of %s claimed, which takes %zu bytes; file has %" PRIu64,
                        fvi_shape_text(text, shape), fv_dtype_name(head->dtype), data,
                        file_size - head->data_offset);
    head->is_swapped = fv_dtype_size(head->dtype) > 1 && !fvi_is_big_endian();
    return FV_OK;
}

fv_status fvi_idx_head_read(fvi_idx_head *head, const unsigned char *bytes, size_t size,
                            uint64_t file_size)
{
    fvi_idx_head read = {0};
    *head = read;
    if (size > file_size) size = (size_t)file_size;
    FVI_TRY(arrays_idx_sizes(&read, bytes, size, file_size));
    *head = read;
    return FV_OK;
}

fv_status fvi_idx_read(fvi_array *array, const unsigned char *bytes, size_t size)
{
    *array = (fvi_array){0};
    fvi_idx_head head;
    FVI_TRY(fvi_idx_head_read(&head, bytes, size, size));
    size_t width = fv_dtype_size(head.dtype), length = size - head.data_offset;
    void *data = fvi_copy(bytes + head.data_offset, length, "an IDX array");
    if (data == NULL) return FV_E_MEMORY;
    if (head.is_swapped) fvi_swap_bytes(data, length / width, width);
    *array = (fvi_array){head.shape, head.dtype, data};
    return FV_OK;
}

/* ---- gzip ---- */

bool fvi_gzip_is(const unsigned char *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

#ifdef FVI_WITH_ZLIB

#define ARRAYS_CHUNK ((size_t)1 << 16)

static voidpf arrays_zalloc(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return fvi_alloc(items, size, "inflating gzip");
}

static void arrays_zfree(voidpf opaque, voidpf address)
{
    (void)opaque;
    fvi_free(address);
}

/* One inflate step: as much input as zlib's counter holds, output up to room bytes at out. */
static int arrays_step(z_stream *stream, size_t *in_left, unsigned char *out, size_t room,
                       size_t *made)
{
    uInt in_now = *in_left > UINT_MAX ? UINT_MAX : (uInt)*in_left;
    uInt out_now = room > UINT_MAX ? UINT_MAX : (uInt)room;
    stream->avail_in = in_now;
    stream->next_out = out;
    stream->avail_out = out_now;
    int code = inflate(stream, Z_NO_FLUSH);
    *in_left -= in_now - stream->avail_in;
    *made = out_now - stream->avail_out;
    return code;
}

static fv_status arrays_zlib_refuse(const char *what, int code, const z_stream *stream, size_t at)
{
    char safe[FVI_SAFE_TEXT];
    if (code == Z_MEM_ERROR) return FV_E_MEMORY; /* fvi_alloc has set the message */
    if (code == Z_OK || code == Z_BUF_ERROR)
        return fvi_fail(FV_E_FORMAT, "%s: cut at byte %zu", what, at);
    return fvi_fail(FV_E_FORMAT, "%s: %s at byte %zu", what,
                    fvi_safe(safe, stream->msg != NULL ? stream->msg : "bad data"), at);
}

/* Inflate every member. out NULL: only count and check, through a small buffer; then *total is the
   size. */
static fv_status arrays_members(z_stream *stream, unsigned char *out, size_t *total,
                                const unsigned char *bytes, size_t size, size_t limit)
{
    unsigned char *scratch = NULL;
    if (out == NULL) {
        scratch = fvi_alloc(ARRAYS_CHUNK, 1, "inflating gzip");
        if (scratch == NULL) return FV_E_MEMORY;
    }
    fv_status status = FV_OK;
    size_t in_left = size, done = 0;
    stream->next_in = (z_const Bytef *)bytes;
    while (status == FV_OK) {
        size_t made, left = limit - done, room = left < ARRAYS_CHUNK ? left + 1 : ARRAYS_CHUNK;
        int code = arrays_step(stream, &in_left, out != NULL ? out + done : scratch,
                               out != NULL ? left : room, &made);
        done += made;
        if (done > limit) {
            status =
                fvi_fail(FV_E_MEMORY, "gzip: inflates to more than the limit of %zu bytes", limit);
        } else if (code == Z_STREAM_END) {
            const unsigned char *rest = bytes + (size - in_left);
            if (!fvi_gzip_is(rest, in_left)) break;
            inflateReset(stream); /* the next member */
        } else if (code != Z_OK || (made == 0 && in_left == 0)) {
            status = arrays_zlib_refuse("gzip", code, stream, size - in_left);
        }
    }
    for (size_t at = size - in_left; status == FV_OK && at < size; at++)
        if (bytes[at] != 0) /* zeros are padding of tapes and blocks */
            status = fvi_fail(FV_E_FORMAT, "gzip: byte %zu, after its end, is no new member", at);
    fvi_free(scratch);
    *total = done;
    return status;
}

static fv_status arrays_pass(unsigned char *out, size_t *total, const unsigned char *bytes,
                             size_t size, size_t limit)
{
    z_stream stream = {.zalloc = arrays_zalloc, .zfree = arrays_zfree};
    int code = inflateInit2(&stream, 15 + 16); /* 16: gzip wrapper, CRC and length checked */
    if (code == Z_MEM_ERROR) return FV_E_MEMORY;
    if (code != Z_OK) return fvi_fail(FV_E_UNSUPPORTED, "gzip: zlib does not start (%d)", code);
    fv_status status = arrays_members(&stream, out, total, bytes, size, limit);
    inflateEnd(&stream);
    return status;
}

/* Two passes: the first counts, so that a bomb or a cut file costs no memory and the result is
   exact. */
fv_status fvi_gzip_read(unsigned char **out, size_t *out_size, const unsigned char *bytes,
                        size_t size, size_t limit)
{
    *out = NULL;
    *out_size = 0;
    if (!fvi_gzip_is(bytes, size)) return fvi_fail(FV_E_FORMAT, "gzip: does not begin with 1F 8B");
    if (limit > PTRDIFF_MAX) limit = PTRDIFF_MAX;
    size_t total, again;
    FVI_TRY(arrays_pass(NULL, &total, bytes, size, limit));
    unsigned char *data = fvi_alloc(total, 1, "inflated gzip");
    if (data == NULL) return FV_E_MEMORY;
    fv_status status = arrays_pass(data, &again, bytes, size, total);
    if (status != FV_OK) {
        fvi_free(data);
        return status;
    }
    *out = data;
    *out_size = total;
    return FV_OK;
}

fv_status fvi_zlib_size(size_t *inflated, const unsigned char *bytes, size_t size, size_t limit)
{
    *inflated = 0;
    unsigned char *scratch = fvi_alloc(ARRAYS_CHUNK, 1, "inflating");
    if (scratch == NULL) return FV_E_MEMORY;
    z_stream stream = {.zalloc = arrays_zalloc, .zfree = arrays_zfree};
    stream.next_in = (z_const Bytef *)bytes;
    size_t in_left = size, made;
    int code = inflateInit(&stream);
    if (code != Z_OK) {
        fvi_free(scratch);
        return code == Z_MEM_ERROR ? FV_E_MEMORY
                                   : fvi_fail(FV_E_UNSUPPORTED, "zlib does not start (%d)", code);
    }
    do {
        code = arrays_step(&stream, &in_left, scratch, ARRAYS_CHUNK, &made);
        *inflated += made;
    } while (code == Z_OK && *inflated <= limit && (made > 0 || in_left > 0));
    fv_status status = FV_OK;
    if (*inflated > limit)
        status = fvi_fail(FV_E_FORMAT, "deflate: more than %zu bytes come out", limit);
    else if (code != Z_STREAM_END)
        status = arrays_zlib_refuse("deflate", code, &stream, size - in_left);
    inflateEnd(&stream);
    fvi_free(scratch);
    return status;
}

#else

fv_status fvi_zlib_size(size_t *inflated, const unsigned char *bytes, size_t size, size_t limit)
{
    (void)bytes, (void)size, (void)limit;
    *inflated = 0;
    return fvi_fail(FV_E_UNSUPPORTED, "built without zlib: cannot read deflated data");
}

fv_status fvi_gzip_read(unsigned char **out, size_t *out_size, const unsigned char *bytes,
                        size_t size, size_t limit)
{
    (void)bytes, (void)size, (void)limit;
    *out = NULL;
    *out_size = 0;
    return fvi_fail(FV_E_UNSUPPORTED, "built without zlib: cannot read gzip");
}

#endif
