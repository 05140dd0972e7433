"""Has files signed by a confined child, and says what certificate signs them.

Must not load the key: the child does, from the file that the settings name. Must not decide what
a claim says.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runtime.sandbox.client import ChildLimits, Sandbox, SandboxLost

SIGN_DEADLINE_S = 120.0
_LIMITS = ChildLimits(SIGN_DEADLINE_S, cpu_s=120, address_space_bytes=8 << 30, output_bytes=8 << 30)

SIGNING = Sandbox("services.collector.adapters.signing_tasks")
"""Where this process has files signed. Started with the first one: most collectors sign nothing."""

atexit.register(SIGNING.close)


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


async def sign_files(signer: Signer, files: Sequence[ToSign]) -> None:
    """Sign every file; the child reads each back and finds it valid.

    Raises SigningFailed with the reason, which never holds the key.
    """
    told = [{"mime_type": file.mime_type, "claim": _plain(file.claim)} for file in files]
    try:
        end = await SIGNING.run(
            "sign",
            [signer.certificate_file, signer.key_file, *(file.source for file in files)],
            _LIMITS,
            writes=[file.target for file in files],
            parameters={"files": told},
        )
    except SandboxLost as lost:
        raise SigningFailed("the signing program was lost") from lost
    if end.out_of_time:
        raise SigningFailed(f"not signed within {SIGN_DEADLINE_S:g} s")
    reply = end.reply or {"refused": f"signal {end.signal}, status {end.exit_code}"}
    if "signed" not in reply:
        raise SigningFailed(str(reply["refused"]))


def _plain(claim: dict[str, Any]) -> Any:
    return json.loads(json.dumps(claim, default=str))


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
