"""What operators are told of the room that media take."""

from __future__ import annotations

from typing import Any

from tests.support.gateway import World
from tests.support.waiting import eventually


async def test_storage_says_what_the_records_name(world: World) -> None:
    await world.completed_job(b"0" * 1000)

    async def projected() -> dict[str, Any] | None:
        seen: dict[str, Any] = (await world.http.get("/api/admin/storage")).json()
        return seen if seen["kinds"] else None

    seen = await eventually(projected)
    assert {"kind": "delivered video", "items": 1, "size_bytes": 1000} in seen["kinds"]
    assert sum(day["delivered_bytes"] for day in seen["days"]) > 1000
