"""Files that must be refused: each function writes one and returns its path."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

from tests.support.media import photo


def text_named(path: Path) -> Path:
    """Plain words under any name."""
    path.write_text("These are only words.\n" * 20)
    return path


def hls_playlist(path: Path, target: str = "/etc/passwd") -> Path:
    """An HLS playlist that points at another file."""
    path.write_text(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
        f"#EXTINF:10.0,\n{target}\n#EXT-X-ENDLIST\n"
    )
    return path


def ffconcat(path: Path, target: str = "/etc/passwd") -> Path:
    """A concat list of FFmpeg."""
    path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    return path


def svg(path: Path) -> Path:
    """A drawing that refers to a local file."""
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">'
        '<image href="file:///etc/passwd" width="64" height="64"/></svg>'
    )
    return path


def dash_manifest(path: Path) -> Path:
    """A DASH manifest."""
    path.write_text(
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        "<Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>"
    )
    return path


def truncated(source: Path, path: Path, keep: float = 0.6) -> Path:
    """The first part of a file."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def zero_length_wav(path: Path) -> Path:
    """A sound WAV header with no samples after it."""
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
        + b"data" + struct.pack("<I", 0)
    )  # fmt: skip
    return path


def empty(path: Path) -> Path:
    """No bytes at all."""
    path.write_bytes(b"")
    return path


def huge_png(path: Path, side: int = 20_000) -> Path:
    """A small file that unpacks to side × side one-bit pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(
            ">I", zlib.crc32(name + data)
        )  # fmt: skip

    packer = zlib.compressobj(9)
    row = b"\x00" * (1 + side // 8)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )
    return path


def png_and_zip(path: Path) -> Path:
    """A sound PNG with an archive behind it."""
    photo(path, format="PNG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("payload.js", "alert(1)")
    with path.open("ab") as file:
        file.write(archive.getvalue())
    return path


def png_and_pdf(path: Path) -> Path:
    """A PNG that readers of PDF also open."""
    photo(path, format="PNG")
    data = path.read_bytes()
    path.write_bytes(data[:33] + b"\x00\x00\x00\x00tEXt%PDF-1.7\n" + data[33:])
    return path


def elf_program(path: Path) -> Path:
    """The beginning of a Linux program."""
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    return path


def windows_program(path: Path) -> Path:
    """The beginning of a Windows program."""
    path.write_bytes(b"MZ\x90\x00" + bytes(200))
    return path


def shell_script(path: Path) -> Path:
    """A script with its interpreter line."""
    path.write_text("#!/bin/sh\nid\n")
    return path
