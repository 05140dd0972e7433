"""The short way to a video: copied, decoded and judged without FFmpeg's program.

What that program makes of the same segments is the measure of it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from contracts.plan import Frame, StepOutput
from runtime.media_store_local import LocalMediaStore
from services.collector import rendering
from services.collector.adapters.inspection import survey_segment
from services.collector.collection import Making, collect
from services.collector.copying import Segment, copied
from services.collector.faults import ResultFault
from services.collector.ordering import SegmentOrder
from services.collector.rendering import Bench, render
from tests.collector.chain import event_of
from tests.collector.scene import FPS, SIZE, Clip, Order, engine_video, leave
from tests.support.examples import stored
from tests.support.media import Size, tone, watch

Samples = Sequence[Clip]
_PARAMETER_SETS = (7, 8)
SLOW = (("crf", "14"), ("preset", "medium"), ("bf", "3"), ("g", "12"))
OPEN = (("crf", "14"), ("x264-params", "open-gop=1:keyint=10:bframes=3:repeat-headers=1:aud=1"))
PLAIN = (("crf", "14"), ("preset", "ultrafast"))

SAMPLES: dict[str, Samples] = {
    "one": [Clip(range(33))],
    "one frame": [Clip([7])],
    "many b-frames and keys": [Clip(range(60), options=SLOW)],
    "no b-frames": [Clip(range(33), options=PLAIN)],
    "open groups, headers before each": [Clip(range(60), options=OPEN)],
    "25 a second": [Clip(range(33), fps=25)],
    "saved beside sound": [Clip(range(33), sound=True)],
    "late by its own clock": [Clip(range(33), start=5)],
    "two": [Clip(range(33)), Clip(range(33, 61))],
    "four with b-frames": [Clip(range(n, n + 20), options=SLOW) for n in (0, 20, 40, 60)],
    "three without": [Clip(range(n, n + 20), options=PLAIN) for n in (0, 20, 40)],
    "two beside sound": [Clip(range(21), sound=True), Clip(range(21, 41), sound=True)],
    "two that are late": [Clip(range(20), start=3), Clip(range(20, 40), start=7)],
}


def _segments(folder: Path, clips: Samples) -> list[Segment]:
    found = []
    for step, clip in enumerate(clips):
        path = engine_video(folder / f"segment-{step:04d}.mp4", clip)
        output = StepOutput(name="video", node="9", filename="v.mp4", file=stored(f"o/{step}.mp4"))
        frames = len(clip.numbers)
        found.append(Segment(path, SegmentOrder(step, output, frames, 0, frames)))
    return found


def _frame(clips: Samples) -> Frame:
    frames = sum(len(clip.numbers) for clip in clips)
    return Frame(
        width_px=clips[0].size.width,
        height_px=clips[0].size.height,
        fps=clips[0].fps,
        frames=frames,
    )


def _units(packet: bytes) -> list[bytes]:
    """The parts of a packet, but for parameter sets: where FFmpeg's program joins several files it
    repeats those of the index before every key picture."""
    units, at = [], 0
    while at + 4 < len(packet):
        end = at + 4 + int.from_bytes(packet[at : at + 4])
        if packet[at + 4] & 31 not in _PARAMETER_SETS:
            units.append(packet[at + 4 : end])
        at = end
    return units


def _packets(path: Path) -> list[tuple[Any, ...]]:
    """Every packet: its times and length in seconds, whether it is a key, and what is in it."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return [
            (
                Fraction(packet.pts or 0) * packet.time_base,
                Fraction(packet.dts or 0) * packet.time_base,
                Fraction(packet.duration or 0) * packet.time_base,
                packet.is_keyframe,
                _units(bytes(packet)),
            )
            for packet in container.demux(video)
            if packet.size and packet.time_base
        ]


