"""Reads a video as small grey pictures, for comparing seams.

Owns nothing but the reading; what is compared is in seams.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import ffmpeg
import numpy as np

from runtime.delivery_facts import DeliveryFacts
from runtime.ffmpeg import SAFE_INPUT_OPTIONS, file_url
from services.collector.rendering import ffmpeg_on_results
from services.collector.seams import BLOCK_PX, Grey


async def grey_frames(
    video: Path, facts: DeliveryFacts, last: int, work: Path, deadline_s: float
) -> Grey:
    """The last frames of a measured video, each value the mean of a block of pixels.

    `work` is a file of our own that is written and removed. Raises ResultFault when the video
    cannot be read.
    """
    width, height = max(1, facts.width_px // BLOCK_PX), max(1, facts.height_px // BLOCK_PX)
    first = max(0, facts.frames - last)
    pictures = (
        ffmpeg.input(file_url(video), **SAFE_INPUT_OPTIONS)["v:0"]
        .filter("trim", start_frame=first)
        .filter("scale", width, height, flags="area")
        .filter("format", "gray")
    )
    output = ffmpeg.output(pictures, file_url(work), f="rawvideo", fps_mode="passthrough")
    arguments = ffmpeg.get_args(output, overwrite_output=True)
    await ffmpeg_on_results(arguments, f"{video.name} cannot be compared", deadline_s)
    data = await asyncio.to_thread(work.read_bytes)
    await asyncio.to_thread(work.unlink)
    return np.frombuffer(data, np.uint8).reshape(-1, height, width)
