"""How far a prompt is: from a graph's nodes and the engine's messages to one fraction.

Pure. Owns the weights of node classes. A fraction is an estimate for people; nothing is decided by
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines.comfyui import ExecutionCached, Message, ProgressState
from engines.comfyui import Progress as SamplerProgress
from services.executor.pace import Phase

# relative run times: sampling dominates every workflow, decoding and pose detection follow
_WEIGHTS = (("KSampler", 40.0), ("SamplerCustom", 40.0), ("VAEDecode", 6.0), ("DWPre", 6.0))
_SAMPLERS = ("KSampler", "SamplerCustom")


def weight_of(class_type: str) -> float:
    """The share of a run that a node of this class takes, relative to an ordinary node."""
    return next((weight for prefix, weight in _WEIGHTS if class_type.startswith(prefix)), 1.0)


class Gauge:
    """The progress of one prompt; the fraction never falls."""

    def __init__(self, graph: Mapping[str, Mapping[str, Any]]) -> None:
        classes = {node: str(told.get("class_type", "")) for node, told in graph.items()}
        self._weights = {node: weight_of(name) for node, name in classes.items()}
        self._samplers = {node for node, name in classes.items() if name.startswith(_SAMPLERS)}
        self._shares: dict[str, float] = {}
        self._highest = 0.0
        self.phase: Phase = "waiting"

    def hear(self, message: Message) -> bool:
        """Takes a message in; True when it says anything about progress."""
        match message:
            case ExecutionCached(nodes=nodes):
                self._shares.update(dict.fromkeys(nodes, 1.0))
            case ProgressState(nodes=nodes):
                for node, told in nodes.items():
                    self._note(
                        node, 1.0 if told.state == "finished" else told.value / (told.max or 1)
                    )
            case SamplerProgress(node=str(node), value=value, max=most):
                self._note(node, value / (most or 1))
            case _:
                return False
        return True

    def started(self) -> None:
        """The engine took the prompt up."""
        self.phase = "loading" if self._samplers else "generating"

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1, highest value so far."""
        whole = sum(self._weights.values()) or 1.0
        done = sum(self._weights.get(node, 0.0) * share for node, share in self._shares.items())
        self._highest = max(self._highest, min(1.0, done / whole))
        return self._highest

    def _note(self, node: str, share: float) -> None:
        self._shares[node] = max(self._shares.get(node, 0.0), min(1.0, max(0.0, share)))
        if node in self._samplers and self.phase == "loading":
            self.phase = "generating"
