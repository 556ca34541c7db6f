"""Transcripts as Codex and Claude Code write them, in any order of their pieces, to every kind of target."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.openai.request import parse_openai_request
from plano_agents.simulator.wire.responses.request import parse_responses_request
from tests.harnesses.recorded import RecordedRequest
from tests.harnesses.test_recorded_translations import send
from tests.providers.fit.conftest import MESSAGES, RESPONSES, sent
from tests.providers.fit.providers import check
from tests.providers.fit.test_rows import PNG, SCHEMA

Pieces = list[dict[str, Any]]

TARGETS = st.sampled_from(
    [
        *(f"anthropic/claude-{name}" for name in ("opus-5-5", "sonnet-4-6", "haiku-4-5")),
        *("openai/gpt-4o", "mistral/mistral-large-latest", "deepseek/deepseek-v4-flash", "ollama/qwen3.8"),
    ]
)
AT_HOME = {"base_url": "http://127.0.0.1:9"}
"""An address of one's own, where OpenAI's models speak chat completions."""

SHELL = {"type": "function", "name": "shell", "parameters": SCHEMA}
CODEX_TOOLS = [
    SHELL,
    {
        "type": "custom",
        "name": "apply_patch",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
    },
    {"type": "namespace", "name": "mcp__docs", "tools": [{**SHELL, "name": "find"}, {**SHELL, "name": "read"}]},
    {"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": SCHEMA},
    {"type": "web_search"},
    {"type": "local_shell"},
]
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
OUTPUTS = st.sampled_from(["done", "", [{"type": "input_text", "text": "done"}, IMAGE]])


def call_of(kind: str, number: int) -> dict[str, Any]:
    call: dict[str, Any] = {"type": f"{kind}_call", "call_id": f"call_{number}", "id": f"i_{number}"}
    match kind:
        case "function":
            return {**call, "name": "find", "namespace": "mcp__docs", "arguments": "{}"}
        case "custom_tool":
            return {**call, "name": "apply_patch", "input": "*** Begin Patch"}
        case "local_shell":
            return {**call, "action": {"type": "exec", "command": ["ls"], "env": {}}, "status": "completed"}
        case _:
            return {**call, "execution": "client", "arguments": {"query": "docs"}, "status": "completed"}


@st.composite
def codex_items(draw: st.DrawFn) -> Pieces:
    """Steps: what is said, thought and called, calls answered in any order and with words in between."""
    said = [
        {"type": "message", "role": role, "content": [{"type": kind, "text": "Sort it."}]}
        for role, kind in (("user", "input_text"), ("developer", "input_text"), ("assistant", "output_text"))
    ]
    others: Pieces = [
        *said,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "additional_tools", "role": "developer", "tools": [{**SHELL, "name": "late"}]},
        {"type": "configuration_update", "id": "cu_1", "reasoning": {"effort": "high"}},
        {"type": "compaction", "encrypted_content": "gAAAA"},
        {"type": "item_reference", "id": "rs_2"},
        {"type": "function_call_output", "name": "goal", "output": "Sort."},
    ]
    items: Pieces = [said[0]]
    number = 0
    for _ in range(draw(st.integers(0, 4))):
        items += draw(st.lists(st.sampled_from(others), max_size=3))
        kinds = draw(st.lists(st.sampled_from(["function", "custom_tool", "local_shell", "tool_search"]), max_size=3))
        calls = [call_of(kind, number + place) for place, kind in enumerate(kinds)]
        number += len(kinds)
        items += calls
        between = draw(st.lists(st.sampled_from(said[:2]), max_size=1))
        for call in draw(st.permutations(calls)):
            items += between
            if call["type"] == "tool_search_call":
                found = [{"type": "namespace", "name": "mcp__late", "tools": [{**SHELL, "name": "x"}]}]
                items.append(
                    {"type": "tool_search_output", "call_id": call["call_id"], "execution": "client", "tools": found}
                )
            else:
                kind = call["type"].removesuffix("_call")
                items.append({"type": f"{kind}_call_output", "call_id": call["call_id"], "output": draw(OUTPUTS)})
    return items


def judge(target: str, found: dict[str, Any]) -> None:
    check(target, found)
    content = json.dumps(found).encode()
    if target.startswith("anthropic/"):
        parse_anthropic_request(content)
    elif target.startswith("openai/"):
        (parse_responses_request if "input" in found else parse_openai_request)(content)


@settings(max_examples=60)
@given(target=TARGETS, items=codex_items(), effort=st.sampled_from(["low", "high", "xhigh"]))
def test_any_transcript_of_codex_is_taken(target: str, items: Pieces, effort: str) -> None:
    body = {"input": items, "tools": CODEX_TOOLS, "reasoning": {"effort": effort}, "text": {"verbosity": "low"}}
    where = AT_HOME if target.startswith("openai/") else {}
    judge(target, sent(RESPONSES, target, {**body, "store": False, "client_metadata": {"a": "b"}}, **where))


# Claude Code

TOOLS = [
    {"name": "Bash", "input_schema": SCHEMA},
    {"name": "ToolSearch", "input_schema": SCHEMA},
    {"name": "Later", "input_schema": SCHEMA, "defer_loading": True},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
]
MARK = {"type": "ephemeral", "ttl": "1h"}
RESULTS = st.sampled_from(
    [
        "done",
        [
            {"type": "text", "text": "done"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ],
        [{"type": "tool_reference", "tool_name": "Later"}],
        [],
    ]
)


@st.composite
def claude_code_turns(draw: st.DrawFn) -> Pieces:
    """Turns with thinking, calls, reminders, compactions and what Anthropic's own tools did."""
    before = [
        {"type": "thinking", "thinking": "So.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "Let me see."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "compaction", "content": "They sorted."},
        {"type": "fallback", "from_model": "claude-opus-5-5"},
    ]
    turns: Pieces = [{"role": "user", "content": "Sort it."}]
    number = 0
    for _ in range(draw(st.integers(0, 4))):
        blocks = draw(st.lists(st.sampled_from(before), max_size=3))
        calls = [
            {"type": "tool_use", "id": f"toolu_{number + place}", "name": name, "input": {}}
            for place, name in enumerate(draw(st.lists(st.sampled_from(["Bash", "ToolSearch", "Later"]), max_size=3)))
        ]
        number += len(calls)
        answer = [*blocks, *calls] or [{"type": "text", "text": "Yes."}]
        results: Pieces = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": draw(RESULTS), "cache_control": MARK}
            for call in calls
        ]
        results += [{"type": "text", "text": "<system-reminder>Go on.</system-reminder>"}]
        turns += [{"role": "assistant", "content": answer}, {"role": "user", "content": results}]
        if draw(st.booleans()):
            turns.append({"role": "system", "content": "Tools loaded.", "output_config": {"effort": "medium"}})
    return turns


@settings(max_examples=60)
@given(target=TARGETS.filter(lambda name: not name.startswith("anthropic/")), turns=claude_code_turns())
def test_any_transcript_of_claude_code_is_taken(target: str, turns: Pieces) -> None:
    body = {
        "max_tokens": 32_000,
        "messages": turns,
        "tools": TOOLS,
        "system": [{"type": "text", "text": "x-anthropic-billing-header: a"}, {"type": "text", "text": "You help."}],
        "thinking": {"type": "adaptive", "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "xhigh", "task_budget": {"type": "tokens", "total": 20_000}},
        "metadata": {"user_id": "u" * 200},
    }
    where = AT_HOME if target.startswith("openai/") else {}
    judge(target, sent(MESSAGES, target, body, **where))
    judge("openai/gpt-5.5", send(RecordedRequest("/v1/messages", {}, body), RESPONSES, "openai/gpt-5.5"))
