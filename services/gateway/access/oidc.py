"""Verifies OIDC bearer tokens and reads owner and roles from their claims.

Signature by one of the allowed algorithms with a key of the issuer, audience, issuer and times:
all must be right. Must not fetch keys itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
import structlog
from jwt.exceptions import PyJWTError

from services.gateway.access.caller import Caller, with_lower
from services.gateway.adapters.jwks import IssuerKeys, KeysUnavailable
from services.gateway.settings import Settings

log = structlog.get_logger()
MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_OWNER_CHARACTERS = 200
_REQUIRED = ["exp", "iat", "iss", "aud"]


class TokenRefused(RuntimeError):
    """A token that opens nothing; the reason is for the log only."""


def claim(claims: Mapping[str, Any], path: str) -> object:
    """A claim by its name, with dots for nested ones; None where there is none."""
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


class TokenVerifier:
    """Makes callers of tokens, as the settings say."""

    def __init__(self, settings: Settings, keys: IssuerKeys) -> None:
        """Nothing is fetched before the first token."""
        self._settings, self._keys = settings, keys

    async def caller(self, token: str) -> Caller:
        """Who the token speaks for. Raises TokenRefused; KeysUnavailable before the first keys."""
        claims = await self._verified(token)
        owner = claim(claims, self._settings.oidc_owner_claim)
        if not isinstance(owner, str) or not owner or not owner.isprintable():
            raise TokenRefused("no owner in it")
        named = f"{self._settings.oidc_owner_prefix}{owner}"
        if len(named) > MAX_OWNER_CHARACTERS:
            raise TokenRefused("the owner's name is too long")
        return Caller(named, self._roles(claims), "oidc")

    async def _verified(self, token: str) -> Mapping[str, Any]:
        settings = self._settings
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise TokenRefused("too long")
        try:
            head = jwt.get_unverified_header(token)
            key_id, algorithm = head.get("kid"), head.get("alg")
            if algorithm not in settings.oidc_algorithms or not isinstance(key_id, str):
                raise TokenRefused(f"signed with {algorithm!r} by {key_id!r}")
            key = await self._keys.key(key_id)
            if key is None:
                raise TokenRefused(f"the issuer has no key {key_id!r}")
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(settings.oidc_algorithms),
                audience=settings.oidc_audience,
                issuer=settings.oidc_issuer,
                leeway=settings.oidc_leeway_s,
                options={"require": _REQUIRED},
            )
        except PyJWTError as wrong:
            raise TokenRefused(repr(wrong)) from wrong
        return claims

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Any]:
        given = claim(claims, self._settings.oidc_roles_claim)
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list):
            return frozenset()
        known = self._settings.oidc_roles
        return with_lower(known[name] for name in names if isinstance(name, str) and name in known)


__all__ = ["KeysUnavailable", "TokenRefused", "TokenVerifier", "claim"]
