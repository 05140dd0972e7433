"""Compares measured media with what was ordered: nothing is delivered that did not pass.

Pure: facts in, faults out, each a plain statement for operators. An empty tuple is a pass.
Must not open a file nor repair anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.plan import Frame
from runtime.delivery_facts import DeliveredContainer, DeliveryFacts
from services.collector.coding import AUDIO_RATE_HZ
from services.collector.ordering import SegmentOrder


@dataclass(frozen=True, slots=True)
class _Coding:
    """What a container must hold, in the names of the probe."""

    codec: str
    pix_fmt: str
    sound: str | None


_CODINGS: Mapping[DeliveredContainer, _Coding] = {
    "mp4": _Coding("h264", "yuv420p", "aac"),
    "webm": _Coding("vp9", "yuv420p", "opus"),
    "gif": _Coding("gif", "bgra", None),
}
_CONTAINER_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands"})
_STREAM_TAGS: Mapping[str, frozenset[str]] = {
    "language": frozenset({"und"}),
    "handler_name": frozenset({"VideoHandler", "SoundHandler"}),
    "vendor_id": frozenset({"[0][0][0][0]"}),
}
"""What an mp4 cannot be without; these values say nothing about the job."""
_WRITER = "Lavf"
_DURATION = re.compile(r"\d\d:\d\d:\d\d\.\d{9}")
"""What a webm cannot be without: the library without its version, and how long each stream is."""


def delivery_faults(
    facts: DeliveryFacts, frame: Frame, *, sound: bool, container: DeliveredContainer = "mp4"
) -> tuple[str, ...]:
    """Every way in which a finished video differs from the order.

    Asked for: the container's coding (mp4 H.264, webm VP9, both yuv420p; gif) of the exact size,
    count and rate from time 0, fast-start, no tag, and sound (AAC, Opus; within one frame of the
    pictures at both ends) exactly when it was ordered. The times of webm and gif are exact to one
    tick of theirs (1 ms, 10 ms). `facts` of those must have been measured against the rate.
    """
    coding = _CODINGS[container]
    faults = list(_picture_faults(facts, frame, coarse=container != "mp4"))
    if (facts.codec, facts.pix_fmt) != (coding.codec, coding.pix_fmt):
        faults.append(f"{facts.codec} {facts.pix_fmt} instead of {coding.codec} {coding.pix_fmt}")
    if abs(facts.video_start_s) > 1e-6:
        faults.append(f"the first picture is shown at {facts.video_start_s:.6f} s")
    if not facts.faststart:
        faults.append("the index lies behind the media: no fast-start")
    faults += [f"the tag {name} was left in" for name in foreign_tags(facts.metadata)]
    return (*faults, *_sound_faults(facts, frame, coding, sound=sound))


def segment_faults(
    facts: DeliveryFacts, order: SegmentOrder, frame: Frame | None
) -> tuple[str, ...]:
    """Every way in which a step's video differs from the order.

    A wrong size, rate or count is refused, never repaired: it means that the engine made
    something else than the plan says. Without `frame` any size and rate will do.
    """
    wanted = Frame(
        width_px=frame.width_px if frame else facts.width_px,
        height_px=frame.height_px if frame else facts.height_px,
        fps=frame.fps if frame else facts.whole_rate,
        frames=order.file_frames,
    )
    return _picture_faults(facts, wanted)


def foreign_tags(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names of tags that a delivered file must not have. Streams' tags read "0.language"."""
    return tuple(name for name, value in sorted(metadata.items()) if not _harmless(name, value))


def _harmless(name: str, value: str) -> bool:
    stream, dot, tag = name.partition(".")
    if dot and stream.isdigit():
        known = value in _STREAM_TAGS.get(tag, frozenset())
        return known or (tag == "DURATION" and _DURATION.fullmatch(value) is not None)
    return name in _CONTAINER_TAGS or (name, value) == ("encoder", _WRITER)


def _picture_faults(facts: DeliveryFacts, frame: Frame, *, coarse: bool = False) -> tuple[str, ...]:
    faults = []
    if facts.damaged_parts:
        faults.append(f"{facts.damaged_parts} parts could not be decoded")
    if facts.frames != frame.frames:
        faults.append(f"{facts.frames} frames instead of {frame.frames}")
    if (facts.width_px, facts.height_px) != (frame.width_px, frame.height_px):
        faults.append(
            f"{facts.width_px}x{facts.height_px} instead of {frame.width_px}x{frame.height_px}"
        )
    if coarse:
        if not facts.on_time:
            faults.append(f"frames that do not come at {frame.fps} per second")
    elif facts.rate is None and facts.frames > 1:
        faults.append(f"a rate that varies around {facts.mean_rate} instead of {frame.fps}")
    elif facts.rate is not None and facts.rate != frame.fps:
        faults.append(f"{facts.rate} frames per second instead of {frame.fps}")
    return tuple(faults)


def _sound_faults(
    facts: DeliveryFacts, frame: Frame, coding: _Coding, *, sound: bool
) -> tuple[str, ...]:
    audio = facts.audio
    if audio is None:
        return ("there is no sound",) if sound else ()
    if not sound:
        return ("there is sound that nobody ordered",)
    faults = []
    if (audio.codec, audio.sample_rate_hz) != (coding.sound, AUDIO_RATE_HZ):
        faults.append(
            f"{audio.codec} at {audio.sample_rate_hz} Hz instead of {coding.sound} at 48000 Hz"
        )
    one_frame_s = 1 / frame.fps
    end_s = audio.start_s + audio.samples / max(1, audio.sample_rate_hz)
    if abs(audio.start_s) > one_frame_s:
        faults.append(f"the sound begins at {audio.start_s:.3f} s")
    if abs(end_s - frame.duration_s) > one_frame_s:
        faults.append(f"the sound ends at {end_s:.3f} s, the pictures at {frame.duration_s:.3f} s")
    return tuple(faults)
