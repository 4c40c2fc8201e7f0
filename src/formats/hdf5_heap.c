/* SPDX-License-Identifier: MIT */
/* Heaps of strings in HDF5 files, looked through before libhdf5 reads them: it believes the sizes in
   them and would read past their ends. */
#ifdef FVI_WITH_HDF5

#include "formats/hdf5_lib.h"

#include <inttypes.h>
#include <string.h>

#define HEAP_INDEXES 65536
#define HEAP_MAX_READ ((uint64_t)256 << 20) /* bytes of heaps, for one data set */

typedef struct heap {
    const fvi_hdf5_set *set;
    size_t address, length; /* bytes of an address and of a length in this file */
    uint64_t base;          /* where addresses count from */
    uint64_t at;            /* the heap that was looked through last, or 0 */
    uint64_t read;          /* bytes of heaps so far */
    uint64_t *size;         /* [HEAP_INDEXES] of its objects; UINT64_MAX: there is none */
} heap;

static uint64_t heap_number(const unsigned char *bytes, size_t size)
{
    uint64_t number = 0;
    while (size-- > 0)
        number = number << 8 | bytes[size];
    return number;
}

static fv_status heap_refuse(const heap *h, uint64_t at)
{
    return fvi_fail(FV_E_FORMAT, "HDF5 \"%s\": a damaged heap of strings at byte %" PRIu64,
                    h->set->name, at);
}

/* Objects one after the other: number, references, size, the bytes, padded to eight. */
static fv_status heap_objects(heap *h, const unsigned char *bytes, size_t size)
{
    size_t head = (8 + h->length + 7) / 8 * 8, pos = (8 + h->length + 7) / 8 * 8;
    memset(h->size, 0xFF, HEAP_INDEXES * sizeof h->size[0]);
    while (size - pos >= head) {
        uint64_t index = heap_number(bytes + pos, 2);
        uint64_t length = heap_number(bytes + pos + 8, h->length), room = size - pos;
        uint64_t need = index == 0 ? length : head + (length + 7) / 8 * 8;
        if (length > room || need == 0 || need > room) return heap_refuse(h, h->at);
        if (index > 0) h->size[index] = length;
        pos += (size_t)need;
    }
    return FV_OK;
}

static fv_status heap_load(heap *h, uint64_t address)
{
    unsigned char head[16];
    uint64_t at = h->base + address, file = h->set->file->bytes;
    size_t first = 8 + h->length;
    h->at = at;
    if (at < h->base || at > file || file - at < sizeof head) return heap_refuse(h, at);
    FVI_TRY(fvi_reader_at(h->set->file->reader, head, sizeof head, at));
    uint64_t size = heap_number(head + 8, h->length);
    if (memcmp(head, "GCOL\1", 5) != 0 || size < first + 8 || size > file - at)
        return heap_refuse(h, at);
    h->read += size;
    if (h->read > HEAP_MAX_READ)
        return fvi_fail(FV_E_MEMORY,
                        "HDF5 \"%s\": strings scattered over heaps of %" PRIu64
                        " bytes, at most %" PRIu64,
                        h->set->name, h->read, HEAP_MAX_READ);
    unsigned char *bytes = fvi_alloc((size_t)size, 1, "a heap of strings");
    if (bytes == NULL) return FV_E_MEMORY;
    fv_status status = fvi_reader_at(h->set->file->reader, bytes, (size_t)size, at);
    if (status == FV_OK) status = heap_objects(h, bytes, (size_t)size);
    fvi_free(bytes);
    return status;
}

/* A string's length, its heap, its number there. */
static fv_status heap_check(heap *h, const unsigned char *cell)
{
    uint64_t length = heap_number(cell, 4), address = heap_number(cell + 4, h->address);
    uint64_t index = heap_number(cell + 4 + h->address, 4);
    if (address == 0) return FV_OK; /* no string */
    if (h->at == 0 || h->at != h->base + address) FVI_TRY(heap_load(h, address));
    if (index == 0 || index >= HEAP_INDEXES || h->size[index] == UINT64_MAX ||
        length > h->size[index])
        return heap_refuse(h, h->at);
    return FV_OK;
}

static fv_status heap_cells(heap *h, uint64_t at)
{
    const fvi_hdf5_set *d = h->set;
    unsigned char *cells = fvi_alloc(d->bytes, 1, "HDF5 strings");
    h->size = fvi_alloc(HEAP_INDEXES, sizeof h->size[0], "HDF5 strings");
    fv_status status = cells != NULL && h->size != NULL ? FV_OK : FV_E_MEMORY;
    if (status == FV_OK) status = fvi_reader_at(d->file->reader, cells, d->bytes, at);
    for (size_t i = 0; status == FV_OK && i < d->bytes; i += d->width)
        status = heap_check(h, cells + i);
    fvi_free(cells);
    fvi_free(h->size);
    return status;
}

fv_status fvi_hdf5_set_check_heap(const fvi_hdf5_set *d)
{
    heap h = {.set = d};
    hsize_t base = 0;
    if (d->layout != H5D_CONTIGUOUS || H5Dget_storage_size(d->set) == 0) return FV_OK;
    hid_t created = H5Fget_create_plist(d->file->file);
    bool is_known = created >= 0 && H5Pget_sizes(created, &h.address, &h.length) >= 0 &&
                    H5Pget_userblock(created, &base) >= 0;
    if (created >= 0) H5Pclose(created);
    if (!is_known || h.address > 8 || h.length > 8)
        return fvi_fail(FV_E_UNSUPPORTED, "HDF5 \"%s\": addresses of %zu bytes", d->name,
                        h.address);
    h.base = base;
    return heap_cells(&h, H5Dget_offset(d->set));
}

#else

typedef int heap_nothing; /* built without HDF5: hdf5.c says so */

#endif
