"""What a workflow needs of an engine, and which of it an engine lacks, in plain words.

Owns the trial graphs: each version as its profiles run it, at its largest. Engines' node lists are
read elsewhere; here stands only what a snapshot tells. Must not speak to an engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from contracts.base import Scalar
from contracts.engines import EngineSnapshot, Shortfall
from contracts.plan import QualityProfile
from planning.binding import SEEDS, switch_nodes
from planning.profiles import switches_of
from planning.registry import WorkflowRegistry
from planning.segments import segment_values, segments_of
from planning.workflow import Graph, ModelFile, Profile, WorkflowVersion


def trial_graphs(
    version: WorkflowVersion, profile: Profile, switches: Mapping[str, bool]
) -> tuple[Graph, ...]:
    """The graphs of a first and a further segment as a profile runs them, at their largest.

    Widest and tallest picture, longest segment, largest seed; media keep their placeholders. The
    graphs are made once and shared: they must not be changed. Raises StopIteration for a profile
    that is not the version's.
    """
    name = next(n for n, own in version.manifest.profiles.items() if own is profile)
    return _trials(version, name, tuple(sorted(switches.items())))


@lru_cache(maxsize=1024)
def _trials(
    version: WorkflowVersion, name: QualityProfile, switches: tuple[tuple[str, bool], ...]
) -> tuple[Graph, ...]:
    profile = version.manifest.profiles[name]
    rule = version.manifest.frames
    segments = segments_of(rule.frames_max, rule)
    values: dict[str, Scalar] = {
        "width": max(width for width, _ in profile.sizes.values()),
        "height": max(height for _, height in profile.sizes.values()),
        "fps": float(rule.fps),
        "seed": SEEDS - 1,
        **profile.parameters,
    }
    graphs = []
    for part, segment in zip(version.parts, (segments[0], segments[-1]), strict=False):
        graph = switch_nodes(part, dict(switches))
        known = {**values, **segment_values(segment, rule)}
        for parameter in known.keys() & part.bindings.parameters.keys():
            for place in part.bindings.parameters[parameter]:
                if place.node in graph:
                    graph[place.node]["inputs"][place.input] = known[parameter]
        graphs.append(graph)
    return tuple(graphs)


def every_trial(workflows: WorkflowRegistry) -> Iterator[Graph]:
    """The trial graphs of every released version and profile: as the profile says, with every
    switch on, and with every switch off, so that each link that a switch leaves is seen."""
    for version in workflows.versions:
        names = version.bindings.switches
        for profile in version.manifest.profiles.values():
            settings = [switches_of(version, profile)]
            settings += [every for on in (True, False) if (every := dict.fromkeys(names, on))]
            for switches in settings:
                yield from trial_graphs(version, profile, switches)


def needed_models(version: WorkflowVersion, graph: Graph) -> tuple[ModelFile, ...]:
    """The model files that a bound or switched graph of the version really loads."""
    loaded = {
        (f"{node['class_type']}.{key}", value)
        for node in graph.values()
        for key, value in node["inputs"].items()
        if isinstance(value, str)
    }
    return tuple(m for m in version.manifest.required_models if (m.loader, m.file) in loaded)


@lru_cache(maxsize=4)
def choice_keys(workflows: WorkflowRegistry) -> frozenset[str]:
    """Every "<class>.<input>" that an EngineSnapshot must list for matching."""
    return frozenset(
        m.loader for version in workflows.versions for m in version.manifest.required_models
    )


def shortfalls(
    version: WorkflowVersion, profile: Profile, switches: Mapping[str, bool], engine: EngineSnapshot
) -> tuple[str, ...]:
    """What an engine lacks to run a version with a profile, in plain words; empty when nothing.

    In order: the engine's version, node classes, model files, and nodes that differ from what the
    graphs need.
    """
    graphs = trial_graphs(version, profile, switches)
    outdated = backend_fault(version, engine)
    found = [outdated] if outdated else []
    found += _absent_classes(version, graphs, engine)
    for graph in graphs:
        for model in needed_models(version, graph):
            absent = model.file not in engine.choices.get(model.loader, ())
            if absent and model.node_class in engine.node_classes:
                found.append(f"the file {model.file} in models/{model.folder}")
        found += [sentence_of(one) for one in unfit_nodes(graph, engine)]
    return tuple(dict.fromkeys(found))


def graph_shortfalls(
    workflows: WorkflowRegistry, graph: Graph, engine: EngineSnapshot
) -> tuple[str, ...]:
    """What an engine lacks to run a bound graph: node classes, model files, nodes that differ."""
    classes = sorted({n["class_type"] for n in graph.values()} - set(engine.node_classes))
    keys = choice_keys(workflows)
    files = {
        value
        for node in graph.values()
        for key, value in node["inputs"].items()
        if (loader := f"{node['class_type']}.{key}") in keys
        and value not in engine.choices.get(loader, ())
    }
    return (
        *(f"the node {c}" for c in classes),
        *(f"the file {f}" for f in sorted(files)),
        *dict.fromkeys(sentence_of(one) for one in unfit_nodes(graph, engine)),
    )


def backend_fault(version: WorkflowVersion, engine: EngineSnapshot) -> str | None:
    """Why the engine's version is not one that the manifest names; None when it is.

    An engine whose version cannot be read is not judged by it.
    """
    wanted = version.manifest.compatible_backend_version
    try:
        fits = SpecifierSet(wanted).contains(Version(engine.version), prereleases=True)
    except InvalidVersion:
        return None
    return None if fits else f"ComfyUI {wanted} (this one is {engine.version})"


def unfit_nodes(graph: Graph, engine: EngineSnapshot) -> tuple[Shortfall, ...]:
    """The engine's shortfalls that this graph meets, in the graph's order."""
    by_class: dict[str, list[Shortfall]] = {}
    for one in engine.shortfalls:
        by_class.setdefault(one.node_class, []).append(one)
    if not by_class:
        return ()
    return tuple(
        one
        for node in graph.values()
        for one in by_class.get(node["class_type"], ())
        if _meets(graph, node["inputs"], one)
    )


def sentence_of(one: Shortfall) -> str:
    """A shortfall in words that an operator can act on."""
    return f"the node {one.node_class} as this workflow uses it ({one.detail})"


def _meets(graph: Graph, inputs: Mapping[str, object], one: Shortfall) -> bool:
    if one.kind == "missing_input":
        return one.input not in inputs
    if one.input not in inputs:
        return False
    value = inputs[one.input]
    match one.kind:
        case "unknown_input":
            return True
        case "wrong_link_type" | "broken_link":
            return isinstance(value, list) and _source(graph, value) == one.source
        case "out_of_range":
            number = isinstance(value, int | float)
            return number and _outside(float(value), one)  # type: ignore[arg-type]
        case _:
            return value == one.value


def _source(graph: Graph, link: Sequence[object]) -> str:
    return f"{graph[str(link[0])]['class_type']}.{link[1]}"


def _outside(value: float, one: Shortfall) -> bool:
    low, high = one.minimum, one.maximum
    return (low is not None and value < low) or (high is not None and value > high)


def _absent_classes(
    version: WorkflowVersion, graphs: Sequence[Graph], engine: EngineSnapshot
) -> list[str]:
    package = {c: p.package for p in version.manifest.custom_nodes for c in p.classes}
    loaded = {name.lower() for name in engine.packages}
    used = {node["class_type"] for graph in graphs for node in graph.values()}
    found = []
    for node_class in sorted(used - set(engine.node_classes)):
        if node_class not in package:
            origin = "built in; this ComfyUI is too old or too new for it"
        elif package[node_class].lower() in loaded:
            origin = f"from {package[node_class]}, which is there in a version without it"
        else:
            origin = f"from {package[node_class]}"
        found.append(f"the node {node_class} ({origin})")
    return found
