"""What a node class does in the simulator: the table and the values on its sockets.

Owns the registry and the small context a node sees. The classes themselves are in
loaders.py, pictures.py, sampling.py and savers.py.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from simulators.comfyui.clips import Frame
from simulators.comfyui.faults import FaultBoard
from simulators.comfyui.files import Files

Graph: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a running node may use.

    ``progress(value, of)`` reports and raises when the prompt was interrupted; ``step``
    also waits the time one sampling step takes and may show the picture it is handed the
    maker of. ``signature`` stands for the node's class and everything upstream of it.
    """

    files: Files
    faults: FaultBoard
    signature: str
    graph: Graph
    extra: dict[str, Any]
    progress: Callable[[int, int], None]
    step: Callable[[int, int, Callable[[], Frame]], None]


@dataclass(frozen=True)
class Done:
    """A node's results: one value per output slot, and what the user interface is shown."""

    values: tuple[Any, ...] = ()
    shown: dict[str, Any] | None = None


Behaviour: TypeAlias = Callable[[Context, dict[str, Any]], Done]

_BEHAVIOURS: dict[str, Behaviour] = {}


def node(*classes: str) -> Callable[[Behaviour], Behaviour]:
    """Registers what node classes do."""

    def register(behaviour: Behaviour) -> Behaviour:
        for name in classes:
            _BEHAVIOURS[name] = behaviour
        return behaviour

    return register


def behaviours() -> dict[str, Behaviour]:
    """The behaviour of every class."""
    for module in ("loaders", "pictures", "sampling", "savers"):
        importlib.import_module(f"simulators.comfyui.{module}")
    return dict(_BEHAVIOURS)
