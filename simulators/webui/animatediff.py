"""What the AnimateDiff extension makes of its arguments.

Owns the extension's defaults, and which arguments animate, which silently do nothing, and
which leave the motion module injected in a server that then fails.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from simulators.webui.answers import Crashed
from simulators.webui.pictures import from_base64

NAME = "animatediff"
MOVIES = ("GIF", "MP4", "WEBP", "WEBM")
_FORMATS = frozenset((*MOVIES, "PNG", "TXT", "Frame"))
_TRAVEL = re.compile(r"^\s*(\d+)\s*:")
_FREEINIT = {
    "freeinit_enable": False,
    "freeinit_filter": "butterworth",
    "freeinit_ds": 0.25,
    "freeinit_dt": 0.25,
    "freeinit_iters": 3,
}
_DEFAULTS: dict[str, Any] = {
    "model": "mm_sd15_v3.safetensors",
    "enable": False,
    "video_length": 0,
    "fps": 8,
    "loop_number": 0,
    "closed_loop": "R-P",
    "batch_size": 16,
    "stride": 1,
    "overlap": -1,
    "format": ["GIF", "PNG"],
    "interp": "Off",
    "interp_x": 10,
    "video_source": None,
    "video_path": "",
    "mask_path": "",
    "latent_power": 1,
    "latent_scale": 32,
    "last_frame": None,
    "latent_power_last": 1,
    "latent_scale_last": 32,
    "request_id": "",
}
# the extension's class has these attributes too, though no client may send them
_INTERNAL = {"video_default": False, "is_i2i_batch": False, "prompt_scheduler": None}


@dataclass(frozen=True)
class Animation:
    """A run that the extension takes part in."""

    frames: int
    fps: int
    formats: tuple[str, ...]
    context: int
    animated: bool
    extra: dict[str, str]


def defaults(freeinit: bool) -> dict[str, Any]:
    """The defaults object that script-info shows."""
    return {**_DEFAULTS, **(_FREEINIT if freeinit else {}), **_INTERNAL}


def script_info(tab: Literal["txt2img", "img2img"], freeinit: bool) -> dict[str, Any]:
    """The extension's entry in /sdapi/v1/script-info."""
    empty = dict.fromkeys(("minimum", "maximum", "step", "choices"))
    args = [{"label": "", "value": defaults(freeinit), **empty}]
    return {"name": NAME, "is_alwayson": True, "is_img2img": tab == "img2img", "args": args}


def understood(args: Any, prompt: str, models: list[str], freeinit: bool) -> Animation | None:
    """The animation these arguments ask for; None where the extension silently does nothing.

    Raises Crashed for what breaks it inside the sampler; the caller poisons the server.
    """
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        return None
    asked = args[0]
    known = defaults(freeinit)
    if set(asked) - set(known):
        return None
    chosen = {**known, **asked}
    if chosen["enable"] is not True or chosen["model"] not in models:
        return None
    formats, fps = chosen["format"], chosen["fps"]
    bad_format = not isinstance(formats, list) or not formats or formats == ["Frame"]
    if bad_format or set(formats) - _FORMATS or not isinstance(fps, int) or fps <= 0:
        raise Crashed("EinopsError", "Error while processing rearrange-reduction pattern")
    context = int(chosen["batch_size"])
    frames = max(int(chosen["video_length"]) or context, context)
    travel = [int(found[1]) for line in prompt.splitlines() if (found := _TRAVEL.match(line))]
    said = {key: chosen[key] for key in ("enable", "model", "video_length", "fps", "closed_loop")}
    said["last_frame"] = _usable(chosen["last_frame"])
    return Animation(
        frames=frames,
        fps=fps,
        formats=tuple(formats),
        context=context,
        animated=not any(at >= frames for at in travel),
        extra={"AnimateDiff": ", ".join(f"{key}: {value}" for key, value in said.items())},
    )


def _usable(last_frame: Any) -> bool:
    """Whether the last frame has an effect; an unreadable or RGBA one is silently ignored."""
    if not isinstance(last_frame, str):
        return False
    try:
        return from_base64(last_frame).mode == "RGB"
    except ValueError:
        return False
