"""Asks for replays and rebuilds, and shows what they publish and what came of them.

Must not decide what a replay means: the server does.
"""

from __future__ import annotations

import time
import uuid
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.markup import escape

from cli.answers import Answer
from cli.client import ApiClient
from cli.trouble import Trouble

REBUILT_WITHIN_S, LOOK_EVERY_S = 3600.0, 0.3


class Replayed(Answer):
    """What was published, or would be."""

    kind: str
    dry_run: bool
    job_id: str
    from_job_id: str
    subject: str
    event: dict[str, Any]
    keeps: tuple[str, ...]
    repeats: tuple[str, ...]


class Rebuild(Answer):
    """A rebuild of the read model."""

    rebuild_id: str
    state: str
    jobs_sequence: int | None = None
    assets_sequence: int | None = None
    before_sha256: str | None = None
    after_sha256: str | None = None
    identical: bool | None = None
    took_s: float | None = None


def replay_job(
    client: ApiClient, job_id: str, start: str | None, workflow: str | None, *, dry_run: bool
) -> Replayed:
    """Replay a job, once however often the sending is repeated."""
    body = {"start": start, "workflow_version": workflow, "dry_run": dry_run}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    route = f"/api/admin/replay/{quote(job_id, safe='')}"
    return client.ask(Replayed, "POST", route, again=dry_run, json=body, headers=key)


def show_replay(replayed: Replayed, console: Console) -> None:
    """Print what is kept, what is made again, and the event that does it."""
    verb = "would publish" if replayed.dry_run else "published"
    new = replayed.kind == "new_job"
    what = "a new job from the same plan" if new else f"attempt {replayed.event['attempt']}"
    console.print(f"{verb} {replayed.event['event']}: {what}", highlight=False)
    subject = replayed.subject
    if new and replayed.dry_run:
        subject = subject.replace(replayed.job_id, "<new job>")
    console.print(f"  on {escape(subject)}", highlight=False)
    for label, lines in (("keeps", replayed.keeps), ("again", replayed.repeats)):
        for line in lines:
            console.print(f"  {label}: {escape(line)}", highlight=False)
    if not replayed.dry_run:
        console.print(replayed.job_id, highlight=False)


def rebuild_read_model(client: ApiClient, console: Console) -> None:
    """Have the read model rebuilt and wait for the end. Raises Trouble when it came out other."""
    asked = client.ask(Rebuild, "POST", "/api/admin/rebuilds")
    deadline = time.monotonic() + REBUILT_WITHIN_S
    while asked.state != "done":
        if time.monotonic() > deadline:
            raise Trouble("The rebuild is still under way.", "Look at the gateway's log.")
        time.sleep(LOOK_EVERY_S)
        asked = client.ask(Rebuild, "GET", f"/api/admin/rebuilds/{asked.rebuild_id}")
    console.print(
        f"before {asked.before_sha256}\nafter  {asked.after_sha256}\n"
        f"at sequence {asked.jobs_sequence} of JOBS, {asked.assets_sequence} of ASSETS; "
        f"rebuilt in {asked.took_s:.1f} s",
        highlight=False,
    )
    if not asked.identical:
        raise Trouble(
            "The rebuilt read model differs from the one before.",
            "The new one is what the streams say; the old one was wrong. Tell the developers.",
        )
    console.print("identical, bit for bit")
