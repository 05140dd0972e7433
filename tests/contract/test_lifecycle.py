"""The lifecycle: which event may follow which; duplicates and strays change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events as e
from contracts.errors import ErrorCode, error_info
from contracts.lifecycle import IllegalTransition, JobState, apply, fold, refusal
from tests.support.examples import JOB, OTHER_JOB, every_event, head, step_result, whole_job

STATES = [
    "accepted",
    "uploaded",
    "queued",
    "queued",
    "queued",
    "executing",
    "executing",
    "collecting_outputs",
    "completed",
]
FAILED = e.JobFailed(
    **head(50), job_id=JOB, service="executor", error=error_info(ErrorCode.ENGINE_FAILED)
)


def _after(count: int) -> JobState:
    return fold(JOB, whole_job()[:count])


def test_a_whole_job_passes_through_the_public_states_in_order() -> None:
    assert [_after(n + 1).state for n in range(len(STATES))] == STATES


@pytest.mark.parametrize("count", range(10))
def test_no_event_may_skip_what_must_come_before(count: int) -> None:
    events, state = whole_job(), _after(count)
    legal = {events[count].event} if count < len(events) else set()
    if count in (4, 5):  # an engine may finish before its start was seen
        legal |= {"step_started", "step_assigned"}
    if count == 5:
        legal |= {"step_finished"}
    if count == 6:
        legal |= {"step_assigned", "step_started"}
    for event in events:
        if event.event not in legal:
            assert refusal(state, event) is not None, (count, event.event)
            with pytest.raises(IllegalTransition):
                apply(state, event)
        elif event.event == events[min(count, 8)].event:
            apply(state, event)


@given(
    st.lists(st.integers(0, 8), min_size=0, max_size=12),
    st.integers(min_value=1, max_value=3),
)
def test_duplicates_and_redelivery_end_in_the_same_record(again: list[int], copies: int) -> None:
    """Each event arrives, then any earlier ones may arrive again, any number of times."""
    events = whole_job()
    noisy: list[e.AnyJobEvent] = []
    for number, event in enumerate(events):
        noisy.append(event)
        noisy.extend(events[n] for n in again if n <= number for _ in range(copies))
    assert fold(JOB, noisy) == fold(JOB, events)


@given(st.permutations(whole_job()))
def test_any_order_of_arrival_never_ends_a_job_that_did_not_pass_every_state(
    events: list[e.AnyJobEvent],
) -> None:
    state = fold(JOB, events)
    if state.state == "completed":
        assert state.prepared
        assert state.composed
        assert state.finished
        assert state.execution


@pytest.mark.parametrize("count", range(1, 9))
def test_a_living_job_may_fail_or_be_cancelled_in_every_state(count: int) -> None:
    cancelled = e.JobCancelled(**head(51), job_id=JOB, service="gateway")
    assert apply(_after(count), FAILED).state == "failed"
    assert apply(_after(count), cancelled).state == "cancelled"


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_after_the_end_nothing_but_retry_of_a_failure_and_deletion_may_follow(end: str) -> None:
    if end == "completed":
        state = _after(9)
    elif end == "failed":
        state = apply(_after(5), FAILED)
    else:
        state = apply(_after(5), e.JobCancelled(**head(51), job_id=JOB, service="gateway"))
    for event in every_event():
        if not isinstance(event, e.JobEvent):
            continue
        allowed = event.event == "job_deleted" or (
            event.event == "retry_requested" and end == "failed"
        )
        assert (refusal(state, event) is None) is allowed, event.event


def test_a_retry_goes_on_from_the_step_that_failed_with_the_next_attempt() -> None:
    retry = e.RetryRequested(**head(52), job_id=JOB, requested_by="operator", attempt=2)
    state = apply(apply(_after(5), FAILED), retry)
    assert (state.state, state.attempt, state.failed) == ("queued", 2, None)
    ready: Any = whole_job()[3]
    assert refusal(state, ready) is not None
    again = apply(state, ready.model_copy(update={"attempt": 2}))
    assert again.ready is not None
    assert again.ready.attempt == 2


def test_the_result_of_an_abandoned_attempt_is_refused() -> None:
    retry = e.RetryRequested(**head(52), job_id=JOB, requested_by="operator", attempt=2)
    state = apply(apply(_after(6), FAILED), retry)
    state = apply(state, whole_job()[3].model_copy(update={"attempt": 2}))
    late = e.StepFinished(**head(53), job_id=JOB, result=step_result(attempt=1))
    assert refusal(state, late) is not None
    assigned = whole_job()[4].model_copy(update={"attempt": 2, "event_id": head(56)["event_id"]})
    state_2 = apply(state, assigned)
    assert refusal(state_2, late) is not None


def test_a_retry_before_media_were_prepared_starts_at_accepted() -> None:
    retry = e.RetryRequested(**head(52), job_id=JOB, requested_by="operator", attempt=2)
    assert apply(apply(_after(1), FAILED), retry).state == "accepted"
    assert apply(apply(_after(2), FAILED), retry).state == "uploaded"


def test_events_of_another_job_change_nothing() -> None:
    assert fold(JOB, [*whole_job()[:3], *whole_job(OTHER_JOB)]) == _after(3)


def test_a_retry_after_a_refused_result_generates_every_step_again() -> None:
    bad = e.JobFailed(
        **head(54), job_id=JOB, service="collector", error=error_info(ErrorCode.RESULT_INVALID)
    )
    retry = e.RetryRequested(**head(52), job_id=JOB, requested_by="operator", attempt=2)
    state = apply(apply(_after(8), bad), retry)
    assert (state.state, state.finished) == ("queued", {})
    none_open = apply(apply(_after(7), FAILED), retry)
    assert (none_open.state, none_open.finished) == ("queued", {})


def test_a_retry_keeps_the_steps_that_finished_before_the_one_that_failed() -> None:
    composed: Any = whole_job()[2]
    first = [*whole_job()[:2], composed.model_copy(update={"steps": 2}), *whole_job()[3:7]]
    retry = e.RetryRequested(**head(52), job_id=JOB, requested_by="operator", attempt=2)
    assert set(apply(apply(fold(JOB, first), FAILED), retry).finished) == {0}


def _retry(start: e.RestartAt | None) -> e.RetryRequested:
    return e.RetryRequested(**head(55), job_id=JOB, requested_by="o", attempt=2, start=start)


@pytest.mark.parametrize(
    ("start", "state"),
    [
        ("media", "accepted"),
        ("composition", "uploaded"),
        ("execution", "queued"),
        ("collection", "collecting_outputs"),
    ],
)
def test_a_retry_may_say_where_to_start(start: e.RestartAt, state: str) -> None:
    again = apply(apply(_after(8), FAILED), _retry(start))
    assert (again.state, again.attempt) == (state, 2)
    assert bool(again.finished) is bool(again.execution) is (start == "collection")
    assert bool(again.prepared) is (start != "media")
    assert bool(again.composed) is (start in ("execution", "collection"))


@pytest.mark.parametrize(
    ("start", "needs"), [("composition", 2), ("execution", 3), ("collection", 8)]
)
def test_a_retry_cannot_start_where_the_job_never_was(start: e.RestartAt, needs: int) -> None:
    assert refusal(apply(_after(needs - 1), FAILED), _retry(start)) is not None
    assert refusal(apply(_after(needs), FAILED), _retry(start)) is None


def test_results_collected_again_complete_the_job_in_the_later_attempt() -> None:
    again = apply(apply(_after(8), FAILED), _retry("collection"))
    completed: Any = whole_job()[8]
    assert refusal(again, completed) is not None
    assert apply(again, completed.model_copy(update={"attempt": 2})).state == "completed"
