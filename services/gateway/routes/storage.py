"""For operators: what the records hold in the media store, by kind and by day."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from contracts.errors import ErrorCode
from services.gateway.deps import Needs
from services.gateway.problems import responses

router = APIRouter(prefix="/api/admin", tags=["admin"])
_C = ErrorCode
DAYS_SHOWN = 30


class HeldView(BaseModel):
    """What is held of a kind; `items` are uploads, or the jobs that delivered."""

    kind: str
    items: int
    size_bytes: int


class DayView(BaseModel):
    """Bytes that came on a day (UTC) and are still there."""

    day: str
    uploaded_bytes: int
    delivered_bytes: int


class StorageView(BaseModel):
    """What the records name in the media store: uploads, each content once, and delivered files
    of jobs that are not deleted; of kept frames only their index. What steps leave until they
    are swept, thumbnails and prepared media are not among them."""

    kinds: list[HeldView]
    days: list[DayView]
    free_bytes: int | None


@router.get("/storage", responses=responses(_C.UNAVAILABLE))
async def storage(deps: Needs) -> StorageView:
    """How much the media take, by kind, and how much came on each of the last days."""
    uploads, outputs = await deps.read.uploads_held(), await deps.read.outputs_held()
    kinds: dict[str, HeldView] = {}
    days: dict[str, DayView] = {}

    def count(kind: str, items: int, size_bytes: int) -> None:
        held = kinds.setdefault(kind, HeldView(kind=kind, items=0, size_bytes=0))
        held.items += items
        held.size_bytes += size_bytes

    def day(name: str) -> DayView:
        return days.setdefault(name, DayView(day=name, uploaded_bytes=0, delivered_bytes=0))

    for row in uploads:
        count(f"uploaded {row['kind']}", row["uploads"], int(row["size_bytes"]))
        day(row["day"]).uploaded_bytes += int(row["size_bytes"])
    for row in outputs:
        videos, others = int(row["videos_bytes"]), int(row["others_bytes"])
        count("delivered video", row["jobs"], videos)
        count("beside the videos", row["jobs"], others)
        day(row["day"]).delivered_bytes += videos + others
    return StorageView(
        kinds=[kinds[name] for name in sorted(kinds)],
        days=[days[name] for name in sorted(days, reverse=True)[:DAYS_SHOWN]],
        free_bytes=await deps.media.free_bytes(),
    )
