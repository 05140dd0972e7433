"""Asks the server to remove what nobody names, and shows what it was. Must not remove it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from cli.answers import Answer
from cli.client import ApiClient

PATIENCE_S = 1800.0
"""A large store takes its time; the answer comes when all is done."""


class Orphan(Answer):
    """Something that nobody names."""

    place: str
    name: str
    size_bytes: int


class Sweep(Answer):
    """What was removed, or would be."""

    dry_run: bool
    count: int
    size_bytes: int
    young: int
    looked_at: int
    orphans: tuple[Orphan, ...]


def sweep(client: ApiClient, grace_hours: float | None, *, dry_run: bool) -> Sweep:
    """Remove them, or only see what they are."""
    body = {"dry_run": dry_run, "grace_hours": grace_hours}
    return client.ask(Sweep, "POST", "/api/admin/gc", json=body, timeout=PATIENCE_S)


def show_sweep(done: Sweep, console: Console) -> None:
    """Print what it was, and the sum."""
    for orphan in done.orphans:
        console.print(
            f"{orphan.place:<15} {orphan.size_bytes:>12,}  {escape(orphan.name)}", highlight=False
        )
    if done.count > len(done.orphans):
        console.print(f"and {done.count - len(done.orphans)} more", highlight=False)
    verb = "would remove" if done.dry_run else "removed"
    console.print(
        f"{verb} {done.count} files, {done.size_bytes:,} bytes; "
        f"{done.young} younger ones stay; looked at {done.looked_at} in the media store",
        highlight=False,
    )
