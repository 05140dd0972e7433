"""Recipes carried out by real FFmpeg and read back: right frames, right sound, right length."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from contracts.media import AudioRecipe, VideoRecipe
from runtime.delivery_facts import inspect_delivery
from runtime.ffmpeg import run_ffmpeg
from runtime.probe import probe_media
from services.ingest.normalising import audio_arguments, video_arguments
from services.ingest.verification import difference
from tests.support.media import (
    Film,
    Size,
    counter_video,
    even_times,
    read_counter,
    tone,
    uneven_times,
    watch,
)

SOURCE = Size(320, 180)
TALL = {"width_px": 240, "height_px": 416, "fps": 16}
RATES = {
    "24": even_times(Fraction(24), 80),
    "25": even_times(Fraction(25), 80),
    "29.97": even_times(Fraction(30000, 1001), 95),
    "60": even_times(Fraction(60), 190),
    "12": even_times(Fraction(12), 40),
    "16": even_times(Fraction(16), 52),
    "phone": uneven_times(90),
    "slow phone": uneven_times(50, mean_fps=12, seed=3),
}


async def _make(
    source: Path, target: Path, recipe: VideoRecipe, *, has_audio: bool = False
) -> Film:
    arguments = video_arguments(source, target, recipe, has_audio=has_audio)
    await run_ffmpeg(arguments, deadline_s=60)
    probed = await probe_media(target)
    assert difference(recipe, probed.facts, source_has_audio=has_audio) is None
    return watch(target)


def _nearest(times: Sequence[Fraction], wanted: float) -> float:
    return min(abs(float(t) - wanted) for t in times)


@pytest.mark.parametrize("start_s", [0.0, 0.7])
@pytest.mark.parametrize("rate", sorted(RATES))
async def test_every_frame_is_the_nearest_of_the_source(
    tmp_path: Path, rate: str, start_s: float
) -> None:
    times = RATES[rate]
    source = counter_video(tmp_path / "a.mp4", times=times, size=SOURCE)
    recipe = VideoRecipe(**TALL, frames=33, start_s=start_s)
    film = await _make(source, tmp_path / "o.mp4", recipe)
    assert film.times_s == pytest.approx([k / 16 for k in range(33)], abs=1e-6)
    for k, number in enumerate(film.counters(SOURCE)):
        wanted = start_s + k / 16
        assert abs(float(times[number]) - wanted) <= _nearest(times, wanted) + 1e-4


@pytest.mark.parametrize("rate", ["29.97", "25", "phone"])
async def test_flash_and_beep_stay_within_one_frame(tmp_path: Path, rate: str) -> None:
    source = counter_video(
        tmp_path / "a.mp4", times=RATES[rate], flash_frame=30, flash_frames=4, sound=True
    )
    film = await _make(source, tmp_path / "o.mp4", VideoRecipe(**TALL, frames=45), has_audio=True)
    assert abs(film.flash_s() - film.beep_s()) <= 1 / 16
    assert abs(film.beep_s() - float(RATES[rate][30])) < 0.005


async def test_coarse_webm_times_still_give_the_nearest_frames(tmp_path: Path) -> None:
    times = RATES["29.97"]
    source = counter_video(tmp_path / "a.webm", times=times, size=SOURCE, codec="libvpx-vp9")
    film = await _make(source, tmp_path / "o.mp4", VideoRecipe(**TALL, frames=33))
    for k, number in enumerate(film.counters(SOURCE)):
        assert abs(float(times[number]) - k / 16) <= _nearest(times, k / 16) + 0.0011


@pytest.mark.parametrize("degrees", [90, -90, 180])
async def test_a_rotated_source_comes_out_upright(tmp_path: Path, degrees: int) -> None:
    source = counter_video(tmp_path / "a.mov", rotation=degrees, frames=32)
    expected = watch(source).pictures[0]
    upright = Size(expected.shape[1], expected.shape[0])
    film = await _make(source, tmp_path / "o.mp4", VideoRecipe(**TALL, frames=17))
    turned = np.rot90(film.pictures[8], -(degrees // 90))
    turned_source = Size(320, 180) if degrees != 180 else upright
    assert read_counter(np.ascontiguousarray(turned), turned_source) in (14, 15, 16)


async def test_a_short_source_holds_its_last_picture_and_falls_silent(tmp_path: Path) -> None:
    source = counter_video(tmp_path / "a.mp4", fps=Fraction(16), frames=20, sound=True)
    film = await _make(source, tmp_path / "o.mp4", VideoRecipe(**TALL, frames=25), has_audio=True)
    assert film.counters(SOURCE) == [*range(20), 19, 19, 19, 19, 19]
    assert film.sound.size / film.sample_rate_hz == pytest.approx(25 / 16, abs=1 / 16)


async def test_sound_is_left_out_when_the_recipe_says_so(tmp_path: Path) -> None:
    source = counter_video(tmp_path / "a.mp4", frames=32, sound=True)
    recipe = VideoRecipe(**TALL, frames=9, keep_audio=False)
    await run_ffmpeg(
        video_arguments(source, tmp_path / "o.mp4", recipe, has_audio=True), deadline_s=30
    )
    assert (await inspect_delivery(tmp_path / "o.mp4")).audio is None


async def test_the_derivative_is_plain_fast_start_h264(tmp_path: Path) -> None:
    source = counter_video(tmp_path / "a.webm", codec="libvpx-vp9", frames=32)
    await _make(source, tmp_path / "o.mp4", VideoRecipe(**TALL, frames=17))
    facts = await inspect_delivery(tmp_path / "o.mp4")
    assert (facts.codec, facts.pix_fmt, facts.rate) == ("h264", "yuv420p", Fraction(16))
    assert facts.faststart
    assert not any("Lavf" in value for value in facts.metadata.values())


async def test_the_same_source_and_recipe_give_the_same_bytes(tmp_path: Path) -> None:
    source = counter_video(tmp_path / "a.mp4", frames=32, sound=True)
    for name in ("one.mp4", "two.mp4"):
        await _make(source, tmp_path / name, VideoRecipe(**TALL, frames=17), has_audio=True)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz"),
    [
        ("a.wav", "pcm_s16le", 44_100),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.m4a", "aac", 48_000),
        ("a.ogg", "libopus", 48_000),
    ],
)
async def test_sound_is_resampled_to_the_exact_sample(
    tmp_path: Path, name: str, codec: str, rate_hz: int
) -> None:
    source = tone(
        tmp_path / name, codec=codec, sample_rate_hz=rate_hz, duration_s=3, beep_s=(1.0, 1.5)
    )
    recipe = AudioRecipe(sample_rate_hz=16_000, channels=1, duration_s=33 / 16)
    target = tmp_path / "o.flac"
    await run_ffmpeg(audio_arguments(source, target, recipe), deadline_s=30)
    assert difference(recipe, (await probe_media(target)).facts, source_has_audio=True) is None
    heard = watch(target)
    assert heard.sound.size == 33_000
    assert heard.beep_s() == pytest.approx(1.0, abs=0.03)


async def test_short_sound_is_padded_and_a_start_is_cut_off(tmp_path: Path) -> None:
    source = tone(tmp_path / "a.wav", duration_s=1, beep_s=(0.75, 0.9))
    recipe = AudioRecipe(sample_rate_hz=48_000, channels=2, duration_s=2, start_s=0.5)
    target = tmp_path / "o.flac"
    await run_ffmpeg(audio_arguments(source, target, recipe), deadline_s=30)
    heard = watch(target)
    assert heard.sound.size == 96_000
    assert heard.beep_s() == pytest.approx(0.25, abs=0.002)


async def test_sound_taken_from_a_video_keeps_the_time_of_its_pictures(tmp_path: Path) -> None:
    source = counter_video(tmp_path / "a.mp4", flash_frame=20, flash_frames=3, sound=True)
    recipe = AudioRecipe(sample_rate_hz=48_000, channels=2, duration_s=1.5)
    target = tmp_path / "o.flac"
    await run_ffmpeg(audio_arguments(source, target, recipe), deadline_s=30)
    assert watch(target).beep_s() == pytest.approx(20 / 30, abs=0.005)
