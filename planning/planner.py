"""The one entrance of planning: a request becomes a plan, or a refusal that names every fault.

Pure: equal arguments give equal plans. Must not hold the rules of a mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.engines import EngineSnapshot
from contracts.errors import ErrorCode, ErrorInfo, error_info
from contracts.plan import JobPlan, Mode
from planning.animate import plan_animate
from planning.assets import KnownAsset
from planning.audio_performance import plan_audio_performance
from planning.chain_shape import FALLBACK_SENTENCE, without_frames
from planning.limits import PlanLimits
from planning.motion_clip import plan_motion_clip
from planning.offers import NOT_OFFERED
from planning.pose_control import plan_pose_control
from planning.prompt_packs import PackRegistry, load_packs
from planning.registry import WorkflowRegistry
from planning.rendering import render_clip
from planning.requests import JobRequest, MotionClipRequest
from planning.sheet import Fallback, Refusal, Sheet
from planning.start_end import plan_start_end
from planning.worksheet import Worksheet

__all__ = ["JobPlan", "KnownAsset", "PlanLimits", "Refusal", "plan"]

PLANNERS: dict[Mode, Callable[[Worksheet, Any], JobPlan | None]] = {
    "animate": plan_animate,
    "audio_performance": plan_audio_performance,
    "start_end": plan_start_end,
    "pose_control": plan_pose_control,
}
"""Who plans a mode. A mode with a workflow and a line here can be asked for."""


def plan(
    request: JobRequest,
    assets: Mapping[str, KnownAsset],
    workflows: WorkflowRegistry,
    engines: Sequence[EngineSnapshot],
    seed: int,
    limits: PlanLimits | None = None,
    packs: PackRegistry | None = None,
) -> JobPlan | Refusal:
    """Everything decided about a job, or why it cannot be one.

    `assets` holds what is known of the assets that the request names (others may be in it);
    `engines` every snapshot that is known; `seed` (0 ≤ seed ≤ MAX_SEED) is used when the request
    gives none; `packs` are the prompt packs that are there, the released ones if left out. Never
    raises for anything a request can say.
    """
    shared: dict[str, Any] = {
        "assets": assets,
        "engines": engines,
        "limits": limits or PlanLimits(),
        "seed": seed if request.seed is None else request.seed,
        "drawn": seed,
    }
    if isinstance(request, MotionClipRequest):
        return _plan_chain(request, packs or load_packs(), shared)
    try:
        version = workflows.for_mode(request.mode, request.submode)
        version.manifest.profiles[request.quality_profile]
    except KeyError as error:
        return Refusal(errors=(_no_workflow(request, str(error)),))
    sheet = Worksheet(request=request, version=version, **shared)
    made = PLANNERS[request.mode](sheet, request)
    if made is not None and request.render is not None:
        made = render_clip(sheet, made, request.render)
    return made if made is not None else Refusal(errors=tuple(sheet.faults))


def _plan_chain(
    request: MotionClipRequest, packs: PackRegistry, shared: Mapping[str, Any]
) -> JobPlan | Refusal:
    sheet = Sheet(request=request, **shared)
    made = plan_motion_clip(sheet, request, packs)
    if made is not None:
        return made
    return Refusal(errors=tuple(sheet.faults), fallback=_fallback(sheet, request, packs, shared))


def _fallback(
    sheet: Sheet, request: MotionClipRequest, packs: PackRegistry, shared: Mapping[str, Any]
) -> Fallback | None:
    """A chain without frames by an extension, where that is all that was in the way."""
    if any(fault.code != ErrorCode.CAPABILITY_MISSING for fault in sheet.faults):
        return None
    other = without_frames(request, packs)
    if other is None:
        return None
    planned = plan_motion_clip(Sheet(request=other, **shared), other, packs)
    if planned is None:
        return None
    return Fallback(sentence=FALLBACK_SENTENCE, request=other, plan=planned)


def _no_workflow(request: JobRequest, detail: str) -> ErrorInfo:
    not_offered = NOT_OFFERED.get(request.mode, {}).get(request.submode or "")
    if not_offered is None:
        return error_info(ErrorCode.MODE_UNAVAILABLE, field="mode", detail=detail)
    return error_info(
        ErrorCode.SETTING_UNAVAILABLE,
        field=not_offered.field,
        sentence=not_offered.sentence,
        remedy=not_offered.remedy,
        detail=detail,
    )
