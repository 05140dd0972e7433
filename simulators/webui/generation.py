"""Runs txt2img, img2img and extras.

Owns what a request makes of the server's state and which pictures come back, in which order.
It knows no HTTP.
"""

import base64
import json
import os
import random
import time
from dataclasses import dataclass
from typing import Any

from simulators.webui import animatediff, pictures
from simulators.webui.animatediff import Animation
from simulators.webui.answers import Crashed, Refused
from simulators.webui.faults import Where
from simulators.webui.pictures import Frame
from simulators.webui.requests import Extra, Img2Img, Txt2Img
from simulators.webui.state import SAMPLERS, UPSCALERS, State

VERSION = "v1.8.0-RC-simulated"
_PROMPT_SCRIPTS = ("prompt matrix", "x/y/z plot")


@dataclass(frozen=True)
class Made:
    """What a request made: raw files, frames among them, and the answer's `info`."""

    images: tuple[bytes, ...]
    frames: int
    animated: bool
    interrupted: bool
    info: dict[str, Any]


def check(state: State, asked: Txt2Img) -> None:
    """Raises Refused for what the server notices before it starts."""
    if asked.sampler_name is not None and asked.sampler_name not in SAMPLERS:
        raise Refused(404, "Sampler not found")
    if asked.script_name and asked.script_name.lower() not in _PROMPT_SCRIPTS:
        raise Refused(422, f"Script '{asked.script_name}' not found")
    for name in asked.alwayson_scripts:
        if name.lower() != animatediff.NAME or not state.installed.animatediff:
            raise Refused(422, f"always on script {name} not found")
    if isinstance(asked, Img2Img) and not asked.init_images:
        raise Refused(404, "Init image not found")


def generate(state: State, asked: Txt2Img, job: Where) -> Made:
    """Runs one request to its end. Raises Crashed, Refused."""
    state.progress.begin(f"scripts_{job}", asked.steps, asked.n_iter)
    before = _override(state, asked.override_settings)
    try:
        return _made(state, asked, job)
    finally:
        state.progress.end()
        if asked.override_settings_restore_afterwards:
            _restore(state, before)


