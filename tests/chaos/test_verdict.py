"""The judge of chaos runs itself: what it must find and what it must excuse."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import verdict as v
from tests.chaos.delivery import decoding_faults
from tests.chaos.faultplan import ENDS, faults
from tests.support.media import Size, counter_video

PROMPT, NEXT = "prompt-1", "prompt-2"
PROMISED: dict[str, Any] = {"frames": 8, "width": 64, "height": 64, "has_audio": True}


def story(**changes: Any) -> v.JobStory:
    usual: dict[str, Any] = {
        "job_id": "job",
        "status": "completed",
        "ends": ("job_completed",),
        "assignments": (v.Assignment(PROMPT, "job", 0, 1), v.Assignment(NEXT, "job", 0, 2)),
        "video": "aa",
        "heard": ("completed",),
    }
    return v.JobStory(**{**usual, **changes})


def line(event: str, time: float, prompt_id: str = PROMPT, **more: Any) -> dict[str, Any]:
    return {"event": event, "time": time, "prompt_id": prompt_id, **more}


def blamed(*jobs: v.JobStory, **journals: list[dict[str, Any]]) -> set[str]:
    return {row for row, found in v.judge(jobs, journals).faults.items() if found}


def test_a_run_without_faults_passes() -> None:
    one = story(), story(job_id="b", assignments=(), video="bb")
    journal = [line("boot", 0), line("started", 1), line("finished", 2, outcome="success")]
    assert blamed(*one, engine=journal) == set()


def test_a_prompt_started_twice_on_a_living_engine_is_found() -> None:
    assert blamed(story(), engine=[line("started", 1), line("started", 2)]) == {v.TWICE}


def test_another_attempt_beside_a_living_one_is_found_even_on_another_engine() -> None:
    found = blamed(story(), one=[line("started", 1)], two=[line("started", 2, NEXT)])
    assert found == {v.TWICE}


def test_another_attempt_after_the_engine_died_is_excused() -> None:
    journal = [line("started", 1), line("boot", 2), line("started", 3, NEXT)]
    assert blamed(story(), engine=journal) == set()


def test_a_death_after_the_second_start_excuses_nothing() -> None:
    one, two = [line("started", 1), line("boot", 5)], [line("started", 3, NEXT)]
    assert blamed(story(), one=one, two=two) == {v.TWICE}


def test_another_attempt_after_an_error_is_excused() -> None:
    journal = [line("started", 1), line("finished", 2, outcome="error"), line("started", 3, NEXT)]
    assert blamed(story(), engine=journal) == set()


def test_a_prompt_that_nobody_assigned_is_found() -> None:
    assert blamed(story(), engine=[line("started", 1, "stranger")]) == {v.STRANGE}


@pytest.mark.parametrize(
    ("job", "row"),
    [
        (story(status=None, ends=(), heard=()), v.LOST),
        (story(status="queued", ends=(), heard=()), v.HUNG),
        (story(status="failed", ends=("job_failed",), heard=("failed",)), v.FAILED),
        (story(delivery=("7 frames instead of 8",)), v.UNVERIFIED),
        (story(ends=("job_completed", "job_failed")), v.ENDS_WRONG),
        (story(ends=()), v.ENDS_WRONG),
        (story(heard=()), v.UNHEARD),
        (story(heard=("completed", "completed")), v.UNHEARD),
    ],
)
def test_what_must_not_be_is_found(job: v.JobStory, row: str) -> None:
    assert blamed(job) == {row}


def test_equal_bytes_of_two_jobs_are_found() -> None:
    assert blamed(story(), story(job_id="b", assignments=())) == {v.SAME}


def test_a_video_is_decoded_to_its_last_frame(tmp_path: Path) -> None:
    path = counter_video(tmp_path / "v.mp4", frames=8, size=Size(64, 64), sound=True)
    video = path.read_bytes()
    assert decoding_faults(video, PROMISED) == []
    assert decoding_faults(video, {**PROMISED, "frames": 9}) == ["8 frames instead of 9"]
    assert decoding_faults(video, {**PROMISED, "width": 32}) != []
    assert decoding_faults(video, {**PROMISED, "has_audio": False}) != []
    assert decoding_faults(video[: len(video) // 2], PROMISED) != []


def test_the_same_seed_plans_the_same_faults_and_every_end_befalls_every_part() -> None:
    parts, engines = ("gateway", "nats"), ("engine-0",)
    one, two = (list(islice(faults(7, parts, engines, 1.0), 60)) for _ in range(2))
    assert one == two
    wanted = {(end, part) for end in ENDS for part in (*parts, *engines)}
    assert wanted <= {(fault.kind, fault.target) for fault in one}
    assert one != list(islice(faults(8, parts, engines, 1.0), 60))
