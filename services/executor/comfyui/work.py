"""One step as it is worked on: its plan, its bound graph, its names. Read once per delivery.

Owns the reading of the graph, proved by its hash. It talks to no engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts import keys
from contracts.base import StoredFile, canonical_bytes
from contracts.events import PicturedProgress, Progress, StepReady
from contracts.ids import comfy_prompt_id
from contracts.plan import RunPlan, Step, StepUpload
from runtime.media_store import MediaStore
from services.executor.comfyui.graphs import Graph, bind, checkpoints_of, read_graph
from services.executor.deps import Known
from services.executor.pace import Phase
from services.executor.work import UnfitPlan, progress_of, proved


@dataclass(frozen=True, slots=True)
class Work:
    """A step's attempt with everything it needs; `folder` is its place in the media store.

    `uploads`: its media, and the checkpoints that earlier steps left for it.
    """

    event: StepReady
    plan: RunPlan
    step: Step
    graph: Graph
    uploads: tuple[StepUpload, ...]
    prompt_id: str
    folder: str

    def progress(self, phase: Phase, fraction: float, live_preview: int = 0) -> Progress:
        """A report of how far the job is; `live_preview` counts the pictures shown of it."""
        told = progress_of(self.event, self.plan, self.prompt_id, phase, fraction)
        if not live_preview:
            return told
        return PicturedProgress(**told.model_dump(exclude={"version"}), live_preview=live_preview)


async def read_work(media: MediaStore, event: StepReady, known: Known) -> Work:
    """The step's work with its graph bound to this attempt; its job's state tells of the steps
    before.

    Raises UnfitPlan.
    """
    plan = known.plan
    step = plan.steps[event.step]
    if not isinstance(step, Step):
        raise UnfitPlan(f"step {event.step} is for a WebUI and came on the lane {event.lane}")
    graph = read_graph(await proved(media, step.graph))
    carried = checkpoints_of(step, {n: done.result for n, done in known.state.finished.items()})
    bound = bind(graph, step, job_id=event.job_id, attempt=event.attempt, checkpoints=carried)
    return Work(
        event=event,
        plan=plan,
        step=step,
        graph=bound,
        uploads=(*step.uploads, *carried),
        prompt_id=comfy_prompt_id(event.job_id, event.attempt, event.stage, event.segment),
        folder=keys.step_attempt(event.job_id, event.step, event.attempt),
    )


async def store_graph(media: MediaStore, work: Work) -> StoredFile:
    """The graph as submitted, in the attempt's folder; the same bytes however often it is done."""
    return await media.put_bytes(f"{work.folder}/graph.json", canonical_bytes(work.graph))
