"""Resolves the stages of a chain one by one, for the engines that are known.

Each becomes the frozen stage that is run, with nothing left open. What no known WebUI can do is a
fault with the exact reason. Must not judge the order of the stages, nor render.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from contracts.base import Contract
from contracts.engines import WebuiCapabilities
from contracts.errors import ErrorCode
from contracts.plan import Origin
from contracts.stages import (
    MOST_STILLS,
    MOST_WEBUI_SEED,
    AnimateDiffOptions,
    AnimateDiffParams,
    Backend,
    BackendParams,
    DeforumOptions,
    DeforumParams,
    Img2ImgStage,
    Txt2ImgStage,
    UpscaleStage,
    VideoFramesStage,
)
from planning.chain_profiles import (
    CFG,
    FACTOR,
    FRAMES_FPS,
    NO_UPSCALER,
    NUM_FRAMES,
    PROFILES,
    SAMPLER,
    STRENGTH,
    UPSCALER,
)
from planning.chain_prompts import ChainText, check_travel, travel_of
from planning.chain_requests import (
    AnimateDiffChoice,
    FramesChoice,
    Img2ImgChoice,
    Txt2ImgChoice,
    UpscaleChoice,
    VideoFramesChoice,
)
from planning.chain_values import Values
from planning.sheet import Sheet
from planning.webui_matching import (
    BACKEND_TITLES,
    Shortfalls,
    animatediff_shortfalls,
    deforum_shortfalls,
    match_webui,
    stills_shortfalls,
    upscale_shortfalls,
)

SEED_SPAN = MOST_WEBUI_SEED + 1 - MOST_STILLS
"""Still n of a stage has its seed + n, and that too must be a seed."""


@dataclass(slots=True)
class Chain:
    """A chain while its stages are resolved. The size is that of the pictures so far, in pixels."""

    sheet: Sheet
    text: ChainText
    seed: int
    width_px: int
    height_px: int
    pack_frames: FramesChoice | None
    travels: bool
    origins: dict[str, Origin] = field(default_factory=dict)
    simulated: bool = True

    def values(self, at: int, asked: Contract, pack: Contract | None = None) -> Values:
        """The values of the stage at that place."""
        return Values(f"stages.{at}", asked, pack, self.origins)

    @property
    def still_prompt(self) -> str:
        """The prompt of stills: of a prompt that travels over frames, what stands at frame 0."""
        travel = travel_of(self.text.resolved) if self.travels else None
        return travel.first if travel else self.text.resolved

    def need(self, at: int, lacks: Shortfalls, what: str) -> WebuiCapabilities | None:
        """The capabilities of the WebUI that decides what was left open; a fault when none can."""
        found = match_webui(self.sheet.engines, lacks)
        if found.first is None:
            self.sheet.refuse(
                ErrorCode.CAPABILITY_MISSING,
                f"stages[{at}]",
                sentence=f"{what} is not available here. {' '.join(found.missing)}",
                detail="missing: " + " ".join(found.missing),
            )
            return None
        self.simulated = self.simulated and all(e.simulated for e in found.capable)
        note = "The WebUI that can make this is not reachable now; the job waits for it."
        if found.away and note not in self.sheet.notes:
            self.sheet.notes.append(note)
        return found.first


def sampling(chain: Chain, values: Values, *, prompt: str) -> dict[str, object]:
    """What every drawing stage is told; a negative prompt only where guidance reads it."""
    profile = PROFILES[chain.sheet.request.quality_profile]
    cfg = values.of("cfg", CFG)
    guided = cfg > 1
    values.set("prompt", prompt, chain.text.origin)
    values.set("negative_prompt", "", chain.text.negative_origin)
    return {
        "prompt": prompt,
        "negative_prompt": chain.text.negative if guided else "",
        "steps": values.of("steps", profile.steps),
        "cfg": cfg,
        "sampler": values.of("sampler", SAMPLER),
        "checkpoint": values.of("checkpoint", None),
        "width_px": chain.width_px,
        "height_px": chain.height_px,
    }


def txt2img_stage(chain: Chain, at: int, asked: Txt2ImgChoice) -> Txt2ImgStage | None:
    """Stills from the prompt."""
    values = chain.values(at, asked)
    told = sampling(chain, values, prompt=chain.still_prompt)
    told |= {"seed": values.set("seed", chain.seed, _seed_origin(chain))}
    told |= {"count": values.of("count", 1)}
    needed = stills_shortfalls(asked.checkpoint, asked.sampler)
    if chain.need(at, needed, "Making stills (txt2img)") is None:
        return None
    return Txt2ImgStage.model_validate(told)


def img2img_stage(chain: Chain, at: int, asked: Img2ImgChoice) -> Img2ImgStage | None:
    """Stills from the ground truth picture."""
    values = chain.values(at, asked)
    told = sampling(chain, values, prompt=chain.still_prompt)
    told |= {"seed": values.set("seed", chain.seed, _seed_origin(chain))}
    told |= {"count": values.of("count", 1), "strength": values.of("strength", STRENGTH)}
    needed = stills_shortfalls(asked.checkpoint, asked.sampler)
    if chain.need(at, needed, "Making stills (img2img)") is None:
        return None
    return Img2ImgStage.model_validate(told)


def upscale_stage(chain: Chain, at: int, asked: UpscaleChoice) -> UpscaleStage | None:
    """The stills, larger; afterwards the chain's pictures have the larger size."""
    values = chain.values(at, asked)
    there = chain.need(at, upscale_shortfalls(asked.upscaler), "Enlarging (upscale)")
    if there is None:
        return None
    factor = values.of("factor", FACTOR)
    enlarging = [name for name in there.upscalers if name != NO_UPSCALER]
    usual = UPSCALER if UPSCALER in enlarging else enlarging[0]
    chain.width_px = round(chain.width_px * factor)
    chain.height_px = round(chain.height_px * factor)
    return UpscaleStage(
        factor=factor,
        upscaler=values.of("upscaler", usual),
        width_px=chain.width_px,
        height_px=chain.height_px,
    )


