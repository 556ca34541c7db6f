"""A request as Claude Code 2.1.332 sends it, shortened: recorded from the program, against a server on loopback.

Fields, block types and betas are those of https://code.claude.com/docs/en/llm-gateway-protocol and of the SDK's
``types/beta``.
"""

import json
from typing import Any

from plano_agents.simulator.agent.reply import build_reply
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request

CACHED = {"type": "ephemeral"}
REQUEST: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 64000,
    "stream": True,
    "metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s"})},
    "thinking": {"type": "adaptive", "display": "updates"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "system": [
        {
            "type": "text",
            "text": "x-anthropic-billing-header: cc_version=2.1.332.bc3; cc_entrypoint=sdk-cli;",
        },
        {"type": "text", "text": "You are a Claude agent.", "cache_control": CACHED | {"scope": "global"}},
    ],
    "tools": [
        {
            "name": "Bash",
            "description": "Executes a bash command and returns its output.",
            "input_schema": {
                "type": "object",
                "properties": {"command": {"type": "string"}},
                "required": ["command"],
            },
        },
        {
            "name": "ToolSearch",
            "description": "Fetches full schema definitions for deferred tools so they can be called.",
            "input_schema": {
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
            },
        },
        {
            "name": "DeferredToolPlaceholder",
            "description": "Reserved placeholder that keeps deferred tool loading active; never call this tool.",
            "input_schema": {"type": "object", "properties": {}},
            "defer_loading": True,
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nRun `git commit`.\n</system-reminder>\n"},
                {"type": "text", "text": "Explain what the command `rm -rf build` does"},
            ],
        },
        {
            "role": "system",
            "content": [{"type": "text", "text": "# Environment\nPrimary working directory: /src"}],
            "output_config": {"effort": "medium"},
        },
        {
            "role": "assistant",
            "content": [
                {
                    "type": "server_tool_use",
                    "id": "srvtoolu_1",
                    "name": "web_search",
                    "input": {"query": "rm"},
                },
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
                {"type": "tool_use", "id": "toolu_1", "name": "ToolSearch", "input": {"query": "rm"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "tool_reference", "tool_name": "WebFetch"}],
                },
                {
                    "type": "text",
                    "text": "<system-reminder>Go on.</system-reminder>",
                    "cache_control": CACHED,
                },
            ],
        },
    ],
}


def test_the_request_is_taken_and_nothing_is_run() -> None:
    request = parse_anthropic_request(json.dumps(REQUEST).encode())
    assert build_reply(request.conversation, request.model).calls == ()


def test_its_first_turn_is_answered_without_a_call_of_a_command() -> None:
    request = parse_anthropic_request(json.dumps(REQUEST | {"messages": REQUEST["messages"][:2]}).encode())
    assert "Bash" not in [call.name for call in build_reply(request.conversation, request.model).calls]


def test_instructions_between_turns_leave_the_prompts_beginning_as_it_was() -> None:
    request = parse_anthropic_request(json.dumps(REQUEST).encode())
    assert [message.role for message in request.conversation.messages][:2] == ["user", "system"]
    assert "Primary working directory" not in request.conversation.system
