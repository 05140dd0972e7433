"""The FFmpeg arguments that carry out a recipe. Pure: arguments are data, nothing is run.

Frame choice: output frame k shows the source frame whose time is nearest to start_s + k / fps.
Each source frame is given the time halfway between itself and the one before, so the last frame
at or before k / fps is the nearest one, whatever the source's rate. FFmpeg's own rounding shows
frames up to 31 ms ahead of time (29.97 to 16 fps, measured by decoding a counter).
Identity: one encoder thread and the bitexact flags give the same bytes for the same source
(facts/ffmpeg), so two processes that make the same derivative make the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from contracts.media import AudioRecipe, VideoRecipe
from runtime.ffmpeg import SAFE_INPUT_OPTIONS, file_url

VIDEO_EXTENSION = "mp4"
AUDIO_EXTENSION = "flac"
IMAGE_EXTENSION = "png"
VIDEO_SOUND_RATE_HZ = 48_000
_SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+bitexact"
_EXACT: dict[str, Any] = {
    "fflags": "+bitexact",
    "map_metadata": -1,
    "map_chapters": -1,
}


def video_arguments(
    source: Path, target: Path, recipe: VideoRecipe, *, has_audio: bool
) -> list[str]:
    """Arguments for an mp4 of exactly the recipe's size, rate and frame count.

    A source that is a little short holds its last picture. Sound is kept when the recipe says so
    and there is any; it is cut, or padded with silence, to the length of the pictures.
    """
    given = ffmpeg.input(file_url(source), **SAFE_INPUT_OPTIONS)
    outputs = [_pictures(given.video, recipe)]
    sound: dict[str, Any] = {}
    if recipe.keep_audio and has_audio:
        samples = round(recipe.frames * VIDEO_SOUND_RATE_HZ / recipe.fps)
        outputs.append(_sound(given.audio, VIDEO_SOUND_RATE_HZ, recipe.start_s, samples))
        sound = {"acodec": "aac", "audio_bitrate": "192k", "ac": 2, "flags:a": "+bitexact"}
    output = ffmpeg.output(
        *outputs,
        file_url(target),
        format="mp4",
        vcodec="libx264",
        preset="fast",
        crf=12,
        pix_fmt="yuv420p",
        threads=1,
        movflags="+faststart",
        **{"frames:v": recipe.frames, "flags:v": "+bitexact", **sound, **_EXACT},
    )
    return list(ffmpeg.get_args(output, overwrite_output=True))


def audio_arguments(source: Path, target: Path, recipe: AudioRecipe) -> list[str]:
    """Arguments for a FLAC of exactly `audio_samples(recipe)` samples, cut or padded."""
    given = ffmpeg.input(file_url(source), **SAFE_INPUT_OPTIONS)
    sound = _sound(given.audio, recipe.sample_rate_hz, recipe.start_s, audio_samples(recipe))
    output = ffmpeg.output(
        sound,
        file_url(target),
        format="flac",
        acodec="flac",
        ac=recipe.channels,
        sample_fmt="s16",
        **{"flags:a": "+bitexact", **_EXACT},
    )
    return list(ffmpeg.get_args(output, overwrite_output=True))


def audio_samples(recipe: AudioRecipe) -> int:
    """Samples per channel that the recipe orders."""
    return max(1, round(recipe.duration_s * recipe.sample_rate_hz))


def _pictures(stream: Any, recipe: VideoRecipe) -> Any:
    width, height = recipe.width_px, recipe.height_px
    halfway = f"if(isnan(PREV_INPTS),PTS,(PTS+PREV_INPTS)/2)-{recipe.start_s:.6f}/TB"
    return (
        stream.filter("settb", "1/1000000")
        .filter("setpts", halfway)
        .filter("fps", fps=recipe.fps, round="up", start_time=0)
        .filter("tpad", stop=-1, stop_mode="clone")
        .filter(
            "scale",
            w=f"2*round(max({width},{height}*dar)/2)",
            h=f"2*round(max({height},{width}/dar)/2)",
            flags=_SCALE_FLAGS,
            out_range="tv",
        )
        .filter("crop", width, height)
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )


def _sound(stream: Any, rate_hz: int, start_s: float, samples: int) -> Any:
    first = round(start_s * rate_hz)
    return (
        stream.filter("aresample", rate_hz, first_pts=0, **{"async": 1})
        .filter("atrim", start_sample=first, end_sample=first + samples)
        .filter("asetpts", "N/SR/TB")
        .filter("apad", whole_len=samples)
    )
