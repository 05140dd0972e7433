"""A client of Animatrix's public API: uploads, jobs, streams, downloads.

Owns how a refusal becomes Trouble and what is tried again. Must not print anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from cli.answers import (
    Accepted,
    Asset,
    Capabilities,
    DeedPage,
    IssuedKey,
    Job,
    JobPage,
    KeyList,
    Outputs,
    Pauses,
)
from cli.sse import Message, messages
from cli.trouble import Trouble
from runtime.settings import LOOPBACK_HOSTS

TOKEN_VARIABLE = "ANIMATRIX_API_TOKEN"  # noqa: S105 - a variable's name
CONNECT_S, ANSWER_S = 5.0, 60.0
SILENCE_S = 45.0
"""Longer than two heartbeats of a stream: a quieter one is dead."""
RETRY_FOR_S = 30.0
RETRY_EVERY_S = 0.5
_AWAY = frozenset({502, 503, 504})
_ROUTES = {"animate": "animate", "audio_performance": "audio-performance"}

A = TypeVar("A", bound=BaseModel)
OnBytes = Callable[[int], None]


class ApiClient:
    """One server. Once it has answered, calls that may be repeated safely are, for half a minute,
    while it is away."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Nothing is sent yet. Raises Trouble when the URL is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Trouble(f"{url} is not the address of a server.", "Use http://host:port.")
        self.url = url.rstrip("/")
        self._reached = False
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            # A proxy cannot reach the loopback address of this machine.
            trust_env=parts.hostname not in LOOPBACK_HOSTS,
        )

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def capabilities(self) -> Capabilities:
        """What can be made there."""
        return self._read(Capabilities, "GET", "/api/capabilities")

    def upload(self, kind: str, path: Path, on_sent: OnBytes = lambda _: None) -> Asset:
        """Send a file as image, video or audio; `on_sent` gets the bytes read so far."""
        try:
            with path.open("rb") as source:
                body = {"file": (path.name, cast("BinaryIO", _Counted(source, on_sent)))}
                return self._read(Asset, "POST", f"/api/assets/{kind}", again=False, files=body)
        except OSError as unreadable:
            raise Trouble(f"{path} cannot be read: {unreadable.strerror}.") from unreadable

    def asset(self, asset_id: str) -> Asset:
        """What is known of a file."""
        return self._read(Asset, "GET", f"/api/assets/{quote(asset_id, safe='')}")

    def submit(self, mode: str, fields: Mapping[str, Any]) -> Accepted:
        """Send a job. It is made once, however often the sending is repeated."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        route = f"/api/jobs/{_ROUTES[mode]}"
        return self._read(Accepted, "POST", route, json=dict(fields), headers=key)

    def job(self, job_id: str) -> Job:
        """A job."""
        return self._read(Job, "GET", f"/api/jobs/{quote(job_id, safe='')}")

    def jobs(self, limit: int, status: str | None = None) -> JobPage:
        """The newest jobs."""
        params = {"limit": str(limit), **({"status": status} if status else {})}
        return self._read(JobPage, "GET", "/api/jobs", params=params)

    def outputs(self, job_id: str) -> Outputs:
        """The delivered files of a completed job."""
        return self._read(Outputs, "GET", f"/api/jobs/{quote(job_id, safe='')}/outputs")

    def change_pauses(self, verb: str, body: Mapping[str, str]) -> Pauses:
        """Pause or resume (the verb) an engine, a lane or everything; what is paused then."""
        return self._read(Pauses, "POST", f"/api/admin/queue/{verb}", json=dict(body))

    def keys(self) -> KeyList:
        """Every API key, without the keys."""
        return self._read(KeyList, "GET", "/api/admin/keys")

    def create_key(self, fields: Mapping[str, Any]) -> IssuedKey:
        """Make an API key; it is in this answer only."""
        return self._read(IssuedKey, "POST", "/api/admin/keys", again=False, json=dict(fields))

    def revoke_key(self, key_id: str) -> None:
        """Make an API key open nothing from now on."""
        route = f"/api/admin/keys/{quote(key_id, safe='')}"
        self._refuse_errors(self._send("DELETE", route, again=True))

    def audit(self, limit: int, owner: str | None) -> DeedPage:
        """Who did what, newest first."""
        params = {"limit": str(limit), **({"owner": owner} if owner else {})}
        return self._read(DeedPage, "GET", "/api/admin/audit", params=params)

    def download(self, url: str, target: Path, on_bytes: OnBytes = lambda _: None) -> None:
        """Save a delivered file; nothing is left at `target` unless it came whole.

        `on_bytes` gets the size of every piece. Raises Trouble for an address on another server.
        """
        if not url.startswith("/") or url.startswith("//"):
            raise Trouble(f"The server named a file elsewhere: {url}")
        part = target.with_name(f"{target.name}.part")
        try:
            with self._http.stream("GET", url) as answer, part.open("wb") as out:
                self._refuse_errors(answer)
                for piece in answer.iter_bytes():
                    out.write(piece)
                    on_bytes(len(piece))
            part.replace(target)
        except httpx.TransportError as broken:
            raise Trouble(f"{target.name} did not come whole: {broken}", "Try again.") from broken
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def stream(self, job_id: str, last_id: str) -> Iterator[Iterator[Message]]:
        """The events of a job after `last_id` (from the beginning when it is empty).

        Raises httpx.TransportError when the connection is lost.
        """
        headers = {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        route = f"/api/jobs/{quote(job_id, safe='')}/stream"
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        with self._http.stream("GET", route, headers=headers, timeout=timeout) as answer:
            self._refuse_errors(answer)
            yield messages(answer.iter_lines())

    def ask(self, shape: type[A], method: str, route: str, *, again: bool = True, **sent: Any) -> A:
        """Any other call of the API, such as an operator's. `again` when it may be repeated."""
        return self._read(shape, method, route, again=again, **sent)

    def _read(
        self, shape: type[A], method: str, route: str, *, again: bool = True, **sent: Any
    ) -> A:
        answer = self._send(method, route, again=again, **sent)
        self._refuse_errors(answer)
        try:
            return shape.model_validate_json(answer.content)
        except ValidationError as strange:
            raise Trouble(
                f"{self.url}{route} gave an answer that is not understood.",
                "Is it an Animatrix server of this version?",
                tuple(str(strange).splitlines()[:6]),
            ) from strange

    def _send(self, method: str, route: str, *, again: bool, **sent: Any) -> httpx.Response:
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                answer = self._http.request(method, route, **sent)
                self._reached = True
                if answer.status_code not in _AWAY or not again or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError as broken:
                if not (again and self._reached) or time.monotonic() > deadline:
                    raise Trouble(
                        f"No answer from {self.url}: {broken}",
                        "Start it with `make run`, or name another with --url or ANIMATRIX_URL.",
                    ) from broken
            time.sleep(RETRY_EVERY_S)

    def _refuse_errors(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        answer.read()
        try:
            problem = answer.json()
            sentence, remedy = str(problem["detail"]), str(problem.get("remedy", ""))
            fields = tuple(
                f"{e.get('field') or 'request'}: {e['sentence']} {e.get('remedy') or ''}".strip()
                for e in problem.get("errors", ())
            )
        except (ValueError, KeyError, TypeError, AttributeError) as strange:
            raise Trouble(f"{self.url} answered {answer.status_code}.") from strange
        if answer.status_code == 401:
            remedy = f"Set {TOKEN_VARIABLE} to the server's access token."
        raise Trouble(sentence, remedy, fields if len(fields) > 1 else ())


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, source: BinaryIO, on_read: OnBytes) -> None:
        self._source, self._on_read = source, on_read

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self._on_read(self._source.tell())
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def running_url(var: Path) -> str | None:
    """The URL of the system that runs on a data folder, None when none does."""
    try:
        found = json.loads((var / "run" / "state.json").read_text())
    except (OSError, ValueError):
        return None
    url = found.get("url") if isinstance(found, dict) else None
    return url if isinstance(url, str) else None


def find_url(given: str | None, var: Path) -> str:
    """The server to speak to: the given one, else the one that runs on the data folder.

    Raises Trouble when there is neither.
    """
    found = given or running_url(var)
    if found is None:
        raise Trouble(
            f"No system runs on {var.resolve()}, and no other was named.",
            "Start it with `make run`, or name one with --url or ANIMATRIX_URL.",
        )
    return found


def connect(given: str | None, var: Path) -> ApiClient:
    """A client of the server to speak to, with the token from the environment."""
    return ApiClient(find_url(given, var), os.environ.get(TOKEN_VARIABLE) or None)
