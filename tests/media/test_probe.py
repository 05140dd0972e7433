"""Probing: what sound files are found to be, and how the rest is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import pillow_heif
import pytest
from PIL import Image

from contracts.errors import ErrorCode
from contracts.media import AudioFacts, CropBox, ImageFacts, VideoFacts
from runtime.ffmpeg import file_url, run_ffmpeg
from runtime.probe import ProbeLimits, ProbeRefused, make_picture, probe_media
from tests.support import hostile_media as hostile
from tests.support.media import Size, counter_video, even_times, photo, tone, uneven_times


async def _video(path: Path) -> VideoFacts:
    facts = (await probe_media(path)).facts
    assert isinstance(facts, VideoFacts)
    return facts


async def _refusal(path: Path, limits: ProbeLimits | None = None) -> ProbeRefused:
    with pytest.raises(ProbeRefused) as refused:
        await probe_media(path, limits=limits or ProbeLimits())
    return refused.value


@pytest.mark.parametrize(
    "rate", [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(16)]
)
async def test_every_frame_is_counted_and_the_rate_is_exact(tmp_path: Path, rate: Fraction) -> None:
    facts = await _video(counter_video(tmp_path / "a.mp4", fps=rate, frames=50, sound=True))
    assert (facts.frames, Fraction(facts.fps_num, facts.fps_den)) == (50, rate)
    assert facts.duration_s == pytest.approx(float(50 / rate), abs=0.001)
    assert (facts.codec, facts.container, facts.has_audio) == ("h264", "mp4", True)


async def test_coarse_container_times_still_show_the_true_rate(tmp_path: Path) -> None:
    path = counter_video(tmp_path / "a.webm", fps=Fraction(30000, 1001), codec="libvpx-vp9")
    facts = await _video(path)
    assert (facts.fps_num, facts.fps_den, facts.codec) == (30000, 1001, "vp9")


async def test_a_variable_rate_is_measured_as_its_mean(tmp_path: Path) -> None:
    times = uneven_times(60)
    facts = await _video(counter_video(tmp_path / "a.mp4", times=times))
    assert facts.fps_num / facts.fps_den == pytest.approx(float(59 / times[-1]), rel=0.001)
    assert facts.frames == 60


@pytest.mark.parametrize("degrees", [90, -90, 180])
async def test_a_rotated_video_is_measured_upright(tmp_path: Path, degrees: int) -> None:
    facts = await _video(counter_video(tmp_path / "a.mov", rotation=degrees, size=Size(320, 180)))
    turned = degrees != 180
    assert (facts.width_px, facts.height_px) == ((180, 320) if turned else (320, 180))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
async def test_a_turned_photo_is_measured_upright(tmp_path: Path, orientation: int) -> None:
    path = photo(tmp_path / "a.jpg", size=Size(120, 80), orientation=orientation)
    facts = (await probe_media(path)).facts
    assert isinstance(facts, ImageFacts)
    upright = (80, 120) if orientation in (6, 8) else (120, 80)
    assert (facts.width_px, facts.height_px) == upright


async def test_a_heic_photo_is_taken(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    probed = await probe_media(photo(tmp_path / "a.heic"))
    assert (probed.mime_type, probed.extension) == ("image/heic", "heic")


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 16_000),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.m4a", "aac", 44_100),
        ("a.flac", "flac", 96_000),
        ("a.ogg", "libopus", 48_000),
    ],
)
async def test_sounds_are_measured(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = tone(tmp_path / name, codec=codec, sample_rate_hz=rate, duration_s=1.5)
    facts = (await probe_media(path)).facts
    assert isinstance(facts, AudioFacts)
    assert (facts.sample_rate_hz, facts.channels) == (rate, 2)
    assert facts.duration_s == pytest.approx(1.5, abs=0.03)


async def test_the_name_of_a_file_plays_no_part(tmp_path: Path) -> None:
    path = counter_video(tmp_path / "a.mp4", frames=4).rename(tmp_path / "a.png")
    assert (await probe_media(path)).extension == "mp4"


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (hostile.text_named, ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.hls_playlist, ErrorCode.FILE_FORBIDDEN),
        (hostile.ffconcat, ErrorCode.FILE_FORBIDDEN),
        (hostile.svg, ErrorCode.FILE_FORBIDDEN),
        (hostile.dash_manifest, ErrorCode.FILE_FORBIDDEN),
        (hostile.zero_length_wav, ErrorCode.FILE_EMPTY),
        (hostile.empty, ErrorCode.FILE_EMPTY),
        (hostile.huge_png, ErrorCode.FILE_TOO_MANY_PIXELS),
        (hostile.png_and_zip, ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.png_and_pdf, ErrorCode.FILE_CONTENT_MISMATCH),
        (hostile.elf_program, ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.windows_program, ErrorCode.FILE_TYPE_UNSUPPORTED),
        (hostile.shell_script, ErrorCode.FILE_TYPE_UNSUPPORTED),
    ],
)
async def test_hostile_files_are_refused(tmp_path: Path, write: Any, code: ErrorCode) -> None:
    refusal = await _refusal(write(tmp_path / "a.mp4"))
    assert refusal.code == code
    assert refusal.detail


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", ["a.mp4", "fast.mp4", "part.mp4", "a.mov", "a.webm"])
async def test_a_truncated_video_is_refused(tmp_path: Path, name: str, keep: float) -> None:
    flags = {"fast.mp4": "+faststart", "part.mp4": "+frag_keyframe+empty_moov"}.get(name)
    whole = counter_video(
        tmp_path / f"whole-{name}",
        codec="libvpx-vp9" if name.endswith("webm") else "libx264",
        options={"movflags": flags} if flags else None,
        sound=not name.endswith("webm"),
    )
    refusal = await _refusal(hostile.truncated(whole, tmp_path / name, keep))
    assert refusal.code == ErrorCode.FILE_UNDECODABLE


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.m4a", "aac")]
)
async def test_a_truncated_sound_is_refused(tmp_path: Path, name: str, codec: str) -> None:
    whole = tone(tmp_path / f"whole-{name}", codec=codec, duration_s=4)
    refusal = await _refusal(hostile.truncated(whole, tmp_path / name))
    assert refusal.code == ErrorCode.FILE_UNDECODABLE


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
async def test_a_truncated_picture_is_refused(tmp_path: Path, name: str) -> None:
    whole = photo(tmp_path / f"whole-{name}", size=Size(640, 480))
    refusal = await _refusal(hostile.truncated(whole, tmp_path / name))
    assert refusal.code == ErrorCode.FILE_UNDECODABLE


async def test_a_video_with_a_damaged_middle_is_refused(tmp_path: Path) -> None:
    path = counter_video(tmp_path / "a.mp4", frames=60, options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    length = len(data) - start
    for at in range(start + length // 4, start + 3 * length // 4):
        data[at] = (at * 7919 + 13) % 256
    path.write_bytes(bytes(data))
    assert (await _refusal(path)).code == ErrorCode.FILE_UNDECODABLE


async def test_pictures_above_the_limit_are_refused(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", size=Size(300, 200))
    limits = ProbeLimits(max_image_pixels=50_000)
    assert (await _refusal(path, limits)).code == ErrorCode.FILE_TOO_MANY_PIXELS


async def test_videos_too_large_or_too_long_are_refused(tmp_path: Path) -> None:
    path = counter_video(tmp_path / "a.mp4", frames=60)
    small, brief = ProbeLimits(max_video_side_px=200), ProbeLimits(max_duration_s=1)
    assert (await _refusal(path, small)).code == ErrorCode.FILE_TOO_MANY_PIXELS
    assert (await _refusal(path, brief)).code == ErrorCode.FILE_TOO_LONG


async def test_a_codec_that_is_not_taken_is_refused(tmp_path: Path) -> None:
    given = ffmpeg.input("testsrc=size=64x64:rate=25:duration=0.4", f="lavfi")
    output = given.output(file_url(tmp_path / "a.mov"), vcodec="mpeg2video")
    await run_ffmpeg(ffmpeg.get_args(output), deadline_s=20)
    assert (await _refusal(tmp_path / "a.mov")).code == ErrorCode.FILE_TYPE_UNSUPPORTED


async def test_thumbnails_are_small_upright_and_carry_nothing(tmp_path: Path) -> None:
    small = tmp_path / "thumbnail.jpg"
    await probe_media(
        photo(tmp_path / "a.jpg", size=Size(1600, 800), orientation=6), thumbnail=small
    )
    with Image.open(small) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (256, 512), {})
    await probe_media(counter_video(tmp_path / "a.mp4", rotation=90), thumbnail=small)
    with Image.open(small) as image:
        assert image.size == (180, 320)
    await probe_media(tone(tmp_path / "a.wav", beep_s=(0.0, 1.0)), thumbnail=small)
    with Image.open(small) as image:
        loud, quiet = (image.convert("RGB").getpixel((x, 40)) for x in (100, 400))
    assert sum(loud) < sum(quiet)  # type: ignore[arg-type]


async def test_a_picture_is_cut_from_the_upright_photo(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", size=Size(120, 80), orientation=6, quality=95)
    target = tmp_path / "a.png"
    await make_picture(
        path,
        target,
        width_px=64,
        height_px=32,
        crop=CropBox(x_px=0, y_px=0, width_px=80, height_px=40),
    )
    with Image.open(target) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (64, 32))
        assert image.info == {}
        red, _, blue = image.getpixel((32, 16))  # type: ignore[misc]
    assert red > 200 > 60 > blue


async def test_a_crop_outside_the_picture_is_refused(tmp_path: Path) -> None:
    box = CropBox(x_px=100, y_px=0, width_px=80, height_px=40)
    with pytest.raises(ProbeRefused) as refused:
        await make_picture(
            photo(tmp_path / "a.png"), tmp_path / "o.png", width_px=64, height_px=32, crop=box
        )
    assert refused.value.code == ErrorCode.CROP_OUTSIDE_IMAGE


async def test_transparency_turns_white_and_deep_grey_keeps_its_tone(tmp_path: Path) -> None:
    clear, deep = tmp_path / "clear.png", tmp_path / "deep.png"
    Image.new("RGBA", (64, 64), (10, 20, 30, 0)).save(clear)
    Image.new("I;16", (64, 64), 0x8080).save(deep)
    for source, tone_wanted in ((clear, 255), (deep, 128)):
        target = tmp_path / "o.png"
        await make_picture(source, target, width_px=64, height_px=64)
        with Image.open(target) as image:
            assert image.getpixel((5, 5)) == (tone_wanted,) * 3


def test_even_times_are_even() -> None:
    assert even_times(Fraction(4), 3) == (Fraction(0), Fraction(1, 4), Fraction(1, 2))
