"""What the API answers, as far as the command reads it; fields it does not know are passed over.

Must not depend on the services: a newer server may say more.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

ENDED = frozenset({"completed", "failed", "cancelled"})


class Answer(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(Answer):
    """Why a file or job failed, as a user reads it."""

    code: str
    sentence: str
    remedy: str = ""


class Asset(Answer):
    """An uploaded file."""

    asset_id: str
    status: str
    sha256: str
    error: Fault | None = None


class Percent(Answer):
    """How far a job is."""

    percent: float
    phase: str = ""
    step: int = 1
    steps: int = 1


class Queue(Answer):
    """A job's place among those that wait, and in how many seconds it may be made."""

    position: int
    eta_low_s: float | None = None
    eta_high_s: float | None = None


class Job(Answer):
    """A job."""

    job_id: str
    mode: str
    status: str
    prompt: str = ""
    created_at: datetime
    updated_at: datetime
    notes: tuple[str, ...] = ()
    simulated: bool | None = None
    progress: Percent | None = None
    queue: Queue | None = None
    error: Fault | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in ENDED


class Pause(Answer):
    """What an operator paused: `all`, `engine.<id>` or `lane.<lane>`."""

    what: str
    by: str
    at: datetime | None = None
    reason: str | None = None


class Pauses(Answer):
    """Everything that is paused."""

    pauses: tuple[Pause, ...]


class JobPage(Answer):
    """Jobs, newest first."""

    jobs: tuple[Job, ...]
    next_cursor: str | None = None


class Accepted(Answer):
    """The answer to a submit."""

    job_id: str
    status: str


class DeliveredFile(Answer):
    """A delivered file and the hash that proves it."""

    name: str
    url: str
    sha256: str
    size_bytes: int


class Outputs(Answer):
    """What a completed job delivered; size in pixels."""

    job_id: str
    video_url: str
    width: int
    height: int
    fps: int
    frames: int
    has_audio: bool
    simulated: bool
    files: tuple[DeliveredFile, ...]


class Profile(Answer):
    """A quality profile of a workflow."""

    profile: str
    available: bool
    missing: tuple[str, ...] = ()


class Submode(Answer):
    """One workflow of a mode."""

    submode: str | None = None
    title: str
    available: bool
    missing: tuple[str, ...] = ()
    profiles: tuple[Profile, ...] = ()


class Mode(Answer):
    """A mode, and in plain words what is missing for it."""

    mode: str
    available: bool
    simulated: bool = False
    missing: tuple[str, ...] = ()
    submodes: tuple[Submode, ...] = ()


class Engine(Answer):
    """An engine as a user may know it."""

    engine_id: str
    simulated: bool
    health: str


class Capabilities(Answer):
    """What can be made there."""

    modes: tuple[Mode, ...]
    engines: tuple[Engine, ...]
    simulated: bool


class Key(Answer):
    """An API key, without the key."""

    key_id: str
    owner: str
    role: str
    name: str = ""
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    valid: bool


class KeyList(Answer):
    """Every key."""

    keys: tuple[Key, ...]


class IssuedKey(Key):
    """A fresh key, with what opens."""

    key: str


class Deed(Answer):
    """One request that may have changed something."""

    at: datetime
    owner: str
    how: str
    key_id: str | None = None
    action: str
    target: str
    outcome: int


class DeedPage(Answer):
    """Deeds, newest first."""

    deeds: tuple[Deed, ...]
