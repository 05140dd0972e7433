"""Proves that signing added a manifest to a file and changed nothing else.

What was decoded and verified before signing is then true of the signed file too, without decoding
it again. Sources: ISO/IEC 14496-12 (boxes), C2PA specification 2.1, "Embedding manifests" (one
uuid box in an mp4, APP11 segments in a JPEG). Must not judge the manifest.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_OFFSETS = {b"stco": 4, b"co64": 8}
"""Tables of places in the file, which move when something is put in front of the media."""
_TABLE_HEADER_BYTES = 8
_START_OF_SCAN, _MANIFEST_SEGMENT = 0xDA, 0xEB

Box = tuple[bytes, int, int]
"""Name, start and end of a box's content."""


def change_of(unsigned: Path, signed: Path, mime_type: str) -> str | None:
    """What differs besides the added manifest, or None. Raises ValueError for other types."""
    with (
        unsigned.open("rb") as one,
        signed.open("rb") as other,
        mmap.mmap(one.fileno(), 0, access=mmap.ACCESS_READ) as before,
        mmap.mmap(other.fileno(), 0, access=mmap.ACCESS_READ) as after,
    ):
        if mime_type == "video/mp4":
            return _mp4_change(before, after)
        if mime_type == "image/jpeg":
            same = bytes(before) == b"".join(_without_manifest(bytes(after)))
            return None if same else "the picture"
        raise ValueError(f"{mime_type} is never signed")


def _mp4_change(before: mmap.mmap, after: mmap.mmap) -> str | None:
    kept = [box for box in _boxes(after, 0, len(after)) if box[0] != b"uuid"]
    known = list(_boxes(before, 0, len(before)))
    moved = len(after) - len(before)
    if [name for name, _, _ in kept] != [name for name, _, _ in known]:
        return "the order of its boxes"
    for one, other in zip(known, kept, strict=True):
        change = _box_change(before, one, after, other, moved)
        if change is not None:
            return change
    return None


def _box_change(
    before: mmap.mmap, one: Box, after: mmap.mmap, other: Box, moved: int
) -> str | None:
    name, start, end = one
    if name in _CONTAINERS:
        inner = list(_boxes(before, start, end)), list(_boxes(after, other[1], other[2]))
        if [box[0] for box in inner[0]] != [box[0] for box in inner[1]]:
            return f"the order inside {name.decode('latin-1')}"
        changes = (_box_change(before, a, after, b, moved) for a, b in zip(*inner, strict=True))
        return next((change for change in changes if change is not None), None)
    content, changed = before[start:end], after[other[1] : other[2]]
    if name in _OFFSETS:
        content = _shifted(content, _OFFSETS[name], moved)
    return None if content == changed else f"the content of {name.decode('latin-1')}"


def _boxes(data: mmap.mmap, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        size, name, header = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8], 8
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16]), 16
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            raise ValueError(f"box {name!r} at {at} has size {size}")
        yield name, at + header, at + size
        at += size


def _shifted(table: bytes, entry_bytes: int, moved: int) -> bytes:
    entries = table[_TABLE_HEADER_BYTES:]
    return table[:_TABLE_HEADER_BYTES] + b"".join(
        (int.from_bytes(entries[at : at + entry_bytes]) + moved).to_bytes(entry_bytes)
        for at in range(0, len(entries), entry_bytes)
    )


def _without_manifest(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    at = 2
    while data[at + 1] != _START_OF_SCAN:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] != _MANIFEST_SEGMENT:
            yield data[at:end]
        at = end
    yield data[at:]