def frames_stage(chain: Chain, at: int, asked: VideoFramesChoice) -> VideoFramesStage | None:
    """Frames from one picture, by the backend that is asked for and no other."""
    values = chain.values(at, asked, chain.pack_frames)
    backend: Backend = values.of("backend", "webui_animatediff")
    told = sampling(chain, values, prompt=chain.text.resolved)
    told |= {
        "backend": backend,
        "num_frames": (frames := values.of("num_frames", NUM_FRAMES)),
        "fps": values.of("fps", FRAMES_FPS),
        "strength": (strength := values.of("strength", STRENGTH)),
        **_frames_seed(chain, at, values),
    }
    _check_foreign_params(chain, at, backend, asked)
    check_travel(chain.sheet, chain.text.resolved, frames, backend, chain.text.negative)
    params = (
        _animatediff(chain, at, values, told, frames)
        if backend == "webui_animatediff"
        else _deforum(chain, at, values, told, strength)
    )
    if params is None or chain.sheet.faults:
        return None
    return VideoFramesStage.model_validate({**told, "backend_params": params})


def _seed_origin(chain: Chain) -> Origin:
    return "request" if chain.sheet.request.seed is not None else "drawn"


def _frames_seed(chain: Chain, at: int, values: Values) -> dict[str, object]:
    mode = values.of("seed_mode", "inherit")
    if mode == "fixed":
        seed = values.of("seed", None)
        if seed is None:
            chain.sheet.refuse(
                ErrorCode.SETTINGS_CONFLICT,
                f"stages[{at}].seed",
                sentence="The seed is to be fixed, and none is given.",
                remedy="Give the seed, or choose the seed mode inherit or random.",
            )
        return {"seed_mode": mode, "seed": seed or 0}
    if values.asks("seed"):
        chain.sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"stages[{at}].seed",
            sentence=f"With the seed mode {mode} a seed of its own has no effect.",
            remedy="Choose the seed mode fixed, or leave the seed out.",
        )
    if mode == "random":
        digest = hashlib.sha256(f"{chain.sheet.drawn}/stages.{at}".encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") % SEED_SPAN
        return {"seed_mode": mode, "seed": values.set("seed", drawn, "drawn")}
    return {"seed_mode": mode, "seed": values.set("seed", chain.seed, "source")}


def _check_foreign_params(chain: Chain, at: int, backend: Backend, asked: FramesChoice) -> None:
    other = "deforum" if backend == "webui_animatediff" else "animatediff"
    if asked.backend_params is not None and getattr(asked.backend_params, other) is not None:
        chain.sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"stages[{at}].backend_params.{other}",
            sentence=f"These are settings of another backend than {BACKEND_TITLES[backend]}.",
            remedy=f"Remove them, or choose the backend webui_{other}.",
        )


def _animatediff(
    chain: Chain, at: int, values: Values, told: dict[str, object], frames: int
) -> BackendParams | None:
    own = values.within("backend_params").within("animatediff")
    defaults = AnimateDiffOptions().model_dump()
    options = AnimateDiffOptions.model_validate(own.group(defaults))
    _check_context(chain, at, options, frames)
    asked = own.asked.motion_model if isinstance(own.asked, AnimateDiffChoice) else None
    packed = own.pack.motion_model if isinstance(own.pack, AnimateDiffChoice) else None
    checkpoint, sampler = told["checkpoint"], told["sampler"]
    needed = animatediff_shortfalls(
        options,
        asked or packed,
        checkpoint if isinstance(checkpoint, str) else None,
        sampler if values.asks("sampler") and isinstance(sampler, str) else None,
    )
    there = chain.need(at, needed, "Making frames with AnimateDiff")
    if there is None:
        return None
    model = own.of("motion_model", there.animatediff.motion_models[0])
    params = AnimateDiffParams(motion_model=model, **dict(options))
    return BackendParams(animatediff=params)


def _check_context(chain: Chain, at: int, options: AnimateDiffOptions, frames: int) -> None:
    context = options.context_frames or min(16, frames)
    place = f"stages[{at}].backend_params.animatediff"
    if context > frames:
        chain.sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"{place}.context_frames",
            sentence=f"A window of {context} frames is longer than the clip of {frames}.",
            remedy=f"Choose at most {min(32, frames)} context frames.",
        )
    if options.overlap >= context:
        chain.sheet.refuse(
            ErrorCode.SETTINGS_CONFLICT,
            f"{place}.overlap",
            sentence=f"Windows of {context} frames cannot overlap by {options.overlap}.",
            remedy=f"Choose an overlap below {context}.",
        )


def _deforum(
    chain: Chain, at: int, values: Values, told: dict[str, object], strength: float
) -> BackendParams | None:
    own = values.within("backend_params").within("deforum")
    options = DeforumOptions.model_validate(own.group(DeforumOptions().model_dump()))
    checkpoint, sampler = told["checkpoint"], told["sampler"]
    needed = deforum_shortfalls(
        checkpoint if isinstance(checkpoint, str) else None,
        sampler if values.asks("sampler") and isinstance(sampler, str) else None,
    )
    if chain.need(at, needed, "Making frames with Deforum") is None:
        return None
    travel = travel_of(chain.text.resolved)
    prompts = dict(travel.prompts) if travel else {0: chain.text.resolved}
    keeps = round(1 - strength, 6)
    params = DeforumParams(prompts=prompts, strength=keeps, **dict(options))
    return BackendParams(deforum=params)
