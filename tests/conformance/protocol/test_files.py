"""Uploads, downloads and the names of outputs."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.graphs import node, picture, video
from tests.conformance.media import Media, look
from tests.conformance.server import Server, client


async def _upload(server: Server, name: str, data: bytes, **fields: str) -> httpx.Response:
    files = {"image": (name, data)}
    return await server.http.post("/upload/image", files=files, data=fields)


async def _named(server: Server, name: str, data: bytes, **fields: str) -> str:
    answer = await _upload(server, name, data, **fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["name"])


async def test_upload_answers_name_subfolder_and_type(server: Server) -> None:
    name = f"{client()}.png"
    answer = await _upload(server, name, b"bytes")
    assert answer.json() == {"name": name, "subfolder": "", "type": "input"}


@pytest.mark.parametrize("ending", ["mp4", "mp3", "latent", "xyz"])
async def test_upload_takes_any_kind_of_file(server: Server, ending: str) -> None:
    name = f"{client()}.{ending}"
    assert await _named(server, name, b"bytes") == name


async def test_same_name_and_bytes_keep_the_name(server: Server) -> None:
    name = f"{client()}.png"
    assert [await _named(server, name, b"bytes") for _ in range(2)] == [name, name]


async def test_same_name_and_other_bytes_get_a_number(server: Server) -> None:
    stem = client()
    names = [await _named(server, f"{stem}.png", data) for data in (b"a", b"b", b"c", b"b")]
    assert names == [f"{stem}.png", f"{stem} (1).png", f"{stem} (2).png", f"{stem} (1).png"]


@pytest.mark.parametrize("word", ["true", "1"])
async def test_overwrite_replaces_the_file(server: Server, word: str) -> None:
    name = f"{client()}.png"
    await _named(server, name, b"old")
    assert await _named(server, name, b"new", overwrite=word) == name
    answer = await server.http.get("/view", params={"filename": name, "type": "input"})
    assert answer.content == b"new"


async def test_subfolder_is_made_and_answered(server: Server) -> None:
    folder = f"conformance/{client()}"
    answer = await _upload(server, "a.png", b"bytes", subfolder=folder)
    assert answer.json() == {"name": "a.png", "subfolder": folder, "type": "input"}
    place = {"filename": "a.png", "subfolder": folder, "type": "input"}
    assert (await server.http.get("/view", params=place)).content == b"bytes"


@pytest.mark.parametrize("kind", ["input", "output", "temp"])
async def test_type_chooses_the_folder(server: Server, kind: str) -> None:
    name = f"{client()}.bin"
    assert (await _upload(server, name, b"bytes", type=kind)).json()["type"] == kind
    answer = await server.http.get("/view", params={"filename": name, "type": kind})
    assert answer.content == b"bytes"


async def test_unknown_type_is_500(server: Server) -> None:
    assert (await _upload(server, "a.png", b"bytes", type="nonsense")).status_code == 500


async def test_upload_without_the_field_image_is_400(server: Server) -> None:
    answer = await server.http.post("/upload/image", files={"file": ("a.png", b"bytes")})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("name", "subfolder"), [("a.png", "../.."), ("../a.png", ""), ("a.png", "/elsewhere")]
)
async def test_upload_that_leads_out_is_400(server: Server, name: str, subfolder: str) -> None:
    assert (await _upload(server, name, b"bytes", subfolder=subfolder)).status_code == 400


async def test_name_that_is_not_ascii_is_kept(server: Server) -> None:
    name = f"Zürich 图 {client()}.png"
    assert await _named(server, name, b"bytes") == name
    answer = await server.http.get("/view", params={"filename": name, "type": "input"})
    assert answer.content == b"bytes"


async def test_body_above_the_limit_is_413_with_the_limit_in_words(server: Server) -> None:
    answer = await _upload(server, "big.bin", bytes(101 * 2**20))
    assert answer.status_code == 413
    assert answer.text == "Maximum request body size 104857600 exceeded."


async def test_file_in_a_subfolder_works_in_a_node_but_is_not_listed(
    server: Server, media: Media
) -> None:
    name = await server.upload(media.picture, subfolder=f"conformance/{client()}")
    graph = {"1": node("LoadImage", image=name), "2": node("PreviewImage", images=["1", 0])}
    await server.succeeded(graph)
    info = (await server.http.get("/object_info/LoadImage")).json()
    listed = info["LoadImage"]["input"]["required"]["image"][0]
    assert name not in listed
    assert name.rpartition("/")[2] not in listed


async def test_file_in_the_input_folder_is_listed_at_once(server: Server, media: Media) -> None:
    name = await server.upload(media.picture)
    info = (await server.http.get("/object_info/LoadImage")).json()
    assert name in info["LoadImage"]["input"]["required"]["image"][0]


@pytest.mark.parametrize("folder", ["input", "output", "temp"])
async def test_name_may_be_annotated_with_its_folder(
    server: Server, media: Media, folder: str
) -> None:
    name = await server.upload(media.picture, type=folder)
    graph = {
        "1": node("LoadImage", image=f"{name} [{folder}]"),
        "2": node("PreviewImage", images=["1", 0]),
    }
    await server.succeeded(graph)


async def _stored(server: Server) -> tuple[dict[str, str], bytes]:
    name, data = f"{client()}.mp4", bytes(range(256)) * 4
    await _named(server, name, data)
    return {"filename": name, "type": "input"}, data


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("0-99", 0, 99), ("1000-", 1000, 1023), ("-50", 974, 1023)]
)
async def test_view_serves_ranges(server: Server, asked: str, first: int, last: int) -> None:
    place, data = await _stored(server)
    headers = {"Range": f"bytes={asked}"}
    answer = await server.http.get("/view", params=place, headers=headers)
    assert answer.status_code == 206
    assert answer.content == data[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"


async def test_view_of_a_range_beyond_the_end_is_416(server: Server) -> None:
    place, _ = await _stored(server)
    answer = await server.http.get("/view", params=place, headers={"Range": "bytes=9999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */1024"


async def test_view_names_type_length_tag_date_and_file(server: Server) -> None:
    place, _ = await _stored(server)
    headers = (await server.http.get("/view", params=place)).headers
    assert headers["content-type"] == "video/mp4"
    assert headers["content-length"] == "1024"
    assert headers["etag"].startswith('"')
    assert headers["last-modified"].endswith("GMT")
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"] == f'filename="{place["filename"]}"'


async def test_view_answers_head_without_a_body(server: Server) -> None:
    place, _ = await _stored(server)
    answer = await server.http.head("/view", params=place)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "1024"


async def test_view_of_a_known_tag_is_304(server: Server) -> None:
    place, _ = await _stored(server)
    tag = (await server.http.get("/view", params=place)).headers["etag"]
    answer = await server.http.get("/view", params=place, headers={"If-None-Match": tag})
    assert answer.status_code == 304


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ({"filename": "absent.mp4"}, 404),
        ({"filename": "../x"}, 400),
        ({"filename": "/etc/hostname"}, 400),
        ({"filename": "x", "subfolder": "../.."}, 403),
        ({"filename": "x", "type": "nonsense"}, 400),
    ],
    ids=["absent", "dots", "absolute", "subfolder leads out", "unknown type"],
)
async def test_view_refuses(server: Server, place: dict[str, str], status: int) -> None:
    assert (await server.http.get("/view", params=place)).status_code == status


async def test_saved_videos_count_up(server: Server) -> None:
    prefix = f"conformance/{client()}"
    names = []
    for _ in range(2):
        shown = (await server.succeeded(video(prefix)))["outputs"]["3"]
        names.append(shown["images"][0]["filename"])
    stem = prefix.rpartition("/")[2]
    assert names == [f"{stem}_00001_.mp4", f"{stem}_00002_.mp4"]


async def test_saved_pictures_count_up_within_a_batch(server: Server) -> None:
    graph = picture(batch_size=2)
    stem = client()
    graph["2"] = node("SaveImage", images=["1", 0], filename_prefix=f"conformance/{stem}")
    items = (await server.succeeded(graph))["outputs"]["2"]["images"]
    assert [item["filename"] for item in items] == [f"{stem}_00001_.png", f"{stem}_00002_.png"]


async def test_saved_video_holds_the_whole_graph(server: Server, tmp_path: Path) -> None:
    graph = video("conformance/graph")
    graph["4"] = node("PreviewAny", source="a secret = wish; # \\ \n")
    entry = await server.succeeded(graph)
    item: dict[str, Any] = entry["outputs"]["3"]["images"][0]
    path = await server.fetched(item, tmp_path)
    assert json.loads(look(path).tags["prompt"]) == entry["prompt"][2]


async def test_prefix_that_leads_out_fails_while_running(server: Server) -> None:
    entry = await server.run(video("../../outside"))
    assert entry["status"]["status_str"] == "error"
