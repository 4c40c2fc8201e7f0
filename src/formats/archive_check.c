/* SPDX-License-Identifier: MIT */
/* The directory of a zip archive, read by ourselves: libzip believes it where it contradicts the
   local headers, and does not mind members that lie over one another. */
#include "formats/zip_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_END 22     /* bytes of the record that ends an archive, without its comment */
#define CHECK_LOCATOR 20 /* says where the larger one of zip64 is */
#define CHECK_END64 56
#define CHECK_CENTRAL 46
#define CHECK_LOCAL 30
#define CHECK_TAIL (CHECK_LOCATOR + CHECK_END + 65535)
#define CHECK_MAX_RATIO 1032 /* what deflate can reach */
#define CHECK_MAX_NAME 4096
#define CHECK_MAX_DIRECTORY ((uint64_t)64 << 20)
#define CHECK_ENCRYPTED 0x2041u /* bits for encryption, strong encryption, hidden headers */
#define CHECK_PATCH 0x0020u
#define CHECK_DESCRIPTOR 0x0008u /* sizes and CRC stand after the data */

static uint32_t check_u16(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t check_u32(const unsigned char *bytes)
{
    return check_u16(bytes) | check_u16(bytes + 2) << 16;
}

static uint64_t check_u64(const unsigned char *bytes)
{
    return check_u32(bytes) | (uint64_t)check_u32(bytes + 4) << 32;
}

/* ---- where the directory is ---- */

typedef struct check_directory {
    const fvi_reader *reader;
    uint64_t at, size, entries;
} check_directory;

/* Of the places in the last bytes where the end record may be the one whose comment fits. */
static fv_status check_find_end(const unsigned char **end, const unsigned char *tail, size_t size)
{
    *end = NULL;
    for (size_t at = 0; at + CHECK_END <= size; at++) {
        if (memcmp(tail + at, "PK\5\6", 4) != 0 ||
            check_u16(tail + at + 20) != size - at - CHECK_END)
            continue;
        if (*end != NULL) return fvi_fail(FV_E_FORMAT, "zip: two ends of its directory");
        *end = tail + at;
    }
    if (*end == NULL)
        return fvi_fail(FV_E_FORMAT, "zip: no end of its directory: cut, or no archive");
    return FV_OK;
}

/* The record of zip64, whose fields replace those that are all ones. */
static fv_status check_end64(check_directory *d, const unsigned char *locator, uint64_t locator_at)
{
    unsigned char end[CHECK_END64];
    uint64_t at = check_u64(locator + 8);
    if (check_u32(locator + 4) != 0 || check_u32(locator + 16) > 1)
        return fvi_fail(FV_E_UNSUPPORTED, "zip: in parts");
    if (at > locator_at || locator_at - at < CHECK_END64)
        return fvi_fail(FV_E_FORMAT, "zip: its zip64 record is said to be at byte %" PRIu64, at);
    FVI_TRY(fvi_reader_at(d->reader, end, sizeof end, at));
    if (memcmp(end, "PK\6\6", 4) != 0 || check_u64(end + 4) != locator_at - at - 12)
        return fvi_fail(FV_E_FORMAT, "zip: no zip64 record at byte %" PRIu64, at);
    if (check_u32(end + 16) != 0 || check_u32(end + 20) != 0 ||
        check_u64(end + 24) != check_u64(end + 32))
        return fvi_fail(FV_E_UNSUPPORTED, "zip: in parts");
    uint64_t entries = check_u64(end + 32), size = check_u64(end + 40), from = check_u64(end + 48);
    if ((d->entries != 0xFFFF && d->entries != entries) ||
        (d->size != UINT32_MAX && d->size != size) || (d->at != UINT32_MAX && d->at != from) ||
        from > at || size != at - from)
        return fvi_fail(FV_E_FORMAT, "zip: its two ends of the directory contradict each other");
    d->entries = entries;
    d->size = size;
    d->at = from;
    return FV_OK;
}

static fv_status check_ends(check_directory *d, const unsigned char *tail, size_t size)
{
    const unsigned char *end;
    FVI_TRY(check_find_end(&end, tail, size));
    uint64_t end_at = fvi_reader_size(d->reader) - size + (uint64_t)(end - tail);
    const unsigned char *locator = end - CHECK_LOCATOR;
    bool is_wide = end - tail >= CHECK_LOCATOR && memcmp(locator, "PK\6\7", 4) == 0;
    uint32_t disk = check_u16(end + 4), first = check_u16(end + 6), one = is_wide ? 0xFFFF : 0;
    if ((disk != 0 && disk != one) || (first != 0 && first != one) ||
        check_u16(end + 8) != check_u16(end + 10))
        return fvi_fail(FV_E_UNSUPPORTED, "zip: in parts");
    d->entries = check_u16(end + 10);
    d->size = check_u32(end + 12);
    d->at = check_u32(end + 16);
    if (is_wide)
        FVI_TRY(check_end64(d, locator, end_at - CHECK_LOCATOR));
    else if (d->at > end_at || d->size != end_at - d->at)
        return fvi_fail(FV_E_FORMAT,
                        "zip: its directory is said to be at byte %" PRIu64 " to %" PRIu64
                        ", it ends at %" PRIu64,
                        d->at, d->at + d->size, end_at);
    if (d->entries > 65535 || d->size > CHECK_MAX_DIRECTORY)
        return fvi_fail(FV_E_MEMORY,
                        "zip: %" PRIu64 " members, a directory of %" PRIu64
                        " bytes; at most 65535 and %" PRIu64,
                        d->entries, d->size, CHECK_MAX_DIRECTORY);
    if (d->entries > d->size / CHECK_CENTRAL)
        return fvi_fail(FV_E_FORMAT, "zip: %" PRIu64 " members in a directory of %" PRIu64 " bytes",
                        d->entries, d->size);
    return FV_OK;
}

static fv_status check_locate(check_directory *d)
{
    uint64_t file = fvi_reader_size(d->reader);
    size_t size = file < CHECK_TAIL ? (size_t)file : CHECK_TAIL;
    unsigned char *tail = fvi_alloc(size, 1, "the end of a zip");
    if (tail == NULL) return FV_E_MEMORY;
    fv_status status = fvi_reader_at(d->reader, tail, size, file - size);
    if (status == FV_OK) status = check_ends(d, tail, size);
    fvi_free(tail);
    return status;
}

/* ---- one member ---- */

/* What the directory and the local header both say. */
typedef struct check_header {
    uint32_t flags, method, crc;
    uint64_t size, packed, offset; /* offset: of the local header; the directory only */
} check_header;

typedef struct check_entry {
    fvi_zip_member *member;
    uint64_t begin, end; /* the bytes of the file that it takes, its local header first */
} check_entry;

static fv_status check_refuse(const char *name, fv_status code, const char *what)
{
    char safe[FVI_SAFE_TEXT];
    return fvi_fail(code, "zip member \"%s\": %s", fvi_safe(safe, name), what);
}

/* Values that do not fit 32 bits stand in the extra field 1, in this order. */
static bool check_zip64(check_header *h, bool is_local, const unsigned char *extra, size_t size)
{
    uint64_t *wide[] = {&h->size, &h->packed, is_local ? NULL : &h->offset};
    bool needed = false;
    for (size_t i = 0; i < 3; i++)
        needed = needed || (wide[i] != NULL && *wide[i] == UINT32_MAX);
    while (size >= 4) {
        size_t id = check_u16(extra), length = check_u16(extra + 2);
        if (length > size - 4) return false;
        const unsigned char *value = extra + 4, *end = value + length;
        for (size_t i = 0; needed && id == 1 && i < 3; i++) {
            if (wide[i] == NULL || *wide[i] != UINT32_MAX) continue;
            if (end - value < 8) return false;
            *wide[i] = check_u64(value);
            value += 8;
        }
        if (id == 1) needed = false;
        extra = end;
        size -= 4 + length;
    }
    return size == 0 && !needed;
}

/* From the field of flags on both headers are alike: at 8 in the directory, at 6 locally. */
static check_header check_common(const unsigned char *flags)
{
    return (check_header){.flags = check_u16(flags),
                          .method = check_u16(flags + 2),
                          .crc = check_u32(flags + 8),
                          .packed = check_u32(flags + 12),
                          .size = check_u32(flags + 16)};
}

/* Nothing is ever written under these names, yet one that could lead elsewhere is a trap for
   somebody. */
static bool check_is_plain_name(const char *name)
{
    if (name[0] == '\0' || name[0] == '/' || name[1] == ':' || strchr(name, '\\') != NULL)
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
    }
    return true;
}

