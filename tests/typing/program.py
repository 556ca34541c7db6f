"""A user's program, as mypy reads it: what each public name takes and gives. It is checked, and never run.

Each ``type: ignore`` is a mistake that mypy must find: ``--strict`` refuses one that hides nothing.
"""

import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import assert_type

import anthropic.types
import openai.types.chat
from fastapi import FastAPI
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from plano_agents import (
    AffinityLogFilter,
    ChatPlano,
    ModelAffinityMiddleware,
    ModelAffinityMixin,
    PlanoError,
    bind_context,
    current_affinity_id,
    instrument,
    model_affinity,
    uninstrument,
)
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import ServerSettings
from plano_agents.anthropic import Anthropic, AsyncAnthropic
from plano_agents.openai import AsyncOpenAI, OpenAI
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.store import SessionStore
from plano_agents.testing import (
    FakeUpstream,
    Reply,
    Responder,
    SessionStoreSuite,
    ToolCall,
    UpstreamExchange,
    break_off,
    call_tool,
    fail,
    give,
    keep_silent,
    offline_router,
    reply_with,
    say,
    stream,
)


def open_scopes() -> None:
    """The id and its scope."""
    with model_affinity() as made:
        assert_type(made, str)
    with model_affinity("run-1"), model_affinity(lane="researcher") as lane:
        assert_type(lane, str)
    assert_type(current_affinity_id(), str | None)
    model_affinity(7)  # type: ignore[arg-type]


def ask(number: int, *, text: str) -> bytes:
    """A function that a thread runs."""
    return text.encode() * number


def bind(pool: ThreadPoolExecutor) -> None:
    """A bound function takes and gives what it took and gave."""
    bound = bind_context(ask)
    assert_type(bound(2, text="a"), bytes)
    assert_type(pool.submit(bound, 2, text="a"), Future[bytes])
    bound("2", text="a")  # type: ignore[arg-type]


class StickyChatOpenAI(ModelAffinityMixin, ChatOpenAI):
    """A stock chat model, one model per affinity id."""


def call_models() -> None:
    """LangChain's models."""
    llm = ChatPlano(model="gpt-4o-mini", affinity="thread", affinity_id="run-1")
    assert_type(llm.invoke("hello"), AIMessage)
    assert_type(StickyChatOpenAI(model="gpt-4o-mini").invoke("hello"), AIMessage)
    create_agent(llm, tools=[], middleware=[ModelAffinityMiddleware(affinity="run")])
    ModelAffinityMiddleware(affinity="week")  # type: ignore[arg-type]


def call_sdks() -> None:
    """The SDKs' clients."""
    client = OpenAI(base_url="http://127.0.0.1:12000", affinity_id="run-1")
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
    assert_type(answer, openai.types.chat.ChatCompletion)
    assert_type(client.with_options(affinity_id="run-2"), OpenAI)
    message = Anthropic().messages.create(
        model="claude-sonnet-4-6", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
    )
    assert_type(message, anthropic.types.Message)


async def call_sdks_later() -> None:
    """The same, asynchronous."""
    async with AsyncOpenAI() as client:
        answer = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        )
        assert_type(answer, openai.types.chat.ChatCompletion)
    async with AsyncAnthropic(affinity_id="run-1") as other:
        assert_type(other, AsyncAnthropic)


def prepare() -> None:
    """The calls that a program makes once, as it starts."""
    instrument("http://127.0.0.1:12000")
    uninstrument()
    instrument(12000)  # type: ignore[arg-type]
    logging.getLogger().addFilter(AffinityLogFilter())


def serve() -> FastAPI:
    """The agent server."""
    graph = create_agent(ChatPlano(model="gpt-4o-mini"), tools=[])
    return create_app(graph, ServerSettings(), affinity="thread")


def handle(error: PlanoError) -> tuple[int | None, str]:
    """An error's status and code."""
    return error.status_code, error.code


async def answer_slowly(exchange: UpstreamExchange) -> None:
    """An answer of a test's own."""
    assert_type(exchange.affinity_id, str | None)
    await exchange.reply(Reply("hello", calls=(ToolCall("weather", {"city": "Lisbon"}),)))


def test_with_it() -> None:
    """The test kit."""
    answers: list[Responder] = [
        *(say("hello"), call_tool("weather", city="Lisbon"), fail(503), give({}), stream(b"data: [DONE]\n\n")),
        *(reply_with(Reply("hello")), break_off(say("hello"), after=1), keep_silent, answer_slowly),
    ]
    with FakeUpstream(*answers) as upstream, offline_router(Path("config.yaml"), upstream=upstream.url) as url:
        assert_type(url, str)
        assert_type(upstream.affinity_ids, list[str | None])


class TestMyStore(SessionStoreSuite):
    """A store that keeps the promises."""

    @asynccontextmanager
    async def open_store(self) -> AsyncIterator[SessionStore]:
        """An empty store."""
        yield MemorySessionStore(max_entries=1_000)


HOOK: Callable[[], str | None] = current_affinity_id
