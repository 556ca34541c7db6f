"""A simulator on a real socket, and an agent loop without one."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fastapi import FastAPI
from pydantic import JsonValue

from plano_agents.simulator.agent.reply import Reply, build_reply
from plano_agents.simulator.app import create_app
from plano_agents.simulator.conversation import Conversation, Message, Tool, ToolResult
from tests.serving import serving

MAX_TURNS = 12


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Start a simulator on a free port, in a thread of its own; gives its address."""
    with ExitStack() as stack:

        def start(app: FastAPI) -> str:
            return stack.enter_context(serving(app))

        yield start


@pytest.fixture
def url(serve: Callable[[FastAPI], str]) -> str:
    """The address of a simulator with default settings."""
    return serve(create_app())


@pytest.fixture
def build_tool() -> Callable[[str, str, dict[str, JsonValue]], Tool]:
    """Build a tool from its name, description and properties; all are required."""

    def build(name: str, description: str, properties: dict[str, JsonValue]) -> Tool:
        schema: dict[str, JsonValue] = {"type": "object", "properties": properties, "required": [*properties]}
        return Tool(name, description, schema, json.dumps({"name": name, "parameters": schema}))

    return build


@pytest.fixture
def converse() -> Callable[..., list[Reply]]:
    """Run the agent loop: every call is answered by ``run``, until there are none."""

    def run_loop(
        tools: tuple[Tool, ...],
        run: Callable[[str, str], str],
        request: str,
        *,
        model: str = "m",
        seed: int = 0,
    ) -> list[Reply]:
        messages = [Message("user", request)]
        replies: list[Reply] = []
        while not replies or replies[-1].calls:
            assert len(replies) < MAX_TURNS
            reply = build_reply(Conversation(tuple(messages), tools=tools), model, seed)
            replies.append(reply)
            results = tuple(ToolResult(call.id, run(call.name, call.arguments_json)) for call in reply.calls)
            messages += [
                Message("assistant", reply.text, calls=reply.calls),
                Message("user", results=results),
            ]
        return replies

    return run_loop
