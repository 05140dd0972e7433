"""Files between the media store and an engine: inputs up, outputs down, both as streams.

Owns the rule that an input keeps the name that the graph says. It decides nothing about a step.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import structlog

from contracts.base import StoredFile
from contracts.plan import ExpectedOutput, StepOutput, StepUpload
from engines.comfyui import (
    EngineUnreachable,
    Failed,
    Outcome,
    OutputFile,
    OutputMissing,
    Record,
    UploadedFile,
    UploadRefused,
)
from runtime import tasks
from runtime.media_store import MediaMissing, MediaStore
from services.executor.adapters.comfy_link import ComfyLink
from services.executor.comfyui.graphs import extension_of

log = structlog.get_logger()

FETCH_TRIES = 4


class InputRejected(RuntimeError):
    """An input could not be put where the graph expects it; the sentence is for operators."""


class ResultAbsent(RuntimeError):
    """The engine said success, but a promised file is not there."""


async def upload_inputs(link: ComfyLink, media: MediaStore, uploads: tuple[StepUpload, ...]) -> int:
    """Puts the inputs into the engine's input folder; returns how many were there already.

    What this process has uploaded since the engine was last away is not sent again. Raises
    InputRejected, EngineUnreachable.
    """
    skipped = 0
    for upload in uploads:
        reference = f"{upload.engine_subfolder}/{upload.engine_filename}"
        if reference in link.uploaded:
            skipped += 1
            continue
        answered = await _send(link, media, upload, overwrite=False)
        if answered.reference != reference:
            # a torn upload of an earlier process lies under the name; the name is of the content
            answered = await _send(link, media, upload, overwrite=True)
        if answered.reference != reference:
            raise InputRejected(f"{reference} was stored as {answered.reference}")
        link.uploaded.add(reference)
    return skipped


async def _send(
    link: ComfyLink, media: MediaStore, upload: StepUpload, *, overwrite: bool
) -> UploadedFile:
    try:
        return await link.client.upload(
            media.stream(upload.source.key),
            name=upload.engine_filename,
            subfolder=upload.engine_subfolder,
            overwrite=overwrite,
            size_bytes=upload.source.size_bytes,
        )
    except UploadRefused as refused:
        raise InputRejected(refused.cause) from refused
    except (MediaMissing, ValueError) as unfit:
        raise InputRejected(f"{upload.source.key}: {unfit!r}") from unfit


async def fetch_outputs(
    link: ComfyLink,
    media: MediaStore,
    expected: tuple[ExpectedOutput, ...],
    made: tuple[OutputFile, ...],
    folder: str,
) -> tuple[StepOutput, ...]:
    """Streams every promised output into the store below `folder`, hashed on the way, side by side.

    A cached prompt repeats the file names of the earlier run; that is fine while they exist.
    Raises ResultAbsent, EngineUnreachable.
    """
    return await tasks.side_by_side(
        *(_fetch(link, media, output, made, folder) for output in expected)
    )


async def _fetch(
    link: ComfyLink,
    media: MediaStore,
    output: ExpectedOutput,
    made: tuple[OutputFile, ...],
    folder: str,
) -> StepOutput:
    file = next((file for file in made if file.node == output.node), None)
    if file is None:
        raise ResultAbsent(f"node {output.node} left no file for {output.name}")
    key = f"{folder}/{output.name}.{extension_of(file.filename, output.media)}"
    try:
        stored = await _stream_into(link, media, file, key)
    except OutputMissing as gone:
        raise ResultAbsent(f"{file.subfolder}/{file.filename} is named but absent") from gone
    if stored.size_bytes == 0:
        raise ResultAbsent(f"{file.subfolder}/{file.filename} is empty")
    return StepOutput(name=output.name, node=output.node, filename=file.filename, file=stored)


async def _stream_into(
    link: ComfyLink, media: MediaStore, file: OutputFile, key: str
) -> StoredFile:
    async def chunks() -> AsyncIterator[bytes]:
        async with link.client.view(file) as view:
            async for chunk in view.chunks():
                yield chunk

    for left in range(FETCH_TRIES - 1, -1, -1):
        try:
            return await media.put_stream(key, chunks())
        except EngineUnreachable as broken:
            if left == 0:
                raise
            log.warning("output is fetched again", key=key, reason=broken.cause)
    raise AssertionError("an output is fetched at least once")


async def store_log(
    media: MediaStore, folder: str, outcome: Outcome, record: Record | None
) -> StoredFile:
    """What the engine said of the prompt, as `engine_log.json` in the attempt's folder."""
    told: dict[str, object] = {"outcome": type(outcome).__name__.lower()}
    if record is not None:
        told |= {
            "prompt_id": record.prompt_id,
            "started_ms": record.started_ms,
            "ended_ms": record.ended_ms,
            "cached_nodes": list(record.cached_nodes),
        }
    if isinstance(outcome, Failed):
        told |= {
            "out_of_memory": outcome.oom,
            "node": outcome.node,
            "node_type": outcome.node_type,
            "exception_type": outcome.exception_type,
            "message": outcome.message,
            "traceback": list(outcome.traceback),
        }
    data = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False).encode()
    return await media.put_bytes(f"{folder}/engine_log.json", data)


async def ran_out_of_memory(media: MediaStore, folder: str) -> bool:
    """Whether the engine log in an attempt's folder tells of memory running out."""
    try:
        told = json.loads(await media.read_bytes(f"{folder}/engine_log.json"))
    except MediaMissing:
        return False
    return bool(told.get("out_of_memory"))
