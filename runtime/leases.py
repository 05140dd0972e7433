"""Leases: one holder at a time, with an epoch that only grows.

Kept in the KV bucket `leases`, whose entries vanish after 6 s unless renewed; the epoch is the
revision at which the lease was taken. Must not know what a lease protects.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import (
    APIError,
    KeyDeletedError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
)
from nats.js.kv import KeyValue

from contracts.subjects import LEASES_BUCKET
from runtime.bus import Bus
from runtime.provision import LEASE_TTL_S

log = structlog.get_logger()

RENEW_EVERY_S = LEASE_TTL_S / 2
RENEW_WITHIN_S = 2.0
RENEW_AGAIN_S = 0.5
"""After a renewal that failed or was not answered within its time: the lease lives a while yet."""


class Lease:
    """A claim on `name`. `lost` is set as soon as the claim can no longer be vouched for."""

    def __init__(self, bus: Bus, name: str, holder: str) -> None:
        """Nothing is claimed before acquire."""
        self._bus = bus
        self.name = name
        self._key = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        self._holder = holder.encode()
        self._revision = 0
        self._renewing: asyncio.Task[None] | None = None
        self._renewed_at = 0.0
        self.epoch = 0
        self.lost = asyncio.Event()

    @property
    def held(self) -> bool:
        """True while the last renewal is younger than the time to live."""
        if self._renewing is None or self.lost.is_set():
            return False
        return asyncio.get_running_loop().time() - self._renewed_at < LEASE_TTL_S

    async def acquire(self, *, wait: bool = True) -> bool:
        """Claim the lease; with `wait`, keep trying for ever. Returns whether it is held."""
        while True:
            if await self._try():
                self.lost = asyncio.Event()
                self._renewing = asyncio.create_task(self._renew())
                return True
            if not wait:
                return False
            await asyncio.sleep(0.5)

    async def _try(self) -> bool:
        started = asyncio.get_running_loop().time()
        try:
            bucket = await self._bucket()
            self._revision = await bucket.create(self._key, self._holder)
        except (TimeoutError, NatsError, APIError):
            return False
        self.epoch = self._revision
        self._renewed_at = started
        return True

    async def _bucket(self) -> KeyValue:
        return await self._bus.bucket(LEASES_BUCKET)

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        pause_s = RENEW_EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            started = loop.time()
            try:
                async with asyncio.timeout(RENEW_WITHIN_S):
                    bucket = await self._bucket()
                    self._revision = await bucket.update(self._key, self._holder, self._revision)
                self._renewed_at, pause_s = started, RENEW_EVERY_S
            except (TimeoutError, NatsError, APIError) as trouble:
                pause_s = RENEW_AGAIN_S
                taken = isinstance(trouble, KeyWrongLastSequenceError)
                if taken and await self._still_ours():
                    continue
                if taken or loop.time() - self._renewed_at >= LEASE_TTL_S:
                    log.warning("lease lost", lease=self.name, reason=repr(trouble))
                    self.lost.set()
                    return

    async def _still_ours(self) -> bool:
        """A renewal that timed out may have been stored; then our own revision moved on."""
        with suppress(NatsError, APIError, asyncio.TimeoutError):
            bucket = await self._bucket()
            entry = await bucket.get(self._key)
            if entry.value == self._holder and entry.revision:
                self._revision = entry.revision
                self._renewed_at = asyncio.get_running_loop().time() - RENEW_EVERY_S
                return True
        return False

    async def confirm(self) -> bool:
        """Ask the bus now whether the lease is still ours (right before an effect)."""
        if not self.held:
            return False
        try:
            entry = await (await self._bucket()).get(self._key)
        except (TimeoutError, KeyNotFoundError, KeyDeletedError, NatsError, APIError):
            return False
        return entry.value == self._holder and self.held

    async def release(self) -> None:
        """Give the lease up, so that a successor need not wait for it to expire."""
        if self._renewing is None:
            return
        self._renewing.cancel()
        self._renewing = None
        with suppress(NatsError, APIError, asyncio.TimeoutError):
            if not self.lost.is_set():
                await (await self._bucket()).delete(self._key, last=self._revision)
        self.lost.set()
