"""Small media made by FFmpeg for conformance tests."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg


@dataclass(frozen=True)
class Media:
    """Files in a folder: a picture, two driving videos (40 frames of 64 x 64 at 16 fps; one
    silent), a short one (5 frames), one with 0.3 s of sound, and 2 s of voice.
    """

    picture: Path
    drive: Path
    silent: Path
    short: Path
    early_end: Path
    voice: Path


@dataclass(frozen=True)
class Looked:
    """What a video file holds. Sound length in seconds, 0 for none."""

    width: int
    height: int
    frames: int
    fps: float
    codec: str
    audio: str | None
    audio_s: float
    tags: dict[str, str]


def _ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def make_media(folder: Path) -> Media:
    """Makes the files."""
    media = Media(
        picture=folder / "ref.png",
        drive=folder / "drive.mp4",
        silent=folder / "silent.mp4",
        short=folder / "short.mp4",
        early_end=folder / "early_end.mp4",
        voice=folder / "voice.mp3",
    )
    picture = ("-f", "lavfi", "-i", "testsrc=size=72x96")
    video = ("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=16:duration=2.5")
    sound = ("-f", "lavfi", "-i", "sine=frequency=330:duration=2.5")
    brief = ("-f", "lavfi", "-i", "sine=frequency=330:duration=0.3")
    h264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    _ffmpeg(*picture, "-frames:v", "1", str(media.picture))
    _ffmpeg(*video, *sound, *h264, "-c:a", "aac", "-shortest", str(media.drive))
    _ffmpeg(*video, *h264, str(media.silent))
    _ffmpeg(*video, *h264, "-frames:v", "5", str(media.short))
    _ffmpeg(*video, *brief, *h264, "-c:a", "aac", str(media.early_end))
    voice = ("-f", "lavfi", "-i", "sine=frequency=220:duration=2")
    _ffmpeg(*voice, "-c:a", "libmp3lame", str(media.voice))
    return media


def look(path: Path) -> Looked:
    """Decodes a video file completely."""
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        frames = sum(1 for _ in opened.decode(stream))
        size = (stream.codec_context.width, stream.codec_context.height)
        fps = float(stream.average_rate or 0)
        codec = stream.codec_context.name
        audio = [s.codec_context.name for s in opened.streams.audio]
        tags = dict(opened.metadata)
    audio_s = 0.0
    if audio:
        with av.open(str(path)) as opened:
            for frame in opened.decode(audio=0):
                audio_s += frame.samples / frame.sample_rate
    return Looked(*size, frames, fps, codec, audio[0] if audio else None, audio_s, tags)
