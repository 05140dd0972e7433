"""Runs planned jobs on a server, segment by segment, as an executor would.

Media are made here at the size and length that a plan orders, each asset with a look of its own,
so that a lost wire shows as an unchanged picture. Pictures come back as decoded frames.
"""

from __future__ import annotations

import io
import math
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from PIL import Image

from contracts.base import Scalar, StoredFile, sha256_hex
from contracts.media import MediaOrder, PreparedMedia
from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.assets import KnownAsset
from planning.binding import BoundGraph, bind, engine_filename
from planning.limits import PlanLimits
from planning.planner import plan
from planning.registry import WorkflowRegistry
from planning.requests import JobRequest
from planning.workflow import WorkflowVersion
from tests.conformance.graphs import node
from tests.conformance.server import Server
from tests.planning.examples import SEED, WORKFLOWS, engine, known, prepare

SIZE_PX = (64, 64)
RUN_LIMIT_S = 300.0
Frames = npt.NDArray[np.uint8]
SHORT_LENGTH = 17
GPU_REPEATS_WITHIN = 1.5
"""Mean difference, in grey levels of 255, within which a GPU repeats a picture. Seen on an H200 at
64 x 64 pixels: at most 0.8 between repetitions, at least 6.5 after any change."""


def _shortened(version: WorkflowVersion) -> WorkflowVersion:
    """The same graphs, planned in segments of 17 frames instead of 77."""
    rule = version.manifest.frames
    if rule.continuation is None:
        return version
    further = rule.continuation.model_copy(update={"segments_max": 20, "length_min": 9})
    short = rule.model_copy(update={"length_max": SHORT_LENGTH, "continuation": further})
    return replace(version, manifest=version.manifest.model_copy(update={"frames": short}))


SHORT = WorkflowRegistry(tuple(_shortened(version) for version in WORKFLOWS.versions))
"""Every version with short segments: what goes on from what is the same, and quick."""


@dataclass
class Made:
    """What a job gave: frames of every video by segment, and the seconds that prompts ran."""

    plan: JobPlan
    bound: list[BoundGraph] = field(default_factory=list)
    videos: list[dict[str, Frames]] = field(default_factory=list)
    lossless: list[Frames] = field(default_factory=list)
    ran_s: float = 0.0

    @property
    def frames(self) -> Frames:
        """The delivered video: the segments' own frames, one after the other."""
        return np.concatenate([segment["video"] for segment in self.videos])


def planned(
    request: JobRequest,
    *,
    assets: Sequence[KnownAsset] = (),
    workflows: WorkflowRegistry = WORKFLOWS,
    **parameters: Scalar,
) -> JobPlan:
    """The plan of a request at the tiny size, with fewer sampling steps and other parameters."""
    tiny = PlanLimits(size_override_px=SIZE_PX)
    made = plan(request, known(*assets), workflows, (engine(),), SEED, tiny)
    assert isinstance(made, JobPlan), made
    return with_parameters(made, **({"steps": 2} | parameters))


def with_parameters(made: JobPlan, **parameters: Scalar) -> JobPlan:
    """The plan with other values of parameters that its stage has."""
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    if "handover_step" in stage.parameters:
        parameters = {"handover_step": 1, **parameters}
    changed = stage.model_copy(update={"parameters": {**stage.parameters, **parameters}})
    return made.model_copy(update={"stages": (changed,)})


async def run(
    server: Server,
    made: JobPlan,
    folder: Path,
    *,
    workflows: WorkflowRegistry = WORKFLOWS,
    lossless: bool = False,
) -> Made:
    """Runs every segment of a plan and decodes what it saved; `lossless` also keeps its frames as
    they were before they were coded."""
    result = Made(made)
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    version = workflows.pinned(stage.workflow)
    prepared = await prepare_media(server, made, folder)
    prefix = f"conformance/{uuid.uuid4().hex}"
    carried: dict[str, str] = {}
    for segment in stage.segments:
        bound = bind(version, stage, segment, prepared)
        for name, places in bound.checkpoints.items():
            for place in places:
                bound.graph[place.node]["inputs"][place.input] = carried[name]
        for slot in bound.slots:
            bound.graph[slot.at.node]["inputs"][slot.at.input] = f"{prefix}/{segment.index}"
        if lossless:
            source = bound.graph["video"]["inputs"]["images"]
            bound.graph["lossless"] = node("PreviewImage", images=source)
        started = time.monotonic()
        entry = await server.succeeded(bound.graph, limit_s=RUN_LIMIT_S)
        result.ran_s += time.monotonic() - started
        saved, carried = await _fetched(server, bound, entry, folder)
        result.bound.append(bound)
        result.videos.append(saved)
        if lossless:
            result.lossless.append(await pictures(server, entry["outputs"]["lossless"]["images"]))
    return result


