"""The connection to one ComfyUI: client, socket, and what was uploaded.

Owns the memory of uploads. It follows no prompt and decides nothing about jobs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from contracts.ids import engine_client_id
from engines.comfyui import ComfyClient, ComfySocket
from engines.http.address import EngineAddress
from services.executor.adapters.engine_link import EngineLink
from services.executor.metrics import BusyClock
from services.executor.settings import EngineSettings


@dataclass(slots=True, kw_only=True)
class ComfyLink(EngineLink):
    """One ComfyUI; `uploaded` are the inputs it has had from this process."""

    client: ComfyClient
    socket: ComfySocket
    uploaded: set[str] = field(default_factory=set)

    @property
    def address(self) -> EngineAddress:
        """Where it is."""
        return self.client.address

    async def withdraw(self, prompt_id: str, *, patience_s: float) -> bool:
        """Deletes the prompt if it waits, interrupts it if it runs; by its id, so no other."""
        return await self.client.withdraw(prompt_id, patience_s=patience_s)


@asynccontextmanager
async def open_comfy(settings: EngineSettings) -> AsyncIterator[ComfyLink]:
    """The link to an engine while the block runs; the socket keeps trying by itself."""
    address = settings.address()
    client_id = engine_client_id(settings.engine_id)
    async with (
        ComfyClient(address) as client,
        ComfySocket(address, client_id) as socket,
    ):
        clock = BusyClock(settings.engine_id)
        yield ComfyLink(settings=settings, clock=clock, client=client, socket=socket)
