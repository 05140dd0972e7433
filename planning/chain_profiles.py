"""What a quality profile means for a stage chain, and the defaults of its stages.

Sizes are what checkpoints of the Stable Diffusion 1.5 family draw well, on a grid of 16 pixels, so
that upscaling by halves stays exact. Must not know engines.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.plan import AspectRatio, QualityProfile
from contracts.stages import Preset, VideoCodec


class ChainProfile(NamedTuple):
    """Steps of a drawing stage; sizes in pixels (width, height) drawn and, for attached stills
    that no engine touches, delivered."""

    steps: int
    drawn: dict[AspectRatio, tuple[int, int]]
    shown: dict[AspectRatio, tuple[int, int]]


PROFILES: dict[QualityProfile, ChainProfile] = {
    "draft": ChainProfile(
        12,
        {"9:16": (288, 512), "16:9": (512, 288), "1:1": (384, 384)},
        {"9:16": (480, 854), "16:9": (854, 480), "1:1": (480, 480)},
    ),
    "standard": ChainProfile(
        20,
        {"9:16": (432, 768), "16:9": (768, 432), "1:1": (512, 512)},
        {"9:16": (720, 1280), "16:9": (1280, 720), "1:1": (720, 720)},
    ),
    "high": ChainProfile(
        30,
        {"9:16": (576, 1024), "16:9": (1024, 576), "1:1": (768, 768)},
        {"9:16": (1080, 1920), "16:9": (1920, 1080), "1:1": (1080, 1080)},
    ),
}
SAMPLER = "Euler a"
CFG = 7.0
STRENGTH = 0.55
NUM_FRAMES = 24
FRAMES_FPS = 12
STILLS_FPS = 24
SECONDS_PER_STILL = 2.0
FACTOR = 2.0
UPSCALER = "Lanczos"
"""Built into every WebUI."""
NO_UPSCALER = "None"
"""Offered by every WebUI, and gives pictures back as they were."""

CODECS: dict[str, VideoCodec] = {"mp4": "libx264", "webm": "libvpx-vp9", "gif": "gif"}
"""The codec of a container; there is no choice that plays everywhere."""
CRF: dict[str, int] = {"mp4": 18, "webm": 30, "gif": 18}
MAX_CRF: dict[str, int] = {"mp4": 51, "webm": 63, "gif": 63}
PRESET: Preset = "medium"
MAX_GIF_FPS = 50
"""A GIF counts in hundredths of a second, and viewers slow down one of a single hundredth."""