static fv_status check_kind(const check_header *h, const char *name, const unsigned char *central)
{
    char why[FVI_SAFE_TEXT];
    uint32_t system = central[5], mode = check_u32(central + 38) >> 16 & 0170000u;
    bool is_unix = system == 3 || system == 19;
    if (!check_is_plain_name(name))
        return check_refuse(name, FV_E_UNSUPPORTED, "a name that leads elsewhere");
    if (is_unix && mode != 0 && mode != 0100000u && mode != 0040000u)
        return check_refuse(name, FV_E_UNSUPPORTED, "a link or a device");
    if (h->flags & CHECK_ENCRYPTED) return check_refuse(name, FV_E_UNSUPPORTED, "encrypted");
    if (h->flags & CHECK_PATCH) return check_refuse(name, FV_E_UNSUPPORTED, "a patch");
    if (h->method != 0 && h->method != 8) {
        snprintf(why, sizeof why, "method %u, expected 0 (stored) or 8 (deflate)", h->method);
        return check_refuse(name, FV_E_UNSUPPORTED, why);
    }
    if (check_u16(central + 34) != 0)
        return check_refuse(name, FV_E_UNSUPPORTED, "on another disk");
    uint64_t least = h->size / CHECK_MAX_RATIO + (h->size % CHECK_MAX_RATIO > 0);
    if (h->method == 0 ? h->size != h->packed : least > h->packed)
        return fvi_fail(FV_E_FORMAT,
                        "zip member \"%s\": %" PRIu64 " bytes are said to unpack to %" PRIu64,
                        fvi_safe(why, name), h->packed, h->size);
    return FV_OK;
}

