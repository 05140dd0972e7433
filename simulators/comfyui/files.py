"""The simulator's folders and the rules by which files are named in them.

Owns models/, input/, output/ and temp/ under the state folder: annotated names, upload
renaming, output counters. Every name here comes from outside and is treated as hostile;
nothing outside the four folders is ever opened.
"""

import hashlib
import mimetypes
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FOLDERS = ("input", "output", "temp")

# The files the official Wan 2.2 workflows name, per folder (facts: ComfyUI, model files).
MODEL_FILES: dict[str, tuple[str, ...]] = {
    "diffusion_models": (
        "Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors",
        "wan2.2_animate_14B_bf16.safetensors",
        "wan2.2_fun_control_high_noise_14B_fp8_scaled.safetensors",
        "wan2.2_fun_control_low_noise_14B_fp8_scaled.safetensors",
        "wan2.2_fun_inpaint_high_noise_14B_fp8_scaled.safetensors",
        "wan2.2_fun_inpaint_low_noise_14B_fp8_scaled.safetensors",
        "wan2.2_s2v_14B_bf16.safetensors",
        "wan2.2_s2v_14B_fp8_scaled.safetensors",
    ),
    "text_encoders": ("umt5_xxl_fp8_e4m3fn_scaled.safetensors",),
    "vae": ("wan_2.1_vae.safetensors",),
    "clip_vision": ("clip_vision_h.safetensors",),
    "audio_encoders": ("wav2vec2_large_english_fp16.safetensors",),
    "loras": (
        "WanAnimate_relight_lora_fp16.safetensors",
        "lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors",
        "wan2.2_i2v_lightx2v_4steps_lora_v1_high_noise.safetensors",
        "wan2.2_i2v_lightx2v_4steps_lora_v1_low_noise.safetensors",
        "wan2.2_t2v_lightx2v_4steps_lora_v1.1_high_noise.safetensors",
    ),
    "checkpoints": (),
    "controlnet": (),
    "embeddings": (),
    "upscale_models": (),
}

_ANNOTATED = re.compile(r"^(?P<name>.*) \[(?P<folder>input|output|temp)\]$", re.DOTALL)


class ForbiddenPath(Exception):
    """A name that leads out of the simulator's folders."""


@dataclass(frozen=True)
class OutputName:
    """A free name in output/ or temp/; ``counter`` is the first unused number."""

    folder: Path
    stem: str
    counter: int
    subfolder: str
    kind: str

    def path(self, ending: str, step: int = 0) -> Path:
        """The file for the ``step``-th item, e.g. ``clip_00001_.mp4``."""
        return self.folder / f"{self.stem}_{self.counter + step:05}_.{ending}"

    def listed(self, ending: str, step: int = 0) -> dict[str, str]:
        """That file as ComfyUI lists it in a node's output."""
        return {
            "filename": self.path(ending, step).name,
            "subfolder": self.subfolder,
            "type": self.kind,
        }


