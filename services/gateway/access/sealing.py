"""Seals secrets that have to lie in the database and be read again: webhooks and share links are
signed with them.

With Fernet keys from the settings, or from a file of this machine that is made at first use. The
newest key seals, every one of them opens. Must not know what is sealed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.gateway.settings import Settings

KEY_FILE = "secrets.key"
_SEALED = "fernet:"


def is_sealed(kept: bytes) -> bool:
    """Whether these bytes are a sealed text."""
    return kept.startswith(_SEALED.encode())


class SealBroken(RuntimeError):
    """What was sealed cannot be opened with the keys that are there."""


class Seal:
    """Closes and opens short texts."""

    def __init__(self, keys: Sequence[str]) -> None:
        """The newest key first. Raises ValueError for none, or for what is no Fernet key."""
        if not keys:
            raise ValueError("no key to seal secrets with")
        self._newest = Fernet(keys[0])
        self._all = MultiFernet([self._newest, *map(Fernet, keys[1:])])

    def close(self, text: str) -> str:
        """The text, sealed with the newest key."""
        return _SEALED + self._newest.encrypt(text.encode()).decode()

    def open(self, kept: str) -> str:
        """What was sealed; a text from before there were seals as it is. Raises SealBroken."""
        if not kept.startswith(_SEALED):
            return kept
        try:
            return self._all.decrypt(kept.removeprefix(_SEALED)).decode()
        except InvalidToken as unknown:
            raise SealBroken(
                "a secret in the database was sealed with another key: give that one in "
                "ANIMATRIX_GATEWAY_SECRETS_KEYS, behind the one of now (docs/security.md)"
            ) from unknown

    def renewed(self, kept: str) -> str:
        """The same secret sealed with the newest key; itself when it is already.

        Raises SealBroken.
        """
        if kept.startswith(_SEALED):
            try:
                self._newest.decrypt(kept.removeprefix(_SEALED))
            except InvalidToken:
                return self.close(self.open(kept))
            return kept
        return self.close(kept)


def seal_of(settings: Settings, state_dir: Path) -> Seal:
    """The seal that the settings name, else that of the key file in the state folder.

    Raises ValueError for wrong keys, OSError when a named file cannot be read.
    """
    if settings.secrets_keys is not None:
        return Seal(_keys(settings.secrets_keys.get_secret_value().replace(",", "\n")))
    if settings.secrets_keys_file is not None:
        return Seal(_keys(settings.secrets_keys_file.read_text()))
    path = state_dir / KEY_FILE
    if not path.exists():
        _make(path)
    return Seal(_keys(path.read_text()))


def _keys(text: str) -> list[str]:
    return [key for line in text.splitlines() if (key := line.strip())]


def _make(path: Path) -> None:
    """A key file that appears whole or not at all; another process may be first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(Fernet.generate_key().decode() + "\n")
    try:
        path.hardlink_to(part)
    except FileExistsError:
        pass
    finally:
        part.unlink()