def _outline(path: Path) -> tuple[Any, ...]:
    """Where the pictures begin, how long track and file are, what the decoder is told."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.time_base is not None
        return (
            video.time_base,
            video.start_time,
            video.duration,
            round((container.duration or 0) / 1000),
            video.codec_context.extradata,
            video.metadata,
            container.metadata,
            len(container.streams),
        )


@pytest.mark.parametrize("clips", SAMPLES.values(), ids=SAMPLES.keys())
async def test_a_copy_is_what_ffmpeg_s_program_makes_of_the_same_segments(
    tmp_path: Path, clips: Samples
) -> None:
    segments, frame = _segments(tmp_path, clips), _frame(clips)
    short = await copied(segments, frame, "short", Bench(tmp_path, 60))
    assert short is not None
    sources = [await survey_segment(segment.path, segment.order) for segment in segments]
    long = await render(sources, None, frame, "long", Bench(tmp_path, 60))
    assert long.recoded is None
    assert _packets(short.video.path) == _packets(long.path)
    assert _outline(short.video.path) == _outline(long.path)
    assert short.video.facts == long.facts
    assert [replace(source.facts, metadata={}) for source in sources] == [
        source.facts for source in short.sources
    ]
    numbers = [number for clip in clips for number in clip.numbers]
    assert watch(short.video.path).counters(SIZE) == numbers


async def test_the_same_segments_give_the_same_bytes(tmp_path: Path) -> None:
    segments, frame = _segments(tmp_path, SAMPLES["two"]), _frame(SAMPLES["two"])
    hashes = set()
    for name in ("first", "second"):
        made = await copied(segments, frame, name, Bench(tmp_path, 60))
        assert made is not None
        hashes.add(hashlib.sha256(made.video.path.read_bytes()).hexdigest())
    assert len(hashes) == 1


async def test_without_an_order_size_and_rate_are_the_segments_own(tmp_path: Path) -> None:
    clips = [Clip(range(20), fps=24, size=Size(64, 64))] * 2
    segments = _segments(tmp_path, clips)
    made = await copied(segments, None, "pose_preview", Bench(tmp_path, 60))
    assert made is not None
    facts = made.video.facts
    assert (facts.width_px, facts.rate, facts.frames) == (64, Fraction(24), 40)


@pytest.mark.parametrize(
    "clips",
    [
        pytest.param([Clip(range(33), stretched=True)], id="uneven"),
        pytest.param([Clip(range(33), pix_fmt="yuv444p")], id="yuv444p"),
        pytest.param([Clip(range(33), codec="mpeg4", options=(("qscale", "2"),))], id="mpeg4"),
        pytest.param([Clip(range(33)), Clip(range(9), options=PLAIN)], id="other settings"),
        pytest.param([Clip(range(33)), Clip(range(9), size=Size(96, 80))], id="other size"),
        pytest.param(
            [Clip(range(33), options=(("x264-params", "interlaced=1"),))], id="interlaced"
        ),
    ],
)
async def test_what_is_not_exact_is_not_copied(tmp_path: Path, clips: Samples) -> None:
    segments, bench = _segments(tmp_path, clips), Bench(tmp_path, 60)
    assert await copied(segments, _frame(clips), "video", bench) is None


async def test_a_part_of_a_segment_is_not_copied(tmp_path: Path) -> None:
    [segment] = _segments(tmp_path, [Clip(range(33))])
    part = SegmentOrder(0, segment.order.output, 33, 5, 28)
    frame = _frame([Clip(range(28))])
    assert await copied([Segment(segment.path, part)], frame, "video", Bench(tmp_path, 60)) is None


class _Started(Exception):
    """FFmpeg's program was started."""


async def _started(*arguments: object, **named: object) -> None:
    raise _Started


@pytest.mark.parametrize("sound", [False, True])
async def test_only_a_soundtrack_needs_ffmpeg_s_program(
    media_store: LocalMediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: bool
) -> None:
    monkeypatch.setattr(rendering, "run_ffmpeg", _started)
    soundtrack = tone(tmp_path / "s.flac", duration_s=61 / FPS, codec="flac") if sound else None
    order = Order(61, (33, 28), soundtrack=soundtrack, pose_preview=True)
    clips = [Clip(range(33)), Clip(range(33, 61))]
    left = await leave(media_store, tmp_path, order, clips, poses=clips)
    with tempfile.TemporaryDirectory() as folder:
        work = collect(event_of(left), media_store, Path(folder), Making(60, "animatrix test"))
        if sound:
            with pytest.raises(_Started):
                await work
        else:
            assert (await work).outputs.pose_preview is not None


async def test_a_copy_that_does_not_decode_is_thrown_away_and_the_long_way_tells_why(
    media_store: LocalMediaStore, tmp_path: Path
) -> None:
    [segment] = _segments(tmp_path, [Clip(range(33))])
    data = bytearray(segment.path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[middle : middle + 400] = bytes(400)
    segment.path.write_bytes(data)
    assert await copied([segment], _frame([Clip(range(33))]), "v", Bench(tmp_path, 60)) is None
    left = await leave(media_store, tmp_path, Order(33, (33,)), [Clip(range(32))])
    with tempfile.TemporaryDirectory() as folder, pytest.raises(ResultFault, match="32 frames"):
        await collect(event_of(left), media_store, Path(folder), Making(60, "animatrix test"))
