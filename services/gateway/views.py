"""What the API answers with: the fields of SRS §19 and what the design adds. Pure.

Made from rows of the read model (services.gateway.projection). URLs are paths on this server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import to_json

from contracts.base import StoredFile
from contracts.errors import ErrorCode, FailureClass
from contracts.events import PicturedProgress, Progress
from contracts.lifecycle import TERMINAL, PublicState
from contracts.media import MediaKind, Role
from contracts.plan import Frame, Mode
from services.gateway.delivered import (
    THE_VIDEO,
    delivered_files,
    media_type_of,
    name_of,
    outputs_of,
)
from services.gateway.forecasts import Forecast
from services.gateway.projection import Row


class ErrorView(BaseModel):
    """An error as a user reads it."""

    code: ErrorCode
    failure_class: FailureClass
    retryable: bool
    sentence: str
    remedy: str
    field: str | None = None


class AssetView(BaseModel):
    """An uploaded file (SRS §19.1). Sizes in pixels and bytes, duration in seconds."""

    asset_id: str
    asset_type: MediaKind
    status: Literal["checking", "ready", "rejected"]
    mime_type: str
    original_filename: str
    storage_url: str
    thumbnail_url: str | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    fps: float | None
    has_audio: bool | None
    size_bytes: int
    sha256: str
    created_at: datetime
    error: ErrorView | None


class AssetPage(BaseModel):
    """Assets, newest first; `next_cursor` leads on, None at the end."""

    assets: list[AssetView]
    next_cursor: str | None


class ProgressView(BaseModel):
    """How far a job is. `step` and `segment` count from 1.

    `live_preview_url` is a picture of the unfinished work; it changes with every new picture.
    """

    percent: float
    step: int
    steps: int
    segment: int
    segments: int
    phase: str
    live_preview_url: str | None = None


class QueueView(BaseModel):
    """The place of a waiting job among those that wait for the same engines: 1 is next.

    Seconds, each from low to high, learnt from past runs: `wait` until it begins, `run` what it
    then takes, `eta` until its frames are made. None as long as nothing like it has run here, or
    no engine takes it.
    """

    position: int
    eta_low_s: float | None = None
    eta_high_s: float | None = None
    wait_low_s: float | None = None
    wait_high_s: float | None = None
    run_low_s: float | None = None
    run_high_s: float | None = None


class JobAssetView(BaseModel):
    """An asset that a job names, and whether the mode uses it."""

    role: Role
    index: int
    asset_id: str
    used: bool
    note: str | None


class JobView(BaseModel):
    """A job (SRS §19.2) with progress, place in the queue, error and what it will deliver."""

    job_id: str
    mode: Mode
    workflow_template: str | None
    status: PublicState
    submitted_by: str
    prompt: str
    negative_prompt: str
    settings_json: dict[str, Any]
    comfy_prompt_id: str | None
    created_at: datetime
    updated_at: datetime
    assets: list[JobAssetView]
    delivery: Frame
    notes: list[str]
    attempt: int
    cancel_requested: bool
    simulated: bool | None
    progress: ProgressView | None
    queue: QueueView | None
    error: ErrorView | None
    poster_url: str | None
    video_url: str | None
    video_mime_type: str | None


class JobPage(BaseModel):
    """Jobs, newest first; `next_cursor` leads on, None at the end. There is no count."""

    jobs: list[JobView]
    next_cursor: str | None


class JobAccepted(BaseModel):
    """The answer to a submit, a cancel or a retry."""

    job_id: str
    status: PublicState


class EventView(BaseModel):
    """One recorded event of a job; `ignored` says why one changed nothing."""

    sequence: int
    event: str
    event_id: str
    occurred_at: datetime
    ignored: str | None
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events of a job in order; `next_after` is the value of `after` that leads on."""

    events: list[EventView]
    next_after: int | None


class FileView(BaseModel):
    """A delivered file and the hash that proves it."""

    name: str
    url: str
    mime_type: str
    sha256: str
    size_bytes: int


class OutputsView(BaseModel):
    """What a completed job delivered (SRS §19.3)."""

    output_id: str
    job_id: str
    video_url: str
    poster_url: str
    manifest_url: str
    duration_seconds: float
    resolution: str
    width: int
    height: int
    fps: int
    frames: int
    has_audio: bool
    simulated: bool
    created_at: datetime
    files: list[FileView]


_PHASES: dict[str, str] = {
    "accepted": "preparing",
    "uploaded": "preparing",
    "queued": "waiting",
    "executing": "generating",
    "collecting_outputs": "collecting",
}


def progress_view(row: Row, latest: Progress | None) -> ProgressView | None:
    """How far the job of a row is, from the latest progress of its executor if there is one."""
    status, steps = row["status"], row["steps"]
    if status == "completed":
        return ProgressView(
            percent=100.0, step=steps, steps=steps, segment=1, segments=1, phase="done"
        )
    if status in TERMINAL:
        return None
    if status == "collecting_outputs" and latest is not None and _renders(latest, steps):
        return live_progress(latest)
    if latest is None or status in ("accepted", "uploaded", "collecting_outputs"):
        done = 99.0 if status == "collecting_outputs" else 0.0
        return ProgressView(
            percent=done,
            step=row["step"] + 1,
            steps=steps,
            segment=1,
            segments=1,
            phase=_PHASES[status],
        )
    return live_progress(latest)


