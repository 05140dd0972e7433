"""What is asked of the engine for a stage, and the record of it.

Pure. Owns the translation of a resolved stage into what the client sends. It chooses nothing: a
value stands in the stage, or the client's own fixed one is sent. The client refuses what would
break the server.
"""

from __future__ import annotations

from typing import Any

from contracts.base import StoredFile
from contracts.stages import (
    AnimateDiffParams,
    Img2ImgStage,
    LatentRampParams,
    Sampling,
    Txt2ImgStage,
    UpscaleStage,
    VideoFramesStage,
    WebuiStage,
)
from engines.webui import (
    AnimateDiffSettings,
    DeforumSettings,
    FreeInit,
    Img2Img,
    LatentRamp,
    Txt2Img,
    Upscale,
)
from services.executor.work import UnfitPlan

_PICTURE_KEYS = frozenset({"init_images", "imageList", "init_image"})


def asked_of(config: WebuiStage, pictures: tuple[bytes, ...]) -> Txt2Img | Upscale:
    """The call for a stage and the picture files it starts from.

    Raises UnfitPlan for pictures that the stage cannot start from, UnfitSettings.
    """
    match config:
        case Txt2ImgStage(count=count):
            if pictures:
                raise UnfitPlan("txt2img starts from no picture")
            return Txt2Img(count=count, **_sampling(config))
        case Img2ImgStage(count=count, strength=strength):
            init = _only(pictures)
            return Img2Img(count=count, init_image=init, strength=strength, **_sampling(config))
        case UpscaleStage(factor=factor, upscaler=upscaler):
            return Upscale(images=pictures, factor=factor, upscaler=upscaler)
        case VideoFramesStage(strength=strength):
            init = _only(pictures)
            return Img2Img(count=1, init_image=init, strength=strength, **_sampling(config))


def animation_of(config: VideoFramesStage) -> AnimateDiffSettings:
    """What AnimateDiff is asked for. Raises UnfitPlan, UnfitSettings."""
    params = config.backend_params.animatediff
    if params is None:
        raise UnfitPlan(f"a stage of {config.backend} has no AnimateDiff parameters")
    return AnimateDiffSettings(
        model=params.motion_model,
        frames=config.num_frames,
        fps=config.fps,
        context_frames=params.context_frames,
        closed_loop=params.closed_loop,
        stride=params.stride,
        overlap=params.overlap,
        freeinit=_freeinit(params),
        first=_ramp(params.latent_ramp),
    )


def deforum_of(
    config: VideoFramesStage, batch_name: str, init_image: str | None
) -> DeforumSettings:
    """What Deforum is asked for; `init_image` is a path on the server.

    Raises UnfitPlan, UnfitSettings.
    """
    params = config.backend_params.deforum
    if params is None:
        raise UnfitPlan(f"a stage of {config.backend} has no Deforum parameters")
    return DeforumSettings(
        batch_name=batch_name,
        prompts=params.prompts,
        negative_prompt=config.negative_prompt,
        width_px=config.width_px,
        height_px=config.height_px,
        max_frames=config.num_frames,
        fps=config.fps,
        seed=config.seed,
        seed_behavior=params.seed_behavior,
        steps=config.steps,
        cfg_scale=config.cfg,
        sampler=config.sampler,
        animation_mode=params.animation_mode,
        strength=params.strength,
        schedules={str(name): text for name, text in params.schedules.items()},
        init_image=init_image,
    )


def record(
    route: str, body: dict[str, Any], pictures: tuple[StoredFile, ...], checkpoint: str | None
) -> dict[str, Any]:
    """The request as it is sent, its pictures left out by hash."""
    return {
        "route": route,
        "checkpoint": checkpoint,
        "pictures": [picture.sha256 for picture in pictures],
        "body": {key: value for key, value in body.items() if key not in _PICTURE_KEYS},
    }


def _only(pictures: tuple[bytes, ...]) -> bytes:
    if len(pictures) != 1:
        raise UnfitPlan(f"the stage starts from one picture and was given {len(pictures)}")
    return pictures[0]


def _sampling(config: Sampling) -> dict[str, Any]:
    return {
        "prompt": config.prompt,
        "negative_prompt": config.negative_prompt,
        "seed": config.seed,
        "steps": config.steps,
        "cfg_scale": config.cfg,
        "width_px": config.width_px,
        "height_px": config.height_px,
        "sampler": config.sampler,
    }


def _freeinit(params: AnimateDiffParams) -> FreeInit | None:
    told = params.freeinit
    return FreeInit(told.filter, told.ds, told.dt, told.iters) if told is not None else None


def _ramp(told: LatentRampParams | None) -> LatentRamp | None:
    return LatentRamp(told.power, told.scale) if told is not None else None
