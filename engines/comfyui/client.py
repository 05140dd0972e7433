"""The typed HTTP client of one ComfyUI.

Owns the routes: what is sent to each, what each answer means, and in which order two of them
must be asked. It holds no job, no policy of retrying prompts, and no websocket.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from ..http.address import EngineAddress
from ..http.backoff import Backoff
from ..http.transport import Answer, OnRequest, Transport
from . import submitting
from .errors import EngineError, PromptRefused, ProtocolError
from .outcome import HistoryEntry, history_entry
from .places import Absent, InHistory, Pending, Place, QueueSnapshot, Running, queue_snapshot
from .server import Features, SystemStats, features, system_stats
from .transfer import (
    ByteRange,
    Downloaded,
    Folder,
    Sink,
    UploadedFile,
    View,
    Viewable,
    download,
    open_view,
    upload,
)

WITHDRAW_PATIENCE_S = 5.0
DOWNLOAD_TRIES = 4
RETRY_BACKOFF = Backoff(0.1, 1.0)


@dataclass(frozen=True, slots=True)
class Submitted:
    """The engine has queued the whole graph; `number` is its place in the engine's count."""

    prompt_id: str
    number: float | None


class ComfyClient:
    """One engine over HTTP; use as an async context manager, from one event loop.

    Every method raises EngineRefused (401, 403), ProtocolError (no ComfyUI answers so) and,
    where nothing else is said, EngineUnreachable after `tries` tries with bounded backoff.
    `on_request` is called after every request and must not block or raise.
    """

    def __init__(
        self,
        address: EngineAddress,
        *,
        tries: int = 3,
        backoff: Backoff = RETRY_BACKOFF,
        on_request: OnRequest | None = None,
    ) -> None:
        self.address = address
        self._tries = tries
        self._http = Transport(address, tries=tries, backoff=backoff, on_request=on_request)

    async def __aenter__(self) -> Self:
        """Nothing is sent before the first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes all connections."""
        await self._http.close()

    def __repr__(self) -> str:
        """The address without secrets."""
        return f"ComfyClient({self.address.base_url!r})"

    # -- prompts

    async def submit(
        self, graph: Mapping[str, Any], *, prompt_id: str, client_id: str | None
    ) -> Submitted:
        """POST /prompt, sent once and never again by itself.

        `prompt_id` must be a canonical lower-case UUID, as newer servers demand (ValueError).
        `number` is never sent: two prompts with equal number and id kill the server's worker.

        Raises PromptRefused (400, 413, or node errors on a 200, after withdrawing that
        prompt), EngineUnreachable when it was certainly not taken, SubmitUncertain when it
        may have been.
        """
        if not is_canonical_uuid(prompt_id):
            raise ValueError("a prompt_id is a canonical lower-case UUID")
        answered = await submitting.post_prompt(self._http, graph, prompt_id, client_id)
        if answered.prompt_id != prompt_id:
            # a server from before client-chosen ids: what it queued could not be found again
            await self.withdraw(answered.prompt_id)
            raise ProtocolError(self._name, "POST /prompt: the engine chose another prompt_id")
        if answered.node_errors:
            # the valid part is queued all the same and would run
            raise PromptRefused(
                self._name,
                "partly_invalid",
                "some outputs of the graph are not valid",
                node_errors=answered.node_errors,
                withdrawn=await self._try_withdraw(prompt_id),
            )
        return Submitted(prompt_id, answered.number)

    async def withdraw(self, prompt_id: str, *, patience_s: float = WITHDRAW_PATIENCE_S) -> bool:
        """Deletes the prompt if it waits, interrupts it if it runs; True once it is neither.

        Asked again for at most `patience_s`: an interrupt that falls between the server's
        taking a prompt and starting it is forgotten, and a node that loads or decodes does
        not look before its end.
        """
        pause = Backoff(0.05, 0.5)
        waited_s, attempt = 0.0, 0
        while True:
            # this order: deleted first, it can only be running when the interrupt arrives
            await self.delete_pending(prompt_id)
            await self.interrupt(prompt_id)
            if not (await self.queue()).holds(prompt_id):
                return True
            if waited_s >= patience_s:
                return False
            delay_s = pause.delay_s(attempt)
            await asyncio.sleep(delay_s)
            waited_s, attempt = waited_s + delay_s, attempt + 1

    async def interrupt(self, prompt_id: str) -> None:
        """POST /interrupt for this prompt only; no effect unless it runs, and never an error."""
        await self._post("/interrupt", {"prompt_id": prompt_id})

    async def delete_pending(self, prompt_id: str) -> None:
        """POST /queue delete; no effect unless it waits. It leaves no trace in the history.

        Of a prompt that waits several times one copy goes.
        """
        await self._post("/queue", {"delete": [prompt_id]})

    # -- where a prompt is

    async def queue(self) -> QueueSnapshot:
        """GET /queue, graphs dropped."""
        body = await self._http.ask_json("/queue")
        try:
            return queue_snapshot(body)
        except ValueError as error:
            raise ProtocolError(self._name, f"GET /queue: {error}") from error

    async def history(self, prompt_id: str) -> HistoryEntry | None:
        """GET /history/{id}; None while it waits or runs, and for an unknown or lost id."""
        path = f"/history/{quote(prompt_id, safe='')}"
        entry = (await self._http.ask_json(path)).get(prompt_id)
        if not entry:
            return None
        if not isinstance(entry, Mapping):
            raise ProtocolError(self._name, f"GET {path}: an entry of another shape")
        return history_entry(prompt_id, entry)

    async def find(self, prompt_id: str, *, over: bool = False) -> Place:
        """Where the prompt is at this moment; `Absent` from one look proves nothing yet.

        `over`: the engine said that it has ended. Then the history is asked first, because an
        entry there needs no second opinion; without one nothing follows from that.

        /queue is asked before /history. The server moves a prompt from the one to the other
        in one step, so what is missing from the queue and had ended is in the history by
        then; asked the other way round, a prompt that ends between the two looks is in
        neither and a finished job would be declared lost. The queue is asked once more only
        when both were empty: the prompt may have been queued after the first look.
        """
        if over and (entry := await self.history(prompt_id)) is not None:
            return InHistory(entry)
        place = _in_queue(await self.queue(), prompt_id)
        if place is not None:
            return place
        entry = await self.history(prompt_id)
        if entry is not None:
            return InHistory(entry)
        return _in_queue(await self.queue(), prompt_id) or Absent()

    async def queue_remaining(self) -> int:
        """Prompts running and waiting, from GET /prompt: cheap, no graphs."""
        info = (await self._http.ask_json("/prompt")).get("exec_info")
        count = info.get("queue_remaining") if isinstance(info, Mapping) else None
        if not isinstance(count, int):
            raise ProtocolError(self._name, "GET /prompt: no queue_remaining")
        return count

    # -- files

    async def upload(
        self,
        source: Path | AsyncIterable[bytes],
        *,
        name: str,
        subfolder: str = "",
        type: Folder = "input",
        overwrite: bool = False,
        size_bytes: int | None = None,
    ) -> UploadedFile:
        """POST /upload/image, streamed from disk or from an async source, sent once.

        Use the answered names: another file of that name makes it "name (1).png". Safe to
        call again with a fresh source. Raises UploadRefused (413, 400), EngineUnreachable,
        OSError for an unreadable file, ValueError for an unfit name or subfolder.
        """
        return await upload(
            self._http,
            source,
            size_bytes,
            name=name,
            subfolder=subfolder,
            type=type,
            overwrite=overwrite,
        )

    def view(
        self, ref: Viewable, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[View]:
        """GET /view as a stream: `async with client.view(file) as view: view.chunks()`.

        Raises OutputMissing (404), RangeRefused (416).
        """
        headers = {"Range": byte_range.header()} if byte_range else {}
        return open_view(self._http, ref, headers)

    async def download_to(self, ref: Viewable, sink: Sink) -> Downloaded:
        """The whole file into `await sink(chunk)`; a broken connection is taken up again."""
        return await download(self._http, ref, sink, tries=DOWNLOAD_TRIES)

    # -- the server

    async def root(self) -> None:
        """GET /: returns when the server serves its page, raises otherwise."""
        answer = await self._http.ask("GET", "/")
        if answer.status != 200:
            raise ProtocolError(self._name, f"GET /: unexpected {answer.status}")

    async def system_stats(self) -> SystemStats:
        """GET /system_stats."""
        return system_stats(await self._http.ask_json("/system_stats"))

    async def features(self) -> Features:
        """GET /features; a server without that route has none."""
        answer = await self._http.ask("GET", "/features")
        if answer.status == 404:
            return Features(supports_preview_metadata=False, max_upload_bytes=None)
        return features(self._http.json_object("GET", "/features", answer))

    async def object_info(self, node_class: str | None = None) -> dict[str, Any]:
        """GET /object_info (about 0.5 MB), or of one class ({} when unknown), as it came.

        `catalogue.Catalogue.read` makes it typed.
        """
        tail = "" if node_class is None else f"/{quote(node_class, safe='')}"
        return await self._http.ask_json(f"/object_info{tail}")

    async def models(self, folder: str | None = None) -> tuple[str, ...]:
        """GET /models: the model folders' names, or the files in one; () for an unknown one."""
        path = "/models" if folder is None else f"/models/{quote(folder, safe='')}"
        answer = await self._http.ask("GET", path)
        if answer.status == 404:
            return ()
        return self._names(path, answer)

    async def free(self, *, unload_models: bool = False, free_memory: bool = False) -> None:
        """POST /free; acts between prompts. `free_memory` also drops cached results."""
        await self._post("/free", {"unload_models": unload_models, "free_memory": free_memory})

    # -- inside

    @property
    def _name(self) -> str:
        return self.address.base_url

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        answer = await self._http.ask("POST", path, body=body)
        if answer.status != 200:
            cause = f"POST {path}: unexpected {answer.status}: {answer.text()}"
            raise ProtocolError(self._name, cause)

    async def _try_withdraw(self, prompt_id: str) -> bool:
        try:
            return await self.withdraw(prompt_id)
        except EngineError:
            # the refusal is the news; that the rest may run is told by withdrawn=False
            return False

    def _names(self, path: str, answer: Answer) -> tuple[str, ...]:
        try:
            found = json.loads(answer.body) if answer.status == 200 else None
        except ValueError as error:
            raise ProtocolError(self._name, f"GET {path}: not JSON") from error
        if not isinstance(found, list):
            raise ProtocolError(self._name, f"GET {path}: unexpected {answer.status}, no list")
        return tuple(str(name) for name in found)


def is_canonical_uuid(text: str) -> bool:
    """Whether `text` is a UUID written in its canonical lower-case form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _in_queue(queue: QueueSnapshot, prompt_id: str) -> Running | Pending | None:
    copies = queue.copies(prompt_id)
    if queue.runs(prompt_id):
        return Running(copies)
    ahead = queue.ahead_of(prompt_id)
    return None if ahead is None else Pending(ahead, copies)
