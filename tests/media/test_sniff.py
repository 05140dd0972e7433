"""Sniffing at the edge: an allow-list where name, first bytes and declared kind must agree."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ErrorCode
from runtime.sniff import HEAD_BYTES, FileRefused, sniff
from tests.support import hostile_media as hostile
from tests.support.media import counter_video, photo, tone


def _head(path: Path) -> bytes:
    return path.read_bytes()[:HEAD_BYTES]


@pytest.mark.parametrize(
    ("name", "kind", "mime"),
    [
        ("a.png", "image", "image/png"),
        ("a.jpg", "image", "image/jpeg"),
        ("A.JPEG", "image", "image/jpeg"),
        ("a.webp", "image", "image/webp"),
    ],
)
def test_pictures_are_taken(tmp_path: Path, name: str, kind: Any, mime: str) -> None:
    sniffed = sniff(_head(photo(tmp_path / name)), name, kind)
    assert (sniffed.kind, sniffed.mime) == (kind, mime)


@pytest.mark.parametrize(
    ("name", "codec", "mime"),
    [
        ("a.mp4", "libx264", "video/mp4"),
        ("a.mov", "libx264", "video/quicktime"),
        ("a.webm", "libvpx-vp9", "video/webm"),
    ],
)
def test_videos_are_taken(tmp_path: Path, name: str, codec: str, mime: str) -> None:
    path = counter_video(tmp_path / name, frames=4, codec=codec)
    assert sniff(_head(path), name, "video").mime == mime


def test_old_brands_and_quicktime_without_a_brand_are_taken() -> None:
    assert sniff(b"\x00\x00\x00\x18ftypiso6" + bytes(16), "a.mp4").extension == "mp4"
    assert sniff(b"\x00\x00\x00\x08wide\x00\x00\x10\x00mdat", "a.mov").extension == "mov"


@pytest.mark.parametrize(
    ("name", "codec", "rate", "mime"),
    [
        ("a.wav", "pcm_s16le", 44_100, "audio/wav"),
        ("a.mp3", "libmp3lame", 44_100, "audio/mpeg"),
        ("a.m4a", "aac", 44_100, "audio/mp4"),
        ("a.flac", "flac", 44_100, "audio/flac"),
        ("a.ogg", "libopus", 48_000, "audio/ogg"),
        ("a.opus", "libopus", 48_000, "audio/ogg"),
    ],
)
def test_sounds_are_taken(tmp_path: Path, name: str, codec: str, rate: int, mime: str) -> None:
    path = tone(tmp_path / name, codec=codec, sample_rate_hz=rate, duration_s=0.5)
    assert sniff(_head(path), name, "audio").mime == mime


@pytest.mark.parametrize(
    ("write", "name", "code"),
    [
        (hostile.text_named, "a.png", ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.hls_playlist, "a.mp4", ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.ffconcat, "a.mp4", ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.dash_manifest, "a.mp4", ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.svg, "a.mp4", ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.svg, "a.svg", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.hls_playlist, "a.m3u8", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.elf_program, "a.mp4", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.windows_program, "a.png", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.shell_script, "a.wav", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.windows_program, "a.exe", ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.png_and_pdf, "a.png", ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.empty, "a.png", ErrorCode.FILE_EMPTY),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, write: Any, name: str, code: ErrorCode) -> None:
    with pytest.raises(FileRefused) as refused:
        sniff(_head(write(tmp_path / name)), name)
    assert refused.value.code == code
    assert refused.value.error_info().detail


def test_a_picture_under_a_foreign_name_is_a_mismatch(tmp_path: Path) -> None:
    head = _head(photo(tmp_path / "a.png"))
    for name in ("a.jpg", "a.mp4", "a.wav"):
        with pytest.raises(FileRefused) as refused:
            sniff(head, name)
        assert refused.value.code == ErrorCode.FILE_CONTENT_MISMATCH


def test_a_sound_sent_as_a_picture_is_of_the_wrong_kind(tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refused:
        sniff(_head(tone(tmp_path / "a.wav")), "a.wav", "image")
    assert refused.value.code == ErrorCode.ASSET_WRONG_KIND


@pytest.mark.parametrize("name", ["", "png", ".png", "a", "a.", "a.png.exe", "../../a.sh", "a\x00"])
def test_odd_names_are_refused_whatever_the_content(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileRefused):
        sniff(_head(photo(tmp_path / "a.png")), name)


@given(st.binary(max_size=200), st.sampled_from(["a.png", "a.mp4", "a.mp3", "a.webm", "a.heic"]))
def test_any_bytes_are_either_taken_or_refused(head: bytes, name: str) -> None:
    for prefix in (b"", b"\x00\x00\x00\x18ftyp", b"RIFF", b"\x1a\x45\xdf\xa3"):
        with suppress(FileRefused):
            assert sniff(prefix + head, name).extension
