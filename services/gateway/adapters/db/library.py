"""Characters and presets: what people keep to use again. Part of `app`: owned, never derived.

Must not know what a character or a style consists of: that is a JSON object to this module.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.gateway.adapters.db import tables
from services.gateway.adapters.db.engine import Database
from services.gateway.projection import Row

AT_MOST = 200
"""How many of an owner's things are listed, the latest changed first."""


class NameTaken(Exception):
    """The owner has another thing of this name."""


class Characters:
    """Named characters; every save is a version that stays."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def save(
        self, *, character_id: str, owner: str, name: str, content: dict[str, Any], at: datetime
    ) -> int:
        """Keep a new version, the first one of an unknown id; returns its number from 1.

        Raises NameTaken.
        """
        t = tables.characters
        try:
            async with self._database.writer.begin() as connection:
                known = sa.select(t.c.version).where(t.c.character_id == character_id)
                version = ((await connection.execute(known.with_for_update())).scalar() or 0) + 1
                row = {"name": name, "version": version, "updated_at": at}
                await connection.execute(
                    t.insert().values(character_id=character_id, owner=owner, **row)
                    if version == 1
                    else t.update().where(t.c.character_id == character_id).values(row)
                )
                kept = {"character_id": character_id, "version": version, "created_at": at}
                await connection.execute(
                    tables.character_versions.insert().values(content=content, **kept)
                )
        except IntegrityError as taken:
            raise NameTaken(name) from taken
        return int(version)

    async def list(self, owner: str) -> list[Row]:
        """The owner's characters in their newest versions."""
        query = self._newest().where(tables.characters.c.owner == owner)
        query = query.order_by(tables.characters.c.updated_at.desc()).limit(AT_MOST)
        async with self._database.reader.begin() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def find(self, character_id: str, version: int | None = None) -> Row | None:
        """A character in one of its versions, by default the newest."""
        t, v = tables.characters, tables.character_versions
        query = self._newest() if version is None else self._joined(v.c.version == version)
        async with self._database.reader.begin() as connection:
            found = await connection.execute(query.where(t.c.character_id == character_id))
            row = found.mappings().one_or_none()
        return None if row is None else dict(row)

    async def delete(self, character_id: str) -> None:
        """Forget a character and all its versions; its files stay."""
        async with self._database.writer.begin() as connection:
            for t in (tables.character_versions, tables.characters):
                await connection.execute(t.delete().where(t.c.character_id == character_id))

    def _newest(self) -> sa.Select[Any]:
        return self._joined(tables.character_versions.c.version == tables.characters.c.version)

    def _joined(self, which: sa.ColumnElement[bool]) -> sa.Select[Any]:
        t, v = tables.characters, tables.character_versions
        shown = (t.c.character_id, t.c.owner, t.c.name, v.c.version, v.c.content, v.c.created_at)
        return sa.select(*shown, t.c.version.label("newest_version")).join_from(
            t, v, sa.and_(t.c.character_id == v.c.character_id, which)
        )


class Presets:
    """Named styles, one's own and shared ones."""

    def __init__(self, database: Database) -> None:
        """Uses both engines of the database."""
        self._database = database

    async def save(
        self,
        *,
        preset_id: str,
        owner: str,
        name: str,
        shared: bool,
        style: dict[str, Any],
        at: datetime,
    ) -> None:
        """Keep a preset, new or changed. Raises NameTaken."""
        t = tables.presets
        row = {"name": name, "shared": shared, "style": style, "updated_at": at}
        try:
            async with self._database.writer.begin() as connection:
                changed = await connection.execute(
                    t.update().where(t.c.preset_id == preset_id).values(row)
                )
                if changed.rowcount == 0:
                    await connection.execute(
                        t.insert().values(preset_id=preset_id, owner=owner, **row)
                    )
        except IntegrityError as taken:
            raise NameTaken(name) from taken

    async def list(self, owner: str) -> list[Row]:
        """The owner's presets and those that others share."""
        t = tables.presets
        query = sa.select(t).where(sa.or_(t.c.owner == owner, t.c.shared))
        query = query.order_by(t.c.updated_at.desc()).limit(AT_MOST)
        async with self._database.reader.begin() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def find(self, preset_id: str) -> Row | None:
        """A preset by its id."""
        t = tables.presets
        async with self._database.reader.begin() as connection:
            found = await connection.execute(sa.select(t).where(t.c.preset_id == preset_id))
            row = found.mappings().one_or_none()
        return None if row is None else dict(row)

    async def delete(self, preset_id: str) -> None:
        """Forget a preset."""
        t = tables.presets
        async with self._database.writer.begin() as connection:
            await connection.execute(t.delete().where(t.c.preset_id == preset_id))
