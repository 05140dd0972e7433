"""Reading history entries and outputs."""

from __future__ import annotations

from typing import Any

import pytest

from engines.comfyui import (
    Failed,
    Interrupted,
    OutputFile,
    Record,
    Succeeded,
    files_in,
    history_entry,
)
from tests.engines.fake_engine import PROMPT_ID, entry, success


def error_entry(kind: str, message: str) -> dict[str, Any]:
    data = {
        "node_id": "6",
        "node_type": "KSampler",
        "executed": ["1"],
        "exception_type": kind,
        "exception_message": message,
        "traceback": ["line one\n", "x" * 50_000] * 100,
        "current_inputs": {"latent": ["tensor" * 3000]},
        "timestamp": 30,
    }
    kept = {"9": {"images": [{"filename": "first.mp4", "subfolder": "", "type": "output"}]}}
    return entry("error", ["execution_error", data], kept)


def test_a_success_lists_its_files_and_times() -> None:
    read = history_entry(PROMPT_ID, success("a_00001_.mp4"))
    assert read.outcome == Succeeded((OutputFile("9", "images", "a_00001_.mp4", ""),))
    assert read.outcome.record == Record(PROMPT_ID, 10, 20, ("1",))


def test_interrupted_is_not_failed() -> None:
    last = ["execution_interrupted", {"node_id": "6", "node_type": "KSampler", "executed": []}]
    assert history_entry(PROMPT_ID, entry("error", last)).outcome == Interrupted("6")


def test_an_error_names_the_node_and_keeps_earlier_files() -> None:
    outcome = history_entry(PROMPT_ID, error_entry("RuntimeError", "shapes differ")).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.node, outcome.node_type, outcome.oom) == ("6", "KSampler", False)
    assert [file.filename for file in outcome.outputs] == ["first.mp4"]
    assert len(repr(outcome)) < 40_000


@pytest.mark.parametrize(
    ("kind", "message", "oom"),
    [
        ("torch.OutOfMemoryError", "Allocation on device", True),
        ("torch.cuda.OutOfMemoryError", "", True),
        ("RuntimeError", "CUDA error: out of memory", True),
        ("MemoryError", "", True),
        ("RuntimeError", "not enough memory: you tried to allocate 9 bytes", True),
        ("PIL.UnidentifiedImageError", "cannot identify image file", False),
    ],
)
def test_out_of_memory_is_recognised(kind: str, message: str, oom: bool) -> None:
    outcome = history_entry(PROMPT_ID, error_entry(kind, message)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.oom is oom


@pytest.mark.parametrize("status", [None, {}, {"status_str": "error"}, {"messages": "none"}, 7])
def test_an_end_that_is_not_told_is_never_a_success(status: Any) -> None:
    read = history_entry(PROMPT_ID, {"outputs": success("a.mp4")["outputs"], "status": status})
    assert isinstance(read.outcome, Failed)


def test_a_success_without_messages_counts() -> None:
    told = {"outputs": {}, "status": {"status_str": "success", "completed": True}}
    assert history_entry(PROMPT_ID, told).outcome == Succeeded(())


def test_only_dicts_of_type_output_are_files() -> None:
    big = "x" * 100_000
    outputs = {
        "100": {"openpose_json": [big] * 40, "images": [{"filename": "p.png", "type": "temp"}]},
        "229": {"bg_image": [big], "points": big},
        "9": {
            "images": [
                {"filename": "v.mp4", "subfolder": "a/b", "type": "output"},
                {"filename": "v.mp4", "subfolder": "a/b", "type": "output"},
                {"filename": "", "subfolder": "", "type": "output"},
                {"filename": 7, "type": "output"},
                {"filename": "w.mp4", "subfolder": None, "type": "output"},
                None,
                "v.mp4",
            ],
            "animated": [True],
        },
        "10": None,
        "11": [1],
    }
    assert files_in(outputs) == (
        OutputFile("9", "images", "v.mp4", "a/b"),
        OutputFile("9", "images", "w.mp4", ""),
    )


@pytest.mark.parametrize("outputs", [None, [], "x", {"1": {"images": {"filename": "x"}}}])
def test_outputs_of_another_shape_hold_no_files(outputs: Any) -> None:
    assert files_in(outputs) == ()


def test_two_thousand_outputs_with_strings_between_are_read() -> None:
    items: list[Any] = []
    for n in range(2000):
        items += [{"filename": f"{n}.png", "subfolder": "", "type": "output"}, "text" * 100]
    files = files_in({"3": {"images": items}})
    assert [file.filename for file in files] == [f"{n}.png" for n in range(2000)]
