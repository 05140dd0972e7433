"""Draws the simulator's marks on frames and writes media files with FFmpeg.

Owns everything that is drawn by the simulator and the only place that codes videos.
Every picture it writes carries the word SIMULATED in a band along its lower edge; the
upper three quarters of a frame are left as they are.
"""

import colorsys
import contextlib
import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import IO

import av
import ffmpeg
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from simulators.comfyui.clips import Clip, Frame, drawn, fitted, mapped, scaled, still
from simulators.comfyui.media import Sound

MARK = "SIMULATED"
RENDER_LIMIT_S = 600
PRESET, CRF = "veryfast", 16


def band_rows(height: int) -> int:
    """How many rows at the lower edge the mark takes."""
    return max(10, height // 10)


@lru_cache(maxsize=32)
def _band(width: int, height: int) -> tuple[Frame, int]:
    """The marked band for a frame size, and the row it starts at."""
    rows = band_rows(height)
    font = ImageFont.load_default(size=32)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(MARK))
    word = Image.new("RGB", (right - left + 8, bottom - top + 8), (0, 0, 0))
    ImageDraw.Draw(word).text((4 - left, 4 - top), MARK, fill=(255, 220, 0), font=font)
    fit = min(width / word.width, rows / word.height)
    size = (max(1, round(word.width * fit)), max(1, round(word.height * fit)))
    band = Image.new("RGB", (width, min(rows, height)), (0, 0, 0))
    band.paste(word.resize(size, Image.Resampling.LANCZOS), ((width - size[0]) // 2, 0))
    return np.asarray(band), max(0, height - rows)


def marked(clip: Clip) -> Clip:
    """The clip with the word SIMULATED on every frame."""
    band, top = _band(clip.width, clip.height)

    def change(_: int, frame: Frame) -> Frame:
        out = frame.copy()
        out[top:] = band[: out.shape[0] - top]
        return out

    return mapped(clip, change, (clip.width, clip.height))


def coarse(frame: Frame, share: float) -> Image.Image:
    """A small marked picture of a frame that is still in the making: the more the clearer."""
    fit = 192 / max(frame.shape[:2])
    width, height = (max(16, round(side * fit)) for side in (frame.shape[1], frame.shape[0]))
    grain = max(1, round(16 * (1 - share)))
    small = Image.fromarray(frame).resize((max(1, width // grain), max(1, height // grain)))
    unclear = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray(marked(still(unclear)).frame(0))


def _lower_box(width: int, height: int) -> tuple[int, int, int]:
    """Side and top row of the square boxes above the band in the lowest quarter; right margin."""
    bottom = height - band_rows(height)
    side = max(2, min(bottom - height * 3 // 4, width // 5))
    return side, bottom - side, max(1, width // 64)


def tile(signature: str) -> Callable[[int, Frame], Frame]:
    """Draws a small chequer at the lower left whose colours follow a node's inputs."""
    seed = hashlib.sha256(signature.encode()).digest()
    colours = []
    for at in range(4):
        hue, light = seed[2 * at] / 255, 0.25 + seed[2 * at + 1] / 510
        rgb = colorsys.hls_to_rgb(hue, light, 1.0)
        colours.append([round(255 * part) for part in rgb])
    pattern = np.array(colours, np.uint8).reshape(2, 2, 3)

    def change(_: int, frame: Frame) -> Frame:
        side, top, margin = _lower_box(frame.shape[1], frame.shape[0])
        half = side // 2
        out = frame.copy()
        block = np.kron(pattern, np.ones((half, half, 1), np.uint8))
        out[top : top + 2 * half, margin : margin + 2 * half] = block
        return out

    return change


def with_inset(clip: Clip, picture: Frame | None) -> Clip:
    """The clip with a small picture at the lower right."""
    if picture is None:
        return clip
    side, top, margin = _lower_box(clip.width, clip.height)
    inset = fitted(picture, side, side)

    def change(_: int, frame: Frame) -> Frame:
        out = frame.copy()
        left = frame.shape[1] - margin - side
        out[top : top + side, left : left + side] = inset
        return out

    return mapped(clip, change, (clip.width, clip.height))


def speaking(
    picture: Clip, width: int, height: int, count: int, levels: npt.NDArray[np.float32]
) -> Clip:
    """A picture with a running bar graph of loudness: frame n shows the levels up to n."""
    base = scaled(picture, width, height).frame(0)
    side, top, _ = _lower_box(width, height)
    bars = 24
    bar_w = max(1, width // 2 // bars)
    left = (width - bars * bar_w) // 2

    def draw(index: int) -> Frame:
        out = base.copy()
        out[top : top + side, left : left + bars * bar_w] //= 3
        for bar in range(bars):
            at = index - bars + 1 + bar
            level = float(levels[at]) if 0 <= at < len(levels) else 0.0
            rows = round(side * min(1.0, level * 2))
            x = left + bar * bar_w
            out[top + side - rows : top + side, x : x + max(1, bar_w - 1)] = (80, 255, 120)
        return out

    return drawn(width, height, count, draw)


def blended(start: Clip, end: Clip, width: int, height: int, count: int) -> Clip:
    """A cross-fade from one picture to another."""
    a = scaled(start, width, height).frame(0).astype(np.float32)
    b = scaled(end, width, height).frame(0).astype(np.float32)

    def draw(index: int) -> Frame:
        part = index / max(1, count - 1)
        return (a * (1 - part) + b * part).round().astype(np.uint8)

    return drawn(width, height, count, draw)


def write_video(
    clip: Clip, fps: float, sound: Sound | None, path: Path, tags: dict[str, str]
) -> None:
    """An H.264 MP4 of the marked clip; sound is cut to its length but never padded.

    ``tags`` become metadata of the file. Raises RuntimeError with FFmpeg's last words.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        if sound is None or sound.duration_s <= 0:
            _write_silent(marked(clip), fps, part, tags)
        else:
            _write_sounding(marked(clip), fps, sound, part, tags)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_silent(clip: Clip, fps: float, path: Path, tags: dict[str, str]) -> None:
    """In this process: starting FFmpeg takes longer than coding a small clip."""
    options = {"movflags": "use_metadata_tags", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as out:
        out.metadata.update(tags)
        stream = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        stream.options = {"preset": PRESET, "crf": str(CRF), "threads": "1"}
        for frame in clip.frames():
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def _write_sounding(clip: Clip, fps: float, sound: Sound, path: Path, tags: dict[str, str]) -> None:
    length_s = clip.count / fps
    pictures = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{clip.width}x{clip.height}", r=fps
    )
    cut = {"ss": sound.start_s, "t": min(length_s, sound.duration_s)}
    heard = ffmpeg.input(str(sound.path), protocol_whitelist="file", **cut).audio
    options: dict[str, object] = {
        "vcodec": "libx264",
        "acodec": "aac",
        "preset": PRESET,
        "crf": CRF,
        "pix_fmt": "yuv420p",
        "threads": 1,
        "movflags": "use_metadata_tags",
        "fflags": "+bitexact",
    }
    with tempfile.TemporaryDirectory() as folder:
        for key, value in tags.items():
            # A whole graph can be longer than one argument may be, so it is read from a file.
            note = Path(folder) / key
            note.write_text(f"{key}={value}", "utf-8")
            options["/metadata"] = str(note)
        _feed(ffmpeg.output(pictures, heard, str(path), format="mp4", **options), clip)


def write_lossless(clip: Clip, path: Path) -> None:
    """The clip as lossless RGB, unmarked: what a saved latent carries."""
    pictures = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{clip.width}x{clip.height}", r=16
    )
    out = ffmpeg.output(
        pictures, str(path), format="matroska", vcodec="libx264rgb", preset="ultrafast", qp=0
    )
    _feed(out, clip)


def write_flac(sound: Sound, path: Path) -> None:
    """A stretch of sound as FLAC."""
    cut = {"ss": sound.start_s, "t": sound.duration_s}
    source = ffmpeg.input(str(sound.path), protocol_whitelist="file", **cut).audio
    _feed(ffmpeg.output(source, str(path), format="flac"), None)


def _feed(output: ffmpeg.nodes.OutputStream, clip: Clip | None) -> None:
    """Runs FFmpeg on a compiled argument list and pipes raw frames into it."""
    command = output.global_args("-hide_banner", "-loglevel", "error").compile(
        cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True
    )
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=words, stderr=words)
        stdin = process.stdin
        if stdin is None:
            raise RuntimeError("FFmpeg was started without an input pipe")
        try:
            for frame in clip.frames() if clip is not None else ():
                stdin.write(np.ascontiguousarray(frame).data)
        except BrokenPipeError:
            pass  # FFmpeg ended early; its exit status and words below say why
        except BaseException:
            process.kill()
            raise
        finally:
            _close(stdin)
            status = process.wait(RENDER_LIMIT_S)
        if status != 0:
            words.seek(0)
            raise RuntimeError(f"FFmpeg failed: {words.read().decode(errors='replace').strip()}")


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def write_picture(frame: Frame, path: Path, tags: dict[str, str]) -> None:
    """One marked picture as PNG with text tags."""
    info = PngInfo()
    for key, value in tags.items():
        info.add_itxt(key, value)
    picture = next(marked(still(frame)).frames())
    Image.fromarray(picture).save(path, pnginfo=info, compress_level=1)


def write_webp(clip: Clip, fps: float, quality: int, lossless: bool, path: Path) -> None:
    """The marked clip as an animated WebP."""
    first, *others = [Image.fromarray(frame) for frame in marked(clip).frames()]
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=round(1000 / fps),
        quality=quality,
        lossless=lossless,
    )
