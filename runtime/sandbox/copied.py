"""Joins videos by copying their pictures into a new mp4, and measures what came of it: one task.

Owns how packets are copied: no sound, no tags, no SEI, the index in front. What is written is read
back and decoded like any delivered video. Must not judge the sources nor open files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, BinaryIO

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from runtime.sandbox import delivered
from runtime.sandbox.opening import opened, pictures_of
from runtime.sandbox.refusal import Refused
from runtime.sandbox.timing import whole_rate

_DEMUXER = "mov"
_WITHOUT_SEI = "filter_units=remove_types=6"
"""SEI is free text inside an H.264 stream; engines may write there."""


def examine(sources: list[int], writes: list[int], parameters: dict[str, Any]) -> dict[str, Any]:
    """What each source is by its packets, and what their copy is, decoded whole.

    `{"segments": […], "copy": …}`, each as delivered.examine tells it; the copy is None when a
    source has another codec than the one asked for. Parameters: codec, fps (None: that of the first
    source), ticks_per_frame (of the copy's clock), max_side_px, max_duration_s, threads, pictures
    (as delivered.examine). Writes: the copy, then the pictures.
    """
    asked = {**parameters, "demuxer": _DEMUXER}
    survey = {**asked, "packets_only": True, "pictures": None, "fps": None}
    # The tags of a source, which may be long, reach neither the copy nor the reply.
    segments = [{**delivered.examine(source, [], survey), "metadata": {}} for source in sources]
    if any(segment["codec"] != parameters["codec"] for segment in segments):
        return {"segments": segments, "copy": None}
    target, *pictures = writes
    mean = segments[0]["mean_rate"]
    fps = parameters["fps"] or whole_rate(Fraction(*mean) if mean else None)
    ticks_per_frame = parameters["ticks_per_frame"]
    with open(target, "r+b", closefd=False) as sink:
        _copy(sources, segments, sink, fps * ticks_per_frame, ticks_per_frame)
    copy = {**asked, "packets_only": False, "fps": None}
    return {"segments": segments, "copy": delivered.examine(target, pictures, copy)}


def _copy(
    sources: Sequence[int],
    segments: Sequence[dict[str, Any]],
    sink: BinaryIO,
    ticks_per_s: int,
    ticks_per_frame: int,
) -> None:
    options = {
        "movflags": "+faststart",
        "fflags": "+bitexact",
        "video_track_timescale": str(ticks_per_s),
        "movie_timescale": str(ticks_per_s),
    }
    with av.open(
        sink, "w", format="mp4", options=options, io_open=lambda *_: _Written(sink)
    ) as target:
        stream: VideoStream | None = None
        begins = 0
        for source, segment in zip(sources, segments, strict=True):
            with opened(source, _DEMUXER) as container:
                video = pictures_of(container)
                if video is None or video.time_base is None:
                    raise Refused("file_undecodable", "there are no pictures")
                first = stream is None
                stream = stream or target.add_stream_from_template(video)
                bare = BitStreamFilterContext(_WITHOUT_SEI, video, stream if first else None)
                start = round(segment["video_start_s"] / video.time_base)
                for packet in _filtered(container, video, bare):
                    _place(packet, start, begins, video.time_base * ticks_per_s)
                    packet.time_base, packet.stream = Fraction(1, ticks_per_s), stream
                    target.mux(packet)
            begins += segment["frames"] * ticks_per_frame


def _filtered(
    container: InputContainer, video: VideoStream, bare: BitStreamFilterContext
) -> Iterator[Packet[VideoStream]]:
    for packet in container.demux(video):
        # The last packet is empty: it tells filters, too, that there are no more.
        yield from bare.filter(packet if packet.size else None)


def _place(packet: Packet[VideoStream], start: int, begins: int, scale: Fraction) -> None:
    """Moves a packet to its place on the clock of the copy, where its source begins at `begins`."""
    if packet.pts is None or packet.dts is None:
        raise Refused("file_undecodable", "a picture without a time")
    packet.pts = begins + round((packet.pts - start) * scale)
    packet.dts = begins + round((packet.dts - start) * scale)
    packet.duration = round((packet.duration or 0) * scale)


class _Written:
    """What has been written so far, to be read while it is still written to: the muxer moves the
    media behind the index by reading its own file, which a confined child cannot open again."""

    def __init__(self, sink: BinaryIO) -> None:
        sink.flush()
        self._file, self._at = sink.fileno(), 0

    def read(self, size_bytes: int) -> bytes:
        data = os.pread(self._file, size_bytes, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._file).st_size}
        self._at = base[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """The file stays open: it belongs to the sink."""
