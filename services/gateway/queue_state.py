"""How the queue stands, in words for users: open, saturated, stalled or paused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

State = Literal["open", "saturated", "stalled", "paused"]


class QueueWarning(BaseModel):
    """Something that makes jobs wait; `lane` is the queue concerned."""

    code: Literal["queue_saturated", "queue_stalled", "queue_paused"]
    lane: str
    sentence: str
    remedy: str


class LaneStatus(BaseModel):
    """One lane: steps that wait and run, and the engines that take them now."""

    lane: str
    state: State
    waiting: int
    running: int
    engines: int


class QueueStatus(BaseModel):
    """The whole queue. `state` is that of the worst lane on which anything waits."""

    state: State
    waiting: int
    running: int
    lanes: list[LaneStatus]
    warnings: list[QueueWarning]


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """What is known of a lane. `next_wait_s` is what a new job waits at least, if known."""

    lane: str
    waiting: int
    running: int
    engines: int
    next_wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Beyond these a lane is saturated: waiting steps per engine, and seconds to wait."""

    waiting_per_engine: int
    wait_s: float


_RANK: tuple[State, ...] = ("open", "saturated", "stalled", "paused")
_WORDS: dict[State, tuple[str, str]] = {
    "saturated": (
        "More is waiting than the engines can make soon.",
        "New jobs are accepted and wait; a draft or a shorter video is made sooner.",
    ),
    "stalled": (
        "Jobs are waiting and no engine is there to make them.",
        "Nothing is lost: they begin as soon as an engine answers. Tell your operator.",
    ),
    "paused": (
        "An operator has paused the engines.",
        "New jobs are accepted and begin when they are resumed.",
    ),
}


def lane_state(load: LaneLoad, paused: frozenset[str], bounds: Bounds) -> State:
    """How one lane stands. `paused` holds `all` and `lane.<lane>`; paused engines do not count."""
    if paused & {"all", f"lane.{load.lane}"}:
        return "paused"
    if load.waiting == 0:
        return "open"
    if load.engines == 0:
        return "stalled"
    long = load.next_wait_s is not None and load.next_wait_s > bounds.wait_s
    return (
        "saturated" if long or load.waiting > bounds.waiting_per_engine * load.engines else "open"
    )


def queue_status(loads: Sequence[LaneLoad], paused: frozenset[str], bounds: Bounds) -> QueueStatus:
    """How the queue stands; one warning for each lane that is not open and matters to anyone."""
    lanes = [
        LaneStatus(
            lane=load.lane,
            state=lane_state(load, paused, bounds),
            waiting=load.waiting,
            running=load.running,
            engines=load.engines,
        )
        for load in loads
    ]
    matter = [lane for lane in lanes if lane.state != "open" and (lane.waiting or "all" in paused)]
    worst = max((lane.state for lane in matter), key=_RANK.index, default="open")
    return QueueStatus(
        state="paused" if "all" in paused else worst,
        waiting=sum(lane.waiting for lane in lanes),
        running=sum(lane.running for lane in lanes),
        lanes=lanes,
        warnings=[_warning(lane) for lane in matter],
    )


def _warning(lane: LaneStatus) -> QueueWarning:
    sentence, remedy = _WORDS[lane.state]
    return QueueWarning.model_validate(
        {
            "code": f"queue_{lane.state}",
            "lane": lane.lane,
            "sentence": sentence,
            "remedy": remedy,
        }
    )
