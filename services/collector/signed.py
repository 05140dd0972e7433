"""Gives what is delivered its content credentials: the last thing done to a file.

Owns which files are signed and that they are still what was verified. Signing is never twice the
same (docs/decisions/0014), so signed files go to a folder named by their content. Must not store.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contracts.base import sha256_hex
from services.collector.adapters.signing import (
    Signer,
    SigningFailed,
    ToSign,
    read_certificate,
    sign_files,
)
from services.collector.adapters.unchanged import change_of
from services.collector.credentials import Origin, claim, source_type
from services.collector.made import Made
from services.collector.manifest import ManifestCredentials
from services.collector.work import Work

_MP4, _JPEG = "video/mp4", "image/jpeg"
_FOLDER_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed files by their name among the outputs, their folder, and what signed them."""

    paths: Mapping[str, Path]
    folder: str
    credentials: ManifestCredentials

    def beside(self, key: str) -> str:
        """Where a signed file goes instead of `key`."""
        at = PurePosixPath(key)
        return str(at.parent / self.folder / at.name)


async def sign(work: Work, made: Made, signer: Signer, made_by: str, tell_prompt: bool) -> Signed:
    """Sign the poster and every mp4; webm and gif have no place for it and stay as they are.

    Raises SigningFailed when a file cannot be signed or is no longer as verified.
    """
    origin = Origin(work.job.record, work.job.report, made_by, tell_prompt)
    certificate = await asyncio.to_thread(read_certificate, signer.certificate_file)
    delivery = work.job.plan.delivery
    folder = work.folder / "signed"
    await asyncio.to_thread(folder.mkdir)
    sources = {"poster": (made.pictures.poster, _JPEG, delivery.poster_key)}
    if made.container == "mp4":
        sources["video"] = (made.video.path, _MP4, delivery.video_key)
    if made.pose_preview is not None and delivery.pose_preview_key is not None:
        sources["pose_preview"] = (made.pose_preview.path, _MP4, delivery.pose_preview_key)
    hashes = await asyncio.to_thread(_sha256_of_all, [path for path, _, _ in sources.values()])
    unsigned = dict(zip(sources, hashes, strict=True))
    to_sign = {
        name: ToSign(
            path,
            folder / PurePosixPath(key).name,
            mime,
            claim(origin, PurePosixPath(key).name, unsigned[name]),
        )
        for name, (path, mime, key) in sources.items()
    }
    await sign_files(signer, list(to_sign.values()))
    await asyncio.to_thread(_refuse_changes, list(to_sign.values()))
    paths = {name: file.target for name, file in to_sign.items()}
    return Signed(
        paths,
        f"signed-{await asyncio.to_thread(_name, list(paths.values()))}",
        ManifestCredentials(
            certificate_subject=certificate.subject,
            certificate_issuer=certificate.issuer,
            certificate_sha256=certificate.sha256,
            digital_source_type=source_type(origin),
            tells_prompt=tell_prompt,
            unsigned_sha256=unsigned,
        ),
    )


def _refuse_changes(files: Sequence[ToSign]) -> None:
    for file in files:
        change = change_of(file.source, file.target, file.mime_type)
        if change is not None:
            raise SigningFailed(f"{file.target.name} is not as verified before: {change}")


def _name(paths: Sequence[Path]) -> str:
    hashes = sorted(_sha256_of_all(paths))
    return sha256_hex("".join(hashes).encode())[:_FOLDER_DIGITS]


def _sha256_of_all(paths: Sequence[Path]) -> list[str]:
    hashes = []
    for path in paths:
        with path.open("rb") as file:
            hashes.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashes
