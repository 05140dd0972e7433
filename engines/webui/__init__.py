"""A typed async client of AUTOMATIC1111's WebUI, with AnimateDiff and Deforum; usable alone.

Owns what the server and the two extensions mean, the ways in which they report success for a
failed job above all: nothing here returns before its result is proved. It imports none of the
other packages here, keeps no jobs and makes no policy.

    from engines.webui import AnimateDiffSettings, Basic, EngineAddress, Img2Img, Txt2Img
    from engines.webui import WebUIClient, animate, animatediff_ready, probe

    address = EngineAddress("https://gpu-2.example", auth=Basic("studio", "..."))
    async with WebUIClient(address) as client:
        there = await probe(client)
        await client.select_checkpoint(there.checkpoints[0])
        still = (await client.stills(Txt2Img(prompt="a lake", seed=7), deadline_s=600)).pictures[0]
        if animatediff_ready(there).usable:
            clip = await animate(
                client,
                Img2Img(prompt="a lake, waves", seed=7, init_image=still.data, strength=0.6),
                AnimateDiffSettings(model=there.motion_models[0], frames=24, fps=12),
                shown=there.argument_keys("img2img"),
                models=there.motion_models,
                deadline_s=3600,
            )
            ...  # store clip.pictures at once: there is no other copy

Deforum's jobs outlive a client and are found again by their batch name:

    source = OverHttp(client)
    init = await source.place(still.data, "lake.png")
    settings = DeforumSettings(batch_name=name, prompts={0: "a lake"}, max_frames=24, fps=12,
                               seed=7, init_image=init)
    job = await start_job(client.deforum, settings, watch)     # finds the job or submits it
    job = await follow_job(client.deforum, job.job_id, watch)  # raises unless it SUCCEEDED
    async for picture in job_frames(client.deforum, job, settings, source):
        ...  # ends normally only after every frame
"""

from ..http.address import Basic, Bearer, EngineAddress, Timeouts
from ..http.backoff import Backoff
from ..http.transport import RequestSeen
from .animatediff import AnimateDiffSettings, FreeInit, LatentRamp, animate, check_prompt, payload
from .capabilities import (
    CapabilitySnapshot,
    Extension,
    Readiness,
    animatediff_ready,
    deforum_ready,
    probe,
    stills_ready,
    upscaling_ready,
)
from .client import WebUIClient
from .deforum import Watch, cancel_job, follow_job, job_frames, start_job, withdraw_job
from .deforum_jobs import Category, DeforumJobs, Deleted, JobStatus, Phase
from .deforum_settings import DeforumSettings
from .errors import (
    CapabilityMissing,
    EngineError,
    EngineRefused,
    EngineUnreachable,
    FieldError,
    FileMissing,
    FramesMissing,
    GenerationFailed,
    Interrupted,
    JobCancelled,
    JobFailed,
    JobLost,
    JobOverdue,
    JobStalled,
    NotAnimated,
    Overdue,
    ProtocolError,
    RequestRefused,
    ResultLost,
    Stopped,
    SubmitUncertain,
    UnfitSettings,
    UnreadablePicture,
    WrongFrameCount,
)
from .frame_files import FrameSource, OverHttp, SharedFolder
from .generating import Generated, Look
from .pictures import Picture, read_picture, rgb_png
from .progress import ServerProgress, TaskProgress
from .stills import Img2Img, Txt2Img, Upscale

__all__ = [
    "AnimateDiffSettings",
    "Backoff",
    "Basic",
    "Bearer",
    "CapabilityMissing",
    "CapabilitySnapshot",
    "Category",
    "DeforumJobs",
    "DeforumSettings",
    "Deleted",
    "EngineAddress",
    "EngineError",
    "EngineRefused",
    "EngineUnreachable",
    "Extension",
    "FieldError",
    "FileMissing",
    "FrameSource",
    "FramesMissing",
    "FreeInit",
    "Generated",
    "GenerationFailed",
    "Img2Img",
    "Interrupted",
    "JobCancelled",
    "JobFailed",
    "JobLost",
    "JobOverdue",
    "JobStalled",
    "JobStatus",
    "LatentRamp",
    "Look",
    "NotAnimated",
    "OverHttp",
    "Overdue",
    "Phase",
    "Picture",
    "ProtocolError",
    "Readiness",
    "RequestRefused",
    "RequestSeen",
    "ResultLost",
    "ServerProgress",
    "SharedFolder",
    "Stopped",
    "SubmitUncertain",
    "TaskProgress",
    "Timeouts",
    "Txt2Img",
    "UnfitSettings",
    "UnreadablePicture",
    "Upscale",
    "Watch",
    "WebUIClient",
    "WrongFrameCount",
    "animate",
    "animatediff_ready",
    "cancel_job",
    "check_prompt",
    "deforum_ready",
    "follow_job",
    "job_frames",
    "payload",
    "probe",
    "read_picture",
    "rgb_png",
    "start_job",
    "stills_ready",
    "upscaling_ready",
    "withdraw_job",
]