/* Is the local header what the directory says? */
static fv_status check_local(check_entry *e, const check_header *h, const check_directory *d)
{
    unsigned char local[CHECK_LOCAL], *rest;
    const char *name = e->member->name;
    size_t length = strlen(name);
    if (h->offset > d->at || d->at - h->offset < CHECK_LOCAL)
        return check_refuse(name, FV_E_FORMAT, "its local header is said to be in the directory");
    FVI_TRY(fvi_reader_at(d->reader, local, sizeof local, h->offset));
    size_t extra = check_u16(local + 28), after = check_u16(local + 26) + extra;
    if (memcmp(local, "PK\3\4", 4) != 0 || d->at - h->offset - CHECK_LOCAL < after)
        return check_refuse(name, FV_E_FORMAT, "no local header where the directory says");
    e->member->offset = h->offset + CHECK_LOCAL + after;
    check_header found = check_common(local + 6);
    if ((rest = fvi_alloc(after, 1, "a zip header")) == NULL) return FV_E_MEMORY;
    fv_status status = fvi_reader_at(d->reader, rest, after, h->offset + CHECK_LOCAL);
    bool is_same = status == FV_OK && after - extra == length && memcmp(rest, name, length) == 0 &&
                   check_zip64(&found, true, rest + length, extra) && found.flags == h->flags &&
                   found.method == h->method;
    fvi_free(rest);
    FVI_TRY(status);
    /* With a descriptor the local ones may be zeros still. */
    bool may_be_zero = (h->flags & CHECK_DESCRIPTOR) != 0;
    is_same = is_same && (found.crc == h->crc || (may_be_zero && found.crc == 0)) &&
              (found.size == h->size || (may_be_zero && found.size == 0)) &&
              (found.packed == h->packed || (may_be_zero && found.packed == 0));
    if (!is_same)
        return check_refuse(name, FV_E_FORMAT, "its local header contradicts the directory");
    e->begin = h->offset;
    uint64_t room = d->at - e->member->offset, descriptor = may_be_zero ? 12 : 0;
    if (h->packed > room || room - h->packed < descriptor)
        return check_refuse(name, FV_E_FORMAT, "it reaches into the directory");
    e->end = e->member->offset + h->packed + descriptor;
    return FV_OK;
}

