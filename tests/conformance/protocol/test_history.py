"""The history, outcomes and the cache."""

import time
from pathlib import Path
from typing import Any

from tests.conformance.graphs import (
    Graph,
    colour,
    endless,
    node,
    number,
    picture,
    saved_video,
    video,
)
from tests.conformance.media import Media
from tests.conformance.server import Server, client, last_message


async def test_history_of_a_waiting_and_of_a_running_prompt_is_empty(server: Server) -> None:
    running = await server.started(endless())
    waiting = await server.accepted(picture())
    assert await server.history(running) == {}
    assert await server.history(waiting) == {}


async def test_history_of_an_unknown_prompt_is_200_and_empty(server: Server) -> None:
    answer = await server.http.get("/history/never")
    assert (answer.status_code, answer.json()) == (200, {})


async def test_entry_has_prompt_outputs_status_and_meta(server: Server) -> None:
    graph = picture()
    prompt_id = await server.accepted(graph, client_id="c9", extra_data={"mine": {"k": 1}})
    entry = await server.finished(prompt_id)
    assert set(entry) == {"prompt", "outputs", "status", "meta"}
    number_, listed_id, listed, extra, outputs = entry["prompt"]
    assert isinstance(number_, int | float)
    assert (listed_id, listed, outputs) == (prompt_id, graph, ["2"])
    assert extra == {"mine": {"k": 1}, "client_id": "c9"}
    assert entry["meta"]["2"]["node_id"] == "2"


async def test_messages_are_start_cached_success_with_milliseconds(server: Server) -> None:
    entry = await server.succeeded(picture())
    messages = entry["status"]["messages"]
    kinds = [kind for kind, _ in messages]
    assert kinds == ["execution_start", "execution_cached", "execution_success"]
    for _, data in messages:
        assert data["prompt_id"] == entry["prompt"][1]
        assert abs(data["timestamp"] / 1000 - time.time()) < 600
    assert messages[1][1]["nodes"] == []


async def test_messages_are_kept_without_and_with_a_client_id(server: Server) -> None:
    without: dict[str, Any] = {}
    for more in (without, {"client_id": client()}):
        assert len((await server.succeeded(picture(), **more))["status"]["messages"]) == 3


async def test_success_is_success_and_completed(server: Server) -> None:
    status = (await server.succeeded(picture()))["status"]
    assert (status["status_str"], status["completed"]) == ("success", True)


def _broken(name: str) -> Graph:
    return {
        "1": node("LoadImage", image=name),
        "2": node("PreviewImage", images=["1", 0]),
        "3": colour(),
        "4": node("ImageBatch", image1=["3", 0], image2=["1", 0]),
        "5": node("PreviewImage", images=["4", 0]),
    }


async def test_bad_picture_is_taken_and_fails_with_the_decoder_exception(
    server: Server, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"no picture at all")
    entry = await server.run(_broken(await server.upload(junk)))
    assert (entry["status"]["status_str"], entry["status"]["completed"]) == ("error", False)
    kind, data = last_message(entry)
    assert kind == "execution_error"
    assert data["exception_type"] == "PIL.UnidentifiedImageError"
    assert (data["node_id"], data["node_type"]) == ("1", "LoadImage")


async def test_execution_error_carries_what_failed_and_where(
    server: Server, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"no picture at all")
    entry = await server.run(_broken(await server.upload(junk)))
    data = last_message(entry)[1]
    wanted = {"node_id", "node_type", "executed", "exception_type", "exception_message"}
    assert wanted | {"traceback", "current_inputs", "prompt_id", "timestamp"} <= set(data)
    assert isinstance(data["traceback"], list)


