"""Properties of the lifecycle over any history: duplicates, strays and every illegal transition."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts import events as e
from contracts.lifecycle import IllegalTransition, JobState, apply, fold, refusal
from tests.contract.histories import STEPS, tried
from tests.support.examples import JOB

ENDS = {"cancel_requested", "job_failed", "job_cancelled"}
STEPPING = {"step_ready", "step_assigned", "step_started", "step_finished", "execution_finished"}
MAY_FOLLOW: dict[str | None, set[str]] = {
    None: {"job_submitted"},
    "accepted": {"media_prepared"} | ENDS,
    "uploaded": {"job_composed"} | ENDS,
    "queued": STEPPING | ENDS,
    "executing": STEPPING | ENDS,
    "collecting_outputs": {"job_completed"} | ENDS,
    "completed": {"job_deleted"},
    "failed": {"retry_requested", "job_deleted"},
    "cancelled": {"job_deleted"},
}
"""The lifecycle once more, written by hand from the states of the specification."""
RELAXED = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate],
)


@st.composite
def histories(draw: st.DrawFn, most: int = 18) -> list[e.AnyJobEvent]:
    """The events of a job that went any way that is allowed."""
    state = JobState(JOB)
    events: list[e.AnyJobEvent] = []
    for _ in range(draw(st.integers(0, most))):
        # Ends are rarer than they would be by chance, so that walks come far.
        legal = [event for event in tried(state) if refusal(state, event) is None]
        onward = [x for x in legal if x.event not in ENDS and x.event != "job_deleted"]
        if not legal:
            break
        often: bool = draw(st.integers(0, 9)) > 0
        some = onward if onward and often else legal
        place: int = draw(st.integers(0, len(some) - 1))
        event = some[place]
        state = apply(state, event)
        events.append(event)
    return events


@RELAXED
@given(histories(), st.data())
def test_any_history_with_duplicates_and_redelivery_ends_in_the_same_record(
    events: list[e.AnyJobEvent], data: st.DataObject
) -> None:
    noisy: list[e.AnyJobEvent] = []
    for number, event in enumerate(events):
        noisy.append(event)
        again = data.draw(st.lists(st.integers(0, number), max_size=4))
        noisy.extend(events[n] for n in again)
    assert fold(JOB, noisy) == fold(JOB, events)


@RELAXED
@given(histories())
def test_every_event_that_the_states_do_not_allow_is_refused(events: list[e.AnyJobEvent]) -> None:
    state = fold(JOB, events)
    allowed = set() if state.deleted else MAY_FOLLOW[state.state]
    for event in tried(state):
        if event.event in allowed:
            continue
        assert refusal(state, event) is not None, (state.state, event.event)
        with pytest.raises(IllegalTransition):
            apply(state, event)
        assert fold(JOB, [*events, event]) == state


@RELAXED
@given(histories())
def test_what_every_history_keeps_to(events: list[e.AnyJobEvent]) -> None:
    before = JobState(JOB)
    for event in events:
        after = apply(before, event)
        assert after.attempt >= before.attempt
        assert not (before.ended and after.ended and after.state != before.state)
        if after.state == "completed":
            assert after.execution is not None
            assert set(after.finished) == set(range(STEPS))
        if isinstance(event, e.StepFinished):
            assert event.result.step not in before.finished
        before = after


def test_a_duplicate_of_a_failure_does_not_end_the_attempt_that_a_retry_opened() -> None:
    error = next(x for x in tried(JobState(JOB)) if isinstance(x, e.JobFailed))
    submitted = next(x for x in tried(JobState(JOB)) if isinstance(x, e.JobSubmitted))
    failed = fold(JOB, [submitted, error])
    retry = next(
        x for x in tried(failed) if isinstance(x, e.RetryRequested) and refusal(failed, x) is None
    )
    again = apply(failed, retry)
    assert refusal(again, error) == "job_failed told before"
    assert fold(JOB, [submitted, error, retry, error]) == again
