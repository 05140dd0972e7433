"""The typed HTTP client of one A1111 WebUI.

Owns the routes: what is sent to each and what each answer means. It remembers which of its
own runs it was asked to stop, since the server does not say; it holds no job and never sends
a generating request twice.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping
from typing import Any, Self

from ..http.address import EngineAddress
from ..http.backoff import Backoff
from ..http.transport import OnRequest, Transport
from . import files, generating
from .deforum_jobs import DeforumJobs
from .errors import (
    CapabilityMissing,
    ProtocolError,
)
from .generating import Generated, Look, OnProgress, Run
from .pictures import Picture
from .progress import ServerProgress, TaskProgress, server_progress, task_progress
from .refusals import error_for
from .stills import Txt2Img, Upscale

RETRY_BACKOFF = Backoff(0.1, 1.0)
POLL_S = 2.0
_API = "/sdapi/v1"
_HASH = re.compile(r" \[[0-9a-f]+\]$")


class WebUIClient:
    """One engine over HTTP; use as an async context manager, from one event loop.

    Every method raises EngineRefused (401, 403), ProtocolError (no WebUI answers so) and,
    where nothing else is said, EngineUnreachable after `tries` tries with bounded backoff.
    `deforum` speaks to /deforum_api of the same server. `on_request` is called after every
    request and must not block or raise.
    """

    def __init__(
        self,
        address: EngineAddress,
        *,
        tries: int = 3,
        backoff: Backoff = RETRY_BACKOFF,
        poll_s: float = POLL_S,
        on_request: OnRequest | None = None,
    ) -> None:
        self.address = address
        self._poll_s = poll_s
        self._http = Transport(address, tries=tries, backoff=backoff, on_request=on_request)
        self._runs: dict[str, Run] = {}
        self.deforum = DeforumJobs(self._http, self._post_interrupt)

    async def __aenter__(self) -> Self:
        """Nothing is sent before the first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes all connections."""
        await self._http.close()

    def __repr__(self) -> str:
        """The address without secrets."""
        return f"WebUIClient({self.address.base_url!r})"

    @property
    def name(self) -> str:
        """The engine's address, without secrets, as errors name it."""
        return self.address.base_url

    # -- pictures

    async def generate(
        self,
        asked: Txt2Img,
        *,
        deadline_s: float,
        task_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Generated:
        """txt2img, or img2img for an `Img2Img`; sent once, answered when all is done.

        `extra` joins the body (alwayson_scripts). The answer is the only copy of the
        pictures; cancelling the call leaves its run going on the server (`abandon`).

        Raises RequestRefused, GenerationFailed, EngineUnreachable (certainly not sent),
        ResultLost, Interrupted, Overdue, UnreadablePicture, ProtocolError, and UnfitSettings
        before anything is sent.
        """
        run = self._run(task_id, deadline_s, on_progress)
        request = {**asked.body(), **(extra or {}), "force_task_id": run.task_id}
        body = await self._send(asked.route, request, run)
        return await asyncio.to_thread(generating.read_generated, self.name, run.task_id, body)

    async def stills(
        self,
        asked: Txt2Img,
        *,
        deadline_s: float,
        task_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Generated:
        """As `generate`, and the pictures are as many and as large as asked for.

        Raises WrongFrameCount, UnreadablePicture where they are not.
        """
        made = await self.generate(
            asked, deadline_s=deadline_s, task_id=task_id, on_progress=on_progress
        )
        generating.check_pictures(
            self.name, made.pictures, asked.count, asked.width_px, asked.height_px
        )
        return made

    async def upscale(
        self,
        asked: Upscale,
        *,
        deadline_s: float,
        task_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> tuple[Picture, ...]:
        """All pictures made larger, in their order. Raises as `stills`.

        The server rounds sides down to multiples of 8, so that they are only checked to that.
        """
        run = self._run(task_id, deadline_s, on_progress)
        body = await self._send(asked.route, asked.body(), run)
        made = await asyncio.to_thread(generating.read_images, self.name, body.get("images"))
        await asyncio.to_thread(generating.check_larger, self.name, made, asked)
        return made

    async def interrupt(self, task_id: str) -> None:
        """Stops our own run: its call ends in Interrupted whatever the server answers.

        The server is only told while that run is the one that runs; a run still in its queue
        is stopped when its turn comes. Without effect for a call that has ended.
        """
        run = self._runs.get(task_id)
        if run is None:
            return
        run.stop = True
        if (await self.look(task_id)).ours_runs:
            await self._post_interrupt()

    async def abandon(self, task_id: str, *, patience_s: float = 30.0) -> bool:
        """Stops a run whose call was lost, so that nothing waits behind it; True once it is over.

        Needs the server's per-task progress to tell it from others; False without it.
        """
        return await generating.abandon(self.look, self._post_interrupt, task_id, patience_s)

    # -- progress

    async def progress(self) -> ServerProgress:
        """GET /sdapi/v1/progress: whatever runs on the server, whoever asked for it."""
        body = await self._http.ask_json(f"{_API}/progress", params={"skip_current_image": "true"})
        try:
            return server_progress(body)
        except ValueError as error:
            raise ProtocolError(self.name, f"GET {_API}/progress: {error}") from error

    async def task_progress(self, task_id: str) -> TaskProgress | None:
        """POST /internal/progress; None where the server runs without its UI."""
        path = "/internal/progress"
        body = {"id_task": task_id, "id_live_preview": -1, "live_preview": False}
        answer = await self._http.ask("POST", path, body=body)
        if answer.status == 404:
            return None
        return task_progress(self._http.json_object("POST", path, answer))

    async def look(self, task_id: str) -> Look:
        """Both progress answers, the task's first.

        In this order a flag that is seen while our task is active is its own, never one left
        by the run before.
        """
        task = await self.task_progress(task_id)
        return Look(await self.progress(), task)

    # -- what the server has

    async def get_object(self, path: str) -> dict[str, Any]:
        """GET of any route that answers a JSON object. Raises ProtocolError for anything else."""
        return await self._http.ask_json(path)

    async def has(self, path: str) -> bool:
        """Whether a GET of that route is answered with 200; False for a 404."""
        answer = await self._http.ask("GET", path)
        if answer.status not in (200, 404):
            cause = f"GET {path}: unexpected {answer.status}: {answer.text()}"
            raise ProtocolError(self.name, cause)
        return answer.status == 200

    async def scripts(self) -> dict[str, tuple[str, ...]]:
        """GET scripts: lower-case names by tab (`txt2img`, `img2img`)."""
        body = await self._http.ask_json(f"{_API}/scripts")
        return {
            tab: tuple(str(name) for name in names)
            for tab, names in body.items()
            if isinstance(names, list)
        }

    async def script_info(self) -> tuple[Mapping[str, Any], ...]:
        """GET script-info: name, is_alwayson, is_img2img and args of every script, as they came."""
        return await self._objects("script-info")

    async def checkpoints(self) -> tuple[str, ...]:
        """GET sd-models: titles, as `select_checkpoint` takes them."""
        return tuple(str(item.get("title")) for item in await self._objects("sd-models"))

    async def samplers(self) -> tuple[str, ...]:
        """GET samplers: names."""
        return tuple(str(item.get("name")) for item in await self._objects("samplers"))

    async def upscalers(self) -> tuple[str, ...]:
        """GET upscalers: names."""
        return tuple(str(item.get("name")) for item in await self._objects("upscalers"))

    async def extensions(self) -> tuple[Mapping[str, Any], ...]:
        """GET extensions: name, remote, branch, commit_hash, version, enabled, as they came."""
        return await self._objects("extensions")

    async def options(self) -> dict[str, Any]:
        """GET options."""
        return await self._http.ask_json(f"{_API}/options")

    async def set_options(self, changes: Mapping[str, Any]) -> None:
        """POST options: lasting, for everybody. Raises RequestRefused, GenerationFailed."""
        path = f"{_API}/options"
        answer = await self._http.ask("POST", path, body=dict(changes), known=(422, 500))
        if answer.status != 200:
            raise error_for(self.name, "POST", path, answer)

    async def select_checkpoint(self, title: str) -> None:
        """Makes a checkpoint the server's own, and checks that it is.

        An unknown one in override_settings is silently ignored, and overrides are not
        always undone; this is the safe way. Raises CapabilityMissing.
        """
        wanted = _bare(title)
        if await self._selected() == wanted:
            return
        titles = {_bare(known): known for known in await self.checkpoints()}
        if wanted not in titles:
            raise CapabilityMissing(self.name, (f"The checkpoint {title!r} is not installed.",))
        await self.set_options({"sd_model_checkpoint": titles[wanted]})
        selected = await self._selected()
        if selected != wanted:
            raise ProtocolError(self.name, f"asked for checkpoint {title!r}, has {selected!r}")

    # -- files

    async def upload(self, data: bytes, *, name: str) -> str:
        """POST /upload: the file's path on the server, where Deforum finds it.

        Safe to call again. Raises CapabilityMissing where the server runs without its UI,
        EngineUnreachable, ValueError for an unfit name.
        """
        return await files.upload(self._http, data, name)

    async def file(self, path: str) -> bytes:
        """GET /file={path}: a file on the server, whole. Raises FileMissing (404)."""
        return await files.fetch(self._http, path)

    # -- inside

    def _run(self, task_id: str | None, deadline_s: float, on_progress: OnProgress | None) -> Run:
        return Run(
            task_id=task_id or f"task({uuid.uuid4().hex})",
            deadline_s=deadline_s,
            poll_s=self._poll_s,
            look=self.look,
            interrupt=self._post_interrupt,
            on_progress=on_progress,
        )

    async def _send(self, path: str, body: Mapping[str, Any], run: Run) -> dict[str, Any]:
        if run.task_id in self._runs:
            raise ValueError(f"{run.task_id} is running already")
        self._runs[run.task_id] = run
        try:
            return await generating.post(self._http, path, body, run)
        finally:
            del self._runs[run.task_id]

    async def _post_interrupt(self) -> None:
        path = f"{_API}/interrupt"
        answer = await self._http.ask("POST", path)
        if answer.status != 200:
            raise ProtocolError(self.name, f"POST {path}: unexpected {answer.status}")

    async def _selected(self) -> str:
        return _bare(str((await self.options()).get("sd_model_checkpoint")))

    async def _objects(self, route: str) -> tuple[Mapping[str, Any], ...]:
        path = f"{_API}/{route}"
        found = self._http.json_value("GET", path, await self._http.ask("GET", path))
        if not isinstance(found, list):
            raise ProtocolError(self.name, f"GET {path}: no list")
        return tuple(item for item in found if isinstance(item, Mapping))


def _bare(title: str) -> str:
    # a title gains its hash only when the checkpoint is first loaded
    return _HASH.sub("", title)
