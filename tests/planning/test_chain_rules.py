"""Illegal chains: each is refused with a sentence and a remedy of its own; legal ones are not."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import CATALOGUE
from contracts.errors import ErrorCode as C
from planning.chain_rules import chain_fault
from planning.planner import Refusal, plan
from tests.planning.examples import (
    IMAGE,
    RENDER,
    SECOND_IMAGE,
    SEED,
    STILL,
    WORKFLOWS,
    frames,
    known,
    motion_clip,
    planned,
    webui,
)

IMG2IMG = {"kind": "img2img"}
UPSCALE = {"kind": "upscale"}
TWO = (IMAGE, SECOND_IMAGE)

ILLEGAL: dict[str, tuple[list[dict[str, Any]], tuple[str, ...], str, str]] = {
    "nothing": ([], (), "stages", "no stage"),
    "render first": ([RENDER, STILL], (), "stages[0]", "comes first"),
    "render alone": ([RENDER], (), "stages[0]", "nothing to render"),
    "render twice": ([STILL, RENDER, RENDER], (), "stages[2]", "renders twice"),
    "a stage after render": ([STILL, RENDER, UPSCALE], (), "stages[2]", "after video_render"),
    "no render": ([STILL, UPSCALE], (), "stages", "ends without video_render"),
    "frames without a picture": ([frames(), RENDER], (), "stages[0]", "no picture to start from"),
    "frames of many": (
        [{**STILL, "count": 3}, frames(), RENDER],
        (),
        "stages[1]",
        "one picture, and there are 3",
    ),
    "frames of two stills": ([frames(), RENDER], TWO, "stages[0]", "there are 2"),
    "frames twice": ([STILL, frames(), frames(), RENDER], (), "stages[2]", "frames twice"),
    "frames of upscaled": ([STILL, UPSCALE, frames(), RENDER], (), "stages[2]", "small again"),
    "upscale without a source": ([UPSCALE, RENDER], (), "stages[0]", "no pictures to enlarge"),
    "upscale of frames": ([STILL, frames(), UPSCALE, RENDER], (), "stages[2]", "not upscaled"),
    "upscale twice": ([STILL, UPSCALE, UPSCALE, RENDER], (), "stages[2]", "upscales twice"),
    "two makers": ([STILL, IMG2IMG, RENDER], (), "stages[1]", "second stage makes pictures"),
    "stills and a maker": ([STILL, RENDER], (IMAGE,), "stages[0]", "Stills are attached"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_chain_is_refused_in_its_own_words(name: str) -> None:
    stages, stills, field, words = ILLEGAL[name]
    request = motion_clip(stages=stages, still_asset_ids=stills)
    refusal = plan(request, known(), WORKFLOWS, (webui(),), SEED)
    assert isinstance(refusal, Refusal)
    chained = [e for e in refusal.errors if e.code == C.CHAIN_ILLEGAL]
    assert [(e.field, words in e.sentence) for e in chained] == [(field, True)]
    assert chained[0].remedy != CATALOGUE[C.CHAIN_ILLEGAL].remedy


def test_no_two_illegal_chains_share_a_sentence() -> None:
    said = set()
    for stages, stills, _, _ in ILLEGAL.values():
        fault = chain_fault(motion_clip(stages=stages).stages or (), len(stills))
        assert fault is not None
        said.add(fault.sentence)
    # "render first" and "render alone" are one fault, as are too many pictures for frames
    assert len(said) == len(ILLEGAL) - 1


LEGAL: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "A": ([STILL, UPSCALE, RENDER], {}),
    "A without upscale": ([STILL, RENDER], {}),
    "A from stills": ([RENDER], {"still_asset_ids": TWO}),
    "A from stills, larger": ([UPSCALE, RENDER], {"still_asset_ids": TWO}),
    "A from a picture": ([IMG2IMG, RENDER], {"ground_truth_asset_id": IMAGE}),
    "B": ([STILL, frames(), RENDER], {}),
    "B from a picture": ([IMG2IMG, frames(), RENDER], {"ground_truth_asset_id": IMAGE}),
    "B from a still": ([frames(), RENDER], {"still_asset_ids": (IMAGE,)}),
    "C": ([STILL, frames("deforum"), RENDER], {}),
}


@pytest.mark.parametrize("name", LEGAL)
def test_a_legal_chain_is_planned(name: str) -> None:
    stages, more = LEGAL[name]
    made = planned(motion_clip(stages=stages, **more), engines=(webui(),))
    assert [stage.kind for stage in made.stages] == [stage["kind"] for stage in stages]


def test_render_beside_the_stages_is_the_last_stage_and_a_second_one_is_refused() -> None:
    beside = planned(motion_clip(STILL, render={"crf": 20}), engines=(webui(),))
    within = planned(motion_clip(STILL, {**RENDER, "crf": 20}), engines=(webui(),))
    assert beside.stages == within.stages
    both = motion_clip(STILL, RENDER, render={"crf": 20})
    refusal = plan(both, known(), WORKFLOWS, (webui(),), SEED)
    assert isinstance(refusal, Refusal)
    assert [e.code for e in refusal.errors] == [C.CHAIN_ILLEGAL]