def _made(state: State, asked: Txt2Img, job: Where) -> Made:
    init = _init_picture(asked)
    _strike(state, job)
    if not state.installed.checkpoints:
        raise Crashed("AttributeError", "'NoneType' object has no attribute 'sd_checkpoint_info'")
    animation = _animation(state, asked, job)
    if animation is None and state.poisoned:
        raise Crashed("RuntimeError", "shape mismatch in an injected motion module")
    if animation is not None and isinstance(asked, Img2Img) and len(asked.init_images or ()) != 1:
        raise Crashed("RuntimeError", "bad number of images passed: 2; expecting 1 or less")
    for at in range(asked.n_iter):
        state.progress.job_no = at
        state.sample(asked.steps)
    seed = asked.seed if asked.seed >= 0 else random.SystemRandom().randrange(2**32)
    count = asked.n_iter * (animation.frames if animation else asked.batch_size)
    if state.faults.strike("short_frames", where=job):
        count = max(1, count - 1)
    if animation is not None:
        state.poisoned = not animation.animated
    signature = f"{asked.prompt}|{asked.negative_prompt}|{seed}|{asked.cfg_scale}"
    strength = asked.denoising_strength if isinstance(asked, Img2Img) else 1.0
    frames = [
        pictures.drawn(at, max(8, asked.width), max(8, asked.height), signature, init, strength)
        for at in range(count)
    ]
    images, first = _arranged(state, asked, animation, frames)
    if state.faults.strike("corrupt_frames", where=job):
        images = [*images[:-1], images[-1][: len(images[-1]) // 2]]
    return Made(
        images=tuple(images),
        frames=count,
        animated=animation is not None and animation.animated,
        interrupted=state.progress.interrupted,
        info=_info(state, asked, seed, count, first, animation),
    )


def _strike(state: State, job: Where) -> None:
    if slow := state.faults.strike("slow", where=job):
        time.sleep(slow.seconds)
    if state.faults.strike("exit", where=job):
        os._exit(137)
    if state.faults.strike("oom", where=job):
        raise Crashed("OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 GiB")
    if state.faults.strike("error", where=job):
        raise Crashed("RuntimeError", "ordered fault")


def _init_picture(asked: Txt2Img) -> Frame | None:
    if not isinstance(asked, Img2Img) or not asked.init_images:
        return None
    try:
        read = [pictures.rgb(pictures.from_base64(text)) for text in asked.init_images]
    except ValueError as error:
        raise Refused(500, str(error)) from error
    return read[0]


def _animation(state: State, asked: Txt2Img, job: Where) -> Animation | None:
    for name, told in asked.alwayson_scripts.items():
        if name.lower() != animatediff.NAME or not isinstance(told, dict):
            continue
        if state.faults.strike("silent_fallback", where=job):
            return None
        installed = state.installed
        try:
            return animatediff.understood(
                told.get("args"), asked.prompt, installed.motion_models, installed.freeinit
            )
        except Crashed:
            state.poisoned = True
            raise
    return None


def _arranged(
    state: State, asked: Txt2Img, animation: Animation | None, frames: list[Frame]
) -> tuple[list[bytes], int]:
    """The answer's images in their order, and the index of the first one that is no grid."""
    encoding: pictures.Encoding = state.options["samples_format"]
    singles = [pictures.encoded(frame, encoding) for frame in frames]
    movies = [kind for kind in animatediff.MOVIES if animation and kind in animation.formats]
    if animation is not None and movies:
        films = [_film(frames, animation.fps, kind) for kind in movies]
        return [*films, *(singles if "Frame" in animation.formats else [])], 0
    if asked.save_images and len(singles) > 1:
        return [pictures.encoded(pictures.grid(frames), encoding), *singles], 1
    return singles, 0


def _film(frames: list[Frame], fps: int, kind: str) -> bytes:
    if kind == "GIF":
        return pictures.animation(frames, fps, "GIF")
    if kind == "WEBP":
        return pictures.animation(frames, fps, "WEBP")
    return pictures.movie(frames, fps, "MP4" if kind == "MP4" else "WEBM")


def _info(
    state: State, asked: Txt2Img, seed: int, count: int, first: int, animation: Animation | None
) -> dict[str, Any]:
    text = f"{asked.prompt}\nSteps: {asked.steps}, Seed: {seed}, Version: {VERSION}"
    return {
        "prompt": asked.prompt,
        "negative_prompt": asked.negative_prompt,
        "seed": seed,
        "all_seeds": [seed + at for at in range(count)],
        "width": asked.width,
        "height": asked.height,
        "sampler_name": asked.sampler_name or SAMPLERS[0],
        "cfg_scale": asked.cfg_scale,
        "steps": asked.steps,
        "batch_size": animation.context if animation else asked.batch_size,
        "sd_model_name": state.options["sd_model_checkpoint"].partition(".")[0],
        "extra_generation_params": animation.extra if animation else {},
        "index_of_first_image": first,
        "infotexts": [text] * (count + first),
        "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
        "version": VERSION,
    }


def _override(state: State, wanted: dict[str, Any]) -> dict[str, Any]:
    """Sets options for one request; a checkpoint that is not there is silently left out."""
    if wanted.get("sd_model_checkpoint", "") not in ("", *state.installed.checkpoints):
        wanted = {key: value for key, value in wanted.items() if key != "sd_model_checkpoint"}
    before = {key: state.options[key] for key in wanted if key in state.options}
    state.options.update({key: wanted[key] for key in before})
    return before


def _restore(state: State, before: dict[str, Any]) -> None:
    # options that were never saved keep the overriding value, as on the real server
    state.options.update({k: v for k, v in before.items() if k in state.saved_options})


def upscaled(state: State, asked: Extra, given: list[str]) -> list[bytes]:
    """The pictures made larger. Raises Crashed, Refused."""
    state.progress.begin("extras", 1, len(given))
    try:
        _strike(state, "extras")
        if asked.upscaler_1 not in UPSCALERS:
            raise Crashed("AssertionError", f"could not find upscaler named {asked.upscaler_1}")
        state.sample(1)
        if state.faults.strike("silent_fallback", where="extras"):
            asked = asked.model_copy(update={"resize_mode": 0, "upscaling_resize": 1.0})
        return [_enlarged(asked, text) for text in given]
    finally:
        state.progress.end()


def _enlarged(asked: Extra, text: str) -> bytes:
    try:
        frame = pictures.rgb(pictures.from_base64(text))
    except ValueError as error:
        raise Refused(500, str(error)) from error
    height, width = frame.shape[:2]
    size = (asked.upscaling_resize_w, asked.upscaling_resize_h)
    if asked.resize_mode == 0:
        size = (round(width * asked.upscaling_resize), round(height * asked.upscaling_resize))
    return pictures.encoded(pictures.marked(pictures.scaled(frame, *size)))


def body(made: Made, asked: Txt2Img, garbled: bool) -> dict[str, Any]:
    """The JSON answer: bare base64, and `info` as a string of JSON."""
    images = [base64.b64encode(image).decode() for image in made.images]
    shown = asked.model_dump(exclude={"init_images"})
    info = "{" if garbled else json.dumps(made.info)
    return {"images": images if asked.send_images else [], "parameters": shown, "info": info}
