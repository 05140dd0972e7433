"""Wires the gateway: database, projector, fan-out, dead letters and the public HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from sqlalchemy import text

from contracts.subjects import CONSUMERS, lane_consumer
from planning.lanes import all_lanes
from planning.prompt_packs import load_packs
from planning.registry import load_workflows
from runtime.backlog import watch_backlog
from runtime.engine_board import EngineBoard
from runtime.http_server import listen, serve_http
from runtime.live_previews import LivePreviews
from runtime.process import App, Runtime
from services.gateway.access.authenticating import Authenticator
from services.gateway.access.limits import Limits
from services.gateway.access.oidc import TokenVerifier
from services.gateway.access.sealing import seal_of
from services.gateway.activating import ActiveWorkflows
from services.gateway.active_jobs import ActiveJobs
from services.gateway.adapters.db.activations import Activations
from services.gateway.adapters.db.audit import AuditTrail
from services.gateway.adapters.db.credentials import ApiKeys, Sessions
from services.gateway.adapters.db.dealt_letters import DealtLetters
from services.gateway.adapters.db.engine import Database, open_database
from services.gateway.adapters.db.idempotency import IdempotencyKeys
from services.gateway.adapters.db.key_poses import KeyPoses
from services.gateway.adapters.db.library import Characters, Presets
from services.gateway.adapters.db.migrate import migrate
from services.gateway.adapters.db.naming import Named
from services.gateway.adapters.db.reading import ReadModel
from services.gateway.adapters.db.rebuilds import Rebuilds
from services.gateway.adapters.db.shares import Shares
from services.gateway.adapters.db.webhooks import WebhookStore
from services.gateway.adapters.jwks import IssuerKeys
from services.gateway.adapters.webhook_post import WebhookPost
from services.gateway.dead_letters import DeadLetterWatch
from services.gateway.deps import Deps
from services.gateway.engines import KnownEngines
from services.gateway.fanout import Fanout
from services.gateway.outlook import Outlook
from services.gateway.projector import Projector
from services.gateway.receiving import prepare_folder
from services.gateway.settings import Settings
from services.gateway.sweeper import Sweeper
from services.gateway.sweeping import Grounds
from services.gateway.upload_sessions import UploadSessions
from services.gateway.web import web_app
from services.gateway.webhooks.delivering import WebhookDelivery

log = structlog.get_logger()
HOUR_S = 3600.0


@asynccontextmanager
async def build(runtime: Runtime) -> AsyncIterator[App]:
    """The gateway as its process runs it. Raises pydantic.ValidationError for wrong settings."""
    async with build_with(runtime, Settings()) as app:
        yield app


@asynccontextmanager
async def build_with(runtime: Runtime, settings: Settings) -> AsyncIterator[App]:
    """The same with settings that did not come from the environment."""
    uploads_dir = runtime.shared.state_dir / "uploads"
    prepare_folder(uploads_dir)
    sessions = UploadSessions(runtime.shared.state_dir / "upload-sessions")
    database = open_database(settings.url_of_database(runtime.shared.state_dir))
    try:
        await migrate(database)
        seal = seal_of(settings, runtime.shared.state_dir)
        webhooks, shares = WebhookStore(database, seal), Shares(database, seal)
        await webhooks.reseal()
        await shares.reseal()
        fanout, read = Fanout(runtime.bus), ReadModel(database)
        engines = KnownEngines(EngineBoard(runtime.bus))
        outlook = Outlook(read, engines, settings.queue_bounds)
        checks = {"database": partial(_database_check, database)}
        deps = Deps(
            settings=settings,
            credentials=_authenticator(settings, database),
            limits=Limits(settings),
            api_keys=ApiKeys(database),
            audit=AuditTrail(database),
            shares=shares,
            bus=runtime.bus,
            media=runtime.media,
            read=read,
            keys=IdempotencyKeys(database),
            key_poses=KeyPoses(database),
            dealt=DealtLetters(database),
            rebuilds=Rebuilds(database),
            characters=Characters(database),
            presets=Presets(database),
            grounds=Grounds(
                runtime.bus, runtime.media, Named(database), uploads_dir, settings.engine_folders
            ),
            fanout=fanout,
            engines=engines,
            workflows=ActiveWorkflows(load_workflows(), Activations(database)),
            packs=load_packs(),
            outlook=outlook,
            live_previews=LivePreviews(runtime.bus),
            limiter=ActiveJobs(read, fanout, settings.max_active_jobs),
            webhooks=webhooks,
            webhook_post=WebhookPost(settings.webhook_allowed_networks, settings.webhook_timeout_s),
            uploads_dir=uploads_dir,
            sessions=sessions,
            checks=checks,
            stopping=runtime.stopping,
        )
        projector = Projector(runtime.bus, database, runtime.instance)
        consumers = (*CONSUMERS, *map(lane_consumer, all_lanes()))
        watch = DeadLetterWatch(runtime.bus, runtime.instance)
        delivery = WebhookDelivery(
            runtime.bus,
            deps.webhooks,
            deps.webhook_post,
            settings.webhook_policy,
            runtime.instance,
        )
        sweeper = Sweeper(
            deps.grounds,
            runtime.instance,
            every_s=settings.sweep_every_h * HOUR_S,
            grace_s=settings.sweep_grace_h * HOUR_S,
        )
        sock = listen(settings.host, settings.port)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        log.info("serving", url=f"http://{host}:{sock.getsockname()[1]}/")
        yield App(
            background=(
                partial(serve_http, web_app(deps), sock, runtime.stopping),
                partial(fanout.run, runtime.stopping),
                partial(projector.run, runtime.stopping),
                partial(watch.run, runtime.stopping),
                partial(sessions.run, runtime.stopping),
                partial(delivery.run, runtime.stopping),
                partial(sweeper.run, runtime.stopping),
                partial(outlook.watch, runtime.stopping),
                partial(watch_backlog, runtime.bus, consumers, runtime.stopping),
            ),
            checks=checks,
        )
    finally:
        await database.close()


def _authenticator(settings: Settings, database: Database) -> Authenticator:
    url = settings.oidc_jwks_url
    tokens = TokenVerifier(settings, IssuerKeys(url)) if url else None
    return Authenticator(settings, ApiKeys(database), Sessions(database), tokens)


async def _database_check(database: Database) -> str | None:
    async with database.reader.connect() as connection:
        await connection.execute(text("SELECT 1"))
    return None
