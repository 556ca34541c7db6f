"""The simulator as a web application: the providers' endpoints, and its own controls.

Any path that ends in ``/chat/completions``, ``/responses`` or ``/messages`` is served, for providers put prefixes
before them. The controls under ``/simulator`` answer on loopback only: the latest requests, and the models' faults.
"""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel

from plano_agents.http.health_page import add_health_page
from plano_agents.simulator.endpoint import JSON, Endpoint
from plano_agents.simulator.faults import parse_fault
from plano_agents.simulator.request_log import LoggedRequest
from plano_agents.simulator.settings import SimulatorSettings
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.wires import ANTHROPIC, OPENAI, RESPONSES

__all__ = ["SimulatorSettings", "create_app"]

NOT_FOUND = 404


def create_app(
    settings: SimulatorSettings | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """Build a simulator.

    Args:
        settings: What it serves, and how well; by default any model, at once.
        clock: Seconds, monotonic; for caching and pacing.
        wall_clock: Seconds since 1970; for the answers' ``created``.
        sleep: Waits so many seconds.
    """
    settings = settings or SimulatorSettings()
    endpoint = Endpoint(settings, clock=clock, wall_clock=wall_clock, sleep=sleep)
    app = FastAPI(title="plano-agents simulator", description="Offline models on real wire formats.")
    add_health_page(app)
    for wire in (OPENAI, RESPONSES, ANTHROPIC):
        for path in (wire.path, "/{prefix:path}" + wire.path):
            app.add_api_route(
                path, _build_handler(partial(endpoint.serve, wire)), methods=["POST"], include_in_schema=False
            )
    app.add_api_route("/v1/models", _build_handler(partial(_list_models, settings)), methods=["GET"])
    app.include_router(_build_controls(endpoint))
    app.add_exception_handler(NOT_FOUND, _refuse_path)
    return app


async def _refuse_path(request: Request, _error: Exception) -> Response:
    """Answer a path that nothing here serves, as OpenAI does."""
    message = (
        f"{request.method} {request.url.path} is not simulated: POST /v1/chat/completions, POST /v1/responses and POST "
        "/v1/messages are."
    )
    refusal = Refusal(NOT_FOUND, "invalid_request_error", message)
    return Response(OPENAI.encode_refusal(refusal, ""), NOT_FOUND, media_type=JSON)


def _build_handler(
    serve: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await serve(request)

    return handle


async def _list_models(settings: SimulatorSettings, request: Request) -> Response:
    wire = ANTHROPIC if "anthropic-version" in request.headers else OPENAI
    return Response(wire.encode_models(settings.models), media_type=JSON)


class FaultBody(BaseModel):
    """A fault, as the controls take it."""

    fault: Annotated[str, AfterValidator(lambda source: (parse_fault(source), source)[1])]
    """As ``faults`` writes it, e.g. ``status=503;times=2``."""


def _build_controls(endpoint: Endpoint) -> APIRouter:
    controls = APIRouter(prefix="/simulator", dependencies=[Depends(_require_loopback)])

    @controls.get("/requests")
    async def list_requests() -> list[LoggedRequest]:
        """The last 1,000 requests, the oldest first."""
        return endpoint.log.entries

    @controls.delete("/requests", status_code=204)
    async def clear_requests() -> None:
        """Forget the requests so far."""
        endpoint.log.clear()

    @controls.put("/faults/{model:path}", status_code=204)
    async def put_fault(model: str, body: FaultBody) -> None:
        """Give a model a fault; ``*`` is every model."""
        endpoint.faults.put(model, parse_fault(body.fault))

    @controls.delete("/faults/{model:path}", status_code=204)
    async def drop_fault(model: str) -> None:
        """Make a model work again."""
        endpoint.faults.drop(model)

    return controls


async def _require_loopback(request: Request) -> None:
    """Refuse who is not on this machine; a peer without an address is on a local socket."""
    host = request.client.host if request.client is not None else "127.0.0.1"
    if not ipaddress.ip_address(host).is_loopback:
        raise HTTPException(403, f"The simulator's controls answer on loopback only; you come from {host!r}.")