async def test_bad_video_is_taken_and_fails_in_the_node_that_opens_it(
    server: Server, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no video at all" * 20)
    graph = {
        "1": node("LoadVideo", file=await server.upload(junk)),
        "2": node("GetVideoComponents", video=["1", 0]),
        "3": node("PreviewImage", images=["2", 0]),
    }
    data = last_message(await server.run(graph))[1]
    assert (data["node_id"], data["executed"]) == ("2", ["1"])
    assert data["exception_type"] == "av.error.InvalidDataError"


async def test_bad_sound_is_taken_and_fails_while_running(server: Server, tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp3"
    junk.write_bytes(b"no sound at all" * 20)
    graph = {
        "1": node("LoadAudio", audio=await server.upload(junk)),
        "2": node("PreviewAudio", audio=["1", 0]),
    }
    data = last_message(await server.run(graph))[1]
    assert (data["node_type"], data["exception_type"]) == ("LoadAudio", "av.error.InvalidDataError")


def _points(origin: str) -> dict[str, Any]:
    """A PointsEditor: it shows a picture and hands it on at slot 4."""
    points = {"points_store": "", "coordinates": '[{"x": 8, "y": 8}]', "neg_coordinates": "[]"}
    boxes = {"bbox_store": "", "bboxes": "", "bbox_format": "xyxy", "normalize": False}
    size = {"width": 64, "height": 64}
    return node("PointsEditor", **points, **boxes, **size, bg_image=[origin, 0])


async def test_error_keeps_the_outputs_of_nodes_that_finished_before(server: Server) -> None:
    graph = {
        "1": colour(),
        "2": _points("1"),
        "3": node("CreateVideo", images=["2", 4], fps=16),
        "4": saved_video("3", "conformance/never"),
    }
    graph["4"]["inputs"]["format"] = "avi"
    entry = await server.run(graph)
    assert last_message(entry)[0] == "execution_error"
    assert list(entry["outputs"]) == ["2"]


async def test_video_is_listed_under_images_with_animated(server: Server) -> None:
    shown = (await server.succeeded(video("conformance/listed")))["outputs"]["3"]
    assert shown["animated"] == [True]
    [item] = shown["images"]
    assert set(item) == {"filename", "subfolder", "type"}
    assert (item["subfolder"], item["type"]) == ("conformance", "output")


async def test_preview_is_listed_as_temp(server: Server) -> None:
    shown = (await server.succeeded(picture(count=2)))["outputs"]["2"]
    assert [item["type"] for item in shown["images"]] == ["temp", "temp"]


async def test_outputs_may_hold_lists_of_strings(server: Server) -> None:
    graph = {
        "1": colour(),
        "2": _points("1"),
        "3": node("PreviewImage", images=["2", 4]),
    }
    shown = (await server.succeeded(graph))["outputs"]["2"]
    assert isinstance(shown["bg_image"][0], str)


async def test_pose_detector_puts_a_json_text_into_the_outputs(server: Server) -> None:
    graph = {
        "1": colour(2),
        "2": node("DWPreprocessor", image=["1", 0], resolution=64),
        "3": node("PreviewImage", images=["2", 0]),
    }
    shown = (await server.succeeded(graph))["outputs"]["2"]
    assert shown["openpose_json"][0].startswith("[")


async def test_preview_any_shows_text(server: Server) -> None:
    graph = {
        "1": node("PrimitiveInt", value=number()),
        "2": node("PreviewAny", source=["1", 0]),
    }
    shown = (await server.succeeded(graph))["outputs"]["2"]
    assert shown == {"text": [str(graph["1"]["inputs"]["value"])]}


async def test_same_graph_again_runs_nothing_and_repeats_the_old_file(server: Server) -> None:
    graph = video(f"conformance/{client()}")
    first = await server.succeeded(graph)
    again = await server.succeeded(graph)
    assert sorted(again["status"]["messages"][1][1]["nodes"]) == ["1", "2", "3"]
    assert again["outputs"] == first["outputs"]
    assert again["outputs"]["3"]["images"][0]["filename"].endswith("_00001_.mp4")


async def test_another_prefix_runs_only_the_saver_again(server: Server) -> None:
    graph = video(f"conformance/{client()}")
    await server.succeeded(graph)
    graph["3"]["inputs"]["filename_prefix"] = f"conformance/{client()}"
    again = await server.succeeded(graph)
    assert sorted(again["status"]["messages"][1][1]["nodes"]) == ["1", "2"]


async def test_another_value_runs_all_that_depends_on_it(server: Server) -> None:
    graph = picture() | {"3": colour(), "4": node("PreviewImage", images=["3", 0])}
    await server.succeeded(graph)
    graph["1"]["inputs"]["color"] ^= 1
    again = await server.succeeded(graph)
    assert sorted(again["status"]["messages"][1][1]["nodes"]) == ["3", "4"]


async def test_only_the_newest_graph_stays_cached(server: Server) -> None:
    graph = picture()
    await server.succeeded(graph)
    await server.succeeded(picture())
    assert (await server.succeeded(graph))["status"]["messages"][1][1]["nodes"] == []


async def test_file_with_other_bytes_under_the_same_name_is_read_again(
    server: Server, media: Media, tmp_path: Path
) -> None:
    name = f"{client()}.png"
    graph = {
        "1": node("LoadImage", image=await server.upload(media.picture, name)),
        "2": node("PreviewImage", images=["1", 0]),
    }
    await server.succeeded(graph)
    changed = tmp_path / name
    changed.write_bytes(media.picture.read_bytes() + b"x")
    await server.upload(changed, name, overwrite="true")
    assert (await server.succeeded(graph))["status"]["messages"][1][1]["nodes"] == []


async def test_free_memory_drops_cached_results_and_unloading_keeps_them(server: Server) -> None:
    graph = picture()
    await server.succeeded(graph)
    assert (await server.http.post("/free", json={"unload_models": True})).status_code == 200
    assert (await server.succeeded(graph))["status"]["messages"][1][1]["nodes"] == ["1", "2"]
    await server.http.post("/free", json={"free_memory": True})
    # It acts between prompts, so a prompt that is at once taken may still be served from cache.
    nodes = ["1", "2"]
    until = time.monotonic() + 10
    while nodes and time.monotonic() < until:
        nodes = (await server.succeeded(graph))["status"]["messages"][1][1]["nodes"]
        if nodes:
            await server.http.post("/free", json={"free_memory": True})
    assert nodes == []


async def test_free_without_a_body_is_500(server: Server) -> None:
    assert (await server.http.post("/free")).status_code == 500


async def test_history_entries_can_be_deleted(server: Server) -> None:
    prompt_id = (await server.succeeded(picture()))["prompt"][1]
    answer = await server.http.post("/history", json={"delete": [prompt_id]})
    assert (answer.status_code, answer.content) == (200, b"")
    assert await server.history(prompt_id) == {}


async def test_history_is_there_at_the_executing_null_message(server: Server) -> None:
    me = client()
    async with server.socket(me) as socket:
        for _ in range(20):
            prompt_id = await server.accepted(picture(), client_id=me)
            await socket.until_end(prompt_id)
            assert prompt_id in await server.history(prompt_id)
