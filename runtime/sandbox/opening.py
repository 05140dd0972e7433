"""Opens a container for what is allowed in it, and chooses the streams that are looked at.

Owns the allow-lists of decoders. Only the descriptor it is given can be read: the `fd` protocol is
the single one allowed. Must not read a packet.
"""

from __future__ import annotations

import os

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from runtime.sandbox.refusal import Refused

VIDEO_DECODERS = (
    "h264,hevc,vp8,libvpx,vp9,libvpx-vp9,av1,libdav1d,mpeg4,mjpeg,prores,png,theora,ffv1"
)
AUDIO_DECODERS = (
    "aac,mp3,mp3float,alac,flac,vorbis,libvorbis,opus,libopus,"
    "pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,"
    "pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav"
)
_OWN_DECODERS = {"gif": "gif"}
"""Of containers that hold nothing else, and that are never taken as uploads."""
MAX_STREAMS = 16


def _video_decoders(demuxer: str) -> str:
    return _OWN_DECODERS.get(demuxer, VIDEO_DECODERS)


def opened(source: int, demuxer: str) -> InputContainer:
    """The container in a descriptor, from its start, whatever was read of it before."""
    os.lseek(source, 0, os.SEEK_SET)
    options = {
        "fd": str(source),
        "protocol_whitelist": "fd",
        "format_whitelist": demuxer,
        "codec_whitelist": f"{_video_decoders(demuxer)},{AUDIO_DECODERS}",
        "max_streams": str(MAX_STREAMS),
    }
    return av.open("fd:", container_options=options, metadata_errors="replace")


def chosen(
    container: InputContainer, demuxer: str, threads: int
) -> tuple[VideoStream | None, AudioStream | None]:
    """The first video and the first audio stream, the video to be decoded by so many threads.

    Raises Refused when one of them needs a decoder that is not taken.
    """
    video_decoders = _video_decoders(demuxer).split(",")
    video = pictures_of(container)
    audio = container.streams.audio[0] if container.streams.audio else None
    for stream in (video, audio):
        if stream is None:
            continue
        allowed = video_decoders if isinstance(stream, VideoStream) else AUDIO_DECODERS.split(",")
        # PyAV leaves no codec context where the demuxer knows no decoder.
        name = stream.codec_context.codec.name if stream.codec_context else "unknown"
        if name not in allowed:
            raise Refused("file_type_unsupported", f"{stream.type} codec {name} is not taken")
        if isinstance(stream, VideoStream):
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = threads
    return video, audio


def pictures_of(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures."""
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    return pictures[0] if pictures else None
