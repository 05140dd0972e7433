"""The connection to one WebUI: client, files, and which of our calls were never sent.

Owns how one of our runs is found there by its prompt id, and taken back. It follows no run and
decides nothing about jobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from engines.http.address import EngineAddress
from engines.webui import (
    CapabilityMissing,
    FrameSource,
    JobStatus,
    OverHttp,
    SharedFolder,
    Stopped,
    Watch,
    WebUIClient,
    withdraw_job,
)
from services.executor.adapters.engine_link import EngineLink
from services.executor.metrics import BusyClock
from services.executor.settings import EngineSettings, Settings


@dataclass(slots=True, kw_only=True)
class WebuiLink(EngineLink):
    """One WebUI. `unsent` are prompt ids that were assigned and certainly not sent after all."""

    client: WebUIClient
    watch: Watch
    unsent: set[str] = field(default_factory=set)

    @property
    def address(self) -> EngineAddress:
        """Where it is."""
        return self.client.address

    @property
    def files(self) -> FrameSource:
        """How Deforum's files come and go."""
        shared = self.settings.shared_outputs
        if shared is None:
            return OverHttp(self.client)
        return SharedFolder(self.client.name, shared.there, shared.here)

    async def batch(self, prompt_id: str) -> JobStatus | None:
        """The Deforum job of that prompt id, if the server knows it. Raises EngineError."""
        return await self.client.deforum.find(batch_name(prompt_id))

    async def withdraw(self, prompt_id: str, *, patience_s: float) -> bool:
        """Stops the Deforum job or the call of that prompt id, and no other. Raises EngineError.

        A stop is remembered on our side first: the server never says that it stopped.
        """
        try:
            job = await self.batch(prompt_id)
        except CapabilityMissing:
            job = None
        if job is not None:
            self.client.deforum.withdrawn.add(job.job_id)
            watch = replace(self.watch, patience_s=patience_s)
            told = await withdraw_job(self.client.deforum, job.job_id, watch)
            return told is not Stopped.MAY_RUN
        return await self.client.abandon(prompt_id, patience_s=patience_s)


def batch_name(prompt_id: str) -> str:
    """The unique batch name by which a Deforum job is found again."""
    return f"animatrix-{prompt_id}"


@asynccontextmanager
async def open_webui(engine: EngineSettings, settings: Settings) -> AsyncIterator[WebuiLink]:
    """The link to an engine while the block runs."""
    watch = Watch(
        deadline_s=float("inf"),  # each step brings its own
        stall_s=settings.deforum_stall_s,
        poll_s=settings.webui_poll_s,
        settle_s=settings.deforum_settle_s,
        patience_s=settings.cancel_patience_s,
        find_s=settings.deforum_find_s,
    )
    async with WebUIClient(engine.address(), poll_s=settings.webui_poll_s) as client:
        clock = BusyClock(engine.engine_id)
        yield WebuiLink(settings=engine, clock=clock, client=client, watch=watch)
