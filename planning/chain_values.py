"""Where the values of a stage come from: the request, else the pack, else our defaults.

Every resolved value is written down with its origin, so that the record can show it. Must not know
what a value means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from contracts.base import Contract
from contracts.plan import Origin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one stage at a place such as "stages.1"; `origins` is filled on the way."""

    place: str
    asked: Contract | None
    pack: Contract | None
    origins: dict[str, Origin]

    def of(self, name: str, default: T, origin: Origin = "default") -> T:
        """The value of a field: as asked, else as packed, else the default of that origin."""
        sources: tuple[tuple[Origin, Contract | None], ...] = (
            ("request", self.asked),
            ("pack", self.pack),
        )
        for where, source in sources:
            value = _said(source, name)
            if value is not None:
                return self.set(name, cast("T", value), where)
        return self.set(name, default, origin)

    def set(self, name: str, value: T, origin: Origin) -> T:
        """A value whose origin is known; returns it."""
        self.origins[f"{self.place}.{name}"] = origin
        return value

    def asks(self, name: str) -> bool:
        """Whether the request itself says something of the field."""
        return _said(self.asked, name) is not None

    def within(self, name: str) -> Values:
        """The values inside a field that is itself a group of values."""
        asked, pack = (
            value if isinstance(value := _said(source, name), Contract) else None
            for source in (self.asked, self.pack)
        )
        return Values(f"{self.place}.{name}", asked, pack, self.origins)

    def group(self, defaults: Mapping[str, object]) -> dict[str, object]:
        """Every field of a group by name, each resolved on its own."""
        return {name: self.of(name, default) for name, default in defaults.items()}


def _said(source: Contract | None, name: str) -> object:
    """What a source says of a field; None when it says nothing."""
    if source is None or name not in source.model_fields_set:
        return None
    return cast("object", getattr(source, name))
