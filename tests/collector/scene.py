"""A job as the executor leaves it: segments made like an engine makes them, report, plan, record.

Must not use the collector: what it does is what the tests are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from contracts import events as e
from contracts import keys
from contracts.base import StoredFile, canonical_bytes
from contracts.plan import (
    Delivery,
    EngineUsed,
    ExecutionReport,
    ExpectedOutput,
    Frame,
    JobPlan,
    NormalizedJobRecord,
    RunPlan,
    Step,
    StepOutput,
    StepResult,
)
from contracts.stages import Stage as ChainStage
from contracts.subjects import Service
from runtime.bus import Bus
from runtime.media_store import MediaStore
from runtime.stamp import now, stamp
from tests.support.bus import BusFactory
from tests.support.examples import JOB, LANE, PROMPT, job_plan, prepared, stored
from tests.support.media import Size, counter_picture

SIZE = Size(96, 64)
FPS = 16
SECRET_PROMPT = "a hero in a red cape dances under the rain"
GRAPH = {"1": {"class_type": "KSampler", "inputs": {"seed": 7, "text": SECRET_PROMPT}}}


@dataclass(frozen=True, slots=True)
class Clip:
    """A video as an engine saves it: its counters, and what may be wrong with it."""

    numbers: Sequence[int]
    size: Size = SIZE
    fps: int = FPS
    flash: int | None = None
    stretched: bool = False
    start: int = 0
    options: tuple[tuple[str, str], ...] = (("crf", "14"), ("preset", "veryfast"))
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    sound: bool = False


def engine_video(path: Path, clip: Clip) -> Path:
    """Write the clip as mp4 with prompt and graph in its tags, as ComfyUI does."""
    ticks = 1000 * clip.fps
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(
            {"prompt": canonical_bytes(GRAPH).decode(), "workflow": SECRET_PROMPT}
        )
        video = container.add_stream(clip.codec, rate=clip.fps, options=dict(clip.options))
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = clip.size.width, clip.size.height, clip.pix_fmt
        video.codec_context.time_base = Fraction(1, ticks)
        audio = container.add_stream("aac", rate=48_000, layout="stereo") if clip.sound else None
        at = 1000 * clip.start
        for number in clip.numbers:
            grey = counter_picture(number, clip.size, flash=number == clip.flash)
            frame = VideoFrame.from_ndarray(grey, format="gray").reformat(format=clip.pix_fmt)
            frame.pts, frame.time_base = at, Fraction(1, ticks)
            at += 1700 if clip.stretched and number % 3 == 0 else 1000
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if isinstance(audio, AudioStream):
            silence = np.zeros((2, 48_000 * len(clip.numbers) // clip.fps), np.float32)
            lead = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
            lead.sample_rate, lead.pts, lead.time_base = 48_000, 0, Fraction(1, 48_000)
            container.mux(audio.encode(lead))
            container.mux(audio.encode(None))
    return path


@dataclass(frozen=True, slots=True)
class Order:
    """What the run plan says of a job: kept frames per segment, and what is delivered."""

    frames: int
    file_frames: tuple[int, ...]
    skip_frames: tuple[int, ...] = ()
    soundtrack: Path | None = None
    pose_preview: bool = False
    simulated: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """What the executor left: the event's report and the documents behind it."""

    report_file: StoredFile
    report: ExecutionReport
    plan: RunPlan


async def leave(
    media: MediaStore,
    folder: Path,
    order: Order,
    clips: Sequence[Clip],
    *,
    poses: Sequence[Clip] = (),
    overlaps: Sequence[Clip] = (),
    job_id: str = JOB,
    attempt: int = 1,
) -> Left:
    """Put a whole finished execution into the media store."""
    record = await _put(media, keys.job_record(job_id), _record(job_id))
    soundtrack = None
    if order.soundtrack is not None:
        key = f"derivatives/soundtrack/media{order.soundtrack.suffix}"
        soundtrack = await media.put_file(key, order.soundtrack)
    plan = _run_plan(job_id, order, record, soundtrack, overlaps)
    plan_file = await _put(media, keys.run_plan(job_id), plan)
    results = [
        await _result(media, folder, job_id, step.index, attempt, order, clip, poses, overlaps)
        for step, clip in zip(plan.steps, clips, strict=True)
    ]
    report = ExecutionReport(
        job_id=job_id, attempt=attempt, run_plan=plan_file, results=tuple(results)
    )
    return await rewrite(media, Left(plan_file, report, plan))


async def rewrite(media: MediaStore, left: Left, **changed: Any) -> Left:
    """Store the report again with some fields changed."""
    report = left.report.model_copy(update=changed)
    file = await _put(media, keys.execution_report(report.job_id, report.attempt), report)
    return replace(left, report_file=file, report=report)


def finished(left: Left) -> e.ExecutionFinished:
    """The event that brings the report to the collector."""
    return e.ExecutionFinished(
        **stamp(None),
        job_id=left.report.job_id,
        attempt=left.report.attempt,
        report=left.report_file,
    )


async def _put(media: MediaStore, key: str, document: Any) -> StoredFile:
    return await media.put_bytes(key, canonical_bytes(document))


def _plan() -> JobPlan:
    return job_plan().model_copy(
        update={"prompt": SECRET_PROMPT, "resolved_prompt": SECRET_PROMPT + ", 4k"}
    )


def _record(job_id: str) -> NormalizedJobRecord:
    return record_of(job_id, _plan().stages)


def record_of(job_id: str, stages: Sequence[ChainStage]) -> NormalizedJobRecord:
    """The record of a job of these stages."""
    plan = _plan().model_copy(update={"stages": tuple(stages)})
    shared = {
        name: getattr(plan, name)
        for name in NormalizedJobRecord.model_fields
        if name in JobPlan.model_fields
    }
    return NormalizedJobRecord(
        **shared, job_id=job_id, owner="local", submitted_at=now(), prepared=prepared()
    )


