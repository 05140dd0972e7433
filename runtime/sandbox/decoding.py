"""Every frame and sample of a file, decoded: counts, times, sizes, damage.

Owns the walk over all packets, and the bounds that it keeps to on the way. Must not choose what may
be opened (opening does) nor judge what is good enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from runtime.sandbox.opening import chosen, opened
from runtime.sandbox.refusal import Refused

MAX_FRAMES = 200_000


@dataclass(slots=True)
class VideoTrack:
    """What was seen of the pictures. `pts` are in units of `time_base` seconds, sorted."""

    codec: str
    pix_fmt: str
    time_base: Fraction
    container_rate: Fraction | None
    width_px: int = 0
    height_px: int = 0
    pixel_aspect: Fraction = Fraction(1)
    rotation: int = 0
    pts: list[int] = field(default_factory=list)
    last_duration: int = 0
    frames: int = 0
    damaged: int = 0


@dataclass(slots=True)
class AudioTrack:
    """What was heard: `samples` per channel at `sample_rate_hz`, the first at `start_s`."""

    codec: str
    sample_rate_hz: int
    channels: int
    samples: int = 0
    start_s: float | None = None
    frames: int = 0
    damaged: int = 0


@dataclass(slots=True)
class Decoded:
    """Everything that decoding a whole file showed. Declared durations are in seconds."""

    video: VideoTrack | None
    audio: AudioTrack | None
    declared_video_s: float | None
    declared_audio_s: float | None
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large and long a file may be."""

    max_side_px: int
    max_duration_s: float


OnVideo = Callable[[VideoFrame], None]
OnAudio = Callable[[AudioFrame], None]


def decode_all(
    source: int,
    demuxer: str,
    bounds: Bounds,
    *,
    on_video: OnVideo | None = None,
    on_audio: OnAudio | None = None,
    packets_only: bool = False,
    threads: int = 2,
) -> Decoded:
    """Decode every packet of the first video and the first audio stream.

    A packet that cannot be decoded is counted as damage. With `packets_only` nothing is decoded:
    each packet of the video is taken for a frame of the declared size, of sound none is counted.
    More than one thread is sooner done and costs a fifth more.
    Raises Refused for what exceeds the bounds or uses a codec that is not taken,
    av.error.FFmpegError when the file does not open.
    """
    with opened(source, demuxer) as container:
        video, audio = chosen(container, demuxer, threads)
        if video is not None:
            _check_side(video.codec_context.width, video.codec_context.height, bounds)
        declared_video_s, declared_audio_s = _declared_s(video), _declared_s(audio)
        for declared in (declared_video_s, declared_audio_s):
            _check_time(declared, bounds)
        seen = Decoded(
            _video_track(video),
            _audio_track(audio),
            declared_video_s,
            declared_audio_s,
            _metadata(container),
        )
        if packets_only:
            _count(container, video, seen.video)
        else:
            _walk(container, video, audio, seen, bounds, on_video, on_audio)
    if seen.video is not None:
        seen.video.pts.sort()
    return seen


def _declared_s(stream: VideoStream | AudioStream | None) -> float | None:
    if stream is None or stream.duration is None or stream.time_base is None:
        return None
    return float(stream.duration * stream.time_base)


def _video_track(stream: VideoStream | None) -> VideoTrack | None:
    if stream is None or stream.time_base is None:
        return None
    return VideoTrack(
        codec=stream.codec_context.codec.canonical_name,
        pix_fmt=stream.codec_context.pix_fmt or "",
        time_base=stream.time_base,
        container_rate=stream.average_rate,
        pixel_aspect=_pixel_aspect(stream),
    )


def _pixel_aspect(stream: VideoStream) -> Fraction:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 8) <= aspect <= 8:
        raise Refused("file_undecodable", f"pixels of shape {aspect} make no sense")
    return aspect


def _audio_track(stream: AudioStream | None) -> AudioTrack | None:
    if stream is None:
        return None
    context = stream.codec_context
    return AudioTrack(context.codec.canonical_name, context.sample_rate, context.channels)


def _metadata(container: InputContainer) -> dict[str, str]:
    tags = dict(container.metadata)
    for stream in container.streams:
        tags.update({f"{stream.index}.{name}": value for name, value in stream.metadata.items()})
    return {str(name)[:100]: str(value)[:500] for name, value in list(tags.items())[:100]}


def _walk(
    container: InputContainer,
    video: VideoStream | None,
    audio: AudioStream | None,
    seen: Decoded,
    bounds: Bounds,
    on_video: OnVideo | None,
    on_audio: OnAudio | None,
) -> None:
    wanted = [s for s in (video, audio) if s is not None]
    if not wanted:
        return
    for packet in container.demux(wanted):
        track = seen.video if packet.stream is video else seen.audio
        if track is None:
            continue
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            track.damaged += 1
            continue
        if packet.is_corrupt:
            track.damaged += 1
        for frame in frames:
            if isinstance(frame, VideoFrame) and seen.video is not None:
                _see(frame, seen.video, bounds)
                if on_video is not None:
                    on_video(frame)
            elif isinstance(frame, AudioFrame) and seen.audio is not None:
                _hear(frame, seen.audio, bounds)
                if on_audio is not None:
                    on_audio(frame)


def _count(container: InputContainer, video: VideoStream | None, track: VideoTrack | None) -> None:
    if video is None or track is None:
        return
    track.width_px, track.height_px = video.codec_context.width, video.codec_context.height
    for packet in container.demux(video):
        # The last packet is empty: it tells decoders that there are no more.
        if packet.size == 0 or packet.is_discard:
            continue
        track.frames += 1
        track.damaged += packet.is_corrupt
        if packet.pts is not None:
            track.pts.append(packet.pts)


def _see(frame: VideoFrame, track: VideoTrack, bounds: Bounds) -> None:
    if track.frames == 0:
        track.width_px, track.height_px = frame.width, frame.height
        track.rotation = int(frame.rotation)
        track.pix_fmt = frame.format.name
    _check_side(frame.width, frame.height, bounds)
    track.frames += 1
    if track.frames > MAX_FRAMES:
        raise Refused("file_too_long", f"more than {MAX_FRAMES} frames")
    if frame.is_corrupt:
        track.damaged += 1
    if frame.pts is not None:
        if not track.pts or frame.pts >= track.pts[-1]:
            track.last_duration = int(frame.duration or 0)
        track.pts.append(frame.pts)
        _check_time(float((frame.pts - track.pts[0]) * track.time_base), bounds)


def _hear(frame: AudioFrame, track: AudioTrack, bounds: Bounds) -> None:
    if track.frames == 0:
        track.sample_rate_hz = frame.sample_rate
        track.channels = frame.layout.nb_channels
    if track.start_s is None and frame.time is not None:
        track.start_s = float(frame.time)
    track.frames += 1
    track.samples += frame.samples
    if frame.is_corrupt:
        track.damaged += 1
    _check_time(track.samples / max(1, track.sample_rate_hz), bounds)


def _check_side(width: int, height: int, bounds: Bounds) -> None:
    if max(width, height) > bounds.max_side_px:
        raise Refused("file_too_many_pixels", f"{width}x{height}, at most {bounds.max_side_px}")


def _check_time(seconds: float | None, bounds: Bounds) -> None:
    if seconds is not None and seconds > bounds.max_duration_s:
        raise Refused("file_too_long", f"{seconds:.1f} s, at most {bounds.max_duration_s:g} s")


def bounds_of(parameters: dict[str, Any]) -> Bounds:
    """The bounds among a task's parameters."""
    return Bounds(int(parameters["max_side_px"]), float(parameters["max_duration_s"]))
