"""What the executor's tests stand on: a simulator process, jobs on the bus, a running executor.

Owns no assertion. The bus, the media store and the engine's protocol are real.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import httpx
from PIL import Image

from contracts import events as e
from contracts import keys
from contracts.base import StoredFile, canonical_bytes
from contracts.engines import EngineSnapshot
from contracts.lifecycle import JobState
from contracts.plan import (
    Delivery,
    ExpectedOutput,
    Frame,
    JobPlan,
    NodeInput,
    RunPlan,
    Step,
    StepSlot,
    StepUpload,
)
from runtime.bus import Bus
from runtime.engine_board import EngineBoard
from runtime.ids import new_id
from runtime.media_store import MediaStore
from runtime.process import Runtime
from runtime.settings import SharedSettings
from runtime.stamp import stamp
from services.executor.app import build_with
from services.executor.settings import EngineSettings, Settings
from tests.support.bus import TEST_LANES, BusFactory
from tests.support.examples import job_plan
from tests.support.prefork import Forked, start_listening

T = TypeVar("T")
LANE = TEST_LANES[0]
ENGINE = "comfyui-0"


class SimulatedComfy:
    """A simulator process on a port of its own that it keeps over restarts."""

    def __init__(self, state: Path, *, step_s: float = 0.0) -> None:
        self.state = state
        self.previews = False
        self._step_s = step_s
        self._port = 0
        self._process: Forked | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts it and waits until it listens."""
        port_file = self.state.parent / "comfy.port"
        arguments = ["--port", str(self._port), "--speed", str(self._step_s)]
        arguments += ["--previews"] if self.previews else []
        self._process, self._port = start_listening(
            "simulators.comfyui", self.state, arguments, port_file
        )

    def kill(self) -> None:
        """Ends it at once: queue and history are gone, files stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def exited(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def order(self, *faults: dict[str, Any]) -> None:
        """Replaces the ordered faults."""
        httpx.put(f"{self.url}/simulator/faults", json={"faults": faults}).raise_for_status()

    def speed(self, step_s: float) -> None:
        """Seconds per sampling step from now on, also after a restart."""
        self._step_s = step_s
        httpx.put(f"{self.url}/simulator/speed", json={"step_s": step_s}).raise_for_status()

    def journal(self, event: str) -> list[dict[str, Any]]:
        """Journal entries of one event, over restarts."""
        answer = httpx.get(f"{self.url}/simulator/journal", params={"event": event})
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries

    def waiting(self) -> int:
        """How many prompts run or wait."""
        answer = httpx.get(f"{self.url}/prompt").json()
        return int(answer["exec_info"]["queue_remaining"])


def graph(reference: str, *, steps: int = 4, seed: int = 1) -> dict[str, Any]:
    """Samples `steps` steps, then writes a clip of the uploaded picture and the samples."""

    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    unet = "Wan2_2-Animate-14B_fp8_e4m3fn_scaled_KJ.safetensors"
    clip = "umt5_xxl_fp8_e4m3fn_scaled.safetensors"
    return {
        "model": node("UNETLoader", unet_name=unet, weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name=clip, type="wan"),
        "vae": node("VAELoader", vae_name="wan_2.1_vae.safetensors"),
        "text": node("CLIPTextEncode", text="she dances", clip=["clip", 0]),
        "latent": node("EmptyHunyuanLatentVideo", width=64, height=64, length=5, batch_size=1),
        "sampler": node(
            "KSampler",
            model=["model", 0],
            seed=seed,
            steps=steps,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            positive=["text", 0],
            negative=["text", 0],
            latent_image=["latent", 0],
            denoise=1.0,
        ),
        "decode": node("VAEDecode", samples=["sampler", 0], vae=["vae", 0]),
        "picture": node("LoadImage", image=reference),
        "batch": node("ImageBatch", image1=["decode", 0], image2=["picture", 0]),
        "video": node("CreateVideo", images=["batch", 0], fps=16.0),
        "save": node(
            "SaveVideo", video=["video", 0], filename_prefix="clip", format="auto", codec="auto"
        ),
    }


@dataclass(frozen=True)
class Jobs:
    """Jobs on the bus as every service sees it, and the media store."""

    nats_url: str
    buses: dict[str, Bus]
    media: MediaStore

    async def compose(
        self, job_id: str, plan: JobPlan, run_plan: RunPlan, *, owner: str = "tests"
    ) -> None:
        """Everything said of a job until its first step is ready."""
        key = keys.run_plan(job_id)
        stored = await self.media.put_bytes(key, canonical_bytes(run_plan))
        gateway, ingest, composer = (self.buses[n] for n in ("gateway", "ingest", "composer"))
        submitted = e.JobSubmitted(**stamp(None), job_id=job_id, owner=owner, plan=plan)
        await gateway.publish(submitted)
        await ingest.publish(e.MediaPrepared(**stamp(submitted), job_id=job_id, prepared=()))
        first, steps = run_plan.steps[0], len(run_plan.steps)
        composed = e.JobComposed(
            **stamp(submitted), job_id=job_id, record=stored, run_plan=stored, steps=steps
        )
        await composer.publish(composed)
        await composer.publish(
            e.StepReady(
                **stamp(composed),
                job_id=job_id,
                owner=owner,
                lane=first.lane,
                step=0,
                steps=steps,
                stage=first.stage,
                segment=first.segment,
                attempt=1,
                run_plan=stored,
            )
        )

    async def state(self, job_id: str) -> JobState:
        """What the bus says of the job."""
        return (await self.buses["gateway"].job(job_id)).state

    async def until(
        self, job_id: str, holds: Callable[[JobState], object], *, within_s: float = 60.0
    ) -> JobState:
        """The job's state once it fulfils `holds`. Fails the test when it does not in time."""

        async def met() -> JobState | None:
            state = await self.state(job_id)
            return state if holds(state) else None

        met_state: JobState = await until_some(met, within_s)
        return met_state

    async def executed(self, job_id: str, *, within_s: float = 60.0) -> JobState:
        """The job's state once all its steps ran."""
        return await self.until(job_id, lambda state: state.execution, within_s=within_s)

    async def ended(self, job_id: str, *, within_s: float = 60.0) -> JobState:
        """The job's state once it failed or was cancelled."""
        return await self.until(job_id, lambda state: state.ended, within_s=within_s)

    async def told(self, job_id: str) -> list[str]:
        """The names of the job's events, in order."""
        tail = await self.buses["gateway"].job(job_id)
        return [e.event_name(event) for event in tail.events]

    async def cancel(self, job_id: str) -> None:
        """Asks for the job's end as the gateway does."""
        await self.buses["gateway"].decide(
            job_id,
            lambda _: e.CancelRequested(**stamp(None), job_id=job_id, requested_by="tests"),
        )

    @asynccontextmanager
    async def running(self, settings: Settings) -> AsyncIterator[Runtime]:
        """An executor with these settings in this process, stopped as SIGTERM stops it."""
        stopping = asyncio.Event()
        shared = SharedSettings(nats_url=self.nats_url)
        runtime = Runtime("executor", shared, self.buses["executor"], self.media, stopping, "tests")
        async with build_with(runtime, settings) as app:
            tasks = [asyncio.ensure_future(background()) for background in app.background]
            try:
                yield runtime
            finally:
                stopping.set()
                await asyncio.wait_for(asyncio.gather(*tasks), 25)


