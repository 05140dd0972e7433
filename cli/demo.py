"""`animatrix demo`: both modes on the packaged files, against a running system.

Owns what is asked for and when the demo counts as failed. Must not start the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from cli.answers import Job
from cli.client import ApiClient
from cli.delivered import save, show
from cli.demo_assets import CHARACTER, MOTION, SPEECH, DemoAsset, DemoAssetsDamaged, demo_assets
from cli.sending import Attachment, send_job
from cli.trouble import Trouble
from cli.watching import watch


@dataclass(frozen=True, slots=True)
class Act:
    """One part of the demo."""

    mode: str
    title: str
    prompt: str
    second: str
    field: str
    kind: str


ACTS = {
    "animate": Act(
        "animate",
        "Animate",
        "The character walks towards us in the evening light and waves",
        MOTION,
        "motion_video_asset_id",
        "video",
    ),
    "audio_performance": Act(
        "audio_performance",
        "Audio performance",
        "The character speaks to us calmly, with a slight smile",
        SPEECH,
        "audio_asset_id",
        "audio",
    ),
}


def demo(
    client: ApiClient, modes: Sequence[str], out: Path, quality: str, console: Console
) -> bool:
    """Run the modes, save and check the videos; True when all is as it must be.

    Raises Trouble when a job cannot be sent.
    """
    try:
        assets = demo_assets()
    except DemoAssetsDamaged as damaged:
        raise Trouble(f"The demo's files are not usable: {damaged}", "Install again.") from damaged
    if client.capabilities().simulated:
        console.print(
            "[bold yellow]SIMULATED[/]: no real engine is connected; the videos are marked as such."
        )
    acts = [ACTS[mode] for mode in modes]
    sent = [(act, _send(client, act, assets, quality, console)) for act in acts]
    good = True
    for act, job_id in sent:
        job = watch(client, job_id, act.title, console)
        good = _settle(client, act, job, out, console) and good
    return good


def _send(
    client: ApiClient, act: Act, assets: dict[str, DemoAsset], quality: str, console: Console
) -> str:
    attachments = [
        Attachment("ground_truth_asset_id", "image", assets[CHARACTER].path),
        Attachment(act.field, act.kind, assets[act.second].path),
    ]
    fields = {"prompt": act.prompt, "quality_profile": quality, "seed": 7}
    return send_job(client, act.mode, attachments, fields, console).job_id


def _settle(client: ApiClient, act: Act, job: Job, out: Path, console: Console) -> bool:
    """Save and check the end of one act; False when anything is wrong."""
    if job.status != "completed":
        told = f"{job.error.sentence} {job.error.remedy}" if job.error else ""
        console.print(f"[bold red]{act.title}: {job.status}.[/] {escape(told)}", highlight=False)
        return False
    delivery = save(client, job.job_id, out / act.mode, console)
    show(delivery, f"{act.title}, job {job.job_id}", console)
    for note in job.notes:
        console.print(f"Note: {escape(note)}", highlight=False)
    return delivery.good
