"""Alembic's environment for the `app` part; it runs on the connection that it is given.

The read model has no migrations: it is dropped and rebuilt (services.gateway.adapters.db.migrate).
"""

from __future__ import annotations

from alembic import context

from services.gateway.adapters.db import webhook_tables  # noqa: F401 - its tables join `app`
from services.gateway.adapters.db.migrate import VERSION_TABLE
from services.gateway.adapters.db.tables import app

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=app,
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _parents: kind != "table" or name in app.tables,
)
context.run_migrations()
