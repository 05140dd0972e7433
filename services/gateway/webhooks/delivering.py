"""Sends what is due, a few at a time for each receiver, under a lease in one gateway at a time.

A delivery stays due until an attempt is written down, so a gateway that dies in between sends it
again under the same id. Must not decide what follows an attempt (verdicts does).
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import timedelta

import structlog
from prometheus_client import Counter, Histogram
from standardwebhooks import Webhook as Signer

from runtime.bus import Bus
from runtime.leases import Lease
from runtime.stamp import now
from runtime.tails import BusUnavailable
from runtime.tasks import end
from services.gateway.adapters.db.engine import is_away
from services.gateway.adapters.db.webhooks import Due, WebhookStore
from services.gateway.adapters.db.writing import CheckpointMoved
from services.gateway.adapters.webhook_post import WebhookPost
from services.gateway.webhooks.announcing import Announcer
from services.gateway.webhooks.verdicts import Policy, verdict

log = structlog.get_logger()
SENT = Counter("animatrix_webhook_attempts", "Webhook deliveries tried", ["outcome"])
SECONDS = Histogram("animatrix_webhook_seconds", "Time until a receiver answered")
DISABLED = Counter("animatrix_webhooks_disabled", "Webhooks disabled because they kept failing")
LOOK_EVERY_S = 1.0
"""While something waits to be sent, now or later."""
LOOK_AT_REST_S = 5.0
"""While nothing does: what this process adds stirs at once; this is for what another one adds."""
PAUSE_S = 1.0
AT_ONCE, AT_ONCE_PER_WEBHOOK = 16, 2
LOG_KEPT = timedelta(days=30)
TIDY_EVERY_S = 3600.0


def headers_of(due: Due) -> dict[str, str]:
    """The headers of the Standard Webhooks specification, signed now."""
    at = now()
    signed = Signer(due.webhook.secret).sign(due.delivery_id, at, due.payload)
    return {
        "content-type": "application/json",
        "user-agent": "Animatrix-Webhooks/1",
        "webhook-id": due.delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signed,
    }


def _passes(trouble: BaseException) -> bool:
    return isinstance(trouble, (BusUnavailable, CheckpointMoved)) or is_away(trouble)


class WebhookDelivery:
    """Announces and delivers while it holds the lease."""

    def __init__(
        self, bus: Bus, store: WebhookStore, post: WebhookPost, policy: Policy, holder: str
    ) -> None:
        """`holder` names this process in the lease."""
        self._bus = bus
        self._store = store
        self._post = post
        self._policy = policy
        self._holder = holder
        self._sending: dict[asyncio.Task[None], Due] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until `stopping`; waits for the lease, and again when it is lost."""
        stop = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            lease = Lease(self._bus, "webhooks", self._holder)
            work = asyncio.create_task(self._under(lease))
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            done = work.done()
            await end([work, *self._sending])
            await lease.release()
            if done:
                self._explain(work)
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(stop), PAUSE_S)
        await end([stop])

    def _explain(self, work: asyncio.Task[None]) -> None:
        """Says why the work ended; what is no passing trouble is raised."""
        trouble = work.exception()
        if isinstance(trouble, BaseExceptionGroup):
            _, grave = trouble.split(_passes)
            if grave is not None:
                raise grave
        elif trouble is not None and not _passes(trouble):
            raise trouble
        if trouble is not None:
            log.warning("webhooks wait", reason=repr(trouble))

    async def _under(self, lease: Lease) -> None:
        await lease.acquire(wait=True)
        announcer = Announcer(self._bus, self._store, self._policy.attempts)
        lost = asyncio.create_task(lease.lost.wait())
        duties = [
            asyncio.create_task(announcer.run()),
            asyncio.create_task(self._deliver()),
        ]
        try:
            done, _ = await asyncio.wait({*duties, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([*duties, lost])
        for duty in done.intersection(duties):
            duty.result()

    async def _deliver(self) -> None:
        stirred = self._store.stirred
        loop = asyncio.get_running_loop()
        tidied = float("-inf")
        while True:
            if loop.time() - tidied > TIDY_EVERY_S:
                await self._store.forget_before(now() - LOG_KEPT)
                tidied = loop.time()
            stirred.clear()
            pending = await self._send_due()
            waits = [asyncio.create_task(stirred.wait())]
            try:
                await asyncio.wait(
                    {*waits, *self._sending},
                    timeout=LOOK_EVERY_S if pending else LOOK_AT_REST_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                await end(waits)

    async def _send_due(self) -> bool:
        """Send what is due; whether anything waits, now or later."""
        for task in [task for task in self._sending if task.done()]:
            del self._sending[task]
            task.result()
        if not await self._store.any_pending():
            return False
        for due in await self._store.due(now(), AT_ONCE_PER_WEBHOOK):
            busy = list(self._sending.values())
            mine = [one for one in busy if one.webhook.webhook_id == due.webhook.webhook_id]
            if len(busy) >= AT_ONCE:
                return True
            if len(mine) >= AT_ONCE_PER_WEBHOOK or any(
                one.delivery_id == due.delivery_id for one in mine
            ):
                continue
            self._sending[asyncio.create_task(self._send(due))] = due
        return True

    async def _send(self, due: Due) -> None:
        attempt = await self._post.send(due.webhook.url, headers_of(due), due.payload.encode())
        fresh = await self._store.one(due.webhook.webhook_id)
        if fresh is None:
            return
        found = verdict(
            attempt,
            failures=self._policy.attempts - due.attempts_left + 1,
            attempts_left=due.attempts_left - 1,
            failing_since=fresh.failing_since,
            policy=self._policy,
            dice=random.random(),  # noqa: S311 - jitter
        )
        await self._store.record(due, attempt, found)
        SENT.labels("delivered" if attempt.delivered else "failed").inc()
        SECONDS.observe(attempt.latency_ms / 1000)
        told = {"webhook_id": due.webhook.webhook_id, "delivery_id": due.delivery_id}
        if attempt.delivered:
            log.info("webhook delivered", status_code=attempt.status_code, **told)
            return
        log.warning(
            "webhook failed",
            status_code=attempt.status_code,
            reason=attempt.error,
            attempts_left=due.attempts_left - 1,
            **told,
        )
        if found.disable is not None:
            DISABLED.inc()
            log.error("webhook disabled", reason=found.disable, **told)
