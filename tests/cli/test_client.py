"""The client: streams that break, refusals, downloads that do not come whole."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from cli.client import ApiClient, find_url
from cli.delivered import save
from cli.sse import Message, messages
from cli.trouble import Trouble
from cli.watching import updates

JOB_ID = "01a1f90e-581a-7216-9b4d-99f1866c5e6e"
Script = Callable[[http.server.BaseHTTPRequestHandler], None]
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers each request with the next script; the last one repeats."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(*scripts: Script) -> str:
        left = list(scripts)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script = left.pop(0) if len(left) > 1 else left[0]
                script(self)

            def log_message(self, format: str, *args: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answer(status: int, body: Any, kind: str = "application/json") -> Script:
    def script(request: http.server.BaseHTTPRequestHandler) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return script


def raw(data: bytes) -> Script:
    def script(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return script


def broken_stream(text: str, seen: list[str | None]) -> Script:
    """A stream that promises more than it sends; notes the Last-Event-ID it was asked with."""

    def script(request: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(request.headers.get("Last-Event-ID"))
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        request.wfile.write(text.encode())

    return script


def job(status: str, **more: Any) -> dict[str, Any]:
    at = "2026-01-01T00:00:00Z"
    return {
        "job_id": JOB_ID,
        "mode": "animate",
        "status": status,
        "created_at": at,
        "updated_at": at,
        **more,
    }


def told(event: str, sequence: int) -> str:
    data = json.dumps({"job_id": JOB_ID, "status": event})
    return f"id: {sequence}\r\nevent: {event}\r\ndata: {data}\r\n\r\n".replace("\r\n", "\n")


PROGRESS = 'event: progress\ndata: {"progress": {"percent": 40.0, "phase": "generating"}}\n\n'


def test_a_broken_stream_is_taken_up_after_the_last_event_seen(serve: Serve) -> None:
    seen: list[str | None] = []
    url = serve(
        answer(200, job("queued")),
        broken_stream(told("executing", 7) + PROGRESS, seen),
        answer(200, job("executing")),
        broken_stream(told("completed", 9), seen),
        answer(200, job("completed")),
    )
    with ApiClient(url) as client:
        found = [(update.status, update.percent) for update in updates(client, JOB_ID)]
    assert seen == [None, "7"]
    assert ("executing", 40.0) in found
    assert found[-1] == ("completed", 100.0)


def test_a_stream_with_nothing_more_to_say_leads_to_the_job_itself(serve: Serve) -> None:
    fault = {"code": "engine_failed", "sentence": "The engine failed.", "remedy": "Try again."}
    url = serve(
        answer(200, job("executing")), answer(204, ""), answer(200, job("failed", error=fault))
    )
    with ApiClient(url) as client:
        last = list(updates(client, JOB_ID))[-1]
    assert last.status == "failed"
    assert last.error is not None
    assert last.error.sentence == "The engine failed."


def test_events_are_read_as_the_standard_says() -> None:
    lines = [": still here", "", "id: 4", "event: queued", "data: {", "data:}", "", "data: x", ""]
    assert list(messages(lines)) == [
        Message("queued", "{\n}", "4"),
        Message("message", "x", "4"),
    ]


def test_a_refusal_carries_sentence_remedy_and_fields(serve: Serve) -> None:
    errors = [
        {"field": "prompt", "sentence": "There is no prompt.", "remedy": "Write one."},
        {"field": "seed", "sentence": "Not a number.", "remedy": ""},
    ]
    problem = {"detail": "There is no prompt.", "remedy": "Write one.", "errors": errors}
    with ApiClient(serve(answer(422, problem))) as client, pytest.raises(Trouble) as trouble:
        client.job(JOB_ID)
    assert trouble.value.sentence == "There is no prompt."
    assert trouble.value.details == (
        "prompt: There is no prompt. Write one.",
        "seed: Not a number.",
    )


def test_a_missing_token_is_explained(serve: Serve) -> None:
    url = serve(answer(401, {"detail": "This needs a valid access token."}))
    with ApiClient(url) as client, pytest.raises(Trouble) as trouble:
        client.capabilities()
    assert "ANIMATRIX_API_TOKEN" in trouble.value.remedy


def test_a_server_that_comes_back_is_asked_again(serve: Serve) -> None:
    url = serve(
        answer(200, job("queued")), answer(503, {"detail": "away"}), answer(200, job("executing"))
    )
    with ApiClient(url) as client:
        assert client.job(JOB_ID).status == "queued"
        assert client.job(JOB_ID).status == "executing"


def test_another_server_is_not_taken_for_animatrix(serve: Serve) -> None:
    url = serve(answer(200, "<html>hello</html>", "text/html"))
    with ApiClient(url) as client, pytest.raises(Trouble, match="not understood"):
        client.capabilities()


def test_a_download_that_breaks_off_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    url = serve(broken_stream("half a video", []))
    with ApiClient(url) as client, pytest.raises(Trouble, match="did not come whole"):
        client.download("/api/jobs/1/files/video.mp4", tmp_path / "video.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://elsewhere.example/video.mp4", "//elsewhere.example/x"])
def test_a_file_on_another_server_is_not_fetched(url: str, tmp_path: Path) -> None:
    with ApiClient("http://127.0.0.1:9") as client, pytest.raises(Trouble, match="elsewhere"):
        client.download(url, tmp_path / "video.mp4")


def test_the_given_server_goes_before_the_running_one(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.json").write_text('{"url": "http://127.0.0.1:1"}')
    assert find_url(None, tmp_path) == "http://127.0.0.1:1"
    assert find_url("http://127.0.0.1:2", tmp_path) == "http://127.0.0.1:2"
    with pytest.raises(Trouble, match="No system runs"):
        find_url(None, tmp_path / "other")


def test_a_delivered_gif_is_saved_and_proved_as_what_it_is(serve: Serve, tmp_path: Path) -> None:
    made = tmp_path / "made.gif"
    frames = [Image.new("RGB", (64, 96), (40 * n, 80, 120)) for n in range(5)]
    frames[0].save(made, save_all=True, append_images=frames[1:], duration=100, loop=0)
    video, poster = made.read_bytes(), b"\xff\xd8\xff"
    digest = {
        name: hashlib.sha256(data).hexdigest() for name, data in (("v", video), ("p", poster))
    }
    manifest = json.dumps(
        {
            "delivered_sha256": digest["v"],
            "files": [{"name": "poster.jpg", "sha256": digest["p"]}],
        }
    ).encode()
    contents = {"video.gif": video, "poster.jpg": poster, "job_manifest.json": manifest}
    told = {
        "job_id": JOB_ID,
        "video_url": f"/api/jobs/{JOB_ID}/files/video.gif",
        "width": 64,
        "height": 96,
        "fps": 10,
        "frames": 5,
        "has_audio": False,
        "simulated": True,
        "files": [
            {
                "name": name,
                "url": f"/files/{name}",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size_bytes": len(data),
            }
            for name, data in contents.items()
        ],
    }
    url = serve(answer(200, told), *(raw(data) for data in contents.values()))
    with ApiClient(url) as client:
        delivery = save(client, JOB_ID, tmp_path / "saved", Console(quiet=True))
    assert delivery.good, delivery.findings
    assert sorted(p.name for p in (tmp_path / "saved").iterdir()) == sorted(contents)
