"""The file a latent is saved in: the safetensors layout with one opaque tensor.

Owns the layout only. The tensor carries the frames as a lossless video, so that a latent
can be fetched with /view and uploaded to another simulator.
"""

import json
import struct
from pathlib import Path

TENSOR = "latent_tensor"
MAX_HEADER_BYTES = 10_000_000


def write_latent(path: Path, carried: bytes, tags: dict[str, str]) -> None:
    """Writes the bytes and text tags."""
    header = {
        "__metadata__": tags,
        TENSOR: {"dtype": "U8", "shape": [len(carried)], "data_offsets": [0, len(carried)]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + carried)


def read_latent(path: Path) -> bytes:
    """The carried bytes. Raises ValueError for anything but a latent of a simulator."""
    data = path.read_bytes()
    try:
        (length,) = struct.unpack("<Q", data[:8])
        length = min(length, MAX_HEADER_BYTES)
        entry = json.loads(data[8 : 8 + length])[TENSOR]
        first, last = entry["data_offsets"]
    except (struct.error, KeyError, TypeError, ValueError) as fault:
        raise ValueError(f"Error while deserializing header: {fault}") from fault
    body = data[8 + length :]
    if last > len(body):
        raise ValueError("Error while deserializing header: the file is cut short")
    return body[first:last]
