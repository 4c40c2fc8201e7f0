"""Writes the binary golden files of tests/test_formats*.c: HDF5 (by h5py), NPZ (by numpy), PNG (by hand),
safetensors (by hand).

    python3 tools/golden_files.py       needs python3-h5py and python3-numpy; the tests need neither

What each data set or picture must become is stated in the tests, or beside it in formats_images.json.gz.
"""
import contextlib
import gzip
import json
import os
import struct
import tempfile
import zlib

import h5py
import numpy as np

OUT = os.path.join(os.path.dirname(__file__), "..", "tests", "golden")


# ---- HDF5 ----

@contextlib.contextmanager
def golden(name, oldest):
    """A file as libraries up to this one write it, kept gzipped: its tables are mostly empty."""
    fapl = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    fapl.set_libver_bounds(oldest, h5py.h5f.LIBVER_LATEST)
    fcpl = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    fcpl.set_obj_track_times(False)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        with h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, fcpl, fapl)) as file:
            yield file
        with open(path, "rb") as made, open(os.path.join(OUT, name + ".gz"), "wb") as file:
            file.write(gzip.compress(made.read(), 9, mtime=0))


def plist():
    dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    dcpl.set_obj_track_times(False)
    return dcpl


def folder(file, name):
    gcpl = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    gcpl.set_obj_track_times(False)
    return h5py.Group(h5py.h5g.create(file.id, name.encode(), gcpl=gcpl))


def put(file, name, data, dcpl=None, dtype=None):
    data = np.asarray(data, order="C")
    space = h5py.h5s.create_simple(data.shape) if data.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    dtype = dtype or h5py.h5t.py_create(data.dtype, logical=True)
    made = h5py.h5d.create(file.id, name.encode(), dtype, space, dcpl or plist())
    if data.size:
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, data, made.get_type())
    return made


def empty(file, name, shape, dcpl=None, dtype="<f4"):
    """A data set whose elements were never written."""
    return h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)),
                           h5py.h5s.create_simple(shape), dcpl or plist())


def chunked(chunk, *filters):
    dcpl = plist()
    dcpl.set_chunk(chunk)
    for one in filters:
        if one == "shuffle":
            dcpl.set_shuffle()
        elif one == "deflate":
            dcpl.set_deflate(9)
        elif one == "fletcher32":
            dcpl.set_fletcher32()
        elif one == "scaleoffset":
            dcpl.set_scaleoffset(h5py.h5z.SO_INT, 0)
        else:
            dcpl.set_filter(one, h5py.h5z.FLAG_OPTIONAL)
    return dcpl


def accepted(file):
    ramp = np.arange(6).reshape(2, 3) - 2
    for name in ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8"):
        put(file, "type_" + name.replace("<", "le_").replace(">", "be_"), ramp.astype(name))
    for name in ("u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"):
        put(file, "type_" + name.replace("<", "le_").replace(">", "be_"), (ramp + 253).astype(name))
    put(file, "type_bool", np.array([[False, True, True], [True, False, False]]))
    enum = h5py.h5t.py_create(h5py.enum_dtype({"RED": 1, "BLUE": -2}, basetype=">i2"), logical=True)
    put(file, "type_enum", np.array([[1, -2, 1], [-2, -2, 1]], ">i2"), dtype=enum)
    put(file, "scalar", np.array(2.5, "<f8"))
    put(file, "rank8", np.arange(4, dtype="u1").reshape(1, 2, 1, 1, 2, 1, 1, 1))
    empty(file, "no_elements", (0, 3))
    empty(file, "never_written", (2, 3))
    big = np.arange(35, dtype="<i4").reshape(5, 7)
    put(file, "layout_compact", big, layout(h5py.h5d.COMPACT))
    put(file, "layout_chunked", big, chunked((2, 3)))
    put(file, "layout_deflate", big, chunked((2, 3), "deflate"))
    put(file, "layout_all", big, chunked((4, 4), "shuffle", "deflate", "fletcher32"))
    put(file, "layout_odd_order", big, chunked((4, 4), "fletcher32", "shuffle", "deflate"))
    sparse = empty(file, "layout_sparse", (5, 7), chunked((2, 3), "deflate"), "<i4")
    sparse.write_direct_chunk((2, 3), zlib.compress(np.arange(6, dtype="<i4").tobytes()))
    skipped = empty(file, "layout_skipped", (2, 3), chunked((2, 3), "shuffle", "deflate"), "<i4")
    skipped.write_direct_chunk((0, 0), np.arange(6, dtype="<i4").tobytes(), 3)


