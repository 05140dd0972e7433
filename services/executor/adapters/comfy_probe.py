"""Asks one ComfyUI what it is: statistics and queue at every look, its node list now and then.

Owns which of its answers are read. It runs no prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.base import canonical_bytes, sha256_hex
from contracts.engines import EngineKind, EngineSnapshot, Shortfall
from engines.comfyui import Catalogue, SystemStats
from runtime.engine_board import EngineBoard
from runtime.media_store import MediaStore
from runtime.stamp import now
from services.executor.adapters.comfy_link import ComfyLink
from services.executor.adapters.probing import Probe
from services.executor.comfyui import fitness, snapshots
from services.executor.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a snapshot is to tell: the choices of these "<class>.<input>", and how the engine's
    nodes differ from what these graphs need."""

    choices: frozenset[str]
    trials: tuple[Mapping[str, Any], ...] = ()


class ComfyProbe(Probe):
    """Probes one ComfyUI. `lanes_for` says which lanes an engine seen like this can run."""

    def __init__(
        self,
        link: ComfyLink,
        media: MediaStore,
        board: EngineBoard,
        settings: Settings,
        lanes_for: Callable[[EngineSnapshot], tuple[str, ...]],
        wanted: Wanted,
    ) -> None:
        super().__init__(link, media, board, settings)
        self._comfy = link
        self._lanes_for = lanes_for
        self._wanted = wanted
        self._judged_for = ""
        self._shortfalls: tuple[Shortfall, ...] = ()
        self._packages: tuple[str, ...] = ()

    @property
    def kind(self) -> EngineKind:
        """ComfyUI."""
        return "comfyui"

    @property
    def whole_every_s(self) -> float:
        """As the settings say: a node list is large and changes at a restart only."""
        return self._settings.catalogue_interval_s

    def forget(self) -> None:
        """Its input folder may be new when it returns."""
        self._comfy.uploaded.clear()

    async def ask(self, *, whole: bool) -> EngineSnapshot:
        """See Probe."""
        link, client = self._comfy, self._comfy.client
        stats = await client.system_stats()
        remaining = await client.queue_remaining()
        seen = link.snapshot
        if whole or seen is None or seen.catalogue is None:
            seen = await self._examined(stats)
        return seen.model_copy(
            update={
                "health": "busy" if remaining else "ready",
                "reason": None,
                "seen_at": now(),
                "devices": snapshots.devices_of(stats),
                "queue_remaining": remaining,
                "warm_lane": link.warm_lane,
            }
        )

    async def _examined(self, stats: SystemStats) -> EngineSnapshot:
        """The snapshot from the engine's whole node list. Raises EngineError."""
        link = self._comfy
        info = await link.client.object_info()
        digest = sha256_hex(canonical_bytes(info))
        if digest != self._judged_for:
            catalogue = Catalogue.read(info)
            self._shortfalls = await asyncio.to_thread(
                fitness.shortfalls_of, self._wanted.trials, catalogue, self._wanted.choices
            )
            self._packages = fitness.packages_of(catalogue)
            self._judged_for = digest
        fresh = snapshots.seen(
            link.engine_id,
            stats,
            info,
            wanted=self._wanted.choices,
            simulated=await link.is_simulated(),
            catalogue=await self.stored(info),
            at=now(),
            shortfalls=self._shortfalls,
            packages=self._packages,
        )
        return fresh.model_copy(update={"lanes": self._lanes_for(fresh)})
