"""The simulator as a process: start, restart, end, and what it says it is."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import websockets

from tests.conformance.graphs import endless, node, picture, video
from tests.conformance.media import Media
from tests.conformance.server import Server, client
from tests.support.comfyui import Simulator, start_simulator


def _refusal(*arguments: str) -> str:
    command = [sys.executable, "-m", "simulators.comfyui", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2, ended.stdout
    return ended.stderr


def test_address_beyond_loopback_is_refused_unless_told(tmp_path: Path) -> None:
    words = _refusal("--host", "0.0.0.0", "--state", str(tmp_path))  # noqa: S104
    assert "--allow-remote" in words


def test_missing_state_folder_is_refused_with_the_remedy() -> None:
    assert "--state is needed" in _refusal("--port", "0")


def test_negative_speed_is_refused(tmp_path: Path) -> None:
    assert "0 or more" in _refusal("--state", str(tmp_path), "--speed", "-1")


async def test_it_says_that_it_is_a_simulator(server: Server) -> None:
    assert (await server.http.get("/simulator")).json()["simulated"] is True
    system = (await server.http.get("/system_stats")).json()["system"]
    assert "simulators.comfyui" in system["argv"]
    assert "SIMULATED" in (await server.http.get("/")).text


async def test_restart_forgets_queue_history_and_temp_but_keeps_input_and_output(
    tmp_path: Path, media: Media
) -> None:
    state = tmp_path / "comfyui"
    with start_simulator(state, step_s=0.02) as first:
        async with httpx.AsyncClient(base_url=first.url, timeout=30) as http:
            server = Server("simulator", first.url, http)
            name = await server.upload(media.picture)
            kept = (await server.succeeded(video("kept/clip")))["outputs"]["3"]["images"][0]
            temp = (await server.succeeded(picture()))["outputs"]["2"]["images"][0]
            running = await server.started(endless())
            first.process.kill()
            first.process.wait(10)
    with start_simulator(state, step_s=0.02, port=first.port) as second:
        assert second.url == first.url
        async with httpx.AsyncClient(base_url=second.url, timeout=30) as http:
            server = Server("simulator", second.url, http)
            assert await server.queue() == ([], [])
            assert await server.history(running) == {}
            assert (await http.get("/view", params=temp)).status_code == 404
            assert (await http.get("/view", params=kept)).status_code == 200
            graph = {"1": node("LoadImage", image=name), "2": node("PreviewImage", images=["1", 0])}
            answer = await server.post(graph)
            assert (answer.status_code, answer.json()["number"]) == (200, 0)
            entries = (await http.get("/simulator/journal")).json()["entries"]
    assert [e["event"] for e in entries if e["event"] == "boot"] == ["boot", "boot"]
    started = [e["prompt_id"] for e in entries if e["event"] == "started"]
    finished = [e["prompt_id"] for e in entries if e["event"] == "finished"]
    assert running in started
    assert running not in finished


async def test_sigterm_ends_it_at_once_even_while_a_prompt_runs(
    simulator: Simulator, server: Server
) -> None:
    async with server.socket(client()):
        await server.started(endless())
        asked = time.monotonic()
        simulator.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(simulator.process.wait, 10)
    assert time.monotonic() - asked < 2


async def test_killed_simulator_closes_sockets_abnormally(
    simulator: Simulator, server: Server
) -> None:
    async with websockets.connect(f"{simulator.url.replace('http', 'ws')}/ws") as connection:
        await connection.recv()
        simulator.process.kill()
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(connection.recv(), 10)
    assert connection.close_code == 1006


async def test_deleted_model_file_leaves_the_lists_and_refuses_graphs(
    simulator: Simulator, server: Server
) -> None:
    (simulator.state / "models" / "vae" / "wan_2.1_vae.safetensors").unlink()
    assert (await server.http.get("/models/vae")).json() == []
    error = await server.node_error(endless(), "vae")
    assert error["type"] == "value_not_in_list"


async def test_speed_can_be_changed_while_it_runs(server: Server) -> None:
    prompt_id = await server.started(endless())
    answer = await server.http.put("/simulator/speed", json={"step_s": 0})
    assert answer.json()["step_s"] == 0
    assert (await server.finished(prompt_id, 30))["status"]["status_str"] == "success"


async def test_oversize_upload_is_counted_while_it_streams(tmp_path: Path) -> None:
    state = tmp_path / "comfyui"
    with start_simulator(state, more=["--max-upload-bytes", "100000"]) as simulator:
        async with httpx.AsyncClient(base_url=simulator.url, timeout=30) as http:
            # Chunked: no Content-Length tells the size beforehand.
            body = (
                b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.bin"\r\n\r\n',
                *[bytes(50_000)] * 3,
                b"\r\n--b--\r\n",
            )

            async def chunks() -> object:
                for part in body:
                    yield part

            headers = {"Content-Type": "multipart/form-data; boundary=b"}
            answer = await http.post("/upload/image", content=chunks(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 413
    assert not (state / "input" / "a.bin").exists()


async def test_previews_are_sent_in_the_form_the_client_asked_for(tmp_path: Path) -> None:
    flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
    with start_simulator(tmp_path / "comfyui", more=["--previews"]) as simulator:
        async with httpx.AsyncClient(base_url=simulator.url, timeout=30) as http:
            server = Server("simulator", simulator.url, http)
            for first, event in ((None, 1), (flags, 4)):
                me = client()
                async with server.socket(me) as socket:
                    if first is not None:
                        await socket.send(first)
                        await socket.until_kind("feature_flags")
                    prompt_id = await server.accepted(endless(), client_id=me)
                    await socket.until(lambda m: m[0] == "binary")
                    assert socket.pictures[0][:4] == event.to_bytes(4, "big")
                    await server.interrupt(prompt_id)
                    await socket.until_end(prompt_id)
