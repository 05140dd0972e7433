"""Puts what was made for a job into the media store, the manifest last.

Owns under which key each file goes and which documents go beside them. Must not make media.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from contracts import keys
from contracts.base import StoredFile, canonical_bytes
from contracts.events import JobOutputs
from contracts.plan import Delivery, PictureIndex
from runtime.delivery_facts import DeliveryFacts
from runtime.media_store import MediaStore
from runtime.tasks import side_by_side
from services.collector.adapters.intake import read_proved
from services.collector.made import Made
from services.collector.manifest import (
    DebugMetadata,
    document_bytes,
    is_simulated,
    job_manifest,
    step_debug,
)
from services.collector.png import bare
from services.collector.signed import Signed
from services.collector.work import Work


@dataclass(frozen=True, slots=True)
class Collected:
    """The delivered files of a job, and whether an engine only pretended."""

    job_id: str
    outputs: JobOutputs
    simulated: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """Kept frames as stored: each picture, and the index that names them."""

    pictures: tuple[StoredFile, ...]
    index: StoredFile


async def store(work: Work, made: Made, signed: Signed | None, made_by: str) -> Collected:
    """Store everything that the job delivers. Raises OSError when storage is away."""
    job, delivery, media = work.job, work.job.plan.delivery, work.media
    to_store = _files(delivery, made, signed)
    puts, kept, debug = await side_by_side(
        _put(media, to_store.values()),
        _keep(work, made.kept),
        _store_debug(work, made, made_by),
    )
    stored = dict(zip(to_store, puts, strict=True))
    files = [*stored.values(), debug, *([kept.index] if kept else [])]
    document = job_manifest(
        job.record,
        job.plan,
        job.report,
        job.event,
        {PurePosixPath(file.key).name: file for file in files},
        video=stored["video"],
        render_sha256=_render_sha256(signed, stored["video"]),
        kept_frames=kept.pictures if kept else (),
        credentials=signed.credentials if signed else None,
        made_by=made_by,
    )
    key = signed.beside(delivery.manifest_key) if signed else delivery.manifest_key
    manifest = await media.put_bytes(key, document_bytes(document))
    outputs = JobOutputs(
        **stored,
        frames=kept.index if kept else None,
        manifest=manifest,
        debug_metadata=debug,
        frame=delivery.frame,
        duration_s=delivery.frame.duration_s,
        has_audio=made.video.facts.audio is not None,
    )
    return Collected(job.plan.job_id, outputs, is_simulated(job.report))


def _files(delivery: Delivery, made: Made, signed: Signed | None) -> Mapping[str, tuple[str, Path]]:
    """Key and path of every media file, by its name among the outputs; signed ones replace."""
    files = {
        "video": (delivery.video_key, made.video.path),
        "poster": (delivery.poster_key, made.pictures.poster),
        "first_frame": (delivery.first_frame_key, made.pictures.first_frame),
        "preview": (delivery.preview_key, made.pictures.preview),
    }
    if made.pose_preview is not None and delivery.pose_preview_key is not None:
        files["pose_preview"] = (delivery.pose_preview_key, made.pose_preview.path)
    if signed is not None:
        files |= {
            name: (signed.beside(files[name][0]), path) for name, path in signed.paths.items()
        }
    return files


def _render_sha256(signed: Signed | None, video: StoredFile) -> str:
    before = signed.credentials.unsigned_sha256 if signed else {}
    return before.get("video", video.sha256)


async def _keep(work: Work, frames: Sequence[Path]) -> _Kept | None:
    order = work.job.plan.render
    if not frames or order is None:
        return None
    folder, stored = order.frames_key_prefix, []
    for number, path in enumerate(frames):
        stored.append(await work.media.put_file(keys.picture(folder, number), path))
    first = bare(await asyncio.to_thread(frames[0].read_bytes))
    index = PictureIndex(pictures=tuple(stored), width_px=first.width_px, height_px=first.height_px)
    file = await work.media.put_bytes(keys.picture_index(folder), canonical_bytes(index))
    return _Kept(tuple(stored), file)


async def _put(media: MediaStore, files: Iterable[tuple[str, Path]]) -> tuple[StoredFile, ...]:
    return await side_by_side(*(media.put_file(key, path) for key, path in files))


async def _store_debug(work: Work, made: Made, made_by: str) -> StoredFile:
    document = document_bytes(await _debug_metadata(work, made, made_by))
    return await work.media.put_bytes(work.job.plan.delivery.debug_metadata_key, document)


async def _debug_metadata(work: Work, made: Made, made_by: str) -> DebugMetadata:
    job, media = work.job, work.media
    steps = []
    for result in job.report.results:
        graph = await read_proved(media, result.graph, result.step)
        engine_log = await read_proved(media, result.engine_log, result.step)
        steps.append(await asyncio.to_thread(step_debug, job.plan, result, graph, engine_log))
    rendered = {"video": made.video, "pose_preview": made.pose_preview}
    return DebugMetadata(
        job_id=job.plan.job_id,
        attempt=job.report.attempt,
        made_by=made_by,
        record=job.plan.record,
        run_plan=job.report.run_plan,
        report=job.event.report,
        stages=job.record.stages,
        steps=tuple(steps),
        recoded={name: one.recoded for name, one in rendered.items() if one},
        verification={name: _plain(one.facts) for name, one in rendered.items() if one},
    )


def _plain(facts: DeliveryFacts) -> dict[str, Any]:
    plain = asdict(facts)
    return {
        name: str(value) if isinstance(value, Fraction) else value for name, value in plain.items()
    }


def stored_files(outputs: JobOutputs) -> list[StoredFile]:
    """Every delivered file."""
    return [value for _, value in outputs if isinstance(value, StoredFile)]


async def withdraw(job_id: str, media: MediaStore) -> None:
    """Remove everything that a job delivered. Raises OSError when storage is away."""
    folder = str(PurePosixPath(keys.job_output(job_id, "video")).parent)
    for key in [key async for key in media.keys(folder)]:
        await media.delete(key)
