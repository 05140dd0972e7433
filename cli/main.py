"""The `animatrix` command: its options and what they are called. Must not do the work itself.

The modules that do it are imported when their command runs, so that `--help` is quick.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import governing, recovering
from cli.keys import audit, keys_app
from cli.options import Url, Var
from cli.trouble import Trouble, told_plainly

if TYPE_CHECKING:
    from cli.client import ApiClient

BEGAN_S = time.monotonic()

app = typer.Typer(
    name="animatrix",
    help="Guided character video: start the system, send jobs, watch them, fetch the videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

app.add_typer(recovering.dead_letters)
app.add_typer(governing.workflows)
app.add_typer(governing.models)
app.command()(recovering.events)
app.command()(recovering.replay)
app.command()(governing.export)
app.command()(recovering.gc)

app.add_typer(keys_app, name="keys")
app.command()(audit)

Quality = Annotated[str, typer.Option("--quality", help="draft, standard or high.")]


@app.command()
@told_plainly
def up(
    host: Annotated[str, typer.Option(envvar="ANIMATRIX_HOST", help="Address to listen on.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int,
        typer.Option(envvar="ANIMATRIX_PORT", min=0, max=65535, help="Port; 0 takes a free one."),
    ] = 8080,
    var: Var = Path("var"),
    comfyui_url: Annotated[
        str, typer.Option(envvar="COMFYUI_URL", help="A real ComfyUI; without it a simulated one.")
    ] = "",
    webui_url: Annotated[
        str, typer.Option(envvar="WEBUI_URL", help="A real WebUI, for stills and motion clips.")
    ] = "",
    json_line: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when ready, for scripts.")
    ] = False,
) -> None:
    """Start the whole system on this machine and keep it running until Ctrl-C."""
    from cli.folders import folders_at
    from cli.system import Wanted
    from cli.up import up as run

    named = (comfyui_url.strip() or None, webui_url.strip() or None)
    wanted = Wanted(folders_at(var), host.strip(), port, *named)
    run(wanted, as_json=json_line, began_s=BEGAN_S)


@app.command()
@told_plainly
def serve(
    service: Annotated[
        str, typer.Argument(help="gateway, ingest, composer, executor or collector.")
    ],
) -> None:
    """Run one service in the foreground, with its settings from the environment."""
    import os
    import sys

    from cli.system import SERVICES

    if service not in SERVICES:
        raise Trouble(f"There is no service {service}.", f"Choose {', '.join(SERVICES)}.")
    # The process becomes the service: signals and exit code are its own.
    os.execv(sys.executable, [sys.executable, "-m", f"services.{service}"])  # noqa: S606


@app.command()
@told_plainly
def provision(
    nats_url: Annotated[str, typer.Option(envvar="ANIMATRIX_NATS_URL", help="The bus.")] = (
        "nats://127.0.0.1:4222"
    ),
    replicas: Annotated[int, typer.Option(min=1, max=5, help="Copies of every stream.")] = 1,
) -> None:
    """Create or update what the bus holds, and the media bucket; run it before the services."""
    import asyncio

    from cli.engines import shown_url
    from planning.lanes import all_lanes
    from runtime.media_store import prepare_media_store
    from runtime.provision import provision as run
    from runtime.settings import SharedSettings

    lanes, shared = all_lanes(), SharedSettings()
    try:
        asyncio.run(run(nats_url, lanes, replicas=replicas, password=shared.bus_password))
    except Exception as broken:
        raise Trouble(
            f"The bus at {shown_url(nats_url)} could not be provisioned: {broken!r}",
            "Is nats-server running there with JetStream, are there enough replicas, and is "
            "ANIMATRIX_NATS_PASSWORD that of the provisioner, where the bus has accounts?",
        ) from broken
    typer.echo(f"Provisioned {shown_url(nats_url)} for {len(lanes)} lanes.")
    try:
        bucket = asyncio.run(prepare_media_store(shared))
    except Exception as broken:
        raise Trouble(
            f"The media bucket {shared.media_url} could not be prepared: {broken!r}",
            "Check ANIMATRIX_S3_ENDPOINT, its CA file and the keys, and that they may make it.",
        ) from broken
    if bucket is not None:
        typer.echo(f"Prepared {bucket}.")


@app.command()
@told_plainly
def demo(
    mode: Annotated[
        str, typer.Option(help="animate, audio-performance, or both.", metavar="MODE")
    ] = "both",
    out: Annotated[Path, typer.Option("--out", help="Folder for the videos.")] = Path(
        "demo-output"
    ),
    quality: Quality = "draft",
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Make two videos from packaged files, check them and save them."""
    from rich.console import Console

    from cli.client import connect
    from cli.demo import ACTS
    from cli.demo import demo as run

    asked = mode.replace("-", "_")
    if asked != "both" and asked not in ACTS:
        raise Trouble(f"There is no mode {mode}.", "Choose animate, audio-performance or both.")
    with connect(url or None, var) as client:
        modes = list(ACTS) if asked == "both" else [asked]
        if not run(client, modes, out, quality, Console(soft_wrap=True)):
            raise Trouble("The demo did not come out as it must.", "`animatrix doctor` may help.")


