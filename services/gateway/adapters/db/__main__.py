"""`python -m services.gateway.adapters.db`: bring the database up to date and leave.

A cluster runs it once before it rolls out gateways; a gateway does the same at its start. Must not
do anything else.
"""

from __future__ import annotations

import asyncio

import structlog

from runtime.settings import SharedSettings
from runtime.telemetry import configure_logging
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.migrate import migrate
from services.gateway.settings import Settings


async def main() -> None:
    """Migrate the database that the gateway's settings name."""
    shared = SharedSettings()
    configure_logging("gateway", shared.log_level)
    database = open_database(Settings().url_of_database(shared.state_dir))
    try:
        made_anew = await migrate(database)
    finally:
        await database.close()
    structlog.get_logger().info("database is up to date", read_model_made_anew=made_anew)


if __name__ == "__main__":
    asyncio.run(main())
