"""Addresses, secrets, retries and answers that are no ComfyUI's."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket

from engines.comfyui import (
    Backoff,
    Basic,
    Bearer,
    ComfyClient,
    ComfySocket,
    EngineAddress,
    EngineUnreachable,
    ProtocolError,
    RequestSeen,
    SubmitUncertain,
    Timeouts,
)
from tests.engines.fake_engine import PROMPT_ID, FakeEngine

QUEUE = b'{"queue_running": [], "queue_pending": []}'


def test_secrets_do_not_appear_in_repr() -> None:
    for address in (
        EngineAddress("https://studio:hunter2@gpu.example/comfy", headers={"X-Key": "hunter2"}),
        EngineAddress("https://gpu.example", auth=Basic("studio", "hunter2")),
        EngineAddress("https://gpu.example", auth=Bearer("hunter2")),
    ):
        texts = [repr(address), str(address), f"{address.auth!r}", address.base_url]
        texts += [repr(ComfyClient(EngineAddress("http://a:hunter2@b")))]
        texts += [address.ws_url("/ws", "clientId=x")]
        assert not any("hunter2" in text for text in texts)


async def test_secrets_do_not_appear_in_logs_or_errors(
    engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen(ws: WebSocket) -> None:
        while True:
            await ws.receive_text()

    engine.talk = listen
    engine.on("GET", "/queue", PlainTextResponse("no", 500))
    address = EngineAddress(
        engine.url.replace("//", "//studio:hunter2@"), headers={"X-Key": "hunter3"}
    )
    with caplog.at_level(logging.DEBUG):
        async with ComfyClient(address) as client, ComfySocket(address, "c") as socket:
            async for _ in socket:
                break
            with pytest.raises(ProtocolError) as error:
                await client.queue()
    said = caplog.text + str(error.value) + repr(error.value)
    assert "hunter" not in said
    assert "c3R1ZGlv" not in said


async def test_credentials_and_headers_go_with_every_request_and_the_socket(
    engine: FakeEngine,
) -> None:
    engine.on("GET", "/", PlainTextResponse("<html>"))
    address = EngineAddress(engine.url, auth=Bearer("t0ken"), headers={"X-Key": "k"})
    async with ComfyClient(address) as client, ComfySocket(address, "c 1") as socket:
        await client.root()
        async for _ in socket:
            break
    for headers in (engine.first("/").headers, engine.handshakes[0]):
        assert headers["authorization"] == "Bearer t0ken"
        assert headers["x-key"] == "k"
        # an Origin other than the host is a 403 on a loopback engine
        assert "origin" not in headers


@pytest.mark.parametrize(
    "url",
    [
        "gpu:8188",
        "ftp://gpu",
        "file:///etc/passwd",
        "http://",
        "http://gpu:notaport",
        "http://gpu:0",
        "http://gpu/?key=hunter2",
        "http://gpu/#hunter2",
        "http://gpu hunter2",
        "http://gpu\r\nX: y",
        "",
    ],
)
def test_other_urls_are_refused_without_echoing_them(url: str) -> None:
    with pytest.raises(ValueError, match="engine URL") as refused:
        EngineAddress(url)
    assert "hunter2" not in str(refused.value)


def test_impossible_credentials_are_refused() -> None:
    with pytest.raises(ValueError, match="both"):
        EngineAddress("http://a:b@gpu", auth=Bearer("t"))
    with pytest.raises(ValueError, match="both"):
        EngineAddress("http://gpu", auth=Bearer("t"), headers={"authorization": "x"})
    for headers in ({"Host": "x"}, {"X\n": "x"}, {"X": "a\r\nY: b"}):
        with pytest.raises(ValueError):
            EngineAddress("http://gpu", headers=headers)
    with pytest.raises(ValueError, match="https"):
        EngineAddress("http://gpu", ca_file=Path("ca.pem"))


def test_a_path_prefix_is_kept() -> None:
    address = EngineAddress("HTTPS://gpu.example:443/comfy/")
    assert address.base_url == "https://gpu.example:443/comfy"
    assert address.ws_url("/ws", "clientId=a") == "wss://gpu.example:443/comfy/ws?clientId=a"


def test_backoff_is_bounded_and_never_nothing() -> None:
    backoff = Backoff(0.1, 2.0)
    for attempt in (0, 1, 3, 10, 5000):
        ceiling = min(2.0, 0.1 * 2.0 ** min(attempt, 32))
        assert ceiling / 2 <= backoff.delay_s(attempt) <= ceiling
    assert len({backoff.delay_s(9) for _ in range(20)}) > 1


async def test_idempotent_requests_are_tried_again(engine: FakeEngine, client: ComfyClient) -> None:
    async def busy_once(request: Request) -> Response:
        engine.answers.pop(("GET", "/queue"))
        return PlainTextResponse("bad gateway", 502)

    engine.on("GET", "/queue", busy_once)
    assert (await client.queue()).running == ()
    assert engine.paths() == ["/queue", "/queue"]


async def test_tries_are_bounded(engine: FakeEngine, client: ComfyClient) -> None:
    engine.on("GET", "/queue", PlainTextResponse("bad gateway", 502))
    with pytest.raises(EngineUnreachable, match="502"):
        await client.queue()
    assert engine.paths() == ["/queue"] * 3


class BreakingServer:
    """Answers each connection's first request and drops it at the second one."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for turn in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head.split(b" HTTP")[0].decode())
            if turn == 0 and head.startswith(b"GET"):
                length = str(len(QUEUE)).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\n" + QUEUE)
                await writer.drain()
            else:
                break
        writer.close()


