"""The audit trail of a job: everything recorded of it, fetched and shown. Must not judge it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.answers import Answer
from cli.client import ApiClient

PIPE_COLUMNS = 200
_TOLD = ("step", "attempt", "engine_id", "lane", "service", "requested_by", "start")


class Recorded(Answer):
    """One recorded event; `ignored` says why one changed nothing."""

    sequence: int
    event: str
    event_id: str
    occurred_at: datetime
    ignored: str | None = None
    data: dict[str, Any]


class _Page(Answer):
    events: tuple[Recorded, ...]
    next_after: int | None = None


def trail(client: ApiClient, job_id: str) -> Iterator[Recorded]:
    """Every event of a job in order, page by page."""
    after: int | None = 0
    while after is not None:
        route = f"/api/jobs/{quote(job_id, safe='')}/events"
        page = client.ask(_Page, "GET", route, params={"after": str(after)})
        yield from page.events
        after = page.next_after


def show_trail(events: Iterable[Recorded], console: Console) -> None:
    """Print them as a table: place, time, event, what it is about, and why one was ignored."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("sequence", "time", "event", "about"):
        table.add_column(heading, no_wrap=heading != "about")
    for one in events:
        at = one.occurred_at.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        table.add_row(str(one.sequence), at, one.event, escape(_about(one)))
    # Whoever reads a pipe wants whole lines.
    piped = Console(file=console.file, width=PIPE_COLUMNS)
    (console if console.is_terminal else piped).print(table)


def _about(one: Recorded) -> str:
    told = {**one.data, **(one.data.get("result") or {})}
    parts = [f"{name} {told[name]}" for name in _TOLD if told.get(name) is not None]
    fault = told.get("error") or {}
    parts += [f"{fault['code']}: {fault['sentence']}"] if fault else []
    parts += [f"IGNORED: {one.ignored}"] if one.ignored else []
    return ", ".join(parts)