def layout(kind):
    dcpl = plist()
    dcpl.set_layout(kind)
    return dcpl


def texts(file):
    words = [b"non-cat", b"cat", b""]
    put(file, "text_nul", np.array(words, "S7"))
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(7)
    kind.set_strpad(h5py.h5t.STR_SPACEPAD)
    put(file, "text_space", np.array([w.ljust(7) for w in words], "S7"), dtype=kind)
    file.create_dataset("text_variable", data=["non-cat", "cat", "\u00e9"], dtype=h5py.string_dtype(),
                        track_times=False)
    file.create_dataset("text_scalar", data="cat", dtype=h5py.string_dtype(), track_times=False)


def refused(file):
    put(file, "kind_compound", np.array([(1, 2.0)], [("a", "<i4"), ("b", "<f4")]))
    put(file, "kind_opaque", np.array([b"abc"], "V3"))
    odd = h5py.h5t.IEEE_F32LE.copy()
    odd.set_fields(15, 7, 8, 0, 7)
    odd.set_size(2)
    put(file, "kind_bfloat16", np.array([1.0], "<f4"), dtype=odd)
    narrow = h5py.h5t.STD_I16LE.copy()
    narrow.set_precision(12)
    put(file, "kind_12_bits", np.array([5], "<i2"), dtype=narrow)
    put(file, "kind_rank9", np.zeros((1,) * 9, "u1"))
    h5py.h5d.create(file.id, b"kind_null", h5py.h5t.STD_I32LE, h5py.h5s.create(h5py.h5s.NULL), plist())
    ramp = np.arange(64, dtype="<i4")
    put(file, "filter_lzf", ramp, chunked((64,), h5py.h5z.FILTER_LZF))
    put(file, "filter_scaleoffset", ramp, chunked((64,), "scaleoffset"))
    put(file, "filter_nbit", ramp, chunked((64,), h5py.h5z.FILTER_NBIT))
    put(file, "filter_szip", ramp, szip())
    put(file, "filter_order", ramp, chunked((64,), "deflate", "shuffle"))
    put(file, "filter_30000", ramp, chunked((64,), 30000))
    empty(file, "huge", (10**6, 10**6, 10**6))
    empty(file, "large", (10**4, 10**4))
    empty(file, "large_chunked", (10**6, 10**6), chunked((10**4, 10**4), "deflate"), "u1")
    empty(file, "many_chunks", (10**6,), chunked((1,), "deflate"), "u1")
    outside(file)
    lies(file)


def szip():
    dcpl = chunked((64,))
    dcpl.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 8)
    return dcpl


def outside(file):
    """Everything that leads out of the file, or round in circles."""
    dcpl = plist()
    dcpl.set_external(b"formats_outside.bin", 0, 24)
    empty(file, "external_storage", (6,), dcpl)
    dcpl = plist()
    everything = h5py.h5s.create_simple((6,))
    dcpl.set_virtual(everything, b"formats_latest.h5", b"/plain", everything)
    empty(file, "virtual", (6,), dcpl)
    file["external_link"] = h5py.ExternalLink("formats_latest.h5", "/plain")
    file["external_folder"] = h5py.ExternalLink("formats_latest.h5", "/")
    file["soft_good"] = h5py.SoftLink("/group/inner/plain")
    file["soft_loop"] = h5py.SoftLink("/soft_loop")
    file["soft_nowhere"] = h5py.SoftLink("/nowhere")
    file["soft_00"] = h5py.SoftLink("/type_u1")
    for i in range(1, 17):
        file["soft_%02d" % i] = h5py.SoftLink("/soft_%02d" % (i - 1))
    put(folder(folder(file, "group"), "inner"), "plain", np.arange(6, dtype="<i4"))
    file["group/inner/again"] = file["group"]  # a group inside itself


