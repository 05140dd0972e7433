"""Which fault comes next, by a seed. Pure; it injects nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

ENDS = ("kill", "stop", "restart")
"""SIGKILL; SIGSTOP and SIGCONT some seconds later; SIGTERM. Who died is started again."""
SHORTEST_STOP_S, LONGEST_STOP_S = 3.0, 8.0
PATHS = ("/prompt", "/queue", "/history", "/view", "/upload/image")
PROCESS_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject `after_s` seconds after the one before.

    Without an `order`, `kind` is one of ENDS and befalls the process `target`. With one it is a
    fault of the engine `target`, in the words of its control API.
    """

    after_s: float
    kind: str
    target: str
    length_s: float = 0.0
    order: dict[str, Any] = field(default_factory=dict)


def faults(
    seed: int, parts: Sequence[str], engines: Sequence[str], pace_s: float
) -> Iterator[Fault]:
    """Faults without end: every kind befalls every target before one comes again.

    `parts` are the processes besides the engines; `pace_s` is the mean time between two faults.
    """
    dice = random.Random(seed)
    ends = _deck(dice, [(kind, target) for kind in ENDS for target in (*parts, *engines)])
    orders = _deck(dice, [(kind, target) for kind in _ORDERS for target in engines])
    while True:
        after_s = pace_s * dice.uniform(0.5, 1.5)
        if dice.random() < PROCESS_SHARE:
            kind, target = next(ends)
            length_s = dice.uniform(SHORTEST_STOP_S, LONGEST_STOP_S) if kind == "stop" else 0.0
            yield Fault(after_s, kind, target, length_s)
        else:
            kind, target = next(orders)
            yield Fault(after_s, kind, target, order=_order(kind, dice))


_ORDERS = (
    "drop_websocket",
    "deaf_websocket",
    "refuse_websocket",
    "delay_prompt",
    "accept_without_answer",
    "accept_with_500",
    "http",
    "http_delay",
    "http_cut",
    "late_history",
    "slow",
)


def _order(kind: str, dice: random.Random) -> dict[str, Any]:
    order: dict[str, Any] = {"kind": kind, "times": 1}
    match kind:
        case "delay_prompt":
            order["seconds"] = dice.uniform(1.0, 5.0)
        case "late_history" | "slow":
            order["seconds"] = dice.uniform(0.5, 3.0)
        case "refuse_websocket":
            order["times"] = dice.randint(1, 4)
        case "http_cut":
            order["path"] = dice.choice(PATHS)
            order["times"] = dice.randint(1, 4)
        case "http_delay":
            order["path"] = dice.choice(PATHS)
            order["seconds"] = dice.uniform(1.0, 5.0)
            order["times"] = dice.randint(1, 4)
        case "http":
            order["path"] = dice.choice(PATHS)
            order["status"] = dice.choice((500, 502, 503))
            order["times"] = dice.randint(1, 6)
    return order


def _deck(dice: random.Random, cards: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    while True:
        shuffled = cards[:]
        dice.shuffle(shuffled)
        yield from shuffled
