/* SPDX-License-Identifier: MIT */
/* Zip archives put together by hand, so that any part of them can be wrong. */
#ifndef ZIP_MADE_H
#define ZIP_MADE_H

#include "formats_check.h"

#define MADE_CRC 0x3610A686u /* of "hello" */

/* A field of one part that gets another value. Parts of a member are those of the second one. */
typedef struct made_lie {
    enum { NOTHING, LOCAL, CENTRAL, END, COUNT, WIDE, LOCATOR } where;
    size_t at, size;
    uint64_t value;
} made_lie;

typedef struct made_member {
    const char *name, *data, *extra; /* extra: four bytes or NULL */
    size_t packed;                   /* bytes of data */
    uint32_t crc, size;
    unsigned method, flags;
    bool is_wide, local_is_wide; /* sizes of 64 bits */
    bool local_zeros;            /* CRC and sizes only after the data */
    bool holds_next;             /* the next member is in its data */
} made_member;

typedef struct made_zip {
    made_member member[2];
    int count;
    const char *comment;
    bool is_wide;     /* with the end record of zip64 */
    uint64_t entries; /* that this one claims; 0: as they are */
    made_lie lie;
} made_zip;

/* "hello" stored, and in a block of deflate that does not compress. */
static inline made_zip made_two(void)
{
    return (made_zip){
        .count = 2,
        .member = {{.name = "one", .data = "hello", .packed = 5, .crc = MADE_CRC, .size = 5},
                   {.name = "two",
                    .data = "\1\5\0\xFA\xFFhello",
                    .packed = 10,
                    .crc = MADE_CRC,
                    .size = 5,
                    .method = 8}}};
}

typedef struct made_bytes {
    unsigned char data[2048];
    size_t size;
} made_bytes;

static inline void made_put(made_bytes *b, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        b->data[b->size++] = (unsigned char)(value >> (8 * i));
}

static inline void made_add(made_bytes *b, const char *data, size_t size)
{
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void made_tell(made_bytes *b, const made_zip *zip, int where, size_t from)
{
    made_lie lie = zip->lie;
    if ((int)lie.where != where) return;
    size_t end = b->size;
    b->size = from + lie.at;
    made_put(b, lie.value, lie.size);
    b->size = end;
}

/* Flags to sizes, the same in both headers. */
static inline void made_common(made_bytes *b, const made_member *m, bool is_wide, bool zeros)
{
    made_put(b, m->flags, 2);
    made_put(b, m->method, 2);
    made_put(b, UINT64_C(0x00210000), 4);
    made_put(b, zeros ? 0 : m->crc, 4);
    made_put(b, is_wide ? UINT32_MAX : zeros ? 0 : m->packed, 4);
    made_put(b, is_wide ? UINT32_MAX : zeros ? 0 : m->size, 4);
    made_put(b, strlen(m->name), 2);
    made_put(b, (is_wide ? 20u : 0u) + (m->extra ? 4u : 0u), 2);
}

static inline void made_extra(made_bytes *b, const made_member *m, bool is_wide)
{
    made_add(b, m->name, strlen(m->name));
    if (m->extra) made_add(b, m->extra, 4);
    if (!is_wide) return;
    made_put(b, 1, 2);
    made_put(b, 16, 2);
    made_put(b, m->size, 8);
    made_put(b, m->packed, 8);
}

static inline void made_end(made_bytes *b, const made_zip *zip, size_t from)
{
    size_t size = b->size - from, at = b->size;
    uint64_t entries = zip->entries ? zip->entries : (uint64_t)zip->count;
    if (zip->is_wide) {
        made_add(b, "PK\6\6", 4);
        made_put(b, 44, 8);
        made_put(b, 0x002D002D, 4);
        made_put(b, 0, 8);
        made_put(b, entries, 8);
        made_put(b, entries, 8);
        made_put(b, size, 8);
        made_put(b, from, 8);
        made_tell(b, zip, WIDE, at);
        made_add(b, "PK\6\7", 4);
        made_put(b, 0, 4);
        made_put(b, at, 8);
        made_put(b, 1, 4);
        made_tell(b, zip, LOCATOR, at + 56);
    }
    at = b->size;
    made_add(b, "PK\5\6\0\0\0\0", 8);
    made_put(b, zip->is_wide ? 0xFFFF : entries, 2);
    made_put(b, zip->is_wide ? 0xFFFF : entries, 2);
    made_put(b, zip->is_wide ? UINT32_MAX : size, 4);
    made_put(b, zip->is_wide ? UINT32_MAX : from, 4);
    made_put(b, zip->comment ? strlen(zip->comment) : 0, 2);
    made_tell(b, zip, END, at);
    made_tell(b, zip, COUNT, at);
    made_tell(b, zip, COUNT, at + 2);
    if (zip->comment) made_add(b, zip->comment, strlen(zip->comment));
}

static inline void made_write(const made_zip *zip, const char *path)
{
    made_bytes b = {.size = 0};
    size_t local[2] = {0}, last = 0;
    made_member member[2] = {zip->member[0], zip->member[1]};
    for (int i = 0; i < zip->count; i++) {
        made_member *m = &member[i];
        last = local[i] = b.size;
        if (m->holds_next) { /* stored: the whole next member, header and data */
            const made_member *next = &member[i + 1];
            m->packed = m->size = (uint32_t)(30 + strlen(next->name) + next->packed);
        }
        made_add(&b, "PK\3\4\x14\0", 6);
        made_common(&b, m, m->local_is_wide, m->local_zeros);
        made_extra(&b, m, m->local_is_wide);
        if (m->holds_next) continue;
        made_add(&b, m->data, m->packed);
        if (m->flags & 8) {
            made_add(&b, "PK\7\10", 4);
            made_put(&b, m->crc, 4);
            made_put(&b, m->packed, 4);
            made_put(&b, m->size, 4);
        }
    }
    made_tell(&b, zip, LOCAL, last);
    size_t from = b.size;
    for (int i = 0; i < zip->count; i++) {
        last = b.size;
        made_add(&b, "PK\1\2\x14\3\x14\0", 8);
        made_common(&b, &member[i], member[i].is_wide, false);
        made_put(&b, 0, 6);
        made_put(&b, 0100644u << 16, 4);
        made_put(&b, local[i], 4);
        made_extra(&b, &member[i], member[i].is_wide);
    }
    made_tell(&b, zip, CENTRAL, last);
    made_end(&b, zip, from);
    CHECK_OK(fvi_file_write(path, b.data, b.size));
}

#endif
