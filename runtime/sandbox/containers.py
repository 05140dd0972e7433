"""What a container's own lengths say: whether the file ends early, and whether it is fast-start.

Reads a few bytes at known places with pread and decodes nothing. Sources: ISO/IEC 14496-12
(boxes), RFC 8794 (EBML), RFC 9559 (Matroska), RFC 3533 (Ogg pages), the RIFF chunk header, GIF89a
(the trailer). Must not open files.
"""

from __future__ import annotations

import os

from runtime.sandbox.refusal import Refused

_MAX_BOXES = 100_000
_SEGMENT_ID = b"\x18\x53\x80\x67"
_MATROSKA_PARTS = {
    b"\x11\x4d\x9b\x74": "SeekHead",
    b"\xec": "Void",
    b"\x15\x49\xa9\x66": "Info",
    b"\x16\x54\xae\x6b": "Tracks",
    b"\x1c\x53\xbb\x6b": "Cues",
    b"\x1f\x43\xb6\x75": "Cluster",
    b"\x12\x54\xc3\x67": "Tags",
}
_GIF_TRAILER = b"\x3b"
_OGG_TAIL_BYTES = 70_000


def boxes(source: int) -> list[tuple[str, int, int]]:
    """The top-level boxes of an ISO file: (type, offset, size in bytes). Size 0 means to the end.

    Raises Refused(file_undecodable) for lengths that make no sense.
    """
    end, at = os.fstat(source).st_size, 0
    found: list[tuple[str, int, int]] = []
    while at + 8 <= end:
        header = os.pread(source, 16, at)
        size, name = int.from_bytes(header[:4]), header[4:8].decode("latin-1")
        if size == 1 and len(header) == 16:
            size = int.from_bytes(header[8:16])
        elif size == 0:
            size = end - at
        if size < 8 or len(found) >= _MAX_BOXES:
            raise Refused("file_undecodable", f"box {name!r} at {at} has size {size}")
        found.append((name, at, size))
        at += size
    return found


def parts(source: int, demuxer: str) -> list[str]:
    """The names of the parts of an ISO file or the segment of a Matroska file, in file order."""
    if demuxer == "mov":
        return [name for name, _, _ in boxes(source)]
    return _matroska_parts(source) if demuxer == "matroska" else []


def index_in_front(source: int, demuxer: str) -> bool:
    """Whether the index of a file comes before its media; true of a GIF, which has none."""
    if demuxer == "gif":
        return True
    index, media = ("moov", "mdat") if demuxer == "mov" else ("Cues", "Cluster")
    names = parts(source, demuxer)
    return index in names and media in names and names.index(index) < names.index(media)


def declared_end(source: int, demuxer: str) -> int | None:
    """Where the file must end by its own account, in bytes; None where the format does not say."""
    if demuxer == "mov":
        found = boxes(source)
        return found[-1][1] + found[-1][2] if found else None
    head = os.pread(source, 4096, 0)
    if demuxer == "wav":
        size = int.from_bytes(head[4:8], "little")
        return None if size in (0, 0xFFFFFFFF) else (size & ~1) + 8
    if demuxer == "matroska":
        return _ebml_end(head)
    if demuxer == "ogg":
        return _last_page_end(source)
    if demuxer == "gif":
        there = os.fstat(source).st_size
        return there if os.pread(source, 1, max(0, there - 1)) == _GIF_TRAILER else there + 1
    return None


def refuse_truncated(source: int, demuxer: str) -> None:
    """Raise Refused(file_undecodable) when the file is shorter than it says itself."""
    wanted, there = declared_end(source, demuxer), os.fstat(source).st_size
    if wanted is not None and wanted > there:
        raise Refused("file_undecodable", f"truncated: {there} bytes of {wanted}")


def _variable_size(data: bytes, at: int) -> tuple[int | None, int]:
    first = data[at]
    length = 9 - first.bit_length()
    if length > 8:
        raise Refused("file_undecodable", "EBML length makes no sense")
    value = int.from_bytes(data[at : at + length]) & ((1 << (7 * length)) - 1)
    return (None if value == (1 << (7 * length)) - 1 else value), length


def _matroska_parts(source: int) -> list[str]:
    end = _ebml_end(os.pread(source, 4096, 0)) or os.fstat(source).st_size
    at, found = _segment_start(os.pread(source, 4096, 0)), list[str]()
    while at is not None and at < end and len(found) < _MAX_BOXES:
        header = os.pread(source, 12, at)
        id_bytes = 9 - header[0].bit_length()
        size, size_bytes = _variable_size(header, id_bytes)
        found.append(_MATROSKA_PARTS.get(header[:id_bytes], header[:id_bytes].hex()))
        at = None if size is None else at + id_bytes + size_bytes + size
    return found


def _segment_start(head: bytes) -> int | None:
    size, length = _variable_size(head, 4)
    at = 4 + length + (size or 0)
    if head[at : at + 4] != _SEGMENT_ID or at + 12 > len(head):
        return None
    return at + 4 + _variable_size(head, at + 4)[1]


def _ebml_end(head: bytes) -> int | None:
    size, length = _variable_size(head, 4)
    at = 4 + length + (size or 0)
    if head[at : at + 4] != _SEGMENT_ID or at + 12 > len(head):
        return None
    segment, length = _variable_size(head, at + 4)
    return None if segment is None else at + 4 + length + segment


def _last_page_end(source: int) -> int | None:
    there = os.fstat(source).st_size
    start = max(0, there - _OGG_TAIL_BYTES)
    tail = os.pread(source, _OGG_TAIL_BYTES, start)
    at = tail.rfind(b"OggS\x00")
    if at < 0:
        return None
    if at + 27 > len(tail):
        return there + 1
    segments = tail[at + 26]
    table = tail[at + 27 : at + 27 + segments]
    return start + at + 27 + segments + sum(table)
