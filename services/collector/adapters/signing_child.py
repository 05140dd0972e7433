"""Signs files with C2PA manifests: a program of its own, because it needs much memory for a while.

One JSON request on stdin, one JSON reply on stdout: `{"signed": true}` or `{"refused": why}`.
Reads certificate and key from the files that the request names; tells nothing of the key to
anyone. Must not import anything of ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
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


def _algorithm(key: bytes) -> bytes:
    private = load_pem_private_key(key, None)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name]
    raise _Refused(f"keys of the kind {type(private).__name__} are not taken")


def _sign(request: dict[str, Any]) -> None:
    key = Path(request["key_file"]).read_bytes()
    chain = Path(request["certificate_file"]).read_bytes()
    # Without a time stamp authority: signing reaches no network.
    info = c2pa.C2paSignerInfo(alg=_algorithm(key), sign_cert=chain, private_key=key, ta_url=None)
    context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
    with c2pa.Signer.from_info(info) as signer:
        for file in request["files"]:
            source, target, mime = Path(file["source"]), Path(file["target"]), file["mime_type"]
            with (
                c2pa.Builder(json.dumps(file["claim"]), context) as builder,
                source.open("rb") as unsigned,
                target.open("w+b") as signed,
            ):
                builder.sign(signer, mime, unsigned, signed)
            _read_back(target, mime, context)


def _read_back(path: Path, mime: str, context: c2pa.Context) -> None:
    with path.open("rb") as signed, c2pa.Reader(mime, signed, None, context) as reader:
        state = reader.get_validation_state()
        if state not in _SOUND:
            raise _Refused(
                f"{path.name} was signed and is {state}: {reader.get_validation_results()}"
            )


def main() -> int:
    """Carry out the request on stdin; the exit status is 0 when every file was signed."""
    request = json.loads(sys.stdin.buffer.read())
    try:
        _sign(request)
    except (_Refused, c2pa.C2paError, OSError, ValueError, TypeError) as refused:
        reply: dict[str, Any] = {"refused": f"{type(refused).__name__}: {refused}"[:2000]}
    else:
        reply = {"signed": True}
    sys.stdout.write(json.dumps(reply))
    return 0 if "signed" in reply else 1


if __name__ == "__main__":
    sys.exit(main())
