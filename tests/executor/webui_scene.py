"""What the tests of WebUI steps stand on: a simulated WebUI, jobs on the bus, a running executor.

Owns no assertion. The bus, the media store and the engine's protocol are real.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from contracts import events as e
from contracts import keys
from contracts.base import StoredFile
from contracts.engines import EngineSnapshot
from contracts.errors import ErrorCode
from contracts.plan import Delivery, Frame, PictureIndex, RunPlan, WebuiStep
from contracts.stages import (
    AnimateDiffParams,
    BackendParams,
    DeforumParams,
    Img2ImgStage,
    Txt2ImgStage,
    UpscaleStage,
    VideoFramesStage,
    WebuiStage,
)
from contracts.subjects import WEBUI_LANES
from runtime.engine_board import EngineBoard
from runtime.ids import new_id
from runtime.process import Runtime
from services.executor.settings import EngineSettings, Settings
from services.executor.webui import asking
from tests.executor.scene import Jobs, until_some
from tests.support.examples import job_plan
from tests.support.waiting import eventually
from tests.support.webui import WebUISimulator, counter, plain_png

ENGINE = "webui-0"
MODEL = "mm_sd15_v3.safetensors"
_SAMPLING: dict[str, Any] = {
    "prompt": "a lake",
    "negative_prompt": "blur",
    "seed": 5,
    "sampler": "Euler a",
    "steps": 1,
    "cfg": 7.0,
    "width_px": 64,
    "height_px": 64,
}


def txt2img(**more: Any) -> Txt2ImgStage:
    """A small txt2img stage."""
    return Txt2ImgStage(**{**_SAMPLING, **more})


def img2img(**more: Any) -> Img2ImgStage:
    """A small img2img stage."""
    return Img2ImgStage(**{**_SAMPLING, "strength": 0.5, **more})


def upscale(**more: Any) -> UpscaleStage:
    """A stage that makes the small pictures twice as large."""
    told: dict[str, Any] = {"factor": 2.0, "upscaler": "R-ESRGAN 4x+"}
    return UpscaleStage(**{**told, "width_px": 128, "height_px": 128, **more})


def _frames(**more: Any) -> VideoFramesStage:
    told: dict[str, Any] = {"num_frames": 6, "fps": 12, "seed_mode": "fixed", "strength": 0.5}
    return VideoFramesStage(**{**_SAMPLING, **told, **more})


def animated(params: dict[str, Any] | None = None, **more: Any) -> VideoFramesStage:
    """Six frames by AnimateDiff."""
    chosen = AnimateDiffParams(**{"motion_model": MODEL, **(params or {})})
    return _frames(
        backend="webui_animatediff", backend_params=BackendParams(animatediff=chosen), **more
    )


def scripted(params: dict[str, Any] | None = None, **more: Any) -> VideoFramesStage:
    """Six frames by Deforum."""
    chosen = DeforumParams(**{"prompts": {0: "a lake"}, "strength": 0.5, **(params or {})})
    return _frames(backend="webui_deforum", backend_params=BackendParams(deforum=chosen), **more)


def pictures_of(config: WebuiStage, given: int) -> int:
    """How many pictures a stage leaves."""
    if isinstance(config, UpscaleStage):
        return given
    return config.num_frames if isinstance(config, VideoFramesStage) else config.count


@dataclass(frozen=True)
class WebuiScene(Jobs):
    """The bus as every service sees it, the media store, and the simulated WebUI."""

    webui: WebUISimulator

    async def job(
        self,
        *configs: WebuiStage,
        stills: int = 0,
        deadline_s: int = 60,
        expected: int | None = None,
    ) -> str:
        """A composed job of one step per stage, each starting from the one before; its id.

        The first starts from `stills` pictures of one colour. `expected` is how many pictures the
        last step is said to leave, where that is not what its stage says.
        """
        job_id = new_id()
        given = tuple([await self._still(job_id, n) for n in range(stills)])
        count, steps = stills, []
        for n, config in enumerate(configs):
            count = pictures_of(config, count)
            backend = config.backend if isinstance(config, VideoFramesStage) else config.kind
            last = n + 1 == len(configs)
            steps.append(
                WebuiStep(
                    index=n,
                    stage=n,
                    lane=WEBUI_LANES[backend],
                    config=config,
                    pictures=given if n == 0 else (),
                    from_step=n - 1 if n else None,
                    output_key_prefix=f"jobs/{job_id}/steps/{n}",
                    expected_pictures=expected if last and expected else count,
                    deadline_s=deadline_s,
                )
            )
        await self.compose(job_id, job_plan(), self._plan(job_id, steps))
        return job_id

    async def _still(self, job_id: str, n: int) -> StoredFile:
        colour = ("red", "green", "blue", "grey")[n]
        key = f"derivatives/{job_id}/{n}/media.png"
        return await self.media.put_bytes(key, plain_png(colour=colour))

    def _plan(self, job_id: str, steps: Sequence[WebuiStep]) -> RunPlan:
        names = ("video", "poster", "first_frame", "preview", "manifest", "debug_metadata")
        out = {f"{name}_key": keys.job_output(job_id, name) for name in names}
        frame = Frame(width_px=64, height_px=64, fps=12, frames=6)
        record = StoredFile(key=keys.job_record(job_id), sha256="ab" * 32, size_bytes=1)
        return RunPlan(
            job_id=job_id, record=record, steps=tuple(steps), delivery=Delivery(frame=frame, **out)
        )

    async def pictures(self, job_id: str, step: int = 0) -> list[bytes]:
        """The picture files that a finished step left, in order, as its index names them."""
        result = (await self.state(job_id)).finished[step].result
        (output,) = result.outputs
        assert (output.name, output.node, output.filename) == ("pictures", "", "pictures.json")
        index = PictureIndex.model_validate_json(await self.media.read_bytes(output.file.key))
        return [await self.media.read_bytes(picture.key) for picture in index.pictures]

    async def counters(self, job_id: str, step: int = 0) -> list[int]:
        """The numbers that a finished step's pictures show, in order."""
        return [counter(data) for data in await self.pictures(job_id, step)]

    async def failure(self, job_id: str, *, within_s: float = 60.0) -> e.JobFailed:
        """How the job failed. Fails the test when it did not."""
        state = await self.ended(job_id, within_s=within_s)
        assert state.failed is not None, state.state
        return state.failed

    async def code(self, job_id: str, *, within_s: float = 60.0) -> ErrorCode:
        """The error that the job failed with."""
        return (await self.failure(job_id, within_s=within_s)).error.code

    def runs(self, kind: str) -> list[dict[str, Any]]:
        """What the engine itself says it ran of that kind, to an end."""
        return self.webui.journal("finished", kind=kind)

    async def post(self, path: str, body: dict[str, Any], *, status: int = 200) -> dict[str, Any]:
        """What a stranger sends; the answer, whose status must be as said."""
        async with self._http() as http:
            answer = await http.post(path, json=body)
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told

    @asynccontextmanager
    async def stranger(self, *, steps: int) -> AsyncIterator[asyncio.Task[dict[str, Any]]]:
        """A txt2img of somebody else, running when the block begins."""
        body = {"steps": steps, "width": 64, "height": 64, "prompt": "theirs"}
        running = asyncio.create_task(self.post("/sdapi/v1/txt2img", body))
        await self.noted("started", 1)
        try:
            yield running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def strange_batch(self, *, frames: int) -> None:
        """A Deforum job of somebody else, running on return."""
        settings = scripted(num_frames=frames)
        body = asking.deforum_of(settings, "somebody-elses-batch", None).body()
        await self.post("/deforum_api/batches", {"deforum_settings": body}, status=202)
        await self.generating()

    async def generating(self) -> str:
        """The id of the Deforum job that makes frames, once one does."""

        async def running() -> str | None:
            async with self._http() as http:
                jobs = (await http.get("/deforum_api/jobs")).json()
            return next((i for i, job in jobs.items() if job["phase"] == "GENERATING"), None)

        return await until_some(running, 40.0)

    async def delete_deforum(self, deforum_job: str) -> None:
        """What a stranger does to a job of ours."""
        async with self._http() as http:
            path = f"/deforum_api/jobs/{quote(deforum_job)}"
            (await http.delete(path)).raise_for_status()

    async def noted(self, event: str, count: int, *, within_s: float = 40.0, **fields: str) -> None:
        """Returns once the engine's own journal has so many entries of an event.

        The loop that the executor shares is not blocked meanwhile.
        """

        async def met() -> bool:
            async with self._http() as http:
                params = {"event": event, **fields}
                answer = await http.get("/simulator/journal", params=params)
            return len(answer.json()["entries"]) >= count

        await eventually(met, within_s=within_s, every_s=0.1)

    def _http(self) -> httpx.AsyncClient:
        # an empty TLS context: reading the authorities takes longer than the request
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.AsyncClient(base_url=self.webui.url, timeout=60, verify=tls)

    async def idle(self) -> None:
        """Returns once the engine runs nothing."""

        async def met() -> bool:
            async with self._http() as http:
                told = (await http.get("/sdapi/v1/progress")).json()
            return bool(told["state"]["job_count"] == 0)

        await eventually(met, within_s=40, every_s=0.1)

    async def on_board(self) -> EngineSnapshot:
        """The engine's snapshot once it is on the board."""

        async def met() -> EngineSnapshot | None:
            return (await EngineBoard(self.buses["gateway"]).all()).get(ENGINE)

        return await until_some(met, 30.0)

    @asynccontextmanager
    async def executor(self, **changes: Any) -> AsyncIterator[Runtime]:
        """A running executor in this process, stopped as SIGTERM stops it."""
        async with self.running(self.settings(**changes)) as runtime:
            yield runtime

    def settings(self, **changes: Any) -> Settings:
        """Settings with short waits for the simulator."""
        engine = EngineSettings(
            engine_id=ENGINE, kind="webui", url=self.webui.url, read_timeout_s=5.0
        )
        quick: dict[str, Any] = {
            "engines": (engine,),
            "probe_interval_s": 0.5,
            "webui_catalogue_interval_s": 1.0,
            "webui_poll_s": 0.1,
            "deforum_settle_s": 0.2,
            "deforum_find_s": 1.0,
            "cancel_patience_s": 5.0,
            "idle_poll_s": 0.1,
            "retry_away_s": 0.3,
            "job_look_interval_s": 1.0,
        }
        return Settings(**{**quick, **changes})

    def executor_process(self, **environment: str) -> subprocess.Popen[bytes]:
        """An executor as a process of its own, to be killed by the test."""
        names = {
            "NATS_URL": self.nats_url,
            "MEDIA_DIR": str(self.media_dir),
            "EXECUTOR_WEBUI_URL": self.webui.url,
            "EXECUTOR_PROBE_INTERVAL_S": "0.5",
            "EXECUTOR_WEBUI_POLL_S": "0.1",
            "EXECUTOR_IDLE_POLL_S": "0.1",
        }
        own = {f"ANIMATRIX_{name}": value for name, value in {**names, **environment}.items()}
        clean = {n: v for n, v in os.environ.items() if n not in ("COMFYUI_URL", "WEBUI_URL")}
        return subprocess.Popen([sys.executable, "-m", "services.executor"], env={**clean, **own})

    def failing_process(self, point: str) -> subprocess.Popen[bytes]:
        """An executor process that kills itself at a named place, the first time it is there."""
        return self.executor_process(
            FAILPOINTS=f"{point}:1", FAILPOINTS_DIR=str(self.webui.state.parent / "failpoints")
        )

    @property
    def media_dir(self) -> Path:
        """Where the media store of this test lies."""
        return self.webui.state.parent / "media"