class Files:
    """The folders of one simulator. Methods raise ForbiddenPath for names that lead out."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.models = state / "models"
        for name in FOLDERS:
            (state / name).mkdir(parents=True, exist_ok=True)
        if not self.models.exists():
            for folder, names in MODEL_FILES.items():
                (self.models / folder).mkdir(parents=True)
                for name in names:
                    (self.models / folder / name).touch()
        # A restarted server keeps inputs and outputs but starts with an empty temp folder.
        shutil.rmtree(state / "temp")
        (state / "temp").mkdir()

    def folder(self, kind: str) -> Path:
        """input, output or temp; KeyError for any other word."""
        if kind not in FOLDERS:
            raise KeyError(kind)
        return self.state / kind

    def inside(self, kind: str, *parts: str) -> Path:
        """The path of a name in a folder, or ForbiddenPath."""
        root = self.folder(kind)
        if any("\0" in part for part in parts):
            raise ForbiddenPath("a name holds a NUL byte")
        path = root.joinpath(*parts).resolve()
        if not path.is_relative_to(root.resolve()):
            raise ForbiddenPath("a name leads out of its folder")
        return path

    def annotated(self, name: str) -> Path:
        """``sub/a.png``, ``a.mp3 [output]``, ``b.png [temp]``: input is the default folder."""
        plain, kind = split_annotation(name)
        return self.inside(kind or "input", plain)

    def exists(self, name: str) -> bool:
        """Whether an annotated name is there; a name that leads out counts as absent."""
        try:
            return self.annotated(name).is_file()
        except ForbiddenPath:
            return False

    def model_folders(self) -> list[str]:
        """Names of the model folders."""
        return sorted(p.name for p in self.models.iterdir() if p.is_dir())

    def model_names(self, folder: str) -> list[str] | None:
        """Files of one model folder, or None where there is no such folder."""
        if folder not in self.model_folders():
            return None
        return sorted(p.name for p in (self.models / folder).iterdir() if p.is_file())

    def listed(self, source: str) -> list[str]:
        """The values of a file list: ``models/<folder>``, ``input/<kinds>`` or ``input/.<end>``.

        Files in sub-folders of input/ are not listed, as on the real server.
        """
        place, _, wanted = source.partition("/")
        if place == "models":
            return self.model_names(wanted) or []
        names = sorted(p.name for p in self.folder("input").iterdir() if p.is_file())
        if wanted.startswith("."):
            return [n for n in names if n.endswith(wanted)]
        kinds = tuple(wanted.split(","))
        return [n for n in names if (mimetypes.guess_type(n)[0] or "").startswith(kinds)]

    def store_upload(
        self, data: BinaryIO, name: str, subfolder: str, kind: str, overwrite: bool
    ) -> str:
        """Writes an upload and returns the name it got.

        The same name with the same bytes keeps the file; with other bytes the new file gets
        `` (1)``, `` (2)`` ... before its ending, unless it overwrites.
        """
        folder = self.inside(kind, subfolder)
        path = self.inside(kind, subfolder, name)
        folder.mkdir(parents=True, exist_ok=True)
        stem, dot, ending = name.rpartition(".")
        number = 0
        while not overwrite and path.exists():
            if _digest_of(data) == digest(path):
                return path.name
            number += 1
            fresh = f"{stem} ({number}).{ending}" if dot else f"{name} ({number})"
            path = self.inside(kind, subfolder, fresh)
        data.seek(0)
        with path.open("wb") as out:
            shutil.copyfileobj(data, out, 1 << 20)
        return path.name

    def output_name(self, prefix: str, kind: str = "output") -> OutputName:
        """The next free number for a filename prefix, counted per folder and prefix."""
        target = self.inside(kind, prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        pattern = re.compile(re.escape(target.name) + r"_(\d+)_?\..*")
        taken = [int(m[1]) for p in target.parent.iterdir() if (m := pattern.fullmatch(p.name))]
        subfolder = target.parent.relative_to(self.folder(kind).resolve()).as_posix()
        return OutputName(
            folder=target.parent,
            stem=target.name,
            counter=max(taken, default=0) + 1,
            subfolder="" if subfolder == "." else subfolder,
            kind=kind,
        )

    def temp_name(self) -> OutputName:
        """A fresh random name in temp/, as previews get."""
        return self.output_name(f"ComfyUI_temp_{secrets.token_hex(3)}", "temp")


def split_annotation(name: str) -> tuple[str, str | None]:
    """``a.mp3 [output]`` is ("a.mp3", "output"); without an annotation the folder is None."""
    match = _ANNOTATED.match(name)
    return (match["name"], match["folder"]) if match else (name, None)


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _digest_of(data: BinaryIO) -> str:
    data.seek(0)
    summed = hashlib.sha256()
    while block := data.read(1 << 20):
        summed.update(block)
    return summed.hexdigest()
