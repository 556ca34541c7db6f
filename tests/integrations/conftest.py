"""A small router of the tests' own: OpenAI chat completions on a real socket, recording what it is sent.

Under ``/v1`` it answers with a router's headers, under ``/plain/v1`` without any, under ``/flaky/v1`` only when it is
asked the same again. Offered tools, it calls the first
one for a user's message and answers in words once it has the result.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from plano_agents import ChatPlano

SERVED_MODEL = "claude-sonnet-4-6-20260217"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came."""

    headers: Mapping[str, str]
    """Names in lower case; a repeated header's values joined by ", "."""
    body: Mapping[str, Any]
    """The JSON body."""

    @property
    def affinity_id(self) -> str | None:
        return self.headers.get("x-model-affinity")

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass
class RecordingRouter:
    """The server's records, as the tests read them."""

    url: str
    """Scheme, host and port."""
    requests: list[Recorded] = field(default_factory=list)
    """In order of arrival."""

    @property
    def affinity_ids(self) -> list[str | None]:
        return [request.affinity_id for request in self.requests]

    async def complete(self, request: Request) -> Response:
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        recorded = Recorded(headers, await request.json())
        self.requests.append(recorded)
        plain = request.url.path.startswith("/plain")
        if request.url.path.startswith("/flaky") and recorded.headers["x-stainless-retry-count"] == "0":
            return JSONResponse({}, 503, headers={"retry-after-ms": "1"})
        answer_headers = {} if plain else build_router_headers(recorded.affinity_id)
        if recorded.body.get("stream"):
            return StreamingResponse(
                iter(build_events(recorded.body)), headers=answer_headers, media_type="text/event-stream"
            )
        message, finish_reason = build_message(recorded.body)
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        completion: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": SERVED_MODEL,
        }
        return JSONResponse(completion | {"choices": [choice], "usage": USAGE}, headers=answer_headers)


def build_router_headers(affinity_id: str | None) -> dict[str, str]:
    headers = {
        "X-Plano-Model": "anthropic/claude-sonnet-4-6",
        "X-Plano-Route": "complex_reasoning",
        "X-Plano-Affinity": "initialize; reason=first_turn" if affinity_id else "none",
        "Server-Timing": "routing;dur=1.25, upstream;dur=300",
        "X-Plano-Trace-Id": "0af7651916cd43dd8448eb211c80319c",
    }
    return headers | ({"X-Model-Affinity": affinity_id} if affinity_id else {})


def build_message(body: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Answer with a call of the first tool, or in words; JSON where the body asks for it."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if body.get("response_format"):
        return message | {"content": '{"city": "Oslo"}'}, "stop"
    last = body["messages"][-1]
    if not body.get("tools") or last["role"] == "tool":
        return message | {"content": f"echo: {last['content']}"}, "stop"
    function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Oslo"}'}
    return message | {
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}]
    }, "tool_calls"


def build_events(body: Mapping[str, Any]) -> list[str]:
    """Cut an answer into server-sent events: role, words one by one or the tool call, finish, usage."""
    message, finish_reason = build_message(body)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if message["content"]:
        deltas += [{"content": piece} for piece in message["content"].partition(" ") if piece]
    else:
        deltas += [{"tool_calls": [call | {"index": 0} for call in message["tool_calls"]]}]
    steps: list[tuple[dict[str, Any], str | None]] = [(delta, None) for delta in deltas] + [
        ({}, finish_reason)
    ]
    choices = [[{"index": 0, "delta": delta, "finish_reason": finish}] for delta, finish in steps]
    base: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": SERVED_MODEL,
    }
    chunks = [base | {"choices": each} for each in choices]
    if body.get("stream_options", {}).get("include_usage"):
        chunks.append(base | {"choices": [], "usage": USAGE})
    return [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]


@pytest.fixture(scope="session")
def router_process() -> Iterator[RecordingRouter]:
    listener = socket.create_server(("127.0.0.1", 0))
    router = RecordingRouter(f"http://127.0.0.1:{listener.getsockname()[1]}")
    paths = ("/v1/chat/completions", "/plain/v1/chat/completions", "/flaky/v1/chat/completions")
    app = Starlette(routes=[Route(path, router.complete, methods=["POST"]) for path in paths])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield router
    server.should_exit = True
    thread.join()


@pytest.fixture
def router(router_process: RecordingRouter) -> RecordingRouter:
    """The router, with nothing recorded yet."""
    router_process.requests.clear()
    return router_process


@pytest.fixture
def llm(router: RecordingRouter) -> ChatPlano:
    """A model behind the router."""
    return ChatPlano(model="gpt-4o-mini", base_url=router.url)


@pytest.fixture
def in_thread() -> Callable[[Callable[[], object]], None]:
    """Run a function in a bare thread, to its end."""

    def run(function: Callable[[], object]) -> None:
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()

    return run
