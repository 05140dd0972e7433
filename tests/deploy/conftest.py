"""The origin, running: nginx before the gateway and before the engine, and the system between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.deploy.nginx_server import NGINX, Ingress, running_nginx
from tests.support.comfyui import Simulator, start_simulator
from tests.support.ports import free_port
from tests.support.promised import skip_or_fail
from tests.support.system import System, running_system

HEARTBEAT_S = 3
IDLE_S = HEARTBEAT_S + 3
"""The origin's minute and the gateway's fifteen seconds, shortened alike."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The public front, the engine behind its own front, and the folder of inputs."""

    front: Ingress
    engine_front: Ingress
    engine: Simulator
    system: System

    def http(self) -> httpx.AsyncClient:
        """A client that comes from outside."""
        return httpx.AsyncClient(
            base_url=self.front.url, verify=self.front.tls(), timeout=30, trust_env=False
        )

    def silence(self, seconds: float) -> None:
        """The next sampling says nothing for so long."""
        fault = {"kind": "slow", "class": "KSampler", "seconds": seconds, "times": 1}
        answer = httpx.put(f"{self.engine.url}/simulator/faults", json={"faults": [fault]})
        answer.raise_for_status()


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """A running system behind real nginx; tests of the group `deploy` share it."""
    if NGINX is None:
        skip_or_fail("no nginx: on Debian `apt-get install nginx-light`")
    folder = tmp_path_factory.mktemp("origin")
    port = free_port()
    with (
        start_simulator(folder / "engine") as engine,
        running_nginx(
            folder / "engine-front", "engine.conf", f"127.0.0.1:{engine.port}", idle_s=IDLE_S
        ) as engine_front,
        running_nginx(
            folder / "front", "animatrix.conf", f"127.0.0.1:{port}", idle_s=IDLE_S
        ) as front,
        running_system(
            folder / "var",
            ANIMATRIX_PORT=str(port),
            ANIMATRIX_EXECUTOR_ENGINES=json.dumps(
                [
                    {
                        "engine_id": "managed",
                        "url": engine_front.url,
                        "ca_file": str(engine_front.ca_file),
                    }
                ]
            ),
            ANIMATRIX_GATEWAY_SIZE_OVERRIDE="96x160",
            ANIMATRIX_GATEWAY_HEARTBEAT_S=str(HEARTBEAT_S),
        ) as system,
    ):
        yield Origin(front, engine_front, engine, system)
