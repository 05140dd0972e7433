"""Whether a prompt shows signs of life: for how long nothing was heard of it and nothing moved.

Pure, by a clock that the caller reads. Owns what counts as a sign. It cannot tell a hanging node
from one that says nothing for as long, such as one that loads a model: the caller's patience must
be longer than that.
"""

from __future__ import annotations

from .messages import (
    Connected,
    Disconnected,
    Executing,
    FeatureFlags,
    Silent,
    SocketEvent,
    Status,
    Unknown,
)
from .places import Pending, Place, Running


class Life:
    """The signs of life of one prompt; `quiet_s` is for how long there was none.

    A running prompt shows them on the socket only, so time in which the socket was closed, or had
    not been heard since it was opened, does not count. One that is next while nothing runs should
    begin at once, which is seen by looking. One that waits behind another is not expected to move.
    """

    def __init__(self, now_s: float) -> None:
        self._at_s = now_s
        self._place: Place | None = None
        self._hears = False
        self.quiet_s = 0.0

    def looked(self, place: Place | None, now_s: float) -> None:
        """Where the prompt was found now; None when the engine did not answer."""
        self._pass(now_s)
        if place is None or place != self._place:
            self.quiet_s = 0.0
        self._place = place

    def heard(self, event: SocketEvent | None, now_s: float) -> None:
        """What came over the socket now; None when nothing did."""
        self._pass(now_s)
        match event:
            case None | Silent() | Connected():
                pass
            case Disconnected():
                self._hears = False
            case Status() | FeatureFlags() | Executing(prompt_id=None) | Unknown(prompt_id=None):
                # to whoever connects, or to everybody: it is heard, but nothing need move for it
                self._hears = True
            case _:
                self._hears, self.quiet_s = True, 0.0

    def _pass(self, now_s: float) -> None:
        if self._place == Pending(ahead=0) or (isinstance(self._place, Running) and self._hears):
            self.quiet_s += now_s - self._at_s
        self._at_s = now_s
