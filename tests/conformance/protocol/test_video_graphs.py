"""Frame counts, sizes and sound of the official graphs, at tiny sizes."""

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.graphs import animate, inpainted, node, sampled, saved_video, speech
from tests.conformance.media import Looked, Media, look
from tests.conformance.server import Server, client, last_message


def _prefix() -> str:
    return f"conformance/{client()}"


async def _video(server: Server, graph: dict[str, Any], folder: Path) -> Looked:
    entry = await server.succeeded(graph)
    [item] = entry["outputs"]["save"]["images"]
    return look(await server.fetched(item, folder))


def _shows(graph: dict[str, Any], origin: str, slots: dict[str, int]) -> dict[str, Any]:
    """The graph with PreviewAny nodes on slots of a node."""
    return graph | {name: node("PreviewAny", source=[origin, slot]) for name, slot in slots.items()}


async def test_animate_gives_length_frames_at_the_rate_with_sound(
    server: Server, media: Media, tmp_path: Path
) -> None:
    drive, reference = await server.upload(media.drive), await server.upload(media.picture)
    seen = await _video(server, animate(drive, reference, _prefix()), tmp_path)
    assert (seen.width, seen.height, seen.frames, seen.fps) == (64, 64, 9, 16.0)
    assert (seen.codec, seen.audio) == ("h264", "aac")


async def test_sound_is_cut_to_the_length_of_the_video(
    server: Server, media: Media, tmp_path: Path
) -> None:
    drive, reference = await server.upload(media.drive), await server.upload(media.picture)
    seen = await _video(server, animate(drive, reference, _prefix()), tmp_path)
    assert seen.audio_s == pytest.approx(9 / 16, abs=0.06)


async def test_sound_is_not_padded(server: Server, media: Media, tmp_path: Path) -> None:
    drive, reference = await server.upload(media.early_end), await server.upload(media.picture)
    seen = await _video(server, animate(drive, reference, _prefix(), length=17), tmp_path)
    assert seen.frames == 17
    assert seen.audio_s < 0.5


async def test_silent_driving_video_gives_a_silent_video(
    server: Server, media: Media, tmp_path: Path
) -> None:
    drive, reference = await server.upload(media.silent), await server.upload(media.picture)
    seen = await _video(server, animate(drive, reference, _prefix()), tmp_path)
    assert seen.audio is None


async def test_short_driving_video_is_held_on_its_last_frame(
    server: Server, media: Media, tmp_path: Path
) -> None:
    drive, reference = await server.upload(media.short), await server.upload(media.picture)
    seen = await _video(server, animate(drive, reference, _prefix()), tmp_path)
    assert seen.frames == 9


async def test_first_chunk_trims_one_latent_and_no_frames_and_counts_on(
    server: Server, media: Media
) -> None:
    drive, reference = await server.upload(media.drive), await server.upload(media.picture)
    graph = _shows(
        animate(drive, reference, _prefix()), "wan", {"latents": 3, "frames": 4, "next": 5}
    )
    shown = (await server.succeeded(graph))["outputs"]
    texts = [shown[name]["text"] for name in ("latents", "frames", "next")]
    assert texts == [["1"], ["0"], ["9"]]


async def test_next_chunk_trims_five_frames_and_adds_length_less_five(
    server: Server, media: Media, tmp_path: Path
) -> None:
    drive, reference = await server.upload(media.drive), await server.upload(media.picture)
    before = {"so_far": node("RepeatImageBatch", image=["parts", 0], amount=1)}
    more: dict[str, Any] = {"continue_motion": ["so_far", 0], "video_frame_offset": 9}
    graph = animate(drive, reference, _prefix(), **more) | before
    graph = _shows(graph, "wan", {"frames": 4, "next": 5})
    entry = await server.succeeded(graph)
    assert entry["outputs"]["frames"]["text"] == ["5"]
    assert entry["outputs"]["next"]["text"] == ["13"]
    path = await server.fetched(entry["outputs"]["save"]["images"][0], tmp_path)
    assert look(path).frames == 4


