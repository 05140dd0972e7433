"""Faults that can be ordered while the simulator runs.

Owns the list of ordered faults and who gets the next one. It must not touch the protocol:
callers ask for a fault and act on it.
"""

import threading
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal[
    "error",
    "oom",
    "exit",
    "slow",
    "drop",
    "http",
    "silent_fallback",
    "short_frames",
    "corrupt_frames",
    "garbled_info",
    "drop_submit",
    "stall",
    "fail",
    "lose_files",
    "zero_frames",
    "video_only",
]
Where = Literal["txt2img", "img2img", "extras", "deforum"]


class Fault(BaseModel):
    """One ordered fault; ``where`` limits it to one kind of work.

    ``error`` and ``oom`` end a job with an exception, ``exit`` ends the process, ``slow``
    adds ``seconds``, ``drop`` does the work and then cuts the connection, ``drop_submit``
    takes a Deforum batch and then cuts the connection. ``silent_fallback`` makes a plain
    still where an animation was asked for, and a copy where a larger picture was. ``stall``
    stops a Deforum job in its tracks, ``fail`` fails it, ``zero_frames``, ``lose_files`` and
    ``video_only`` make it succeed without its frames. ``http`` answers ``status`` to paths
    that start with ``path``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    where: Where | None = None
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=5.0, ge=0)
    path: str = "/"
    status: int = Field(default=503, ge=400, le=599)


class FaultOrder(BaseModel):
    """The body of PUT /simulator/faults; replaces whatever was ordered before."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Fault]


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
            return [{**fault.model_dump(), "times": left} for fault, left in self._ordered]

    def strike(self, *kinds: Kind, where: Where | None = None) -> Fault | None:
        """Takes one strike of the first fitting fault, or None."""
        return self._take(lambda f: f.kind in kinds and (where is None or f.where in (None, where)))

    def strike_path(self, path: str) -> Fault | None:
        """Takes one strike of an ``http`` fault for this path, or None."""
        return self._take(lambda f: f.kind == "http" and path.startswith(f.path))

    def _take(self, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for at, (fault, left) in enumerate(self._ordered):
                if not fits(fault):
                    continue
                if left == 1:
                    del self._ordered[at]
                elif left is not None:
                    self._ordered[at] = (fault, left - 1)
                return fault
        return None
