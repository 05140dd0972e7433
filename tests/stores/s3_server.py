"""A real S3 server for tests: MinIO behind TLS with a CA of its own, started once per worker.

Must not be asked for anything but its settings. Another server can be named with S3_ENDPOINT,
S3_ACCESS_KEY, S3_SECRET_KEY and S3_CA_FILE.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import trustme

from runtime.ids import new_id
from runtime.settings import SharedSettings
from tests.stores.minio_binary import find_minio
from tests.support.ports import free_port
from tests.support.promised import skip_or_fail

READY_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where a server is and who may use it. One of ours can be killed, and started on its data."""

    endpoint: str
    access_key: str
    secret_key: str
    ca_file: Path | None
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None

    def settings(self, folder: Path, **more: Any) -> SharedSettings:
        """Settings with a bucket of the test's own, which nobody has made yet."""
        given = {
            "media_url": f"s3://animatrix-{new_id()[-12:]}",
            "s3_endpoint": self.endpoint,
            "s3_access_key": self.access_key,
            "s3_secret_key": self.secret_key,
            "s3_ca_file": self.ca_file,
            "media_dir": folder / "media",
            "media_cache_dir": folder / "cache",
        }
        return SharedSettings(**{**given, **more})

    def http(self) -> httpx.Client:
        """A client that trusts the server and has no credentials."""
        trusted = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        return httpx.Client(verify=trusted)


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """The server that the environment names, or a MinIO in `folder`."""
    if endpoint := os.environ.get("S3_ENDPOINT"):
        ca_file = os.environ.get("S3_CA_FILE")
        keys = os.environ["S3_ACCESS_KEY"], os.environ["S3_SECRET_KEY"]
        yield S3Server(endpoint, *keys, Path(ca_file) if ca_file else None)
        return
    binary = find_minio()
    if binary is None:
        skip_or_fail("no S3 server: run `python -m tests.stores.minio_binary`, or set S3_ENDPOINT")
    certificates, port = folder / "certs", free_port()
    certificates.mkdir(parents=True)
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1", "localhost")
    own.private_key_pem.write_to_path(certificates / "private.key")
    for number, blob in enumerate(own.cert_chain_pems):
        blob.write_to_path(certificates / "public.crt", append=number > 0)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = S3Server(
        f"https://127.0.0.1:{port}", "animatrix-test", f"secret-{new_id()}", folder / "ca.pem"
    )
    running: list[subprocess.Popen[bytes]] = []
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "GOMAXPROCS": "2",
    }
    argv = [str(binary), "server", "--quiet", "--address", f"127.0.0.1:{port}"]
    with (folder / "minio.log").open("wb") as log:

        def start() -> None:
            process = subprocess.Popen(
                [*argv, "--certs-dir", str(certificates), str(folder / "data")],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            running.append(process)
            _wait_until_ready(process, server, folder / "minio.log")

        def stop() -> None:
            process = running.pop()
            process.kill()
            process.wait(15)

        try:
            start()
            yield replace(server, stop=stop, start=start)
        finally:
            for process in running:
                process.terminate()
                process.wait(15)


def _wait_until_ready(process: subprocess.Popen[bytes], server: S3Server, log: Path) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    with server.http() as http:
        while time.monotonic() < until_s and process.poll() is None:
            try:
                if http.get(f"{server.endpoint}/minio/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    raise AssertionError(f"MinIO did not start: {log.read_text()[-2000:]}")
