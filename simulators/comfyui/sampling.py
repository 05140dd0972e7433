"""Node classes of conditioning, video latents, sampling and decoding.

The "performance" is what the inputs show: Animate shows the driving video's frames one for
one with the reference picture inset, S2V shows the reference picture with the loudness of
the sound. Frame counts follow the real nodes exactly (facts: ComfyUI graphs, segments).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.comfyui.clips import (
    FRAMES_PER_LATENT,
    Cell,
    Clip,
    Latent,
    decoded,
    encoded,
    picked,
    repainted,
    scaled,
    solid,
    spliced,
)
from simulators.comfyui.media import Sound, loudness
from simulators.comfyui.nodes import Context, Done, node
from simulators.comfyui.render import blended, speaking, tile, with_inset

GREY = (96, 96, 96)
S2V_FPS = 16.0
GRID = 8


@dataclass(frozen=True)
class HeardSound:
    """What the audio encoder hands on: loudness per frame at 16 frames a second."""

    levels: npt.NDArray[np.float32]


def whole_frames(count: int) -> int:
    """A count of frames down to 4 k + 1."""
    return (count - 1) // FRAMES_PER_LATENT * FRAMES_PER_LATENT + 1


def _size(inputs: dict[str, Any]) -> tuple[int, int, int]:
    """Width and height down to a multiple of 8, length down to 4 k + 1."""
    length = whole_frames(inputs["length"])
    return inputs["width"] // GRID * GRID, inputs["height"] // GRID * GRID, length


def _conditioned(inputs: dict[str, Any], latent: Latent, *more: int) -> Done:
    return Done((inputs["positive"], inputs["negative"], latent, *more))


@node("CLIPTextEncode")
def encode_text(_: Context, inputs: dict[str, Any]) -> Done:
    """A prompt; it shows only in the colours of the sampled frames."""
    return Done((inputs["text"],))


@node("CLIPVisionEncode")
def encode_picture(_: Context, inputs: dict[str, Any]) -> Done:
    """A picture embedding."""
    return Done((inputs["image"],))


@node("AudioEncoderEncode")
def encode_sound(_: Context, inputs: dict[str, Any]) -> Done:
    """Loudness per frame."""
    sound = inputs["audio"]
    if not isinstance(sound, Sound):
        raise TypeError("'NoneType' object is not subscriptable")
    return Done((HeardSound(loudness(sound, S2V_FPS)),))


@node("ModelSamplingSD3", "CFGZeroStar", "SkipLayerGuidanceDiT")
def patch_model(_: Context, inputs: dict[str, Any]) -> Done:
    """A patched model."""
    return Done((inputs["model"],))


@node("WanAnimateToVideo")
def animate(_: Context, inputs: dict[str, Any]) -> Done:
    """One chunk of Animate; also latents and frames to trim, and the next chunk's offset.

    With ``continue_motion`` its last frames lead the chunk and the offset goes back by them,
    while only 4 k + 1 of them are to be trimmed; a driving video that ends early is held on
    its last frame.
    """
    width, height, length = _size(inputs)
    before: Clip | None = inputs.get("continue_motion")
    carried = min(before.count, inputs["continue_motion_max_frames"], length) if before else 0
    first = max(0, inputs["video_frame_offset"] - carried)
    reference: Clip | None = inputs.get("reference_image")
    driving: Clip | None = inputs.get("pose_video") or inputs.get("face_video")
    if driving is None:
        driving = reference or solid(width, height, GREY)
    shown = picked(scaled(driving, width, height), range(first, first + length))
    shown = with_inset(shown, reference.frame(0) if reference else None)
    if before is not None:
        tail = scaled(before, width, height)
        parts = [(tail, tail.count - carried + n) for n in range(carried)]
        parts += [(shown, n) for n in range(carried, length)]
        shown = spliced(parts, width, height)
    still_life = scaled(reference or solid(width, height, GREY), width, height)
    cells = (Cell(still_life, 0), *encoded(shown, length))
    trimmed = whole_frames(carried) if carried else 0
    return _conditioned(
        inputs, Latent(width, height, cells, paired=True), 1, trimmed, first + length
    )


def _talking(inputs: dict[str, Any], width: int, height: int, earlier: int, length: int) -> Done:
    """Latents that follow ``earlier`` ones; latent m shows frames 4 m - 2 to 4 m + 1.

    That offset puts the sound right after the template's end (first latent doubled, three
    frames dropped): frame n of the finished video is frame n of the sound.
    """
    heard = inputs.get("audio_encoder_output")
    levels = heard.levels if isinstance(heard, HeardSound) else np.zeros(0, np.float32)
    picture: Clip = inputs.get("ref_image") or solid(width, height, GREY)
    latents = (length - 1) // FRAMES_PER_LATENT + 1
    count = FRAMES_PER_LATENT * (earlier + latents) + 2
    clip = speaking(picture, width, height, count, levels)
    places = range(earlier, earlier + latents)
    cells = tuple(Cell(clip, FRAMES_PER_LATENT * place - 2) for place in places)
    return _conditioned(inputs, Latent(width, height, cells, paired=True))


@node("WanSoundImageToVideo")
def sound_to_video(_: Context, inputs: dict[str, Any]) -> Done:
    """The first chunk of S2V."""
    width, height, length = _size(inputs)
    return _talking(inputs, width, height, 0, length)


@node("WanSoundImageToVideoExtend")
def sound_to_video_extend(_: Context, inputs: dict[str, Any]) -> Done:
    """A further chunk of S2V; the sound goes on where the given latents end."""
    latent: Latent = inputs["video_latent"]
    return _talking(inputs, latent.width, latent.height, len(latent.cells), inputs["length"])


@node(
    "WanFunInpaintToVideo", "WanFirstLastFrameToVideo", "WanImageToVideo", "WanCameraImageToVideo"
)
def between_frames(_: Context, inputs: dict[str, Any]) -> Done:
    """A cross-fade from the start picture to the end picture."""
    width, height, length = _size(inputs)
    grey = solid(width, height, GREY)
    start: Clip = inputs.get("start_image") or inputs.get("end_image") or grey
    end: Clip = inputs.get("end_image") or start
    clip = blended(start, end, width, height, length)
    return _conditioned(inputs, Latent(width, height, encoded(clip, length)))


@node("Wan22FunControlToVideo", "WanFunControlToVideo", "WanVaceToVideo")
def controlled(_: Context, inputs: dict[str, Any]) -> Done:
    """The control video's frames with the reference picture inset."""
    width, height, length = _size(inputs)
    names = ("ref_image", "reference_image", "start_image")
    picture = next((inputs[name] for name in names if name in inputs), None)
    control: Clip = inputs.get("control_video") or picture or solid(width, height, GREY)
    shown = picked(scaled(control, width, height), range(length))
    clip = with_inset(shown, picture.frame(0) if picture else None)
    cells = encoded(clip, length)
    if "strength" not in inputs:
        return _conditioned(inputs, Latent(width, height, cells))
    lead = () if picture is None else (Cell(scaled(picture, width, height), 0),)
    return _conditioned(inputs, Latent(width, height, (*lead, *cells)), len(lead))


