"""A stage chain as the executor (or, without steps, the composer) leaves it for the collector.

Pictures count like every medium of the tests and carry what a WebUI writes into its PNGs. Must not
use the collector, but for `python -m`, which collects the chains of a folder's stores in a process
of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from contracts import keys
from contracts.base import Contract, StoredFile, canonical_bytes
from contracts.events import ExecutionFinished
from contracts.plan import (
    Delivery,
    EngineUsed,
    ExecutionReport,
    Frame,
    PictureIndex,
    RenderOrder,
    RunPlan,
    StepOutput,
    StepResult,
    WebuiStep,
)
from contracts.stages import (
    BackendParams,
    DeforumParams,
    UpscaleStage,
    VideoFramesStage,
    VideoRenderStage,
)
from runtime.media_store import MediaStore
from runtime.media_store_local import LocalMediaStore
from services.collector.collection import Making, collect
from tests.collector.scene import SECRET_PROMPT, Left, finished, record_of, rewrite
from tests.support.examples import JOB, PROMPT
from tests.support.media import Size, counter_picture

SIZE = Size(96, 64)
FPS = 12


def render_stage(**changed: object) -> VideoRenderStage:
    """A render stage at 12 frames per second; the codec follows the container."""
    codecs = {"mp4": "libx264", "webm": "libvpx-vp9", "gif": "gif"}
    codec = codecs[str(changed.get("container", "mp4"))]
    return VideoRenderStage.model_validate({"fps": FPS, "codec": codec, **changed})


def picture(number: int, size: Size = SIZE, *, mode: str = "RGB") -> bytes:
    """A PNG that shows the number and holds the prompt in a text chunk, as A1111 writes it."""
    told = PngInfo()
    told.add_text("parameters", SECRET_PROMPT)
    grey = counter_picture(number, size)
    sink = BytesIO()
    image = Image.fromarray(np.stack([grey, grey // 2 + 60, 255 - grey // 3], -1)).convert(mode)
    image.save(sink, "PNG", pnginfo=told)
    return sink.getvalue()


@dataclass(frozen=True, slots=True)
class Chain:
    """What a chain's render is made of. Uploaded stills come from no step, other pictures from
    the last of `steps` WebUI steps; `frames` is how many the delivery has."""

    pictures: Sequence[bytes]
    frames: int
    config: VideoRenderStage = field(default_factory=render_stage)
    uploaded: bool = False
    stills: bool = False
    size: Size = SIZE
    soundtrack: Path | None = None
    indexed: int | None = None
    simulated: bool = True


def of_frames(count: int, **changed: object) -> Chain:
    """A chain that ends in a frame stage of `count` frames."""
    config = render_stage(**changed)
    return Chain([picture(n) for n in range(count)], count, config)


def of_stills(count: int, frames: int, **changed: object) -> Chain:
    """A chain of uploaded stills, without any step."""
    config = render_stage(**changed)
    return Chain([picture(n) for n in range(count)], frames, config, uploaded=True, stills=True)


async def leave_chain(media: MediaStore, chain: Chain) -> Left:
    """Put a whole finished execution into the media store."""
    stages = (
        (chain.config,) if chain.uploaded else (_frames_stage(len(chain.pictures)), chain.config)
    )
    record = await _put(media, keys.job_record(JOB), record_of(JOB, stages))
    soundtrack = None
    if chain.soundtrack is not None:
        key = f"derivatives/sound/media{chain.soundtrack.suffix}"
        soundtrack = await media.put_file(key, chain.soundtrack)
    folder = "derivatives/stills" if chain.uploaded else keys.step_attempt(JOB, 0, 1)
    pictures = tuple(
        [
            await media.put_bytes(keys.picture(folder, n), data)
            for n, data in enumerate(chain.pictures)
        ]
    )
    plan = _run_plan(chain, record, soundtrack, pictures)
    plan_file = await _put(media, keys.run_plan(JOB), plan)
    results = () if chain.uploaded else (await _result(media, folder, chain, pictures),)
    report = ExecutionReport(job_id=JOB, attempt=1, run_plan=plan_file, results=results)
    file = await _put(media, keys.execution_report(JOB, 1), report)
    return Left(file, report, plan)


async def order_render(media: MediaStore, left: Left, config: VideoRenderStage) -> Left:
    """The same execution of ComfyUI steps, whose joined clip is to be rendered."""
    name = f"{config.output_name}.{config.container}"
    order = RenderOrder(
        config=config,
        source="clip",
        frames_key_prefix=keys.kept_frames(JOB),
        output_key=keys.job_output(JOB, name),
    )
    changed = left.plan.delivery.model_copy(update={"video_key": order.output_key})
    plan = left.plan.model_copy(update={"render": order, "delivery": changed})
    file = await _put(media, left.report.run_plan.key, plan)
    return replace(await rewrite(media, left, run_plan=file), plan=plan)


async def _put(media: MediaStore, key: str, document: Contract) -> StoredFile:
    return await media.put_bytes(key, canonical_bytes(document))


def _frames_stage(count: int) -> VideoFramesStage:
    return VideoFramesStage(
        backend="webui_deforum",
        prompt=SECRET_PROMPT,
        negative_prompt="",
        seed=7,
        sampler="Euler a",
        steps=20,
        cfg=7.0,
        width_px=SIZE.width,
        height_px=SIZE.height,
        num_frames=max(2, count),
        fps=FPS,
        seed_mode="fixed",
        strength=0.5,
        backend_params=BackendParams(
            deforum=DeforumParams(prompts={0: SECRET_PROMPT}, strength=0.5)
        ),
    )


def _run_plan(
    chain: Chain,
    record: StoredFile,
    soundtrack: StoredFile | None,
    pictures: tuple[StoredFile, ...],
) -> RunPlan:
    upscale = UpscaleStage(
        factor=2, upscaler="Lanczos", width_px=chain.size.width, height_px=chain.size.height
    )
    count = len(chain.pictures)
    step = WebuiStep(
        index=0,
        stage=0,
        lane="webui-stills" if chain.stills else "webui-deforum",
        config=upscale if chain.stills else _frames_stage(count),
        output_key_prefix=f"jobs/{JOB}/steps/0",
        expected_pictures=count,
        deadline_s=60,
    )
    name = f"{chain.config.output_name}.{chain.config.container}"
    return RunPlan(
        job_id=JOB,
        record=record,
        steps=() if chain.uploaded else (step,),
        render=RenderOrder(
            config=chain.config,
            source="stills" if chain.stills else "frames",
            pictures=pictures if chain.uploaded else (),
            from_step=None if chain.uploaded else 0,
            frames_key_prefix=keys.kept_frames(JOB),
            output_key=keys.job_output(JOB, name),
        ),
        delivery=_delivery(chain, name, soundtrack),
    )


def _delivery(chain: Chain, name: str, soundtrack: StoredFile | None) -> Delivery:
    def at(file: str) -> str:
        return keys.job_output(JOB, file)

    return Delivery(
        frame=Frame(
            width_px=chain.size.width + chain.size.width % 2,
            height_px=chain.size.height + chain.size.height % 2,
            fps=chain.config.fps,
            frames=chain.frames,
        ),
        soundtrack=soundtrack,
        video_key=at(name),
        poster_key=at("poster.jpg"),
        first_frame_key=at("first_frame.jpg"),
        preview_key=at("preview.webp"),
        manifest_key=at("job_manifest.json"),
        debug_metadata_key=at("debug_metadata.json"),
    )


async def _result(
    media: MediaStore, folder: str, chain: Chain, pictures: tuple[StoredFile, ...]
) -> StepResult:
    index = PictureIndex(
        pictures=pictures[: chain.indexed], width_px=chain.size.width, height_px=chain.size.height
    )
    file = await _put(media, keys.picture_index(folder), index)
    return StepResult(
        step=0,
        attempt=1,
        comfy_prompt_id=PROMPT,
        engine=EngineUsed(
            engine_id="webui-0", kind="webui", simulated=chain.simulated, version="1.10.1"
        ),
        outputs=(StepOutput(name="pictures", node="", filename="pictures.json", file=file),),
        graph=await media.put_bytes(f"{folder}/request.json", b'{"prompt": "x"}'),
        engine_log=await media.put_bytes(f"{folder}/engine_log.json", b"{}"),
        waited_s=0.1,
        ran_s=1.0,
    )


async def _collect_all(folder: Path) -> None:
    for store in sorted(folder.iterdir()):
        event = ExecutionFinished.model_validate_json((store / "event.json").read_bytes())
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            collected = await collect(
                event, LocalMediaStore(store), Path(work), Making(60, "animatrix test")
            )
        (store / "outputs.json").write_text(collected.outputs.model_dump_json())


def event_of(left: Left) -> ExecutionFinished:
    """The event that brings the report, at a fixed time."""
    return finished(left).model_copy(
        update={"occurred_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    )


if __name__ == "__main__":
    asyncio.run(_collect_all(Path(sys.argv[1])))
