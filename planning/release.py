"""Releases workflow versions and prompt packs: writes the hashes of new ones into the lock files.

    python -m planning.release

A version that was released never changes: where one did, this refuses and asks for a new version.
Must not be called by any service.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from planning import prompt_packs
from planning.prompt_packs import PACKS_DIR, PackCorrupt
from planning.registry import (
    LOCK_FILE,
    WORKFLOWS_DIR,
    WorkflowCorrupt,
    content_sha256,
    identity,
    read_lock,
    read_parts,
    version_folders,
)


def release(root: Path = WORKFLOWS_DIR) -> tuple[str, ...]:
    """Adds every unlocked version below `root` to the lock; returns their names.

    Raises WorkflowCorrupt when a released version changed or vanished; the lock stays as it was.
    """
    released = read_lock(root) if (root / LOCK_FILE).exists() else {}
    found = {identity(f, root): content_sha256(read_parts(f)) for f in version_folders(root)}
    broken = sorted(key for key, sha256 in released.items() if found.get(key) != sha256)
    if broken:
        raise WorkflowCorrupt(f"released versions never change; give a new one to {broken}")
    (root / LOCK_FILE).write_text(_lock_text(found))
    return tuple(sorted(set(found) - set(released)))


def release_packs(root: Path = PACKS_DIR) -> tuple[str, ...]:
    """Adds every unlocked prompt pack below `root` to its lock; returns their names.

    Raises PackCorrupt when a released pack changed or vanished; the lock stays as it was.
    """
    path = root / prompt_packs.LOCK_FILE
    released = prompt_packs.read_lock(root) if path.exists() else {}
    contents = prompt_packs.read_contents(root)
    found = {key: prompt_packs.content_sha256(content) for key, content in contents.items()}
    broken = sorted(key for key, sha256 in released.items() if found.get(key) != sha256)
    if broken:
        raise PackCorrupt(f"released packs never change; give a new version to {broken}")
    path.write_text(_lock_text(found))
    return tuple(sorted(set(found) - set(released)))


def _lock_text(found: dict[str, str]) -> str:
    return json.dumps({"lock_version": 1, "released": found}, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    try:
        new = (*release(), *release_packs())
        sys.stdout.write("".join(f"released {key}\n" for key in new))
    except (WorkflowCorrupt, PackCorrupt) as error:
        sys.exit(str(error))
