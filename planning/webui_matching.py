"""Compares what a stage chain needs with what WebUIs are known to have.

Unlike a workflow, a chain's backend is refused when no WebUI has been examined: AnimateDiff and
Deforum are there only where somebody added them. A WebUI that is away still counts. Must not speak
to an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from contracts.base import Contract
from contracts.engines import EngineSnapshot, WebuiCapabilities
from contracts.stages import AnimateDiffOptions, Backend
from planning.chain_profiles import NO_UPSCALER

BACKEND_TITLES: dict[Backend, str] = {
    "webui_animatediff": "AnimateDiff",
    "webui_deforum": "Deforum",
}
NO_WEBUI = "No WebUI is connected."
NOT_EXAMINED = "No connected WebUI has answered yet."
_ALWAYS_SENT = frozenset(
    {"model", "enable", "video_length", "fps", "format", "batch_size"}
    | {"closed_loop", "stride", "overlap"}
)
_FREEINIT = frozenset(f"freeinit_{key}" for key in ("enable", "filter", "ds", "dt", "iters"))
_RAMP = frozenset({"latent_power", "latent_scale"})

Shortfalls = Callable[[WebuiCapabilities], tuple[str, ...]]
"""What one WebUI lacks for something, in plain sentences; empty when nothing."""


@dataclass(frozen=True, slots=True)
class WebuiMatch:
    """Which WebUIs could do something. `missing` is what the closest of the others lacks."""

    capable: tuple[EngineSnapshot, ...]
    missing: tuple[str, ...]

    @property
    def first(self) -> WebuiCapabilities | None:
        """The capabilities from which what was left open is filled: those of the first by id."""
        return next((e.webui for e in self.capable), None)

    @property
    def away(self) -> bool:
        """True when one could, but none of them answers at the moment."""
        return bool(self.capable) and all(e.health == "unreachable" for e in self.capable)


def match_webui(engines: Sequence[EngineSnapshot], lacks: Shortfalls) -> WebuiMatch:
    """Which of the engines lack nothing."""
    webuis = sorted((e for e in engines if e.kind == "webui"), key=lambda e: e.engine_id)
    found = [(e, lacks(e.webui)) for e in webuis if e.webui is not None]
    capable = tuple(e for e, missing in found if not missing)
    if capable:
        return WebuiMatch(capable, ())
    if not found:
        return WebuiMatch((), (NOT_EXAMINED if webuis else NO_WEBUI,))
    return WebuiMatch((), min((missing for _, missing in found), key=len))


def stills_shortfalls(checkpoint: str | None = None, sampler: str | None = None) -> Shortfalls:
    """For txt2img and img2img, with that checkpoint and sampler if they are named."""

    def lacks(there: WebuiCapabilities) -> tuple[str, ...]:
        return (*there.missing, *_named_parts(there, checkpoint, sampler))

    return lacks


def upscale_shortfalls(upscaler: str | None = None) -> Shortfalls:
    """For upscaling with that upscaler, or with any that enlarges."""

    def lacks(there: WebuiCapabilities) -> tuple[str, ...]:
        enlarging = [name for name in there.upscalers if name != NO_UPSCALER]
        missing = list(there.missing)
        if upscaler is None and not enlarging:
            missing.append("No upscaler is installed.")
        if upscaler is not None and upscaler not in enlarging:
            missing.append(f"The upscaler '{upscaler}' is not installed.")
        return tuple(missing)

    return lacks


def animatediff_shortfalls(
    options: AnimateDiffOptions,
    motion_model: str | None = None,
    checkpoint: str | None = None,
    sampler: str | None = None,
) -> Shortfalls:
    """For AnimateDiff from a picture. Only keys that the extension shows may be sent: an unknown
    one makes it silently step aside."""

    def lacks(there: WebuiCapabilities) -> tuple[str, ...]:
        extension = there.animatediff
        missing = [*extension.missing, *_named_parts(there, checkpoint, sampler)]
        known = extension.motion_models
        if extension.usable and not known:
            missing.append("No motion model is installed.")
        if motion_model is not None and known and motion_model not in known:
            missing.append(f"The motion model '{motion_model}' is not installed.")
        shown = frozenset(extension.img2img_keys)
        if extension.usable and not shown >= _ALWAYS_SENT:
            missing.append("This AnimateDiff is of a version we do not know.")
        if extension.usable and options.freeinit is not None and not shown >= _FREEINIT:
            missing.append("This AnimateDiff has no FreeInit.")
        if extension.usable and options.latent_ramp is not None and not shown >= _RAMP:
            missing.append("This AnimateDiff has no latent ramp.")
        return tuple(missing)

    return lacks


def deforum_shortfalls(checkpoint: str | None = None, sampler: str | None = None) -> Shortfalls:
    """For Deforum."""

    def lacks(there: WebuiCapabilities) -> tuple[str, ...]:
        return (*there.deforum.missing, *_named_parts(there, checkpoint, sampler))

    return lacks


def _named_parts(
    there: WebuiCapabilities, checkpoint: str | None, sampler: str | None
) -> tuple[str, ...]:
    missing = []
    if checkpoint is not None and checkpoint not in there.checkpoints:
        missing.append(f"The checkpoint '{checkpoint}' is not installed.")
    if sampler is not None and there.samplers and sampler not in there.samplers:
        missing.append(f"The sampler '{sampler}' is not there.")
    return tuple(missing)


class BackendAvailability(Contract):
    """A part of a chain: whether it can run here, else exactly what is missing."""

    name: str
    title: str
    available: bool
    simulated: bool
    missing: tuple[str, ...]


class MotionClipAvailability(Contract):
    """What stage chains can do here. Rendering of attached stills is always there.

    The lists are what the capable WebUIs offer, for choosing; left out, a value is chosen here.
    """

    stages: tuple[BackendAvailability, ...]
    backends: tuple[BackendAvailability, ...]
    checkpoints: tuple[str, ...]
    samplers: tuple[str, ...]
    upscalers: tuple[str, ...]
    motion_models: tuple[str, ...]


def motion_clip_availability(engines: Sequence[EngineSnapshot]) -> MotionClipAvailability:
    """What can be made by stage chains here, for GET capabilities."""
    stills = match_webui(engines, stills_shortfalls())
    upscale = match_webui(engines, upscale_shortfalls())
    frames = {
        "webui_animatediff": match_webui(engines, animatediff_shortfalls(AnimateDiffOptions())),
        "webui_deforum": match_webui(engines, deforum_shortfalls()),
    }
    there = [e.webui for e in stills.capable if e.webui is not None]
    return MotionClipAvailability(
        stages=(
            _available("txt2img", "Stills from a prompt", stills),
            _available("img2img", "Stills from a picture", stills),
            _available("upscale", "Larger stills", upscale),
            BackendAvailability(
                name="video_render",
                title="Rendering",
                available=True,
                simulated=False,
                missing=(),
            ),
        ),
        backends=tuple(
            _available(name, title, frames[name]) for name, title in BACKEND_TITLES.items()
        ),
        checkpoints=_union(w.checkpoints for w in there),
        samplers=_union(w.samplers for w in there),
        upscalers=_union(
            tuple(n for n in e.webui.upscalers if n != NO_UPSCALER)
            for e in upscale.capable
            if e.webui is not None
        ),
        motion_models=_union(
            e.webui.animatediff.motion_models
            for e in frames["webui_animatediff"].capable
            if e.webui is not None
        ),
    )


def _available(name: str, title: str, found: WebuiMatch) -> BackendAvailability:
    return BackendAvailability(
        name=name,
        title=title,
        available=bool(found.capable),
        simulated=bool(found.capable) and all(e.simulated for e in found.capable),
        missing=found.missing,
    )


def _union(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in lists for name in names}))
