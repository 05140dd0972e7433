"""The order in which nodes run, and the signature that decides what need not run.

Pure but for reading uploaded files' digests. A signature stands for a node's class, its
values and everything upstream; equal signatures share one result, as in the real cache.
"""

import hashlib
import json
from typing import Any

from simulators.comfyui.catalogue import Catalogue
from simulators.comfyui.files import Files, ForbiddenPath, digest
from simulators.comfyui.validation import FILE_CHECKED

Graph = dict[str, Any]


def is_link(value: Any) -> bool:
    """True for ``[node_id, slot]``."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def ancestors(graph: Graph, node_id: str) -> list[str]:
    """The nodes a node is linked to, in the order of its inputs, each once."""
    links = [v[0] for v in graph[node_id].get("inputs", {}).values() if is_link(v)]
    return [origin for origin in dict.fromkeys(links) if origin in graph]


class Signatures:
    """Signatures of the nodes of one graph, worked out when asked for."""

    def __init__(self, graph: Graph, catalogue: Catalogue, files: Files) -> None:
        self._graph, self._catalogue, self._files = graph, catalogue, files
        self._known: dict[str, str] = {}

    def of(self, node_id: str) -> str:
        """The signature of a node."""
        todo = [node_id]
        while todo:
            current = todo[-1]
            missing = [a for a in ancestors(self._graph, current) if a not in self._known]
            if missing and len(todo) <= len(self._graph):
                todo += missing
                continue
            self._known[current] = self._own(current)
            todo.pop()
        return self._known[node_id]

    def _own(self, node_id: str) -> str:
        node = self._graph[node_id]
        kind = node["class_type"]
        spec = self._catalogue.nodes.get(kind)
        parts: list[Any] = [kind]
        for name, value in sorted(node.get("inputs", {}).items()):
            if is_link(value):
                parts.append([name, self._known.get(value[0], ""), value[1]])
            elif spec is None or name in spec.inputs:
                parts.append([name, value])
            if (kind, name) in FILE_CHECKED and isinstance(value, str):
                parts.append(self._content(value))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _content(self, name: str) -> str:
        try:
            return digest(self._files.annotated(name))
        except (OSError, ForbiddenPath):
            return "absent"


def next_node(graph: Graph, catalogue: Catalogue, waiting: set[str], done: set[str]) -> str | None:
    """A waiting node whose ancestors are done, output nodes first; None when none is."""
    ready = [n for n in graph if n in waiting and all(a in done for a in ancestors(graph, n))]
    outputs = [n for n in ready if catalogue.nodes[graph[n]["class_type"]].output_node]
    return next(iter(outputs or ready), None)


def needed(graph: Graph, outputs: list[str], cached: set[str]) -> tuple[set[str], set[str]]:
    """What must be visited, and which cached nodes need not be.

    Ancestors of a cached node are not looked at; a cached output node is visited, because
    its result is told again.
    """
    visit: set[str] = set()
    spared: set[str] = set()
    todo = list(outputs)
    while todo:
        node_id = todo.pop()
        if node_id in visit or node_id in spared:
            continue
        if node_id in cached and node_id not in outputs:
            spared.add(node_id)
            continue
        visit.add(node_id)
        if node_id not in cached:
            todo += ancestors(graph, node_id)
    return visit, spared