def lies(file):
    """Chunks that are not what their data set says."""
    def chunk(name, stored, *filters):
        made = empty(file, name, (64,), chunked((64,), *filters), "<i4")
        made.write_direct_chunk((0,), stored)
    whole = np.arange(64, dtype="<i4").tobytes()
    chunk("chunk_inflates_short", zlib.compress(whole[:100]), "deflate")
    chunk("chunk_inflates_long", zlib.compress(whole * 2), "deflate")
    chunk("chunk_bomb", zlib.compress(bytes(2000000)), "deflate")
    chunk("chunk_cut", zlib.compress(whole)[:40], "deflate")
    chunk("chunk_no_deflate", whole, "deflate")
    chunk("chunk_checksum", whole + b"abcd", "fletcher32")
    chunk("chunk_no_checksum", b"ab", "fletcher32")
    chunk("chunk_short", whole[:100])


def hdf5():
    with golden("formats_kinds.h5", h5py.h5f.LIBVER_EARLIEST) as file:
        accepted(file)
        texts(file)
        refused(file)
    with golden("formats_latest.h5", h5py.h5f.LIBVER_LATEST) as file:
        big = np.arange(35, dtype=">i4").reshape(5, 7)
        put(file, "plain", np.arange(6, dtype="<f4"))
        put(file, "chunked", big, chunked((2, 3)))
        put(file, "deflated", big, chunked((2, 3), "shuffle", "deflate"))
        put(file, "one_chunk", big, chunked((5, 7), "deflate"))
        put(folder(folder(file, "a"), "b"), "deep", np.array([7], "u1"))


# ---- PNG ----

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, crc=0):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ crc)


def header(width, height, bits, colour, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))


