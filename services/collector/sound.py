"""The sound under a delivered video, as FFmpeg filters and settings.

Pure. Sound is laid under the whole video once: sound per segment drifts. Must not run FFmpeg.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import ffmpeg

from contracts.plan import Frame
from runtime.ffmpeg import SAFE_INPUT_OPTIONS, file_url
from services.collector.coding import AAC_BITRATE, AUDIO_RATE_HZ, OPUS_BITRATE


def laid_under(sound: Path, frame: Frame) -> Any:
    """The sound, cut or padded with silence to the very sample at which the last frame ends."""
    samples = frame.frames * AUDIO_RATE_HZ // frame.fps
    return (
        ffmpeg.input(file_url(sound), **SAFE_INPUT_OPTIONS)["a:0"]
        .filter("aresample", AUDIO_RATE_HZ, first_pts=0)
        .filter("aformat", channel_layouts="mono|stereo")
        .filter("apad", whole_len=samples)
        .filter("atrim", end_sample=samples)
    )


def sound_coding(container: Literal["mp4", "webm"]) -> dict[str, Any]:
    """Output options of the sound: AAC in mp4, Opus in webm; the same bytes every time."""
    coding = {
        "mp4": {"c:a": "aac", "b:a": AAC_BITRATE},
        "webm": {"c:a": "libopus", "b:a": OPUS_BITRATE},
    }
    return {**coding[container], "flags:a": "+bitexact", "threads:a": 1}
