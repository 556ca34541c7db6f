"""Custom tools of a chat client on Anthropic's wire: offered, called, sent back and chosen."""

import json
from typing import Any

import pytest

from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import Translation, translate_request
from tests.providers.fit.test_rows import USER

PATCH = {
    "type": "custom",
    "custom": {
        "name": "apply_patch",
        "description": "Applies a patch",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}},
    },
}
CALL = {"id": "call_1", "type": "custom", "custom": {"name": "apply_patch", "input": '*** Begin "x"'}}
LOOP = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "done"},
]


def translate(**fields: object) -> Translation:
    body = json.dumps({"messages": [USER], "tools": [PATCH], **fields}).encode()
    return translate_request(Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, body, "claude", created=7)


def sent(**fields: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(translate(**fields).request_body)
    return found


def stream(*pieces: str) -> bytes:
    start = {"type": "tool_use", "id": "toolu_1", "name": "apply_patch", "input": {}}
    events = [
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": p},
            }
            for p in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)


def assemble(events: bytes) -> dict[str, Any]:
    """Put the call of a stream together as a client does."""
    call: dict[str, Any] = {"input": ""}
    for line in events.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            for piece in choice["delta"].get("tool_calls") or ():
                assert "function" not in piece
                call["input"] += piece["custom"]["input"]
                call |= {name: piece[name] for name in ("id", "type") if name in piece}
                call["name"] = piece["custom"].get("name") or call["name"]
    return call


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    tool = sent()["tools"][0]
    assert tool["name"] == "apply_patch"
    assert tool["input_schema"]["required"] == ["input"]
    assert "lark grammar:\nstart: /x/" in tool["description"]
    assert [each.text for each in translate().adjustments] == ["tools custom sent as a function"]


def test_a_call_of_it_goes_back_as_a_call_of_the_function() -> None:
    block = sent(messages=LOOP)["messages"][1]["content"][0]
    assert (block["name"], block["input"]) == ("apply_patch", {"input": '*** Begin "x"'})


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "custom", "custom": {"name": "apply_patch"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "custom", "custom": {"name": "apply_patch"}}],
            },
        },
    ],
)
def test_it_can_be_chosen(choice: dict[str, Any]) -> None:
    body = sent(tool_choice=choice)
    assert body["tool_choice"]["type"] in {"tool", "any"}
    assert [tool["name"] for tool in body["tools"]] == ["apply_patch"]


def test_a_call_comes_back_as_the_clients_own() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "apply_patch", "input": {"input": "a\nb"}}
    answer = {"id": "m", "model": "claude", "content": [use], "stop_reason": "tool_use", "usage": {}}
    message = json.loads(translate().encode_reply(json.dumps(answer).encode()))["choices"][0]["message"]
    own = {"name": "apply_patch", "input": "a\nb"}
    assert message["tool_calls"] == [{"id": "toolu_1", "type": "custom", "custom": own}]


@pytest.mark.parametrize(
    ("pieces", "said"),
    [(('{"inp', 'ut": "a\\', 'nb"}'), "a\nb"), (('{"patch": ', '"a"}'), "a"), (("{}",), "{}")],
)
def test_a_streamed_call_comes_back_as_the_clients_own(pieces: tuple[str, ...], said: str) -> None:
    translator = translate(stream=True).build_stream()
    call = assemble(translator.feed(stream(*pieces)) + translator.finish())
    assert call == {"id": "toolu_1", "type": "custom", "name": "apply_patch", "input": said}


def test_functions_beside_it_stay_functions() -> None:
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    answer = {"id": "m", "model": "claude", "content": [use], "stop_reason": "tool_use", "usage": {}}
    body = translate(tools=[PATCH, function]).encode_reply(json.dumps(answer).encode())
    assert json.loads(body)["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f"
