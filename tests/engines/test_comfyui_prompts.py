"""Submitting, withdrawing and finding prompts."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from engines.comfyui import (
    Absent,
    ComfyClient,
    EngineAddress,
    EngineRefused,
    EngineUnreachable,
    InHistory,
    Pending,
    PromptRefused,
    ProtocolError,
    Running,
    SubmitUncertain,
    Succeeded,
)
from tests.engines.fake_engine import PROMPT_ID, FakeEngine, success

GRAPH: dict[str, Any] = {"1": {"class_type": "SaveVideo", "inputs": {}}}


async def submit(client: ComfyClient) -> Any:
    return await client.submit(GRAPH, prompt_id=PROMPT_ID, client_id="studio")


def node_errors(*kinds: str) -> dict[str, Any]:
    errors = [
        {
            "type": kind,
            "message": f"it is {kind}",
            "details": "unet_name: 'x'",
            "extra_info": {"input_name": "unet_name"},
        }
        for kind in kinds
    ]
    return {"7": {"errors": errors, "dependent_outputs": ["9"], "class_type": "UNETLoader"}}


async def test_number_is_never_sent(engine: FakeEngine, client: ComfyClient) -> None:
    submitted = await submit(client)
    assert submitted.prompt_id == PROMPT_ID
    assert submitted.number == 3
    assert engine.first("/prompt").json() == {
        "prompt": GRAPH,
        "prompt_id": PROMPT_ID,
        "client_id": "studio",
    }


@pytest.mark.parametrize("bad", ["", "7", PROMPT_ID.upper(), "{" + PROMPT_ID + "}", "None"])
async def test_a_prompt_id_that_newer_servers_refuse_is_not_sent(
    engine: FakeEngine, client: ComfyClient, bad: str
) -> None:
    with pytest.raises(ValueError, match="canonical"):
        await client.submit(GRAPH, prompt_id=bad, client_id=None)
    assert engine.seen == []


async def test_node_errors_on_a_200_is_a_refusal_and_the_prompt_is_withdrawn(
    engine: FakeEngine, client: ComfyClient
) -> None:
    async def partly(request: Request) -> Response:
        engine.pending.append(PROMPT_ID)
        body = {
            "prompt_id": PROMPT_ID,
            "number": 0,
            "node_errors": node_errors("value_not_in_list"),
        }
        return JSONResponse(body)

    engine.on("POST", "/prompt", partly)
    with pytest.raises(PromptRefused) as refused:
        await submit(client)
    assert refused.value.kind == "partly_invalid"
    assert refused.value.withdrawn
    assert refused.value.node_errors[0].input_name == "unet_name"
    assert engine.pending == []
    assert engine.paths("POST") == ["/prompt", "/queue", "/interrupt"]


async def test_a_partly_valid_prompt_that_already_runs_is_interrupted_until_it_stops(
    engine: FakeEngine, client: ComfyClient
) -> None:
    interrupts = 0

    async def partly(request: Request) -> Response:
        engine.running.append(PROMPT_ID)
        body = {"prompt_id": PROMPT_ID, "number": 0, "node_errors": node_errors("x")}
        return JSONResponse(body)

    async def forgetful(request: Request) -> Response:
        # the first interrupt falls before the start of execution, which forgets it
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            engine.running.clear()
        return Response()

    engine.on("POST", "/prompt", partly)
    engine.on("POST", "/interrupt", forgetful)
    with pytest.raises(PromptRefused) as refused:
        await submit(client)
    assert refused.value.withdrawn
    assert interrupts == 2


async def test_a_prompt_that_cannot_be_withdrawn_is_said_to_run_perhaps(
    engine: FakeEngine, client: ComfyClient
) -> None:
    body = {"prompt_id": PROMPT_ID, "number": 0, "node_errors": node_errors("x")}
    engine.on("POST", "/prompt", JSONResponse(body))
    engine.on("POST", "/queue", PlainTextResponse("broken", status_code=500))
    with pytest.raises(PromptRefused) as refused:
        await submit(client)
    assert not refused.value.withdrawn


async def test_a_400_carries_every_node_error(engine: FakeEngine, client: ComfyClient) -> None:
    error = {
        "type": "prompt_outputs_failed_validation",
        "message": "Prompt outputs failed validation",
        "details": "",
        "extra_info": {},
    }
    errors = node_errors("required_input_missing", "value_smaller_than_min")
    engine.on("POST", "/prompt", JSONResponse({"error": error, "node_errors": errors}, 400))
    with pytest.raises(PromptRefused) as refused:
        await submit(client)
    told = refused.value
    assert told.kind == "prompt_outputs_failed_validation"
    assert [e.kind for e in told.node_errors] == [
        "required_input_missing",
        "value_smaller_than_min",
    ]
    assert (told.node_errors[0].node_id, told.node_errors[0].class_type) == ("7", "UNETLoader")
    assert engine.paths("POST") == ["/prompt"]


@pytest.mark.parametrize(
    "body", [b"nonsense", b"[]", b'{"error": "a bare sentence"}', b'{"node_errors": [1]}']
)
async def test_a_400_of_any_shape_is_a_refusal(
    engine: FakeEngine, client: ComfyClient, body: bytes
) -> None:
    engine.on("POST", "/prompt", Response(body, status_code=400))
    with pytest.raises(PromptRefused):
        await submit(client)


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("500 Internal Server Error", status_code=500),
        PlainTextResponse("bad gateway", status_code=502),
        PlainTextResponse("<html>queued, perhaps</html>"),
        JSONResponse({"number": 0}),
    ],
)
async def test_a_5xx_or_unreadable_answer_is_uncertain_and_never_repeated(
    engine: FakeEngine, client: ComfyClient, answer: Response
) -> None:
    engine.on("POST", "/prompt", answer)
    with pytest.raises(SubmitUncertain) as uncertain:
        await submit(client)
    assert uncertain.value.prompt_id == PROMPT_ID
    assert engine.paths() == ["/prompt"]


async def test_a_server_that_is_not_there_has_not_taken_the_prompt() -> None:
    with FakeEngine().up() as gone:
        pass
    async with ComfyClient(EngineAddress(gone.url), tries=1) as client:
        with pytest.raises(EngineUnreachable):
            await submit(client)


async def test_a_server_that_chooses_its_own_prompt_id_is_not_used(
    engine: FakeEngine, client: ComfyClient
) -> None:
    engine.pending.append("its-own")
    body = {"prompt_id": "its-own", "number": 0, "node_errors": {}}
    engine.on("POST", "/prompt", JSONResponse(body))
    with pytest.raises(ProtocolError):
        await submit(client)
    assert engine.pending == []


async def test_an_oversize_graph_is_a_refusal(engine: FakeEngine, client: ComfyClient) -> None:
    engine.on("POST", "/prompt", PlainTextResponse("Maximum request body size", 413))
    with pytest.raises(PromptRefused) as refused:
        await submit(client)
    assert refused.value.kind == "too_large"


@pytest.mark.parametrize("status", [401, 403])
async def test_wrong_credentials_are_told_apart(
    engine: FakeEngine, client: ComfyClient, status: int
) -> None:
    engine.on("POST", "/prompt", PlainTextResponse("no", status))
    engine.on("GET", "/queue", PlainTextResponse("no", status))
    with pytest.raises(EngineRefused) as refused:
        await submit(client)
    assert refused.value.status == status
    with pytest.raises(EngineRefused):
        await client.queue()
    assert engine.paths("GET") == ["/queue"]


async def test_queue_is_asked_before_history(engine: FakeEngine, client: ComfyClient) -> None:
    async def finishes_meanwhile(request: Request) -> Response:
        # the prompt ends right after this look: only the next question can find it
        engine.answers.pop(("GET", "/queue"))
        engine.entries[PROMPT_ID] = success("a.mp4")
        return JSONResponse({"queue_running": [], "queue_pending": []})

    engine.on("GET", "/queue", finishes_meanwhile)
    assert isinstance(await client.find(PROMPT_ID), InHistory)
    assert engine.paths() == ["/queue", f"/history/{PROMPT_ID}"]


async def test_a_prompt_queued_between_the_looks_is_found(
    engine: FakeEngine, client: ComfyClient
) -> None:
    async def arrives_meanwhile(request: Request) -> Response:
        engine.pending.append(PROMPT_ID)
        return JSONResponse({})

    engine.on("GET", f"/history/{PROMPT_ID}", arrives_meanwhile)
    assert await client.find(PROMPT_ID) == Pending(0)


async def test_places_are_told_apart(engine: FakeEngine, client: ComfyClient) -> None:
    assert await client.find(PROMPT_ID) == Absent()
    engine.running = ["other"]
    engine.pending = ["another", PROMPT_ID]
    assert await client.find(PROMPT_ID) == Pending(2)
    engine.running, engine.pending = [PROMPT_ID], []
    assert await client.find(PROMPT_ID) == Running()
    engine.running = []
    engine.entries[PROMPT_ID] = success("a.mp4")
    found = await client.find(PROMPT_ID)
    assert isinstance(found, InHistory)
    assert isinstance(found.entry.outcome, Succeeded)


async def test_pending_prompts_are_put_into_running_order(
    engine: FakeEngine, client: ComfyClient
) -> None:
    rows = [
        [5, "b", {}, {}, []],
        [9, "c", {}, {}, []],
        [5, "a", {}, {}, [], "newer"],
        [-2, "z", {}],
    ]
    engine.on("GET", "/queue", JSONResponse({"queue_running": [], "queue_pending": rows}))
    queue = await client.queue()
    assert [prompt.prompt_id for prompt in queue.pending] == ["z", "a", "b", "c"]


async def test_huge_graphs_in_the_queue_are_dropped(
    engine: FakeEngine, client: ComfyClient
) -> None:
    graph = {
        str(n): {"class_type": "KSampler", "inputs": {"text": "x" * 4000}} for n in range(2000)
    }
    rows = [[n, f"p{n}", graph, {}, []] for n in range(2)]
    engine.on("GET", "/queue", JSONResponse({"queue_running": rows[:1], "queue_pending": rows[1:]}))
    queue = await client.queue()
    assert queue.runs("p0")
    assert queue.ahead_of("p1") == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"queue_running": {}, "queue_pending": []},
        [],
        {"queue_running": [3], "queue_pending": []},
    ],
)
async def test_an_unreadable_queue_never_looks_empty(
    engine: FakeEngine, client: ComfyClient, body: Any
) -> None:
    engine.on("GET", "/queue", JSONResponse(body))
    with pytest.raises(ProtocolError):
        await client.find(PROMPT_ID)
