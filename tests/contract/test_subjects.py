"""Subjects, message ids and the topology as data."""

from __future__ import annotations

from contracts import subjects
from contracts.events import EVENTS, event_name
from contracts.subjects import CONSUMERS, PUBLISHES, READS, family_of, message_id, subject_of
from tests.support.examples import JOB, LANE, every_event


def test_every_event_has_a_publisher_and_a_consumer() -> None:
    published = set().union(*PUBLISHES.values())
    names = {event_name(event) for event in EVENTS}
    assert published == names
    assert "*" in READS["gateway"]
    assert set().union(*READS.values()) - {"*"} <= names


def test_every_event_that_a_service_reads_is_delivered_by_one_of_its_consumers() -> None:
    delivered: dict[str, set[str]] = {}
    for consumer in CONSUMERS:
        for subject in consumer.subjects:
            delivered.setdefault(consumer.service, set()).add(subject.rsplit(".", 1)[1])
    delivered.setdefault("executor", set()).update({"step_ready", "cancel_requested"})
    for service, names in READS.items():
        if service != "gateway":
            assert delivered[service] == names, service


def test_a_subject_names_branch_id_and_event_and_lies_in_its_stream() -> None:
    for event in every_event():
        parts = subject_of(event).split(".")
        assert parts[:2] == ["animatrix", "v1"]
        assert parts[2] == event.stream.lower()
        assert parts[4] == event.event
    ready = next(e for e in every_event() if e.event == "step_ready")
    assert subject_of(ready) == f"animatrix.v1.jobs.{JOB}.step_ready.{LANE}"


def test_families_carry_no_ids() -> None:
    families = {family_of(subject_of(event)) for event in every_event()}
    assert len(families) == len(EVENTS)
    assert not any(JOB in family for family in families)
    assert family_of(subjects.progress_subject(JOB)) == "animatrix.v1.progress.*"


def test_message_ids_differ_between_events_attempts_and_steps() -> None:
    ids = [message_id(event) for event in every_event()]
    assert len(set(ids)) == len(ids)
    ready = next(e for e in every_event() if e.event == "step_ready")
    assert message_id(ready) == message_id(ready.model_copy(update={"event_id": JOB}))
    assert message_id(ready) != message_id(ready.model_copy(update={"attempt": 2}))
    assert message_id(ready) != message_id(ready.model_copy(update={"step": 1}))
    assert message_id(next(e for e in every_event() if e.event == "job_submitted")) == JOB
