"""How much time we add to the engine's: to its start, to the finished video, and between jobs.

Every job has its own seed, so the engine caches nothing; the engine's own journal says when it ran.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx

from bench.clients import Ran, bare, ours, peer_polling, peer_sse, running_peer
from bench.figures import Finding, Series, series
from bench.machine import fsync_cost
from bench.stage import (
    Stage,
    bound_graph,
    client_of,
    engine_speed,
    finished,
    journal,
    prepared_body,
    prompt_ids,
    with_seed,
)
from runtime.ffmpeg import run_ffmpeg
from tests.support.system import submit

SYNCS = 7
"""Waits for the disk between submit and POST, one after the other: five facts (submitted, prepared,
composed, ready, assigned), and the composed files with their folder."""
Job = Callable[[int], Awaitable[Ran]]


async def _repeat(job: Job, times: int, first: int) -> list[Ran]:
    ran = []
    for n in range(times):
        ran.append(await job(first + n))
    return ran


def _to_start(name: str, stage: Stage, ran: list[Ran]) -> Series:
    ended = journal(stage.engine)
    return series(name, "ms", [(ended[r.prompt_id]["started_at"] - r.sent) * 1000 for r in ran])


def _overhead(name: str, stage: Stage, ran: list[Ran]) -> Series:
    ended = journal(stage.engine)
    values = []
    for one in ran:
        entry = ended[one.prompt_id]
        values.append((one.seen - one.sent - (entry["ended_at"] - entry["started_at"])) * 1000)
    return series(name, "ms", values)


async def latency(stage: Stage, times: int) -> list[Finding]:
    """Submit to start, and what is added to the engine's time, beside the floor and the peer."""
    async with client_of(stage.system.url) as http, client_of(stage.engine.url) as engine:
        body = await prepared_body(http, stage.folder)
        graph = bound_graph(stage.system)

        def seeded(n: int, who: str) -> dict[str, Any]:
            return with_seed(graph, n, f"bench/{who}-{n}")

        with running_peer(stage.folder, stage.engine.url) as peer_url:
            async with client_of(peer_url) as peer:
                ways: dict[str, Job] = {
                    "bare client": lambda n: bare(engine, seeded(n, "bare")),
                    "peer, event stream": lambda n: peer_sse(peer, seeded(n, "sse")),
                    "peer, polling": lambda n: peer_polling(peer, seeded(n, "poll")),
                    "Animatrix": lambda n: ours(http, body, n),
                }
                ran: dict[str, list[Ran]] = {name: [] for name in ways}
                # In turns, so that the machine's mood falls on all of them alike.
                for block in range(5):
                    for number, (name, job) in enumerate(ways.items()):
                        first = 10_000 * (number + 1) + block * times
                        ran[name] += await _repeat(job, max(1, times // 5), first)
    starts = tuple(_to_start(name, stage, jobs) for name, jobs in ran.items())
    added = tuple(_overhead(name, stage, jobs) for name, jobs in ran.items())
    return [_start_finding(stage, starts), _added_finding(added)]


def _start_finding(stage: Stage, starts: tuple[Series, ...]) -> Finding:
    own, bare_start = starts[3], starts[0]
    disk = fsync_cost(stage.system.var)
    floor_ms = SYNCS * disk.at(50) + bare_start.at(50)
    return Finding(
        "submit → execution starts, media prepared",
        "p50 ≤ 15 ms, p95 ≤ 30 ms",
        (own, bare_start, starts[1], disk),
        own.at(50) <= 15 and own.at(95) <= 30,
        f"p50 {own.at(50):.1f}, p95 {own.at(95):.1f} ms; floor {floor_ms:.1f} ms "
        f"({SYNCS} syncs of {disk.at(50):.2f} ms and one POST)",
    )


def _added_finding(added: tuple[Series, ...]) -> Finding:
    floor, events, polling, own = added
    ratio, against_polling = own.at(50) / events.at(50), own.at(50) / polling.at(50)
    return Finding(
        "submit → completed, without the engine's time",
        "≤ 3 × the peer's event stream, ≤ the peer polling",
        (own, floor, events, polling),
        ratio <= 3 and against_polling <= 1,
        f"p50 {own.at(50):.0f} ms = {ratio:.1f} × the peer's stream, "
        f"{against_polling:.2f} × the peer polled every 250 ms",
        ("ours decodes, measures and hashes the video; the peer hands the engine's file on",),
    )


async def gap(stage: Stage, jobs: int, step_s: float) -> Finding:
    """How long the engine idles between jobs while many wait, and how full its own queue is.

    `step_s` is what a sampling step waits, as a processor waits for a GPU. With 0 the engine works
    on the same cores as everything else all the time.
    """
    depths: list[int] = []
    async with client_of(stage.system.url) as http, client_of(stage.engine.url) as engine:
        body = await prepared_body(http, stage.folder)
        await engine_speed(stage, step_s)
        sent = await asyncio.gather(
            *(submit(http, "animate", {**body, "seed": 500_000 + n}) for n in range(jobs))
        )
        looking = asyncio.create_task(_queue_depths(engine, depths))
        await asyncio.gather(*(finished(http, job_id) for job_id in sent))
        looking.cancel()
        ids = [await prompt_ids(http, job_id) for job_id in sent]
        await engine_speed(stage, 0.0)
    ended = journal(stage.engine)
    spans = sorted((ended[i]["started_at"], ended[i]["ended_at"]) for i in ids)
    # Without the first and last ones, where the queue was not yet, or no longer, full.
    inner = spans[2:-2]
    gaps = [(after[0] - before[1]) * 1000 for before, after in itertools.pairwise(inner)]
    busy_s = sum(end - start for start, end in inner)
    share = 100 * busy_s / (inner[-1][1] - inner[0][0])
    idle = series("idle gap", "ms", gaps)
    ran = series("a job in the engine", "ms", [(e - s) * 1000 for s, e in inner])
    return Finding(
        f"engine idle between jobs of {ran.at(50):.0f} ms, {jobs} queued",
        "p99 ≤ 5 ms, busy ≥ 98 %, its queue ≤ 2",
        (idle, ran),
        idle.at(99) <= 5 and share >= 98 and max(depths) <= 2,
        f"p99 {idle.at(99):.1f} ms, busy {share:.1f} %, at most {max(depths)} in its queue",
        extra={"busy_percent": share, "deepest_queue": max(depths)},
    )


async def _queue_depths(engine: httpx.AsyncClient, depths: list[int]) -> None:
    while True:
        told = (await engine.get("/queue")).json()
        depths.append(len(told["queue_running"]) + len(told["queue_pending"]))
        await asyncio.sleep(0.05)


async def visible(stage: Stage, times: int) -> Finding:
    """How long after the collector's fact a client on the job's stream knows; jobs of 0 ms too."""
    values = []
    async with client_of(stage.system.url) as http:
        body = await prepared_body(http, stage.folder)
        for n in range(times):
            # Every other job repeats the one before: the engine answers it from its cache.
            job_id = await submit(http, "animate", {**body, "seed": 700_000 + n // 2})
            seen = await finished(http, job_id)
            events = (await http.get(f"/api/jobs/{job_id}/events")).json()["events"]
            at = next(e["occurred_at"] for e in events if e["event"] == "job_completed")
            values.append((seen["completed"] - _unix(at)) * 1000)
    found = series("completed → seen", "ms", values)
    return Finding(
        "completion visible to the client",
        "p99 ≤ 50 ms",
        (found,),
        found.at(99) <= 50,
        f"p99 {found.at(99):.1f} ms (the peer's worst, by its own page: 15,030 ms)",
    )


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def verification(
    stage: Stage, times: int, *, driving_frames: int = 150, more_segments: int = 0
) -> Finding:
    """From the engine's end to a verified video of 832 × 480, beside one decode: 77 frames, or
    as many as the driving video and the segments give."""
    took_ms, decode_ms, frames = [], [], 0
    async with client_of(stage.system.url) as http:
        body = await prepared_body(
            http,
            stage.folder,
            frames=driving_frames,
            aspect_ratio="16:9",
            extension_segments=more_segments,
        )
        for n in range(times):
            job_id = await submit(http, "animate", {**body, "seed": 900_000 + n})
            seen = await finished(http, job_id)
            entry = journal(stage.engine)[await prompt_ids(http, job_id)]
            took_ms.append((seen["completed"] - entry["ended_at"]) * 1000)
            outputs = (await http.get(f"/api/jobs/{job_id}/outputs")).json()
            frames = outputs["frames"]
            video = next(stage.system.var.rglob(f"jobs/{job_id}/outputs/**/video.mp4"))
            began_s = time.perf_counter()
            await run_ffmpeg(["-i", f"file:{video}", "-f", "null", "-"], deadline_s=60)
            decode_ms.append((time.perf_counter() - began_s) * 1000)
    own, decode = (
        series("engine done → completed", "ms", took_ms),
        series("decode", "ms", decode_ms),
    )
    ratio = own.at(50) / decode.at(50)
    return Finding(
        f"engine done → completed, {frames} frames of 832 × 480",
        "≤ 1.3 × one FFmpeg decode of the file",
        (own, decode),
        ratio <= 1.3,
        f"p50 {own.at(50):.0f} ms = {ratio:.1f} × a decode of {decode.at(50):.0f} ms",
        extra={"frames": frames},
    )
