"""The test certificate with which `animatrix up` signs content credentials on one machine.

Owns its making and its names, which say that it is a test. Nobody trusts it but who takes its
authority in on purpose. Must never be used where videos are published.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

TEST_NAME = "Animatrix TEST certificate - not trusted"
VALID_FOR = timedelta(days=365)
RENEW_BEFORE = timedelta(days=7)
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the test certificate lies: chain (leaf first), key and authority, all PEM."""

    folder: Path

    @property
    def chain_file(self) -> Path:
        """The leaf and its authority."""
        return self.folder / "test-certificate.pem"

    @property
    def key_file(self) -> Path:
        """The private key of the leaf, readable by its owner alone."""
        return self.folder / "test-key.pem"

    @property
    def authority_file(self) -> Path:
        """What a reader must trust to trust the leaf."""
        return self.folder / "test-authority.pem"


def ensure_test_certificate(folder: Path, now: datetime) -> CertificateFiles:
    """The test certificate in a folder; made when there is none or it soon ends.

    Takes some milliseconds. Raises OSError when the folder cannot be written.
    """
    certificate = CertificateFiles(folder)
    if not _is_good(certificate, now.astimezone(UTC)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(certificate, now.astimezone(UTC))
    return certificate


def _is_good(certificate: CertificateFiles, now: datetime) -> bool:
    # Imported here because it takes 50 ms and most commands need none of it.
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificates(certificate.chain_file.read_bytes())[0]
    except (OSError, ValueError):
        return False
    return certificate.key_file.is_file() and leaf.not_valid_after_utc > now + RENEW_BEFORE


def _make(certificate: CertificateFiles, now: datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(what: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, TEST_NAME),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{TEST_NAME} ({what})"),
            ]
        )

    def usage(**said: bool) -> x509.KeyUsage:
        return x509.KeyUsage(**{name: said.get(name, False) for name in _USES})

    def begun(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + VALID_FOR)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                False,
            )
        )

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        begun("authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), True)
        .sign(authority_key, hashes.SHA256())
    )
    # What C2PA asks of a leaf: signatures only, and e-mail protection as its extended use.
    leaf = (
        begun("leaf", key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(usage(digital_signature=True), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(certificate.key_file, secret)
    _write(certificate.authority_file, authority.public_bytes(pem))
    _write(certificate.chain_file, leaf.public_bytes(pem) + authority.public_bytes(pem))


def _write(path: Path, data: bytes) -> None:
    staged = path.with_suffix(".new")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    staged.replace(path)
