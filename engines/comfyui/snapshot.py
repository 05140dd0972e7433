"""What one engine can do, as plain data that others may store and compare.

Owns the snapshot's shape (`SCHEMA_VERSION`) and how it is taken. It judges nothing: matching
a workflow's manifest against a snapshot is for whoever plans.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from .catalogue import COMBO, Catalogue
from .client import ComfyClient
from .server import Device

SCHEMA_VERSION = 1
MODEL_SUFFIXES = frozenset(
    {".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".onnx", ".gguf", ".pkl"}
)


@dataclass(frozen=True, slots=True)
class CapabilitySnapshot:
    """An engine at one moment.

    `classes` are all node classes; `models` the files of each models folder that has any;
    `choices` the model files that an input offers, by "Class.input" (some nodes keep their
    models outside the models folders); memory is in bytes.
    """

    schema_version: int
    comfyui_version: str | None
    python_version: str | None
    pytorch_version: str | None
    os: str | None
    max_upload_bytes: int | None
    devices: tuple[Device, ...]
    classes: tuple[str, ...]
    models: Mapping[str, tuple[str, ...]]
    choices: Mapping[str, tuple[str, ...]]

    def as_data(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, in a stable order."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> CapabilitySnapshot:
        """Back from `as_data` (or its JSON). Raises ValueError for another schema version."""
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"capability snapshot of schema {data.get('schema_version')!r}")
        lists = {key: _lists(data[key]) for key in ("models", "choices")}
        devices = tuple(Device(**device) for device in data["devices"])
        return cls(**{**data, **lists, "devices": devices, "classes": tuple(data["classes"])})


async def capture(
    client: ComfyClient, *, classes: Collection[str] | None = None
) -> CapabilitySnapshot:
    """Asks the engine what it has; `classes` limits what is kept to these node classes.

    Raises EngineUnreachable, EngineRefused, ProtocolError.
    """
    object_info, stats, features, folders = await asyncio.gather(
        client.object_info(), client.system_stats(), client.features(), client.models()
    )
    catalogue = Catalogue.read(object_info)
    kept = sorted(name for name in catalogue if classes is None or name in classes)
    models = {folder: await client.models(folder) for folder in sorted(folders)}
    return CapabilitySnapshot(
        schema_version=SCHEMA_VERSION,
        comfyui_version=stats.comfyui_version,
        python_version=stats.python_version,
        pytorch_version=stats.pytorch_version,
        os=stats.os,
        max_upload_bytes=features.max_upload_bytes,
        devices=stats.devices,
        classes=tuple(kept),
        models={folder: tuple(sorted(names)) for folder, names in models.items() if names},
        choices=_model_choices(catalogue, kept),
    )


def _model_choices(catalogue: Catalogue, kept: Collection[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name in kept:
        for spec in catalogue[name].inputs.values():
            # lists of uploads change with every job and say nothing about the engine
            if spec.type != COMBO or spec.uploads:
                continue
            files = sorted(str(one) for one in spec.options or () if _is_model(str(one)))
            if files:
                found[f"{name}.{spec.name}"] = tuple(files)
    return found


def _is_model(name: str) -> bool:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower() in MODEL_SUFFIXES


def _lists(data: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in data.items()}
