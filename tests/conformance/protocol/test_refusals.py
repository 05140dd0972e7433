"""What POST /prompt takes and what it refuses."""

import uuid

import pytest

from tests.conformance.graphs import Graph, colour, node, picture, video
from tests.conformance.server import Server, last_message


async def test_accepted_prompt_answers_prompt_id_number_and_no_node_errors(server: Server) -> None:
    answer = await server.post(picture())
    assert answer.status_code == 200
    assert set(answer.json()) == {"prompt_id", "number", "node_errors"}
    assert answer.json()["node_errors"] == {}


async def test_prompt_is_taken_under_the_api_prefix_too(server: Server) -> None:
    answer = await server.http.post("/api/prompt", json={"prompt": picture()})
    assert answer.status_code == 200
    assert (await server.finished(answer.json()["prompt_id"]))["status"]["completed"]


async def test_client_may_choose_the_prompt_id(server: Server) -> None:
    chosen = str(uuid.uuid4())
    assert await server.accepted(picture(), prompt_id=chosen) == chosen
    assert (await server.finished(chosen))["prompt"][1] == chosen


@pytest.mark.parametrize(("given", "used"), [(None, "None"), (7, "7"), ("", "")])
async def test_odd_prompt_ids_become_strings(server: Server, given: object, used: str) -> None:
    answer = await server.post(picture(), prompt_id=given)
    assert answer.status_code == 200
    assert answer.json()["prompt_id"] == used


async def test_same_prompt_id_twice_runs_twice_and_the_second_replaces_the_first(
    server: Server,
) -> None:
    twin = str(uuid.uuid4())
    first = (await server.post(picture(), prompt_id=twin)).json()
    second = (await server.post(picture(), prompt_id=twin)).json()
    assert first["number"] != second["number"]
    entry = await server.finished(twin)
    while entry["prompt"][0] != second["number"]:
        entry = await server.finished(twin)
    everything = (await server.http.get("/history")).json()
    assert [key for key in everything if key == twin] == [twin]


async def test_numbers_count_up_by_one(server: Server) -> None:
    first = (await server.post(picture())).json()["number"]
    assert (await server.post(picture())).json()["number"] == first + 1


async def test_refusal_uses_up_a_number(server: Server) -> None:
    first = (await server.post(picture())).json()["number"]
    assert (await server.post({})).status_code == 400
    assert (await server.post(picture())).json()["number"] == first + 2


async def test_body_without_prompt_is_no_prompt(server: Server) -> None:
    answer = await server.http.post("/prompt", json={})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "no_prompt"


async def test_error_has_type_message_details_and_extra_info(server: Server) -> None:
    body = await server.refused({})
    assert set(body) == {"error", "node_errors"}
    assert set(body["error"]) == {"type", "message", "details", "extra_info"}


@pytest.mark.parametrize("graph", [{}, {"1": colour()}], ids=["empty", "no output node"])
async def test_graph_without_output_node_is_prompt_no_outputs(server: Server, graph: Graph) -> None:
    assert (await server.refused(graph))["error"]["type"] == "prompt_no_outputs"


async def test_unknown_class_names_only_the_node_and_has_no_node_errors(server: Server) -> None:
    body = await server.refused({**picture(), "90": node("NoSuchNode")})
    assert body["error"]["type"] == "invalid_prompt"
    assert body["error"]["details"] == "Node ID '#90'"
    assert body["node_errors"] == {}


async def test_missing_class_type_is_invalid_prompt(server: Server) -> None:
    body = await server.refused({**picture(), "90": {"inputs": {}}})
    assert body["error"]["type"] == "invalid_prompt"
    assert body["error"]["details"] == "Node ID '#90'"


async def test_older_style_list_is_checked(server: Server) -> None:
    graph = {
        "1": node("VAELoader", vae_name="absent.safetensors"),
        "2": node("PreviewAny", source=["1", 0]),
    }
    error = await server.node_error(graph, "1")
    assert error["type"] == "value_not_in_list"
    assert error["extra_info"]["received_value"] == "absent.safetensors"
    assert "wan_2.1_vae.safetensors" in error["extra_info"]["input_config"][0]


async def test_long_list_is_not_repeated_in_the_error(server: Server) -> None:
    graph = {
        "2": node("KSampler", sampler_name="absent"),
        "3": node("VAEDecode", samples=["2", 0]),
        "4": node("PreviewImage", images=["3", 0]),
    }
    errors = (await server.refused(graph))["node_errors"]["2"]["errors"]
    [error] = [e for e in errors if e["type"] == "value_not_in_list"]
    assert "list of length" in error["details"]
    assert error["extra_info"]["input_config"] is None


async def test_missing_input_is_required_input_missing(server: Server) -> None:
    error = await server.node_error({"2": node("PreviewImage")}, "2")
    assert error["type"] == "required_input_missing"
    assert error["extra_info"] == {"input_name": "images"}


@pytest.mark.parametrize(
    ("width", "kind"),
    [(0, "value_smaller_than_min"), (99999, "value_bigger_than_max"), ("x", "invalid_input_type")],
)
async def test_number_out_of_range_or_no_number(server: Server, width: object, kind: str) -> None:
    error = await server.node_error(picture(width=width), "1")
    assert error["type"] == kind
    assert error["extra_info"]["input_name"] == "width"
    assert error["extra_info"]["received_value"] == width
    assert error["extra_info"]["input_config"][0] == "INT"


async def test_number_in_a_string_is_converted(server: Server) -> None:
    await server.succeeded(picture(width="64"))