def _renders(latest: Progress, steps: int) -> bool:
    """Whether rendering follows the engines' steps: the collector tells how far it is with it."""
    return latest.phase == "collecting" or latest.steps > steps


def live_progress(latest: Progress) -> ProgressView:
    """The view of a progress message; 99 % until the job is verified."""
    whole = 100.0 * (min(latest.step, latest.steps - 1) + latest.fraction) / latest.steps
    return ProgressView(
        percent=round(min(whole, 99.0), 1),
        step=latest.step + 1,
        steps=latest.steps,
        segment=latest.segment + 1,
        segments=latest.segments,
        phase=latest.phase,
        live_preview_url=_live_preview_url(latest),
    )


def _live_preview_url(latest: Progress) -> str | None:
    if not isinstance(latest, PicturedProgress):
        return None
    picture = f"{latest.step}-{latest.segment}-{latest.live_preview}"
    return f"/api/jobs/{latest.job_id}/live-preview?picture={picture}"


def file_url(job_id: str, name: str) -> str:
    """Where a delivered file is served."""
    return f"/api/jobs/{job_id}/files/{name}"


def queue_view(place: Forecast) -> QueueView:
    """The place of a job with its times, rounded to tenths of a second."""
    times = {"eta": place.eta, "wait": place.wait, "run": place.run}
    ends = {
        f"{name}_{end}_s": round(getattr(span, f"{end}_s"), 1)
        for name, span in times.items()
        for end in ("low", "high")
        if span is not None
    }
    return QueueView(position=place.position, **ends)


def job_fields(
    row: Row, latest: Progress | None = None, place: Forecast | None = None
) -> dict[str, Any]:
    """The fields of a JobView, in their order and not validated: rows are our own."""
    job_id, completed = row["job_id"], row["status"] == "completed"
    return {
        "job_id": job_id,
        "mode": row["mode"],
        "workflow_template": row["workflow_template"],
        "status": row["status"],
        "submitted_by": row["owner"],
        "prompt": row["prompt"],
        "negative_prompt": row["negative_prompt"],
        "settings_json": row["settings"],
        "comfy_prompt_id": row["comfy_prompt_id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "assets": row["assets"],
        "delivery": row["delivery"],
        "notes": row["notes"],
        "attempt": row["attempt"],
        "cancel_requested": row["cancel_requested"] and row["status"] not in TERMINAL,
        "simulated": row["simulated"],
        "progress": progress_view(row, latest),
        "queue": queue_view(place) if place is not None else None,
        "error": row["error"],
        "poster_url": file_url(job_id, "poster.jpg") if completed else None,
        "video_url": file_url(job_id, THE_VIDEO) if completed else None,
        "video_mime_type": _delivered_type(row) if completed else None,
    }


def job_view(row: Row, latest: Progress | None = None, place: Forecast | None = None) -> JobView:
    """The answer about one job."""
    return JobView(**job_fields(row, latest, place))


def job_page(jobs: Sequence[dict[str, Any]], cursor: str | None) -> bytes:
    """A JobPage as JSON, of jobs as `job_fields` makes them: without a model for each."""
    return to_json({"jobs": jobs, "next_cursor": cursor})


def _delivered_type(row: Row) -> str:
    """What the video of a job is: planned for a rendered one, mp4 for any other."""
    return media_type_of(row["settings"].get("delivered_file", "video.mp4"))


def _rate(facts: Mapping[str, Any]) -> float | None:
    return round(facts["fps_num"] / facts["fps_den"], 3) if "fps_num" in facts else None


def asset_view(row: Row) -> AssetView:
    """The answer about one asset."""
    asset_id, facts = row["asset_id"], row["facts"] or {}
    return AssetView(
        asset_id=asset_id,
        asset_type=row["kind"],
        status=row["status"],
        mime_type=row["mime_type"],
        original_filename=row["filename"],
        storage_url=f"/api/assets/{asset_id}/content",
        thumbnail_url=f"/api/assets/{asset_id}/thumbnail" if row["thumbnail_key"] else None,
        width=facts.get("width_px"),
        height=facts.get("height_px"),
        duration_seconds=facts.get("duration_s"),
        fps=_rate(facts),
        has_audio=True if row["kind"] == "audio" else facts.get("has_audio"),
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        created_at=row["created_at"],
        error=row["error"],
    )


def outputs_view(row: Row) -> OutputsView:
    """The answer about a job's delivered files."""
    outputs, job_id = outputs_of(row), row["job_id"]
    frame = outputs.frame

    def url(file: StoredFile) -> str:
        return file_url(job_id, name_of(file))

    return OutputsView(
        output_id=row["output_id"],
        job_id=job_id,
        video_url=url(outputs.video),
        poster_url=url(outputs.poster),
        manifest_url=url(outputs.manifest),
        duration_seconds=outputs.duration_s,
        resolution=f"{frame.width_px}x{frame.height_px}",
        width=frame.width_px,
        height=frame.height_px,
        fps=frame.fps,
        frames=frame.frames,
        has_audio=outputs.has_audio,
        simulated=row["simulated"],
        created_at=row["created_at"],
        files=[
            FileView(
                name=name,
                url=file_url(job_id, name),
                mime_type=media_type_of(name),
                sha256=file.sha256,
                size_bytes=file.size_bytes,
            )
            for name, file in delivered_files(outputs).items()
        ],
    )