async def pictures(server: Server, items: Sequence[dict[str, str]]) -> Frames:
    """The listed pictures: frames × height × width × 3."""
    answers = [await server.http.get("/view", params=item) for item in items]
    opened = [Image.open(io.BytesIO(answer.content)).convert("RGB") for answer in answers]
    return np.stack([np.asarray(picture) for picture in opened])


async def prepare_media(server: Server, made: JobPlan, folder: Path) -> list[PreparedMedia]:
    """Every medium of the plan, made here and uploaded."""
    return [await _provide(server, order, folder) for order in made.media]


async def _fetched(
    server: Server, bound: BoundGraph, entry: dict[str, Any], folder: Path
) -> tuple[dict[str, Frames], dict[str, str]]:
    videos: dict[str, Frames] = {}
    carried: dict[str, str] = {}
    for output in bound.outputs:
        told = entry["outputs"][output.node]
        [item] = told.get("images") or told["latents"]
        path = await server.fetched(item, folder)
        if output.media == "video":
            videos[output.name] = frames_in(path)
        else:
            carried[output.name] = await server.upload(path)
    return videos, carried


def frames_in(path: Path) -> Frames:
    """Every frame of a video as RGB: frames × height × width × 3."""
    with av.open(str(path)) as opened:
        pictures = [f.to_ndarray(format="rgb24") for f in opened.decode(video=0)]
    return np.stack(pictures).astype(np.uint8)


async def _provide(server: Server, order: MediaOrder, folder: Path) -> PreparedMedia:
    """Makes the medium, unless a test of this run did, puts it where the graph will look for it,
    and says so."""
    expected = prepare(order)
    made = folder.parent / "made"
    made.mkdir(exist_ok=True)
    name = f"{expected.asset_sha256[:8]}-{expected.recipe_id}{Path(expected.file.key).suffix}"
    path = made / name
    if not path.exists():
        make_medium(order, path)
    data = path.read_bytes()
    file = StoredFile(key=expected.file.key, sha256=sha256_hex(data), size_bytes=len(data))
    await server.upload(path, engine_filename(file), subfolder="animatrix", overwrite="1")
    return expected.model_copy(update={"file": file})


def make_medium(order: MediaOrder, path: Path) -> None:
    """A file as the recipe orders it; equal assets look alike, different ones do not."""
    look = int(order.asset_sha256[:4], 16)
    recipe = order.recipe
    if recipe.kind == "audio":
        pitch = f"220+{look % 400}*t"
        source = f"aevalsrc='0.4*sin(2*PI*({pitch})*t)':d={recipe.duration_s}:s=48000"
        _ffmpeg("-f", "lavfi", "-i", source, str(path))
        return
    size = f"{recipe.width_px}x{recipe.height_px}"
    hue = f"hue=h={look % 360}"
    if recipe.kind == "image":
        # a crop is a zoom here: what matters is that another crop is another picture
        share = 1.0 if recipe.crop is None else 0.5 + recipe.crop.height_px % 97 / 200
        zoom = f"crop=iw*{share:.3f}:ih*{share:.3f},scale={size.replace('x', ':')}"
        source = f"testsrc=size={size}:rate=1"
        _ffmpeg("-f", "lavfi", "-i", source, "-vf", f"{hue},{zoom}", "-frames:v", "1", str(path))
        return
    source = f"testsrc2=size={size}:rate={recipe.fps}"
    lossless = ("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p", "-preset", "ultrafast")
    count = ("-frames:v", str(recipe.frames))
    _ffmpeg("-f", "lavfi", "-i", source, "-vf", hue, *count, *lossless, str(path))


def _ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def apart(one: Frames, other: Frames) -> float:
    """Mean difference in grey levels; endless where the shapes differ."""
    if one.shape != other.shape:
        return math.inf
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


async def repeats_within(server: Server) -> float:
    """How far apart pictures of the same graph may be: a processor repeats every bit."""
    if server.kind != "real":
        return 0.0
    [device] = (await server.http.get("/system_stats")).json()["devices"]
    return 0.0 if device["type"] == "cpu" else GPU_REPEATS_WITHIN


async def missing_files(server: Server, made: JobPlan) -> list[str]:
    """Model files of the plan's workflow that the server does not list."""
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    version = WORKFLOWS.pinned(stage.workflow)
    named = {value for value in stage.parameters.values() if isinstance(value, str)}
    missing = []
    for model in version.manifest.required_models:
        if model.file not in named:
            continue
        about: Mapping[str, Any] = (
            await server.http.get(f"/object_info/{model.node_class}")
        ).json()
        offered = about[model.node_class]["input"]["required"][model.input_name][0]
        if model.file not in offered:
            missing.append(model.file)
    return missing
