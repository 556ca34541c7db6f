"""The agent server: any LangGraph graph with a ``messages`` state, behind HTTP.

This module says which requests there are and which ids a run gets; the run is ``runs``, how it is written is the
surfaces'. The affinity id of a run is the client's; else the one its thread has everywhere; a client that names no
thread gets a new one, so that going on with it later keeps the model.
"""

import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from plano_agents.affinity import AFFINITY_HEADER, derive_affinity_id, new_affinity_id
from plano_agents.errors import (
    EndpointNotFoundError,
    MethodNotAllowedError,
    ModelNotFoundError,
    PlanoError,
    RequestError,
)
from plano_agents.protocol import openai_chat
from plano_agents.server import agent_surface, openai_surface, schema
from plano_agents.server.connection import (
    STATE_KEY,
    AffinityMiddleware,
    BodyLimitMiddleware,
    RunResponse,
    error_response,
    send_events,
    send_json,
)
from plano_agents.server.events import Answer
from plano_agents.server.runs import RECURSION_LIMIT, Agent, Graph, Run

MAX_BODY_BYTES = 1024 * 1024
"""The largest request body accepted, in bytes."""

MODEL_SHOWN = 64
"""How many characters of an unknown model's name are told back."""

_ECHO = {AFFINITY_HEADER: {"description": "The run's affinity id.", "schema": {"type": "string"}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schema.ErrorBody, "description": "The request cannot be served as it stands."},
    "5XX": {"model": schema.ErrorBody, "description": "The router, a model or the agent failed."},
}
_AFFINITY_PARAMETER = {
    "parameters": [
        {
            "name": AFFINITY_HEADER,
            "in": "header",
            "required": False,
            "description": "The affinity id that every model call of the run carries: 1 to 256 visible ASCII "
            "characters, sent once. Without it the run gets one.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 256},
            "example": "checkout-review-7",
        }
    ]
}


def create_app(
    graph: Graph,
    *,
    name: str = "agent",
    recursion_limit: int = RECURSION_LIMIT,
    max_body_bytes: int = MAX_BODY_BYTES,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> FastAPI:
    """Put a graph behind HTTP.

    Args:
        graph: A compiled graph with a ``messages`` state. With a checkpointer it remembers threads.
        name: The agent's name, which OpenAI clients see as the model.
        recursion_limit: The steps that a run may take.
        max_body_bytes: The largest request body accepted, in bytes.
        clock: Seconds on a clock that never goes back, for durations.
        now: Unix time in seconds, for ``created``.

    Returns:
        The application; its pages are under ``/docs``.

    Raises:
        ConfigError: The graph is not compiled, or has no ``messages`` state.
    """
    agent = Agent(graph, recursion_limit=recursion_limit, clock=clock)
    app = FastAPI(
        title=f"{name}: an agent server",
        description="Runs an agent. Every model call of a run carries one affinity id, so that the router keeps it "
        "on one model.",
    )
    _add_agent_surface(app, agent)
    _add_openai_surface(app, agent, name, now)

    @app.get("/healthz", responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}})
    async def healthz() -> dict[str, str]:
        """Whether the server is up; nothing is asked of the router."""
        return {"status": "ok"}

    app.add_exception_handler(PlanoError, _answer_failure)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_middleware(BodyLimitMiddleware, max_bytes=max_body_bytes)
    app.add_middleware(AffinityMiddleware)
    return app


def _add_agent_surface(app: FastAPI, agent: Agent) -> None:
    @app.post(
        "/agent/run",
        response_model=None,
        responses={
            200: {
                "model": Answer,
                "description": "The finished run; as events with `Accept: text/event-stream`.",
                "headers": _ECHO,
                "content": {
                    "application/json": {"example": schema.ANSWER_EXAMPLE},
                    "text/event-stream": {"example": schema.EVENTS_EXAMPLE},
                },
            },
            **_ERRORS,
        },
        openapi_extra=_AFFINITY_PARAMETER,
    )
    async def run_agent(
        request: Request, body: Annotated[schema.RunBody, Body(examples=[schema.RUN_EXAMPLE])]
    ) -> Response:
        """Run the agent on what is new in a conversation.

        With `Accept: text/event-stream`, `turn`, `tool` and `token` events are sent as they happen, then one `done`
        with the whole answer or one `error`. Leaving cancels the run. A thread takes one run at a time.
        """
        thread_id = body.thread_id or (str(uuid.uuid4()) if agent.remembers else None)
        streamed = "text/event-stream" in request.headers.get("accept", "").lower()
        run = Run(
            run_id=_new_run_id(),
            affinity_id=_choose_affinity_id(request, thread_id),
            messages=body.to_langchain(),
            thread_id=thread_id,
            tokens=streamed,
        )
        if streamed:
            answer = partial(send_events, agent_surface.stream_run(agent, run))
        else:
            answer = partial(send_json, partial(agent_surface.answer_run, agent, run))
        return RunResponse(agent.hold_thread(run), run.affinity_id, answer, agent_surface.encode_error_event)


