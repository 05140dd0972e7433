"""How long the read model takes to be rebuilt: `python -m bench.rebuild [--jobs 10000]`.

Fills a real nats-server with whole jobs, projects them, drops the read model, projects again, and
compares every row. Prints the times and one hash; exits 1 when a row differs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop

from contracts.events import AnyJobEvent, StepAssigned, StepFinished, StepStarted, encode_event
from contracts.ids import comfy_prompt_id
from contracts.subjects import JOBS_STREAM, message_id, subject_of
from runtime.bus import Bus
from runtime.nats_process import NatsProcess
from runtime.provision import provision
from services.gateway.adapters.db.engine import Database, open_database
from services.gateway.adapters.db.migrate import drop_read_model, migrate
from services.gateway.adapters.db.rebuilds import hash_read_model
from services.gateway.adapters.db.writing import ReadModelWriter
from services.gateway.projector import Projector
from tests.support.examples import whole_job

START = datetime(2026, 1, 1, tzinfo=UTC)
UNACKED = 5000


def job_id_of(n: int) -> str:
    """The id of the n-th job."""
    return str(UUID(int=(0x01939D5C << 96) | (0x7000 << 64) | (0x8000 << 48) | n))


def events_of(n: int) -> list[AnyJobEvent]:
    """The n-th job from submit to completion, with ids and times of its own."""
    job_id = job_id_of(n)
    prompt = {"comfy_prompt_id": comfy_prompt_id(job_id, 1, 0, 0)}
    found: list[AnyJobEvent] = []
    for place, event in enumerate(whole_job(job_id)):
        changes: dict[str, Any] = {
            "event_id": str(UUID(int=UUID(job_id).int + ((place + 1) << 80))),
            "occurred_at": START + timedelta(seconds=n, milliseconds=place),
        }
        if isinstance(event, (StepAssigned, StepStarted)):
            changes |= prompt
        if isinstance(event, StepFinished):
            changes["result"] = event.result.model_copy(update=prompt)
        found.append(event.model_copy(update=changes))
    return found


async def fill(bus: Bus, jobs: int) -> int:
    """Publish the jobs, nine events each, eight jobs woven into each other; returns the count."""
    sent = 0
    for first in range(0, jobs, 8):
        woven = zip(*(events_of(n) for n in range(first, min(first + 8, jobs))), strict=True)
        for events in woven:
            for event in events:
                headers = {"Nats-Msg-Id": message_id(event)}
                payload = encode_event(event)
                await bus.client.publish(subject_of(event), payload, headers=headers)
                sent += 1
        while sent - (await bus.stream_state(JOBS_STREAM)).messages > UNACKED:
            await asyncio.sleep(0.01)
    while (await bus.stream_state(JOBS_STREAM)).messages < sent:
        await asyncio.sleep(0.05)
    return sent


async def project(bus: Bus, database: Database, last: int) -> float:
    """Make the read model and fill it up to a sequence; returns the seconds it took."""
    began_s = time.perf_counter()
    await migrate(database)
    stopping = asyncio.Event()
    projecting = asyncio.create_task(Projector(bus, database, "bench").run(stopping))
    writer = ReadModelWriter(database)
    while await writer.checkpoint(JOBS_STREAM) < last:
        await asyncio.wait({projecting}, timeout=0.05)
        if projecting.done():
            projecting.result()
    took_s = time.perf_counter() - began_s
    stopping.set()
    await projecting
    return took_s


async def main(jobs: int) -> bool:
    """Run the whole measurement; True when both read models are the same."""
    with tempfile.TemporaryDirectory(prefix="animatrix-bench-") as folder:
        server = NatsProcess(Path(folder) / "nats")
        server.start()
        database = open_database(f"sqlite+aiosqlite:///{folder}/gateway.sqlite3")
        try:
            await provision(server.url, ())
            async with Bus("gateway", server.url, on_closed=lambda: None) as bus:
                began_s = time.perf_counter()
                last = await fill(bus, jobs)
                print(f"{jobs} jobs, {last} events stored in {time.perf_counter() - began_s:.1f} s")
                first_s = await project(bus, database, last)
                before = (await hash_read_model(database)).sha256
                await drop_read_model(database)
                again_s = await project(bus, database, last)
                after = (await hash_read_model(database)).sha256
        finally:
            await database.close()
            server.stop()
    print(f"projected in {first_s:.1f} s, dropped and rebuilt in {again_s:.1f} s")
    print(f"rows {'identical' if before == after else 'DIFFER'}: {after}")
    return before == after


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    # On the event loop that the services run on.
    sys.exit(0 if uvloop.run(main(parser.parse_args().jobs)) else 1)
