"""The pure parts: opening a step, repeating it, choosing a lane, gauging progress, binding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts import events as e
from contracts.base import StoredFile
from contracts.engines import EngineSnapshot
from contracts.errors import ErrorCode, error_info
from contracts.lifecycle import JobState, fold
from contracts.plan import ExpectedOutput, NodeInput, Step, StepResult, StepSlot, StepUpload
from engines.comfyui import ExecutionCached, Failed, NodeProgress, ProgressState, SystemStats
from runtime.stamp import stamp
from services.executor import attempts
from services.executor.adapters.probing import unseen
from services.executor.choosing import LaneWait, Turn, WaitingSince, Warmth, lane_order
from services.executor.comfyui import endings, snapshots
from services.executor.comfyui.gauge import Gauge
from services.executor.comfyui.graphs import UnfitGraph, bind, extension_of, read_graph
from services.executor.pace import Throttle
from services.executor.settings import EngineSettings, Settings
from tests.support.examples import JOB, LANE, PROMPT, job_plan, step_result, stored

FILE = stored()


def ready(step: int = 0, attempt: int = 1) -> e.StepReady:
    return e.StepReady(
        **stamp(None),
        job_id=JOB,
        lane=LANE,
        step=step,
        steps=2,
        stage=0,
        segment=step,
        attempt=attempt,
        run_plan=FILE,
    )


def assigned(step: int = 0, attempt: int = 1, engine: str = "comfyui-0") -> e.StepAssigned:
    return e.StepAssigned(
        **stamp(None),
        job_id=JOB,
        step=step,
        attempt=attempt,
        engine_id=engine,
        executor_id="x",
        lease_epoch=1,
        comfy_prompt_id=PROMPT,
    )


def finished(step: int = 0, attempt: int = 1) -> e.StepFinished:
    result: StepResult = step_result(step, attempt)
    return e.StepFinished(**stamp(None), job_id=JOB, result=result)


def cancelled() -> e.CancelRequested:
    return e.CancelRequested(**stamp(None), job_id=JOB, requested_by="x")


def failed() -> e.JobFailed:
    error = error_info(ErrorCode.ENGINE_FAILED)
    return e.JobFailed(**stamp(None), job_id=JOB, service="executor", error=error)


def after(*more: e.AnyJobEvent) -> JobState:
    begun: tuple[e.AnyJobEvent, ...] = (
        e.JobSubmitted(**stamp(None), job_id=JOB, owner="x", plan=job_plan()),
        e.MediaPrepared(**stamp(None), job_id=JOB, prepared=()),
        e.JobComposed(**stamp(None), job_id=JOB, record=FILE, run_plan=FILE, steps=2),
    )
    return fold(JOB, (*begun, *more))


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        (JobState(JOB), ready(), attempts.Drop("the job is unknown or deleted")),
        (after(ready()), ready(), attempts.Begin()),
        (after(ready(), assigned()), ready(), attempts.Rejoin()),
        (after(ready(), assigned(engine="b")), ready(), attempts.Elsewhere("b")),
        (after(ready(), failed()), ready(), attempts.Drop("the job is failed")),
        (after(ready(), cancelled()), ready(), attempts.Cancel(None)),
        (after(ready(), assigned(), cancelled()), ready(), attempts.Cancel(PROMPT)),
        (after(ready(), assigned(engine="b"), cancelled()), ready(), attempts.Elsewhere("b")),
        (after(ready(), assigned(), finished()), ready(), attempts.GoOn()),
        (
            after(ready(), assigned(), finished(), ready(1)),
            ready(),
            attempts.Drop("what follows was published"),
        ),
        (
            after(ready(), assigned(), ready(0, 2)),
            ready(),
            attempts.Drop("superseded by a later attempt"),
        ),
        (after(ready(), assigned(), ready(0, 2)), ready(0, 2), attempts.Begin()),
        (after(ready(), assigned(), finished(), ready(1)), ready(1), attempts.Begin()),
    ],
)
def test_the_opening_of_a_step_follows_from_its_jobs_events(
    state: JobState, event: e.StepReady, expected: attempts.Opening
) -> None:
    assert attempts.opening(state, event, "comfyui-0") == expected


def test_tries_are_counted_per_step_and_anew_after_a_users_retry() -> None:
    retry = e.RetryRequested(**stamp(None), job_id=JOB, requested_by="x", attempt=4)
    events = (ready(), ready(0, 2), ready(1, 2), ready(1, 3))
    assert attempts.tries_of(events, 0) == 2
    assert attempts.tries_of(events, 1) == 2
    assert attempts.tries_of((*events, retry, ready(1, 4)), 1) == 1


def test_a_lost_prompt_is_repeated_a_bounded_number_of_times() -> None:
    assert isinstance(attempts.after_loss(2, 3, "gone"), attempts.Again)
    verdict = attempts.after_loss(3, 3, "gone")
    assert isinstance(verdict, attempts.GiveUp)
    assert verdict.code is ErrorCode.ENGINE_LOST


@pytest.mark.parametrize(
    ("oom", "before", "expected"),
    [
        (False, False, ErrorCode.ENGINE_FAILED),
        (True, False, None),
        (True, True, ErrorCode.ENGINE_OUT_OF_MEMORY),
    ],
)
def test_only_the_first_out_of_memory_is_repeated(
    oom: bool, before: bool, expected: ErrorCode | None
) -> None:
    failure = Failed("3", "KSampler", "torch.OutOfMemoryError", "no room", oom)
    detail = endings.failure_detail(failure)
    verdict = attempts.after_failure(
        detail, oom=failure.oom, oom_before=before, tries=1, max_attempts=3
    )
    if expected is None:
        assert verdict == attempts.Again(
            "node 3 (KSampler): torch.OutOfMemoryError: no room", free_memory=True
        )
    else:
        assert isinstance(verdict, attempts.GiveUp)
        assert verdict.code is expected


def test_an_engine_unseen_for_long_is_gone() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    seen = EngineSnapshot(
        engine_id="a", kind="comfyui", simulated=True, version="1", health="ready", seen_at=at
    )
    assert attempts.is_gone(None, at, 600)
    assert not attempts.is_gone(seen, at + timedelta(seconds=599), 600)
    assert attempts.is_gone(seen, at + timedelta(seconds=601), 600)


WAITS = (LaneWait("cold", 120), LaneWait("warm", 1), LaneWait("other", 50))


def test_the_warm_lane_keeps_its_turn_then_yields_to_one_that_waited_too_long() -> None:
    assert lane_order(WAITS, Warmth("warm", 599), 120, 600) == ("warm", "cold", "other")
    assert lane_order(WAITS, Warmth("warm", 600), 120, 600) == ("cold", "warm", "other")
    assert lane_order([], Warmth("warm", 600), 120, 600) == ()


def test_a_lane_that_another_engine_has_loaded_is_left_to_it_for_a_while() -> None:
    elsewhere = frozenset({"cold", "other"})
    assert lane_order(WAITS, Warmth(None, 0, elsewhere), 120, 600) == ("cold", "warm")
    assert lane_order(WAITS, Warmth(None, 0, elsewhere), 121, 600) == ("warm",)


def test_lanes_that_nobody_has_loaded_go_before_those_loaded_elsewhere() -> None:
    waits = [LaneWait("hot-elsewhere", 500), LaneWait("cold", 130)]
    order = lane_order(waits, Warmth("warm", 900, frozenset({"hot-elsewhere"})), 120, 600)
    assert order == ("cold", "hot-elsewhere")


def test_a_turn_begins_when_another_lane_is_warm() -> None:
    turn = Turn()
    assert [turn.served_s("a", 10), turn.served_s("a", 25), turn.served_s("b", 30)] == [0, 15, 0]


def test_a_lane_waits_since_work_was_first_seen_or_last_taken() -> None:
    waiting = WaitingSince()
    waiting.seen(["a", "b"], 0)
    assert waiting.seen(["a", "b"], 10) == (LaneWait("a", 10), LaneWait("b", 10))
    waiting.served("a")
    assert waiting.seen(["a"], 20) == (LaneWait("a", 0),)
    assert waiting.seen(["a", "b"], 30) == (LaneWait("a", 10), LaneWait("b", 0))


GRAPH: dict[str, dict[str, Any]] = {
    "load": {"class_type": "UNETLoader", "inputs": {}},
    "sample": {"class_type": "KSampler", "inputs": {}},
    "save": {"class_type": "SaveVideo", "inputs": {"filename_prefix": ""}},
}


def test_progress_grows_with_sampling_and_never_falls() -> None:
    gauge = Gauge(GRAPH)
    phases: list[str] = [gauge.phase]
    gauge.started()
    phases.append(gauge.phase)
    assert gauge.hear(ExecutionCached(nodes=("load",)))
    first = gauge.fraction
    half = NodeProgress(value=2, max=4, state="running")
    assert gauge.hear(ProgressState(nodes={"sample": half, "unknown": half}))
    phases.append(gauge.phase)
    assert phases == ["waiting", "loading", "generating"]
    assert first < gauge.fraction < 1
    reached = gauge.fraction
    gauge.hear(ProgressState(nodes={"sample": NodeProgress(value=0, max=4, state="running")}))
    assert gauge.fraction == reached
    done = NodeProgress(value=1, max=1, state="finished")
    gauge.hear(ProgressState(nodes=dict.fromkeys(GRAPH, done)))
    assert gauge.fraction == 1


def test_reports_are_throttled() -> None:
    throttle = Throttle(0.25)
    assert [throttle.passes(t) for t in (0.0, 0.1, 0.25, 0.3)] == [True, False, True, False]


def step(reference_at: str = "load", slot_node: str = "save") -> Step:
    return Step(
        index=0,
        stage=0,
        segment=0,
        lane=LANE,
        graph=FILE,
        uploads=(
            StepUpload(
                source=FILE,
                engine_subfolder="animatrix",
                engine_filename="a.png",
                at=(NodeInput(node=reference_at, input="image"),),
            ),
        ),
        slots=(
            StepSlot(name="output_prefix", at=NodeInput(node=slot_node, input="filename_prefix")),
        ),
        outputs=(ExpectedOutput(name="video", node="save", media="video"),),
        output_key_prefix="jobs/x",
        expected_frames=5,
        deadline_s=60,
    )


def test_binding_fills_the_prefix_and_leaves_the_rest_alone() -> None:
    graph = {**GRAPH, "load": {"class_type": "LoadImage", "inputs": {"image": "animatrix/a.png"}}}
    bound = bind(graph, step(), job_id=JOB, attempt=2)
    assert bound["save"]["inputs"]["filename_prefix"] == f"animatrix/{JOB}/s0-a2"
    assert graph["save"]["inputs"]["filename_prefix"] == ""
    assert bound["load"] == graph["load"]


@pytest.mark.parametrize(
    ("graph", "planned", "why"),
    [
        (GRAPH, step(), "not 'animatrix/a.png'"),
        (GRAPH, step(slot_node="absent"), "no node absent"),
        (GRAPH, step(slot_node="load"), "no input filename_prefix"),
    ],
)
def test_a_graph_that_contradicts_its_step_is_unfit(
    graph: dict[str, dict[str, Any]], planned: Step, why: str
) -> None:
    with pytest.raises(UnfitGraph, match=why):
        bind(graph, planned, job_id=JOB, attempt=1)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"1": {}}', b"\xff"])
def test_bytes_that_are_no_graph_are_unfit(data: bytes) -> None:
    with pytest.raises(UnfitGraph):
        read_graph(data)


def test_an_odd_extension_is_replaced() -> None:
    assert extension_of("a_00001_.MP4", "video") == "mp4"
    assert extension_of("a.m p/4", "video") == "mp4"
    assert extension_of("noextension", "image") == "png"


def test_choices_are_read_from_both_styles_of_inputs() -> None:
    info = {
        "VAELoader": {"input": {"required": {"vae_name": [["a", "b"]]}}},
        "AudioEncoderLoader": {
            "input": {"required": {"audio_encoder_name": ["COMBO", {"options": ["w"]}]}}
        },
        "Broken": {"input": None},
    }
    wanted = ("VAELoader.vae_name", "AudioEncoderLoader.audio_encoder_name", "Broken.x", "No.y")
    assert snapshots.choices_in(info, wanted) == {
        "VAELoader.vae_name": ("a", "b"),
        "AudioEncoderLoader.audio_encoder_name": ("w",),
    }


def test_an_engine_that_is_away_keeps_the_time_of_its_last_answer() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    stats = SystemStats("0.3.64", None, None, None, None, None, ())
    file = StoredFile(key="engines/x.json", sha256="ab" * 32, size_bytes=1)
    seen = snapshots.seen("a", stats, {"N": {}}, wanted=(), simulated=False, catalogue=file, at=at)
    away = unseen("a", "comfyui", seen, "unreachable", "refused", at + timedelta(hours=1))
    assert (away.seen_at, away.health, away.reason) == (at, "unreachable", "refused")
    assert away.node_classes == ("N",)


def test_settings_hide_secrets_and_refuse_contradictions() -> None:
    engine = EngineSettings(engine_id="a", url="http://h:1", bearer="s3cret")
    assert "s3cret" not in repr(engine)
    assert "s3cret" not in repr(engine.address())
    with pytest.raises(ValidationError, match="not both"):
        EngineSettings(engine_id="a", url="http://h:1", bearer="x", basic_user="u")
    with pytest.raises(ValidationError, match="same engine_id"):
        Settings(engines=(engine, engine))


def test_a_single_engine_is_named_by_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_URL", "http://127.0.0.1:8188")
    (engine,) = Settings().all_engines()
    assert (engine.engine_id, engine.url) == ("comfyui-0", "http://127.0.0.1:8188")
    monkeypatch.delenv("COMFYUI_URL")
    with pytest.raises(ValidationError, match="no engine is named"):
        Settings()
