"""How ids derive from each other. Pure: fresh ids are minted in runtime.ids."""

from __future__ import annotations

import uuid
from functools import lru_cache

_ENGINE_NAMESPACE = uuid.UUID("6e3d1f0a-6f6e-5a3e-9f54-0a9d6f1b7c21")


@lru_cache(maxsize=1024)
def comfy_prompt_id(job_id: str, attempt: int, stage: int, segment: int) -> str:
    """The prompt id of one step: UUIDv5 of job, attempt, stage and segment, canonical lower-case.

    Whoever restarts with the same step asks the engine for the same prompt (design, "Re-attach").
    The stage takes part because two stages of a chain may both have a segment 0.
    """
    return str(uuid.uuid5(uuid.UUID(job_id), f"{attempt}/{stage}/{segment}"))


def engine_client_id(engine_id: str) -> str:
    """The websocket client id used with an engine: the successor of a dead executor hears it."""
    return uuid.uuid5(_ENGINE_NAMESPACE, engine_id).hex
