"""Webhooks: registered by whoever owns the jobs, with a log; for operators everyone's, and resend.

The secret is shown once, in the answer that makes the webhook. Must not send anything.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import ErrorCode
from contracts.subjects import JOBS_STREAM
from runtime.ids import new_id
from runtime.stamp import now
from services.gateway.access.caller import Caller
from services.gateway.adapters.db.webhooks import Webhook
from services.gateway.deps import Deps, Needs, Who
from services.gateway.problems import Refused, refused, responses
from services.gateway.webhooks.announcing import EVENTS
from services.gateway.webhooks.targets import TargetRefused

log = structlog.get_logger()
router = APIRouter(tags=["webhooks"])
_C = ErrorCode
_FOUND = responses(_C.NOT_FOUND)
WebhookEvent = Literal[
    "job.accepted",
    "job.uploaded",
    "job.queued",
    "job.executing",
    "job.collecting_outputs",
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.deleted",
]
DeliveryStatus = Literal["pending", "delivered", "failed"]
Limit = Annotated[int, Query(ge=1, le=200)]


class WebhookRequest(BaseModel):
    """Where to send what. The URL must be https and lead to the public internet."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=8, max_length=2000)
    events: list[WebhookEvent] = Field(min_length=1, max_length=len(EVENTS))
    description: str = Field(default="", max_length=200)


class WebhookView(BaseModel):
    """A webhook without its secret. `disabled_reason` says why it gets nothing any more."""

    webhook_id: str
    owner: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime


class WebhookCreated(WebhookView):
    """The new webhook with the secret that verifies its signatures: shown here and never again."""

    secret: str


class Webhooks(BaseModel):
    """Webhooks, oldest first."""

    webhooks: list[WebhookView]


class AttemptView(BaseModel):
    """One try: what was answered, how long it took, and the beginning of the answer."""

    attempt: int
    at: datetime
    latency_ms: int
    status_code: int | None
    response: str
    error: str | None


class DeliveryView(BaseModel):
    """One event for one webhook. `delivery_id` is the webhook-id that the receiver sees."""

    delivery_id: str
    webhook_id: str
    job_id: str
    event: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    log: list[AttemptView]


class Deliveries(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryView]


def _view(webhook: Webhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in WebhookView.model_fields}


def no_such_webhook() -> Refused:
    """The refusal for a webhook that is not known, or is somebody else's."""
    return refused(_C.NOT_FOUND, sentence="There is no such webhook.")


async def _mine(deps: Deps, caller: Caller, webhook_id: str) -> Webhook:
    found = await deps.webhooks.one(webhook_id)
    if found is None or not caller.sees(found.owner):
        raise no_such_webhook()
    return found


@router.post(
    "/api/webhooks",
    status_code=201,
    responses=responses(_C.BODY_NOT_JSON, _C.BODY_INVALID, _C.QUOTA_EXCEEDED, _C.UNAVAILABLE),
)
async def create(deps: Needs, caller: Who, body: WebhookRequest) -> WebhookCreated:
    """Have the events of your jobs sent to a URL, signed after the Standard Webhooks specification.

    Only what happens from now on is sent. Keep the secret: it is not shown again.
    """
    try:
        await deps.webhook_post.target(body.url)
    except TargetRefused as unfit:
        raise refused(
            _C.BODY_INVALID,
            field="url",
            sentence=str(unfit),
            remedy="Give the https:// address of a public server of yours.",
        ) from unfit
    webhook = Webhook(
        webhook_id=new_id(),
        owner=caller.owner,
        url=body.url,
        events=tuple(dict.fromkeys(body.events)),
        description=body.description,
        secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        enabled=True,
        disabled_reason=None,
        failing_since=None,
        created_at=now(),
        created_sequence=(await deps.bus.stream_state(JOBS_STREAM)).last_sequence,
    )
    if not await deps.webhooks.add(webhook, deps.settings.webhooks_per_owner):
        raise refused(
            _C.QUOTA_EXCEEDED,
            sentence="You have as many webhooks as you may.",
            remedy="Delete one that you no longer need.",
        )
    log.info("webhook made", webhook_id=webhook.webhook_id, owner=caller.owner)
    return WebhookCreated(**_view(webhook), secret=webhook.secret)


