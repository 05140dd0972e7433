"""Binds a pinned workflow version: parameters, switches and media into a graph, by its bindings.

Pure and deterministic: equal inputs give equal bytes in every process. Must not decide any value:
a stage is fully resolved.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from contracts.base import Scalar, StoredFile, canonical_bytes
from contracts.media import PreparedMedia
from contracts.plan import ExpectedOutput, NodeInput, StepSlot, StepUpload
from contracts.stages import ComfyWorkflowStage, Segment
from planning.segments import segment_values
from planning.workflow import Bindings, Graph, GraphPart, WorkflowVersion

ENGINE_SUBFOLDER = "animatrix"
"""Inputs lie here by content: a full input folder itself would stall the engine's answers."""


SEEDS = 2**53
"""Seeds are below this: what a browser's numbers hold exactly."""


class BindingFailed(ValueError):
    """A stage and its workflow version do not fit together; the sentence is for operators."""


@dataclass(frozen=True, slots=True)
class BoundGraph:
    """A graph with everything in it but the slots of an attempt, and what goes with it.

    `checkpoints`: outputs of the segment before (by name) and the inputs that load them.
    """

    graph: Graph
    uploads: tuple[StepUpload, ...]
    slots: tuple[StepSlot, ...]
    outputs: tuple[ExpectedOutput, ...]
    checkpoints: Mapping[str, tuple[NodeInput, ...]]

    @property
    def graph_bytes(self) -> bytes:
        """The canonical bytes of the graph, as they are stored and hashed."""
        return canonical_bytes(self.graph)


def bind(
    version: WorkflowVersion,
    stage: ComfyWorkflowStage,
    segment: Segment,
    prepared: Sequence[PreparedMedia],
) -> BoundGraph:
    """The graph of one segment of a stage.

    Raises BindingFailed when the stage pinned another version, lacks or exceeds the parameters of
    the bindings, or names a medium that was not prepared.
    """
    if stage.workflow != version.ref:
        raise BindingFailed(f"the stage pinned {stage.workflow}, bound against {version.ref}")
    if segment.index > 0 and version.continuation is None:
        raise BindingFailed(f"{version.ref.name} has no graph for segment {segment.index}")
    part = version.parts[min(segment.index, 1)]
    bindings = part.bindings
    switches = {k: v for k, v in stage.parameters.items() if k in bindings.switches}
    graph = switch_nodes(part, switches)
    _set_parameters(graph, bindings, stage.parameters, _derived(version, stage, segment))
    uploads = _set_media(graph, bindings, stage, prepared)
    goes_on = any(other.index > segment.index for other in stage.segments)
    outputs = tuple(
        ExpectedOutput(
            name=name,
            node=output.node,
            media=output.media,
            frames=(output.frames or segment.frames) if output.media == "video" else None,
        )
        for name, output in bindings.outputs.items()
        if goes_on or output.media != "latent"
    )
    graph = _leading_to(graph, [output.node for output in outputs])
    slots = tuple(
        StepSlot(name=name, at=place)
        for name, places in bindings.slots.items()
        for place in places
        if place.node in graph
    )
    return BoundGraph(
        graph=graph,
        uploads=uploads,
        slots=slots,
        outputs=outputs,
        checkpoints=bindings.checkpoints,
    )


def switch_nodes(part: GraphPart | WorkflowVersion, switches: Mapping[str, Scalar]) -> Graph:
    """A copy of the graph without the nodes that are switched off.

    What read a removed node reads what the node itself passed on, so a file that only it loads is
    never needed. Raises BindingFailed when a switch is missing or not a bool.
    """
    graph = copy.deepcopy(part.graph)
    for name, switch in part.bindings.switches.items():
        on = switches.get(name)
        if not isinstance(on, bool):
            raise BindingFailed(f"switch {name} is {on!r}, not true or false")
        if on:
            continue
        passed = graph.pop(switch.node)["inputs"][switch.passes]
        for node in graph.values():
            for key, value in node["inputs"].items():
                if isinstance(value, list) and value[0] == switch.node:
                    node["inputs"][key] = list(passed)
    return graph


