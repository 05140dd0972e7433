"""The sweep: removes what no job and no asset names, from the media store and this machine.

Owns the rules of what is named. Nothing is removed that is younger than the grace age, nor while
the read model is behind the streams; jobs are asked for on the bus once more. Must not touch a
family of keys that it does not know.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import structlog

from contracts.subjects import ASSETS_STREAM, JOBS_STREAM
from runtime.bus import Bus
from runtime.ids import is_id
from runtime.media_store import MediaStore
from runtime.stamp import now
from services.gateway.adapters import leftovers
from services.gateway.adapters.db.naming import Named
from services.gateway.adapters.leftovers import Leftover

log = structlog.get_logger()
Place = Literal["media", "unfinished", "uploads", "engine_inputs", "engine_outputs"]
SUSPICIOUS_SHARE, SUSPICIOUS_COUNT = 0.5, 50
_BY_HASH, _BY_JOB = ("assets", "derivatives"), "jobs"
_HASH = re.compile(r"[0-9a-f]{64}")


class SweepRefused(RuntimeError):
    """Nothing was removed; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something that nobody names; `name` is a media key or a path on this machine."""

    place: Place
    name: str
    size_bytes: int


@dataclass(slots=True)
class Sweep:
    """What a sweep found, and how many media keys it looked at."""

    dry_run: bool
    orphans: list[Orphan] = field(default_factory=list)
    looked_at: int = 0
    young: int = 0

    @property
    def size_bytes(self) -> int:
        """All of it together."""
        return sum(orphan.size_bytes for orphan in self.orphans)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a sweep works on. `engine_folders` hold ComfyUI's `input` and `output`."""

    bus: Bus
    media: MediaStore
    named: Named
    uploads_dir: Path
    engine_folders: tuple[Path, ...] = ()


async def sweep(grounds: Grounds, grace_s: float, *, dry_run: bool, careful: bool = False) -> Sweep:
    """Remove what is orphaned for longer than `grace_s`; a dry run only says what that is.

    A careful sweep refuses to remove most of the store: then more likely the streams are not those
    that belong to it. Raises SweepRefused, BusUnavailable, OSError.
    """
    await _refuse_unless_complete(grounds)
    found = Sweep(dry_run)
    keys = await _orphaned_keys(grounds, found)
    if careful and len(keys) > max(SUSPICIOUS_COUNT, SUSPICIOUS_SHARE * found.looked_at):
        raise SweepRefused(
            f"{len(keys)} of {found.looked_at} files in the media store are named by nobody; "
            "does it belong to these streams? `animatrix gc --dry-run` shows them"
        )
    for key in keys:
        await _sweep_key(grounds, key, grace_s, found)
    before = now() - timedelta(seconds=grace_s)
    for name, size_bytes in await grounds.media.clear_unfinished(before, dry_run=dry_run):
        found.orphans.append(Orphan("unfinished", name, size_bytes))
    await _sweep_files(
        "uploads", leftovers.half_uploads(grounds.uploads_dir), lambda _: False, grace_s, found
    )
    for folder in grounds.engine_folders:
        await _sweep_engine(grounds, folder, grace_s, found)
    log.info("swept", dry_run=dry_run, orphans=len(found.orphans), size_bytes=found.size_bytes)
    return found


async def _refuse_unless_complete(grounds: Grounds) -> None:
    """The read model must know everything that the streams held when the sweep began."""
    heads = {
        stream: (await grounds.bus.stream_state(stream)).last_sequence
        for stream in (JOBS_STREAM, ASSETS_STREAM)
    }
    at = await grounds.named.checkpoints()
    behind = [stream for stream, head in heads.items() if at.get(stream, 0) < head]
    if behind:
        raise SweepRefused(f"the read model is behind {' and '.join(behind)}; try again later")


async def _orphaned_keys(grounds: Grounds, found: Sweep) -> list[str]:
    by_owner: dict[tuple[str, str], list[str]] = {}
    for family in (*_BY_HASH, _BY_JOB):
        async for key in grounds.media.keys(family):
            found.looked_at += 1
            owner = key.split("/")[1]
            fits = is_id(owner) if family == _BY_JOB else _HASH.fullmatch(owner)
            if fits:
                by_owner.setdefault((family, owner), []).append(key)
    hashes = {owner for family, owner in by_owner if family in _BY_HASH}
    jobs = {owner for family, owner in by_owner if family == _BY_JOB}
    orphans = hashes - await grounds.named.hashes(hashes)
    for job_id in sorted(jobs - await grounds.named.jobs(jobs)):
        state = (await grounds.bus.job(job_id)).state
        if state.state is None or state.deleted:
            orphans.add(job_id)
    return [key for (_, owner), keys in by_owner.items() if owner in orphans for key in keys]


async def _sweep_key(grounds: Grounds, key: str, grace_s: float, found: Sweep) -> None:
    # Asked for right before: an upload of the same content has written it anew.
    stat = await grounds.media.stat(key)
    if stat is None:
        return
    if (now() - stat.modified_at).total_seconds() < grace_s:
        found.young += 1
        return
    if not found.dry_run:
        await grounds.media.delete(key)
    found.orphans.append(Orphan("media", key, stat.size_bytes))


async def _sweep_engine(grounds: Grounds, folder: Path, grace_s: float, found: Sweep) -> None:
    hashes, jobs = await grounds.named.live_hashes(), await grounds.named.live_jobs()
    await _sweep_files(
        "engine_inputs",
        leftovers.engine_inputs(folder),
        lambda one: one.owner in hashes or not _HASH.fullmatch(one.owner),
        grace_s,
        found,
    )
    await _sweep_files(
        "engine_outputs",
        leftovers.engine_outputs(folder),
        lambda one: one.owner in jobs or not is_id(one.owner),
        grace_s,
        found,
    )


async def _sweep_files(
    place: Place,
    files: Iterable[Leftover],
    is_named: Callable[[Leftover], bool],
    grace_s: float,
    found: Sweep,
) -> None:
    for one in await asyncio.to_thread(list, files):
        if is_named(one):
            continue
        if time.time() - one.written_s < grace_s:
            found.young += 1
            continue
        if not found.dry_run:
            await asyncio.to_thread(leftovers.remove, one)
        found.orphans.append(Orphan(place, str(one.path), one.size_bytes))
