"""How conformance tests talk to a server: raw HTTP and websocket, none of our client."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import websockets

Graph = dict[str, Any]
Message = tuple[str, dict[str, Any]]


@dataclass
class Socket:
    """One websocket and all it heard; a picture stands as ("binary", {}) among messages."""

    connection: websockets.ClientConnection
    heard: list[Message] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    def kinds(self, *without: str) -> list[str]:
        """The types of what was heard, in order."""
        return [kind for kind, _ in self.heard if kind not in without]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of one type."""
        return [data for heard, data in self.heard if heard == kind]

    async def send(self, message: dict[str, Any]) -> None:
        """Sends a message."""
        await self.connection.send(json.dumps(message))

    async def until(self, ends: Callable[[Message], bool], limit_s: float = 30) -> Message:
        """Listens up to a message."""
        async with asyncio.timeout(limit_s):
            while True:
                raw = await self.connection.recv()
                message: Message = ("binary", {})
                if isinstance(raw, str):
                    body = json.loads(raw)
                    message = (body["type"], body["data"])
                else:
                    self.pictures.append(raw)
                self.heard.append(message)
                if ends(message):
                    return message

    async def until_kind(self, kind: str) -> dict[str, Any]:
        """Listens up to the next message of a type."""
        return (await self.until(lambda m: m[0] == kind))[1]

    async def until_end(self, prompt_id: str) -> None:
        """Listens up to the "executing" message with node null."""
        await self.until(
            lambda m: (
                m[0] == "executing" and m[1]["node"] is None and m[1].get("prompt_id") == prompt_id
            )
        )

    async def listen(self, seconds: float = 0.5) -> None:
        """Listens for a while."""
        try:
            await self.until(lambda _: False, seconds)
        except TimeoutError:
            return


@dataclass
class Server:
    """A ComfyUI server; ``kind`` is simulator or real."""

    kind: str
    url: str
    http: httpx.AsyncClient

    async def post(self, graph: Any, **more: Any) -> httpx.Response:
        """POST /prompt."""
        return await self.http.post("/prompt", json={"prompt": graph, **more})

    async def refused(self, graph: Graph) -> dict[str, Any]:
        """The body of a 400."""
        answer = await self.post(graph)
        assert answer.status_code == 400, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def node_error(self, graph: Graph, node_id: str) -> dict[str, Any]:
        """The only error of one node of a refused graph."""
        errors = (await self.refused(graph))["node_errors"][node_id]["errors"]
        assert len(errors) == 1, errors
        error: dict[str, Any] = errors[0]
        return error

    async def accepted(self, graph: Graph, **more: Any) -> str:
        """Posts a graph that must be taken; the prompt's id."""
        answer = await self.post(graph, **more)
        assert answer.status_code == 200, answer.text
        assert answer.json()["node_errors"] == {}, answer.text
        return str(answer.json()["prompt_id"])

    async def history(self, prompt_id: str) -> dict[str, Any]:
        """GET /history/{id}."""
        body: dict[str, Any] = (await self.http.get(f"/history/{prompt_id}")).json()
        return body

    async def finished(self, prompt_id: str, limit_s: float = 60) -> dict[str, Any]:
        """The history entry, once it is there."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            if entry := (await self.history(prompt_id)).get(prompt_id):
                found: dict[str, Any] = entry
                return found
            await asyncio.sleep(0.02)
        raise TimeoutError(f"{prompt_id} is not in the history")

    async def run(self, graph: Graph, **more: Any) -> dict[str, Any]:
        """Runs a graph; its history entry."""
        return await self.finished(await self.accepted(graph, **more))

    async def succeeded(self, graph: Graph, limit_s: float = 60, **more: Any) -> dict[str, Any]:
        """Runs a graph that must succeed within a time."""
        entry = await self.finished(await self.accepted(graph, **more), limit_s)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
        return entry

    async def queue(self) -> tuple[list[str], list[str]]:
        """Ids of running and of waiting prompts."""
        body = (await self.http.get("/queue")).json()
        running, waiting = body["queue_running"], body["queue_pending"]
        return [item[1] for item in running], [item[1] for item in waiting]

    async def started(self, graph: Graph, **more: Any) -> str:
        """Posts a graph and waits until it runs."""
        prompt_id = await self.accepted(graph, **more)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if prompt_id in (await self.queue())[0]:
                return prompt_id
            await asyncio.sleep(0.01)
        raise TimeoutError(f"{prompt_id} does not run")

    async def interrupt(self, prompt_id: str) -> None:
        """POST /interrupt for one prompt."""
        answer = await self.http.post("/interrupt", json={"prompt_id": prompt_id})
        assert answer.status_code == 200

    async def quiet(self) -> None:
        """Clears the queue and interrupts whatever runs, until nothing does."""
        await self.http.post("/queue", json={"clear": True})
        until = time.monotonic() + 60
        while time.monotonic() < until:
            running, waiting = await self.queue()
            if not running and not waiting:
                return
            await self.http.post("/interrupt")
            await asyncio.sleep(0.03)
        raise TimeoutError("the server does not come to rest")

    async def upload(self, path: Path, name: str | None = None, **fields: str) -> str:
        """Uploads a file under a fresh name and gives the name to use in a node."""
        fresh = name or f"{uuid.uuid4().hex[:10]}{path.suffix}"
        answer = await self.http.post(
            "/upload/image", files={"image": (fresh, path.read_bytes())}, data=fields
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return f"{body['subfolder']}/{body['name']}".lstrip("/")

    async def fetched(self, item: dict[str, str], folder: Path) -> Path:
        """Downloads a listed file."""
        answer = await self.http.get("/view", params=item)
        assert answer.status_code == 200, answer.text
        path = folder / item["filename"]
        path.write_bytes(answer.content)
        return path

    @asynccontextmanager
    async def socket(self, client_id: str | None = None) -> AsyncIterator[Socket]:
        """An open websocket that has heard its first status message."""
        query = "" if client_id is None else f"?clientId={client_id}"
        address = f"{self.url.replace('http', 'ws', 1)}/ws{query}"
        async with websockets.connect(address, max_size=None) as connection:
            socket = Socket(connection)
            await socket.until_kind("status")
            yield socket


def client() -> str:
    """A fresh client id."""
    return uuid.uuid4().hex


def last_message(entry: dict[str, Any]) -> Message:
    """The last status message of a history entry."""
    kind, data = entry["status"]["messages"][-1]
    return kind, data