/* One entry of the directory, *size bytes of which are left; then *size is what it takes. */
static fv_status check_member(check_entry *e, const check_directory *d,
                              const unsigned char *central, size_t *size)
{
    size_t left = *size;
    if (left < CHECK_CENTRAL || memcmp(central, "PK\1\2", 4) != 0)
        return fvi_fail(FV_E_FORMAT, "zip: damaged directory");
    size_t length = check_u16(central + 28), extra = check_u16(central + 30);
    *size = CHECK_CENTRAL + length + extra + check_u16(central + 32);
    if (*size > left) return fvi_fail(FV_E_FORMAT, "zip: damaged directory");
    if (length > CHECK_MAX_NAME)
        return fvi_fail(FV_E_MEMORY, "zip: a name of %zu bytes, at most %d", length,
                        CHECK_MAX_NAME);
    const unsigned char *name = central + CHECK_CENTRAL;
    char *copy = e->member->name = fvi_alloc(length + 1, 1, "a name");
    if (copy == NULL) return FV_E_MEMORY;
    memcpy(copy, name, length);
    if (strlen(copy) != length) return fvi_fail(FV_E_FORMAT, "zip: a name that holds a NUL");
    check_header h = check_common(central + 8);
    h.offset = check_u32(central + 42);
    if (!check_zip64(&h, false, name + length, extra))
        return check_refuse(copy, FV_E_FORMAT, "damaged extra fields");
    FVI_TRY(check_kind(&h, copy, central));
    FVI_TRY(check_local(e, &h, d));
    e->member->size = h.size;
    e->member->packed = h.packed;
    e->member->is_stored = h.method == 0;
    e->member->crc = h.crc;
    return FV_OK;
}

/* ---- all members ---- */

static int check_by_name(const void *left, const void *right)
{
    const check_entry *a = left, *b = right;
    return strcmp(a->member->name, b->member->name);
}

static int check_by_place(const void *left, const void *right)
{
    const check_entry *a = left, *b = right;
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static fv_status check_together(check_entry *entry, size_t count)
{
    if (count > 0) qsort(entry, count, sizeof *entry, check_by_name);
    for (size_t i = 1; i < count; i++)
        if (check_by_name(&entry[i - 1], &entry[i]) == 0)
            return check_refuse(entry[i].member->name, FV_E_FORMAT, "there are two of this name");
    if (count > 0) qsort(entry, count, sizeof *entry, check_by_place);
    for (size_t i = 1; i < count; i++)
        if (entry[i].begin < entry[i - 1].end)
            return check_refuse(entry[i].member->name, FV_E_FORMAT, "it lies over another");
    return FV_OK;
}

static fv_status check_all(check_entry *entry, const check_directory *d)
{
    unsigned char *bytes = fvi_alloc((size_t)d->size, 1, "a zip directory");
    if (bytes == NULL) return FV_E_MEMORY;
    fv_status status = fvi_reader_at(d->reader, bytes, (size_t)d->size, d->at);
    size_t at = 0;
    for (size_t i = 0; status == FV_OK && i < d->entries; i++) {
        size_t size = (size_t)d->size - at;
        status = check_member(&entry[i], d, bytes + at, &size);
        at += size;
    }
    if (status == FV_OK && at != d->size)
        status = fvi_fail(FV_E_FORMAT, "zip: more in its directory than %" PRIu64 " members",
                          d->entries);
    fvi_free(bytes);
    return status == FV_OK ? check_together(entry, (size_t)d->entries) : status;
}

fv_status fvi_zip_members(fvi_zip_member **members, int *count, const fvi_reader *reader)
{
    check_directory d = {.reader = reader};
    *members = NULL;
    *count = 0;
    FVI_TRY(check_locate(&d));
    fvi_zip_member *found = fvi_alloc((size_t)d.entries, sizeof *found, "members of a zip");
    check_entry *entry = fvi_alloc((size_t)d.entries, sizeof *entry, "members of a zip");
    fv_status status = found != NULL && entry != NULL ? FV_OK : FV_E_MEMORY;
    for (size_t i = 0; status == FV_OK && i < d.entries; i++)
        entry[i].member = &found[i];
    if (status == FV_OK) status = check_all(entry, &d);
    fvi_free(entry);
    if (status != FV_OK) {
        fvi_zip_members_free(found, (int)d.entries);
        return status;
    }
    *members = found;
    *count = (int)d.entries;
    return FV_OK;
}

void fvi_zip_members_free(fvi_zip_member *members, int count)
{
    for (int i = 0; members != NULL && i < count; i++)
        fvi_free(members[i].name);
    fvi_free(members);
}
