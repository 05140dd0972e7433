"""Faults that can be ordered while the simulator runs.

Owns the list of ordered faults and who gets the next one. It must not touch the protocol:
callers ask for a fault and act on it.
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "error",
    "oom",
    "disk_full",
    "slow",
    "hang",
    "exit",
    "refuse_websocket",
    "drop_websocket",
    "deaf_websocket",
    "delay_prompt",
    "accept_without_answer",
    "accept_with_500",
    "http",
    "http_delay",
    "http_cut",
    "late_history",
    "lose_outputs",
    "empty_outputs",
    "corrupt_outputs",
    "short_outputs",
]


class Fault(BaseModel):
    """One ordered fault.

    Node faults (``error``, ``oom``, ``disk_full``, ``slow``, ``hang``, ``exit``) strike the class
    named by ``node_class`` (any class when absent) before it runs. ``seconds`` is a length of time,
    ``times`` how often it strikes (absent: until cleared). ``http`` answers ``status`` to
    requests whose path starts with ``path`` (without /api), ``http_delay`` holds them back,
    ``http_cut`` breaks the connection in the middle of an answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Kind
    node_class: str | None = Field(default=None, alias="class")
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=5.0, ge=0)
    path: str = "/"
    method: str | None = None
    status: int = Field(default=503, ge=400, le=599)


class FaultOrder(BaseModel):
    """The body of PUT /simulator/faults; replaces whatever was ordered before."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault]


class OrderedError(RuntimeError):
    """The exception an ordered ``error`` raises inside a node."""


class OutOfMemoryError(RuntimeError):
    """Stands for torch's out-of-memory exception and is reported under its name."""

    reported_as = "torch.OutOfMemoryError"


class FaultBoard:
    """The ordered faults and how many strikes each has left; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[tuple[Fault, int | None]] = []

    def order(self, faults: list[Fault]) -> None:
        """Replaces all ordered faults."""
        with self._lock:
            self._ordered = [(fault, fault.times) for fault in faults]

    def listed(self) -> list[dict[str, object]]:
        """The ordered faults with the strikes they have left."""
        with self._lock:
            return [
                {**fault.model_dump(by_alias=True), "times": left} for fault, left in self._ordered
            ]

    def strike(self, *kinds: Kind, match: Callable[[Fault], bool] | None = None) -> Fault | None:
        """Takes one strike of the first fitting fault, or None."""
        with self._lock:
            for at, (fault, left) in enumerate(self._ordered):
                if fault.kind not in kinds or (match is not None and not match(fault)):
                    continue
                if left == 1:
                    del self._ordered[at]
                elif left is not None:
                    self._ordered[at] = (fault, left - 1)
                return fault
        return None


def strike_node(board: FaultBoard, node_class: str, heed_interrupt: Callable[[], None]) -> None:
    """Lets an ordered node fault act before a node of that class runs.

    ``slow`` waits and heeds an interrupt, ``hang`` waits deaf to it, ``exit`` ends the
    process as an out-of-memory kill does.
    """
    fault = board.strike(
        "error",
        "oom",
        "disk_full",
        "slow",
        "hang",
        "exit",
        match=lambda f: f.node_class in (None, node_class),
    )
    if fault is None:
        return
    if fault.kind == "error":
        raise OrderedError(f"ordered fault in {node_class}")
    if fault.kind == "oom":
        raise OutOfMemoryError("CUDA out of memory (ordered fault)")
    if fault.kind == "disk_full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if fault.kind == "exit":
        os._exit(137)
    end = time.monotonic() + fault.seconds
    while (left := end - time.monotonic()) > 0:
        if fault.kind == "slow":
            heed_interrupt()
        time.sleep(min(0.02, left))
