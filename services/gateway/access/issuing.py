"""Makes API keys; as a program, the first one: straight into the database, on the machine itself.

`python -m services.gateway.access.issuing --owner NAME --role ROLE` prints the key. Whoever can
open the database may already do anything, so it asks for no credentials.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import timedelta

from runtime.settings import SharedSettings
from runtime.stamp import now
from services.gateway.access.caller import ROLES, Role
from services.gateway.access.secrets import digest, mint_key
from services.gateway.adapters.db.credentials import ApiKey, ApiKeys
from services.gateway.adapters.db.engine import open_database
from services.gateway.adapters.db.migrate import migrate
from services.gateway.settings import Settings


async def issue(
    keys: ApiKeys,
    *,
    owner: str,
    role: Role,
    name: str,
    created_by: str,
    good_for: timedelta | None,
) -> tuple[ApiKey, str]:
    """A fresh key that is kept, and the secret that is not."""
    minted, at = mint_key(), now()
    key = ApiKey(
        key_id=minted.key_id,
        owner=owner,
        role=role,
        name=name,
        created_by=created_by,
        created_at=at,
        expires_at=at + good_for if good_for else None,
    )
    await keys.keep(key, digest(minted.key))
    return key, minted.key


async def main(arguments: list[str]) -> None:
    """Issue one key and print it as a line of JSON."""
    parser = argparse.ArgumentParser(prog="issuing", description=__doc__)
    parser.add_argument("--owner", required=True)
    parser.add_argument("--role", required=True, choices=ROLES)
    parser.add_argument("--name", default="")
    parser.add_argument("--expires-in-days", type=int)
    asked = parser.parse_args(arguments)
    database = open_database(Settings().url_of_database(SharedSettings().state_dir))
    try:
        await migrate(database)
        key, secret = await issue(
            ApiKeys(database),
            owner=asked.owner,
            role=asked.role,
            name=asked.name,
            created_by="console",
            good_for=timedelta(days=asked.expires_in_days) if asked.expires_in_days else None,
        )
    finally:
        await database.close()
    sys.stdout.write(json.dumps({"key_id": key.key_id, "key": secret}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
