"""The demo's files are whole, small, of our own making, and what their manifest says."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from cli.demo_assets import (
    CHARACTER,
    FOLDER,
    MOTION,
    SPEECH,
    VERSION,
    DemoAssetsDamaged,
    demo_assets,
)
from cli.demo_assets.figure import character
from cli.demo_assets.make import BEAT_S, CHARACTER_PX, MOTION_FPS, MOTION_FRAMES, RATE_HZ
from cli.demo_assets.sound import metronome, speech
from contracts.media import AudioFacts, VideoFacts
from runtime.probe import probe_media


def test_together_they_are_below_two_megabytes_and_credited() -> None:
    place = FOLDER / VERSION
    assert sum(path.stat().st_size for path in place.iterdir()) < 2_000_000
    assert "no material of others" in (place / "CREDITS.md").read_text()


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / VERSION, tmp_path / VERSION)
    with (tmp_path / VERSION / SPEECH).open("ab") as speech_file:
        speech_file.write(b"!")
    with pytest.raises(DemoAssetsDamaged, match=SPEECH):
        demo_assets(folder=tmp_path)


def test_a_missing_manifest_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(DemoAssetsDamaged, match="cannot be read"):
        demo_assets(folder=tmp_path)


def test_the_manifest_lists_every_file_beside_it() -> None:
    listed = json.loads((FOLDER / VERSION / "manifest.json").read_text())["files"]
    words = {"manifest.json", "CREDITS.md", "projects.json"}
    beside = {p.name for p in (FOLDER / VERSION).iterdir()} - words
    assert {file["name"] for file in listed} == beside == {CHARACTER, MOTION, SPEECH}


async def test_motion_is_five_seconds_at_24_fps_with_sound() -> None:
    facts = (await probe_media(demo_assets()[MOTION].path)).facts
    assert isinstance(facts, VideoFacts)
    assert Fraction(facts.fps_num, facts.fps_den) == MOTION_FPS
    assert facts.frames == MOTION_FRAMES
    assert facts.has_audio


async def test_speech_is_mono_and_fits_one_chunk() -> None:
    facts = (await probe_media(demo_assets()[SPEECH].path)).facts
    assert isinstance(facts, AudioFacts)
    assert (facts.channels, facts.sample_rate_hz) == (1, RATE_HZ)
    assert 4.0 < facts.duration_s < 4.8


def test_the_script_still_draws_the_packaged_character() -> None:
    drawn = character(*CHARACTER_PX)
    packaged = Image.open(demo_assets()[CHARACTER].path)
    assert drawn.size == packaged.size
    difference = np.asarray(ImageChops.difference(drawn, packaged.convert("RGB")))
    assert difference.mean() < 0.5


def test_the_metronome_beats_where_the_lamp_lights() -> None:
    clicks = np.abs(metronome(2.0, BEAT_S, RATE_HZ))
    for beat in range(4):
        start = round(beat * BEAT_S * RATE_HZ)
        just_after = clicks[start : start + RATE_HZ // 50].max()
        just_before = clicks[max(0, start - RATE_HZ // 50) : start].max(initial=0.0)
        assert just_after > 0.4
        assert just_before < 0.01


def test_the_voice_has_words_and_pauses() -> None:
    voice = np.abs(speech(RATE_HZ))
    loudness = voice[: len(voice) // 480 * 480].reshape(-1, 480).max(axis=1)
    assert 0.7 < loudness.max() <= 0.81
    quiet = (loudness < 0.02).sum() * 0.02
    assert 0.1 < quiet < 1.5
