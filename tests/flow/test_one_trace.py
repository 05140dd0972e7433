"""One job is one trace through all five services, with the ids on every span."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.otlp import OtlpReceiver, ReceivedSpan
from tests.support.system import ended, submit, upload
from tests.support.waiting import eventually

SERVICES = {f"animatrix-{s}" for s in ("gateway", "ingest", "composer", "executor", "collector")}


def _of_job(receiver: OtlpReceiver, job_id: str) -> list[ReceivedSpan]:
    return [s for s in receiver.spans if s.attributes.get("job_id") == job_id]


def _roots(receiver: OtlpReceiver, job_id: str) -> list[ReceivedSpan]:
    """Spans of the job's traces whose parent never arrived: one, once every span is there."""
    traces = {s.trace_id for s in _of_job(receiver, job_id)}
    spans = [s for s in receiver.spans if s.trace_id in traces]
    known = {s.span_id for s in spans}
    return [s for s in spans if s.parent_id not in known]


async def test_one_job_is_one_trace_through_all_five_services(
    http: httpx.AsyncClient, spans: OtlpReceiver, hero: Path, motion: Path
) -> None:
    body = {
        "prompt": "she turns around",
        "ground_truth_asset_id": await upload(http, "image", hero),
        "motion_video_asset_id": await upload(http, "video", motion),
        "animate_submode": "move",
        "quality_profile": "draft",
    }
    job_id = await submit(http, "animate", body)
    job = await ended(http, job_id)
    assert job["status"] == "completed"
    await eventually(lambda: {s.service for s in _of_job(spans, job_id)} == SERVICES, within_s=20)
    await eventually(lambda: len(_roots(spans, job_id)) == 1, within_s=20)
    (root,) = _roots(spans, job_id)
    assert root.service == "animatrix-gateway"
    assert {s.trace_id for s in _of_job(spans, job_id)} == {root.trace_id}
    for span in spans.spans:
        if span.trace_id == root.trace_id:
            assert span.attributes.get("job_id") == job_id, span
            assert span.attributes.get("comfy_prompt_id") == job["comfy_prompt_id"], span
