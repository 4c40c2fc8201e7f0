# Reads .npy, .npz and .h5 files with numpy and h5py; prints what test_formats_archive.c and
# test_formats_hdf5_write.c expect: name, type, shape, a sum of all bytes. Exit 77: no such module here.
import sys

try:
    import numpy as np

    if sys.argv[1].endswith(".h5"):
        import h5py
except ImportError as error:
    print(error)
    sys.exit(77)


def show(name, array):
    data = np.frombuffer(np.ascontiguousarray(array).tobytes(), "u1").astype("u8")
    weights = np.arange(data.size, dtype="u8") % 65521 + 1
    shape = "x".join(str(n) for n in array.shape) or "scalar"
    print(name, array.dtype, shape, int((data * weights).sum()) % 2**32)


for path in sys.argv[1:]:
    if path.endswith(".npy"):
        show(path, np.load(path))
    elif path.endswith(".npz"):
        with np.load(path) as arrays:
            for name in arrays.files:
                show(name, arrays[name])
    else:
        with h5py.File(path, "r") as file:
            for name in file:
                if file[name].dtype.kind == "S":
                    print(name, " ".join(text.decode() for text in file[name][:]))
                else:
                    show(name, file[name][()])
