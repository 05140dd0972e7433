"""Plans Motion clip: a chain of stages that ends in a rendered video.

A: stills, made or attached, then video_render. B and C: a still, frames by AnimateDiff or Deforum,
then video_render. Must not judge orders (chain_rules), resolve stages (chain_stages) or name files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.base import Scalar
from contracts.errors import ErrorCode
from contracts.media import MediaOrder
from contracts.plan import AspectRatio, Frame, JobPlan
from contracts.stages import (
    Img2ImgStage,
    Stage,
    Txt2ImgStage,
    VideoFramesStage,
    VideoRenderStage,
)
from planning.chain_profiles import CFG, PROFILES
from planning.chain_prompts import ChainText, chain_text
from planning.chain_requests import (
    StageChoice,
    VideoFramesChoice,
    VideoRenderChoice,
)
from planning.chain_rules import chain_fault
from planning.chain_shape import chain_of, draws
from planning.chain_sources import check_unused, sources_of
from planning.chain_stages import (
    SEED_SPAN,
    Chain,
    frames_stage,
    img2img_stage,
    txt2img_stage,
    upscale_stage,
)
from planning.prompt_packs import PackRegistry, PromptPack
from planning.recipes import image_order
from planning.rendering import (
    MAX_RENDER_S,
    Rendering,
    even_frame,
    lay_sound,
    render_stage,
    still_frames,
)
from planning.requests import MotionClipRequest
from planning.resolution import guidance_settings
from planning.sheet import Sheet

_RESOLVERS: dict[str, Any] = {
    "txt2img": txt2img_stage,
    "img2img": img2img_stage,
    "upscale": upscale_stage,
    "video_frames": frames_stage,
}


def plan_motion_clip(
    sheet: Sheet, request: MotionClipRequest, packs: PackRegistry
) -> JobPlan | None:
    """The plan, or None when the sheet holds faults."""
    pack = _pack(sheet, request, packs)
    asked = chain_of(request, pack)
    fault = chain_fault(asked, len(request.still_asset_ids))
    if fault is not None:
        sheet.refuse(ErrorCode.CHAIN_ILLEGAL, fault.field, fault.sentence, fault.remedy)
    check_unused(sheet, request, asked)
    text = _text(sheet, request, pack, asked)
    size = _size(sheet, request, asked)
    _check_seed(sheet, request)
    sources = sources_of(sheet, request, asked)
    if sheet.faults or size is None:
        return None
    aspect, width_px, height_px = size
    chain = Chain(
        sheet=sheet,
        text=text,
        seed=sheet.seed if request.seed is not None else sheet.seed % SEED_SPAN,
        width_px=width_px,
        height_px=height_px,
        pack_frames=pack.content.video.frames.as_choice() if pack else None,
        travels=any(isinstance(stage, VideoFramesChoice) for stage in asked),
    )
    frame = Frame(width_px=width_px, height_px=height_px, fps=1, frames=1)
    orders = [image_order(one.asset, one.role, frame, one.crop, index=one.index) for one in sources]
    stages = [_RESOLVERS[stage.kind](chain, at, stage) for at, stage in enumerate(asked[:-1])]
    if sheet.faults:
        return None
    rendered = _render(chain, request, asked, pack, stages)
    if sheet.faults or rendered is None:
        return None
    orders += [rendered.sound] if rendered.sound is not None else []
    return JobPlan(
        mode="motion_clip",
        prompt=text.prompt,
        resolved_prompt=text.resolved,
        negative_prompt=text.negative,
        seed=chain.seed,
        aspect_ratio=aspect,
        quality_profile=request.quality_profile,
        settings=_settings(sheet, pack, stages, rendered),
        assets=tuple(sheet.uses),
        media=tuple(orders),
        stages=(*stages, rendered.stage),
        delivery=rendered.frame,
        soundtrack="soundtrack" if rendered.sound is not None else None,
        notes=_noted(sheet, chain, stages),
        prompt_pack=pack.ref if pack is not None else None,
        origins=chain.origins,
    )


def _pack(sheet: Sheet, request: MotionClipRequest, packs: PackRegistry) -> PromptPack | None:
    if request.prompt_pack is None:
        return None
    try:
        return packs.named(request.prompt_pack)
    except KeyError:
        sheet.refuse(ErrorCode.PROMPT_PACK_UNKNOWN, "prompt_pack")
        return None


def _text(
    sheet: Sheet, request: MotionClipRequest, pack: PromptPack | None, asked: Sequence[StageChoice]
) -> ChainText:
    drawing = draws(asked)
    guided = any((CFG if stage.cfg is None else stage.cfg) > 1 for stage in drawing)
    return chain_text(sheet, request, pack, drawn=bool(drawing), guided=guided)


def _size(
    sheet: Sheet, request: MotionClipRequest, asked: Sequence[StageChoice]
) -> tuple[AspectRatio, int, int] | None:
    """The aspect ratio with the size of the first pictures. Attached stills that no engine touches
    are as large as a video may be; what an engine draws is as large as it draws well."""
    profile = PROFILES[request.quality_profile]
    only_rendered = all(stage.kind == "video_render" for stage in asked)
    sizes = profile.shown if only_rendered else profile.drawn
    for aspect, size in sizes.items():
        if aspect == request.aspect_ratio:
            return (aspect, *(sheet.limits.size_override_px or size))
    remedy = f"Choose {', '.join(sizes)}."
    sheet.refuse(ErrorCode.ASPECT_RATIO_UNSUPPORTED, "aspect_ratio", remedy=remedy)
    return None


def _check_seed(sheet: Sheet, request: MotionClipRequest) -> None:
    if request.seed is not None and request.seed >= SEED_SPAN:
        sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            "seed",
            sentence="A WebUI takes seeds of 32 bits.",
            remedy=f"Choose a seed up to {SEED_SPAN - 1}.",
        )


@dataclass(frozen=True, slots=True)
class _Rendered:
    """The resolved last stage, what it delivers, and the sound under it."""

    stage: VideoRenderStage
    frame: Frame
    sound: MediaOrder | None


def _render(
    chain: Chain,
    request: MotionClipRequest,
    asked: Sequence[StageChoice],
    pack: PromptPack | None,
    stages: Sequence[Stage],
) -> _Rendered | None:
    choice, at = asked[-1], len(asked) - 1
    sheet = chain.sheet
    field = "render" if request.render is not None else f"stages[{at}]"
    packed = pack.content.video.render.as_choice() if pack is not None else None
    frames = next((s for s in stages if isinstance(s, VideoFramesStage)), None)
    rendering = Rendering(
        chain.values(at, choice, packed),
        field,
        "frames" if frames is not None else "stills",
        rate_fps=frames.fps if frames is not None else None,
    )
    sound_id = choice.audio_asset_id if isinstance(choice, VideoRenderChoice) else None
    stage = render_stage(sheet, rendering, "soundtrack" if sound_id else None)
    if stage is None:
        return None
    made = next((s.count for s in stages if isinstance(s, Txt2ImgStage | Img2ImgStage)), None)
    stills = made or len(request.still_asset_ids)
    count = frames.num_frames if frames is not None else still_frames(stage, stills)
    frame = even_frame(chain.width_px, chain.height_px, stage.fps, count)
    if frame.duration_s > MAX_RENDER_S:
        sheet.refuse(
            ErrorCode.DURATION_TOO_LONG,
            field,
            sentence=f"The video would last {frame.duration_s:.0f} s.",
            remedy=f"Stay below {MAX_RENDER_S:.0f} s: fewer stills, or fewer seconds for each.",
        )
    sound = lay_sound(sheet, sound_id, f"{field}.audio_asset_id", frame)
    return _Rendered(stage, frame, sound)


def _settings(
    sheet: Sheet,
    pack: PromptPack | None,
    stages: Sequence[Stage],
    rendered: _Rendered,
) -> dict[str, Scalar]:
    """What a list of jobs shows; the resolved stages themselves are in the record."""
    frames = next((s for s in stages if isinstance(s, VideoFramesStage)), None)
    settings: dict[str, Scalar] = {
        "chain": " > ".join([*(stage.kind for stage in stages), "video_render"]),
        "delivered_file": rendered.stage.file_name,
        "duration_s": rendered.frame.duration_s,
    }
    if frames is not None:
        settings["backend"] = frames.backend
    if pack is not None:
        settings["prompt_pack"] = f"{pack.ref.name}@{pack.ref.version}"
    return {**settings, **guidance_settings(sheet)}


def _noted(sheet: Sheet, chain: Chain, stages: Sequence[Stage]) -> tuple[str, ...]:
    simulated = stages and chain.simulated
    return (*sheet.notes, *(("A simulated WebUI will make the pictures.",) if simulated else ()))
