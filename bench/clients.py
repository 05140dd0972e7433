"""The three ways to run a prompt that are compared: a bare client, the peer, and us.

Each gives, for one job, the Unix seconds of submit and of the end as its client saw it; what the
engine did is read from the engine's own journal. The peer is comfy-api-proxy from PyPI in an
environment of its own. Must not judge.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import websockets

from bench.stage import finished, prompt_ids
from tests.support.ports import free_port
from tests.support.system import submit

PEER = "comfy-api-proxy==0.1.6"
POLL_S = 0.25
"""How often a client of the peer that polls looks; its SDK's default is slower."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One job: when it was sent, when its end was seen with its file at hand, and its prompt."""

    sent: float
    seen: float
    prompt_id: str


async def bare(http: httpx.AsyncClient, graph: Mapping[str, Any]) -> Ran:
    """The floor: POST /prompt, wait on the websocket, read the history, fetch the video."""
    client_id, prompt_id = uuid.uuid4().hex, str(uuid.uuid4())
    url = str(http.base_url).rstrip("/").replace("http", "ws", 1)
    async with websockets.connect(f"{url}/ws?clientId={client_id}", max_size=None) as socket:
        sent = time.time()
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": client_id}
        (await http.post("/prompt", json=body)).raise_for_status()
        async for message in socket:
            if isinstance(message, str):
                told = json.loads(message)
                data = told.get("data", {})
                over = told["type"] in ("execution_success", "execution_error")
                if over and data.get("prompt_id") == prompt_id:
                    break
        # The entry may come a moment after the message (facts on ComfyUI).
        while not (told := (await http.get(f"/history/{prompt_id}")).json()):
            await asyncio.sleep(0.002)
        await _fetch(http, told[prompt_id])
        return Ran(sent, time.time(), prompt_id)


async def _fetch(http: httpx.AsyncClient, entry: Mapping[str, Any]) -> None:
    for outputs in entry["outputs"].values():
        for files in outputs.values():
            for file in files:
                if isinstance(file, dict) and "filename" in file:
                    (await http.get("/view", params=file)).raise_for_status()
                    return
    raise RuntimeError("the prompt left no file")


async def ours(http: httpx.AsyncClient, body: Mapping[str, Any], seed: int) -> Ran:
    """Submit through HTTP and follow the job's stream until its verified video is announced."""
    sent = time.time()
    job_id = await submit(http, "animate", {**body, "seed": seed})
    seen = await finished(http, job_id)
    return Ran(sent, seen["completed"], await prompt_ids(http, job_id))


@contextmanager
def running_peer(folder: Path, engine_url: str) -> Iterator[str]:
    """The peer in front of the engine; installed into `folder` when it is not there yet."""
    environment = folder / "peer-env"
    binary = environment / "bin" / "comfy-api-proxy"
    if not binary.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", PEER]
        subprocess.run(pip, check=True)
    port = free_port()
    with (folder / "peer.log").open("wb") as log:
        process = subprocess.Popen(
            [str(binary), "--comfyui", engine_url, "--port", str(port)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until_s = time.monotonic() + 30
        while time.monotonic() < until_s:
            try:
                if httpx.get(f"{url}/api/v2/health", timeout=1).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        else:
            raise RuntimeError(f"the peer did not start: {(folder / 'peer.log').read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait(15)


async def peer_sse(http: httpx.AsyncClient, graph: Mapping[str, Any]) -> Ran:
    """A job through the peer, followed on its event stream, its first output fetched."""
    sent = time.time()
    job_id = await _peer_submit(http, graph)
    async with http.stream("GET", f"/api/v2/jobs/{job_id}/events", timeout=None) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                status = json.loads(line[5:]).get("status")
                if status in ("succeeded", "failed", "canceled"):
                    break
    # Its stream tells the end a moment before its record of the job does.
    await _peer_end(http, job_id, 0.002)
    await _peer_fetch(http, job_id)
    return Ran(sent, time.time(), job_id)


async def peer_polling(http: httpx.AsyncClient, graph: Mapping[str, Any]) -> Ran:
    """A job through the peer, asked for every `POLL_S` seconds, its first output fetched."""
    sent = time.time()
    job_id = await _peer_submit(http, graph)
    await _peer_end(http, job_id, POLL_S)
    await _peer_fetch(http, job_id)
    return Ran(sent, time.time(), job_id)


async def _peer_end(http: httpx.AsyncClient, job_id: str, every_s: float) -> None:
    while (await http.get(f"/api/v2/jobs/{job_id}")).json()["status"] in ("queued", "running"):
        await asyncio.sleep(every_s)


async def _peer_submit(http: httpx.AsyncClient, graph: Mapping[str, Any]) -> str:
    answer = await http.post("/api/v2/jobs", json={"workflow": graph})
    answer.raise_for_status()
    return str(answer.json()["id"])


async def _peer_fetch(http: httpx.AsyncClient, job_id: str) -> None:
    job = (await http.get(f"/api/v2/jobs/{job_id}")).json()
    if job["status"] != "succeeded" or not job["outputs"]:
        raise RuntimeError(f"the peer's job ended as {job['status']} with {job['outputs']}")
    output = job["outputs"][0]
    where = output.get("url") or f"/api/v2/assets/{output.get('asset_id') or output['id']}/content"
    (await http.get(where, follow_redirects=True)).raise_for_status()
