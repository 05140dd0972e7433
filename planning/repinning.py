"""The same plan on another version of its workflow, where that version can take it.

Pure. Nothing is planned anew: prompt, seed, media, size and segments stay. Must not decide whether
a job may be made again.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.media import PreparedMedia
from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.binding import BindingFailed, bind
from planning.registry import WorkflowRegistry
from planning.workflow import WorkflowVersion


class Unfit(ValueError):
    """The version is not released, or cannot take the plan; the sentence is for operators."""


def repinned(
    plan: JobPlan, version: str, workflows: WorkflowRegistry, prepared: Sequence[PreparedMedia]
) -> JobPlan:
    """The plan with every workflow stage pinned to `version` of the workflow that it names.

    Each segment is bound once to see that it fits; the graphs are thrown away. Raises Unfit.
    """
    stages = [
        _repinned(stage, version, workflows, prepared)
        if isinstance(stage, ComfyWorkflowStage)
        else stage
        for stage in plan.stages
    ]
    if tuple(stages) == plan.stages and not any(
        isinstance(stage, ComfyWorkflowStage) for stage in stages
    ):
        raise Unfit("the job runs no workflow")
    return plan.model_copy(update={"stages": tuple(stages)})


def _repinned(
    stage: ComfyWorkflowStage,
    version: str,
    workflows: WorkflowRegistry,
    prepared: Sequence[PreparedMedia],
) -> ComfyWorkflowStage:
    wanted = _released(stage.workflow.name, version, workflows)
    pinned = stage.model_copy(update={"workflow": wanted.ref})
    try:
        for segment in pinned.segments:
            bind(wanted, pinned, segment, tuple(prepared))
    except BindingFailed as unfit:
        raise Unfit(f"{stage.workflow.name} {version} cannot take this plan: {unfit}") from unfit
    return pinned


def _released(name: str, version: str, workflows: WorkflowRegistry) -> WorkflowVersion:
    versions = {v.ref.version: v for v in workflows.versions if v.ref.name == name}
    if version not in versions:
        raise Unfit(f"{name} is released as {', '.join(versions)}, not as {version}")
    return versions[version]