def _run_plan(
    job_id: str,
    order: Order,
    record: StoredFile,
    soundtrack: StoredFile | None,
    overlaps: Sequence[Clip],
) -> RunPlan:
    skips = order.skip_frames or (0,) * len(order.file_frames)
    outputs = [("video", "save_video")]
    if order.pose_preview:
        outputs.append(("pose_preview", "save_pose"))
    steps = tuple(
        Step(
            index=n,
            stage=0,
            segment=n,
            lane=LANE,
            graph=stored(keys.step_graph(job_id, n)),
            uploads=(),
            slots=(),
            outputs=tuple(
                ExpectedOutput(name=name, node=node, media="video", frames=count)
                for name, node in outputs
            )
            + _overlap_of(n, overlaps),
            output_key_prefix=f"jobs/{job_id}/steps/{n}",
            expected_frames=count,
            skip_frames=skip,
            deadline_s=60,
        )
        for n, (count, skip) in enumerate(zip(order.file_frames, skips, strict=True))
    )

    def at(name: str) -> str:
        return keys.job_output(job_id, name)

    return RunPlan(
        job_id=job_id,
        record=record,
        steps=steps,
        delivery=Delivery(
            frame=Frame(width_px=SIZE.width, height_px=SIZE.height, fps=FPS, frames=order.frames),
            soundtrack=soundtrack,
            video_key=at("video.mp4"),
            poster_key=at("poster.jpg"),
            first_frame_key=at("first_frame.jpg"),
            preview_key=at("preview.webp"),
            pose_preview_key=at("pose_preview.mp4") if order.pose_preview else None,
            manifest_key=at("job_manifest.json"),
            debug_metadata_key=at("debug_metadata.json"),
        ),
    )


def _overlap_of(step: int, overlaps: Sequence[Clip]) -> tuple[ExpectedOutput, ...]:
    if step == 0 or not overlaps:
        return ()
    count = len(overlaps[step - 1].numbers)
    return (ExpectedOutput(name="overlap", node="save_overlap", media="video", frames=count),)


async def _result(
    media: MediaStore,
    folder: Path,
    job_id: str,
    step: int,
    attempt: int,
    order: Order,
    clip: Clip,
    poses: Sequence[Clip],
    overlaps: Sequence[Clip],
) -> StepResult:
    at = keys.step_attempt(job_id, step, attempt)
    made = [("video", "save_video", clip)]
    if order.pose_preview:
        made.append(("pose_preview", "save_pose", poses[step]))
    if overlaps and step > 0:
        made.append(("overlap", "save_overlap", overlaps[step - 1]))
    outputs = []
    for name, node, one in made:
        path = engine_video(folder / f"{name}-{step}.mp4", one)
        file = await media.put_file(f"{at}/{name}.mp4", path)
        outputs.append(StepOutput(name=name, node=node, filename=f"{name}_0001_.mp4", file=file))
    return StepResult(
        step=step,
        attempt=attempt,
        comfy_prompt_id=PROMPT,
        engine=EngineUsed(
            engine_id="comfyui-0", kind="comfyui", simulated=order.simulated, version="0.3.64"
        ),
        outputs=tuple(outputs),
        graph=await media.put_bytes(f"{at}/graph.json", canonical_bytes(GRAPH)),
        engine_log=await media.put_bytes(
            f"{at}/engine_log.json", canonical_bytes({"outcome": "succeeded"})
        ),
        waited_s=0.25,
        ran_s=1.5,
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """The buses of the services around the collector."""

    make: BusFactory
    buses: dict[Service, Bus]

    async def bus(self, service: Service) -> Bus:
        """The service's bus, connected once."""
        if service not in self.buses:
            self.buses[service] = await self.make(service)
        return self.buses[service]

    async def play(self, left: Left) -> e.ExecutionFinished:
        """Publish everything from the submit to the end of the execution."""
        job: dict[str, Any] = {"job_id": left.report.job_id}
        steps = len(left.plan.steps)
        gateway, ingest = await self.bus("gateway"), await self.bus("ingest")
        composer, executor = await self.bus("composer"), await self.bus("executor")
        await gateway.publish(e.JobSubmitted(**stamp(None), **job, owner="local", plan=_plan()))
        await ingest.publish(e.MediaPrepared(**stamp(None), **job, prepared=prepared()))
        await composer.publish(
            e.JobComposed(
                **stamp(None),
                **job,
                record=left.plan.record,
                run_plan=left.report.run_plan,
                steps=steps,
            )
        )
        for result in left.report.results:
            await self._run_step(executor, left, result, steps)
        event = finished(left)
        await (executor if steps else composer).publish(event)
        return event

    async def _run_step(self, executor: Bus, left: Left, result: StepResult, steps: int) -> None:
        job: dict[str, Any] = {"job_id": left.report.job_id}
        at: dict[str, Any] = {"step": result.step, "attempt": result.attempt}
        prompt: dict[str, Any] = {"engine_id": "comfyui-0", "comfy_prompt_id": PROMPT}
        await executor.publish(
            e.StepReady(
                **stamp(None),
                **job,
                **at,
                lane=LANE,
                steps=steps,
                stage=0,
                segment=result.step,
                run_plan=left.report.run_plan,
            )
        )
        await executor.publish(
            e.StepAssigned(**stamp(None), **job, **at, **prompt, executor_id="x-1", lease_epoch=1)
        )
        await executor.publish(e.StepStarted(**stamp(None), **job, **at, **prompt, simulated=True))
        await executor.publish(e.StepFinished(**stamp(None), **job, result=result))
