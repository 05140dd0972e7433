"""The run plan of a step, read once per delivery and proved by its hash.

Owns what steps of every kind have in common. It talks to no engine.
"""

from __future__ import annotations

from pydantic import ValidationError

from contracts.base import StoredFile, sha256_hex
from contracts.events import Progress, StepReady
from contracts.plan import RunPlan
from runtime.media_store import MediaMissing, MediaStore
from runtime.stamp import now
from services.executor.pace import Phase


class UnfitPlan(ValueError):
    """What the run plan says cannot be carried out as it stands; the sentence is for operators."""


async def read_plan(media: MediaStore, event: StepReady) -> RunPlan:
    """The run plan that the event names. Raises UnfitPlan when it is absent or contradicts it."""
    try:
        plan = RunPlan.model_validate_json(await proved(media, event.run_plan))
    except ValidationError as error:
        raise UnfitPlan(f"the run plan is unreadable: {error}") from error
    steps = [step.index for step in plan.steps]
    if plan.job_id != event.job_id or steps != list(range(event.steps)):
        raise UnfitPlan(f"the run plan is of job {plan.job_id} with steps {steps}")
    step = plan.steps[event.step]
    if (step.lane, step.stage, step.segment) != (event.lane, event.stage, event.segment):
        raise UnfitPlan(f"step {event.step} of the run plan is not the one that is ready")
    return plan


async def proved(media: MediaStore, file: StoredFile) -> bytes:
    """The bytes of a stored file. Raises UnfitPlan when they are gone or others."""
    try:
        data = await media.read_bytes(file.key)
    except MediaMissing as gone:
        raise UnfitPlan(f"{file.key} is not in the media store") from gone
    if sha256_hex(data) != file.sha256:
        raise UnfitPlan(f"{file.key} is not what was stored under its hash")
    return data


def progress_of(
    event: StepReady, plan: RunPlan, prompt_id: str, phase: Phase, fraction: float
) -> Progress:
    """A report of how far the job is; segments are counted within the step's stage.

    Rendering is the step after those of engines.
    """
    segments = sum(1 for step in plan.steps if step.stage == event.stage)
    return Progress(
        job_id=event.job_id,
        at=now(),
        step=event.step,
        steps=event.steps + (plan.render is not None),
        segment=event.segment,
        segments=max(segments, event.segment + 1),
        fraction=fraction,
        phase=phase,
        comfy_prompt_id=prompt_id,
    )
