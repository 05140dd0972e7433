"""What operators mapped on pose sheets. Part of `app`: owned, never derived."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from contracts.media import KeyPose
from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database


@dataclass(frozen=True, slots=True)
class MappedPoses:
    """The key poses of one sheet, in order, and who mapped them when."""

    asset_id: str
    poses: tuple[KeyPose, ...]
    mapped_by: str
    mapped_at: datetime


class KeyPoses:
    """One mapping for each sheet; the latest stands."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def of(self, asset_ids: Collection[str]) -> dict[str, MappedPoses]:
        """The mappings of these sheets, by asset id; sheets without one are left out."""
        if not asset_ids:
            return {}
        t = tables.key_poses
        query = sa.select(t).where(t.c.asset_id.in_(sorted(set(asset_ids))))
        async with self._database.reader.begin() as connection:
            rows = (await connection.execute(query)).all()
        return {
            row.asset_id: MappedPoses(
                row.asset_id,
                tuple(KeyPose.model_validate(pose) for pose in row.poses),
                row.mapped_by,
                row.mapped_at,
            )
            for row in rows
        }

    async def keep(self, mapped: MappedPoses) -> None:
        """Put a mapping in the place of the one before."""
        row = {
            "asset_id": mapped.asset_id,
            "poses": [pose.model_dump(mode="json") for pose in mapped.poses],
            "mapped_by": mapped.mapped_by,
            "mapped_at": mapped.mapped_at,
        }
        async with self._database.writer.begin() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(tables.key_poses).values(row)
            replaced = {name: statement.excluded[name] for name in row if name != "asset_id"}
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["asset_id"], set_=replaced)
            )
