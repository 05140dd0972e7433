"""What a simulator process is told at its start.

Owns the command line and its environment twins (``COMFYUI_SIMULATOR_*``). It must not
read anything else from the environment, and refuses to listen beyond loopback unless told.
"""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_UPLOAD_BYTES = 104_857_600
DEFAULT_STEP_S = 0.3


@dataclass(frozen=True)
class Settings:
    """One simulator process; folders are made under ``state``."""

    host: str
    port: int
    state: Path
    step_s: float
    journal: Path
    port_file: Path | None
    max_upload_bytes: int
    previews: bool
    loopback: bool


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and ``localhost``; any other name counts as remote."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parser() -> argparse.ArgumentParser:
    def env(name: str, default: str | None = None) -> str | None:
        return os.environ.get(f"COMFYUI_SIMULATOR_{name}", default)

    parser = argparse.ArgumentParser(
        prog="python -m simulators.comfyui",
        description="A stand-in ComfyUI server: real protocol, real files, marked SIMULATED.",
    )
    parser.add_argument("--host", default=env("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=env("PORT", "0"), help="0 takes a free port")
    parser.add_argument("--state", type=Path, default=env("STATE"), help="folder for all files")
    parser.add_argument(
        "--speed",
        type=float,
        default=env("SPEED", str(DEFAULT_STEP_S)),
        metavar="SECONDS",
        help=f"seconds a sampling step takes (default {DEFAULT_STEP_S}; 0 = no waiting)",
    )
    parser.add_argument(
        "--journal", type=Path, default=env("JOURNAL"), help="default: STATE/journal.jsonl"
    )
    parser.add_argument(
        "--port-file", type=Path, default=env("PORT_FILE"), help="the port is written here"
    )
    parser.add_argument(
        "--max-upload-bytes",
        type=int,
        default=env("MAX_UPLOAD_BYTES", str(MAX_UPLOAD_BYTES)),
    )
    parser.add_argument("--previews", action="store_true", default=env("PREVIEWS") == "1")
    parser.add_argument("--allow-remote", action="store_true", default=env("ALLOW_REMOTE") == "1")
    return parser


def read_settings(argv: Sequence[str] | None = None) -> Settings:
    """Settings from the command line; exits with a sentence when they cannot be used."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.state is None:
        parser.error("--state is needed: the folder for models, inputs, outputs and the journal")
    if given.speed < 0:
        parser.error("--speed is a number of seconds per sampling step, 0 or more")
    loopback = is_loopback(given.host)
    if not loopback and not given.allow_remote:
        parser.error(f"{given.host} is not a loopback address; add --allow-remote to listen there")
    state = given.state.resolve()
    return Settings(
        host=given.host,
        port=given.port,
        state=state,
        step_s=given.speed,
        journal=(given.journal or state / "journal.jsonl").resolve(),
        port_file=given.port_file.resolve() if given.port_file else None,
        max_upload_bytes=given.max_upload_bytes,
        previews=given.previews,
        loopback=loopback,
    )
