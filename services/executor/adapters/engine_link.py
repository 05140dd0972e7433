"""One engine as this process knows it: whether it answers, what it was seen to be.

Owns what engines of every kind have in common, and the memory of prompts to be withdrawn later.
It follows no prompt and decides nothing about jobs.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import httpx

from contracts.engines import EngineSnapshot
from contracts.plan import EngineUsed
from engines.http.address import EngineAddress
from engines.http.errors import EngineUnreachable
from services.executor.metrics import BusyClock
from services.executor.settings import EngineSettings


@dataclass(slots=True, kw_only=True)
class EngineLink(ABC):
    """The connection to one engine. `answering` is set while it is reachable and lets us in, and
    can be given work: not while it is `stuck`, holding an unwanted prompt that never moves."""

    settings: EngineSettings
    clock: BusyClock
    snapshot: EngineSnapshot | None = None
    warm_lane: str | None = None
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: set[str] = field(default_factory=set)
    stuck: asyncio.Event = field(default_factory=asyncio.Event)

    @abstractmethod
    async def withdraw(self, prompt_id: str, *, patience_s: float) -> bool:
        """Takes one prompt of ours back; True once the engine neither runs nor queues it.

        Raises EngineError.
        """

    @property
    @abstractmethod
    def address(self) -> EngineAddress:
        """Where it is."""

    @property
    def engine_id(self) -> str:
        """The engine's stable name."""
        return self.settings.engine_id

    def used(self) -> EngineUsed:
        """Which engine makes a video, as last seen. Raises EngineUnreachable before any answer."""
        seen = self.snapshot
        if seen is None:
            raise EngineUnreachable(str(self.address), "the engine was not seen yet")
        return EngineUsed(
            engine_id=self.engine_id,
            kind=seen.kind,
            simulated=seen.simulated,
            version=seen.version,
            snapshot=seen.catalogue,
        )

    async def is_simulated(self) -> bool:
        """Whether the engine says of itself, at GET /simulator, that it is a simulator.

        No real engine has such a route. Raises EngineUnreachable.
        """
        address = self.address
        try:
            async with httpx.AsyncClient(
                base_url=address.base_url,
                headers=address.request_headers(),
                # an http engine needs no authorities, and reading them takes a while
                verify=address.tls() or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                trust_env=False,
                timeout=10.0,
            ) as http:
                answer = await http.get("/simulator")
            return answer.status_code == 200 and answer.json().get("simulated") is True
        except httpx.HTTPError as error:
            raise EngineUnreachable(address.base_url, f"GET /simulator: {error!r}") from error
        except (ValueError, AttributeError):
            return False
