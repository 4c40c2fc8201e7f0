# Reads a safetensors file with nothing but the standard library; prints what test_model_save.c expects.
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + size])
meta = header.pop("__metadata__")
for name, tensor in header.items():
    begin, end = tensor["data_offsets"]
    words = struct.unpack("<%dI" % ((end - begin) // 4), data[8 + size + begin : 8 + size + end])
    shape = "x".join(str(n) for n in tensor["shape"])
    print(name, tensor["dtype"], shape, sum(words) % 2**32)
model = json.loads(meta["fovea.model"])
print(meta["format"], meta["fovea.version"], model["class_name"], len(model["config"]["layers"]))
print(json.loads(meta["fovea.classes"]), json.loads(meta["fovea.scaling"])["scale"])
