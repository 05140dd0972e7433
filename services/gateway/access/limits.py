"""How much one owner may ask for: submits per minute, bytes per day; and how often one may guess.

Counted in this gateway's memory: with several gateways each counts for itself, and a restart
forgets. Must not decide what is done with a refused request.
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from prometheus_client import Counter

from contracts.errors import ErrorCode
from services.gateway.access.caller import Caller
from services.gateway.problems import Refused, refused
from services.gateway.settings import MEGABYTE, Settings

LIMITED = Counter("animatrix_limited_requests", "Requests refused by a limit", ["limit"])
SIGN_INS_PER_MINUTE = 20


class Limits:
    """The limits of the settings; 0 means none. This machine's own user is not limited."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is counted yet."""
        storage = MemoryStorage()
        self._rate, self._amount = MovingWindowRateLimiter(storage), FixedWindowRateLimiter(storage)
        per_minute, per_day_mb = settings.submits_per_minute, settings.upload_mb_per_day
        self._submits = (
            RateLimitItemPerMinute(per_minute, namespace="submit") if per_minute else None
        )
        self._bytes = (
            RateLimitItemPerDay(per_day_mb * MEGABYTE, namespace="upload") if per_day_mb else None
        )
        self._sign_ins = RateLimitItemPerMinute(SIGN_INS_PER_MINUTE, namespace="sign-in")

    async def submit(self, caller: Caller) -> None:
        """Count a submit. Raises Refused RATE_LIMITED."""
        item = self._submits
        if item is None or caller.how == "loopback":
            return
        if not await self._rate.hit(item, caller.owner):
            stats = await self._rate.get_window_stats(item, caller.owner)
            raise _limited("submits", ErrorCode.RATE_LIMITED, stats.reset_time)

    async def sign_in(self, address: str) -> None:
        """Count an attempt to sign in from an address. Raises Refused RATE_LIMITED."""
        if not await self._rate.hit(self._sign_ins, address):
            stats = await self._rate.get_window_stats(self._sign_ins, address)
            raise _limited("sign_ins", ErrorCode.RATE_LIMITED, stats.reset_time)

    async def room_for(self, caller: Caller, size_bytes: int) -> None:
        """Refuse an upload that is announced to be beyond the day's bytes; counts nothing.

        Raises Refused QUOTA_EXCEEDED.
        """
        item = self._bytes
        if item is None or caller.how == "loopback":
            return
        if not await self._amount.test(item, caller.owner, cost=max(1, size_bytes)):
            raise await self._used_up(caller)

    async def uploaded(self, caller: Caller, size_bytes: int) -> None:
        """Count the bytes of an upload. Raises Refused QUOTA_EXCEEDED: it may not be kept."""
        item = self._bytes
        if item is None or caller.how == "loopback":
            return
        if not await self._amount.test(item, caller.owner, cost=size_bytes):
            raise await self._used_up(caller)
        await self._amount.hit(item, caller.owner, cost=size_bytes)

    async def _used_up(self, caller: Caller) -> Refused:
        if self._bytes is None:
            raise AssertionError("only a limit can be used up")
        stats = await self._amount.get_window_stats(self._bytes, caller.owner)
        return _limited("upload_bytes", ErrorCode.QUOTA_EXCEEDED, stats.reset_time)


def _limited(limit: str, code: ErrorCode, again_at_s: float) -> Refused:
    LIMITED.labels(limit).inc()
    wait_s = max(1, math.ceil(again_at_s - time.time()))
    return refused(code, headers={"Retry-After": str(wait_s)})
