"""Loads the prompt packs from `prompt_packs/`: every released version, checked against the lock.

A pack is a prompt, a negative prompt and defaults for video stages. A released version never
changes: its hash stands in the lock. With workflows and releases this is all of planning that reads
files; must not decide anything about a job.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from contracts.base import Contract, Token, canonical_bytes, sha256_hex
from contracts.plan import PromptPackRef
from contracts.stages import MOST_WEBUI_SEED, Backend, OutputName, Preset, VideoCodec
from planning.chain_requests import MAX_RENDER_FPS, BackendParamsChoice, FramesChoice, RenderChoice

PACKS_DIR = Path(__file__).resolve().parent.parent / "prompt_packs"
LOCK_FILE = "prompt_packs.lock.json"
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]


class PackCorrupt(ValueError):
    """A released pack is absent, changed or unreadable; the sentence is for operators."""


class PackFrames(Contract):
    """Defaults of video_frames. `enabled`: the stage belongs to the pack's own chain."""

    enabled: bool = False
    backend: Literal["animatediff", "deforum"] | None = None
    num_frames: int | None = Field(default=None, ge=2, le=1024)
    fps: int | None = Field(default=None, ge=1, le=MAX_RENDER_FPS)
    seed_mode: Literal["inherit", "fixed", "random"] | None = None
    seed: int | None = Field(default=None, ge=0, le=MOST_WEBUI_SEED)
    strength: float | None = Field(default=None, ge=0, le=1)
    backend_params: BackendParamsChoice | None = None

    def as_choice(self) -> FramesChoice:
        """What the pack says, in the words of a request."""
        backends: dict[str, Backend] = {
            "animatediff": "webui_animatediff",
            "deforum": "webui_deforum",
        }
        said = {name: getattr(self, name) for name in self.model_fields_set - {"enabled"}}
        if self.backend is not None:
            said["backend"] = backends[self.backend]
        return FramesChoice.model_validate(said)


class PackRender(Contract):
    """Defaults of video_render. `enabled`: the stage belongs to the pack's own chain."""

    enabled: bool = True
    container: Literal["mp4", "webm", "gif"] | None = None
    codec: VideoCodec | None = None
    crf: int | None = Field(default=None, ge=1, le=63)
    preset: Preset | None = None
    keep_frames: bool | None = None
    output_name: OutputName | None = None
    seconds_per_still: float | None = Field(default=None, ge=0.1, le=60)
    camera_motion: Literal["none", "zoom", "pan"] | None = None

    def as_choice(self) -> RenderChoice:
        """What the pack says, in the words of a request."""
        said = {name: getattr(self, name) for name in self.model_fields_set - {"enabled"}}
        return RenderChoice.model_validate(said)


class PackVideo(Contract):
    """The video part (video stages specification, "PromptPack JSON")."""

    enabled: bool = False
    frames: PackFrames = PackFrames()
    render: PackRender = PackRender()


class PackContent(Contract):
    """The file of a pack."""

    pack_format: Literal[1]
    name: Token
    version: Version
    title: str = Field(min_length=1, max_length=120)
    prompt: str = Field(min_length=1, max_length=2000)
    negative_prompt: str = Field(default="", max_length=2000)
    video: PackVideo = PackVideo()


class PromptPack(Contract):
    """A released pack."""

    ref: PromptPackRef
    content: PackContent


class PackRegistry:
    """Every released version of every pack."""

    def __init__(self, packs: Iterable[PromptPack]) -> None:
        """Holds these packs."""
        self._packs = {(p.ref.name, p.ref.version): p for p in packs}

    @property
    def packs(self) -> tuple[PromptPack, ...]:
        """All of them, by name, newest version first."""
        by_version = sorted(self._packs.values(), key=_version_key, reverse=True)
        return tuple(sorted(by_version, key=lambda p: p.ref.name))

    def named(self, wanted: str) -> PromptPack:
        """The pack "name@version", or the newest "name". Raises KeyError."""
        name, _, version = wanted.partition("@")
        for pack in self.packs:
            if pack.ref.name == name and version in ("", pack.ref.version):
                return pack
        raise KeyError(wanted)


@lru_cache(maxsize=4)
def load_packs(root: Path = PACKS_DIR) -> PackRegistry:
    """All released packs below `root`, verified against the lock; read once a process.

    Raises PackCorrupt for a pack that the lock lacks, that the lock has and the folder lacks, whose
    content differs from its release, or that cannot be read.
    """
    lock = read_lock(root)
    found = read_contents(root)
    if set(lock) != set(found):
        raise PackCorrupt(f"lock and folder differ in {sorted(set(lock) ^ set(found))}")
    return PackRegistry(_load(key, found[key], lock[key]) for key in sorted(found))


def read_lock(root: Path) -> dict[str, str]:
    """The lock: "<name>/<version>" → sha256. Raises PackCorrupt when it cannot be read."""
    try:
        released: dict[str, str] = json.loads((root / LOCK_FILE).read_bytes())["released"]
    except (OSError, ValueError, KeyError) as error:
        raise PackCorrupt(f"the lock file of {root} cannot be read: {error}") from error
    return released


def read_contents(root: Path) -> dict[str, Any]:
    """The JSON of every file <name>/<version>.json by "<name>/<version>". Raises PackCorrupt."""
    found = {}
    for path in sorted(root.glob("*/*.json")):
        try:
            found[f"{path.parent.name}/{path.stem}"] = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise PackCorrupt(f"{path.name} cannot be read: {error}") from error
    return found


def content_sha256(content: Any) -> str:
    """The hash of a pack over its canonical form: layout may change, content not."""
    return sha256_hex(canonical_bytes(content))


def _load(key: str, raw: Any, locked: str) -> PromptPack:
    sha256 = content_sha256(raw)
    if sha256 != locked:
        raise PackCorrupt(f"pack {key} is {sha256}, its release was {locked}")
    try:
        content = PackContent.model_validate(raw)
    except ValidationError as error:
        raise PackCorrupt(f"pack {key}: {error}") from error
    if key != f"{content.name}/{content.version}":
        raise PackCorrupt(f"pack {key} says that it is {content.name}/{content.version}")
    ref = PromptPackRef(name=content.name, version=content.version, sha256=sha256)
    return PromptPack(ref=ref, content=content)


def _version_key(pack: PromptPack) -> tuple[int, ...]:
    return tuple(int(part) for part in pack.ref.version.split("."))