def _add_openai_surface(app: FastAPI, agent: Agent, name: str, now: Callable[[], float]) -> None:
    @app.post(
        "/v1/chat/completions",
        response_model=None,
        responses={
            200: {
                "description": "A chat completion; its chunks with `stream`.",
                "headers": _ECHO,
                "content": {
                    "application/json": {"example": {**schema.COMPLETION_EXAMPLE, "model": name}},
                    "text/event-stream": {"example": "data: {…}\n\ndata: [DONE]\n\n"},
                },
            },
            **_ERRORS,
        },
        openapi_extra=_AFFINITY_PARAMETER,
    )
    async def complete_chat(
        request: Request,
        body: Annotated[schema.ChatBody, Body(examples=[{"model": name, **schema.CHAT_EXAMPLE}])],
    ) -> Response:
        """Run the agent in the place of a model, for any OpenAI client.

        The agent brings its own tools, models and settings: fields about these are accepted and ignored. Nothing is
        remembered between requests.
        """
        _check_model(body.model, name)
        run = Run(
            run_id=_new_run_id(),
            affinity_id=_choose_affinity_id(request, None),
            messages=body.to_langchain(),
        )
        created = int(now())
        if body.stream:
            include_usage = bool(body.stream_options and body.stream_options.include_usage)
            chunks = openai_surface.stream_completion(
                agent, run, model=name, created=created, include_usage=include_usage
            )
            answer = partial(send_events, chunks)
        else:
            complete = partial(openai_surface.answer_completion, agent, run, model=name, created=created)
            answer = partial(send_json, complete)
        return RunResponse(agent.hold_thread(run), run.affinity_id, answer, openai_chat.encode_error_event)

    listing = {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 0, "owned_by": "plano-agents"}],
    }

    @app.get("/v1/models", responses={200: {"content": {"application/json": {"example": listing}}}})
    async def list_models() -> dict[str, Any]:
        """The agent, as the one model there is."""
        return listing


def _check_model(given: str | None, name: str) -> None:
    """Refuse a model that is not the agent, which is all there is.

    Raises:
        ModelNotFoundError: It is another.
    """
    if given and given != name:
        shown = given if len(given) <= MODEL_SHOWN else f"{given[:MODEL_SHOWN]}…"
        raise ModelNotFoundError(
            f"There is no model {shown!r} here; {name!r} is the one that is served. Ask for it, or leave 'model' out.",
            param="model",
        )


def _new_run_id() -> str:
    return f"run_{uuid.uuid4().hex}"


def _choose_affinity_id(request: Request, thread_id: str | None) -> str:
    """Find the run's affinity id, and have it echoed."""
    affinity_id: str | None = getattr(request.state, STATE_KEY)
    if affinity_id is None:
        affinity_id = derive_affinity_id(thread_id) if thread_id is not None else new_affinity_id()
        setattr(request.state, STATE_KEY, affinity_id)
    return affinity_id


async def _answer_failure(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PlanoError)  # noqa: S101 - what it is registered for
    return error_response(error)


async def _answer_http(_request: Request, error: Exception) -> Response:
    """Answer what FastAPI refuses by itself: an unknown path or method, an unreadable body."""
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    kinds = {kind.status_code: kind for kind in (EndpointNotFoundError, MethodNotAllowedError)}
    kind = kinds.get(error.status_code, RequestError)
    response = error_response(kind(f"{error.detail}. See /docs for what there is."), error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    """Answer a body that does not fit: the first problem, its field, and never the value, which may be a prompt."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        what = problem.get("ctx", {}).get("error", "")
        return error_response(
            RequestError(f"The body is not valid JSON: {what} at character {problem['loc'][-1]}.")
        )
    fields = [part for part in problem["loc"][1:] if part not in schema.UNION_TAGS]
    if problem.get("ctx", {}).get("discriminator") == "'role'":
        fields.append("role")
    path = "".join(f"[{field}]" if isinstance(field, int) else f".{field}" for field in fields)
    param = path.removeprefix(".") or None
    if param is None and problem["type"] in {"model_attributes_type", "missing"}:
        return error_response(
            RequestError("The body is no JSON object. Send one, with `Content-Type: application/json`.")
        )
    place = f" in {param!r}" if param else ""
    what = str(problem["msg"]).removeprefix("Value error, ")
    return error_response(RequestError(f"Invalid request{place}: {what}.", param=param))
