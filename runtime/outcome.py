"""What a handler says of its message: a frozen sum type that the bus turns into acks.

Services never see the broker; they return one of these. Must not do I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.subjects import Consumer

MAX_RETRY_DELAY_S = 30.0


@dataclass(frozen=True, slots=True)
class Ack:
    """The work is done and its effects are durable."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Deliver the message again after `delay_s` seconds."""

    delay_s: float
    reason: str

    def __post_init__(self) -> None:
        """Refuse a delay that would make a hot loop or hide a message for good."""
        if not 0.01 <= self.delay_s <= 3600:
            raise ValueError(f"retry delay of {self.delay_s} s")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Never deliver the message again; it becomes a dead letter with this reason."""

    reason: str


Outcome = Ack | Retry | Terminal


def retry_after_failure(delivered: int, reason: str) -> Retry:
    """The retry that follows an unexpected exception: 0.25 s, doubling to 30 s.

    `delivered` counts deliveries so far, from 1. Backoff configured on a consumer acts on ack
    timeouts only, so the delay has to be given with the nak (facts on JetStream, trap 2).
    """
    return Retry(min(MAX_RETRY_DELAY_S, 0.25 * 2 ** min(delivered - 1, 10)), reason)


def is_last_delivery(consumer: Consumer, delivered: int) -> bool:
    """True when the server will not deliver the message once more."""
    return consumer.max_deliver > 0 and delivered >= consumer.max_deliver
