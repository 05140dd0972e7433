"""For operators: API keys, and who did what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from contracts.errors import ErrorCode
from runtime.stamp import now
from services.gateway.access.caller import Role
from services.gateway.access.issuing import issue
from services.gateway.adapters.db.credentials import ApiKey
from services.gateway.deps import Needs, Who
from services.gateway.problems import refused, responses
from services.gateway.routes.cursors import next_cursor, read_cursor

router = APIRouter(prefix="/api/admin", tags=["admin"])
_C = ErrorCode


class NewKey(BaseModel):
    """Whose key it is, what it may do, what it is for, and for how long (None: until revoked)."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9@._:+-]*$")
    role: Role
    name: str = Field(default="", max_length=200)
    expires_in_days: int | None = Field(default=None, ge=1, le=3660)


class KeyView(BaseModel):
    """A key without the key: `key_id` is its public beginning."""

    key_id: str
    owner: str
    role: Role
    name: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    valid: bool


class IssuedKey(KeyView):
    """A fresh key. `key` is shown this once and kept nowhere."""

    key: str


class KeyList(BaseModel):
    """Every key, newest first."""

    keys: list[KeyView]


class DeedView(BaseModel):
    """One request that may have changed something; `outcome` is its HTTP status."""

    entry: int
    at: datetime
    owner: str
    how: str
    key_id: str | None
    action: str
    target: str
    outcome: int


class DeedPage(BaseModel):
    """Deeds, newest first; `next_cursor` leads on, None at the end."""

    deeds: list[DeedView]
    next_cursor: str | None


def _view(key: ApiKey) -> KeyView:
    return KeyView(
        key_id=key.key_id,
        owner=key.owner,
        role=key.role,
        name=key.name,
        created_by=key.created_by,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        valid=key.valid(now()),
    )


@router.get("/keys", responses=responses())
async def list_keys(deps: Needs) -> KeyList:
    """Every API key, also those that open nothing any more."""
    return KeyList(keys=[_view(key) for key in await deps.api_keys.all()])


@router.post(
    "/keys",
    status_code=201,
    responses=responses(_C.BODY_NOT_JSON, _C.BODY_INVALID, _C.FILE_TOO_LARGE),
)
async def create_key(deps: Needs, caller: Who, body: NewKey) -> IssuedKey:
    """Make a key. It is in this answer and nowhere else."""
    good_for = timedelta(days=body.expires_in_days) if body.expires_in_days else None
    key, secret = await issue(
        deps.api_keys,
        owner=body.owner,
        role=body.role,
        name=body.name,
        created_by=caller.owner,
        good_for=good_for,
    )
    return IssuedKey(**_view(key).model_dump(), key=secret)


@router.delete("/keys/{key_id}", status_code=204, responses=responses(_C.NOT_FOUND))
async def revoke_key(deps: Needs, key_id: str) -> None:
    """Make a key open nothing from now on, and end the sessions begun with it."""
    if not await deps.api_keys.revoke(key_id, now()):
        raise refused(_C.NOT_FOUND, sentence="There is no such key.")


@router.get("/audit", responses=responses(_C.BODY_INVALID))
async def audit(
    deps: Needs,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    owner: Annotated[str | None, Query(max_length=200)] = None,
) -> DeedPage:
    """Who did what, newest first."""
    rows = await deps.audit.page(limit=limit, before=read_cursor(cursor), owner=owner)
    return DeedPage(
        deeds=[DeedView(**row) for row in rows], next_cursor=next_cursor(rows, limit, "entry")
    )
