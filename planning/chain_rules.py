"""Which chains of stages make sense. Every illegal one has its own sentence and remedy.

Pure order and sources: no values, no engines, no assets. One fault at a time is named, because what
comes after a wrong stage cannot be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from planning.chain_requests import Img2ImgChoice, StageChoice, Txt2ImgChoice


class ChainFault(NamedTuple):
    """What is wrong with a chain: the field, the sentence and what to do."""

    field: str
    sentence: str
    remedy: str


def chain_fault(stages: Sequence[StageChoice], stills: int) -> ChainFault | None:
    """The first fault of a chain that starts with so many attached stills, or None."""
    if not stages:
        return ChainFault(
            "stages",
            "The chain has no stage.",
            "Begin with txt2img or img2img, or attach stills, and end with video_render.",
        )
    seen: list[str] = []
    pictures = stills
    for at, stage in enumerate(stages):
        field = f"stages[{at}]"
        fault = _fault(stage, field, seen, pictures, stills)
        if fault is not None:
            return fault
        if isinstance(stage, Txt2ImgChoice | Img2ImgChoice):
            pictures = stage.count or 1
        seen.append(stage.kind)
    if "video_render" not in seen:
        return ChainFault(
            "stages",
            "The chain ends without video_render, so there would be no video.",
            "Add video_render as the last stage.",
        )
    return None


def _fault(
    stage: StageChoice, field: str, seen: Sequence[str], pictures: int, stills: int
) -> ChainFault | None:
    if "video_render" in seen:
        return _after_render(stage, field)
    match stage.kind:
        case "txt2img" | "img2img":
            return _fault_of_maker(field, seen, stills)
        case "upscale":
            return _fault_of_upscale(field, seen, pictures)
        case "video_frames":
            return _fault_of_frames(field, seen, pictures)
        case "video_render":
            return None if pictures else _render_without_source(field)


def _after_render(stage: StageChoice, field: str) -> ChainFault:
    if stage.kind == "video_render":
        return ChainFault(field, "The chain renders twice.", "Keep one video_render, the last.")
    return ChainFault(
        field,
        f"{stage.kind} stands after video_render, where there is only a finished video.",
        "Make video_render the last stage.",
    )


def _render_without_source(field: str) -> ChainFault:
    return ChainFault(
        field,
        "video_render comes first, and there is nothing to render.",
        "Put txt2img or img2img before it, or attach stills.",
    )


def _fault_of_maker(field: str, seen: Sequence[str], stills: int) -> ChainFault | None:
    if stills:
        return ChainFault(
            field,
            "Stills are attached, and this stage would make others.",
            "Remove the stills, or this stage.",
        )
    if seen:
        return ChainFault(
            field,
            "A second stage makes pictures from nothing.",
            "Keep one of txt2img and img2img, as the first stage.",
        )
    return None


def _fault_of_upscale(field: str, seen: Sequence[str], pictures: int) -> ChainFault | None:
    if not pictures:
        return ChainFault(
            field,
            "upscale has no pictures to enlarge.",
            "Put txt2img or img2img before it, or attach stills.",
        )
    if "video_frames" in seen:
        return ChainFault(
            field,
            "Frames are not upscaled.",
            "Remove upscale, or choose a higher quality profile for larger frames.",
        )
    if "upscale" in seen:
        return ChainFault(
            field, "The chain upscales twice.", "Keep one upscale, with the whole factor."
        )
    return None


def _fault_of_frames(field: str, seen: Sequence[str], pictures: int) -> ChainFault | None:
    if not pictures:
        return ChainFault(
            field,
            "video_frames has no picture to start from.",
            "Put txt2img or img2img before it, or attach one still.",
        )
    if "video_frames" in seen:
        return ChainFault(field, "The chain makes frames twice.", "Keep one video_frames.")
    if "upscale" in seen:
        return ChainFault(
            field,
            "video_frames would make the upscaled picture small again.",
            "Remove upscale; the quality profile gives the frames their size.",
        )
    if pictures > 1:
        return ChainFault(
            field,
            f"video_frames starts from one picture, and there are {pictures}.",
            "Make or attach one picture only.",
        )
    return None
