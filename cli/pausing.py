"""Pauses and resumes what the engines take up, and says what is paused. Must not stop a job."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from cli.answers import Pauses
from cli.client import ApiClient

_NAMES = {"all": "everything", "engine": "engine", "lane": "lane"}


def pause(client: ApiClient, scope: dict[str, str], reason: str, console: Console) -> None:
    """Pause; `scope` names an engine_id or a lane, or is empty for everything."""
    body = {**scope, **({"reason": reason} if reason else {})}
    show(client.change_pauses("pause", body), console)


def resume(client: ApiClient, scope: dict[str, str], console: Console) -> None:
    """Resume the same."""
    show(client.change_pauses("resume", scope), console)


def show(found: Pauses, console: Console) -> None:
    """Print what is paused, by whom and since when."""
    if not found.pauses:
        console.print("Nothing is paused.")
    for one in found.pauses:
        kind, _, name = one.what.partition(".")
        line = f"Paused: {_NAMES.get(kind, kind)} {name}".rstrip() + f", by {one.by}"
        line += f" since {one.at.astimezone():%Y-%m-%d %H:%M:%S}" if one.at else ""
        line += f": {one.reason}" if one.reason else ""
        console.print(escape(line), highlight=False)
