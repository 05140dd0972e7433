"""What executors publish about engines: health, capabilities, the family that is warm; and what
operators paused.

Kept in the KV bucket `engines`. Must not carry credentials.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from contracts.base import Contract, Scalar, StoredFile, Token

Health = Literal["ready", "busy", "unreachable", "refusing"]
EngineKind = Literal["comfyui", "webui"]


class Device(Contract):
    """A device the engine computes on; memory in bytes."""

    name: str
    kind: str
    vram_total_bytes: int = Field(ge=0)
    vram_free_bytes: int = Field(ge=0)


class AnimateDiffCapability(Contract):
    """AnimateDiff on one WebUI; `missing` says in plain sentences what is not there.

    The argument keys are those that the extension shows for each tab: only these may be sent.
    """

    missing: tuple[str, ...]
    motion_models: tuple[str, ...] = ()
    txt2img_keys: tuple[str, ...] = ()
    img2img_keys: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """True where nothing is missing."""
        return not self.missing


class DeforumCapability(Contract):
    """Deforum on one WebUI; `transfer` is how its frames can be fetched."""

    missing: tuple[str, ...]
    transfer: Literal["http", "shared_folder", "none"] = "none"

    @property
    def usable(self) -> bool:
        """True where nothing is missing."""
        return not self.missing


class WebuiCapabilities(Contract):
    """What one WebUI can do. `missing` is what stills lack; `checkpoint` is the loaded one."""

    schema_version: Literal[1] = 1
    flavour: Literal["a1111", "forge"]
    missing: tuple[str, ...]
    checkpoint: str | None = None
    checkpoints: tuple[str, ...] = ()
    samplers: tuple[str, ...] = ()
    upscalers: tuple[str, ...] = ()
    samples_format: str | None = None
    animatediff: AnimateDiffCapability
    deforum: DeforumCapability

    @property
    def usable(self) -> bool:
        """True where nothing is missing for stills."""
        return not self.missing


class Shortfall(Contract):
    """Something in the graphs of released workflows that an engine's own node list contradicts.

    The engine has the class, but not as the graph uses it: an input that it does not know or that
    it requires besides, a value that it does not list, a number outside `minimum` and `maximum`, or
    a link from `source` ("<class>.<slot>") whose type does not fit. `value` is the one that was
    tried. Absent classes and model files are not repeated here: `node_classes` and `choices` show
    them.
    """

    kind: Literal[
        "unknown_input",
        "missing_input",
        "value_not_listed",
        "out_of_range",
        "wrong_value_type",
        "wrong_link_type",
        "broken_link",
    ]
    node_class: str
    input: str
    value: Scalar | None = None
    minimum: float | None = None
    maximum: float | None = None
    source: str | None = None
    detail: str = Field(max_length=400)


class EngineSnapshot(Contract):
    """What one engine is and can do, as last seen.

    `choices` maps "<class>.<input>" to the model files the engine offers there; only inputs that
    our workflows use are listed. `shortfalls`: where its nodes are not as our graphs use them.
    `packages`: the folders of custom nodes that it loaded. `catalogue` is all it said of itself.
    `webui` is there when the engine is a WebUI that answered.
    """

    schema_version: Literal[1] = 1
    engine_id: Token
    kind: EngineKind
    simulated: bool
    version: str
    health: Health
    reason: str | None = None
    seen_at: AwareDatetime
    lanes: tuple[Token, ...] = ()
    warm_lane: Token | None = None
    node_classes: tuple[str, ...] = ()
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    shortfalls: tuple[Shortfall, ...] = ()
    packages: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    catalogue: StoredFile | None = None
    queue_remaining: int | None = None
    webui: WebuiCapabilities | None = None


class Pause(Contract):
    """An operator stopped new work on `all`, `engine.<id>` or `lane.<lane>`; running work goes on.

    `by` is whoever asked; `at` is None where the entry does not say.
    """

    pause_version: Literal[1] = 1
    what: str = Field(pattern=r"^(all|engine\.[A-Za-z0-9_.-]+|lane\.[A-Za-z0-9_.-]+)$")
    by: str
    at: AwareDatetime | None = None
    reason: str | None = None
