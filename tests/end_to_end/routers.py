"""A router process on one port, two preferences, and a provider that calls the tool it is offered."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage

from plano_agents.testing import FakeUpstream, Reply, ToolCall, UpstreamExchange
from tests.faults.router_process import RouterProcess, start_router
from tests.ports import free_port

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


async def complete(exchange: UpstreamExchange) -> None:
    """Call the offered tool for what a user says, and answer in words once its result is there."""
    is_asked = exchange.json["messages"][-1]["role"] == "user"
    calls = [ToolCall("look_up")] if is_asked else []
    text = "" if is_asked else "done"
    await exchange.reply(Reply(text, calls, model=f"{exchange.json['model']}-2024"))


@asynccontextmanager
async def run_router(folder: Path) -> AsyncGenerator[tuple[Router, FakeUpstream], None]:
    async with FakeUpstream(complete) as provider:
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


def told(state: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The router's headers on each answer of the thread."""
    plano = [message.response_metadata["plano"] for message in state["messages"] if isinstance(message, AIMessage)]
    return [(each["model"], each["decision"], each["reason"]) for each in plano]


def asked(provider: FakeUpstream) -> list[str]:
    return [exchange.json["model"] for exchange in provider.exchanges]