@dataclass(frozen=True)
class Scene(Jobs):
    """The bus as every service sees it, the media store, and the simulator."""

    comfy: SimulatedComfy
    settings: dict[str, Any] = field(default_factory=dict)

    async def job(
        self,
        *,
        steps: int = 1,
        sampling: int = 4,
        deadline_s: int = 600,
        output_node: str = "save",
        prefixed: bool = True,
        colour: str | None = None,
        change: dict[str, Any] | None = None,
        owner: str = "tests",
    ) -> str:
        """A composed job whose first step is ready; returns its id.

        `change` replaces nodes of the graph by id; without `prefixed` every attempt's graph is
        the same to the byte; jobs of one `colour` (six hex digits) use the same picture.
        """
        job_id = new_id()
        picture = await self.media.put_bytes(
            f"derivatives/{job_id}/media.png", _png(colour or job_id[-6:])
        )
        name = f"{picture.sha256}.png"
        built = graph(f"animatrix/{name}", steps=sampling) | (change or {})
        slot = StepSlot(name="output_prefix", at=NodeInput(node="save", input="filename_prefix"))
        slots = (slot,) if prefixed else ()
        planned = tuple(
            [
                await self._step(job_id, n, built, picture, name, deadline_s, output_node, slots)
                for n in range(steps)
            ]
        )
        await self.compose(job_id, job_plan(), self._plan(job_id, planned), owner=owner)
        return job_id

    async def _step(
        self,
        job_id: str,
        n: int,
        built: dict[str, Any],
        picture: StoredFile,
        name: str,
        deadline_s: int,
        output_node: str,
        slots: tuple[StepSlot, ...],
    ) -> Step:
        stored = await self.media.put_bytes(keys.step_graph(job_id, n), canonical_bytes(built))
        return Step(
            index=n,
            stage=0,
            segment=n,
            lane=LANE,
            graph=stored,
            uploads=(
                StepUpload(
                    source=picture,
                    engine_subfolder="animatrix",
                    engine_filename=name,
                    at=(NodeInput(node="picture", input="image"),),
                ),
            ),
            slots=slots,
            outputs=(ExpectedOutput(name="video", node=output_node, media="video", frames=6),),
            output_key_prefix=f"jobs/{job_id}/steps/{n}",
            expected_frames=6,
            deadline_s=deadline_s,
        )

    def _plan(self, job_id: str, steps: tuple[Step, ...]) -> RunPlan:
        out = {
            f"{name}_key": keys.job_output(job_id, name)
            for name in ("video", "poster", "first_frame", "preview", "manifest", "debug_metadata")
        }
        return RunPlan(
            job_id=job_id,
            record=steps[0].graph,
            steps=steps,
            delivery=Delivery(frame=Frame(width_px=64, height_px=64, fps=16, frames=6), **out),
        )

    async def on_board(self) -> EngineSnapshot:
        """The engine's snapshot once it is on the board."""

        async def met() -> EngineSnapshot | None:
            return (await EngineBoard(self.buses["gateway"]).all()).get(ENGINE)

        return await until_some(met, 10.0)

    async def interrupt(self) -> None:
        """Interrupts whatever the engine runs, as a stranger would."""
        async with httpx.AsyncClient() as http:
            (await http.post(f"{self.comfy.url}/interrupt")).raise_for_status()

    @asynccontextmanager
    async def executor(self, **changes: Any) -> AsyncIterator[Runtime]:
        """A running executor in this process, stopped as SIGTERM stops it."""
        async with self.running(self.executor_settings(**changes)) as runtime:
            yield runtime

    def executor_process(self, **environment: str) -> subprocess.Popen[bytes]:
        """An executor as a process of its own, to be killed by the test."""
        names = {
            "NATS_URL": self.nats_url,
            "MEDIA_DIR": str(self.comfy.state.parent / "media"),
            "EXECUTOR_COMFYUI_URL": self.comfy.url,
            "EXECUTOR_LANES": f'["{LANE}"]',
            "EXECUTOR_PROBE_INTERVAL_S": "0.5",
            "EXECUTOR_IDLE_POLL_S": "0.1",
        }
        own = {f"ANIMATRIX_{name}": value for name, value in {**names, **environment}.items()}
        return subprocess.Popen(
            [sys.executable, "-m", "services.executor"], env={**os.environ, **own}
        )

    def executor_settings(self, **changes: Any) -> Settings:
        """Settings with short waits for the simulator."""
        engine = EngineSettings(
            engine_id=ENGINE, url=self.comfy.url, lanes=(LANE,), read_timeout_s=3.0
        )
        quick: dict[str, Any] = {
            "engines": (engine,),
            "probe_interval_s": 0.5,
            "idle_poll_s": 0.1,
            "retry_away_s": 0.3,
            "job_look_interval_s": 1.0,
        }
        return Settings(**{**quick, **self.settings, **changes})


async def until_some(look: Callable[[], Awaitable[T | None]], within_s: float) -> T:
    """What `look` finds, once it finds something. Fails the test when it does not in time."""
    deadline = time.monotonic() + within_s
    while (seen := await look()) is None:
        assert time.monotonic() < deadline, f"not within {within_s} s: {look}"
        await asyncio.sleep(0.03)
    return seen


def _png(colour: str) -> bytes:
    """A picture of one colour, given as six hex digits."""
    red, green, blue = bytes.fromhex(colour)
    out = BytesIO()
    Image.new("RGB", (64, 64), (red, green, blue)).save(out, "PNG")
    return out.getvalue()


async def open_buses(bus_factory: BusFactory) -> dict[str, Bus]:
    """One connected bus for each service that takes part."""
    services = ("gateway", "ingest", "composer", "executor")
    return {name: await bus_factory(name) for name in services}  # type: ignore[arg-type]