def pack(samples, bits):
    """A row of samples, most significant bits first."""
    out, value, have = bytearray(), 0, 0
    for sample in samples:
        value, have = value << bits | sample, have + bits
        while have >= 8:
            have -= 8
            out.append(value >> have & 255)
    if have:
        out.append(value << (8 - have) & 255)
    return bytes(out)


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png(picture, bits, colour, before=b"", interlace=0, after=b""):
    """picture: rows of pixels, each a tuple of samples."""
    height, width = len(picture), len(picture[0])
    raw = b""
    for x0, y0, dx, dy in ADAM7 if interlace else ((0, 0, 1, 1),):
        for row in picture[y0::dy]:
            part = [sample for pixel in row[x0::dx] for sample in pixel]
            raw += b"\0" + pack(part, bits) if part else b""
    return (SIGNATURE + header(width, height, bits, colour, interlace) + before +
            chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", after))


def over_white(value, alpha):
    return (value * alpha + 255 * (255 - alpha) + 127) // 255


def made(width, height, channels, bits):
    """Samples without a pattern that a filter or a shift could hide behind."""
    top = (1 << bits) - 1
    return [[tuple((37 * x + 101 * y + 59 * c + 13 * x * y) * 7919 % (top + 1) for c in range(channels))
             for x in range(width)] for y in range(height)]


def good_pngs():
    def row(name, file, pixels, channels, height, width):
        flat = bytes(v for line in pixels for pixel in line for v in pixel)
        return {"name": name, "file": file.hex(), "height": height, "width": width,
                "channels": channels, "pixels": flat.hex()}

    def each(picture, one):
        return [[one(pixel) for pixel in line] for line in picture]

    def eight(value, bits):
        return (value * 255 + 32767) // 65535 if bits == 16 else value * 255 // ((1 << bits) - 1)

    for interlace in (0, 1):
        for bits in (1, 2, 4, 8, 16):
            picture = made(11, 9, 1, bits)
            yield row(f"grey {bits} interlace {interlace}", png(picture, bits, 0, interlace=interlace),
                      each(picture, lambda p: (eight(p[0], bits),)), 1, 9, 11)
        for bits in (8, 16):
            picture = made(11, 9, 3, bits)
            yield row(f"RGB {bits} interlace {interlace}", png(picture, bits, 2, interlace=interlace),
                      each(picture, lambda p: tuple(eight(v, bits) for v in p)), 3, 9, 11)
            picture = made(11, 9, 4, bits)
            yield row(f"RGBA {bits} interlace {interlace}", png(picture, bits, 6, interlace=interlace),
                      each(picture, lambda p: tuple(over_white(eight(v, bits), eight(p[3], bits))
                                                    for v in p[:3])), 3, 9, 11)
            picture = made(11, 9, 2, bits)
            yield row(f"grey alpha {bits} interlace {interlace}", png(picture, bits, 4, interlace=interlace),
                      each(picture, lambda p: (over_white(eight(p[0], bits), eight(p[1], bits)),)), 1, 9, 11)
        for bits in (1, 2, 4, 8):
            picture = made(11, 9, 1, bits)
            palette = [(i * 29 % 256, i * 67 % 256, 255 - i) for i in range(1 << bits)]
            plte = chunk(b"PLTE", bytes(v for colour in palette for v in colour))
            yield row(f"palette {bits} interlace {interlace}", png(picture, bits, 3, plte, interlace),
                      each(picture, lambda p: palette[p[0]]), 3, 9, 11)
            alpha = [0, 128]
            yield row(f"palette alpha {bits} interlace {interlace}",
                      png(picture, bits, 3, plte + chunk(b"tRNS", bytes(alpha)), interlace),
                      each(picture, lambda p: tuple(over_white(v, alpha[p[0]] if p[0] < 2 else 255)
                                                    for v in palette[p[0]])), 3, 9, 11)
    picture = [[(3,), (7,), (3,)]]
    yield row("grey key", png(picture, 4, 0, chunk(b"tRNS", b"\0\3")), [[(255,), (7 * 17,), (255,)]], 1, 1, 3)
    picture = [[(1, 2, 3), (1, 2, 4)]]
    yield row("RGB key", png(picture, 8, 2, chunk(b"tRNS", b"\0\1\0\2\0\3")), [[(255,) * 3, (1, 2, 4)]], 3, 1, 2)
    picture = [[(9,)]]
    text = chunk(b"tEXt", b"Comment\0hello") + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hello"))
    text += chunk(b"iTXt", b"Comment\0\1\0en\0x\0" + zlib.compress(b"hello")) + chunk(b"iCCP", b"x\0\0damaged")
    yield row("text and trailing bytes", png(picture, 8, 0, text) + b"after the end", picture, 1, 1, 1)


def bad_pngs():
    picture = made(11, 9, 3, 8)
    good = png(picture, 8, 2)
    plte = chunk(b"PLTE", b"abcdef")

    def bomb(kind, before):
        return png([[(0,)]], 8, 0, chunk(kind, before + zlib.compress(bytes(9000000), 9)))

    def row(name, file, status, part):
        return {"name": name, "file": file.hex(), "status": status, "part": part}

    idat = chunk(b"IDAT", zlib.compress(bytes(100)))
    end = chunk(b"IEND", b"")
    yield row("0 wide", SIGNATURE + header(0, 5, 8, 0) + idat + end, "format", "0x5")
    yield row("0 high", SIGNATURE + header(5, 0, 8, 0) + idat + end, "format", "5x0")
    yield row("largest", SIGNATURE + header(2**31 - 1, 2**31 - 1, 8, 0) + idat + end, "memory", "2147483647")
    yield row("one line", SIGNATURE + header(1, 2**31 - 1, 8, 0) + idat + end, "memory", "1x2147483647")
    yield row("60,000 squared", SIGNATURE + header(60000, 60000, 1, 0) + idat + end, "memory", "60000x60000")
    yield row("16,000 squared", SIGNATURE + header(16000, 16000, 1, 0) + idat + end, "format", "cannot hold")
    yield row("no IHDR", SIGNATURE + idat + end, "format", "begins with a IDAT")
    yield row("short IHDR", SIGNATURE + chunk(b"IHDR", b"abc") + end, "format", "IHDR of 3 bytes")
    yield row("colour type 7", SIGNATURE + header(5, 5, 8, 7) + idat + end, "format", "colour type 7")
    yield row("colour type 1", SIGNATURE + header(5, 5, 8, 1) + idat + end, "format", "colour type 1")
    yield row("3 bits", SIGNATURE + header(5, 5, 3, 0) + idat + end, "format", "IHDR")
    yield row("no IDAT", SIGNATURE + header(5, 5, 8, 0) + end, "format", "IEND")
    yield row("no IDAT for many", SIGNATURE + header(99, 99, 8, 0) + end, "format", "cannot hold")
    yield row("no IEND", good[:-12], "format", "no IEND")
    yield row("cut in IDAT", good[:80], "format", "IDAT")
    yield row("IDAT too short", SIGNATURE + header(50, 50, 8, 0) + idat + end, "format", "near byte")
    yield row("bad CRC", SIGNATURE + header(5, 5, 8, 0) + chunk(b"IDAT", zlib.compress(bytes(30)), 1) + end,
              "format", "CRC")
    yield row("length 2^31", SIGNATURE + header(5, 5, 8, 0) + b"\x80\0\0\0IDAT" + bytes(50), "format", "2147483648")
    yield row("no chunk", SIGNATURE + header(5, 5, 8, 0) + b"\0\0\0\0ID\1T" + bytes(50), "format", "no chunk at byte 33")
    yield row("no palette", png(made(3, 3, 1, 8), 8, 3), "format", "PLTE")
    yield row("palette index", png([[(0,), (1,), (2,)]], 8, 3, plte), "format", "colour 2 of a palette of 2")
    yield row("unknown critical chunk", png(picture, 8, 2, chunk(b"ABCD", b"")), "format", "near byte")
    yield row("zTXt bomb", bomb(b"zTXt", b"Comment\0\0"), "memory", "zTXt")
    yield row("iTXt bomb", bomb(b"iTXt", b"Comment\0\1\0en\0x\0"), "memory", "iTXt")
    yield row("iCCP bomb", bomb(b"iCCP", b"x\0\0"), "memory", "iCCP")
    yield row("GIF", b"GIF89a" + bytes(20), "format", "47 49 46 38")
    yield row("HTML", b"<!DOCTYPE html>", "format", "no PNG or JPEG")
    yield row("nothing", b"", "format", "0 bytes")
    yield row("signature only", SIGNATURE, "format", "cut at byte 8")


def images():
    rows = {"good": list(good_pngs()), "bad": list(bad_pngs())}
    with open(os.path.join(OUT, "formats_images.json.gz"), "wb") as file:
        file.write(gzip.compress(json.dumps(rows, indent=0).encode(), 9, mtime=0))


# ---- safetensors ----

def safetensors():
    data = np.array([[1, -2, 3.5], [0.25, 5, -6]], "<f4").tobytes() + bytes(range(5)) + b"\0\xc0\xff\x7f"
    head = json.dumps({
        "__metadata__": {"format": "pt"},
        "conv.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "empty": {"dtype": "F64", "shape": [0, 4], "data_offsets": [24, 24]},
        "labels": {"dtype": "U8", "shape": [5], "data_offsets": [24, 29]},
        "nan": {"dtype": "F32", "shape": [], "data_offsets": [29, 33]},
    }, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(os.path.join(OUT, "formats_small.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data)


# ---- NPZ ----

def npz():
    """Each type in both orders of bytes and of axes; test_formats_archive.c knows what is in them."""
    ramp = np.arange(24).reshape(2, 3, 4) - 5
    arrays = {"labels": np.array([3, 1, 2], "u1"), "scalar": np.array(2.5), "empty": np.zeros((0, 28), "<f4"),
              "flags": np.array([[True, False], [False, True]]), "zeros": np.zeros((50, 40), "<f4")}
    for code in ("i1", "i2", "i4", "i8", "f2", "f4", "f8"):
        for order in "<>":
            arrays[{"<": "little_", ">": "big_"}[order] + code] = ramp.astype(order + code)
    arrays["columns_i2"] = np.asfortranarray(ramp.astype("<i2"))
    arrays["columns_big_f8"] = np.asfortranarray(ramp.astype(">f8"))
    np.savez(os.path.join(OUT, "formats_numpy.npz"), **arrays)
    np.savez_compressed(os.path.join(OUT, "formats_deflated.npz"), **arrays)


if __name__ == "__main__":
    hdf5()
    npz()
    images()
    safetensors()
