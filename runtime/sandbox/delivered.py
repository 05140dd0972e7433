"""Measures a video that is about to be delivered: exact, judging nothing.

Decodes everything, once: the pictures beside the video come out of the same decode. The facts are
for the collector to compare with the plan. Must not open files.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from runtime.sandbox.containers import index_in_front, parts, refuse_truncated
from runtime.sandbox.decoding import bounds_of, decode_all
from runtime.sandbox.refusal import Refused
from runtime.sandbox.showing import Showing
from runtime.sandbox.streams import upright_size
from runtime.sandbox.timing import even_rate, mean_rate, on_time


def examine(source: int, writes: list[int], parameters: dict[str, Any]) -> dict[str, Any]:
    """What the file is; keys as in runtime.delivery_facts.DeliveryFacts, fractions as [num, den].

    Parameters: demuxer, fps (the rate at which frames should come, or None), max_side_px,
    max_duration_s, packets_only (count packets and decode nothing), threads (that decode),
    pictures (what is shown: a WantedPictures, with three outputs; or None). Raises Refused when
    the file is truncated or has no picture.
    """
    demuxer, fps = parameters["demuxer"], parameters["fps"]
    refuse_truncated(source, demuxer)
    showing = Showing(parameters["pictures"]) if writes else None
    seen = decode_all(
        source,
        demuxer,
        bounds_of(parameters),
        on_video=showing.see if showing else None,
        packets_only=parameters["packets_only"],
        threads=parameters["threads"],
    )
    if showing is not None:
        showing.write(writes)
    video, audio = seen.video, seen.audio
    if video is None or not video.pts:
        raise Refused("file_undecodable", "no picture could be decoded")
    even = even_rate(video.pts, video.time_base)
    mean = even or mean_rate(video.pts, video.time_base, video.container_rate)
    width, height = upright_size(video)
    return {
        "codec": video.codec,
        "pix_fmt": video.pix_fmt,
        "width_px": width,
        "height_px": height,
        "frames": video.frames,
        "damaged_parts": video.damaged + (audio.damaged if audio else 0),
        "rate": [even.numerator, even.denominator] if even else None,
        "mean_rate": [mean.numerator, mean.denominator] if mean else None,
        "on_time": on_time(video.pts, video.time_base, Fraction(fps)) if fps else None,
        "video_start_s": float(video.pts[0] * video.time_base),
        "faststart": index_in_front(source, demuxer),
        "boxes": parts(source, demuxer)[:50],
        "metadata": seen.metadata,
        "audio": None
        if audio is None
        else {
            "codec": audio.codec,
            "sample_rate_hz": audio.sample_rate_hz,
            "channels": audio.channels,
            "samples": audio.samples,
            "start_s": audio.start_s or 0.0,
        },
    }
