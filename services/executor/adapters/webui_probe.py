"""Asks one WebUI what it is: whether it is busy at every look, what it can do every few seconds.

Owns which of its answers are read: a dozen cheap ones, so that an extension that is switched on
or off shows without a restart. It runs nothing there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts.engines import EngineKind, EngineSnapshot
from engines.webui import probe
from runtime.engine_board import EngineBoard
from runtime.media_store import MediaStore
from runtime.stamp import now
from services.executor.adapters.probing import Probe
from services.executor.adapters.webui_link import WebuiLink
from services.executor.settings import Settings
from services.executor.webui import capabilities


class WebuiProbe(Probe):
    """Probes one WebUI. `lanes_for` says which lanes an engine seen like this can run."""

    def __init__(
        self,
        link: WebuiLink,
        media: MediaStore,
        board: EngineBoard,
        settings: Settings,
        lanes_for: Callable[[EngineSnapshot], tuple[str, ...]],
    ) -> None:
        super().__init__(link, media, board, settings)
        self._webui = link
        self._lanes_for = lanes_for

    @property
    def kind(self) -> EngineKind:
        """WebUI."""
        return "webui"

    @property
    def whole_every_s(self) -> float:
        """As the settings say."""
        return self._settings.webui_catalogue_interval_s

    async def ask(self, *, whole: bool) -> EngineSnapshot:
        """See Probe."""
        link = self._webui
        busy = not (await link.client.progress()).idle
        seen = link.snapshot
        if whole or seen is None or seen.webui is None:
            probed = await probe(
                link.client,
                shared_folder=link.settings.shared_outputs is not None,
                motion_models=link.settings.motion_models,
            )
            fresh = capabilities.seen(
                link.engine_id,
                probed,
                simulated=await link.is_simulated(),
                catalogue=await self.stored(_lasting(probed.as_data())),
                at=now(),
            )
            seen = fresh.model_copy(update={"lanes": self._lanes_for(fresh)})
        return seen.model_copy(
            update={
                "health": "busy" if busy else "ready",
                "reason": None,
                "seen_at": now(),
                "warm_lane": link.warm_lane,
            }
        )


def _lasting(probed: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot without its time, so that the same capabilities are stored once."""
    return {name: value for name, value in probed.items() if name != "taken_at"}
