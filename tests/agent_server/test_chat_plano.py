"""The server with the real chat model, against a small router of the tests' own that records what it is sent."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.events import Answer, Usage
from plano_agents.agent_server.tools import Graph
from plano_agents.integrations.langchain import ChatPlano
from plano_agents.protocol.sse import EventDecoder
from tests.agent_server.conftest import connect

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 5,
    "total_tokens": 35,
    "prompt_tokens_details": {"cached_tokens": 16},
}


@dataclass
class Router:
    """Calls each tool once, then answers."""

    ids: list[str | None] = field(default_factory=list)
    """The affinity ids that came, in order."""
    hints: list[str | None] = field(default_factory=list)
    """The hints that came, in order."""

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.ids.append(request.headers.get(AFFINITY_HEADER))
        self.hints.append(request.headers.get(HINT_HEADER))
        done = not body.get("tools") or body["messages"][-1]["role"] == "tool"
        message: dict[str, Any] = {"role": "assistant", "content": "PostgreSQL" if done else "I look"}
        if not done:
            message["tool_calls"] = [
                {
                    "index": index,
                    "id": f"call_{index}",
                    "type": "function",
                    "function": {"name": tool["function"]["name"], "arguments": '{"question": "Latency?"}'},
                }
                for index, tool in enumerate(body["tools"])
            ]
        first = body["messages"][-1]["role"] == "user"
        headers = {
            "X-Plano-Model": "openai/gpt-4o",
            "X-Plano-Route": "complex_reasoning",
            "X-Plano-Affinity": f"{'initialize' if first else 'retain'}; reason={'first_turn' if first else 'pinned'}",
        }
        base = {"id": "c-1", "created": 1, "model": "gpt-4o-2024-08-06"}
        finish = "stop" if done else "tool_calls"
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return JSONResponse(
                base | {"object": "chat.completion", "choices": [choice], "usage": USAGE}, headers=headers
            )
        choices = [
            [{"index": 0, "delta": message, "finish_reason": None}],
            [{"index": 0, "delta": {}, "finish_reason": finish}],
            [],
        ]
        chunks = [base | {"object": "chat.completion.chunk", "choices": each} for each in choices]
        chunks[-1]["usage"] = USAGE
        events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
        return StreamingResponse(iter(events), headers=headers, media_type="text/event-stream")


def build_agent(base_url: str) -> Graph:
    llm = ChatPlano(model="gpt-4o-mini", base_url=base_url, max_retries=0)

    @tool
    async def consult(question: str) -> str:
        """Ask a colleague."""
        return str((await llm.ainvoke(question)).text)

    @tool
    def consult_in_a_thread(question: str) -> str:
        """Ask a colleague."""
        return str(llm.invoke(question).text)

    graph: Graph = create_agent(llm, [consult, consult_in_a_thread], checkpointer=InMemorySaver())
    return graph


@asynccontextmanager
async def serve() -> AsyncGenerator[tuple[Router, httpx.AsyncClient], None]:
    router = Router()
    app = Starlette(routes=[Route("/v1/chat/completions", router.complete, methods=["POST"])])
    async with (
        connect(app) as upstream,
        connect(create_app(build_agent(str(upstream.base_url)))) as client,
    ):
        yield router, client


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_turns_tell_what_the_router_said_plain_and_streamed(accept: str) -> None:
    async with serve() as (_, client):
        response = await client.post("/agent/run", json={"input": "Which?"}, headers={"accept": accept})
    body = response.content
    if accept != "application/json":
        body = EventDecoder().feed(body)[-1].data
    answer = TypeAdapter(Answer).validate_json(body)
    model, route = "gpt-4o-2024-08-06", "complex_reasoning"
    assert [(t.model, t.route, t.decision, t.reason, t.tool_calls) for t in answer.turns] == [
        (model, route, "initialize", "first_turn", ("consult", "consult_in_a_thread")),
        (model, route, "initialize", "first_turn", ()),
        (model, route, "initialize", "first_turn", ()),
        (model, route, "retain", "pinned", ()),
    ]
    assert answer.usage == Usage(input_tokens=120, output_tokens=20, cache_read_tokens=64)
    assert (answer.output, answer.switches) == ("PostgreSQL", 0)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_every_call_of_a_run_carries_its_id_the_tools_too(accept: str) -> None:
    async with serve() as (router, client):
        await client.post(
            "/agent/run", json={"input": "Which?"}, headers={AFFINITY_HEADER: "mine", "accept": accept}
        )
    assert router.ids == ["mine"] * 4


async def test_the_next_run_on_a_thread_names_the_model_of_the_last() -> None:
    async with serve() as (router, client):
        for _ in range(2):
            await client.post("/agent/run", json={"input": "Which?", "thread_id": "t-1"})
    assert len(set(router.ids)) == 1
    assert router.hints[0] is None
    assert router.hints[4] == "openai/gpt-4o"


async def test_concurrent_runs_do_not_cross_on_the_wire() -> None:
    ids = [f"run-{number}" for number in range(50)]
    async with serve() as (router, client):
        await asyncio.gather(
            *(
                client.post("/agent/run", json={"input": "Which?"}, headers={AFFINITY_HEADER: name})
                for name in ids
            )
        )
    assert sorted(router.ids, key=str) == sorted(ids * 4)


async def test_a_router_that_is_down_is_a_502_with_the_way_out() -> None:
    async with connect(create_app(build_agent("http://127.0.0.1:9"))) as client:
        response = await client.post(
            "/agent/run", json={"input": "Which?"}, headers={AFFINITY_HEADER: "mine"}
        )
    assert (response.status_code, response.headers[AFFINITY_HEADER]) == (502, "mine")
    assert "http://127.0.0.1:9" in response.json()["error"]["message"]
    assert "Which?" not in response.text
