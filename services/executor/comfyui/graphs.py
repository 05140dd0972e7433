"""A step's graph as it is submitted: slots filled, uploads checked against it.

Pure. The executor infers nothing: a value stands in the graph or in a named slot, or the step
is refused.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from contracts.plan import Step, StepResult, StepUpload
from services.executor.work import UnfitPlan

Graph = dict[str, dict[str, Any]]
CHECKPOINT_FOLDER = "animatrix"
"""Checkpoints lie among the engine's inputs by content, as the media do."""
_EXTENSION = re.compile(r"^[a-z0-9]{1,8}$")


class UnfitGraph(UnfitPlan):
    """Graph and run plan contradict each other; the sentence is for operators."""


def read_graph(data: bytes) -> Graph:
    """The graph in API form: node id → {class_type, inputs}. Raises UnfitGraph."""
    try:
        graph = json.loads(data)
    except ValueError as error:
        raise UnfitGraph(f"the graph is not JSON: {error}") from error
    if not isinstance(graph, dict) or not graph:
        raise UnfitGraph("the graph is not an object of nodes")
    for node, told in graph.items():
        if not isinstance(told, dict) or not isinstance(told.get("inputs"), dict):
            raise UnfitGraph(f"node {node} has no inputs")
    return graph


def output_prefix(job_id: str, step: int, attempt: int) -> str:
    """Where the engine puts an attempt's files, below its output folder."""
    return f"animatrix/{job_id}/s{step}-a{attempt}"


def checkpoints_of(step: Step, finished: Mapping[int, StepResult]) -> tuple[StepUpload, ...]:
    """The files of earlier steps that the step's graph loads, to be uploaded like any input.

    They come from the media store, so it does not matter which engine made them, nor whether it
    kept them. Raises UnfitGraph when an earlier step yielded no such file.
    """
    uploads = []
    for wanted in step.checkpoints:
        result = finished.get(wanted.step)
        files = [o.file for o in result.outputs if o.name == wanted.output] if result else []
        if not files:
            raise UnfitGraph(f"step {wanted.step} left no {wanted.output} to go on from")
        suffix = PurePosixPath(files[0].key).suffix
        uploads.append(
            StepUpload(
                source=files[0],
                engine_subfolder=CHECKPOINT_FOLDER,
                engine_filename=f"{files[0].sha256}{suffix}",
                at=wanted.at,
            )
        )
    return tuple(uploads)


def bind(
    graph: Graph,
    step: Step,
    *,
    job_id: str,
    attempt: int,
    checkpoints: tuple[StepUpload, ...] = (),
) -> Graph:
    """A copy of the graph with the attempt's slots and checkpoints filled. Raises UnfitGraph."""
    bound = copy.deepcopy(graph)
    for checkpoint in checkpoints:
        for place in checkpoint.at:
            name = f"{checkpoint.engine_subfolder}/{checkpoint.engine_filename}"
            _inputs(bound, place.node)[place.input] = name
    values = {"output_prefix": output_prefix(job_id, step.index, attempt)}
    for slot in step.slots:
        inputs = _inputs(bound, slot.at.node)
        if slot.at.input not in inputs:
            raise UnfitGraph(f"node {slot.at.node} has no input {slot.at.input} for {slot.name}")
        inputs[slot.at.input] = values[slot.name]
    for upload in step.uploads:
        check_upload(bound, upload)
    for output in step.outputs:
        _inputs(bound, output.node)
    return bound


def check_upload(graph: Graph, upload: StepUpload) -> None:
    """Raises UnfitGraph unless every place of the upload names the file that will be there."""
    expected = f"{upload.engine_subfolder}/{upload.engine_filename}"
    for place in upload.at:
        found = _inputs(graph, place.node).get(place.input)
        if found != expected:
            raise UnfitGraph(f"node {place.node}.{place.input} is {found!r}, not {expected!r}")


def extension_of(filename: str, media: str) -> str:
    """The extension to store an output under; a plain one when the engine's name is odd."""
    _, _, tail = filename.lower().rpartition(".")
    return tail if _EXTENSION.match(tail) else {"video": "mp4", "image": "png"}.get(media, "bin")


def _inputs(graph: Graph, node: str) -> dict[str, Any]:
    try:
        inputs: dict[str, Any] = graph[node]["inputs"]
    except KeyError as error:
        raise UnfitGraph(f"the graph has no node {node}") from error
    return inputs
