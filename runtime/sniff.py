"""What a file says it is by its first bytes, and whether its name agrees.

Pure and fast: for the edge, before anything is stored. An allow-list: whatever is not known to be
one of our formats is refused. Must not decode; that a file is sound is proved by runtime.probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import filetype  # type: ignore[import-untyped]

from contracts.errors import ErrorCode, ErrorInfo, error_info
from contracts.media import MediaKind

HEAD_BYTES = 4096
"""How many leading bytes `sniff` and `identify` want to see."""


class FileRefused(Exception):
    """A file that cannot be used: the catalogue's code, and the exact cause for operators."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def error_info(self) -> ErrorInfo:
        """The refusal as it travels in events and answers."""
        return error_info(self.code, detail=self.detail)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is by name and content; `extension` is canonical, without the dot."""

    kind: MediaKind
    mime: str
    extension: str


@dataclass(frozen=True, slots=True)
class Format:
    """A format we take; `demuxer` is the only FFmpeg demuxer that may read it (None: Pillow)."""

    kind: MediaKind
    mime: str
    extension: str
    demuxer: str | None = None


_PNG = Format("image", "image/png", "png")
_MP4 = Format("video", "video/mp4", "mp4", "mov")
_MOV = Format("video", "video/quicktime", "mov", "mov")
_M4A = Format("audio", "audio/mp4", "m4a", "mov")
_FORMATS: dict[str, Format] = {
    "image/png": _PNG,
    "image/apng": _PNG,
    "image/jpeg": Format("image", "image/jpeg", "jpg"),
    "image/webp": Format("image", "image/webp", "webp"),
    "image/heic": Format("image", "image/heic", "heic"),
    "video/mp4": _MP4,
    "video/x-m4v": _MP4,
    "video/quicktime": _MOV,
    "video/webm": Format("video", "video/webm", "webm", "matroska"),
    "audio/mpeg": Format("audio", "audio/mpeg", "mp3", "mp3"),
    "audio/mp4": _M4A,
    "audio/ogg": Format("audio", "audio/ogg", "ogg", "ogg"),
    "audio/x-flac": Format("audio", "audio/flac", "flac", "flac"),
    "audio/x-wav": Format("audio", "audio/wav", "wav", "wav"),
}
_NAMES: dict[str, tuple[str, ...]] = {
    "png": ("png",),
    "jpg": ("jpg",),
    "jpeg": ("jpg",),
    "webp": ("webp",),
    "heic": ("heic",),
    "heif": ("heic",),
    "mp4": ("mp4", "mov"),
    "m4v": ("mp4", "mov"),
    "mov": ("mov", "mp4"),
    "webm": ("webm",),
    "mp3": ("mp3",),
    "m4a": ("m4a", "mp4", "mov"),
    "ogg": ("ogg",),
    "oga": ("ogg",),
    "opus": ("ogg",),
    "flac": ("flac",),
    "wav": ("wav",),
}
"""What may stand behind each file name extension: MP4 and MOV are one family, and many programs
write sound under the general MP4 brand."""

_EXECUTABLES: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "an ELF program"),
    (b"#!", "a script"),
    (b"\xca\xfe\xba\xbe", "a Java class or Mach-O program"),
    (b"\xfe\xed\xfa\xce", "a Mach-O program"),
    (b"\xfe\xed\xfa\xcf", "a Mach-O program"),
    (b"\xce\xfa\xed\xfe", "a Mach-O program"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (b"\x00asm", "a WebAssembly module"),
    (b"dex\n", "an Android program"),
)
_REFERRING: tuple[tuple[bytes, str], ...] = (
    (b"#EXTM3U", "an HLS playlist"),
    (b"ffconcat", "an FFmpeg concat list"),
    (b"<svg", "an SVG drawing"),
    (b"<MPD", "a DASH manifest"),
    (b"<?xml", "an XML document"),
    (b"<!DOCTYPE", "a markup document"),
    (b"[playlist]", "a playlist"),
)
_MP4_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"mp41"}
    | {b"mp42", b"avc1", b"dash", b"msdh", b"MSNV", b"M4V ", b"M4VH", b"M4VP", b"f4v ", b"XAVC"}
    | {b"3gp4", b"3gp5", b"3gp6"}
)
_QUICKTIME_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


def executable(head: bytes) -> str | None:
    """In words which kind of program the bytes begin, or None."""
    return next((what for magic, what in _EXECUTABLES if head.startswith(magic)), None)


def referring(head: bytes) -> str | None:
    """In words which kind of text that names other files the bytes begin, or None."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return next(
        (what for magic, what in _REFERRING if text[: len(magic)].lower() == magic.lower()), None
    )


def identify(head: bytes) -> Format | None:
    """The format of ours that the first bytes begin, or None. Never looks at a name."""
    guessed = filetype.guess(head)
    if guessed is not None:
        known = _FORMATS.get(guessed.mime)
        if known is not None:
            return known
    if head[4:8] == b"ftyp":
        return _MP4 if head[8:12] in _MP4_BRANDS else None
    if guessed is None and head[4:8] in _QUICKTIME_ATOMS:
        return _MOV
    return None


def sniff(head: bytes, filename: str, declared_kind: MediaKind | None = None) -> Sniffed:
    """What an upload is, when its name, its first bytes and its declared kind agree.

    `head` holds the first HEAD_BYTES bytes (fewer for a smaller file). Raises FileRefused:
    FILE_EMPTY, FILE_TYPE_UNSUPPORTED (programs and foreign extensions), FILE_CONTENT_MISMATCH
    (the bytes are not what the name says, or are two things at once), ASSET_WRONG_KIND.
    """
    if not head:
        raise FileRefused(ErrorCode.FILE_EMPTY, "the file has no bytes")
    program = executable(head)
    if program is not None:
        raise FileRefused(ErrorCode.FILE_TYPE_UNSUPPORTED, f"the file is {program}")
    extension = PurePosixPath(filename.replace("\\", "/")).suffix.lower().lstrip(".")
    if extension not in _NAMES:
        raise FileRefused(
            ErrorCode.FILE_TYPE_UNSUPPORTED, f"extension {extension[:20]!r} is not taken"
        )
    found = identify(head)
    if found is None or found.extension not in _NAMES[extension]:
        what = found.mime if found else referring(head) or "of no known media format"
        raise FileRefused(
            ErrorCode.FILE_CONTENT_MISMATCH, f"named .{extension}, but the content is {what}"
        )
    if b"%PDF-" in head[:1024]:
        raise FileRefused(ErrorCode.FILE_CONTENT_MISMATCH, f"{found.mime} and a PDF at once")
    if extension == "m4a":
        found = _M4A
    if declared_kind is not None and declared_kind != found.kind:
        raise FileRefused(
            ErrorCode.ASSET_WRONG_KIND, f"sent as {declared_kind}, but it is {found.kind}"
        )
    return Sniffed(found.kind, found.mime, found.extension)
