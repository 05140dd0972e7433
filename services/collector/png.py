"""Reads the little of PNG that decides whether pictures make one film, and what may be kept.

Pure: chunks, header and checksums of the PNG specification (W3C, third edition, 5.3 and 11.2).
Pixels are left to FFmpeg. Must not open a file.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""What pixels need. The rest may hold the prompt, the graph, a camera or another pixel shape."""
_HEADER_BYTES = 13
_FRAME_BYTES = 12


@dataclass(frozen=True, slots=True)
class Png:
    """A sound PNG without anything but its pixels. `depth` and `colour` are the header's own."""

    width_px: int
    height_px: int
    depth: int
    colour: int
    data: bytes

    @property
    def shape(self) -> str:
        """What all pictures of one film must share, in words."""
        return f"{self.width_px}x{self.height_px}, {self.depth} bit, colour type {self.colour}"


def bare(data: bytes) -> Png:
    """The picture with all that is not pixels removed. Raises ValueError for what is no sound PNG:
    another format, a chunk that is cut off or does not fit its checksum, an absent header or end.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError("it is no PNG")
    at, kept, names = len(_SIGNATURE), [_SIGNATURE], list[bytes]()
    while not names or names[-1] != b"IEND":
        size = int.from_bytes(data[at : at + 4])
        chunk = data[at : at + _FRAME_BYTES + size]
        if len(chunk) < _FRAME_BYTES + size:
            raise ValueError(f"it is cut off at byte {at}")
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise ValueError(f"the chunk at byte {at} does not fit its checksum")
        names.append(chunk[4:8])
        if names[-1] in _KEPT:
            kept.append(chunk)
        at += len(chunk)
    if names[0] != b"IHDR" or b"IDAT" not in names:
        raise ValueError("it has no header or no pixels")
    header = kept[1][8:-4]
    if len(header) != _HEADER_BYTES:
        raise ValueError("its header has another length")
    width_px, height_px = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    return Png(width_px, height_px, header[8], header[9], b"".join(kept))
