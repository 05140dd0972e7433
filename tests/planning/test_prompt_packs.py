"""Prompt packs: released, locked, never merged with a typed prompt; where each value came from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from contracts.errors import ErrorCode as C
from contracts.stages import VideoFramesStage, VideoRenderStage
from planning.prompt_packs import PACKS_DIR, PackCorrupt, PromptPack, load_packs
from planning.release import release_packs
from tests.planning.examples import (
    IMAGE,
    RENDER,
    STILL,
    frames,
    motion_clip,
    planned,
    refused,
    webui,
)

PACKS = load_packs()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PACKS_DIR, tmp_path / "packs"))


@pytest.mark.parametrize("pack", PACKS.packs, ids=lambda p: p.ref.name)
def test_every_released_pack_makes_a_chain_of_its_own(pack: PromptPack) -> None:
    made = planned(motion_clip(prompt="", prompt_pack=pack.ref.name), engines=(webui(),))
    assert made.prompt_pack == pack.ref
    assert made.prompt == made.resolved_prompt == pack.content.prompt
    assert made.negative_prompt == pack.content.negative_prompt
    framed = any(isinstance(stage, VideoFramesStage) for stage in made.stages)
    assert framed == pack.content.video.frames.enabled


def test_settings_of_the_request_override_the_packs_and_the_rest_is_told_apart() -> None:
    request = motion_clip(
        STILL,
        frames("deforum", fps=24),
        {**RENDER, "crf": 25},
        prompt="",
        prompt_pack="forest_walk@1.0.0",
    )
    made = planned(request, engines=(webui(),))
    frames_stage, render = made.stages[1], made.stages[2]
    assert isinstance(frames_stage, VideoFramesStage)
    assert isinstance(render, VideoRenderStage)
    assert (frames_stage.fps, frames_stage.num_frames, frames_stage.strength) == (24, 48, 0.4)
    assert (render.crf, render.preset) == (25, "medium")
    told = {
        place: made.origins[place]
        for place in (
            "stages.0.prompt",
            "stages.0.steps",
            "stages.1.fps",
            "stages.1.num_frames",
            "stages.1.backend_params.deforum.schedules",
            "stages.2.crf",
            "stages.2.preset",
            "stages.2.output_name",
        )
    }
    assert told == {
        "stages.0.prompt": "pack",
        "stages.0.steps": "default",
        "stages.1.fps": "request",
        "stages.1.num_frames": "pack",
        "stages.1.backend_params.deforum.schedules": "pack",
        "stages.2.crf": "request",
        "stages.2.preset": "pack",
        "stages.2.output_name": "default",
    }


def test_every_resolved_value_of_a_chain_has_an_origin() -> None:
    made = planned(motion_clip(STILL, frames(), RENDER), engines=(webui(),))
    sized = {"kind", "width_px", "height_px", "backend_params", "audio_role"}
    unused = {"seconds_per_still", "camera_motion"}
    for at, stage in enumerate(made.stages):
        for field in stage.model_dump().keys() - sized - unused:
            assert f"stages.{at}.{field}" in made.origins, f"{stage.kind}.{field}"


def test_another_container_than_the_packs_takes_none_of_its_encoder_settings() -> None:
    request = motion_clip(prompt="", prompt_pack="lake_dawn", render={"container": "webm"})
    render = planned(request, engines=(webui(),)).stages[-1]
    assert isinstance(render, VideoRenderStage)
    assert (render.codec, render.crf, render.camera_motion) == ("libvpx-vp9", 30, "zoom")


@pytest.mark.parametrize("more", [{"prompt": "a lake"}, {"negative_prompt": "blur"}])
def test_a_pack_and_a_typed_prompt_are_never_merged(more: dict[str, str]) -> None:
    request = motion_clip(STILL, RENDER, **{"prompt": "", "prompt_pack": "lake_dawn", **more})
    errors = refused(request, engines=(webui(),)).errors
    assert [(e.code, e.field) for e in errors] == [(C.SETTINGS_CONFLICT, "prompt_pack")]
    assert "never merged" in errors[0].sentence


@pytest.mark.parametrize("field", ["keywords", "reference_asset_ids"])
def test_nothing_is_added_to_a_packs_prompt(field: str) -> None:
    given = {field: ("mist",) if field == "keywords" else (IMAGE,)}
    request = motion_clip(STILL, RENDER, prompt="", prompt_pack="lake_dawn", **given)
    errors = refused(request, engines=(webui(),)).errors
    assert [(e.code, e.field) for e in errors] == [(C.SETTINGS_CONFLICT, field)]


def test_a_changed_released_pack_is_refused_and_not_released_again(copied: Path) -> None:
    path = copied / "lake_dawn" / "1.0.0.json"
    path.write_text(path.read_text().replace("dawn", "dusk"))
    with pytest.raises(PackCorrupt, match=r"lake_dawn/1\.0\.0 is"):
        load_packs(copied)
    lock = (copied / "prompt_packs.lock.json").read_text()
    with pytest.raises(PackCorrupt, match="never change"):
        release_packs(copied)
    assert (copied / "prompt_packs.lock.json").read_text() == lock


def test_a_new_version_is_released_and_becomes_the_newest(copied: Path) -> None:
    content = json.loads((copied / "lake_dawn" / "1.0.0.json").read_text())
    for version in ("1.2.0", "1.10.0"):
        path = copied / "lake_dawn" / f"{version}.json"
        path.write_text(json.dumps({**content, "version": version}))
    with pytest.raises(PackCorrupt, match="differ"):
        load_packs(copied)
    assert release_packs(copied) == ("lake_dawn/1.10.0", "lake_dawn/1.2.0")
    load_packs.cache_clear()
    packs = load_packs(copied)
    assert packs.named("lake_dawn").ref.version == "1.10.0"
    assert packs.named("lake_dawn@1.0.0").ref == PACKS.named("lake_dawn").ref


def test_a_pack_with_a_foreign_field_is_refused(copied: Path) -> None:
    path = copied / "odd" / "1.0.0.json"
    path.parent.mkdir()
    content = json.loads((copied / "lake_dawn" / "1.0.0.json").read_text())
    path.write_text(json.dumps({**content, "name": "odd", "wizardry": 1}))
    release_packs(copied)
    with pytest.raises(PackCorrupt, match="wizardry"):
        load_packs(copied)