async def test_link_of_the_wrong_type_is_return_type_mismatch(server: Server) -> None:
    graph = video("conformance/never")
    graph["3"]["inputs"]["video"] = ["1", 0]
    error = await server.node_error(graph, "3")
    assert error["type"] == "return_type_mismatch"
    assert error["extra_info"]["received_type"] == "IMAGE"
    assert error["extra_info"]["linked_node"] == ["1", 0]


async def test_link_that_is_no_pair_is_bad_linked_input(server: Server) -> None:
    graph = picture()
    graph["2"]["inputs"]["images"] = ["1", 0, 1]
    assert (await server.node_error(graph, "2"))["type"] == "bad_linked_input"


@pytest.mark.parametrize("link", [["absent", 0], ["1", 7]], ids=["absent node", "absent slot"])
async def test_link_to_nothing_at_an_output_node_is_exception_during_validation(
    server: Server, link: list[object]
) -> None:
    graph = picture()
    graph["2"]["inputs"]["images"] = link
    error = await server.node_error(graph, "2")
    assert error["type"] == "exception_during_validation"
    assert error["extra_info"]["traceback"]


@pytest.mark.parametrize("link", [["absent", 0], ["1", 7]], ids=["absent node", "absent slot"])
async def test_link_to_nothing_further_up_is_exception_during_inner_validation(
    server: Server, link: list[object]
) -> None:
    graph = {
        "1": colour(),
        "2": node("RepeatImageBatch", image=link, amount=2),
        "3": node("PreviewImage", images=["2", 0]),
    }
    error = await server.node_error(graph, "2")
    assert error["type"] == "exception_during_inner_validation"
    assert error["extra_info"]["linked_node"] == ["2", 0]


async def test_cycle_is_refused_without_details_or_node_errors(server: Server) -> None:
    graph = {
        "1": node("ImageBatch", image1=["2", 0], image2=["2", 0]),
        "2": node("ImageBatch", image1=["1", 0], image2=["1", 0]),
        "3": node("PreviewImage", images=["2", 0]),
    }
    body = await server.refused(graph)
    assert body["error"]["type"] == "prompt_outputs_failed_validation"
    assert body["error"]["details"] == ""
    assert body["node_errors"] == {}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("LoadImage", "image", "absent.png"),
        ("LoadImage", "image", "../../etc/hostname"),
        ("LoadVideo", "file", "absent.mp4"),
        ("LoadAudio", "audio", "absent.mp3"),
        ("LoadLatent", "latent", "absent.latent"),
    ],
)
async def test_absent_file_is_custom_validation_failed(
    server: Server, kind: str, name: str, value: str
) -> None:
    graph = {"1": node(kind, **{name: value}), "2": node("PreviewAny", source=["1", 0])}
    error = await server.node_error(graph, "1")
    word = {"image": "image", "file": "video", "audio": "audio", "latent": "latent"}[name]
    assert error["type"] == "custom_validation_failed"
    assert error["details"] == f"{name} - Invalid {word} file: {value}"


async def test_node_errors_name_the_class_and_the_outputs_that_depend_on_it(server: Server) -> None:
    graph = picture(width=0) | {"3": node("PreviewImage", images=["1", 0])}
    entry = (await server.refused(graph))["node_errors"]["1"]
    assert entry["class_type"] == "EmptyImage"
    assert sorted(entry["dependent_outputs"]) == ["2", "3"]


async def test_all_problems_of_a_node_are_listed(server: Server) -> None:
    graph = picture(width=0, height="tall")
    del graph["1"]["inputs"]["color"]
    errors = (await server.refused(graph))["node_errors"]["1"]["errors"]
    kinds = sorted(error["type"] for error in errors)
    assert kinds == ["invalid_input_type", "required_input_missing", "value_smaller_than_min"]


async def test_partly_valid_is_200_with_node_errors_and_the_good_part_runs(server: Server) -> None:
    answer = await server.post({**picture(), "bad": node("PreviewImage")})
    assert answer.status_code == 200
    assert list(answer.json()["node_errors"]) == ["bad"]
    entry = await server.finished(answer.json()["prompt_id"])
    assert entry["status"]["status_str"] == "success"
    assert list(entry["outputs"]) == ["2"]
    assert entry["prompt"][4] == ["2"]


async def test_step_of_a_number_is_not_checked(server: Server) -> None:
    graph = video("conformance/step")
    graph["2"]["inputs"]["fps"] = 12.5
    await server.succeeded(graph)


async def test_unknown_inputs_are_not_checked(server: Server) -> None:
    await server.succeeded(picture(surprise=1))


async def test_newer_style_model_list_is_not_checked_and_fails_while_running(
    server: Server,
) -> None:
    graph = {
        "1": node("AudioEncoderLoader", audio_encoder_name="absent.safetensors"),
        "2": node("PreviewAny", source=["1", 0]),
    }
    kind, data = last_message(await server.run(graph))
    assert (kind, data["node_id"]) == ("execution_error", "1")


async def test_newer_style_format_is_not_checked_and_fails_while_running(server: Server) -> None:
    graph = video("conformance/avi")
    graph["3"]["inputs"]["format"] = "avi"
    kind, data = last_message(await server.run(graph))
    assert (kind, data["node_type"]) == ("execution_error", "SaveVideo")


async def test_body_that_is_not_json_is_500_in_plain_text(server: Server) -> None:
    answer = await server.http.post("/prompt", content=b"nonsense")
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/plain")


async def test_number_that_is_none_is_500(server: Server) -> None:
    assert (await server.post(picture(), number="x")).status_code == 500
