"""A small router of the tests' own: OpenAI chat completions on a real socket, recording what it is sent.

Under ``/v1`` it answers with a router's headers, under ``/plain/v1`` without any, under ``/flaky/v1`` only when it is
asked the same again. Offered tools, it calls the first one for a user's message and answers in words once it has the
result.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from plano_agents import ChatPlano
from plano_agents.testing import FakeUpstream, Reply, ToolCall, UpstreamExchange
from plano_agents.testing.router import CONFIG

SERVED_MODEL = "claude-sonnet-4-6-20260217"


async def complete(exchange: UpstreamExchange) -> None:
    """Answer as a router does."""
    if exchange.path.startswith("/flaky") and exchange.headers["x-stainless-retry-count"] == "0":
        await exchange.fail(503, "Try again.", headers={"retry-after-ms": "1"})
        return
    headers = {} if exchange.path.startswith("/plain") else build_router_headers(exchange.affinity_id)
    await exchange.reply(build_reply(exchange.json), headers=headers)


def build_router_headers(affinity_id: str | None) -> dict[str, str]:
    headers = {
        "X-Plano-Model": "anthropic/claude-sonnet-4-6",
        "X-Plano-Route": "complex_reasoning",
        "X-Plano-Affinity": "initialize; reason=first_turn" if affinity_id else "none",
        "Server-Timing": "routing;dur=1.25, upstream;dur=300",
        "X-Plano-Trace-Id": "0af7651916cd43dd8448eb211c80319c",
    }
    return headers | ({"X-Model-Affinity": affinity_id} if affinity_id else {})


def build_reply(body: Mapping[str, Any]) -> Reply:
    """Answer with a call of the first tool, or in words; JSON where the body asks for it."""
    last = body["messages"][-1]
    text, calls = f"echo: {last['content']}", []
    if body.get("response_format"):
        text = '{"city": "Oslo"}'
    elif body.get("tools") and last["role"] != "tool":
        text, calls = "", [ToolCall(body["tools"][0]["function"]["name"], {"city": "Oslo"})]
    return Reply(text, calls, model=SERVED_MODEL, input_tokens=11, output_tokens=7)


def read_prompt(exchange: UpstreamExchange) -> str:
    """The last message's text."""
    return str(exchange.json["messages"][-1]["content"])


@pytest.fixture(scope="session")
def serving_router() -> Iterator[FakeUpstream]:
    with FakeUpstream(complete) as router:
        yield router


@pytest.fixture
def router(serving_router: FakeUpstream) -> FakeUpstream:
    """The router, with nothing recorded yet."""
    serving_router.exchanges.clear()
    return serving_router


@pytest.fixture(scope="session")
def plano_config() -> str:
    """The router's configuration: Claude's prompts are marked for its cache, which LangChain's suites look for."""
    return f"{CONFIG}prompt_caching: {{enabled: true, session_affinity: false}}\n"


@pytest.fixture
def llm(router: FakeUpstream) -> ChatPlano:
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
