"""An engine's snapshot from what it answers. Pure.

Owns the reading of a node list's choices. Which inputs are worth telling is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from contracts.base import StoredFile
from contracts.engines import Device, EngineSnapshot, Shortfall
from engines.comfyui import SystemStats


def choices_in(object_info: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values offered for each wanted "<class>.<input>" that the engine has.

    Older nodes give the list in place of the type, newer ones the type COMBO with options (facts
    on ComfyUI, "POST /prompt").
    """
    found: dict[str, tuple[str, ...]] = {}
    for choice in sorted(wanted):
        node_class, _, name = choice.partition(".")
        offered = _offered(object_info.get(node_class), name)
        if offered is not None:
            found[choice] = tuple(str(value) for value in offered)
    return found


def _offered(about: object, name: str) -> list[Any] | None:
    inputs = about.get("input") if isinstance(about, Mapping) else None
    for part in ("required", "optional"):
        group = inputs.get(part) if isinstance(inputs, Mapping) else None
        spec = group.get(name) if isinstance(group, Mapping) else None
        if not isinstance(spec, list) or not spec:
            continue
        if isinstance(spec[0], list):
            return spec[0]
        if spec[0] == "COMBO" and len(spec) > 1 and isinstance(spec[1], Mapping):
            options = spec[1].get("options")
            return options if isinstance(options, list) else None
    return None


def seen(
    engine_id: str,
    stats: SystemStats,
    object_info: Mapping[str, Any],
    *,
    wanted: Iterable[str],
    simulated: bool,
    catalogue: StoredFile | None,
    at: datetime,
    shortfalls: tuple[Shortfall, ...] = (),
    packages: tuple[str, ...] = (),
) -> EngineSnapshot:
    """The snapshot of an engine that answered; `wanted` are the "<class>.<input>" to list."""
    return EngineSnapshot(
        engine_id=engine_id,
        kind="comfyui",
        simulated=simulated,
        version=stats.comfyui_version or "unknown",
        health="ready",
        seen_at=at,
        node_classes=tuple(sorted(object_info)),
        choices=choices_in(object_info, wanted),
        shortfalls=shortfalls,
        packages=packages,
        devices=devices_of(stats),
        catalogue=catalogue,
    )


def devices_of(stats: SystemStats) -> tuple[Device, ...]:
    """The engine's devices; memory that it does not tell counts as 0 bytes."""
    return tuple(
        Device(
            name=device.name,
            kind=device.type,
            vram_total_bytes=max(0, device.vram_total_bytes or 0),
            vram_free_bytes=max(0, device.vram_free_bytes or 0),
        )
        for device in stats.devices
    )
