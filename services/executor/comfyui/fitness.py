"""Where an engine's node list contradicts the graphs that may be sent to it. Pure.

Owns the reading of what the engine client finds as the snapshot's shortfalls. Must not ask an
engine, and must not decide which jobs are refused: planning does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from contracts.engines import Shortfall
from engines.comfyui import Catalogue, Missing, missing_for

KINDS = frozenset(get_args(Shortfall.model_fields["kind"].annotation))
DETAIL_CHARACTERS = 400
SHORTFALLS_AT_MOST = 500
"""A snapshot stays small; an engine with more is not fit for anything here anyway."""


def shortfalls_of(
    trials: Iterable[Mapping[str, Any]], catalogue: Catalogue, told: frozenset[str]
) -> tuple[Shortfall, ...]:
    """What the trial graphs meet on an engine with this node list, each once, in order.

    `told` are the "<class>.<input>" whose values the snapshot lists anyway, so that a model file
    that is not there is not said twice.
    """
    found: dict[str, Shortfall] = {}
    for graph in trials:
        for missing in missing_for(graph, catalogue):
            one = _shortfall(missing, graph, catalogue)
            listed = missing.kind == "value_not_listed"
            if one is None or (listed and f"{one.node_class}.{one.input}" in told):
                continue
            found.setdefault(one.model_dump_json(), one)
    return tuple(found[key] for key in sorted(found))[:SHORTFALLS_AT_MOST]


def packages_of(catalogue: Catalogue) -> tuple[str, ...]:
    """The folders of custom nodes that the engine loaded classes from, in order.

    ComfyUI says of each class which Python module made it: "custom_nodes.<folder>" for those.
    """
    modules = {known.module for known in catalogue.values()}
    return tuple(
        sorted({m.split(".", 2)[1] for m in modules if m.startswith("custom_nodes.") and m[13:]})
    )


def _shortfall(
    missing: Missing, graph: Mapping[str, Any], catalogue: Catalogue
) -> Shortfall | None:
    if missing.kind not in KINDS or missing.input is None:
        return None
    value = graph[missing.node]["inputs"].get(missing.input)
    source = None
    if isinstance(value, list):
        source = f"{graph[value[0]]['class_type']}.{value[1]}"
    wanted = catalogue[missing.class_type].inputs.get(missing.input)
    ranged = missing.kind == "out_of_range" and wanted is not None
    return Shortfall(
        kind=missing.kind,
        node_class=missing.class_type,
        input=missing.input,
        value=value if isinstance(value, bool | int | float | str) and not ranged else None,
        minimum=wanted.minimum if ranged and wanted else None,
        maximum=wanted.maximum if ranged and wanted else None,
        source=source,
        detail=missing.detail[:DETAIL_CHARACTERS],
    )
