"""Node classes that work on pictures and masks.

Each returns a clip that is worked out while it is read. Detectors (pose, segmentation,
edges) hand the pictures on, so that a frame counter in a driving video stays readable.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from simulators.comfyui.clips import (
    Clip,
    Frame,
    drawn,
    fitted,
    joined,
    mapped,
    picked,
    scaled,
    solid,
)
from simulators.comfyui.nodes import Context, Done, node

MAX_REPORTED = 200


@node("EmptyImage")
def empty_image(_: Context, inputs: dict[str, Any]) -> Done:
    """Pictures of one colour."""
    colour = inputs["color"]
    rgb = (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    return Done((solid(inputs["width"], inputs["height"], rgb, inputs["batch_size"]),))


@node("ImageScale")
def image_scale(_: Context, inputs: dict[str, Any]) -> Done:
    """Resized; a side of 0 follows the other."""
    clip: Clip = inputs["image"]
    width, height = inputs["width"], inputs["height"]
    if not width and not height:
        return Done((clip,))
    width = width or max(1, round(clip.width * height / clip.height))
    height = height or max(1, round(clip.height * width / clip.width))
    return Done((scaled(clip, width, height, inputs["crop"] == "center"),))


@node("ImageCrop")
def image_crop(_: Context, inputs: dict[str, Any]) -> Done:
    """A rectangle of each picture."""
    clip: Clip = inputs["image"]
    left, top = min(inputs["x"], clip.width - 1), min(inputs["y"], clip.height - 1)
    width = min(inputs["width"], clip.width - left)
    height = min(inputs["height"], clip.height - top)

    def cut(_: int, frame: Frame) -> Frame:
        return frame[top : top + height, left : left + width]

    return Done((mapped(clip, cut, (width, height)),))


@node("ImageBatch")
def image_batch(_: Context, inputs: dict[str, Any]) -> Done:
    """Two batches one after the other."""
    return Done((joined(inputs["image1"], inputs["image2"]),))


@node("ImageFromBatch")
def image_from_batch(_: Context, inputs: dict[str, Any]) -> Done:
    """A stretch of a batch; at least one picture is left."""
    clip: Clip = inputs["image"]
    first = min(inputs["batch_index"], clip.count - 1)
    return Done((picked(clip, range(first, min(clip.count, first + inputs["length"]))),))


@node("RepeatImageBatch")
def repeat_image_batch(_: Context, inputs: dict[str, Any]) -> Done:
    """A batch several times over."""
    clip: Clip = inputs["image"]
    return Done((picked(clip, list(range(clip.count)) * inputs["amount"]),))


@node("GetImageSize")
def image_size(_: Context, inputs: dict[str, Any]) -> Done:
    """Width, height and count."""
    clip: Clip = inputs["image"]
    return Done((clip.width, clip.height, clip.count))


@node("ImageToMask", "MaskToImage", "Canny", "GrowMask", "BlockifyMask")
def handed_on(_: Context, inputs: dict[str, Any]) -> Done:
    """The pictures or masks as they came."""
    return Done((next(v for v in inputs.values() if isinstance(v, Clip)),))


@node("PixelPerfectResolution")
def pixel_perfect(_: Context, inputs: dict[str, Any]) -> Done:
    """The detector resolution for a picture and a target size."""
    clip: Clip = inputs["original_image"]
    across = inputs["image_gen_width"] / clip.width
    down = inputs["image_gen_height"] / clip.height
    pick = min if inputs["resize_mode"] == "Resize and Fill" else max
    return Done((round(pick(across, down) * min(clip.width, clip.height)),))


@node("DWPreprocessor")
def detect_pose(context: Context, inputs: dict[str, Any]) -> Done:
    """Hands the pictures on and reports one pose per picture, as the real node does."""
    clip: Clip = inputs["image"]
    for index in range(clip.count):
        context.progress(index + 1, clip.count)
    pose = {"people": [], "canvas_width": clip.width, "canvas_height": clip.height}
    poses = [pose] * min(clip.count, MAX_REPORTED)
    return Done((clip, poses), {"openpose_json": [json.dumps(poses)]})


@node("PointsEditor")
def points_editor(_: Context, inputs: dict[str, Any]) -> Done:
    """The points as given, an empty box, and the background picture."""
    clip = inputs.get("bg_image")
    blank = solid(inputs["width"], inputs["height"], (0, 0, 0))
    values: tuple[Any, ...] = (
        inputs["coordinates"],
        inputs["neg_coordinates"],
        [],
        blank,
        clip or blank,
    )
    # The real node lists a base64 picture here; a client must skip anything but objects.
    return Done(values, {"bg_image": ["c2ltdWxhdGVk"]} if clip is not None else None)


@node("Sam2Segmentation")
def segment(context: Context, inputs: dict[str, Any]) -> Done:
    """A mask of the middle of every picture."""
    clip: Clip = inputs["image"]
    mask = np.zeros((clip.height, clip.width, 3), np.uint8)
    mask[clip.height // 4 : -clip.height // 4, clip.width // 4 : -clip.width // 4] = 255
    for index in range(clip.count):
        context.progress(index + 1, clip.count)
    return Done((drawn(clip.width, clip.height, clip.count, lambda _: mask),))


@node("DrawMaskOnImage")
def draw_mask(_: Context, inputs: dict[str, Any]) -> Done:
    """The pictures with the masked part painted over; the last mask is held."""
    clip: Clip = inputs["image"]
    mask: Clip = inputs["mask"]
    paint = np.array([float(part) for part in inputs["color"].split(",")][:3], np.uint8)

    def read(first: int, wanted: int) -> Iterator[Frame]:
        masks = picked(mask, range(first, first + wanted)).frames()
        for frame, cover in zip(clip.frames(first, wanted), masks, strict=True):
            where = fitted(cover, clip.width, clip.height, crop=False)[..., :1] > 127
            yield np.where(where, paint, frame)

    return Done((Clip(clip.width, clip.height, clip.count, read),))
