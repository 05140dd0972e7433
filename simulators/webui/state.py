"""Everything one simulator process knows.

Owns what is installed, the options, the lock that serialises generation, and the poisoned
motion module. It must not answer requests.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from simulators.webui.faults import FaultBoard
from simulators.webui.journal import Journal
from simulators.webui.progress import Progress
from simulators.webui.settings import Settings

OPTIONS: dict[str, Any] = {
    "sd_model_checkpoint": "simulated-sd15.safetensors [0123456789]",
    "samples_format": "png",
    "sd_vae": "Automatic",
    "CLIP_stop_at_last_layers": 1,
    "eta_noise_seed_delta": 0,
}
SAMPLERS = ("DPM++ 2M Karras", "Euler a", "Euler", "DDIM")
UPSCALERS = ("None", "Lanczos", "Nearest", "R-ESRGAN 4x+")


class Installed(BaseModel):
    """What the server has; every part can be changed while it runs."""

    model_config = ConfigDict(extra="forbid")

    animatediff: bool = True
    freeinit: bool = True
    deforum: bool = True
    controlnet: bool = True
    file_access: bool = True
    flavour: str = "a1111"
    motion_models: list[str] = ["mm_sd15_v3.safetensors", "mm_sd_v15_v2.ckpt"]
    checkpoints: list[str] = ["simulated-sd15.safetensors", "other-sd15.safetensors"]


@dataclass
class State:
    """One simulator process."""

    settings: Settings
    journal: Journal
    faults: FaultBoard
    installed: Installed
    step_s: float
    progress: Progress = field(default_factory=Progress)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    options: dict[str, Any] = field(default_factory=lambda: dict(OPTIONS))
    saved_options: set[str] = field(default_factory=set)
    poisoned: bool = False

    def sample(self, steps: int) -> None:
        """Takes the time that `steps` sampling steps take; an interrupt ends it early."""
        for step in range(1, steps + 1):
            if self.progress.interrupted or self.progress.skipped:
                return
            self.progress.step = step
            time.sleep(self.step_s)


def build(settings: Settings) -> State:
    """The state of a fresh process."""
    installed = Installed(
        animatediff=settings.animatediff,
        deforum=settings.deforum,
        controlnet=settings.controlnet,
    )
    return State(
        settings=settings,
        journal=Journal(settings.journal),
        faults=FaultBoard(),
        installed=installed,
        step_s=settings.step_s,
    )