@pytest.mark.parametrize(
    ("there", "trimmed", "following"),
    [(1, "1", "17"), (3, "1", "15"), (4, "1", "14"), (6, "5", "12")],
)
async def test_continued_frames_are_trimmed_to_4k_plus_1_but_all_are_taken_off_the_offset(
    server: Server, media: Media, there: int, trimmed: str, following: str
) -> None:
    drive, reference = await server.upload(media.drive), await server.upload(media.picture)
    more: dict[str, Any] = {"continue_motion": ["so_far", 0], "continue_motion_max_frames": 9}
    graph = animate(drive, reference, _prefix(), video_frame_offset=9, **more)
    graph["so_far"] = node("ImageFromBatch", image=["parts", 0], batch_index=0, length=there)
    graph = _shows(graph, "wan", {"frames": 4, "next": 5})
    shown = (await server.succeeded(graph))["outputs"]
    assert shown["frames"]["text"] == [trimmed]
    assert shown["next"]["text"] == [following]


async def test_fun_inp_rounds_sizes_down_to_8_and_lengths_to_4k_plus_1(
    server: Server, tmp_path: Path
) -> None:
    graph = inpainted(100, 72, 10)
    graph["video"] = node("CreateVideo", images=["decode", 0], fps=16)
    graph["save"] = saved_video("video", _prefix())
    seen = await _video(server, graph, tmp_path)
    assert (seen.width, seen.height, seen.frames) == (96, 72, 9)


async def test_speech_and_animate_fail_while_sampling_at_sizes_off_a_grid_of_16(
    server: Server, media: Media
) -> None:
    drive, reference = await server.upload(media.drive), await server.upload(media.picture)
    for graph in (animate(drive, reference, _prefix(), size=72), sampled(1, 72, 72)):
        kind, data = last_message(await server.run(graph))
        assert (kind, data["node_id"]) == ("execution_error", "sampler")
        assert data["exception_type"] == "RuntimeError"


@pytest.mark.parametrize("chunks", [1, 2])
async def test_speech_gives_four_frames_per_latent_less_two(
    server: Server, media: Media, tmp_path: Path, chunks: int
) -> None:
    voice, reference = await server.upload(media.voice), await server.upload(media.picture)
    seen = await _video(server, speech(voice, reference, _prefix(), chunks=chunks), tmp_path)
    # 3 latents of 9 frames each chunk: 12 n - 2, as 80 n - 2 for chunks of 77 frames.
    assert seen.frames == 12 * chunks - 2
    assert seen.audio == "aac"


async def test_speech_goes_on_when_the_sound_ends_early(
    server: Server, media: Media, tmp_path: Path
) -> None:
    voice, reference = await server.upload(media.early_end), await server.upload(media.picture)
    seen = await _video(server, speech(voice, reference, _prefix(), chunks=2), tmp_path)
    assert seen.frames == 22


async def test_latent_travels_through_a_file(server: Server, tmp_path: Path) -> None:
    graph = sampled(steps=1)
    graph["kept"] = node("SaveLatent", samples=["sampler", 0], filename_prefix=_prefix())
    [item] = (await server.succeeded(graph))["outputs"]["kept"]["latents"]
    assert item["filename"].endswith("_00001_.latent")
    name = await server.upload(await server.fetched(item, tmp_path))
    again = {
        "vae": node("VAELoader", vae_name="wan_2.1_vae.safetensors"),
        "kept": node("LoadLatent", latent=name),
        "decode": node("VAEDecode", samples=["kept", 0], vae=["vae", 0]),
        "size": node("GetImageSize", image=["decode", 0]),
        "shown": node("PreviewAny", source=["size", 2]),
    }
    assert (await server.succeeded(again))["outputs"]["shown"]["text"] == ["5"]
