"""Compares what workflows need with what engines are known to have.

A mode is refused only when every known engine lacks something; an engine that is away still
counts, and so does one that was never examined. Must not speak to an engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.base import Contract
from contracts.engines import EngineSnapshot
from contracts.plan import AspectRatio, Mode, QualityProfile
from planning.limits import PlanLimits
from planning.needs import shortfalls
from planning.offers import NOT_OFFERED
from planning.profiles import switches_of, wired_settings
from planning.registry import WorkflowRegistry
from planning.sizes import size_of
from planning.workflow import Profile, WorkflowVersion


class ProfileAvailability(Contract):
    """A quality profile of a mode: whether it can run, its settings with a wire, its limits."""

    profile: QualityProfile
    available: bool
    missing: tuple[str, ...]
    lane: str
    settings: tuple[str, ...]
    sizes: dict[AspectRatio, tuple[int, int]]
    fps: int
    min_duration_s: float
    max_duration_s: float
    max_extension_segments: int


class SubmodeAvailability(Contract):
    """One workflow of a mode (`submode` None where the mode has only one)."""

    submode: str | None
    title: str
    workflow: str
    version: str
    available: bool
    missing: tuple[str, ...]
    profiles: tuple[ProfileAvailability, ...]


class ModeAvailability(Contract):
    """A mode: whether any of it can run here, and in plain words what is missing.

    `simulated` is true when everything that could run it is a simulated engine. `not_offered`: what
    its name may promise and nothing here makes.
    """

    mode: Mode
    available: bool
    simulated: bool
    missing: tuple[str, ...]
    submodes: tuple[SubmodeAvailability, ...]
    not_offered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Which engines could run something. `missing` is what the closest of the others lacks."""

    capable: tuple[EngineSnapshot, ...]
    unexamined: bool
    missing: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """True when every known engine was examined and lacks something."""
        return not self.capable and not self.unexamined

    @property
    def away(self) -> bool:
        """True when an engine could run it, but none of them answers at the moment."""
        return bool(self.capable) and all(e.health == "unreachable" for e in self.capable)


def match(
    version: WorkflowVersion,
    profile: Profile,
    switches: Mapping[str, bool],
    engines: Sequence[EngineSnapshot],
) -> Match:
    """Which engines could run a version with a profile.

    Without any known engine of the right kind nothing is refused: the job may wait for one.
    """
    right_kind = [e for e in engines if e.kind == version.manifest.engine_kind]
    examined = [e for e in right_kind if e.node_classes]
    lacking = {e.engine_id: shortfalls(version, profile, switches, e) for e in examined}
    capable = tuple(e for e in examined if not lacking[e.engine_id])
    closest = min(lacking, key=lambda k: (len(lacking[k]), k), default=None)
    return Match(
        capable=capable,
        unexamined=len(examined) < len(right_kind) or not right_kind,
        missing=() if capable or closest is None else lacking[closest],
    )


def engine_lanes(workflows: WorkflowRegistry, engine: EngineSnapshot) -> tuple[str, ...]:
    """The lanes on which an engine can run at least one released version, in order.

    Two workflows of a family share a lane: whether a given step fits is `graph_shortfalls`.
    """
    if engine.kind == "webui":
        return _webui_lanes(engine)
    return tuple(
        sorted(
            {
                version.lane(profile.precision)
                for version in workflows.versions
                for profile in version.manifest.profiles.values()
                if version.manifest.engine_kind == engine.kind
                and not shortfalls(version, profile, switches_of(version, profile), engine)
            }
        )
    )


def _webui_lanes(engine: EngineSnapshot) -> tuple[str, ...]:
    there = engine.webui
    if there is None:
        return ()
    usable = {
        "webui-stills": there.usable,
        "webui-animatediff": there.animatediff.usable,
        "webui-deforum": there.deforum.usable,
    }
    return tuple(sorted(lane for lane, can in usable.items() if can))


def mode_availability(
    workflows: WorkflowRegistry,
    engines: Sequence[EngineSnapshot],
    limits: PlanLimits | None = None,
) -> list[ModeAvailability]:
    """What can be made here with the active workflows, for GET capabilities."""
    override_px = (limits or PlanLimits()).size_override_px
    by_mode: dict[Mode, list[WorkflowVersion]] = {}
    for version in workflows.active:
        by_mode.setdefault(version.manifest.mode, []).append(version)
    result = []
    for mode, versions in by_mode.items():
        parts = tuple(
            _submode(v, engines, override_px)
            for v in sorted(versions, key=lambda v: v.manifest.title)
        )
        capable = [e for v in versions for e in _capable(v, engines)]
        result.append(
            ModeAvailability(
                mode=mode,
                available=any(p.available for p in parts),
                simulated=bool(capable) and all(e.simulated for e in capable),
                missing=() if any(p.available for p in parts) else parts[0].missing,
                submodes=parts,
                not_offered=tuple(o.sentence for o in NOT_OFFERED.get(mode, {}).values()),
            )
        )
    return result


def _capable(version: WorkflowVersion, engines: Sequence[EngineSnapshot]) -> list[EngineSnapshot]:
    return [
        e
        for profile in version.manifest.profiles.values()
        for e in match(version, profile, switches_of(version, profile), engines).capable
    ]


def _submode(
    version: WorkflowVersion,
    engines: Sequence[EngineSnapshot],
    override_px: tuple[int, int] | None,
) -> SubmodeAvailability:
    profiles = tuple(
        _profile(version, name, profile, engines, override_px)
        for name, profile in version.manifest.profiles.items()
    )
    available = any(p.available for p in profiles)
    fewest = min(profiles, key=lambda p: len(p.missing))
    return SubmodeAvailability(
        submode=version.manifest.submode,
        title=version.manifest.title,
        workflow=version.ref.name,
        version=version.ref.version,
        available=available,
        missing=() if available else fewest.missing,
        profiles=profiles,
    )


def _profile(
    version: WorkflowVersion,
    name: QualityProfile,
    profile: Profile,
    engines: Sequence[EngineSnapshot],
    override_px: tuple[int, int] | None,
) -> ProfileAvailability:
    found = match(version, profile, switches_of(version, profile), engines)
    rule = version.manifest.frames
    settings = tuple(
        s
        for s in wired_settings(version, profile)
        if s not in version.bindings.switches
        or not match(version, profile, switches_of(version, profile, **{s: True}), engines).refused
    )
    sizes = {}
    for aspect in profile.sizes:
        sized = size_of(profile, aspect, override_px)
        if sized is not None:
            sizes[aspect] = sized[1:]
    return ProfileAvailability(
        profile=name,
        available=not found.refused,
        missing=found.missing if found.refused else (),
        lane=version.lane(profile.precision),
        settings=settings,
        sizes=sizes,
        fps=rule.fps,
        min_duration_s=rule.frames_min / rule.fps,
        max_duration_s=rule.duration_max_s,
        max_extension_segments=rule.segments_max - 1,
    )
