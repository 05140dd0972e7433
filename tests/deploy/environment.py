"""Which environment variables the product reads, from its settings classes themselves."""

from __future__ import annotations

import importlib
from typing import get_args

from pydantic_settings import BaseSettings

from contracts.subjects import Service
from runtime.settings import SharedSettings


def known_variables() -> set[str]:
    """Every ANIMATRIX_* variable that a process of ours reads."""
    known = {f"ANIMATRIX_{name}".upper() for name in SharedSettings.model_fields}
    for service in get_args(Service):
        module = importlib.import_module(f"services.{service}.settings")
        settings: type[BaseSettings] = module.Settings
        prefix = settings.model_config["env_prefix"]
        known |= {f"{prefix}{name}".upper() for name in settings.model_fields}
        known.add(f"ANIMATRIX_{service}_HEALTH_PORT".upper())
    return known