@node("EmptyHunyuanLatentVideo")
def empty_latent(_: Context, inputs: dict[str, Any]) -> Done:
    """Latents of plain grey."""
    width, height, length = _size(inputs)
    return Done((Latent(width, height, encoded(solid(width, height, GREY), length)),))


@node("KSampler", "KSamplerAdvanced")
def sample(context: Context, inputs: dict[str, Any]) -> Done:
    """Takes its time, step by step, and colours a corner by everything upstream."""
    latent: Latent = inputs["latent_image"]
    for side in (latent.height, latent.width):
        rows = side // GRID
        if latent.paired and rows % 2:
            text = f"The size of tensor a ({rows // 2 + 1}) must match that of b ({rows // 2})"
            raise RuntimeError(text)
    steps: int = inputs["steps"]
    last = min(steps, inputs.get("end_at_step", steps))
    wanted = max(0, last - inputs.get("start_at_step", 0))
    sampled = repainted(latent, tile(context.signature))
    for step in range(wanted):
        context.step(step + 1, wanted, lambda: decoded(sampled).frame(0))
    return Done((sampled,))


@node("TrimVideoLatent")
def trim_latent(_: Context, inputs: dict[str, Any]) -> Done:
    """Drops leading latents."""
    latent: Latent = inputs["samples"]
    return Done((replace(latent, cells=latent.cells[inputs["trim_amount"] :]),))


@node("LatentCut")
def cut_latent(_: Context, inputs: dict[str, Any]) -> Done:
    """A stretch of latents in time; cuts in space hand the latents on."""
    latent: Latent = inputs["samples"]
    if inputs["dim"] != "t":
        return Done((latent,))
    index, there = inputs["index"], len(latent.cells)
    first = min(index, there - 1) if index >= 0 else max(there + index, 0)
    return Done((replace(latent, cells=latent.cells[first:][: inputs["amount"]]),))


@node("LatentConcat")
def join_latents(_: Context, inputs: dict[str, Any]) -> Done:
    """Latents one after the other; "-t" puts the second first."""
    a, b = inputs["samples1"], inputs["samples2"]
    if not inputs["dim"].endswith("t"):
        raise RuntimeError("the simulator joins latents in time only")
    if inputs["dim"] == "-t":
        a, b = b, a
    return Done((replace(a, cells=(*a.cells, *b.cells)),))


@node("VAEDecode", "VAEDecodeTiled")
def decode(_: Context, inputs: dict[str, Any]) -> Done:
    """The frames of latents."""
    return Done((decoded(inputs["samples"]),))
