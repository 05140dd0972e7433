"""The websocket: every message a type, every break a marker, never an exception."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocket

from engines.comfyui import (
    Backoff,
    ComfySocket,
    Connected,
    Disconnected,
    EngineAddress,
    Executed,
    Executing,
    ExecutionCached,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionStart,
    ExecutionSuccess,
    FeatureFlags,
    PreviewImage,
    Progress,
    ProgressState,
    Silent,
    SocketEvent,
    Status,
    Text,
    Unknown,
    read_binary,
    read_text,
)
from tests.engines.fake_engine import PROMPT_ID, FakeEngine

QUICK = Backoff(0.01, 0.05)
JPEG = b"\xff\xd8\xff\xe0picture"


def frame(kind: str, data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


ONE_RUN: list[tuple[str, Any, type]] = [
    ("status", {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "c"}, Status),
    ("feature_flags", {"supports_preview_metadata": True, "max_upload_size": 7}, FeatureFlags),
    ("execution_start", {"prompt_id": PROMPT_ID, "timestamp": 1}, ExecutionStart),
    ("execution_cached", {"nodes": ["1"], "prompt_id": PROMPT_ID}, ExecutionCached),
    (
        "progress_state",
        {
            "prompt_id": PROMPT_ID,
            "nodes": {"6": {"value": 1, "max": 6, "state": "running", "node_id": "6"}},
        },
        ProgressState,
    ),
    ("executing", {"node": "6", "display_node": "6", "prompt_id": PROMPT_ID}, Executing),
    ("progress", {"value": 1, "max": 6, "prompt_id": PROMPT_ID, "node": "6"}, Progress),
    (
        "executed",
        {
            "node": "9",
            "display_node": "9",
            "prompt_id": PROMPT_ID,
            "output": {"images": [{"filename": "v.mp4", "subfolder": "", "type": "output"}, "x"]},
        },
        Executed,
    ),
    ("execution_success", {"prompt_id": PROMPT_ID, "timestamp": 2}, ExecutionSuccess),
    (
        "execution_error",
        {"prompt_id": PROMPT_ID, "node_id": "6", "exception_type": "RuntimeError"},
        ExecutionError,
    ),
    ("execution_interrupted", {"prompt_id": PROMPT_ID, "node_id": "6"}, ExecutionInterrupted),
    ("executing", {"node": None, "prompt_id": PROMPT_ID}, Executing),
    ("executing", {"node": "6"}, Executing),
    ("crystools.monitor", {"cpu": 3}, Unknown),
]


@pytest.mark.parametrize(("kind", "data", "expected"), ONE_RUN)
def test_every_message_has_a_type(kind: str, data: Any, expected: type) -> None:
    assert type(read_text(frame(kind, data))) is expected


def test_an_executed_message_keeps_files_only() -> None:
    message = read_text(frame(*ONE_RUN[7][:2]))
    assert isinstance(message, Executed)
    assert [file.filename for file in message.files] == ["v.mp4"]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "{}", '{"type": "status"}', '{"type": "progress", "data": 3}']
)
def test_text_frames_of_another_shape_are_unknown(text: str) -> None:
    assert isinstance(read_text(text), Unknown)


def test_previews_are_read_with_and_without_metadata() -> None:
    plain = read_binary(struct.pack(">II", 1, 1) + JPEG)
    assert isinstance(plain, PreviewImage)
    assert (plain.content_type, plain.image, plain.node) == ("image/jpeg", JPEG, None)
    told = json.dumps({"node_id": "6", "prompt_id": PROMPT_ID, "image_type": "image/png"}).encode()
    rich = read_binary(struct.pack(">II", 4, len(told)) + told + JPEG)
    assert isinstance(rich, PreviewImage)
    assert (rich.content_type, rich.image) == ("image/png", JPEG)
    assert (rich.node, rich.prompt_id) == ("6", PROMPT_ID)


def test_a_binary_text_names_its_node() -> None:
    assert read_binary(struct.pack(">II", 3, 2) + b"12hello") == Text(text="hello", node="12")


@given(st.binary(max_size=64))
def test_any_binary_frame_is_read_or_unknown(raw: bytes) -> None:
    read_binary(raw)


@given(st.sampled_from([kind for kind, _, _ in ONE_RUN]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["node", "nodes", "value", "status", "prompt_id"]), inner),
    max_leaves=8,
))  # fmt: skip
def test_any_data_under_a_known_name_is_read_or_unknown(kind: str, data: Any) -> None:
    read_text(frame(kind, data))


async def heard(socket: ComfySocket, stop: type, limit: int = 50) -> list[SocketEvent]:
    events: list[SocketEvent] = []
    async with asyncio.timeout(10), aclosing(socket.events()) as heard_events:
        async for event in heard_events:
            events.append(event)
            if isinstance(event, stop) or len(events) >= limit:
                break
    return events


async def test_the_feature_flags_are_the_first_thing_sent(engine: FakeEngine) -> None:
    async def talk(ws: WebSocket) -> None:
        hello = await ws.receive_text()
        assert ws.query_params["clientId"] == "studio & co"
        await ws.send_text(frame("status", {"status": {"exec_info": {"queue_remaining": 0}}}))
        await ws.send_text(hello)
        await ws.receive()

    engine.talk = talk
    async with ComfySocket(EngineAddress(engine.url), "studio & co") as socket:
        events = await heard(socket, FeatureFlags)
    assert [type(event) for event in events] == [Connected, Status, FeatureFlags]
    assert isinstance(events[-1], FeatureFlags)
    assert events[-1].features.supports_preview_metadata


async def test_a_refused_websocket_is_tried_again_with_markers(engine: FakeEngine) -> None:
    async def talk(ws: WebSocket) -> None:
        await ws.receive()

    async with ComfySocket(EngineAddress(engine.url), "c", backoff=QUICK) as socket:
        refused = await heard(socket, Connected, limit=2)
        assert all(isinstance(event, Disconnected) and "403" in event.cause for event in refused)
        engine.talk = talk
        assert isinstance((await heard(socket, Connected))[-1], Connected)


async def test_a_restarted_engine_is_found_again() -> None:
    async def talk(ws: WebSocket) -> None:
        while True:
            await ws.receive_text()

    engine = FakeEngine(talk=talk)
    first_life = engine.up()
    first_life.__enter__()
    async with ComfySocket(EngineAddress(engine.url), "c", backoff=QUICK) as socket:
        with socket.listen() as listener:
            assert isinstance(await listener.heard(5), Connected)
            await asyncio.to_thread(first_life.__exit__, None, None, None)
            assert isinstance(await listener.heard(5), Disconnected)
            with engine.up():
                while not isinstance(await listener.heard(5), Connected):
                    pass
                assert socket.connected
    assert len(engine.handshakes) == 2


async def test_a_deaf_socket_gives_notice_and_can_be_reopened(engine: FakeEngine) -> None:
    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        await ws.receive()

    engine.talk = talk
    address = EngineAddress(engine.url)
    async with ComfySocket(address, "c", silent_after_s=0.1, backoff=QUICK) as socket:
        events = await heard(socket, Silent)
        assert isinstance(events[-1], Silent)
        assert events[-1].idle_s >= 0.1
        await socket.reopen()
        events = await heard(socket, Connected)
        assert isinstance(events[-1], Connected)
    assert len(engine.handshakes) == 2


async def test_a_listener_hears_its_own_prompt_and_what_names_none(engine: FakeEngine) -> None:
    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        for prompt_id in ("other", PROMPT_ID):
            await ws.send_text(frame("execution_start", {"prompt_id": prompt_id}))
        await ws.send_text(frame("status", {"status": {"exec_info": {"queue_remaining": 0}}}))
        await ws.receive()

    engine.talk = talk
    async with ComfySocket(EngineAddress(engine.url), "c") as socket:
        with socket.listen(PROMPT_ID) as listener:
            events = [await listener.heard(5) for _ in range(3)]
            assert await listener.heard(0.01) is None
    assert [type(event) for event in events] == [Connected, ExecutionStart, Status]


async def test_a_slow_listener_keeps_the_newest_and_no_more(engine: FakeEngine) -> None:
    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        for n in range(3000):
            await ws.send_text(frame("progress", {"value": n, "max": 3000}))
        await ws.send_text(frame("execution_success", {"prompt_id": PROMPT_ID}))
        await ws.receive()

    engine.talk = talk
    async with ComfySocket(EngineAddress(engine.url), "c") as socket:
        with socket.listen() as slow:
            await heard(socket, ExecutionSuccess, limit=10_000)
            kept = []
            while (event := await slow.heard(0.01)) is not None:
                kept.append(event)
    assert len(kept) == 1000
    assert isinstance(kept[-1], ExecutionSuccess)


async def test_frames_of_megabytes_are_heard(engine: FakeEngine) -> None:
    async def talk(ws: WebSocket) -> None:
        await ws.receive_text()
        await ws.send_bytes(struct.pack(">II", 1, 2) + bytes(3 * 1024 * 1024))
        await ws.receive()

    engine.talk = talk
    async with ComfySocket(EngineAddress(engine.url), "c") as socket:
        events = await heard(socket, PreviewImage)
    assert isinstance(events[-1], PreviewImage)
