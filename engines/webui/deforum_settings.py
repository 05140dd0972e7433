"""The settings of one Deforum job: complete, bounded, and within what the server reads right.

Owns every key we send. Deforum fills gaps with values that fail or mislead (a dummy prompt, no
frames for an unknown mode) and evaluates schedules and parts of prompts as expressions, so
that all of it is checked here before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from .errors import UnfitSettings
from .stills import MOST_SEED, MOST_STEPS, check_size

Mode = Literal["2D", "3D", "Interpolation"]
SeedBehavior = Literal["iter", "fixed", "random", "ladder", "alternate"]
MOST_FRAMES = 4096
SCHEDULES = frozenset(
    {
        "angle",
        "zoom",
        "translation_x",
        "translation_y",
        "translation_z",
        "rotation_3d_x",
        "rotation_3d_y",
        "rotation_3d_z",
        "noise_schedule",
        "contrast_schedule",
    }
)
_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,99}")
_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_TERM = rf"(?:{_NUMBER}|max_f|t|sin|cos|tan|abs|[-+*/%()\s])"
_ENTRY = re.compile(rf"\d+\s*:\s*\({_TERM}+\)")
_CONTROLNET = {"weight": "0:(1)", "guidance_start": "0:(0.0)", "guidance_end": "0:(1.0)"}
_CONTROLNET_UNITS = range(1, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeforumSettings:
    """`max_frames` frames of one size.

    `batch_name` is unique to the attempt: it names the output folder, and the job is found
    again by it. `prompts` are by frame number and begin at 0. `init_image` is a path *on the
    server* (`WebUIClient.upload`). `strength` is Deforum's: 1 keeps the frame before, 0
    ignores it (the reverse of img2img's). `schedules` are Deforum's strings such as
    "0: (1.02)", numbers and t, max_f, sin, cos, tan, abs only.

    Raises UnfitSettings.
    """

    batch_name: str
    prompts: Mapping[int, str]
    negative_prompt: str = ""
    width_px: int = 512
    height_px: int = 512
    max_frames: int
    fps: int
    seed: int
    seed_behavior: SeedBehavior = "iter"
    steps: int = 25
    cfg_scale: float = 7.0
    sampler: str = "Euler a"
    animation_mode: Mode = "2D"
    strength: float = 0.65
    schedules: Mapping[str, str] = field(default_factory=dict)
    init_image: str | None = None

    def __post_init__(self) -> None:
        check_size(self.width_px, self.height_px)
        if not _BATCH_NAME.fullmatch(self.batch_name):
            raise UnfitSettings("a batch name is 8 to 100 letters, digits, - and _")
        _check_numbers(self)
        _check_prompts(self.prompts, self.negative_prompt, self.max_frames)
        for name, schedule in self.schedules.items():
            if name not in SCHEDULES:
                raise UnfitSettings(f"{name!r} is no schedule we send")
            if not all(_ENTRY.fullmatch(entry.strip()) for entry in schedule.split(",")):
                raise UnfitSettings(f"the schedule {name} is written like '0: (1.02), 20: (1)'")

    def body(self) -> dict[str, Any]:
        """The settings object, every key the job needs.

        diffusion_cadence is always 1: a higher one drops frames at the end.
        """
        negative = f" --neg {self.negative_prompt}" if self.negative_prompt else ""
        return {
            **dict(self.schedules),
            "W": self.width_px,
            "H": self.height_px,
            "steps": self.steps,
            "sampler": self.sampler,
            "seed": self.seed,
            "seed_behavior": self.seed_behavior,
            "max_frames": self.max_frames,
            "fps": self.fps,
            "animation_mode": self.animation_mode,
            "prompts": {str(at): text + negative for at, text in sorted(self.prompts.items())},
            "animation_prompts_positive": "",
            "animation_prompts_negative": "",
            "strength_schedule": f"0: ({self.strength:g})",
            "cfg_scale_schedule": f"0: ({self.cfg_scale:g})",
            "use_init": self.init_image is not None,
            "init_image": self.init_image or "",
            "strength": self.strength,
            "diffusion_cadence": 1,
            "skip_video_creation": True,
            "batch_name": self.batch_name,
            # without these a job fails even where no ControlNet unit is on
            **{
                f"cn_{unit}_{part}": value
                for unit in _CONTROLNET_UNITS
                for part, value in _CONTROLNET.items()
            },
        }


def _check_numbers(told: DeforumSettings) -> None:
    if told.animation_mode not in get_args(Mode):
        raise UnfitSettings(f"{told.animation_mode!r} is no animation mode: it gives no frames")
    if told.seed_behavior not in get_args(SeedBehavior):
        raise UnfitSettings(f"{told.seed_behavior!r} is no seed behaviour")
    if not 1 <= told.max_frames <= MOST_FRAMES:
        raise UnfitSettings(f"between 1 and {MOST_FRAMES} frames can be asked for")
    if not 1 <= told.fps <= 120:
        raise UnfitSettings("fps lies between 1 and 120")
    if not 0 <= told.seed <= MOST_SEED:
        raise UnfitSettings("a seed lies between 0 and 4294967295")
    if not 1 <= told.steps <= MOST_STEPS:
        raise UnfitSettings(f"steps lie between 1 and {MOST_STEPS}")
    if not 0 <= told.cfg_scale <= 30:
        raise UnfitSettings("CFG lies between 0 and 30")
    if not 0 <= told.strength <= 1:
        raise UnfitSettings("strength lies between 0 and 1")


def _check_prompts(prompts: Mapping[int, str], negative: str, max_frames: int) -> None:
    if 0 not in prompts:
        raise UnfitSettings("prompts begin at frame 0: without one a dummy prompt is used")
    if any(not 0 <= at < max_frames for at in prompts):
        raise UnfitSettings("a prompt stands at a frame that does not exist")
    for text in (*prompts.values(), negative):
        if "`" in text or "--neg" in text:
            raise UnfitSettings("a Deforum prompt holds no backtick and no '--neg'")
    if not all(text.strip() for text in prompts.values()):
        raise UnfitSettings("a Deforum prompt is not empty")
