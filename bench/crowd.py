"""Many at once: a thousand viewers of one job, and as many jobs a second as two cores give."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from bench.figures import Finding, Series, series
from bench.stage import Stage, client_of, engine_speed, finished, prepared_body
from tests.support.system import submit

OPEN_AT_ONCE = 50
BARE_PAUSES_S = (1.0, 1.0, 1.0, 1.0, 1.0, 0.025, 0.02, 0.1)
"""Between the events of the bare server: as a job's come, the last of them close together."""


async def viewers(stage: Stage, count: int) -> Finding:
    """Every viewer must get every event of a running job; how late the latest ones are."""
    async with client_of(stage.system.url) as http:
        body = await prepared_body(http, stage.folder)
        # Slow enough that the job still runs when the last viewer has come.
        await engine_speed(stage, 0.5 + count / 200)
        job_id = await submit(http, "animate", {**body, "seed": 1_100_000})
        gate = asyncio.Semaphore(OPEN_AT_ONCE)
        got: list[list[tuple[str, float]]] = [[] for _ in range(count)]
        opened = [asyncio.Event() for _ in range(count)]
        watching = [
            asyncio.create_task(_view(stage.system.url, job_id, gate, opened[n], got[n]))
            for n in range(count)
        ]
        await asyncio.gather(*(event.wait() for event in opened))
        began = time.time()
        await finished(http, job_id)
        await asyncio.gather(*watching)
        await engine_speed(stage, 0.0)
    # What was sent before the last viewer had come is not held against anybody.
    later = [[(key, late) for key, late in one if float(key.split()[0]) > began] for one in got]
    wanted = set().union(*({key for key, _ in one} for one in later))
    share = 100 * sum(len({k for k, _ in one}) for one in later) / (len(wanted) * count)
    late = series("event told → seen by a viewer", "ms", [ms for one in later for _, ms in one])
    bare = await _bare(count)
    return Finding(
        f"progress to {count} viewers of one job",
        "100 % of events, p99 ≤ 50 ms",
        (late, bare),
        share >= 100 and late.at(99) <= 50,
        f"{share:.2f} % of {len(wanted)} events, p99 {late.at(99):.0f} ms = "
        f"{late.at(99) / bare.at(99):.1f} × a bare server",
        ("viewers and servers share the two cores",),
    )


async def _bare(count: int) -> Series:
    """The same viewers on a server that does nothing but write the same bytes to every socket."""
    events = len(BARE_PAUSES_S) + 1
    writers: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writers.append(writer)

    got: list[list[tuple[str, float]]] = [[] for _ in range(count)]
    opened = [asyncio.Event() for _ in range(count)]
    server = await asyncio.start_server(hold, "127.0.0.1", 0, backlog=count)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gate = asyncio.Semaphore(OPEN_AT_ONCE)
        watching = [
            asyncio.create_task(_view(url, "bare", gate, opened[n], got[n])) for n in range(count)
        ]
        await asyncio.gather(*(event.wait() for event in opened))
        for number in range(events):
            name = "completed" if number + 1 == events else "progress"
            data = json.dumps({"at": datetime.now(UTC).isoformat(), "padding": "x" * 200})
            for writer in writers:
                writer.write(f"event: {name}\r\ndata: {data}\r\n\r\n".encode())
            await asyncio.sleep(BARE_PAUSES_S[number] if number + 1 < events else 0)
        await asyncio.gather(*watching)
        for writer in writers:
            writer.close()
    return series("a bare server's event → seen", "ms", [ms for one in got for _, ms in one])


async def _view(
    url: str,
    job_id: str,
    gate: asyncio.Semaphore,
    opened: asyncio.Event,
    got: list[tuple[str, float]],
) -> None:
    """One viewer, on a bare socket so that a thousand of them cost little."""
    where = urlsplit(url)
    async with gate:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        request = f"GET /api/jobs/{job_id}/stream HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        opened.set()
    try:
        name = ""
        while line := await reader.readline():
            text = line.decode().strip()
            if text.startswith("event:"):
                name = text[6:].strip()
            elif text.startswith("data:"):
                at = datetime.fromisoformat(json.loads(text[5:])["at"]).timestamp()
                got.append((f"{at} {name}", (time.time() - at) * 1000))
                if name in ("completed", "failed", "cancelled"):
                    return
    finally:
        writer.close()


async def throughput(stage: Stage, jobs: int) -> Finding:
    """Jobs a second from submit to verified video, the engine taking no time."""
    async with client_of(stage.system.url) as http:
        body = await prepared_body(http, stage.folder)
        began_s = time.perf_counter()
        sent = await asyncio.gather(
            *(submit(http, "animate", {**body, "seed": 1_300_000 + n}) for n in range(jobs))
        )
        submitted_s = time.perf_counter() - began_s
        await asyncio.gather(*(finished(http, job_id) for job_id in sent))
        took_s = time.perf_counter() - began_s
    rate = jobs / took_s
    return Finding(
        "jobs a second, fully verified",
        "≥ 15 on two cores",
        (series("jobs/s", "1/s", [rate]), series("submits/s", "1/s", [jobs / submitted_s])),
        rate >= 15,
        f"{rate:.1f} jobs/s over {jobs} jobs; {jobs / submitted_s:.0f} submits/s",
        ("the simulated engine makes a real mp4 for each and shares the two cores",),
    )
