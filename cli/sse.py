"""Reads server-sent events from the lines of a response (WHATWG HTML, "Server-sent events").

Must not open a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One event. `last_id` is the last id that the stream gave so far, empty when none."""

    event: str
    data: str
    last_id: str


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """The events in the lines; comments and events without data yield nothing."""
    event, data, last_id = "", list[str](), ""
    for line in lines:
        if not line:
            if data:
                yield Message(event or "message", "\n".join(data), last_id)
            event, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            last_id = value
