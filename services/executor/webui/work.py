"""One WebUI step as it is worked on: its plan, the pictures it starts from, its names.

Owns the reading of those pictures, proved by their hashes. It talks to no engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from contracts import keys
from contracts.base import StoredFile
from contracts.events import Progress, StepReady
from contracts.ids import comfy_prompt_id
from contracts.lifecycle import JobState
from contracts.plan import PictureIndex, RunPlan, WebuiStep
from contracts.stages import VideoFramesStage
from runtime.media_store import MediaStore
from runtime.stamp import now
from services.executor.deps import Known
from services.executor.pace import Phase
from services.executor.work import UnfitPlan, progress_of, proved

OUTPUT = "pictures"
"""The name of a WebUI step's one output."""


@dataclass(frozen=True, slots=True)
class Work:
    """A step's attempt with everything it needs; `folder` is its place in the media store.

    `ran_already_s` is how long it ran before this process took over; None if it had not begun.
    """

    event: StepReady
    plan: RunPlan
    step: WebuiStep
    pictures: tuple[StoredFile, ...]
    prompt_id: str
    folder: str
    ran_already_s: float | None

    @property
    def by_deforum(self) -> bool:
        """Whether Deforum makes it: a job of its own, which outlives whoever asked for it."""
        config = self.step.config
        return isinstance(config, VideoFramesStage) and config.backend == "webui_deforum"

    @property
    def deadline_s(self) -> float:
        """What is left of the step's time, in seconds."""
        return max(1.0, self.step.deadline_s - (self.ran_already_s or 0.0))

    def progress(self, phase: Phase, fraction: float) -> Progress:
        """A report of how far the job is."""
        return progress_of(self.event, self.plan, self.prompt_id, phase, fraction)


async def read_work(media: MediaStore, event: StepReady, known: Known) -> Work:
    """The step's work; its job's state tells of the steps before. Raises UnfitPlan."""
    state, plan = known.state, known.plan
    step = plan.steps[event.step]
    if not isinstance(step, WebuiStep):
        raise UnfitPlan(f"step {event.step} is for ComfyUI and came on the lane {event.lane}")
    prompt_id = comfy_prompt_id(event.job_id, event.attempt, event.stage, event.segment)
    started = state.started
    ran_s = None
    if started is not None and started.comfy_prompt_id == prompt_id:
        ran_s = max(0.0, (now() - started.occurred_at).total_seconds())
    return Work(
        event=event,
        plan=plan,
        step=step,
        pictures=await _pictures(media, step, state),
        prompt_id=prompt_id,
        folder=keys.step_attempt(event.job_id, event.step, event.attempt),
        ran_already_s=ran_s,
    )


async def _pictures(media: MediaStore, step: WebuiStep, state: JobState) -> tuple[StoredFile, ...]:
    if step.from_step is None:
        return step.pictures
    if step.pictures:
        raise UnfitPlan(f"step {step.index} names pictures and an earlier step")
    done = state.finished.get(step.from_step)
    files = [o.file for o in done.result.outputs if o.name == OUTPUT] if done else []
    if len(files) != 1:
        raise UnfitPlan(f"step {step.from_step} left no pictures to go on from")
    try:
        return PictureIndex.model_validate_json(await proved(media, files[0])).pictures
    except ValidationError as error:
        raise UnfitPlan(f"{files[0].key} is no index of pictures: {error}") from error