async def test_a_broken_kept_alive_connection_is_replaced_once_at_once() -> None:
    breaking = BreakingServer()
    server = await asyncio.start_server(breaking, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with ComfyClient(EngineAddress(url), tries=1) as client:
            for _ in range(3):
                await client.queue()
    assert breaking.connections == 3
    assert len(breaking.requests) == 5


async def test_a_prompt_on_a_breaking_connection_is_sent_once_and_uncertain() -> None:
    breaking = BreakingServer()
    server = await asyncio.start_server(breaking, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with ComfyClient(EngineAddress(url)) as client:
            await client.queue()
            with pytest.raises(SubmitUncertain):
                await client.submit({}, prompt_id=PROMPT_ID, client_id=None)
    # the prompt did not ride on the connection that the queue had left open
    assert breaking.requests == ["GET /queue", "POST /prompt"]
    assert breaking.connections == 2


async def test_a_timeout_on_submit_is_uncertain(engine: FakeEngine) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(2)
        return Response()

    engine.on("POST", "/prompt", slow)
    address = EngineAddress(engine.url, timeouts=Timeouts(read_s=0.1))
    async with ComfyClient(address) as client:
        with pytest.raises(SubmitUncertain, match="Timeout"):
            await client.submit({}, prompt_id=PROMPT_ID, client_id=None)


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("<html>a login page</html>"),
        JSONResponse([1]),
        PlainTextResponse("", 302, {"location": "http://login/"}),
        PlainTextResponse("oops", 500),
    ],
)
async def test_answers_of_no_comfyui_are_protocol_errors(
    engine: FakeEngine, client: ComfyClient, answer: Response
) -> None:
    engine.on("GET", "/queue", answer)
    with pytest.raises(ProtocolError):
        await client.queue()
    assert engine.paths() == ["/queue"]


async def test_the_request_hook_sees_every_request(engine: FakeEngine) -> None:
    seen: list[RequestSeen] = []
    async with ComfyClient(EngineAddress(engine.url), on_request=seen.append) as client:
        await client.interrupt(PROMPT_ID)
        await client.history(PROMPT_ID)
    assert [(s.method, s.path, s.status) for s in seen] == [
        ("POST", "/interrupt", 200),
        ("GET", f"/history/{PROMPT_ID}", 200),
    ]


async def test_the_server_describes_itself(engine: FakeEngine, client: ComfyClient) -> None:
    device = {"name": "cuda:0 H200", "type": "cuda", "index": 0, "vram_total": 10, "vram_free": 5}
    system = {"comfyui_version": "0.3.64", "ram_total": 7, "argv": ["/srv/secret/main.py"]}
    engine.on("GET", "/system_stats", JSONResponse({"system": system, "devices": [device, 3]}))
    engine.on("GET", "/models", JSONResponse(["vae", "loras"]))
    engine.on("GET", "/models/vae", JSONResponse(["wan_2.1_vae.safetensors"]))
    engine.on("GET", "/prompt", JSONResponse({"exec_info": {"queue_remaining": 4}}))
    stats = await client.system_stats()
    assert stats.comfyui_version == "0.3.64"
    assert stats.pytorch_version is None
    assert [d.vram_free_bytes for d in stats.devices] == [5]
    assert "secret" not in repr(stats)
    assert (await client.features()).max_upload_bytes is None  # a server without the route
    engine.on("GET", "/features", JSONResponse({"max_upload_size": 104857600}))
    assert (await client.features()).max_upload_bytes == 104857600
    assert await client.models() == ("vae", "loras")
    assert await client.models("vae") == ("wan_2.1_vae.safetensors",)
    assert await client.models("absent") == ()
    assert await client.queue_remaining() == 4
    engine.on("POST", "/free", Response())
    await client.free(unload_models=True)
    assert engine.first("/free").json() == {"unload_models": True, "free_memory": False}
