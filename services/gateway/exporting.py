"""What of a job any ComfyUI can run by itself: its graphs and the files they load. Pure.

A step that ran is exported as it was sent; one that did not, as it was planned. Must not read a
file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel

from contracts.base import StoredFile
from contracts.plan import NodeInput, RunPlan, Step, StepResult

CHECKPOINT_FOLDER = "animatrix"
"""Where executors put what a step left for the next one, and so where its graph looks for it."""


class ExportInput(BaseModel):
    """A file that a graph loads: where it goes below ComfyUI's input folder, and who loads it."""

    subfolder: str
    filename: str
    sha256: str
    size_bytes: int
    url: str
    at: list[NodeInput]


class ExportStep(BaseModel):
    """One graph in ComfyUI's API form. `ran` is true when it is what an engine was sent.

    `prefix_at` are the inputs that name the saved files; `outputs` the nodes that save them.
    """

    step: int
    segment: int
    ran: bool
    graph_sha256: str
    graph_url: str
    inputs: list[ExportInput]
    prefix_at: list[NodeInput]
    outputs: dict[str, str]


class Export(BaseModel):
    """Everything of a job that any ComfyUI can run. `left_out` says in words what is not in it."""

    job_id: str
    steps: list[ExportStep]
    left_out: list[str]


def export_of(plan: RunPlan, finished: Mapping[int, StepResult]) -> Export:
    """The job's graphs and inputs; a step that goes on from one that never ran is left out."""
    steps, left_out = [], []
    for step in plan.steps:
        if not isinstance(step, Step):
            left_out.append(f"Step {step.index + 1} does not run on ComfyUI.")
            continue
        absent = [c.step + 1 for c in step.checkpoints if _left(finished, c.step, c.output) is None]
        if absent:
            left_out.append(
                f"Step {step.index + 1} goes on from what step {absent[0]} leaves, which has not "
                "run yet."
            )
            continue
        steps.append(_step(plan.job_id, step, finished))
    return Export(job_id=plan.job_id, steps=steps, left_out=left_out)


def exported_files(plan: RunPlan, finished: Mapping[int, StepResult]) -> dict[str, StoredFile]:
    """The files that the URLs of an export name, by sha256."""
    found: dict[str, StoredFile] = {}
    for step in plan.comfy_steps:
        files = [_graph(step, finished), *(upload.source for upload in step.uploads)]
        left = [_left(finished, c.step, c.output) for c in step.checkpoints]
        for file in [*files, *(file for file in left if file is not None)]:
            found[file.sha256] = file
    return found


def _step(job_id: str, step: Step, finished: Mapping[int, StepResult]) -> ExportStep:
    inputs = [
        _input(job_id, u.source, u.engine_subfolder, u.engine_filename, list(u.at))
        for u in step.uploads
    ]
    for checkpoint in step.checkpoints:
        file = _left(finished, checkpoint.step, checkpoint.output)
        if file is not None:
            name = f"{file.sha256}{PurePosixPath(file.key).suffix}"
            inputs.append(_input(job_id, file, CHECKPOINT_FOLDER, name, list(checkpoint.at)))
    graph = _graph(step, finished)
    return ExportStep(
        step=step.index,
        segment=step.segment,
        ran=step.index in finished,
        graph_sha256=graph.sha256,
        graph_url=_url(job_id, graph),
        inputs=inputs,
        prefix_at=[slot.at for slot in step.slots if slot.name == "output_prefix"],
        outputs={output.name: output.node for output in step.outputs},
    )


def _graph(step: Step, finished: Mapping[int, StepResult]) -> StoredFile:
    return finished[step.index].graph if step.index in finished else step.graph


def _left(finished: Mapping[int, StepResult], step: int, output: str) -> StoredFile | None:
    result = finished.get(step)
    files = [o.file for o in result.outputs if o.name == output] if result else []
    return files[0] if files else None


def _input(
    job_id: str, file: StoredFile, subfolder: str, filename: str, at: list[NodeInput]
) -> ExportInput:
    return ExportInput(
        subfolder=subfolder,
        filename=filename,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        url=_url(job_id, file),
        at=at,
    )


def _url(job_id: str, file: StoredFile) -> str:
    return f"/api/jobs/{job_id}/export/{file.sha256}"
