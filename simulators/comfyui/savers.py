"""Node classes that write files or show something.

Owns the wiring of values to files; names come from files.py, pixels from render.py. The
whole graph is put into a file's metadata, as the real server does.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulators.comfyui.clips import Clip, picked, unfolded
from simulators.comfyui.latents import write_latent
from simulators.comfyui.media import Sound, Video
from simulators.comfyui.nodes import Context, Done, node
from simulators.comfyui.render import (
    write_flac,
    write_lossless,
    write_picture,
    write_video,
    write_webp,
)


def _tags(context: Context) -> dict[str, str]:
    tags = {"prompt": json.dumps(context.graph)}
    return tags | {k: json.dumps(v) for k, v in context.extra.get("extra_pnginfo", {}).items()}


@node("CreateVideo")
def create_video(_: Context, inputs: dict[str, Any]) -> Done:
    """Frames, a rate and perhaps sound."""
    return Done((Video(clip=inputs["images"], fps=inputs["fps"], sound=inputs.get("audio")),))


@node("TrimAudioDuration")
def trim_sound(_: Context, inputs: dict[str, Any]) -> Done:
    """A stretch of sound; a negative start counts from the end, one beyond it gives silence."""
    sound: Sound = inputs["audio"]
    start_s = inputs["start_index"]
    if start_s < 0:
        start_s += sound.duration_s
    start_s = min(max(0.0, start_s), sound.duration_s)
    length_s = min(inputs["duration"], sound.duration_s - start_s)
    cut = replace(sound, start_s=sound.start_s + start_s, duration_s=length_s)
    return Done((cut,))


@node("SaveVideo")
def save_video(context: Context, inputs: dict[str, Any]) -> Done:
    """prefix_00001_.mp4 in output/."""
    if inputs["format"] not in ("auto", "mp4"):
        raise ValueError(f"'{inputs['format']}' is not a valid VideoContainer")
    if inputs["codec"] not in ("auto", "h264"):
        raise ValueError(f"'{inputs['codec']}' is not a valid VideoCodec")
    video: Video = inputs["video"].components()
    clip = video.clip
    if clip is None:
        raise ValueError("the video holds no frames")
    if context.faults.strike("short_outputs"):
        clip = picked(clip, range(max(1, clip.count - 1)))
    name = context.files.output_name(inputs["filename_prefix"])
    path = name.path("mp4")
    write_video(clip, video.fps, video.sound, path, _tags(context))
    if context.faults.strike("lose_outputs"):
        path.unlink()
    elif context.faults.strike("corrupt_outputs"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return Done((), {"images": [name.listed("mp4")], "animated": (True,)})


@node("SaveImage", "PreviewImage")
def save_images(context: Context, inputs: dict[str, Any]) -> Done:
    """One PNG per picture; a preview goes to temp/ under a random name."""
    clip: Clip = inputs["images"]
    prefix = inputs.get("filename_prefix")
    name = context.files.temp_name() if prefix is None else context.files.output_name(prefix)
    listed = []
    for number, frame in enumerate(clip.frames()):
        write_picture(frame, name.path("png", number), _tags(context))
        listed.append(name.listed("png", number))
    return Done((), {"images": listed})


@node("SaveAnimatedWEBP")
def save_webp(context: Context, inputs: dict[str, Any]) -> Done:
    """One animated WebP."""
    name = context.files.output_name(inputs["filename_prefix"])
    path = name.path("webp")
    write_webp(inputs["images"], inputs["fps"], inputs["quality"], inputs["lossless"], path)
    return Done((), {"images": [name.listed("webp")], "animated": (True,)})


@node("SaveAudio", "PreviewAudio")
def save_sound(context: Context, inputs: dict[str, Any]) -> Done:
    """One FLAC file."""
    prefix = inputs.get("filename_prefix")
    name = context.files.temp_name() if prefix is None else context.files.output_name(prefix)
    write_flac(inputs["audio"], name.path("flac"))
    return Done((), {"audio": [name.listed("flac")]})


@node("SaveLatent")
def save_latent(context: Context, inputs: dict[str, Any]) -> Done:
    """One .latent file that LoadLatent restores exactly."""
    name = context.files.output_name(inputs["filename_prefix"])
    with tempfile.TemporaryDirectory() as folder:
        carrier = Path(folder) / "latent.mkv"
        write_lossless(unfolded(inputs["samples"]), carrier)
        write_latent(name.path("latent"), carrier.read_bytes(), _tags(context))
    return Done((), {"latents": [name.listed("latent")]})


@node("PreviewAny")
def preview_any(_: Context, inputs: dict[str, Any]) -> Done:
    """A value as text."""
    source = inputs["source"]
    plain = isinstance(source, str | int | float | bool)
    return Done((), {"text": [str(source) if plain else type(source).__name__]})
