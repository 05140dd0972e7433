"""Whether an engine could run a graph, told before it is sent.

Owns the comparison of an API-format graph with a `Catalogue`, including what ComfyUI does
not check itself: unknown inputs, and the values of newer-style lists, which are taken and
fail hours later while running. It is pure and asks no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, TypeAlias

from .catalogue import ANY, COMBO, Catalogue, InputSpec, NodeClass

Kind: TypeAlias = Literal[
    "absent_class",
    "unknown_input",
    "missing_input",
    "value_not_listed",
    "out_of_range",
    "wrong_value_type",
    "wrong_link_type",
    "broken_link",
    "cycle",
    "no_output_node",
]

# lists of an engine's own folders that carry no upload flag; files in subfolders work unlisted
FOLDER_LISTS: frozenset[tuple[str, str]] = frozenset(
    {("LoadLatent", "latent"), ("LoadImageOutput", "image")}
)


@dataclass(frozen=True, slots=True)
class Missing:
    """One reason why a graph would not run: where, and a sentence for operators."""

    kind: Kind
    node: str
    class_type: str
    input: str | None
    detail: str


def missing_for(
    graph: Mapping[str, Any],
    catalogue: Catalogue,
    *,
    unchecked: Collection[tuple[str, str]] = FOLDER_LISTS,
) -> tuple[Missing, ...]:
    """All that is wrong with a graph on this engine, in the graph's order; () when nothing.

    `graph` is {node id: {"class_type", "inputs"}}. Lists of uploaded files are not compared,
    nor are the (class, input) pairs of `unchecked`: such files are uploaded later.
    """
    found = [problem for node in graph for problem in _node(graph, str(node), catalogue, unchecked)]
    classes = [catalogue.get(str(_part(told, "class_type"))) for told in graph.values()]
    if not any(known is not None and known.output_node for known in classes):
        found.append(
            Missing("no_output_node", "", "", None, "no node of the graph gives an output")
        )
    if cycle := _cycle(graph):
        found.append(Missing("cycle", cycle[0], "", None, f"nodes in a circle: {', '.join(cycle)}"))
    return tuple(found)


def is_link(value: object) -> bool:
    """Whether an input's value is a link: [node id, slot]."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def links_fit(given: str, wanted: str) -> bool:
    """Whether an output type may feed an input type; "*" fits all, "A,B" is a union."""
    if ANY in (given, wanted):
        return True
    return bool({t.strip() for t in given.split(",")} & {t.strip() for t in wanted.split(",")})


def _node(
    graph: Mapping[str, Any],
    node: str,
    catalogue: Catalogue,
    unchecked: Collection[tuple[str, str]],
) -> Iterator[Missing]:
    class_type = str(_part(graph[node], "class_type") or "")
    known = catalogue.get(class_type)
    if known is None:
        yield Missing(
            "absent_class", node, class_type, None, f"the engine has no node class {class_type!r}"
        )
        return
    raw = _part(graph[node], "inputs")
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}

    def problem(kind: Kind, name: str, detail: str) -> Missing:
        return Missing(kind, node, class_type, name, f"{class_type}.{name}: {detail}")

    for name, spec in known.inputs.items():
        # a dynamic input may be given by its parts alone ("images.image0")
        if spec.required and not spec.dynamic and name not in given:
            yield problem("missing_input", name, "required and not given")
    for name, value in given.items():
        wanted = known.inputs.get(name)
        if wanted is None:
            if not _of_dynamic(known, name):
                yield problem("unknown_input", name, "the class has no such input")
        elif is_link(value):
            if told := _link(graph, value, wanted, catalogue):
                yield problem(*_named(told, name))
        elif told := _value(value, wanted, listed=(class_type, name) not in unchecked):
            yield problem(*_named(told, name))


_Told: TypeAlias = tuple[Kind, str]


def _named(told: _Told, name: str) -> tuple[Kind, str, str]:
    return told[0], name, told[1]


def _of_dynamic(known: NodeClass, name: str) -> bool:
    return any(
        spec.dynamic and (name.startswith(f"{spec.name}.") or "." not in name)
        for spec in known.inputs.values()
    )


def _link(
    graph: Mapping[str, Any], link: Any, wanted: InputSpec, catalogue: Catalogue
) -> _Told | None:
    source, slot = link
    if source not in graph:
        return "broken_link", f"linked to node {source}, which is not in the graph"
    known = catalogue.get(str(_part(graph[source], "class_type")))
    if known is None:
        return None  # told for the absent class itself
    if not 0 <= slot < len(known.outputs):
        return "broken_link", f"linked to output {slot} of {known.name}, which has no such output"
    kind = known.outputs[slot].type
    if wanted.dynamic or links_fit(kind, wanted.type):
        return None
    return "wrong_link_type", f"takes {wanted.type}, {known.name} output {slot} gives {kind}"


def _value(value: object, wanted: InputSpec, *, listed: bool) -> _Told | None:
    if wanted.type == COMBO:
        return _listed(value, wanted) if listed else None
    read = _READ.get(wanted.type)
    if read is None:
        # sockets take links; custom widgets take what their own editor writes
        return None
    try:
        number = read(value)
    except (TypeError, ValueError, OverflowError):
        return "wrong_value_type", f"{value!r:.80} is no {wanted.type}"
    if isinstance(number, int | float):
        if wanted.minimum is not None and not number >= wanted.minimum:
            return "out_of_range", f"{number} is below {wanted.minimum}"
        if wanted.maximum is not None and not number <= wanted.maximum:
            return "out_of_range", f"{number} is above {wanted.maximum}"
    return None


def _listed(value: object, wanted: InputSpec) -> _Told | None:
    if wanted.options is None or wanted.uploads:
        return None
    chosen = value if wanted.multiple and isinstance(value, list) else [value]
    absent = [one for one in chosen if one not in wanted.options]
    if not absent:
        return None
    return "value_not_listed", f"{absent[0]!r:.200} is not among {len(wanted.options)} values"


def _text(value: object) -> None:
    if not isinstance(value, str | int | float):
        raise TypeError("not a text")


# the conversions that the server tries before it runs a node
_READ: dict[str, Callable[[Any], int | float | None]] = {
    "INT": int,
    "FLOAT": float,
    "STRING": _text,
}


def _cycle(graph: Mapping[str, Any]) -> list[str]:
    sources = {}
    for node, told in graph.items():
        inputs = _part(told, "inputs")
        values = inputs.values() if isinstance(inputs, Mapping) else ()
        sources[node] = [value[0] for value in values if is_link(value)]
    try:
        TopologicalSorter(sources).prepare()
    except CycleError as error:
        return [str(node) for node in error.args[1]]
    return []


def _part(told: object, key: str) -> Any:
    return told.get(key) if isinstance(told, Mapping) else None
