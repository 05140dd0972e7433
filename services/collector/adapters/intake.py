"""Takes a job's results out of the media store, every byte proved against its hash.

Must not write to the store, nor interpret media.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from contracts.base import Contract, StoredFile
from runtime.media_store import MediaMissing, MediaStore
from services.collector.faults import invalid, missing

Document = TypeVar("Document", bound=Contract)


async def read_document(media: MediaStore, file: StoredFile, model: type[Document]) -> Document:
    """A contract that lies in the store. Raises ResultFault when it is absent, altered or no
    `model`."""
    data = await read_proved(media, file)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise invalid(f"{file.key} is no {model.__name__}: {error}") from error


async def read_proved(media: MediaStore, file: StoredFile, step: int | None = None) -> bytes:
    """The bytes of a small file. Raises ResultFault when it is absent or altered."""
    try:
        data = await media.read_bytes(file.key)
    except MediaMissing as error:
        raise missing(f"{file.key} is not in the media store", step) from error
    _compare(file, hashlib.sha256(data).hexdigest(), len(data), step)
    return data


async def prove(media: MediaStore, file: StoredFile, step: int | None = None) -> None:
    """Read a file once and compare its hash. Raises ResultFault when it is absent or altered."""
    await _read_through(media, file, None, step)


async def copy_proved(
    media: MediaStore, file: StoredFile, target: Path, step: int | None = None
) -> None:
    """Copy a file to this machine while proving it: what is checked is what is used.

    Raises ResultFault when it is absent or altered.
    """
    await _read_through(media, file, target, step)


async def _read_through(
    media: MediaStore, file: StoredFile, target: Path | None, step: int | None
) -> None:
    digest, size_bytes = hashlib.sha256(), 0
    sink = target.open("wb") if target else None
    try:
        async for chunk in media.stream(file.key):
            digest.update(chunk)
            size_bytes += len(chunk)
            if sink:
                sink.write(chunk)
    except MediaMissing as error:
        raise missing(f"{file.key} is not in the media store", step) from error
    finally:
        if sink:
            sink.close()
    _compare(file, digest.hexdigest(), size_bytes, step)


def _compare(file: StoredFile, sha256: str, size_bytes: int, step: int | None) -> None:
    if (sha256, size_bytes) != (file.sha256, file.size_bytes):
        raise invalid(
            f"{file.key} has {size_bytes} bytes with sha256 {sha256}, reported were "
            f"{file.size_bytes} bytes with sha256 {file.sha256}",
            step,
        )
