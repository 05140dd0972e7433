"""The endpoints under /simulator, which no real ComfyUI has.

Owns what a test may ask of the simulator itself: what it is, its journal, its speed, its
installed node classes and its faults. Nothing of the product may rely on them.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators.comfyui.faults import FaultOrder
from simulators.comfyui.state import State


class SpeedOrder(BaseModel):
    """The body of PUT /simulator/speed: seconds per sampling step."""

    model_config = ConfigDict(extra="forbid")

    step_s: float = Field(ge=0)


class NodesOrder(BaseModel):
    """The body of PUT /simulator/nodes: what differs from the classes as they come.

    ``changed`` gives whole classes in the form of nodes.json.
    """

    model_config = ConfigDict(extra="forbid")

    absent: list[str] = []
    changed: dict[str, Any] = {}


def _state(request: Request) -> State:
    state: State = request.app.state.simulator
    return state


def _refused(fault: ValidationError) -> Response:
    return JSONResponse({"errors": fault.errors(include_url=False, include_context=False)}, 422)


async def who(request: Request) -> Response:
    """GET /simulator: says that this is one."""
    state = _state(request)
    body = {
        "simulated": True,
        "comfyui_version": state.catalogue.version,
        "step_s": state.executor.step_s,
        "journal": str(state.settings.journal),
        "state": str(state.settings.state),
    }
    return JSONResponse(body)


async def get_journal(request: Request) -> Response:
    """GET /simulator/journal?event=&prompt_id=."""
    query = request.query_params
    entries = _state(request).journal.entries(query.get("event"), query.get("prompt_id"))
    return JSONResponse({"entries": entries})


async def get_faults(request: Request) -> Response:
    """GET /simulator/faults: what is ordered and how many strikes are left."""
    return JSONResponse({"faults": _state(request).faults.listed()})


async def put_faults(request: Request) -> Response:
    """PUT /simulator/faults {"faults": [...]}: replaces all."""
    try:
        order = FaultOrder.model_validate_json(await request.body())
    except ValidationError as fault:
        return _refused(fault)
    _state(request).faults.order(order.faults)
    return await get_faults(request)


async def delete_faults(request: Request) -> Response:
    """DELETE /simulator/faults."""
    _state(request).faults.order([])
    return Response(status_code=204)


async def put_speed(request: Request) -> Response:
    """PUT /simulator/speed {"step_s": 0.1}: from the next step on."""
    try:
        order = SpeedOrder.model_validate_json(await request.body())
    except ValidationError as fault:
        return _refused(fault)
    _state(request).executor.step_s = order.step_s
    return await who(request)


async def get_node(request: Request) -> Response:
    """GET /simulator/nodes/{name}: a class as it comes, to be changed and put back."""
    try:
        return JSONResponse(_state(request).catalogue.as_installed(request.path_params["name"]))
    except KeyError:
        return Response(status_code=404)


async def put_nodes(request: Request) -> Response:
    """PUT /simulator/nodes {"absent": ["KSampler"], "changed": {}}: replaces what was ordered."""
    try:
        order = NodesOrder.model_validate_json(await request.body())
        _state(request).catalogue.install(order.absent, order.changed)
    except ValidationError as fault:
        return _refused(fault)
    except (KeyError, TypeError, AttributeError) as odd:
        return JSONResponse({"errors": [repr(odd)]}, 422)
    return Response(status_code=204)


def control_routes() -> list[BaseRoute]:
    """The routes under /simulator."""
    return [
        Route("/simulator", who),
        Route("/simulator/journal", get_journal),
        Route("/simulator/faults", get_faults, methods=["GET"]),
        Route("/simulator/faults", put_faults, methods=["PUT"]),
        Route("/simulator/faults", delete_faults, methods=["DELETE"]),
        Route("/simulator/nodes", put_nodes, methods=["PUT"]),
        Route("/simulator/nodes/{name}", get_node),
        Route("/simulator/speed", put_speed, methods=["PUT"]),
    ]
