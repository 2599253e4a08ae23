"""Writes safetensors with nothing but PyTorch, so that a Python with it is all that the peers need.

A file is the length of its header as 8 bytes, little endian; the header, JSON with type, shape and place of each
tensor; and the tensors end to end.
"""
import ctypes
import json
import struct

import torch

# Labels are never negative: as int32 they have the bits of the unsigned type that asap reads.
TYPES = {torch.float32: "F32", torch.float64: "F64", torch.int32: "U32"}


def save_file(tensors, path):
    """Writes tensors by name; they are contiguous and in the memory of the processor."""
    header, parts, end = {}, [], 0
    for name, values in sorted(tensors.items()):
        # Little endian is what every machine that PyTorch computes on has.
        assert values.is_contiguous() and values.device.type == "cpu", name
        parts.append(ctypes.string_at(values.data_ptr(), values.numel() * values.element_size()))
        start, end = end, end + len(parts[-1])
        header[name] = {"dtype": TYPES[values.dtype], "shape": list(values.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    # Tensors begin at a multiple of 8 bytes.
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(parts)
