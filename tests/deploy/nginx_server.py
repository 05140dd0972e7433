"""A real nginx (Debian's) with the origin's own configuration, on free ports and a test CA.

Only names, certificates, ports, the upstream and the minute of idle time are replaced. Must not
change a directive that the origin relies on.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.ports import free_port

ORIGIN = Path(__file__).resolve().parents[2] / "deploy" / "origin" / "nginx"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
READY_WITHIN_S = 20.0
_IDLE = re.compile(r"(proxy_(?:read|send)_timeout) 60s;")


@dataclass(frozen=True, slots=True)
class Ingress:
    """A TLS front on localhost; `ca_file` is what signed its certificate."""

    url: str
    ca_file: Path
    error_log: Path

    def tls(self) -> ssl.SSLContext:
        """A context that trusts the test's CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def site(name: str, *, upstream: str, port: int, plain_port: int, tls: Path, idle_s: int) -> str:
    """A file of deploy/origin/nginx, with what a test must replace."""
    text = (ORIGIN / name).read_text()
    text, idle = _IDLE.subn(rf"\g<1> {idle_s}s;", text)
    assert idle == 2, f"{name} no longer has a minute of idle time"
    for old, new in (
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        (r"listen 80;", f"listen 127.0.0.1:{plain_port};"),
        (r"server_name [\w.]+;", "server_name localhost;"),
        (r"server 127\.0\.0\.1:\d+;", f"server {upstream};"),
        (r"/etc/animatrix/tls/fullchain\.pem", str(tls / "fullchain.pem")),
        (r"/etc/animatrix/tls/privkey\.pem", str(tls / "privkey.pem")),
    ):
        text = re.sub(old, new, text)
    return text


@contextmanager
def running_nginx(folder: Path, name: str, upstream: str, *, idle_s: int) -> Iterator[Ingress]:
    """nginx with one site of the origin before `upstream` (host:port)."""
    assert NGINX is not None
    folder.mkdir(parents=True)
    authority = trustme.CA()
    own = authority.issue_cert("localhost")
    own.private_key_pem.write_to_path(folder / "privkey.pem")
    for number, blob in enumerate(own.cert_chain_pems):
        blob.write_to_path(folder / "fullchain.pem", append=number > 0)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    port, error_log = free_port(), folder / "error.log"
    body = site(
        name, upstream=upstream, port=port, plain_port=free_port(), tls=folder, idle_s=idle_s
    )
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder / 'nginx.pid'};\n"
        f"error_log {error_log} warn;\nevents {{ worker_connections 256; }}\n"
        f"http {{\naccess_log off;\n{temporary}{body}}}\n"
    )
    command = [NGINX, "-p", str(folder), "-c", str(config), "-e", str(error_log)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_until_listening(port, process, error_log)
        yield Ingress(f"https://localhost:{port}", folder / "ca.pem", error_log)
    finally:
        process.terminate()
        process.wait(15)


def _wait_until_listening(port: int, process: subprocess.Popen[bytes], error_log: Path) -> None:
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nginx does not listen: {error_log.read_text()[-2000:]}")
