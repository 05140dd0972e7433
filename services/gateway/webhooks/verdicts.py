"""What follows an attempt: delivered, tried again later, given up; and when a webhook is disabled.

Pure: the caller reads the clock and the dice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Status = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How long a receiver is tried: times in seconds."""

    attempts: int
    backoff_s: float
    backoff_max_s: float
    disable_after_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one POST. `status_code` is None when there was no answer."""

    at: datetime
    latency_ms: int
    status_code: int | None
    response: str
    error: str | None

    @property
    def delivered(self) -> bool:
        """True for a 2xx answer; a redirect is none, because it is not followed."""
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """The delivery's next state, and why the webhook is disabled, if it is."""

    status: Status
    next_attempt_at: datetime
    failing_since: datetime | None
    disable: str | None = None


def delay_s(failures: int, policy: Policy, dice: float) -> float:
    """How long to wait after so many failures: four times longer each time, bounded, ±25 %.

    `dice` is a random number from 0 to 1.
    """
    plain_s = policy.backoff_s * 4.0 ** min(max(failures - 1, 0), 20)
    return min(policy.backoff_max_s, plain_s) * (0.75 + 0.5 * dice)


def verdict(
    attempt: Attempt,
    *,
    failures: int,
    attempts_left: int,
    failing_since: datetime | None,
    policy: Policy,
    dice: float,
) -> Verdict:
    """What follows this attempt, after which `attempts_left` remain.

    `failures` counts this one; `failing_since` is when the webhook's first failure was after its
    last success. 410 says that the receiver is gone for good.
    """
    if attempt.delivered:
        return Verdict("delivered", attempt.at, None)
    since = failing_since or attempt.at
    why = attempt.error or f"the receiver answered {attempt.status_code}"
    status: Status = "pending" if attempts_left > 0 else "failed"
    next_at = attempt.at + timedelta(seconds=delay_s(failures, policy, dice))
    disable = None
    if attempt.status_code == 410:
        status, disable = "failed", "The receiver answered 410: it is gone for good."
    elif (attempt.at - since).total_seconds() >= policy.disable_after_s:
        disable = f"Every attempt has failed since {since:%Y-%m-%d %H:%M} UTC; at last: {why}"
    return Verdict(status, next_at, since, disable)
