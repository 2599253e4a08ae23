"""Writes safetensors with nothing but numpy, so that a Python with PyTorch is all that the peers need.

A file is the length of its header as 8 bytes, little endian; the header, JSON with type, shape and place of each
tensor; and the tensors end to end.
"""
import json
import struct

import numpy

TYPES = {"float32": "F32", "float64": "F64", "uint32": "U32"}


def save_file(tensors, path):
    """Writes arrays by name."""
    header, parts, end = {}, [], 0
    for name, values in sorted(tensors.items()):
        # Little endian is what every machine that PyTorch computes on has.
        parts.append(numpy.ascontiguousarray(values).tobytes())
        start, end = end, end + len(parts[-1])
        header[name] = {"dtype": TYPES[str(values.dtype)], "shape": list(values.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    # Tensors begin at a multiple of 8 bytes.
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)
