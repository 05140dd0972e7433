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


class KeptGraph:
    """The graph as submitted, as a file in the attempt's folder: stored once by this process, with
    the same bytes however often it is done."""

    def __init__(self, media: MediaStore, key: str, graph: Graph) -> None:
        """Nothing is stored yet."""
        self._media, self._key, self._graph = media, key, graph
        self._stored: StoredFile | None = None

    async def stored(self) -> StoredFile:
        """The file, once it lies in the media store."""
        if self._stored is None:
            self._stored = await self._media.put_bytes(self._key, canonical_bytes(self._graph))
        return self._stored


@dataclass(frozen=True, slots=True)
class Work:
    """A step's attempt with everything it needs; `folder` is its place in the media store.

    `uploads`: its media, and the checkpoints that earlier steps left for it.
    """

    event: StepReady
    plan: RunPlan
    step: Step
    graph: Graph
    kept: KeptGraph
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
    folder = keys.step_attempt(event.job_id, event.step, event.attempt)
    return Work(
        event=event,
        plan=plan,
        step=step,
        graph=bound,
        kept=KeptGraph(media, f"{folder}/graph.json", bound),
        uploads=(*step.uploads, *carried),
        prompt_id=comfy_prompt_id(event.job_id, event.attempt, event.stage, event.segment),
        folder=folder,
    )
