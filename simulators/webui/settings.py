"""What a simulator process is told at its start.

Owns the command line and its environment twins (``WEBUI_SIMULATOR_*``). It must not read
anything else from the environment, and refuses to listen beyond loopback unless told.
"""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_STEP_S = 0.05


@dataclass(frozen=True)
class Settings:
    """One simulator process; ``auth`` is ``user:password`` for /sdapi, or None."""

    host: str
    port: int
    state: Path
    step_s: float
    journal: Path
    port_file: Path | None
    auth: str | None
    ui: bool
    animatediff: bool
    deforum: bool
    controlnet: bool


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
        return os.environ.get(f"WEBUI_SIMULATOR_{name}", default)

    def off(name: str) -> bool:
        return env(name) == "1"

    parser = argparse.ArgumentParser(
        prog="python -m simulators.webui",
        description="A stand-in A1111 WebUI server: real protocol, pictures marked SIMULATED.",
    )
    add = parser.add_argument
    add("--host", default=env("HOST", "127.0.0.1"))
    add("--port", type=int, default=env("PORT", "0"), help="0 takes a free port")
    add("--state", type=Path, default=env("STATE"), help="folder for all files")
    add(
        "--speed",
        type=float,
        default=env("SPEED", str(DEFAULT_STEP_S)),
        metavar="SECONDS",
        help=f"seconds a sampling step takes (default {DEFAULT_STEP_S}; 0 = no waiting)",
    )
    add("--journal", type=Path, default=env("JOURNAL"), help="default: STATE/journal.jsonl")
    add("--port-file", type=Path, default=env("PORT_FILE"), help="the port is written here")
    add("--nowebui", action="store_true", default=off("NOWEBUI"), help="API routes only")
    add("--no-animatediff", action="store_true", default=off("NO_ANIMATEDIFF"))
    add("--no-deforum", action="store_true", default=off("NO_DEFORUM"))
    add("--no-controlnet", action="store_true", default=off("NO_CONTROLNET"))
    access = parser.add_mutually_exclusive_group()
    access.add_argument("--auth", default=env("AUTH"), metavar="USER:PASSWORD")
    access.add_argument("--no-api-auth", action="store_true", help="let everybody in (default)")
    add("--allow-remote", action="store_true", default=off("ALLOW_REMOTE"))
    return parser


def read_settings(argv: Sequence[str] | None = None) -> Settings:
    """Settings from the command line; exits with a sentence when they cannot be used."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.state is None:
        parser.error("--state is needed: the folder for uploads, outputs and the journal")
    if given.speed < 0:
        parser.error("--speed is a number of seconds per sampling step, 0 or more")
    auth = None if given.no_api_auth else given.auth
    if auth is not None and ":" not in auth:
        parser.error("--auth is written user:password")
    if not is_loopback(given.host) and not given.allow_remote:
        parser.error(f"{given.host} is not a loopback address; add --allow-remote to listen there")
    state = given.state.resolve()
    return Settings(
        host=given.host,
        port=given.port,
        state=state,
        step_s=given.speed,
        journal=(given.journal or state / "journal.jsonl").resolve(),
        port_file=given.port_file.resolve() if given.port_file else None,
        auth=auth,
        ui=not given.nowebui,
        animatediff=not given.no_animatediff,
        deforum=not given.no_deforum,
        controlnet=not given.no_controlnet,
    )
