"""What txt2img, img2img and upscaling are asked for.

Owns the fields we send and the bounds within which we send them: the server takes odd sizes
and ignores what it does not know, so that a slip would pass unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import UnfitSettings
from .pictures import as_base64, rgb_png

LEAST_SIDE_PX, MOST_SIDE_PX, SIDE_STEP_PX = 64, 4096, 8
MOST_STEPS, MOST_COUNT = 150, 64
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Txt2Img:
    """`count` stills of one size from a prompt; still n has the seed `seed` + n.

    Raises UnfitSettings. Sides are in pixels and multiples of 8.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int
    steps: int = 20
    cfg_scale: float = 7.0
    width_px: int = 512
    height_px: int = 512
    sampler: str = "Euler a"
    count: int = 1

    def __post_init__(self) -> None:
        check_size(self.width_px, self.height_px)
        if not 0 <= self.seed <= MOST_SEED:
            raise UnfitSettings("a seed lies between 0 and 4294967295")
        if not 1 <= self.steps <= MOST_STEPS:
            raise UnfitSettings(f"steps lie between 1 and {MOST_STEPS}")
        if not 1 <= self.count <= MOST_COUNT:
            raise UnfitSettings(f"between 1 and {MOST_COUNT} stills can be asked for at once")
        if not 0 <= self.cfg_scale <= 30:
            raise UnfitSettings("CFG lies between 0 and 30")

    @property
    def route(self) -> str:
        """Where it is sent."""
        return "/sdapi/v1/txt2img"

    def body(self) -> dict[str, Any]:
        """The JSON to send; one image after another, so that memory does not grow with count."""
        return {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            "steps": self.steps,
            "cfg_scale": self.cfg_scale,
            "width": self.width_px,
            "height": self.height_px,
            "sampler_name": self.sampler,
            "batch_size": 1,
            "n_iter": self.count,
            "send_images": True,
            # a saved grid would be sent as the first picture
            "save_images": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Img2Img(Txt2Img):
    """Stills from one picture file; `strength` 0 keeps it, 1 ignores it."""

    init_image: bytes
    strength: float = 0.75

    def __post_init__(self) -> None:
        Txt2Img.__post_init__(self)
        if not 0 <= self.strength <= 1:
            raise UnfitSettings("strength lies between 0 and 1")

    @property
    def route(self) -> str:
        """Where it is sent."""
        return "/sdapi/v1/img2img"

    def body(self) -> dict[str, Any]:
        """The JSON to send, the picture as RGB PNG. Raises UnfitSettings for no picture."""
        return {
            **Txt2Img.body(self),
            "init_images": [as_base64(rgb_png(self.init_image))],
            "denoising_strength": self.strength,
            "resize_mode": 0,
            "include_init_images": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Upscale:
    """Picture files made `factor` times larger by a named upscaler, in their order."""

    images: tuple[bytes, ...]
    factor: float
    upscaler: str

    def __post_init__(self) -> None:
        if not 1 < self.factor <= 8:
            raise UnfitSettings("an upscale factor lies above 1 and up to 8")
        if not self.images:
            raise UnfitSettings("there is no picture to upscale")

    @property
    def route(self) -> str:
        """Where it is sent."""
        return "/sdapi/v1/extra-batch-images"

    def body(self) -> dict[str, Any]:
        """The JSON to send. Raises UnfitSettings for no picture."""
        return {
            "resize_mode": 0,
            "upscaling_resize": self.factor,
            "upscaler_1": self.upscaler,
            "imageList": [
                {"data": as_base64(rgb_png(image)), "name": f"{at:05}.png"}
                for at, image in enumerate(self.images)
            ],
        }


def check_size(width_px: int, height_px: int) -> None:
    """Raises UnfitSettings for sides the server would silently change."""
    for side in (width_px, height_px):
        if not LEAST_SIDE_PX <= side <= MOST_SIDE_PX or side % SIDE_STEP_PX:
            raise UnfitSettings(
                f"{width_px}x{height_px}: sides are multiples of {SIDE_STEP_PX} "
                f"between {LEAST_SIDE_PX} and {MOST_SIDE_PX} pixels"
            )