def engine_filename(file: StoredFile) -> str:
    """The name of a medium in the engine's input folder: its hash and its extension."""
    return f"{file.sha256}{PurePosixPath(file.key).suffix}"


def _derived(
    version: WorkflowVersion, stage: ComfyWorkflowStage, segment: Segment
) -> dict[str, Scalar]:
    """Values that follow from the stage's size and the segment; each segment has its own noise."""
    try:
        values = segment_values(segment, version.manifest.frames)
    except ValueError as error:
        raise BindingFailed(f"segment {segment.index}: {error}") from error
    derived: dict[str, Scalar] = {
        "width": stage.width_px,
        "height": stage.height_px,
        "fps": float(stage.fps),
        **values,
    }
    if "seed" in stage.parameters:
        derived["seed"] = (int(stage.parameters["seed"]) + segment.index) % SEEDS
    return derived


def _set_parameters(
    graph: Graph, bindings: Bindings, given: Mapping[str, Scalar], derived: Mapping[str, Scalar]
) -> None:
    """Every parameter of the stage must be bound, and every binding must get a value."""
    asked = {k: v for k, v in given.items() if k not in bindings.switches}
    values = {**asked, **derived}
    odd = (set(asked) - set(bindings.parameters)) | (set(bindings.parameters) - set(values))
    if odd:
        raise BindingFailed(f"parameters of stage and bindings differ in {', '.join(sorted(odd))}")
    for name, places in bindings.parameters.items():
        for place in places:
            graph[place.node]["inputs"][place.input] = values[name]


def _set_media(
    graph: Graph,
    bindings: Bindings,
    stage: ComfyWorkflowStage,
    prepared: Sequence[PreparedMedia],
) -> tuple[StepUpload, ...]:
    by_role = {(p.role, p.index): p for p in prepared}
    bound = bindings.media
    given = {m.parameter for m in stage.media}
    if not {k for k, m in bound.items() if not m.optional} <= given <= set(bound):
        raise BindingFailed(f"media of stage and bindings differ: {sorted(bound)}")
    for absent in sorted(bound.keys() - given):
        _take_out(graph, {place.node for place in bound[absent].at})
    uploads = []
    for medium in stage.media:
        found = by_role.get((medium.role, medium.index))
        if found is None:
            raise BindingFailed(f"{medium.role} {medium.index} was not prepared")
        binding = bound[medium.parameter]
        if found.facts.kind != binding.kind:
            raise BindingFailed(f"{medium.parameter} is {found.facts.kind}, not {binding.kind}")
        name = engine_filename(found.file)
        for place in binding.at:
            graph[place.node]["inputs"][place.input] = f"{ENGINE_SUBFOLDER}/{name}"
        uploads.append(
            StepUpload(
                source=found.file,
                engine_subfolder=ENGINE_SUBFOLDER,
                engine_filename=name,
                at=binding.at,
            )
        )
    return tuple(uploads)


def _take_out(graph: Graph, nodes: set[str]) -> None:
    """Removes nodes and every link to them: inputs that may be absent are then absent."""
    for name in nodes:
        del graph[name]
    for node in graph.values():
        node["inputs"] = {k: v for k, v in node["inputs"].items() if _source(v) not in nodes}


def _leading_to(graph: Graph, ends: Sequence[str]) -> Graph:
    """The part of the graph that the end nodes depend on, in the graph's order."""
    reached: set[str] = set()
    open_ = list(ends)
    while open_:
        name = open_.pop()
        if name in reached:
            continue
        reached.add(name)
        inputs = graph[name]["inputs"].values()
        open_ += [source for value in inputs if (source := _source(value)) is not None]
    return {name: node for name, node in graph.items() if name in reached}


def _source(value: object) -> str | None:
    return str(value[0]) if isinstance(value, list) else None
