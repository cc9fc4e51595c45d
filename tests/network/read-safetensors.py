#!/usr/bin/env python3
# tests: reads a .safetensors file by the letter of its format and nothing of
# ours, refuses what the format's own library refuses, and prints what it found.
#
# SPDX-License-Identifier: MIT
import json
import struct
import sys
import zlib

SIZES = {"F32": 4, "F16": 2, "BF16": 2}


def unique(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a name appears twice"
    return dict(pairs)


with open(sys.argv[1], "rb") as file:
    content = file.read()
(length,) = struct.unpack("<Q", content[:8])
assert length <= 100_000_000 and 8 + length <= len(content)
assert (8 + length) % 8 == 0, "tensors are not aligned"
text = content[8 : 8 + length].decode("utf-8")
assert text.startswith("{") and text.rstrip(" ").endswith("}")
header = json.loads(text, object_pairs_hook=unique)
data = content[8 + length :]
metadata = header.pop("__metadata__")
assert all(isinstance(value, str) for value in metadata.values())

position = 0
for name, entry in sorted(
    header.items(), key=lambda item: item[1]["data_offsets"]
):
    assert set(entry) == {"dtype", "shape", "data_offsets"}
    begin, end = entry["data_offsets"]
    count = 1
    for dimension in entry["shape"]:
        count *= dimension
    assert begin == position, "a hole or an overlap before " + name
    assert end - begin == count * SIZES[entry["dtype"]]
    position = end
    shape = "x".join(str(dimension) for dimension in entry["shape"])
    print(name, entry["dtype"], shape, "%08x" % zlib.crc32(data[begin:end]))
assert position == len(data), "bytes behind the last tensor"

description = json.loads(metadata["srgan.network"], object_pairs_hook=unique)
print("version", description["version"])
print("name", description["name"])
print("scale", description["scale"])
print("colour", description["colour"])
for layer in description["layers"]:
    print("layer", layer["name"], layer["operation"], *layer["inputs"])
