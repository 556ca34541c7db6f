"""Claude Code's and Codex' requests through a router, to simulated models of either provider."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from plano_agents.testing import offline_router
from tests.simulator.wire.anthropic.test_claude_code import REQUEST as CLAUDE_CODE

MODELS = ("openai/gpt-4o", "anthropic/claude-sonnet-4-6")

CODEX: dict[str, Any] = {
    "stream": True,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "01a22504-c12c-7902-92c4-eb0aaf0dd6ea",
    "client_metadata": {"x-codex-installation-id": "c3ce8b82", "x-codex-turn-metadata": "{}"},
    "tools": [
        {
            "type": "function",
            "name": "exec_command",
            "description": "Runs a command in a PTY, returning output or a session ID for ongoing interaction.",
            "strict": False,
            "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]},
        },
        {
            "type": "function",
            "name": "view_image",
            "description": "View a local image file from the filesystem when visual inspection is needed.",
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string", "description": "Local filesystem path."}},
                "required": ["path"],
                "additionalProperties": False,
            },
        },
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "Tools for spawning and managing sub-agents.",
            "tools": [
                {
                    "type": "function",
                    "name": "spawn_agent",
                    "description": "Spawn a sub-agent for a well-scoped task.",
                    "strict": False,
                    "parameters": {"type": "object", "properties": {"message": {"type": "string"}}},
                }
            ],
        },
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "Use the `apply_patch` tool to edit files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
        },
        {"type": "web_search", "external_web_access": False},
    ],
    "input": [
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "You are a coding agent running in the Codex CLI."}],
        },
        {
            "type": "message",
            "role": "user",
            "content": [
                {
                    "type": "input_text",
                    "text": "<environment_context>\n  <cwd>/src</cwd>\n  <shell>bash</shell>\n</environment_context>",
                }
            ],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Explain the command `rm -rf build`, and patch the image file"}],
        },
    ],
}
"""As Codex 0.1xx sends it, shortened: recorded from the program, against a server on loopback."""


def list_calls(events: str, kinds: str) -> list[str]:
    """The tools that a streamed answer calls."""
    data = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: {")]
    blocks = [each.get("content_block") or each.get("item") or {} for each in data]
    return [str(block.get("name")) for block in blocks if re.fullmatch(kinds, str(block.get("type")))]


@pytest.mark.parametrize("model", MODELS)
def test_claude_codes_request_is_answered_and_nothing_is_run(named_router: str, model: str) -> None:
    answer = httpx.post(
        f"{named_router}/messages",
        json=CLAUDE_CODE | {"model": model},
        headers={"anthropic-version": "2023-06-01"},
    )
    assert (answer.status_code, answer.headers["x-plano-model"]) == (200, model)
    assert "message_stop" in answer.text
    assert list_calls(answer.text, "tool_use") == []


@pytest.mark.parametrize("model", MODELS)
def test_codexs_request_is_answered_and_nothing_is_run(named_router: str, model: str) -> None:
    answer = httpx.post(f"{named_router}/responses", json=CODEX | {"model": model})
    assert (answer.status_code, answer.headers["x-plano-model"]) == (200, model)
    assert "response.completed" in answer.text
    assert list_calls(answer.text, "function_call|custom_tool_call") == []


NEW = "openai/gpt-5.5"


@pytest.fixture(scope="module")
def new_router() -> Iterator[str]:
    """A router in front of a simulated model that takes tools on responses alone."""
    models = (
        f"version: v0.4.0\nlisteners: [{{type: model, name: m, port: 12000}}]\nmodel_providers: [{{model: {NEW}}}]\n"
    )
    with offline_router(models) as url:
        yield url


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("messages", CLAUDE_CODE),
        ("responses", CODEX),
        (
            "chat/completions",
            {
                "messages": [{"role": "user", "content": "How is the weather?"}],
                "reasoning_effort": "high",
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "get_weather",
                            "description": "Get the weather.",
                            "parameters": {"type": "object", "properties": {}},
                        },
                    }
                ],
            },
        ),
    ],
    ids=["messages", "responses", "chat"],
)
def test_a_model_that_takes_tools_on_responses_alone_serves_every_client(
    new_router: str, path: str, fields: dict[str, Any]
) -> None:
    answer = httpx.post(f"{new_router}/{path}", json={**fields, "model": NEW})
    assert (answer.status_code, answer.headers["x-plano-model"]) == (200, NEW)
    if path == "chat/completions":
        assert answer.headers["x-plano-adjusted"] == "tools sent on the responses API"
        assert answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