@app.command()
@told_plainly
def submit(
    mode: Annotated[str, typer.Argument(help="animate or audio-performance.")],
    prompt: Annotated[str, typer.Option(help="What should happen.")],
    image: Annotated[Path, typer.Option(help="The character's image.")],
    video: Annotated[Path | None, typer.Option(help="Animate: the motion video.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Audio performance: the sound.")] = None,
    reference: Annotated[list[Path] | None, typer.Option(help="More images, repeatable.")] = None,
    pose_sheet: Annotated[list[Path] | None, typer.Option(help="Poses, repeatable.")] = None,
    submode: Annotated[str | None, typer.Option(help="Animate: move or mix.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What should not appear.")] = None,
    aspect: Annotated[str | None, typer.Option(help="9:16, 16:9 or 1:1.")] = None,
    quality: Quality = "standard",
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same video.")] = None,
    duration_s: Annotated[float | None, typer.Option("--duration", help="Seconds.")] = None,
    relighting: Annotated[bool | None, typer.Option(help="Animate mix: light the scene.")] = None,
    framing: Annotated[str | None, typer.Option(help="portrait, half_body or full_body.")] = None,
    adherence: Annotated[str | None, typer.Option(help="loose, balanced or strict.")] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the finished video there; implies --watch.")
    ] = None,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Upload files and send a job; prints its id."""
    from rich.console import Console

    from cli.client import connect
    from cli.sending import Attachment, send_job

    asked = mode.replace("-", "_")
    if asked not in ("animate", "audio_performance"):
        raise Trouble(f"There is no mode {mode}.", "Choose animate or audio-performance.")
    files = [Attachment("ground_truth_asset_id", "image", image)]
    files += [Attachment("motion_video_asset_id", "video", video)] if video else []
    files += [Attachment("audio_asset_id", "audio", audio)] if audio else []
    files += [Attachment("reference_asset_ids", "image", path) for path in reference or ()]
    files += [Attachment("pose_sheet_asset_ids", "image", path) for path in pose_sheet or ()]
    fields = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "animate_submode": submode,
        "aspect_ratio": aspect,
        "quality_profile": quality,
        "seed": seed,
        "duration_override_seconds": duration_s,
        "relighting": relighting,
        "framing_mode": framing,
        "audio_adherence_profile": adherence,
    }
    console = Console(stderr=True, soft_wrap=True)
    with connect(url or None, var) as client:
        accepted = send_job(client, asked, files, fields, console)
        typer.echo(accepted.job_id)
        if watch_it or out is not None:
            _follow(client, accepted.job_id, out)


@app.command()
@told_plainly
def watch(
    job_id: Annotated[str, typer.Argument(help="The job.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the finished video in this folder.")
    ] = None,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Follow a job to its end; exit code 0 when it completed."""
    from cli.client import connect

    with connect(url or None, var) as client:
        _follow(client, job_id, out)


@app.command()
@told_plainly
def jobs(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """List the newest jobs."""
    from rich.console import Console

    from cli.client import connect
    from cli.listing import show_jobs

    with connect(url or None, var) as client:
        show_jobs(client.jobs(limit, status), Console())


@app.command()
@told_plainly
def pause(
    engine: Annotated[str, typer.Option(help="Only this engine.")] = "",
    lane: Annotated[str, typer.Option(help="Only this lane.")] = "",
    reason: Annotated[str, typer.Option(help="What others will read.")] = "",
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Stop new work on an engine, a lane, or everything; what runs goes on."""
    from rich.console import Console

    from cli.client import connect
    from cli.pausing import pause as run

    with connect(url or None, var) as client:
        run(client, _scope(engine, lane), reason, Console())


@app.command()
@told_plainly
def resume(
    engine: Annotated[str, typer.Option(help="Only this engine.")] = "",
    lane: Annotated[str, typer.Option(help="Only this lane.")] = "",
    url: Url = "",
    var: Var = Path("var"),
) -> None:
    """Undo a pause of the same engine, lane, or everything."""
    from rich.console import Console

    from cli.client import connect
    from cli.pausing import resume as run

    with connect(url or None, var) as client:
        run(client, _scope(engine, lane), Console())


def _scope(engine: str, lane: str) -> dict[str, str]:
    named = {"engine_id": engine, "lane": lane}
    return {name: value for name, value in named.items() if value}


@app.command()
@told_plainly
def doctor(url: Url = "", var: Var = Path("var")) -> None:
    """Say what is there, what is missing, and how to mend it."""
    from rich.console import Console

    from cli.doctor import examine, show_findings

    if not show_findings(examine(url or None, var), Console(soft_wrap=True)):
        raise typer.Exit(1)


def _follow(client: ApiClient, job_id: str, out: Path | None) -> None:
    from rich.console import Console

    from cli.delivered import save, show
    from cli.watching import watch as follow

    console = Console(stderr=True, soft_wrap=True)
    job = follow(client, job_id, job_id[-12:], console)
    if job.status != "completed":
        fault = job.error
        raise Trouble(
            f"The job {job.status}. {fault.sentence}" if fault else f"The job is {job.status}.",
            fault.remedy if fault else "",
        )
    if out is not None:
        delivery = save(client, job_id, out, console)
        show(delivery, f"Job {job_id}", console)
        if not delivery.good:
            raise Trouble("The video is not what the job promised.")
