"""A router that keeps pins in its own memory is stopped and started again while an agent's thread goes on."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from plano_agents import ChatPlano
from tests.faults.redis_server import free_port
from tests.faults.router_process import RouterProcess, start_router
from tests.router.conftest import Exchange, Provider

THREAD: RunnableConfig = {"configurable": {"thread_id": "t-42"}}
GPT, MINI = "openai/gpt-4o", "openai/gpt-4o-mini"
CODE, TALK = "Write a Python function that sorts a list", "Hello, some small talk"
PREFERENCES = [
    {"name": "code", "description": "writing code, a function in Python", "models": [GPT]},
    {"name": "talk", "description": "small talk, hello", "models": [MINI]},
]


class Router:
    """A router on one port, as one process after another.

    Args:
        config: Its configuration.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self._port = free_port()
        self._running: Any = None
        self.process: RouterProcess

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._running = start_router(self._config, port=self._port)
        self.process = await self._running.__aenter__()

    async def stop(self) -> None:
        assert await self.process.stop() == (0, "")
        await self._running.__aexit__(None, None, None)

    async def restart(self) -> None:
        await self.stop()
        await self.start()


async def complete(exchange: Exchange) -> None:
    """Call the offered tool for what a user says, and answer in words once its result is there."""
    body = json.loads(exchange.body)
    message: dict[str, Any] = {"role": "assistant", "content": "done"}
    if body["messages"][-1]["role"] == "user":
        call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": f"{body['model']}-2024"}
    await exchange.answer(json.dumps(answer | {"choices": [choice]}).encode())


@asynccontextmanager
async def run_router(folder: Path) -> AsyncGenerator[tuple[Router, Provider], None]:
    async with Provider(complete) as provider:
        entry = {"base_url": provider.url, "access_key": "sk-any"}
        config = {
            "version": "v0.4.0",
            "listeners": [{"type": "model", "name": "m", "port": 12_000}],
            "model_providers": [{"model": name, **entry} for name in (GPT, MINI)],
            "routing_preferences": PREFERENCES,
        }
        path = folder / "config.yaml"
        path.write_text(json.dumps(config))
        router = Router(path)
        await router.start()
        try:
            yield router, provider
        finally:
            await router.stop()


def build_agent(url: str, look_up: Callable[..., Any]) -> Any:  # noqa: ANN401 - a compiled graph's type
    return create_agent(ChatPlano(base_url=url), [look_up], checkpointer=InMemorySaver())


def told(state: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What the router said of each answer of the thread."""
    plano = [
        message.response_metadata["plano"] for message in state["messages"] if isinstance(message, AIMessage)
    ]
    return [(each["model"], each["decision"], each["reason"]) for each in plano]


def asked(provider: Provider) -> list[str]:
    return [json.loads(exchange.body)["model"] for exchange in provider.exchanges]


async def test_a_thread_goes_on_with_its_model_after_the_router_was_restarted_between_two_runs(
    tmp_path: Path,
) -> None:
    """The second run's words alone would be routed to the other model, as a thread of its own shows."""

    async def look_up() -> str:
        """Look something up."""
        return "found"

    async with run_router(tmp_path) as (router, provider):
        agent = build_agent(router.url, look_up)
        await agent.ainvoke({"messages": [HumanMessage(CODE)]}, THREAD)
        await router.restart()
        state = await agent.ainvoke({"messages": [HumanMessage(TALK)]}, THREAD)
        other = await agent.ainvoke(
            {"messages": [HumanMessage(TALK)]}, {"configurable": {"thread_id": "other"}}
        )
    assert told(state) == [
        (GPT, "initialize", "first_turn"),
        (GPT, "retain", "pinned"),
        (GPT, "initialize", "hint"),
        (GPT, "retain", "pinned"),
    ]
    assert told(other) == [(MINI, "initialize", "first_turn"), (MINI, "retain", "pinned")]
    assert asked(provider) == ["gpt-4o"] * 4 + ["gpt-4o-mini"] * 2


async def test_a_loop_goes_on_with_its_model_after_the_router_was_restarted_within_it(
    tmp_path: Path,
) -> None:
    """The router is another process when the tool's result is sent than when the tool was called."""
    processes: list[int] = []

    async with run_router(tmp_path) as (router, provider):

        async def look_up() -> str:
            """Look something up."""
            processes.append(router.process.process.pid)
            await router.restart()
            processes.append(router.process.process.pid)
            return TALK

        agent = build_agent(router.url, look_up)
        state = await agent.ainvoke({"messages": [HumanMessage(CODE)]}, THREAD)
    assert len(set(processes)) == 2
    assert told(state) == [(GPT, "initialize", "first_turn"), (GPT, "initialize", "hint")]
    assert asked(provider) == ["gpt-4o"] * 2
