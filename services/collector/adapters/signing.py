"""Has files signed by a child process, and says what certificate signs them.

Must not load the key: the child does, from the file that the settings name. Must not decide what
a claim says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_CHILD = "services.collector.adapters.signing_child"
_ROOT = Path(__file__).resolve().parents[3]
SIGN_DEADLINE_S = 120.0


class SigningFailed(Exception):
    """Files could not be signed. Says nothing about a job's results; worth another try."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The files that hold the certificate chain (leaf first) and its private key, both PEM."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class ToSign:
    """One file: where it lies unsigned, where it goes signed, what it is and what it claims."""

    source: Path
    target: Path
    mime_type: str
    claim: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a leaf certificate says: names as text, when it ends, its SHA-256."""

    subject: str
    issuer: str
    ends_at: datetime
    sha256: str


@asynccontextmanager
async def pen(signer: Signer) -> AsyncIterator[Pen]:
    """A signing program that is made ready meanwhile: it takes a while to load. Ended after."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", _CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8"},
        cwd="/",
    )
    try:
        yield Pen(signer, process)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


@dataclass(frozen=True, slots=True)
class Pen:
    """A signing program that waits for its one request."""

    signer: Signer
    process: asyncio.subprocess.Process

    async def sign(self, files: Sequence[ToSign]) -> None:
        """Sign every file, once; each is read back and found valid in the program.

        Raises SigningFailed with the reason, which never holds the key.
        """
        request = {
            "certificate_file": str(self.signer.certificate_file.absolute()),
            "key_file": str(self.signer.key_file.absolute()),
            "files": [asdict(file) for file in files],
        }
        told = json.dumps(request, default=str).encode()
        try:
            async with asyncio.timeout(SIGN_DEADLINE_S):
                answer, complaints = await self.process.communicate(told)
        except TimeoutError as late:
            raise SigningFailed(f"not signed within {SIGN_DEADLINE_S:g} s") from late
        if self.process.returncode != 0:
            raise SigningFailed(_reason(answer, complaints, self.process.returncode))


def _reason(answer: bytes, complaints: bytes, returncode: int | None) -> str:
    try:
        return str(json.loads(answer)["refused"])
    except (ValueError, KeyError, TypeError):
        return f"the signing program ended with {returncode}: {complaints.decode()[-1000:]}"


def read_certificate(path: Path) -> Certificate:
    """What the leaf in a chain file says. Raises OSError, or ValueError when there is none."""
    # Imported here because it takes 50 ms and most collectors sign nothing.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    leaf = x509.load_pem_x509_certificates(path.read_bytes())[0]
    return Certificate(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        ends_at=leaf.not_valid_after_utc,
        sha256=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def problem_of(signer: Signer, now: datetime) -> str | None:
    """Why the signer cannot sign at this time, or None. Reads nothing of the key but that it is."""
    try:
        certificate = read_certificate(signer.certificate_file)
    except (OSError, ValueError) as unreadable:
        return f"the certificate for content credentials cannot be read: {unreadable}"
    if not os.access(signer.key_file, os.R_OK):
        return f"the key for content credentials cannot be read: {signer.key_file}"
    if certificate.ends_at <= now.astimezone(UTC):
        return f"the certificate for content credentials ended at {certificate.ends_at:%Y-%m-%d}"
    return None
