"""Sends the files of a job and the job itself, showing how far the upload is.

Must not follow the job.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli.answers import Accepted, Asset
from cli.client import ApiClient
from cli.trouble import Trouble

CHECKED_WITHIN_S = 120.0
CHECK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a job: the request's field, what kind it is sent as, and where it lies.

    A field that ends in `_ids` takes several files.
    """

    field: str
    kind: str
    path: Path


def send_job(
    client: ApiClient,
    mode: str,
    attachments: Sequence[Attachment],
    fields: Mapping[str, Any],
    console: Console,
) -> Accepted:
    """Upload every file, wait until all were found good, submit. Raises Trouble."""
    for attachment in attachments:
        if not attachment.path.is_file():
            raise Trouble(f"There is no file {attachment.path}.")
    body: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    for attachment, asset in zip(
        attachments, _upload_all(client, attachments, console), strict=True
    ):
        if attachment.field.endswith("_ids"):
            body.setdefault(attachment.field, []).append(asset.asset_id)
        else:
            body[attachment.field] = asset.asset_id
    return client.submit(mode, body)


def _upload_all(
    client: ApiClient, attachments: Sequence[Attachment], console: Console
) -> list[Asset]:
    bar = Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
    )
    with bar:
        sent = [_upload(client, attachment, bar) for attachment in attachments]
    return [_checked(client, asset, a.path) for asset, a in zip(sent, attachments, strict=True)]


def _upload(client: ApiClient, attachment: Attachment, bar: Progress) -> Asset:
    size_bytes = attachment.path.stat().st_size
    task = bar.add_task(f"sending {attachment.path.name}", total=size_bytes)
    try:
        asset = client.upload(
            attachment.kind, attachment.path, lambda done: bar.update(task, completed=done)
        )
    except Trouble as refused:
        raise Trouble(
            f"{attachment.path.name}: {refused.sentence}", refused.remedy, refused.details
        ) from refused
    bar.update(task, completed=size_bytes)
    return asset


def _checked(client: ApiClient, asset: Asset, path: Path) -> Asset:
    """The asset once it was decoded. Raises Trouble when it was rejected."""
    deadline = time.monotonic() + CHECKED_WITHIN_S
    while asset.status == "checking":
        if time.monotonic() > deadline:
            raise Trouble(f"{path.name} is still being checked.", "Try again in a moment.")
        time.sleep(CHECK_EVERY_S)
        asset = client.asset(asset.asset_id)
    if asset.status == "rejected":
        fault = asset.error
        sentence = fault.sentence if fault else "It cannot be used."
        raise Trouble(f"{path.name}: {sentence}", fault.remedy if fault else "")
    return asset
