# ruff: noqa: ANN401 - the overridden signatures are LangChain's
"""A scripted chat model that notes what it is asked, graphs on it, and the server on a real socket."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, ensure_config
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from starlette.types import ASGIApp

from plano_agents import processes
from plano_agents.affinity import current_affinity_id, resolve_affinity_id
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.agent_server.tools import Graph
from tests.patience import PATIENCE_SECONDS

USER = {"role": "user", "content": "Which city?"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the model saw it."""

    affinity_id: str | None
    """What `ChatPlano` would send."""
    scope_id: str | None
    """What any other client would find in scope."""
    messages: tuple[BaseMessage, ...]
    """The conversation."""


async def _go_on() -> None:
    """Wait for nothing."""


@dataclass
class Script:
    """The model's script, by how often it has spoken since the user did."""

    models: Sequence[str] = ("gpt-4o", "gpt-4o")
    """The model that plays each turn; all but the last call the tool, twice."""
    tool: str = "look_up"
    """The tool that is called."""
    cities: Sequence[str] = ("Oslo", "Rome")
    """What it is called with."""
    wait: Callable[[], Awaitable[None]] = _go_on
    """Awaited before each answer; what it raises is the model's failure."""
    asked: list[Asked] = field(default_factory=list)
    """Every request, in order."""

    def answer(self, messages: list[BaseMessage]) -> AIMessage:
        configurable = ensure_config().get("configurable", {})
        self.asked.append(Asked(resolve_affinity_id(configurable=configurable), current_affinity_id(), tuple(messages)))
        user = max((index for index, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
        spoken = sum(isinstance(message, AIMessage) for message in messages[user:])
        last = spoken >= len(self.models) - 1
        model = self.models[min(spoken, len(self.models) - 1)]
        calls = [
            ToolCall(name=self.tool, args={"city": city}, id=f"call-{len(messages)}-{number}", type="tool_call")
            for number, city in enumerate(self.cities)
        ]
        return AIMessage(
            f"Oslo, says {model}" if last else f"I look, says {model}",
            tool_calls=[] if last else calls,
            response_metadata={
                "model_name": model,
                "model_provider": "plano",
                "plano": {"model": f"openai/{model}", "route": "lookup"}
                | ({"decision": "retain", "reason": "pinned"} if spoken else {})
                | ({} if spoken else {"decision": "initialize", "reason": "first_turn"}),
            },
            usage_metadata={
                "input_tokens": 100,
                "output_tokens": 10,
                "total_tokens": 110,
                "input_token_details": {"cache_read": 64 if spoken else 0},
            },
        )


class ScriptedModel(BaseChatModel):
    """Plays a script, whole or word by word."""

    script: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.script.answer(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await self.script.wait()
        return self._generate(messages)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        await self.script.wait()
        for chunk in split_message(self.script.answer(messages)):
            generation = ChatGenerationChunk(message=chunk)
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(chunk.text), chunk=generation)
            yield generation


def split_message(message: AIMessage) -> Iterator[AIMessageChunk]:
    """Cut a message as providers stream it: words, then tool calls, then metadata."""
    for word in str(message.text).split(" "):
        yield AIMessageChunk(content=f"{word} ")
    yield AIMessageChunk(
        content="",
        tool_calls=message.tool_calls,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        chunk_position="last",
    )


@tool
def look_up(city: str) -> str:
    """Look a city up."""
    return f"{city} is a city"


def build_graph(script: Script, *extra_tools: BaseTool, remember: bool = True) -> Graph:
    """An agent with the script for a model."""
    graph: Graph = create_agent(
        ScriptedModel(script=script),
        [look_up, *extra_tools],
        checkpointer=InMemorySaver() if remember else None,
    )
    return graph


@asynccontextmanager
async def serve_by_ours(app: ASGIApp) -> AsyncGenerator[str, None]:
    """Serve an app by the server that ships; gives its address."""
    listener = processes.bind("127.0.0.1", 0)
    async with processes.running([processes.Site(app, listener)]):
        yield processes.url_of(listener)


@asynccontextmanager
async def serve_by_uvicorn(app: ASGIApp) -> AsyncGenerator[str, None]:
    """Serve an app by another server than ours, as ``uvicorn module:app`` does; gives its address."""
    listener = processes.bind("127.0.0.1", 0)
    url = processes.url_of(listener)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield url
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving


SERVERS = {"ours": serve_by_ours, "uvicorn": serve_by_uvicorn}
Connect = Callable[[ASGIApp], AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def connect(app: ASGIApp, server: str = "ours") -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of the app on a real socket, in this event loop."""
    limits = httpx.Limits(max_connections=None)
    async with (
        SERVERS[server](app) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, limits=limits, trust_env=False) as client,
    ):
        yield client


@pytest.fixture(params=SERVERS)
def connect_to_each(request: pytest.FixtureRequest) -> Connect:
    """`connect`, by our server and by uvicorn, for what a server may do differently."""
    return partial(connect, server=request.param)


def call_app(
    graph: Graph, *, now: Callable[[], float] = time.time, key: str | None = None, **options: Any
) -> httpx.AsyncClient:
    """A client of the server without a socket in between; the options are settings.

    The lifespan is not run: what such a graph remembers it remembers by itself.
    """
    if graph.checkpointer is None:
        options = {"checkpoints": "none", **options}
    transport = httpx.ASGITransport(create_app(graph, build_settings(**options), now=now))
    return call_transport(transport, key)


def call_transport(transport: httpx.ASGITransport, key: str | None = None) -> httpx.AsyncClient:
    """A client that brings a key."""
    headers = {"authorization": f"Bearer {key}"} if key is not None else {}
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)
