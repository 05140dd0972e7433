"""The jobs of a chaos run, as an honest client places and watches them through every outage.

Owns retries of the client. Must not use anything but the HTTP API.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.media import Size, counter_video, photo, tone
from tests.support.system import sse

ENDED = ("completed", "failed", "cancelled")
TRY_AGAIN_S = 0.3
ASKED_AT_ONCE = 8
ALL_ASKED_EVERY_S = 10.0
FRESH_EVERY = 10
"""Every so many jobs a new picture is uploaded, so that uploads meet faults too."""


class GaveUp(AssertionError):
    """The system did not do for minutes what it was asked."""


class Client:
    """Asks again, with the same words, until there is an answer that is not an outage."""

    def __init__(self, url: str) -> None:
        """Connections are not kept alive past an outage."""
        self._http = httpx.AsyncClient(base_url=url, timeout=10)
        self.retries = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def ask(
        self, method: str, path: str, within_s: float = 90.0, **request: Any
    ) -> httpx.Response:
        """The first answer below 500 that does not say "wait". Raises GaveUp."""
        deadline = time.monotonic() + within_s
        last = "never asked"
        while time.monotonic() < deadline:
            try:
                answer = await self._http.request(method, path, **request)
            except httpx.TransportError as away:
                last = repr(away)
            else:
                checking = answer.status_code == 409 and "asset_checking" in answer.text
                if answer.status_code < 500 and not checking:
                    return answer
                last = f"{answer.status_code} {answer.text[:300]}"
            self.retries += 1
            await asyncio.sleep(TRY_AGAIN_S)
        raise GaveUp(f"{method} {path}: {last}")


@dataclass
class Media:
    """Uploaded assets by kind."""

    images: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    sounds: list[str] = field(default_factory=list)


class Orders:
    """Places jobs; `accepted` holds the ids of those answered with 202."""

    def __init__(self, client: Client, folder: Path, seed: int) -> None:
        """`folder` takes the media that are made for uploading."""
        self._client = client
        self._folder = folder
        self._dice = random.Random(f"orders:{seed}")
        self._media = Media()
        self.accepted: list[str] = []
        self.refused: list[str] = []

    async def prepare(self) -> None:
        """Make and upload what the jobs share."""
        for n in range(3):
            await self._picture(f"shared-{n}")
        for n in range(2):
            path = self._folder / f"motion-{n}.mp4"
            counter_video(path, frames=18 + 4 * n, size=Size(96, 96), sound=True)
            self._media.videos.append(await self._upload("video", path))
            sound = tone(self._folder / f"speech-{n}.wav", duration_s=0.55 + 0.1 * n)
            self._media.sounds.append(await self._upload("audio", sound))

    async def place(self, number: int) -> None:
        """Place job `number`; the modes take turns, every job has its own seed and words."""
        if number % FRESH_EVERY == FRESH_EVERY - 1:
            await self._picture(f"fresh-{number}")
        body = {
            "prompt": f"take {number}",
            "seed": number,
            "ground_truth_asset_id": self._dice.choice(self._media.images),
            "quality_profile": "draft",
        }
        if number % 2:
            mode = "animate"
            body["motion_video_asset_id"] = self._dice.choice(self._media.videos)
            body["animate_submode"] = self._dice.choice(("move", "mix"))
        else:
            mode = "audio-performance"
            body["audio_asset_id"] = self._dice.choice(self._media.sounds)
        try:
            answer = await self._client.ask(
                "POST", f"/api/jobs/{mode}", json=body, headers={"Idempotency-Key": f"job-{number}"}
            )
        except GaveUp as away:
            self.refused.append(str(away))
            return
        if answer.status_code == 202:
            self.accepted.append(str(answer.json()["job_id"]))
        else:
            self.refused.append(f"{answer.status_code} {answer.text[:300]}")

    async def _picture(self, name: str) -> None:
        side = 120 + self._dice.randrange(60)
        path = photo(self._folder / f"{name}.png", size=Size(side, 160), format="PNG")
        self._media.images.append(await self._upload("image", path))

    async def _upload(self, kind: str, path: Path) -> str:
        answer = await self._client.ask(
            "POST", f"/api/assets/{kind}", files={"file": (path.name, path.read_bytes())}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["asset_id"])

    async def settle(
        self, within_s: float, listener: Listener, on_progress: Callable[[int], None]
    ) -> dict[str, Any]:
        """Every accepted job's last answer, once all have ended or the time is over.

        A job is asked for when the stream told its end, and all are now and then, so that the
        asking does not become the load.
        """
        deadline = time.monotonic() + within_s
        answers: dict[str, Any] = {}
        all_asked = float("-inf")
        while True:
            open_jobs = [j for j in self.accepted if answers.get(j, {}).get("status") not in ENDED]
            over = time.monotonic() > deadline
            if over or time.monotonic() - all_asked > ALL_ASKED_EVERY_S:
                all_asked = time.monotonic()
                asked = open_jobs
                on_progress(len(open_jobs))
            else:
                asked = [job_id for job_id in open_jobs if job_id in listener.ends]
            answers.update(await self._ask_for(asked))
            if over or not open_jobs:
                return answers
            await asyncio.sleep(0.5)

    async def _ask_for(self, jobs: list[str]) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for start in range(0, len(jobs), ASKED_AT_ONCE):
            some = jobs[start : start + ASKED_AT_ONCE]
            got = await asyncio.gather(
                *(self._client.ask("GET", f"/api/jobs/{job_id}") for job_id in some)
            )
            answers.update({j: _read(answer) for j, answer in zip(some, got, strict=True)})
        return answers


def _read(answer: httpx.Response) -> dict[str, Any]:
    return dict(answer.json()) if answer.status_code == 200 else {"status": None}


class Listener:
    """One client of the stream of all jobs, which comes back with Last-Event-ID."""

    def __init__(self, url: str) -> None:
        """Nothing is opened before `running`."""
        self._http = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(10, read=None))
        self._seen = ""
        self.ends: dict[str, list[str]] = {}
        self.reconnects = 0
        self.reloads = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens while the block runs."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._http.aclose()

    async def _listen(self) -> None:
        while True:
            headers = {"Last-Event-ID": self._seen} if self._seen else {}
            try:
                async for event in sse(self._http, "/api/stream", **headers):
                    self._take(event)
            except (httpx.TransportError, AssertionError):
                pass  # an outage, or an answer that says there is one
            self.reconnects += 1
            await asyncio.sleep(TRY_AGAIN_S)

    def _take(self, event: dict[str, Any]) -> None:
        self._seen = event.get("id", self._seen)
        if event.get("event") == "reload":
            self.reloads += 1
        if event.get("event") in ENDED:
            self.ends.setdefault(json.loads(event["data"])["job_id"], []).append(event["event"])
