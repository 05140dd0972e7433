"""Signs files with C2PA manifests, as a task of a confined child: it needs much memory for a while.

A task reads the unsigned file, the certificate chain and the key, and writes the signed file;
nothing of the key is told to anyone. Must not import anything of ours nor open files: it cannot.
"""

from __future__ import annotations

import json
import os
from typing import Any

import c2pa
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_SETTINGS = {
    # A thumbnail would make a poster a hundred times larger than its manifest.
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"verify_after_sign": False, "remote_manifest_fetch": False, "ocsp_fetch": False},
}
_CURVES = {"secp256r1": b"es256", "secp384r1": b"es384", "secp521r1": b"es512"}
_SOUND = ("Valid", "Trusted")


class _Refused(Exception):
    """The request cannot be carried out; the words are fit for a log."""


def preload() -> None:
    """Everything was loaded with this module."""


def perform(
    task: str, reads: list[int], writes: list[int], parameters: dict[str, Any]
) -> dict[str, Any]:
    """Sign files; each is read back. `{"signed": true}` or `{"refused": why}`.

    Reads: the chain, the key, then every unsigned file; writes: every signed one. Parameters:
    files, with mime_type and claim of each.
    """
    try:
        _sign(reads, writes, parameters["files"])
    except (_Refused, c2pa.C2paError, OSError, ValueError, TypeError) as refused:
        return {"refused": f"{type(refused).__name__}: {refused}"[:2000]}
    return {"signed": True}


def _algorithm(key: bytes) -> bytes:
    private = load_pem_private_key(key, None)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name]
    raise _Refused(f"keys of the kind {type(private).__name__} are not taken")


def _sign(reads: list[int], writes: list[int], files: list[dict[str, Any]]) -> None:
    chain, key = (os.fdopen(fd, "rb").read() for fd in reads[:2])
    # Without a time stamp authority: signing reaches no network.
    info = c2pa.C2paSignerInfo(alg=_algorithm(key), sign_cert=chain, private_key=key, ta_url=None)
    context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
    with c2pa.Signer.from_info(info) as signer:
        for read, write, file in zip(reads[2:], writes, files, strict=True):
            with os.fdopen(read, "rb") as unsigned, os.fdopen(write, "w+b") as signed:
                with c2pa.Builder(json.dumps(file["claim"]), context) as builder:
                    builder.sign(signer, file["mime_type"], unsigned, signed)
                signed.seek(0)
                _read_back(signed, file["mime_type"], context)


def _read_back(signed: Any, mime_type: str, context: c2pa.Context) -> None:
    with c2pa.Reader(mime_type, signed, None, context) as reader:
        state = reader.get_validation_state()
        if state not in _SOUND:
            raise _Refused(f"signed, and is {state}: {reader.get_validation_results()}")
