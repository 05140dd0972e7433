"""`animatrix serve` and `animatrix provision`, as a cluster uses them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from typer.testing import CliRunner

from cli.main import app
from cli.ports import choose_ports
from runtime.nats_process import NatsProcess
from tests.support.waiting import eventually

ANIMATRIX = str(Path(sys.executable).with_name("animatrix"))


def test_provisioning_is_repeatable(nats_server: NatsProcess) -> None:
    for _ in range(2):
        shown = CliRunner().invoke(app, ["provision", "--nats-url", nats_server.url])
        assert shown.exit_code == 0, shown.output
        assert nats_server.url in shown.stdout


def test_a_bus_that_is_not_there_is_told_without_its_password() -> None:
    url = "nats://me:secret@127.0.0.1:9"
    shown = CliRunner().invoke(app, ["provision", "--nats-url", url])
    assert shown.exit_code == 1
    assert "nats://127.0.0.1:9" in shown.stderr
    assert "secret" not in shown.output


def start_service(name: str, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen([ANIMATRIX, "serve", name], env=env, stdout=output, stderr=output)


async def test_serve_becomes_the_service_and_ends_on_sigterm_with_0(
    provisioned: NatsProcess, tmp_path: Path
) -> None:
    port = choose_ports(["health"], tmp_path / "ports.json")["health"]
    env = {
        **os.environ,
        "ANIMATRIX_NATS_URL": provisioned.url,
        "ANIMATRIX_MEDIA_DIR": str(tmp_path / "media"),
        "ANIMATRIX_STATE_DIR": str(tmp_path / "state"),
        "ANIMATRIX_COMPOSER_HEALTH_PORT": str(port),
    }
    process = start_service("composer", env, tmp_path / "log")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def ready() -> bool:
                assert process.poll() is None, (tmp_path / "log").read_text()
                try:
                    answer = await http.get("/readyz")
                except httpx.TransportError:
                    return False
                return answer.status_code == 200

            await eventually(ready)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
