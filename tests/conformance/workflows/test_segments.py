"""A long video made as checkpointed segments is the video that one graph makes.

The one graph is built here in the shape of the official templates: every chunk goes on from all
frames, or all latents, so far. On a real server frames are compared, bit by bit on a
processor; a simulator colours
its frames by the graph, so there only their number is compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.plan import JobPlan
from contracts.stages import ComfyWorkflowStage
from planning.binding import bind
from planning.segments import length_of
from tests.conformance.graphs import node
from tests.conformance.server import Graph, Server
from tests.conformance.workflows.running import (
    SHORT,
    Frames,
    pictures,
    planned,
    prepare_media,
    repeats_within,
    run,
)
from tests.conformance.workflows.variants import request_for
from tests.planning.examples import audio_asset, video_asset

SEGMENTS = {"wan22_animate_move": 4, "wan22_animate_mix": 4, "wan22_s2v": 11}
"""Enough for Audio performance to have more latents than a checkpoint holds."""
LONG_ENOUGH = (video_asset(2, 40.0), audio_asset(3, 40.0))
SLOW_S = 400


def _plan(name: str, segments: int) -> JobPlan:
    asked = {"duration_override_seconds": None, "extension_segments": segments - 1}
    request = request_for(name, quality_profile="draft", **asked)
    return planned(request, assets=LONG_ENOUGH, workflows=SHORT)


@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("name", SEGMENTS)
async def test_checkpointed_segments_equal_one_graph(
    server: Server, tmp_path: Path, name: str
) -> None:
    segments = SEGMENTS[name] if server.kind == "real" else 2
    made = _plan(name, segments)
    result = await run(server, made, tmp_path, workflows=SHORT, lossless=True)
    assert len(result.frames) == made.delivery.frames
    assert len(result.bound) == segments
    for bound, videos in zip(result.bound, result.videos, strict=True):
        promised = {o.name: o.frames for o in bound.outputs if o.media == "video"}
        assert {name: len(frames) for name, frames in videos.items()} == promised
    if server.kind != "real":
        return
    whole = await _lossless(server, *await _one_graph(server, made, tmp_path))
    pieces = np.concatenate(result.lossless)
    assert pieces.shape == whole.shape
    differences = np.abs(pieces.astype(int) - whole.astype(int)).mean(axis=(1, 2, 3))
    assert np.flatnonzero(differences > await repeats_within(server)).tolist() == []


@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("name", SEGMENTS)
async def test_the_overlap_shows_the_end_of_the_segment_before(
    server: Server, tmp_path: Path, name: str
) -> None:
    made = _plan(name, 2)
    result = await run(server, made, tmp_path, workflows=SHORT)
    overlap = result.videos[1]["overlap"]
    assert len(overlap) == 5
    if name == "wan22_s2v" and server.kind == "real":
        # decoded from the same latents, coded twice
        before = result.videos[0]["video"][-5:].astype(int)
        assert np.abs(overlap.astype(int) - before).mean() < 4


async def _one_graph(server: Server, made: JobPlan, folder: Path) -> tuple[Graph, str]:
    """The whole video in one graph, and the node whose pictures are all its frames."""
    stage = made.stages[0]
    assert isinstance(stage, ComfyWorkflowStage)
    version = SHORT.pinned(stage.workflow)
    lengths = [length_of(segment, version.manifest.frames) for segment in stage.segments]
    prepared = await prepare_media(server, made, folder)
    graph = bind(version, stage, stage.segments[0], prepared).graph
    for name in [n for n, told in graph.items() if told["class_type"].startswith("Save")]:
        del graph[name]
    if "animation" in graph:
        return graph, _animate_chunks(graph, lengths)
    return graph, _speech_chunks(graph, lengths)


def _sampler(graph: Graph, number: int, origin: str) -> dict[str, Any]:
    inputs = dict(graph["sampler"]["inputs"])
    links = {"positive": [origin, 0], "negative": [origin, 1], "latent_image": [origin, 2]}
    return node("KSampler", **{**inputs, **links, "seed": inputs["seed"] + number})


def _animate_chunks(graph: Graph, lengths: list[int]) -> str:
    graph["motion_window"]["inputs"]["length"] = 4096
    so_far, before = "frames", "animation"
    for number, length in enumerate(lengths[1:], start=1):
        given = {**graph["animation"]["inputs"], "length": length}
        graph[f"animation{number}"] = node(
            "WanAnimateToVideo",
            **{**given, "continue_motion": [so_far, 0], "video_frame_offset": [before, 5]},
        )
        before = f"animation{number}"
        graph[f"sampler{number}"] = _sampler(graph, number, before)
        graph[f"trim{number}"] = node(
            "TrimVideoLatent", samples=[f"sampler{number}", 0], trim_amount=[before, 3]
        )
        graph[f"decode{number}"] = node("VAEDecode", samples=[f"trim{number}", 0], vae=["vae", 0])
        graph[f"new{number}"] = node(
            "ImageFromBatch", image=[f"decode{number}", 0], batch_index=[before, 4], length=4096
        )
        graph[f"all{number}"] = node("ImageBatch", image1=[so_far, 0], image2=[f"new{number}", 0])
        so_far = f"all{number}"
    return so_far


def _speech_chunks(graph: Graph, lengths: list[int]) -> str:
    so_far = "sampler"
    skipped = ("width", "height", "batch_size")
    given = {k: v for k, v in graph["performance"]["inputs"].items() if k not in skipped}
    for number, length in enumerate(lengths[1:], start=1):
        graph[f"extend{number}"] = node(
            "WanSoundImageToVideoExtend", **{**given, "length": length, "video_latent": [so_far, 0]}
        )
        graph[f"sampler{number}"] = _sampler(graph, number, f"extend{number}")
        graph[f"all{number}"] = node(
            "LatentConcat", samples1=[so_far, 0], samples2=[f"sampler{number}", 0], dim="t"
        )
        so_far = f"all{number}"
    graph["padded_latent"]["inputs"]["samples2"] = [so_far, 0]
    return "frames"


async def _lossless(server: Server, graph: Graph, source: str) -> Frames:
    graph["lossless"] = node("PreviewImage", images=[source, 0])
    for unused in ("video", "pose_preview"):
        graph.pop(unused, None)
    entry = await server.succeeded(graph, limit_s=SLOW_S)
    return await pictures(server, entry["outputs"]["lossless"]["images"])
