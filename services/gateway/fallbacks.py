"""What is offered in place of a refused job, as a client reads it. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from contracts.plan import JobPlan
from planning.sheet import Fallback


class FallbackView(BaseModel):
    """What could be made instead of what was refused: send `request` to have it."""

    sentence: str
    request: dict[str, Any]
    plan: JobPlan


def fallback_view(found: Fallback) -> FallbackView:
    """The answer about a fallback: the request as it is to be sent, with its mode."""
    asked = found.request.model_dump(mode="json", exclude_unset=True)
    return FallbackView(
        sentence=found.sentence,
        request={"mode": found.request.mode, **asked},
        plan=found.plan,
    )
