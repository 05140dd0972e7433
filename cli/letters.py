"""Asks for dead letters and shows them. Must not decide what becomes of one."""

from __future__ import annotations

import json
from datetime import datetime

from pydantic import field_validator
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.answers import Answer
from cli.client import ApiClient
from cli.trouble import Trouble

STATES = ("open", "replayed", "discarded")
ROUTE = "/api/admin/dead-letters"
REASON_CHARACTERS, PIPE_COLUMNS = 60, 200


class DeadLetter(Answer):
    """A message that a service gave up."""

    sequence: int
    at: datetime
    state: str
    consumer: str
    deliveries: int
    reason: str
    event: str | None = None
    subject: str | None = None
    job_id: str | None = None
    asset_id: str | None = None
    dealt_by: str | None = None


class DeadLetters(Answer):
    """A page of them, newest first."""

    dead_letters: tuple[DeadLetter, ...]
    next_before: int | None = None


class WholeLetter(DeadLetter):
    """One with its message: the event where it is one, else its text."""

    stream: str
    stream_sequence: int
    problem: str | None = None
    job_status: str | None = None
    payload: object = None

    @field_validator("payload")
    @classmethod
    def _as_it_was_meant(cls, payload: object) -> object:
        try:
            return json.loads(payload) if isinstance(payload, str) else payload
        except ValueError:
            return payload


class _Done(Answer):
    done: str


def letters(client: ApiClient, state: str, limit: int) -> DeadLetters:
    """The newest dead letters in a state, or in `all` of them."""
    if state not in (*STATES, "all"):
        raise Trouble(f"There is no state {state}.", f"Choose {', '.join(STATES)} or all.")
    query = {"limit": str(limit), **({} if state == "all" else {"state": state})}
    return client.ask(DeadLetters, "GET", ROUTE, params=query)


def letter(client: ApiClient, sequence: int) -> WholeLetter:
    """One with its message."""
    return client.ask(WholeLetter, "GET", f"{ROUTE}/{sequence}")


def deal(client: ApiClient, action: str, sequence: int) -> str:
    """Replay or discard one; returns what was done."""
    return client.ask(_Done, "POST", f"{ROUTE}/{sequence}/{action}", again=False).done


def show_letters(page: DeadLetters, console: Console) -> None:
    """Print them as a table."""
    if not page.dead_letters:
        console.print("There are none.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("no.", "given up", "by", "tries", "state", "event", "of", "reason"):
        table.add_column(heading, no_wrap=heading != "reason")
    for one in page.dead_letters:
        at = one.at.astimezone().strftime("%m-%d %H:%M:%S")
        of = one.job_id or one.asset_id or "-"
        event = one.event or "unreadable"
        reason = escape(one.reason[:REASON_CHARACTERS])
        table.add_row(
            str(one.sequence), at, one.consumer, str(one.deliveries), one.state, event, of, reason
        )
    # Whoever reads a pipe wants whole lines.
    piped = Console(file=console.file, width=PIPE_COLUMNS)
    (console if console.is_terminal else piped).print(table)
    if page.next_before:
        console.print("There are older ones; --limit shows more.")
