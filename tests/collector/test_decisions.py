"""The collector's pure decisions: what is kept, what is compared, what is written down."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ErrorCode
from contracts.plan import (
    Delivery,
    EngineUsed,
    ExecutionReport,
    ExpectedOutput,
    Frame,
    RunPlan,
    Step,
    StepOutput,
    StepResult,
)
from runtime.delivery_facts import DeliveredAudio, DeliveryFacts
from services.collector.artifacts import poster_index, preview_plan, preview_size
from services.collector.faults import ResultFault
from services.collector.h264 import frames_only, parameter_sets
from services.collector.joining import deliver_arguments, join_script, joined_files
from services.collector.manifest import document, is_simulated
from services.collector.ordering import (
    check_report,
    delivered_segments,
    pose_preview_segments,
)
from services.collector.verification import delivery_faults, foreign_tags
from tests.collector.scene import Clip, engine_video
from tests.support.examples import JOB, LANE, PROMPT, stored

FRAME = Frame(width_px=832, height_px=480, fps=16, frames=80)
SOUND = DeliveredAudio("aac", 48_000, 2, 240_000, 0.0)
GOOD = DeliveryFacts(
    codec="h264",
    pix_fmt="yuv420p",
    width_px=832,
    height_px=480,
    frames=80,
    damaged_parts=0,
    rate=Fraction(16),
    mean_rate=Fraction(16),
    video_start_s=0.0,
    faststart=True,
    boxes=("ftyp", "moov", "mdat"),
    metadata={"major_brand": "isom", "0.language": "und", "0.handler_name": "VideoHandler"},
    audio=SOUND,
)


def plan(*steps: dict[str, Any], frames: int = 80, pose: bool = False) -> RunPlan:
    made = []
    for n, given_ in enumerate(steps):
        fields: dict[str, Any] = {
            "index": n,
            "stage": 0,
            "segment": n,
            "lane": LANE,
            "graph": stored(),
            "uploads": (),
            "slots": (),
            "outputs": (ExpectedOutput(name="video", node="save", media="video"),),
            "output_key_prefix": "jobs/x",
            "deadline_s": 60,
            **given_,
        }
        made.append(Step(**fields))
    return RunPlan(
        job_id=JOB,
        record=stored(),
        steps=tuple(made),
        delivery=Delivery(
            frame=FRAME.model_copy(update={"frames": frames}),
            video_key="o/video.mp4",
            poster_key="o/p",
            first_frame_key="o/f",
            preview_key="o/w",
            pose_preview_key="o/pose" if pose else None,
            manifest_key="o/m",
            debug_metadata_key="o/d",
        ),
    )


def report(run_plan: RunPlan, *, simulated: bool = False) -> ExecutionReport:
    results = tuple(
        StepResult(
            step=step.index,
            attempt=1,
            comfy_prompt_id=PROMPT,
            engine=EngineUsed(engine_id="x", kind="comfyui", simulated=simulated, version="1"),
            outputs=tuple(
                StepOutput(name=o.name, node=o.node, filename="f", file=stored())
                for o in step.outputs
            ),
            graph=stored(),
            engine_log=stored(),
            waited_s=0,
            ran_s=0,
        )
        for step in run_plan.comfy_steps
    )
    return ExecutionReport(job_id=JOB, attempt=1, run_plan=stored(), results=results)


@given(
    made=st.lists(st.tuples(st.integers(6, 90), st.integers(0, 5)), min_size=1, max_size=6),
    surplus=st.integers(0, 5),
)
def test_kept_frames_always_add_up_to_the_delivery(
    made: list[tuple[int, int]], surplus: int
) -> None:
    total = sum(frames - skip for frames, skip in made)
    wanted = total - min(surplus, made[-1][0] - made[-1][1] - 1)
    run_plan = plan(*({"expected_frames": f, "skip_frames": s} for f, s in made), frames=wanted)
    orders = delivered_segments(run_plan, report(run_plan))
    assert sum(order.take_frames for order in orders) == wanted
    assert all(order.skip_frames + order.take_frames <= order.file_frames for order in orders)


def test_steps_that_make_too_few_frames_are_missing_a_result() -> None:
    run_plan = plan({"expected_frames": 79})
    with pytest.raises(ResultFault, match="1 frames fewer") as fault:
        delivered_segments(run_plan, report(run_plan))
    assert fault.value.code == ErrorCode.RESULT_MISSING


def test_only_the_last_stage_makes_the_video() -> None:
    run_plan = plan({"expected_frames": 33}, {"expected_frames": 80, "stage": 1})
    assert [order.step for order in delivered_segments(run_plan, report(run_plan))] == [1]


def test_frames_of_an_output_count_before_those_of_its_step() -> None:
    output = ExpectedOutput(name="video", node="save", media="video", frames=85)
    run_plan = plan({"expected_frames": 80, "outputs": (output,), "skip_frames": 5})
    (order,) = delivered_segments(run_plan, report(run_plan))
    assert (order.file_frames, order.skip_frames, order.take_frames) == (85, 5, 80)


def test_pose_preview_is_made_only_when_the_plan_delivers_one() -> None:
    outputs = (
        ExpectedOutput(name="video", node="save", media="video"),
        ExpectedOutput(name="pose_preview", node="pose", media="video"),
    )
    for pose in (True, False):
        run_plan = plan({"expected_frames": 80, "outputs": outputs}, pose=pose)
        told = report(run_plan)
        assert len(pose_preview_segments(run_plan, told)) == int(pose)
        assert delivered_segments(run_plan, told)[0].output.name == "video"


def test_a_report_without_a_step_or_an_output_is_missing_a_result() -> None:
    run_plan = plan({"expected_frames": 40}, {"expected_frames": 40})
    whole = report(run_plan)
    check_report(run_plan, whole)
    short = whole.model_copy(update={"results": whole.results[:1]})
    bare = whole.model_copy(
        update={"results": (whole.results[0], whole.results[1].model_copy(update={"outputs": ()}))}
    )
    for broken in (short, bare):
        with pytest.raises(ResultFault) as fault:
            check_report(run_plan, broken)
        assert (fault.value.code, fault.value.step) == (ErrorCode.RESULT_MISSING, 1)


def test_one_pretending_engine_makes_the_whole_video_simulated() -> None:
    run_plan = plan({"expected_frames": 40}, {"expected_frames": 40})
    real, pretended = report(run_plan), report(run_plan, simulated=True)
    mixed = real.model_copy(update={"results": (real.results[0], pretended.results[1])})
    assert (is_simulated(real), is_simulated(mixed)) == (False, True)


def test_an_exact_video_has_no_fault() -> None:
    assert delivery_faults(GOOD, FRAME, sound=True) == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"codec": "hevc"}, "hevc yuv420p instead of h264 yuv420p"),
        ({"pix_fmt": "yuv444p"}, "h264 yuv444p instead of h264 yuv420p"),
        ({"frames": 79}, "79 frames instead of 80"),
        ({"width_px": 834}, "834x480 instead of 832x480"),
        ({"rate": Fraction(30)}, "30 frames per second instead of 16"),
        ({"rate": None, "mean_rate": Fraction(159, 10)}, "varies around 159/10 instead of 16"),
        ({"damaged_parts": 1}, "1 parts could not be decoded"),
        ({"faststart": False}, "no fast-start"),
        ({"video_start_s": 0.0625}, "shown at 0.062500 s"),
        ({"metadata": {"prompt": "{}"}}, "the tag prompt was left in"),
        ({"metadata": {"0.handler_name": "secret"}}, "the tag 0.handler_name was left in"),
        ({"audio": None}, "there is no sound"),
        ({"audio": replace(SOUND, codec="mp3")}, "mp3 at 48000 Hz"),
        ({"audio": replace(SOUND, samples=236_000)}, "the sound ends at 4.917 s"),
        ({"audio": replace(SOUND, samples=244_000)}, "the sound ends at 5.083 s"),
        ({"audio": replace(SOUND, start_s=0.07, samples=236_640)}, "the sound begins at 0.070 s"),
    ],
)
def test_every_difference_from_the_order_is_named(change: dict[str, Any], fault: str) -> None:
    (found,) = delivery_faults(replace(GOOD, **change), FRAME, sound=True)
    assert fault in found


def test_sound_that_nobody_ordered_is_a_fault() -> None:
    assert delivery_faults(GOOD, FRAME, sound=False) == ("there is sound that nobody ordered",)


def test_tags_of_the_container_that_say_nothing_are_allowed() -> None:
    assert foreign_tags(GOOD.metadata) == ()
    assert foreign_tags({"encoder": "x", "language": "und"}) == ("encoder", "language")


@pytest.mark.parametrize(
    ("extra", "progressive"), [("", True), ("interlaced=1", False), ("fake-interlaced=1", False)]
)
def test_interlaced_h264_is_recognised_from_its_parameter_sets(
    tmp_path: Path, extra: str, progressive: bool
) -> None:
    options = (("crf", "20"), ("x264-params", extra)) if extra else (("crf", "20"),)
    data = engine_video(tmp_path / "v.mp4", Clip(range(8), options=options)).read_bytes()
    found = parameter_sets(data[data.find(b"moov") - 4 :])
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert found == container.streams.video[0].codec_context.extradata
    assert found is not None
    assert frames_only(found) is progressive


@given(st.binary(max_size=80))
def test_senseless_parameter_sets_never_raise(noise: bytes) -> None:
    assert frames_only(noise) in (True, False)
    assert parameter_sets(noise) is None or b"avcC" in noise


def test_the_sound_ends_at_the_sample_where_the_last_frame_ends() -> None:
    arguments = deliver_arguments(
        joined_files(Path("/w/a.txt")), Path("/w/s.flac"), FRAME, Path("/w/v.mp4")
    )
    graph = arguments[arguments.index("-filter_complex") + 1]
    assert "atrim=end_sample=240000" in graph
    assert arguments[arguments.index("-map_metadata") + 1] == "-1"


def test_the_join_script_gives_every_file_its_exact_length() -> None:
    assert join_script(["a.mp4", "b.mp4"], [33, 28], 16).splitlines() == [
        "ffconcat version 1.0",
        "file a.mp4",
        "duration 2.062500000",
        "file b.mp4",
        "duration 1.750000000",
    ]


@given(fps=st.integers(1, 120), frames=st.integers(1, 5000), width=st.integers(1, 2048))
def test_preview_stays_short_small_and_even(fps: int, frames: int, width: int) -> None:
    frame = Frame(width_px=width * 2, height_px=480, fps=fps, frames=frames)
    shown = preview_plan(frame)
    assert 1 <= shown.frames <= min(frames, 61)
    assert all(side % 2 == 0 and 2 <= side <= 320 for side in preview_size(frame))
    assert 0 <= poster_index(frames) < frames


@pytest.mark.parametrize(
    ("log", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": 1}\n{"b": 2}\n', [{"a": 1}, {"b": 2}]),
        (b"plain words\n", ["plain words"]),
        (b'{"loss": NaN}', {"loss": "NaN"}),
        (b"\xff\xfe", ["\ufffd\ufffd"]),
        (b"", []),
    ],
)
def test_any_engine_log_becomes_json(log: bytes, value: object) -> None:
    assert document(log) == value
    json.dumps(document(log), allow_nan=False)
