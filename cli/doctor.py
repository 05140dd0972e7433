"""`animatrix doctor`: what is there, what is missing, and how to mend it.

Every check looks at the thing itself and gives one or more findings. Must not change anything.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import ffmpeg
import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.client import connect, running_url
from cli.demo_assets import DemoAssetsDamaged, demo_assets
from cli.engine_findings import engine_findings, named_comfyui, named_webui
from cli.finding import Finding
from cli.folders import Folders, folders_at
from cli.ports import is_free
from cli.supervisor import is_held, read_state
from cli.system import check_address
from cli.trouble import Trouble
from runtime.ffmpeg import FfmpegFailed, FfmpegMissing, FfmpegTimeout, ffmpeg_binary, run_ffmpeg
from runtime.nats_process import NatsUnavailable, nats_binary

OLDEST_PYTHON = (3, 11)
MIN_FREE_GB = 2.0
ANSWER_WITHIN_S = 5.0
DISTRIBUTION = "animatrix"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def examine(url: str | None, var: Path) -> Iterator[Finding]:
    """Every finding, the machine's first, then the running system's."""
    folders = folders_at(var)
    yield python()
    yield packages()
    yield bus_server()
    yield encoder()
    yield demo_files()
    yield room(folders)
    yield data_folder(folders)
    yield address(folders)
    yield from processes(folders)
    yield from engines(url, var)


def python() -> Finding:
    """Whether the interpreter is new enough."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("Python", found)
    return Finding("Python", found, "Install Python 3.11 or newer and run `make setup` again.")


def packages() -> Finding:
    """Whether every package that the project needs is installed."""
    try:
        wanted = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding("packages", "Animatrix itself is not installed", "Run `make setup`.")
    names = [_NAME.match(line) for line in wanted if "extra ==" not in line]
    missing = [name[0] for name in names if name and not _installed(name[0])]
    if missing:
        return Finding("packages", f"missing: {', '.join(missing)}", "Run `make setup`.")
    return Finding("packages", f"all {len(names)} there")


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def bus_server() -> Finding:
    """Whether a nats-server is there and starts."""
    try:
        binary = nats_binary()
        asked = subprocess.run([binary, "--version"], capture_output=True, timeout=10, check=True)
    except (NatsUnavailable, OSError, subprocess.SubprocessError) as broken:
        return Finding("nats-server", str(broken), "Run `make setup`.")
    return Finding("nats-server", f"{asked.stdout.decode().strip()} at {binary}")


def encoder() -> Finding:
    """Whether FFmpeg is there and encodes H.264 and AAC, by doing so."""
    remedy = "Run `make setup`, or set ANIMATRIX_FFMPEG to an FFmpeg with libx264."
    try:
        binary = ffmpeg_binary()
        with tempfile.TemporaryDirectory() as scratch:
            made = ffmpeg.output(
                ffmpeg.input("color=size=64x64:rate=8:duration=0.5", f="lavfi"),
                ffmpeg.input("sine=duration=0.5", f="lavfi"),
                f"{scratch}/try.mp4",
                vcodec="libx264",
                acodec="aac",
            )
            arguments = ffmpeg.get_args(made, overwrite_output=True)
            asyncio.run(run_ffmpeg(arguments, deadline_s=20))
    except FfmpegMissing as missing:
        return Finding("FFmpeg", str(missing), remedy)
    except (FfmpegFailed, FfmpegTimeout, OSError) as broken:
        return Finding("FFmpeg", f"cannot encode H.264 with AAC: {broken}"[:300], remedy)
    return Finding("FFmpeg", f"encodes H.264 (libx264) and AAC, {binary}")


def demo_files() -> Finding:
    """Whether the demo's files are whole."""
    try:
        assets = demo_assets()
    except DemoAssetsDamaged as damaged:
        return Finding("demo files", str(damaged), "Take them from the repository again.")
    return Finding("demo files", f"{len(assets)} files, as in their manifest")


def room(folders: Folders) -> Finding:
    """Whether the disk has room for videos."""
    place = folders.var
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    found = f"{free_gb:.1f} GB free at {place}"
    if free_gb >= MIN_FREE_GB:
        return Finding("disk", found)
    return Finding("disk", found, f"Make room: at least {MIN_FREE_GB:g} GB should be free.")


def data_folder(folders: Folders) -> Finding:
    """Whether the data folder can be used, and by whom it is."""
    if not folders.var.exists():
        return Finding("data folder", f"{folders.var} will be made at the first start")
    if not os.access(folders.var, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "data folder", f"{folders.var} is not writable", "Choose another with ANIMATRIX_VAR."
        )
    if is_held(folders):
        state = read_state(folders)
        return Finding("data folder", f"in use by process {state['pid'] if state else '?'}")
    return Finding("data folder", f"{folders.var}, not in use")


def address(folders: Folders) -> Finding:
    """Whether the system could listen where it is told to, or already does."""
    host = os.environ.get("ANIMATRIX_HOST") or "127.0.0.1"
    try:
        port = int(os.environ.get("ANIMATRIX_PORT") or 8080)
        check_address(host, os.environ)
    except ValueError:
        return Finding("address", "ANIMATRIX_PORT is not a number", "Set it to one, or unset it.")
    except Trouble as refused:
        return Finding("address", refused.sentence, refused.remedy)
    if is_held(folders):
        return Finding("address", f"served at {running_url(folders.var) or 'an unknown address'}")
    if is_free(host, port):
        return Finding("address", f"{host}:{port} is free")
    return Finding(
        "address",
        f"{host}:{port} is taken by another program",
        "Set ANIMATRIX_PORT to another port, or use `animatrix up --port 0`.",
    )


def processes(folders: Folders) -> Iterator[Finding]:
    """Whether each process of the running system is ready."""
    state = read_state(folders)
    if state is None or not is_held(folders):
        yield Finding("system", "not running here; `make run` starts it")
        return
    for name, child in state["children"].items():
        yield _process(name, child)


def _process(name: str, child: dict[str, Any]) -> Finding:
    see = f"See {child.get('log')}."
    restarts = child.get("restarts", 0)
    again = f", restarted {restarts} times" if restarts else ""
    if child.get("pid") is None:
        return Finding(name, f"not running{again}", see)
    try:
        answer = httpx.get(str(child["ready_url"]), timeout=ANSWER_WITHIN_S, trust_env=False)
    except (httpx.HTTPError, KeyError) as broken:
        return Finding(name, f"process {child['pid']} does not answer: {broken}", see)
    if answer.status_code != 200:
        return Finding(name, f"not ready: {answer.text[:200]}", see)
    return Finding(name, f"ready, process {child['pid']}{again}")


def engines(url: str | None, var: Path) -> Iterator[Finding]:
    """Which engines the running system knows and what each mode still needs; without one, whether
    the engines that COMFYUI_URL and WEBUI_URL name answer."""
    if url is None and running_url(var) is None:
        yield named_comfyui()
        yield named_webui()
        return
    try:
        with connect(url, var) as client:
            found = client.capabilities()
    except Trouble as trouble:
        yield Finding("engines", trouble.sentence, trouble.remedy or "See the gateway's log.")
        return
    yield from engine_findings(found)


def show_findings(findings: Iterator[Finding], console: Console) -> bool:
    """Print the findings; True when nothing is missing."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    well = True
    for finding in findings:
        mark = "[green]ok[/]" if finding.well else "[bold red]missing[/]"
        table.add_row(mark, finding.what, escape(finding.found))
        if finding.remedy:
            well = False
            table.add_row("", "", f"[bold]→ {escape(finding.remedy)}[/]")
    console.print(table)
    return well