@router.get("/api/webhooks", responses=responses())
async def mine(deps: Needs, caller: Who) -> Webhooks:
    """Your webhooks."""
    return Webhooks(
        webhooks=[WebhookView(**_view(w)) for w in await deps.webhooks.all(caller.owner)]
    )


@router.get("/api/webhooks/{webhook_id}", responses=_FOUND)
async def one(deps: Needs, caller: Who, webhook_id: str) -> WebhookView:
    """A webhook."""
    return WebhookView(**_view(await _mine(deps, caller, webhook_id)))


@router.delete("/api/webhooks/{webhook_id}", status_code=204, responses=_FOUND)
async def delete(deps: Needs, caller: Who, webhook_id: str) -> None:
    """Remove a webhook with its log; what was not sent yet is not sent."""
    found = await _mine(deps, caller, webhook_id)
    await deps.webhooks.remove(found.webhook_id)
    log.info("webhook removed", webhook_id=found.webhook_id, owner=caller.owner)


@router.post("/api/webhooks/{webhook_id}/enable", responses=_FOUND)
async def enable(deps: Needs, caller: Who, webhook_id: str) -> WebhookView:
    """Use a disabled webhook again; what still waits for it is sent."""
    found = await _mine(deps, caller, webhook_id)
    await deps.webhooks.enable(found.webhook_id)
    return WebhookView(**_view(await _mine(deps, caller, webhook_id)))


@router.get("/api/webhooks/{webhook_id}/deliveries", responses=_FOUND)
async def deliveries(
    deps: Needs,
    caller: Who,
    webhook_id: str,
    limit: Limit = 50,
    status: DeliveryStatus | None = None,
) -> Deliveries:
    """What was sent to a webhook, and what became of it."""
    found = await _mine(deps, caller, webhook_id)
    return await _log(deps, found.webhook_id, limit, status)


@router.get("/api/admin/webhooks", responses=responses(), tags=["admin"])
async def everyones(deps: Needs) -> Webhooks:
    """Everyone's webhooks."""
    return Webhooks(webhooks=[WebhookView(**_view(w)) for w in await deps.webhooks.all()])


@router.get("/api/admin/webhooks/deliveries", responses=responses(), tags=["admin"])
async def all_deliveries(
    deps: Needs, limit: Limit = 50, status: DeliveryStatus | None = None
) -> Deliveries:
    """What was sent to anyone."""
    return await _log(deps, None, limit, status)


@router.post(
    "/api/admin/webhooks/deliveries/{delivery_id}/redeliver",
    status_code=202,
    responses=_FOUND,
    tags=["admin"],
)
async def redeliver(deps: Needs, caller: Who, delivery_id: str) -> dict[str, str]:
    """Send a delivery again, delivered or not, under the same id."""
    attempts = deps.settings.webhook_attempts
    if not await deps.webhooks.redeliver(delivery_id, now(), attempts):
        raise refused(_C.NOT_FOUND, sentence="There is no such delivery.")
    log.info("webhook sent again", delivery_id=delivery_id, by=caller.owner)
    return {"delivery_id": delivery_id, "status": "pending"}


async def _log(
    deps: Deps, webhook_id: str | None, limit: int, status: DeliveryStatus | None
) -> Deliveries:
    found = await deps.webhooks.log(webhook_id, limit=limit, status=status)
    return Deliveries(deliveries=[_delivery(row, tried) for row, tried in found])


def _delivery(row: dict[str, Any], tried: list[dict[str, Any]]) -> DeliveryView:
    values = {n: row[n] for n in DeliveryView.model_fields if n not in ("log", "next_attempt_at")}
    return DeliveryView(
        **values,
        next_attempt_at=row["next_attempt_at"] if row["status"] == "pending" else None,
        log=[AttemptView(**{n: a[n] for n in AttemptView.model_fields}) for a in tried],
    )
