"""Which workflow versions new jobs use: the operators' choices, and how they are changed.

Every replica reads the choices anew after at most a second, so that a rollback takes effect on all
of them within two. A job keeps the version that its plan pinned. Must not judge an engine:
planning does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from contracts.engines import EngineSnapshot
from contracts.errors import ErrorCode
from planning.matching import match
from planning.profiles import switches_of
from planning.registry import WorkflowRegistry
from planning.workflow import WorkflowVersion
from runtime.stamp import now
from services.gateway.adapters.db.activations import Action, Activation, Activations
from services.gateway.problems import refused

log = structlog.get_logger()
FRESH_S = 1.0
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator asks: by whom, whether against the live check, and why."""

    by: str
    force: bool = False
    note: str | None = None


class ActiveWorkflows:
    """The released versions with the choices of the database."""

    def __init__(self, released: WorkflowRegistry, kept: Activations) -> None:
        """Nothing is read before the first question."""
        self._released = released
        self._kept = kept
        self._current = released
        self._standing: tuple[Activation, ...] | None = None
        self._read_at = float("-inf")

    @property
    def released(self) -> WorkflowRegistry:
        """Every released version; what new jobs use of them is `current`."""
        return self._released

    async def current(self) -> WorkflowRegistry:
        """The registry with the versions that new jobs use now."""
        if time.monotonic() - self._read_at > FRESH_S:
            standing = await self._kept.standing()
            if standing != self._standing:
                self._current = self._released.with_active(self._usable(standing))
                self._standing = standing
            self._read_at = time.monotonic()
        return self._current

    async def history(self, limit: int) -> tuple[Activation, ...]:
        """The latest decisions, the newest first."""
        return await self._kept.latest(limit)

    async def standing(self) -> tuple[Activation, ...]:
        """The decision that stands, for every mode and submode that has one."""
        return await self._kept.standing()

    def _usable(self, standing: Sequence[Activation]) -> dict[str, str]:
        active = {}
        for one in standing:
            version = self._released.released(one.workflow_name, one.workflow_version)
            if version is None or version.ref.sha256 != one.sha256:
                # An older build of ours, say: it serves what it has, and says so.
                log.error(
                    "the active workflow version is not in this build; the newest is used",
                    workflow=one.workflow_name,
                    version=one.workflow_version,
                )
                continue
            active[one.workflow_name] = one.workflow_version
        return active

    async def activate(
        self, name: str, number: str, wish: Wish, engines: Sequence[EngineSnapshot]
    ) -> Activation:
        """Make new jobs use a version. Raises Refused NOT_FOUND, WORKFLOW_UNFIT."""
        version = self._released.released(name, number)
        if version is None:
            raise refused(
                ErrorCode.NOT_FOUND,
                sentence=f"There is no workflow {name} {number}.",
                remedy="See GET /api/admin/workflows.",
            )
        for _ in range(ATTEMPTS):
            before = (await self._fresh()).for_mode(*version.slot)
            missing = lost_by(version, before, engines)
            if missing and not wish.force:
                raise refused(
                    ErrorCode.WORKFLOW_UNFIT,
                    sentence=f"{name} {number} cannot take the place of the active version here: "
                    + "; ".join(missing)
                    + ".",
                )
            kept = await self._kept.of(*_place(version))
            made = await self._kept_as("activate", version, before, kept, wish, missing)
            if made is not None:
                return made
        raise refused(ErrorCode.UNAVAILABLE)

    async def rollback(
        self, name: str, wish: Wish, engines: Sequence[EngineSnapshot]
    ) -> Activation:
        """Return to the version before the last activation that was not rolled back yet.

        The live check is recorded and refuses nothing: what is left is known to be worse. Raises
        Refused NOT_FOUND, ROLLBACK_IMPOSSIBLE.
        """
        known = next((v for v in self._released.versions if v.ref.name == name), None)
        if known is None:
            raise refused(ErrorCode.NOT_FOUND, sentence=f"There is no workflow {name}.")
        for _ in range(ATTEMPTS):
            kept = await self._kept.of(*_place(known))
            undone = open_activation(kept)
            version = undone and self._released.released(
                undone.previous_name, undone.previous_version
            )
            if not version:
                raise refused(ErrorCode.ROLLBACK_IMPOSSIBLE)
            before = (await self._fresh()).for_mode(*version.slot)
            missing = lost_by(version, version, engines)
            made = await self._kept_as("rollback", version, before, kept, wish, missing)
            if made is not None:
                return made
        raise refused(ErrorCode.UNAVAILABLE)

    async def _fresh(self) -> WorkflowRegistry:
        self._read_at = float("-inf")
        return await self.current()

    async def _kept_as(
        self,
        action: Action,
        version: WorkflowVersion,
        before: WorkflowVersion,
        kept: Sequence[Activation],
        wish: Wish,
        missing: tuple[str, ...],
    ) -> Activation | None:
        """The decision, kept; None when another one came first and it must be made again."""
        mode, submode = _place(version)
        made = Activation(
            mode=mode,
            submode=submode,
            revision=len(kept) + 1,
            action=action,
            workflow_name=version.ref.name,
            workflow_version=version.ref.version,
            sha256=version.ref.sha256,
            previous_name=before.ref.name,
            previous_version=before.ref.version,
            made_by=wish.by,
            made_at=now(),
            forced=action == "activate" and bool(missing),
            missing=missing,
            note=wish.note,
        )
        if not await self._kept.add(made):
            return None
        self._read_at = float("-inf")
        log.warning(
            "workflow version changed",
            action=action,
            workflow=made.workflow_name,
            version=made.workflow_version,
            by=made.made_by,
            forced=made.forced,
        )
        return made


def _place(version: WorkflowVersion) -> tuple[str, str]:
    mode, submode = version.slot
    return mode, submode or ""


def lost_by(
    version: WorkflowVersion, before: WorkflowVersion, engines: Sequence[EngineSnapshot]
) -> tuple[str, ...]:
    """Why a version fails the live check; empty when it passes.

    It passes when an examined engine runs at least one of its profiles, and every profile that the
    version before runs here.
    """
    runs = {name: _runs(version, name, engines) for name in version.manifest.profiles}
    if not any(runs.values()):
        return tuple(_why(version, engines))
    lost = [
        name
        for name in before.manifest.profiles
        if _runs(before, name, engines) and not runs.get(name, False)
    ]
    return tuple(f"the profile {name} would be lost" for name in lost)


def _runs(version: WorkflowVersion, name: str, engines: Sequence[EngineSnapshot]) -> bool:
    profile = next(p for n, p in version.manifest.profiles.items() if n == name)
    return bool(match(version, profile, switches_of(version, profile), engines).capable)


def _why(version: WorkflowVersion, engines: Sequence[EngineSnapshot]) -> list[str]:
    found = [
        match(version, profile, switches_of(version, profile), engines)
        for profile in version.manifest.profiles.values()
    ]
    fewest = min(found, key=lambda one: len(one.missing))
    return list(fewest.missing) or ["no engine has been examined"]


def open_activation(kept: Sequence[Activation]) -> Activation | None:
    """The last activation that no rollback has undone; each rollback undoes one."""
    undoable: list[Activation] = []
    for one in kept:
        if one.action == "activate":
            undoable.append(one)
        elif undoable:
            undoable.pop()
    return undoable[-1] if undoable else None
