"""Schemas: current, released ones frozen, recorded payloads readable for ever."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from contracts.events import EVENTS, MAX_EVENT_BYTES, encode_event, event_name, parse_event
from contracts.schema import FOLDER, RELEASED, digest, schemas
from tests.support.examples import every_event

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.jsonl"))


def test_committed_schemas_are_what_the_models_generate() -> None:
    for name, schema in schemas().items():
        assert json.loads((FOLDER / name).read_text()) == schema, f"run `make schemas` for {name}"


def test_a_released_schema_never_changes() -> None:
    released = json.loads(RELEASED.read_text())
    assert released
    for name, sha256 in released.items():
        committed = json.loads((FOLDER / name).read_text())
        assert digest(committed) == sha256, f"{name} is released: make a new version instead"


def _says(now: object, then: object) -> bool:
    """Whether `now` says all that `then` said; optional fields may have come since."""
    if isinstance(now, dict) and isinstance(then, dict):
        return all(key in now and _says(now[key], value) for key, value in then.items())
    if isinstance(now, list) and isinstance(then, list):
        return len(now) == len(then) and all(map(_says, now, then))
    return now == then


def test_a_payload_that_lost_something_does_not_say_the_same() -> None:
    then = {"a": [{"b": 1, "c": None}]}
    assert _says({"a": [{"b": 1, "c": None, "new": 2}], "new": 3}, then)
    lost: list[dict[str, object]] = [{"a": [{"b": 1}]}, {"a": [{"b": 2, "c": None}]}, {"a": []}, {}]
    for less in lost:
        assert not _says(less, then)


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
def test_every_recorded_payload_still_parses_and_says_the_same(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines
    for line in lines:
        assert _says(json.loads(parse_event(line).model_dump_json()), json.loads(line))


def test_every_event_has_an_example_that_its_schema_accepts() -> None:
    examples = {event_name(event): event for event in every_event()}
    assert set(examples) == {event_name(event) for event in EVENTS}
    for name, event in examples.items():
        schema = json.loads((FOLDER / f"v1/{name}.json").read_text())
        jsonschema.validate(json.loads(event.model_dump_json()), schema)


def test_every_event_class_says_when_it_is_sent() -> None:
    for event in EVENTS:
        assert (event.__doc__ or "").startswith("Sent "), event.__name__


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "an unknown version"),
        ({"event": "job_exploded"}, "an unknown event"),
        ({"surprise": 1}, "an unknown field"),
        ({"job_id": "x"}, "an id that is no id"),
        ({"occurred_at": "2026-01-02T03:04:05"}, "a time without zone"),
    ],
)
def test_a_payload_with_something_foreign_is_refused(change: dict[str, object], why: str) -> None:
    event = next(e for e in every_event() if e.event == "job_deleted")
    payload = {**json.loads(event.model_dump_json()), **change}
    with pytest.raises(ValidationError):
        parse_event(json.dumps(payload))


def test_an_event_above_64_kb_is_refused_before_it_is_sent() -> None:
    event = next(e for e in every_event() if e.event == "job_deleted")
    with pytest.raises(ValueError, match="exceeds"):
        encode_event(event.model_copy(update={"requested_by": "x" * MAX_EVENT_BYTES}))
