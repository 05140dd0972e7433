"""What the routes stand on, made once in app.py and reached through the request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from contracts.errors import ErrorCode
from planning.prompt_packs import PackRegistry
from runtime.bus import Bus
from runtime.health import Check
from runtime.live_previews import LivePreviews
from runtime.media_store import MediaStore
from services.gateway.access.authenticating import Authenticator
from services.gateway.access.caller import Caller
from services.gateway.access.limits import Limits
from services.gateway.activating import ActiveWorkflows
from services.gateway.active_jobs import ActiveJobs
from services.gateway.adapters.db.audit import AuditTrail
from services.gateway.adapters.db.credentials import ApiKeys
from services.gateway.adapters.db.dealt_letters import DealtLetters
from services.gateway.adapters.db.idempotency import IdempotencyKeys
from services.gateway.adapters.db.key_poses import KeyPoses
from services.gateway.adapters.db.library import Characters, Presets
from services.gateway.adapters.db.reading import ReadModel
from services.gateway.adapters.db.rebuilds import Rebuilds
from services.gateway.adapters.db.shares import Shares
from services.gateway.adapters.db.webhooks import WebhookStore
from services.gateway.adapters.webhook_post import WebhookPost
from services.gateway.engines import KnownEngines
from services.gateway.fanout import Fanout
from services.gateway.outlook import Outlook
from services.gateway.problems import refused
from services.gateway.settings import Settings
from services.gateway.sweeping import Grounds
from services.gateway.upload_sessions import UploadSessions


@dataclass(frozen=True, slots=True)
class Deps:
    """The gateway's parts."""

    settings: Settings
    credentials: Authenticator
    limits: Limits
    api_keys: ApiKeys
    audit: AuditTrail
    shares: Shares
    bus: Bus
    media: MediaStore
    read: ReadModel
    keys: IdempotencyKeys
    key_poses: KeyPoses
    dealt: DealtLetters
    rebuilds: Rebuilds
    characters: Characters
    presets: Presets
    grounds: Grounds
    fanout: Fanout
    engines: KnownEngines
    workflows: ActiveWorkflows
    packs: PackRegistry
    outlook: Outlook
    live_previews: LivePreviews
    limiter: ActiveJobs
    webhooks: WebhookStore
    webhook_post: WebhookPost
    uploads_dir: Path
    sessions: UploadSessions
    checks: Mapping[str, Check]
    stopping: asyncio.Event


# Asynchronous though they wait for nothing: FastAPI gives plain functions to a thread, and each
# costs every request a way there and back.
async def _deps(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


Needs = Annotated[Deps, Depends(_deps)]
"""A route parameter that receives the gateway's parts."""


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Who = Annotated[Caller, Depends(_caller)]
"""A route parameter that receives the caller, as services.gateway.access.guard found it."""


async def listed(request: Request) -> None:
    """Refuses a route that has no line in the table of roles: nobody may use it by accident."""
    if request.state.permit is None:
        raise refused(ErrorCode.FORBIDDEN)
