"""Poison and skew on every queue of a running system: parked or ignored, and a real job passes."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest

from contracts import events as e
from contracts.events import encode_event
from contracts.subjects import CONSUMERS, subject_of
from runtime.ids import new_id
from tests.support.examples import every_event
from tests.support.system import System, ended, submit, upload
from tests.support.waiting import eventually

READ = (
    e.AssetUploaded,
    e.JobSubmitted,
    e.RetryRequested,
    e.MediaPrepared,
    e.StepReady,
    e.ExecutionFinished,
)
"""Every event that some service consumes."""


def poison() -> list[tuple[str, bytes]]:
    """Subjects and bodies: for every consumed event no event at all, one of an unknown version,
    and (for jobs) one of an unknown job, twice."""
    found: list[tuple[str, bytes]] = []
    for example in every_event():
        if not isinstance(example, READ):
            continue
        known = "asset_id" if isinstance(example, e.AssetEvent) else "job_id"
        stray = example.model_copy(update={known: new_id(), "event_id": new_id()})
        subject, body = subject_of(stray), encode_event(stray)
        newer = body.replace(b'"version":1', b'"version":9', 1)
        found += [(subject, b"{not json"), (subject, b'["no event"]'), (subject, newer)]
        if isinstance(example, (e.JobSubmitted, e.AssetUploaded)):
            continue
        found += [(subject, body), (subject, body)]
    return found


async def queues(http: httpx.AsyncClient) -> dict[str, Any]:
    report = (await http.get("/api/admin/queue")).json()
    return {one["consumer"]: one for one in report["consumers"]}


async def drained(http: httpx.AsyncClient) -> bool:
    return all(not (q["pending"] or q["in_hand"]) for q in (await queues(http)).values())


@pytest.mark.timeout(180)
@pytest.mark.xdist_group("faults")
async def test_poison_and_skew_block_no_queue_of_any_service(
    shaken: System, hero: Path, motion: Path
) -> None:
    state = json.loads((shaken.var / "run" / "state.json").read_text())
    port = state["children"]["nats"]["ports"]["nats"]
    password = shaken.bus_passwords()["provisioner"]
    bus = await nats.connect(f"nats://127.0.0.1:{port}", user="provisioner", password=password)
    async with shaken.http() as http:
        earlier = (await http.get("/api/jobs?limit=200")).json()["jobs"]
        bodies = poison()
        for subject, body in bodies:
            await bus.jetstream().publish(subject, body)
        job = await submit(
            http,
            "animate",
            {
                "prompt": "she runs",
                "ground_truth_asset_id": await upload(http, "image", hero),
                "motion_video_asset_id": await upload(http, "video", motion),
                "quality_profile": "draft",
            },
        )
        assert (await ended(http, job))["status"] == "completed"
        await eventually(partial(drained, http), within_s=60, every_s=0.5)
        letters = (await http.get("/api/admin/dead-letters?limit=200")).json()["dead_letters"]
        by = {letter["consumer"] for letter in letters}
        assert {consumer.durable for consumer in CONSUMERS} <= by
        assert any(durable.startswith("lane-") for durable in by)
        assert all(letter["event"] is None and letter["reason"] for letter in letters)
        parked = (await http.get("/api/admin/health")).json()["parked"]
        unreadable = sum(body[:1] in (b"[",) or body == b"{not json" for _, body in bodies)
        assert len(parked) >= unreadable
        assert all(one["reason"] for one in parked)
        page = (await http.get("/api/jobs?limit=200")).json()["jobs"]
        assert [one["job_id"] for one in page] == [job, *(one["job_id"] for one in earlier)]
    await asyncio.wait_for(bus.close(), 10)
