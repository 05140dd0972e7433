"""Drops the read model: `python -m services.gateway.rebuild`. The next start fills it anew.

For operators, with the gateway stopped. Touches nothing that cannot be derived.
"""

from __future__ import annotations

import asyncio

from runtime.settings import SharedSettings
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.migrate import drop_read_model
from services.gateway.settings import Settings


async def main() -> None:
    """Drop everything derived from the database that the settings name."""
    database = open_database(Settings().url_of_database(SharedSettings().state_dir))
    try:
        await drop_read_model(database)
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
