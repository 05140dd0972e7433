"""What the server says of itself: /system_stats and /features.

Owns the types and their reading. Absent fields become None or empty, since versions differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Device:
    """One compute device; memory in bytes, None where the server does not tell."""

    name: str
    type: str
    index: int | None
    vram_total_bytes: int | None
    vram_free_bytes: int | None


@dataclass(frozen=True, slots=True)
class SystemStats:
    """GET /system_stats: versions, memory, devices. argv is left out: it holds server paths."""

    comfyui_version: str | None
    python_version: str | None
    pytorch_version: str | None
    os: str | None
    ram_total_bytes: int | None
    ram_free_bytes: int | None
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """GET /features; `max_upload_bytes` is None on servers that do not tell."""

    supports_preview_metadata: bool
    max_upload_bytes: int | None


def system_stats(body: Mapping[str, Any]) -> SystemStats:
    """Reads GET /system_stats."""
    system = body.get("system")
    system = system if isinstance(system, Mapping) else {}
    rows = body.get("devices")
    rows = rows if isinstance(rows, list) else []
    return SystemStats(
        comfyui_version=_text(system.get("comfyui_version")),
        python_version=_text(system.get("python_version")),
        pytorch_version=_text(system.get("pytorch_version")),
        os=_text(system.get("os")),
        ram_total_bytes=_whole(system.get("ram_total")),
        ram_free_bytes=_whole(system.get("ram_free")),
        devices=tuple(_device(row) for row in rows if isinstance(row, Mapping)),
    )


def features(body: Mapping[str, Any]) -> Features:
    """Reads GET /features, and the `feature_flags` message, which has the same shape."""
    return Features(
        supports_preview_metadata=body.get("supports_preview_metadata") is True,
        max_upload_bytes=_whole(body.get("max_upload_size")),
    )


def _device(row: Mapping[str, Any]) -> Device:
    return Device(
        name=str(row.get("name") or ""),
        type=str(row.get("type") or ""),
        index=_whole(row.get("index")),
        vram_total_bytes=_whole(row.get("vram_total")),
        vram_free_bytes=_whole(row.get("vram_free")),
    )


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
