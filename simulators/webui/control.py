"""The endpoints under /simulator, which no real WebUI has.

Owns what a test may ask of the simulator itself: what it is, its journal, its speed, its
faults and what is installed. Nothing of the product may rely on them.
"""

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.webui.faults import FaultOrder
from simulators.webui.generation import VERSION
from simulators.webui.sdapi import state_of
from simulators.webui.state import Installed


class SpeedOrder(BaseModel):
    """The body of PUT /simulator/speed: seconds per sampling step."""

    model_config = ConfigDict(extra="forbid")

    step_s: float = Field(ge=0)


def _refused(fault: ValidationError) -> Response:
    return JSONResponse({"errors": fault.errors(include_url=False, include_context=False)}, 422)


async def who(request: Request) -> Response:
    """GET /simulator: says that this is one."""
    state = state_of(request)
    body = {
        "simulated": True,
        "webui_version": VERSION,
        "step_s": state.step_s,
        "poisoned": state.poisoned,
        "journal": str(state.settings.journal),
        "state": str(state.settings.state),
    }
    return JSONResponse(body)


async def get_journal(request: Request) -> Response:
    """GET /simulator/journal?event=&kind=&id=: entries whose fields are as asked."""
    entries = state_of(request).journal.entries(dict(request.query_params))
    return JSONResponse({"entries": entries})


async def get_faults(request: Request) -> Response:
    """GET /simulator/faults: what is ordered and how many strikes are left."""
    return JSONResponse({"faults": state_of(request).faults.listed()})


async def put_faults(request: Request) -> Response:
    """PUT /simulator/faults {"faults": [...]}: replaces all."""
    try:
        order = FaultOrder.model_validate_json(await request.body())
    except ValidationError as fault:
        return _refused(fault)
    state_of(request).faults.order(order.faults)
    return await get_faults(request)


async def delete_faults(request: Request) -> Response:
    """DELETE /simulator/faults."""
    state_of(request).faults.order([])
    return Response(status_code=204)


async def put_speed(request: Request) -> Response:
    """PUT /simulator/speed {"step_s": 0.1}: from the next step on."""
    try:
        order = SpeedOrder.model_validate_json(await request.body())
    except ValidationError as fault:
        return _refused(fault)
    state_of(request).step_s = order.step_s
    return await who(request)


async def get_installed(request: Request) -> Response:
    """GET /simulator/installed: extensions, models and flavour."""
    return JSONResponse(state_of(request).installed.model_dump())


async def put_installed(request: Request) -> Response:
    """PUT /simulator/installed {"deforum": false}: changes the parts that are named."""
    state = state_of(request)
    named = await request.json()
    try:
        state.installed = Installed.model_validate({**state.installed.model_dump(), **named})
    except ValidationError as fault:
        return _refused(fault)
    return await get_installed(request)


def control_routes() -> list[Route]:
    """The routes under /simulator."""
    return [
        Route("/simulator", who),
        Route("/simulator/journal", get_journal),
        Route("/simulator/faults", get_faults, methods=["GET"]),
        Route("/simulator/faults", put_faults, methods=["PUT"]),
        Route("/simulator/faults", delete_faults, methods=["DELETE"]),
        Route("/simulator/speed", put_speed, methods=["PUT"]),
        Route("/simulator/installed", get_installed, methods=["GET"]),
        Route("/simulator/installed", put_installed, methods=["PUT"]),
    ]
