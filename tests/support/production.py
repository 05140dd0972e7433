"""The system as a team runs it: PostgreSQL, S3 behind TLS, three nats-servers with accounts, and
`animatrix serve`.

Looks like tests.support.system.System to its tests. Must not use `animatrix up`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, get_args

import httpx

from contracts.subjects import Service
from runtime.bus_accounts import ADMIN, PASSWORD_VARIABLE, authorization, fresh_passwords
from tests.stores.postgres_server import PostgresServer, running_postgres
from tests.stores.s3_server import S3Server, running_s3
from tests.support.comfyui import start_simulator
from tests.support.nats_cluster import running_cluster
from tests.support.ports import free_port
from tests.support.system import System, running_system
from tests.support.webui import start_webui

READY_WITHIN_S = 90.0
SERVICES: tuple[Service, ...] = get_args(Service)


@dataclass(frozen=True, slots=True)
class Stores:
    """The servers that the system stands on."""

    database: PostgresServer
    media: S3Server


class ProductionSystem(System):
    """Five `animatrix serve` processes on stores of their own."""

    def __init__(
        self, var: Path, env: Mapping[str, str], passwords: Mapping[str, str], stores: Stores
    ) -> None:
        """Nothing is started yet; `env` names the stores, `passwords` those of the bus by user."""
        self.stores = stores
        super().__init__(var, env)
        self.env = {**os.environ, **env}
        self._passwords = passwords
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []

    def pid_of(self, name: str) -> int | None:
        """The process id of a service."""
        return self.processes[name].pid

    @property
    def comfyui_url(self) -> str:
        """Where the ComfyUI is."""
        return self.env["COMFYUI_URL"]

    @property
    def webui_url(self) -> str:
        """Where the WebUI is."""
        return self.env["WEBUI_URL"]

    def bus_passwords(self) -> dict[str, str]:
        """The accounts of the bus: passwords by user."""
        return dict(self._passwords)

    def provision(self) -> None:
        """What is run once before the services, as the runbook says."""
        for command in (
            [str(Path(sys.executable).parent / "animatrix"), "provision", "--replicas", "3"],
            [sys.executable, "-m", "services.gateway.adapters.db"],
        ):
            done = subprocess.run(
                command,
                env={**self.env, PASSWORD_VARIABLE: self._passwords[ADMIN]},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start every service and wait until each says that it is ready."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        health = {service: free_port() for service in SERVICES}
        for service in SERVICES:
            log = (self.var / f"{service}.log").open("ab")
            self._logs.append(log)
            self.processes[service] = subprocess.Popen(
                [str(Path(sys.executable).parent / "animatrix"), "serve", service],
                env={
                    **self.env,
                    PASSWORD_VARIABLE: self._passwords[service],
                    "ANIMATRIX_INSTANCE": f"{service}-0",
                    "ANIMATRIX_GATEWAY_PORT": str(port),
                    f"ANIMATRIX_{service.upper()}_HEALTH_PORT": str(health[service]),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        began_s = time.monotonic()
        for service, health_port in health.items():
            self._wait_ready(service, f"http://127.0.0.1:{health_port}/readyz", began_s)
        self._engines_known(began_s)
        self.ready_after_s = time.monotonic() - began_s

    def _wait_ready(self, service: str, url: str, began_s: float) -> None:
        while time.monotonic() - began_s < READY_WITHIN_S:
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if self.processes[service].poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{service}: {(self.var / f'{service}.log').read_text()[-3000:]}")

    def _engines_known(self, began_s: float) -> None:
        wanted = sum(name in self.env for name in ("COMFYUI_URL", "WEBUI_URL"))
        while time.monotonic() - began_s < READY_WITHIN_S:
            told = httpx.get(f"{self.url}/api/capabilities", timeout=30).json()
            if len(told["engines"]) >= wanted:
                return
            time.sleep(0.1)
        raise AssertionError("the gateway does not know the engines")

    def stop(self) -> int:
        """SIGTERM to all; the largest exit code."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        try:
            return max((process.wait(40) for process in self.processes.values()), default=0)
        finally:
            for log in self._logs:
                log.close()
            for process in self.processes.values():
                if process.poll() is None:
                    process.kill()
            self.processes.clear()


@contextmanager
def production_system(folder: Path, **env: str) -> Iterator[ProductionSystem]:
    """The whole stack, started and stopped; `folder` is empty and ours.

    Both engines are simulated, unless `env` names one.
    """
    with ExitStack() as stack:
        s3_folder = folder / "s3"
        s3_folder.mkdir(parents=True)
        s3 = stack.enter_context(running_s3(s3_folder))
        postgres = stack.enter_context(running_postgres())
        passwords = fresh_passwords()
        accounts = authorization(passwords)
        cluster = stack.enter_context(running_cluster(folder / "nats", accounts))
        var = folder / "var"
        (var / "simulator").mkdir(parents=True)
        if not {"COMFYUI_URL", "WEBUI_URL"} & set(env):
            comfyui = stack.enter_context(start_simulator(var / "simulator" / "engine"))
            webui = stack.enter_context(start_webui(var / "webui_simulator"))
            env = {"COMFYUI_URL": comfyui.url, "WEBUI_URL": webui.url, **env}
        with ThreadPoolExecutor(1) as beside:
            # A test that starts a system of its own is in a loop already.
            database = beside.submit(asyncio.run, postgres.new_database()).result()
        system = ProductionSystem(
            var,
            {
                "ANIMATRIX_NATS_URL": cluster.url,
                "ANIMATRIX_MEDIA_URL": "s3://animatrix-production/media",
                "ANIMATRIX_S3_ENDPOINT": s3.endpoint,
                "ANIMATRIX_S3_ACCESS_KEY": s3.access_key,
                "ANIMATRIX_S3_SECRET_KEY": s3.secret_key,
                "ANIMATRIX_S3_CA_FILE": str(s3.ca_file or ""),
                "ANIMATRIX_MEDIA_CACHE_DIR": str(var / "cache"),
                "ANIMATRIX_STATE_DIR": str(var / "state"),
                "ANIMATRIX_GATEWAY_DATABASE_URL": database,
                **env,
            },
            passwords,
            Stores(postgres, s3),
        )
        system.provision()
        system.start()
        try:
            yield system
        finally:
            system.stop()
        system.assert_bus_refused_nothing()


@contextmanager
def running_stack(folder: Path, **env: str) -> Iterator[System]:
    """The system on the stores that this run is about: with ANIMATRIX_TEST_STACK=production those
    of a team, else the embedded one."""
    if os.environ.get("ANIMATRIX_TEST_STACK") == "production":
        with production_system(folder, **env) as production:
            yield production
        return
    with running_system(folder / "var", **env) as embedded:
        yield embedded
