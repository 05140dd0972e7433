"""What a server says about itself."""

import json
from importlib import resources
from typing import Any

import pytest

from tests.conformance.server import Server

CATALOGUE: dict[str, Any] = json.loads(
    resources.files("simulators.comfyui").joinpath("nodes.json").read_text("utf-8")
)["nodes"]


async def test_front_page_is_html(server: Server) -> None:
    answer = await server.http.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


async def test_system_stats_give_version_arguments_and_devices(server: Server) -> None:
    body = (await server.http.get("/system_stats")).json()
    assert body["system"]["comfyui_version"].count(".") == 2
    assert all(isinstance(word, str) for word in body["system"]["argv"])
    assert body["system"]["ram_total"] > 0
    assert {"name", "type", "vram_total", "vram_free"} <= set(body["devices"][0])


async def test_features_give_the_upload_limit(server: Server) -> None:
    body = (await server.http.get("/features")).json()
    assert body == {"supports_preview_metadata": True, "max_upload_size": 104857600}


@pytest.mark.parametrize(
    "path",
    ["queue", "history", "features", "system_stats", "models", "object_info/KSampler", "prompt"],
)
async def test_route_answers_under_the_api_prefix(server: Server, path: str) -> None:
    plain, prefixed = [await server.http.get(f"{start}/{path}") for start in ("", "/api")]
    assert (plain.status_code, prefixed.status_code) == (200, 200)
    assert plain.json().__class__ is prefixed.json().__class__


@pytest.mark.parametrize("path", ["/jobs", "/api/jobs"])
async def test_there_are_no_jobs_routes(server: Server, path: str) -> None:
    assert (await server.http.get(path)).status_code == 404


async def test_models_lists_the_folders(server: Server) -> None:
    folders = (await server.http.get("/models")).json()
    wanted = {"diffusion_models", "text_encoders", "vae", "clip_vision", "audio_encoders", "loras"}
    assert wanted <= set(folders)


async def test_models_of_a_folder_are_listed_by_name(server: Server) -> None:
    assert "wan_2.1_vae.safetensors" in (await server.http.get("/models/vae")).json()


async def test_models_of_an_unknown_folder_are_404(server: Server) -> None:
    assert (await server.http.get("/models/nonsense")).status_code == 404


async def test_object_info_of_an_unknown_class_is_empty(server: Server) -> None:
    answer = await server.http.get("/object_info/NoSuchNode")
    assert (answer.status_code, answer.json()) == (200, {})


async def test_object_info_of_one_class_is_its_part_of_the_whole(server: Server) -> None:
    whole = (await server.http.get("/object_info")).json()
    part = (await server.http.get("/object_info/KSampler")).json()
    assert part == {"KSampler": whole["KSampler"]}


async def test_older_style_list_stands_in_the_place_of_the_type(server: Server) -> None:
    info = (await server.http.get("/object_info/VAELoader")).json()["VAELoader"]
    assert "wan_2.1_vae.safetensors" in info["input"]["required"]["vae_name"][0]


async def test_newer_style_list_is_a_combo_with_options(server: Server) -> None:
    info = (await server.http.get("/object_info/SaveVideo")).json()["SaveVideo"]
    kind, config = info["input"]["required"]["format"]
    assert (kind, config["options"]) == ("COMBO", ["auto", "mp4"])


def _shape(spec: list[Any]) -> tuple[str, dict[str, Any]]:
    """Type and range of an input as object_info gives it."""
    kind = spec[0]
    config = spec[1] if len(spec) > 1 else {}
    ranges = {key: config[key] for key in ("min", "max", "step") if key in config}
    return ("COMBO" if isinstance(kind, list) else kind), ranges


@pytest.mark.parametrize("name", sorted(CATALOGUE))
async def test_inputs_and_outputs_of_a_class_are_those_of_the_catalogue(
    server: Server, name: str
) -> None:
    info = (await server.http.get(f"/object_info/{name}")).json()[name]
    wanted = CATALOGUE[name]
    for part in ("required", "optional"):
        given = {key: _shape(spec) for key, spec in info["input"].get(part, {}).items()}
        ranges = {
            key: (spec["type"], {k: spec[k] for k in ("min", "max", "step") if k in spec})
            for key, spec in wanted.get(part, {}).items()
        }
        assert given == ranges
    assert info["output"] == [kind for kind, _ in wanted["outputs"]]
    assert info["output_node"] is wanted["output_node"]
