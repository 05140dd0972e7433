"""Who asks: resolved once per request and passed by value. Pure.

Roles contain each other: an operator may do what a creator may, a creator what a viewer may.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "creator", "operator"]
How = Literal["loopback", "token", "key", "session", "oidc", "gateway"]

ROLES: tuple[Role, ...] = get_args(Role)
"""Every role, each containing those before it."""
LOCAL_OWNER = "local"
"""Who owns what is made on a machine without accounts, and with the one token of the settings."""


def with_lower(roles: Iterable[Role]) -> frozenset[Role]:
    """These roles and every role that they contain."""
    ranks = [ROLES.index(role) for role in roles]
    return frozenset(ROLES[: max(ranks) + 1]) if ranks else frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: whose jobs and files are theirs, what they may do, and how we know.

    `key_id` names the credential (an API key's id), None where there is none to revoke.
    """

    owner: str
    roles: frozenset[Role]
    how: How
    key_id: str | None = None

    def may(self, role: Role) -> bool:
        """True when the caller has the role."""
        return role in self.roles

    def sees(self, owner: str) -> bool:
        """True when the caller may know of this owner's jobs and files."""
        return self.owner == owner or self.may("operator")

    @property
    def sees_only(self) -> str | None:
        """The one owner whose things the caller sees; None for operators, who see all."""
        return None if self.may("operator") else self.owner


GATEWAY = Caller("gateway", with_lower(["operator"]), "gateway")
"""The gateway itself, for what somebody with a right to it opened to others."""
LOCAL = Caller(LOCAL_OWNER, with_lower(["operator"]), "loopback")
"""Whoever is at this machine, where no credentials are configured."""
