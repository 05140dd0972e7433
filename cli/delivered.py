"""Saves what a job delivered and proves it: the hashes, and what a probe of the video finds.

Owns the list of what a delivered video must be. Must not repair anything.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from cli.answers import DeliveredFile, Outputs
from cli.client import ApiClient
from cli.demo_assets import sha256_of
from cli.trouble import Trouble
from runtime.delivery_facts import DeliveredContainer, DeliveryFacts, inspect_delivery
from runtime.probe import ProbeRefused
from runtime.sandbox.client import SandboxBroken, SandboxLost

POSTER, MANIFEST = "poster.jpg", "job_manifest.json"
CODINGS: dict[DeliveredContainer, str] = {
    "mp4": "h264 yuv420p",
    "webm": "vp9 yuv420p",
    "gif": "gif bgra",
}
"""What the pictures of a delivered video must be, by its extension."""
SOUNDS: dict[DeliveredContainer, str] = {"mp4": "aac", "webm": "opus"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and whether it is as it must be."""

    what: str
    found: str
    good: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """Saved files and what was found about them."""

    folder: Path
    simulated: bool
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether everything is as it must be."""
        return all(finding.good for finding in self.findings)


def save(client: ApiClient, job_id: str, folder: Path, console: Console) -> Delivery:
    """Download a completed job's video, poster and manifest, and check them.

    Raises Trouble when a file is not there or cannot be written.
    """
    outputs = client.outputs(job_id)
    files = {file.name: file for file in outputs.files}
    video = PurePosixPath(outputs.video_url).name
    container = _container(video)
    absent = [name for name in (video, POSTER, MANIFEST) if name not in files]
    if absent:
        raise Trouble(f"The job delivered no {', '.join(absent)}.")
    saved = [files[name] for name in (video, POSTER, MANIFEST)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download(client, saved, folder, console)
    except OSError as denied:
        raise Trouble(f"{folder} cannot be written: {denied.strerror}.") from denied
    findings = [*_of_hashes(saved, video, folder), *_of_video(outputs, folder / video, container)]
    return Delivery(folder, outputs.simulated, tuple(findings))


def _download(
    client: ApiClient, files: list[DeliveredFile], folder: Path, console: Console
) -> None:
    bar = Progress(
        TextColumn("{task.description:<34}"), BarColumn(), DownloadColumn(), console=console
    )
    with bar:
        for file in files:
            task = bar.add_task(f"fetching {file.name}", total=file.size_bytes)
            client.download(file.url, folder / file.name, lambda n, t=task: bar.advance(t, n))  # type: ignore[misc]


def _container(video: str) -> DeliveredContainer:
    match PurePosixPath(video).suffix:
        case ".mp4":
            return "mp4"
        case ".webm":
            return "webm"
        case ".gif":
            return "gif"
    raise Trouble(f"{video} is no kind of video that this command knows; update it.")


def _of_hashes(saved: list[DeliveredFile], video: str, folder: Path) -> list[Finding]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        listed = {str(file["name"]): str(file["sha256"]) for file in manifest["files"]}
        listed[video] = str(manifest["delivered_sha256"])
    except (ValueError, KeyError, TypeError) as broken:
        return [Finding(MANIFEST, f"not readable: {broken!r}", good=False)]
    findings = []
    for file in saved:
        name = file.name
        actual = sha256_of(folder / name)
        told = {file.sha256, *((listed.get(name, "not listed"),) * (name != MANIFEST))}
        says = "as in the manifest" if name != MANIFEST else "as the server said"
        good = told == {actual}
        findings.append(
            Finding(f"sha256 of {name}", f"{actual[:12]}… {says if good else 'differs'}", good)
        )
    return findings


def _of_video(outputs: Outputs, path: Path, container: DeliveredContainer) -> list[Finding]:
    try:
        facts = asyncio.run(inspect_delivery(path, container=container, fps=outputs.fps))
    except (ProbeRefused, SandboxBroken, SandboxLost) as refused:
        return [Finding("video", f"cannot be decoded: {refused}", good=False)]
    return video_findings(outputs, facts, container)


def video_findings(
    outputs: Outputs, facts: DeliveryFacts, container: DeliveredContainer = "mp4"
) -> list[Finding]:
    """What the probe found beside what the job promised.

    A webm's times are whole milliseconds and a gif's hundredths: there each frame must lie within
    one tick of its place.
    """
    size = f"{facts.width_px}x{facts.height_px}"
    in_time = facts.rate == outputs.fps if container == "mp4" else bool(facts.on_time)
    if container != "mp4" and in_time:
        rate = f"{outputs.fps} fps"
    else:
        rate = "uneven" if facts.rate is None else f"{float(facts.rate):g} fps"
    coding = f"{facts.codec} {facts.pix_fmt}"
    good = coding == CODINGS[container]
    if container == "mp4":
        coding += f", {'fast' if facts.faststart else 'slow'}-start"
        good = good and facts.faststart
    return [
        Finding("video", coding, good),
        Finding("size", size, size == f"{outputs.width}x{outputs.height}"),
        Finding(
            "frames",
            f"{facts.frames} at {rate}",
            facts.frames == outputs.frames and in_time and facts.damaged_parts == 0,
        ),
        _audio_finding(outputs, facts, SOUNDS.get(container)),
    ]


def _audio_finding(outputs: Outputs, facts: DeliveryFacts, codec: str | None) -> Finding:
    audio = facts.audio
    if audio is None:
        return Finding("audio", "none", not outputs.has_audio)
    apart_s = audio.duration_s - facts.frames / outputs.fps
    found = (
        f"{audio.codec} {audio.sample_rate_hz} Hz, {audio.duration_s:.3f} s ({apart_s:+.3f} s "
        "to the pictures)"
    )
    good = outputs.has_audio and audio.codec == codec and abs(apart_s) <= 1 / outputs.fps
    return Finding("audio", found, good)


def show(delivery: Delivery, title: str, console: Console) -> None:
    """Print the findings as a table."""
    engine = " [bold yellow](SIMULATED: a marked test video)[/]" if delivery.simulated else ""
    table = Table(title=f"{escape(title)}{engine}", title_justify="left", show_header=False)
    for finding in delivery.findings:
        mark = "[green]ok[/]" if finding.good else "[bold red]WRONG[/]"
        table.add_row(finding.what, escape(finding.found), mark)
    table.add_row("saved in", escape(str(delivery.folder)), "")
    console.print(table)
